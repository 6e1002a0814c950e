/* pipe.h -- a pipe whose ends are ours alone and never wait: it wakes a poll(). */
#ifndef DUET_APP_PIPE_H
#define DUET_APP_PIPE_H

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/* On failure fd is as it was and errno says why. */
static inline bool pipe_open(int fd[2])
{
    if (pipe(fd) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        fcntl(fd[i], F_SETFD, FD_CLOEXEC);
        fcntl(fd[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}

#endif
