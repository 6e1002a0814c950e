/* kv_file.h -- a cache and its ids as a file, and back.
 *
 * All numbers are little-endian; enum values here are fixed for ever.
 *
 *   0  "duet-kv\n"                      8 bytes
 *   8  version                          u32, KV_FILE_VERSION
 *  12  number of sections               u32
 *  16  fingerprint of the model         u64
 *  24  layers, key heads, head width, element type (0 f16, 1 f32), tokens per block, vocabulary
 *                                       u32 each
 *  48  ids, of these read               u32 each
 *  56  checksum of the section table    u64
 *  64  checksum of bytes [0, 64)        u64
 * 128  section table: type, 0 (u32 each), offset, bytes, checksum (u64 each)
 *
 * then the sections, each at a multiple of 64:
 *
 *   1  ids     i32 each; once
 *   2  logits  f32 each, after the last id read; once or not at all
 *   3  block   one block of the cache as it lies in memory (kv.h); in order, as many as are read
 *
 * Checksums are XXH3 with 64 bits: they find damage, not malice; every length and id is checked
 * as well. */
#ifndef DUET_ENGINE_KV_FILE_H
#define DUET_ENGINE_KV_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"
#include "engine/kv.h"

#define KV_FILE_VERSION 1

/* What a file holds beside the cache. */
struct kv_file {
    uint64_t fingerprint;   /* given: of the model */
    int n_vocab;            /* given */
    int n_ctx;              /* given: room in ids */
    int32_t *ids;           /* [n_ids], the caller's; loading writes it */
    int n_ids, n_read;      /* of n_ids ids the first n_read are in the cache; at most one is not */
    float *logits;          /* [n_vocab], the caller's; loading writes it */
    bool has_logits;
};

/* Writes the file: temporary file beside it, fsync, rename, fsync of the folder, mode 0600. Rows of
 * the last block behind n_read are wiped. On failure an older file is untouched and no temporary
 * one is left. */
bool kv_file_save(const char *path, struct kv *kv, const struct kv_file *f, struct err *err);

/* Reads it back into an empty cache of the same shape; blocks are mapped. On failure the cache is
 * empty; ids and logits are undefined.
 *
 * errors  ERR_IO, ERR_FORMAT (damaged, another model or version), ERR_LIMIT (n_ids > n_ctx). */
bool kv_file_load(const char *path, struct kv *kv, struct kv_file *f, struct err *err);

/* A number for a model: of its header's bytes and its file's size. */
uint64_t kv_file_fingerprint(const void *header, size_t header_bytes, uint64_t file_bytes);

#endif
