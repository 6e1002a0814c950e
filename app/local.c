/* local.c -- the backend that drives our own engine: opens the model, makes prompts of
 * conversations, and runs one task at a time in slices. A turn is a strand and its candidates.
 *
 * Rendering a message gives ids once; they go back to the conversation (EVENT_RENDERED) and come
 * again with the next prompt. */
#include "app/backend.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/aside.h"
#include "app/both.h"
#include "app/candidates.h"
#include "app/clock.h"
#include "app/gate.h"
#include "app/kept.h"
#include "app/open.h"
#include "app/replay.h"
#include "app/tier.h"
#include "engine/engine.h"

enum {
    CTX_MAX = 32768,   /* of the default context: more must be asked for */
    ROOM_MIN = 32,     /* positions an answer needs at least */
    FAR_FROM = 2048,   /* ids from which on the context is held in the flash tier */
    GATE_FROM = 1280,  /* and from which on what that leaves out is measured */
    ROOM_WANTED = 256, /* below that the person is asked first */
};

enum local_task { TASK_NONE, TASK_TURN, TASK_BOTH, TASK_RESUME, TASK_EXACT, TASK_FOLD, TASK_REPRO };

struct local {
    struct backend base;
    const char *path;               /* of the model, borrowed */
    const struct options *options;  /* borrowed */
    struct engine *engine;
    struct session *session;
    struct strand main;             /* the reply, or the timeline that is taken back */
    struct candidates candidates;
    struct both both;
    struct kept kept;               /* the other timelines of this conversation */
    struct aside aside;             /* the one without thoughts, while it is made */
    struct replay replay;           /* a reply that is made again */
    enum local_task task;
    atomic_int wanted;              /* enum mode_id asked for by the UI */
    atomic_bool cancelled;
    atomic_bool ready;              /* open: session may be cancelled from another thread */

    /* the turn */
    struct mode *rows;              /* of the turn, owned; NULL = as they are */
    enum mode_id mode;              /* in force */
    bool mode_changed;              /* EVENT_MODE is due with the next token */
    uint64_t re_read_before;        /* counter when the mode changed */
    struct usage usage;
    struct session_stats before;    /* counters at the start */
    double started, first;          /* clock_seconds(); first = 0: no token yet */
    int held;                       /* ids of the line the cache held when the last task ended */

    bool tier_free;                 /* no tier was asked for */
    bool tier_refused, tier_told;   /* the model has one tier only; a fallback was told */
    char no_file[256];              /* why the flash tier has no file; "": it has one */
    struct gate gate;

    struct {                        /* what is read again exactly */
        int from, at, to;
        bool told;                  /* the last EVENT_EXACT had some */
    } exact;

    /* the resume */
    char why[256];                  /* why the cache file was not used */
    int back;                       /* ids the file gave back */
};

void turn_request_release(struct turn_request *r)
{
    prompt_release(&r->prompt);
    free(r->rows);
    r->rows = NULL;
}

static struct local *local_of(struct backend *b)
{
    return (struct local *)(void *)b;
}

/* ---- the timeline ------------------------------------------------------------------------- */

static bool render(struct local *l, const struct message *m, struct tokens *out, struct err *err)
{
    const char *text = m->text ? m->text : "";
    size_t bytes = strlen(text);
    if (m->role == MESSAGE_SYSTEM)
        return engine_chat(l->engine, CHAT_BEGIN, text, bytes, out, err);
    if (m->role == MESSAGE_USER)
        return engine_chat(l->engine, CHAT_USER, text, bytes, out, err) &&
               engine_chat(l->engine, CHAT_REPLY, NULL, 0, out, err);
    return engine_tokenize(l->engine, text, bytes, out, err) &&
           engine_chat(l->engine, CHAT_END, NULL, 0, out, err);
}

/* False if a damaged log holds ids the vocabulary does not have. */
static bool ids_known(const struct local *l, const struct ids *ids)
{
    int n_vocab = engine_info(l->engine)->n_vocab;
    for (int i = 0; i < ids->n; i++)
        if (ids->id[i] < 0 || ids->id[i] >= n_vocab)
            return false;
    return true;
}

