/* session.c -- one timeline: what it holds, what must be read, what comes next.
 *
 *   ids   0 .. n_read .. n        n - n_read <= 1 after session_next(): the last token chosen is
 *         |in cache |chosen       read by the call after, so that a reply may stop for nothing
 *
 * A call changes ids, n and n_read together and only after the forward pass has succeeded, so a
 * cancelled or failed call leaves the timeline as it was.
 *
 * Where what was read too much can be cut off, a pass also reads ids that may come next (lookup.h);
 * those that are not chosen then are cut off, and all is as if the tokens had come one by one.
 *
 * Where a cache cannot be cut at any position (cache.h), a cut keeps what lies before the last
 * border in it, and more than one token may then be waiting to be read again. Borders are asked for
 * where a chat comes back to: at the end of each prefix that was read (a retry, another mode), at
 * the end of each generated stretch (taking the next turn back), and every MARK_TOKENS. */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "engine/kv_file.h"
#include "engine/mem.h"
#include "engine/sampler.h"
#include "engine/timeline.h"

#define CHUNK_DEFAULT 64
#define CHUNK_MAX     CACHE_PASS_MAX
#define MARK_TOKENS   512

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Where a pass unpacks all weights it has many tokens, but not so many that it takes seconds: what
 * a pass has done is lost when it is stopped. */
static int chunk_of_tiles(const struct engine *e)
{
    uint64_t n = ((uint64_t)1 << 39) / (e->info.weight_bytes + 1) / CHUNK_DEFAULT * CHUNK_DEFAULT;
    return n > CHUNK_MAX ? CHUNK_MAX : n < CHUNK_DEFAULT ? CHUNK_DEFAULT : (int)n;
}

/* Defaults filled in. */
static struct session_opts complete(const struct engine *e, const struct session_opts *opts)
{
    struct session_opts o = opts ? *opts : (struct session_opts){0};
    if (o.n_ctx == 0)
        o.n_ctx = e->model.n_ctx_train;
    if (o.chunk == 0)
        o.chunk = e->kernels.pack_bf16 ? chunk_of_tiles(e) : CHUNK_DEFAULT;
    return o;
}

/* Logits that one pass may ask for. */
static int rows_of(const struct engine *e, int chunk)
{
    if (!e->model.family->forward->cache->any_border)
        return 1;
    return chunk < LOOKUP_PASS ? chunk : LOOKUP_PASS;
}

uint64_t session_bytes(const struct engine *e, const struct session_opts *opts)
{
    struct session_opts o = complete(e, opts);
    const struct forward_ops *ops = e->model.family->forward;
    struct cache_opts co = { o.n_ctx, o.chunk, o.kv };
    uint64_t n_ctx = (uint64_t)o.n_ctx;
    return sizeof(struct session) + ops->cache->bytes(&e->model, &co) + n_ctx * sizeof(int32_t) +
           (n_ctx + 1) * sizeof(uint64_t) + lookup_bytes(o.n_ctx) +
           (uint64_t)e->model.n_vocab *
               ((uint64_t)(rows_of(e, o.chunk) + 1) * sizeof(float) + sizeof(int32_t)) +
           ops->bytes(&e->model, o.chunk, o.n_ctx, e->info.n_threads);
}

static bool check_opts(const struct engine *e, const struct session_opts *o, struct err *err)
{
    if (o->n_ctx < 1 || o->n_ctx > e->model.n_ctx_train)
        return err_set(err, ERR_INPUT, "a context of %d tokens; the model allows 1 to %d",
                       o->n_ctx, e->model.n_ctx_train);
    if (o->chunk < 1 || o->chunk > CHUNK_MAX)
        return err_set(err, ERR_INPUT, "a chunk of %d tokens; allowed are 1 to %d", o->chunk,
                       CHUNK_MAX);
    return true;
}

