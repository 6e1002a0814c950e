/* attention.c -- see attention.h.
 *
 * A tile is some tokens' queries of all the query heads that share one head of the cache. A block
 * of keys is unpacked once for all of them, their scores are one product of matrices, and so it is
 * with the values.
 *
 * Many tokens: a work item is one tile, which goes through all spans. Few tokens, as in decoding:
 * there is one tile a head, and a work item is one span of it; the caller merges. */
#include "engine/attention.h"

#include <math.h>
#include <string.h>

#include "engine/kv_far.h"
#include "engine/kv_read.h"
#include "engine/mem.h"

#define FEW_TOKENS   8    /* up to so many, spans are work items */
#define PANEL_N      48   /* queries of a tile, about, which pay the packing of a block */
#define ATTEND_N     384  /* the same where the kernels have their own way */

/* How rows of an element type are unpacked. */
struct element {
    pack_fn *pack_keys, *pack_values;
};

static struct element element_of(const struct panel_kernels *k, bool is_half)
{
    if (is_half)
        return (struct element){ k->keys_f16, k->values_f16 };
    return (struct element){ k->keys_f32, k->values_f32 };
}

/* True if the kernels have a way of their own for the call. */
static bool by_attend(const struct attention *a, const struct attention_call *c)
{
    return c->rounds && a->kernels->attend;
}

/* ---- memory -------------------------------------------------------------------------------- */

static int group_of(const struct attention_shape *s)
{
    return s->n_head / s->n_kv_head;
}

/* Tokens of a tile of about n queries. */
static int tokens_of(const struct attention_shape *s, int n)
{
    n /= group_of(s);
    return n > FEW_TOKENS ? n : FEW_TOKENS;
}

/* Tokens of a tile where there are many. */
static int tile_tokens(const struct attention *a, const struct attention_call *c)
{
    return tokens_of(&a->shape, by_attend(a, c) ? ATTEND_N : PANEL_N);
}

/* Floats of a row of results. */
static size_t width_of(const struct attention_shape *s)
{
    return attend_width((size_t)s->head_dim);
}

/* Room for the queries of n tokens. */
static size_t rows_for(const struct attention_shape *s, int n_tokens)
{
    size_t n = (size_t)(n_tokens * group_of(s));
    return (n + ATTEND_QUERIES - 1) / ATTEND_QUERIES * ATTEND_QUERIES;
}

/* The running softmax of n queries: out = sum exp(s - max) v, not yet divided by sum. */
struct running {
    float *max, *sum;   /* [n] */
    float *out;         /* [n][width_of()] */
};

static size_t running_floats(const struct attention_shape *s, int n_tokens)
{
    return rows_for(s, n_tokens) * (2 + width_of(s));
}

static struct running running_at(const struct attention_shape *s, int n_tokens, float *at)
{
    size_t n = rows_for(s, n_tokens);
    return (struct running){ at, at + n, at + 2 * n };
}

/* What a thread computes in. */
struct scratch {
    float *panels;           /* a block's keys or values; or what the kernels' own way needs */
    float *rows;             /* [2][KV_BLOCK][head_dim] the same decoded, where it is coded */
    float *q;                /* [queries][width_of()] */
    float *score;            /* [queries][KV_BLOCK] */
    struct running all, span;
};

static size_t scratch_floats(const struct attention_shape *s)
{
    int tokens = tokens_of(s, ATTEND_N);
    size_t n = rows_for(s, tokens), dim = (size_t)s->head_dim;
    size_t floats = attend_bytes(dim) / sizeof(float) + width_of(s) * n + n * KV_BLOCK +
                    2 * KV_BLOCK * dim + 2 * running_floats(s, tokens);
    return (floats + 15) / 16 * 16;  /* threads share no line */
}