/* Makes a line of the prompt's ids, rendering messages that have none (or none that can be). */
static bool line_set(struct local *l, struct tokens *line, const struct prompt *p,
                     struct event_list *out, struct err *err)
{
    line->n = 0;
    for (int i = 0; i < p->n; i++) {
        const struct message *m = &p->message[i];
        if (m->ids.n > 0 && ids_known(l, &m->ids)) {
            if (!tokens_append(line, m->ids.id, m->ids.n, err))
                return false;
            continue;
        }
        int from = line->n;
        if (!render(l, m, line, err))
            return false;
        struct event *e = event_add(out, EVENT_RENDERED);
        e->index = i;
        ids_append(&e->ids, line->id + from, line->n - from);
    }
    return true;
}

/* ---- a turn ------------------------------------------------------------------------------- */

static void usage_count(struct local *l)
{
    struct session_stats s;
    const struct candidates *c = &l->candidates;
    const struct strand *second = &l->both.second;
    struct session_stats beside = {0};
    session_stats(l->session, &s);
    if (second->session)
        session_stats(second->session, &beside);
    double end = clock_seconds();
    struct usage *u = &l->usage;
    u->read_tokens = (int)(s.n_read - l->before.n_read + c->n_read + beside.n_read);
    u->re_read_tokens =
        (int)(s.n_re_read - l->before.n_re_read + c->n_re_read + beside.n_re_read);
    u->drafted_tokens =
        (int)(s.n_drafted - l->before.n_drafted + c->n_drafted + beside.n_drafted);
    u->accepted_tokens =
        (int)(s.n_accepted - l->before.n_accepted + c->n_accepted + beside.n_accepted);
    u->answer_tokens = l->main.turn.n_answer;
    u->thinking_tokens = l->main.turn.n_think;
    u->losing_tokens = c->n_tokens; /* a second answer beside it counts for itself */
    u->kv_bytes = s.kv_bytes + c->kv_bytes + beside.kv_bytes;
    u->think_capped = l->main.turn.capped;
    u->seconds = end - l->started;
    u->first_seconds = l->first > 0 ? l->first - l->started : 0;
    int n = u->answer_tokens + u->thinking_tokens + u->losing_tokens + second->turn.n_think +
            second->turn.n_answer;
    u->tok_s = n > 1 && end > l->first ? (n - 1) / (end - l->first) : 0;
}

static int held(const struct local *l)
{
    return session_held(l->session, l->main.line.id, l->main.line.n);
}

static void mode_tell(struct local *l, struct event_list *out)
{
    struct session_stats s;
    session_stats(l->session, &s);
    struct event *e = strand_event(&l->main, out, EVENT_MODE);
    e->mode = l->mode;
    e->re_read = (int)(s.n_re_read - l->re_read_before);
    l->mode_changed = false;
}

/* ---- the far context ---------------------------------------------------------------------- */

/* The tier that was asked for; *automatic: none was. */
static bool tier_asked(const struct options *o, enum kv_tier *tier, bool *automatic,
                       struct err *err)
{
    *tier = KV_TIER_EXACT;
    *automatic = !o->far || strcmp(o->far, "auto") == 0;
    return *automatic || tier_find(o->far, strlen(o->far), tier) ||
           err_set(err, ERR_INPUT, "--far cannot be '%s': auto, f16, q8, q4 or flash", o->far);
}

/* Left to itself a session holds n ids exactly while they are few, which loses nothing and costs
 * little; once it is in the flash tier it stays there until it is empty. What a model cannot do is
 * not asked again. */
