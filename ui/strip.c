/* strip.c -- see strip.h. */
#include "ui/strip.h"

#include <stdint.h>

/* What stands in tokens [from, to) of the window. */
struct part {
    int used;         /* tokens of it that are there */
    enum slice_form form;
    enum style style; /* of the largest piece */
};

static struct part part_of(const struct strip *s, int64_t from, int64_t to)
{
    struct part p = {0, SLICE_EXACT, STYLE_GAUGE};
    int64_t at = 0, most = 0;
    for (int i = 0; i < s->n && at < to; i++) {
        int64_t end = at + s->slice[i].tokens;
        int64_t a = at > from ? at : from, b = end < to ? end : to;
        at = end;
        if (b <= a)
            continue;
        p.used += (int)(b - a);
        if (s->slice[i].form > p.form)
            p.form = s->slice[i].form;
        if (b - a > most) {
            most = b - a;
            p.style = s->slice[i].style;
        }
    }
    return p;
}

const char *strip_empty(bool ascii)
{
    return ascii ? "." : "·";
}

static const char *sign_of(const struct part *p, bool ascii)
{
    static const char *const sign[][2] = {
        [SLICE_EXACT] = {"▓", "#"}, [SLICE_CODED] = {"▒", "="}, [SLICE_INDEX] = {"░", "-"}};
    return p->used ? sign[p->form][ascii] : strip_empty(ascii);
}

/* The tokens of a cell, one at least. */
static void cell_tokens(const struct strip *s, int cell, int cells, int64_t *from, int64_t *to)
{
    *from = (int64_t)s->total * cell / cells;
    *to = (int64_t)s->total * (cell + 1) / cells;
    if (*to <= *from)
        *to = *from + 1;
}

int strip_draw(const struct strip *s, struct grid *g, int row, int col, int cells, bool ascii)
{
    for (int i = 0; i < cells; i++) {
        int64_t from, to;
        cell_tokens(s, i, cells, &from, &to);
        struct part p = part_of(s, from, to);
        bool marked = s->mark_from < to && s->mark_to > from && s->mark_from < s->mark_to;
        enum style style = marked ? STYLE_SELECTED : p.used ? p.style : STYLE_GAUGE;
        grid_fill(g, row, col + i, 1, style, sign_of(&p, ascii));
    }
    return cells;
}

int strip_slice(const struct strip *s, int cell, int cells)
{
    int64_t from, to, end = 0;
    cell_tokens(s, cell, cells, &from, &to);
    for (int i = 0; i < s->n; i++) {
        end += s->slice[i].tokens;
        if (end > from)
            return i;
    }
    return -1;
}
