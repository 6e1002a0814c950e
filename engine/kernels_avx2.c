/* kernels_avx2.c -- kernels for AVX2 with FMA and F16C; the contracts are in kernels.h.
 *
 * Compiled with its own flags and entered only where cpu.c has seen the instructions.
 *
 * Integer dots: maddubs multiplies unsigned by signed bytes and adds pairs to 16 bits, which
 * holds 63 * 127 * 2 and 128 * 127 * 2; madd multiplies by the small scales of the K types, or by
 * ones, and adds pairs to 32 bits. 32 values then are eight sums, scaled into eight float lanes.
 * Weights are unpacked once, 256 values of four rows at a time, for all the tokens of a call. */
#include "engine/kernels.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* The sum of eight lanes, always in the same order. */
INLINE float sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* All bits set in the first n of 8 lanes. */
INLINE __m256i first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* ---- quantised weights --------------------------------------------------------------------- */

#define GROUPS 8    /* of 32 values, unpacked at once */
#define ROWS   4    /* of weights at once */
#define TOKENS 32

/* 256 values of a row: w = q * factor * scale + add, add being one for each half of a group. */
struct chunk {
    __m256i q[GROUPS];       /* unsigned bytes; signed ones where the kind says so */
    __m256i factor[GROUPS];  /* 16-bit integers, the K types' */
    float scale[GROUPS], add[2][GROUPS];
};

/* What the kinds of formats differ in, constant wherever it is used. */
struct kind {
    bool has_factor;         /* a K type: scale is then the same in all groups */
    bool has_add;
    bool has_sign;           /* q is signed: its signs go to the activations */
};

INLINE __m256i nibbles(const uint8_t *q)
{
    __m128i b = _mm_loadu_si128((const __m128i *)q);
    __m256i v = _mm256_set_m128i(_mm_srli_epi16(b, 4), b);
    return _mm256_and_si256(v, _mm256_set1_epi8(15));
}

/* 16 where the bit of the element is set: each byte gets the byte its bit is in, then all other
 * bits of it are set and it is compared with all ones. */
INLINE __m256i fifth_bits(const uint8_t *high)
{
    uint32_t bits;
    memcpy(&bits, high, sizeof bits);
    const __m256i source = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202,
                                              0x0303030303030303);
    __m256i v = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), source);
    v = _mm256_or_si256(v, _mm256_set1_epi64x(0x7fbfdfeff7fbfdfe));
    return _mm256_and_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(-1)), _mm256_set1_epi8(16));
}

INLINE __m256i lookup(const int8_t *table, __m256i index)
{
    __m128i t = _mm_loadu_si128((const __m128i *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), index);
}

/* The f16 of a field of 8 blocks, gathered in a register: written to memory one by one they would
 * have to wait there before they can be read together. */
#define GATHER(b, field)                                                                      \
    _mm_setr_epi16((short)(b)[0].field, (short)(b)[1].field, (short)(b)[2].field,             \
                   (short)(b)[3].field, (short)(b)[4].field, (short)(b)[5].field,             \
                   (short)(b)[6].field, (short)(b)[7].field)

INLINE void set_adds(struct chunk *c, __m256 add)
{
    _mm256_storeu_ps(c->add[0], add);
    _mm256_storeu_ps(c->add[1], add);
}

/* Scales for all groups, and what is added: f times the scale. */
INLINE void set_scales(struct chunk *c, __m128i d, float f)
{
    __m256 scale = _mm256_cvtph_ps(d);
    _mm256_storeu_ps(c->scale, scale);
    set_adds(c, _mm256_mul_ps(scale, _mm256_set1_ps(f)));
}

/* Unpacks 256 values from w on. */
typedef void unpack_fn(struct chunk *c, const void *w);

INLINE void unpack_q8_0(struct chunk *c, const void *w)
{
    const struct block_q8_0 *b = w;
    for (int j = 0; j < GROUPS; j++)
        c->q[j] = _mm256_loadu_si256((const __m256i *)b[j].q);
    _mm256_storeu_ps(c->scale, _mm256_cvtph_ps(GATHER(b, d)));
}

