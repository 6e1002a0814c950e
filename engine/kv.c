/* kv.c -- see kv.h. */
#include "engine/kv.h"

#include <assert.h>
#include <string.h>

#include "engine/kv_exact.h"
#include "engine/kv_far.h"
#include "engine/kv_file.h"
#include "engine/kv_read.h"
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

/* Bytes of a block in rows. */
static size_t rows_bytes(const struct kv_shape *s)
{
    return (size_t)s->n_layer * 2 * (size_t)s->n_kv_head * head_bytes(s);
}

bool kv_init(struct kv *kv, const struct model *m, const struct kv_shape *shape, int n_ctx,
             struct err *err)
{
    assert(n_ctx > 0);
    size_t heads = (size_t)shape->n_layer * (size_t)shape->n_kv_head;
    *kv = (struct kv){
        .base = { .ops = &cache_dense },
        .model = m,
        .shape = *shape,
        .element_bytes = element_bytes(shape->type),
        .head_bytes = head_bytes(shape),
        .block_bytes = { [KV_ROWS] = rows_bytes(shape),
                         [KV_Q8] = heads * codec_q8_bytes(shape->head_dim),
                         [KV_Q4] = heads * codec_q4_bytes(shape->head_dim) },
        .index_bytes = heads * codec_index_bytes(shape->head_dim),
        .n_blocks_max = (n_ctx + KV_BLOCK - 1) / KV_BLOCK,
    };
    kv->blocks = mem_alloc_n((size_t)kv->n_blocks_max, sizeof *kv->blocks);
    return kv->blocks || err_set(err, ERR_NOMEM, "not enough memory for a context of %d tokens",
                                 n_ctx);
}

/* Before bytes of a block on the heap: how many caches share them. */
#define HEAD_BYTES 64

void *kv_take_bytes(size_t bytes, struct err *err)
{
    unsigned char *p = mem_alloc(HEAD_BYTES + bytes);
    if (!p) {
        err_set(err, ERR_NOMEM, "not enough memory: %zu bytes for %d more tokens", bytes,
                KV_BLOCK);
        return NULL;
    }
    atomic_init((atomic_int *)(void *)p, 1);
    return p + HEAD_BYTES;
}

static atomic_int *users(const unsigned char *data)
{
    return (atomic_int *)(void *)(data - HEAD_BYTES);
}

static void drop_bytes(unsigned char *data)
{
    if (data && atomic_fetch_sub(users(data), 1) == 1)
        mem_free(data - HEAD_BYTES);
}

void kv_drop_block(struct kv_block *b)
{
    if (b->owner == KV_HEAP)
        drop_bytes(b->data);
    else if (b->owner == KV_SPOOLED)
        spool_drop(b->spool, b->slot);
    drop_bytes(b->index);
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
        kv_drop_block(&kv->blocks[--kv->n_blocks]);
    if (kv->far.n_settled > n / KV_BLOCK)
        kv->far.n_settled = n / KV_BLOCK;
    if (kv->n_blocks == 0) {
        leave_mapping(kv);
        kv->base.shift = 0;
    }
}

void kv_release(struct kv *kv)
{
    if (kv->blocks)
        kv_cut(kv, 0);
    kv_far_release(kv);
    mem_free(kv->blocks);
    *kv = (struct kv){0};
}

bool kv_make_block(const struct kv *kv, enum kv_form form, struct kv_block *b, struct err *err)
{
    unsigned char *data = kv_take_bytes(kv->block_bytes[form], err);
    if (data)
        *b = (struct kv_block){ .owner = KV_HEAP, .form = form, .data = data };
    return data != NULL;
}

/* Makes a block this cache's own, to be written to. */
static bool own(const struct kv *kv, struct kv_block *b, struct err *err)
{
    struct kv_block old = *b;
    if (old.owner == KV_HEAP && !old.index && atomic_load(users(old.data)) == 1)
        return true;
    if (!kv_make_block(kv, old.form, b, err))
        return false;
    b->at = old.at;
    b->pinned = old.pinned;
    memcpy(b->data, old.data, kv->block_bytes[old.form]);
    kv_drop_block(&old);
    return true;
}

