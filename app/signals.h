/* signals.h -- what the outside wants of us, as something poll() can see.
 *
 * SIGTERM, SIGHUP and SIGINT set a flag and make signals_fd() readable; a second one of them ends
 * the program at once. Crashes (SEGV, FPE, ILL, ABRT) and that end first call `restore`. So does a
 * mapped file that is cut short under us (BUS); that end says so and is a failed turn's. */
#ifndef DUET_APP_SIGNALS_H
#define DUET_APP_SIGNALS_H

#include <stdbool.h>

/* restore must be async-signal-safe; NULL = nothing to restore. */
void signals_init(void (*restore)(void));

int signals_fd(void);

/* The signal that came since the last call, 0 = none. Empties signals_fd(). */
int signals_take(void);

/* True once after the program was stopped and goes on: the terminal may be in any state. */
bool signals_continued(void);

#endif
