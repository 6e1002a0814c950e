/* worker.c -- see worker.h. One mutex, two queues, one wake pipe with a pending flag. */
#include "app/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum command_kind { COMMAND_TURN, COMMAND_RESUME, COMMAND_SAVE, COMMAND_QUIT };

struct command {
    struct command *next;
    enum command_kind kind;
    struct turn_request turn;   /* COMMAND_TURN */
    struct prompt prompt;       /* COMMAND_RESUME */
    char *kv;                   /* RESUME (may be NULL), SAVE; owned */
};

struct worker {
    pthread_t thread;
    struct backend *backend;
    pthread_mutex_t lock;       /* of all below */
    pthread_cond_t wake;        /* a command waits */
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
    pthread_mutex_lock(&w->lock);
    event_move(&w->events, fresh);
    bool wake = !w->woken;
    w->woken = true;
    pthread_mutex_unlock(&w->lock);
    if (wake)
        while (write(w->pipe[1], "", 1) < 0 && errno == EINTR)
            ;
}

static struct command *command_take(struct worker *w, bool wait)
{
    pthread_mutex_lock(&w->lock);
    while (wait && !w->head)
        pthread_cond_wait(&w->wake, &w->lock);
    struct command *c = w->head;
    if (c) {
        w->head = c->next;
        if (!w->head)
            w->tail = NULL;
    }
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
    prompt_release(&c->turn.prompt);
    prompt_release(&c->prompt);
    free(c->kv);
    free(c);
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
    bool more = true;
    while (more) {
        more = ops->step(w->backend, &fresh);
        publish(w, &fresh);
    }
}

static void run_resume(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    const struct backend_ops *ops = w->backend->ops;
    ops->resume(w->backend, &c->prompt, c->kv, &fresh);
    bool more = true;
    while (more) {
        if (command_waits(w))
            ops->cancel(w->backend, true);
        more = ops->step(w->backend, &fresh);
        publish(w, &fresh);
    }
}

static void run_save(struct worker *w, struct command *c)
{
    struct event_list fresh = {0};
    w->backend->ops->save(w->backend, c->kv, &fresh);
    publish(w, &fresh);
}

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
        struct command *c = command_take(w, true);
        quit = c->kind == COMMAND_QUIT;
        if (ready && c->kind == COMMAND_TURN)
            run_turn(w, c);
        else if (ready && c->kind == COMMAND_RESUME)
            run_resume(w, c);
        else if (ready && c->kind == COMMAND_SAVE)
            run_save(w, c);
        command_free(c);
    }
    w->backend->ops->close(&w->backend);
    return NULL;
}

/* ---- the UI thread's side ----------------------------------------------------------------- */

static bool pipe_open(int fd[2])
{
    if (pipe(fd) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        fcntl(fd[i], F_SETFD, FD_CLOEXEC);
        fcntl(fd[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}

/* Signals belong to the UI thread: the worker is born with all of them blocked. */
static int thread_start(struct worker *w)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

bool worker_start(struct worker **out, struct backend *b, struct err *err)
{
    struct worker *w = mem_new(sizeof *w);
    *out = NULL;
    w->backend = b;
    if (!pipe_open(w->pipe)) {
        b->ops->close(&b);
        free(w);
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
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

static void command_send(struct worker *w, struct command *c)
{
    pthread_mutex_lock(&w->lock);
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
    command_send(*w, command_new(COMMAND_QUIT));
    pthread_join((*w)->thread, NULL);
    event_clear(&(*w)->events);
    pthread_mutex_destroy(&(*w)->lock);
    pthread_cond_destroy(&(*w)->wake);
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

void worker_turn(struct worker *w, struct turn_request *r)
{
    struct command *c = command_new(COMMAND_TURN);
    c->turn = *r;
    memset(r, 0, sizeof *r);
    command_send(w, c);
}

void worker_resume(struct worker *w, struct prompt *p, const char *kv)
{
    struct command *c = command_new(COMMAND_RESUME);
    c->prompt = *p;
    memset(p, 0, sizeof *p);
    c->kv = kv ? mem_dup(kv) : NULL;
    command_send(w, c);
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
