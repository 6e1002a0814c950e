/* engine_kernels.c -- the inner loops. What could break: a weight format read wrongly, tails,
 * extreme values, an instruction set that computes something else than plain C, a result that
 * depends on how many tokens are in the batch. */
#include <float.h>
#include <math.h>

#include <cjson/cJSON.h>

#include "engine/cpu.h"
#include "engine/kernels.h"
#include "engine/matmul.h"
#include "engine/mem.h"
#include "tests/engine_model.h"
#include "tests/engine_vocab.h"

#define MAX 33024  /* values of a row that is too long to go by itself */

static struct kernels plain, fast;
static uint64_t random_state;

static void start(void)
{
    kernels_init(&plain, 0);
    kernels_init(&fast, cpu_flags());
    random_state = 42;
}

/* Uniform in [-scale, scale). */
static float noise(float scale)
{
    return ((float)(test_random(&random_state) >> 40) * 0x1p-23f - 1) * scale;
}

static void fill(float *x, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        x[i] = noise(scale);
}

static void check_close(const char *what, size_t n, float a, float b, float bound)
{
    if (!(fabsf(a - b) <= bound))
        fail_msg("%s, n = %zu: %.9g, expected %.9g +- %g", what, n, (double)a, (double)b,
                 (double)bound);
}

void test_kernels_names(void **state)
{
    (void)state;
    unsigned mask = 7;
    start();
    assert_string_equal(plain.name, "c");
    assert_true(kernels_mask(NULL, &mask) && mask == ~0u);
    assert_true(kernels_mask("c", &mask) && mask == 0);
    mask = 7;
    assert_false(kernels_mask("sse9", &mask));
    assert_int_equal(mask, 7);
    assert_true(kernels_mask(fast.name, &mask));
    assert_non_null(strstr(kernels_names(), fast.name));
}

/* Every half is the float the format says, and comes back; floats round to the nearest half. */
void test_quant_half(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        unsigned e = h >> 10 & 31, m = h & 1023;
        float f = f32_of_f16((uint16_t)h);
        double v = e ? ldexp(1024 + m, (int)e - 25) : ldexp(m, -24);
        if (e == 31) {
            assert_true(m ? isnan(f) : isinf(f) && (f < 0) == (h >> 15));
            assert_true(m ? isnan(f32_of_f16(f16_of_f32(f))) : f16_of_f32(f) == h);
            continue;
        }
        assert_true((double)f == (h >> 15 ? -v : v));
        assert_int_equal(f16_of_f32(f), h);
        if ((h & 0x7fff) < 0x7bff) {           /* between this one and the next */
            float next = f32_of_f16((uint16_t)(h + 1)), middle = f + (next - f) / 2;
            assert_int_equal(f16_of_f32(middle), h + (h & 1));
            assert_int_equal(f16_of_f32(nextafterf(middle, f)), h);
            assert_int_equal(f16_of_f32(nextafterf(middle, next)), h + 1);
        }
    }
    assert_int_equal(f16_of_f32(65519.99f), 0x7bff);
    assert_int_equal(f16_of_f32(65520), 0x7c00);
    assert_int_equal(f16_of_f32(-1e30f), 0xfc00);
}

/* Blocks written by hand. */
void test_quant_decode(void **state)
{
    (void)state;
    float out[32];
    struct block_q8_0 q8 = { .d = f16_of_f32(0.5f), .q = { 1, -128, 127 } };
    weight_info(WEIGHT_Q8_0)->decode(&q8, out, 32);
    assert_true(out[0] == 0.5f && out[1] == -64 && out[2] == 63.5f && out[31] == 0);
    struct block_q4_0 q40 = { .d = f16_of_f32(2), .q = { 0x8f, 0x07 } };
    weight_info(WEIGHT_Q4_0)->decode(&q40, out, 32);
    assert_true(out[0] == 14 && out[1] == -2 && out[2] == -16);
    assert_true(out[16] == 0 && out[17] == -16);
    struct block_q4_1 q41 = { .d = f16_of_f32(2), .m = f16_of_f32(-3), .q = { 0x8f, 0x07 } };
    weight_info(WEIGHT_Q4_1)->decode(&q41, out, 32);
    assert_true(out[0] == 27 && out[1] == 11 && out[2] == -3 && out[16] == 13);
    const uint16_t bf16[] = { 0x3f80, 0xc040 }, f16[] = { 0x3c00, 0xc200 };
    weight_info(WEIGHT_BF16)->decode(bf16, out, 2);
    assert_true(out[0] == 1 && out[1] == -3);
    weight_info(WEIGHT_F16)->decode(f16, out, 2);
    assert_true(out[0] == 1 && out[1] == -3);
    assert_int_equal(weight_of_gguf(12345), WEIGHT_N);
    assert_int_equal(weight_of_gguf(GGUF_BF16), WEIGHT_BF16);
}

