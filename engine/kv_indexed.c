/* kv_indexed.c -- see kv_indexed.h. Two jobs for the threads: first the codes of each span are
 * scored, and whoever ends the last span of a key head chooses for it; then the rows of each part
 * and the means of each span are added up. */
#include "engine/kv_indexed.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/kv_bias.h"
#include "engine/kv_read.h"
#include "engine/mem.h"
#include "engine/model.h"

#define FAR_BLOCKS  16      /* as few far blocks are read row by row */
#define SPAN_BLOCKS 32
#define SPAN        (SPAN_BLOCKS * KV_BLOCK)
#define PART        128     /* rows of the list */
#define NEAR_MAX    (KV_SINKS + 2 * KV_BLOCK)
#define LIST_MAX    (SESSION_ROWS_MAX + NEAR_MAX)
#define PARTS_MAX   ((LIST_MAX + PART - 1) / PART)
#define LIST_ROOM   (PARTS_MAX * PART)
#define MASS_LEFT   0.0001f /* need not be chosen, of the mass that is not the first tokens': what
                             * these get stands for nothing, and the rest is what a head says. So
                             * little, because mass by one bit a value is a guess: a head that looks
                             * for one row may have it far down, behind all but 0.002 */
#define VALUE_LEAST 0.08f   /* times an equal share among as many rows as may be chosen: of a row
                             * that turns out to have less the value is not read */
#define READ_SHARE  0.0795f /* of f16 at a token's length: what reading it may come to where no
                             * number of rows was asked for; */
#define SHARE_AT    7680    /* at fewer tokens than so many, as many rows as there */
#define ROWS_LEAST  64
#define VALUES_FIRST 0.5f   /* of the chosen keys' values are read, before it is known; it counts as
                             * much as this many keys that were chosen: */
#define VALUES_FIRST_ROWS 256
#define OCTAVE      (1 << 23)  /* of a float's bits */
#define STEP        (OCTAVE / 64)  /* so near to its true place the border of the chosen is found */

/* One key head's work on one token. Spans and parts are [group] each. */
struct work {
    float *turned;          /* [group][dim] queries */
    float *bias;            /* [group][dim] */
    float *factor;          /* [group] */
    int8_t *table;          /* [group][dim / 4][CODEC_POINTS] */
    float *code;            /* [n_spans][group][SPAN] scores by the index, then exponentials */
    float *by_bias;         /* [n_spans][group][SPAN] what the bias adds to the scores of rows;
                             * of models that have one */
    float *top, *sum;       /* [n_spans + 1][group] of these, the near rows' behind them */
    float *weight;          /* [n_spans + 1][group] what an exponential there is worth of all */
    float *head_top, *head_sum;   /* [group] what all these are set against */
    float *worth;           /* [n_spans][SPAN] of each far position, to all heads */
    int *list;              /* [LIST_MAX] positions: the near ones, then the chosen */
    int *found;             /* [n_spans][SPAN] */
    float *score;           /* [group][LIST_ROOM] of the rows in the list */
    float *part_top, *part_sum;   /* [PARTS_MAX + n_spans][group] */
    float *part_share;      /* [PARTS_MAX][group] an exponential's there of all */
    float *part;            /* [PARTS_MAX + n_spans][group][dim] */
    int n_spared[PARTS_MAX];      /* values that were not read */
    int n_near, n_list;
    atomic_int left;        /* spans, and the near rows, that are not scored yet */
};

/* What the chosen rows of one token have taken in the layers so far. */
struct spent {
    int pos, n_layers, last;   /* layers that read by the index; the last of them */
    uint64_t bytes, n_rows, n_values;
};

struct kv_indexed {
    int group, dim, n_kv_head, n_spans;
    struct work *work;      /* [n_kv_head] */
    float *power;           /* [CODEC_POWERS] */
    float ones[KV_BLOCK];
    struct spent spent[CACHE_PASS_MAX];   /* of each token of a pass, by its position */
    char *memory;
    int n_tokens;           /* of the pass, and what they read: */
    uint64_t bytes, n_reads, n_rows, n_values;   /* reads: one token and key head each */
    uint64_t n_allowed;     /* rows that might have been chosen */
    double mass;
};

/* ---- life ---------------------------------------------------------------------------------- */

