/* app_repro.c -- an answer that is made again. What could break: another answer than the first
 * time, because something of how it was made is not kept, or not kept in the log; a difference that
 * is not told; a conversation or a cache that is not as before. */
#include "tests/app_chat.h"
#include "tests/app_run.h"

#include "app/made.h"

static const char vote[] = "What is 3 + 4? Answer with one number.";
static const char check[] = "Say something. Your answer must contain the word \"2\".";

static bool noted(struct chat *c, const char *text)
{
    return strstr(buf_text(&c->notes), text) != NULL;
}

static void again(struct chat *c, const char *line, const char *expect)
{
    int used = c->t.ctx_used, turns = c->t.c.n_turn;
    buf_clear(&c->notes);
    chat_line(c, line);
    chat_settle(c);
    if (!noted(c, expect))
        fail_msg("%s said: %s", line, buf_text(&c->notes));
    assert_int_equal(c->t.ctx_used, used);
    assert_int_equal(c->t.c.n_turn, turns);
}

static void ask(struct chat *c, const char *text, int toggle_at)
{
    c->toggle_at = toggle_at;
    chat_line(c, text);
    chat_settle(c);
}

/* All of a conversation again, in the program that wrote it and in one that reads its log; what is
 * asked behind that reads nothing again. */
static void check_all(struct chat *c, const char *fixture)
{
    char line[20], same[80];
    for (int program = 0; program < 2; program++) {
        for (int i = 1; i <= c->t.c.n_turn; i++) {
            const struct turn *t = &c->t.c.turn[i - 1];
            const struct usage *u = &t->reply[t->chosen].usage; /* as it tells everywhere */
            snprintf(line, sizeof line, "/repro %d", i);
            snprintf(same, sizeof same, "made again: the same, all %d tokens (",
                     u->thinking_tokens + u->answer_tokens);
            again(c, line, same);
            assert_true(noted(c, "as then; "));
        }
        if (program == 0) {
            static char id[80];
            snprintf(id, sizeof id, "%s", c->t.store.id);
            chat_end(c);
            memset(&c->notes, 0, sizeof c->notes);
            memset(&c->answer, 0, sizeof c->answer);
            c->o.session = id;
            chat_begin(c, fixture);
            chat_settle(c);
        }
    }
    ask(c, "and then?", -1);
    const struct turn *last = &c->t.c.turn[c->t.c.n_turn - 1];
    assert_int_equal(last->reply[last->chosen].usage.re_read_tokens, 0);
}

/* Greedy and sampled, in each mode, of each model that can be forked; votes and checks. */
void test_repro_same(void **state)
{
    (void)state;
    static const char *const fixture[] = {"dice.gguf", "tiny-qwen3.gguf", "tiny-llama.gguf"};
    static const char *const mode[] = {"/mode flash", "/mode pro", "/mode pro-max"};
    for (int f = 0; f < 3; f++) {
        struct chat c;
        chat_new(&c);
        c.o.keep_thoughts = true;
        chat_begin(&c, fixture[f]);
        chat_settle(&c);
        chat_line(&c, "/seed 5");
        for (int sampled = 0; sampled < 2; sampled++)
            for (int m = 0; m < 3; m++) {
                chat_line(&c, mode[m]);
                chat_line(&c, sampled ? "/temp 0.9" : "/temp 0");
                ask(&c, vote, -1);
                ask(&c, check, -1);
            }
        chat_line(&c, "/settings default"); /* what was is kept with the answers */
        check_all(&c, fixture[f]);
        chat_end(&c);
    }
}

static bool has(const struct reply *r, int what)
{
    for (int i = 1; i < r->made->change.n; i += 2)
        if (what < 0 || r->made->change.id[i] == what)
            return true;
    return false;
}

/* Each reply that a turn left, the losing ones too; counts what they went through. */
static void check_turn(struct run *r, int turn, int *revised, int *changed)
{
    const struct turn *t = &r->c.turn[turn];
    for (int i = 0; i < t->n_reply; i++) {
        *revised += has(&t->reply[i], MADE_REVISED);
        *changed += has(&t->reply[i], -1);
        if (!run_repro(r, turn, &t->reply[i]))
            fail_msg("reply %d of %d: %s", i, t->n_reply, buf_text(&r->notes));
    }
}

/* Votes, with those that are split and whose leader is gone over again, and checks. */
void test_repro_candidates(void **state)
{
    (void)state;
    int revised = 0, changed = 0;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct run r;
        run_open(&r, "dice.gguf");
        r.seed = seed;
        check_turn(&r, run_ask(&r, vote, MODE_PRO_MAX), &revised, &changed);
        check_turn(&r, run_ask(&r, check, MODE_PRO_MAX), &revised, &changed);
        run_close(&r);
    }
    assert_true(revised > 2);
}

/* Changed at each token, both ways; stopped at each token. */
void test_repro_changed(void **state)
{
    (void)state;
    static const char *const fixture[] = {"dice.gguf", "tiny-llama.gguf"};
    int revised = 0, changed = 0;
    for (int f = 0; f < 2; f++)
        for (int at = 0; at < 16; at++)
            for (int how = 0; how < 3; how++) {
                struct run r;
                run_open(&r, fixture[f]);
                r.seed = 4;
                r.max = 12;
                *(how < 2 ? &r.change_at : &r.cancel_at) = at;
                r.change_to = how ? MODE_FLASH : MODE_PRO_MAX;
                int t = run_ask(&r, vote, how ? MODE_PRO_MAX : MODE_FLASH);
                struct turn *turn = &r.c.turn[t];
                if (turn->chosen >= 0)
                    turn->reply[turn->chosen].reason = r.done.reason;
                check_turn(&r, t, &revised, &changed);
                run_close(&r);
            }
    assert_true(changed > 20);
}

