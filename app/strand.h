/* strand.h -- one reply being written: a timeline, the state machine that says what comes next, and
 * what of it is shown. A turn has one, or several beside each other: its candidates.
 *
 * `line` is what the session shall hold: the prompt's ids, then the reply's. Whatever is appended
 * to it (a tail of the mode, a chosen token) is read by the next slice, so a change of mode only
 * ever appends: it re-reads nothing. The state machine (turn.c) says what to append.
 *
 * Belongs to the worker. What happens is added to a list of events. */
#ifndef DUET_APP_STRAND_H
#define DUET_APP_STRAND_H

#include "app/event.h"
#include "app/made.h"
#include "app/turn.h"
#include "engine/engine.h"
#include "ui/buf.h"

enum {
    STRAND_TAIL_MAX = 64,  /* ids of one tail at most */
    STRANDS_MAX = 8,       /* beside each other */
};

struct strand {
    struct engine *engine;      /* borrowed */
    struct session *session;    /* the holder's */
    struct tokens line;         /* owned: the timeline wanted */
    bool progress;              /* a reading that takes several slices is under way */
    int held;             /* ids the cache had before it began to read */
    bool unread;                /* line has ids that session_read() has not seen */
    int candidate;              /* its number in the turn */

    /* the reply */
    struct turn_state turn;
    struct sampling sampling;
    struct session_token ahead[SESSION_NEXT_MAX]; /* chosen, in the session, not in line yet */
    int n_ahead, i_ahead;       /* the next of them is ahead[i_ahead] */
    bool vary;                  /* sample where the mode is greedy */
    enum mode_id began;         /* the mode, and the rest, that it began with */
    bool began_vary, began_direct;
    struct ids change;          /* owned: see struct made */
    char finding[MADE_FINDING_BYTES]; /* what its revision was told; "" = nothing, or none */
    enum made_end end;          /* how the prompt's last id was read, */
    enum made_end end_as;       /* and how it is to be read */
    int n_prompt;               /* ids before the reply */
    int n_reply;                /* ids before the end of the message, once it is ended */
    bool opened;                /* the prompt is read, the reply has begun */
    bool ended;                 /* the message is closed in the timeline */
    struct utf8_hold hold;
    enum part_kind part;
    int32_t shown;              /* the last id of the open part, -1 = none yet */
    bool said;                  /* an answer has more than blanks */
    struct buf answer;          /* owned: since the last thought */
    double logprob;             /* sum over the tokens of that answer */
    int n_logprob;
    double last;                /* when the last token came, or the turn began: clock_seconds() */
};

/* Begins a reply to the ids that line holds. */
void strand_begin(struct strand *s, enum mode_id mode, const struct turn_limits *limits,
                  uint64_t seed, bool vary);

/* Another strand at the end of the same prompt, with a session of its own that is forked from one
 * that holds the prompt at least; strand_begin() follows. strand_release() gives the session back
 * too: it is for such strands alone. False: *err, *to is empty. */
bool strand_spawn(const struct strand *s, const struct session *from, struct strand *to,
                  struct err *err);

/* A copy where the reply stands now, with a session of its own. */
bool strand_fork(const struct strand *s, struct strand *to, struct err *err);
void strand_release(struct strand *s);

/* The seed of candidate k of a turn; candidate 0 has the turn's own. */
uint64_t strand_seed(uint64_t seed, int turn, int k);

/* One slice of reading line. Progress is told only of what takes more than one slice. */
bool strand_read(struct strand *s, struct event_list *out, struct err *err);

/* The prompt has been read: appends what opens the reply. */
bool strand_open(struct strand *s, struct event_list *out, struct err *err);

/* The mode changes here. */
bool strand_mode(struct strand *s, enum mode_id mode, struct event_list *out, struct err *err);

/* Opens a thought behind the answer, which had ended; it begins with what a rule has found of that
 * answer ("6 bullet points, not exactly 4"), "" for nothing. False: there is no room, or *err. */
bool strand_again(struct strand *s, const char *finding, struct event_list *out, struct err *err);

/* The next token of each of n strands, 1 <= n <= STRANDS_MAX; several in one pass by the batch,
 * which one alone does not need. A session may choose tokens ahead; they are told one at a time
 * all the same, so that whatever happens between two tokens happens there. Returns 1, 0: cancelled,
 * -1: *err. */
int strand_next(struct strand *const *s, int n, struct batch *batch, struct session_token *out,
                struct err *err);

/* A token was chosen: appends it or not, shows it, and does what the state machine says. */
bool strand_token(struct strand *s, const struct session_token *t, struct event_list *out,
                  struct err *err);

/* Closes the message in the timeline; its ids are read by the next turn. */
void strand_end(struct strand *s, struct event_list *out);

bool strand_over(const struct strand *s); /* the state machine says so */

/* Mean log-probability of the answer's tokens; minus infinity without any. */
double strand_logprob(const struct strand *s);

/* An event that says where the strand is. */
struct event *strand_event(const struct strand *s, struct event_list *out, enum event_kind kind);

#endif
