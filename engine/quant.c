/* quant.c -- decoding and plain dot products of the weight formats; see quant.h.
 *
 * Written so that the compiler vectorises the inner loops without being allowed to reorder sums:
 * float sums are kept in LANES independent lanes and added up in a fixed tree. */
#include "engine/quant.h"

#include <assert.h>
#include <string.h>

#define LANES 16

#define CHECK_SIZE(fn, bytes) _Static_assert(sizeof(struct block_##fn) == bytes, "as in files");
CHECK_SIZE(q8_0, 34)
CHECK_SIZE(q4_0, 18)
CHECK_SIZE(q4_1, 20)
CHECK_SIZE(q5_0, 22)
CHECK_SIZE(q5_1, 24)
CHECK_SIZE(iq4_nl, 18)
CHECK_SIZE(mxfp4, 17)
CHECK_SIZE(q2_k, 84)
CHECK_SIZE(q3_k, 110)
CHECK_SIZE(q4_k, 144)
CHECK_SIZE(q5_k, 176)
CHECK_SIZE(q6_k, 210)

/* ---- half precision ----------------------------------------------------------------------- */

/* The 15 bits without the sign, moved to where a float has its exponent, are the value times
 * 2^-112: the exponents are biased by 15 and 127. One exact product puts that right, subnormal
 * numbers too; infinity and NaN get their exponent back afterwards. */
static inline float half(uint16_t h)
{
    uint32_t u = (uint32_t)(h & 0x7fff) << 13;
    uint32_t r = bits_of_float(float_of_bits(u) * 0x1p112f);
    r |= u >= 0x7c00u << 13 ? 0x7f800000u : 0;
    return float_of_bits(r | (uint32_t)(h & 0x8000) << 16);
}

float f32_of_f16(uint16_t h)
{
    return half(h);
}

/* Normal numbers: the exponent loses 112 and 13 bits are rounded off. Subnormal ones: 0.5 has an
 * ulp of 2^-24, the unit of a subnormal half, so adding it rounds exactly there. */
