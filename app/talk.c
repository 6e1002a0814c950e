/* talk.c -- see talk.h. */
#include "app/clock.h"
#include "app/talk.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/repro.h"
#include "app/trace.h"
#include "ui/keymap.h"

struct question {
    struct question *next;
    enum mode_id mode;
    char *text;
};

/* ---- telling the front -------------------------------------------------------------------- */

void talk_say(struct talk *t, bool error, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (t->front.note)
        t->front.note(t->front.data, error, text);
}

bool talk_saved(struct talk *t, bool ok, const struct err *err)
{
    if (!ok && !t->save_refused) {
        t->save_refused = true;
        talk_say(t, true, "not saved: %s (kept in memory, tried again)", err->msg);
    } else if (ok) {
        t->save_refused = false;
    }
    return ok;
}

const char *talk_state_name(enum talk_state s)
{
    static const char *const name[] = {"loading",  "resuming",  "idle",     "reading",
                                       "thinking", "answering", "choosing", "re-reading",
                                       "replaying", "no model"};
    return name[s];
}

/* ---- the session on disk ------------------------------------------------------------------ */

/* Opens the folder of a new conversation. */
static void store_create(struct talk *t)
{
    struct err err;
    char id[80];
    store_new_id(id);
    struct conversation none;
    struct log_report report;
    conversation_init(&none);
    bool ok = paths_make(t->paths.sessions, &err) &&
              store_open(&t->store, t->paths.sessions, id, &none, &report, &err);
    conversation_release(&none);
    if (!ok) {
        if (!t->save_refused)
            talk_say(t, true, "this conversation is not saved: %s", err.msg);
        t->save_refused = true;
        return;
    }
    t->stored = true;
    t->begun = false;
}

/* With the first message a conversation gets its folder and the log its first line. */
static void store_begin(struct talk *t)
{
    struct err err;
    if (!t->stored && !t->options->no_save)
        store_create(t);
    if (!t->stored || t->begun)
        return;
    talk_saved(t, log_session(t->store.log, &t->c, t->store.id, &err), &err);
    talk_saved(t, log_mode(t->store.log, t->c.mode, &err), &err);
    talk_saved(t, log_settings(t->store.log, &t->c.settings, &err), &err);
    t->begun = true;
}

static void store_turn(struct talk *t)
{
    struct err err;
    if (!t->stored || !t->begun)
        return;
    if (talk_saved(t, log_sync(t->store.log, &err), &err))
        talk_saved(t, store_meta(&t->store, &t->c, &err), &err);
}

/* The folder is left. A branch from the beginning in which nothing was asked goes with it. */
static void store_leave(struct talk *t)
{
    if (t->stored && t->fresh_branch && t->c.n_turn == 0)
        store_discard(&t->store);
    else if (t->stored)
        store_close(&t->store);
    t->stored = t->fresh_branch = false;
}

/* Lets the worker write the cache of what was said, unless it is in the file already; the folder
 * stays open. */
static void store_cache(struct talk *t)
{
    if (t->stored && t->worker && t->c.n_turn > 0 && !t->kept && t->state != TALK_LOADING &&
        t->state != TALK_FAILED) {
        worker_save(t->worker, t->store.kv);
        t->saves++;
        t->kept = true;
    }
}

/* Gives a branch the file of the cache that it begins with, until it has its own. Without it the
 * cache is read anew. */
static void cache_link(struct talk *t)
{
    bool linked = *t->link_from && link(t->link_from, t->link_to) == 0;
    (void)linked;
    t->link_from[0] = 0;
}

static bool session_id(struct talk *t, char id[80], struct err *err)
{
    const struct options *o = t->options;
    if (o->resume)
        return store_last(t->paths.sessions, id, err);
    if (store_find(t->paths.sessions, o->session, id, err))
        return true;
    if (*id) /* several are meant: err names them */
        return false;
    return store_name_id(o->session, id, err);
}

/* Reads session `id` into a fresh conversation and makes it the one shown. */
static bool session_open(struct talk *t, const char *id, struct err *err)
{
    struct conversation c;
    struct store s = {0};
    struct log_report report = {0};
    conversation_init(&c);
    c.mode = t->c.mode;
    if (!store_open(&s, t->paths.sessions, id, &c, &report, err)) {
        conversation_release(&c);
        return false;
    }
    store_leave(t);
    conversation_release(&t->c);
    t->c = c;
    t->store = s;
    t->stored = true;
    t->turn = -1;
    t->ctx_used = 0;
    t->exact.n = 0;
    t->gate = (struct gate_report){0};
    t->re_read = -1;
    t->begun = report.lines > 0;
    if (t->front.reset)
        t->front.reset(t->front.data, t);
    if (report.unfinished)
        talk_say(t, false, "the last event of this session was cut off by a crash and is dropped");
    if (report.skipped > 0)
        talk_say(t, true, "%d damaged lines of this session are left out", report.skipped);
    if (*report.mode_gone)
        talk_say(t, true, MODE_GONE, report.mode_gone);
    return true;
}

