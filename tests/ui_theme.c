/* ui_theme.c -- theme files. What could break: a mistake in a user's file that is not named, or
 * that leaves half a theme behind. */
#include "tests/ui.h"
#include "ui/theme.h"

static void wrong(const char *text, const char *expect)
{
    struct theme t, before;
    char msg[200] = "";
    memset(&t, 7, sizeof t);
    before = t;
    assert_false(theme_parse(&t, text, strlen(text), "my.json", msg, sizeof msg));
    assert_string_equal(msg, expect);
    assert_memory_equal(&t, &before, sizeof t);
}

void test_theme_errors(void **state)
{
    (void)state;
    ui_locale();
    wrong("", "my.json: line 1: not JSON");
    wrong("{\n\"name\": \"x\",\n  oops }", "my.json: line 3: not JSON");
    wrong("[]", "my.json: line 1: not an object");
    wrong("{} x", "my.json: line 1: not JSON");
    wrong("{\"roles\": {}}", "my.json: line 1: a theme has a \"name\"");
    wrong("{\n\"name\": 3}", "my.json: line 2: a theme has a \"name\"");
    wrong("{\"name\": \"x\"}", "my.json: line 1: a theme has \"roles\": {..}");
    wrong("{\"name\": \"x\",\n\"role\": {}}", "my.json: line 2: no field 'role'");
    wrong("{\"name\": \"0123456789012345678901234567890123456789\", \"roles\": {}}",
          "my.json: line 1: the name is longer than 31 bytes");
    wrong("{\"name\": \"x\", \"roles\": {\n\"text\": {},\n\"txet\": {}}}",
          "my.json: line 3: no role 'txet'");
    wrong("{\"name\": \"x\", \"roles\": {\n\"text\": {},\n\"code\": {\"fg\": \"blu\"}}}",
          "my.json: line 3: code: no colour 'blu'");
    wrong("{\"name\": \"x\", \"roles\": {\"code\": {\n\"fg\": 256}}}",
          "my.json: line 1: code: a colour number is 0 to 255");
    wrong("{\"name\": \"x\", \"roles\": {\"code\": {\"bg\": 1.5}}}",
          "my.json: line 1: code: a colour number is 0 to 255");
    wrong("{\"name\": \"x\", \"roles\": {\"code\": {\"bg\": null}}}",
          "my.json: line 1: code: a colour is a name or a number");
    wrong("{\"name\": \"x\", \"roles\": {\"code\": {\"attr\": [\"bold\",\n\"blink\"]}}}",
          "my.json: line 2: code: no attribute 'blink'");
    wrong("{\"name\": \"x\", \"roles\": {\"code\": {\"attr\": \"bold\"}}}",
          "my.json: line 1: code: attr is a list of names");
    wrong("{\"name\": \"x\", \"roles\": {\"code\": 3}}",
          "my.json: line 1: code: a role is {\"fg\": .., \"bg\": .., \"attr\": [..]}");
    wrong("{\"name\": \"x\", \"roles\": {\"code\": {\"color\": 3}}}",
          "my.json: line 1: code: no field 'color'");
    wrong("{\"name\": \"x\", \"roles\": {\"\\u001b[2J\": {}}}",
          "my.json: line 1: no role '^[[2J'");
}

void test_theme_hostile(void **state)
{
    (void)state;
    char msg[200];
    struct theme t = {0};
    assert_false(theme_parse(&t, "{\0}", 3, "my.json", msg, sizeof msg));
    size_t n = 70000;
    char *big = calloc(1, n + 1);
    assert_non_null(big);
    memset(big, '[', n);
    assert_false(theme_parse(&t, big, n, "my.json", msg, sizeof msg));
    assert_false(theme_parse(&t, big, 60000, "my.json", msg, sizeof msg));
    assert_string_equal(msg, "my.json: line 1: not JSON");
    free(big);
}

void test_theme_values(void **state)
{
    (void)state;
    struct theme t;
    char msg[200];
    const char *text = "{\"name\": \"mine\", \"roles\": {\"dim\": {\"fg\": \"bright-blue\","
                       "\"bg\": 200,"
                       "\"attr\": [\"bold\", \"italic\"]}, \"label\": {\"fg\": \"default\"}}}";
    assert_true(theme_parse(&t, text, strlen(text), "x", msg, sizeof msg));
    assert_string_equal(t.name, "mine");
    const struct theme_role *dim = &t.role[STYLE_DIM];
    assert_int_equal(dim->fg, 12);
    assert_int_equal(dim->bg, 200);
    assert_int_equal(dim->attr, ATTR_BOLD | ATTR_ITALIC);
    /* What is not given falls back: think and status to dim, text to the terminal's own. */
    assert_memory_equal(&t.role[STYLE_THINK], dim, sizeof *dim);
    assert_memory_equal(&t.role[STYLE_STATUS], dim, sizeof *dim);
    assert_int_equal(t.role[STYLE_TEXT].fg, -1);
    assert_int_equal(t.role[STYLE_FLASH].fg, -1);
}

/* The themes that are compiled in name every role and, but for two, keep to 16 colours. */
void test_theme_builtin(void **state)
{
    (void)state;
    int n = 0;
    for (const char *name; (name = theme_builtin_name(n)); n++) {
        const char *text = theme_builtin(name);
        struct theme t;
        char msg[200] = "";
        assert_non_null(text);
        if (!theme_parse(&t, text, strlen(text), name, msg, sizeof msg))
            fail_msg("%s", msg);
        assert_string_equal(t.name, name);
        for (int s = 0; s < STYLE_COUNT; s++) {
            char quoted[40];
            snprintf(quoted, sizeof quoted, "\"%s\"", style_name((enum style)s));
            if (!strstr(text, quoted))
                fail_msg("%s: no %s", name, quoted);
            bool palette = strncmp(name, "solarized", 9) == 0;
            assert_true(palette || (t.role[s].fg < 16 && t.role[s].bg < 16));
            bool colored = t.role[s].fg >= 0 || t.role[s].bg >= 0;
            assert_false(colored && strcmp(name, "mono") == 0);
        }
        /* Seen without any colour, too. */
        assert_true(t.role[STYLE_SELECTED].attr & ATTR_REVERSE);
    }
    assert_int_equal(n, 7);
    assert_non_null(theme_builtin("dark"));
    assert_non_null(theme_builtin("light"));
    assert_null(theme_builtin("none"));
    assert_null(theme_builtin_name(-1));
}
