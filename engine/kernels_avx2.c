/* kernels_avx2.c -- kernels for AVX2 with FMA and F16C; the contracts are in kernels.h.
 *
 * Compiled with its own flags and entered only where cpu.c has seen the instructions. */
#include "engine/kernels.h"
#include "engine/kernels_exp.h"
#include "engine/kernels_product.h"

/* ---- quantised weights ---------------------------------------------------------------------
 *
 * maddubs multiplies unsigned by signed bytes and adds pairs to 16 bits, which holds 128 * 127 * 2.
 * With small weights it holds several such sums too, and nothing is widened before it must be. */

/* How many sums of pairs fit in 16 bits, a power of two. */
INLINE int pairs_that_fit(const struct kind kind)
{
    int n = kind.most ? 32767 / (2 * 127 * kind.most) : 1;
    return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

/* Where weights are signed, their signs go to the activations. */
INLINE __m256i multiply_bytes(const struct kind kind, __m256i w, __m256i x)
{
    return kind.most ? _mm256_maddubs_epi16(w, x)
                     : _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

INLINE __m256i widen(__m256i pairs)
{
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

/* The products of n groups with one factor each, pairs v [2 n] of them. */
INLINE __m256i sum_groups(const struct kind kind, const struct chunk *c, __m256i *v, int n)
{
    int fit = pairs_that_fit(kind);
    __m256i sum[PAIRS] = {0};
    for (int i = 0; i < n; i++)
        sum[i] = fit > 1 ? _mm256_add_epi16(v[2 * i], v[2 * i + 1])
                         : _mm256_add_epi32(widen(v[2 * i]), widen(v[2 * i + 1]));
    if (fit == 8) {
        __m256i rest = n > 2 ? _mm256_hadd_epi16(sum[2], sum[3]) : _mm256_setzero_si256();
        __m256i all = _mm256_hadd_epi16(_mm256_hadd_epi16(sum[0], sum[1]), rest);
        return _mm256_madd_epi16(all, kind.has_factor ? c->factor : _mm256_set1_epi16(1));
    }
    for (int i = 0; fit > 1 && i < n; i++)
        sum[i] = widen(sum[i]);
    __m256i all = add_up(sum, n);
    return kind.has_factor ? _mm256_mullo_epi32(all, _mm256_srai_epi32(c->factor, 16)) : all;
}

/* The same for 8 groups whose halves have factors of their own: sums of halves stand as the factors
 * do, or, where 16 bits do not hold them, factors go to where the products are. */
INLINE __m256i sum_halves(const struct kind kind, const struct chunk *c, __m256i *v)
{
    __m256i sum[PAIRS];
    if (pairs_that_fit(kind) == 8) {
        for (int i = 0; i < PAIRS; i++)
            sum[i] = _mm256_hadd_epi16(v[2 * i], v[2 * i + 1]);
        return _mm256_madd_epi16(_mm256_hadd_epi16(_mm256_hadd_epi16(sum[0], sum[1]),
                                                   _mm256_hadd_epi16(sum[2], sum[3])), c->factor);
    }
    for (int i = 0; i < PAIRS; i++) {
        __m256i part[2];
        for (int h = 0; h < 2; h++) {
            const __m256i word = _mm256_set1_epi16((short)(0x0100 + 0x0202 * (2 * i + h)));
            part[h] = _mm256_madd_epi16(v[2 * i + h], _mm256_shuffle_epi8(c->factor, word));
        }
        sum[i] = _mm256_add_epi32(part[0], part[1]);
    }
    return add_up(sum, PAIRS);
}

INLINE __m256i chunk_sums(const struct kind kind, const struct chunk *c, const __m256i *x, int n)
{
    __m256i v[2 * PAIRS];
    int pairs = n < PAIRS ? n : PAIRS;
    for (int j = 0; j < 2 * pairs; j++)
        v[j] = multiply_bytes(kind, c->q[j], _mm256_load_si256(&x[j]));
    return kind.has_halves ? sum_halves(kind, c, v) : sum_groups(kind, c, v, pairs);
}

/* Four bytes of the activations in all lanes, read from memory as such. */
INLINE __m256i repeat_four(const char *x)
{
    return _mm256_castps_si256(_mm256_broadcast_ss((const float *)(const void *)x));
}

INLINE void panel_sums(const struct kind kind, int T, const struct panel *p, int g,
                       const char *x, size_t x_bytes, vec (*sum)[WIDE])
{
    const char *row[AT_ONCE];
    int most = kind.has_halves ? QUADS / 2 : QUADS, fit = pairs_that_fit(kind);
    fit = fit < most ? fit : most;
    panel_rows(T, x, x_bytes, row);
    for (int q = 0; q < QUADS; q += fit) {
        vec part[AT_ONCE][WIDE];
        UNROLL for (int k = q; k < q + fit; k++)
            for (int t = 0; t < T; t++) {
                vec four = repeat_four(row[t] + 4 * k);
                for (int j = 0; j < WIDE; j++) {
                    vec v = multiply_bytes(kind, p->q[g][k][j], four);
                    part[t][j] = k == q ? v : _mm256_add_epi16(part[t][j], v);
                    IN_ORDER(part[t][j]);
                }
            }
        for (int t = 0; t < T; t++)
            for (int j = 0; j < WIDE; j++) {
                vec f = kind.has_factor ? p->factor[g][kind.has_halves ? q / (QUADS / 2) : 0][j]
                                        : _mm256_set1_epi16(1);
                vec v = _mm256_madd_epi16(part[t][j], f);
                sum[t][j] = q == 0 ? v : _mm256_add_epi32(sum[t][j], v);
            }
    }
}

#define X(name, fn, bytes, ...)                                                               \
    static void dot_##fn(const struct dot *d)                                                 \
    {                                                                                         \
        const struct kind kind = { __VA_ARGS__ };                                             \
        dot_all(kind, unpack_##fn, bytes, chunk_sums, few_by_row, panel_sums, d);             \
    }
CHUNK_LIST(X)
#undef X

/* The largest absolute value of a block, and its 32 values as bytes. Packing works inside the
 * halves of a register; the permutation puts the groups of four back in order. */
static void quant_q8(const float *x, void *row, size_t n)
{
    int8_t *q = row;
    float *d = (float *)q8_scales(row, n), *s = (float *)q8_sums(row, n);
    int16_t *halves = (int16_t *)q8_halves(row, n);
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    size_t n_blocks = n / QUANT_BLOCK, empty = q8_blocks(n) - n_blocks;
    for (size_t b = 0; b < n_blocks; b++, x += QUANT_BLOCK, q += QUANT_BLOCK) {
        __m256 v[4], big = _mm256_setzero_ps();
        for (int j = 0; j < 4; j++) {
            v[j] = _mm256_loadu_ps(x + 8 * j);
            big = _mm256_max_ps(_mm256_andnot_ps(sign, v[j]), big);
        }
        float max = max8(big);
        __m256 inverse = _mm256_set1_ps(max > 0 ? 127 / max : 0);
        __m256i k[4];
        for (int j = 0; j < 4; j++)
            k[j] = _mm256_cvtps_epi32(_mm256_mul_ps(v[j], inverse));
        __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(k[0], k[1]),
                                           _mm256_packs_epi32(k[2], k[3]));
        bytes = _mm256_permutevar8x32_epi32(bytes, order);
        _mm256_store_si256((__m256i *)q, bytes);
        /* In each half of the register eight sums of pairs become one. */
        __m256i sum = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
        for (int i = 0; i < 3; i++)
            sum = _mm256_hadd_epi16(sum, sum);
        halves[2 * b] = (int16_t)_mm256_extract_epi16(sum, 0);
        halves[2 * b + 1] = (int16_t)_mm256_extract_epi16(sum, 8);
        d[b] = max / 127;
        s[b] = max / 127 * (float)(halves[2 * b] + halves[2 * b + 1]);
    }
    memset(q, 0, empty * QUANT_BLOCK);
    memset(d + n_blocks, 0, empty * sizeof *d);
    memset(s + n_blocks, 0, empty * sizeof *s);
    memset(halves + 2 * n_blocks, 0, empty * 2 * sizeof *halves);
}

/* ---- float rows ---------------------------------------------------------------------------- */

INLINE __m256 load_f32(const void *w, size_t i)
{
    return _mm256_loadu_ps((const float *)w + i);
}

INLINE __m256 load_f16(const void *w, size_t i)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)((const uint16_t *)w + i)));
}

