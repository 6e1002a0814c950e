/* kernels_model.h -- instructions that this machine may lack, in C on halves of 256 bits.
 *
 * A set of kernels that is compiled with this header before all others (see the Makefile) runs
 * wherever AVX2 does, so that each set is tested on each machine. */
#ifndef DUET_TESTS_KERNELS_MODEL_H
#define DUET_TESTS_KERNELS_MODEL_H

#include <assert.h>
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wpsabi"

#define kernels_init_avxvnni kernels_model_avxvnni
#define kernels_init_avx512  kernels_model_avx512
#define kernels_init_avx512_floats kernels_model_avx512_floats
#define kernels_init_avx512_codec kernels_model_avx512_codec
#define kernels_init_amx     kernels_model_amx
#define kernels_init_amx_attention kernels_model_amx_attention

/* ---- AVX-VNNI ------------------------------------------------------------------------------- */

static inline __m256i model_dpbusd(__m256i sum, __m256i u, __m256i s)
{
    int32_t total[8];
    uint8_t a[32];
    int8_t b[32];
    memcpy(total, &sum, sizeof total);
    memcpy(a, &u, sizeof a);
    memcpy(b, &s, sizeof b);
    for (int i = 0; i < 32; i++)
        total[i / 4] += a[i] * b[i];
    memcpy(&sum, total, sizeof sum);
    return sum;
}

#undef _mm256_dpbusd_avx_epi32
#undef _mm256_dpbusd_epi32
#define _mm256_dpbusd_avx_epi32 model_dpbusd
#define _mm256_dpbusd_epi32     model_dpbusd

/* ---- AVX-512 -------------------------------------------------------------------------------- */

union wide {
    __m512i i;
    __m512 f;
    __m256i half[2];
    __m256 half_f[2];
};

#define MODEL_INT(name, ...)                                                                  \
    static inline __m512i model_##name(__m512i a, __m512i b)                                  \
    {                                                                                         \
        union wide x = { a }, y = { b };                                                      \
        for (int h = 0; h < 2; h++)                                                           \
            x.half[h] = _mm256_##name(x.half[h], y.half[h]);                                  \
        return x.i;                                                                           \
    }
#define MODEL_FLOAT(name, ...)                                                                \
    static inline __m512 model_##name(__m512 a, __m512 b)                                     \
    {                                                                                         \
        union wide x = { .f = a }, y = { .f = b };                                            \
        for (int h = 0; h < 2; h++)                                                           \
            x.half_f[h] = _mm256_##name(x.half_f[h], y.half_f[h]);                            \
        return x.f;                                                                           \
    }
#define MODEL_SHIFT(name, ...)                                                                \
    static inline __m512i model_##name(__m512i a, int by)                                     \
    {                                                                                         \
        union wide x = { a };                                                                 \
        for (int h = 0; h < 2; h++)                                                           \
            x.half[h] = _mm256_##name(x.half[h], by);                                         \
        return x.i;                                                                           \
    }

MODEL_INT(madd_epi16)
MODEL_INT(add_epi32)
MODEL_INT(sub_epi32)
MODEL_INT(mullo_epi32)
MODEL_INT(unpacklo_epi32)
MODEL_INT(unpackhi_epi32)
MODEL_INT(unpacklo_epi64)
MODEL_INT(unpackhi_epi64)
MODEL_FLOAT(add_ps)
MODEL_FLOAT(mul_ps)
MODEL_FLOAT(sub_ps)
MODEL_FLOAT(div_ps)
MODEL_FLOAT(min_ps)
MODEL_FLOAT(max_ps)
MODEL_SHIFT(slli_epi16)
MODEL_SHIFT(slli_epi32)
MODEL_SHIFT(srli_epi32)
MODEL_SHIFT(srai_epi32)

static inline __m512i model_set1_epi32(int a)
{
    union wide x = { .half = { _mm256_set1_epi32(a), _mm256_set1_epi32(a) } };
    return x.i;
}

static inline __m512 model_set1_ps(float a)
{
    union wide x = { .half_f = { _mm256_set1_ps(a), _mm256_set1_ps(a) } };
    return x.f;
}

static inline __m512 model_cvtepi32_ps(__m512i a)
{
    union wide x = { a };
    for (int h = 0; h < 2; h++)
        x.half_f[h] = _mm256_cvtepi32_ps(x.half[h]);
    return x.f;
}

static inline __m512i model_cvtps_epi32(__m512 a)
{
    union wide x = { .f = a };
    for (int h = 0; h < 2; h++)
        x.half[h] = _mm256_cvtps_epi32(x.half_f[h]);
    return x.i;
}

