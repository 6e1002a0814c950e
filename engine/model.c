/* model.c -- see model.h. A new model of a known kind of network is a row in `families` and, where
 * its tensors differ, rows in a binding table. */
#include "engine/model.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/bind.h"
#include "engine/deepseek4.h"
#include "engine/forward.h"

/* ---- bindings: tensor names to fields ------------------------------------------------------ */

enum dim { DIM_NONE, D_MODEL, D_Q, D_KV, D_FF, D_HEAD, N_EXPERT, N_VOCAB, N_ROT_HALF };

/* A table ends with a row without name. */
struct binding {
    const char *name;    /* of a layer's tensors the part behind "blk.<i>." */
    size_t field;        /* offset in struct model or struct layer */
    enum dim rows;       /* DIM_NONE: a vector, const float *; else a struct matrix */
    enum dim cols;
    bool optional;
    enum dim stack;      /* DIM_NONE: one matrix */
};

#define WHOLE(name, field, rows, cols, optional) \
    { name, offsetof(struct model, field), rows, cols, optional, DIM_NONE }
#define LAYER(name, field, rows, cols) \
    { name, offsetof(struct layer, field), rows, cols, false, DIM_NONE }
#define STACK(name, field, rows, cols) \
    { name, offsetof(struct layer, field), rows, cols, false, N_EXPERT }

static const struct binding whole[] = {
    WHOLE("token_embd.weight",  embed,       N_VOCAB,  D_MODEL,    false),
    WHOLE("output.weight",      output,      N_VOCAB,  D_MODEL,    true),
    WHOLE("output_norm.weight", output_norm, DIM_NONE, D_MODEL,    false),
    WHOLE("rope_freqs.weight",  rope_freqs,  DIM_NONE, N_ROT_HALF, true),
    { 0 },
};

static const struct binding attention[] = {
    LAYER("attn_norm.weight",   attn_norm, DIM_NONE, D_MODEL),
    LAYER("attn_q.weight",      q,         D_Q,      D_MODEL),
    LAYER("attn_k.weight",      k,         D_KV,     D_MODEL),
    LAYER("attn_v.weight",      v,         D_KV,     D_MODEL),
    LAYER("attn_output.weight", o,         D_MODEL,  D_Q),
    LAYER("ffn_norm.weight",    ff_norm,   DIM_NONE, D_MODEL),
    { 0 },
};

static const struct binding biases[] = {
    LAYER("attn_q.bias", q_bias, DIM_NONE, D_Q),
    LAYER("attn_k.bias", k_bias, DIM_NONE, D_KV),
    LAYER("attn_v.bias", v_bias, DIM_NONE, D_KV),
    { 0 },
};

static const struct binding head_norms[] = {
    LAYER("attn_q_norm.weight", q_norm, DIM_NONE, D_HEAD),
    LAYER("attn_k_norm.weight", k_norm, DIM_NONE, D_HEAD),
    { 0 },
};

static const struct binding post_norms[] = {
    LAYER("post_attention_norm.weight", attn_post_norm, DIM_NONE, D_MODEL),
    LAYER("post_ffw_norm.weight",       ff_post_norm,   DIM_NONE, D_MODEL),
    { 0 },
};

static const struct binding network[] = {
    LAYER("ffn_gate.weight", gate, D_FF,    D_MODEL),
    LAYER("ffn_up.weight",   up,   D_FF,    D_MODEL),
    LAYER("ffn_down.weight", down, D_MODEL, D_FF),
    { 0 },
};

static const struct binding expert_networks[] = {
    LAYER("ffn_gate_inp.weight",  router, N_EXPERT, D_MODEL),
    STACK("ffn_gate_exps.weight", gate,   D_FF,     D_MODEL),
    STACK("ffn_up_exps.weight",   up,     D_FF,     D_MODEL),
    STACK("ffn_down_exps.weight", down,   D_MODEL,  D_FF),
    { 0 },
};

static const struct family families[] = {
    { .arch = "llama", .forward = &forward_dense,
      .whole = whole, .layer = { attention, network } },
    { .arch = "qwen2", .forward = &forward_dense, .rope_halves = true,
      .whole = whole, .layer = { attention, biases, network } },
    { .arch = "qwen3", .forward = &forward_dense, .rope_halves = true,
      .whole = whole, .layer = { attention, head_norms, network } },
    { .arch = "qwen3moe", .forward = &forward_dense, .rope_halves = true, .has_experts = true,
      .whole = whole, .layer = { attention, head_norms, expert_networks } },
    { .arch = "gemma3", .forward = &forward_dense, .rope_halves = true, .gelu = true,
      .scaled_embed = true, .global_every = 6, .wide_layers = 62,  /* 27B */
      .whole = whole, .layer = { attention, head_norms, post_norms, network } },
    { .arch = "deepseek4", .forward = &forward_deepseek4, .bind = deepseek4_bind },
};