/* Another answer to the same question, and the same question in two modes at once. */
void test_repro_siblings(void **state)
{
    (void)state;
    struct chat c;
    chat_ready(&c);
    ask(&c, "What is a lake?", -1);
    ask(&c, "/retry", -1);
    again(&c, "/repro", "made again: the same, all ");
    ask(&c, "/choose 1", -1);
    again(&c, "/repro", " (Flash, seed ");
    talk_both(&c.t, "");
    chat_settle(&c);
    again(&c, "/repro", "made again: the same, all ");
    ask(&c, "/choose 4", -1);
    again(&c, "/repro", "made again: the same, all ");
    chat_end(&c);
}

static enum made_end end_of(const struct chat *c, int turn, int reply)
{
    return c->t.c.turn[turn].reply[reply].made->end;
}

/* The end of a question may have been read by the index or not, as there was little or much to
 * read: that is kept, in the log too, and it is read so again. */
void test_repro_by_index(void **state)
{
    (void)state;
    struct chat c;
    char question[300] = "Tell me all of this:";
    for (int i = 0; strlen(question) < 240; i++)
        sprintf(question + strlen(question), " word %d,", i);
    chat_new(&c);
    c.o.far = "flash";
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    chat_line(&c, "/temp 0.9");
    ask(&c, question, -1);
    ask(&c, "/retry", -1); /* one id */
    ask(&c, question, -1);
    check_all(&c, "tiny-llama.gguf");
    assert_int_equal(end_of(&c, 0, 0), MADE_END_BY_ALL);
    assert_int_equal(end_of(&c, 0, 1), MADE_END_BY_INDEX);
    assert_int_equal(end_of(&c, 1, 0), MADE_END_BY_ALL);
    chat_end(&c);
}

/* Thoughts that left the context since: what they were told behind is read again. */
void test_repro_folded(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    c.o.keep_thoughts = true;
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    chat_line(&c, "/mode pro");
    ask(&c, "What is a lake?", -1);
    ask(&c, "And a sea?", -1);
    ask(&c, "/refold now", -1);
    assert_true(c.t.c.turn[0].reply[0].folded);
    again(&c, "/repro 2", "made again: the same, all ");
    assert_true(noted(&c, "tokens before it were read again"));
    ask(&c, "And a pond?", -1);
    again(&c, "/repro 3", "made again: the same, all ");
    assert_false(noted(&c, "were read again"));
    chat_end(&c);
}

/* A difference is told with its place and both texts, and what is not as it was. */
void test_repro_differs(void **state)
{
    (void)state;
    struct chat c;
    chat_ready(&c);
    ask(&c, "What is a lake?", -1);
    struct reply *r = &c.t.c.turn[0].reply[0];
    assert_true(r->ids.n > 4);
    int32_t id = r->ids.id[3];
    r->ids.id[3] = id == 70 ? 71 : 70;
    again(&c, "/repro", "NOT the same, from token 4 of 12 on: then \"");
    assert_true(noted(&c, "\", now \""));
    r->ids.id[3] = id;
    snprintf(r->made->kernels, sizeof r->made->kernels, "abacus");
    snprintf(r->made->build, sizeof r->made->build, "123");
    r->made->threads = 9;
    again(&c, "/repro", "made again: the same, all ");
    assert_true(noted(&c, "kernels then abacus, now "));
    assert_true(noted(&c, "build then 123, now "));
    assert_true(noted(&c, "threads then 9, now 1"));
    c.t.c.turn[0].ids.id[0]++;
    again(&c, "/repro", "!the answer to question 1 cannot be made again: what stands "
                         "before it is not ");
    chat_end(&c);
}

void test_repro_refused(void **state)
{
    (void)state;
    struct chat c;
    chat_ready(&c);
    again(&c, "/repro", "!there is no answer yet");
    ask(&c, "What is a lake?", -1);
    again(&c, "/repro 2", "!/repro N: there is 1 question\n");
    again(&c, "/repro x", "!/repro N: there is 1 question\n");
    made_free(&c.t.c.turn[0].reply[0].made);
    again(&c, "/repro", "!how the answer to question 1 was made was not kept with it");
    chat_end(&c);
    chat_new(&c);
    chat_begin(&c, "tiny-deepseek4.gguf");
    chat_settle(&c);
    ask(&c, "What is a lake?", -1);
    again(&c, "/repro", "made again: the same, all "); /* its cache is not shared: all is read */
    ask(&c, "And what is a river?", -1);
    again(&c, "/repro 1", "made again: the same, all ");
    again(&c, "/repro 2", "made again: the same, all ");
    ask(&c, "And a sea?", -1);
    assert_int_equal(c.t.c.turn[2].reply[0].usage.re_read_tokens, 0);
    chat_end(&c);
}

/* Stopped at once: the next question is answered as ever. */
void test_repro_stopped(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    c.o.keep_thoughts = true;
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    chat_line(&c, "/mode pro-max");
    ask(&c, "What is a lake?", -1);
    buf_clear(&c.notes);
    chat_line(&c, "/repro");
    assert_int_equal(c.t.state, TALK_REPRO);
    assert_true(talk_stop(&c.t));
    chat_line(&c, "And a sea?"); /* waits its turn */
    chat_settle(&c);
    assert_true(noted(&c, "the answer to question 1, made again: "));
    assert_int_equal(c.t.c.n_turn, 2);
    assert_int_equal(c.t.c.turn[1].reply[0].usage.re_read_tokens, 0);
    chat_end(&c);
}
