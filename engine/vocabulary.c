/* vocabulary.c -- see vocabulary.h. */
#include "engine/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#define VOCABULARY_MAX (1 << 22)

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "not enough memory for the vocabulary");
}

/* ---- looking up --------------------------------------------------------------------------- */

static uint64_t hash_more(uint64_t h, struct gguf_str s)
{
    for (size_t i = 0; i < s.bytes; i++)
        h = (h ^ (unsigned char)s.data[i]) * 0x100000001b3u; /* FNV-1a */
    return h;
}

/* The slot of the raw text a followed by b: that of its id, or the empty one for it. */
static int32_t *slot_of(const struct vocabulary *v, struct gguf_str a, struct gguf_str b)
{
    uint64_t h = hash_more(hash_more(0xcbf29ce484222325u, a), b);
    for (size_t i = h ^ h >> 32;; i++) {
        int32_t *slot = &v->slots[i & (v->n_slots - 1)];
        if (*slot < 0)
            return slot;
        struct gguf_str raw = v->raw[*slot];
        if (raw.bytes == a.bytes + b.bytes && memcmp(raw.data, a.data, a.bytes) == 0 &&
            memcmp(raw.data + a.bytes, b.data, b.bytes) == 0)
            return slot;
    }
}

int32_t vocabulary_find(const struct vocabulary *v, struct gguf_str a, struct gguf_str b)
{
    return *slot_of(v, a, b);
}

const struct special *vocabulary_special_at(const struct vocabulary *v, const char *s, size_t n,
                                            bool text)
{
    unsigned char first = n > 0 ? (unsigned char)s[0] : 0;
    int end = n > 0 ? v->special_from[first + 1] : 0;
    for (int i = v->special_from[first]; i < end; i++) {
        const struct special *sp = &v->special[i];
        if (sp->text == text && sp->bytes <= n &&
            memcmp(v->raw[sp->id].data, s, sp->bytes) == 0)
            return sp;
    }
    return NULL;
}

void vocabulary_guard(struct vocabulary *v, int32_t id)
{
    for (int i = 0; i < v->special_from[256]; i++) {
        if (v->special[i].id == id && v->special[i].text) {
            v->special[i].text = false;
            v->n_text--;
        }
    }
}

bool vocabulary_is_plain(const struct vocabulary *v, int32_t id)
{
    return v->type[id] == TOKEN_NORMAL || v->type[id] == TOKEN_BYTE;
}

bool vocabulary_is_special(const struct vocabulary *v, int32_t id)
{
    return v->type[id] == TOKEN_CONTROL || v->type[id] == TOKEN_USER;
}

/* ---- open --------------------------------------------------------------------------------- */

static bool read_tokens(struct vocabulary *v, const struct gguf *g, struct err *err)
{
    size_t n;
    if (!gguf_strings(g, "tokenizer.ggml.tokens", &v->raw, &n, err))
        return false;
    if (n == 0 || n > VOCABULARY_MAX)
        return err_set(err, ERR_FORMAT, "the vocabulary has %zu tokens, expected 1 to %d", n,
                       VOCABULARY_MAX);
    v->n = (int)n;
    return true;
}

static bool read_types(struct vocabulary *v, const struct gguf *g, struct err *err)
{
    const char *key = "tokenizer.ggml.token_type";
    v->type = malloc((size_t)v->n);
    if (!v->type)
        return no_memory(err);
    memset(v->type, TOKEN_NORMAL, (size_t)v->n);
    if (!gguf_find_key(g, key))
        return true;
    int32_t *type;
    size_t n;
    if (!gguf_i32s(g, key, &type, &n, err))
        return false;
    bool ok = n == (size_t)v->n ||
              err_set(err, ERR_FORMAT, "%zu token types for %d tokens", n, v->n);
    for (int i = 0; ok && i < v->n; i++) {
        if (type[i] < TOKEN_NORMAL || type[i] > TOKEN_BYTE)
            ok = err_set(err, ERR_FORMAT, "token %d has the unknown type %d", i, type[i]);
        v->type[i] = (uint8_t)type[i];
    }
    free(type);
    return ok;
}

