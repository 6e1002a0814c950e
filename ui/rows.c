/* rows.c -- see rows.h. */
#include "ui/rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void own_blanks(struct rows *r)
{
    while (r->own.bytes < OWN_BLANKS)
        buf_puts(&r->own, " ");
}

void rows_cut(struct rows *r, int n_row, int n_run, size_t own)
{
    assert(n_row <= r->n_row && n_run <= r->n_run);
    r->n_row = n_row;
    r->n_run = n_run;
    r->n_level = 0;
    if (r->own.bytes > own)
        r->own.bytes = own;
    own_blanks(r);
}

void rows_clear(struct rows *r)
{
    rows_cut(r, 0, 0, 0);
    r->source = 0;
}

void rows_release(struct rows *r)
{
    free(r->row);
    free(r->run);
    buf_release(&r->own);
    *r = (struct rows){0};
}

void rows_trim(struct rows *r)
{
    if (r->n_row && r->n_row < r->cap_row)
        r->row = mem_grow(r->row, (size_t)(r->cap_row = r->n_row) * sizeof *r->row);
    if (r->n_run && r->n_run < r->cap_run)
        r->run = mem_grow(r->run, (size_t)(r->cap_run = r->n_run) * sizeof *r->run);
}

/* ---- levels ------------------------------------------------------------------------------- */

static struct run own_run(struct rows *r, enum style s, const char *text, size_t bytes)
{
    own_blanks(r);
    struct run run = {(uint32_t)r->own.bytes, (uint32_t)bytes, (unsigned char)s, true};
    buf_append(&r->own, text, bytes);
    return run;
}

static int level_cells(const struct rows *r)
{
    int cells = 0;
    for (int i = 0; i < r->n_level && i < LEVELS_MAX; i++)
        cells += r->level[i].cells;
    return cells;
}

int rows_width(const struct rows *r)
{
    int n = r->cols - level_cells(r);
    return n > 1 ? n : 1;
}

void rows_push_level(struct rows *r, const char *first, const char *rest, int cells, enum style s)
{
    int i = r->n_level++;
    if (i >= LEVELS_MAX)
        return;
    r->level[i] = (struct level){.used = true};
    if (r->cols - level_cells(r) - cells < LEVEL_TEXT_MIN)
        return;
    r->level[i] = (struct level){own_run(r, s, first, strlen(first)),
                                 own_run(r, s, rest, strlen(rest)), cells, false};
}

void rows_pop_level(struct rows *r)
{
    assert(r->n_level > 0);
    if (r->n_level <= LEVELS_MAX && !r->level[r->n_level - 1].used)
        rows_begin(r);
    r->n_level--;
}

/* ---- rows and runs ------------------------------------------------------------------------ */

void rows_run(struct rows *r, struct run run)
{
    assert(r->n_row);
    if (!run.bytes)
        return;
    if (r->n_run == r->cap_run) {
        r->cap_run = r->cap_run ? r->cap_run * 2 : 64;
        r->run = mem_grow(r->run, (size_t)r->cap_run * sizeof *r->run);
    }
    r->run[r->n_run++] = run;
    struct row *row = &r->row[r->n_row - 1];
    row->n_run++;
    if (run.own)
        return;
    if (!r->sourced)
        row->source = run.at;
    r->sourced = true;
    r->source = run.at + run.bytes;
}

void rows_begin(struct rows *r)
{
    if (r->n_row == r->cap_row) {
        r->cap_row = r->cap_row ? r->cap_row * 2 : 32;
        r->row = mem_grow(r->row, (size_t)r->cap_row * sizeof *r->row);
    }
    r->row[r->n_row++] = (struct row){.run = (uint32_t)r->n_run, .source = r->source,
                                      .indent = level_cells(r)};
    r->made++;
    r->sourced = false;
    for (int i = 0; i < r->n_level && i < LEVELS_MAX; i++) {
        struct level *l = &r->level[i];
        rows_run(r, l->used ? l->rest : l->first);
        l->used = true;
    }
}

void rows_own(struct rows *r, enum style s, const char *text, size_t bytes)
{
    rows_run(r, own_run(r, s, text, bytes));
}

void rows_blanks(struct rows *r, int n)
{
    own_blanks(r);
    for (; n > 0; n -= OWN_BLANKS)
        rows_run(r, (struct run){0, (uint32_t)(n < OWN_BLANKS ? n : OWN_BLANKS), STYLE_TEXT,
                                 true});
}

void rows_repeat(struct rows *r, enum style s, const char *sign, int n)
{
    struct buf text = {0};
    while (n-- > 0)
        buf_puts(&text, sign);
    rows_own(r, s, buf_text(&text), text.bytes);
    buf_release(&text);
}

/* ---- a paragraph -------------------------------------------------------------------------- */

void leaf_clear(struct leaf *l)
{
    buf_clear(&l->text);
    l->n = 0;
}

void leaf_release(struct leaf *l)
{
    buf_release(&l->text);
    free(l->piece);
    *l = (struct leaf){0};
}

void leaf_add(struct leaf *l, struct rows *r, enum style s, const char *text, size_t bytes)
{
    uintptr_t at = (uintptr_t)text, base = (uintptr_t)r->text;
    bool inside = r->text && at >= base && at + bytes <= base + r->bytes;
    if (!bytes)
        return;
    struct run run = {(uint32_t)(at - base + r->offset), (uint32_t)bytes, (unsigned char)s, false};
    if (!inside)
        run = own_run(r, s, text, bytes);
    struct piece *last = l->n ? &l->piece[l->n - 1] : NULL;
    size_t start = l->text.bytes;
    buf_append(&l->text, text, bytes);
    if (last && last->run.own == run.own && last->run.style == run.style &&
        last->run.at + last->run.bytes == run.at) {
        last->run.bytes += run.bytes;
        return;
    }
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->piece = mem_grow(l->piece, (size_t)l->cap * sizeof *l->piece);
    }
    l->piece[l->n++] = (struct piece){start, run};
}

/* The piece that holds this byte, or the first behind it. */
static int piece_at(const struct leaf *l, size_t at)
{
    int low = 0, high = l->n;
    while (low < high) {
        int mid = low + (high - low) / 2;
        if (l->piece[mid].start + l->piece[mid].run.bytes <= at)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void leaf_put(const struct leaf *l, struct rows *r, size_t from, size_t bytes)
{
    size_t end = from + bytes;
    for (int i = piece_at(l, from); i < l->n && l->piece[i].start < end; i++) {
        const struct piece *p = &l->piece[i];
        size_t a = from > p->start ? from - p->start : 0;
        size_t b = end < p->start + p->run.bytes ? end - p->start : p->run.bytes;
        struct run run = p->run;
        run.at += (uint32_t)a;
        run.bytes = (uint32_t)(b - a);
        rows_run(r, run);
    }
}

void leaf_wrap(const struct leaf *l, struct rows *r, int indent, int cols, enum wrap_mode mode)
{
    struct wrap_row w = {.more = true};
    const char *text = buf_text(&l->text);
    while (w.more) {
        wrap_row(text, l->text.bytes, w.next, cols > 1 ? cols : 1, mode, &w);
        rows_begin(r);
        rows_blanks(r, indent);
        r->row[r->n_row - 1].indent += indent;
        leaf_put(l, r, w.start, w.bytes);
    }
}