/* Deals out the memory of one head; returns the bytes it takes. at = NULL: only counts. */
static size_t deal(struct work *w, char *at, size_t dim, size_t group, size_t n_spans,
                   bool has_bias)
{
    size_t n_parts = PARTS_MAX + n_spans, f = sizeof(float);
    const struct { void **to; size_t bytes; } part[] = {
        { (void **)&w->turned, group * dim * f },
        { (void **)&w->bias, group * dim * f },
        { (void **)&w->factor, group * f },
        { (void **)&w->table, group * dim / 4 * CODEC_POINTS },
        { (void **)&w->code, n_spans * group * SPAN * f },
        { (void **)&w->by_bias, has_bias ? n_spans * group * SPAN * f : 0 },
        { (void **)&w->top, (n_spans + 1) * group * f },
        { (void **)&w->sum, (n_spans + 1) * group * f },
        { (void **)&w->weight, (n_spans + 1) * group * f },
        { (void **)&w->head_top, group * f },
        { (void **)&w->head_sum, group * f },
        { (void **)&w->worth, n_spans * SPAN * f },
        { (void **)&w->list, LIST_MAX * sizeof(int) },
        { (void **)&w->found, n_spans * SPAN * sizeof(int) },
        { (void **)&w->score, group * LIST_ROOM * f },
        { (void **)&w->part_top, n_parts * group * f },
        { (void **)&w->part_sum, n_parts * group * f },
        { (void **)&w->part_share, PARTS_MAX * group * f },
        { (void **)&w->part, n_parts * group * dim * f },
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (at)
            *part[i].to = at + bytes;
        bytes += (part[i].bytes + 63) / 64 * 64;
    }
    return bytes;
}

bool kv_indexed_new(struct kv_indexed **out, const struct kv *kv, struct err *err)
{
    struct kv_indexed *x = mem_alloc(sizeof *x);
    size_t dim = (size_t)kv->shape.head_dim, n = (size_t)kv->shape.n_kv_head, each = 0;
    size_t group = (size_t)(kv->model->n_head / kv->shape.n_kv_head);
    int n_spans = (kv->n_blocks_max + SPAN_BLOCKS - 1) / SPAN_BLOCKS;
    *out = NULL;
    if (x) {
        struct work none;
        *x = (struct kv_indexed){ .group = (int)group, .dim = (int)dim, .n_kv_head = (int)n,
                                  .n_spans = n_spans, .n_tokens = 1 };
        each = deal(&none, NULL, dim, group, (size_t)n_spans, kv->far.bias);
        x->work = mem_alloc_n(n, sizeof *x->work);
        x->power = mem_alloc_n(CODEC_POWERS, sizeof *x->power);
        x->memory = mem_alloc_n(n, each);
    }
    if (!x || !x->work || !x->power || !x->memory) {
        kv_indexed_free(x);
        return err_set(err, ERR_NOMEM, "not enough memory to read the far context");
    }
    for (size_t h = 0; h < n; h++)
        deal(&x->work[h], x->memory + h * each, dim, group, (size_t)n_spans, kv->far.bias);
    codec_powers(x->power);
    for (int i = 0; i < KV_BLOCK; i++)
        x->ones[i] = 1;
    *out = x;
    return true;
}

void kv_indexed_free(struct kv_indexed *x)
{
    if (!x)
        return;
    mem_free(x->work);
    mem_free(x->power);
    mem_free(x->memory);
    mem_free(x);
}

/* ---- counting ------------------------------------------------------------------------------ */

void kv_indexed_begin(struct kv_indexed *x, int n)
{
    x->n_tokens = n;
    x->bytes = x->n_reads = x->n_rows = x->n_values = x->n_allowed = 0;
    x->mass = 0;
}

void kv_indexed_count(const struct kv_indexed *x, struct far_stats *out)
{
    out->by_index = x->n_reads > 0;
    if (!out->by_index)
        return;
    out->read_bytes = x->bytes / (uint64_t)x->n_tokens;
    out->chosen = (double)x->n_rows / (double)x->n_reads;
    out->values = (double)x->n_values / (double)x->n_reads;
    out->allowed = (double)x->n_allowed / (double)x->n_reads;
    out->mass = x->mass / (double)x->n_reads;
}

/* ---- one token ----------------------------------------------------------------------------- */

