/* screen.c -- see screen.h. */
#include "ui/screen.h"

#include <stdio.h>
#include <string.h>

#include "ui/layout.h"
#include "ui/status.h"
#include "ui/text.h"
#include "ui/wrap.h"

enum { PROMPT_CELLS = 2 };

/* The prompt goes where it would leave too little. The last column is the caret's behind a full
 * row. */
static int prompt_cells(int cols)
{
    return cols >= 8 ? PROMPT_CELLS : 0;
}

int screen_editor_cols(int cols)
{
    int n = cols - prompt_cells(cols) - 1;
    return n > 1 ? n : 1;
}

/* The draft in its rows, scrolled so that the caret shows; arrows where there is more of it. */
static void draw_draft(struct grid *g, const struct view *v, const struct rect *box,
                       int *cursor_row, int *cursor_col)
{
    const struct editor_view *d = &v->draft;
    int indent = prompt_cells(box->cols), cols = screen_editor_cols(box->cols), row, col;
    int rows = wrap_find(d->text, d->bytes, d->caret, cols, &row, &col);
    int top = row >= box->rows ? row - box->rows + 1 : 0;
    struct wrap_row r = {.more = true};
    struct buf shown = {0};
    for (int i = 0; i < rows && i < top + box->rows; i++) {
        wrap_row(d->text, d->bytes, r.next, cols, WRAP_CELLS, &r);
        if (i < top)
            continue;
        buf_clear(&shown);
        text_display(&shown, d->text + r.start, r.bytes);
        grid_put(g, box->row + i - top, box->col + indent, cols, STYLE_USER, buf_text(&shown),
                 shown.bytes);
    }
    buf_release(&shown);
    const char *sign = v->thinks ? (v->ascii ? "} " : "» ") : v->ascii ? "> " : "❯ ";
    const char *above = v->ascii ? "^ " : "↑ ", *below = v->ascii ? "v " : "↓ ";
    if (indent)
        grid_put(g, box->row, box->col, indent, top ? STYLE_NOTE : v->mode_style,
                 top ? above : sign, strlen(top ? above : sign));
    if (indent && box->rows > 1 && rows > top + box->rows)
        grid_put(g, box->row + box->rows - 1, box->col, indent, STYLE_NOTE, below, strlen(below));
    *cursor_row = box->row + row - top;
    *cursor_col = box->col + indent + col;
    if (*cursor_col >= box->col + box->cols)
        *cursor_col = box->col + box->cols - 1;
}

/* The rows of the list. */
static int list_rows(const struct view *v, int rows)
{
    return v->list_rows && v->list_rows < rows / 2 ? v->list_rows : rows;
}

/* Messages that wait, at the end of the transcript: a row for each, of which there are not many. */
static void draw_waiting(struct grid *g, const struct view *v, struct rect *r)
{
    int n = 0;
    while (n < VIEW_WAITING && v->waiting[n] && n < r->rows / 3)
        n++;
    for (int i = 0; i < n; i++) {
        struct buf shown = {0};
        text_display(&shown, v->waiting[i], strcspn(v->waiting[i], "\n"));
        int row = r->row + r->rows - n + i, col = r->col;
        col += grid_put(g, row, col, r->cols, STYLE_NOTE, "waits  ", 7);
        grid_put(g, row, col, r->col + r->cols - col, STYLE_USER, buf_text(&shown), shown.bytes);
        buf_release(&shown);
    }
    r->rows -= n;
}

/* Where a heading stands that a rule leads to. */
enum { IN_RULE = 2 };

/* Takes a row for a heading from a pane; in a rule it has blanks around it. */
static void draw_heading(struct grid *g, struct rect *r, int col, enum style s, const char *text)
{
    struct buf shown = {0};
    buf_puts(&shown, col ? " " : "");
    text_display(&shown, text, strlen(text));
    buf_puts(&shown, col ? " " : "");
    grid_put(g, r->row, r->col + col, r->cols - col, s, buf_text(&shown), shown.bytes);
    buf_release(&shown);
    r->row++;
    r->rows--;
}

