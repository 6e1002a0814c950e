/* engine_deepseek4.c -- DeepSeek-V4's own cache, and files of its kind. (What it computes is tested
 * in engine_forward.c.) What could break: a ring or a snapshot that gives other rows back than were
 * there, so that what follows a cut, a resume or a cancel differs; re-reading that is more than
 * kv_deepseek4.h promises, or not counted; memory that grows without bound; a file whose numbers
 * lead out of an array.
 *
 * A token that is read alone gives the same bits however the cache came about, so most tests read
 * step by step and compare bits. */
#include "tests/engine_model.h"

#include "engine/deepseek4.h"
#include "engine/kv_deepseek4.h"
#include "engine/kv_file.h"
#include "engine/mem.h"
#include "engine/timeline.h"
#include "tests/engine_vocab.h"

#define N     400
#define MODEL "tiny-deepseek4"

/* Cuts that are tried. The thread sanitizer, slow, has the same to find in a few. */
#ifdef __SANITIZE_THREAD__
#define N_CUTS 4
#else
#define N_CUTS 60
#endif

static struct engine *engine;
static int32_t ids[N];

static struct session *start(enum kv_type kv)
{
    cJSON *golden = golden_open(MODEL);
    assert_int_equal(golden_ids(golden_case(golden, "a400"), ids, N), N);
    cJSON_Delete(golden);
    engine = model_open(MODEL, 2, NULL);
    return model_session(engine, kv, 64);
}

static void finish(struct session *s)
{
    session_free(&s);
    engine_close(&engine);
}

static struct session_stats stats(const struct session *s)
{
    struct session_stats st;
    session_stats(s, &st);
    return st;
}

/* Reads ids up to n one by one, from what is held on. */
static void read_steps(struct session *s, int n)
{
    while (session_held(s, ids, n) < n)
        model_read(s, ids, session_held(s, ids, n) + 1);
}

static void assert_same_logits(const struct session *a, const struct session *b)
{
    assert_memory_equal(session_logits(a), session_logits(b), FIXTURE_VOCAB * sizeof(float));
}

/* ---- files --------------------------------------------------------------------------------- */

static const char *kv_path(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/kv", test_folder());
    return path;
}

/* Saved, restored and continued with the same bits; chosen: with a token that waits to be read. */
static void check_resume(struct session *s, struct session *t, int n, bool chosen)
{
    struct err err = {0};
    const char *path = kv_path();
    session_cut(s, 0);
    session_cut(t, 0);
    model_read(s, ids, n);
    if (chosen)
        model_greedy(s);
    if (!session_save(s, path, &err) || !session_load(t, path, &err))
        fail_msg("%s", err.msg);
    uint64_t read_s = stats(s).n_read, read_t = stats(t).n_read;
    assert_int_equal(session_len(t), session_len(s));
    assert_memory_equal(session_ids(t), session_ids(s), (size_t)session_len(s) * sizeof *ids);
    assert_same_logits(t, s);
    for (int i = 0; i < 9; i++)
        assert_int_equal(model_greedy(t), model_greedy(s));
    assert_same_logits(t, s);
    model_read(s, session_ids(s), n);           /* the border at the end of what was read */
    model_read(t, session_ids(t), n);
    assert_same_logits(t, s);
    assert_int_equal(stats(t).n_read - read_t, stats(s).n_read - read_s);
    assert_int_equal(stats(s).n_read - read_s, chosen ? 9 : 8);
}

void test_deepseek4_resume(void **state)
{
    (void)state;
    static const int lengths[] = { 1, 3, 4, 5, 127, 128, 129, 260, 400 };
    for (int kv = KV_F16; kv <= KV_F32; kv++) {
        struct session *s = start((enum kv_type)kv);
        struct session *t = model_session(engine, (enum kv_type)kv, 64);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            check_resume(s, t, lengths[i], i % 2);
        session_free(&t);
        finish(s);
    }
}