struct read {
    struct kv_indexed *x;
    const struct attention_call *c;
    const struct kernels *k;
    int pos, n_far, n_spans;   /* far positions and the spans they lie in */
    int most;                  /* rows that may be chosen */
    struct spent *spent;
    int n_parts;               /* of the longest list there may be */
    int group, dim;
    size_t row_bytes, index_bytes;   /* of a row in q8; of a head's index of a block */
    const float *q;            /* [n_kv_head][group][dim] */
    float *out;
};

/* Where a token counts; a layer that does not follow its last one begins anew. */
static struct spent *spent_of(struct kv_indexed *x, int layer, int pos)
{
    struct spent *s = &x->spent[(unsigned)pos % CACHE_PASS_MAX];
    if (s->pos != pos || layer <= s->last)
        *s = (struct spent){ .pos = pos };
    s->last = layer;
    return s;
}

/* The bytes that a key head has for chosen rows: the share of what the token sees, less the index
 * and the near rows. Of fewer than SHARE_AT tokens it is what it were there. */
static double bytes_for_rows(const struct read *r)
{
    int seen = r->pos + 1 > SHARE_AT ? r->pos + 1 : SHARE_AT;
    int n_near = KV_SINKS + r->pos + 1 - r->n_far;
    double f16 = (double)seen * r->dim * 2 * sizeof(uint16_t);
    return f16 * READ_SHARE - (double)(seen - n_near + KV_SINKS) / KV_BLOCK * r->index_bytes -
           2.0 * n_near * r->row_bytes;
}

/* The rows of a key head that make up the share. How many values will be read is not known before
 * the keys are: it is taken from the token's layers so far, and what these have left or overdrawn
 * is spread over the layers to come. So it depends on nothing but the token. */
static int rows_by_share(const struct read *r)
{
    const struct spent *s = r->spent;
    const struct kv_indexed *x = r->x;
    int n_left = r->c->kv->shape.n_layer - r->c->layer;
    double each = bytes_for_rows(r), n_first = VALUES_FIRST_ROWS;
    double over = each * s->n_layers * x->n_kv_head - (double)s->bytes;
    double values = (VALUES_FIRST * n_first + (double)s->n_values) / (n_first + (double)s->n_rows);
    double n = (each + over / ((double)n_left * x->n_kv_head)) /
               ((1 + values) * (double)r->row_bytes);
    return n < ROWS_LEAST ? ROWS_LEAST : n < SESSION_ROWS_MAX ? (int)n : SESSION_ROWS_MAX;
}

/* So many as were asked for of up to SESSION_ROWS_AT tokens; beyond these the same share, so that
 * of the cache a token always reads about as much, and no head finds less of what it wants. */
static int rows_asked(const struct kv *kv, int n_far)
{
    int64_t n = (int64_t)kv->far.n_chosen * n_far / SESSION_ROWS_AT;
    if (n_far <= SESSION_ROWS_AT)
        return kv->far.n_chosen;
    return n < SESSION_ROWS_MAX ? (int)n : SESSION_ROWS_MAX;
}

int kv_index_from(void)
{
    return (FAR_BLOCKS + 1) * KV_BLOCK;
}

int kv_indexed_far(const struct attention_call *c, int pos)
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

/* Blocks of a span. */
static int blocks_of(const struct read *r, int span)
{
    int n = r->n_far / KV_BLOCK - span * SPAN_BLOCKS;
    return n < SPAN_BLOCKS ? n : SPAN_BLOCKS;
}

/* Where the numbers of a span, or of a part, lie for a query head. */
static size_t place(const struct read *r, int i, int h)
{
    return (size_t)i * (size_t)r->group + (size_t)h;
}

static const float *queries(const struct read *r, int head)
{
    return r->q + head * r->group * r->dim;
}

static float *codes_of(const struct read *r, const struct work *w, int span, int h)
{
    return w->code + place(r, span, h) * SPAN;
}

/* Which head of a block it is. */
static size_t head_number(const struct read *r, int head)
{
    return (size_t)(r->c->layer * r->x->n_kv_head + head);
}

static const void *index_of(const struct read *r, int head, int block)
{
    return r->c->kv->blocks[block].index + head_number(r, head) * r->index_bytes;
}

/* The key rows of n positions, behind each of which its value lies; NULL where the block is held
 * exactly. */
