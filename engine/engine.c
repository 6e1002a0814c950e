/* engine.c -- opening a model: one visible order, undone by engine_close(). */
#include <stdio.h>
#include <string.h>

#include "engine/cpu.h"
#include "engine/kv_file.h"
#include "engine/loaded.h"
#include "engine/mem.h"
#include "engine/utf8.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

bool engine_check_kernels(const char *name, struct err *err)
{
    unsigned mask;
    return kernels_mask(name, &mask) ||
           err_set(err, ERR_INPUT, "unknown kernels '%s'; there are: %s", name, kernels_names());
}

/* Threads and kernels, as asked for. */
static bool start_compute(struct engine *e, const struct engine_opts *opts, struct err *err)
{
    int n = opts ? opts->n_threads : 0;
    const char *kernels = opts ? opts->kernels : NULL;
    unsigned mask;
    if (n < 0 || n > POOL_THREADS_MAX)
        return err_set(err, ERR_INPUT, "%d threads; allowed are 1 to %d, or 0 for all", n,
                       POOL_THREADS_MAX);
    if (n == 0)
        n = cpu_count() < POOL_THREADS_MAX ? cpu_count() : POOL_THREADS_MAX;
    if (!kernels_mask(kernels, &mask))
        return engine_check_kernels(kernels, err);
    kernels_init(&e->kernels, cpu_flags() & mask);
    e->kernels.exact = opts && opts->exact;
    return pool_new(&e->pool, n, err);
}

/* The ids that end a reply, as a list for the sampler. */
static bool list_ends(struct engine *e, struct err *err)
{
    for (int32_t id = 0; id < e->model.n_vocab; id++)
        e->n_ends += chat_is_end(&e->chat, id);
    e->ends = mem_alloc_n((size_t)e->n_ends + 1, sizeof *e->ends);
    if (!e->ends)
        return err_set(err, ERR_NOMEM, "not enough memory for the vocabulary");
    int n = 0;
    for (int32_t id = 0; id < e->model.n_vocab; id++)
        if (chat_is_end(&e->chat, id))
            e->ends[n++] = id;
    return true;
}

/* Of all parts, in their order; a file alone gives its own number. */
static uint64_t fingerprint(const struct parts *p)
{
    uint64_t sum = 0;
    for (int i = 0; i < p->n; i++) {
        const struct part *part = &p->part[i];
        uint64_t own = kv_file_fingerprint(part->file.data, part->header_bytes, part->file.bytes);
        sum = i == 0 ? own : kv_file_fingerprint(&sum, sizeof sum, own);
    }
    return sum;
}

static uint64_t matrix_bytes_of(const struct matrix *w)
{
    return (uint64_t)w->rows * w->row_bytes;
}

/* What one token reads of the weights. */
static uint64_t token_bytes(const struct model *m)
{
    uint64_t bytes = m->weight_bytes;
    if (m->embed.data != m->output.data)
        bytes -= matrix_bytes_of(&m->embed);
    if (m->n_expert)
        bytes -= m->expert_bytes / (uint64_t)m->n_expert *
                 (uint64_t)(m->n_expert - m->n_expert_used);
    return bytes;
}

static void fill_info(struct engine *e, const struct gguf *g, const char *path)
{
    const struct model *m = &e->model;
    struct gguf_str name;
    const char *base = base_name(path);
    utf8_copy_printable(e->path, sizeof e->path, path, strlen(path));
    if (!gguf_string_or(g, "general.name", base, &name, NULL) || name.bytes == 0)
        name = (struct gguf_str){ base, strlen(base) };
    utf8_copy_printable(e->name, sizeof e->name, name.data, name.bytes);
    e->info = (struct engine_info){
        .path = e->path, .name = e->name, .arch = m->family->arch,
        .template_name = chat_name(&e->chat), .kernels = e->kernels.name,
        .n_layer = m->n_layer, .d_model = m->d_model, .n_head = m->n_head,
        .n_kv_head = m->n_kv_head, .head_dim = m->head_dim, .d_ff = m->d_ff,
        .n_vocab = m->n_vocab, .n_ctx_train = m->n_ctx_train,
        .n_threads = pool_n_threads(e->pool), .thinks = e->chat.thinks,
        .weight_bytes = m->weight_bytes, .token_bytes = token_bytes(m),
        .fingerprint = fingerprint(&e->file),
    };
}

/* All that needs the parsed header, which is not kept. */
static bool open_parsed(struct engine *e, const struct gguf *g, const char *path,
                        const char *template_name, struct err *err)
{
    if (!model_bind(&e->model, g, err) || !tokenizer_open(&e->tokenizer, g, err))
        return false;
    if (tokenizer_n_vocab(e->tokenizer) != e->model.n_vocab)
        return err_set(err, ERR_FORMAT, "%d tokens in the vocabulary, but weights for %d",
                       tokenizer_n_vocab(e->tokenizer), e->model.n_vocab);
    if (!chat_init(&e->chat, g, e->tokenizer, template_name, err) || !list_ends(e, err))
        return false;
    fill_info(e, g, path);
    return true;
}

bool engine_open(struct engine **out, const char *path, const struct engine_opts *opts,
                 struct err *err)
{
    *out = NULL;
    const char *template_name = opts ? opts->template_name : NULL;
    if (template_name && !chat_check_name(template_name, err))
        return false;
    struct engine *e = mem_alloc(sizeof *e);
    if (!e)
        return err_set(err, ERR_NOMEM, "not enough memory to open '%s'", path);
    if (!start_compute(e, opts, err) || !parts_open(&e->file, path, err) ||
        !(open_parsed(e, &e->file.gguf, path, template_name, err) || err_prefix(err, path))) {
        engine_close(&e);
        return false;
    }
    parts_release_header(&e->file);
    *out = e;
    return true;
}

void engine_close(struct engine **engine)
{
    struct engine *e = *engine;
    if (!e)
        return;
    pool_free(&e->pool);
    mem_free(e->ends);
    chat_release(&e->chat);
    tokenizer_close(&e->tokenizer);
    model_release(&e->model);
    parts_close(&e->file);
    mem_free(e);
    *engine = NULL;
}

const struct engine_info *engine_info(const struct engine *e)
{
    return &e->info;
}

bool engine_tokenize(const struct engine *e, const char *text, size_t bytes, struct tokens *out,
                     struct err *err)
{
    return tokenizer_encode(e->tokenizer, text, bytes, false, out, err);
}

const char *engine_piece(const struct engine *e, int32_t id, bool control, size_t *bytes)
{
    return tokenizer_piece(e->tokenizer, id, control, bytes);
}

const char *engine_piece_after(const struct engine *e, int32_t before, int32_t id, size_t *bytes)
{
    return tokenizer_piece_after(e->tokenizer, before, id, false, bytes);
}

bool engine_is_end(const struct engine *e, int32_t id)
{
    return chat_is_end(&e->chat, id);
}

bool engine_chat(const struct engine *e, enum chat_part part, const char *text, size_t bytes,
                 struct tokens *out, struct err *err)
{
    return chat_append(&e->chat, part, text, bytes, out, err);
}

bool engine_is_think_begin(const struct engine *e, int32_t id)
{
    return chat_is_think_begin(&e->chat, id);
}

bool engine_is_think_end(const struct engine *e, int32_t id)
{
    return chat_is_think_end(&e->chat, id);
}
