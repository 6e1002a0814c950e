/* kv_far.c -- see kv_far.h. */
#include "engine/kv_far.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/kv_bias.h"
#include "engine/kv_read.h"
#include "engine/mem.h"
#include "engine/model.h"
#include "engine/quant.h"

/* ---- one head of a block ------------------------------------------------------------------- */

static void f32_rows(const struct kv *kv, const void *rows, float *out)
{
    size_t n = KV_BLOCK * (size_t)kv->shape.head_dim;
    if (kv->shape.type == KV_F32) {
        memcpy(out, rows, n * sizeof *out);
        return;
    }
    const uint16_t *x = rows;
    for (size_t i = 0; i < n; i++)
        out[i] = f32_of_f16(x[i]);
}

static void rows_of_f32(const struct kv *kv, const float *x, void *rows)
{
    size_t n = KV_BLOCK * (size_t)kv->shape.head_dim;
    if (kv->shape.type == KV_F32) {
        memcpy(rows, x, n * sizeof *x);
        return;
    }
    uint16_t *out = rows;
    for (size_t i = 0; i < n; i++)
        out[i] = f16_of_f32(x[i]);
}

static void decode_q4(const struct kernels *k, const void *head, int dim, bool value, float *out)
{
    float mean[CODEC_DIM_MAX];
    k->rows_q8(codec_q4_mean(head, dim, value), 0, 1, (size_t)dim, mean);
    k->rows_q4(codec_q4_rows(head, dim, value), codec_q4_stride(dim), KV_BLOCK, (size_t)dim, out);
    for (int t = 0; t < KV_BLOCK; t++, out += dim) {
        codec_turn(out, dim);
        k->add(out, mean, (size_t)dim);
    }
}

void kv_decode(const struct kv *kv, const struct kernels *k, int layer, int block, int head, int n,
               float *keys, float *values)
{
    const void *h = kv_head(kv, layer, block, head);
    int dim = kv->shape.head_dim;
    size_t stride = 2 * codec_q8_row(dim);
    if (kv->blocks[block].form == KV_Q4) {
        n = KV_BLOCK;
        decode_q4(k, h, dim, false, keys);
        decode_q4(k, h, dim, true, values);
    } else {
        k->rows_q8(codec_q8_key(h, 0, dim), stride, n, (size_t)dim, keys);
        k->rows_q8(codec_q8_value(h, 0, dim), stride, n, (size_t)dim, values);
    }
    kv_bias_add(kv->far.bias, layer, head, kv->blocks[block].at, 0, n, keys, 1);
}

/* Keys and values of a head to far.scratch. */
static void decode(struct kv *kv, int layer, int block, int head)
{
    int dim = kv->shape.head_dim;
    float *keys = kv->far.scratch, *values = keys + KV_BLOCK * dim;
    if (kv->blocks[block].form == KV_ROWS) {
        f32_rows(kv, kv_keys(kv, layer, block, head), keys);
        f32_rows(kv, kv_values(kv, layer, block, head), values);
        return;
    }
    struct kernels plain;
    kernels_init(&plain, 0);
    kv_decode(kv, &plain, layer, block, head, KV_BLOCK, keys, values);
}

/* Writes far.scratch as a head of block b, which has the form to write. */
static void encode(struct kv *kv, int layer, int block, int head)
{
    int dim = kv->shape.head_dim;
    float *keys = kv->far.scratch, *values = keys + KV_BLOCK * dim;
    if (kv->blocks[block].form == KV_ROWS) {
        rows_of_f32(kv, keys, kv_keys(kv, layer, block, head));
        rows_of_f32(kv, values, kv_values(kv, layer, block, head));
        return;
    }
    void *h = kv_head(kv, layer, block, head);
    kv_bias_add(kv->far.bias, layer, head, kv->blocks[block].at, 0, KV_BLOCK, keys, -1);
    if (kv->blocks[block].form == KV_Q4) {
        codec_q4(keys, values, dim, h);
        return;
    }
    for (int t = 0; t < KV_BLOCK; t++) {
        codec_q8(keys + t * dim, dim, codec_q8_key(h, t, dim));
        codec_q8(values + t * dim, dim, codec_q8_value(h, t, dim));
    }
}

