/* ui_transcript.c -- the conversation as rows. What could break: what is shown depends on how the
 * text arrived, the view jumps while text comes in or the size changes. */
#include "tests/ui.h"
#include "ui/text.h"
#include "ui/transcript.h"

static void add(struct transcript *t, enum entry_kind kind, const char *label, const char *text)
{
    int i = transcript_add(t, kind, label, STYLE_LABEL);
    transcript_append(t, i, text, strlen(text));
}

/* What a view of this size shows; the caller frees it. */
static char *show(struct transcript *t, int rows, int cols, bool styles)
{
    struct grid g;
    struct buf out = {0};
    grid_init(&g, rows, cols);
    transcript_draw(t, &g, 0, 0, rows, cols);
    grid_dump(&g, styles, &out);
    grid_release(&g);
    return buf_take(&out);
}

static void shows(struct transcript *t, int rows, int cols, const char *expect)
{
    char *got = show(t, rows, cols, false);
    assert_string_equal(got, expect);
    free(got);
}

void test_transcript_labels(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = transcript_new();
    shows(t, 2, 60, "\n\n");
    add(t, ENTRY_USER, "you", "why?");
    add(t, ENTRY_ANSWER, "Pro-Max", "Because.\nSo.\n\n");
    add(t, ENTRY_NOTE, "", "a note");
    add(t, ENTRY_USER, "you", "漢字");
    add(t, ENTRY_ANSWER, "Flash", "");
    shows(t, 8, 60, "you     why?\nPro-Max Because.\n        So.\n        a note\n\n"
                    "you     漢字\nFlash\n\n");
    shows(t, 12, 49, "you\nwhy?\nPro-Max\nBecause.\nSo.\na note\n\nyou\n漢字\nFlash\n\n\n");
    add(t, ENTRY_ANSWER, "a long label", "text");
    shows(t, 3, 60, "Flash\na long label\n        text\n");
    transcript_free(&t);
    assert_null(t);
    transcript_free(&t);
}

void test_transcript_code(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = transcript_new();
    add(t, ENTRY_USER, "", "See\n```c\nint x;\n~~~\n```\nend\n  ~~~\ny");
    char *got = show(t, 9, 50, true);
    assert_string_equal(got,
                        "        See\n|........uuu\n        ```c\n|........cccc\n"
                        "        int x;\n|........cccccc\n"
                        "        ~~~\n|........ccc\n        ```\n|........ccc\n"
                        "        end\n|........uuu\n"
                        "          ~~~\n|........ccccc\n        y\n|........c\n\n");
    free(got);
    transcript_free(&t);

    /* A fence that arrives sign by sign in a column of one cell colours all its rows. */
    t = transcript_new();
    transcript_add(t, ENTRY_USER, "", STYLE_LABEL);
    for (int i = 0; i < 3; i++) {
        transcript_append(t, 0, "`", 1);
        free(show(t, 4, 1, false));
    }
    got = show(t, 4, 1, true);
    assert_string_equal(got, "`\n|c\n`\n|c\n`\n|c\n\n");
    free(got);
    transcript_free(&t);
}

void test_transcript_fold(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = transcript_new();
    add(t, ENTRY_USER, "you", "q");
    add(t, ENTRY_THINKING, "Pro-Max", "first\nsecond");
    shows(t, 3, 60, "you     q\nPro-Max ▸ thinking\n\n");
    transcript_summary(t, 1, "thought 812 tok, 9.4 s");
    add(t, ENTRY_ANSWER, "", "a");
    assert_true(transcript_folded(t));
    shows(t, 4, 60, "you     q\nPro-Max ▸ thought 812 tok, 9.4 s\n        a\n\n");
    transcript_ascii(t, true);
    shows(t, 4, 60, "you     q\nPro-Max > thought 812 tok, 9.4 s\n        a\n\n");
    transcript_fold(t, false);
    shows(t, 4, 60, "you     q\nPro-Max first\n        second\n        a\n");
    transcript_free(&t);
}

