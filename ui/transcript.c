/* transcript.c -- see transcript.h.
 *
 * Each entry keeps its raw text and, for one width, the rows it makes: answers those of
 * markdown.h, others offsets into the text, which is made fit to show only when a row is drawn.
 * Entries are laid out when somebody looks at them or below them, so thousands cost nothing while
 * the view is at the end.
 *
 * The view is a place, entry and row, that stays while text is added; or the end. */
#include "ui/transcript.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ui/find.h"
#include "ui/markdown.h"
#include "ui/text.h"
#include "ui/wrap.h"

enum {
    LABEL_CELLS = 8,  /* the label column: "Pro-Max" and a blank */
    LABEL_COLS = 50,  /* narrower views give the label a row of its own */
    FENCE_BYTES = 16, /* what a line starts with decides whether it is a fence */
};

/* A row of what is shown as it was written. */
struct plain_row {
    size_t start, bytes;
    size_t line; /* where its line starts */
    char fence;  /* the sign of the code fence open before its line, 0 = none */
    bool code;
};

struct entry {
    enum entry_kind kind;
    enum style label_style;
    char *label, *summary;
    bool other;            /* it is folded where the others are not, or the other way */
    struct buf raw;
    struct markdown *md;   /* of an answer, owned; NULL = the rows below */
    bool md_begun;         /* it knows what text it goes on from */
    struct plain_row *row; /* [cap_rows], n_rows of them for this width */
    int n_rows, cap_rows, cols;
    size_t wrapped; /* bytes of raw the rows stand for */
    size_t searched; /* bytes of raw the hits stand for */
};

struct place {
    int entry, row;
};

struct transcript {
    struct entry *entry;
    int n, cap;
    bool folded, ascii;
    bool ended;       /* nothing is added to the last entry */
    bool stick;       /* the view is the end */
    struct place top; /* the first row shown, while it is not */
    int rows, cols;   /* of the last drawing */
    struct find find;
    int hit;          /* the one it stands at, -1 = none */
    struct stretch *mark; /* [n_mark], owned */
    int n_mark;
};

static const enum style kind_style[] = {
    [ENTRY_USER] = STYLE_USER, [ENTRY_ANSWER] = STYLE_TEXT, [ENTRY_THINKING] = STYLE_THINK,
    [ENTRY_NOTE] = STYLE_NOTE, [ENTRY_ERROR] = STYLE_ERROR,
};

/* ---- wrapping one entry ------------------------------------------------------------------- */

/* The sign of the fence that this line opens or closes, 0 if it is no fence. */
static char fence_sign(const char *line, size_t bytes)
{
    size_t i = 0;
    while (i < 3 && i < bytes && line[i] == ' ')
        i++;
    if (i + 3 > bytes || (line[i] != '`' && line[i] != '~'))
        return 0;
    return line[i + 1] == line[i] && line[i + 2] == line[i] ? line[i] : 0;
}

static char fence_after(char open, char sign)
{
    if (!sign || (open && open != sign))
        return open;
    return open ? 0 : sign;
}

static void entry_push(struct entry *e, const struct plain_row *r)
{
    if (e->n_rows == e->cap_rows) {
        e->cap_rows = e->cap_rows ? e->cap_rows * 2 : 8;
        e->row = mem_grow(e->row, (size_t)e->cap_rows * sizeof *e->row);
    }
    e->row[e->n_rows++] = *r;
}

/* Takes back the rows that more text may change: the last one, or its whole line while that is
 * too short to tell a fence. Returns where wrapping goes on. */
static struct plain_row entry_reopen(struct entry *e)
{
    if (!e->n_rows)
        return (struct plain_row){0};
    struct plain_row last = e->row[--e->n_rows];
    if (last.start - last.line < FENCE_BYTES)
        while (e->n_rows && last.start != last.line)
            last = e->row[--e->n_rows];
    return last;
}

/* Unfinished characters and a CR that may belong to a line end wait for what follows. */
static size_t entry_ready(const struct entry *e)
{
    size_t n = text_whole(buf_text(&e->raw), e->raw.bytes);
    return n && e->raw.data[n - 1] == '\r' ? n - 1 : n;
}

