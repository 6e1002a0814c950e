/* turn.c -- see turn.h.
 *
 * Room, from left to right: what was used, the thought with its closing tail, the answer. An
 * answer gets its mode's tokens or half of the room, whichever is less; a thought gets what its
 * mode allows or what then remains. */
#include "app/turn.h"

#include <assert.h>
#include <string.h>

enum {
    THOUGHT_MIN = 16,   /* for want of room; a shorter thought is not worth its two tails */
    PERIOD_MAX = 48,    /* of a reply that repeats itself, in ids */
    PERIODS_MIN = 4,
    REPEATED_MIN = 96,
};

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

const struct mode *turn_row(const struct turn_state *t, enum mode_id mode)
{
    return t->limits.rows ? &t->limits.rows[mode] : mode_get(mode);
}

static int answer_tokens(const struct turn_state *t)
{
    int mode = turn_row(t, t->mode)->answer_tokens;
    return t->limits.answer_tokens > 0 ? t->limits.answer_tokens : mode;
}

/* Tokens a thought may take if it opens now: may_think() says whether they are enough. */
static int thought_room(const struct turn_state *t)
{
    int left = t->limits.room - t->used;
    int answer = at_most(answer_tokens(t), left / 2);
    return at_most(turn_row(t, t->mode)->think_tokens, left - answer - 2 * t->limits.tail_tokens);
}

static bool may_think(const struct turn_state *t)
{
    return turn_row(t, t->mode)->think != MODE_THINK_NONE && !t->limits.direct &&
           thought_room(t) >= at_most(THOUGHT_MIN, turn_row(t, t->mode)->think_tokens);
}

static void open_thought(struct turn_state *t)
{
    t->phase = TURN_THINK;
    t->think_cap = thought_room(t);
    t->n_think_now = 0;
}

static void open_answer(struct turn_state *t)
{
    t->phase = TURN_ANSWER;
    t->n_answer_now = 0;
}

void turn_begin(struct turn_state *t, enum mode_id mode, const struct turn_limits *limits)
{
    memset(t, 0, sizeof *t);
    t->mode = mode;
    t->limits = *limits;
}

enum turn_step turn_opened(struct turn_state *t)
{
    assert(t->phase == TURN_READ);
    if (may_think(t)) {
        open_thought(t);
        return TURN_OPEN;
    }
    open_answer(t);
    return TURN_SKIP;
}

void turn_over(struct turn_state *t, enum reply_reason reason)
{
    t->phase = TURN_OVER;
    t->reason = reason;
}

void turn_tail(struct turn_state *t, int n)
{
    t->used += n;
}

static enum turn_step thought_token(struct turn_state *t, enum turn_token kind)
{
    if (kind == TURN_TOKEN_END) { /* a model without markers ends its thought like an answer */
        open_answer(t);
        return TURN_DROP_CLOSE;
    }
    t->used++;
    t->n_think++;
    t->n_think_now++;
    if (kind == TURN_TOKEN_THINK_END) {
        open_answer(t);
        return TURN_KEEP;
    }
    if (t->n_think_now < t->think_cap)
        return TURN_KEEP;
    t->capped = true;
    open_answer(t);
    return TURN_KEEP_CLOSE;
}

static enum turn_step answer_token(struct turn_state *t, enum turn_token kind)
{
    if (kind == TURN_TOKEN_END) {
        turn_over(t, REASON_STOP);
        return TURN_DROP_END;
    }
    t->used++;
    if (kind == TURN_TOKEN_THINK_BEGIN && may_think(t)) {
        open_thought(t);
        t->n_think++;
        t->n_think_now++;
        return TURN_KEEP;
    }
    t->n_answer++;
    t->n_answer_now++;
    if (t->n_answer_now >= answer_tokens(t)) {
        turn_over(t, REASON_LENGTH);
        return TURN_KEEP_END;
    }
    if (t->used >= t->limits.room) {
        turn_over(t, REASON_CONTEXT);
        return TURN_KEEP_END;
    }
    bool opens = kind == TURN_TOKEN_THINK_BEGIN && t->used + t->limits.tail_tokens < t->limits.room;
    return opens ? TURN_KEEP_CLOSE : TURN_KEEP;
}

enum turn_step turn_token(struct turn_state *t, enum turn_token kind)
{
    assert(t->phase == TURN_THINK || t->phase == TURN_ANSWER);
    return t->phase == TURN_THINK ? thought_token(t, kind) : answer_token(t, kind);
}

enum turn_step turn_mode(struct turn_state *t, enum mode_id mode)
{
    t->mode = mode;
    bool thinks = turn_row(t, mode)->think != MODE_THINK_NONE;
    if (t->phase == TURN_THINK && !thinks) {
        open_answer(t);
        return TURN_CLOSE;
    }
    if (t->phase == TURN_THINK) { /* the larger or smaller budget holds for the open thought */
        t->think_cap = t->n_think_now + thought_room(t);
        int cap = turn_row(t, mode)->think_tokens;
        t->think_cap = at_most(t->think_cap, cap > t->n_think_now ? cap : t->n_think_now + 1);
        return TURN_NOTHING;
    }
    if (t->phase == TURN_ANSWER && thinks && may_think(t)) {
        open_thought(t);
        return TURN_AGAIN;
    }
    return TURN_NOTHING;
}

enum turn_step turn_again(struct turn_state *t)
{
    assert(t->phase == TURN_OVER);
    if (!may_think(t))
        return TURN_NOTHING;
    open_thought(t);
    return TURN_AGAIN;
}

bool turn_repeats(const int32_t *ids, int n)
{
    for (int period = 1; period <= PERIOD_MAX; period++) {
        int need = PERIODS_MIN * period > REPEATED_MIN ? PERIODS_MIN * period : REPEATED_MIN;
        int same = period;
        while (same < need && same < n && ids[n - 1 - same] == ids[n - 1 - same + period])
            same++;
        if (same == need)
            return true;
    }
    return false;
}

enum turn_step turn_looped(struct turn_state *t)
{
    assert(t->phase == TURN_THINK || t->phase == TURN_ANSWER);
    if (t->phase == TURN_ANSWER) {
        turn_over(t, REASON_LOOP);
        return TURN_NOTHING;
    }
    t->capped = true;
    open_answer(t);
    return TURN_CLOSE;
}
