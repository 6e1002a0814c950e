/* kv.c -- see kv.h. */
#include "engine/kv.h"

#include <assert.h>
#include <string.h>

#include "engine/kv_file.h"
#include "engine/mem.h"
#include "engine/model.h"

static size_t element_bytes(enum kv_type type)
{
    return type == KV_F32 ? sizeof(float) : sizeof(uint16_t);
}

static size_t head_bytes(const struct kv_shape *s)
{
    return KV_BLOCK * (size_t)s->head_dim * element_bytes(s->type);
}

size_t kv_block_bytes(const struct kv_shape *s)
{
    return (size_t)s->n_layer * 2 * (size_t)s->n_kv_head * head_bytes(s);
}

bool kv_init(struct kv *kv, const struct kv_shape *shape, int n_ctx, struct err *err)
{
    assert(n_ctx > 0);
    *kv = (struct kv){
        .base = { &cache_dense },
        .shape = *shape,
        .element_bytes = element_bytes(shape->type),
        .head_bytes = head_bytes(shape),
        .block_bytes = kv_block_bytes(shape),
        .n_blocks_max = (n_ctx + KV_BLOCK - 1) / KV_BLOCK,
    };
    kv->blocks = mem_alloc_n((size_t)kv->n_blocks_max, sizeof *kv->blocks);
    return kv->blocks || err_set(err, ERR_NOMEM, "not enough memory for a context of %d tokens",
                                 n_ctx);
}

/* Before the rows of a block on the heap: how many caches share it. */
#define HEAD_BYTES 64

static atomic_int *users(const struct kv_block *b)
{
    return (atomic_int *)(void *)(b->data - HEAD_BYTES);
}

static void drop(struct kv_block *b)
{
    if (b->owner == KV_HEAP && atomic_fetch_sub(users(b), 1) == 1)
        mem_free(b->data - HEAD_BYTES);
    *b = (struct kv_block){0};
}

static void leave_mapping(struct kv *kv)
{
    struct kv_mapping *m = kv->mapping;
    if (m && atomic_fetch_sub(&m->users, 1) == 1) {
        mapfile_close(&m->file);
        mem_free(m);
    }
    kv->mapping = NULL;
}

void kv_cut(struct kv *kv, int n)
{
    int keep = (n + KV_BLOCK - 1) / KV_BLOCK;
    while (kv->n_blocks > keep)
        drop(&kv->blocks[--kv->n_blocks]);
    if (kv->n_blocks == 0) {
        leave_mapping(kv);
        kv->base.shift = 0;
    }
}

void kv_release(struct kv *kv)
{
    if (kv->blocks)
        kv_cut(kv, 0);
    mem_free(kv->blocks);
    *kv = (struct kv){0};
}

/* A new block on the heap; a copy of `from` where that is not NULL. */
static bool make_block(const struct kv *kv, struct kv_block *b, const unsigned char *from,
                       struct err *err)
{
    unsigned char *data = mem_alloc(HEAD_BYTES + kv->block_bytes);
    if (!data)
        return err_set(err, ERR_NOMEM, "not enough memory: %zu bytes for %d more tokens",
                       kv->block_bytes, KV_BLOCK);
    if (from)
        memcpy(data + HEAD_BYTES, from, kv->block_bytes);
    *b = (struct kv_block){ KV_HEAP, data + HEAD_BYTES };
    atomic_init(users(b), 1);
    return true;
}

/* Makes a block this cache's own. */
static bool own(const struct kv *kv, struct kv_block *b, struct err *err)
{
    struct kv_block old = *b;
    if (old.owner == KV_HEAP && atomic_load(users(&old)) == 1)
        return true;
    if (!make_block(kv, b, old.data, err))
        return false;
    drop(&old);
    return true;
}

bool kv_reserve(struct kv *kv, int from, int to, struct err *err)
{
    assert(from <= to && (to + KV_BLOCK - 1) / KV_BLOCK <= kv->n_blocks_max);
    for (int i = from / KV_BLOCK; i < kv->n_blocks && i * KV_BLOCK < to; i++) {
        if (!own(kv, &kv->blocks[i], err))
            return false;
    }
    for (; kv->n_blocks * KV_BLOCK < to; kv->n_blocks++)
        if (!make_block(kv, &kv->blocks[kv->n_blocks], NULL, err))
            return false;
    return true;
}

