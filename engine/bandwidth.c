/* bandwidth.c -- how fast this machine reads memory: the limit of decoding, measured with the same
 * threads and on the same bytes as decoding itself.
 *
 * Other work on the machine only ever makes a pass slower, so the best one counts, and there are
 * more of them until none is better. */
#include <time.h>

#include "engine/loaded.h"

#define TILE_BYTES ((size_t)1 << 20)

#define AHEAD      ((size_t)6 << 10)  /* bytes that are asked for ahead, as products do */
#define PASSES_MAX 60
#define BETTER     1.01   /* by so much is a pass really better than the best before */

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
    for (size_t i = 0; i + 8 <= n; i += 8) {
        __builtin_prefetch(at + i + AHEAD / 8, 0, 2);   /* the second cache */
        for (int k = 0; k < 8; k++)
            sum[k] ^= at[i + (size_t)k];
    }
    for (int k = 0; k < 8; k++)
        r->sum[thread][k] ^= sum[k];
}

/* One pass over all of it, in seconds. */
static double read_once(struct pool *pool, struct reading *r)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    pool_run(pool, read_tile, r, (int)((r->bytes + TILE_BYTES - 1) / TILE_BYTES));
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
}

double engine_bandwidth(struct engine *e, int reps)
{
    const struct mapfile *file = &e->file.part[0].file;
    struct reading r = { .data = file->data, .bytes = file->bytes };
    pool_lock(e->pool);
    read_once(e->pool, &r);    /* brings the file in */
    double least = 1e9;
    for (int i = 0, worse = 0; i < PASSES_MAX && worse < reps; i++) {
        double s = read_once(e->pool, &r);
        worse = s * BETTER < least ? 0 : worse + 1;
        least = s < least ? s : least;
    }
    pool_unlock(e->pool);
    return least > 0 ? (double)r.bytes / least : 0;
}