static struct transcript *numbers(int n)
{
    struct transcript *t = transcript_new();
    for (int i = 0; i < n; i++) {
        char text[16];
        snprintf(text, sizeof text, "n%d", i);
        add(t, ENTRY_ANSWER, "", text);
    }
    return t;
}

void test_transcript_scroll(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = numbers(10);
    transcript_scroll(t, -1); /* before the first drawing: nothing */
    shows(t, 3, 40, "n7\nn8\nn9\n");
    assert_int_equal(transcript_below(t), 0);
    transcript_scroll(t, -2);
    shows(t, 3, 40, "n5\nn6\nn7\n");
    assert_int_equal(transcript_below(t), 2);
    /* Text that comes in leaves the view alone. */
    add(t, ENTRY_ANSWER, "", "n10");
    transcript_append(t, 9, "\nmore", 5);
    shows(t, 3, 40, "n5\nn6\nn7\n");
    assert_int_equal(transcript_below(t), 4);
    /* Forward to the end, and it sticks. */
    transcript_scroll(t, 100);
    shows(t, 3, 40, "n9\nmore\nn10\n");
    add(t, ENTRY_ANSWER, "", "n11");
    shows(t, 3, 40, "more\nn10\nn11\n");
    transcript_scroll(t, -1000);
    shows(t, 3, 40, "n0\nn1\nn2\n");
    transcript_scroll(t, 1);
    shows(t, 3, 40, "n1\nn2\nn3\n");
    transcript_to(t, true);
    shows(t, 3, 40, "more\nn10\nn11\n");
    transcript_to(t, false);
    shows(t, 3, 40, "n0\nn1\nn2\n");
    assert_int_equal(transcript_below(t), 10);
    /* Room for everything: the end again. */
    shows(t, 20, 40, "n0\nn1\nn2\nn3\nn4\nn5\nn6\nn7\nn8\nn9\nmore\nn10\nn11\n\n\n\n\n\n\n\n");
    shows(t, 3, 40, "more\nn10\nn11\n");
    transcript_cut(t, 2);
    assert_int_equal(transcript_count(t), 2);
    shows(t, 3, 40, "n0\nn1\n\n");
    transcript_scroll(t, -1);
    assert_int_equal(transcript_below(t), 0);
    transcript_clear(t);
    shows(t, 1, 40, "\n");
    transcript_scroll(t, -1);
    transcript_to(t, false);
    transcript_free(&t);
}

/* Another width: the text at the top stays at the top. */
void test_transcript_anchor(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = transcript_new();
    add(t, ENTRY_ANSWER, "", "aa bb cc dd ee ff gg hh");
    for (int i = 0; i < 20; i++)
        add(t, ENTRY_ANSWER, "", "tail");
    shows(t, 2, 5, "tail\ntail\n");
    transcript_to(t, false);
    transcript_scroll(t, 2);
    shows(t, 2, 5, "ee ff\ngg hh\n");
    shows(t, 2, 2, "ee\nff\n");
    shows(t, 2, 8, "dd ee ff\ngg hh\n");
    shows(t, 2, 5, "cc dd\nee ff\n");
    transcript_free(&t);
}

