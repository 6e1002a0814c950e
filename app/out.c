/* out.c -- see out.h. */
#include "app/out.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui/text.h"

void out_spell(struct buf *out, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        size_t n = 0;
        while (at + n < bytes && text[at + n] != '\n' && text[at + n] != '\t')
            n++;
        bool line = at + n < bytes && text[at + n] == '\n';
        size_t shown = n - (line && n && text[at + n - 1] == '\r');
        text_display(out, text + at, shown);
        at += n;
        if (at < bytes)
            buf_append(out, text + at++, 1);
    }
}

void out_text(FILE *f, const char *text, size_t bytes)
{
    if (!isatty(fileno(f))) {
        fwrite(text, 1, bytes, f);
        return;
    }
    struct buf shown = {0};
    out_spell(&shown, text, bytes);
    fwrite(buf_text(&shown), 1, shown.bytes, f);
    buf_release(&shown);
}

void out_printf(FILE *f, const char *fmt, ...)
{
    char part[512];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(part, sizeof part, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof part) {
        char *whole = mem_new((size_t)n + 1);
        vsnprintf(whole, (size_t)n + 1, fmt, again);
        out_text(f, whole, (size_t)n);
        free(whole);
    } else if (n > 0) {
        out_text(f, part, (size_t)n);
    }
    va_end(again);
}