/* The same file for the same ids, whatever was cut off before. */
void test_deepseek4_file_holds_nothing_cut(void **state)
{
    (void)state;
    struct err err = {0};
    char *data[2];
    size_t bytes[2];
    for (int i = 0; i < 2; i++) {
        const char *path = kv_path();
        struct session *s = start(KV_F16);
        model_read(s, ids, 101);
        for (int more = 0; i == 1 && more < 50; more++)
            model_greedy(s);
        model_read(s, ids, 101);
        assert_true(session_save(s, path, &err));
        data[i] = test_read_file(path, &bytes[i]);
        finish(s);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(data[0], data[1], bytes[0]);
    free(data[0]);
    free(data[1]);
}

/* Loading is refused and leaves an empty session. */
static void check_refused(struct session *s, const char *path, enum err_code code)
{
    struct err err = {0};
    assert_false(session_load(s, path, &err));
    if (err.code != code || !strstr(err.msg, path))
        fail_msg("%d: %s", err.code, err.msg);
    assert_int_equal(session_len(s), 0);
    assert_null(session_logits(s));
    bool logits;
    assert_int_equal(s->cache->ops->border(s->cache, 0, &logits), 0);
    assert_int_equal(kv4_of(s->cache)->n_snapshots, 0);
    assert_int_equal(kv4_of(s->cache)->n_blocks, 0);
}

void test_deepseek4_damaged_file(void **state)
{
    (void)state;
    struct err err = {0};
    size_t bytes;
    uint64_t random = 5;
    char path[256];
    struct session *s = start(KV_F16), *other = model_session(engine, KV_F32, 64);
    snprintf(path, sizeof path, "%s", kv_path());
    model_read(s, ids, 70);
    assert_true(session_save(s, path, &err));
    check_refused(other, path, ERR_FORMAT);     /* another type of rows */
    session_cut(s, 0);
    char *data = test_read_file(path, &bytes);
    for (int i = 0; i < 200; i++) {
        test_write_file(path, data, bytes * (size_t)i / 200);
        check_refused(s, path, ERR_FORMAT);
    }
    for (int i = 0; i < 500; i++) {
        uint64_t r = test_random(&random);
        size_t at = (size_t)(r >> 20) % (i < 300 ? 512 : bytes);
        char flip = (char)(1 << (r >> 10 & 7));
        data[at] ^= flip;
        test_write_file(path, data, bytes);
        if (session_load(s, path, &err)) {      /* unused bytes */
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
    session_free(&other);
    finish(s);
}

/* A file that is whole, with these sections in it. */
static void write_sections(const struct session *s, const char *path,
                           const struct kv_section *list, int n)
{
    struct err err = {0};
    const struct kv4 *kv = kv4_of(s->cache);
    struct kv_file f = {
        .fingerprint = engine_info(engine)->fingerprint, .n_vocab = FIXTURE_VOCAB,
        .shape = { kv->n_layer, 1, kv->head_dim, kv->type, 0 }, .ids = ids, .n_ids = 20,
        .n_read = 20,
    };
    if (!kv_file_save(path, &f, list, n, &err))
        fail_msg("%s", err.msg);
}

/* Whole files that lie: sections of wrong lengths, orders and numbers. */
void test_deepseek4_false_file(void **state)
{
    (void)state;
    struct err err = {0};
    char path[256];
    struct session *s = start(KV_F16);
    const struct kv4 *kv = kv4_of(s->cache);
    size_t bytes = 64 + kv->state_bytes + FIXTURE_VOCAB * sizeof(float), most = 1 << 20;
    assert_true(bytes < most && kv->block_bytes < most);
    unsigned char *zeros = calloc(1, most), *head[5];
    static const uint32_t heads[5][2] = { { 5, 0 }, { 9, 1 }, { 0, 0 }, { 21, 0 }, { 6, 2 } };
    for (int i = 0; i < 5; i++) {
        head[i] = calloc(1, bytes);
        memcpy(head[i], heads[i], sizeof heads[i]);
    }
    const struct kv_section rings = { 3, zeros, kv->state_bytes };
    const struct kv_section rows = { 4, zeros, kv->block_bytes };
    const struct kv_section at_5 = { 5, head[0], bytes }, at_9 = { 5, head[1], bytes };
    const struct kv_section few = { 3, zeros, kv->state_bytes - 64 }, what = { 6, zeros, 64 };
    const struct kv_section cut = { 4, zeros, kv->block_bytes - 64 }, half = { 5, head[0], 64 };
    const struct {
        bool good;
        int n;
        struct kv_section list[4];
    } files[] = {
        { true,  2, { rings, rows } },
        { true,  4, { rings, rows, at_5, at_9 } },
        { true,  3, { at_5, rows, rings } },
        { false, 1, { rings } },
        { false, 1, { rows } },
        { false, 3, { rings, rings, rows } },
        { false, 3, { rings, rows, rows } },
        { false, 4, { rings, rows, at_9, at_5 } },
        { false, 4, { rings, rows, at_5, at_5 } },
        { false, 3, { rings, rows, { 5, head[2], bytes } } },
        { false, 3, { rings, rows, { 5, head[3], bytes } } },
        { false, 3, { rings, rows, { 5, head[4], bytes } } },
        { false, 3, { rings, rows, half } },
        { false, 2, { few, rows } },
        { false, 2, { rings, cut } },
        { false, 3, { rings, rows, what } },
    };
    snprintf(path, sizeof path, "%s", kv_path());
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_sections(s, path, files[i].list, files[i].n);
        if (!files[i].good) {
            check_refused(s, path, ERR_FORMAT);
        } else if (!session_load(s, path, &err)) {
            fail_msg("%s", err.msg);
        }
        model_read(s, ids, 30);
        session_cut(s, 0);
    }
    for (int i = 0; i < 5; i++)
        free(head[i]);
    free(zeros);
    finish(s);
}

/* ---- cutting ------------------------------------------------------------------------------- */

/* After any cut the logits are, bit by bit, those of a timeline that was never cut. */
void test_deepseek4_cuts(void **state)
{
    (void)state;
    static float all[N + 1][FIXTURE_VOCAB];
    uint64_t random = 3;
    struct session *s = start(KV_F16);
    for (int n = 1; n <= N; n++) {
        model_read(s, ids, n);
        memcpy(all[n], session_logits(s), sizeof all[n]);
    }
    for (int i = 0; i < N_CUTS; i++) {
        int end = session_len(s), n = 1 + (int)(test_random(&random) % (uint64_t)end);
        uint64_t before = stats(s).n_read;
        int held = session_held(s, ids, n);
        session_cut(s, n);
        assert_int_equal(session_len(s), n);
        assert_int_equal(session_held(s, ids, n), held);
        read_steps(s, n);
        assert_int_equal(stats(s).n_read - before, n - held);
        assert_memory_equal(session_logits(s), all[n], sizeof all[n]);
        int more = n + 90 < N ? n + 90 : N;
        read_steps(s, more);
        assert_memory_equal(session_logits(s), all[more], sizeof all[more]);
    }
    assert_true(stats(s).n_re_read > N_CUTS);
    finish(s);
}

/* The same when whole chunks are read again; here the last bits may differ. */
void test_deepseek4_cuts_in_chunks(void **state)
{
    (void)state;
    static const int at[] = { 399, 335, 127, 4, 340, 333, 320, 200, 129, 128, 64, 5, 1, 0 };
    float expected[FIXTURE_VOCAB];
    struct session *s = start(KV_F32);
    model_read(s, ids, N);
    memcpy(expected, session_logits(s), sizeof expected);
    for (size_t i = 0; i < sizeof at / sizeof *at && i < N_CUTS; i++) {
        session_cut(s, at[i]);
        model_read(s, ids, N);
        assert_true(max_difference(session_logits(s), expected, FIXTURE_VOCAB) <= 2e-4);
    }
    finish(s);
}

/* The last chunk's positions can be cut off for nothing; farther back a border is needed, and what
 * is read again on the way from there is counted. */
void test_deepseek4_counts_what_it_reads_again(void **state)
{
    (void)state;
    struct session *s = start(KV_F16);
    model_read(s, ids, 300);
    session_cut(s, 240);                        /* within the last 64 */
    assert_int_equal(session_held(s, ids, 240), 239);
    model_read(s, ids, 300);
    assert_int_equal(stats(s).n_re_read, 60);
    session_cut(s, 100);                        /* no border before it */
    assert_int_equal(session_len(s), 100);
    assert_int_equal(session_held(s, ids, 300), 0);
    model_greedy(s);
    assert_int_equal(stats(s).n_re_read, 160);
    assert_int_equal(stats(s).n_read, 460);
    finish(s);
}

/* A retry finds the logits at the end of the prompt: it reads nothing, and chooses the same. */
void test_deepseek4_retry(void **state)
{
    (void)state;
    int32_t reply[80];
    struct session *s = start(KV_F16);
    model_read(s, ids, 150);
    for (int i = 0; i < 80; i++)
        reply[i] = model_greedy(s);
    uint64_t before = stats(s).n_read;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(session_held(s, ids, 150), 150);
        model_read(s, ids, 150);
        assert_int_equal(stats(s).n_read, before);
        assert_int_equal(stats(s).n_re_read, 0);
    }
    for (int i = 0; i < 80; i++)
        assert_int_equal(model_greedy(s), reply[i]);
    assert_int_equal(stats(s).n_re_read, 0);    /* they were chosen anew */
    finish(s);
}

/* A turn that is taken back: the border at the end of the reply before it. */
void test_deepseek4_undo(void **state)
{
    (void)state;
    int32_t line[N];
    struct session *s = start(KV_F16);
    model_read(s, ids, 100);
    for (int i = 0; i < 90; i++)
        model_greedy(s);
    memcpy(line, session_ids(s), 190 * sizeof *line);
    for (int i = 190; i < 230; i++)
        line[i] = ids[i];
    model_read(s, line, 230);
    for (int i = 0; i < 90; i++)
        model_greedy(s);
    assert_int_equal(stats(s).n_re_read, 0);
    for (int i = 191; i < 230; i++)             /* another question behind the reply's end */
        line[i] = 511 - line[i];
    assert_int_equal(session_held(s, line, 230), 189);
    model_read(s, line, 230);
    assert_int_equal(stats(s).n_re_read, 2);
    finish(s);
}

/* Tails in the middle of a reply only append. */
void test_deepseek4_appends(void **state)
{
    (void)state;
    int32_t line[N];
    int n = 20;
    struct session *s = start(KV_F16);
    model_read(s, ids, n);
    for (int toggle = 0; toggle < 30; toggle++) {
        for (int i = 0; i < 5; i++)
            model_greedy(s);
        n = session_len(s);
        memcpy(line, session_ids(s), (size_t)n * sizeof *line);
        line[n - 1] = 5 + toggle % 2;           /* the token that waits is dropped */
        model_read(s, line, n);
        model_greedy(s);
    }
    assert_int_equal(stats(s).n_re_read, 0);
    assert_int_equal(stats(s).n_read, session_len(s) - 1);
    assert_int_equal(kv4_of(s->cache)->n_snapshots, KV4_SNAPSHOTS);
    finish(s);
}

/* A pass that is cancelled in any layer leaves the cache as it was: played by a whole pass over
 * other tokens that nobody takes over. */
void test_deepseek4_forgets_a_pass(void **state)
{
    (void)state;
    int32_t other[64];
    atomic_bool no = false;
    struct err err;
    struct session *s = start(KV_F16), *t = model_session(engine, KV_F16, 64);
    for (int i = 0; i < 64; i++)
        other[i] = 499 - i;
    for (int n = 1; n <= N; n += 57) {
        read_steps(s, n);
        read_steps(t, n);
        struct forward_call call = { .ids = other, .n = 64, .pos = n, .cache = t->cache,
                                     .cancel = &no };
        assert_true(t->cache->ops->reserve(t->cache, n, n + 64, &err));
        assert_true(t->ops->run(t->forward, &call));
        t->cache->ops->cut(t->cache, n, NULL);
    }
    read_steps(s, N);
    read_steps(t, N);
    assert_same_logits(t, s);
    session_free(&t);
    finish(s);
}

/* ---- snapshots ----------------------------------------------------------------------------- */

/* Marks every 100 positions: few are kept, most of them near the end, so that a cut costs no more
 * than about three times what had been written behind it. */
void test_deepseek4_snapshots(void **state)
{
    (void)state;
    struct err err;
    bool logits;
    struct session *s = start(KV_F16);
    struct cache_opts o = { 20000, 64, KV_F16 };
    struct cache *c = cache_deepseek4.create(&engine->model, &o, &err);
    assert_non_null(c);
    const struct kv4 *kv = kv4_of(c);
    for (int n = 100; n <= 20000; n += 100) {
        for (int at = n - 100; at < n; at += 50)
            assert_true(c->ops->reserve(c, at, at + 50, &err));
        c->ops->mark(c, n, NULL);
        c->ops->mark(c, n, NULL);
        assert_true(kv->n_snapshots == (n < 800 ? n / 100 : KV4_SNAPSHOTS));
        assert_int_equal(c->ops->border(c, n, &logits), n);
        assert_int_equal(c->ops->border(c, n - 64, &logits), n - 64);
        assert_int_equal(c->ops->border(c, n - 65, &logits), n > 100 ? n - 100 : 0);
        for (int at = 0; at <= n; at += 50) {
            int lost = at - c->ops->border(c, at, &logits);
            assert_true(lost <= 3 * (n - at) + 200);
        }
    }
    assert_true(c->ops->used(c) <= c->ops->bytes(&engine->model, &o));
    c->ops->cut(c, 0, NULL);
    for (int n = 50; n <= 600; n += 50) {       /* two marks near each other, then none for long */
        assert_true(c->ops->reserve(c, n - 50, n, &err));
        if (n % 100 == 0)
            c->ops->mark(c, n, NULL);
    }
    for (int n = 601; n <= 602; n++) {
        assert_true(c->ops->reserve(c, n - 1, n, &err));
        c->ops->mark(c, n, NULL);
    }
    for (int n = 602; n < 5002; n += 50)
        assert_true(c->ops->reserve(c, n, n + 50, &err));
    c->ops->mark(c, 5002, NULL);
    assert_int_equal(kv->snapshots[KV4_SNAPSHOTS - 2].pos, 602);
    assert_int_equal(kv->snapshots[KV4_SNAPSHOTS - 3].pos, 601);
    c->ops->cut(c, c->ops->border(c, 3000, &logits), NULL);
    c->ops->cut(c, 0, NULL);
    assert_int_equal(kv->n_snapshots, 0);
    assert_int_equal(c->ops->used(c), kv->rings_bytes);
    c->ops->destroy(c);
    finish(s);
}

/* Without memory for a snapshot there is no border, and nothing else is wrong. */
void test_deepseek4_without_snapshot(void **state)
{
    (void)state;
    struct session *s = start(KV_F16), *t = model_session(engine, KV_F16, 64);
    model_read(t, ids, 60);
    mem_fail_after(1);                          /* the block is there, the snapshot not */
    model_read(s, ids, 60);
    mem_fail_after(-1);
    assert_int_equal(kv4_of(s->cache)->n_snapshots, 0);
    assert_same_logits(s, t);
    session_free(&t);
    finish(s);
}

/* session_bytes() is what a full session takes, with all the snapshots. */
void test_deepseek4_bytes(void **state)
{
    (void)state;
    struct session *s = start(KV_F32);
    session_free(&s);
    struct session_opts opts = { .n_ctx = 512, .kv = KV_F32, .chunk = 64 };
    uint64_t promised = session_bytes(engine, &opts), before = mem_bytes();
    s = model_session(engine, KV_F32, 64);
    for (int n = 40; n <= N; n += 40)
        model_read(s, ids, n);
    uint64_t taken = mem_bytes() - before;
    assert_in_range(promised, taken, taken + taken / 100);
    finish(s);
    assert_true(mem_bytes() < before);
}

void test_deepseek4_allocates_nothing(void **state)
{
    (void)state;
    struct session *s = start(KV_F16);
    model_read(s, ids, 30);
    uint64_t before = mem_count();
    for (int i = 30; i < 510; i++)
        model_greedy(s);
    assert_int_equal(mem_count(), before);
    finish(s);
}

/* ---- hostile numbers ----------------------------------------------------------------------- */

/* Where `what` stands in the file. */
static char *find(char *data, size_t bytes, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = 0; i + n <= bytes; i++)
        if (memcmp(data + i, what, n) == 0)
            return data + i;
    fail_msg("no '%s' in the fixture", what);
    return NULL;
}

