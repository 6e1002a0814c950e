/* choose.c -- see choose.h. */
#include "app/choose.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/check.h"

static enum choose_method method_of(const struct demands *d, enum answer_kind kind,
                                    enum mode_choose by)
{
    for (int i = 0; i < d->n && by & MODE_CHOOSE_CHECK; i++)
        if (demand_decides(&d->demand[i]))
            return CHOOSE_CHECK;
    return kind != ANSWER_OPEN && by & MODE_CHOOSE_VOTE ? CHOOSE_VOTE : CHOOSE_FIRST;
}

void choose_begin(struct choose *c, const char *prompt, size_t bytes, int candidates)
{
    *c = (struct choose){0};
    demands_read(&c->demands, prompt, bytes);
    c->kind = answer_kind(&c->demands);
    choose_again(c, candidates, MODE_CHOOSE_AUTO);
}

static void replies_release(struct choose *c)
{
    for (int i = 0; i <= CHOOSE_MAX; i++) {
        free(c->entry[i].why);
        c->entry[i] = (struct choose_entry){0};
    }
    vote_release(&c->vote);
}

void choose_again(struct choose *c, int candidates, enum mode_choose by)
{
    assert(candidates >= 1 && candidates <= CHOOSE_MAX);
    replies_release(c);
    c->revised = false;
    c->method = method_of(&c->demands, c->kind, by);
    c->n0 = c->method == CHOOSE_FIRST ? 1 : candidates;
    vote_begin(&c->vote, c->n0);
}

void choose_release(struct choose *c)
{
    replies_release(c);
    demands_release(&c->demands);
    *c = (struct choose){0};
}

static bool passes(const struct choose *c, int k)
{
    const struct choose_entry *e = &c->entry[k];
    return e->in && !e->capped && !e->empty && e->kept == c->demands.n;
}

static void enter(struct choose *c, int k, const struct choose_reply *r)
{
    struct choose_entry *e = &c->entry[k];
    struct piece text = {r->text, r->bytes};
    struct buf why = {0}, answer = {0};
    assert(!e->in);
    e->in = true;
    e->capped = r->capped;
    e->empty = piece_trim(text).bytes == 0;
    e->kept = demands_check(&c->demands, text, &why);
    e->why = buf_take(&why);
    if (!e->capped && !e->empty)
        answer_read(&c->demands, c->kind, text, &answer);
    vote_cast(&c->vote, k, buf_text(&answer), r->logprob, e->kept);
    buf_release(&answer);
}

enum choose_step choose_candidate(struct choose *c, int k, const struct choose_reply *r)
{
    assert(k >= 0 && k < c->n0);
    enter(c, k, r);
    struct tally t;
    vote_tally(&c->vote, &t);
    bool over = t.outstanding == 0 || (c->method == CHOOSE_CHECK && passes(c, k)) ||
                (c->method == CHOOSE_VOTE && t.decided);
    return over ? CHOOSE_STOP : CHOOSE_MORE;
}

bool choose_revises(const struct choose *c)
{
    struct tally t;
    vote_tally(&c->vote, &t);
    return c->method == CHOOSE_VOTE && !c->revised && t.split && t.cast > 1;
}

void choose_revision(struct choose *c, const struct choose_reply *r)
{
    assert(choose_revises(c));
    c->revised = true;
    enter(c, c->n0, r);
}

bool choose_weighs(const struct choose *c)
{
    struct tally t;
    vote_tally(&c->vote, &t);
    return c->method == CHOOSE_VOTE && c->kind == ANSWER_CHOICE && t.tied &&
           t.outstanding == 0 && !c->vote.weighed;
}

/* As the reply that is the text alone would vote. */
void choose_weigh(struct choose *c, int choice, double probability)
{
    const struct choice *option = &c->demands.choice[choice];
    struct buf answer = {0};
    if (answer_read(&c->demands, c->kind, (struct piece){option->text, strlen(option->text)},
                    &answer))
        vote_weigh(&c->vote, buf_text(&answer), probability);
    buf_release(&answer);
}

/* 1 if candidate a is better than b by itself: whole, more demands kept, more probable; the lower
 * number stands first and wins ties. */
static bool is_better(const struct choose *c, int a, int b)
{
    const struct choose_entry *x = &c->entry[a], *y = &c->entry[b];
    if (x->empty != y->empty)
        return y->empty;
    if (x->capped != y->capped)
        return y->capped;
    if (x->kept != y->kept)
        return x->kept > y->kept;
    return c->vote.ballot[a].logprob > c->vote.ballot[b].logprob;
}

/* The best by itself; -1: none has finished. A revision has to win the vote, so it is no answer
 * where there was none. */
static int best_entry(const struct choose *c)
{
    int best = -1;
    for (int i = 0; i < c->n0; i++)
        if (c->entry[i].in && (best < 0 || is_better(c, i, best)))
            best = i;
    return best;
}

void choose_result(const struct choose *c, struct choose_result *out)
{
    *out = (struct choose_result){0};
    vote_tally(&c->vote, &out->tally);
    out->winner = c->method == CHOOSE_VOTE ? out->tally.leader : -1;
    if (out->winner < 0)
        out->winner = best_entry(c);
    out->passed = out->winner >= 0 && passes(c, out->winner);
}

void choose_mark(const struct choose *c, int k, struct choose_mark *out)
{
    assert(k >= 0 && k < c->n0 + c->revised);
    const struct choose_entry *e = &c->entry[k];
    const struct ballot *b = &c->vote.ballot[k];
    *out = (struct choose_mark){
        .in = e->in, .capped = e->capped, .empty = e->empty, .kept = e->kept,
        .answer = b->answer, .agree = vote_agree(&c->vote, k), .logprob = b->logprob,
        .why = e->why ? e->why : "",
    };
}

static void describe_check(const struct choose *c, const struct choose_result *r, struct buf *out)
{
    int n = c->demands.n;
    const struct choose_entry *e = &c->entry[r->winner];
    buf_printf(out, "candidate %d ", r->winner + 1);
    if (r->passed)
        buf_printf(out, n == 1 ? "keeps the demand" : "keeps all %d demands", n);
    else if (e->capped)
        buf_puts(out, "was cut off");
    else
        buf_printf(out, "keeps %d of %d demand%s", e->kept, n, n == 1 ? "" : "s");
}

static void describe_vote(const struct choose *c, const struct choose_result *r, struct buf *out)
{
    const struct tally *t = &r->tally;
    if (t->leader < 0) {
        buf_puts(out, "no candidate gave an answer to compare");
        return;
    }
    buf_printf(out, "%d of %d say %s", t->votes, t->cast, c->vote.ballot[t->leader].answer);
    if (t->tied)
        buf_puts(out, c->vote.weighed ? ", a tie: the likelier option"
                                      : ", a tie: the more probable one");
    if (c->revised)
        buf_puts(out, vote_same(&c->vote, c->n0, t->leader) ? ", after revision"
                                                            : ", revision outvoted");
}

void choose_describe(const struct choose *c, struct buf *out)
{
    struct choose_result r;
    choose_result(c, &r);
    if (c->method == CHOOSE_FIRST)
        buf_puts(out, "1 candidate: nothing to compare by");
    else if (r.winner < 0)
        buf_puts(out, "no candidate has finished");
    else if (c->method == CHOOSE_CHECK)
        describe_check(c, &r, out);
    else
        describe_vote(c, &r, out);
}
