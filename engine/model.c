/* model.c -- see model.h. A new model of a known kind of network is a row in `families` and, where
 * its tensors differ, rows in a binding table. */
#include "engine/model.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/forward.h"

/* Ceilings far above any model, so that products of two of them fit an int. */
#define D_MAX       (1 << 20)
#define LAYERS_MAX  4096
#define HEADS_MAX   4096
#define CONTEXT_MAX (1 << 24)

/* ---- bindings: tensor names to fields ------------------------------------------------------ */

enum dim { DIM_NONE, D_MODEL, D_Q, D_KV, D_FF, N_VOCAB, N_ROT_HALF };

struct binding {
    const char *name;    /* of a layer's tensors the part behind "blk.<i>." */
    size_t field;        /* offset in struct model or struct layer */
    enum dim rows;       /* DIM_NONE: a vector, const float *; else a struct matrix */
    enum dim cols;
    bool optional;
};

static const struct binding dense_whole[] = {
    { "token_embd.weight",  offsetof(struct model, embed),       N_VOCAB,  D_MODEL,    false },
    { "output.weight",      offsetof(struct model, output),      N_VOCAB,  D_MODEL,    true },
    { "output_norm.weight", offsetof(struct model, output_norm), DIM_NONE, D_MODEL,    false },
    { "rope_freqs.weight",  offsetof(struct model, rope_freqs),  DIM_NONE, N_ROT_HALF, true },
    { 0 },
};

static const struct binding llama_layer[] = {
    { "attn_norm.weight",   offsetof(struct layer, attn_norm), DIM_NONE, D_MODEL, false },
    { "attn_q.weight",      offsetof(struct layer, q),         D_Q,      D_MODEL, false },
    { "attn_k.weight",      offsetof(struct layer, k),         D_KV,     D_MODEL, false },
    { "attn_v.weight",      offsetof(struct layer, v),         D_KV,     D_MODEL, false },
    { "attn_output.weight", offsetof(struct layer, o),         D_MODEL,  D_Q,     false },
    { "ffn_norm.weight",    offsetof(struct layer, ff_norm),   DIM_NONE, D_MODEL, false },
    { "ffn_gate.weight",    offsetof(struct layer, gate),      D_FF,     D_MODEL, false },
    { "ffn_up.weight",      offsetof(struct layer, up),        D_FF,     D_MODEL, false },
    { "ffn_down.weight",    offsetof(struct layer, down),      D_MODEL,  D_FF,    false },
    { 0 },
};

static const struct family families[] = {
    { "llama", dense_whole, llama_layer, &forward_dense },
};

#define N_FAMILIES (sizeof families / sizeof families[0])

static int dim_of(const struct model *m, enum dim d)
{
    switch (d) {
    case D_MODEL:    return m->d_model;
    case D_Q:        return m->d_q;
    case D_KV:       return m->d_kv;
    case D_FF:       return m->d_ff;
    case N_VOCAB:    return m->n_vocab;
    case N_ROT_HALF: return m->n_rot / 2;
    case DIM_NONE:   break;
    }
    return 1;
}

/* Appends to a message of limited room. */
static void append(char *text, size_t room, const char *more)
{
    size_t n = strlen(text);
    snprintf(text + n, room - n, "%s%s", n ? ", " : "", more);
}

static bool bad_format(const struct gguf_tensor *t, struct err *err)
{
    char known[160] = "";
    for (int w = 0; w < WEIGHT_N; w++)
        append(known, sizeof known, weight_info((enum weight)w)->name);
    return err_set(err, ERR_UNSUPPORTED, "tensor '%.*s' has weights of type %s; supported are %s",
                   (int)t->name.bytes, t->name.data, t->type->name, known);
}

