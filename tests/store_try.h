/* store_try.h -- as screen_try.h, for what app/ reads. */
#ifndef DUET_TESTS_STORE_TRY_H
#define DUET_TESTS_STORE_TRY_H

#include <stddef.h>
#include <stdint.h>

/* A config file: read or refused with a message that may be shown. */
const char *config_try(const uint8_t *data, size_t bytes);

/* A session's log: read, or refused with a message; what was read survives export and import. */
const char *log_try(const uint8_t *data, size_t bytes);

/* An exported conversation. */
const char *import_try(const uint8_t *data, size_t bytes);

#endif
