/* vocabulary.h -- the tokens of a GGUF file: their texts, types and meanings, found by text.
 *
 * What both kinds of tokenizer share. "raw" is a token's text as it stands in the file, "bytes" is
 * what it means: the tokenizer's kind says how one follows from the other.
 *
 * Texts are borrowed from the file's bytes, which must stay mapped. */
#ifndef DUET_ENGINE_VOCABULARY_H
#define DUET_ENGINE_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"
#include "engine/gguf.h"

/* tokenizer.ggml.token_type */
enum token_type {
    TOKEN_NORMAL = 1, TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_USER = 4, TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6,
};

/* A control or user-defined token. */
struct special {
    size_t bytes;
    int32_t id;
    bool text;                /* untrusted text that spells it becomes it */
};

struct vocabulary {
    int n;
    struct gguf_str *raw;     /* [n], owned; the texts are borrowed from the file */
    uint8_t *type;            /* [n] enum token_type */
    char *bytes;              /* what the tokens mean, one behind the other */
    size_t *start;            /* [n + 1] where each begins in bytes */
    int32_t *slots;           /* raw text -> id; open addressing, -1 = empty */
    size_t n_slots;           /* a power of two */
    struct special *special;  /* by first byte, of those the longest first, then by id */
    int special_from[257];    /* [first byte] where they begin; the next begins where they end */
    int n_text;               /* how many of them are text */
};

/* Writes what a raw text of this type means and returns the bytes, at most raw.bytes. */
typedef size_t vocabulary_decode(const void *self, struct gguf_str raw, enum token_type type,
                                 char *out);

/* Whether untrusted text may become this user-defined token. */
typedef bool vocabulary_is_text(struct gguf_str raw);

/* errors: ERR_FORMAT (a damaged vocabulary), ERR_NOMEM; what was read is then still to be
 * released. */
bool vocabulary_open(struct vocabulary *v, const struct gguf *g, vocabulary_decode *decode,
                     const void *self, vocabulary_is_text *is_text, struct err *err);
void vocabulary_release(struct vocabulary *v);

/* The id with the raw text a followed by b; -1 if there is none. */
int32_t vocabulary_find(const struct vocabulary *v, struct gguf_str a, struct gguf_str b);

/* The longest special that s[0..n) begins with, among those that are text or those that are not;
 * NULL if there is none. */
const struct special *vocabulary_special_at(const struct vocabulary *v, const char *s, size_t n,
                                            bool text);

/* Untrusted text becomes this token no more. */
void vocabulary_guard(struct vocabulary *v, int32_t id);

/* True for what tokenizers make of text by themselves: normal and byte tokens. */
bool vocabulary_is_plain(const struct vocabulary *v, int32_t id);

/* True for control and user-defined tokens. */
bool vocabulary_is_special(const struct vocabulary *v, int32_t id);

#endif
