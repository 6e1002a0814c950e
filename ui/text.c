/* text.c -- see text.h. The only file of this room that includes utf8proc.
 *
 * cell_width() is utf8proc's width with the exceptions below, which make it what glibc's wcwidth()
 * and so ncurses advance; tests/ui_text.c compares the three over all of Unicode. A character
 * about which the C library at hand disagrees all the same is shown as U+FFFD. */
#include "ui/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>
#include <wchar.h>

enum { TAB_CELLS = 8, LOOK_BACK = 256, REPLACEMENT = 0xFFFD };

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t ch, const struct range *r, int n)
{
    for (int i = 0; i < n; i++)
        if (ch >= r[i].first && ch <= r[i].last)
            return true;
    return false;
}

#define IN(ch, ranges) in_ranges(ch, ranges, (int)(sizeof(ranges) / sizeof(ranges)[0]))

/* Vowels and finals of conjoining Hangul: the leading consonant carries both cells. */
static const struct range jamo[] = {{0x1160, 0x11FF}, {0xD7B0, 0xD7C6}, {0xD7CB, 0xD7FB}};

/* Signs written before or around digits: format characters with a shape. */
static const struct range prepended[] = {{0x0600, 0x0605}, {0x06DD, 0x06DD}, {0x070F, 0x070F},
                                         {0x0890, 0x0891}, {0x08E2, 0x08E2}, {0x110BD, 0x110BD},
                                         {0x110CD, 0x110CD}};

/* Circled tens on black squares and the hexagrams. */
static const struct range wide[] = {{0x3248, 0x324F}, {0x4DC0, 0x4DFF}};

/* Hangul tone marks: spacing marks by name, without a cell in practice. */
static const struct range flat_marks[] = {{0x302E, 0x302F}};

/* Characters that reorder or hide text: spelled out, never sent. */
static const struct range spelled[] = {{0x061C, 0x061C}, {0x200E, 0x200F}, {0x2028, 0x2029},
                                       {0x202A, 0x202E}, {0x2066, 0x206F}, {0xFFF9, 0xFFFB},
                                       {0xE0000, 0xE007F}};

/* Without a cell and without a shape: joiners, variation selectors, invisible signs. */
static const struct range dropped[] = {{0x034F, 0x034F}, {0x180B, 0x180F}, {0x200B, 0x200D},
                                       {0x2060, 0x2065}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
                                       {0xE0100, 0xE01EF}};

uint32_t text_decode(const char *s, size_t bytes, size_t *used)
{
    assert(bytes);
    unsigned char c = (unsigned char)s[0];
    *used = 1;
    if (c < 0x80)
        return c;
    utf8proc_int32_t ch;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s,
                                          bytes < 4 ? (utf8proc_ssize_t)bytes : 4, &ch);
    if (n <= 0)
        return REPLACEMENT;
    *used = (size_t)n;
    return (uint32_t)ch;
}

int text_encode(uint32_t ch, char out[4])
{
    if (ch > 0x10FFFF || (ch >= 0xD800 && ch <= 0xDFFF))
        ch = REPLACEMENT;
    return (int)utf8proc_encode_char((utf8proc_int32_t)ch, (utf8proc_uint8_t *)out);
}

size_t text_whole(const char *s, size_t bytes)
{
    for (size_t back = 1; back <= 3 && back <= bytes; back++) {
        unsigned char c = (unsigned char)s[bytes - back];
        if ((c & 0xC0) == 0x80)
            continue;
        size_t want = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        return want > back ? bytes - back : bytes;
    }
    return bytes;
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7F;
}

size_t text_cluster(const char *s, size_t bytes)
{
    assert(bytes);
    if (is_plain(s[0]) && (bytes == 1 || (unsigned char)s[1] < 0x80))
        return 1;
    size_t used, at;
    utf8proc_int32_t state = 0;
    uint32_t ch = text_decode(s, bytes, &at);
    while (at < bytes) {
        uint32_t next = text_decode(s + at, bytes - at, &used);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)ch, (utf8proc_int32_t)next,
                                             &state))
            break;
        at += used;
        ch = next;
    }
    return at;
}

size_t text_cluster_before(const char *s, size_t at)
{
    assert(at);
    size_t from = at > LOOK_BACK ? at - LOOK_BACK : 0;
    while (from && ((unsigned char)s[from] & 0xC0) == 0x80)
        from--;
    for (;;) {
        size_t n = text_cluster(s + from, at - from);
        if (from + n >= at)
            return from;
        from += n;
    }
}

