/* oneshot.c -- `duet -p`: one question, its answer alone on standard output; everything else goes
 * to standard error. With --json every event is one line on standard output. */
#include "app/fronts.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/json.h"
#include "app/out.h"
#include "app/signals.h"
#include "app/talk.h"

enum { ATTACHMENT_MAX = 16 * 1024 * 1024 };

struct oneshot {
    struct buf line;        /* of JSON */
    bool json;
    const struct talk *talk;
    bool holds;             /* the mode may choose another answer than the one that comes */
    bool answered;          /* something of the answer was printed */
    bool newline;           /* and it ended with a line end */
    int status;
};

/* ---- JSON --------------------------------------------------------------------------------- */

static void json_start(struct oneshot *s, struct json_line *j, const char *type)
{
    buf_clear(&s->line);
    json_begin(j, &s->line);
    json_text(j, "type", type);
}

static void json_send(struct oneshot *s, struct json_line *j)
{
    json_end(j);
    fwrite(buf_text(&s->line), 1, s->line.bytes, stdout);
    fflush(stdout);
}

static void json_usage(struct oneshot *s, const struct usage *u)
{
    struct json_line j;
    json_start(s, &j, "usage");
    json_int(&j, "prompt_tokens", u->prompt_tokens);
    json_int(&j, "read_tokens", u->read_tokens);
    json_int(&j, "re_read_tokens", u->re_read_tokens);
    json_int(&j, "reused_tokens", u->reused_tokens);
    json_int(&j, "drafted_tokens", u->drafted_tokens);
    json_int(&j, "accepted_tokens", u->accepted_tokens);
    json_int(&j, "answer_tokens", u->answer_tokens);
    json_int(&j, "thinking_tokens", u->thinking_tokens);
    json_int(&j, "losing_tokens", u->losing_tokens);
    json_bool(&j, "think_capped", u->think_capped);
    json_int(&j, "kv_bytes", (int64_t)u->kv_bytes);
    json_double(&j, "seconds", u->seconds);
    json_double(&j, "first_seconds", u->first_seconds);
    json_double(&j, "tok_s", u->tok_s);
    json_send(s, &j);
}

static void json_candidate(struct oneshot *s, const struct event *e)
{
    struct json_line j;
    const struct candidate_mark *m = &e->mark;
    bool begun = m->state == CANDIDATE_BEGUN;
    json_start(s, &j, "candidate");
    json_int(&j, "candidate", e->candidate);
    json_text(&j, "state", begun ? "begun" : "finished");
    if (m->from >= 0)
        json_int(&j, "revises", m->from);
    if (!begun) {
        json_int(&j, "agree", m->agree);
        json_int(&j, "kept", m->kept);
        json_int(&j, "demands", m->demands);
        json_bool(&j, "cut_off", m->capped);
        if (isfinite(m->logprob))
            json_double(&j, "logprob", m->logprob);
        json_text_n(&j, m->checked ? "not_kept" : "answer",
                    buf_text(&e->text), e->text.bytes);
    }
    json_send(s, &j);
}

