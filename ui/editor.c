/* editor.c -- see editor.h. The only file that includes libedit.
 *
 * libedit lives in a pty of its own and writes to /dev/null: it cannot touch the real terminal,
 * whatever a user's ~/.editrc says. It runs in its normal, buffered mode; its request for a
 * character (EL_GETCFN) is where the program runs, so that a read inside a command (search,
 * quoted insert) keeps everything alive too.
 *
 * What the program and the special keys want reaches libedit as one of the 32 C1 characters,
 * which are bound to editor_key() below or to functions of libedit. They are bound after the
 * user's file was read (`bind -v` wipes all bindings), in both maps of vi. The terminal's own C1
 * characters never get here: decode.c drops them. */
#include "ui/editor.h"

#include <assert.h>
#include <fcntl.h>
#include <histedit.h>
#include <pty.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "ui/buf.h"
#include "ui/history.h"
#include "ui/text.h"
#include "ui/wrap.h"

enum code {
    CODE_SEND = 0x80, /* editor_key() takes those up to CODE_OWN_LAST */
    CODE_NEWLINE,
    CODE_CLEAR,
    CODE_CLEAR_KEEP, /* clear, the draft goes into the history */
    CODE_SET,
    CODE_PASTE,
    CODE_LEFT,
    CODE_RIGHT,
    CODE_BACKSPACE,
    CODE_DELETE,
    CODE_UP,
    CODE_DOWN,
    CODE_HOME,
    CODE_END,
    CODE_OWN_LAST = CODE_END,
    CODE_PREV_WORD,
    CODE_NEXT_WORD,
    CODE_PREV_HISTORY,
    CODE_NEXT_HISTORY,
    CODE_KILL_PREV_WORD,
    CODE_KILL_NEXT_WORD,
    CODE_ESC,
};

enum {
    PTY_ROWS = 200,       /* so tall that libedit hardly ever scrolls its picture */
    HISTORY_COPY = 1024,  /* what libedit keeps of a draft it leaves for the history */
    CLUSTER_LOOK = 64,    /* characters looked at for the cluster beside the caret */
    IDLE_READS = 2,       /* reads in a row that asked for no character: libedit is broken */
    STUBS_MAX = 200,      /* pastes folded in one draft */
    STUB_FIRST = 0x10F000, /* the character that stands for the first of them: for private use */
};

/* Something on its way to libedit: a character, or a code with its text. */
struct item {
    wchar_t wc;
    char *text; /* owned, NULL = none */
    size_t bytes, caret;
};

/* A long paste is one character of the draft, so that it is moved over and deleted as one. */
struct stub {
    char *text; /* owned */
    size_t bytes;
    char label[48];
};

struct editor {
    EditLine *el;
    HistoryW *history;
    char *path;
    FILE *null;
    int master, slave;
    int cols;

    bool (*pump)(void *data);
    void *data;

    struct item *queue; /* [queue_cap], from queue_at to queue_n to be taken */
    int queue_at, queue_n, queue_cap;
    struct item given;  /* the code libedit has been given and has not acted on yet; wc 0 = none */
    int tries;

    bool reading, leaving, asked;
    bool esc_spare;
    bool searched;     /* a key that may start a search was fed */
    int goal;          /* the column that moving by rows aims at, -1 = the caret's */
    char *sent;        /* the draft that was sent, owned; ends the read */

    struct stub stub[STUBS_MAX];
    int n_stub;

    struct buf draft;  /* the draft while nobody reads, stubs as their characters */
    size_t draft_caret;
    struct buf view;   /* what editor_view() lends out */

    wchar_t *left;     /* [n_left] the draft that was left for the history, NULL = not there */
    size_t n_left;
};

/* ---- text in and out ---------------------------------------------------------------------- */

static void put_wide(struct buf *out, const wchar_t *text, size_t n)
{
    char utf8[4];
    for (size_t i = 0; i < n; i++) {
        if (text[i] > 0 && text[i] < 0x80) {
            char c = (char)text[i];
            buf_append(out, &c, 1);
        } else {
            buf_append(out, utf8, (size_t)text_encode((uint32_t)text[i], utf8));
        }
    }
}