static void find_rows(const struct read *r, int head, const int *pos, int n, const void **row)
{
    const struct kv_block *blocks = r->c->kv->blocks;
    size_t first = head_number(r, head) * KV_BLOCK * 2 * r->row_bytes;
    for (int i = 0; i < n; i++) {
        const struct kv_block *b = &blocks[(unsigned)pos[i] / KV_BLOCK];
        size_t at = first + (unsigned)pos[i] % KV_BLOCK * 2 * r->row_bytes;
        row[i] = b->form == KV_Q8 ? b->data + at : NULL;
    }
}

static struct coded_rows coded(const struct read *r, const void *const *row, int n, size_t step)
{
    return (struct coded_rows){ row, n, (size_t)r->dim, r->group, step };
}

/* The mean keys or values of a span's blocks. */
static struct coded_rows means_of(const struct read *r, int head, int span, bool value,
                                  const void **row)
{
    int n = blocks_of(r, span);
    for (int b = 0; b < n; b++)
        row[b] = codec_index_mean(index_of(r, head, span * SPAN_BLOCKS + b), r->dim, value);
    return coded(r, row, n, SPAN_BLOCKS);
}

/* ---- scoring ------------------------------------------------------------------------------- */

static void prepare(const struct read *r, int head)
{
    struct work *w = &r->x->work[head];
    size_t dim = (size_t)r->dim;
    memcpy(w->turned, queries(r, head), (size_t)r->group * dim * sizeof *w->turned);
    for (int h = 0; h < r->group; h++) {
        float *turned = w->turned + h * r->dim;
        if (r->c->kv->far.bias)
            kv_bias_query(r->c->kv->far.bias, r->c->layer, head, turned, w->bias + h * r->dim);
        codec_turn(turned, r->dim);
        w->factor[h] = r->k->index_table(turned, dim / 4,
                                         w->table + (size_t)h * dim / 4 * CODEC_POINTS);
    }
    w->n_near = 0;
    for (int i = 0; i < KV_SINKS; i++)
        w->list[w->n_near++] = i;
    for (int pos = r->n_far; pos <= r->pos; pos++)
        w->list[w->n_near++] = pos;
    atomic_store(&w->left, r->n_spans + 1);
}

/* Asks for the index of a block that will be read soon: blocks lie apart, so the processor does not
 * foresee it. */
static void fetch_index(const struct read *r, int head, int block)
{
    if (block * KV_BLOCK >= r->n_far)
        return;
    const char *index = index_of(r, head, block);
    for (size_t i = 0; i < r->index_bytes; i += 64)
        __builtin_prefetch(index + i);
}

/* Where it stands what the bias adds to a query head's score of a position. */
static float *bias_of(const struct read *r, const struct work *w, int pos, int h)
{
    return w->by_bias + place(r, pos / SPAN, h) * SPAN + pos % SPAN;
}

/* What the bias adds to a query head's scores of a block's rows. */
static const float *score_bias(const struct read *r, int head, int h, int block, float *out)
{
    const float *ab = r->x->work[head].bias + h * r->dim;
    const struct kv *kv = r->c->kv;
    memset(out, 0, KV_BLOCK * sizeof *out);
    kv_bias_score(kv->far.bias, r->k, r->c->layer, head, kv->blocks[block].at, ab, out);
    return out;
}

/* The same, in their scores, for rows [from, from + n) of the list. */
static void add_bias(const struct read *r, int head, int from, int n, const void *const *row)
{
    struct work *w = &r->x->work[head];
    for (int i = 0; r->c->kv->far.bias && i < n; i++)
        for (int h = 0; row[i] && h < r->group; h++)
            w->score[h * LIST_ROOM + from + i] += *bias_of(r, w, w->list[from + i], h);
}

/* And for the near ones. The block of the first tokens is also a far one, whose numbers another
 * thread writes. */
static void add_near_bias(const struct read *r, int head, const void *const *row)
{
    struct work *w = &r->x->work[head];
    float first[KV_BLOCK];
    for (int h = 0; r->c->kv->far.bias && h < r->group; h++) {
        for (int b = r->n_far / KV_BLOCK; b <= r->pos / KV_BLOCK; b++)
            score_bias(r, head, h, b, bias_of(r, w, b * KV_BLOCK, h));
        score_bias(r, head, h, 0, first);
        for (int i = 0; i < KV_SINKS; i++)
            w->score[h * LIST_ROOM + i] += row[i] ? first[i] : 0;
    }
    add_bias(r, head, KV_SINKS, w->n_near - KV_SINKS, row + KV_SINKS);
}

