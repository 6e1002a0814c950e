/* fold.c -- see fold.h. */
#include "app/fold.h"

#include <string.h>

#include "app/talk.h"

static bool may(const struct talk *t)
{
    const struct fold *f = &t->fold;
    bool idle = t->worker && t->turn < 0 && t->state == TALK_IDLE && t->n_queue == 0 &&
                !t->fit.asked && !t->fit.doing;
    return idle && !f->running && !f->paused && (!f->off || f->wanted);
}

void fold_begin(struct talk *t)
{
    struct prompt p;
    if (!may(t))
        return;
    if (conversation_folds(&t->c, 0) < 0) {
        t->fold.wanted = false;
        return;
    }
    conversation_folded(&t->c, &p);
    t->fold.running = true;
    worker_fold(t->worker, &p, t->epoch);
}

void fold_settle(struct talk *t)
{
    if (!t->fold.running)
        return;
    worker_leave(t->worker);
    worker_finish(t->worker);
    talk_take(t);
}

bool fold_stop(struct talk *t)
{
    bool ran = t->fold.running;
    fold_settle(t);
    t->fold.paused = t->fold.paused || ran;
    t->fold.wanted = false;
    return ran;
}

/* A line for each reply; what it took stands in the first of them. */
static void log_all(struct talk *t, const struct event *e, int first)
{
    struct err err;
    int re_read = e->re_read;
    double seconds = e->seconds;
    for (int i = first; i >= 0; i = conversation_folds(&t->c, i + 1)) {
        struct turn *turn = &t->c.turn[i];
        struct reply *r = &turn->reply[turn->chosen];
        r->folded = e->done > 0;
        r->folded_at = t->c.n_turn;
        r->fold_tokens += re_read;
        r->fold_seconds += seconds;
        if (t->stored && t->begun)
            talk_saved(t, log_fold(t->store.log, i, turn->chosen, r->folded, re_read, seconds,
                                   &err), &err);
        if (!r->folded)
            break;
        re_read = 0;
        seconds = 0;
    }
    if (t->stored && t->begun)
        talk_saved(t, log_sync(t->store.log, &err), &err);
}

void fold_event(struct talk *t, const struct event *e)
{
    int first = conversation_folds(&t->c, 0);
    bool failed = e->text.bytes > 0;
    t->fold.running = false;
    t->fold.paused = failed;
    t->fold.wanted = t->fold.wanted && e->done == 0 && !failed;
    if (first >= 0 && (e->done > 0 || e->re_read > 0))
        log_all(t, e, first);
    t->kept = t->kept && e->done == 0;
    if (failed)
        talk_say(t, true, "thoughts stay in the context: %s", buf_text(&e->text));
    if (e->done > 0 && t->front.folded)
        t->front.folded(t->front.data, t, e);
}

void fold_command(struct talk *t, const char *args)
{
    struct fold *f = &t->fold;
    bool now = strcmp(args, "now") == 0, on = strcmp(args, "on") == 0;
    bool off = strcmp(args, "off") == 0;
    if (*args && !now && !on && !off) {
        talk_say(t, true, "/refold on, off or now");
        return;
    }
    if (off)
        fold_stop(t);
    if (on || off)
        f->off = off;
    if (on || now)
        f->paused = false;
    f->wanted = now && t->state != TALK_FAILED;
    bool some = conversation_folds(&t->c, 0) >= 0;
    if (now && !some)
        talk_say(t, false, "there is no thought in the context that could be folded");
    else if (!now)
        talk_say(t, false, "thoughts of finished turns %s the context%s",
                 f->off ? "stay in" : "are folded out of", some ? "; some are in it" : "");
    fold_begin(t);
}
