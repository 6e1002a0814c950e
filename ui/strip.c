/* strip.c -- see strip.h. */
#include "ui/strip.h"

#include <stdint.h>

/* What stands in tokens [from, to) of the window. */
struct part {
    int used;         /* tokens of it that are there */
    bool exact;
    enum style style; /* of the largest piece */
};

static struct part part_of(const struct strip *s, int64_t from, int64_t to)
{
    struct part p = {0, true, STYLE_GAUGE};
    int64_t at = 0, most = 0;
    for (int i = 0; i < s->n && at < to; i++) {
        int64_t end = at + s->slice[i].tokens;
        int64_t a = at > from ? at : from, b = end < to ? end : to;
        at = end;
        if (b <= a)
            continue;
        p.used += (int)(b - a);
        p.exact = p.exact && s->slice[i].exact;
        if (b - a > most) {
            most = b - a;
            p.style = s->slice[i].style;
        }
    }
    return p;
}

static const char *sign_of(const struct part *p, bool ascii)
{
    if (!p->used)
        return ascii ? "." : "░";
    if (p->exact)
        return ascii ? "#" : "▓";
    return ascii ? "=" : "▒";
}

int strip_draw(const struct strip *s, struct grid *g, int row, int col, int cells, bool ascii)
{
    for (int i = 0; i < cells; i++) {
        int64_t from = (int64_t)s->total * i / cells, to = (int64_t)s->total * (i + 1) / cells;
        struct part p = part_of(s, from, to > from ? to : from + 1);
        grid_fill(g, row, col + i, 1, p.used ? p.style : STYLE_GAUGE, sign_of(&p, ascii));
    }
    return cells;
}
