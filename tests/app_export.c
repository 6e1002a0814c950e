/* app_export.c -- a conversation as a file. What could break: text is lost or changed, a file that
 * is there is overwritten. */
#include <sys/stat.h>

#include "app/export.h"
#include "app/json.h"
#include "tests/test.h"

static void talk(struct conversation *c)
{
    conversation_init(c);
    int i = conversation_ask(c, "Why?\nReally \"why\"", MODE_PRO);
    struct reply *r = conversation_reply(c, i);
    r->mode = MODE_PRO;
    reply_text(r, PART_THINKING, MODE_PRO, "hm\nso", 5);
    reply_text(r, PART_ANSWER, MODE_PRO, "*Because.*\n", 11);
    r = conversation_reply(c, i);
    r->mode = MODE_FLASH;
    reply_text(r, PART_ANSWER, MODE_FLASH, "```c\nx;\n```", 11);
    conversation_ask(c, "And?", MODE_FLASH);
}

void test_export_markdown(void **state)
{
    (void)state;
    struct conversation c;
    struct buf out = {0};
    talk(&c);
    c.turn[0].chosen = 0;
    export_markdown(&c, &out);
    assert_string_equal(buf_text(&out),
                        "# Why?\n\n## You\n\nWhy?\nReally \"why\"\n\n## Pro\n\n> hm\n> so\n\n"
                        "*Because.*\n\n## You\n\nAnd?\n\n");
    buf_clear(&out);
    c.turn[0].chosen = 1;
    export_markdown(&c, &out);
    assert_non_null(strstr(buf_text(&out), "## Flash\n\n```c\nx;\n```\n\n## You\n\nAnd?\n"));
    buf_release(&out);
    conversation_release(&c);
}

void test_export_json(void **state)
{
    (void)state;
    struct conversation c;
    struct buf out = {0};
    talk(&c);
    export_json(&c, &out);
    assert_true(json_valid(buf_text(&out), out.bytes));
    struct json *j = json_parse(buf_text(&out), out.bytes);
    assert_non_null(j);
    assert_string_equal(json_string(j, "type"), "duet-conversation");
    const struct json *turn = json_first(json_get(j, "turns"));
    assert_string_equal(json_string(turn, "question"), "Why?\nReally \"why\"");
    const struct json *reply = json_first(json_get(turn, "replies"));
    const struct json *part = json_first(json_get(reply, "parts"));
    assert_string_equal(json_string(part, "kind"), "thinking");
    assert_string_equal(json_string(json_next(part), "text"), "*Because.*\n");
    assert_string_equal(json_string(json_next(reply), "mode"), "flash");
    assert_true(json_is_array(json_get(json_next(turn), "replies")));
    json_free(&j);
    buf_release(&out);
    conversation_release(&c);
}

void test_export_file(void **state)
{
    (void)state;
    struct conversation c;
    struct err err;
    struct stat st;
    char msg[256], args[300];
    const char *folder = test_folder();
    talk(&c);
    assert_false(export_write(&c, "", msg, sizeof msg, &err));
    assert_false(export_write(&c, "md", msg, sizeof msg, &err));
    assert_false(export_write(&c, "html x", msg, sizeof msg, &err));
    assert_non_null(strstr(err.msg, "/export md FILE"));
    snprintf(args, sizeof args, "md %s/a b.md", folder);
    assert_true(export_write(&c, args, msg, sizeof msg, &err));
    assert_non_null(strstr(msg, "bytes written to"));
    assert_int_equal(stat(args + 3, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(export_write(&c, args, msg, sizeof msg, &err)); /* it is there */
    assert_non_null(strstr(err.msg, "File exists"));
    snprintf(args, sizeof args, "json %s/c.json", folder);
    assert_true(export_write(&c, args, msg, sizeof msg, &err));
    conversation_release(&c);
}
