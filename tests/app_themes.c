/* app_themes.c -- themes by name. What could break: a theme of the person's own that is not found
 * or not listed, a message that does not say which file is wrong. */
#include <sys/stat.h>

#include "app/themes.h"
#include "tests/test.h"

static void put(const char *folder, const char *name, const char *text)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    test_write_file(path, text, strlen(text));
}

void test_themes_by_name(void **state)
{
    (void)state;
    struct paths p = {0};
    struct names names = {0};
    struct theme t = {0};
    char folder[440], msg[300];
    snprintf(p.config, sizeof p.config, "%s", test_folder());
    snprintf(folder, sizeof folder, "%s/themes", p.config);
    assert_int_equal(mkdir(folder, 0700), 0);
    put(folder, "zebra.json", "{\"name\": \"zebra\", \"roles\": {\"text\": {\"fg\": 3}}}");
    put(folder, "apple.json", "{\"name\": \"apple\",\n\"roles\": {\"text\": {\"fg\": \"no\"}}}");
    put(folder, "dark.json", "{}"); /* stands behind the one that is compiled in */
    put(folder, "notes.txt", "");
    put(folder, ".json", "");
    theme_names(&p, &names);
    int n = 0;
    while (theme_builtin_name(n)) {
        assert_string_equal(names.name[n], theme_builtin_name(n));
        n++;
    }
    assert_int_equal(names.n, n + 2);
    assert_string_equal(names.name[n], "apple");
    assert_string_equal(names.name[n + 1], "zebra");
    names_release(&names);

    assert_true(theme_load(&t, &p, "dark", msg, sizeof msg));
    assert_string_equal(t.name, "dark");
    assert_true(theme_load(&t, &p, "zebra", msg, sizeof msg));
    assert_int_equal(t.role[STYLE_TEXT].fg, 3);
    assert_false(theme_load(&t, &p, "apple", msg, sizeof msg));
    assert_string_equal(msg, "apple: line 2: text: no colour 'no'");
    assert_string_equal(t.name, "zebra");
    snprintf(folder, sizeof folder, "%s/themes/zebra.json", p.config);
    assert_true(theme_load(&t, &p, folder, msg, sizeof msg));
    assert_false(theme_load(&t, &p, "no\033such", msg, sizeof msg));
    assert_string_equal(msg, "theme 'no^[such': No such file or directory; /theme lists them");
    assert_false(theme_load(&t, &p, p.config, msg, sizeof msg)); /* a folder */
}
