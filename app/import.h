/* import.h -- a conversation from a file: what export.h writes, and Markdown like it. */
#ifndef DUET_APP_IMPORT_H
#define DUET_APP_IMPORT_H

#include "app/conversation.h"
#include "engine/err.h"

/* Reads any bytes into *c, which is initialised and stays empty on failure. JSON is the exact
 * inverse of export_json(): titles, replies, thoughts, choices. Markdown is what can be told from
 * headings that name a speaker ("## You", "## Flash", "# User", "**Assistant:**"); a quotation at
 * the beginning of an answer by a mode that thinks is its thought.
 *
 * errors  ERR_FORMAT: neither, ERR_UNSUPPORTED: JSON of another version. */
bool import_read(const char *data, size_t bytes, struct conversation *c, struct err *err);

/* The same of a file, into a new session below dir, whose id is returned. Also ERR_IO, ERR_LIMIT
 * (more than 16 MiB). */
bool import_file(const char *dir, const char *path, char id[80], struct err *err);

#endif