static void entry_wrap(struct entry *e, int cols)
{
    if (e->cols != cols) {
        e->n_rows = 0;
        e->cols = cols;
        e->wrapped = 0;
    }
    size_t ready = entry_ready(e);
    if (e->n_rows && e->wrapped == ready)
        return;
    e->wrapped = ready;
    const char *text = buf_text(&e->raw);
    bool fences = e->kind == ENTRY_USER;
    struct plain_row at = entry_reopen(e);
    struct wrap_row w = {.next = at.start, .more = true};
    while (w.more) {
        char sign = fences ? fence_sign(text + at.line, ready - at.line) : 0;
        wrap_row(text, ready, w.next, cols, WRAP_WORDS, &w);
        at.start = w.start;
        at.bytes = w.bytes;
        at.code = at.fence || sign;
        entry_push(e, &at);
        if (w.line_end) {
            at.fence = fence_after(at.fence, sign);
            at.line = w.next;
        }
    }
}

/* ---- entries as rows, of either kind ------------------------------------------------------ */

/* An answer that changed its mode is several entries: blocks of code are numbered through them,
 * and text that goes on without a thought between them is one text. */
static void answer_begin(struct transcript *t, int i, int cols);

/* The text of entry i as rows of this width. */
static void entry_layout(struct transcript *t, int i, int cols)
{
    struct entry *e = &t->entry[i];
    if (!e->md) {
        entry_wrap(e, cols);
        return;
    }
    if (!e->md_begun)
        answer_begin(t, i, cols);
    markdown_end(e->md, t->ended || i < t->n - 1);
    markdown_layout(e->md, buf_text(&e->raw), entry_ready(e), cols, t->ascii);
}

static void answer_begin(struct transcript *t, int i, int cols)
{
    bool open = true;
    t->entry[i].md_begun = true;
    for (int k = i - 1; k >= 0 && t->entry[k].kind != ENTRY_USER; k--) {
        if (t->entry[k].md) {
            entry_layout(t, k, cols);
            markdown_continue(t->entry[i].md, t->entry[k].md, open);
            return;
        }
        open = open && t->entry[k].kind != ENTRY_THINKING;
    }
}

static int text_rows(const struct entry *e)
{
    return e->md ? markdown_rows(e->md) : e->n_rows;
}

static size_t row_source(const struct entry *e, int k)
{
    return e->md ? markdown_row(e->md, k)->source : e->row[k].start;
}

static bool row_empty(const struct entry *e, int k)
{
    return e->md ? !markdown_row(e->md, k)->n_run : !e->row[k].bytes;
}

/* ---- rows of an entry as they are shown --------------------------------------------------- */

static int indent_of(const struct transcript *t)
{
    return t->cols < LABEL_COLS ? 0 : LABEL_CELLS;
}

static int text_cols(const struct transcript *t)
{
    int n = t->cols - indent_of(t);
    return n > 0 ? n : 1;
}

/* A blank row stands before a question, except the first. */
static int gap_rows(const struct transcript *t, int i)
{
    return i > 0 && t->entry[i].kind == ENTRY_USER;
}

static bool label_has_row(const struct transcript *t, const struct entry *e)
{
    size_t n = strlen(e->label);
    return n && (!indent_of(t) || text_cells(e->label, n) >= LABEL_CELLS);
}

static bool is_folded(const struct transcript *t, const struct entry *e)
{
    return t->folded != e->other && e->kind == ENTRY_THINKING;
}

/* Rows above the text of entry i. */
static int head_rows(const struct transcript *t, int i)
{
    return gap_rows(t, i) + label_has_row(t, &t->entry[i]);
}

/* Empty rows at the end are not shown; an empty entry is one row. */
static int entry_rows(struct transcript *t, int i)
{
    struct entry *e = &t->entry[i];
    if (is_folded(t, e))
        return head_rows(t, i) + 1;
    entry_layout(t, i, text_cols(t));
    int n = text_rows(e);
    while (n > 1 && row_empty(e, n - 1))
        n--;
    return head_rows(t, i) + (n ? n : 1);
}