INLINE void unpack_q4_0(struct chunk *c, const void *w)
{
    const struct block_q4_0 *b = w;
    for (int j = 0; j < GROUPS; j++)
        c->q[j] = nibbles(b[j].q);
    set_scales(c, GATHER(b, d), -8);
}

INLINE void unpack_q4_1(struct chunk *c, const void *w)
{
    const struct block_q4_1 *b = w;
    for (int j = 0; j < GROUPS; j++)
        c->q[j] = nibbles(b[j].q);
    _mm256_storeu_ps(c->scale, _mm256_cvtph_ps(GATHER(b, d)));
    set_adds(c, _mm256_cvtph_ps(GATHER(b, m)));
}

INLINE void unpack_q5_0(struct chunk *c, const void *w)
{
    const struct block_q5_0 *b = w;
    for (int j = 0; j < GROUPS; j++)
        c->q[j] = _mm256_or_si256(nibbles(b[j].q), fifth_bits(b[j].high));
    set_scales(c, GATHER(b, d), -16);
}

INLINE void unpack_q5_1(struct chunk *c, const void *w)
{
    const struct block_q5_1 *b = w;
    for (int j = 0; j < GROUPS; j++)
        c->q[j] = _mm256_or_si256(nibbles(b[j].q), fifth_bits(b[j].high));
    _mm256_storeu_ps(c->scale, _mm256_cvtph_ps(GATHER(b, d)));
    set_adds(c, _mm256_cvtph_ps(GATHER(b, m)));
}

INLINE void unpack_iq4_nl(struct chunk *c, const void *w)
{
    const struct block_iq4_nl *b = w;
    for (int j = 0; j < GROUPS; j++)
        c->q[j] = lookup(quant_iq4_nl, nibbles(b[j].q));
    _mm256_storeu_ps(c->scale, _mm256_cvtph_ps(GATHER(b, d)));
}

/* The table made unsigned by adding 12. */
INLINE void unpack_mxfp4(struct chunk *c, const void *w)
{
    const struct block_mxfp4 *b = w;
    float scale[GROUPS];
    for (int j = 0; j < GROUPS; j++) {
        c->q[j] = _mm256_add_epi8(lookup(quant_mxfp4, nibbles(b[j].q)), _mm256_set1_epi8(12));
        scale[j] = quant_mxfp4_scale(b[j].e);
    }
    __m256 all = _mm256_setr_ps(scale[0], scale[1], scale[2], scale[3], scale[4], scale[5],
                                scale[6], scale[7]);
    _mm256_storeu_ps(c->scale, all);
    set_adds(c, _mm256_mul_ps(all, _mm256_set1_ps(-12)));
}

/* ---- K types: a chunk is a super-block ---- */

/* The factors of all groups from 8 16-bit integers for the first halves in the lower register and
 * 8 for the second halves in the upper one. */
INLINE void set_factors(struct chunk *c, __m256i s)
{
    for (int g = 0; g < GROUPS; g++)
        c->factor[g] =
            _mm256_shuffle_epi8(s, _mm256_set1_epi16((short)((2 * g + 1) << 8 | 2 * g)));
}

/* Scales of 16 values each: those with even numbers to the lower register. */
INLINE __m256i halves_apart(__m128i s)
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(s, order));
}

/* scale = d in all groups; add = f * s, s as set_factors() takes it. */
INLINE void set_k_scales(struct chunk *c, float d, __m256i s, float f)
{
    __m256i lower = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(s));
    __m256i upper = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(s, 1));
    _mm256_storeu_ps(c->scale, _mm256_set1_ps(d));
    _mm256_storeu_ps(c->add[0], _mm256_mul_ps(_mm256_cvtepi32_ps(lower), _mm256_set1_ps(f)));
    _mm256_storeu_ps(c->add[1], _mm256_mul_ps(_mm256_cvtepi32_ps(upper), _mm256_set1_ps(f)));
}

