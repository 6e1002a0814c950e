/* kernels_amx.c -- products of many tokens for AMX with brain floats, over kernels_avx512.c.
 *
 * A tile of activations is 32 values of 16 tokens as they stand, one of weights the same 32 values
 * of 16 rows in pairs. Two by two of them meet in four tiles of sums, so that each is loaded once
 * for two products. The sums lie as the results do, a row for each token. */
#include "engine/kernels.h"
#include "engine/kernels_tiles.h"
#include "engine/kernels_unpack.h"

/* ---- activations ---------------------------------------------------------------------------- */

static void pack_bf16(const float *const *x, size_t n, void *out)
{
    for (int t = 0; t < LANE_N; t++) {
        uint16_t *to = (uint16_t *)out + t * DEEP;
        for (size_t i = 0; i < n; i += DEEP, to += TILE)
            if (x[t])
                store_bf16(to, _mm512_loadu_ps(x[t] + i), _mm512_loadu_ps(x[t] + i + 16));
            else
                store_bf16(to, _mm512_set1_ps(0), _mm512_set1_ps(0));
    }
}

/* ---- weights -------------------------------------------------------------------------------- */

/* One number for all lanes costs nothing where it is loaded from memory, but several steps where
 * the compiler knows which lane of which register it is in. So it is made to forget that. */
#define IN_MEMORY(object) __asm__("" : "+m"(object))

/* What a value of a chunk is made of: w = mul q + add, for both halves of its groups. */
struct chunk_scales {
    float mul[2][GROUPS], add[2][GROUPS];
};

/* The 16-bit number of each half of the groups. */
INLINE __m256 half_of(__m256i both, int h)
{
    __m256i wide = h ? both : _mm256_slli_epi32(both, 16);
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(wide, 16));
}

INLINE void scales_of(const struct kind kind, const struct chunk *c, struct chunk_scales *s)
{
    for (int h = 0; h < 2; h++) {
        __m256 add = kind.has_add ? c->add : _mm256_setzero_ps(), mul = c->scale;
        if (kind.has_factor)
            mul = _mm256_mul_ps(mul, half_of(c->factor, h));
        if (kind.has_minima)
            add = _mm256_mul_ps(c->add, half_of(c->offset, h));
        else if (kind.has_offset)
            add = _mm256_fnmadd_ps(c->scale, half_of(c->offset, h), add);
        _mm256_storeu_ps(s->mul[h], mul);
        _mm256_storeu_ps(s->add[h], add);
    }
    IN_MEMORY(*s);
}

/* Half h of group g in floats. */
INLINE __m512 half_floats(const struct kind kind, const struct chunk *c,
                          const struct chunk_scales *s, int g, int h)
{
    __m128i q = _mm_loadu_si128((const __m128i *)&c->q[2 * (g % PAIRS) + h] + g / PAIRS);
    __m512i wide = kind.most ? _mm512_cvtepu8_epi32(q) : _mm512_cvtepi8_epi32(q);
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(wide), _mm512_set1_ps(s->mul[h][g]),
                           _mm512_set1_ps(s->add[h][g]));
}

/* The first n groups of a chunk to n tiles; `to` is where their row begins in the first. */
INLINE void chunk_to_tiles(const struct kind kind, const struct chunk *c, int n, uint16_t *to)
{
    struct chunk_scales s;
    scales_of(kind, c, &s);
    for (int g = 0; g < n; g++, to += TILE)
        store_bf16(to, half_floats(kind, c, &s, g, 0), half_floats(kind, c, &s, g, 1));
}

#define CHUNK_MAX (GROUPS * sizeof(struct block_q8_0))

/* N groups of a chunk, a constant as unpack_fn wants it, of which the first n go to the tiles. */
INLINE void chunk_of_row(const struct kind kind, unpack_fn *unpack, const char *w, int N, int n,
                         uint16_t *to)
{
    struct chunk c;
    unpack(&c, w, N);
    IN_MEMORY(c.q);
    chunk_to_tiles(kind, &c, n, to);
}

/* The same at the end of a row; memory may end there. */
INLINE void last_of_row(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                        const char *w, int n, uint16_t *to)
{
    char copy[CHUNK_MAX];
    if (n == 2)
        chunk_of_row(kind, unpack, w, 2, 2, to);
    else if (n == PAIRS)
        chunk_of_row(kind, unpack, w, PAIRS, PAIRS, to);
    else
        chunk_of_row(kind, unpack,
                     chunk_alone(w, chunk_bytes / GROUPS * (size_t)n, chunk_bytes, copy), GROUPS,
                     n, to);
}

