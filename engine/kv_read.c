/* kv_read.c -- see kv_read.h. A work item is one key head with all its query heads, for TILE_TOKENS
 * tokens: while a block's rows are decoded, all of them use it. */
#include "engine/kv_read.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/kv_bias.h"
#include "engine/mem.h"
#include "engine/model.h"
#include "engine/quant.h"

#define TILE_TOKENS 8
#define NEAR_MAX    (KV_SINKS + 2 * KV_BLOCK)
#define LIST_MAX    (SESSION_ROWS_MAX + NEAR_MAX)
#define FAR_BLOCKS  16      /* as few far blocks are read row by row */
#define MASS_LEFT   0.0f    /* of all mass: what need not be chosen */
#define BINS        2048    /* of masses, by the upper bits of the float */
#define BIN_SHIFT   20

struct count {
    uint64_t bytes;             /* read by index */
    uint64_t n_index, n_rows;   /* reads by index, one token and key head each; their rows */
    double mass;                /* of these reads, the share of the rows read */
    char pad[32];               /* threads do not share a line */
};

/* One thread's. */
struct scratch {
    float *keys, *values;   /* [KV_BLOCK][dim] decoded */
    float *q, *out;         /* [TILE_TOKENS][group][dim] turned queries, turned results */
    float *code;            /* [group][n_max] scores by the index, then their exponentials */
    float *mass;            /* [n_max] */
    float *score;           /* [group][LIST_MAX] of the rows in the list */
    float *rest;            /* [n_max / KV_BLOCK] */
    float *bias;            /* [group][2 * pairs] */
    int8_t *table;          /* [group][dim / 4][CODEC_POINTS] */
    int *list;              /* [LIST_MAX] positions: the near ones, then the chosen */
    int *found;             /* [n_max] */
    float *running;         /* [TILE_TOKENS][group] of struct running below */
    struct count *count;
};

struct kv_reader {
    int n_threads, n_tokens, group;
    size_t n_max;           /* positions, a multiple of KV_BLOCK */
    struct scratch *scratch;   /* [n_threads] */
    struct count *count;       /* [n_threads] */
    char *memory;
};

/* ---- life ---------------------------------------------------------------------------------- */