/* All but the cache. */
static bool take_memory(struct session *s, struct err *err)
{
    const struct model *m = &s->e->model;
    size_t n_vocab = (size_t)m->n_vocab, n_ctx = (size_t)s->n_ctx;
    s->ids = mem_alloc_n(n_ctx, sizeof *s->ids);
    s->prefix = mem_alloc_n(n_ctx + 1, sizeof *s->prefix);
    s->n_rows = rows_of(s->e, s->chunk);
    s->logits.row = mem_alloc_n((size_t)s->n_rows * n_vocab, sizeof *s->logits.row);
    s->scratch = mem_alloc_n(n_vocab, sizeof *s->scratch);
    s->order = mem_alloc_n(n_vocab, sizeof *s->order);
    if (!s->ids || !s->prefix || !s->logits.row || !s->scratch || !s->order ||
        !lookup_init(&s->lookup, s->n_ctx))
        return err_set(err, ERR_NOMEM, "not enough memory for a context of %d tokens", s->n_ctx);
    s->forward = s->ops->create(m, &s->e->kernels, s->e->pool, s->chunk, s->n_ctx, err);
    return s->forward != NULL;
}

/* A session without its cache; NULL: *err. */
static struct session *make(struct engine *e, int n_ctx, int chunk, struct err *err)
{
    struct session *s = mem_alloc(sizeof *s);
    if (!s) {
        err_set(err, ERR_NOMEM, "not enough memory for a session");
        return NULL;
    }
    s->e = e;
    s->ops = e->model.family->forward;
    s->n_ctx = n_ctx;
    s->chunk = chunk;
    if (!take_memory(s, err))
        session_free(&s);
    return s;
}

bool session_new(struct session **out, struct engine *e, const struct session_opts *opts,
                 struct err *err)
{
    struct session_opts o = complete(e, opts);
    *out = NULL;
    if (!check_opts(e, &o, err))
        return false;
    struct session *s = make(e, o.n_ctx, o.chunk, err);
    if (!s)
        return false;
    struct cache_opts co = { o.n_ctx, o.chunk, o.kv };
    s->cache = s->ops->cache->create(&e->model, &co, err);
    if (!s->cache || (o.far.tier != KV_TIER_EXACT && !session_set_far(s, &o.far, err)))
        session_free(&s);
    *out = s;
    return s != NULL;
}

bool session_fork(const struct session *s, struct session **out, struct err *err)
{
    *out = NULL;
    if (!s->ops->cache->fork)
        return err_set(err, ERR_UNSUPPORTED, "the cache of %s cannot be shared by two timelines",
                       s->e->info.arch);
    struct session *to = make(s->e, s->n_ctx, s->chunk, err);
    if (!to)
        return false;
    to->cache = s->ops->cache->fork(s->cache, err);
    if (!to->cache) {
        session_free(&to);
        return false;
    }
    memcpy(to->ids, s->ids, (size_t)s->n * sizeof *s->ids);
    memcpy(to->prefix, s->prefix, ((size_t)s->n_read + 1) * sizeof *s->prefix);
    to->n = s->n;
    to->n_read = s->n_read;
    to->generated = s->generated;
    to->n_fresh = s->n_fresh;
    if (timeline_has_logits(s))
        memcpy(timeline_rows(to, s->n_read - 1, 1), timeline_logits(s),
               (size_t)s->e->model.n_vocab * sizeof *s->logits.row);
    *out = to;
    return true;
}

/* What a holds and b does not is lost to a. */
static void remember(struct session *a, const struct session *b)
{
    int i = 0;
    while (i < a->n_read && i < b->n_read && a->prefix[i + 1] == b->prefix[i + 1])
        i++;
    for (; i < a->n_read; i++)
        seen_add(&a->seen, a->prefix[i + 1]);
}

static void exchange(void *a, void *b, size_t bytes)
{
    unsigned char old[sizeof(struct lookup)];
    assert(bytes <= sizeof old);
    memcpy(old, a, bytes);
    memcpy(a, b, bytes);
    memcpy(b, old, bytes);
}

