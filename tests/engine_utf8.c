/* engine_utf8.c -- UTF-8 and error messages. What could break: a stream that shows half a
 * character, an overlong form or a surrogate let through, a message with control characters. */
#include "tests/test.h"

#include <errno.h>

#include "engine/engine.h"
#include "engine/err.h"
#include "engine/utf8.h"
#include "tests/engine_vocab.h"

#define FFFD "\xef\xbf\xbd"

void test_utf8_decode(void **state)
{
    static const struct {
        const char *s;
        size_t n;
        int len;
        uint32_t cp;
    } table[] = {
        {"a", 1, 1, 'a'}, {"\0", 1, 1, 0}, {"\xc3\xa9", 2, 2, 0xe9}, {"\xe2\x82\xac", 3, 3, 0x20ac},
        {"\xf0\x9f\x98\x80", 4, 4, 0x1f600}, {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
        {"\xed\x9f\xbf", 3, 3, 0xd7ff}, {"\xee\x80\x80", 3, 3, 0xe000},
        {"\xc3", 1, 0, 0}, {"\xe2\x82", 2, 0, 0}, {"\xf0\x9f\x98", 3, 0, 0},
        {"\x80", 1, -1, 0}, {"\xc0\x80", 2, -1, 0}, {"\xc1\xbf", 2, -1, 0}, {"\xc3(", 2, -1, 0},
        {"\xe0\x9f\xbf", 3, -1, 0}, {"\xed\xa0\x80", 3, -1, 0}, {"\xf0\x8f\xbf\xbf", 4, -1, 0},
        {"\xf4\x90\x80\x80", 4, -1, 0}, {"\xf5\x80\x80\x80", 4, -1, 0}, {"\xff", 1, -1, 0},
        {"\xe2\x82(", 3, -1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint32_t cp = 0;
        int len = utf8_decode(table[i].s, table[i].n, &cp);
        if (len != table[i].len || cp != table[i].cp)
            fail_msg("row %zu: %d U+%04X", i, len, cp);
    }
    assert_int_equal(utf8_valid("a\xc3\xa9\xe2\x82", 5), 3);
}

void test_utf8_encode(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        char s[4];
        uint32_t back = 0;
        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        int len = utf8_encode(cp, s);
        if (utf8_decode(s, (size_t)len, &back) != len || back != cp)
            fail_msg("U+%04X", cp);
    }
}

/* A random character, from all lengths alike. */
static int random_character(uint64_t *seed, char *out)
{
    static const uint32_t limit[4] = {0x80, 0x800, 0x10000, 0x110000};
    uint64_t r = test_random(seed);
    uint32_t cp = (uint32_t)(r >> 8) % limit[r & 3];
    return utf8_encode(cp >= 0xd800 && cp < 0xe000 ? 'x' : cp, out);
}

void test_utf8_hold_never_splits(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 200; round++) {
        char text[400], shown[2000];
        size_t n = 0, at = 0, written = 0;
        while (n < sizeof text - 4)
            n += (size_t)random_character(&seed, text + n);
        struct utf8_hold hold = {0};
        while (at < n) {
            size_t take = test_random(&seed) % 6;
            take = take > n - at ? n - at : take;
            size_t put = utf8_hold_add(&hold, text + at, take, false, shown + written);
            assert_true(put <= 3 * (take + 4));
            assert_int_equal(utf8_valid(shown + written, put), put);
            at += take;
            written += put;
        }
        assert_int_equal(utf8_hold_add(&hold, "", 0, true, shown + written), 0);
        assert_int_equal(written, n);
        assert_memory_equal(shown, text, n);
    }
}

/* Feeds s byte by byte and at once; both must show the same. */
static void check_hold(const char *s, size_t n, bool flush, const char *expected)
{
    char one[64], all[64];
    struct utf8_hold a = {0}, b = {0};
    size_t n_one = 0, n_all = utf8_hold_add(&a, s, n, flush, all);
    for (size_t i = 0; i < n; i++)
        n_one += utf8_hold_add(&b, s + i, 1, flush && i + 1 == n, one + n_one);
    assert_int_equal(n_all, strlen(expected));
    assert_memory_equal(all, expected, n_all);
    assert_int_equal(n_one, n_all);
    assert_memory_equal(one, all, n_all);
}

void test_utf8_hold_invalid(void **state)
{
    (void)state;
    check_hold("a\xff" "b", 3, false, "a" FFFD "b");
    check_hold("\xe2\x82" "A", 3, false, FFFD FFFD "A");
    check_hold("\xf0\x9f\x98", 3, false, "");
    check_hold("\xf0\x9f\x98", 3, true, FFFD FFFD FFFD);
    check_hold("\xc3\xc3\xa9", 3, false, FFFD "\xc3\xa9");
    check_hold("\xed\xa0\x80", 3, true, FFFD FFFD FFFD);
    check_hold("", 0, true, "");
}

void test_err_printable(void **state)
{
    (void)state;
    struct err e = {0};
    assert_false(err_set(&e, ERR_FORMAT, "a %s z", "\x1b[31m\n\xff\xc2\x85\xe2\x80\xae\xc3\xa9"
                         "\xf3\xa0\x80\x81\xd8\x9c"));
    assert_string_equal(e.msg, "a ?[31m????\xc3\xa9?? z");
    assert_int_equal(e.code, ERR_FORMAT);
    assert_false(err_set(NULL, ERR_IO, "nobody asks"));
    assert_false(err_prefix(&e, "file.gguf"));
    assert_string_equal(e.msg, "file.gguf: a ?[31m????\xc3\xa9?? z");
    assert_int_equal(e.code, ERR_FORMAT);
}

void test_err_long(void **state)
{
    (void)state;
    struct err e = {0};
    char text[2000] = "";
    for (size_t i = 0; i + 3 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    err_set(&e, ERR_IO, "%s", text);
    assert_int_equal(strlen(e.msg), 254); /* 127 characters of two bytes: none is cut */
    err_set(&e, ERR_IO, "x%s", text);
    assert_int_equal(strlen(e.msg), 255);
}

void test_err_errno(void **state)
{
    (void)state;
    struct err e = {0};
    errno = ENOENT;
    err_errno(&e, "cannot open", "x");
    assert_int_equal(e.code, ERR_IO);
    assert_string_equal(e.msg, "cannot open 'x': No such file or directory");
    errno = ENOMEM;
    err_errno(&e, "cannot map", "x");
    assert_int_equal(e.code, ERR_NOMEM);
    for (enum err_code code = ERR_NONE; code <= ERR_CANCELLED; code++)
        assert_true(strlen(err_text(code)) > 0);
}