/* ---- the view ----------------------------------------------------------------------------- */

/* The place `rows` rows before the end, or the beginning. */
static struct place place_before_end(struct transcript *t, int rows)
{
    for (int i = t->n - 1; i >= 0; i--) {
        int n = entry_rows(t, i);
        if (n >= rows)
            return (struct place){i, n - rows};
        rows -= n;
    }
    return (struct place){0, 0};
}

static struct place view_top(struct transcript *t)
{
    if (t->stick || !t->n)
        return place_before_end(t, t->rows);
    struct place p = t->top;
    int n = entry_rows(t, p.entry);
    if (p.row >= n)
        p.row = n - 1;
    return p;
}

static int rows_from(struct transcript *t, struct place p)
{
    long long rows = -(long long)p.row;
    for (int i = p.entry; i < t->n; i++)
        rows += entry_rows(t, i);
    return rows > INT_MAX ? INT_MAX : (int)rows;
}

int transcript_below(struct transcript *t)
{
    if (t->stick || !t->n || !t->cols)
        return 0;
    int below = rows_from(t, view_top(t)) - t->rows;
    return below > 0 ? below : 0;
}

/* The place `rows` rows before p, or the beginning. */
static struct place place_before(struct transcript *t, struct place p, int rows)
{
    while (rows > p.row && p.entry > 0) {
        rows -= p.row;
        p.entry--;
        p.row = entry_rows(t, p.entry);
    }
    p.row = rows < p.row ? p.row - rows : 0;
    return p;
}

static void view_to(struct transcript *t, struct place p)
{
    t->stick = false;
    t->top = p;
    if (!transcript_below(t))
        t->stick = true;
}

static void scroll_back(struct transcript *t, int rows)
{
    t->top = place_before(t, view_top(t), rows);
    t->stick = false;
}

static void scroll_forward(struct transcript *t, int rows)
{
    if (rows >= transcript_below(t)) {
        t->stick = true;
        return;
    }
    struct place p = view_top(t);
    for (int n = entry_rows(t, p.entry); rows >= n - p.row; n = entry_rows(t, p.entry)) {
        rows -= n - p.row;
        p = (struct place){p.entry + 1, 0};
    }
    p.row += rows;
    t->top = p;
}

void transcript_scroll(struct transcript *t, int rows)
{
    if (!t->n || !t->cols)
        return;
    if (rows > 0)
        scroll_forward(t, rows);
    else if (rows < 0)
        scroll_back(t, rows == INT_MIN ? INT_MAX : -rows);
    if (!transcript_below(t))
        t->stick = true;
}

void transcript_to(struct transcript *t, bool end)
{
    t->stick = end;
    t->top = (struct place){0, 0};
    if (!end && !transcript_below(t))
        t->stick = true;
}

bool transcript_turn(struct transcript *t, int step)
{
    if (!t->n || !t->cols)
        return false;
    struct place top = view_top(t), now;
    int i = top.entry;
    if (step > 0 || top.row <= gap_rows(t, i))
        i += step;
    while (i >= 0 && i < t->n && t->entry[i].kind != ENTRY_USER)
        i += step;
    if (i < t->n)
        view_to(t, i < 0 ? (struct place){0, 0} : (struct place){i, gap_rows(t, i)});
    else
        transcript_to(t, true);
    now = view_top(t);
    return now.entry != top.entry || now.row != top.row;
}

int transcript_question(struct transcript *t)
{
    int number = -1;
    int last = t->n && t->cols && !t->stick ? view_top(t).entry : t->n - 1;
    for (int i = 0; i < t->n && (i <= last || number < 0); i++)
        number += t->entry[i].kind == ENTRY_USER;
    return number;
}

