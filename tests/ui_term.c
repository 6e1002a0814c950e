/* ui_term.c -- the terminal, on a bare pty: a child runs the program's part and reports each key
 * on a pipe, the test types and looks at what is sent. What could break: a terminal left in
 * disorder, a key that depends on how its bytes arrive, far too many bytes for one frame. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ui_rig.h"
#include "ui/decode.h"
#include "ui/term.h"
#include "ui/text.h"

/* ---- the child ---------------------------------------------------------------------------- */

static void draw_text(const char *text, int row)
{
    struct grid g;
    int rows, cols;
    term_size(&rows, &cols);
    grid_init(&g, rows, cols);
    grid_put(&g, 0, 0, cols, STYLE_USER, text, strlen(text));
    grid_fill(&g, rows - 1, 0, cols, STYLE_HEADER, "z"); /* the last corner, too */
    term_flush(&g, row, row);
    grid_release(&g);
}

static void start_term(bool color)
{
    char msg[200] = "no message";
    struct theme t;
    const char *text = theme_builtin("dark");
    ui_locale();
    if (!term_start(&(struct term_opts){.color = color}, msg, sizeof msg)) {
        report(msg);
        _exit(2);
    }
    if (!theme_parse(&t, text, strlen(text), "dark", msg, sizeof msg))
        _exit(3);
    term_theme(&t);
    draw_text("hello 漢字", 0);
    report("ready");
}

static void report_key(const struct key *k)
{
    char text[100];
    int rows, cols;
    key_label(k, text, sizeof text);
    term_size(&rows, &cols);
    if (k->code == KEYCODE_PASTE)
        snprintf(text, sizeof text, "paste %zu %zu", k->bytes, strlen(k->text));
    if (k->code == KEYCODE_RESIZE) {
        snprintf(text, sizeof text, "size %d %d", rows, cols);
        draw_text("again", -1);
    }
    report(text);
}

static char long_text[75000];

/* Reads keys until one says how to end. */
static void read_keys(void)
{
    for (;;) {
        struct key k;
        rig_key(&k);
        report_key(&k);
        if (k.code == KEYCODE_CHAR && k.ch == 'q')
            term_stop();
        if (k.code == KEYCODE_CHAR && k.ch == 'k')
            term_restore();
        if (k.code == KEYCODE_CHAR && k.ch == 'c')
            report(term_clipboard("a draft", 7) ? "offered" : "refused");
        if (k.code == KEYCODE_CHAR && k.ch == 'C')
            report(term_clipboard(long_text, sizeof long_text) ? "offered" : "refused");
        if (k.code == KEYCODE_CHAR && k.ch == 'm') {
            char text[40];
            snprintf(text, sizeof text, "%d cells", term_measure("漢x", 4, PATIENCE_MS));
            report(text);
        }
        if (k.code == KEYCODE_CHAR && k.ch == 'l') {
            term_leave();
            report("away");
            char byte;
            while (read(STDIN_FILENO, &byte, 1) != 1 || byte != '\n')
                continue;
            term_return();
            draw_text("hello 漢字", 0);
            report("back");
        }
        if (k.code == KEYCODE_CHAR && k.ch == 's') {
            term_suspend();
            draw_text("hello 漢字", 0);
            report("back");
        }
        if (k.code == KEYCODE_EOF || (k.code == KEYCODE_CHAR && (k.ch == 'q' || k.ch == 'k')))
            _exit(0);
    }
}

static void child_keys(void)
{
    start_term(true);
    read_keys();
}

static void child_plain(void)
{
    start_term(false);
    read_keys();
}

/* Two thousand words in a thousand frames, wrapped by hand, the view scrolling. */
static void child_stream(void)
{
    struct ui_random r = {9};
    struct grid g;
    int col = 0, rows, cols;
    start_term(true);
    term_size(&rows, &cols);
    grid_init(&g, rows, cols);
    for (int i = 0; i < 2000; i++) {
        char w[16];
        int n = snprintf(w, sizeof w, "w%u ", ui_random(&r, 100000));
        if (col + n > cols) {
            memmove(g.cell, g.cell + cols, (size_t)(rows - 1) * (size_t)cols * sizeof *g.cell);
            grid_fill(&g, rows - 1, 0, cols, STYLE_TEXT, " ");
            col = 0;
        }
        col += grid_put(&g, rows - 1, col, cols, STYLE_TEXT, w, (size_t)n);
        if (i % 2)
            term_flush(&g, rows - 1, col < cols ? col : cols - 1);
    }
    grid_release(&g);
    report("done");
    read_keys();
}

