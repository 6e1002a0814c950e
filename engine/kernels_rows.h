/* kernels_rows.h -- rows of 8 bits that lie anywhere, and how they are chosen, for sets of x86 with
 * LANES lanes, 8 or 16. The contracts are in kernels.h. */
#ifndef DUET_ENGINE_KERNELS_ROWS_H
#define DUET_ENGINE_KERNELS_ROWS_H

#include <math.h>
#include <string.h>

#include "engine/codec.h"
#include "engine/kernels.h"
#include "engine/kernels_lanes.h"
#if LANES == 16
#include "engine/kernels_reduce.h"
#endif

#define GROUP   32                     /* values that share a scale in q8 */
#define AHEAD   6                      /* rows are asked for so many before they are used */
#define AT_ONCE (LANES == 16 ? 4 : 1)  /* rows that are scored, whose lanes add up together */
#define HEADS   (LANES == 16 ? 4 : 3)  /* whose sums of 32 values fit into the registers */

INLINE vecf floats_of_bytes(const void *at)
{
    __m128i b = LANES == 16 ? _mm_loadu_si128(at) : _mm_loadl_epi64(at);
    return V(cvtepi32_ps)(V(cvtepi8_epi32)(b));
}

/* The scale of the group of values from d on, in all lanes. */
INLINE vecf scale_of(const char *row, size_t dim, size_t d)
{
    uint16_t h;
    memcpy(&h, row + dim + d / GROUP * 2, sizeof h);
    return V(set1_ps)(_cvtsh_ss(h));
}

/* A key row and the value row behind it. */
INLINE void fetch(const struct coded_rows *r, int i)
{
    if (i >= r->n)
        return;
    const char *row = r->row[i];
    for (size_t at = 0, n = 2 * (r->dim + r->dim / GROUP * 2); at < n; at += 64)
        _mm_prefetch(row + at, _MM_HINT_T0);
}

/* The sums of the lanes of up to AT_ONCE registers, n of them wanted. */
INLINE void put_sums_of(const vecf *v, int n, float *out)
{
#if LANES == 16
    __m128 sum = sum_of(v[0], v[1], v[2], v[3]);
    if (n >= AT_ONCE)
        _mm_storeu_ps(out, sum);
    else
        memcpy(out, &sum, (size_t)n * sizeof *out);
#else
    (void)n;
    *out = sum8(v[0]);
#endif
}

/* Adds what 32 values from d on of a row are to its products with H queries, a constant. */
INLINE void score_group(int H, const struct coded_rows *r, const char *row, size_t d,
                        const float *q, vecf *product)
{
    vecf sum[4], scale = scale_of(row, r->dim, d);
    for (int h = 0; h < H; h++)
        sum[h] = V(set1_ps)(0);
    for (size_t i = d; i < d + GROUP; i += LANES) {
        vecf x = floats_of_bytes(row + i);
        for (int h = 0; h < H; h++)
            sum[h] = V(fmadd_ps)(V(loadu_ps)(q + (size_t)h * r->dim + i), x, sum[h]);
    }
    for (int h = 0; h < H; h++)
        product[h] = V(fmadd_ps)(sum[h], scale, product[h]);
}

/* H queries from query h on. */
INLINE void score_heads(int H, const struct coded_rows *r, int h, const float *q, float *out)
{
    q += (size_t)h * r->dim;
    out += (size_t)h * r->step;
    for (int i = 0; i < r->n; i += AT_ONCE) {
        vecf all[4][AT_ONCE];
        for (int j = 0; j < AT_ONCE; j++) {
            vecf product[4];
            for (int k = 0; k < H; k++)
                product[k] = V(set1_ps)(0);
            fetch(r, i + j + AHEAD);
            for (size_t d = 0; d < r->dim; d += GROUP)
                score_group(H, r, r->row[i + j < r->n ? i + j : i], d, q, product);
            for (int k = 0; k < H; k++)
                all[k][j] = product[k];
        }
        for (int k = 0; k < H; k++)
            put_sums_of(all[k], r->n - i, out + (size_t)k * r->step + (size_t)i);
    }
}

