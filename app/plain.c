/* plain.c -- the conversation as plain lines: append-only, no cursor movement, no colour. For
 * screen readers, dumb terminals and pipes. Same commands, modes and sessions as the screen.
 *
 * A line is sent when it ends; a line that ends in a backslash goes on. Ctrl+C stops a reply and,
 * when nothing runs, leaves. At the end of the input what was asked is still answered. */
#include "app/fronts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/aloud.h"
#include "app/attach.h"
#include "app/command.h"
#include "app/out.h"
#include "app/search.h"
#include "app/signals.h"
#include "app/slices.h"
#include "app/talk.h"
#include "ui/history.h"

struct plain {
    struct talk talk;
    struct buf input;       /* bytes read and not yet made into lines */
    struct buf draft;       /* lines that went on */
    struct buf attached;    /* what goes with the next message */
    bool end_of_input;
    bool leaving;
    bool folded;            /* thinking is not printed */
    bool midline;           /* the last thing printed did not end its line */
    bool cut;               /* a reply's text was left in the middle for something else */
    enum mode_id part_mode; /* who wrote it */
    bool prompted;          /* the prompt is the last thing printed */
    int progress;           /* last percentage told; -1 = none */
    int status;
};

static void line_end(struct plain *p)
{
    if (p->midline)
        out_printf(stdout, "\n");
    p->cut = p->cut || p->midline;
    p->midline = false;
    p->prompted = false;
}

static void send_line(struct plain *p, const char *line);

static void on_note(void *data, bool error, const char *text)
{
    struct plain *p = data;
    line_end(p);
    if (error && p->talk.options->command)
        p->status = STATUS_TURN;
    out_printf(stdout, "%s %s\n", error ? "!" : "-", text);
}

static void on_suggested(void *data, const struct talk *t)
{
    line_end(data);
    out_printf(stdout, "- %s suits this (%s): /suggest yes answers again in it\n",
               mode_get(t->suggestion.mode)->title, t->suggestion.why);
}

static void on_question(void *data, const struct talk *t, int turn)
{
    (void)turn;
    if (t->suggestion.any && !t->suggestion.by_first)
        on_suggested(data, t);
}

/* "[Pro thinks] ": what follows is its text. */
static void label(enum part_kind kind, enum mode_id mode, const char *what)
{
    out_printf(stdout, "[%s%s%s] ", mode_get(mode)->title, kind == PART_THINKING ? " thinks" : "",
               what);
    out_begin();
}

static void on_part(void *data, enum part_kind kind, enum mode_id mode)
{
    struct plain *p = data;
    line_end(p);
    label(kind, mode, "");
    p->part_mode = mode;
    p->midline = true;
    p->cut = false;
}

static void on_text(void *data, enum part_kind kind, const char *text, size_t bytes)
{
    struct plain *p = data;
    if (kind == PART_THINKING && p->folded)
        return;
    if (p->cut)
        label(kind, p->part_mode, ", going on");
    p->cut = false;
    out_text(stdout, text, bytes);
    p->midline = text[bytes - 1] != '\n';
}

/* An answer that was printed and is not the chosen one is followed by the one that is. */
static void on_chosen(void *data, const struct talk *t)
{
    struct plain *p = data;
    const struct turn *turn = &t->c.turn[t->turn];
    const struct reply *r = &turn->reply[turn->chosen];
    line_end(p);
    char which[40];
    out_printf(stdout, "- %s\n", buf_text(&t->tray.why));
    if (t->tray.chosen == 0)
        return;
    char *answer = reply_answer(r);
    snprintf(which, sizeof which, ", candidate %d", t->tray.chosen + 1);
    label(PART_ANSWER, r->mode, which);
    out_printf(stdout, "%s\n", answer);
    free(answer);
}

/* The second of two answers, which came at the same time. */
static void print_second(const struct talk *t)
{
    const struct turn *turn = &t->c.turn[t->turn];
    int at = t->tray.row[1].sibling, first = t->tray.row[0].sibling;
    if (at < 0 || first < 0)
        return;
    char *answer = reply_join(&turn->reply[at], PART_ANSWER);
    label(PART_ANSWER, turn->reply[at].mode, "");
    out_printf(stdout, "%s\n- %d tokens, %.1f s\n", answer + strspn(answer, " \n"),
               t->tray.row[1].tokens, t->tray.row[1].seconds);
    out_printf(stdout, "- the first goes on; /choose %d takes the second, /split both\n", at + 1);
    free(answer);
}

