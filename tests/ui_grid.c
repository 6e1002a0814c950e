/* ui_grid.c -- cells, wrapping, layout. What could break: half a wide character stays behind,
 * something is written outside its rectangle, rows depend on how the text arrived. */
#include "tests/ui.h"
#include "ui/grid.h"
#include "ui/layout.h"
#include "ui/text.h"
#include "ui/wrap.h"

static int put(struct grid *g, int row, int col, int max, enum style s, const char *text)
{
    return grid_put(g, row, col, max, s, text, strlen(text));
}

static void dumps(const struct grid *g, bool styles, const char *expect)
{
    struct buf out = {0};
    grid_dump(g, styles, &out);
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
}

void test_grid_put(void **state)
{
    (void)state;
    ui_locale();
    struct grid g;
    grid_init(&g, 3, 6);
    assert_int_equal(put(&g, 0, 0, 99, STYLE_TEXT, "abcdefgh"), 6);
    assert_int_equal(put(&g, 1, 1, 3, STYLE_USER, "漢字"), 2); /* the second does not fit */
    assert_int_equal(put(&g, 2, 5, 9, STYLE_TEXT, "漢"), 0);
    assert_int_equal(put(&g, 2, 0, 9, STYLE_TEXT, "e\u0301x"), 2);
    assert_int_equal(put(&g, -1, 0, 9, STYLE_TEXT, "a"), 0);
    assert_int_equal(put(&g, 3, 0, 9, STYLE_TEXT, "a"), 0);
    assert_int_equal(put(&g, 0, 6, 9, STYLE_TEXT, "a"), 0);
    assert_int_equal(put(&g, 0, -1, 9, STYLE_TEXT, "a"), 0);
    assert_int_equal(put(&g, 0, 0, -5, STYLE_TEXT, "a"), 0);
    dumps(&g, true, "abcdef\n 漢\n|.uu\ne\u0301x\n");
    grid_release(&g);
}

/* Overwriting one half of a wide character blanks the other. */
void test_grid_wide_halves(void **state)
{
    (void)state;
    ui_locale();
    struct grid g;
    grid_init(&g, 2, 6);
    put(&g, 0, 0, 9, STYLE_TEXT, "漢字漢");
    put(&g, 0, 1, 9, STYLE_TEXT, "x");
    put(&g, 0, 4, 9, STYLE_TEXT, "y");
    put(&g, 1, 0, 9, STYLE_TEXT, "漢字");
    put(&g, 1, 1, 9, STYLE_TEXT, "漢");
    dumps(&g, false, " x字y\n 漢\n");
    for (int i = 0; i < 12; i++)
        assert_true(g.cell[i].width <= 2);
    grid_release(&g);
}

void test_grid_marks(void **state)
{
    (void)state;
    ui_locale();
    struct grid g;
    grid_init(&g, 1, 4);
    struct buf text = {0};
    buf_puts(&text, "a");
    for (int i = 0; i < 100; i++)
        buf_puts(&text, "\u0301");
    buf_puts(&text, "b");
    assert_int_equal(grid_put(&g, 0, 0, 4, STYLE_TEXT, text.data, text.bytes), 2);
    assert_string_equal(g.cell[0].text, "a\u0301\u0301\u0301\u0301");
    assert_string_equal(g.cell[1].text, "b");
    assert_int_equal(put(&g, 0, 0, 4, STYLE_TEXT, "\u0301z"), 1); /* a mark on nothing */
    buf_release(&text);
    grid_release(&g);
}

void test_grid_same_row(void **state)
{
    (void)state;
    struct grid a, b, c;
    grid_init(&a, 2, 5);
    grid_init(&b, 2, 5);
    grid_init(&c, 2, 6);
    assert_true(grid_same_row(&a, &b, 1));
    assert_false(grid_same_row(&a, &c, 1));
    assert_false(grid_same_row(&a, &b, 2));
    grid_fill(&b, 1, 1, 2, STYLE_TEXT, "-");
    assert_false(grid_same_row(&a, &b, 1));
    grid_fill(&a, 1, 1, 2, STYLE_DIM, "-");
    assert_false(grid_same_row(&a, &b, 1));
    grid_fill(&a, 1, 1, 2, STYLE_TEXT, "-");
    assert_true(grid_same_row(&a, &b, 1));
    grid_resize(&a, 1, 1);
    grid_fill(&a, 0, 0, 9, STYLE_TEXT, "-");
    dumps(&a, false, "-\n");
    grid_release(&a);
    grid_release(&b);
    grid_release(&c);
}

/* The rows joined by "|". */
static void wraps(const char *text, int cols, enum wrap_mode mode, const char *expect)
{
    struct buf out = {0};
    struct wrap_row r = {.more = true};
    for (int i = 0; r.more; i++) {
        size_t at = r.next;
        wrap_row(text, strlen(text), at, cols, mode, &r);
        assert_int_equal(r.start, at);
        buf_puts(&out, i ? "|" : "");
        buf_append(&out, text + r.start, r.bytes);
    }
    assert_int_equal(r.next, strlen(text));
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
}

