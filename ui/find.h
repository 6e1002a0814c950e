/* find.h -- every place where a text stands, in any case of letters. Pure. */
#ifndef DUET_UI_FIND_H
#define DUET_UI_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/buf.h"

struct hit {
    int entry;
    size_t at, bytes;
};

struct find {
    struct buf folded; /* what is looked for, case-folded; empty = nothing */
    struct hit *hit;   /* [n], by entry and place, without overlaps; owned */
    int n, cap;
};

/* Looks for another text from now on: no hits yet. */
void find_set(struct find *f, const char *text, size_t bytes);
void find_release(struct find *f);

/* Adds the hits in the text of an entry, which comes after all entries looked into so far. A line
 * end is a blank; with markup, what Markdown writes between letters to stress them is left out. */
void find_add(struct find *f, int entry, const char *text, size_t bytes, bool markup);
void find_cut(struct find *f, int entry); /* forgets the hits from this entry on */

/* The first hit at or behind a place; n if there is none. */
int find_from(const struct find *f, int entry, size_t at);

#endif
