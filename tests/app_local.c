/* app_local.c -- the local backend on a fixture model, slice by slice, without a thread. What could
 * break: a change of mode that reads tokens again, ids told that are not the timeline's, counts
 * that are not the engine's, a cancel that loses what was done. */
#include "tests/app_run.h"

#include "engine/engine.h"

/* A cache that can be cut anywhere, and one that cannot. */
static const char *const fixtures[] = { "tiny-llama.gguf", "tiny-deepseek4.gguf" };
#define N_FIXTURES (sizeof fixtures / sizeof *fixtures)

/* Asks, and changes the mode after so many tokens; -1: never. */
static int ask(struct run *r, const char *text, enum mode_id mode, int max, int change_at,
               enum mode_id to)
{
    r->max = max;
    r->change_at = change_at;
    r->change_to = to;
    return run_ask(r, text, mode);
}

/* A question in one mode, changed to another after so many tokens, and a second question. */
static void check_toggle(const char *fixture, enum mode_id from, enum mode_id to, int at)
{
    struct run r;
    run_open(&r, fixture);
    ask(&r, "a question", from, 40, at, to);
    assert_true(r.done.reason == REASON_LENGTH || r.done.reason == REASON_STOP);
    run_nothing_re_read(&r);
    int before = r.done.ctx_used;
    ask(&r, "and then?", to, 8, -1, MODE_FLASH);
    run_nothing_re_read(&r);
    /* only the last generated token and the end of the message were unread */
    assert_true(r.done.usage.reused_tokens >= before - 8);
    run_close(&r);
}

/* Each pair of modes, changed before the first token, in the thought, in the answer, and between
 * turns: the engine reads no token twice, and the next turn reuses all of it. */
void test_local_toggle_reads_nothing_again(void **state)
{
    (void)state;
    static const int at[] = {0, 1, 5, 30};
    for (size_t f = 0; f < N_FIXTURES; f++)
        for (int from = 0; from < MODE_COUNT; from++)
            for (int to = 0; to < MODE_COUNT; to++)
                for (size_t i = 0; i < sizeof at / sizeof *at; i++)
                    check_toggle(fixtures[f], (enum mode_id)from, (enum mode_id)to, at[i]);
}

/* The same question again finds its prompt read; a turn taken back costs no more than the end of
 * the message before it. */
void test_local_retry_and_undo(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_FIXTURES; f++) {
        struct run r;
        run_open(&r, fixtures[f]);
        ask(&r, "first", MODE_FLASH, 100, -1, MODE_FLASH);
        int first = r.done.ctx_used;
        ask(&r, "second", MODE_FLASH, 100, -1, MODE_FLASH);
        conversation_cut(&r.c, 1);
        ask(&r, "second", MODE_FLASH, 100, -1, MODE_FLASH);
        assert_true(r.done.usage.reused_tokens >= r.done.usage.prompt_tokens - 1);
        conversation_cut(&r.c, 1);
        ask(&r, "another second", MODE_FLASH, 10, -1, MODE_FLASH);
        assert_true(r.done.usage.reused_tokens >= first - 8);
        assert_true(r.done.usage.re_read_tokens <= 8);
        run_close(&r);
    }
}

/* Asks until a question comes whose reply is in its first part after 10 tokens, and changes there.
 * (A random model may end a part at any token.) */
static int ask_until_changed(struct run *r, enum mode_id from, enum mode_id to)
{
    for (int i = 0; i < 50; i++) {
        char question[20];
        snprintf(question, sizeof question, "hello %d", i);
        int t = ask(r, question, from, 20, 10, to);
        const struct reply *reply = &r->c.turn[t].reply[0];
        if (r->modes == 1 && reply->n_part > 1 && reply->part[1].mode == to)
            return t;
    }
    fail_msg("no question of 50 could be changed");
    return -1;
}

