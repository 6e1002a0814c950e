/* repro.h -- /repro: an answer is made again and compared with what is kept of it, and what of the
 * program and the machine is not as it was then is said. Belongs to talk.c, which calls it. */
#ifndef DUET_APP_REPRO_H
#define DUET_APP_REPRO_H

#include "app/event.h"

struct talk;

/* "N", the number of a turn, "" = the last one. */
void repro_command(struct talk *t, const char *args);

/* It is over. */
void repro_event(struct talk *t, const struct event *e);

#endif
