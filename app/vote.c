/* vote.c -- see vote.h. */
#include "app/vote.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/buf.h"

void vote_begin(struct vote *v, int n)
{
    assert(n >= 1 && n <= VOTE_MAX);
    *v = (struct vote){.n = n};
}

void vote_release(struct vote *v)
{
    for (int i = 0; i < v->n; i++)
        free(v->ballot[i].answer);
    *v = (struct vote){0};
}

void vote_cast(struct vote *v, int i, const char *answer, double logprob, int rank)
{
    assert(i >= 0 && i <= v->n && i < VOTE_MAX);
    if (i == v->n)
        v->n++;
    struct ballot *b = &v->ballot[i];
    assert(!b->in);
    *b = (struct ballot){true, NULL, isnan(logprob) ? -INFINITY : logprob, rank, 0};
    if (answer && *answer)
        b->answer = mem_dup(answer);
}

bool vote_same(const struct vote *v, int a, int b)
{
    const char *x = v->ballot[a].answer, *y = v->ballot[b].answer;
    return x && y && strcmp(x, y) == 0;
}

int vote_agree(const struct vote *v, int i)
{
    int n = 0;
    for (int k = 0; k < v->n; k++)
        n += vote_same(v, i, k);
    return n;
}

/* The best log-probability of the answer that candidate i gave. */
static double best_logprob(const struct vote *v, int i)
{
    double best = v->ballot[i].logprob;
    for (int k = 0; k < v->n; k++)
        if (vote_same(v, i, k) && v->ballot[k].logprob > best)
            best = v->ballot[k].logprob;
    return best;
}

void vote_weigh(struct vote *v, const char *answer, double weight)
{
    v->weighed = true;
    for (int i = 0; i < v->n; i++)
        if (v->ballot[i].answer && strcmp(v->ballot[i].answer, answer) == 0)
            v->ballot[i].weight = weight;
}

/* True if the answer of candidate a goes before that of b, which has as many votes. */
static bool wins_tie(const struct vote *v, int a, int b)
{
    if (v->ballot[a].weight > v->ballot[b].weight || v->ballot[a].weight < v->ballot[b].weight)
        return v->ballot[a].weight > v->ballot[b].weight;
    return best_logprob(v, a) > best_logprob(v, b);
}

/* The candidate among those of one answer that speaks for it. */
static int spokesman(const struct vote *v, int i)
{
    int best = -1;
    for (int k = 0; k < v->n; k++) {
        const struct ballot *b = &v->ballot[k], *old = best < 0 ? NULL : &v->ballot[best];
        if (vote_same(v, i, k) &&
            (!old || b->rank > old->rank || (b->rank == old->rank && b->logprob > old->logprob)))
            best = k;
    }
    return best;
}

void vote_tally(const struct vote *v, struct tally *out)
{
    int lead = -1;
    *out = (struct tally){.leader = -1};
    for (int i = 0; i < v->n; i++) {
        int n = vote_agree(v, i);
        out->outstanding += !v->ballot[i].in;
        out->cast += n > 0;
        if (n > out->votes ||
            (n > 0 && n == out->votes && wins_tie(v, i, lead))) {
            lead = i;
            out->votes = n;
        }
    }
    if (lead < 0)
        return;
    for (int i = 0; i < v->n; i++)
        if (!vote_same(v, i, lead) && vote_agree(v, i) > out->second)
            out->second = vote_agree(v, i);
    out->leader = spokesman(v, lead);
    out->tied = out->votes == out->second;
    out->decided = out->votes - out->second > out->outstanding;
    out->split = out->outstanding == 0 && 2 * out->votes <= out->cast;
}
