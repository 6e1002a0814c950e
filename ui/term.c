/* term.c -- see term.h. The only file that includes curses.
 *
 * ncurses draws: it owns the picture of the screen, finds what differs and knows the terminal.
 * Keys are read here and decoded by decode.c, because term_read() must not block and ncurses,
 * once an ESC has come, waits inside wget_wch() for the rest. ncurses also owns SIGWINCH: its
 * handler interrupts poll(), and term_read() compares the sizes, so a missed signal heals. */
#include "ui/term.h"

#include <curses.h>
#include <term.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* Macros of term.h that are everyday words. */
#undef lines
#undef columns
#undef buttons

#include "ui/buf.h"
#include "ui/decode.h"
#include "ui/text.h"

enum { RESTORE_BYTES = 256, READ_BYTES = 65536, READS_MAX = 64, LOOK_MS = 10000,
       SYNC_ROWS = 3, /* fewer change at a glance anyway */
       CLIPBOARD_BYTES_MAX = 74994 /* 100,000 signs of base64 */ };

static const char modes_on[] = "\033[?2004h", modes_off[] = "\033[?2004l";
/* What the cells of the screen are drawn with most; one each. */
#define SIGNS "…─▓❯"
enum { SIGNS_N = 4, ASKED_ROW = 1 };

/* It tells when its colours change. */
static const char colors_on[] = "\033[?2031h", colors_off[] = "\033[?2031l";
static const char sync_on[] = "\033[?2026h", sync_off[] = "\033[?2026l";
static const char questions[] = "\033]11;?\033\\\033[?2026$p\033[c", sync_asked[] = "\033[?2026$p";
static const char mouse_on[] = "\033[?1000h\033[?1006h", mouse_off[] = "\033[?1006l\033[?1000l";

static struct {
    bool on;
    struct term_opts opts;
    SCREEN *screen;
    struct decode decode;
    struct grid shown; /* what curses was given last */
    bool all;          /* the next flush puts every row */
    bool color;
    bool unmarked;     /* it does not say what is pasted */
    bool wide;         /* it was found to draw signs wider than they are */
    int rows, cols;
    int cursor_row, cursor_col; /* as of the last flush, -1 = hidden */
    bool saves;        /* the terminal can save the place of its cursor */
    bool away;         /* the cursor is there, and the place that curses left it at is saved */
    attr_t attr[STYLE_COUNT];
    short pair[STYLE_COUNT];
} term;

/* Learnt before the start. */
static struct {
    struct buf typed; /* all that came while the answers were waited for */
    bool sync;        /* frames may be sent as one */
    bool done;        /* it was asked, and is quiet since: term_start() or term_restore() follows */
} asked;

/* What term_restore() needs, and nothing else: it may run in a signal handler at any time. */
static struct {
    volatile sig_atomic_t armed;
    struct termios saved;
    char text[RESTORE_BYTES];
    size_t bytes;
} restore;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void write_all(const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(STDOUT_FILENO, text, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        bytes -= (size_t)n;
    }
}

/* ---- starting ----------------------------------------------------------------------------- */

static int restore_char(int c)
{
    if (restore.bytes < sizeof restore.text)
        restore.text[restore.bytes++] = (char)c;
    return c;
}

/* A capability of the terminal; NULL: it has none. */
static const char *capability(const char *name)
{
    const char *s = tigetstr((char *)name);
    return s && s != (const char *)-1 ? s : NULL;
}

static void restore_capability(const char *name)
{
    const char *s = capability(name);
    if (s)
        tputs(s, 1, restore_char);
}

/* Terminals that would show an unknown question, or whose type says nothing. */
static bool knows_osc(void)
{
    static const char *const without[] = {"linux", "vt", "ansi", "cons", "dumb"};
    const char *name = getenv("TERM");
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        if (name && strncmp(name, without[i], strlen(without[i])) == 0)
            return false;
    return name && *name;
}

/* The bytes that undo what was done to the terminal, made beforehand. */
static void prepare_restore(void)
{
    restore.bytes = 0;
    for (const char *p = knows_osc() ? sync_off : ""; *p; p++)
        restore_char(*p);
    for (const char *p = modes_off; *p; p++)
        restore_char(*p);
    for (const char *p = knows_osc() ? colors_off : ""; *p; p++)
        restore_char(*p);
    for (const char *p = mouse_off; *p; p++) /* it may be taken later */
        restore_char(*p);
    restore_capability("sgr0");
    restore_capability("rmkx");
    restore_capability("cnorm");
    restore_capability("rmcup");
    restore.armed = 1;
}