/* Copies the rows from `row` on of all heads from one block to another. */
static void copy_rows(const struct kv *kv, const unsigned char *from, unsigned char *to, int row)
{
    size_t skip = kv->head_bytes / KV_BLOCK * (size_t)row;
    for (size_t at = 0; at < kv->block_bytes; at += kv->head_bytes)
        memcpy(to + at + skip, from + at + skip, kv->head_bytes - skip);
}

bool kv_drop(struct kv *kv, int from, int to, struct err *err)
{
    assert(from > 0 && from < to && (to - from) % KV_BLOCK == 0);
    int first = from / KV_BLOCK, last = to / KV_BLOCK, row = from % KV_BLOCK;
    if (!kv_reserve(kv, 0, from, err))
        return false;
    if (row)
        copy_rows(kv, kv->blocks[last++].data, kv->blocks[first++].data, row);
    for (int i = first; i < last; i++)
        drop(&kv->blocks[i]);
    memmove(kv->blocks + first, kv->blocks + last,
            (size_t)(kv->n_blocks - last) * sizeof *kv->blocks);
    kv->n_blocks -= last - first;
    return true;
}

void kv_share(const struct kv *kv, struct kv *to)
{
    assert(to->n_blocks == 0 && !to->mapping && to->n_blocks_max >= kv->n_blocks);
    for (int i = 0; i < kv->n_blocks; i++) {
        to->blocks[i] = kv->blocks[i];
        if (kv->blocks[i].owner == KV_HEAP)
            atomic_fetch_add(users(&kv->blocks[i]), 1);
    }
    to->n_blocks = kv->n_blocks;
    to->mapping = kv->mapping;
    if (to->mapping)
        atomic_fetch_add(&to->mapping->users, 1);
}

void kv_append_mapped(struct kv *kv, const unsigned char *data)
{
    assert(kv->n_blocks < kv->n_blocks_max);
    kv->blocks[kv->n_blocks++] = (struct kv_block){ KV_MAPPED, (unsigned char *)data };
}

static unsigned char *head_rows(const struct kv *kv, int layer, int block, int head, int value)
{
    assert(block < kv->n_blocks && head < kv->shape.n_kv_head);
    size_t i = ((size_t)layer * 2 + (size_t)value) * (size_t)kv->shape.n_kv_head + (size_t)head;
    return kv->blocks[block].data + i * kv->head_bytes;
}

void *kv_keys(const struct kv *kv, int layer, int block, int head)
{
    return head_rows(kv, layer, block, head, 0);
}

void *kv_values(const struct kv *kv, int layer, int block, int head)
{
    return head_rows(kv, layer, block, head, 1);
}

void kv_wipe_tail(struct kv *kv, int n)
{
    int used = n % KV_BLOCK;
    if (used == 0)
        return;
    struct kv_block *b = &kv->blocks[n / KV_BLOCK];
    assert(b->owner == KV_HEAP && atomic_load(users(b)) == 1);
    size_t used_bytes = kv->head_bytes / KV_BLOCK * (size_t)used;
    for (size_t at = 0; at < kv->block_bytes; at += kv->head_bytes)
        memset(b->data + at + used_bytes, 0, kv->head_bytes - used_bytes);
}

/* ---- the interface ------------------------------------------------------------------------- */

struct kv *kv_of(struct cache *c)
{
    assert(c->ops == &cache_dense);
    return (struct kv *)c;
}

static struct kv_shape shape_of(const struct model *m, const struct cache_opts *o)
{
    return (struct kv_shape){ m->n_layer, m->n_kv_head, m->head_dim, o->type };
}

static uint64_t dense_bytes(const struct model *m, const struct cache_opts *o)
{
    struct kv_shape shape = shape_of(m, o);
    uint64_t n_blocks = ((uint64_t)o->n_ctx + KV_BLOCK - 1) / KV_BLOCK;
    uint64_t each = HEAD_BYTES + kv_block_bytes(&shape) + sizeof(struct kv_block);
    return sizeof(struct kv) + n_blocks * each;
}

static void dense_destroy(struct cache *c)
{
    if (!c)
        return;
    kv_release(kv_of(c));
    mem_free(c);
}

static struct cache *dense_create(const struct model *m, const struct cache_opts *o,
                                  struct err *err)
{
    struct kv_shape shape = shape_of(m, o);
    struct kv *kv = mem_alloc(sizeof *kv);
    if (!kv) {
        err_set(err, ERR_NOMEM, "not enough memory for a context of %d tokens", o->n_ctx);
        return NULL;
    }
    if (!kv_init(kv, &shape, o->n_ctx, err)) {
        mem_free(kv);
        return NULL;
    }
    return &kv->base;
}