/* As much of the chip as there is room for from column `from` to `end`, at its right. */
static void draw_chip(struct grid *g, const struct view *v, int row, int from, int end)
{
    struct buf cut = {0}, shown = {0};
    status_cut(v->chip ? v->chip : "", end - from - 2, &cut);
    if (cut.bytes) {
        buf_puts(&shown, " ");
        text_display(&shown, buf_text(&cut), cut.bytes);
        buf_puts(&shown, " ");
        int cells = text_cells(buf_text(&shown), shown.bytes);
        grid_put(g, row, end - cells, cells, STYLE_NOTE, buf_text(&shown), shown.bytes);
    }
    buf_release(&cut);
    buf_release(&shown);
}

/* Over the draft: who will answer it, and how much of the transcript is below the view. */
static void draw_rule(struct grid *g, const struct view *v, const struct rect *r)
{
    grid_fill(g, r->row, r->col, r->cols, STYLE_RULE, v->ascii ? "-" : "─");
    struct rect word = {r->row, r->col, 1, r->cols / 2};
    draw_heading(g, &word, IN_RULE, v->mode_style, v->mode);
    int below = v->list ? 0 : transcript_below(v->transcript);
    char text[40] = "";
    if (below)
        snprintf(text, sizeof text, v->ascii ? " %d more " : " ↓ %d more ", below);
    int cells = text_cells(text, strlen(text)), end = r->col + r->cols - cells - IN_RULE;
    if (below)
        grid_put(g, r->row, end, cells, STYLE_NOTE, text, strlen(text));
    draw_chip(g, v, r->row, r->col + 2 * IN_RULE + 2 + text_cells(v->mode, strlen(v->mode)),
              below ? end - IN_RULE : end);
}

/* The heading of the one pane that there is room for, and at its right the name of the other, which
 * is what stands in that one's heading before two blanks. */
static void draw_alone(struct grid *g, struct rect *r, const char *own, const char *other)
{
    struct buf cut = {0}, name = {0};
    const char *end = strstr(other, "  ");
    text_display(&name, other, end ? (size_t)(end - other) : strlen(other));
    int cells = text_cells(buf_text(&name), name.bytes);
    status_cut(own, r->cols - cells - 2, &cut);
    if (cut.bytes)
        grid_put(g, r->row, r->col + r->cols - cells, cells, STYLE_NOTE, buf_text(&name),
                 name.bytes);
    draw_heading(g, r, 0, STYLE_DIM, cut.bytes ? buf_text(&cut) : own);
    buf_release(&cut);
    buf_release(&name);
}

/* The second pane, behind its heading: at column col of a rule, or alone. */
static void draw_second(struct grid *g, const struct view *v, struct rect *r, int col, bool alone)
{
    if (v->spots)
        v->spots->beside = *r;
    if (alone && v->heading_first)
        draw_alone(g, r, v->heading, v->heading_first);
    else
        draw_heading(g, r, col, STYLE_DIM, v->heading);
    transcript_ascii(v->beside, v->ascii);
    transcript_draw(v->beside, g, r->row, r->col, r->rows, r->cols);
}

/* The second pane, and the heading of the first; what is left for that is *middle. */
static void draw_beside(struct grid *g, const struct view *v, struct rect *middle)
{
    struct rect pane[2];
    layout_split(middle, pane);
    *middle = pane[0];
    bool right = pane[1].col > pane[0].col;
    if (!pane[1].rows && v->second_alone && !v->list) {
        draw_second(g, v, middle, 0, true);
        middle->rows = 0;
        return;
    }
    for (int i = 0; right && i < pane[1].rows; i++)
        grid_fill(g, pane[1].row + i, pane[1].col - 1, 1, STYLE_RULE, v->ascii ? "|" : "│");
    if (pane[1].rows && !right)
        grid_fill(g, pane[1].row, pane[1].col, pane[1].cols, STYLE_RULE, v->ascii ? "-" : "─");
    if (pane[1].rows)
        draw_second(g, v, &pane[1], right ? 0 : IN_RULE, false);
    if (v->heading_first && !v->list && !pane[1].rows)
        draw_alone(g, middle, v->heading_first, v->heading);
    else if (v->heading_first && !v->list)
        draw_heading(g, middle, 0, STYLE_DIM, v->heading_first);
}