static struct scratch scratch_of(const struct attention *a, int thread)
{
    const struct attention_shape *s = &a->shape;
    int tokens = tokens_of(s, ATTEND_N);
    size_t n = rows_for(s, tokens), dim = (size_t)s->head_dim;
    struct scratch w;
    w.panels = a->scratch + (size_t)thread * scratch_floats(s);
    w.q = w.panels + attend_bytes(dim) / sizeof(float);
    w.score = w.q + width_of(s) * n;
    float *rest = w.score + n * KV_BLOCK;
    w.all = running_at(s, tokens, rest);
    w.span = running_at(s, tokens, rest + running_floats(s, tokens));
    w.rows = rest + 2 * running_floats(s, tokens);
    return w;
}

static size_t parts_floats(const struct attention_shape *s)
{
    size_t n_spans = ((size_t)s->n_ctx + ATTENTION_SPAN - 1) / ATTENTION_SPAN;
    return n_spans * (size_t)s->n_kv_head * running_floats(s, FEW_TOKENS);
}

size_t attention_bytes(const struct attention_shape *s, int n_threads)
{
    return ((size_t)n_threads * scratch_floats(s) + parts_floats(s)) * sizeof(float);
}

bool attention_init(struct attention *a, const struct attention_shape *shape,
                    const struct kernels *k, struct pool *pool, struct err *err)
{
    *a = (struct attention){ .kernels = k, .pool = pool, .shape = *shape };
    int n_threads = pool_n_threads(pool);
    a->scratch = mem_alloc_n((size_t)n_threads * scratch_floats(shape), sizeof(float));
    a->parts = mem_alloc_n(parts_floats(shape), sizeof(float));
    if (a->scratch && a->parts)
        return true;
    attention_release(a);
    return err_set(err, ERR_NOMEM, "not enough memory: %zu bytes for attention",
                   attention_bytes(shape, n_threads));
}

void attention_release(struct attention *a)
{
    mem_free(a->scratch);
    mem_free(a->parts);
    *a = (struct attention){0};
}

/* ---- storing ------------------------------------------------------------------------------- */

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
    bool coded = kv->blocks[block].form != KV_ROWS;
    for (int h = 0; h < kv->shape.n_kv_head; h++) {
        int at = h * kv->shape.head_dim;
        if (coded) {
            kv_store_q8(kv, layer, pos, h, key + at, value + at);
            continue;
        }
        store_row(k, kv, key + at, kv_keys(kv, layer, block, h), row);
        store_row(k, kv, value + at, kv_values(kv, layer, block, h), row);
    }
}

/* ---- one tile ------------------------------------------------------------------------------ */

struct tile {
    const struct attention *a;
    const struct attention_call *c;
    int kv_head, group;
    int n, pos;              /* n tokens from position pos on */
    const float *q;          /* [n][group][head_dim], or as the kernels' own way takes them */
};

/* The first position that a token at pos sees. */
static int first_seen(const struct attention_call *c, int pos)
{
    return c->window > 0 && pos >= c->window ? pos - c->window + 1 : 0;
}

/* One query's scores of the first n rows of block b become weights; those of rows that the token at
 * pos does not see become 0. A larger maximum rescales what is there: exp(old - new). */
static void weigh(const struct tile *t, const struct running *r, int i, int pos, int b,
                  float *score, int n)
{
    const struct kernels *k = t->a->kernels;
    int from = first_seen(t->c, pos) - b * KV_BLOCK, to = pos + 1 - b * KV_BLOCK;
    from = from > 0 ? from : 0;
    to = to < n ? to : n;
    if (from >= to) {
        memset(score, 0, (size_t)n * sizeof *score);
        return;
    }
    memset(score, 0, (size_t)from * sizeof *score);
    memset(score + to, 0, (size_t)(n - to) * sizeof *score);
    size_t n_seen = (size_t)(to - from), dim = width_of(&t->a->shape);
    float max = k->max(score + from, n_seen);
    if (max > r->max[i]) {
        float keep = expf((r->max[i] - max) * t->c->scale);
        k->scale(r->out + (size_t)i * dim, keep, dim);
        r->sum[i] *= keep;
        r->max[i] = max;
    }
    r->sum[i] += k->exp_sum(score + from, n_seen, r->max[i], t->c->scale);
}

