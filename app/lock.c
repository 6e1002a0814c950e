/* lock.c -- see lock.h. What the file says is shown and never acted upon: it may be old, half
 * written, or from a machine that shares the folder. */
#include "app/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/json.h"
#include "ui/buf.h"

enum { HOLDER_BYTES_MAX = 512, HOST_BYTES = 64 };
#define SINCE_MAX ((int64_t)253402300799) /* the last second of the year 9999 */

static void host_name(char out[HOST_BYTES + 1])
{
    out[HOST_BYTES] = 0;
    if (gethostname(out, HOST_BYTES) < 0)
        out[0] = 0;
    for (char *p = out; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~')
            *p = '?';
}

/* That a lock says nobody's name is no reason not to open. */
static void holder_write(int fd)
{
    struct buf line = {0};
    struct json_line j;
    char host[HOST_BYTES + 1];
    host_name(host);
    json_begin(&j, &line);
    json_int(&j, "pid", getpid());
    json_text(&j, "host", host);
    json_int(&j, "since", time(NULL));
    json_end(&j);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, line.data, line.bytes, 0) != (ssize_t)line.bytes)
        (void)!ftruncate(fd, 0);
    buf_release(&line);
}

/* " (process 12 on host, since 2026-11-25 22:10)", or "" where the file does not say. */
static void holder_read(int fd, char *out, size_t bytes)
{
    char text[HOLDER_BYTES_MAX], when[32];
    ssize_t n = pread(fd, text, sizeof text, 0);
    struct json *j = n > 0 ? json_parse(text, (size_t)n) : NULL;
    const char *host = j ? json_string(j, "host") : NULL;
    int64_t pid, since;
    struct tm tm;
    out[0] = 0;
    if (host && json_integer(j, "pid", &pid) && json_integer(j, "since", &since) && pid > 0 &&
        since >= 0 && since <= SINCE_MAX &&
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
            strlen(host) &&
        localtime_r(&(time_t){since}, &tm) && strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm))
        snprintf(out, bytes, " (process %lld on %.64s, since %s)", (long long)pid, host, when);
    json_free(&j);
}

static bool lock_wait(int fd, const char *id, struct err *err)
{
    char holder[160];
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            holder_read(fd, holder, sizeof holder);
            return err_set(err, ERR_BUSY, "session '%s' is open in another duet%s", id, holder);
        }
        if (errno != EINTR)
            return err_errno(err, "cannot lock the session", id);
    }
    struct stat st;
    return (fstat(fd, &st) == 0 && st.st_nlink > 0) ||
           err_set(err, ERR_BUSY, "session '%s' was removed by another duet", id);
}

bool lock_take(int *fd, int folder, const char *id, struct err *err)
{
    *fd = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (*fd < 0)
        return err_errno(err, "cannot lock the session", id);
    if (!lock_wait(*fd, id, err)) {
        close(*fd);
        *fd = -1;
        return false;
    }
    fchmod(*fd, 0600);
    holder_write(*fd);
    return true;
}

void lock_release(int *fd)
{
    if (*fd < 0)
        return;
    (void)!ftruncate(*fd, 0);
    close(*fd);
    *fd = -1;
}
