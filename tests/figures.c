/* figures.c -- what coming back, forking and toggling cost in a long session, beside reading it.
 *
 *   build/figures MODEL [TOKENS [THREADS]]     (8128, 2)
 *
 * Then the same tokens in the flash tier, whose files lie in TMPDIR or /var/tmp: what bringing them
 * over costs, a toggle and one token more with the tail read by the index and by all rows, and what
 * is held, as counted and as measured: the process's resident memory, of it what is its own, and
 * which part of the rows in files the page cache has.
 *
 * Each line: what, milliseconds on the clock and of all threads together, and what it is set
 * against. A toggle is what a change of mode appends (8 ids here) until the next token is there.
 * The clock means something on an idle machine only. A fork's memory is what becomes resident. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/resident.h"
#include "engine/engine.h"

enum { TAIL = 8, REPS = 20 };

struct figures {
    struct engine *e;
    struct session_opts opts;
    int32_t *ids;
    int n;
    char path[64];
};

struct span {
    double wall, cpu;  /* ms */
};

static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct span now(void)
{
    return (struct span){clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct span since(struct span start)
{
    struct span end = now();
    return (struct span){end.wall - start.wall, end.cpu - start.cpu};
}

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "figures: %s\n", err->msg);
    exit(1);
}

/* Reads up to n ids, and chooses a token. */
static void first_token(struct session *s, const int32_t *ids, int n)
{
    struct err err = {0};
    struct session_token t;
    int held = 0;
    while (held >= 0 && held < n)
        held = session_read(s, ids, n, &err);
    must(held == n && session_next(s, &(struct sampling){.repeat_penalty = 1}, &t, 1, &err) == 1,
         &err);
}

static struct session *open_session(const struct figures *f)
{
    struct err err = {0};
    struct session *s;
    must(session_new(&s, f->e, &f->opts, &err), &err);
    return s;
}

static int compare(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return x->wall < y->wall ? -1 : x->wall > y->wall;
}

/* The middle of REPS times. */
static struct span median(struct span *s)
{
    qsort(s, REPS, sizeof *s, compare);
    return s[REPS / 2];
}

static struct span figure_resume(const struct figures *f)
{
    struct span ms[REPS];
    struct err err = {0};
    for (int i = 0; i < REPS; i++) {
        struct session *s = open_session(f);
        struct span start = now();
        must(session_load(s, f->path, &err), &err);
        first_token(s, f->ids, f->n);
        ms[i] = since(start);
        session_free(&s);
    }
    return median(ms);
}

static struct span figure_fork(const struct session *s, uint64_t *bytes)
{
    struct span ms[REPS];
    struct err err = {0};
    struct session *fork[REPS];
    uint64_t before = resident_now().all;
    for (int i = 0; i < REPS; i++) {
        struct span start = now();
        must(session_fork(s, &fork[i], &err), &err);
        ms[i] = since(start);
    }
    *bytes = (resident_now().all - before) / REPS;
    for (int i = 0; i < REPS; i++)
        session_free(&fork[i]);
    return median(ms);
}

/* On forks, so that none reads what another has read. */
static struct span figure_toggle(const struct figures *f, const struct session *s, int tail,
                                 bool by_index, uint64_t *re_read)
{
    struct span ms[REPS];
    struct err err = {0};
    struct session_stats stats;
    for (int i = 0; i < REPS; i++) {
        struct session *fork;
        must(session_fork(s, &fork, &err), &err);
        session_cut(fork, f->n);
        session_set_index(fork, by_index);
        struct span start = now();
        first_token(fork, f->ids, f->n + tail);
        ms[i] = since(start);
        session_stats(fork, &stats);
        *re_read += stats.n_re_read;
        session_free(&fork);
    }
    return median(ms);
}

static void line(const char *what, struct span s)
{
    printf("%-7s %10.2f ms %10.2f ms", what, s.wall, s.cpu);
}

