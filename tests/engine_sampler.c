/* engine_sampler.c -- logits to an id. What could break: ties, the order and borders of the
 * filters, an id that must not be chosen, the shares in which ids are drawn, logits that are no
 * numbers. */
#include <math.h>

#include "engine/cpu.h"
#include "engine/sampler.h"
#include "tests/test.h"

#define MAX_VOCAB 1000

static struct kernels kernels;
static float scratch[MAX_VOCAB];
static int32_t order[MAX_VOCAB];

static struct sampler_call call_of(const struct sampling *how, const float *logits, int n)
{
    kernels_init(&kernels, cpu_flags());
    return (struct sampler_call){ .how = how, .logits = logits, .n_vocab = n, .logit = scratch,
                                  .order = order };
}

static int32_t choose(const struct sampling *how, const float *logits, int n, uint64_t position)
{
    struct sampler_call c = call_of(how, logits, n);
    c.position = position;
    return sampler_choose(&kernels, &c).id;
}

/* In how many of 4000 draws each id comes; *n_kinds: how many ids come at all. */
static void count(const struct sampling *how, const float *logits, int n, int *times)
{
    memset(times, 0, (size_t)n * sizeof *times);
    for (uint64_t i = 0; i < 4000; i++)
        times[choose(how, logits, n, i)]++;
}

void test_sampler_greedy(void **state)
{
    (void)state;
    struct sampling how = { .top_p = 1, .repeat_penalty = 1 };
    const float tie[] = { 1, 3, 2, 3, -1 };
    assert_int_equal(choose(&how, tie, 5, 0), 1);
    how.temperature = 1e-9f;
    assert_int_equal(choose(&how, tie, 5, 0), 1);
    const float one[] = { -5 };
    assert_int_equal(choose(&how, one, 1, 0), 0);
}

void test_sampler_logprob(void **state)
{
    (void)state;
    struct sampling how = { .top_p = 1, .repeat_penalty = 2 };
    const float logits[] = { 1, 2, 3, 4 };
    const int32_t recent[] = { 3, 3, 3 };
    struct sampler_call c = call_of(&how, logits, 4);
    c.recent = recent;
    c.n_recent = 3;
    struct session_token t = sampler_choose(&kernels, &c);
    assert_int_equal(t.id, 2);                  /* 4 became 2 */
    double all = exp(1) + exp(2) + exp(3) + exp(4);
    assert_true(fabs((double)t.logprob - (3 - log(all))) < 1e-5);
    assert_true(fabs(sampler_log_sum_exp(&kernels, logits, 4, scratch) - log(all)) < 1e-6);
}

void test_sampler_penalty(void **state)
{
    (void)state;
    struct sampling how = { .top_p = 1, .repeat_penalty = 2 };
    const float logits[] = { -1, -1.5f, -4 }, far[] = { 4, 1.5f, -4 };
    const int32_t recent[] = { 0, 0, 0 };
    struct sampler_call c = call_of(&how, logits, 3);
    c.recent = recent;
    c.n_recent = 3;
    assert_int_equal(sampler_choose(&kernels, &c).id, 1);   /* -1 became -2 */
    c.logits = far;
    assert_int_equal(sampler_choose(&kernels, &c).id, 0);   /* 4 became 2: once, not three times */
}

void test_sampler_banned(void **state)
{
    (void)state;
    struct sampling how = { .temperature = 1, .top_p = 1, .repeat_penalty = 1 };
    const float logits[] = { 1, 50, 2, 60 };
    const int32_t banned[] = { 1, 3 };
    struct sampler_call c = call_of(&how, logits, 4);
    c.banned = banned;
    c.n_banned = 2;
    for (uint64_t i = 0; i < 500; i++) {
        c.position = i;
        int32_t id = sampler_choose(&kernels, &c).id;
        assert_true(id == 0 || id == 2);
    }
    how.temperature = 0;
    assert_int_equal(sampler_choose(&kernels, &c).id, 2);
}

/* Ids come in the shares of their probabilities, and temperature bends these. */
void test_sampler_shares(void **state)
{
    (void)state;
    struct sampling how = { .temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = 3 };
    const float logits[] = { logf(0.1f), logf(0.6f), logf(0.3f) };
    int times[3];
    count(&how, logits, 3, times);
    assert_in_range(times[0], 330, 470);
    assert_in_range(times[1], 2280, 2520);
    how.temperature = 0.5f;                     /* 1 : 36 : 9 */
    count(&how, logits, 3, times);
    assert_in_range(times[0], 50, 130);
    assert_in_range(times[1], 3000, 3260);
}

