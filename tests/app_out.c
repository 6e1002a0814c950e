/* app_out.c -- what the fronts without a screen write. What could break: a text that does something
 * to the terminal; a pipe that does not get every byte as it came. */
#include <locale.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include "app/out.h"
#include "tests/hostile.h"
#include "tests/test.h"

void test_out_spells(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {{"a\tb\nc\r\nd\re", "a\tb\nc\nd^Me"}, {"\033[2J\x07", "^[[2J^G"}, {"", ""},
                {"\xC2\x9B" "1m\xE2\x80\xAEx", "<U+009B>1m<U+202E>x"}, {"\r\n", "\n"},
                {"\xFFz", "\xEF\xBF\xBDz"},
                {"\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD", "\xF0\x9F\x91\x8D"}};
    setlocale(LC_CTYPE, "C.UTF-8");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = {0};
        out_spell(&out, rows[i].text, strlen(rows[i].text));
        assert_string_equal(buf_text(&out), rows[i].want);
        buf_release(&out);
    }
    uint64_t seed = 1;
    for (int round = 0; round < 500; round++) {
        struct buf text = {0}, out = {0};
        hostile_text(&text, &seed, (size_t)round);
        out_spell(&out, buf_text(&text), text.bytes);
        const char *bad = hostile_find(buf_text(&out), out.bytes);
        if (bad)
            fail_msg("byte %02x in '%s'", (unsigned char)*bad, buf_text(&out));
        buf_release(&text);
        buf_release(&out);
    }
}

/* What arrives behind a descriptor of this kind. */
static void arrives(int to, int from, const char *want)
{
    char got[100];
    FILE *f = fdopen(to, "w");
    assert_non_null(f);
    out_printf(f, "%s|%d\n", "\033[2J\x01", 7);
    assert_int_equal(fclose(f), 0);
    ssize_t n = read(from, got, sizeof got - 1);
    assert_true(n > 0);
    got[n] = 0;
    assert_string_equal(got, want);
    close(from);
}

void test_out_knows_terminals(void **state)
{
    (void)state;
    int pipes[2], master, slave;
    struct termios raw;
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(pipe(pipes), 0);
    arrives(pipes[1], pipes[0], "\033[2J\x01|7\n");
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    int keeps = dup(slave); /* or what is unread would go with the last one */
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    arrives(slave, master, "^[[2J^A|7\n");
    close(keeps);

    struct buf big = {0};
    for (int i = 0; i < 3000; i++)
        buf_puts(&big, "x");
    FILE *f = tmpfile();
    assert_non_null(f);
    out_printf(f, "%s", buf_text(&big));
    rewind(f);
    char part[4000];
    size_t n = fread(part, 1, sizeof part, f);
    assert_int_equal(n, 3000);
    fclose(f);
    buf_release(&big);
}