/* ---- one block ----------------------------------------------------------------------------- */

/* What changing the form of a block needs: by a tier, or by a file of another one. */
static bool take_coding(struct kv *kv, struct err *err)
{
    struct kv_far *f = &kv->far;
    size_t floats = 2 * KV_BLOCK * (size_t)kv->shape.head_dim;
    if (!f->scratch)
        f->scratch = mem_alloc_n(floats, sizeof *f->scratch);
    if (!f->scratch)
        return err_set(err, ERR_NOMEM, "not enough memory for the far context");
    return f->bias || kv_bias_new(&f->bias, kv->model, kv->n_blocks_max * KV_BLOCK, err);
}

/* A block anew, in another form, on the heap. */
bool kv_recode(struct kv *kv, int block, enum kv_form form, struct err *err)
{
    struct kv_block *b = &kv->blocks[block], old = *b, new;
    if (old.form == form)
        return true;
    if (!take_coding(kv, err) || !kv_make_block(kv, form, &new, err))
        return false;
    new.at = old.at;
    for (int l = 0; l < kv->shape.n_layer; l++)
        for (int h = 0; h < kv->shape.n_kv_head; h++) {
            *b = old;
            decode(kv, l, block, h);
            *b = new;
            encode(kv, l, block, h);
        }
    kv_drop_block(&old);
    return true;
}

float *kv_take_head(struct kv *kv, int layer, int block, int head)
{
    decode(kv, layer, block, head);
    return kv->far.scratch;
}

void kv_put_head(struct kv *kv, int layer, int block, int head, int at)
{
    struct kv_block *b = &kv->blocks[block];
    int old = b->at;
    b->at = at;
    encode(kv, layer, block, head);
    b->at = old;
}

void kv_forget_place(struct kv *kv, int block)
{
    struct kv_block *b = &kv->blocks[block];
    bool bare = kv->far.bias && b->form != KV_ROWS && b->at >= 0;
    for (int l = 0; bare && l < kv->shape.n_layer; l++)
        for (int h = 0; h < kv->shape.n_kv_head; h++) {
            kv_take_head(kv, l, block, h);
            kv_put_head(kv, l, block, h, -1);
        }
    b->at = -1;
}

static bool make_index(struct kv *kv, int block, struct err *err)
{
    int dim = kv->shape.head_dim;
    float *keys = kv->far.scratch, *values = keys + KV_BLOCK * dim;
    unsigned char *at = kv_take_bytes(kv->index_bytes, err);
    if (!at)
        return false;
    kv->blocks[block].index = at;
    for (int l = 0; l < kv->shape.n_layer; l++)
        for (int h = 0; h < kv->shape.n_kv_head; h++, at += codec_index_bytes(dim)) {
            decode(kv, l, block, h);
            kv_bias_add(kv->far.bias, l, h, kv->blocks[block].at, 0, KV_BLOCK, keys, -1);
            codec_index(keys, values, dim, at);
        }
    return true;
}

/* The rows of a block to the spool. */
static bool spool_block(struct kv *kv, struct kv_block *b, struct err *err)
{
    struct kv_far *f = &kv->far;
    if (b->owner != KV_HEAP)
        return true;
    if (!f->folder[0])
        return err_set(err, ERR_IO, "there is no folder for a file of keys and values");
    if (!f->spool && !spool_new(&f->spool, f->folder, kv->block_bytes[KV_Q8], err))
        return false;
    int slot = spool_put(f->spool, b->data, err);
    if (slot < 0)
        return false;
    struct kv_block heap = { .owner = KV_HEAP, .form = b->form, .data = b->data };
    *b = (struct kv_block){ .owner = KV_SPOOLED, .form = b->form, .spool = f->spool,
                            .slot = slot, .at = b->at,
                            .data = (unsigned char *)spool_at(f->spool, slot),
                            .index = b->index };
    kv_drop_block(&heap);
    return true;
}

