/* gate.c -- see gate.h. */
#include "app/gate.h"

#include <math.h>
#include <string.h>

#include "app/softmax.h"
#include "app/tier.h"

/* ---- distributions ------------------------------------------------------------------------ */

/* Into the list, which is in order, as long as it has room or smaller ones. */
static void list_add(struct gate_list *l, int32_t id, float logit)
{
    int at = l->n < GATE_TOP ? l->n++ : GATE_TOP - 1;
    for (; at > 0 && l->logprob[at - 1] < logit; at--) {
        l->logprob[at] = l->logprob[at - 1];
        l->id[at] = l->id[at - 1];
    }
    l->logprob[at] = logit;
    l->id[at] = id;
}

void gate_list_make(struct gate_list *l, const float *logits, int n_vocab)
{
    int best;
    double sum = softmax_log_sum(logits, n_vocab, &best);
    l->n = 0;
    for (int i = 0; i < n_vocab; i++)
        if (l->n < GATE_TOP || logits[i] > l->logprob[GATE_TOP - 1])
            list_add(l, i, logits[i]);
    l->rest = 1;
    for (int i = 0; i < l->n; i++) {
        l->logprob[i] -= (float)sum;
        l->rest -= exp((double)l->logprob[i]);
    }
    l->rest = l->n == n_vocab || l->rest < 0 ? 0 : l->rest;
}

double gate_divergence(const struct gate_list *l, const float *logits, int n_vocab)
{
    static const double least = 1e-30;
    int best;
    double sum = softmax_log_sum(logits, n_vocab, &best), kld = 0, rest = 1;
    for (int i = 0; i < l->n; i++) {
        double p = (double)l->logprob[i], q = (double)logits[l->id[i]] - sum;
        kld += exp(p) * (p - q);
        rest -= exp(q);
    }
    if (l->rest > 0)
        kld += l->rest * (log(l->rest) - log(rest > least ? rest : least));
    return kld > 0 ? kld : 0;
}

/* ---- measuring ---------------------------------------------------------------------------- */

void gate_init(struct gate *g, int n_vocab, double limit, int from, bool file)
{
    enum kv_tier unmeasured = limit > 0 ? KV_TIER_EXACT : KV_TIER_Q4;
    *g = (struct gate){.n_vocab = n_vocab, .limit = limit, .from = from, .file = file,
                       .tier = file ? KV_TIER_FLASH : unmeasured};
}

void gate_leave(struct gate *g)
{
    session_free(&g->fork);
    tokens_release(&g->ids);
    g->phase = GATE_REST;
}

static bool is_due(const struct gate *g, const struct session *s)
{
    struct far_stats far;
    int n = session_len(s);
    session_far(s, &far);
    if (g->limit <= 0 || n < g->from || n <= 2 * GATE_TOKENS)
        return false;
    if (far.tier == KV_TIER_FLASH)
        return n < g->last.at || n >= g->last.at + g->last.at / 2;
    return far.tier == KV_TIER_EXACT && !g->file && !g->decided;
}

/* The tokens to measure are to be read again, in the way of the trial. */
static bool begin_trial(struct gate *g, const struct session *s, enum kv_tier tier,
                        struct err *err)
{
    struct far_opts far = {tier, NULL};
    g->phase = GATE_TRY;
    g->trial = tier;
    g->kld = g->read = g->allowed = 0;
    g->at = g->ids.n - GATE_TOKENS;
    if (tier != KV_TIER_FLASH) {
        session_free(&g->fork); /* it may have fewer bits than s */
        if (!session_fork(s, &g->fork, err) || !session_set_far(g->fork, &far, err))
            return false;
    }
    session_cut(g->fork, g->at);
    session_set_index(g->fork, true);
    session_set_rows(g->fork, g->rows);
    return true;
}

static bool begin(struct gate *g, const struct session *s, struct err *err)
{
    if (!session_fork(s, &g->fork, err) ||
        !tokens_append(&g->ids, session_ids(s), session_len(s), err))
        return false;
    g->phase = GATE_STORE;
    g->at = g->ids.n - GATE_TOKENS;
    g->last.kld_before = 0;
    session_cut(g->fork, g->at);
    session_set_index(g->fork, false);
    return true;
}

/* Takes down how a token of the trial differs, and what it read. */
static void compare(struct gate *g, const struct gate_list *l)
{
    struct far_stats far;
    session_far(g->fork, &far);
    g->kld += gate_divergence(l, session_logits(g->fork), g->n_vocab) / GATE_TOKENS;
    g->read += far.chosen / GATE_TOKENS;
    g->allowed += far.allowed / GATE_TOKENS;
}

