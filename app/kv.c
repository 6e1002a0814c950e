/* kv.c -- `duet kv MODEL`: what holding and reading the context in a tier costs in quality.
 *
 * A text of N tokens: all but the last TAIL are read with an exact cache, which then is brought
 * into each tier; the TAIL tokens are predicted one by one, by the exact cache and by each tier,
 * and what they say is compared. Shares are of f16, with every byte of the cache. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/clock.h"
#include "app/fronts.h"
#include "app/json.h"
#include "app/subcommand.h"
#include "app/tier.h"
#include "engine/engine.h"

enum { TAIL = 512, LIST_MAX = 8, TEXTS_MAX = 8 };

/* What is read where no file is named: the program's own texts. */
static const struct text {
    const char *name, *text;
} texts[] = {
#include "app/texts.inc"
};

struct kv_options {
    const char *model;
    bool tier[TIER_COUNT];       /* wanted; f16 always runs */
    int length[LIST_MAX];
    int n_lengths;
    const char *file[TEXTS_MAX];  /* --text */
    int n_files, threads;
    const char *kernels;
    bool json;
};

/* One tier over one text. */
struct run {
    struct session *session;
    double kld[TAIL];
    double nll, seconds, read_share, chosen, mass;
    int n, n_same;
};

struct kv_bench {
    struct kv_options o;
    struct engine *engine;
    int n_vocab;
    struct run run[TIER_COUNT];
};

/* ---- options ------------------------------------------------------------------------------ */

static bool read_lengths(struct kv_options *o, const char *text)
{
    o->n_lengths = 0;
    while (*text) {
        char *end;
        long v = strtol(text, &end, 10);
        if (end == text || v < 2 * TAIL || v > 1 << 20 || o->n_lengths == LIST_MAX ||
            (*end && *end != ','))
            return false;
        o->length[o->n_lengths++] = (int)v;
        text = *end ? end + 1 : end;
    }
    return o->n_lengths > 0;
}

static bool read_tiers(struct kv_options *o, const char *text)
{
    memset(o->tier, 0, sizeof o->tier);
    while (*text) {
        size_t n = strcspn(text, ",");
        enum kv_tier tier;
        if (!tier_find(text, n, &tier))
            return false;
        o->tier[tier] = true;
        text += n + (text[n] == ',');
    }
    return true;
}

static bool read_option(struct kv_options *o, const char *name, const char *value, struct err *err)
{
    bool ok = true;
    if (strcmp(name, "--length") == 0)
        ok = read_lengths(o, value);
    else if (strcmp(name, "--tier") == 0)
        ok = read_tiers(o, value);
    else if (strcmp(name, "--kernels") == 0)
        o->kernels = value;
    else if (strcmp(name, "--threads") == 0)
        ok = (o->threads = atoi(value)) > 0 && o->threads <= 64;
    else if (strcmp(name, "--text") == 0 && (ok = o->n_files < TEXTS_MAX))
        o->file[o->n_files++] = value;
    else if (ok)
        return err_set(err, ERR_INPUT, "kv: there is no option '%s'", name);
    return ok || err_set(err, ERR_INPUT, "kv: %s cannot be '%s'", name, value);
}

static bool read_options(struct kv_options *o, int argc, char **argv, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            o->json = true;
        else if (argv[i][0] != '-')
            o->model = argv[i];
        else if (i + 1 == argc)
            return err_set(err, ERR_INPUT, "kv: %s needs a value", argv[i]);
        else if (!read_option(o, argv[i], argv[i + 1], err))
            return false;
        else
            i++;
    }
    return true;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static double log_sum(const float *x, int n, int *best)
{
    double sum = 0;
    *best = 0;
    for (int i = 1; i < n; i++)
        *best = x[i] > x[*best] ? i : *best;
    for (int i = 0; i < n; i++)
        sum += (double)expf(x[i] - x[*best]);
    return (double)x[*best] + log(sum);
}

