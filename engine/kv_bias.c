/* kv_bias.c -- see kv_bias.h. */
#include "engine/kv_bias.h"

#include <math.h>
#include <string.h>

#include "engine/codec.h"
#include "engine/kv.h"
#include "engine/mem.h"
#include "engine/model.h"

#define PAIR_LEAST 1.0f    /* square of a bias in a pair: smaller ones stay in the key */

/* A pair of a head that is taken out. */
struct pair {
    int at0, at1;          /* its two values in a key */
    int freq;              /* whose angle it turns by */
    float bias0, bias1;
};

#define PAIRS_MAX (CODEC_DIM_MAX / 2)

struct kv_bias {
    int n_head, dim, n_freq, n_blocks;
    int *n_pairs;          /* [n_layer][n_head] */
    struct pair *pairs;    /* [n_layer][n_head][n_freq] */
    float *in_block;       /* [n_freq][cosine, sine][KV_BLOCK] of the positions in a block */
    float *at_row;         /* [KV_BLOCK][cosine, sine][n_freq] the same */
    float *of_block;       /* [n_blocks][n_freq][2] cosine and sine of its first position */
    double *freq;          /* [n_freq] angles per position */
};

/* ---- life ---------------------------------------------------------------------------------- */

static bool has_bias(const struct model *m)
{
    for (int l = 0; l < m->n_layer; l++)
        if (m->layers[l].k_bias)
            return true;
    return false;
}

static struct pair pair_of(const struct model *m, const float *bias, int i)
{
    int n = m->n_rot / 2;
    int at0 = m->family->rope_halves ? i : 2 * i, at1 = m->family->rope_halves ? n + i : at0 + 1;
    return (struct pair){ at0, at1, i, bias[at0], bias[at1] };
}

static void find_pairs(struct kv_bias *b, const struct model *m, int layer, int head)
{
    const float *bias = m->layers[layer].k_bias;
    int at = layer * b->n_head + head;
    if (!bias || m->layers[layer].local || m->layers[layer].k_norm)
        return;
    for (int i = 0; i < b->n_freq; i++) {
        struct pair p = pair_of(m, bias + head * m->head_dim, i);
        if (p.bias0 * p.bias0 + p.bias1 * p.bias1 >= PAIR_LEAST)
            b->pairs[at * b->n_freq + b->n_pairs[at]++] = p;
    }
}

static void fill_turns(struct kv_bias *b)
{
    const double *freq = b->freq;
    for (int i = 0; i < b->n_freq; i++) {
        for (int t = 0; t < KV_BLOCK; t++) {
            float c = (float)cos(freq[i] * t), s = (float)sin(freq[i] * t);
            b->in_block[2 * i * KV_BLOCK + t] = c;
            b->in_block[(2 * i + 1) * KV_BLOCK + t] = s;
            b->at_row[2 * t * b->n_freq + i] = c;
            b->at_row[(2 * t + 1) * b->n_freq + i] = s;
        }
        for (int k = 0; k < b->n_blocks; k++) {
            double angle = freq[i] * KV_BLOCK * k;
            b->of_block[2 * (k * b->n_freq + i)] = (float)cos(angle);
            b->of_block[2 * (k * b->n_freq + i) + 1] = (float)sin(angle);
        }
    }
}

bool kv_bias_new(struct kv_bias **out, const struct model *m, int n_ctx, struct err *err)
{
    *out = NULL;
    if (!has_bias(m))
        return true;
    struct kv_bias *b = mem_alloc(sizeof *b);
    size_t n_freq = (size_t)m->n_rot / 2, n_heads = (size_t)(m->n_layer * m->n_kv_head);
    size_t n_blocks = ((size_t)n_ctx + KV_BLOCK - 1) / KV_BLOCK;
    if (b) {
        *b = (struct kv_bias){ m->n_kv_head, m->head_dim, (int)n_freq, (int)n_blocks,
                               mem_alloc_n(n_heads, sizeof(int)),
                               mem_alloc_n(n_heads * n_freq, sizeof(struct pair)),
                               mem_alloc_n(2 * n_freq * KV_BLOCK, sizeof(float)),
                               mem_alloc_n(2 * n_freq * KV_BLOCK, sizeof(float)),
                               mem_alloc_n(2 * n_freq * n_blocks, sizeof(float)),
                               mem_alloc_n(n_freq, sizeof(double)) };
    }
    if (!b || !b->n_pairs || !b->pairs || !b->in_block || !b->at_row || !b->of_block ||
        !b->freq) {
        kv_bias_free(b);
        return err_set(err, ERR_NOMEM, "not enough memory for the far context");
    }
    model_rope(m, false, b->freq);
    fill_turns(b);
    for (int l = 0; l < m->n_layer; l++)
        for (int h = 0; h < m->n_kv_head; h++)
            find_pairs(b, m, l, h);
    *out = b;
    return true;
}

