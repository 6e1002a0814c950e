/* bench.c -- `duet bench`: how fast a model reads and answers on this machine.
 *
 * Token ids are i * 7919 mod n_vocab. Reading: N ids into an empty cache, once a repetition.
 * Decoding at depth D: the cache holds D ids, then `gen` times the id that was chosen last passes
 * and the next one is the largest logit. Every figure is the median of the repetitions, with the
 * least and the most. The hash of the last logits shows any change of arithmetic. What is held at a
 * depth is told as it is counted, and as the kernel has it: rows of files in its page cache, the
 * process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/clock.h"
#include "app/bench_batch.h"
#include "app/bench_lookup.h"
#include "app/bench_toggle.h"
#include "app/fronts.h"
#include "app/json.h"
#include "app/open.h"
#include "app/out.h"
#include "app/resident.h"
#include "app/sort.h"
#include "app/subcommand.h"
#include "app/tier.h"
#include "engine/engine.h"

enum { LIST_MAX = 16, REPS_MAX = 99 };

struct numbers {
    int at[LIST_MAX];
    int n;
};

struct bench {
    const char *model;
    struct numbers prefill, depths;
    int gen, reps, threads, chunk;
    enum kv_tier tier;
    const char *kernels;
    const char *lookup;     /* a file: measure that, and nothing else */
    int batch;              /* so many timelines beside each other: likewise; 0 = not */
    struct numbers toggle;  /* depths at which the mode changes: likewise */
    bool json;
    struct engine *engine;
    struct session *session;
    int32_t *ids;           /* [n_ctx] */
    double bandwidth;       /* bytes a second */
};

struct figure {
    const char *what;
    int at, n;
    double seconds[REPS_MAX];
    uint64_t bytes;         /* read for one token; 0 = not told, nor what is held: */
    struct far_stats far;
    struct resident process;
    uint64_t resident;      /* of the rows in files */
};

/* ---- options ------------------------------------------------------------------------------ */

static bool read_numbers(const char *text, int most, struct numbers *out)
{
    out->n = 0;
    while (*text) {
        char *end;
        long v = strtol(text, &end, 10);
        if (end == text || v < 0 || v > most || out->n == LIST_MAX || (*end && *end != ','))
            return false;
        out->at[out->n++] = (int)v;
        text = *end ? end + 1 : end;
    }
    return out->n > 0;
}

static bool read_option(struct bench *b, const char *name, const char *value, struct err *err)
{
    static const int depth_most = 1 << 20;
    struct numbers one;
    bool single = read_numbers(value, depth_most, &one) && one.n == 1;
    bool ok = true;
    if (strcmp(name, "--prefill") == 0)
        ok = read_numbers(value, depth_most, &b->prefill);
    else if (strcmp(name, "--depths") == 0)
        ok = read_numbers(value, depth_most, &b->depths);
    else if (strcmp(name, "--kernels") == 0)
        b->kernels = value;
    else if (strcmp(name, "--lookup") == 0)
        b->lookup = value;
    else if (strcmp(name, "--batch") == 0 &&
             (ok = single && one.at[0] >= 2 && one.at[0] <= BENCH_BATCH_MAX))
        b->batch = one.at[0];
    else if (strcmp(name, "--toggle") == 0)
        ok = read_numbers(value, depth_most, &b->toggle);
    else if (strcmp(name, "--tier") == 0)
        ok = tier_find(value, strlen(value), &b->tier);
    else if (strcmp(name, "--gen") == 0 && (ok = single && one.at[0] > 0))
        b->gen = one.at[0];
    else if (strcmp(name, "--reps") == 0 && (ok = single && one.at[0] > 0 && one.at[0] <= REPS_MAX))
        b->reps = one.at[0];
    else if (strcmp(name, "--threads") == 0 && (ok = single && one.at[0] <= 64))
        b->threads = one.at[0];
    else if (strcmp(name, "--chunk") == 0 && (ok = single && one.at[0] <= 512))
        b->chunk = one.at[0];
    else if (ok)
        return err_set(err, ERR_INPUT, "bench: there is no option '%s'", name);
    return ok || err_set(err, ERR_INPUT, "bench: %s cannot be '%s'", name, value);
}

static bool read_options(struct bench *b, int argc, char **argv, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            b->json = true;
        else if (argv[i][0] != '-')
            b->model = argv[i];
        else if (i + 1 == argc)
            return err_set(err, ERR_INPUT, "bench: %s needs a value", argv[i]);
        else if (!read_option(b, argv[i], argv[i + 1], err))
            return false;
        else
            i++;
    }
    return true;
}

