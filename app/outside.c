/* outside.c -- the terminal given away for a while: to an editor, a pager, or nobody. The
 * conversation goes on meanwhile: what the worker says is taken and saved. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "app/loop.h"
#include "app/signals.h"
#include "ui/term.h"

enum { LOOK_MS = 50, FILE_BYTES_MAX = 16 << 20 };

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

static bool write_file(int fd, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool read_file(const char *path, struct buf *out)
{
    char part[4096];
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && out->bytes < FILE_BYTES_MAX && (n = read(fd, part, sizeof part)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        buf_append(out, part, n > 0 ? (size_t)n : 0);
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0 && n == 0;
}

/* A file of our own, 0600. False: *msg says why. */
static bool temp_file(const struct buf *text, mode_t mode, char path[64], char *msg,
                      size_t msg_bytes)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder || strlen(folder) > 30)
        folder = "/tmp";
    snprintf(path, 64, "%s/duet-XXXXXX.md", folder);
    int fd = mkstemps(path, 3);
    bool good = fd >= 0 && write_file(fd, buf_text(text), text->bytes) && fchmod(fd, mode) == 0;
    if (!good)
        snprintf(msg, msg_bytes, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !good)
        unlink(path);
    return good;
}

static void run_child(const char *script, const char *path)
{
    static const int usual[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGTSTP, SIGTTOU};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        signal(usual[i], SIG_DFL);
    execl("/bin/sh", "sh", "-c", script, "sh", path, (char *)NULL);
    _exit(127);
}

/* The exit status of the program; keys that interrupt it do not end us. */
static int run_program(struct loop *l, const char *script, const char *path)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
    struct sigaction interrupt, quit, stop;
    int status = 0;
    sigemptyset(&ignore.sa_mask);
    sigemptyset(&usual.sa_mask);
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    sigaction(SIGTSTP, &usual, &stop); /* curses would draw when it goes on */
    term_leave();
    pid_t child = fork();
    if (child == 0)
        run_child(script, path);
    while (child > 0 && waitpid(child, &status, WNOHANG) == 0)
        go_on(l, false);
    term_return();
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    sigaction(SIGTSTP, &stop, NULL);
    l->dirty = true;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void outside_edit(struct loop *l)
{
    static const char script[] = "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"";
    struct buf text = {0}, edited = {0};
    char path[64], msg[160] = "";
    editor_whole(l->editor, &text);
    if (temp_file(&text, 0600, path, msg, sizeof msg)) {
        int status = run_program(l, script, path);
        if (status != 0)
            snprintf(msg, sizeof msg, "the editor ended with status %d: the draft is as it was",
                     status);
        else if (!read_file(path, &edited))
            snprintf(msg, sizeof msg, "%s: %s", path, strerror(errno));
        unlink(path);
    }
    size_t n = edited.bytes;
    n -= n && edited.data[n - 1] == '\n'; /* editors end the last line */
    if (*msg)
        loop_hint(l, true, msg);
    else
        editor_set(l->editor, buf_text(&edited), n);
    buf_release(&text);
    buf_release(&edited);
}

void outside_pager(struct loop *l)
{
    static const char script[] = "exec ${PAGER:-less} \"$1\"";
    struct buf text = {0};
    char path[64], msg[160] = "";
    transcript_plain(l->transcript, &text);
    if (temp_file(&text, 0400, path, msg, sizeof msg)) {
        int status = run_program(l, script, path);
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
    transcript_plain(l->transcript, &text);
    buf_puts(&text, "\n-- any key leads back --\n");
    term_leave();
    write_file(STDOUT_FILENO, buf_text(&text), text.bytes);
    wait_key(l);
    term_return();
    l->dirty = true;
    buf_release(&text);
}