/* Sequences that only terminfo knows; the usual ones are built into decode.c. */
static void define_keys(void)
{
    static const struct {
        const char *capability;
        enum key_code code;
    } keys[] = {
        {"kcuu1", KEYCODE_UP},     {"kcud1", KEYCODE_DOWN},   {"kcub1", KEYCODE_LEFT},
        {"kcuf1", KEYCODE_RIGHT},  {"khome", KEYCODE_HOME},   {"kend", KEYCODE_END},
        {"kpp", KEYCODE_PGUP},     {"knp", KEYCODE_PGDN},     {"kdch1", KEYCODE_DELETE},
        {"kich1", KEYCODE_INSERT}, {"kcbt", KEYCODE_BACKTAB}, {"kent", KEYCODE_ENTER},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *s = capability(keys[i].capability);
        if (s)
            decode_define(&term.decode, s, (struct key){.code = keys[i].code});
    }
    for (unsigned i = 1; i <= 12; i++) {
        char name[8];
        snprintf(name, sizeof name, "kf%u", i);
        const char *s = capability(name);
        if (s)
            decode_define(&term.decode, s, (struct key){.code = KEYCODE_FN, .ch = i});
    }
}

static bool fail(char *msg, size_t msg_bytes, const char *what)
{
    snprintf(msg, msg_bytes, "%s", what);
    return false;
}

/* Checks without touching the terminal: newterm() would end the program on some of these. */
static bool check_terminal(char *msg, size_t msg_bytes)
{
    int got = 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return fail(msg, msg_bytes, "not a terminal");
    const char *name = getenv("TERM");
    if (!name || !*name)
        return fail(msg, msg_bytes, "TERM is not set");
    if (setupterm(NULL, STDOUT_FILENO, &got) != OK) {
        snprintf(msg, msg_bytes, "terminal type '%.40s' is unknown", name);
        return false;
    }
    bool good = capability("cup") != NULL;
    del_curterm(cur_term);
    return good || fail(msg, msg_bytes, "the terminal cannot move its cursor");
}

/* Collects what comes until the last answer is there. */
static void take_answers(int wait_ms, struct decode_answers *a)
{
    char bytes[256];
    int64_t end = now_ms() + wait_ms;
    for (int64_t left = wait_ms; left > 0 && !a->attributes; left = end - now_ms()) {
        struct pollfd p = {STDIN_FILENO, POLLIN, 0};
        int ready = poll(&p, 1, (int)left);
        ssize_t n = ready > 0 ? read(STDIN_FILENO, bytes, sizeof bytes) : 0;
        if (ready > 0 && n <= 0)
            return;
        buf_append(&asked.typed, bytes, (size_t)n);
        decode_answers(buf_text(&asked.typed), asked.typed.bytes, a);
    }
}

enum term_background term_ask(int wait_ms)
{
    struct decode_answers a = {0};
    struct termios quiet;
    if (term.on || !knows_osc() || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
        tcgetattr(STDIN_FILENO, &restore.saved) != 0)
        return TERM_UNKNOWN;
    restore.bytes = 0;
    restore.armed = 1;
    quiet = restore.saved;
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    write_all(questions, sizeof questions - 1);
    take_answers(wait_ms, &a);
    asked.sync = a.sync;
    asked.done = true;
    return !a.background ? TERM_UNKNOWN : a.light ? TERM_LIGHT : TERM_DARK;
}

/* To the place where curses has left the cursor: what it draws next begins from there. */
static void cursor_back(void)
{
    const char *back = term.away ? capability("rc") : NULL;
    if (back)
        write_all(back, strlen(back));
    term.away = false;
}

/* From there to where it belongs. */
static void cursor_away(void)
{
    char text[64];
    snprintf(text, sizeof text, "%s%s", capability("sc"),
             tiparm(capability("cup"), term.cursor_row, term.cursor_col));
    write_all(text, strlen(text));
    term.away = true;
}

static void mouse(bool on)
{
    write_all(on ? mouse_on : mouse_off, on ? sizeof mouse_on - 1 : sizeof mouse_off - 1);
}

static void modes(bool on)
{
    cursor_back();
    write_all(on ? modes_on : modes_off, sizeof modes_on - 1);
    if (knows_osc())
        write_all(on ? colors_on : colors_off, sizeof colors_on - 1);
    if (term.opts.mouse)
        mouse(on);
}