static void apply_options(struct talk *t)
{
    const struct options *o = t->options;
    const struct mode *m = o->mode ? mode_find(o->mode, strlen(o->mode)) : NULL;
    if (m && (o->mode_typed || !t->begun))
        t->c.mode = m->id;
    if (o->seed_typed)
        t->c.settings.seed_given = false;
    if (o->system && t->c.n_turn == 0) {
        free(t->c.system);
        t->c.system = mem_dup(o->system);
    }
}

bool talk_open(struct talk *t, const struct options *o, const struct front *f, struct err *err)
{
    char id[80];
    memset(t, 0, sizeof *t);
    t->options = o;
    t->front = *f;
    t->turn = -1;
    t->re_read = -1;
    t->state = TALK_LOADING;
    t->seed = o->seed;
    t->seed_given = o->seed_given;
    t->max_tokens = o->max_tokens;
    t->fold.off = o->keep_thoughts;
    t->suggests = !o->no_suggest;
    conversation_init(&t->c);
    if (!paths_init(&t->paths, err))
        return false;
    if (o->session || o->resume) {
        if (!session_id(t, id, err) || !paths_make(t->paths.sessions, err) ||
            !session_open(t, id, err))
            return false;
        tray_restore(&t->tray, &t->c);
    }
    apply_options(t);
    return true;
}

bool talk_start(struct talk *t, struct backend *b, struct err *err)
{
    if (t->options->said)
        talk_say(t, true, "%s", t->options->said);
    return worker_start(&t->worker, b, err);
}

static void queue_clear(struct talk *t)
{
    while (t->queue) {
        struct question *q = t->queue;
        t->queue = q->next;
        free(q->text);
        free(q);
    }
    t->queue_tail = NULL;
    t->n_queue = 0;
}

/* ---- a turn ------------------------------------------------------------------------------- */

static uint64_t seed_next(struct talk *t)
{
    if (t->c.settings.seed_given || t->seed_given)
        return t->c.settings.seed_given ? t->c.settings.seed : t->seed;
    uint64_t seed = 0;
    if (getentropy(&seed, sizeof seed) != 0)
        seed = (uint64_t)time(NULL);
    return seed;
}

/* The modes as they are for this conversation now. */
static struct mode *rows_now(const struct talk *t)
{
    struct mode *rows = mem_new(MODE_MAX * sizeof *rows);
    for (int m = 0; m < mode_count(); m++)
        rows[m] = *settings_row(&t->c.settings, (enum mode_id)m);
    return rows;
}

static int max_tokens(const struct talk *t)
{
    if (t->fit.summing)
        return TALK_SUMMARY_TOKENS;
    return t->c.settings.max_tokens_given ? t->c.settings.max_tokens : t->max_tokens;
}

static void progress_begin(struct talk *t)
{
    t->done = t->total = t->held = 0;
    t->reading_tok_s = 0;
    t->reading_from = clock_seconds();
}

void talk_send(struct talk *t, int turn, enum mode_id mode, unsigned how)
{
    struct turn_request r = {0};
    fold_settle(t);
    conversation_prompt(&t->c, turn, &r.prompt);
    r.mode = mode;
    r.turn = turn;
    r.seed = seed_next(t);
    r.vary = how & SEND_VARY;
    r.tight = how & SEND_TIGHT;
    r.both = t->both = how & SEND_BOTH;
    r.other = mode_toggle(mode);
    r.max_tokens = max_tokens(t);
    r.rows = rows_now(t);
    if (!t->fit.summing)
        fit_release(&t->fit);
    tray_begin(&t->tray, turn);
    t->turn = turn;
    t->replying = false;
    t->toggle_from = mode;
    t->turn_mode = mode;
    t->turn_seed = r.seed;
    t->turn_how = how;
    t->state = TALK_READING;
    progress_begin(t);
    worker_turn(t->worker, &r, t->epoch);
}

void talk_ask_now(struct talk *t, const char *text, enum mode_id mode, unsigned how)
{
    struct err err;
    fold_settle(t);
    store_begin(t);
    t->fresh_branch = false;
    int turn = conversation_ask(&t->c, text, mode);
    t->suggestion.any = false;
    if (t->suggests && how == 0)
        suggest_mode(&t->c.settings, mode, text, strlen(text), &t->suggestion);
    if (t->stored) {
        talk_saved(t, log_ask(t->store.log, &t->c, turn, &err), &err);
        store_turn(t);
    }
    if (t->front.question)
        t->front.question(t->front.data, t, turn);
    talk_send(t, turn, mode, how);
}

