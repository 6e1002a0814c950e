/* grid.c -- see grid.h. */
#include "ui/grid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

/* What a terminal keeps beside a character: ncurses holds four marks in a cell. */
enum { MARKS_MAX = 4 };

static const struct cell blank = {" ", 1, STYLE_TEXT};

void grid_init(struct grid *g, int rows, int cols)
{
    assert(rows >= 1 && cols >= 1);
    g->rows = rows;
    g->cols = cols;
    g->cell = mem_new((size_t)rows * (size_t)cols * sizeof *g->cell);
    grid_blank(g);
}

void grid_resize(struct grid *g, int rows, int cols)
{
    grid_release(g);
    grid_init(g, rows, cols);
}

void grid_release(struct grid *g)
{
    free(g->cell);
    *g = (struct grid){0};
}

void grid_blank(struct grid *g)
{
    for (size_t i = 0, n = (size_t)g->rows * (size_t)g->cols; i < n; i++)
        g->cell[i] = blank;
}

static struct cell *cell_at(const struct grid *g, int row, int col)
{
    return &g->cell[(size_t)row * (size_t)g->cols + (size_t)col];
}

/* Makes room for a new cell: a wide character of which one half is overwritten goes whole. */
static void cell_free(struct grid *g, int row, int col)
{
    struct cell *c = cell_at(g, row, col);
    if (c->width == 0 && col > 0) {
        unsigned char style = c[-1].style;
        c[-1] = blank;
        c[-1].style = style;
    }
    if (c->width == 2 && col + 1 < g->cols) {
        unsigned char style = c[1].style;
        c[1] = blank;
        c[1].style = style;
    }
}

static void cell_set(struct grid *g, int row, int col, enum style s, const char *text,
                     size_t bytes, int width)
{
    for (int i = 0; i < width; i++)
        cell_free(g, row, col + i);
    struct cell *c = cell_at(g, row, col);
    *c = (struct cell){.width = (unsigned char)width, .style = (unsigned char)s};
    memcpy(c->text, text, bytes);
    if (width == 2)
        c[1] = (struct cell){.style = (unsigned char)s};
}

/* The bytes of the character at s and the marks behind it, as many as a cell keeps. *skip is
 * where the next character starts. */
static size_t cell_text(const char *s, size_t bytes, size_t *skip)
{
    size_t used, keep, at;
    int marks = 0;
    text_decode(s, bytes, &used);
    for (keep = at = used; at < bytes; at += used) {
        if (cell_width(text_decode(s + at, bytes - at, &used)) != 0)
            break;
        if (marks++ < MARKS_MAX && at + used < sizeof((struct cell *)0)->text && keep == at)
            keep = at + used;
    }
    *skip = at;
    return keep;
}

int grid_put(struct grid *g, int row, int col, int cols_max, enum style s, const char *text,
             size_t bytes)
{
    if (row < 0 || row >= g->rows || col < 0 || col >= g->cols)
        return 0;
    int limit = cols_max < g->cols - col ? cols_max : g->cols - col, cells = 0;
    for (size_t at = 0, skip; at < bytes; at += skip) {
        size_t used, n = cell_text(text + at, bytes - at, &skip);
        int w = cell_width(text_decode(text + at, bytes - at, &used));
        if (w == 0)
            continue; /* a mark with nothing to stand on */
        if (cells + w > limit)
            break;
        cell_set(g, row, col + cells, s, text + at, n, w);
        cells += w;
    }
    return cells;
}

void grid_fill(struct grid *g, int row, int col, int cols, enum style s, const char *cluster)
{
    for (int i = 0; i < cols; i++)
        if (!grid_put(g, row, col + i, 1, s, cluster, strlen(cluster)))
            return;
}

bool grid_same_row(const struct grid *a, const struct grid *b, int row)
{
    if (a->cols != b->cols || row < 0 || row >= a->rows || row >= b->rows)
        return false;
    return memcmp(cell_at(a, row, 0), cell_at(b, row, 0),
                  (size_t)a->cols * sizeof *a->cell) == 0;
}

static int row_used(const struct grid *g, int row)
{
    int n = g->cols;
    while (n && strcmp(cell_at(g, row, n - 1)->text, " ") == 0)
        n--;
    return n;
}

/* The line of style letters: the first letter of the role, "." for plain text. */
static void dump_styles(const struct grid *g, int row, struct buf *out)
{
    int last = g->cols;
    while (last && cell_at(g, row, last - 1)->style == STYLE_TEXT)
        last--;
    if (!last)
        return;
    buf_puts(out, "|");
    for (int col = 0; col < last; col++) {
        enum style s = (enum style)cell_at(g, row, col)->style;
        buf_append(out, s == STYLE_TEXT ? "." : style_name(s), 1);
    }
    buf_puts(out, "\n");
}

void grid_dump(const struct grid *g, bool styles, struct buf *out)
{
    for (int row = 0; row < g->rows; row++) {
        for (int col = 0, n = row_used(g, row); col < n; col++)
            buf_puts(out, cell_at(g, row, col)->text);
        buf_puts(out, "\n");
        if (styles)
            dump_styles(g, row, out);
    }
}
