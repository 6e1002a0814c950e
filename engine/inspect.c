/* inspect.c -- a file's facts without opening it as a model: see engine_inspect().
 *
 * Numbers are read leniently, so that a file of an unknown architecture still says how large it
 * is; then it is bound and its vocabulary opened as engine_open() would do it, for the reasons. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cache.h"
#include "engine/chat.h"
#include "engine/codec.h"
#include "engine/engine.h"
#include "engine/forward.h"
#include "engine/kv.h"
#include "engine/model.h"
#include "engine/parts.h"
#include "engine/quant.h"
#include "engine/tokenizer.h"
#include "engine/utf8.h"

/* Printable text of a key, "" if it is missing or no string. */
static void read_text(char *out, size_t room, const struct gguf *g, const char *key)
{
    struct gguf_str s = {"", 0};
    gguf_string(g, key, &s, NULL);
    utf8_copy_printable(out, room, s.data, s.bytes);
}

/* A number of the architecture: of an array the first element. */
static int read_number(const struct engine_facts *f, const struct gguf *g, const char *key)
{
    char name[160];
    uint32_t v = 0;
    int32_t *list = NULL;
    size_t n = 0;
    snprintf(name, sizeof name, "%s.%s", f->arch, key);
    if (gguf_i32s(g, name, &list, &n, NULL) && n > 0 && list[0] > 0)
        v = (uint32_t)list[0];
    else
        gguf_u32(g, name, &v, NULL);
    free(list);
    return v > INT32_MAX ? 0 : (int)v;
}

static void read_numbers(struct engine_facts *f, const struct gguf *g)
{
    const struct gguf_key *tokens = gguf_find_key(g, "tokenizer.ggml.tokens");
    f->n_layer = read_number(f, g, "block_count");
    f->d_model = read_number(f, g, "embedding_length");
    f->d_ff = read_number(f, g, "feed_forward_length");
    f->n_head = read_number(f, g, "attention.head_count");
    f->n_kv_head = read_number(f, g, "attention.head_count_kv");
    f->n_expert = read_number(f, g, "expert_count");
    f->n_expert_used = read_number(f, g, "expert_used_count");
    f->n_ctx_train = read_number(f, g, "context_length");
    f->n_vocab = tokens && tokens->n <= INT32_MAX ? (int)tokens->n : 0;
}

static struct engine_format *format_of(struct engine_facts *f, const struct gguf_type *type)
{
    for (int i = 0; i < f->n_formats; i++) {
        if (strcmp(f->format[i].name, type->name) == 0)
            return &f->format[i];
    }
    if (f->n_formats == FACTS_FORMATS_MAX)
        return NULL;
    bool table = type->id == GGUF_I32; /* of ids, not of weights */
    f->format[f->n_formats] = (struct engine_format){
        .name = type->name, .supported = table || weight_of_gguf(type->id) != WEIGHT_N,
    };
    return &f->format[f->n_formats++];
}

static int by_bytes(const void *a, const void *b)
{
    const struct engine_format *x = a, *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void count_formats(struct engine_facts *f, const struct gguf *g)
{
    f->n_tensors = g->n_tensors;
    for (int i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        struct engine_format *format = format_of(f, t->type);
        f->weight_bytes += t->bytes;
        f->n_parameters += t->n_elements;
        if (format) {
            format->n_tensors++;
            format->bytes += t->bytes;
        }
    }
    qsort(f->format, (size_t)f->n_formats, sizeof *f->format, by_bytes);
}

static void refuse(struct engine_facts *f, const char *why)
{
    if (f->n_refused < FACTS_REFUSED_MAX)
        snprintf(f->refused[f->n_refused++], sizeof f->refused[0], "%s", why);
}

/* The bytes of one more token in the middle of a long cache, in whole elements: what is over is
 * its table of blocks. */
static uint64_t bytes_of_token(const struct model *m, enum kv_type type)
{
    enum { LONG = 1 << 16 };
    struct cache_opts a = {LONG, 64, type}, b = {2 * LONG, 64, type};
    const struct cache_ops *ops = m->family->forward->cache;
    uint64_t bytes = (ops->bytes(m, &b) - ops->bytes(m, &a)) / LONG;
    return bytes - bytes % (type == KV_F16 ? 2 : 4);
}

/* The blocks of a dense network's cache; what it says of others is what f16 takes. */
static void count_tiers(struct engine_facts *f, const struct model *m)
{
    uint64_t heads = (uint64_t)m->n_layer * (uint64_t)m->n_kv_head;
    f->kv_tier_bytes[KV_TIER_EXACT] = f->kv_f16_bytes * CODEC_BLOCK;
    if (m->family->forward->cache != &cache_dense || !codec_fits(m->head_dim))
        return;
    f->kv_tier_bytes[KV_TIER_Q8] = heads * codec_q8_bytes(m->head_dim);
    f->kv_tier_bytes[KV_TIER_Q4] = heads * codec_q4_bytes(m->head_dim);
    f->kv_tier_bytes[KV_TIER_FLASH] = heads * codec_index_bytes(m->head_dim);
}

static void try_weights(struct engine_facts *f, const struct gguf *g)
{
    struct model m;
    struct err err;
    if (g->n_tensors == 0) {
        refuse(f, "it has no weights: a vocabulary alone");
        return;
    }
    if (!model_bind(&m, g, &err)) {
        refuse(f, err.msg);
        return;
    }
    f->kv_f16_bytes = bytes_of_token(&m, KV_F16);
    f->kv_f32_bytes = bytes_of_token(&m, KV_F32);
    count_tiers(f, &m);
    if (f->n_vocab != m.n_vocab)
        refuse(f, "the vocabulary and the weights are of different sizes");
    model_release(&m);
}

static void describe_tokenizer(struct engine_facts *f, const struct gguf *g,
                               const struct tokenizer *t)
{
    char model[32], pre[32];
    read_text(model, sizeof model, g, "tokenizer.ggml.model");
    read_text(pre, sizeof pre, g, "tokenizer.ggml.pre");
    snprintf(f->tokenizer, sizeof f->tokenizer, "%s%s%s", t ? tokenizer_about(t) : model,
             pre[0] ? ", " : "", pre);
}

static void try_text(struct engine_facts *f, const struct gguf *g)
{
    struct tokenizer *t = NULL;
    struct chat c;
    struct err err;
    snprintf(f->template_name, sizeof f->template_name, "none");
    f->has_template = gguf_find_key(g, "tokenizer.chat_template") != NULL;
    if (!tokenizer_open(&t, g, &err)) {
        refuse(f, err.msg);
    } else if (!chat_init(&c, g, t, NULL, &err)) {
        refuse(f, err.msg);
    } else {
        snprintf(f->template_name, sizeof f->template_name, "%s", chat_name(&c));
        f->thinks = c.thinks;
        chat_release(&c);
    }
    describe_tokenizer(f, g, t);
    tokenizer_close(&t);
}

bool engine_inspect(struct engine_facts *out, const char *path, struct err *err)
{
    struct parts p;
    *out = (struct engine_facts){0};
    if (!parts_open(&p, path, err))
        return false;
    const struct gguf *g = &p.gguf;
    out->n_files = p.n;
    out->file_bytes = p.bytes;
    read_text(out->arch, sizeof out->arch, g, "general.architecture");
    read_text(out->name, sizeof out->name, g, "general.name");
    read_numbers(out, g);
    count_formats(out, g);
    try_weights(out, g);
    try_text(out, g);
    parts_close(&p);
    return true;
}
