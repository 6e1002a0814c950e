/* pool.c -- see pool.h; the one file of the engine that knows pthreads.
 *
 * A job is published by storing its number and a count of zero in one atomic word, `next`. A
 * thread takes items by raising the count with a compare-and-swap, which fails if the job has
 * changed since: so a thread that wakes late can neither take an item of the wrong job nor hold
 * up the caller, who waits for the items, not for the threads. It takes several while many are
 * left: neighbours lie side by side in memory, and the word is fought over less often. The fields
 * that describe the job are read before the swap and used only if it succeeds. Before they change,
 * `next` is closed, so whoever has read a new field under an old number fails in the swap. */
#include "engine/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "engine/cpu.h"
#include "engine/mem.h"

#define SPIN_WAIT  4000   /* turns a thread waits for the next job before it sleeps */
#define SPIN_DONE  500    /* turns the caller waits for the last items before it yields */
#define TAKE_MOST  8      /* items at once */
#define CLOSED     0x7fffffff  /* as the count of items taken: nothing is free */

typedef void pool_fn(void *data, int item, int thread);

struct worker {
    struct pool *pool;
    pthread_t id;
    int thread;
};

struct pool {
    int n_threads;
    int n_started;                       /* workers to join */
    struct worker worker[POOL_THREADS_MAX];
    pthread_mutex_t user;                /* pool_lock() */

    /* The job. */
    _Atomic(pool_fn *) fn;
    _Atomic(void *) data;
    atomic_int n_items;
    _Alignas(64) atomic_uint_fast64_t next;  /* job number << 32 | items taken */
    _Alignas(64) atomic_int n_done;

    /* Sleep. */
    _Alignas(64) atomic_int n_asleep;
    atomic_bool quit;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

/* How many of the items that are left a thread takes: fewer towards the end, so that all end
 * together. */
static int share_of(const struct pool *p, int left)
{
    int n = left / (2 * p->n_threads);
    return n > TAKE_MOST ? TAKE_MOST : n > 1 ? n : 1;
}

/* Does items of the job number `job` until none is left. */
static void work(struct pool *p, uint32_t job, int thread)
{
    for (;;) {
        uint_fast64_t seen = atomic_load(&p->next);
        pool_fn *fn = atomic_load(&p->fn);
        void *data = atomic_load(&p->data);
        int item = (int)(seen & 0xffffffff), left = atomic_load(&p->n_items) - item;
        if (seen >> 32 != job || left <= 0)
            return;
        int n = share_of(p, left);
        if (!atomic_compare_exchange_strong(&p->next, &seen, seen + (uint_fast64_t)n))
            continue;
        for (int i = item; i < item + n; i++)
            fn(data, i, thread);
        atomic_fetch_add(&p->n_done, n);
    }
}

static uint32_t current_job(struct pool *p)
{
    return (uint32_t)(atomic_load(&p->next) >> 32);
}

/* Returns when there is another job than `job`, or when the pool ends. */
static void wait_for_job(struct pool *p, uint32_t job)
{
    for (int i = 0; i < SPIN_WAIT; i++) {
        if (current_job(p) != job || atomic_load(&p->quit))
            return;
        cpu_relax();
    }
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->n_asleep, 1);
    while (current_job(p) == job && !atomic_load(&p->quit))
        pthread_cond_wait(&p->wake, &p->mutex);
    atomic_fetch_sub(&p->n_asleep, 1);
    pthread_mutex_unlock(&p->mutex);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    uint32_t job = 0;
    for (;;) {
        wait_for_job(w->pool, job);
        if (atomic_load(&w->pool->quit))
            return NULL;
        job = current_job(w->pool);
        work(w->pool, job, w->thread);
    }
}

static void wake_all(struct pool *p)
{
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

bool pool_new(struct pool **out, int n_threads, struct err *err)
{
    assert(n_threads >= 1 && n_threads <= POOL_THREADS_MAX);
    *out = NULL;
    struct pool *p = mem_alloc(sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "no memory for the compute threads");
    p->n_threads = n_threads;
    pthread_mutex_init(&p->user, NULL);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 1; i < n_threads; i++) {
        struct worker *w = &p->worker[i];
        *w = (struct worker){ .pool = p, .thread = i };
        if (pthread_create(&w->id, NULL, worker_main, w) != 0) {
            pool_free(&p);
            return err_set(err, ERR_NOMEM, "cannot start %d compute threads", n_threads);
        }
        p->n_started++;
    }
    *out = p;
    return true;
}

void pool_free(struct pool **pool)
{
    struct pool *p = *pool;
    if (!p)
        return;
    atomic_store(&p->quit, true);
    wake_all(p);
    for (int i = 1; i <= p->n_started; i++)
        pthread_join(p->worker[i].id, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    pthread_mutex_destroy(&p->user);
    mem_free(p);
    *pool = NULL;
}

int pool_n_threads(const struct pool *p)
{
    return p->n_threads;
}

void pool_lock(struct pool *p)
{
    pthread_mutex_lock(&p->user);
}

void pool_unlock(struct pool *p)
{
    pthread_mutex_unlock(&p->user);
}

void pool_run(struct pool *p, pool_fn *fn, void *data, int n_items)
{
    if (p->n_threads == 1 || n_items == 1) {
        for (int i = 0; i < n_items; i++)
            fn(data, i, 0);
        return;
    }
    uint_fast64_t job = current_job(p);
    atomic_store(&p->next, job << 32 | CLOSED);
    atomic_store(&p->n_done, 0);
    atomic_store(&p->fn, fn);
    atomic_store(&p->data, data);
    atomic_store(&p->n_items, n_items);
    job = (job + 1) & 0xffffffff;
    atomic_store(&p->next, job << 32);
    if (atomic_load(&p->n_asleep) > 0)
        wake_all(p);
    work(p, (uint32_t)job, 0);
    for (int i = 0; atomic_load(&p->n_done) < n_items; i++)
        if (i < SPIN_DONE)
            cpu_relax();
        else
            sched_yield();
}
