/* wrap.c -- see wrap.h. */
#include "ui/wrap.h"

#include <assert.h>
#include <string.h>

#include "ui/text.h"

static size_t line_end(const char *s, size_t bytes)
{
    if (bytes && s[0] == '\n')
        return 1;
    return bytes > 1 && s[0] == '\r' && s[1] == '\n' ? 2 : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Only the first character of a cluster counts, here and below: a mark that arrives later must not
 * move a break that was already made. */
static bool begins_with(const char *s, size_t bytes, const char *const set[])
{
    for (int i = 0; set[i]; i++)
        if (bytes >= strlen(set[i]) && memcmp(s, set[i], strlen(set[i])) == 0)
            return true;
    return false;
}

/* Punctuation that must not begin a row. */
static bool is_closing(const char *s, size_t bytes)
{
    static const char *const set[] = {"、", "。", "，", "．", "！", "？", "：", "；", "）",
                                      "」", "』", "】", "〉", "》", "〕", "］", "｝", ",",
                                      ".",  "!",  "?",  ":",  ";",  ")",  "]",  "}",  NULL};
    return begins_with(s, bytes, set);
}

/* Punctuation that must not end a row. */
static bool is_opening(const char *s, size_t bytes)
{
    static const char *const set[] = {"（", "「", "『", "【", "〈", "《", "〔", "［", "｛", NULL};
    return begins_with(s, bytes, set);
}

/* What is known of the row so far. */
struct scan {
    size_t ink;       /* end of the last cluster that is not blank */
    bool brk;         /* the row may end: show up to brk_end, go on at brk_next */
    size_t brk_end, brk_next;
    bool wide, opening; /* the cluster before */
};

static void row_end(struct wrap_row *r, size_t end, size_t next, bool more)
{
    r->bytes = end - r->start;
    r->next = next;
    r->more = more;
}

/* Blanks that no longer fit hang over the edge, and a line end behind them belongs to the row. */
static void row_end_hanging(struct wrap_row *r, const char *text, size_t bytes, size_t ink,
                            size_t at)
{
    while (at < bytes && is_blank(text[at]))
        at++;
    size_t n = line_end(text + at, bytes - at);
    r->line_end = n > 0;
    row_end(r, ink, at + n, n || at < bytes);
}

/* May the row end between the cluster before and the one at i, with no blank between them? */
static void scan_wide(struct scan *s, const char *text, size_t at, size_t i, size_t n)
{
    size_t used;
    bool wide = cell_width(text_decode(text + i, n, &used)) == 2;
    bool may = (wide || s->wide) && !s->opening && !is_closing(text + i, n);
    if (may && i > at && s->ink == i) {
        s->brk = true;
        s->brk_end = s->brk_next = i;
    }
    s->wide = wide;
    s->opening = is_opening(text + i, n);
}

static void scan_blank(struct scan *s, size_t at, size_t next)
{
    if (s->ink > at) {
        s->brk = true;
        s->brk_end = s->ink;
        s->brk_next = next;
    }
    s->wide = s->opening = false;
}

void wrap_row(const char *text, size_t bytes, size_t at, int cols, enum wrap_mode mode,
              struct wrap_row *r)
{
    assert(at <= bytes && cols >= 1);
    *r = (struct wrap_row){.start = at};
    struct scan s = {.ink = at};
    size_t n;
    int col = 0;
    for (size_t i = at; i < bytes; i += n) {
        n = line_end(text + i, bytes - i);
        if (n) {
            r->line_end = true;
            row_end(r, i, i + n, true);
            return;
        }
        n = text_cluster(text + i, bytes - i);
        int w = text_cluster_cells(text + i, n, col);
        bool blank = mode == WRAP_WORDS && is_blank(text[i]);
        if (mode == WRAP_WORDS && !blank)
            scan_wide(&s, text, at, i, n);
        if (col + w > cols && i > at) {
            if (blank)
                row_end_hanging(r, text, bytes, s.ink, i);
            else if (s.brk)
                row_end(r, s.brk_end, s.brk_next, true);
            else
                row_end(r, i, i, true);
            return;
        }
        col += w;
        if (blank)
            scan_blank(&s, at, i + n);
        else
            s.ink = i + n;
    }
    row_end(r, bytes, bytes, false);
}

int wrap_find(const char *text, size_t bytes, size_t offset, int cols, int *row, int *col)
{
    struct wrap_row r = {.more = true};
    int rows = 0;
    *row = *col = 0;
    for (; r.more; rows++) {
        wrap_row(text, bytes, r.next, cols, WRAP_CELLS, &r);
        if (offset < r.start)
            continue;
        size_t in = offset - r.start;
        *row = rows;
        *col = text_cells(text + r.start, in < r.bytes ? in : r.bytes);
    }
    return rows;
}

size_t wrap_offset(const char *text, size_t bytes, int row, int col, int cols)
{
    struct wrap_row r = {.more = true};
    for (int i = 0; i <= row && r.more; i++)
        wrap_row(text, bytes, r.next, cols, WRAP_CELLS, &r);
    size_t at = r.start;
    for (int cells = 0; at < r.start + r.bytes;) {
        size_t n = text_cluster(text + at, r.start + r.bytes - at);
        cells += text_cluster_cells(text + at, n, cells);
        /* The end of a row whose line goes on is the start of the next row. */
        bool last = at + n == r.start + r.bytes && r.more && !r.line_end;
        if (cells > col || last)
            break;
        at += n;
    }
    return at;
}
