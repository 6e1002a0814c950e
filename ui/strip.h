/* strip.h -- the context as a row of cells: each stands for a slice of the window, with the mode
 * that wrote it and how exactly the cache holds it. Pure. */
#ifndef DUET_UI_STRIP_H
#define DUET_UI_STRIP_H

#include <stdbool.h>

#include "ui/grid.h"

/* A stretch of the timeline. */
struct slice {
    int tokens;
    enum style style; /* of the mode that wrote it; what a person wrote has the role "user" */
    bool exact;       /* else it is held in fewer bits */
};

struct strip {
    const struct slice *slice; /* [n], from the beginning; borrowed */
    int n;
    int total;                 /* tokens of the window */
};

/* Draws it from (row, col), at most cells wide. A cell has the style of what holds most of its
 * tokens, and is inexact if any of them is; a cell with any token is not empty. Returns the cells
 * drawn. */
int strip_draw(const struct strip *s, struct grid *g, int row, int col, int cells, bool ascii);

#endif