/* The 12 bytes of q4_k and q5_k, four at a time as in quant_k_scale(). */
INLINE void set_six_bit_scales(struct chunk *c, const uint8_t *bytes, uint16_t d, uint16_t m)
{
    uint32_t s[3];
    memcpy(s, bytes, sizeof s);
    uint32_t scale = (s[2] & 0x0f0f0f0f) | (s[0] >> 6 & 0x03030303) << 4;
    uint32_t min = (s[2] >> 4 & 0x0f0f0f0f) | (s[1] >> 6 & 0x03030303) << 4;
    __m128i both = _mm_setr_epi32((int)(s[0] & 0x3f3f3f3f), (int)scale,
                                  (int)(s[1] & 0x3f3f3f3f), (int)min);
    __m256i wide = _mm256_cvtepu8_epi16(both);
    set_factors(c, _mm256_permute2x128_si256(wide, wide, 0x00));
    set_k_scales(c, _cvtsh_ss(d), _mm256_permute2x128_si256(wide, wide, 0x11), -_cvtsh_ss(m));
}

INLINE __m256i load_bytes(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

INLINE __m256i low_bits(__m256i v, int shift, int mask)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, shift), _mm256_set1_epi8((char)mask));
}

/* value where bit g of the byte is set. */
INLINE __m256i where_bit(__m256i v, int g, int value)
{
    __m256i bit = _mm256_set1_epi8((char)(1 << g));
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit),
                            _mm256_set1_epi8((char)value));
}

INLINE void unpack_q2_k(struct chunk *c, const void *w)
{
    const struct block_q2_k *b = w;
    __m128i s = _mm_loadu_si128((const __m128i *)b->s), low = _mm_set1_epi8(15);
    set_factors(c, halves_apart(_mm_and_si128(s, low)));
    set_k_scales(c, _cvtsh_ss(b->d), halves_apart(_mm_and_si128(_mm_srli_epi16(s, 4), low)),
                 -_cvtsh_ss(b->m));
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = low_bits(load_bytes(b->q + g / 4 * 32), g % 4 * 2, 3);
}

/* q - 4 as an unsigned q and an add. */
INLINE void unpack_q3_k(struct chunk *c, const void *w)
{
    const struct block_q3_k *b = w;
    int8_t scale[16];
    for (int i = 0; i < 16; i++) {
        int low = i < 8 ? b->s[i] & 15 : b->s[i - 8] >> 4;
        scale[i] = (int8_t)((low | (b->s[8 + i % 4] >> i / 4 * 2 & 3) << 4) - 32);
    }
    __m256i s = halves_apart(_mm_loadu_si128((const __m128i *)scale)), high = load_bytes(b->high);
    set_factors(c, s);
    set_k_scales(c, _cvtsh_ss(b->d), s, -4 * _cvtsh_ss(b->d));
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = _mm256_or_si256(low_bits(load_bytes(b->q + g / 4 * 32), g % 4 * 2, 3),
                                  where_bit(high, g, 4));
}

INLINE void unpack_q4_k(struct chunk *c, const void *w)
{
    const struct block_q4_k *b = w;
    set_six_bit_scales(c, b->s, b->d, b->m);
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = low_bits(load_bytes(b->q + g / 2 * 32), g % 2 * 4, 15);
}

INLINE void unpack_q5_k(struct chunk *c, const void *w)
{
    const struct block_q5_k *b = w;
    __m256i high = load_bytes(b->high);
    set_six_bit_scales(c, b->s, b->d, b->m);
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = _mm256_or_si256(low_bits(load_bytes(b->q + g / 2 * 32), g % 2 * 4, 15),
                                  where_bit(high, g, 16));
}