static bool check_shape(const struct gguf_tensor *t, uint64_t rows, uint64_t cols,
                        struct err *err)
{
    if (t->n_dims <= 2 && t->dims[0] == cols && t->dims[1] == rows)
        return true;
    return err_set(err, ERR_FORMAT,
                   "tensor '%.*s' has shape %llu x %llu%s, expected %llu x %llu",
                   (int)t->name.bytes, t->name.data, (unsigned long long)t->dims[0],
                   (unsigned long long)t->dims[1], t->n_dims > 2 ? " x ..." : "",
                   (unsigned long long)cols, (unsigned long long)rows);
}

/* Fills one field from a tensor. */
static bool bind_tensor(const struct model *m, const struct binding *b,
                        const struct gguf_tensor *t, void *field, struct err *err)
{
    int rows = dim_of(m, b->rows), cols = dim_of(m, b->cols);
    enum weight type = weight_of_gguf(t->type->id);
    if (type == WEIGHT_N || (b->rows == DIM_NONE && type != WEIGHT_F32))
        return bad_format(t, err);
    if (!check_shape(t, (uint64_t)rows, (uint64_t)cols, err))
        return false;
    if ((uintptr_t)t->data % sizeof(float) != 0)
        return err_set(err, ERR_FORMAT, "tensor '%.*s' is not aligned to %zu bytes",
                       (int)t->name.bytes, t->name.data, sizeof(float));
    if (b->rows == DIM_NONE) {
        const float *vector = (const void *)t->data;
        memcpy(field, &vector, sizeof vector);
        return true;
    }
    struct matrix w = { type, t->data, rows, cols, weight_row_bytes(type, (size_t)cols) };
    assert(w.row_bytes * (size_t)rows == t->bytes);
    memcpy(field, &w, sizeof w);
    return true;
}

/* Binds one table. layer < 0: the whole model's. Adds to *n_bound what was found. */
static bool bind_table(struct model *m, const struct gguf *g, const struct binding *b,
                       char *object, int layer, int *n_bound, struct err *err)
{
    for (; b->name; b++) {
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
        ++*n_bound;
    }
    return true;
}

/* True if the table has this name. */
static bool has_binding(const struct binding *b, struct gguf_str name)
{
    for (; b->name; b++)
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
            known |= has_binding(m->family->layer,
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
        append(known, sizeof known, families[i].arch);
    }
    err_set(err, ERR_UNSUPPORTED, "models of type '%.*s' are not supported; supported: %s",
            arch.bytes < 60 ? (int)arch.bytes : 60, arch.data, known);
    return NULL;
}

/* Reads "<arch>.<key>" into *out and checks 1 <= *out <= max. fallback < 0: it must be there. */
static bool get_int(const struct gguf *g, const struct family *f, const char *key, int fallback,
                    int max, int *out, struct err *err)
{
    char name[96];
    uint32_t v = 0;
    snprintf(name, sizeof name, "%s.%s", f->arch, key);
    if (!(fallback < 0 ? gguf_u32(g, name, &v, err)
                       : gguf_u32_or(g, name, (uint32_t)fallback, &v, err)))
        return false;
    if (v < 1 || v > (uint32_t)max)
        return err_set(err, ERR_FORMAT, "'%s' is %u, expected 1 to %d", name, v, max);
    *out = (int)v;
    return true;
}

/* Reads a positive finite float. fallback < 0: it must be there. */
static bool get_float(const struct gguf *g, const struct family *f, const char *key,
                      float fallback, float *out, struct err *err)
{
    char name[96];
    float v = 0;
    snprintf(name, sizeof name, "%s.%s", f->arch, key);
    if (!(fallback < 0 ? gguf_f32(g, name, &v, err) : gguf_f32_or(g, name, fallback, &v, err)))
        return false;
    if (!(v > 0 && v < 1e30f))
        return err_set(err, ERR_FORMAT, "'%s' is %g, expected a positive number", name, (double)v);
    *out = v;
    return true;
}