void test_wrap_words(void **state)
{
    (void)state;
    ui_locale();
    wraps("", 5, WRAP_WORDS, "");
    wraps("one two three", 7, WRAP_WORDS, "one two|three");
    wraps("one two three", 8, WRAP_WORDS, "one two|three");
    wraps("one two three", 5, WRAP_WORDS, "one|two|three");
    wraps("abcdefghij", 4, WRAP_WORDS, "abcd|efgh|ij");
    wraps("a bcdefghij", 4, WRAP_WORDS, "a|bcde|fghi|j");
    wraps("one\ntwo\n", 9, WRAP_WORDS, "one|two|");
    wraps("one\r\n\r\ntwo", 9, WRAP_WORDS, "one||two");
    wraps("full  \nnext", 4, WRAP_WORDS, "full|next"); /* blanks hang over the edge */
    wraps("full   ", 4, WRAP_WORDS, "full");
    wraps("    deep", 6, WRAP_WORDS, "    de|ep");
    wraps("        deep", 6, WRAP_WORDS, "|deep");
    wraps("漢字漢字", 5, WRAP_WORDS, "漢字|漢字");
    wraps("ab漢字", 3, WRAP_WORDS, "ab|漢|字");
    wraps("漢字。漢", 4, WRAP_WORDS, "漢|字。|漢"); /* no row begins with 。 */
    wraps("漢「字」", 4, WRAP_WORDS, "漢|「字|」");
    wraps("ab 漢", 4, WRAP_WORDS, "ab|漢");
    wraps("漢", 1, WRAP_WORDS, "漢");
    wraps("a\u200Bb\u0301c", 2, WRAP_WORDS, "a\u200Bb\u0301|c");
    wraps("a\tb", 9, WRAP_WORDS, "a\tb");
    wraps("a\tb", 8, WRAP_WORDS, "a|b");
}

void test_wrap_cells(void **state)
{
    (void)state;
    ui_locale();
    wraps("one two", 4, WRAP_CELLS, "one |two");
    wraps("one  two", 4, WRAP_CELLS, "one | two");
    wraps("漢字a", 3, WRAP_CELLS, "漢|字a");
    wraps("abcd\ne", 4, WRAP_CELLS, "abcd|e");
    int row, col;
    const char *text = "abcdef\n漢x";
    size_t bytes = strlen(text);
    static const int expect[][3] = {{0, 0, 0}, {3, 0, 3}, {4, 1, 0}, {6, 1, 2},
                                    {7, 2, 0}, {10, 2, 2}, {11, 2, 3}};
    for (size_t i = 0; i < sizeof expect / sizeof expect[0]; i++) {
        assert_int_equal(wrap_find(text, bytes, (size_t)expect[i][0], 4, &row, &col), 3);
        assert_int_equal(row, expect[i][1]);
        assert_int_equal(col, expect[i][2]);
        if (expect[i][0] != 6) /* the end of a row is not a place where its line goes on */
            assert_int_equal(wrap_offset(text, bytes, row, col, 4), expect[i][0]);
    }
    assert_int_equal(wrap_offset(text, bytes, 2, 1, 4), 7);
    assert_int_equal(wrap_offset(text, bytes, 2, 99, 4), 11);
    assert_int_equal(wrap_offset(text, bytes, 0, 99, 4), 3);
}

/* Rows before the last one never change when text is added, for any text and any width. */
void test_wrap_rows_stay(void **state)
{
    (void)state;
    ui_locale();
    static const char *const pieces[] = {"a", "bc", " ", "  ", "\n", "漢", "、", "（", "e\u0301",
                                         "👍", "\U0001F3FD", "\u200D", "\t", ".", "-", "\u1161"};
    struct ui_random r = {11};
    for (int round = 0; round < 400; round++) {
        struct buf text = {0};
        size_t last = 0;
        int cols = 1 + (int)ui_random(&r, 9), rows_before = 0;
        for (int i = 0; i < 60; i++) {
            buf_puts(&text, pieces[ui_random(&r, sizeof pieces / sizeof pieces[0])]);
            struct wrap_row w = {.more = true};
            int rows = 0;
            bool met = last == 0;
            size_t start = 0;
            while (w.more) {
                wrap_row(text.data, text.bytes, w.next, cols, WRAP_WORDS, &w);
                met |= w.start == last;
                start = w.start;
                rows++;
            }
            if (!met || rows < rows_before)
                fail_msg("'%s' at %d cols: row start %zu is gone", text.data, cols, last);
            last = start;
            rows_before = rows;
        }
        buf_release(&text);
    }
}

static void covers(const struct layout *l, int rows, int cols)
{
    const struct rect *parts[] = {&l->header, &l->transcript, &l->rule, &l->editor, &l->status};
    int next = 0;
    for (int i = 0; i < 5; i++) {
        if (!parts[i]->rows)
            continue;
        assert_int_equal(parts[i]->row, next);
        assert_int_equal(parts[i]->col, 0);
        assert_int_equal(parts[i]->cols, cols);
        assert_true(parts[i]->rows > 0);
        next += parts[i]->rows;
    }
    assert_int_equal(next, rows);
    assert_true(l->editor.rows >= 1);
}

void test_layout_sizes(void **state)
{
    (void)state;
    for (int rows = 1; rows < 70; rows++)
        for (int cols = 1; cols < 220; cols += cols < 70 ? 1 : 37)
            for (int draft = 0; draft < 100; draft = draft * 2 + 1) {
                struct layout l;
                layout_compute(&l, rows, cols, draft, draft % 5);
                covers(&l, rows, cols);
                assert_true(l.status.rows <= 3 && (rows < 2 || l.status.rows >= 1));
                assert_int_equal(l.small, rows < 10 || cols < 40);
                if (l.small)
                    continue;
                assert_true(l.editor.rows <= rows / 3);
                assert_true(l.transcript.rows >= 2);
            }
}
