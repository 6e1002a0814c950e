/* app_moments.c -- every pair of modes at every moment: idle, prefill, thought, answer, candidates,
 * revise, fold. What could break: a change that reads tokens again, a timeline that the log does
 * not give again, a candidate whose tokens depend on its company or on when it was made. */
#include "tests/app_run.h"
#include "tests/app_chat.h"

#include "app/export.h"

static const char vote[] = "What is 3 + 4? Answer with one number.";
static const char open_text[] = "Tell me of the sea."; /* it has one candidate */

enum moment { IDLE, PREFILL, THOUGHT, ANSWER, CANDIDATES, REVISE, FOLD, MOMENTS };
static const char *const moment_name[] = {"idle",       "prefill", "thought", "answer",
                                          "candidates", "revise",  "fold"};

/* ---- slice by slice: the counters of the engine --------------------------------------------- */

/* The reply that is written now, by the last part of candidate 0. */
static bool writes(const struct run *r, int turn, enum part_kind kind)
{
    const struct turn *t = &r->c.turn[turn];
    const struct reply *reply = t->chosen < 0 ? NULL : &t->reply[t->chosen];
    return reply && reply->n_part && reply->part[reply->n_part - 1].kind == kind;
}

static bool is_now(const struct run *r, int turn, enum moment m, int slices)
{
    int others = 0, revision = 0;
    for (int k = 1; k < r->tray.n; k++) {
        bool runs = r->tray.row[k].mark.state == CANDIDATE_BEGUN;
        others += runs;
        revision += runs && r->tray.row[k].mark.from >= 0;
    }
    switch (m) {
    case PREFILL: return slices == 1 && r->c.turn[turn].chosen < 0;
    case THOUGHT: return others == 0 && r->thought >= 2 && writes(r, turn, PART_THINKING);
    case ANSWER: return others == 0 && r->generated >= 1 && writes(r, turn, PART_ANSWER);
    case CANDIDATES: return others > 0 && revision == 0;
    case REVISE: return revision > 0;
    default: return false;
    }
}

/* Asks, and changes the mode at the first slice where the moment is there. False: it never was. */
static bool ask_changed(struct run *r, const char *text, enum mode_id from, enum mode_id to,
                        enum moment m)
{
    bool changed = false;
    run_begin(r, text, from);
    int turn = r->c.n_turn - 1;
    bool more = true;
    for (int slices = 0; more; slices++) {
        if (!changed && is_now(r, turn, m, slices)) {
            r->b->ops->mode(r->b, to);
            changed = true;
        }
        more = r->b->ops->step(r->b, &r->list);
        run_take(r, turn);
    }
    return changed;
}

/* Everything of the conversation again from a log, and each reply of the turn from how it was
 * made, alone. */
static void check_turn(struct run *r, int turn)
{
    const struct turn *t = &r->c.turn[turn];
    run_nothing_re_read(r);
    run_logged(r);
    t->reply[t->chosen].reason = r->done.reason;
    for (int i = 0; i < t->n_reply; i++)
        if (!run_repro(r, turn, &t->reply[i]))
            fail_msg("reply %d of %d: %s", i, t->n_reply, buf_text(&r->notes));
}

static void check_fold(struct run *r, enum mode_id from, enum mode_id to)
{
    for (int slices = 0; slices < 3; slices++) {
        run_ask(r, "hello", from);
        run_nothing_re_read(r);
        run_fold_changed(r, slices - 1, to);
        run_logged(r);
        run_ask(r, "and then?", to);
        run_nothing_re_read(r);
        run_logged(r);
    }
}

/* One cell of the table; how often its moment came. */
static int check(const char *fixture, enum mode_id from, enum mode_id to, enum moment m)
{
    char text[400];
    struct run r;
    int came = 0;
    run_open(&r, fixture);
    r.seed = 4;
    r.max = 12;
    snprintf(text, sizeof text, "%s", m == THOUGHT || m == ANSWER ? open_text : vote);
    while (m == PREFILL && strlen(text) < 300)
        strcat(text, " So much is to be read.");
    if (m == FOLD) {
        check_fold(&r, from, to);
        came = 1;
    } else if (m == IDLE) {
        run_ask(&r, vote, from);
        r.b->ops->mode(r.b, to);
        came = 1;
    } else {
        came = ask_changed(&r, text, from, to, m);
    }
    check_turn(&r, r.c.n_turn - 1);
    run_ask(&r, "and then?", to);
    check_turn(&r, r.c.n_turn - 1);
    run_close(&r);
    return came;
}

/* Whether the moment is there in a turn of this mode. */
static bool possible(enum mode_id mode, enum moment m)
{
    return m == CANDIDATES || m == REVISE ? mode == MODE_PRO_MAX
                                          : m != THOUGHT || mode != MODE_FLASH;
}

