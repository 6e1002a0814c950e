/* replay.c -- see replay.h. */
#include "app/replay.h"

void replay_request_release(struct replay_request *q)
{
    prompt_release(&q->prompt);
    ids_release(&q->want);
    made_free(&q->made);
}

void replay_end(struct replay *r)
{
    strand_release(&r->strand);
    ids_release(&r->want);
    made_free(&r->made);
}

/* A reply that was stopped was closed where it stood: what closes it is not compared. */
static bool want_set(struct replay *r, struct engine *e, bool ends, struct err *err)
{
    struct tokens end = {0};
    bool ok = engine_chat(e, CHAT_END, NULL, 0, &end, err);
    if (ok && !ends)
        r->want.n = r->want.n > end.n ? r->want.n - end.n : 0;
    tokens_release(&end);
    return ok;
}

static int held(const struct replay *r)
{
    return session_held(r->strand.session, r->strand.line.id, r->strand.line.n);
}

/* A fork, or where the model's cache cannot be shared an empty one that reads all of it again. */
static bool timeline_make(const struct session *use, struct engine *e, struct session **out,
                          struct err *err)
{
    struct session_opts so = {.n_ctx = session_ctx(use)};
    return session_fork(use, out, err) ||
           (err->code == ERR_UNSUPPORTED && session_new(out, e, &so, err));
}

bool replay_begin(struct replay *r, struct engine *e, const struct session *use,
                  const struct tokens *line, struct replay_request *q, struct err *err)
{
    struct strand *s = &r->strand;
    struct made *m = q->made;
    replay_end(r);
    *r = (struct replay){.want = q->want, .made = m};
    q->want = (struct ids){0};
    q->made = NULL;
    s->engine = e;
    if (!want_set(r, e, q->ends, err) || !timeline_make(use, e, &s->session, err) ||
        !tokens_append(&s->line, line->id, line->n, err))
        return false;
    made_rows(m, r->rows);
    struct turn_limits limits = {.room = m->room, .tail_tokens = STRAND_TAIL_MAX,
                                 .answer_tokens = m->max_tokens, .direct = m->direct,
                                 .rows = r->rows};
    strand_begin(s, m->mode, &limits, m->seed, m->vary);
    s->end_as = m->end;
    r->re_read = line->n - held(r);
    s->unread = true;
    return true;
}

/* What came at this place then comes again. */
static bool changes(struct replay *r, struct event_list *out, struct err *err)
{
    struct strand *s = &r->strand;
    const struct ids *c = &r->made->change;
    bool ok = true;
    while (ok && r->change + 1 < c->n && c->id[r->change] == s->line.n - s->n_prompt) {
        int to = c->id[r->change + 1];
        if (strand_over(s) != (to == MADE_REVISED))
            break;
        r->change += 2;
        if (to != MADE_REVISED) {
            ok = strand_mode(s, (enum mode_id)to, out, err);
            continue;
        }
        strand_end(s, out);
        ok = strand_again(s, r->made->finding, out, err);
    }
    return ok;
}

static void compare(struct replay *r)
{
    const struct strand *s = &r->strand;
    int n = s->line.n - s->n_prompt;
    while (r->at < n && r->at < r->want.n && s->line.id[s->n_prompt + r->at] == r->want.id[r->at])
        r->at++;
    r->differs = r->at < n && r->at < r->want.n;
}

static bool slice(struct replay *r, struct event_list *out, struct err *err)
{
    struct session_token token;
    struct strand *s = &r->strand;
    if (s->unread)
        return strand_read(s, out, err);
    if (!s->opened)
        return strand_open(s, out, err) && changes(r, out, err);
    int n = strand_next(&s, 1, NULL, &token, err);
    if (n <= 0)
        return n == 0;
    if (!strand_token(s, &token, out, err) || !changes(r, out, err))
        return false;
    if (strand_over(s))
        strand_end(s, out);
    return true;
}

static int n_written(const struct strand *s)
{
    return s->turn.n_think + s->turn.n_answer;
}

bool replay_step(struct replay *r, struct err *err)
{
    struct event_list told = {0};
    int before = n_written(&r->strand), at = r->at;
    err->msg[0] = 0;
    bool ok = slice(r, &told, err);
    event_clear(&told);
    if (!ok)
        return false;
    if (r->strand.opened)
        compare(r);
    r->written += r->at > at ? n_written(&r->strand) - before : 0; /* one, before any tail */
    if (strand_over(&r->strand) && r->at < r->want.n)
        r->differs = true;
    return !r->differs && r->at < r->want.n;
}

int replay_done(const struct replay *r)
{
    const struct strand *s = &r->strand;
    return s->opened ? s->n_prompt + r->at : held(r);
}

static void put_piece(const struct replay *r, const int32_t *id, int i, int n, struct buf *out)
{
    size_t bytes;
    if (i >= n) {
        buf_puts(out, "nothing");
        return;
    }
    const char *piece = engine_piece(r->strand.engine, id[i], true, &bytes);
    buf_puts(out, "\"");
    buf_append(out, piece, bytes);
    buf_puts(out, "\"");
}

void replay_describe(const struct replay *r, struct buf *out)
{
    const struct strand *s = &r->strand;
    if (!r->differs)
        return;
    buf_puts(out, "then ");
    put_piece(r, r->want.id, r->at, r->want.n, out);
    buf_puts(out, ", now ");
    put_piece(r, s->line.id + s->n_prompt, r->at, s->line.n - s->n_prompt, out);
}