/* Field by field: a copy of the whole would read the flag that another thread may be setting. */
void session_swap(struct session *a, struct session *b)
{
    assert(a->e == b->e && a->n_ctx == b->n_ctx && a->chunk == b->chunk);
    remember(a, b);
    remember(b, a);
    exchange(&a->cache, &b->cache, sizeof a->cache);
    exchange(&a->ids, &b->ids, sizeof a->ids);
    exchange(&a->prefix, &b->prefix, sizeof a->prefix);
    exchange(&a->n, &b->n, sizeof a->n);
    exchange(&a->n_read, &b->n_read, sizeof a->n_read);
    exchange(&a->generated, &b->generated, sizeof a->generated);
    exchange(&a->n_fresh, &b->n_fresh, sizeof a->n_fresh);
    exchange(&a->logits, &b->logits, sizeof a->logits);
    exchange(&a->lookup, &b->lookup, sizeof a->lookup);
}

void session_free(struct session **session)
{
    struct session *s = *session;
    if (!s)
        return;
    s->ops->destroy(s->forward);
    s->ops->cache->destroy(s->cache); /* NULL is allowed */
    seen_release(&s->seen);
    lookup_release(&s->lookup);
    mem_free(s->ids);
    mem_free(s->prefix);
    mem_free(s->logits.row);
    mem_free(s->scratch);
    mem_free(s->order);
    mem_free(s);
    *session = NULL;
}

/* ---- the timeline -------------------------------------------------------------------------- */

/* How many of ids[0..n) the timeline begins with. */
static int common(const struct session *s, const int32_t *ids, int n)
{
    int i = 0;
    while (i < n && i < s->n && s->ids[i] == ids[i])
        i++;
    return i;
}

float *timeline_rows(struct session *s, int pos, int n)
{
    assert(n >= 1 && n <= s->n_rows);
    s->logits.pos = pos;
    s->logits.n = n;
    return s->logits.row;
}

float *timeline_logits(const struct session *s)
{
    size_t i = s->logits.n > 0 ? (size_t)s->logits.n - 1 : 0;
    return s->logits.row + i * (size_t)s->e->model.n_vocab;
}

/* True if the logits after the first n tokens are known. */
static bool knows(const struct session *s, int n)
{
    return n > s->logits.pos && n <= s->logits.pos + s->logits.n;
}

bool timeline_has_logits(const struct session *s)
{
    return knows(s, s->n_read);
}

/* Where a cut to n leaves the cache; *logits: with logits after it. */
static int border(const struct session *s, int n, bool *logits)
{
    int at = s->n_read;
    *logits = false;
    if (n < at)
        at = s->cache->ops->border(s->cache, n, logits);
    *logits = *logits || knows(s, at);
    return at;
}

/* Cuts the cache back so that it holds nothing from position n on, and remembers what was there. */
static void unread(struct session *s, int n)
{
    bool logits;
    int at = border(s, n, &logits);
    if (at == s->n_read)
        return;
    for (int i = at; i < s->n_read; i++)
        seen_add(&s->seen, s->prefix[i + 1]);
    int known = at - s->logits.pos;
    s->logits.n = known < 0 ? 0 : known < s->logits.n ? known : s->logits.n;
    if (s->cache->ops->cut(s->cache, at, s->logits.row))
        timeline_rows(s, at - 1, 1);
    s->n_read = at;
    s->generated = false;
    s->n_fresh = 0;
}

static void mark(struct session *s)
{
    s->cache->ops->mark(s->cache, s->n_read, timeline_has_logits(s) ? timeline_logits(s) : NULL);
}

void session_cut(struct session *s, int n)
{
    assert(n >= 0 && n <= s->n);
    unread(s, n);
    lookup_cut(&s->lookup, s->ids, n);
    s->n = n;
    s->n_fresh = s->n_fresh < n ? s->n_fresh : n;
}

