/* dense.c -- the forward pass of the transformers whose layers are attention and a gated network:
 * one straight line through the layers. What a model does not have is skipped.
 *
 *   x    = embed[id] * embed_scale
 *   each layer:
 *     h  = norm(x);  q, k, v = Wq h + bq, Wk h + bk, Wv h + bv
 *     q, k normed by head, rotated by position;  k, v to the cache
 *     x += norm(Wo attention(q))
 *     h  = norm(x);  x += norm(Wdown (act(Wgate h) * Wup h))
 *   logits = Wout norm(x)
 *
 * With experts the network is the sum of those that a router chooses, each with its share.
 *
 * All buffers are [n_max][width], row t being token t of the call; products work in MATMUL_FINE
 * rows behind them. */
#include "engine/forward.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/attention.h"
#include "engine/experts.h"
#include "engine/kv.h"
#include "engine/kv_far.h"
#include "engine/matmul.h"
#include "engine/mem.h"

struct forward {
    const struct model *m;
    const struct kernels *k;
    struct pool *pool;
    struct matmul mm;
    struct experts experts;
    struct attention attention;
    double *freq;              /* [2][n_rot / 2] angle per position of each pair; local layers */
    float *turn, *turn_local;  /* [n_max][n_rot] cosine and sine of each pair; local layers */
    float *x, *h, *delta;      /* [n_max][d_model] the stream, its norm, what a part adds */
    float *q, *att;            /* [n_max][d_q] */
    float *key, *value;        /* [n_max][d_kv] */
    float *gate, *up;          /* [n_max][n_net][d_ff] */
    float *score;              /* [n_max][n_expert] */
    float *visit;              /* [n_max][n_net][d_model] what the experts give, if there are any */
    int *fine;                 /* [n_max] the tokens of a call that are multiplied finely */
    const struct forward_call *call;  /* during run() */
    int layer;
};

/* Attention leans on the first token far more than on others, and its activations are the least
 * even: what is rounded of its keys and values is wrong in all that follows. So it is multiplied
 * finely. */
#define FIRST_TOKENS 1

/* ---- scratch ------------------------------------------------------------------------------- */

/* How many networks a token goes through in a layer. */
static int n_net(const struct model *m)
{
    return m->n_expert ? m->n_expert_used : 1;
}

static int local_rot(const struct model *m)
{
    return m->window ? m->n_rot : 0;
}

/* One buffer of [n_max][width] floats and where its address goes. */
struct part {
    float **buffer;
    size_t width;
};

#define N_PARTS 13

static void list_parts(struct forward *f, const struct model *m, struct part out[N_PARTS])
{
    size_t d_ff = (size_t)n_net(m) * (size_t)m->d_ff;
    size_t visits = m->n_expert ? (size_t)n_net(m) * (size_t)m->d_model : 0;
    const struct part parts[N_PARTS] = {
        { &f->x, (size_t)m->d_model }, { &f->h, (size_t)m->d_model },
        { &f->delta, (size_t)m->d_model }, { &f->q, (size_t)m->d_q }, { &f->att, (size_t)m->d_q },
        { &f->key, (size_t)m->d_kv }, { &f->value, (size_t)m->d_kv }, { &f->gate, d_ff },
        { &f->up, d_ff }, { &f->turn, (size_t)m->n_rot },
        { &f->turn_local, (size_t)local_rot(m) }, { &f->score, (size_t)m->n_expert },
        { &f->visit, visits },
    };
    memcpy(out, parts, sizeof parts);
}

/* Floats per token in all buffers. */
static size_t width(const struct model *m)
{
    struct forward f;
    struct part part[N_PARTS];
    size_t sum = 0;
    list_parts(&f, m, part);
    for (int i = 0; i < N_PARTS; i++)
        sum += part[i].width;
    return sum;
}

static struct attention_shape attention_shape(const struct model *m, int n_ctx)
{
    return (struct attention_shape){ m->n_head, m->n_kv_head, m->head_dim, n_ctx };
}

static size_t dense_bytes(const struct model *m, int n_max, int n_ctx, int n_threads)
{
    struct attention_shape shape = attention_shape(m, n_ctx);
    size_t experts = m->n_expert ? experts_bytes(m->n_expert, m->n_expert_used, n_max) : 0;
    return sizeof(struct forward) + (size_t)m->n_rot * sizeof(double) +
           (size_t)n_max * sizeof(int) +
           (size_t)(n_max + MATMUL_FINE) * width(m) * sizeof(float) + experts +
           attention_bytes(&shape, n_threads) +
           matmul_bytes(n_max * n_net(m), model_cols_max(m), n_threads);
}

