/* bench_batch.h -- what candidates beside each other cost: `duet bench MODEL --batch N`.
 *
 * A timeline of 128 ids, and forks of it that go on with a random stream each: N of them decoded as
 * one batch, and one of them alone, in turns, over the same number of tokens. */
#ifndef DUET_APP_BENCH_BATCH_H
#define DUET_APP_BENCH_BATCH_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/err.h"

enum { BENCH_BATCH_MAX = 8 };

struct bench_batch {
    int n;        /* beside each other, 2..BENCH_BATCH_MAX */
    int gen;      /* tokens of each */
    int reps;     /* the median of the ratios counts; 1..99 */
    bool json;
};

/* Measures and prints one line. */
bool bench_batch(struct engine *e, const struct bench_batch *how, struct err *err);

#endif
