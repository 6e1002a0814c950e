/* strand.c -- see strand.h. */
#include "app/strand.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/clock.h"
#include "app/doubt.h"
#include "app/hash.h"
#include "app/likely.h"
#include "app/tier.h"

/* As many tokens are read by the index, whatever the mode. */
enum { INDEX_TOKENS = 16 };

struct event *strand_event(const struct strand *s, struct event_list *out, enum event_kind kind)
{
    struct event *e = event_add(out, kind);
    e->mode = s->turn.mode;
    e->part = s->part;
    e->candidate = s->candidate;
    struct session_stats stats;
    session_stats(s->session, &stats);
    e->kv_bytes = stats.kv_bytes;
    session_far(s->session, &e->far);
    if (s->candidate == 0) /* the context shown is that of the reply that is shown */
        e->ctx_used = s->line.n;
    return e;
}

/* ---- life --------------------------------------------------------------------------------- */

void strand_begin(struct strand *s, enum mode_id mode, const struct turn_limits *limits,
                  uint64_t seed, bool vary)
{
    turn_begin(&s->turn, mode, limits);
    s->sampling = (struct sampling){.seed = seed};
    s->n_ahead = s->i_ahead = 0;
    s->vary = s->began_vary = vary;
    s->began_direct = limits->direct;
    s->began = mode;
    s->change.n = 0;
    s->finding[0] = 0;
    s->n_prompt = s->line.n;
    s->opened = s->ended = false;
    s->hold = (struct utf8_hold){0};
    s->part = PART_ANSWER;
    s->shown = -1;
    s->said = false;
    buf_clear(&s->answer);
    s->logprob = 0;
    s->n_logprob = 0;
    s->last = clock_seconds();
}

bool strand_spawn(const struct strand *s, const struct session *from, struct strand *to,
                  struct err *err)
{
    *to = (struct strand){.engine = s->engine, .end = s->end};
    if (session_fork(from, &to->session, err) &&
        tokens_append(&to->line, s->line.id, s->n_prompt, err))
        return true;
    strand_release(to);
    return false;
}

bool strand_fork(const struct strand *s, struct strand *to, struct err *err)
{
    struct strand fresh;
    *to = (struct strand){0};
    if (!strand_spawn(s, s->session, &fresh, err))
        return false;
    *to = *s;
    to->session = fresh.session;
    to->line = fresh.line;
    to->answer = (struct buf){0};
    to->change = (struct ids){0};
    ids_append(&to->change, s->change.id, s->change.n);
    buf_append(&to->answer, buf_text(&s->answer), s->answer.bytes);
    if (tokens_append(&to->line, s->line.id + s->n_prompt, s->line.n - s->n_prompt, err))
        return true;
    strand_release(to);
    return false;
}

void strand_release(struct strand *s)
{
    session_free(&s->session);
    tokens_release(&s->line);
    buf_release(&s->answer);
    ids_release(&s->change);
    *s = (struct strand){0};
}

uint64_t strand_seed(uint64_t seed, int turn, int k)
{
    const uint64_t part[] = {seed, (uint64_t)turn, (uint64_t)k};
    uint64_t h = HASH_BEGIN;
    for (int i = 0; i < 3; i++)
        h = hash_number(h, part[i], 8);
    return k == 0 ? seed : h; /* the sampler mixes */
}

/* ---- text --------------------------------------------------------------------------------- */

static bool is_marker(const struct strand *s, int32_t id)
{
    return engine_is_think_begin(s->engine, id) || engine_is_think_end(s->engine, id);
}

static void text_append(struct strand *s, const char *text, size_t bytes, struct buf *out)
{
    size_t from = out->bytes;
    for (size_t i = 0, n; i < bytes; i += n + 1) { /* byte 0 is told as little as it is kept */
        n = strnlen(text + i, bytes - i);
        buf_append(out, text + i, n);
    }
    if (s->part == PART_ANSWER)
        buf_append(&s->answer, buf_text(out) + from, out->bytes - from);
}

