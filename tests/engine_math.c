/* engine_math.c -- what the arithmetic stands on: memory, threads, the set of prefixes, the cache's
 * blocks, products of matrices. What could break: work done twice or not at all, a count of
 * bytes, a block freed or written that is not ours. */
#include <math.h>
#include <stdatomic.h>

#include "engine/cpu.h"
#include "engine/experts.h"
#include "engine/kv.h"
#include "engine/matmul.h"
#include "engine/mem.h"
#include "engine/pool.h"
#include "engine/seen.h"
#include "tests/engine_vocab.h"

/* ---- memory -------------------------------------------------------------------------------- */

void test_mem_blocks(void **state)
{
    (void)state;
    uint64_t count = mem_count(), bytes = mem_bytes();
    unsigned char *p = mem_alloc(100), *q = mem_alloc_n(3, 7);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_int_equal((uintptr_t)q % 64, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    assert_int_equal(mem_count(), count + 2);
    assert_int_equal(mem_bytes(), bytes + 121);
    mem_free(p);
    mem_free(q);
    mem_free(NULL);
    assert_int_equal(mem_bytes(), bytes);
    assert_null(mem_alloc(0));
    assert_null(mem_alloc(SIZE_MAX - 10));
    assert_null(mem_alloc_n(SIZE_MAX / 4, 8));
    assert_null(mem_alloc_n(0, 8));
}

void test_mem_fails_on_demand(void **state)
{
    (void)state;
    mem_fail_after(1);
    void *p = mem_alloc(8), *q = mem_alloc(8), *r = mem_alloc(8);
    assert_non_null(p);
    assert_null(q);
    assert_non_null(r);
    mem_fail_after(-1);
    mem_free(p);
    mem_free(r);
}

void test_mem_arena(void **state)
{
    (void)state;
    uint64_t bytes = mem_bytes();
    struct arena a = {0};
    char *p[50];
    for (int i = 0; i < 50; i++) {
        size_t n = i == 20 ? 1000000 : 20000;
        p[i] = arena_alloc(&a, n, 1);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 64, 0);
        assert_int_equal(p[i][n - 1], 0);
        memset(p[i], i + 1, n);
    }
    for (int i = 0; i < 50; i++)
        assert_true(p[i][0] == i + 1 && p[i][19999] == i + 1);
    assert_null(arena_alloc(&a, SIZE_MAX / 2, 8));
    arena_release(&a);
    assert_int_equal(mem_bytes(), bytes);
}

/* ---- threads ------------------------------------------------------------------------------- */

#define ITEMS 300

struct tally {
    atomic_int done[ITEMS];
    atomic_int wrong_thread;
    int n_threads;
};

static void tick(void *data, int item, int thread)
{
    struct tally *t = data;
    atomic_fetch_add(&t->done[item], 1);
    if (thread < 0 || thread >= t->n_threads)
        atomic_fetch_add(&t->wrong_thread, 1);
}

/* Each item exactly once, over many jobs of all sizes. */
void test_pool_each_item_once(void **state)
{
    (void)state;
    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        struct pool *p;
        struct err err;
        assert_true(pool_new(&p, n_threads, &err));
        assert_int_equal(pool_n_threads(p), n_threads);
        pool_lock(p);
        for (int job = 0; job < 600; job++) {
            struct tally t = { .n_threads = n_threads };
            int n = job % (job % 10 ? 4 : ITEMS);
            pool_run(p, tick, &t, n);
            for (int i = 0; i < ITEMS; i++)
                assert_int_equal(atomic_load(&t.done[i]), i < n);
            assert_int_equal(atomic_load(&t.wrong_thread), 0);
        }
        pool_unlock(p);
        pool_free(&p);
        assert_null(p);
    }
}

/* ---- prefixes ------------------------------------------------------------------------------ */

