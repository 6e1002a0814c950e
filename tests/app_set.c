/* app_set.c -- what a person changes of modes while talking, what is suggested and chosen there.
 * What could break: a change that is not told, not logged, or not there when the session is opened
 * again. */
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
    chat_ready(&c);
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

/* The rows of all candidates that finished. */
static void tray_text(const struct talk *t, struct buf *out)
{
    for (int k = 0; k < t->tray.n; k++)
        if (t->tray.row[k].mark.state == CANDIDATE_FINISHED) {
            tray_line(&t->tray, k, NULL, out, out);
            buf_puts(out, "\n");
        }
    buf_printf(out, "%d of %d: %s", t->tray.chosen, t->tray.n, buf_text(&t->tray.why));
}

static void same_session(struct chat *c, char id[80])
{
    snprintf(id, 80, "%s", c->t.store.id);
    chat_end(c);
    options_init(&c->o);
    c->o.session = id;
    chat_begin(c, "dice.gguf");
}

/* How the candidates stood is there again with the session, and can be chosen from. */
void test_talk_candidates_come_back(void **state)
{
    (void)state;
    static const char *const question[] = {"/pro-max What is 3 + 4? Answer with one number.",
                                           "/pro-max Answer in exactly 3 bullet points."};
    struct chat c;
    char id[80];
    chat_new(&c);
    for (int i = 0; i < 2; i++) {
        struct buf before = {0}, after = {0};
        options_init(&c.o);
        chat_begin(&c, "dice.gguf");
        c.t.seed = 9;
        c.t.seed_given = true;
        chat_line(&c, question[i]);
        chat_settle(&c);
        tray_text(&c.t, &before);
        assert_true(c.t.tray.n > 2);
        same_session(&c, id);
        tray_text(&c.t, &after);
        assert_string_equal(buf_text(&after), buf_text(&before));
        chat_settle(&c);
        chat_line(&c, "/candidates 1");
        assert_int_equal(c.t.c.turn[0].chosen, c.t.tray.row[0].sibling);
        chat_settle(&c);
        chat_line(&c, "/retry"); /* the last answer is not among candidates any more */
        chat_settle(&c);
        same_session(&c, id);
        assert_true(c.t.tray.n < 2 || c.t.tray.told);
        chat_settle(&c);
        chat_end(&c);
        buf_release(&before);
        buf_release(&after);
    }
}

/* Asks and tells what was suggested by the first token of the answer; "-": nothing. */
static const char *suggested_by_first(struct chat *c, const char *question)
{
    chat_line(c, question);
    chat_settle(c);
    const struct suggestion *s = &c->t.suggestion;
    return s->any && s->first_told ? s->why : "-";
}

/* Where the answer begins with what it says, its first token speaks: of the logits that are there,
 * so that nothing more is read or chosen. */
void test_talk_suggests_by_first(void **state)
{
    (void)state;
    static const char name[] = "Who was that? Answer with the name only.";
    struct chat c;
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");  /* sure of nothing */
    assert_non_null(strstr(suggested_by_first(&c, name), " % sure: can vote"));
    const struct usage *u = &c.t.c.turn[0].reply[0].usage;
    assert_true(u->answer_tokens > 0 && u->read_tokens <= u->prompt_tokens + u->answer_tokens);
    chat_line(&c, "/suggest off");
    assert_string_equal(suggested_by_first(&c, name), "-");
    chat_line(&c, "/suggest on");
    assert_string_equal(suggested_by_first(&c, "Who was that?"), "-");
    chat_line(&c, "/mode pro");         /* it thinks: the first token is not that of the answer */
    assert_string_equal(suggested_by_first(&c, name), "-");
    assert_true(c.t.suggestion.any);
    chat_end(&c);
    chat_new(&c);
    chat_begin(&c, "chain.gguf");       /* ok, and sure of it */
    assert_string_equal(suggested_by_first(&c, "Is it well? Answer with ok or no."), "-");
    assert_false(c.t.suggestion.any);
    chat_end(&c);
}

/* What is suggested for a question, taken and switched off. */
void test_talk_suggests(void **state)
{
    (void)state;
    static const char question[] = "Name rivers in exactly 3 bullet points.";
    struct chat c;
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, question);
    chat_settle(&c);
    assert_true(c.t.suggestion.any && c.t.suggestion.mode == MODE_PRO_MAX);
    assert_int_equal(c.t.c.turn[0].reply[0].mode, MODE_FLASH);
    chat_line(&c, "/suggest yes");
    chat_settle(&c);
    assert_int_equal(c.t.c.mode, MODE_PRO_MAX);
    assert_true(c.t.c.turn[0].n_reply > 1);
    chat_line(&c, "/suggest yes");
    assert_non_null(strstr(buf_text(&c.notes), "!no other mode is suggested"));
    chat_line(&c, "/toggle");
    chat_line(&c, "/suggest off");
    chat_line(&c, question);
    chat_settle(&c);
    assert_false(c.t.suggestion.any);
    chat_end(&c);
}