/* Adds the text of an id of the reply. Markers of thoughts have none: what they say is the part. A
 * space in front of a part is the vocabulary's, not the model's. */
static void piece_append(struct strand *s, int32_t id, struct buf *out)
{
    size_t bytes;
    const char *piece = engine_piece_after(s->engine, s->shown, id, &bytes);
    s->shown = id;
    if (bytes == 0 || is_marker(s, id))
        return;
    char *room = mem_new(3 * (bytes + 4));
    size_t n = utf8_hold_add(&s->hold, piece, bytes, false, room);
    text_append(s, room, n, out);
    free(room);
}

/* Ends the open part: an unfinished character at its end is shown as such. */
static void part_end(struct strand *s, struct event_list *out)
{
    char rest[3 * 4];
    size_t n = utf8_hold_add(&s->hold, "", 0, true, rest);
    if (n > 0) {
        struct event *e = strand_event(s, out, EVENT_TOKENS);
        text_append(s, rest, n, &e->text);
        if (s->part == PART_ANSWER)
            doubt_append(&e->doubt, 0, rest, n); /* its tokens were told without text */
    }
    s->shown = -1;
}

static void part_begin(struct strand *s, enum part_kind part)
{
    s->part = part;
    if (part == PART_ANSWER) /* what was answered before a thought is no longer the answer */
        return;
    buf_clear(&s->answer);
    s->logprob = 0;
    s->n_logprob = 0;
}

/* ---- tails -------------------------------------------------------------------------------- */

static enum chat_part tail_of(enum turn_step step)
{
    switch (step) {
    case TURN_OPEN: return CHAT_THINK_OPEN;
    case TURN_SKIP: return CHAT_THINK_SKIP;
    case TURN_AGAIN: return CHAT_THINK_AGAIN;
    default: return CHAT_THINK_CLOSE;
    }
}

/* Forgets what was chosen ahead: something else comes next. */
static void drop_ahead(struct strand *s)
{
    if (s->i_ahead < s->n_ahead)
        session_cut(s->session, s->line.n);
    s->n_ahead = s->i_ahead = 0;
}

/* A revision is told what was found; a vocabulary that has no room for it in a tail, nothing. */
static bool finding_append(struct strand *s, int tail, struct err *err)
{
    struct buf text = {0};
    struct tokens ids = {0};
    buf_printf(&text, "A check of this answer found: %s.\n", s->finding);
    bool ok = engine_tokenize(s->engine, buf_text(&text), text.bytes, &ids, err);
    if (ok && tail + ids.n <= STRAND_TAIL_MAX)
        ok = tokens_append(&s->line, ids.id, ids.n, err);
    tokens_release(&ids);
    buf_release(&text);
    return ok;
}

/* Appends one tail. A line that leads into a thought is shown as a part of it; markers, and what
 * closes a thought, are not. */
static bool tail_append(struct strand *s, enum turn_step step, struct event_list *out,
                        struct err *err)
{
    int last = s->change.n ? s->change.id[s->change.n - 1] : -1;
    bool revises = step == TURN_AGAIN && last == MADE_REVISED;
    part_end(s, out);
    drop_ahead(s);
    int from = s->line.n;
    if (!engine_chat(s->engine, tail_of(step), NULL, 0, &s->line, err))
        return false;
    part_begin(s, s->turn.phase == TURN_THINK ? PART_THINKING : PART_ANSWER);
    bool told = revises && *s->finding;
    if (told && !finding_append(s, s->line.n - from, err))
        return false;
    int n = s->line.n - from;
    if (n == 0)
        return true;
    turn_tail(&s->turn, n);
    s->unread = true;
    struct event *e = strand_event(s, out, EVENT_TOKENS);
    ids_append(&e->ids, s->line.id + from, n);
    e->folds = true;
    bool lead = (step == TURN_OPEN || step == TURN_AGAIN) &&
                (told || !engine_info(s->engine)->thinks);
    if (lead)
        for (int i = from; i < s->line.n; i++)
            piece_append(s, s->line.id[i], &e->text);
    return true;
}