/* The blocks of tests/golden/decoders.json, decoded by a reader that shares no code with ours. */
void test_quant_decode_golden(void **state)
{
    (void)state;
    char *text = test_read_file("tests/golden/decoders.json", NULL);
    cJSON *root = cJSON_Parse(text);
    free(text);
    for (int w = WEIGHT_F16; w < WEIGHT_N; w++) {
        const struct weight_info *info = weight_info((enum weight)w);
        const cJSON *one = cJSON_GetObjectItem(root, info->name), *value;
        assert_non_null(one);
        const char *hex = cJSON_GetObjectItem(one, "bytes")->valuestring;
        uint8_t bytes[512];
        float out[256];
        size_t n_bytes = strlen(hex) / 2, i = 0;
        size_t n = n_bytes / info->block_bytes * info->block_elements;
        assert_true(n_bytes <= sizeof bytes && n <= 256);
        for (size_t b = 0; b < n_bytes; b++) {
            unsigned u;
            assert_int_equal(sscanf(hex + 2 * b, "%2x", &u), 1);
            bytes[b] = (uint8_t)u;
        }
        info->decode(bytes, out, n);
        cJSON_ArrayForEach(value, cJSON_GetObjectItem(one, "values")) {
            if (out[i] != (float)value->valuedouble)
                fail_msg("%s, %zu: %.9g, expected %.9g", info->name, i, (double)out[i],
                         value->valuedouble);
            i++;
        }
        assert_int_equal(i, n);
    }
    cJSON_Delete(root);
}

/* Every format's block is what the container's table says. */
void test_quant_table(void **state)
{
    (void)state;
    for (int w = 0; w < WEIGHT_N; w++) {
        const struct weight_info *i = weight_info((enum weight)w);
        const struct gguf_type *t = gguf_type_info(i->gguf_type);
        assert_non_null(t);
        assert_string_equal(t->name, i->name);
        assert_int_equal(t->block_elements, i->block_elements);
        assert_int_equal(t->block_bytes, i->block_bytes);
    }
}

/* ---- dot products -------------------------------------------------------------------------- */

/* Where a block has its scales, f16, and how many. */
static const struct { size_t at, n; } scales_at[WEIGHT_N] = {
    [WEIGHT_Q8_0] = { offsetof(struct block_q8_0, d), 1 },
    [WEIGHT_Q4_0] = { offsetof(struct block_q4_0, d), 1 },
    [WEIGHT_Q4_1] = { offsetof(struct block_q4_1, d), 2 },
    [WEIGHT_Q5_0] = { offsetof(struct block_q5_0, d), 1 },
    [WEIGHT_Q5_1] = { offsetof(struct block_q5_1, d), 2 },
    [WEIGHT_IQ4_NL] = { offsetof(struct block_iq4_nl, d), 1 },
    [WEIGHT_Q2_K] = { offsetof(struct block_q2_k, d), 2 },
    [WEIGHT_Q3_K] = { offsetof(struct block_q3_k, d), 1 },
    [WEIGHT_Q4_K] = { offsetof(struct block_q4_k, d), 2 },
    [WEIGHT_Q5_K] = { offsetof(struct block_q5_k, d), 2 },
    [WEIGHT_Q6_K] = { offsetof(struct block_q6_k, d), 1 },
};

/* A row of n random weights, with scales that are numbers. */
static void random_weights(enum weight w, uint8_t *row, size_t n, float scale)
{
    const struct weight_info *info = weight_info(w);
    size_t bytes = weight_row_bytes(w, n);
    for (size_t i = 0; i < bytes; i++)
        row[i] = (uint8_t)test_random(&random_state);
    if (w == WEIGHT_MXFP4)
        for (uint8_t *b = row; b < row + bytes; b += info->block_bytes)
            *b = (uint8_t)(120 + *b % 10);
    else if (info->block_elements > 1)
        for (uint8_t *b = row; b < row + bytes; b += info->block_bytes) {
            uint16_t d[2] = { f16_of_f32(noise(scale)), f16_of_f32(noise(scale)) };
            memcpy(b + scales_at[w].at, d, scales_at[w].n * sizeof d[0]);
        }
    else
        for (size_t i = 0; i < n; i++) {
            float f = noise(scale);
            uint16_t h = w == WEIGHT_F16 ? f16_of_f32(f) : (uint16_t)(f * 0 + 0x3e00 + i % 77);
            memcpy(row + i * info->block_bytes, w == WEIGHT_F32 ? (void *)&f : (void *)&h,
                   info->block_bytes);
        }
}

/* The dot product of the decoded row with the (decoded) activations, and the sum of magnitudes. */
static double exact_dot(enum weight w, const void *row, const void *x, size_t n, double *all)
{
    static float decoded[MAX];
    weight_info(w)->decode(row, decoded, n);
    double sum = *all = 0;
    for (size_t i = 0; i < n; i++) {
        double a = weight_info(w)->act == ACT_Q8
                       ? (double)((const int8_t *)x)[i] * (double)q8_scales(x, n)[i / 32]
                       : (double)((const float *)x)[i];
        sum += (double)decoded[i] * a;
        *all += fabs((double)decoded[i] * a);
    }
    return sum;
}

#define ROWS_MAX 36
#define TOKENS_MAX 134

/* n_w rows of n values against n_x tokens: both sets near the exact sums, and each result the same
 * alone. */