/* However the text arrives, the rows are those of the whole text; at any width, folded or not. */
void test_transcript_streams(void **state)
{
    (void)state;
    ui_locale();
    static const char *const pieces[] = {"a", "word", " ", "\n", "`", "``", "```", "~~~", "漢",
                                         "\r", "\r\n", "e\u0301", "👨", "\u200D", "。", "  ", "\t",
                                         "\xE6", "\xBC", "\xA2", "\033[31m", "longlonglonglong"};
    struct ui_random r = {5};
    for (int round = 0; round < 400; round++) {
        struct transcript *t = transcript_new();
        struct buf text = {0};
        int cols = 1 + (int)ui_random(&r, round % 2 ? 4 : 70);
        enum entry_kind kind = round % 4 < 2 ? ENTRY_USER : ENTRY_ANSWER;
        transcript_add(t, kind, "x", STYLE_LABEL);
        for (int i = 0; i < 80; i++) {
            const char *p = pieces[ui_random(&r, sizeof pieces / sizeof pieces[0])];
            buf_puts(&text, p);
            transcript_append(t, 0, p, strlen(p));
            free(show(t, 6, cols, true));
            if (ui_random(&r, 30) == 0)
                cols = 1 + (int)ui_random(&r, 70);
        }
        struct transcript *whole = transcript_new();
        transcript_add(whole, kind, "x", STYLE_LABEL);
        transcript_append(whole, 0, text.data, text.bytes);
        char *one = show(t, 400, cols, true), *other = show(whole, 400, cols, true);
        assert_string_equal(one, other);
        free(one);
        free(other);
        buf_release(&text);
        transcript_free(&t);
        transcript_free(&whole);
    }
}

/* Any order of what the program can do: no crash, and the view is full whenever it can be. */
void test_transcript_random(void **state)
{
    (void)state;
    ui_locale();
    struct ui_random r = {3};
    struct transcript *t = numbers(3);
    int rows = 5, cols = 50;
    for (int i = 0; i < 6000; i++) {
        int n = transcript_count(t);
        switch (ui_random(&r, 9)) {
        case 0: add(t, (enum entry_kind)ui_random(&r, 5), i % 2 ? "me" : "", "x\ny z"); break;
        case 1: transcript_scroll(t, -(int)ui_random(&r, 12)); break;
        case 2: transcript_scroll(t, (int)ui_random(&r, 12)); break;
        case 3: transcript_fold(t, ui_random(&r, 2)); break;
        case 4: transcript_cut(t, n > 40 ? n / 2 : n); break;
        case 5: transcript_to(t, ui_random(&r, 2)); break;
        case 6: rows = 1 + (int)ui_random(&r, 20); cols = 1 + (int)ui_random(&r, 80); break;
        default:
            if (n)
                transcript_append(t, (int)ui_random(&r, (unsigned)n), "more text\n", 10);
        }
        free(show(t, rows, cols, false));
        assert_true(transcript_below(t) >= 0);
    }
    transcript_free(&t);
}

/* An answer whose mode changed on the way: blocks of code are numbered through, and a fence that
 * was open stays open unless a thought came between. */
void test_transcript_parts(void **state)
{
    (void)state;
    ui_locale();
    for (int thought = 0; thought < 2; thought++) {
        struct transcript *t = transcript_new();
        add(t, ENTRY_USER, "you", "q");
        add(t, ENTRY_ANSWER, "Flash", "```c\none\n```\n```\ntwo");
        if (thought)
            add(t, ENTRY_THINKING, "Pro", "hm");
        add(t, ENTRY_ANSWER, "Pro", thought ? "*so*\n~~~\nx" : "three\n```\n*so*\n~~~\nx");
        char *got = show(t, 14, 49, false);
        assert_non_null(strstr(got, thought ? "\nso\n" : "\n  three\n\nso\n"));
        assert_non_null(strstr(got, "⟨3⟩\n  x\n"));
        free(got);
        transcript_free(&t);
    }
}

/* What is marked in a view: the letters of the styles where a hit is, dots elsewhere. */
static void marks(struct transcript *t, int rows, int cols, const char *expect)
{
    struct grid g;
    struct buf out = {0};
    grid_init(&g, rows, cols);
    transcript_draw(t, &g, 0, 0, rows, cols);
    for (int row = 0; row < rows; row++) {
        for (int col = 0; col < cols; col++) {
            int s = g.cell[row * cols + col].style;
            buf_puts(&out, s == STYLE_MATCH_NOW ? "N" : s == STYLE_MATCH ? "m" : ".");
        }
        buf_puts(&out, "\n");
    }
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
    grid_release(&g);
}

