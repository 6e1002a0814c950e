/* slices.h -- the context as slices: what a person or a mode wrote, how long it is, how it is held.
 * Made from the conversation; the end that is not in it yet belongs to the running mode. */
#ifndef DUET_APP_SLICES_H
#define DUET_APP_SLICES_H

#include "app/conversation.h"
#include "engine/engine.h"
#include "ui/strip.h"

struct slices {
    struct slice *slice; /* [n], owned */
    int *turn;           /* [n] the turn it belongs to, -1 = before the first; owned */
    int n, cap;
};

/* All is held as `form`, but for what `exact` has, pairs of positions. */
void slices_build(struct slices *s, const struct conversation *c, int ctx_used, enum mode_id mode,
                  enum slice_form form, const struct ids *exact);
void slices_release(struct slices *s);

/* How all of a cache is held that is said to be so. */
enum slice_form slices_form(const struct far_stats *far);

/* The tier of what is not held exactly: the rows of the flash tier have 8 bits. */
const char *slices_tier(const struct far_stats *far);

/* The positions of slice i; of a turn from 0 on (false: there is none). */
void slices_at(const struct slices *s, int i, int *from, int *to);
bool slices_turn(const struct slices *s, int turn, int *from, int *to);

/* How many tokens are read if [from, to) is read again to be exact: whole blocks, but for those
 * that are. */
int slices_cost(const struct ids *exact, int from, int to, int ctx_used);

/* "at most 412 tokens, about 1.2 s, up to 9.4 MB more": what that takes; whole blocks are counted,
 * the newest of which is shorter. */
void slices_price(int tokens, double read_tok_s, const struct far_stats *far, int ctx_used,
                  char *out, size_t bytes);

/* "turn 3, Flash", and "412 tokens, exact, 1.2 s to read again" (speed 0: without the time). What
 * is not exact is held as `tier`. */
void slices_tell(const struct slices *s, int i, const char *tier, double read_tok_s, char *left,
                 size_t left_bytes, char *right, size_t right_bytes);

#endif
