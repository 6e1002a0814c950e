/* codec.h -- how keys and values are written in fewer bits: rows of 8 and of 4 bits, and the index
 * of a block, one bit a key value.
 *
 * All work on one head of one block of CODEC_BLOCK tokens; dim values a row, a multiple of 32. "x
 * turned" is x times the Hadamard matrix of the largest power of two that divides dim, block by
 * block and orthonormal: it spreads what stands out over all values, and turning twice gives x
 * again.
 *
 *   q8     [CODEC_BLOCK] { key, value }, each a row: int8 [dim], then an f16 scale for each 32
 *   q4     mean key, mean value: q8 rows; then [CODEC_BLOCK] { key, value }, of which the mean is
 *          taken off, turned: an f16 scale, nibbles [dim / 2], value i low, i + dim / 2 high
 *   index  codes [dim / 4][32]: for each 4 values of (key - mean) turned, over their scale, which
 *          of 16 points is nearest; byte j has token j low, j + 32 high
 *          scales [32]: of the tokens, in quarter octaves below base + 15 / 4; nibbles in the
 *          same order
 *          mean key, mean value: q8 rows; base: int8
 *
 * Keys that are coded around a mean (q4, index) are those without the bias; see kv_bias.h. */
#ifndef DUET_ENGINE_CODEC_H
#define DUET_ENGINE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_BLOCK  64
#define CODEC_POINTS 16
#define CODEC_DIM_MAX 512
#define CODEC_TABLE_MAX 63   /* of the tables of codes: two of them add up in a byte */

/* True if rows of dim values can be coded. */
bool codec_fits(int dim);

/* Bytes of a q8 row; of one head of a block in each form. */
size_t codec_q8_row(int dim);
size_t codec_q8_bytes(int dim);
size_t codec_q4_bytes(int dim);
size_t codec_index_bytes(int dim);

/* x[dim] turned, in place. */
void codec_turn(float *x, int dim);

/* A row to q8. */
void codec_q8(const float *x, int dim, void *row);

/* The q8 rows of token t in a head of a block. */
void *codec_q8_key(const void *head, int t, int dim);
void *codec_q8_value(const void *head, int t, int dim);

/* Codes keys and values, [CODEC_BLOCK][dim] each; overwrites them. */
void codec_q4(float *keys, float *values, int dim, void *head);
void codec_index(float *keys, const float *values, int dim, void *head);

/* Parts of a head in q4: the q8 rows of the means, and from where with which stride the rows of 4
 * bits lie. */
const void *codec_q4_mean(const void *head, int dim, bool value);
const void *codec_q4_rows(const void *head, int dim, bool value);
size_t codec_q4_stride(int dim);

/* Parts of an index: the means; the scales, and where in power[CODEC_POWERS] of codec_powers() the
 * one stands that is written as 0. */
#define CODEC_POWERS 271
const void *codec_index_mean(const void *head, int dim, bool value);
const void *codec_index_levels(const void *head, int dim);
int codec_index_power(const void *head, int dim);
void codec_powers(float *power);

/* By coordinate; see codes above. */
extern const float codec_point[4][CODEC_POINTS];

/* n rows in q8 that lie anywhere, dim values each, and n_q vectors of which each has a number for
 * each row, step floats apart. */
struct coded_rows {
    const void *const *row;
    int n;
    size_t dim;
    int n_q;
    size_t step;
};

/* The plain kernels; see kernels.h. */
void codec_score_q8(const struct coded_rows *r, const float *q, float *out);
void codec_mix_q8(const struct coded_rows *r, const float *w, float *out);
float codec_index_table(const float *turned, size_t n_groups, int8_t *table);
void codec_index_scales(const void *levels, const float *power, float *out);
void codec_rows_q8(const void *rows, size_t stride, int n, size_t dim, float *out);
void codec_rows_q4(const void *rows, size_t stride, int n, size_t dim, float *out);
void codec_index_score(const void *codes, size_t n_groups, const int8_t *table,
                       const float *scale, float factor, float add, float *out);

#endif