/* ---- telling ------------------------------------------------------------------------------ */

static void tell_held(const struct figure *f)
{
    const struct far_stats *far = &f->far;
    printf("  held   %.1f MB of cache in memory, %.1f %% of f16; %.1f MB of rows in a file, "
           "%.1f MB of these resident; process %.1f MB resident, %.1f MB its own\n",
           (double)far->memory_bytes / 1e6,
           100 * (double)far->memory_bytes / (double)far->f16_bytes,
           (double)far->disk_bytes / 1e6, (double)f->resident / 1e6,
           (double)f->process.all / 1e6, (double)f->process.own / 1e6);
}

static void json_held(struct json_line *j, const struct figure *f)
{
    json_int(j, "f16_bytes", (int64_t)f->far.f16_bytes);
    json_int(j, "memory_bytes", (int64_t)f->far.memory_bytes);
    json_int(j, "disk_bytes", (int64_t)f->far.disk_bytes);
    json_int(j, "resident_rows_bytes", (int64_t)f->resident);
    json_int(j, "process_bytes", (int64_t)f->process.all);
    json_int(j, "process_own_bytes", (int64_t)f->process.own);
}

static void tell(struct bench *b, struct figure *f)
{
    double median = sort_median(f->seconds, b->reps);
    double tok_s = f->n / median, least = f->n / f->seconds[b->reps - 1];
    double most = f->n / f->seconds[0];
    double share = f->bytes ? tok_s * (double)f->bytes / b->bandwidth : 0;
    uint64_t hash = session_logits_hash(b->session);
    if (!b->json) {
        printf("%-8s %s %6d  %9.2f tok/s  (%.2f to %.2f)", f->what, f->bytes ? "at" : "of",
               f->bytes ? f->at : f->n, tok_s, least, most);
        if (f->bytes)
            printf("  %7.1f MB a token, %3.0f %% of the bandwidth", (double)f->bytes / 1e6,
                   share * 100);
        printf("  logits %016llx\n", (unsigned long long)hash);
        if (f->bytes)
            tell_held(f);
        fflush(stdout);
        return;
    }
    struct buf out = {0};
    struct json_line j;
    char text[20];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    json_begin(&j, &out);
    json_text(&j, "what", f->what);
    json_int(&j, "at", f->at);
    json_int(&j, "n", f->n);
    json_text(&j, "tier", tier_name(b->tier));
    json_int(&j, "threads", engine_info(b->engine)->n_threads);
    json_text(&j, "kernels", engine_info(b->engine)->kernels);
    json_double(&j, "tok_s", tok_s);
    json_double(&j, "min", least);
    json_double(&j, "max", most);
    if (f->bytes) {
        json_int(&j, "token_bytes", (int64_t)f->bytes);
        json_double(&j, "bandwidth_share", share);
        json_held(&j, f);
    }
    json_text(&j, "logits", text);
    json_end(&j);
    fputs(buf_text(&out), stdout);
    fflush(stdout);
    buf_release(&out);
}

/* ---- measuring ---------------------------------------------------------------------------- */

static bool read_to(struct bench *b, int n, struct err *err)
{
    int held;
    do {
        held = session_read(b->session, b->ids, n, err);
    } while (held >= 0 && held < n);
    return held == n;
}

static bool bench_prefill(struct bench *b, int n, struct err *err)
{
    struct figure f = {.what = "prefill", .n = n};
    for (int r = 0; r < b->reps; r++) {
        session_cut(b->session, 0);
        double start = clock_seconds();
        if (!read_to(b, n, err))
            return false;
        f.seconds[r] = clock_seconds() - start;
    }
    tell(b, &f);
    return true;
}

static bool choose(struct bench *b, int n, struct err *err)
{
    const struct sampling greedy = {.top_p = 1, .repeat_penalty = 1};
    struct session_token token;
    for (int i = 0; i < n; i++)
        if (session_next(b->session, &greedy, &token, 1, err) != 1)
            return false;
    return true;
}

