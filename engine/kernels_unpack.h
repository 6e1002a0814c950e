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
 * A chunk of Q2_K has minima of its own scale instead: y += scale d isum + add d (offset b).
 *
 * Groups i and i + 4 go together: register 2 i + h has the half h of both, 16 values each. So what
 * two registers of a pair of groups give can be added, and what comes out of two more steps of
 * adding neighbours is one sum for each group, in order. */
#ifndef DUET_ENGINE_KERNELS_UNPACK_H
#define DUET_ENGINE_KERNELS_UNPACK_H

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "engine/kernels_lanes.h"
#include "engine/quant.h"

#define GROUPS 8
#define PAIRS  4

struct chunk {
    __m256i q[2 * PAIRS];
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

/* The first n groups of a chunk, a constant: 8, or 4 or 2 at the end of a row; what the others
 * would have is 0. A chunk of a K type has all 8. */
typedef void unpack_fn(struct chunk *c, const void *w, int n);

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

INLINE int load_int(const void *p)
{
    int i;
    memcpy(&i, p, sizeof i);
    return i;
}

/* 16 bytes of a group and, if there are more than 4, 16 of the one that goes with it. */
INLINE __m256i load_pair(const void *a, const void *b, int n)
{
    __m128i low = _mm_loadu_si128((const __m128i *)a);
    if (n <= PAIRS)
        return _mm256_zextsi128_si256(low);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low),
                                   _mm_loadu_si128((const __m128i *)b), 1);
}

INLINE __m256i low_bits(__m256i v, int shift, int mask)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, shift), _mm256_set1_epi8((char)mask));
}

/* The nibbles of a pair of groups, or of what fill them, to registers `step` apart. */
INLINE void set_nibbles(__m256i v, __m256i *q, int step)
{
    q[0] = low_bits(v, 0, 15);
    q[step] = low_bits(v, 4, 15);
}

/* 16 where the bit of the element is set, for each half of the groups a and b are of: each byte
 * gets the byte its bit is in, then all other bits of it are set and it is compared with all
 * ones. */
INLINE void add_fifth_bits(const uint8_t *a, const uint8_t *b, int n, __m256i *q)
{
    __m256i v = _mm256_zextsi128_si256(_mm_set1_epi32(load_int(a)));
    if (n > PAIRS)
        v = _mm256_blend_epi32(v, _mm256_set1_epi32(load_int(b)), 0xf0);
    for (int h = 0; h < 2; h++) {
        const __m256i source = _mm256_set_epi64x(0x0101010101010101 * (2 * h + 1),
                                                 0x0101010101010101 * 2 * h,
                                                 0x0101010101010101 * (2 * h + 1),
                                                 0x0101010101010101 * 2 * h);
        __m256i bits = _mm256_or_si256(_mm256_shuffle_epi8(v, source),
                                       _mm256_set1_epi64x(0x7fbfdfeff7fbfdfe));
        bits = _mm256_cmpeq_epi8(bits, _mm256_set1_epi8(-1));
        q[h] = _mm256_or_si256(q[h], _mm256_and_si256(bits, _mm256_set1_epi8(16)));
    }
}

INLINE __m256i lookup(const int8_t *table, __m256i index)
{
    __m128i t = _mm_loadu_si128((const __m128i *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), index);
}

/* The f16 that begin n blocks, `step` bytes apart, gathered in a register: written to memory one by
 * one they would have to wait there before they can be read together. */
INLINE __m256 gather_scales(const char *b, size_t step, int n)
{
    uint16_t d[GROUPS] = {0};
    for (int g = 0; g < n; g++)
        memcpy(&d[g], b + (size_t)g * step, sizeof d[g]);
    return _mm256_cvtph_ps(_mm_setr_epi16((short)d[0], (short)d[1], (short)d[2], (short)d[3],
                                          (short)d[4], (short)d[5], (short)d[6], (short)d[7]));
}

/* The same of blocks that begin with a scale and a minimum, four blocks a register: scales move to
 * the lower halves of words, minima to the upper ones. */