INLINE __m256 load_bf16(const void *w, size_t i)
{
    __m128i h = _mm_loadu_si128((const __m128i *)((const uint16_t *)w + i));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

INLINE float one_f32(const void *w, size_t i)
{
    return ((const float *)w)[i];
}

INLINE float one_f16(const void *w, size_t i)
{
    return _cvtsh_ss(((const uint16_t *)w)[i]);
}

INLINE float one_bf16(const void *w, size_t i)
{
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(((const uint16_t *)w)[i] << 16)));
}

#define FLOAT_FORMAT(fn)                                                                      \
    INLINE float dot_row_##fn(const void *w, const float *x, size_t n)                        \
    {                                                                                         \
        __m256 acc[4] = { _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),      \
                          _mm256_setzero_ps() };                                              \
        size_t i = 0;                                                                         \
        for (; i + 32 <= n; i += 32)                                                          \
            for (size_t j = 0; j < 4; j++)                                                    \
                acc[j] = _mm256_fmadd_ps(load_##fn(w, i + 8 * j),                             \
                                         _mm256_loadu_ps(x + i + 8 * j), acc[j]);             \
        for (; i + 8 <= n; i += 8)                                                            \
            acc[0] = _mm256_fmadd_ps(load_##fn(w, i), _mm256_loadu_ps(x + i), acc[0]);        \
        float sum = sum8(_mm256_add_ps(_mm256_add_ps(acc[0], acc[1]),                         \
                                       _mm256_add_ps(acc[2], acc[3])));                       \
        for (; i < n; i++)                                                                    \
            sum += one_##fn(w, i) * x[i];                                                     \
        return sum;                                                                           \
    }                                                                                         \
    static void dot_##fn(const struct dot *d)                                                 \
    {                                                                                         \
        for (int r = 0; r < d->n_w; r++)                                                      \
            for (int t = 0; t < d->n_x; t++)                                                  \
                d->y[(size_t)t * d->y_step + (size_t)r] =                                     \
                    dot_row_##fn((const char *)d->w + (size_t)r * d->w_bytes,                 \
                                 (const void *)((const char *)d->x + (size_t)t * d->x_bytes), \
                                 d->n);                                                       \
    }

