/* bpe.c -- byte-level BPE as GPT-2 introduced it ("gpt2").
 *
 * Token texts in the file are not bytes but letters: each of the 256 bytes has a printable
 * stand-in ("Ġ" for the space), so that a vocabulary is plain text.
 *
 * Encoding: pretok.c cuts the text into pieces; each byte of a piece becomes its token; then, of
 * all neighbours that the file's list of merges names, those named first in the list are joined
 * (the leftmost of equals), until no neighbours are named. */
#include <stdlib.h>
#include <string.h>

#include "engine/merge.h"
#include "engine/pretok.h"
#include "engine/tokenizer_kind.h"
#include "engine/utf8.h"

#define MERGES_MAX (1 << 23)  /* ranks are costs: a float has them exactly */

#define LETTERS 324           /* stand-ins are U+0021..U+0143 */

/* The merge of a pair: what it gives, and how early it stands in the list. */
struct merge {
    int32_t left, right;
    int32_t id;               /* -1: an empty slot */
    int32_t rank;
};

struct bpe {
    struct pretok *pretok;
    struct merge *merges;     /* pair -> merge; open addressing */
    size_t n_merges;          /* slots, a power of two */
    int32_t byte_id[256];     /* the token of a single byte, -1 if there is none */
    uint16_t letter[256];     /* byte -> stand-in */
    int16_t meaning[LETTERS]; /* stand-in -> byte, -1 for other characters */
};

static const struct gguf_str nothing = {"", 0};

/* ---- letters ------------------------------------------------------------------------------ */

/* Bytes that are printable in Latin-1 stand for themselves, the others, in order, for the
 * characters from U+0100 on. */
static void init_letters(struct bpe *t)
{
    memset(t->meaning, 0xff, sizeof t->meaning);
    int next = 256;
    for (int b = 0; b < 256; b++) {
        bool printable = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
        t->letter[b] = (uint16_t)(printable ? b : next++);
        t->meaning[t->letter[b]] = (int16_t)b;
    }
}

/* A vocabulary_decode. A character that is no stand-in means itself. */
static size_t decode(const void *self, struct gguf_str raw, enum token_type type, char *out)
{
    const struct bpe *t = self;
    size_t n = 0;
    (void)type;
    for (size_t i = 0; i < raw.bytes;) {
        uint32_t cp = 0;
        int len = utf8_decode(raw.data + i, raw.bytes - i, &cp);
        if (len > 0 && cp < LETTERS && t->meaning[cp] >= 0) {
            out[n++] = (char)t->meaning[cp];
        } else {
            len = len > 0 ? len : 1;
            memcpy(out + n, raw.data + i, (size_t)len);
            n += (size_t)len;
        }
        i += (size_t)len;
    }
    return n;
}

/* A vocabulary_is_text. Runs of spaces and line breaks are, names of any kind are not: some files
 * have the marks of turns and thoughts as user-defined. */
static bool is_text(struct gguf_str raw)
{
    for (size_t i = 0; i < raw.bytes; i++) {
        if (!strchr(" \t\r\n", raw.data[i]) || raw.data[i] == 0)
            return false;
    }
    return true;
}

/* ---- open --------------------------------------------------------------------------------- */

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "not enough memory for the vocabulary");
}

static bool find_bytes(struct bpe *t, const struct vocabulary *v, struct err *err)
{
    int found = 0;
    for (int b = 0; b < 256; b++) {
        char raw[4];
        int len = utf8_encode(t->letter[b], raw);
        int32_t id = vocabulary_find(v, (struct gguf_str){raw, (size_t)len}, nothing);
        t->byte_id[b] = id >= 0 && vocabulary_is_plain(v, id) ? id : -1;
        found += t->byte_id[b] >= 0;
    }
    if (found == 0)
        return err_set(err, ERR_FORMAT, "the vocabulary has no token for any single byte");
    return true;
}

static struct merge *merge_slot(const struct bpe *t, int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    pair *= 0x9e3779b97f4a7c15u;
    for (size_t i = pair >> 32;; i++) {
        struct merge *m = &t->merges[i & (t->n_merges - 1)];
        if (m->id < 0 || (m->left == left && m->right == right))
            return m;
    }
}

/* Enters one merge, "left right". */
static bool add_merge(struct bpe *t, const struct vocabulary *v, struct gguf_str text,
                      int32_t rank, struct err *err)
{
    const char *space = text.bytes < 3 ? NULL : memchr(text.data + 1, ' ', text.bytes - 2);
    int shown = text.bytes > 64 ? 64 : (int)text.bytes;
    if (!space)
        return err_set(err, ERR_FORMAT, "merge %d is '%.*s', expected two texts and a space", rank,
                       shown, text.data);
    struct gguf_str a = {text.data, (size_t)(space - text.data)};
    struct gguf_str b = {space + 1, text.bytes - a.bytes - 1};
    int32_t left = vocabulary_find(v, a, nothing), right = vocabulary_find(v, b, nothing);
    int32_t id = vocabulary_find(v, a, b);
    if (left < 0 || right < 0 || id < 0)
        return err_set(err, ERR_FORMAT, "merge %d, '%.*s', is not made of tokens", rank, shown,
                       text.data);
    if (!vocabulary_is_plain(v, left) || !vocabulary_is_plain(v, right) ||
        !vocabulary_is_plain(v, id))
        return true; /* text must not spell its way to a control token */
    struct merge *m = merge_slot(t, left, right);
    if (m->id < 0) /* of a pair named twice, the first counts */
        *m = (struct merge){left, right, id, rank};
    return true;
}