static void score_q8(const struct coded_rows *r, const float *q, float *out)
{
    int h = 0;
    for (; h + 4 <= r->n_q; h += 4)
        score_heads(4, r, h, q, out);
    switch (r->n_q - h) {
    case 3: score_heads(3, r, h, q, out); break;
    case 2: score_heads(2, r, h, q, out); break;
    case 1: score_heads(1, r, h, q, out); break;
    }
}

/* 32 dimensions from d on, for H queries. */
INLINE void mix_group(int H, const struct coded_rows *r, size_t d, const float *w, float *out)
{
    vecf sum[HEADS][GROUP / LANES];
    for (int h = 0; h < H; h++)
        for (size_t v = 0; v < GROUP / LANES; v++)
            sum[h][v] = V(loadu_ps)(out + (size_t)h * r->dim + d + LANES * v);
    for (int i = 0; i < r->n; i++) {
        const char *row = r->row[i];
        vecf scale = scale_of(row, r->dim, d);
        for (size_t v = 0; v < GROUP / LANES; v++) {
            vecf x = V(mul_ps)(floats_of_bytes(row + d + LANES * v), scale);
            for (int h = 0; h < H; h++)
                sum[h][v] = V(fmadd_ps)(V(set1_ps)(w[(size_t)h * r->step + (size_t)i]), x,
                                        sum[h][v]);
        }
    }
    for (int h = 0; h < H; h++)
        for (size_t v = 0; v < GROUP / LANES; v++)
            V(storeu_ps)(out + (size_t)h * r->dim + d + LANES * v, sum[h][v]);
}

static void mix_q8(const struct coded_rows *r, const float *w, float *out)
{
    for (int h = 0; h < r->n_q; h += HEADS, w += HEADS * r->step, out += HEADS * r->dim)
        for (size_t d = 0; d < r->dim; d += GROUP)
            switch (r->n_q - h) {
            default: mix_group(HEADS, r, d, w, out); break;
#if LANES == 16
            case 3: mix_group(3, r, d, w, out); break;
#endif
            case 2: mix_group(2, r, d, w, out); break;
            case 1: mix_group(1, r, d, w, out); break;
            }
}

/* ---- choosing ------------------------------------------------------------------------------ */

static float lengths(const float *x, size_t step, const float *weight, int n_rows, size_t n,
                     float *out)
{
    vecf all = V(set1_ps)(0);
    for (size_t i = 0; i < n; i += LANES) {
        vecf squares = V(set1_ps)(0);
        for (int h = 0; h < n_rows; h++) {
            vecf v = V(mul_ps)(V(loadu_ps)(x + (size_t)h * step + i), V(set1_ps)(weight[h]));
            squares = V(fmadd_ps)(v, v, squares);
        }
        squares = V(sqrt_ps)(squares);
        all = V(add_ps)(all, squares);
        V(storeu_ps)(out + i, squares);
    }
    return sum_of_lanes(all);
}

static size_t sum_above(const float *x, size_t n, float least, float *sum)
{
    const vecf limit = V(set1_ps)(least);
    vecf all = V(set1_ps)(0);
    vec count = V(set1_epi32)(0);
    for (size_t i = 0; i < n; i += LANES) {
        vecf v = i + LANES <= n ? V(loadu_ps)(x + i) : load_some(x + i, n - i, NAN);
        vec above = (vec)(v > limit);
        all = V(add_ps)(all, (vecf)((vec)v & above));
        count = V(sub_epi32)(count, above);
    }
    int lane[LANES];
    size_t total = 0;
    memcpy(lane, &count, sizeof lane);
    for (int i = 0; i < LANES; i++)
        total += (size_t)lane[i];
    *sum = sum_of_lanes(all);
    return total;
}

static inline void take_rows(struct kernels *k)
{
    k->score_q8 = score_q8;
    k->mix_q8 = mix_q8;
    k->lengths = lengths;
    k->sum_above = sum_above;
}

#endif