void test_seen_set(void **state)
{
    (void)state;
    struct seen s = {0};
    assert_false(seen_has(&s, seen_hash(0, 1)));
    uint64_t hash = 0;
    for (int32_t i = 0; i < 5000; i++)
        seen_add(&s, hash = seen_hash(hash, i % 10));
    assert_int_equal(s.n, 5000);
    hash = 0;
    for (int32_t i = 0; i < 5000; i++) {
        assert_false(seen_has(&s, seen_hash(hash, i % 10 + 1)));
        assert_true(seen_has(&s, hash = seen_hash(hash, i % 10)));
    }
    seen_add(&s, hash);
    assert_int_equal(s.n, 5000);
    seen_release(&s);
    mem_fail_after(0);
    seen_add(&s, hash);                         /* left out, no fault */
    mem_fail_after(-1);
    assert_false(seen_has(&s, hash));
    seen_release(&s);
}

/* ---- blocks -------------------------------------------------------------------------------- */

static const struct kv_shape shape = { 2, 3, 8, KV_F16 };

void test_kv_blocks(void **state)
{
    (void)state;
    struct kv kv;
    struct err err;
    uint64_t bytes = mem_bytes();
    assert_true(kv_init(&kv, NULL, &shape, 130, &err));
    assert_int_equal(kv.block_bytes[KV_ROWS], 2 * 2 * 3 * 64 * 8 * 2);
    assert_int_equal(kv.n_blocks_max, 3);
    assert_true(kv_reserve(&kv, 0, 64, &err));
    assert_int_equal(kv.n_blocks, 1);
    assert_true(kv_reserve(&kv, 64, 65, &err));
    assert_true(kv_reserve(&kv, 65, 130, &err));
    assert_int_equal(kv.n_blocks, 3);
    char *keys = kv_keys(&kv, 1, 2, 2), *values = kv_values(&kv, 1, 2, 2);
    assert_int_equal(values - keys, 3 * 64 * 8 * 2);
    assert_int_equal(values + 64 * 8 * 2 - (char *)kv.blocks[2].data, kv.block_bytes[KV_ROWS]);
    kv_cut(&kv, 128);
    assert_int_equal(kv.n_blocks, 2);
    kv_cut(&kv, 65);
    assert_int_equal(kv.n_blocks, 2);
    kv_cut(&kv, 64);
    assert_int_equal(kv.n_blocks, 1);
    mem_fail_after(0);
    assert_false(kv_reserve(&kv, 64, 65, &err));
    assert_int_equal(err.code, ERR_NOMEM);
    assert_int_equal(kv.n_blocks, 1);
    kv_release(&kv);
    assert_int_equal(mem_bytes(), bytes);
}

/* A mapped block is read where it lies and copied before it is written. */
void test_kv_mapped(void **state)
{
    (void)state;
    static unsigned char file[2][2 * 2 * 3 * 64 * 8 * 2];
    struct kv kv;
    struct err err;
    file[1][0] = 7;
    assert_true(kv_init(&kv, NULL, &shape, 256, &err));
    kv_append_mapped(&kv, KV_ROWS, file[0]);
    kv_append_mapped(&kv, KV_ROWS, file[1]);
    assert_ptr_equal(kv_keys(&kv, 0, 1, 0), file[1]);
    assert_true(kv_reserve(&kv, 128, 129, &err));
    assert_int_equal(kv.blocks[1].owner, KV_MAPPED);
    kv_cut(&kv, 100);
    assert_true(kv_reserve(&kv, 100, 101, &err));
    assert_int_equal(kv.blocks[0].owner, KV_MAPPED);
    assert_int_equal(kv.blocks[1].owner, KV_HEAP);
    assert_int_equal(kv.blocks[1].data[0], 7);
    kv_release(&kv);
}

void test_kv_wipe_tail(void **state)
{
    (void)state;
    struct kv kv;
    struct err err;
    assert_true(kv_init(&kv, NULL, &shape, 64, &err));
    assert_true(kv_reserve(&kv, 0, 64, &err));
    memset(kv.blocks[0].data, 1, kv.block_bytes[KV_ROWS]);
    kv_wipe_tail(&kv, 64);
    for (int n = 64; n > 60; n--) {
        kv_wipe_tail(&kv, n);
        const uint16_t *rows = kv_values(&kv, 1, 0, 2);
        for (int i = 0; i < 64 * 8; i++)
            assert_int_equal(rows[i], i < n * 8 ? 0x0101 : 0);
    }
    kv_release(&kv);
}