static void tier_take(struct local *l, int n)
{
    struct far_opts want = {l->gate.tier, l->no_file[0] ? NULL : tier_folder()};
    struct far_stats far;
    struct err err;
    session_set_rows(l->session, l->gate.rows);
    session_far(l->session, &far);
    if (!l->tier_free)
        return;
    if (n < FAR_FROM && (far.tier == KV_TIER_EXACT || session_len(l->session) == 0))
        want.tier = KV_TIER_EXACT;
    if (want.tier != far.tier && !far.why[0] && !l->tier_refused)
        l->tier_refused = !session_set_far(l->session, &want, &err);
}

/* The gate has a verdict: the session is held as it says, and what is new is told. */
static void gate_take(struct local *l, struct event_list *out)
{
    struct far_opts want = {l->gate.tier, NULL};
    const struct gate_report *r = &l->gate.last;
    struct far_stats far;
    struct err err;
    bool held = true;
    session_far(l->session, &far);
    session_set_rows(l->session, l->gate.rows);
    if (far.tier != want.tier)
        held = session_set_far(l->session, &want, &err);
    struct event *e = strand_event(&l->main, out, EVENT_GATE);
    e->gate = *r;
    if (l->no_file[0] && r->rows == 0)
        buf_printf(&e->text, "%s: ", l->no_file);
    if (far.tier != want.tier || r->kld_before > 0)
        gate_describe(r, &e->text);
    if (!held)
        buf_printf(&e->text, "; not all of it: %s", err.msg);
}

static bool local_idle(struct backend *b, struct event_list *out)
{
    struct local *l = local_of(b);
    enum gate_outcome o = GATE_IDLE;
    if (l->task == TASK_NONE)
        o = gate_step(&l->gate, l->session);
    if (o == GATE_DONE)
        gate_take(l, out);
    return o != GATE_IDLE;
}

/* Tells, once, that the context is not held as it should be. */
static void tier_tell(struct local *l, struct event_list *out)
{
    struct far_stats far;
    session_far(l->session, &far);
    bool unmeasured = l->tier_free && far.tier == KV_TIER_Q4 && l->gate.last.at == 0;
    bool tell = far.why[0] || unmeasured;
    if (tell && !l->tier_told)
        buf_printf(&event_add(out, EVENT_NOTE)->text,
                   "The context is held as %s in memory, without an index: %s",
                   tier_name(far.tier), l->no_file[0] ? l->no_file : far.why);
    l->tier_told = tell;
}

/* Tells what is held exactly where the tier is none of that: while there is any, and when there is
 * none any more. NULL: nothing to tell. */
static struct event *exact_tell(struct local *l, struct event_list *out, bool asked)
{
    struct far_stats far;
    struct ids held = {0};
    session_far(l->session, &far);
    int n = far.tier == KV_TIER_EXACT ? 0 : session_len(l->session);
    for (int32_t at = 0, end; at < n; at = end) {
        bool exact;
        end = session_exact(l->session, at, &exact);
        if (exact)
            ids_append(&held, (int32_t[]){at, end}, 2);
    }
    struct event *e = NULL;
    if (held.n || l->exact.told || asked) {
        e = strand_event(&l->main, out, EVENT_EXACT);
        e->ids = held;
    } else {
        ids_release(&held);
    }
    l->exact.told = e && e->ids.n;
    return e;
}

/* The turn ends: the message is closed in the timeline, its ids read by the next turn. */
static void finish(struct local *l, enum reply_reason reason, const char *text,
                   struct event_list *out)
{
    struct candidates *c = &l->candidates;
    if (c->phase == CANDIDATES_DECIDED)
        candidates_take(c, &l->kept);
    if (l->mode_changed && l->main.opened)
        mode_tell(l, out);
    if (!strand_over(&l->main))
        turn_over(&l->main.turn, reason);
    strand_end(&l->main, out);
    candidates_end(c);
    usage_count(l);
    tier_tell(l, out);
    if (l->both.second.session)
        kept_put(&l->kept, both_take(&l->both));
    exact_tell(l, out, false);
    struct event *e = strand_event(&l->main, out, EVENT_DONE);
    e->reason = l->main.turn.reason;
    e->usage = l->usage;
    buf_puts(&e->text, text);
    l->main.unread = true;
    l->held = held(l);
    l->task = TASK_NONE;
}