/* The n groups of a row's chunk at w. */
INLINE void row_to_tiles(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                         const char *w, int n, uint16_t *to)
{
    if (n >= GROUPS)
        chunk_of_row(kind, unpack, w, GROUPS, GROUPS, to);
    else if (!kind.has_factor)
        last_of_row(kind, unpack, chunk_bytes, w, n, to);
}

/* 16 rows from row `first` on; those that are not there repeat the last one. Chunk by chunk, so
 * that the tiles of one chunk stay near while the rows write to them. What the same chunks of the
 * next 16 rows are made of is asked for meanwhile. */
INLINE void rows_to_tiles(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                          const struct bf16_product *p, int first, uint16_t *to)
{
    int left = (int)(p->n / QUANT_BLOCK);
    const char *w = (const char *)p->w + p->from / (GROUPS * QUANT_BLOCK) * chunk_bytes;
    for (; left > 0; left -= GROUPS, w += chunk_bytes, to += GROUPS * TILE) {
        for (int r = 0; r < LANE_N; r++) {
            int row = first + r < p->n_w ? first + r : p->n_w - 1;
            const char *from = w + (size_t)row * p->w_bytes;
            for (size_t i = 0; i < chunk_bytes; i += 64)
                _mm_prefetch(from + LANE_N * p->w_bytes + i, _MM_HINT_T0);
            row_to_tiles(kind, unpack, chunk_bytes, from, left, to + r * DEEP);
        }
        for (int g = 0; g < GROUPS && g < left; g++)
            turn(to + g * TILE);
    }
}

INLINE void weights_to_tiles(const struct kind kind, unpack_fn *unpack, size_t chunk_bytes,
                             const struct bf16_product *p)
{
    for (int r = 0; r < p->n_w; r += LANE_N)
        rows_to_tiles(kind, unpack, chunk_bytes, p, r, (uint16_t *)p->tiles + (size_t)r * p->n);
}

/* ---- products ------------------------------------------------------------------------------- */

/* Some of a product's columns, so many that two groups of tokens fit the first cache there. */
struct stretch {
    const struct bf16_product *p;
    size_t from, n;
    bool add;
};

/* Where tiles begin: 16 rows of weights, 16 tokens. */
INLINE const uint16_t *rows_at(const struct stretch *s, int i)
{
    return (const uint16_t *)s->p->tiles + ((size_t)i * s->p->n + s->from) * LANE_N;
}

INLINE const uint16_t *tokens_at(const struct stretch *s, int i)
{
    return (const uint16_t *)s->p->x + ((size_t)i * s->p->n + s->from) * LANE_N;
}

/* Where the sums of token group x and row group w begin. */
INLINE float *sums_at(const struct stretch *s, int w, int x)
{
    return s->p->y + (size_t)x * LANE_N * s->p->y_step + (size_t)w * LANE_N;
}

/* The same of what is multiplied after that: memory may be slow to give them. */
INLINE const float *next_sums(const struct stretch *s, int w, int x)
{
    return (w + 2) * LANE_N < s->p->n_w ? sums_at(s, w + 2, x) : sums_at(s, 0, x + 2);
}

/* Tokens are tiles 4 and 5, weights 6 and 7. Weights pass by the first cache, where the tokens
 * shall stay.
 *
 * Token groups x and x + 1, row groups w and w + 1, all of whose sums there are. */
INLINE void two_by_two(const struct stretch *s, int w, int x)
{
    size_t step = s->p->y_step * sizeof(float);
    float *y0 = sums_at(s, w, x), *y1 = y0 + LANE_N * s->p->y_step;
    const char *ahead = (const char *)next_sums(s, w, x);
    const uint16_t *w0 = rows_at(s, w), *w1 = rows_at(s, w + 1);
    const uint16_t *x0 = tokens_at(s, x), *x1 = tokens_at(s, x + 1);
    BARRIER;
    if (s->add)
        load_sums(y0, y1, step);
    else
        zero_sums();
    for (size_t i = 0; i < s->n * LANE_N; i += TILE, ahead += 2 * step) {
        for (size_t t = 0; t < 2 && i < LANE_N * TILE; t++) {
            __builtin_prefetch(ahead + t * step, 1);
            __builtin_prefetch(ahead + t * step + 64, 1);
        }
        _tile_loadd(4, x0 + i, 64);
        _tile_stream_loadd(6, w0 + i, 64);
        _tile_stream_loadd(7, w1 + i, 64);
        _tile_loadd(5, x1 + i, 64);
        add_products();
    }
    store_sums(y0, y1, step);
    BARRIER;
}

