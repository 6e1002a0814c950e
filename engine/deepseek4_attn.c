/* deepseek4_attn.c -- attention of DeepSeek-V4 over a window and compressed rows.
 *
 *   qr     = norm(Wq_a h);  q[h] = rotate(rms((Wq_b qr)[h]));  kv = rotate(norm(Wkv h)) to the ring
 *   k, s   = Wkv' h, Wgate' h + ape to the compressor's ring; a full block becomes a row:
 *            row[c] = sum_t softmax_t(s[t][c]) k[t][c], normed, rotated as its first token
 *   score  = sum_h w[h] max(0, qI[h] . rowI[i]):  the best top_k rows are seen
 *   out[h] = sum_r softmax(q[h] . row[r] / sqrt(head_dim), and the sink) row[r], rotated back
 *   y      = Wout_b (Wout_a out, group by group)
 *
 * Every sum has an order that depends on positions alone, not on how the timeline was cut into
 * calls nor on the threads. */
#include "engine/deepseek4_run.h"

#include <math.h>
#include <string.h>

#include "engine/bind.h"

#define SEGMENT 256   /* rows that one item of the pool scores */

/* ---- small steps --------------------------------------------------------------------------- */

static const struct ds4_turn *turn_of(const struct forward *f)
{
    return f->l->ratio ? &f->stretched : &f->plain;
}

/* Rotates the last n_rot of width values. */
static void rotate(const struct forward *f, float *x, int width, const float *turn)
{
    int n = f->m->n_rot;
    f->k->rope_pairs(x + width - n, turn, (size_t)n / 2);
}

/* A row of floats as an element of the cache. */
static void store(const struct forward *f, const float *x, int width, void *to)
{
    if (f->cache->type == KV_F32)
        memcpy(to, x, (size_t)width * sizeof *x);
    else
        f->k->f16_of_f32(x, to, (size_t)width);
}

static void score_rows(const struct forward *f, const float *q, const void *rows, int n, int width,
                       float *out)
{
    if (f->cache->type == KV_F32)
        f->k->score_f32(q, rows, n, (size_t)width, out);
    else
        f->k->score_f16(q, rows, n, (size_t)width, out);
}

static void mix_rows(const struct forward *f, const float *w, const void *rows, int n, int width,
                     float *out)
{
    if (f->cache->type == KV_F32)
        f->k->mix_f32(w, rows, n, (size_t)width, out);
    else
        f->k->mix_f16(w, rows, n, (size_t)width, out);
}

/* ---- what the layer's input gives ---------------------------------------------------------- */

/* A token's values and scores to the ring of a compressor with so many channels. */
static void keep_state(const struct forward *f, const struct ds4_compressor *c,
                       const struct kv4_ring *ring, int t, float *kv, float *gate)
{
    int pos = f->call->pos + t, channels = c->kv.rows;
    float *to = kv4_ring_row(ring, pos);
    memcpy(to, ds4_row(kv, t, channels), (size_t)channels * sizeof *to);
    matrix_row(&c->ape, pos % f->l->ratio, to + channels);
    f->k->add(to + channels, ds4_row(gate, t, channels), (size_t)channels);
}

static void take_inputs(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    const struct kv4_layer *c = &f->cache->layers[f->layer];
    (void)thread;
    float *qr = ds4_row(f->qr, t, f->d->q_rank), *kv = ds4_row(f->kv, t, m->head_dim);
    f->k->rms_norm(qr, f->l->q_norm, m->norm_eps, (size_t)f->d->q_rank, qr);
    f->k->rms_norm(kv, f->l->kv_norm, m->norm_eps, (size_t)m->head_dim, kv);
    rotate(f, kv, m->head_dim, ds4_row(turn_of(f)->there, t, m->n_rot));
    store(f, kv, m->head_dim, kv4_ring_row(&c->window, f->call->pos + t));
    if (f->l->ratio)
        keep_state(f, &f->l->rows, &c->state, t, f->row_kv, f->row_gate);
    if (f->l->ratio == DS4_OVERLAP)
        keep_state(f, &f->l->index, &c->index_state, t, f->index_kv, f->index_gate);
}

static void take_queries(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    const struct deepseek4 *d = f->d;
    (void)thread;
    const float *turn = ds4_row(turn_of(f)->there, t, m->n_rot);
    for (int h = 0; h < m->n_head; h++) {
        float *q = ds4_row(f->q, t, m->d_q) + h * m->head_dim;
        f->k->rms_norm(q, f->ones, m->norm_eps, (size_t)m->head_dim, q);
        rotate(f, q, m->head_dim, turn);
    }
    if (f->l->ratio != DS4_OVERLAP)
        return;
    for (int h = 0; h < d->n_index_head; h++)
        rotate(f, ds4_row(f->index_q, t, d->n_index_head * d->d_index) + h * d->d_index,
               d->d_index, turn);
    f->k->scale(ds4_row(f->index_w, t, d->n_index_head),
                1 / sqrtf((float)d->d_index * (float)d->n_index_head), (size_t)d->n_index_head);
}

