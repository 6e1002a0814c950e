/* engine_lookup.c -- drafts from what the timeline holds. What could break: a match that is none,
 * an index that a cut leaves wrong, a draft tried that never comes true, one not tried that always
 * would, and above all a token or a bit that differs from choosing one by one. */
#include "engine/lookup.h"
#include "engine/mem.h"
#include "engine/timeline.h"
#include "tests/engine_model.h"
#include "tests/engine_vocab.h"

#define N 400

/* ---- the index ----------------------------------------------------------------------------- */

static void check_draft(const struct draft *d, const int32_t *ids, int n, int most)
{
    assert_true(d->n >= 0 && d->n <= most);
    if (d->match == 0) {
        assert_int_equal(d->n, 0);
        for (int i = 2; n > 2 && i < n; i++)   /* nothing was overlooked */
            assert_false(ids[i - 2] == ids[n - 2] && ids[i - 1] == ids[n - 1]);
        return;
    }
    assert_true(d->match >= 2 && d->from >= d->match && d->from < n && d->from + d->n <= n);
    for (int i = 1; i <= d->match; i++)
        assert_int_equal(ids[d->from - i], ids[n - i]);
}

/* A timeline of few different ids grows and is cut at random: its drafts are matches, and those of
 * an index made anew. */
void test_lookup_matches(void **state)
{
    (void)state;
    static int32_t ids[N];
    struct lookup l, fresh;
    uint64_t random = 3;
    int n = 0, n_matches = 0;
    assert_true(lookup_init(&l, N));
    for (int round = 0; round < 1500; round++) {
        int add = (int)(test_random(&random) % 6), most = (int)(test_random(&random) % 8);
        if (n + add > N || test_random(&random) % 10 == 0)
            lookup_cut(&l, ids, n = n > 0 ? (int)(test_random(&random) % (uint64_t)n) : 0);
        for (int i = 0; i < add; i++)
            ids[n++] = (int32_t)(test_random(&random) % (round < 700 ? 4 : 40));
        struct draft d = lookup_draft(&l, ids, n, most);
        check_draft(&d, ids, n, most);
        n_matches += d.match > 0;
        assert_true(lookup_init(&fresh, N));
        struct draft same = lookup_draft(&fresh, ids, n, most);
        assert_true(same.from == d.from && same.match == d.match && same.n == d.n);
        lookup_release(&fresh);
    }
    assert_true(n_matches > 500 && n_matches < 1500);
    lookup_release(&l);
}

/* The longest match wins over the latest. */
void test_lookup_longest(void **state)
{
    (void)state;
    static const int32_t ids[] = { 1, 2, 3, 4, 5, 9, 3, 4, 6, 2, 3, 4 };
    struct lookup l;
    assert_true(lookup_init(&l, 12));
    struct draft d = lookup_draft(&l, ids, 12, 7);
    assert_int_equal(d.from, 4);
    assert_int_equal(d.match, 3);
    d = lookup_draft(&l, ids, 12, 0);
    assert_int_equal(d.n, 0);
    lookup_cut(&l, ids, 8);
    d = lookup_draft(&l, ids, 8, 7);
    assert_int_equal(d.from, 4);
    assert_int_equal(d.match, 2);
    static const int32_t latest[] = { 9, 3, 4, 6, 1, 2, 3, 4, 5, 2, 3, 4 };
    lookup_cut(&l, ids, 0);
    d = lookup_draft(&l, latest, 12, 7);
    assert_int_equal(d.from, 8);
    assert_int_equal(d.match, 3);
    lookup_release(&l);
}

void test_lookup_memory(void **state)
{
    (void)state;
    struct lookup l;
    for (int i = 0; i < 2; i++) {
        mem_fail_after(i);
        assert_false(lookup_init(&l, 100));
        mem_fail_after(-1);
    }
    uint64_t before = mem_bytes();
    assert_true(lookup_init(&l, 100));
    assert_int_equal(mem_bytes() - before, lookup_bytes(100));
    lookup_release(&l);
}

/* ---- is it worth it ------------------------------------------------------------------------ */

/* Chooses `rounds` times as a session would, with the ids of a text that repeats itself every
 * `period` ids but for every `wrong`-th; passes cost 1 + slope for each further token. Returns the
 * time of one token, in passes of one. */
