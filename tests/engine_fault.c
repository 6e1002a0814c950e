/* engine_fault.c -- memory and disk that fail at every call, one after the other, from opening a
 * model to saving a cache. What could break: a crash, a leak, a message that says nothing, a cache
 * lost on disk or in memory. */
#include "tests/engine_model.h"

#include <errno.h>
#include <unistd.h>

#include "engine/mem.h"
#include "tests/fault.h"

#define N_IDS 70

static const char *const fixtures[] = { "tiny-llama-q8_0", "tiny-qwen3moe",
                                        "tiny-deepseek4-mixed" };
#define N_FIXTURES (sizeof fixtures / sizeof *fixtures)

static int32_t ids[N_IDS];

static void ids_set(void)
{
    for (int i = 0; i < N_IDS; i++)
        ids[i] = (i * 37 + 11) % 500;
}

/* Memory that ran out says so. */
static void assert_told(const struct err *err, enum err_code code)
{
    if (err->code != code || strlen(err->msg) < 10)
        fail_msg("code %d, '%s'", err->code, err->msg);
}

/* ---- memory --------------------------------------------------------------------------------- */

static bool read_all(struct session *s, struct err *err)
{
    int held = 0;
    while (held >= 0 && held < N_IDS)
        held = session_read(s, ids, N_IDS, err);
    return held == N_IDS;
}

/* Everything a model goes through, to the end or to the first failure; *hash of the last
 * logits. */
static bool life(const char *model, const char *kv, uint64_t *hash, struct err *err)
{
    struct engine *e = NULL;
    struct session *s = NULL, *fork = NULL, *back = NULL;
    struct tokens text = {0};
    struct session_opts opts = { .n_ctx = 128 };
    struct engine_opts eo = { .n_threads = 1 };
    struct err ignored;
    bool ok = engine_open(&e, model, &eo, err) &&
              engine_chat(e, CHAT_BEGIN, "be kind", 7, &text, err) &&
              engine_chat(e, CHAT_USER, "hello there", 11, &text, err) &&
              session_new(&s, e, &opts, err) && read_all(s, err);
    if (ok && session_fork(s, &fork, err)) {
        session_cut(fork, 20);
        ok = session_read(fork, ids + 1, N_IDS - 1, err) >= 0;
    } else if (ok) {
        ok = err->code == ERR_UNSUPPORTED;
    }
    ok = ok && session_save(s, kv, err) && session_new(&back, e, &opts, err) &&
         session_load(back, kv, err) && session_read(back, ids, N_IDS, err) == N_IDS;
    if (ok)
        session_cut(back, 10);
    ok = ok && read_all(back, err);
    *hash = ok ? session_logits_hash(back) : 0;
    session_free(&fork);
    session_free(&back);
    if (s && session_len(s) > 0 && !ok) { /* what is there is still whole */
        fault_clear();
        assert_true(read_all(s, &ignored));
    }
    session_free(&s);
    tokens_release(&text);
    engine_close(&e);
    return ok;
}

/* A failure that is not told has cost nothing but a count or a place to cut at. */
static void check_memory(const char *model, const char *kv)
{
    uint64_t before = mem_bytes(), expected, hash;
    bool done = false;
    assert_true(life(model, kv, &expected, &(struct err){0}));
    for (int n = 0; !done; n++) {
        struct err err = {0};
        fault_set(FAULT_MEMORY, n, FAULT_ONCE);
        bool ok = life(model, kv, &hash, &err);
        done = !fault_clear();
        assert_int_equal(mem_bytes(), before);
        if (ok)
            assert_int_equal(hash, expected);
        else
            assert_told(&err, ERR_NOMEM);
        assert_true(n < 1000);
    }
}

void test_fault_memory(void **state)
{
    (void)state;
    char kv[300], model[600];
    snprintf(kv, sizeof kv, "%s/kv", test_folder());
    ids_set();
    for (size_t f = 0; f < N_FIXTURES; f++) {
        snprintf(model, sizeof model, "%s.gguf", fixtures[f]);
        check_memory(test_fixture(model), kv);
    }
}

/* ---- the disk ------------------------------------------------------------------------------- */

struct kept {
    struct engine *e;
    struct session *s;
    char path[300], temp[310];
    char *old;
    size_t old_bytes;
};

static void kept_open(struct kept *k, const char *fixture)
{
    struct err err = {0};
    ids_set();
    k->e = model_open(fixture, 1, NULL);
    k->s = model_session(k->e, KV_F16, 64);
    snprintf(k->path, sizeof k->path, "%s/kv", test_folder());
    snprintf(k->temp, sizeof k->temp, "%s.tmp", k->path);
    model_read(k->s, ids, 30);
    assert_true(session_save(k->s, k->path, &err));
    k->old = test_read_file(k->path, &k->old_bytes);
    model_read(k->s, ids, N_IDS);
}

static void kept_close(struct kept *k)
{
    free(k->old);
    session_free(&k->s);
    engine_close(&k->e);
}

/* The file is the old one to the byte, or the new one; it loads, and no other lies there. */
static void check_whole(struct kept *k, bool saved)
{
    size_t bytes;
    struct err err = {0};
    struct session *back = model_session(k->e, KV_F16, 64);
    char *now = test_read_file(k->path, &bytes);
    bool old = bytes == k->old_bytes && memcmp(now, k->old, bytes) == 0;
    assert_true(!saved || !old);
    assert_true(session_load(back, k->path, &err));
    assert_int_equal(session_len(back), old ? 30 : N_IDS);
    assert_memory_equal(session_ids(back), ids, (size_t)session_len(back) * sizeof *ids);
    assert_int_not_equal(access(k->temp, F_OK), 0);
    free(now);
    session_free(&back);
    test_write_file(k->path, k->old, k->old_bytes);
}

static void check_disk(const char *fixture, enum fault_how how)
{
    struct kept k;
    bool ok = false;
    kept_open(&k, fixture);
    for (int n = 0; !ok; n++) {
        struct err err = {0};
        fault_set(FAULT_FILE, n, how);
        ok = session_save(k.s, k.path, &err);
        bool hit = fault_clear();
        assert_true(ok || hit);
        if (!ok)
            assert_told(&err, ERR_IO);
        check_whole(&k, ok);
        assert_true(n < 200);
        ok = ok && !hit; /* a short write that went on is no end */
    }
    assert_int_equal(session_read(k.s, ids, N_IDS, &(struct err){0}), N_IDS);
    kept_close(&k);
}

void test_fault_disk(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_FIXTURES; f++) {
        check_disk(fixtures[f], FAULT_ONCE);
        check_disk(fixtures[f], FAULT_ON);
        check_disk(fixtures[f], FAULT_SHORT);
    }
}
