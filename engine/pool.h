/* pool.h -- the compute threads: parallel_for over fixed pieces of work, nothing else.
 *
 * The caller cuts work at borders that do not depend on the number of threads; which thread does
 * which piece is left open. So results are the same with any number of threads.
 *
 * Threads spin for some microseconds after a job and then sleep: an idle pool costs no time. */
#ifndef DUET_ENGINE_POOL_H
#define DUET_ENGINE_POOL_H

#include <stdbool.h>

#include "engine/err.h"

#define POOL_THREADS_MAX 64

struct pool;

/* n_threads counts the caller too, 1..POOL_THREADS_MAX. */
bool pool_new(struct pool **out, int n_threads, struct err *err);

/* Ends the threads and sets *p to NULL. NULL is allowed. */
void pool_free(struct pool **p);

int pool_n_threads(const struct pool *p);

/* One user at a time: pool_run() is called between pool_lock() and pool_unlock(). */
void pool_lock(struct pool *p);
void pool_unlock(struct pool *p);

/* Calls fn(data, item, thread) for each item in [0, n_items), in any order, on all threads; the
 * caller is thread 0. Returns when all are done. thread < pool_n_threads(). fn must not call
 * pool_run(). */
void pool_run(struct pool *p, void (*fn)(void *data, int item, int thread), void *data,
              int n_items);

#endif