/* Terminals older than the marks around a paste. */
static bool marks_no_paste(void)
{
    static const char *const old[] = {"linux", "vt", "ansi", "cons", "sun"};
    const char *name = getenv("TERM");
    for (size_t i = 0; name && i < sizeof old / sizeof *old; i++)
        if (strncmp(name, old[i], strlen(old[i])) == 0)
            return true;
    return false;
}

/* Draws signs that some terminals have wide, where the first frame will be, and asks where the
 * cursor stands then. Not in the first row: the answer would be a key there. */
static void ask_width(void)
{
    static const char question[] = "\033[2;1H" SIGNS "\033[6n\033[2;1H\033[K\033[H";
    if (knows_osc() && term.rows > ASKED_ROW + 1)
        write_all(question, sizeof question - 1);
    if (knows_osc() && !asked.done)
        write_all(sync_asked, sizeof sync_asked - 1);
}

bool term_start(const struct term_opts *opts, char *msg, size_t msg_bytes)
{
    if (term.on)
        return fail(msg, msg_bytes, "the terminal is taken already");
    if (!check_terminal(msg, msg_bytes))
        return false;
    if (!asked.done && tcgetattr(STDIN_FILENO, &restore.saved) != 0)
        return fail(msg, msg_bytes, strerror(errno));
    term.opts = *opts;
    term.screen = newterm(NULL, stdout, stdin);
    if (!term.screen) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &restore.saved);
        return fail(msg, msg_bytes, "curses cannot use this terminal");
    }
    prepare_restore();
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    scrollok(stdscr, FALSE);
    leaveok(stdscr, FALSE);
    typeahead(-1);
    term.color = opts->color && has_colors() && start_color() == OK;
    if (term.color)
        use_default_colors();
    def_prog_mode();
    define_keys();
    term.unmarked = marks_no_paste();
    decode_feed(&term.decode, buf_text(&asked.typed), asked.typed.bytes, now_ms());
    buf_release(&asked.typed);
    refresh();
    modes(true);
    term.saves = capability("sc") && capability("rc");
    getmaxyx(stdscr, term.rows, term.cols);
    ask_width();
    term.all = true;
    term.on = true;
    return true;
}

void term_mouse(bool on)
{
    if (term.on && on != term.opts.mouse)
        mouse(on);
    term.opts.mouse = on;
}

bool term_has_mouse(void)
{
    return term.opts.mouse;
}

void term_stop(void)
{
    if (!term.on)
        return;
    modes(false);
    curs_set(1);
    endwin();
    tcsetattr(STDIN_FILENO, TCSADRAIN, &restore.saved);
    restore.armed = 0;
    delscreen(term.screen);
    decode_release(&term.decode);
    if (term.shown.cell)
        grid_release(&term.shown);
    memset(&term, 0, sizeof term);
}

void term_restore(void)
{
    if (!restore.armed)
        return;
    int saved_errno = errno;
    restore.armed = 0;
    write_all(restore.text, restore.bytes);
    tcsetattr(STDIN_FILENO, TCSANOW, &restore.saved);
    errno = saved_errno;
}

void term_leave(void)
{
    if (!term.on)
        return;
    modes(false);
    curs_set(1);
    def_prog_mode();
    endwin();
    tcsetattr(STDIN_FILENO, TCSADRAIN, &restore.saved);
}

void term_return(void)
{
    if (!term.on)
        return;
    reset_prog_mode();
    clearok(curscr, TRUE);
    refresh();
    modes(true);
    term.all = true;
}

void term_suspend(void)
{
    if (!term.on)
        return;
    term_leave();
    /* The signal's own meaning: curses has put a handler there. */
    struct sigaction usual = {.sa_handler = SIG_DFL}, old;
    sigemptyset(&usual.sa_mask);
    sigaction(SIGTSTP, &usual, &old);
    kill(0, SIGTSTP);
    /* Here again: the program goes on. */
    sigaction(SIGTSTP, &old, NULL);
    term_return();
}

/* ---- clipboard ---------------------------------------------------------------------------- */

static void base64(struct buf *out, const char *text, size_t bytes)
{
    static const char sign[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        unsigned v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < bytes ? (unsigned char)text[i + k] : 0u);
        char four[4] = {sign[v >> 18], sign[v >> 12 & 63], i + 1 < bytes ? sign[v >> 6 & 63] : '=',
                        i + 2 < bytes ? sign[v & 63] : '='};
        buf_append(out, four, sizeof four);
    }
}