/* Texts whose width opinions differ on. */
static const char *const torture[] = {
    "漢", "，", "e\u0301", "❤\uFE0F", "⚠\uFE0F", "1\uFE0F\u20E3", "\U0001F1E9\U0001F1EA",
    "👍\U0001F3FD", "👨\u200D👩\u200D👧", "\U0001FABC", "\U0001FAE9", "\u1112\u1161\u11AB",
    "\u0915\u094D\u0937", "\u00AD", "①", "─", "…", "\uE0B0", "\u200B\u202E\U000E0067",
    "\033[31m",
};
enum { N_TORTURE = sizeof torture / sizeof *torture };

/* What is sent for one, with a sign behind it. */
static void torture_row(int i, struct buf *out)
{
    buf_clear(out);
    text_display(out, torture[i], strlen(torture[i]));
    buf_puts(out, "|");
}

static void child_torture(void)
{
    struct buf row = {0};
    struct grid g;
    start_term(true);
    grid_init(&g, 24, 80);
    for (int i = 0; i < N_TORTURE; i++) {
        torture_row(i, &row);
        int at = 1 + grid_put(&g, i, 1, 78, STYLE_TEXT, row.data, row.bytes - 1);
        grid_put(&g, i, at, 1, STYLE_TEXT, "|", 1); /* where it ends as we count */
    }
    term_flush(&g, 23, 0);
    report("drawn");
    buf_release(&row);
    grid_release(&g);
    read_keys();
}

/* A text that grows at one place while the cursor stands at another. */
static void child_grows(void)
{
    struct grid g;
    start_term(true);
    grid_init(&g, 24, 80);
    for (int i = 0; i < 3; i++) {
        grid_put(&g, 4, 10 * i, 10, STYLE_TEXT, "grows here", 10);
        term_flush(&g, 22, 2);
    }
    term_flush(&g, 22, 2); /* nothing has changed */
    grid_put(&g, 22, 2, 1, STYLE_TEXT, "d", 1);
    term_flush(&g, 22, 3);
    report("drawn");
    grid_release(&g);
    read_keys();
}

/* Asks first; the rest as usual. */
static void child_asks(void)
{
    static const char *const names[] = {"unknown", "dark", "light"};
    report("asks");
    report(names[term_ask(PATIENCE_MS)]);
    child_keys();
}

/* Nobody answers in time: the answer is there before the terminal is taken. */
static void child_asks_in_vain(void)
{
    struct pollfd p = {STDIN_FILENO, POLLIN, 0};
    if (term_ask(1) == TERM_UNKNOWN)
        report("unanswered");
    poll(&p, 1, PATIENCE_MS);
    child_keys();
}

static void child_asks_and_fails(void)
{
    term_ask(1);
    setenv("TERM", "no-such-type", 1);
    if (!term_start(&(struct term_opts){0}, (char[200]){""}, 200))
        term_restore();
    report("failed");
    _exit(0);
}

static void child_unknown_type(void)
{
    setenv("TERM", "no-such-type", 1);
    start_term(true);
}

static void child_no_type(void)
{
    unsetenv("TERM");
    start_term(true);
}

static void child_dumb_type(void)
{
    setenv("TERM", "dumb", 1);
    start_term(true);
}

static void child_no_terminal(void)
{
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    start_term(true);
}

/* A shell of sorts: runs the program in a group of its own, says when it stops and how the
 * terminal is then, and continues it. */
static void child_shell(void)
{
    struct termios t;
    int status;
    char text[60];
    pid_t me = getpid(), job = fork();
    signal(SIGTTOU, SIG_IGN);
    if (job == 0) {
        setpgid(0, 0);
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        child_keys();
    }
    if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status))
        _exit(4);
    tcsetpgrp(STDIN_FILENO, me);
    tcgetattr(STDIN_FILENO, &t);
    snprintf(text, sizeof text, "stopped %d", (t.c_lflag & ICANON) && (t.c_lflag & ECHO));
    report(text);
    t.c_lflag &= ~(tcflag_t)ECHO; /* what a shell may do to it */
    tcsetattr(STDIN_FILENO, TCSANOW, &t);
    tcsetpgrp(STDIN_FILENO, job);
    kill(-job, SIGCONT);
    waitpid(job, &status, 0);
    _exit(0);
}