static void score_block(const struct read *r, int head, int span, int b, const float *mean)
{
    const struct work *w = &r->x->work[head];
    const struct kv *kv = r->c->kv;
    size_t dim = (size_t)r->dim;
    int block = span * SPAN_BLOCKS + b;
    const void *index = index_of(r, head, block);
    float scale[KV_BLOCK];
    fetch_index(r, head, block + 2);
    r->k->index_scales(codec_index_levels(index, r->dim),
                       r->x->power + codec_index_power(index, r->dim), scale);
    for (int h = 0; h < r->group; h++) {
        float *out = codes_of(r, w, span, h) + b * KV_BLOCK;
        r->k->index_score(index, dim / 4, w->table + (size_t)h * dim / 4 * CODEC_POINTS, scale,
                          w->factor[h], mean[h * SPAN_BLOCKS + b], out);
        if (kv->far.bias)
            r->k->add(out, score_bias(r, head, h, block, bias_of(r, w, block * KV_BLOCK, h)),
                      KV_BLOCK);
    }
}

/* Scores of n rows to exponentials; their maximum and sum. */
static void weigh(const struct read *r, float *score, int n, float *top, float *sum)
{
    *top = r->k->max(score, (size_t)n);
    *sum = r->k->exp_sum(score, (size_t)n, *top, r->c->scale);
}

static void score_span(const struct read *r, int head, int span)
{
    struct work *w = &r->x->work[head];
    const void *row[SPAN_BLOCKS];
    float mean[KV_GROUP_MAX * SPAN_BLOCKS];
    struct coded_rows means = means_of(r, head, span, false, row);
    r->k->score_q8(&means, queries(r, head), mean);
    for (int b = 0; b < means.n; b++)
        score_block(r, head, span, b, mean);
    for (int h = 0; h < r->group; h++) {
        float *code = codes_of(r, w, span, h);
        for (int i = 0; span == 0 && i < KV_SINKS; i++)
            code[i] = -INFINITY;
        weigh(r, code, means.n * KV_BLOCK, &w->top[place(r, span, h)],
              &w->sum[place(r, span, h)]);
    }
}

/* Row `at` of the list, of a block that is held exactly (kv_exact.h): its scores, or its value
 * added to the results. */
static void read_exact(const struct read *r, int head, int at, float *mixed)
{
    const struct kernels *k = r->k;
    const struct kv *kv = r->c->kv;
    struct work *w = &r->x->work[head];
    int pos = w->list[at], block = pos / KV_BLOCK;
    size_t dim = (size_t)r->dim, row = (size_t)(pos % KV_BLOCK) * dim * kv->element_bytes;
    bool f32 = kv->shape.type == KV_F32;
    const char *keys = kv_keys(kv, r->c->layer, block, head);
    const char *values = kv_values(kv, r->c->layer, block, head);
    for (int h = 0; h < r->group; h++) {
        float *score = w->score + h * LIST_ROOM + at;
        if (mixed)
            (f32 ? k->mix_f32 : k->mix_f16)(score, values + row, 1, dim, mixed + h * r->dim);
        else
            (f32 ? k->score_f32 : k->score_f16)(queries(r, head) + h * r->dim, keys + row, 1, dim,
                                                score);
    }
}

/* Goes from the keys of a part's rows [from, n) to their values. Those of far rows that have next
 * to nothing of the attention, now that their keys are read, are not read: the mean of their block
 * stands for them. */
static void find_values(const struct read *r, int head, int part, int n, const void **row)
{
    struct work *w = &r->x->work[head];
    float least = VALUE_LEAST * (float)r->group / (float)r->most, length[PART];
    size_t first = (size_t)part * PART, whole = ((size_t)n + 15) / 16 * 16;
    r->k->lengths(w->score + first, LIST_ROOM, w->part_share + place(r, part, 0), r->group, whole,
                  length);
    for (int i = 0; i < n; i++) {
        int at = (int)first + i;
        if (!row[i])
            continue;
        row[i] = (const char *)row[i] + r->row_bytes;
        if (at < w->n_near || length[i] >= least)
            continue;
        row[i] = codec_index_mean(index_of(r, head, w->list[at] / KV_BLOCK), r->dim, true);
        w->n_spared[part]++;
    }
}

