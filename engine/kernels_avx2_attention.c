/* kernels_avx2_attention.c -- attention by panels for AVX2 with FMA and F16C; the contracts are in
 * kernels.h. */
#include "engine/kernels.h"
#include "engine/kernels_lanes.h"

/* 16 rows of 8 half floats to 8 rows of 16: rows r and r + 8 share a register, so that a transposed
 * one holds all 16 values of a dimension in order. */
INLINE void transpose(__m256i v[8])
{
    __m256i a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            b[4 * i + 2 * j] = _mm256_unpacklo_epi32(a[4 * i + j], a[4 * i + j + 2]);
            b[4 * i + 2 * j + 1] = _mm256_unpackhi_epi32(a[4 * i + j], a[4 * i + j + 2]);
        }
    for (int i = 0; i < 4; i++) {
        v[2 * i] = _mm256_unpacklo_epi64(b[i], b[i + 4]);
        v[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[i + 4]);
    }
}

/* 16 rows from dimension d on, 8 of them. */
INLINE void pack_keys(const uint16_t *const row[PANEL], size_t d, float *to)
{
    __m256i v[8];
    for (int j = 0; j < 8; j++)
        v[j] = _mm256_loadu2_m128i((const __m128i *)(row[j + 8] + d),
                                   (const __m128i *)(row[j] + d));
    transpose(v);
    for (int j = 0; j < 8; j++, to += PANEL) {
        _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm256_castsi256_si128(v[j])));
        _mm256_storeu_ps(to + 8, _mm256_cvtph_ps(_mm256_extracti128_si256(v[j], 1)));
    }
}

static void pack_keys_f16(const void *k, int n, size_t dim, const void *ahead, float *panels)
{
    size_t row_bytes = dim * sizeof(uint16_t);
    for (int p = 0; p < n; p += PANEL, panels += PANEL * dim) {
        const uint16_t *row[PANEL];
        for (int j = 0; j < PANEL; j++)
            row[j] = (const uint16_t *)k + (size_t)(p + j < n ? p + j : n - 1) * dim;
        size_t d = 0;
        for (; d + 8 <= dim; d += 8) {
            fetch_ahead(ahead, (size_t)p * row_bytes + d * 2 * PANEL, 16 * PANEL);
            pack_keys(row, d, panels + d * PANEL);
        }
        for (; d < dim; d++)
            for (size_t j = 0; j < PANEL; j++)
                panels[d * PANEL + j] = _cvtsh_ss(row[j][d]);
    }
}

static void pack_values_f16(const void *v, int n, size_t dim, const void *ahead, float *panels)
{
    size_t row_bytes = dim * sizeof(uint16_t);
    const uint16_t *row = v;
    for (int i = 0; i < n; i++, row += dim) {
        float *to = panels + i * PANEL;
        size_t d = 0;
        fetch_ahead(ahead, (size_t)i * row_bytes, row_bytes);
        for (; d + PANEL <= dim; d += PANEL, to += PANEL * n)
            for (int j = 0; j < PANEL; j += 8)
                _mm256_storeu_ps(to + j, _mm256_cvtph_ps(_mm_loadu_si128(
                                             (const __m128i *)(row + d + j))));
        for (size_t j = 0; d < dim && j < PANEL; j++)
            to[j] = d + j < dim ? _cvtsh_ss(row[d + j]) : 0;
    }
}

/* R rows of a against P panels of b; both are constant, so the sums stay in registers. */
INLINE void multiply(int R, int P, const struct panels *p, int row, int panel)
{
    __m256 sum[6][8];
    const float *a = p->a + (size_t)row * p->a_step, *b = p->b + panel * PANEL * p->n;
    float *c = p->c + (size_t)row * p->c_step + panel * PANEL;
    for (int r = 0; r < R; r++)
        for (int j = 0; j < 2 * P; j++)
            sum[r][j] = p->add ? _mm256_loadu_ps(c + (size_t)r * p->c_step + 8 * j)
                               : _mm256_setzero_ps();
    for (int i = 0; i < p->n; i++, b += PANEL) {
        __m256 v[8];
        for (int j = 0; j < 2 * P; j++)
            v[j] = _mm256_loadu_ps(b + j / 2 * PANEL * p->n + j % 2 * 8);
        for (int r = 0; r < R; r++) {
            __m256 f = _mm256_broadcast_ss(a + (size_t)r * p->a_step + i);
            for (int j = 0; j < 2 * P; j++)
                sum[r][j] = _mm256_fmadd_ps(f, v[j], sum[r][j]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int j = 0; j < 2 * P; j++)
            _mm256_storeu_ps(c + (size_t)r * p->c_step + 8 * j, sum[r][j]);
}

/* R rows against all panels, P at once: eight sums at least hide what an addition takes. */
INLINE void multiply_rows(int R, int P, const struct panels *p, int row)
{
    int i = 0;
    for (; i + P <= p->n_b; i += P)
        multiply(R, P, p, row, i);
    for (; i < p->n_b; i++)
        multiply(R, 1, p, row, i);
}

static void multiply_panels(const struct panels *p)
{
    int row = 0, left = p->n_a % 6;
    for (int i = 0; i < p->n_b; i++)
        for (row = 0; row + 6 <= p->n_a; row += 6)
            multiply(6, 1, p, row, i);
    switch (left) {
    case 5: multiply_rows(5, 1, p, row); break;
    case 4: multiply_rows(4, 1, p, row); break;
    case 3: multiply_rows(3, 2, p, row); break;
    case 2: multiply_rows(2, 2, p, row); break;
    case 1: multiply_rows(1, 4, p, row); break;
    }
}

void kernels_init_avx2_attention(struct kernels *k)
{
    k->panels.keys_f16 = pack_keys_f16;
    k->panels.values_f16 = pack_values_f16;
    k->panels.multiply = multiply_panels;
}
