/* wrap.h -- text and a width -> rows. Pure.
 *
 * Row after row, each found from its own start alone: rows before the last one never change when
 * text is added at the end, so a caller may keep them. */
#ifndef DUET_UI_WRAP_H
#define DUET_UI_WRAP_H

#include <stdbool.h>
#include <stddef.h>

enum wrap_mode {
    WRAP_WORDS, /* between words and around wide characters; blanks at the break vanish */
    WRAP_CELLS, /* wherever the row is full: every byte stays at its place */
};

struct wrap_row {
    size_t start, bytes; /* what the row shows */
    size_t next;         /* where the following row starts */
    bool more;           /* there is one, if only an empty one after a line end */
    bool line_end;       /* the row ends at a line end, which it does not show */
};

/* The row that starts at text[at], at <= bytes, cols >= 1 cells wide at most. */
void wrap_row(const char *text, size_t bytes, size_t at, int cols, enum wrap_mode mode,
              struct wrap_row *r);

/* The row and column of a byte offset in text wrapped by WRAP_CELLS; returns the number of rows. */
int wrap_find(const char *text, size_t bytes, size_t offset, int cols, int *row, int *col);

/* The offset at (row, col) in text wrapped by WRAP_CELLS, or the nearest before it in that row. */
size_t wrap_offset(const char *text, size_t bytes, int row, int col, int cols);

#endif