void test_sampler_filters(void **state)
{
    (void)state;
    const float logits[] = { logf(0.05f), logf(0.4f), logf(0.3f), logf(0.2f), logf(0.05f) };
    const struct {
        int top_k;
        float top_p, min_p;
        int kept;       /* ids 1, 2, 3, 0, 4 in this order */
    } rows[] = {
        { 0, 1,     0,    5 }, { 1, 1,    0,    1 }, { 3, 1,     0,    3 }, { 4, 1,    0,    4 },
        { 9, 1,     0,    5 }, { 0, 0.1f, 0,    1 }, { 0, 0.39f, 0,    1 }, { 0, 0.5f, 0,    2 },
        { 0, 0.89f, 0,    3 }, { 0, 1,    0.6f, 2 }, { 0, 1,     0.4f, 3 }, { 0, 1,    1,    1 },
        { 2, 0.56f, 0,    1 }, { 2, 0.6f, 0,    2 }, { 3, 0.99f, 0.6f, 2 }, { 0, 0,    0,    1 },
    };
    static const int32_t rank[] = { 1, 2, 3, 0, 4 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sampling how = { .temperature = 1, .top_k = rows[i].top_k, .top_p = rows[i].top_p,
                                .min_p = rows[i].min_p, .repeat_penalty = 1, .seed = i };
        int times[5];
        count(&how, logits, 5, times);
        for (int r = 0; r < 5; r++)
            if ((times[rank[r]] > 0) != (r < rows[i].kept))
                fail_msg("row %zu: rank %d came %d times", i, r, times[rank[r]]);
    }
}

/* The number is a function of seed and position: known answers, and no visible pattern. */
void test_sampler_random(void **state)
{
    (void)state;
    double sum = 0, pairs = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        double a = sampler_random(1, i), b = sampler_random(2, i);
        assert_true(a >= 0 && a < 1);
        assert_true(a != b && a != sampler_random(1, i + 1));
        sum += a;
        pairs += (a - 0.5) * (sampler_random(1, i + 1) - 0.5);
    }
    assert_true(fabs(sum / 10000 - 0.5) < 0.01);
    assert_true(fabs(pairs / 10000) < 0.003);
    assert_true(sampler_random(7, 7) == sampler_random(7, 7));
}

void test_sampler_no_numbers(void **state)
{
    (void)state;
    struct sampling how = { .temperature = 1, .top_p = 0.9f, .repeat_penalty = 1 };
    const float some[] = { NAN, 1, NAN, -INFINITY };
    const float all[] = { NAN, NAN, NAN };
    const float wide[] = { INFINITY, -INFINITY, 3e38f };
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(choose(&how, some, 4, i), 1);
        assert_in_range(choose(&how, all, 3, i), 0, 2);
        assert_int_equal(choose(&how, wide, 3, i), 0);
    }
    how.temperature = 0;
    assert_int_equal(choose(&how, some, 4, 0), 1);
    assert_int_equal(choose(&how, all, 3, 0), 0);
}

/* The heap gives the same choice as sorting everything. */
void test_sampler_like_sorting(void **state)
{
    (void)state;
    float logits[MAX_VOCAB];
    for (int i = 0; i < MAX_VOCAB; i++)
        logits[i] = (float)(4 * sin(i * 12.9898) + (i % 7 == 0));
    struct sampling how = { .temperature = 1, .top_k = 200, .top_p = 1, .repeat_penalty = 1 };
    for (uint64_t pos = 0; pos < 50; pos++) {
        double total = 0, left;
        bool used[MAX_VOCAB] = { false };
        int32_t sorted[200];
        for (int r = 0; r < 200; r++) {
            int best = -1;
            for (int i = 0; i < MAX_VOCAB; i++)
                if (!used[i] && (best < 0 || logits[i] > logits[best]))
                    best = i;
            used[best] = true;
            sorted[r] = best;
            total += exp((double)logits[best]);
        }
        left = sampler_random(0, pos) * total;
        int r = 0;
        while (r < 199 && (left -= exp((double)logits[sorted[r]])) >= 0)
            r++;
        assert_int_equal(choose(&how, logits, MAX_VOCAB, pos), sorted[r]);
    }
}