/* Takes the new size. A view that is not the end stays at the text it shows first. */
static void view_resize(struct transcript *t, int rows, int cols)
{
    bool anchored = !t->stick && t->n && t->cols && t->cols != cols;
    size_t at = 0;
    struct place p = {0, 0};
    if (anchored) {
        p = view_top(t);
        struct entry *e = &t->entry[p.entry];
        int k = p.row - head_rows(t, p.entry);
        at = !is_folded(t, e) && k > 0 && k < text_rows(e) ? row_source(e, k) : 0;
    }
    t->rows = rows;
    t->cols = cols;
    if (anchored) {
        struct entry *e = &t->entry[p.entry];
        int head = head_rows(t, p.entry), n = entry_rows(t, p.entry) - head;
        for (p.row = 0; at && p.row + 1 < n && row_source(e, p.row + 1) <= at;)
            p.row++;
        t->top = (struct place){p.entry, at ? head + p.row : 0};
    }
    if (!transcript_below(t))
        t->stick = true;
}

/* ---- searching ---------------------------------------------------------------------------- */

static bool is_searched(const struct transcript *t, int i)
{
    const struct entry *e = &t->entry[i];
    return is_folded(t, e) ? e->searched == SIZE_MAX : e->searched == e->raw.bytes;
}

/* Looks into the entries that have changed, and those behind them. */
static void find_update(struct transcript *t)
{
    int i = 0;
    if (!t->find.folded.bytes)
        return;
    while (i < t->n && is_searched(t, i))
        i++;
    find_cut(&t->find, i);
    for (; i < t->n; i++) {
        struct entry *e = &t->entry[i];
        bool folded = is_folded(t, e);
        if (!folded)
            find_add(&t->find, i, buf_text(&e->raw), e->raw.bytes, e->md != NULL);
        e->searched = folded ? SIZE_MAX : e->raw.bytes;
    }
    if (t->hit >= t->find.n)
        t->hit = t->find.n - 1;
}

static bool row_holds(const struct entry *e, int k, size_t at)
{
    if (!e->md)
        return e->row[k].start <= at && at < e->row[k].start + e->row[k].bytes;
    const struct row *r = markdown_row(e->md, k);
    for (int i = 0; i < (int)r->n_run; i++) {
        const struct run *run = markdown_run(e->md, r, i);
        if (!run->own && run->at <= at && at < run->at + run->bytes)
            return true;
    }
    return false;
}

/* Where a byte of an entry is shown, or what stands before it. */
static struct place place_of(struct transcript *t, int i, size_t at)
{
    struct entry *e = &t->entry[i];
    int n = entry_rows(t, i) - head_rows(t, i), best = 0;
    for (int k = 0; k < n && k < text_rows(e); k++) {
        if (row_holds(e, k, at))
            return (struct place){i, head_rows(t, i) + k};
        if (row_source(e, k) <= at)
            best = k;
    }
    return (struct place){i, head_rows(t, i) + best};
}

void transcript_show(struct transcript *t, int entry, size_t at)
{
    if (entry < 0 || entry >= t->n || !t->cols)
        return;
    struct place p = place_of(t, entry, at), top = view_top(t);
    int above = rows_from(t, top) - rows_from(t, p);
    if (above < 0 || above >= t->rows)
        view_to(t, place_before(t, p, t->rows / 3));
}

static void show_hit(struct transcript *t)
{
    if (t->hit >= 0)
        transcript_show(t, t->find.hit[t->hit].entry, t->find.hit[t->hit].at);
}

void transcript_find(struct transcript *t, const char *text, size_t bytes)
{
    struct place top = t->n && t->cols ? view_top(t) : (struct place){0, 0};
    find_set(&t->find, text, bytes);
    for (int i = 0; i < t->n; i++)
        t->entry[i].searched = SIZE_MAX - 1;
    t->hit = -1;
    find_update(t);
    if (!t->find.n)
        return;
    struct entry *e = &t->entry[top.entry];
    int k = top.row - head_rows(t, top.entry);
    size_t at = !is_folded(t, e) && k > 0 && k < text_rows(e) ? row_source(e, k) : 0;
    t->hit = find_from(&t->find, top.entry, at);
    if (t->hit == t->find.n)
        t->hit = 0;
    show_hit(t);
}

