/* signs.h -- how wide characters are, as /unicode tells it: by our own table, by the C library, and
 * as the terminal draws them. */
#ifndef DUET_APP_SIGNS_H
#define DUET_APP_SIGNS_H

#include <stddef.h>

#include "ui/buf.h"

/* The cells the terminal goes on by for a shown text; -1 = it does not say. NULL: there is none. */
typedef int (*signs_measure)(void *data, const char *text, size_t bytes);

/* Appends a line for each cluster of the text: it, its characters, how it is shown and how wide.
 * "" = of texts that programs disagree about, what the terminal draws otherwise than we count. */
void signs_tell(const char *text, signs_measure measure, void *data, struct buf *out);

#endif