/* Rows [from, from + n) of the list, PART of them at most, that begin at row[]: their scores, or
 * their values added to the results. */
static void read_list(const struct read *r, int head, int from, int n, const void *const *row,
                      float *mixed)
{
    struct work *w = &r->x->work[head];
    for (int i = 0, j = 0; i < n; i = j) {
        for (; j < n && !row[j] == !row[i]; j++)
            if (!row[j])
                read_exact(r, head, from + j, mixed);
        if (!row[i])
            continue;
        struct coded_rows rows = coded(r, row + i, j - i, LIST_ROOM);
        if (mixed)
            r->k->mix_q8(&rows, w->score + from + i, mixed);
        else
            r->k->score_q8(&rows, queries(r, head), w->score + from + i);
    }
}

static void score_near(const struct read *r, int head)
{
    struct work *w = &r->x->work[head];
    const void *row[NEAR_MAX];
    float copy[NEAR_MAX];
    find_rows(r, head, w->list, w->n_near, row);
    read_list(r, head, 0, w->n_near, row, NULL);
    add_near_bias(r, head, row);
    for (int h = 0; h < r->group; h++) {
        memcpy(copy, w->score + h * LIST_ROOM, (size_t)w->n_near * sizeof *copy);
        weigh(r, copy, w->n_near, &w->top[place(r, r->n_spans, h)],
              &w->sum[place(r, r->n_spans, h)]);
    }
}

/* ---- choosing ------------------------------------------------------------------------------ */

/* What the exponentials of each span, and of the near rows, are worth as shares of a head's mass.
 * Returns the first tokens' mass. */
static float weigh_spans(const struct read *r, struct work *w)
{
    float sinks = 0;
    for (int h = 0; h < r->group; h++) {
        float top = -INFINITY, all = 0;
        for (int s = 0; s <= r->n_spans; s++)
            top = fmaxf(top, w->top[place(r, s, h)]);
        for (int s = 0; s <= r->n_spans; s++) {
            size_t at = place(r, s, h);
            w->weight[at] = expf((w->top[at] - top) * r->c->scale);
            all += w->sum[at] * w->weight[at];
        }
        for (int s = 0; s <= r->n_spans; s++)
            w->weight[place(r, s, h)] /= all;
        w->head_top[h] = top;
        w->head_sum[h] = all;
        size_t last = place(r, r->n_spans, h);
        for (int i = 0; i < KV_SINKS; i++)
            sinks += expf((w->score[h * LIST_ROOM + i] - w->top[last]) * r->c->scale) *
                     w->weight[last];
    }
    return sinks;
}

/* What is worth more than high is chosen, what is worth low or less is not, and of what lies
 * between as many as there is room for. */
struct border {
    float low, high;
};

/* Narrows the range in which the border lies until there is about as much above it as is wanted,
 * all but `left` of `all`, or nearly as many as there may be. Begins where it often is, near the
 * mean, and goes in steps that double until it is passed; then the range is halved. */
static struct border find_border(const struct read *r, const struct work *w, float all, float left)
{
    size_t n_far = (size_t)r->n_far, most = (size_t)r->most;
    uint32_t low = bits_of_float(left / (float)r->n_far), high = bits_of_float(2 * all);
    uint32_t at = bits_of_float(2 * all / (float)r->n_far), step = OCTAVE;
    while (high - low > STEP && at > low && at < high) {
        float worth;
        size_t n = r->k->sum_above(w->worth, n_far, float_of_bits(at), &worth);
        bool more = n <= most && all - worth > left;
        *(more ? &high : &low) = at;
        if (more && most - n <= most / 32)
            break;
        uint32_t half = (high - low) / 2, move = half < step ? half : step;
        at = more ? high - move : low + move;
        step *= 2;
    }
    return (struct border){ float_of_bits(low), float_of_bits(high) };
}

/* Adds a position to the list; its exponentials become 0. */
static void take(const struct read *r, struct work *w, int pos)
{
    float *code = codes_of(r, w, (int)((unsigned)pos / SPAN), 0) + (unsigned)pos % SPAN;
    w->list[w->n_list++] = pos;
    for (int h = 0; h < r->group; h++)
        code[h * SPAN] = 0;
}

/* Adds the chosen to the list, in the order of their positions. all: what the far positions are
 * worth together; left: what need not be chosen of it. */
