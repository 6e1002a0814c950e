/* app_gate.c -- measuring what the far context costs. What could break: a divergence that is none;
 * a verdict that is not what was measured; a session that is changed by being measured; idle work
 * that stands in the way of a turn. */
#include <math.h>

#include "app/gate.h"
#include "app/log.h"
#include "tests/app_chat.h"
#include "tests/app_run.h"
#include "tests/test.h"

enum { N = 1300, BIG = 500 };

/* ---- divergence ---------------------------------------------------------------------------- */

static void fill(float *x, int n, uint64_t seed, float size)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = size * ((float)(seed >> 40) * 0x1p-24f - 0.5f);
    }
}

static double whole_divergence(const float *a, const float *b, int n)
{
    double sa = 0, sb = 0, kld = 0;
    for (int i = 0; i < n; i++) {
        sa += exp((double)a[i]);
        sb += exp((double)b[i]);
    }
    for (int i = 0; i < n; i++) {
        double p = exp((double)a[i]) / sa;
        kld += p * (log(p) - ((double)b[i] - log(sb)));
    }
    return kld;
}

void test_gate_divergence(void **state)
{
    (void)state;
    static struct gate_list l;
    float a[BIG], b[BIG];
    for (int round = 0; round < 20; round++) {
        fill(a, BIG, (uint64_t)round, 12);
        fill(b, BIG, (uint64_t)round + 100, 3);
        for (int i = 0; i < BIG; i++)
            b[i] += a[i];
        gate_list_make(&l, a, GATE_TOP - 9); /* all are in the list */
        double whole = whole_divergence(a, b, GATE_TOP - 9);
        assert_true(fabs(gate_divergence(&l, b, GATE_TOP - 9) - whole) < 1e-4 * whole);
        gate_list_make(&l, a, BIG);
        assert_int_equal(l.n, GATE_TOP);
        for (int i = 1; i < GATE_TOP; i++)
            assert_true(l.logprob[i - 1] >= l.logprob[i]);
        double kld = gate_divergence(&l, b, BIG);
        whole = whole_divergence(a, b, BIG);
        assert_true(kld > whole / 2 && kld <= whole * (1 + 1e-4));
        assert_true(gate_divergence(&l, a, BIG) < 1e-5);
    }
    fill(b, BIG, 1, 0);
    b[7] = 1000; /* sure of one token, and that is not the list's */
    assert_true(isfinite(gate_divergence(&l, b, BIG)));
}

/* ---- verdicts ------------------------------------------------------------------------------ */

struct bed {
    struct engine *e;
    struct session *s;
    uint64_t hash;
};