static inline __m512 model_fnmadd_ps(__m512 a, __m512 b, __m512 c)
{
    union wide x = { .f = a }, y = { .f = b }, z = { .f = c };
    for (int h = 0; h < 2; h++)
        x.half_f[h] = _mm256_fnmadd_ps(x.half_f[h], y.half_f[h], z.half_f[h]);
    return x.f;
}

static inline __m512 model_fmadd_ps(__m512 a, __m512 b, __m512 c)
{
    union wide x = { .f = a }, y = { .f = b }, z = { .f = c };
    for (int h = 0; h < 2; h++)
        x.half_f[h] = _mm256_fmadd_ps(x.half_f[h], y.half_f[h], z.half_f[h]);
    return x.f;
}

static inline __m512 model_loadu_ps(const float *from)
{
    __m512 a;
    memcpy(&a, from, sizeof a);
    return a;
}

static inline void model_storeu_ps(float *to, __m512 a)
{
    memcpy(to, &a, sizeof a);
}

static inline __m512 model_cvtph_ps(__m256i a)
{
    union wide x = { .half_f = { _mm256_cvtph_ps(_mm256_castsi256_si128(a)),
                                 _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1)) } };
    return x.f;
}

static inline __m512i model_permutexvar_epi16(__m512i order, __m512i a)
{
    uint16_t from[32], at[32], to[32];
    memcpy(from, &a, sizeof a);
    memcpy(at, &order, sizeof order);
    for (int i = 0; i < 32; i++)
        to[i] = from[at[i] % 32];
    memcpy(&a, to, sizeof a);
    return a;
}

static inline __m512i model_cvtepu8_epi32(__m128i a)
{
    union wide x = { .half = { _mm256_cvtepu8_epi32(a),
                               _mm256_cvtepu8_epi32(_mm_srli_si128(a, 8)) } };
    return x.i;
}

static inline __m512i model_cvtepi8_epi32(__m128i a)
{
    union wide x = { .half = { _mm256_cvtepi8_epi32(a),
                               _mm256_cvtepi8_epi32(_mm_srli_si128(a, 8)) } };
    return x.i;
}

/* Of each pair of bits of `which` one quarter: two of a, then two of b. */
static inline __m512i model_shuffle_i32x4(__m512i a, __m512i b, int which)
{
    char from[2][64], to[64];
    memcpy(from[0], &a, sizeof a);
    memcpy(from[1], &b, sizeof b);
    for (int i = 0; i < 4; i++)
        memcpy(to + 16 * i, from[i / 2] + 16 * (which >> 2 * i & 3), 16);
    memcpy(&a, to, sizeof a);
    return a;
}

static inline float model_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Low half from b, high half from a; to nearest, ties to even. */
static inline __m512i model_cvtne2ps_pbh(__m512 a, __m512 b)
{
    uint32_t in[32];
    uint16_t out[32];
    memcpy(in, &b, sizeof b);
    memcpy(in + 16, &a, sizeof a);
    for (int i = 0; i < 32; i++)
        out[i] = (uint16_t)((in[i] + 0x7fff + (in[i] >> 16 & 1)) >> 16);
    __m512i r;
    memcpy(&r, out, sizeof r);
    return r;
}

static inline __m512i model_dpbusd_wide(__m512i sum, __m512i u, __m512i s)
{
    union wide x = { sum }, y = { u }, z = { s };
    for (int h = 0; h < 2; h++)
        x.half[h] = model_dpbusd(x.half[h], y.half[h], z.half[h]);
    return x.i;
}

/* What moves numbers between lanes, as the manual defines it. */
#define MODEL_PICK(name, type, n)                                                             \
    static inline __m512i model_##name(__m512i a, __m512i index, __m512i b)                   \
    {                                                                                         \
        type from[2 * (n)], at[n], to[n];                                                     \
        memcpy(from, &a, sizeof a);                                                           \
        memcpy(from + (n), &b, sizeof b);                                                     \
        memcpy(at, &index, sizeof index);                                                     \
        for (int i = 0; i < (n); i++)                                                         \
            to[i] = from[at[i] & (2 * (n) - 1)];                                              \
        memcpy(&a, to, sizeof a);                                                             \
        return a;                                                                             \
    }
MODEL_PICK(permutex2var_epi32, uint32_t, 16)
MODEL_PICK(permutex2var_epi64, uint64_t, 8)

static inline __m512i model_permutexvar_epi32(__m512i index, __m512i a)
{
    return model_permutex2var_epi32(a, index, a);
}

