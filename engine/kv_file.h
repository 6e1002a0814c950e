/* kv_file.h -- a cache and its ids as a file, and back.
 *
 * All numbers are little-endian; enum values here are fixed for ever.
 *
 *   0  "duet-kv\n"                      8 bytes
 *   8  version                          u32, KV_FILE_VERSION
 *  12  number of sections               u32
 *  16  fingerprint of the model         u64
 *  24  layers, key heads, head width, element type (0 f16, 1 f32), tokens per block, vocabulary;
 *      0 tokens per block is the kind of kv_deepseek4.h
 *                                       u32 each
 *  48  ids, of these read               u32 each
 *  56  checksum of the section table    u64
 *  64  how far positions are turned     u32, cache.h: shift
 *  68  0                                u32
 *  72  checksum of bytes [0, 72)        u64
 * 128  section table: type, 0 (u32 each), offset, bytes, checksum (u64 each)
 *
 * then the sections, each at a multiple of 64:
 *
 *   1  ids     i32 each; once
 *   2  logits  f32 each, after the last id read; once or not at all
 *   3  ...     what each kind of cache writes of its own (kv.c, kv_deepseek4.h)
 *
 * Checksums are XXH3 with 64 bits: they find damage, not malice; every length and id is checked
 * as well. */
#ifndef DUET_ENGINE_KV_FILE_H
#define DUET_ENGINE_KV_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/err.h"
#include "engine/mapfile.h"

#define KV_FILE_VERSION 2
#define KV_FILE_OWN     3   /* the first type of section that belongs to the cache */

struct kv_file_shape {
    int n_layer, n_kv_head, head_dim;
    enum kv_type type;
    int block_tokens;
};

/* What a file holds beside the cache. */
struct kv_file {
    uint64_t fingerprint;   /* given: of the model */
    struct kv_file_shape shape;  /* given by the cache */
    int n_vocab;            /* given */
    int n_ctx;              /* given: room in ids */
    int32_t *ids;           /* [n_ids], the caller's; loading writes it */
    int n_ids, n_read;      /* of n_ids > 0 ids the first n_read are in the cache */
    float *logits;          /* [n_vocab], the caller's; loading writes it */
    bool has_logits;
    int shift;              /* of the cache, given by it; loading writes it */
};

struct kv_section {
    uint32_t type;
    const void *data;       /* aligned to 64 when it comes from a file */
    uint64_t bytes;
};

/* Writes the file with the cache's n sections: temporary file beside it, fsync, rename, fsync of
 * the folder, mode 0600. On failure an older file is untouched and no temporary one is left. */
bool kv_file_save(const char *path, const struct kv_file *f, const struct kv_section *own, int n,
                  struct err *err);

/* Maps the file at path and reads it; take() gets each of the cache's sections, in order, with
 * n_ids and n_read known, and refuses what is none of its own. The caller closes m and knows which
 * sections must have come. On failure ids and logits are undefined.
 *
 * errors  ERR_IO, ERR_FORMAT (damaged, another model or version), ERR_LIMIT (n_ids > n_ctx). */
bool kv_file_load(struct mapfile *m, const char *path, struct kv_file *f,
                  bool (*take)(void *cache, const struct kv_file *f, const struct kv_section *s),
                  void *cache, struct err *err);

/* A number for a model: of its header's bytes and its file's size. */
uint64_t kv_file_fingerprint(const void *header, size_t header_bytes, uint64_t file_bytes);

#endif
