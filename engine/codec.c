/* codec.c -- see codec.h. Plain C and the definition of right: kernels that do the same give the
 * same bits. */
#include "engine/codec.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/quant.h"

#define GROUP     32   /* values that share a scale in q8 */
#define LEVELS    16   /* of the scales of an index */
#define EXP_LIMIT 100  /* of the same, in quarter octaves */

/* The points, by coordinate: the centres of 4 standard normal values in 16 clusters, found by
 * k-means on 300,000 samples; mean square error 0.34 of a value. */
const float codec_point[4][CODEC_POINTS] = {
    { -1.4024f, -1.3927f, -0.7304f, -0.7302f, -0.4035f, -0.3843f, -0.2858f, -0.0023f,
      0.0151f, 0.1226f, 0.1938f, 0.5613f, 0.6497f, 1.1622f, 1.2160f, 1.3827f },
    { 0.3457f, -0.4596f, -0.6939f, 1.0289f, -0.4155f, 1.3962f, -1.1516f, 0.9262f,
      0.0103f, -1.5844f, 0.2061f, 0.4986f, -0.2169f, -0.5427f, 1.1565f, -0.5351f },
    { 0.0951f, -0.3599f, 1.3710f, 0.5687f, -1.5528f, -0.9064f, 0.0990f, 1.2729f,
      -0.0158f, -0.1883f, -1.0591f, -0.3774f, 0.8101f, 0.9970f, 0.0690f, -0.8475f },
    { -0.8973f, 0.7502f, 0.1452f, 0.9730f, -0.4617f, -0.1311f, -1.2134f, -0.6451f,
      0.0020f, 0.5954f, 1.3018f, -1.4695f, 1.3238f, -0.4933f, 0.3014f, -0.0607f },
};

bool codec_fits(int dim)
{
    return dim > 0 && dim % GROUP == 0 && dim <= CODEC_DIM_MAX;
}

/* ---- sizes and places ---------------------------------------------------------------------- */

size_t codec_q8_row(int dim)
{
    return (size_t)dim + (size_t)(dim / GROUP) * sizeof(uint16_t);
}

size_t codec_q8_bytes(int dim)
{
    return CODEC_BLOCK * 2 * codec_q8_row(dim);
}

/* A row of 4 bits. */
static size_t q4_row(int dim)
{
    return sizeof(uint16_t) + (size_t)dim / 2;
}

size_t codec_q4_bytes(int dim)
{
    return 2 * codec_q8_row(dim) + CODEC_BLOCK * 2 * q4_row(dim);
}

static size_t codes_bytes(int dim)
{
    return (size_t)dim / 4 * (CODEC_BLOCK / 2);
}

/* Rounded up so that those of several heads begin at even addresses. */
size_t codec_index_bytes(int dim)
{
    return (codes_bytes(dim) + CODEC_BLOCK / 2 + 2 * codec_q8_row(dim) + 1 + 3) / 4 * 4;
}

void *codec_q8_key(const void *head, int t, int dim)
{
    return (char *)head + (size_t)t * 2 * codec_q8_row(dim);
}

void *codec_q8_value(const void *head, int t, int dim)
{
    return (char *)codec_q8_key(head, t, dim) + codec_q8_row(dim);
}

const void *codec_q4_mean(const void *head, int dim, bool value)
{
    return (const char *)head + (value ? codec_q8_row(dim) : 0);
}

const void *codec_q4_rows(const void *head, int dim, bool value)
{
    return (const char *)head + 2 * codec_q8_row(dim) + (value ? q4_row(dim) : 0);
}

size_t codec_q4_stride(int dim)
{
    return 2 * q4_row(dim);
}

const void *codec_index_mean(const void *head, int dim, bool value)
{
    const char *means = (const char *)head + codes_bytes(dim) + CODEC_BLOCK / 2;
    return means + (value ? codec_q8_row(dim) : 0);
}

