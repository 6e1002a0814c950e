/* kv.c -- `duet kv MODEL`: what holding and reading the context in a tier costs in quality.
 *
 * A text of N tokens: all but the last TAIL are read with an exact cache, which then is brought
 * into each tier; the TAIL tokens are predicted one by one, by the exact cache and by each tier,
 * and what they say is compared. Texts with facts in them (recall.h) are read whole, each question
 * then is read behind them, and the tokens of its answer are what is predicted. Shares are of f16,
 * with every byte of the cache. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/clock.h"
#include "app/fronts.h"
#include "app/json.h"
#include "app/open.h"
#include "app/out.h"
#include "app/recall.h"
#include "app/signals.h"
#include "app/softmax.h"
#include "app/sort.h"
#include "app/subcommand.h"
#include "app/tier.h"
#include "engine/engine.h"

enum {
    TAIL = 512, LIST_MAX = 12, TEXTS_MAX = 8, RUNS_MAX = KV_TIER_FLASH + LIST_MAX,
    RECALL_ROOM = 64,   /* for a question and its answer */
};

/* What is read where no file is named: app/texts, the program's own as they once were, and
 * recall's. */
static const struct text {
    const char *name, *text;
} texts[] = {
#include "app/texts.inc"
};
enum { N_TEXTS = sizeof texts / sizeof *texts };
static const char *const recall_names[] = { [RECALL_NEEDLE] = "needle", [RECALL_KEYS] = "keys" };
enum { N_RECALLS = sizeof recall_names / sizeof *recall_names };

struct list {
    int at[LIST_MAX];
    int n;
};

struct kv_options {
    const char *model;
    bool tier[TIER_COUNT];        /* wanted; f16 always runs */
    struct list length, rows;     /* rows: chosen by the index, a run each; 0 = by share */
    const char *text[TEXTS_MAX];  /* names and files; none: all names */
    int n_texts, threads;
    uint64_t seed;
    const char *kernels;
    bool json;
};

/* One tier over one text. */
struct run {
    enum kv_tier tier;
    int rows;
    struct session *session;
    double kld[TAIL];
    double nll, seconds, read_share, chosen, values, mass;
    int n, n_same, n_timed;   /* predictions; those equal to f16's; those timed */
    int recalled;
    bool right;               /* all tokens of the answer so far */
};

struct kv_bench {
    struct kv_options o;
    struct engine *engine;
    int n_vocab;
    const char *name;         /* of the text that is measured */
    int length, asked;        /* its tokens; questions, 0 = it has none */
    double started, told;     /* progress: clock_seconds() */
    struct run run[RUNS_MAX]; /* [n_runs], f16 first */
    int n_runs;
};

/* ---- options ------------------------------------------------------------------------------ */