static struct bed bed_make(enum kv_tier tier)
{
    struct bed b;
    struct err err;
    int32_t ids[N];
    struct engine_opts eo = {.n_threads = 1};
    struct session_opts so = {.n_ctx = N + 100, .far = {tier, test_folder()}};
    if (!engine_open(&b.e, test_fixture("tiny-llama-q4_1.gguf"), &eo, &err) ||
        !session_new(&b.s, b.e, &so, &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < N; i++)
        ids[i] = (i * 37 + i / 90 * 11 + 5) % 500;
    while (session_len(b.s) < N)
        assert_true(session_read(b.s, ids, N, &err) > 0);
    b.hash = session_logits_hash(b.s);
    return b;
}

static void bed_free(struct bed *b)
{
    session_free(&b->s);
    engine_close(&b->e);
}

/* Measures to the end with a fresh gate. */
static struct gate_report measure(struct bed *b, double limit, bool file, enum kv_tier *tier)
{
    static struct gate g;
    enum gate_outcome o;
    gate_init(&g, engine_info(b->e)->n_vocab, limit, N, file);
    while ((o = gate_step(&g, b->s)) == GATE_MORE)
        ;
    assert_int_equal(o, GATE_DONE);
    assert_int_equal(session_logits_hash(b->s), b->hash);
    assert_int_equal(session_len(b->s), N);
    assert_int_equal(g.last.at, N);
    *tier = g.tier;
    if (file && g.tier == KV_TIER_FLASH)
        assert_int_equal(gate_step(&g, b->s), GATE_IDLE); /* it has not grown */
    return g.last;
}

/* What the index reads of the tokens that are measured, a key head and token on average. */
static double rows_read(const struct bed *b)
{
    struct session *fork;
    struct far_stats far;
    struct err err;
    double sum = 0;
    assert_true(session_fork(b->s, &fork, &err));
    session_cut(fork, N - GATE_TOKENS);
    session_set_index(fork, true);
    for (int n = N - GATE_TOKENS + 1; n <= N; n++) {
        assert_int_equal(session_read(fork, session_ids(b->s), n, &err), n);
        session_far(fork, &far);
        assert_true(far.by_index);
        sum += far.chosen / GATE_TOKENS;
    }
    session_free(&fork);
    return sum;
}

void test_gate_index(void **state)
{
    (void)state;
    struct bed b = bed_make(KV_TIER_FLASH);
    enum kv_tier tier;
    struct gate_report r = measure(&b, 10, true, &tier);
    double few = r.kld, read = rows_read(&b);
    assert_int_equal(tier, KV_TIER_FLASH);
    assert_int_equal(r.asked, 0);
    assert_int_equal(r.rows, (int)(read + 0.5));
    assert_true(few > 1e-4 && few < 1 && r.kld_before <= 0);
    r = measure(&b, few / 2, true, &tier); /* more rows will do */
    assert_int_equal(tier, KV_TIER_FLASH);
    assert_true(r.asked > 0 && r.rows > read && r.kld < few / 2);
    assert_true(fabs(r.kld_before - few) < 1e-9);
    bed_free(&b);
}

/* Each way in turn: all rows, by the index with the rows of the share, twice as many, and again, up
 * to the most, and then, none of them good enough, another tier. */
void test_gate_steps(void **state)
{
    (void)state;
    static struct gate g;
    struct bed b = bed_make(KV_TIER_FLASH);
    struct session *last = NULL;
    int rows[8] = {0}, n = 0, stored = 0, tried = 0;
    gate_init(&g, engine_info(b.e)->n_vocab, 1e-30, N, true);
    while (gate_step(&g, b.s) == GATE_MORE) {
        struct far_stats far;
        session_far(g.fork, &far);
        bool anew = g.at == N - GATE_TOKENS;
        stored += g.phase == GATE_STORE && !anew;
        tried += g.phase == GATE_TRY && !anew;
        if (g.phase == GATE_TRY && !anew)
            assert_true(far.by_index);
        if (g.phase == GATE_TRY && anew)
            rows[n++] = g.rows;
        if (g.phase == GATE_TRY && g.at == N && n == 1) {
            assert_true(far.allowed > far.chosen / 2);
            rows[7] = (int)far.allowed; /* one token's, of a mean */
        }
        assert_true(n < 7 && (!last || last == g.fork));
        last = g.fork;
    }
    assert_int_equal(stored, GATE_TOKENS);
    assert_int_equal(tried, n * GATE_TOKENS);
    assert_true(n >= 3 && rows[0] == 0 && abs(rows[1] - 2 * rows[7]) < rows[7] / 4);
    for (int i = 2; i < n; i++)
        assert_int_equal(rows[i], 2 * rows[i - 1] < GATE_ROWS_MAX ? 2 * rows[i - 1]
                                                                  : GATE_ROWS_MAX);
    assert_int_equal(rows[n - 1], GATE_ROWS_MAX);
    assert_int_equal(g.last.asked, GATE_ROWS_MAX);
    assert_int_equal(g.tier, KV_TIER_Q8);
    assert_int_equal(g.last.tier, KV_TIER_Q8);
    assert_true(g.last.kld > g.last.limit && g.last.kld < g.last.kld_before);
    bed_free(&b);
}

/* Without a file: the fewest bits that will do. */
void test_gate_memory(void **state)
{
    (void)state;
    struct bed b = bed_make(KV_TIER_EXACT);
    enum kv_tier tier;
    struct gate_report none = measure(&b, 1e-30, false, &tier);
    assert_int_equal(tier, KV_TIER_EXACT);
    assert_true(none.kld > 0 && none.kld < none.kld_before);
    struct gate_report r = measure(&b, sqrt(none.kld * none.kld_before), false, &tier);
    assert_int_equal(tier, KV_TIER_Q8);
    assert_true(fabs(r.kld - none.kld) < 1e-9);
    r = measure(&b, 10, false, &tier);
    assert_int_equal(tier, KV_TIER_Q4);
    assert_true(fabs(r.kld - none.kld_before) < 1e-9);
    bed_free(&b);
}

/* What is not wanted, not due or not possible is not measured. */
void test_gate_not_due(void **state)
{
    (void)state;
    static struct gate g;
    struct bed b = bed_make(KV_TIER_Q8), exact = bed_make(KV_TIER_EXACT);
    int n_vocab = engine_info(b.e)->n_vocab;
    gate_init(&g, n_vocab, 1, N, false);
    assert_int_equal(gate_step(&g, b.s), GATE_IDLE);
    gate_init(&g, n_vocab, 0, N, false);
    assert_int_equal(gate_step(&g, exact.s), GATE_IDLE);
    assert_int_equal(g.tier, KV_TIER_Q4);
    gate_init(&g, n_vocab, 1, N + 1, false);
    assert_int_equal(gate_step(&g, exact.s), GATE_IDLE);
    gate_init(&g, n_vocab, 1, N, true);
    assert_int_equal(gate_step(&g, exact.s), GATE_IDLE);
    gate_init(&g, n_vocab, 1, N, false);
    assert_int_equal(gate_step(&g, exact.s), GATE_MORE);
    gate_leave(&g);
    for (int i = 0; i < GATE_TOKENS + 5; i++) /* what is measured is cut off: it begins anew */
        assert_int_equal(gate_step(&g, exact.s), GATE_MORE);
    session_cut(exact.s, N - 10);
    assert_int_equal(gate_step(&g, exact.s), GATE_IDLE);
    assert_null(g.fork);
    bed_free(&exact);
    bed_free(&b);
}

/* ---- in a chat ------------------------------------------------------------------------------ */

static void open_with(struct run *r, const char *fixture)
{
    struct options o = r->o;
    struct err err;
    run_open(r, fixture);
    r->b->ops->close(&r->b);
    r->o = o;
    r->o.threads = 1;
    r->b = local_new(test_fixture(fixture), &r->o);
    if (!r->b->ops->open(r->b, &r->list, &err))
        fail_msg("%s", err.msg);
    event_clear(&r->list);
}

static int ask_long(struct run *r, int bytes)
{
    char question[2400];
    for (int i = 0; i < bytes; i++)
        question[i] = (char)('a' + i * i % 23);
    question[bytes] = 0;
    r->max = 20;
    return run_ask(r, question, MODE_FLASH);
}

/* Idle until there is nothing to do; the event that came is moved out. */
static struct event *idle(struct run *r)
{
    while (r->b->ops->idle(r->b, &r->list))
        ;
    struct event *e = event_take(&r->list);
    assert_non_null(e);
    assert_int_equal(e->kind, EVENT_GATE);
    assert_null(r->list.head);
    return e;
}

void test_gate_chat(void **state)
{
    (void)state;
    struct run r = {.o = {.far = "flash", .gate = 1}};
    open_with(&r, "tiny-llama.gguf");
    ask_long(&r, 1600);
    assert_true(r.done.far.by_index);
    double chosen = r.done.far.chosen;
    for (int i = 0; i < 70; i++) /* into the second reading, and then there is a question */
        assert_true(r.b->ops->idle(r.b, &r.list));
    assert_null(r.list.head);
    r.max = 4;
    run_ask(&r, "more", MODE_FLASH);
    run_nothing_re_read(&r);
    struct event *e = idle(&r);
    int rows = e->gate.rows;
    assert_true(e->gate.asked > 0 && rows > chosen + 100 && e->gate.kld_before > 0.001);
    assert_non_null(strstr(buf_text(&e->text), "KL divergence"));
    assert_non_null(strstr(buf_text(&e->text), " with fewer rows)"));
    assert_int_equal(e->far.tier, KV_TIER_FLASH);
    event_free(&e);
    run_ask(&r, "and more", MODE_FLASH);
    run_nothing_re_read(&r);
    assert_true(fabs(r.done.far.chosen - rows) < 100);
    run_close(&r);

    r.o = (struct options){.far = "flash"}; /* not measured */
    open_with(&r, "tiny-llama.gguf");
    ask_long(&r, 1600);
    assert_false(r.b->ops->idle(r.b, &r.list));
    run_close(&r);
}

/* --no-save: f16 until 4 bits were measured, and one line. */
void test_gate_no_file(void **state)
{
    (void)state;
    struct run r = {.o = {.no_save = true, .gate = 50}};
    open_with(&r, "chain.gguf");
    ask_long(&r, 2300);
    assert_int_equal(r.done.far.tier, KV_TIER_EXACT);
    struct event *e = idle(&r);
    assert_int_equal(e->gate.tier, KV_TIER_Q4);
    assert_int_equal(e->far.tier, KV_TIER_Q4);
    assert_int_equal(e->far.disk_bytes, 0);
    assert_non_null(strstr(buf_text(&e->text), "nothing is written (--no-save): held as q4 in "
                                               "memory: KL divergence 0."));
    event_free(&e);
    run_ask(&r, "more", MODE_FLASH);
    run_nothing_re_read(&r);
    assert_int_equal(r.done.far.tier, KV_TIER_Q4);
    assert_int_equal(r.notes.bytes, 0); /* it was told */
    assert_false(r.b->ops->idle(r.b, &r.list));
    run_close(&r);

    r.o = (struct options){.no_save = true}; /* not measured: q4 at once */
    open_with(&r, "chain.gguf");
    ask_long(&r, 2300);
    assert_int_equal(r.done.far.tier, KV_TIER_Q4);
    assert_non_null(strstr(buf_text(&r.notes), "held as q4 in memory, without an index: nothing"));
    run_close(&r);
}

/* A folder in which nothing can be written is one of the reasons. */
void test_gate_read_only(void **state)
{
    (void)state;
    struct run r = {.o = {.gate = 50}};
    const char *old = getenv("TMPDIR");
    char kept[512];
    snprintf(kept, sizeof kept, "%s", old ? old : "");
    setenv("TMPDIR", "/proc/none", 1);
    open_with(&r, "chain.gguf");
    if (old)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    ask_long(&r, 2300);
    struct event *e = idle(&r);
    assert_int_equal(e->far.tier, KV_TIER_Q4);
    assert_non_null(strstr(buf_text(&e->text), "nothing can be written to /proc/none"));
    event_free(&e);
    run_close(&r);
}

/* What was measured, and what is held, read and in a file, is told and logged. */
void test_gate_shown(void **state)
{
    (void)state;
    struct chat c;
    char question[1601], line[600];
    chat_new(&c);
    c.o.far = "flash";
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    for (int i = 0; i < 1600; i++)
        question[i] = (char)('a' + i * i % 23);
    question[1600] = 0;
    chat_line(&c, question);
    chat_settle(&c);
    while (c.t.gate.at == 0)
        chat_step(&c);
    buf_clear(&c.notes);
    chat_line(&c, "/ctx");
    const struct far_stats *f = &c.t.far;
    double percent = 100 / (double)f->f16_bytes;
    snprintf(line, sizeof line,
             "\nof f16: %.1f %% in memory, %.1f %% read for a token, %.1f %% in a file\n",
             percent * (double)f->memory_bytes, percent * (double)f->read_bytes,
             percent * (double)f->disk_bytes);
    assert_true(f->by_index && f->memory_bytes > 0 && f->disk_bytes > f->memory_bytes);
    assert_non_null(strstr(buf_text(&c.notes), line));
    snprintf(line, sizeof line, "\nby index, %d rows a key head, KL divergence %.4f from all rows, "
             "over 64 tokens at %d (0.05 allowed)\n", c.t.gate.rows, c.t.gate.kld, c.t.gate.at);
    assert_true(c.t.gate.kld > 0);
    assert_non_null(strstr(buf_text(&c.notes), line));
    snprintf(line, sizeof line, "%s/log.jsonl", c.t.store.folder);
    char *log = test_read_file(line, NULL);
    assert_non_null(strstr(log, "\"type\": \"gate\""));
    free(log);
    chat_end(&c);
}

void test_gate_log(void **state)
{
    (void)state;
    struct log *l;
    struct conversation c;
    struct log_report report;
    struct err err;
    char path[600];
    struct gate_report g = {3000, KV_TIER_FLASH, 911, 1024, 0.03, 0.05, 0.07};
    snprintf(path, sizeof path, "%s/log.jsonl", test_folder());
    conversation_init(&c);
    assert_true(log_open(&l, path, &c, &report, &err));
    assert_true(log_session(l, &c, "x", &err) && log_gate(l, &g, &err));
    log_close(&l);
    char *text = test_read_file(path, NULL);
    assert_non_null(strstr(text, "\"type\": \"gate\""));
    assert_non_null(strstr(text, "\"at\": 3000, \"tier\": \"flash\", \"rows\": 911, "
                                 "\"rows_asked\": 1024, \"kld\": 0.03"));
    free(text);
    conversation_release(&c);
    conversation_init(&c);
    assert_true(log_open(&l, path, &c, &report, &err));
    assert_int_equal(report.skipped, 0);
    log_close(&l);
    conversation_release(&c);
}