static int8_t *index_base(const void *head, int dim)
{
    return (int8_t *)codec_index_mean(head, dim, true) + codec_q8_row(dim);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* The largest power of two that divides n. */
static int turn_size(int n)
{
    return n & -n;
}

/* The first two steps: of four values that lie side by side. */
static void turn_four(float *x)
{
    float a = x[0] + x[1], b = x[0] - x[1], c = x[2] + x[3], d = x[2] - x[3];
    x[0] = a + c;
    x[1] = b + d;
    x[2] = a - c;
    x[3] = b - d;
}

/* Sums and differences of n values with n others, n a multiple of 4. */
static void turn_pairs(float *restrict x, float *restrict y, int n)
{
    for (int i = 0; i < n; i += 4)
        for (int j = i; j < i + 4; j++) {
            float a = x[j], b = y[j];
            x[j] = a + b;
            y[j] = a - b;
        }
}

void codec_turn(float *x, int dim)
{
    int size = turn_size(dim);
    for (int at = 0; at < dim; at += 4)
        turn_four(x + at);
    for (int half = 4; half < size; half *= 2)
        for (int at = 0; at < dim; at += 2 * half)
            turn_pairs(x + at, x + at + half, half);
    float norm = 1 / sqrtf((float)size);
    for (int i = 0; i < dim; i++)
        x[i] *= norm;
}

/* x to the nearest whole number within bounds; what is no number gives some. A float of 1.5 * 2^23
 * has no room for fractions: adding it rounds, and the compiler does several at once. */
static int nearest(float x, float least, float most)
{
    const float whole = 0x1.8p23f;
    x = x > least ? x : least;
    x = x < most ? x : most;
    return (int)((x + whole) - whole);
}

static void put_f16(void *at, float x)
{
    uint16_t h = f16_of_f32(x);
    memcpy(at, &h, sizeof h);
}

static float get_f16(const void *at)
{
    uint16_t h;
    memcpy(&h, at, sizeof h);
    return f32_of_f16(h);
}

void codec_q8(const float *x, int dim, void *row)
{
    int8_t *code = row;
    char *scale = (char *)row + dim;
    for (int g = 0; g < dim / GROUP; g++, x += GROUP, code += GROUP, scale += 2) {
        float most = 0;
        for (int i = 0; i < GROUP; i++)
            most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
        put_f16(scale, most / 127);
        float d = get_f16(scale), inverse = d > 0 ? 1 / d : 0;
        for (int i = 0; i < GROUP; i++)
            code[i] = (int8_t)nearest(x[i] * inverse, -127, 127);
    }
}

void codec_rows_q8(const void *rows, size_t stride, int n, size_t dim, float *out)
{
    for (const char *row = rows; n > 0; n--, row += stride)
        for (size_t g = 0; g < dim; g += GROUP) {
            float d = get_f16(row + dim + g / GROUP * 2);
            for (size_t i = g; i < g + GROUP; i++)
                *out++ = (float)(int8_t)row[i] * d;
        }
}

static float score_row(const float *q, const int8_t *row, size_t dim)
{
    const char *scale = (const char *)row + dim;
    float all = 0;
    for (; dim > 0; dim -= GROUP, q += GROUP, row += GROUP, scale += 2) {
        float sum = 0;
        for (int i = 0; i < GROUP; i++)
            sum += q[i] * (float)row[i];
        all += sum * get_f16(scale);
    }
    return all;
}

void codec_score_q8(const struct coded_rows *r, const float *q, float *out)
{
    for (int h = 0; h < r->n_q; h++)
        for (int i = 0; i < r->n; i++)
            out[(size_t)h * r->step + (size_t)i] = score_row(q + (size_t)h * r->dim, r->row[i],
                                                             r->dim);
}

void codec_mix_q8(const struct coded_rows *r, const float *w, float *out)
{
    for (int h = 0; h < r->n_q; h++, w += r->step, out += r->dim)
        for (int i = 0; i < r->n; i++) {
            const int8_t *row = r->row[i];
            for (size_t d = 0; d < r->dim; d++)
                out[d] += w[i] * get_f16((const char *)row + r->dim + d / GROUP * 2) *
                          (float)row[d];
        }
}

/* The mean of the rows to a q8 row, and taken off them as that row has it. */
static void take_mean(float *rows, int dim, void *mean)
{
    float sum[CODEC_DIM_MAX];
    memset(sum, 0, sizeof sum);
    for (int t = 0; t < CODEC_BLOCK; t++)
        for (int i = 0; i < dim; i++)
            sum[i] += rows[t * dim + i];
    for (int i = 0; i < dim; i++)
        sum[i] /= CODEC_BLOCK;
    codec_q8(sum, dim, mean);
    codec_rows_q8(mean, 0, 1, (size_t)dim, sum);
    for (int t = 0; t < CODEC_BLOCK; t++)
        for (int i = 0; i < dim; i++)
            rows[t * dim + i] -= sum[i];
}

/* ---- 4 bits -------------------------------------------------------------------------------- */

/* One turned row: the value that stands out most becomes -8. */
static void q4_code(const float *x, int dim, unsigned char *row)
{
    float most = 0;
    for (int i = 0; i < dim; i++)
        if (fabsf(x[i]) > fabsf(most))
            most = x[i];
    put_f16(row, most / -8);
    float d = get_f16(row), inverse = d != 0 ? 1 / d : 0;
    for (int i = 0; i < dim / 2; i++) {
        int low = nearest(x[i] * inverse, -8, 7) + 8;
        int high = nearest(x[i + dim / 2] * inverse, -8, 7) + 8;
        row[2 + i] = (unsigned char)(low | high << 4);
    }
}

void codec_rows_q4(const void *rows, size_t stride, int n, size_t dim, float *out)
{
    for (const unsigned char *row = rows; n > 0; n--, row += stride, out += dim) {
        float d = get_f16(row);
        for (size_t i = 0; i < dim / 2; i++) {
            out[i] = (float)((row[2 + i] & 15) - 8) * d;
            out[i + dim / 2] = (float)((row[2 + i] >> 4) - 8) * d;
        }
    }
}

static void q4_half(float *rows, int dim, void *head, bool value)
{
    unsigned char *row = (unsigned char *)codec_q4_rows(head, dim, value);
    take_mean(rows, dim, (void *)codec_q4_mean(head, dim, value));
    for (int t = 0; t < CODEC_BLOCK; t++, row += codec_q4_stride(dim)) {
        codec_turn(rows + t * dim, dim);
        q4_code(rows + t * dim, dim, row);
    }
}

void codec_q4(float *keys, float *values, int dim, void *head)
{
    q4_half(keys, dim, head, false);
    q4_half(values, dim, head, true);
}

/* ---- the index ----------------------------------------------------------------------------- */

/* Quarter octaves of the root of the mean square. */
static int exponent_of(const float *x, int dim)
{
    float sum = 0;
    for (int i = 0; i < dim; i++)
        sum += x[i] * x[i];
    float e = 2 * log2f(sum / (float)dim);
    return nearest(e, -EXP_LIMIT, EXP_LIMIT);
}

/* Two to so many quarters. */
static float quarter_power(int quarters)
{
    static const float part[4] = { 1.0f, 1.18920712f, 1.41421356f, 1.68179283f };
    int whole = quarters >= 0 ? quarters / 4 : -((3 - quarters) / 4);
    return ldexpf(part[quarters - 4 * whole], whole);
}

/* to[t] = from[t] where all bits of mask[t] are set; elsewhere none of them is. */
static void select_floats(float *to, const float *from, const int32_t *mask)
{
    int32_t old[CODEC_BLOCK], new[CODEC_BLOCK];
    memcpy(old, to, sizeof old);
    memcpy(new, from, sizeof new);
    for (int t = 0; t < CODEC_BLOCK; t++)
        old[t] = (old[t] & ~mask[t]) | (new[t] & mask[t]);
    memcpy(to, old, sizeof old);
}

/* Of each token which point is nearest to its x[0..4); of two the lower. Without branches: the
 * compiler turns the loops into vectors. */
static void nearest_points(float x[4][CODEC_BLOCK], int32_t at[CODEC_BLOCK])
{
    float best[CODEC_BLOCK], near[CODEC_BLOCK];
    int32_t nearer[CODEC_BLOCK];
    for (int t = 0; t < CODEC_BLOCK; t++)
        best[t] = -INFINITY;
    for (int i = 0; i < CODEC_POINTS; i++) {
        const float a = codec_point[0][i], b = codec_point[1][i];
        const float c = codec_point[2][i], d = codec_point[3][i];
        const float half = ((a * a + b * b) + (c * c + d * d)) / 2;
        for (int t = 0; t < CODEC_BLOCK; t++) {
            near[t] = ((x[0][t] * a + x[1][t] * b) + (x[2][t] * c + x[3][t] * d)) - half;
            nearer[t] = -(near[t] > best[t]);
        }
        for (int t = 0; t < CODEC_BLOCK; t++)
            at[t] = (at[t] & ~nearer[t]) | (i & nearer[t]);
        select_floats(best, near, nearer);
    }
}

/* Sets the nibble of token t in 32 bytes that were zero. */
static void put_nibble(unsigned char *bytes, int t, int v)
{
    bytes[t % 32] |= (unsigned char)(v << (t < 32 ? 0 : 4));
}

static int get_nibble(const unsigned char *bytes, int t)
{
    return bytes[t % 32] >> (t < 32 ? 0 : 4) & 15;
}

static unsigned char *index_scales(const void *head, int dim)
{
    return (unsigned char *)head + codes_bytes(dim);
}

/* Codes of all tokens for the values from d on. */
static void code_group(const float *keys, int dim, int d, const float *inverse,
                       unsigned char *codes)
{
    float x[4][CODEC_BLOCK];
    int32_t at[CODEC_BLOCK] = {0};
    for (int t = 0; t < CODEC_BLOCK; t++)
        for (int i = 0; i < 4; i++)
            x[i][t] = keys[t * dim + d + i] * inverse[t];
    nearest_points(x, at);
    for (int t = 0; t < CODEC_BLOCK; t++)
        put_nibble(codes, t, at[t]);
}

void codec_index(float *keys, const float *values, int dim, void *head)
{
    float mean[CODEC_DIM_MAX], inverse[CODEC_BLOCK];
    int exponent[CODEC_BLOCK], base = -EXP_LIMIT;
    memset(head, 0, codec_index_bytes(dim));
    take_mean(keys, dim, (void *)codec_index_mean(head, dim, false));
    for (int t = 0; t < CODEC_BLOCK; t++) {
        codec_turn(keys + t * dim, dim);
        exponent[t] = exponent_of(keys + t * dim, dim);
        base = exponent[t] > base ? exponent[t] : base;
    }
    *index_base(head, dim) = (int8_t)base;
    for (int t = 0; t < CODEC_BLOCK; t++) {
        int level = exponent[t] - base + LEVELS - 1;
        level = level > 0 ? level : 0;
        put_nibble(index_scales(head, dim), t, level);
        inverse[t] = 1 / quarter_power(base - (LEVELS - 1) + level);
    }
    for (int g = 0; g < dim / 4; g++)
        code_group(keys, dim, 4 * g, inverse, (unsigned char *)head + g * 32);
    memset(mean, 0, sizeof mean);
    for (int t = 0; t < CODEC_BLOCK; t++)
        for (int i = 0; i < dim; i++)
            mean[i] += values[t * dim + i];
    for (int i = 0; i < dim; i++)
        mean[i] /= CODEC_BLOCK;
    codec_q8(mean, dim, (void *)codec_index_mean(head, dim, true));
}

const void *codec_index_levels(const void *head, int dim)
{
    return index_scales(head, dim);
}

int codec_index_power(const void *head, int dim)
{
    return *index_base(head, dim) - INT8_MIN;
}

void codec_powers(float *power)
{
    for (int i = 0; i < CODEC_POWERS; i++)
        power[i] = quarter_power(i + INT8_MIN - (LEVELS - 1));
}

void codec_index_scales(const void *levels, const float *power, float *out)
{
    for (int t = 0; t < CODEC_BLOCK; t++)
        out[t] = power[get_nibble(levels, t)];
}

float codec_index_table(const float *turned, size_t n_groups, int8_t *table)
{
    const float (*p)[CODEC_POINTS] = codec_point;
    float product[CODEC_DIM_MAX / 4][CODEC_POINTS], most = 0;
    for (size_t g = 0; g < n_groups; g++, turned += 4)
        for (int i = 0; i < CODEC_POINTS; i++) {
            float x = (turned[0] * p[0][i] + turned[1] * p[1][i]) +
                      (turned[2] * p[2][i] + turned[3] * p[3][i]);
            product[g][i] = x;
            most = fabsf(x) > most ? fabsf(x) : most;
        }
    float inverse = most > 0 ? CODEC_TABLE_MAX / most : 0;
    for (size_t g = 0; g < n_groups; g++)
        for (int i = 0; i < CODEC_POINTS; i++)
            *table++ = (int8_t)nearest(product[g][i] * inverse, -CODEC_TABLE_MAX,
                                       CODEC_TABLE_MAX);
    return most / CODEC_TABLE_MAX;
}

void codec_index_score(const void *codes, size_t n_groups, const int8_t *table,
                       const float *scale, float factor, float add, float *out)
{
    int sum[CODEC_BLOCK] = {0};
    for (size_t g = 0; g < n_groups; g++)
        for (int t = 0; t < CODEC_BLOCK; t++)
            sum[t] += table[g * CODEC_POINTS +
                            (size_t)get_nibble((const unsigned char *)codes + g * 32, t)];
    for (int t = 0; t < CODEC_BLOCK; t++)
        out[t] = (float)sum[t] * scale[t] * factor + add;
}