void transcript_find_next(struct transcript *t, bool forward)
{
    find_update(t);
    if (!t->find.n)
        return;
    t->hit = (t->hit + (forward ? 1 : t->find.n - 1)) % t->find.n;
    show_hit(t);
}

int transcript_found(struct transcript *t, int *now)
{
    find_update(t);
    *now = t->hit + 1;
    return t->find.n;
}

/* ---- drawing ------------------------------------------------------------------------------ */

static void put_text(struct grid *g, int row, int col, int cols, enum style s, const char *text,
                     size_t bytes)
{
    struct buf shown = {0};
    text_display(&shown, text, bytes);
    grid_put(g, row, col, cols, s, buf_text(&shown), shown.bytes);
    buf_release(&shown);
}

/* Where one row is drawn. */
struct strip {
    int row, col, cols;
};

/* A line that heads what follows: "## Plan", "**Plan**", "Step 2:". Without its signs. */
static bool is_heading(const char **line, size_t *bytes)
{
    enum { HEADING_MAX = 80 };
    const char *s = *line;
    size_t n = *bytes;
    if (n < 2 || n > HEADING_MAX)
        return false;
    size_t signs = 0;
    while (signs < n && s[signs] == '#')
        signs++;
    bool head = signs && signs < n && s[signs] == ' ';
    if (!head && memcmp(s, "**", 2) != 0 && s[n - 1] != ':')
        return false;
    while (n && strchr("#* ", *s))
        s++, n--;
    while (n && strchr("*: ", s[n - 1]))
        n--;
    *line = s;
    *bytes = n;
    return n > 0;
}

/* The last heading of a text; 0 bytes: it has none. */
static size_t last_heading(const struct buf *text, const char **out)
{
    size_t end = text->bytes;
    while (end) {
        size_t at = end;
        while (at && text->data[at - 1] != '\n')
            at--;
        size_t n = end - at;
        *out = text->data + at;
        if (is_heading(out, &n))
            return n;
        end = at ? at - 1 : 0;
    }
    return 0;
}

static void draw_folded(const struct transcript *t, const struct entry *e, struct grid *g,
                        const struct strip *at)
{
    const char *sign = t->ascii ? "> " : "▸ ", *text = e->summary ? e->summary : "thinking";
    int n = grid_put(g, at->row, at->col, at->cols, STYLE_THINK, sign, strlen(sign));
    struct buf line = {0};
    const char *heading;
    size_t bytes = last_heading(&e->raw, &heading);
    buf_puts(&line, text);
    if (bytes) {
        buf_puts(&line, t->ascii ? " - " : " · ");
        buf_append(&line, heading, bytes);
    }
    put_text(g, at->row, at->col + n, at->cols - n, STYLE_THINK, buf_text(&line), line.bytes);
    buf_release(&line);
}

/* A row being drawn. */
struct pen {
    struct grid *g;
    struct strip at;
    int cells;  /* drawn so far */
    int indent; /* cells before its text */
};

static void pen_put(struct pen *p, enum style s, const char *text, size_t bytes)
{
    struct buf shown = {0};
    int tab = p->cells > p->indent ? p->cells - p->indent : 0;
    text_display_from(&shown, text, bytes, tab);
    p->cells += grid_put(p->g, p->at.row, p->at.col + p->cells, p->at.cols - p->cells, s,
                         buf_text(&shown), shown.bytes);
    buf_release(&shown);
}

/* Bytes [at, end) of the text of entry i, with the marks in it. */
static void pen_put_marked(struct pen *p, const struct transcript *t, int i, enum style s,
                           size_t at, size_t end)
{
    const char *text = buf_text(&t->entry[i].raw);
    for (int k = 0; k < t->n_mark && at < end; k++) {
        const struct stretch *m = &t->mark[k];
        size_t a = m->at > at ? m->at : at, b = m->at + m->bytes < end ? m->at + m->bytes : end;
        if (m->entry != i || a >= b)
            continue;
        pen_put(p, s, text + at, a - at);
        pen_put(p, m->style, text + a, b - a);
        at = b;
    }
    pen_put(p, s, text + at, end > at ? end - at : 0);
}

