/* tokenizer.c -- byte-level BPE as GPT-2 introduced it.
 *
 * Token texts in the file are not bytes but letters: each of the 256 bytes has a printable
 * stand-in ("Ġ" for the space), so that a vocabulary is plain text. Here "raw" is that text as it
 * stands in the file, "bytes" is what it means.
 *
 * Encoding: pretok.c cuts the text into pieces; each byte of a piece becomes its token; then, of
 * all neighbours that the file's list of merges names, those named first in the list are joined
 * (the leftmost of equals), until no neighbours are named. The candidates are kept in a heap, so
 * a piece of n bytes takes n log n steps. */
#include "engine/tokenizer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pretok.h"
#include "engine/utf8.h"

#define VOCAB_MAX  (1 << 22)
#define MERGES_MAX (1 << 23)
#define TEXT_MAX   (1 << 28)  /* bytes in one call: positions, up to three a byte, are int32_t */

#define LETTERS 324           /* stand-ins are U+0021..U+0143 */

/* The merge of a pair: what it gives, and how early it stands in the list. */
struct merge {
    int32_t left, right;
    int32_t id;               /* -1: an empty slot */
    int32_t rank;
};

struct tokenizer {
    struct pretok *pretok;
    int n_vocab;
    struct gguf_str *raw;     /* [n_vocab], owned; the texts are borrowed from the file */
    uint8_t *type;            /* [n_vocab] enum token_type */
    char *bytes;              /* what the tokens mean, one behind the other */
    size_t *start;            /* [n_vocab + 1] where each begins in bytes */
    int32_t *slots;           /* raw text -> id; open addressing, -1 = empty */
    size_t n_slots;           /* a power of two */
    struct merge *merges;     /* pair -> merge; open addressing */
    size_t n_merges;          /* slots, a power of two */
    int32_t *specials;        /* [n_specials] control and user-defined ids, longest first */
    int n_specials;
    int32_t byte_id[256];     /* the token of a single byte, -1 if there is none */
    uint16_t letter[256];     /* byte -> stand-in */
    int16_t meaning[LETTERS]; /* stand-in -> byte, -1 for other characters */
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

/* ---- letters ------------------------------------------------------------------------------ */

/* Bytes that are printable in Latin-1 stand for themselves, the others, in order, for the
 * characters from U+0100 on. */
static void init_letters(struct tokenizer *t)
{
    memset(t->meaning, 0xff, sizeof t->meaning);
    int next = 256;
    for (int b = 0; b < 256; b++) {
        bool printable = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
        t->letter[b] = (uint16_t)(printable ? b : next++);
        t->meaning[t->letter[b]] = (int16_t)b;
    }
}

/* Writes what a raw text means and returns the bytes, at most raw.bytes. A character that is no
 * stand-in means itself. */
static size_t decode_raw(const struct tokenizer *t, struct gguf_str raw, char *out)
{
    size_t n = 0;
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

/* ---- looking up --------------------------------------------------------------------------- */

static uint64_t hash_more(uint64_t h, struct gguf_str s)
{
    for (size_t i = 0; i < s.bytes; i++)
        h = (h ^ (unsigned char)s.data[i]) * 0x100000001b3u; /* FNV-1a */
    return h;
}

/* The slot of the raw text a followed by b: that of its id, or the empty one for it. */
static int32_t *vocab_slot(const struct tokenizer *t, struct gguf_str a, struct gguf_str b)
{
    uint64_t h = hash_more(hash_more(0xcbf29ce484222325u, a), b);
    for (size_t i = h ^ h >> 32;; i++) {
        int32_t *slot = &t->slots[i & (t->n_slots - 1)];
        if (*slot < 0)
            return slot;
        struct gguf_str raw = t->raw[*slot];
        if (raw.bytes == a.bytes + b.bytes && memcmp(raw.data, a.data, a.bytes) == 0 &&
            memcmp(raw.data + a.bytes, b.data, b.bytes) == 0)
            return slot;
    }
}

static int32_t vocab_find(const struct tokenizer *t, struct gguf_str raw)
{
    return *vocab_slot(t, raw, (struct gguf_str){"", 0});
}

/* Text may become this token. */
static bool is_plain(const struct tokenizer *t, int32_t id)
{
    return t->type[id] == TOKEN_NORMAL || t->type[id] == TOKEN_BYTE;
}

/* Only our own constants may become this token. */
static bool is_special(const struct tokenizer *t, int32_t id)
{
    return t->type[id] == TOKEN_CONTROL || t->type[id] == TOKEN_USER;
}

static struct merge *merge_slot(const struct tokenizer *t, int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    pair *= 0x9e3779b97f4a7c15u;
    for (size_t i = pair >> 32;; i++) {
        struct merge *m = &t->merges[i & (t->n_merges - 1)];
        if (m->id < 0 || (m->left == left && m->right == right))
            return m;
    }
}

/* ---- open: the vocabulary ----------------------------------------------------------------- */

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "not enough memory for the vocabulary");
}

