/* layout.h -- the size of the screen -> where its parts stand. Pure. */
#ifndef DUET_UI_LAYOUT_H
#define DUET_UI_LAYOUT_H

#include <stdbool.h>

struct rect {
    int row, col, rows, cols; /* rows 0 = not there */
};

struct layout {
    bool small; /* no room for more than editor and status row */
    struct rect header, transcript, rule, editor, status;
};

enum {
    LAYOUT_SMALL_ROWS = 10, /* fewer rows or columns: editor and status row alone */
    LAYOUT_SMALL_COLS = 40,
    LAYOUT_NARROW_COLS = 60, /* fewer columns: the header shortens */
    LAYOUT_BESIDE_COLS = 100, /* two panes stand side by side, */
    LAYOUT_BELOW_ROWS = 16,   /* or else below each other, or else one of them alone is there */
};

/* rows, cols >= 1. draft_rows: the rows the draft would like; it gets a third of the screen at
 * most. The parts lie below each other and fill the screen. */
void layout_compute(struct layout *l, int rows, int cols, int draft_rows);

/* Two panes in one rectangle, each below a row for its heading, which is a part of it. Where there
 * is room for one, the second has no rows. */
void layout_split(const struct rect *all, struct rect pane[2]);

#endif