static void print_usage(enum reply_reason reason, const struct usage *u)
{
    out_printf(stdout, "- %s: %d tokens answered, %d thought%s, %.1f s; prompt of %d, %d read; "
               "%d re-read", reason_name(reason), u->answer_tokens, u->thinking_tokens,
               u->think_capped ? " (cut off)" : "", u->seconds, u->prompt_tokens,
               u->prompt_tokens - u->reused_tokens, u->re_read_tokens);
    if (u->drafted_tokens)
        out_printf(stdout, "; %d of %d tokens tried ahead were right", u->accepted_tokens,
                   u->drafted_tokens);
    out_printf(stdout, "\n");
}

static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct plain *p = data;
    line_end(p);
    p->progress = -1;
    if (t->replying)
        print_usage(e->reason, &e->usage);
    if (t->replying && t->both)
        print_second(t);
}

static void on_folded(void *data, const struct talk *t, const struct event *e)
{
    (void)t;
    line_end(data);
    out_printf(stdout, "- thoughts of %d tokens folded out of the context, %d re-read, %.1f s\n",
               e->done, e->re_read, e->seconds);
}

static void on_event(void *data, const struct event *e)
{
    struct plain *p = data;
    if (e->kind == EVENT_MODE || e->kind == EVENT_COST) {
        line_end(p);
        out_printf(stdout, "- %s from %s, %d tokens re-read\n", mode_get(e->mode)->title,
               e->kind == EVENT_MODE ? "here" : "now on", e->re_read);
    }
    if (e->kind != EVENT_PROGRESS || e->total < 256)
        return;
    int percent = (int)((int64_t)e->done * 100 / e->total);
    if (p->progress >= 0 && percent < p->progress + 20)
        return;
    p->progress = percent;
    line_end(p);
    out_printf(stdout, "- %s: %d of %d tokens\n",
               p->talk.state == TALK_REPRO ? "making it again" : "reading", e->done, e->total);
}

static void on_reset(void *data, const struct talk *t)
{
    line_end(data);
    const char *title = *t->c.title ? t->c.title : "a new conversation";
    if (t->c.n_turn)
        out_printf(stdout, "- now in: %s (%d question%s)\n", title, t->c.n_turn,
                   t->c.n_turn == 1 ? "" : "s");
    else
        out_printf(stdout, "- now in: %s\n", title);
}

static void on_flipped(void *data, const struct talk *t)
{
    const struct turn *last = &t->c.turn[t->c.n_turn - 1];
    const struct reply *r = &last->reply[last->chosen];
    char *answer = reply_join(r, PART_ANSWER);
    line_end(data);
    out_printf(stdout, "- answer %d of %d\n", last->chosen + 1, last->n_reply);
    label(PART_ANSWER, r->mode, "");
    out_printf(stdout, "%s\n", answer + strspn(answer, " \n"));
    free(answer);
}

/* ---- input -------------------------------------------------------------------------------- */

static void list_session(const struct store_entry *e)
{
    char facts[STORE_FACTS_BYTES], label[240];
    store_facts(e, facts, sizeof facts);
    store_label(e, label, sizeof label);
    out_printf(stdout, "- %-28s %s  %s\n", e->id, facts, label);
}

static void list_candidates(struct plain *p)
{
    const struct tray *t = &p->talk.tray;
    struct buf left = {0}, right = {0};
    for (int k = 0; k < t->n; k++) {
        buf_clear(&left);
        buf_clear(&right);
        tray_line(t, k, NULL, &left, &right);
        out_printf(stdout, "- %s; %s\n", buf_text(&left), buf_text(&right));
    }
    buf_release(&left);
    buf_release(&right);
}

static void list_sessions(struct plain *p)
{
    struct store_entry *e;
    struct err err;
    int n;
    if (!store_list(p->talk.paths.sessions, &e, &n, &err)) {
        on_note(p, true, err.msg);
        return;
    }
    store_tree(e, n);
    for (int i = 0; i < n; i++)
        list_session(&e[i]);
    if (n == 0)
        out_printf(stdout, "- no sessions yet\n");
    free(e);
}

