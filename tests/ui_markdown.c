/* ui_markdown.c -- answers as rows. What could break: rows depend on how the text arrived, a piece
 * is cut where Markdown would not end it, a text that costs more than it is long. */
#include "tests/ui.h"
#include "ui/markdown.h"

/* Rows as text, with styles as a second line like grid_dump() writes them. */
static void dump(const struct markdown *m, bool styles, struct buf *out)
{
    for (int i = 0; i < markdown_rows(m); i++) {
        const struct row *r = markdown_row(m, i);
        struct buf line = {0}, letters = {0};
        for (int k = 0; k < (int)r->n_run; k++) {
            const struct run *run = markdown_run(m, r, k);
            buf_append(&line, markdown_text(m, run), run->bytes);
            for (uint32_t n = 0; n < run->bytes; n++)
                buf_append(&letters, run->style == STYLE_TEXT ? "." : style_name(run->style), 1);
        }
        buf_puts(out, buf_text(&line));
        buf_puts(out, styles ? "\n|" : "\n");
        buf_puts(out, styles ? buf_text(&letters) : "");
        buf_puts(out, styles ? "\n" : "");
        buf_release(&line);
        buf_release(&letters);
    }
}

static void lays(const char *text, int cols, bool styles, const char *expect)
{
    struct markdown *m = markdown_new();
    struct buf out = {0};
    markdown_layout(m, text, strlen(text), cols, false);
    dump(m, styles, &out);
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
    markdown_free(&m);
    markdown_free(&m);
}

void test_markdown_blocks(void **state)
{
    (void)state;
    ui_locale();
    lays("", 20, false, "");
    lays("```diff\n+two words\n```\n```c\ntwo words\n```\n", 10, false,
         "diff   ⟨1⟩\n  +two\n  words\n\nc      ⟨2⟩\n  two word\n  s\n");
    lays("# Head\nText that\nhas lines and is long\n\n\nMore\n***\n", 20, true,
         "Head\n|hhhh\nText that\n|.........\nhas lines and is\n|................\nlong\n|....\n"
         "\n|\nMore\n|....\n\n|\n────────────────────\n|"
         "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\n");
    lays("> quoted text\n> and\n>> more\n\nplain", 14, false,
         "▌ quoted text\n▌ and\n▌ \n▌ ▌ more\n\nplain\n");
    lays("<b>html</b>\n\n<div>\n*x*", 30, false, "<b>html</b>\n\n<div>\nx\n");
    /* Marks that are not finished are text. */
    lays("Text\n-", 20, false, "Text\n-\n");
    lays("Text\n--", 20, false, "Text\n--\n");
    lays("Text\n--\n", 20, true, "Text\n|hhhh\n");
    lays("a **b", 20, false, "a **b\n");
}

void test_markdown_lists(void **state)
{
    (void)state;
    ui_locale();
    lays("Do:\n\n- one that is long\n- two\n  - inner\n\nend", 14, false,
         "Do:\n• one that is\n  long\n• two\n  ◦ inner\n\nend\n");
    lays("9. a\n10. b\n\n    para", 20, false, "9. a\n\n10. b\n    \n    para\n");
    lays("- [ ] open\n- [x] done", 20, false, "☐ open\n☑ done\n");
    lays("-\n- x", 20, false, "• \n• x\n");
    lays("1. Run:\n   ```sh\n   ls -l\n   ```\n2. Look", 30, false,
         "1. Run:\n   sh                      ⟨1⟩\n     ls -l\n2. Look\n");
}

void test_markdown_spans(void **state)
{
    (void)state;
    ui_locale();
    lays("a *b* **c** `d` ~~e~~", 40, true, "a b c d ~~e~~\n|..e.s.c.sssss\n");
    lays("[text](http://x.y) <http://z> http://w.de/a", 80, true,
         "text (http://x.y) http://z http://w.de/a\n"
         "|llllddddddddddddd.llllllll.lllllllllllll\n");
    lays("![alt](a.png) &lt;&amp;&#65;&#x42;&nosuch; \\*", 60, false,
         "image: alt (a.png) <&AB&nosuch; *\n");
    lays("cost $a_1*b*2$ and $5", 40, false, "cost $a_1*b*2$ and $5\n");
    lays("[a]\n\n[a]: http://b", 40, false, "[a]\n"); /* it may go on */
    lays("[a]\n\n[a]: http://b\n\n", 40, false, "a (http://b)\n");
    lays("[a] [B]\n\n[a]: http://b\n[b]: c \"title\"\n[a]: no\n\n- [a]\n", 40, false,
         "a (http://b) B (c)\n• a (http://b)\n");
    lays("[a]\n\n[a]: b\n\"title\"\n\n> [c]: d\n\n[c]\n", 40, false, "a (b)\n\n▌ \n\nc (d)\n");
}

