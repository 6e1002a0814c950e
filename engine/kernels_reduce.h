/* kernels_reduce.h -- four registers of 16 floats to four floats, for sets with AVX-512. */
#ifndef DUET_ENGINE_KERNELS_REDUCE_H
#define DUET_ENGINE_KERNELS_REDUCE_H

#include "engine/kernels_lanes.h"

/* A macro: clang wants the number of a half as a constant. */
#define HALF_OF(x, i) ((__m256)_mm512_extractf64x4_pd((__m512d)(x), i))

/* The four registers' largest lanes, or the sums of their lanes. */
#define REDUCE(name, op)                                                                       \
    INLINE __m128 name(__m512 a, __m512 b, __m512 c, __m512 d)                                 \
    {                                                                                          \
        __m512 ab = _mm512_##op##_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));      \
        __m512 cd = _mm512_##op##_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));      \
        __m512 all = _mm512_##op##_ps(_mm512_shuffle_ps(ab, cd, 0x44),                         \
                                      _mm512_shuffle_ps(ab, cd, 0xee));                        \
        __m256 half = _mm256_##op##_ps(HALF_OF(all, 0), HALF_OF(all, 1));                      \
        return _mm_##op##_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));    \
    }
REDUCE(largest, max)
REDUCE(sum_of, add)
#undef REDUCE
#undef HALF_OF

#endif
