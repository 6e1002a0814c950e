/* engine_session.c -- one timeline. What could break: a prefix that is held and read again, or not
 * held and taken for held; counters; a cancel that loses work or is not seen; allocation in the
 * token loop; a cache that comes back from a file as something else. */
#include "tests/engine_model.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/mem.h"

#define N 200

static struct engine *engine;
static int32_t ids[N];

static void start(struct session **s, const char *model, enum kv_type kv)
{
    engine = model_open(model, 2, NULL);
    *s = model_session(engine, kv, 64);
    for (int i = 0; i < N; i++)
        ids[i] = (i * 37 + 11) % 500;
}

static void finish(struct session **s)
{
    session_free(s);
    engine_close(&engine);
    assert_null(*s);
    assert_null(engine);
}

static struct session_stats stats(const struct session *s)
{
    struct session_stats st;
    session_stats(s, &st);
    return st;
}

/* ---- extending and cutting ----------------------------------------------------------------- */

void test_session_reads_chunks(void **state)
{
    (void)state;
    struct session *s;
    struct err err;
    start(&s, "tiny-llama-q4_1", KV_F16);
    assert_null(session_logits(s));
    assert_int_equal(session_len(s), 0);
    assert_int_equal(session_ctx(s), 512);
    assert_int_equal(session_read(s, ids, N, &err), 64);
    assert_null(session_logits(s));
    assert_int_equal(session_read(s, ids, N, &err), 128);
    assert_int_equal(session_held(s, ids, N), 128);
    assert_int_equal(session_read(s, ids, N, &err), 192);
    assert_int_equal(session_read(s, ids, N, &err), N);
    assert_non_null(session_logits(s));
    assert_int_equal(session_held(s, ids, N), N);
    assert_int_equal(session_read(s, ids, N, &err), N);
    assert_int_equal(stats(s).n_read, N);
    assert_int_equal(stats(s).n_re_read, 0);
    assert_int_equal(session_len(s), N);
    assert_memory_equal(session_ids(s), ids, sizeof ids);
    finish(&s);
}

/* Cutting and extending again gives the logits of reading at once. */
void test_session_cut_and_extend(void **state)
{
    (void)state;
    struct session *s;
    float expected[FIXTURE_VOCAB];
    int32_t other[N];
    start(&s, "tiny-llama-q4_1", KV_F16);
    memcpy(other, ids, sizeof ids);
    other[100] = 7;
    model_read(s, ids, N);
    memcpy(expected, session_logits(s), sizeof expected);
    uint64_t full = stats(s).kv_bytes;

    model_read(s, other, N);
    assert_int_equal(stats(s).n_read, 2 * N - 100);
    assert_true(max_difference(session_logits(s), expected, FIXTURE_VOCAB) > 0.01);
    session_cut(s, 70);
    assert_int_equal(session_len(s), 70);
    assert_true(stats(s).kv_bytes < full);
    assert_null(session_logits(s));
    model_read(s, ids, N);
    assert_memory_equal(session_logits(s), expected, sizeof expected);
    session_cut(s, 0);
    assert_int_equal(stats(s).kv_bytes, 0);
    model_read(s, ids, N);
    assert_memory_equal(session_logits(s), expected, sizeof expected);
    finish(&s);
}

/* What is read again although it was held counts; what is new does not. */
void test_session_re_read(void **state)
{
    (void)state;
    struct session *s;
    int32_t other[N];
    start(&s, "tiny-llama-q4_1", KV_F16);
    memcpy(other, ids, sizeof ids);
    for (int i = 150; i < N; i++)
        other[i] = 499 - ids[i];
    model_read(s, ids, 150);
    model_read(s, ids, N);
    assert_int_equal(stats(s).n_re_read, 0);
    session_cut(s, 150);
    model_read(s, other, N);                    /* different ids follow */
    assert_int_equal(stats(s).n_re_read, 0);
    model_read(s, ids, N);                      /* the first ones again */
    assert_int_equal(stats(s).n_re_read, 50);
    session_cut(s, 190);
    model_read(s, ids, N);
    assert_int_equal(stats(s).n_re_read, 60);
    session_cut(s, 0);
    model_read(s, ids + 1, N - 1);              /* the same ids at other positions */
    assert_int_equal(stats(s).n_re_read, 60);
    assert_int_equal(session_held(s, ids, N), 0);
    finish(&s);
}

