/* kernels_lanes.h -- what the files of kernels for x86 share. */
#ifndef DUET_ENGINE_KERNELS_LANES_H
#define DUET_ENGINE_KERNELS_LANES_H

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

/* Registers of LANES lanes of 32 bits, 8 or 16, and their instructions. */
#ifndef LANES
#define LANES 8
#endif
#if LANES == 16
typedef __m512i vec;
typedef __m512 vecf;
#define V(op) _mm512_##op
#else
typedef __m256i vec;
typedef __m256 vecf;
#define V(op) _mm256_##op
#endif

/* The sum of eight lanes, always in the same order. */
INLINE float sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* The largest of eight lanes. */
INLINE float max8(__m256 v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* The first n lanes, n < LANES, of which the others become `rest`; and back. */
INLINE vecf load_some(const float *x, size_t n, float rest)
{
    vecf v = V(set1_ps)(rest);
    memcpy(&v, x, n * sizeof *x);
    return v;
}

INLINE void store_some(float *x, size_t n, vecf v)
{
    memcpy(x, &v, n * sizeof *x);
}

/* Halves of a register of 16 lanes, or it and nothing. */
INLINE float sum_of_lanes(vecf v)
{
    __m256 part[2] = {0};
    memcpy(part, &v, sizeof v);
    return LANES == 8 ? sum8(part[0]) : sum8(_mm256_add_ps(part[0], part[1]));
}

/* Brings n bytes closer, a line at a time; bytes behind them are not looked at. */
INLINE void fetch_ahead(const void *ahead, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i += 64)
        _mm_prefetch((const char *)ahead + i, _MM_HINT_T1);
}

#endif