bool talk_reads(const struct talk *t)
{
    return t->state == TALK_EXACT || t->state == TALK_REPRO;
}

bool talk_busy(const struct talk *t)
{
    return t->turn >= 0 || t->state == TALK_REPRO || t->fit.doing || t->fold.wanted ||
           (t->n_queue > 0 && !t->fit.asked);
}

void talk_ask(struct talk *t, const char *text, enum mode_id mode)
{
    if (t->state == TALK_FAILED) {
        talk_say(t, true, "there is no model to answer");
        return;
    }
    if (t->turn < 0 && t->state != TALK_LOADING && !talk_reads(t)) {
        talk_ask_now(t, text, mode, 0);
        return;
    }
    struct question *q = mem_new(sizeof *q);
    q->mode = mode;
    q->text = mem_dup(text);
    if (t->queue_tail)
        t->queue_tail->next = q;
    else
        t->queue = q;
    t->queue_tail = q;
    t->n_queue++;
}

const char *talk_queued(const struct talk *t, int i)
{
    const struct question *q = t->queue;
    while (q && i-- > 0)
        q = q->next;
    return q ? q->text : NULL;
}

char *talk_unqueue(struct talk *t)
{
    struct question **at = &t->queue, *before = NULL;
    struct buf text = {0};
    if (!*at)
        return NULL;
    while ((*at)->next) {
        before = *at;
        at = &(*at)->next;
    }
    struct question *last = *at;
    if (last->mode != t->c.mode)
        buf_printf(&text, "/%s ", mode_get(last->mode)->name);
    else if (last->text[0] == '/')
        buf_puts(&text, "/");
    buf_puts(&text, last->text);
    *at = NULL;
    t->queue_tail = before;
    t->n_queue--;
    free(last->text);
    free(last);
    return buf_take(&text);
}

static void queue_next(struct talk *t)
{
    struct question *q = t->queue;
    if (!q || t->turn >= 0 || t->fit.doing || t->fit.asked)
        return;
    t->queue = q->next;
    if (!t->queue)
        t->queue_tail = NULL;
    t->n_queue--;
    talk_ask_now(t, q->text, q->mode, 0);
    free(q->text);
    free(q);
}

bool talk_stop(struct talk *t)
{
    if (t->n_queue > 0) {
        talk_say(t, false, "%d waiting message%s dropped", t->n_queue, t->n_queue == 1 ? "" : "s");
        queue_clear(t);
    }
    if (t->turn < 0 && t->state != TALK_RESUMING && !talk_reads(t))
        return fold_stop(t);
    worker_cancel(t->worker);
    return true;
}

void talk_mode(struct talk *t, enum mode_id mode)
{
    struct err err;
    enum mode_id before = t->c.mode;
    t->c.mode = mode;
    if (t->turn >= 0 && mode != t->turn_mode) {
        t->toggle_from = t->turn_mode;
        t->turn_mode = mode;
        worker_mode(t->worker, mode);
    } else if (t->turn < 0 && t->worker && t->state == TALK_IDLE) {
        worker_mode(t->worker, mode);
        worker_cost(t->worker, t->epoch);
        t->costing = true;
    }
    if (mode == before)
        return;
    if (t->stored && t->begun)
        talk_saved(t, log_mode(t->store.log, mode, &err), &err);
}

/* ---- events ------------------------------------------------------------------------------- */

static struct reply *reply_of(struct talk *t)
{
    struct turn *turn = &t->c.turn[t->turn];
    return &turn->reply[turn->chosen];
}

/* The conversation is the open model's from now on; a log that says otherwise is told. */
static void model_take(struct talk *t)
{
    struct err err;
    if (t->c.fingerprint == t->info.fingerprint)
        return;
    conversation_model(&t->c, t->info.name, t->info.fingerprint);
    if (t->stored && t->begun)
        talk_saved(t, log_model(t->store.log, &t->c, &err), &err);
}

/* Begins to take the conversation back, from the file kv or from what the worker holds. */
static void resume(struct talk *t, const char *kv)
{
    struct prompt p;
    fold_settle(t);
    t->resumes_file = kv && access(kv, F_OK) == 0;
    t->kept = t->kept && t->resumes_file;
    conversation_prompt(&t->c, -1, &p);
    t->state = TALK_RESUMING;
    progress_begin(t);
    worker_resume(t->worker, &p, t->resumes_file ? kv : NULL, t->epoch);
}

