/* worker.c -- see worker.h. One mutex, two queues, one wake pipe with a pending flag. */
#include "app/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/clock.h"
#include "app/pipe.h"
#include "app/replay.h"

enum { IDLE_MS = 1000 };  /* without a command or a key, until idle work begins */

enum command_kind {
    COMMAND_TURN, COMMAND_RESUME, COMMAND_COST, COMMAND_DROP, COMMAND_EXACT, COMMAND_FOLD,
    COMMAND_REPRO,     COMMAND_SAVE, COMMAND_QUIT
};

struct command {
    struct command *next;
    enum command_kind kind;
    int epoch;
    struct turn_request turn;   /* COMMAND_TURN */
    struct prompt prompt;       /* COMMAND_RESUME, _FOLD */
    int from, to;               /* COMMAND_DROP, COMMAND_EXACT */
    struct replay_request replay; /* COMMAND_REPRO */
    char *kv;                   /* RESUME (may be NULL), SAVE; owned */
};

struct worker {
    pthread_t thread;
    struct backend *backend;
    atomic_bool stopping;       /* worker_stop() was called */
    pthread_mutex_t lock;       /* of all below */
    pthread_cond_t wake;        /* a command waits */
    pthread_cond_t rest;        /* none does, and none is carried out */
    bool working;
    int epoch;                  /* of the command being carried out; the worker's alone */
    bool idles;                 /* there may be idle work; the worker's alone */
    atomic_llong stirred_ms;    /* clock_ms() of the last command or key */
    struct command *head, *tail;
    struct event_list events;
    bool woken;                 /* a byte is in the pipe */
    int pipe[2];
};

/* ---- the worker's side -------------------------------------------------------------------- */

static void publish(struct worker *w, struct event_list *fresh)
{
    if (!fresh->head)
        return;
    for (struct event *e = fresh->head; e; e = e->next)
        e->epoch = w->epoch;
    pthread_mutex_lock(&w->lock);
    event_move(&w->events, fresh);
    bool wake = !w->woken;
    w->woken = true;
    pthread_mutex_unlock(&w->lock);
    if (wake)
        while (write(w->pipe[1], "", 1) < 0 && errno == EINTR)
            ;
}

/* How long it must stay quiet yet before idle work may be done. */
static long long quiet_ms_left(struct worker *w)
{
    return atomic_load(&w->stirred_ms) + IDLE_MS - clock_ms();
}

