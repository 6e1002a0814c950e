/* dense.c -- the forward pass of the dense transformers: one straight line through the layers.
 *
 *   x    = embed[id]
 *   each layer:
 *     h  = norm(x);  q, k, v = Wq h, Wk h, Wv h;  q, k rotated by position;  k, v to the cache
 *     x += Wo attention(q)
 *     h  = norm(x);  x += Wdown (silu(Wgate h) * Wup h)
 *   logits = Wout norm(x)
 *
 * All buffers are [n_max][width], row t being token t of the call. */
#include "engine/forward.h"

#include <assert.h>
#include <math.h>

#include "engine/attention.h"
#include "engine/kv.h"
#include "engine/matmul.h"
#include "engine/mem.h"

struct forward {
    const struct model *m;
    const struct kernels *k;
    struct pool *pool;
    struct matmul mm;
    double *freq;              /* [n_rot / 2] angle per position of each pair */
    float *turn;               /* [n_max][n_rot] cosine and sine of each pair */
    float *x, *h, *delta;      /* [n_max][d_model] the stream, its norm, what a part adds */
    float *q, *att;            /* [n_max][d_q] */
    float *key, *value;        /* [n_max][d_kv] */
    float *gate, *up;          /* [n_max][d_ff] */
    const struct forward_call *call;  /* during run() */
    struct kv *kv;                    /* its cache */
    int layer;
};

/* ---- scratch ------------------------------------------------------------------------------- */

/* Floats per token in all buffers. */
static size_t width(const struct model *m)
{
    return 3 * (size_t)m->d_model + 2 * (size_t)m->d_q + 2 * (size_t)m->d_kv +
           2 * (size_t)m->d_ff + (size_t)m->n_rot;
}

static size_t dense_bytes(const struct model *m, int n_max, int n_ctx, int n_threads)
{
    (void)n_ctx;
    return sizeof(struct forward) + (size_t)m->n_rot / 2 * sizeof(double) +
           (size_t)n_max * width(m) * sizeof(float) +
           matmul_bytes(n_max, model_cols_max(m), n_threads);
}

static void dense_destroy(struct forward *f)
{
    if (!f)
        return;
    matmul_release(&f->mm);
    mem_free(f->freq);
    mem_free(f->x);
    mem_free(f);
}

/* Cuts the one block of scratch into its buffers. */
static void share_out(struct forward *f, size_t n_max)
{
    const struct model *m = f->m;
    const struct { float **buffer; int width; } parts[] = {
        { &f->h, m->d_model }, { &f->delta, m->d_model }, { &f->q, m->d_q }, { &f->att, m->d_q },
        { &f->key, m->d_kv }, { &f->value, m->d_kv }, { &f->gate, m->d_ff }, { &f->up, m->d_ff },
        { &f->turn, m->n_rot },
    };
    float *at = f->x + n_max * (size_t)m->d_model;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].buffer = at;
        at += n_max * (size_t)parts[i].width;
    }
}

static void set_frequencies(struct forward *f)
{
    const struct model *m = f->m;
    for (int i = 0; i < m->n_rot / 2; i++) {
        f->freq[i] = pow((double)m->rope_base, -2.0 * i / m->n_rot) / (double)m->rope_factor;
        if (m->rope_freqs)
            f->freq[i] /= (double)m->rope_freqs[i];
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
        f->freq = mem_alloc_n((size_t)m->n_rot / 2, sizeof *f->freq);
        f->x = mem_alloc_n((size_t)n_max * width(m), sizeof(float));
    }
    if (!f || !f->freq || !f->x) {
        err_set(err, ERR_NOMEM, "not enough memory: %zu bytes to compute in",
                dense_bytes(m, n_max, n_ctx, pool_n_threads(pool)));
        dense_destroy(f);
        return NULL;
    }
    if (!matmul_init(&f->mm, k, pool, n_max, model_cols_max(m), err)) {
        dense_destroy(f);
        return NULL;
    }
    share_out(f, (size_t)n_max);
    set_frequencies(f);
    return f;
}

/* ---- steps of one token, run on the pool --------------------------------------------------- */

static float *row(float *buffer, int t, int d)
{
    return buffer + (size_t)t * (size_t)d;
}