#define N_FAMILIES (sizeof families / sizeof families[0])

static int dim_of(const struct model *m, enum dim d)
{
    switch (d) {
    case D_MODEL:    return m->d_model;
    case D_Q:        return m->d_q;
    case D_KV:       return m->d_kv;
    case D_FF:       return m->d_ff;
    case D_HEAD:     return m->head_dim;
    case N_EXPERT:   return m->n_expert;
    case N_VOCAB:    return m->n_vocab;
    case N_ROT_HALF: return m->n_rot / 2;
    case DIM_NONE:   break;
    }
    return 1;
}

/* Fills one field from a tensor. */
static bool bind_tensor(const struct model *m, const struct binding *b,
                        const struct gguf_tensor *t, void *field, struct err *err)
{
    int rows = dim_of(m, b->rows), cols = dim_of(m, b->cols), stack = dim_of(m, b->stack);
    return b->rows == DIM_NONE ? bind_vector(t, cols, field, err)
                               : bind_matrix(t, rows, cols, stack, field, err);
}

/* Binds one table; NULL is an empty one. layer < 0: the whole model's. Adds to *n_bound what was
 * found. */
static bool bind_table(struct model *m, const struct gguf *g, const struct binding *b,
                       char *object, int layer, int *n_bound, struct err *err)
{
    for (; b && b->name; b++) {
        char name[96];
        if (layer < 0)
            snprintf(name, sizeof name, "%s", b->name);
        else
            snprintf(name, sizeof name, "blk.%d.%s", layer, b->name);
        const struct gguf_tensor *t = gguf_find_tensor(g, name);
        if (!t && b->optional)
            continue;
        if (!t)
            return err_set(err, ERR_FORMAT, "tensor '%s' is missing", name);
        if (!bind_tensor(m, b, t, object + b->field, err))
            return false;
        m->weight_bytes += t->bytes;
        m->expert_bytes += b->stack == N_EXPERT ? t->bytes : 0;
        ++*n_bound;
    }
    return true;
}

/* True if the table, which may be NULL, has this name. */
static bool has_binding(const struct binding *b, struct gguf_str name)
{
    for (; b && b->name; b++)
        if (gguf_str_is(name, b->name))
            return true;
    return false;
}

/* A tensor that the family has no place for would be left out of the arithmetic: the answers would
 * be wrong, so it is refused. */
static bool unknown_tensor(const struct model *m, const struct gguf *g, struct err *err)
{
    for (int i = 0; i < g->n_tensors; i++) {
        char name[GGUF_NAME_MAX + 1];
        struct gguf_str s = g->tensors[i].name;
        snprintf(name, sizeof name, "%.*s", (int)s.bytes, s.data);
        int layer, skip = 0;
        bool known = has_binding(m->family->whole, s);
        if (sscanf(name, "blk.%9d.%n", &layer, &skip) == 1 && skip > 0 && layer < m->n_layer)
            for (int k = 0; k < FAMILY_TABLES; k++)
                known |= has_binding(m->family->layer[k],
                                     (struct gguf_str){ s.data + skip, s.bytes - (size_t)skip });
        if (!known)
            return err_set(err, ERR_UNSUPPORTED, "tensor '%s' has no place in a model of type %s",
                           name, m->family->arch);
    }
    return err_set(err, ERR_FORMAT, "tensors of one name in two spellings");
}

/* ---- numbers ------------------------------------------------------------------------------- */

static const struct family *find_family(const struct gguf *g, struct err *err)
{
    struct gguf_str arch;
    if (!gguf_string(g, "general.architecture", &arch, err))
        return NULL;
    char known[160] = "";
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (gguf_str_is(arch, families[i].arch))
            return &families[i];
        bind_append(known, sizeof known, families[i].arch);
    }
    err_set(err, ERR_UNSUPPORTED, "models of type '%.*s' are not supported; supported: %s",
            arch.bytes < 60 ? (int)arch.bytes : 60, arch.data, known);
    return NULL;
}

