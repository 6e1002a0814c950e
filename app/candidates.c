/* candidates.c -- see candidates.h. */
#include "app/candidates.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/likely.h"

enum { OPTIONS_MAX = 6 }; /* more are not scored: nobody waits for that */

static struct strand *strand_of(struct candidates *c, int k)
{
    return k == 0 ? c->main : &c->fork[k];
}

static bool runs(struct candidates *c, int k)
{
    const struct strand *s = strand_of(c, k);
    return s->session && !strand_over(s);
}

/* Candidates that a mode may have. */
static int allowed(const struct candidates *c, enum mode_id mode)
{
    const struct mode *m = turn_row(&c->main->turn, mode);
    return m->choose == MODE_CHOOSE_NONE ? 1 : m->candidates;
}

/* ---- telling ------------------------------------------------------------------------------ */

static struct event *tell(struct candidates *c, int k, enum candidate_state state,
                          struct event_list *out)
{
    struct event *e = strand_event(strand_of(c, k), out, EVENT_CANDIDATE);
    e->mark.state = state;
    e->mark.from = -1;
    e->mark.demands = c->choose.demands.n;
    e->usage.think_capped = strand_of(c, k)->turn.capped;
    return e;
}

/* Where each that has finished stands now: the number that agree with it may have grown. */
static void tell_marks(struct candidates *c, struct event_list *out)
{
    int n = c->choose.n0 + c->choose.revised;
    for (int k = 0; k < n; k++) {
        struct choose_mark m;
        choose_mark(&c->choose, k, &m);
        if (!m.in)
            continue;
        struct event *e = tell(c, k, CANDIDATE_FINISHED, out);
        e->mark.agree = m.agree;
        e->mark.checked = c->choose.method == CHOOSE_CHECK;
        e->mark.kept = m.kept;
        e->mark.capped = m.capped;
        e->mark.empty = m.empty;
        e->mark.logprob = m.logprob;
        buf_puts(&e->text, e->mark.checked ? m.why : m.answer ? m.answer : "");
    }
}

static void decide(struct candidates *c, int winner, struct event_list *out)
{
    c->phase = CANDIDATES_DECIDED;
    c->winner = winner;
    if (!c->choosing)
        return;
    struct event *e = strand_event(strand_of(c, winner), out, EVENT_CHOSEN);
    e->total = c->n_begun;
    choose_describe(&c->choose, &e->text);
}

static bool leader(const struct candidates *c, int *k)
{
    struct choose_result r;
    if (!c->choosing)
        return false;
    choose_result(&c->choose, &r);
    *k = r.winner;
    return r.winner >= 0;
}

/* ---- giving back -------------------------------------------------------------------------- */

/* kept: takes the session of a reply that had ended; NULL = none is wanted. */
static void fork_drop(struct candidates *c, int k, struct kept *kept)
{
    struct session_stats s;
    struct strand *f = &c->fork[k];
    if (!f->session)
        return;
    session_stats(f->session, &s);
    c->n_read += s.n_read;
    c->n_re_read += s.n_re_read;
    c->n_drafted += s.n_drafted;
    c->n_accepted += s.n_accepted;
    c->kv_bytes += s.kv_bytes;
    c->n_tokens += f->turn.n_think + f->turn.n_answer;
    if (kept && strand_over(f)) {
        kept_put(kept, f->session);
        f->session = NULL;
    }
    strand_release(f);
}

static void forks_drop(struct candidates *c, struct kept *kept)
{
    for (int k = 1; k <= CHOOSE_MAX; k++)
        fork_drop(c, k, kept);
    c->n_begun = 1;
    c->more = false;
    c->choosing = false;
}

void candidates_end(struct candidates *c)
{
    forks_drop(c, NULL);
    choose_release(&c->choose);
    session_free(&c->base);
    c->main = NULL;
}

void candidates_release(struct candidates *c)
{
    candidates_end(c);
    batch_free(&c->batch);
}

/* ---- beginning ---------------------------------------------------------------------------- */

void candidates_begin(struct candidates *c, struct strand *first, const char *prompt, int turn)
{
    struct batch *batch = c->batch;
    assert(!c->main);
    *c = (struct candidates){.main = first, .n_begun = 1, .turn = turn, .batch = batch};
    c->seed = first->sampling.seed;
    choose_begin(&c->choose, prompt, strlen(prompt), CHOOSE_MAX);
    c->comparable = c->choose.method != CHOOSE_FIRST;
}

static void refuse(struct candidates *c, const struct err *err)
{
    c->refused = true;
    c->more = false;
    c->why = *err;
}

