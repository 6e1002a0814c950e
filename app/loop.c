/* loop.c -- the full screen: the UI thread's event pump between terminal, worker and editor.
 *
 * The pump is libedit's input hook (see ui/editor.h): it drains the terminal and the worker, acts,
 * and draws at most one frame a thirtieth of a second, a sixtieth behind a key, only when something
 * changed and no key waits. It returns when a key belongs to the editor. Actions change state and
 * set `dirty`; only draw() draws. */
#include "app/fronts.h"
#include "app/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/aloud.h"
#include "app/attach.h"
#include "app/clock.h"
#include "app/command.h"
#include "app/complete.h"
#include "app/out.h"
#include "app/program.h"
#include "app/signals.h"
#include "app/trace.h"
#include "ui/term.h"

enum { FRAME_MS = 33, KEY_FRAME_MS = 16, SCROLL_ROWS = 3, THEME_ROWS = 9 };

void loop_hint(struct loop *l, bool error, const char *text)
{
    snprintf(l->hint, sizeof l->hint, "%s", text);
    l->hint_error = error;
    l->dirty = true;
}

/* ---- drawing ------------------------------------------------------------------------------ */

static void view_strip(struct loop *l, struct view *v)
{
    const struct talk *t = &l->talk;
    enum slice_form form = slices_form(&t->far);
    if (l->slices_at != t->ctx_used || l->slices_turns != t->c.n_turn || l->slices_form != form ||
        l->slices_exact != t->exact.n) {
        slices_build(&l->slices, &t->c, t->ctx_used, t->turn >= 0 ? t->turn_mode : t->c.mode,
                     form, &t->exact);
        l->slices_at = t->ctx_used;
        l->slices_turns = t->c.n_turn;
        l->slices_form = form;
        l->slices_exact = t->exact.n;
    }
    v->strip = (struct strip){.slice = l->slices.slice, .n = l->slices.n, .total = t->info.n_ctx};
    int bar = l->overlay == OVERLAY_SLICES ? list_chosen(l->list) : -1;
    if (bar >= 0 && bar < l->slices.n)
        slices_at(&l->slices, bar, &v->strip.mark_from, &v->strip.mark_to);
    if (l->overlay == OVERLAY_EXACT) {
        v->strip.mark_from = l->reread.from;
        v->strip.mark_to = l->reread.to;
    }
}

/* What sending the draft will cost. The worker alone has the words' numbers: the bytes tell about
 * how many there will be, with those that stand around any question. */
