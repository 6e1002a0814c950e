/* tokenizer.c -- see tokenizer.h. What is the same for all kinds of tokenizer: the table of them,
 * the file's ids, cutting a text at the specials in it, asking. */
#include "engine/tokenizer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/tokenizer_kind.h"

#define TEXT_MAX (1 << 28)  /* bytes in one call: with three bytes a space, sizes fit uint32_t */

static const struct tokenizer_kind *const kinds[] = {&tokenizer_bpe, &tokenizer_spm};
#define N_KINDS (sizeof kinds / sizeof *kinds)

struct tokenizer {
    const struct tokenizer_kind *kind;
    void *self;                  /* the kind's, owned */
    struct vocabulary vocabulary;
    int32_t bos, eos, eot;
    bool add_bos;
};

/* ---- token lists -------------------------------------------------------------------------- */

bool tokens_append(struct tokens *t, const int32_t *ids, int n, struct err *err)
{
    if (n == 0)
        return true;
    if (n > INT_MAX - t->n)
        return err_set(err, ERR_LIMIT, "more than %d tokens", INT_MAX);
    if (t->n + n > t->cap) {
        int cap = t->cap > INT_MAX / 2 ? INT_MAX : 2 * t->cap;
        cap = cap < t->n + n ? t->n + n : cap;
        int32_t *id = realloc(t->id, (size_t)cap * sizeof *id);
        if (!id)
            return err_set(err, ERR_NOMEM, "not enough memory for %d tokens", cap);
        t->id = id;
        t->cap = cap;
    }
    memcpy(t->id + t->n, ids, (size_t)n * sizeof *ids);
    t->n += n;
    return true;
}

void tokens_release(struct tokens *t)
{
    free(t->id);
    *t = (struct tokens){0};
}

/* ---- open --------------------------------------------------------------------------------- */

static const struct tokenizer_kind *find_kind(const struct gguf *g, struct err *err)
{
    struct gguf_str model;
    char known[160] = "";
    if (!gguf_string(g, "tokenizer.ggml.model", &model, err))
        return NULL;
    for (size_t i = 0; i < N_KINDS; i++) {
        size_t n = strlen(known);
        if (gguf_str_is(model, kinds[i]->model))
            return kinds[i];
        snprintf(known + n, sizeof known - n, "%s'%s' (%s)", i > 0 ? ", " : "", kinds[i]->model,
                 kinds[i]->about);
    }
    err_set(err, ERR_UNSUPPORTED, "tokenizer '%.*s' is not supported; supported are %s",
            model.bytes > 40 ? 40 : (int)model.bytes, model.data, known);
    return NULL;
}

static bool read_id(const struct tokenizer *t, const struct gguf *g, const char *key,
                    int32_t otherwise, int32_t *out, struct err *err)
{
    int n = t->vocabulary.n;
    uint32_t id;
    *out = otherwise < n ? otherwise : -1;
    if (!gguf_find_key(g, key))
        return true;
    if (!gguf_u32(g, key, &id, err))
        return false;
    if (id >= (uint32_t)n)
        return err_set(err, ERR_FORMAT, "key '%s' is %u, outside the vocabulary of %d", key, id, n);
    *out = (int32_t)id;
    return true;
}

static bool read_ids(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    const struct tokenizer_kind *k = t->kind;
    if (!read_id(t, g, "tokenizer.ggml.bos_token_id", k->bos, &t->bos, err) ||
        !read_id(t, g, "tokenizer.ggml.eos_token_id", k->eos, &t->eos, err) ||
        !read_id(t, g, "tokenizer.ggml.eot_token_id", -1, &t->eot, err))
        return false;
    bool otherwise = k->adds_bos(t->self) && t->bos >= 0;
    if (!gguf_bool_or(g, "tokenizer.ggml.add_bos_token", otherwise, &t->add_bos, err))
        return false;
    if (t->add_bos && t->bos < 0)
        return err_set(err, ERR_FORMAT, "key 'tokenizer.ggml.bos_token_id' is missing, yet "
                       "add_bos_token is set");
    return true;
}

bool tokenizer_open(struct tokenizer **out, const struct gguf *g, struct err *err)
{
    *out = NULL;
    const struct tokenizer_kind *kind = find_kind(g, err);
    if (!kind)
        return false;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "not enough memory for the vocabulary");
    t->kind = kind;
    if (kind->open(&t->self, &t->vocabulary, g, err) && read_ids(t, g, err)) {
        *out = t;
        return true;
    }
    tokenizer_close(&t);
    return false;
}

void tokenizer_close(struct tokenizer **t)
{
    struct tokenizer *old = *t;
    if (!old)
        return;
    if (old->self)
        old->kind->close(old->self);
    vocabulary_release(&old->vocabulary);
    free(old);
    *t = NULL;
}

void tokenizer_guard(struct tokenizer *t, const char *text)
{
    int32_t id = tokenizer_special(t, text);
    if (id >= 0)
        vocabulary_guard(&t->vocabulary, id);
}

