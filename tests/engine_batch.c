/* engine_batch.c -- forks and batches. What could break: a fork that writes into what it shares,
 * blocks freed twice or never, a token that depends on the company it is decoded in. */
#include "tests/test.h"

#include "engine/engine.h"
#include "engine/mem.h"

enum { PROMPT = 150, STEPS = 70 }; /* past two block borders */

static struct engine *open_engine(const char *name, int n_threads)
{
    struct engine *e;
    struct err err;
    struct engine_opts o = {.n_threads = n_threads};
    if (!engine_open(&e, test_fixture(name), &o, &err))
        fail_msg("%s", err.msg);
    return e;
}

static struct session *open_session(struct engine *e, int n_prompt)
{
    struct session *s;
    struct err err;
    struct session_opts o = {.n_ctx = 512};
    int32_t ids[PROMPT];
    assert_true(session_new(&s, e, &o, &err));
    for (int i = 0; i < n_prompt; i++)
        ids[i] = i * 7 % 500;
    int n;
    do {
        n = session_read(s, ids, n_prompt, &err);
    } while (n >= 0 && n < n_prompt);
    assert_int_equal(n, n_prompt);
    return s;
}

static struct sampling hot(uint64_t seed)
{
    return (struct sampling){.temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = seed};
}

static void run(struct session *s, uint64_t seed, int n)
{
    struct sampling how = hot(seed);
    struct session_token t;
    struct err err;
    for (int i = 0; i < n; i++)
        assert_int_equal(session_next(s, &how, &t, 1, &err), 1);
}

static void assert_same(const struct session *a, const struct session *b)
{
    assert_int_equal(session_len(a), session_len(b));
    assert_memory_equal(session_ids(a), session_ids(b), (size_t)session_len(a) * 4);
    assert_true(session_logits_hash(a) == session_logits_hash(b));
}

/* Each of a family of forks, decoded in turns, gives what it gives alone. */
void test_fork_is_alone(void **state)
{
    (void)state;
    struct engine *e = open_engine("tiny-llama-q8_0.gguf", 1);
    struct session *a = open_session(e, PROMPT), *fork[3], *alone;
    struct err err;
    for (int i = 0; i < 3; i++)
        assert_true(session_fork(i == 2 ? fork[1] : a, &fork[i], &err));
    for (int step = 0; step < STEPS; step++) {
        run(a, 1, 1);
        for (int i = 0; i < 3; i++)
            run(fork[i], (uint64_t)i + 2, 1);
    }
    for (int i = 0; i < 4; i++) {
        alone = open_session(e, PROMPT);
        run(alone, (uint64_t)i + 1, STEPS);
        assert_same(i == 0 ? a : fork[i - 1], alone);
        session_free(&alone);
    }
    session_free(&a);
    run(fork[0], 9, 5);
    for (int i = 0; i < 3; i++)
        session_free(&fork[i]);
    engine_close(&e);
}

/* A fork of a cut timeline, of one with a token not read yet, and of an empty one. */
void test_fork_of_any_state(void **state)
{
    (void)state;
    struct engine *e = open_engine("tiny-llama-q8_0.gguf", 1);
    struct session *a = open_session(e, PROMPT), *b, *c;
    struct err err;
    run(a, 1, 10);
    assert_true(session_fork(a, &b, &err));
    session_cut(b, 100);
    assert_true(session_fork(b, &c, &err));
    run(b, 3, 20);
    run(c, 3, 20);
    assert_same(b, c);
    session_free(&b);
    session_cut(c, 0);
    assert_true(session_fork(c, &b, &err));
    assert_int_equal(session_len(b), 0);
    run(a, 1, 10);
    struct session *alone = open_session(e, PROMPT);
    run(alone, 1, 20);
    assert_same(a, alone);
    session_free(&alone);
    session_free(&a);
    session_free(&b);
    session_free(&c);
    engine_close(&e);
}

/* A fork of a mapped cache outlives the timeline that mapped it. */
void test_fork_of_a_mapped_cache(void **state)
{
    (void)state;
    char path[200];
    struct err err;
    struct session *b, *c, *alone;
    struct session_opts o = {.n_ctx = 512};
    struct engine *e = open_engine("tiny-llama-q8_0.gguf", 1);
    struct session *a = open_session(e, PROMPT);
    snprintf(path, sizeof path, "%s/kv", test_folder());
    assert_true(session_save(a, path, &err));
    assert_true(session_new(&b, e, &o, &err));
    assert_true(session_load(b, path, &err));
    assert_true(session_fork(b, &c, &err));
    session_free(&b);
    run(c, 5, STEPS);
    alone = open_session(e, PROMPT);
    run(alone, 5, STEPS);
    assert_same(c, alone);
    session_free(&a);
    session_free(&c);
    session_free(&alone);
    engine_close(&e);
}

/* It shares: a fork of a long timeline takes what an empty one takes. */
void test_fork_shares_memory(void **state)
{
    (void)state;
    struct engine *e = open_engine("tiny-llama-q8_0.gguf", 1);
    struct session *a = open_session(e, PROMPT), *fork, *empty;
    struct session_opts o = {.n_ctx = 512};
    struct err err;
    uint64_t before = mem_bytes();
    assert_true(session_fork(a, &fork, &err));
    uint64_t forked = mem_bytes() - before;
    assert_true(session_new(&empty, e, &o, &err));
    assert_int_equal(mem_bytes() - before - forked, forked);
    session_free(&empty);
    session_free(&fork);
    assert_true(mem_bytes() == before);
    session_free(&a);
    engine_close(&e);
}

