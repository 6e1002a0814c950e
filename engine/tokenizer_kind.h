/* tokenizer_kind.h -- what a kind of tokenizer is to tokenizer.c: one row of its table. */
#ifndef DUET_ENGINE_TOKENIZER_KIND_H
#define DUET_ENGINE_TOKENIZER_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/err.h"
#include "engine/gguf.h"
#include "engine/vocabulary.h"

struct tokenizer_kind {
    const char *model;       /* tokenizer.ggml.model */
    const char *about;       /* in a few words */
    int32_t bos, eos;        /* where the file does not say; -1: none */

    /* Opens the vocabulary and what else it needs. On failure *self may be set, and is to be
     * closed, and so is *v to be released. */
    bool (*open)(void **self, struct vocabulary *v, const struct gguf *g, struct err *err);
    void (*close)(void *self);

    /* Appends the ids of a text in which no special is to be found. follows: it stands behind text
     * that was encoded before it. May leave some ids in *out on failure. */
    bool (*encode)(const void *self, const struct vocabulary *v, const char *text, size_t bytes,
                   bool follows, struct tokens *out, struct err *err);

    /* True if texts begin with the bos token where the file does not say. */
    bool (*adds_bos)(const void *self);

    /* True if encoding puts a space in front of a text. */
    bool (*adds_space)(const void *self);
};

extern const struct tokenizer_kind tokenizer_bpe;  /* bpe.c */
extern const struct tokenizer_kind tokenizer_spm;  /* spm.c */

#endif