/* q - 32 as an unsigned q and an add. */
INLINE void unpack_q6_k(struct chunk *c, const void *w)
{
    const struct block_q6_k *b = w;
    __m256i s = halves_apart(_mm_loadu_si128((const __m128i *)b->s));
    set_factors(c, s);
    set_k_scales(c, _cvtsh_ss(b->d), s, -32 * _cvtsh_ss(b->d));
    for (int g = 0; g < GROUPS; g++) {
        __m256i low = load_bytes(b->q + g / 4 * 64 + g % 2 * 32);
        __m256i high = low_bits(load_bytes(b->high + g / 4 * 32), g % 4 * 2, 3);
        c->q[g] = _mm256_or_si256(low_bits(low, g % 4 / 2 * 4, 15), _mm256_slli_epi16(high, 4));
    }
}

/* ---- the products ---- */

/* R rows of weights, unpacked, against T rows of activations: adds chunk i to acc[r][t]. All but
 * the pointers, i and n, the groups there are, is constant, so the loops unroll and the sums stay
 * in registers. */
INLINE void multiply(const struct kind kind, int R, int T, const struct chunk *c,
                     const struct dot *d, size_t i, int n, int t0, __m256 *acc, int acc_step)
{
    const char *x[4];
    const float *scale[4];
    float p[ROWS][4][GROUPS];
    __m256 sum[ROWS][4];
    size_t n_scales = q8_scales_n(d->n);
    for (int t = 0; t < T; t++) {
        x[t] = (const char *)d->x + (size_t)(t0 + t) * d->x_bytes;
        scale[t] = q8_scales(x[t], d->n) + i * GROUPS;
        x[t] += i * GROUPS * QUANT_BLOCK;
        for (int r = 0; r < R; r++) {
            sum[r][t] = _mm256_setzero_ps();
            if (!kind.has_factor)
                _mm256_storeu_ps(p[r][t], _mm256_mul_ps(_mm256_loadu_ps(c[r].scale),
                                                        _mm256_loadu_ps(scale[t])));
        }
    }
    for (int j = 0; j < n; j++)
        for (int t = 0; t < T; t++) {
            __m256i q = _mm256_load_si256((const __m256i *)(x[t] + j * QUANT_BLOCK));
            for (int r = 0; r < R; r++) {
                __m256i v = c[r].q[j];
                v = kind.has_sign ? _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(q, v))
                                  : _mm256_maddubs_epi16(v, q);
                v = _mm256_madd_epi16(v, kind.has_factor ? c[r].factor[j] : _mm256_set1_epi16(1));
                __m256 f = _mm256_broadcast_ss(kind.has_factor ? scale[t] + j : p[r][t] + j);
                sum[r][t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(v), f, sum[r][t]);
            }
        }
    for (int t = 0; t < T; t++)
        for (int r = 0; r < R; r++) {
            __m256 *a = acc + r * acc_step + t0 + t;
            if (kind.has_add)
                for (int h = 0; h < 2; h++)
                    *a = _mm256_fmadd_ps(_mm256_loadu_ps(c[r].add[h]),
                                         _mm256_loadu_ps(scale[t] + (size_t)(h + 1) * n_scales),
                                         *a);
            *a = kind.has_factor ? _mm256_fmadd_ps(sum[r][t], _mm256_loadu_ps(c[r].scale), *a)
                                 : _mm256_add_ps(sum[r][t], *a);
        }
}

/* R rows of weights, from row on, against all n_x activations, at most TOKENS of them. single: a
 * constant, true where n_x is 1.
 *
 * What stands behind a row in its last chunk is unpacked too, the next row or, behind all rows, a
 * copy with zeros. It meets no activations but the zeros behind their scales. */