/* One change: the bytes `skip` behind a name become `value`, or the name another of its length. */
struct change {
    const char *name;
    size_t skip;             /* from the name's end; behind a type of 4 bytes stands a value, */
    uint32_t value;          /* behind type, element type and length an array's elements */
    const char *other_name;
    enum err_code code;
    const char *says;
};

#define VALUE 4
#define ARRAY 16
#define NAME_IS(other, code, says) 0, 0, other, code, says

static const struct change changes[] = {
    { "deepseek4.attention.head_count_kv", VALUE, 2, NULL, ERR_UNSUPPORTED, "2 key heads" },
    { "deepseek4.attention.value_length", VALUE, 64, NULL, ERR_UNSUPPORTED, "96 and 64" },
    { "deepseek4.attention.output_group_count", VALUE, 3, NULL, ERR_FORMAT, "3 groups" },
    { "deepseek4.attention.output_group_count", VALUE, 0, NULL, ERR_FORMAT, "group_count" },
    { "deepseek4.attention.sliding_window", VALUE, 0, NULL, ERR_FORMAT, "sliding_window" },
    { "deepseek4.attention.sliding_window", VALUE, 1u << 31, NULL, ERR_FORMAT, "sliding_window" },
    { "deepseek4.attention.indexer.top_k", VALUE, 0, NULL, ERR_FORMAT, "top_k" },
    { "deepseek4.attention.indexer.key_length", VALUE, 16, NULL, ERR_FORMAT, "of 16 values" },
    { "deepseek4.attention.indexer.key_length", VALUE, 62, NULL, ERR_FORMAT, "blk.1.indexer" },
    { "deepseek4.rope.dimension_count", VALUE, 31, NULL, ERR_FORMAT, "31 of 96" },
    { "deepseek4.rope.dimension_count", VALUE, 98, NULL, ERR_FORMAT, "dimension_count" },
    { "deepseek4.rope.scaling.factor", VALUE, 0, NULL, ERR_FORMAT, "scaling.factor" },
    { "deepseek4.rope.scaling.type", 12, 0x3030, NULL, ERR_UNSUPPORTED, "none, yarn" },
    { "deepseek4.attention.compress_rope_freq_base", VALUE, 0x3f000000, NULL, ERR_FORMAT, "0.5" },
    { "deepseek4.expert_used_count", VALUE, 9, NULL, ERR_FORMAT, "expected 1 to 8" },
    { "deepseek4.expert_count", VALUE, 7, NULL, ERR_FORMAT, "blk.0" },
    { "deepseek4.expert_gating_func", VALUE, 2, NULL, ERR_UNSUPPORTED, "function 2" },
    { "deepseek4.expert_shared_count", VALUE, 2, NULL, ERR_FORMAT, "shexp" },
    { "deepseek4.hyper_connection.count", VALUE, 3, NULL, ERR_UNSUPPORTED, "3 streams" },
    { "deepseek4.hyper_connection.sinkhorn_iterations", VALUE, 5000, NULL, ERR_FORMAT, "5000" },
    { "deepseek4.hash_layer_count", VALUE, 3, NULL, ERR_FORMAT, "blk.2.ffn_gate_tid2eid" },
    { "deepseek4.hash_layer_count", VALUE, 1, NULL, ERR_FORMAT, "blk.1.exp_probs_b" },
    { "deepseek4.attention.compress_ratios", ARRAY, 7, NULL, ERR_UNSUPPORTED, "7 for layer 0" },
    { "deepseek4.attention.compress_ratios", ARRAY, 4, NULL, ERR_FORMAT, "blk.0.attn_compressor" },
    { "deepseek4.attention.compress_ratios", 8, 3, NULL, ERR_FORMAT, "" },
    { "deepseek4.swiglu_clamp_exp", ARRAY, 0, NULL, ERR_FORMAT, "layer 0" },
    { "deepseek4.swiglu_clamp_shexp", ARRAY + 4, 0x7fc00000, NULL, ERR_FORMAT, "layer 1" },
    { "deepseek4.block_count", VALUE, 3, NULL, ERR_UNSUPPORTED, "'blk.3." },
    { "deepseek4.block_count", VALUE, 5, NULL, ERR_FORMAT, "for 5 layers" },
    { "deepseek4.attention.sliding_window",
      NAME_IS("deepseek4.attention.sliding_widths", ERR_FORMAT, "sliding_window") },
    { "blk.1.attn_sinks.weight",
      NAME_IS("blk.1.attn_sinkz.weight", ERR_FORMAT, "'blk.1.attn_sinks.weight' is missing") },
    { "blk.2.exp_probs_b.bias",
      NAME_IS("blk.2.exp_probs_x.bias", ERR_FORMAT, "'blk.2.exp_probs_b.bias' is missing") },
};

