/* kernels_amx_attention.c -- attention of many queries for AMX; the contracts are in kernels.h.
 *
 * A float is the sum of two brain floats but for 2^-17 of it: its upper half, and what is left. A
 * product of two such sums is three products; the fourth is below 2^-16.
 * Panels hold tiles in pairs, upper and lower, 32 rows of a panel each; rows that fill up the last
 * ones are 0. */
#include "engine/kernels.h"
#include "engine/kernels_tiles.h"

#define PAIR (2 * TILE)   /* numbers of an upper and a lower tile */

/* x rounded to 16 bits. */
INLINE __m512 upper(__m512 x)
{
    __m512i half_up = _mm512_add_epi32((__m512i)x, _mm512_set1_epi32(0x8000));
    return (__m512)(half_up & _mm512_set1_epi32((int)0xffff0000));
}

/* 32 floats to a row of an upper tile and of the lower one behind it. */
INLINE void store_pair(uint16_t *to, __m512 low, __m512 high)
{
    __m512 low_upper = upper(low), high_upper = upper(high);
    store_bf16(to, low_upper, high_upper);
    store_bf16(to + TILE, low - low_upper, high - high_upper);
}

/* ---- packing -------------------------------------------------------------------------------- */

/* n rows of a block: half floats or floats. */
struct source {
    const void *rows;
    int n;
    size_t dim;
    bool is_half;
};

INLINE __m512 load16(const char *from, bool is_half)
{
    return is_half ? _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from))
                   : _mm512_loadu_ps((const float *)(const void *)from);
}

/* 16 values of a row from dimension d on; those behind its end are 0. */
INLINE __m512 values_of(const struct source *s, int row, size_t d)
{
    size_t bytes = s->is_half ? sizeof(uint16_t) : sizeof(float);
    const char *from = (const char *)s->rows + ((size_t)row * s->dim + d) * bytes;
    char part[LANE_N * sizeof(float)] = {0};
    if (d + LANE_N <= s->dim)
        return load16(from, s->is_half);
    if (d < s->dim)
        memcpy(part, from, (s->dim - d) * bytes);
    return load16(part, s->is_half);
}

/* Columns are rows of the block: a tile is filled row by row and turned. */
INLINE void pack_keys(const struct source *s, uint16_t *to)
{
    for (int p = 0; p < s->n; p += PANEL)
        for (size_t d = 0; d < s->dim; d += DEEP, to += PAIR) {
            for (int j = 0; j < PANEL; j++) {
                int row = p + j < s->n ? p + j : s->n - 1;
                store_pair(to + j * DEEP, values_of(s, row, d), values_of(s, row, d + LANE_N));
            }
            turn(to);
            turn(to + TILE);
        }
}

/* Words of a and b, one from each in turn. */
INLINE void store_mixed(uint16_t *to, __m512 a, __m512 b)
{
    static const _Alignas(64) uint16_t order[2 * LANE_N] = {
        0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
    };
    __m512i in_turn = (__m512i)_mm512_loadu_ps((const float *)(const void *)order);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    _mm512_storeu_ps((float *)(void *)to, (__m512)_mm512_permutexvar_epi16(in_turn, both));
}

/* Columns are dimensions: two rows of the block are a row of a tile. */
INLINE void pack_values(const struct source *s, uint16_t *to)
{
    const __m512 zero = _mm512_set1_ps(0);
    for (size_t d = 0; d < s->dim; d += PANEL)
        for (int i = 0; i < s->n; i += DEEP, to += PAIR)
            for (int r = 0; r < LANE_N; r++) {
                int row = i + 2 * r;
                __m512 a = row < s->n ? values_of(s, row, d) : zero;
                __m512 b = row + 1 < s->n ? values_of(s, row + 1, d) : zero;
                __m512 a_upper = upper(a), b_upper = upper(b);
                store_mixed(to + r * DEEP, a_upper, b_upper);
                store_mixed(to + TILE + r * DEEP, a - a_upper, b - b_upper);
            }
}

#define PACK(what, type, half)                                                                 \
    static void pack_##what##_##type(const void *rows, int n, size_t dim, const void *ahead,   \
                                     float *panels)                                            \
    {                                                                                          \
        const struct source s = { rows, n, dim, half };                                        \
        fetch_ahead(ahead, 0, (size_t)n * dim * (half ? sizeof(uint16_t) : sizeof(float)));       \
        pack_##what(&s, (uint16_t *)(void *)panels);                                           \
    }
PACK(keys, f16, true)
PACK(keys, f32, false)
PACK(values, f16, true)
PACK(values, f32, false)
#undef PACK

/* ---- products ------------------------------------------------------------------------------- */

#define DEPTH 512   /* values of a row that are taken at once */

/* n values of 16 rows of a product, from row `row` and value `from` on, as tiles. */
INLINE void take_rows(const struct panels *p, int row, int from, int n, uint16_t *to)
{
    const __m512 zero = _mm512_set1_ps(0);
    for (int i = 0; i < n; i += DEEP, to += PAIR)
        for (int r = 0; r < LANE_N; r++) {
            const float *a = p->a + (size_t)(row + r) * p->a_step + from;
            const struct source s = { a, 1, (size_t)n, false };
            bool is_there = row + r < p->n_a;
            store_pair(to + r * DEEP, is_there ? values_of(&s, 0, (size_t)i) : zero,
                       is_there ? values_of(&s, 0, (size_t)i + LANE_N) : zero);
        }
}