/* Reads one token more and takes down, or compares, what follows it. */
static bool read_one(struct gate *g, struct err *err)
{
    int k = g->at - (g->ids.n - GATE_TOKENS), held;
    do {
        held = session_read(g->fork, g->ids.id, g->at + 1, err);
    } while (held >= 0 && held <= g->at);
    if (held < 0)
        return false;
    if (g->phase == GATE_STORE)
        gate_list_make(&g->list[k], session_logits(g->fork), g->n_vocab);
    else
        compare(g, &g->list[k]);
    g->at++;
    return true;
}

/* Twice the rows that the trial was allowed, in the count of session_set_rows(). */
static int more_rows(const struct gate *g)
{
    double longer = g->ids.n > SESSION_ROWS_AT ? (double)g->ids.n / SESSION_ROWS_AT : 1;
    double rows = g->rows > 0 ? g->rows : g->allowed / longer;
    return rows < GATE_ROWS_MAX / 2 ? (int)(2 * rows) : GATE_ROWS_MAX;
}

/* Beyond the limit: the next way to try; false: there is none. */
static bool next_trial(struct gate *g, const struct session *s, struct err *err)
{
    if (g->trial == KV_TIER_Q4)
        return begin_trial(g, s, KV_TIER_Q8, err);
    if (g->trial != KV_TIER_FLASH || g->rows >= GATE_ROWS_MAX)
        return false;
    g->rows = more_rows(g);
    return begin_trial(g, s, KV_TIER_FLASH, err);
}

/* What the last trial says; true: it is the end. */
static bool judge(struct gate *g, const struct session *s, struct err *err)
{
    bool good = g->kld <= g->limit;
    struct gate_report *r = &g->last;
    r->kld_before = good || r->kld_before > 0 ? r->kld_before : g->kld;
    if (!good && next_trial(g, s, err))
        return false;
    if (g->trial != KV_TIER_FLASH || !good)
        g->tier = good ? g->trial : g->trial == KV_TIER_FLASH ? KV_TIER_Q8 : KV_TIER_EXACT;
    g->decided = true;
    r->at = g->ids.n;
    r->tier = g->tier;
    r->rows = (int)(g->read + 0.5);
    r->asked = g->trial == KV_TIER_FLASH ? g->rows : 0;
    r->kld = g->kld;
    r->limit = g->limit;
    return true;
}

static bool slice(struct gate *g, const struct session *s, bool *done, struct err *err)
{
    if (g->phase == GATE_REST)
        return begin(g, s, err);
    if (g->at < g->ids.n)
        return read_one(g, err);
    if (g->phase == GATE_STORE)
        return begin_trial(g, s, g->file ? KV_TIER_FLASH : KV_TIER_Q4, err);
    *done = judge(g, s, err);
    return true;
}

/* True if s still begins with what is measured. */
static bool is_same(const struct gate *g, const struct session *s)
{
    return session_len(s) >= g->ids.n &&
           memcmp(session_ids(s), g->ids.id, (size_t)g->ids.n * sizeof *g->ids.id) == 0;
}

enum gate_outcome gate_step(struct gate *g, const struct session *s)
{
    struct err err;
    bool done = false;
    if (g->phase != GATE_REST && !is_same(g, s))
        gate_leave(g);
    if (g->phase == GATE_REST && !is_due(g, s))
        return GATE_IDLE;
    bool ok = slice(g, s, &done, &err);
    if (ok && !done)
        return GATE_MORE;
    if (!ok)
        g->limit = 0; /* it cannot be measured here: no memory, or a cache of one form */
    gate_leave(g);
    return ok ? GATE_DONE : GATE_IDLE;
}

void gate_describe(const struct gate_report *r, struct buf *out)
{
    bool good = r->kld <= r->limit;
    if (r->at == 0)
        return;
    if (!good || r->rows == 0)
        buf_printf(out, "held as %s in memory: ", tier_name(r->tier));
    if (r->rows > 0)
        buf_printf(out, "by index, %d rows a key head, ", r->rows);
    else if (!good)
        buf_puts(out, "as q8, ");
    buf_printf(out, "KL divergence %.4f from %s, over %d tokens at %d (%.3g allowed", r->kld,
               r->rows > 0 ? "all rows" : "f16", GATE_TOKENS, r->at, r->limit);
    if (good && r->rows > 0 && r->kld_before > 0)
        buf_printf(out, "; %.4f with fewer rows", r->kld_before);
    buf_puts(out, ")");
}
