/* repro.c -- see repro.h. */
#include "app/repro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/number.h"
#include "app/talk.h"
#include "app/tier.h"

/* ---- the conversation as it was then ------------------------------------------------------ */

static bool is_prompt(const struct prompt *p, const struct made *m)
{
    struct ids all = {0};
    for (int i = 0; i < p->n; i++)
        ids_append(&all, p->message[i].ids.id, p->message[i].ids.n);
    bool same = all.n == m->prompt && ids_hash(all.id, all.n) == m->prompt_hash;
    ids_release(&all);
    return same;
}

/* The thoughts of earlier turns are out of the context if they were when turn n was asked. Again
 * with the same flags: all as it was. */
static void folds_swap(struct conversation *c, int n, bool *folded)
{
    for (int i = 0; i < n; i++) {
        struct turn *t = &c->turn[i];
        struct reply *r = t->chosen < 0 ? NULL : &t->reply[t->chosen];
        if (!r)
            continue;
        bool was = r->folded;
        r->folded = folded[i];
        folded[i] = was;
    }
}

static bool prompt_now(struct conversation *c, int turn, int n_dropped, const struct made *m,
                       struct prompt *out)
{
    int dropped = c->n_dropped;
    struct ids kept = c->kept;
    if (n_dropped == 0)
        c->kept = (struct ids){0};
    c->n_dropped = n_dropped;
    conversation_prompt(c, turn, out);
    c->n_dropped = dropped;
    c->kept = kept;
    if (is_prompt(out, m))
        return true;
    prompt_release(out);
    return false;
}

/* With the thoughts that were folded by now, or by then; with the turns that were dropped since. */
static bool prompt_then(struct conversation *c, int turn, const struct made *m, struct prompt *out)
{
    bool *folded = mem_new((size_t)c->n_turn + 1), found = false;
    for (int i = 0; i < turn; i++) {
        const struct turn *t = &c->turn[i];
        const struct reply *r = t->chosen < 0 ? NULL : &t->reply[t->chosen];
        folded[i] = r && r->folded && r->folded_at <= turn;
    }
    for (int then = 0; then < 2 && !found; then++) {
        if (then)
            folds_swap(c, turn, folded);
        found = prompt_now(c, turn, c->n_dropped, m, out) ||
                (c->n_dropped > 0 && prompt_now(c, turn, 0, m, out));
        if (then)
            folds_swap(c, turn, folded);
    }
    free(folded);
    return found;
}

/* ---- beginning ---------------------------------------------------------------------------- */

static const struct reply *reply_to_make(struct talk *t, const char *args, int *turn)
{
    uint64_t n = (uint64_t)t->c.n_turn;
    if (!talk_idle(t))
        return NULL;
    if ((*args && !number_read(args, INT32_MAX, &n)) || n < 1 || n > (uint64_t)t->c.n_turn) {
        if (t->c.n_turn)
            talk_say(t, true, "/repro N: " TURNS_TOLD, TURNS_TOLD_OF(t->c.n_turn));
        else
            talk_say(t, true, "there is no answer yet");
        return NULL;
    }
    *turn = (int)n - 1;
    const struct turn *asked = &t->c.turn[*turn];
    const struct reply *r = asked->chosen < 0 ? NULL : &asked->reply[asked->chosen];
    if (!r || t->state == TALK_FAILED)
        talk_say(t, true, r ? "there is no model to answer" : "question %d has no answer", (int)n);
    else if (!r->made || r->ids.n == 0)
        talk_say(t, true, "how the answer to question %d was made was not kept with it", (int)n);
    else
        return r;
    return NULL;
}

void repro_command(struct talk *t, const char *args)
{
    struct replay_request q = {0};
    int turn;
    const struct reply *r = reply_to_make(t, args, &turn);
    if (!r)
        return;
    if (!prompt_then(&t->c, turn, r->made, &q.prompt)) {
        talk_say(t, true, "the answer to question %d cannot be made again: what stands before it "
                          "is not the %d tokens that it was", turn + 1, r->made->prompt);
        return;
    }
    q.made = made_copy(r->made);
    ids_append(&q.want, r->ids.id, r->ids.n);
    q.ends = r->reason != REASON_CANCELLED && r->reason != REASON_ERROR;
    t->repro_turn = turn;
    t->state = TALK_REPRO;
    t->done = 0;
    t->total = r->made->prompt + r->ids.n;
    worker_repro(t->worker, &q, t->epoch);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void put_change(struct buf *out, const char *what, const char *then, const char *now)
{
    if (strcmp(then, now) != 0)
        buf_printf(out, "%s%s then %s, now %s", out->bytes ? "; " : "", what, then, now);
}

/* What is not as it was, in one line. */
static void differences(const struct talk *t, const struct made *m, struct buf *out)
{
    char then[16], now[16];
    put_change(out, "build", m->build, made_build());
    put_change(out, "kernels", m->kernels, t->info.kernels);
    snprintf(then, sizeof then, "%d", m->threads);
    snprintf(now, sizeof now, "%d", t->info.n_threads);
    put_change(out, "threads", then, now);
    put_change(out, "context held as", m->far, tier_name(t->far.tier));
    if (!out->bytes)
        buf_printf(out, "build %s, kernels %s, %d thread%s, as then", m->build, m->kernels,
                   m->threads, m->threads == 1 ? "" : "s");
}

/* "the answer to question 2", "answer 1 of 3 to question 2" */
static void put_name(const struct talk *t, struct buf *out)
{
    const struct turn *turn = &t->c.turn[t->repro_turn];
    if (turn->n_reply > 1)
        buf_printf(out, "answer %d of %d to question %d", turn->chosen + 1, turn->n_reply,
                   t->repro_turn + 1);
    else
        buf_printf(out, "the answer to question %d", t->repro_turn + 1);
}

static void tell(struct talk *t, const struct event *e, const struct reply *r)
{
    const struct made *m = r->made;
    struct buf facts = {0}, name = {0};
    int written = 0;
    for (int i = 0; i < r->n_part; i++)
        written += r->part[i].tokens;
    put_name(t, &name);
    if (e->reason == REASON_CANCELLED)
        talk_say(t, false, "%s, made again: stopped; the first %d of its %d tokens are the same",
                 buf_text(&name), e->done, written);
    else if (e->text.bytes)
        talk_say(t, false, "%s, made again: NOT the same, from token %d of %d on: %s",
                 buf_text(&name), e->done + 1, written, buf_text(&e->text));
    else
        talk_say(t, false, "%s, made again: the same, all %d tokens (%s, seed %llu)",
                 buf_text(&name), written, mode_get(m->mode)->title, (unsigned long long)m->seed);
    differences(t, m, &facts);
    if (e->re_read > 1) /* one is, so that something comes behind it */
        buf_printf(&facts, "; %d tokens before it were read again", e->re_read);
    talk_say(t, false, "%s; %.1f s", buf_text(&facts), e->seconds);
    buf_release(&facts);
    buf_release(&name);
}

void repro_event(struct talk *t, const struct event *e)
{
    const struct turn *turn = &t->c.turn[t->repro_turn];
    t->state = TALK_IDLE;
    if (e->reason == REASON_ERROR)
        talk_say(t, true, "the answer to question %d cannot be made again: %s", t->repro_turn + 1,
                 buf_text(&e->text));
    else
        tell(t, e, &turn->reply[turn->chosen]);
}
