/* aside.h -- folding, the worker's side: the timeline without the thoughts of its finished turns is
 * made beside the one in use, by reading again what stood behind the first of them. So a person
 * who goes on before it is done loses nothing, and what was read serves the next attempt.
 *
 * A cache that cannot be forked is cut, and read on from there, where it is: what is left then is
 * read by the next turn. */
#ifndef DUET_APP_ASIDE_H
#define DUET_APP_ASIDE_H

#include <stdatomic.h>

#include "engine/engine.h"

/* Zero-initialise. */
struct aside {
    _Atomic(struct session *) session; /* owned; NULL until the first fold; the handle stays */
    struct tokens line;     /* owned: the timeline wanted */
    struct session *reads;  /* the one that reads it: this one, or the one in use */
    atomic_bool left;       /* go back to what waits */
    uint64_t read_before;   /* counter when it began */
    double started;
    int n;                  /* ids of line that are held */
};

/* Begins to make line, of which `use`, the session in use, may hold the beginning. */
void aside_begin(struct aside *a, struct session *use);

/* Reads a slice; true: there is more to do. False: all is held, or it was left, or *err, which is
 * "" else. */
bool aside_step(struct aside *a, struct err *err);

/* What it made is in use from here on. True: it is, and the next turn may have to read its end. */
bool aside_take(struct aside *a, struct session *use);

/* From any thread: leave it, within a layer's time; false: not any more. */
void aside_leave(struct aside *a, bool on);

/* Gives back what it holds where that is less than half of ids[0..n). */
void aside_forget(struct aside *a, const int32_t *ids, int n);

int aside_read(const struct aside *a); /* tokens read since it began */
void aside_release(struct aside *a);

#endif
