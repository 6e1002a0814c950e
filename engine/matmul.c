/* matmul.c -- see matmul.h. The one file of the engine that knows OpenBLAS.
 *
 * Work is cut into tiles of TILE_ROWS weight rows; a tile is one item of the pool. Inside a
 * quantised tile, TILE_TOKENS activation rows stay in the first cache while each weight row passes
 * once. A float tile with many tokens is one call of sgemm with one thread. */
#include "engine/matmul.h"

#include <assert.h>
#include <cblas.h>

#include "engine/mem.h"

#define TILE_ROWS   32
#define TILE_TOKENS 32
#define BLAS_TOKENS 8    /* from so many tokens on sgemm is faster than dot products */

size_t matmul_bytes(int n_max, int cols_max, int n_threads)
{
    size_t cols = ((size_t)cols_max + 31) / 32 * 32;
    return (size_t)n_max * q8_row_bytes(cols) +
           (size_t)n_threads * TILE_ROWS * cols * sizeof(float);
}

bool matmul_init(struct matmul *m, const struct kernels *k, struct pool *pool, int n_max,
                 int cols_max, struct err *err)
{
    size_t cols = ((size_t)cols_max + 31) / 32 * 32;
    *m = (struct matmul){ .kernels = k, .pool = pool, .decoded_tile = TILE_ROWS * cols };
    m->act = mem_alloc_n((size_t)n_max, q8_row_bytes(cols));
    m->decoded = mem_alloc_n((size_t)pool_n_threads(pool) * m->decoded_tile, sizeof(float));
    if (m->act && m->decoded) {
        openblas_set_num_threads(1);  /* threads are the pool's affair */
        return true;
    }
    matmul_release(m);
    return err_set(err, ERR_NOMEM, "not enough memory: %zu bytes to multiply in",
                   matmul_bytes(n_max, cols_max, pool_n_threads(pool)));
}

void matmul_release(struct matmul *m)
{
    mem_free(m->act);
    mem_free(m->decoded);
    *m = (struct matmul){0};
}

/* One call of matmul_run(), as the pool's threads see it. */
struct job {
    const struct matmul *m;
    const float *x;     /* [n][cols] */
    int n, cols;
    const struct product *p;
};

static void quantise_token(void *data, int t, int thread)
{
    const struct job *j = data;
    (void)thread;
    size_t cols = (size_t)j->cols;
    j->m->kernels->quant_q8(j->x + (size_t)t * cols, j->m->act + (size_t)t * q8_row_bytes(cols),
                            cols);
}

static const void *tile_data(const struct matrix *w, int row)
{
    return (const char *)w->data + (size_t)row * w->row_bytes;
}

/* Rows [row, end) against all tokens, by dot products. */
static void tile_dot(const struct job *j, const struct product *p, int row, int end)
{
    const struct matrix *w = p->w;
    enum act act = weight_info(w->type)->act;
    const char *x = act == ACT_Q8 ? j->m->act : (const char *)j->x;
    size_t x_bytes = act_row_bytes(act, (size_t)j->cols);
    for (int t = 0; t < j->n; t += TILE_TOKENS) {
        int n = j->n - t < TILE_TOKENS ? j->n - t : TILE_TOKENS;
        for (int r = row; r < end; r++)
            j->m->kernels->dot[w->type](tile_data(w, r), x + (size_t)t * x_bytes, x_bytes, n,
                                        (size_t)j->cols,
                                        p->y + (size_t)t * (size_t)w->rows + r, (size_t)w->rows);
    }
}

/* The same by OpenBLAS: Y[n][rows] = X[n][cols] times the transposed tile. */
static void tile_blas(const struct job *j, const struct product *p, int row, int end, int thread)
{
    const struct matrix *w = p->w;
    const float *tile = tile_data(w, row);
    if (w->type != WEIGHT_F32) {
        float *d = j->m->decoded + (size_t)thread * j->m->decoded_tile;
        weight_info(w->type)->decode(tile, d, (size_t)(end - row) * (size_t)w->cols);
        tile = d;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, j->n, end - row, w->cols, 1, j->x,
                w->cols, tile, w->cols, 0, p->y + row, w->rows);
}

static int tiles(const struct product *p)
{
    return (p->w->rows + TILE_ROWS - 1) / TILE_ROWS;
}

static void multiply_tile(void *data, int item, int thread)
{
    const struct job *j = data;
    const struct product *p = j->p;
    for (; item >= tiles(p); p++)
        item -= tiles(p);
    int row = item * TILE_ROWS;
    int end = p->w->rows - row < TILE_ROWS ? p->w->rows : row + TILE_ROWS;
    if (weight_info(p->w->type)->act == ACT_F32 && j->n >= BLAS_TOKENS)
        tile_blas(j, p, row, end, thread);
    else
        tile_dot(j, p, row, end);
}

void matmul_run(const struct matmul *m, const float *x, int n, const struct product *p,
                int n_products)
{
    struct job job = { .m = m, .x = x, .n = n, .cols = p->w->cols, .p = p };
    bool quantise = false;
    int items = 0;
    for (int i = 0; i < n_products; i++) {
        assert(p[i].w->cols == job.cols);
        quantise |= weight_info(p[i].w->type)->act == ACT_Q8;
        items += tiles(&p[i]);
    }
    if (quantise)
        pool_run(m->pool, quantise_token, &job, n);
    pool_run(m->pool, multiply_tile, &job, items);
}

void matrix_row(const struct matrix *w, int r, float *out)
{
    assert(r >= 0 && r < w->rows);
    weight_info(w->type)->decode(tile_data(w, r), out, (size_t)w->cols);
}
