/* engine_far.c -- the tiers of the cache. What could break: a code that is not what is read; a
 * result that depends on how a timeline came about; bytes that are not counted; a tier that falls
 * back and does not say so. */
#include "tests/engine_model.h"

#include <dirent.h>
#include <math.h>

#include "engine/codec.h"
#include "engine/cpu.h"
#include "engine/kernels.h"
#include "engine/kv.h"
#include "engine/kv_far.h"
#include "engine/kv_read.h"
#include "engine/timeline.h"

enum { N = 1300, DIM = 64, ROWS = CODEC_BLOCK * DIM };

static struct engine *engine;
static int32_t ids[N + 1];

/* About normal, the same in every run. */
static float noise(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(*state >> 40) * 0x1p-24f - 0.5f;
    }
    return sum * 1.732f;
}

static void fill(float *x, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++)
        x[i] = noise(&seed);
}

/* |a - b| / |b|. */
static double distance(const float *a, const float *b, int n)
{
    return relative_l2(a, b, n);
}

/* ---- codes --------------------------------------------------------------------------------- */

void test_far_codec_rows(void **state)
{
    (void)state;
    static float keys[ROWS], values[ROWS], back[ROWS], x[96], y[96];
    static unsigned char head[65536];
    for (int dim = 32; dim <= 96; dim += 32) {
        fill(x, dim, 7);
        memcpy(y, x, sizeof x);
        codec_turn(y, dim);
        assert_true(distance(y, x, dim) > 0.5);
        codec_turn(y, dim);
        assert_true(distance(y, x, dim) < 1e-6);
        codec_q8(x, dim, head);
        codec_rows_q8(head, 0, 1, (size_t)dim, y);
        assert_true(distance(y, x, dim) < 0.008);
    }
    fill(keys, ROWS, 1);
    fill(values, ROWS, 2);
    for (int i = 0; i < ROWS; i++)
        keys[i] += i % DIM == 5 ? 30 : 0;          /* what all keys share costs no bits */
    memcpy(back, keys, sizeof back);
    codec_q4(keys, values, DIM, head);
    codec_rows_q8(codec_q4_mean(head, DIM, false), 0, 1, DIM, x);
    codec_rows_q4(codec_q4_rows(head, DIM, false), codec_q4_stride(DIM), CODEC_BLOCK, DIM, keys);
    for (int t = 0; t < CODEC_BLOCK; t++) {
        codec_turn(keys + t * DIM, DIM);
        for (int i = 0; i < DIM; i++) {
            keys[t * DIM + i] += x[i];
            back[t * DIM + i] -= i == 5 ? 30 : 0;
            keys[t * DIM + i] -= i == 5 ? 30 : 0;
        }
    }
    assert_true(distance(keys, back, ROWS) < 0.12);
}

/* One bit a value tells the products of a query with the keys to about the error that the points
 * have, 0.34 of the mean square. */
void test_far_codec_index(void **state)
{
    (void)state;
    static float keys[ROWS], values[ROWS], exact[CODEC_BLOCK], score[CODEC_BLOCK];
    static unsigned char head[4096];
    float q[DIM], turned[DIM], mean[DIM], scale[CODEC_BLOCK], power[CODEC_POWERS], offset = 0;
    int8_t table[DIM / 4 * CODEC_POINTS];
    fill(keys, ROWS, 3);
    fill(values, ROWS, 4);
    fill(q, DIM, 5);
    for (int t = 0; t < CODEC_BLOCK; t++) {
        exact[t] = 0;
        for (int i = 0; i < DIM; i++) {
            keys[t * DIM + i] *= t % 2 ? 4 : 0.5f;
            exact[t] += q[i] * keys[t * DIM + i];
        }
    }
    codec_index(keys, values, DIM, head);
    memcpy(turned, q, sizeof q);
    codec_turn(turned, DIM);
    float factor = codec_index_table(turned, DIM / 4, table);
    codec_rows_q8(codec_index_mean(head, DIM, false), 0, 1, DIM, mean);
    for (int i = 0; i < DIM; i++)
        offset += q[i] * mean[i];
    codec_powers(power);
    codec_index_scales(codec_index_levels(head, DIM), power + codec_index_power(head, DIM),
                       scale);
    codec_index_score(head, DIM / 4, table, scale, factor, offset, score);
    double error = distance(score, exact, CODEC_BLOCK);
    assert_true(error > 0.3 && error < 0.75);
    codec_rows_q8(codec_index_mean(head, DIM, true), 0, 1, DIM, mean);
    for (int i = 0; i < DIM; i++) {
        float sum = 0;
        for (int t = 0; t < CODEC_BLOCK; t++)
            sum += values[t * DIM + i] / CODEC_BLOCK;
        assert_true(fabsf(sum - mean[i]) < 0.01f);
    }
}