/* The change takes effect at once: thought closed or opened at that very token. */
void test_local_toggle_takes_effect(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "tiny-llama.gguf");
    int t = ask_until_changed(&r, MODE_PRO_MAX, MODE_FLASH);
    const struct reply *reply = &r.c.turn[t].reply[0];
    assert_int_equal(r.modes, 1);
    assert_int_equal(r.thought, 10);
    assert_int_equal(reply->part[0].kind, PART_THINKING);
    assert_int_equal(reply->part[0].mode, MODE_PRO_MAX);
    assert_int_equal(reply->part[reply->n_part - 1].kind, PART_ANSWER);
    assert_int_equal(reply->part[reply->n_part - 1].mode, MODE_FLASH);
    t = ask_until_changed(&r, MODE_FLASH, MODE_PRO_MAX);
    reply = &r.c.turn[t].reply[0];
    assert_int_equal(r.modes, 1);
    assert_int_equal(reply->part[0].kind, PART_ANSWER);
    assert_int_equal(reply->part[0].mode, MODE_FLASH);
    assert_int_equal(reply->part[1].kind, PART_THINKING);
    assert_int_equal(reply->part[1].mode, MODE_PRO_MAX);
    assert_true(r.thought > 0);
    run_close(&r);
}

/* The ids of prompt and reply are the timeline: the next prompt begins with them. */
void test_local_ids_are_the_timeline(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "tiny-llama.gguf");
    ask(&r, "one", MODE_PRO, 12, 6, MODE_FLASH);
    int used = r.done.ctx_used;
    int n = r.c.begin.n + r.c.turn[0].ids.n + r.c.turn[0].reply[0].ids.n;
    assert_int_equal(n, used);
    assert_true(r.c.begin.n > 0);
    run_close(&r);
}

/* Tokens tried ahead are those that come one by one. How many are tried after the first depends on
 * what the clock says they cost. */
void test_local_ahead_is_the_same(void **state)
{
    (void)state;
    struct run r;
    int drafted = 0;
    run_open(&r, "tiny-llama-q4_1.gguf");
    struct engine *e;
    struct session *s;
    struct err err;
    struct engine_opts eo = {.n_threads = 1};
    struct session_opts so = {.n_ctx = 512};
    assert_true(engine_open(&e, test_fixture("tiny-llama-q4_1.gguf"), &eo, &err));
    for (int i = 0; i < 8; i++) {
        char question[20];
        snprintf(question, sizeof question, "%d %d %d", i, i, i);
        int t = ask(&r, question, MODE_FLASH, 80, -1, MODE_FLASH);
        const struct usage *u = &r.done.usage;
        const struct ids *reply = &r.c.turn[t].reply[0].ids;
        drafted += u->drafted_tokens;
        assert_true(u->accepted_tokens <= u->drafted_tokens);
        assert_true(session_new(&s, e, &so, &err));
        int32_t prompt[200];
        int n = r.c.begin.n, n_asked = r.c.turn[t].ids.n;
        memcpy(prompt, r.c.begin.id, (size_t)n * sizeof *prompt);
        memcpy(prompt + n, r.c.turn[t].ids.id, (size_t)n_asked * sizeof *prompt);
        n += n_asked;
        while (session_read(s, prompt, n, &err) < n)
            ;
        for (int k = 0; k < u->answer_tokens; k++) {
            struct sampling greedy = {.top_p = 1, .repeat_penalty = 1, .no_end = k == 0};
            struct session_token token;
            assert_int_equal(session_next(s, &greedy, &token, 1, &err), 1);
            assert_int_equal(token.id, reply->id[k]);
        }
        session_free(&s);
        conversation_cut(&r.c, 0);
    }
    assert_true(drafted > 0);
    engine_close(&e);
    run_close(&r);
}

/* The same prompt, seed and mode give the same ids, toggled at the same token or not. */
void test_local_is_reproducible(void **state)
{
    (void)state;
    struct run a, b;
    run_open(&a, "tiny-llama.gguf");
    run_open(&b, "tiny-llama.gguf");
    b.o.threads = 2;
    ask(&b, "something else first", MODE_FLASH, 9, -1, MODE_FLASH);
    conversation_cut(&b.c, 0);
    ask(&a, "what?", MODE_FLASH, 30, 7, MODE_PRO_MAX);
    ask(&b, "what?", MODE_FLASH, 30, 7, MODE_PRO_MAX);
    const struct ids *x = &a.c.turn[0].reply[0].ids, *y = &b.c.turn[0].reply[0].ids;
    assert_int_equal(x->n, y->n);
    assert_memory_equal(x->id, y->id, (size_t)x->n * sizeof *x->id);
    run_close(&a);
    run_close(&b);
}