/* The sessions in which a text stands. */
static void find_sessions(struct plain *p, const char *text)
{
    struct store_entry *e;
    struct err err;
    int n, hit, found = 0;
    if (!*text) {
        on_note(p, true, "/find needs a text");
        return;
    }
    if (!store_list(p->talk.paths.sessions, &e, &n, &err)) {
        on_note(p, true, err.msg);
        return;
    }
    struct search *s = search_new(p->talk.paths.sessions, e, n);
    search_for(s, text);
    while (search_step(s, &hit)) {
        if (hit >= 0)
            list_session(&e[hit]);
        found += hit >= 0;
    }
    out_printf(stdout, "- found in %d of %d sessions\n", found, n);
    search_free(&s);
    free(e);
}

static void unqueue(struct plain *p)
{
    char *text = talk_unqueue(&p->talk);
    line_end(p);
    if (text)
        out_printf(stdout, "- taken back: %s\n", text);
    else
        out_printf(stdout, "- no message waits\n");
    free(text);
}

static void show_diff(struct plain *p)
{
    struct buf heading = {0}, lines = {0};
    if (command_diff(&p->talk, &heading, &lines)) {
        line_end(p);
        out_printf(stdout, "- %s\n%s", buf_text(&heading), buf_text(&lines));
    }
    buf_release(&heading);
    buf_release(&lines);
}

/* The answer with its places in brackets, and each with its probability. */
static void show_doubts(struct plain *p)
{
    struct doubts d = {0};
    struct buf text = {0};
    const struct reply *r = command_doubts(&p->talk, &d);
    for (int i = 0; r && i < d.n; i++) {
        buf_printf(&text, "- %d: ", i + 1);
        doubt_percent(&d.place[i], &text);
        buf_puts(&text, "  ");
        doubt_excerpt(r, &d.place[i], &text);
        buf_puts(&text, "\n");
    }
    if (r) {
        doubts_marked(r, &d, &text);
        buf_puts(&text, "\n- /doubt N asks Pro-Max about place N\n");
        line_end(p);
        out_text(stdout, buf_text(&text), text.bytes);
    }
    buf_release(&text);
    doubts_release(&d);
}

static void branch(struct plain *p, const char *args)
{
    char *question = command_branch(&p->talk, args, p->talk.c.n_turn - 1);
    if (question)
        out_printf(stdout, "- the question was: %s\n", question);
    free(question);
}

static void fold(struct plain *p)
{
    p->folded = !p->folded;
    on_note(p, false, p->folded ? "thinking is not printed from here on" : "thinking is printed");
}

static void edit(struct plain *p)
{
    char msg[160];
    char *text = aloud_edit(&p->talk, "", msg, sizeof msg);
    if (text) {
        out_printf(stdout, "- from the editor: %s\n", text);
        send_line(p, text);
    } else {
        on_note(p, true, msg);
    }
    free(text);
}

/* What reading again would take; the same line with a yes does it. */
static void reread(struct plain *p, const char *args)
{
    struct reread r;
    char text[200];
    if (!command_reread(&p->talk, args, &r))
        return;
    snprintf(text, sizeof text, "%s again: %s; /reread %s%syes does it", r.what, r.price, args,
             *args ? " " : "");
    on_note(p, false, text);
}

/* What can be typed; keys there are none here. */
static void help(struct plain *p)
{
    char *commands = options_help_lines();
    line_end(p);
    out_printf(stdout, "%s", commands);
    free(commands);
}

/* What the context holds, piece by piece. */
static void list_slices(const struct talk *t)
{
    struct slices s = {0};
    char left[80], right[120];
    slices_build(&s, &t->c, t->ctx_used, t->c.mode, slices_form(&t->far), &t->exact);
    for (int i = 0; i < s.n; i++) {
        slices_tell(&s, i, slices_tier(&t->far), t->read_tok_s, left, sizeof left, right,
                    sizeof right);
        out_printf(stdout, "- %s: %s\n", left, right);
    }
    if (s.n == 0)
        out_printf(stdout, "- the context holds nothing yet\n");
    slices_release(&s);
}

