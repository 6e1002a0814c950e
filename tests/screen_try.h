/* screen_try.h -- the parsers of outside bytes in ui/ on bytes that may be anything: for
 * the tests and for the fuzzers, which link no test library. Each returns what it found broken, in
 * words, or NULL. */
#ifndef DUET_TESTS_SCREEN_TRY_H
#define DUET_TESTS_SCREEN_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys: whole or byte after byte they are the same, and none is a control character. */
const char *keys_try(const uint8_t *data, size_t bytes);

/* Markdown: in pieces or at once the rows are the same, and lie inside the text. The first byte is
 * the width and what the pieces are like. */
const char *markdown_try(const uint8_t *data, size_t bytes);

/* A theme, a keys file: read or refused with a message that may be shown. */
const char *theme_try(const uint8_t *data, size_t bytes);
const char *keyfile_try(const uint8_t *data, size_t bytes);

/* The characters of the program, once; a message is there, and may be shown. */
void try_locale(void);
bool try_shown(const char *msg);

#endif
