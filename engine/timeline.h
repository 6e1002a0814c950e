/* timeline.h -- what is behind a struct session, for session.c and batch.c.
 *
 *   ids   0 .. n_read .. n     in the cache | chosen or waiting to be read again */
#ifndef DUET_ENGINE_TIMELINE_H
#define DUET_ENGINE_TIMELINE_H

#include <stdatomic.h>

#include "engine/forward.h"
#include "engine/loaded.h"
#include "engine/lookup.h"
#include "engine/seen.h"

/* The logits after the positions pos, pos + 1, ... that the last pass with logits left. */
struct logits {
    float *row;                    /* [n_rows][n_vocab] owned */
    int pos, n;                    /* pos + n <= n_read; n = 0: none */
};

struct session {
    struct engine *e;              /* borrowed */
    const struct forward_ops *ops;
    struct forward *forward;       /* owned */
    struct cache *cache;           /* owned */
    int n_ctx, chunk;
    int32_t *ids;                  /* [n_ctx] */
    uint64_t *prefix;              /* [n_ctx + 1] hash of the first i ids read, i <= n_read */
    int n, n_read;
    bool generated;                /* the last tokens came from session_next() */
    int n_fresh;                   /* ids before this position that are not in the cache yet were
                                    * chosen: to run them is to write, not to read again */
    int n_rows;                    /* tokens of a pass with a draft at most; 1: none are drafted */
    struct logits logits;
    float *scratch;                /* [n_vocab] */
    int32_t *order;                /* [n_vocab] scratch */
    struct seen seen;              /* prefixes that were read and cut off */
    struct lookup lookup;          /* of ids; empty where n_rows is 1 */
    atomic_bool cancel;
    struct session_stats stats;
};

enum timeline_outcome { TIMELINE_DONE, TIMELINE_CANCELLED, TIMELINE_FAILED };

/* Reads what waits, but for the last `leave` tokens of it: with leave = 0 the logits after the
 * timeline's end are there then. */
enum timeline_outcome timeline_read(struct session *s, int leave, struct err *err);

/* Takes over n ids that were read at position n_read. */
void timeline_advance(struct session *s, const int32_t *ids, int n);

/* Where the logits after the positions pos to pos + n - 1 are to be written, [n][n_vocab], n at
 * most n_rows. From here on they are known. */
float *timeline_rows(struct session *s, int pos, int n);

/* The last logits that are known: those after the end, if timeline_has_logits(). */
float *timeline_logits(const struct session *s);
bool timeline_has_logits(const struct session *s);

/* Chooses a token by the last logits and appends it. */
struct session_token timeline_choose(struct session *s, const struct sampling *how);

/* True with room for one more token; else *err. */
bool timeline_has_room(const struct session *s, struct err *err);

#endif