/* After the tokens [from, to) are gone from the cache. Of the logits the last are kept. */
static void close_gap(struct session *s, int from, int to)
{
    bool logits = timeline_has_logits(s);
    if (logits)
        memmove(s->logits.row, timeline_logits(s),
                (size_t)s->e->model.n_vocab * sizeof *s->logits.row);
    timeline_rows(s, s->n_read - (to - from) - 1, 1);
    s->logits.n = logits;
    lookup_cut(&s->lookup, s->ids, from);
    memmove(s->ids + from, s->ids + to, (size_t)(s->n - to) * sizeof *s->ids);
    s->n -= to - from;
    s->n_read -= to - from;
    s->n_fresh = 0;
    for (int i = from; i < s->n_read; i++)
        s->prefix[i + 1] = seen_hash(s->prefix[i], s->ids[i]);
}

bool session_can_drop(const struct session *s)
{
    return s->cache->ops->drop != NULL;
}

bool session_drop(struct session *s, int *from, int to, struct err *err)
{
    const struct cache_ops *ops = s->cache->ops;
    assert(*from >= 0 && *from <= to && to < s->n && to < s->n_read);
    if (!ops->drop)
        return err_set(err, ERR_UNSUPPORTED, "nothing can be taken out of the cache of %s",
                       s->e->info.arch);
    int at = ops->drop_from(s->cache, *from, to);
    if (at < 0)
        return err_set(err, ERR_INPUT, "there are too few tokens to take out: %d", to - *from);
    if (!ops->drop(s->cache, at, to, s->n_read, err))
        return false;
    s->ops->turn_keys(s->forward, s->cache, at, to - at);
    s->cache->shift += to - at;
    close_gap(s, at, to);
    *from = at;
    return true;
}

void timeline_advance(struct session *s, const int32_t *ids, int n)
{
    int from = s->n_read;
    for (int i = 0; i < n; i++) {
        int at = s->n_read++;
        s->ids[at] = ids[i];
        s->prefix[at + 1] = seen_hash(s->prefix[at], ids[i]);
        s->stats.n_re_read += at >= s->n_fresh && seen_has(&s->seen, s->prefix[at + 1]);
    }
    s->stats.n_read += (uint64_t)n;
    if (s->n < s->n_read)
        s->n = s->n_read;
    if (from / MARK_TOKENS != s->n_read / MARK_TOKENS)
        mark(s);
}

/* How many of n tokens the next pass takes. */
static int pass_size(const struct session *s, int n)
{
    int most = s->cache->ops->pass ? s->cache->ops->pass(s->cache, s->n_read) : s->chunk;
    n = n < most ? n : most;
    return n < s->chunk ? n : s->chunk;
}

/* Some ids for the next pass. */
struct pass {
    const int32_t *ids;
    int n;               /* at most a chunk */
    int n_rows;          /* so many at their end get their logits */
    bool reads;          /* as in struct forward_call */
};

/* Runs a pass at position n_read. Its ids are not taken over: the timeline is as before, but that
 * there may be more in the cache. */
static enum timeline_outcome run_ids(struct session *s, const struct pass *p, struct err *err)
{
    int from = s->n_read, n = p->n, n_rows = p->n_rows;
    struct forward_call call = { .ids = p->ids, .n = n, .pos = from, .cache = s->cache,
                                 .reads = p->reads, .cancel = &s->cancel };
    if (!s->cache->ops->reserve(s->cache, from, from + n, err)) {
        s->cache->ops->cut(s->cache, from, NULL);
        return TIMELINE_FAILED;
    }
    pool_lock(s->e->pool);
    bool done = s->ops->run(s->forward, &call);
    if (done && n_rows > 0)
        s->ops->logits(s->forward, n - n_rows, n_rows,
                       timeline_rows(s, from + n - n_rows, n_rows));
    pool_unlock(s->e->pool);
    if (!done) {
        atomic_store(&s->cancel, false);
        s->cache->ops->cut(s->cache, from, NULL);
        return TIMELINE_CANCELLED;
    }
    return TIMELINE_DONE;
}