static const char *question_of(const struct prompt *p)
{
    const char *text = p->n > 0 ? p->message[p->n - 1].text : NULL;
    return text ? text : "";
}

/* In a small context a small answer has to do. */
static int room_wanted(const struct local *l)
{
    int eighth = session_ctx(l->session) / 8;
    return eighth < ROOM_MIN ? ROOM_MIN : eighth < ROOM_WANTED ? eighth : ROOM_WANTED;
}

static bool local_start(struct backend *b, struct turn_request *r, struct event_list *out,
                        struct err *err)
{
    struct local *l = local_of(b);
    gate_leave(&l->gate);
    l->mode = r->mode;
    l->mode_changed = false;
    l->first = 0;
    free(l->rows);
    l->main.turn.limits.rows = l->rows = r->rows;
    r->rows = NULL;
    memset(&l->usage, 0, sizeof l->usage);
    bool ok = line_set(l, &l->main.line, &r->prompt, out, err);
    l->main.unread = true;
    int n = l->main.line.n, room = session_ctx(l->session) - n;
    int wanted = r->tight ? ROOM_MIN : room_wanted(l);
    if (ok && room < wanted) {
        struct event *e = event_add(out, EVENT_FULL);
        e->done = n;
        e->total = session_ctx(l->session);
        e->tokens = wanted;
    } else if (ok) {
        struct turn_limits limits = {.room = room, .tail_tokens = STRAND_TAIL_MAX,
                                     .answer_tokens = r->max_tokens, .rows = l->rows};
        strand_begin(&l->main, r->mode, &limits, r->seed, r->vary);
        candidates_begin(&l->candidates, &l->main, question_of(&r->prompt), r->turn);
        l->both.mode = r->other;
        kept_prepare(&l->kept, l->session, l->main.line.id, n);
        tier_take(l, n);
        session_stats(l->session, &l->before);
        l->started = l->main.last;
        l->usage.prompt_tokens = n;
        l->usage.reused_tokens = held(l);
        l->task = r->both ? TASK_BOTH : TASK_TURN;
    }
    turn_request_release(r);
    return ok;
}

/* Takes a change of mode over, if one was asked for. False: *err. */
static bool mode_take(struct local *l, struct event_list *out, struct err *err)
{
    enum mode_id wanted = (enum mode_id)atomic_load(&l->wanted);
    if (wanted == l->mode)
        return true;
    struct session_stats s;
    session_stats(l->session, &s);
    if (!l->mode_changed)
        l->re_read_before = s.n_re_read;
    l->mode_changed = true;
    l->mode = wanted;
    return candidates_mode(&l->candidates, wanted, out, err);
}

/* One slice of writing; what comes with the first token stands in front of it. */
static bool generate(struct local *l, struct event_list *out, struct err *err)
{
    struct session_stats before, after;
    struct event_list fresh = {0};
    session_stats(l->session, &before);
    bool ok = candidates_step(&l->candidates, &fresh, err);
    session_stats(l->session, &after);
    if (after.n_sampled > before.n_sampled) {
        if (l->first <= 0)
            l->first = clock_seconds();
        if (l->mode_changed)
            mode_tell(l, out);
    }
    event_move(out, &fresh);
    return ok;
}

static bool turn_slice(struct local *l, struct event_list *out, struct err *err)
{
    if (!mode_take(l, out, err))
        return false;
    if (l->candidates.phase == CANDIDATES_DECIDED)
        return true;
    if (l->main.opened)
        return generate(l, out, err);
    if (l->main.unread)
        return strand_read(&l->main, out, err);
    candidates_prompt(&l->candidates);
    return strand_open(&l->main, out, err);
}

static bool turn_decided(const struct local *l)
{
    return l->candidates.phase == CANDIDATES_DECIDED;
}

