/* list.h -- a scrolling list over the transcript: sessions, help. */
#ifndef DUET_UI_LIST_H
#define DUET_UI_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/grid.h"
#include "ui/key.h"

struct list;

enum list_result { LIST_MORE, LIST_CHOSEN, LIST_CLOSED };

/* title stands on top; choose = false makes it a text to read (help). */
struct list *list_new(const char *title, bool choose);
void list_free(struct list **l);

/* One row: left text, right text (may be ""). Returns its number. */
int list_add(struct list *l, const char *left, const char *right);

/* Arrows, PgUp, PgDn, Home, End; typing filters (case folded substring of both texts),
 * Backspace; Enter chooses, Esc closes. */
enum list_result list_key(struct list *l, const struct key *k);
int list_first(const struct list *l);  /* the number of the first row that passes, -1 = none does */
int list_chosen(const struct list *l); /* the number of the row the bar is on, -1 = none */

/* The text that filters, and another one. A row that passes by what the caller knows of it is
 * shown until the filter changes. */
const char *list_filter(const struct list *l);
void list_filter_set(struct list *l, const char *text);
void list_found(struct list *l, int i);

void list_go(struct list *l, int i); /* the bar on row i, if that is shown */

/* A row of what was drawn last, 0 = the title, was pointed at: the bar goes there. True: it was
 * there already, which chooses it. */
bool list_point(struct list *l, int row);
void list_title(struct list *l, const char *title);

void list_ascii(struct list *l, bool ascii); /* only such signs of its own */

/* What does not fit in a row ends in an ellipsis; at the right edge an arrow shows that there are
 * rows above or below. */
void list_draw(struct list *l, struct grid *g, int row, int col, int rows, int cols);

#endif
