/* deepseek4_bind.c -- numbers and weights of DeepSeek-V4 from a file; see deepseek4.h.
 *
 * Every number is checked against a ceiling here and every shape against the numbers, so that a
 * file can make no product overflow and no index leave its array. */
#include "engine/deepseek4.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bind.h"
#include "engine/model.h"

#define WINDOW_MAX   (1 << 16)
#define TOP_K_MAX    (1 << 16)
#define USED_MAX     64       /* experts of a token */
#define SINKHORN_MAX 1000
#define DRAFTS_MAX   16       /* blocks behind the last layer that draft tokens; not run */

/* ---- the tables: tensor names to fields ---------------------------------------------------- */

/* Sizes, as far as they do not depend on the layer; with those of its compressors. */
enum size {
    ONE, STREAMS, MIX, MIX_SCALES, MIX_IN, D_MODEL, D_HEAD, D_Q, N_HEAD, Q_RANK, OUT_ALL, N_INDEX,
    D_INDEX, INDEX_ALL, N_EXPERT, D_FF, D_SHARED, N_VOCAB, RATIO, ROW_CHANNELS, INDEX_CHANNELS,
};

enum kind { VECTOR, MATRIX };

/* Which layers have a tensor. */
enum need { ALL, COMPRESSED, INDEXED, SCORED };

struct row {
    const char *name;      /* of a layer's tensors the part behind "blk.<i>." */
    size_t field;          /* offset in struct model, struct deepseek4 or struct ds4_layer */
    enum kind kind;
    enum size rows, cols, stack;
    enum need need;
};

static const struct row model_rows[] = {
    { "token_embd.weight", offsetof(struct model, embed), MATRIX, N_VOCAB, D_MODEL, ONE, ALL },
    { "output.weight", offsetof(struct model, output), MATRIX, N_VOCAB, D_MODEL, ONE, ALL },
    { "output_norm.weight", offsetof(struct model, output_norm), VECTOR, ONE, D_MODEL, ONE, ALL },
    { 0 },
};

static const struct row whole_rows[] = {
    { "output_hc_fn.weight", offsetof(struct deepseek4, out_mix.fn), MATRIX,
      STREAMS, MIX_IN, ONE, ALL },
    { "output_hc_base.weight", offsetof(struct deepseek4, out_mix.base), VECTOR,
      ONE, STREAMS, ONE, ALL },
    { "output_hc_scale.weight", offsetof(struct deepseek4, out_mix.scale), VECTOR,
      ONE, ONE, ONE, ALL },
    { 0 },
};

#define M(name, field, rows, cols, need) \
    { name, offsetof(struct ds4_layer, field), MATRIX, rows, cols, ONE, need }
#define S(name, field, stack, rows, cols) \
    { name, offsetof(struct ds4_layer, field), MATRIX, rows, cols, stack, ALL }
#define V(name, field, size, need) \
    { name, offsetof(struct ds4_layer, field), VECTOR, ONE, size, ONE, need }