static void json_event(struct oneshot *s, const struct event *e)
{
    struct json_line j;
    switch (e->kind) {
    case EVENT_LOADED:
        json_start(s, &j, "model");
        json_text(&j, "name", e->info.name);
        json_text(&j, "arch", e->info.kind);
        json_text(&j, "template", e->info.template_name);
        json_text(&j, "kernels", e->info.kernels);
        json_int(&j, "ctx", e->info.n_ctx);
        json_int(&j, "threads", e->info.n_threads);
        break;
    case EVENT_PROGRESS:
        json_start(s, &j, "prefill");
        json_int(&j, "done", e->done);
        json_int(&j, "total", e->total);
        break;
    case EVENT_TOKENS:
        if (e->text.bytes == 0)
            return;
        json_start(s, &j, e->part == PART_THINKING ? "thinking" : "token");
        json_text_n(&j, "text", buf_text(&e->text), e->text.bytes);
        json_int(&j, "tokens", e->tokens);
        json_text(&j, "mode", mode_get(e->mode)->name);
        if (e->candidate > 0)
            json_int(&j, "candidate", e->candidate);
        break;
    case EVENT_CANDIDATE:
        json_candidate(s, e);
        return;
    case EVENT_CHOSEN:
        json_start(s, &j, "chosen");
        json_int(&j, "candidate", e->candidate);
        json_int(&j, "of", e->total);
        json_text_n(&j, "why", buf_text(&e->text), e->text.bytes);
        break;
    case EVENT_MODE:
        json_start(s, &j, "mode");
        json_text(&j, "mode", mode_get(e->mode)->name);
        json_int(&j, "re_read_tokens", e->re_read);
        break;
    case EVENT_FULL:
        json_start(s, &j, "full");
        json_int(&j, "prompt_tokens", e->done);
        json_int(&j, "ctx", e->total);
        break;
    case EVENT_DROPPED:
        json_start(s, &j, "dropped");
        json_int(&j, "tokens", e->total - e->done);
        json_int(&j, "re_read_tokens", e->re_read);
        break;
    case EVENT_RESUMED:
        json_start(s, &j, "resumed");
        json_int(&j, "tokens_back", e->done);
        json_int(&j, "re_read_tokens", e->re_read);
        json_double(&j, "seconds", e->seconds);
        break;
    default:
        return;
    }
    json_send(s, &j);
}

/* ---- the front ---------------------------------------------------------------------------- */

static void on_event(void *data, const struct event *e)
{
    struct oneshot *s = data;
    if (e->kind == EVENT_FULL) /* until a turn ends otherwise */
        s->status = STATUS_TURN;
    if (s->json && !s->talk->fit.summing)
        json_event(s, e);
}

static void on_suggested(void *data, const struct talk *t)
{
    struct oneshot *s = data;
    struct json_line j;
    if (!s->json)
        return;
    json_start(s, &j, "suggestion");
    json_text(&j, "mode", mode_get(t->suggestion.mode)->name);
    json_text(&j, "why", t->suggestion.why);
    json_send(s, &j);
}

static void on_question(void *data, const struct talk *t, int turn)
{
    struct oneshot *s = data;
    struct json_line j;
    struct buf changed = {0};
    (void)turn;
    if (!s->json)
        return;
    settings_describe(&t->c.settings, t->c.mode, &changed);
    if (changed.bytes) {
        json_start(s, &j, "settings");
        json_text(&j, "mode", mode_get(t->c.mode)->name);
        json_text(&j, "changed", buf_text(&changed));
        json_send(s, &j);
    }
    if (t->suggestion.any && !t->suggestion.by_first)
        on_suggested(data, t);
    buf_release(&changed);
}

static void print_answer(struct oneshot *s, const char *text, size_t bytes)
{
    if (bytes == 0)
        return;
    out_text(stdout, text, bytes);
    fflush(stdout);
    s->answered = true;
    s->newline = text[bytes - 1] == '\n';
}

static void on_text(void *data, enum part_kind kind, const char *text, size_t bytes)
{
    struct oneshot *s = data;
    if (!s->json && !s->holds && kind == PART_ANSWER && !s->talk->fit.summing)
        print_answer(s, text, bytes);
}

static void on_note(void *data, bool error, const char *text)
{
    struct oneshot *s = data;
    if (s->json) {
        struct json_line j;
        json_start(s, &j, error ? "error" : "note");
        json_text(&j, "text", text);
        json_send(s, &j);
    }
    if (error)
        out_printf(stderr, "duet: %s\n", text);
}

static void json_done(struct oneshot *s, const struct event *e, const char *answer)
{
    struct json_line j;
    json_usage(s, &e->usage);
    json_start(s, &j, "done");
    json_text(&j, "reason", reason_name(e->reason));
    json_text(&j, "answer", answer);
    if (e->text.bytes > 0)
        json_text(&j, "error", buf_text(&e->text));
    json_send(s, &j);
}

