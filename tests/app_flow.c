/* app_flow.c -- text broken between words. What could break: a word parted where a terminal would
 * part it, a line of code or of a table that is not what it was, a text that depends on the pieces
 * it came in. */
#include "tests/test.h"

#include "app/flow.h"
#include "ui/text.h"

static void flows(const char *text, int cols, size_t piece, const char *want)
{
    struct flow f = {.cols = cols};
    struct buf out = {0};
    size_t n = strlen(text), step;
    for (size_t at = 0; at < n; at += step) {
        step = n - at < piece ? n - at : piece;
        while (at + step < n && ((unsigned char)text[at + step] & 0xc0) == 0x80)
            step++; /* characters come whole */
        flow_put(&f, text + at, step, &out);
    }
    flow_end(&f, &out);
    assert_string_equal(buf_text(&out), want);
    flow_release(&f);
    buf_release(&out);
}

void test_flow_breaks(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"one two three four", "one two\nthree four"},
        {"one two th", "one two th"},
        {"ten letter", "ten letter"},
        {"- one two three", "- one two\n  three"},
        {"a\n* bb cc dd ee\nff gg hh ii", "a\n* bb cc dd\n  ee\nff gg hh\nii"},
        {"one  two \nthree", "one  two\nthree"},
        {"a-word-longer-than-it b", "a-word-longer-than-it b"},
        {"```c\nint one = two;\n```\none two three", "```c\nint one = two;\n```\none two\nthree"},
        {"| one | two | three |", "| one | two | three |"},
        {"    one two three", "    one two three"},
        {"\tone\ttwo three", "\tone\ttwo three"},
        {"字字字字字字", "字字字字字\n字"},
        {"", ""}, {"\n\n", "\n\n"}, {"> ", "> "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t piece = 1; piece < 30; piece++)
            flows(rows[i].text, 10, piece, rows[i].want);
    flows("one two three four", 0, 3, "one two three four");
}

/* Behind a label a fence is one; an answer that ended in the middle of one ends it. */
void test_flow_begins(void **state)
{
    (void)state;
    struct flow f = {.cols = 12};
    struct buf out = {0};
    for (int i = 0; i < 2; i++) {
        flow_put(&f, "[A] ", 4, &out);
        flow_begin(&f);
        flow_put(&f, "```\naa bb cc dd ee ff\n", 22, &out);
    }
    flow_begin(&f);
    flow_put(&f, "aa bb cc dd ee ff\n", 18, &out);
    assert_string_equal(buf_text(&out), "[A] ```\naa bb cc dd ee ff\n[A] ```\naa bb cc dd ee ff\n"
                                        "aa bb cc dd\nee ff\n");
    flow_release(&f);
    buf_release(&out);
}
