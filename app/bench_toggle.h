/* bench_toggle.h -- how much later the next token comes for a change of mode in the middle of a
 * reply: `duet bench MODEL --toggle DEPTHS`.
 *
 * Behind so many ids and a question a reply is begun, as the chat does (strand.h); after some
 * tokens the mode changes, Flash to Pro-Max and Pro-Max to Flash. What is timed is the token before
 * the change, the first word that is shown behind it, and the first token that is chosen there,
 * with all that is read between: the line that leads a model without markers into a thought is put
 * into the reply and shown at once. */
#ifndef DUET_APP_BENCH_TOGGLE_H
#define DUET_APP_BENCH_TOGGLE_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/err.h"

struct bench_toggle {
    int depth;
    int reps;      /* medians count; 1..99 */
    enum kv_tier tier;
    bool json;
};

/* Measures and prints a line for each direction. */
bool bench_toggle(struct engine *e, const struct bench_toggle *how, struct err *err);

#endif