/* Drops the index of a block, whose rows then are what is read: those of the spool go to the
 * heap. */
static bool drop_index(struct kv *kv, struct kv_block *b, struct err *err)
{
    struct kv_block rows = { .owner = b->owner, .form = b->form, .data = b->data,
                             .at = b->at, .pinned = b->pinned };
    if (b->owner == KV_SPOOLED) {
        if (!kv_make_block(kv, b->form, &rows, err))
            return false;
        rows.at = b->at;
        memcpy(rows.data, b->data, kv->block_bytes[b->form]);
    } else {
        b->owner = KV_NONE;  /* its rows stay */
    }
    kv_drop_block(b);
    *b = rows;
    return true;
}

/* ---- all blocks ---------------------------------------------------------------------------- */

enum kv_form kv_form_written(const struct kv *kv)
{
    return kv->far.tier == KV_TIER_EXACT ? KV_ROWS : KV_Q8;
}

int kv_pass(const struct kv *kv, int from)
{
    int left = KV_BLOCK - from % KV_BLOCK;
    if (kv->far.tier == KV_TIER_FLASH && kv->far.use_index) {
        int start = kv_index_from() - from;
        return start > 0 && start < left + KV_BLOCK ? start : left + KV_BLOCK;
    }
    return kv->far.tier == KV_TIER_Q4 ? left : INT_MAX;
}

/* A full block to what the tier has far back. */
static bool settle_block(struct kv *kv, int i, struct err *err)
{
    struct kv_block *b = &kv->blocks[i];
    if (kv->far.tier == KV_TIER_Q4)
        return i == 0 || b->pinned || kv_recode(kv, i, KV_Q4, err);
    if (kv->far.tier != KV_TIER_FLASH)
        return true;
    if (!b->index && !make_index(kv, i, err))
        return false;
    if (b->pinned)
        return true;
    struct err why;
    if (spool_block(kv, b, &why))
        return true;
    kv->far.tier = KV_TIER_Q4;
    snprintf(kv->far.why, sizeof kv->far.why, "%s", why.msg);
    return drop_index(kv, b, err);
}

bool kv_settle(struct kv *kv, int n_full, struct err *err)
{
    struct kv_far *f = &kv->far;
    while (f->n_settled < n_full - (f->tier == KV_TIER_Q4)) {
        enum kv_tier tier = f->tier;
        if (!settle_block(kv, f->n_settled, err))
            return false;
        f->n_settled += f->tier == tier;  /* else once more, the other way */
    }
    return true;
}

bool kv_far_convert(struct kv *kv, int n, struct err *err)
{
    struct kv_far *f = &kv->far;
    enum kv_form form = kv_form_written(kv);
    for (int i = 0; i < kv->n_blocks; i++) {
        struct kv_block *b = &kv->blocks[i];
        b->pinned = b->pinned && f->tier != KV_TIER_EXACT;
        bool stays = b->form == form || b->pinned || (f->tier == KV_TIER_Q4 && b->form == KV_Q4);
        if (!stays && !kv_recode(kv, i, form, err))
            return false;
        if (b->index && f->tier != KV_TIER_FLASH && !drop_index(kv, b, err))
            return false;
    }
    f->n_settled = 0;
    return kv_settle(kv, n / KV_BLOCK, err);
}

/* What is needed as soon as there are coded blocks. */
static bool take_reader(struct kv *kv, int n_threads, struct err *err)
{
    struct kv_far *f = &kv->far;
    return take_coding(kv, err) && (f->reader || kv_reader_new(&f->reader, kv, n_threads, err));
}