/* The logits of a run after a token, against the exact ones; next: what really follows. */
static void compare(struct run *r, const float *exact, const float *x, int n, int32_t next)
{
    int best, exact_best;
    double sum = log_sum(x, n, &best), exact_sum = log_sum(exact, n, &exact_best), kld = 0;
    for (int i = 0; i < n; i++) {
        double log_p = (double)exact[i] - exact_sum;
        kld += exp(log_p) * (log_p - ((double)x[i] - sum));
    }
    r->kld[r->n++] = kld;
    r->nll += sum - (double)x[next];
    r->n_same += best == exact_best;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool read_to(struct session *s, const int32_t *ids, int n, struct err *err)
{
    int held;
    do {
        held = session_read(s, ids, n, err);
    } while (held >= 0 && held < n);
    return held == n;
}

static bool step(struct kv_bench *b, struct run *r, const int32_t *ids, int n, struct err *err)
{
    struct far_stats far;
    double start = clock_seconds();
    if (!read_to(r->session, ids, n, err))
        return false;
    r->seconds += clock_seconds() - start;
    session_far(r->session, &far);
    r->read_share += (double)far.read_bytes / (double)far.f16_bytes;
    r->chosen += far.chosen;
    r->mass += far.mass;
    compare(r, session_logits(b->run[0].session), session_logits(r->session), b->n_vocab, ids[n]);
    return true;
}

/* ---- telling ------------------------------------------------------------------------------ */

static void tell(struct kv_bench *b, int tier, const char *text, int length)
{
    struct run *r = &b->run[tier];
    struct far_stats far;
    session_far(r->session, &far);
    qsort(r->kld, TAIL, sizeof *r->kld, by_size);
    double kld = 0, f16 = (double)far.f16_bytes;
    for (int i = 0; i < TAIL; i++)
        kld += r->kld[i] / TAIL;
    double ratio = exp((r->nll - b->run[0].nll) / TAIL), p99 = r->kld[TAIL * 99 / 100];
    double share = 100 * (double)far.memory_bytes / f16, disk = 100 * (double)far.disk_bytes / f16;
    double read = 100 * r->read_share / TAIL, top1 = (double)r->n_same / TAIL;
    if (!b->o.json) {
        printf("%-6s %6d %-10.10s %6.2f %6.2f %6.2f %8.4f %8.4f %8.4f %7.4f %8.2f",
               tier_name((enum kv_tier)tier), length, text, share, read, disk, ratio,
               kld, p99, top1, TAIL / r->seconds);
        if (r->chosen > 0)
            printf("  %.0f rows, %.4f of the mass", r->chosen / TAIL, r->mass / TAIL);
        printf("%s%s\n", far.why[0] ? "  " : "", far.why);
        fflush(stdout);
        return;
    }
    struct buf out = {0};
    struct json_line j;
    json_begin(&j, &out);
    json_text(&j, "tier", tier_name((enum kv_tier)tier));
    json_int(&j, "length", length);
    json_text(&j, "text", text);
    json_double(&j, "share_pct", share);
    json_double(&j, "read_pct", read);
    json_double(&j, "disk_pct", disk);
    json_double(&j, "ppl", exp(r->nll / TAIL));
    json_double(&j, "ppl_ratio", ratio);
    json_double(&j, "kld", kld);
    json_double(&j, "kld_p99", p99);
    json_double(&j, "top1", top1);
    json_double(&j, "tok_s", TAIL / r->seconds);
    json_double(&j, "rows", r->chosen / TAIL);
    json_double(&j, "mass", r->mass / TAIL);
    json_end(&j);
    fputs(buf_text(&out), stdout);
    fflush(stdout);
    buf_release(&out);
}

/* ---- measuring ---------------------------------------------------------------------------- */

static bool open_tiers(struct kv_bench *b, struct err *err)
{
    for (int i = 1; i < TIER_COUNT; i++) {
        struct far_opts far = {(enum kv_tier)i, tier_folder()};
        if (!b->o.tier[i])
            continue;
        if (!session_fork(b->run[0].session, &b->run[i].session, err) ||
            !session_set_far(b->run[i].session, &far, err))
            return false;
        session_set_index(b->run[i].session, true);
    }
    return true;
}

static void close_tiers(struct kv_bench *b)
{
    for (int i = TIER_COUNT - 1; i >= 0; i--) {
        session_free(&b->run[i].session);
        memset(&b->run[i], 0, sizeof b->run[i]);
    }
}

static bool measure(struct kv_bench *b, const char *name, const int32_t *ids, int length,
                    struct err *err)
{
    struct session_opts so = {.n_ctx = length};
    bool ok = session_new(&b->run[0].session, b->engine, &so, err) &&
              read_to(b->run[0].session, ids, length - TAIL, err) && open_tiers(b, err);
    for (int n = length - TAIL + 1; ok && n <= length; n++)
        for (int i = 0; ok && i < TIER_COUNT; i++)
            if (b->run[i].session)
                ok = step(b, &b->run[i], ids, n, err);
    for (int i = 0; ok && i < TIER_COUNT; i++)
        if (b->run[i].session && b->o.tier[i])
            tell(b, i, name, length);
    close_tiers(b);
    return ok;
}

/* ---- texts -------------------------------------------------------------------------------- */

static bool read_file(const char *path, struct buf *out, struct err *err)
{
    char part[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_errno(err, "cannot open", path);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_append(out, part, n);
    bool ok = !ferror(f) || err_errno(err, "cannot read", path);
    fclose(f);
    return ok;
}

/* A text and its ids, measured at each length that it has. */
static bool measure_text(struct kv_bench *b, const char *name, const char *text, size_t bytes,
                         struct err *err)
{
    struct tokens ids = {0};
    bool ok = engine_tokenize(b->engine, text, bytes, &ids, err);
    for (int i = 0; ok && i < b->o.n_lengths; i++) {
        int length = b->o.length[i];
        if (length > engine_info(b->engine)->n_ctx_train)
            ok = err_set(err, ERR_LIMIT, "kv: %d tokens; the model's context is %d", length,
                         engine_info(b->engine)->n_ctx_train);
        else if (length >= ids.n)
            ok = err_set(err, ERR_LIMIT, "kv: the text %s has %d tokens, %d are needed", name,
                         ids.n, length + 1);
        else
            ok = measure(b, name, ids.id, length, err);
    }
    tokens_release(&ids);
    return ok;
}

static bool measure_file(struct kv_bench *b, const char *path, struct err *err)
{
    struct buf text = {0};
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    bool ok = read_file(path, &text, err) &&
              measure_text(b, name, buf_text(&text), text.bytes, err);
    buf_release(&text);
    return ok;
}

static bool measure_all(struct kv_bench *b, struct err *err)
{
    for (int i = 0; i < b->o.n_files; i++)
        if (!measure_file(b, b->o.file[i], err))
            return false;
    for (size_t i = 0; b->o.n_files == 0 && i < sizeof texts / sizeof *texts; i++)
        if (!measure_text(b, texts[i].name, texts[i].text, strlen(texts[i].text), err))
            return false;
    return true;
}

int kv_run(const struct paths *p, int argc, char **argv)
{
    struct kv_bench b = {.o = {.model = MODEL_DEFAULT, .threads = 2}};
    struct err err;
    char path[1024];
    int status = STATUS_OK;
    read_tiers(&b.o, "f16,q8,q4,flash");
    read_lengths(&b.o, "2048,4096,8192");
    struct engine_opts eo = {0};
    if (!read_options(&b.o, argc, argv, &err))
        status = STATUS_USAGE;
    eo.n_threads = b.o.threads;
    eo.kernels = b.o.kernels;
    if (status == STATUS_OK && (!paths_model(p, b.o.model, path, sizeof path, &err) ||
                                !engine_open(&b.engine, path, &eo, &err)))
        status = STATUS_MODEL;
    if (status == STATUS_OK)
        b.n_vocab = engine_info(b.engine)->n_vocab;
    if (status == STATUS_OK && !measure_all(&b, &err))
        status = STATUS_TURN;
    if (status != STATUS_OK)
        fprintf(stderr, "duet: %s\n", err.msg);
    engine_close(&b.engine);
    return status;
}
