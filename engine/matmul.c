/* matmul.c -- see matmul.h. The one file of the engine that knows OpenBLAS.
 *
 * Work is cut into tiles of TILE_ROWS weight rows; a tile is one item of the pool. Inside a
 * quantised tile, TILE_TOKENS activation rows stay near while each weight row passes once. A float
 * tile with many tokens is one call of sgemm with one thread.
 *
 * By brain floats, tiles have TALL_ROWS rows, and columns are gone through BF16_COLS at a time by
 * all of them: what the tokens have there, and the unpacked tile, then fit the second cache. */
#include "engine/matmul.h"

#include <assert.h>
#include <cblas.h>
#include <string.h>

#include "engine/mem.h"

#define TILE_ROWS   PEAKS_ROWS
#define TILE_TOKENS 128
#define TALL_ROWS   96
#define GATE_COLS   4096 /* of a network whose first half is one step: what is unpacked then still
                          * fits the second cache */
#define BLAS_TOKENS (MATMUL_FEW + 1)  /* from here on sgemm is faster than dot products */

static int groups_of(int n)
{
    return (n + BF16_ROWS - 1) / BF16_ROWS;
}

/* Bytes of n_max rows of activations and as many rests in 8 bits; or, as brain floats, of what goes
 * into a network and what is in its middle. */
static size_t act_bytes(int n_max, size_t cols)
{
    size_t whole = (size_t)groups_of(n_max + MATMUL_FINE) * BF16_ROWS;
    size_t q8 = 2 * (size_t)n_max * q8_row_bytes(cols), bf16 = 2 * whole * cols * sizeof(uint16_t);
    return q8 > bf16 ? q8 : bf16;
}

/* Floats of a decoded tile, or of one of brain floats. */
static size_t decoded_floats(size_t cols)
{
    size_t deep = cols < BF16_COLS ? cols : BF16_COLS;
    size_t whole = cols < GATE_COLS ? cols : GATE_COLS;
    size_t tall = TALL_ROWS * deep / 2, gate = 2 * GATE_ROWS * whole / 2;
    size_t bf16 = tall > gate ? tall : gate;
    return TILE_ROWS * cols > bf16 ? TILE_ROWS * cols : bf16;
}

size_t matmul_bytes(int n_max, int cols_max, int n_threads)
{
    size_t cols = ((size_t)cols_max + 31) / 32 * 32;
    return act_bytes(n_max, cols) + (size_t)n_max * sizeof(struct peaks) +
           (size_t)n_threads * decoded_floats(cols) * sizeof(float);
}

