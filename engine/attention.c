/* attention.c -- see attention.h. A work item is one query head of TILE_TOKENS tokens: while a
 * block of keys and values is in the first cache, all the tokens of the tile use it. */
#include "engine/attention.h"

#include <math.h>
#include <string.h>

#define TILE_TOKENS 8

/* How rows of an element type are stored and read. */
struct element {
    void (*score)(const float *q, const void *k, int n, size_t dim, float *out);
    void (*mix)(const float *w, const void *v, int n, size_t dim, float *out);
};

static struct element element_of(const struct kernels *k, enum kv_type type)
{
    if (type == KV_F32)
        return (struct element){ k->score_f32, k->mix_f32 };
    return (struct element){ k->score_f16, k->mix_f16 };
}

/* One row to where it belongs in its head. */
static void store_row(const struct kernels *k, const struct kv *kv, const float *x, void *rows,
                      int row)
{
    size_t dim = (size_t)kv->shape.head_dim, at = (size_t)row * dim;
    if (kv->shape.type == KV_F32)
        memcpy((float *)rows + at, x, dim * sizeof *x);
    else
        k->f16_of_f32(x, (uint16_t *)rows + at, dim);
}

void attention_store(const struct kernels *k, struct kv *kv, int layer, int pos, const float *key,
                     const float *value)
{
    int block = pos / KV_BLOCK, row = pos % KV_BLOCK;
    for (int h = 0; h < kv->shape.n_kv_head; h++) {
        int at = h * kv->shape.head_dim;
        store_row(k, kv, key + at, kv_keys(kv, layer, block, h), row);
        store_row(k, kv, value + at, kv_values(kv, layer, block, h), row);
    }
}

/* The running softmax of one query: out = sum exp(s - max) v, not yet divided by sum. */
struct running {
    float max, sum;
    const float *q;
    float *out;
};

/* Adds n rows of a block. A larger maximum rescales what is there: exp(old - new). */
static void add_block(const struct attention *a, struct element e, struct running *r,
                      const void *keys, const void *values, int n)
{
    const struct kernels *k = a->kernels;
    size_t dim = (size_t)a->kv->shape.head_dim;
    float score[KV_BLOCK];
    e.score(r->q, keys, n, dim, score);
    float max = k->max(score, (size_t)n);
    if (max > r->max) {
        float keep = expf((r->max - max) * a->scale);
        k->scale(r->out, keep, dim);
        r->sum *= keep;
        r->max = max;
    }
    r->sum += k->exp_sum(score, (size_t)n, r->max, a->scale);
    e.mix(score, values, n, dim, r->out);
}

/* The first position that a token at pos sees. */
static int first_seen(const struct attention *a, int pos)
{
    return a->window > 0 && pos >= a->window ? pos - a->window + 1 : 0;
}

/* What a token at pos sees of block b: rows [*from, *from + the result). */
static int rows_seen(const struct attention *a, int b, int pos, int *from)
{
    int first = first_seen(a, pos) - b * KV_BLOCK, end = pos + 1 - b * KV_BLOCK;
    *from = first > 0 ? first : 0;
    return (end < KV_BLOCK ? end : KV_BLOCK) - *from;
}

static void run_item(void *data, int item, int thread)
{
    const struct attention *a = data;
    (void)thread;
    const struct kv_shape *s = &a->kv->shape;
    struct element e = element_of(a->kernels, s->type);
    int head = item % a->n_head, t0 = item / a->n_head * TILE_TOKENS;
    int n = a->n - t0 < TILE_TOKENS ? a->n - t0 : TILE_TOKENS;
    int kv_head = head / (a->n_head / s->n_kv_head);
    struct running r[TILE_TOKENS];
    for (int t = 0; t < n; t++) {
        size_t at = ((size_t)(t0 + t) * (size_t)a->n_head + (size_t)head) * (size_t)s->head_dim;
        r[t] = (struct running){ .max = -INFINITY, .q = a->q + at, .out = a->out + at };
        memset(r[t].out, 0, (size_t)s->head_dim * sizeof(float));
    }
    int pos = a->pos + t0;
    for (int b = first_seen(a, pos) / KV_BLOCK; b <= (pos + n - 1) / KV_BLOCK; b++) {
        const char *keys = kv_keys(a->kv, a->layer, b, kv_head);
        const char *values = kv_values(a->kv, a->layer, b, kv_head);
        for (int t = 0; t < n; t++) {
            int from, rows = rows_seen(a, b, pos + t, &from);
            size_t skip = (size_t)from * (a->kv->head_bytes / KV_BLOCK);
            if (rows > 0)
                add_block(a, e, &r[t], keys + skip, values + skip, rows);
        }
    }
    for (int t = 0; t < n; t++)
        a->kernels->scale(r[t].out, 1 / r[t].sum, (size_t)s->head_dim);
}

void attention_run(struct attention *a)
{
    pool_run(a->pool, run_item, a, (a->n + TILE_TOKENS - 1) / TILE_TOKENS * a->n_head);
}
