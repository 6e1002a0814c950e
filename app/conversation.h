/* conversation.h -- the messages as text and token ids: the truth. KV cache, rows and screen are
 * derived from it.
 *
 * A conversation is a list of turns; a turn is one question and its answers (siblings), of which
 * one is chosen. Nothing is overwritten: a second answer is one more sibling. Belongs to the UI
 * thread. Growing it never fails (out of memory ends the program, see ui/buf.h).
 *
 * Token ids are kept as they were rendered and read, and never rendered again. They belong to one
 * model (fingerprint); with another model they are dropped and rendered from the text once. */
#ifndef DUET_APP_CONVERSATION_H
#define DUET_APP_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "app/mode.h"
#include "app/setting.h"

/* Ids owned by the holder. Zero-initialise; ids_release(). */
struct ids {
    int32_t *id;  /* [n] */
    int n, cap;
};
void ids_append(struct ids *a, const int32_t *id, int n);
void ids_release(struct ids *a);

/* A stretch of a reply: thinking or answer, by one mode. */
enum part_kind { PART_ANSWER, PART_THINKING };
struct part {
    enum part_kind kind;
    enum mode_id mode;
    char *text;   /* owned, terminated UTF-8 */
    int tokens;   /* generated for it */
    double ms;    /* time it took */
    struct ids doubt; /* of an answer, a pair for each token: its doubt (doubt.h), and how many
                       * bytes of text came with it; none where nothing is known */
};

enum reply_reason {
    REASON_STOP,      /* the model ended it */
    REASON_LENGTH,    /* the budget of the answer */
    REASON_CONTEXT,   /* the context is full */
    REASON_CANCELLED, /* stopped by the person; what was said is kept */
    REASON_ERROR,
    REASON_LOOP,      /* it said the same over and over: see turn_repeats() */
    REASON_COUNT
};
const char *reason_name(enum reply_reason r); /* "stop", "length", ... */

/* Counted by the engine over one turn. */
struct usage {
    int prompt_tokens;    /* ids before the reply */
    int read_tokens;      /* run through the model in this turn, generated ones included */
    int re_read_tokens;   /* of these: the session had held them before */
    int reused_tokens;    /* prompt ids the cache held already */
    int answer_tokens;
    int thinking_tokens;
    int think_capped;     /* 1: the thought reached its hard cap */
    double seconds;
    double first_seconds; /* to the first generated token */
    double tok_s;         /* generated tokens a second; 0 = not measured */
    int losing_tokens;    /* thinking and answers of the candidates that were not chosen */
    uint64_t kv_bytes;    /* of the cache when it was over, other timelines of the turn included */
    int drafted_tokens;   /* looked up and tried, because they might follow */
    int accepted_tokens;  /* of these: those that did */
};

enum candidate_state { CANDIDATE_NONE, CANDIDATE_BEGUN, CANDIDATE_FINISHED, CANDIDATE_STOPPED };

/* How a candidate stands among the others. */
struct candidate_mark {
    enum candidate_state state;
    int from;             /* it revises this candidate's reply; -1 = it begins at the prompt */
    int agree;            /* candidates with its answer, itself included; 0 = it has none */
    bool checked;         /* the choice is by demands: the text says which are not kept */
    int kept, demands;    /* demands of the prompt that it keeps, of so many */
    enum reply_reason reason; /* why it ended, where there is no choice among them: both.h */
    bool capped, empty;
    double logprob;       /* mean over the tokens of its answer */
};

struct made;
struct reply {
    enum mode_id mode;    /* the mode it ended in */
    uint64_t seed;
    enum reply_reason reason;
    struct part *part;    /* [n_part], owned */
    int n_part;
    struct ids ids;       /* tails of the mode, generated ids and the end of the message */
    struct ids thought;   /* pairs from, to: the stretches of ids that folding takes out */
    bool folded;          /* they are out of the context */
    int folded_at;        /* turns that there were when they left it */
    int fold_tokens;      /* read again for that, by attempts that were left too */
    double fold_seconds;
    struct made *made;    /* owned, NULL = not kept: how it was made (made.h) */
    struct usage usage;
    int candidate;        /* its number among the candidates of its answer */
    struct candidate_mark mark; /* how it stood among them; CANDIDATE_NONE: there was no choice */
    char *said;           /* owned, NULL = none: its answer in short, or what it does not keep */
};

struct turn {
    char *question;       /* owned */
    enum mode_id mode;    /* asked in */
    struct ids ids;       /* the rendered question and the header of the reply */
    struct reply *reply;  /* [n_reply], owned */
    int n_reply;
    int chosen;           /* -1 = no answer yet */
    int n_candidates;     /* of the last choice among candidates; 0 = there was none */
    int candidate;        /* that was chosen then */
    char *why;            /* owned, NULL = none: one line */
};