/* ---- encoding ----------------------------------------------------------------------------- */

/* Where the next special of s[0..n) begins, among those that are text or those that are not; n if
 * there is none. */
static size_t find_special(const struct vocabulary *v, const char *s, size_t n, bool text,
                           const struct special **found)
{
    *found = NULL;
    bool none = text && v->n_text == 0;
    for (size_t i = none ? n : 0; i < n; i++) {
        *found = vocabulary_special_at(v, s + i, n - i, text);
        if (*found)
            return i;
    }
    return n;
}

/* Text without markers: cut at the specials that are text. */
static bool encode_text(const struct tokenizer *t, const char *text, size_t bytes, bool follows,
                        struct tokens *out, struct err *err)
{
    for (size_t at = 0; at < bytes;) {
        const struct special *s;
        size_t n = find_special(&t->vocabulary, text + at, bytes - at, true, &s);
        if ((n > 0 && !t->kind->encode(t->self, &t->vocabulary, text + at, n, follows, out, err)) ||
            (s && !tokens_append(out, &s->id, 1, err)))
            return false;
        at += n + (s ? s->bytes : 0);
        follows = false;
    }
    return true;
}

/* The same, cut at the markers before. */
static bool encode_marked(const struct tokenizer *t, const char *text, size_t bytes,
                          struct tokens *out, struct err *err)
{
    for (size_t at = 0; at < bytes;) {
        const struct special *s;
        size_t n = find_special(&t->vocabulary, text + at, bytes - at, false, &s);
        if (!encode_text(t, text + at, n, false, out, err) ||
            (s && !tokens_append(out, &s->id, 1, err)))
            return false;
        at += n + (s ? s->bytes : 0);
    }
    return true;
}

static bool check_size(size_t bytes, struct err *err)
{
    return bytes <= TEXT_MAX || err_set(err, ERR_LIMIT, "a text of %zu bytes, at most %d are read "
                                        "at once", bytes, TEXT_MAX);
}

bool tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes, bool follows,
                      struct tokens *out, struct err *err)
{
    int n_before = out->n;
    if (check_size(bytes, err) && encode_text(t, text, bytes, follows, out, err))
        return true;
    out->n = n_before;
    return false;
}

bool tokenizer_encode_special(const struct tokenizer *t, const char *text, size_t bytes,
                              struct tokens *out, struct err *err)
{
    int n_before = out->n;
    if (check_size(bytes, err) && encode_marked(t, text, bytes, out, err))
        return true;
    out->n = n_before;
    return false;
}

/* ---- asking ------------------------------------------------------------------------------- */

int32_t tokenizer_marker_at(const struct tokenizer *t, const char *s, size_t n, size_t *bytes)
{
    const struct special *found = vocabulary_special_at(&t->vocabulary, s, n, false);
    if (!found)
        return -1;
    *bytes = found->bytes;
    return found->id;
}

const char *tokenizer_piece(const struct tokenizer *t, int32_t id, bool control, size_t *bytes)
{
    const struct vocabulary *v = &t->vocabulary;
    *bytes = 0;
    if (id < 0 || id >= v->n)
        return "";
    if (control || vocabulary_is_plain(v, id) || v->type[id] == TOKEN_USER)
        *bytes = v->start[id + 1] - v->start[id];
    return v->bytes + v->start[id];
}

bool tokenizer_starts_text(const struct tokenizer *t, int32_t id)
{
    return id < 0 || id >= t->vocabulary.n || vocabulary_is_special(&t->vocabulary, id);
}

const char *tokenizer_piece_after(const struct tokenizer *t, int32_t before, int32_t id,
                                  bool control, size_t *bytes)
{
    const char *s = tokenizer_piece(t, id, control, bytes);
    bool added = *bytes > 0 && *s == ' ' && t->kind->adds_space(t->self) &&
                 tokenizer_starts_text(t, before) && !tokenizer_starts_text(t, id);
    *bytes -= added;
    return s + added;
}

int32_t tokenizer_special(const struct tokenizer *t, const char *text)
{
    struct gguf_str s = {text, strlen(text)}, nothing = {"", 0};
    int32_t id = vocabulary_find(&t->vocabulary, s, nothing);
    return id >= 0 && vocabulary_is_special(&t->vocabulary, id) ? id : -1;
}

int tokenizer_n_vocab(const struct tokenizer *t)
{
    return t->vocabulary.n;
}

enum token_type tokenizer_type(const struct tokenizer *t, int32_t id)
{
    const struct vocabulary *v = &t->vocabulary;
    return id < 0 || id >= v->n ? TOKEN_UNUSED : (enum token_type)v->type[id];
}

const char *tokenizer_about(const struct tokenizer *t)
{
    return t->kind->about;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_eot(const struct tokenizer *t)
{
    return t->eot;
}

bool tokenizer_add_bos(const struct tokenizer *t)
{
    return t->add_bos;
}
