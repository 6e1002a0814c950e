/* signs.c -- see signs.h. */
#include "app/signs.h"

#include <string.h>
#include <wchar.h>

#include "ui/text.h"

enum { CLUSTERS_MAX = 40 }; /* told of one text */

/* Widths of these differ from program to program: wide and combining, variation selectors, flags,
 * skin tones, joined emoji, new ones, conjoining jamo, conjuncts, soft hyphen, ambiguous signs. */
static const char *const disputed[] = {
    "漢", "，", "e\u0301", "❤\uFE0F", "1\uFE0F\u20E3", "\U0001F1E9\U0001F1EA", "👍\U0001F3FD",
    "👨\u200D👩\u200D👧", "\U0001FABC", "\u1112\u1161\u11AB", "\u0915\u094D\u0937", "\u00AD", "①",
    "─", "…", "\uE0B0",
};

static void put_characters(struct buf *out, const char *text, size_t bytes)
{
    size_t used;
    for (size_t at = 0; at < bytes; at += used)
        buf_printf(out, " U+%04X", (unsigned)text_decode(text + at, bytes - at, &used));
}

/* The C library's sum; -1 if it knows one of them not. */
static int library_cells(const char *text, size_t bytes)
{
    int sum = 0;
    size_t used;
    for (size_t at = 0; at < bytes; at += used) {
        int n = wcwidth((wchar_t)text_decode(text + at, bytes - at, &used));
        if (n < 0)
            return -1;
        sum += n;
    }
    return sum;
}

/* A line about one cluster; only_other: none, if the terminal agrees or does not say. */
static void tell(const char *text, size_t bytes, bool only_other, signs_measure measure, void *data,
                 struct buf *out)
{
    struct buf shown = {0};
    int cells = text_cells(text, bytes), library = library_cells(text, bytes);
    text_display(&shown, text, bytes);
    int drawn = measure ? measure(data, buf_text(&shown), shown.bytes) : -1;
    bool other = drawn >= 0 && drawn != cells;
    if (other || !only_other) {
        buf_printf(out, "%s ", buf_text(&shown));
        put_characters(out, text, bytes);
        buf_printf(out, ": %d cell%s", cells, cells == 1 ? "" : "s");
        if (library != cells)
            buf_printf(out, library < 0 ? ", unknown to the C library" : ", %d by the C library",
                       library);
        if (other)
            buf_printf(out, ", THIS TERMINAL DRAWS %d", drawn);
        else if (drawn >= 0)
            buf_puts(out, ", as this terminal draws it");
        buf_puts(out, "\n");
    }
    buf_release(&shown);
}

static void tell_disputed(signs_measure measure, void *data, struct buf *out)
{
    enum { N = sizeof disputed / sizeof *disputed };
    size_t before = out->bytes;
    for (int i = 0; i < N; i++)
        tell(disputed[i], strlen(disputed[i]), measure != NULL, measure, data, out);
    if (measure && out->bytes == before)
        buf_printf(out, "this terminal draws all %d signs whose width programs disagree about as "
                        "wide as duet takes them to be\n", (int)N);
}

void signs_tell(const char *text, signs_measure measure, void *data, struct buf *out)
{
    size_t bytes = strlen(text), n;
    if (!bytes)
        tell_disputed(measure, data, out);
    for (int i = 0; bytes && i < CLUSTERS_MAX; i++, text += n, bytes -= n) {
        n = text_cluster(text, bytes);
        tell(text, n, false, measure, data, out);
    }
    if (bytes)
        buf_printf(out, "and %zu bytes more\n", bytes);
}
