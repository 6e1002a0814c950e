/* kept.h -- timelines that were left and may be wanted again: the other answers to a question. Each
 * is a fork, so what they have in common is there once. Belongs to the worker. */
#ifndef DUET_APP_KEPT_H
#define DUET_APP_KEPT_H

#include "engine/engine.h"

enum { KEPT_MAX = 4 };

/* Zero-initialise; kept_release(). */
struct kept {
    struct session *session[KEPT_MAX]; /* owned; NULL = free */
    int next;                          /* the one that goes first */
};

/* Makes s hold as much of ids[0..n) as is held anywhere: a kept timeline that holds more changes
 * places with it. Else, if s holds a good deal that those ids will cut off, that is kept. A cache
 * that cannot be forked is cut off and read again. */
void kept_prepare(struct kept *k, struct session *s, const int32_t *ids, int n);

void kept_put(struct kept *k, struct session *s); /* takes it over */

/* Gives back those that hold less than half of ids[0..n): another conversation's. */
void kept_forget(struct kept *k, const int32_t *ids, int n);
void kept_release(struct kept *k);

#endif
