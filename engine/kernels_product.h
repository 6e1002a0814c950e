/* kernels_product.h -- the products of quantised weights with 8-bit activations, for all sets for
 * x86. A set includes it with LANES, 8 or 16, and AT_ONCE, and gives dot_all() its inner sums
 * and what few tokens take.
 *
 * There are two ways through a product, and both give the same bits. In both, the products inside
 * a group are summed in integers; of a row, the scaled sums of the groups 0, 8, 16, ... are added
 * up in order, and so are those of 1, 9, 17, ...; then these eight sums are added in a fixed tree.
 *
 *   few tokens    row after row, as they come from memory: eight groups are eight lanes; or two
 *                 rows at once (kernels_few.h)
 *   many tokens   ROWS rows at once, in a panel: 4 values of each row in a lane, which meet the
 *                 same 4 values of the activations. Nothing is summed across lanes, and unpacking
 *                 and turning are paid once for TOKENS tokens. */
#ifndef DUET_ENGINE_KERNELS_PRODUCT_H
#define DUET_ENGINE_KERNELS_PRODUCT_H

#include "engine/kernels_unpack.h"

#define FEW     8             /* so many tokens still go row by row */
#define TOKENS  128           /* that a panel meets */
#define CHUNKS  4             /* of a panel that are unpacked at a time and fit the first cache */
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

/* ---- row by row ----------------------------------------------------------------------------- */

#define ROW_MAX 32768  /* values of a row; longer ones go by panels */
#define AHEAD   6144   /* bytes behind a chunk that are asked for */

/* The activations of one token in pairs of groups, as in struct chunk. */
struct row_act {
    const char *x;  /* the row of quant.h */
    const __m256i *pairs;
};

/* sum factor q x of each of the first n groups of a chunk. */
typedef __m256i chunk_sums_fn(const struct kind kind, const struct chunk *c, const __m256i *x,
                              int n);

INLINE void pair_up(const char *x, size_t n_chunks, __m256i *out)
{
    for (size_t c = 0; c < n_chunks; c++, x += GROUPS * QUANT_BLOCK, out += GROUPS)
        for (int i = 0; i < PAIRS; i++) {
            __m256i a = load_bytes(x + i * QUANT_BLOCK);
            __m256i b = load_bytes(x + (i + PAIRS) * QUANT_BLOCK);
            out[2 * i] = _mm256_permute2x128_si256(a, b, 0x20);
            out[2 * i + 1] = _mm256_permute2x128_si256(a, b, 0x31);
        }
}

/* Four registers whose neighbours are added twice; those that are not there are 0. */
INLINE __m256i add_up(const __m256i *v, int n)
{
    const __m256i zero = _mm256_setzero_si256();
    return _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]),
                             n > 2 ? _mm256_hadd_epi32(v[2], v[3]) : zero);
}

/* Chunk i of a row, n groups, against a token's activations. */
INLINE __m256 add_chunk(const struct kind kind, chunk_sums_fn *sums, const struct chunk *c, int n,
                        const struct row_act *a, struct act_layout at, size_t i, __m256 acc)
{
    size_t lanes = i * sizeof acc;
    __m256i sum = sums(kind, c, a->pairs + i * GROUPS, n), offset = sum;
    __m256 d = _mm256_castsi256_ps(load_bytes(a->x + at.d + lanes));
    if (kind.has_offset)
        offset = _mm256_madd_epi16(c->offset, load_bytes(a->x + at.b + lanes));
    if (kind.has_offset && !kind.has_minima)
        sum = _mm256_sub_epi32(sum, offset);
    acc = _mm256_fmadd_ps(_mm256_mul_ps(c->scale, d), _mm256_cvtepi32_ps(sum), acc);
    if (kind.has_minima)
        acc = _mm256_fmadd_ps(_mm256_mul_ps(c->add, d), _mm256_cvtepi32_ps(offset), acc);
    if (kind.has_add)
        acc = _mm256_fmadd_ps(c->add, _mm256_castsi256_ps(load_bytes(a->x + at.s + lanes)), acc);
    return acc;
}

