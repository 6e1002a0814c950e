/* kernels_product.h -- the products of quantised weights with 8-bit activations, for all sets for
 * x86. A set includes it with LANES, 8 or 16, and AT_ONCE, and gives dot_all() its two inner
 * sums.
 *
 * There are two ways through a product, and both give the same bits. In both, the products inside
 * a group are summed in integers; of a row, the scaled sums of the groups 0, 8, 16, ... are added
 * up in order, and so are those of 1, 9, 17, ...; then these eight sums are added in a fixed tree.
 *
 *   few tokens    row after row, as they come from memory: eight groups are eight lanes
 *   many tokens   ROWS rows at once, in a panel: 4 values of each row in a lane, which meet the
 *                 same 4 values of the activations. Nothing is summed across lanes, and unpacking
 *                 and turning are paid once for TOKENS tokens. */
#ifndef DUET_ENGINE_KERNELS_PRODUCT_H
#define DUET_ENGINE_KERNELS_PRODUCT_H

#include "engine/kernels_unpack.h"

#ifndef LANES
#define LANES 8
#endif
#if LANES == 16
typedef __m512i vec;
typedef __m512 vecf;
#define V(op) _mm512_##op
#else
typedef __m256i vec;
typedef __m256 vecf;
#define V(op) _mm256_##op
#endif

#define FEW     4             /* so many tokens still go row by row */
#define TOKENS  64            /* that a panel meets */
#ifndef AT_ONCE
#define AT_ONCE 4             /* of them */
#endif
#define QUADS   8             /* of values in a group */
#define WIDE    2             /* registers side by side in a panel */
#define ROWS    (WIDE * LANES)

/* Where the arrays of a row of activations begin; see quant.h. */
struct act_layout {
    size_t d, s, b;
};

INLINE struct act_layout act_layout(size_t n)
{
    size_t blocks = q8_blocks(n), d = blocks * QUANT_BLOCK;
    return (struct act_layout){ d, d + blocks * sizeof(float), d + 2 * blocks * sizeof(float) };
}

INLINE const char *act_row(const struct dot *d, int t)
{
    return (const char *)d->x + (size_t)t * d->x_bytes;
}

/* Of group i: d, s. */
INLINE float load_float(const char *array, size_t i)
{
    float f;
    memcpy(&f, array + i * sizeof f, sizeof f);
    return f;
}

/* Before an inner loop whose number of turns is constant. */
#define UNROLL _Pragma("GCC unroll 8")

/* The compiler may not take a sum apart to add it up in another order: that needs registers. */
#define IN_ORDER(v) __asm__("" : "+x"(v))

INLINE int load_int(const void *p)
{
    int i;
    memcpy(&i, p, sizeof i);
    return i;
}

/* ---- row by row ----------------------------------------------------------------------------- */

/* sum factor q x of each group of a chunk, x [256]. */
typedef __m256i chunk_sums_fn(const struct kind kind, const struct chunk *c, const int8_t *x);

/* The sum of eight lanes, always in the same order. */
INLINE float sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* 32-bit sums of n groups each, 1 < n, whose parts still stand in several lanes; the lower half of
 * a register has parts of first halves of groups only. Adds them up, with the factors. */
INLINE __m256i finish_sums(const struct kind kind, const struct chunk *c, __m256i *v, int n)
{
    for (; n > 2; n /= 2)
        for (int i = 0; i < n / 2; i++)
            v[i] = _mm256_hadd_epi32(v[2 * i], v[2 * i + 1]);
    __m256i first = _mm256_permute2x128_si256(v[0], v[1], 0x20);
    __m256i second = _mm256_permute2x128_si256(v[0], v[1], 0x31);
    __m256i factor = _mm256_srai_epi32(c->factor, 16);
    if (kind.has_halves) {
        __m256i lower = _mm256_srai_epi32(_mm256_slli_epi32(c->factor, 16), 16);
        return _mm256_add_epi32(_mm256_mullo_epi32(first, lower),
                                _mm256_mullo_epi32(second, factor));
    }
    __m256i sum = _mm256_add_epi32(first, second);
    return kind.has_factor ? _mm256_mullo_epi32(sum, factor) : sum;
}

