/* pretok.h -- the published pre-tokenizer patterns: where a text is cut before merging.
 *
 * A model's tokenizer.ggml.pre names a row; a row is one or more patterns. The first cuts the
 * text, the next cuts each piece of that, and so on; what a pattern does not match stays a piece
 * of its own, so the pieces always add up to the text.
 *
 * Bytes that are not UTF-8 have no meaning to a pattern: each run of them is one piece, and the
 * text on its two sides is cut as two texts.
 *
 * Read-only once open; any thread may use it. */
#ifndef DUET_ENGINE_PRETOK_H
#define DUET_ENGINE_PRETOK_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/err.h"
#include "engine/gguf.h"

struct pretok;

/* Where pieces end, ascending; the last is the text's length. Zero-initialise, then release. */
struct pieces {
    size_t *end;  /* [n], owned */
    size_t n;
    size_t cap;
};

/* errors: ERR_UNSUPPORTED: the name is not known; the message lists the known ones. */
bool pretok_open(struct pretok **out, struct gguf_str name, struct err *err);

/* Closes and sets *p to NULL. NULL is allowed. */
void pretok_close(struct pretok **p);

/* Cuts a text. out is emptied first. The time taken is linear in the text's length. */
bool pretok_split(const struct pretok *p, const char *text, size_t bytes, struct pieces *out,
                  struct err *err);
void pieces_release(struct pieces *p);

/* True if a piece that is a token as a whole is taken without merging (Llama 3). */
bool pretok_whole_pieces(const struct pretok *p);

/* True if texts begin with the bos token where the file does not say. */
bool pretok_adds_bos(const struct pretok *p);

#endif