bool term_clipboard(const char *text, size_t bytes)
{
    struct buf out = {0};
    if (bytes > CLIPBOARD_BYTES_MAX || !term.on || !knows_osc())
        return false;
    buf_puts(&out, "\033]52;c;");
    base64(&out, text, bytes);
    buf_puts(&out, "\a");
    write_all(buf_text(&out), out.bytes);
    buf_release(&out);
    return true;
}

/* ---- size and theme ----------------------------------------------------------------------- */

int term_fd(void)
{
    return STDIN_FILENO;
}

void term_size(int *rows, int *cols)
{
    *rows = term.rows;
    *cols = term.cols;
}

/* A colour as this terminal can show it, -1 where it cannot. */
static short fit_color(short c, attr_t *attr)
{
    if (c < COLORS)
        return c;
    if (c >= 8 && c < 16 && COLORS >= 8) {
        *attr |= c == 8 ? A_DIM : A_BOLD;
        return c == 8 ? -1 : (short)(c - 8);
    }
    return -1;
}

static attr_t fit_attr(unsigned attr)
{
    return (attr & ATTR_BOLD ? A_BOLD : 0) | (attr & ATTR_DIM ? A_DIM : 0) |
           (attr & ATTR_UNDERLINE ? A_UNDERLINE : 0) | (attr & ATTR_REVERSE ? A_REVERSE : 0) |
           (attr & ATTR_ITALIC ? A_ITALIC : 0);
}

void term_theme(const struct theme *t)
{
    for (int i = 0; i < STYLE_COUNT; i++) {
        const struct theme_role *r = &t->role[i];
        term.attr[i] = fit_attr(r->attr);
        term.pair[i] = 0;
        if (!term.color) {
            /* A background still sets its text apart. */
            term.attr[i] |= r->bg >= 0 ? A_REVERSE : 0;
            continue;
        }
        short pair = (short)(i + 1);
        attr_t unused = 0;
        short fg = fit_color(r->fg, &term.attr[i]), bg = fit_color(r->bg, &unused);
        if ((fg >= 0 || bg >= 0) && pair < COLOR_PAIRS && init_pair(pair, fg, bg) == OK)
            term.pair[i] = pair;
    }
    term.all = true;
}

/* ---- keys --------------------------------------------------------------------------------- */

static bool size_changed(void)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || !w.ws_row || !w.ws_col)
        return false;
    if (w.ws_row == term.rows && w.ws_col == term.cols)
        return false;
    resize_term(w.ws_row, w.ws_col);
    clearok(curscr, TRUE); /* what the terminal made of its rows is not known */
    term.rows = w.ws_row;
    term.cols = w.ws_col;
    term.all = true;
    return true;
}

/* Where a paste is not marked by the terminal, it is told by its coming at once. */
static void feed(const char *bytes, size_t n)
{
    bool paste = term.unmarked && decode_burst(bytes, n);
    if (paste)
        decode_feed(&term.decode, "\033[200~", 6, now_ms());
    decode_feed(&term.decode, bytes, n, now_ms());
    if (paste)
        decode_feed(&term.decode, "\033[201~", 6, now_ms());
}

/* Takes what the terminal has sent, a few megabytes at most; false when it is gone. */
static bool take_input(void)
{
    static char bytes[READ_BYTES];
    for (int i = 0; i < READS_MAX; i++) {
        struct pollfd p = {STDIN_FILENO, POLLIN, 0};
        int ready = poll(&p, 1, 0);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            return true;
        if (ready < 0 || p.revents & POLLNVAL)
            return false;
        ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return true;
        if (n <= 0)
            return false;
        feed(bytes, (size_t)n);
    }
    return true;
}

/* The next key that came; what the terminal answers is taken here. */
static bool next_key(struct key *k)
{
    while (decode_key(&term.decode, now_ms(), k)) {
        asked.sync = asked.sync || k->code == KEYCODE_SYNC;
        if (k->code != KEYCODE_PLACE && k->code != KEYCODE_SYNC)
            return true;
        if (k->row == ASKED_ROW && k->col > SIGNS_N && !term.wide) {
            term.wide = true;
            *k = (struct key){.code = KEYCODE_WIDE};
            return true;
        }
    }
    return false;
}

bool term_read(struct key *k)
{
    if (size_changed()) {
        *k = (struct key){.code = KEYCODE_RESIZE};
        return true;
    }
    if (next_key(k))
        return true;
    bool there = take_input();
    if (next_key(k))
        return true;
    if (there)
        return false;
    *k = (struct key){.code = KEYCODE_EOF};
    return true;
}