static const struct row layer_rows[] = {
    M("hc_attn_fn.weight",       attn_mix.fn,    MIX, MIX_IN, ALL),
    V("hc_attn_base.weight",     attn_mix.base,  MIX, ALL),
    V("hc_attn_scale.weight",    attn_mix.scale, MIX_SCALES, ALL),
    M("hc_ffn_fn.weight",        ff_mix.fn,      MIX, MIX_IN, ALL),
    V("hc_ffn_base.weight",      ff_mix.base,    MIX, ALL),
    V("hc_ffn_scale.weight",     ff_mix.scale,   MIX_SCALES, ALL),
    V("attn_norm.weight",        attn_norm,      D_MODEL, ALL),
    V("ffn_norm.weight",         ff_norm,        D_MODEL, ALL),
    M("attn_q_a.weight",         q_a,            Q_RANK, D_MODEL, ALL),
    V("attn_q_a_norm.weight",    q_norm,         Q_RANK, ALL),
    M("attn_q_b.weight",         q_b,            D_Q, Q_RANK, ALL),
    M("attn_kv.weight",          kv,             D_HEAD, D_MODEL, ALL),
    V("attn_kv_a_norm.weight",   kv_norm,        D_HEAD, ALL),
    V("attn_sinks.weight",       sinks,          N_HEAD, ALL),
    M("attn_output_b.weight",    out_b,          D_MODEL, OUT_ALL, ALL),
    M("attn_compressor_kv.weight",   rows.kv,    ROW_CHANNELS, D_MODEL, COMPRESSED),
    M("attn_compressor_gate.weight", rows.gate,  ROW_CHANNELS, D_MODEL, COMPRESSED),
    M("attn_compressor_ape.weight",  rows.ape,   RATIO, ROW_CHANNELS, COMPRESSED),
    V("attn_compressor_norm.weight", rows.norm,  D_HEAD, COMPRESSED),
    M("indexer.attn_q_b.weight", index_q,        INDEX_ALL, Q_RANK, INDEXED),
    M("indexer.proj.weight",     index_weight,   N_INDEX, D_MODEL, INDEXED),
    M("indexer_compressor_kv.weight",   index.kv,   INDEX_CHANNELS, D_MODEL, INDEXED),
    M("indexer_compressor_gate.weight", index.gate, INDEX_CHANNELS, D_MODEL, INDEXED),
    M("indexer_compressor_ape.weight",  index.ape,  RATIO, INDEX_CHANNELS, INDEXED),
    V("indexer_compressor_norm.weight", index.norm, D_INDEX, INDEXED),
    M("ffn_gate_inp.weight",     router,         N_EXPERT, D_MODEL, ALL),
    V("exp_probs_b.bias",        bias,           N_EXPERT, SCORED),
    S("ffn_gate_exps.weight",    gate,           N_EXPERT, D_FF, D_MODEL),
    S("ffn_up_exps.weight",      up,             N_EXPERT, D_FF, D_MODEL),
    S("ffn_down_exps.weight",    down,           N_EXPERT, D_MODEL, D_FF),
    M("ffn_gate_shexp.weight",   shared_gate,    D_SHARED, D_MODEL, ALL),
    M("ffn_up_shexp.weight",     shared_up,      D_SHARED, D_MODEL, ALL),
    M("ffn_down_shexp.weight",   shared_down,    D_MODEL, D_SHARED, ALL),
    { 0 },
};

/* Bound by hand: a matrix whose rows are cut into groups, and a table of integers. */
static const char out_a_name[] = "attn_output_a.weight";
static const char chosen_name[] = "ffn_gate_tid2eid.weight";

static int size_of(const struct model *m, const struct ds4_layer *l, enum size s)
{
    const struct deepseek4 *d = m->deepseek4;
    int channels = l && l->ratio == DS4_OVERLAP ? 2 : 1;
    switch (s) {
    case ONE:            return 1;
    case STREAMS:        return DS4_STREAMS;
    case MIX:            return DS4_MIX;
    case MIX_SCALES:     return 3;
    case MIX_IN:         return DS4_STREAMS * m->d_model;
    case D_MODEL:        return m->d_model;
    case D_HEAD:         return m->head_dim;
    case D_Q:            return m->d_q;
    case N_HEAD:         return m->n_head;
    case Q_RANK:         return d->q_rank;
    case OUT_ALL:        return d->n_group * d->out_rank;
    case N_INDEX:        return d->n_index_head;
    case D_INDEX:        return d->d_index;
    case INDEX_ALL:      return d->n_index_head * d->d_index;
    case N_EXPERT:       return m->n_expert;
    case D_FF:           return m->d_ff;
    case D_SHARED:       return d->d_shared;
    case N_VOCAB:        return m->n_vocab;
    case RATIO:          return l->ratio;
    case ROW_CHANNELS:   return channels * m->head_dim;
    case INDEX_CHANNELS: return channels * d->d_index;
    }
    return 1;
}