INLINE void dot_rows(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes, int R,
                     bool single, const struct dot *d, int row)
{
    struct chunk c[ROWS];
    __m256 acc[ROWS][TOKENS];
    int n_x = single ? 1 : d->n_x, n_groups = (int)(d->n / QUANT_BLOCK);
    const char *all_end = (const char *)d->w + (size_t)(d->n_w - 1) * d->w_bytes +
                          (size_t)n_groups * chunk_bytes / GROUPS;
    for (int r = 0; r < R; r++)
        for (int t = 0; t < n_x; t++)
            acc[r][t] = _mm256_setzero_ps();
    for (int g = 0; g < n_groups; g += GROUPS) {
        size_t i = (size_t)(g / GROUPS);
        int n = n_groups - g < GROUPS ? n_groups - g : GROUPS, t = 0;
        for (int r = 0; r < R; r++) {
            const char *w = (const char *)d->w + (size_t)(row + r) * d->w_bytes + i * chunk_bytes;
            char end[GROUPS * sizeof(struct block_q8_0)];
            if (n < GROUPS && (size_t)(all_end - w) < chunk_bytes) {
                memset(end, 0, sizeof end);
                memcpy(end, w, chunk_bytes / GROUPS * (size_t)n);
                w = end;
            }
            unpack(&c[r], w);
        }
        for (; !single && t + 4 <= n_x; t += 4)
            for (int r = 0; r < R; r += R < 2 ? 1 : 2)
                multiply(kind, R < 2 ? 1 : 2, 4, c + r, d, i, n, t, acc[r], TOKENS);
        for (; t < n_x; t++)
            multiply(kind, R, 1, c, d, i, n, t, acc[0], TOKENS);
    }
    for (int r = 0; r < R; r++)
        for (int t = 0; t < n_x; t++)
            d->y[(size_t)t * d->y_step + (size_t)(row + r)] = sum8(acc[r][t]);
}

/* The dot of a format. bytes: of 256 values. */
#define QUANTISED_FORMAT(fn, bytes, ...)                                                      \
    static void dot_##fn(const struct dot *all)                                               \
    {                                                                                         \
        const struct kind kind = { __VA_ARGS__ };                                             \
        for (int t = 0; t < all->n_x; t += TOKENS) {                                          \
            struct dot d = *all;                                                              \
            int row = 0;                                                                      \
            d.x = (const char *)all->x + (size_t)t * all->x_bytes;                            \
            d.y += (size_t)t * d.y_step;                                                      \
            d.n_x = all->n_x - t < TOKENS ? all->n_x - t : TOKENS;                            \
            for (; d.n_x == 1 && row < d.n_w; row++)                                          \
                dot_rows(kind, unpack_##fn, bytes, 1, true, &d, row);                         \
            for (; row + ROWS <= d.n_w; row += ROWS)                                          \
                dot_rows(kind, unpack_##fn, bytes, ROWS, false, &d, row);                     \
            for (; row < d.n_w; row++)                                                        \
                dot_rows(kind, unpack_##fn, bytes, 1, false, &d, row);                        \
        }                                                                                     \
    }

QUANTISED_FORMAT(q8_0, 272, .has_sign = true)
QUANTISED_FORMAT(q4_0, 144, .has_add = true)
QUANTISED_FORMAT(q4_1, 160, .has_add = true)
QUANTISED_FORMAT(q5_0, 176, .has_add = true)
QUANTISED_FORMAT(q5_1, 192, .has_add = true)
QUANTISED_FORMAT(iq4_nl, 144, .has_sign = true)
QUANTISED_FORMAT(mxfp4, 136, .has_add = true)
QUANTISED_FORMAT(q2_k, 84, .has_factor = true, .has_add = true)
QUANTISED_FORMAT(q3_k, 110, .has_factor = true, .has_add = true)
QUANTISED_FORMAT(q4_k, 144, .has_factor = true, .has_add = true)
QUANTISED_FORMAT(q5_k, 176, .has_factor = true, .has_add = true)
QUANTISED_FORMAT(q6_k, 210, .has_factor = true, .has_add = true)

/* The largest absolute value of a block, and its 32 values as bytes. Packing works inside the
 * halves of a register; the permutation puts the groups of four back in order. */
static void quant_q8(const float *x, void *row, size_t n)
{
    int8_t *q = row;
    float *d = (float *)q8_scales(row, n), *s = (float *)q8_sums(row, n);
    size_t n_scales = q8_scales_n(n);
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (size_t b = 0; b < n / QUANT_BLOCK; b++, x += QUANT_BLOCK, q += QUANT_BLOCK) {
        __m256 v[4], big = _mm256_setzero_ps();
        for (int j = 0; j < 4; j++) {
            v[j] = _mm256_loadu_ps(x + 8 * j);
            big = _mm256_max_ps(_mm256_andnot_ps(sign, v[j]), big);
        }
        __m128 m = _mm_max_ps(_mm256_castps256_ps128(big), _mm256_extractf128_ps(big, 1));
        m = _mm_max_ps(m, _mm_movehl_ps(m, m));
        m = _mm_max_ss(m, _mm_movehdup_ps(m));
        float max = _mm_cvtss_f32(m);
        __m256 inverse = _mm256_set1_ps(max > 0 ? 127 / max : 0);
        __m256i k[4];
        for (int j = 0; j < 4; j++)
            k[j] = _mm256_cvtps_epi32(_mm256_mul_ps(v[j], inverse));
        __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(k[0], k[1]),
                                           _mm256_packs_epi32(k[2], k[3]));
        _mm256_store_si256((__m256i *)q, _mm256_permutevar8x32_epi32(bytes, order));
        __m256i sum = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes),
                                        _mm256_set1_epi16(1));
        sum = _mm256_permutevar8x32_epi32(sum, order);
        __m128i halves = _mm_hadd_epi32(_mm256_castsi256_si128(sum),
                                        _mm256_extracti128_si256(sum, 1));
        __m128 sums = _mm_cvtepi32_ps(_mm_hadd_epi32(halves, halves));
        d[b] = max / 127;
        sums = _mm_mul_ps(sums, _mm_set1_ps(max / 127));
        s[b] = _mm_cvtss_f32(sums);
        s[n_scales + b] = _mm_cvtss_f32(_mm_movehdup_ps(sums));
    }
    for (size_t b = n / QUANT_BLOCK; b < n_scales; b++)
        d[b] = s[b] = s[n_scales + b] = 0;
}