void test_moments(void **state)
{
    (void)state;
    for (int m = 0; m < MOMENTS; m++)
        for (int from = 0; from < MODE_COUNT; from++)
            for (int to = 0; to < MODE_COUNT; to++) {
                int came = check("dice.gguf", (enum mode_id)from, (enum mode_id)to, (enum moment)m);
                if (came != possible((enum mode_id)from, (enum moment)m))
                    fail_msg("%s to %s in %s: %s", mode_get((enum mode_id)from)->name,
                             mode_get((enum mode_id)to)->name, moment_name[m],
                             came ? "it came" : "it never came");
            }
}

/* ---- with the worker and the log that is appended to ---------------------------------------- */

static bool is_state(const struct talk *t, enum moment m)
{
    bool others = t->tray.n > 1;
    switch (m) {
    case IDLE: return t->state == TALK_IDLE && t->turn < 0;
    case PREFILL: return t->state == TALK_READING;
    case THOUGHT: return t->state == TALK_THINKING;
    case ANSWER: return t->state == TALK_ANSWERING;
    case CANDIDATES: return t->turn >= 0 && others;
    case REVISE: return t->turn >= 0 && t->state == TALK_CHOOSING;
    default: return t->fold.running;
    }
}

/* The file gives the conversation that is in memory. */
static void check_log(struct chat *c)
{
    struct conversation back;
    struct log_report report;
    struct err err;
    struct buf a = {0}, b = {0};
    char path[600];
    size_t bytes;
    snprintf(path, sizeof path, "%s/log.jsonl", c->t.store.folder);
    char *data = test_read_file(path, &bytes);
    conversation_init(&back);
    assert_true(log_parse(data, bytes, &back, &report, &err));
    assert_int_equal(report.skipped, 0);
    free(data);
    export_json(&c->t.c, &a);
    export_json(&back, &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    run_same_prompt(&c->t.c, &back);
    buf_release(&a);
    buf_release(&b);
    conversation_release(&back);
}

/* Asks in `from` and changes to `to` once the moment is seen, or the turn is over before that. */
static void chat_changed(struct chat *c, enum mode_id from, enum mode_id to, enum moment m)
{
    struct talk *t = &c->t;
    talk_mode(t, from);
    chat_line(c, vote);
    while (!is_state(t, m) && (talk_busy(t) || t->fold.running))
        chat_step(c);
    talk_mode(t, to);
    chat_settle(c);
    check_log(c);
    for (int i = 0; i < t->c.n_turn; i++)
        for (int k = 0; k < t->c.turn[i].n_reply; k++)
            assert_int_equal(t->c.turn[i].reply[k].usage.re_read_tokens, 0);
}

void test_moments_logged(void **state)
{
    (void)state;
    for (int m = 0; m < MOMENTS; m++) {
        struct chat c;
        chat_new(&c);
        chat_begin(&c, "dice.gguf");
        chat_settle(&c);
        for (int from = 0; from < MODE_COUNT; from++)
            for (int to = 0; to < MODE_COUNT; to++)
                chat_changed(&c, (enum mode_id)from, (enum mode_id)to, (enum moment)m);
        chat_end(&c);
    }
}

/* ---- how a turn may end ---------------------------------------------------------------------- */

/* What is kept of it comes back from a log, and the next question reads nothing again. */
static void goes_on(struct run *r, int turn)
{
    run_nothing_re_read(r);
    run_logged(r);
    if (r->c.turn[turn].chosen >= 0)
        assert_true(run_reply(r, turn)->ids.n > 0);
    r->cancel_at = -1;
    r->max = 6;
    run_ask(r, "and then?", MODE_FLASH);
    run_nothing_re_read(r);
    run_logged(r);
}

/* Stopped at each token, in each mode, of one candidate. */
void test_moments_cancelled(void **state)
{
    (void)state;
    int stopped = 0;
    for (int mode = 0; mode < MODE_COUNT; mode++)
        for (int at = 0; at < 24; at++) {
            struct run r;
            run_open(&r, "tiny-llama.gguf");
            r.max = 12;
            r.cancel_at = at;
            int turn = run_ask(&r, open_text, (enum mode_id)mode);
            stopped += r.done.reason == REASON_CANCELLED;
            goes_on(&r, turn);
            run_close(&r);
        }
    assert_true(stopped > 40);
}

/* The budget of an answer, and that of a thought that is never closed. */
void test_moments_budgets(void **state)
{
    (void)state;
    int length = 0, capped = 0;
    for (int mode = 0; mode < MODE_COUNT; mode++)
        for (int i = 0; i < 8; i++) {
            struct run r;
            char question[20];
            run_open(&r, "tiny-llama.gguf");
            r.max = 5;
            snprintf(question, sizeof question, "hello %d", i);
            int turn = run_ask(&r, question, (enum mode_id)mode);
            length += r.done.reason == REASON_LENGTH;
            capped += r.done.usage.think_capped;
            assert_true(r.done.usage.answer_tokens > 0);
            goes_on(&r, turn);
            run_close(&r);
        }
    assert_true(length > 5);
    assert_true(capped > 0);
}