bool kv_reserve(struct kv *kv, int from, int to, struct err *err)
{
    assert(from <= to && (to + KV_BLOCK - 1) / KV_BLOCK <= kv->n_blocks_max);
    if (!kv_settle(kv, from / KV_BLOCK, err))
        return false;
    if (kv->far.reader)
        kv_reader_begin(kv->far.reader, to - from);
    for (int i = from / KV_BLOCK; i < kv->n_blocks && i * KV_BLOCK < to; i++) {
        if (!own(kv, &kv->blocks[i], err))
            return false;
    }
    for (; kv->n_blocks * KV_BLOCK < to; kv->n_blocks++) {
        struct kv_block *b = &kv->blocks[kv->n_blocks];
        if (!kv_make_block(kv, kv_form_written(kv), b, err))
            return false;
        b->at = kv->n_blocks * KV_BLOCK + kv->base.shift;
    }
    return true;
}

/* Bytes of one head's rows in a block that can be written to. */
static size_t bytes_of_head(const struct kv *kv, enum kv_form form)
{
    return form == KV_ROWS ? kv->head_bytes : codec_q8_bytes(kv->shape.head_dim);
}

/* Copies the rows from `row` on of all heads from one block to another. */
static void copy_rows(const struct kv *kv, const struct kv_block *from, struct kv_block *to,
                      int row)
{
    size_t head = bytes_of_head(kv, to->form), skip = head / KV_BLOCK * (size_t)row;
    for (size_t at = 0; at < kv->block_bytes[to->form]; at += head)
        memcpy(to->data + at + skip, from->data + at + skip, head - skip);
}

/* A block in the form that is written, and this cache's own. */
static bool writable(struct kv *kv, int i, struct err *err)
{
    return kv_recode(kv, i, kv_form_written(kv), err) && own(kv, &kv->blocks[i], err);
}

/* Two blocks become one: of the first the rows below `row`, of the last the others. */
static bool join(struct kv *kv, int first, int last, int row, struct err *err)
{
    if (!writable(kv, first, err) || !writable(kv, last, err))
        return false;
    kv_forget_place(kv, first);
    kv_forget_place(kv, last);
    copy_rows(kv, &kv->blocks[last], &kv->blocks[first], row);
    return true;
}

bool kv_drop(struct kv *kv, int from, int to, struct err *err)
{
    assert(from > 0 && from < to && (to - from) % KV_BLOCK == 0);
    int first = from / KV_BLOCK, last = to / KV_BLOCK, row = from % KV_BLOCK;
    kv->far.n_settled = 0;
    for (int i = 0; i < first; i++) {
        struct kv_block *b = &kv->blocks[i];
        if (!(b->pinned ? own(kv, b, err) : writable(kv, i, err)))
            return false;
    }
    if (row && !join(kv, first, last, row, err))
        return false;
    first += row > 0;
    last += row > 0;
    for (int i = first; i < last; i++)
        kv_drop_block(&kv->blocks[i]);
    memmove(kv->blocks + first, kv->blocks + last,
            (size_t)(kv->n_blocks - last) * sizeof *kv->blocks);
    kv->n_blocks -= last - first;
    return true;
}

static void share_block(const struct kv_block *b)
{
    if (b->owner == KV_HEAP)
        atomic_fetch_add(users(b->data), 1);
    else if (b->owner == KV_SPOOLED)
        spool_hold(b->spool, b->slot);
    if (b->index)
        atomic_fetch_add(users(b->index), 1);
}

void kv_share(const struct kv *kv, struct kv *to)
{
    assert(to->n_blocks == 0 && !to->mapping && to->n_blocks_max >= kv->n_blocks);
    for (int i = 0; i < kv->n_blocks; i++) {
        to->blocks[i] = kv->blocks[i];
        share_block(&kv->blocks[i]);
    }
    to->n_blocks = kv->n_blocks;
    to->far.n_settled = kv->far.n_settled;
    to->mapping = kv->mapping;
    if (to->mapping)
        atomic_fetch_add(&to->mapping->users, 1);
}

void kv_append_mapped(struct kv *kv, enum kv_form form, const unsigned char *data)
{
    assert(kv->n_blocks < kv->n_blocks_max);
    kv->blocks[kv->n_blocks] = (struct kv_block){
        .owner = KV_MAPPED, .form = form, .data = (unsigned char *)data,
        .at = kv->n_blocks * KV_BLOCK };
    kv->n_blocks++;
}

