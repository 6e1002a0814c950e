/* mapfile.h -- a file as read-only bytes.
 *
 * The bytes are mapped, not read. They are those of the open file even if its name is replaced
 * meanwhile; a file cut short by another program while it is mapped is not survived (SIGBUS),
 * as with any mapping. */
#ifndef DUET_ENGINE_MAPFILE_H
#define DUET_ENGINE_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"

struct mapfile {
    const uint8_t *data;  /* [bytes], page aligned */
    size_t bytes;         /* > 0 */
};

/* Maps a regular, non-empty file. errors: ERR_IO (missing, a directory, a device, unreadable),
 * ERR_FORMAT (empty), ERR_NOMEM; the message names the path. *out is then zeroed. */
bool mapfile_open(struct mapfile *out, const char *path, struct err *err);

/* Unmaps and zeroes. A zeroed struct is allowed. */
void mapfile_close(struct mapfile *m);

#endif
