/* deepseek4.c -- the forward pass of DeepSeek-V4.
 *
 *   X[0..3] = embed[id]                          four equal streams
 *   each layer, for attention and then for the experts:
 *     in, out, C = weights made from all of X    4, 4 and 4 x 4 numbers
 *     y    = part(norm(sum_j in[j] X[j]))
 *     X[k] = out[k] y + sum_j C[j][k] X[j]
 *   logits = Wout norm(sum_j in[j] X[j])
 *
 * No activation is rounded: choices of rows and experts turn over with the last bits of what is
 * compared, and 8-bit activations change one of them every few tokens. So weights of every format
 * are decoded and meet floats (matmul.exact). Neither FP8 nor FP4 rounding of the official code is
 * imitated, and without it its Hadamard transform of indexer queries and rows has no effect. */
#include "engine/deepseek4_run.h"

#include <math.h>
#include <string.h>

#include "engine/mem.h"

/* ---- scratch ------------------------------------------------------------------------------- */

/* A buffer of `width` floats or ints for each token. */
struct part {
    float **floats;
    int **ints;
    int width;
};

#define PARTS_MAX 48

/* Lists all buffers; returns how many. */
static int list_parts(struct forward *f, struct part *p)
{
    const struct model *m = f->m;
    const struct deepseek4 *d = f->d;
    int n_used = m->n_expert_used, streams = DS4_STREAMS * m->d_model;
    int index_q = d->n_index_head * d->d_index, low = d->n_group * d->out_rank;
    const struct part parts[] = {
        { &f->x, NULL, streams }, { &f->normed, NULL, streams }, { &f->mix, NULL, DS4_MIX },
        { &f->h, NULL, m->d_model }, { &f->y, NULL, m->d_model },
        { &f->plain.there, NULL, m->n_rot }, { &f->plain.back, NULL, m->n_rot },
        { &f->stretched.there, NULL, m->n_rot }, { &f->stretched.back, NULL, m->n_rot },
        { &f->qr, NULL, d->q_rank }, { &f->q, NULL, m->d_q }, { &f->kv, NULL, m->head_dim },
        { &f->att, NULL, m->d_q }, { &f->low, NULL, low }, { &f->low_row, NULL, low },
        { &f->row_kv, NULL, 2 * m->head_dim }, { &f->row_gate, NULL, 2 * m->head_dim },
        { &f->index_kv, NULL, 2 * d->d_index }, { &f->index_gate, NULL, 2 * d->d_index },
        { &f->index_q, NULL, index_q }, { &f->index_w, NULL, d->n_index_head },
        { &f->score, NULL, f->n_scores }, { &f->route, NULL, m->n_expert },
        { &f->biased, NULL, m->n_expert },
        { &f->gate, NULL, n_used * m->d_ff }, { &f->up, NULL, n_used * m->d_ff },
        { &f->visit, NULL, n_used * m->d_model },
        { &f->shared_gate, NULL, d->d_shared }, { &f->shared_up, NULL, d->d_shared },
        { NULL, &f->low_from, d->n_group }, { NULL, &f->pick, f->n_picks },
        { NULL, &f->n_pick, 1 },
    };
    _Static_assert(sizeof parts / sizeof *parts <= PARTS_MAX, "they fit");
    memcpy(p, parts, sizeof parts);
    return (int)(sizeof parts / sizeof *parts);
}

/* Floats and ints that create() takes. */
static void count_words(struct forward *f, int n_max, size_t *floats, size_t *ints)
{
    struct part p[PARTS_MAX];
    int n = list_parts(f, p);
    *floats = 0;
    *ints = 2 * (size_t)f->d->n_group + 1;
    for (int i = 0; i < n; i++)
        *(p[i].floats ? floats : ints) += (size_t)n_max * (size_t)p[i].width;
}

