/* kernels_avx512_codec.c -- the kernels of codec.c for AVX-512; what is not here is as fast with
 * AVX2. */
#define LANES 16
#include "engine/kernels_rows.h"

static size_t find_above(const float *x, size_t n, float least, int *out)
{
    const __m512 limit = _mm512_set1_ps(least);
    __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t count = 0, i = 0;
    for (; i + LANES <= n; i += LANES) {
        unsigned above = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i), limit, _CMP_GT_OQ);
        _mm512_storeu_si512(out + count, _mm512_maskz_compress_epi32((__mmask16)above, at));
        count += (size_t)__builtin_popcount(above);
        at = _mm512_add_epi32(at, _mm512_set1_epi32(LANES));
    }
    for (; i < n; i++)
        if (x[i] > least)
            out[count++] = (int)i;
    return count;
}

void kernels_init_avx512_codec(struct kernels *k)
{
    take_rows(k);
    k->find_above = find_above;
}