static void view_draft(const struct loop *l, struct view *v)
{
    enum { BYTES_A_TOKEN = 4, AROUND = 8 };
    if (!v->draft.bytes || *v->draft.text == '/' || talk_busy(&l->talk))
        return;
    v->draft_tokens = (int)((v->draft.whole + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN) + AROUND;
    v->re_read = l->cost;
    v->first_s = talk_read_seconds(&l->talk, v->draft_tokens + l->cost);
}

/* The mode that is suggested for the draft; for none, what the last answer's first token said. */
static const struct suggestion *suggested(struct loop *l, const struct editor_view *d)
{
    const struct talk *t = &l->talk;
    struct suggestion *s = &l->suggestion;
    l->suggest_no = l->suggest_no && d->bytes > 0;
    if (!d->bytes && t->suggestion.any && t->suggestion.first_told) {
        s->any = false;   /* the draft's, which is sent: F7 and F8 mean this one */
        buf_clear(&l->suggested_for);
        return &t->suggestion;
    }
    if (!t->suggests || l->suggest_no || !d->bytes || *d->text == '/' || talk_busy(t)) {
        s->any = false;
        buf_clear(&l->suggested_for);
        return s;
    }
    bool same = l->suggested_for.bytes == d->bytes &&
                memcmp(buf_text(&l->suggested_for), d->text, d->bytes) == 0;
    if (!same || l->suggested_in != t->c.mode) {
        buf_clear(&l->suggested_for);
        buf_append(&l->suggested_for, d->text, d->bytes);
        l->suggested_in = t->c.mode;
        suggest_mode(&t->c.settings, t->c.mode, d->text, d->bytes, s);
    }
    return s;
}

/* How that is told, with the keys that take or dismiss it; "" = nothing to say. */
static const char *suggestion(struct loop *l, const struct view *v)
{
    const struct suggestion *s = suggested(l, &v->draft);
    l->chip[0] = 0;
    if (s->any)
        snprintf(l->chip, sizeof l->chip, "%s %s  %s no  (%s)",
                 keymap_help(ACTION_SUGGEST)->keys_editor, mode_get(s->mode)->title,
                 keymap_help(ACTION_SUGGEST_NO)->keys_editor, s->why);
    return l->chip;
}

static void view_fill(struct loop *l, struct view *v)
{
    const struct talk *t = &l->talk;
    const struct mode *m = mode_get(t->c.mode);
    bool meter = t->state == TALK_READING || t->state == TALK_RESUMING || talk_reads(t);
    memset(v, 0, sizeof *v);
    v->spots = &l->spots;
    v->ascii = t->options->ascii || l->wide;
    v->mode = m->title;
    v->mode_style = (enum style)m->style;
    v->thinks = settings_row(&t->c.settings, t->c.mode)->think != MODE_THINK_NONE;
    buf_clear(&l->settings);
    settings_describe(&t->c.settings, t->c.mode, &l->settings);
    v->settings = buf_text(&l->settings);
    v->title = *t->c.title ? t->c.title : "new conversation";
    v->model = t->info.name;
    v->ctx_used = t->ctx_used;
    v->ctx_total = t->info.n_ctx;
    v->kv_bytes = t->kv_bytes;
    v->kv_share = t->far.f16_bytes ? (double)t->far.memory_bytes / (double)t->far.f16_bytes : 0;
    view_strip(l, v);
    v->transcript = l->transcript;
    v->list = l->list;
    v->list_rows = l->overlay == OVERLAY_THEMES  ? THEME_ROWS
                   : l->overlay == OVERLAY_DOUBT ? doubt_view_rows(l)
                                                 : 0;
    tray_view_rows(l, v);
    editor_view(l->editor, &v->draft);
    v->reader = l->reader;
    v->queued = t->n_queue;
    for (int i = 0; i < VIEW_WAITING; i++)
        v->waiting[i] = talk_queued(t, i);
    v->empty = l->welcome;
    v->state = t->fold.running ? "folding" : talk_state_name(t->state);
    v->done = meter ? t->done : 0;
    v->total = meter ? t->total : 0;
    v->held = meter ? t->held : 0;
    v->read_tok_s = meter ? t->reading_tok_s : 0;
    const struct tray_row *first = &t->tray.row[0];
    v->tok_s = t->turn >= 0 && first->tokens > 1 && first->seconds > 0
                   ? first->tokens / first->seconds
                   : t->tok_s;
    v->re_read = t->re_read;
    view_draft(l, v);
    v->drafted = t->drafted;
    v->accepted = t->accepted;
    v->search = l->searching || (l->reader && l->search.bytes) ? buf_text(&l->search) : NULL;
    v->search_typed = l->searching;
    v->found = transcript_found(l->transcript, &v->found_now);
    v->beside = l->beside;
    v->heading = l->sessions ? sessions_heading(l) : l->heading[1];
    if (l->panes)
        v->heading_first = l->heading[0];
    v->second_alone = l->pane_second;
    v->hint = l->panes       ? panes_hint(l)
              : l->list      ? overlay_hint(l)
              : l->searching ? "Esc end  Enter keep"
                             : look_tips(l);
    v->message = l->hint;
    v->message_is_error = l->hint_error;
    v->chip = l->list ? "" : suggestion(l, v);
}

static void draw(struct loop *l)
{
    for (int k = 0; k < 2; k++)
        panes_heading(l, k, l->heading[k], sizeof l->heading[k]);
    struct view v;
    int rows, cols, row, col;
    term_size(&rows, &cols);
    if (rows != l->grid.rows || cols != l->grid.cols) {
        grid_resize(&l->grid, rows, cols);
        editor_resize(l->editor, screen_editor_cols(cols));
    }
    view_fill(l, &v);
    screen_draw(&l->grid, &v, &row, &col);
    if (doubt_view_follow(l))
        screen_draw(&l->grid, &v, &row, &col);
    term_flush(&l->grid, row, col);
    trace_event("frame", cols);
    l->dirty = l->touched = false;
    l->frame_ms = clock_ms();
}

/* ---- actions ------------------------------------------------------------------------------ */

static bool draft_empty(struct loop *l)
{
    struct editor_view v;
    editor_view(l->editor, &v);
    return v.bytes == 0;
}

/* Busy: stop. A draft: into the history. Nothing: say how to leave, then leave. Esc never leaves
 * and, with nothing to stop, is the editor's (vi). */
static bool stop(struct loop *l, bool esc)
{
    if (talk_busy(&l->talk) || l->talk.state == TALK_RESUMING || talk_reads(&l->talk)) {
        talk_stop(&l->talk);
        loop_hint(l, false, STOPPING);
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
    loop_hint(l, false, "Ctrl+C again to leave; all is saved");
    return true;
}

/* The page of an empty conversation scrolls as a list does. */
static void scroll(struct loop *l, int rows)
{
    const struct key page = {.code = rows < 0 ? KEYCODE_PGUP : KEYCODE_PGDN};
    if (!transcript_count(l->transcript))
        list_key(l->welcome, &page);
    transcript_scroll(l->transcript, rows);
    if (l->panes)
        transcript_scroll(l->beside, rows);
    l->dirty = true;
}

static void turn(struct loop *l, int step)
{
    const char *edge = step < 0 ? "the conversation begins here" : "the conversation ends here";
    if (!transcript_turn(l->transcript, step))
        loop_hint(l, false, edge);
}

static void fold(struct loop *l)
{
    bool folded = !transcript_folded(l->transcript);
    transcript_fold(l->transcript, folded);
    const char *done = folded ? "thinking is folded" : "thinking is unfolded";
    loop_hint(l, false, transcript_thoughts(l->transcript) ? done : "there is no thinking here");
}

static int page(const struct loop *l)
{
    return l->grid.rows > 12 ? l->grid.rows - 8 : SCROLL_ROWS;
}

static void suspend(struct loop *l)
{
    term_suspend();
    signals_continued(); /* it is back already */
    l->dirty = true;
}

static bool typed(const struct key *k)
{
    return k->code == KEYCODE_CHAR && k->mod == 0;
}

static void complete(struct loop *l)
{
    struct buf insert = {0}, choices = {0};
    struct editor_view v;
    struct store_entry *e = NULL;
    struct err err;
    int n = 0;
    editor_view(l->editor, &v);
    if (!store_list(l->talk.paths.sessions, &e, &n, &err))
        n = 0;
    if (!complete_line(v.text, v.caret, e, n, &insert, &choices))
        loop_hint(l, false, "nothing to complete here");
    else if (choices.bytes)
        loop_hint(l, false, buf_text(&choices));
    if (insert.bytes)
        editor_insert(l->editor, insert.data, insert.bytes);
    free(e);
    buf_release(&insert);
    buf_release(&choices);
}

static void unqueue(struct loop *l)
{
    char *text = talk_unqueue(&l->talk);
    if (text)
        editor_set(l->editor, text, strlen(text));
    else
        loop_hint(l, false, "no message waits");
    free(text);
}

/* What the mode is like that was just changed to; a running reply says so itself. */
static void mode_said(struct loop *l, enum mode_id before)
{
    const struct mode *m = mode_get(l->talk.c.mode);
    if (m->id != before && !talk_busy(&l->talk))
        loop_hint(l, false, m->help);
}

/* Takes the mode that is suggested: for the draft, else for the last question. */
static void suggest(struct loop *l)
{
    const char *args;
    if (l->suggestion.any)
        talk_mode(&l->talk, l->suggestion.mode);
    else if (l->talk.suggestion.any && l->talk.suggestion.first_told)
        command_line(&l->talk, "/suggest yes", &args);
    else
        loop_hint(l, false, "no other mode is suggested");
}

static void suggest_no(struct loop *l)
{
    bool any = l->suggestion.any || l->talk.suggestion.any;
    l->suggest_no = true;
    if (!l->suggestion.any)
        l->talk.suggestion.any = false;
    loop_hint(l, false, any ? "dismissed; /suggest off suggests no more modes"
                            : "no other mode is suggested");
}

/* The draft in both modes; without one the last question. */
static void ask_both(struct loop *l)
{
    struct buf draft = {0};
    editor_whole(l->editor, &draft);
    if (panes_ask(l, buf_text(&draft)) && draft.bytes)
        editor_clear(l->editor, true);
    buf_release(&draft);
}

/* A file into the draft, as if it were pasted. */
static void attach(struct loop *l, const char *path)
{
    struct buf text = {0};
    struct err err;
    if (attach_file(path, &text, &err))
        editor_insert(l->editor, buf_text(&text), text.bytes);
    else
        shown_note(l, true, err.msg);
    buf_release(&text);
}

/* An earlier question into the draft, to be asked otherwise in a branch. */
static void branch(struct loop *l, const char *args)
{
    char *question = command_branch(&l->talk, args, transcript_question(l->transcript));
    if (!question)
        return;
    editor_set(l->editor, question, strlen(question));
    reader_leave(l);
    free(question);
}

/* Another answer to the question in view. What was said behind an earlier one followed from the
 * answer that was chosen there: that stays in its session, and the other answer goes on in a
 * branch, which says so where it stays. */
static void flip(struct loop *l, int step)
{
    struct talk *t = &l->talk;
    char text[160];
    int last = t->c.n_turn - 1;
    int turn = l->reader ? transcript_question(l->transcript) : last;
    if (turn >= 0 && turn <= last && t->c.turn[turn].n_reply < 2) {
        loop_hint(l, false, turn == last ? "there is no other answer to the last question"
                                         : "there is no other answer to this question");
        return;
    }
    bool earlier = turn >= 0 && turn < last;
    if (earlier && !talk_branch(t, turn + 1))
        return;
    talk_flip(t, step);
    if (!earlier)
        return;
    snprintf(text, sizeof text, "a branch of %s, which is as it was", t->c.parent);
    shown_note(l, false, text);
}

/* The turn in view is to be read again. */
static void reread_view(struct loop *l)
{
    char number[16] = "";
    int turn = transcript_question(l->transcript);
    if (turn >= 0)
        snprintf(number, sizeof number, "%d", turn + 1);
    overlay_exact(l, number);
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
    case ACTION_TURN_BACK: turn(l, -1); return true;
    case ACTION_TURN_ON: turn(l, 1); return true;
    case ACTION_SEARCH: reader_search(l); return true;
    case ACTION_FIND_NEXT: reader_find_next(l, true); return true;
    case ACTION_FIND_BACK: reader_find_next(l, false); return true;
    case ACTION_COPY: reader_copy(l, ""); return true;
    case ACTION_COPY_BLOCK:
        l->copying = true;
        loop_hint(l, false, "1-9 a block, a the answer, t the turn");
        return true;
    case ACTION_EDIT: outside_edit(l); return true;
    case ACTION_BARE: outside_bare(l); return true;
    case ACTION_PAGER: outside_pager(l); return true;
    case ACTION_HISTORY: overlay_history(l); return true;
    case ACTION_COMPLETE: complete(l); return true;
    case ACTION_FOLD: fold(l); return true;
    case ACTION_READER: reader_switch(l); return true;
    case ACTION_MOUSE: look_mouse(l, ""); return true;
    case ACTION_SUSPEND: suspend(l); return true;
    case ACTION_REDRAW: term_redraw(); return true;
    case ACTION_HELP: overlay_help(l); return true;
    case ACTION_OPEN: overlay_sessions(l, ""); return true;
    case ACTION_THEME: overlay_themes(l); return true;
    case ACTION_SLICES: overlay_slices(l, 0); return true;
    case ACTION_REREAD: reread_view(l); return true;
    case ACTION_QUIT: l->leaving = true; return true;
    case ACTION_TOGGLE: line = "/toggle"; break;
    case ACTION_UNDO: line = "/undo"; break;
    case ACTION_RETRY: line = "/retry"; break;
    case ACTION_OTHER: line = "/other"; break;
    case ACTION_CANDIDATES:
        if (l->talk.tray.n > 1) {
            tray_view_list(l);
            return true;
        }
        line = "/candidates";
        break;
    case ACTION_DOUBT: doubt_view(l); return true;
    case ACTION_FLIP: flip(l, 1); return true;
    case ACTION_FLIP_BACK: flip(l, -1); return true;
    case ACTION_FORK: line = "/fork"; break;
    case ACTION_MERGE: line = "/merge"; break;
    case ACTION_DIFF: shown_diff(l); return true;
    case ACTION_BRANCH: branch(l, ""); return true;
    case ACTION_BOTH: ask_both(l); return true;
    case ACTION_UNQUEUE: unqueue(l); return true;
    case ACTION_SUGGEST: suggest(l); return true;
    case ACTION_SUGGEST_NO: suggest_no(l); return true;
    default: return false;
    }
    const char *args;
    enum mode_id before = l->talk.c.mode;
    command_line(&l->talk, line, &args);
    mode_said(l, before);
    return true;
}

void loop_act(struct loop *l, enum action a)
{
    const struct key none = {0};
    act(l, a, &none);
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
    if (k->code == KEYCODE_UP && !k->mod && l->talk.n_queue > 0)
        return ACTION_UNQUEUE;
    if (k->code == KEYCODE_CHAR && k->mod == KEY_CTRL && k->ch == 'd')
        return ACTION_QUIT;
    return ACTION_NONE;
}

static bool in(const struct rect *r, const struct key *k)
{
    return k->row >= r->row && k->row < r->row + r->rows && k->col >= r->col &&
           k->col < r->col + r->cols;
}

/* What was clicked at, as it was drawn last. In two panes the first rows are their headings. */
static void point(struct loop *l, const struct key *k)
{
    const struct spots *s = &l->spots;
    struct strip strip = {.slice = l->slices.slice, .n = l->slices.n, .total = l->talk.info.n_ctx};
    if (in(&s->strip, k))
        overlay_slices(l, strip_slice(&strip, k->col - s->strip.col, s->strip.cols));
    else if (l->list && in(&s->list, k))
        overlay_point(l, k->row - s->list.row);
    else if (l->panes && in(&s->beside, k) && k->row == s->beside.row)
        panes_point(l, 1);
    else if (l->panes && k->row == s->transcript.row - 1)
        panes_point(l, 0);
    else if (l->panes && in(&s->beside, k))
        transcript_point(l->beside, k->row - s->beside.row - 1);
    else if (in(&s->transcript, k))
        transcript_point(l->transcript, k->row - s->transcript.row);
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
    if (k->code == KEYCODE_DARK || k->code == KEYCODE_LIGHT) {
        look_colors(l, k->code == KEYCODE_LIGHT);
        return false;
    }
    if (k->code == KEYCODE_WIDE) {
        look_wide(l);
        return false;
    }
    l->dirty = l->touched = true;
    worker_stir(l->talk.worker);
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
    if (k->code == KEYCODE_CLICK) {
        bool drafts = l->overlay == OVERLAY_HISTORY;
        point(l, k);
        return drafts && l->overlay == OVERLAY_NONE; /* the chosen draft is the editor's */
    }
    if (l->list)
        return overlay_key(l, k);
    if (reader_key(l, k) || ((l->reader || draft_empty(l)) && panes_key(l, k)))
        return false;
    if (k->code == KEYCODE_ESC && !l->reader && editor_takes_esc(l->editor)) {
        editor_feed(l->editor, k);
        return true;
    }
    enum key_context context = l->reader ? CONTEXT_READER : CONTEXT_EDITOR;
    enum action a = empty_draft_action(l, k);
    struct key first = l->prefix;
    l->prefix = (struct key){0};
    if (first.code)
        a = keymap_sequence(context, &first, k);
    if (first.code && a == ACTION_NONE) /* it was not ours */
        editor_feed(l->editor, &first);
    else if (!first.code && keymap_begins(context, k)) {
        l->prefix = *k;
        return false;
    }
    if (a == ACTION_NONE)
        a = keymap_action(context, k);
    bool used = a != ACTION_NONE && act(l, a, k);
    if (asked && a != ACTION_STOP)
        l->leave_asked = false;
    if (used)
        return first.code || a == ACTION_SEND || a == ACTION_NEWLINE || a == ACTION_STOP ||
               a == ACTION_COMPLETE || a == ACTION_BRANCH || a == ACTION_BOTH ||
               a == ACTION_UNQUEUE;
    if (l->reader && typed(k)) /* typing leads back to the draft */
        reader_leave(l);
    if (!l->reader)
        editor_feed(l->editor, k);
    return !l->reader;
}

/* ---- the pump ----------------------------------------------------------------------------- */

/* What a person does is answered at 60 frames a second, what a model says at 30. */
static int frame_wait(const struct loop *l)
{
    return l->touched ? KEY_FRAME_MS : FRAME_MS;
}

static int poll_ms(const struct loop *l)
{
    int wait = term_wait_ms();
    if (!l->dirty)
        return wait;
    int64_t due = l->frame_ms + frame_wait(l) - clock_ms();
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
        if (l->dirty && clock_ms() - l->frame_ms >= frame_wait(l))
            draw(l);
        bool more = l->sessions && sessions_work(l);
        poll(fds, 3, more ? 0 : poll_ms(l));
        if (signals_take())
            l->leaving = true;
        if (signals_continued()) {
            term_return();
            l->dirty = true;
        }
    }
    return false;
}

