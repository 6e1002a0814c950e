/* local.c -- the backend that drives our own engine.
 *
 * The timeline `line` is what the session shall hold: the prompt's ids, then the reply's. Whatever
 * is appended to it (a tail of the mode, a chosen token) is read by the next slice, so a change of
 * mode only ever appends: it re-reads nothing. The state machine (turn.c) says what to append.
 *
 * Rendering a message gives ids once; they go back to the conversation (EVENT_RENDERED) and come
 * again with the next prompt. */
#include "app/backend.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/turn.h"
#include "engine/engine.h"

enum {
    CTX_MAX = 32768,   /* of the default context: more must be asked for */
    ROOM_MIN = 32,     /* positions an answer needs at least */
    TAIL_MAX = 64,     /* ids of one tail at most; checked when they are rendered */
};

enum local_task { TASK_NONE, TASK_TURN, TASK_RESUME };

struct local {
    struct backend base;
    const char *path;               /* of the model, borrowed */
    const struct options *options;  /* borrowed */
    struct engine *engine;
    struct session *session;
    struct tokens line;             /* the timeline wanted */
    enum local_task task;
    bool progress;                  /* a reading that takes several slices is under way */
    bool unread;                    /* line has ids that session_read() has not seen */
    atomic_int wanted;              /* enum mode_id asked for by the UI */
    atomic_bool cancelled;
    atomic_bool ready;              /* open: session may be cancelled from another thread */

    /* the turn */
    struct turn_state turn;
    struct sampling sampling;
    struct utf8_hold hold;
    enum part_kind part;
    int32_t shown;                  /* the last id of the open part, -1 = none yet */
    bool opened;                    /* the prompt is read, the reply has begun */
    bool mode_changed;              /* EVENT_MODE is due with the next token */
    uint64_t re_read_before;        /* counter when the mode changed */
    int n_prompt;                   /* ids before the reply */
    struct usage usage;
    struct session_stats before;    /* counters at the start */
    double started, first, last;    /* seconds on the monotonic clock; last = token or start */
    int held;                       /* ids of line the cache held when the last task ended */
    bool vary;

    /* the resume */
    char why[256];                  /* why the cache file was not used */
    int back;                       /* ids the file gave back */
};

static struct local *local_of(struct backend *b)
{
    return (struct local *)(void *)b;
}

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- events ------------------------------------------------------------------------------- */