/* It stops before it is over: with the leader so far if there is one. */
static void turn_stop(struct local *l, enum reply_reason reason, struct event_list *out,
                      struct err *err)
{
    if (turn_decided(l) || !candidates_stop(&l->candidates, out))
        return;
    if (reason == REASON_ERROR)
        buf_puts(&event_add(out, EVENT_NOTE)->text, err->msg);
    err->msg[0] = 0;
}

/* ---- a turn in two modes ------------------------------------------------------------------ */

static bool both_slice(struct local *l, struct event_list *out, struct err *err)
{
    if (l->main.opened) {
        bool ok = both_step(&l->both, out, err);
        if (l->first <= 0 && l->main.turn.used > 0)
            l->first = clock_seconds();
        return ok;
    }
    if (l->main.unread)
        return strand_read(&l->main, out, err);
    if (both_begin(&l->both, &l->main, l->both.mode, out, err))
        return true;
    if (l->main.opened)
        return false;
    buf_printf(&event_add(out, EVENT_NOTE)->text, "one answer: %s", err->msg);
    l->task = TASK_TURN;
    return true;
}

static bool both_decided(const struct local *l)
{
    return l->main.opened && both_over(&l->both);
}

static void both_stop(struct local *l, enum reply_reason reason, struct event_list *out,
                      struct err *err)
{
    (void)err;
    if (l->main.opened)
        both_end(&l->both, reason, out);
}

/* ---- what the two share ------------------------------------------------------------------- */

static const struct task {
    bool (*slice)(struct local *l, struct event_list *out, struct err *err);
    bool (*over)(const struct local *l);
    void (*stop)(struct local *l, enum reply_reason reason, struct event_list *out,
                 struct err *err);
} tasks[] = {
    [TASK_TURN] = {turn_slice, turn_decided, turn_stop},
    [TASK_BOTH] = {both_slice, both_decided, both_stop}, /* may become a turn in one mode */
};

/* One slice of a turn; false: it is over, as is one that was asked to stop, or failed. */
static bool turn_step(struct local *l, struct event_list *out)
{
    struct err err = {0};
    enum reply_reason reason = REASON_CANCELLED;
    bool goes_on = !atomic_load(&l->cancelled);
    if (goes_on && !tasks[l->task].slice(l, out, &err)) {
        goes_on = false;
        reason = REASON_ERROR;
    }
    if (goes_on && !tasks[l->task].over(l))
        return true;
    tasks[l->task].stop(l, reason, out, &err);
    finish(l, reason, err.msg, out);
    return false;
}

/* ---- a resume ----------------------------------------------------------------------------- */

static void resume_over(struct local *l, struct event_list *out)
{
    exact_tell(l, out, false);
    struct event *e = strand_event(&l->main, out, EVENT_RESUMED);
    l->held = held(l);
    e->done = l->back;
    e->total = l->main.line.n;
    e->re_read = l->held - l->back;
    e->seconds = clock_seconds() - l->started;
    buf_puts(&e->text, l->why);
    l->task = TASK_NONE;
}

static void local_resume(struct backend *b, struct prompt *p, const char *kv,
                         struct event_list *out)
{
    struct local *l = local_of(b);
    struct err err;
    gate_leave(&l->gate);
    l->why[0] = 0;
    l->back = 0;
    l->started = clock_seconds();
    l->task = TASK_RESUME;
    if (!line_set(l, &l->main.line, p, out, &err)) {
        snprintf(l->why, sizeof l->why, "%s", err.msg);
        l->main.line.n = 0;
    }
    prompt_release(p);
    kept_forget(&l->kept, l->main.line.id, l->main.line.n);
    aside_forget(&l->aside, l->main.line.id, l->main.line.n);
    if (kv)
        session_cut(l->session, 0);
    else
        kept_prepare(&l->kept, l->session, l->main.line.id, l->main.line.n);
    tier_take(l, l->main.line.n);
    if (kv && l->main.line.n > 0 && !session_load(l->session, kv, &err))
        snprintf(l->why, sizeof l->why, "%s", err.msg);
    l->back = held(l);
    l->main.unread = l->back < l->main.line.n && l->main.line.n <= session_ctx(l->session);
}