static unsigned char *head_rows(const struct kv *kv, int layer, int block, int head, int value)
{
    assert(block < kv->n_blocks && head < kv->shape.n_kv_head);
    assert(kv->blocks[block].form == KV_ROWS);
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

static size_t head_number(const struct kv *kv, int layer, int head)
{
    return (size_t)layer * (size_t)kv->shape.n_kv_head + (size_t)head;
}

void *kv_head(const struct kv *kv, int layer, int block, int head)
{
    const struct kv_block *b = &kv->blocks[block];
    assert(block < kv->n_blocks && head < kv->shape.n_kv_head && b->form != KV_ROWS);
    int dim = kv->shape.head_dim;
    size_t each = b->form == KV_Q8 ? codec_q8_bytes(dim) : codec_q4_bytes(dim);
    return b->data + head_number(kv, layer, head) * each;
}

void kv_wipe_tail(struct kv *kv, int n)
{
    int used = n % KV_BLOCK;
    if (used == 0)
        return;
    struct kv_block *b = &kv->blocks[n / KV_BLOCK];
    assert(b->owner == KV_HEAP && b->form != KV_Q4 && atomic_load(users(b->data)) == 1);
    size_t head = bytes_of_head(kv, b->form);
    size_t used_bytes = head / KV_BLOCK * (size_t)used;
    for (size_t at = 0; at < kv->block_bytes[b->form]; at += head)
        memset(b->data + at + used_bytes, 0, head - used_bytes);
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
    uint64_t each = HEAD_BYTES + rows_bytes(&shape) + sizeof(struct kv_block);
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
    if (!kv_init(kv, m, &shape, o->n_ctx, err)) {
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
    if (!kv_init(to, kv->model, &kv->shape, kv->n_blocks_max * KV_BLOCK, err)) {
        mem_free(to);
        return NULL;
    }
    if (!kv_far_inherit(to, kv, err)) {
        dense_destroy(&to->base);
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
    const struct kv *kv = (const struct kv *)c;
    int block = n / KV_BLOCK;
    *logits = false;
    bool inside = n % KV_BLOCK != 0 && kv->blocks[block].form == KV_Q4;
    return inside ? block * KV_BLOCK : n;
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
    struct far_stats far;
    kv_far_stats((const struct kv *)c, 0, &far);
    return far.memory_bytes;
}

static int dense_pass(const struct cache *c, int from)
{
    return kv_pass((const struct kv *)c, from);
}

static bool dense_set_far(struct cache *c, const struct far_opts *o, int n, int n_threads,
                          struct err *err)
{
    return kv_far_set(kv_of(c), o, n, n_threads, err);
}

static void dense_set_index(struct cache *c, bool on)
{
    kv_of(c)->far.use_index = on;
}

static void dense_set_rows(struct cache *c, int n)
{
    kv_of(c)->far.n_chosen = n < 1 ? 0 : n < SESSION_ROWS_MAX ? n : SESSION_ROWS_MAX;
}

static uint64_t dense_resident(const struct cache *c)
{
    return kv_far_resident((const struct kv *)c);
}

static void dense_far_stats(const struct cache *c, int n, struct far_stats *out)
{
    kv_far_stats((const struct kv *)c, n, out);
}

static bool dense_exact_begin(struct cache *c, int pos, int n, int *from, int *to,
                              struct err *err)
{
    return kv_exact_begin(kv_of(c), pos, n, from, to, err);
}

static void dense_exact_end(struct cache *c, int from, bool keep)
{
    kv_exact_end(kv_of(c), from, keep);
}

static int dense_exact_stretch(const struct cache *c, int from, int n, bool *exact)
{
    return kv_exact_stretch((const struct kv *)c, from, n, exact);
}

/* ---- files --------------------------------------------------------------------------------- */

/* One block as it lies in memory, by its form, as many as are read, and whether it stays in rows;
 * behind a block its index, if it has one; at the end, where tokens were taken out, i32 each of
 * kv_block.at. Another way of coding gets another number. */
enum { SECTION_ROWS = KV_FILE_OWN, SECTION_Q4 = KV_FILE_OWN + 2, SECTION_INDEX, SECTION_PLACES,
       SECTION_PINNED, SECTION_Q8 };
static const uint32_t section_of[] = { [KV_ROWS] = SECTION_ROWS, [KV_Q8] = SECTION_Q8,
                                       [KV_Q4] = SECTION_Q4 };

static void set_shape(const struct kv *kv, struct kv_file *f)
{
    const struct kv_shape *s = &kv->shape;
    f->shape = (struct kv_file_shape){ s->n_layer, s->n_kv_head, s->head_dim, s->type, KV_BLOCK };
    f->shift = kv->base.shift;
}

/* Lists n blocks. Returns the number of sections. */
static int list_blocks(const struct kv *kv, int n, struct kv_section *s)
{
    int n_sections = 0;
    for (int i = 0; i < n; i++) {
        const struct kv_block *b = &kv->blocks[i];
        uint32_t type = b->pinned ? SECTION_PINNED : section_of[b->form];
        s[n_sections++] = (struct kv_section){ type, b->data, kv->block_bytes[b->form] };
        if (b->index)
            s[n_sections++] = (struct kv_section){ SECTION_INDEX, b->index, kv->index_bytes };
    }
    return n_sections;
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
    struct kv_section *s = mem_alloc_n(2 * (size_t)n + 1, sizeof *s);
    int32_t *at = mem_alloc_n((size_t)n + 1, sizeof *at);
    bool ok = s && at;
    if (ok) {
        int n_sections = list_blocks(kv, n, s);
        for (int i = 0; i < n; i++)
            at[i] = kv->blocks[i].at;
        if (kv->base.shift > 0)
            s[n_sections++] = (struct kv_section){ SECTION_PLACES, at, (size_t)n * sizeof *at };
        ok = kv_file_save(path, &f, s, n_sections, err);
    } else {
        err_set(err, ERR_NOMEM, "not enough memory to write '%s'", path);
    }
    mem_free(s);
    mem_free(at);
    return ok;
}

/* Loading: the cache, and whether memory ran out. */
struct taking {
    struct kv *kv;
    bool no_memory;
};

/* The index belongs to the block before it, and is copied: it is what must be in memory. */
static bool take_index(struct taking *t, const struct kv_section *s)
{
    struct err err;
    struct kv *kv = t->kv;
    struct kv_block *b = kv->n_blocks > 0 ? &kv->blocks[kv->n_blocks - 1] : NULL;
    if (!b || (b->form != KV_Q8 && !b->pinned) || b->index || s->bytes != kv->index_bytes)
        return false;
    b->index = kv_take_bytes(s->bytes, &err);
    t->no_memory = !b->index;
    if (b->index)
        memcpy(b->index, s->data, s->bytes);
    return b->index != NULL;
}

static bool take_places(struct kv *kv, const struct kv_section *s)
{
    const int32_t *at = s->data;
    if (s->bytes != (uint64_t)kv->n_blocks * sizeof *at)
        return false;
    for (int i = 0; i < kv->n_blocks; i++) {
        if (at[i] < -1 || (at[i] > 0 && at[i] % KV_BLOCK != 0))
            return false;
        kv->blocks[i].at = at[i];
    }
    return true;
}

static bool take_block(void *data, const struct kv_file *f, const struct kv_section *s)
{
    struct taking *t = data;
    struct kv *kv = t->kv;
    if (s->type == SECTION_INDEX)
        return take_index(t, s);
    if (s->type == SECTION_PLACES)
        return take_places(kv, s);
    bool pinned = s->type == SECTION_PINNED;
    int form = KV_ROWS;
    while (!pinned && form < KV_N_FORMS && section_of[form] != s->type)
        form++;
    if (form >= KV_N_FORMS || s->bytes != kv->block_bytes[form] ||
        (form != KV_ROWS && !codec_fits(kv->shape.head_dim)) ||
        kv->n_blocks >= (f->n_read + KV_BLOCK - 1) / KV_BLOCK)
        return false;
    kv_append_mapped(kv, (enum kv_form)form, s->data);
    kv->blocks[kv->n_blocks - 1].pinned = pinned;
    return true;
}

static bool dense_load(struct cache *c, const char *path, struct kv_file *f, struct err *err)
{
    struct kv *kv = kv_of(c);
    struct taking t = { .kv = kv };
    assert(kv->n_blocks == 0 && !kv->mapping);
    set_shape(kv, f);
    kv->mapping = mem_alloc(sizeof *kv->mapping);
    if (!kv->mapping)
        return err_set(err, ERR_NOMEM, "not enough memory to read '%s'", path);
    atomic_init(&kv->mapping->users, 1);
    if (kv_file_load(&kv->mapping->file, path, f, take_block, &t, err)) {
        kv->base.shift = f->shift;
        bool whole = kv->n_blocks == (f->n_read + KV_BLOCK - 1) / KV_BLOCK;
        if (whole && kv_far_convert(kv, f->n_read, err))
            return true;
        if (!whole)
            err_set(err, ERR_FORMAT, "%s: damaged: blocks are missing", path);
    }
    if (t.no_memory)
        err_set(err, ERR_NOMEM, "not enough memory to read '%s'", path);
    kv_cut(kv, 0);
    return false;
}

const struct cache_ops cache_dense = {
    dense_bytes, dense_create, dense_destroy, dense_reserve, dense_border,
    dense_cut, dense_mark, dense_fork, dense_drop_from, dense_drop, dense_used, dense_save,
    dense_load, true,
    dense_pass, dense_set_far, dense_set_index, dense_set_rows, dense_far_stats,
    dense_resident,
    dense_exact_begin, dense_exact_end, dense_exact_stretch,
};