static void choose(const struct read *r, struct work *w, float all, float left)
{
    int most = r->most, over = 0, between = 0;
    struct border b = find_border(r, w, all, left);
    int n = (int)r->k->find_above(w->worth, (size_t)r->n_far, b.low, w->found);
    for (int i = 0; i < n; i++)
        over += w->worth[w->found[i]] > b.high;
    for (int i = 0; i < n && w->n_list < w->n_near + most; i++)
        if (w->worth[w->found[i]] > b.high || between++ < most - over)
            take(r, w, w->found[i]);
}

/* What a position is worth is the length of the vector of its shares in the attention of each
 * head. Were it their sum, several heads that want a little of it would count as much as one that
 * looks nowhere else, and it is the errors' squares that add up. */
static void select_rows(const struct read *r, int head)
{
    struct work *w = &r->x->work[head];
    float sinks = weigh_spans(r, w), all = 0;
    w->n_list = w->n_near;
    for (int s = 0; s < r->n_spans; s++)
        all += r->k->lengths(codes_of(r, w, s, 0), SPAN, w->weight + place(r, s, 0), r->group,
                             (size_t)blocks_of(r, s) * KV_BLOCK, w->worth + s * SPAN);
    choose(r, w, all, ((float)r->group - sinks) * MASS_LEFT);
}

/* ---- adding up ----------------------------------------------------------------------------- */

static float *clear_part(const struct read *r, const struct work *w, int i)
{
    float *out = w->part + place(r, i, 0) * (size_t)r->dim;
    memset(out, 0, (size_t)(r->group * r->dim) * sizeof *out);
    return out;
}

/* The rows of a part of the list. The near ones have their scores. */
static void add_part(const struct read *r, int head, int part)
{
    struct work *w = &r->x->work[head];
    int from = part * PART, n = w->n_list - from < PART ? w->n_list - from : PART;
    w->n_spared[part] = 0;
    if (n <= 0) {
        for (int h = 0; h < r->group; h++)
            w->part_top[place(r, part, h)] = -INFINITY;
        return;
    }
    const void *row[PART];
    int near = from < w->n_near ? w->n_near - from : 0;
    near = near < n ? near : n;
    find_rows(r, head, w->list + from, n, row);
    read_list(r, head, from + near, n - near, row + near, NULL);
    add_bias(r, head, from + near, n - near, row + near);
    for (int h = 0; h < r->group; h++) {
        size_t at = place(r, part, h);
        weigh(r, w->score + h * LIST_ROOM + from, n, &w->part_top[at], &w->part_sum[at]);
        w->part_share[at] = expf((w->part_top[at] - w->head_top[h]) * r->c->scale) /
                            w->head_sum[h];
    }
    find_values(r, head, part, n, row);
    read_list(r, head, from, n, row, clear_part(r, w, part));
}

/* The means of a span's blocks, each with what is left of its block. */
static void add_means(const struct read *r, int head, int span)
{
    struct work *w = &r->x->work[head];
    const void *row[SPAN_BLOCKS];
    float rest[KV_GROUP_MAX * SPAN_BLOCKS];
    struct coded_rows means = means_of(r, head, span, true, row);
    int part = r->n_parts + span;
    for (int h = 0; h < r->group; h++) {
        float sum = 0, *block = rest + h * SPAN_BLOCKS;
        r->k->score_f32(r->x->ones, codes_of(r, w, span, h), means.n, KV_BLOCK, block);
        for (int b = 0; b < means.n; b++)
            sum += block[b];
        w->part_top[place(r, part, h)] = w->top[place(r, span, h)];
        w->part_sum[place(r, part, h)] = sum;
    }
    r->k->mix_q8(&means, rest, clear_part(r, w, part));
}

static void merge(const struct read *r, int head)
{
    const struct work *w = &r->x->work[head];
    size_t dim = (size_t)r->dim;
    int n_parts = r->n_parts + r->n_spans;
    for (int h = 0; h < r->group; h++) {
        float *out = r->out + (head * r->group + h) * r->dim, top = -INFINITY, all = 0;
        memset(out, 0, dim * sizeof *out);
        for (int i = 0; i < n_parts; i++)
            top = fmaxf(top, w->part_top[place(r, i, h)]);
        for (int i = 0; i < n_parts; i++) {
            size_t at = place(r, i, h);
            if (w->part_top[at] == -INFINITY)
                continue;
            float f = expf((w->part_top[at] - top) * r->c->scale);
            r->k->mix_f32(&f, w->part + at * dim, 1, dim, out);
            all += f * w->part_sum[at];
        }
        r->k->scale(out, 1 / all, dim);
    }
}

