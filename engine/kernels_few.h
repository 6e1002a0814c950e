/* kernels_few.h -- products of 2 to 8 tokens with registers of 512 bits: the third way through a
 * product of kernels_product.h, with the bits of the other two.
 *
 * A chunk of two rows is turned so that a lane is a group: lane g of register k has the word k, 4
 * values, of group g of the first row, lane 8 + g that of the second. The activations are turned
 * likewise. Nothing is added across lanes, and what unpacking and turning cost is shared by the
 * tokens. Eight rows go together: what rows have left behind their last whole chunk, up to two
 * groups, then fills a register's lanes too, and their results are added up and stored at once. */
#ifndef DUET_ENGINE_KERNELS_FEW_H
#define DUET_ENGINE_KERNELS_FEW_H

#ifndef LANES
#define LANES 16
#define DOT_PANEL _mm512_dpbusd_epi32
#endif
#include "engine/kernels_product.h"

#define TWINS      4           /* of rows */
#define FEW_ROWS   (2 * TWINS)
#define CHUNK_LEFT 2           /* groups at the end of a row that need no chunk of their own */

/* A chunk of two rows. Fields as in struct chunk; factors have 32 bits. */
struct twins {
    vec q[QUADS];
    vec factor[2], offset;     /* factors of first and second halves */
    vecf scale, add;
};

INLINE vec two(__m256i low, __m256i high)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

INLINE vec twice(const void *p)
{
    return _mm512_broadcast_i64x4(load_bytes(p));
}

/* In each 128 bits the words of 4 registers change places: word i of in[j * step] becomes word j of
 * out[i]. */
INLINE void turn4(const vec *in, int step, vec *out)
{
    vec a = _mm512_unpacklo_epi32(in[0], in[step]), b = _mm512_unpackhi_epi32(in[0], in[step]);
    vec c = _mm512_unpacklo_epi32(in[2 * step], in[3 * step]);
    vec d = _mm512_unpackhi_epi32(in[2 * step], in[3 * step]);
    out[0] = _mm512_unpacklo_epi64(a, c);
    out[1] = _mm512_unpackhi_epi64(a, c);
    out[2] = _mm512_unpacklo_epi64(b, d);
    out[3] = _mm512_unpackhi_epi64(b, d);
}

/* Registers of one group of two rows each, 8 words of the first and of the second row, turned. */
INLINE void turn_groups(const vec *group, vec *q)
{
    const vec first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const vec second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    vec low[4], high[4];
    turn4(group, 1, low);
    turn4(group + 4, 1, high);
    for (int i = 0; i < 4; i++) {
        q[i] = _mm512_permutex2var_epi64(low[i], first, high[i]);
        q[4 + i] = _mm512_permutex2var_epi64(low[i], second, high[i]);
    }
}

/* ---- chunks of two rows --------------------------------------------------------------------- */

/* Factors of 16 bits, two for each group. */
INLINE void set_factors(struct twins *t, vec f)
{
    t->factor[0] = _mm512_srai_epi32(_mm512_slli_epi32(f, 16), 16);
    t->factor[1] = _mm512_srai_epi32(f, 16);
}

/* Any format. */
INLINE void twins_any(const struct kind kind, unpack_fn *unpack, const char *a, const char *b,
                      struct twins *t)
{
    struct chunk c[2];
    vec q[2 * PAIRS];
    chunk_unpack(kind, unpack, a, GROUPS, &c[0]);
    chunk_unpack(kind, unpack, b, GROUPS, &c[1]);
    for (int i = 0; i < 2 * PAIRS; i++)
        q[i] = two(c[0].q[i], c[1].q[i]);
    turn4(q, 2, t->q);
    turn4(q + 1, 2, t->q + 4);
    t->scale = (vecf)two((__m256i)c[0].scale, (__m256i)c[1].scale);
    if (kind.has_add || kind.has_minima)
        t->add = (vecf)two((__m256i)c[0].add, (__m256i)c[1].add);
    if (kind.has_offset)
        t->offset = two(c[0].offset, c[1].offset);
    if (kind.has_factor)
        set_factors(t, two(c[0].factor, c[1].factor));
}

