/* deepseek4_run.h -- the scratch of DeepSeek-V4's forward pass, shared by its two files:
 * deepseek4.c (streams, experts, the pass) and deepseek4_attn.c (everything between the
 * attention's input and its output). All buffers are [n_max][width], row t being token t. */
#ifndef DUET_ENGINE_DEEPSEEK4_RUN_H
#define DUET_ENGINE_DEEPSEEK4_RUN_H

#include "engine/deepseek4.h"
#include "engine/experts.h"
#include "engine/forward.h"
#include "engine/kv_deepseek4.h"
#include "engine/matmul.h"

/* Cosines and sines of the pairs, [n_max][n_rot]: the angle of each token, and its opposite. */
struct ds4_turn {
    float *there, *back;
};

struct forward {
    const struct model *m;
    const struct deepseek4 *d;
    const struct kernels *k;
    struct pool *pool;
    struct matmul mm;
    struct experts experts;
    int n_scores;               /* rows that an indexer may have to score */
    int n_picks;                /* of these, it chooses at most so many */
    float *floats;              /* all buffers of floats below, owned */
    int *ints;                  /* all of integers, owned */
    double *freq;               /* [2][n_rot / 2] angle per position: plain, stretched; owned */
    float *ones;                /* a gain of 1 for the widest norm that has none, owned */

    /* the streams */
    float *x, *normed;          /* [4 d_model] */
    float *mix;                 /* [DS4_MIX] */
    float *h, *y;               /* [d_model] what a part of a layer reads, and what it gives */

    /* attention */
    struct ds4_turn plain, stretched;
    float *qr, *q, *kv;         /* [q_rank], [d_q], [head_dim] */
    float *att;                 /* [d_q], the groups of heads beside each other */
    float *low, *low_row;       /* [n_group * out_rank] by group, by token */
    int *low_from;              /* [n_group] which row of att a row of low is made from */
    int *low_group, *low_first; /* [n_group], [n_group + 1]: not by token; see struct groups */
    float *row_kv, *row_gate;   /* [channels] */
    float *index_kv, *index_gate;
    float *index_q, *index_w;   /* [n_index_head * d_index], [n_index_head] */
    float *score;               /* [n_scores] */
    int *pick;                  /* [n_picks] ascending */
    int *n_pick;                /* [1] -1: all rows */

    /* experts */
    float *route, *biased;      /* [n_expert] scores, and what the choice is made by */
    float *gate, *up;           /* [n_used * d_ff] */
    float *visit;               /* [n_used * d_model] */
    float *shared_gate, *shared_up;  /* [d_shared] */

    /* of the call */
    const struct forward_call *call;
    struct kv4 *cache;
    const struct ds4_layer *l;
    int layer;
};

static inline float *ds4_row(float *buffer, int t, int width)
{
    return buffer + (size_t)t * (size_t)width;
}

/* h to y: attention of the layer f->l, whose rows are added to the cache. */
void ds4_attention(struct forward *f);

#endif
