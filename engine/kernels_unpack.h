/* kernels_unpack.h -- quantised weights as bytes in registers of 256 bits: what all sets for x86
 * share.
 *
 * A chunk is 256 values of a row, 8 groups of 32. Whatever the format, it becomes unsigned bytes
 * (signed ones where a format needs that) and, for each group, what the sum of its products with
 * the activations' bytes is scaled by. With b the sums of halves of quant.h,
 *
 *   isum = sum_i factor q[i] x[i] - offset b            all integers, exact
 *   y   += scale d isum + add s
 *
 * A chunk of Q2_K has minima of its own scale instead: y += scale d isum + add d (offset b). */
#ifndef DUET_ENGINE_KERNELS_UNPACK_H
#define DUET_ENGINE_KERNELS_UNPACK_H

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "engine/quant.h"

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif
#define GROUPS 8

struct chunk {
    __m256i q[GROUPS];
    __m256i factor, offset;  /* 16-bit, two for each group: of its first and second half */
    __m256 scale, add;       /* one for each group */
};

/* What the kinds of formats differ in; constant wherever it is used. */
struct kind {
    int most;         /* the largest q; 0: q is signed */
    bool has_factor;  /* a K type: scale is then the same in all groups */
    bool has_halves;  /* the halves of a group have different factors */
    bool has_offset;
    bool has_add;
    bool has_minima;  /* Q2_K */
    bool is_flipped;  /* q was signed: its sign bits are turned round, which adds 128 */
};

typedef void unpack_fn(struct chunk *c, const void *w);

/* name, name in functions, bytes of a chunk, kind */
#define CHUNK_LIST(X)                                                                         \
    X(Q8_0, q8_0, 272, .most = 0)                                                             \
    X(Q4_0, q4_0, 144, .most = 15, .has_offset = true)                                        \
    X(Q4_1, q4_1, 160, .most = 15, .has_add = true)                                           \
    X(Q5_0, q5_0, 176, .most = 31, .has_offset = true)                                        \
    X(Q5_1, q5_1, 192, .most = 31, .has_add = true)                                           \
    X(IQ4_NL, iq4_nl, 144, .most = 0)                                                         \
    X(MXFP4, mxfp4, 136, .most = 24, .has_offset = true)                                      \
    X(Q2_K, q2_k, 84, .most = 3, .has_factor = true, .has_halves = true, .has_offset = true,  \
      .has_minima = true)                                                                     \
    X(Q3_K, q3_k, 110, .most = 7, .has_factor = true, .has_halves = true, .has_offset = true) \
    X(Q4_K, q4_k, 144, .most = 15, .has_factor = true, .has_add = true)                       \
    X(Q5_K, q5_k, 176, .most = 31, .has_factor = true, .has_add = true)                       \
    X(Q6_K, q6_k, 210, .most = 63, .has_factor = true, .has_halves = true, .has_offset = true)

/* ---- blocks of 32 values -------------------------------------------------------------------- */

INLINE __m256i load_bytes(const void *p)
{
    return _mm256_loadu_si256(p);
}

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
    _mm256_cvtph_ps(_mm_setr_epi16((short)(b)[0].field, (short)(b)[1].field,                  \
                                   (short)(b)[2].field, (short)(b)[3].field,                  \
                                   (short)(b)[4].field, (short)(b)[5].field,                  \
                                   (short)(b)[6].field, (short)(b)[7].field))

INLINE void unpack_q8_0(struct chunk *c, const void *w)
{
    const struct block_q8_0 *b = w;
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = load_bytes(b[g].q);
    c->scale = GATHER(b, d);
}

INLINE void unpack_q4_0(struct chunk *c, const void *w)
{
    const struct block_q4_0 *b = w;
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = nibbles(b[g].q);
    c->scale = GATHER(b, d);
    c->offset = _mm256_set1_epi16(8);
}

INLINE void unpack_q4_1(struct chunk *c, const void *w)
{
    const struct block_q4_1 *b = w;
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = nibbles(b[g].q);
    c->scale = GATHER(b, d);
    c->add = GATHER(b, m);
}

INLINE void unpack_q5_0(struct chunk *c, const void *w)
{
    const struct block_q5_0 *b = w;
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = _mm256_or_si256(nibbles(b[g].q), fifth_bits(b[g].high));
    c->scale = GATHER(b, d);
    c->offset = _mm256_set1_epi16(16);
}

INLINE void unpack_q5_1(struct chunk *c, const void *w)
{
    const struct block_q5_1 *b = w;
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = _mm256_or_si256(nibbles(b[g].q), fifth_bits(b[g].high));
    c->scale = GATHER(b, d);
    c->add = GATHER(b, m);
}

INLINE void unpack_iq4_nl(struct chunk *c, const void *w)
{
    const struct block_iq4_nl *b = w;
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = lookup(quant_iq4_nl, nibbles(b[g].q));
    c->scale = GATHER(b, d);
}

/* The table made unsigned by adding 12. */
INLINE void unpack_mxfp4(struct chunk *c, const void *w)
{
    const struct block_mxfp4 *b = w;
    float scale[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        c->q[g] = _mm256_add_epi8(lookup(quant_mxfp4, nibbles(b[g].q)), _mm256_set1_epi8(12));
        scale[g] = quant_mxfp4_scale(b[g].e);
    }
    c->scale = _mm256_setr_ps(scale[0], scale[1], scale[2], scale[3], scale[4], scale[5],
                              scale[6], scale[7]);
    c->offset = _mm256_set1_epi16(12);
}