INLINE void twins_q8_0(const char *a, const char *b, struct twins *t)
{
    const struct block_q8_0 *x = (const void *)a, *y = (const void *)b;
    vec group[GROUPS];
    for (int g = 0; g < GROUPS; g++)
        group[g] = two(load_bytes(x[g].q), load_bytes(y[g].q)) ^ _mm512_set1_epi32(~0x7f7f7f7f);
    turn_groups(group, t->q);
    t->scale = (vecf)two((__m256i)gather_scales(a, sizeof *x, GROUPS),
                         (__m256i)gather_scales(b, sizeof *y, GROUPS));
    t->offset = _mm512_set1_epi32(128 << 16 | 128);
}

/* Word i of all blocks of two rows: blocks are 5 words long, so one load has those of four. */
INLINE vec words_q4_1(const char *a, const char *b, int i)
{
    const vec first = _mm512_setr_epi32(0, 5, 10, 15, 0, 0, 0, 0, 16, 21, 26, 31, 0, 0, 0, 0);
    const vec second = _mm512_setr_epi32(0, 0, 0, 0, 0, 5, 10, 15, 0, 0, 0, 0, 16, 21, 26, 31);
    enum { HALF = 4 * sizeof(struct block_q4_1) };
    vec low = _mm512_permutex2var_epi32(_mm512_loadu_si512(a + 4 * i), first,
                                        _mm512_loadu_si512(b + 4 * i));
    vec high = _mm512_permutex2var_epi32(_mm512_loadu_si512(a + HALF + 4 * i), second,
                                         _mm512_loadu_si512(b + HALF + 4 * i));
    return _mm512_mask_blend_epi32(0xf0f0, low, high);
}

INLINE void twins_q4_1(const char *a, const char *b, struct twins *t)
{
    const vec nibble = _mm512_set1_epi32(0x0f0f0f0f);
    vec both = words_q4_1(a, b, 0);
    for (int i = 0; i < QUADS / 2; i++) {
        vec v = words_q4_1(a, b, 1 + i);
        t->q[i] = v & nibble;
        t->q[QUADS / 2 + i] = _mm512_srli_epi32(v, 4) & nibble;
    }
    t->scale = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(both));
    t->add = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(both, 16)));
}

INLINE void twins_q4_k(const char *a, const char *b, struct twins *t)
{
    const struct block_q4_k *x = (const void *)a, *y = (const void *)b;
    const vec nibble = _mm512_set1_epi32(0x0f0f0f0f);
    struct chunk c[2];
    vec group[GROUPS];
    for (int i = 0; i < PAIRS; i++) {
        vec v = two(load_bytes(x->q + 32 * i), load_bytes(y->q + 32 * i));
        group[2 * i] = v & nibble;
        group[2 * i + 1] = _mm512_srli_epi32(v, 4) & nibble;
    }
    turn_groups(group, t->q);
    set_six_bit_scales(&c[0], x);
    set_six_bit_scales(&c[1], y);
    t->scale = (vecf)two((__m256i)c[0].scale, (__m256i)c[1].scale);
    t->add = (vecf)two((__m256i)c[0].add, (__m256i)c[1].add);
    set_factors(t, two(c[0].factor, c[1].factor));
}

INLINE void twins_q6_k(const char *a, const char *b, struct twins *t)
{
    const struct block_q6_k *x = (const void *)a, *y = (const void *)b;
    const vec nibble = _mm512_set1_epi32(0x0f0f0f0f), upper = _mm512_set1_epi32(0x30303030);
    vec group[GROUPS];
    for (int h = 0; h < 2; h++) {
        vec high = two(load_bytes(x->high + 32 * h), load_bytes(y->high + 32 * h));
        vec *g = group + PAIRS * h;
        for (int i = 0; i < 2; i++) {
            vec low = two(load_bytes(x->q + 64 * h + 32 * i), load_bytes(y->q + 64 * h + 32 * i));
            g[i] = low & nibble;
            g[2 + i] = _mm512_srli_epi32(low, 4) & nibble;
        }
        g[0] |= _mm512_slli_epi32(high, 4) & upper;
        g[1] |= _mm512_slli_epi32(high, 2) & upper;
        g[2] |= high & upper;
        g[3] |= _mm512_srli_epi32(high, 2) & upper;
    }
    turn_groups(group, t->q);
    vec f = two(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)x->s)),
                _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)y->s)));
    set_factors(t, f);
    t->offset = _mm512_slli_epi16(f, 5);
    t->scale = (vecf)two((__m256i)_mm256_set1_ps(_cvtsh_ss(x->d)),
                         (__m256i)_mm256_set1_ps(_cvtsh_ss(y->d)));
}

