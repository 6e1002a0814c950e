/* quant.h -- the weight formats: block layouts, and one table row per format.
 *
 * A row of weights is cut into blocks of `elements` values. Each format meets one activation
 * format in a dot product: the quantised ones 8-bit blocks with integer sums inside a block, the
 * float ones float32. Block layouts are those of GGUF files; all values are little-endian, as
 * are the machines this runs on.
 *
 * A new format is one line in WEIGHT_LIST, its block, and in quant.c how 32 values of it unpack.
 * An instruction set may override the dot (kernels.h). */
#ifndef DUET_ENGINE_QUANT_H
#define DUET_ENGINE_QUANT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* name, name in functions, number of the type in a GGUF file, elements and bytes of a block, the
 * activations it meets */
#define WEIGHT_LIST(X)                       \
    X(F32,    f32,    0,  1,   4,   ACT_F32) \
    X(F16,    f16,    1,  1,   2,   ACT_F32) \
    X(BF16,   bf16,   30, 1,   2,   ACT_F32) \
    X(Q8_0,   q8_0,   8,  32,  34,  ACT_Q8)  \
    X(Q4_0,   q4_0,   2,  32,  18,  ACT_Q8)  \
    X(Q4_1,   q4_1,   3,  32,  20,  ACT_Q8)  \
    X(Q5_0,   q5_0,   6,  32,  22,  ACT_Q8)  \
    X(Q5_1,   q5_1,   7,  32,  24,  ACT_Q8)  \
    X(IQ4_NL, iq4_nl, 20, 32,  18,  ACT_Q8)  \
    X(MXFP4,  mxfp4,  39, 32,  17,  ACT_Q8)  \
    X(Q2_K,   q2_k,   10, 256, 84,  ACT_Q8)  \
    X(Q3_K,   q3_k,   11, 256, 110, ACT_Q8)  \
    X(Q4_K,   q4_k,   12, 256, 144, ACT_Q8)  \
    X(Q5_K,   q5_k,   13, 256, 176, ACT_Q8)  \
    X(Q6_K,   q6_k,   14, 256, 210, ACT_Q8)

enum weight {
#define X(name, fn, id, elements, bytes, act) WEIGHT_##name,
    WEIGHT_LIST(X)
#undef X
    WEIGHT_N
};

enum act { ACT_F32, ACT_Q8 };

/* ---- blocks of weights -------------------------------------------------------------------- */

/* Scales d and minima m are f16 throughout. Nibbles: of 16 bytes, the low half of byte j is element
 * j, the high half element 16 + j. */

#define QUANT_BLOCK 32

struct block_q8_0 {
    uint16_t d;          /* w = d * q */
    int8_t q[32];
};

struct block_q4_0 {
    uint16_t d;          /* w = d * (q - 8) */
    uint8_t q[16];       /* nibbles */
};

struct block_q4_1 {
    uint16_t d, m;       /* w = d * q + m */
    uint8_t q[16];       /* nibbles */
};

struct block_q5_0 {
    uint16_t d;          /* w = d * (q - 16) */
    uint8_t high[4];     /* bit j: the fifth bit of element j */
    uint8_t q[16];       /* nibbles */
};

struct block_q5_1 {
    uint16_t d, m;       /* w = d * q + m */
    uint8_t high[4];
    uint8_t q[16];
};

struct block_iq4_nl {
    uint16_t d;          /* w = d * quant_iq4_nl[q] */
    uint8_t q[16];       /* nibbles */
};

struct block_mxfp4 {
    uint8_t e;           /* w = 2^(e - 128) * quant_mxfp4[q] */
    uint8_t q[16];       /* nibbles */
};

/* The K types: super-blocks of 256 values in 8 groups of 32, or 16 of 16, each with a small integer
 * scale s (and minimum) of its own. Two bits, or a nibble, of 4 (2) groups share a byte: group g
 * of four has the bits 2g and 2g + 1. */

struct block_q2_k {
    uint8_t s[16];       /* low half: scale of 16 values, high half: their minimum */
    uint8_t q[64];       /* 32 bytes for groups 0 to 3, 32 for groups 4 to 7 */
    uint16_t d, m;       /* w = d * scale * q - m * minimum */
};

struct block_q3_k {
    uint8_t high[32];    /* bit g of byte j: the third bit of element j of group g */
    uint8_t q[64];       /* as in q2_k */
    uint8_t s[12];       /* 16 scales of 6 bits: 4 low bits in the first 8 bytes */
    uint16_t d;          /* w = d * (scale - 32) * (q - 4) */
};

