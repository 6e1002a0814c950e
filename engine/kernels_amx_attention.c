/* kernels_amx_attention.c -- attention of many queries for AMX; the contract is in kernels.h.
 *
 * A float is the sum of two brain floats but for 2^-17 of it: its upper half, and what is left. A
 * product of two such sums is three products; the fourth is below 2^-16. Scores are made like that,
 * as their errors grow in the exponential. Weights are rounded to one brain float before they are
 * summed, so they add up to 1 as they are, and meet both parts of the values.
 *
 * Tiles come in pairs, upper and lower. 32 queries at a time go all the way from scores to sums of
 * values, so that what they have in between stays in the first cache. */
#include <math.h>

#include "engine/kernels.h"
#include "engine/kernels_reduce.h"
#include "engine/kernels_tiles.h"

#define PAIR    (2 * TILE)      /* numbers of an upper and a lower tile */
#define BLOCK   CODEC_BLOCK
#define QUERIES ATTEND_QUERIES

/* x rounded to 16 bits. */
INLINE __m512 upper(__m512 x)
{
    __m512i half_up = _mm512_add_epi32((__m512i)x, _mm512_set1_epi32(0x8000));
    return (__m512)(half_up & _mm512_set1_epi32((int)0xffff0000));
}

/* 32 floats to a row of an upper tile and of the lower one behind it. */
INLINE void store_pair(uint16_t *to, __m512 low, __m512 high)
{
    __m512 low_upper = upper(low), high_upper = upper(high);
    store_bf16(to, low_upper, high_upper);
    store_bf16(to + TILE, low - low_upper, high - high_upper);
}

/* ---- packing -------------------------------------------------------------------------------- */

INLINE __m512 load16(const char *from, bool is_half)
{
    return is_half ? _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from))
                   : _mm512_loadu_ps((const float *)(const void *)from);
}

/* 16 values of a row of dim from dimension d on; those behind its end are 0. */
INLINE __m512 values_of(const void *row, size_t dim, size_t d, bool is_half)
{
    size_t bytes = is_half ? sizeof(uint16_t) : sizeof(float);
    const char *from = (const char *)row + d * bytes;
    char part[LANE_N * sizeof(float)] = {0};
    if (d + LANE_N <= dim)
        return load16(from, is_half);
    if (d < dim)
        memcpy(part, from, (dim - d) * bytes);
    return load16(part, is_half);
}

static void take_queries(const struct queries *q, void *out)
{
    const __m512 zero = _mm512_set1_ps(0);
    uint16_t *to = out;
    for (int first = 0; first < q->n; first += LANE_N)
        for (size_t d = 0; d < q->dim; d += DEEP, to += PAIR)
            for (int r = first; r < first + LANE_N; r++) {
                const float *row = q->q + (size_t)(r / q->group) * q->token_step +
                                   (size_t)(r % q->group) * q->dim;
                bool is_there = r < q->n;
                store_pair(to + (r - first) * DEEP,
                           is_there ? values_of(row, q->dim, d, false) : zero,
                           is_there ? values_of(row, q->dim, d + LANE_N, false) : zero);
            }
    if ((q->n + LANE_N - 1) / LANE_N % 2)
        memset(to, 0, (q->dim + DEEP - 1) / DEEP * PAIR * sizeof *to);
}

/* Where row i of a block begins, and NULL behind the last one. */
INLINE const char *row_at(const struct attend *a, const void *rows, int i, bool is_half)
{
    size_t bytes = is_half ? sizeof(uint16_t) : sizeof(float);
    return i < a->n ? (const char *)rows + (size_t)i * a->dim * bytes : NULL;
}

INLINE __m512 row_values(const struct attend *a, const char *row, size_t d, bool is_half)
{
    return row ? values_of(row, a->dim, d, is_half) : _mm512_set1_ps(0);
}