/* The same with the hits too, which come before marks. */
static void pen_put_text(struct pen *p, const struct transcript *t, int i, enum style s, size_t at,
                         size_t end)
{
    const char *text = buf_text(&t->entry[i].raw);
    int k = find_from(&t->find, i, at);
    if (k > 0 && t->find.hit[k - 1].entry == i)
        k--; /* it may reach into the piece */
    for (; at < end && k < t->find.n && t->find.hit[k].entry == i; k++) {
        const struct hit *h = &t->find.hit[k];
        size_t a = h->at > at ? h->at : at, b = h->at + h->bytes < end ? h->at + h->bytes : end;
        if (a >= b)
            continue;
        pen_put_marked(p, t, i, s, at, a);
        pen_put(p, k == t->hit ? STYLE_MATCH_NOW : STYLE_MATCH, text + a, b - a);
        at = b;
    }
    pen_put_marked(p, t, i, s, at, end);
}

/* Row k of an answer. */
static void draw_runs(const struct transcript *t, int i, int k, struct pen *p)
{
    const struct entry *e = &t->entry[i];
    const struct row *r = markdown_row(e->md, k);
    p->indent = r->indent;
    for (int n = 0; n < (int)r->n_run; n++) {
        const struct run *run = markdown_run(e->md, r, n);
        if (run->own)
            pen_put(p, (enum style)run->style, markdown_text(e->md, run), run->bytes);
        else
            pen_put_text(p, t, i, (enum style)run->style, run->at, run->at + run->bytes);
    }
}

/* Row k of entry i. */
static void draw_row(const struct transcript *t, int i, int k, struct grid *g, struct strip at)
{
    struct entry *e = &t->entry[i];
    int gap = gap_rows(t, i), head = head_rows(t, i);
    if (k == gap)
        put_text(g, at.row, at.col, at.cols, e->label_style, e->label, strlen(e->label));
    k -= head;
    if (k < 0)
        return;
    at.col += indent_of(t);
    at.cols -= indent_of(t);
    if (is_folded(t, e)) {
        draw_folded(t, e, g, &at);
        return;
    }
    if (k >= text_rows(e))
        return;
    struct pen p = {.g = g, .at = at};
    if (e->md) {
        draw_runs(t, i, k, &p);
        return;
    }
    const struct plain_row *r = &e->row[k];
    pen_put_text(&p, t, i, r->code ? STYLE_CODE : kind_style[e->kind], r->start,
                 r->start + r->bytes);
}

void transcript_draw(struct transcript *t, struct grid *g, int row, int col, int rows, int cols)
{
    if (rows < 1 || cols < 1)
        return;
    view_resize(t, rows, cols);
    find_update(t);
    struct place p = view_top(t);
    for (int shown = 0; p.entry < t->n && shown < rows; p = (struct place){p.entry + 1, 0})
        for (int n = entry_rows(t, p.entry); p.row < n && shown < rows; p.row++, shown++)
            draw_row(t, p.entry, p.row, g, (struct strip){row + shown, col, cols});
}

/* ---- entries ------------------------------------------------------------------------------ */

struct transcript *transcript_new(void)
{
    struct transcript *t = mem_new(sizeof *t);
    t->stick = t->folded = true;
    t->hit = -1;
    return t;
}

static void entry_release(struct entry *e)
{
    free(e->label);
    free(e->summary);
    free(e->row);
    markdown_free(&e->md);
    buf_release(&e->raw);
}

void transcript_free(struct transcript **t)
{
    if (!*t)
        return;
    transcript_clear(*t);
    find_release(&(*t)->find);
    free((*t)->entry);
    free((*t)->mark);
    free(*t);
    *t = NULL;
}

void transcript_clear(struct transcript *t)
{
    transcript_cut(t, 0);
}