/* Chunk i, n groups, which stand at w, against n_x tokens. */
INLINE void row_chunk(const struct kind kind, unpack_fn *unpack, chunk_sums_fn *sums,
                      const char *w, int n, const struct row_act *a, int n_x,
                      struct act_layout at, size_t i, __m256 *acc)
{
    struct chunk c;
    chunk_unpack(kind, unpack, w, n, &c);
    for (int t = 0; t < n_x; t++)
        acc[t] = add_chunk(kind, sums, &c, n, &a[t], at, i, acc[t]);
}

#define CHUNK_MAX (GROUPS * sizeof(struct block_q8_0))

/* n_x is d->n_x, a constant where it is 1. Lines that are wanted soon are asked for: rows follow
 * each other in memory, and the hardware looks ahead inside a page only. They are asked for into
 * the second cache, which waits for several times as many lines at once as the first can. */
INLINE void dot_row(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                    chunk_sums_fn *sums, const struct dot *d, int row, int n_x,
                    const struct row_act *a)
{
    char copy[CHUNK_MAX];
    int left = (int)(d->n / QUANT_BLOCK);
    const char *w = (const char *)d->w + (size_t)row * d->w_bytes;
    struct act_layout at = act_layout(d->n);
    size_t i = 0, block = chunk_bytes / GROUPS;
    __m256 acc[FEW];
    for (int t = 0; t < n_x; t++)
        acc[t] = _mm256_setzero_ps();
    for (; left > PAIRS; left -= GROUPS, i++, w += chunk_bytes) {
        for (size_t ahead = 0; ahead < chunk_bytes; ahead += 64)
            _mm_prefetch(w + AHEAD + ahead, _MM_HINT_T1);
        const char *from = w;
        if (left < GROUPS)
            from = chunk_alone(w, block * (size_t)left, chunk_bytes, copy);
        row_chunk(kind, unpack, sums, from, GROUPS, a, n_x, at, i, acc);
    }
    if (left > 0 && !kind.has_factor) {
        const char *from = w;
        if (left % 2)
            from = chunk_alone(w, block * (size_t)left, chunk_bytes, copy);
        if (left <= 2)
            row_chunk(kind, unpack, sums, from, 2, a, n_x, at, i, acc);
        else
            row_chunk(kind, unpack, sums, from, PAIRS, a, n_x, at, i, acc);
    }
    for (int t = 0; t < n_x; t++)
        d->y[(size_t)t * d->y_step + (size_t)row] = sum8(acc[t]);
}

/* From row `row` on. */
INLINE void dot_rows(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                     chunk_sums_fn *sums, const struct dot *d, int row, int n_x)
{
    __m256i pairs[FEW][ROW_MAX / sizeof(__m256i)];
    struct row_act a[FEW];
    for (int t = 0; t < n_x; t++) {
        a[t] = (struct row_act){ act_row(d, t), pairs[t] };
        pair_up(a[t].x, q8_blocks(d->n) / GROUPS, pairs[t]);
    }
    for (; row < d->n_w; row++)
        dot_row(kind, unpack, chunk_bytes, sums, d, row, n_x, a);
}

/* Products of 2 to FEW tokens. */
typedef void few_fn(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                    chunk_sums_fn *sums, const struct dot *d);

INLINE void few_by_row(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                       chunk_sums_fn *sums, const struct dot *d)
{
    dot_rows(kind, unpack, chunk_bytes, sums, d, 0, d->n_x);
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

/* Turns 8 registers of 8 words of 32 bits: word i of in[r] becomes word r of low[i * step], word
 * 4 + i that of high[i * step]. */
INLINE void turn8(const __m256i *in, __m256i *low, __m256i *high, int step)
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
        low[i * step] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        high[i * step] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
}

