/* boundary.c -- see boundary.h.
 *
 * A line at the first column behind a blank line closes all that was open before, unless it goes
 * on with a list; a fence at the first column closes it in any case. Fences inside lists are
 * where guessing could go wrong. As long as only plain items are met, the open ones are known, and
 * with them where a fence ends. Behind anything else (quotations, tabs, items in items on one
 * line, a paragraph that may go on further left) such a fence counts as closed only when its end
 * stands exactly below its beginning and nothing between them stood further left, for then all
 * readings agree; else nothing is safe any more. */
#include "ui/boundary.h"

#include <string.h>

enum { FENCE_MIN = 3, TAB = 4, DIGITS_MAX = 9, ITEMS_MAX = 16, LABEL_MAX = 900 };

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
    bool tab;          /* there is one in its blanks */
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
    for (; l.bytes && (*l.text == ' ' || *l.text == '\t'); l.text++, l.bytes--) {
        l.tab = l.tab || *l.text == '\t';
        l.indent = *l.text == ' ' ? l.indent + 1 : l.indent / TAB * TAB + TAB;
    }
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

/* What is known of the piece so far. While `sure`, `item` holds exactly the items that are open:
 * then a fence is known to end where its item does, however its lines stand. */
struct scan {
    bool blank;       /* the line before was blank */
    bool text;        /* the line before may have been part of a paragraph */
    bool list;        /* there may be a list */
    bool lost;        /* nothing is safe any more */
    bool sure;
    unsigned item[ITEMS_MAX]; /* [n_item] columns where the text of the open items begins */
    int n_item;
    char sign;        /* a fence inside the piece, 0 = none is open */
    unsigned count, indent;
    int depth;        /* items around it, if it was sure there */
    bool exact;       /* it was */
    bool bracket;     /* a line has begun with '[': a link definition may follow */
};

/* How many of the open items a line of this indent belongs to. */
static int items_of(const struct scan *s, unsigned indent)
{
    int n = 0;
    while (n < s->n_item && indent >= s->item[n])
        n++;
    return n;
}

static unsigned base_of(const struct scan *s, int depth)
{
    return depth ? s->item[depth - 1] : 0;
}

/* The marker of an item, its bytes; 0 = it is none for certain. */
static size_t marker_bytes(const struct line *l)
{
    size_t n = 0;
    while (n < l->bytes && n <= DIGITS_MAX && l->text[n] >= '0' && l->text[n] <= '9')
        n++;
    bool ordered = n && n <= DIGITS_MAX && n < l->bytes && (l->text[n] == '.' || l->text[n] == ')');
    if (n && !ordered)
        return 0;
    if (!n && (!l->bytes || (*l->text != '-' && *l->text != '+' && *l->text != '*')))
        return 0;
    n++;
    return n == l->bytes || is_blank(l->text[n]) ? n : 0;
}

/* Nothing but signs of one kind and blanks: a rule, perhaps. */
static bool one_sign(const struct line *l)
{
    for (size_t i = 0; i < l->bytes; i++)
        if (l->text[i] != *l->text && !is_blank(l->text[i]))
            return false;
    return true;
}

/* An item begins in `depth` others. What is uncommon makes the rest unsure. */
static void scan_item(struct scan *s, const struct line *l, size_t marker, int depth)
{
    size_t n = marker;
    while (n < l->bytes && l->text[n] == ' ')
        n++;
    struct line rest = {.text = l->text + n, .bytes = l->bytes - n};
    bool first = marker == 1 || (marker == 2 && *l->text == '1');
    bool plain = n < l->bytes && n - marker <= TAB && *rest.text != '\t' && *rest.text != '>' &&
                 !marker_bytes(&rest) && !fence_of(&rest).sign && depth < ITEMS_MAX && !one_sign(l);
    if (!plain || (s->text && !s->n_item && !first)) {
        s->sure = false;
        return;
    }
    s->n_item = depth;
    s->item[s->n_item++] = l->indent + (unsigned)n;
}

/* Keeps the open items, for a line outside of a fence. */
static void scan_items(struct scan *s, const struct line *l)
{
    int depth = items_of(s, l->indent);
    bool near = l->indent - base_of(s, depth) < TAB, fence = near && fence_of(l).sign;
    size_t marker = near ? marker_bytes(l) : 0;
    if (*l->text == '>' || l->tab || (!near && depth < s->n_item) ||
        (depth < s->n_item && s->text && !marker && !fence))
        s->sure = false; /* a quotation, or the paragraph of the item may go on */
    else if (marker)
        scan_item(s, l, marker, depth);
    else
        s->n_item = depth;
}

static void scan_fence(struct scan *s, const struct line *l)
{
    struct fence f = fence_of(l);
    if (!f.sign)
        return;
    s->exact = s->sure;
    s->depth = s->n_item;
    if (s->sure && l->indent - base_of(s, s->depth) >= TAB) {
        s->lost = s->lost || !s->blank; /* md4c lets it interrupt a paragraph */
        return;
    }
    if (!s->list && l->indent >= TAB) {
        s->lost = s->lost || !s->blank;
        return;
    }
    s->sign = f.sign;
    s->count = f.count;
    s->indent = l->indent;
}

/* A line while a fence inside the piece is open that is known to lie in these items. True: it
 * closes them, and is to be looked at as any other. */
