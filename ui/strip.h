/* strip.h -- the context as a row of cells: each stands for a slice of the window, with the mode
 * that wrote it and how exactly the cache holds it. Pure. */
#ifndef DUET_UI_STRIP_H
#define DUET_UI_STRIP_H

#include <stdbool.h>

#include "ui/grid.h"

/* How a stretch is held, the best first. */
enum slice_form {
    SLICE_EXACT,
    SLICE_CODED,   /* in fewer bits, all of it read for every token */
    SLICE_INDEX,   /* and only what an index finds of it is read */
    SLICE_N_FORMS
};

/* A stretch of the timeline. */
struct slice {
    int tokens;
    enum style style; /* of the mode that wrote it; what a person wrote has the role "user" */
    enum slice_form form;
};

struct strip {
    const struct slice *slice; /* [n], from the beginning; borrowed */
    int n;
    int total;                 /* tokens of the window */
    int mark_from, mark_to;    /* tokens that are marked; none where they are the same */
};

/* Draws it from (row, col), at most cells wide. A cell has the style of what holds most of its
 * tokens and the sign of what holds any of them worst; a cell with any token is not empty, nor is
 * one with a marked token unmarked. Returns the cells drawn. */
int strip_draw(const struct strip *s, struct grid *g, int row, int col, int cells, bool ascii);

/* The slice that has the first token of a cell; -1: none has. */
int strip_slice(const struct strip *s, int cell, int cells);

/* What an empty cell of a gauge is. */
const char *strip_empty(bool ascii);

#endif
