/* kernels_avxvnni.c -- products for AVX-VNNI, over kernels_avx2.c. */
#include "engine/kernels.h"

#define DOT_CHUNK _mm256_dpbusd_avx_epi32
#define DOT_PANEL _mm256_dpbusd_avx_epi32
#include "engine/kernels_vnni.h"

CHUNK_LIST(DOT_UNSIGNED)

void kernels_init_avxvnni(struct kernels *k)
{
    CHUNK_LIST(DOT_TAKE)
}