static void check_coded(const struct kernels *fast)
{
    struct kernels plain;
    static unsigned char coded[65536];
    static float a[ROWS * 4], b[ROWS * 4];
    float scale[CODEC_BLOCK];
    int8_t table[256 / 4 * CODEC_POINTS];
    uint64_t seed = 9;
    kernels_init(&plain, 0);
    for (size_t i = 0; i < sizeof coded; i++)
        coded[i] = (unsigned char)(int)(noise(&seed) * 60);
    for (size_t i = 0; i < sizeof table; i++)
        table[i] = (int8_t)(i % 5 ? (int)(noise(&seed) * 20) % 64 : CODEC_TABLE_MAX);
    for (int i = 0; i < CODEC_BLOCK; i++) {
        scale[i] = noise(&seed);
        for (int at = 64; at < 65; at++)           /* scales of rows: numbers */
            coded[i * 200 + at] = 0x30;
    }
    for (size_t dim = 32; dim <= 256; dim += dim < 128 ? 32 : 128) {
        for (int n = 1; n <= 33; n += 16) {
            memset(a, 0, sizeof a);
            memset(b, 0, sizeof b);
            plain.rows_q8(coded, 2 * codec_q8_row((int)dim), n, dim, a);
            fast->rows_q8(coded, 2 * codec_q8_row((int)dim), n, dim, b);
            assert_memory_equal(a, b, sizeof a);
            plain.rows_q4(coded, codec_q4_stride((int)dim), n, dim, a);
            fast->rows_q4(coded, codec_q4_stride((int)dim), n, dim, b);
            assert_memory_equal(a, b, sizeof a);
        }
        plain.index_score(coded, dim / 4, table, scale, 0.37f, -1.5f, a);
        fast->index_score(coded, dim / 4, table, scale, 0.37f, -1.5f, b);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void check_index(const struct kernels *fast)
{
    struct kernels plain;
    float q[512], power[CODEC_POWERS], scale[2][CODEC_BLOCK];
    static int8_t table[2][512 / 4 * CODEC_POINTS];
    unsigned char level[32];
    kernels_init(&plain, 0);
    codec_powers(power);
    for (int i = 0; i < 32; i++)
        level[i] = (unsigned char)(i * 37);
    for (size_t dim = 32; dim <= 512; dim += 96) {
        fill(q, (int)dim, dim);
        q[7] = dim == 128 ? NAN : dim == 224 ? INFINITY : q[7];
        float a = plain.index_table(q, dim / 4, table[0]);
        float b = fast->index_table(q, dim / 4, table[1]);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_equal(table[0], table[1], dim / 4 * CODEC_POINTS);
    }
    for (int i = 0; i <= CODEC_POWERS - 16; i += 51) {
        plain.index_scales(level, power + i, scale[0]);
        fast->index_scales(level, power + i, scale[1]);
        assert_memory_equal(scale[0], scale[1], sizeof scale[0]);
        assert_true(scale[0][1] == power[i + (37 & 15)] && scale[0][33] == power[i + (37 >> 4)]);
    }
}

static void check_rows(const struct kernels *fast)
{
    enum { ROW = 128 + 8, N_ROWS = 21, STEP = 32 };
    static unsigned char coded[N_ROWS * ROW * 2];
    static float q[7 * 128], x[128], w[7 * STEP], out[3][7 * 128];
    const void *row[N_ROWS];
    struct kernels plain;
    kernels_init(&plain, 0);
    fill(q, 7 * 128, 1);
    fill(w, 7 * STEP, 2);
    for (int dim = 32; dim <= 128; dim += 32)
        for (int n_q = 1; n_q <= 7; n_q++) {
            struct coded_rows r = { row, N_ROWS, (size_t)dim, n_q, STEP };
            memset(out, 0, sizeof out);
            for (int i = 0; i < N_ROWS; i++) {
                row[i] = coded + (i * 8 % N_ROWS * 2 + 1) * ROW;
                fill(x, dim, (uint64_t)(i + 9));
                codec_q8(x, dim, (void *)row[i]);
                codec_rows_q8(row[i], 0, 1, (size_t)dim, x);
                for (int h = 0; h < n_q; h++)
                    for (int d = 0; d < dim; d++)
                        out[2][h * STEP + i] += q[h * dim + d] * x[d];
            }
            plain.score_q8(&r, q, out[0]);
            fast->score_q8(&r, q, out[1]);
            assert_true(distance(out[0], out[2], 7 * STEP) < 1e-5);
            assert_true(distance(out[1], out[2], 7 * STEP) < 1e-5);
            memset(out, 0, sizeof out);
            for (int i = 0; i < N_ROWS; i++) {
                codec_rows_q8(row[i], 0, 1, (size_t)dim, x);
                for (int h = 0; h < n_q; h++)
                    for (int d = 0; d < dim; d++)
                        out[2][h * dim + d] += w[h * STEP + i] * x[d];
            }
            plain.mix_q8(&r, w, out[0]);
            fast->mix_q8(&r, w, out[1]);
            assert_true(distance(out[0], out[2], 7 * 128) < 1e-5);
            assert_true(distance(out[1], out[2], 7 * 128) < 1e-5);
        }
}

static void check_above(const struct kernels *fast)
{
    enum { N_MASS = 200 };
    static const float least[] = { -9, 0, 0.5f, 9, NAN };
    static const size_t n_above[] = { N_MASS, 0, 0, 0, 0 };
    struct kernels plain;
    float x[N_MASS], sum[2];
    int at[2][N_MASS];
    kernels_init(&plain, 0);
    fill(x, N_MASS, 3);
    for (size_t i = 0; i < sizeof least / sizeof *least; i++) {
        size_t n = plain.sum_above(x, N_MASS, least[i], &sum[0]);
        assert_int_equal(fast->sum_above(x, N_MASS, least[i], &sum[1]), n);
        assert_true(fabsf(sum[0] - sum[1]) < 1e-4f);
        assert_int_equal(plain.find_above(x, N_MASS, least[i], at[0]), n);
        assert_int_equal(fast->find_above(x, N_MASS, least[i], at[1]), n);
        assert_memory_equal(at[0], at[1], n * sizeof at[0][0]);
        for (size_t j = 0; j < n; j++)
            assert_true(x[at[0][j]] > least[i] && (j == 0 || at[0][j] > at[0][j - 1]));
        assert_true(i > 0 && i < 3 ? n > 0 && n < N_MASS : n == n_above[i]);
    }
}

static void check_lengths(const struct kernels *fast)
{
    enum { WIDE = 96, STEP = 128 };
    static float x[7 * STEP];
    float weight[7], out[WIDE + 1];
    fill(x, 7 * STEP, 4);
    fill(weight, 7, 5);
    for (int n_rows = 1; n_rows <= 7; n_rows++)
        for (size_t n = 16; n <= WIDE; n += 16) {
            double all = 0;
            out[n] = 77;
            float sum = fast->lengths(x, STEP, weight, n_rows, n, out);
            for (size_t i = 0; i < n; i++) {
                double squares = 0;
                for (int h = 0; h < n_rows; h++)
                    squares += pow((double)weight[h] * (double)x[(size_t)h * STEP + i], 2);
                assert_true(fabs(sqrt(squares) - (double)out[i]) < 1e-5);
                all += sqrt(squares);
            }
            assert_true(fabs(all - (double)sum) < 1e-3 && out[n] == 77);
        }
}

/* All sets give the same bits. */
void test_far_kernels(void **state)
{
    (void)state;
    for_each_kernels(check_coded);
}

/* Tables and scales too. */
void test_far_kernels_index(void **state)
{
    (void)state;
    for_each_kernels(check_index);
}

/* Rows that lie anywhere: what the plain kernels give, and these what decoded rows give. */
void test_far_kernels_rows(void **state)
{
    (void)state;
    for_each_kernels(check_rows);
}

void test_far_kernels_above(void **state)
{
    (void)state;
    for_each_kernels(check_above);
    for_each_kernels(check_lengths);
}

/* ---- timelines ----------------------------------------------------------------------------- */

static struct session *open_with(const struct session_opts *opts)
{
    struct session *s;
    struct err err;
    if (!session_new(&s, engine, opts, &err))
        fail_msg("%s", err.msg);
    session_set_index(s, true);
    return s;
}

static struct session *open_far(int chunk, enum kv_tier tier)
{
    return open_with(&(struct session_opts){ .n_ctx = 1600, .chunk = chunk,
                                             .far = { tier, test_folder() } });
}

static void begin(const char *model, int n_threads, const char *kernels)
{
    engine = model_open(model, n_threads, kernels);
    for (int i = 0; i <= N; i++)
        ids[i] = (i * 37 + i / 90 * 11 + 5) % 500;
}

static struct far_stats far_of(const struct session *s)
{
    struct far_stats far;
    session_far(s, &far);
    return far;
}

/* Reads and goes on for some tokens; what comes out, as one number. */
static uint64_t run(struct session *s, int n)
{
    uint64_t hash = 0;
    model_read(s, ids, n);
    for (int i = 0; i < 70; i++)
        hash = hash * 31 + (uint64_t)model_greedy(s);
    model_read(s, session_ids(s), session_len(s));
    return hash ^ session_logits_hash(s);
}

static void close_all(struct session *s)
{
    session_free(&s);
    engine_close(&engine);
}

/* The same bits for any chunk, any number of threads, and after cutting and reading again. */
static void check_same(const char *model, enum kv_tier tier)
{
    begin(model, 1, NULL);
    struct session *s = open_far(64, tier);
    model_read(s, ids, N);
    uint64_t many = session_logits_hash(s);    /* its last token was read with others */
    session_cut(s, N - 1);
    model_read(s, ids, N);
    assert_true(session_logits_hash(s) == many);
    uint64_t first = run(s, N);
    session_cut(s, N - 100);
    if (tier != KV_TIER_Q4)
        assert_true(run(s, N) == first);
    close_all(s);
    begin(model, 3, NULL);
    s = open_far(29, tier);
    assert_true(run(s, N) == first);
    assert_int_equal(far_of(s).by_index, tier == KV_TIER_FLASH);
    close_all(s);
}

void test_far_same(void **state)
{
    (void)state;
    check_same("tiny-llama-q4_1", KV_TIER_Q8);
    check_same("tiny-llama-q4_1", KV_TIER_Q4);
    check_same("tiny-llama-q4_1", KV_TIER_FLASH);
}

/* A fork, and a cache that comes back from a file, go on as the first one does. */
static void check_copies(const char *model, enum kv_tier tier)
{
    struct err err;
    char path[300];
    begin(model, 2, NULL);
    struct session *s = open_far(64, tier), *fork, *loaded = open_far(64, tier);
    snprintf(path, sizeof path, "%s/kv", test_folder());
    model_read(s, ids, N - 200);
    if (!session_save(s, path, &err) || !session_load(loaded, path, &err) ||
        !session_fork(s, &fork, &err))
        fail_msg("%s", err.msg);
    assert_true(far_of(fork).memory_bytes == far_of(s).memory_bytes);
    assert_true(far_of(loaded).memory_bytes == far_of(s).memory_bytes);
    assert_true(far_of(loaded).disk_bytes == far_of(s).disk_bytes);
    uint64_t first = run(s, N);
    assert_true(run(fork, N) == first);
    assert_true(run(loaded, N) == first);
    session_free(&s);
    session_cut(fork, N - 150);
    session_cut(loaded, N - 150);
    assert_true(run(fork, N) == run(loaded, N));
    session_free(&fork);
    close_all(loaded);
}

void test_far_copies(void **state)
{
    (void)state;
    check_copies("tiny-llama-q4_1", KV_TIER_Q8);
    check_copies("tiny-qwen2", KV_TIER_Q4);
    check_copies("tiny-llama-q4_1", KV_TIER_FLASH);
    check_copies("tiny-qwen2", KV_TIER_FLASH);
}

/* Between two kernel sets sums of floats round differently, the tokens are the same. (What is
 * rounded to 8 bits may tip to either side, and the tokens of a model that small with it.) Where
 * not all rows are chosen, rounding may choose another one at the border. */
void test_far_kernel_sets(void **state)
{
    (void)state;
    int32_t token[2][40];
    static float few[2][FIXTURE_VOCAB];
    for (int set = 0; set < 2; set++) {
        begin("tiny-llama", 2, set ? "c" : NULL);
        struct session *s = open_far(64, KV_TIER_FLASH);
        model_read(s, ids, N);
        memcpy(few[set], session_logits(s), sizeof few[set]);
        session_cut(s, N - 1);
        session_set_rows(s, N);
        model_read(s, ids, N);
        for (int i = 0; i < 40; i++)
            token[set][i] = model_greedy(s);
        close_all(s);
    }
    assert_memory_equal(token[0], token[1], sizeof token[0]);
    assert_true(distance(few[0], few[1], FIXTURE_VOCAB) < 0.02);
}

/* How far the kernels of this machine are from the plain ones when text is read behind blocks of
 * 4 bits. bias: of all keys; NULL: none. */
static double q4_reading_distance(const float *bias)
{
    static float logits[2][FIXTURE_VOCAB];
    for (int set = 0; set < 2; set++) {
        begin("tiny-llama-q4_1", 2, set ? "c" : NULL);
        for (int l = 0; bias && l < engine->model.n_layer; l++)
            engine->model.layers[l].k_bias = bias;
        struct session *s = open_far(64, KV_TIER_Q4);
        model_read(s, ids, N);
        memcpy(logits[set], session_logits(s), sizeof logits[set]);
        close_all(s);
    }
    return distance(logits[0], logits[1], FIXTURE_VOCAB);
}

/* Where AMX reads text, blocks of 4 bits are decoded for many tokens at once; elsewhere they are
 * read row by row, still turned. The sets round the model's activations differently: that distance
 * stays. One in which a block is not turned back is 1.5. */
void test_far_q4_reading(void **state)
{
    (void)state;
    assert_true(q4_reading_distance(NULL) < 0.3);
}

/* A bias of the keys is not in the codes of a block; both ways put it back. One that does not is
 * 1.1 away. */
void test_far_q4_bias(void **state)
{
    (void)state;
    float bias[2 * 32] = {0};
    for (int i = 0; i < 2 * 32; i += 5)
        bias[i] = i % 2 ? 3 : -4;
    assert_true(q4_reading_distance(bias) < 0.3);
}

/* A model whose keys have a large bias. */
static void begin_biased(void)
{
    static float bias[2 * 32];
    for (int i = 0; i < 2 * 32; i += 7)
        bias[i] = i % 2 ? 60 : -80;
    begin("tiny-llama", 2, "avx2");
    for (int l = 0; l < engine->model.n_layer; l++)
        engine->model.layers[l].k_bias = bias;
}

/* How far its logits are from those of an exact cache: read by all rows, or by the index, which
 * finds all; from > 0: behind a text of which some 80 tokens were taken out there. */
static double biased_distance(enum kv_tier tier, bool by_index, int from)
{
    static float logits[2][FIXTURE_VOCAB];
    int32_t more[1600];
    struct err err = {0};
    for (int i = 0; i < 2; i++) {
        begin_biased();
        struct session *s = i ? open_far(64, tier)
                              : open_with(&(struct session_opts){ .n_ctx = 1600, .kv = KV_F32 });
        session_set_index(s, by_index);
        session_set_rows(s, N);
        model_read(s, ids, N - 1);
        int at = from;
        if (from > 0 && !session_drop(s, &at, from + 80, &err))
            fail_msg("%s", err.msg);
        int n = session_len(s);
        assert_true(n + 40 <= 1600);
        memcpy(more, session_ids(s), (size_t)n * sizeof *more);
        memcpy(more + n, ids, 40 * sizeof *more);
        model_read(s, more, n + 40);
        memcpy(logits[i], session_logits(s), sizeof logits[i]);
        close_all(s);
    }
    return distance(logits[1], logits[0], FIXTURE_VOCAB);
}

/* With the bias in them rows of 8 bits are 0.29 away, and the index is 1.4. */
void test_far_q8_bias(void **state)
{
    (void)state;
    double q8 = biased_distance(KV_TIER_Q8, false, 0);
    double rows = biased_distance(KV_TIER_FLASH, false, 0);
    double found = biased_distance(KV_TIER_FLASH, true, 0);
    double inside = biased_distance(KV_TIER_FLASH, true, 1075);
    double border = biased_distance(KV_TIER_FLASH, true, 112);
    if (q8 > 0.08 || rows > 0.08 || found > 0.08 || inside > 0.08 || border > 0.08)
        fail_msg("%g %g %g %g %g", q8, rows, found, inside, border);
}

/* Keys before, in and behind the block that two became are what they are in an exact cache, each
 * without the bias of its own place. */
void test_far_drop_keys(void **state)
{
    (void)state;
    static float keys[ROWS], values[ROWS];
    struct err err = {0};
    begin_biased();
    struct session *exact = open_with(&(struct session_opts){ .n_ctx = 1600, .kv = KV_F32 });
    struct session *s = open_far(64, KV_TIER_FLASH);
    model_read(exact, ids, N);
    model_read(s, ids, N);
    assert_true(session_drop(exact, &(int){1000}, 1100, &err));
    assert_true(session_drop(s, &(int){1000}, 1100, &err));
    const struct kv *a = kv_of(exact->cache), *b = kv_of(s->cache);
    for (int block = 0; block + 1 < b->n_blocks; block++)
        for (int l = 0; l < b->shape.n_layer; l++) {
            kv_decode(b, &engine->kernels, l, block, 1, KV_BLOCK, keys, values);
            int n = KV_BLOCK * b->shape.head_dim;
            double far = distance(keys, kv_keys(a, l, block, 1), n);
            if (far > 0.01)
                fail_msg("layer %d, block %d: %g", l, block, far);
        }
    session_free(&exact);
    close_all(s);
}

/* The index has no bias of the keys in its codes either: the same few rows are found with it as
 * without, 0.06 away from all rows. Scores without what a bias is worth find others: 0.66. */
void test_far_index_bias(void **state)
{
    (void)state;
    static float exact[FIXTURE_VOCAB];
    float bias[2 * 32] = {0};
    for (int i = 0; i < 2 * 32; i += 5)
        bias[i] = i % 2 ? 3 : -4;
    begin("tiny-llama", 2, NULL);
    for (int l = 0; l < engine->model.n_layer; l++)
        engine->model.layers[l].k_bias = bias;
    struct session *s = open_far(64, KV_TIER_FLASH);
    session_set_rows(s, 256);
    model_read(s, ids, N - 1);
    session_set_index(s, false);
    model_read(s, ids, N);
    memcpy(exact, session_logits(s), sizeof exact);
    session_cut(s, N - 1);
    session_set_index(s, true);
    model_read(s, ids, N);
    assert_true(far_of(s).by_index);
    assert_true(distance(session_logits(s), exact, FIXTURE_VOCAB) < 0.2);
    close_all(s);
}

/* ---- changing ------------------------------------------------------------------------------ */

static void change(struct session *s, enum kv_tier tier)
{
    struct err err;
    struct far_opts far = { tier, test_folder() };
    if (!session_set_far(s, &far, &err))
        fail_msg("%s", err.msg);
}

/* Another tier and another way of reading, at any moment: no token is read again, and what is said
 * stays near to what the exact rows say. */
void test_far_change(void **state)
{
    (void)state;
    static const enum kv_tier tiers[] = { KV_TIER_FLASH, KV_TIER_Q8, KV_TIER_FLASH, KV_TIER_Q4,
                                          KV_TIER_EXACT, KV_TIER_Q4, KV_TIER_FLASH };
    struct session_stats st;
    static float exact[FIXTURE_VOCAB], index[FIXTURE_VOCAB];
    begin("tiny-llama-q4_1", 2, NULL);
    struct session *s = open_far(64, KV_TIER_EXACT);
    model_read(s, ids, N);
    memcpy(exact, session_logits(s), sizeof exact);
    model_read(s, ids, N - 1);
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++) {
        session_cut(s, N - 1);
        change(s, tiers[i]);
        assert_int_equal(far_of(s).tier, tiers[i]);
        session_set_index(s, true);
        model_read(s, ids, N);
            assert_true(distance(session_logits(s), exact, FIXTURE_VOCAB) <
                    (tiers[i] == KV_TIER_Q8 ? 0.05 : 0.4));
        memcpy(index, session_logits(s), sizeof index);
        session_set_index(s, false);
        session_cut(s, N - 1);
        model_read(s, ids, N);
        assert_int_equal(memcmp(index, session_logits(s), sizeof index) != 0,
                         tiers[i] == KV_TIER_FLASH);
    }
    session_stats(s, &st);
    /* The cut to N - 1 and one token for each reading; a last block of 4 bits once. */
    assert_in_range(st.n_re_read, 14, 14 + 2 * CODEC_BLOCK);
    close_all(s);
}

/* Exact rows that were given up are not read any more. */
void test_far_poison(void **state)
{
    (void)state;
    struct err err;
    begin("tiny-llama-q4_1", 2, NULL);
    for (enum kv_tier tier = KV_TIER_Q8; tier <= KV_TIER_FLASH; tier++) {
        struct session *s = open_far(64, KV_TIER_EXACT), *t, *u;
        model_read(s, ids, N);
        assert_true(session_fork(s, &t, &err) && session_fork(s, &u, &err));
        change(t, tier);
        change(u, tier);
        uint64_t clean = run(t, N);
        struct kv *kv = kv_of(s->cache);
        for (int i = 0; i < kv->n_blocks; i++)
            memset(kv->blocks[i].data, 0xff, kv->block_bytes[KV_ROWS]);
        assert_true(run(u, N) == clean);
        session_free(&t);
        session_free(&u);
        session_free(&s);
    }
    engine_close(&engine);
}

/* ---- counting ------------------------------------------------------------------------------ */

/* True if the file of rows has a name in the folder. */
static bool has_spool(const char *folder)
{
    DIR *d = opendir(folder);
    bool has = false;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        has = has || strncmp(e->d_name, "duet-", 5) == 0;
    closedir(d);
    return has;
}

/* tiny-llama: 2 layers, 2 key heads of 32 values. A row of 8 bits has 32 + 2 bytes, an index
 * 8 * 32 + 32 + 2 * 34 + 1, rounded up to 360. Positions 0 to 1299 are 20 full blocks and one that
 * has begun; a token at 1299 sees 19 by their index, the 84 from 1216 on and 8 sinks as rows. */
void test_far_bytes(void **state)
{
    (void)state;
    enum { HEADS = 4, PAIR = 2 * 34, BLOCK = HEADS * 64 * PAIR, INDEX = 360 };
    begin("tiny-llama-q4_1", 2, NULL);
    struct session *s = open_far(64, KV_TIER_FLASH);
    session_set_rows(s, SESSION_ROWS);
    model_read(s, ids, N - 1);
    model_read(s, ids, N);
    struct far_stats far = far_of(s);
    uint64_t block = sizeof(struct kv_block);
    assert_int_equal(far.f16_bytes, N * HEADS * 2 * 32 * 2);
    assert_int_equal(far.memory_bytes, 20 * (HEADS * INDEX + block) + BLOCK + block);
    assert_int_equal(far.disk_bytes, 20 * BLOCK);
    assert_true(session_resident(s) <= far.disk_bytes);
    assert_false(has_spool(test_folder()));
    assert_true(far.by_index);
    assert_int_equal((int)far.chosen, 8 + 84 + SESSION_ROWS);
    assert_true(far.mass > 0.4 && far.mass < 1);
    assert_true(far.values > 0.9 * far.chosen && far.values <= far.chosen);
    assert_int_equal(far.read_bytes, HEADS * (19 * INDEX + (8 + 84 + SESSION_ROWS) * PAIR / 2) +
                                         (uint64_t)(HEADS * far.values + 0.5) * PAIR / 2);
    session_set_rows(s, 64);
    session_cut(s, N - 1);
    model_read(s, ids, N);
    far = far_of(s);
    assert_int_equal((int)far.chosen, 8 + 84 + 64);
    assert_true(far.mass > 0.1 && far.mass < 0.7);
    /* Among 64, what attention this even gives a row is little. */
    assert_true(far.values > 8 + 84 && far.values < far.chosen);
    assert_int_equal(far.read_bytes, HEADS * (19 * INDEX + (8 + 84 + 64) * PAIR / 2) +
                                         (uint64_t)(HEADS * far.values + 0.5) * PAIR / 2);
    session_set_rows(s, 0);
    session_set_index(s, false);
    session_cut(s, N - 1);
    model_read(s, ids, N);
    far = far_of(s);
    assert_false(far.by_index);
    assert_int_equal(far.read_bytes, HEADS * N * PAIR);
    assert_int_equal(session_resident(s), 20 * BLOCK);   /* these bytes were read just now */
    change(s, KV_TIER_Q8);
    far = far_of(s);
    assert_int_equal(far.disk_bytes, 0);
    assert_int_equal(session_resident(s), 0);
    assert_int_equal(far.memory_bytes, 21 * (BLOCK + block));
    close_all(s);
}

/* The other tiers. Of q4 a head has 64 pairs of rows of 16 + 2 bytes and two means of 32 + 2; the
 * first block, the last full one and the one that has begun stay in 8 bits. */
void test_far_bytes_in_memory(void **state)
{
    (void)state;
    enum { HEADS = 4, F16 = HEADS * 64 * 2 * 32 * 2, Q8 = HEADS * 64 * 2 * 34,
           Q4 = HEADS * (64 * 2 * 18 + 2 * 34), N_BLOCKS = N / 64 + 1 };
    static const struct { enum kv_tier tier; uint64_t memory, read; } held[] = {
        { KV_TIER_EXACT, N_BLOCKS * F16, (uint64_t)F16 / 64 * N },
        { KV_TIER_Q8, N_BLOCKS * Q8, (uint64_t)Q8 / 64 * N },
        { KV_TIER_Q4, 18 * Q4 + 3 * Q8, 18 * Q4 + 2 * Q8 + Q8 / 64 * (N - 20 * 64) },
    };
    begin("tiny-llama-q4_1", 2, NULL);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        struct session *s = open_far(64, held[i].tier);
        model_read(s, ids, N);
        struct far_stats far = far_of(s);
        assert_int_equal(far.f16_bytes, N * F16 / 64);
        assert_int_equal(far.memory_bytes, held[i].memory + N_BLOCKS * sizeof(struct kv_block));
        assert_int_equal(far.read_bytes, held[i].read);
        assert_int_equal(far.disk_bytes, 0);
        assert_false(far.by_index);
        session_free(&s);
    }
    engine_close(&engine);
}