/* The first token is chosen before the clock runs: it needs no pass. An empty cache gets one id. */
static bool bench_decode(struct bench *b, int depth, struct err *err)
{
    struct figure f = {.what = "decode", .at = depth, .n = b->gen};
    int held = depth > 0 ? depth : 1;
    bool ok = true;
    for (int r = 0; ok && r < b->reps; r++) {
        if (session_len(b->session) > held)
            session_cut(b->session, held);
        ok = read_to(b, held, err) && choose(b, 1, err);
        double start = clock_seconds();
        ok = ok && choose(b, b->gen, err);
        f.seconds[r] = clock_seconds() - start;
    }
    session_far(b->session, &f.far);
    f.resident = session_resident(b->session);
    f.process = resident_now();
    f.bytes = engine_info(b->engine)->token_bytes + f.far.read_bytes;
    if (ok)
        tell(b, &f);
    return ok;
}

static bool measure(struct bench *b, struct err *err)
{
    bool ok = true;
    if (b->lookup)
        return bench_lookup(b->engine, &(struct bench_lookup){b->lookup, b->gen, b->reps, b->json},
                            err);
    if (b->batch)
        return bench_batch(b->engine, &(struct bench_batch){b->batch, b->gen, b->reps, b->json},
                           err);
    for (int i = 0; ok && i < b->toggle.n; i++)
        ok = bench_toggle(b->engine,
                          &(struct bench_toggle){b->toggle.at[i], b->reps, b->tier, b->json}, err);
    if (b->toggle.n)
        return ok;
    for (int i = 0; ok && i < b->prefill.n; i++)
        ok = b->prefill.at[i] == 0 || bench_prefill(b, b->prefill.at[i], err);
    for (int i = 0; ok && i < b->depths.n; i++)
        ok = bench_decode(b, b->depths.at[i], err);
    return ok;
}

/* Tokens that a timeline holds at most: at a depth two more than are counted, the one in an empty
 * cache and the last one chosen. */
static int longest(const struct bench *b)
{
    int most = 0, more = b->gen + 2;
    for (int i = 0; i < b->prefill.n; i++)
        most = b->prefill.at[i] > most ? b->prefill.at[i] : most;
    for (int i = 0; i < b->depths.n; i++)
        most = b->depths.at[i] + more > most ? b->depths.at[i] + more : most;
    return most;
}

static bool open_all(struct bench *b, const char *path, struct err *err)
{
    struct engine_opts eo = {.n_threads = b->threads, .kernels = b->kernels};
    if (!open_engine(&b->engine, path, &eo, err))
        return false;
    if (b->lookup || b->batch || b->toggle.n)
        return true;
    const struct engine_info *info = engine_info(b->engine);
    struct session_opts so = {.n_ctx = longest(b), .chunk = b->chunk};
    if (so.n_ctx > info->n_ctx_train)
        return err_set(err, ERR_LIMIT, "bench: %d tokens; the model's context is %d", so.n_ctx,
                       info->n_ctx_train);
    b->ids = malloc((size_t)so.n_ctx * sizeof *b->ids);
    if (!b->ids)
        return err_set(err, ERR_NOMEM, "bench: not enough memory");
    for (int i = 0; i < so.n_ctx; i++)
        b->ids[i] = (int32_t)((int64_t)i * 7919 % info->n_vocab);
    so.far = (struct far_opts){b->tier, tier_folder()};
    if (!session_new(&b->session, b->engine, &so, err))
        return false;
    session_set_index(b->session, true);
    b->bandwidth = engine_bandwidth(b->engine, 5);
    if (!b->json)
        out_printf(stdout, "%s: %d threads, kernels %s, weights %.1f MB, read at %.1f GB/s\n",
                   info->path, info->n_threads, info->kernels, (double)info->weight_bytes / 1e6,
                   b->bandwidth / 1e9);
    return true;
}

int bench_run(const struct paths *p, int argc, char **argv)
{
    struct bench b = {.model = MODEL_DEFAULT, .gen = 32, .reps = 3, .threads = 2};
    struct err err;
    char path[1024];
    int status = STATUS_OK;
    read_numbers("512", 512, &b.prefill);
    read_numbers("0,4096,8128", 8128, &b.depths);
    if (!read_options(&b, argc, argv, &err))
        status = STATUS_USAGE;
    else if (!paths_model(p, b.model, path, sizeof path, &err) || !open_all(&b, path, &err))
        status = STATUS_MODEL;
    else if (!measure(&b, &err))
        status = STATUS_TURN;
    if (status != STATUS_OK)
        out_printf(stderr, "duet: %s\n", err.msg);
    session_free(&b.session);
    engine_close(&b.engine);
    free(b.ids);
    return status;
}
