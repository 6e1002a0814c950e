/* kernels.h -- the inner loops: one pointer per operation, its contract beside it.
 *
 * kernels_c.c and quant.c are the definition of right; each instruction set overrides what it
 * does faster and is tested against them. Kernels know numbers and shapes: no model, no layer,
 * no thread. Arguments do not overlap unless the contract says so. Infinities and NaNs in the
 * input give some result, never a fault.
 *
 * A set computes the same bits for the same operands wherever they stand in a batch. Between two
 * sets results differ by rounding. */
#ifndef DUET_ENGINE_KERNELS_H
#define DUET_ENGINE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/codec.h"
#include "engine/quant.h"

#define PANEL 16

/* The rows of a block of the cache, dim > 0, 1 <= n <= 64, as panels of floats for the multiply()
 * beside it.
 *
 * keys     a column is a row of the block, panels [n / PANEL rounded up][dim][PANEL]; columns
 *          behind n repeat the last one
 * values   a column is a dimension, panels [dim / PANEL rounded up][n][PANEL]; columns behind dim
 *          are 0
 * ahead    n rows that are wanted next; where memory is slow they are asked for meanwhile */
typedef void pack_fn(const void *rows, int n, size_t dim, const void *ahead, float *panels);

/* Rows of floats against panels of PANEL columns:
 *
 *   c[r][p * PANEL + j] = c or 0 + sum_i a[r][i] * b[p][i][j],   r < n_a, p < n_b, i < n
 *
 * Rows of a are a_step floats apart, rows of c c_step. n_a, n_b, n > 0. A sum is taken in the order
 * of i, so a result does not depend on what else is computed in the call, and a factor of 0 behind
 * the others changes nothing. */
struct panels {
    const float *a, *b;
    size_t a_step;
    int n_a, n_b, n;
    float *c;
    size_t c_step;
    bool add;        /* to c */
};

struct panel_kernels {
    pack_fn *keys_f16, *keys_f32, *values_f16, *values_f32;
    void (*multiply)(const struct panels *p);
};

/* Floats that a block's panels take at most. */
static inline size_t panels_floats(size_t dim)
{
    return (dim + 31) / 32 * 32 * CODEC_BLOCK;
}

/* n queries of dim floats: groups of `group` that lie one after the other, token_step floats from
 * one group to the next. */
struct queries {
    const float *q;
    int n, group;
    size_t token_step, dim;
};

#define ATTEND_QUERIES 32   /* that are worked on at once: room is for whole numbers of these */

/* Queries and one block of the cache: a step of the online softmax.
 *
 *   out[i] = out[i] e(max - new max) + sum_j e(scale q[i] . k[j] - new max) v[j]
 *
 * over the rows j < n that query i sees, which belongs to the token at row pos + i / group of the
 * block, a negative number or one beyond it too; sum is kept likewise with 1 for v. Weights are
 * rounded to brain floats, before they are summed. */
struct attend {
    const void *q;             /* from take_queries() */
    int n_queries, group;
    const void *keys, *values; /* [n][dim] floats or half floats */
    const void *ahead[2];      /* keys and values that are wanted next, as many */
    bool is_half;
    int n;                     /* 1 to 64 */
    size_t dim;
    int pos, window;           /* positions seen, its own included; 0: all */
    float scale;               /* > 0 */
    float *max, *sum;          /* [n_queries], -infinity and 0 at first; those behind are used */
    float *out;                /* [n_queries][attend_width(dim)], 0 at first; likewise */
    void *work;                /* attend_bytes(dim) */
    void *weights;             /* 128 bytes for each query; both aligned to 64 bytes */
};

/* dim, rounded up so that a row has whole tiles. */
static inline size_t attend_width(size_t dim)
{
    return (dim + 2 * PANEL - 1) / (2 * PANEL) * (2 * PANEL);
}

static inline size_t attend_bytes(size_t dim)
{
    return 2 * panels_floats(dim) * sizeof(float);
}

#define BF16_COLS 1024
#define BF16_ROWS 16

/* Columns from `from` on that go together, BF16_COLS unless they are the last. */
static inline size_t bf16_pass(size_t cols, size_t from)
{
    return cols - from < BF16_COLS ? cols - from : BF16_COLS;
}

/* Activations packed as brain floats, cols a multiple of 32: BF16_COLS columns of all rows, then
 * the next ones; of these 16 rows, then 16 more; of these 32 columns, then the next. Where column
 * col of a group of 16 rows begins, col a multiple of 32, in numbers of 16 bits. */
