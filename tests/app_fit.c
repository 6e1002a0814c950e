/* app_fit.c -- a question that does not fit into the context. What could break: turns that leave
 * without a word, tokens that are read again, a log that replays to another context, a question
 * that is lost. */
#include "tests/test.h"

#include <poll.h>
#include <unistd.h>

#include "app/talk.h"

struct chat {
    struct talk t;
    struct options o;
    struct buf notes;
    int dones, read, re_read;  /* of the last turn */
    enum reply_reason reason;
    char model[600];
};

static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct chat *c = data;
    (void)t;
    c->dones++;
    c->reason = e->reason;
    c->read = e->usage.read_tokens;
    c->re_read = e->usage.re_read_tokens;
}

static void on_note(void *data, bool error, const char *text)
{
    struct chat *c = data;
    buf_printf(&c->notes, "%s%s\n", error ? "!" : "", text);
}

static void settle(struct chat *c)
{
    struct pollfd fd = {worker_fd(c->t.worker), POLLIN, 0};
    while (talk_busy(&c->t) || c->t.state != TALK_IDLE) {
        assert_true(poll(&fd, 1, 60000) > 0);
        talk_events(&c->t);
    }
}

static void open_again(struct chat *c)
{
    struct err err;
    struct front f = {.data = c, .note = on_note, .done = on_done};
    if (!talk_open(&c->t, &c->o, &f, &err) || !talk_start(&c->t, local_new(c->model, &c->o), &err))
        fail_msg("%s", err.msg);
    settle(c);
}

static void begin(struct chat *c, const char *fixture, const char *fit, const char *prompt)
{
    const char *dir = test_folder();
    setenv("XDG_DATA_HOME", dir, 1);
    setenv("XDG_CONFIG_HOME", dir, 1);
    setenv("XDG_STATE_HOME", dir, 1);
    *c = (struct chat){.o = {.session = "one", .threads = 1, .max_tokens = 6, .ctx = 256,
                             .fit = fit, .prompt = prompt}};
    snprintf(c->model, sizeof c->model, "%s", test_fixture(fixture));
    open_again(c);
}

static void end(struct chat *c)
{
    talk_close(&c->t);
    buf_release(&c->notes);
}

static void ask(struct chat *c, const char *text)
{
    talk_ask(&c->t, text, MODE_FLASH);
    settle(c);
}

static bool said(struct chat *c, const char *text)
{
    bool there = strstr(buf_text(&c->notes), text) != NULL;
    buf_clear(&c->notes);
    return there;
}

/* Asks until a question does not fit; the number of turns before it. */
static int fill(struct chat *c)
{
    char text[64];
    for (int i = 0; i < 40; i++) {
        int before = c->t.c.n_turn, dones = c->dones;
        snprintf(text, sizeof text, "question %d of the many", i);
        ask(c, text);
        if (c->t.fit.asked || c->dones == dones)
            return before;
    }
    fail_msg("the context never got full");
    return 0;
}

/* The question: each of the four choices and what it costs, in numbers. */
static void check_choices(struct chat *c, bool kept)
{
    const struct fit *f = &c->t.fit;
    char want[5][160];
    snprintf(want[0], sizeof want[0], "!the context is nearly full: %d of 256 tokens", f->used);
    if (kept)
        snprintf(want[1], sizeof want[1], "/fit drop: the oldest %d turns (about %d tokens) leave "
                 "the context, nothing is read again", f->turns, f->tokens);
    else
        snprintf(want[1], sizeof want[1], "/fit drop: the oldest %d turns (%d tokens) leave the "
                 "context, %d tokens are read again", f->turns, f->tokens, f->used - f->tokens);
    snprintf(want[2], sizeof want[2], "/fit summary: goes on in a new session with a summary: "
             "up to %d tokens are written", TALK_SUMMARY_TOKENS);
    snprintf(want[3], sizeof want[3], "/fit go: an answer of at most %d tokens", f->room);
    snprintf(want[4], sizeof want[4], "/fit stop: takes the question back, costs nothing");
    assert_true(f->turns > 0 && f->tokens > 0 && f->used == 256 - f->room);
    for (int i = 0; i < 5; i++)
        assert_int_equal(strstr(buf_text(&c->notes), want[i]) != NULL, i != 3 || f->room >= 32);
    buf_clear(&c->notes);
}

static void check_drop(const char *fixture, bool kept)
{
    struct chat c;
    begin(&c, fixture, NULL, NULL);
    int before = fill(&c);
    assert_true(c.t.fit.asked && before >= 4);
    assert_int_equal(c.t.c.n_turn, before + 1);
    check_choices(&c, kept);
    fit_choose(&c.t, FIT_DROP);
    assert_true(talk_busy(&c.t));
    settle(&c);
    assert_false(c.t.fit.asked || c.t.fit.doing);
    assert_true(c.t.c.n_dropped > 0 && c.t.c.n_dropped < before);
    assert_true(c.t.c.kept.n < 64 && (kept || c.t.c.kept.n == 0));
    assert_int_equal(c.t.c.turn[before].n_reply, 1);
    if (kept)
        assert_int_equal(c.re_read, 0);
    assert_true(!kept || c.read < 60);
    ask(&c, "and one more");
    assert_int_equal(c.re_read, 0);
    end(&c);
}

