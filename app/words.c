/* words.c -- see words.h. */
#include "app/words.h"

#include <stdlib.h>
#include <string.h>

#include "ui/buf.h"

enum {
    END_BYTES = 4096,   /* read at each end of a longer text */
    QUOTE_MAX = 2048,   /* a quote that closes later than that is a lone mark */
    NUMBER_MAX = 1000000,
};

/* The state of reading one stretch of the text. */
struct reader {
    struct words *w;
    size_t p, end;
    int cap;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 128;
}

static bool is_wordly(char c)
{
    return is_letter(c) || is_digit(c);
}

/* The byte at p, a blank beyond the ends. */
static char at(const struct reader *r, size_t p)
{
    return p < r->end ? r->w->text[p] : ' ';
}

static char before(const struct reader *r, size_t p)
{
    return p > 0 ? r->w->text[p - 1] : ' ';
}

static bool starts(const struct reader *r, size_t p, const char *what)
{
    size_t n = strlen(what);
    return p <= r->end && n <= r->end - p && memcmp(r->w->text + p, what, n) == 0;
}

int words_value(const char *s, size_t bytes)
{
    static const struct { const char *word; int value; } row[] = {
        {"zero", 0}, {"one", 1}, {"single", 1}, {"two", 2}, {"three", 3}, {"four", 4},
        {"five", 5}, {"six", 6}, {"seven", 7}, {"eight", 8}, {"nine", 9}, {"ten", 10},
        {"eleven", 11}, {"twelve", 12}, {"thirteen", 13}, {"fourteen", 14}, {"fifteen", 15},
        {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19}, {"twenty", 20},
        {"thirty", 30}, {"forty", 40}, {"fifty", 50}, {"sixty", 60}, {"seventy", 70},
        {"eighty", 80}, {"ninety", 90}, {"hundred", 100},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        size_t k = 0;
        while (k < bytes && row[i].word[k] && (s[k] | 32) == row[i].word[k])
            k++;
        if (k == bytes && row[i].word[k] == 0)
            return row[i].value;
    }
    return -1;
}