static bool scan_exact(struct scan *s, const struct line *l)
{
    unsigned base = base_of(s, s->depth);
    if (l->tab) {
        s->exact = s->sure = false;
        s->lost = s->lost || s->list;
        return false;
    }
    bool end = closes(l, s->sign, s->count), left = l->indent < base;
    bool other = left && !end && (*l->text == '`' || *l->text == '~');
    s->lost = s->lost || other; /* what md4c 0.4.8 makes of it hangs on the fence */
    if (left)
        s->n_item = items_of(s, l->indent);
    if (left || (end && l->indent - base < TAB))
        s->sign = 0;
    s->text = false;
    return left && !end; /* md4c lets the end of a fence stand further left */
}

/* A line while a fence inside the piece is open. */
static void scan_inside(struct scan *s, const struct line *l)
{
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
    bool item = may_be_item(l) || *l->text == '>';
    if (s->sure)
        scan_items(s, l);
    if (item) {
        s->list = true;
        s->lost = s->lost || holds(l, "```") || holds(l, "~~~");
    } else {
        scan_fence(s, l);
    }
    s->text = true;
}

/* What stands behind the signs of quotations and items. */
static char first_sign(const struct line *l)
{
    size_t i = 0;
    while (i < l->bytes && (strchr(">-+*.) \t", l->text[i]) ||
                            (l->text[i] >= '0' && l->text[i] <= '9')))
        i++;
    return i < l->bytes ? l->text[i] : 0;
}

void boundary_find(const char *text, size_t bytes, struct boundary *b)
{
    struct scan s = {.blank = true, .sure = true};
    *b = (struct boundary){.end = bytes};
    for (size_t at = 0; at < bytes;) {
        struct line l = line_at(text + at, bytes - at);
        bool inside = s.sign && l.bytes;
        if (inside && s.exact)
            inside = !scan_exact(&s, &l);
        else if (inside)
            scan_inside(&s, &l);
        bool first = !l.indent && l.bytes, fence = first && fence_of(&l).sign;
        bool apart = s.blank && first && !s.sign && !(s.list && may_be_item(&l));
        if (at && !s.lost && !inside && ((fence && !s.sign) || apart)) {
            b->end = at;
            b->safe = apart || l.ended;
            return;
        }
        s.bracket = s.bracket || first_sign(&l) == '[';
        b->definition = b->definition || (s.bracket && holds(&l, "]:"));
        if (!inside && l.bytes)
            scan_line(&s, &l);
        s.blank = !l.bytes && l.ended;
        s.text = s.text && !s.blank;
        at += l.next;
    }
}

/* ---- link definitions --------------------------------------------------------------------- */

/* What may stand in the three parts of a plain definition. */
static bool is_label(char c)
{
    return c != '[' && c != ']' && c != '\\';
}

static bool is_address(char c)
{
    return (unsigned char)c > ' ' && c != '<' && c != '>' && c != '\\' && c != '(' && c != ')' &&
           c != 0x7F;
}

static bool is_title(char c)
{
    return c != '"' && c != '\\';
}

/* The length of what passes, from `at` on. */
static size_t span(const struct line *l, size_t at, bool (*passes)(char))
{
    size_t n = 0;
    while (at + n < l->bytes && passes(l->text[at + n]))
        n++;
    return n;
}

/* "[label]: address" and perhaps a title in quotes. PART: it may become one. */
enum plain { PLAIN_NO, PLAIN_PART, PLAIN_YES };

static enum plain plain_definition(const struct line *l)
{
    const char *t = l->text;
    size_t label = l->bytes ? span(l, 1, is_label) : 0, at = 1 + label, n;
    bool said = false;
    if (!l->bytes || *t != '[' || label > LABEL_MAX)
        return PLAIN_NO;
    for (size_t i = 1; i < at; i++)
        said = said || !is_blank(t[i]);
    for (const char *p = "]:"; *p; p++, at++)
        if (at >= l->bytes)
            return PLAIN_PART;
        else if (t[at] != *p || !said)
            return PLAIN_NO;
    at += span(l, at, is_blank);
    n = span(l, at, is_address);
    at += n;
    if (at == l->bytes)
        return n ? PLAIN_YES : PLAIN_PART;
    at += span(l, at, is_blank);
    if (at == l->bytes)
        return n ? PLAIN_YES : PLAIN_NO;
    if (!n || t[at] != '"' || !is_blank(t[at - 1]))
        return PLAIN_NO;
    at += 1 + span(l, at + 1, is_title);
    if (at >= l->bytes)
        return PLAIN_PART;
    if (t[at] != '"')
        return PLAIN_NO;
    at++;
    at += span(l, at, is_blank);
    return at == l->bytes ? PLAIN_YES : PLAIN_NO;
}

size_t boundary_definition(const char *text, size_t bytes, bool last, bool *decided)
{
    struct line l = line_at(text, bytes);
    enum plain p = l.indent ? PLAIN_NO : plain_definition(&l);
    *decided = last;
    if (p == PLAIN_NO || (p == PLAIN_PART && (l.ended || last)))
        return 0;
    if (!l.ended || l.next == bytes)
        return l.next;
    struct line after = line_at(text + l.next, bytes - l.next);
    if (after.bytes && strchr("\"'(", *after.text))
        return 0; /* a title, perhaps */
    *decided = after.bytes || after.ended;
    return l.next;
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
