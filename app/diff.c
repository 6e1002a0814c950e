/* diff.c -- see diff.h. The longest common subsequence of words, by the table of its lengths, once
 * what both texts begin and end with is set aside. */
#include "app/diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS_MAX = 1 << 24 }; /* of the table: 32 MiB */

struct word {
    const char *s;
    int bytes;
    bool line_end; /* behind it */
};

struct words {
    struct word *w; /* [n], owned */
    int n, cap;
};

static void words_split(struct words *out, const char *text)
{
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    while (*text) {
        size_t n = strcspn(text, blanks), gap = strspn(text + n, blanks);
        if (out->n == out->cap) {
            out->cap = out->cap ? out->cap * 2 : 64;
            out->w = mem_grow(out->w, (size_t)out->cap * sizeof *out->w);
        }
        out->w[out->n++] = (struct word){text, (int)n, memchr(text + n, '\n', gap) != NULL};
        text += n + gap;
    }
}

static bool same(const struct word *x, const struct word *y)
{
    return x->bytes == y->bytes && memcmp(x->s, y->s, (size_t)x->bytes) == 0;
}

/* The line being written: its sign, 0 = none is open. */
struct pen {
    struct buf *out;
    char sign;
};

static void pen_end(struct pen *p)
{
    if (p->sign)
        buf_puts(p->out, "\n");
    p->sign = 0;
}

static void put(struct pen *p, char sign, const struct word *w)
{
    if (p->sign != sign) {
        pen_end(p);
        buf_append(p->out, &sign, 1);
    } else {
        buf_puts(p->out, " ");
    }
    p->sign = sign;
    buf_append(p->out, w->s, (size_t)w->bytes);
    if (w->line_end)
        pen_end(p);
}

static void put_all(struct pen *p, char sign, const struct word *w, int n)
{
    for (int i = 0; i < n; i++)
        put(p, sign, &w[i]);
}

/* The middle, in which first and last words differ. */
static void diff_middle(struct pen *p, const struct word *a, int n, const struct word *b, int m)
{
    if (n == 0 || m == 0 || (int64_t)(n + 1) * (m + 1) > CELLS_MAX) {
        put_all(p, '-', a, n);
        put_all(p, '+', b, m);
        return;
    }
    size_t row = (size_t)m + 1;
    uint16_t *length = mem_new((size_t)(n + 1) * row * sizeof *length); /* common from i, k on */
    for (int i = n - 1; i >= 0; i--)
        for (int k = m - 1; k >= 0; k--) {
            const uint16_t *at = &length[(size_t)i * row + (size_t)k];
            uint16_t down = at[row], right = at[1], both = (uint16_t)(at[row + 1] + 1);
            length[(size_t)i * row + (size_t)k] = same(&a[i], &b[k]) ? both
                                                  : down >= right   ? down
                                                                    : right;
        }
    int i = 0, k = 0;
    while (i < n && k < m) {
        const uint16_t *at = &length[(size_t)i * row + (size_t)k];
        if (same(&a[i], &b[k])) {
            put(p, ' ', &b[k++]);
            i++;
        } else if (at[row] >= at[1]) {
            put(p, '-', &a[i++]);
        } else {
            put(p, '+', &b[k++]);
        }
    }
    put_all(p, '-', a + i, n - i);
    put_all(p, '+', b + k, m - k);
    free(length);
}

void diff_words(struct buf *out, const char *a, const char *b)
{
    struct words x = {0}, y = {0};
    struct pen p = {.out = out};
    int head = 0, tail = 0;
    words_split(&x, a);
    words_split(&y, b);
    int least = x.n < y.n ? x.n : y.n;
    while (head < least && same(&x.w[head], &y.w[head]))
        head++;
    while (tail < least - head && same(&x.w[x.n - 1 - tail], &y.w[y.n - 1 - tail]))
        tail++;
    if (head)
        put_all(&p, ' ', y.w, head);
    if (x.n > head + tail || y.n > head + tail)
        diff_middle(&p, x.w ? x.w + head : NULL, x.n - head - tail, y.w ? y.w + head : NULL,
                    y.n - head - tail);
    if (tail)
        put_all(&p, ' ', y.w + y.n - tail, tail);
    pen_end(&p);
    free(x.w);
    free(y.w);
}
