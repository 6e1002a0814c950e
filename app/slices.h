/* slices.h -- the context as slices: what a person or a mode wrote, how long it is, how it is held.
 * Made from the conversation; the end that is not in it yet belongs to the running mode. */
#ifndef DUET_APP_SLICES_H
#define DUET_APP_SLICES_H

#include "app/conversation.h"
#include "ui/strip.h"

struct slices {
    struct slice *slice; /* [n], owned */
    int *turn;           /* [n] the turn it belongs to, -1 = before the first; owned */
    int n, cap;
};

void slices_build(struct slices *s, const struct conversation *c, int ctx_used, enum mode_id mode,
                  bool exact);
void slices_release(struct slices *s);

/* "turn 3, Flash", and "412 tokens, exact, 1.2 s to read again" (speed 0: without the time). What
 * is not exact is held as `tier`. */
void slices_tell(const struct slices *s, int i, const char *tier, double read_tok_s, char *left,
                 size_t left_bytes, char *right, size_t right_bytes);

#endif