static void dense_destroy(struct forward *f)
{
    if (!f)
        return;
    matmul_release(&f->mm);
    attention_release(&f->attention);
    experts_release(&f->experts);
    mem_free(f->freq);
    mem_free(f->fine);
    mem_free(f->x);
    mem_free(f);
}

/* Cuts the one block of scratch, which begins at x, into its buffers. */
static void share_out(struct forward *f, size_t n_max)
{
    struct part part[N_PARTS];
    float *at = f->x;
    list_parts(f, f->m, part);
    for (int i = 0; i < N_PARTS; i++) {
        *part[i].buffer = at;
        at += (n_max + MATMUL_FINE) * part[i].width;
    }
}

static struct forward *dense_create(const struct model *m, const struct kernels *k,
                                    struct pool *pool, int n_max, int n_ctx, struct err *err)
{
    struct forward *f = mem_alloc(sizeof *f);
    if (f) {
        f->m = m;
        f->k = k;
        f->pool = pool;
        f->freq = mem_alloc_n((size_t)m->n_rot, sizeof *f->freq);
        f->fine = mem_alloc_n((size_t)n_max, sizeof *f->fine);
        f->x = mem_alloc_n((size_t)(n_max + MATMUL_FINE) * width(m), sizeof(float));
    }
    if (!f || !f->freq || !f->fine || !f->x) {
        err_set(err, ERR_NOMEM, "not enough memory: %zu bytes to compute in",
                dense_bytes(m, n_max, n_ctx, pool_n_threads(pool)));
        dense_destroy(f);
        return NULL;
    }
    struct attention_shape shape = attention_shape(m, n_ctx);
    if ((m->n_expert && !experts_init(&f->experts, m->n_expert, m->n_expert_used, n_max, err)) ||
        !attention_init(&f->attention, &shape, k, pool, err) ||
        !matmul_init(&f->mm, k, pool, n_max * n_net(m), model_cols_max(m), err)) {
        dense_destroy(f);
        return NULL;
    }
    share_out(f, (size_t)n_max);
    model_rope(m, false, f->freq);
    model_rope(m, true, f->freq + m->n_rot / 2);
    return f;
}

/* ---- where the tokens of a call belong ----------------------------------------------------- */

static int pos_of(const struct forward *f, int t)
{
    return f->call->rows ? f->call->rows[t].pos : f->call->pos + t;
}

/* Where a token stands for its rotation. */
static int turn_of(const struct forward *f, int t)
{
    const struct cache *c = f->call->rows ? f->call->rows[t].cache : f->call->cache;
    return pos_of(f, t) + c->shift;
}

static struct kv *kv_of_token(const struct forward *f, int t)
{
    return kv_of(f->call->rows ? f->call->rows[t].cache : f->call->cache);
}

static void list_fine(struct forward *f)
{
    f->mm.n_fine = 0;
    f->mm.fine = f->fine;
    for (int t = 0; t < f->call->n; t++)
        if (pos_of(f, t) < FIRST_TOKENS)
            f->fine[f->mm.n_fine++] = t;
}

/* ---- steps of one token, run on the pool --------------------------------------------------- */

static float *row(float *buffer, int t, int d)
{
    return buffer + (size_t)t * (size_t)d;
}

static void set_turn(const double *freq, int n_pairs, int pos, float *turn)
{
    for (int i = 0; i < n_pairs; i++) {
        double angle = freq[i] * pos;
        turn[2 * i] = (float)cos(angle);
        turn[2 * i + 1] = (float)sin(angle);
    }
}

static void embed_token(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    int n = m->n_rot / 2, pos = turn_of(f, t);
    (void)thread;
    matrix_row(&m->embed, f->call->ids[t], row(f->x, t, m->d_model));
    if (m->family->scaled_embed)
        f->k->scale(row(f->x, t, m->d_model), m->embed_scale, (size_t)m->d_model);
    set_turn(f->freq, n, pos, row(f->turn, t, m->n_rot));
    if (m->window)
        set_turn(f->freq + n, n, pos, row(f->turn_local, t, m->n_rot));
}

static void norm_for_attention(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    (void)thread;
    f->k->rms_norm(row(f->x, t, m->d_model), m->layers[f->layer].attn_norm, m->norm_eps,
                   (size_t)m->d_model, row(f->h, t, m->d_model));
}

/* Finishes the queries or keys of one token: bias, norm and rotation of each head. */
static void finish_heads(struct forward *f, float *x, int n_head, const float *bias,
                         const float *norm, const float *turn)
{
    const struct model *m = f->m;
    size_t dim = (size_t)m->head_dim, n_pairs = (size_t)m->n_rot / 2;
    if (bias)
        f->k->add(x, bias, (size_t)n_head * dim);
    for (int h = 0; h < n_head; h++, x += dim) {
        if (norm)
            f->k->rms_norm(x, norm, m->norm_eps, dim, x);
        if (m->family->rope_halves)
            f->k->rope_halves(x, turn, n_pairs);
        else
            f->k->rope_pairs(x, turn, n_pairs);
    }
}

