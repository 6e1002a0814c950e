/* pattern.h -- patterns of words, in which the demands of a prompt are written down. Pure.
 *
 * A pattern is a line of elements between blanks; each takes words of one sentence:
 *   in|with        one of these words or marks; "a_b" is two words running, "word+" also "words"
 *   ?the|a         one of these or nothing
 *   *only|just     up to six of these
 *   ~that|of       nothing, if none of these comes next
 *   ..             up to twelve words, as few as possible
 *   #              a number: digits or a number word
 *   %              a unit: words, sentences, bullet points, ... (enum piece_unit)
 *   "              a list of quoted pieces ("a", "b" and "c"), one at least
 *   &              a list of quoted pieces or single words, also as list items on lines of
 *                  their own
 *   !              a mark by its name ("question mark"): a list of that one mark
 *   @              a shape of date or time: YYYY-MM-DD, HH:MM
 *   ^  $           the beginning of a sentence or of what follows a colon; its end
 * Sets may be written as literals joined by the compiler, see demand.def. */
#ifndef DUET_APP_PATTERN_H
#define DUET_APP_PATTERN_H

#include "app/piece.h"
#include "app/words.h"

enum { PATTERN_ITEMS = 16, PATTERN_ITEM_BYTES = 120 };

struct pattern_item {
    const char *s; /* borrowed from the text, or a literal */
    size_t bytes;
};

struct pattern_match {
    int first, end;         /* the words taken */
    int number[2];
    int n_number;
    enum piece_unit unit;
    struct pattern_item item[PATTERN_ITEMS];
    int n_item;
    bool is_or;             /* the list is joined by "or" */
    struct pattern_item shape;
};

/* True if the pattern fits the words beginning at word i. */
bool pattern_match(const struct words *w, int i, const char *pattern, struct pattern_match *m);

#endif