static void on_loaded(struct talk *t, const struct event *e)
{
    t->info = e->info;
    bool other = t->c.fingerprint != 0 && t->c.fingerprint != e->info.fingerprint;
    if (other)
        talk_say(t, false, "this session was written with %s; %s reads it anew", t->c.model,
            e->info.name);
    model_take(t);
    t->state = TALK_IDLE;
    if (t->c.n_turn > 0)
        resume(t, t->stored ? t->store.kv : NULL);
}

static void on_rendered(struct talk *t, const struct event *e)
{
    struct err err;
    int turn = conversation_rendered(&t->c, t->turn, e->index, e->ids.id, e->ids.n);
    if (!t->stored)
        return;
    if (e->index == 0)
        talk_saved(t, log_begin(t->store.log, &t->c, &err), &err);
    else if (turn >= 0)
        talk_saved(t, log_prompt(t->store.log, &t->c, turn, &err), &err);
}

/* Tells the front the text of a part, without the blanks it begins with. */
static void tell_text(struct talk *t, const struct event *e)
{
    const char *text = buf_text(&e->text);
    size_t bytes = e->text.bytes;
    size_t blank = t->part_fresh ? strspn(text, " \n") : 0;
    if (blank >= bytes)
        return;
    t->part_fresh = false;
    if (t->front.text)
        t->front.text(t->front.data, e->part, text + blank, bytes - blank);
}

/* Takes what is told of the reply that is shown into the conversation. */
static void take_tokens(struct talk *t, const struct event *e)
{
    if (!t->replying)
        conversation_reply(&t->c, t->turn)->seed = t->turn_seed;
    t->replying = true;
    struct reply *r = reply_of(t);
    int parts = r->n_part;
    if (!reply_take(r, e))
        return;
    t->part_fresh = t->part_fresh || parts != r->n_part;
    if (t->front.part && parts != r->n_part)
        t->front.part(t->front.data, e->part, e->mode);
    tell_text(t, e);
    t->state = e->part == PART_THINKING ? TALK_THINKING : TALK_ANSWERING;
}

static void on_tokens(struct talk *t, const struct event *e)
{
    t->kept = false;
    tray_tokens(&t->tray, e);
    if (e->candidate == 0)
        take_tokens(t, e);
    if (t->front.tokens)
        t->front.tokens(t->front.data, t, e);
}

static void on_candidate(struct talk *t, const struct event *e)
{
    tray_mark(&t->tray, e, t->replying ? reply_of(t) : NULL);
    if (e->candidate == 0 && e->mark.state == CANDIDATE_FINISHED)
        t->state = TALK_CHOOSING;
}

static void on_made(struct talk *t, const struct event *e)
{
    struct made *m = e->made;
    snprintf(m->build, sizeof m->build, "%s", made_build());
    snprintf(m->kernels, sizeof m->kernels, "%s", t->info.kernels);
    m->threads = t->info.n_threads;
    if (e->candidate > 0)
        tray_made(&t->tray, e);
    else if (t->replying)
        reply_made(reply_of(t), m);
}

/* The replies of a turn that is over are its siblings from here on, and logged. */
static void keep_replies(struct talk *t, const struct event *e)
{
    struct err err;
    struct turn *turn = &t->c.turn[t->turn];
    int first = tray_settle(&t->tray, &t->c, t->turn_seed);
    struct reply *r = reply_of(t);
    r->reason = e->reason;
    r->usage = e->usage;
    for (int i = first; t->stored && i < turn->n_reply; i++)
        talk_saved(t, log_reply(t->store.log, &t->c, t->turn, i, &err), &err);
    if (t->tray.told && t->stored)
        talk_saved(t, log_candidates(t->store.log, &t->c, t->turn, &err), &err);
    if (t->tray.told && t->front.chosen)
        t->front.chosen(t->front.data, t);
}

static void on_mode(struct talk *t, const struct event *e)
{
    struct err err;
    t->re_read = e->re_read;
    if (t->turn >= 0 && t->stored)
        talk_saved(t, log_toggle(t->store.log, t->turn, t->toggle_from, e->mode, e->ctx_used,
                            e->re_read, &err), &err);
}

enum { FEW_MIN = 8, MANY_MIN = 64 };   /* tokens that tell how fast a few, or a text, are read */

/* How fast a question is read. */
static void measure(struct talk *t, const struct usage *u)
{
    int read = u->prompt_tokens - u->reused_tokens;
    double tok_s = u->first_seconds > 0 ? read / u->first_seconds : 0;
    if (read < FEW_MIN || tok_s == 0)
        return;
    if (read < MANY_MIN)
        t->few_tok_s = tok_s;
    if (read >= MANY_MIN || t->read_tok_s == 0)
        t->read_tok_s = tok_s;
}

