/* flow.c -- see flow.h. */
#include "app/flow.h"

#include <string.h>

#include "ui/text.h"

enum { TAB = 8, CODE_INDENT = 4 };

/* The line goes on with this byte that is no blank. */
static void first_add(struct flow *f, char c)
{
    if (!f->begun) {
        f->begun = true;
        f->whole = f->whole || f->fenced || c == '|' || f->gap >= CODE_INDENT;
    }
    if (f->n_first < (int)sizeof f->first - 1)
        f->first[f->n_first++] = c;
}

/* Behind the sign of a list the lines that follow stand where its text does. */
static int indent_of(const struct flow *f)
{
    return f->n_first == 1 && strchr("-*!", f->first[0]) ? f->col + 1 : f->indent;
}

static void word_put(struct flow *f, struct buf *out)
{
    int cells = text_cells(buf_text(&f->word), f->word.bytes);
    if (!f->word.bytes)
        return;
    if (f->cols > 0 && !f->whole && f->col > f->indent && f->col + f->gap + cells > f->cols) {
        buf_printf(out, "\n%*s", f->indent, "");
        f->col = f->indent;
    } else {
        buf_printf(out, "%*s", f->gap, "");
        f->col += f->gap;
    }
    buf_append(out, buf_text(&f->word), f->word.bytes);
    buf_clear(&f->word);
    f->gap = 0;
    f->col += cells;
    if (f->cols > 0 && f->col > f->cols) /* the terminal has broken it */
        f->col %= f->cols;
    f->indent = indent_of(f);
    if (f->indent > f->cols / 2)
        f->indent = 0;
}

void flow_begin(struct flow *f)
{
    f->n_first = f->indent = 0;
    f->begun = f->whole = f->fenced = false;
}

void flow_line(struct flow *f)
{
    if (f->n_first == 3 && (strncmp(f->first, "```", 3) == 0 || strncmp(f->first, "~~~", 3) == 0))
        f->fenced = !f->fenced;
    f->col = f->gap = f->indent = f->n_first = 0;
    f->begun = f->whole = false;
}

static void blank_put(struct flow *f, char c, struct buf *out)
{
    word_put(f, out);
    f->gap += c == ' ';
    if (c == ' ')
        return;
    flow_end(f, out);
    buf_puts(out, "\t");
    f->col = f->col / TAB * TAB + TAB;
    f->whole = f->whole || !f->begun;
}

/* A sign that is two cells wide may be parted from what is beside it. */
static void sign_put(struct flow *f, const char *sign, size_t bytes, struct buf *out)
{
    bool wide = (unsigned char)*sign >= 0xE3 && text_cells(sign, bytes) == 2;
    first_add(f, *sign);
    if (wide)
        word_put(f, out);
    buf_append(&f->word, sign, bytes);
    if (wide || f->whole)
        word_put(f, out);
}

void flow_put(struct flow *f, const char *text, size_t bytes, struct buf *out)
{
    for (size_t at = 0, n; at < bytes; at += n) {
        n = 1;
        if (text[at] == '\n') {
            word_put(f, out);
            buf_puts(out, "\n");
            flow_line(f);
        } else if (text[at] == ' ' || text[at] == '\t') {
            blank_put(f, text[at], out);
        } else {
            n = text_cluster(text + at, bytes - at);
            sign_put(f, text + at, n, out);
        }
    }
}

void flow_end(struct flow *f, struct buf *out)
{
    word_put(f, out);
    buf_printf(out, "%*s", f->gap, "");
    f->col += f->gap;
    f->gap = 0;
}

void flow_release(struct flow *f)
{
    buf_release(&f->word);
    *f = (struct flow){0};
}
