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

struct layer {
    const float *attn_norm;              /* [d_model] */
    struct matrix q, k, v, o;            /* [d_q][d_model], [d_kv][d_model] twice, [d_model][d_q] */
    const float *ff_norm;                /* [d_model] */
    struct matrix gate, up, down;        /* [d_ff][d_model] twice, [d_model][d_ff] */
};

struct model {
    const struct family *family;         /* static storage */
    int n_layer, n_head, n_kv_head, head_dim;
    int d_model, d_ff;
    int d_q, d_kv;                       /* n_head * head_dim, n_kv_head * head_dim */
    int n_vocab, n_ctx_train;
    int n_rot;                           /* of head_dim, this many values are rotated; even */
    float norm_eps;
    float rope_base, rope_factor;        /* angle of pair i: pos / factor * base^(-2i / n_rot) */
    const float *rope_freqs;             /* [n_rot / 2], further divisors of the angles; or NULL */
    struct matrix embed;                 /* [n_vocab][d_model] */
    struct matrix output;                /* the same shape; embed again where the file has none */
    const float *output_norm;            /* [d_model] */
    struct layer *layers;                /* [n_layer], in arena */
    uint64_t weight_bytes;
    struct arena arena;
};

/* One architecture: its name in files, how its tensors are bound and what runs it. */
struct family {
    const char *arch;
    const struct binding *whole;         /* tensors of the whole model, ended by a NULL name */
    const struct binding *layer;         /* tensors of each layer, likewise */
    const struct forward_ops *forward;
};

/* Binds a parsed file, which must outlive *m.
 *
 * errors  ERR_UNSUPPORTED (architecture, weight format, rope scaling, tensors that the family
 *         does not know), ERR_FORMAT (missing or misshapen), ERR_NOMEM. *m is then zeroed. */
bool model_bind(struct model *m, const struct gguf *g, struct err *err);
void model_release(struct model *m);

/* The widest row that any matrix of the model multiplies. */
int model_cols_max(const struct model *m);

#endif
