/* app_fold.c -- thoughts of finished turns leave the context. What could break: an answer that goes
 * on remembering its thought, a timeline that the log does not give again, a person who waits, a
 * fold that was left and costs the turn behind it something. */
#include "tests/app_chat.h"
#include "tests/app_run.h"

static const char *const fixtures[] = {"tiny-llama.gguf", "tiny-deepseek4.gguf"};
#define N_FIXTURES (sizeof fixtures / sizeof *fixtures)

/* Asks with a thought; its answer is `max` tokens long, or shorter by its own end. */
static const struct reply *ask(struct run *r, const char *text, int max)
{
    r->max = max;
    return run_reply(r, run_ask(r, text, MODE_PRO));
}

static int context(const struct run *r)
{
    int n = r->c.begin.n;
    for (int i = 0; i < r->c.n_turn; i++)
        n += r->c.turn[i].ids.n + reply_context_tokens(run_reply(r, i));
    return n;
}

/* The stretches are the thought with what opens and closes it, and nothing of the answer. */
void test_fold_takes_thoughts_alone(void **state)
{
    (void)state;
    struct run r;
    struct ids ids = {0}, flash = {0};
    run_open_as(&r, "chain.gguf", "chatml");
    r.max = 0;
    const struct reply *reply = run_reply(&r, run_ask(&r, "hi", MODE_PRO));
    assert_true(reply_folds(reply));
    assert_int_equal(reply->thought.n, 2); /* one stretch, from the beginning */
    assert_int_equal(reply->thought.id[0], 0);
    assert_int_equal(reply->part[1].kind, PART_ANSWER);
    int answer = reply->part[1].tokens;
    reply_context(reply, true, &ids);
    reply = run_reply(&r, run_ask(&r, "hi", MODE_FLASH)); /* there is no thought in it */
    assert_false(reply_folds(reply));
    reply_context(reply, true, &flash);
    int end = flash.n - reply->part[0].tokens; /* of a message */
    assert_int_equal(ids.n, answer + end);
    assert_memory_equal(ids.id + answer, flash.id + flash.n - end, (size_t)end * sizeof *ids.id);
    ids_release(&ids);
    ids_release(&flash);
    run_close(&r);
}

/* A second backend that reads the folded conversation from its ids goes on with the same tokens. */
static void check_same(struct run *r, const char *fixture)
{
    struct run fresh;
    struct prompt p;
    run_open(&fresh, fixture);
    conversation_prompt(&r->c, -1, &p);
    fresh.b->ops->resume(fresh.b, &p, NULL, &fresh.list);
    while (fresh.b->ops->step(fresh.b, &fresh.list))
        ;
    event_clear(&fresh.list);
    for (int i = 0; i < r->c.n_turn; i++) {
        const struct turn *from = &r->c.turn[i];
        int turn = conversation_ask(&fresh.c, from->question, from->mode);
        struct reply *to = conversation_reply(&fresh.c, turn);
        ids_append(&fresh.c.turn[turn].ids, from->ids.id, from->ids.n);
        reply_context(run_reply(r, i), run_reply(r, i)->folded, &to->ids);
    }
    ids_append(&fresh.c.begin, r->c.begin.id, r->c.begin.n);
    const struct reply *a = ask(r, "go on", 20), *b = ask(&fresh, "go on", 20);
    assert_int_equal(a->ids.n, b->ids.n);
    assert_memory_equal(a->ids.id, b->ids.id, (size_t)a->ids.n * sizeof *a->ids.id);
    run_nothing_re_read(r);
    run_close(&fresh);
}

/* What is read again is what stood behind the thought; the next turn reads its question alone, and
 * the same conversation from its ids gives the same tokens. */
void test_fold_reads_the_answer_again(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_FIXTURES; f++) {
        struct run r;
        run_open(&r, fixtures[f]);
        const struct reply *reply = ask(&r, "first", 30);
        int thought = reply->ids.n;
        run_fold(&r, -1);
        thought -= reply_context_tokens(run_reply(&r, 0));
        assert_true(thought > 16);
        assert_int_equal(r.fold_out, thought);
        int behind = reply_context_tokens(run_reply(&r, 0));
        assert_true(r.fold_re_read >= behind - 1);
        assert_true(f == 1 || r.fold_re_read <= behind + 1); /* a snapshot may lie before it */
        run_fold(&r, -1); /* there is nothing to do */
        assert_int_equal(r.fold_out, 0);
        assert_int_equal(r.fold_re_read, 0);
        int held = context(&r);
        check_same(&r, fixtures[f]);
        assert_true(r.done.usage.reused_tokens >= held - 1);
        assert_int_equal(r.done.ctx_used, held + r.c.turn[1].ids.n + run_reply(&r, 1)->ids.n);
        run_close(&r);
    }
}

