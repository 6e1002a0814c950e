/* kv.h -- the cache of one timeline: keys and values of the tokens that were read, in blocks of
 * KV_BLOCK tokens.
 *
 * A block holds its tokens for all layers, in one of three forms:
 *
 *   rows  [n_layer][key, value][n_kv_head][KV_BLOCK][head_dim]   elements of kv_type
 *   q8    [n_layer][n_kv_head] heads of codec.h
 *   q4    the same
 *
 * so attention walks one head of one layer through contiguous rows. Blocks are allocated as the
 * timeline grows; cutting gives back those behind the end. A block may lie in a mapped file: it is
 * then only read, and copied before a row is written to it.
 *
 * The tier (engine.h) says which form the blocks take; kv_far.c brings them into it. In all tiers
 * but the exact one rows are written as q8, and that is what they are: the index and the rows of 4
 * bits are made of the q8 rows, so cutting into a block and going on gives the same bits again. A
 * block whose tokens were read again exactly (kv_exact.h) stays in rows.
 * In the flash tier a full block has an index beside its rows, and the rows go to the spool. */
#ifndef DUET_ENGINE_KV_H
#define DUET_ENGINE_KV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/cache.h"
#include "engine/codec.h"
#include "engine/engine.h"
#include "engine/err.h"
#include "engine/mapfile.h"
#include "engine/spool.h"

#define KV_BLOCK CODEC_BLOCK

enum kv_owner { KV_NONE, KV_HEAP, KV_MAPPED, KV_SPOOLED };
enum kv_form { KV_ROWS, KV_Q8, KV_Q4, KV_N_FORMS };

struct kv_block {
    enum kv_owner owner;
    enum kv_form form;
    unsigned char *data;      /* heap: shared with the forks, counted, written only by a sole
                               * owner; mapped: borrowed from kv.mapping, never written; spooled:
                               * in a slot of spool, held */
    struct spool *spool;
    int slot;
    bool pinned;              /* rows that were read again, and stay so in every tier */
    int at;                   /* the position that its first row is turned to, a multiple of
                               * KV_BLOCK; -1: not all rows are turned on from there */
    unsigned char *index;     /* [n_layer][n_kv_head] of codec.h, on the heap, counted; or NULL */
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

struct kv_bias;

/* How the blocks behind the newest are held and read, and what reading them took. */
struct kv_far {
    enum kv_tier tier;
    char folder[512];         /* of the spool; "": none */
    bool use_index;           /* read by the index where there is one */
    int n_chosen;             /* and so many of its rows at most, 1..SESSION_ROWS_MAX, or 0: see
                               * session_set_rows() */
    struct spool *spool;      /* NULL before the first block goes there */
    int n_settled;            /* blocks [0, n_settled) have the form of the tier */
    struct kv_bias *bias;     /* of the keys, taken out before they are coded; or NULL */
    struct kv_reader *reader; /* what attention needs and counts (kv_read.h); NULL as long as
                               * the tier was always the exact one */
    float *scratch;           /* [2][KV_BLOCK][head_dim], with the reader */
    struct kv_block aside;    /* the one that is being read again (kv_exact.h) */
    bool aside_index;         /* use_index outside of that */
    char why[256];            /* why the tier is not the one asked for; "": it is */
};

struct kv {
    struct cache base;
    const struct model *model;   /* borrowed */
    struct kv_shape shape;
    size_t element_bytes;
    size_t head_bytes;        /* KV_BLOCK rows of one head, as they are */
    size_t block_bytes[KV_N_FORMS];
    size_t index_bytes;       /* of a block */
    struct kv_block *blocks;  /* [n_blocks_max], owned */
    int n_blocks, n_blocks_max;
    struct kv_mapping *mapping;  /* what mapped blocks point into; NULL if there are none */
    struct kv_far far;
};

/* The cache of the dense networks: a struct kv. It has a border at every position, but inside the
 * blocks of 4 bits. */
extern const struct cache_ops cache_dense;

/* The cache as what it is. */
struct kv *kv_of(struct cache *c);

/* An empty cache for up to n_ctx tokens. */
bool kv_init(struct kv *kv, const struct model *m, const struct kv_shape *shape, int n_ctx,
             struct err *err);
void kv_release(struct kv *kv);

/* Makes positions [from, to) writable; [0, from) is kept. On failure nothing has changed but
 * that blocks may have been added or copied. */
bool kv_reserve(struct kv *kv, int from, int to, struct err *err);

/* Gives back the blocks that hold no position below n. */
void kv_cut(struct kv *kv, int n);

/* Takes out the positions [from, to), a whole number of KV_BLOCK, from > 0. Rows stay where they
 * are in their blocks: where from and to lie inside of blocks, these two become one. Those before
 * `from` may be written to then, to be turned. */
bool kv_drop(struct kv *kv, int from, int to, struct err *err);

/* *to, initialised with the same shape and empty, takes a share in all blocks of kv. */
void kv_share(const struct kv *kv, struct kv *to);

/* Appends a full block that lies in kv->mapping at data. There must be room. */
void kv_append_mapped(struct kv *kv, enum kv_form form, const unsigned char *data);

/* The first row, [KV_BLOCK][head_dim], of a head in a block of rows: keys or values. */
void *kv_keys(const struct kv *kv, int layer, int block, int head);
void *kv_values(const struct kv *kv, int layer, int block, int head);

/* A head in a block of q8 or q4. */
void *kv_head(const struct kv *kv, int layer, int block, int head);

/* A new block on the heap; of the form that the tier writes. */
bool kv_make_block(const struct kv *kv, enum kv_form form, struct kv_block *b, struct err *err);
void kv_drop_block(struct kv_block *b);

/* Counted bytes on the heap, as blocks have them. */
void *kv_take_bytes(size_t bytes, struct err *err);

/* Zeroes the rows from position n on in the last block, which must be on the heap: what was cut
 * off must not reach a file. */
void kv_wipe_tail(struct kv *kv, int n);

#endif
