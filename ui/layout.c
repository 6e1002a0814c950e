/* layout.c -- see layout.h. */
#include "ui/layout.h"

#include <assert.h>

static int clamp(int n, int low, int high)
{
    return n > high ? high : n < low ? low : n;
}

/* The next `rows` rows of the screen. */
static struct rect take(int *row, int rows, int cols)
{
    struct rect r = {*row, 0, rows, cols};
    *row += rows;
    return r;
}

void layout_compute(struct layout *l, int rows, int cols, int draft_rows, int status_rows)
{
    assert(rows >= 1 && cols >= 1);
    *l = (struct layout){.small = rows < LAYOUT_SMALL_ROWS || cols < LAYOUT_SMALL_COLS};
    int row = 0, status = clamp(status_rows, 1, LAYOUT_STATUS_ROWS);
    if (l->small) {
        status = clamp(status, 1, rows > 3 ? rows / 2 : 1);
        l->editor = take(&row, rows > 1 ? rows - status : 1, cols);
        l->status = take(&row, rows - row, cols);
        return;
    }
    int draft = clamp(draft_rows, 1, rows / 3);
    l->header = take(&row, 1, cols);
    l->transcript = take(&row, rows - draft - 2 - status, cols);
    l->rule = take(&row, 1, cols);
    l->editor = take(&row, draft, cols);
    l->status = take(&row, status, cols);
}

void layout_split(const struct rect *all, struct rect pane[2])
{
    pane[0] = pane[1] = *all;
    if (all->cols >= LAYOUT_BESIDE_COLS) {
        pane[0].cols = (all->cols - 1) / 2;
        pane[1].col += pane[0].cols + 1;
        pane[1].cols -= pane[0].cols + 1;
    } else if (all->rows >= LAYOUT_BELOW_ROWS) {
        pane[0].rows = all->rows / 2;
        pane[1].row += pane[0].rows;
        pane[1].rows -= pane[0].rows;
    } else {
        pane[1].rows = 0;
    }
}
