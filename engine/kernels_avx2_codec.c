/* kernels_avx2_codec.c -- the kernels of codec.c for AVX2. The same operations in the same
 * order, so the same bits: no multiplication is fused with an addition. */
#include <immintrin.h>
#include <string.h>

#include "engine/codec.h"
#include "engine/kernels.h"
#include "engine/kernels_rows.h"

static float f32_of(const void *at)
{
    uint16_t h;
    memcpy(&h, at, sizeof h);
    return _cvtsh_ss(h);
}

static void rows_q8(const void *rows, size_t stride, int n, size_t dim, float *out)
{
    for (const char *row = rows; n > 0; n--, row += stride)
        for (size_t g = 0; g < dim; g += GROUP, out += GROUP) {
            __m256 d = _mm256_set1_ps(f32_of(row + dim + g / GROUP * 2));
            for (size_t i = 0; i < GROUP; i += 8)
                _mm256_storeu_ps(out + i, _mm256_mul_ps(floats_of_bytes(row + g + i), d));
        }
}

/* 8 values of 4 bits, in the low halves of 8 bytes. */
static void put_q4(__m128i nibbles, __m256 d, float *out)
{
    __m256i v = _mm256_sub_epi32(_mm256_cvtepu8_epi32(nibbles), _mm256_set1_epi32(8));
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(v), d));
}

static void rows_q4(const void *rows, size_t stride, int n, size_t dim, float *out)
{
    const __m128i low = _mm_set1_epi8(15);
    for (const char *row = rows; n > 0; n--, row += stride, out += dim) {
        __m256 d = _mm256_set1_ps(f32_of(row));
        for (size_t i = 0; i < dim / 2; i += 8) {
            __m128i b = _mm_loadl_epi64((const void *)(row + 2 + i));
            put_q4(_mm_and_si128(b, low), d, out + i);
            put_q4(_mm_and_si128(_mm_srli_epi16(b, 4), low), d, out + dim / 2 + i);
        }
    }
}

/* Sums of whole numbers for 32 tokens, 16 bits each: lo has tokens 0..7 and 16..23, hi
 * the others. */
struct sums {
    __m256i lo, hi;
};

/* Adds what two tables say of 32 nibbles each: the sums of the pairs fit in a byte, and four such
 * tables go in together. */
static void add_sums(struct sums *s, __m256i a, __m256i b)
{
    const __m256i ones = _mm256_set1_epi8(1);
    s->lo = _mm256_add_epi16(s->lo, _mm256_maddubs_epi16(ones, _mm256_unpacklo_epi8(a, b)));
    s->hi = _mm256_add_epi16(s->hi, _mm256_maddubs_epi16(ones, _mm256_unpackhi_epi8(a, b)));
}

static __m256i table_at(const int8_t *table, size_t g)
{
    return _mm256_broadcastsi128_si256(
        _mm_loadu_si128((const void *)(table + g * CODEC_POINTS)));
}

static void put_scores(__m128i sums, const float *scale, __m256 factor, __m256 add, float *out)
{
    __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(sums));
    x = _mm256_mul_ps(_mm256_mul_ps(x, _mm256_loadu_ps(scale)), factor);
    _mm256_storeu_ps(out, _mm256_add_ps(x, add));
}

static void put_sums(const struct sums *s, const float *scale, __m256 factor, __m256 add,
                     float *out)
{
    put_scores(_mm256_castsi256_si128(s->lo), scale, factor, add, out);
    put_scores(_mm256_castsi256_si128(s->hi), scale + 8, factor, add, out + 8);
    put_scores(_mm256_extracti128_si256(s->lo, 1), scale + 16, factor, add, out + 16);
    put_scores(_mm256_extracti128_si256(s->hi, 1), scale + 24, factor, add, out + 24);
}

static void index_score(const void *codes, size_t n_groups, const int8_t *table,
                        const float *scale, float factor, float add, float *out)
{
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i *code = codes;
    struct sums first = { _mm256_setzero_si256(), _mm256_setzero_si256() }, second = first;
    for (size_t g = 0; g < n_groups; g += 4) {
        __m256i sum[4];   /* of two tables each: first and second half of the tokens, twice */
        for (size_t i = 0; i < 2; i++) {
            __m256i a = _mm256_loadu_si256(code + g + 2 * i), ta = table_at(table, g + 2 * i);
            __m256i b = _mm256_loadu_si256(code + g + 2 * i + 1);
            __m256i tb = table_at(table, g + 2 * i + 1);
            sum[2 * i] = _mm256_add_epi8(_mm256_shuffle_epi8(ta, _mm256_and_si256(a, low)),
                                         _mm256_shuffle_epi8(tb, _mm256_and_si256(b, low)));
            a = _mm256_and_si256(_mm256_srli_epi16(a, 4), low);
            b = _mm256_and_si256(_mm256_srli_epi16(b, 4), low);
            sum[2 * i + 1] = _mm256_add_epi8(_mm256_shuffle_epi8(ta, a),
                                             _mm256_shuffle_epi8(tb, b));
        }
        add_sums(&first, sum[0], sum[2]);
        add_sums(&second, sum[1], sum[3]);
    }
    __m256 f = _mm256_set1_ps(factor), m = _mm256_set1_ps(add);
    put_sums(&first, scale, f, m, out);
    put_sums(&second, scale + 32, f, m, out + 32);
}