bool matmul_init(struct matmul *m, const struct kernels *k, struct pool *pool, int n_max,
                 int cols_max, struct err *err)
{
    size_t cols = ((size_t)cols_max + 31) / 32 * 32;
    *m = (struct matmul){ .kernels = k, .pool = pool, .decoded_tile = decoded_floats(cols),
                          .exact = k->exact };
    m->act = mem_alloc(act_bytes(n_max, cols));
    m->peaks = mem_alloc_n((size_t)n_max, sizeof *m->peaks);
    m->decoded = mem_alloc_n((size_t)pool_n_threads(pool) * m->decoded_tile, sizeof(float));
    if (m->act && m->peaks && m->decoded) {
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
    mem_free(m->peaks);
    mem_free(m->decoded);
    *m = (struct matmul){0};
}

/* One call of matmul_run() or matmul_groups(), as the pool's threads see it. */
struct job {
    const struct matmul *m;
    const float *x;            /* [n][cols] */
    int n, cols;
    bool has_peaks;            /* they are taken out of the rows */
    const struct product *p;
    const struct groups *g;    /* or NULL */
    const uint16_t *packed;    /* by brain floats: the activations, groups_of() rows and rests */
    int from;                  /* and the first column of a pass */
    const struct network *net; /* of which a step is multiplied */
    uint16_t *middle;          /* and what it gives, packed */
};

static const float *x_row(const struct job *j, int i)
{
    int row = j->g && j->g->x_row ? j->g->x_row[i] : i;
    return j->x + (size_t)row * (size_t)j->cols;
}

static char *act_row(const struct job *j, int i)
{
    return j->m->act + (size_t)i * q8_row_bytes((size_t)j->cols);
}

static int n_fine(const struct job *j)
{
    return j->g ? 0 : j->m->n_fine;
}

/* A row of floats for the thread to work in. */
static float *scratch(const struct job *j, int thread)
{
    return j->m->decoded + (size_t)thread * j->m->decoded_tile;
}

/* Quantises row i but for its peaks. Returns what was quantised. */
static const float *quantise_even(const struct job *j, int i, int thread)
{
    size_t n = (size_t)j->cols;
    char *row = act_row(j, i);
    const float *x = x_row(j, i);
    float *even = scratch(j, thread);
    j->m->kernels->quant_q8(x, row, n);
    if (!j->has_peaks)
        return x;
    memcpy(even, x, n * sizeof *even);
    peaks_take(even, n, (float *)q8_scales(row, n), &j->m->peaks[i]);
    if (j->m->peaks[i].n > 0)
        j->m->kernels->quant_q8(even, row, n);
    return even;
}

/* What 8 bits left of row i, which is x, to row `to`. */
static void quantise_rest(const struct job *j, const float *x, int i, int to, int thread)
{
    const float *d = q8_scales(act_row(j, i), (size_t)j->cols);
    const int8_t *q = (const int8_t *)act_row(j, i);
    float *rest = scratch(j, thread);
    for (int c = 0; c < j->cols; c++)
        rest[c] = x[c] - d[c / QUANT_BLOCK] * q[c];
    j->m->kernels->quant_q8(rest, act_row(j, to), (size_t)j->cols);
}

static void quantise_row(void *data, int i, int thread)
{
    const struct job *j = data;
    const float *x = quantise_even(j, i, thread);
    for (int k = 0; k < n_fine(j); k++)
        if (j->m->fine[k] == i)
            quantise_rest(j, x, i, j->n + k, thread);
}

static const void *tile_data(const struct matrix *w, int row)
{
    return (const char *)w->data + (size_t)row * w->row_bytes;
}

/* Some rows of a matrix, as they are or decoded. */
struct tile {
    enum weight type;
    const char *rows;
    size_t row_bytes;
    int n;
    size_t y_step;      /* floats between the results of two tokens */
};

/* True if the product takes float activations. */
static bool takes_floats(const struct matmul *m, const struct matrix *w)
{
    return m->exact || weight_info(w->type)->act == ACT_F32;
}

static struct tile tile_of(const struct matrix *w, int row)
{
    int n = w->rows - row < TILE_ROWS ? w->rows - row : TILE_ROWS;
    return (struct tile){ w->type, tile_data(w, row), w->row_bytes, n, (size_t)w->rows };
}

/* The tile in floats. */
static struct tile decoded(const struct job *j, struct tile t, int thread)
{
    float *d = scratch(j, thread);
    if (t.type == WEIGHT_F32)
        return t;
    weight_info(t.type)->decode(t.rows, d, (size_t)t.n * (size_t)j->cols);
    t.type = WEIGHT_F32;
    t.rows = (const char *)d;
    t.row_bytes = (size_t)j->cols * sizeof *d;
    return t;
}

/* A tile against the tokens [from, to), by dot products; y is where its first row's results begin.
 * Floats that a group takes from anywhere are multiplied one by one. */
static void tile_dot(const struct job *j, const struct tile *w, float *y, int from, int to)
{
    enum act act = weight_info(w->type)->act;
    size_t cols = (size_t)j->cols, x_bytes = act_row_bytes(act, cols);
    int step = act == ACT_F32 && j->g ? 1 : TILE_TOKENS;
    for (int t = from; t < to; t += step) {
        int n = to - t < step ? to - t : step;
        const char *x = act == ACT_F32 ? (const char *)x_row(j, t) : act_row(j, t);
        j->m->kernels->dot[w->type](&(struct dot){
            .w = w->rows, .w_bytes = w->row_bytes, .n_w = w->n, .x = x, .x_bytes = x_bytes,
            .n_x = n, .n = cols, .y = y + (size_t)t * w->y_step, .y_step = w->y_step });
    }
}

/* Adds to the results of fine rows what was left of these. */
static void tile_rest(const struct job *j, const struct tile *w, float *y)
{
    enum { STEP = 4 };
    float rest[STEP * TILE_ROWS];
    for (int k = 0; k < n_fine(j); k += STEP) {
        int n = n_fine(j) - k < STEP ? n_fine(j) - k : STEP;
        j->m->kernels->dot[w->type](&(struct dot){
            .w = w->rows, .w_bytes = w->row_bytes, .n_w = w->n, .x = act_row(j, j->n + k),
            .x_bytes = q8_row_bytes((size_t)j->cols), .n_x = n, .n = (size_t)j->cols,
            .y = rest, .y_step = TILE_ROWS });
        for (int i = 0; i < n; i++)
            j->m->kernels->add(y + (size_t)j->m->fine[k + i] * w->y_step, rest + i * TILE_ROWS,
                               (size_t)w->n);
    }
}

/* Adds what the peaks of all tokens give; the tile's columns are kept in t. */
static void tile_peaks(const struct job *j, const struct tile *w, struct peak_tile *t, float *y)
{
    for (int i = 0; i < j->n; i++, y += w->y_step) {
        const struct peaks *p = &j->m->peaks[i];
        for (int k = 0; k < p->n; k++) {
            const float *column = peaks_column(t, w->type, w->rows, w->row_bytes, w->n, p->col[k]);
            j->m->kernels->mix_f32(&p->value[k], column, 1, (size_t)w->n, y);
        }
    }
}

/* A decoded tile against all tokens by OpenBLAS: Y[n][rows] = X[n][cols] times the transposed
 * tile. */
static void tile_blas(const struct job *j, const struct tile *w, float *y)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, j->n, w->n, j->cols, 1, j->x, j->cols,
                (const float *)(const void *)w->rows, j->cols, 0, y, (int)w->y_step);
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
    struct tile w = tile_of(p->w, row);
    bool floats = takes_floats(j->m, p->w), blas = floats && j->n >= BLAS_TOKENS;
    if (blas || (floats && weight_info(w.type)->act != ACT_F32))
        w = decoded(j, w, thread);
    if (blas)
        tile_blas(j, &w, p->y + row);
    else
        tile_dot(j, &w, p->y + row, 0, j->n);
    if (!floats)
        tile_rest(j, &w, p->y + row);
    if (!floats && p->w->columns)
        tile_peaks(j, &w, p->w->columns + row / TILE_ROWS, p->y + row);
}

