/* app_search.c -- a text in all sessions. What could break: a session that is passed over, one that
 * is damaged and hides the others, text that was taken back and is still found. */
#include "tests/test.h"

#include <sys/stat.h>

#include "app/search.h"
#include "ui/buf.h"

static void session_write(const char *dir, const char *id, const char *lines)
{
    char path[200];
    struct buf log = {0};
    snprintf(path, sizeof path, "%s/%s", dir, id);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/log.jsonl", dir, id);
    buf_puts(&log, "{\"type\": \"session\", \"v\": 1, \"id\": \"x\", \"model\": \"m\", "
                   "\"fingerprint\": \"7\", \"system\": \"\"}\n");
    buf_puts(&log, lines);
    test_write_file(path, log.data, log.bytes);
    buf_release(&log);
}

/* The ids in which a text is found. */
static void check_found(struct search *s, const struct store_entry *e, int n, const char *text,
                        const char *want)
{
    struct buf got = {0};
    int hit, steps = 0;
    search_for(s, text);
    for (; search_step(s, &hit); steps++)
        assert_true(hit < 0 || search_hit(s, hit));
    for (char id = 'a'; id <= 'd'; id++)
        for (int i = 0; i < n; i++)
            if (e[i].id[0] == id && search_hit(s, i))
                buf_printf(&got, "%c ", id);
    assert_true(search_done(s));
    assert_int_equal(steps, *text ? n : 0);
    assert_string_equal(buf_text(&got), want);
    buf_release(&got);
}

void test_search_all(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store_entry *e;
    struct err err;
    int n;
    session_write(dir, "a",
                  "{\"type\": \"ask\", \"turn\": 0, \"text\": \"Where is the Straße?\"}\n"
                  "{\"type\": \"reply\", \"turn\": 0, \"parts\": "
                  "[{\"kind\": \"thinking\", \"text\": \"secret\"}, "
                  "{\"kind\": \"answer\", \"text\": \"There\"}]}\n");
    session_write(dir, "b", "{\"type\": \"ask\", \"turn\": 0, \"text\": \"there was one\"}\n"
                  "{\"type\": \"cut\", \"turns\": 0}\n");
    session_write(dir, "c", "no line of a log, there\n");
    session_write(dir, "d", "{\"type\": \"ask\", \"turn\": 0, \"text\": \"and there\"}\n");
    assert_true(store_list(dir, &e, &n, &err));
    assert_int_equal(n, 4);
    struct search *s = search_new(dir, e, n);
    assert_true(search_done(s)); /* nothing is looked for yet */
    for (int again = 0; again < 2; again++) {
        check_found(s, e, n, "STRASSE", "a ");
        check_found(s, e, n, "THERE", "a d ");
        check_found(s, e, n, "secret", "");
        check_found(s, e, n, "", "");
    }
    search_free(&s);
    search_free(&s);
    free(e);
}
