/* app_set.c -- what a person changes of modes while talking: what could break is a change that is
 * not told, not logged, or not there when the session is opened again. */
#include "tests/app_chat.h"

static void expect_settings(const struct talk *t, const char *wanted)
{
    struct buf text = {0};
    settings_describe(&t->c.settings, t->c.mode, &text);
    assert_string_equal(buf_text(&text), wanted);
    buf_release(&text);
}

static void again(struct chat *c, const char *id)
{
    chat_end(c);
    options_init(&c->o);
    c->o.session = id;
    c->o.mode = "flash"; /* of the config file: an old session is in the mode it was left in */
    chat_begin(c, "tiny-llama.gguf");
    chat_settle(c);
}

/* Changed before the first message and behind it, told, kept for the next time, taken back. */
void test_talk_settings(void **state)
{
    (void)state;
    struct chat c;
    char id[80];
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    chat_line(&c, "/pro-max");
    chat_line(&c, "/think 20");
    chat_line(&c, "/best 9");
    chat_line(&c, "/temp 0.5");
    assert_non_null(strstr(buf_text(&c.notes), "Pro-Max: think 20 (Pro-Max has 1024)\n"));
    assert_non_null(strstr(buf_text(&c.notes), "!best: '9' is not a number from 1 to 5"));
    chat_line(&c, "how are you?");
    chat_settle(&c);
    assert_true(c.t.c.turn[0].reply[0].usage.thinking_tokens <= 20);
    chat_line(&c, "/seed 7");
    chat_line(&c, "/temp default");
    chat_line(&c, "/set choose vote");
    chat_line(&c, "/toggle");
    expect_settings(&c.t, "seed 7");
    chat_line(&c, "/toggle");
    chat_line(&c, "once more");
    chat_settle(&c);
    assert_true(c.t.c.turn[1].reply[0].seed == 7);
    snprintf(id, sizeof id, "%s", c.t.store.id);
    again(&c, id);
    assert_int_equal(c.t.c.mode, MODE_PRO_MAX);
    expect_settings(&c.t, "think 20, choose vote, seed 7");
    chat_line(&c, "/settings");
    assert_non_null(strstr(buf_text(&c.notes),
                           "think 20 (Pro-Max has 1024), answer 2048, best 5"));
    chat_line(&c, "/settings default");
    again(&c, id);
    expect_settings(&c.t, "");
    chat_end(&c);
}