static bool needed(const struct ds4_layer *l, enum need need)
{
    return need == ALL || (need == COMPRESSED && l->ratio > 0) ||
           (need == INDEXED && l->ratio == DS4_OVERLAP) || (need == SCORED && !l->by_id);
}

/* ---- tensors ------------------------------------------------------------------------------- */

static const struct gguf_tensor *find(struct model *m, const struct gguf *g, int layer,
                                      const char *name, struct err *err)
{
    char full[96];
    if (layer < 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "blk.%d.%s", layer, name);
    const struct gguf_tensor *t = gguf_find_tensor(g, full);
    if (t)
        m->weight_bytes += t->bytes;
    else
        err_set(err, ERR_FORMAT, "tensor '%s' is missing", full);
    return t;
}

/* Binds one table. layer < 0: the whole model's. */
static bool bind_rows(struct model *m, const struct gguf *g, const struct row *r, void *object,
                      int layer, struct err *err)
{
    const struct ds4_layer *l = layer < 0 ? NULL : object;
    for (; r->name; r++) {
        if (l && !needed(l, r->need))
            continue;
        const struct gguf_tensor *t = find(m, g, layer, r->name, err);
        void *field = (char *)object + r->field;
        int rows = size_of(m, l, r->rows), cols = size_of(m, l, r->cols);
        if (!t || !(r->kind == VECTOR
                        ? bind_vector(t, cols, field, err)
                        : bind_matrix(t, rows, cols, size_of(m, l, r->stack), field, err)))
            return false;
        m->expert_bytes += r->stack == N_EXPERT ? t->bytes : 0;
    }
    return true;
}

/* The groups of the first output matrix lie one after the other: the file has them as one. */
static bool bind_groups(struct model *m, const struct gguf *g, struct ds4_layer *l, int layer,
                        struct err *err)
{
    const struct deepseek4 *d = m->deepseek4;
    const struct gguf_tensor *t = find(m, g, layer, out_a_name, err);
    if (!t || !bind_matrix(t, d->n_group * d->out_rank, m->d_q / d->n_group, 1, &l->out_a, err))
        return false;
    l->out_a.rows = d->out_rank;
    l->out_a.n_stack = d->n_group;
    return true;
}

/* The experts by token id: each inside the table, none twice for a token. */
static bool bind_chosen(struct model *m, const struct gguf *g, struct ds4_layer *l, int layer,
                        struct err *err)
{
    int used = m->n_expert_used;
    const struct gguf_tensor *t = find(m, g, layer, chosen_name, err);
    if (!t || !bind_shape(t, m->n_vocab, used, 1, err))
        return false;
    if (t->type->id != GGUF_I32 || (uintptr_t)t->data % sizeof(int32_t) != 0)
        return err_set(err, ERR_FORMAT, "tensor 'blk.%d.%s' does not hold aligned I32", layer,
                       chosen_name);
    l->chosen = (const void *)t->data;
    for (int id = 0; id < m->n_vocab; id++) {
        const int32_t *one = l->chosen + (size_t)id * (size_t)used;
        for (int k = 0; k < used; k++) {
            bool twice = false;
            for (int j = 0; j < k; j++)
                twice |= one[j] == one[k];
            if (one[k] < 0 || one[k] >= m->n_expert || twice)
                return err_set(err, ERR_FORMAT,
                               "tensor 'blk.%d.%s' sends token %d to expert %d%s", layer,
                               chosen_name, id, (int)one[k], twice ? " twice" : "");
        }
    }
    return true;
}

static bool bind_layer(struct model *m, const struct gguf *g, int i, struct err *err)
{
    struct ds4_layer *l = &m->deepseek4->layers[i];
    return bind_rows(m, g, layer_rows, l, i, err) && bind_groups(m, g, l, i, err) &&
           (!l->by_id || bind_chosen(m, g, l, i, err));
}