static enum timeline_outcome read_ids(struct session *s, const struct pass *p, struct err *err)
{
    enum timeline_outcome o = run_ids(s, p, err);
    if (o == TIMELINE_DONE)
        timeline_advance(s, p->ids, p->n);
    return o;
}

static bool check_ids(const struct session *s, const int32_t *ids, int n, struct err *err)
{
    if (n > s->n_ctx)
        return err_set(err, ERR_LIMIT, "%d tokens do not fit into the context of %d", n, s->n_ctx);
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= s->e->model.n_vocab)
            return err_set(err, ERR_INPUT, "token %d is outside the vocabulary of %d", ids[i],
                           s->e->model.n_vocab);
    return true;
}

/* How many of the ids [n_read..n) come next in one pass as those that are chosen do. What was
 * chosen is read by itself, as it would have been by choosing on: so it is the same whether
 * something was drafted or not. */
static int n_chosen(const struct session *s, int n_text, int n)
{
    int waiting = s->n_read < n_text ? s->n - s->n_read : n - s->n_read, left = n - s->n_read;
    if (!s->e->kernels.pack_bf16)
        return 0;
    return waiting < left ? waiting : left;
}

/* The next chunk of the prefix ids[0..n), of which [n_text..n) are of a reply. */
static enum timeline_outcome read_chunk(struct session *s, const int32_t *ids, int n_text, int n,
                                        struct err *err)
{
    session_cut(s, common(s, ids, n));
    if (s->n_read == n && timeline_has_logits(s))
        return TIMELINE_DONE;
    bool again = s->n_read == n;
    if (again)
        unread(s, n - 1);
    if (s->generated)
        mark(s);
    s->generated = false;
    int to = s->n_read < n_text ? n_text : n;
    int chosen = again && n_text == n ? 0 : n_chosen(s, n_text, to);  /* text is read as text */
    int take = pass_size(s, chosen ? chosen : to - s->n_read);
    bool last = s->n_read + take == n;
    enum timeline_outcome o =
        read_ids(s, &(struct pass){ ids + s->n_read, take, last, !chosen }, err);
    if (o == TIMELINE_DONE && last)
        mark(s);
    return o;
}

int session_read_reply(struct session *s, const int32_t *ids, int n_text, int n, struct err *err)
{
    assert(n >= 1 && n_text <= n);
    uint64_t start = now_us();
    if (!check_ids(s, ids, n, err))
        return -1;
    enum timeline_outcome o = read_chunk(s, ids, n_text, n, err);
    s->stats.read_us += now_us() - start;
    return o == TIMELINE_FAILED ? -1 : s->n_read;
}

int session_read(struct session *s, const int32_t *ids, int n, struct err *err)
{
    return session_read_reply(s, ids, n, n, err);
}

/* ---- the next token ------------------------------------------------------------------------ */

struct session_token timeline_choose(struct session *s, const struct sampling *how)
{
    int n_recent = s->n < SAMPLER_RECENT ? s->n : SAMPLER_RECENT;
    struct sampler_call c = {
        .how = how, .logits = timeline_logits(s), .n_vocab = s->e->model.n_vocab,
        .recent = s->ids + s->n - n_recent, .n_recent = n_recent,
        .banned = s->e->ends, .n_banned = how->no_end ? s->e->n_ends : 0,
        .position = (uint64_t)s->n, .logit = s->scratch, .order = s->order,
    };
    struct session_token token = sampler_choose(&s->e->kernels, &c);
    s->ids[s->n++] = token.id;
    s->generated = true;
    s->n_fresh = s->n;
    s->stats.n_sampled++;
    return token;
}

