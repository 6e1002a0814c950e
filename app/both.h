/* both.h -- one question answered in two modes at once: two strands from one prompt, in two forks
 * of its cache, decoded as one batch: the weights are read once for both. Neither knows of the
 * other; each says what it would say alone. Belongs to the worker. */
#ifndef DUET_APP_BOTH_H
#define DUET_APP_BOTH_H

#include "app/strand.h"

struct both {
    struct strand *first;   /* borrowed: candidate 0 of the turn */
    struct strand second;   /* candidate 1 */
    enum mode_id mode;      /* of the second */
    struct batch *batch;    /* owned, made at the first need and kept */
};

/* The prompt of the first has been read: the second begins there, and both are opened. False: *err,
 * and there is no second. */
bool both_begin(struct both *b, struct strand *first, enum mode_id mode, struct event_list *out,
                struct err *err);

/* One slice: what one of them has not read, or a token for each that runs. False: *err. */
bool both_step(struct both *b, struct event_list *out, struct err *err);
bool both_over(const struct both *b);

/* Ends what still runs, for this reason, and says how both ended. */
void both_end(struct both *b, enum reply_reason reason, struct event_list *out);

/* The session of the second, which is the caller's from here on. */
struct session *both_take(struct both *b);
void both_release(struct both *b);

#endif
