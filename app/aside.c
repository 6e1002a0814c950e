/* aside.c -- see aside.h. */
#include "app/aside.h"

#include "app/clock.h"

enum { IN_PLACE_SLICE = 16 }; /* ids: nothing stops the reading within a slice there */

static uint64_t n_read(const struct session *s)
{
    struct session_stats stats;
    session_stats(s, &stats);
    return stats.n_read;
}

/* The session of its own holds what is held anywhere of the line. False: there can be none. */
static bool prepare(struct aside *a, struct session *use)
{
    struct session *fork = NULL, *own = atomic_load(&a->session);
    struct err err;
    int held = own ? session_held(own, a->line.id, a->line.n) : -1;
    if (held >= session_held(use, a->line.id, a->line.n))
        return true;
    if (!session_fork(use, &fork, &err))
        return false;
    if (own) {
        session_swap(own, fork);
        session_free(&fork);
    } else {
        atomic_store(&a->session, fork);
    }
    return true;
}

void aside_begin(struct aside *a, struct session *use)
{
    a->reads = prepare(a, use) ? atomic_load(&a->session) : use;
    a->read_before = n_read(a->reads);
    a->started = clock_seconds();
    a->n = 0;
}

bool aside_step(struct aside *a, struct err *err)
{
    bool own = a->reads == atomic_load(&a->session);
    err->msg[0] = 0;
    if (atomic_load(&a->left))
        return false;
    int to = a->line.n, held = session_held(a->reads, a->line.id, a->line.n);
    if (!own && held + IN_PLACE_SLICE < to)
        to = held + IN_PLACE_SLICE;
    int n = session_read(a->reads, a->line.id, to, err);
    if (n >= 0)
        a->n = n;
    return n >= 0 && n < a->line.n;
}

bool aside_take(struct aside *a, struct session *use)
{
    bool own = a->reads == atomic_load(&a->session);
    if (own && a->n < a->line.n)
        return false;
    if (own) {
        session_swap(use, a->reads);
        session_cut(a->reads, 0);
    }
    return true;
}

void aside_leave(struct aside *a, bool on)
{
    struct session *own = atomic_load(&a->session);
    atomic_store(&a->left, on);
    if (own)
        session_cancel(own, on);
}

int aside_read(const struct aside *a)
{
    return (int)(n_read(a->reads) - a->read_before);
}

void aside_forget(struct aside *a, const int32_t *ids, int n)
{
    struct session *own = atomic_load(&a->session);
    if (own && session_held(own, ids, n) < n / 2)
        session_cut(own, 0);
}

void aside_release(struct aside *a)
{
    struct session *own = atomic_load(&a->session);
    atomic_store(&a->session, NULL);
    session_free(&own);
    tokens_release(&a->line);
}
