/* app_recall.c -- the texts with facts in them. What could break: an answer that does not stand in
 * the text, or stands there twice; a question that tells the answer; a text of another length; one
 * that changes between two runs. */
#include "app/recall.h"
#include "tests/test.h"

enum { N_HAY = 9000 };

static struct engine *engine;
static struct tokens hay;

static void begin(void)
{
    struct err err;
    struct engine_opts eo = {.n_threads = 1};
    static const char line[] = "Nothing of this is asked for, whatever it says.\n";
    if (!engine_open(&engine, test_fixture("tiny-llama-q4_1.gguf"), &eo, &err))
        fail_msg("%s", err.msg);
    while (hay.n < N_HAY)
        assert_true(engine_tokenize(engine, line, strlen(line), &hay, &err));
}

static void end(void)
{
    tokens_release(&hay);
    engine_close(&engine);
}

static struct recall make(enum recall_kind kind, int n, uint64_t seed)
{
    struct recall r;
    struct err err;
    struct recall_opts o = {kind, n, hay.id, seed};
    if (!recall_make(&r, engine, &o, &err))
        fail_msg("%s", err.msg);
    return r;
}

/* How often the ids stand in the text; *at: where last. */
static int found(const struct tokens *text, const int32_t *ids, int n, int *at)
{
    int times = 0;
    for (int i = 0; i + n <= text->n; i++)
        if (memcmp(text->id + i, ids, (size_t)n * sizeof *ids) == 0) {
            times++;
            *at = i;
        }
    return times;
}

/* Each question with its answer stands in the text once, and further behind than the one before. */
static void check(const struct recall *r)
{
    int before = -1, at = 0;
    for (int i = 0; i < r->n; i++, before = at) {
        const struct recall_ask *a = &r->ask[i];
        assert_in_range(a->n_question, 4, a->ids.n - 1);
        assert_int_equal(found(&r->text, a->ids.id, a->ids.n, &at), 1);
        assert_int_equal(found(&r->text, a->ids.id, a->n_question, &at), 1);
        assert_true(at > before);
    }
}

static bool same(const struct recall *a, const struct recall *b)
{
    return a->text.n == b->text.n &&
           memcmp(a->text.id, b->text.id, (size_t)a->text.n * sizeof *a->text.id) == 0;
}

void test_recall_needles(void **state)
{
    (void)state;
    begin();
    struct recall r = make(RECALL_NEEDLE, N_HAY, 1), again = make(RECALL_NEEDLE, N_HAY, 1);
    struct recall other = make(RECALL_NEEDLE, N_HAY, 2), none;
    struct err err;
    int at = 0;
    assert_int_equal(r.text.n, N_HAY);
    assert_int_equal(r.n, 10);
    check(&r);
    for (int i = 0; i < r.n; i++) { /* each in its tenth of the text */
        found(&r.text, r.ask[i].ids.id, r.ask[i].ids.n, &at);
        assert_int_equal(at * 10 / N_HAY, i);
    }
    assert_true(same(&r, &again));
    assert_false(same(&r, &other));
    struct recall_opts few = {RECALL_NEEDLE, 200, hay.id, 1};
    assert_false(recall_make(&none, engine, &few, &err));
    assert_non_null(strstr(err.msg, "too few"));
    recall_release(&none);
    recall_release(&other);
    recall_release(&again);
    recall_release(&r);
    end();
}

void test_recall_keys(void **state)
{
    (void)state;
    begin();
    struct recall r = make(RECALL_KEYS, 5000, 7), again = make(RECALL_KEYS, 5000, 7), none;
    struct err err;
    assert_in_range(r.text.n, 4950, 5000);
    assert_int_equal(r.n, RECALL_MAX);
    check(&r);
    assert_true(same(&r, &again));
    struct recall_opts few = {RECALL_KEYS, 100, hay.id, 1};
    assert_false(recall_make(&none, engine, &few, &err));
    recall_release(&none);
    recall_release(&again);
    recall_release(&r);
    end();
}
