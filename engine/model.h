/* model.h -- a model's numbers and weights, bound to names by one table per family.
 *
 * Letters used everywhere: q, k, v, o are the query, key, value and output projections of
 * attention; ff is the feed-forward network with its gate, up and down matrices; d_x is a width.
 *
 * After model_bind() every matrix has the shape its row in the table says, lies inside the file
 * and is of a supported format; every number is in a range that nothing overflows from. */
#ifndef DUET_ENGINE_MODEL_H
#define DUET_ENGINE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"
#include "engine/gguf.h"
#include "engine/matmul.h"
#include "engine/mem.h"

struct forward_ops;
struct binding;
struct deepseek4;

struct layer {
    bool local;                          /* attention sees the last `window` positions only */
    const float *attn_norm;              /* [d_model] */
    struct matrix q, k, v, o;            /* [d_q][d_model], [d_kv][d_model] twice, [d_model][d_q] */
    const float *q_bias, *k_bias, *v_bias;  /* [d_q], [d_kv] twice; or NULL */
    const float *q_norm, *k_norm;        /* [head_dim], of each head; or NULL */
    const float *attn_post_norm;         /* [d_model], of what attention adds; or NULL */
    const float *ff_norm;                /* [d_model] */
    struct matrix router;                /* [n_expert][d_model], if there are experts */
    struct matrix gate, up, down;        /* [d_ff][d_model] twice, [d_model][d_ff]; with experts
                                          * stacks of n_expert */
    const float *ff_post_norm;           /* [d_model], of what the network adds; or NULL */
};

struct model {
    const struct family *family;         /* static storage */
    int n_layer, n_head, n_kv_head, head_dim;
    int d_model, d_ff;                   /* d_ff: with experts the width of one */
    int d_q, d_kv;                       /* n_head * head_dim, n_kv_head * head_dim */
    int n_expert, n_expert_used;         /* 0: none */
    int n_vocab, n_ctx_train;
    int window;                          /* positions, the current one included; 0: no layer is
                                          * local */
    int n_rot;                           /* of head_dim, this many values are rotated; even */
    float norm_eps;
    float embed_scale;                   /* of the rows of embed */
    float attn_scale;                    /* of the scores */
    float rope_base, rope_factor;        /* angle of pair i: pos / factor * base^(-2i / n_rot) */
    float rope_base_local;               /* in local layers, where the factor is 1 */
    const float *rope_freqs;             /* [n_rot / 2], further divisors of the angles; or NULL */
    struct matrix embed;                 /* [n_vocab][d_model] */
    struct matrix output;                /* the same shape; embed again where the file has none */
    const float *output_norm;            /* [d_model] */
    struct layer *layers;                /* [n_layer], in arena; of the dense models */
    struct deepseek4 *deepseek4;         /* in arena; of deepseek4.h, else NULL */
    uint64_t weight_bytes, expert_bytes; /* of all tensors; of these, of the stacks of experts */
    struct arena arena;
};

#define FAMILY_TABLES 4

/* One architecture: its name in files, what sets it apart, how its tensors are bound and what runs
 * it. */
struct family {
    const char *arch;
    const struct forward_ops *forward;
    bool rope_halves;          /* pairs (x[i], x[n_rot / 2 + i]), not (x[2i], x[2i + 1]) */
    bool gelu;                 /* in the network, not SiLU */
    bool scaled_embed;         /* by the root of d_model */
    bool has_experts;
    int wide_layers;           /* with so many layers scores are scaled by the root of d_model /
                                * n_head, not of head_dim; 0: never */
    int global_every;          /* all layers but each so-manieth are local; 0: none is. A default
                                * that the file may change */
    bool (*bind)(struct model *m, const struct gguf *g, struct err *err);  /* instead of what
                                * the tables below say; or NULL */
    const struct binding *whole;                 /* tensors of the whole model */
    const struct binding *layer[FAMILY_TABLES];  /* tensors of each layer, as far as not NULL */
};

/* Binds a parsed file, which must outlive *m.
 *
 * errors  ERR_UNSUPPORTED (architecture, weight format, rope scaling, tensors that the family
 *         does not know), ERR_FORMAT (missing or misshapen), ERR_NOMEM. *m is then zeroed. */
bool model_bind(struct model *m, const struct gguf *g, struct err *err);
void model_release(struct model *m);

/* The angle of each pair per position, [n_rot / 2], in the layers that are local or not. */
void model_rope(const struct model *m, bool local, double *angle);

/* The widest row that any matrix of the model multiplies. */
int model_cols_max(const struct model *m);

#endif