static bool resume_step(struct local *l, struct event_list *out)
{
    struct err err;
    bool more = l->main.unread && !atomic_load(&l->cancelled);
    if (more && !strand_read(&l->main, out, &err)) {
        snprintf(l->why, sizeof l->why, "%s", err.msg);
        more = false;
    }
    more = more && l->main.unread;
    if (!more)
        resume_over(l, out);
    return more;
}

/* ---- reading again exactly ---------------------------------------------------------------- */

static void local_exact(struct backend *b, int from, int to)
{
    struct local *l = local_of(b);
    gate_leave(&l->gate);
    l->task = TASK_EXACT;
    l->exact.from = l->exact.at = from;
    l->exact.to = to;
    l->started = clock_seconds();
    session_stats(l->session, &l->before);
}

static void exact_over(struct local *l, const char *why, struct event_list *out)
{
    struct session_stats now;
    session_stats(l->session, &now);
    struct event *e = exact_tell(l, out, true);
    e->done = (int)(now.n_read - l->before.n_read);
    e->total = l->exact.to - l->exact.from;
    e->seconds = clock_seconds() - l->started;
    buf_puts(&e->text, why);
    l->task = TASK_NONE;
}

static bool exact_step(struct local *l, struct event_list *out)
{
    struct err err = {0};
    int at = session_read_exact(l->session, l->exact.at, l->exact.to, &err);
    bool stopped = atomic_load(&l->cancelled);
    if (stopped || at <= l->exact.at || at >= l->exact.to) { /* no further: it is not read yet */
        exact_over(l, *err.msg ? err.msg : stopped ? "stopped" : "", out);
        return false;
    }
    l->exact.at = at;
    struct event *e = strand_event(&l->main, out, EVENT_PROGRESS);
    e->done = at - l->exact.from;
    e->total = l->exact.to - l->exact.from;
    return true;
}

/* ---- a fold ------------------------------------------------------------------------------- */

/* Tells what it took; the line is the one without thoughts from here on, or as it was. */
static void fold_over(struct local *l, const char *why, struct event_list *out)
{
    struct aside *a = &l->aside;
    bool taken = !*why && aside_take(a, l->session);
    int before = l->main.line.n;
    if (taken) {
        struct tokens old = l->main.line;
        l->main.line = a->line;
        a->line = old;
        l->main.unread = true;
        l->held = held(l);
    }
    struct event *e = strand_event(&l->main, out, EVENT_FOLDED);
    e->done = before - l->main.line.n;
    e->re_read = aside_read(a);
    e->seconds = clock_seconds() - a->started;
    buf_puts(&e->text, why);
    l->task = TASK_NONE;
}

static void local_fold(struct backend *b, struct prompt *p, struct event_list *out)
{
    struct local *l = local_of(b);
    struct err err;
    bool ok = line_set(l, &l->aside.line, p, out, &err);
    prompt_release(p);
    aside_begin(&l->aside, l->session);
    l->task = TASK_FOLD;
    if (!ok)
        fold_over(l, err.msg, out);
}

static bool fold_step(struct local *l, struct event_list *out)
{
    struct err err;
    session_set_index(l->aside.reads, false);
    if (aside_step(&l->aside, &err))
        return true;
    fold_over(l, err.msg, out);
    return false;
}

static void local_leave(struct backend *b, bool on)
{
    aside_leave(&local_of(b)->aside, on);
}

/* ---- a reply made again ------------------------------------------------------------------- */

static void repro_over(struct local *l, enum reply_reason reason, const char *why,
                       struct event_list *out)
{
    struct replay *r = &l->replay;
    struct event *e = event_add(out, EVENT_REPRO);
    e->reason = reason;
    e->done = r->written;
    e->re_read = r->re_read;
    e->seconds = clock_seconds() - l->started;
    buf_puts(&e->text, why);
    if (reason == REASON_STOP)
        replay_describe(r, &e->text);
    replay_end(r);
    l->task = TASK_NONE;
}