/* Columns are rows of the block: a tile is filled row by row and turned. */
INLINE void pack_keys(const struct attend *a, bool is_half, uint16_t *to)
{
    for (int p = 0; p < BLOCK; p += PANEL)
        for (size_t d = 0; d < a->dim; d += DEEP, to += PAIR) {
            for (int j = 0; j < PANEL; j++) {
                const char *row = row_at(a, a->keys, p + j, is_half);
                store_pair(to + j * DEEP, row_values(a, row, d, is_half),
                           row_values(a, row, d + LANE_N, is_half));
            }
            turn(to);
            turn(to + TILE);
        }
}

/* Words of a and b, one from each in turn. */
INLINE void store_mixed(uint16_t *to, __m512 a, __m512 b)
{
    static const _Alignas(64) uint16_t order[2 * LANE_N] = {
        0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
    };
    __m512i in_turn = (__m512i)_mm512_loadu_ps((const float *)(const void *)order);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    _mm512_storeu_ps((float *)(void *)to, (__m512)_mm512_permutexvar_epi16(in_turn, both));
}

/* Columns are dimensions, an even number of panels: two rows of the block are a row of a tile. */
INLINE void pack_values(const struct attend *a, bool is_half, uint16_t *to)
{
    for (size_t d = 0; d < attend_width(a->dim); d += PANEL)
        for (int i = 0; i < BLOCK; i += DEEP, to += PAIR)
            for (int r = 0; r < LANE_N; r++) {
                const char *row = row_at(a, a->values, i + 2 * r, is_half);
                const char *next = row_at(a, a->values, i + 2 * r + 1, is_half);
                __m512 x = row_values(a, row, d, is_half), y = row_values(a, next, d, is_half);
                __m512 x_upper = upper(x), y_upper = upper(y);
                store_mixed(to + r * DEEP, x_upper, y_upper);
                store_mixed(to + TILE + r * DEEP, x - x_upper, y - y_upper);
            }
}

/* ---- scores --------------------------------------------------------------------------------- */

/* Of 32 queries. */
struct scores {
    _Alignas(64) float of[QUERIES][BLOCK];
};

struct weights {
    uint16_t of[2][BLOCK / DEEP][TILE];  /* of 16 queries, 32 rows of the block */
};

/* Scores of 32 queries, packed in two rows of n pairs of tiles at q, with all panels of keys: a
 * step takes one pair of two panels, and the sums stay in tiles until the next one. */
struct scoring {
    const uint16_t *q, *keys;
    int n, step;
    struct scores *to;
};

#define STEPS(n) (BLOCK / PANEL / 2 * (n))

INLINE void score_step(struct scoring *s)
{
    const size_t bytes = BLOCK * sizeof(float);
    int panel = s->step / s->n * 2, i = s->step % s->n;
    const uint16_t *q0 = s->q + i * PAIR, *q1 = q0 + s->n * PAIR;
    const uint16_t *k0 = s->keys + (panel * s->n + i) * PAIR, *k1 = k0 + s->n * PAIR;
    float *score = &s->to->of[0][panel * PANEL], *below = score + LANE_N * BLOCK;
    BARRIER;
    if (i == 0)
        zero_sums();
    _tile_loadd(4, q0, 64);
    _tile_loadd(6, k0 + TILE, 64);
    _tile_loadd(7, k1 + TILE, 64);
    _tile_loadd(5, q1, 64);
    add_products();
    _tile_loadd(6, k0, 64);
    _tile_loadd(7, k1, 64);
    add_products();
    _tile_loadd(4, q0 + TILE, 64);
    _tile_loadd(5, q1 + TILE, 64);
    add_products();
    if (i == s->n - 1)
        store_sums(score, below, bytes);
    BARRIER;
    s->step++;
}

/* ---- weights -------------------------------------------------------------------------------- */

/* The rows of the block that a query sees, a bit each. */
INLINE uint64_t seen_by(const struct attend *a, int query)
{
    int token = a->pos + query / a->group;
    int from = a->window > 0 && token >= a->window ? token - a->window + 1 : 0;
    int to = token + 1 < a->n ? token + 1 : a->n;
    if (from >= to)
        return 0;
    return (~UINT64_C(0) >> (BLOCK - to)) & (~UINT64_C(0) << from);
}