enum { ROWS_LEFT_MIN = 4 };

/* The rows at the bottom of *middle, which gets what is left. */
static void draw_rows(struct grid *g, const struct view *v, struct rect *middle)
{
    struct buf left = {0}, right = {0};
    if (middle->rows < v->n_row + ROWS_LEFT_MIN)
        return;
    middle->rows -= v->n_row;
    for (int i = 0; i < v->n_row; i++) {
        const struct view_row *r = &v->row[i];
        enum style s = r->strong ? STYLE_STRONG : STYLE_DIM;
        int row = middle->row + middle->rows + i;
        buf_clear(&left);
        buf_clear(&right);
        text_display(&left, r->left, strlen(r->left));
        text_display(&right, r->right, strlen(r->right));
        int n = text_cells(buf_text(&right), right.bytes), room = middle->cols - n - 1;
        grid_put(g, row, middle->col, room > 0 ? room : 0, s, buf_text(&left), left.bytes);
        if (room > 0)
            grid_put(g, row, middle->col + room + 1, n, s, buf_text(&right), right.bytes);
    }
    buf_release(&left);
    buf_release(&right);
}

void screen_draw(struct grid *g, const struct view *v, int *cursor_row, int *cursor_col)
{
    struct layout l;
    int row, col, cols = screen_editor_cols(g->cols);
    int rows = wrap_find(v->draft.text, v->draft.bytes, v->draft.caret, cols, &row, &col);
    layout_compute(&l, g->rows, g->cols, rows, status_rows(v, g->cols));
    grid_blank(g);
    if (v->spots)
        *v->spots = (struct spots){0};
    transcript_ascii(v->transcript, v->ascii);
    draw_draft(g, v, &l.editor, cursor_row, cursor_col);
    if (l.header.rows)
        status_draw_header(v, g, l.header.row, l.header.cols);
    /* A list needs room even where the transcript has none. */
    struct rect *middle = l.small ? &l.editor : &l.transcript;
    if (!l.small && !v->list) {
        draw_waiting(g, v, middle);
        draw_rows(g, v, middle);
    }
    if (v->beside && !l.small)
        draw_beside(g, v, middle);
    int listed = !v->list ? 0 : list_rows(v, middle->rows), left = middle->rows - listed;
    if (v->list)
        list_ascii(v->list, v->ascii);
    if (v->list)
        list_draw(v->list, g, middle->row, middle->col, listed, middle->cols);
    if (v->spots) {
        v->spots->list = (struct rect){middle->row, middle->col, listed, middle->cols};
        v->spots->transcript = (struct rect){middle->row + listed, middle->col,
                                             l.small ? 0 : left, middle->cols};
    }
    if (left > 0 && !l.small && v->empty && !transcript_count(v->transcript)) {
        list_ascii(v->empty, v->ascii);
        list_draw(v->empty, g, middle->row + listed, middle->col, left, middle->cols);
    } else if (left > 0 && !l.small)
        transcript_draw(v->transcript, g, middle->row + listed, middle->col, left, middle->cols);
    if (l.rule.rows)
        draw_rule(g, v, &l.rule);
    if (l.status.rows)
        status_draw(v, g, &l.status);
    if (v->reader || v->list)
        *cursor_row = -1;
    if (v->search && v->search_typed && l.status.rows) {
        *cursor_row = l.status.row;
        *cursor_col = status_search_col(v, l.status.cols);
    }
}