#define EIGHTS (ROWS / 8)  /* registers of 256 bits side by side */

/* A register of 8 chunks to two fields [4][WIDE] of a panel: their rows 8 h to 8 h + 7. */
#define TURN_HALVES(c, field, low, high, h)                                                   \
    do {                                                                                      \
        __m256i in[8];                                                                        \
        for (int r = 0; r < 8; r++)                                                           \
            in[r] = (__m256i)(c)[r].field;                                                    \
        turn8(in, (__m256i *)(low) + (h), (__m256i *)(high) + (h), EIGHTS);                   \
    } while (0)

/* The same to one field [GROUPS][WIDE]. */
#define TURN_FIELD(c, field, out, h) TURN_HALVES(c, field, out, (out) + GROUPS / 2, h)

/* 8 unpacked rows become rows 8 h to 8 h + 7 of a panel. */
INLINE void panel_turn(const struct kind kind, const struct chunk *c, struct panel *p, int h)
{
    for (int i = 0; i < PAIRS; i++)
        for (int half = 0; half < 2; half++)
            TURN_HALVES(c, q[2 * i + half], p->q[i] + half * QUADS / 2,
                        p->q[i + PAIRS] + half * QUADS / 2, h);
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

/* The chunk that begins chunk_at bytes behind the beginning of rows [row, row + ROWS), of which n
 * groups count. Rows that are not there repeat the last one. What stands behind a row is unpacked
 * too, but not where memory may end. */
INLINE void panel_unpack(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                         const struct dot *d, int row, size_t chunk_at, int n, struct panel *p)
{
    struct chunk c[ROWS];
    char copy[CHUNK_MAX];
    const char *last = (const char *)d->w + (size_t)(d->n_w - 1) * d->w_bytes;
    const char *end = last + d->n / QUANT_BLOCK * chunk_bytes / GROUPS;
    for (int r = 0; r < ROWS; r++) {
        const char *w = (const char *)d->w + (size_t)(row + r) * d->w_bytes;
        w = (row + r < d->n_w ? w : last) + chunk_at;
        if (n < GROUPS && (size_t)(end - w) < chunk_bytes)
            w = chunk_alone(w, chunk_bytes / GROUPS * (size_t)n, chunk_bytes, copy);
        chunk_unpack(kind, unpack, w, GROUPS, &c[r]);
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

/* CHUNKS chunks of a panel, or what a row has left of them. */
struct stretch {
    struct panel p[CHUNKS];
    int from, n;             /* groups of the rows */
    bool is_first, is_last;
};

/* The results of a panel's rows for one token, summed as by sum8(). */
INLINE void panel_store(vecf (*acc)[WIDE], float *y, int n_rows)
{
    float part[ROWS], *to = n_rows == ROWS ? y : part;
    for (int j = 0; j < WIDE; j++) {
        vecf s[4];
        for (int i = 0; i < 4; i++)
            s[i] = V(add_ps)(acc[i][j], acc[i + 4][j]);
        V(storeu_ps)(to + j * LANES, V(add_ps)(V(add_ps)(s[0], s[2]), V(add_ps)(s[1], s[3])));
    }
    if (to == part)
        memcpy(y, part, (size_t)n_rows * sizeof *y);
}

/* A stretch against T tokens from t0 on. The groups that are added up in one sum follow each other;
 * what the rows have before the stretch is in acc, and so is what they have behind it. */
INLINE void panel_tokens(const struct kind kind, panel_sums_fn *sums, int T,
                         const struct stretch *s, const struct dot *d, int t0, int row,
                         vecf (*acc)[GROUPS][WIDE])
{
    struct act_layout at = act_layout(d->n);
    for (int g = 0; g < GROUPS; g++) {
        vecf total[AT_ONCE][WIDE];
        for (int t = 0; t < T; t++)
            for (int j = 0; j < WIDE; j++)
                total[t][j] = s->is_first ? (vecf){0} : acc[t][g][j];
        for (int i = g; i < s->n; i += GROUPS) {
            vec sum[AT_ONCE][WIDE];
            const struct panel *p = &s->p[i / GROUPS];
            size_t group = (size_t)(s->from + i);
            sums(kind, T, p, g, act_row(d, t0) + group * QUANT_BLOCK, d->x_bytes, sum);
            for (int t = 0; t < T; t++)
                panel_add(kind, p, g, sum[t], act_row(d, t0 + t), at, group, total[t]);
        }
        for (int t = 0; t < T; t++)
            for (int j = 0; j < WIDE; j++)
                acc[t][g][j] = total[t][j];
    }
    for (int t = 0; t < T && s->is_last; t++)
        panel_store(acc[t], d->y + (size_t)(t0 + t) * d->y_step + row,
                    d->n_w - row < ROWS ? d->n_w - row : ROWS);
}

/* A stretch of rows [row, row + ROWS) against all tokens. Sums that no other stretch adds to need
 * no place of their own. */
INLINE void panel_stretch(const struct kind kind, panel_sums_fn *sums, const struct stretch *s,
                          const struct dot *d, int row, vecf (*acc)[GROUPS][WIDE])
{
    int t = 0, step = s->is_first && s->is_last ? 0 : 1;
    for (; t + AT_ONCE <= d->n_x; t += AT_ONCE)
        panel_tokens(kind, sums, AT_ONCE, s, d, t, row, acc + t * step);
    for (; AT_ONCE > 4 && t + 4 <= d->n_x; t += 4)
        panel_tokens(kind, sums, 4, s, d, t, row, acc + t * step);
    for (; t < d->n_x; t++)
        panel_tokens(kind, sums, 1, s, d, t, row, acc + t * step);
}

/* Rows [row, row + ROWS) against n_x <= TOKENS tokens. */
INLINE void dot_panel(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                      panel_sums_fn *sums, const struct dot *d, int row)
{
    enum { MOST = CHUNKS * GROUPS };
    struct stretch s;
    vecf acc[TOKENS][GROUPS][WIDE];
    int n_groups = (int)(d->n / QUANT_BLOCK);
    for (s.from = 0; s.from < n_groups; s.from += MOST) {
        s.n = n_groups - s.from < MOST ? n_groups - s.from : MOST;
        s.is_first = s.from == 0;
        s.is_last = s.from + s.n == n_groups;
        for (int i = 0; i < s.n; i += GROUPS)
            panel_unpack(kind, unpack, chunk_bytes, d, row,
                         (size_t)((s.from + i) / GROUPS) * chunk_bytes,
                         s.n - i < GROUPS ? s.n - i : GROUPS, &s.p[i / GROUPS]);
        panel_stretch(kind, sums, &s, d, row, acc);
    }
}

/* ---- the dots ------------------------------------------------------------------------------- */

INLINE void dot_all(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                    chunk_sums_fn *chunk_sums, few_fn *few, panel_sums_fn *panel_sums,
                    const struct dot *all)
{
    for (int t = 0; t < all->n_x; t += TOKENS) {
        struct dot d = *all;
        d.x = (const char *)all->x + (size_t)t * all->x_bytes;
        d.y += (size_t)t * d.y_step;
        d.n_x = all->n_x - t < TOKENS ? all->n_x - t : TOKENS;
        bool by_rows = d.n_x <= FEW && d.n <= ROW_MAX;
        if (by_rows && d.n_x == 1)
            dot_rows(kind, unpack, chunk_bytes, chunk_sums, &d, 0, 1);
        else if (by_rows)
            few(kind, unpack, chunk_bytes, chunk_sums, &d);
        for (int row = 0; row < d.n_w && !by_rows; row += ROWS)
            dot_panel(kind, unpack, chunk_bytes, panel_sums, &d, row);
    }
}

#endif
