/* engine_try.h -- the text half on bytes that may be anything: for the tests and for the fuzzer,
 * which links no test library. */
#ifndef DUET_TESTS_ENGINE_TRY_H
#define DUET_TESTS_ENGINE_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"

/* Header, tokenizer, a short text, a conversation. False with a message, or true. */
bool vocab_try(const uint8_t *data, size_t bytes, struct err *err);

/* A text, there and back: its ids must be such that text may become, and their bytes the text. The
 * first byte picks the vocabulary, of fixtures that have a token for every byte; they are opened
 * once, from the top of the tree, and stay open. False with a message, or true. */
bool text_try(const uint8_t *data, size_t bytes, struct err *err);

#endif