double talk_read_seconds(const struct talk *t, int n)
{
    double tok_s = t->few_tok_s > 0 && n < MANY_MIN ? t->few_tok_s : t->read_tok_s;
    return tok_s > 0 ? n / tok_s : 0;
}

static void on_done(struct talk *t, const struct event *e)
{
    measure(t, &e->usage);
    t->re_read = e->usage.re_read_tokens;
    t->drafted = e->usage.drafted_tokens;
    t->accepted = e->usage.accepted_tokens;
    if (e->usage.tok_s > 0)
        t->tok_s = e->usage.tok_s;
    if (t->replying)
        keep_replies(t, e);
    store_turn(t);
    if (t->front.done)
        t->front.done(t->front.data, t, e);
    if (e->reason == REASON_ERROR)
        talk_say(t, true, "%s", buf_text(&e->text));
    else if (e->reason == REASON_CANCELLED && !t->replying)
        talk_say(t, false, "stopped before the first word; what was read is kept");
    t->turn = -1;
    t->replying = false;
    t->state = TALK_IDLE;
    t->fold.paused = false;
    fit_done(t, e);
}

/* "1,204 tokens back in 0.02 s, 0 re-read". */
static void on_resumed(struct talk *t, const struct event *e)
{
    t->state = TALK_IDLE;
    t->re_read = e->re_read;
    t->kept = t->resumes_file && e->text.bytes == 0 && e->done == e->total;
    if (e->text.bytes > 0)
        talk_say(t, true, "the cache could not be used: %s", buf_text(&e->text));
    char back[32];
    if (e->done >= 1000)
        snprintf(back, sizeof back, "%d,%03d", e->done / 1000, e->done % 1000);
    else
        snprintf(back, sizeof back, "%d", e->done);
    talk_say(t, false, "%s tokens back in %.2f s, %d re-read", back, e->seconds, e->re_read);
    if (e->done + e->re_read < e->total)
        talk_say(t, false, "%d tokens are not read yet; the next message reads them",
            e->total - e->done - e->re_read);
}

static void on_exact(struct talk *t, const struct event *e)
{
    t->exact.n = 0;
    ids_append(&t->exact, e->ids.id, e->ids.n);
    if (t->state != TALK_EXACT || e->total == 0)
        return;
    t->state = TALK_IDLE;
    t->kept = t->kept && e->done == 0;
    if (e->done >= SESSION_EXACT_TOKENS && e->seconds > 0)
        t->read_tok_s = e->done / e->seconds;
    const char *why = buf_text(&e->text);
    talk_say(t, *why && strcmp(why, "stopped") != 0,
             "%d tokens read again in %.1f s and held exactly%s%s", e->done, e->seconds,
             *why ? "; " : "", why);
}

static void on_saved(struct talk *t, const struct event *e)
{
    t->saves--;
    cache_link(t);
    if (e->text.bytes > 0)
        t->kept = false;
    if (e->text.bytes > 0)
        talk_say(t, true, "the cache was not saved (the conversation is): %s", buf_text(&e->text));
}

static void on_progress(struct talk *t, const struct event *e)
{
    double seconds = clock_seconds() - t->reading_from;
    int read = e->done - e->index;
    t->done = e->done;
    t->total = e->total;
    t->held = e->index;
    t->reading_tok_s = read > 0 && seconds > 0 ? read / seconds : 0;
}

/* What was suggested by rules alone waits for this where the answer begins with what it says. */
static void on_first(struct talk *t, const struct event *e)
{
    const char *question = t->c.turn[t->turn].question;
    struct suggestion *s = &t->suggestion;
    suggest_first(s, question, strlen(question), buf_text(&e->text), e->probability);
    if (s->any && s->by_first && t->front.suggested)
        t->front.suggested(t->front.data, t);
}

static void on_gate(struct talk *t, const struct event *e)
{
    struct err err;
    t->gate = e->gate;
    if (t->stored && t->begun)
        talk_saved(t, log_gate(t->store.log, &e->gate, &err), &err);
    if (e->text.bytes > 0)
        talk_say(t, false, "%s", buf_text(&e->text));
}

/* Events of the worker itself; all others belong to one conversation. */
static bool is_common(const struct event *e)
{
    return e->kind == EVENT_LOADED || e->kind == EVENT_FAILED || e->kind == EVENT_SAVED;
}

