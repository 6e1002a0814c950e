/* doubt.c -- see doubt.h. */
#include "app/doubt.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BEFORE_BYTES = 24, BEHIND_BYTES = 60, SENTENCE_BYTES = 200 };

int doubt_of(float logprob)
{
    double d = -100 * (double)logprob;
    return d < 0 ? 0 : d < DOUBT_MAX ? (int)(d + 0.5) : DOUBT_MAX;
}

void doubt_append(struct ids *pairs, int doubt, const char *text, size_t bytes)
{
    int32_t pair[] = {doubt, 0};
    for (size_t i = 0; i < bytes; i++)
        pair[1] += text[i] != 0; /* reply_text() leaves byte 0 out */
    ids_append(pairs, pair, 2);
}

/* ---- places ------------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Whole words, without the blanks around them. False: nothing is left. */
static bool to_words(const char *text, size_t *from, size_t *to)
{
    while (*from < *to && is_blank(text[*from]))
        ++*from;
    while (*to > *from && is_blank(text[*to - 1]))
        --*to;
    if (*from == *to)
        return false;
    if (is_word(text[*from]))
        while (*from > 0 && is_word(text[*from - 1]))
            --*from;
    if (is_word(text[*to - 1]))
        while (is_word(text[*to]))
            ++*to;
    return true;
}

/* Adds a token; it joins the place before it where the two touch. */
static void add(struct doubts *d, int part, const char *text, size_t from, size_t to, int doubt)
{
    struct doubt *last = d->n ? &d->place[d->n - 1] : NULL;
    bool touches = last && last->part == part && last->at + last->bytes == from;
    if (!to_words(text, &from, &to))
        return;
    if (touches || (last && last->part == part && from <= last->at + last->bytes)) {
        if (to > last->at + last->bytes)
            last->bytes = to - last->at;
        if (doubt > last->worst)
            last->worst = doubt;
        return;
    }
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->place = mem_grow(d->place, (size_t)d->cap * sizeof *d->place);
    }
    d->place[d->n++] = (struct doubt){part, from, to - from, doubt};
}

static bool find_in(const struct reply *r, int part, struct doubts *out)
{
    const struct part *p = &r->part[part];
    size_t at = 0, bytes = strlen(p->text);
    if (p->kind != PART_ANSWER || p->doubt.n == 0)
        return false;
    for (int i = 0; i + 1 < p->doubt.n; i += 2) {
        size_t to = at + (size_t)p->doubt.id[i + 1];
        if (to > bytes)
            break;
        if (p->doubt.id[i] > DOUBT_HALF)
            add(out, part, p->text, at, to, p->doubt.id[i]);
        at = to;
    }
    return true;
}

/* The least certain first, else as they stand. */
static int by_worst(const void *a, const void *b)
{
    const struct doubt *x = a, *y = b;
    if (x->worst != y->worst)
        return x->worst > y->worst ? -1 : 1;
    if (x->part != y->part)
        return x->part - y->part;
    return x->at < y->at ? -1 : x->at > y->at;
}

bool doubts_find(const struct reply *r, struct doubts *out)
{
    bool known = false;
    out->n = 0;
    for (int i = 0; i < r->n_part; i++)
        known = find_in(r, i, out) || known;
    if (out->n)
        qsort(out->place, (size_t)out->n, sizeof *out->place, by_worst);
    return known;
}

void doubts_release(struct doubts *d)
{
    free(d->place);
    *d = (struct doubts){0};
}

/* ---- in words ----------------------------------------------------------------------------- */

/* Line ends as blanks. */
static void put_line(struct buf *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_append(out, is_blank(text[i]) ? " " : text + i, 1);
}

/* Where at most so many bytes before `at` begin a word; never inside of a character. */
static size_t begin_before(const char *text, size_t at, size_t most)
{
    size_t from = at > most ? at - most : 0;
    while (from > 0 && from < at && !is_blank(text[from - 1]))
        from++;
    return from;
}

static size_t end_behind(const char *text, size_t at, size_t most)
{
    size_t bytes = strlen(text), to = bytes - at > most ? at + most : bytes;
    while (to < bytes && to > at && !is_blank(text[to]))
        to--;
    return to;
}

void doubt_excerpt(const struct reply *r, const struct doubt *d, struct buf *out)
{
    const char *text = r->part[d->part].text;
    size_t end = d->at + d->bytes, from = begin_before(text, d->at, BEFORE_BYTES);
    put_line(out, text + from, d->at - from);
    buf_puts(out, "[");
    put_line(out, text + d->at, d->bytes);
    buf_puts(out, "]");
    put_line(out, text + end, end_behind(text, end, BEHIND_BYTES) - end);
}

void doubt_percent(const struct doubt *d, struct buf *out)
{
    double percent = 100 * exp(-d->worst / 100.0);
    if (percent < 1)
        buf_puts(out, "<1 %");
    else
        buf_printf(out, "%.0f %%", percent);
}

/* The place that begins here; -1: none does. */
static int place_at(const struct doubts *d, int part, size_t at)
{
    for (int i = 0; i < d->n; i++)
        if (d->place[i].part == part && d->place[i].at == at)
            return i;
    return -1;
}

void doubts_marked(const struct reply *r, const struct doubts *d, struct buf *out)
{
    for (int i = 0; i < r->n_part; i++) {
        const char *text = r->part[i].text;
        size_t end = 0;
        for (size_t at = 0; r->part[i].kind == PART_ANSWER && text[at]; at++) {
            int k = place_at(d, i, at);
            if (k >= 0) {
                buf_printf(out, "[%d: ", k + 1);
                end = at + d->place[k].bytes;
            }
            buf_append(out, text + at, 1);
            if (at + 1 == end)
                buf_puts(out, "]");
        }
    }
}

/* The sentence, or the part of a line, that holds the place. */
static void put_sentence(struct buf *out, const char *text, const struct doubt *d)
{
    size_t from = d->at, to = d->at + d->bytes;
    size_t least = begin_before(text, from, SENTENCE_BYTES);
    size_t most = end_behind(text, to, SENTENCE_BYTES);
    while (from > least && text[from - 1] != '\n' && !(is_blank(text[from - 1]) && from > 1 &&
                                                       strchr(".!?", text[from - 2])))
        from--;
    while (to < most && text[to] != '\n' && !strchr(".!?", text[to - 1]))
        to++;
    put_line(out, text + from, to - from);
}

void doubt_question(const struct reply *r, const struct doubt *d, struct buf *out)
{
    const char *text = r->part[d->part].text;
    buf_puts(out, "In your last answer you wrote: \"");
    put_sentence(out, text, d);
    buf_puts(out, "\"\nLook at this place of it again: \"");
    put_line(out, text + d->at, d->bytes);
    buf_puts(out, "\"\nIs it right? Say why, and if it is not, what is.");
}
