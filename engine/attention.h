/* attention.h -- causal attention of some new tokens over the cache.
 *
 *   out[t][h] = sum_i softmax_i(scale q[t][h] . k[i]) v[i],   pos + t - window < i <= pos + t
 *
 * The cache is read block by block with a running maximum (the "online" softmax), always at the
 * same borders, so the result of a token does not depend on how the timeline was cut into calls,
 * nor on the number of threads. */
#ifndef DUET_ENGINE_ATTENTION_H
#define DUET_ENGINE_ATTENTION_H

#include "engine/kernels.h"
#include "engine/kv.h"
#include "engine/pool.h"

struct attention {
    const struct kernels *kernels;
    struct pool *pool;       /* locked by the caller */
    const struct kv *kv;
    int n_head;              /* query heads, a multiple of the cache's heads */
    int layer;
    int window;              /* positions seen, the current one included; 0: all */
    float scale;             /* of the scores, > 0 */
    int n, pos;              /* n new tokens at positions pos, pos + 1, ... */
    const float *q;          /* [n][n_head][head_dim] */
    float *out;              /* [n][n_head][head_dim] */
};

/* Writes the key and value rows, each [n_kv_head][head_dim], of one position to the cache, which
 * kv_reserve() has made writable there. */
void attention_store(const struct kernels *k, struct kv *kv, int layer, int pos, const float *key,
                     const float *value);

/* All keys and values up to pos + n - 1 are stored. */
void attention_run(struct attention *a);

#endif
