/* sampler.h -- logits to one token id: pure, seeded, without allocation.
 *
 * In this order:
 *   1. the repeat penalty on the ids seen lately; end tokens taken out where asked for
 *   2. temperature 0: the largest logit, the lower id on a tie. Done.
 *   3. p_i = softmax(logit / temperature)
 *   4. top-k: the k most probable (ties: lower ids first)
 *   5. top-p: the fewest of these whose share of the probability left is at least top_p
 *   6. min-p: of these, none below min_p times the most probable
 *   7. one of what is left, by a random number that is a function of (seed, position)
 *
 * The sampler knows numbers, not what tokens mean. A NaN logit counts as minus infinity. */
#ifndef DUET_ENGINE_SAMPLER_H
#define DUET_ENGINE_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/kernels.h"

#define SAMPLER_RECENT 64   /* ids that the repeat penalty looks back on */

struct sampler_call {
    const struct sampling *how;
    const float *logits;      /* [n_vocab] */
    int n_vocab;
    const int32_t *recent;    /* [n_recent] ids seen last, inside the vocabulary */
    int n_recent;             /* <= SAMPLER_RECENT */
    const int32_t *banned;    /* [n_banned] ids that cannot be chosen, inside the vocabulary */
    int n_banned;
    uint64_t position;        /* of the token to be chosen */
    float *logit;             /* [n_vocab] scratch */
    int32_t *order;           /* [n_vocab] scratch */
};

/* The chosen id and the log of its probability in the logits as they came. */
struct session_token sampler_choose(const struct kernels *k, const struct sampler_call *c);

/* A number in [0, 1), uniform, a function of its arguments alone. */
double sampler_random(uint64_t seed, uint64_t position);

/* log(sum(exp(x))), x [n] untouched, scratch [n]. */
double sampler_log_sum_exp(const struct kernels *k, const float *x, int n, float *scratch);

#endif
