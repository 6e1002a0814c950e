/* lookup.c -- see lookup.h.
 *
 * The index is a chain for each hash of two neighbouring ids: the place where such a pair ended
 * last, and from each place to the one before. Cutting takes the places off again in the opposite
 * order, so all of it is constant work for an id. */
#include "engine/lookup.h"

#include "engine/mem.h"

#define TRIES     16      /* places looked at for one draft */
#define MATCH_MAX 32      /* ids compared */
#define GAIN_MIN  1.03f   /* tokens for the time of one, from which on a draft is tried */
#define PRIOR     3.0f    /* drafts that the odds at the beginning weigh as much as */
#define FADE      0.97f   /* of a draft's weight, each time another follows */
#define SLOPE     0.3f    /* what each further token of a pass costs, at first */
#define FOLLOW    0.2f    /* how far a cost goes to meet the last one seen */
#define RETURN    0.05f   /* and goes to where the costs of other passes say it is */
#define FORGET    0.01f   /* how far these go back to what they were at first */

/* Matches of up to so many ids, and how often a draft comes true at first. */
static const struct {
    int match;
    float odds;
} classes[LOOKUP_CLASS] = {
    { 2, 0.4f }, { 3, 0.5f }, { 5, 0.6f }, { 8, 0.7f }, { 15, 0.8f }, { MATCH_MAX, 0.9f },
};

static size_t slots_for(int n_ctx)
{
    size_t n = 64;
    while (n < (size_t)n_ctx)
        n *= 2;
    return n;
}

/* The cost of a pass of n tokens by what other passes took. */
static float guess(const struct lookup *l, int n)
{
    return 1 + l->slope * (float)(n - 1);
}

size_t lookup_bytes(int n_ctx)
{
    return (slots_for(n_ctx) + (size_t)n_ctx) * sizeof(int32_t);
}

bool lookup_init(struct lookup *l, int n_ctx)
{
    *l = (struct lookup){ .n_slots = slots_for(n_ctx) };
    l->last = mem_alloc_n(l->n_slots, sizeof *l->last);
    l->before = mem_alloc_n((size_t)n_ctx, sizeof *l->before);
    for (int i = 0; i < LOOKUP_CLASS; i++) {
        l->odds[i].right = classes[i].odds * PRIOR;
        l->odds[i].tried = PRIOR;
    }
    l->slope = SLOPE;
    for (int n = 1; n <= LOOKUP_PASS; n++)
        l->cost[n] = guess(l, n);
    if (l->last && l->before)
        return true;
    lookup_release(l);
    return false;
}

void lookup_release(struct lookup *l)
{
    mem_free(l->last);
    mem_free(l->before);
    *l = (struct lookup){0};
}

/* ---- the index ----------------------------------------------------------------------------- */

/* Where the chain of the pair that ends at i begins. */
static int32_t *chain(const struct lookup *l, const int32_t *ids, int i)
{
    uint64_t pair = (uint64_t)(uint32_t)ids[i - 1] << 32 | (uint32_t)ids[i];
    return &l->last[pair * 0x9e3779b97f4a7c15u >> 32 & (l->n_slots - 1)];
}

void lookup_cut(struct lookup *l, const int32_t *ids, int n)
{
    while (l->n > n && l->n > 1) {
        l->n--;
        *chain(l, ids, l->n) = l->before[l->n];
    }
    if (l->n > n)
        l->n = n;
}

static void extend(struct lookup *l, const int32_t *ids, int n)
{
    for (; l->n < n; l->n++) {
        if (l->n == 0)
            continue;
        int32_t *last = chain(l, ids, l->n);
        l->before[l->n] = *last;
        *last = l->n + 1;
    }
}

/* How many ids before a and before b > a agree. */
static int agree(const int32_t *ids, int a, int b)
{
    int n = 0;
    while (n < MATCH_MAX && n < a && ids[a - 1 - n] == ids[b - 1 - n])
        n++;
    return n;
}

/* The longest match, the latest of them. */
static struct draft search(const struct lookup *l, const int32_t *ids, int n)
{
    struct draft best = {0};
    int32_t end = n > 1 ? l->before[n - 1] : 0;
    for (int i = 0; i < TRIES && end > 0 && best.match < MATCH_MAX; i++, end = l->before[end - 1]) {
        int match = agree(ids, end, n);
        if (match > best.match && match >= 2)
            best = (struct draft){ .from = end, .match = match };
    }
    return best;
}

/* ---- is it worth it ------------------------------------------------------------------------ */

static int class_of(int match)
{
    int i = 0;
    while (i < LOOKUP_CLASS - 1 && match > classes[i].match)
        i++;
    return i;
}

/* How many of at most `most` ids behind a match promise the most tokens for the time. */
static int worth(const struct lookup *l, int match, int most)
{
    float all = 1, next = 1, best = GAIN_MIN;
    int n = 0;
    for (int i = 0; i < most; i++) {
        int c = class_of(match + i);
        next *= l->odds[c].right / l->odds[c].tried;
        all += next;
        if (all / l->cost[i + 2] >= best) {
            best = all / l->cost[i + 2];
            n = i + 1;
        }
    }
    return n;
}

struct draft lookup_draft(struct lookup *l, const int32_t *ids, int n, int most)
{
    extend(l, ids, n);
    struct draft d = search(l, ids, n);
    if (d.match == 0)
        return d;
    most = most < n - d.from ? most : n - d.from;
    d.n = worth(l, d.match, most < LOOKUP_PASS - 1 ? most : LOOKUP_PASS - 1);
    return d;
}

static void count(struct lookup *l, int match, bool right)
{
    int c = class_of(match);
    l->odds[c].right = l->odds[c].right * FADE + (right ? 1 : 0);
    l->odds[c].tried = l->odds[c].tried * FADE + 1;
}

void lookup_learn(struct lookup *l, const struct draft *d, const int32_t *ids, int n)
{
    int end = l->n, tried = d->n > 0 ? d->n : 1;
    for (int i = 0; d->match > 0 && i < n && i < tried; i++)
        count(l, d->match + i, ids[d->from + i] == ids[end + i]);
}

/* The time of one token. What takes far longer had to wait: that says nothing about the model. */
static void see_one(struct lookup *l, float us)
{
    float most = 2 * l->one_us;
    if (l->one_us > 0)
        l->one_us += ((us < most ? us : most) - l->one_us) * FOLLOW;
    else
        l->one_us = us;
}

void lookup_time(struct lookup *l, int n, double us)
{
    l->slope += (SLOPE - l->slope) * FORGET;
    if (n == 1) {
        see_one(l, (float)us);
    } else if (l->one_us > 0) {
        float seen = (float)us / l->one_us, most = 2 * l->cost[n];
        seen = seen < most ? seen : most;
        l->cost[n] += (seen - l->cost[n]) * FOLLOW;
        l->slope += ((seen - 1) / (float)(n - 1) - l->slope) * FOLLOW;
    }
    for (int i = 2; i <= LOOKUP_PASS; i++)
        if (i != n)
            l->cost[i] += (guess(l, i) - l->cost[i]) * RETURN;
}
