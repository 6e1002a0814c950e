/* kernels_avxvnni.c -- products for AVX-VNNI, over kernels_avx2.c. */
#include "engine/kernels.h"

#define DOT_CHUNK _mm256_dpbusd_avx_epi32
#define DOT_PANEL _mm256_dpbusd_avx_epi32
#include "engine/kernels_vnni.h"

#define X(name, fn, bytes, ...)                                                               \
    static void dot_##fn(const struct dot *d)                                                 \
    {                                                                                         \
        const struct kind kind = kind_unsigned((struct kind){ __VA_ARGS__ });                 \
        dot_all(kind, unpack_##fn, bytes, chunk_sums, panel_sums, d);                         \
    }
CHUNK_LIST(X)
#undef X

void kernels_init_avxvnni(struct kernels *k)
{
#define X(name, fn, bytes, ...) k->dot[WEIGHT_##name] = dot_##fn;
    CHUNK_LIST(X)
#undef X
}