/* All products of h, then those of qr. */
static void project(struct forward *f)
{
    const struct ds4_layer *l = f->l;
    int n = f->call->n, ratio = l->ratio;
    const struct product of_h[] = {
        { &l->q_a, f->qr }, { &l->kv, f->kv }, { &l->rows.kv, f->row_kv },
        { &l->rows.gate, f->row_gate }, { &l->index.kv, f->index_kv },
        { &l->index.gate, f->index_gate }, { &l->index_weight, f->index_w },
    };
    const struct product of_qr[] = { { &l->q_b, f->q }, { &l->index_q, f->index_q } };
    matmul_run(&f->mm, f->h, n, of_h, ratio == DS4_OVERLAP ? 7 : ratio ? 4 : 2);
    pool_run(f->pool, take_inputs, f, n);
    matmul_run(&f->mm, f->qr, n, of_qr, ratio == DS4_OVERLAP ? 2 : 1);
    pool_run(f->pool, take_queries, f, n);
}

/* ---- compressed rows ----------------------------------------------------------------------- */

/* One channel after the other: the softmax over the tokens of its scores. */
struct pooling {
    int width;
    float max[HEAD_MAX], sum[HEAD_MAX], out[HEAD_MAX];
};

static void pool_max(struct pooling *p, const float *score)
{
    for (int c = 0; c < p->width; c++)
        p->max[c] = score[c] > p->max[c] ? score[c] : p->max[c];
}

static void pool_add(struct pooling *p, const float *score, const float *value)
{
    for (int c = 0; c < p->width; c++) {
        float e = expf(score[c] - p->max[c]);
        p->sum[c] += e;
        p->out[c] += e * value[c];
    }
}

/* The token at pos as a part of block i: its values; its scores are `channels` behind them. */
static const float *token_part(const struct forward *f, const struct kv4_ring *ring, int i,
                               int pos, int width)
{
    bool second_half = f->l->ratio == DS4_OVERLAP && pos >= i * DS4_OVERLAP;
    return (const float *)kv4_ring_row(ring, pos) + (second_half ? width : 0);
}

/* Row i of a compressor, rotated, to the cache. */
static void make_row(const struct forward *f, const struct ds4_compressor *c,
                     const struct kv4_ring *ring, int i, int width, void *to)
{
    int ratio = f->l->ratio, end = (i + 1) * ratio, n_rot = f->m->n_rot;
    int from = ratio == DS4_OVERLAP && i > 0 ? (i - 1) * ratio : i * ratio;
    int channels = c->kv.rows;
    const double *freq = f->freq + n_rot / 2;
    float turn[HEAD_MAX];
    struct pooling p = { .width = width };
    for (int j = 0; j < width; j++)
        p.max[j] = -INFINITY;
    for (int pos = from; pos < end; pos++)
        pool_max(&p, token_part(f, ring, i, pos, width) + channels);
    for (int pos = from; pos < end; pos++) {
        const float *value = token_part(f, ring, i, pos, width);
        pool_add(&p, value + channels, value);
    }
    for (int j = 0; j < width; j++)
        p.out[j] /= p.sum[j];
    for (int j = 0; j < n_rot / 2; j++) {
        turn[2 * j] = (float)cos(freq[j] * i * ratio);
        turn[2 * j + 1] = (float)sin(freq[j] * i * ratio);
    }
    f->k->rms_norm(p.out, c->norm, f->m->norm_eps, (size_t)width, p.out);
    rotate(f, p.out, width, turn);
    store(f, p.out, width, to);
}

/* The item-th block that is full with the tokens of the call. */
static void compress(void *data, int item, int thread)
{
    struct forward *f = data;
    const struct kv4_layer *c = &f->cache->layers[f->layer];
    int i = f->call->pos / f->l->ratio + item;
    (void)thread;
    make_row(f, &f->l->rows, &c->state, i, f->m->head_dim, kv4_row(f->cache, c, i));
    if (f->l->ratio == DS4_OVERLAP)
        make_row(f, &f->l->index, &c->index_state, i, f->d->d_index,
                 kv4_index_row(f->cache, c, i));
}

/* ---- the choice of rows -------------------------------------------------------------------- */

/* Full blocks that token t of the call sees. */
static int rows_seen(const struct forward *f, int t)
{
    return f->l->ratio ? (f->call->pos + t + 1) / f->l->ratio : 0;
}