enum timeline_outcome timeline_read(struct session *s, int leave, struct err *err)
{
    enum timeline_outcome o = TIMELINE_DONE;
    if (s->n_read == s->n && !timeline_has_logits(s))
        unread(s, s->n - 1);
    while (o == TIMELINE_DONE && s->n_read < s->n - leave) {
        int left = s->n - leave - s->n_read, take = pass_size(s, left);
        bool last = take == left && leave == 0;
        o = read_ids(s, &(struct pass){ s->ids + s->n_read, take, last, false }, err);
    }
    return o;
}

bool timeline_has_room(const struct session *s, struct err *err)
{
    return s->n < s->n_ctx ||
           err_set(err, ERR_LIMIT, "the context of %d tokens is full", s->n_ctx);
}

/* True for a token behind which the caller may want something else than what would come. */
static bool stops(const struct session *s, int32_t id)
{
    const struct chat *c = &s->e->chat;
    return chat_is_end(c, id) || chat_is_think_begin(c, id) || chat_is_think_end(c, id);
}

/* Chooses by the rows of a pass over ids[0..n) until a token is not the next of them. Returns how
 * many were chosen; so many rows are then known. */
static int choose_along(struct session *s, const struct sampling *how, const int32_t *ids, int n,
                        struct session_token *out)
{
    for (int i = 0;; i++) {
        s->logits.n = i + 1;
        out[i] = timeline_choose(s, how);
        if (i + 1 == n || out[i].id != ids[i + 1] || stops(s, out[i].id))
            return i + 1;
    }
}

/* Reads the token that waits and the draft behind it in one pass, chooses, and cuts off what was
 * not chosen. */
static enum timeline_outcome next_drafted(struct session *s, const struct sampling *how,
                                          const struct draft *d, struct session_token *out,
                                          int *n_out, struct err *err)
{
    int32_t ids[LOOKUP_PASS];
    int n = 1 + d->n;
    ids[0] = s->ids[s->n - 1];
    memcpy(ids + 1, s->ids + d->from, (size_t)d->n * sizeof *ids);
    uint64_t start = now_us();
    enum timeline_outcome o = run_ids(s, &(struct pass){ ids, n, n, false }, err);
    if (o != TIMELINE_DONE)
        return o;
    lookup_time(&s->lookup, n, (double)(now_us() - start));
    *n_out = choose_along(s, how, ids, n, out);
    timeline_advance(s, ids, *n_out);
    if (*n_out < n)
        s->cache->ops->cut(s->cache, s->n_read, NULL);
    s->stats.n_drafted += (uint64_t)d->n;
    s->stats.n_accepted += (uint64_t)*n_out - 1;
    return o;
}

/* One token. */
static enum timeline_outcome next_one(struct session *s, const struct sampling *how,
                                      struct session_token *out, int *n_out, struct err *err)
{
    bool one_waits = s->n_read == s->n - 1;
    uint64_t start = now_us();
    enum timeline_outcome o = timeline_read(s, 0, err);
    if (o != TIMELINE_DONE)
        return o;
    if (one_waits)
        lookup_time(&s->lookup, 1, (double)(now_us() - start));
    out[0] = timeline_choose(s, how);
    *n_out = 1;
    return o;
}

/* How many ids may be drafted: of a pass that has a token waiting, with room for what is chosen
 * behind them. */
static int draft_room(const struct session *s, int max)
{
    if (s->n_read != s->n - 1)
        return 0;
    int most = max < s->n_rows ? max : s->n_rows, room = s->n_ctx - s->n;
    return pass_size(s, most < room ? most : room) - 1;
}

int session_next(struct session *s, const struct sampling *how, struct session_token *out,
                 int max, struct err *err)
{
    assert(s->n > 0 && max >= 1);
    uint64_t start = now_us();
    int n = 0;
    if (!timeline_has_room(s, err))
        return -1;
    if (atomic_exchange(&s->cancel, false))
        return 0;
    struct draft d = {0};
    if (max > 1 && s->n_rows > 1)
        d = lookup_draft(&s->lookup, s->ids, s->n, draft_room(s, max));
    enum timeline_outcome o = d.n > 0 ? next_drafted(s, how, &d, out, &n, err)
                                      : next_one(s, how, out, &n, err);
    if (o == TIMELINE_DONE)
        lookup_learn(&s->lookup, &d, s->ids, n);
    s->stats.next_us += now_us() - start;
    return o == TIMELINE_FAILED ? -1 : n;
}