/* ---- products ------------------------------------------------------------------------------ */

#define ROWS 70
#define COLS 256

/* How far a product may be off, relative to the sum of the weights' sizes where no activation is
 * above 1: 8-bit activations are off by up to 1/254, those of fine tokens by 1/254 of that, floats
 * by their sums' rounding. */
static double product_limit(const struct kernels *k, enum weight type, bool fine)
{
    if (weight_info(type)->act != ACT_Q8 || k->exact)
        return 1e-6;
    return fine ? 2e-5 : 4e-3;
}

/* Small floats in every format: few high bits, and scales of their own kind for MXFP4. */
static void fill_weights(enum weight type, uint8_t *data, size_t n, uint64_t *random)
{
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)(test_random(random) & (i % 2 ? 0x3d : 0xff));
    for (size_t i = 0; type == WEIGHT_MXFP4 && i < n; i += 17)
        data[i] = 120;
}

static void check_products(struct pool *pool, const struct kernels *k, enum weight type, int n)
{
    static float x[20 * COLS], y[2][20 * ROWS], row[COLS];
    static uint8_t data[ROWS * COLS * 4];
    struct matmul m;
    struct err err;
    uint64_t random = 9;
    size_t row_bytes = weight_row_bytes(type, COLS);
    fill_weights(type, data, sizeof data, &random);
    for (int i = 0; i < n * COLS; i++)
        x[i] = (float)(test_random(&random) % 2000) / 1000 - 1;
    struct matrix w = { type, data, ROWS, COLS, row_bytes, 1, NULL };
    struct matrix few = { type, data + 3 * row_bytes, 5, COLS, row_bytes, 1, NULL };
    assert_true(matmul_init(&m, k, pool, 20, COLS, &err));
    m.fine = (const int[]){ 0, 3, 6, 9, 12, 15, 18 };
    m.n_fine = (n + 2) / 3;
    matmul_run(&m, x, n, (struct product[]){ { &w, y[0] }, { &few, y[1] } }, 2);
    for (int r = 0; r < ROWS; r++) {
        matrix_row(&w, r, row);
        for (int t = 0; t < n; t++) {
            double sum = 0, all = 0;
            for (int c = 0; c < COLS; c++) {
                sum += (double)row[c] * (double)x[t * COLS + c];
                all += fabs((double)row[c]);
            }
            double bound = all * product_limit(k, type, t % 3 == 0);
            if (!(fabs((double)y[0][t * ROWS + r] - sum) <= bound))
                fail_msg("%s: row %d, token %d of %d: %g, expected %g", weight_info(type)->name,
                         r, t, n, (double)y[0][t * ROWS + r], sum);
            if (r >= 3 && r < 8)
                assert_true(fabs((double)y[1][t * 5 + r - 3] - sum) <= bound);
        }
    }
    matmul_release(&m);
}

void test_matmul_products(void **state)
{
    (void)state;
    struct kernels k;
    struct err err;
    kernels_init(&k, cpu_flags());
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        struct pool *pool;
        assert_true(pool_new(&pool, n_threads, &err));
        for (int w = 0; w < 2 * WEIGHT_N; w++) {
            k.exact = w >= WEIGHT_N;
            for (int n = 1; n <= 20; n += n < 10 ? 3 : 10)
                check_products(pool, &k, (enum weight)(w % WEIGHT_N), n);
        }
        pool_free(&pool);
    }
}

/* ---- peaks ---------------------------------------------------------------------------------- */

#define PEAK_TOKENS 20
#define PEAK        300.0f
#define PEAK_TILES  ((ROWS + PEAKS_ROWS - 1) / PEAKS_ROWS)

struct peak_case {
    enum weight type;
    uint8_t data[ROWS * COLS * 2];
    float x[PEAK_TOKENS * COLS];
    struct peak_tile tiles[PEAK_TILES];
};

