/* backend.h -- the seam: whatever produces a turn. local.c drives our engine.
 *
 * One backend belongs to one thread, the worker; mode() and cancel() alone may be called from
 * another. Work comes in slices: step() does at most one (a chunk of reading, a token or a few) and
 * adds what happened to a list. */
#ifndef DUET_APP_BACKEND_H
#define DUET_APP_BACKEND_H

#include <stdbool.h>

#include "app/event.h"
#include "app/options.h"

struct backend;
struct replay_request;

struct turn_request {
    struct prompt prompt;   /* owned */
    enum mode_id mode;
    struct mode *rows;      /* [MODE_MAX] with changes, owned; NULL = as they are */
    int turn;               /* its number in the conversation */
    uint64_t seed;
    bool both;              /* answer in mode and in `other` at once: candidates 0 and 1 */
    enum mode_id other;
    bool vary;              /* another answer is wanted: sample where the mode is greedy */
    int max_tokens;         /* 0 = the mode's */
    bool tight;             /* answer in what room there is */
};

void turn_request_release(struct turn_request *r);

struct backend_ops {
    /* Makes it ready: loads the model. Slow. Adds EVENT_LOADED, or fails. */
    bool (*open)(struct backend *b, struct event_list *out, struct err *err);

    /* Begins a turn; takes *r over, also on failure. step() follows until it returns false. Where
     * the context has not much room left for the answer, EVENT_FULL comes and nothing else. */
    bool (*start)(struct backend *b, struct turn_request *r, struct event_list *out,
                  struct err *err);

    /* Begins to take a conversation back: from the file kv if that holds it, else by reading its
     * ids. Takes *p over. kv may be NULL. step() follows; it may be left at any time. */
    void (*resume)(struct backend *b, struct prompt *p, const char *kv, struct event_list *out);

    /* One slice. False: the turn or the resume is over (its last event was added). */
    bool (*step)(struct backend *b, struct event_list *out);

    /* From any thread: the mode from the next token on; on = true stops at the next layer. Both
     * are set before start() or resume() too (mode(r->mode), cancel(false)), so that a word from
     * the UI which comes between the two is not lost. */
    void (*mode)(struct backend *b, enum mode_id mode);
    void (*cancel)(struct backend *b, bool on);

    /* While idle: one slice of what can be done then, or left undone at any time. False: there is
     * nothing (more) to do. */
    bool (*idle)(struct backend *b, struct event_list *out);

    /* While idle: adds EVENT_COST: what the next turn will read again of that which the last
     * one left in the cache. */
    void (*cost)(struct backend *b, struct event_list *out);

    /* While idle: takes ids [from, to) of the last prompt out of the cache, or the first few fewer
     * that have to stay. Adds EVENT_DROPPED. */
    void (*drop)(struct backend *b, int from, int to, struct event_list *out);

    /* While idle: begins to read ids [from, to) of the last prompt again, to hold them exactly.
     * step() follows; EVENT_EXACT is its last event, and comes with other tasks too. */
    void (*exact)(struct backend *b, int from, int to);

    /* While idle: begins to make the timeline that of this prompt, by reading again what stands
     * behind the first difference; takes *p over. step() follows and adds EVENT_FOLDED at the end.
     * From any thread: leave(true) ends it early, with all as it was; leave(false) before it. */
    void (*fold)(struct backend *b, struct prompt *p, struct event_list *out);
    void (*leave)(struct backend *b, bool on);

    /* While idle: begins to make a reply again, see replay.h; takes *q over. step() follows and
     * adds EVENT_REPRO at the end. */
    void (*repro)(struct backend *b, struct replay_request *q, struct event_list *out);

    /* Writes what makes the next resume instant. Adds EVENT_SAVED. */
    void (*save)(struct backend *b, const char *kv, struct event_list *out);

    void (*close)(struct backend **b);
};

struct backend {
    const struct backend_ops *ops;
};

/* Our engine on a GGUF file. The strings live as long as the backend; nothing is opened yet. */
struct backend *local_new(const char *model, const struct options *o);

#endif
