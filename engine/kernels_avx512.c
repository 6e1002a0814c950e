/* kernels_avx512.c -- products for AVX-512 with BW, VL and VNNI, over kernels_avx2.c: panels of
 * 512 bits, rows one by one with 256 as there. */
#include "engine/kernels.h"

#define LANES 16
#define DOT_CHUNK _mm256_dpbusd_epi32
#define DOT_PANEL _mm512_dpbusd_epi32
#include "engine/kernels_vnni.h"

CHUNK_LIST(DOT_UNSIGNED)

void kernels_init_avx512(struct kernels *k)
{
    CHUNK_LIST(DOT_TAKE)
    kernels_init_avx512_floats(k);
    kernels_init_avx512_codec(k);
}
