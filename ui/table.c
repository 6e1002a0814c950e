/* table.c -- see table.h. */
#include "ui/table.h"

#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

enum { GAP_CELLS = 3, COLUMN_MIN = 5, FIELD_INDENT = 2 };

void table_clear(struct table *t, int n_col)
{
    leaf_clear(&t->leaf);
    t->n = 0;
    t->n_col = n_col;
}

void table_release(struct table *t)
{
    leaf_release(&t->leaf);
    free(t->cell);
    *t = (struct table){0};
}

void table_begin(struct table *t, enum table_align align)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 32;
        t->cell = mem_grow(t->cell, (size_t)t->cap * sizeof *t->cell);
    }
    t->cell[t->n++] = (struct table_cell){t->leaf.text.bytes, 0, align};
}

void table_end(struct table *t)
{
    struct table_cell *c = &t->cell[t->n - 1];
    c->bytes = t->leaf.text.bytes - c->start;
}

static const char *cell_text(const struct table *t, const struct table_cell *c)
{
    return buf_text(&t->leaf.text) + c->start;
}

/* ---- widths ------------------------------------------------------------------------------- */

static void natural_widths(const struct table *t, int *width)
{
    for (int i = 0; i < t->n; i++) {
        int n = text_cells(cell_text(t, &t->cell[i]), t->cell[i].bytes);
        int *w = &width[i % t->n_col];
        *w = n > *w ? n : *w;
    }
}

/* Columns that are no wider than their share keep their width; the others share what is left. */
static void share(int *width, int n, int room)
{
    bool *kept = mem_new((size_t)n * sizeof *kept);
    int open = n;
    for (bool again = true; again && open;) {
        again = false;
        for (int i = 0; i < n && open; i++)
            if (!kept[i] && width[i] <= room / open) {
                kept[i] = again = true;
                room -= width[i];
                open--;
            }
    }
    for (int i = 0; i < n; i++)
        if (!kept[i]) {
            width[i] = room / open;
            room -= width[i];
            open--;
        }
    free(kept);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* The part of a cell that stands in one row, with the blanks around it. */
static void put_part(const struct table *t, struct rows *r, const struct table_cell *c,
                     const struct wrap_row *w, int width)
{
    int cells = w ? text_cells(cell_text(t, c) + w->start, w->bytes) : 0, left = width - cells;
    int before = c->align == TABLE_RIGHT ? left : c->align == TABLE_CENTER ? left / 2 : 0;
    rows_blanks(r, before);
    if (w)
        leaf_put(&t->leaf, r, c->start + w->start, w->bytes);
    rows_blanks(r, left - before);
}

static void put_sign(struct rows *r, const char *sign, const char *ascii)
{
    const char *s = r->ascii ? ascii : sign;
    rows_own(r, STYLE_QUOTE, s, strlen(s));
}

static void put_row(const struct table *t, struct rows *r, const struct table_cell *cell,
                    const int *width)
{
    struct wrap_row *w = mem_new((size_t)t->n_col * sizeof *w);
    for (int i = 0; i < t->n_col; i++)
        w[i].more = true;
    for (bool more = true; more;) {
        more = false;
        rows_begin(r);
        for (int i = 0; i < t->n_col; i++) {
            bool has = w[i].more;
            if (has)
                wrap_row(cell_text(t, &cell[i]), cell[i].bytes, w[i].next,
                         width[i] > 1 ? width[i] : 1, WRAP_WORDS, &w[i]);
            if (i)
                put_sign(r, " │ ", " | ");
            put_part(t, r, &cell[i], has ? &w[i] : NULL, width[i]);
            more = more || w[i].more;
        }
    }
    free(w);
}

static void put_rule(const struct table *t, struct rows *r, const int *width)
{
    rows_begin(r);
    for (int i = 0; i < t->n_col; i++) {
        if (i)
            put_sign(r, "─┼─", "-+-");
        rows_repeat(r, STYLE_QUOTE, r->ascii ? "-" : "─", width[i]);
    }
}

static void put_grid(const struct table *t, struct rows *r)
{
    int *width = mem_new((size_t)t->n_col * sizeof *width);
    natural_widths(t, width);
    share(width, t->n_col, rows_width(r) - GAP_CELLS * (t->n_col - 1));
    for (int i = 0; i + t->n_col <= t->n; i += t->n_col) {
        put_row(t, r, &t->cell[i], width);
        if (!i)
            put_rule(t, r, width);
    }
    free(width);
}

static void put_field(const struct table *t, struct rows *r, const struct table_cell *c,
                      int indent)
{
    struct wrap_row w = {.more = true};
    int cols = rows_width(r) - indent;
    while (w.more) {
        wrap_row(cell_text(t, c), c->bytes, w.next, cols > 1 ? cols : 1, WRAP_WORDS, &w);
        rows_begin(r);
        rows_blanks(r, indent);
        leaf_put(&t->leaf, r, c->start + w.start, w.bytes);
    }
}

static void put_list(const struct table *t, struct rows *r)
{
    for (int i = t->n_col; i + t->n_col <= t->n; i += t->n_col) {
        if (i > t->n_col)
            rows_begin(r);
        for (int col = 0; col < t->n_col; col++) {
            put_field(t, r, &t->cell[col], 0);
            put_field(t, r, &t->cell[i + col], FIELD_INDENT);
        }
    }
    for (int col = 0; t->n == t->n_col && col < t->n_col; col++)
        put_field(t, r, &t->cell[col], 0);
}

void table_rows(const struct table *t, struct rows *r)
{
    if (t->n_col < 1)
        return;
    if ((rows_width(r) + GAP_CELLS) / (COLUMN_MIN + GAP_CELLS) >= t->n_col)
        put_grid(t, r);
    else
        put_list(t, r);
}