/* A power of two, at least twice n. */
static size_t slots_for(size_t n)
{
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

static bool read_tokens(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    size_t n;
    if (!gguf_strings(g, "tokenizer.ggml.tokens", &t->raw, &n, err))
        return false;
    if (n == 0 || n > VOCAB_MAX)
        return err_set(err, ERR_FORMAT, "the vocabulary has %zu tokens, expected 1 to %d", n,
                       VOCAB_MAX);
    t->n_vocab = (int)n;
    return true;
}

static bool read_types(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    const char *key = "tokenizer.ggml.token_type";
    t->type = malloc((size_t)t->n_vocab);
    if (!t->type)
        return no_memory(err);
    memset(t->type, TOKEN_NORMAL, (size_t)t->n_vocab);
    if (!gguf_find_key(g, key))
        return true;
    int32_t *type;
    size_t n;
    if (!gguf_i32s(g, key, &type, &n, err))
        return false;
    bool ok = n == (size_t)t->n_vocab ||
              err_set(err, ERR_FORMAT, "%zu token types for %d tokens", n, t->n_vocab);
    for (int i = 0; ok && i < t->n_vocab; i++) {
        if (type[i] < TOKEN_NORMAL || type[i] > TOKEN_BYTE)
            ok = err_set(err, ERR_FORMAT, "token %d has the unknown type %d", i, type[i]);
        t->type[i] = (uint8_t)type[i];
    }
    free(type);
    return ok;
}

static bool index_tokens(struct tokenizer *t, struct err *err)
{
    t->n_slots = slots_for((size_t)t->n_vocab);
    t->slots = malloc(t->n_slots * sizeof *t->slots);
    if (!t->slots)
        return no_memory(err);
    memset(t->slots, 0xff, t->n_slots * sizeof *t->slots);
    for (int32_t i = 0; i < t->n_vocab; i++) {
        struct gguf_str raw = t->raw[i];
        if (raw.bytes == 0 && is_plain(t, i))
            return err_set(err, ERR_FORMAT, "token %d is empty", i);
        int32_t *slot = vocab_slot(t, raw, (struct gguf_str){"", 0});
        if (*slot >= 0)
            return err_set(err, ERR_FORMAT, "tokens %d and %d are both '%.*s'", *slot, i,
                           raw.bytes > 64 ? 64 : (int)raw.bytes, raw.data);
        *slot = i;
    }
    return true;
}

static bool decode_tokens(struct tokenizer *t, struct err *err)
{
    size_t total = 0, at = 0;
    for (int i = 0; i < t->n_vocab; i++)
        total += t->raw[i].bytes; /* all of them are in the file, so the sum cannot overflow */
    t->bytes = malloc(total + 1);
    t->start = malloc(((size_t)t->n_vocab + 1) * sizeof *t->start);
    if (!t->bytes || !t->start)
        return no_memory(err);
    for (int i = 0; i < t->n_vocab; i++) {
        struct gguf_str raw = t->raw[i];
        t->start[i] = at;
        if (is_plain(t, i)) {
            at += decode_raw(t, raw, t->bytes + at);
        } else {
            memcpy(t->bytes + at, raw.data, raw.bytes);
            at += raw.bytes;
        }
    }
    t->start[t->n_vocab] = at;
    return true;
}

static bool find_bytes(struct tokenizer *t, struct err *err)
{
    int found = 0;
    for (int b = 0; b < 256; b++) {
        char raw[4];
        int len = utf8_encode(t->letter[b], raw);
        int32_t id = vocab_find(t, (struct gguf_str){raw, (size_t)len});
        t->byte_id[b] = id >= 0 && is_plain(t, id) ? id : -1;
        found += t->byte_id[b] >= 0;
    }
    if (found == 0)
        return err_set(err, ERR_FORMAT, "the vocabulary has no token for any single byte");
    return true;
}

/* What specials are sorted by: longest first, then by id. */
struct special {
    size_t bytes;
    int32_t id;
};

static int special_order(const void *a, const void *b)
{
    const struct special *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static bool list_specials(struct tokenizer *t, struct err *err)
{
    struct special *list = malloc((size_t)t->n_vocab * sizeof *list);
    t->specials = malloc((size_t)t->n_vocab * sizeof *t->specials);
    if (!list || !t->specials) {
        free(list);
        return no_memory(err);
    }
    for (int32_t i = 0; i < t->n_vocab; i++) {
        if (is_special(t, i) && t->raw[i].bytes > 0)
            list[t->n_specials++] = (struct special){t->raw[i].bytes, i};
    }
    qsort(list, (size_t)t->n_specials, sizeof *list, special_order);
    for (int i = 0; i < t->n_specials; i++)
        t->specials[i] = list[i].id;
    free(list);
    return true;
}

/* ---- open: merges and ids ----------------------------------------------------------------- */

/* Enters one merge, "left right". */
static bool add_merge(struct tokenizer *t, struct gguf_str text, int32_t rank, struct err *err)
{
    const char *space = text.bytes < 3 ? NULL : memchr(text.data + 1, ' ', text.bytes - 2);
    int shown = text.bytes > 64 ? 64 : (int)text.bytes;
    if (!space)
        return err_set(err, ERR_FORMAT, "merge %d is '%.*s', expected two texts and a space", rank,
                       shown, text.data);
    struct gguf_str a = {text.data, (size_t)(space - text.data)};
    struct gguf_str b = {space + 1, text.bytes - a.bytes - 1};
    int32_t left = vocab_find(t, a), right = vocab_find(t, b), id = *vocab_slot(t, a, b);
    if (left < 0 || right < 0 || id < 0)
        return err_set(err, ERR_FORMAT, "merge %d, '%.*s', is not made of tokens", rank, shown,
                       text.data);
    if (!is_plain(t, left) || !is_plain(t, right) || !is_plain(t, id))
        return true; /* text must not spell its way to a control token */
    struct merge *m = merge_slot(t, left, right);
    if (m->id < 0) /* of a pair named twice, the first counts */
        *m = (struct merge){left, right, id, rank};
    return true;
}

static bool read_merges(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    struct gguf_str *text;
    size_t n;
    if (!gguf_strings(g, "tokenizer.ggml.merges", &text, &n, err))
        return false;
    bool ok = n <= MERGES_MAX || err_set(err, ERR_FORMAT, "%zu merges, at most %d", n, MERGES_MAX);
    t->n_merges = ok ? slots_for(n) : 0;
    t->merges = ok ? malloc(t->n_merges * sizeof *t->merges) : NULL;
    if (ok && !t->merges)
        ok = no_memory(err);
    for (size_t i = 0; ok && i < t->n_merges; i++)
        t->merges[i].id = -1;
    for (size_t i = 0; ok && i < n; i++)
        ok = add_merge(t, text[i], (int32_t)i, err);
    free(text);
    return ok;
}

static bool read_id(const struct tokenizer *t, const struct gguf *g, const char *key, int32_t *out,
                    struct err *err)
{
    *out = -1;
    uint32_t id;
    if (!gguf_find_key(g, key))
        return true;
    if (!gguf_u32(g, key, &id, err))
        return false;
    if (id >= (uint32_t)t->n_vocab)
        return err_set(err, ERR_FORMAT, "key '%s' is %u, outside the vocabulary of %d", key, id,
                       t->n_vocab);
    *out = (int32_t)id;
    return true;
}

static bool read_ids(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    if (!read_id(t, g, "tokenizer.ggml.bos_token_id", &t->bos, err) ||
        !read_id(t, g, "tokenizer.ggml.eos_token_id", &t->eos, err) ||
        !read_id(t, g, "tokenizer.ggml.eot_token_id", &t->eot, err))
        return false;
    bool otherwise = pretok_adds_bos(t->pretok) && t->bos >= 0;
    if (!gguf_bool_or(g, "tokenizer.ggml.add_bos_token", otherwise, &t->add_bos, err))
        return false;
    if (t->add_bos && t->bos < 0)
        return err_set(err, ERR_FORMAT, "key 'tokenizer.ggml.bos_token_id' is missing, yet "
                       "add_bos_token is set");
    return true;
}

static bool open_pretok(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    struct gguf_str model, pre;
    if (!gguf_string(g, "tokenizer.ggml.model", &model, err) ||
        !gguf_string_or(g, "tokenizer.ggml.pre", "default", &pre, err))
        return false;
    if (!gguf_str_is(model, "gpt2"))
        return err_set(err, ERR_UNSUPPORTED, "tokenizer '%.*s' is not supported; supported is "
                       "'gpt2' (byte-level BPE)", model.bytes > 40 ? 40 : (int)model.bytes,
                       model.data);
    return pretok_open(&t->pretok, pre, err);
}

bool tokenizer_open(struct tokenizer **out, const struct gguf *g, struct err *err)
{
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return no_memory(err);
    init_letters(t);
    if (open_pretok(t, g, err) && read_tokens(t, g, err) && read_types(t, g, err) &&
        index_tokens(t, err) && decode_tokens(t, err) && find_bytes(t, err) &&
        list_specials(t, err) && read_merges(t, g, err) && read_ids(t, g, err)) {
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
    pretok_close(&old->pretok);
    free(old->raw);
    free(old->type);
    free(old->bytes);
    free(old->start);
    free(old->slots);
    free(old->merges);
    free(old->specials);
    free(old);
    *t = NULL;
}

/* ---- merging ------------------------------------------------------------------------------ */

/* A token of the piece on its way; neighbours are linked, for merging takes them out of the
 * middle. */
struct symbol {
    int32_t id;      /* -1: merged into its left neighbour */
    int32_t prev;    /* -1: none */
    int32_t next;
};

/* A pair that could be merged. It has lapsed if its two ids are no longer there. */
struct candidate {
    int32_t rank;
    int32_t at;      /* its left symbol */
    int32_t left, right;
    int32_t id;      /* what it gives */
};

/* What one call of the encoder needs; grows to the longest piece. */
struct scratch {
    struct symbol *symbol;
    size_t symbol_cap;
    struct candidate *heap;
    size_t n_heap, heap_cap;
    char *raw;           /* a piece in stand-ins */
    size_t raw_cap;
    struct pieces pieces;
};

static void scratch_release(struct scratch *s)
{
    free(s->symbol);
    free(s->heap);
    free(s->raw);
    pieces_release(&s->pieces);
}

/* Makes room for n elements in a list of the scratch. */
static bool reserve(void **list, size_t *cap, size_t n, size_t element_bytes, struct err *err)
{
    if (n <= *cap)
        return true;
    size_t want = n + n / 2 + 64;
    void *bigger = realloc(*list, want * element_bytes);
    if (!bigger)
        return err_set(err, ERR_NOMEM, "not enough memory to tokenise a text");
    *list = bigger;
    *cap = want;
    return true;
}

static bool before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static bool heap_push(struct scratch *s, struct candidate c, struct err *err)
{
    void *list = s->heap;
    if (!reserve(&list, &s->heap_cap, s->n_heap + 1, sizeof c, err))
        return false;
    s->heap = list;
    size_t i = s->n_heap++;
    while (i > 0 && before(&c, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = c;
    return true;
}

static struct candidate heap_pop(struct scratch *s)
{
    struct candidate top = s->heap[0], last = s->heap[--s->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->n_heap)
            break;
        if (child + 1 < s->n_heap && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

/* Adds the pair that begins at symbol i, if there is a merge for it. */
static bool consider(const struct tokenizer *t, struct scratch *s, int32_t i, struct err *err)
{
    if (i < 0 || s->symbol[i].next < 0)
        return true;
    int32_t left = s->symbol[i].id, right = s->symbol[s->symbol[i].next].id;
    const struct merge *m = merge_slot(t, left, right);
    return m->id < 0 || heap_push(s, (struct candidate){m->rank, i, left, right, m->id}, err);
}

/* Joins symbol i with its right neighbour. */
static void join(struct symbol *symbol, int32_t i, int32_t id)
{
    int32_t gone = symbol[i].next, next = symbol[gone].next;
    symbol[gone].id = -1;
    symbol[i].id = id;
    symbol[i].next = next;
    if (next >= 0)
        symbol[next].prev = i;
}

/* Merges the n symbols as far as it goes. */
static bool merge_symbols(const struct tokenizer *t, struct scratch *s, int32_t n, struct err *err)
{
    s->n_heap = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!consider(t, s, i, err))
            return false;
    }
    while (s->n_heap > 0) {
        struct candidate c = heap_pop(s);
        const struct symbol *left = &s->symbol[c.at];
        if (left->id != c.left || left->next < 0 || s->symbol[left->next].id != c.right)
            continue;
        join(s->symbol, c.at, c.id);
        if (!consider(t, s, s->symbol[c.at].prev, err) || !consider(t, s, c.at, err))
            return false;
    }
    return true;
}

/* ---- encoding ----------------------------------------------------------------------------- */

static bool has_bytes(const struct tokenizer *t, const char *s, int n)
{
    for (int i = 0; i < n; i++) {
        if (t->byte_id[(unsigned char)s[i]] < 0)
            return false;
    }
    return true;
}

/* Makes the piece a row of single-byte symbols and returns how many; -1 with an error. */
static int32_t lay_out(const struct tokenizer *t, const char *s, size_t n, struct scratch *scratch,
                       struct err *err)
{
    void *list = scratch->symbol;
    if (!reserve(&list, &scratch->symbol_cap, 3 * n, sizeof(struct symbol), err))
        return -1;
    struct symbol *symbol = scratch->symbol = list;
    int32_t count = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int len = utf8_decode(s + i, n - i, &cp), put;
        len = put = len > 0 ? len : 1;
        const char *bytes = s + i;
        if (!has_bytes(t, bytes, len)) {
            bytes = "\xef\xbf\xbd"; /* U+FFFD */
            put = has_bytes(t, bytes, 3) ? 3 : 0;
        }
        for (int k = 0; k < put; k++, count++) {
            int32_t id = t->byte_id[(unsigned char)bytes[k]];
            symbol[count] = (struct symbol){id, count - 1, count + 1};
        }
        i += (size_t)len;
    }
    if (count > 0)
        symbol[count - 1].next = -1;
    return count;
}

/* The token that is exactly these bytes, -1 if there is none; -2 with an error. */
static int32_t whole_token(const struct tokenizer *t, const char *s, size_t n,
                           struct scratch *scratch, struct err *err)
{
    void *list = scratch->raw;
    if (!reserve(&list, &scratch->raw_cap, 2 * n + 4, 1, err))
        return -2;
    scratch->raw = list;
    size_t raw = 0;
    for (size_t i = 0; i < n; i++) /* stand-ins are below U+0800: two bytes at most */
        raw += (size_t)utf8_encode(t->letter[(unsigned char)s[i]], scratch->raw + raw);
    int32_t id = vocab_find(t, (struct gguf_str){scratch->raw, raw});
    return id >= 0 && is_plain(t, id) ? id : -1;
}

static bool encode_piece(const struct tokenizer *t, const char *s, size_t n,
                         struct scratch *scratch, struct tokens *out, struct err *err)
{
    int32_t whole = pretok_whole_pieces(t->pretok) ? whole_token(t, s, n, scratch, err) : -1;
    if (whole == -2)
        return false;
    if (whole >= 0)
        return tokens_append(out, &whole, 1, err);
    int32_t count = lay_out(t, s, n, scratch, err);
    if (count < 0 || !merge_symbols(t, scratch, count, err))
        return false;
    for (int32_t i = count > 0 ? 0 : -1; i >= 0; i = scratch->symbol[i].next) {
        if (!tokens_append(out, &scratch->symbol[i].id, 1, err))
            return false;
    }
    return true;
}

bool tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes,
                      struct tokens *out, struct err *err)
{
    if (bytes > TEXT_MAX)
        return err_set(err, ERR_LIMIT, "a text of %zu bytes, at most %d are read at once", bytes,
                       TEXT_MAX);
    int n_before = out->n;
    struct scratch scratch = {0};
    bool ok = pretok_split(t->pretok, text, bytes, &scratch.pieces, err);
    size_t from = 0;
    for (size_t i = 0; ok && i < scratch.pieces.n; i++) {
        size_t to = scratch.pieces.end[i];
        ok = encode_piece(t, text + from, to - from, &scratch, out, err);
        from = to;
    }
    scratch_release(&scratch);
    if (!ok)
        out->n = n_before;
    return ok;
}

int32_t tokenizer_special_at(const struct tokenizer *t, const char *s, size_t n, size_t *bytes)
{
    for (int i = 0; i < t->n_specials; i++) {
        struct gguf_str raw = t->raw[t->specials[i]];
        if (raw.bytes <= n && memcmp(raw.data, s, raw.bytes) == 0) {
            *bytes = raw.bytes;
            return t->specials[i];
        }
    }
    return -1;
}

bool tokenizer_encode_special(const struct tokenizer *t, const char *text, size_t bytes,
                              struct tokens *out, struct err *err)
{
    int n_before = out->n;
    bool ok = true;
    size_t plain = 0, i = 0; /* text[plain..i) is not encoded yet */
    while (ok && i < bytes) {
        size_t len;
        int32_t id = tokenizer_special_at(t, text + i, bytes - i, &len);
        if (id < 0) {
            i++;
            continue;
        }
        ok = tokenizer_encode(t, text + plain, i - plain, out, err) &&
             tokens_append(out, &id, 1, err);
        plain = i += len;
    }
    ok = ok && tokenizer_encode(t, text + plain, bytes - plain, out, err);
    if (!ok)
        out->n = n_before;
    return ok;
}

/* ---- asking ------------------------------------------------------------------------------- */

const char *tokenizer_piece(const struct tokenizer *t, int32_t id, bool control, size_t *bytes)
{
    *bytes = 0;
    if (id < 0 || id >= t->n_vocab)
        return "";
    if (is_plain(t, id) || t->type[id] == TOKEN_USER || control)
        *bytes = t->start[id + 1] - t->start[id];
    return t->bytes + t->start[id];
}

int32_t tokenizer_special(const struct tokenizer *t, const char *text)
{
    int32_t id = vocab_find(t, (struct gguf_str){text, strlen(text)});
    return id >= 0 && is_special(t, id) ? id : -1;
}

int tokenizer_n_vocab(const struct tokenizer *t)
{
    return t->n_vocab;
}

enum token_type tokenizer_type(const struct tokenizer *t, int32_t id)
{
    return id < 0 || id >= t->n_vocab ? TOKEN_UNUSED : (enum token_type)t->type[id];
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