/* A mode that thinks does less than it says for want of room: one line. */
static void tell_little_room(const struct strand *s, enum turn_step step, struct event_list *out)
{
    const struct mode *m = turn_row(&s->turn, s->turn.mode);
    if (s->candidate > 0 || m->think == MODE_THINK_NONE || s->turn.limits.direct)
        return;
    if (step == TURN_SKIP)
        buf_printf(&event_add(out, EVENT_NOTE)->text,
                   "%s answers without a thought: the context has no room for one", m->title);
    else if (s->turn.think_cap < m->think_tokens)
        buf_printf(&event_add(out, EVENT_NOTE)->text,
                   "%s thinks %d tokens at most, not %d: the context has no room for more",
                   m->title, s->turn.think_cap, m->think_tokens);
}

bool strand_open(struct strand *s, struct event_list *out, struct err *err)
{
    enum turn_step step = turn_opened(&s->turn);
    s->opened = true;
    tell_little_room(s, step, out);
    return tail_append(s, step, out, err);
}

/* Notes what happens where the reply stands. */
static void note_change(struct strand *s, int what)
{
    ids_append(&s->change, (int32_t[]){s->line.n - s->n_prompt, what}, 2);
}

bool strand_mode(struct strand *s, enum mode_id mode, struct event_list *out, struct err *err)
{
    enum turn_step step = turn_mode(&s->turn, mode);
    if (s->opened)
        note_change(s, (int)mode);
    else
        s->began = mode;
    drop_ahead(s);
    return step == TURN_NOTHING || tail_append(s, step, out, err);
}

bool strand_again(struct strand *s, const char *finding, struct event_list *out, struct err *err)
{
    assert(strand_over(s) && s->ended);
    s->turn.limits.direct = s->vary = false;
    if (turn_again(&s->turn) != TURN_AGAIN)
        return false;
    s->line.n = s->n_reply;
    s->ended = false;
    snprintf(s->finding, sizeof s->finding, "%s", finding);
    note_change(s, MADE_REVISED);
    return tail_append(s, TURN_AGAIN, out, err);
}

static void tell_made(const struct strand *s, struct event_list *out)
{
    struct event *e = strand_event(s, out, EVENT_MADE);
    struct made *m = e->made = made_new();
    m->seed = s->sampling.seed;
    m->mode = s->began;
    m->vary = s->began_vary;
    m->direct = s->began_direct;
    m->max_tokens = s->turn.limits.answer_tokens;
    m->room = s->turn.limits.room;
    m->prompt = s->n_prompt;
    m->prompt_hash = ids_hash(s->line.id, s->n_prompt);
    m->end = s->end;
    ids_append(&m->change, s->change.id, s->change.n);
    made_row(m, turn_row(&s->turn, s->began));
    for (int i = 1; i < s->change.n; i += 2)
        if (s->change.id[i] != MADE_REVISED)
            made_row(m, turn_row(&s->turn, (enum mode_id)s->change.id[i]));
    snprintf(m->finding, sizeof m->finding, "%s", s->finding);
    snprintf(m->far, sizeof m->far, "%s", tier_name(e->far.tier));
}

void strand_end(struct strand *s, struct event_list *out)
{
    struct err err;
    if (!s->opened || s->ended)
        return;
    part_end(s, out);
    s->n_reply = s->line.n;
    s->ended = true;
    if (engine_chat(s->engine, CHAT_END, NULL, 0, &s->line, &err))
        ids_append(&strand_event(s, out, EVENT_TOKENS)->ids, s->line.id + s->n_reply,
                   s->line.n - s->n_reply);
    tell_made(s, out);
}