static struct cache *dense_fork(const struct cache *c, struct err *err)
{
    const struct kv *kv = (const struct kv *)c;
    struct kv *to = mem_alloc(sizeof *to);
    if (!to) {
        err_set(err, ERR_NOMEM, "not enough memory for a fork");
        return NULL;
    }
    if (!kv_init(to, &kv->shape, kv->n_blocks_max * KV_BLOCK, err)) {
        mem_free(to);
        return NULL;
    }
    kv_share(kv, to);
    to->base.shift = kv->base.shift;
    return &to->base;
}

static bool dense_reserve(struct cache *c, int from, int to, struct err *err)
{
    return kv_reserve(kv_of(c), from, to, err);
}

static int dense_border(const struct cache *c, int n, bool *logits)
{
    (void)c;
    *logits = false;
    return n;
}

static bool dense_cut(struct cache *c, int n, float *logits)
{
    (void)logits;
    kv_cut(kv_of(c), n);
    return false;
}

static void dense_mark(struct cache *c, int n, const float *logits)
{
    (void)c, (void)n, (void)logits;
}

static int dense_drop_from(const struct cache *c, int from, int to)
{
    (void)c;
    int at = from < 1 ? 1 : from;
    at += (to - at) % KV_BLOCK;
    return to - at >= KV_BLOCK ? at : -1;
}

static bool dense_drop(struct cache *c, int from, int to, int n, struct err *err)
{
    (void)n;
    return kv_drop(kv_of(c), from, to, err);
}

static uint64_t dense_used(const struct cache *c)
{
    const struct kv *kv = (const struct kv *)c;
    return (uint64_t)kv->n_blocks * kv->block_bytes;
}

/* ---- files --------------------------------------------------------------------------------- */

enum { SECTION_BLOCK = KV_FILE_OWN };  /* one block as it lies in memory; as many as are read */

static void set_shape(const struct kv *kv, struct kv_file *f)
{
    const struct kv_shape *s = &kv->shape;
    f->shape = (struct kv_file_shape){ s->n_layer, s->n_kv_head, s->head_dim, s->type, KV_BLOCK };
    f->shift = kv->base.shift;
}

static bool dense_save(struct cache *c, const char *path, const struct kv_file *file,
                       struct err *err)
{
    struct kv *kv = kv_of(c);
    struct kv_file f = *file;
    set_shape(kv, &f);
    if (!kv_reserve(kv, f.n_read, f.n_read, err))
        return false;
    kv_wipe_tail(kv, f.n_read);
    int n = (f.n_read + KV_BLOCK - 1) / KV_BLOCK;
    struct kv_section *s = mem_alloc_n((size_t)n + 1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "not enough memory to write '%s'", path);
    for (int i = 0; i < n; i++)
        s[i] = (struct kv_section){ SECTION_BLOCK, kv->blocks[i].data, kv->block_bytes };
    bool ok = kv_file_save(path, &f, s, n, err);
    mem_free(s);
    return ok;
}

static bool take_block(void *cache, const struct kv_file *f, const struct kv_section *s)
{
    struct kv *kv = cache;
    if (s->type != SECTION_BLOCK || s->bytes != kv->block_bytes ||
        kv->n_blocks >= (f->n_read + KV_BLOCK - 1) / KV_BLOCK)
        return false;
    kv_append_mapped(kv, s->data);
    return true;
}

static bool dense_load(struct cache *c, const char *path, struct kv_file *f, struct err *err)
{
    struct kv *kv = kv_of(c);
    assert(kv->n_blocks == 0 && !kv->mapping);
    set_shape(kv, f);
    kv->mapping = mem_alloc(sizeof *kv->mapping);
    if (!kv->mapping)
        return err_set(err, ERR_NOMEM, "not enough memory to read '%s'", path);
    atomic_init(&kv->mapping->users, 1);
    if (kv_file_load(&kv->mapping->file, path, f, take_block, kv, err)) {
        kv->base.shift = f->shift;
        if (kv->n_blocks == (f->n_read + KV_BLOCK - 1) / KV_BLOCK)
            return true;
        err_set(err, ERR_FORMAT, "%s: damaged: blocks are missing", path);
    }
    kv_cut(kv, 0);
    return false;
}

const struct cache_ops cache_dense = {
    dense_bytes, dense_create, dense_destroy, dense_reserve, dense_border,
    dense_cut, dense_mark, dense_fork, dense_drop_from, dense_drop, dense_used, dense_save,
    dense_load, true,
};