/* Rows of values below 1, and in each one, two or three, in more columns than are kept. */
static void make_peaks(struct peak_case *c)
{
    uint64_t random = 5;
    fill_weights(c->type, c->data, sizeof c->data, &random);
    memset(c->tiles, 0, sizeof c->tiles);
    for (int i = 0; i < PEAK_TOKENS * COLS; i++)
        c->x[i] = (float)(test_random(&random) % 2000) / 1000 - 1;
    for (int t = 0; t < PEAK_TOKENS; t++)
        for (int i = 0; i <= t % 3; i++)
            c->x[t * COLS + (t * 37 + i * 50) % COLS] = i % 2 ? -PEAK : PEAK;
}

/* A result is off by no more than the values below 1 alone would make it. */
static void check_near(const struct peak_case *c, const struct matrix *w, const float *y)
{
    float row[COLS];
    for (int r = 0; r < ROWS; r++) {
        matrix_row(w, r, row);
        for (int t = 0; t < PEAK_TOKENS; t++) {
            double sum = 0, all = 0;
            for (int i = 0; i < COLS; i++) {
                double x = (double)c->x[t * COLS + i];
                sum += (double)row[i] * x;
                all += fabs((double)row[i]) * (fabs(x) > 1 ? 1e-6 * fabs(x) : 4e-3);
            }
            if (!(fabs((double)y[t * ROWS + r] - sum) <= all))
                fail_msg("%s: row %d, token %d: %g, expected %g", weight_info(c->type)->name, r, t,
                         (double)y[t * ROWS + r], sum);
        }
    }
}

static void check_peaks(struct pool *pool, const struct kernels *k, struct peak_case *c)
{
    static float y[PEAK_TOKENS * ROWS], alone[ROWS];
    struct matmul m;
    struct err err;
    struct matrix w = { c->type, c->data, ROWS, COLS, weight_row_bytes(c->type, COLS), 1,
                        c->tiles };
    make_peaks(c);
    assert_true(matmul_init(&m, k, pool, PEAK_TOKENS, COLS, &err));
    matmul_run(&m, c->x, PEAK_TOKENS, &(struct product){ &w, y }, 1);
    check_near(c, &w, y);
    for (int t = PEAK_TOKENS - 1; t >= 0; t--) {  /* the kept columns are others by now */
        matmul_run(&m, c->x + t * COLS, 1, &(struct product){ &w, alone }, 1);
        assert_memory_equal(alone, y + t * ROWS, sizeof alone);
    }
    matmul_release(&m);
}

/* Activations far above the others do not make these coarse; what is done about them depends on
 * their row alone. */
void test_matmul_peaks(void **state)
{
    (void)state;
    static struct peak_case c;
    static const char *const sets[] = { "c", NULL };
    for (int i = 0; i < 2; i++) {
        struct kernels k;
        struct pool *pool;
        struct err err;
        unsigned mask;
        assert_int_equal(kernels_mask(sets[i], &mask), 1);
        kernels_init(&k, cpu_flags() & mask);
        assert_true(pool_new(&pool, 1 + i, &err));
        for (int w = WEIGHT_Q8_0; w < WEIGHT_N; w++) {
            c.type = (enum weight)w;
            check_peaks(pool, &k, &c);
        }
        pool_free(&pool);
    }
}

/* A row of equal values, of zeros, or of what is no number has no peaks or some, and no fault. */
void test_matmul_peaks_odd(void **state)
{
    (void)state;
    static const float values[] = { 0, 1, NAN, INFINITY, -INFINITY };
    for (int i = 0; i < 5; i++)
        for (int far = 0; far < 5; far++) {
            float x[64], scale[2];
            struct peaks p;
            for (int j = 0; j < 64; j++)
                x[j] = values[i];
            x[40] = values[far];
            for (int b = 0; b < 2; b++)
                scale[b] = b ? fmaxf(fabsf(x[32]), fabsf(x[40])) / 127 : fabsf(x[0]) / 127;
            peaks_take(x, 64, scale, &p);
            assert_in_range(p.n, 0, PEAKS_MAX);
            for (int k = 0; k < p.n; k++)
                assert_true(p.col[k] >= 0 && p.col[k] < 64 && x[p.col[k]] == 0);
            if (values[i] == 0 && values[far] == 1)
                assert_true(p.n == 1 && p.col[0] == 40 && p.value[0] == 1);
            else if (i < 2 && far < 2)
                assert_int_equal(p.n, 0);
        }
}

