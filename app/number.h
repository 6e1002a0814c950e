/* number.h -- a number as a person types it. */
#ifndef DUET_APP_NUMBER_H
#define DUET_APP_NUMBER_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Digits only: no sign, no spaces, nothing behind. False: it is not that, or more than `most`. */
static inline bool number_read(const char *text, uint64_t most, uint64_t *out)
{
    if (!text[0] || text[strspn(text, "0123456789")])
        return false;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0 && *out <= most;
}

#endif