INLINE void twins_unpack(const struct kind kind, unpack_fn *unpack, const char *a, const char *b,
                         struct twins *t)
{
    if (unpack == unpack_q8_0)
        twins_q8_0(a, b, t);
    else if (unpack == unpack_q4_1)
        twins_q4_1(a, b, t);
    else if (unpack == unpack_q4_k)
        twins_q4_k(a, b, t);
    else if (unpack == unpack_q6_k)
        twins_q6_k(a, b, t);
    else
        twins_any(kind, unpack, a, b, t);
}

/* ---- activations ---------------------------------------------------------------------------- */

/* The chunks of a row of activations turned: word k of the 8 groups, then word k + 1, ... */
INLINE void turn_act(const char *x, size_t n_chunks, char *out)
{
    const vec low = _mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
    const vec high = _mm512_setr_epi32(4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31);
    const vec first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const vec second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    for (size_t c = 0; c < n_chunks; c++, x += GROUPS * QUANT_BLOCK, out += GROUPS * QUANT_BLOCK) {
        vec in[4];
        for (int i = 0; i < 4; i++)
            in[i] = _mm512_loadu_si512(x + 64 * i);
        for (int h = 0; h < 2; h++) {
            vec a = _mm512_permutex2var_epi32(in[0], h ? high : low, in[1]);
            vec b = _mm512_permutex2var_epi32(in[2], h ? high : low, in[3]);
            _mm512_storeu_si512(out + 128 * h, _mm512_permutex2var_epi64(a, first, b));
            _mm512_storeu_si512(out + 128 * h + 64, _mm512_permutex2var_epi64(a, second, b));
        }
    }
}

/* A token's scales, sums and sums of halves, in the lanes of its groups, and its word k. */
struct few_act {
    vec q[QUADS], b;
    vecf d, s;
};

/* For whole chunks: each group's twice. */
INLINE struct few_act act_of_chunk(const struct row_act *a, struct act_layout at, size_t i)
{
    struct few_act x;
    size_t lanes = i * sizeof(__m256);
    const __m256i *q = a->pairs + i * GROUPS;
    __asm__("" : "+r"(q));  /* one register for all loads, not one for the place of each */
    for (int k = 0; k < QUADS; k++)
        x.q[k] = twice(q + k);
    x.d = (vecf)twice(a->x + at.d + lanes);
    x.s = (vecf)twice(a->x + at.s + lanes);
    x.b = twice(a->x + at.b + lanes);
    return x;
}

/* Of the first two groups 4 times, and that twice. */
INLINE vec spread(const void *p)
{
    const vec order = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1);
    return _mm512_permutexvar_epi32(order, twice(p));
}

INLINE struct few_act act_of_rest(const struct row_act *a, struct act_layout at, size_t i)
{
    struct few_act x;
    size_t lanes = i * sizeof(__m256);
    for (int k = 0; k < QUADS; k++)
        x.q[k] = spread(a->pairs + i * GROUPS + k);
    x.d = (vecf)spread(a->x + at.d + lanes);
    x.s = (vecf)spread(a->x + at.s + lanes);
    x.b = spread(a->x + at.b + lanes);
    return x;
}

/* ---- sums ----------------------------------------------------------------------------------- */

