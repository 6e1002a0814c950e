/* text.h -- characters, grapheme clusters, cells, and what may reach the screen. Pure.
 *
 * A document keeps its text as it came. What is shown is made from it cluster by cluster so that
 * every terminal agrees about the cells: emoji sequences become their first glyph, variation
 * selectors and joiners go, characters the C library cannot measure become U+FFFD, and controls,
 * bidi overrides and tag characters are spelled out ("^[", "<U+202E>"). The locale must be set.
 *
 * Text is UTF-8 and need not be valid: a wrong byte counts as one U+FFFD. */
#ifndef DUET_UI_TEXT_H
#define DUET_UI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/buf.h"

/* The character at s (bytes >= 1) and its length, which is at least 1. */
uint32_t text_decode(const char *s, size_t bytes, size_t *used);

/* Writes ch as UTF-8, unterminated; returns 1..4. What is no character becomes U+FFFD. */
int text_encode(uint32_t ch, char out[4]);

/* The bytes that stand before an unfinished character at the end. */
size_t text_whole(const char *s, size_t bytes);

/* The length of the first grapheme cluster; bytes >= 1. */
size_t text_cluster(const char *s, size_t bytes);

/* The start of the cluster that ends at `at` (0 < at <= bytes). Looks back a few dozen
 * characters at most. */
size_t text_cluster_before(const char *s, size_t at);

/* The cells of one character as sent to a terminal: 0, 1 or 2. */
int cell_width(uint32_t ch);

/* True if the character has a shape of its own that may be sent as it is. */
bool text_showable(uint32_t ch);

/* The cells of one cluster as it is shown, the cell column for tabs. */
int text_cluster_cells(const char *s, size_t bytes, int col);

/* The cells of a piece of text that starts at column 0. */
int text_cells(const char *s, size_t bytes);

/* Appends the text as it is shown, starting at column 0; line ends are spelled out too. */
void text_display(struct buf *out, const char *s, size_t bytes);

/* The same from column col on; returns the column behind it. */
int text_display_from(struct buf *out, const char *s, size_t bytes, int col);

/* Appends the text case-folded, for comparing. */
void text_fold(struct buf *out, const char *s, size_t bytes);

#endif
