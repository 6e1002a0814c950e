/* vote.h -- a vote among candidates by their normal forms. Pure; nothing depends on the order in
 * which candidates finish.
 *
 * The answer most candidates give leads. A tie goes to the answer that weighs more, where any was
 * weighed, then to the one whose best candidate has the higher mean log-probability, then to the
 * one with the lowest candidate number. Of the candidates that gave the leading answer the one
 * speaks for it that ranks highest, then has the higher log-probability, then the lower number. */
#ifndef DUET_APP_VOTE_H
#define DUET_APP_VOTE_H

#include <stdbool.h>

enum { VOTE_MAX = 16 };

struct ballot {
    bool in;        /* the candidate has finished */
    char *answer;   /* owned normal form; NULL = no vote */
    double logprob; /* mean over its answer's tokens */
    int rank;       /* what else speaks for it: demands kept */
    double weight;  /* what else speaks for its answer, the more the better; 0 = nothing */
};

struct vote {
    int n;          /* candidates expected */
    struct ballot ballot[VOTE_MAX];
    bool weighed;
};

struct tally {
    int leader;      /* the candidate that speaks for the leading answer; -1 = no votes yet */
    int votes;       /* for that answer */
    int second;      /* for the best other answer */
    int cast;        /* votes in all */
    int outstanding; /* candidates that have not finished */
    bool decided;    /* the leader cannot be caught by those outstanding */
    bool tied;       /* the tie rule made the leader */
    bool split;      /* all have finished and no answer has more than half of the votes */
};

void vote_begin(struct vote *v, int n); /* 1 <= n <= VOTE_MAX */
void vote_release(struct vote *v);

/* Candidate i has finished. answer: its normal form (copied), NULL or "" = no vote. Once for each;
 * i == v->n adds one more candidate (the revision). A logprob that is no number counts least. */
void vote_cast(struct vote *v, int i, const char *answer, double logprob, int rank);

/* Sets the weight of an answer, a normal form: every ballot for it has that. */
void vote_weigh(struct vote *v, const char *answer, double weight);

void vote_tally(const struct vote *v, struct tally *out);

/* True if both candidates gave an answer, and the same one. */
bool vote_same(const struct vote *v, int a, int b);

/* Candidates that gave the same answer as candidate i; 0 if it gave none. */
int vote_agree(const struct vote *v, int i);

#endif
