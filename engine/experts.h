/* experts.h -- which experts each token goes to, and the tokens of an expert side by side.
 *
 * A layer with experts has a stack of feed-forward networks; a router gives each token a score
 * for each, and the token goes through the n_used best. A pair of a token and one of its experts
 * is called a visit. Visits are ordered by expert, so that a matrix is read once for all the
 * tokens of a call, and matrices without visits are not read. */
#ifndef DUET_ENGINE_EXPERTS_H
#define DUET_ENGINE_EXPERTS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/err.h"
#include "engine/matmul.h"

struct experts {
    int n_expert, n_used;
    int *choice;       /* [n_max][n_used] the experts of each token, the best first */
    float *weight;     /* [n_max][n_used] and their shares */
    int *visit;        /* [n_max][n_used] where these pairs stand among the visits */
    int *token;        /* [n_max * n_used] the token of each visit */
    int *matrix;       /* [n_expert] experts that have visits, ascending */
    int *first;        /* [n_expert + 1] their first visits */
    struct groups in;  /* visits that take their rows from the tokens: x is [n][cols] */
    struct groups out; /* visits that go on from their own rows: x is [n * n_used][cols] */
};

/* The bytes that experts_init() takes. */
size_t experts_bytes(int n_expert, int n_used, int n_max);

/* For up to n_max tokens, 1 <= n_used <= n_expert. */
bool experts_init(struct experts *e, int n_expert, int n_used, int n_max, struct err *err);
void experts_release(struct experts *e);

/* Chooses token t's experts by the largest scores [n_expert], the lower number on a tie, with
 * shares that are the softmax of the chosen scores. Tokens may be chosen for at the same time. */
void experts_choose(struct experts *e, int t, const float *score);

/* Orders the visits of n tokens whose choice is made: fills visit, in and out. */
void experts_group(struct experts *e, int n);

/* out[c] = sum_k weight[t][k] * rows[visit[t][k]][c], c < cols, in the order of choice. */
void experts_sum(const struct experts *e, int t, const float *rows, size_t cols, float *out);

#endif
