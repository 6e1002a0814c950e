/* check_kernels.c -- how fast each set of kernels that this machine has multiplies, format by
 * format. What they compute is checked by tests/engine_kernels.c; `make check-kernels` does both.
 *
 *   build/check_kernels [SET]       default: every set
 *
 * Four figures a format, the best of some rounds of one thread's own time, so that other work on
 * the machine shows little: weights read by one token from the cache and from memory, in GB/s, and
 * multiplications of 96 rows by 64 tokens, and by 512 that are read where the set has a way of its
 * own for these, in 10^9 a second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/cpu.h"
#include "engine/kernels.h"
#include "engine/mem.h"

enum { COLS = 1536, TOKENS = 64, MANY = 512, TALL = 96, ROUNDS = 12, CACHED_ROUNDS = 400 };

#define CACHED_BYTES (32u << 10)
#define MEMORY_BYTES (96u << 20)

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Bytes that are weights of any format, without scales that are no numbers. */
static void fill(uint8_t *w, size_t bytes)
{
    uint32_t state = 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * 1664525 + 1013904223;
        w[i] = (uint8_t)(state >> 24 & 0x3f);
    }
}

/* The least time of one call. */
static double best_time(dot_fn *dot, const struct dot *d, int rounds)
{
    double best = 1e9;
    for (int r = 0; r < rounds; r++) {
        double start = thread_seconds();
        dot(d);
        double took = thread_seconds() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* Multiplications in 10^9 a second of TALL rows by MANY tokens, all of them the same. */
static double bf16_rate(const struct kernels *k, enum weight w, const uint8_t *weights,
                        const float *row, float *y)
{
    static _Alignas(64) uint16_t x[MANY * BF16_COLS], tiles[TALL * BF16_COLS];
    const float *rows[16];
    double best = 1e9;
    for (int t = 0; t < 16; t++)
        rows[t] = row;
    for (int t = 0; t < MANY; t += 16)
        k->pack_bf16(rows, BF16_COLS, x + t * BF16_COLS);
    struct bf16_product p = { .w = weights, .w_bytes = weight_row_bytes(w, COLS), .n_w = TALL,
                              .x = x, .n_x = MANY, .n = BF16_COLS, .y = y,
                              .y_step = TALL, .tiles = tiles };
    for (int r = 0; r < CACHED_ROUNDS; r++) {
        double start = thread_seconds();
        k->multiply_bf16[w](&p);
        double took = thread_seconds() - start;
        best = took < best ? took : best;
    }
    return (double)MANY * TALL * BF16_COLS / best / 1e9;
}

/* weights: MEMORY_BYTES of them; row: [COLS]. */
static void time_format(const struct kernels *k, enum weight w, const uint8_t *weights,
                        const char *act, const float *row, float *y)
{
    struct dot d = { .w = weights, .w_bytes = weight_row_bytes(w, COLS), .x = act, .n = COLS,
                     .x_bytes = act_row_bytes(weight_info(w)->act, COLS), .n_x = 1, .y = y };
    double rate[3];
    for (int i = 0; i < 3; i++) {
        d.n_w = i == 2 ? TALL : (int)((i == 1 ? MEMORY_BYTES : CACHED_BYTES) / d.w_bytes);
        d.n_x = i == 2 ? TOKENS : 1;
        d.y_step = (size_t)d.n_w;
        double work = i == 2 ? (double)d.n_w * COLS * TOKENS : (double)d.n_w * (double)d.w_bytes;
        rate[i] = work / best_time(k->dot[w], &d, i == 1 ? ROUNDS : CACHED_ROUNDS) / 1e9;
    }
    printf("%-10s %-7s %7.1f %7.1f %7.1f", k->name, weight_info(w)->name, rate[0], rate[1],
           rate[2]);
    if (k->multiply_bf16[w])
        printf(" %7.1f", bf16_rate(k, w, weights, row, y));
    printf("\n");
    fflush(stdout);
}

static void time_set(const struct kernels *k, const uint8_t *weights)
{
    size_t bytes = act_row_bytes(ACT_F32, COLS);
    float *x = mem_alloc(TOKENS * bytes), *y = mem_alloc_n(MEMORY_BYTES / 256, sizeof *y);
    char *q8 = mem_alloc(TOKENS * q8_row_bytes(COLS));
    for (int i = 0; i < TOKENS * COLS; i++)
        x[i] = (float)(i * 7919 % 1000) - 500;
    for (int t = 0; t < TOKENS; t++)
        k->quant_q8(x + t * COLS, q8 + (size_t)t * q8_row_bytes(COLS), COLS);
    for (int w = 0; w < WEIGHT_N; w++)
        time_format(k, (enum weight)w, weights,
                    weight_info((enum weight)w)->act == ACT_Q8 ? q8 : (const char *)x, x, y);
    mem_free(x);
    mem_free(y);
    mem_free(q8);
}

int main(int argc, char **argv)
{
    char names[100], *rest = names, *name;
    uint8_t *weights = mem_alloc(MEMORY_BYTES);
    fill(weights, MEMORY_BYTES);
    snprintf(names, sizeof names, "%s", argc > 1 ? argv[1] : kernels_names());
    printf("%-10s %-7s %7s %7s %7s %7s\n%-10s %-7s %7s %7s %7s %7s\n", "kernels", "weights",
           "cached", "memory", "64", "512", "", "", "GB/s", "GB/s", "G/s", "G/s");
    while ((name = strtok_r(rest, ", ", &rest))) {
        struct kernels k;
        unsigned mask;
        if (!kernels_mask(name, &mask)) {
            fprintf(stderr, "check_kernels: the sets are %s\n", kernels_names());
            return 2;
        }
        kernels_init(&k, cpu_flags() & mask);
        if (strcmp(k.name, name) == 0)
            time_set(&k, weights);
    }
    mem_free(weights);
    return 0;
}
