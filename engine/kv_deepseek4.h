/* kv_deepseek4.h -- the cache of DeepSeek-V4: what a layer may still look at of the tokens read.
 *
 *   window   rings of raw rows [head_dim], one for each layer: the last positions
 *   state    rings of what the compressors have not pooled yet: values and scores of single
 *            tokens, floats, [2][channels]
 *   rows     compressed rows, and the indexer's beside them, for good: one for each full block of
 *            `ratio` positions. In blocks of KV4_BLOCK positions, allocated as the timeline grows
 *
 * A ring is indexed by position and has room for `chunk` positions more than its reader needs, so
 * a stretch of new tokens overwrites nothing that the tokens before it need: a cancelled pass is
 * simply forgotten, and the last `chunk` positions can be cut off for nothing.
 *
 * Farther back the rings are lost. There a border is a snapshot: the rings' rows that reading on
 * from there needs, and the logits. Rows that were pooled stay where they are and are only counted
 * anew. mark() takes a snapshot. At most KV4_SNAPSHOTS are kept; one more takes the place of that
 * whose neighbours are nearest to each other in proportion to their distance from the end, but
 * never of the newest two. So there are many near the end and few far back: a cut reads again at
 * most about three times what had been written behind it.
 *
 * In a file (kv_file.h): one section 3, the rings' rows at the end; sections 4, blocks of rows;
 * sections 5, snapshots in ascending order: position and whether there are logits, u32 each, 56
 * bytes of 0, the rings' rows, logits. Rings' rows are stored layer by layer, window, state and
 * the indexer's state, from the lowest position needed on; rows before position 0 are 0. */
#ifndef DUET_ENGINE_KV_DEEPSEEK4_H
#define DUET_ENGINE_KV_DEEPSEEK4_H

#include <stddef.h>
#include <stdint.h>

#include "engine/cache.h"

#define KV4_BLOCK     512  /* positions; a multiple of all ratios */
#define KV4_RUN       64   /* rows in a row: no run of a ring crosses a multiple of it */
#define KV4_SNAPSHOTS 8

/* One ring: n rows, of which `reach` before the next position are needed to go on. */
struct kv4_ring {
    unsigned char *rows;
    size_t row_bytes;
    int n, reach;
};

struct kv4_layer {
    int ratio;
    struct kv4_ring window, state, index_state;  /* n = 0: there is none */
    size_t rows_at, index_at;                    /* where its rows begin in a block */
};

struct kv4_snapshot {
    int pos;                /* positions before it are in the cache */
    bool has_logits;
    unsigned char *data;    /* as it lies in a file, owned */
};

struct kv4 {
    struct cache base;
    enum kv_type type;
    size_t head_bytes, index_bytes;  /* of a row of head_dim and d_index values */
    int n_layer, head_dim, n_vocab, chunk;
    struct kv4_layer *layers;        /* [n_layer], owned */
    unsigned char *rings;            /* all rings, owned */
    size_t rings_bytes, state_bytes; /* of them; of the rows that a snapshot takes */
    unsigned char **blocks;          /* [n_blocks], owned */
    int n_blocks, n_blocks_max;
    size_t block_bytes;              /* 0: no layer compresses */
    int free_from;                   /* the lowest position that can be cut at without a snapshot */
    struct kv4_snapshot snapshots[KV4_SNAPSHOTS];
    int n_snapshots;
};

/* A struct kv4. */
extern const struct cache_ops cache_deepseek4;
struct kv4 *kv4_of(struct cache *c);

/* The row of a ring for one position. */
void *kv4_ring_row(const struct kv4_ring *r, int pos);

/* Compressed row i of a layer, or the indexer's. The rows up to the next multiple of KV4_BLOCK /
 * ratio follow it. */
void *kv4_row(const struct kv4 *kv, const struct kv4_layer *l, int i);
void *kv4_index_row(const struct kv4 *kv, const struct kv4_layer *l, int i);

#endif