void candidates_prompt(struct candidates *c)
{
    struct err err;
    if (c->comparable && !session_fork(c->main->session, &c->base, &err))
        refuse(c, &err); /* told when candidates are wanted */
}

static void choosing_begin(struct candidates *c, struct event_list *out)
{
    int n = c->refused ? 1 : allowed(c, c->main->turn.mode);
    if (c->refused)
        buf_printf(&event_add(out, EVENT_NOTE)->text, "1 candidate: %s", c->why.msg);
    choose_again(&c->choose, n < CHOOSE_MAX ? n : CHOOSE_MAX,
                 turn_row(&c->main->turn, c->main->turn.mode)->choose);
    c->choosing = true;
}

/* What a candidate is besides its random stream. The first retry of demands is greedy too, unless
 * that would say what candidate 0 said. */
static void begin(const struct candidates *c, struct strand *f, int k)
{
    const struct turn_state *first = &c->main->turn;
    struct turn_limits limits = first->limits;
    limits.direct = c->choose.method == CHOOSE_CHECK;
    bool greedy = limits.direct && k == 1 && first->n_think > 0 && !c->main->vary;
    strand_begin(f, first->mode, &limits, strand_seed(c->seed, c->turn, k), !greedy);
}

/* Begins candidate k where `from` stands: at the end of the prompt or of what opens a reply. */
static bool spawn(struct candidates *c, int k, const struct session *from, struct event_list *out,
                  struct err *err)
{
    struct strand *f = &c->fork[k];
    if (!strand_spawn(c->main, from, f, err))
        return false;
    f->candidate = k;
    begin(c, f, k);
    c->n_begun = k + 1;
    tell(c, k, CANDIDATE_BEGUN, out);
    return strand_open(f, out, err);
}

static bool untouched(const struct strand *s)
{
    return s->turn.n_think + s->turn.n_answer == 0;
}

/* Begins those that have not: the first reads what opens a reply, if candidate 0 does not stand
 * right behind it; the rest begin where the first stands. */
static bool launch(struct candidates *c, struct event_list *out, struct err *err)
{
    if (!c->batch && !batch_new(&c->batch, c->main->engine, CHOOSE_MAX, err))
        return false;
    if (c->n_begun == 1)
        return spawn(c, 1, untouched(c->main) ? c->main->session : c->base, out, err);
    while (c->n_begun < c->choose.n0)
        if (!spawn(c, c->n_begun, c->fork[1].session, out, err))
            return false;
    c->more = false;
    return true;
}

/* There is not enough memory for another: those that run go on. */
static void launch_or_not(struct candidates *c, struct event_list *out)
{
    struct err err;
    if (launch(c, out, &err))
        return;
    refuse(c, &err);
    buf_printf(&event_add(out, EVENT_NOTE)->text, "no more candidates: %s", err.msg);
}

/* For a vote all run beside each other, from the first token on. */
static void vote_begins(struct candidates *c, struct event_list *out)
{
    if (c->choosing || c->refused || !c->comparable || !untouched(c->main) ||
        allowed(c, c->main->turn.mode) < 2)
        return;
    choosing_begin(c, out);
    c->choosing = c->more = c->choose.method == CHOOSE_VOTE;
}

/* ---- ending ------------------------------------------------------------------------------- */

static struct choose_reply reply_of(const struct strand *s)
{
    enum reply_reason r = s->turn.reason;
    return (struct choose_reply){buf_text(&s->answer), s->answer.bytes, strand_logprob(s),
                                 r != REASON_STOP};
}

/* Opens a thought again behind the answer of candidate k; false: there is no room for it. What the
 * two have in common was made once. */
static bool revise(struct candidates *c, int k, struct event_list *out)
{
    struct err err;
    struct event_list fresh = {0};
    int at = c->choose.n0;
    struct strand *f = &c->fork[at];
    if (!strand_fork(strand_of(c, k), f, &err))
        return false;
    struct choose_mark mark;
    char finding[MADE_FINDING_BYTES];
    choose_mark(&c->choose, k, &mark);
    snprintf(finding, sizeof finding, "%.*s", (int)strcspn(mark.why, "\n"), mark.why);
    int shared = f->turn.n_think + f->turn.n_answer;
    f->candidate = at;
    if (!strand_again(f, finding, &fresh, &err)) {
        event_clear(&fresh);
        strand_release(f);
        return false;
    }
    struct event *e = tell(c, at, CANDIDATE_BEGUN, out);
    e->mark.from = k;
    e->total = f->n_reply - f->n_prompt;
    event_move(out, &fresh);
    c->n_tokens -= shared;
    c->n_begun = at + 1;
    c->phase = CANDIDATES_REVISE;
    return true;
}

