/* ui_text.c -- characters, clusters and cells. What could break: the caret drifts from what is
 * drawn because two opinions about a width differ, or text from outside reaches the terminal as
 * something else than text. */
#include <locale.h>
#include <wchar.h>

#include "tests/ui.h"
#include "ui/text.h"

void ui_locale(void)
{
    if (!setlocale(LC_ALL, "C.UTF-8") && !setlocale(LC_ALL, "en_US.UTF-8"))
        fail_msg("no UTF-8 locale on this machine");
}

unsigned ui_random(struct ui_random *r, unsigned n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(r->state >> 33) % n;
}

void test_text_decode(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes, used;
        uint32_t ch;
    } rows[] = {
        {"a", 1, 1, 'a'},           {"\xC3\xA9", 2, 2, 0xE9},       {"\xE6\xBC\xA2", 3, 3, 0x6F22},
        {"\xF0\x9F\x98\x80", 4, 4, 0x1F600},                        {"\xC3", 1, 1, 0xFFFD},
        {"\xC3z", 2, 1, 0xFFFD},    {"\xC0\x80", 2, 1, 0xFFFD},     {"\xED\xA0\x80", 3, 1, 0xFFFD},
        {"\xF4\x90\x80\x80", 4, 1, 0xFFFD},                         {"\xFF", 1, 1, 0xFFFD},
        {"\xE6\xBC", 2, 1, 0xFFFD}, {"\x80", 1, 1, 0xFFFD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t used;
        assert_int_equal(text_decode(rows[i].text, rows[i].bytes, &used), rows[i].ch);
        assert_int_equal(used, rows[i].used);
    }
    char out[4];
    assert_int_equal(text_encode(0x6F22, out), 3);
    assert_memory_equal(out, "\xE6\xBC\xA2", 3);
    assert_int_equal(text_encode(0xD800, out), 3);
    assert_memory_equal(out, "\xEF\xBF\xBD", 3);
}

void test_text_whole(void **state)
{
    (void)state;
    assert_int_equal(text_whole("", 0), 0);
    assert_int_equal(text_whole("ab", 2), 2);
    assert_int_equal(text_whole("a\xE6", 2), 1);
    assert_int_equal(text_whole("a\xE6\xBC", 3), 1);
    assert_int_equal(text_whole("a\xE6\xBC\xA2", 4), 4);
    assert_int_equal(text_whole("\xF0\x9F\x98", 3), 0);
    assert_int_equal(text_whole("\x80\x80\x80\x80", 4), 4);
}

/* The sums of characters, and the cells as shown. */
void test_text_widths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int shown;
    } rows[] = {
        {"漢", 2},
        {"，", 2},
        {"e\u0301", 1},
        {"❤\uFE0F", 1},
        {"⚠\uFE0F", 1},
        {"1\uFE0F\u20E3", 1},
        {"\U0001F1E9\U0001F1EA", 2},             /* a flag */
        {"👍\U0001F3FD", 2},                      /* a skin tone */
        {"👨\u200D👩\u200D👧", 2},                /* a family */
        {"\U0001F3FD", 2},                       /* a skin tone alone */
        {"\u1112\u1161\u11AB", 2},               /* jamo */
        {"\u0915\u094D\u0937", 2},               /* Devanagari, two clusters here */
        {"\u0915\u093E", 2},                     /* a spacing mark */
        {"\u00AD", 1},
        {"①", 1},
        {"─", 1},
        {"…", 1},
        {"\uE0B0", 1},
        {"\u200B", 0},
        {"a\uFEFFb", 2},
        {"a\tb", 9},
    };
    ui_locale();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_cells(rows[i].text, strlen(rows[i].text)) != rows[i].shown)
            fail_msg("row %zu: '%s' is %d cells, not %d", i, rows[i].text,
                     text_cells(rows[i].text, strlen(rows[i].text)), rows[i].shown);
}

