/* bench_lookup.c -- see bench_lookup.h. Beside the time on the clock stands that of the processor,
 * which other programs on the machine disturb less. */
#include "app/bench_lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/clock.h"
#include "app/json.h"
#include "app/out.h"
#include "app/sort.h"

enum { FILE_MAX = 1 << 20, REPS_MAX = 99 };

/* The replies of one kind. */
struct replies {
    int most;               /* tokens chosen at once at most */
    int32_t *ids;           /* [gen] the last one */
    int n;
    double seconds[REPS_MAX], cpu[REPS_MAX];
};

struct measuring {
    const struct bench_lookup *how;
    struct engine *engine;
    struct session *session;
    struct tokens prompt;
    struct replies one, ahead;
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The file as a user's message, and what opens the reply. */
static bool prompt_make(struct measuring *m, struct err *err)
{
    FILE *f = fopen(m->how->file, "rb");
    char *text = malloc(FILE_MAX);
    if (!f || !text) {
        err_set(err, ERR_IO, "cannot read '%s': %s", m->how->file, strerror(errno));
        free(text);
        if (f)
            fclose(f);
        return false;
    }
    size_t n = fread(text, 1, FILE_MAX, f);
    fclose(f);
    bool ok = engine_chat(m->engine, CHAT_BEGIN, "", 0, &m->prompt, err) &&
              engine_chat(m->engine, CHAT_USER, text, n, &m->prompt, err) &&
              engine_chat(m->engine, CHAT_REPLY, NULL, 0, &m->prompt, err) &&
              engine_chat(m->engine, CHAT_THINK_SKIP, NULL, 0, &m->prompt, err);
    free(text);
    return ok;
}

static bool read_prompt(struct measuring *m, struct err *err)
{
    int n;
    do {
        n = session_read(m->session, m->prompt.id, m->prompt.n, err);
    } while (n >= 0 && n < m->prompt.n);
    return n >= 0;
}

/* One reply: repetition `rep` of its kind. */
static bool reply(struct measuring *m, struct replies *r, int rep, struct err *err)
{
    const struct sampling greedy = {.top_p = 1, .repeat_penalty = 1};
    struct session_token token[SESSION_NEXT_MAX];
    if (!read_prompt(m, err))
        return false;
    double start = clock_seconds(), cpu = cpu_seconds();
    r->n = 0;
    while (r->n < m->how->gen && !(r->n > 0 && engine_is_end(m->engine, r->ids[r->n - 1]))) {
        int left = m->how->gen - r->n;
        int n = session_next(m->session, &greedy, token, left < r->most ? left : r->most, err);
        if (n <= 0)
            return false;
        for (int i = 0; i < n; i++)
            r->ids[r->n++] = token[i].id;
    }
    r->seconds[rep] = clock_seconds() - start;
    r->cpu[rep] = cpu_seconds() - cpu;
    return true;
}

static bool tell(struct measuring *m, struct err *err)
{
    struct session_stats s;
    int reps = m->how->reps, n = m->one.n;
    session_stats(m->session, &s);
    if (n != m->ahead.n || memcmp(m->one.ids, m->ahead.ids, (size_t)n * sizeof *m->one.ids) != 0)
        return err_set(err, ERR_FORMAT, "bench: the two replies differ");
    double one = sort_median(m->one.seconds, reps), ahead = sort_median(m->ahead.seconds, reps);
    double cpu = sort_median(m->one.cpu, reps) / sort_median(m->ahead.cpu, reps);
    if (!m->how->json) {
        out_printf(stdout, "lookup   at %6d  %9.2f tok/s  one by one %.2f: %.2f x, processor "
                   "%.2f x  %d tokens, %llu of %llu drafted\n", m->prompt.n, n / ahead, n / one,
                   one / ahead, cpu, n, (unsigned long long)s.n_accepted / (unsigned)reps,
                   (unsigned long long)s.n_drafted / (unsigned)reps);
        return true;
    }
    struct buf out = {0};
    struct json_line j;
    json_begin(&j, &out);
    json_text(&j, "what", "lookup");
    json_int(&j, "at", m->prompt.n);
    json_int(&j, "n", n);
    json_int(&j, "threads", engine_info(m->engine)->n_threads);
    json_double(&j, "tok_s", n / ahead);
    json_double(&j, "one_by_one_tok_s", n / one);
    json_double(&j, "gain", one / ahead);
    json_double(&j, "processor_gain", cpu);
    json_int(&j, "drafted", (int64_t)s.n_drafted / reps);
    json_int(&j, "accepted", (int64_t)s.n_accepted / reps);
    json_end(&j);
    fputs(buf_text(&out), stdout);
    buf_release(&out);
    return true;
}

static bool measure(struct measuring *m, struct err *err)
{
    const struct bench_lookup *how = m->how;
    if (!prompt_make(m, err))
        return false;
    struct session_opts so = {.n_ctx = m->prompt.n + how->gen + SESSION_NEXT_MAX};
    if (!session_new(&m->session, m->engine, &so, err))
        return false;
    m->one = (struct replies){.most = 1, .ids = calloc((size_t)how->gen, sizeof(int32_t))};
    m->ahead = (struct replies){.most = SESSION_NEXT_MAX,
                                .ids = calloc((size_t)how->gen, sizeof(int32_t))};
    if (!m->one.ids || !m->ahead.ids)
        return err_set(err, ERR_NOMEM, "bench: not enough memory");
    for (int r = 0; r < how->reps; r++)
        if (!reply(m, &m->one, r, err) || !reply(m, &m->ahead, r, err))
            return false;
    return tell(m, err);
}

bool bench_lookup(struct engine *e, const struct bench_lookup *how, struct err *err)
{
    struct measuring m = {.how = how, .engine = e};
    bool ok = measure(&m, err);
    session_free(&m.session);
    tokens_release(&m.prompt);
    free(m.one.ids);
    free(m.ahead.ids);
    return ok;
}