static void look_for(struct loop *l, const char *text)
{
    l->reader = true;
    reader_find(l, text);
}

static void send_line(struct loop *l, const char *line)
{
    const char *args;
    enum mode_id before = l->talk.c.mode;
    enum action a = command_line(&l->talk, line, &args);
    mode_said(l, before);
    if (a == ACTION_THEME && *args)
        look_theme(l, args);
    else if (a == ACTION_COPY)
        reader_copy(l, args);
    else if (a == ACTION_SEARCH && *args)
        look_for(l, args);
    else if (a == ACTION_BRANCH)
        branch(l, args);
    else if (a == ACTION_ATTACH)
        attach(l, args);
    else if (a == ACTION_MOUSE)
        look_mouse(l, args);
    else if (a == ACTION_UNICODE)
        look_unicode(l, args);
    else if (a == ACTION_BOTH)
        panes_ask(l, args);
    else if (a == ACTION_FIND)
        overlay_sessions(l, args);
    else if (a == ACTION_REREAD)
        overlay_exact(l, args);
    else if (a != ACTION_NONE)
        loop_act(l, a);
    else /* what it says, now or later, is to be seen */
        transcript_to(l->transcript, true);
    l->dirty = true;
}

static void run(struct loop *l)
{
    while (!l->leaving) {
        char *line = editor_read(l->editor, pump, l);
        if (!line)
            break;
        l->sending = true;
        send_line(l, line);
        l->sending = false;
        free(line);
    }
}