/* cell_width() is what the C library, and so ncurses, advances; a cell holds 1 or 2 of them. */
void test_text_width_everywhere(void **state)
{
    (void)state;
    ui_locale();
    int differ = 0, bad = 0;
    for (uint32_t ch = 0xA0; ch < 0x110000; ch++) {
        if (ch >= 0xD800 && ch < 0xE000)
            continue;
        int w = wcwidth((wchar_t)ch);
        differ += w >= 0 && w != cell_width(ch);
        char text[4];
        struct buf out = {0};
        int n = text_encode(ch, text), cells = text_cells(text, (size_t)n), sum = 0;
        text_display(&out, text, (size_t)n);
        size_t used;
        for (size_t at = 0; at < out.bytes; at += used) {
            uint32_t shown = text_decode(out.data + at, out.bytes - at, &used);
            sum += wcwidth((wchar_t)shown);
            bad += shown < 0x20 || (shown >= 0x7F && shown < 0xA0);
        }
        bad += sum != cells;
        buf_release(&out);
    }
    /* Another C library may know other tables; then U+FFFD is shown, and that costs nothing. */
    assert_true(differ < 200);
    assert_int_equal(bad, 0);
}

static void shows(const char *text, const char *expect)
{
    struct buf out = {0};
    text_display(&out, text, strlen(text));
    assert_string_equal(buf_text(&out), expect);
    assert_int_equal(text_cells(text, strlen(text)), text_cells(expect, strlen(expect)));
    buf_release(&out);
}

void test_text_display(void **state)
{
    (void)state;
    ui_locale();
    shows("", "");
    shows("plain", "plain");
    shows("漢字 e\u0301", "漢字 e\u0301");
    shows("\033[31mred", "^[[31mred");
    shows("a\nb\r\x7F", "a^Jb^M^?");
    shows("\xC2\x85x", "<U+0085>x");
    shows("a\u202Eb", "a<U+202E>b");
    shows("\u2066x\u2069", "<U+2066>x<U+2069>");
    shows("\U000E0041", "<U+E0041>");
    shows("❤\uFE0F!", "❤!");
    shows("👨\u200D👩\u200D👧.", "👨.");
    shows("👍\U0001F3FD", "👍");
    shows("a\u200Bb", "ab");
    shows("\U0001FAE9", "\uFFFD"); /* newer than the tables */
    shows("\xFFz", "\uFFFDz");
    shows("ab\tc", "ab      c");
}

void test_text_clusters(void **state)
{
    (void)state;
    const char *text = "ae\u0301👨\u200D👩\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7x";
    const size_t expect[] = {1, 3, 11, 8, 8, 1};
    size_t at = 0, bytes = strlen(text), starts[6];
    for (int i = 0; i < 6; i++) {
        starts[i] = at;
        assert_int_equal(text_cluster(text + at, bytes - at), expect[i]);
        at += expect[i];
    }
    assert_int_equal(at, bytes);
    for (int i = 5; i >= 0; i--) {
        at = text_cluster_before(text, at);
        assert_int_equal(at, starts[i]);
    }
}

void test_text_fold(void **state)
{
    (void)state;
    struct buf out = {0};
    text_fold(&out, "Straße ÄΣ", strlen("Straße ÄΣ"));
    assert_string_equal(buf_text(&out), "strasse äσ");
    buf_release(&out);
}

void test_buf_grows(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_string_equal(buf_text(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    assert_int_equal(b.bytes, 3890);
    assert_int_equal(strlen(buf_text(&b)), 3890);
    buf_clear(&b);
    assert_string_equal(buf_text(&b), "");
    buf_append(&b, "a\0b", 3);
    char *text = buf_take(&b);
    assert_memory_equal(text, "a\0b", 4);
    assert_null(b.data);
    free(text);
    text = buf_take(&b);
    assert_string_equal(text, "");
    free(text);
}
