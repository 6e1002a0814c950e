/* kv_read.h -- attention over a cache with coded blocks: what attention.c does for rows and q8.
 *
 * A token at position p reads the block of p and the one before row by row. How it reads the blocks
 * before these is the cache's choice (struct kv_far):
 *
 *   all rows   block by block, with a running softmax: q4 where attention.c has no faster way
 *   by index   scores all keys by their codes, takes the tokens that are worth most to the query
 *              heads that share a key head, kv_far.n_chosen of them, or fewer where these have
 *              nearly all attention; reads their keys, and the values of those that still have some
 *              of it then. For all others the mean value of a block stands
 *
 * A token's result does not depend on the other tokens of a call nor on the number of threads. */
#ifndef DUET_ENGINE_KV_READ_H
#define DUET_ENGINE_KV_READ_H

#include "engine/attention.h"

#define KV_GROUP_MAX 64 /* query heads to a key head */
#define KV_SINKS  8     /* the first tokens are always read row by row */

struct kv_reader;

/* Scratch for a cache and its counters. */
bool kv_reader_new(struct kv_reader **out, const struct kv *kv, int n_threads, struct err *err);
void kv_reader_free(struct kv_reader *r);  /* NULL is allowed */
int kv_reader_threads(const struct kv_reader *r);

/* A pass of n tokens begins; what it has read so far. */
void kv_reader_begin(struct kv_reader *r, int n);

/* The first position that is read by the index: a pass ends there. */
int kv_index_from(void);
void kv_reader_count(const struct kv_reader *r, struct far_stats *out);

/* The key and value of position pos, [head_dim] each, to their row of a head in q8. */
void kv_store_q8(const struct kv *kv, int layer, int pos, int head, const float *key,
                 const float *value);

/* True if a token of the call is read by the index, or there are blocks of 4 bits and the caller
 * has no way for these: attention.c cannot do it alone. */
bool kv_read_wants(const struct attention_call *c, bool takes_q4);

/* attention_run() for such calls. */
void kv_read_run(const struct attention *a, const struct attention_call *c);

#endif