/* ---- tiers --------------------------------------------------------------------------------- */

bool session_set_far(struct session *s, const struct far_opts *far, struct err *err)
{
    const struct cache_ops *ops = s->cache->ops;
    if (!ops->set_far)
        return far->tier == KV_TIER_EXACT ||
               err_set(err, ERR_UNSUPPORTED, "the cache of %s has one form only", s->e->info.arch);
    return ops->set_far(s->cache, far, s->n_read, s->e->info.n_threads, err);
}

void session_set_index(struct session *s, bool on)
{
    if (s->cache->ops->set_index)
        s->cache->ops->set_index(s->cache, on);
}

void session_set_rows(struct session *s, int n)
{
    if (s->cache->ops->set_rows)
        s->cache->ops->set_rows(s->cache, n);
}

/* Runs the ids of positions [from, to) once more; false: cancelled. */
static bool run_again(struct session *s, int from, int to)
{
    bool done = true;
    pool_lock(s->e->pool);
    for (int n; done && from < to; from += n) {
        n = to - from < s->chunk ? to - from : s->chunk;
        struct forward_call call = { .ids = s->ids + from, .n = n, .pos = from,
                                     .cache = s->cache, .reads = true,
                                     .cancel = &s->cancel };
        done = s->ops->run(s->forward, &call);
    }
    pool_unlock(s->e->pool);
    if (!done)
        atomic_store(&s->cancel, false);
    return done;
}

int session_read_exact(struct session *s, int from, int to, struct err *err)
{
    const struct cache_ops *ops = s->cache->ops;
    uint64_t start = now_us();
    bool exact = true;
    assert(from >= 0);
    if (!ops->exact_begin) {
        err_set(err, ERR_UNSUPPORTED, "the cache of %s has one form only", s->e->info.arch);
        return -1;
    }
    to = to < s->n_read ? to : s->n_read;
    int end = from;
    while (exact && (from = end) < to)
        end = ops->exact(s->cache, from, s->n_read, &exact);
    if (from >= to)
        return to;
    if (!ops->exact_begin(s->cache, from, s->n_read, &from, &end, err))
        return -1;
    bool done = run_again(s, from, end);
    ops->exact_end(s->cache, from, done);
    s->stats.n_read += done ? (uint64_t)(end - from) : 0;
    s->stats.n_re_read += done ? (uint64_t)(end - from) : 0;
    s->stats.read_us += now_us() - start;
    return done ? end : from;
}

int session_exact(const struct session *s, int from, bool *exact)
{
    *exact = !s->cache->ops->exact; /* it has one form; and the last token may not be read yet */
    if (*exact || from >= s->n_read)
        return s->n;
    return s->cache->ops->exact(s->cache, from, s->n_read, exact);
}

void session_far(const struct session *s, struct far_stats *out)
{
    *out = (struct far_stats){0};
    if (s->cache->ops->far_stats)
        s->cache->ops->far_stats(s->cache, s->n_read, out);
    else
        out->memory_bytes = out->read_bytes = out->f16_bytes = s->cache->ops->used(s->cache);
}

uint64_t session_resident(const struct session *s)
{
    return s->cache->ops->resident ? s->cache->ops->resident(s->cache) : 0;
}

/* ---- asking -------------------------------------------------------------------------------- */

const int32_t *session_ids(const struct session *s)
{
    return s->ids;
}

int session_len(const struct session *s)
{
    return s->n;
}

int session_ctx(const struct session *s)
{
    return s->n_ctx;
}