/* The same for groups: an item is one tile of one group's matrix. */
static void multiply_group(void *data, int item, int thread)
{
    const struct job *j = data;
    const struct product *p = j->p;
    for (; item >= tiles(p) * j->g->n; p++)
        item -= tiles(p) * j->g->n;
    int g = item / tiles(p), row = item % tiles(p) * TILE_ROWS;
    struct matrix one = matrix_of_stack(p->w, j->g->matrix[g]);
    struct tile w = tile_of(&one, row);
    if (j->m->exact && weight_info(w.type)->act != ACT_F32)
        w = decoded(j, w, thread);
    tile_dot(j, &w, p->y + row, j->g->first[g], j->g->first[g + 1]);
}

/* Quantises n rows where a product wants it; all that want it have columns, or none has. Returns
 * the tiles of all products. */
static int prepare(struct job *j, int n_products, int n)
{
    bool quantise = false;
    int n_tiles = 0;
    j->has_peaks = false;
    for (int i = 0; i < n_products; i++) {
        assert(j->p[i].w->cols == j->cols);
        if (!takes_floats(j->m, j->p[i].w)) {
            assert(!quantise || j->g || j->has_peaks == (j->p[i].w->columns != NULL));
            quantise = true;
            j->has_peaks = !j->g && j->p[i].w->columns;
        }
        n_tiles += tiles(&j->p[i]);
    }
    if (quantise)
        pool_run(j->m->pool, quantise_row, j, n);
    return n_tiles;
}