static double simulate(int rounds, int period, int wrong, double slope, int *n_drafted)
{
    static int32_t ids[8000];
    struct lookup l;
    double time = 0;
    int n = period, begin = n;
    assert_true(lookup_init(&l, 8000));
    for (int i = 0; i < 8000; i++)
        ids[i] = i % period + (i % wrong == wrong - 1 ? i + 1000 : 0);
    for (int i = 0; i < rounds && n < 7990; i++) {
        struct draft d = lookup_draft(&l, ids, n, 7);
        int agree = 0;
        while (agree < d.n && ids[d.from + agree] == ids[n + agree])
            agree++;
        double cost = 1 + slope * d.n;
        lookup_time(&l, 1 + d.n, cost * 1000);
        lookup_learn(&l, &d, ids, agree + 1);
        *n_drafted += d.n;
        time += cost;
        n += agree + 1;
    }
    lookup_release(&l);
    return time / (n - begin);
}

void test_lookup_pays(void **state)
{
    (void)state;
    int n = 0;
    assert_true(simulate(500, 300, 9000, 0.1, &n) < 0.3);    /* all of it comes true */
    assert_true(simulate(500, 300, 20, 0.1, &n) < 0.45);
    assert_true(simulate(500, 300, 5, 0.1, &n) < 0.8);
    n = 0;
    assert_true(simulate(2000, 3, 3, 0.1, &n) < 1.01);       /* a match, but never what follows */
    assert_in_range(n, 1, 40);
    assert_true(simulate(500, 300, 9000, 1.0, &n) < 1.03);   /* a pass of two costs two */
    assert_true(simulate(500, 300, 5, 1.0, &n) < 1.03);
}

/* What was given up is taken up again when it would have come true. */
void test_lookup_recovers(void **state)
{
    (void)state;
    static int32_t ids[N];
    struct lookup l;
    assert_true(lookup_init(&l, N));
    for (int i = 0; i < N; i++)
        ids[i] = i % 10;
    struct draft d = lookup_draft(&l, ids, 100, 7);
    int first = d.n;
    assert_true(first > 0);
    for (int i = 0; i < 100; i++)
        lookup_learn(&l, &d, (int32_t[N]){ 0 }, 0);     /* nothing was chosen: nothing learnt */
    assert_int_equal(lookup_draft(&l, ids, 100, 7).n, first);
    static int32_t other[N];
    for (int i = 0; i < N; i++)
        other[i] = i < 100 ? i % 10 : 77;
    for (int i = 0; i < 100; i++)
        lookup_learn(&l, &d, other, 1);
    assert_int_equal(lookup_draft(&l, ids, 100, 7).n, 0);
    for (int i = 0; i < 100; i++) {
        d = lookup_draft(&l, ids, 100, 7);
        lookup_learn(&l, &d, ids, d.n + 1);
    }
    assert_true(lookup_draft(&l, ids, 100, 7).n >= first);
    lookup_release(&l);
}

/* ---- the same tokens ----------------------------------------------------------------------- */

/* Two sessions of one model, one by one and with drafts, whatever drafts cost, at one setting. */
static void check_same(struct engine *e, enum kv_type kv, float temperature, uint64_t *n_accepted)
{
    struct session *one = model_session(e, kv, 64), *many = model_session(e, kv, 64);
    struct session_token a, b[SESSION_NEXT_MAX];
    struct sampling how = { .temperature = temperature, .top_p = 0.9f, .repeat_penalty = 1.05f,
                            .seed = 7 };
    struct session_stats stats;
    struct err err;
    int32_t ids[90];
    for (int i = 0; i < 90; i++)
        ids[i] = 3 + i * i % 30 % 17;
    model_read(one, ids, 90);
    model_read(many, ids, 90);
    for (int step = 0; step < 60; step++) {
        for (int i = 2; i <= LOOKUP_PASS; i++)
            many->lookup.cost[i] = 1;
        int n = session_next(many, &how, b, 1 + step % SESSION_NEXT_MAX, &err);
        assert_in_range(n, 1, 1 + step % SESSION_NEXT_MAX);
        for (int i = 0; i < n; i++) {
            assert_int_equal(session_next(one, &how, &a, 1, &err), 1);
            assert_int_equal(a.id, b[i].id);
            assert_true(a.logprob == b[i].logprob);
        }
        assert_int_equal(session_len(many), session_len(one));
        assert_true(session_logits_hash(many) == session_logits_hash(one));
    }
    session_stats(many, &stats);
    assert_true(stats.n_accepted <= stats.n_drafted && stats.n_re_read == 0);
    assert_int_equal(stats.n_sampled, session_len(many) - 90);
    assert_int_equal(stats.n_read, session_len(many) - 1);
    *n_accepted += stats.n_accepted;
    session_free(&one);
    session_free(&many);
}