int transcript_add(struct transcript *t, enum entry_kind kind, const char *label,
                   enum style label_style)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->entry = mem_grow(t->entry, (size_t)t->cap * sizeof *t->entry);
    }
    t->entry[t->n] = (struct entry){.kind = kind, .label_style = label_style,
                                    .label = mem_dup(label),
                                    .md = kind == ENTRY_ANSWER ? markdown_new() : NULL};
    return t->n++;
}

void transcript_append(struct transcript *t, int i, const char *text, size_t bytes)
{
    assert(i >= 0 && i < t->n);
    t->ended = false;
    buf_append(&t->entry[i].raw, text, bytes);
}

void transcript_end(struct transcript *t)
{
    t->ended = true;
}

void transcript_summary(struct transcript *t, int i, const char *text)
{
    assert(i >= 0 && i < t->n);
    free(t->entry[i].summary);
    t->entry[i].summary = mem_dup(text);
}

void transcript_trim(struct transcript *t, int i, char sign)
{
    struct entry *e = &t->entry[i];
    assert(i >= 0 && i < t->n && e->kind == ENTRY_NOTE);
    char *at = e->raw.bytes ? memchr(e->raw.data, sign, e->raw.bytes) : NULL;
    if (!at)
        return;
    e->raw.bytes = (size_t)(at - e->raw.data);
    *at = 0;
    e->cols = e->n_rows = 0; /* it is wrapped anew, and looked into */
    e->searched = SIZE_MAX - 1;
}

void transcript_mark_thoughts(struct transcript *t, int from, const char *mark)
{
    size_t n = strlen(mark);
    for (int i = from; i < t->n; i++) {
        struct buf text = {0};
        const char *line = t->entry[i].summary;
        size_t bytes = line ? strlen(line) : 0;
        if (t->entry[i].kind != ENTRY_THINKING ||
            (bytes >= n && strcmp(line + bytes - n, mark) == 0))
            continue;
        buf_printf(&text, "%s%s", line ? line : "", mark);
        transcript_summary(t, i, buf_text(&text));
        buf_release(&text);
    }
}

void transcript_fold(struct transcript *t, bool folded)
{
    t->folded = folded;
    for (int i = 0; i < t->n; i++)
        t->entry[i].other = false;
}

bool transcript_point(struct transcript *t, int row)
{
    struct place p = view_top(t);
    for (int rows = row + p.row; p.entry < t->n; p.entry++) {
        struct entry *e = &t->entry[p.entry];
        int n = entry_rows(t, p.entry);
        if (rows >= n) {
            rows -= n;
            continue;
        }
        if (e->kind != ENTRY_THINKING || !e->summary || rows < gap_rows(t, p.entry))
            return false;
        e->other = !e->other;
        return true;
    }
    return false;
}

bool transcript_thoughts(const struct transcript *t)
{
    for (int i = 0; i < t->n; i++)
        if (t->entry[i].kind == ENTRY_THINKING)
            return true;
    return false;
}

bool transcript_folded(const struct transcript *t)
{
    return t->folded;
}

void transcript_ascii(struct transcript *t, bool ascii)
{
    t->ascii = ascii;
}

int transcript_count(const struct transcript *t)
{
    return t->n;
}

void transcript_cut(struct transcript *t, int n)
{
    assert(n >= 0);
    while (t->n > n)
        entry_release(&t->entry[--t->n]);
    if (t->top.entry >= t->n)
        t->stick = true;
    while (t->n_mark > 0 && t->mark[t->n_mark - 1].entry >= n)
        t->n_mark--;
    find_cut(&t->find, n);
    if (t->hit >= t->find.n)
        t->hit = t->find.n - 1;
}

void transcript_mark(struct transcript *t, const struct stretch *s, int n)
{
    free(t->mark);
    t->mark = NULL;
    t->n_mark = n;
    if (n == 0)
        return;
    t->mark = mem_new((size_t)n * sizeof *t->mark);
    memcpy(t->mark, s, (size_t)n * sizeof *t->mark);
}

int transcript_part(const struct transcript *t, int k)
{
    int i = t->n - 1;
    while (i >= 0 && t->entry[i].kind != ENTRY_USER)
        i--;
    for (i++; i < t->n; i++) {
        enum entry_kind kind = t->entry[i].kind;
        if ((kind == ENTRY_ANSWER || kind == ENTRY_THINKING) && k-- == 0)
            return i;
    }
    return -1;
}

