/* outside.c -- the terminal given away for a while: to an editor, a pager, or nobody. The
 * conversation goes on meanwhile: what the worker says is taken and saved. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/loop.h"
#include "app/program.h"
#include "app/signals.h"
#include "ui/term.h"

enum { LOOK_MS = 50 };

/* Waits a little for the worker or a key, and takes what the worker says. */
static void go_on(struct loop *l, bool keys)
{
    struct pollfd p[] = {{l->talk.worker ? worker_fd(l->talk.worker) : -1, POLLIN, 0},
                         {keys ? STDIN_FILENO : -1, POLLIN, 0},
                         {signals_fd(), POLLIN, 0}};
    poll(p, 3, keys ? -1 : LOOK_MS);
    if (l->talk.worker)
        talk_events(&l->talk);
    if (signals_take())
        l->leaving = true;
}

/* ---- another program ---------------------------------------------------------------------- */

static void meanwhile(void *data)
{
    go_on(data, false);
}

static int run_program(struct loop *l, const char *script, const char *path)
{
    term_leave();
    int status = program_run(script, path, meanwhile, l);
    term_return();
    l->dirty = true;
    return status;
}

void outside_edit(struct loop *l)
{
    struct buf text = {0}, edited = {0};
    char path[64], msg[160] = "";
    editor_whole(l->editor, &text);
    if (program_file(&text, 0600, path, msg, sizeof msg)) {
        int status = run_program(l, program_editor, path);
        if (status != 0)
            snprintf(msg, sizeof msg, "the editor ended with status %d: the draft is as it was",
                     status);
        else if (!program_read(path, &edited))
            snprintf(msg, sizeof msg, "%s: %s", path, strerror(errno));
        unlink(path);
    }
    size_t n = edited.bytes;
    n -= n && edited.data[n - 1] == '\n'; /* editors end the last line */
    bool same = n == text.bytes && memcmp(buf_text(&edited), buf_text(&text), n) == 0;
    if (*msg) {
        loop_hint(l, true, msg);
    } else {
        editor_set(l->editor, buf_text(&edited), n);
        loop_hint(l, false, !n     ? "the editor left no text: the draft is empty"
                            : same ? "the draft is as it was"
                                   : "the draft is as the editor left it: Enter sends it");
    }
    buf_release(&text);
    buf_release(&edited);
}

void outside_pager(struct loop *l)
{
    struct buf text = {0};
    char path[64], msg[160] = "";
    transcript_plain(l->transcript, 0, &text);
    if (program_file(&text, 0400, path, msg, sizeof msg)) {
        int status = run_program(l, program_pager, path);
        if (status != 0)
            snprintf(msg, sizeof msg, "the pager ended with status %d", status);
        unlink(path);
    }
    if (*msg)
        loop_hint(l, true, msg);
    buf_release(&text);
}

/* ---- nobody ------------------------------------------------------------------------------- */

/* A single key, unseen. */
static void wait_key(struct loop *l)
{
    struct termios saved, raw;
    char byte;
    if (tcgetattr(STDIN_FILENO, &saved) != 0)
        return;
    raw = saved;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    struct pollfd p = {STDIN_FILENO, POLLIN, 0};
    while (!l->leaving && poll(&p, 1, 0) == 0)
        go_on(l, true);
    if (poll(&p, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) == 0)
        l->leaving = true;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
}

void outside_bare(struct loop *l)
{
    struct buf text = {0};
    transcript_plain(l->transcript, l->grid.cols, &text);
    buf_puts(&text, "\n-- any key leads back --\n");
    term_leave();
    program_write(STDOUT_FILENO, buf_text(&text), text.bytes);
    wait_key(l);
    term_return();
    l->dirty = true;
    buf_release(&text);
}