/* ---- K types: a chunk is a super-block ------------------------------------------------------ */

/* The 12 bytes of q4_k and q5_k, four at a time as in quant_k_scale(). */
INLINE void set_six_bit_scales(struct chunk *c, const uint8_t *bytes, uint16_t d, uint16_t m)
{
    uint32_t s[3];
    memcpy(s, bytes, sizeof s);
    uint32_t scale = (s[2] & 0x0f0f0f0f) | (s[0] >> 6 & 0x03030303) << 4;
    uint32_t min = (s[2] >> 4 & 0x0f0f0f0f) | (s[1] >> 6 & 0x03030303) << 4;
    __m128i scales = _mm_setr_epi32((int)(s[0] & 0x3f3f3f3f), (int)scale, 0, 0);
    __m128i mins = _mm_setr_epi32((int)(s[1] & 0x3f3f3f3f), (int)min, 0, 0);
    c->factor = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(scales, scales));
    c->scale = _mm256_set1_ps(_cvtsh_ss(d));
    c->add = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(mins)),
                           _mm256_set1_ps(-_cvtsh_ss(m)));
}

INLINE __m256i low_bits(__m256i v, int shift, int mask)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, shift), _mm256_set1_epi8((char)mask));
}

/* value, a power of two, where bit g of the byte is set. */
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
    c->factor = _mm256_cvtepi8_epi16(_mm_and_si128(s, low));
    c->offset = _mm256_cvtepi8_epi16(_mm_and_si128(_mm_srli_epi16(s, 4), low));
    c->scale = _mm256_set1_ps(_cvtsh_ss(b->d));
    c->add = _mm256_set1_ps(-_cvtsh_ss(b->m));
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = low_bits(load_bytes(b->q + g / 4 * 32), g % 4 * 2, 3);
}

/* Four low bits of 8 scales are in the first 8 bytes, of the others in the high halves there; two
 * more bits of four scales each are in the last 4 bytes. */
INLINE void unpack_q3_k(struct chunk *c, const void *w)
{
    const struct block_q3_k *b = w;
    uint32_t s[3];
    memcpy(s, b->s, sizeof s);
    __m128i low = _mm_setr_epi32((int)s[0], (int)s[1], (int)(s[0] >> 4), (int)(s[1] >> 4));
    __m128i high = _mm_setr_epi32((int)(s[2] << 4), (int)(s[2] << 2), (int)s[2], (int)(s[2] >> 2));
    __m128i six = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(15)),
                               _mm_and_si128(high, _mm_set1_epi8(0x30)));
    c->factor = _mm256_cvtepi8_epi16(_mm_sub_epi8(six, _mm_set1_epi8(32)));
    c->offset = _mm256_slli_epi16(c->factor, 2);
    c->scale = _mm256_set1_ps(_cvtsh_ss(b->d));
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = _mm256_or_si256(low_bits(load_bytes(b->q + g / 4 * 32), g % 4 * 2, 3),
                                  where_bit(load_bytes(b->high), g, 4));
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
    set_six_bit_scales(c, b->s, b->d, b->m);
    for (int g = 0; g < GROUPS; g++)
        c->q[g] = _mm256_or_si256(low_bits(load_bytes(b->q + g / 2 * 32), g % 2 * 4, 15),
                                  where_bit(load_bytes(b->high), g, 16));
}

INLINE void unpack_q6_k(struct chunk *c, const void *w)
{
    const struct block_q6_k *b = w;
    c->factor = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)b->s));
    c->offset = _mm256_slli_epi16(c->factor, 5);
    c->scale = _mm256_set1_ps(_cvtsh_ss(b->d));
    for (int g = 0; g < GROUPS; g++) {
        __m256i low = load_bytes(b->q + g / 4 * 64 + g % 2 * 32);
        __m256i high = low_bits(load_bytes(b->high + g / 4 * 32), g % 4 * 2, 3);
        c->q[g] = _mm256_or_si256(low_bits(low, g % 4 / 2 * 4, 15), _mm256_slli_epi16(high, 4));
    }
}

/* ---- the chunk ------------------------------------------------------------------------------ */

/* The kind with unsigned q, for sets that multiply unsigned by signed bytes of any size. */
INLINE struct kind kind_unsigned(struct kind k)
{
    if (!k.most) {
        k.most = 255;
        k.has_offset = k.is_flipped = true;
    }
    return k;
}

/* The n groups from w on. all_end: where the weights end that may be read. What stands behind a
 * row in its last chunk is unpacked too, the next row or, behind all rows, a copy with zeros: it
 * meets the zeros behind the activations. */
INLINE void chunk_unpack(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes, int n,
                         const char *w, const char *all_end, struct chunk *c)
{
    char end[GROUPS * sizeof(struct block_q8_0)];
    if (n < GROUPS && (size_t)(all_end - w) < chunk_bytes) {
        memset(end, 0, sizeof end);
        memcpy(end, w, chunk_bytes / GROUPS * (size_t)n);
        w = end;
    }
    unpack(c, w);
    if (kind.is_flipped) {
        for (int g = 0; g < GROUPS; g++)
            c->q[g] = _mm256_xor_si256(c->q[g], _mm256_set1_epi8(-128));
        c->offset = _mm256_set1_epi16(128);
    }
}

#endif
