/* markdown.h -- Markdown as rows of styled runs, while the text still grows. Pure.
 *
 * The text is laid out in pieces that cannot change each other: a piece ends where a blank line,
 * or a fence at the first column, closes everything before it. Pieces that have ended are kept;
 * only the last one is read again when text comes. Link definitions reach everywhere: each new one
 * has all pieces read again, once; with those that take more than a line the text is read whole
 * each time.
 *
 * What stands in rows is the text itself where it can be (a run points into it), and else text of
 * the rows' own: bullets, blanks, lines of a table. HTML is shown as it is written. A fence that
 * is still open is code already. */
#ifndef DUET_UI_MARKDOWN_H
#define DUET_UI_MARKDOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/buf.h"
#include "ui/rows.h"

struct markdown;

struct markdown *markdown_new(void);
void markdown_free(struct markdown **m);

/* The text goes on where another one ends: blocks of code are numbered on, and with `open` a fence
 * that is open there is open here. To be called before the first layout; `before` has been laid
 * out. */
void markdown_continue(struct markdown *m, const struct markdown *before, bool open);

/* Lays the text out (less than 4 GB; more is left away). It may have grown since the last call,
 * and is borrowed until the next one; it does not end between CR and LF. cols >= 1. */
void markdown_layout(struct markdown *m, const char *text, size_t bytes, int cols, bool ascii);

int markdown_made(const struct markdown *m); /* rows that were ever made: what the layouts cost */

/* Whether nothing will follow the text of the next layout: what waits for more is then taken as it
 * is. At first something will. */
void markdown_end(struct markdown *m, bool ended);

/* Reads the text whole from now on, as one piece: what the rows should be. */
void markdown_whole(struct markdown *m);

int markdown_rows(const struct markdown *m);
const struct row *markdown_row(const struct markdown *m, int i);
const struct run *markdown_run(const struct markdown *m, const struct row *r, int i);
const char *markdown_text(const struct markdown *m, const struct run *run);

/* The first and the last number of its blocks of code; last < first if it has none. */
void markdown_codes(const struct markdown *m, int *first, int *last);

/* Appends the text of a block of code, without the indentation that all its lines share. */
void markdown_code(const struct markdown *m, int number, struct buf *out);

#endif