/* Opens a copy of the fixture with n changes. */
static bool open_changed(const struct change *c, int n, struct engine **e, struct err *err)
{
    size_t bytes;
    char *data = test_read_file(test_fixture(MODEL ".gguf"), &bytes), path[256];
    for (int i = 0; i < n; i++) {
        char *at = find(data, bytes, c[i].name), *end = at + strlen(c[i].name);
        if (c[i].other_name)
            memcpy(at, c[i].other_name, strlen(c[i].other_name));
        if (c[i].skip)
            memcpy(end + c[i].skip, &c[i].value, sizeof c[i].value);
    }
    snprintf(path, sizeof path, "%s/model.gguf", test_folder());
    test_write_file(path, data, bytes);
    free(data);
    return engine_open(e, path, NULL, err);
}

void test_deepseek4_hostile_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct engine *e;
        struct err err = {0};
        assert_false(open_changed(&changes[i], 1, &e, &err));
        if (err.code != changes[i].code || !strstr(err.msg, changes[i].says))
            fail_msg("%s: %d: %s", changes[i].name, err.code, err.msg);
    }
}

/* Experts by token id: outside the table, and twice for one token. */
void test_deepseek4_hostile_experts(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        struct engine *e;
        struct err err = {0};
        size_t bytes;
        char *data = test_read_file(test_fixture(MODEL ".gguf"), &bytes), path[256];
        engine = model_open(MODEL, 1, NULL);
        const int32_t *chosen = engine->model.deepseek4->layers[1].chosen;
        const char *base = (const char *)engine->file.part[0].file.data;
        char *at = data + ((const char *)chosen - base) + 40 * 2 * sizeof *chosen;
        int32_t expert = twice ? chosen[81] : 8;
        memcpy(at, &expert, sizeof expert);
        engine_close(&engine);
        snprintf(path, sizeof path, "%s/model.gguf", test_folder());
        test_write_file(path, data, bytes);
        free(data);
        assert_false(engine_open(&e, path, NULL, &err));
        assert_int_equal(err.code, ERR_FORMAT);
        assert_non_null(strstr(err.msg, "blk.1.ffn_gate_tid2eid.weight"));
        assert_non_null(strstr(err.msg, twice ? "token 40 to expert" : "expert 8"));
    }
}

/* Blocks that only draft tokens are left out, whether block_count counts them or not. */
void test_deepseek4_drafts(void **state)
{
    (void)state;
    static const struct change behind[] = {
        { "deepseek4.embedding_length_out", VALUE, 1, "deepseek4.nextn_predict_layers", 0, "" },
        { "deepseek4.block_count", VALUE, 3, NULL, 0, "" },
    };
    static const struct change counted[] = {
        { "deepseek4.embedding_length_out", VALUE, 1, "deepseek4.nextn_predict_layers", 0, "" },
        { "blk.3.attn_q_a_norm.weight", 0, 0, "blk.3.nextn.eh_proj.weight", 0, "" },
    };
    for (int i = 0; i < 2; i++) {
        struct err err = {0};
        if (!open_changed(i ? counted : behind, 2, &engine, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(engine_info(engine)->n_layer, 3);
        struct session *s = model_session(engine, KV_F16, 64);
        model_read(s, ids, 1);
        assert_non_null(session_logits(s));
        finish(s);
    }
}