static bool read_merges(struct bpe *t, const struct vocabulary *v, const struct gguf *g,
                        struct err *err)
{
    struct gguf_str *text;
    size_t n;
    if (!gguf_strings(g, "tokenizer.ggml.merges", &text, &n, err))
        return false;
    bool ok = n <= MERGES_MAX || err_set(err, ERR_FORMAT, "%zu merges, at most %d", n, MERGES_MAX);
    for (t->n_merges = 16; ok && t->n_merges < 2 * n;)
        t->n_merges *= 2;
    t->merges = ok ? malloc(t->n_merges * sizeof *t->merges) : NULL;
    if (ok && !t->merges)
        ok = no_memory(err);
    for (size_t i = 0; ok && i < t->n_merges; i++)
        t->merges[i].id = -1;
    for (size_t i = 0; ok && i < n; i++)
        ok = add_merge(t, v, text[i], (int32_t)i, err);
    free(text);
    return ok;
}

static bool bpe_open(void **self, struct vocabulary *v, const struct gguf *g, struct err *err)
{
    struct gguf_str pre;
    if (!gguf_string_or(g, "tokenizer.ggml.pre", "default", &pre, err))
        return false;
    struct bpe *t = calloc(1, sizeof *t);
    if (!t)
        return no_memory(err);
    *self = t;
    init_letters(t);
    return pretok_open(&t->pretok, pre, err) && vocabulary_open(v, g, decode, t, is_text, err) &&
           find_bytes(t, v, err) && read_merges(t, v, g, err);
}

static void bpe_close(void *self)
{
    struct bpe *t = self;
    pretok_close(&t->pretok);
    free(t->merges);
    free(t);
}

static bool bpe_adds_bos(const void *self)
{
    return pretok_adds_bos(((const struct bpe *)self)->pretok);
}

static bool bpe_adds_space(const void *self)
{
    (void)self;
    return false;
}

/* ---- encoding ----------------------------------------------------------------------------- */

/* What one call of the encoder needs; grows to the longest piece. */
struct scratch {
    const struct bpe *t;
    const struct vocabulary *v;
    struct merger merger;
    char *raw;           /* a piece in stand-ins */
    size_t raw_cap;
};

/* Makes the piece a row of single-byte symbols. */
static bool lay_out(struct scratch *s, const char *text, size_t n, struct err *err)
{
    if (!merger_begin(&s->merger, n, (uint32_t)n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        int32_t id = s->t->byte_id[(unsigned char)text[i]];
        merger_add(&s->merger, id >= 0 ? id : SYMBOL_UNKNOWN, (uint32_t)i);
    }
    return true;
}

/* The token that is exactly these bytes, -1 if there is none; -2 with an error. */
static int32_t whole_token(struct scratch *s, const char *text, size_t n, struct err *err)
{
    void *list = s->raw;
    if (!merger_reserve(&list, &s->raw_cap, 2 * n + 4, 1, err))
        return -2;
    s->raw = list;
    size_t raw = 0;
    for (size_t i = 0; i < n; i++) /* stand-ins are below U+0800: two bytes at most */
        raw += (size_t)utf8_encode(s->t->letter[(unsigned char)text[i]], s->raw + raw);
    int32_t id = vocabulary_find(s->v, (struct gguf_str){s->raw, raw}, nothing);
    return id >= 0 && vocabulary_is_plain(s->v, id) ? id : -1;
}

/* A merger_find. */
static bool find_merge(const void *self, const struct merger *m, int32_t i, int32_t *id,
                       float *cost)
{
    const struct symbol *left = &m->symbol[i];
    const struct merge *merge = merge_slot(self, left->id, m->symbol[left->next].id);
    *id = merge->id;
    *cost = (float)merge->rank;
    return merge->id >= 0;
}

static bool encode_piece(struct scratch *s, const char *text, size_t n, struct tokens *out,
                         struct err *err)
{
    int32_t whole = pretok_whole_pieces(s->t->pretok) ? whole_token(s, text, n, err) : -1;
    if (whole == -2)
        return false;
    if (whole >= 0)
        return tokens_append(out, &whole, 1, err);
    if (!lay_out(s, text, n, err) || !merger_run(&s->merger, find_merge, s->t, err))
        return false;
    for (int32_t i = s->merger.n > 0 ? 0 : -1; i >= 0; i = s->merger.symbol[i].next) {
        int32_t id = s->merger.symbol[i].id;
        if (id >= 0 && !tokens_append(out, &id, 1, err))
            return false;
    }
    return true;
}

static bool bpe_encode(const void *self, const struct vocabulary *v, const char *text,
                       size_t bytes, bool follows, struct tokens *out, struct err *err)
{
    struct scratch s = {.t = self, .v = v};
    struct pieces pieces = {0};
    (void)follows;
    bool ok = pretok_split(s.t->pretok, text, bytes, &pieces, err);
    size_t from = 0;
    for (size_t i = 0; ok && i < pieces.n; i++) {
        size_t to = pieces.end[i];
        ok = encode_piece(&s, text + from, to - from, out, err);
        from = to;
    }
    pieces_release(&pieces);
    merger_release(&s.merger);
    free(s.raw);
    return ok;
}

const struct tokenizer_kind tokenizer_bpe = {
    "gpt2", "byte-level BPE", -1, -1,
    bpe_open, bpe_close, bpe_encode, bpe_adds_bos, bpe_adds_space,
};
