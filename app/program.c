/* program.c -- see program.h. */
#include "app/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 16 << 20 };

const char program_editor[] = "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"";
const char program_pager[] = "exec ${PAGER:-less} \"$1\"";

bool program_write(int fd, const char *text, size_t bytes)
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

bool program_read(const char *path, struct buf *out)
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

bool program_file(const struct buf *text, mode_t mode, char path[64], char *msg, size_t msg_bytes)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder || strlen(folder) > 30)
        folder = "/tmp";
    snprintf(path, 64, "%s/duet-XXXXXX.md", folder);
    int fd = mkstemps(path, 3);
    bool good = fd >= 0 && program_write(fd, buf_text(text), text->bytes) && fchmod(fd, mode) == 0;
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

int program_run(const char *script, const char *path, void (*meanwhile)(void *data), void *data)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
    struct sigaction interrupt, quit, stop;
    int status = 0;
    sigemptyset(&ignore.sa_mask);
    sigemptyset(&usual.sa_mask);
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    sigaction(SIGTSTP, &usual, &stop); /* curses would draw when it goes on */
    pid_t child = fork();
    if (child == 0)
        run_child(script, path);
    while (child > 0 && waitpid(child, &status, WNOHANG) == 0)
        meanwhile(data);
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    sigaction(SIGTSTP, &stop, NULL);
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
