/* spm.c -- SentencePiece vocabularies with scores ("llama").
 *
 * In token texts U+2581 stands for a space, and a token "<0x0A>" of type byte for that byte.
 *
 * Encoding: a space is put in front of a text, where the file wants that; each character becomes
 * a symbol; then, of all neighbours whose joint text is a token, those with the best score are
 * joined (the leftmost of equals), until no neighbours are a token. What is then no token goes
 * byte by byte; where the bytes are not in the vocabulary either, as its unknown token, or not at
 * all.
 *
 * U+2581 itself, in a text, is no space: it goes byte by byte too, so that it comes back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/merge.h"
#include "engine/tokenizer_kind.h"
#include "engine/utf8.h"

#define SPACE       "\xe2\x96\x81"
#define SPACE_BYTES 3

#define SYMBOL_ALONE (-3)     /* a symbol that is no token and joins no other */

struct spm {
    float *score;             /* [n] */
    int32_t byte_id[256];     /* the token of a byte, -1 if there is none */
    int32_t unknown;          /* -1 if there is none */
    bool adds_space;
};

static const struct gguf_str nothing = {"", 0};

/* ---- open --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The byte that "<0x0A>" names; -1 for other texts. */
static int byte_of(struct gguf_str raw)
{
    if (raw.bytes != 6 || memcmp(raw.data, "<0x", 3) != 0 || raw.data[5] != '>')
        return -1;
    int high = hex_digit(raw.data[3]), low = hex_digit(raw.data[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* A vocabulary_decode. */
static size_t decode(const void *self, struct gguf_str raw, enum token_type type, char *out)
{
    (void)self;
    int byte = type == TOKEN_BYTE ? byte_of(raw) : -1;
    if (byte >= 0) {
        *out = (char)byte;
        return 1;
    }
    size_t n = 0;
    for (size_t i = 0; i < raw.bytes;) {
        bool space = raw.bytes - i >= SPACE_BYTES && memcmp(raw.data + i, SPACE, SPACE_BYTES) == 0;
        out[n++] = space ? ' ' : raw.data[i];
        i += space ? SPACE_BYTES : 1;
    }
    return n;
}

/* A vocabulary_is_text: user-defined symbols are text to SentencePiece (runs of line breaks,
 * HTML tags). chat.c guards those that mark turns. */
static bool is_text(struct gguf_str raw)
{
    return raw.bytes > 0;
}

static bool read_scores(struct spm *t, const struct vocabulary *v, const struct gguf *g,
                        struct err *err)
{
    size_t n;
    if (!gguf_f32s(g, "tokenizer.ggml.scores", &t->score, &n, err))
        return false;
    if (n != (size_t)v->n)
        return err_set(err, ERR_FORMAT, "%zu scores for %d tokens", n, v->n);
    for (size_t i = 0; i < n; i++) {
        if (isnan(t->score[i]))
            return err_set(err, ERR_FORMAT, "the score of token %zu is not a number", i);
    }
    return true;
}

static void find_bytes(struct spm *t, const struct vocabulary *v)
{
    memset(t->byte_id, 0xff, sizeof t->byte_id);
    for (int32_t i = 0; i < v->n; i++) {
        int byte = v->type[i] == TOKEN_BYTE ? byte_of(v->raw[i]) : -1;
        if (byte >= 0)
            t->byte_id[byte] = i;
    }
}

static bool read_unknown(struct spm *t, const struct vocabulary *v, const struct gguf *g,
                         struct err *err)
{
    uint32_t id;
    if (!gguf_u32_or(g, "tokenizer.ggml.unknown_token_id", 0, &id, err))
        return false;
    bool usable = id < (uint32_t)v->n && v->type[id] == TOKEN_UNKNOWN;
    t->unknown = usable ? (int32_t)id : -1;
    return true;
}

static bool spm_open(void **self, struct vocabulary *v, const struct gguf *g, struct err *err)
{
    struct spm *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "not enough memory for the vocabulary");
    *self = t;
    if (!vocabulary_open(v, g, decode, t, is_text, err) || !read_scores(t, v, g, err))
        return false;
    find_bytes(t, v);
    return read_unknown(t, v, g, err) &&
           gguf_bool_or(g, "tokenizer.ggml.add_space_prefix", true, &t->adds_space, err);
}

static void spm_close(void *self)
{
    struct spm *t = self;
    free(t->score);
    free(t);
}

static bool spm_adds_bos(const void *self)
{
    (void)self;
    return true;
}

static bool spm_adds_space(const void *self)
{
    return ((const struct spm *)self)->adds_space;
}

/* ---- encoding ----------------------------------------------------------------------------- */

/* A text under way. */
struct work {
    const struct spm *t;
    const struct vocabulary *v;
    char *raw;                /* the text with its stand-ins for spaces */
    struct merger merger;
};

/* The token of raw text that may be made of symbols: normal ones alone, for neither a control
 * token nor a byte may be spelt. */
static int32_t find_normal(const struct vocabulary *v, const char *raw, size_t bytes)
{
    int32_t id = vocabulary_find(v, (struct gguf_str){raw, bytes}, nothing);
    return id >= 0 && v->type[id] == TOKEN_NORMAL ? id : -1;
}

/* A merger_find. */
static bool find_joint(const void *self, const struct merger *m, int32_t i, int32_t *id,
                       float *cost)
{
    const struct work *w = self;
    int32_t next = m->symbol[i].next;
    if (m->symbol[i].id == SYMBOL_ALONE || m->symbol[next].id == SYMBOL_ALONE)
        return false;
    uint32_t from = m->symbol[i].from, to = merger_end(m, next);
    *id = find_normal(w->v, w->raw + from, to - from);
    if (*id >= 0)
        *cost = -w->t->score[*id];
    return *id >= 0;
}

/* Adds the character at s[0..n), n > 0, behind the raw text of *at bytes; returns its bytes in
 * s. */
static size_t add_character(struct work *w, const char *s, size_t n, uint32_t *at)
{
    uint32_t cp = 0;
    int len = utf8_decode(s, n, &cp);
    bool space = *s == ' ', stand_in = len > 0 && cp == 0x2581;
    size_t taken = len > 0 ? (size_t)len : 1;
    size_t put = space ? SPACE_BYTES : taken;
    memcpy(w->raw + *at, space ? SPACE : s, put);
    int32_t id = stand_in ? SYMBOL_ALONE : find_normal(w->v, w->raw + *at, put);
    merger_add(&w->merger, id == -1 ? SYMBOL_UNKNOWN : id, *at);
    *at += (uint32_t)put;
    return taken;
}

/* Makes the text, with a space in front or not, a row of symbols. */
static bool lay_out(struct work *w, const char *text, size_t bytes, bool space, struct err *err)
{
    w->raw = malloc(SPACE_BYTES * (bytes + 1));
    if (!w->raw)
        return err_set(err, ERR_NOMEM, "not enough memory to tokenise a text");
    if (!merger_begin(&w->merger, bytes + 1, 0, err))
        return false;
    if (space)
        add_character(w, " ", 1, &w->merger.bytes);
    for (size_t i = 0; i < bytes;)
        i += add_character(w, text + i, bytes - i, &w->merger.bytes);
    return true;
}

/* Appends the bytes of a symbol that is no token. */
static bool append_bytes(const struct work *w, const struct symbol *s, uint32_t end,
                         struct tokens *out, struct err *err)
{
    for (uint32_t k = s->from; k < end; k++) {
        int32_t id = w->t->byte_id[(unsigned char)w->raw[k]];
        if (id < 0) /* the character, not each of its bytes, is unknown */
            return w->t->unknown < 0 || tokens_append(out, &w->t->unknown, 1, err);
        if (!tokens_append(out, &id, 1, err))
            return false;
    }
    return true;
}

static bool append_symbols(const struct work *w, struct tokens *out, struct err *err)
{
    const struct merger *m = &w->merger;
    for (int32_t i = m->n > 0 ? 0 : -1; i >= 0; i = m->symbol[i].next) {
        const struct symbol *s = &m->symbol[i];
        if (!(s->id >= 0 ? tokens_append(out, &s->id, 1, err)
                         : append_bytes(w, s, merger_end(m, i), out, err)))
            return false;
    }
    return true;
}

static bool spm_encode(const void *self, const struct vocabulary *v, const char *text,
                       size_t bytes, bool follows, struct tokens *out, struct err *err)
{
    struct work w = {.t = self, .v = v};
    bool ok = lay_out(&w, text, bytes, w.t->adds_space && !follows, err) &&
              merger_run(&w.merger, find_joint, &w, err) && append_symbols(&w, out, err);
    merger_release(&w.merger);
    free(w.raw);
    return ok;
}

const struct tokenizer_kind tokenizer_spm = {
    "llama", "SentencePiece", 1, 2,
    spm_open, spm_close, spm_encode, spm_adds_bos, spm_adds_space,
};
