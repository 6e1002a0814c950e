/* batch.c -- several timelines, one token each in one pass.
 *
 * Each timeline brings its last token, if that is not read yet, as one row of a forward pass: the
 * weights are read once for all rows, attention goes to each row's own cache. A row's arithmetic
 * does not depend on the others, so a timeline gives the same tokens alone or in any company. */
#include <assert.h>
#include <string.h>

#include "engine/mem.h"
#include "engine/timeline.h"

struct batch {
    struct engine *e;               /* borrowed */
    const struct forward_ops *ops;
    struct forward *forward;        /* owned; NULL where rows are not taken */
    int n_max;
    struct forward_row *rows;       /* [n_max] */
    int32_t *ids;                   /* [n_max] */
    struct session **of;            /* [n_max] whose row it is */
    float *logits;                  /* [n_max][n_vocab] */
};

void batch_free(struct batch **batch)
{
    struct batch *b = *batch;
    if (!b)
        return;
    if (b->forward)
        b->ops->destroy(b->forward);
    mem_free(b->rows);
    mem_free(b->ids);
    mem_free(b->of);
    mem_free(b->logits);
    mem_free(b);
    *batch = NULL;
}

bool batch_new(struct batch **out, struct engine *e, int n_max, struct err *err)
{
    assert(n_max >= 1);
    size_t n = (size_t)n_max;
    struct batch *b = mem_alloc(sizeof *b);
    *out = NULL;
    if (!b)
        return err_set(err, ERR_NOMEM, "not enough memory for a batch");
    b->e = e;
    b->ops = e->model.family->forward;
    b->n_max = n_max;
    b->rows = mem_alloc_n(n, sizeof *b->rows);
    b->ids = mem_alloc_n(n, sizeof *b->ids);
    b->of = mem_alloc_n(n, sizeof(void *));
    b->logits = mem_alloc_n(n * (size_t)e->model.n_vocab, sizeof *b->logits);
    bool ok = b->rows && b->ids && b->of && b->logits;
    if (!ok)
        err_set(err, ERR_NOMEM, "not enough memory for a batch of %d", n_max);
    if (ok && b->ops->takes_rows) {
        b->forward = b->ops->create(&e->model, &e->kernels, e->pool, n_max,
                                    e->model.n_ctx_train, err);
        ok = b->forward != NULL;
    }
    if (!ok)
        batch_free(&b);
    *out = b;
    return ok;
}

/* Adds the row of a session that has a token to read. False: *err. */
static bool add_row(struct batch *b, struct session *s, int *n, struct err *err)
{
    if (s->n_read == s->n)
        return true;
    if (!s->cache->ops->reserve(s->cache, s->n_read, s->n, err))
        return false;
    b->rows[*n] = (struct forward_row){ s->cache, s->n_read };
    b->ids[*n] = s->ids[s->n_read];
    b->of[(*n)++] = s;
    return true;
}

/* Reads the rows and gives each session its logits. */
static enum timeline_outcome read_rows(struct batch *b, int n, const atomic_bool *cancel)
{
    size_t n_vocab = (size_t)b->e->model.n_vocab;
    struct forward_call call = { .ids = b->ids, .n = n, .rows = b->rows, .cancel = cancel };
    pool_lock(b->e->pool);
    bool done = b->ops->run(b->forward, &call);
    if (done)
        b->ops->logits(b->forward, 0, n, b->logits);
    pool_unlock(b->e->pool);
    for (int i = 0; i < n; i++) {
        struct session *s = b->of[i];
        if (!done) {
            s->cache->ops->cut(s->cache, s->n_read, NULL);
            continue;
        }
        memcpy(timeline_rows(s, s->n_read, 1), b->logits + (size_t)i * n_vocab,
               n_vocab * sizeof *b->logits);
        timeline_advance(s, &b->ids[i], 1);
    }
    return done ? TIMELINE_DONE : TIMELINE_CANCELLED;
}

/* Makes all have logits. */
static enum timeline_outcome read_all(struct batch *b, struct session *const *s, int n,
                                      struct err *err)
{
    enum timeline_outcome o = TIMELINE_DONE;
    int n_rows = 0;
    for (int i = 0; i < n && o == TIMELINE_DONE; i++) {
        o = timeline_read(s[i], b->forward ? 1 : 0, err);
        if (o == TIMELINE_DONE && !add_row(b, s[i], &n_rows, err))
            o = TIMELINE_FAILED;
    }
    return o == TIMELINE_DONE && n_rows > 0 ? read_rows(b, n_rows, &s[0]->cancel) : o;
}

/* What the timelines of a batch choose from their logits, each for itself. */
struct choice {
    struct session *const *s;
    const struct sampling *how;
    struct session_token *out;
};

static void choose_one(void *data, int i, int thread)
{
    const struct choice *c = data;
    (void)thread;
    c->out[i] = timeline_choose(c->s[i], &c->how[i]);
}

int batch_next(struct batch *b, struct session *const *s, int n, const struct sampling *how,
               struct session_token *out, struct err *err)
{
    assert(n >= 1 && n <= b->n_max);
    for (int i = 0; i < n; i++) {
        assert(s[i]->e == b->e && s[i]->n > 0);
        if (!timeline_has_room(s[i], err))
            return -1;
    }
    enum timeline_outcome o = TIMELINE_CANCELLED;
    if (!atomic_load(&s[0]->cancel))
        o = read_all(b, s, n, err);
    if (o == TIMELINE_CANCELLED)
        atomic_store(&s[0]->cancel, false);
    if (o == TIMELINE_DONE) {
        pool_lock(b->e->pool);
        pool_run(b->e->pool, choose_one, &(struct choice){ s, how, out }, n);
        pool_unlock(b->e->pool);
    }
    return o == TIMELINE_DONE ? n : o == TIMELINE_CANCELLED ? 0 : -1;
}