/* Pairs of tiles of 16 rows against those of one panel, or of two. */
struct meeting {
    const uint16_t *a, *b[2];
    int n_pairs;
    float *c;        /* the sums are added to these, [16][PANEL or 2 PANEL] */
    size_t c_bytes;  /* from one row to the next */
};

INLINE void meet_one(const struct meeting *m)
{
    const uint16_t *a = m->a, *b = m->b[0];
    BARRIER;
    _tile_loadd(0, m->c, m->c_bytes);
    for (int i = 0; i < m->n_pairs; i++, a += PAIR, b += PAIR) {
        _tile_loadd(2, a, 64);
        _tile_loadd(3, a + TILE, 64);
        _tile_loadd(4, b, 64);
        _tile_loadd(5, b + TILE, 64);
        _tile_dpbf16ps(0, 2, 5);
        _tile_dpbf16ps(0, 3, 4);
        _tile_dpbf16ps(0, 2, 4);
    }
    _tile_stored(0, m->c, m->c_bytes);
    BARRIER;
}

INLINE void meet_two(const struct meeting *m)
{
    const uint16_t *a = m->a, *b0 = m->b[0], *b1 = m->b[1];
    BARRIER;
    _tile_loadd(0, m->c, m->c_bytes);
    _tile_loadd(1, m->c + PANEL, m->c_bytes);
    for (int i = 0; i < m->n_pairs; i++, a += PAIR, b0 += PAIR, b1 += PAIR) {
        _tile_loadd(2, a, 64);
        _tile_loadd(5, b0 + TILE, 64);
        _tile_loadd(7, b1 + TILE, 64);
        _tile_loadd(3, a + TILE, 64);
        _tile_loadd(4, b0, 64);
        _tile_loadd(6, b1, 64);
        _tile_dpbf16ps(0, 2, 5);
        _tile_dpbf16ps(1, 2, 7);
        _tile_dpbf16ps(0, 3, 4);
        _tile_dpbf16ps(1, 3, 6);
        _tile_dpbf16ps(0, 2, 4);
        _tile_dpbf16ps(1, 2, 6);
    }
    _tile_stored(0, m->c, m->c_bytes);
    _tile_stored(1, m->c + PANEL, m->c_bytes);
    BARRIER;
}

INLINE void meet(const struct meeting *m)
{
    if (m->b[1])
        meet_two(m);
    else
        meet_one(m);
}

/* The same where c has n rows only. */
INLINE void meet_few(struct meeting m, int n)
{
    float part[LANE_N][2 * PANEL] = {0}, *c = m.c;
    size_t step = m.c_bytes / sizeof *c, bytes = (m.b[1] ? 2 : 1) * PANEL * sizeof *c;
    for (int r = 0; r < n; r++)
        memcpy(part[r], c + (size_t)r * step, bytes);
    m.c = part[0];
    m.c_bytes = sizeof part[0];
    meet(&m);
    for (int r = 0; r < n; r++)
        memcpy(c + (size_t)r * step, part[r], bytes);
}

/* n values from `from` on of 16 rows, or of those that are left, against all panels. */
INLINE void multiply_rows(const struct panels *p, int row, int from, int n)
{
    uint16_t a[DEPTH / DEEP * PAIR];
    size_t panel = (size_t)(p->n + DEEP - 1) / DEEP * PAIR;
    const uint16_t *b = (const uint16_t *)(const void *)p->b + (size_t)from / DEEP * PAIR;
    take_rows(p, row, from, n, a);
    for (int i = 0; i < p->n_b; i += 2, b += 2 * panel) {
        const struct meeting m = { a, { b, i + 1 < p->n_b ? b + panel : NULL },
                                   (n + DEEP - 1) / DEEP,
                                   p->c + (size_t)row * p->c_step + i * PANEL,
                                   p->c_step * sizeof(float) };
        if (p->n_a - row >= LANE_N)
            meet(&m);
        else
            meet_few(m, p->n_a - row);
    }
}

static void multiply(const struct panels *p)
{
    for (int r = 0; r < p->n_a && !p->add; r++)
        memset(p->c + (size_t)r * p->c_step, 0, (size_t)p->n_b * PANEL * sizeof *p->c);
    _tile_loadconfig(&shapes);
    for (int from = 0; from < p->n; from += DEPTH)
        for (int row = 0; row < p->n_a; row += LANE_N)
            multiply_rows(p, row, from, p->n - from < DEPTH ? p->n - from : DEPTH);
    _tile_release();
}

void kernels_init_amx_attention(struct kernels *k)
{
    k->read_panels = (struct panel_kernels){ pack_keys_f16, pack_keys_f32, pack_values_f16,
                                             pack_values_f32, multiply, PANEL_QUERIES };
}