/* What the reader does on the screen. */
static void read_command(struct plain *p, enum action a, const char *args)
{
    char msg[256] = "this command needs the screen";
    line_end(p);
    if ((a == ACTION_BARE || a == ACTION_PAGER) && p->talk.c.n_turn == 0) {
        on_note(p, false, "nothing was said yet");
        return;
    }
    switch (a) {
    case ACTION_COPY: on_note(p, !aloud_copy(&p->talk, args, msg, sizeof msg), msg); return;
    case ACTION_SEARCH: aloud_search(&p->talk, args); return;
    case ACTION_BARE: aloud_all(&p->talk, !p->folded); return;
    case ACTION_HISTORY: aloud_history(&p->talk); return;
    case ACTION_FOLD: fold(p); return;
    case ACTION_UNICODE: aloud_signs(args); return;
    case ACTION_EDIT: edit(p); return;
    case ACTION_SLICES: list_slices(&p->talk); return;
    case ACTION_THEME: on_note(p, true, "plain lines have no colours"); return;
    case ACTION_MOUSE: on_note(p, true, "plain lines have no use for a mouse"); return;
    case ACTION_PAGER:
        if (aloud_pager(&p->talk, !p->folded, msg, sizeof msg))
            return;
        break;
    default: break;
    }
    on_note(p, true, msg);
}

/* The next message ends with the file. */
static void attach(struct plain *p, const char *path)
{
    struct err err;
    char text[80];
    if (!attach_file(path, &p->attached, &err)) {
        on_note(p, true, err.msg);
        return;
    }
    snprintf(text, sizeof text, "%zu bytes go with the next message", p->attached.bytes);
    on_note(p, false, text);
}

static void send_line(struct plain *p, const char *line)
{
    const char *args;
    if (*line == '/') /* what it says stands on lines of its own */
        line_end(p);
    enum action a = command_line(&p->talk, line, &args);
    if (a == ACTION_QUIT) {
        p->leaving = true;
    } else if (a == ACTION_CANDIDATES) {
        list_candidates(p);
    } else if (a == ACTION_OPEN) {
        list_sessions(p);
    } else if (a == ACTION_UNQUEUE) {
        unqueue(p);
    } else if (a == ACTION_BOTH) {
        talk_both(&p->talk, args);
    } else if (a == ACTION_ATTACH) {
        attach(p, args);
    } else if (a == ACTION_DIFF) {
        show_diff(p);
    } else if (a == ACTION_DOUBT) {
        show_doubts(p);
    } else if (a == ACTION_BRANCH) {
        branch(p, args);
    } else if (a == ACTION_REREAD) {
        reread(p, args);
    } else if (a == ACTION_FIND) {
        find_sessions(p, args);
    } else if (a == ACTION_HELP) {
        help(p);
    } else if (a != ACTION_NONE) {
        read_command(p, a, args);
    }
}

/* A person types the lines. */
static bool typed_in(const struct plain *p)
{
    return !p->talk.options->command && isatty(STDIN_FILENO);
}

/* Messages of a person join those of the screen. */
static void keep(const struct plain *p, const char *line)
{
    struct err err;
    if (*line && typed_in(p) && !p->talk.options->no_save &&
        paths_make(p->talk.paths.state, &err))
        history_append(p->talk.paths.history, line, strlen(line));
}

static void take_line(struct plain *p, char *line, size_t bytes)
{
    line[bytes] = 0;
    if (bytes > 0 && line[bytes - 1] == '\r')
        line[--bytes] = 0;
    bool more = bytes > 0 && line[bytes - 1] == '\\';
    buf_append(&p->draft, line, more ? bytes - 1 : bytes);
    if (more) {
        buf_puts(&p->draft, "\n");
        return;
    }
    if (p->prompted) { /* what was typed has ended the prompt's line */
        p->midline = false;
        out_line();
    }
    p->prompted = false;
    keep(p, buf_text(&p->draft));
    if (p->attached.bytes && *buf_text(&p->draft) != '/') {
        buf_printf(&p->draft, "\n\n%s", buf_text(&p->attached));
        buf_clear(&p->attached);
        send_line(p, buf_text(&p->draft));
    } else {
        send_line(p, buf_text(&p->draft));
    }
    buf_clear(&p->draft);
}

/* Lines from a terminal may wait their turn like any message; piped ones are a script, carried
 * out one after the other. */
static bool takes_lines(const struct plain *p)
{
    return typed_in(p) || (!talk_busy(&p->talk) && p->talk.state == TALK_IDLE);
}