static inline size_t bf16_at(size_t cols, size_t n_groups, size_t group, size_t col)
{
    size_t first = col / BF16_COLS * BF16_COLS;
    return (first * n_groups + group * bf16_pass(cols, first) + col - first) * BF16_ROWS;
}

/* Rows of quantised weights against many rows of activations, both rounded to brain floats (bf16:
 * the upper half of a float); sums are floats:
 *
 *   y[t * y_step + r] = y or 0 + sum_i w[r][i] * x[t][i],   r < n_w, t < n_x, from <= i < from + n
 *
 * Rows of w are w_bytes apart. x is packed: its columns from `from` on, a multiple of BF16_COLS,
 * and n is all that there are, BF16_COLS at most. A result depends on nothing else that is computed
 * in the call. */
struct bf16_product {
    const void *w, *x;
    size_t w_bytes;
    int n_w, n_x;
    size_t from, n;
    float *y;
    size_t y_step;
    bool add;        /* to y */
    void *tiles;     /* n numbers of 16 bits to work in for each row, n_w a multiple of 16; aligned
                      * to 64 bytes */
};

typedef void bf16_fn(const struct bf16_product *p);

/* Two such products and what a network makes of them, packed as well:
 *
 *   out[t][r] = act(sum_i gate[r][i] * x[t][i]) * sum_i up[r][i] * x[t][i],   r < n_w, t < n_x
 *
 * Row `rest` of x, one of the last 16, is what is rounded off row `fine`, and that of out becomes
 * the same; below 0: there is none. */
struct bf16_gate {
    const void *gate, *up;     /* rows w_bytes apart */
    size_t w_bytes;
    int n_w, n_x;              /* n_w: a multiple of 32, GATE_ROWS at most */
    int fine, rest;
    bool gelu;                 /* act, or else silu (below) */
    const void *x;             /* [n_x][n] packed */
    size_t n;
    void *out;                 /* where column 0 of the first 16 rows begins */
    size_t out_step;           /* numbers from there to the next 16 rows */
    void *tiles;               /* 2 n numbers of 16 bits for each row, aligned to 64 bytes */
};

#define GATE_ROWS 64

typedef void gate_fn(const struct bf16_gate *g);

struct kernels {
    const char *name;  /* "c", "avx2", ... */
    bool exact;        /* set after kernels_init(): products round no activation (matmul.h) */

    /* Weight rows against activation rows; see struct dot in quant.h. */
    dot_fn *dot[WEIGHT_N];

    /* The same for many rows of activations, or NULL where the set has no faster way for them. */
    bf16_fn *multiply_bf16[WEIGHT_N];
    gate_fn *gate_bf16[WEIGHT_N];

    /* 16 rows of n floats, n a multiple of 32, packed for that, aligned to 64 bytes; a row that is
     * NULL is 0. NULL in sets without products of that kind. */
    void (*pack_bf16)(const float *const *x, size_t n, void *out);

    /* A row of n floats to a row of 8-bit activations (quant.h); n a multiple of 32, x and row
     * aligned to 4 and 64. */
    void (*quant_q8)(const float *x, void *row, size_t n);

    /* y[i] = x[i] / sqrt(mean(x^2) + eps) * gain[i], i < n, n > 0. y may be x. */
    void (*rms_norm)(const float *x, const float *gain, float eps, size_t n, float *y);

    /* x[i] = exp((x[i] - max) * scale), i < n, n > 0, with max >= all x[i], scale > 0. Returns
     * the sum. Relative error of exp below 4e-7; -infinity gives 0. */
    float (*exp_sum)(float *x, size_t n, float max, float scale);

    /* The largest of x[0..n), n > 0, none of them NaN. */
    float (*max)(const float *x, size_t n);

    /* a[i] = a[i] / (1 + exp(-a[i])) * b[i], i < n. */
    void (*silu_mul)(float *a, const float *b, size_t n);

    /* a[i] = gelu(a[i]) * b[i], i < n, by the approximation with a tangent:
     * gelu(x) = x / 2 (1 + tanh u) = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3). */
    void (*gelu_mul)(float *a, const float *b, size_t n);

    /* a[i] += b[i], i < n. */
    void (*add)(float *a, const float *b, size_t n);

    /* Rotates the pairs (x[2i], x[2i + 1]) by angles whose cosine and sine are turn[2i] and
     * turn[2i + 1], i < n_pairs. */
    void (*rope_pairs)(float *x, const float *turn, size_t n_pairs);