static void rotate_and_store(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    const struct layer *l = &m->layers[f->layer];
    (void)thread;
    const float *turn = row(l->local ? f->turn_local : f->turn, t, m->n_rot);
    float *key = row(f->key, t, m->d_kv), *value = row(f->value, t, m->d_kv);
    finish_heads(f, row(f->q, t, m->d_q), m->n_head, l->q_bias, l->q_norm, turn);
    finish_heads(f, key, m->n_kv_head, l->k_bias, l->k_norm, turn);
    if (l->v_bias)
        f->k->add(value, l->v_bias, (size_t)m->d_kv);
    attention_store(f->k, kv_of_token(f, t), f->layer, pos_of(f, t), key, value);
}

/* x += norm(delta) of one token; post is NULL where there is no norm. */
static void add_delta(struct forward *f, int t, const float *post)
{
    size_t d = (size_t)f->m->d_model;
    float *delta = row(f->delta, t, f->m->d_model);
    if (post)
        f->k->rms_norm(delta, post, f->m->norm_eps, d, delta);
    f->k->add(row(f->x, t, f->m->d_model), delta, d);
}

static void norm_for_ff(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    const struct layer *l = &m->layers[f->layer];
    (void)thread;
    add_delta(f, t, l->attn_post_norm);
    f->k->rms_norm(row(f->x, t, m->d_model), l->ff_norm, m->norm_eps, (size_t)m->d_model,
                   row(f->h, t, m->d_model));
}

/* Of one row of a network: a token, or its visit to an expert. */
static void activate(void *data, int i, int thread)
{
    struct forward *f = data;
    int d = f->m->d_ff;
    (void)thread;
    (f->m->family->gelu ? f->k->gelu_mul : f->k->silu_mul)(row(f->gate, i, d), row(f->up, i, d),
                                                          (size_t)d);
}

static void choose_experts(void *data, int t, int thread)
{
    struct forward *f = data;
    (void)thread;
    experts_choose(&f->experts, t, row(f->score, t, f->m->n_expert));
}

static void add_ff(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    (void)thread;
    if (m->n_expert)
        experts_sum(&f->experts, t, f->visit, (size_t)m->d_model, row(f->delta, t, m->d_model));
    add_delta(f, t, m->layers[f->layer].ff_post_norm);
}

/* ---- the pass ------------------------------------------------------------------------------ */

#define ROWS_AT_ONCE 8   /* timelines whose attention is one job */

/* Tokens [t, t + n) of one timeline. */
static struct attention_call attention_call(struct forward *f, const struct layer *l, int t, int n)
{
    const struct model *m = f->m;
    return (struct attention_call){
        .kv = kv_of_token(f, t), .layer = f->layer, .window = l->local ? m->window : 0,
        .scale = m->attn_scale, .n = n, .pos = pos_of(f, t),
        .rounds = matmul_by_bf16(&f->mm, &l->o),
        .q = row(f->q, t, m->d_q), .out = row(f->att, t, m->d_q) };
}

static void attend(struct forward *f, const struct layer *l)
{
    struct attention_call calls[ROWS_AT_ONCE];
    int n = f->call->n, step = f->call->rows ? 1 : n, n_calls = 0;
    for (int t = 0; t < n; t += step) {
        calls[n_calls++] = attention_call(f, l, t, step);
        if (n_calls < ROWS_AT_ONCE && t + step < n)
            continue;
        attention_run(&f->attention, calls, n_calls);
        n_calls = 0;
    }
}

static void run_attention(struct forward *f, const struct layer *l)
{
    const struct forward_call *call = f->call;
    pool_run(f->pool, norm_for_attention, f, call->n);
    const struct product qkv[] = { { &l->q, f->q }, { &l->k, f->key }, { &l->v, f->value } };
    matmul_run(&f->mm, f->h, call->n, qkv, 3);
    pool_run(f->pool, rotate_and_store, f, call->n);
    attend(f, l);
    matmul_run(&f->mm, f->att, call->n, &(struct product){ &l->o, f->delta }, 1);
}

/* The network of a layer without experts: h to delta. */
static void run_network(struct forward *f, const struct layer *l)
{
    int n = f->call->n;
    const struct network net = { &l->gate, &l->up, &l->down, f->m->family->gelu, f->delta };
    if (matmul_network(&f->mm, f->h, n, &net))
        return;
    const struct product gate_up[] = { { &l->gate, f->gate }, { &l->up, f->up } };
    matmul_run(&f->mm, f->h, n, gate_up, 2);
    pool_run(f->pool, activate, f, n);
    matmul_run(&f->mm, f->gate, n, &(struct product){ &l->down, f->delta }, 1);
}

