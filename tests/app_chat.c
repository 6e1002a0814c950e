/* app_chat.c -- see app_chat.h. */
#include "tests/app_chat.h"

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>

static void on_question(void *data, const struct talk *t, int turn)
{
    struct chat *c = data;
    (void)t, (void)turn;
    c->questions++;
    c->tokens = 0;
}

static void on_text(void *data, enum part_kind kind, const char *text, size_t bytes)
{
    struct chat *c = data;
    if (kind == PART_ANSWER)
        buf_append(&c->answer, text, bytes);
}

static void on_chosen(void *data, const struct talk *t)
{
    struct chat *c = data;
    (void)t;
    c->chosen++;
}

static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct chat *c = data;
    (void)t, (void)e;
    c->dones++;
}

static void on_folded(void *data, const struct talk *t, const struct event *e)
{
    struct chat *c = data;
    (void)t, (void)e;
    c->folds++;
}

static void on_note(void *data, bool error, const char *text)
{
    struct chat *c = data;
    buf_printf(&c->notes, "%s%s\n", error ? "!" : "", text);
}

static void on_reset(void *data, const struct talk *t)
{
    struct chat *c = data;
    (void)t;
    c->resets++;
}

static void on_event(void *data, const struct event *e)
{
    struct chat *c = data;
    if (e->kind == EVENT_RESUMED) {
        c->back = e->done;
        c->re_read = e->re_read;
    }
    if (e->kind == EVENT_MODE)
        c->toggles++;
    c->tokens += e->tokens;
}

void chat_new(struct chat *c)
{
    const char *dir = test_folder();
    setenv("XDG_DATA_HOME", dir, 1);
    setenv("XDG_CONFIG_HOME", dir, 1);
    setenv("XDG_STATE_HOME", dir, 1);
    memset(c, 0, sizeof *c);
    options_init(&c->o);
}

/* ---- a worker that waits -------------------------------------------------------------------
 *
 * The backend's steps are as they are, but one that told something is followed by the next when
 * the front has taken that, or something is stopped: however slow this thread is, the worker is one
 * step ahead at most. */
static struct {
    const struct backend_ops *own;
    struct backend_ops ops;
    sem_t taken;
    atomic_bool free;
    bool told;
} pace;

static bool paced_step(struct backend *b, struct event_list *out)
{
    if (pace.told && !atomic_load(&pace.free))
        while (sem_wait(&pace.taken) != 0)
            ;
    bool more = pace.own->step(b, out);
    pace.told = out->head != NULL;
    return more;
}

static void paced_free(bool on)
{
    atomic_store(&pace.free, on);
    if (on)
        sem_post(&pace.taken);
}

static void paced_cancel(struct backend *b, bool on)
{
    pace.own->cancel(b, on);
    paced_free(on);
}

static void paced_leave(struct backend *b, bool on)
{
    pace.own->leave(b, on);
    paced_free(on);
}

static void pace_begin(struct backend *b)
{
    pace.own = b->ops;
    pace.ops = *b->ops;
    pace.ops.step = paced_step;
    pace.ops.cancel = paced_cancel;
    pace.ops.leave = paced_leave;
    pace.told = false;
    atomic_store(&pace.free, false);
    assert_int_equal(sem_init(&pace.taken, 0, 0), 0);
    b->ops = &pace.ops;
}

void chat_open(struct chat *c, const char *model)
{
    struct err err;
    struct front f = {.data = c, .question = on_question, .text = on_text, .chosen = on_chosen,
                      .done = on_done, .folded = on_folded, .note = on_note, .reset = on_reset,
                      .event = on_event};
    c->questions = c->dones = c->resets = c->chosen = c->folds = c->toggles = c->tokens = 0;
    c->toggle_at = c->back = c->re_read = -1;
    c->o.threads = 1;
    c->o.max_tokens = 12;
    struct backend *b = local_new(model, &c->o);
    if (c->paced)
        pace_begin(b);
    if (!talk_open(&c->t, &c->o, &f, &err) || !talk_start(&c->t, b, &err))
        fail_msg("%s", err.msg);
}

void chat_begin(struct chat *c, const char *fixture)
{
    chat_open(c, test_fixture(fixture));
}

void chat_step(struct chat *c)
{
    struct pollfd fd = {worker_fd(c->t.worker), POLLIN, 0};
    assert_true(poll(&fd, 1, 60000) > 0);
    talk_events(&c->t);
    if (c->paced)
        sem_post(&pace.taken);
}

void chat_settle(struct chat *c)
{
    struct talk *t = &c->t;
    while (talk_busy(t) || t->state != TALK_IDLE || t->saves > 0 || t->fold.running) {
        chat_step(c);
        if (c->toggle_at >= 0 && t->turn >= 0 && c->tokens >= c->toggle_at) {
            c->toggle_at = -1;
            talk_mode(t, mode_toggle(t->c.mode));
        }
    }
}

void chat_ready(struct chat *c)
{
    chat_new(c);
    chat_begin(c, "tiny-llama.gguf");
    chat_settle(c);
}

void chat_line(struct chat *c, const char *text)
{
    const char *args;
    assert_int_equal(command_line(&c->t, text, &args), ACTION_NONE);
}

void chat_end(struct chat *c)
{
    talk_close(&c->t);
    buf_release(&c->notes);
    buf_release(&c->answer);
}