bool strand_over(const struct strand *s)
{
    return s->turn.phase == TURN_OVER;
}

/* ---- tokens ------------------------------------------------------------------------------- */

/* No end inside a thought that has a marker of its own for that, and none before the first token
 * of an answer: after a step-by-step thought a small model likes to say nothing more. */
static const struct sampling *sampling_of(struct strand *s)
{
    const struct mode *m = turn_row(&s->turn, s->turn.mode);
    session_set_index(s->session, m->far == MODE_FAR_INDEX);
    s->sampling.temperature = m->temperature;
    s->sampling.top_k = m->top_k;
    s->sampling.top_p = m->top_p;
    s->sampling.min_p = m->min_p;
    s->sampling.repeat_penalty = m->repeat_penalty;
    if (s->vary && m->temperature <= 0) {
        s->sampling.temperature = m->vary;
        s->sampling.min_p = 0.05f;
    }
    s->sampling.no_end = s->turn.phase == TURN_THINK ? engine_info(s->engine)->thinks
                                                     : s->turn.n_answer_now == 0;
    return &s->sampling;
}

/* How many tokens may be chosen at once: the first one of an answer is chosen by another rule than
 * those behind it. */
static int most_ahead(const struct strand *s)
{
    bool first = s->turn.phase == TURN_ANSWER && s->turn.n_answer_now == 0;
    bool none = turn_row(&s->turn, s->turn.mode)->speculate == MODE_SPECULATE_NONE;
    return none || first ? 1 : SESSION_NEXT_MAX;
}

static int next_alone(struct strand *s, struct session_token *out, struct err *err)
{
    if (s->i_ahead == s->n_ahead) {
        int n = session_next(s->session, sampling_of(s), s->ahead, most_ahead(s), err);
        if (n <= 0)
            return n;
        s->n_ahead = n;
        s->i_ahead = 0;
    }
    *out = s->ahead[s->i_ahead++];
    return 1;
}

int strand_next(struct strand *const *s, int n, struct batch *batch, struct session_token *out,
                struct err *err)
{
    struct session *session[STRANDS_MAX];
    struct sampling how[STRANDS_MAX];
    assert(n >= 1 && n <= STRANDS_MAX);
    if (n == 1)
        return next_alone(s[0], out, err);
    for (int i = 0; i < n; i++) {
        drop_ahead(s[i]);
        session[i] = s[i]->session;
        how[i] = *sampling_of(s[i]);
    }
    return batch_next(batch, session, n, how, out, err);
}

static enum turn_token kind_of(const struct strand *s, int32_t id)
{
    return engine_is_end(s->engine, id)           ? TURN_TOKEN_END
           : engine_is_think_begin(s->engine, id) ? TURN_TOKEN_THINK_BEGIN
           : engine_is_think_end(s->engine, id)   ? TURN_TOKEN_THINK_END
                                                  : TURN_TOKEN_TEXT;
}

/* The blanks that an answer begins with go with the thought before it. */
static bool folds(struct strand *s, const struct buf *text)
{
    if (s->part == PART_THINKING)
        return true;
    s->said = s->said || strspn(buf_text(text), " \n") < text->bytes;
    return !s->said;
}

/* Appends the token to the timeline and tells it. */
static bool token_keep(struct strand *s, const struct session_token *t, struct event_list *out,
                       struct err *err)
{
    if (!tokens_append(&s->line, &t->id, 1, err))
        return false;
    struct event *e = strand_event(s, out, EVENT_TOKENS);
    e->tokens = 1;
    ids_append(&e->ids, &t->id, 1);
    piece_append(s, t->id, &e->text);
    e->folds = folds(s, &e->text);
    if (s->part == PART_ANSWER) {
        doubt_append(&e->doubt, doubt_of(t->logprob), buf_text(&e->text), e->text.bytes);
        s->logprob += (double)t->logprob;
        s->n_logprob++;
    }
    double now = clock_seconds();
    e->seconds = now - s->last;
    s->last = now;
    return true;
}