/* One group of each, some of whose tokens or rows may not be there. */
INLINE void one_by_one(const struct stretch *s, int w, int x)
{
    const struct bf16_product *p = s->p;
    float sum[LANE_N][LANE_N] = {0}, *y = p->y + (size_t)x * LANE_N * p->y_step + w * LANE_N;
    int rows = p->n_w - w * LANE_N, tokens = p->n_x - x * LANE_N;
    size_t bytes = (size_t)(rows < LANE_N ? rows : LANE_N) * sizeof *y;
    for (int t = 0; s->add && t < LANE_N && t < tokens; t++)
        memcpy(sum[t], y + (size_t)t * p->y_step, bytes);
    BARRIER;
    _tile_loadd(0, sum, 64);
    for (size_t i = 0; i < s->n * LANE_N; i += TILE) {
        _tile_loadd(4, tokens_at(s, x) + i, 64);
        _tile_loadd(6, rows_at(s, w) + i, 64);
        _tile_dpbf16ps(0, 4, 6);
    }
    _tile_stored(0, sum, 64);
    BARRIER;
    for (int t = 0; t < LANE_N && t < tokens; t++)
        memcpy(y + (size_t)t * p->y_step, sum[t], bytes);
}

static void multiply_stretch(const struct stretch *s)
{
    int n_w = s->p->n_w, n_x = s->p->n_x;
    for (int x = 0; x * LANE_N < n_x; x += 2)
        for (int w = 0; w * LANE_N < n_w; w += 2) {
            if ((x + 2) * LANE_N <= n_x && (w + 2) * LANE_N <= n_w) {
                two_by_two(s, w, x);
                continue;
            }
            for (int i = 0; i < 4; i++)
                if ((w + i % 2) * LANE_N < n_w && (x + i / 2) * LANE_N < n_x)
                    one_by_one(s, w + i % 2, x + i / 2);
        }
}

#define STRETCH 512
#define LONGEST 640

static void multiply_stretches(const struct bf16_product *p)
{
    struct stretch s = { .p = p };
    for (; s.from < p->n; s.from += s.n) {
        s.n = p->n - s.from > LONGEST ? STRETCH : p->n - s.from;
        s.add = p->add || s.from > 0;
        multiply_stretch(&s);
    }
}

static void multiply_tiles(const struct bf16_product *p)
{
    _tile_loadconfig(&shapes);
    multiply_stretches(p);
    _tile_release();
}

/* ---- networks ------------------------------------------------------------------------------- */

#define PAIR_N (2 * LANE_N)   /* tokens that go all the way at once */

/* Of some tokens, sums of gate and then of up, n_w each. */
struct gate_sums {
    _Alignas(64) float of[PAIR_N][2 * GATE_ROWS];
};

/* The columns of x from `from` on, against the tiles of both. */
INLINE struct bf16_product gate_product(const struct bf16_gate *g, size_t from)
{
    return (struct bf16_product){
        .w = g->gate, .w_bytes = g->w_bytes, .n_w = g->n_w, .from = from,
        .n = bf16_pass(g->n, from), .y_step = 2 * GATE_ROWS, .add = from > 0,
        .tiles = (uint16_t *)g->tiles + from * 2 * (size_t)g->n_w };
}

static void gate_to_tiles(const struct bf16_gate *g, bf16_fn *to_tiles)
{
    for (size_t from = 0; from < g->n; from += BF16_COLS) {
        struct bf16_product p = gate_product(g, from);
        to_tiles(&p);
        p.w = g->up;
        p.tiles = (uint16_t *)p.tiles + (size_t)p.n_w * p.n;
        to_tiles(&p);
    }
}

/* Of the tokens from `first` on, 32 or what there is. */
static void sum_gates(const struct bf16_gate *g, int first, struct gate_sums *sums)
{
    size_t n_groups = (size_t)(g->n_x + LANE_N - 1) / LANE_N;
    for (size_t from = 0; from < g->n; from += BF16_COLS) {
        struct bf16_product p = gate_product(g, from);
        p.n_w *= 2;
        p.n_x = g->n_x - first < PAIR_N ? g->n_x - first : PAIR_N;
        p.x = (const uint16_t *)g->x + bf16_at(g->n, n_groups, (size_t)first / LANE_N, from);
        p.y = sums->of[0];
        multiply_stretches(&p);
    }
}

