/* kv_read.c -- see kv_read.h. A work item is one key head with all its query heads, for TILE_TOKENS
 * tokens: while a block's rows are decoded, all of them use it. Reading by the index is
 * kv_indexed.c's. */
#include "engine/kv_read.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/kv_bias.h"
#include "engine/kv_far.h"
#include "engine/kv_indexed.h"
#include "engine/mem.h"
#include "engine/model.h"

#define TILE_TOKENS 8

/* One thread's. */
struct scratch {
    float *keys, *values;   /* [KV_BLOCK][dim] decoded */
    float *q, *out;         /* [TILE_TOKENS][group][dim] turned queries, turned results */
    float *running;         /* [TILE_TOKENS][group] of struct running below */
};

struct kv_reader {
    int n_threads;
    struct scratch *scratch;     /* [n_threads] */
    char *memory;
    struct kv_indexed *indexed;
};

/* ---- life ---------------------------------------------------------------------------------- */

/* Deals out the memory of one thread; returns the bytes it takes. at = NULL: only counts. */
static size_t deal(struct scratch *s, char *at, size_t dim, size_t group)
{
    const struct { void **to; size_t bytes; } part[] = {
        { (void **)&s->keys, KV_BLOCK * dim * sizeof(float) },
        { (void **)&s->values, KV_BLOCK * dim * sizeof(float) },
        { (void **)&s->q, TILE_TOKENS * group * dim * sizeof(float) },
        { (void **)&s->out, TILE_TOKENS * group * dim * sizeof(float) },
        { (void **)&s->running, TILE_TOKENS * group * 2 * sizeof(float) },
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (at)
            *part[i].to = at + bytes;
        bytes += (part[i].bytes + 63) / 64 * 64;
    }
    return bytes;
}

bool kv_reader_new(struct kv_reader **out, const struct kv *kv, int n_threads, struct err *err)
{
    struct kv_reader *r = mem_alloc(sizeof *r);
    struct scratch none;
    size_t dim = (size_t)kv->shape.head_dim, n = (size_t)n_threads;
    size_t group = (size_t)(kv->model->n_head / kv->shape.n_kv_head);
    *out = NULL;
    if (r) {
        r->n_threads = n_threads;
        r->scratch = mem_alloc_n(n, sizeof *r->scratch);
        r->memory = mem_alloc_n(n, deal(&none, NULL, dim, group));
    }
    if (!r || !r->scratch || !r->memory || !kv_indexed_new(&r->indexed, kv, err)) {
        kv_reader_free(r);
        return err_set(err, ERR_NOMEM, "not enough memory to read the far context");
    }
    char *at = r->memory;
    for (int i = 0; i < n_threads; i++)
        at += deal(&r->scratch[i], at, dim, group);
    *out = r;
    return true;
}

void kv_reader_free(struct kv_reader *r)
{
    if (!r)
        return;
    kv_indexed_free(r->indexed);
    mem_free(r->scratch);
    mem_free(r->memory);
    mem_free(r);
}

int kv_reader_threads(const struct kv_reader *r)
{
    return r->n_threads;
}

void kv_reader_begin(struct kv_reader *r, int n)
{
    if (n > 0)
        kv_indexed_begin(r->indexed, n);
}

void kv_reader_count(const struct kv_reader *r, struct far_stats *out)
{
    kv_indexed_count(r->indexed, out);
}

/* ---- one read ------------------------------------------------------------------------------ */

struct job {
    const struct attention *a;
    const struct attention_call *c;
};

/* Some query heads of one key head, at one token. */
struct read {
    const struct attention_call *c;
    const struct kernels *k;
    struct scratch *s;
    int head, group, dim;   /* the key head */
    int pos;
    const float *q;         /* [group][dim] */
    float *out;             /* [group][dim] */
    float scale;
};

static struct read read_at(const struct job *j, struct scratch *s, int t, int head)
{
    const struct attention_shape *shape = &j->a->shape;
    int group = shape->n_head / shape->n_kv_head;
    size_t at = ((size_t)t * (size_t)shape->n_head + (size_t)(head * group)) *
                (size_t)shape->head_dim;
    return (struct read){ .c = j->c, .k = j->a->kernels, .s = s, .head = head, .group = group,
                          .dim = shape->head_dim, .pos = j->c->pos + t, .q = j->c->q + at,
                          .out = j->c->out + at, .scale = j->c->scale };
}

bool kv_read_wants(const struct attention_call *c, bool takes_q4)
{
    for (int i = 0; !takes_q4 && i <= (c->pos + c->n - 1) / KV_BLOCK; i++)
        if (c->kv->blocks[i].form == KV_Q4)
            return true;
    return kv_indexed_far(c, c->pos + c->n - 1) > 0;
}