static void on_event(struct talk *t, const struct event *e)
{
    if (e->epoch != t->epoch && !is_common(e))
        return;
    if (t->front.event)
        t->front.event(t->front.data, e);
    if (e->ctx_used > 0) {
        t->ctx_used = e->ctx_used;
        t->kv_bytes = e->kv_bytes;
        t->far = e->far;
    }
    switch (e->kind) {
    case EVENT_LOADED: on_loaded(t, e); break;
    case EVENT_RENDERED: on_rendered(t, e); break;
    case EVENT_PROGRESS: on_progress(t, e); break;
    case EVENT_TOKENS: if (t->turn >= 0) on_tokens(t, e); break;
    case EVENT_CANDIDATE: if (t->turn >= 0) on_candidate(t, e); break;
    case EVENT_CHOSEN: if (t->turn >= 0) tray_choose(&t->tray, e); break;
    case EVENT_MODE: on_mode(t, e); break;
    case EVENT_COST: t->re_read = e->re_read; t->costing = false; break;
    case EVENT_RESUMED: if (t->turn < 0) on_resumed(t, e); break;
    case EVENT_FULL: if (t->turn >= 0) fit_full(t, e); break;
    case EVENT_DROPPED: if (t->fit.doing) fit_dropped(t, e); break;
    case EVENT_EXACT: on_exact(t, e); break;
    case EVENT_GATE: on_gate(t, e); break;
    case EVENT_FOLDED: if (t->fold.running) fold_event(t, e); break;
    case EVENT_FIRST: if (t->turn >= 0) on_first(t, e); break;
    case EVENT_MADE: if (t->turn >= 0) on_made(t, e); break;
    case EVENT_REPRO: repro_event(t, e); break;
    case EVENT_SAVED: on_saved(t, e); break;
    case EVENT_NOTE: talk_say(t, false, "%s", buf_text(&e->text)); break;
    case EVENT_DONE: if (t->turn >= 0) on_done(t, e); break;
    case EVENT_FAILED:
        t->state = TALK_FAILED;
        t->failed = e->code;
        queue_clear(t);
        talk_say(t, true, "%s", buf_text(&e->text));
        break;
    }
    trace_event("event", (int)e->kind);
}

void talk_take(struct talk *t)
{
    struct event_list list = {0};
    struct event *e;
    worker_events(t->worker, &list);
    while ((e = event_take(&list))) {
        on_event(t, e);
        event_free(&e);
    }
}

void talk_events(struct talk *t)
{
    talk_take(t);
    if (t->state == TALK_IDLE || t->state == TALK_RESUMING)
        queue_next(t);
    fold_begin(t);
}

/* The context of a conversation from which turns were taken: the ids that it has left. */
static void context_take(struct talk *t)
{
    struct prompt p;
    t->ctx_used = 0;
    conversation_prompt(&t->c, -1, &p);
    for (int i = 0; i < p.n && t->c.n_turn > 0; i++)
        t->ctx_used += p.message[i].ids.n;
    prompt_release(&p);
}

/* ---- changes of the conversation ----------------------------------------------------------- */

bool talk_idle(struct talk *t)
{
    fold_settle(t);
    if (t->turn < 0 && t->state != TALK_LOADING && !talk_reads(t) && !t->fit.doing)
        return true;
    char key[32];
    if (!t->front.keys || !keymap_short(CONTEXT_EDITOR, ACTION_STOP, key, sizeof key))
        snprintf(key, sizeof key, "/stop");
    if (t->state == TALK_LOADING)
        talk_say(t, true, "not while the model is being loaded");
    else
        talk_say(t, true, "not while %s: stop it first (%s)", talk_state_name(t->state), key);
    return false;
}

void talk_undo(struct talk *t)
{
    struct err err;
    if (!talk_idle(t))
        return;
    if (t->c.n_turn == 0) {
        talk_say(t, true, "there is nothing to take back");
        return;
    }
    fit_release(&t->fit);
    conversation_cut(&t->c, t->c.n_turn - 1);
    context_take(t);
    tray_release(&t->tray);
    if (t->stored)
        talk_saved(t, log_cut(t->store.log, t->c.n_turn, &err), &err);
    store_turn(t);
    if (t->front.reset)
        t->front.reset(t->front.data, t);
    talk_say(t, false, "question %d is taken back, with its answer", t->c.n_turn + 1);
}

void talk_retry(struct talk *t)
{
    if (!talk_idle(t))
        return;
    if (t->c.n_turn == 0 || t->state == TALK_FAILED) {
        talk_say(t, true, "there is nothing to answer again");
        return;
    }
    talk_send(t, t->c.n_turn - 1, t->c.mode, SEND_VARY);
}