/* ---- brain floats --------------------------------------------------------------------------- */

/* What is rounded off row i, to `rest`. */
static const float *rest_of_row(const struct job *j, int i, float *rest)
{
    const float *x = x_row(j, i);
    for (int c = 0; c < j->cols; c++)
        rest[c] = x[c] - rounded_to_bf16(x[c]);
    return rest;
}

/* The i-th row that is multiplied: one of x, the rest of a fine one, or none. */
static const float *row_to_pack(const struct job *j, int i, int thread)
{
    if (i < j->n)
        return x_row(j, i);
    float *rest = scratch(j, thread);
    return i < j->n + n_fine(j) ? rest_of_row(j, j->m->fine[i - j->n], rest) : NULL;
}

/* All rows that are multiplied, the rests of fine ones included. */
static int n_packed(const struct job *j)
{
    return j->n + n_fine(j);
}

static void pack_group(void *data, int item, int thread)
{
    const struct job *j = data;
    const float *x[BF16_ROWS];
    size_t cols = (size_t)j->cols, n_groups = (size_t)groups_of(n_packed(j));
    for (int i = 0; i < BF16_ROWS; i++)
        x[i] = row_to_pack(j, item * BF16_ROWS + i, thread);
    for (size_t from = 0; from < cols; from += BF16_COLS) {
        size_t n = bf16_pass(cols, from);
        j->m->kernels->pack_bf16(x, n, (uint16_t *)(void *)j->m->act +
                                       bf16_at(cols, n_groups, (size_t)item, from));
        for (int i = 0; i < BF16_ROWS; i++)
            x[i] = x[i] ? x[i] + n : NULL;
    }
}

static void pack(struct job *j)
{
    assert(n_fine(j) <= MATMUL_FINE);
    j->packed = (const uint16_t *)(const void *)j->m->act;
    pool_run(j->m->pool, pack_group, j, groups_of(n_packed(j)));
}

static int tall_tiles(const struct product *p)
{
    return (p->w->rows + TALL_ROWS - 1) / TALL_ROWS;
}

/* Rows [row, row + n) against all tokens and what is left of fine ones, by columns from j->from. */
static void multiply_tall(void *data, int item, int thread)
{
    const struct job *j = data;
    const struct product *p = j->p;
    for (; item >= tall_tiles(p); p++)
        item -= tall_tiles(p);
    int row = item * TALL_ROWS, rows = p->w->rows, left = j->cols - j->from;
    int n = rows - row < TALL_ROWS ? rows - row : TALL_ROWS;
    size_t cols = (size_t)j->cols, from = (size_t)j->from;
    j->m->kernels->multiply_bf16[p->w->type](&(struct bf16_product){
        .w = tile_data(p->w, row), .w_bytes = p->w->row_bytes, .n_w = n,
        .x = j->packed + bf16_at(cols, (size_t)groups_of(n_packed(j)), 0, from),
        .n_x = n_packed(j), .from = from, .n = bf16_pass(cols, from),
        .y = p->y + row, .y_step = (size_t)rows, .add = from > 0, .tiles = scratch(j, thread) });
    for (int k = 0; k < n_fine(j) && left <= BF16_COLS; k++)
        j->m->kernels->add(p->y + (size_t)j->m->fine[k] * (size_t)rows + row,
                           p->y + (size_t)(j->n + k) * (size_t)rows + row, (size_t)n);
}

bool matmul_by_bf16(const struct matmul *m, const struct matrix *w)
{
    return m->bf16 && !m->exact && m->kernels->multiply_bf16[w->type];
}