/* The rows of block b, of which the tile needs the first n: as they lie there, or decoded. */
struct rows {
    const void *keys, *values;
    bool is_half;
};

static struct rows rows_of(const struct tile *t, const struct scratch *w, int b, int n)
{
    const struct kernels *k = t->a->kernels;
    const struct kv *kv = t->c->kv;
    int layer = t->c->layer, dim = kv->shape.head_dim;
    if (kv->blocks[b].form == KV_ROWS)
        return (struct rows){ kv_keys(kv, layer, b, t->kv_head),
                              kv_values(kv, layer, b, t->kv_head), kv->shape.type == KV_F16 };
    float *keys = w->rows, *values = keys + KV_BLOCK * dim;
    kv_decode(kv, k, layer, b, t->kv_head, n, keys, values);
    return (struct rows){ keys, values, false };
}

/* Where the rows of the block behind b begin, to be fetched ahead; or any other address. */
static struct rows rows_ahead(const struct tile *t, int b)
{
    const struct kv *kv = t->c->kv;
    int layer = t->c->layer, head = t->kv_head;
    bool is_half = kv->shape.type == KV_F16;
    if (b + 1 >= kv->n_blocks)
        return (struct rows){ kv->blocks[b].data, kv->blocks[b].data, is_half };
    if (kv->blocks[b + 1].form == KV_ROWS)
        return (struct rows){ kv_keys(kv, layer, b + 1, head), kv_values(kv, layer, b + 1, head),
                              is_half };
    const void *coded = kv_head(kv, layer, b + 1, head);
    return (struct rows){ coded, coded, is_half };
}

/* Rows of a block by the kernels' own way. */
static void attend_block(const struct tile *t, const struct scratch *w, const struct running *r,
                         int b, int n)
{
    const struct attention_shape *s = &t->a->shape;
    struct rows rows = rows_of(t, w, b, n), next = rows_ahead(t, b);
    t->a->kernels->attend(&(struct attend){
        .q = t->q, .n_queries = t->n * t->group, .group = t->group, .keys = rows.keys,
        .values = rows.values, .ahead = { next.keys, next.values }, .is_half = rows.is_half,
        .n = n, .dim = (size_t)s->head_dim,
        .pos = t->pos - b * KV_BLOCK, .window = t->c->window, .scale = t->c->scale,
        .max = r->max, .sum = r->sum, .out = r->out, .work = w->panels,
        .weights = w->score });
}

/* The same by products of panels. */
static void add_panels(const struct tile *t, const struct scratch *w, const struct running *r,
                       int b, int n)
{
    const struct kernels *k = t->a->kernels;
    size_t dim = (size_t)t->a->shape.head_dim, width = width_of(&t->a->shape);
    int n_queries = t->n * t->group;
    struct rows rows = rows_of(t, w, b, n);
    struct element element = element_of(&k->panels, rows.is_half);
    element.pack_keys(rows.keys, n, dim, rows.values, w->panels);
    k->panels.multiply(&(struct panels){
        .a = t->q, .a_step = dim, .n_a = n_queries, .b = w->panels, .n = (int)dim,
        .n_b = (n + PANEL - 1) / PANEL, .c = w->score, .c_step = KV_BLOCK });
    for (int i = 0; i < n_queries; i++)
        weigh(t, r, i, t->pos + i / t->group, b, w->score + i * KV_BLOCK, n);
    element.pack_values(rows.values, n, dim, rows_ahead(t, b).keys, w->panels);
    k->panels.multiply(&(struct panels){
        .a = w->score, .a_step = KV_BLOCK, .n_a = n_queries, .b = w->panels, .n = n,
        .n_b = (int)((dim + PANEL - 1) / PANEL), .c = r->out, .c_step = width, .add = true });
}