/* ---- setting up and tearing down ----------------------------------------------------------- */

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

/* Nothing was ever typed here. */
static bool first_start(void)
{
    struct paths paths;
    struct err err;
    return paths_init(&paths, &err) && access(paths.history, F_OK) != 0;
}

static bool screen_start(struct loop *l, const struct options *o, char *msg, size_t msg_bytes)
{
    const char *no_color = getenv("NO_COLOR");
    struct term_opts to = {.color = !o->no_color && !(no_color && *no_color),
                           .mouse = o->mouse};
    signals_init(term_restore);
    if (!look_start(l, o, msg, msg_bytes) || !editor_start(l, o, msg, msg_bytes))
        return false;
    if (!term_start(&to, msg, msg_bytes))
        return false;
    term_theme(&l->theme);
    grid_init(&l->grid, 1, 1);
    l->transcript = transcript_new();
    l->welcome = overlay_welcome(first_start());
    transcript_fold(l->transcript, true);
    return true;
}

/* What is left to say on the ordinary screen, whose scrollback has nothing of the other. */
static void farewell(const struct loop *l, const struct buf *last, const char *id)
{
    program_write(STDOUT_FILENO, buf_text(last), last->bytes);
    if (*id)
        out_printf(stdout, "saved: duet --session %s\n", id);
    if (l->status == STATUS_MODEL)
        out_printf(stderr, "duet: the model could not be opened\n");
}

