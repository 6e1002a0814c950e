/* export.h -- a conversation as one file for people or programs. */
#ifndef DUET_APP_EXPORT_H
#define DUET_APP_EXPORT_H

#include "app/conversation.h"
#include "engine/err.h"
#include "ui/buf.h"

/* Markdown: title, questions, chosen answers; thinking as a quotation. Text stays as it is. */
void export_markdown(const struct conversation *c, struct buf *out);

/* One JSON object: title, model, mode, system, and turns with all their replies and parts. */
void export_json(const struct conversation *c, struct buf *out);

/* Carries out "/export md FILE" or "json FILE": the file must not exist, and gets mode 0600. On
 * success msg says what was written. */
bool export_write(const struct conversation *c, const char *args, char *msg, size_t msg_bytes,
                  struct err *err);

#endif
