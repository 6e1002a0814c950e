/* attention.h -- causal attention of some new tokens over the cache.
 *
 *   out[t][h] = sum_i softmax_i(scale q[t][h] . k[i]) v[i],   pos + t - window < i <= pos + t
 *
 * The cache is read block by block with a running maximum (the "online" softmax), in spans of
 * ATTENTION_SPAN positions that are computed apart and then merged in order. Borders of blocks and
 * spans are fixed positions, and each sum runs in the order of positions: the result of a token
 * depends neither on how the timeline was cut into calls nor on the number of threads. */
#ifndef DUET_ENGINE_ATTENTION_H
#define DUET_ENGINE_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/err.h"
#include "engine/kernels.h"
#include "engine/kv.h"
#include "engine/pool.h"

#define ATTENTION_SPAN (8 * KV_BLOCK)

struct attention_shape {
    int n_head, n_kv_head;   /* query heads, a multiple of the cache's heads */
    int head_dim;
    int n_ctx;               /* positions at most */
};

/* What attention needs besides its operands. Filled by attention_init(). */
struct attention {
    const struct kernels *kernels;  /* borrowed */
    struct pool *pool;              /* borrowed; locked by the caller of attention_run() */
    struct attention_shape shape;
    float *scratch;                 /* [n_threads] owned */
    float *parts;                   /* [spans][n_kv_head] what few tokens get from each, owned */
};

/* Bytes that attention_init() will take. */
size_t attention_bytes(const struct attention_shape *shape, int n_threads);

bool attention_init(struct attention *a, const struct attention_shape *shape,
                    const struct kernels *k, struct pool *pool, struct err *err);
void attention_release(struct attention *a);

/* Writes the key and value rows, each [n_kv_head][head_dim], of one position to the cache, which
 * kv_reserve() has made writable there. */
void attention_store(const struct kernels *k, struct kv *kv, int layer, int pos, const float *key,
                     const float *value);

struct attention_call {
    const struct kv *kv;
    int layer;
    int window;              /* positions seen, the current one included; 0: all */
    float scale;             /* of the scores, > 0 */
    int n, pos;              /* n new tokens at positions pos, pos + 1, ... */
    bool rounds;             /* the results will be rounded to brain floats, so weights may be too,
                              * where the kernels have a way for that */
    const float *q;          /* [n][n_head][head_dim] */
    float *out;              /* [n][n_head][head_dim] */
};

/* n calls, one of any number of tokens or several of few. All keys and values up to pos + n - 1 of
 * each are stored. */
void attention_run(const struct attention *a, const struct attention_call *c, int n);

#endif
