/* kept.c -- see kept.h. */
#include "app/kept.h"

enum { WORTH_TOKENS = 16 }; /* fewer are read again sooner than they are kept */

void kept_put(struct kept *k, struct session *s)
{
    session_free(&k->session[k->next]);
    k->session[k->next] = s;
    k->next = (k->next + 1) % KEPT_MAX;
}

void kept_prepare(struct kept *k, struct session *s, const int32_t *ids, int n)
{
    int held = session_held(s, ids, n), best = -1;
    for (int i = 0; i < KEPT_MAX; i++) {
        int there = k->session[i] ? session_held(k->session[i], ids, n) : 0;
        if (there > held) {
            held = there;
            best = i;
        }
    }
    struct session *fork;
    struct err err;
    if (best >= 0)
        session_swap(s, k->session[best]);
    else if (session_len(s) - held >= WORTH_TOKENS && session_fork(s, &fork, &err))
        kept_put(k, fork);
}

void kept_forget(struct kept *k, const int32_t *ids, int n)
{
    for (int i = 0; i < KEPT_MAX; i++)
        if (k->session[i] && session_held(k->session[i], ids, n) < n / 2)
            session_free(&k->session[i]);
}

void kept_release(struct kept *k)
{
    for (int i = 0; i < KEPT_MAX; i++)
        session_free(&k->session[i]);
}
