/* table.h -- the cells of a table -> rows. Pure.
 *
 * Columns are as wide as their cells if that fits; else the wide ones share what is left and
 * their cells are wrapped. Where even that leaves too little, each row of the table becomes a
 * list of its fields. */
#ifndef DUET_UI_TABLE_H
#define DUET_UI_TABLE_H

#include "ui/rows.h"

enum table_align { TABLE_LEFT, TABLE_CENTER, TABLE_RIGHT };

struct table_cell {
    size_t start, bytes; /* in the leaf */
    enum table_align align;
};

struct table {
    struct leaf leaf;        /* the text of all cells */
    struct table_cell *cell; /* [n], row after row, the first row is the head; owned */
    int n, cap;
    int n_col;
};

void table_clear(struct table *t, int n_col);
void table_release(struct table *t);

/* A cell begins: what is added to the leaf until table_end() is its text. */
void table_begin(struct table *t, enum table_align align);
void table_end(struct table *t);

void table_rows(const struct table *t, struct rows *r);

#endif