/* The running softmax of one query head: out = sum exp(s - max) v, not yet divided by sum. */
struct running {
    float max, sum;
};

/* Some rows of a block as attention uses them: decoded, or as they are. With 4 bits they are
 * turned, as are then query and result, and lack their mean. */
struct rows {
    void (*score)(const float *q, const void *k, int n, size_t dim, float *out);
    void (*mix)(const float *w, const void *v, int n, size_t dim, float *out);
    const char *keys, *values;
    size_t row_bytes;
    const void *mean_key, *mean_value;   /* q8 rows; or NULL */
};

static struct rows decode_block(const struct read *r, int block)
{
    const struct kernels *k = r->k;
    const struct kv *kv = r->c->kv;
    struct scratch *s = r->s;
    int layer = r->c->layer, head = r->head;
    size_t dim = (size_t)kv->shape.head_dim;
    int d = kv->shape.head_dim;
    struct rows rows = { k->score_f32, k->mix_f32, (char *)s->keys, (char *)s->values,
                         dim * sizeof(float), NULL, NULL };
    if (kv->blocks[block].form == KV_ROWS) {
        bool f32 = kv->shape.type == KV_F32;
        return (struct rows){ f32 ? k->score_f32 : k->score_f16, f32 ? k->mix_f32 : k->mix_f16,
                              kv_keys(kv, layer, block, head),
                              kv_values(kv, layer, block, head),
                              kv->head_bytes / KV_BLOCK, NULL, NULL };
    }
    const void *h = kv_head(kv, layer, block, head);
    if (kv->blocks[block].form == KV_Q8) {
        kv_decode(kv, k, layer, block, head, KV_BLOCK, s->keys, s->values);
        return rows;
    }
    k->rows_q4(codec_q4_rows(h, d, false), codec_q4_stride(d), KV_BLOCK, dim, s->keys);
    k->rows_q4(codec_q4_rows(h, d, true), codec_q4_stride(d), KV_BLOCK, dim, s->values);
    rows.mean_key = codec_q4_mean(h, d, false);
    rows.mean_value = codec_q4_mean(h, d, true);
    return rows;
}

/* The scores of n rows from row `from` on. */
static void score_rows(const struct read *r, const struct rows *rows, int h, int block, int from,
                       int n, const float *turned, float *score)
{
    size_t dim = (size_t)r->dim, skip = (size_t)from * rows->row_bytes;
    const float *q = r->q + h * r->dim;
    if (!rows->mean_key) {
        rows->score(q, rows->keys + skip, n, dim, score);
        return;
    }
    float mean_key[CODEC_DIM_MAX], mean, bias[KV_BLOCK] = {0}, ab[CODEC_DIM_MAX];
    rows->score(turned, rows->keys + skip, n, dim, score);
    r->k->rows_q8(rows->mean_key, 0, 1, dim, mean_key);
    r->k->score_f32(q, mean_key, 1, dim, &mean);
    if (r->c->kv->far.bias) {
        kv_bias_query(r->c->kv->far.bias, r->c->layer, r->head, q, ab);
        kv_bias_score(r->c->kv->far.bias, r->k, r->c->layer, r->head,
                      r->c->kv->blocks[block].at, ab, bias);
    }
    for (int i = 0; i < n; i++)
        score[i] += mean + bias[from + i];
}

static void mix_rows(const struct read *r, const struct rows *rows, int h, int from, int n,
                     float sum, const float *score, float *turned)
{
    size_t dim = (size_t)r->dim, skip = (size_t)from * rows->row_bytes;
    float *out = r->out + h * r->dim;
    if (!rows->mean_value) {
        rows->mix(score, rows->values + skip, n, dim, out);
        return;
    }
    float mean[CODEC_DIM_MAX];
    rows->mix(score, rows->values + skip, n, dim, turned);
    r->k->rows_q8(rows->mean_value, 0, 1, dim, mean);
    r->k->mix_f32(&sum, mean, 1, dim, out);
}

/* Adds n rows of a block for one query head. A larger maximum rescales what is there. */
static void add_rows(const struct read *r, const struct rows *rows, struct running *run, int h,
                     int block, int from, int n, int slot)
{
    size_t dim = (size_t)r->dim;
    float score[KV_BLOCK];
    float *turned_q = r->s->q + slot * r->dim, *turned_out = r->s->out + slot * r->dim;
    score_rows(r, rows, h, block, from, n, turned_q, score);
    float max = r->k->max(score, (size_t)n);
    if (max > run->max) {
        float keep = expf((run->max - max) * r->scale);
        r->k->scale(r->out + h * r->dim, keep, dim);
        r->k->scale(turned_out, keep, dim);
        run->sum *= keep;
        run->max = max;
    }
    float sum = r->k->exp_sum(score, (size_t)n, run->max, r->scale);
    run->sum += sum;
    mix_rows(r, rows, h, from, n, sum, score, turned_out);
}