void test_transcript_find(void **state)
{
    (void)state;
    ui_locale();
    int now;
    struct transcript *t = transcript_new();
    add(t, ENTRY_USER, "", "Ab STRASSE");
    add(t, ENTRY_ANSWER, "", "x **ab** ab\nxab");
    add(t, ENTRY_THINKING, "", "ab");
    transcript_find(t, "ab", 2); /* before the first drawing */
    assert_int_equal(transcript_found(t, &now), 4);
    marks(t, 5, 12, "NN..........\n..mm.mm.....\n.mm.........\n............\n............\n");
    transcript_find_next(t, true);
    assert_int_equal(transcript_found(t, &now), 4);
    assert_int_equal(now, 2);
    transcript_find_next(t, false);
    transcript_find_next(t, false); /* round the beginning */
    transcript_found(t, &now);
    assert_int_equal(now, 4);
    marks(t, 3, 12, "..mm.mm.....\n.NN.........\n............\n");
    transcript_fold(t, false);
    assert_int_equal(transcript_found(t, &now), 5);
    transcript_append(t, 2, " ab", 3);
    assert_int_equal(transcript_found(t, &now), 6);
    transcript_fold(t, true);
    assert_int_equal(transcript_found(t, &now), 4);
    transcript_find(t, "stra\u00DFe", strlen("stra\u00DFe"));
    assert_int_equal(transcript_found(t, &now), 1);
    transcript_cut(t, 0);
    assert_int_equal(transcript_found(t, &now), 0);
    transcript_find_next(t, true);
    transcript_find(t, "", 0);
    assert_int_equal(transcript_found(t, &now), 0);
    transcript_free(&t);
}

/* A hit out of view is brought into it; one that is wrapped is marked in both rows. */
void test_transcript_find_shows(void **state)
{
    (void)state;
    ui_locale();
    int now;
    struct transcript *t = numbers(100);
    transcript_append(t, 50, " the needle", 11);
    shows(t, 3, 40, "n97\nn98\nn99\n");
    transcript_find(t, "NEEDLE", 6);
    shows(t, 3, 40, "n49\nn50 the needle\nn51\n");
    transcript_scroll(t, 1);
    transcript_find_next(t, true);
    shows(t, 3, 40, "n50 the needle\nn51\nn52\n");
    transcript_find(t, "the needle", 10);
    marks(t, 3, 10, "....NNN...\nNNNNNN....\n..........\n");
    transcript_to(t, true);
    transcript_find(t, "n1", 2); /* none behind the view: the first of all */
    shows(t, 3, 40, "n0\nn1\nn2\n");
    assert_int_equal(transcript_found(t, &now), 11);
    assert_int_equal(now, 1);
    transcript_free(&t);
}

void test_transcript_turns(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = transcript_new();
    assert_false(transcript_turn(t, 1));
    for (int i = 0; i < 3; i++) {
        add(t, ENTRY_USER, "", i == 0 ? "q0" : i == 1 ? "q1" : "q2");
        add(t, ENTRY_ANSWER, "", "a\nb\nc");
    }
    shows(t, 2, 20, "b\nc\n");
    assert_false(transcript_turn(t, 1));
    assert_true(transcript_turn(t, -1));
    shows(t, 2, 20, "q2\na\n");
    assert_true(transcript_turn(t, -1));
    shows(t, 2, 20, "q1\na\n");
    transcript_scroll(t, 1);
    transcript_turn(t, -1);
    shows(t, 2, 20, "q1\na\n");
    transcript_turn(t, 1);
    shows(t, 2, 20, "q2\na\n");
    transcript_turn(t, 1);
    shows(t, 2, 20, "b\nc\n");
    for (int i = 0; i < 5; i++)
        assert_int_equal(transcript_turn(t, -1), i < 3);
    shows(t, 2, 20, "q0\na\n");
    transcript_free(&t);
}

