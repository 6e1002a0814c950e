/* err.c -- filling a struct err; see err.h. Nothing here allocates, so a failure can always be
 * told, also that of an allocation. */
#include "engine/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "engine/utf8.h"

bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (!e)
        return false;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    e->code = code;
    /* The C library refuses results beyond INT_MAX: then the general text has to do. */
    const char *message = n < 0 ? err_text(code) : text;
    utf8_copy_printable(e->msg, sizeof e->msg, message, strlen(message));
    return false;
}

bool err_errno(struct err *e, const char *what, const char *path)
{
    int number = errno;
    char reason[128];
    if (strerror_r(number, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d", number);
    enum err_code code = number == ENOMEM ? ERR_NOMEM : ERR_IO;
    return err_set(e, code, "%s '%s': %s", what, path, reason);
}

bool err_prefix(struct err *e, const char *prefix)
{
    if (!e)
        return false;
    struct err old = *e;
    return err_set(e, old.code, "%s: %s", prefix, old.msg);
}

const char *err_text(enum err_code code)
{
    switch (code) {
#define X(name, text) case ERR_##name: return text;
        ERR_LIST(X)
#undef X
    }
    return "unknown error";
}