static int n_segments(const struct forward *f)
{
    return (rows_seen(f, f->call->n - 1) + SEGMENT - 1) / SEGMENT;
}

/* Scores one segment of the rows for one token. Rows of a run lie in one block of the cache. */
static void score_segment(void *data, int item, int thread)
{
    struct forward *f = data;
    const struct deepseek4 *d = f->d;
    const struct kv4_layer *c = &f->cache->layers[f->layer];
    int t = item / n_segments(f), from = item % n_segments(f) * SEGMENT, seen = rows_seen(f, t);
    int end = seen < from + SEGMENT ? seen : from + SEGMENT;
    float *score = ds4_row(f->score, t, f->n_scores), one[KV4_RUN];
    const float *q = ds4_row(f->index_q, t, d->n_index_head * d->d_index);
    const float *w = ds4_row(f->index_w, t, d->n_index_head);
    (void)thread;
    if (seen <= d->top_k)
        return;
    for (int i = from; i < end; i += KV4_RUN) {
        int n = end - i < KV4_RUN ? end - i : KV4_RUN;
        const void *rows = kv4_index_row(f->cache, c, i);
        memset(score + i, 0, (size_t)n * sizeof *score);
        for (int h = 0; h < d->n_index_head; h++) {
            score_rows(f, q + h * d->d_index, rows, n, d->d_index, one);
            for (int j = 0; j < n; j++)
                score[i + j] += w[h] * (one[j] > 0 ? one[j] : 0);
        }
    }
}

/* True if row a is worse than row b: a smaller score, or the later one of equals. */
static bool worse(const float *score, int a, int b)
{
    return score[a] < score[b] || (!(score[a] > score[b]) && a > b);
}

/* Moves entry i of a heap of n rows, each worse than its children, down to its place. */
static void sift(const float *score, int *heap, int n, int i)
{
    for (;;) {
        int worst = i, row = heap[i];
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
            if (worse(score, heap[child], heap[worst]))
                worst = child;
        if (worst == i)
            return;
        heap[i] = heap[worst];
        heap[worst] = row;
        i = worst;
    }
}

/* The best n_pick of n rows, in ascending order; of equal ones the first. */
static void pick_best(float *score, int n, int *pick, int n_pick)
{
    for (int i = 0; i < n; i++)
        score[i] = score[i] == score[i] ? score[i] : -INFINITY;  /* NaN has no order */
    for (int i = 0; i < n_pick; i++)
        pick[i] = i;
    for (int i = n_pick / 2 - 1; i >= 0; i--)
        sift(score, pick, n_pick, i);
    for (int i = n_pick; i < n; i++)
        if (worse(score, pick[0], i)) {
            pick[0] = i;
            sift(score, pick, n_pick, 0);
        }
    int last = pick[0], k = 0;  /* the worst that was chosen */
    for (int i = 0; i < n && k < n_pick; i++)
        if (i == last || worse(score, last, i))
            pick[k++] = i;
}

static void choose_rows(void *data, int t, int thread)
{
    struct forward *f = data;
    int seen = rows_seen(f, t);
    (void)thread;
    f->n_pick[t] = -1;
    if (f->l->ratio != DS4_OVERLAP || seen <= f->d->top_k)
        return;
    f->n_pick[t] = f->d->top_k;
    pick_best(ds4_row(f->score, t, f->n_scores), seen, f->pick + (size_t)t * (size_t)f->n_picks,
              f->d->top_k);
}

/* ---- attention ----------------------------------------------------------------------------- */

/* The running softmax of one query over runs of rows: out = sum exp(s - max) row, not yet divided
 * by sum. */
struct running {
    float max, sum;
    const float *q;
    float *out;
};

/* A larger maximum rescales what is there: exp(old - new). */
static void raise_max(const struct forward *f, struct running *r, const float *score, int n)
{
    float max = f->k->max(score, (size_t)n);
    if (!(max > r->max))
        return;
    float keep = expf((r->max - max) * f->m->attn_scale);
    f->k->scale(r->out, keep, (size_t)f->m->head_dim);
    r->sum *= keep;
    r->max = max;
}

/* Adds n rows that lie one after the other, n <= KV4_RUN. */
static void add_run(const struct forward *f, struct running *r, const void *rows, int n)
{
    float score[KV4_RUN];
    score_rows(f, r->q, rows, n, f->m->head_dim, score);
    raise_max(f, r, score, n);
    r->sum += f->k->exp_sum(score, (size_t)n, r->max, f->m->attn_scale);
    mix_rows(f, score, rows, n, f->m->head_dim, r->out);
}