int term_wait_ms(void)
{
    int ms = decode_wait_ms(&term.decode, now_ms());
    return ms < 0 || ms > LOOK_MS ? LOOK_MS : ms;
}

/* ---- drawing ------------------------------------------------------------------------------ */

static void put_cell(int row, int col, const struct cell *c)
{
    wchar_t text[CCHARW_MAX + 1];
    size_t bytes = strlen(c->text), used;
    int n = 0;
    for (size_t at = 0; at < bytes && n < CCHARW_MAX; at += used)
        text[n++] = (wchar_t)text_decode(c->text + at, bytes - at, &used);
    text[n] = 0;
    cchar_t out;
    if (setcchar(&out, text, term.attr[c->style], term.pair[c->style], NULL) == OK)
        mvadd_wch(row, col, &out);
}

static void put_row(const struct grid *g, int row)
{
    for (int col = 0; col < g->cols && col < term.cols; col++) {
        const struct cell *c = &g->cell[(size_t)row * (size_t)g->cols + (size_t)col];
        if (c->width && col + c->width <= term.cols)
            put_cell(row, col, c);
    }
}

static void remember(const struct grid *g)
{
    if (g->rows != term.shown.rows || g->cols != term.shown.cols) {
        grid_release(&term.shown);
        grid_init(&term.shown, g->rows, g->cols);
    }
    memcpy(term.shown.cell, g->cell, (size_t)g->rows * (size_t)g->cols * sizeof *g->cell);
}

/* Sends what curses has found to differ. away: the cursor then goes to its place by the shortest
 * road, and back before the next frame: a word behind a text that grows costs fewer bytes. */
static void show(bool visible, bool away, bool sync)
{
    away = away && visible;
    cursor_back();
    curs_set(visible);
    leaveok(stdscr, away || !visible);
    if (visible)
        move(term.cursor_row, term.cursor_col);
    wnoutrefresh(stdscr);
    if (sync)
        write_all(sync_on, sizeof sync_on - 1);
    doupdate();
    if (away)
        cursor_away();
    if (sync)
        write_all(sync_off, sizeof sync_off - 1);
}

void term_flush(const struct grid *g, int row, int col)
{
    if (!term.on)
        return;
    if (term.all)
        erase();
    int changed = 0, elsewhere = 0;
    for (int i = 0; i < g->rows && i < term.rows; i++)
        if (term.all || !grid_same_row(g, &term.shown, i)) {
            put_row(g, i);
            changed++;
            elsewhere += i != row;
        }
    bool visible = row >= 0 && row < term.rows && col >= 0 && col < term.cols;
    bool moved = (visible ? row : -1) != term.cursor_row || col != term.cursor_col;
    if (!changed && !moved && !term.all)
        return;
    bool sync = asked.sync && changed > SYNC_ROWS;
    term.all = false;
    term.cursor_row = visible ? row : -1;
    term.cursor_col = col;
    remember(g);
    show(visible, elsewhere && term.saves, sync);
}

void term_redraw(void)
{
    if (!term.on)
        return;
    clearok(curscr, TRUE);
    term.all = true;
}

/* ---- measuring ---------------------------------------------------------------------------- */

int term_measure(const char *text, size_t bytes, int wait_ms)
{
    struct buf in = {0};
    char place[32], part[256];
    int cells = -1, row = term.rows;
    if (!term.on || row <= ASKED_ROW + 1 || !knows_osc())
        return -1;
    cursor_back();
    snprintf(place, sizeof place, "\033[%d;1H", row);
    write_all(place, strlen(place));
    write_all(text, bytes);
    write_all("\033[6n", 4);
    int64_t end = now_ms() + wait_ms;
    for (int64_t left = wait_ms; left > 0 && cells < 0; left = end - now_ms()) {
        struct pollfd p = {STDIN_FILENO, POLLIN, 0};
        ssize_t n = poll(&p, 1, (int)left) > 0 ? read(STDIN_FILENO, part, sizeof part) : 0;
        buf_append(&in, part, n > 0 ? (size_t)n : 0);
        cells = decode_column(buf_text(&in), in.bytes, row) - 1;
        if (n < 0 && errno != EINTR)
            break;
    }
    decode_feed(&term.decode, buf_text(&in), in.bytes, now_ms());
    buf_release(&in);
    term_redraw();
    return cells;
}