FLOAT_FORMAT(f32)
FLOAT_FORMAT(f16)
FLOAT_FORMAT(bf16)

/* ---- attention ----------------------------------------------------------------------------- */

/* Four rows at once. At the end of a block rows may be missing: the last one then stands in, so
 * that the arithmetic of a row is always the same. */
#define ATTENTION_FORMAT(fn, type)                                                            \
    static void score_##fn(const float *q, const void *k, int n, size_t dim, float *out)      \
    {                                                                                         \
        for (int i = 0; i < n; i += 4) {                                                      \
            const type *row[4];                                                               \
            __m256 acc[4];                                                                    \
            for (int j = 0; j < 4; j++) {                                                     \
                row[j] = (const type *)k + (size_t)(i + j < n ? i + j : n - 1) * dim;         \
                acc[j] = _mm256_setzero_ps();                                                 \
            }                                                                                 \
            size_t d = 0;                                                                     \
            for (; d + 8 <= dim; d += 8)                                                      \
                for (int j = 0; j < 4; j++)                                                   \
                    acc[j] = _mm256_fmadd_ps(load_##fn(row[j], d), _mm256_loadu_ps(q + d),    \
                                             acc[j]);                                         \
            __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(acc[0], acc[1]),                         \
                                      _mm256_hadd_ps(acc[2], acc[3]));                        \
            float sum[4];                                                                     \
            _mm_storeu_ps(sum, _mm_add_ps(_mm256_castps256_ps128(s),                          \
                                          _mm256_extractf128_ps(s, 1)));                      \
            for (int j = 0; j < 4 && i + j < n; j++) {                                        \
                for (size_t e = d; e < dim; e++)                                              \
                    sum[j] += one_##fn(row[j], e) * q[e];                                     \
                out[i + j] = sum[j];                                                          \
            }                                                                                 \
        }                                                                                     \
    }                                                                                         \
    INLINE void mix_columns_##fn(int n_col, const float *w, const type *v, int n, size_t dim, \
                                 float *out)                                                  \
    {                                                                                         \
        __m256 acc[8];                                                                        \
        for (int c = 0; c < n_col; c++)                                                       \
            acc[c] = _mm256_loadu_ps(out + 8 * c);                                            \
        for (int i = 0; i < n; i++) {                                                         \
            __m256 f = _mm256_broadcast_ss(w + i);                                            \
            for (int c = 0; c < n_col; c++)                                                   \
                acc[c] = _mm256_fmadd_ps(f, load_##fn(v + (size_t)i * dim, 8 * (size_t)c),    \
                                         acc[c]);                                             \
        }                                                                                     \
        for (int c = 0; c < n_col; c++)                                                       \
            _mm256_storeu_ps(out + 8 * c, acc[c]);                                            \
    }                                                                                         \
    static void mix_##fn(const float *w, const void *v, int n, size_t dim, float *out)        \
    {                                                                                         \
        const type *rows = v;                                                                 \
        size_t d = 0;                                                                         \
        for (; d + 64 <= dim; d += 64)                                                        \
            mix_columns_##fn(8, w, rows + d, n, dim, out + d);                                \
        for (; d + 32 <= dim; d += 32)                                                        \
            mix_columns_##fn(4, w, rows + d, n, dim, out + d);                                \
        for (; d + 8 <= dim; d += 8)                                                          \
            mix_columns_##fn(1, w, rows + d, n, dim, out + d);                                \
        for (; d < dim; d++)                                                                  \
            for (int i = 0; i < n; i++)                                                       \
                out[d] += w[i] * one_##fn(rows, (size_t)i * dim + d);                         \
    }

ATTENTION_FORMAT(f16, uint16_t)
ATTENTION_FORMAT(f32, float)

static void f16_of_f32_row(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(y + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        y[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

void kernels_init_avx2(struct kernels *k)
{
#define X(name, fn, id, elements, bytes, act) k->dot[WEIGHT_##name] = dot_##fn;
    WEIGHT_LIST(X)
#undef X
    k->quant_q8 = quant_q8;
    take_exp(k);
    k->f16_of_f32 = f16_of_f32_row;
    k->score_f16 = score_f16;
    k->score_f32 = score_f32;
    k->mix_f16 = mix_f16;
    k->mix_f32 = mix_f32;
    kernels_init_avx2_attention(k);
    kernels_init_avx2_codec(k);
}