/* A note loses its end; it is wrapped and looked into anew. */
void test_transcript_trim(void **state)
{
    (void)state;
    ui_locale();
    int now;
    struct transcript *t = transcript_new();
    add(t, ENTRY_NOTE, "", "answer 1 of 2; a key flips");
    shows(t, 3, 20, "answer 1 of 2; a key\nflips\n\n");
    transcript_find(t, "key", 3);
    assert_int_equal(transcript_found(t, &now), 1);
    transcript_trim(t, 0, ';');
    shows(t, 3, 20, "answer 1 of 2\n\n\n");
    assert_int_equal(transcript_found(t, &now), 0);
    transcript_trim(t, 0, ';');
    shows(t, 3, 20, "answer 1 of 2\n\n\n");
    transcript_free(&t);
}

void test_transcript_copies(void **state)
{
    (void)state;
    ui_locale();
    struct buf out = {0};
    struct transcript *t = transcript_new();
    assert_false(transcript_answer(t, &out));
    assert_false(transcript_code(t, 1, &out));
    add(t, ENTRY_USER, "you", "q");
    add(t, ENTRY_ANSWER, "Flash", "*one*\n```\nfirst\n```\n```\nother\n```\n");
    add(t, ENTRY_THINKING, "Pro", "hidden");
    add(t, ENTRY_ANSWER, "Pro", "and\033[2J\n");
    assert_true(transcript_answer(t, &out));
    assert_string_equal(buf_text(&out),
                        "*one*\n```\nfirst\n```\n```\nother\n```\nand\033[2J\n");
    buf_clear(&out);
    transcript_plain(t, 0, &out);
    assert_string_equal(buf_text(&out), "you:\nq\n\nFlash:\n*one*\n```\nfirst\n```\n```\nother\n"
                                        "```\n\nPro:\nand^[[2J\n");
    add(t, ENTRY_NOTE, "", "one two, three");
    buf_clear(&out);
    transcript_plain(t, 8, &out); /* what was said keeps its lines, a note is wrapped */
    assert_string_equal(buf_text(&out), "you:\nq\n\nFlash:\n*one*\n```\nfirst\n```\n```\nother\n"
                                        "```\n\nPro:\nand^[[2J\n\none two,\nthree\n");
    add(t, ENTRY_USER, "you", "q");
    add(t, ENTRY_ANSWER, "Flash", "```\nlast\n```\n");
    shows(t, 2, 20, "                 ⟨1⟩\n  last\n");
    buf_clear(&out);
    assert_true(transcript_turn_text(t, 0, &out));
    assert_string_equal(buf_text(&out), "q\n\n*one*\n```\nfirst\n```\n```\nother\n```\n"
                                        "\nand\033[2J\n");
    buf_clear(&out);
    assert_true(transcript_turn_text(t, 1, &out));
    assert_string_equal(buf_text(&out), "q\n\n```\nlast\n```\n");
    assert_false(transcript_turn_text(t, 2, &out));
    buf_clear(&out);
    assert_true(transcript_code(t, 1, &out)); /* of the answer in view */
    assert_string_equal(buf_text(&out), "last\n");
    buf_clear(&out);
    assert_true(transcript_code(t, 2, &out)); /* that one has no second block */
    assert_string_equal(buf_text(&out), "other\n");
    transcript_to(t, false);
    buf_clear(&out);
    assert_true(transcript_code(t, 1, &out));
    assert_string_equal(buf_text(&out), "first\n");
    assert_false(transcript_code(t, 3, &out));
    buf_release(&out);
    transcript_free(&t);
}

/* A folded thought names the heading it is at. */
void test_transcript_thought_heading(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shows;
    } rows[] = {{"so it is", "▸ 9 tok\n"},
                {"## The plan\nfirst\n", "▸ 9 tok · The plan\n"},
                {"# One\n\n**Two**\nand", "▸ 9 tok · Two\n"},
                {"Step 1:\nx\nStep 2:\ny = 3\n", "▸ 9 tok · Step 2\n"},
                {"#include <stdio.h>\n", "▸ 9 tok\n"}, {"**", "▸ 9 tok\n"}, {":", "▸ 9 tok\n"}};
    ui_locale();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct transcript *t = transcript_new();
        transcript_fold(t, true);
        int entry = transcript_add(t, ENTRY_THINKING, "", STYLE_THINK);
        transcript_append(t, entry, rows[i].text, strlen(rows[i].text));
        transcript_summary(t, entry, "9 tok");
        shows(t, 1, 40, rows[i].shows);
        transcript_free(&t);
    }
}