/* Left at any slice: nothing changed for the next turn, and what was read serves the next attempt.
 * A cache without forks has changed, and the next turn reads what is left. */
void test_fold_is_left(void **state)
{
    (void)state;
    for (int slices = 0; slices < 4; slices++) {
        struct run r;
        run_open(&r, "tiny-llama.gguf");
        ask(&r, "first", 180); /* three slices and a bit */
        int before = context(&r);
        run_fold(&r, slices);
        int read = r.fold_re_read;
        bool whole = r.fold_out > 0;
        assert_true(whole ? slices > 0 : context(&r) == before);
        if (!whole) {
            run_ask(&r, "at once", MODE_FLASH);
            run_nothing_re_read(&r);
            assert_true(r.done.usage.reused_tokens >= before - 8);
        }
        int behind = reply_context_tokens(run_reply(&r, 0));
        run_fold(&r, -1);
        int rest = context(&r) - r.c.begin.n - r.c.turn[0].ids.n - read;
        assert_true(whole || (r.fold_out > 0 && r.fold_re_read <= rest + 1));
        assert_true(behind > 0);
        check_same(&r, "tiny-llama.gguf");
        run_close(&r);
    }
    struct run r;
    run_open(&r, "tiny-deepseek4.gguf");
    ask(&r, "first", 60);
    run_fold(&r, 1);
    assert_true(r.fold_out > 0); /* it was cut where it is */
    check_same(&r, "tiny-deepseek4.gguf");
    run_close(&r);
}

/* Two of them at once, and a sibling that was not folded beside one that was. */
void test_fold_several(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "tiny-llama.gguf");
    ask(&r, "one", 20);
    ask(&r, "two", 20);
    run_ask(&r, "three", MODE_FLASH);
    run_fold(&r, -1);
    assert_true(run_reply(&r, 0)->folded && run_reply(&r, 1)->folded);
    assert_false(run_reply(&r, 2)->folded);
    check_same(&r, "tiny-llama.gguf");
    run_close(&r);
}

/* ---- with the log, the worker and a person --------------------------------------------------- */

static char *log_of(const struct chat *c)
{
    char path[700];
    snprintf(path, sizeof path, "%s/log.jsonl", c->t.store.folder);
    return test_read_file(path, NULL);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* Once nothing else is to be done it happens by itself, is one line in the log, and a session that
 * is opened again is as it was. */
void test_fold_happens_when_idle(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "/pro think of it");
    chat_settle(&c);
    const struct reply *r = &c.t.c.turn[0].reply[0];
    assert_true(r->folded);
    assert_int_equal(c.folds, 1);
    assert_int_equal(c.t.re_read, 0); /* its own count is apart */
    assert_true(r->fold_tokens > 0 && r->fold_tokens <= reply_context_tokens(r) + 1);
    char *thought = reply_join(r, PART_THINKING);
    assert_true(*thought); /* still there to be shown */
    free(thought);
    int used = c.t.ctx_used, tokens = r->fold_tokens;
    assert_int_equal(used, c.t.c.begin.n + c.t.c.turn[0].ids.n + reply_context_tokens(r));
    char *log = log_of(&c);
    assert_int_equal(count(log, "\"type\": \"fold\""), 1);
    free(log);
    chat_end(&c);
    c.o.resume = true;
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    r = &c.t.c.turn[0].reply[0];
    assert_true(r->folded);
    assert_int_equal(r->fold_tokens, tokens);
    assert_int_equal(c.back, used);
    assert_int_equal(c.re_read, 0);
    chat_end(&c);
}

void test_fold_can_be_switched_off(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    c.o.keep_thoughts = true;
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "/pro think of it");
    chat_settle(&c);
    assert_false(c.t.c.turn[0].reply[0].folded);
    chat_line(&c, "/refold");
    assert_non_null(strstr(buf_text(&c.notes), "stay in the context; some are in it"));
    chat_line(&c, "/refold now"); /* by hand, once */
    chat_settle(&c);
    assert_true(c.t.c.turn[0].reply[0].folded);
    chat_line(&c, "/pro and again");
    chat_settle(&c);
    assert_false(c.t.c.turn[1].reply[0].folded);
    chat_line(&c, "/refold on");
    chat_settle(&c);
    assert_true(c.t.c.turn[1].reply[0].folded);
    chat_line(&c, "/refold now");
    assert_non_null(strstr(buf_text(&c.notes), "there is no thought"));
    chat_line(&c, "/refold over");
    assert_non_null(strstr(buf_text(&c.notes), "!/refold on, off or now"));
    chat_line(&c, "/refold off");
    chat_line(&c, "/pro once more");
    chat_settle(&c);
    assert_false(c.t.c.turn[2].reply[0].folded);
    chat_end(&c);
}

