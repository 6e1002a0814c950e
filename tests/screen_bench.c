/* screen_bench.c -- what the screen costs, in numbers that another program on the machine does not
 * change much: CPU time, bytes, memory. No model, no engine.
 *
 *   build/tests/screen_bench       one line a figure: name, value, unit, its limit
 *
 * The first frame and idle wake-ups are the whole program's: see tests/screen_bench.sh. */
#include <locale.h>
#include <malloc.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "ui/screen.h"
#include "ui/term.h"

enum { TURNS = 10000, ROWS = 24, COLS = 80, LINES = 100000, FRAMES = 300 };

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void tell(const char *what, double value, const char *unit, double limit)
{
    printf("%-44s %10.3f %-6s at most %g%s\n", what, value, unit, limit,
           value <= limit ? "" : "  TOO MUCH");
}

static void say(struct transcript *t, enum entry_kind kind, const char *label, const char *text)
{
    transcript_append(t, transcript_add(t, kind, label, STYLE_FLASH), text, strlen(text));
}

static const char answer[] =
    "Two threads take the locks in *opposite* order: each holds what the other waits for.\n\n"
    "1. `lock(&a)` in one\n2. `lock(&b)` in the other\n\n```c\nlock(&a);\nlock(&b); /* here */\n"
    "```\n\nTake them in **one** order everywhere, and it cannot happen.\n";

static void draw(struct grid *g, struct transcript *t, const char *draft)
{
    int row, col;
    struct view v = {.mode = "Flash", .mode_style = STYLE_FLASH, .title = "bench", .model = "none",
                     .ctx_used = 1000, .ctx_total = 8192, .transcript = t, .state = "idle",
                     .draft = {draft, strlen(draft), strlen(draft)}, .tok_s = 40,
                     .hint = "F1 help  F2 mode  F4 sessions"};
    screen_draw(g, &v, &row, &col);
}

/* A key at the end of a long conversation. */
static void key_to_frame(void)
{
    struct transcript *t = transcript_new();
    struct grid g;
    char draft[FRAMES + 1] = "";
    grid_init(&g, ROWS, COLS);
    for (int i = 0; i < TURNS; i++) {
        say(t, ENTRY_USER, "you", "Why does this deadlock?");
        say(t, ENTRY_ANSWER, "Flash", answer);
    }
    draw(&g, t, "");
    double begin = cpu_ms();
    for (int i = 0; i < FRAMES; i++) {
        draft[i] = 'x';
        draw(&g, t, draft);
    }
    tell("key to frame, 10,000 turns", (cpu_ms() - begin) / FRAMES, "ms", 5);
    grid_release(&g);
    transcript_free(&t);
}

/* Scrolling with this many lines behind the view. */
static void scroll_frame(void)
{
    struct transcript *t = transcript_new();
    struct grid g;
    struct buf text = {0};
    grid_init(&g, ROWS, COLS);
    for (int i = 0; i < LINES; i++)
        buf_printf(&text, "line %d of an answer that is long\n\n", i);
    say(t, ENTRY_USER, "you", "Tell me all of it.");
    say(t, ENTRY_ANSWER, "Flash", buf_text(&text));
    transcript_end(t);
    draw(&g, t, "");
    double begin = cpu_ms();
    for (int i = 0; i < FRAMES; i++) {
        transcript_scroll(t, i < FRAMES / 2 ? -3 : 3);
        draw(&g, t, "");
    }
    tell("a frame of scrolling, 100,000 lines", (cpu_ms() - begin) / FRAMES, "ms", 1000.0 / 60);
    grid_release(&g);
    transcript_free(&t);
    buf_release(&text);
}

static void memory(void)
{
    struct transcript *t = transcript_new();
    struct grid g;
    size_t bytes = 0;
    grid_init(&g, ROWS, COLS);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    while (bytes < 1 << 20) {
        say(t, ENTRY_USER, "you", "Why does this deadlock?");
        say(t, ENTRY_ANSWER, "Flash", answer);
        bytes += sizeof answer + 23;
        draw(&g, t, "");
    }
    transcript_to(t, false); /* all of it has been looked at */
    while (transcript_below(t)) {
        transcript_scroll(t, ROWS);
        draw(&g, t, "");
    }
    size_t used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    tell("memory of a 1 MB conversation, all seen", (double)used / 1e6, "MB", 20);
    grid_release(&g);
    transcript_free(&t);
}

/* ---- bytes to the terminal, on a pty ------------------------------------------------------- */

/* Streams an answer of plain words, a token a frame, which is the dearest; the text's bytes on the
 * pipe. */
static void stream(int report)
{
    struct transcript *t = transcript_new();
    struct theme theme;
    struct grid g;
    char msg[200];
    const char *dark = theme_builtin("dark");
    size_t text = 0;
    if (!term_start(&(struct term_opts){.color = true}, msg, sizeof msg) ||
        !theme_parse(&theme, dark, strlen(dark), "dark", msg, sizeof msg))
        _exit(1);
    term_theme(&theme);
    grid_init(&g, ROWS, COLS);
    say(t, ENTRY_USER, "you", "Tell me.");
    int entry = transcript_add(t, ENTRY_ANSWER, "Flash", STYLE_FLASH);
    for (int i = 0; i < 2000; i++) {
        char word[16];
        int n = snprintf(word, sizeof word, "word%d ", i * 7919 % 1000);
        transcript_append(t, entry, word, (size_t)n);
        text += (size_t)n;
        draw(&g, t, "");
        term_flush(&g, ROWS - 2, 2);
    }
    if (write(report, &text, sizeof text) != (ssize_t)sizeof text)
        _exit(1);
    term_stop();
    _exit(0);
}

static void bytes_per_token(void)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = COLS};
    int master, slave, pipes[2];
    size_t sent = 0, text = 0;
    char part[65536];
    if (openpty(&master, &slave, NULL, NULL, &size) != 0 || pipe(pipes) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        setenv("TERM", "xterm-256color", 1);
        close(master);
        login_tty(slave);
        stream(pipes[1]);
    }
    close(slave);
    for (ssize_t n; (n = read(master, part, sizeof part)) > 0;)
        sent += (size_t)n;
    waitpid(child, NULL, 0);
    if (read(pipes[0], &text, sizeof text) != (ssize_t)sizeof text)
        return;
    tell("bytes sent for a byte of text, a token a frame", (double)sent / (double)text, "", 3);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    key_to_frame();
    scroll_frame();
    memory();
    fflush(stdout);
    bytes_per_token();
    return 0;
}