int cell_width(uint32_t ch)
{
    if (ch >= 0x20 && ch < 0x7F)
        return 1;
    if (IN(ch, jamo) || IN(ch, flat_marks))
        return 0;
    if (IN(ch, wide))
        return 2;
    if (IN(ch, prepended) || utf8proc_category((utf8proc_int32_t)ch) == UTF8PROC_CATEGORY_MC)
        return 1;
    return utf8proc_charwidth((utf8proc_int32_t)ch);
}

bool text_showable(uint32_t ch)
{
    if (ch >= 0x20 && ch < 0x7F)
        return true;
    return ch >= 0xA0 && !IN(ch, spelled) && wcwidth((wchar_t)ch) == cell_width(ch);
}

static bool is_emoji(uint32_t ch)
{
    return utf8proc_get_property((utf8proc_int32_t)ch)->boundclass ==
           UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

static bool is_skin_tone(uint32_t ch)
{
    return ch >= 0x1F3FB && ch <= 0x1F3FF;
}

static int spell(uint32_t ch, struct buf *out)
{
    char text[16];
    int n = ch < 0x20 || ch == 0x7F ? snprintf(text, sizeof text, "^%c", (int)(ch ^ 0x40))
                                    : snprintf(text, sizeof text, "<U+%04X>", (unsigned)ch);
    if (out)
        buf_append(out, text, (size_t)n);
    return n;
}

/* One character as it is shown, appended to out unless that is NULL; the cells it takes. */
static int show_char(uint32_t ch, int col, struct buf *out)
{
    if (ch == '\t') {
        int n = TAB_CELLS - col % TAB_CELLS;
        if (out)
            buf_append(out, "        ", (size_t)n);
        return n;
    }
    if (ch < 0x20 || (ch >= 0x7F && ch < 0xA0) || IN(ch, spelled))
        return spell(ch, out);
    if (IN(ch, dropped))
        return 0;
    if (!text_showable(ch))
        ch = REPLACEMENT;
    if (out) {
        char text[4];
        buf_append(out, text, (size_t)text_encode(ch, text));
    }
    return ch == REPLACEMENT ? 1 : cell_width(ch);
}

static int show_cluster(const char *s, size_t bytes, int col, struct buf *out)
{
    int cells = 0;
    size_t used;
    uint32_t first = text_decode(s, bytes, &used);
    for (size_t at = 0; at < bytes; at += used) {
        uint32_t ch = text_decode(s + at, bytes - at, &used);
        /* What follows in an emoji sequence would be drawn over by some terminals and beside it
         * by others: the first glyph stands for all. */
        if (at && is_emoji(first) && (ch == 0x200D || is_skin_tone(ch)))
            break;
        cells += show_char(ch, col + cells, out);
    }
    return cells;
}

int text_cluster_cells(const char *s, size_t bytes, int col)
{
    return bytes == 1 && is_plain(s[0]) ? 1 : show_cluster(s, bytes, col, NULL);
}

int text_cells(const char *s, size_t bytes)
{
    int cells = 0;
    for (size_t at = 0, n; at < bytes; at += n) {
        n = text_cluster(s + at, bytes - at);
        cells += text_cluster_cells(s + at, n, cells);
    }
    return cells;
}

int text_display_from(struct buf *out, const char *s, size_t bytes, int col)
{
    for (size_t at = 0, n; at < bytes; at += n) {
        n = text_cluster(s + at, bytes - at);
        col += show_cluster(s + at, n, col, out);
    }
    return col;
}

void text_display(struct buf *out, const char *s, size_t bytes)
{
    text_display_from(out, s, bytes, 0);
}

void text_fold(struct buf *out, const char *s, size_t bytes)
{
    size_t used;
    for (size_t at = 0; at < bytes; at += used) {
        utf8proc_int32_t folded[8];
        int bound = 0;
        uint32_t ch = text_decode(s + at, bytes - at, &used);
        utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)ch, folded, 8,
                                                     UTF8PROC_CASEFOLD, &bound);
        for (utf8proc_ssize_t i = 0; i < n && i < 8; i++) {
            char text[4];
            buf_append(out, text, (size_t)text_encode((uint32_t)folded[i], text));
        }
    }
}
