/* history.c -- see history.h. */
#include "ui/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ui/buf.h"

enum { FILE_BYTES_MAX = 64 << 20, READ_BYTES = 65536, OPEN_TRIES = 8 };

static void escape(struct buf *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n')
            buf_puts(out, "\\n");
        else if (text[i] == '\\')
            buf_puts(out, "\\\\");
        else if (text[i])
            buf_append(out, text + i, 1);
    }
    buf_puts(out, "\n");
}

static void unescape(struct buf *out, const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        bool escaped = line[i] == '\\' && i + 1 < bytes;
        char c = line[i += escaped];
        buf_append(out, escaped && c == 'n' ? "\n" : &c, 1);
    }
}

/* Opens the file and locks it. Another program may have put a shortened file in its place between
 * the two: then once more. -1 on failure. */
static int open_locked(const char *path, int flags, int lock)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        struct stat here, there;
        int fd = open(path, flags | O_CLOEXEC, 0600);
        if (fd < 0)
            return -1;
        if (flock(fd, lock) == 0 && fstat(fd, &here) == 0 && S_ISREG(here.st_mode) &&
            stat(path, &there) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev)
            return fd;
        close(fd);
    }
    return -1;
}

static bool write_whole(int fd, const char *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(fd, data, bytes);
        if (n <= 0)
            return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

static void read_whole(int fd, struct buf *out)
{
    char *chunk = mem_new(READ_BYTES);
    ssize_t n;
    while (out->bytes < FILE_BYTES_MAX && (n = read(fd, chunk, READ_BYTES)) > 0)
        buf_append(out, chunk, (size_t)n);
    free(chunk);
}

/* Where the last `keep` lines start; *lines is how many there are in all. */
static size_t last_lines(const struct buf *b, int keep, int *lines)
{
    size_t at = b->bytes;
    *lines = 0;
    size_t start = 0;
    if (at && b->data[at - 1] != '\n')
        ++*lines;
    while (at) {
        if (b->data[--at] != '\n')
            continue;
        if (*lines == keep)
            start = at + 1;
        ++*lines;
    }
    return start;
}

/* Puts the text in the place of the file, which the caller has locked. */
static void replace_file(const char *path, const char *text, size_t bytes)
{
    struct buf temp = {0};
    buf_printf(&temp, "%s.%ld", path, (long)getpid());
    int fd = open(buf_text(&temp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        bool good = write_whole(fd, text, bytes) && fsync(fd) == 0;
        if (close(fd) != 0 || !good || rename(buf_text(&temp), path) != 0)
            unlink(buf_text(&temp));
    }
    buf_release(&temp);
}

void history_load(const char *path, void (*add)(void *data, const char *text, size_t bytes),
                  void *data)
{
    int lines, fd = open_locked(path, O_RDONLY, LOCK_EX);
    if (fd < 0)
        return;
    struct buf all = {0}, entry = {0};
    read_whole(fd, &all);
    size_t at = last_lines(&all, HISTORY_MAX, &lines);
    if (lines > HISTORY_MAX + HISTORY_MAX / 2 || all.bytes >= FILE_BYTES_MAX)
        replace_file(path, buf_text(&all) + at, all.bytes - at);
    close(fd);
    while (at < all.bytes) {
        const char *line = all.data + at, *end = memchr(line, '\n', all.bytes - at);
        size_t n = end ? (size_t)(end - line) : all.bytes - at;
        buf_clear(&entry);
        unescape(&entry, line, n);
        if (entry.bytes)
            add(data, entry.data, entry.bytes);
        at += n + 1;
    }
    buf_release(&all);
    buf_release(&entry);
}

bool history_append(const char *path, const char *text, size_t bytes)
{
    if (bytes > HISTORY_ENTRY_MAX)
        return false;
    int fd = open_locked(path, O_WRONLY | O_APPEND | O_CREAT, LOCK_EX);
    if (fd < 0)
        return false;
    struct buf line = {0};
    escape(&line, text, bytes);
    bool good = fchmod(fd, 0600) == 0 && write_whole(fd, line.data, line.bytes);
    buf_release(&line);
    return close(fd) == 0 && good;
}