static void take_lines(struct plain *p)
{
    char *from = p->input.data, *end;
    size_t left = p->input.bytes;
    while (left > 0 && !p->leaving && takes_lines(p) && (end = memchr(from, '\n', left))) {
        take_line(p, from, (size_t)(end - from));
        left -= (size_t)(end + 1 - from);
        from = end + 1;
    }
    struct buf rest = {0};
    buf_append(&rest, from ? from : "", left);
    buf_release(&p->input);
    p->input = rest;
}

static void take_input(struct plain *p)
{
    char part[4096];
    ssize_t n = read(STDIN_FILENO, part, sizeof part);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        p->end_of_input = true;
        buf_puts(&p->input, p->input.bytes || p->draft.bytes ? "\n" : "");
    } else {
        buf_append(&p->input, part, (size_t)n);
    }
}

/* A script is read ahead by one line at most: what it asks must not fill the memory. */
static bool reads_on(const struct plain *p)
{
    return !p->end_of_input && (typed_in(p) || !memchr(buf_text(&p->input), '\n',
                                                                 p->input.bytes));
}

/* What is about to be said comes before the prompt. */
static bool waits_for_input(const struct plain *p)
{
    const struct talk *t = &p->talk;
    return !p->end_of_input && !talk_busy(t) && t->state == TALK_IDLE && !t->fold.running &&
           !t->costing;
}

/* "pro-max> ", "pro-max [think 64]> " */
static void prompt_print(const struct talk *t)
{
    struct buf changed = {0};
    settings_describe(&t->c.settings, t->c.mode, &changed);
    out_printf(stdout, "%s%s%s%s> ", mode_get(t->c.mode)->name, changed.bytes ? " [" : "",
               buf_text(&changed), changed.bytes ? "]" : "");
    buf_release(&changed);
}

/* A line was typed already: it stands there without a prompt. */
static bool typed_ahead(void)
{
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    return poll(&in, 1, 0) > 0;
}

static void prompt_show(struct plain *p)
{
    if (!waits_for_input(p) || p->prompted || typed_ahead())
        return;
    line_end(p);
    if (isatty(STDIN_FILENO)) {
        prompt_print(&p->talk);
        out_settle();
        p->midline = true;
    }
    p->prompted = true;
}

static void on_signal(struct plain *p)
{
    int sig = signals_take();
    if (sig && (sig != 2 || !talk_stop(&p->talk))) {
        p->leaving = true;
        p->status = STATUS_INTERRUPTED;
    }
}

static void run(struct plain *p)
{
    struct talk *t = &p->talk;
    while (!p->leaving && (!p->end_of_input || p->input.bytes > 0 || talk_busy(t))) {
        prompt_show(p);
        fflush(stdout); /* but for the last word of a text that goes on */
        struct pollfd fds[3] = {{worker_fd(t->worker), POLLIN, 0},
                                {signals_fd(), POLLIN, 0},
                                {reads_on(p) ? STDIN_FILENO : -1, POLLIN, 0}};
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            break;
        on_signal(p);
        if (fds[2].revents)
            take_input(p);
        talk_events(t);
        take_lines(p);
        if (t->state == TALK_FAILED) {
            p->status = STATUS_MODEL;
            break;
        }
    }
}

int plain_run(const struct options *o, const char *model)
{
    struct plain p = {.progress = -1};
    struct front front = {.data = &p, .question = on_question, .suggested = on_suggested,
                          .part = on_part, .text = on_text, .chosen = on_chosen, .done = on_done,
                          .folded = on_folded, .note = on_note, .reset = on_reset,
                          .flipped = on_flipped, .event = on_event};
    struct err err;
    signals_init(NULL);
    out_flows(true);
    if (o->command) {
        buf_printf(&p.input, "%s\n", o->command);
        p.end_of_input = true;
    }
    if (!talk_open(&p.talk, o, &front, &err) ||
        !talk_start(&p.talk, local_new(model, o), &err)) {
        out_printf(stderr, "duet: %s\n", err.msg);
        p.status = STATUS_SESSION;
    } else {
        run(&p);
    }
    talk_close(&p.talk);
    line_end(&p);
    out_settle();
    out_flows(false);
    buf_release(&p.input);
    buf_release(&p.draft);
    buf_release(&p.attached);
    return p.status;
}
