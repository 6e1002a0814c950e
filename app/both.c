/* both.c -- see both.h. */
#include "app/both.h"

static void tell(const struct strand *s, enum candidate_state state, struct event_list *out)
{
    struct event *e = strand_event(s, out, EVENT_CANDIDATE);
    e->mark.state = state;
    e->mark.from = -1;
    e->mark.reason = s->turn.reason;
    e->usage.think_capped = s->turn.capped;
}

bool both_begin(struct both *b, struct strand *first, enum mode_id mode, struct event_list *out,
                struct err *err)
{
    b->first = first;
    b->mode = mode;
    if ((!b->batch && !batch_new(&b->batch, first->engine, 2, err)) ||
        !strand_spawn(first, first->session, &b->second, err))
        return false;
    b->second.candidate = 1;
    strand_begin(&b->second, mode, &first->turn.limits, first->sampling.seed, false);
    tell(first, CANDIDATE_BEGUN, out);
    tell(&b->second, CANDIDATE_BEGUN, out);
    return strand_open(first, out, err) && strand_open(&b->second, out, err);
}

static bool runs(const struct strand *s)
{
    return s->session && !strand_over(s);
}

bool both_step(struct both *b, struct event_list *out, struct err *err)
{
    struct strand *const all[] = {b->first, &b->second};
    struct strand *who[2];
    struct session_token token[2];
    int n = 0;
    for (int i = 0; i < 2; i++) {
        if (runs(all[i]) && all[i]->unread)
            return strand_read(all[i], out, err);
        if (runs(all[i]))
            who[n++] = all[i];
    }
    int done = n ? strand_next(who, n, b->batch, token, err) : 0;
    if (done <= 0)
        return done == 0;
    for (int i = 0; i < n; i++)
        if (!strand_token(who[i], &token[i], out, err))
            return false;
    return true;
}

bool both_over(const struct both *b)
{
    return !runs(b->first) && !runs(&b->second);
}

void both_end(struct both *b, enum reply_reason reason, struct event_list *out)
{
    struct strand *const all[] = {b->first, &b->second};
    for (int i = 0; i < 2; i++) {
        if (runs(all[i]))
            turn_over(&all[i]->turn, reason);
        if (!all[i]->session || !all[i]->opened)
            continue;
        strand_end(all[i], out);
        tell(all[i], CANDIDATE_FINISHED, out);
    }
}

struct session *both_take(struct both *b)
{
    struct session *s = b->second.session;
    b->second.session = NULL;
    strand_release(&b->second);
    return s;
}

void both_release(struct both *b)
{
    strand_release(&b->second);
    batch_free(&b->batch);
}
