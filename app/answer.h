/* answer.h -- the short answer of a reply in a normal form, so that answers can be compared: "(B)",
 * "B." and "b" are B; "1,000.0" is 1000. Pure. */
#ifndef DUET_APP_ANSWER_H
#define DUET_APP_ANSWER_H

#include "app/demand.h"

enum answer_kind {
    ANSWER_OPEN,   /* a text: there is nothing to compare by */
    ANSWER_NUMBER,
    ANSWER_CHOICE, /* an option's letter, or the text of one without letters */
    ANSWER_SHORT,  /* a few words, case and articles not counting */
    ANSWER_SHAPE,  /* a date, a time, an address */
    ANSWER_JSON,   /* by value, names in any order */
};

/* The kind of answer that a prompt with these demands is after. */
enum answer_kind answer_kind(const struct demands *d);
const char *answer_kind_name(enum answer_kind kind); /* "number" */

/* Finds the final answer of a reply: what is \boxed, else what follows the last "answer:" or
 * "answer is", else what the kind allows (the last number, the one option that is named, ...).
 * Appends its normal form and returns true; false: the reply has none, and nothing is appended. */
bool answer_read(const struct demands *d, enum answer_kind kind, struct piece reply,
                 struct buf *out);

/* Appends the normal form of one number, which takes the whole text but for blanks and the full
 * stop; false: it is none. */
bool answer_number(const struct demands *d, struct piece text, struct buf *out);

#endif