/* Deals out the memory of one thread; returns the bytes it takes. at = NULL: only counts. */
static size_t deal(struct scratch *s, char *at, size_t dim, size_t group, size_t n_max)
{
    const struct { void **to; size_t bytes; } part[] = {
        { (void **)&s->keys, KV_BLOCK * dim * sizeof(float) },
        { (void **)&s->values, KV_BLOCK * dim * sizeof(float) },
        { (void **)&s->q, TILE_TOKENS * group * dim * sizeof(float) },
        { (void **)&s->out, TILE_TOKENS * group * dim * sizeof(float) },
        { (void **)&s->code, group * n_max * sizeof(float) },
        { (void **)&s->mass, n_max * sizeof(float) },
        { (void **)&s->score, group * LIST_MAX * sizeof(float) },
        { (void **)&s->rest, n_max / KV_BLOCK * sizeof(float) },
        { (void **)&s->bias, group * dim * sizeof(float) },
        { (void **)&s->table, group * dim / 4 * CODEC_POINTS },
        { (void **)&s->list, LIST_MAX * sizeof(int) },
        { (void **)&s->found, n_max * sizeof(int) },
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
    *out = NULL;
    if (r) {
        r->n_threads = n_threads;
        r->group = kv->model->n_head / kv->shape.n_kv_head;
        r->n_max = (size_t)kv->n_blocks_max * KV_BLOCK;
        r->scratch = mem_alloc_n(n, sizeof *r->scratch);
        r->count = mem_alloc_n(n, sizeof *r->count);
        r->memory = mem_alloc_n(n, deal(&none, NULL, dim, (size_t)r->group, r->n_max));
    }
    if (!r || !r->scratch || !r->count || !r->memory) {
        kv_reader_free(r);
        return err_set(err, ERR_NOMEM, "not enough memory to read the far context");
    }
    char *at = r->memory;
    for (int i = 0; i < n_threads; i++) {
        at += deal(&r->scratch[i], at, dim, (size_t)r->group, r->n_max);
        r->scratch[i].count = &r->count[i];
    }
    *out = r;
    return true;
}

void kv_reader_free(struct kv_reader *r)
{
    if (!r)
        return;
    mem_free(r->scratch);
    mem_free(r->count);
    mem_free(r->memory);
    mem_free(r);
}

int kv_reader_threads(const struct kv_reader *r)
{
    return r->n_threads;
}

/* ---- counting ------------------------------------------------------------------------------ */

void kv_reader_begin(struct kv_reader *r, int n)
{
    if (n == 0)
        return;
    r->n_tokens = n;
    memset(r->count, 0, (size_t)r->n_threads * sizeof *r->count);
}

void kv_reader_count(const struct kv_reader *r, struct far_stats *out)
{
    struct count sum = {0};
    for (int i = 0; i < r->n_threads; i++) {
        sum.bytes += r->count[i].bytes;
        sum.n_index += r->count[i].n_index;
        sum.n_rows += r->count[i].n_rows;
        sum.mass += r->count[i].mass;
    }
    out->by_index = sum.n_index > 0;
    if (out->by_index) {
        out->read_bytes = sum.bytes / (uint64_t)r->n_tokens;
        out->chosen = (double)sum.n_rows / (double)sum.n_index;
        out->mass = sum.mass / (double)sum.n_index;
    }
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
    int n_far;              /* positions before the near ones: whole blocks */
    int n_near, n_list;
    float scale;
};

static size_t row_stride(int dim)
{
    return 2 * codec_q8_row(dim);
}

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

/* ---- by the index -------------------------------------------------------------------------- */

int kv_index_from(void)
{
    return (FAR_BLOCKS + 1) * KV_BLOCK;
}

/* The positions that a token at pos reads by the index, whole blocks; 0: all row by row. */
static int far_of(const struct attention_call *c, int pos)
{
    const struct kv *kv = c->kv;
    int n = pos / KV_BLOCK - 1;
    if (!kv->far.use_index || kv->far.tier != KV_TIER_FLASH || c->window > 0 ||
        pos < kv_index_from())
        return 0;
    for (int b = 0; b < n; b++)
        if (!kv->blocks[b].index)
            return 0;
    return n * KV_BLOCK;
}

bool kv_read_wants(const struct attention_call *c)
{
    for (int i = 0; i <= (c->pos + c->n - 1) / KV_BLOCK; i++)
        if (c->kv->blocks[i].form == KV_Q4)
            return true;
    return far_of(c, c->pos + c->n - 1) > 0;
}

static void list_near(struct read *r)
{
    for (int i = 0; i < KV_SINKS; i++)
        r->s->list[i] = i;
    r->n_near = KV_SINKS;
    for (int pos = r->n_far; pos <= r->pos; pos++)
        r->s->list[r->n_near++] = pos;
    r->n_list = r->n_near;
}

static const void *row_of(const struct read *r, int pos, bool value)
{
    const void *head = kv_head(r->c->kv, r->c->layer, pos / KV_BLOCK, r->head);
    return value ? codec_q8_value(head, pos % KV_BLOCK, r->dim)
                 : codec_q8_key(head, pos % KV_BLOCK, r->dim);
}

/* A row of a block that is held exactly. */
static void row_exact(const struct read *r, int pos, bool value, float *out)
{
    const struct kv *kv = r->c->kv;
    int layer = r->c->layer, block = pos / KV_BLOCK, dim = r->dim;
    const void *rows = value ? kv_values(kv, layer, block, r->head)
                             : kv_keys(kv, layer, block, r->head);
    size_t at = (size_t)(pos % KV_BLOCK) * (size_t)dim;
    if (kv->shape.type == KV_F32)
        memcpy(out, (const float *)rows + at, (size_t)dim * sizeof *out);
    for (int i = 0; kv->shape.type == KV_F16 && i < dim; i++)
        out[i] = f32_of_f16(((const uint16_t *)rows)[at + (size_t)i]);
}

/* Rows [from, from + n) of the list, decoded. */
static void decode_list(const struct read *r, int from, int n, bool value, float *out)
{
    for (int i = 0; i < n; i++, out += r->dim) {
        int pos = r->s->list[from + i];
        if (r->c->kv->blocks[pos / KV_BLOCK].form == KV_ROWS)
            row_exact(r, pos, value, out);
        else
            r->k->rows_q8(row_of(r, pos, value), 0, 1, (size_t)r->dim, out);
    }
}

/* Scores of the list from its element `from` on, for all query heads. */
static void score_list(const struct read *r, int from)
{
    for (int i = from; i < r->n_list; i += KV_BLOCK) {
        int n = r->n_list - i < KV_BLOCK ? r->n_list - i : KV_BLOCK;
        decode_list(r, i, n, false, r->s->keys);
        for (int h = 0; h < r->group; h++)
            r->k->score_f32(r->q + h * r->dim, r->s->keys, n, (size_t)r->dim,
                            r->s->score + h * LIST_MAX + i);
    }
}

/* Scores of one block by its codes. */
static void score_block(const struct read *r, int block, const float *factor, size_t n_max)
{
    const void *index = kv_index(r->c->kv, r->c->layer, block, r->head);
    const struct kv_bias *bias = r->c->kv->far.bias;
    size_t dim = (size_t)r->dim;
    float scale[KV_BLOCK];
    codec_index_scales(index, r->dim, scale);
    r->k->rows_q8(codec_index_mean(index, r->dim, false), 0, 1, dim, r->s->keys);
    for (int h = 0; h < r->group; h++) {
        float mean, *out = r->s->code + (size_t)h * n_max + block * KV_BLOCK;
        r->k->score_f32(r->q + h * r->dim, r->s->keys, 1, dim, &mean);
        r->k->index_score(index, dim / 4, r->s->table + (size_t)h * dim / 4 * CODEC_POINTS,
                          scale, factor[h], mean, out);
        if (bias)
            kv_bias_score(bias, r->k, r->c->layer, r->head, r->c->kv->blocks[block].at,
                          r->s->bias + (size_t)h * dim, out);
    }
}

static void score_far(const struct read *r, size_t n_max)
{
    struct scratch *s = r->s;
    float factor[KV_GROUP_MAX];
    for (int h = 0; h < r->group; h++) {
        float *turned = s->q + h * r->dim;
        memcpy(turned, r->q + h * r->dim, (size_t)r->dim * sizeof *turned);
        codec_turn(turned, r->dim);
        factor[h] = codec_table(turned, r->dim, s->table + h * (r->dim / 4 * CODEC_POINTS));
        if (r->c->kv->far.bias)
            kv_bias_query(r->c->kv->far.bias, r->c->layer, r->head, r->q + h * r->dim,
                          s->bias + h * r->dim);
    }
    for (int b = 0; b < r->n_far / KV_BLOCK; b++)
        score_block(r, b, factor, n_max);
    for (int h = 0; h < r->group; h++)
        for (int i = 0; i < KV_SINKS; i++)
            s->code[(size_t)h * n_max + (size_t)i] = -INFINITY;
}

/* The codes' scores to exponentials, mass to the share of each far token, summed over the heads.
 * max: what the exponentials of each head are relative to. Returns the near tokens' mass. */
static float weigh_far(const struct read *r, size_t n_max, float *max)
{
    struct scratch *s = r->s;
    float weight[KV_GROUP_MAX], near_mass = 0, near_score[NEAR_MAX];
    size_t n_near = (size_t)r->n_near, n_far = (size_t)r->n_far;
    for (int h = 0; h < r->group; h++) {
        float *code = s->code + (size_t)h * n_max, *score = s->score + h * LIST_MAX;
        float far = r->k->max(code, n_far), near = r->k->max(score, n_near);
        max[h] = far > near ? far : near;
        memcpy(near_score, score, n_near * sizeof *score);
        float sum = r->k->exp_sum(near_score, n_near, max[h], r->scale);
        weight[h] = 1 / (sum + r->k->exp_sum(code, n_far, max[h], r->scale));
        near_mass += sum * weight[h];
    }
    memset(s->mass, 0, n_far * sizeof *s->mass);
    for (int h = 0; h < r->group; h++)
        r->k->mix_f32(weight + h, s->code + (size_t)h * n_max, 1, n_far, s->mass);
    return near_mass;
}

static uint32_t bin_of(float mass)
{
    uint32_t bits;
    memcpy(&bits, &mass, sizeof bits);
    return bits >> BIN_SHIFT & (BINS - 1);
}

/* The bin down to which tokens are taken, and how many of its own: the fullest bins first, until
 * the count or the mass is reached. */
static uint32_t last_bin(const struct read *r, int n_found, float wanted, int *of_last)
{
    uint16_t n[BINS];
    int total = 0, most = r->c->kv->far.n_chosen;
    uint32_t bin = BINS - 1;
    memset(n, 0, sizeof n);
    for (int i = 0; i < n_found; i++) {
        uint32_t b = bin_of(r->s->mass[r->s->found[i]]);
        n[b] += n[b] < UINT16_MAX;
    }
    for (;; bin--) {
        uint32_t bits = bin << BIN_SHIFT;
        float least;
        memcpy(&least, &bits, sizeof least);
        *of_last = n[bin] < most - total ? n[bin] : most - total;
        total += *of_last;
        wanted -= least * (float)*of_last;
        if (bin == 0 || total == most || wanted <= 0)
            return bin;
    }
}

/* Adds the far tokens to read to the list, in the order of their positions. Returns their mass. */
static float choose(struct read *r, float near_mass)
{
    struct scratch *s = r->s;
    float all = (float)r->group, least = all * MASS_LEFT / (float)r->n_far, mass = 0;
    int n = 0, of_last;
    for (int i = 0; i < r->n_far; i++) {
        s->found[n] = i;
        n += s->mass[i] > least;
    }
    uint32_t bin = last_bin(r, n, all * (1 - MASS_LEFT) - near_mass, &of_last);
    for (int i = 0; i < n; i++) {
        uint32_t b = bin_of(s->mass[s->found[i]]);
        if (b < bin || (b == bin && of_last-- <= 0))
            continue;
        mass += s->mass[s->found[i]];
        s->list[r->n_list++] = s->found[i];
    }
    return mass;
}

/* Scores of the list to weights, the rest's exponentials to the same maximum. keep: what to
 * multiply these by. Returns one over the sum of all. */
static float weigh_list(const struct read *r, int h, float max, float *code, float *keep)
{
    float *score = r->s->score + h * LIST_MAX;
    size_t n_list = (size_t)r->n_list;
    float top = r->k->max(score, n_list);
    top = top > max ? top : max;
    *keep = expf((max - top) * r->scale);
    for (int i = r->n_near; i < r->n_list; i++)
        code[r->s->list[i]] = 0;
    static const float ones[KV_BLOCK] = {
#define FOUR 1, 1, 1, 1
#define SIXTEEN FOUR, FOUR, FOUR, FOUR
        SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN
    };
    int n_blocks = r->n_far / KV_BLOCK;
    float sum = r->k->exp_sum(score, n_list, top, r->scale), rest = 0;
    for (int b = 0; b < n_blocks; b += KV_BLOCK) {
        int n = n_blocks - b < KV_BLOCK ? n_blocks - b : KV_BLOCK;
        r->k->score_f32(ones, code + b * KV_BLOCK, n, KV_BLOCK, r->s->rest + b);
    }
    for (int b = 0; b < n_blocks; b++)
        rest += r->s->rest[b] *= *keep;
    return 1 / (sum + rest);
}

/* Adds the mean values of the far blocks, each with what is left of its block. */
static void mix_means(const struct read *r, int h)
{
    int n_blocks = r->n_far / KV_BLOCK;
    size_t dim = (size_t)r->dim;
    for (int b = 0; b < n_blocks; b += KV_BLOCK) {
        int n = n_blocks - b < KV_BLOCK ? n_blocks - b : KV_BLOCK;
        for (int i = 0; i < n; i++)
            r->k->rows_q8(codec_index_mean(kv_index(r->c->kv, r->c->layer, b + i, r->head),
                                           r->dim, true), 0, 1, dim, r->s->values + i * r->dim);
        r->k->mix_f32(r->s->rest + b, r->s->values, n, dim, r->out + h * r->dim);
    }
}

static void mix_list(const struct read *r)
{
    for (int i = 0; i < r->n_list; i += KV_BLOCK) {
        int n = r->n_list - i < KV_BLOCK ? r->n_list - i : KV_BLOCK;
        decode_list(r, i, n, true, r->s->values);
        for (int h = 0; h < r->group; h++)
            r->k->mix_f32(r->s->score + h * LIST_MAX + i, r->s->values, n, (size_t)r->dim,
                          r->out + h * r->dim);
    }
}

static void count_index(const struct read *r, float mass)
{
    struct count *c = r->s->count;
    size_t blocks = (size_t)r->n_far / KV_BLOCK;
    c->bytes += blocks * codec_index_bytes(r->dim) + (size_t)r->n_list * row_stride(r->dim);
    c->n_index++;
    c->n_rows += (uint64_t)r->n_list;
    c->mass += (double)mass / r->group;
}

static void read_by_index(struct read *r, size_t n_max)
{
    float max[KV_GROUP_MAX], total[KV_GROUP_MAX], keep;
    list_near(r);
    score_list(r, 0);
    score_far(r, n_max);
    float mass = weigh_far(r, n_max, max);
    mass += choose(r, mass);
    score_list(r, r->n_near);
    memset(r->out, 0, (size_t)r->group * (size_t)r->dim * sizeof *r->out);
    for (int h = 0; h < r->group; h++) {
        total[h] = weigh_list(r, h, max[h], r->s->code + (size_t)h * n_max, &keep);
        mix_means(r, h);
    }
    mix_list(r);
    for (int h = 0; h < r->group; h++)
        r->k->scale(r->out + h * r->dim, total[h], (size_t)r->dim);
    count_index(r, mass);
}

/* ---- all rows ------------------------------------------------------------------------------ */

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
        k->rows_q8(codec_q8_key(h, 0, d), row_stride(d), KV_BLOCK, dim, s->keys);
        k->rows_q8(codec_q8_value(h, 0, d), row_stride(d), KV_BLOCK, dim, s->values);
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

/* Tokens that are read by the index go one by one, the others of a tile together. */
static void run_item(void *data, int item, int thread)
{
    const struct job *j = data;
    const struct kv_reader *reader = j->c->kv->far.reader;
    struct read tile[TILE_TOKENS];
    int n_heads = j->a->shape.n_kv_head, head = item % n_heads;
    int t0 = item / n_heads * TILE_TOKENS, n = 0;
    for (int t = t0; t < j->c->n && t < t0 + TILE_TOKENS; t++) {
        tile[n] = read_at(j, &reader->scratch[thread], t, head);
        tile[n].n_far = far_of(j->c, tile[n].pos);
        if (tile[n].n_far > 0)
            read_by_index(&tile[n], reader->n_max);
        else
            n++;
    }
    if (n > 0)
        read_rows(tile, n);
}

void kv_read_run(const struct attention *a, const struct attention_call *c)
{
    struct job j = { a, c };
    int tiles = (c->n + TILE_TOKENS - 1) / TILE_TOKENS;
    pool_run(a->pool, run_item, &j, tiles * a->shape.n_kv_head);
}

void kv_store_q8(const struct kv *kv, void *head, int row, const float *key, const float *value)
{
    int dim = kv->shape.head_dim;
    codec_q8(key, dim, codec_q8_key(head, row, dim));
    codec_q8(value, dim, codec_q8_value(head, row, dim));
}
