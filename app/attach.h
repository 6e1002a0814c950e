/* attach.h -- a file as a part of a message. */
#ifndef DUET_APP_ATTACH_H
#define DUET_APP_ATTACH_H

#include <stdbool.h>

#include "engine/err.h"
#include "ui/buf.h"

/* Appends the file as a message holds it: its name, then its text in a fence. errors: ERR_IO,
 * ERR_INPUT it is no text. */
bool attach_file(const char *path, struct buf *out, struct err *err);

#endif