static void check_dot(enum weight w, size_t n, int n_w, int n_x, float scale)
{
    static float y[2][TOKENS_MAX * ROWS_MAX], values[MAX];
    size_t x_bytes = act_row_bytes(weight_info(w)->act, n), w_bytes = weight_row_bytes(w, n);
    char *x = mem_alloc((size_t)n_x * x_bytes);
    uint8_t *rows = mem_alloc((size_t)n_w * w_bytes);
    random_weights(w, rows, n * (size_t)n_w, scale);
    for (int t = 0; t < n_x; t++) {
        fill(values, n, scale);
        if (weight_info(w)->act == ACT_Q8)
            plain.quant_q8(values, x + (size_t)t * x_bytes, n);
        else
            memcpy(x + (size_t)t * x_bytes, values, n * sizeof *values);
    }
    struct dot d = { .w = rows, .w_bytes = w_bytes, .n_w = n_w, .x = x, .x_bytes = x_bytes,
                     .n_x = n_x, .n = n, .y_step = ROWS_MAX };
    for (int k = 0; k < 2; k++) {
        d.y = y[k];
        (k ? fast : plain).dot[w](&d);
    }
    for (int i = 0; i < n_x * n_w; i++) {
        int t = i / n_w, r = i % n_w, at = t * ROWS_MAX + r;
        const uint8_t *row = rows + (size_t)r * w_bytes;
        double all, sum = exact_dot(w, row, x + (size_t)t * x_bytes, n, &all);
        /* Minima and offsets add parts larger than their sum. */
        float bound = (float)(all * 6e-6 + 1e-30), alone;
        check_close(weight_info(w)->name, n, y[0][at], (float)sum, bound);
        check_close(weight_info(w)->name, n, y[1][at], (float)sum, bound);
        struct dot one = { .w = row, .w_bytes = w_bytes, .n_w = 1, .n_x = 1, .n = n, .y = &alone,
                           .x = x + (size_t)t * x_bytes, .x_bytes = x_bytes };
        for (int k = 0; k < 2; k++) {
            (k ? fast : plain).dot[w](&one);
            assert_memory_equal(&alone, &y[k][at], sizeof alone);
        }
    }
    mem_free(x);
    mem_free(rows);
}

void test_kernels_dot(void **state)
{
    (void)state;
    static const size_t blocks[] = { 32, 64, 96, 160, 576, 1536 };
    static const size_t floats[] = { 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 576 };
    static const float scales[] = { 1, 1e-4f, 1000 };
    start();
    for (int w = 0; w < WEIGHT_N; w++) {
        bool q = weight_info((enum weight)w)->block_elements > 1;
        bool k = weight_info((enum weight)w)->block_elements == 256;
        size_t n = q ? sizeof blocks / sizeof *blocks : sizeof floats / sizeof *floats;
        for (size_t i = 0; i < n; i++)
            for (int n_x = 1; n_x <= 13; n_x += 3)
                for (int s = 0; s < 3; s++)
                    check_dot((enum weight)w, k ? 256 * (i + 1) : q ? blocks[i] : floats[i],
                              1 + (int)(i + (size_t)s) % 7, n_x, scales[s]);
    }
}

/* ---- sets this machine may lack ------------------------------------------------------------ */

#if defined(__x86_64__)
void kernels_model_avxvnni(struct kernels *k);
void kernels_model_avx512(struct kernels *k);
void kernels_model_amx(struct kernels *k);

static void (*const models[])(struct kernels *k) = {
    kernels_model_avxvnni, kernels_model_avx512, kernels_model_amx,
};
#define N_MODELS (sizeof models / sizeof models[0])
#else
static void (*const models[1])(struct kernels *k);
#define N_MODELS 0
#endif

void for_each_kernels(void (*check)(const struct kernels *set))
{
    char names[100], *rest = names, *name;
    struct kernels set;
    unsigned mask;
    snprintf(names, sizeof names, "%s", kernels_names());
    while ((name = strtok_r(rest, ", ", &rest)))
        if (kernels_mask(name, &mask)) {
            kernels_init(&set, cpu_flags() & mask);
            if (strcmp(set.name, name) == 0)
                check(&set);
        }
    for (size_t i = 0; i < N_MODELS && cpu_flags() & CPU_AVX2; i++) {
        kernels_init(&set, CPU_AVX2);
        models[i](&set);
        check(&set);
    }
}

static void (*check_fast)(void);

static void check_as_fast(const struct kernels *set)
{
    fast = *set;
    check_fast();
}

/* The same with each set as `fast`. */
static void for_each_set(void (*check)(void))
{
    start();
    check_fast = check;
    for_each_kernels(check_as_fast);
}

/* Every way through a product: few tokens and many, tiles of 16 and what is left, panels of rows
 * and what is left, eight rows at once and what is left, whole chunks and each part of one, rows of
 * any length, rows and tokens that are taken in more than one piece. */
static void check_products(void)
{
    static const struct { int w, x; size_t n, n_k; } shapes[] = {
        { 3, 1, 352, 512 }, { 2, 3, 352, 512 }, { 34, 6, 352, 512 }, { 5, 23, 352, 512 },
        { 17, 18, 1312, 1280 }, { 2, 134, 352, 512 },
    };
    for (int w = WEIGHT_Q8_0; w < WEIGHT_N; w++) {
        bool k = weight_info((enum weight)w)->block_elements == 256;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            check_dot((enum weight)w, k ? shapes[i].n_k : shapes[i].n, shapes[i].w, shapes[i].x, 1);
        for (size_t n = 288; n <= 512 && !k; n += 32)
            check_dot((enum weight)w, n, 2, 1, 1);
        for (size_t n = 32; n <= 512 && !k; n += n == 64 ? 192 : 32)
            check_dot((enum weight)w, n, 19, 5, 1);
        for (int n_x = 2; n_x <= 8; n_x++)
            check_dot((enum weight)w, k ? 768 : 832, 9, n_x, 1);
        check_dot((enum weight)w, MAX, 1, 1, 1);
    }
}