/* The rotary position encoding: base, and a linear factor where the file asks for one. */
static bool read_rope(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    char name[96];
    struct gguf_str type;
    snprintf(name, sizeof name, "%s.rope.scaling.type", f->arch);
    if (!get_float(g, f, "rope.freq_base", 10000, &m->rope_base, err) ||
        !get_int(g, f, "rope.dimension_count", m->head_dim, m->head_dim, &m->n_rot, err) ||
        !gguf_string_or(g, name, "none", &type, err))
        return false;
    if (m->n_rot % 2)
        return err_set(err, ERR_FORMAT, "%d values to rotate, expected an even number", m->n_rot);
    m->rope_factor = 1;
    if (gguf_str_is(type, "linear"))
        return get_float(g, f, "rope.scaling.factor", -1, &m->rope_factor, err);
    if (!gguf_str_is(type, "none"))
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' is '%.*s'; supported: none, linear", name,
                       type.bytes < 60 ? (int)type.bytes : 60, type.data);
    return true;
}

/* The head's width, and that keys and values have the same. */
static bool read_heads(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    int value = 0;
    if (!get_int(g, f, "attention.head_count", -1, HEADS_MAX, &m->n_head, err) ||
        !get_int(g, f, "attention.head_count_kv", m->n_head, m->n_head, &m->n_kv_head, err) ||
        !get_int(g, f, "attention.key_length", m->d_model / m->n_head, 1024, &m->head_dim, err) ||
        !get_int(g, f, "attention.value_length", m->head_dim, 1024, &value, err))
        return false;
    if (value != m->head_dim)
        return err_set(err, ERR_UNSUPPORTED, "keys of %d and values of %d numbers", m->head_dim,
                       value);
    if (m->n_head % m->n_kv_head)
        return err_set(err, ERR_FORMAT, "%d query heads cannot share %d key heads", m->n_head,
                       m->n_kv_head);
    m->d_q = m->n_head * m->head_dim;
    m->d_kv = m->n_kv_head * m->head_dim;
    return true;
}

static bool read_numbers(struct model *m, const struct gguf *g, struct err *err)
{
    const struct family *f = m->family;
    uint32_t experts = 0;
    char name[96];
    snprintf(name, sizeof name, "%s.expert_count", f->arch);
    if (!get_int(g, f, "block_count", -1, LAYERS_MAX, &m->n_layer, err) ||
        !get_int(g, f, "embedding_length", -1, D_MAX, &m->d_model, err) ||
        !get_int(g, f, "feed_forward_length", -1, D_MAX, &m->d_ff, err) ||
        !get_int(g, f, "context_length", -1, CONTEXT_MAX, &m->n_ctx_train, err) ||
        !get_float(g, f, "attention.layer_norm_rms_epsilon", -1, &m->norm_eps, err) ||
        !gguf_u32_or(g, name, 0, &experts, err))
        return false;
    if (experts > 0)
        return err_set(err, ERR_UNSUPPORTED, "a model of type %s with %u experts", f->arch,
                       experts);
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

static bool bind_all(struct model *m, const struct gguf *g, struct err *err)
{
    int n_bound = 0;
    m->family = find_family(g, err);
    if (!m->family || !read_numbers(m, g, err))
        return false;
    if (m->n_layer > g->n_tensors)
        return err_set(err, ERR_FORMAT, "%d layers but %d tensors", m->n_layer, g->n_tensors);
    m->layers = arena_alloc(&m->arena, (size_t)m->n_layer, sizeof *m->layers);
    if (!m->layers)
        return err_set(err, ERR_NOMEM, "not enough memory for a table of %d layers", m->n_layer);
    if (!bind_table(m, g, m->family->whole, (char *)m, -1, &n_bound, err))
        return false;
    for (int i = 0; i < m->n_layer; i++)
        if (!bind_table(m, g, m->family->layer, (char *)&m->layers[i], i, &n_bound, err))
            return false;
    if (n_bound != g->n_tensors)
        return unknown_tensor(m, g, err);
    if (!m->output.data)
        m->output = m->embed;
    return true;
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