int session_held(const struct session *s, const int32_t *ids, int n)
{
    bool logits;
    int held = border(s, common(s, ids, n), &logits);
    return held == n && !logits && n > 0 ? border(s, n - 1, &logits) : held;
}

void session_cancel(struct session *s, bool on)
{
    atomic_store(&s->cancel, on);
}

void session_stats(const struct session *s, struct session_stats *out)
{
    *out = s->stats;
    out->kv_bytes = s->cache->ops->used(s->cache);
}

const float *session_logits(const struct session *s)
{
    return timeline_has_logits(s) ? timeline_logits(s) : NULL;
}

uint64_t session_logits_hash(const struct session *s)
{
    size_t bytes = (size_t)s->e->model.n_vocab * sizeof(float);
    return timeline_has_logits(s) ? kv_file_fingerprint(timeline_logits(s), bytes, bytes) : 0;
}

/* The logits of the positions of one chunk that are wanted. */
struct score {
    bool (*want)(int pos, int n, void *data);
    void (*row)(int pos, const float *logits, void *data);
    void *data;
};

/* Wanted positions that follow each other, from pos on, as many as there are rows for. */
static int wanted(const struct session *s, const struct score *score, int pos, int to, int n)
{
    int take = 0;
    while (take < s->n_rows && pos + take < to && score->want(pos + take, n, score->data))
        take++;
    return take;
}

static void score_chunk(struct session *s, const struct score *score, int from, int to, int n)
{
    for (int pos = from, take; pos < to; pos += take ? take : 1) {
        take = wanted(s, score, pos, to, n);
        if (!take)
            continue;
        float *rows = timeline_rows(s, pos, take);
        pool_lock(s->e->pool);
        s->ops->logits(s->forward, pos - from, take, rows);
        pool_unlock(s->e->pool);
        for (int i = 0; i < take; i++)
            score->row(pos + i, rows + (size_t)i * (size_t)s->e->model.n_vocab, score->data);
    }
}

bool session_score(struct session *s, const int32_t *ids, int n,
                   bool (*want)(int pos, int n, void *data),
                   void (*row)(int pos, const float *logits, void *data), void *data,
                   struct err *err)
{
    struct score score = { want, row, data };
    if (!check_ids(s, ids, n, err))
        return false;
    session_cut(s, 0);
    while (s->n_read < n) {
        int from = s->n_read, take = pass_size(s, n - from);
        enum timeline_outcome o =
            read_ids(s, &(struct pass){ ids + from, take, 0, true }, err);
        if (o == TIMELINE_CANCELLED)
            return err_set(err, ERR_CANCELLED, "stopped on request");
        if (o == TIMELINE_FAILED)
            return false;
        score_chunk(s, &score, from, from + take, n);
    }
    return true;
}

/* ---- files --------------------------------------------------------------------------------- */

static struct kv_file file_of(struct session *s)
{
    return (struct kv_file){
        .fingerprint = s->e->info.fingerprint, .n_vocab = s->e->model.n_vocab, .n_ctx = s->n_ctx,
        .ids = s->ids, .n_ids = s->n, .n_read = s->n_read,
        .logits = timeline_logits(s), .has_logits = timeline_has_logits(s),
    };
}

bool session_save(struct session *s, const char *path, struct err *err)
{
    struct kv_file f = file_of(s);
    if (s->n == 0)
        return err_set(err, ERR_INPUT, "nothing to write to '%s': the session is empty", path);
    return s->cache->ops->save(s->cache, path, &f, err);
}

bool session_load(struct session *s, const char *path, struct err *err)
{
    assert(s->n == 0);
    struct kv_file f = file_of(s);
    if (!s->cache->ops->load(s->cache, path, &f, err))
        return false;
    s->n = f.n_ids;
    s->n_read = f.n_read;
    if (f.has_logits)
        timeline_rows(s, s->n_read - 1, 1);
    for (int i = 0; i < s->n_read; i++)
        s->prefix[i + 1] = seen_hash(s->prefix[i], s->ids[i]);
    return true;
}
