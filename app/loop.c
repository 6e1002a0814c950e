/* loop.c -- the full screen: the UI thread's event pump between terminal, worker and editor.
 *
 * The pump is libedit's input hook (see ui/editor.h): it drains the terminal and the worker, acts,
 * and draws at most one frame a thirtieth of a second, only when something changed and no key
 * waits. It returns when a key belongs to the editor. Actions change state and set `dirty`; only
 * draw() draws. */
#include "app/fronts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/command.h"
#include "app/signals.h"
#include "app/talk.h"
#include "app/trace.h"
#include "ui/editor.h"
#include "ui/screen.h"
#include "ui/term.h"

enum { FRAME_MS = 33, SCROLL_ROWS = 3 };

enum overlay { OVERLAY_NONE, OVERLAY_HELP, OVERLAY_SESSIONS };

struct loop {
    struct talk talk;
    struct transcript *transcript;
    struct editor *editor;
    struct grid grid;
    struct theme theme;
    struct list *list;          /* the overlay, or NULL */
    enum overlay overlay;
    struct store_entry *session; /* the rows of OVERLAY_SESSIONS */
    bool reader;                /* keys go to the reader */
    bool dirty;                 /* the screen is older than the state */
    bool leaving;
    bool leave_asked;           /* Ctrl+C on an empty draft: the next one leaves */
    int status;
    int entry;                  /* transcript entry of the running part; -1 = none */
    int thoughts;               /* parts of the running reply that are thinking */
    int part_tokens;            /* live meters of the running part */
    double part_seconds, turn_seconds;
    int turn_tokens;
    bool part_fresh;            /* nothing of it shown yet: leading blanks are dropped */
    int64_t frame_ms;           /* when the last frame was drawn */
    char hint[256];             /* instead of the keys, until the next key; "" = none */
    bool hint_error;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void hint(struct loop *l, bool error, const char *text)
{
    snprintf(l->hint, sizeof l->hint, "%s", text);
    l->hint_error = error;
    l->dirty = true;
}

/* ---- the front: what the conversation tells ------------------------------------------------ */

static void show_entry(struct loop *l, enum entry_kind kind, const char *label, enum style style,
                       const char *text)
{
    int i = transcript_add(l->transcript, kind, label, style);
    transcript_append(l->transcript, i, text, strlen(text));
    l->dirty = true;
}

static int show_part(struct loop *l, enum part_kind kind, enum mode_id mode)
{
    const struct mode *m = mode_get(mode);
    enum entry_kind entry = kind == PART_THINKING ? ENTRY_THINKING : ENTRY_ANSWER;
    return transcript_add(l->transcript, entry, m->title, (enum style)m->style);
}

static void show_thought(struct loop *l, int entry, int tokens, double seconds, bool over)
{
    char text[80];
    snprintf(text, sizeof text, "%s %d tok, %.1f s", over ? "thought" : "thinking", tokens,
             seconds);
    transcript_summary(l->transcript, entry, text);
}

static void on_question(void *data, const struct talk *t, int turn)
{
    struct loop *l = data;
    show_entry(l, ENTRY_USER, "you", STYLE_USER, t->c.turn[turn].question);
    l->entry = -1;
    l->turn_tokens = 0;
    l->turn_seconds = 0;
    transcript_to(l->transcript, true);
}

static void part_over(struct loop *l)
{
    if (l->entry >= 0 && l->part_tokens > 0 && l->thoughts > 0)
        show_thought(l, l->entry, l->part_tokens, l->part_seconds, true);
    l->thoughts = 0;
    l->entry = -1;
}

static void on_part(void *data, enum part_kind kind, enum mode_id mode)
{
    struct loop *l = data;
    part_over(l);
    l->entry = show_part(l, kind, mode);
    l->thoughts = kind == PART_THINKING;
    l->part_tokens = 0;
    l->part_seconds = 0;
    l->part_fresh = true;
    l->dirty = true;
}

static void on_text(void *data, enum part_kind kind, const char *text, size_t bytes)
{
    struct loop *l = data;
    (void)kind;
    size_t blank = l->part_fresh ? strspn(text, " \n") : 0;
    if (blank >= bytes)
        return;
    l->part_fresh = false;
    transcript_append(l->transcript, l->entry, text + blank, bytes - blank);
    l->dirty = true;
}

static void on_event(void *data, const struct event *e)
{
    struct loop *l = data;
    l->dirty = true;
    if (e->kind != EVENT_TOKENS)
        return;
    l->part_tokens += e->tokens;
    l->part_seconds += e->seconds;
    l->turn_tokens += e->tokens;
    l->turn_seconds += e->seconds;
    if (l->entry >= 0 && l->thoughts > 0 && e->part == PART_THINKING)
        show_thought(l, l->entry, l->part_tokens, l->part_seconds, false);
}

static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct loop *l = data;
    (void)t;
    part_over(l);
    if (e->reason == REASON_LENGTH)
        show_entry(l, ENTRY_NOTE, "", STYLE_NOTE, "(the answer's budget is used up)");
    if (e->reason == REASON_CONTEXT)
        show_entry(l, ENTRY_NOTE, "", STYLE_NOTE, "(the context is full)");
    if (e->reason == REASON_LOOP)
        show_entry(l, ENTRY_NOTE, "", STYLE_NOTE, "(stopped: it began to repeat itself)");
    if (e->reason == REASON_CANCELLED && t->replying)
        show_entry(l, ENTRY_NOTE, "", STYLE_NOTE, "(stopped; what was said is kept)");
}