INLINE __m512 act_mul(__m512 a, __m512 b, bool gelu)
{
    __m512 u = a, one = _mm512_set1_ps(1);
    if (gelu)
        u = (a + a * a * a * _mm512_set1_ps(0.044715f)) * _mm512_set1_ps(2 * 0.7978845608f);
    return _mm512_div_ps(a, one + power_of_2(u * _mm512_set1_ps(-LOG2_E))) * b;
}

/* Where row i of the results begins. */
INLINE uint16_t *gate_out(const struct bf16_gate *g, int i)
{
    return (uint16_t *)g->out + (size_t)(i / LANE_N) * g->out_step + i % LANE_N * DEEP;
}

INLINE void act_row(const struct bf16_gate *g, const float *sum, int i)
{
    uint16_t *out = gate_out(g, i);
    const float *gate = sum, *up = sum + g->n_w;
    for (int r = 0; r < g->n_w; r += DEEP, out += TILE) {
        __m512 low = act_mul(_mm512_loadu_ps(gate + r), _mm512_loadu_ps(up + r), g->gelu);
        __m512 high = act_mul(_mm512_loadu_ps(gate + r + LANE_N),
                              _mm512_loadu_ps(up + r + LANE_N), g->gelu);
        store_bf16(out, low, high);
    }
}

/* The fine row: what its rest gives is added, and what is rounded off the results is kept. */
static void act_fine(const struct bf16_gate *g, float *sum, const float *rest, float *kept)
{
    for (int r = 0; r < 2 * g->n_w; r += LANE_N)
        _mm512_storeu_ps(sum + r, _mm512_loadu_ps(sum + r) + _mm512_loadu_ps(rest + r));
    for (int r = 0; r < g->n_w; r += LANE_N)
        _mm512_storeu_ps(kept + r, act_mul(_mm512_loadu_ps(sum + r),
                                           _mm512_loadu_ps(sum + g->n_w + r), g->gelu));
    for (int r = 0; r < g->n_w; r++)
        kept[r] -= rounded_to_bf16(kept[r]);
}

static void store_rest(const struct bf16_gate *g, const float *kept)
{
    uint16_t *out = gate_out(g, g->rest);
    for (int r = 0; r < g->n_w; r += DEEP, out += TILE)
        store_bf16(out, _mm512_loadu_ps(kept + r), _mm512_loadu_ps(kept + r + LANE_N));
}

static void gate_tiles(const struct bf16_gate *g)
{
    struct gate_sums sums;
    float rest[2 * GATE_ROWS] = {0}, kept[GATE_ROWS];
    _tile_loadconfig(&shapes);
    if (g->fine >= 0) {
        sum_gates(g, g->rest / LANE_N * LANE_N, &sums);
        memcpy(rest, sums.of[g->rest % LANE_N], sizeof rest);
    }
    for (int first = 0; first < g->n_x; first += PAIR_N) {
        sum_gates(g, first, &sums);
        if (g->fine >= first && g->fine < first + PAIR_N)
            act_fine(g, sums.of[g->fine - first], rest, kept);
        for (int t = 0; t < PAIR_N && first + t < g->n_x; t++)
            act_row(g, sums.of[t], first + t);
    }
    if (g->fine >= 0)
        store_rest(g, kept);
    _tile_release();
}

#define X(name, fn, bytes, ...)                                                               \
    static void tiles_##fn(const struct bf16_product *p)                                      \
    {                                                                                         \
        const struct kind kind = { __VA_ARGS__ };                                             \
        weights_to_tiles(kind, unpack_##fn, bytes, p);                                        \
    }                                                                                         \
    static void multiply_##fn(const struct bf16_product *p)                                   \
    {                                                                                         \
        tiles_##fn(p);                                                                        \
        multiply_tiles(p);                                                                    \
    }                                                                                         \
    static void gate_##fn(const struct bf16_gate *g)                                          \
    {                                                                                         \
        gate_to_tiles(g, tiles_##fn);                                                         \
        gate_tiles(g);                                                                        \
    }
CHUNK_LIST(X)
#undef X

void kernels_init_amx(struct kernels *k)
{
    kernels_init_amx_attention(k);
    k->pack_bf16 = pack_bf16;
#define X(name, fn, bytes, ...)                                                               \
    k->multiply_bf16[WEIGHT_##name] = multiply_##fn;                                          \
    k->gate_bf16[WEIGHT_##name] = gate_##fn;
    CHUNK_LIST(X)
#undef X
}