static struct word *add(struct reader *r, enum word_kind kind, size_t from, size_t to)
{
    struct words *w = r->w;
    if (w->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 256;
        w->word = mem_grow(w->word, (size_t)r->cap * sizeof *w->word);
    }
    struct word *word = &w->word[w->n++];
    *word = (struct word){kind, from, to - from, from, to - from, -1, 0};
    r->p = to;
    return word;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static size_t line_end(const struct reader *r, size_t p)
{
    while (p < r->end && r->w->text[p] != '\n')
        p++;
    return p;
}

/* The bytes of a list mark ("- ", "* ", "3. ", "3) ", a bullet sign) at p; 0 if there is none. */
static size_t list_mark(const struct reader *r, size_t p)
{
    size_t n = 0;
    if (starts(r, p, "\xE2\x80\xA2")) /* U+2022 */
        n = 3;
    else if (at(r, p) == '-' || at(r, p) == '*' || at(r, p) == '+')
        n = 1;
    else {
        while (is_digit(at(r, p + n)) && n < 3)
            n++;
        n = n && (at(r, p + n) == '.' || at(r, p + n) == ')') ? n + 1 : 0;
    }
    return n && p + n < r->end && is_space(at(r, p + n)) ? n : 0;
}

/* Steps over a code block that begins at p, to the end of its closing line. */
static void skip_block(struct reader *r)
{
    r->p = line_end(r, r->p);
    while (r->p < r->end) {
        size_t p = r->p + 1;
        while (at(r, p) == ' ' && p < r->end)
            p++;
        r->p = line_end(r, r->p + 1);
        if (starts(r, p, "```"))
            return;
    }
}

/* True if a sentence may go on with a line that begins with c: a small letter does; a number or a
 * quote does unless a sentence or a colon has ended before it. */
static bool goes_on(const struct reader *r, char c)
{
    const struct words *w = r->w;
    if (c >= 'a' && c <= 'z')
        return true;
    if (w->n == 0 || (!is_digit(c) && c != '"' && c != '\'' && c != '`'))
        return false;
    const struct word *last = &w->word[w->n - 1];
    return last->kind != WORD_BREAK && !(last->kind == WORD_MARK && last->bytes == 1 &&
                                         strchr(".:!?", w->text[last->at]));
}

/* At the beginning of a line: steps over what is not said by the person, and adds a break unless
 * the sentence of the line before goes on. */
static void begin_line(struct reader *r, int newlines)
{
    bool block = starts(r, r->p, "```"), quoted = at(r, r->p) == '>' && r->p < r->end;
    size_t mark = list_mark(r, r->p);
    if (newlines > 1 || mark || block || quoted || !goes_on(r, at(r, r->p))) {
        struct word *word = add(r, WORD_BREAK, r->p, r->p);
        word->value = mark ? 1 : newlines > 1 ? 2 : 0;
    }
    r->p += mark;
    if (block)
        skip_block(r);
    else if (quoted)
        r->p = line_end(r, r->p);
}

static void read_space(struct reader *r)
{
    int newlines = 0;
    for (; r->p < r->end && is_space(r->w->text[r->p]); r->p++)
        newlines += r->w->text[r->p] == '\n';
    if (newlines && r->p < r->end)
        begin_line(r, newlines);
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool ends_quote(const struct reader *r, size_t p, const char *close)
{
    if (!starts(r, p, close))
        return false;
    return *close != '\'' || (!is_wordly(at(r, p + 1)) && !is_space(before(r, p)));
}

/* A quoted piece at p: within one paragraph; single quotes and backticks within one line. */
static bool read_quoted(struct reader *r)
{
    static const struct { const char *open, *close; bool line; } row[] = {
        {"\"", "\"", false}, {"`", "`", true}, {"'", "'", true},
        {"\xE2\x80\x9C", "\xE2\x80\x9D", false}, {"\xE2\x80\x98", "\xE2\x80\x99", true},
        {"\xC2\xAB", "\xC2\xBB", false},
    };
    size_t k = 0, n = sizeof row / sizeof *row;
    while (k < n && !starts(r, r->p, row[k].open))
        k++;
    if (k == n || (row[k].line && row[k].open[0] == '\'' && is_wordly(before(r, r->p))))
        return false;
    size_t open = strlen(row[k].open), close = strlen(row[k].close), from = r->p;
    size_t last = r->end - from < QUOTE_MAX ? r->end : from + QUOTE_MAX;
    for (size_t p = from + open; p < last; p++) {
        char c = r->w->text[p];
        if (c == '\n' && (row[k].line || at(r, p + 1) == '\n'))
            return false;
        if (p > from + open && ends_quote(r, p, row[k].close)) {
            struct word *word = add(r, WORD_QUOTED, from, p + close);
            word->inner = from + open;
            word->inner_bytes = p - word->inner;
            return true;
        }
    }
    return false;
}

static bool is_apostrophe(const struct reader *r, size_t p, size_t *n)
{
    *n = at(r, p) == '\'' ? 1 : starts(r, p, "\xE2\x80\x99") ? 3 : 0;
    return *n && is_wordly(at(r, p + *n)) && p + *n < r->end;
}

/* The bytes of a dash or curly quote sign, which are no letters; 0 if there is none. */
static size_t wide_mark(const struct reader *r, size_t p)
{
    return starts(r, p, "\xE2\x80") && p + 2 < r->end ? 3 : 0;
}

static void read_word(struct reader *r)
{
    size_t from = r->p, p = r->p, n;
    while (p < r->end) {
        if (is_apostrophe(r, p, &n))
            p += n;
        else if (!is_wordly(r->w->text[p]) || wide_mark(r, p))
            break;
        else
            p++;
    }
    struct word *word = add(r, WORD_PLAIN, from, p);
    word->value = words_value(r->w->text + from, p - from);
}

/* Digits, "1,000" included. A decimal number has no value: it counts nothing. */
static bool read_number(struct reader *r)
{
    size_t p = r->p;
    int value = 0;
    for (; p < r->end; p++) {
        char c = r->w->text[p];
        if (c == ',' && is_digit(at(r, p + 1)) && is_digit(at(r, p + 2)) &&
            is_digit(at(r, p + 3)))
            continue;
        if (!is_digit(c))
            break;
        value = value < NUMBER_MAX ? 10 * value + (c - '0') : NUMBER_MAX;
    }
    if (p < r->end && is_letter(r->w->text[p]) && !wide_mark(r, p))
        return false;
    bool whole = true;
    if (at(r, p) == '.' && is_digit(at(r, p + 1)))
        for (p++, whole = false; is_digit(at(r, p)); p++)
            ;
    struct word *word = add(r, WORD_NUMBER, r->p, p);
    word->value = whole && value < NUMBER_MAX ? value : -1;
    return true;
}

/* Marks are kept but for emphasis ("**") and the hyphen inside a compound. */
static void read_mark(struct reader *r)
{
    size_t n = wide_mark(r, r->p);
    char c = at(r, r->p), left = before(r, r->p), right = at(r, r->p + (n ? n : 1));
    bool digits = is_digit(left) && is_digit(right);
    if (c == '*' && !digits && !(is_space(left) && is_space(right)))
        r->p++;
    else if (c == '-' && is_wordly(left) && is_wordly(right) && !digits)
        r->p++;
    else
        add(r, WORD_MARK, r->p, r->p + (n ? n : 1));
}

static void read_stretch(struct reader *r, size_t from, size_t to)
{
    r->p = from;
    r->end = to;
    while (r->p < to && is_space(r->w->text[r->p]))
        r->p++;
    if (r->p < to)
        begin_line(r, 2);
    while (r->p < to) {
        char c = r->w->text[r->p];
        if (is_space(c))
            read_space(r);
        else if (read_quoted(r))
            continue;
        else if (is_digit(c) && read_number(r))
            continue;
        else if (is_wordly(c) && !wide_mark(r, r->p))
            read_word(r);
        else
            read_mark(r);
    }
}

/* ---- sentences ------------------------------------------------------------------------------- */

static bool ends_sentence(const struct words *w, int i)
{
    const struct word *m = &w->word[i];
    char c = w->text[m->at];
    size_t next = m->at + m->bytes;
    if (m->kind != WORD_MARK || (c != '.' && c != '!' && c != '?'))
        return false;
    if (next < w->bytes && !is_space(w->text[next]) && w->text[next] != ')')
        return false;
    if (c != '.' || i == 0)
        return true;
    const struct word *last = &w->word[i - 1];
    bool letter = last->kind == WORD_PLAIN && last->bytes == 1 && w->text[last->at] >= 'a';
    return !letter && !words_any(w, i - 1, "vs|mr|mrs|dr|approx|max|min");
}

static void find_sentences(struct words *w)
{
    w->sentence = mem_new(((size_t)w->n + 1) * sizeof *w->sentence);
    bool open = false;
    for (int i = 0; i < w->n; i++) {
        if (!open || w->word[i].kind == WORD_BREAK)
            w->sentence[w->n_sentence++].first = i;
        struct sentence *s = &w->sentence[w->n_sentence - 1];
        open = !ends_sentence(w, i);
        w->word[i].sentence = w->n_sentence - 1;
        s->end = i + 1;
        s->question = w->word[i].kind == WORD_MARK && w->text[w->word[i].at] == '?';
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

void words_read(struct words *w, const char *text, size_t bytes)
{
    *w = (struct words){.text = text, .bytes = bytes};
    struct reader r = {.w = w};
    size_t head = bytes, tail = bytes;
    if (bytes > 2 * END_BYTES) {
        head = END_BYTES;
        tail = bytes - END_BYTES;
        while (tail < bytes && !is_space(text[tail]))
            tail++;
    }
    read_stretch(&r, 0, head);
    if (tail < bytes)
        read_stretch(&r, tail, bytes);
    find_sentences(w);
}

void words_release(struct words *w)
{
    free(w->word);
    free(w->sentence);
    *w = (struct words){0};
}

bool words_equal(const struct words *w, int i, const char *literal, size_t bytes)
{
    if (i < 0 || i >= w->n || w->word[i].kind == WORD_BREAK)
        return false;
    const char *s = w->text + w->word[i].inner;
    size_t n = w->word[i].inner_bytes, k = 0;
    for (size_t p = 0; p < n; p++) {
        if (s[p] == '\'')
            continue;
        if (n - p >= 3 && memcmp(s + p, "\xE2\x80\x99", 3) == 0) {
            p += 2;
            continue;
        }
        char c = s[p] >= 'A' && s[p] <= 'Z' ? (char)(s[p] | 32) : s[p];
        if (k == bytes || c != literal[k++])
            return false;
    }
    return k == bytes && k > 0;
}

bool words_any(const struct words *w, int i, const char *alternatives)
{
    for (const char *a = alternatives; *a;) {
        size_t n = strcspn(a, "|");
        if (words_equal(w, i, a, n))
            return true;
        a += n + (a[n] == '|');
    }
    return false;
}

bool words_same(const struct words *w, int i)
{
    return i > 0 && i < w->n && w->word[i].sentence == w->word[i - 1].sentence;
}