void talk_other(struct talk *t)
{
    const struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    if (!talk_idle(t))
        return;
    if (!last || last->chosen < 0 || t->state == TALK_FAILED)
        talk_say(t, true, "there is no answer to give in the other mode");
    else
        talk_send(t, t->c.n_turn - 1, mode_toggle(last->reply[last->chosen].mode), 0);
}

bool talk_both(struct talk *t, const char *text)
{
    if (!talk_idle(t))
        return false;
    if (t->state == TALK_FAILED || (!*text && t->c.n_turn == 0)) {
        talk_say(t, true, "there is nothing to answer in both modes");
        return false;
    }
    if (*text)
        talk_ask_now(t, text, MODE_FLASH, SEND_BOTH);
    else
        talk_send(t, t->c.n_turn - 1, MODE_FLASH, SEND_BOTH);
    return true;
}

/* The last turn, if nothing runs and it has this answer among several; NULL: said why not. */
static struct turn *turn_of_siblings(struct talk *t, int sibling)
{
    struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    if (!talk_idle(t))
        return NULL;
    if (last && last->n_reply > 1 && sibling >= 0 && sibling < last->n_reply)
        return last;
    if (last && last->n_reply > 1)
        talk_say(t, true, "there are %d answers", last->n_reply);
    else
        talk_say(t, true, "there is one answer: /retry, /other or /both gives a second");
    return NULL;
}

void talk_choose(struct talk *t, int sibling)
{
    struct err err;
    struct turn *last = turn_of_siblings(t, sibling);
    if (!last)
        return;
    bool other = last->chosen != sibling;
    last->chosen = sibling;
    if (other && t->stored)
        talk_saved(t, log_choose(t->store.log, &t->c, t->c.n_turn - 1, &err), &err);
    store_turn(t);
    if (t->front.flipped)
        t->front.flipped(t->front.data, t);
    if (other && t->state != TALK_FAILED) /* its cache is there, or is read now */
        resume(t, NULL);
}

void talk_candidate(struct talk *t, int k)
{
    const struct tray *tray = &t->tray;
    if (!tray->over || tray->turn != t->c.n_turn - 1 || tray->n < 2)
        talk_say(t, true, "the last answer had no candidates");
    else if (k < 0 || k >= tray->n)
        talk_say(t, true, "there are candidates 1 to %d", tray->n);
    else if (tray->row[k].sibling < 0)
        talk_say(t, true, "candidate %d was not finished", k + 1);
    else
        talk_choose(t, tray->row[k].sibling);
}

void talk_flip(struct talk *t, int step)
{
    const struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    int n = last && last->n_reply ? last->n_reply : 1;
    talk_choose(t, last ? (last->chosen + step + n) % n : 0);
}

/* The log of the branch: all turns, and then fewer; with none its first question names it anew. */
static bool branch_store(struct talk *t, int n_turn, struct store *s, struct err *err)
{
    bool ok = store_new(s, t->paths.sessions, &t->c, NULL, err) &&
              (n_turn == t->c.n_turn || log_cut(s->log, n_turn, err)) &&
              (n_turn > 0 || log_title(s->log, "", err)) && log_sync(s->log, err);
    if (!ok)
        store_close(s);
    return ok;
}

static void branch_parent(struct talk *t, const char *id, int turns)
{
    free(t->c.parent);
    t->c.parent = mem_dup(id);
    t->c.parent_turns = turns;
}

/* The branch has the file of the cache too, as soon as that is written. */
static void branch_cache(struct talk *t, const struct store *s)
{
    if (*t->link_from) { /* another branch still waits for its own */
        worker_finish(t->worker);
        cache_link(t);
    }
    snprintf(t->link_from, sizeof t->link_from, "%s", t->store.kv);
    snprintf(t->link_to, sizeof t->link_to, "%s", s->kv);
    store_cache(t);
    if (t->saves == 0)
        cache_link(t);
}

static bool branch_may(struct talk *t)
{
    if (!talk_idle(t))
        return false;
    if (t->c.n_turn > 0 && t->stored && t->begun)
        return true;
    talk_say(t, true, t->c.n_turn ? "a branch needs a session that is saved"
                                  : "there is nothing to branch off");
    return false;
}

void talk_split(struct talk *t, int sibling)
{
    struct err err;
    struct store s = {.lock_fd = -1};
    struct turn *last = turn_of_siblings(t, sibling);
    if (!last || !branch_may(t))
        return;
    char *parent = mem_dup(t->c.parent);
    int parent_turns = t->c.parent_turns, chosen = last->chosen;
    branch_parent(t, t->store.id, t->c.n_turn - 1);
    last->chosen = sibling;
    bool ok = branch_store(t, t->c.n_turn, &s, &err);
    last->chosen = chosen;
    branch_parent(t, parent, parent_turns);
    free(parent);
    if (ok) {
        branch_cache(t, &s);
        talk_say(t, false, "answer %d goes on in /open %s", sibling + 1, s.id);
        store_close(&s);
    } else {
        talk_say(t, true, "%s", err.msg);
    }
}