/* Words that markup or a line end stands between. */
void test_transcript_find_markup(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        int found;
    } rows[] = {{"a **bold** word", "bold word", 1}, {"`lock(&a)` first", "lock(&a) first", 1},
                {"un*frigging*real", "unfriggingreal", 1}, {"snake_case", "snakecase", 0},
                {"snake_case", "snake_case", 1}, {"two\nlines", "two lines", 1},
                {"2 * 3 * 4", "2 * 3", 1}, {"_so_ it is", "so it", 1}, {"**", "**", 1}};
    ui_locale();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct transcript *t = transcript_new();
        int now, entry = transcript_add(t, ENTRY_ANSWER, "Flash", STYLE_FLASH);
        transcript_append(t, entry, rows[i].text, strlen(rows[i].text));
        transcript_find(t, rows[i].want, strlen(rows[i].want));
        if (transcript_found(t, &now) != rows[i].found)
            fail_msg("'%s' in '%s'", rows[i].want, rows[i].text);
        transcript_free(&t);
    }
}

/* Marks in an answer's markup; a hit comes before a mark; they go with their entry. */
void test_transcript_marks(void **state)
{
    (void)state;
    ui_locale();
    struct transcript *t = transcript_new();
    struct grid g;
    add(t, ENTRY_USER, "you", "q");
    add(t, ENTRY_THINKING, "Pro", "hm");
    add(t, ENTRY_ANSWER, "Pro", "a **bold** word here");
    add(t, ENTRY_NOTE, "", "2 of 3");
    assert_int_equal(transcript_part(t, 0), 1);
    assert_int_equal(transcript_part(t, 1), 2);
    assert_int_equal(transcript_part(t, 2), -1);
    static const struct stretch marks[] = {{1, 0, 1, STYLE_DOUBT}, {2, 0, 6, STYLE_DOUBT_MUCH},
                                           {2, 11, 7, STYLE_DOUBT_NOW}};
    transcript_mark(t, marks, 3);
    transcript_find(t, "word", 4);
    grid_init(&g, 5, 40);
    transcript_draw(t, &g, 0, 0, 5, 40);
    static const struct {
        int col;
        enum style style;
    } cells[] = {{0, STYLE_DOUBT_MUCH}, {1, STYLE_DOUBT_MUCH}, {2, STYLE_DOUBT_MUCH},
                 {3, STYLE_DOUBT_MUCH}, {4, STYLE_STRONG}, {6, STYLE_TEXT}, {7, STYLE_MATCH_NOW},
                 {10, STYLE_MATCH_NOW}, {11, STYLE_DOUBT_NOW}, {12, STYLE_DOUBT_NOW},
                 {13, STYLE_DOUBT_NOW}, {14, STYLE_TEXT}};
    int row = 0;
    while (row < 5 && strcmp(g.cell[row * 40].text, "a") != 0)
        row++;
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        if (g.cell[row * 40 + cells[i].col].style != cells[i].style)
            fail_msg("cell %d has style %d", cells[i].col, g.cell[row * 40 + cells[i].col].style);
    transcript_cut(t, 2);
    add(t, ENTRY_ANSWER, "Pro", "another");
    grid_blank(&g);
    transcript_draw(t, &g, 0, 0, 5, 40);
    for (int i = 0; i < 5 * 40; i++)
        assert_int_not_equal(g.cell[i].style, STYLE_DOUBT_MUCH);
    transcript_mark(t, NULL, 0);
    grid_release(&g);
    transcript_free(&t);
}