static void local_repro(struct backend *b, struct replay_request *q, struct event_list *out)
{
    struct local *l = local_of(b);
    struct tokens line = {0};
    struct err err;
    gate_leave(&l->gate);
    l->started = clock_seconds();
    l->task = TASK_REPRO;
    bool ok = line_set(l, &line, &q->prompt, out, &err) &&
              replay_begin(&l->replay, l->engine, l->session, &line, q, &err);
    replay_request_release(q);
    tokens_release(&line);
    if (!ok)
        repro_over(l, REASON_ERROR, err.msg, out);
}

static bool repro_step(struct local *l, struct event_list *out)
{
    struct err err = {0};
    if (l->task != TASK_REPRO)
        return false;
    bool stopped = atomic_load(&l->cancelled);
    if (stopped || !replay_step(&l->replay, &err)) {
        enum reply_reason reason = stopped ? REASON_CANCELLED
                                   : *err.msg ? REASON_ERROR : REASON_STOP;
        repro_over(l, reason, err.msg, out);
        return false;
    }
    struct event *e = event_add(out, EVENT_PROGRESS);
    e->done = replay_done(&l->replay);
    e->total = l->replay.strand.n_prompt + l->replay.want.n;
    return true;
}

/* ---- the operations ----------------------------------------------------------------------- */

static bool local_step(struct backend *b, struct event_list *out)
{
    struct local *l = local_of(b);
    switch (l->task) {
    case TASK_TURN:
    case TASK_BOTH: return turn_step(l, out);
    case TASK_RESUME: return resume_step(l, out);
    case TASK_EXACT: return exact_step(l, out);
    case TASK_FOLD: return fold_step(l, out);
    case TASK_REPRO: return repro_step(l, out);
    default: return false;
    }
}

/* The file's name without folders and ending: what a person typed or fetched. */
static void name_short(const char *path, char *out, size_t bytes)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0)
        n -= 5;
    snprintf(out, bytes, "%.*s", (int)(n < 200 ? n : 200), name);
}

static bool local_open(struct backend *b, struct event_list *out, struct err *err)
{
    struct local *l = local_of(b);
    const struct options *o = l->options;
    bool automatic;
    struct far_opts far = {KV_TIER_EXACT, NULL};
    if (!tier_asked(o, &far.tier, &automatic, err))
        return false;
    l->tier_free = automatic && !o->exact;
    tier_folder_check(l->no_file, sizeof l->no_file);
    if (o->no_save)
        snprintf(l->no_file, sizeof l->no_file, "nothing is written (--no-save)");
    far.folder = l->no_file[0] ? NULL : tier_folder();
    struct engine_opts eo = {o->threads, o->kernels, o->template, o->exact};
    if (!open_engine(&l->engine, l->path, &eo, err))
        return false;
    const struct engine_info *info = engine_info(l->engine);
    struct session_opts so = {.n_ctx = o->ctx, .kv = o->exact ? KV_F32 : KV_F16,
                              .far = far};
    if (so.n_ctx == 0 && info->n_ctx_train > CTX_MAX)
        so.n_ctx = CTX_MAX;
    if (!session_new(&l->session, l->engine, &so, err)) {
        engine_close(&l->engine);
        return false;
    }
    l->main.engine = l->engine;
    l->main.session = l->session;
    struct backend_info *bi = &event_add(out, EVENT_LOADED)->info;
    name_short(l->path, bi->name, sizeof bi->name);
    snprintf(bi->kind, sizeof bi->kind, "%s", info->arch);
    snprintf(bi->template_name, sizeof bi->template_name, "%s", info->template_name);
    snprintf(bi->kernels, sizeof bi->kernels, "%s%s", info->kernels, o->exact ? ", exact" : "");
    bi->fingerprint = info->fingerprint;
    bi->n_ctx = session_ctx(l->session);
    bi->n_threads = info->n_threads;
    bi->drops = session_can_drop(l->session);
    bi->weight_bytes = info->weight_bytes;
    bool measured = l->tier_free || far.tier == KV_TIER_FLASH;
    gate_init(&l->gate, info->n_vocab, measured ? o->gate / 1000.0 : 0,
              l->tier_free ? FAR_FROM : GATE_FROM, !l->no_file[0]);
    if (!o->template && strcmp(info->template_name, "none") == 0)
        buf_puts(&event_add(out, EVENT_NOTE)->text,
                 "This model has no chat template that is known here: it goes on with the text "
                 "plainly. --template NAME takes one of the known ones.");
    atomic_store(&l->ready, true);
    return true;
}

