/* fit.c -- see fit.h. */
#include "app/fit.h"

#include <stdlib.h>
#include <string.h>

#include "app/talk.h"

/* What the model is asked for a new session. */
#define REQUEST "Summarise our conversation so far in a few sentences: what I want, what we " \
                "know, what is still open."

enum {
    GO_MIN = 32,     /* tokens of an answer at least */
    UNEVEN_MAX = 63, /* tokens that a cache may have to keep of those that should go */
};

static const char *const names[FIT_COUNT] = {
    [FIT_DROP] = "drop", [FIT_SUMMARY] = "summary", [FIT_GO] = "go", [FIT_STOP] = "stop",
};

const char *fit_name(enum fit_choice c)
{
    return names[c];
}

enum fit_choice fit_find(const char *name)
{
    for (int c = FIT_NONE + 1; c < FIT_COUNT; c++)
        if (strcmp(names[c], name) == 0)
            return (enum fit_choice)c;
    return FIT_NONE;
}

void fit_release(struct fit *f)
{
    free(f->question);
    *f = (struct fit){0};
}

/* ---- the plan ------------------------------------------------------------------------------- */

static int turn_tokens(const struct turn *t)
{
    return t->chosen < 0 ? 0 : t->ids.n + reply_context_tokens(&t->reply[t->chosen]);
}

/* The oldest turns that have to go so that the answer has room, and a quarter of the context more,
 * so that the next question does not ask again; all before the question, if these are too few. */
static void plan(const struct talk *t, struct fit *f, int wanted)
{
    int needed = wanted - f->room + (t->info.drops ? UNEVEN_MAX : 0);
    int missing = needed + f->ctx / 4;
    f->turns = f->tokens = 0;
    for (int i = t->c.n_dropped; i < f->turn && f->tokens < missing; i++) {
        f->tokens += turn_tokens(&t->c.turn[i]);
        f->turns = i + 1;
    }
    if (f->tokens < needed)
        f->turns = f->tokens = 0;
}

/* The question leaves the conversation; one that has an answer stays. */
static void question_cut(struct talk *t)
{
    struct err err;
    if (t->c.turn[t->fit.turn].n_reply > 0)
        return;
    conversation_cut(&t->c, t->fit.turn);
    if (t->stored)
        talk_saved(t, log_cut(t->store.log, t->c.n_turn, &err), &err);
    if (t->front.reset)
        t->front.reset(t->front.data, t);
}

