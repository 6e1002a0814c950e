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
    struct engine *e = s.engine;
    strand_release(&s);
    engine_close(&e);
}