/* Adds n rows by their numbers, n <= KV4_RUN. */
static void add_picks(const struct forward *f, struct running *r, const int *pick, int n)
{
    const struct kv4_layer *c = &f->cache->layers[f->layer];
    int width = f->m->head_dim;
    float score[KV4_RUN];
    for (int i = 0; i < n; i++)
        score_rows(f, r->q, kv4_row(f->cache, c, pick[i]), 1, width, &score[i]);
    raise_max(f, r, score, n);
    r->sum += f->k->exp_sum(score, (size_t)n, r->max, f->m->attn_scale);
    for (int i = 0; i < n; i++)
        mix_rows(f, &score[i], kv4_row(f->cache, c, pick[i]), 1, width, r->out);
}

/* The end of the run of rows that begins at i: at the next multiple of run, or at end. */
static int run_end(int i, int run, int end)
{
    int next = (i / run + 1) * run;
    return next < end ? next : end;
}

static void see_window(const struct forward *f, struct running *r, int pos)
{
    const struct kv4_ring *ring = &f->cache->layers[f->layer].window;
    int from = pos + 1 > f->d->window ? pos + 1 - f->d->window : 0;
    for (int i = from, next; i <= pos; i = next) {
        next = run_end(i, KV4_RUN, pos + 1);
        add_run(f, r, kv4_ring_row(ring, i), next - i);
    }
}

static void see_rows(const struct forward *f, struct running *r, int t)
{
    const struct kv4_layer *c = &f->cache->layers[f->layer];
    const int *pick = f->pick + (size_t)t * (size_t)f->n_picks;
    int seen = rows_seen(f, t), n_pick = f->n_pick[t];
    int run = f->l->ratio && KV4_BLOCK / f->l->ratio < KV4_RUN ? KV4_BLOCK / f->l->ratio : KV4_RUN;
    for (int i = 0; i < n_pick; i += KV4_RUN)
        add_picks(f, r, pick + i, n_pick - i < KV4_RUN ? n_pick - i : KV4_RUN);
    for (int i = 0, next; n_pick < 0 && i < seen; i = next) {
        next = run_end(i, run, seen);
        add_run(f, r, kv4_row(f->cache, c, i), next - i);
    }
}

/* One head of one token. The sink is there from the start: a score with weight and no row. */
static void attend(void *data, int item, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    int t = item / m->n_head, h = item % m->n_head;
    size_t at = (size_t)item * (size_t)m->head_dim;
    struct running r = { f->l->sinks[h] / m->attn_scale, 1, f->q + at, f->att + at };
    (void)thread;
    memset(r.out, 0, (size_t)m->head_dim * sizeof *r.out);
    see_window(f, &r, f->call->pos + t);
    see_rows(f, &r, t);
    f->k->scale(r.out, 1 / r.sum, (size_t)m->head_dim);
    rotate(f, r.out, m->head_dim, ds4_row(turn_of(f)->back, t, m->n_rot));
}

/* ---- output -------------------------------------------------------------------------------- */

/* low has one group's rows of all tokens after the other; here a token's groups come together. */
static void gather_low(void *data, int t, int thread)
{
    struct forward *f = data;
    int rank = f->d->out_rank, n = f->call->n;
    (void)thread;
    for (int g = 0; g < f->d->n_group; g++)
        memcpy(ds4_row(f->low_row, t, rank * f->d->n_group) + g * rank,
               ds4_row(f->low, g * n + t, rank), (size_t)rank * sizeof(float));
}

static void put_out(struct forward *f)
{
    int n = f->call->n, n_group = f->d->n_group;
    for (int g = 0; g < n_group; g++)
        for (int t = 0; t < n; t++)
            f->low_from[g * n + t] = t * n_group + g;
    for (int g = 0; g <= n_group; g++)
        f->low_first[g] = g * n;
    struct groups groups = { n_group, f->low_group, f->low_first, f->low_from };
    matmul_groups(&f->mm, f->att, &groups, &(struct product){ &f->l->out_a, f->low }, 1);
    pool_run(f->pool, gather_low, f, n);
    matmul_run(&f->mm, f->low_row, n, &(struct product){ &f->l->out_b, f->y }, 1);
}

void ds4_attention(struct forward *f)
{
    int n = f->call->n, pos = f->call->pos, ratio = f->l->ratio;
    project(f);
    if (ratio)
        pool_run(f->pool, compress, f, (pos + n) / ratio - pos / ratio);
    if (ratio == DS4_OVERLAP && rows_seen(f, n - 1) > f->d->top_k)
        pool_run(f->pool, score_segment, f, n * n_segments(f));
    pool_run(f->pool, choose_rows, f, n);
    pool_run(f->pool, attend, f, n * f->m->n_head);
    put_out(f);
}