/* ---- the door ------------------------------------------------------------------------------ */

static void run_scores(void *data, int item, int thread)
{
    const struct read *r = data;
    int each = r->n_spans + 1, head = item / each, span = item % each;
    (void)thread;
    if (span < r->n_spans)
        score_span(r, head, span);
    else
        score_near(r, head);
    if (atomic_fetch_sub(&r->x->work[head].left, 1) == 1)
        select_rows(r, head);
}

/* The parts of all heads before the means, which are less work. */
static void run_parts(void *data, int item, int thread)
{
    const struct read *r = data;
    int n_parts = r->n_parts * r->x->n_kv_head;
    (void)thread;
    if (item < n_parts)
        add_part(r, item % r->x->n_kv_head, item / r->x->n_kv_head);
    else
        add_means(r, (item - n_parts) / r->n_spans, (item - n_parts) % r->n_spans);
}

/* The mass of the rows in the list, by the index: what the means do not stand for. */
static double read_mass(const struct read *r, const struct work *w)
{
    double rest = 0;
    for (int s = 0; s < r->n_spans; s++)
        for (int h = 0; h < r->group; h++)
            rest += w->part_sum[place(r, r->n_parts + s, h)] * w->weight[place(r, s, h)];
    return 1 - rest / r->group;
}

static void count(const struct read *r, int head)
{
    struct kv_indexed *x = r->x;
    const struct work *w = &x->work[head];
    const struct kv *kv = r->c->kv;
    size_t exact = 2 * kv->head_bytes / KV_BLOCK;
    uint64_t near = 0, chosen = 0, n_spared = 0;
    for (int i = 0; i < w->n_list; i++) {
        bool q8 = kv->blocks[(unsigned)w->list[i] / KV_BLOCK].form == KV_Q8;
        *(i < w->n_near ? &near : &chosen) += q8 ? 2 * r->row_bytes : exact;
    }
    for (int i = 0; i < r->n_parts; i++)
        n_spared += (uint64_t)w->n_spared[i];
    chosen -= n_spared * r->row_bytes;
    r->spent->bytes += chosen;
    r->spent->n_rows += (uint64_t)(w->n_list - w->n_near);
    r->spent->n_values += (uint64_t)(w->n_list - w->n_near) - n_spared;
    x->bytes += (size_t)r->n_far / KV_BLOCK * r->index_bytes + near + chosen;
    x->n_reads++;
    x->n_rows += (uint64_t)w->n_list;
    x->n_allowed += (uint64_t)r->most;
    x->n_values += (uint64_t)w->n_list - n_spared;
    x->mass += read_mass(r, w);
}

void kv_indexed_run(struct kv_indexed *x, const struct attention *a,
                    const struct attention_call *c, int t, int n_far)
{
    size_t at = (size_t)t * (size_t)a->shape.n_head * (size_t)a->shape.head_dim;
    struct read r = { .x = x, .c = c, .k = a->kernels, .pos = c->pos + t, .n_far = n_far,
                      .spent = spent_of(x, c->layer, c->pos + t),
                      .n_spans = (n_far + SPAN - 1) / SPAN, .group = x->group, .dim = x->dim,
                      .row_bytes = codec_q8_row(x->dim),
                      .index_bytes = codec_index_bytes(x->dim), .q = c->q + at,
                      .out = c->out + at };
    r.most = c->kv->far.n_chosen > 0 ? rows_asked(c->kv, n_far) : rows_by_share(&r);
    r.n_parts = (NEAR_MAX + r.most + PART - 1) / PART;
    for (int h = 0; h < x->n_kv_head; h++)
        prepare(&r, h);
    pool_run(a->pool, run_scores, &r, x->n_kv_head * (r.n_spans + 1));
    pool_run(a->pool, run_parts, &r, x->n_kv_head * (r.n_parts + r.n_spans));
    for (int h = 0; h < x->n_kv_head; h++) {
        merge(&r, h);
        count(&r, h);
    }
    r.spent->n_layers++;
}