static bool read_list(struct list *out, const char *text, long least, long most)
{
    out->n = 0;
    while (*text) {
        char *end;
        long v = strtol(text, &end, 10);
        if (end == text || v < least || v > most || out->n == LIST_MAX || (*end && *end != ','))
            return false;
        out->at[out->n++] = (int)v;
        text = *end ? end + 1 : end;
    }
    return out->n > 0;
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
        ok = read_list(&o->length, value, 2 * TAIL, 1 << 20);
    else if (strcmp(name, "--rows") == 0)
        ok = read_list(&o->rows, value, 1, SESSION_ROWS_MAX);
    else if (strcmp(name, "--tier") == 0)
        ok = read_tiers(o, value);
    else if (strcmp(name, "--kernels") == 0)
        o->kernels = value;
    else if (strcmp(name, "--threads") == 0)
        ok = (o->threads = atoi(value)) > 0 && o->threads <= 64;
    else if (strcmp(name, "--seed") == 0)
        o->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--text") == 0 && (ok = o->n_texts < TEXTS_MAX))
        o->text[o->n_texts++] = value;
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

/* The logits of a run after a token, against the exact ones; next: what really follows. */
static void compare(struct run *r, const float *exact, const float *x, int n, int32_t next)
{
    int best, exact_best;
    double sum = softmax_log_sum(x, n, &best), kld = 0;
    double exact_sum = softmax_log_sum(exact, n, &exact_best);
    for (int i = 0; i < n; i++) {
        double log_p = (double)exact[i] - exact_sum;
        kld += exp(log_p) * (log_p - ((double)x[i] - sum));
    }
    r->kld[r->n++] = kld;
    r->nll += sum - (double)x[next];
    r->n_same += best == exact_best;
    r->right = r->right && best == next;
}

/* ---- progress ----------------------------------------------------------------------------- */

static bool wants_progress(void)
{
    return isatty(STDERR_FILENO);
}

static void progress_clear(void)
{
    if (wants_progress())
        fputs("\r\033[K", stderr);
}

/* After each slice of work: what takes over a second is told, and Ctrl+C ends it. */
static bool go_on(struct kv_bench *b, const char *doing, int done, int total, struct err *err)
{
    double now = clock_seconds();
    if (signals_take())
        return err_set(err, ERR_CANCELLED, "stopped");
    if (!wants_progress() || now - b->started < 1 || now - b->told < 0.2)
        return true;
    b->told = now;
    fprintf(stderr, "\r%.40s, %d tokens: %s %d of %d\033[K", b->name, b->length, doing, done,
            total);
    return true;
}

/* ---- one prediction ------------------------------------------------------------------------ */

static bool read_to(struct kv_bench *b, struct session *s, const int32_t *ids, int n,
                    struct err *err)
{
    int held;
    do {
        held = session_read(s, ids, n, err);
    } while (held >= 0 && held < n && go_on(b, "reading", held, n, err));
    return held == n;
}

/* Reads ids[0..n) and takes down what is predicted; one token more than before is timed. */
static bool step(struct kv_bench *b, struct run *r, const int32_t *ids, int n, struct err *err)
{
    struct far_stats far;
    bool timed = session_len(r->session) == n - 1;
    double start = clock_seconds();
    if (!read_to(b, r->session, ids, n, err))
        return false;
    if (timed) {
        session_far(r->session, &far);
        r->seconds += clock_seconds() - start;
        r->read_share += (double)far.read_bytes / (double)far.f16_bytes;
        r->chosen += far.chosen;
        r->values += far.values;
        r->mass += far.mass;
        r->n_timed++;
    }
    compare(r, session_logits(b->run[0].session), session_logits(r->session), b->n_vocab, ids[n]);
    return true;
}

/* Predicts ids[from, to) one by one, by all runs. */
static bool predict(struct kv_bench *b, const int32_t *ids, int from, int to, struct err *err)
{
    for (int n = from; n < to; n++)
        for (int i = 0; i < b->n_runs; i++)
            if (!step(b, &b->run[i], ids, n, err) ||
                !go_on(b, "predicting", b->run[0].n, b->asked ? b->asked : TAIL, err))
                return false;
    return true;
}

/* ---- telling ------------------------------------------------------------------------------ */

/* The figures of a run, as they are told. */
struct figures {
    struct far_stats far;
    double share, read, disk, resident, ppl, ratio, kld, p99, top1, tok_s, rows, values, mass;
};

static struct figures figures_of(struct kv_bench *b, struct run *r)
{
    struct figures f = {0};
    double n = r->n, timed = r->n_timed > 0 ? r->n_timed : 1;
    session_far(r->session, &f.far);
    sort_numbers(r->kld, r->n);
    for (int i = 0; i < r->n; i++)
        f.kld += r->kld[i] / n;
    double f16 = (double)f.far.f16_bytes;
    f.share = 100 * (double)f.far.memory_bytes / f16;
    f.disk = 100 * (double)f.far.disk_bytes / f16;
    f.resident = 100 * (double)session_resident(r->session) / f16;
    f.read = 100 * r->read_share / timed;
    f.ppl = exp(r->nll / n);
    f.ratio = exp((r->nll - b->run[0].nll) / n);
    f.p99 = r->kld[r->n * 99 / 100];
    f.top1 = r->n_same / n;
    f.tok_s = r->seconds > 0 ? r->n_timed / r->seconds : 0;
    f.rows = r->chosen / timed;
    f.values = r->values / timed;
    f.mass = r->mass / timed;
    return f;
}

/* Both fit into 80 columns. */
static void print_heading(void)
{
    printf("%-5s %5s %-6s%6s%6s%6s%7s%7s%6s%6s%6s%5s%6s\n", "tier", "len", "text", "mem%",
           "read%", "disk%", "ppl x", "KLD", "p99", "top-1", "found", "rows", "tok/s");
}

static void tell_row(struct kv_bench *b, const struct run *r, const struct figures *f)
{
    char found[16] = "-";
    if (b->asked)
        snprintf(found, sizeof found, "%d/%d", r->recalled, b->asked);
    out_printf(stdout, "%-5s %5d %-6.6s%6.1f%6.1f%6.1f%7.4f%7.4f%6.3f%6.3f%6s%5.0f%6.1f",
               tier_name(r->tier), b->length, b->name, f->share, f->read, f->disk, f->ratio,
               f->kld, f->p99, f->top1, found, f->rows, f->tok_s);
    out_printf(stdout, "%s%s\n", f->far.why[0] ? "  " : "", f->far.why);
}

static void tell_json(struct kv_bench *b, const struct run *r, const struct figures *f)
{
    struct buf out = {0};
    struct json_line j;
    json_begin(&j, &out);
    json_text(&j, "tier", tier_name(r->tier));
    json_int(&j, "length", b->length);
    json_text(&j, "text", b->name);
    json_double(&j, "share_pct", f->share);
    json_double(&j, "read_pct", f->read);
    json_double(&j, "disk_pct", f->disk);
    json_double(&j, "resident_pct", f->resident);
    json_double(&j, "ppl", f->ppl);
    json_double(&j, "ppl_ratio", f->ratio);
    json_double(&j, "kld", f->kld);
    json_double(&j, "kld_p99", f->p99);
    json_double(&j, "top1", f->top1);
    json_double(&j, "tok_s", f->tok_s);
    json_int(&j, "rows_asked", r->rows);
    json_double(&j, "rows", f->rows);
    json_double(&j, "values", f->values);
    json_double(&j, "mass", f->mass);
    if (b->asked) {
        json_int(&j, "asked", b->asked);
        json_double(&j, "recall", (double)r->recalled / b->asked);
        json_double(&j, "recall_f16", (double)b->run[0].recalled / b->asked);
    }
    if (f->far.why[0])
        json_text(&j, "why", f->far.why);
    json_end(&j);
    fputs(buf_text(&out), stdout);
    buf_release(&out);
}

static void tell_all(struct kv_bench *b)
{
    progress_clear();
    for (int i = 0; i < b->n_runs; i++) {
        struct run *r = &b->run[i];
        if (!b->o.tier[r->tier])
            continue;
        struct figures f = figures_of(b, r);
        (b->o.json ? tell_json : tell_row)(b, r, &f);
    }
    fflush(stdout);
}

/* ---- measuring ---------------------------------------------------------------------------- */

/* A fork of what is exact, brought into a tier; of flash only the first is, the others are forks of
 * that. */
static bool open_run(struct kv_bench *b, enum kv_tier tier, int rows, struct err *err)
{
    struct run *last = &b->run[b->n_runs - 1], *r = &b->run[b->n_runs++];
    bool again = tier == KV_TIER_FLASH && last->tier == tier;
    struct far_opts far = {tier, tier_folder()};
    r->tier = tier;
    r->rows = tier == KV_TIER_FLASH ? rows : 0;
    if (!session_fork(again ? last->session : b->run[0].session, &r->session, err) ||
        (!again && !session_set_far(r->session, &far, err)))
        return false;
    session_set_index(r->session, true);
    session_set_rows(r->session, r->rows);
    return go_on(b, "converting to tier", b->n_runs, b->n_runs, err);
}

/* Reads the text exactly and takes it into all tiers. */
static bool open_runs(struct kv_bench *b, const int32_t *ids, int n, struct err *err)
{
    struct session_opts so = {.n_ctx = b->length};
    b->n_runs = 1;
    b->started = clock_seconds();
    if (!session_new(&b->run[0].session, b->engine, &so, err) ||
        !read_to(b, b->run[0].session, ids, n, err))
        return false;
    for (int i = KV_TIER_Q8; i < KV_TIER_FLASH; i++)
        if (b->o.tier[i] && !open_run(b, (enum kv_tier)i, 0, err))
            return false;
    for (int i = 0; b->o.tier[KV_TIER_FLASH] && i < b->o.rows.n; i++)
        if (!open_run(b, KV_TIER_FLASH, b->o.rows.at[i], err))
            return false;
    return true;
}

static void close_runs(struct kv_bench *b)
{
    progress_clear();
    while (b->n_runs > 0) {
        struct run *r = &b->run[--b->n_runs];
        session_free(&r->session);
        memset(r, 0, sizeof *r);
    }
}

static bool measure(struct kv_bench *b, const int32_t *ids, struct err *err)
{
    b->asked = 0;
    bool ok = open_runs(b, ids, b->length - TAIL, err) &&
              predict(b, ids, b->length - TAIL + 1, b->length + 1, err);
    if (ok)
        tell_all(b);
    close_runs(b);
    return ok;
}

/* One question behind the text; line: the text, with room. */
static bool ask(struct kv_bench *b, struct tokens *line, int n_text, const struct recall_ask *a,
                struct err *err)
{
    line->n = n_text;
    for (int i = 0; i < b->n_runs; i++)
        b->run[i].right = true;
    if (!tokens_append(line, a->ids.id, a->ids.n, err) ||
        !predict(b, line->id, n_text + a->n_question, line->n, err))
        return false;
    for (int i = 0; i < b->n_runs; i++)
        b->run[i].recalled += b->run[i].right;
    return true;
}

static bool measure_recall(struct kv_bench *b, struct recall *r, struct err *err)
{
    int n_text = r->text.n;
    b->asked = r->n;
    bool ok = open_runs(b, r->text.id, n_text, err);
    for (int i = 0; ok && i < r->n; i++)
        ok = ask(b, &r->text, n_text, &r->ask[i], err);
    if (ok)
        tell_all(b);
    close_runs(b);
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
    return signals_take() ? err_set(err, ERR_CANCELLED, "stopped") : ok;
}

static bool check_length(const struct kv_bench *b, int n_ids, struct err *err)
{
    int most = engine_info(b->engine)->n_ctx_train;
    if (b->length > most)
        return err_set(err, ERR_LIMIT, "kv: %d tokens; the model's context is %d", b->length, most);
    return b->length < n_ids ||
           err_set(err, ERR_LIMIT, "kv: the text %s has %d tokens, %d are needed", b->name, n_ids,
                   b->length + 1);
}

/* A text, measured at each length. */
static bool measure_text(struct kv_bench *b, const char *text, size_t bytes, struct err *err)
{
    struct tokens ids = {0};
    bool ok = engine_tokenize(b->engine, text, bytes, &ids, err);
    for (int i = 0; ok && i < b->o.length.n; i++) {
        b->length = b->o.length.at[i];
        ok = check_length(b, ids.n, err) && measure(b, ids.id, err);
    }
    tokens_release(&ids);
    return ok;
}

/* A text with facts, at each length; the needles lie in the first of our own texts. */
static bool measure_facts(struct kv_bench *b, enum recall_kind kind, struct err *err)
{
    struct tokens hay = {0};
    bool ok = engine_tokenize(b->engine, texts[0].text, strlen(texts[0].text), &hay, err);
    for (int i = 0; ok && i < b->o.length.n; i++) {
        struct recall r = {0};
        b->length = b->o.length.at[i];
        struct recall_opts o = {kind, b->length - RECALL_ROOM, hay.id, b->o.seed};
        ok = check_length(b, kind == RECALL_NEEDLE ? hay.n : b->length + 1, err) &&
             recall_make(&r, b->engine, &o, err) && measure_recall(b, &r, err);
        recall_release(&r);
    }
    tokens_release(&hay);
    return ok;
}

static bool measure_file(struct kv_bench *b, const char *path, struct err *err)
{
    struct buf text = {0};
    b->name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    bool ok = read_file(path, &text, err) &&
              measure_text(b, buf_text(&text), text.bytes, err);
    buf_release(&text);
    return ok;
}

/* One of ours by its name, or a file. */
static bool measure_named(struct kv_bench *b, const char *name, struct err *err)
{
    b->name = name;
    for (int i = 0; i < N_TEXTS; i++)
        if (strcmp(name, texts[i].name) == 0)
            return measure_text(b, texts[i].text, strlen(texts[i].text), err);
    for (int i = 0; i < N_RECALLS; i++)
        if (strcmp(name, recall_names[i]) == 0)
            return measure_facts(b, (enum recall_kind)i, err);
    return measure_file(b, name, err);
}

static bool measure_all(struct kv_bench *b, struct err *err)
{
    if (!b->o.json)
        print_heading();
    for (int i = 0; i < b->o.n_texts; i++)
        if (!measure_named(b, b->o.text[i], err))
            return false;
    for (int i = 0; b->o.n_texts == 0 && i < N_TEXTS; i++)
        if (!measure_named(b, texts[i].name, err))
            return false;
    for (int i = 0; b->o.n_texts == 0 && i < N_RECALLS; i++)
        if (!measure_named(b, recall_names[i], err))
            return false;
    return true;
}

static bool open_model(struct kv_bench *b, const struct paths *p, struct err *err)
{
    struct engine_opts eo = {.n_threads = b->o.threads, .kernels = b->o.kernels};
    char path[1024];
    if (!paths_model(p, b->o.model, path, sizeof path, err) ||
        !open_engine(&b->engine, path, &eo, err))
        return false;
    b->n_vocab = engine_info(b->engine)->n_vocab;
    return true;
}

int kv_run(const struct paths *p, int argc, char **argv)
{
    static struct kv_bench b;
    struct err err;
    int status = STATUS_OK;
    b = (struct kv_bench){.o = {.model = MODEL_DEFAULT, .threads = 2, .seed = 1}};
    read_tiers(&b.o, "f16,q8,q4,flash");
    read_list(&b.o.length, "2048,4096,8192", 1, INT32_MAX);
    b.o.rows.n = 1;
    signals_init(NULL);
    if (!read_options(&b.o, argc, argv, &err))
        status = STATUS_USAGE;
    else if (!open_model(&b, p, &err))
        status = STATUS_MODEL;
    else if (!measure_all(&b, &err))
        status = err.code == ERR_CANCELLED ? STATUS_INTERRUPTED : STATUS_TURN;
    if (status != STATUS_OK)
        out_printf(stderr, "duet: %s\n", err.msg);
    engine_close(&b.engine);
    return status;
}
