/* tray.c -- see tray.h. */
#include "app/tray.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/strand.h"

static void row_clear(struct tray_row *r)
{
    buf_release(&r->text);
    reply_release(&r->reply);
    *r = (struct tray_row){.mark = {.from = -1}, .sibling = -1};
}

void tray_release(struct tray *t)
{
    for (int k = 0; k < TRAY_MAX; k++)
        row_clear(&t->row[k]);
    buf_release(&t->why);
    t->n = 0;
    t->told = false;
    t->chosen = 0;
}

void tray_begin(struct tray *t, int turn)
{
    tray_release(t);
    t->turn = turn;
}

static struct tray_row *row_of(struct tray *t, const struct event *e)
{
    assert(e->candidate >= 0 && e->candidate < TRAY_MAX);
    if (e->candidate >= t->n)
        t->n = e->candidate + 1;
    return &t->row[e->candidate];
}

void tray_tokens(struct tray *t, const struct event *e)
{
    struct tray_row *r = row_of(t, e);
    r->part = e->part;
    r->tokens += e->tokens;
    r->seconds += e->seconds;
    r->kv_bytes = e->kv_bytes;
    if (e->candidate > 0)
        reply_take(&r->reply, e);
}

/* A revision begins with the reply that it revises: all of that is a thought of it. */
static void copy_draft(struct reply *to, const struct reply *from, int n_ids)
{
    for (int i = 0; i < from->n_part; i++) {
        const struct part *p = &from->part[i];
        struct part *made = reply_text(to, PART_THINKING, p->mode, p->text, strlen(p->text));
        made->tokens += p->tokens;
        made->ms += p->ms;
    }
    ids_append(&to->ids, from->ids.id, n_ids < from->ids.n ? n_ids : from->ids.n);
}

void tray_mark(struct tray *t, const struct event *e, const struct reply *first)
{
    struct tray_row *r = row_of(t, e);
    if (e->mark.state == CANDIDATE_BEGUN && r->mark.state != CANDIDATE_NONE)
        row_clear(r); /* begun anew, after a change of mode */
    int from = e->mark.state == CANDIDATE_BEGUN ? e->mark.from : r->mark.from;
    r->mark = e->mark;
    r->mark.from = from;
    buf_clear(&r->text);
    buf_append(&r->text, buf_text(&e->text), e->text.bytes);
    if (e->mark.state == CANDIDATE_BEGUN && from >= 0 && from < TRAY_MAX)
        copy_draft(&r->reply, from == 0 ? first : &t->row[from].reply, e->total);
}

void tray_choose(struct tray *t, const struct event *e)
{
    row_of(t, e);
    t->told = true;
    t->chosen = e->candidate;
    buf_clear(&t->why);
    buf_append(&t->why, buf_text(&e->text), e->text.bytes);
}

/* What stands beside the text of a reply that was made here. */
static void complete(struct tray_row *r, uint64_t seed)
{
    struct reply *reply = &r->reply;
    reply->seed = seed;
    reply->reason = r->mark.capped ? REASON_LENGTH : r->mark.reason;
    for (int i = 0; i < reply->n_part; i++) {
        bool thought = reply->part[i].kind == PART_THINKING;
        *(thought ? &reply->usage.thinking_tokens : &reply->usage.answer_tokens) +=
            reply->part[i].tokens;
    }
}

static void row_keep(struct tray_row *r, struct conversation *c, int turn)
{
    r->sibling = conversation_put(c, turn, &r->reply);
}

int tray_settle(struct tray *t, struct conversation *c, uint64_t seed)
{
    int first = c->turn[t->turn].chosen;
    bool alone = t->chosen == 0;
    for (int k = 1; k < t->n; k++)
        alone = alone && t->row[k].mark.state != CANDIDATE_FINISHED;
    if (alone) {
        t->row[0].sibling = first;
        return first;
    }
    conversation_pull(c, t->turn, first, &t->row[0].reply);
    for (int k = 1; k < t->n; k++)
        complete(&t->row[k], strand_seed(seed, t->turn, k));
    for (int k = 0; k < t->n; k++)
        if (k != t->chosen && t->row[k].mark.state == CANDIDATE_FINISHED)
            row_keep(&t->row[k], c, t->turn);
        else if (k != t->chosen)
            reply_release(&t->row[k].reply);
    row_keep(&t->row[t->chosen], c, t->turn);
    return first;
}
