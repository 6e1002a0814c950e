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

/* ---- changing the tier ---------------------------------------------------------------------- */

enum { N_LONG = 230, N_MORE = 330 };

struct long_run {
    struct engine *e;
    struct session *s;       /* N_LONG tokens in the tier that is left */
    struct far_opts to;
    int32_t ids[N_MORE];
    char folder[256], kv[300];
    uint64_t expected;
};

static bool read_to(struct long_run *r, struct session *s, struct err *err)
{
    int held = 0;
    while (held >= 0 && held < N_MORE)
        held = session_read(s, r->ids, N_MORE, err);
    return held == N_MORE;
}

/* A fork changes the tier, grows in it, is saved and comes back; *hash of its last logits. What
 * fails is tried once more without a fault, on what is there. Where there was no memory for a file
 * of rows it is held in 4 bits, which is no failure, and *hash is left as it is. */
static bool change_and_go_on(struct long_run *r, uint64_t *hash, struct err *err)
{
    struct session *s, *back;
    struct session_opts opts = { .n_ctx = 512, .far = r->to };
    struct far_stats far;
    struct err ignored;
    if (!session_fork(r->s, &s, err))
        return false;
    bool ok = session_set_far(s, &r->to, err);
    assert_int_equal(session_len(s), N_LONG);
    assert_memory_equal(session_ids(s), r->ids, N_LONG * sizeof *r->ids);
    ok = ok && read_to(r, s, err) && session_save(s, r->kv, err);
    if (!ok) {
        fault_clear();
        assert_true(session_set_far(s, &r->to, &ignored) && read_to(r, s, &ignored));
    }
    session_far(s, &far);
    assert_int_equal(far.tier, far.why[0] ? KV_TIER_Q4 : r->to.tier);
    assert_true(!far.why[0] || r->to.tier == KV_TIER_FLASH);
    *hash = far.why[0] ? *hash : session_logits_hash(s);
    if (ok && session_new(&back, r->e, &opts, err)) {
        ok = session_load(back, r->kv, err);
        assert_int_equal(session_len(back), ok ? N_MORE : 0);
        assert_true(!ok || session_logits_hash(back) == session_logits_hash(s));
        session_free(&back);
    } else {
        ok = false;
    }
    session_free(&s);
    return ok;
}

static void long_run_open(struct long_run *r, enum kv_tier from, enum kv_tier to)
{
    struct err err;
    snprintf(r->folder, sizeof r->folder, "%s", test_folder());
    snprintf(r->kv, sizeof r->kv, "%s/kv", r->folder);
    r->e = model_open("tiny-llama-q8_0", 1, NULL);
    r->s = model_session(r->e, KV_F16, 64);
    r->to = (struct far_opts){ to, r->folder };
    for (int i = 0; i < N_MORE; i++)
        r->ids[i] = (i * 37 + 11) % 500;
    assert_true(session_set_far(r->s, &(struct far_opts){ from, r->folder }, &err));
    model_read(r->s, r->ids, N_LONG);
    if (!change_and_go_on(r, &r->expected, &err))
        fail_msg("%s", err.msg);
}

static void long_run_close(struct long_run *r)
{
    session_free(&r->s);
    engine_close(&r->e);
}

/* Each allocation in turn: a clear error, nothing leaked, nothing lost, and the same afterwards as
 * without it. */
static void check_change(enum kv_tier from, enum kv_tier to)
{
    struct long_run r;
    uint64_t hash, before;
    bool done = false;
    long_run_open(&r, from, to);
    before = mem_bytes();
    for (int n = 0; !done; n++) {
        struct err err = {0};
        fault_set(FAULT_MEMORY, n, FAULT_ONCE);
        hash = r.expected;
        if (!change_and_go_on(&r, &hash, &err))
            assert_told(&err, ERR_NOMEM);
        done = !fault_clear();
        assert_int_equal(hash, r.expected);
        assert_int_equal(mem_bytes(), before);
        assert_true(n < 1000);
    }
    long_run_close(&r);
}

void test_fault_change(void **state)
{
    (void)state;
    for (enum kv_tier from = KV_TIER_EXACT; from <= KV_TIER_FLASH; from++)
        for (enum kv_tier to = KV_TIER_EXACT; to <= KV_TIER_FLASH; to++)
            check_change(from, to);
}

/* A file of rows that cannot be made, or not be made longer: what comes is held in 4 bits, and that
 * is said. */
static bool fill_up(struct long_run *r, int n, enum fault_how how)
{
    struct session *s;
    struct far_stats far;
    struct err err = {0};
    assert_true(session_fork(r->s, &s, &err));
    fault_set(FAULT_FILE, n, how);
    if (!session_set_far(s, &r->to, &err) || !read_to(r, s, &err))
        fail_msg("%s", err.msg);
    bool hit = fault_clear();
    session_far(s, &far);
    assert_int_equal(session_len(s), N_MORE);
    if (how != FAULT_SHORT || far.why[0]) {   /* a short write may have gone on */
        assert_int_equal(far.tier, hit ? KV_TIER_Q4 : KV_TIER_FLASH);
        assert_int_equal(strstr(far.why, r->folder) != NULL, hit);
    }
    assert_true(session_save(s, r->kv, &err));
    session_free(&s);
    return hit;
}

void test_fault_full_disk_of_rows(void **state)
{
    (void)state;
    static const enum fault_how hows[] = { FAULT_ONCE, FAULT_ON, FAULT_SHORT };
    struct long_run r;
    long_run_open(&r, KV_TIER_EXACT, KV_TIER_FLASH);
    for (size_t h = 0; h < sizeof hows / sizeof *hows; h++) {
        int n = 0;
        while (fill_up(&r, n, hows[h]))
            n++;
        assert_in_range(n, 3, 100);   /* the file, and each block longer and written */
    }
    long_run_close(&r);
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