static void embed_token(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    (void)thread;
    matrix_row(&m->embed, f->call->ids[t], row(f->x, t, m->d_model));
    float *turn = row(f->turn, t, m->n_rot);
    for (int i = 0; i < m->n_rot / 2; i++) {
        double angle = f->freq[i] * (f->call->pos + t);
        turn[2 * i] = (float)cos(angle);
        turn[2 * i + 1] = (float)sin(angle);
    }
}

static void norm_for_attention(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    (void)thread;
    f->k->rms_norm(row(f->x, t, m->d_model), m->layers[f->layer].attn_norm, m->norm_eps,
                   (size_t)m->d_model, row(f->h, t, m->d_model));
}

static void rotate_and_store(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    (void)thread;
    const float *turn = row(f->turn, t, m->n_rot);
    float *q = row(f->q, t, m->d_q), *key = row(f->key, t, m->d_kv);
    for (int h = 0; h < m->n_head; h++)
        f->k->rope_pairs(row(q, h, m->head_dim), turn, (size_t)m->n_rot / 2);
    for (int h = 0; h < m->n_kv_head; h++)
        f->k->rope_pairs(row(key, h, m->head_dim), turn, (size_t)m->n_rot / 2);
    attention_store(f->k, f->kv, f->layer, f->call->pos + t, key,
                    row(f->value, t, m->d_kv));
}

static void norm_for_ff(void *data, int t, int thread)
{
    struct forward *f = data;
    const struct model *m = f->m;
    (void)thread;
    f->k->add(row(f->x, t, m->d_model), row(f->delta, t, m->d_model), (size_t)m->d_model);
    f->k->rms_norm(row(f->x, t, m->d_model), m->layers[f->layer].ff_norm, m->norm_eps,
                   (size_t)m->d_model, row(f->h, t, m->d_model));
}

static void activate(void *data, int t, int thread)
{
    struct forward *f = data;
    int d = f->m->d_ff;
    (void)thread;
    f->k->silu_mul(row(f->gate, t, d), row(f->up, t, d), (size_t)d);
}

static void add_ff(void *data, int t, int thread)
{
    struct forward *f = data;
    int d = f->m->d_model;
    (void)thread;
    f->k->add(row(f->x, t, d), row(f->delta, t, d), (size_t)d);
}

/* ---- the pass ------------------------------------------------------------------------------ */

static bool dense_run(struct forward *f, const struct forward_call *call)
{
    const struct model *m = f->m;
    int n = call->n;
    f->call = call;
    f->kv = kv_of(call->cache);
    pool_run(f->pool, embed_token, f, n);
    for (f->layer = 0; f->layer < m->n_layer; f->layer++) {
        const struct layer *l = &m->layers[f->layer];
        if (atomic_load_explicit(call->cancel, memory_order_relaxed))
            return false;

        /* Attention. */
        pool_run(f->pool, norm_for_attention, f, n);
        const struct product qkv[] = { { &l->q, f->q }, { &l->k, f->key }, { &l->v, f->value } };
        matmul_run(&f->mm, f->h, n, qkv, 3);
        pool_run(f->pool, rotate_and_store, f, n);
        attention_run(&(struct attention){
            .kernels = f->k, .pool = f->pool, .kv = f->kv, .n_head = m->n_head,
            .layer = f->layer, .n = n, .pos = call->pos, .q = f->q, .out = f->att });
        matmul_run(&f->mm, f->att, n, &(struct product){ &l->o, f->delta }, 1);

        /* Feed-forward network. */
        pool_run(f->pool, norm_for_ff, f, n);
        const struct product gate_up[] = { { &l->gate, f->gate }, { &l->up, f->up } };
        matmul_run(&f->mm, f->h, n, gate_up, 2);
        pool_run(f->pool, activate, f, n);
        matmul_run(&f->mm, f->gate, n, &(struct product){ &l->down, f->delta }, 1);
        pool_run(f->pool, add_ff, f, n);
    }
    return true;
}

static void dense_logits(struct forward *f, int t, float *out)
{
    const struct model *m = f->m;
    f->k->rms_norm(row(f->x, t, m->d_model), m->output_norm, m->norm_eps, (size_t)m->d_model,
                   f->h);
    matmul_run(&f->mm, f->h, 1, &(struct product){ &m->output, out }, 1);
}

const struct forward_ops forward_dense = {
    &cache_dense, dense_bytes, dense_create, dense_destroy, dense_run, dense_logits,
};