static int ask_and_cancel(struct run *r, const char *text, int slices)
{
    struct turn_request q = {0};
    struct err err;
    int turn = conversation_ask(&r->c, text, MODE_FLASH);
    conversation_prompt(&r->c, turn, &q.prompt);
    q.max_tokens = 50;
    r->b->ops->mode(r->b, MODE_FLASH);
    r->b->ops->cancel(r->b, false);
    assert_true(r->b->ops->start(r->b, &q, &r->list, &err));
    for (int i = 0; i < slices; i++)
        assert_true(r->b->ops->step(r->b, &r->list));
    r->b->ops->cancel(r->b, true);
    while (r->b->ops->step(r->b, &r->list))
        ;
    run_take(r, turn);
    return turn;
}

/* A long reading that is stopped keeps what it read: asked again, that much is reused. */
void test_local_cancel_keeps_what_was_read(void **state)
{
    (void)state;
    char text[1700];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (size_t f = 0; f < N_FIXTURES; f++) {
        struct run r;
        run_open(&r, fixtures[f]);
        ask_and_cancel(&r, text, 3);
        assert_int_equal(r.done.reason, REASON_CANCELLED);
        int read = r.done.usage.read_tokens;
        assert_true(read >= 64 && read < r.done.usage.prompt_tokens);
        assert_int_equal(r.c.turn[0].chosen, -1);
        ask(&r, text, MODE_FLASH, 4, -1, MODE_FLASH);
        assert_int_equal(r.done.usage.reused_tokens, read);
        run_nothing_re_read(&r);
        run_close(&r);
    }
}

void test_local_cancel_keeps_the_answer(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_FIXTURES; f++) {
        struct run r;
        run_open(&r, fixtures[f]);
        ask_and_cancel(&r, "go on", 6);
        assert_int_equal(r.done.reason, REASON_CANCELLED);
        assert_true(r.c.turn[0].reply[0].ids.n > 0);
        int used = r.done.ctx_used;
        ask(&r, "and?", MODE_FLASH, 4, -1, MODE_FLASH);
        assert_true(r.done.usage.reused_tokens >= used - 8);
        run_nothing_re_read(&r);
        run_close(&r);
    }
}

/* Saved and resumed: nothing is read again; without or with a damaged file all of it is. */
static void check_save_and_resume(const char *fixture)
{
    char kv[200];
    struct run a, b;
    struct prompt p;
    struct event *e;
    snprintf(kv, sizeof kv, "%s/kv", test_folder());
    run_open(&a, fixture);
    ask(&a, "remember this", MODE_PRO, 40, -1, MODE_FLASH);
    a.b->ops->save(a.b, kv, &a.list);
    e = event_take(&a.list);
    assert_int_equal(e->kind, EVENT_SAVED);
    assert_int_equal(e->text.bytes, 0);
    event_free(&e);
    for (int damaged = 0; damaged < 2; damaged++) {
        run_open(&b, fixture);
        if (damaged)
            test_write_file(kv, "no cache", 8);
        conversation_prompt(&a.c, -1, &p);
        b.b->ops->resume(b.b, &p, kv, &b.list);
        while (b.b->ops->step(b.b, &b.list))
            run_take(&b, -1);
        run_take(&b, -1);
        int n = a.done.ctx_used;
        assert_int_equal(b.resumed_back, damaged ? 0 : n);
        assert_int_equal(b.resumed_re_read, damaged ? n : 0);
        run_close(&b);
    }
    run_close(&a);
}

void test_local_save_and_resume(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_FIXTURES; f++)
        check_save_and_resume(fixtures[f]);
}

/* A conversation larger than the context is refused with its numbers, before anything is read. */
void test_local_context_is_full(void **state)
{
    (void)state;
    struct run r;
    struct turn_request q = {0};
    struct err err;
    run_open(&r, "tiny-llama.gguf");
    char *text = malloc(20001);
    memset(text, 'q', 20000);
    text[20000] = 0;
    int turn = conversation_ask(&r.c, text, MODE_FLASH);
    conversation_prompt(&r.c, turn, &q.prompt);
    assert_true(r.b->ops->start(r.b, &q, &r.list, &err));
    assert_false(r.b->ops->step(r.b, &r.list));
    const struct event *last = r.list.tail;
    assert_int_equal(last->kind, EVENT_FULL);
    assert_int_equal(last->total, 2048);
    assert_true(last->done > 2048 && last->tokens == 256);
    free(text);
    run_close(&r);
}