INLINE void gather_both(const char *b, size_t step, int n, struct chunk *c)
{
    int both[GROUPS] = {0};
    for (int g = 0; g < n; g++)
        both[g] = load_int(b + (size_t)g * step);
    __m128i even = _mm_setr_epi32(both[0], both[2], both[4], both[6]);
    __m128i odd = _mm_setr_epi32(both[1], both[3], both[5], both[7]);
    c->scale = _mm256_cvtph_ps(_mm_blend_epi16(even, _mm_slli_epi32(odd, 16), 0xaa));
    c->add = _mm256_cvtph_ps(_mm_blend_epi16(_mm_srli_epi32(even, 16), odd, 0xaa));
}

INLINE void unpack_q8_0(struct chunk *c, const void *w, int n)
{
    const struct block_q8_0 *b = w;
    for (int i = 0; i < n && i < PAIRS; i++)
        for (int h = 0; h < 2; h++)
            c->q[2 * i + h] = load_pair(b[i].q + 16 * h, b[i + PAIRS].q + 16 * h, n);
    c->scale = gather_scales(w, sizeof *b, n);
}

INLINE void unpack_q4_0(struct chunk *c, const void *w, int n)
{
    const struct block_q4_0 *b = w;
    for (int i = 0; i < n && i < PAIRS; i++)
        set_nibbles(load_pair(b[i].q, b[i + PAIRS].q, n), c->q + 2 * i, 1);
    c->scale = gather_scales(w, sizeof *b, n);
    c->offset = _mm256_set1_epi16(8);
}

INLINE void unpack_q4_1(struct chunk *c, const void *w, int n)
{
    const struct block_q4_1 *b = w;
    for (int i = 0; i < n && i < PAIRS; i++)
        set_nibbles(load_pair(b[i].q, b[i + PAIRS].q, n), c->q + 2 * i, 1);
    gather_both(w, sizeof *b, n, c);
}

INLINE void unpack_q5_0(struct chunk *c, const void *w, int n)
{
    const struct block_q5_0 *b = w;
    for (int i = 0; i < n && i < PAIRS; i++) {
        set_nibbles(load_pair(b[i].q, b[i + PAIRS].q, n), c->q + 2 * i, 1);
        add_fifth_bits(b[i].high, b[i + PAIRS].high, n, c->q + 2 * i);
    }
    c->scale = gather_scales(w, sizeof *b, n);
    c->offset = _mm256_set1_epi16(16);
}

INLINE void unpack_q5_1(struct chunk *c, const void *w, int n)
{
    const struct block_q5_1 *b = w;
    for (int i = 0; i < n && i < PAIRS; i++) {
        set_nibbles(load_pair(b[i].q, b[i + PAIRS].q, n), c->q + 2 * i, 1);
        add_fifth_bits(b[i].high, b[i + PAIRS].high, n, c->q + 2 * i);
    }
    gather_both(w, sizeof *b, n, c);
}

INLINE void unpack_iq4_nl(struct chunk *c, const void *w, int n)
{
    const struct block_iq4_nl *b = w;
    for (int i = 0; i < n && i < PAIRS; i++) {
        set_nibbles(load_pair(b[i].q, b[i + PAIRS].q, n), c->q + 2 * i, 1);
        for (int h = 0; h < 2; h++)
            c->q[2 * i + h] = lookup(quant_iq4_nl, c->q[2 * i + h]);
    }
    c->scale = gather_scales(w, sizeof *b, n);
}

/* quant_mxfp4_scale() of n blocks. */
INLINE __m256 gather_exponents(const struct block_mxfp4 *b, int n)
{
    uint8_t e[GROUPS] = {0};
    for (int g = 0; g < n; g++)
        e[g] = b[g].e;
    __m128i bytes = _mm_setr_epi8((char)e[0], (char)e[1], (char)e[2], (char)e[3], (char)e[4],
                                  (char)e[5], (char)e[6], (char)e[7], 0, 0, 0, 0, 0, 0, 0, 0);
    __m256i v = _mm256_cvtepu8_epi32(bytes), one = _mm256_set1_epi32(1);
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(v, one), 23);
    __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), v);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(small, normal, _mm256_cmpgt_epi32(v, one)));
}

