/* kv_indexed.h -- attention of one token over far blocks by their index; see kv_read.h.
 *
 * The far positions are read in spans of fixed borders, the list of chosen rows in parts of fixed
 * length, each apart; what they give is merged in order. So the work of one token is shared by all
 * threads, and its result does not depend on how many there are. */
#ifndef DUET_ENGINE_KV_INDEXED_H
#define DUET_ENGINE_KV_INDEXED_H

#include "engine/attention.h"

struct kv_indexed;

/* What reading a cache by its index takes, and its counters. */
bool kv_indexed_new(struct kv_indexed **out, const struct kv *kv, struct err *err);
void kv_indexed_free(struct kv_indexed *x);  /* NULL is allowed */

/* A pass of n tokens begins; what it has read so far. */
void kv_indexed_begin(struct kv_indexed *x, int n);
void kv_indexed_count(const struct kv_indexed *x, struct far_stats *out);

/* The positions that a token at pos reads by the index, whole blocks; 0: it reads all rows. */
int kv_indexed_far(const struct attention_call *c, int pos);

/* attention_run() for token t of a call alone, whose n_far from kv_indexed_far() is not 0. */
void kv_indexed_run(struct kv_indexed *x, const struct attention *a,
                    const struct attention_call *c, int t, int n_far);

#endif
