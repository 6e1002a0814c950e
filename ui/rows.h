/* rows.h -- rows made of styled runs, and what breaks a paragraph of runs into rows. Pure.
 *
 * A run points into the text that is shown (borrowed, set by the owner) or into `own`. Every row
 * begins with what the open levels put before it: the bar of a quotation, the bullet of an item. */
#ifndef DUET_UI_ROWS_H
#define DUET_UI_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/buf.h"
#include "ui/theme.h"
#include "ui/wrap.h"

struct run {
    uint32_t at, bytes;  /* in the text, or in the rows' own */
    unsigned char style; /* enum style */
    bool own;
};

struct row {
    uint32_t run;    /* its first run */
    uint32_t n_run;
    uint32_t source; /* where in the text it begins, or what stands before it ends */
    int code;        /* > 0: the first row of the block of code with this number */
    int indent;      /* cells before its text: tabs count from there */
};

enum { LEVELS_MAX = 24, LEVEL_TEXT_MIN = 8, OWN_BLANKS = 64 };

/* Something whose rows begin with a sign: `first` before its first row, `rest` before others. */
struct level {
    struct run first, rest;
    int cells;
    bool used; /* its first row is there */
};

struct rows {
    const char *text; /* [bytes] of the text from `offset` on, or a copy of them; borrowed */
    size_t bytes, offset;
    int cols;
    bool ascii;
    struct buf own;   /* its first OWN_BLANKS bytes are blanks */
    struct row *row;  /* [n_row], owned */
    int n_row, cap_row;
    int made;         /* all rows that ever were, those taken back too */
    struct run *run;  /* [n_run], owned */
    int n_run, cap_run;
    struct level level[LEVELS_MAX];
    int n_level;      /* may be larger than LEVELS_MAX: deeper ones show nothing */
    uint32_t source;  /* the end of what was shown last */
    bool sourced;     /* the last row shows something of the text */
};

void rows_clear(struct rows *r); /* no rows, no levels; keeps text, cols and ascii */
void rows_release(struct rows *r);

void rows_trim(struct rows *r); /* gives back the room for more */

/* Takes back to an earlier state: as many rows, runs and bytes of its own, no levels. */
void rows_cut(struct rows *r, int n_row, int n_run, size_t own);

/* A level begins, with these signs of `cells` cells each; where too little room is left beside
 * them they are not shown. A level whose first row never came gets an empty one. */
void rows_push_level(struct rows *r, const char *first, const char *rest, int cells,
                     enum style s);
void rows_pop_level(struct rows *r);

int rows_width(const struct rows *r); /* the cells left beside the levels, at least 1 */

void rows_begin(struct rows *r);      /* a new row, with the signs of its levels */
void rows_run(struct rows *r, struct run run);                       /* into the last row */
void rows_own(struct rows *r, enum style s, const char *text, size_t bytes);
void rows_blanks(struct rows *r, int n);
void rows_repeat(struct rows *r, enum style s, const char *sign, int n);

/* ---- a paragraph before it is broken ------------------------------------------------------- */

struct piece {
    size_t start;  /* in the paragraph */
    struct run run;
};

struct leaf {
    struct buf text;     /* what all pieces say, to be measured */
    struct piece *piece; /* [n], owned */
    int n, cap;
};

/* A piece of a paragraph. text may point into the rows' text, and is kept as a run there. */
void leaf_add(struct leaf *l, struct rows *r, enum style s, const char *text, size_t bytes);
void leaf_clear(struct leaf *l);
void leaf_release(struct leaf *l);

/* The runs of bytes [from, from + bytes) into the last row. */
void leaf_put(const struct leaf *l, struct rows *r, size_t from, size_t bytes);

/* All of it as rows of `cols` cells, each behind `indent` blanks. */
void leaf_wrap(const struct leaf *l, struct rows *r, int indent, int cols, enum wrap_mode mode);

#endif