/* Adds what the tile sees of block b. */
static void add_block(const struct tile *t, const struct scratch *w, const struct running *r, int b)
{
    int end = t->pos + t->n - b * KV_BLOCK, n = end < KV_BLOCK ? end : KV_BLOCK;
    (by_attend(t->a, t->c) ? attend_block : add_panels)(t, w, r, b, n);
}

static void clear(const struct tile *t, const struct running *r)
{
    int n = t->n * t->group;
    for (int i = 0; i < n; i++) {
        r->max[i] = -INFINITY;
        r->sum[i] = 0;
    }
    memset(r->out, 0, (size_t)n * width_of(&t->a->shape) * sizeof *r->out);
}

static void run_span(const struct tile *t, const struct scratch *w, const struct running *r,
                     int span)
{
    const int n_blocks = ATTENTION_SPAN / KV_BLOCK;
    int first = first_seen(t->c, t->pos) / KV_BLOCK, last = (t->pos + t->n - 1) / KV_BLOCK;
    first = first > span * n_blocks ? first : span * n_blocks;
    last = last < (span + 1) * n_blocks ? last : (span + 1) * n_blocks - 1;
    clear(t, r);
    for (int b = first; b <= last; b++)
        add_block(t, w, r, b);
}

/* Adds a span, which is used up, to those before it. */
static void merge(const struct tile *t, const struct running *all, const struct running *span)
{
    const struct kernels *k = t->a->kernels;
    size_t dim = width_of(&t->a->shape);
    for (int i = 0; i < t->n * t->group; i++) {
        float *to = all->out + (size_t)i * dim, *from = span->out + (size_t)i * dim;
        bool larger = span->max[i] > all->max[i];
        float less = expf((larger ? all->max[i] - span->max[i] : span->max[i] - all->max[i]) *
                          t->c->scale);
        if (span->max[i] == -INFINITY)
            continue;
        k->scale(larger ? to : from, less, dim);
        *(larger ? &all->sum[i] : &span->sum[i]) *= less;
        k->add(to, from, dim);
        all->sum[i] += span->sum[i];
        all->max[i] = larger ? span->max[i] : all->max[i];
    }
}

static void write_out(const struct tile *t, const struct running *r)
{
    const struct attention_shape *s = &t->a->shape;
    size_t dim = (size_t)s->head_dim;
    for (int i = 0; i < t->n * t->group; i++) {
        int token = t->pos - t->c->pos + i / t->group, head = t->kv_head * t->group + i % t->group;
        float *out = t->c->out + ((size_t)token * (size_t)s->n_head + (size_t)head) * dim;
        memcpy(out, r->out + (size_t)i * width_of(s), dim * sizeof *out);
        t->a->kernels->scale(out, 1 / r->sum[i], dim);
    }
}

/* ---- work items ---------------------------------------------------------------------------- */

struct job {
    const struct attention *a;
    const struct attention_call *c;
    int first_span, n_spans;
};

/* The tile of tokens [from, from + n) of the call. */
static struct tile tile_of(const struct job *j, int kv_head, int from, int n)
{
    return (struct tile){
        .a = j->a, .c = j->c,
        .kv_head = kv_head, .group = group_of(&j->a->shape), .n = n, .pos = j->c->pos + from };
}

/* Brings the tile's queries, from token `from` of the call on, together. */
static void take_queries(struct tile *t, int from, float *q)
{
    const struct attention_shape *s = &t->a->shape;
    size_t dim = (size_t)s->head_dim, n = (size_t)t->group * dim, all = (size_t)s->n_head * dim;
    const float *in = t->c->q + (size_t)from * all + (size_t)t->kv_head * n;
    t->q = q;
    if (by_attend(t->a, t->c)) {
        const struct queries queries = { in, t->n * t->group, t->group, all, dim };
        t->a->kernels->take_queries(&queries, q);
        return;
    }
    for (int i = 0; i < t->n; i++)
        memcpy(q + (size_t)i * n, in + (size_t)i * all, n * sizeof *q);
}

