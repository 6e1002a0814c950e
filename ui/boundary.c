/* boundary.c -- see boundary.h.
 *
 * A line at the first column behind a blank line closes all that was open before, unless it goes
 * on with a list; a fence at the first column closes it in any case. Fences inside lists are
 * where guessing could go wrong: how far their lists reach is not known here. Such a fence counts
 * as closed only when its end stands exactly below its beginning and nothing between them stood
 * further left, for then all readings agree; else nothing is safe any more. */
#include "ui/boundary.h"

#include <string.h>

enum { FENCE_MIN = 3, TAB = 4, DIGITS_MAX = 9 };

size_t boundary_line(const char *text, size_t bytes, bool *ended)
{
    size_t n = 0;
    while (n < bytes && text[n] != '\n' && text[n] != '\r')
        n++;
    *ended = n < bytes;
    if (*ended)
        n += text[n] == '\r' && n + 1 < bytes && text[n + 1] == '\n' ? 2 : 1;
    return n;
}

struct line {
    const char *text;  /* behind its blanks */
    size_t bytes;      /* without the line end */
    unsigned indent;
    bool ended;
    size_t next;       /* the length with blanks and line end */
};

static struct line line_at(const char *text, size_t bytes)
{
    struct line l = {.text = text};
    l.next = boundary_line(text, bytes, &l.ended);
    l.bytes = l.next;
    while (l.bytes && (text[l.bytes - 1] == '\n' || text[l.bytes - 1] == '\r'))
        l.bytes--;
    for (; l.bytes && (*l.text == ' ' || *l.text == '\t'); l.text++, l.bytes--)
        l.indent = *l.text == ' ' ? l.indent + 1 : l.indent / TAB * TAB + TAB;
    return l;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct fence fence_of(const struct line *l)
{
    struct fence f = {.whole = l->ended};
    if (!l->bytes || (*l->text != '`' && *l->text != '~'))
        return f;
    while (f.count < l->bytes && l->text[f.count] == *l->text)
        f.count++;
    f.info = l->text + f.count;
    f.info_bytes = l->bytes - f.count;
    while (f.info_bytes && is_blank(*f.info))
        f.info++, f.info_bytes--;
    while (f.info_bytes && is_blank(f.info[f.info_bytes - 1]))
        f.info_bytes--;
    if (f.count >= FENCE_MIN && !(*l->text == '`' && memchr(f.info, '`', f.info_bytes)))
        f.sign = *l->text;
    return f;
}

static bool closes(const struct line *l, char sign, unsigned count)
{
    struct fence f = fence_of(l);
    return f.sign == sign && f.count >= count && !f.info_bytes;
}

void boundary_fence(const char *text, size_t bytes, struct fence *f)
{
    struct line l = line_at(text, bytes);
    *f = l.indent ? (struct fence){0} : fence_of(&l);
}

bool boundary_closes(const char *text, size_t bytes, const struct fence *f)
{
    struct line l = line_at(text, bytes);
    return l.indent < TAB && closes(&l, f->sign, f->count);
}

/* May the line begin an item of a list, now or when more of it has come? */
static bool may_be_item(const struct line *l)
{
    size_t n = 1;
    if (!l->bytes)
        return false;
    if (*l->text >= '0' && *l->text <= '9') {
        while (n < l->bytes && n < DIGITS_MAX && l->text[n] >= '0' && l->text[n] <= '9')
            n++;
        if (n == l->bytes)
            return true;
        if (l->text[n] != '.' && l->text[n] != ')')
            return false;
        n++;
    } else if (*l->text != '-' && *l->text != '+' && *l->text != '*') {
        return false;
    }
    return n == l->bytes || is_blank(l->text[n]);
}

static bool holds(const struct line *l, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= l->bytes; i++)
        if (memcmp(l->text + i, word, n) == 0)
            return true;
    return false;
}

/* What is known of the piece so far. */
struct scan {
    bool blank;       /* the line before was blank */
    bool list;        /* there may be a list */
    bool lost;        /* nothing is safe any more */
    char sign;        /* a fence inside the piece, 0 = none is open */
    unsigned count, indent;
};

static void scan_fence(struct scan *s, const struct line *l)
{
    struct fence f = fence_of(l);
    if (!f.sign)
        return;
    if (!s->list && l->indent >= TAB) {
        s->lost = s->lost || !s->blank; /* md4c lets it interrupt a paragraph */
        return;
    }
    s->sign = f.sign;
    s->count = f.count;
    s->indent = l->indent;
}

/* A line while a fence inside the piece is open. */
static void scan_inside(struct scan *s, const struct line *l)
{
    if (!l->bytes)
        return;
    bool end = closes(l, s->sign, s->count);
    if (!s->list) {
        if (end && l->indent < TAB)
            s->sign = 0;
    } else if (end && l->indent == s->indent) {
        s->sign = 0;
    } else if (end || l->indent < s->indent) {
        s->lost = true;
    }
}

static void scan_line(struct scan *s, const struct line *l)
{
    if (may_be_item(l) || (*l->text == '>' && l->bytes)) {
        s->list = true;
        s->lost = s->lost || holds(l, "```") || holds(l, "~~~");
    } else {
        scan_fence(s, l);
    }
}

void boundary_find(const char *text, size_t bytes, struct boundary *b)
{
    struct scan s = {.blank = true};
    *b = (struct boundary){.end = bytes};
    for (size_t at = 0; at < bytes;) {
        struct line l = line_at(text + at, bytes - at);
        bool first = !l.indent && l.bytes, fence = first && fence_of(&l).sign;
        bool apart = s.blank && first && !s.sign && !(s.list && may_be_item(&l));
        if (at && !s.lost && ((fence && !s.sign) || apart)) {
            b->end = at;
            b->safe = apart || l.ended;
            return;
        }
        b->definition = b->definition || holds(&l, "]:");
        if (s.sign)
            scan_inside(&s, &l);
        else if (l.bytes)
            scan_line(&s, &l);
        s.blank = !l.bytes && l.ended;
        at += l.next;
    }
}

size_t boundary_unsure(const char *text, size_t bytes)
{
    size_t at = bytes;
    while (at && text[at - 1] != '\n' && text[at - 1] != '\r')
        at--;
    struct line l = line_at(text + at, bytes - at);
    if (!l.bytes || l.ended || l.indent >= TAB)
        return bytes;
    for (size_t i = 0; i < l.bytes; i++)
        if (!strchr("-=*+#>`~ ", l.text[i]) || !l.text[i])
            return bytes;
    return at;
}
