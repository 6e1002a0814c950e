/* signals.c -- see signals.h. A handler only writes a byte and sets flags. */
#include "app/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "app/pipe.h"

enum { BUS_STATUS = 1 };

static void (*restore_terminal)(void);
static volatile sig_atomic_t came, not_taken, continued;
static int fd[2] = {-1, -1};

static void end_by(int sig)
{
    if (restore_terminal)
        restore_terminal();
    signal(sig, SIG_DFL);
    raise(sig);
}

/* A page of a mapped file that is not there any more: another program cut the file short, or the
 * disk failed. Nothing of ours is wrong, and what was said is in the log. */
static void on_bus_error(int sig)
{
    static const char text[] = "duet: a file in use, the model or a saved cache, was cut short or "
                               "cannot be read; what was said is saved\n";
    (void)sig;
    if (restore_terminal)
        restore_terminal();
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(BUS_STATUS);
}

static void on_request(int sig)
{
    int saved = errno;
    if (not_taken) /* nobody listens: the second one ends the program */
        end_by(sig);
    came = sig;
    not_taken = 1;
    ssize_t written = write(fd[1], "", 1);
    (void)written; /* full: it is readable then */
    errno = saved;
}

/* The shell, or another's hand, lets the program go on. */
static void on_continue(int sig)
{
    int saved = errno;
    (void)sig;
    continued = 1;
    ssize_t written = write(fd[1], "", 1);
    (void)written;
    errno = saved;
}

static void handle(int sig, void (*handler)(int), int flags)
{
    struct sigaction a = {0};
    a.sa_handler = handler;
    a.sa_flags = flags;
    sigemptyset(&a.sa_mask);
    sigaction(sig, &a, NULL);
}

void signals_init(void (*restore)(void))
{
    static const int crash[] = {SIGSEGV, SIGFPE, SIGILL, SIGABRT};
    static const int request[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    restore_terminal = restore;
    if (fd[0] < 0)
        pipe_open(fd);
    for (size_t i = 0; i < sizeof crash / sizeof *crash; i++)
        handle(crash[i], end_by, (int)SA_RESETHAND);
    handle(SIGBUS, on_bus_error, (int)SA_RESETHAND);
    for (size_t i = 0; i < sizeof request / sizeof *request; i++)
        handle(request[i], on_request, 0);
    handle(SIGCONT, on_continue, SA_RESTART);
    handle(SIGPIPE, SIG_IGN, 0);
}

int signals_fd(void)
{
    return fd[0];
}

int signals_take(void)
{
    char sink[16];
    while (read(fd[0], sink, sizeof sink) > 0)
        ;
    int sig = came;
    came = 0;
    not_taken = 0;
    return sig;
}

bool signals_continued(void)
{
    bool was = continued;
    continued = 0;
    return was;
}