void test_markdown_tables(void **state)
{
    (void)state;
    ui_locale();
    const char *table = "| Name | Number |\n|:--|--:|\n| **a** | 1 |\n| long name here | 22 |\n";
    lays(table, 40, false,
         "Name           │ Number\n───────────────┼───────\n"
         "a              │      1\nlong name here │     22\n");
    lays(table, 20, false,
         "Name        │ Number\n────────────┼───────\na           │      1\n"
         "long name   │     22\nhere        │       \n");
    lays(table, 12, false, "Name\n  a\nNumber\n  1\n\nName\n  long name\n  here\nNumber\n  22\n");
    lays("| a |\n", 20, false, "| a |\n"); /* no table yet */
    lays("| 漢字 | b |\n|---|:---:|\n| x | yyy |", 20, false,
         "漢字 │  b \n─────┼────\nx    │ yyy\n");
}

static void copies(const char *text, int number, const char *expect)
{
    struct markdown *m = markdown_new();
    struct buf out = {0};
    int first, last;
    for (size_t i = 0; i <= strlen(text); i++)
        markdown_layout(m, text, i, 30, false);
    markdown_codes(m, &first, &last);
    assert_true(number >= first && number <= last);
    markdown_code(m, number, &out);
    assert_string_equal(buf_text(&out), expect);
    buf_clear(&out);
    markdown_code(m, last + 1, &out);
    assert_int_equal(out.bytes, 0);
    buf_release(&out);
    markdown_free(&m);
}

void test_markdown_code(void **state)
{
    (void)state;
    ui_locale();
    lays("See\n```c\nint x; // a long comment\n\n\ty;\n```\nend", 20, true,
         "See\n|...\nc                ⟨1⟩\n|d................ddddddd\n"
         "  int x; // a long c\n|..tttbbbbccccccccccc\n  omment\n|..cccccc\n  \n|..\n"
         "  \ty;\n|..bbb\n\n|\nend\n|...\n");
    lays("~~~~ {.python x}\n```\n~~~\n1\n~~~~\n", 20, false,
         "python           ⟨1⟩\n  ```\n  ~~~\n  1\n");
    lays("``` a`b\nc", 20, false, "``` a`b\nc\n");
    copies("```\na\n```\n\ntext\n```c\n    if\n\n      x\n    y\n```\nz", 2, "if\n\n  x\ny\n");
    copies("```\na\r\nb", 1, "a\r\nb");
    copies("- x\n  ```\n  one\n    two\n  ```\n", 1, "one\n  two\n");
    copies("- x\n  ```make\n  all:\n  \tgcc x\n  \t\ty\n  ```\n", 1, "all:\n\tgcc x\n\t\ty\n");
    copies("1. x\n   ```\n\ty\n     \tz\n   ```\n", 1, "y\n \tz\n");
    copies("```\n```\n", 1, "");
    copies("    indented\n    code\n", 1, "indented\ncode\n");
}

void test_markdown_ascii(void **state)
{
    (void)state;
    ui_locale();
    const char *text = "- a\n  - b\n- [x] c\n\n> q\n\n---\n\n|a|b|\n|---|---|\n|1|2|\n\n"
                       "```c\nx\n```\n";
    struct markdown *m = markdown_new();
    struct buf out = {0};
    markdown_layout(m, text, strlen(text), 20, true);
    dump(m, false, &out);
    assert_string_equal(buf_text(&out),
                        "- a\n  - b\n[x] c\n\n| q\n\n--------------------\n\n"
                        "a | b\n--+--\n1 | 2\n\nc                [1]\n  x\n");
    for (size_t i = 0; i < out.bytes; i++)
        assert_true((unsigned char)out.data[i] < 0x80);
    buf_release(&out);
    markdown_free(&m);
}

