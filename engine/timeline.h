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

struct session {
    struct engine *e;              /* borrowed */
    const struct forward_ops *ops;
    struct forward *forward;       /* owned */
    struct cache *cache;           /* owned */
    int n_ctx, chunk;
    int32_t *ids;                  /* [n_ctx] */
    uint64_t *prefix;              /* [n_ctx + 1] hash of the first i ids read, i <= n_read */
    int n, n_read;
    bool has_logits;               /* of position n_read - 1 */
    bool generated;                /* the last tokens came from session_next() */
    float *rows;                   /* [n_rows][n_vocab] logits of a pass's last tokens, owned */
    int n_rows;                    /* tokens of a pass with a draft at most; 1: none are drafted */
    float *logits;                 /* [n_vocab] one of the rows: after position n_read - 1 */
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

/* Takes over n ids that were read at position n_read; logits: those after the last are there. */
void timeline_advance(struct session *s, const int32_t *ids, int n, bool logits);

/* Chooses a token by the logits and appends it. */
struct session_token timeline_choose(struct session *s, const struct sampling *how);

/* True with room for one more token; else *err. */
bool timeline_has_room(const struct session *s, struct err *err);

#endif