/* What add_chunk() does. */
INLINE vecf few_add(const struct kind kind, const struct twins *w, const struct few_act *x,
                    vecf acc)
{
    vec sum = {0}, second;
    for (int k = 0; k < QUADS / 2; k++)
        sum = DOT_PANEL(sum, w->q[k], x->q[k]);
    second = kind.has_halves ? (vec){0} : sum;
    for (int k = QUADS / 2; k < QUADS; k++)
        second = DOT_PANEL(second, w->q[k], x->q[k]);
    if (kind.has_halves)
        sum = _mm512_add_epi32(_mm512_mullo_epi32(sum, w->factor[0]),
                               _mm512_mullo_epi32(second, w->factor[1]));
    else
        sum = kind.has_factor ? _mm512_mullo_epi32(second, w->factor[0]) : second;
    vec offset = kind.has_offset ? _mm512_madd_epi16(w->offset, x->b) : sum;
    if (kind.has_offset && !kind.has_minima)
        sum = _mm512_sub_epi32(sum, offset);
    acc = _mm512_fmadd_ps(_mm512_mul_ps(w->scale, x->d), _mm512_cvtepi32_ps(sum), acc);
    if (kind.has_minima)
        acc = _mm512_fmadd_ps(_mm512_mul_ps(w->add, x->d), _mm512_cvtepi32_ps(offset), acc);
    if (kind.has_add)
        acc = _mm512_fmadd_ps(w->add, x->s, acc);
    return acc;
}

/* The same on sums of a whole row. */
INLINE void twins_chunk(const struct kind kind, unpack_fn *unpack, const char *a, const char *b,
                        const struct row_act *act, int n_x, struct act_layout at, size_t i,
                        vecf (*acc)[TWINS])
{
    struct twins w;
    twins_unpack(kind, unpack, a, b, &w);
    for (int t = 0; t < n_x; t++) {
        struct few_act x = act_of_chunk(&act[t], at, i);
        (*acc)[0] = few_add(kind, &w, &x, (*acc)[0]);
        acc++;
    }
}

/* What 8 rows have behind their whole chunks, two groups at most: lane 8 (r / 4) + 4 g + r % 4 is
 * group g of row r. */
INLINE void rest_unpack(const struct kind kind, unpack_fn *unpack, const char *w, size_t w_bytes,
                        size_t chunk_bytes, int left, struct twins *t)
{
    char copy[CHUNK_MAX];
    float scale[2 * FEW_ROWS], add[2 * FEW_ROWS];
    vec row[FEW_ROWS], part[2][4];
    for (int r = 0; r < FEW_ROWS; r++, w += w_bytes) {
        struct chunk c;
        const char *from = w;
        if (left < CHUNK_LEFT)
            from = chunk_alone(w, chunk_bytes / GROUPS * (size_t)left, chunk_bytes, copy);
        chunk_unpack(kind, unpack, from, CHUNK_LEFT, &c);
        row[r] = two(_mm256_permute2x128_si256(c.q[0], c.q[1], 0x20),
                     _mm256_permute2x128_si256(c.q[2], c.q[3], 0x20));
        for (int g = 0; g < CHUNK_LEFT; g++) {
            int lane = r / 4 * 8 + g * 4 + r % 4;
            scale[lane] = c.scale[g];
            add[lane] = kind.has_add ? c.add[g] : 0;
        }
        t->offset = kind.has_offset ? two(c.offset, c.offset) : (vec){0};  /* the same in all */
    }
    turn4(row, 1, part[0]);
    turn4(row + 4, 1, part[1]);
    for (int i = 0; i < 4; i++) {
        t->q[i] = _mm512_shuffle_i32x4(part[0][i], part[1][i], 0x88);
        t->q[4 + i] = _mm512_shuffle_i32x4(part[0][i], part[1][i], 0xdd);
    }
    t->scale = _mm512_loadu_ps(scale);
    t->add = _mm512_loadu_ps(add);
}

/* Of a token, the sums of 8 rows: out[i] has those of groups 2 i and 2 i + 1 (mod 8), of row r and
 * group g in lane 4 (r % 4) + 2 (g % 2) + r / 4. */
INLINE void turn_sums(const vecf *acc, vec *out)
{
    const vec *a = (const vec *)acc;
    vec half[2][2];
    for (int i = 0; i < 2; i++) {
        half[i][0] = _mm512_shuffle_i32x4(a[2 * i], a[2 * i + 1], 0x88);
        half[i][1] = _mm512_shuffle_i32x4(a[2 * i], a[2 * i + 1], 0xdd);
    }
    for (int i = 0; i < 2; i++) {
        out[2 * i] = _mm512_unpacklo_epi32(half[0][i], half[1][i]);
        out[2 * i + 1] = _mm512_unpackhi_epi32(half[0][i], half[1][i]);
    }
}