static inline __m512i model_setr_epi32(int a, int b, int c, int d, int e, int f, int g, int h,
                                       int i, int j, int k, int l, int m, int n, int o, int p)
{
    union wide x = { .half = { _mm256_setr_epi32(a, b, c, d, e, f, g, h),
                               _mm256_setr_epi32(i, j, k, l, m, n, o, p) } };
    return x.i;
}

static inline __m512i model_setr_epi64(long long a, long long b, long long c, long long d,
                                       long long e, long long f, long long g, long long h)
{
    union wide x = { .half = { _mm256_set_epi64x(d, c, b, a), _mm256_set_epi64x(h, g, f, e) } };
    return x.i;
}

static inline __m512i model_shuffle_epi32(__m512i a, int how)
{
    uint32_t from[16], to[16];
    memcpy(from, &a, sizeof a);
    for (int i = 0; i < 16; i++)
        to[i] = from[i / 4 * 4 + (how >> i % 4 * 2 & 3)];
    memcpy(&a, to, sizeof a);
    return a;
}

static inline __m512i model_mask_blend_epi32(unsigned mask, __m512i a, __m512i b)
{
    uint32_t x[16], y[16];
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    for (int i = 0; i < 16; i++)
        x[i] = mask >> i & 1 ? y[i] : x[i];
    memcpy(&a, x, sizeof a);
    return a;
}

static inline __m512i model_of_halves(__m256i low, __m256i high)
{
    union wide x = { .half = { low, high } };
    return x.i;
}

static inline __m512i model_broadcast_i64x4(__m256i a)
{
    return model_of_halves(a, a);
}

static inline __m512i model_castsi256_si512(__m256i a)
{
    return model_of_halves(a, _mm256_setzero_si256());
}

static inline __m512i model_inserti64x4(__m512i a, __m256i b, int at)
{
    union wide x = { a };
    x.half[at] = b;
    return x.i;
}

static inline __m256i model_castsi512_si256(__m512i a)
{
    union wide x = { a };
    return x.half[0];
}

static inline __m256i model_cvtepi32_epi16(__m512i a)
{
    uint32_t from[16];
    uint16_t to[16];
    __m256i out;
    memcpy(from, &a, sizeof a);
    for (int i = 0; i < 16; i++)
        to[i] = (uint16_t)from[i];
    memcpy(&out, to, sizeof out);
    return out;
}

static inline __m512 model_sqrt_ps(__m512 a)
{
    union wide x = { .f = a };
    for (int h = 0; h < 2; h++)
        x.half_f[h] = _mm256_sqrt_ps(x.half_f[h]);
    return x.f;
}

static inline unsigned model_cmp_ps_mask(__m512 a, __m512 b, int how)
{
    float x[16], y[16];
    unsigned mask = 0;
    assert(how == _CMP_GT_OQ);
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    for (int i = 0; i < 16; i++)
        mask |= (unsigned)(x[i] > y[i]) << i;
    return mask;
}

static inline __m512i model_maskz_compress_epi32(unsigned mask, __m512i a)
{
    uint32_t from[16], to[16] = {0};
    memcpy(from, &a, sizeof a);
    for (int i = 0, n = 0; i < 16; i++)
        if (mask >> i & 1)
            to[n++] = from[i];
    memcpy(&a, to, sizeof a);
    return a;
}

static inline __m512i model_load(const void *from)
{
    __m512i a;
    memcpy(&a, from, sizeof a);
    return a;
}

static inline void model_store(void *to, __m512i a)
{
    memcpy(to, &a, sizeof a);
}

/* ---- what attention of text that is read takes ---------------------------------------------- */

MODEL_FLOAT(unpacklo_ps)
MODEL_FLOAT(unpackhi_ps)

static inline __m512 model_shuffle_ps(__m512 a, __m512 b, int how)
{
    float from[2][16], to[16];
    memcpy(from[0], &a, sizeof a);
    memcpy(from[1], &b, sizeof b);
    for (int i = 0; i < 16; i++)
        to[i] = from[i % 4 / 2][i / 4 * 4 + (how >> 2 * (i % 4) & 3)];
    memcpy(&a, to, sizeof a);
    return a;
}

static inline __m256d model_extractf64x4_pd(__m512d a, int i)
{
    double from[8];
    __m256d half;
    memcpy(from, &a, sizeof a);
    memcpy(&half, from + 4 * i, sizeof half);
    return half;
}

static inline __m512 model_mask_mov_ps(__m512 rest, uint16_t mask, __m512 a)
{
    float to[16], from[16];
    memcpy(to, &rest, sizeof rest);
    memcpy(from, &a, sizeof a);
    for (int i = 0; i < 16; i++)
        to[i] = mask >> i & 1 ? from[i] : to[i];
    memcpy(&a, to, sizeof a);
    return a;
}