/* A larger maximum: what there is of a query is rescaled to it. */
INLINE void rescale(const struct attend *a, int query, float max)
{
    float *out = a->out + (size_t)query * attend_width(a->dim), *old = &a->max[query];
    float lanes[LANE_N];
    const __m512 less = _mm512_set1_ps((*old - max) * a->scale * LOG2_E);
    __m512 keep = *old == -INFINITY ? _mm512_set1_ps(0) : power_of_2(less);
    for (size_t d = 0; d < attend_width(a->dim); d += LANE_N)
        _mm512_storeu_ps(out + d, _mm512_loadu_ps(out + d) * keep);
    _mm512_storeu_ps(lanes, keep);
    a->sum[query] *= lanes[0];
    *old = max;
}

/* Four queries at once, whose lanes are reduced together; the loops over them and over the four
 * registers of a row are written out. */
#define ROWS 4
#define UNROLL _Pragma("GCC unroll 4")

INLINE __m512 largest_of(const __m512 *x)
{
    return _mm512_max_ps(_mm512_max_ps(x[0], x[1]), _mm512_max_ps(x[2], x[3]));
}

/* A query's weights to their tiles. Returns what they add up to, in lanes. */
INLINE __m512 store_weights(struct weights *w, int i, const __m512 *x)
{
    const __m512i ones = _mm512_set1_epi32(0x3f803f80);
    __m512 sum = _mm512_set1_ps(0);
    UNROLL
    for (int j = 0; j < 2; j++) {
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh(x[2 * j + 1], x[2 * j]);
        sum = _mm512_dpbf16_ps(sum, (__m512bh)both, (__m512bh)ones);
        _mm512_storeu_ps((float *)(void *)&w->of[i / LANE_N][j][i % LANE_N * DEEP],
                         (__m512)both);
    }
    return sum;
}

/* The scores of queries `first` on, from row i on, with the rows of the block that each sees. */
INLINE void load_scores(const struct scores *s, int i, const uint64_t *seen, bool all,
                        __m512 (*x)[4])
{
    UNROLL
    for (int r = 0; r < ROWS; r++) {
        UNROLL
        for (int j = 0; j < 4; j++) {
            x[r][j] = _mm512_loadu_ps(&s->of[i + r][j * LANE_N]);
            if (!all)
                x[r][j] = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY),
                                             (__mmask16)(seen[r] >> j * LANE_N), x[r][j]);
        }
    }
}

/* Their maxima, which may have to be raised to these. */
INLINE void take_maxima(const struct attend *a, int first, __m128 max)
{
    float *old = a->max + first;
    int larger = _mm_movemask_ps(_mm_cmpgt_ps(max, _mm_loadu_ps(old)));
    float each[ROWS];
    if (!larger)
        return;
    _mm_storeu_ps(each, max);
    for (int r = 0; r < ROWS; r++)
        if (larger >> r & 1)
            rescale(a, first + r, each[r]);
}

/* The scores of rows i to i + 3 become weights. */
INLINE void weigh(const struct attend *a, const struct scores *s, int first, int i, bool all,
                  struct weights *w)
{
    const __m512 factor = _mm512_set1_ps(a->scale * LOG2_E);
    uint64_t seen[ROWS] = {0};
    __m512 x[ROWS][4], sum[ROWS];
    float *max = a->max + first + i;
    for (int r = 0; r < ROWS && !all; r++)
        seen[r] = seen_by(a, first + i + r);
    load_scores(s, i, seen, all, x);
    take_maxima(a, first + i, largest(largest_of(x[0]), largest_of(x[1]), largest_of(x[2]),
                                      largest_of(x[3])));
    UNROLL
    for (int r = 0; r < ROWS; r++) {
        const __m512 most = _mm512_set1_ps(-max[r] * (a->scale * LOG2_E));
        UNROLL
        for (int j = 0; j < 4; j++) {
            x[r][j] = power_of_2(_mm512_fmadd_ps(x[r][j], factor, most));
            if (!all)
                x[r][j] = _mm512_maskz_mov_ps((__mmask16)(seen[r] >> j * LANE_N), x[r][j]);
        }
        sum[r] = store_weights(w, i + r, x[r]);
    }
    float *total = a->sum + first + i;
    _mm_storeu_ps(total, _mm_add_ps(_mm_loadu_ps(total), sum_of(sum[0], sum[1], sum[2], sum[3])));
}

