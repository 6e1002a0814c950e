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
    LAYOUT_STATUS_ROWS = 3,   /* of a long notice */
};

/* rows, cols >= 1. draft_rows, status_rows: the rows that draft and status row would like; the
 * draft gets a third of the screen at most, the status row LAYOUT_STATUS_ROWS, half of what there
 * is where the screen is small. The parts lie below each other and fill the screen. */
void layout_compute(struct layout *l, int rows, int cols, int draft_rows, int status_rows);

/* Two panes in one rectangle, each below a row for its heading, which is a part of it. Where there
 * is room for one, the second has no rows. */
void layout_split(const struct rect *all, struct rect pane[2]);

#endif