uint16_t f16_of_f32(float f)
{
    uint32_t u = bits_of_float(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff, r;
    if (a > 0x7f800000)
        r = 0x7e00;
    else if (a >= 0x477ff000)  /* 65520 rounds to infinity */
        r = 0x7c00;
    else if (a < 0x38800000)   /* 2^-14 */
        r = bits_of_float(float_of_bits(a) + 0.5f) - 0x3f000000;
    else
        r = (a - (112u << 23) + 0xfff + (a >> 13 & 1)) >> 13;
    return (uint16_t)(sign | r);
}

static inline float brain(uint16_t h)
{
    return float_of_bits((uint32_t)h << 16);
}

static inline float load_f32(const void *w, size_t i)
{
    return ((const float *)w)[i];
}

static inline float load_f16(const void *w, size_t i)
{
    return half(((const uint16_t *)w)[i]);
}

static inline float load_bf16(const void *w, size_t i)
{
    return brain(((const uint16_t *)w)[i]);
}

/* ---- float formats ------------------------------------------------------------------------ */

static float sum_lanes(float *acc)
{
    for (int half_n = LANES / 2; half_n > 0; half_n /= 2)
        for (int j = 0; j < half_n; j++)
            acc[j] += acc[j + half_n];
    return acc[0];
}

static const void *weight_row(const struct dot *d, int r)
{
    return (const char *)d->w + (size_t)r * d->w_bytes;
}

static const void *act_row(const struct dot *d, int t)
{
    return (const char *)d->x + (size_t)t * d->x_bytes;
}

static float *result(const struct dot *d, int t, int r)
{
    return d->y + (size_t)t * d->y_step + r;
}

/* Decode and dot of a format whose elements load one by one. */
#define FLOAT_FORMAT(type)                                                                    \
    static void decode_##type(const void *w, float *out, size_t n)                            \
    {                                                                                         \
        for (size_t i = 0; i < n; i++)                                                        \
            out[i] = load_##type(w, i);                                                       \
    }                                                                                         \
    static float dot_row_##type(const void *w, const float *x, size_t n)                      \
    {                                                                                         \
        float acc[LANES] = {0};                                                               \
        size_t i = 0;                                                                         \
        for (; i + LANES <= n; i += LANES)                                                    \
            for (size_t j = 0; j < LANES; j++)                                                \
                acc[j] += load_##type(w, i + j) * x[i + j];                                   \
        for (size_t j = 0; i + j < n; j++)                                                    \
            acc[j] += load_##type(w, i + j) * x[i + j];                                       \
        return sum_lanes(acc);                                                                \
    }                                                                                         \
    static void dot_##type(const struct dot *d)                                               \
    {                                                                                         \
        for (int r = 0; r < d->n_w; r++)                                                      \
            for (int t = 0; t < d->n_x; t++)                                                  \
                *result(d, t, r) = dot_row_##type(weight_row(d, r), act_row(d, t), d->n);     \
    }

FLOAT_FORMAT(f32)
FLOAT_FORMAT(f16)
FLOAT_FORMAT(bf16)

/* ---- quantised formats meeting 8-bit activations ------------------------------------------- */

/* 32 values as w = scale * q + add, with an add for each half. Unpacked once for all the tokens
 * they meet. The small scales of the K types go into q: at most 31 * 128. */
struct unpacked {
    int16_t q[QUANT_BLOCK];
    float scale, add[2];
};

const int8_t quant_iq4_nl[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

/* Sign, two bits of exponent and one of mantissa: 0, 0.5, 1, 1.5, 2, 3, 4, 6; here twice that. */
const int8_t quant_mxfp4[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

float quant_mxfp4_scale(uint8_t e)
{
    return float_of_bits(e < 2 ? 0x200000u << e : (uint32_t)(e - 1) << 23);
}

static void unpack_nibbles(const uint8_t *q, int16_t *out)
{
    for (int j = 0; j < 16; j++)
        out[j] = q[j] & 15;
    for (int j = 0; j < 16; j++)
        out[16 + j] = q[j] >> 4;
}

static void unpack_fifth_bits(const uint8_t *high, int16_t *out)
{
    for (int j = 0; j < QUANT_BLOCK; j++)
        out[j] = (int16_t)(out[j] | (high[j / 8] >> j % 8 & 1) << 4);
}

static inline void set_scale(struct unpacked *u, float scale, float add)
{
    u->scale = scale;
    u->add[0] = u->add[1] = add;
}

static inline void unpack_q8_0(const struct block_q8_0 *b, int g, struct unpacked *u)
{
    (void)g;
    for (int j = 0; j < QUANT_BLOCK; j++)
        u->q[j] = b->q[j];
    set_scale(u, half(b->d), 0);
}

static inline void unpack_q4_0(const struct block_q4_0 *b, int g, struct unpacked *u)
{
    (void)g;
    unpack_nibbles(b->q, u->q);
    set_scale(u, half(b->d), -8 * half(b->d));
}

static inline void unpack_q4_1(const struct block_q4_1 *b, int g, struct unpacked *u)
{
    (void)g;
    unpack_nibbles(b->q, u->q);
    set_scale(u, half(b->d), half(b->m));
}

static inline void unpack_q5_0(const struct block_q5_0 *b, int g, struct unpacked *u)
{
    (void)g;
    unpack_nibbles(b->q, u->q);
    unpack_fifth_bits(b->high, u->q);
    set_scale(u, half(b->d), -16 * half(b->d));
}

static inline void unpack_q5_1(const struct block_q5_1 *b, int g, struct unpacked *u)
{
    (void)g;
    unpack_nibbles(b->q, u->q);
    unpack_fifth_bits(b->high, u->q);
    set_scale(u, half(b->d), half(b->m));
}

static inline void unpack_iq4_nl(const struct block_iq4_nl *b, int g, struct unpacked *u)
{
    (void)g;
    unpack_nibbles(b->q, u->q);
    for (int j = 0; j < QUANT_BLOCK; j++)
        u->q[j] = quant_iq4_nl[u->q[j]];
    set_scale(u, half(b->d), 0);
}

static inline void unpack_mxfp4(const struct block_mxfp4 *b, int g, struct unpacked *u)
{
    (void)g;
    unpack_nibbles(b->q, u->q);
    for (int j = 0; j < QUANT_BLOCK; j++)
        u->q[j] = quant_mxfp4[u->q[j]];
    set_scale(u, quant_mxfp4_scale(b->e), 0);
}

/* ---- K types: group g of a super-block ---- */

/* The two-bit fields of a group. */
static inline void unpack_pairs(const uint8_t *q, int g, int16_t *out)
{
    for (int j = 0; j < QUANT_BLOCK; j++)
        out[j] = q[g / 4 * 32 + j] >> g % 4 * 2 & 3;
}

/* The nibbles of a group. */
static inline void unpack_halves(const uint8_t *q, int g, int16_t *out)
{
    for (int j = 0; j < QUANT_BLOCK; j++)
        out[j] = q[g / 2 * 32 + j] >> g % 2 * 4 & 15;
}

static inline void unpack_q2_k(const struct block_q2_k *b, int g, struct unpacked *u)
{
    unpack_pairs(b->q, g, u->q);
    u->scale = half(b->d);
    for (int h = 0; h < 2; h++) {
        int s = b->s[2 * g + h];
        for (int j = 16 * h; j < 16 * h + 16; j++)
            u->q[j] = (int16_t)(u->q[j] * (s & 15));
        u->add[h] = -half(b->m) * (float)(s >> 4);
    }
}

static inline void unpack_q3_k(const struct block_q3_k *b, int g, struct unpacked *u)
{
    unpack_pairs(b->q, g, u->q);
    set_scale(u, half(b->d), 0);
    for (int h = 0; h < 2; h++) {
        int i = 2 * g + h, low = i < 8 ? b->s[i] & 15 : b->s[i - 8] >> 4;
        int s = low | (b->s[8 + i % 4] >> i / 4 * 2 & 3) << 4;
        for (int j = 16 * h; j < 16 * h + 16; j++)
            u->q[j] = (int16_t)((u->q[j] + (b->high[j] >> g & 1) * 4 - 4) * (s - 32));
    }
}

static inline void unpack_q4_k(const struct block_q4_k *b, int g, struct unpacked *u)
{
    int scale, min;
    quant_k_scale(b->s, g, &scale, &min);
    unpack_halves(b->q, g, u->q);
    for (int j = 0; j < QUANT_BLOCK; j++)
        u->q[j] = (int16_t)(u->q[j] * scale);
    set_scale(u, half(b->d), -half(b->m) * (float)min);
}

static inline void unpack_q5_k(const struct block_q5_k *b, int g, struct unpacked *u)
{
    int scale, min;
    quant_k_scale(b->s, g, &scale, &min);
    unpack_halves(b->q, g, u->q);
    for (int j = 0; j < QUANT_BLOCK; j++)
        u->q[j] = (int16_t)((u->q[j] | (b->high[j] >> g & 1) << 4) * scale);
    set_scale(u, half(b->d), -half(b->m) * (float)min);
}

static inline void unpack_q6_k(const struct block_q6_k *b, int g, struct unpacked *u)
{
    int16_t low[QUANT_BLOCK];
    unpack_halves(b->q + g / 4 * 64, g % 2 * 2 + g % 4 / 2, low);
    unpack_pairs(b->high, g, u->q);
    set_scale(u, half(b->d), 0);
    for (int j = 0; j < QUANT_BLOCK; j++)
        u->q[j] = (int16_t)(((low[j] | u->q[j] << 4) - 32) * b->s[2 * g + j / 16]);
}

/* In 16 bits, where the compiler knows how to multiply and add pairs. */
static int dot_int(const int16_t *w, const int8_t *x)
{
    int16_t wide[QUANT_BLOCK];
    int sum = 0;
    for (int j = 0; j < QUANT_BLOCK; j++)
        wide[j] = x[j];
    for (int j = 0; j < QUANT_BLOCK; j++)
        sum += w[j] * wide[j];
    return sum;
}

/* sum (scale q + add) x = scale d sum(q q_x) + add d sum(q_x), d and the sums of halves being
 * carried by the activations. Adds the unpacked group i of weight row r to all results of the
 * row. */
static void add_group(const struct unpacked *u, size_t i, const struct dot *d, int r)
{
    for (int t = 0; t < d->n_x; t++) {
        const int8_t *x = act_row(d, t);
        const int16_t *b = q8_halves(x, d->n) + 2 * i;
        int sum = dot_int(u->q, x + i * QUANT_BLOCK);
        *result(d, t, r) += q8_scales(x, d->n)[i] *
                            (u->scale * (float)sum +
                             (u->add[0] * (float)b[0] + u->add[1] * (float)b[1]));
    }
}

/* Decode and dot of a format whose groups of 32 unpack. */
#define QUANTISED_FORMAT(type, groups)                                                        \
    static void decode_##type(const void *w, float *out, size_t n)                            \
    {                                                                                         \
        const struct block_##type *b = w;                                                     \
        for (size_t i = 0; i < n / QUANT_BLOCK; i++, out += QUANT_BLOCK) {                    \
            struct unpacked u;                                                                \
            unpack_##type(b + i / groups, (int)(i % groups), &u);                             \
            for (int j = 0; j < QUANT_BLOCK; j++)                                             \
                out[j] = u.scale * u.q[j] + u.add[j / 16];                                    \
        }                                                                                     \
    }                                                                                         \
    static void column_##type(const void *w, size_t w_bytes, int n_w, size_t col, float *out) \
    {                                                                                         \
        size_t i = col / QUANT_BLOCK, j = col % QUANT_BLOCK;                                  \
        for (int r = 0; r < n_w; r++) {                                                       \
            const struct block_##type *b =                                                    \
                (const void *)((const char *)w + (size_t)r * w_bytes);                        \
            struct unpacked u;                                                                \
            unpack_##type(b + i / groups, (int)(i % groups), &u);                             \
            out[r] = u.scale * u.q[j] + u.add[j / 16];                                        \
        }                                                                                     \
    }                                                                                         \
    static void dot_##type(const struct dot *d)                                               \
    {                                                                                         \
        for (int r = 0; r < d->n_w; r++) {                                                    \
            const struct block_##type *b = weight_row(d, r);                                  \
            for (int t = 0; t < d->n_x; t++)                                                  \
                *result(d, t, r) = 0;                                                         \
            for (size_t i = 0; i < d->n / QUANT_BLOCK; i++) {                                 \
                struct unpacked u;                                                            \
                unpack_##type(b + i / groups, (int)(i % groups), &u);                         \
                add_group(&u, i, d, r);                                                       \
            }                                                                                 \
        }                                                                                     \
    }

QUANTISED_FORMAT(q8_0, 1)
QUANTISED_FORMAT(q4_0, 1)
QUANTISED_FORMAT(q4_1, 1)
QUANTISED_FORMAT(q5_0, 1)
QUANTISED_FORMAT(q5_1, 1)
QUANTISED_FORMAT(iq4_nl, 1)
QUANTISED_FORMAT(mxfp4, 1)
QUANTISED_FORMAT(q2_k, 8)
QUANTISED_FORMAT(q3_k, 8)
QUANTISED_FORMAT(q4_k, 8)
QUANTISED_FORMAT(q5_k, 8)
QUANTISED_FORMAT(q6_k, 8)

/* ---- the table ---------------------------------------------------------------------------- */

#define column_f32  NULL
#define column_f16  NULL
#define column_bf16 NULL

static const struct weight_info table[WEIGHT_N] = {
#define X(name, fn, id, elements, bytes, act) \
    { #name, id, elements, bytes, act, decode_##fn, dot_##fn, column_##fn },
    WEIGHT_LIST(X)
#undef X
};

const struct weight_info *weight_info(enum weight w)
{
    assert(w < WEIGHT_N);
    return &table[w];
}

size_t weight_row_bytes(enum weight w, size_t n)
{
    return n / table[w].block_elements * table[w].block_bytes;
}

size_t act_row_bytes(enum act act, size_t n)
{
    return act == ACT_Q8 ? q8_row_bytes(n) : n * sizeof(float);
}

enum weight weight_of_gguf(uint32_t gguf_type)
{
    for (int w = 0; w < WEIGHT_N; w++)
        if (table[w].gguf_type == gguf_type)
            return (enum weight)w;
    return WEIGHT_N;
}
