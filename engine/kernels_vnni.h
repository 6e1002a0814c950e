/* kernels_vnni.h -- the inner sums of products for sets with dpbusd, which multiplies four unsigned
 * by four signed bytes and adds them to 32 bits: nothing overflows, all weights become unsigned.
 *
 * A set includes it with the names its instruction has for 256 bits and for a panel's registers. */
#ifndef DUET_ENGINE_KERNELS_VNNI_H
#define DUET_ENGINE_KERNELS_VNNI_H

#include "engine/kernels_product.h"
#if LANES == 16
#include "engine/kernels_few.h"
#define DOT_FEW dot_few
#else
#define DOT_FEW few_by_row
#endif

#ifndef DOT_CHUNK
#define DOT_CHUNK _mm256_dpbusd_avx_epi32
#define DOT_PANEL _mm256_dpbusd_avx_epi32
#endif

/* The 16-bit factors of first and second halves, as 32 bits: of groups 0, 1, 4, 5, and of 2, 3, 6,
 * 7. */
INLINE void wide_factors(const struct chunk *c, __m256i *out)
{
    out[0] = _mm256_srai_epi32(_mm256_unpacklo_epi16(c->factor, c->factor), 16);
    out[1] = _mm256_srai_epi32(_mm256_unpackhi_epi16(c->factor, c->factor), 16);
}

INLINE __m256i chunk_sums(const struct kind kind, const struct chunk *c, const __m256i *x, int n)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i v[PAIRS] = {0}, second, factor[2];
    int pairs = n < PAIRS ? n : PAIRS;
    for (int i = 0; i < pairs; i++) {
        v[i] = DOT_CHUNK(zero, c->q[2 * i], x[2 * i]);
        second = DOT_CHUNK(kind.has_halves ? zero : v[i], c->q[2 * i + 1], x[2 * i + 1]);
        v[i] = kind.has_halves ? _mm256_hadd_epi32(v[i], second) : second;
    }
    if (!kind.has_halves) {
        __m256i all = add_up(v, pairs);
        return kind.has_factor ? _mm256_mullo_epi32(all, _mm256_srai_epi32(c->factor, 16)) : all;
    }
    wide_factors(c, factor);
    for (int i = 0; i < 2; i++)
        v[i] = _mm256_mullo_epi32(_mm256_hadd_epi32(v[2 * i], v[2 * i + 1]), factor[i]);
    return _mm256_hadd_epi32(v[0], v[1]);
}

/* The sum of quads [from, to) of a group. */
INLINE void panel_quads(int T, const struct panel *p, int g, int from, int to,
                        const char *const *row, vec (*sum)[WIDE])
{
    UNROLL for (int k = from; k < to; k++)
        for (int t = 0; t < T; t++) {
            vec four = V(set1_epi32)(load_int(row[t] + 4 * k));
            for (int j = 0; j < WIDE; j++) {
                vec before = k == from ? (vec){0} : sum[t][j];
                sum[t][j] = DOT_PANEL(before, p->q[g][k][j], four);
            }
        }
}

/* times the factors of halves h. */
INLINE void panel_scale(int T, const struct panel *p, int g, int h, vec (*sum)[WIDE])
{
    for (int j = 0; j < WIDE; j++) {
        vec f = V(srai_epi32)(p->factor[g][h][j], 16);
        for (int t = 0; t < T; t++)
            sum[t][j] = V(mullo_epi32)(sum[t][j], f);
    }
}

INLINE void panel_sums(const struct kind kind, int T, const struct panel *p, int g,
                       const char *x, size_t x_bytes, vec (*sum)[WIDE])
{
    const char *row[AT_ONCE];
    panel_rows(T, x, x_bytes, row);
    if (!kind.has_halves) {
        panel_quads(T, p, g, 0, QUADS, row, sum);
        if (kind.has_factor)
            panel_scale(T, p, g, 0, sum);
        return;
    }
    vec second[AT_ONCE][WIDE];
    panel_quads(T, p, g, 0, QUADS / 2, row, sum);
    panel_scale(T, p, g, 0, sum);
    panel_quads(T, p, g, QUADS / 2, QUADS, row, second);
    panel_scale(T, p, g, 1, second);
    for (int t = 0; t < T; t++)
        for (int j = 0; j < WIDE; j++)
            sum[t][j] = V(add_epi32)(sum[t][j], second[t][j]);
}

/* For CHUNK_LIST: the product of a format by the sums above. */
#define DOT_UNSIGNED(name, fn, bytes, ...)                                                    \
    static void dot_##fn(const struct dot *d)                                                 \
    {                                                                                         \
        const struct kind kind = kind_unsigned((struct kind){ __VA_ARGS__ });                 \
        dot_all(kind, unpack_##fn, bytes, chunk_sums, DOT_FEW, panel_sums, d);                \
    }

/* And how a set *k takes it. */
#define DOT_TAKE(name, fn, bytes, ...) k->dot[WEIGHT_##name] = dot_##fn;

#endif
