/* program.h -- another program on a file of ours: an editor, a pager. */
#ifndef DUET_APP_PROGRAM_H
#define DUET_APP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ui/buf.h"

/* What a shell runs, the file being its first argument. */
extern const char program_editor[], program_pager[];

/* A file of our own that holds the text. False: msg says why. */
bool program_file(const struct buf *text, mode_t mode, char path[64], char *msg, size_t msg_bytes);

/* Runs the script, calling meanwhile() until it ends; keys that interrupt it do not end us. Returns
 * its exit status, -1 if it has none. */
int program_run(const char *script, const char *path, void (*meanwhile)(void *data), void *data);

/* The whole file; false, and errno, if it cannot be read or is longer than 16 MiB. */
bool program_read(const char *path, struct buf *out);

bool program_write(int fd, const char *text, size_t bytes); /* all of it */

#endif