/* How sure the model is of where its answer begins: of the logits that the first token was chosen
 * by. */
static void tell_first(const struct strand *s, struct event_list *out)
{
    const float *logits = session_logits(s->session);
    int n = engine_info(s->engine)->n_vocab, best = 0;
    size_t bytes;
    if (!logits || s->candidate > 0 || s->turn.n_think + s->turn.n_answer_now > 0)
        return;
    for (int i = 1; i < n; i++)
        best = logits[i] > logits[best] ? i : best;
    if (is_marker(s, best))
        return;
    struct event *e = strand_event(s, out, EVENT_FIRST);
    e->probability = exp(likely_id(logits, n, best));
    const char *piece = engine_piece_after(s->engine, -1, best, &bytes);
    buf_append(&e->text, piece, bytes);
}

bool strand_token(struct strand *s, const struct session_token *t, struct event_list *out,
                  struct err *err)
{
    if (s->turn.phase == TURN_ANSWER)
        tell_first(s, out);
    enum turn_token kind = kind_of(s, t->id);
    enum turn_step step = turn_token(&s->turn, kind);
    bool opens = kind == TURN_TOKEN_THINK_BEGIN && s->part == PART_ANSWER &&
                 (step == TURN_KEEP_CLOSE || s->turn.phase == TURN_THINK);
    if (opens) {
        part_end(s, out);
        part_begin(s, PART_THINKING);
    }
    bool keeps = step != TURN_DROP_CLOSE && step != TURN_DROP_END;
    if (keeps && !token_keep(s, t, out, err))
        return false;
    if (step == TURN_KEEP_CLOSE || step == TURN_DROP_CLOSE)
        return tail_append(s, TURN_CLOSE, out, err);
    if (kind == TURN_TOKEN_THINK_END) {
        part_end(s, out);
        part_begin(s, PART_ANSWER);
    }
    if (step == TURN_KEEP && turn_repeats(s->line.id + s->n_prompt, s->line.n - s->n_prompt) &&
        turn_looped(&s->turn) == TURN_CLOSE)
        return tail_append(s, TURN_CLOSE, out, err);
    return true;
}

double strand_logprob(const struct strand *s)
{
    return s->n_logprob > 0 ? s->logprob / s->n_logprob : -(double)INFINITY;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* How many ids are read next, and *by_index: few are read by the index. The last id of a prompt may
 * have to be read as it was once. */
static int reads_to(const struct strand *s, int held, bool *by_index)
{
    int few = s->line.n - held, to = s->line.n;
    bool last = !s->opened && s->end_as != MADE_END_BY_COUNT;
    *by_index = !s->progress && few <= INDEX_TOKENS;
    if (last && few <= INDEX_TOKENS)
        *by_index = s->end_as == MADE_END_BY_INDEX;
    else if (last && s->end_as == MADE_END_BY_INDEX)
        to--;
    return to;
}

bool strand_read(struct strand *s, struct event_list *out, struct err *err)
{
    int held = session_held(s->session, s->line.id, s->line.n);
    bool by_index;
    int to = reads_to(s, held, &by_index), n_text = s->opened && !s->ended ? s->n_prompt : to;
    session_set_index(s->session, by_index);
    s->held = s->progress ? s->held : held;
    int n = session_read_reply(s->session, s->line.id, n_text, to, err);
    if (n < 0)
        return false;
    s->unread = n < s->line.n;
    if (!s->opened && !s->unread)
        s->end = by_index ? MADE_END_BY_INDEX : MADE_END_BY_ALL;
    bool told = s->progress;
    s->progress = s->unread && !by_index;
    if (s->progress || told) {
        struct event *e = strand_event(s, out, EVENT_PROGRESS);
        e->done = n;
        e->total = s->line.n;
        e->index = s->held;
    }
    return true;
}