/* The oldest turns go; the question is answered, with nothing read twice where the cache can. */
void test_fit_drop(void **state)
{
    (void)state;
    check_drop("tiny-llama.gguf", true);
    check_drop("tiny-deepseek4.gguf", false);
}

static void assert_same_prompt(const struct prompt *a, const struct prompt *b)
{
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        assert_int_equal(a->message[i].ids.n, b->message[i].ids.n);
        assert_memory_equal(a->message[i].ids.id, b->message[i].ids.id,
                            (size_t)a->message[i].ids.n * sizeof(int32_t));
    }
}

/* Coming back gives the same context, out of the cache's file, and without that; a branch has it
 * too; going back behind it brings all turns back. */
void test_fit_drop_comes_back(void **state)
{
    (void)state;
    struct chat c;
    struct prompt before, after;
    begin(&c, "tiny-llama.gguf", NULL, NULL);
    fill(&c);
    fit_choose(&c.t, FIT_DROP);
    settle(&c);
    int dropped = c.t.c.n_dropped;
    conversation_prompt(&c.t.c, -1, &before);
    for (int round = 0; round < 3; round++) {
        char kv[600];
        snprintf(kv, sizeof kv, "%s", c.t.store.kv);
        if (round == 2)
            assert_true(talk_branch(&c.t, c.t.c.n_turn));
        end(&c);
        if (round == 1)
            assert_int_equal(unlink(kv), 0);
        c.o.session = round == 2 ? NULL : "one";
        c.o.resume = round == 2;
        open_again(&c);
        assert_int_equal(c.t.c.n_dropped, dropped);
        conversation_prompt(&c.t.c, -1, &after);
        assert_same_prompt(&before, &after);
        prompt_release(&after);
        assert_int_equal(said(&c, " 0 re-read"), round != 1);
    }
    prompt_release(&before);
    while (c.t.c.n_turn >= dropped)
        talk_undo(&c.t);
    assert_int_equal(c.t.c.n_dropped, 0);
    assert_int_equal(c.t.c.kept.n, 0);
    ask(&c, "what now?");
    assert_int_equal(c.reason, REASON_LENGTH);
    end(&c);
}

void test_fit_stop_and_go(void **state)
{
    (void)state;
    struct chat c;
    begin(&c, "tiny-llama.gguf", NULL, NULL);
    fit_choose(&c.t, FIT_DROP);
    assert_true(said(&c, "the context is not full"));
    int before = fill(&c);
    fit_choose(&c.t, FIT_STOP);
    assert_int_equal(c.t.c.n_turn, before);
    assert_false(c.t.fit.asked);
    for (const char *text = "x"; !c.t.fit.asked;)  /* short ones, up to the border */
        ask(&c, text);
    bool room = c.t.fit.room >= 32;
    int dones = c.dones;
    fit_choose(&c.t, FIT_GO);
    settle(&c);
    assert_int_equal(c.dones, dones + room);
    talk_undo(&c.t);
    assert_false(c.t.fit.asked);
    end(&c);
}

/* The new session begins with what the model said, and has the question; the old one has not. */
void test_fit_summary(void **state)
{
    (void)state;
    struct chat c;
    char first[80], question[80];
    begin(&c, "tiny-llama.gguf", NULL, NULL);
    int before = fill(&c);
    snprintf(first, sizeof first, "%s", c.t.store.id);
    snprintf(question, sizeof question, "%s", c.t.c.turn[before].question);
    fit_choose(&c.t, FIT_SUMMARY);
    settle(&c);
    assert_string_not_equal(c.t.store.id, first);
    assert_int_equal(c.t.c.n_turn, 1);
    assert_string_equal(c.t.c.turn[0].question, question);
    assert_int_equal(c.t.c.turn[0].n_reply, 1);
    assert_non_null(strstr(c.t.c.system, "The conversation so far: "));
    assert_true(talk_switch(&c.t, first));
    settle(&c);
    assert_int_equal(c.t.c.n_turn, before + 1);
    assert_memory_equal(c.t.c.turn[before].question, "Summarise", 9);
    end(&c);
}

/* With an option nobody is asked; where nobody can be asked, a line says so. */
void test_fit_option(void **state)
{
    (void)state;
    struct chat c;
    begin(&c, "tiny-llama.gguf", "drop", NULL);
    for (int i = 0; i < 20; i++)
        ask(&c, "a question that takes some room");
    assert_true(c.t.c.n_turn == 20 && c.t.c.n_dropped > 5 && c.dones == 20);
    assert_false(c.t.fit.asked);
    end(&c);

    begin(&c, "tiny-llama.gguf", NULL, "a question");
    int before = fill(&c);
    assert_false(c.t.fit.asked);
    assert_int_equal(c.t.c.n_turn, before);
    assert_true(said(&c, "!the context is full, --fit drop, summary or go says what to do"));
    end(&c);
}
