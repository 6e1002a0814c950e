/* kernels_c.c -- the plain version of every kernel but the dot products, which stand in quant.c
 * beside their formats. The definition of right, written to be read, and so that the compiler
 * vectorises it: sums run in LANES fixed lanes. */
#include "engine/kernels.h"

#include <string.h>

#include "engine/codec.h"
#include "engine/kernels_loops.h"

static void quant_q8(const float *x, void *row, size_t n)
{
    int8_t *q = row;
    float *d = (float *)q8_scales(row, n), *s = (float *)q8_sums(row, n);
    int16_t *halves = (int16_t *)q8_halves(row, n);
    memset(row, 0, q8_row_bytes(n));
    for (size_t b = 0; b < n / QUANT_BLOCK; b++, x += QUANT_BLOCK, q += QUANT_BLOCK) {
        float big = 0;
        for (int j = 0; j < QUANT_BLOCK; j++)
            big = fabsf(x[j]) > big ? fabsf(x[j]) : big;
        float inverse = big > 0 ? 127 / big : 0;
        int sum[2] = {0};
        for (int j = 0; j < QUANT_BLOCK; j++) {
            /* 1.5 * 2^23 leaves the nearest integer in the low bits of the float. */
            float r = x[j] * inverse + 0x1.8p23f;
            int32_t bits;
            memcpy(&bits, &r, sizeof bits);
            q[j] = (int8_t)bits;
            sum[j / 16] += q[j];
        }
        d[b] = big / 127;
        s[b] = big / 127 * (float)(sum[0] + sum[1]);
        halves[2 * b] = (int16_t)sum[0];
        halves[2 * b + 1] = (int16_t)sum[1];
    }
}

/* e^x = 2^k e^r with k = round(x / ln 2), |r| <= ln 2 / 2. ln 2 is subtracted in two parts, the
 * first exact; e^r is its Taylor polynomial of degree 7, whose rest is below 2^-27. Below -87 the
 * result is 0: nothing here needs subnormal numbers. Above 88 it stays at e^88. */
static inline float exp_one(float x)
{
    float c = x > 88 ? 88 : x;
    c = c < -87 ? -87 : c;
    float k = c * 1.44269504f + 0x1.8p23f;
    uint32_t bits;
    memcpy(&bits, &k, sizeof bits);
    k -= 0x1.8p23f;
    float r = c - k * 0.693359375f;
    r += k * 2.12194440e-4f;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r * r + r + 1;
    bits = (bits << 23) + 0x3f800000;  /* 2^k */
    float two_k;
    memcpy(&two_k, &bits, sizeof two_k);
    return x < -87 ? 0 : p * two_k;
}

static float exp_sum(float *x, size_t n, float max, float scale)
{
    float acc[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            x[i + j] = exp_one((x[i + j] - max) * scale);
            acc[j] += x[i + j];
        }
    for (size_t j = 0; i + j < n; j++) {
        x[i + j] = exp_one((x[i + j] - max) * scale);
        acc[j] += x[i + j];
    }
    return sum_lanes(acc);
}

static float max_of(const float *x, size_t n)
{
    float max = x[0];
    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

static void silu_mul(float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] = a[i] / (1 + exp_one(-a[i])) * b[i];
}

static void gelu_mul(float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x = a[i], u = 0.7978845608f * (x + 0.044715f * x * x * x);
        a[i] = x / (1 + exp_one(-2 * u)) * b[i];
    }
}

static void f16_row(const float *x, uint16_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = f16_of_f32(x[i]);
}

static void score_f16(const float *q, const void *k, int n, size_t dim, float *out)
{
    weight_info(WEIGHT_F16)->dot(&(struct dot){
        .w = k, .w_bytes = dim * sizeof(uint16_t), .n_w = n, .x = q, .n_x = 1, .n = dim,
        .y = out });
}

static void score_f32(const float *q, const void *k, int n, size_t dim, float *out)
{
    weight_info(WEIGHT_F32)->dot(&(struct dot){
        .w = k, .w_bytes = dim * sizeof(float), .n_w = n, .x = q, .n_x = 1, .n = dim, .y = out });
}

static void mix_f16(const float *w, const void *v, int n, size_t dim, float *out)
{
    const uint16_t *row = v;
    for (int i = 0; i < n; i++, row += dim)
        for (size_t d = 0; d < dim; d++)
            out[d] += w[i] * f32_of_f16(row[d]);
}

static void mix_f32(const float *w, const void *v, int n, size_t dim, float *out)
{
    const float *row = v;
    for (int i = 0; i < n; i++, row += dim)
        for (size_t d = 0; d < dim; d++)
            out[d] += w[i] * row[d];
}

