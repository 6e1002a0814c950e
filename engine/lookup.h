/* lookup.h -- what may come next, looked up in what the timeline already holds.
 *
 * A model that quotes, edits or repeats writes what stands before. The end of the timeline is
 * searched for further up; what followed there is the draft, and a forward pass that checks k
 * drafted ids costs less than k passes. Nothing is lost by a wrong draft but time: the session
 * takes ids only as far as it would have chosen them itself.
 *
 * How much time, is watched: how often drafts came true, by the length of the match, also of those
 * that were not tried; and what a pass of so many tokens takes. A draft is made only as long as the
 * two together promise more than they cost. */
#ifndef DUET_ENGINE_LOOKUP_H
#define DUET_ENGINE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define LOOKUP_PASS  SESSION_NEXT_MAX  /* tokens of a pass: one that waits and those drafted */
#define LOOKUP_CLASS 6    /* lengths of matches are told apart in classes */

struct lookup {
    int n;                /* ids that are indexed */
    int32_t *last;        /* [n_slots] where a pair of ids of this hash ended last, + 1; owned */
    int32_t *before;      /* [n_ctx] where the pair that ends here ended before, + 1; owned */
    size_t n_slots;       /* a power of 2 */
    struct { float right, tried; } odds[LOOKUP_CLASS];
    float cost[LOOKUP_PASS + 1];  /* [tokens of a pass] in passes of one token */
    float slope;          /* what each further token costs, by all passes seen */
    float one_us;         /* what that takes; 0 = not known yet */
};

/* What follows a match. */
struct draft {
    int from;             /* ids[from], ids[from + 1], ...; 0 = no match */
    int match;            /* ids that agree before it */
    int n;                /* how many are worth a pass; 0 = none */
};

/* Bytes that lookup_init() will take. */
size_t lookup_bytes(int n_ctx);

/* For timelines of up to n_ctx ids. False: no memory. */
bool lookup_init(struct lookup *l, int n_ctx);
void lookup_release(struct lookup *l);

/* ids[0..n) is what is left of a timeline whose ids are still where they were. */
void lookup_cut(struct lookup *l, const int32_t *ids, int n);

/* The draft behind ids[0..n), of which those before the index' end are as they were. most >= 0:
 * ids that may be drafted. Takes constant time for each new id. */
struct draft lookup_draft(struct lookup *l, const int32_t *ids, int n, int most);

/* A draft was tried, or not (draft.n = 0); n ids were chosen then, out of which all but the last
 * one certainly agree with it. ids: the timeline that now has them. */
void lookup_learn(struct lookup *l, const struct draft *d, const int32_t *ids, int n);

/* A pass of n tokens, 1 <= n <= LOOKUP_PASS, took so long. */
void lookup_time(struct lookup *l, int n, double us);

#endif
