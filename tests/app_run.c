/* app_run.c -- see app_run.h. */
#include "tests/app_run.h"

#include "app/export.h"
#include "app/log.h"

void run_open_path(struct run *r, const char *model, const char *template)
{
    static char path[8][512];
    static int next;
    struct err err;
    struct event *e;
    memset(r, 0, sizeof *r);
    conversation_init(&r->c);
    r->o.threads = 1;
    r->o.template = template;
    r->seed = 1;
    r->change_at = r->cancel_at = -1;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s", model);
    r->b = local_new(path[next], &r->o);
    if (!r->b->ops->open(r->b, &r->list, &err))
        fail_msg("%s", err.msg);
    e = event_take(&r->list);
    assert_int_equal(e->kind, EVENT_LOADED);
    conversation_model(&r->c, e->info.name, e->info.fingerprint);
    event_free(&e);
}

void run_open_as(struct run *r, const char *fixture, const char *template)
{
    run_open_path(r, test_fixture(fixture), template);
}

void run_open(struct run *r, const char *fixture)
{
    run_open_as(r, fixture, NULL);
}

void run_close(struct run *r)
{
    r->b->ops->close(&r->b);
    conversation_release(&r->c);
    tray_release(&r->tray);
    buf_release(&r->notes);
    event_clear(&r->list);
}

const struct reply *run_reply(const struct run *r, int turn)
{
    const struct turn *t = &r->c.turn[turn];
    return &t->reply[t->chosen];
}

static void take_tokens(struct run *r, int turn, const struct event *e)
{
    tray_tokens(&r->tray, e);
    r->all += e->tokens;
    if (e->candidate > 0)
        return;
    struct turn *t = &r->c.turn[turn];
    reply_take(t->chosen < 0 ? conversation_reply(&r->c, turn) : &t->reply[t->chosen], e);
    r->generated += e->tokens;
    r->thought += e->part == PART_THINKING ? e->tokens : 0;
}

static void take_fold(struct run *r, const struct event *e)
{
    r->fold_out = e->done;
    r->fold_re_read = e->re_read;
    for (int i = 0; e->done > 0 && i < r->c.n_turn; i++)
        if (conversation_folds(&r->c, i) == i)
            r->c.turn[i].reply[r->c.turn[i].chosen].folded = true;
}

static void take(struct run *r, int turn, struct event *e)
{
    switch (e->kind) {
    case EVENT_RENDERED:
        conversation_rendered(&r->c, turn, e->index, e->ids.id, e->ids.n);
        break;
    case EVENT_TOKENS:
        if (turn >= 0)
            take_tokens(r, turn, e);
        break;
    case EVENT_CANDIDATE:
        tray_mark(&r->tray, e, r->c.turn[turn].chosen < 0 ? NULL : run_reply(r, turn));
        break;
    case EVENT_CHOSEN: tray_choose(&r->tray, e); break;
    case EVENT_MODE:
        r->modes++;
        r->mode_re_read += e->re_read;
        break;
    case EVENT_RESUMED:
        r->resumed_back = e->done;
        r->resumed_re_read = e->re_read;
        break;
    case EVENT_FOLDED: take_fold(r, e); break;
    case EVENT_MADE:
        if (e->candidate > 0)
            tray_made(&r->tray, e);
        else if (r->c.turn[turn].chosen >= 0)
            reply_made(&r->c.turn[turn].reply[r->c.turn[turn].chosen], e->made);
        break;
    case EVENT_REPRO:
        r->repro_same = e->reason == REASON_STOP && e->text.bytes == 0 && e->done == r->wanted;
        buf_printf(&r->notes, "%d of %d, %s\n", e->done, e->total, buf_text(&e->text));
        break;
    case EVENT_NOTE: buf_printf(&r->notes, "%s\n", buf_text(&e->text)); break;
    case EVENT_DONE:
        if (r->c.turn[turn].chosen >= 0)
            tray_settle(&r->tray, &r->c, r->seed);
        r->done = *e;
        memset(&r->done.text, 0, sizeof r->done.text);
        break;
    default: break;
    }
}

void run_take(struct run *r, int turn)
{
    struct event *e;
    while ((e = event_take(&r->list))) {
        take(r, turn, e);
        event_free(&e);
    }
}

/* Notes what ran when something was asked of it. */
static void at_work(struct run *r)
{
    r->running = r->revising = 0;
    for (int k = 0; k < r->tray.n; k++) {
        const struct candidate_mark *m = &r->tray.row[k].mark;
        bool works = k == 0 ? m->state == CANDIDATE_NONE : m->state == CANDIDATE_BEGUN;
        r->running += works;
        r->revising = r->revising || (works && k > 0 && m->from >= 0);
    }
}