/* ---- the tests --------------------------------------------------------------------------- */

void test_term_starts_and_stops(void **state)
{
    (void)state;
    static const char *const ends[] = {"q", "k"}; /* term_stop(), term_restore() */
    for (int i = 0; i < 2; i++) {
        struct rig r;
        struct termios raw;
        rig_start(&r, child_keys);
        rig_expect(&r, "ready");
        assert_int_equal(tcgetattr(r.slave, &raw), 0);
        assert_false(raw.c_lflag & (ICANON | ECHO | ISIG));
        rig_keys(&r, ends[i]);
        rig_expect(&r, ends[i]);
        was_restored(&r);
        assert_non_null(strstr(buf_text(&r.out), "\033[?1049h"));
        assert_non_null(strstr(buf_text(&r.out), "\033[?2004h"));
        assert_non_null(strstr(buf_text(&r.out), "hello 漢字"));
        rig_end(&r, 0);
    }
}

void test_term_keys(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_keys);
    rig_expect(&r, "ready");
    rig_keys(&r, "aé漢\x01\r\n\t\x7F\033[A\033OB\033[1;5C\033[5~\033OP\033[13;2u\033x\xC2\x85z");
    static const char *const want[] = {"a", "é", "漢", "Ctrl+A", "Enter", "Ctrl+J", "Tab",
                                       "Backspace", "Up", "Down", "Ctrl+Right", "PgUp", "F1",
                                       "Shift+Enter", "Alt+x", "z"};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        rig_expect(&r, want[i]);
    /* In two writes, the second after the program has seen the first. */
    rig_keys(&r, "\033[1;");
    rig_expect(&r, "part");
    rig_keys(&r, "3D");
    rig_expect(&r, "Alt+Left");
    rig_keys(&r, "\xE6\xBC\xA2\033");
    rig_expect(&r, "漢");
    rig_expect(&r, "part");
    rig_expect(&r, "Esc");
    rig_keys(&r, "q");
    rig_expect(&r, "q");
    rig_end(&r, 0);
}

void test_term_paste(void **state)
{
    (void)state;
    struct rig r;
    struct buf text = {0};
    rig_start(&r, child_keys);
    rig_expect(&r, "ready");
    buf_puts(&text, "\033[200~");
    for (int i = 0; i < 2500; i++) /* 80 bytes a line, 漢 is three */
        buf_puts(&text, "a line of eighty bytes, typed by nobody and of no use to any "
                        "one at all 漢xxxxx\r");
    buf_puts(&text, "\033[201~q");
    rig_type(&r, text.data, text.bytes);
    for (;;) {
        while (!strchr(buf_text(&r.said), '\n'))
            assert_true(rig_take(&r));
        if (strncmp(r.said.data, "part\n", 5) != 0)
            break;
        rig_expect(&r, "part");
    }
    char want[60];
    snprintf(want, sizeof want, "paste %zu %zu", text.bytes - 13, text.bytes - 13);
    rig_expect(&r, want);
    rig_expect(&r, "q");
    rig_end(&r, 0);
    buf_release(&text);
}

void test_term_resize(void **state)
{
    (void)state;
    static const struct winsize sizes[] = {{30, 100, 0, 0}, {1, 1, 0, 0}, {50, 200, 0, 0}};
    struct rig r;
    rig_start(&r, child_keys);
    rig_expect(&r, "ready");
    for (int i = 0; i < 3; i++) {
        char want[40];
        assert_int_equal(ioctl(r.master, TIOCSWINSZ, &sizes[i]), 0);
        snprintf(want, sizeof want, "size %d %d", sizes[i].ws_row, sizes[i].ws_col);
        rig_expect(&r, want);
    }
    rig_keys(&r, "q");
    rig_expect(&r, "q");
    rig_end(&r, 0);
}

