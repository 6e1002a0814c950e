/* complete.h -- what Tab adds to a command that is being typed: from the tables of commands and
 * modes, the sessions and the file system. */
#ifndef DUET_APP_COMPLETE_H
#define DUET_APP_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/store.h"
#include "ui/buf.h"

/* Looks at the text before the caret. Appends to insert what all candidates go on with (and a
 * blank behind the only one), to choices the candidates if there are several. False: nothing can
 * be completed there. */
bool complete_line(const char *before, size_t bytes, const struct store_entry *session,
                   int n_session, struct buf *insert, struct buf *choices);

#endif