/* ---- copying ------------------------------------------------------------------------------ */

bool transcript_answer(const struct transcript *t, struct buf *out)
{
    int last = t->n - 1, first;
    while (last >= 0 && t->entry[last].kind != ENTRY_ANSWER)
        last--;
    for (first = last; first > 0 && t->entry[first - 1].kind != ENTRY_USER;)
        first--;
    for (int i = first < 0 ? 0 : first; i <= last; i++)
        if (t->entry[i].kind == ENTRY_ANSWER)
            buf_append(out, buf_text(&t->entry[i].raw), t->entry[i].raw.bytes);
    return last >= 0;
}

bool transcript_turn_text(const struct transcript *t, int i, struct buf *out)
{
    int at = 0;
    for (; at < t->n && (t->entry[at].kind != ENTRY_USER || i-- > 0); at++)
        ;
    if (at == t->n)
        return false;
    buf_append(out, buf_text(&t->entry[at].raw), t->entry[at].raw.bytes);
    buf_puts(out, "\n");
    for (at++; at < t->n && t->entry[at].kind != ENTRY_USER; at++)
        if (t->entry[at].kind == ENTRY_ANSWER) {
            buf_puts(out, "\n");
            buf_append(out, buf_text(&t->entry[at].raw), t->entry[at].raw.bytes);
        }
    return true;
}

/* The entry of the last row that is shown. */
static int view_last(struct transcript *t)
{
    struct place p = view_top(t);
    int rows = t->rows + p.row;
    while (p.entry + 1 < t->n && (rows -= entry_rows(t, p.entry)) > 0)
        p.entry++;
    return p.entry;
}

static bool entry_code(struct transcript *t, int i, int n, struct buf *out)
{
    int first, last;
    if (!t->entry[i].md)
        return false;
    entry_layout(t, i, text_cols(t));
    markdown_codes(t->entry[i].md, &first, &last);
    if (n < first || n > last)
        return false;
    markdown_code(t->entry[i].md, n, out);
    return true;
}

bool transcript_code(struct transcript *t, int n, struct buf *out)
{
    if (!t->n || !t->cols)
        return false;
    int shown = view_last(t);
    for (int i = shown; i >= 0; i--)
        if (entry_code(t, i, n, out))
            return true;
    for (int i = shown + 1; i < t->n; i++)
        if (entry_code(t, i, n, out))
            return true;
    return false;
}

/* The same wrapped between words; line ends are kept. */
static void put_wrapped(struct buf *out, const char *text, size_t bytes, int cols)
{
    struct wrap_row w = {.more = bytes > 0};
    while (w.more && w.next < bytes) {
        wrap_row(text, bytes, w.next, cols, WRAP_WORDS, &w);
        text_display(out, text + w.start, w.bytes);
        buf_puts(out, "\n");
    }
}

/* Fit to be sent to a terminal, line ends kept. */
static void put_plain(struct buf *out, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - text) - at : bytes - at;
        text_display(out, text + at, n && text[at + n - 1] == '\r' ? n - 1 : n);
        buf_puts(out, "\n");
        at += n + 1;
    }
}

void transcript_plain(const struct transcript *t, int cols, struct buf *out)
{
    for (int i = 0; i < t->n; i++) {
        const struct entry *e = &t->entry[i];
        if (is_folded(t, e))
            continue;
        if (out->bytes)
            buf_puts(out, "\n");
        if (*e->label) {
            text_display(out, e->label, strlen(e->label));
            buf_puts(out, e->kind == ENTRY_THINKING ? " thinks:\n" : ":\n");
        }
        if (cols > 0 && (e->kind == ENTRY_NOTE || e->kind == ENTRY_ERROR))
            put_wrapped(out, buf_text(&e->raw), e->raw.bytes, cols);
        else
            put_plain(out, buf_text(&e->raw), e->raw.bytes);
    }
}