/* ---- sums ----------------------------------------------------------------------------------- */

/* Adds what 32 queries take of two panels of values. */
INLINE void mix_panels(const struct weights *w, const uint16_t *values, float *out, size_t step)
{
    const uint16_t *v0 = values, *v1 = values + BLOCK / DEEP * PAIR;
    float *below = out + LANE_N * step;
    step *= sizeof *out;
    BARRIER;
    load_sums(out, below, step);
    for (int i = 0; i < BLOCK / DEEP; i++, v0 += PAIR, v1 += PAIR) {
        _tile_loadd(4, w->of[0][i], 64);
        _tile_loadd(6, v0 + TILE, 64);
        _tile_loadd(7, v1 + TILE, 64);
        _tile_loadd(5, w->of[1][i], 64);
        add_products();
        _tile_loadd(6, v0, 64);
        _tile_loadd(7, v1, 64);
        add_products();
    }
    store_sums(out, below, step);
    BARRIER;
}

/* ---- a block -------------------------------------------------------------------------------- */

/* True if every query sees all rows of a whole block. */
static bool sees_all(const struct attend *a)
{
    int last = a->pos + (a->n_queries - 1) / a->group;
    return a->n == BLOCK && a->pos >= BLOCK - 1 && (a->window <= 0 || last < a->window);
}

/* The weights of 32 queries, and the scores of the next ones by and by, as products of tiles and
 * exponentials do not wait for each other. */
INLINE void weigh_and_score(const struct attend *a, const struct scores *s, int first, bool all,
                            struct weights *w, struct scoring *next)
{
    for (int i = 0; i < QUERIES; i += ROWS) {
        weigh(a, s, first, i, all, w);
        while (next && next->step * QUERIES < (i + ROWS) * STEPS(next->n))
            score_step(next);
    }
}

INLINE void weigh_all(const struct attend *a, const uint16_t *keys, bool all, struct weights *w)
{
    struct scores s[2];
    int n = (int)((a->dim + DEEP - 1) / DEEP);
    struct scoring next = { a->q, keys, n, 0, &s[0] };
    while (next.step < STEPS(n))
        score_step(&next);
    for (int first = 0, i = 0; first < a->n_queries; first += QUERIES, i ^= 1) {
        next = (struct scoring){ next.q + 2 * n * PAIR, keys, n, 0, &s[!i] };
        weigh_and_score(a, &s[i], first, all, w++,
                        first + QUERIES < a->n_queries ? &next : NULL);
    }
}

INLINE void mix_all(const struct attend *a, const uint16_t *values, const struct weights *w)
{
    size_t width = attend_width(a->dim);
    float *out = a->out;
    for (int first = 0; first < a->n_queries; first += QUERIES, w++, out += QUERIES * width)
        for (size_t d = 0; d < width; d += 2 * PANEL)
            mix_panels(w, values + d / PANEL * (BLOCK / DEEP) * PAIR, out + d, width);
}

INLINE void pack(const struct attend *a, bool is_half, uint16_t *keys, uint16_t *values)
{
    size_t bytes = (size_t)a->n * a->dim * (is_half ? sizeof(uint16_t) : sizeof(float));
    fetch_ahead(a->ahead[0], 0, bytes);
    fetch_ahead(a->ahead[1], 0, bytes);
    pack_keys(a, is_half, keys);
    pack_values(a, is_half, values);
}

static void attend(const struct attend *a)
{
    uint16_t *keys = a->work, *values = keys + 2 * BLOCK * attend_width(a->dim);
    if (a->is_half)
        pack(a, true, keys, values);
    else
        pack(a, false, keys, values);
    bool all = sees_all(a);
    _tile_loadconfig(&shapes);
    if (all)
        weigh_all(a, keys, true, a->weights);
    else
        weigh_all(a, keys, false, a->weights);
    mix_all(a, values, a->weights);
    _tile_release();
}

void kernels_init_amx_attention(struct kernels *k)
{
    k->take_queries = take_queries;
    k->attend = attend;
}