/* ---- experts ------------------------------------------------------------------------------- */

#define STACK 5
#define EXPERT_ROWS 40

/* Rows that go through matrices of a stack are what each gives alone, whatever else is there. */
static void check_groups(struct pool *pool, const struct kernels *k, enum weight type)
{
    static float x[6 * COLS], y[6 * EXPERT_ROWS], alone[EXPERT_ROWS];
    static uint8_t data[STACK * EXPERT_ROWS * COLS * 4];
    static const int matrix[] = { 0, 3, 4 }, first[] = { 0, 1, 4, 6 };
    static const int x_row[] = { 5, 0, 2, 5, 1, 0 };
    struct matmul m;
    struct err err;
    uint64_t random = 4;
    fill_weights(type, data, sizeof data, &random);
    for (int i = 0; i < 6 * COLS; i++)
        x[i] = (float)(test_random(&random) % 2000) / 1000 - 1;
    struct matrix w = { type, data, EXPERT_ROWS, COLS, weight_row_bytes(type, COLS), STACK, NULL };
    assert_true(matmul_init(&m, k, pool, 6, COLS, &err));
    for (int own = 0; own < 2; own++) {
        struct groups g = { 3, matrix, first, own ? NULL : x_row };
        matmul_groups(&m, x, &g, &(struct product){ &w, y }, 1);
        for (int i = 0; i < 6; i++) {
            struct matrix one = matrix_of_stack(&w, i < 1 ? 0 : i < 4 ? 3 : 4);
            matmul_run(&m, x + (own ? i : x_row[i]) * COLS, 1, &(struct product){ &one, alone }, 1);
            assert_memory_equal(alone, y + i * EXPERT_ROWS, sizeof alone);
        }
    }
    matmul_release(&m);
}

void test_matmul_groups(void **state)
{
    (void)state;
    struct kernels k;
    struct pool *pool;
    struct err err;
    kernels_init(&k, cpu_flags());
    assert_true(pool_new(&pool, 2, &err));
    for (int w = 0; w < 2 * WEIGHT_N; w++) {
        k.exact = w >= WEIGHT_N;
        check_groups(pool, &k, (enum weight)(w % WEIGHT_N));
    }
    pool_free(&pool);
}

/* Three tokens, five experts, two of them each: choice, shares, order of visits, sum. */
void test_experts_choice(void **state)
{
    (void)state;
    static const float score[3][5] = {
        { 0, 2, 1, 2, -1 }, { 7, 1, 1, 1, 1 }, { 0, 0, 0, 0, 3 },
    };
    static const int choice[] = { 1, 3, 0, 1, 4, 0 };
    struct experts e;
    struct err err;
    assert_true(experts_init(&e, 5, 2, 3, &err));
    for (int t = 0; t < 3; t++)
        experts_choose(&e, t, score[t]);
    assert_memory_equal(e.choice, choice, sizeof choice);
    assert_true(e.weight[0] == 0.5f && e.weight[1] == 0.5f);
    assert_true(fabs((double)e.weight[2] - 1 / (1 + exp(-6))) < 1e-6);
    assert_true(fabs((double)e.weight[2] + (double)e.weight[3] - 1) < 1e-6);

    experts_group(&e, 3);
    static const int matrix[] = { 0, 1, 3, 4 }, first[] = { 0, 2, 4, 5, 6 };
    static const int token[] = { 1, 2, 0, 1, 0, 2 }, visit[] = { 2, 4, 0, 3, 5, 1 };
    assert_int_equal(e.in.n, 4);
    assert_memory_equal(e.in.matrix, matrix, sizeof matrix);
    assert_memory_equal(e.in.first, first, sizeof first);
    assert_memory_equal(e.in.x_row, token, sizeof token);
    assert_null(e.out.x_row);
    assert_memory_equal(e.visit, visit, sizeof visit);

    static const float rows[] = { 0, 0, 0, 0, 1, 10, 0, 0, 3, 30, 0, 0 };
    float sum[2];
    experts_sum(&e, 0, rows, 2, sum);
    assert_true(sum[0] == 2 && sum[1] == 20);
    experts_release(&e);
}
