/* engine_attention.c -- attention over the cache. What could break: a row seen too many or too few
 * at a border of a block, a span or a window, a query that meets another head's keys, bits that
 * depend on how many tokens are in a call or on the number of threads, widths that are no multiple
 * of a panel. */
#include <math.h>

#include "engine/attention.h"
#include "engine/cpu.h"
#include "engine/mem.h"
#include "tests/engine_vocab.h"

static uint64_t random_state;

static float noise(float scale)
{
    return ((float)(test_random(&random_state) >> 40) * 0x1p-23f - 1) * scale;
}

/* A cache full of noise and queries for its last n tokens. */
struct bed {
    struct kernels kernels;
    struct pool *pool;
    struct attention attention;
    struct kv kv;
    int n;
    float *q, *out;
};

static size_t width(const struct bed *b)
{
    return (size_t)(b->attention.shape.n_head * b->attention.shape.head_dim);
}

static void bed_make(struct bed *b, struct attention_shape shape, enum kv_type type, int n)
{
    struct err err;
    size_t row = (size_t)(shape.n_kv_head * shape.head_dim), wide;
    struct kv_shape ks = { 2, shape.n_kv_head, shape.head_dim, type };
    *b = (struct bed){ .n = n };
    random_state = 11;
    kernels_init(&b->kernels, cpu_flags());
    assert_true(pool_new(&b->pool, 1, &err));
    assert_true(attention_init(&b->attention, &shape, &b->kernels, b->pool, &err));
    assert_true(kv_init(&b->kv, NULL, &ks, shape.n_ctx, &err));
    assert_true(kv_reserve(&b->kv, 0, shape.n_ctx, &err));
    float *key = mem_alloc_n(row, sizeof *key), *value = mem_alloc_n(row, sizeof *value);
    for (int pos = 0; pos < shape.n_ctx; pos++) {
        for (size_t i = 0; i < row; i++) {
            key[i] = noise(2);
            value[i] = noise(1);
        }
        attention_store(&b->kernels, &b->kv, 1, pos, key, value);
    }
    mem_free(key);
    mem_free(value);
    wide = width(b);
    b->q = mem_alloc_n((size_t)n * wide, sizeof(float));
    b->out = mem_alloc_n((size_t)n * wide, sizeof(float));
    for (size_t i = 0; i < (size_t)n * wide; i++)
        b->q[i] = noise(1);
}

static void bed_release(struct bed *b)
{
    attention_release(&b->attention);
    kv_release(&b->kv);
    pool_free(&b->pool);
    mem_free(b->q);
    mem_free(b->out);
}

/* Tokens [from, from + n) of the bed's. */
static void run(struct bed *b, int window, int from, int n, float *out)
{
    int pos = b->attention.shape.n_ctx - b->n + from;
    pool_lock(b->pool);
    attention_run(&b->attention, &(struct attention_call){
        .kv = &b->kv, .layer = 1, .window = window, .scale = 0.3f, .n = n, .pos = pos,
        .q = b->q + (size_t)from * width(b), .out = out }, 1);
    pool_unlock(b->pool);
}

static double element(const struct kv *kv, const void *rows, int i)
{
    return (double)(kv->shape.type == KV_F32 ? ((const float *)rows)[i]
                                             : f32_of_f16(((const uint16_t *)rows)[i]));
}

/* One head of one token, as the header says it; out [head_dim]. */
static void expected(const struct bed *b, int window, int token, int head, double *out)
{
    const struct attention_shape *s = &b->attention.shape;
    int kv_head = head / (s->n_head / s->n_kv_head), dim = s->head_dim;
    int pos = s->n_ctx - b->n + token, first = window && pos >= window ? pos - window + 1 : 0;
    const float *q = b->q + (size_t)token * width(b) + head * dim;
    double sum = 0;
    memset(out, 0, (size_t)dim * sizeof *out);
    for (int i = first; i <= pos; i++) {
        const void *k = kv_keys(&b->kv, 1, i / KV_BLOCK, kv_head);
        const void *v = kv_values(&b->kv, 1, i / KV_BLOCK, kv_head);
        double score = 0;
        for (int d = 0; d < dim; d++)
            score += (double)q[d] * element(&b->kv, k, i % KV_BLOCK * dim + d);
        double e = exp(score * 0.3);
        sum += e;
        for (int d = 0; d < dim; d++)
            out[d] += e * element(&b->kv, v, i % KV_BLOCK * dim + d);
    }
    for (int d = 0; d < dim; d++)
        out[d] /= sum;
}

static void check_right(struct bed *b, int window)
{
    const struct attention_shape *s = &b->attention.shape;
    double want[256];
    run(b, window, 0, b->n, b->out);
    for (int t = 0; t < b->n; t++)
        for (int h = 0; h < s->n_head; h++) {
            const float *got = b->out + (size_t)t * width(b) + h * s->head_dim;
            expected(b, window, t, h, want);
            for (int d = 0; d < s->head_dim; d++)
                if (!(fabs((double)got[d] - want[d]) <= 2e-5))
                    fail_msg("%d heads, %d with keys, width %d, window %d, token %d of %d, "
                             "head %d, %d: %.9g, expected %.9g", s->n_head, s->n_kv_head,
                             s->head_dim, window, t, b->n, h, d, (double)got[d], want[d]);
        }
}

static const struct attention_shape shapes[] = {
    { 3, 1, 64, 70 }, { 9, 3, 64, 1100 }, { 2, 2, 24, 600 }, { 8, 2, 80, 130 }, { 4, 1, 6, 513 },
    { 7, 1, 128, 64 },
};

#define N_SHAPES (int)(sizeof shapes / sizeof *shapes)

