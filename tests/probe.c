/* probe.c -- what the engine computes, as JSON, for tests and for comparing engines.
 *
 *   probe MODEL --text FILE --tokens N   the first N tokens of a text file
 *   probe MODEL --ids 1,2,3              these ids
 *       {"tokens":[...],
 *        "positions":[{"pos":0,"lse":...,"top":[[id,logit] x 16]}, ...],
 *        "nll":...,"n":...}
 *     with every 16th position (--every N) and the last; lse is the log of the sum of
 *     exp(logit); nll the summed negative log likelihood of the n tokens that have one before
 *     them.
 *   probe MODEL --tokenize               texts on stdin, each ended by a zero byte: ids
 *   probe MODEL --speed N                tokens per second: reading N tokens, then choosing 64
 *
 * Options: --kv f16|f32, --threads N, --kernels NAME, --chunk N, --exact. No token is added in
 * front. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/parts.h"
#include "engine/tokenizer.h"

#define TOP 16

struct args {
    const char *model, *text, *ids;
    int tokens, speed, every;
    bool tokenize;
    struct engine_opts engine;
    struct session_opts session;
};

static int fail(const char *what)
{
    fprintf(stderr, "probe: %s\n", what);
    return 1;
}

static bool option(struct args *a, const char *name, const char *value)
{
    if (strcmp(name, "--text") == 0)
        a->text = value;
    else if (strcmp(name, "--ids") == 0)
        a->ids = value;
    else if (strcmp(name, "--tokens") == 0)
        a->tokens = atoi(value);
    else if (strcmp(name, "--every") == 0)
        a->every = atoi(value);
    else if (strcmp(name, "--speed") == 0)
        a->speed = atoi(value);
    else if (strcmp(name, "--threads") == 0)
        a->engine.n_threads = atoi(value);
    else if (strcmp(name, "--kernels") == 0)
        a->engine.kernels = value;
    else if (strcmp(name, "--chunk") == 0)
        a->session.chunk = atoi(value);
    else if (strcmp(name, "--kv") == 0 && strcmp(value, "f32") == 0)
        a->session.kv = KV_F32;
    else if (strcmp(name, "--kv") == 0 && strcmp(value, "f16") == 0)
        a->session.kv = KV_F16;
    else
        return false;
    return true;
}

static bool parse_args(struct args *a, int argc, char **argv)
{
    if (argc < 3)
        return false;
    a->model = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--tokenize") == 0)
            a->tokenize = true;
        else if (strcmp(argv[i], "--exact") == 0)
            a->engine.exact = true;
        else if (i + 1 < argc && option(a, argv[i], argv[i + 1]))
            i++;
        else
            return false;
    }
    return a->every > 0 && a->tokenize + (a->text != NULL) + (a->ids != NULL) + (a->speed > 0) == 1;
}

/* The whole stream, terminated by a zero byte. NULL if it cannot be read. */
static char *read_all(FILE *f, size_t *bytes)
{
    char *data = NULL;
    size_t n = 0, room = 0;
    do {
        if (room - n < 2) {
            room = room ? room * 2 : 1 << 16;
            char *more = realloc(data, room);
            if (!more) {
                free(data);
                return NULL;
            }
            data = more;
        }
        n += fread(data + n, 1, room - n - 1, f);
    } while (!feof(f) && !ferror(f));
    data[n] = 0;
    *bytes = n;
    return data;
}

static void print_ids(const struct tokens *t)
{
    putchar('[');
    for (int i = 0; i < t->n; i++)
        printf("%s%d", i ? "," : "", t->id[i]);
    putchar(']');
}

static bool print_texts(const struct tokenizer *t, const char *data, size_t bytes,
                        struct err *err)
{
    struct tokens ids = {0};
    bool ok = true;
    putchar('[');
    for (size_t at = 0; ok && at < bytes; at += strlen(data + at) + 1) {
        ids.n = 0;
        ok = tokenizer_encode(t, data + at, strlen(data + at), false, &ids, err);
        printf("%s", at ? "," : "");
        print_ids(&ids);
    }
    puts("]");
    tokens_release(&ids);
    return ok;
}

/* Needs a vocabulary alone: not an engine, and so no weights of a kind that can be run. */
static int tokenize(const char *path)
{
    struct err err;
    struct parts file;
    struct tokenizer *t = NULL;
    size_t bytes = 0;
    char *data = read_all(stdin, &bytes);
    if (!data)
        return fail("cannot read the standard input");
    bool ok = parts_open(&file, path, &err);
    ok = ok && tokenizer_open(&t, &file.gguf, &err) && print_texts(t, data, bytes, &err);
    tokenizer_close(&t);
    parts_close(&file);
    free(data);
    return ok ? 0 : fail(err.msg);
}

/* ---- scoring ------------------------------------------------------------------------------- */

struct report {
    const struct tokens *t;
    int n_vocab, every;
    double nll;
};

static bool want_all(int pos, int n, void *data)
{
    (void)pos, (void)n, (void)data;
    return true;
}