/* The experts of a layer: h to visit, from where add_ff() takes it. */
static void run_experts(struct forward *f, const struct layer *l)
{
    int n = f->call->n;
    struct experts *e = &f->experts;
    matmul_run(&f->mm, f->h, n, &(struct product){ &l->router, f->score }, 1);
    pool_run(f->pool, choose_experts, f, n);
    experts_group(e, n);
    const struct product gate_up[] = { { &l->gate, f->gate }, { &l->up, f->up } };
    matmul_groups(&f->mm, f->h, &e->in, gate_up, 2);
    pool_run(f->pool, activate, f, n * e->n_used);
    matmul_groups(&f->mm, f->gate, &e->out, &(struct product){ &l->down, f->visit }, 1);
}

static bool dense_run(struct forward *f, const struct forward_call *call)
{
    const struct model *m = f->m;
    f->call = call;
    f->mm.bf16 = call->reads;
    list_fine(f);
    pool_run(f->pool, embed_token, f, call->n);
    for (f->layer = 0; f->layer < m->n_layer; f->layer++) {
        const struct layer *l = &m->layers[f->layer];
        if (atomic_load_explicit(call->cancel, memory_order_relaxed))
            return false;
        run_attention(f, l);
        pool_run(f->pool, norm_for_ff, f, call->n);
        if (m->n_expert)
            run_experts(f, l);
        else
            run_network(f, l);
        pool_run(f->pool, add_ff, f, call->n);
    }
    return true;
}

static void dense_logits(struct forward *f, int t, int n, float *out)
{
    const struct model *m = f->m;
    for (int i = 0; i < n; i++)
        f->k->rms_norm(row(f->x, t + i, m->d_model), m->output_norm, m->norm_eps,
                       (size_t)m->d_model, row(f->h, i, m->d_model));
    f->mm.n_fine = 0;
    f->mm.bf16 = false;
    matmul_run(&f->mm, f->h, n, &(struct product){ &m->output, out }, 1);
}

/* ---- keys that move ------------------------------------------------------------------------ */

/* Rotates the first n keys of a head in one block. */
static void turn_rows(const struct forward *f, enum kv_type type, void *rows, int n,
                      const float *turn)
{
    size_t dim = (size_t)f->m->head_dim, n_pairs = (size_t)f->m->n_rot / 2;
    for (size_t at = 0; at < (size_t)n * dim; at += dim) {
        uint16_t *half = (uint16_t *)rows + at;
        float *x = type == KV_F32 ? (float *)rows + at : f->key;
        for (size_t i = 0; type == KV_F16 && i < dim; i++)
            x[i] = f32_of_f16(half[i]);
        (f->m->family->rope_halves ? f->k->rope_halves : f->k->rope_pairs)(x, turn, n_pairs);
        if (type == KV_F16)
            f->k->f16_of_f32(x, half, dim);
    }
}

/* The same in a block, of a layer, for the first n tokens. */
static void turn_block(struct forward *f, struct kv *kv, int layer, int block, int n, int by)
{
    const float *turn = f->m->layers[layer].local ? f->turn_local : f->turn;
    int at = kv->blocks[block].at;
    for (int h = 0; h < f->m->n_kv_head; h++) {
        if (kv->blocks[block].form == KV_ROWS) {
            turn_rows(f, kv->shape.type, kv_keys(kv, layer, block, h), n, turn);
            continue;
        }
        turn_rows(f, KV_F32, kv_take_head(kv, layer, block, h), n, turn);
        kv_put_head(kv, layer, block, h, at < 0 ? at : at + by);
    }
}

static void dense_turn_keys(struct forward *f, struct cache *c, int n, int by)
{
    const struct model *m = f->m;
    struct kv *kv = kv_of(c);
    set_turn(f->freq, m->n_rot / 2, by, f->turn);
    if (m->window)
        set_turn(f->freq + m->n_rot / 2, m->n_rot / 2, by, f->turn_local);
    for (int b = 0; b * KV_BLOCK < n; b++) {
        int rows = n - b * KV_BLOCK < KV_BLOCK ? n - b * KV_BLOCK : KV_BLOCK;
        for (int l = 0; l < m->n_layer; l++)
            turn_block(f, kv, l, b, rows, by);
        kv->blocks[b].at += kv->blocks[b].at < 0 ? 0 : by;
    }
}

const struct forward_ops forward_dense = {
    &cache_dense, dense_bytes, dense_create, dense_destroy, dense_run, dense_logits, true,
    dense_turn_keys,
};
