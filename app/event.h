/* event.h -- what may cross the border between the UI thread and the worker.
 *
 * An event is made by a backend, moved into the worker's queue, taken whole by the UI thread and
 * freed there. Nothing in it is shared. */
#ifndef DUET_APP_EVENT_H
#define DUET_APP_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "app/conversation.h"
#include "app/gate.h"
#include "app/made.h"
#include "engine/engine.h"
#include "engine/err.h"
#include "ui/buf.h"

/* What a backend says of itself once it is open. */
struct backend_info {
    char name[80];        /* of the model */
    char kind[32];        /* "llama", "chatml" ...: architecture and template for /ctx */
    char template_name[32];
    char kernels[32];
    uint64_t fingerprint;
    int n_ctx;
    int n_threads;
    bool drops;           /* turns can leave its cache without reading anything again */
    uint64_t weight_bytes;
};

enum event_kind {
    EVENT_LOADED,    /* info */
    EVENT_RENDERED,  /* index = message of the prompt, ids: rendered for the first time */
    EVENT_PROGRESS,  /* done, total: prompt ids held by the cache; index = before any was read */
    EVENT_TOKENS,    /* part, mode, text (maybe empty), ids (maybe none), tokens generated */
    EVENT_CANDIDATE, /* candidate, mark, usage.think_capped; text = its answer in short, or the
                      * demands not kept */
    EVENT_CHOSEN,    /* candidate is the reply, of total; text = why */
    EVENT_MODE,      /* mode is in force from here; re_read = tokens read again because of that */
    EVENT_COST,      /* a change of mode while idle: re_read = what the next turn will */
    EVENT_RESUMED,   /* done = tokens back, re_read, seconds; text = why the cache was not used */
    EVENT_FULL,      /* no turn: done = ids of its prompt, total = the context, tokens wanted */
    EVENT_DROPPED,   /* ids [done, total) left, ids are the first that stayed; re_read will be */
    EVENT_EXACT,     /* ids: pairs of positions, what is held exactly although the tier is none
                      * of that; done tokens were read again for it, total wanted (0: nobody asked),
                      * seconds; text = why not all of them */
    EVENT_GATE,      /* gate was measured; text = what changes by it, or "" */
    EVENT_FOLDED,    /* done = ids of thoughts that left, 0 = none: it was left; re_read for it,
                      * seconds; text = the error */
    EVENT_FIRST,     /* an answer begins without a thought: text = the likeliest first token,
                      * whether or not it was chosen; probability */
    EVENT_MADE,      /* made: how the reply of this candidate was, which has ended */
    EVENT_REPRO,     /* of a reply that was made again, the first done tokens are the same; text =
                      * what differs behind them, "": nothing; re_read, seconds; reason: it was
                      * stopped, or failed, text = the error */
    EVENT_SAVED,     /* text = "" or why not */
    EVENT_NOTE,      /* text: one line the person must see */
    EVENT_DONE,      /* reason, usage; text = the error of REASON_ERROR */
    EVENT_FAILED,    /* text, code: the backend could not be opened; nothing follows */
};

struct event {
    struct event *next;
    enum event_kind kind;
    int epoch;            /* of the command it belongs to */
    int candidate;        /* of the turn; 0 is the one shown as it grows */
    struct candidate_mark mark;
    enum part_kind part;
    enum mode_id mode;
    struct buf text;
    struct ids ids;
    bool folds;           /* they leave the context when the turn is folded */
    struct ids doubt;     /* of the tokens of an answer: see struct part */
    int index, done, total, tokens, re_read;
    double seconds, probability;
    enum reply_reason reason;
    enum err_code code;
    struct usage usage;
    struct made *made;    /* owned */
    struct gate_report gate;
    struct backend_info info;
    int ctx_used;         /* in every event of a turn: ids of the timeline now */
    uint64_t kv_bytes;    /* and bytes of its cache; of each candidate's */
    struct far_stats far; /* how these are held and read */
};

/* Appends what an EVENT_TOKENS tells to a reply. Returns the part it went to, NULL = ids alone. */
struct part *reply_take(struct reply *r, const struct event *e);

/* A queue, first in first out. Zero-initialise. */
struct event_list {
    struct event *head, *tail;
};

/* Adds a fresh event and returns it, to be filled. */
struct event *event_add(struct event_list *l, enum event_kind kind);

/* Moves all of `from` behind `to`. Bursts of tokens and progress become one event. */
void event_move(struct event_list *to, struct event_list *from);

/* Takes the first event out; NULL if there is none. Free with event_free(). */
struct event *event_take(struct event_list *l);
void event_free(struct event **e);
void event_clear(struct event_list *l);

#endif
