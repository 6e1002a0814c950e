/* tokenizer.h -- bytes to token ids and back, for byte-level BPE vocabularies ("gpt2").
 *
 * Read-only once open; any thread may use it. Token texts are borrowed from the file's bytes,
 * which must stay mapped; the struct gguf itself may be released.
 *
 * Encoding yields normal tokens alone: the spelling of a control or user-defined token is split
 * like any other text, and a merge that would lead to one is left out. Those ids come from chat.c
 * (or from tokenizer_encode_special(), which is for text of our own and for tests).
 *
 * Every byte sequence can be encoded. Decoding gives the same bytes back if the vocabulary has a
 * token for each of the 256 bytes; some small ones lack a few (rare control characters, bytes no
 * UTF-8 text has). A character with such a byte is encoded as U+FFFD, or left out if that is not
 * possible either. */
#ifndef DUET_ENGINE_TOKENIZER_H
#define DUET_ENGINE_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/err.h"
#include "engine/gguf.h"

/* tokenizer.ggml.token_type */
enum token_type {
    TOKEN_NORMAL = 1, TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_USER = 4, TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6,
};

struct tokenizer;

/* errors: ERR_UNSUPPORTED (another tokenizer model or pre-tokenizer: the message lists the known
 * ones), ERR_FORMAT (damaged vocabulary), ERR_LIMIT, ERR_NOMEM. *out is then NULL. */
bool tokenizer_open(struct tokenizer **out, const struct gguf *g, struct err *err);

/* Closes and sets *t to NULL. NULL is allowed. */
void tokenizer_close(struct tokenizer **t);

/* Appends the ids of untrusted text; see engine_tokenize(). *out is unchanged on failure. */
bool tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes,
                      struct tokens *out, struct err *err);

/* Like tokenizer_encode(), but the spelling of a control or user-defined token gives that token,
 * the longest first. For text that this program wrote itself. */
bool tokenizer_encode_special(const struct tokenizer *t, const char *text, size_t bytes,
                              struct tokens *out, struct err *err);

/* See engine_piece(). An id outside the vocabulary gives no bytes. */
const char *tokenizer_piece(const struct tokenizer *t, int32_t id, bool control, size_t *bytes);

/* The control or user-defined token with exactly this text; -1 if there is none. */
int32_t tokenizer_special(const struct tokenizer *t, const char *text);

/* The longest control or user-defined token whose text s[0..n) begins with, and its length; -1 if
 * there is none. */
int32_t tokenizer_special_at(const struct tokenizer *t, const char *s, size_t n, size_t *bytes);

int tokenizer_n_vocab(const struct tokenizer *t);

/* TOKEN_UNUSED for an id outside the vocabulary. */
enum token_type tokenizer_type(const struct tokenizer *t, int32_t id);

/* What the file says; -1 where it says nothing. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_eot(const struct tokenizer *t);

/* True if a text begins with the bos token in this model. bos is then not -1. */
bool tokenizer_add_bos(const struct tokenizer *t);

#endif