/* ---- float rows ---------------------------------------------------------------------------- */

INLINE __m256 load_f32(const void *w, size_t i)
{
    return _mm256_loadu_ps((const float *)w + i);
}

INLINE __m256 load_f16(const void *w, size_t i)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)((const uint16_t *)w + i)));
}

INLINE __m256 load_bf16(const void *w, size_t i)
{
    __m128i h = _mm_loadu_si128((const __m128i *)((const uint16_t *)w + i));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

INLINE float one_f32(const void *w, size_t i)
{
    return ((const float *)w)[i];
}

INLINE float one_f16(const void *w, size_t i)
{
    return _cvtsh_ss(((const uint16_t *)w)[i]);
}

INLINE float one_bf16(const void *w, size_t i)
{
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(((const uint16_t *)w)[i] << 16)));
}

#define FLOAT_FORMAT(fn)                                                                      \
    INLINE float dot_row_##fn(const void *w, const float *x, size_t n)                        \
    {                                                                                         \
        __m256 acc[4] = { _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),      \
                          _mm256_setzero_ps() };                                              \
        size_t i = 0;                                                                         \
        for (; i + 32 <= n; i += 32)                                                          \
            for (size_t j = 0; j < 4; j++)                                                    \
                acc[j] = _mm256_fmadd_ps(load_##fn(w, i + 8 * j),                             \
                                         _mm256_loadu_ps(x + i + 8 * j), acc[j]);             \
        for (; i + 8 <= n; i += 8)                                                            \
            acc[0] = _mm256_fmadd_ps(load_##fn(w, i), _mm256_loadu_ps(x + i), acc[0]);        \
        float sum = sum8(_mm256_add_ps(_mm256_add_ps(acc[0], acc[1]),                         \
                                       _mm256_add_ps(acc[2], acc[3])));                       \
        for (; i < n; i++)                                                                    \
            sum += one_##fn(w, i) * x[i];                                                     \
        return sum;                                                                           \
    }                                                                                         \
    static void dot_##fn(const struct dot *d)                                                 \
    {                                                                                         \
        for (int r = 0; r < d->n_w; r++)                                                      \
            for (int t = 0; t < d->n_x; t++)                                                  \
                d->y[(size_t)t * d->y_step + (size_t)r] =                                     \
                    dot_row_##fn((const char *)d->w + (size_t)r * d->w_bytes,                 \
                                 (const void *)((const char *)d->x + (size_t)t * d->x_bytes), \
                                 d->n);                                                       \
    }

