/* pattern.c -- see pattern.h. A backtracking matcher; patterns are short and ours, the words are
 * bounded, and no element takes more than a few words, so it stays cheap. */
#include "app/pattern.h"

#include <assert.h>
#include <string.h>

enum { REPEAT_MAX = 6, GAP_MAX = 12, SHAPE_MAX = 24 };

/* An element of a pattern. */
struct element {
    const char *s;
    size_t bytes;
};

struct matcher {
    const struct words *w;
    struct pattern_match *m;
};

static bool match_here(struct matcher *x, const char *pattern, int i);

static bool is_end(const struct words *w, int i)
{
    return i >= w->n || (i > 0 && !words_same(w, i)) || w->word[i].kind == WORD_BREAK;
}

/* True if word i may follow in the match that begins at first: the sentence goes on. */
static bool goes_on(const struct matcher *x, int i)
{
    return i < x->w->n && x->w->word[i].kind != WORD_BREAK &&
           (i == x->m->first || words_same(x->w, i));
}

/* The words that one alternative such as "no_more_than" or "word+" takes from word i; 0: none. */
static int take_alternative(const struct matcher *x, int i, const char *s, size_t bytes)
{
    int taken = 0;
    for (size_t p = 0; p < bytes; taken++) {
        const char *bar = bytes - p > 1 ? memchr(s + p, '_', bytes - p) : NULL;
        size_t n = bar ? (size_t)(bar - (s + p)) : bytes - p;
        bool plural = n > 1 && s[p + n - 1] == '+';
        char many[32];
        size_t stem = n - plural;
        assert(stem + 1 < sizeof many);
        memcpy(many, s + p, stem);
        many[stem] = 's';
        if (!goes_on(x, i + taken) ||
            (!words_equal(x->w, i + taken, many, stem) &&
             !(plural && words_equal(x->w, i + taken, many, stem + 1))))
            return 0;
        p += n + (bar != NULL);
    }
    return taken;
}

static int take_words(const struct matcher *x, int i, struct element e)
{
    for (size_t p = 0; p < e.bytes;) {
        const char *bar = memchr(e.s + p, '|', e.bytes - p);
        size_t n = bar ? (size_t)(bar - (e.s + p)) : e.bytes - p;
        int taken = take_alternative(x, i, e.s + p, n);
        if (taken)
            return taken;
        p += n + (bar != NULL);
    }
    return 0;
}

/* ---- slots: each returns the words it takes, 0 = it does not fit ----------------------------- */

static int take_number(struct matcher *x, int i)
{
    if (!goes_on(x, i) || x->w->word[i].value < 0 || x->w->word[i].kind == WORD_QUOTED)
        return 0;
    if (x->m->n_number == 2)
        return 0;
    x->m->number[x->m->n_number++] = x->w->word[i].value;
    return 1;
}

/* Units, longest names first, and what must not follow: "5 words that rhyme" counts other words
 * than those of the answer. */
static int take_unit(struct matcher *x, int i)
{
    static const char some[] = "that|which|starting|beginning|ending|from|containing|of|per|each";
    static const struct { const char *name; enum piece_unit unit; const char *refuse; } row[] = {
        {"bullet_point+|bulleted_point+|bulleted_item+|bullet_item+|bulleted_line+|bullet+",
            PIECE_BULLET, "each|per"},
        {"numbered_item+|numbered_point+|numbered_step+|numbered_line+|numbered_entries",
            PIECE_NUMBERED, "each|per"},
        {"list_item+|listed_item+", PIECE_ITEM, "each|per"},
        {"paragraph+", PIECE_PARAGRAPH, "of|each|per|from"},
        {"sentence+", PIECE_SENTENCE, "of|each|per|from"},
        {"line+", PIECE_LINE, "of|each|per|from"},
        {"word+", PIECE_WORD, some},
        {"character+", PIECE_CHARACTER, some},
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct element name = {row[k].name, strlen(row[k].name)};
        struct element refuse = {row[k].refuse, strlen(row[k].refuse)};
        int taken = take_words(x, i, name);
        if (taken == 0)
            continue;
        x->m->unit = row[k].unit;
        return take_words(x, i + taken, refuse) ? 0 : taken;
    }
    return 0;
}

static int take_mark_name(struct matcher *x, int i)
{
    static const struct { const char *name, *mark; } row[] = {
        {"question_mark+", "?"}, {"exclamation_mark+|exclamation_point+", "!"},
        {"full_stop+|period+", "."}, {"comma+", ","}, {"semicolon+", ";"}, {"colon+", ":"},
        {"hyphen+", "-"}, {"asterisk+", "*"},
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct element name = {row[k].name, strlen(row[k].name)};
        int taken = take_words(x, i, name);
        if (taken == 0)
            continue;
        x->m->item[0] = (struct pattern_item){row[k].mark, 1};
        x->m->n_item = 1;
        return taken;
    }
    return 0;
}

static bool is_shape_letter(const struct words *w, size_t at)
{
    return at < w->bytes && w->text[at] && strchr("YMDHSymdhs", w->text[at]);
}