/* What may stand in a draft: no control but line end and tab. */
static bool is_text(uint32_t ch)
{
    return ch == '\n' || ch == '\t' || (ch >= 0x20 && ch != 0x7F && !(ch >= 0x80 && ch < 0xA0));
}

static bool is_stub(uint32_t ch)
{
    return ch >= STUB_FIRST && ch < STUB_FIRST + STUBS_MAX;
}

/* Owned by the caller, terminated. */
static wchar_t *to_wide(const char *text, size_t bytes, size_t *n)
{
    wchar_t *out = mem_new((bytes + 1) * sizeof *out);
    size_t used;
    *n = 0;
    for (size_t at = 0; at < bytes; at += used) {
        uint32_t ch = text_decode(text + at, bytes - at, &used);
        if (is_text(ch))
            out[(*n)++] = (wchar_t)ch;
    }
    return out;
}

/* The characters in the first `bytes` bytes. */
static size_t count_chars(const char *text, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static size_t line_chars(const LineInfoW *l)
{
    return (size_t)(l->lastchar - l->buffer);
}

static size_t caret_chars(const LineInfoW *l)
{
    return (size_t)(l->cursor - l->buffer);
}

/* What a character of the draft becomes: a stub its label, or all it stands for. */
static void put_shown(const struct editor *ed, struct buf *out, wchar_t wc, bool whole)
{
    int i = (int)(wc - STUB_FIRST);
    if (!is_stub((uint32_t)wc) || i >= ed->n_stub)
        put_wide(out, &wc, 1);
    else if (whole)
        buf_append(out, ed->stub[i].text, ed->stub[i].bytes);
    else
        buf_puts(out, ed->stub[i].label);
}

/* Characters as UTF-8, stubs by their labels, or with `whole` by their texts. */
static void put_line(const struct editor *ed, struct buf *out, const wchar_t *text, size_t n,
                     bool whole)
{
    for (size_t i = 0; i < n; i++)
        put_shown(ed, out, text[i], whole);
}

/* The text from libedit as it is shown, and the caret in bytes. */
static void take_line(struct editor *ed, struct buf *out, size_t *caret)
{
    const LineInfoW *l = el_wline(ed->el);
    size_t at = caret_chars(l);
    buf_clear(out);
    put_line(ed, out, l->buffer, at, false);
    *caret = out->bytes;
    put_line(ed, out, l->buffer + at, line_chars(l) - at, false);
}

/* All of it, as it is sent. */
static void take_whole(struct editor *ed, struct buf *out)
{
    const LineInfoW *l = el_wline(ed->el);
    put_line(ed, out, l->buffer, line_chars(l), true);
}

/* The characters before a place in the text as it is shown. */
static size_t chars_before(struct editor *ed, size_t at)
{
    const LineInfoW *l = el_wline(ed->el);
    struct buf shown = {0};
    size_t n = 0, done = 0;
    for (; n < line_chars(l) && done < at; n++) {
        buf_clear(&shown);
        put_shown(ed, &shown, l->buffer[n], false);
        done += shown.bytes;
    }
    buf_release(&shown);
    return n;
}

/* ---- changing libedit's line -------------------------------------------------------------- */

static void move_to(struct editor *ed, size_t at)
{
    el_cursor(ed->el, (int)((long)at - (long)caret_chars(el_wline(ed->el))));
}

static void line_clear(struct editor *ed)
{
    size_t n = line_chars(el_wline(ed->el));
    move_to(ed, n);
    el_deletestr(ed->el, (int)n);
}

static void line_insert(struct editor *ed, const char *text, size_t bytes)
{
    size_t n;
    wchar_t *wide = to_wide(text, bytes, &n);
    if (n)
        el_winsertstr(ed->el, wide);
    free(wide);
}

static void line_set(struct editor *ed, const struct item *it)
{
    line_clear(ed);
    line_insert(ed, it->text, it->bytes);
    move_to(ed, count_chars(it->text, it->caret));
}

/* ---- stubs -------------------------------------------------------------------------------- */

static bool is_long(const char *text, size_t bytes)
{
    int lines = 1;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    return lines > EDITOR_FOLD_LINES || bytes > EDITOR_FOLD_BYTES;
}

/* The text without what may not stand in a draft. */
static char *clean(const char *text, size_t bytes, size_t *n)
{
    struct buf out = {0};
    size_t used;
    for (size_t at = 0; at < bytes; at += used) {
        uint32_t ch = text_decode(text + at, bytes - at, &used);
        if (is_text(ch) && !is_stub(ch))
            buf_append(&out, text + at, used);
    }
    *n = out.bytes;
    return buf_take(&out);
}

static void stub_label(struct stub *s)
{
    size_t lines = 1;
    for (size_t i = 0; i + 1 < s->bytes; i++)
        lines += s->text[i] == '\n';
    snprintf(s->label, sizeof s->label, "[paste: %zu line%s, %zu %s]", lines, lines == 1 ? "" : "s",
             s->bytes < 10000 ? s->bytes : s->bytes / 1000, s->bytes < 10000 ? "bytes" : "kB");
}

static void insert_paste(struct editor *ed, const char *text, size_t bytes)
{
    if (!is_long(text, bytes) || ed->n_stub == STUBS_MAX) {
        line_insert(ed, text, bytes);
        return;
    }
    wchar_t wc[2] = {STUB_FIRST + ed->n_stub, 0};
    struct stub *s = &ed->stub[ed->n_stub++];
    s->text = clean(text, bytes, &s->bytes);
    stub_label(s);
    el_winsertstr(ed->el, wc);
}

static void stubs_forget(struct editor *ed)
{
    while (ed->n_stub)
        free(ed->stub[--ed->n_stub].text);
}

/* ---- history ------------------------------------------------------------------------------ */

static void remember_wide(struct editor *ed, const wchar_t *text)
{
    HistEventW ev;
    history_w(ed->history, &ev, H_ENTER, text);
}

static void remember_loaded(void *data, const char *text, size_t bytes)
{
    size_t n;
    wchar_t *wide = to_wide(text, bytes, &n);
    if (n)
        remember_wide(data, wide);
    free(wide);
}

static void remember(struct editor *ed, const char *text, size_t bytes)
{
    HistEventW ev;
    size_t n;
    wchar_t *wide = to_wide(text, bytes, &n);
    bool again = history_w(ed->history, &ev, H_FIRST) == 0 && wcscmp(ev.str, wide) == 0;
    if (n && !again) {
        remember_wide(ed, wide);
        if (ed->path)
            history_append(ed->path, text, bytes);
    }
    free(wide);
}

static void left_forget(struct editor *ed)
{
    free(ed->left);
    ed->left = NULL;
}

/* libedit asks the history through here. When it does so first, the draft is still in its line:
 * it keeps only the first 1,024 characters of it itself, and would come back with stale memory
 * behind them (measured with 3.1-20221030). */
static int ask_history(void *data, HistEventW *ev, int op, ...)
{
    struct editor *ed = data;
    va_list ap;
    va_start(ap, op);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if (!ed->left && ed->reading) {
        const LineInfoW *l = el_wline(ed->el);
        ed->n_left = line_chars(l);
        ed->left = mem_new((ed->n_left + 1) * sizeof *ed->left);
        wmemcpy(ed->left, l->buffer, ed->n_left);
    }
    return history_w(ed->history, ev, op, arg);
}

/* Is the line what libedit has kept of the draft? Then the whole draft comes back. */
static void left_restore(struct editor *ed)
{
    if (!ed->left)
        return;
    const LineInfoW *l = el_wline(ed->el);
    size_t n = ed->n_left < HISTORY_COPY ? ed->n_left : HISTORY_COPY;
    if (line_chars(l) != ed->n_left || wmemcmp(l->buffer, ed->left, n) != 0)
        return;
    if (wmemcmp(l->buffer, ed->left, ed->n_left) != 0) {
        line_clear(ed);
        el_winsertstr(ed->el, ed->left);
    }
    left_forget(ed);
}

/* ---- what the codes do -------------------------------------------------------------------- */

/* The start of the cluster before the caret, or the end of the one behind it, in characters. */
static size_t cluster_edge(const LineInfoW *l, bool forward)
{
    size_t at = caret_chars(l), end = line_chars(l);
    size_t look = forward ? end - at : at;
    look = look < CLUSTER_LOOK ? look : CLUSTER_LOOK;
    if (!look)
        return at;
    struct buf near = {0};
    put_wide(&near, l->buffer + (forward ? at : at - look), look);
    size_t chars;
    if (forward)
        chars = at + count_chars(near.data, text_cluster(near.data, near.bytes));
    else
        chars = at - look + count_chars(near.data, text_cluster_before(near.data, near.bytes));
    buf_release(&near);
    return chars;
}

static void delete_cluster(struct editor *ed, bool forward)
{
    const LineInfoW *l = el_wline(ed->el);
    size_t at = caret_chars(l), to = cluster_edge(l, forward);
    if (forward)
        move_to(ed, to);
    el_deletestr(ed->el, (int)(forward ? to - at : at - to));
}

static void move_line_edge(struct editor *ed, bool end)
{
    const LineInfoW *l = el_wline(ed->el);
    size_t at = caret_chars(l), n = line_chars(l);
    if (end)
        while (at < n && l->buffer[at] != '\n')
            at++;
    else
        while (at && l->buffer[at - 1] != '\n')
            at--;
    move_to(ed, at);
}

/* Whether the history has an entry beyond the one shown: libedit would fetch that one anew, over
 * what was changed in it. The history's own place is the entry shown last. */
static bool history_has(struct editor *ed, bool older)
{
    HistEventW ev;
    if (!older)
        return ed->left != NULL;
    return history_w(ed->history, &ev, ed->left ? H_NEXT : H_FIRST) == 0;
}

/* A row up or down as drawn; beyond the first and the last one, through the history. */
static void move_row(struct editor *ed, int step)
{
    struct buf text = {0};
    size_t caret;
    int row, col;
    take_line(ed, &text, &caret);
    int rows = wrap_find(buf_text(&text), text.bytes, caret, ed->cols, &row, &col);
    if (ed->goal < 0)
        ed->goal = col;
    row += step;
    if (row >= 0 && row < rows) {
        size_t to = wrap_offset(buf_text(&text), text.bytes, row, ed->goal, ed->cols);
        move_to(ed, chars_before(ed, to));
    } else if (history_has(ed, step < 0)) {
        wchar_t push[2] = {step < 0 ? CODE_PREV_HISTORY : CODE_NEXT_HISTORY, 0};
        el_wpush(ed->el, push);
    }
    buf_release(&text);
}

static unsigned char send_draft(struct editor *ed)
{
    struct buf text = {0};
    take_whole(ed, &text);
    free(ed->sent);
    ed->sent = buf_take(&text);
    return CC_NEWLINE;
}

static void clear_draft(struct editor *ed, bool keep)
{
    struct buf text = {0};
    take_whole(ed, &text);
    if (keep)
        remember(ed, buf_text(&text), text.bytes);
    buf_release(&text);
    line_clear(ed);
}

static struct editor *editor_of(EditLine *el)
{
    void *ed = NULL;
    el_wget(el, EL_CLIENTDATA, &ed);
    return ed;
}

static void item_drop(struct item *it)
{
    free(it->text);
    *it = (struct item){0};
}

/* The function libedit calls for the codes of our own. */
static unsigned char editor_key(EditLine *el, wint_t ch)
{
    struct editor *ed = editor_of(el);
    unsigned char what = CC_REFRESH;
    ed->searched = false;
    if (ch != CODE_UP && ch != CODE_DOWN)
        ed->goal = -1;
    switch (ch) {
    case CODE_SEND: what = send_draft(ed); break;
    case CODE_NEWLINE: el_winsertstr(el, L"\n"); break;
    case CODE_CLEAR: clear_draft(ed, false); break;
    case CODE_CLEAR_KEEP: clear_draft(ed, true); break;
    case CODE_LEFT: move_to(ed, cluster_edge(el_wline(el), false)); break;
    case CODE_RIGHT: move_to(ed, cluster_edge(el_wline(el), true)); break;
    case CODE_BACKSPACE: delete_cluster(ed, false); break;
    case CODE_DELETE: delete_cluster(ed, true); break;
    case CODE_UP: move_row(ed, -1); break;
    case CODE_DOWN: move_row(ed, 1); break;
    case CODE_HOME: move_line_edge(ed, false); break;
    case CODE_END: move_line_edge(ed, true); break;
    case CODE_SET:
        if (ed->given.text)
            line_set(ed, &ed->given);
        break;
    case CODE_PASTE:
        if (ed->given.text)
            insert_paste(ed, ed->given.text, ed->given.bytes);
        break;
    default: break;
    }
    item_drop(&ed->given);
    return what;
}

/* Esc in vi's command mode, where it means nothing. */
static unsigned char editor_esc(EditLine *el, wint_t ch)
{
    (void)ch;
    editor_of(el)->esc_spare = true;
    return CC_NORM;
}

/* ---- bindings ----------------------------------------------------------------------------- */

static void bind_code(EditLine *el, int code, const wchar_t *insert, const wchar_t *command)
{
    wchar_t key[8];
    swprintf(key, sizeof key / sizeof key[0], L"\\%03o", (unsigned)code);
    el_wset(el, EL_BIND, key, insert, NULL);
    el_wset(el, EL_BIND, L"-a", key, command, NULL);
}

/* After ~/.editrc and before every read: the user's file, or a command typed to libedit, may have
 * wiped the bindings or switched editing off. */
static void bind_all(EditLine *el)
{
    static const struct {
        int code;
        const wchar_t *name;
    } theirs[] = {
        {CODE_PREV_WORD, L"ed-prev-word"},
        {CODE_NEXT_WORD, L"em-next-word"},
        {CODE_PREV_HISTORY, L"ed-prev-history"},
        {CODE_NEXT_HISTORY, L"ed-next-history"},
        {CODE_KILL_PREV_WORD, L"ed-delete-prev-word"},
        {CODE_KILL_NEXT_WORD, L"em-delete-next-word"},
    };
    el_wset(el, EL_EDITMODE, 1);
    for (int code = CODE_SEND; code <= CODE_OWN_LAST; code++)
        bind_code(el, code, L"duet-key", L"duet-key");
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        bind_code(el, theirs[i].code, theirs[i].name, theirs[i].name);
    bind_code(el, CODE_ESC, L"vi-command-mode", L"duet-esc");
    /* It would start vi on the real terminal. */
    el_wset(el, EL_BIND, L"-a", L"v", L"ed-unassigned", NULL);
}

/* ---- keys to libedit ---------------------------------------------------------------------- */

static void queue_put(struct editor *ed, struct item it)
{
    if (ed->queue_at == ed->queue_n)
        ed->queue_at = ed->queue_n = 0;
    if (ed->queue_n == ed->queue_cap) {
        ed->queue_cap = ed->queue_cap ? ed->queue_cap * 2 : 64;
        ed->queue = mem_grow(ed->queue, (size_t)ed->queue_cap * sizeof *ed->queue);
    }
    ed->queue[ed->queue_n++] = it;
}

static void queue_code(struct editor *ed, wchar_t wc)
{
    queue_put(ed, (struct item){.wc = wc});
}

static void queue_text(struct editor *ed, enum code c, const char *text, size_t bytes, size_t caret)
{
    char *copy = mem_new(bytes + 1);
    memcpy(copy, text, bytes);
    queue_put(ed, (struct item){(wchar_t)c, copy, bytes, caret});
}

static void queue_drop(struct editor *ed)
{
    while (ed->queue_at < ed->queue_n)
        item_drop(&ed->queue[ed->queue_at++]);
    item_drop(&ed->given);
}

/* Something inside libedit has read our code as a plain character (quoted insert, "r" of vi): it
 * is taken out of the line again and given once more. */
static bool give_again(struct editor *ed, wchar_t *wc)
{
    if (!ed->given.wc)
        return false;
    const LineInfoW *l = el_wline(ed->el);
    if (l->cursor > l->buffer && l->cursor[-1] == ed->given.wc)
        el_deletestr(ed->el, 1);
    if (ed->tries++) {
        item_drop(&ed->given);
        return false;
    }
    *wc = ed->given.wc;
    return true;
}

static bool give_next(struct editor *ed, wchar_t *wc)
{
    if (ed->queue_at == ed->queue_n)
        return false;
    struct item it = ed->queue[ed->queue_at++];
    *wc = it.wc;
    if (it.wc >= CODE_SEND && it.wc <= CODE_OWN_LAST) {
        ed->given = it;
        ed->tries = 0;
    } else {
        ed->goal = -1;
    }
    return true;
}

/* Where the search line begins that libedit writes below the draft, n if there is none. */
static size_t search_start(const struct editor *ed, const wchar_t *text, size_t n)
{
    size_t at = n;
    while (at && text[at - 1] != '\n')
        at--;
    if (!ed->searched || !at || n - at < 4)
        return n;
    bool is = wmemcmp(text + at, L"bck", 3) == 0 || wmemcmp(text + at, L"fwd", 3) == 0;
    return is && (text[at + 3] == ':' || text[at + 3] == '?') ? at - 1 : n;
}

static bool is_searching(struct editor *ed)
{
    if (!ed->reading || !ed->searched)
        return false;
    const LineInfoW *l = el_wline(ed->el);
    return search_start(ed, l->buffer, line_chars(l)) < line_chars(l);
}

static void keep_draft(struct editor *ed)
{
    const LineInfoW *l = el_wline(ed->el);
    size_t n = search_start(ed, l->buffer, line_chars(l)), at = caret_chars(l);
    at = at < n ? at : n;
    buf_clear(&ed->draft);
    put_wide(&ed->draft, l->buffer, at);
    ed->draft_caret = ed->draft.bytes;
    put_wide(&ed->draft, l->buffer + at, n - at);
}

/* libedit wants a character: the program runs until there is one. 1 = there is, 0 = the end. */
static int get_char(EditLine *el, wchar_t *wc)
{
    struct editor *ed = editor_of(el);
    int on = 1;
    ed->asked = true;
    el_wget(el, EL_EDITMODE, &on);
    if (!on)
        return 0; /* switched off by a command: begin the read anew */
    left_restore(ed);
    if (give_again(ed, wc))
        return 1;
    while (!ed->leaving) {
        if (give_next(ed, wc))
            return 1;
        if (!ed->pump(ed->data)) {
            keep_draft(ed);
            ed->leaving = true;
        }
    }
    return 0;
}

/* ---- the door: life ----------------------------------------------------------------------- */

static wchar_t *no_prompt(EditLine *el)
{
    static wchar_t none[1];
    (void)el;
    return none;
}

static bool open_pty(struct editor *ed)
{
    struct winsize size = {.ws_row = PTY_ROWS, .ws_col = (unsigned short)ed->cols};
    ed->null = fopen("/dev/null", "r+e");
    if (!ed->null || openpty(&ed->master, &ed->slave, NULL, NULL, &size) != 0)
        return false;
    fcntl(ed->master, F_SETFD, FD_CLOEXEC);
    fcntl(ed->slave, F_SETFD, FD_CLOEXEC);
    return true;
}

static void set_up(struct editor *ed, const struct editor_opts *opts)
{
    HistEventW ev;
    history_w(ed->history, &ev, H_SETSIZE, HISTORY_MAX);
    history_w(ed->history, &ev, H_SETUNIQUE, 1);
    if (ed->path)
        history_load(ed->path, remember_loaded, ed);
    el_wset(ed->el, EL_CLIENTDATA, ed);
    el_wset(ed->el, EL_PROMPT, no_prompt);
    el_wset(ed->el, EL_SIGNAL, 0);
    el_wset(ed->el, EL_GETCFN, get_char);
    el_wset(ed->el, EL_HIST, ask_history, ed);
    el_wset(ed->el, EL_ADDFN, L"duet-key", L"What the program wants of the draft", editor_key);
    el_wset(ed->el, EL_ADDFN, L"duet-esc", L"Esc with nothing to leave", editor_esc);
    el_wset(ed->el, EL_EDITOR, L"emacs");
    el_source(ed->el, opts->editrc);
    bind_all(ed->el);
}

struct editor *editor_new(const struct editor_opts *opts, char *msg, size_t msg_bytes)
{
    struct editor *ed = mem_new(sizeof *ed);
    ed->master = ed->slave = -1;
    ed->cols = 80;
    ed->goal = -1;
    ed->path = opts->history ? mem_dup(opts->history) : NULL;
    if (open_pty(ed))
        ed->el = el_init_fd(opts->program, ed->null, ed->null, ed->null, ed->slave, ed->slave,
                            ed->slave);
    ed->history = ed->el ? history_winit() : NULL;
    if (!ed->history) {
        snprintf(msg, msg_bytes, "no terminal to be had for the editor");
        editor_free(&ed);
        return NULL;
    }
    set_up(ed, opts);
    return ed;
}

void editor_free(struct editor **editor)
{
    struct editor *ed = *editor;
    if (!ed)
        return;
    assert(!ed->reading);
    queue_drop(ed);
    if (ed->el)
        el_end(ed->el);
    if (ed->history)
        history_wend(ed->history);
    if (ed->master >= 0)
        close(ed->master);
    if (ed->slave >= 0)
        close(ed->slave);
    if (ed->null)
        fclose(ed->null);
    left_forget(ed);
    stubs_forget(ed);
    buf_release(&ed->draft);
    buf_release(&ed->view);
    free(ed->queue);
    free(ed->path);
    free(ed->sent);
    free(ed);
    *editor = NULL;
}

/* ---- the door: reading -------------------------------------------------------------------- */

/* One el_wgets(). A line that ends by a key of the user's own counts as sent. */
static void read_once(struct editor *ed)
{
    int n = 0;
    bind_all(ed->el);
    ed->asked = false;
    left_forget(ed);
    const wchar_t *line = el_wgets(ed->el, &n);
    if (!line || n <= 0 || ed->sent || ed->leaving)
        return;
    n -= line[n - 1] == '\n';
    struct buf text = {0};
    put_line(ed, &text, line, (size_t)n, true);
    ed->sent = buf_take(&text);
}

char *editor_read(struct editor *ed, bool (*pump)(void *data), void *data)
{
    assert(!ed->reading);
    ed->pump = pump;
    ed->data = data;
    ed->leaving = false;
    if (ed->draft.bytes)
        queue_text(ed, CODE_SET, ed->draft.data, ed->draft.bytes, ed->draft_caret);
    ed->reading = true;
    for (int idle = 0; !ed->sent && !ed->leaving && idle < IDLE_READS;) {
        read_once(ed);
        idle = ed->asked ? 0 : idle + 1;
    }
    ed->reading = false;
    ed->searched = false;
    left_forget(ed);
    char *sent = ed->sent;
    ed->sent = NULL;
    if (sent) {
        buf_clear(&ed->draft);
        ed->draft_caret = 0;
        stubs_forget(ed);
        remember(ed, sent, strlen(sent));
    }
    return sent;
}

/* ---- the door: keys ----------------------------------------------------------------------- */

static bool is_vi(struct editor *ed)
{
    const wchar_t *name = NULL;
    return el_wget(ed->el, EL_EDITOR, &name) == 0 && name && wcscmp(name, L"vi") == 0;
}

bool editor_takes_esc(struct editor *ed)
{
    return is_vi(ed) || is_searching(ed);
}

bool editor_esc_spare(struct editor *ed)
{
    bool spare = ed->esc_spare;
    ed->esc_spare = false;
    return spare;
}

static void feed_char(struct editor *ed, const struct key *k)
{
    if (k->mod & KEY_CTRL) {
        if (k->ch >= 0x80)
            return;
        ed->searched = true;
        queue_code(ed, (wchar_t)(k->ch == ' ' ? 0 : k->ch & 0x1F));
        return;
    }
    if (!is_text(k->ch) || is_stub(k->ch))
        return;
    if (k->mod & KEY_ALT) {
        if (k->ch >= 0x80)
            return;
        ed->searched = true;
        queue_code(ed, 27);
    }
    queue_code(ed, (wchar_t)k->ch);
}

static void feed_esc(struct editor *ed)
{
    if (is_searching(ed))
        queue_code(ed, 27);
    else if (is_vi(ed))
        queue_code(ed, CODE_ESC);
}

static void feed_backspace(struct editor *ed, const struct key *k)
{
    if (is_searching(ed))
        queue_code(ed, 127); /* takes back a letter of what is searched */
    else
        queue_code(ed, k->mod ? CODE_KILL_PREV_WORD : CODE_BACKSPACE);
}

void editor_feed(struct editor *ed, const struct key *k)
{
    switch (k->code) {
    case KEYCODE_CHAR: feed_char(ed, k); break;
    case KEYCODE_ESC: feed_esc(ed); break;
    case KEYCODE_BACKSPACE: feed_backspace(ed, k); break;
    case KEYCODE_TAB: queue_code(ed, '\t'); break;
    case KEYCODE_ENTER: queue_code(ed, CODE_SEND); break;
    case KEYCODE_DELETE: queue_code(ed, k->mod ? CODE_KILL_NEXT_WORD : CODE_DELETE); break;
    case KEYCODE_LEFT: queue_code(ed, k->mod ? CODE_PREV_WORD : CODE_LEFT); break;
    case KEYCODE_RIGHT: queue_code(ed, k->mod ? CODE_NEXT_WORD : CODE_RIGHT); break;
    case KEYCODE_UP: queue_code(ed, CODE_UP); break;
    case KEYCODE_DOWN: queue_code(ed, CODE_DOWN); break;
    case KEYCODE_HOME: queue_code(ed, CODE_HOME); break;
    case KEYCODE_END: queue_code(ed, CODE_END); break;
    case KEYCODE_PASTE: queue_text(ed, CODE_PASTE, k->text, k->bytes, 0); break;
    default: break;
    }
}

void editor_send(struct editor *ed)
{
    queue_code(ed, CODE_SEND);
}

void editor_newline(struct editor *ed)
{
    queue_code(ed, CODE_NEWLINE);
}

void editor_clear(struct editor *ed, bool into_history)
{
    queue_code(ed, into_history ? CODE_CLEAR_KEEP : CODE_CLEAR);
}

void editor_set(struct editor *ed, const char *text, size_t bytes)
{
    size_t n;
    char *good = clean(text, bytes, &n);
    queue_text(ed, CODE_SET, good, n, n);
    free(good);
}

void editor_insert(struct editor *ed, const char *text, size_t bytes)
{
    queue_text(ed, CODE_PASTE, text, bytes, 0);
}

/* ---- the door: looking -------------------------------------------------------------------- */

/* The draft that is kept while nobody reads, in characters. */
static void kept_line(struct editor *ed, struct buf *out, size_t bytes, bool whole)
{
    size_t n;
    wchar_t *wide = to_wide(buf_text(&ed->draft), bytes, &n);
    put_line(ed, out, wide, n, whole);
    free(wide);
}

void editor_view(struct editor *ed, struct editor_view *v)
{
    size_t caret;
    if (ed->reading && !ed->leaving) {
        take_line(ed, &ed->view, &caret);
    } else {
        buf_clear(&ed->view);
        kept_line(ed, &ed->view, ed->draft_caret, false);
        caret = ed->view.bytes;
        buf_clear(&ed->view);
        kept_line(ed, &ed->view, ed->draft.bytes, false);
    }
    *v = (struct editor_view){buf_text(&ed->view), ed->view.bytes, caret, ed->view.bytes};
    for (int i = 0; i < ed->n_stub; i++)
        if (strstr(v->text, ed->stub[i].label)) /* it may have been deleted */
            v->whole += ed->stub[i].bytes - strlen(ed->stub[i].label);
}

void editor_whole(struct editor *ed, struct buf *out)
{
    if (ed->reading && !ed->leaving)
        take_whole(ed, out);
    else
        kept_line(ed, out, ed->draft.bytes, true);
}

void editor_history(struct editor *ed, void (*add)(void *data, const char *text, size_t bytes),
                    void *data)
{
    HistEventW ev;
    struct buf text = {0};
    history_w(ed->history, &ev, H_GETSIZE);
    int n = ev.num;
    for (int found = n ? history_w(ed->history, &ev, H_FIRST) : -1; found == 0 && n-- > 0;
         found = history_w(ed->history, &ev, H_NEXT)) {
        buf_clear(&text);
        put_wide(&text, ev.str, wcslen(ev.str));
        add(data, buf_text(&text), text.bytes);
    }
    history_w(ed->history, &ev, H_FIRST);
    buf_release(&text);
}

void editor_resize(struct editor *ed, int cols)
{
    ed->cols = cols < 1 ? 1 : cols;
    struct winsize size = {.ws_row = PTY_ROWS, .ws_col = (unsigned short)ed->cols};
    ioctl(ed->slave, TIOCSWINSZ, &size);
    el_resize(ed->el);
}
