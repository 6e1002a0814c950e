/* clip.c -- see clip.h. */
#include "ui/clip.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ui/term.h"

enum { TOOL_MS = 2000, LOOK_MS = 5 };

static const struct {
    const char *needs; /* the variable that says its display is at hand */
    const char *argv[6];
} tools[] = {
    {"WAYLAND_DISPLAY", {"wl-copy", NULL}},
    {"DISPLAY", {"xclip", "-selection", "clipboard", NULL}},
    {"DISPLAY", {"xsel", "--input", "--clipboard", NULL}},
    {"TMUX", {"tmux", "load-buffer", "-w", "-", NULL}},
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In the child: only what is safe behind fork(). */
static void run_tool(const char *const *argv, int from)
{
    int null = open("/dev/null", O_RDWR);
    dup2(from, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

/* Writes what the tool takes until then. */
static bool feed(int fd, const char *text, size_t bytes, int64_t end)
{
    while (bytes) {
        struct pollfd p = {fd, POLLOUT, 0};
        int64_t left = end - now_ms();
        if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
            return false;
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (n > 0) {
            text += n;
            bytes -= (size_t)n;
        }
    }
    return true;
}

/* True if the child ended well by then; one that has not ended is killed. */
static bool ended(pid_t child, int64_t end)
{
    int status;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (now_ms() >= end) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return false;
        }
        poll(NULL, 0, LOOK_MS);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool copy_by_tool(const char *const *argv, const char *text, size_t bytes)
{
    int fds[2];
    int64_t end = now_ms() + TOOL_MS;
    if (pipe(fds) != 0)
        return false;
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    pid_t child = fork();
    if (child == 0)
        run_tool(argv, fds[0]);
    close(fds[0]);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, &old);
    bool fed = child > 0 && feed(fds[1], text, bytes, end);
    sigaction(SIGPIPE, &old, NULL);
    close(fds[1]);
    return child > 0 && ended(child, end) && fed;
}

/* The name of the tool that took it, NULL if none did. */
static const char *copy_by_tools(const char *text, size_t bytes)
{
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        const char *at = getenv(tools[i].needs);
        if (at && *at && copy_by_tool(tools[i].argv, text, bytes))
            return tools[i].argv[0];
    }
    return NULL;
}

static bool copy_to_file(const char *path, const char *text, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = fchmod(fd, 0600) == 0;
    while (good && bytes) {
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        good = n > 0;
        text += good ? n : 0;
        bytes -= good ? (size_t)n : 0;
    }
    return close(fd) == 0 && good;
}

bool clip_copy(const char *text, size_t bytes, const char *file, char *msg, size_t msg_bytes)
{
    const char *tool = copy_by_tools(text, bytes);
    if (tool) {
        snprintf(msg, msg_bytes, "%zu bytes copied by %s", bytes, tool);
        return true;
    }
    if (term_clipboard(text, bytes)) {
        snprintf(msg, msg_bytes, "%zu bytes sent to the terminal's clipboard", bytes);
        return true;
    }
    if (!file) {
        snprintf(msg, msg_bytes, "not copied: no clipboard tool, and none in the terminal");
        return false;
    }
    bool good = copy_to_file(file, text, bytes);
    if (good)
        snprintf(msg, msg_bytes, "%zu bytes written to %s", bytes, file);
    else
        snprintf(msg, msg_bytes, "not copied: %s: %s", file, strerror(errno));
    return good;
}