void test_kernels_sets(void **state)
{
    (void)state;
    for_each_set(check_products);
}

/* ---- products by brain floats --------------------------------------------------------------- */

#define MANY_COLS 1312
#define MANY_ROWS 117
#define MANY      49

struct many {
    enum weight type;
    int rows, n, cols;
    const uint8_t *w;   /* [rows] */
    const float *x;     /* [n][cols] */
};

static void multiply_many(struct pool *pool, const struct many *a, float *y)
{
    struct matmul m;
    struct err err;
    struct matrix w = { a->type, a->w, a->rows, a->cols,
                        weight_row_bytes(a->type, (size_t)a->cols), 1, NULL };
    assert_true(matmul_init(&m, &fast, pool, a->n, a->cols, &err));
    m.bf16 = true;
    m.fine = (const int[]){ 1 };
    m.n_fine = 1;
    matmul_run(&m, a->x, a->n, &(struct product){ &w, y }, 1);
    matmul_release(&m);
}

/* Weights, and activations but for those of the fine token, are off by 2^-9 of themselves. */
static void check_many(const struct many *a, const float *y)
{
    static float row[MANY_COLS];
    struct matrix w = { a->type, a->w, a->rows, a->cols,
                        weight_row_bytes(a->type, (size_t)a->cols), 1, NULL };
    for (int r = 0; r < a->rows; r++) {
        matrix_row(&w, r, row);
        for (int t = 0; t < a->n; t++) {
            double sum = 0, all = 0;
            for (int c = 0; c < a->cols; c++) {
                double one = (double)row[c] * (double)a->x[t * a->cols + c];
                sum += one;
                all += fabs(one);
            }
            check_close(weight_info(a->type)->name, (size_t)a->cols, y[t * a->rows + r],
                        (float)sum, (float)(all * (t == 1 ? 1 : 2) / 510 + 1e-6));
        }
    }
}

/* Rows and tokens that fill no tile, columns in one piece, two, and two passes; a token's result is
 * the same whatever else is in the call. */
static void check_bf16(void)
{
    static const struct { int rows, n, cols, cols_k; } shapes[] = {
        { 5, 16, 288, 256 }, { 96, 33, 352, 512 }, { 40, 32, 704, 768 },
        { MANY_ROWS, MANY - 1, MANY_COLS, 1280 },
    };
    static float x[MANY * MANY_COLS], y[2][MANY * MANY_ROWS];
    static uint8_t data[MANY_ROWS * MANY_COLS * 2];
    struct pool *pool;
    struct err err;
    uint64_t random = 3;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(test_random(&random) & (i % 2 ? 0x3d : 0xff));
    for (int i = 0; i < MANY * MANY_COLS; i++)
        x[i] = (float)(test_random(&random) % 2000) / 1000 - 1;
    assert_true(pool_new(&pool, 2, &err));
    for (int w = WEIGHT_Q8_0; w < WEIGHT_N && fast.pack_bf16; w++) {
        for (size_t i = 0; w == WEIGHT_MXFP4 && i < sizeof data; i += 17)
            data[i] = 120;
        bool k = weight_info((enum weight)w)->block_elements == 256;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            struct many a = { (enum weight)w, shapes[i].rows, shapes[i].n,
                              k ? shapes[i].cols_k : shapes[i].cols, data, x };
            multiply_many(pool, &a, y[0]);
            check_many(&a, y[0]);
            a.n = 3;
            multiply_many(pool, &a, y[1]);
            assert_memory_equal(y[0], y[1], (size_t)(a.n * a.rows) * sizeof **y);
        }
    }
    pool_free(&pool);
}

void test_kernels_bf16(void **state)
{
    (void)state;
    for_each_set(check_bf16);
}

/* ---- networks by brain floats --------------------------------------------------------------- */

#define NET_TOKENS 37
#define NET_COLS   288
#define NET_FF     1280
#define NET_OUT    40

struct net {
    enum weight type;
    int n, cols, ff;
    bool gelu;
    const uint8_t *gate, *up, *down;
    const float *x;      /* [n][cols] */
};

static struct matrix net_matrix(const struct net *a, const uint8_t *w, int rows, int cols)
{
    return (struct matrix){ a->type, w, rows, cols, weight_row_bytes(a->type, (size_t)cols), 1,
                            NULL };
}

/* Room for the rest of the fine token too. */
struct net_out {
    float y[(NET_TOKENS + 1) * NET_OUT];
};