struct block_q4_k {
    uint16_t d, m;       /* w = d * scale * q - m * minimum */
    uint8_t s[12];       /* 8 scales and 8 minima of 6 bits */
    uint8_t q[128];      /* 32 bytes for groups 0 and 1, and so on */
};

struct block_q5_k {
    uint16_t d, m;       /* as in q4_k */
    uint8_t s[12];
    uint8_t high[32];    /* bit g of byte j: the fifth bit of element j of group g */
    uint8_t q[128];
};

struct block_q6_k {
    uint8_t q[128];      /* 64 bytes for groups 0 to 3: low halves 0 and 1, high halves 2 and 3 */
    uint8_t high[64];    /* the upper two bits, as in q2_k */
    int8_t s[16];        /* of 16 values each */
    uint16_t d;          /* w = d * scale * (q - 32) */
};

extern const int8_t quant_iq4_nl[16], quant_mxfp4[16];

/* The scale of an mxfp4 block, 2^(e - 128). */
float quant_mxfp4_scale(uint8_t e);

/* Scale and minimum of group g in the 12 bytes of q4_k and q5_k. */
static inline void quant_k_scale(const uint8_t *s, int g, int *scale, int *min)
{
    *scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
    *min = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | s[g] >> 6 << 4;
}

/* ---- a row of 8-bit activations ----------------------------------------------------------- */

/* A row of n values, n a multiple of 32, is four arrays one after the other; N is n / 32 rounded
 * up to a multiple of 8, and what is behind n / 32 blocks is 0:
 *
 *   int8_t  q[N][32]    in [-127, 127]
 *   float   d[N]        x = d * q
 *   float   s[N]        d * (the sum of the block's q): what a minimum in the weights meets
 *   int16_t b[N][2]     the sum of the first, of the second 16 q of the block: what an offset of
 *                       the weights meets
 *
 * Rows start at multiples of 64 bytes. */
static inline size_t q8_blocks(size_t n)
{
    return (n / QUANT_BLOCK + 7) / 8 * 8;
}

static inline size_t q8_row_bytes(size_t n)
{
    return (q8_blocks(n) * (QUANT_BLOCK + 2 * sizeof(float) + 2 * sizeof(int16_t)) + 63) / 64 * 64;
}

static inline const float *q8_scales(const void *row, size_t n)
{
    return (const float *)((const char *)row + q8_blocks(n) * QUANT_BLOCK);
}

static inline const float *q8_sums(const void *row, size_t n)
{
    return q8_scales(row, n) + q8_blocks(n);
}

static inline const int16_t *q8_halves(const void *row, size_t n)
{
    return (const int16_t *)(q8_sums(row, n) + q8_blocks(n));
}

/* ---- the table ---------------------------------------------------------------------------- */

/* Some rows of weights against some rows of activations:
 *
 *   y[t * y_step + r] = sum_i w[r][i] * x[t][i],   r < n_w, t < n_x, i < n
 *
 * Rows of w are w_bytes apart and aligned to 2 bytes (MXFP4: 1, F32: 4), rows of x are x_bytes
 * apart and in the format's activation format. n is a multiple of the block, n_w, n_x > 0. A
 * result does not depend on what else is computed in the call. */
struct dot {
    const void *w, *x;
    size_t w_bytes, x_bytes;
    int n_w, n_x;
    size_t n;
    float *y;
    size_t y_step;
};

typedef void dot_fn(const struct dot *d);

struct weight_info {
    const char *name;
    uint32_t gguf_type;
    uint32_t block_elements, block_bytes;
    enum act act;
    void (*decode)(const void *w, float *out, size_t n);  /* n a multiple of the block */
    dot_fn *dot;                                          /* plain C: the definition of right */

    /* out[r] = value col of row r, r < n_w; rows are w_bytes apart. NULL where act is ACT_F32. */
    void (*column)(const void *w, size_t w_bytes, int n_w, size_t col, float *out);
};

const struct weight_info *weight_info(enum weight w);

/* Bytes of a row of n weights, n a multiple of the block. */
size_t weight_row_bytes(enum weight w, size_t n);

/* Bytes of a row of n activations. */
size_t act_row_bytes(enum act act, size_t n);

/* The format with this number in GGUF files; WEIGHT_N if it is not supported. */
enum weight weight_of_gguf(uint32_t gguf_type);

/* ---- half precision ----------------------------------------------------------------------- */

float f32_of_f16(uint16_t h);
uint16_t f16_of_f32(float f);  /* to nearest, ties to even */

/* The 32 bits of a float. */
static inline float float_of_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t bits_of_float(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* Brain floats, the upper half of a float: f rounded to one, to nearest, ties to even. */
static inline float rounded_to_bf16(float f)
{
    uint32_t u = bits_of_float(f);
    return float_of_bits((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000);
}

#endif
