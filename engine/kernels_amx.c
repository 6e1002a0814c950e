/* kernels_amx.c -- products of 16 and more tokens for AMX with 8-bit integers, over
 * kernels_avx512.c.
 *
 * A tile of the activations, 16 tokens of a group of 32 values, meets a tile of a panel, whose
 * registers are laid out as the instruction wants them. The shapes of tiles are the same in all
 * calls; they are state of a thread, set when a dot begins and given up when it ends. */
#include "engine/kernels.h"

#define LANES   16
#define AT_ONCE 16
#define DOT_CHUNK _mm256_dpbusd_epi32
#define DOT_PANEL _mm512_dpbusd_epi32
#include "engine/kernels_vnni.h"

/* The tiles: sums; activations and weights of a group; of half a group. Their names become text. */
#define SUM          0
#define ACT          1
#define WEIGHTS      2
#define ACT_HALF     3
#define WEIGHTS_HALF 4

struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Not a local variable: gcc 12 takes the instruction to read 8 of its 64 bytes, and would not
 * write the others. */
static const struct tile_shapes shapes = {
    .palette = 1,
    .row_bytes = { 64, 32, 64, 16, 64 },
    .rows = { 16, 16, QUADS, 16, QUADS / 2 },
};

INLINE void tile_store(vec (*sum)[WIDE], int j)
{
    _tile_stored(SUM, &sum[0][j], sizeof sum[0]);
}

INLINE void tile_sums(const struct kind kind, int T, const struct panel *p, int g, const char *x,
                      size_t x_bytes, vec (*sum)[WIDE])
{
    if (T < AT_ONCE) {
        panel_sums(kind, T, p, g, x, x_bytes, sum);
        return;
    }
    vec second[AT_ONCE][WIDE];
    __asm__ volatile("" : : : "memory");  /* gcc does not know that loads of tiles read memory */
    for (int j = 0; j < WIDE; j++) {
        _tile_zero(SUM);
        if (!kind.has_halves) {
            _tile_loadd(ACT, x, x_bytes);
            _tile_loadd(WEIGHTS, &p->q[g][0][j], sizeof p->q[g][0]);
            _tile_dpbsud(SUM, ACT, WEIGHTS);
            tile_store(sum, j);
            continue;
        }
        _tile_loadd(ACT_HALF, x, x_bytes);
        _tile_loadd(WEIGHTS_HALF, &p->q[g][0][j], sizeof p->q[g][0]);
        _tile_dpbsud(SUM, ACT_HALF, WEIGHTS_HALF);
        tile_store(sum, j);
        _tile_zero(SUM);
        _tile_loadd(ACT_HALF, x + QUANT_BLOCK / 2, x_bytes);
        _tile_loadd(WEIGHTS_HALF, &p->q[g][QUADS / 2][j], sizeof p->q[g][0]);
        _tile_dpbsud(SUM, ACT_HALF, WEIGHTS_HALF);
        tile_store(second, j);
    }
    if (kind.has_factor)
        panel_scale(T, p, g, 0, sum);
    if (!kind.has_halves)
        return;
    panel_scale(T, p, g, 1, second);
    for (int t = 0; t < T; t++)
        for (int j = 0; j < WIDE; j++)
            sum[t][j] = _mm512_add_epi32(sum[t][j], second[t][j]);
}

#define X(name, fn, bytes, ...)                                                               \
    static void dot_##fn(const struct dot *d)                                                 \
    {                                                                                         \
        const struct kind kind = kind_unsigned((struct kind){ __VA_ARGS__ });                 \
        if (d->n_x >= AT_ONCE)                                                                \
            _tile_loadconfig(&shapes);                                                        \
        dot_all(kind, unpack_##fn, bytes, chunk_sums, tile_sums, d);                          \
        if (d->n_x >= AT_ONCE)                                                                \
            _tile_release();                                                                  \
    }
CHUNK_LIST(X)
#undef X

void kernels_init_amx(struct kernels *k)
{
    CHUNK_LIST(DOT_TAKE)
}