static struct net_out run_net(struct pool *pool, const struct net *a, bool by_steps)
{
    static float gate_y[(NET_TOKENS + 1) * NET_FF], up_y[(NET_TOKENS + 1) * NET_FF];
    struct net_out out = {0};
    struct matmul m;
    struct err err;
    struct matrix gate = net_matrix(a, a->gate, a->ff, a->cols);
    struct matrix up = net_matrix(a, a->up, a->ff, a->cols);
    struct matrix down = net_matrix(a, a->down, NET_OUT, a->ff);
    assert_true(matmul_init(&m, &fast, pool, a->n, NET_FF, &err));
    m.bf16 = true;
    m.fine = (const int[]){ 2 };
    m.n_fine = 1;
    if (by_steps) {
        matmul_run(&m, a->x, a->n, (const struct product[]){ { &gate, gate_y }, { &up, up_y } }, 2);
        (a->gelu ? plain.gelu_mul : plain.silu_mul)(gate_y, up_y, (size_t)(a->n * a->ff));
        matmul_run(&m, gate_y, a->n, &(struct product){ &down, out.y }, 1);
    } else {
        const struct network net = { &gate, &up, &down, a->gelu, out.y };
        assert_true(matmul_network(&m, a->x, a->n, &net));
    }
    matmul_release(&m);
    return out;
}