static void on_note(void *data, bool error, const char *text)
{
    show_entry(data, error ? ENTRY_ERROR : ENTRY_NOTE, "", error ? STYLE_ERROR : STYLE_NOTE,
               text);
}

static void show_reply(struct loop *l, const struct reply *r)
{
    for (int i = 0; i < r->n_part; i++) {
        const struct part *p = &r->part[i];
        const char *text = p->text + strspn(p->text, " \n");
        int entry = show_part(l, p->kind, p->mode);
        transcript_append(l->transcript, entry, text, strlen(text));
        if (p->kind == PART_THINKING)
            show_thought(l, entry, p->tokens, (double)p->ms / 1000, true);
    }
}

static void on_reset(void *data, const struct talk *t)
{
    struct loop *l = data;
    transcript_clear(l->transcript);
    l->entry = -1;
    for (int i = 0; i < t->c.n_turn; i++) {
        const struct turn *turn = &t->c.turn[i];
        show_entry(l, ENTRY_USER, "you", STYLE_USER, turn->question);
        if (turn->chosen >= 0)
            show_reply(l, &turn->reply[turn->chosen]);
        else if (i != t->turn)
            show_entry(l, ENTRY_NOTE, "", STYLE_NOTE, "(not answered)");
    }
    transcript_to(l->transcript, true);
    l->dirty = true;
}

/* ---- drawing ------------------------------------------------------------------------------ */

static void view_fill(struct loop *l, struct view *v)
{
    const struct talk *t = &l->talk;
    const struct mode *m = mode_get(t->c.mode);
    bool meter = t->state == TALK_READING || t->state == TALK_RESUMING;
    memset(v, 0, sizeof *v);
    v->ascii = t->options->ascii;
    v->mode = m->title;
    v->mode_style = (enum style)m->style;
    v->title = *t->c.title ? t->c.title : "new conversation";
    v->model = t->info.name;
    v->ctx_used = t->ctx_used;
    v->ctx_total = t->info.n_ctx;
    v->kv_bytes = t->kv_bytes;
    v->transcript = l->transcript;
    v->list = l->list;
    editor_view(l->editor, &v->draft);
    v->reader = l->reader;
    v->queued = t->n_queue;
    v->state = talk_state_name(t->state);
    v->done = meter ? t->done : 0;
    v->total = meter ? t->total : 0;
    v->tok_s = talk_busy(t) && l->turn_tokens > 1 && l->turn_seconds > 0
                   ? l->turn_tokens / l->turn_seconds
                   : t->tok_s;
    v->re_read = t->re_read;
    v->hint = *l->hint ? l->hint
              : l->reader ? "j k g G scroll  t thinking  u undo  r retry  Tab back"
                          : "F2 mode  Esc stop  F1 help";
    v->hint_is_error = l->hint_error;
}

static void draw(struct loop *l)
{
    struct view v;
    int rows, cols, row, col;
    term_size(&rows, &cols);
    if (rows != l->grid.rows || cols != l->grid.cols) {
        grid_resize(&l->grid, rows, cols);
        editor_resize(l->editor, screen_editor_cols(cols));
    }
    view_fill(l, &v);
    screen_draw(&l->grid, &v, &row, &col);
    term_flush(&l->grid, row, col);
    trace_event("frame", cols);
    l->dirty = false;
    l->frame_ms = now_ms();
}

/* ---- overlays ----------------------------------------------------------------------------- */

static void overlay_close(struct loop *l)
{
    list_free(&l->list);
    free(l->session);
    l->session = NULL;
    l->overlay = OVERLAY_NONE;
    l->dirty = true;
}

