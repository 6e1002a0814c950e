/* deepseek4.h -- the numbers and weights of DeepSeek-V4, the family of models that attends to a
 * window and to compressed rows.
 *
 * A layer's ratio says what it sees besides the last `window` positions: 0 nothing, 4 the top_k
 * compressed rows that an indexer chooses, 128 all compressed rows. A compressor pools the tokens
 * of one block of `ratio` positions (at ratio 4 of the block before it, too) into a row.
 *
 * Four streams run through the layers (hyper-connections): weights made from all four say what a
 * part of a layer reads and how its result comes back. */
#ifndef DUET_ENGINE_DEEPSEEK4_H
#define DUET_ENGINE_DEEPSEEK4_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/err.h"
#include "engine/gguf.h"
#include "engine/matmul.h"

struct model;

#define DS4_STREAMS 4
#define DS4_MIX     (2 * DS4_STREAMS + DS4_STREAMS * DS4_STREAMS)  /* in, out, stream to stream */
#define DS4_OVERLAP 4   /* the ratio whose blocks overlap, and whose rows are chosen */
#define DS4_SPARSE  128 /* the ratio whose rows are all seen */

/* The weights that mix the streams for one part of a layer. */
struct ds4_mixer {
    struct matrix fn;                    /* [DS4_MIX][4 d_model]; at the end [4][4 d_model] */
    const float *base, *scale;           /* [DS4_MIX], [3]; at the end [4], [1] */
};

/* Makes rows of `width` values. An overlapping one has twice as many channels: the first half is
 * for the block that follows, the second for the token's own. */
struct ds4_compressor {
    struct matrix kv, gate;              /* [channels][d_model] values and their scores */
    struct matrix ape;                   /* [ratio][channels] added to the scores by place */
    const float *norm;                   /* [width] */
};

struct ds4_layer {
    int ratio;                           /* 0, DS4_OVERLAP or DS4_SPARSE */
    bool by_id;                          /* experts are chosen by token id */
    struct ds4_mixer attn_mix, ff_mix;
    const float *attn_norm, *ff_norm;    /* [d_model] */

    struct matrix q_a, q_b;              /* [q_rank][d_model], [d_q][q_rank] */
    const float *q_norm;                 /* [q_rank] */
    struct matrix kv;                    /* [head_dim][d_model] one row is key and value of all */
    const float *kv_norm;                /* [head_dim] */
    const float *sinks;                  /* [n_head] a score that takes weight and gives nothing */
    struct matrix out_a;                 /* [n_group] x [out_rank][d_q / n_group] */
    struct matrix out_b;                 /* [d_model][n_group * out_rank] */
    struct ds4_compressor rows;          /* width head_dim; if ratio > 0 */
    struct ds4_compressor index;         /* width d_index; with the next two if DS4_OVERLAP */
    struct matrix index_q;               /* [n_index_head * d_index][q_rank] */
    struct matrix index_weight;          /* [n_index_head][d_model] */

    struct matrix router;                /* [n_expert][d_model] */
    const float *bias;                   /* [n_expert] of the choice, not of the weights; or NULL */
    const int32_t *chosen;               /* [n_vocab][n_used] if by_id: the experts; or NULL */
    struct matrix gate, up, down;        /* stacks of n_expert: [d_ff][d_model] twice and back */
    struct matrix shared_gate, shared_up, shared_down;  /* d_shared wide */
    float clamp, clamp_shared;           /* of the products that meet in an expert */
};

/* What struct model has no field for. */
struct deepseek4 {
    int q_rank, out_rank, n_group;
    int window;                          /* positions, the current one included */
    int n_index_head, d_index, top_k;
    int d_shared;                        /* all shared experts side by side */
    float expert_scale;                  /* of the routed experts' weights */
    bool expert_norm;                    /* the weights are divided by their sum */
    int n_by_id;                         /* layers, from the first, that choose by token id */
    int n_sinkhorn;
    float mix_eps;
    float row_base;                      /* rotary base of layers with ratio > 0, stretched: */
    float yarn_factor, yarn_fast, yarn_slow;
    int yarn_context;
    struct ds4_mixer out_mix;
    struct ds4_layer *layers;            /* [n_layer], in the model's arena */
};

/* Fills *m, whose family is set, with m->deepseek4 and all fields but `layers` that have a meaning
 * here. errors as model_bind(); *m is then undefined, but its arena is whole. */
bool deepseek4_bind(struct model *m, const struct gguf *g, struct err *err);

#endif
