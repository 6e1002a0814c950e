/* peaks.h -- activations that stand far above the rest of their row.
 *
 * A row is rounded to 8 bits in blocks of 32, so one large value makes its 31 neighbours coarse;
 * in the normed rows of small models one block has most of the error of all. Such peaks are taken
 * out before the row is rounded, and meet their columns of the weights as floats. What is a peak
 * depends on its row alone.
 *
 * They stand in the same few columns from token to token. So the columns that were met last are
 * kept decoded beside the matrix, in tiles of rows: this is no more than a memory of the file's
 * values, and no result depends on what it holds. */
#ifndef DUET_ENGINE_PEAKS_H
#define DUET_ENGINE_PEAKS_H

#include <stddef.h>

#include "engine/quant.h"

#define PEAKS_MAX   4    /* of a row */
#define PEAKS_ROWS  32   /* of a tile */
#define PEAKS_SLOTS 8    /* columns kept */

struct peaks {
    int n;
    int col[PEAKS_MAX];
    float value[PEAKS_MAX];
};

/* Zeroed before its first use. */
struct peak_tile {
    _Alignas(64) int key[PEAKS_SLOTS];  /* the column + 1; 0: none yet */
    int next;               /* the slot that is given up next, */
    unsigned used;          /* unless its bit is set: it was met since it was last passed over */
    _Alignas(64) float w[PEAKS_SLOTS][PEAKS_ROWS];
};

/* Takes the peaks of x [n] out: they are 0 then. scale [n / 32] are the scales of the row's blocks
 * in 8 bits; what stands there after the call is of no use where there are peaks. */
void peaks_take(float *x, size_t n, float *scale, struct peaks *out);

/* Column col of the n_w <= PEAKS_ROWS weight rows of a tile as floats, as it is kept in t until the
 * next call. One thread at a time. */
const float *peaks_column(struct peak_tile *t, enum weight type, const void *w, size_t w_bytes,
                          int n_w, int col);

#endif
