/* err.h -- errors of the world as values.
 *
 * A function that can fail returns false (or -1 where it returns a count) and fills its last
 * parameter, a struct err. The message says what was found and what was expected, in the user's
 * words, and names the file. Text taken from a file is made printable first.
 *
 * Our own mistakes are assertions, never a struct err. */
#ifndef DUET_ENGINE_ERR_H
#define DUET_ENGINE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define ERR_LIST(X)                                                  \
    X(NONE,        "no error")                                       \
    X(IO,          "cannot read or write")                           \
    X(FORMAT,      "not a file this program understands")            \
    X(UNSUPPORTED, "understood, but not supported")                  \
    X(NOMEM,       "not enough memory")                              \
    X(LIMIT,       "a limit was reached")                            \
    X(INPUT,       "not a valid argument")                           \
    X(BUSY,        "in use by another program")                      \
    X(CANCELLED,   "stopped on request")

enum err_code {
#define X(name, text) ERR_##name,
    ERR_LIST(X)
#undef X
};

/* A failure. msg is one line of printable UTF-8, always terminated. */
struct err {
    enum err_code code;
    char msg[256];
};

/* Fills *e (NULL is allowed: the caller does not want to know). Control characters and invalid
 * UTF-8 that a format argument brings in are replaced by '?'. Always returns false, so that
 * failing is one line: return err_set(e, ERR_IO, "..."). */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills *e from errno: "<what> '<path>': <strerror>". Always returns false. */
bool err_errno(struct err *e, const char *what, const char *path);

/* Puts "<prefix>: " before the message, e.g. the name of the file. Always returns false. */
bool err_prefix(struct err *e, const char *prefix);

/* The general text of a code. Static storage. */
const char *err_text(enum err_code code);

#endif
