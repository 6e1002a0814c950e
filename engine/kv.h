/* kv.h -- the cache of one timeline: keys and values of the tokens that were read, in blocks of
 * KV_BLOCK tokens.
 *
 * A block holds its tokens for all layers, one after the other:
 *
 *   [n_layer][key, value][n_kv_head][KV_BLOCK][head_dim]   elements of kv_type
 *
 * so attention walks one head of one layer through contiguous rows. Blocks are allocated as the
 * timeline grows; cutting gives back those behind the end. A block may lie in a mapped file: it is
 * then only read, and copied before a row is written to it. */
#ifndef DUET_ENGINE_KV_H
#define DUET_ENGINE_KV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/cache.h"
#include "engine/engine.h"
#include "engine/err.h"
#include "engine/mapfile.h"

#define KV_BLOCK 64

enum kv_owner { KV_NONE, KV_HEAP, KV_MAPPED };

struct kv_block {
    enum kv_owner owner;
    unsigned char *data;      /* heap: shared with the forks, counted, written only by a sole
                               * owner; mapped: borrowed from kv.mapping, never written */
};

/* A file that mapped blocks point into, closed by the last cache that uses it. */
struct kv_mapping {
    atomic_int users;
    struct mapfile file;
};

struct kv_shape {
    int n_layer, n_kv_head, head_dim;
    enum kv_type type;
};

struct kv {
    struct cache base;
    struct kv_shape shape;
    size_t element_bytes;
    size_t head_bytes;        /* KV_BLOCK rows of one head */
    size_t block_bytes;
    struct kv_block *blocks;  /* [n_blocks_max], owned */
    int n_blocks, n_blocks_max;
    struct kv_mapping *mapping;  /* what mapped blocks point into; NULL if there are none */
};

/* The cache of the dense networks: a struct kv. It has a border at every position. */
extern const struct cache_ops cache_dense;

/* The cache as what it is. */
struct kv *kv_of(struct cache *c);

/* The bytes of one block. */
size_t kv_block_bytes(const struct kv_shape *shape);

/* An empty cache for up to n_ctx tokens. */
bool kv_init(struct kv *kv, const struct kv_shape *shape, int n_ctx, struct err *err);
void kv_release(struct kv *kv);

/* Makes positions [from, to) writable; [0, from) is kept. On failure nothing has changed but
 * that blocks may have been added or copied. */
bool kv_reserve(struct kv *kv, int from, int to, struct err *err);

/* Gives back the blocks that hold no position below n. */
void kv_cut(struct kv *kv, int n);

/* Takes out the positions [from, to), a whole number of KV_BLOCK, from > 0. Rows stay where they
 * are in their blocks: where from and to lie inside of blocks, these two become one. */
bool kv_drop(struct kv *kv, int from, int to, struct err *err);

/* *to, initialised with the same shape and empty, takes a share in all blocks of kv. */
void kv_share(const struct kv *kv, struct kv *to);

/* Appends a full block that lies in kv->mapping at data. There must be room. */
void kv_append_mapped(struct kv *kv, const unsigned char *data);

/* The first row, [KV_BLOCK][head_dim], of a head in a block: keys or values. */
void *kv_keys(const struct kv *kv, int layer, int block, int head);
void *kv_values(const struct kv *kv, int layer, int block, int head);

/* Zeroes the rows from position n on in the last block, which must be on the heap: what was cut
 * off must not reach a file. */
void kv_wipe_tail(struct kv *kv, int n);

#endif