int screen_run(const struct options *o, const char *model, bool *started)
{
    struct loop l = {.entry = -1, .siblings = -1, .note = -1};
    struct front front = shown_front(&l);
    struct err err;
    char msg[256] = "", id[80] = "";
    *started = screen_start(&l, o, msg, sizeof msg);
    if (!*started) {
        term_restore();
        out_printf(stderr, "duet: no screen here: %s\n", msg);
        editor_free(&l.editor);
        return STATUS_USAGE;
    }
    bool open = talk_open(&l.talk, o, &front, &err);
    if (open) {
        draw(&l);
        open = talk_start(&l.talk, local_new(model, o), &err);
    }
    if (open) {
        look_keys_said(&l);
        run(&l);
    }
    if (l.talk.stored && l.talk.begun && !l.talk.fresh_branch)
        snprintf(id, sizeof id, "%s", l.talk.store.id);
    if (l.talk.state == TALK_FAILED)
        l.status = STATUS_MODEL;
    struct buf last = {0};
    loop_hint(&l, false, "saving");
    if (open) {
        draw(&l);
        aloud_last(&l.talk, &last);
    }
    talk_close(&l.talk);
    term_stop();
    editor_free(&l.editor);
    overlay_close(&l);
    tray_view_close(&l);
    names_release(&l.themes);
    slices_release(&l.slices);
    transcript_free(&l.transcript);
    grid_release(&l.grid);
    buf_release(&l.search);
    buf_release(&l.looked_for);
    buf_release(&l.tips);
    buf_release(&l.said);
    buf_release(&l.settings);
    buf_release(&l.suggested_for);
    buf_release(&l.keys_said);
    if (open)
        farewell(&l, &last, id);
    else
        out_printf(stderr, "duet: %s\n", err.msg);
    buf_release(&last);
    return open ? l.status : STATUS_SESSION;
}