bool kv_far_set(struct kv *kv, const struct far_opts *o, int n, int n_threads, struct err *err)
{
    struct kv_far *f = &kv->far;
    const char *folder = o->folder ? o->folder : "";
    int group = kv->model->n_head / kv->shape.n_kv_head;
    if (o->tier != KV_TIER_EXACT && (!codec_fits(kv->shape.head_dim) || group > KV_GROUP_MAX))
        return err_set(err, ERR_UNSUPPORTED, "%d keys of %d values have one form only",
                       kv->shape.n_kv_head, kv->shape.head_dim);
    if (strlen(folder) >= sizeof f->folder)
        return err_set(err, ERR_INPUT, "path too long: '%.100s...'", folder);
    if (o->tier != KV_TIER_EXACT && !take_reader(kv, n_threads, err))
        return false;
    if (o->folder != f->folder)
        snprintf(f->folder, sizeof f->folder, "%s", folder);
    f->tier = o->tier;
    f->why[0] = 0;
    if (f->reader)
        kv_reader_begin(f->reader, 1);  /* what was read before was read otherwise */
    return kv_far_convert(kv, n, err);
}

bool kv_far_inherit(struct kv *kv, const struct kv *from, struct err *err)
{
    struct far_opts o = { from->far.tier, from->far.folder };
    kv->far.use_index = from->far.use_index;
    kv->far.n_chosen = from->far.n_chosen;
    if (!from->far.reader)
        return true;
    if (!take_reader(kv, kv_reader_threads(from->far.reader), err) ||
        !kv_far_set(kv, &o, 0, 0, err))
        return false;
    memcpy(kv->far.why, from->far.why, sizeof kv->far.why);
    return true;
}

void kv_far_release(struct kv *kv)
{
    kv_reader_free(kv->far.reader);
    kv_bias_free(kv->far.bias);
    spool_leave(kv->far.spool);
    mem_free(kv->far.scratch);
}

/* ---- counting ------------------------------------------------------------------------------ */

/* The rows of a block with an index that lie in a file are not in memory; those without one must
 * be there for every token. */
static void count_block(const struct kv *kv, const struct kv_block *b, struct far_stats *out)
{
    uint64_t rows = kv->block_bytes[b->form];
    out->memory_bytes += sizeof *b + (b->index ? kv->index_bytes : 0);
    if (b->index && b->owner != KV_HEAP)
        out->disk_bytes += rows;
    else
        out->memory_bytes += rows;
}

/* Pages of [data, data + bytes) that are in memory, in bytes of the range. */
static uint64_t resident_bytes(const unsigned char *data, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (size_t)((uintptr_t)data % page);
    unsigned char is_there[1024];
    uint64_t sum = 0;
    for (size_t at = 0; at < before + bytes; at += sizeof is_there * page) {
        size_t left = before + bytes - at, n = (left + page - 1) / page;
        n = n < sizeof is_there ? n : sizeof is_there;
        if (mincore((void *)(data - before + at), n * page, is_there) != 0)
            return 0;
        for (size_t i = 0; i < n; i++)
            sum += is_there[i] & 1 ? page : 0;
    }
    return sum < bytes ? sum : bytes;
}

uint64_t kv_far_resident(const struct kv *kv)
{
    uint64_t sum = 0;
    for (int i = 0; i < kv->n_blocks; i++) {
        const struct kv_block *b = &kv->blocks[i];
        if (b->owner == KV_MAPPED || b->owner == KV_SPOOLED)
            sum += resident_bytes(b->data, kv->block_bytes[b->form]);
    }
    return sum;
}

void kv_far_stats(const struct kv *kv, int n, struct far_stats *out)
{
    *out = (struct far_stats){ .tier = kv->far.tier };
    snprintf(out->why, sizeof out->why, "%s", kv->far.why);
    for (int i = 0; i < kv->n_blocks; i++)
        count_block(kv, &kv->blocks[i], out);
    uint64_t row = 2 * (uint64_t)kv->shape.n_layer * (uint64_t)kv->shape.n_kv_head *
                   (uint64_t)kv->shape.head_dim;
    out->f16_bytes = (uint64_t)n * row * sizeof(uint16_t);
    for (int i = 0; i < kv->n_blocks && i * KV_BLOCK < n; i++) {
        int held = n - i * KV_BLOCK < KV_BLOCK ? n - i * KV_BLOCK : KV_BLOCK;
        out->read_bytes += kv->block_bytes[kv->blocks[i].form] * (uint64_t)held / KV_BLOCK;
    }
    if (kv->far.reader)
        kv_reader_count(kv->far.reader, out);
}
