/* hostile.h -- texts that would do something to a terminal if they reached it, and what must not
 * be found in anything that is sent to one. */
#ifndef DUET_TESTS_HOSTILE_H
#define DUET_TESTS_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/buf.h"

/* Fills out with about `bytes` bytes: noise, pieces of escape sequences, controls of both kinds,
 * bidi overrides, tags, emoji sequences, half characters, and words between them. No zero bytes. */
void hostile_text(struct buf *out, uint64_t *random, size_t bytes);

/* NULL, or the first byte that a terminal must not see: a control character other than a line end
 * or a tab, a C1 control, a character that turns or hides text, a byte that is no UTF-8. */
const char *hostile_find(const char *text, size_t bytes);

#endif