/* All spans of the tile of tokens [from, from + n). */
static void run_whole(const struct job *j, int kv_head, int from, int n, int thread)
{
    struct scratch w = scratch_of(j->a, thread);
    struct tile t = tile_of(j, kv_head, from, n);
    take_queries(&t, from, w.q);
    clear(&t, &w.all);
    for (int i = first_seen(j->c, t.pos) / ATTENTION_SPAN;
         i <= (t.pos + t.n - 1) / ATTENTION_SPAN; i++) {
        run_span(&t, &w, &w.span, i);
        merge(&t, &w.all, &w.span);
    }
    write_out(&t, &w.all);
}

/* The last tiles, which see the most, come first, so that threads end together. */
static void run_tile(void *data, int item, int thread)
{
    const struct job *j = data;
    int n_kv_head = j->a->shape.n_kv_head, most = tile_tokens(j->a, j->c);
    int from = ((j->c->n + most - 1) / most - 1 - item / n_kv_head) * most, left = j->c->n - from;
    run_whole(j, item % n_kv_head, from, left < most ? left : most, thread);
}

/* A head of one of several calls. */
static void run_row(void *data, int item, int thread)
{
    struct job one = *(const struct job *)data;
    int n_kv_head = one.a->shape.n_kv_head;
    one.c += item / n_kv_head;
    if (!kv_read_wants(one.c, by_attend(one.a, one.c)))
        run_whole(&one, item % n_kv_head, 0, one.c->n, thread);
}

/* Where span i of the job leaves what it found for a head. */
static struct running part_of(const struct job *j, int i, int kv_head)
{
    const struct attention_shape *s = &j->a->shape;
    size_t at = (size_t)(i * s->n_kv_head + kv_head) * running_floats(s, FEW_TOKENS);
    return running_at(s, FEW_TOKENS, j->a->parts + at);
}

static void run_part(void *data, int item, int thread)
{
    const struct job *j = data;
    int n_kv_head = j->a->shape.n_kv_head, i = item / n_kv_head;
    struct scratch w = scratch_of(j->a, thread);
    struct tile t = tile_of(j, item % n_kv_head, 0, j->c->n);
    struct running part = part_of(j, i, t.kv_head);
    take_queries(&t, 0, w.q);
    run_span(&t, &w, &part, j->first_span + i);
}

/* All spans of few tokens, each with the same empty beginning as in run_tile(). */
static void merge_parts(const struct job *j, int kv_head)
{
    struct tile t = tile_of(j, kv_head, 0, j->c->n);
    struct scratch w = scratch_of(j->a, 0);
    clear(&t, &w.all);
    for (int i = 0; i < j->n_spans; i++) {
        struct running part = part_of(j, i, kv_head);
        merge(&t, &w.all, &part);
    }
    write_out(&t, &w.all);
}

static void run_one(const struct attention *a, const struct attention_call *c)
{
    const struct attention_shape *s = &a->shape;
    struct job j = { a, c, first_seen(c, c->pos) / ATTENTION_SPAN, 0 };
    j.n_spans = (c->pos + c->n - 1) / ATTENTION_SPAN + 1 - j.first_span;
    if (c->n > FEW_TOKENS) {
        int most = tile_tokens(a, c), n_tiles = (c->n + most - 1) / most;
        pool_run(a->pool, run_tile, &j, n_tiles * s->n_kv_head);
        return;
    }
    pool_run(a->pool, run_part, &j, j.n_spans * s->n_kv_head);
    for (int h = 0; h < s->n_kv_head; h++)
        merge_parts(&j, h);
}

void attention_run(const struct attention *a, const struct attention_call *c, int n)
{
    struct job j = { .a = a, .c = c };
    int n_rows = 0;
    for (int i = 0; i < n; i++)
        if (kv_read_wants(&c[i], by_attend(a, &c[i])))
            kv_read_run(a, &c[i]);
        else
            n_rows++;
    if (n == 1 && n_rows == 1)
        run_one(a, c);
    else if (n_rows > 0)
        pool_run(a->pool, run_row, &j, n * a->shape.n_kv_head);
}
