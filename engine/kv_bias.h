/* kv_bias.h -- the bias of the keys, taken out before they are coded around a mean and put back
 * when they are read.
 *
 * A key is R(pos) (W x + b), R being the rotation by its position. What b gives is known for every
 * position and can be larger than all the rest, in a few pairs: it would use up the bits of a code.
 * So the pairs in which b is large are coded without R(pos) b. q . R(pos) b is the sum over these
 * pairs of  A cos(pos f) + B sin(pos f),  A = q0 b0 + q1 b1, B = q1 b0 - q0 b1. */
#ifndef DUET_ENGINE_KV_BIAS_H
#define DUET_ENGINE_KV_BIAS_H

#include <stdbool.h>

#include "engine/err.h"
#include "engine/kernels.h"

struct kv;
struct kv_bias;
struct model;

/* What a model's bias needs; *out is NULL where it has none. n_ctx positions. */
bool kv_bias_new(struct kv_bias **out, const struct model *m, int n_ctx, struct err *err);
void kv_bias_free(struct kv_bias *b);  /* NULL is allowed */

/* Rows [row, row + n) of a block whose first one has position pos, a multiple of KV_BLOCK:
 * keys[n][dim] plus sign times R(pos + row) b and so on. b may be NULL; with pos = -1 nothing is
 * taken out or put back, here and below. */
void kv_bias_add(const struct kv_bias *b, int layer, int head, int pos, int row, int n,
                 float *keys, float sign);

/* A and B of a query for each pair of a head that is taken out: at most head_dim floats. */
void kv_bias_query(const struct kv_bias *b, int layer, int head, const float *q, float *ab);

/* score[KV_BLOCK] += q . R(pos) b for the positions from pos on, ab from kv_bias_query(). */
void kv_bias_score(const struct kv_bias *b, const struct kernels *k, int layer, int head, int pos,
                   const float *ab, float *score);

#endif
