/* field.h -- one line that is typed outside of the editor: a filter, a search, a new name. Pure. */
#ifndef DUET_UI_FIELD_H
#define DUET_UI_FIELD_H

#include <stdbool.h>

#include "ui/buf.h"
#include "ui/key.h"

/* Characters and pastes (their first line) go to the end, Backspace takes a whole character away.
 * True: the text is another one now. */
bool field_key(struct buf *text, const struct key *k);

#endif