static bool is_due(const struct run *r, int at, bool done)
{
    return !done && at >= 0 && r->all >= at;
}

int run_begin(struct run *r, const char *text, enum mode_id mode)
{
    struct turn_request q = {0};
    struct err err;
    int turn = conversation_ask(&r->c, text, mode);
    r->generated = r->thought = r->modes = r->mode_re_read = r->all = 0;
    tray_begin(&r->tray, turn);
    conversation_prompt(&r->c, turn, &q.prompt);
    q.mode = mode;
    q.turn = turn;
    q.seed = r->seed;
    q.max_tokens = r->max;
    r->b->ops->mode(r->b, mode);
    r->b->ops->cancel(r->b, false);
    if (!r->b->ops->start(r->b, &q, &r->list, &err))
        fail_msg("%s", err.msg);
    return turn;
}

int run_ask(struct run *r, const char *text, enum mode_id mode)
{
    int turn = run_begin(r, text, mode);
    bool more = true, changed = false, cancelled = false;
    while (more) {
        if (is_due(r, r->change_at, changed)) {
            at_work(r);
            r->b->ops->mode(r->b, r->change_to);
            changed = true;
        }
        if (is_due(r, r->cancel_at, cancelled)) {
            at_work(r);
            r->b->ops->cancel(r->b, true);
            cancelled = true;
        }
        more = r->b->ops->step(r->b, &r->list);
        run_take(r, turn);
    }
    return turn;
}

void run_fold(struct run *r, int slices)
{
    run_fold_changed(r, slices, (enum mode_id)-1);
}

void run_fold_changed(struct run *r, int slices, enum mode_id to)
{
    struct prompt p;
    conversation_folded(&r->c, &p);
    r->b->ops->leave(r->b, false);
    r->b->ops->fold(r->b, &p, &r->list);
    if ((int)to >= 0)
        r->b->ops->mode(r->b, to);
    bool more = true;
    for (int i = 0; more; i++) {
        if (i == slices)
            r->b->ops->leave(r->b, true);
        more = r->b->ops->step(r->b, &r->list);
    }
    run_take(r, -1);
}

void run_same_prompt(const struct conversation *a, const struct conversation *b)
{
    struct prompt p, q;
    conversation_prompt(a, -1, &p);
    conversation_prompt(b, -1, &q);
    assert_int_equal(p.n, q.n);
    for (int i = 0; i < p.n; i++) {
        const struct ids *x = &p.message[i].ids, *y = &q.message[i].ids;
        assert_int_equal(x->n, y->n);
        if (x->n)
            assert_memory_equal(x->id, y->id, (size_t)x->n * sizeof *x->id);
    }
    prompt_release(&p);
    prompt_release(&q);
}

void run_logged(const struct run *r)
{
    static char path[100];
    struct conversation back;
    struct log_report report;
    struct log *log;
    struct err err;
    struct buf a = {0}, b = {0};
    if (!path[0])
        snprintf(path, sizeof path, "%s/log", test_folder());
    remove(path);
    conversation_init(&back);
    if (!log_open(&log, path, &back, &report, &err) || !log_write(log, &r->c, "x", &err))
        fail_msg("%s", err.msg);
    log_close(&log);
    if (!log_open(&log, path, &back, &report, &err))
        fail_msg("%s", err.msg);
    log_close(&log);
    assert_int_equal(report.skipped, 0);
    export_json(&r->c, &a);
    export_json(&back, &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    run_same_prompt(&r->c, &back);
    buf_release(&a);
    buf_release(&b);
    conversation_release(&back);
}

bool run_repro(struct run *r, int turn, const struct reply *reply)
{
    struct replay_request q = {.made = made_copy(reply->made)};
    q.ends = reply->reason != REASON_CANCELLED;
    conversation_prompt(&r->c, turn, &q.prompt);
    ids_append(&q.want, reply->ids.id, reply->ids.n);
    r->wanted = 0;
    for (int i = 0; i < reply->n_part; i++)
        r->wanted += reply->part[i].tokens;
    r->b->ops->cancel(r->b, false);
    r->b->ops->repro(r->b, &q, &r->list);
    r->repro_same = false;
    while (r->b->ops->step(r->b, &r->list))
        ;
    run_take(r, turn);
    return r->repro_same;
}

void run_nothing_re_read(const struct run *r)
{
    assert_int_equal(r->done.usage.re_read_tokens, 0);
    assert_int_equal(r->mode_re_read, 0);
}