/* The table made unsigned by adding 12. */
INLINE void unpack_mxfp4(struct chunk *c, const void *w, int n)
{
    const struct block_mxfp4 *b = w;
    for (int i = 0; i < n && i < PAIRS; i++) {
        set_nibbles(load_pair(b[i].q, b[i + PAIRS].q, n), c->q + 2 * i, 1);
        for (int h = 0; h < 2; h++)
            c->q[2 * i + h] = _mm256_add_epi8(lookup(quant_mxfp4, c->q[2 * i + h]),
                                              _mm256_set1_epi8(12));
    }
    c->scale = gather_exponents(b, n);
    c->offset = _mm256_set1_epi16(12);
}

/* ---- K types: a chunk is a super-block ------------------------------------------------------ */

/* Half h of pairs of groups whose bytes are `apart` bytes from each other. */
INLINE __m256i load_half(const uint8_t *q, size_t apart, int h)
{
    return load_pair(q + 16 * h, q + apart + 16 * h, GROUPS);
}

/* The bits from `from` on of each byte, those of the mask at `to`. */
INLINE __m256i bits_at(__m256i v, int from, int to, int mask)
{
    v = from > to ? _mm256_srli_epi16(v, from - to) : _mm256_slli_epi16(v, to - from);
    return _mm256_and_si256(v, _mm256_set1_epi8((char)(mask << to)));
}

/* Scale, minimum and the 12 bytes of q4_k and q5_k, as in quant_k_scale(): words 0 and 1 become the
 * scales, 2 and 3 the minima. */
INLINE void set_six_bit_scales(struct chunk *c, const void *w)
{
    __m128i all = _mm_loadu_si128((const __m128i *)w);
    __m128i low = _mm_srlv_epi32(_mm_shuffle_epi32(all, 0xed), _mm_setr_epi32(0, 0, 0, 4));
    __m128i high = _mm_srli_epi32(_mm_shuffle_epi32(all, 0x94), 2);
    low = _mm_and_si128(low, _mm_setr_epi32(0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f));
    high = _mm_and_si128(high, _mm_setr_epi32(0, 0x30303030, 0, 0x30303030));
    __m128i six = _mm_or_si128(low, high);
    __m128 both = _mm_cvtph_ps(all);
    __m256 min = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(six, 8)));
    __m256 m = _mm256_broadcastss_ps(_mm_movehdup_ps(both));
    c->factor = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(six, six));
    c->scale = _mm256_broadcastss_ps(both);
    c->add = _mm256_mul_ps(min, _mm256_xor_ps(m, _mm256_set1_ps(-0.0f)));
}

/* value, a power of two, where bit g of the byte is set. */
INLINE __m256i where_bit(__m256i v, int g, int value)
{
    __m256i bit = _mm256_set1_epi8((char)(1 << g));
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit),
                            _mm256_set1_epi8((char)value));
}

/* Half h of bytes whose bit g belongs to group g: of each pair, both bits stand at g < 4. */
INLINE __m256i load_bits(const uint8_t *high, int h)
{
    __m256i v = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(high + 16 * h)));
    return _mm256_srlv_epi32(v, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
}

INLINE void unpack_q2_k(struct chunk *c, const void *w, int n)
{
    const struct block_q2_k *b = w;
    __m128i s = _mm_loadu_si128((const __m128i *)b->s), low = _mm_set1_epi8(15);
    (void)n;
    c->factor = _mm256_cvtepi8_epi16(_mm_and_si128(s, low));
    c->offset = _mm256_cvtepi8_epi16(_mm_and_si128(_mm_srli_epi16(s, 4), low));
    c->scale = _mm256_set1_ps(_cvtsh_ss(b->d));
    c->add = _mm256_set1_ps(-_cvtsh_ss(b->m));
    for (int h = 0; h < 2; h++)
        for (int i = 0; i < PAIRS; i++)
            c->q[2 * i + h] = low_bits(load_half(b->q, 32, h), 2 * i, 3);
}

