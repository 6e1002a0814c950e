/* tray.c -- see tray.h. */
#include "app/tray.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/record.h"
#include "app/strand.h"

_Static_assert((int)TRAY_MAX == (int)RECORD_CANDIDATES, "what is shown can be stored");

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
    t->told = t->over = false;
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
    int n = n_ids < from->ids.n ? n_ids : from->ids.n;
    reply_thought(to, 0, n);
    ids_append(&to->ids, from->ids.id, n);
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
    r->reply.usage.think_capped = e->usage.think_capped;
    if (e->mark.state == CANDIDATE_BEGUN && from >= 0 && from < TRAY_MAX)
        copy_draft(&r->reply, from == 0 ? first : &t->row[from].reply, e->total);
}

void tray_made(struct tray *t, const struct event *e)
{
    reply_made(&row_of(t, e)->reply, e->made);
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
    reply->seed = reply->made ? reply->made->seed : seed;
    reply->reason = r->mark.capped ? REASON_LENGTH : r->mark.reason;
    reply->usage.seconds = r->seconds;
    for (int i = 0; i < reply->n_part; i++) {
        bool thought = reply->part[i].kind == PART_THINKING;
        *(thought ? &reply->usage.thinking_tokens : &reply->usage.answer_tokens) +=
            reply->part[i].tokens;
    }
}

static void row_keep(struct tray *t, int k, struct conversation *c)
{
    struct tray_row *r = &t->row[k];
    int turn = t->turn;
    if (t->told) {
        r->reply.candidate = k;
        r->reply.mark = r->mark;
        r->reply.said = mem_dup(buf_text(&r->text));
    }
    r->sibling = conversation_put(c, turn, &r->reply);
}

int tray_settle(struct tray *t, struct conversation *c, uint64_t seed)
{
    int first = c->turn[t->turn].chosen;
    bool alone = t->chosen == 0;
    t->over = true;
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
            row_keep(t, k, c);
        else if (k != t->chosen)
            reply_release(&t->row[k].reply);
    row_keep(t, t->chosen, c);
    if (t->told)
        conversation_choice(c, t->turn, t->n, t->chosen, buf_text(&t->why));
    return first;
}

static void row_restore(struct tray_row *r, const struct reply *reply, int sibling)
{
    r->mark = reply->mark;
    r->sibling = sibling;
    buf_puts(&r->text, reply->said ? reply->said : "");
    for (int i = 0; i < reply->n_part; i++)
        r->tokens += reply->part[i].tokens;
}

void tray_restore(struct tray *t, const struct conversation *c)
{
    const struct turn *last = c->n_turn ? &c->turn[c->n_turn - 1] : NULL;
    tray_release(t);
    if (!last || last->n_candidates < 2 || last->n_candidates > TRAY_MAX || !last->n_reply ||
        last->reply[last->n_reply - 1].mark.state == CANDIDATE_NONE)
        return;
    for (int i = last->n_reply - 1; i >= 0; i--) { /* earlier answers had numbers too */
        const struct reply *r = &last->reply[i];
        if (r->mark.state == CANDIDATE_NONE || r->candidate >= last->n_candidates ||
            t->row[r->candidate].mark.state != CANDIDATE_NONE)
            break;
        row_restore(&t->row[r->candidate], r, i);
    }
    t->n = last->n_candidates;
    t->turn = c->n_turn - 1;
    t->over = t->told = true;
    t->chosen = last->candidate < t->n ? last->candidate : 0;
    buf_puts(&t->why, last->why ? last->why : "");
}

/* ---- a row -------------------------------------------------------------------------------- */

enum { TAIL_BYTES = 60 };

/* The end of what a reply says, on one line. */
static void put_tail(const struct reply *r, struct buf *out)
{
    const char *text = r && r->n_part ? r->part[r->n_part - 1].text : "";
    size_t n = strlen(text), from = n > TAIL_BYTES ? n - TAIL_BYTES : 0;
    while (from < n && ((unsigned char)text[from] & 0xc0) == 0x80)
        from++;
    for (; from < n; from++) {
        char c = text[from];
        bool blank = c == ' ' || c == '\n' || c == '\t';
        if (!blank || (out->bytes && out->data[out->bytes - 1] != ' '))
            buf_append(out, blank ? " " : &c, 1);
    }
}

/* What a finished candidate says, or what is wrong with it. */
static void put_result(const struct tray_row *r, struct buf *out)
{
    const struct candidate_mark *m = &r->mark;
    size_t line = strcspn(buf_text(&r->text), "\n");
    if (m->empty)
        buf_puts(out, "says nothing");
    else if (m->capped)
        buf_puts(out, "was cut off");
    else if (m->checked)
        buf_printf(out, "keeps %d of %d%s%.*s", m->kept, m->demands, line ? "; not: " : "",
                   (int)line, buf_text(&r->text));
    else
        buf_append(out, line ? buf_text(&r->text) : "no answer to compare", line ? line : 20);
}

void tray_line(const struct tray *t, int k, const struct reply *first, struct buf *left,
               struct buf *right)
{
    const struct tray_row *r = &t->row[k];
    const struct candidate_mark *m = &r->mark;
    bool finished = m->state == CANDIDATE_FINISHED;
    bool chosen = t->told && t->chosen == k;
    buf_printf(left, "%s%d ", chosen ? "* " : "  ", k + 1);
    if (m->from >= 0)
        buf_printf(left, "(checks %d) ", m->from + 1);
    if (finished)
        put_result(r, left);
    else if (t->over || (t->told && !chosen))
        buf_puts(left, "not needed");
    else
        put_tail(k == 0 ? first : &r->reply, left);
    if (finished && m->agree > 0)
        buf_printf(right, "%d agree  ", m->agree);
    if (finished && isfinite(m->logprob))
        buf_printf(right, "%.2f  ", m->logprob);
    buf_printf(right, "%d tok", r->tokens);
}
