/* fault.c -- see fault.h. Every name here is one of the Makefile's list FAULTS. */
#include "tests/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int kind_now, left, how_now;
static atomic_bool happened;

void fault_set(enum fault_kind kind, int n, enum fault_how how)
{
    atomic_store(&happened, false);
    atomic_store(&left, n);
    atomic_store(&how_now, how);
    atomic_store(&kind_now, kind);
}

bool fault_clear(void)
{
    atomic_store(&kind_now, 0);
    return atomic_load(&happened);
}

/* True for a call that shall fail. */
static bool hit(enum fault_kind kind, int error)
{
    if (atomic_load(&kind_now) != (int)kind)
        return false;
    int n = atomic_fetch_sub(&left, 1);
    if (n > 0 || (n < 0 && atomic_load(&how_now) == FAULT_ONCE))
        return false;
    atomic_store(&happened, true);
    errno = error;
    return true;
}

/* ---- memory -------------------------------------------------------------------------------- */

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
    return hit(FAULT_MEMORY, ENOMEM) ? NULL : __real_malloc(bytes);
}

void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes)
{
    return hit(FAULT_MEMORY, ENOMEM) ? NULL : __real_calloc(n, bytes);
}

void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes)
{
    return hit(FAULT_MEMORY, ENOMEM) ? NULL : __real_realloc(old, bytes);
}

void *__real_aligned_alloc(size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    return hit(FAULT_MEMORY, ENOMEM) ? NULL : __real_aligned_alloc(align, bytes);
}

void *__real_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    return hit(FAULT_MEMORY, ENOMEM) ? MAP_FAILED
                                     : __real_mmap64(at, bytes, prot, flags, fd, offset);
}

/* ---- files --------------------------------------------------------------------------------- */

/* The mode of an open() that may make a file. */
static mode_t mode_of(int flags, va_list args)
{
    return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return hit(FAULT_FILE, ENOSPC) ? -1 : __real_open64(path, flags, mode);
}

int __real_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return hit(FAULT_FILE, ENOSPC) ? -1 : __real_openat64(folder, path, flags, mode);
}

/* True if a failing write still takes half of its bytes: the first one of FAULT_SHORT. */
static bool takes_half(size_t bytes)
{
    return bytes > 1 && atomic_load(&how_now) == FAULT_SHORT && atomic_load(&left) == -1;
}

ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    struct stat st;
    bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode); /* a pipe knows no full disk */
    if (!file || !hit(FAULT_FILE, ENOSPC))
        return __real_write(fd, data, bytes);
    return takes_half(bytes) ? __real_write(fd, data, bytes / 2) : -1;
}

ssize_t __real_pwrite64(int fd, const void *data, size_t bytes, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t bytes, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t bytes, off_t at)
{
    if (!hit(FAULT_FILE, ENOSPC))
        return __real_pwrite64(fd, data, bytes, at);
    return takes_half(bytes) ? __real_pwrite64(fd, data, bytes / 2, at) : -1;
}

int __real_ftruncate64(int fd, off_t bytes);
int __wrap_ftruncate64(int fd, off_t bytes);
int __wrap_ftruncate64(int fd, off_t bytes)
{
    return hit(FAULT_FILE, EIO) ? -1 : __real_ftruncate64(fd, bytes);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return hit(FAULT_FILE, EIO) ? -1 : __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return hit(FAULT_FILE, EIO) ? -1 : __real_rename(from, to);
}

int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return hit(FAULT_FILE, EIO) ? -1 : __real_renameat(from_folder, from, to_folder, to);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    return hit(FAULT_FILE, ENOSPC) ? -1 : __real_mkdir(path, mode);
}

int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);
int __wrap_flock(int fd, int how)
{
    return hit(FAULT_FILE, EIO) ? -1 : __real_flock(fd, how);
}
