/* status.h -- the first and the last row. Pure. */
#ifndef DUET_UI_STATUS_H
#define DUET_UI_STATUS_H

#include "ui/grid.h"
#include "ui/screen.h"

/* Mode, title, context gauge, cache, model. What does not fit is left out, from the end; the
 * title is shortened. */
void status_draw_header(const struct view *v, struct grid *g, int row, int cols);

/* State, speed, progress, what was read again, or a search; at the right the keys. A notice stands
 * behind the state; at the right are then the keys of a list or the reader, as far as there is
 * room, else the figures. It takes more rows than one where it must: status_rows(). */
void status_draw(const struct view *v, struct grid *g, const struct rect *box);
int status_rows(const struct view *v, int cols);

/* Appends as much of a line as fits, cut between its parts, which two blanks separate. */
void status_cut(const char *text, int room, struct buf *out);

/* The column behind the text that is being looked for, of which the end is shown. */
int status_search_col(const struct view *v, int cols);

/* "950", "1.2k", "41k", "1.2M". */
void status_count(char *out, size_t bytes, uint64_t n);

/* "0.3 kB", "950 kB", "1.2 MB", "41 MB", "1.2 GB". What is not nothing is not said to be. */
void status_bytes(char *out, size_t bytes, uint64_t n);

#endif
