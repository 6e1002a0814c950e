/* out.h -- text on standard output and standard error, as the fronts without a screen write it.
 *
 * To a terminal nothing goes raw: controls, escape sequences, bidi overrides and tag characters are
 * spelled out (ui/text.h), line ends and tabs stay. Into a file or a pipe text goes as it is. */
#ifndef DUET_APP_OUT_H
#define DUET_APP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ui/buf.h"

void out_text(FILE *f, const char *text, size_t bytes);
void out_printf(FILE *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* From here on text that goes to standard output, where that is a terminal, is broken between words
 * (flow.h); its last word waits for what comes next, or for out_settle(). */
void out_flows(bool on);
void out_settle(void);   /* all is written, by standard output too */
void out_begin(void);    /* a text begins behind a label */
void out_line(void);     /* what was typed has ended the line */

/* Appends what a terminal would be sent. */
void out_spell(struct buf *out, const char *text, size_t bytes);

#endif