static void overlay_help(struct loop *l)
{
    overlay_close(l);
    l->overlay = OVERLAY_HELP;
    l->list = list_new("Help", false);
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        char left[120];
        snprintf(left, sizeof left, "%s%s%s%s%s", h->keys_editor,
                 *h->keys_editor && *h->command ? "  " : "", h->command, *h->args ? " " : "",
                 h->args);
        if (!*left)
            snprintf(left, sizeof left, "%s (reader)", h->keys_reader);
        list_add(l->list, left, h->help);
    }
    for (int i = 0; i < MODE_COUNT; i++) {
        char left[80];
        snprintf(left, sizeof left, "/%s [TEXT]", mode_get((enum mode_id)i)->name);
        list_add(l->list, left, mode_describe((enum mode_id)i));
    }
}

static void overlay_sessions(struct loop *l)
{
    struct err err;
    int n;
    overlay_close(l);
    if (!store_list(l->talk.paths.sessions, &l->session, &n, &err)) {
        hint(l, true, err.msg);
        return;
    }
    if (n == 0) {
        hint(l, false, "there are no sessions yet");
        return;
    }
    l->overlay = OVERLAY_SESSIONS;
    l->list = list_new("Sessions", true);
    for (int i = 0; i < n; i++) {
        char right[160], when[32];
        time_t t = (time_t)l->session[i].changed;
        struct tm tm;
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", localtime_r(&t, &tm));
        snprintf(right, sizeof right, "%d turns  %s  %s", l->session[i].turns, when,
                 l->session[i].id);
        list_add(l->list, l->session[i].title, right);
    }
}

static void overlay_key(struct loop *l, const struct key *k)
{
    char id[80];
    l->dirty = true;
    switch (list_key(l->list, k)) {
    case LIST_MORE:
        return;
    case LIST_CLOSED:
        overlay_close(l);
        return;
    case LIST_CHOSEN:
        if (l->overlay == OVERLAY_SESSIONS && list_chosen(l->list) >= 0) {
            snprintf(id, sizeof id, "%s", l->session[list_chosen(l->list)].id);
            overlay_close(l);
            talk_switch(&l->talk, id);
            return;
        }
        overlay_close(l);
    }
}

/* ---- actions ------------------------------------------------------------------------------ */

static bool draft_empty(struct loop *l)
{
    struct editor_view v;
    editor_view(l->editor, &v);
    return v.bytes == 0;
}

/* A theme by name or file; false: *msg says why. */
static bool theme_load(struct loop *l, const char *name, char *msg, size_t msg_bytes)
{
    const char *text = theme_builtin(name);
    if (text)
        return theme_parse(&l->theme, text, strlen(text), name, msg, msg_bytes);
    struct buf b = {0};
    char part[4096];
    size_t n;
    FILE *f = fopen(name, "re");
    if (!f) {
        snprintf(msg, msg_bytes, "theme '%s': %s", name, strerror(errno));
        return false;
    }
    while (b.bytes < 1 << 20 && (n = fread(part, 1, sizeof part, f)) > 0)
        buf_append(&b, part, n);
    fclose(f);
    bool ok = theme_parse(&l->theme, buf_text(&b), b.bytes, name, msg, msg_bytes);
    buf_release(&b);
    return ok;
}

static void set_setting(struct loop *l, const char *args)
{
    char msg[200];
    if (strncmp(args, "theme ", 6) != 0) {
        on_note(l, true, "/set knows seed, max-tokens and theme");
        return;
    }
    if (theme_load(l, args + 6 + strspn(args + 6, " "), msg, sizeof msg)) {
        term_theme(&l->theme);
        term_redraw();
    } else {
        on_note(l, true, msg);
    }
}

/* Busy: stop. A draft: into the history. Nothing: say how to leave, then leave. Esc never leaves
 * and, with nothing to stop, is the editor's (vi). */
static bool stop(struct loop *l, bool esc)
{
    if (talk_busy(&l->talk) || l->talk.state == TALK_RESUMING) {
        talk_stop(&l->talk);
        hint(l, false, "stopping");
        return true;
    }
    if (esc)
        return false;
    if (!draft_empty(l)) {
        editor_clear(l->editor, true);
        return true;
    }
    if (l->leave_asked)
        l->leaving = true;
    l->leave_asked = true;
    hint(l, false, "again to leave; the conversation is saved");
    return true;
}

static void scroll(struct loop *l, int rows)
{
    transcript_scroll(l->transcript, rows);
    l->dirty = true;
}

static void fold(struct loop *l)
{
    transcript_fold(l->transcript, !transcript_folded(l->transcript));
}

static int page(const struct loop *l)
{
    return l->grid.rows > 12 ? l->grid.rows - 8 : SCROLL_ROWS;
}