/* Options are tied: small models do better at the text of one than at its letter, so each text is
 * scored as if it were the reply. What cannot be scored leaves the tie to the candidates' own
 * probabilities. */
static void weigh_options(struct candidates *c)
{
    struct err err;
    double mean[OPTIONS_MAX];
    int n = c->choose.demands.n_choice;
    if (n > OPTIONS_MAX || !c->base)
        return;
    for (int i = 0; i < n; i++)
        if (!likely_text(c->main->engine, c->base, &c->main->line, c->main->n_prompt,
                         c->choose.demands.choice[i].text, &mean[i], &c->n_read, &err))
            return;
    for (int i = 0; i < n; i++)
        choose_weigh(&c->choose, i, exp(mean[i]));
}

static void settle(struct candidates *c, struct event_list *out)
{
    int k = 0;
    bool has = leader(c, &k);
    assert(has);
    (void)has;
    if (!c->refused && c->phase == CANDIDATES_RUN && choose_revises(&c->choose) &&
        revise(c, k, out))
        return;
    if (choose_weighs(&c->choose)) {
        weigh_options(c);
        leader(c, &k);
    }
    decide(c, k, out);
}

/* True if some are still to come that could change the choice. */
static bool outstanding(struct candidates *c)
{
    if (!c->refused)
        return true;
    for (int k = 0; k < c->n_begun; k++)
        if (runs(c, k))
            return true;
    return false;
}

/* Candidate k has ended. */
static void finished(struct candidates *c, int k, struct event_list *out)
{
    struct strand *s = strand_of(c, k);
    strand_end(s, out);
    if (!c->choosing && allowed(c, c->main->turn.mode) > 1)
        choosing_begin(c, out);
    if (!c->choosing) {
        decide(c, 0, out);
        return;
    }
    struct choose_reply r = reply_of(s);
    enum choose_step step = CHOOSE_STOP;
    if (c->phase == CANDIDATES_REVISE)
        choose_revision(&c->choose, &r);
    else
        step = choose_candidate(&c->choose, k, &r);
    tell_marks(c, out);
    if (step == CHOOSE_STOP || !outstanding(c))
        settle(c, out);
    else
        c->more = c->n_begun < c->choose.n0 && !c->refused;
}

bool candidates_stop(struct candidates *c, struct event_list *out)
{
    int k;
    if (!leader(c, &k))
        return false;
    decide(c, k, out);
    return true;
}

/* ---- running ------------------------------------------------------------------------------ */

static struct strand *unread(struct candidates *c)
{
    for (int k = 0; k < c->n_begun; k++)
        if (runs(c, k) && strand_of(c, k)->unread)
            return strand_of(c, k);
    return NULL;
}

/* One token for each that runs. */
static bool run(struct candidates *c, struct event_list *out, struct err *err)
{
    struct session_token token[CHOOSE_MAX + 1];
    struct strand *strand[CHOOSE_MAX + 1];
    int who[CHOOSE_MAX + 1], n = 0;
    for (int k = 0; k < c->n_begun; k++)
        if (runs(c, k)) {
            strand[n] = strand_of(c, k);
            who[n++] = k;
        }
    assert(n > 0);
    int done = strand_next(strand, n, c->batch, token, err);
    if (done <= 0)
        return done == 0;
    for (int i = 0; i < n; i++)
        if (!strand_token(strand[i], &token[i], out, err))
            return false;
    for (int i = 0; i < n && c->phase != CANDIDATES_DECIDED; i++)
        if (strand_over(strand[i]))
            finished(c, who[i], out);
    return true;
}

bool candidates_step(struct candidates *c, struct event_list *out, struct err *err)
{
    struct strand *s = unread(c);
    if (s)
        return strand_read(s, out, err);
    vote_begins(c, out);
    if (!c->more)
        return run(c, out, err);
    launch_or_not(c, out);
    if (!outstanding(c))
        settle(c, out);
    return true;
}

bool candidates_mode(struct candidates *c, enum mode_id mode, struct event_list *out,
                     struct err *err)
{
    bool alone = allowed(c, mode) < 2;
    if (alone && candidates_stop(c, out))
        return true;
    if (alone)
        forks_drop(c, NULL);
    for (int k = 0; k < c->n_begun; k++)
        if (runs(c, k) && !strand_mode(strand_of(c, k), mode, out, err))
            return false;
    return true;
}

void candidates_take(struct candidates *c, struct kept *kept)
{
    struct strand *w = strand_of(c, c->winner);
    if (w != c->main) {
        struct strand old = *c->main;
        session_swap(old.session, w->session);
        *c->main = *w;
        *w = old;
        w->session = c->main->session;
        c->main->session = old.session;
        c->main->candidate = 0;
    }
    forks_drop(c, kept);
}