/* What 8 points add to the product; written as in codec.c, for the same bits. */
static __m256 product_of(const float *turned, size_t i)
{
    __m256 x[4];
    for (int d = 0; d < 4; d++)
        x[d] = _mm256_mul_ps(_mm256_set1_ps(turned[d]), _mm256_loadu_ps(&codec_point[d][i]));
    return _mm256_add_ps(_mm256_add_ps(x[0], x[1]), _mm256_add_ps(x[2], x[3]));
}

/* What is no number becomes the least. */
static __m256i whole_of(__m256 x)
{
    x = _mm256_max_ps(x, _mm256_set1_ps(-CODEC_TABLE_MAX));
    return _mm256_cvtps_epi32(_mm256_min_ps(x, _mm256_set1_ps(CODEC_TABLE_MAX)));
}

static float index_table(const float *turned, size_t n_groups, int8_t *table)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    float product[CODEC_DIM_MAX / 4][CODEC_POINTS];
    __m256 most = _mm256_setzero_ps();
    for (size_t g = 0; g < n_groups; g++)
        for (size_t i = 0; i < CODEC_POINTS; i += 8) {
            __m256 x = product_of(turned + 4 * g, i);
            _mm256_storeu_ps(&product[g][i], x);
            most = _mm256_max_ps(_mm256_andnot_ps(sign, x), most);
        }
    float top = max8(most);
    __m256 inverse = _mm256_set1_ps(top > 0 ? CODEC_TABLE_MAX / top : 0);
    for (size_t g = 0; g < n_groups; g += 2, table += 32) {
        __m256i v[4];
        for (size_t i = 0; i < 4; i++) {
            __m256 x = _mm256_loadu_ps(&product[g + i / 2][i % 2 * 8]);
            v[i] = whole_of(_mm256_mul_ps(x, inverse));
        }
        __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]),
                                           _mm256_packs_epi32(v[2], v[3]));
        _mm256_storeu_si256((void *)table, _mm256_permutevar8x32_epi32(bytes, order));
    }
    return top / CODEC_TABLE_MAX;
}

/* The scales of 8 levels, one a byte. */
static __m256 scales_of(__m128i levels, __m256 low, __m256 high)
{
    __m256i at = _mm256_cvtepu8_epi32(levels);
    __m256 upper = _mm256_castsi256_ps(_mm256_cmpgt_epi32(at, _mm256_set1_epi32(7)));
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, at),
                            _mm256_permutevar8x32_ps(high, at), upper);
}

static void index_scales(const void *levels, const float *power, float *out)
{
    const __m128i nibble = _mm_set1_epi8(15);
    __m256 low = _mm256_loadu_ps(power), high = _mm256_loadu_ps(power + 8);
    for (int i = 0; i < 32; i += 8) {
        __m128i b = _mm_loadl_epi64((const void *)((const char *)levels + i));
        _mm256_storeu_ps(out + i, scales_of(_mm_and_si128(b, nibble), low, high));
        b = _mm_and_si128(_mm_srli_epi16(b, 4), nibble);
        _mm256_storeu_ps(out + i + 32, scales_of(b, low, high));
    }
}

/* ---- choosing ------------------------------------------------------------------------------ */

static size_t find_above(const float *x, size_t n, float least, int *out)
{
    const __m256 limit = _mm256_set1_ps(least);
    size_t count = 0;
    for (size_t i = 0; i < n; i += 8) {
        unsigned above = (unsigned)_mm256_movemask_ps(
            _mm256_cmp_ps(_mm256_loadu_ps(x + i), limit, _CMP_GT_OQ));
        for (; above; above &= above - 1)
            out[count++] = (int)i + __builtin_ctz(above);
    }
    return count;
}

void kernels_init_avx2_codec(struct kernels *k)
{
    k->rows_q8 = rows_q8;
    k->rows_q4 = rows_q4;
    k->index_score = index_score;
    k->index_table = index_table;
    k->index_scales = index_scales;
    take_rows(k);
    k->find_above = find_above;
}
