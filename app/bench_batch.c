/* bench_batch.c -- see bench_batch.h. */
#include "app/bench_batch.h"

#include <stdio.h>

#include "app/clock.h"
#include "app/json.h"
#include "app/out.h"
#include "app/sort.h"

enum { DEPTH = 128, REPS_MAX = 99 };

struct measuring {
    const struct bench_batch *how;
    struct engine *engine;
    struct session *base;       /* holds the ids they all begin with */
    struct batch *batch;
    double ratio[REPS_MAX], one[REPS_MAX];
};

static bool base_make(struct measuring *m, struct err *err)
{
    int32_t ids[DEPTH];
    int n_vocab = engine_info(m->engine)->n_vocab, held = 0;
    struct session_opts so = {.n_ctx = DEPTH + m->how->gen + 1};
    for (int i = 0; i < DEPTH; i++)
        ids[i] = (int32_t)((int64_t)i * 7919 % n_vocab);
    if (!session_new(&m->base, m->engine, &so, err))
        return false;
    while (held >= 0 && held < DEPTH)
        held = session_read(m->base, ids, DEPTH, err);
    return held == DEPTH && batch_new(&m->batch, m->engine, m->how->n, err);
}

/* The next token of each of n, or of the one alone without a batch. */
static bool step(struct measuring *m, struct session *const *s, int n, struct err *err)
{
    struct session_token out[BENCH_BATCH_MAX];
    struct sampling how[BENCH_BATCH_MAX];
    for (int i = 0; i < n; i++)
        how[i] = (struct sampling){.temperature = 0.8f, .top_p = 1, .min_p = 0.05f,
                                   .repeat_penalty = 1, .no_end = true, .seed = (uint64_t)i + 1};
    return n == 1 ? session_next(s[0], how, out, 1, err) == 1
                  : batch_next(m->batch, s, n, how, out, err) == n;
}

/* Seconds for `gen` tokens of each of n forks; negative: *err. */
static double run(struct measuring *m, int n, struct err *err)
{
    struct session *s[BENCH_BATCH_MAX] = {0};
    bool ok = true;
    for (int i = 0; ok && i < n; i++)
        ok = session_fork(m->base, &s[i], err);
    double start = clock_seconds();
    for (int i = 0; ok && i < m->how->gen; i++)
        ok = step(m, s, n, err);
    double seconds = clock_seconds() - start;
    for (int i = 0; i < n; i++)
        session_free(&s[i]);
    return ok ? seconds : -1;
}

static void tell(struct measuring *m)
{
    const struct bench_batch *how = m->how;
    sort_numbers(m->ratio, how->reps);
    sort_numbers(m->one, how->reps);
    double ratio = m->ratio[how->reps / 2], one = m->one[how->reps / 2];
    if (!how->json) {
        out_printf(stdout, "batch    of %6d  %9.2f tok/s each, one alone %.2f: %.2f x its time  "
                   "(%.2f to %.2f)\n", how->n, how->gen / (one * ratio), how->gen / one, ratio,
                   m->ratio[0], m->ratio[how->reps - 1]);
        return;
    }
    struct buf out = {0};
    struct json_line j;
    json_begin(&j, &out);
    json_text(&j, "what", "batch");
    json_int(&j, "n", how->n);
    json_int(&j, "tokens", how->gen);
    json_int(&j, "threads", engine_info(m->engine)->n_threads);
    json_double(&j, "one_tok_s", how->gen / one);
    json_double(&j, "ratio", ratio);
    json_double(&j, "min", m->ratio[0]);
    json_double(&j, "max", m->ratio[how->reps - 1]);
    json_end(&j);
    fputs(buf_text(&out), stdout);
    buf_release(&out);
}

static bool measure(struct measuring *m, struct err *err)
{
    if (!base_make(m, err))
        return false;
    for (int r = 0; r < m->how->reps; r++) {
        double one = run(m, 1, err);
        double all = one < 0 ? one : run(m, m->how->n, err);
        if (all < 0)
            return false;
        m->one[r] = one;
        m->ratio[r] = all / one;
    }
    tell(m);
    return true;
}

bool bench_batch(struct engine *e, const struct bench_batch *how, struct err *err)
{
    struct measuring m = {.how = how, .engine = e};
    bool ok = measure(&m, err);
    batch_free(&m.batch);
    session_free(&m.base);
    return ok;
}