/* Cuts the two blocks into the buffers. */
static void share_out(struct forward *f, int n_max)
{
    struct part p[PARTS_MAX];
    int n = list_parts(f, p);
    float *floats = f->floats;
    int *ints = f->ints;
    for (int i = 0; i < n; i++) {
        size_t words = (size_t)n_max * (size_t)p[i].width;
        if (p[i].floats) {
            *p[i].floats = floats;
            floats += words;
        } else {
            *p[i].ints = ints;
            ints += words;
        }
    }
    f->low_group = ints;
    f->low_first = ints + f->d->n_group;
    for (int g = 0; g < f->d->n_group; g++)
        f->low_group[g] = g;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* The widest row that a matrix multiplies. */
static int cols_max(const struct model *m)
{
    const struct deepseek4 *d = m->deepseek4;
    int n = larger(DS4_STREAMS * m->d_model, d->q_rank);
    n = larger(n, m->d_q / d->n_group);
    n = larger(n, d->n_group * d->out_rank);
    return larger(n, larger(m->d_ff, d->d_shared));
}

static int n_ones(const struct model *m)
{
    return larger(DS4_STREAMS * m->d_model, m->head_dim);
}

/* The sizes that depend on the context. */
static void set_sizes(struct forward *f, const struct model *m, int n_ctx)
{
    f->m = m;
    f->d = m->deepseek4;
    for (int i = 0; i < m->n_layer; i++)
        if (f->d->layers[i].ratio == DS4_OVERLAP)
            f->n_scores = n_ctx / DS4_OVERLAP;
    f->n_picks = f->n_scores < f->d->top_k ? f->n_scores : f->d->top_k;
}

static size_t ds4_bytes(const struct model *m, int n_max, int n_ctx, int n_threads)
{
    struct forward f = {0};
    size_t floats, ints;
    set_sizes(&f, m, n_ctx);
    count_words(&f, n_max, &floats, &ints);
    return sizeof f + floats * sizeof(float) + ints * sizeof(int) +
           (size_t)m->n_rot * sizeof(double) + (size_t)n_ones(m) * sizeof(float) +
           matmul_bytes(1, cols_max(m), n_threads) +
           experts_bytes(m->n_expert, m->n_expert_used, n_max);
}

static void ds4_destroy(struct forward *f)
{
    if (!f)
        return;
    matmul_release(&f->mm);
    experts_release(&f->experts);
    mem_free(f->floats);
    mem_free(f->ints);
    mem_free(f->freq);
    mem_free(f->ones);
    mem_free(f);
}

/* Where in the pairs the stretching of the angles begins or ends: the pair that turns so many
 * times in the original context. */
static double yarn_pair(const struct model *m, double turns)
{
    const struct deepseek4 *d = m->deepseek4;
    return m->n_rot * log(d->yarn_context / (turns * 2 * acos(-1))) /
           (2 * log((double)d->row_base));
}

static void set_frequencies(struct forward *f)
{
    const struct model *m = f->m;
    const struct deepseek4 *d = f->d;
    int half = m->n_rot / 2;
    double low = 0, high = 0.001;
    if (d->yarn_context > 0) {
        low = fmax(0, floor(yarn_pair(m, (double)d->yarn_fast)));
        high = fmin(m->n_rot - 1, ceil(yarn_pair(m, (double)d->yarn_slow)));
        high = fmax(high, low + 0.001);
    }
    for (int i = 0; i < half; i++) {
        double part = fmin(fmax((i - low) / (high - low), 0), 1);
        f->freq[i] = pow((double)m->rope_base, -2.0 * i / m->n_rot);
        f->freq[half + i] = pow((double)d->row_base, -2.0 * i / m->n_rot) *
                            (1 - part + part / (double)d->yarn_factor);
    }
}

static bool take_memory(struct forward *f, int n_max, struct err *err)
{
    const struct model *m = f->m;
    size_t floats, ints;
    count_words(f, n_max, &floats, &ints);
    f->floats = mem_alloc_n(floats, sizeof *f->floats);
    f->ints = mem_alloc_n(ints, sizeof *f->ints);
    f->freq = mem_alloc_n((size_t)m->n_rot, sizeof *f->freq);
    f->ones = mem_alloc_n((size_t)n_ones(m), sizeof *f->ones);
    if (!f->floats || !f->ints || !f->freq || !f->ones)
        return err_set(err, ERR_NOMEM, "not enough memory: %zu bytes to compute in",
                       floats * sizeof *f->floats);
    return experts_init(&f->experts, m->n_expert, m->n_expert_used, n_max, err) &&
           matmul_init(&f->mm, f->k, f->pool, 1, cols_max(m), err);
}

static struct forward *ds4_create(const struct model *m, const struct kernels *k,
                                  struct pool *pool, int n_max, int n_ctx, struct err *err)
{
    struct forward *f = mem_alloc(sizeof *f);
    if (!f) {
        err_set(err, ERR_NOMEM, "not enough memory to compute in");
        return NULL;
    }
    f->k = k;
    f->pool = pool;
    set_sizes(f, m, n_ctx);
    if (!take_memory(f, n_max, err)) {
        ds4_destroy(f);
        return NULL;
    }
    f->mm.exact = true;
    share_out(f, n_max);
    set_frequencies(f);
    for (int i = 0; i < n_ones(m); i++)
        f->ones[i] = 1;
    return f;
}

/* ---- the streams --------------------------------------------------------------------------- */

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static void set_turn(const struct forward *f, const struct ds4_turn *turn, const double *freq,
                     int t)
{
    float *there = ds4_row(turn->there, t, f->m->n_rot);
    float *back = ds4_row(turn->back, t, f->m->n_rot);
    for (int i = 0; i < f->m->n_rot / 2; i++) {
        double angle = freq[i] * (f->call->pos + t);
        there[2 * i] = back[2 * i] = (float)cos(angle);
        there[2 * i + 1] = (float)sin(angle);
        back[2 * i + 1] = -there[2 * i + 1];
    }
}

static void embed_token(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    float *x = ds4_row(f->x, t, DS4_STREAMS * m->d_model);
    (void)thread;
    matrix_row(&m->embed, f->call->ids[t], x);
    for (int j = 1; j < DS4_STREAMS; j++)
        memcpy(x + j * m->d_model, x, (size_t)m->d_model * sizeof *x);
    set_turn(f, &f->plain, f->freq, t);
    set_turn(f, &f->stretched, f->freq + m->n_rot / 2, t);
}

/* What the mixing weights are made from: all streams, normed together, without a gain. */
static void norm_streams(void *data, int t, int thread)
{
    struct forward *f = data;
    int n = DS4_STREAMS * f->m->d_model;
    (void)thread;
    f->k->rms_norm(ds4_row(f->x, t, n), f->ones, f->m->norm_eps, (size_t)n,
                   ds4_row(f->normed, t, n));
}

/* C [from][to]: exp by rows, then columns and rows are divided by their sums in turn, columns first
 * and last, until both sum up to 1. */
static void balance(float *c, const struct deepseek4 *d)
{
    enum { N = DS4_STREAMS };
    for (int j = 0; j < N; j++) {
        float max = c[j * N], sum = 0;
        for (int k = 1; k < N; k++)
            max = c[j * N + k] > max ? c[j * N + k] : max;
        for (int k = 0; k < N; k++)
            sum += c[j * N + k] = expf(c[j * N + k] - max);
        for (int k = 0; k < N; k++)
            c[j * N + k] = c[j * N + k] / sum + d->mix_eps;
    }
    for (int step = 0; step < 2 * d->n_sinkhorn - 1; step++) {
        int row = step % 2 ? N : 1, along = step % 2 ? 1 : N;
        for (int i = 0; i < N; i++) {
            float sum = d->mix_eps;
            for (int k = 0; k < N; k++)
                sum += c[i * row + k * along];
            for (int k = 0; k < N; k++)
                c[i * row + k * along] /= sum;
        }
    }
}

/* h = norm(sum_j in[j] X[j]); mix holds `in` at its beginning. */
static void read_streams(const struct forward *f, int t, const float *in, const float *gain,
                         float *h)
{
    int d = f->m->d_model;
    const float *x = ds4_row(f->x, t, DS4_STREAMS * d);
    for (int i = 0; i < d; i++) {
        float sum = 0;
        for (int j = 0; j < DS4_STREAMS; j++)
            sum += in[j] * x[j * d + i];
        h[i] = sum;
    }
    f->k->rms_norm(h, gain, f->m->norm_eps, (size_t)d, h);
}

/* The mixing weights of one token, in place of the products they are made from. */
static void make_mix(const struct forward *f, const struct ds4_mixer *mixer, float *mix)
{
    for (int i = 0; i < DS4_STREAMS; i++)
        mix[i] = sigmoid(mix[i] * mixer->scale[0] + mixer->base[i]) + f->d->mix_eps;
    for (int i = DS4_STREAMS; i < 2 * DS4_STREAMS; i++)
        mix[i] = 2 * sigmoid(mix[i] * mixer->scale[1] + mixer->base[i]);
    for (int i = 2 * DS4_STREAMS; i < DS4_MIX; i++)
        mix[i] = mix[i] * mixer->scale[2] + mixer->base[i];
    balance(mix + 2 * DS4_STREAMS, f->d);
}

static void read_for_attention(void *data, int t, int thread)
{
    struct forward *f = data;
    float *mix = ds4_row(f->mix, t, DS4_MIX);
    (void)thread;
    make_mix(f, &f->l->attn_mix, mix);
    read_streams(f, t, mix, f->l->attn_norm, ds4_row(f->h, t, f->m->d_model));
}

static void read_for_experts(void *data, int t, int thread)
{
    struct forward *f = data;
    float *mix = ds4_row(f->mix, t, DS4_MIX);
    (void)thread;
    make_mix(f, &f->l->ff_mix, mix);
    read_streams(f, t, mix, f->l->ff_norm, ds4_row(f->h, t, f->m->d_model));
}

/* X[k] = out[k] y + sum_j C[j][k] X[j] */
static void write_streams(void *data, int t, int thread)
{
    enum { N = DS4_STREAMS };
    struct forward *f = data;
    int d = f->m->d_model;
    float *x = ds4_row(f->x, t, N * d);
    const float *y = ds4_row(f->y, t, d), *mix = ds4_row(f->mix, t, DS4_MIX);
    const float *out = mix + N, *c = mix + 2 * N;
    (void)thread;
    for (int i = 0; i < d; i++) {
        float old[N];
        for (int j = 0; j < N; j++)
            old[j] = x[j * d + i];
        for (int k = 0; k < N; k++) {
            float sum = out[k] * y[i];
            for (int j = 0; j < N; j++)
                sum += c[j * N + k] * old[j];
            x[k * d + i] = sum;
        }
    }
}

/* ---- experts ------------------------------------------------------------------------------- */

static float softplus(float x)
{
    return x > 20 ? x : log1pf(expf(x));
}

/* Which experts, and with what weights: their scores' shares. The bias is for the choice alone. */
static void choose_experts(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    int n = m->n_expert, used = m->n_expert_used;
    int *choice = f->experts.choice + (size_t)t * (size_t)used;
    float *weight = f->experts.weight + (size_t)t * (size_t)used;
    float *score = ds4_row(f->route, t, n), *biased = ds4_row(f->biased, t, n), sum = 0;
    (void)thread;
    for (int e = 0; e < n; e++)
        score[e] = sqrtf(softplus(score[e]));
    if (f->l->by_id) {
        memcpy(choice, f->l->chosen + (size_t)f->call->ids[t] * (size_t)used,
               (size_t)used * sizeof *choice);
    } else {
        memcpy(biased, score, (size_t)n * sizeof *score);
        f->k->add(biased, f->l->bias, (size_t)n);
        experts_choose(&f->experts, t, biased);
    }
    for (int k = 0; k < used; k++)
        sum += weight[k] = score[choice[k]];
    for (int k = 0; k < used; k++)
        weight[k] *= f->d->expert_scale / (f->d->expert_norm ? sum : 1);
}

/* gate = silu(min(gate, limit)) * clip(up, limit) */
static void clamped_silu(const struct forward *f, float *gate, float *up, int n, float limit)
{
    for (int i = 0; i < n; i++)
        gate[i] = gate[i] > limit ? limit : gate[i];
    for (int i = 0; i < n; i++)
        up[i] = up[i] > limit ? limit : up[i] < -limit ? -limit : up[i];
    f->k->silu_mul(gate, up, (size_t)n);
}

static void activate_visit(void *data, int i, int thread)
{
    struct forward *f = data;
    int d = f->m->d_ff;
    (void)thread;
    clamped_silu(f, ds4_row(f->gate, i, d), ds4_row(f->up, i, d), d, f->l->clamp);
}

static void activate_shared(void *data, int t, int thread)
{
    struct forward *f = data;
    int d = f->d->d_shared;
    (void)thread;
    clamped_silu(f, ds4_row(f->shared_gate, t, d), ds4_row(f->shared_up, t, d), d,
                 f->l->clamp_shared);
}

/* y, so far the shared experts' part, and that of the chosen ones. h is free by now. */
static void add_visits(void *data, int t, int thread)
{
    struct forward *f = data;
    int d = f->m->d_model;
    float *sum = ds4_row(f->h, t, d);
    (void)thread;
    experts_sum(&f->experts, t, f->visit, (size_t)d, sum);
    f->k->add(ds4_row(f->y, t, d), sum, (size_t)d);
}

/* h to y. */
static void run_experts(struct forward *f)
{
    const struct ds4_layer *l = f->l;
    struct experts *e = &f->experts;
    int n = f->call->n;
    const struct product of_h[] = {
        { &l->router, f->route }, { &l->shared_gate, f->shared_gate },
        { &l->shared_up, f->shared_up },
    };
    const struct product of_visits[] = { { &l->gate, f->gate }, { &l->up, f->up } };
    matmul_run(&f->mm, f->h, n, of_h, 3);
    pool_run(f->pool, activate_shared, f, n);
    matmul_run(&f->mm, f->shared_gate, n, &(struct product){ &l->shared_down, f->y }, 1);
    pool_run(f->pool, choose_experts, f, n);
    experts_group(e, n);
    matmul_groups(&f->mm, f->h, &e->in, of_visits, 2);
    pool_run(f->pool, activate_visit, f, n * f->m->n_expert_used);
    matmul_groups(&f->mm, f->gate, &e->out, &(struct product){ &l->down, f->visit }, 1);
    pool_run(f->pool, add_visits, f, n);
}

/* ---- the pass ------------------------------------------------------------------------------ */

static bool ds4_run(struct forward *f, const struct forward_call *call)
{
    int n = call->n;
    f->call = call;
    f->cache = kv4_of(call->cache);
    pool_run(f->pool, embed_token, f, n);
    for (f->layer = 0; f->layer < f->m->n_layer; f->layer++) {
        f->l = &f->d->layers[f->layer];
        if (atomic_load_explicit(call->cancel, memory_order_relaxed))
            return false;

        pool_run(f->pool, norm_streams, f, n);
        matmul_run(&f->mm, f->normed, n, &(struct product){ &f->l->attn_mix.fn, f->mix }, 1);
        pool_run(f->pool, read_for_attention, f, n);
        ds4_attention(f);
        pool_run(f->pool, write_streams, f, n);

        pool_run(f->pool, norm_streams, f, n);
        matmul_run(&f->mm, f->normed, n, &(struct product){ &f->l->ff_mix.fn, f->mix }, 1);
        pool_run(f->pool, read_for_experts, f, n);
        run_experts(f);
        pool_run(f->pool, write_streams, f, n);
    }
    return true;
}

static void logits_of(struct forward *f, int t, float *out)
{
    const struct model *m = f->m;
    const struct ds4_mixer *mixer = &f->d->out_mix;
    int n = DS4_STREAMS * m->d_model;
    f->k->rms_norm(ds4_row(f->x, t, n), f->ones, m->norm_eps, (size_t)n, f->normed);
    matmul_run(&f->mm, f->normed, 1, &(struct product){ &mixer->fn, f->mix }, 1);
    for (int j = 0; j < DS4_STREAMS; j++)
        f->mix[j] = sigmoid(f->mix[j] * mixer->scale[0] + mixer->base[j]) + f->d->mix_eps;
    read_streams(f, t, f->mix, m->output_norm, f->h);
    matmul_run(&f->mm, f->h, 1, &(struct product){ &m->output, out }, 1);
}

static void ds4_logits(struct forward *f, int t, int n, float *out)
{
    for (int i = 0; i < n; i++)
        logits_of(f, t + i, out + (size_t)i * (size_t)f->m->n_vocab);
}

const struct forward_ops forward_deepseek4 = {
    &cache_deepseek4, ds4_bytes, ds4_create, ds4_destroy, ds4_run, ds4_logits, false, NULL,
};