static void stop(struct talk *t, bool error, const char *why)
{
    question_cut(t);
    fit_release(&t->fit);
    talk_say(t, error, "%sthe question is taken back", why);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void tell_choices(struct talk *t)
{
    const struct fit *f = &t->fit;
    int turns = f->turns - t->c.n_dropped;
    talk_say(t, true, "the context is nearly full: %d of %d tokens with this question", f->used,
             f->ctx);
    if (f->turns && t->info.drops)
        talk_say(t, false, "/fit drop: the oldest %d turns (about %d tokens) leave the context, "
                 "nothing is read again", turns, f->tokens);
    else if (f->turns)
        talk_say(t, false, "/fit drop: the oldest %d turns (%d tokens) leave the context, %d "
                 "tokens are read again", turns, f->tokens, f->used - f->tokens);
    if (f->turns && t->c.turn[f->turn].n_reply == 0)
        talk_say(t, false, "/fit summary: goes on in a new session with a summary: up to %d tokens "
                 "are written, then read with the question", TALK_SUMMARY_TOKENS);
    if (f->room >= GO_MIN)
        talk_say(t, false, "/fit go: an answer of at most %d tokens", f->room);
    talk_say(t, false, "/fit stop: takes the question back, costs nothing");
}

void fit_full(struct talk *t, const struct event *e)
{
    struct fit *f = &t->fit;
    enum fit_choice before = t->options->fit ? fit_find(t->options->fit) : FIT_NONE;
    bool again = f->doing != FIT_NONE;
    if (f->question)
        talk_say(t, true, "there is no room for a summary; the question was: %.200s", f->question);
    fit_release(f);
    *f = (struct fit){.turn = t->turn, .mode = t->turn_mode, .how = t->turn_how, .used = e->done,
                      .room = e->total - e->done, .ctx = e->total, .asked = true};
    plan(t, f, e->tokens);
    t->turn = -1;
    t->state = TALK_IDLE;
    if (before != FIT_NONE && !again)
        fit_choose(t, before);
    else if (t->options->prompt)
        stop(t, true, "the context is full, --fit drop, summary or go says what to do: ");
    else
        tell_choices(t);
}

/* ---- carrying out --------------------------------------------------------------------------- */

static void begin_drop(struct talk *t, enum fit_choice c)
{
    struct fit *f = &t->fit;
    int from = t->c.begin.n, to = from + t->c.kept.n + f->tokens;
    f->asked = false;
    f->doing = c;
    if (c == FIT_SUMMARY) {
        f->question = mem_dup(t->c.turn[f->turn].question);
        question_cut(t);
    }
    worker_drop(t->worker, from, to, t->epoch);
}

static void cannot(struct talk *t, enum fit_choice c)
{
    const struct fit *f = &t->fit;
    talk_say(t, true, "%s cannot help here: %d of %d tokens are in use with this question",
             names[c], f->used, f->ctx);
    if (t->options->prompt)
        stop(t, true, "");
}

void fit_choose(struct talk *t, enum fit_choice c)
{
    struct fit *f = &t->fit;
    bool second = f->asked && t->c.turn[f->turn].n_reply > 0;
    if (!f->asked)
        talk_say(t, true, "the context is not full: nothing has to be chosen");
    else if (c == FIT_STOP)
        stop(t, t->options->prompt != NULL, "");
    else if (c == FIT_GO && f->room >= GO_MIN)
        talk_send(t, f->turn, f->mode, f->how | SEND_TIGHT);
    else if (c == FIT_DROP && f->turns)
        begin_drop(t, c);
    else if (c == FIT_SUMMARY && f->turns && !second)
        begin_drop(t, c);
    else
        cannot(t, c);
}

void fit_dropped(struct talk *t, const struct event *e)
{
    struct err err;
    struct fit *f = &t->fit;
    int turns = f->turns - t->c.n_dropped, tokens = e->total - e->done;
    conversation_drop(&t->c, f->turns, e->ids.id, e->ids.n);
    t->re_read = e->re_read;
    t->kept = false;
    if (t->stored)
        talk_saved(t, log_drop(t->store.log, &t->c, &err) && log_sync(t->store.log, &err), &err);
    talk_say(t, false, "the oldest %d turns (%d tokens) are out of the context, %d re-read", turns,
             tokens, e->re_read);
    if (f->doing == FIT_SUMMARY) {
        f->summing = true;
        talk_ask_now(t, REQUEST, MODE_FLASH, 0);
    } else {
        talk_send(t, f->turn, f->mode, f->how);
    }
}

/* The system message of the new session: the old one, and the summary. */
static char *system_with(const char *old, const char *summary)
{
    struct buf b = {0};
    buf_puts(&b, old);
    buf_printf(&b, "%sThe conversation so far: %s", *old ? "\n\n" : "", summary);
    return buf_take(&b);
}

void fit_done(struct talk *t, const struct event *e)
{
    struct fit f = t->fit;
    const struct turn *last = t->c.n_turn ? &t->c.turn[t->c.n_turn - 1] : NULL;
    if (!f.summing)
        return;
    t->fit = (struct fit){0};
    bool good = last && last->chosen >= 0 && e->reason != REASON_ERROR &&
                e->reason != REASON_CANCELLED;
    char *summary = good ? reply_join(&last->reply[last->chosen], PART_ANSWER) : NULL;
    char *system = good ? system_with(t->c.system, summary) : NULL;
    if (good && talk_switch(t, NULL)) {
        free(t->c.system);
        t->c.system = mem_dup(system);
        talk_ask_now(t, f.question, f.mode, f.how);
    } else {
        talk_say(t, true, "there is no summary; the question was: %.200s", f.question);
    }
    free(summary);
    free(system);
    fit_release(&f);
}