/* Runs a turn until its fold has begun. */
static void ask_until_fold(struct chat *c, const char *line)
{
    chat_line(c, line);
    while (!c->t.fold.running)
        chat_step(c);
}

static void check_replay(struct chat *c)
{
    struct conversation from_log;
    struct log_report report;
    struct err err;
    struct prompt a, b;
    char *log = log_of(c);
    conversation_init(&from_log);
    assert_true(log_parse(log, strlen(log), &from_log, &report, &err));
    assert_int_equal(from_log.mode, c->t.c.mode);
    conversation_prompt(&c->t.c, -1, &a);
    conversation_prompt(&from_log, -1, &b);
    assert_int_equal(a.n, b.n);
    for (int i = 0; i < a.n; i++) {
        assert_int_equal(a.message[i].ids.n, b.message[i].ids.n);
        if (a.message[i].ids.n > 0)
            assert_memory_equal(a.message[i].ids.id, b.message[i].ids.id,
                                (size_t)a.message[i].ids.n * sizeof(int32_t));
    }
    prompt_release(&a);
    prompt_release(&b);
    conversation_release(&from_log);
    free(log);
}

/* Every pair of modes, changed while a fold runs, and a question at once: nothing is read again
 * whether the fold was left or over, and the log gives the same. */
void test_fold_toggle(void **state)
{
    (void)state;
    struct chat c;
    char line[60];
    chat_ready(&c);
    c.t.max_tokens = 100;
    for (int from = 1; from < MODE_COUNT; from++) /* Flash leaves nothing to fold */
        for (int to = 0; to < MODE_COUNT; to++) {
            snprintf(line, sizeof line, "/mode %s", mode_get((enum mode_id)from)->name);
            chat_line(&c, line);
            snprintf(line, sizeof line, "pair %d %d", from, to);
            ask_until_fold(&c, line);
            talk_mode(&c.t, (enum mode_id)to);
            chat_line(&c, "at once");
            chat_settle(&c);
            assert_int_equal(c.t.c.turn[1].reply[0].mode, to);
            assert_int_equal(c.t.c.turn[1].reply[0].usage.re_read_tokens, 0);
            assert_true(c.t.c.turn[0].reply[0].folded);
            assert_int_equal(conversation_folds(&c.t.c, 0), -1); /* by now */
            check_replay(&c);
            chat_line(&c, "/new");
            chat_settle(&c);
        }
    chat_end(&c);
}

/* Stopped by a key it rests until the next turn; taking the turn back, another answer, a branch and
 * the end of the program are none the worse for it. */
void test_fold_gives_way(void **state)
{
    (void)state;
    struct chat c;
    char id[80];
    chat_ready(&c);
    c.t.max_tokens = 100;
    ask_until_fold(&c, "/pro one");
    assert_true(talk_stop(&c.t));
    chat_settle(&c);
    assert_false(c.t.fold.running);
    bool over = c.t.c.turn[0].reply[0].folded; /* it may have been faster than the key */
    chat_line(&c, "two");
    chat_settle(&c);
    assert_true(over || c.t.c.turn[0].reply[0].folded);
    ask_until_fold(&c, "/pro three");
    chat_line(&c, "/retry");
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[2].n_reply, 2);
    chat_line(&c, "/flip");
    chat_settle(&c);
    check_replay(&c);
    ask_until_fold(&c, "/pro four");
    chat_line(&c, "/fork");
    chat_settle(&c);
    check_replay(&c);
    ask_until_fold(&c, "/pro five");
    chat_line(&c, "/undo");
    chat_settle(&c);
    ask_until_fold(&c, "/pro six");
    snprintf(id, sizeof id, "%s", c.t.store.id);
    chat_end(&c);
    c.o.session = id;
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    assert_int_equal(c.t.c.n_turn, 5);
    assert_true(c.t.c.turn[4].reply[0].folded); /* now, if not then */
    check_replay(&c);
    chat_end(&c);
}