static void batch_equals_alone(const char *fixture, int n_threads)
{
    struct engine *e = open_engine(fixture, n_threads);
    struct session *s[5], *alone;
    struct session_token out[5];
    struct sampling how[5];
    struct batch *b;
    struct err err;
    s[0] = open_session(e, PROMPT);
    for (int i = 1; i < 5; i++)
        assert_true(session_fork(s[0], &s[i], &err));
    for (int i = 0; i < 5; i++)
        how[i] = hot((uint64_t)i + 1);
    run(s[3], 4, 3); /* one that is ahead */
    assert_true(batch_new(&b, e, 5, &err));
    uint64_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        int n = step < 40 ? 5 : 4; /* one that stops before */
        assert_int_equal(batch_next(b, s, n, how, out, &err), n);
        if (step == 1)
            count = mem_count();
        if (step == 20)
            assert_true(mem_count() - count <= 5 * 2); /* blocks alone */
    }
    for (int i = 0; i < 5; i++) {
        alone = open_session(e, PROMPT);
        run(alone, (uint64_t)i + 1, i == 4 ? 40 : i == 3 ? STEPS + 3 : STEPS);
        assert_int_equal(session_len(s[i]), session_len(alone));
        assert_memory_equal(session_ids(s[i]), session_ids(alone),
                            (size_t)session_len(alone) * 4);
        session_free(&alone);
    }
    batch_free(&b);
    for (int i = 0; i < 5; i++)
        session_free(&s[i]);
    engine_close(&e);
}

void test_batch_equals_alone(void **state)
{
    (void)state;
    batch_equals_alone("tiny-llama-q8_0.gguf", 1);
    batch_equals_alone("tiny-llama-q4_1.gguf", 2);
    batch_equals_alone("tiny-llama.gguf", 2);
}

void test_batch_is_cancelled(void **state)
{
    (void)state;
    struct engine *e = open_engine("tiny-llama-q8_0.gguf", 1);
    struct session *s[2];
    struct session_token out[2];
    struct sampling how[2] = {hot(1), hot(2)};
    struct batch *b;
    struct err err;
    s[0] = open_session(e, PROMPT);
    assert_true(session_fork(s[0], &s[1], &err));
    assert_true(batch_new(&b, e, 2, &err));
    session_cancel(s[0], true);
    assert_int_equal(batch_next(b, s, 2, how, out, &err), 0);
    assert_int_equal(session_len(s[0]), PROMPT);
    assert_int_equal(batch_next(b, s, 2, how, out, &err), 2);
    batch_free(&b);
    session_free(&s[0]);
    session_free(&s[1]);
    engine_close(&e);
}

/* Whatever allocation fails: an error, nothing lost, nothing leaked. */
void test_fork_without_memory(void **state)
{
    (void)state;
    struct engine *e = open_engine("tiny-llama-q8_0.gguf", 1);
    struct session *a = open_session(e, PROMPT), *fork = NULL;
    struct batch *b = NULL;
    struct err err;
    uint64_t before = mem_bytes();
    bool ok = false;
    for (int n = 0; !ok; n++) {
        mem_fail_after(n);
        ok = session_fork(a, &fork, &err) && batch_new(&b, e, 3, &err);
        mem_fail_after(-1);
        if (!ok) {
            assert_int_equal(err.code, ERR_NOMEM);
            session_free(&fork);
            assert_true(mem_bytes() == before);
        }
    }
    batch_free(&b);
    session_free(&fork);
    run(a, 1, 3);
    session_free(&a);
    engine_close(&e);
}

/* The timelines change places; cancel flags, counters and what was lost stay with the handles. */
void test_fork_swap(void **state)
{
    (void)state;
    struct engine *e = open_engine("tiny-llama-q8_0.gguf", 1);
    struct session *a = open_session(e, PROMPT), *b, *x, *y;
    struct session_stats before, after;
    int32_t ids[PROMPT + 20];
    struct err err;
    assert_true(session_fork(a, &b, &err));
    run(a, 1, 20);
    run(b, 2, 30);
    memcpy(ids, session_ids(a), sizeof ids);
    session_stats(a, &before);
    session_cancel(a, true);
    session_swap(a, b);
    session_stats(a, &after);
    assert_memory_equal(&before, &after, offsetof(struct session_stats, kv_bytes));
    struct sampling how = hot(2);
    struct session_token t;
    assert_int_equal(session_next(a, &how, &t, 1, &err), 0); /* the flag stayed */
    x = open_session(e, PROMPT);
    y = open_session(e, PROMPT);
    run(x, 2, 35);
    run(y, 1, 25);
    struct session_token some[SESSION_NEXT_MAX];
    for (int left = 5, n; left > 0; left -= n) /* with what is looked up in the timeline */
        assert_true((n = session_next(a, &how, some, left, &err)) > 0);
    run(b, 1, 5);
    assert_same(a, x);
    assert_same(b, y);
    session_free(&b);
    while (session_read(a, ids, PROMPT + 20, &err) < PROMPT + 20)
        ;
    session_stats(a, &after);
    assert_int_equal(after.n_re_read, 19); /* what it gave away, but for the last, not read then */
    session_free(&a);
    session_free(&x);
    session_free(&y);
    engine_close(&e);
}
