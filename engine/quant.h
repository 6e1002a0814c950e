/* quant.h -- the weight formats: block layouts, and one table row per format.
 *
 * A row of weights is cut into blocks of `elements` values. Each format meets one activation
 * format in a dot product: the quantised ones 8-bit blocks with integer sums inside a block, the
 * float ones float32. Block layouts are those of GGUF files; all values are little-endian, as
 * are the machines this runs on.
 *
 * A new format is one line in WEIGHT_LIST, its block, its decode and its dot in quant.c. An
 * instruction set may override the dot (kernels.h). */
#ifndef DUET_ENGINE_QUANT_H
#define DUET_ENGINE_QUANT_H

#include <stddef.h>
#include <stdint.h>

/* name, name in functions, number of the type in a GGUF file, elements and bytes of a block, the
 * activations it meets */
#define WEIGHT_LIST(X)                    \
    X(F32,  f32,  0,  1,  4,  ACT_F32)    \
    X(F16,  f16,  1,  1,  2,  ACT_F32)    \
    X(BF16, bf16, 30, 1,  2,  ACT_F32)    \
    X(Q8_0, q8_0, 8,  32, 34, ACT_Q8)     \
    X(Q4_0, q4_0, 2,  32, 18, ACT_Q8)     \
    X(Q4_1, q4_1, 3,  32, 20, ACT_Q8)

enum weight {
#define X(name, fn, id, elements, bytes, act) WEIGHT_##name,
    WEIGHT_LIST(X)
#undef X
    WEIGHT_N
};

enum act { ACT_F32, ACT_Q8 };

/* ---- blocks of weights -------------------------------------------------------------------- */

#define QUANT_BLOCK 32

struct block_q8_0 {
    uint16_t d;          /* f16: w = d * q */
    int8_t q[32];
};

struct block_q4_0 {
    uint16_t d;          /* f16: w = d * (q - 8) */
    uint8_t q[16];       /* element j in the low half of q[j], 16 + j in the high half */
};

struct block_q4_1 {
    uint16_t d, m;       /* f16: w = d * q + m */
    uint8_t q[16];       /* as in q4_0 */
};

/* ---- a row of 8-bit activations ----------------------------------------------------------- */

/* A row of n values, n a multiple of 32, is three arrays one after the other:
 *
 *   int8_t q[n]          in [-127, 127]
 *   float  d[n / 32]     x = d * q
 *   float  s[n / 32]     d * (the sum of the block's q): what a constant in a weight block meets
 *
 * Rows start at multiples of 64 bytes. */
static inline size_t q8_row_bytes(size_t n)
{
    return (n + n / QUANT_BLOCK * 2 * sizeof(float) + 63) / 64 * 64;
}

static inline const float *q8_scales(const void *row, size_t n)
{
    return (const float *)((const char *)row + n);
}

static inline const float *q8_sums(const void *row, size_t n)
{
    return q8_scales(row, n) + n / QUANT_BLOCK;
}

/* ---- the table ---------------------------------------------------------------------------- */

/* y[i * y_step] = the dot product of one row of n weights with activation row i, i < n_x. The
 * rows of x are x_bytes apart and in the format's activation format. n is a multiple of the
 * block. A result does not depend on n_x. w is aligned to 2 bytes (F32: 4). */
typedef void dot_fn(const void *w, const void *x, size_t x_bytes, int n_x, size_t n, float *y,
                    size_t y_step);

struct weight_info {
    const char *name;
    uint32_t gguf_type;
    uint32_t block_elements, block_bytes;
    enum act act;
    void (*decode)(const void *w, float *out, size_t n);  /* n a multiple of the block */
    dot_fn *dot;                                          /* plain C: the definition of right */
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

#endif