void test_term_suspends(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_shell);
    rig_expect(&r, "ready");
    rig_keys(&r, "s");
    rig_expect(&r, "s");
    rig_expect(&r, "stopped 1");
    rig_expect(&r, "back");
    struct termios raw;
    assert_int_equal(tcgetattr(r.slave, &raw), 0);
    assert_false(raw.c_lflag & (ICANON | ECHO | ISIG));
    rig_keys(&r, "\033[Aq");
    rig_expect(&r, "Up");
    rig_expect(&r, "q");
    was_restored(&r);
    const char *first = strstr(r.out.data, "hello 漢字");
    assert_true(first && strstr(first + 1, "hello 漢字")); /* all of the screen came again */
    rig_end(&r, 0);
}

/* The terminal is asked before the start: what it says, what is typed meanwhile, a frame that it
 * is told to show as one. */
void test_term_asks(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *background, *key;
        bool sync;
    } rows[] = {{"\033]11;rgb:ffff/ffff/dddd\033\\\033[?2026;2$y\033[?1;2c", "light",
                 "Light", true},
                {"a\033]11;rgb:1c/1c/1c\a\033[?2026;0$y\033[?62;4c", "dark", "Dark", false},
                {"\033[?6c", "unknown", NULL, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig r;
        rig_start(&r, child_asks);
        rig_expect(&r, "asks");
        rig_shows(&r, "\033[c");
        rig_keys(&r, rows[i].answer);
        rig_expect(&r, rows[i].background);
        rig_expect(&r, "ready");
        if (rows[i].answer[0] == 'a')
            rig_expect(&r, "a");
        if (rows[i].key)
            rig_expect(&r, rows[i].key);
        rig_keys(&r, "\033]11;rgb:ffff/ffff/ffff\033\\q"); /* once more */
        rig_expect(&r, "Light");
        rig_expect(&r, "q");
        was_restored(&r);
        assert_int_equal(strstr(r.out.data, "\033[?2026h") != NULL, rows[i].sync);
        assert_int_equal(strstr(r.out.data, "\033[?2026l") != NULL, rows[i].sync);
        rig_end(&r, 0);
    }
}

/* What it says of its colours when nobody waits for it any more is no text, and is not echoed. */
void test_term_answers_late(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_asks_in_vain);
    rig_expect(&r, "unanswered");
    rig_keys(&r, "\033]11;rgb:ffff/ff");
    rig_expect(&r, "ready");
    rig_expect(&r, "part");
    rig_keys(&r, "ff/ffff\033\\\033[?62;4cq");
    rig_expect(&r, "Light");
    rig_expect(&r, "q");
    assert_null(strstr(buf_text(&r.out), "11;rgb"));
    was_restored(&r);
    rig_end(&r, 0);
    rig_start(&r, child_asks_and_fails);
    rig_expect(&r, "failed");
    same_settings(&r);
    rig_end(&r, 0);
}

/* Where the cursor stands tells how wide the terminal draws: the program's own signs, once, and a
 * text it is asked about, whatever is typed meanwhile. */
void test_term_widths(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_keys);
    rig_expect(&r, "ready");
    rig_shows(&r, "\033[2;1H…─▓❯\033[6n\033[2;1H\033[K");
    rig_shows(&r, "\033[?2026$p"); /* nothing was asked before the start */
    rig_keys(&r, "\033[2;5R\033[3;9R\033[?2026;2$ya");
    rig_expect(&r, "a");
    rig_keys(&r, "\033[2;9R\033[2;9Rb");
    rig_expect(&r, "Wide");
    rig_expect(&r, "b");
    rig_keys(&r, "m");
    rig_expect(&r, "m");
    rig_shows(&r, "\033[24;1H漢x\033[6n");
    rig_keys(&r, "c\033[2;2R\033[24;4Rd");
    rig_expect(&r, "3 cells");
    rig_expect(&r, "c");
    rig_expect(&r, "offered"); /* what that key asks for */
    rig_expect(&r, "d");
    const struct winsize other = {.ws_row = 20, .ws_col = 60}; /* all is drawn anew */
    assert_int_equal(ioctl(r.master, TIOCSWINSZ, &other), 0);
    rig_expect(&r, "size 20 60");
    rig_shows(&r, "\033[?2026h");
    rig_keys(&r, "q");
    rig_expect(&r, "q");
    was_restored(&r);
    rig_end(&r, 0);
}

/* Attributes may be sent without colour, colours may not. */
void test_term_no_color(void **state)
{
    (void)state;
    for (int color = 0; color < 2; color++) {
        struct rig r;
        rig_start(&r, color ? child_keys : child_plain);
        rig_expect(&r, "ready");
        rig_keys(&r, "q");
        rig_expect(&r, "q");
        was_restored(&r);
        bool found = strstr(buf_text(&r.out), "\033[3") || strstr(buf_text(&r.out), "\033[9");
        assert_int_equal(found, color);
        rig_end(&r, 0);
    }
}

