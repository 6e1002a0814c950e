/* out.c -- see out.h. */
#include "app/out.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/flow.h"
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

/* ---- standard output, broken between words ------------------------------------------------- */

static struct flow flow;
static bool flows;

void out_flows(bool on)
{
    flows = on && isatty(STDOUT_FILENO);
    flow_release(&flow);
}

/* What the terminal is wide now: it may have been pulled. */
static int width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void put_flowing(const struct buf *text)
{
    struct buf out = {0};
    flow.cols = width();
    flow_put(&flow, buf_text(text), text->bytes, &out);
    fwrite(buf_text(&out), 1, out.bytes, stdout);
    buf_release(&out);
}

void out_begin(void)
{
    flow_begin(&flow);
}

void out_line(void)
{
    flow_line(&flow);
}

void out_settle(void)
{
    struct buf out = {0};
    flow_end(&flow, &out);
    fwrite(buf_text(&out), 1, out.bytes, stdout);
    buf_release(&out);
    fflush(stdout);
}

/* ---- any file ------------------------------------------------------------------------------ */

void out_text(FILE *f, const char *text, size_t bytes)
{
    if (!isatty(fileno(f))) {
        fwrite(text, 1, bytes, f);
        return;
    }
    struct buf shown = {0};
    out_spell(&shown, text, bytes);
    if (f == stdout && flows)
        put_flowing(&shown);
    else
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