static bool by_bf16(const struct job *j, int n_products)
{
    bool takes = true;
    for (int i = 0; i < n_products; i++)
        takes &= matmul_by_bf16(j->m, j->p[i].w);
    return takes;
}

/* The products of what is packed. */
static void run_packed(struct job *j, int n_products)
{
    int n_tiles = 0;
    for (int i = 0; i < n_products; i++)
        n_tiles += tall_tiles(&j->p[i]);
    for (j->from = 0; j->from < j->cols; j->from += BF16_COLS)
        pool_run(j->m->pool, multiply_tall, j, n_tiles);
}

/* GATE_ROWS rows of gate and up against all tokens, and what the network makes of both. */
static void multiply_gate(void *data, int item, int thread)
{
    const struct job *j = data;
    const struct matrix *gate = j->net->gate, *up = j->net->up;
    int row = item * GATE_ROWS, left = gate->rows - row;
    size_t rows = (size_t)gate->rows, n_groups = (size_t)groups_of(n_packed(j));
    size_t at = bf16_at(rows, n_groups, 0, (size_t)row);
    j->m->kernels->gate_bf16[gate->type](&(struct bf16_gate){
        .gate = tile_data(gate, row), .up = tile_data(up, row), .w_bytes = gate->row_bytes,
        .n_w = left < GATE_ROWS ? left : GATE_ROWS, .n_x = n_packed(j),
        .fine = n_fine(j) ? j->m->fine[0] : -1, .rest = j->n, .gelu = j->net->gelu,
        .x = j->packed, .n = (size_t)j->cols, .out = j->middle + at,
        .out_step = bf16_at(rows, n_groups, 1, (size_t)row) - at, .tiles = scratch(j, thread) });
}

/* ---- the door ------------------------------------------------------------------------------- */

void matmul_run(const struct matmul *m, const float *x, int n, const struct product *p,
                int n_products)
{
    struct job job = { .m = m, .x = x, .n = n, .cols = p->w->cols, .p = p };
    if (by_bf16(&job, n_products)) {
        pack(&job);
        run_packed(&job, n_products);
        return;
    }
    int n_tiles = prepare(&job, n_products, n);
    pool_run(m->pool, multiply_tile, &job, n_tiles);
}

bool matmul_network(const struct matmul *m, const float *x, int n, const struct network *net)
{
    const struct matrix *gate = net->gate, *down = net->down;
    const struct product last = { down, net->y };
    struct job job = { .m = m, .x = x, .n = n, .cols = gate->cols, .net = net };
    if (!matmul_by_bf16(m, gate) || !matmul_by_bf16(m, down) || gate->type != net->up->type ||
        gate->rows % 32 != 0 || gate->cols > GATE_COLS)
        return false;
    pack(&job);
    job.middle = (uint16_t *)(void *)m->act +
                 (size_t)groups_of(n_packed(&job)) * BF16_ROWS * (size_t)job.cols;
    pool_run(m->pool, multiply_gate, &job, (gate->rows + GATE_ROWS - 1) / GATE_ROWS);
    job.packed = job.middle;
    job.cols = down->cols;
    job.p = &last;
    run_packed(&job, 1);
    return true;
}

void matmul_groups(const struct matmul *m, const float *x, const struct groups *g,
                   const struct product *p, int n_products)
{
    struct job job = { .m = m, .x = x, .n = g->first[g->n], .cols = p->w->cols, .p = p, .g = g };
    int n_tiles = prepare(&job, n_products, job.n);
    pool_run(m->pool, multiply_group, &job, n_tiles * g->n);
}

struct matrix matrix_of_stack(const struct matrix *w, int i)
{
    struct matrix one = *w;
    assert(i >= 0 && i < w->n_stack);
    one.data = (const char *)w->data + (size_t)i * (size_t)w->rows * w->row_bytes;
    one.n_stack = 1;
    return one;
}

void matrix_row(const struct matrix *w, int r, float *out)
{
    assert(r >= 0 && r < w->rows);
    weight_info(w->type)->decode(tile_data(w, r), out, (size_t)w->cols);
}
