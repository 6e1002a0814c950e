/* forward.h -- what runs a model: the interface that every kind of network implements.
 *
 * A struct forward is the scratch of one session. run() takes new tokens through all layers,
 * reading and extending the cache, and leaves their last hidden states; logits() turns one of
 * these into logits. Nothing is allocated but by create(). */
#ifndef DUET_ENGINE_FORWARD_H
#define DUET_ENGINE_FORWARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/cache.h"
#include "engine/err.h"
#include "engine/kernels.h"
#include "engine/model.h"
#include "engine/pool.h"

/* Where a token of a batch belongs. */
struct forward_row {
    struct cache *cache;
    int pos;
};

/* A stretch of new tokens. The cache is writable there. */
struct forward_call {
    const int32_t *ids;          /* [n], inside the vocabulary */
    int n, pos;                  /* at positions pos, pos + 1, ...; n <= n_max of create() */
    struct cache *cache;         /* of the kind that the forward_ops name */
    const struct forward_row *rows;  /* [n], or NULL: then each token has a timeline of its own,
                                      * and pos and cache are not looked at */
    bool reads;                  /* text that is there, not tokens chosen one by one: products may
                                  * then go the way of many tokens (matmul.h), whatever n is */
    const atomic_bool *cancel;   /* looked at before each layer */
};

struct forward_ops {
    const struct cache_ops *cache;  /* what it reads and writes */

    /* Bytes that create() will take. */
    size_t (*bytes)(const struct model *m, int n_max, int n_ctx, int n_threads);

    /* Scratch for calls of up to n_max tokens at positions below n_ctx. model, kernels and pool
     * are borrowed. */
    struct forward *(*create)(const struct model *m, const struct kernels *k, struct pool *pool,
                              int n_max, int n_ctx, struct err *err);
    void (*destroy)(struct forward *f);  /* NULL is allowed */

    /* False if cancelled: rows of the cache from pos on are then undefined. The caller holds the
     * pool's lock. */
    bool (*run)(struct forward *f, const struct forward_call *call);

    /* The logits, [n][n_vocab], after the tokens t, t + 1, ... of the last run(). The caller holds
     * the lock. */
    void (*logits)(struct forward *f, int t, int n, float *out);

    bool takes_rows;  /* of forward_call */

    /* Turns the keys of positions [0, n), which are writable, as if they stood `by` positions
     * further on. NULL where the cache's drop() is. */
    void (*turn_keys)(struct forward *f, struct cache *c, int n, int by);
};

extern const struct forward_ops forward_dense;  /* dense.c: llama, qwen, gemma */
extern const struct forward_ops forward_deepseek4;

#endif