/* ---- the property -------------------------------------------------------------------------- */

static char *rows_of(struct markdown *m)
{
    struct buf out = {0};
    dump(m, true, &out);
    return buf_take(&out);
}

/* Without two blank lines in a row: there, and behind a heading or a rule in an item, md4c 0.4.8
 * takes what was long ago for the list at hand. */
static void squeeze(const struct buf *text, struct buf *out)
{
    bool blank = false;
    for (size_t at = 0, n; at < text->bytes; at += n) {
        n = strcspn(text->data + at, "\n") + 1;
        bool now = strspn(text->data + at, " \r") == n - 1;
        if (!now || !blank)
            buf_append(out, text->data + at, n);
        blank = now;
    }
}

static void random_text(struct ui_random *r, bool definitions, struct buf *out)
{
    struct buf raw = {0};
    static const char *const pieces[] = {
        "\n", "\n", "\n\n", "\n\n", " ", "  ", "    ", "word ", "word", "- ", "* ", "1. ", "+ ",
        "10) ", "```", "```c", "`", "~~~", "````", "> ", "\n# x\n", "\n\n## x\n\n", "**", "*",
        "_", "|", "| a ",
        "|--|--|", "| -- | -- |\n", "\n---\n", "\n===\n", "[a](b)", "![", "](c)", "<div>", "</div>",
        "&amp;", "$", "$$", "\\*", "漢", "e\u0301", "http://x.y ", "\r\n", "\r", "\xE6", "- [ ] ",
        "text\n\n", "\n```\n", "\n```\n", "\n- ", "\n  ```\n", "\n   ```\n", "\n1. x\n\n   ```\n",
        "\n> ```\n", "\n\n    code\n", "2019. ", ": ", "~~x~~", "\n- a\n- b\n\n"};
    int n = 5 + (int)ui_random(r, 60);
    for (int i = 0; i < n; i++)
        buf_puts(&raw, pieces[ui_random(r, sizeof pieces / sizeof pieces[0])]);
    buf_puts(&raw, definitions ? "\n\n[a]: b\n\nend\n" : "\n\nend\n");
    squeeze(&raw, out);
    buf_release(&raw);
}

/* In pieces of any size, at once, and read by the parser as one: always the same rows. */
void test_markdown_streams(void **state)
{
    (void)state;
    ui_locale();
    const char *many = getenv("DUET_ROUNDS");
    int rounds = many ? atoi(many) : 3000;
    struct ui_random r = {17};
    for (int round = 0; round < rounds; round++) {
        struct buf text = {0};
        struct markdown *streamed = markdown_new(), *once = markdown_new(), *whole = markdown_new();
        int cols = 1 + (int)ui_random(&r, 60);
        random_text(&r, round % 16 == 0, &text);
        for (size_t at = 0; at < text.bytes;) {
            size_t left = text.bytes - at;
            at += 1 + ui_random(&r, left < 40 ? (unsigned)left : 40);
            if (text.data[at - 1] != '\r')
                markdown_layout(streamed, buf_text(&text), at, cols, false);
        }
        markdown_layout(once, buf_text(&text), text.bytes, cols, false);
        markdown_whole(whole);
        markdown_layout(whole, buf_text(&text), text.bytes, cols, false);
        char *a = rows_of(streamed), *b = rows_of(once), *c = rows_of(whole);
        if (strcmp(a, b) != 0 || strcmp(b, c) != 0)
            fail_msg("round %d, %d columns, the text\n%s\nstreamed:\n%s\nonce:\n%s\nwhole:\n%s",
                     round, cols, buf_text(&text), a, b, c);
        free(a);
        free(b);
        free(c);
        buf_release(&text);
        markdown_free(&streamed);
        markdown_free(&once);
        markdown_free(&whole);
    }
}

