/* out.h -- text on standard output and standard error, as the fronts without a screen write it.
 *
 * To a terminal nothing goes raw: controls, escape sequences, bidi overrides and tag characters are
 * spelled out (ui/text.h), line ends and tabs stay. Into a file or a pipe text goes as it is. */
#ifndef DUET_APP_OUT_H
#define DUET_APP_OUT_H

#include <stddef.h>
#include <stdio.h>

#include "ui/buf.h"

void out_text(FILE *f, const char *text, size_t bytes);
void out_printf(FILE *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends what a terminal would be sent. */
void out_spell(struct buf *out, const char *text, size_t bytes);

#endif