/* Until there is a command, or it may be time for idle work; w->lock is held. */
static void wait_quiet(struct worker *w)
{
    struct timespec until;
    long long left = quiet_ms_left(w);
    if (left <= 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(left / 1000);
    until.tv_nsec += (long)(left % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

/* Waits for a command, or does one slice of idle work where it is time; w->lock is held. */
static void rest(struct worker *w)
{
    struct event_list fresh = {0};
    if (!w->idles) {
        pthread_cond_wait(&w->wake, &w->lock);
        return;
    }
    wait_quiet(w);
    if (w->head || quiet_ms_left(w) > 0)
        return;
    pthread_mutex_unlock(&w->lock);
    w->idles = w->backend->ops->idle(w->backend, &fresh);
    publish(w, &fresh);
    pthread_mutex_lock(&w->lock);
}

static struct command *command_take(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->working = false;
    if (!w->head)
        pthread_cond_signal(&w->rest);
    while (!w->head)
        rest(w);
    struct command *c = w->head;
    w->head = c->next;
    if (!w->head)
        w->tail = NULL;
    w->working = true;
    pthread_mutex_unlock(&w->lock);
    return c;
}

static bool command_waits(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool waits = w->head != NULL;
    pthread_mutex_unlock(&w->lock);
    return waits;
}

static void command_free(struct command *c)
{
    turn_request_release(&c->turn);
    prompt_release(&c->prompt);
    replay_request_release(&c->replay);
    free(c->kv);
    free(c);
}

/* Slices to the end, or until the worker is stopped. */
static void run_steps(struct worker *w, struct event_list *fresh)
{
    for (bool more = true; more;) {
        if (atomic_load(&w->stopping))
            w->backend->ops->cancel(w->backend, true);
        more = w->backend->ops->step(w->backend, fresh);
        publish(w, fresh);
    }
}

static void run_turn(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    struct err err;
    const struct backend_ops *ops = w->backend->ops;
    if (!ops->start(w->backend, &c->turn, &fresh, &err)) {
        struct event *e = event_add(&fresh, EVENT_DONE);
        e->reason = REASON_ERROR;
        e->code = err.code;
        buf_puts(&e->text, err.msg);
        publish(w, &fresh);
        return;
    }
    run_steps(w, &fresh);
}

static void run_resume(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    const struct backend_ops *ops = w->backend->ops;
    ops->resume(w->backend, &c->prompt, c->kv, &fresh);
    bool more;
    do { /* one slice at least: with nothing to read it is over, and says so */
        more = ops->step(w->backend, &fresh);
        publish(w, &fresh);
    } while (more && !command_waits(w));
}

static void run_fold(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    const struct backend_ops *ops = w->backend->ops;
    ops->fold(w->backend, &c->prompt, &fresh);
    bool more;
    do {
        if (command_waits(w))
            ops->leave(w->backend, true);
        more = ops->step(w->backend, &fresh);
        publish(w, &fresh);
    } while (more);
}

static void run_save(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    w->backend->ops->save(w->backend, c->kv, &fresh);
    publish(w, &fresh);
}

static void run_cost(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    (void)c;
    w->backend->ops->cost(w->backend, &fresh);
    publish(w, &fresh);
}

static void run_drop(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    w->backend->ops->drop(w->backend, c->from, c->to, &fresh);
    publish(w, &fresh);
}

static void run_exact(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    w->backend->ops->exact(w->backend, c->from, c->to);
    run_steps(w, &fresh);
}

static void run_repro(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    w->backend->ops->repro(w->backend, &c->replay, &fresh);
    run_steps(w, &fresh);
}

static void (*const run[])(struct worker *w, struct command *c) = {
    [COMMAND_TURN] = run_turn,
    [COMMAND_RESUME] = run_resume,
    [COMMAND_COST] = run_cost,
    [COMMAND_DROP] = run_drop,
    [COMMAND_EXACT] = run_exact,
    [COMMAND_FOLD] = run_fold,
    [COMMAND_REPRO] = run_repro,
    [COMMAND_SAVE] = run_save,
};

static void *worker_main(void *data)
{
    struct worker *w = data;
    struct event_list fresh = {0};
    struct err err;
    bool ready = w->backend->ops->open(w->backend, &fresh, &err);
    if (!ready) {
        struct event *e = event_add(&fresh, EVENT_FAILED);
        e->code = err.code;
        buf_puts(&e->text, err.msg);
    }
    publish(w, &fresh);
    for (bool quit = false; !quit;) {
        struct command *c = command_take(w);
        quit = c->kind == COMMAND_QUIT;
        w->epoch = c->epoch;
        if (ready && !quit)
            run[c->kind](w, c);
        w->idles = ready;
        command_free(c);
    }
    w->backend->ops->close(&w->backend);
    return NULL;
}

/* ---- the UI thread's side ----------------------------------------------------------------- */

/* Signals belong to the UI thread: the worker, and what it starts, is born with all of them blocked
 * but those that a thread brings upon itself, whose handlers restore the terminal. */
static int thread_start(struct worker *w)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigset_t all, old;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

bool worker_start(struct worker **out, struct backend *b, struct err *err)
{
    struct worker *w = mem_new(sizeof *w);
    pthread_condattr_t monotonic;
    *out = NULL;
    w->backend = b;
    w->working = true; /* it opens the backend first */
    if (!pipe_open(w->pipe)) {
        b->ops->close(&b);
        free(w);
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&w->rest, NULL);
    int failed = thread_start(w);
    if (failed) {
        b->ops->close(&b);
        close(w->pipe[0]);
        close(w->pipe[1]);
        free(w);
        return err_set(err, ERR_NOMEM, "cannot start a thread: %s", strerror(failed));
    }
    *out = w;
    return true;
}

void worker_stir(struct worker *w)
{
    atomic_store(&w->stirred_ms, clock_ms());
}

static void command_send(struct worker *w, struct command *c)
{
    pthread_mutex_lock(&w->lock);
    worker_stir(w);
    if (w->tail)
        w->tail->next = c;
    else
        w->head = c;
    w->tail = c;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static struct command *command_new(enum command_kind kind)
{
    struct command *c = mem_new(sizeof *c);
    c->kind = kind;
    return c;
}

void worker_stop(struct worker **w)
{
    if (!*w)
        return;
    atomic_store(&(*w)->stopping, true);
    worker_cancel(*w);
    command_send(*w, command_new(COMMAND_QUIT)); /* from here the backend may be gone */
    pthread_join((*w)->thread, NULL);
    event_clear(&(*w)->events);
    pthread_mutex_destroy(&(*w)->lock);
    pthread_cond_destroy(&(*w)->wake);
    pthread_cond_destroy(&(*w)->rest);
    close((*w)->pipe[0]);
    close((*w)->pipe[1]);
    free(*w);
    *w = NULL;
}

int worker_fd(const struct worker *w)
{
    return w->pipe[0];
}

void worker_events(struct worker *w, struct event_list *to)
{
    char sink[16];
    while (read(w->pipe[0], sink, sizeof sink) > 0)
        ;
    pthread_mutex_lock(&w->lock);
    w->woken = false;
    event_move(to, &w->events);
    pthread_mutex_unlock(&w->lock);
}

void worker_turn(struct worker *w, struct turn_request *r, int epoch)
{
    struct command *c = command_new(COMMAND_TURN);
    c->turn = *r;
    c->epoch = epoch;
    memset(r, 0, sizeof *r);
    worker_mode(w, c->turn.mode);
    w->backend->ops->cancel(w->backend, false);
    command_send(w, c);
}

void worker_resume(struct worker *w, struct prompt *p, const char *kv, int epoch)
{
    struct command *c = command_new(COMMAND_RESUME);
    c->prompt = *p;
    c->epoch = epoch;
    memset(p, 0, sizeof *p);
    c->kv = kv ? mem_dup(kv) : NULL;
    w->backend->ops->cancel(w->backend, false);
    command_send(w, c);
}

void worker_cost(struct worker *w, int epoch)
{
    struct command *c = command_new(COMMAND_COST);
    c->epoch = epoch;
    command_send(w, c);
}

static void stretch_send(struct worker *w, enum command_kind kind, int from, int to, int epoch)
{
    struct command *c = command_new(kind);
    c->from = from;
    c->to = to;
    c->epoch = epoch;
    command_send(w, c);
}

void worker_drop(struct worker *w, int from, int to, int epoch)
{
    stretch_send(w, COMMAND_DROP, from, to, epoch);
}

void worker_exact(struct worker *w, int from, int to, int epoch)
{
    w->backend->ops->cancel(w->backend, false);
    stretch_send(w, COMMAND_EXACT, from, to, epoch);
}

void worker_fold(struct worker *w, struct prompt *p, int epoch)
{
    struct command *c = command_new(COMMAND_FOLD);
    c->prompt = *p;
    c->epoch = epoch;
    memset(p, 0, sizeof *p);
    w->backend->ops->leave(w->backend, false);
    command_send(w, c);
}

void worker_repro(struct worker *w, struct replay_request *q, int epoch)
{
    struct command *c = command_new(COMMAND_REPRO);
    c->replay = *q;
    c->epoch = epoch;
    memset(q, 0, sizeof *q);
    w->backend->ops->cancel(w->backend, false);
    command_send(w, c);
}

void worker_leave(struct worker *w)
{
    w->backend->ops->leave(w->backend, true);
}

void worker_finish(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->head || w->working)
        pthread_cond_wait(&w->rest, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void worker_save(struct worker *w, const char *kv)
{
    struct command *c = command_new(COMMAND_SAVE);
    c->kv = mem_dup(kv);
    command_send(w, c);
}

void worker_mode(struct worker *w, enum mode_id mode)
{
    w->backend->ops->mode(w->backend, mode);
}

void worker_cancel(struct worker *w)
{
    w->backend->ops->cancel(w->backend, true);
}
