/* candidates.h -- the candidates of one turn: from the end of the prompt to the one that is chosen.
 *
 * Candidate 0 is the strand that is shown as it grows. Where the prompt gives something to choose
 * by and the mode allows more, the others begin at the same prompt in forks of its cache, each with
 * a random stream of its own, and all that run are decoded as one batch. For a vote they run beside
 * candidate 0, and each has a thought of its own; where demands are checked they begin when it has
 * failed them, and answer at once: a rule sees what is right, so many short tries are worth more
 * than a few long ones. After a change of mode in the middle of a reply they begin when that reply
 * has ended. No token depends on any of this.
 *
 * Belongs to the worker. */
#ifndef DUET_APP_CANDIDATES_H
#define DUET_APP_CANDIDATES_H

#include "app/choose.h"
#include "app/kept.h"
#include "app/strand.h"

enum candidates_phase {
    CANDIDATES_RUN,
    CANDIDATES_REVISE, /* a split vote: a thought is opened again behind the leader's answer */
    CANDIDATES_DECIDED,
};

struct candidates {
    struct strand *main;        /* candidate 0, borrowed */
    int turn;                   /* its number and seed, for the others' seeds */
    uint64_t seed;
    bool comparable;            /* by the question alone */
    bool refused;               /* there can be no more of them */
    struct err why;             /* and why */
    struct session *base;       /* fork at the end of the prompt, owned; NULL = none */
    struct strand fork[CHOOSE_MAX + 1]; /* [n_begun], 0 not used; a revision is one of them */
    int n_begun;                /* candidates that have begun, candidate 0 included */
    struct choose choose;       /* what the question demands, read once */
    bool choosing;              /* replies that have finished are entered there */
    bool more;                  /* others than candidate 0 are due */
    enum candidates_phase phase;
    int winner;                 /* once decided */
    struct batch *batch;        /* owned, made at the first need and kept */

    /* what the others cost, forks given back included */
    uint64_t n_read, n_re_read, n_drafted, n_accepted;
    int n_tokens;
    uint64_t kv_bytes;          /* of blocks; what forks share counts in each */
};

/* A turn begins: candidate 0 has begun, its prompt is not read yet. */
void candidates_begin(struct candidates *c, struct strand *first, const char *prompt, int turn);

/* The prompt has been read, its logits are there. */
void candidates_prompt(struct candidates *c);

/* One slice: reads what a tail left unread, or one token for all that run. False: *err. */
bool candidates_step(struct candidates *c, struct event_list *out, struct err *err);

/* The mode changes. One that has no candidates means "answer now": the leader so far, or, if none
 * has finished, candidate 0 alone goes on. */
bool candidates_mode(struct candidates *c, enum mode_id mode, struct event_list *out,
                     struct err *err);

/* Nothing more is to be made: the leader so far is chosen. False: none has finished. */
bool candidates_stop(struct candidates *c, struct event_list *out);

/* Makes the chosen timeline that of candidate 0's strand and session, whose handles stay. Those
 * that had ended too are kept, the others given back. */
void candidates_take(struct candidates *c, struct kept *kept);

/* The turn is over, or the backend is. */
void candidates_end(struct candidates *c);
void candidates_release(struct candidates *c);

#endif
