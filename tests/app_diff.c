/* app_diff.c -- two texts word by word. What could break: a word that is lost or said twice. */
#include "tests/test.h"

#include "app/diff.h"

/* The words of the lines that begin with ' ' or with `sign`, each followed by a blank. */
static void words_of(const char *lines, char sign, struct buf *out)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        if (*lines == ' ' || *lines == sign) {
            buf_append(out, lines + 1, n - 1);
            buf_puts(out, " ");
        }
        lines += n + 1;
    }
}

static void check(const char *a, const char *b)
{
    struct buf lines = {0}, back = {0}, want = {0};
    const char *texts[2] = {a, b};
    diff_words(&lines, a, b);
    for (int i = 0; i < 2; i++) {
        buf_clear(&back);
        buf_clear(&want);
        words_of(buf_text(&lines), "-+"[i], &back);
        for (const char *s = texts[i] + strspn(texts[i], " \t\r\n"); *s;) {
            size_t n = strcspn(s, " \t\r\n");
            buf_append(&want, s, n);
            buf_puts(&want, " ");
            s += n + strspn(s + n, " \t\r\n");
        }
        assert_string_equal(buf_text(&back), buf_text(&want));
    }
    buf_release(&lines);
    buf_release(&back);
    buf_release(&want);
}

void test_diff_words(void **state)
{
    (void)state;
    struct buf out = {0};
    diff_words(&out, "the red fox\nruns", "the brown fox runs  fast");
    assert_string_equal(buf_text(&out), " the\n-red\n+brown\n fox runs\n+fast\n");
    buf_clear(&out);
    diff_words(&out, "same", "same");
    assert_string_equal(buf_text(&out), " same\n");
    buf_clear(&out);
    diff_words(&out, "", " \n");
    assert_string_equal(buf_text(&out), "");
    diff_words(&out, "", "new");
    assert_string_equal(buf_text(&out), "+new\n");
    buf_release(&out);
}

void test_diff_loses_nothing(void **state)
{
    (void)state;
    uint32_t r = 7;
    char text[2][200];
    for (int round = 0; round < 2000; round++) {
        for (int k = 0; k < 2; k++) {
            size_t n = (r >> 8) % 60;
            for (size_t i = 0; i < n; i++) {
                r = r * 1664525u + 1013904223u;
                text[k][i] = "ab -+\n\t"[(r >> 16) % 7];
            }
            text[k][n] = 0;
            r = r * 1664525u + 1013904223u;
        }
        check(text[0], text[1]);
    }
    struct buf long_a = {0}, long_b = {0}; /* too long to be compared */
    for (int i = 0; i < 9000; i++) {
        buf_printf(&long_a, "a%d ", i);
        buf_printf(&long_b, "b%d ", i);
    }
    check(buf_text(&long_a), buf_text(&long_b));
    buf_release(&long_a);
    buf_release(&long_b);
}