/* The rotary position encoding: base, and a linear factor where the file asks for one. */
static bool read_rope(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    char name[96];
    struct gguf_str type;
    snprintf(name, sizeof name, "%s.rope.scaling.type", f->arch);
    if (!bind_float(g, f->arch, "rope.freq_base", 10000, &m->rope_base, err) ||
        !bind_float(g, f->arch, "rope.freq_base_swa", 10000, &m->rope_base_local, err) ||
        !bind_int(g, f->arch, "rope.dimension_count", m->head_dim, m->head_dim, &m->n_rot, err) ||
        !gguf_string_or(g, name, "none", &type, err))
        return false;
    if (m->n_rot % 2)
        return err_set(err, ERR_FORMAT, "%d values to rotate, expected an even number", m->n_rot);
    m->rope_factor = 1;
    if (gguf_str_is(type, "linear"))
        return bind_float(g, f->arch, "rope.scaling.factor", -1, &m->rope_factor, err);
    if (!gguf_str_is(type, "none"))
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' is '%.*s'; supported: none, linear", name,
                       type.bytes < 60 ? (int)type.bytes : 60, type.data);
    return true;
}

/* Which layers are local. Without a window none is. */
static bool read_window(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    char name[96];
    uint32_t window = 0;
    int every = 0;
    snprintf(name, sizeof name, "%s.attention.sliding_window", f->arch);
    if (f->global_every == 0)
        return true;
    if (!gguf_u32_or(g, name, 0, &window, err) ||
        !bind_int(g, f->arch, "attention.sliding_window_pattern", f->global_every, LAYERS_MAX,
                  &every, err))
        return false;
    if (window > CONTEXT_MAX)
        return err_set(err, ERR_FORMAT, "'%s' is %u, expected at most %d", name, window,
                       CONTEXT_MAX);
    m->window = (int)window;
    for (int i = 0; i < m->n_layer; i++)
        m->layers[i].local = window > 0 && (i + 1) % every != 0;
    return true;
}

/* Numbers of experts. The checked products of widths and experts fit an int. */
static bool read_experts(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    char name[96];
    uint32_t experts = 0;
    if (f->has_experts)
        return bind_int(g, f->arch, "expert_count", -1, EXPERTS_MAX, &m->n_expert, err) &&
               bind_int(g, f->arch, "expert_used_count", -1, m->n_expert, &m->n_expert_used, err) &&
               bind_int(g, f->arch, "expert_feed_forward_length", -1, D_MAX, &m->d_ff, err);
    snprintf(name, sizeof name, "%s.expert_count", f->arch);
    if (!gguf_u32_or(g, name, 0, &experts, err))
        return false;
    if (experts > 0)
        return err_set(err, ERR_UNSUPPORTED, "a model of type %s with %u experts", f->arch,
                       experts);
    return bind_int(g, f->arch, "feed_forward_length", -1, D_MAX, &m->d_ff, err);
}

/* Squashed scores or logits are not computed here: a file that asks for them is refused. */
static bool refuse_capping(const struct model *m, const struct gguf *g, struct err *err)
{
    static const char *const keys[] = { "attn_logit_softcapping", "final_logit_softcapping" };
    for (int i = 0; i < 2; i++) {
        char name[96];
        float cap = 0;
        snprintf(name, sizeof name, "%s.%s", m->family->arch, keys[i]);
        if (!gguf_f32_or(g, name, 0, &cap, err))
            return false;
        if (cap != 0)
            return err_set(err, ERR_UNSUPPORTED, "'%s' is %g; supported is none", name,
                           (double)cap);
    }
    return true;
}

/* The head's width, and that keys and values have the same. */
static bool read_heads(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    int value = 0;
    if (!bind_int(g, f->arch, "attention.head_count", -1, HEADS_MAX, &m->n_head, err) ||
        !bind_int(g, f->arch, "attention.head_count_kv", m->n_head, m->n_head, &m->n_kv_head,
                  err) ||
        !bind_int(g, f->arch, "attention.key_length", m->d_model / m->n_head, HEAD_MAX,
                  &m->head_dim, err) ||
        !bind_int(g, f->arch, "attention.value_length", m->head_dim, HEAD_MAX, &value, err))
        return false;
    if (value != m->head_dim)
        return err_set(err, ERR_UNSUPPORTED, "keys of %d and values of %d numbers", m->head_dim,
                       value);
    if (m->n_head % m->n_kv_head)
        return err_set(err, ERR_FORMAT, "%d query heads cannot share %d key heads", m->n_head,
                       m->n_kv_head);
    m->d_q = m->n_head * m->head_dim;
    m->d_kv = m->n_kv_head * m->head_dim;
    bool wide = m->n_layer == f->wide_layers && m->d_model >= m->n_head;
    m->attn_scale = 1 / sqrtf((float)(wide ? m->d_model / m->n_head : m->head_dim));
    return true;
}

