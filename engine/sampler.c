/* sampler.c -- see sampler.h.
 *
 * Sorting a whole vocabulary per token would cost more than it is worth: a heap is built in
 * linear time and gives the ids by falling probability, as many as are needed -- mostly few. */
#include "engine/sampler.h"

#include <float.h>
#include <math.h>
#define TEMPERATURE_MIN 1e-6f  /* below it one id has all the probability a float can tell */

/* SplitMix64's output function, applied twice: (seed, position) to 64 mixed bits. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

double sampler_random(uint64_t seed, uint64_t position)
{
    uint64_t z = mix(mix(seed + 0x9e3779b97f4a7c15u) + (position + 1) * 0x9e3779b97f4a7c15u);
    return (double)(z >> 11) * 0x1p-53;
}

/* NaN to minus infinity, infinities to the largest floats: differences stay defined. */
static void copy_clean(const float *x, int n, float *out)
{
    for (int i = 0; i < n; i++) {
        float v = x[i] == x[i] ? x[i] : -FLT_MAX;
        v = v > FLT_MAX ? FLT_MAX : v;
        out[i] = v < -FLT_MAX ? -FLT_MAX : v;
    }
}

double sampler_log_sum_exp(const struct kernels *k, const float *x, int n, float *scratch)
{
    copy_clean(x, n, scratch);
    float max = k->max(scratch, (size_t)n);
    return (double)max + log((double)k->exp_sum(scratch, (size_t)n, max, 1));
}

/* Each id once, however often it was seen. */
static void penalise(const struct sampler_call *c)
{
    float penalty = c->how->repeat_penalty;
    if (penalty == 1)
        return;
    for (int i = 0; i < c->n_recent; i++) {
        int32_t id = c->recent[i];
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = c->recent[j] == id;
        if (!seen)
            c->logit[id] = c->logit[id] > 0 ? c->logit[id] / penalty : c->logit[id] * penalty;
    }
}

static int32_t argmax(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* ---- the heap: the most probable id on top ------------------------------------------------- */

static bool before(const float *p, int32_t a, int32_t b)
{
    return p[a] > p[b] || (p[a] == p[b] && a < b);
}

static void sift_down(const float *p, int32_t *heap, int n, int i)
{
    for (;;) {
        int child = 2 * i + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(p, heap[child + 1], heap[child]))
            child++;
        if (!before(p, heap[child], heap[i]))
            return;
        int32_t swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
        i = child;
    }
}

/* Ids by falling probability, on demand: the n_sorted best stand at the end of the array, the
 * best last; the rest is a heap in front of them. */
struct ranking {
    const float *p;
    int32_t *id;   /* [n] */
    int n, n_sorted;
};

/* Of the first n of id. */
static void ranking_init(struct ranking *r, const float *p, int32_t *id, int n)
{
    *r = (struct ranking){ p, id, n, 0 };
    for (int i = n / 2 - 1; i >= 0; i--)
        sift_down(p, id, n, i);
}

/* The i-th best id, i < n. */
static int32_t ranking_get(struct ranking *r, int i)
{
    while (r->n_sorted <= i) {
        int last = r->n - 1 - r->n_sorted++;
        int32_t top = r->id[0];
        r->id[0] = r->id[last];
        r->id[last] = top;
        sift_down(r->p, r->id, last, 0);
    }
    return r->id[r->n - 1 - i];
}

/* ---- choosing ------------------------------------------------------------------------------ */

/* How many of the best are kept, and their mass. total is that of all. */
static int keep_best(struct ranking *r, const struct sampling *how, double total, double *mass)
{
    bool top_k = how->top_k > 0 && how->top_k < r->n;
    bool top_p = how->top_p < 1, min_p = how->min_p > 0;
    int max = top_k ? how->top_k : r->n, n = 0;
    if (top_k) {
        total = 0;
        for (int i = 0; i < max; i++)
            total += (double)r->p[ranking_get(r, i)];
    }
    *mass = total;
    if (!top_p && !min_p)
        return max;
    float least = min_p ? how->min_p * r->p[ranking_get(r, 0)] : 0;
    *mass = 0;
    do
        *mass += (double)r->p[ranking_get(r, n++)];
    while (n < max && !(top_p && *mass >= (double)how->top_p * total) &&
           r->p[ranking_get(r, n)] >= least);
    return n;
}

/* Puts the ids that may be kept into c->order: of most, min-p says at once that they are not. How
 * many there are. */
static int list_candidates(const struct kernels *k, const struct sampler_call *c)
{
    const float *p = c->logit;
    int whole = c->n_vocab / 8 * 8, n = 0;
    if (c->how->min_p <= 0 || c->how->top_k > 0) {
        for (; n < c->n_vocab; n++)
            c->order[n] = n;
        return n;
    }
    float least = c->how->min_p * k->max(p, (size_t)c->n_vocab);
    n = (int)k->find_above(p, (size_t)whole, nextafterf(least, -1), c->order);
    for (int i = whole; i < c->n_vocab; i++)
        if (p[i] >= least)
            c->order[n++] = i;
    return n;
}

static int32_t draw(const struct kernels *k, const struct sampler_call *c)
{
    const struct sampling *how = c->how;
    float *p = c->logit;
    float max = k->max(p, (size_t)c->n_vocab);
    double mass, total = (double)k->exp_sum(p, (size_t)c->n_vocab, max, 1 / how->temperature);
    struct ranking r;
    ranking_init(&r, p, c->order, list_candidates(k, c));
    int n = keep_best(&r, how, total, &mass);
    double left = sampler_random(how->seed, c->position) * mass;
    int i = 0;
    for (; i < n - 1; i++) {
        left -= (double)p[ranking_get(&r, i)];
        if (left < 0 || p[ranking_get(&r, i + 1)] == 0)
            break;  /* rounding must not lead on to what has no probability */
    }
    return ranking_get(&r, i);
}

struct session_token sampler_choose(const struct kernels *k, const struct sampler_call *c)
{
    copy_clean(c->logits, c->n_vocab, c->logit);
    penalise(c);
    for (int i = 0; i < c->n_banned; i++)
        c->logit[c->banned[i]] = -INFINITY;
    int32_t id = c->how->temperature >= TEMPERATURE_MIN ? draw(k, c) : argmax(c->logit, c->n_vocab);
    double all = sampler_log_sum_exp(k, c->logits, c->n_vocab, c->logit);
    return (struct session_token){ id, (float)((double)c->logits[id] - all) };
}
