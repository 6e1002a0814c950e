/* kv_exact.h -- blocks that are held exactly whatever the tier is: their tokens were read again.
 *
 * A block is taken aside, a fresh one of rows stands in its place while the forward pass writes it,
 * and then one of the two goes: what attention reads meanwhile lies before it. */
#ifndef DUET_ENGINE_KV_EXACT_H
#define DUET_ENGINE_KV_EXACT_H

#include "engine/kv.h"

/* See cache.h. */
bool kv_exact_begin(struct kv *kv, int pos, int n, int *from, int *to, struct err *err);
void kv_exact_end(struct kv *kv, int from, bool keep);

/* The end of the positions from `from` on, below n, that are all held exactly, or all not. */
int kv_exact_stretch(const struct kv *kv, int from, int n, bool *exact);

#endif