static void tell_held(const struct session *s)
{
    struct far_stats far;
    struct resident r = resident_now();
    session_far(s, &far);
    printf("held    %.1f MB counted in memory, %.2f %% of f16; rows in files %.1f MB, of which "
           "%.1f MB in the page cache\n",
           (double)far.memory_bytes / 1e6,
           100.0 * (double)far.memory_bytes / (double)far.f16_bytes, (double)far.disk_bytes / 1e6,
           (double)session_resident(s) / 1e6);
    printf("process %.1f MB resident, %.1f MB of these its own\n", (double)r.all / 1e6,
           (double)r.own / 1e6);
}

static void measure_flash(const struct figures *f, struct session *s)
{
    static const struct { const char *what; int tail; bool by_index; const char *how; } row[] = {
        {"toggle", TAIL, true, "read by the index"}, {"toggle", TAIL, false, "by all rows"},
        {"token", 1, true, "read by the index"}, {"token", 1, false, "by all rows"},
    };
    const char *folder = getenv("TMPDIR");
    struct far_opts far = {KV_TIER_FLASH, folder && *folder ? folder : "/var/tmp"};
    struct err err = {0};
    uint64_t re_read = 0;
    struct span start = now();
    must(session_set_far(s, &far, &err), &err);
    line("flash", since(start));
    printf("  all of it brought over\n");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        line(row[i].what, figure_toggle(f, s, row[i].tail, row[i].by_index, &re_read));
        printf("  flash, %s, %llu tokens re-read\n", row[i].how, (unsigned long long)re_read);
    }
    tell_held(s);
}

static void measure(struct figures *f)
{
    struct err err = {0};
    uint64_t fork_bytes, whole = session_bytes(f->e, &f->opts), re_read = 0;
    struct session *s = open_session(f);
    struct span start = now();
    first_token(s, f->ids, f->n);
    struct span read = since(start);
    struct span fork = figure_fork(s, &fork_bytes);
    start = now();
    must(session_save(s, f->path, &err), &err);
    struct span save = since(start), resume = figure_resume(f);
    struct span toggle = figure_toggle(f, s, TAIL, false, &re_read);
    line("read", read);
    printf("  %d tokens and the first that follows\n", f->n);
    line("save", save);
    printf("\n");
    line("resume", resume);
    printf("  with that token: %.0f (%.0f) times faster\n", read.wall / resume.wall,
           read.cpu / resume.cpu);
    line("fork", fork);
    printf("  %.2f MB, %.2f %% of the session's %.1f MB\n", (double)fork_bytes / 1e6,
           100.0 * (double)fork_bytes / (double)whole, (double)whole / 1e6);
    line("toggle", toggle);
    printf("  %llu tokens re-read\n", (unsigned long long)re_read);
    line("token", figure_toggle(f, s, 1, false, &re_read));
    printf("  read by all rows\n");
    measure_flash(f, s);
    session_free(&s);
}

int main(int argc, char **argv)
{
    struct figures f = {.n = argc > 2 ? atoi(argv[2]) : 8128};
    struct engine_opts opts = {.n_threads = argc > 3 ? atoi(argv[3]) : 2};
    struct err err = {0};
    if (argc < 2 || f.n < 1) {
        fprintf(stderr, "usage: %s MODEL [TOKENS [THREADS]]\n", argv[0]);
        return 2;
    }
    must(engine_open(&f.e, argv[1], &opts, &err), &err);
    f.opts.n_ctx = f.n + 2 * TAIL;
    f.ids = calloc((size_t)f.opts.n_ctx, sizeof *f.ids);
    for (int i = 0; f.ids && i < f.opts.n_ctx; i++)
        f.ids[i] = (int32_t)((int64_t)i * 7919 % engine_info(f.e)->n_vocab);
    snprintf(f.path, sizeof f.path, "/tmp/duet-figures-%d", (int)getpid());
    if (f.ids)
        measure(&f);
    unlink(f.path);
    free(f.ids);
    engine_close(&f.e);
    return 0;
}