/* Row i of a block for column i of its panels. */
static int row_of_column(int i, int n)
{
    return i < n ? i : n - 1;
}

static void pack_keys_f16(const void *k, int n, size_t dim, const void *ahead, float *panels)
{
    (void)ahead;
    const uint16_t *rows = k;
    for (int p = 0; p < n; p += PANEL)
        for (size_t d = 0; d < dim; d++)
            for (int j = 0; j < PANEL; j++)
                *panels++ = f32_of_f16(rows[(size_t)row_of_column(p + j, n) * dim + d]);
}

static void pack_keys_f32(const void *k, int n, size_t dim, const void *ahead, float *panels)
{
    (void)ahead;
    const float *rows = k;
    for (int p = 0; p < n; p += PANEL)
        for (size_t d = 0; d < dim; d++)
            for (int j = 0; j < PANEL; j++)
                *panels++ = rows[(size_t)row_of_column(p + j, n) * dim + d];
}

static void pack_values_f16(const void *v, int n, size_t dim, const void *ahead, float *panels)
{
    (void)ahead;
    const uint16_t *rows = v;
    for (size_t p = 0; p < dim; p += PANEL)
        for (size_t i = 0; i < (size_t)n; i++)
            for (size_t d = p; d < p + PANEL; d++)
                *panels++ = d < dim ? f32_of_f16(rows[i * dim + d]) : 0;
}

static void pack_values_f32(const void *v, int n, size_t dim, const void *ahead, float *panels)
{
    (void)ahead;
    const float *rows = v;
    for (size_t p = 0; p < dim; p += PANEL)
        for (size_t i = 0; i < (size_t)n; i++)
            for (size_t d = p; d < p + PANEL; d++)
                *panels++ = d < dim ? rows[i * dim + d] : 0;
}

static void multiply_panel(const float *a, const float *b, int n, float *c)
{
    for (int i = 0; i < n; i++, b += PANEL)
        for (int j = 0; j < PANEL; j++)
            c[j] += a[i] * b[j];
}

static void multiply_panels(const struct panels *p)
{
    for (int r = 0; r < p->n_a; r++)
        for (int i = 0; i < p->n_b; i++) {
            float *c = p->c + (size_t)r * p->c_step + i * PANEL;
            if (!p->add)
                memset(c, 0, PANEL * sizeof *c);
            multiply_panel(p->a + (size_t)r * p->a_step, p->b + i * PANEL * p->n, p->n, c);
        }
}

static float lengths(const float *x, size_t step, const float *weight, int n_rows, size_t n,
                     float *out)
{
    float all = 0;
    for (size_t i = 0; i < n; i++) {
        float squares = 0;
        for (int h = 0; h < n_rows; h++) {
            float v = weight[h] * x[(size_t)h * step + i];
            squares += v * v;
        }
        out[i] = sqrtf(squares);
        all += out[i];
    }
    return all;
}

static size_t sum_above(const float *x, size_t n, float least, float *sum)
{
    size_t count = 0;
    *sum = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i] > least) {
            *sum += x[i];
            count++;
        }
    return count;
}

static size_t find_above(const float *x, size_t n, float least, int *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i] > least)
            out[count++] = (int)i;
    return count;
}

void kernels_init_c(struct kernels *k)
{
    for (int w = 0; w < WEIGHT_N; w++)
        k->dot[w] = weight_info((enum weight)w)->dot;
    k->quant_q8 = quant_q8;
    take_loops(k);
    k->exp_sum = exp_sum;
    k->max = max_of;
    k->silu_mul = silu_mul;
    k->gelu_mul = gelu_mul;
    k->f16_of_f32 = f16_row;
    k->score_f16 = score_f16;
    k->score_f32 = score_f32;
    k->mix_f16 = mix_f16;
    k->mix_f32 = mix_f32;
    k->panels.keys_f16 = pack_keys_f16;
    k->panels.keys_f32 = pack_keys_f32;
    k->panels.values_f16 = pack_values_f16;
    k->panels.values_f32 = pack_values_f32;
    k->panels.multiply = multiply_panels;
    k->rows_q8 = codec_rows_q8;
    k->rows_q4 = codec_rows_q4;
    k->index_score = codec_index_score;
    k->index_table = codec_index_table;
    k->index_scales = codec_index_scales;
    k->score_q8 = codec_score_q8;
    k->mix_q8 = codec_mix_q8;
    k->lengths = lengths;
    k->sum_above = sum_above;
    k->find_above = find_above;
}
