/* flow.h -- text that comes in pieces, broken between words at the width of a terminal which would
 * break it anywhere. Code in fences, tables and indented lines stay as they are. Pure.
 *
 * What a word may still grow by is waited for: it is put when a blank, a line end or flow_end()
 * comes. */
#ifndef DUET_APP_FLOW_H
#define DUET_APP_FLOW_H

#include <stdbool.h>

#include "ui/buf.h"

/* Zero-initialise; flow_release(). */
struct flow {
    int cols;          /* to be set at any time; 0 = not known: nothing is broken */
    int col;           /* the next cell */
    int gap;           /* blanks before the word, not put yet */
    int indent;        /* of the lines that follow in a list */
    struct buf word;
    char first[4];     /* the bytes that the line began with, blanks left out */
    int n_first;
    bool begun;        /* the line has more than blanks */
    bool fenced, whole; /* this line is in a fence; it is not broken */
};

/* Appends to out what can be put of what waited and the text, which has no controls but line ends
 * and tabs. */
void flow_put(struct flow *f, const char *text, size_t bytes, struct buf *out);
void flow_end(struct flow *f, struct buf *out);  /* and the rest of it */
void flow_begin(struct flow *f); /* a text of its own begins behind what stands in the line */
void flow_line(struct flow *f);  /* another has begun a line; nothing waits */
void flow_release(struct flow *f);

#endif