static void suspend(struct loop *l)
{
    term_suspend();
    l->dirty = true;
}

static bool typed(const struct key *k)
{
    return k->code == KEYCODE_CHAR && k->mod == 0;
}

static int scroll_rows(const struct loop *l, const struct key *k)
{
    bool line = k->code == KEYCODE_UP || k->code == KEYCODE_DOWN || typed(k);
    return line ? (l->reader ? 1 : SCROLL_ROWS) : page(l);
}

/* True: the key is used up. */
static bool act(struct loop *l, enum action a, const struct key *k)
{
    const char *line = NULL;
    switch (a) {
    case ACTION_SEND: editor_send(l->editor); return true;
    case ACTION_NEWLINE: editor_newline(l->editor); return true;
    case ACTION_STOP: return stop(l, k->code == KEYCODE_ESC);
    case ACTION_SCROLL_UP: scroll(l, -scroll_rows(l, k)); return true;
    case ACTION_SCROLL_DOWN: scroll(l, scroll_rows(l, k)); return true;
    case ACTION_SCROLL_TOP: transcript_to(l->transcript, false); return true;
    case ACTION_SCROLL_END: transcript_to(l->transcript, true); return true;
    case ACTION_FOLD: fold(l); return true;
    case ACTION_READER: l->reader = !l->reader; return true;
    case ACTION_SUSPEND: suspend(l); return true;
    case ACTION_REDRAW: term_redraw(); return true;
    case ACTION_HELP: overlay_help(l); return true;
    case ACTION_OPEN: overlay_sessions(l); return true;
    case ACTION_QUIT: l->leaving = true; return true;
    case ACTION_TOGGLE: line = "/toggle"; break;
    case ACTION_UNDO: line = "/undo"; break;
    case ACTION_RETRY: line = "/retry"; break;
    default: return false;
    }
    const char *args;
    command_line(&l->talk, line, &args);
    return true;
}

/* Keys that mean something only on an empty draft. */
static enum action empty_draft_action(struct loop *l, const struct key *k)
{
    if (l->reader || !draft_empty(l))
        return ACTION_NONE;
    if (typed(k) && k->ch == '?')
        return ACTION_HELP;
    if (k->code == KEYCODE_TAB)
        return ACTION_READER;
    if (k->code == KEYCODE_CHAR && k->mod == KEY_CTRL && k->ch == 'd')
        return ACTION_QUIT;
    return ACTION_NONE;
}

static bool lasting(const struct key *k)
{
    return k->code == KEYCODE_RESIZE || k->code == KEYCODE_WHEEL_UP ||
           k->code == KEYCODE_WHEEL_DOWN;
}

/* True: the key went to the editor, or an action gave it something to do. */
static bool take_key(struct loop *l, const struct key *k)
{
    bool asked = l->leave_asked;
    l->dirty = true;
    if (k->code == KEYCODE_EOF) {
        l->leaving = true;
        return false;
    }
    if (!lasting(k)) {
        l->hint[0] = 0;
        l->hint_error = false;
    }
    if (k->code == KEYCODE_RESIZE)
        return false;
    if (k->code == KEYCODE_WHEEL_UP || k->code == KEYCODE_WHEEL_DOWN) {
        scroll(l, k->code == KEYCODE_WHEEL_UP ? -SCROLL_ROWS : SCROLL_ROWS);
        return false;
    }
    if (l->list) {
        overlay_key(l, k);
        return false;
    }
    if (k->code == KEYCODE_ESC && !l->reader && editor_takes_esc(l->editor)) {
        editor_feed(l->editor, k);
        return true;
    }
    enum action a = empty_draft_action(l, k);
    if (a == ACTION_NONE)
        a = keymap_action(l->reader ? CONTEXT_READER : CONTEXT_EDITOR, k);
    bool used = a != ACTION_NONE && act(l, a, k);
    if (asked && a != ACTION_STOP)
        l->leave_asked = false;
    if (used)
        return a == ACTION_SEND || a == ACTION_NEWLINE || a == ACTION_STOP;
    if (l->reader && typed(k)) /* typing leads back to the draft */
        l->reader = false;
    if (!l->reader)
        editor_feed(l->editor, k);
    return !l->reader;
}

/* ---- the pump ----------------------------------------------------------------------------- */

static int poll_ms(const struct loop *l)
{
    int wait = term_wait_ms();
    if (!l->dirty)
        return wait;
    int64_t due = l->frame_ms + FRAME_MS - now_ms();
    int frame = due < 0 ? 0 : (int)due;
    return wait >= 0 && wait < frame ? wait : frame;
}