/* Four low bits of 8 scales are in the first 8 bytes, of the others in the high halves there; two
 * more bits of four scales each are in the last 4 bytes. */
INLINE void unpack_q3_k(struct chunk *c, const void *w, int n)
{
    const struct block_q3_k *b = w;
    uint32_t s[3];
    (void)n;
    memcpy(s, b->s, sizeof s);
    __m128i low = _mm_setr_epi32((int)s[0], (int)s[1], (int)(s[0] >> 4), (int)(s[1] >> 4));
    __m128i high = _mm_setr_epi32((int)(s[2] << 4), (int)(s[2] << 2), (int)s[2], (int)(s[2] >> 2));
    __m128i six = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(15)),
                               _mm_and_si128(high, _mm_set1_epi8(0x30)));
    c->factor = _mm256_cvtepi8_epi16(_mm_sub_epi8(six, _mm_set1_epi8(32)));
    c->offset = _mm256_slli_epi16(c->factor, 2);
    c->scale = _mm256_set1_ps(_cvtsh_ss(b->d));
    for (int h = 0; h < 2; h++)
        for (int i = 0; i < PAIRS; i++)
            c->q[2 * i + h] = _mm256_or_si256(low_bits(load_half(b->q, 32, h), 2 * i, 3),
                                              where_bit(load_bits(b->high, h), i, 4));
}

/* The nibbles of q4_k and q5_k. */
INLINE void unpack_k_nibbles(struct chunk *c, const uint8_t *q)
{
    for (int i = 0; i < PAIRS; i += 2)
        for (int h = 0; h < 2; h++)
            set_nibbles(load_half(q + 16 * i, 64, h), c->q + 2 * i + h, 2);
}

INLINE void unpack_q4_k(struct chunk *c, const void *w, int n)
{
    const struct block_q4_k *b = w;
    (void)n;
    set_six_bit_scales(c, b);
    unpack_k_nibbles(c, b->q);
}

INLINE void unpack_q5_k(struct chunk *c, const void *w, int n)
{
    const struct block_q5_k *b = w;
    (void)n;
    set_six_bit_scales(c, b);
    unpack_k_nibbles(c, b->q);
    for (int h = 0; h < 2; h++)
        for (int i = 0; i < PAIRS; i++)
            c->q[2 * i + h] = _mm256_or_si256(c->q[2 * i + h],
                                              where_bit(load_bits(b->high, h), i, 16));
}

INLINE void unpack_q6_k(struct chunk *c, const void *w, int n)
{
    const struct block_q6_k *b = w;
    (void)n;
    c->factor = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)b->s));
    c->offset = _mm256_slli_epi16(c->factor, 5);
    c->scale = _mm256_set1_ps(_cvtsh_ss(b->d));
    for (int h = 0; h < 2; h++) {
        __m256i high = load_half(b->high, 32, h);
        for (int i = 0; i < 2; i++)
            set_nibbles(load_half(b->q + 32 * i, 64, h), c->q + 2 * i + h, 4);
        for (int i = 0; i < PAIRS; i++)
            c->q[2 * i + h] = _mm256_or_si256(c->q[2 * i + h], bits_at(high, 2 * i, 4, 3));
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

INLINE void chunk_unpack(const struct kind kind, unpack_fn *unpack, const void *w, int n,
                         struct chunk *c)
{
    unpack(c, w, n);
    if (kind.is_flipped) {
        for (int j = 0; j < 2 * PAIRS && j < 2 * n; j++)
            c->q[j] = _mm256_xor_si256(c->q[j], _mm256_set1_epi8(-128));
        c->offset = _mm256_set1_epi16(128);
    }
}

/* `bytes` bytes of a chunk, copied to where zeros follow them. */
INLINE const char *chunk_alone(const char *w, size_t bytes, size_t chunk_bytes, char *copy)
{
    memcpy(copy, w, bytes);
    memset(copy + bytes, 0, chunk_bytes - bytes);
    return copy;
}

#endif
