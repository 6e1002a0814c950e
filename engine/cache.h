/* cache.h -- what a session keeps of the tokens it has read: the interface that every kind of
 * network implements beside its forward pass (forward.h).
 *
 * A cache holds the positions [0, n) of one timeline; the session knows n. A cache that can be cut
 * at any position has its borders everywhere. One that cannot has them where it was marked and the
 * mark was kept, and at the last few positions; 0 is always one. */
#ifndef DUET_ENGINE_CACHE_H
#define DUET_ENGINE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/err.h"

#define CACHE_PASS_MAX 512   /* tokens of one timeline in a pass of the network */

struct model;
struct kv_file;

/* The first member of each kind of cache. */
struct cache {
    const struct cache_ops *ops;
    int shift;   /* position i is turned as i + shift: tokens were taken out of the middle */
};

struct cache_opts {
    int n_ctx;            /* positions at most */
    int chunk;            /* positions that one reserve() adds at most */
    enum kv_type type;    /* of the rows */
};

struct cache_ops {
    /* Bytes of a full cache. */
    uint64_t (*bytes)(const struct model *m, const struct cache_opts *o);

    struct cache *(*create)(const struct model *m, const struct cache_opts *o, struct err *err);
    void (*destroy)(struct cache *c);  /* NULL is allowed */

    /* Makes positions [from, to) writable, from being the end; [0, from) is kept, and from stays a
     * border. On failure nothing has changed but that memory may have been taken. */
    bool (*reserve)(struct cache *c, int from, int to, struct err *err);

    /* The last border at or before n, which is not behind the end. *logits: the cache would give
     * the logits after the last token before it back. */
    int (*border)(const struct cache *c, int n, bool *logits);

    /* Cuts at a border n. Returns true if it wrote logits [n_vocab]; NULL: they are not wanted. */
    bool (*cut)(struct cache *c, int n, float *logits);

    /* Makes the end, n > 0, a border if it can. logits [n_vocab] after the last token, or NULL. */
    void (*mark)(struct cache *c, int n, const float *logits);

    /* A second cache with the first n positions, n being the end. NULL in the table: this kind
     * cannot. NULL returned: *err. */
    struct cache *(*fork)(const struct cache *c, struct err *err);

    /* Takes the positions [from, to) out of the n there are, 0 <= from < to < n; what stands
     * behind moves up and is not changed. from is one that drop_from() gives: the first at or
     * behind a wish from where that can be done, -1 = none. NULL in the table: this kind cannot.
     * On failure nothing has changed but that memory may have been taken. */
    int (*drop_from)(const struct cache *c, int from, int to);
    bool (*drop)(struct cache *c, int from, int to, int n, struct err *err);

    /* Bytes in use now. */
    uint64_t (*used)(const struct cache *c);

    /* See session_save() and session_load(). f->n_read positions are written; loading is into an
     * empty cache and leaves it empty on failure. */
    bool (*save)(struct cache *c, const char *path, const struct kv_file *f, struct err *err);
    bool (*load)(struct cache *c, const char *path, struct kv_file *f, struct err *err);

    bool any_border;  /* at every position: to cut off what was read too much costs nothing */

    /* The rest may be NULL in the table: this kind has one form only. */

    /* How many tokens a pass from here may read at most. */
    int (*pass)(const struct cache *c, int from);

    /* See session_set_far(), _set_index(), _set_rows() and session_stats(); n is the end. */
    bool (*set_far)(struct cache *c, const struct far_opts *o, int n, int n_threads,
                    struct err *err);
    void (*set_index)(struct cache *c, bool on);
    void (*set_rows)(struct cache *c, int n);
    void (*far_stats)(const struct cache *c, int n, struct far_stats *out);
    uint64_t (*resident)(const struct cache *c);   /* see session_resident() */

    /* See session_read_exact(); n is the end. begin: passes over the positions [*from, *to), which
     * has pos in it, are about to write exact rows; what was there is kept aside. end: one of the
     * two goes. Nothing else is called between them. */
    bool (*exact_begin)(struct cache *c, int pos, int n, int *from, int *to, struct err *err);
    void (*exact_end)(struct cache *c, int from, bool keep);
    int (*exact)(const struct cache *c, int from, int n, bool *exact);
};

#endif