void test_lookup_same_tokens(void **state)
{
    (void)state;
    static const char *const models[] = {
        "tiny-llama-q4_1", "tiny-llama", "tiny-llama-f16", "tiny-llama-q6_k", "tiny-qwen2",
        "tiny-qwen3", "tiny-qwen3moe", "tiny-gemma3",
    };
    uint64_t n_accepted = 0;
    for (int i = 0; i < 8; i++) {
        struct engine *e = model_open(models[i], 1 + i % 2, i == 1 ? "c" : NULL);
        check_same(e, i % 3 ? KV_F16 : KV_F32, 0, &n_accepted);
        check_same(e, KV_F16, 0.2f, &n_accepted);
        check_same(e, KV_F16, 1, &n_accepted);
        engine_close(&e);
    }
    assert_true(n_accepted > 100);
}

/* A reply may stop at any token of a call: what is left is what one by one would have left, logits
 * too, and nothing is read again. */
void test_lookup_stops_anywhere(void **state)
{
    (void)state;
    struct engine *e = model_open("tiny-llama-q4_1", 1, NULL);
    struct session *s = model_session(e, KV_F16, 64), *one = model_session(e, KV_F16, 64), *fork;
    struct sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    struct session_token t[SESSION_NEXT_MAX], alone;
    struct session_stats stats;
    struct err err;
    int32_t ids[60], line[600];
    int n_cut = 0;
    for (int i = 0; i < 60; i++)
        ids[i] = i % 5;
    model_read(s, ids, 60);
    model_read(one, ids, 60);
    for (int step = 0; step < 60; step++) {
        for (int i = 2; i <= LOOKUP_PASS; i++)
            s->lookup.cost[i] = 1;
        int n = session_next(s, &greedy, t, SESSION_NEXT_MAX, &err), keep = 1 + step % n;
        for (int i = 0; i < keep; i++)
            assert_int_equal(session_next(one, &greedy, &alone, 1, &err), 1);
        if (keep == n)
            continue;
        n_cut++;
        int len = session_len(one);
        memcpy(line, session_ids(one), (size_t)len * sizeof *line);
        assert_int_equal(session_held(s, line, len), len); /* read already, its logits are there */
        if (step % 2)
            model_read(s, line, len);
        else
            session_cut(s, len);
        assert_true(session_logits(s) != NULL);
        model_read(one, line, len);
        assert_true(session_logits_hash(s) == session_logits_hash(one));
        assert_true(session_fork(s, &fork, &err));
        session_swap(s, fork);
        session_free(&fork);
    }
    session_stats(s, &stats);
    assert_true(n_cut > 5 && stats.n_re_read == 0);
    session_free(&s);
    session_free(&one);
    engine_close(&e);
}

/* A cache that cannot be cut anywhere gets no drafts. */
void test_lookup_not_with_snapshots(void **state)
{
    (void)state;
    struct engine *e = model_open("tiny-deepseek4", 1, NULL);
    struct session *s = model_session(e, KV_F16, 64);
    struct session_token t[SESSION_NEXT_MAX];
    struct session_stats stats;
    struct sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    struct err err;
    int32_t ids[60];
    for (int i = 0; i < 60; i++)
        ids[i] = i % 5;
    model_read(s, ids, 60);
    for (int i = 0; i < 20; i++)
        assert_int_equal(session_next(s, &greedy, t, SESSION_NEXT_MAX, &err), 1);
    session_stats(s, &stats);
    assert_true(stats.n_drafted == 0);
    session_free(&s);
    engine_close(&e);
}

/* At the end of the context, cancelled, and in a chunk of a few tokens. */
void test_lookup_borders(void **state)
{
    (void)state;
    struct engine *e = model_open("tiny-llama-q4_1", 1, NULL);
    struct sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    struct session_token t[SESSION_NEXT_MAX];
    struct err err;
    int32_t ids[60];
    for (int i = 0; i < 60; i++)
        ids[i] = i % 5;
    for (int chunk = 1; chunk <= 3; chunk++) {
        struct session_opts o = { .n_ctx = 75, .chunk = chunk };
        struct session *s;
        assert_true(session_new(&s, e, &o, &err));
        model_read(s, ids, 60);
        session_cancel(s, true);
        assert_int_equal(session_next(s, &greedy, t, SESSION_NEXT_MAX, &err), 0);
        assert_int_equal(session_len(s), 60);
        int n = 0;
        while ((n = session_next(s, &greedy, t, SESSION_NEXT_MAX, &err)) > 0)
            assert_in_range(n, 1, chunk);
        assert_int_equal(n, -1);
        assert_int_equal(err.code, ERR_LIMIT);
        assert_int_equal(session_len(s), 75);
        session_free(&s);
    }
    engine_close(&e);
}