static bool index_tokens(struct vocabulary *v, struct err *err)
{
    v->n_slots = 16;
    while (v->n_slots < 2 * (size_t)v->n)
        v->n_slots *= 2;
    v->slots = malloc(v->n_slots * sizeof *v->slots);
    if (!v->slots)
        return no_memory(err);
    memset(v->slots, 0xff, v->n_slots * sizeof *v->slots);
    for (int32_t i = 0; i < v->n; i++) {
        struct gguf_str raw = v->raw[i];
        if (raw.bytes == 0 && vocabulary_is_plain(v, i))
            return err_set(err, ERR_FORMAT, "token %d is empty", i);
        int32_t *slot = slot_of(v, raw, (struct gguf_str){"", 0});
        if (*slot >= 0)
            return err_set(err, ERR_FORMAT, "tokens %d and %d are both '%.*s'", *slot, i,
                           raw.bytes > 64 ? 64 : (int)raw.bytes, raw.data);
        *slot = i;
    }
    return true;
}

static bool decode_tokens(struct vocabulary *v, vocabulary_decode *decode, const void *self,
                          struct err *err)
{
    size_t total = 0, at = 0;
    for (int i = 0; i < v->n; i++)
        total += v->raw[i].bytes; /* all of them are in the file, so the sum cannot overflow */
    v->bytes = malloc(total + 1);
    v->start = malloc(((size_t)v->n + 1) * sizeof *v->start);
    if (!v->bytes || !v->start)
        return no_memory(err);
    for (int i = 0; i < v->n; i++) {
        struct gguf_str raw = v->raw[i];
        v->start[i] = at;
        if (vocabulary_is_plain(v, i)) {
            at += decode(self, raw, (enum token_type)v->type[i], v->bytes + at);
        } else {
            memcpy(v->bytes + at, raw.data, raw.bytes);
            at += raw.bytes;
        }
    }
    v->start[v->n] = at;
    return true;
}

/* What specials are sorted by while they are not by id. */
struct sorted {
    const char *data;
    struct special special;
};

static int special_order(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int first = (unsigned char)x->data[0] - (unsigned char)y->data[0];
    if (first != 0)
        return first;
    if (x->special.bytes != y->special.bytes)
        return x->special.bytes > y->special.bytes ? -1 : 1;
    return (x->special.id > y->special.id) - (x->special.id < y->special.id);
}

/* Moves the n sorted ones into the vocabulary. */
static void index_specials(struct vocabulary *v, const struct sorted *list, int n)
{
    for (int i = 0, byte = 0; byte <= 256; byte++) {
        while (i < n && (unsigned char)list[i].data[0] < byte)
            i++;
        v->special_from[byte] = i;
    }
    for (int i = 0; i < n; i++) {
        v->special[i] = list[i].special;
        v->n_text += list[i].special.text;
    }
}

static bool list_specials(struct vocabulary *v, vocabulary_is_text *is_text, struct err *err)
{
    int n = 0;
    for (int32_t i = 0; i < v->n; i++)
        n += vocabulary_is_special(v, i) && v->raw[i].bytes > 0;
    struct sorted *list = malloc((size_t)(n + 1) * sizeof *list);
    v->special = malloc((size_t)(n + 1) * sizeof *v->special);
    if (!list || !v->special) {
        free(list);
        return no_memory(err);
    }
    n = 0;
    for (int32_t i = 0; i < v->n; i++) {
        struct gguf_str raw = v->raw[i];
        bool text = v->type[i] == TOKEN_USER && is_text(raw);
        if (vocabulary_is_special(v, i) && raw.bytes > 0)
            list[n++] = (struct sorted){raw.data, {raw.bytes, i, text}};
    }
    qsort(list, (size_t)n, sizeof *list, special_order);
    index_specials(v, list, n);
    free(list);
    return true;
}

bool vocabulary_open(struct vocabulary *v, const struct gguf *g, vocabulary_decode *decode,
                     const void *self, vocabulary_is_text *is_text, struct err *err)
{
    *v = (struct vocabulary){0};
    return read_tokens(v, g, err) && read_types(v, g, err) && index_tokens(v, err) &&
           decode_tokens(v, decode, self, err) && list_specials(v, is_text, err);
}

void vocabulary_release(struct vocabulary *v)
{
    free(v->raw);
    free(v->type);
    free(v->bytes);
    free(v->start);
    free(v->slots);
    free(v->special);
    *v = (struct vocabulary){0};
}