/* The sign behind a text is sent right after it: curses has advanced as many cells as we count. */
void test_term_torture(void **state)
{
    (void)state;
    struct rig r;
    struct buf row = {0};
    ui_locale();
    rig_start(&r, child_torture);
    rig_expect(&r, "ready");
    rig_expect(&r, "drawn");
    for (int i = 0; i < N_TORTURE; i++) {
        torture_row(i, &row);
        rig_shows(&r, buf_text(&row));
    }
    rig_keys(&r, "q");
    rig_expect(&r, "q");
    was_restored(&r);
    rig_end(&r, 0);
    buf_release(&row);
}

/* From the text's end the cursor goes to its own place and back, and no further. */
void test_term_cursor(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_grows);
    rig_expect(&r, "ready");
    rig_expect(&r, "drawn");
    rig_shows(&r, "grows here\0337\033[23;3H\0338grows here\0337\033[23;3H\0338");
    rig_keys(&r, "q");
    rig_expect(&r, "q");
    was_restored(&r);
    const char *last = strstr(r.out.data, "\0338grows here\0337\033[23;3H\0338\033[23;3Hd");
    assert_non_null(last);
    rig_end(&r, 0);
}

void test_term_few_bytes(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_stream);
    rig_expect(&r, "ready");
    rig_expect(&r, "done");
    rig_keys(&r, "q");
    rig_expect(&r, "q");
    was_restored(&r);
    if (r.out.bytes > 100000)
        fail_msg("%zu bytes for a thousand frames", r.out.bytes);
    rig_end(&r, 0);
}

void test_term_clipboard(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_keys);
    rig_expect(&r, "ready");
    rig_keys(&r, "c");
    rig_expect(&r, "c");
    rig_expect(&r, "offered");
    rig_keys(&r, "C");
    rig_expect(&r, "C");
    rig_expect(&r, "refused");
    rig_keys(&r, "q");
    rig_expect(&r, "q");
    was_restored(&r);
    assert_non_null(strstr(buf_text(&r.out), "\033]52;c;YSBkcmFmdA==\a"));
    rig_end(&r, 0);
}

/* Another program has the terminal for a while: it finds it as it was, and so does the end. */
void test_term_leaves(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_keys);
    rig_expect(&r, "ready");
    rig_keys(&r, "l");
    rig_expect(&r, "l");
    rig_expect(&r, "away");
    same_settings(&r);
    rig_shows(&r, "\033[?1049l");
    rig_keys(&r, "line\n");
    rig_expect(&r, "back");
    rig_keys(&r, "xq");
    rig_expect(&r, "x");
    rig_expect(&r, "q");
    was_restored(&r);
    rig_end(&r, 0);
}

void test_term_refuses(void **state)
{
    (void)state;
    static const struct {
        void (*child)(void);
        const char *msg;
    } rows[] = {{child_unknown_type, "terminal type 'no-such-type' is unknown"},
                {child_no_type, "TERM is not set"},
                {child_dumb_type, "the terminal cannot move its cursor"},
                {child_no_terminal, "not a terminal"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig r;
        rig_start(&r, rows[i].child);
        rig_expect(&r, rows[i].msg);
        while (rig_take(&r))
            continue;
        same_settings(&r);
        assert_int_equal(r.out.bytes, 0);
        rig_end(&r, 2);
    }
}

/* The terminal goes away: the program hears of it instead of turning in circles. */
void test_term_gone(void **state)
{
    (void)state;
    struct rig r;
    rig_start(&r, child_keys);
    signal(SIGHUP, SIG_DFL);
    rig_expect(&r, "ready");
    close(r.slave);
    close(r.master);
    r.master = r.slave = -1;
    int status;
    assert_int_equal(waitpid(r.child, &status, 0), r.child);
    char text[100];
    ssize_t n = read(r.report, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    /* Either the hangup signal ended it or it saw the end. */
    assert_true(WIFSIGNALED(status) || strcmp(text, "Eof\n") == 0);
    close(r.report);
    buf_release(&r.out);
    buf_release(&r.said);
}
