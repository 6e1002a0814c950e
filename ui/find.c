/* find.c -- see find.h. */
#include "ui/find.h"

#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

void find_set(struct find *f, const char *text, size_t bytes)
{
    buf_clear(&f->folded);
    text_fold(&f->folded, text, bytes);
    f->n = 0;
}

void find_release(struct find *f)
{
    buf_release(&f->folded);
    free(f->hit);
    *f = (struct find){0};
}

static bool is_ascii(char c)
{
    return (unsigned char)c < 0x80;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The character at s, folded: its bytes in out (at most 64), the bytes of the text in *used. */
static size_t fold_at(const char *s, size_t bytes, char *out, size_t *used)
{
    struct buf folded = {0};
    text_decode(s, bytes, used);
    text_fold(&folded, s, *used);
    size_t n = folded.bytes < 64 ? folded.bytes : 64;
    memcpy(out, buf_text(&folded), n);
    buf_release(&folded);
    return n;
}

static bool is_letter(char c)
{
    return !is_ascii(c) || (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* A sign of Markdown at s[at], which is not the first: a name_like_this has none. */
static bool is_mark(const char *s, size_t bytes, size_t at)
{
    if (s[at] == '*' || s[at] == '`' || s[at] == '~')
        return true;
    return s[at] == '_' && !(is_letter(s[at - 1]) && at + 1 < bytes && is_letter(s[at + 1]));
}

/* The bytes of text that make up what is looked for, 0 if the text at s begins with another. */
static size_t match_at(const struct find *f, const char *s, size_t bytes, bool markup)
{
    const char *want = f->folded.data;
    size_t at = 0, done = 0, used;
    while (done < f->folded.bytes && at < bytes) {
        char folded[64];
        size_t n = 1;
        if (markup && at && s[at] != want[done] && is_mark(s, bytes, at)) {
            at++;
            continue;
        }
        if (is_ascii(s[at])) {
            folded[0] = s[at] == '\n' ? ' ' : lower(s[at]);
            used = 1;
        } else {
            n = fold_at(s + at, bytes - at, folded, &used);
        }
        if (n > f->folded.bytes - done || memcmp(want + done, folded, n) != 0)
            return 0;
        done += n;
        at += used;
    }
    return done == f->folded.bytes ? at : 0;
}

static void push(struct find *f, struct hit h)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->hit = mem_grow(f->hit, (size_t)f->cap * sizeof *f->hit);
    }
    f->hit[f->n++] = h;
}

void find_add(struct find *f, int entry, const char *text, size_t bytes, bool markup)
{
    if (!f->folded.bytes)
        return;
    char first = f->folded.data[0];
    for (size_t at = 0, used; at < bytes; at += used) {
        used = 1;
        bool ascii = is_ascii(text[at]), other = ascii && lower(text[at]) != first;
        size_t n = other ? 0 : match_at(f, text + at, bytes - at, markup);
        if (n) {
            push(f, (struct hit){entry, at, n});
            used = n;
        } else if (!ascii) {
            text_decode(text + at, bytes - at, &used);
        }
    }
}

int find_from(const struct find *f, int entry, size_t at)
{
    int low = 0, high = f->n;
    while (low < high) {
        int mid = low + (high - low) / 2;
        const struct hit *h = &f->hit[mid];
        if (h->entry < entry || (h->entry == entry && h->at < at))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void find_cut(struct find *f, int entry)
{
    f->n = find_from(f, entry, 0);
}
