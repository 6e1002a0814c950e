/* worker.h -- the one thread that owns the backend: commands in, events out.
 *
 * Everything here is called by the UI thread, which alone owns the conversation. Commands are
 * carried out in order; a resume that has more than a chunk to read is left without an event when
 * another command waits (a turn reads on from there). Where no command comes and no key for a
 * while, the backend's idle work is done, slice by slice. Events are taken all at once; worker_fd()
 * becomes readable when some wait, once for a burst. */
#ifndef DUET_APP_WORKER_H
#define DUET_APP_WORKER_H

#include <stdbool.h>

#include "app/backend.h"

struct worker;

/* Starts the thread, which opens the backend first: EVENT_LOADED or EVENT_FAILED. Takes *b over,
 * also on failure. */
bool worker_start(struct worker **out, struct backend *b, struct err *err);

/* Carries out what waits, except that a running turn or resume is stopped, and ends the thread.
 * Sets *w to NULL; events not taken are dropped. NULL is allowed. */
void worker_stop(struct worker **w);

int worker_fd(const struct worker *w);

/* Moves all waiting events behind *to. */
void worker_events(struct worker *w, struct event_list *to);

/* epoch comes back in every event of the command. */
void worker_turn(struct worker *w, struct turn_request *r, int epoch); /* takes *r over */
void worker_resume(struct worker *w, struct prompt *p, const char *kv, int epoch); /* takes *p */
void worker_cost(struct worker *w, int epoch);
void worker_drop(struct worker *w, int from, int to, int epoch);
void worker_exact(struct worker *w, int from, int to, int epoch);
void worker_fold(struct worker *w, struct prompt *p, int epoch); /* takes *p */
void worker_repro(struct worker *w, struct replay_request *q, int epoch); /* takes *q over */
void worker_save(struct worker *w, const char *kv);

/* A key was pressed: idle work waits until it is quiet again. */
void worker_stir(struct worker *w);

/* A fold that waits or runs is left at once, as it is when another command waits. */
void worker_leave(struct worker *w);

/* Waits until every command was carried out; the events can be taken then. */
void worker_finish(struct worker *w);

/* For the running turn, at once: the mode from the next token on, or the end. */
void worker_mode(struct worker *w, enum mode_id mode);
void worker_cancel(struct worker *w);

#endif
