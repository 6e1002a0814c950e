/* import.h -- a conversation from a file: what export.h writes, and Markdown like it. */
#ifndef DUET_APP_IMPORT_H
#define DUET_APP_IMPORT_H

#include "app/conversation.h"
#include "engine/err.h"

/* What was not taken over as it stood. */
struct import_report {
    char mode_gone[MODE_NAME_BYTES + 1]; /* Flash stands for this mode, which there is not; "" */
};

/* Reads any bytes into *c, which is initialised and stays empty on failure. JSON is the exact
 * inverse of export_json(): titles, replies, thoughts, choices. Markdown is what can be told from
 * headings that name a speaker ("## You", "## Flash", "# User", "**Assistant:**"); a quotation at
 * the beginning of an answer by a mode that thinks is its thought; it goes on in the mode of the
 * last answer. report may be NULL.
 *
 * errors  ERR_FORMAT: neither, ERR_UNSUPPORTED: JSON of another version. */
bool import_read(const char *data, size_t bytes, struct conversation *c,
                 struct import_report *report, struct err *err);

/* The same of a file, into a new session below dir, whose id is returned. Also ERR_IO, ERR_LIMIT
 * (more than 16 MiB). */
bool import_file(const char *dir, const char *path, char id[80], struct import_report *report,
                 struct err *err);

#endif