/* ---- tensors that have no place ------------------------------------------------------------ */

static bool in_table(const struct row *r, const struct ds4_layer *l, const char *name)
{
    for (; r->name; r++)
        if (strcmp(name, r->name) == 0 && (!l || needed(l, r->need)))
            return true;
    return false;
}

/* True if a tensor is bound, or belongs to a block that only drafts tokens. */
static bool known(const struct model *m, int n_blocks, const char *name)
{
    char again[96];
    int layer, skip = 0;
    if (in_table(model_rows, NULL, name) || in_table(whole_rows, NULL, name) ||
        strncmp(name, "mtp.", 4) == 0)
        return true;
    if (sscanf(name, "blk.%9d.%n", &layer, &skip) != 1 || skip == 0)
        return false;
    snprintf(again, sizeof again, "blk.%d.", layer);
    if (layer < 0 || layer >= n_blocks || strncmp(name, again, strlen(again)) != 0)
        return false;
    if (layer >= m->n_layer)
        return true;
    const struct ds4_layer *l = &m->deepseek4->layers[layer];
    return in_table(layer_rows, l, name + skip) || strcmp(name + skip, out_a_name) == 0 ||
           (l->by_id && strcmp(name + skip, chosen_name) == 0);
}

/* What has no place would be left out of the arithmetic: the answers would be wrong. */
static bool check_names(const struct model *m, const struct gguf *g, int n_blocks,
                        struct err *err)
{
    for (int i = 0; i < g->n_tensors; i++) {
        char name[GGUF_NAME_MAX + 1];
        struct gguf_str s = g->tensors[i].name;
        snprintf(name, sizeof name, "%.*s", (int)s.bytes, s.data);
        if (!known(m, n_blocks, name))
            return err_set(err, ERR_UNSUPPORTED, "tensor '%s' has no place in a model of type %s",
                           name, m->family->arch);
    }
    return true;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static bool read_int(struct model *m, const struct gguf *g, const char *key, int fallback,
                     int max, int *out, struct err *err)
{
    return bind_int(g, m->family->arch, key, fallback, max, out, err);
}

static bool read_float(struct model *m, const struct gguf *g, const char *key, float fallback,
                       float *out, struct err *err)
{
    return bind_float(g, m->family->arch, key, fallback, out, err);
}

/* An unsigned number that may be 0 and may be absent: then it is 0. */
static bool read_count(struct model *m, const struct gguf *g, const char *key, int max, int *out,
                       struct err *err)
{
    char name[96];
    uint32_t v = 0;
    snprintf(name, sizeof name, "%s.%s", m->family->arch, key);
    if (!gguf_u32_or(g, name, 0, &v, err))
        return false;
    if (v > (uint32_t)max)
        return err_set(err, ERR_FORMAT, "'%s' is %u, expected 0 to %d", name, v, max);
    *out = (int)v;
    return true;
}

static bool read_sizes(struct model *m, const struct gguf *g, struct err *err)
{
    int value = 0, n_kv = 0;
    struct deepseek4 *d = m->deepseek4;
    if (!read_int(m, g, "embedding_length", -1, D_MAX, &m->d_model, err) ||
        !read_int(m, g, "context_length", -1, CONTEXT_MAX, &m->n_ctx_train, err) ||
        !read_float(m, g, "attention.layer_norm_rms_epsilon", -1, &m->norm_eps, err) ||
        !read_int(m, g, "attention.head_count", -1, HEADS_MAX, &m->n_head, err) ||
        !read_int(m, g, "attention.head_count_kv", 1, HEADS_MAX, &n_kv, err) ||
        !read_int(m, g, "attention.key_length", -1, HEAD_MAX, &m->head_dim, err) ||
        !read_int(m, g, "attention.value_length", m->head_dim, HEAD_MAX, &value, err) ||
        !read_int(m, g, "attention.q_lora_rank", -1, D_MAX, &d->q_rank, err) ||
        !read_int(m, g, "attention.output_lora_rank", -1, D_MAX, &d->out_rank, err) ||
        !read_int(m, g, "attention.output_group_count", -1, m->n_head, &d->n_group, err) ||
        !read_int(m, g, "attention.sliding_window", -1, WINDOW_MAX, &d->window, err))
        return false;
    if (n_kv != 1 || value != m->head_dim)
        return err_set(err, ERR_UNSUPPORTED, "%d key heads of %d and %d numbers; one of equal "
                       "width is supported", n_kv, m->head_dim, value);
    if (m->n_head % d->n_group || d->out_rank > D_MAX / d->n_group)
        return err_set(err, ERR_FORMAT, "%d heads cannot be put into %d groups of rank %d",
                       m->n_head, d->n_group, d->out_rank);
    m->n_kv_head = 1;
    m->d_q = m->n_head * m->head_dim;
    m->d_kv = m->head_dim;
    m->embed_scale = 1;
    m->attn_scale = 1 / sqrtf((float)m->head_dim);
    return true;
}

static bool read_indexer(struct model *m, const struct gguf *g, struct err *err)
{
    struct deepseek4 *d = m->deepseek4;
    return read_int(m, g, "attention.indexer.head_count", -1, HEADS_MAX, &d->n_index_head, err) &&
           read_int(m, g, "attention.indexer.key_length", -1, HEAD_MAX, &d->d_index, err) &&
           read_int(m, g, "attention.indexer.top_k", -1, TOP_K_MAX, &d->top_k, err);
}

/* The rotary angles: plain ones in layers that see the window alone, stretched ones elsewhere. */
static bool read_rope(struct model *m, const struct gguf *g, struct err *err)
{
    struct deepseek4 *d = m->deepseek4;
    struct gguf_str type;
    char name[96];
    snprintf(name, sizeof name, "%s.rope.scaling.type", m->family->arch);
    if (!read_float(m, g, "rope.freq_base", 10000, &m->rope_base, err) ||
        !read_float(m, g, "attention.compress_rope_freq_base", -1, &d->row_base, err) ||
        !read_int(m, g, "rope.dimension_count", -1, m->head_dim, &m->n_rot, err) ||
        !gguf_string_or(g, name, "none", &type, err))
        return false;
    m->rope_factor = d->yarn_factor = 1;
    if (m->n_rot % 2 || m->n_rot > d->d_index)
        return err_set(err, ERR_FORMAT, "%d of %d and of %d values to rotate, expected an even "
                       "number of them", m->n_rot, m->head_dim, d->d_index);
    if (gguf_str_is(type, "none"))
        return true;
    if (!gguf_str_is(type, "yarn"))
        return err_set(err, ERR_UNSUPPORTED, "'%s' is '%.*s'; supported: none, yarn", name,
                       type.bytes < 60 ? (int)type.bytes : 60, type.data);
    if (d->row_base <= 1.001f)
        return err_set(err, ERR_FORMAT, "a rotary base of %g", (double)d->row_base);
    return read_float(m, g, "rope.scaling.factor", -1, &d->yarn_factor, err) &&
           read_int(m, g, "rope.scaling.original_context_length", -1, CONTEXT_MAX,
                    &d->yarn_context, err) &&
           read_float(m, g, "rope.scaling.yarn_beta_fast", 32, &d->yarn_fast, err) &&
           read_float(m, g, "rope.scaling.yarn_beta_slow", 1, &d->yarn_slow, err);
}

static bool read_experts(struct model *m, const struct gguf *g, struct err *err)
{
    struct deepseek4 *d = m->deepseek4;
    int n_shared = 0, groups = 0, gating = 0, max = EXPERTS_MAX;
    char norm[96];
    snprintf(norm, sizeof norm, "%s.expert_weights_norm", m->family->arch);
    if (!read_int(m, g, "expert_count", -1, max, &m->n_expert, err))
        return false;
    max = m->n_expert < USED_MAX ? m->n_expert : USED_MAX;
    if (!read_int(m, g, "expert_used_count", -1, max, &m->n_expert_used, err) ||
        !read_int(m, g, "expert_shared_count", 1, USED_MAX, &n_shared, err) ||
        !read_int(m, g, "expert_feed_forward_length", -1, D_MAX / n_shared, &m->d_ff, err) ||
        !read_float(m, g, "expert_weights_scale", 1, &d->expert_scale, err) ||
        !gguf_bool_or(g, norm, true, &d->expert_norm, err) ||
        !read_int(m, g, "expert_gating_func", 4, 1000, &gating, err) ||
        !read_count(m, g, "expert_group_count", EXPERTS_MAX, &groups, err) ||
        !read_count(m, g, "hash_layer_count", LAYERS_MAX, &d->n_by_id, err))
        return false;
    d->d_shared = n_shared * m->d_ff;
    if (gating != 4)
        return err_set(err, ERR_UNSUPPORTED, "experts are scored by function %d; supported is 4, "
                       "sqrt(softplus)", gating);
    return groups == 0 || err_set(err, ERR_UNSUPPORTED, "experts in %d groups", groups);
}

static bool read_mixing(struct model *m, const struct gguf *g, struct err *err)
{
    struct deepseek4 *d = m->deepseek4;
    int n = 0;
    if (!read_int(m, g, "hyper_connection.count", -1, 1000, &n, err) ||
        !read_int(m, g, "hyper_connection.sinkhorn_iterations", -1, SINKHORN_MAX, &d->n_sinkhorn,
                  err) ||
        !read_float(m, g, "hyper_connection.epsilon", -1, &d->mix_eps, err))
        return false;
    return n == DS4_STREAMS || err_set(err, ERR_UNSUPPORTED, "%d streams between the layers; "
                                       "supported are %d", n, DS4_STREAMS);
}

static bool read_vocabulary(struct model *m, const struct gguf *g, struct err *err)
{
    const struct gguf_tensor *embed = gguf_find_tensor(g, "token_embd.weight");
    if (!embed)
        return err_set(err, ERR_FORMAT, "tensor 'token_embd.weight' is missing");
    if (embed->dims[1] > D_MAX * 4)
        return err_set(err, ERR_FORMAT, "a vocabulary of %llu tokens",
                       (unsigned long long)embed->dims[1]);
    m->n_vocab = (int)embed->dims[1];
    return true;
}

/* block_count counts the drafting blocks in some files and not in others: where their tensors are
 * among the first block_count blocks, it does. */
static bool read_layers(struct model *m, const struct gguf *g, int *n_blocks, struct err *err)
{
    int n = 0, drafts = 0;
    char name[96];
    if (!read_int(m, g, "block_count", -1, LAYERS_MAX, &n, err) ||
        !read_count(m, g, "nextn_predict_layers", DRAFTS_MAX, &drafts, err))
        return false;
    snprintf(name, sizeof name, "blk.%d.nextn.eh_proj.weight", n - drafts);
    bool counted = drafts > 0 && drafts < n && gguf_find_tensor(g, name);
    m->n_layer = counted ? n - drafts : n;
    *n_blocks = m->n_layer + drafts;
    if (m->n_layer > g->n_tensors)
        return err_set(err, ERR_FORMAT, "%d layers but %d tensors", m->n_layer, g->n_tensors);
    m->deepseek4->layers = arena_alloc(&m->arena, (size_t)m->n_layer,
                                       sizeof *m->deepseek4->layers);
    return m->deepseek4->layers ||
           err_set(err, ERR_NOMEM, "not enough memory for a table of %d layers", m->n_layer);
}

/* ---- lists with a number for each layer ---------------------------------------------------- */

static bool check_length(const char *name, size_t n, const struct model *m, struct err *err)
{
    return n >= (size_t)m->n_layer ||
           err_set(err, ERR_FORMAT, "'%s' has %zu values for %d layers", name, n, m->n_layer);
}

static bool read_ratios(struct model *m, const struct gguf *g, struct err *err)
{
    char name[96];
    int32_t *ratio;
    size_t n;
    snprintf(name, sizeof name, "%s.attention.compress_ratios", m->family->arch);
    if (!gguf_i32s(g, name, &ratio, &n, err))
        return false;
    bool ok = check_length(name, n, m, err);
    for (int i = 0; ok && i < m->n_layer; i++) {
        struct ds4_layer *l = &m->deepseek4->layers[i];
        l->ratio = ratio[i];
        l->by_id = i < m->deepseek4->n_by_id;
        if (ratio[i] != 0 && ratio[i] != DS4_OVERLAP && ratio[i] != DS4_SPARSE)
            ok = err_set(err, ERR_UNSUPPORTED, "'%s' has %d for layer %d; supported are 0, %d "
                         "and %d", name, (int)ratio[i], i, DS4_OVERLAP, DS4_SPARSE);
    }
    free(ratio);
    return ok;
}

/* Reads one limit a layer into the field at this offset of struct ds4_layer. */
static bool read_limits(struct model *m, const struct gguf *g, const char *name, size_t field,
                        struct err *err)
{
    float *limit;
    size_t n;
    if (!gguf_f32s(g, name, &limit, &n, err))
        return false;
    bool ok = check_length(name, n, m, err);
    for (int i = 0; ok && i < m->n_layer; i++) {
        if (!(limit[i] > 0 && limit[i] < 1e30f))
            ok = err_set(err, ERR_FORMAT, "'%s' has %g for layer %d, expected a positive number",
                         name, (double)limit[i], i);
        memcpy((char *)&m->deepseek4->layers[i] + field, &limit[i], sizeof limit[i]);
    }
    free(limit);
    return ok;
}

/* The shared experts' limit is that of the others where the file has none. */
static bool read_clamps(struct model *m, const struct gguf *g, struct err *err)
{
    char routed[96], shared[96];
    snprintf(routed, sizeof routed, "%s.swiglu_clamp_exp", m->family->arch);
    snprintf(shared, sizeof shared, "%s.swiglu_clamp_shexp", m->family->arch);
    return read_limits(m, g, routed, offsetof(struct ds4_layer, clamp), err) &&
           read_limits(m, g, gguf_find_key(g, shared) ? shared : routed,
                       offsetof(struct ds4_layer, clamp_shared), err);
}

/* ---- the door ------------------------------------------------------------------------------ */

bool deepseek4_bind(struct model *m, const struct gguf *g, struct err *err)
{
    int n_blocks = 0;
    m->deepseek4 = arena_alloc(&m->arena, 1, sizeof *m->deepseek4);
    if (!m->deepseek4)
        return err_set(err, ERR_NOMEM, "not enough memory for the model's numbers");
    if (!read_sizes(m, g, err) || !read_indexer(m, g, err) || !read_rope(m, g, err) ||
        !read_experts(m, g, err) || !read_mixing(m, g, err) || !read_vocabulary(m, g, err) ||
        !read_layers(m, g, &n_blocks, err) || !read_ratios(m, g, err) || !read_clamps(m, g, err))
        return false;
    if (!bind_rows(m, g, model_rows, m, -1, err) ||
        !bind_rows(m, g, whole_rows, m->deepseek4, -1, err))
        return false;
    for (int i = 0; i < m->n_layer; i++)
        if (!bind_layer(m, g, i, err))
            return false;
    return check_names(m, g, n_blocks, err);
}
