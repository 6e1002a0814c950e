/* lock.h -- one program per session: flock on the file `lock` of its folder, which says who holds
 * it. A lock ends with its program, however that ends: what a dead one wrote there is not
 * believed. */
#ifndef DUET_APP_LOCK_H
#define DUET_APP_LOCK_H

#include <stdbool.h>

#include "engine/err.h"

/* Takes the lock of an open folder and writes pid, host and time into it; *fd holds it. False:
 * *fd is -1.
 *
 * errors  ERR_BUSY: *err names the session by its id and says who has it open. ERR_IO. */
bool lock_take(int *fd, int folder, const char *id, struct err *err);

/* Gives it back and sets *fd to -1. */
void lock_release(int *fd);

#endif