/* Where no number of rows is asked for, all that is read comes to just under 8 % of f16, though of
 * more values than is expected. */
static void check_share(struct session *s, const int32_t *many, int n)
{
    session_set_rows(s, 0);
    session_cut(s, n - 1);
    model_read(s, many, n);
    struct far_stats far = far_of(s);
    double share = (double)far.read_bytes / (double)far.f16_bytes;
    assert_true(share > 0.077 && share < 0.08);
}

/* Of a context that is longer than that for which the number of rows was chosen, as many times more
 * are. */
void test_far_long(void **state)
{
    (void)state;
    enum { LONG = SESSION_ROWS_AT + 3 * 64 + 1, FAR = LONG / 64 * 64 - 64 };
    begin("tiny-llama-q4_1", 2, NULL);
    engine->model.n_ctx_train = LONG + 1;       /* what it says past 2,048 is no matter here */
    struct session_opts opts = { .n_ctx = LONG + 1, .far = { KV_TIER_FLASH, test_folder() } };
    struct session *s;
    struct err err;
    int32_t *many = malloc(LONG * sizeof *many);
    if (!session_new(&s, engine, &opts, &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < LONG; i++)
        many[i] = i * 31 % 500;
    session_set_rows(s, 1024);
    model_read(s, many, LONG - 1);
    session_set_index(s, true);
    model_read(s, many, LONG);
    assert_int_equal((int)far_of(s).chosen, 8 + LONG - FAR + 1024 * FAR / SESSION_ROWS_AT);
    assert_true(1024 * FAR / SESSION_ROWS_AT > 1024);
    check_share(s, many, LONG);
    free(many);
    close_all(s);
}

/* However many rows there may be, no more are read than what is worth something: what is left has
 * nearly none of the attention that is not the first tokens'. */
void test_far_mass_left(void **state)
{
    (void)state;
    enum { FAR = 19 * CODEC_BLOCK - KV_SINKS };
    begin("tiny-llama-q4_1", 2, NULL);
    struct session *s = open_far(64, KV_TIER_FLASH);
    session_set_rows(s, SESSION_ROWS_MAX);
    model_read(s, ids, N - 1);
    model_read(s, ids, N);
    struct far_stats far = far_of(s);
    assert_true(far.by_index);
    assert_true(far.chosen < 8 + 84 + FAR - 1);
    assert_true(far.mass > 0.9997 && far.mass < 0.99999);
    close_all(s);
}

/* Where no file can be written, the context is held in 4 bits, and that is told. */
void test_far_no_file(void **state)
{
    (void)state;
    struct session *s;
    struct err err;
    struct session_opts opts = { .n_ctx = 1600, .chunk = 64,
                                 .far = { KV_TIER_FLASH, "/proc/none" } };
    begin("tiny-llama-q4_1", 2, NULL);
    assert_true(session_new(&s, engine, &opts, &err));
    assert_int_equal(far_of(s).tier, KV_TIER_FLASH);
    model_read(s, ids, N);
    struct far_stats far = far_of(s);
    assert_int_equal(far.tier, KV_TIER_Q4);
    assert_non_null(strstr(far.why, "/proc/none"));
    assert_int_equal(far.disk_bytes, 0);
    assert_true(far.memory_bytes < far.f16_bytes * 2 / 5);
    struct session *q4 = open_far(64, KV_TIER_Q4);
    assert_true(run(s, N) == run(q4, N));
    session_free(&q4);
    close_all(s);
}

/* ---- reading again exactly ----------------------------------------------------------------- */

static void read_exact(struct session *s, int from, int to)
{
    struct err err;
    while (from < to) {
        int at = session_read_exact(s, from, to, &err);
        if (at < 0)
            fail_msg("%s", err.msg);
        assert_true(at > from);
        from = at;
    }
}

/* Read again from the beginning it is what an exact cache is, to the bit, in every tier; and it
 * stays that through a fork, a file, another tier. */
static void check_exact(enum kv_tier tier)
{
    struct session_stats st;
    struct err err;
    char path[300];
    bool exact;
    begin("tiny-llama-q4_1", 2, NULL);
    struct session *s = open_far(29, KV_TIER_EXACT), *fork, *loaded = open_far(64, tier);
    model_read(s, ids, N);
    uint64_t want = session_logits_hash(s);
    session_free(&s);
    s = open_far(29, tier);
    model_read(s, ids, N);
    assert_true(session_logits_hash(s) != want);
    read_exact(s, 0, N);
    session_stats(s, &st);
    assert_int_equal(st.n_re_read, N);
    assert_int_equal(session_exact(s, 0, &exact), N);
    assert_true(exact);
    session_set_index(s, false);
    snprintf(path, sizeof path, "%s/kv", test_folder());
    if (!session_save(s, path, &err) || !session_load(loaded, path, &err) ||
        !session_fork(s, &fork, &err))
        fail_msg("%s", err.msg);
    change(fork, tier == KV_TIER_Q4 ? KV_TIER_FLASH : KV_TIER_Q4);
    struct session *all[] = {s, fork, loaded};
    for (int i = 0; i < 3; i++) {
        session_set_index(all[i], false);
        session_cut(all[i], N - 1);
        model_read(all[i], ids, N);
        assert_true(session_logits_hash(all[i]) == want);
    }
    session_free(&fork);
    session_free(&loaded);
    close_all(s);
}

void test_far_exact(void **state)
{
    (void)state;
    check_exact(KV_TIER_Q8);
    check_exact(KV_TIER_Q4);
    check_exact(KV_TIER_FLASH);
}

/* A stretch in the middle: whole blocks of it and nothing else, nearer to the exact answer; what is
 * exact costs nothing more, what is stopped changes nothing, and by the index it is read too. */
void test_far_exact_stretch(void **state)
{
    (void)state;
    struct session_stats st;
    struct err err;
    bool exact;
    begin("tiny-llama-q4_1", 2, NULL);
    struct session *s = open_far(64, KV_TIER_FLASH);
    model_read(s, ids, N);
    uint64_t memory = far_of(s).memory_bytes;
    session_cancel(s, true);
    assert_int_equal(session_read_exact(s, 130, 300, &err), 128);
    assert_true(far_of(s).memory_bytes == memory);
    read_exact(s, 130, 300);
    assert_int_equal(session_exact(s, 0, &exact), 128);
    assert_false(exact);
    assert_int_equal(session_exact(s, 128, &exact), 320);
    assert_true(exact);
    assert_int_equal(session_exact(s, 320, &exact), N);
    assert_false(exact);
    session_stats(s, &st);
    assert_int_equal(st.n_re_read, 3 * CODEC_BLOCK);
    read_exact(s, 128, 320);
    session_stats(s, &st);
    assert_int_equal(st.n_re_read, 3 * CODEC_BLOCK);
    model_greedy(s);
    model_greedy(s);
    assert_true(far_of(s).by_index);
    assert_true(far_of(s).memory_bytes > memory);
    session_cut(s, 200);
    model_read(s, ids, N);
    assert_int_equal(session_exact(s, 128, &exact), 256);
    change(s, KV_TIER_EXACT);
    assert_int_equal(session_exact(s, 0, &exact), N);
    assert_true(exact);
    change(s, KV_TIER_Q8);
    assert_int_equal(session_exact(s, 0, &exact), N);
    assert_false(exact);
    close_all(s);
}

/* Another kind of cache says that it cannot. */
void test_far_exact_refused(void **state)
{
    (void)state;
    struct err err;
    begin("tiny-deepseek4", 1, NULL);
    struct session *s;
    struct session_opts opts = { .n_ctx = 100 };
    if (!session_new(&s, engine, &opts, &err))
        fail_msg("%s", err.msg);
    model_read(s, ids, 20);
    assert_int_equal(session_read_exact(s, 0, 20, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    close_all(s);
}
