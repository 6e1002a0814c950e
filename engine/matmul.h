/* matmul.h -- y = W x for many tokens at once, any weight format, on all threads.
 *
 * Quantised weights meet 8-bit activations through the format's dot product; or, where that is
 * asked for and the kernels can, both are rounded to brain floats, which is the faster way for many
 * tokens and the finer one: it rounds a value by 2^-9 of itself at most, 8 bits by 2^-8 of the
 * largest of 32. Either way the result for a token does not depend on how many tokens are in the
 * call.
 * Float weights do the same with up to MATMUL_FEW tokens and go through OpenBLAS with more, where
 * only the last bits may differ; so do all weights where activations must not be rounded
 * (matmul.exact). Nothing depends on the number of threads.
 *
 * A row of activations that much depends on may be called fine: what was rounded off is rounded
 * again and multiplied too. That costs as much as a second row. Where a matrix says so, 8 bits
 * leave the peaks of a row out, which are multiplied as floats (peaks.h). */
#ifndef DUET_ENGINE_MATMUL_H
#define DUET_ENGINE_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/err.h"
#include "engine/kernels.h"
#include "engine/peaks.h"
#include "engine/pool.h"
#include "engine/quant.h"

#define MATMUL_FEW  8
#define MATMUL_FINE 1    /* fine rows of a call by brain floats */

/* Weights [rows][cols], borrowed from the model's file; or a stack of such matrices, one after the
 * other: the experts of a layer. */
struct matrix {
    enum weight type;
    const void *data;
    int rows, cols;      /* of one matrix */
    size_t row_bytes;
    int n_stack;         /* matrices in the stack; not looked at where one is multiplied */
    struct peak_tile *columns;  /* one for each PEAKS_ROWS rows, borrowed, changed where this is
                                 * multiplied; NULL: activations have no peaks taken out */
};

/* What a multiplication needs besides its operands. Filled by matmul_init(). */
struct matmul {
    const struct kernels *kernels;  /* borrowed */
    struct pool *pool;              /* borrowed; locked by the caller of matmul_run() */
    char *act;                      /* activations as kernels take them, [n_max] rows and as many
                                     * for what is left of fine ones, owned */
    struct peaks *peaks;            /* [n_max] of the rows in 8 bits, owned */
    float *decoded;                 /* [n_threads] places for decoded weights, owned */
    size_t decoded_tile;            /* floats of one place */
    bool exact;                     /* of the kernels, or set by whoever wants it: no activation
                                     * is rounded, all weights are decoded and meet floats */
    bool bf16;                      /* set by whoever wants it: by brain floats where possible */
    const int *fine;                /* [n_fine] the rows of x that matmul_run() takes as fine,
                                     * borrowed; set by whoever wants it */
    int n_fine;
};

/* Bytes that matmul_init() will take for calls of up to n_max tokens and cols_max columns. */
size_t matmul_bytes(int n_max, int cols_max, int n_threads);

bool matmul_init(struct matmul *m, const struct kernels *k, struct pool *pool, int n_max,
                 int cols_max, struct err *err);
void matmul_release(struct matmul *m);

struct product {
    const struct matrix *w;
    float *y;  /* [n][w->rows], and MATMUL_FINE rows behind them to work in */
};

/* For each product p: p.y[t][r] = sum_c p.w[r][c] * x[t][c]. All have the same number of columns,
 * that of x [n][cols]. x and y do not overlap; x is aligned to 4 bytes. */
void matmul_run(const struct matmul *m, const float *x, int n, const struct product *p,
                int n_products);

/* A layer's network: y = down (act(gate x) * (up x)). */
struct network {
    const struct matrix *gate, *up, *down;
    bool gelu;           /* act, or else silu (kernels.h) */
    float *y;            /* [n][down->rows], and MATMUL_FINE rows behind them to work in */
};

/* The same as products by brain floats, but that what is in the middle is kept as such: it never
 * leaves the cache as floats. False, and nothing is done, where there is no such way: the caller
 * then goes step by step. */
bool matmul_network(const struct matmul *m, const float *x, int n, const struct network *net);

/* True if a product with w alone goes by brain floats. */
bool matmul_by_bf16(const struct matmul *m, const struct matrix *w);

/* Rows of a result in groups: rows [first[g], first[g + 1]) are made by matrix[g] of a stack. */
struct groups {
    int n;
    const int *matrix;   /* [n] */
    const int *first;    /* [n + 1], first[0] = 0, ascending */
    const int *x_row;    /* [first[n]] which row of x a row of y is made from; NULL: the same */
};

/* For each product p and row i of group g: p.y[i][r] = sum_c W[r][c] * x[x_row[i]][c], W being
 * matrix[g] of p.w; no other matrix is read. A row's result is the same in any grouping.
 * first[n] <= n_max of matmul_init(). */
void matmul_groups(const struct matmul *m, const float *x, const struct groups *g,
                   const struct product *p, int n_products);

/* Matrix i of a stack. */
struct matrix matrix_of_stack(const struct matrix *w, int i);

/* Row r of W as floats, [cols]. */
void matrix_row(const struct matrix *w, int r, float *out);

#endif