/* The session holds the answer by now: what is told here is not lost. */
static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct oneshot *s = data;
    const struct turn *turn = &t->c.turn[t->turn];
    if (t->fit.summing) /* not what was asked for */
        return;
    char *answer = t->replying ? reply_answer(&turn->reply[turn->chosen]) : mem_dup("");
    if (s->holds)
        print_answer(s, answer, strlen(answer));
    if (s->json)
        json_done(s, e, answer);
    free(answer);
    s->status = e->reason == REASON_ERROR       ? STATUS_TURN
                : e->reason == REASON_CANCELLED ? STATUS_INTERRUPTED
                                                : STATUS_OK;
}

/* ---- the attachment ----------------------------------------------------------------------- */

/* Appends what is piped in; a terminal is not read. */
static bool attach(struct buf *question, struct err *err)
{
    char part[65536];
    ssize_t n;
    struct buf text = {0};
    if (isatty(STDIN_FILENO))
        return true;
    while ((n = read(STDIN_FILENO, part, sizeof part)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            buf_release(&text);
            return errno == EBADF ? true : err_errno(err, "cannot read", "standard input");
        }
        buf_append(&text, part, (size_t)n);
        if (text.bytes > ATTACHMENT_MAX) {
            buf_release(&text);
            return err_set(err, ERR_LIMIT, "standard input holds more than %d MB",
                           ATTACHMENT_MAX / 1024 / 1024);
        }
    }
    for (size_t i = 0; i < text.bytes; i++)
        if (text.data[i] == 0)
            text.data[i] = ' '; /* a message is text */
    if (text.bytes > 0) {
        buf_puts(question, "\n\n");
        buf_append(question, buf_text(&text), text.bytes);
    }
    buf_release(&text);
    return true;
}

static void run(struct talk *t, struct oneshot *s)
{
    struct pollfd fds[2] = {{worker_fd(t->worker), POLLIN, 0}, {signals_fd(), POLLIN, 0}};
    while (talk_busy(t) && t->state != TALK_FAILED) {
        poll(fds, 2, -1);
        if (signals_take()) {
            s->status = STATUS_INTERRUPTED;
            if (!talk_stop(t) && t->state == TALK_LOADING)
                return;
        }
        talk_events(t);
    }
    if (t->state == TALK_FAILED)
        s->status = STATUS_MODEL;
}

int oneshot_run(const struct options *o, const char *model)
{
    struct talk t;
    struct oneshot s = {.json = o->json, .talk = &t};
    struct front front = {.data = &s, .question = on_question, .suggested = on_suggested,
                          .text = on_text, .note = on_note, .done = on_done, .event = on_event};
    struct err err;
    struct buf question = {0};
    struct options mine = *o;
    mine.no_save = o->no_save || (!o->session && !o->resume); /* one question is no session */
    signals_init(NULL);
    buf_puts(&question, o->prompt);
    if (!attach(&question, &err)) {
        out_printf(stderr, "duet: %s\n", err.msg);
        buf_release(&question);
        return STATUS_USAGE;
    }
    if (!talk_open(&t, &mine, &front, &err) || !talk_start(&t, local_new(model, &mine), &err)) {
        on_note(&s, true, err.msg);
        s.status = STATUS_SESSION;
    } else {
        s.holds = !s.json && settings_row(&t.c.settings, t.c.mode)->candidates > 1;
        talk_ask(&t, buf_text(&question), t.c.mode);
        run(&t, &s);
    }
    talk_close(&t);
    if (s.answered && !s.newline)
        putchar('\n');
    if (fflush(stdout) != 0 && s.status == STATUS_OK)
        s.status = STATUS_TURN;
    buf_release(&question);
    buf_release(&s.line);
    return s.status;
}