/* A chosen token is read by the next call; stopping at it costs nothing. */
void test_session_next(void **state)
{
    (void)state;
    struct session *s;
    start(&s, "tiny-llama-q4_1", KV_F16);
    model_read(s, ids, 50);
    int32_t reply[8];
    for (int i = 0; i < 8; i++)
        reply[i] = model_greedy(s);
    assert_int_equal(session_len(s), 58);
    assert_int_equal(stats(s).n_read, 57);
    assert_int_equal(stats(s).n_sampled, 8);
    assert_int_equal(session_held(s, session_ids(s), 58), 57);

    session_cut(s, 57);                         /* the unread one: logits are still there */
    assert_int_equal(model_greedy(s), reply[7]);
    assert_int_equal(stats(s).n_read, 57);

    session_cut(s, 50);                         /* back to the question: its last token again */
    assert_int_equal(session_held(s, ids, 50), 49);
    for (int i = 0; i < 8; i++)
        assert_int_equal(model_greedy(s), reply[i]);
    assert_int_equal(stats(s).n_read, 65);
    assert_int_equal(stats(s).n_re_read, 1);    /* what is chosen anew is written, not read again */

    int32_t more[60];                           /* the reply, then something new */
    memcpy(more, session_ids(s), 58 * sizeof *more);
    more[58] = 1;
    more[59] = 2;
    model_read(s, more, 60);
    assert_int_equal(stats(s).n_read, 68);
    assert_int_equal(stats(s).n_re_read, 1);
    finish(&s);
}

/* What is put into a reply is read as what is chosen there: in one call, the same as one by one. */
void test_session_reads_reply(void **state)
{
    (void)state;
    struct session *s;
    struct err err;
    int32_t line[58];
    start(&s, "tiny-llama-q4_1", KV_F16);
    model_read(s, ids, 50);
    for (int i = 0; i < 9; i++)
        model_greedy(s);
    uint64_t expect = session_logits_hash(s);
    memcpy(line, session_ids(s), sizeof line);
    session_cut(s, 53);                         /* one waits, the others are put behind it */
    assert_int_equal(session_read_reply(s, line, 50, 58, &err), 58);
    assert_true(session_logits_hash(s) == expect);

    session_cut(s, 40);                         /* text is read by itself */
    assert_int_equal(session_read_reply(s, line, 50, 58, &err), 50);
    assert_int_equal(session_read_reply(s, line, 50, 58, &err), 58);
    assert_true(session_logits_hash(s) == expect);
    finish(&s);
}

/* The end of a text is read again as text, whatever was chosen behind it. */
void test_session_reads_text_again(void **state)
{
    (void)state;
    struct session *s;
    start(&s, "tiny-llama-q4_1", KV_F16);
    model_read(s, ids, 50);
    uint64_t expect = session_logits_hash(s);
    for (int i = 0; i < 9; i++)
        model_greedy(s);
    model_read(s, ids, 50);
    assert_true(session_logits_hash(s) == expect);
    finish(&s);
}