static bool pump(void *data)
{
    struct loop *l = data;
    struct pollfd fds[3] = {{term_fd(), POLLIN, 0},
                            {l->talk.worker ? worker_fd(l->talk.worker) : -1, POLLIN, 0},
                            {signals_fd(), POLLIN, 0}};
    const struct key esc = {.code = KEYCODE_ESC};
    bool fed = editor_esc_spare(l->editor) && act(l, ACTION_STOP, &esc);
    while (!l->leaving) {
        struct key k;
        while (!fed && !l->leaving && term_read(&k)) /* what the next key means may hang on */
            fed = take_key(l, &k);                   /* what the editor makes of this one */
        if (l->talk.worker)
            talk_events(&l->talk);
        if (fed || l->leaving)
            return fed;
        if (l->dirty && now_ms() - l->frame_ms >= FRAME_MS)
            draw(l);
        poll(fds, 3, poll_ms(l));
        if (signals_take())
            l->leaving = true;
    }
    return false;
}

static void send_line(struct loop *l, const char *line)
{
    const char *args;
    struct key none = {0};
    enum action a = command_line(&l->talk, line, &args);
    if (a == ACTION_SET)
        set_setting(l, args);
    else if (a != ACTION_NONE)
        act(l, a, &none);
    l->dirty = true;
}

static void run(struct loop *l)
{
    while (!l->leaving) {
        char *line = editor_read(l->editor, pump, l);
        if (!line)
            break;
        send_line(l, line);
        free(line);
    }
}

/* ---- setting up and tearing down ----------------------------------------------------------- */

static const char *theme_name(const struct options *o)
{
    const char *colors = getenv("COLORFGBG"); /* "foreground;background", of some terminals */
    const char *back = colors ? strrchr(colors, ';') : NULL;
    if (o->theme)
        return o->theme;
    return back && (strcmp(back, ";7") == 0 || strcmp(back, ";15") == 0) ? "light" : "dark";
}

static bool editor_start(struct loop *l, const struct options *o, char *msg, size_t msg_bytes)
{
    struct err err;
    struct editor_opts eo = {.program = "duet"};
    struct paths paths;
    if (!o->no_save && paths_init(&paths, &err) && paths_make(paths.state, &err))
        eo.history = paths.history;
    l->editor = editor_new(&eo, msg, msg_bytes);
    return l->editor != NULL;
}

static bool screen_start(struct loop *l, const struct options *o, char *msg, size_t msg_bytes)
{
    const char *no_color = getenv("NO_COLOR");
    struct term_opts to = {.color = !o->no_color && !(no_color && *no_color)};
    if (!theme_load(l, theme_name(o), msg, msg_bytes) || !editor_start(l, o, msg, msg_bytes))
        return false;
    signals_init(term_restore);
    if (!term_start(&to, msg, msg_bytes))
        return false;
    term_theme(&l->theme);
    grid_init(&l->grid, 1, 1);
    l->transcript = transcript_new();
    transcript_fold(l->transcript, true);
    return true;
}

/* What is left to say on the ordinary screen. */
static void farewell(const struct loop *l, const char *id)
{
    if (*id)
        printf("saved: duet --session %s\n", id);
    if (l->status == STATUS_MODEL)
        fprintf(stderr, "duet: the model could not be opened\n");
}

int screen_run(const struct options *o, const char *model, bool *started)
{
    struct loop l = {.entry = -1};
    struct front front = {.data = &l, .question = on_question, .part = on_part, .text = on_text,
                          .done = on_done, .note = on_note, .reset = on_reset, .event = on_event};
    struct err err;
    char msg[256] = "", id[80] = "";
    *started = screen_start(&l, o, msg, sizeof msg);
    if (!*started) {
        fprintf(stderr, "duet: no screen here: %s\n", msg);
        editor_free(&l.editor);
        return STATUS_USAGE;
    }
    bool open = talk_open(&l.talk, o, &front, &err);
    if (open) {
        draw(&l);
        open = talk_start(&l.talk, local_new(model, o), &err);
    }
    if (open)
        run(&l);
    if (l.talk.stored)
        snprintf(id, sizeof id, "%s", l.talk.store.id);
    if (l.talk.state == TALK_FAILED)
        l.status = STATUS_MODEL;
    hint(&l, false, "saving");
    if (open)
        draw(&l);
    talk_close(&l.talk);
    term_stop();
    editor_free(&l.editor);
    overlay_close(&l);
    transcript_free(&l.transcript);
    grid_release(&l.grid);
    if (!open) {
        fprintf(stderr, "duet: %s\n", err.msg);
        return STATUS_SESSION;
    }
    farewell(&l, id);
    return l.status;
}
