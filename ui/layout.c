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

void layout_compute(struct layout *l, int rows, int cols, int draft_rows)
{
    assert(rows >= 1 && cols >= 1);
    *l = (struct layout){.small = rows < LAYOUT_SMALL_ROWS || cols < LAYOUT_SMALL_COLS};
    int row = 0;
    if (l->small) {
        l->editor = take(&row, rows > 1 ? rows - 1 : 1, cols);
        l->status = take(&row, rows - row, cols);
        return;
    }
    int draft = clamp(draft_rows, 1, rows / 3);
    l->header = take(&row, 1, cols);
    l->transcript = take(&row, rows - draft - 3, cols);
    l->rule = take(&row, 1, cols);
    l->editor = take(&row, draft, cols);
    l->status = take(&row, 1, cols);
}
