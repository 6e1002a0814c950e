/* app_json.c -- JSON written line by line and read with types: what could break is text that does
 * not come back as it went in, a number that a double cannot hold, and hostile input. */
#include "tests/test.h"

#include <locale.h>
#include <math.h>

#include "app/json.h"

static struct json *parse(const char *text)
{
    return json_parse(text, strlen(text));
}

void test_json_write(void **state)
{
    (void)state;
    struct buf b = {0};
    struct json_line j;
    int32_t id[] = {1, 0, 2147483647};
    json_begin(&j, &b);
    json_text(&j, "type", "a \"b\"\\\n\t\x01");
    json_int(&j, "n", -5);
    json_u64(&j, "seed", UINT64_MAX);
    json_double(&j, "s", 0.1);
    json_double(&j, "nan", NAN);
    json_bool(&j, "yes", true);
    json_ids(&j, "ids", id, 3);
    json_ids(&j, "none", id, 0);
    json_open(&j, "parts", '[');
    json_open(&j, NULL, '{');
    json_int(&j, "x", 1);
    json_close(&j, '}');
    json_text(&j, NULL, "y");
    json_close(&j, ']');
    json_bool(&j, "last", false);
    json_end(&j);
    assert_string_equal(buf_text(&b),
                        "{\"type\": \"a \\\"b\\\"\\\\\\n\\t\\u0001\", \"n\": -5, "
                        "\"seed\": \"18446744073709551615\", \"s\": 0.1, \"nan\": null, "
                        "\"yes\": true, \"ids\": [1,0,2147483647], \"none\": [], "
                        "\"parts\": [{\"x\": 1}, \"y\"], \"last\": false}\n");
    buf_release(&b);
}

/* What is written is read back byte for byte. */
void test_json_text_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "plain", "line\nline\r\n\ttab", "\"\\/\b\f\x7f\x1b[31m", "Grüße, 你好, 🙂, e\xCC\x81",
        "\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80",
        "\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF",
        "</script>\\u0041",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf b = {0};
        struct json_line j;
        json_begin(&j, &b);
        json_text(&j, "t", texts[i]);
        json_end(&j);
        struct json *p = json_parse(buf_text(&b), b.bytes);
        assert_non_null(p);
        assert_string_equal(json_string(p, "t"), texts[i]);
        json_free(&p);
        buf_release(&b);
    }
}

void test_json_text_invalid(void **state)
{
    (void)state;
    struct buf b = {0};
    struct json_line j;
    json_begin(&j, &b);
    /* A lone byte, an overlong slash, a surrogate, a character cut short, a zero byte. */
    json_text_n(&j, "t", "a\xFF|\xC0\xAF|\xED\xA0\x80|\0|\xE2\x82", 14);
    json_end(&j);
    assert_string_equal(buf_text(&b),
                        "{\"t\": \"a\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD"
                        "\xEF\xBF\xBD|\\u0000|\xEF\xBF\xBD\xEF\xBF\xBD\"}\n");
    buf_release(&b);
}

void test_json_numbers(void **state)
{
    (void)state;
    static const double values[] = {0, 1, -1, 0.1, 1e300, 5e-324, 1.0 / 3, 123456789.123456789};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct buf b = {0};
        struct json_line j;
        double back = -7;
        json_begin(&j, &b);
        json_double(&j, "d", values[i]);
        json_end(&j);
        struct json *p = json_parse(buf_text(&b), b.bytes);
        assert_non_null(p);
        assert_true(json_number(p, "d", &back) && back == values[i]);
        json_free(&p);
        buf_release(&b);
    }
}

void test_json_types(void **state)
{
    (void)state;
    struct json *p = parse("{\"i\": 9007199254740991, \"big\": 9007199254740992, \"f\": 1.5, "
                           "\"huge\": 1e999, \"u\": \"18446744073709551615\", "
                           "\"over\": \"18446744073709551616\", \"minus\": \"-1\", \"s\": \"x\", "
                           "\"o\": {\"in\": 1}, \"list\": [1, 2]}");
    int64_t i;
    uint64_t u;
    double d;
    assert_non_null(p);
    assert_true(json_integer(p, "i", &i) && i == 9007199254740991);
    assert_false(json_integer(p, "big", &i) || json_integer(p, "f", &i));
    assert_false(json_integer(p, "s", &i) || json_integer(p, "absent", &i));
    assert_true(json_number(p, "f", &d) && d == 1.5);
    assert_false(json_number(p, "huge", &d) || json_number(p, "s", &d));
    assert_true(json_unsigned(p, "u", &u) && u == UINT64_MAX);
    assert_false(json_unsigned(p, "over", &u) || json_unsigned(p, "minus", &u));
    assert_false(json_unsigned(p, "s", &u) || json_unsigned(p, "i", &u));
    assert_string_equal(json_string(p, "s"), "x");
    assert_null(json_string(p, "i"));
    assert_null(json_string(p, "S")); /* names are what they are */
    assert_true(json_is_array(json_get(p, "list")));
    assert_false(json_is_array(json_get(p, "o")) || json_is_array(NULL));
    assert_true(json_integer(json_get(p, "o"), "in", &i) && i == 1);
    json_free(&p);
    assert_null(p);
    p = parse("[5]");
    assert_null(json_get(p, "x"));
    assert_null(json_get(json_first(p), "x"));
    assert_null(json_next(json_first(p)));
    json_free(&p);
}

void test_json_id_list(void **state)
{
    (void)state;
    static const char *const bad[] = {"[-1]", "[2147483648]", "[1.5]", "[\"1\"]", "[1, null]",
                                      "[[1]]", "{\"a\": 1}", "7"};
    int32_t *id;
    int n;
    struct json *p = parse("{\"a\": [0, 7, 2147483647], \"none\": []}");
    assert_true(json_id_list(p, "a", &id, &n));
    assert_int_equal(n, 3);
    assert_int_equal(id[2], INT32_MAX);
    free(id);
    assert_true(json_id_list(p, "none", &id, &n));
    assert_int_equal(n, 0);
    free(id);
    assert_false(json_id_list(p, "absent", &id, &n));
    json_free(&p);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"a\": %s}", bad[i]);
        p = parse(text);
        assert_non_null(p);
        assert_false(json_id_list(p, "a", &id, &n));
        json_free(&p);
    }
}

void test_json_hostile(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " ", "{", "{\"a\": 1} x", "{\"a\": 1}}", "{\"a\" 1}", "{\"a\": \"\xFF\"}",
        "{\"a\": \"\xED\xA0\x80\"}", "{\"a\": \"\\uD800\"}", "\"unfinished", "\"\\", "{\"1\":1,",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(parse(bad[i]));
    assert_null(json_parse("{}\0", 3));
    assert_null(json_parse("\"a\\\0b\"", 6));
}

void test_json_nesting(void **state)
{
    (void)state;
    char text[4096];
    for (int depth = 32; depth <= 33; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        struct json *p = json_parse(text, (size_t)depth * 2);
        assert_int_equal(p != NULL, depth == 32);
        json_free(&p);
    }
    memset(text, '[', sizeof text);
    assert_null(json_parse(text, sizeof text));
    struct json *p = parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"");
    assert_non_null(p);
    json_free(&p);
}
