/* check.h -- a reply against the demands of its prompt. Pure; sees the reply's text alone, never an
 * answer key. */
#ifndef DUET_APP_CHECK_H
#define DUET_APP_CHECK_H

#include "app/demand.h"

/* True if the text keeps demand i. Appends one line without its end that says what was found:
 * "4 words, not exactly 5". why may be NULL. */
bool demand_check(const struct demands *d, int i, struct piece text, struct buf *why);

/* How many of the demands the text keeps. Appends a line per demand that it does not keep; why may
 * be NULL. An empty text keeps none. */
int demands_check(const struct demands *d, struct piece text, struct buf *why);

#endif
