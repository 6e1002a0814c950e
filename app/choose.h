/* choose.h -- choosing among the candidates of one turn: by the demands that a rule reads from the
 * prompt, else by a vote on comparable answers, else not at all. Pure; the same code serves chat
 * and evaluation, and it sees the prompt and the replies alone, never an answer key.
 *
 *   struct choose c;
 *   choose_begin(&c, prompt, bytes, 5);           c.n0 candidates are worth making
 *   choose_candidate(&c, k, &reply)               as each one finishes, in any order:
 *                                                 CHOOSE_STOP = the others need not finish
 *   if (choose_revises(&c))                       one critique-revise round, then
 *       choose_revision(&c, &reply)               it counts as one more vote
 *   choose_result(&c, &result)                    at any time: the winner so far
 *   choose_release(&c)
 *
 * Texts are borrowed for the call alone. */
#ifndef DUET_APP_CHOOSE_H
#define DUET_APP_CHOOSE_H

#include "app/answer.h"
#include "app/demand.h"
#include "app/mode.h"
#include "app/vote.h"

enum { CHOOSE_MAX = 5 };  /* candidates of a turn; a revision is one more */

enum choose_method {
    CHOOSE_FIRST, /* nothing to compare by: one candidate */
    CHOOSE_CHECK, /* the first that keeps all demands; else the one that keeps most of them */
    CHOOSE_VOTE,
};

enum choose_step { CHOOSE_MORE, CHOOSE_STOP };

/* A finished candidate. */
struct choose_reply {
    const char *text;    /* the answer, without its thinking */
    size_t bytes;
    double logprob;      /* mean log-probability of the answer's tokens */
    bool capped;         /* cut off by a budget, the context or as a loop: it has no say */
};

/* What the tray shows of a candidate. */
struct choose_mark {
    bool in;             /* it has finished */
    bool capped, empty;
    int kept;            /* demands kept, of demands.n */
    const char *answer;  /* its answer in normal form, borrowed; NULL = none */
    int agree;           /* candidates with this answer, itself included; 0 = none */
    double logprob;
    const char *why;     /* the demands it does not keep, a line each, borrowed; "" = none */
};

struct choose_result {
    int winner;          /* candidate; c.n0 = the revision; -1 = none has finished */
    bool passed;         /* it keeps all demands */
    struct tally tally;  /* of a vote */
};

struct choose {
    struct demands demands;
    enum answer_kind kind;
    enum choose_method method;
    int n0;              /* candidates worth making: 1 if there is nothing to compare by */
    bool revised;        /* the revision is in: it is candidate n0 */
    struct vote vote;
    struct choose_entry {
        bool in, capped, empty;
        int kept;
        char *why;       /* owned */
    } entry[CHOOSE_MAX + 1];
};

/* Reads the prompt. 1 <= candidates <= CHOOSE_MAX: how many the mode allows. */
void choose_begin(struct choose *c, const char *prompt, size_t bytes, int candidates);
void choose_release(struct choose *c);

/* Begins again on the same prompt, with so many candidates, none of which has finished. by: what
 * may be chosen by. */
void choose_again(struct choose *c, int candidates, enum mode_choose by);

/* Candidate k (0 <= k < n0) has finished; once for each. */
enum choose_step choose_candidate(struct choose *c, int k, const struct choose_reply *r);

/* True if one critique-revise round is due: every candidate of a vote has finished, no answer has
 * more than half of the votes, and there has been none. */
bool choose_revises(const struct choose *c);

/* The revision has finished. It wins only if its answer wins the vote. */
void choose_revision(struct choose *c, const struct choose_reply *r);

void choose_result(const struct choose *c, struct choose_result *out);

/* True if all have finished and options are tied: how likely the model finds the text of each may
 * break that. Probability is its mean over the text's tokens, choice one of demands.choice. */
bool choose_weighs(const struct choose *c);
void choose_weigh(struct choose *c, int choice, double probability);
void choose_mark(const struct choose *c, int k, struct choose_mark *out);

/* One line: "3 of 5 say 42", "candidate 2 keeps all 3 demands", "1 candidate: nothing to compare
 * by". Candidates are counted from 1 here. */
void choose_describe(const struct choose *c, struct buf *out);

#endif
