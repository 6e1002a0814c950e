/* screen_try.h -- the parsers of outside bytes in ui/ and app/ on bytes that may be anything: for
 * the tests and for the fuzzers, which link no test library. Each returns what it found broken, in
 * words, or NULL. */
#ifndef DUET_TESTS_SCREEN_TRY_H
#define DUET_TESTS_SCREEN_TRY_H

#include <stddef.h>
#include <stdint.h>

/* Keys: whole or byte after byte they are the same, and none is a control character. */
const char *keys_try(const uint8_t *data, size_t bytes);

/* Markdown: in pieces or at once the rows are the same, and lie inside the text. The first byte is
 * the width and what the pieces are like. */
const char *markdown_try(const uint8_t *data, size_t bytes);

/* A theme, a keys file, a config file: read or refused with a message that may be shown. */
const char *theme_try(const uint8_t *data, size_t bytes);
const char *keyfile_try(const uint8_t *data, size_t bytes);
const char *config_try(const uint8_t *data, size_t bytes);

/* A session's log: read, or refused with a message; what was read survives export and import. */
const char *log_try(const uint8_t *data, size_t bytes);

/* An exported conversation. */
const char *import_try(const uint8_t *data, size_t bytes);

#endif