static float largest(const float *x, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

/* Activations for which the first row of gate gives 4 at most. */
static void fill_net(const struct net *a, float *x)
{
    float row[NET_COLS], sum[NET_TOKENS] = {0};
    struct matrix gate = net_matrix(a, a->gate, a->ff, a->cols);
    matrix_row(&gate, 0, row);
    fill(x, (size_t)(a->n * a->cols), 1);
    for (int t = 0; t < a->n; t++)
        for (int c = 0; c < a->cols; c++)
            sum[t] += row[c] * x[t * a->cols + c];
    float most = largest(sum, a->n);
    for (int i = 0; i < a->n * a->cols; i++)
        x[i] *= 4 / most;
}

/* The same as step by step; but where exponentials differ in their last bits, a value of the middle
 * may be rounded the other way. What is fine is not. A token's result is the same whatever else is
 * in the call. */
static void check_net(struct pool *pool, struct net a)
{
    struct net_out got = run_net(pool, &a, false), want = run_net(pool, &a, true);
    float most = largest(want.y, a.n * NET_OUT);
    for (int i = 0; i < a.n * NET_OUT; i++)
        check_close("network", (size_t)a.ff, got.y[i], want.y[i],
                    most * (i / NET_OUT == 2 ? 4e-6f : 4e-4f));
    a.n = 5;
    struct net_out few = run_net(pool, &a, false);
    assert_memory_equal(got.y, few.y, (size_t)(a.n * NET_OUT) * sizeof *few.y);
}

/* Middles that end in half an item, and that are more than one pass. */
static void check_nets(void)
{
    static float x[NET_TOKENS * NET_COLS];
    static uint8_t data[3][NET_FF * NET_COLS];
    struct pool *pool;
    struct err err;
    uint64_t random = 9;
    for (size_t i = 0; i < sizeof data; i++)
        ((uint8_t *)data)[i] = (uint8_t)(test_random(&random) & (i % 2 ? 0x3d : 0xff));
    assert_true(pool_new(&pool, 2, &err));
    for (int i = 0; i < 4 && fast.pack_bf16; i++) {
        struct net a = { i % 2 ? WEIGHT_Q4_K : WEIGHT_Q4_1, NET_TOKENS, i % 2 ? 256 : NET_COLS,
                         i == 0 ? 96 : NET_FF, i > 1, data[0], data[1], data[2], x };
        fill_net(&a, x);
        check_net(pool, a);
    }
    pool_free(&pool);
}

void test_kernels_networks(void **state)
{
    (void)state;
    for_each_set(check_nets);
}

/* ---- attention of text that is read --------------------------------------------------------- */

#define QUERIES   72    /* 70 that are asked and room for 96 */
#define DIM_MAX   136
#define WIDTH_MAX 160
#define PASSES    2     /* blocks, one after the other */

/* Two blocks of rows, the second of n, and queries, `group` for a token, from position pos on. */
struct reading {
    bool half;
    int n, n_queries, group, pos, window;
    size_t dim;
    const uint16_t *rows_half;   /* [2][PASSES][64][dim] keys, values */
    const float *rows, *q;       /* the same; [n_queries][dim] */
};

struct read_out {
    float max[96], sum[96], out[96 * WIDTH_MAX];
};

/* What the kernels make of queries [first, first + n). */
static void attend_to(const struct reading *r, int first, int n, struct read_out *to)
{
    static _Alignas(64) char q[96 * WIDTH_MAX * 4], weights[96 * 128];
    static _Alignas(64) char work[2 * WIDTH_MAX * 64 * 4];
    size_t size = r->half ? sizeof(uint16_t) : sizeof(float), block = 64 * r->dim * size;
    const char *keys = r->half ? (const char *)r->rows_half : (const char *)r->rows;
    assert_true(attend_bytes(r->dim) <= sizeof work);
    fast.take_queries(&(struct queries){ r->q + (size_t)first * r->dim, n, r->group,
                                         (size_t)r->group * r->dim, r->dim }, q);
    memset(to, 0, sizeof *to);
    for (int i = 0; i < n; i++)
        to->max[i] = -INFINITY;
    for (int b = 0; b < PASSES; b++, keys += block)
        fast.attend(&(struct attend){
            .q = q, .n_queries = n, .group = r->group, .keys = keys,
            .values = keys + PASSES * block, .ahead = { keys, keys }, .is_half = r->half,
            .n = b + 1 < PASSES ? 64 : r->n, .dim = r->dim,
            .pos = r->pos + first / r->group - 64 * b, .window = r->window, .scale = 0.3f,
            .max = to->max, .sum = to->sum, .out = to->out, .work = work,
            .weights = weights });
}

/* The same in double. Weights may be off by 2^-9 each, and scores by 2^-16 of what they sum. */
static void check_query(const struct reading *r, int i, const struct read_out *got)
{
    const float *keys = r->rows, *values = keys + PASSES * 64 * r->dim, *q = r->q + i * (int)r->dim;
    double weight[PASSES * 64], max = -INFINITY, sum = 0;
    int token = r->pos + i / r->group, n = token + 1 < 64 + r->n ? token + 1 : 64 + r->n;
    int from = r->window > 0 && token >= r->window ? token - r->window + 1 : 0;
    for (int j = from; j < n; j++) {
        weight[j] = 0;
        for (size_t d = 0; d < r->dim; d++)
            weight[j] += (double)q[d] * (double)keys[(size_t)j * r->dim + d];
        max = fmax(max, weight[j]);
    }
    for (int j = from; j < n; j++)
        sum += weight[j] = exp((weight[j] - max) * 0.3);
    check_close("max", r->dim, got->max[i], (float)max, 1e-3f);
    check_close("sum", r->dim, got->sum[i], (float)sum, (float)(sum / 256));
    for (size_t d = 0; d < r->dim; d++) {
        double v = 0, all = 0;
        for (int j = from; j < n; j++) {
            v += weight[j] * (double)values[(size_t)j * r->dim + d];
            all += weight[j] * fabs((double)values[(size_t)j * r->dim + d]);
        }
        check_close("out", r->dim, got->out[(size_t)i * attend_width(r->dim) + d], (float)v,
                    (float)(all / 256));
    }
}

/* Groups of queries alone give the same bits. */
static void check_reading(const struct reading *r)
{
    static struct read_out all, alone;
    size_t width = attend_width(r->dim);
    attend_to(r, 0, r->n_queries, &all);
    for (int i = 0; i < r->n_queries; i++)
        check_query(r, i, &all);
    for (int i = 0; i < r->n_queries; i += r->group) {
        int n = r->n_queries - i < r->group ? r->n_queries - i : r->group;
        attend_to(r, i, n, &alone);
        assert_memory_equal(alone.out, all.out + (size_t)i * width,
                            (size_t)n * width * sizeof *all.out);
        assert_memory_equal(alone.sum, all.sum + i, (size_t)n * sizeof *all.sum);
    }
}

static void check_attend(void)
{
    static const struct { int n, n_queries, group, pos, window; size_t dim; } of[] = {
        { 64, 70, 7, 127, 0, 64 }, { 1, 3, 3, 64, 0, 8 }, { 17, 48, 3, 66, 0, 40 },
        { 64, 70, 1, 58, 0, 128 }, { 33, 20, 2, 87, 20, DIM_MAX }, { 64, 64, 4, 112, 90, 64 },
        { 50, 16, 4, 0, 0, 16 },
    };
    static uint16_t half[2 * PASSES * 64 * DIM_MAX];
    static float full[2 * PASSES * 64 * DIM_MAX], q[QUERIES * DIM_MAX];
    uint64_t random = 8;
    if (!fast.attend)
        return;
    for (size_t i = 0; i < sizeof half / sizeof *half; i++) {
        half[i] = f16_of_f32((float)(test_random(&random) % 4001) / 1000 - 2);
        full[i] = f32_of_f16(half[i]);
    }
    for (int i = 0; i < QUERIES * DIM_MAX; i++)
        q[i] = (float)(test_random(&random) % 2000) / 1000 - 1;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        for (int is_half = 0; is_half < 2; is_half++)
            check_reading(&(struct reading){ is_half, of[i].n, of[i].n_queries, of[i].group,
                                             of[i].pos, of[i].window, of[i].dim, half, full, q });
}

void test_kernels_attend(void **state)
{
    (void)state;
    for_each_set(check_attend);
}

/* The largest values of every kind, of one sign and of both: integer sums must not overflow. */
void test_kernels_dot_extremes(void **state)
{
    (void)state;
    start();
    _Alignas(64) char x[512];
    float values[64], y[2];
    for (int sign = -1; sign <= 1; sign += 2) {
        struct block_q8_0 q8[2] = { { .d = 0x3c00 }, { .d = 0x3c00 } };
        struct block_q4_1 q4[2] = { { 0x3c00, 0, { 0 } }, { 0x3c00, 0, { 0 } } };
        for (int i = 0; i < 64; i++) {
            values[i] = (float)sign * 127;
            q8[i / 32].q[i % 32] = i < 32 ? -128 : (int8_t)(-sign * 127);
            q4[i / 32].q[i % 16] = 255;
        }
        plain.quant_q8(values, x, 64);
        for (int k = 0; k < 2; k++) {
            const struct kernels *set = k ? &fast : &plain;
            struct dot d = { .w = q8, .n_w = 1, .x = x, .n_x = 1, .n = 64, .y = &y[0] };
            set->dot[WEIGHT_Q8_0](&d);
            d.w = q4;
            d.y = &y[1];
            set->dot[WEIGHT_Q4_1](&d);
            assert_true(y[0] == (float)(32 * sign * 127 * -128 - 32 * 127 * 127));
            assert_true(y[1] == (float)(64 * sign * 127 * 15));
        }
    }
}

/* One byte everywhere but in the scales, which are 1, against the largest activations. */
static void check_extreme(enum weight w, int byte, int pattern)
{
    const struct weight_info *info = weight_info(w);
    uint8_t row[512];
    const uint16_t d[2] = { 0x3c00, 0x3c00 };
    static _Alignas(64) char x[512];
    float values[256], y[17];
    memset(row, byte, sizeof row);
    for (size_t b = 0; b < 256 / info->block_elements; b++)
        if (w == WEIGHT_MXFP4)
            row[b * info->block_bytes] = 128;
        else
            memcpy(row + b * info->block_bytes + scales_at[w].at, d, scales_at[w].n * 2);
    for (int i = 0; i < 256; i++)
        values[i] = pattern == 2 && i % 2 ? -127 : pattern == 0 ? -127 : 127;
    plain.quant_q8(values, x, 256);
    double all, sum = exact_dot(w, row, x, 256, &all);
    struct dot many = { .w = row, .w_bytes = weight_row_bytes(w, 256), .n_w = 1, .x = x,
                        .n_x = 1, .n = 256, .y = y, .y_step = 1 };
    for (int k = 0; k < 2; k++)
        for (many.n_x = 1; many.n_x <= 17; many.n_x += 16) {
            (k ? fast : plain).dot[w](&many);
            for (int t = 0; t < many.n_x; t++)
                check_close(info->name, 256, y[t], (float)sum, (float)(all * 1e-5));
        }
}

static void check_extremes(void)
{
    static const int bytes[] = { 0, 0x0f, 0x7f, 0x80, 0xf0, 0xff };
    for (int w = WEIGHT_Q8_0; w < WEIGHT_N; w++)
        for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
            for (int pattern = 0; pattern < 3; pattern++)
                check_extreme((enum weight)w, bytes[i], pattern);
}

void test_kernels_dot_extreme_bytes(void **state)
{
    (void)state;
    for_each_set(check_extremes);
}

/* Each value within half a step, each sum right, and the sets agree but for ties. */
void test_kernels_quant_q8(void **state)
{
    (void)state;
    start();
    static const float scales[] = { 1, 1e-30f, 1e30f, 0 };
    for (int s = 0; s < 4; s++)
        for (int k = 0; k < 2; k++) {
            _Alignas(64) char row[1024];
            float x[320];
            fill(x, 320, scales[s]);
            x[5] = 0;
            (k ? fast : plain).quant_q8(x, row, 320);
            for (int b = 0; b < 10; b++) {
                int sum[2] = {0};
                float d = q8_scales(row, 320)[b];
                for (int i = b * 32; i < b * 32 + 32; i++) {
                    int q = ((int8_t *)row)[i];
                    assert_in_range(q + 127, 0, 254);
                    assert_true(fabsf((float)q * d - x[i]) <= d * 0.5001f);
                    sum[i / 16 % 2] += q;
                }
                float both = d * (float)(sum[0] + sum[1]);
                check_close("sum", 320, q8_sums(row, 320)[b], both, 1e-6f * fabsf(both));
                for (int h = 0; h < 2; h++)
                    assert_int_equal(q8_halves(row, 320)[2 * b + h], sum[h]);
            }
            for (int b = 10; b < 16; b++)
                assert_true(q8_scales(row, 320)[b] == 0 && q8_sums(row, 320)[b] == 0 &&
                            ((int8_t *)row)[b * 32 + b] == 0 && q8_halves(row, 320)[2 * b] == 0);
        }
}

/* Values that are no numbers give something, without a fault. */
void test_kernels_no_numbers(void **state)
{
    (void)state;
    start();
    _Alignas(64) char row[512];
    float x[32], y;
    struct block_q8_0 w = { .d = 0x7e00, .q = { 1 } };
    for (int i = 0; i < 32; i++)
        x[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -FLT_MAX;
    for (int k = 0; k < 2; k++) {
        const struct kernels *set = k ? &fast : &plain;
        set->quant_q8(x, row, 32);
        set->dot[WEIGHT_Q8_0](&(struct dot){ .w = &w, .n_w = 1, .x = row, .n_x = 1, .n = 32,
                                             .y = &y });
        set->exp_sum(x, 32, INFINITY, 1);
        set->silu_mul(x, x + 16, 16);
    }
}

/* ---- rows of floats ------------------------------------------------------------------------ */

void test_kernels_exp(void **state)
{
    (void)state;
    start();
    for (int k = 0; k < 2; k++) {
        const struct kernels *set = k ? &fast : &plain;
        for (int n = 1; n < 40; n++)
            for (int round = 0; round < 20; round++) {
                float x[40], scale = n % 2 ? 0.125f : 1;
                double sum = 0;
                fill(x, (size_t)n, round < 10 ? 5 : 100);
                float max = plain.max(x, (size_t)n);
                check_close("max", (size_t)n, set->max(x, (size_t)n), max, 0);
                float before[40];
                memcpy(before, x, sizeof x);
                float got = set->exp_sum(x, (size_t)n, max, scale);
                for (int i = 0; i < n; i++) {
                    float arg = (before[i] - max) * scale;
                    double e = exp((double)arg);
                    check_close("exp", (size_t)n, x[i], arg < -87 ? 0 : (float)e,
                                (float)e * 4e-7f);
                    sum += e;
                }
                check_close("sum of exp", (size_t)n, got, (float)sum, (float)sum * 2e-6f);
            }
        float edge[3] = { 0, -INFINITY, -86.9f };
        set->exp_sum(edge, 3, 0, 1);
        assert_true(edge[0] == 1 && edge[1] == 0 && edge[2] > 0);
    }
}

void test_kernels_rows(void **state)
{
    (void)state;
    start();
    for (int k = 0; k < 2; k++) {
        const struct kernels *set = k ? &fast : &plain;
        for (size_t n = 1; n < 70; n++) {
            float a[70], b[70], y[70], gain[70];
            uint16_t h[70];
            double squares = 0;
            fill(a, n, 20);
            fill(b, n, 3);
            fill(gain, n, 1);
            for (size_t i = 0; i < n; i++)
                squares += (double)a[i] * (double)a[i];
            set->rms_norm(a, gain, 1e-5f, n, y);
            for (size_t i = 0; i < n; i++)
                check_close("norm", n, y[i],
                            (float)((double)a[i] / sqrt(squares / (double)n + 1e-5) *
                                    (double)gain[i]), 4e-6f);
            set->f16_of_f32(a, h, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(h[i], f16_of_f32(a[i]));
            memcpy(y, a, sizeof y);
            set->silu_mul(y, b, n);
            for (size_t i = 0; i < n; i++)
                check_close("silu", n, y[i],
                            (float)((double)a[i] / (1 + exp(-(double)a[i])) * (double)b[i]),
                            fabsf(a[i] * b[i]) * 1e-6f + 1e-30f);
            memcpy(y, a, sizeof y);
            set->add(y, b, n);
            set->scale(y, 2, n);
            for (size_t i = 0; i < n; i++)
                assert_true(y[i] == (a[i] + b[i]) * 2);
        }
    }
}

void test_kernels_rope(void **state)
{
    (void)state;
    start();
    float x[] = { 1, 0, 3, 4, 9 };
    const float turn[] = { 0, 1, 0.6f, 0.8f };
    fast.rope_pairs(x, turn, 2);
    assert_true(x[0] == 0 && x[1] == 1 && x[4] == 9);
    check_close("rope", 2, x[2], 3 * 0.6f - 4 * 0.8f, 1e-6f);
    check_close("rope", 2, x[3], 3 * 0.8f + 4 * 0.6f, 1e-6f);
}

/* Scores and weighted sums over rows of both element types, for all heads' widths and row counts;
 * a row's score is the same bits however many rows there are. */
static void check_attention(const struct kernels *set, size_t dim, int n)
{
    static float q[200], w[64], out[200], score[64], alone[64];
    /* As large as they must be: the address sanitizer sees a row too many. */
    float *rows = malloc((size_t)n * dim * sizeof *rows);
    uint16_t *half_rows = malloc((size_t)n * dim * sizeof *half_rows);
    assert_true(rows && half_rows);
    fill(q, dim, 2);
    fill(w, (size_t)n, 1);
    for (size_t i = 0; i < (size_t)n * dim; i++) {
        half_rows[i] = f16_of_f32(noise(2));
        rows[i] = f32_of_f16(half_rows[i]);
    }
    for (int f16 = 0; f16 < 2; f16++) {
        const void *data = f16 ? (const void *)half_rows : (const void *)rows;
        (f16 ? set->score_f16 : set->score_f32)(q, data, n, dim, score);
        for (int i = 0; i < n; i++) {
            double sum = 0;
            for (size_t d = 0; d < dim; d++)
                sum += (double)q[d] * (double)rows[(size_t)i * dim + d];
            check_close("score", dim, score[i], (float)sum, (float)dim * 2e-6f);
            (f16 ? set->score_f16 : set->score_f32)(q, data, i + 1, dim, alone);
            assert_memory_equal(&alone[i], &score[i], sizeof score[i]);
        }
        for (size_t d = 0; d < dim; d++)
            out[d] = 1;
        (f16 ? set->mix_f16 : set->mix_f32)(w, data, n, dim, out);
        for (size_t d = 0; d < dim; d++) {
            double sum = 1;
            for (int i = 0; i < n; i++)
                sum += (double)w[i] * (double)rows[(size_t)i * dim + d];
            check_close("mix", dim, out[d], (float)sum, (float)n * 1e-6f);
        }
    }
    free(rows);
    free(half_rows);
}

void test_kernels_attention(void **state)
{
    (void)state;
    static const size_t dims[] = { 1, 2, 6, 8, 12, 32, 64, 72, 96, 128, 200 };
    start();
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (int n = 1; n <= 64; n += n < 9 ? 1 : 11) {
            check_attention(&plain, dims[i], n);
            check_attention(&fast, dims[i], n);
        }
}