FLOAT_FORMAT(f32)
FLOAT_FORMAT(f16)
FLOAT_FORMAT(bf16)

/* ---- attention ----------------------------------------------------------------------------- */

/* Four rows at once. At the end of a block rows may be missing: the last one then stands in, so
 * that the arithmetic of a row is always the same. */
#define ATTENTION_FORMAT(fn, type)                                                            \
    static void score_##fn(const float *q, const void *k, int n, size_t dim, float *out)      \
    {                                                                                         \
        for (int i = 0; i < n; i += 4) {                                                      \
            const type *row[4];                                                               \
            __m256 acc[4];                                                                    \
            for (int j = 0; j < 4; j++) {                                                     \
                row[j] = (const type *)k + (size_t)(i + j < n ? i + j : n - 1) * dim;         \
                acc[j] = _mm256_setzero_ps();                                                 \
            }                                                                                 \
            size_t d = 0;                                                                     \
            for (; d + 8 <= dim; d += 8)                                                      \
                for (int j = 0; j < 4; j++)                                                   \
                    acc[j] = _mm256_fmadd_ps(load_##fn(row[j], d), _mm256_loadu_ps(q + d),    \
                                             acc[j]);                                         \
            __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(acc[0], acc[1]),                         \
                                      _mm256_hadd_ps(acc[2], acc[3]));                        \
            float sum[4];                                                                     \
            _mm_storeu_ps(sum, _mm_add_ps(_mm256_castps256_ps128(s),                          \
                                          _mm256_extractf128_ps(s, 1)));                      \
            for (int j = 0; j < 4 && i + j < n; j++) {                                        \
                for (size_t e = d; e < dim; e++)                                              \
                    sum[j] += one_##fn(row[j], e) * q[e];                                     \
                out[i + j] = sum[j];                                                          \
            }                                                                                 \
        }                                                                                     \
    }                                                                                         \
    INLINE void mix_columns_##fn(int n_col, const float *w, const type *v, int n, size_t dim, \
                                 float *out)                                                  \
    {                                                                                         \
        __m256 acc[8];                                                                        \
        for (int c = 0; c < n_col; c++)                                                       \
            acc[c] = _mm256_loadu_ps(out + 8 * c);                                            \
        for (int i = 0; i < n; i++) {                                                         \
            __m256 f = _mm256_broadcast_ss(w + i);                                            \
            for (int c = 0; c < n_col; c++)                                                   \
                acc[c] = _mm256_fmadd_ps(f, load_##fn(v + (size_t)i * dim, 8 * (size_t)c),    \
                                         acc[c]);                                             \
        }                                                                                     \
        for (int c = 0; c < n_col; c++)                                                       \
            _mm256_storeu_ps(out + 8 * c, acc[c]);                                            \
    }                                                                                         \
    static void mix_##fn(const float *w, const void *v, int n, size_t dim, float *out)        \
    {                                                                                         \
        const type *rows = v;                                                                 \
        size_t d = 0;                                                                         \
        for (; d + 64 <= dim; d += 64)                                                        \
            mix_columns_##fn(8, w, rows + d, n, dim, out + d);                                \
        for (; d + 8 <= dim; d += 8)                                                          \
            mix_columns_##fn(1, w, rows + d, n, dim, out + d);                                \
        for (; d < dim; d++)                                                                  \
            for (int i = 0; i < n; i++)                                                       \
                out[d] += w[i] * one_##fn(rows, (size_t)i * dim + d);                         \
    }

ATTENTION_FORMAT(f16, uint16_t)
ATTENTION_FORMAT(f32, float)