/* Ids of a damaged log that no vocabulary has: the message is rendered from its text again. */
void test_local_renders_what_the_log_damaged(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "tiny-llama.gguf");
    ask(&r, "whole", MODE_FLASH, 5, -1, MODE_FLASH);
    struct ids *ids = &r.c.turn[0].ids;
    int n = ids->n;
    ids->id[n / 2] = 1 << 30;
    ask(&r, "next", MODE_FLASH, 5, -1, MODE_FLASH);
    assert_int_equal(r.done.reason, REASON_LENGTH);
    assert_int_equal(r.c.turn[0].ids.n, n);
    assert_true(r.c.turn[0].ids.id[n / 2] < 512);
    assert_true(r.done.usage.reused_tokens >= n);
    run_close(&r);
}

/* ---- thoughts of the model's own ------------------------------------------------------------ */

static void check_reply(const struct run *r, int turn, const char *thought, const char *answer)
{
    const struct reply *reply = &r->c.turn[turn].reply[r->c.turn[turn].chosen];
    char *text = reply_join(reply, PART_THINKING);
    assert_string_equal(text, thought);
    free(text);
    text = reply_join(reply, PART_ANSWER);
    assert_string_equal(text, answer);
    free(text);
    assert_int_equal(r->done.reason, REASON_STOP);
    run_nothing_re_read(r);
}

/* The chain model opens a thought behind the header of its answer, in whatever mode. Its template
 * knows no thoughts, or it is forced to one that does. Markers are never a part of a text. */
void test_local_own_thoughts(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "chain.gguf");
    int turn = ask(&r, "hi", MODE_FLASH, 0, -1, MODE_FLASH);
    check_reply(&r, turn, "", "yes"); /* opened, closed at once, answered */
    assert_int_equal(r.thought, 1);
    turn = ask(&r, "hi", MODE_PRO, 0, -1, MODE_PRO);
    check_reply(&r, turn, "Let me think step by step.\nhm", "ok");
    assert_int_equal(r.generated - r.thought, 2);
    run_close(&r);
    run_open_as(&r, "chain.gguf", "chatml");
    turn = ask(&r, "hi", MODE_FLASH, 0, -1, MODE_FLASH);
    check_reply(&r, turn, "", "yes");
    assert_int_equal(r.thought, 0); /* skipped by the template */
    turn = ask(&r, "hi", MODE_PRO, 0, -1, MODE_PRO);
    check_reply(&r, turn, "hm", "ok");
    run_close(&r);
}

/* ---- templates ------------------------------------------------------------------------------ */

static int count_notes(struct run *r)
{
    struct event *e;
    int n = 0;
    while ((e = event_take(&r->list))) {
        n += e->kind == EVENT_NOTE && strstr(buf_text(&e->text), "--template NAME") != NULL;
        event_free(&e);
    }
    return n;
}

/* In the flash tier Flash reads by the index as soon as there is enough to choose from, the other
 * modes all rows of the same cache: a change reads nothing again. */
void test_local_far(void **state)
{
    (void)state;
    struct run r;
    struct err err;
    struct options wrong = {.far = "tape", .threads = 1};
    char question[1250];
    run_open(&r, "tiny-llama.gguf");
    r.b->ops->close(&r.b);
    r.o.far = "flash";
    r.b = local_new(test_fixture("tiny-llama.gguf"), &r.o);
    assert_true(r.b->ops->open(r.b, &r.list, &err));
    for (size_t i = 0; i < sizeof question - 1; i++)
        question[i] = (char)('a' + i * i % 23);
    question[sizeof question - 1] = 0;
    ask(&r, question, MODE_FLASH, 20, -1, MODE_FLASH);
    assert_int_equal(r.done.far.tier, KV_TIER_FLASH);
    assert_true(r.done.far.by_index);
    assert_true(r.done.far.disk_bytes > r.done.far.memory_bytes);
    ask(&r, "go on", MODE_FLASH, 20, 5, MODE_PRO);
    run_nothing_re_read(&r);
    assert_false(r.done.far.by_index);
    ask(&r, "and more", MODE_FLASH, 8, -1, MODE_FLASH);
    run_nothing_re_read(&r);
    assert_true(r.done.far.by_index);
    run_close(&r);

    struct backend *b = local_new(test_fixture("tiny-llama.gguf"), &wrong);
    struct event_list list = {0};
    assert_false(b->ops->open(b, &list, &err));
    assert_non_null(strstr(err.msg, "--far cannot be 'tape'"));
    b->ops->close(&b);
    event_clear(&list);
}