bool talk_branch(struct talk *t, int n_turn)
{
    struct err err;
    struct store s = {.lock_fd = -1};
    if (!branch_may(t) || n_turn < 0 || n_turn > t->c.n_turn)
        return false;
    char *parent = mem_dup(t->c.parent);
    int parent_turns = t->c.parent_turns;
    branch_parent(t, t->store.id, n_turn);
    bool ok = branch_store(t, n_turn, &s, &err);
    if (ok) {
        store_turn(t);
        branch_cache(t, &s);
        store_leave(t);
        t->store = s;
        t->stored = true;
        t->fresh_branch = n_turn == 0;
        conversation_cut(&t->c, n_turn);
        context_take(t);
        if (n_turn == 0)
            conversation_title(&t->c, "");
        store_turn(t);
        if (t->front.reset)
            t->front.reset(t->front.data, t);
        talk_say(t, false, "a branch of %s; nothing is read again", t->c.parent);
    } else {
        branch_parent(t, parent, parent_turns);
        talk_say(t, true, "%s", err.msg);
    }
    free(parent);
    return ok;
}

void talk_exact(struct talk *t, int from, int to)
{
    if (!talk_idle(t))
        return;
    if (t->state == TALK_FAILED || from >= to) {
        talk_say(t, true, "there is nothing to read again");
        return;
    }
    if (t->far.tier == KV_TIER_EXACT) {
        talk_say(t, false, "all of it is held exactly: there is nothing to read again");
        return;
    }
    t->state = TALK_EXACT;
    t->done = 0;
    t->total = to - from;
    worker_exact(t->worker, from, to, t->epoch);
}

void talk_rename(struct talk *t, const char *title)
{
    struct err err;
    conversation_title(&t->c, title);
    if (t->stored && t->begun)
        talk_saved(t, log_title(t->store.log, t->c.title, &err), &err);
    store_turn(t);
}

/* ---- ending, other sessions --------------------------------------------------------------- */

void talk_close(struct talk *t)
{
    struct err err;
    queue_clear(t);
    if (t->worker) {
        talk_stop(t);
        store_cache(t);
        worker_finish(t->worker);
        talk_events(t);
        queue_clear(t);
        worker_stop(&t->worker);
    }
    if (t->stored) {
        if (t->begun && (!log_sync(t->store.log, &err) || !store_meta(&t->store, &t->c, &err)))
            talk_say(t, true, "not saved: %s", err.msg);
        store_leave(t);
    }
    tray_release(&t->tray);
    fit_release(&t->fit);
    ids_release(&t->exact);
    conversation_release(&t->c);
}

static void switched(struct talk *t)
{
    tray_restore(&t->tray, &t->c);
    fit_release(&t->fit);
    t->suggestion.any = false;
    t->re_read = -1;
    t->tok_s = 0;
    t->drafted = t->accepted = 0;
    t->costing = false;
    t->epoch++;
    if (t->state == TALK_FAILED)
        return;
    model_take(t);
    if (t->c.n_turn > 0)
        resume(t, t->stored ? t->store.kv : NULL);
}

static void session_new_one(struct talk *t)
{
    enum mode_id mode = t->c.mode;
    struct settings settings = t->c.settings;
    store_leave(t);
    t->save_refused = false;
    conversation_release(&t->c);
    conversation_init(&t->c);
    t->c.mode = mode;
    t->ctx_used = 0;
    t->exact.n = 0;
    t->gate = (struct gate_report){0};
    t->kv_bytes = 0;
    apply_options(t);
    t->c.mode = mode;
    t->c.settings = settings;
    if (t->front.reset)
        t->front.reset(t->front.data, t);
}

bool talk_switch(struct talk *t, const char *name)
{
    struct err err;
    char id[80];
    if (!talk_idle(t))
        return false;
    if (name && !store_find(t->paths.sessions, name, id, &err)) {
        talk_say(t, true, "%s", err.msg);
        return false;
    }
    if (name && t->stored && strcmp(id, t->store.id) == 0)
        return true;
    store_cache(t);
    if (!name)
        session_new_one(t);
    else if (!session_open(t, id, &err)) {
        talk_say(t, true, "%s", err.msg);
        return false;
    }
    switched(t);
    return true;
}
