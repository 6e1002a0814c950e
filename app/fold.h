/* fold.h -- the thoughts of finished turns leave the context while nothing else is to be done. What
 * stood behind them is read again without them, so the next answer sees what a model of its format
 * is meant to see, and a conversation read anew from its log is the same to the last bit. (To take
 * the thought out of the cache and keep what was read behind it would cost nothing, but the answer
 * would go on remembering the thought.) What it costs is told and logged; the transcript keeps the
 * thought.
 *
 * Whatever a person does comes first: a fold that runs is left at once.
 *
 * Belongs to talk.c, which calls it. */
#ifndef DUET_APP_FOLD_H
#define DUET_APP_FOLD_H

#include <stdbool.h>

#include "app/event.h"

struct talk;

struct fold {
    bool off;      /* thoughts stay */
    bool wanted;   /* asked for by hand: also where it is off */
    bool running;
    bool paused;   /* stopped, or it failed: until a turn is over or it is asked for */
};

/* Begins one if there is something to fold and nothing else to do. */
void fold_begin(struct talk *t);

/* What runs is left or over, and told, when this returns. */
void fold_settle(struct talk *t);

/* The same by a person's wish; false: none ran. */
bool fold_stop(struct talk *t);

void fold_event(struct talk *t, const struct event *e);

/* "on", "off", "now", "" = how it is. */
void fold_command(struct talk *t, const char *args);

#endif
