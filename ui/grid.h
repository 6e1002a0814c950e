/* grid.h -- the screen as cells. Everything draws here; term.c alone sends it to a terminal, and
 * tests read it as text. Pure. */
#ifndef DUET_UI_GRID_H
#define DUET_UI_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/buf.h"
#include "ui/theme.h"

/* One cell: a grapheme cluster as UTF-8 (at most one spacing character and its marks; "" in the
 * right half of a wide one), its style. */
struct cell {
    char text[20];
    unsigned char width; /* 1 or 2; 0 = right half of a wide cell */
    unsigned char style; /* enum style */
};

struct grid {
    int rows, cols;
    struct cell *cell; /* [rows][cols], owned */
};

void grid_init(struct grid *g, int rows, int cols); /* blank; rows, cols >= 1 */
void grid_resize(struct grid *g, int rows, int cols); /* blank again */
void grid_release(struct grid *g);
void grid_blank(struct grid *g);

/* Writes display text (already made safe by text_display()) from (row, col), clipped to
 * `cols_max` cells and to the grid; a wide character that does not fit is left out. Returns the
 * cells used. Out of range positions write nothing. */
int grid_put(struct grid *g, int row, int col, int cols_max, enum style s, const char *text,
             size_t bytes);
void grid_fill(struct grid *g, int row, int col, int cols, enum style s, const char *cluster);

bool grid_same_row(const struct grid *a, const struct grid *b, int row);

/* The grid as text, one line a row, trailing blanks removed. styles = true adds under each row
 * that has other styles than "text" a line naming them by first letters. */
void grid_dump(const struct grid *g, bool styles, struct buf *out);

#endif
