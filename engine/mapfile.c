/* mapfile.c -- see mapfile.h. */
#include "engine/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Maps the open file; the mapping outlives the descriptor. */
static bool map(struct mapfile *out, int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_errno(err, "cannot read", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, "'%s' is a folder, not a file", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "'%s' is not a regular file", path);
    if (st.st_size == 0)
        return err_set(err, ERR_FORMAT, "'%s' is empty", path);
    if ((uintmax_t)st.st_size > SIZE_MAX)
        return err_set(err, ERR_LIMIT, "'%s' is too large for this machine", path);
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return err_errno(err, "cannot map", path);
    out->data = data;
    out->bytes = (size_t)st.st_size;
    return true;
}

bool mapfile_open(struct mapfile *out, const char *path, struct err *err)
{
    *out = (struct mapfile){0};
    /* O_NONBLOCK: opening a named pipe that nobody writes to must not wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "cannot open", path);
    bool ok = map(out, fd, path, err);
    close(fd);
    return ok;
}

void mapfile_close(struct mapfile *m)
{
    if (m->data)
        munmap((void *)(uintptr_t)m->data, m->bytes);
    *m = (struct mapfile){0};
}
