/* spool.c -- see spool.h. Slots are written with pwrite(), which reports a full disk, never through
 * the mapping, which would end the program. */
#define _GNU_SOURCE   /* O_TMPFILE */
#include "engine/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/mem.h"

struct slot {
    int users;          /* 0: free */
    void *data;         /* mapped while it is used */
};

struct spool {
    pthread_mutex_t lock;
    int users;          /* of the spool: caches and held slots */
    int fd;
    size_t slot_bytes;  /* as mapped: whole pages */
    size_t used_bytes;  /* of these */
    struct slot *slots; /* [cap] */
    int n, cap;
    char folder[PATH_MAX];  /* for messages */
};

/* A file that nobody else can open. Where the file system can make one without a name, no name is
 * left behind by a program that is killed at the wrong moment. */
static int open_nameless(const char *folder)
{
    char path[PATH_MAX];
    int nameless = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (nameless >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return nameless;
    if (snprintf(path, sizeof path, "%s/duet-XXXXXX", folder) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkstemp(path);
    if (fd >= 0) {
        unlink(path);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

bool spool_new(struct spool **out, const char *folder, size_t slot_bytes, struct err *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct spool *s = mem_alloc(sizeof *s);
    *out = NULL;
    if (!s)
        return err_set(err, ERR_NOMEM, "not enough memory for a file of keys and values");
    s->fd = open_nameless(folder);
    if (s->fd < 0) {
        mem_free(s);
        return err_errno(err, "cannot write a file in", folder);
    }
    pthread_mutex_init(&s->lock, NULL);
    s->users = 1;
    s->used_bytes = slot_bytes;
    s->slot_bytes = (slot_bytes + page - 1) / page * page;
    snprintf(s->folder, sizeof s->folder, "%s", folder);
    *out = s;
    return true;
}

static void leave_locked(struct spool *s)
{
    bool last = --s->users == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->slots);
    mem_free(s);
}

void spool_leave(struct spool *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    leave_locked(s);
}

/* A free slot, or one more; -1: no memory. */
static int find_slot(struct spool *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->slots[i].users == 0)
            return i;
    if (s->n == s->cap) {
        int cap = s->cap ? 2 * s->cap : 64;
        struct slot *more = mem_alloc_n((size_t)cap, sizeof *more);
        if (!more)
            return -1;
        if (s->n > 0)
            memcpy(more, s->slots, (size_t)s->n * sizeof *more);
        mem_free(s->slots);
        s->slots = more;
        s->cap = cap;
    }
    return s->n++;
}

static bool write_at(int fd, const char *bytes, size_t n, off_t at)
{
    while (n > 0) {
        ssize_t done = pwrite(fd, bytes, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* The file is made long enough for whole pages first: a page behind its end cannot be read. */
static bool fill_slot(struct spool *s, int slot, const void *bytes, struct err *err)
{
    off_t at = (off_t)slot * (off_t)s->slot_bytes, end = at + (off_t)s->slot_bytes;
    struct stat st;
    if (fstat(s->fd, &st) != 0 || (st.st_size < end && ftruncate(s->fd, end) != 0) ||
        !write_at(s->fd, bytes, s->used_bytes, at))
        return err_errno(err, "cannot write a file in", s->folder);
    void *data = mmap(NULL, s->slot_bytes, PROT_READ, MAP_SHARED, s->fd, at);
    if (data == MAP_FAILED)
        return err_errno(err, "cannot map a file in", s->folder);
    s->slots[slot].data = data;
    return true;
}

int spool_put(struct spool *s, const void *bytes, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    int slot = find_slot(s);
    if (slot < 0)
        err_set(err, ERR_NOMEM, "not enough memory for a file of keys and values");
    else if (!fill_slot(s, slot, bytes, err))
        slot = -1;
    if (slot >= 0) {
        s->slots[slot].users = 1;
        s->users++;
    }
    pthread_mutex_unlock(&s->lock);
    return slot;
}

const void *spool_at(struct spool *s, int slot)
{
    pthread_mutex_lock(&s->lock);
    const void *data = s->slots[slot].data;
    pthread_mutex_unlock(&s->lock);
    return data;
}

void spool_hold(struct spool *s, int slot)
{
    pthread_mutex_lock(&s->lock);
    assert(s->slots[slot].users > 0);
    s->slots[slot].users++;
    s->users++;
    pthread_mutex_unlock(&s->lock);
}

void spool_drop(struct spool *s, int slot)
{
    pthread_mutex_lock(&s->lock);
    if (--s->slots[slot].users == 0)
        munmap(s->slots[slot].data, s->slot_bytes);
    leave_locked(s);
}