static void begin_rows(const struct read *r, struct running *run, int slot)
{
    size_t bytes = (size_t)(r->group * r->dim) * sizeof(float);
    memset(r->out, 0, bytes);
    memset(r->s->out + slot * r->dim, 0, bytes);
    memcpy(r->s->q + slot * r->dim, r->q, bytes);
    for (int h = 0; h < r->group; h++) {
        codec_turn(r->s->q + (slot + h) * r->dim, r->dim);
        run[slot + h] = (struct running){ -INFINITY, 0 };
    }
}

static void finish_rows(const struct read *r, const struct running *run, int slot)
{
    for (int h = 0; h < r->group; h++) {
        float *out = r->out + h * r->dim, *turned = r->s->out + (slot + h) * r->dim;
        codec_turn(turned, r->dim);
        r->k->add(out, turned, (size_t)r->dim);
        r->k->scale(out, 1 / run[slot + h].sum, (size_t)r->dim);
    }
}

/* The first position that a token sees. */
static int first_seen(const struct attention_call *c, int pos)
{
    return c->window > 0 && pos >= c->window ? pos - c->window + 1 : 0;
}

/* Adds what the tokens of a tile see of a block. */
static void add_block(const struct read *tile, int n, const struct rows *rows,
                      struct running *run, int block)
{
    for (int t = 0; t < n; t++) {
        const struct read *r = &tile[t];
        int from = first_seen(r->c, r->pos) - block * KV_BLOCK;
        int end = r->pos + 1 - block * KV_BLOCK;
        from = from > 0 ? from : 0;
        end = end < KV_BLOCK ? end : KV_BLOCK;
        if (end <= from)
            continue;
        for (int h = 0; h < r->group; h++)
            add_rows(r, rows, &run[t * r->group + h], h, block, from, end - from,
                     t * r->group + h);
    }
}

static void read_rows(const struct read *tile, int n)
{
    struct running *run = (struct running *)(void *)tile->s->running;
    for (int t = 0; t < n; t++)
        begin_rows(&tile[t], run, t * tile->group);
    int last = tile[n - 1].pos / KV_BLOCK;
    for (int b = first_seen(tile->c, tile->pos) / KV_BLOCK; b <= last; b++) {
        struct rows rows = decode_block(tile, b);
        add_block(tile, n, &rows, run, b);
    }
    for (int t = 0; t < n; t++)
        finish_rows(&tile[t], run, t * tile->group);
}

/* ---- the door ------------------------------------------------------------------------------ */

/* The tokens of a tile that are not read by the index, one key head. */
static void run_item(void *data, int item, int thread)
{
    const struct job *j = data;
    const struct kv_reader *reader = j->c->kv->far.reader;
    struct read tile[TILE_TOKENS];
    int n_heads = j->a->shape.n_kv_head, head = item % n_heads;
    int t0 = item / n_heads * TILE_TOKENS, n = 0;
    for (int t = t0; t < j->c->n && t < t0 + TILE_TOKENS; t++)
        if (kv_indexed_far(j->c, j->c->pos + t) == 0)
            tile[n++] = read_at(j, &reader->scratch[thread], t, head);
    if (n > 0)
        read_rows(tile, n);
}

void kv_read_run(const struct attention *a, const struct attention_call *c)
{
    struct job j = { a, c };
    int tiles = (c->n + TILE_TOKENS - 1) / TILE_TOKENS, n_indexed = 0;
    for (int t = 0; t < c->n; t++) {
        int n_far = kv_indexed_far(c, c->pos + t);
        if (n_far > 0)
            kv_indexed_run(c->kv->far.reader->indexed, a, c, t, n_far);
        n_indexed += n_far > 0;
    }
    if (n_indexed < c->n)
        pool_run(a->pool, run_item, &j, tiles * a->shape.n_kv_head);
}

void kv_store_q8(const struct kv *kv, int layer, int pos, int head, const float *key,
                 const float *value)
{
    int dim = kv->shape.head_dim, block = pos / KV_BLOCK, row = pos % KV_BLOCK;
    void *h = kv_head(kv, layer, block, head);
    float bare[CODEC_DIM_MAX];
    memcpy(bare, key, (size_t)dim * sizeof *key);
    kv_bias_add(kv->far.bias, layer, head, kv->blocks[block].at, row, 1, bare, -1);
    codec_q8(bare, dim, codec_q8_key(h, row, dim));
    codec_q8(value, dim, codec_q8_value(h, row, dim));
}
