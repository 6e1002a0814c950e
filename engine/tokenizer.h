/* tokenizer.h -- bytes to token ids and back: byte-level BPE ("gpt2") and SentencePiece ("llama").
 *
 * Read-only once open; any thread may use it. Token texts are borrowed from the file's bytes,
 * which must stay mapped; the struct gguf itself may be released.
 *
 * Encoding never yields a control token: its spelling is split like any other text, and a merge
 * that would lead to one is left out. User-defined tokens are recognised in text where they are
 * text: runs of spaces and line breaks, and in SentencePiece vocabularies all those that
 * tokenizer_guard() was not called for. The others are markers, and come from chat.c (or from
 * tokenizer_encode_special(), which is for text of our own and for tests).
 *
 * Every byte sequence can be encoded. Decoding gives the same bytes back if the vocabulary has a
 * token for each of the 256 bytes; some lack a few (rare control characters, bytes no UTF-8 text
 * has). Those are left out, as the models' own tokenizers do, or become the vocabulary's unknown
 * token where a SentencePiece one has that. */
#ifndef DUET_ENGINE_TOKENIZER_H
#define DUET_ENGINE_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/err.h"
#include "engine/gguf.h"
#include "engine/vocabulary.h"

struct tokenizer;

/* errors: ERR_UNSUPPORTED (another tokenizer model or pre-tokenizer: the message lists the known
 * ones), ERR_FORMAT (damaged vocabulary), ERR_LIMIT, ERR_NOMEM. *out is then NULL. */
bool tokenizer_open(struct tokenizer **out, const struct gguf *g, struct err *err);

/* Closes and sets *t to NULL. NULL is allowed. */
void tokenizer_close(struct tokenizer **t);

/* Makes the control or user-defined token of this text, if there is one, a marker. To be called
 * before other threads use the tokenizer. */
void tokenizer_guard(struct tokenizer *t, const char *text);

/* Appends the ids of untrusted text; see engine_tokenize(). follows: the text goes on one that was
 * encoded before it, with no special between them. *out is unchanged on failure. */
bool tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes, bool follows,
                      struct tokens *out, struct err *err);

/* Like tokenizer_encode(), but the spelling of a marker gives that token, the longest first. For
 * text that this program wrote itself. */
bool tokenizer_encode_special(const struct tokenizer *t, const char *text, size_t bytes,
                              struct tokens *out, struct err *err);

/* See engine_piece(). An id outside the vocabulary gives no bytes. */
const char *tokenizer_piece(const struct tokenizer *t, int32_t id, bool control, size_t *bytes);

/* The same for a token that stands behind another, -1 = at the beginning: without the space that
 * encoding put in front of a text. */
const char *tokenizer_piece_after(const struct tokenizer *t, int32_t before, int32_t id,
                                  bool control, size_t *bytes);

/* True for ids that text begins behind: control and user-defined ones, and -1. */
bool tokenizer_starts_text(const struct tokenizer *t, int32_t id);

/* The control or user-defined token with exactly this text; -1 if there is none. */
int32_t tokenizer_special(const struct tokenizer *t, const char *text);

/* The longest marker whose text s[0..n) begins with, and its length; -1 if there is none. */
int32_t tokenizer_marker_at(const struct tokenizer *t, const char *s, size_t n, size_t *bytes);

int tokenizer_n_vocab(const struct tokenizer *t);

/* TOKEN_UNUSED for an id outside the vocabulary. */
enum token_type tokenizer_type(const struct tokenizer *t, int32_t id);

/* The kind of vocabulary in a few words. Static storage. */
const char *tokenizer_about(const struct tokenizer *t);

/* What the file says; -1 where it says nothing. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_eot(const struct tokenizer *t);

/* True if a text begins with the bos token in this model. bos is then not -1. */
bool tokenizer_add_bos(const struct tokenizer *t);

#endif