/* Adds the rest of 8 rows to the sums of groups 0 and 1, as turn_sums() gives them. */
INLINE vec add_rest(const struct kind kind, const struct twins *rest, const struct few_act *x,
                    vec sums)
{
    const vec there = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15);
    const vec back = _mm512_setr_epi32(0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15);
    vecf acc = (vecf)_mm512_permutexvar_epi32(there, sums);
    return _mm512_permutexvar_epi32(back, (vec)few_add(kind, rest, x, acc));
}

/* The results of 8 rows, summed as by sum8(). */
INLINE void few_store(const vec *sums, float *y)
{
    const vec rows = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    vecf all = _mm512_add_ps(_mm512_add_ps((vecf)sums[0], (vecf)sums[2]),
                             _mm512_add_ps((vecf)sums[1], (vecf)sums[3]));
    all = _mm512_add_ps(all, (vecf)_mm512_shuffle_epi32((vec)all, 0x4e));
    vec out = _mm512_permutexvar_epi32(rows, (vec)all);
    _mm256_storeu_si256((void *)y, _mm512_castsi512_si256(out));
}

/* Rows [row, row + 8) against n_x tokens. Chunk by chunk, so that the activations of a chunk stay
 * near; lines of weights are asked for ahead, in the rows themselves or, of short ones, in the next
 * 8. */
INLINE void few_rows(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                     const struct dot *d, int row, int n_x, const struct row_act *a)
{
    char copy[2][CHUNK_MAX];
    vecf acc[FEW][TWINS];
    struct act_layout at = act_layout(d->n);
    size_t block = chunk_bytes / GROUPS, i = 0;
    size_t ahead = d->w_bytes < AHEAD ? FEW_ROWS * d->w_bytes : AHEAD;
    const char *w = (const char *)d->w + (size_t)row * d->w_bytes;
    int left = (int)(d->n / QUANT_BLOCK);
    memset(acc, 0, (size_t)n_x * sizeof *acc);
    for (; left > CHUNK_LEFT; left -= GROUPS, i++, w += chunk_bytes)
        for (int p = 0; p < TWINS; p++) {
            const char *x = w + (size_t)(2 * p) * d->w_bytes, *y = x + d->w_bytes;
            for (size_t line = 0; line < chunk_bytes; line += 64) {
                _mm_prefetch(x + ahead + line, _MM_HINT_T1);
                _mm_prefetch(y + ahead + line, _MM_HINT_T1);
            }
            if (left < GROUPS) {
                x = chunk_alone(x, block * (size_t)left, chunk_bytes, copy[0]);
                y = chunk_alone(y, block * (size_t)left, chunk_bytes, copy[1]);
            }
            twins_chunk(kind, unpack, x, y, a, n_x, at, i, (vecf (*)[TWINS])&acc[0][p]);
        }
    struct twins rest = {0};
    bool has_rest = left > 0 && !kind.has_factor;
    if (has_rest)
        rest_unpack(kind, unpack, w, d->w_bytes, chunk_bytes, left, &rest);
    for (int t = 0; t < n_x; t++) {
        vec sums[4];
        turn_sums(acc[t], sums);
        if (has_rest) {
            struct few_act x = act_of_rest(&a[t], at, i);
            sums[0] = add_rest(kind, &rest, &x, sums[0]);
        }
        few_store(sums, d->y + (size_t)t * d->y_step + (size_t)row);
    }
}

/* The rows that do not fill a step go one by one. */
INLINE void dot_few(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                    chunk_sums_fn *sums, const struct dot *d)
{
    __m256i turned[FEW][ROW_MAX / sizeof(__m256i)];
    struct row_act a[FEW];
    int row = 0;
    for (int t = 0; t < d->n_x; t++) {
        a[t] = (struct row_act){ act_row(d, t), turned[t] };
        turn_act(a[t].x, q8_blocks(d->n) / GROUPS, (char *)turned[t]);
    }
    for (; row + FEW_ROWS <= d->n_w; row += FEW_ROWS)
        few_rows(kind, unpack, chunk_bytes, d, row, d->n_x, a);
    if (row < d->n_w)
        dot_rows(kind, unpack, chunk_bytes, sums, d, row, d->n_x);
}

#endif