static void f16_of_f32_row(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(y + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        y[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

/* ---- exponentials -------------------------------------------------------------------------- */

/* As exp_one() in kernels_c.c, eight at a time. */
INLINE __m256 exp8(__m256 x)
{
    __m256 c = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-87)), _mm256_set1_ps(88));
    __m256 k = _mm256_round_ps(_mm256_mul_ps(c, _mm256_set1_ps(1.44269504f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(0.693359375f), c);
    r = _mm256_fmadd_ps(k, _mm256_set1_ps(2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.98412698e-4f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.38888889e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.33333333e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.16666667e-2f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.66666667e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
    p = _mm256_fmadd_ps(_mm256_mul_ps(p, r), r, _mm256_add_ps(r, _mm256_set1_ps(1)));
    __m256i two_k = _mm256_slli_epi32(_mm256_cvtps_epi32(k), 23);
    p = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), two_k));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, _mm256_set1_ps(-87), _CMP_LT_OQ), p);
}

static float exp_sum(float *x, size_t n, float max, float scale)
{
    const __m256 m = _mm256_set1_ps(max), f = _mm256_set1_ps(scale);
    __m256 acc = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 e = exp8(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), m), f));
        _mm256_storeu_ps(x + i, e);
        acc = _mm256_add_ps(acc, e);
    }
    if (i < n) {
        __m256i mask = first(n - i);
        __m256 e = exp8(_mm256_mul_ps(_mm256_sub_ps(_mm256_maskload_ps(x + i, mask), m), f));
        _mm256_maskstore_ps(x + i, mask, e);
        acc = _mm256_add_ps(acc, _mm256_and_ps(e, _mm256_castsi256_ps(mask)));
    }
    return sum8(acc);
}

static float max_of(const float *x, size_t n)
{
    __m256 m = _mm256_set1_ps(x[0]);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        m = _mm256_max_ps(_mm256_loadu_ps(x + i), m);
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    float max = _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* a / (1 + exp(-u)) * b */
INLINE __m256 gate8(__m256 a, __m256 u, __m256 b)
{
    const __m256 one = _mm256_set1_ps(1);
    __m256 e = exp8(_mm256_sub_ps(_mm256_setzero_ps(), u));
    return _mm256_mul_ps(_mm256_div_ps(a, _mm256_add_ps(one, e)), b);
}

INLINE __m256 silu8(__m256 a, __m256 b)
{
    return gate8(a, a, b);
}

INLINE __m256 gelu8(__m256 a, __m256 b)
{
    __m256 cube = _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(a, a), a), _mm256_set1_ps(0.044715f));
    __m256 u = _mm256_mul_ps(_mm256_set1_ps(2 * 0.7978845608f), _mm256_add_ps(a, cube));
    return gate8(a, u, b);
}

#define GATE(fn)                                                                              \
    static void fn##_mul(float *a, const float *b, size_t n)                                  \
    {                                                                                         \
        size_t i = 0;                                                                         \
        for (; i + 8 <= n; i += 8)                                                            \
            _mm256_storeu_ps(a + i, fn##8(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));   \
        if (i < n) {                                                                          \
            __m256i mask = first(n - i);                                                      \
            _mm256_maskstore_ps(a + i, mask, fn##8(_mm256_maskload_ps(a + i, mask),           \
                                                   _mm256_maskload_ps(b + i, mask)));         \
        }                                                                                     \
    }

GATE(silu)
GATE(gelu)

void kernels_init_avx2(struct kernels *k)
{
#define X(name, fn, id, elements, bytes, act) k->dot[WEIGHT_##name] = dot_##fn;
    WEIGHT_LIST(X)
#undef X
    k->quant_q8 = quant_q8;
    k->exp_sum = exp_sum;
    k->max = max_of;
    k->silu_mul = silu_mul;
    k->gelu_mul = gelu_mul;
    k->f16_of_f32 = f16_of_f32_row;
    k->score_f16 = score_f16;
    k->score_f32 = score_f32;
    k->mix_f16 = mix_f16;
    k->mix_f32 = mix_f32;
    kernels_init_avx2_attention(k);
}