    /* The same for the pairs (x[i], x[n_pairs + i]). */
    void (*rope_halves)(float *x, const float *turn, size_t n_pairs);

    void (*f16_of_f32)(const float *x, uint16_t *y, size_t n);

    /* Attention over the rows of one block and head of the cache: dim values each, one row after
     * the other, dim > 0, 1 <= n <= 64.
     *
     * score: out[i] = sum_d q[d] * k[i][d], i < n.   mix: out[d] += sum_i w[i] * v[i][d]. */
    void (*score_f16)(const float *q, const void *k, int n, size_t dim, float *out);
    void (*score_f32)(const float *q, const void *k, int n, size_t dim, float *out);
    void (*mix_f16)(const float *w, const void *v, int n, size_t dim, float *out);
    void (*mix_f32)(const float *w, const void *v, int n, size_t dim, float *out);

    /* The same for many queries at once. */
    struct panel_kernels panels;

    /* And for those of text that is read, all steps in one, where a set has a way of its own; NULL
     * where it has none. out of take_queries(): attend_width(dim) floats for each query, and for
     * those that fill up the last ATTEND_QUERIES; aligned to 64 bytes. */
    void (*take_queries)(const struct queries *q, void *out);
    void (*attend)(const struct attend *a);

    /* n coded rows of the cache (codec.h), stride bytes apart, to dim floats each. All sets give
     * the same bits. */
    void (*rows_q8)(const void *rows, size_t stride, int n, size_t dim, float *out);
    void (*rows_q4)(const void *rows, size_t stride, int n, size_t dim, float *out);

    /* The products of a query with the 64 coded keys of an index (codec.h): what its table says of
     * each code, summed as whole numbers, times the token's scale, times factor, plus add. All sets
     * give the same bits. codes [n_groups][32], table [n_groups][16], n_groups a multiple of 4. */
    void (*index_score)(const void *codes, size_t n_groups, const int8_t *table,
                        const float *scale, float factor, float add, float *out);

    /* What each code adds to the product of a turned query with a key: whole numbers, which times
     * the result are the products. Two of them add up in a byte. All sets give the same bits. */
    float (*index_table)(const float *turned, size_t n_groups, int8_t *table);

    /* The 64 scales of an index: out[t] = power[level[t]], levels in 32 bytes as in codec.h. */
    void (*index_scales)(const void *levels, const float *power, float *out);

    /* score: out[h][i] = q[h] . row[i].   mix: out[h][d] += sum_i w[h][i] * row[i][d], i < n,
     * h < n_q; q, out of mix: [n_q][dim], numbers of rows: step apart. */
    void (*score_q8)(const struct coded_rows *r, const float *q, float *out);
    void (*mix_q8)(const struct coded_rows *r, const float *w, float *out);

    /* out[i] = the root of sum_h (weight[h] * x[h * step + i])^2, i < n, h < n_rows; n a multiple
     * of 16. Returns their sum. */
    float (*lengths)(const float *x, size_t step, const float *weight, int n_rows, size_t n,
                     float *out);

    /* How many of x[0..n) are > least, and their sum; n a multiple of 8. The positions of these in
     * order, out [n]; returns how many. */
    size_t (*sum_above)(const float *x, size_t n, float least, float *sum);
    size_t (*find_above)(const float *x, size_t n, float least, int *out);

    /* x[i] *= f, i < n. */
    void (*scale)(float *x, float f, size_t n);
};

/* Fills *k with plain C, then with each instruction set that cpu has (cpu.h), in order. */
void kernels_init(struct kernels *k, unsigned cpu);

/* The flags that the set of this name may use; ~0u for NULL (all), 0 for "c". Returns 0 and
 * leaves *mask alone if there is no such set. */
int kernels_mask(const char *name, unsigned *mask);

/* The names of all sets, "c, avx2, ...", for messages. */
const char *kernels_names(void);

/* Each file's own part of kernels_init(). */
void kernels_init_c(struct kernels *k);
void kernels_init_avx2(struct kernels *k);
void kernels_init_avxvnni(struct kernels *k);
void kernels_init_avx512(struct kernels *k);
void kernels_init_avx512_floats(struct kernels *k);
void kernels_init_avx512_codec(struct kernels *k);
void kernels_init_amx(struct kernels *k);
void kernels_init_amx_attention(struct kernels *k);
void kernels_init_avx2_attention(struct kernels *k);
void kernels_init_avx2_codec(struct kernels *k);

#endif
