/* merge.h -- joining neighbours, the cheapest pair first: what both kinds of tokenizer do to a
 * piece of text once it is a row of symbols.
 *
 * The pairs that may be joined are kept in a heap, so n symbols take n log n steps. */
#ifndef DUET_ENGINE_MERGE_H
#define DUET_ENGINE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"

#define SYMBOL_GONE    (-1)  /* joined into its left neighbour */
#define SYMBOL_UNKNOWN (-2)  /* of the piece, but no token */

/* A token of the piece on its way; neighbours are linked, for joining takes them out of the
 * middle. */
struct symbol {
    int32_t id;
    int32_t prev, next;      /* -1: none */
    uint32_t from;           /* where it begins in the piece; it ends where the next begins */
};

/* A pair that could be joined. It has lapsed if its two ids are no longer there. */
struct candidate {
    float cost;
    int32_t at;              /* its left symbol */
    int32_t left, right;
    int32_t id;              /* what it gives */
};

/* Grows to the longest piece. Zero-initialise, then release. */
struct merger {
    struct symbol *symbol;
    int n;
    size_t symbol_cap;
    uint32_t bytes;          /* of the piece */
    struct candidate *heap;
    size_t n_heap, heap_cap;
};

/* Starts a piece of at most max symbols and this many bytes. */
bool merger_begin(struct merger *m, size_t max, uint32_t bytes, struct err *err);

/* Adds the next symbol. */
void merger_add(struct merger *m, int32_t id, uint32_t from);

/* Whether symbol i and its right neighbour may be joined: sets *id and *cost, which is not NaN. */
typedef bool merger_find(const void *self, const struct merger *m, int32_t i, int32_t *id,
                         float *cost);

/* Joins as far as it goes: of the cheapest pairs the leftmost first. What is left is the list that
 * begins at symbol 0, if n > 0. */
bool merger_run(struct merger *m, merger_find *find, const void *self, struct err *err);

/* Where symbol i ends. */
uint32_t merger_end(const struct merger *m, int32_t i);

void merger_release(struct merger *m);

/* Makes room for n elements in a list of texts under way. */
bool merger_reserve(void **list, size_t *cap, size_t n, size_t element_bytes, struct err *err);

#endif