void test_attention_is_right(void **state)
{
    (void)state;
    static const int n[] = { 1, 5, 30 };
    for (int i = 0; i < 3 * N_SHAPES; i++) {
        struct bed b;
        bed_make(&b, shapes[i / 3], i % 2 ? KV_F16 : KV_F32, n[i % 3]);
        check_right(&b, 0);
        check_right(&b, 20);
        check_right(&b, 65);
        bed_release(&b);
    }
}

/* The same bits for a token alone, with some others, with many, and on three threads. */
void test_attention_is_the_same_in_any_call(void **state)
{
    (void)state;
    static const int at_once[] = { 1, 3, 8, 9, 25 };
    for (int i = 0; i < 2 * N_SHAPES; i++) {
        struct bed b;
        struct err err;
        int window = i % 2 ? 50 : 0, n = 40;
        bed_make(&b, shapes[i / 2], KV_F16, n);
        size_t bytes = (size_t)n * width(&b) * sizeof(float);
        float *again = mem_alloc(bytes);
        run(&b, window, 0, n, b.out);
        for (int j = 0; j < 5; j++) {
            if (j == 3) {
                pool_free(&b.pool);
                assert_true(pool_new(&b.pool, 3, &err));
                struct attention_shape s = b.attention.shape;
                attention_release(&b.attention);
                assert_true(attention_init(&b.attention, &s, &b.kernels, b.pool, &err));
            }
            memset(again, 0, bytes);
            for (int t = 0; t < n; t += at_once[j])
                run(&b, window, t, n - t < at_once[j] ? n - t : at_once[j],
                    again + (size_t)t * width(&b));
            assert_memory_equal(again, b.out, bytes);
        }
        mem_free(again);
        bed_release(&b);
    }
}

/* ---- panels -------------------------------------------------------------------------------- */

/* Packed rows of n and dim are what the contract says, and no byte behind them is touched. */
static void check_packed(pack_fn *pack, bool keys, bool f16, int n, size_t dim)
{
    size_t columns = keys ? (size_t)n : dim, depth = keys ? dim : (size_t)n;
    size_t n_floats = (columns + PANEL - 1) / PANEL * PANEL * depth;
    /* As large as they must be: the address sanitizer sees a row too many. */
    float *panels = malloc(n_floats * sizeof *panels);
    float *rows = malloc((size_t)n * dim * sizeof *rows);
    uint16_t *half = malloc((size_t)n * dim * sizeof *half);
    assert_true(panels && rows && half);
    for (size_t i = 0; i < (size_t)n * dim; i++) {
        half[i] = f16_of_f32(noise(3));
        rows[i] = f32_of_f16(half[i]);
    }
    const void *data = f16 ? (const void *)half : (const void *)rows;
    pack(data, n, dim, data, panels);
    for (size_t i = 0; i < n_floats; i++) {
        size_t column = i / PANEL / depth * PANEL + i % PANEL, at = i / PANEL % depth;
        size_t row = keys ? (column < (size_t)n ? column : (size_t)n - 1) : at;
        float want = keys ? rows[row * dim + at] : column < dim ? rows[row * dim + column] : 0;
        assert_true(panels[i] == want);
    }
    free(panels);
    free(rows);
    free(half);
}

/* n_a rows against n_b panels of depth n, and each row alone. */
static void check_product(const struct kernels *k, int n_a, int n_b, int n, bool add)
{
    static float a[20 * 70], b[6 * 70 * PANEL], c[20 * 100], alone[100];
    size_t wide = (size_t)n_b * PANEL;
    for (int i = 0; i < n_a * 70; i++)
        a[i] = noise(1);
    for (int i = 0; i < n_b * n * PANEL; i++)
        b[i] = noise(1);
    for (int i = 0; i < 20 * 100; i++)
        c[i] = 1;
    struct panels p = { .a = a, .b = b, .a_step = 70, .n_a = n_a, .n_b = n_b, .n = n, .c = c,
                        .c_step = 100, .add = add };
    k->panels.multiply(&p);
    for (int r = 0; r < n_a; r++) {
        for (size_t j = 0; j < wide; j++) {
            double sum = add;
            for (int i = 0; i < n; i++)
                sum += (double)a[r * 70 + i] *
                       (double)b[(j / PANEL * (size_t)n + (size_t)i) * PANEL + j % PANEL];
            assert_true(fabs((double)c[(size_t)r * 100 + j] - sum) <= n * 1e-6);
            alone[j] = 1;
        }
        k->panels.multiply(&(struct panels){ .a = a + r * 70, .b = b, .n_a = 1, .n_b = n_b, .n = n,
                                             .c = alone, .add = add });
        assert_memory_equal(alone, c + r * 100, wide * sizeof *alone);
    }
    for (size_t j = wide; j < 100; j++)
        assert_true(c[j] == 1);
}

void test_attention_panels(void **state)
{
    (void)state;
    static const int dims[] = { 1, 7, 8, 16, 20, 64, 72, 128 };
    random_state = 5;
    for (int set = 0; set < 2; set++) {
        struct kernels k;
        kernels_init(&k, set ? cpu_flags() : 0);
        for (int i = 0; i < 8; i++)
            for (int n = 1; n <= 64; n += n < 4 ? 1 : 15) {
                check_packed(k.panels.keys_f16, true, true, n, (size_t)dims[i]);
                check_packed(k.panels.keys_f32, true, false, n, (size_t)dims[i]);
                check_packed(k.panels.values_f16, false, true, n, (size_t)dims[i]);
                check_packed(k.panels.values_f32, false, false, n, (size_t)dims[i]);
            }
        for (int n_a = 1; n_a <= 20; n_a++)
            for (int n_b = 1; n_b <= 6; n_b++)
                check_product(&k, n_a, n_b, n_a % 3 ? 64 : 1 + n_b, n_a % 2);
    }
}
