/* kernels_avx512.c -- products for AVX-512 with BW, VL and VNNI, over kernels_avx2.c: panels of
 * 512 bits, rows one by one with 256 as there. */
#include "engine/kernels.h"

#define LANES 16
#define DOT_CHUNK _mm256_dpbusd_epi32
#define DOT_PANEL _mm512_dpbusd_epi32
#include "engine/kernels_vnni.h"

#define X(name, fn, bytes, ...)                                                               \
    static void dot_##fn(const struct dot *d)                                                 \
    {                                                                                         \
        const struct kind kind = kind_unsigned((struct kind){ __VA_ARGS__ });                 \
        dot_all(kind, unpack_##fn, bytes, chunk_sums, panel_sums, d);                         \
    }
CHUNK_LIST(X)
#undef X

void kernels_init_avx512(struct kernels *k)
{
#define X(name, fn, bytes, ...) k->dot[WEIGHT_##name] = dot_##fn;
    CHUNK_LIST(X)
#undef X
}