static void local_mode(struct backend *b, enum mode_id mode)
{
    atomic_store(&local_of(b)->wanted, (int)mode);
}

static void local_cancel(struct backend *b, bool on)
{
    struct local *l = local_of(b);
    atomic_store(&l->cancelled, on);
    if (atomic_load(&l->ready))
        session_cancel(l->session, on);
}

static void local_cost(struct backend *b, struct event_list *out)
{
    struct local *l = local_of(b);
    int now = held(l);
    struct event *e = strand_event(&l->main, out, EVENT_COST);
    e->mode = (enum mode_id)atomic_load(&l->wanted);
    e->re_read = l->held > now ? l->held - now : 0;
}

/* Reads the end of the last message first, so that the next resume finds all of it. */
static void local_save(struct backend *b, const char *kv, struct event_list *out)
{
    struct local *l = local_of(b);
    const struct tokens *line = &l->main.line;
    struct err err;
    bool ok = true;
    session_cancel(l->session, false);
    if (line->n - held(l) <= STRAND_TAIL_MAX)
        while (ok && held(l) < line->n)
            ok = session_read(l->session, line->id, line->n, &err) >= 0;
    if (ok && session_len(l->session) > 0)
        ok = session_save(l->session, kv, &err);
    struct event *e = event_add(out, EVENT_SAVED);
    if (!ok)
        buf_puts(&e->text, err.msg);
}

static void local_close(struct backend **b)
{
    if (!*b)
        return;
    struct local *l = local_of(*b);
    gate_leave(&l->gate);
    candidates_release(&l->candidates);
    both_release(&l->both);
    kept_release(&l->kept);
    aside_release(&l->aside);
    replay_end(&l->replay);
    strand_release(&l->main);
    engine_close(&l->engine);
    free(l->rows);
    free(l);
    *b = NULL;
}

/* The line without ids [from, to), as the next prompt will have it. */
static void line_drop(struct tokens *line, int from, int to)
{
    memmove(line->id + from, line->id + to, (size_t)(line->n - to) * sizeof *line->id);
    line->n -= to - from;
}

/* A cache that cannot be cut so is read anew from there, by the next turn. */
static void local_drop(struct backend *b, int from, int to, struct event_list *out)
{
    struct local *l = local_of(b);
    struct tokens *line = &l->main.line;
    struct err err;
    gate_leave(&l->gate);
    int at = from, now = held(l);
    bool kept = now > to && session_drop(l->session, &at, to, &err);
    struct event *e = event_add(out, EVENT_DROPPED);
    at = kept ? at : from;
    e->done = at;
    e->total = to;
    e->re_read = kept || now < to ? 0 : now - to;
    ids_append(&e->ids, line->id + from, at - from);
    line_drop(line, at, to);
    l->held = held(l);
}

static const struct backend_ops local_ops = {
    local_open, local_start, local_resume, local_step, local_mode,
    local_cancel, local_idle, local_cost, local_drop, local_exact, local_fold, local_leave,
    local_repro, local_save, local_close,
};

struct backend *local_new(const char *model, const struct options *o)
{
    struct local *l = mem_new(sizeof *l);
    l->base.ops = &local_ops;
    l->path = model;
    l->options = o;
    return &l->base;
}