/* Texts that could cost far more than they are long. */
void test_markdown_hostile(void **state)
{
    (void)state;
    ui_locale();
    static const char *const unit[] = {">", "- ", "*", "_", "[", "![", "`", "<", "|a", "|", "~",
                                       "(", "]:", "**a", "`a`` ", "1. ", "&", "\\", "$", "\n|",
                                       "http://", "a|b\n--|--\n", "[a](", "- \n", "#\n", "*a_"};
    struct ui_random r = {23};
    for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++) {
        struct buf text = {0};
        struct markdown *m = markdown_new();
        while (text.bytes < 20000)
            buf_puts(&text, unit[i]);
        markdown_layout(m, buf_text(&text), text.bytes, 60, false);
        assert_true(markdown_rows(m) > 0);
        markdown_layout(m, buf_text(&text), text.bytes, 1, true);
        markdown_free(&m);
        buf_release(&text);
    }
    /* A table of many columns whose rows are filled up: its cells would outnumber its bytes. */
    struct buf text = {0};
    struct markdown *m = markdown_new();
    for (int row = 0; row < 2; row++) {
        for (int i = 0; i < 5000; i++)
            buf_puts(&text, row ? "|--" : "|a");
        buf_puts(&text, "|\n");
    }
    for (int i = 0; i < 20000; i++)
        buf_puts(&text, "|\n");
    markdown_layout(m, buf_text(&text), text.bytes, 60, false);
    assert_true(markdown_rows(m) < 30000);
    markdown_free(&m);
    buf_clear(&text);
    for (int i = 0; i < 30000; i++) {
        char c = (char)ui_random(&r, 256);
        buf_append(&text, &c, 1);
    }
    m = markdown_new();
    for (size_t at = 0; at <= text.bytes; at += 500)
        markdown_layout(m, buf_text(&text), at, 40, false);
    markdown_free(&m);
    buf_release(&text);
}

/* What waits for more, when nothing comes, and when something comes all the same. */
void test_markdown_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text, *open, *ended;
    } rows[] = {{"[a]\n\n[a]: b", "[a]\n", "a (b)\n"},
                {"a\n\n-", "a\n-\n", "a\n• \n"}, {"a\n==", "a\n==\n", "a\n"},
                {"[a]\n\n[a]: b\n", "[a]\n", "a (b)\n"}};
    ui_locale();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct markdown *m = markdown_new();
        const char *text = rows[i].text;
        for (int ended = 0; ended < 3; ended++) {
            struct buf out = {0};
            markdown_end(m, ended == 1);
            markdown_layout(m, text, strlen(text), 40, false);
            dump(m, false, &out);
            assert_string_equal(buf_text(&out), ended == 1 ? rows[i].ended : rows[i].open);
            buf_release(&out);
        }
        markdown_free(&m);
    }
}

/* Long answers whose pieces hang on each other: laying out one more word must cost about that
 * word. Counted in rows that are made, not in time. */
static int rows_made(const char *begin, const char *middle, int n)
{
    struct buf text = {0};
    struct markdown *m = markdown_new();
    buf_puts(&text, begin);
    for (int i = 0; i < n; i++)
        buf_puts(&text, middle);
    markdown_layout(m, buf_text(&text), text.bytes, 60, false);
    int made = markdown_made(m);
    for (int i = 0; i < 10; i++) {
        buf_puts(&text, "word ");
        markdown_layout(m, buf_text(&text), text.bytes, 60, false);
    }
    made = markdown_made(m) - made;
    assert_true(markdown_rows(m) > n);
    markdown_free(&m);
    buf_release(&text);
    return made;
}

void test_markdown_keeps(void **state)
{
    (void)state;
    ui_locale();
    assert_true(rows_made("", "A paragraph.\n\n", 200) < 30);
    assert_true(rows_made("See [a].\n\n[a]: http://b\n\n", "A paragraph, see [a].\n\n", 200) < 30);
    assert_true(rows_made("An array[1]: it is\n\n", "x[i]: a value\n\n", 200) < 30);
    assert_true(rows_made("1. Run:\n\n   ```sh\n   ls\n     ```\n\nThen\n\n", "A paragraph.\n\n",
                          200) < 30);
    assert_true(rows_made("1. Run:\n\n   ```sh\n   ls\n```\n\nThen\n\n", "A paragraph.\n\n",
                          200) < 30);
    assert_true(rows_made("- Run:\n  ```\nls\n\n", "A paragraph.\n\n", 200) < 30);
}