/* The bytes of a shape that begins at a place in the text: letters in parts, and nothing more. */
static size_t shape_bytes(const struct words *w, size_t from)
{
    size_t n = 0, letters = 0, parts = 0;
    for (; n < SHAPE_MAX; n++) {
        char c = from + n < w->bytes ? w->text[from + n] : 0;
        if (is_shape_letter(w, from + n))
            letters++;
        else if (n > 0 && c && strchr("-/.:T", c) && is_shape_letter(w, from + n + 1))
            parts++;
        else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
            return 0;
        else
            break;
    }
    return letters >= 4 && parts > 0 ? n : 0;
}

static int take_shape(struct matcher *x, int i)
{
    if (!goes_on(x, i))
        return 0;
    const struct words *w = x->w;
    size_t from = w->word[i].inner, n = shape_bytes(w, from);
    if (n == 0)
        return 0;
    x->m->shape = (struct pattern_item){w->text + from, n};
    int end = i;
    while (end < w->n && w->word[end].at < from + n && w->word[end].kind != WORD_BREAK)
        end++;
    return end - i;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Words that are never an item: where one of them stands, no list of bare words begins, and one
 * that has begun is over. */
static bool is_stop(const struct words *w, int i)
{
    static const char *const row[] = {
        "in|at|and|or|nor|with|for|to|as|of|from|on|by|into|between|before|after|because|like",
        "that|which|whose|where|when|so|somewhere|anywhere|only|but|twice|once|exactly|then",
        "your|each|every|is|are|must|should|not|no|if|please|using|inside|within|all|any|it",
        "this|these|those|them|more|less|fewer|than|least|most|you|me|my|we|do|dont|be|have|has",
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++)
        if (words_any(w, i, row[k]))
            return true;
    return false;
}

/* An article before a noun is no item; the letter "a" is one. */
static bool is_article(const struct words *w, int i)
{
    return words_any(w, i, "an|the") ||
           (words_any(w, i, "a") && i + 1 < w->n && words_same(w, i + 1) &&
            w->word[i + 1].kind == WORD_PLAIN && !words_any(w, i + 1, "and|or|nor"));
}

/* The end of what is one item although it is several words: a compound with hyphens, a fraction. */
static int compound_end(const struct words *w, int last)
{
    size_t end = w->word[last].inner + w->word[last].inner_bytes;
    bool number = w->word[last].kind == WORD_NUMBER;
    if (number && last + 2 < w->n && w->text[end] == '/' && w->word[last + 1].at == end &&
        w->word[last + 2].at == end + 1 && w->word[last + 2].kind == WORD_NUMBER)
        return last + 2;
    while (last + 1 < w->n && w->word[last + 1].kind == WORD_PLAIN &&
           w->word[last + 1].at == end + 1 && w->text[end] == '-') {
        last++;
        end = w->word[last].at + w->word[last].bytes;
    }
    return last;
}

/* One item at word i: quoted, or one bare word. */
static int take_item(struct matcher *x, int i, bool bare)
{
    const struct words *w = x->w;
    if (i >= w->n || x->m->n_item == PATTERN_ITEMS)
        return 0;
    const struct word *first = &w->word[i];
    bool quoted = first->kind == WORD_QUOTED;
    if (!quoted && (!bare || (first->kind != WORD_PLAIN && first->kind != WORD_NUMBER)))
        return 0;
    if ((!quoted && (is_stop(w, i) || is_article(w, i))) ||
        first->inner_bytes > PATTERN_ITEM_BYTES)
        return 0;
    int last = quoted ? i : compound_end(w, i);
    size_t end = last == i ? first->inner + first->inner_bytes
                           : w->word[last].at + w->word[last].bytes;
    struct pattern_item *item = &x->m->item[x->m->n_item++];
    *item = (struct pattern_item){w->text + first->inner, end - first->inner};
    return last + 1 - i;
}

static bool is_mark(const struct words *w, int i, char c)
{
    return i < w->n && w->word[i].kind == WORD_MARK && w->text[w->word[i].at] == c;
}

static bool is_item_line(const struct words *w, int i)
{
    return i < w->n && w->word[i].kind == WORD_BREAK && w->word[i].value == 1;
}

/* "(string)" or ": string" is skipped after an item. */
static int skip_remark(const struct words *w, int i)
{
    if (!is_mark(w, i, '('))
        return 0;
    for (int k = i + 1; k < w->n && k < i + 8; k++)
        if (is_mark(w, k, ')'))
            return k + 1 - i;
    return 0;
}

/* What joins two items at word i: ",", "and", ", or", a slash, a list item on its own line. */
static int take_joint(struct matcher *x, int i)
{
    const struct words *w = x->w;
    int n = is_mark(w, i, ',') || is_mark(w, i, ';') || is_mark(w, i, '/') ? 1 : 0;
    if (i + n < w->n && words_same(w, i + n) && words_any(w, i + n, "and|or|nor|&")) {
        x->m->is_or = x->m->is_or || words_any(w, i + n, "or|nor");
        n++;
    }
    return n;
}

/* True if a list of bare words may end before word i: nothing follows, or a mark, or a word that
 * is never an item. */
static bool may_end(const struct words *w, int i)
{
    return is_end(w, i) || w->word[i].kind == WORD_MARK || is_stop(w, i) ||
           words_any(w, i, "nothing");
}

static int take_lines(struct matcher *x, int i, bool bare)
{
    int from = i;
    while (is_item_line(x->w, i)) {
        int n = take_item(x, i + 1, bare);
        if (n == 0)
            break;
        n += skip_remark(x->w, i + 1 + n);
        if (!is_end(x->w, i + 1 + n) && x->w->word[i + 1 + n].kind != WORD_MARK)
            return 0;
        i += 1 + n;
        while (i < x->w->n && x->w->word[i].kind != WORD_BREAK)
            i++;
    }
    return i - from;
}

static int take_list(struct matcher *x, int i, bool bare)
{
    const struct words *w = x->w;
    int from = i;
    x->m->n_item = 0;
    x->m->is_or = false;
    i += is_mark(w, i, ':');
    if (is_item_line(w, i)) {
        int n = take_lines(x, i, bare);
        return n && x->m->n_item ? i + n - from : 0;
    }
    for (int joint = 0;;) {
        if (!goes_on(x, i + joint))
            break;
        int n = take_item(x, i + joint, bare);
        if (n == 0)
            break;
        i += joint + n;
        i += skip_remark(w, i);
        joint = take_joint(x, i);
        if (joint == 0)
            break;
    }
    if (x->m->n_item == 0 || (w->word[i - 1].kind != WORD_QUOTED && !may_end(w, i)))
        return 0;
    return i - from;
}

/* ---- the matcher ----------------------------------------------------------------------------- */

static bool at_beginning(const struct words *w, int i)
{
    return i == 0 || !words_same(w, i) || w->word[i - 1].kind == WORD_BREAK ||
           is_mark(w, i - 1, ':') || is_mark(w, i - 1, '(');
}

static bool at_ending(const struct words *w, int i)
{
    return is_end(w, i) || is_mark(w, i, '.') || is_mark(w, i, '!') || is_mark(w, i, '?') ||
           is_mark(w, i, ')') || is_mark(w, i, ';');
}

/* A slot of one sign: the words it takes; -1 if the sign is no slot. */
static int take_slot(struct matcher *x, int i, char sign)
{
    switch (sign) {
    case '#': return take_number(x, i);
    case '%': return take_unit(x, i);
    case '"': return take_list(x, i, false);
    case '&': return take_list(x, i, true);
    case '!': return take_mark_name(x, i);
    case '@': return take_shape(x, i);
    default: return -1;
    }
}

static bool match_repeated(struct matcher *x, struct element e, const char *rest, int i, int most)
{
    int taken = most > 0 ? take_words(x, i, e) : 0;
    if (taken && match_repeated(x, e, rest, i + taken, most - 1))
        return true;
    return match_here(x, rest, i);
}

static bool match_gap(struct matcher *x, const char *rest, int i)
{
    for (int k = 0; k <= GAP_MAX; k++) {
        if (match_here(x, rest, i + k))
            return true;
        if (!goes_on(x, i + k))
            return false;
    }
    return false;
}

static bool match_element(struct matcher *x, struct element e, const char *rest, int i)
{
    struct element set = {e.s + 1, e.bytes - 1};
    if (e.bytes == 1) {
        if (*e.s == '^')
            return at_beginning(x->w, i) && match_here(x, rest, i);
        if (*e.s == '$')
            return at_ending(x->w, i) && match_here(x, rest, i);
        struct pattern_match saved = *x->m;
        int taken = take_slot(x, i, *e.s);
        if (taken < 0)
            taken = take_words(x, i, e);
        if (taken > 0 && match_here(x, rest, i + taken))
            return true;
        *x->m = saved;
        return false;
    }
    if (*e.s == '~')
        return !take_words(x, i, set) && match_here(x, rest, i);
    if (*e.s == '?' || *e.s == '*')
        return match_repeated(x, set, rest, i, *e.s == '?' ? 1 : REPEAT_MAX);
    if (e.bytes == 2 && memcmp(e.s, "..", 2) == 0)
        return match_gap(x, rest, i);
    int taken = take_words(x, i, e);
    return taken > 0 && match_here(x, rest, i + taken);
}

static bool match_here(struct matcher *x, const char *pattern, int i)
{
    pattern += strspn(pattern, " ");
    if (*pattern == 0) {
        x->m->end = i;
        return true;
    }
    struct element e = {pattern, strcspn(pattern, " ")};
    return match_element(x, e, pattern + e.bytes, i);
}

bool pattern_match(const struct words *w, int i, const char *pattern, struct pattern_match *m)
{
    *m = (struct pattern_match){.first = i};
    struct matcher x = {w, m};
    return match_here(&x, pattern, i) && m->end > i;
}
