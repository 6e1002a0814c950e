/* engine_drop.c -- tokens taken out of the middle of a timeline. What could break: distances that
 * are not kept, rows of what went that still speak, a fork or a file that sees half of it, tokens
 * that are read again. */
#include "tests/engine_model.h"

#include "engine/kv.h"
#include "engine/mem.h"
#include "engine/timeline.h"

enum { N = 300, MORE = 20 };

static struct engine *engine;
static int32_t ids[N + MORE];

static struct session *start(const char *model, enum kv_type type)
{
    engine = model_open(model, 2, NULL);
    for (int i = 0; i < N + MORE; i++)
        ids[i] = (i * 37 + 11) % 500;
    return model_session(engine, type, 64);
}

/* Reads MORE tokens behind what s holds. */
static void read_more(struct session *s)
{
    int32_t all[N + MORE];
    int n = session_len(s);
    memcpy(all, session_ids(s), (size_t)n * sizeof *all);
    memcpy(all + n, ids + N, MORE * sizeof *all);
    model_read(s, all, n + MORE);
}

/* Copies the row of a position of one timeline to one of another, in all heads. */
static void row_copy(struct session *to, int at, const struct session *from, int pos)
{
    const struct kv *a = kv_of(from->cache), *b = kv_of(to->cache);
    size_t row = a->head_bytes / KV_BLOCK;
    for (size_t head = 0; head < a->block_bytes[KV_ROWS]; head += a->head_bytes)
        memcpy(b->blocks[at / KV_BLOCK].data + head + (size_t)(at % KV_BLOCK) * row,
               a->blocks[pos / KV_BLOCK].data + head + (size_t)(pos % KV_BLOCK) * row, row);
}

/* The same timeline made in another way: the head is read at the place it moves to, and the rows
 * of the tail are put behind it one by one. */
static struct session *made_by_hand(const struct session *whole, int from, int to)
{
    struct session *s = model_session(engine, kv_of(whole->cache)->shape.type, 64);
    int n = N - (to - from);
    s->cache->shift = to - from;
    model_read(s, ids, from);
    assert_true(s->cache->ops->reserve(s->cache, from, n, &(struct err){0}));
    for (int i = from; i < n; i++)
        row_copy(s, i, whole, i + to - from);
    timeline_advance(s, ids + to, N - to);
    return s;
}