void test_session_limits(void **state)
{
    (void)state;
    struct session *s;
    struct session_token t;
    struct err err = {0};
    struct sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    start(&s, "tiny-llama-q4_1", KV_F16);
    session_free(&s);
    struct session_opts opts = { .n_ctx = 20 };
    assert_true(session_new(&s, engine, &opts, &err));
    assert_int_equal(session_read(s, ids, 21, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(session_len(s), 0);
    model_read(s, ids, 19);
    ids[19] = FIXTURE_VOCAB;
    assert_int_equal(session_read(s, ids, 20, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    ids[19] = -1;
    assert_int_equal(session_read(s, ids, 20, &err), -1);
    assert_int_equal(session_len(s), 19);
    assert_int_equal(session_next(s, &greedy, &t, 1, &err), 1);
    assert_int_equal(session_next(s, &greedy, &t, 1, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(session_len(s), 20);
    finish(&s);
}

void test_session_opts(void **state)
{
    (void)state;
    struct session *s;
    struct err err;
    engine = model_open("tiny-llama", 1, NULL);
    const struct session_opts wrong[] = {
        { .n_ctx = -1 }, { .n_ctx = 2049 }, { .chunk = -1 }, { .chunk = 513 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(session_new(&s, engine, &wrong[i], &err));
        assert_null(s);
        assert_int_equal(err.code, ERR_INPUT);
    }
    assert_true(session_new(&s, engine, NULL, &err));
    assert_int_equal(session_ctx(s), 2048);
    finish(&s);
}

static void check_bytes(const char *model)
{
    struct session *s;
    engine = model_open(model, 2, NULL);
    struct session_opts opts = { .n_ctx = 512, .kv = KV_F32, .chunk = 64 };
    uint64_t promised = session_bytes(engine, &opts), before = mem_bytes();
    s = model_session(engine, KV_F32, 64);
    int32_t all[512];
    for (int i = 0; i < 512; i++)
        all[i] = i;
    model_read(s, all, 512);
    uint64_t taken = mem_bytes() - before;
    assert_in_range(promised, taken, taken + taken / 100);
    finish(&s);
    assert_true(mem_bytes() < before);
}

/* session_bytes() is what a full session takes. */
void test_session_bytes(void **state)
{
    (void)state;
    check_bytes("tiny-llama");
    check_bytes("tiny-qwen3moe");
    check_bytes("tiny-gemma3");
}

static void check_allocates_nothing(const char *model)
{
    struct session *s;
    start(&s, model, KV_F16);
    model_read(s, ids, 1);
    uint64_t before = mem_count();
    model_read(s, ids, 30);
    for (int i = 30; i < 64; i++)
        model_greedy(s);
    assert_int_equal(mem_count(), before);
    for (int i = 64; i < 240; i++)
        model_greedy(s);
    assert_int_equal(mem_count(), before + 3);  /* blocks of 64 for positions 64 to 238 */
    finish(&s);
}

void test_session_allocates_nothing(void **state)
{
    (void)state;
    check_allocates_nothing("tiny-llama-q4_1");
    check_allocates_nothing("tiny-qwen3moe");
    check_allocates_nothing("tiny-gemma3");
}

void test_session_cancel(void **state)
{
    (void)state;
    struct session *s;
    struct session_token t;
    struct err err;
    struct sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    start(&s, "tiny-llama-q4_1", KV_F16);
    assert_int_equal(session_read(s, ids, N, &err), 64);
    session_cancel(s, true);
    assert_int_equal(session_read(s, ids, N, &err), 64);
    assert_int_equal(session_read(s, ids, N, &err), 128);
    session_cancel(s, true);
    session_cancel(s, false);
    assert_int_equal(session_read(s, ids, N, &err), 192);
    model_read(s, ids, N);
    session_cancel(s, true);
    assert_int_equal(session_next(s, &greedy, &t, 1, &err), 0);
    assert_int_equal(session_len(s), N);
    int32_t first = model_greedy(s);
    session_cancel(s, true);
    assert_int_equal(session_next(s, &greedy, &t, 1, &err), 0);
    assert_int_equal(session_len(s), N + 1);
    int32_t second = model_greedy(s);
    assert_int_equal(stats(s).n_re_read, 0);

    session_cut(s, 0);
    model_read(s, ids, N);
    assert_int_equal(model_greedy(s), first);
    assert_int_equal(model_greedy(s), second);
    finish(&s);
}

/* The same seed gives the same tokens however the cache came about. */
void test_session_seeded(void **state)
{
    (void)state;
    struct session *s;
    struct err err;
    struct sampling how = { .temperature = 1.5f, .top_p = 0.95f, .repeat_penalty = 1.1f,
                            .seed = 99 };
    struct session_token a[20], b[20];
    start(&s, "tiny-llama-q4_1", KV_F16);
    model_read(s, ids, 40);
    for (int i = 0; i < 20; i++)
        assert_int_equal(session_next(s, &how, &a[i], 1, &err), 1);
    session_cut(s, 17);
    model_read(s, ids, 40);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(session_next(s, &how, &b[i], 1, &err), 1);
        assert_int_equal(a[i].id, b[i].id);
        assert_true(a[i].logprob < 0);
    }
    how.seed = 100;
    session_cut(s, 40);
    int same = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(session_next(s, &how, &b[i], 1, &err), 1);
        same += a[i].id == b[i].id;
    }
    assert_true(same < 20);
    finish(&s);
}

/* ---- files --------------------------------------------------------------------------------- */

static const char *kv_path(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/kv", test_folder());
    return path;
}

/* What follows after loading is bit for bit what follows without. */
static void check_resume(const char *model, enum kv_type kv, int n, bool chosen)
{
    struct session *s, *t;
    struct err err = {0};
    const char *path = kv_path();
    struct stat st;
    start(&s, model, kv);
    t = model_session(engine, kv, 64);
    model_read(s, ids, n);
    if (chosen)
        model_greedy(s);
    if (!session_save(s, path, &err) || !session_load(t, path, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(session_len(t), session_len(s));
    assert_memory_equal(session_ids(t), session_ids(s), (size_t)session_len(s) * sizeof *ids);
    assert_memory_equal(session_logits(t), session_logits(s), FIXTURE_VOCAB * sizeof(float));
    assert_int_equal(stats(t).kv_bytes, stats(s).kv_bytes);
    for (int i = 0; i < 70; i++)
        assert_int_equal(model_greedy(t), model_greedy(s));
    assert_memory_equal(session_logits(t), session_logits(s), FIXTURE_VOCAB * sizeof(float));
    assert_int_equal(stats(t).n_read, stats(s).n_read - (uint64_t)n);
    assert_int_equal(stats(t).n_re_read, 0);

    session_cut(s, n / 2 + 1);                  /* into what is mapped */
    session_cut(t, n / 2 + 1);
    model_read(s, ids, n);
    model_read(t, ids, n);
    assert_memory_equal(session_logits(t), session_logits(s), FIXTURE_VOCAB * sizeof(float));
    session_free(&t);
    finish(&s);
}

void test_session_resume(void **state)
{
    (void)state;
    check_resume("tiny-llama-q8_0", KV_F16, N, false);
    check_resume("tiny-llama-q8_0", KV_F32, N, true);
    check_resume("tiny-llama-q8_0", KV_F16, 128, true);
    check_resume("tiny-llama-q8_0", KV_F16, 3, false);
    check_resume("tiny-qwen2", KV_F16, N, true);
    check_resume("tiny-qwen3moe", KV_F16, N, true);
    check_resume("tiny-gemma3", KV_F16, N, true);
    check_resume("tiny-gemma3", KV_F32, 23, false);
}

/* Saved again from a mapped cache, over the file it is mapped from; and the same bytes for the
 * same ids, whatever stood behind them before. */
void test_session_save_again(void **state)
{
    (void)state;
    struct session *s;
    struct err err = {0};
    char path[256], other[300];
    size_t bytes, bytes_other;
    snprintf(path, sizeof path, "%s", kv_path());
    snprintf(other, sizeof other, "%s-2", path);
    start(&s, "tiny-llama-q8_0", KV_F16);
    model_read(s, ids, N);
    assert_true(session_save(s, path, &err));
    session_cut(s, 0);
    assert_true(session_load(s, path, &err));
    session_cut(s, 100);
    model_read(s, ids, 101);
    assert_true(session_save(s, path, &err));

    session_cut(s, 0);
    model_read(s, ids, 101);
    assert_true(session_save(s, other, &err));
    char *a = test_read_file(path, &bytes), *b = test_read_file(other, &bytes_other);
    assert_int_equal(bytes, bytes_other);
    assert_memory_equal(a, b, bytes);
    free(a);
    free(b);
    finish(&s);
}

/* Loading fails with this code, names the file, and leaves an empty session that works. */
static void check_refused(struct session *s, const char *path, enum err_code code)
{
    struct err err = {0};
    assert_false(session_load(s, path, &err));
    if (err.code != code || !strstr(err.msg, path))
        fail_msg("%d: %s", err.code, err.msg);
    assert_int_equal(session_len(s), 0);
    assert_null(session_logits(s));
    assert_int_equal(stats(s).kv_bytes, 0);
}

void test_session_damaged_file(void **state)
{
    (void)state;
    struct session *s;
    struct err err = {0};
    size_t bytes;
    uint64_t random = 5;
    char path[256];
    snprintf(path, sizeof path, "%s", kv_path());
    start(&s, "tiny-llama-q8_0", KV_F16);
    model_read(s, ids, 70);
    assert_true(session_save(s, path, &err));
    session_cut(s, 0);
    char *data = test_read_file(path, &bytes);
    for (int i = 0; i < 200; i++) {
        size_t cut = bytes * (size_t)i / 200;
        test_write_file(path, data, cut);
        check_refused(s, path, ERR_FORMAT);
    }
    for (int i = 0; i < 500; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(random >> 20) % (i < 300 ? 512 : bytes);
        if (at >= 72 && at < 128)
            continue;  /* unused bytes of the header */
        char flip = (char)(1 << (random >> 10 & 7));
        data[at] ^= flip;
        test_write_file(path, data, bytes);
        if (session_load(s, path, &err)) {     /* a gap between sections */
            assert_int_equal(session_len(s), 70);
            assert_memory_equal(session_ids(s), ids, 70 * sizeof *ids);
            session_cut(s, 0);
        } else {
            check_refused(s, path, ERR_FORMAT);
        }
        data[at] ^= flip;
    }
    test_write_file(path, data, bytes);
    assert_true(session_load(s, path, &err));
    free(data);
    finish(&s);
}

void test_session_foreign_file(void **state)
{
    (void)state;
    struct session *s, *small, *exact;
    struct err err = {0};
    char path[256];
    snprintf(path, sizeof path, "%s", kv_path());
    start(&s, "tiny-llama-q8_0", KV_F16);
    struct session_opts opts = { .n_ctx = 40 };
    assert_true(session_new(&small, engine, &opts, &err));
    exact = model_session(engine, KV_F32, 64);
    assert_false(session_save(s, path, &err));
    check_refused(s, path, ERR_IO);
    check_refused(s, "/tmp", ERR_IO);
    model_read(s, ids, 70);
    assert_true(session_save(s, path, &err));
    check_refused(small, path, ERR_LIMIT);
    check_refused(exact, path, ERR_FORMAT);
    session_free(&small);
    session_free(&exact);
    finish(&s);

    start(&s, "tiny-llama-q4_0", KV_F16);
    check_refused(s, path, ERR_FORMAT);
    model_read(s, ids, 10);                     /* still usable */
    finish(&s);
}

/* A full disk, played by a limit on the size of files: the old file stays, nothing is left. */
void test_session_full_disk(void **state)
{
    (void)state;
    struct session *s;
    struct err err = {0};
    char path[256], temp[300];
    size_t bytes, bytes_after;
    snprintf(path, sizeof path, "%s", kv_path());
    snprintf(temp, sizeof temp, "%s.tmp", path);
    start(&s, "tiny-llama-q8_0", KV_F16);
    model_read(s, ids, 30);
    assert_true(session_save(s, path, &err));
    char *before = test_read_file(path, &bytes);
    model_read(s, ids, N);

    struct rlimit old, tiny;
    getrlimit(RLIMIT_FSIZE, &old);
    tiny = (struct rlimit){ 40000, old.rlim_max };
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &tiny);
    bool saved = session_save(s, path, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);

    assert_false(saved);
    assert_int_equal(err.code, ERR_IO);
    assert_int_not_equal(access(temp, F_OK), 0);
    char *after = test_read_file(path, &bytes_after);
    assert_int_equal(bytes, bytes_after);
    assert_memory_equal(before, after, bytes);
    assert_false(session_save(s, "/nowhere/kv", &err));
    assert_int_equal(err.code, ERR_IO);
    free(before);
    free(after);
    finish(&s);
}