/* Reads ids [from, to) again, of at most n slices; the event that says so, to be freed. */
static struct event *read_exact(struct run *r, int from, int to, int slices)
{
    struct event *e, *exact = NULL;
    r->b->ops->cancel(r->b, false);
    r->b->ops->exact(r->b, from, to);
    for (bool more = true; more;) {
        if (slices-- == 0)
            r->b->ops->cancel(r->b, true);
        more = r->b->ops->step(r->b, &r->list);
    }
    while ((e = event_take(&r->list))) {
        if (e->kind == EVENT_EXACT)
            exact = e;
        else
            event_free(&e);
    }
    assert_non_null(exact);
    return exact;
}

/* A stretch is held exactly from then on; the next turn reads nothing again and says that it is;
 * what is stopped says how far it came. */
void test_local_exact(void **state)
{
    (void)state;
    struct run r;
    struct err err;
    char question[500];
    run_open(&r, "tiny-llama.gguf");
    r.b->ops->close(&r.b);
    r.o.far = "q8";
    r.b = local_new(test_fixture("tiny-llama.gguf"), &r.o);
    assert_true(r.b->ops->open(r.b, &r.list, &err));
    memset(question, 'q', sizeof question - 1);
    question[sizeof question - 1] = 0;
    ask(&r, question, MODE_FLASH, 20, -1, MODE_FLASH);
    int n = r.done.ctx_used;
    assert_true(n > 300);
    struct event *e = read_exact(&r, 100, 200, -1);
    assert_int_equal(e->done, 256 - 64);
    assert_int_equal(e->ids.n, 2);
    assert_int_equal(e->ids.id[0], 64);
    assert_int_equal(e->ids.id[1], 256);
    assert_int_equal(e->text.bytes, 0);
    event_free(&e);
    e = read_exact(&r, 0, n, 1);
    assert_int_equal(e->done, 64);
    assert_string_equal(buf_text(&e->text), "stopped");
    assert_int_equal(e->ids.id[0], 0);
    event_free(&e);
    e = read_exact(&r, n + 100, n + 200, -1); /* nothing is there */
    assert_int_equal(e->done, 0);
    event_free(&e);
    ask(&r, "more", MODE_FLASH, 8, -1, MODE_FLASH);
    run_nothing_re_read(&r);
    run_close(&r);
}

void test_local_template(void **state)
{
    (void)state;
    struct run r;
    struct options o = {.template = "nothing", .threads = 1};
    struct event_list list = {0};
    struct err err;
    run_open(&r, "tiny-llama.gguf");
    assert_int_equal(count_notes(&r), 0);
    run_close(&r);
    run_open_as(&r, "tiny-llama.gguf", "none"); /* as asked for: no note */
    assert_int_equal(count_notes(&r), 0);
    run_close(&r);
    struct backend *b = local_new(test_fixture("tiny-llama.gguf"), &o);
    assert_false(b->ops->open(b, &list, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.msg, "no chat template 'nothing'; there are "));
    b->ops->close(&b);
    event_clear(&list);
}

/* A model without a known template says so when it is opened. */
void test_local_no_template_is_told(void **state)
{
    (void)state;
    struct run r;
    size_t bytes;
    char path[200];
    char *data = test_read_file(test_fixture("chain.gguf"), &bytes);
    for (size_t i = 0; i + 12 < bytes; i++) /* in the template and the vocabulary alike */
        if (memcmp(data + i, "<|im_start|>", 12) == 0)
            memcpy(data + i, "<|xx_start|>", 12);
    snprintf(path, sizeof path, "%s/m.gguf", test_folder());
    test_write_file(path, data, bytes);
    free(data);
    run_open_path(&r, path, NULL);
    assert_int_equal(count_notes(&r), 1);
    run_close(&r);
}
