/* replay.h -- /repro, the worker's side: one reply is made again from how it was made (made.h), on
 * a fork of the cache, or on a new one where that cannot be shared, and compared id by id. Neither
 * the conversation nor its cache changes. A candidate is made without its company, which it does
 * not depend on.
 *
 * Belongs to the worker. */
#ifndef DUET_APP_REPLAY_H
#define DUET_APP_REPLAY_H

#include "app/made.h"
#include "app/strand.h"

/* What is to be made again. */
struct replay_request {
    struct prompt prompt;  /* owned, with all ids */
    struct ids want;       /* owned: the reply's */
    bool ends;             /* the reply came to its end: what closes the message is compared too */
    struct made *made;     /* owned */
};
void replay_request_release(struct replay_request *q);

/* Zero-initialise; replay_end() gives back what it holds. */
struct replay {
    struct strand strand;
    struct ids want;
    struct made *made;
    struct mode rows[MODE_MAX];
    int at;                /* ids of the reply that are the same so far, */
    int written;           /* and those of them that were chosen, as a reply counts its tokens */
    int change;            /* of made->change, the next */
    int re_read;           /* ids of the prompt that had to be read again */
    bool differs;
};

/* Begins, with what it takes out of *q. line: the prompt's ids, copied. use: a session that may
 * hold them, forked if it can be. */
bool replay_begin(struct replay *r, struct engine *e, const struct session *use,
                  const struct tokens *line, struct replay_request *q, struct err *err);

/* One slice: a chunk of reading or a token. False: it is over, or *err, which is "" else. */
bool replay_step(struct replay *r, struct err *err);

int replay_done(const struct replay *r); /* ids read and made so far */

/* Appends the first token that differs: then "a", now "b". Nothing if none does. */
void replay_describe(const struct replay *r, struct buf *out);
void replay_end(struct replay *r);

#endif