static double log_sum_exp(const float *x, int n)
{
    double max = (double)x[0], sum = 0;
    for (int i = 1; i < n; i++)
        max = (double)x[i] > max ? (double)x[i] : max;
    for (int i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    return max + log(sum);
}

/* The TOP largest logits, the largest first, the lower id on a tie. */
static void print_top(const float *x, int n)
{
    int top[TOP], n_top = 0;
    for (int i = 0; i < n; i++) {
        int at = n_top;
        while (at > 0 && x[i] > x[top[at - 1]])
            at--;
        if (at == TOP)
            continue;
        n_top += n_top < TOP;
        memmove(top + at + 1, top + at, (size_t)(n_top - at - 1) * sizeof top[0]);
        top[at] = i;
    }
    for (int i = 0; i < n_top; i++)
        printf("%s[%d,%.9g]", i ? "," : "", top[i], (double)x[top[i]]);
}

static void report_row(int pos, const float *logits, void *data)
{
    struct report *r = data;
    double lse = log_sum_exp(logits, r->n_vocab);
    if (pos + 1 < r->t->n)
        r->nll += lse - (double)logits[r->t->id[pos + 1]];
    if (pos % r->every && pos + 1 < r->t->n)
        return;
    printf("%s{\"pos\":%d,\"lse\":%.9g,\"top\":[", pos ? "," : "", pos, lse);
    print_top(logits, r->n_vocab);
    printf("]}");
}

static int score(struct session *s, const struct engine *e, const struct tokens *t, int every)
{
    struct err err;
    struct report r = { t, engine_info(e)->n_vocab, every, 0 };
    printf("{\"tokens\":");
    print_ids(t);
    printf(",\"positions\":[");
    if (!session_score(s, t->id, t->n, want_all, report_row, &r, &err))
        return fail(err.msg);
    printf("],\"nll\":%.9g,\"n\":%d}\n", r.nll, t->n - 1);
    return 0;
}

static int speed(struct session *s, const struct engine *e, int n)
{
    struct err err;
    struct tokens t = {0};
    for (int i = 0; i < n; i++) {
        int32_t id = (int32_t)((i * 7919u + 13) % (unsigned)engine_info(e)->n_vocab);
        if (!tokens_append(&t, &id, 1, &err))
            return fail(err.msg);
    }
    struct session_stats before, after;
    struct sampling greedy = { .top_p = 1, .repeat_penalty = 1 };
    struct session_token out;
    for (int held = 0; held < n;)
        if ((held = session_read(s, t.id, n, &err)) < 0)
            return fail(err.msg);
    tokens_release(&t);
    session_next(s, &greedy, &out, 1, &err);
    session_stats(s, &before);
    for (int i = 0; i < 64; i++)
        if (session_next(s, &greedy, &out, 1, &err) < 0)
            return fail(err.msg);
    session_stats(s, &after);
    printf("{\"kernels\":\"%s\",\"threads\":%d,\"read\":%.1f,\"next\":%.1f}\n",
           engine_info(e)->kernels, engine_info(e)->n_threads,
           n * 1e6 / (double)after.read_us,
           64e6 / (double)(after.next_us - before.next_us));
    return 0;
}

/* ---- the ids ------------------------------------------------------------------------------- */

static bool ids_of_list(const char *list, struct tokens *out, struct err *err)
{
    for (char *end; *list; list = *end ? end + 1 : end) {
        int32_t id = (int32_t)strtol(list, &end, 10);
        if (end == list || (*end && *end != ','))
            return err_set(err, ERR_INPUT, "not a list of ids: '%s'", list);
        if (!tokens_append(out, &id, 1, err))
            return false;
    }
    return true;
}

static bool ids_of_file(const struct engine *e, const char *path, struct tokens *out,
                        struct err *err)
{
    size_t bytes = 0;
    FILE *f = fopen(path, "rb");
    char *text = f ? read_all(f, &bytes) : NULL;
    if (f)
        fclose(f);
    if (!text)
        return err_errno(err, "cannot read", path);
    bool ok = engine_tokenize(e, text, bytes, out, err);
    free(text);
    return ok;
}

static int with_session(struct engine *e, struct args *a, const struct tokens *t)
{
    struct err err;
    struct session *s;
    a->session.n_ctx = a->speed ? a->speed + 66 : t->n;
    if (!session_new(&s, e, &a->session, &err))
        return fail(err.msg);
    int rc = a->speed ? speed(s, e, a->speed) : score(s, e, t, a->every);
    session_free(&s);
    return rc;
}

static int run(struct engine *e, struct args *a)
{
    struct err err;
    struct tokens t = {0};
    if (!(a->speed || (a->ids ? ids_of_list(a->ids, &t, &err) : ids_of_file(e, a->text, &t, &err))))
        return fail(err.msg);
    if (a->tokens > 0 && t.n > a->tokens)
        t.n = a->tokens;
    if (t.n == 0 && !a->speed)
        return fail("no tokens");
    int rc = with_session(e, a, &t);
    tokens_release(&t);
    return rc;
}

int main(int argc, char **argv)
{
    struct args a = { .every = 16 };
    struct engine *e;
    struct err err;
    if (!parse_args(&a, argc, argv))
        return fail("MODEL (--text FILE [--tokens N] | --ids 1,2,3 | --tokenize | --speed N)\n"
                    "       [--kv f16|f32] [--threads N] [--kernels NAME] [--chunk N] [--every N]\n"
                    "       [--exact]");
    if (a.tokenize)
        return tokenize(a.model);
    if (!engine_open(&e, a.model, &a.engine, &err))
        return fail(err.msg);
    int rc = run(e, &a);
    engine_close(&e);
    return rc;
}
