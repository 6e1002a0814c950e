/* app_strand.c -- how one reply reads what it appends. What could break: few tokens that wait for
 * all rows; many that do not share them. */
#include "app/strand.h"
#include "tests/test.h"

enum { N = 1290, ROOM = 100, FEW = 16 };

static void read_to(struct strand *s, int n)
{
    struct err err;
    struct event_list out = {0};
    s->line.n = n;
    do {
        if (!strand_read(s, &out, &err))
            fail_msg("%s", err.msg);
    } while (s->unread);
    event_clear(&out);
}

static bool by_index(const struct strand *s)
{
    struct far_stats far;
    session_far(s->session, &far);
    return far.by_index;
}

/* Up to 16 new tokens are read by the index in every mode, what a change of mode appends among
 * them; more, and the rest of more, by all rows. */
void test_strand_few_by_index(void **state)
{
    (void)state;
    struct err err;
    int32_t ids[N + ROOM];
    struct strand s = {0};
    struct engine_opts eo = {.n_threads = 1};
    struct session_opts so = {.n_ctx = N + ROOM, .far = {KV_TIER_FLASH, test_folder()}};
    for (int i = 0; i < N + ROOM; i++)
        ids[i] = (i * 37 + i / 90 * 11 + 5) % 500;
    if (!engine_open(&s.engine, test_fixture("tiny-llama-q4_1.gguf"), &eo, &err) ||
        !session_new(&s.session, s.engine, &so, &err) ||
        !tokens_append(&s.line, ids, N + ROOM, &err))
        fail_msg("%s", err.msg);
    read_to(&s, N);   /* the last slice has 10 tokens */
    assert_false(by_index(&s));
    read_to(&s, N + FEW);
    assert_true(by_index(&s));
    read_to(&s, N + FEW + FEW + 1);
    assert_false(by_index(&s));
    read_to(&s, N + FEW + FEW + 2);
    assert_true(by_index(&s));
    const struct sampling greedy = {.top_p = 1, .repeat_penalty = 1};
    struct session_token t;                /* one that was chosen waits before them */
    session_set_index(s.session, false);
    if (session_next(s.session, &greedy, &t, 1, &err) != 1)
        fail_msg("%s", err.msg);
    s.line.id[s.line.n] = t.id;
    read_to(&s, s.line.n + 5);
    assert_true(by_index(&s));
    struct engine *e = s.engine;
    strand_release(&s);
    engine_close(&e);
}

/* A thought of a model that has a marker for its end cannot end the message: of so many tokens from
 * dice of all faces some would have been the end. */
void test_strand_no_end_in_a_thought(void **state)
{
    (void)state;
    enum { SEEDS = 16 };
    struct err err = {0};
    struct event_list out = {0};
    struct mode rows[MODE_MAX];
    struct engine_opts eo = {.n_threads = 1, .template_name = "chatml"};
    struct session_opts so = {.n_ctx = 1000};
    struct strand s = {0};
    struct session_token t;
    int n_thought = 0;
    for (int i = 0; i < mode_count(); i++)
        rows[i] = *mode_get((enum mode_id)i);
    rows[MODE_PRO].temperature = 100;
    struct turn_limits limits = {.room = 900, .tail_tokens = STRAND_TAIL_MAX, .rows = rows};
    if (!engine_open(&s.engine, test_fixture("dice.gguf"), &eo, &err) ||
        !session_new(&s.session, s.engine, &so, &err))
        fail_msg("%s", err.msg);
    assert_true(engine_info(s.engine)->thinks);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        s.line.n = 0;
        bool ok = engine_chat(s.engine, CHAT_USER, "hello", 5, &s.line, &err) &&
                  engine_chat(s.engine, CHAT_REPLY, NULL, 0, &s.line, &err);
        s.unread = true;
        strand_begin(&s, MODE_PRO, &limits, seed, false);
        while (ok && s.unread)
            ok = strand_read(&s, &out, &err);
        ok = ok && strand_open(&s, &out, &err);
        while (ok && s.turn.phase == TURN_THINK) {
            if (s.unread) {
                ok = strand_read(&s, &out, &err);
                continue;
            }
            ok = strand_next(&(struct strand *){&s}, 1, NULL, &t, &err) == 1 &&
                 strand_token(&s, &t, &out, &err);
            assert_false(engine_is_end(s.engine, t.id));
            n_thought++;
        }
        if (!ok)
            fail_msg("%s", err.msg);
        event_clear(&out);
    }
    assert_true(n_thought > 200);
    struct engine *e = s.engine;
    strand_release(&s);
    engine_close(&e);
}

/* A reply of a few tokens, ended. */
static void reply_make(struct strand *s)
{
    struct err err = {0};
    struct event_list out = {0};
    struct turn_limits limits = {.room = 900, .tail_tokens = STRAND_TAIL_MAX, .answer_tokens = 4};
    struct session_token t;
    bool ok = engine_chat(s->engine, CHAT_USER, "hello", 5, &s->line, &err) &&
              engine_chat(s->engine, CHAT_REPLY, NULL, 0, &s->line, &err);
    s->unread = true;
    strand_begin(s, MODE_PRO_MAX, &limits, 1, true);
    while (ok && s->unread)
        ok = strand_read(s, &out, &err);
    ok = ok && strand_open(s, &out, &err);
    while (ok && !strand_over(s))
        ok = s->unread ? strand_read(s, &out, &err)
                       : strand_next(&s, 1, NULL, &t, &err) == 1 &&
                             strand_token(s, &t, &out, &err);
    if (!ok)
        fail_msg("%s", err.msg);
    strand_end(s, &out);
    event_clear(&out);
}

/* What the revision is told, as the timeline has it and as it is shown. */
static void revises(const char *fixture, const char *finding, const char *expect)
{
    struct err err = {0};
    struct event_list out = {0};
    struct buf text = {0};
    struct strand s = {0};
    struct engine_opts eo = {.n_threads = 1};
    struct session_opts so = {.n_ctx = 1000};
    if (!engine_open(&s.engine, test_fixture(fixture), &eo, &err) ||
        !session_new(&s.session, s.engine, &so, &err))
        fail_msg("%s", err.msg);
    reply_make(&s);
    int from = s.n_reply;
    assert_true(strand_again(&s, finding, &out, &err));
    for (int i = from; i < s.line.n; i++) {
        size_t bytes;
        const char *piece = engine_piece(s.engine, s.line.id[i], false, &bytes);
        buf_append(&text, piece, bytes);
    }
    assert_true(s.line.n - from <= STRAND_TAIL_MAX);
    bool told = strstr(buf_text(&text), "A check of this answer found: ") != NULL;
    assert_int_equal(told, *expect != 0);
    assert_non_null(strstr(buf_text(&text), expect));
    assert_false(s.vary);
    struct engine *e = s.engine;
    event_clear(&out);
    buf_release(&text);
    strand_release(&s);
    engine_close(&e);
}

/* A revision is told what a rule has found; nothing where there is nothing, or no room in a tail.
 */
void test_strand_finding(void **state)
{
    (void)state;
    revises("tiny-qwen3.gguf", "2 words", "found: 2 words.\n");
    revises("tiny-qwen3.gguf", "", "");
    revises("tiny-llama.gguf", "xqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxqxq", "");
}