static inline __m512 model_maskz_mov_ps(uint16_t mask, __m512 a)
{
    return model_mask_mov_ps(model_set1_ps(0), mask, a);
}

/* To the nearest whole number, ties to even. */
static inline __m512 model_roundscale_ps(__m512 a, int how)
{
    float x[16];
    assert(how == (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    memcpy(x, &a, sizeof a);
    for (int i = 0; i < 16; i++)
        x[i] = __builtin_nearbyintf(x[i]);
    memcpy(&a, x, sizeof a);
    return a;
}

/* a times 2 to b rounded down. */
static inline __m512 model_scalef_ps(__m512 a, __m512 b)
{
    float x[16], by[16];
    memcpy(x, &a, sizeof a);
    memcpy(by, &b, sizeof b);
    for (int i = 0; i < 16; i++)
        x[i] = by[i] < -300 ? 0 : __builtin_ldexpf(x[i], (int)__builtin_floorf(by[i]));
    memcpy(&a, x, sizeof a);
    return a;
}

static inline __m512 model_dpbf16_ps(__m512 sum, __m512bh a, __m512bh b)
{
    float to[16];
    uint16_t x[32], y[32];
    memcpy(to, &sum, sizeof sum);
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    for (int i = 0; i < 32; i++)
        to[i / 2] += model_float((uint32_t)x[i] << 16) * model_float((uint32_t)y[i] << 16);
    memcpy(&sum, to, sizeof sum);
    return sum;
}

#undef _mm512_shuffle_ps
#undef _mm512_extractf64x4_pd
#undef _mm512_roundscale_ps
#define _mm512_unpacklo_ps     model_unpacklo_ps
#define _mm512_unpackhi_ps     model_unpackhi_ps
#define _mm512_shuffle_ps      model_shuffle_ps
#define _mm512_extractf64x4_pd model_extractf64x4_pd
#define _mm512_mask_mov_ps     model_mask_mov_ps
#define _mm512_maskz_mov_ps    model_maskz_mov_ps
#define _mm512_roundscale_ps   model_roundscale_ps
#define _mm512_scalef_ps       model_scalef_ps
#define _mm512_dpbf16_ps       model_dpbf16_ps

#undef _mm512_setr_epi32
#undef _mm512_setr_epi64
#undef _mm512_shuffle_epi32
#undef _mm512_inserti64x4
#undef _mm512_cmp_ps_mask
#define _mm512_sqrt_ps             model_sqrt_ps
#define _mm512_cmp_ps_mask         model_cmp_ps_mask
#define _mm512_maskz_compress_epi32 model_maskz_compress_epi32
#define _mm512_permutex2var_epi32  model_permutex2var_epi32
#define _mm512_permutex2var_epi64  model_permutex2var_epi64
#define _mm512_permutexvar_epi32   model_permutexvar_epi32
#define _mm512_setr_epi32          model_setr_epi32
#define _mm512_setr_epi64          model_setr_epi64
#define _mm512_shuffle_epi32       model_shuffle_epi32
#define _mm512_mask_blend_epi32    model_mask_blend_epi32
#define _mm512_broadcast_i64x4     model_broadcast_i64x4
#define _mm512_castsi256_si512     model_castsi256_si512
#define _mm512_inserti64x4         model_inserti64x4
#define _mm512_castsi512_si256     model_castsi512_si256
#define _mm512_cvtepi32_epi16      model_cvtepi32_epi16
#define _mm512_loadu_si512         model_load
#define _mm512_storeu_si512        model_store

#undef _mm512_shuffle_i32x4
#undef _mm512_slli_epi16
#undef _mm512_slli_epi32
#define _mm512_slli_epi16   model_slli_epi16
#undef _mm512_srli_epi32
#undef _mm512_srai_epi32
#define _mm512_madd_epi16   model_madd_epi16
#define _mm512_add_epi32    model_add_epi32
#define _mm512_sub_epi32    model_sub_epi32
#define _mm512_mullo_epi32  model_mullo_epi32
#define _mm512_add_ps       model_add_ps
#define _mm512_mul_ps       model_mul_ps
#define _mm512_slli_epi32   model_slli_epi32
#define _mm512_srli_epi32   model_srli_epi32
#define _mm512_srai_epi32   model_srai_epi32
#define _mm512_set1_epi32   model_set1_epi32
#define _mm512_set1_ps      model_set1_ps
#define _mm512_cvtepi32_ps  model_cvtepi32_ps
#define _mm512_fmadd_ps     model_fmadd_ps
#define _mm512_fnmadd_ps    model_fnmadd_ps
#define _mm512_cvtps_epi32  model_cvtps_epi32
#define _mm512_sub_ps       model_sub_ps
#define _mm512_div_ps       model_div_ps
#define _mm512_min_ps       model_min_ps
#define _mm512_max_ps       model_max_ps
#define _mm512_loadu_ps     model_loadu_ps
#define _mm512_cvtph_ps     model_cvtph_ps
#define _mm512_permutexvar_epi16 model_permutexvar_epi16
#define _mm512_storeu_ps    model_storeu_ps
#define _mm512_unpacklo_epi32 model_unpacklo_epi32
#define _mm512_unpackhi_epi32 model_unpackhi_epi32
#define _mm512_unpacklo_epi64 model_unpacklo_epi64
#define _mm512_unpackhi_epi64 model_unpackhi_epi64
#define _mm512_cvtepu8_epi32 model_cvtepu8_epi32
#define _mm512_cvtepi8_epi32 model_cvtepi8_epi32
#define _mm512_shuffle_i32x4 model_shuffle_i32x4
#define _mm512_cvtne2ps_pbh model_cvtne2ps_pbh
#define _mm512_dpbusd_epi32 model_dpbusd_wide

/* ---- AMX ------------------------------------------------------------------------------------ */

enum { MODEL_TILES = 8, MODEL_ROWS = 16, MODEL_ROW_BYTES = 64 };

/* A tile without a shape cannot be used. */
struct model_tile {
    int rows, row_bytes;
    char data[MODEL_ROWS][MODEL_ROW_BYTES];
};

static _Thread_local struct model_tile model_tile[MODEL_TILES];

static inline void model_tile_release(void)
{
    memset(model_tile, 0, sizeof model_tile);
}

static inline void model_tile_loadconfig(const void *config)
{
    const uint8_t *c = config;
    assert(c[0] == 1);
    model_tile_release();
    for (int t = 0; t < MODEL_TILES; t++) {
        uint16_t row_bytes;
        memcpy(&row_bytes, c + 16 + 2 * t, sizeof row_bytes);
        model_tile[t].rows = c[48 + t];
        model_tile[t].row_bytes = row_bytes;
        assert(c[48 + t] <= MODEL_ROWS && row_bytes <= MODEL_ROW_BYTES);
    }
}

static inline void model_tile_zero(int t)
{
    assert(model_tile[t].rows > 0);
    memset(model_tile[t].data, 0, sizeof model_tile[t].data);
}

static inline void model_tile_load(int t, const void *from, size_t step)
{
    model_tile_zero(t);
    for (int r = 0; r < model_tile[t].rows; r++)
        memcpy(model_tile[t].data[r], (const char *)from + (size_t)r * step,
               (size_t)model_tile[t].row_bytes);
}

static inline void model_tile_store(int t, void *to, size_t step)
{
    assert(model_tile[t].rows > 0);
    for (int r = 0; r < model_tile[t].rows; r++)
        memcpy((char *)to + (size_t)r * step, model_tile[t].data[r],
               (size_t)model_tile[t].row_bytes);
}

/* Brain floats of a and b, two to each float of the sum. */
static inline void model_tile_dpbf16ps(int sum, int a, int b)
{
    struct model_tile *c = &model_tile[sum], *x = &model_tile[a], *w = &model_tile[b];
    assert(c->rows > 0 && c->rows == x->rows && c->row_bytes == w->row_bytes &&
           x->row_bytes == 4 * w->rows);
    for (int r = 0; r < c->rows; r++)
        for (int n = 0; n < c->row_bytes / 4; n++) {
            float total;
            memcpy(&total, c->data[r] + 4 * n, sizeof total);
            for (int k = 0; k < x->row_bytes / 2; k++) {
                uint16_t u, v;
                memcpy(&u, x->data[r] + 2 * k, sizeof u);
                memcpy(&v, w->data[k / 2] + 4 * n + k % 2 * 2, sizeof v);
                total += model_float((uint32_t)u << 16) * model_float((uint32_t)v << 16);
            }
            memcpy(c->data[r] + 4 * n, &total, sizeof total);
        }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_stream_loadd
#undef _tile_dpbf16ps
#define _tile_loadconfig model_tile_loadconfig
#define _tile_release    model_tile_release
#define _tile_zero       model_tile_zero
#define _tile_loadd      model_tile_load
#define _tile_stored     model_tile_store
#define _tile_stream_loadd model_tile_load
#define _tile_dpbf16ps   model_tile_dpbf16ps

#endif