static struct event *add(struct local *l, struct event_list *out, enum event_kind kind)
{
    struct session_stats s;
    session_stats(l->session, &s);
    struct event *e = event_add(out, kind);
    e->mode = l->turn.mode;
    e->part = l->part;
    e->ctx_used = l->line.n;
    e->kv_bytes = s.kv_bytes;
    return e;
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

/* Makes line the prompt's ids, rendering messages that have none (or none that can be). */
static bool line_set(struct local *l, const struct prompt *p, struct event_list *out,
                     struct err *err)
{
    l->line.n = 0;
    for (int i = 0; i < p->n; i++) {
        const struct message *m = &p->message[i];
        if (m->ids.n > 0 && ids_known(l, &m->ids)) {
            if (!tokens_append(&l->line, m->ids.id, m->ids.n, err))
                return false;
            continue;
        }
        int from = l->line.n;
        if (!render(l, m, &l->line, err))
            return false;
        struct event *e = event_add(out, EVENT_RENDERED);
        e->index = i;
        ids_append(&e->ids, l->line.id + from, l->line.n - from);
    }
    l->unread = true;
    return true;
}

static enum chat_part tail_of(enum turn_step step)
{
    switch (step) {
    case TURN_OPEN: return CHAT_THINK_OPEN;
    case TURN_SKIP: return CHAT_THINK_SKIP;
    case TURN_AGAIN: return CHAT_THINK_AGAIN;
    default: return CHAT_THINK_CLOSE;
    }
}

static bool is_marker(const struct local *l, int32_t id)
{
    return engine_is_think_begin(l->engine, id) || engine_is_think_end(l->engine, id);
}

/* Adds the text of an id of the reply. Markers of thoughts have none: what they say is the part. A
 * space in front of a part is the vocabulary's, not the model's. */
static void piece_append(struct local *l, int32_t id, struct buf *out)
{
    size_t bytes;
    const char *piece = engine_piece_after(l->engine, l->shown, id, &bytes);
    l->shown = id;
    if (bytes == 0 || is_marker(l, id))
        return;
    char *room = mem_new(3 * (bytes + 4));
    size_t n = utf8_hold_add(&l->hold, piece, bytes, false, room);
    buf_append(out, room, n);
    free(room);
}

/* Ends the open part: an unfinished character at its end is shown as such. */
static void part_end(struct local *l, struct event_list *out)
{
    char rest[3 * 4];
    size_t n = utf8_hold_add(&l->hold, "", 0, true, rest);
    if (n > 0)
        buf_append(&add(l, out, EVENT_TOKENS)->text, rest, n);
    l->shown = -1;
}

/* Appends one tail. A line that leads into a thought is shown as a part of it; markers, and what
 * closes a thought, are not. */
static bool tail_append(struct local *l, enum turn_step step, struct event_list *out,
                        struct err *err)
{
    part_end(l, out);
    int from = l->line.n;
    if (!engine_chat(l->engine, tail_of(step), NULL, 0, &l->line, err))
        return false;
    l->part = l->turn.phase == TURN_THINK ? PART_THINKING : PART_ANSWER;
    int n = l->line.n - from;
    if (n == 0)
        return true;
    turn_tail(&l->turn, n);
    l->unread = true;
    struct event *e = add(l, out, EVENT_TOKENS);
    ids_append(&e->ids, l->line.id + from, n);
    bool lead = (step == TURN_OPEN || step == TURN_AGAIN) && !engine_info(l->engine)->thinks;
    if (lead)
        for (int i = from; i < l->line.n; i++)
            piece_append(l, l->line.id[i], &e->text);
    return true;
}

/* ---- a turn ------------------------------------------------------------------------------- */

/* No end inside a thought that has a marker of its own for that, and none before the first token
 * of an answer: after a step-by-step thought a small model likes to say nothing more. */
static void sampling_set(struct local *l)
{
    const struct mode *m = mode_get(l->turn.mode);
    l->sampling.temperature = m->temperature;
    l->sampling.top_k = m->top_k;
    l->sampling.top_p = m->top_p;
    l->sampling.min_p = m->min_p;
    l->sampling.repeat_penalty = m->repeat_penalty;
    if (l->vary && m->temperature <= 0) {
        l->sampling.temperature = 0.8f;
        l->sampling.min_p = 0.05f;
    }
    l->sampling.no_end = l->turn.phase == TURN_THINK ? engine_info(l->engine)->thinks
                                                     : l->turn.n_answer_now == 0;
}

static void usage_count(struct local *l)
{
    struct session_stats s;
    session_stats(l->session, &s);
    double end = now_seconds();
    struct usage *u = &l->usage;
    u->read_tokens = (int)(s.n_read - l->before.n_read);
    u->re_read_tokens = (int)(s.n_re_read - l->before.n_re_read);
    u->answer_tokens = l->turn.n_answer;
    u->thinking_tokens = l->turn.n_think;
    u->think_capped = l->turn.capped;
    u->seconds = end - l->started;
    u->first_seconds = l->first > 0 ? l->first - l->started : 0;
    int n = u->answer_tokens + u->thinking_tokens;
    u->tok_s = n > 1 && end > l->first ? (n - 1) / (end - l->first) : 0;
}

/* The turn ends: the message is closed in the timeline, its ids read by the next turn. */
static void finish(struct local *l, enum reply_reason reason, const char *text,
                   struct event_list *out)
{
    struct err err;
    if (l->turn.phase != TURN_OVER)
        turn_over(&l->turn, reason);
    if (l->opened) {
        part_end(l, out);
        int from = l->line.n;
        if (engine_chat(l->engine, CHAT_END, NULL, 0, &l->line, &err))
            ids_append(&add(l, out, EVENT_TOKENS)->ids, l->line.id + from, l->line.n - from);
    }
    usage_count(l);
    struct event *e = add(l, out, EVENT_DONE);
    e->reason = l->turn.reason;
    e->usage = l->usage;
    buf_puts(&e->text, text);
    l->unread = true;
    l->held = session_held(l->session, l->line.id, l->line.n);
    l->task = TASK_NONE;
}

static bool local_start(struct backend *b, struct turn_request *r, struct event_list *out,
                        struct err *err)
{
    struct local *l = local_of(b);
    l->opened = false;
    l->mode_changed = false;
    l->part = PART_ANSWER;
    l->shown = -1;
    l->first = 0;
    memset(&l->hold, 0, sizeof l->hold);
    memset(&l->usage, 0, sizeof l->usage);
    bool ok = line_set(l, &r->prompt, out, err);
    prompt_release(&r->prompt);
    int room = session_ctx(l->session) - l->line.n;
    if (ok && room < ROOM_MIN)
        ok = err_set(err, ERR_LIMIT, "the conversation has %d tokens and the context holds %d: "
                     "take turns back with /undo, start anew with /new, or restart with --ctx",
                     l->line.n, session_ctx(l->session));
    if (!ok)
        return false;
    struct turn_limits limits = {room, TAIL_MAX, r->max_tokens};
    turn_begin(&l->turn, r->mode, &limits);
    memset(&l->sampling, 0, sizeof l->sampling);
    l->sampling.seed = r->seed;
    session_stats(l->session, &l->before);
    l->started = l->last = now_seconds();
    l->vary = r->vary;
    l->n_prompt = l->usage.prompt_tokens = l->line.n;
    l->usage.reused_tokens = session_held(l->session, l->line.id, l->line.n);
    l->task = TASK_TURN;
    return true;
}

/* Takes a change of mode over, if one was asked for. False: *err. */
static bool mode_take(struct local *l, struct event_list *out, struct err *err)
{
    enum mode_id wanted = (enum mode_id)atomic_load(&l->wanted);
    if (wanted == l->turn.mode)
        return true;
    struct session_stats s;
    session_stats(l->session, &s);
    if (!l->mode_changed)
        l->re_read_before = s.n_re_read;
    l->mode_changed = true;
    enum turn_step step = turn_mode(&l->turn, wanted);
    return step == TURN_NOTHING || tail_append(l, step, out, err);
}

/* A token was chosen: appends it or not, shows it, and does what the state machine says. */
static bool token_take(struct local *l, int32_t id, struct event_list *out, struct err *err)
{
    enum turn_token kind = engine_is_end(l->engine, id)           ? TURN_TOKEN_END
                           : engine_is_think_begin(l->engine, id) ? TURN_TOKEN_THINK_BEGIN
                           : engine_is_think_end(l->engine, id)   ? TURN_TOKEN_THINK_END
                                                                  : TURN_TOKEN_TEXT;
    enum turn_step step = turn_token(&l->turn, kind);
    bool opens = kind == TURN_TOKEN_THINK_BEGIN && l->part == PART_ANSWER &&
                 (step == TURN_KEEP_CLOSE || l->turn.phase == TURN_THINK);
    if (opens) {
        part_end(l, out);
        l->part = PART_THINKING;
    }
    enum part_kind part = l->part;
    if (step != TURN_DROP_CLOSE && step != TURN_DROP_END) {
        if (!tokens_append(&l->line, &id, 1, err))
            return false;
        struct event *e = add(l, out, EVENT_TOKENS);
        e->part = part;
        e->tokens = 1;
        ids_append(&e->ids, &id, 1);
        piece_append(l, id, &e->text);
        double now = now_seconds();
        e->seconds = now - l->last;
        l->last = now;
    }
    if (step == TURN_KEEP_CLOSE || step == TURN_DROP_CLOSE)
        return tail_append(l, TURN_CLOSE, out, err);
    if (kind == TURN_TOKEN_THINK_END) {
        part_end(l, out);
        l->part = PART_ANSWER;
    }
    if (step == TURN_KEEP && turn_repeats(l->line.id + l->n_prompt, l->line.n - l->n_prompt) &&
        turn_looped(&l->turn) == TURN_CLOSE)
        return tail_append(l, TURN_CLOSE, out, err);
    return true;
}

/* One slice of generating. */
static bool generate(struct local *l, struct event_list *out, struct err *err)
{
    struct session_token token;
    sampling_set(l);
    int n = session_next(l->session, &l->sampling, &token, 1, err);
    if (n < 0)
        return false;
    if (n == 0)
        return true; /* cancelled: the next slice sees it */
    if (l->first <= 0)
        l->first = now_seconds();
    if (l->mode_changed) {
        struct session_stats s;
        session_stats(l->session, &s);
        struct event *e = add(l, out, EVENT_MODE);
        e->re_read = (int)(s.n_re_read - l->re_read_before);
        l->mode_changed = false;
    }
    return token_take(l, token.id, out, err);
}

/* One slice of reading line. Progress is told only of what takes more than one slice. */
static bool read_slice(struct local *l, struct event_list *out, struct err *err)
{
    int n = session_read(l->session, l->line.id, l->line.n, err);
    if (n < 0)
        return false;
    l->unread = n < l->line.n;
    bool told = l->progress;
    l->progress = l->unread;
    if (l->unread || told) {
        struct event *e = add(l, out, EVENT_PROGRESS);
        e->done = n;
        e->total = l->line.n;
    }
    return true;
}

static bool turn_slice(struct local *l, struct event_list *out, struct err *err)
{
    if (!mode_take(l, out, err))
        return false;
    if (l->unread)
        return read_slice(l, out, err);
    if (!l->opened) {
        l->opened = true;
        return tail_append(l, turn_opened(&l->turn), out, err);
    }
    return generate(l, out, err);
}

/* ---- a resume ----------------------------------------------------------------------------- */

static void resume_over(struct local *l, struct event_list *out)
{
    struct event *e = add(l, out, EVENT_RESUMED);
    e->done = l->back;
    e->total = l->line.n;
    e->re_read = session_held(l->session, l->line.id, l->line.n) - l->back;
    e->seconds = now_seconds() - l->started;
    buf_puts(&e->text, l->why);
    l->held = session_held(l->session, l->line.id, l->line.n);
    l->task = TASK_NONE;
}

static void local_resume(struct backend *b, struct prompt *p, const char *kv,
                         struct event_list *out)
{
    struct local *l = local_of(b);
    struct err err;
    l->why[0] = 0;
    l->back = 0;
    l->started = now_seconds();
    l->task = TASK_RESUME;
    if (!line_set(l, p, out, &err)) {
        snprintf(l->why, sizeof l->why, "%s", err.msg);
        l->line.n = 0;
    }
    prompt_release(p);
    session_cut(l->session, 0);
    if (kv && l->line.n > 0 && !session_load(l->session, kv, &err))
        snprintf(l->why, sizeof l->why, "%s", err.msg);
    l->back = session_held(l->session, l->line.id, l->line.n);
    l->unread = l->back < l->line.n && l->line.n <= session_ctx(l->session);
}

/* ---- the operations ----------------------------------------------------------------------- */

static bool local_step(struct backend *b, struct event_list *out)
{
    struct local *l = local_of(b);
    struct err err;
    if (l->task == TASK_NONE)
        return false;
    if (l->task == TASK_RESUME) {
        bool more = l->unread && !atomic_load(&l->cancelled);
        if (more && !read_slice(l, out, &err)) {
            snprintf(l->why, sizeof l->why, "%s", err.msg);
            more = false;
        }
        more = more && l->unread;
        if (!more)
            resume_over(l, out);
        return more;
    }
    if (atomic_load(&l->cancelled)) {
        finish(l, REASON_CANCELLED, "", out);
        return false;
    }
    if (!turn_slice(l, out, &err)) {
        finish(l, REASON_ERROR, err.msg, out);
        return false;
    }
    if (l->turn.phase == TURN_OVER) {
        finish(l, l->turn.reason, "", out);
        return false;
    }
    return true;
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
    struct engine_opts eo = {l->options->threads, l->options->kernels, l->options->template};
    if (!engine_open(&l->engine, l->path, &eo, err))
        return false;
    const struct engine_info *info = engine_info(l->engine);
    struct session_opts so = {l->options->ctx, KV_F16, 0};
    if (so.n_ctx == 0 && info->n_ctx_train > CTX_MAX)
        so.n_ctx = CTX_MAX;
    if (!session_new(&l->session, l->engine, &so, err)) {
        engine_close(&l->engine);
        return false;
    }
    struct backend_info *bi = &event_add(out, EVENT_LOADED)->info;
    name_short(l->path, bi->name, sizeof bi->name);
    snprintf(bi->kind, sizeof bi->kind, "%s", info->arch);
    snprintf(bi->template_name, sizeof bi->template_name, "%s", info->template_name);
    snprintf(bi->kernels, sizeof bi->kernels, "%s", info->kernels);
    bi->fingerprint = info->fingerprint;
    bi->n_ctx = session_ctx(l->session);
    bi->n_threads = info->n_threads;
    bi->weight_bytes = info->weight_bytes;
    if (!l->options->template && strcmp(info->template_name, "none") == 0)
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
    int held = session_held(l->session, l->line.id, l->line.n);
    struct event *e = add(l, out, EVENT_COST);
    e->mode = (enum mode_id)atomic_load(&l->wanted);
    e->re_read = l->held > held ? l->held - held : 0;
}

/* Reads the end of the last message first, so that the next resume finds all of it. */
static void local_save(struct backend *b, const char *kv, struct event_list *out)
{
    struct local *l = local_of(b);
    struct err err;
    bool ok = true;
    session_cancel(l->session, false);
    if (l->line.n - session_held(l->session, l->line.id, l->line.n) <= TAIL_MAX)
        while (ok && session_held(l->session, l->line.id, l->line.n) < l->line.n)
            ok = session_read(l->session, l->line.id, l->line.n, &err) >= 0;
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
    session_free(&l->session);
    engine_close(&l->engine);
    tokens_release(&l->line);
    free(l);
    *b = NULL;
}

static const struct backend_ops local_ops = {
    local_open, local_start, local_resume, local_step,
    local_mode, local_cancel, local_cost, local_save, local_close,
};

struct backend *local_new(const char *model, const struct options *o)
{
    struct local *l = mem_new(sizeof *l);
    l->base.ops = &local_ops;
    l->path = model;
    l->options = o;
    return &l->base;
}
