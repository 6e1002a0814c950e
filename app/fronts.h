/* fronts.h -- the three ways of sitting in front of a conversation. Each runs it to its end and
 * returns the program's exit status. */
#ifndef DUET_APP_FRONTS_H
#define DUET_APP_FRONTS_H

#include "app/options.h"

/* Exit statuses, as the man page lists them. */
enum {
    STATUS_OK = 0,
    STATUS_TURN = 1,        /* the turn failed */
    STATUS_USAGE = 2,
    STATUS_MODEL = 3,       /* the model cannot be opened */
    STATUS_SESSION = 4,     /* the session cannot be opened */
    STATUS_INTERRUPTED = 130,
};

/* The full screen. *started = false: the terminal cannot show it (reason on standard error), and
 * nothing was done. */
int screen_run(const struct options *o, const char *model, bool *started);

/* Lines in, lines out: for screen readers, dumb terminals, pipes. */
int plain_run(const struct options *o, const char *model);

/* One question, its answer alone on standard output (or events, --json). */
int oneshot_run(const struct options *o, const char *model);

#endif