/* Chunk i of a row against a token's activations x. */
INLINE __m256 add_chunk(const struct kind kind, chunk_sums_fn *sums, const struct chunk *c,
                        const char *x, struct act_layout at, size_t i, __m256 acc)
{
    size_t lanes = i * sizeof acc;
    __m256i sum = sums(kind, c, (const int8_t *)x + i * GROUPS * QUANT_BLOCK), offset = sum;
    __m256 d = _mm256_castsi256_ps(load_bytes(x + at.d + lanes));
    if (kind.has_offset)
        offset = _mm256_madd_epi16(c->offset, load_bytes(x + at.b + lanes));
    if (kind.has_offset && !kind.has_minima)
        sum = _mm256_sub_epi32(sum, offset);
    acc = _mm256_fmadd_ps(_mm256_mul_ps(c->scale, d), _mm256_cvtepi32_ps(sum), acc);
    if (kind.has_minima)
        acc = _mm256_fmadd_ps(_mm256_mul_ps(c->add, d), _mm256_cvtepi32_ps(offset), acc);
    if (kind.has_add)
        acc = _mm256_fmadd_ps(c->add, _mm256_castsi256_ps(load_bytes(x + at.s + lanes)), acc);
    return acc;
}

/* n_x is d->n_x, a constant where it is 1. */
INLINE void dot_row(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                    chunk_sums_fn *sums, const struct dot *d, int row, int n_x)
{
    int n_groups = (int)(d->n / QUANT_BLOCK);
    const char *w = (const char *)d->w + (size_t)row * d->w_bytes;
    const char *all_end = (const char *)d->w + (size_t)(d->n_w - 1) * d->w_bytes +
                          (size_t)n_groups * chunk_bytes / GROUPS;
    struct act_layout at = act_layout(d->n);
    __m256 acc[FEW];
    for (int t = 0; t < n_x; t++)
        acc[t] = _mm256_setzero_ps();
    for (int g = 0; g < n_groups; g += GROUPS, w += chunk_bytes) {
        struct chunk c;
        int n = kind.has_factor ? GROUPS : n_groups - g;
        chunk_unpack(kind, unpack, chunk_bytes, n, w, all_end, &c);
        for (int t = 0; t < n_x; t++)
            acc[t] = add_chunk(kind, sums, &c, act_row(d, t), at, (size_t)(g / GROUPS), acc[t]);
    }
    for (int t = 0; t < n_x; t++)
        d->y[(size_t)t * d->y_step + (size_t)row] = sum8(acc[t]);
}

/* ---- panels --------------------------------------------------------------------------------- */

/* A chunk of ROWS rows; a lane is a row. Fields as in struct chunk. */
struct panel {
    vec q[GROUPS][QUADS][WIDE];
    vec factor[GROUPS][2][WIDE];  /* 16-bit, each twice; [1] for second halves, if they differ */
    vec offset[GROUPS][WIDE];     /* 16-bit, of the first and of the second half */
    vecf scale[GROUPS][WIDE], add[GROUPS][WIDE];
};

/* sum factor q x of group g of a panel for T tokens, AT_ONCE at most, whose 32 values are
 * x_bytes apart. */
typedef void panel_sums_fn(const struct kind kind, int T, const struct panel *p, int g,
                           const char *x, size_t x_bytes, vec (*sum)[WIDE]);

/* The tokens of a call, each in one register for all its loads. */
INLINE void panel_rows(int T, const char *x, size_t x_bytes, const char **row)
{
    for (int t = 0; t < T; t++) {
        row[t] = x + (size_t)t * x_bytes;
        __asm__("" : "+r"(row[t]));
    }
}