static bool read_numbers(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    if (!bind_int(g, f->arch, "block_count", -1, LAYERS_MAX, &m->n_layer, err) ||
        !bind_int(g, f->arch, "embedding_length", -1, D_MAX, &m->d_model, err) ||
        !bind_int(g, f->arch, "context_length", -1, CONTEXT_MAX, &m->n_ctx_train, err) ||
        !bind_float(g, f->arch, "attention.layer_norm_rms_epsilon", -1, &m->norm_eps, err) ||
        !read_experts(m, g, err) || !refuse_capping(m, g, err))
        return false;
    m->embed_scale = f->scaled_embed ? sqrtf((float)m->d_model) : 1;
    const struct gguf_tensor *embed = gguf_find_tensor(g, "token_embd.weight");
    if (!embed)
        return err_set(err, ERR_FORMAT, "tensor 'token_embd.weight' is missing");
    if (embed->dims[1] > D_MAX * 4)
        return err_set(err, ERR_FORMAT, "a vocabulary of %llu tokens",
                       (unsigned long long)embed->dims[1]);
    m->n_vocab = (int)embed->dims[1];
    return read_heads(m, g, err) && read_rope(m, g, err);
}

/* ---- the door ------------------------------------------------------------------------------ */

/* Where the columns of peaks are kept: for the matrices that meet normed rows, which have them. */
static bool keep_columns(struct model *m, struct matrix *w)
{
    size_t n = ((size_t)w->rows + PEAKS_ROWS - 1) / PEAKS_ROWS;
    if (weight_info(w->type)->act != ACT_Q8)
        return true;
    w->columns = arena_alloc(&m->arena, n, sizeof *w->columns);
    return w->columns != NULL;
}

static bool keep_all_columns(struct model *m, struct err *err)
{
    bool ok = keep_columns(m, &m->output);
    for (int i = 0; ok && i < m->n_layer; i++) {
        struct layer *l = &m->layers[i];
        ok = keep_columns(m, &l->q) && keep_columns(m, &l->k) && keep_columns(m, &l->v) &&
             (m->n_expert || (keep_columns(m, &l->gate) && keep_columns(m, &l->up)));
    }
    return ok || err_set(err, ERR_NOMEM, "not enough memory for columns of the weights");
}

static bool bind_all(struct model *m, const struct gguf *g, struct err *err)
{
    int n_bound = 0;
    m->family = find_family(g, err);
    if (m->family && m->family->bind)
        return m->family->bind(m, g, err);
    if (!m->family || !read_numbers(m, g, err))
        return false;
    if (m->n_layer > g->n_tensors)
        return err_set(err, ERR_FORMAT, "%d layers but %d tensors", m->n_layer, g->n_tensors);
    m->layers = arena_alloc(&m->arena, (size_t)m->n_layer, sizeof *m->layers);
    if (!m->layers)
        return err_set(err, ERR_NOMEM, "not enough memory for a table of %d layers", m->n_layer);
    if (!read_window(m, g, err) ||
        !bind_table(m, g, m->family->whole, (char *)m, -1, &n_bound, err))
        return false;
    for (int i = 0; i < m->n_layer; i++)
        for (int k = 0; k < FAMILY_TABLES; k++)
            if (!bind_table(m, g, m->family->layer[k], (char *)&m->layers[i], i, &n_bound, err))
                return false;
    if (n_bound != g->n_tensors)
        return unknown_tensor(m, g, err);
    if (!m->output.data)
        m->output = m->embed;
    return keep_all_columns(m, err);
}

bool model_bind(struct model *m, const struct gguf *g, struct err *err)
{
    *m = (struct model){0};
    if (bind_all(m, g, err))
        return true;
    model_release(m);
    return false;
}

void model_release(struct model *m)
{
    arena_release(&m->arena);
    *m = (struct model){0};
}

int model_cols_max(const struct model *m)
{
    int max = m->d_model;
    max = m->d_q > max ? m->d_q : max;
    return m->d_ff > max ? m->d_ff : max;
}

void model_rope(const struct model *m, bool local, double *angle)
{
    float base = local ? m->rope_base_local : m->rope_base;
    for (int i = 0; i < m->n_rot / 2; i++) {
        angle[i] = pow((double)base, -2.0 * i / m->n_rot);
        if (!local)
            angle[i] /= (double)m->rope_factor;
        if (!local && m->rope_freqs)
            angle[i] /= (double)m->rope_freqs[i];
    }
}