struct conversation {
    char *title;          /* owned; "" = none yet */
    char *system;         /* owned; "" = the template's default */
    char *model;          /* owned; name of the model the ids belong to */
    uint64_t fingerprint; /* of that model; 0 = no ids yet */
    char *parent;         /* owned; id of the session it is a branch of, "" = of none */
    int parent_turns;     /* turns that it took from there */
    enum mode_id mode;    /* answers from now on */
    struct settings settings; /* changed by hand, likewise */
    struct ids begin;     /* the rendered beginning */
    struct turn *turn;    /* [n_turn], owned */
    int n_turn;
    int n_dropped;        /* the first turns that answers do not see any more */
    struct ids kept;      /* what is left of their ids, between the beginning and the other turns */
};

void conversation_init(struct conversation *c);
void conversation_release(struct conversation *c);

/* Adds a turn and returns its number. The first one gives the title: its first line, at most 60
 * characters, cut at a word. */
int conversation_ask(struct conversation *c, const char *question, enum mode_id mode);

/* Adds a sibling to a turn, chooses it and returns it; empty, for the caller to fill. Borrowed
 * until the next call that adds. */
struct reply *conversation_reply(struct conversation *c, int turn);

/* Moves a reply into a turn as its last sibling, chooses it and returns its number; *r is empty. */
int conversation_put(struct conversation *c, int turn, struct reply *r);

/* Moves sibling i out of its turn. Those behind it move up, and the last one is chosen. */
void conversation_pull(struct conversation *c, int turn, int i, struct reply *out);

/* True if the reply has a thought that is in the context and can be folded out of it. */
bool reply_folds(const struct reply *r);

/* Appends the ids that the context holds of a reply; folded: those it holds once it is. */
void reply_context(const struct reply *r, bool folded, struct ids *out);

/* How many ids the context holds of it. */
int reply_context_tokens(const struct reply *r);

/* Ids [from, from + n) of a reply go with its thought. */
void reply_thought(struct reply *r, int from, int n);

/* The answer of a turn was chosen: this one of so many candidates, for this reason. */
void conversation_choice(struct conversation *c, int turn, int of, int candidate, const char *why);

void reply_made(struct reply *r, const struct made *m); /* keeps a copy */

/* Empties a reply that is in no turn. */
void reply_release(struct reply *r);

/* Appends text to the last part of a reply, or begins a part if kind or mode differ. Returns the
 * part, borrowed until the next call on the reply. */
struct part *reply_text(struct reply *r, enum part_kind kind, enum mode_id mode, const char *text,
                size_t bytes);

/* The text of all parts of one kind, malloc'd: the answer without its thinking. */
char *reply_join(const struct reply *r, enum part_kind kind);

/* The answer without the blanks a model likes to begin with, malloc'd. */
char *reply_answer(const struct reply *r);

void conversation_cut(struct conversation *c, int n_turn); /* keeps the first n turns */
void conversation_title(struct conversation *c, const char *title);

/* Leaves the first n_turn turns out of prompts, but for these ids, until a cut goes further
 * back. */
void conversation_drop(struct conversation *c, int n_turn, const int32_t *kept, int n);

/* Makes the ids belong to this model: if they did not, all of them are dropped. */
void conversation_model(struct conversation *c, const char *model, uint64_t fingerprint);

/* ---- the prompt: what a backend gets ------------------------------------------------------- */

enum message_role { MESSAGE_SYSTEM, MESSAGE_USER, MESSAGE_ASSISTANT };

struct message {
    enum message_role role;
    char *text;      /* owned; an assistant's is its answer without thinking */
    struct ids ids;  /* owned; n = 0: not rendered yet */
};

struct prompt {
    struct message *message; /* [n], owned: system, then user, assistant, ..., user */
    int n;
};

/* A copy of everything before the answer to `turn`, which ends it; turns without an answer are
 * left out, as are those that were dropped. turn = -1: the whole conversation with its last
 * answer. */
void conversation_prompt(const struct conversation *c, int turn, struct prompt *out);
void prompt_release(struct prompt *p);

/* The whole conversation as it is once every thought that can be folded is. */
void conversation_folded(const struct conversation *c, struct prompt *out);

/* The first turn from `from` on whose chosen reply can be folded and is in prompts; -1: none. */
int conversation_folds(const struct conversation *c, int from);

/* Keeps the ids a backend rendered for message i of the prompt of that turn. Returns the turn the
 * message belongs to, -1 for the beginning. A message the prompt does not have is ignored. */
int conversation_rendered(struct conversation *c, int turn, int i, const int32_t *id, int n);

#endif
