/* bandwidth.c -- how fast this machine reads memory: the limit of decoding, measured with the same
 * threads and on the same bytes as decoding itself. */
#include <time.h>

#include "engine/loaded.h"

#define TILE_BYTES ((size_t)1 << 20)

struct reading {
    const unsigned char *data;
    size_t bytes;
    uint64_t sum[POOL_THREADS_MAX][8];   /* a cache line a thread; keeps the reads alive */
};

static void read_tile(void *data, int item, int thread)
{
    struct reading *r = data;
    size_t from = (size_t)item * TILE_BYTES;
    size_t n = (r->bytes - from < TILE_BYTES ? r->bytes - from : TILE_BYTES) / 8;
    const uint64_t *at = (const uint64_t *)(const void *)(r->data + from);
    uint64_t sum[8] = {0};
    for (size_t i = 0; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            sum[k] ^= at[i + (size_t)k];
    for (int k = 0; k < 8; k++)
        r->sum[thread][k] ^= sum[k];
}

double engine_bandwidth(struct engine *e, int reps)
{
    double best = 0;
    const struct mapfile *file = &e->file.part[0].file;
    struct reading r = { .data = file->data, .bytes = file->bytes };
    pool_lock(e->pool);
    for (int i = 0; i <= reps; i++) {    /* the first pass brings the file in */
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        pool_run(e->pool, read_tile, &r, (int)((r.bytes + TILE_BYTES - 1) / TILE_BYTES));
        clock_gettime(CLOCK_MONOTONIC, &b);
        double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
        if (i > 0 && s > 0 && (double)r.bytes / s > best)
            best = (double)r.bytes / s;
    }
    pool_unlock(e->pool);
    return best;
}