void kv_bias_free(struct kv_bias *b)
{
    if (!b)
        return;
    mem_free(b->n_pairs);
    mem_free(b->pairs);
    mem_free(b->in_block);
    mem_free(b->at_row);
    mem_free(b->of_block);
    mem_free(b->freq);
    mem_free(b);
}

/* ---- use ----------------------------------------------------------------------------------- */

/* The pairs of a head; their number in *n. */
static const struct pair *pairs_of(const struct kv_bias *b, int layer, int head, int *n)
{
    int at = layer * b->n_head + head;
    *n = b->n_pairs[at];
    return b->pairs + at * b->n_freq;
}

/* a cos(angle) + b sin(angle) at the block's first position, as factors of the angle in it. */
static void turn_to(const struct kv_bias *b, const struct pair *p, int pos, float x, float y,
                    float out[2])
{
    const float *turn = b->of_block + 2 * (pos / KV_BLOCK * b->n_freq + p->freq);
    float far[2];
    if (pos / KV_BLOCK >= b->n_blocks) {   /* tokens were taken out before it */
        far[0] = (float)cos(b->freq[p->freq] * pos);
        far[1] = (float)sin(b->freq[p->freq] * pos);
        turn = far;
    }
    out[0] = x * turn[0] + y * turn[1];
    out[1] = y * turn[0] - x * turn[1];
}

/* R(pos) b of a row: x and y for each pair, by the factors of the angle in the block. */
static void turned_row(const float *turn, const float (*first)[PAIRS_MAX],
                       const float (*second)[PAIRS_MAX], int n, float *x, float *y)
{
    const float *c = turn, *s = turn + n;
    for (int i = 0; i < n; i++) {
        x[i] = first[0][i] * c[i] + first[1][i] * s[i];
        y[i] = second[0][i] * c[i] + second[1][i] * s[i];
    }
}

void kv_bias_add(const struct kv_bias *b, int layer, int head, int pos, int row, int n,
                 float *keys, float sign)
{
    int n_pairs = 0, n_freq = b ? b->n_freq : 0;
    const struct pair *pairs = b && pos >= 0 ? pairs_of(b, layer, head, &n_pairs) : NULL;
    float first[2][PAIRS_MAX], second[2][PAIRS_MAX], x[PAIRS_MAX], y[PAIRS_MAX], turned[2];
    if (n_pairs == 0)
        return;
    for (int i = 0; i < n_freq; i++)
        first[0][i] = first[1][i] = second[0][i] = second[1][i] = 0;
    for (const struct pair *p = pairs; p < pairs + n_pairs; p++) {
        turn_to(b, p, pos, sign * p->bias0, sign * -p->bias1, turned);
        first[0][p->freq] = turned[0];
        first[1][p->freq] = turned[1];
        turn_to(b, p, pos, sign * p->bias1, sign * p->bias0, turned);
        second[0][p->freq] = turned[0];
        second[1][p->freq] = turned[1];
    }
    for (int t = row; t < row + n; t++, keys += b->dim) {
        turned_row(b->at_row + 2 * t * n_freq, first, second, n_freq, x, y);
        for (const struct pair *p = pairs; p < pairs + n_pairs; p++) {
            keys[p->at0] += x[p->freq];
            keys[p->at1] += y[p->freq];
        }
    }
}

void kv_bias_query(const struct kv_bias *b, int layer, int head, const float *q, float *ab)
{
    int n;
    const struct pair *p = pairs_of(b, layer, head, &n);
    for (int i = 0; i < n; i++, p++) {
        float q0 = q[p->at0], q1 = q[p->at1];
        ab[2 * i] = q0 * p->bias0 + q1 * p->bias1;
        ab[2 * i + 1] = q1 * p->bias0 - q0 * p->bias1;
    }
}

void kv_bias_score(const struct kv_bias *b, const struct kernels *k, int layer, int head, int pos,
                   const float *ab, float *score)
{
    int n = 0;
    const struct pair *p = pos >= 0 ? pairs_of(b, layer, head, &n) : NULL;
    for (int i = 0; i < n; i++, p++) {
        float turned[2];
        turn_to(b, p, pos, ab[2 * i], ab[2 * i + 1], turned);
        k->mix_f32(turned, b->in_block + 2 * p->freq * KV_BLOCK, 2, KV_BLOCK, score);
    }
}