static void check_drop(const char *model, enum kv_type type, int from, int to, int at,
                       double most)
{
    struct session *s = start(model, type);
    struct session_stats before, after;
    struct err err = {0};
    int cut = from;
    model_read(s, ids, N);
    struct session *other = made_by_hand(s, at, to);
    session_stats(s, &before);
    if (!session_drop(s, &cut, to, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(cut, at);
    assert_int_equal(session_len(s), N - (to - at));
    assert_memory_equal(session_ids(s), ids, (size_t)at * sizeof *ids);
    assert_memory_equal(session_ids(s) + at, ids + to, (size_t)(N - to) * sizeof *ids);
    read_more(s);
    read_more(other);
    double far = max_difference(session_logits(s), session_logits(other), FIXTURE_VOCAB);
    if (far > most)
        fail_msg("%s, [%d, %d): logits differ by %g", model, from, to, far);
    session_stats(s, &after);
    assert_int_equal(after.n_read - before.n_read, MORE);
    assert_int_equal(after.n_re_read, 0);
    assert_true(after.kv_bytes < before.kv_bytes);
    session_free(&other);
    session_free(&s);
    engine_close(&engine);
}

/* Inside of blocks, at their borders, more than one, all that can go; with local layers too. */
void test_drop_keeps_distances(void **state)
{
    (void)state;
    static const char *const models[] = {"tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3"};
    for (size_t i = 0; i < 4; i++) {
        check_drop(models[i], KV_F32, 4, 70, 6, 1e-3);
        check_drop(models[i], KV_F32, 64, 128, 64, 1e-3);
        check_drop(models[i], KV_F32, 10, 299, 43, 1e-3);
        check_drop(models[i], KV_F16, 0, 200, 8, 0.05);
    }
}

/* It does make a difference what is gone, and that the head moved up. */
void test_drop_changes(void **state)
{
    (void)state;
    struct session *s = start("tiny-llama", KV_F32), *t = model_session(engine, KV_F32, 64);
    struct err err;
    int from = 4;
    model_read(s, ids, N);
    model_read(t, ids, N);
    assert_true(session_drop(s, &from, 200, &err));
    read_more(s);
    struct session *unmoved = made_by_hand(t, from, 200);
    for (int i = 0; i < from; i++)
        row_copy(unmoved, i, t, i);
    read_more(unmoved);
    read_more(t);
    assert_true(max_difference(session_logits(s), session_logits(t), FIXTURE_VOCAB) > 0.05);
    assert_true(max_difference(session_logits(s), session_logits(unmoved), FIXTURE_VOCAB) > 0.005);
    session_free(&unmoved);
    session_free(&t);
    session_free(&s);
    engine_close(&engine);
}

static void assert_same_future(struct session *a, struct session *b)
{
    assert_int_equal(session_len(a), session_len(b));
    for (int i = 0; i < 70; i++)
        assert_int_equal(model_greedy(a), model_greedy(b));
    assert_memory_equal(session_logits(a), session_logits(b), FIXTURE_VOCAB * sizeof(float));
}

/* What is kept before the gap is turned, and so whole blocks are written to: not those of a fork,
 * and not those that lie in a file. */
void test_drop_behind_blocks(void **state)
{
    (void)state;
    struct session *s = start("tiny-llama", KV_F16), *early, *back, *whole;
    struct err err = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/kv", test_folder());
    whole = model_session(engine, KV_F16, 64);
    back = model_session(engine, KV_F16, 64);
    model_read(s, ids, N);
    model_read(whole, ids, N);
    assert_true(session_save(s, path, &err) && session_load(back, path, &err));
    assert_true(session_fork(s, &early, &err));
    assert_true(session_drop(s, &(int){150}, 250, &err));
    assert_true(session_drop(back, &(int){150}, 250, &err));
    assert_same_future(s, back);
    assert_same_future(early, whole);
    session_free(&early);
    session_free(&whole);
    session_free(&back);
    session_free(&s);
    engine_close(&engine);
}

/* Forks and files hold what the timeline became; a fork made before is left alone; twice is like
 * once; what is mapped is not written to. */
void test_drop_travels(void **state)
{
    (void)state;
    struct session *s = start("tiny-llama", KV_F16), *fork, *again, *early, *whole, *back;
    struct err err = {0};
    char path[300];
    int from = 3;
    snprintf(path, sizeof path, "%s/kv", test_folder());
    whole = model_session(engine, KV_F16, 64);
    back = model_session(engine, KV_F16, 64);
    model_read(s, ids, N);
    model_read(whole, ids, N);
    assert_true(session_fork(s, &early, &err));
    assert_true(session_drop(s, &from, 100, &err));
    assert_int_equal(from, 36);
    from = 40;
    assert_true(session_drop(s, &from, 150, &err));
    assert_true(session_fork(s, &fork, &err) && session_fork(s, &again, &err));
    assert_true(session_save(s, path, &err) && session_load(back, path, &err));
    assert_same_future(s, fork);
    session_cut(s, 0);
    assert_true(session_load(s, path, &err));
    assert_same_future(s, again);
    assert_same_future(early, whole);

    session_cut(s, 0);
    assert_true(session_load(s, path, &err));
    session_cut(back, 0);
    assert_true(session_load(back, path, &err));
    from = 4;
    assert_true(session_drop(s, &from, 80, &err));
    assert_true(session_drop(back, &(int){4}, 80, &err));
    assert_same_future(s, back);
    session_cut(s, 0);                  /* begins at position 0 again */
    model_read(s, ids, N);
    session_cut(whole, 0);
    model_read(whole, ids, N);
    assert_same_future(s, whole);
    session_free(&early);
    session_free(&fork);
    session_free(&again);
    session_free(&whole);
    session_free(&back);
    session_free(&s);
    engine_close(&engine);
}

void test_drop_refused(void **state)
{
    (void)state;
    struct err err;
    struct session *s = start("tiny-llama", KV_F16);
    int from = 10;
    model_read(s, ids, N);
    assert_false(session_drop(s, &from, 73, &err));
    assert_int_equal(err.code, ERR_INPUT);
    struct session *fork;
    assert_true(session_fork(s, &fork, &err));  /* the block of the head is shared now */
    mem_fail_after(0);
    assert_false(session_drop(s, &from, 200, &err));
    mem_fail_after(-1);
    assert_int_equal(err.code, ERR_NOMEM);
    assert_int_equal(session_len(s), N);
    assert_same_future(s, fork);
    session_free(&fork);
    session_free(&s);
    engine_close(&engine);

    s = start("tiny-deepseek4", KV_F16);
    model_read(s, ids, N);
    assert_false(session_drop(s, &from, 200, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_int_equal(from, 10);
    session_free(&s);
    engine_close(&engine);
}
