/* bench_lookup.h -- what choosing tokens ahead gains: `duet bench MODEL --lookup FILE`.
 *
 * The file is a user's message. The reply to it is written greedily, one token at a time and with
 * tokens tried ahead, in turns; both must be the same tokens. */
#ifndef DUET_APP_BENCH_LOOKUP_H
#define DUET_APP_BENCH_LOOKUP_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/err.h"

struct bench_lookup {
    const char *file;
    int gen;      /* tokens of a reply at most */
    int reps;     /* of each kind; the median counts */
    bool json;
};

/* Measures and prints one line. */
bool bench_lookup(struct engine *e, const struct bench_lookup *how, struct err *err);

#endif