/* Turns 8 registers of 8 words of 32 bits: word i of in[r] becomes word r of out[i * step]. */
INLINE void turn8(const __m256i *in, __m256i *out, int step)
{
    __m256i a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_epi32(in[i], in[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi32(in[i], in[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm256_unpacklo_epi64(a[i + j], a[i + j + 2]);
            b[i + 2 * j + 1] = _mm256_unpackhi_epi64(a[i + j], a[i + j + 2]);
        }
    for (int i = 0; i < 4; i++) {
        out[i * step] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        out[(i + 4) * step] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
}

#define EIGHTS (ROWS / 8)  /* registers of 256 bits side by side */

/* One field of 8 chunks to a field [GROUPS][WIDE] of a panel: its rows 8 h to 8 h + 7. */
#define TURN_FIELD(c, field, out, h)                                                          \
    do {                                                                                      \
        __m256i in[8];                                                                        \
        for (int r = 0; r < 8; r++)                                                           \
            in[r] = (__m256i)(c)[r].field;                                                    \
        turn8(in, (__m256i *)(out) + (h), EIGHTS);                                            \
    } while (0)

/* 8 unpacked rows become rows 8 h to 8 h + 7 of a panel. */
INLINE void panel_turn(const struct kind kind, const struct chunk *c, struct panel *p, int h)
{
    for (int g = 0; g < GROUPS; g++)
        TURN_FIELD(c, q[g], p->q[g], h);
    TURN_FIELD(c, scale, p->scale, h);
    if (kind.has_add || kind.has_minima)
        TURN_FIELD(c, add, p->add, h);
    if (kind.has_offset)
        TURN_FIELD(c, offset, p->offset, h);
}

/* Factors go by a detour: a pair of halves becomes two registers. */
INLINE void panel_turn_factors(const struct chunk *c, struct panel *p)
{
    const vec lower = V(set1_epi32)(0xffff);
    vec pairs[GROUPS][WIDE];
    for (int h = 0; h < EIGHTS; h++)
        TURN_FIELD(c + 8 * h, factor, pairs, h);
    for (int g = 0; g < GROUPS; g++)
        for (int i = 0; i < WIDE; i++) {
            vec pair = pairs[g][i];
            p->factor[g][0][i] = (pair & lower) | V(slli_epi32)(pair, 16);
            p->factor[g][1][i] = (pair & ~lower) | V(srli_epi32)(pair, 16);
        }
}

/* The chunk that begins chunk_at bytes behind the beginning of rows [row, row + ROWS). Rows that
 * are not there repeat the last one. */
INLINE void panel_unpack(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                         const struct dot *d, int row, size_t chunk_at, int n, struct panel *p)
{
    struct chunk c[ROWS];
    const char *last = (const char *)d->w + (size_t)(d->n_w - 1) * d->w_bytes;
    const char *all_end = last + d->n / QUANT_BLOCK * chunk_bytes / GROUPS;
    for (int r = 0; r < ROWS; r++) {
        const char *w = (const char *)d->w + (size_t)(row + r) * d->w_bytes;
        w = row + r < d->n_w ? w : last;
        chunk_unpack(kind, unpack, chunk_bytes, n, w + chunk_at, all_end, &c[r]);
    }
    for (int h = 0; h < EIGHTS; h++)
        panel_turn(kind, c + 8 * h, p, h);
    if (kind.has_factor)
        panel_turn_factors(c, p);
}

/* Adds the scaled sums of group g of a panel, as add_chunk() does; i is its number in the rows. */
INLINE void panel_add(const struct kind kind, const struct panel *p, int g, const vec *sums,
                      const char *x, struct act_layout at, size_t i, vecf *acc)
{
    int first = kind.has_factor ? 0 : g;
    vecf d = V(set1_ps)(load_float(x + at.d, i));
    for (int j = 0; j < WIDE; j++) {
        vec sum = sums[j], offset = sum;
        if (kind.has_offset)
            offset = V(madd_epi16)(p->offset[g][j],
                                   V(set1_epi32)(load_int(x + at.b + i * sizeof(int))));
        if (kind.has_offset && !kind.has_minima)
            sum = V(sub_epi32)(sum, offset);
        acc[j] = V(fmadd_ps)(V(mul_ps)(p->scale[first][j], d), V(cvtepi32_ps)(sum), acc[j]);
        if (kind.has_minima)
            acc[j] = V(fmadd_ps)(V(mul_ps)(p->add[first][j], d), V(cvtepi32_ps)(offset), acc[j]);
        if (kind.has_add)
            acc[j] = V(fmadd_ps)(p->add[g][j], V(set1_ps)(load_float(x + at.s, i)), acc[j]);
    }
}

/* The panel of chunk i, n groups, against T tokens from x on. */
INLINE void panel_tokens(const struct kind kind, panel_sums_fn *sums, int T,
                         const struct panel *p, const struct dot *d, int t0, size_t i, int n,
                         vecf (*acc)[GROUPS][WIDE])
{
    struct act_layout at = act_layout(d->n);
    for (int g = 0; g < n; g++) {
        vec sum[AT_ONCE][WIDE];
        size_t group = i * GROUPS + (size_t)g;
        sums(kind, T, p, g, act_row(d, t0) + group * QUANT_BLOCK, d->x_bytes, sum);
        for (int t = 0; t < T; t++)
            panel_add(kind, p, g, sum[t], act_row(d, t0 + t), at, group, acc[t][g]);
    }
}

/* The results of a panel's rows for one token, summed as by sum8(). */
INLINE void panel_store(vecf (*acc)[WIDE], float *y, int n_rows)
{
    float sum[ROWS];
    for (int j = 0; j < WIDE; j++) {
        vecf s[4];
        for (int i = 0; i < 4; i++)
            s[i] = V(add_ps)(acc[i][j], acc[i + 4][j]);
        V(storeu_ps)(sum + j * LANES, V(add_ps)(V(add_ps)(s[0], s[2]), V(add_ps)(s[1], s[3])));
    }
    memcpy(y, sum, (size_t)n_rows * sizeof *y);
}

/* Rows [row, row + ROWS) against n_x <= TOKENS tokens. */
INLINE void dot_panel(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                      panel_sums_fn *sums, const struct dot *d, int row)
{
    struct panel p;
    vecf acc[TOKENS][GROUPS][WIDE];
    int n_groups = (int)(d->n / QUANT_BLOCK), n_x = d->n_x;
    memset(acc, 0, (size_t)n_x * sizeof *acc);
    for (int g = 0; g < n_groups; g += GROUPS) {
        size_t i = (size_t)(g / GROUPS);
        int n = n_groups - g < GROUPS ? n_groups - g : GROUPS, t = 0;
        panel_unpack(kind, unpack, chunk_bytes, d, row, i * chunk_bytes, n, &p);
        for (; t + AT_ONCE <= n_x; t += AT_ONCE)
            panel_tokens(kind, sums, AT_ONCE, &p, d, t, i, n, acc + t);
        for (; AT_ONCE > 4 && t + 4 <= n_x; t += 4)
            panel_tokens(kind, sums, 4, &p, d, t, i, n, acc + t);
        for (; t < n_x; t++)
            panel_tokens(kind, sums, 1, &p, d, t, i, n, acc + t);
    }
    for (int t = 0; t < n_x; t++)
        panel_store(acc[t], d->y + (size_t)t * d->y_step + row,
                    d->n_w - row < ROWS ? d->n_w - row : ROWS);
}

/* ---- the dots ------------------------------------------------------------------------------- */

INLINE void dot_all(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                    chunk_sums_fn *chunk_sums, panel_sums_fn *panel_sums, const struct dot *all)
{
    for (int t = 0; t < all->n_x; t += TOKENS) {
        struct dot d = *all;
        d.x = (const char *)all->x + (size_t)t * all->x_bytes;
        d.y += (size_t)t * d.y_step;
        d.n_x = all->n_x - t < TOKENS ? all->n_x - t : TOKENS;
        for (int row = 0; row < d.n_w && d.n_x == 1; row++)
            dot_row(kind, unpack, chunk_bytes, chunk_sums, &d, row, 1);
        for (int row = 0; row < d.n_w && d.n_x > 1 && d.n_x <= FEW; row++)
            dot_row(kind, unpack, chunk_bytes, chunk_sums, &d, row, d.n_x);
        for (int row = 0; row < d.n_w && d.n_x > FEW; row += ROWS)
            dot_panel(kind, unpack, chunk_bytes, panel_sums, &d, row);
    }
}

#endif
