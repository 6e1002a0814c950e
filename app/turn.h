/* turn.h -- one turn as a state machine: read, think, close the thought, answer, over.
 *
 * Pure: it sees what kind of token came and says what to do next; local.c does it. Budgets are
 * fixed before a thought begins, and the room of the answer is taken first, so that a thought can
 * never leave an answer without room. */
#ifndef DUET_APP_TURN_H
#define DUET_APP_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "app/conversation.h"
#include "app/mode.h"

enum turn_phase { TURN_READ, TURN_THINK, TURN_ANSWER, TURN_OVER };

/* What to do with the token just chosen, or after a change of mode. */
enum turn_step {
    TURN_KEEP,          /* append the token, go on */
    TURN_KEEP_CLOSE,    /* append it, then the end of the thought: its hard cap */
    TURN_DROP_CLOSE,    /* leave it out and append the end of the thought */
    TURN_KEEP_END,      /* append it; the turn is over (reason) */
    TURN_DROP_END,      /* leave it out; the turn is over */
    TURN_OPEN,          /* append the beginning of a thought */
    TURN_SKIP,          /* append what stands for "no thought" */
    TURN_AGAIN,         /* append what opens a thought in the middle of an answer */
    TURN_CLOSE,         /* append the end of the thought: "answer now" */
    TURN_NOTHING,
};

enum turn_token { TURN_TOKEN_TEXT, TURN_TOKEN_THINK_BEGIN, TURN_TOKEN_THINK_END, TURN_TOKEN_END };

struct turn_limits {
    int room;           /* positions left in the context after the prompt */
    int tail_tokens;    /* most ids of one tail (opening or closing a thought) */
    int answer_tokens;  /* most tokens of an answer; 0 = the mode's */
    bool direct;        /* no thought, whatever the mode says */
    const struct mode *rows; /* [MODE_MAX] the modes with what was changed of them, borrowed;
                                NULL = as they are */
};

struct turn_state {
    enum mode_id mode;
    enum turn_phase phase;
    enum reply_reason reason;   /* valid when over */
    struct turn_limits limits;
    int used;           /* positions used of the room: generated and tails */
    int think_cap;      /* thinking tokens allowed, fixed when the thought opens */
    int n_think, n_think_now; /* tokens thought: in all, in the open thought */
    int n_answer, n_answer_now; /* tokens answered: in all, since the last thought */
    bool capped;        /* a thought reached its cap */
};

/* The row of a mode in this turn. */
const struct mode *turn_row(const struct turn_state *t, enum mode_id mode);

/* Begins in TURN_READ. */
void turn_begin(struct turn_state *t, enum mode_id mode, const struct turn_limits *limits);

/* The prompt has been read: TURN_OPEN or TURN_SKIP. A thought that the room does not allow (fewer
 * than 16 tokens beside the answer's) is skipped. */
enum turn_step turn_opened(struct turn_state *t);

/* A token was chosen. A thought that the model opens by itself in its answer is one where the mode
 * thinks and there is room; else it is closed at once. */
enum turn_step turn_token(struct turn_state *t, enum turn_token kind);

/* n ids of a tail were appended. */
void turn_tail(struct turn_state *t, int n);

/* The mode changes now. TURN_CLOSE: a thought is to be closed; TURN_AGAIN: one is to be opened;
 * TURN_NOTHING: only budgets and sampling change. */
enum turn_step turn_mode(struct turn_state *t, enum mode_id mode);

/* A turn that is over goes on with a thought behind its answer: TURN_AGAIN. TURN_NOTHING: there is
 * no room for one, and it stays over. */
enum turn_step turn_again(struct turn_state *t);

/* True if ids[0..n) ends in one stretch of 1 to 48 ids said over and over: at least 4 times and
 * over at least 96 ids. What a small greedy model falls into and never leaves. */
bool turn_repeats(const int32_t *ids, int n);

/* The reply repeats itself: TURN_CLOSE in a thought, else TURN_NOTHING and the turn is over. */
enum turn_step turn_looped(struct turn_state *t);

void turn_over(struct turn_state *t, enum reply_reason reason);

#endif
