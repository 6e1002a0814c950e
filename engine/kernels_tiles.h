/* kernels_tiles.h -- what the files for AMX share: tiles of 16 rows of 64 bytes, 32 brain floats or
 * 16 floats each.
 *
 * The right side of a product holds pairs: row i of it has the values 2 i and 2 i + 1 of 16
 * columns. The shapes of tiles are state of a thread, set when a product begins, given up when it
 * ends. */
#ifndef DUET_ENGINE_KERNELS_TILES_H
#define DUET_ENGINE_KERNELS_TILES_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "engine/kernels_lanes.h"

#define LANE_N  16                        /* rows of a tile */
#define DEEP    32                        /* values of each */
#define TILE    (LANE_N * DEEP)           /* numbers of 16 bits */
#define LOG2_E  1.44269504f

struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Not a local variable: gcc 12 takes the instruction to read 8 of its 64 bytes, and would not
 * write the others. */
static const struct tile_shapes shapes = {
    .palette = 1,
    .row_bytes = { 64, 64, 64, 64, 64, 64, 64, 64 },
    .rows = { 16, 16, 16, 16, 16, 16, 16, 16 },
};

/* gcc does not know that instructions of tiles read and write memory. */
#define BARRIER __asm__ volatile("" : : : "memory")

/* Two by two tiles of sums, 0 to 3: rows of the first pair begin at `top`, of the second at
 * `below`, bytes apart. The numbers of tiles become text in the instructions, so they are written
 * out. */
INLINE void load_sums(const float *top, const float *below, size_t bytes)
{
    _tile_loadd(0, top, bytes);
    _tile_loadd(1, top + LANE_N, bytes);
    _tile_loadd(2, below, bytes);
    _tile_loadd(3, below + LANE_N, bytes);
}

INLINE void zero_sums(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

INLINE void store_sums(float *top, float *below, size_t bytes)
{
    _tile_stored(0, top, bytes);
    _tile_stored(1, top + LANE_N, bytes);
    _tile_stored(2, below, bytes);
    _tile_stored(3, below + LANE_N, bytes);
}

/* Adds the products of tiles 4 and 5, left sides, with 6 and 7. */
INLINE void add_products(void)
{
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

/* 32 floats as brain floats. */
INLINE void store_bf16(uint16_t *to, __m512 low, __m512 high)
{
    _mm512_storeu_ps((float *)(void *)to, (__m512)_mm512_cvtne2ps_pbh(high, low));
}

/* 2^x by a polynomial that is off by 2^-18 at most, and 2 to a whole number. */
INLINE __m512 power_of_2(__m512 x)
{
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 f = x - whole, p = _mm512_set1_ps(9.58285314e-3f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.59064267e-2f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.40240986e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.93124193e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1));
    return _mm512_scalef_ps(p, whole);
}

/* Turns a tile of 16 words of 32 bits a row round its diagonal. */
INLINE void turn(uint16_t *tile)
{
    __m512i a[16], b[16];
    const float *from = (const float *)(const void *)tile;
    float *to = (float *)(void *)tile;
    for (int i = 0; i < 16; i += 2) {
        __m512i v0 = (__m512i)_mm512_loadu_ps(from + 16 * i);
        __m512i v1 = (__m512i)_mm512_loadu_ps(from + 16 * i + 16);
        a[i] = _mm512_unpacklo_epi32(v0, v1);
        a[i + 1] = _mm512_unpackhi_epi32(v0, v1);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + j + 2]);
            b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + j + 2]);
        }
    for (int i = 0; i < 4; i++, to += 16) {
        __m512i even0 = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88);
        __m512i odd0 = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd);
        __m512i even1 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88);
        __m512i odd1 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
        _mm512_storeu_ps(to, (__m512)_mm512_shuffle_i32x4(even0, even1, 0x88));
        _mm512_storeu_ps(to + 64, (__m512)_mm512_shuffle_i32x4(odd0, odd1, 0x88));
        _mm512_storeu_ps(to + 128, (__m512)_mm512_shuffle_i32x4(even0, even1, 0xdd));
        _mm512_storeu_ps(to + 192, (__m512)_mm512_shuffle_i32x4(odd0, odd1, 0xdd));
    }
}

#endif
