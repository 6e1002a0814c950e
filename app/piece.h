/* piece.h -- what a reply is made of: words, sentences, lines, bullets; the JSON, the code block,
 * the date in it. Used by the checker (check.h) and the reader of answers (answer.h). Pure; any
 * bytes may come, nothing is changed. */
#ifndef DUET_APP_PIECE_H
#define DUET_APP_PIECE_H

#include <stdbool.h>
#include <stddef.h>

enum piece_unit {
    PIECE_WORD,      /* holds a letter or digit; list marks do not count */
    PIECE_SENTENCE,  /* ends in . ! ? or with its paragraph */
    PIECE_LINE,      /* not blank, not the fence of a code block */
    PIECE_PARAGRAPH, /* between blank lines */
    PIECE_BULLET,    /* a line beginning with - * + or a bullet sign, of the outermost list */
    PIECE_NUMBERED,  /* a line beginning with "1." or "1)", of the outermost list */
    PIECE_ITEM,      /* either of the two */
    PIECE_CHARACTER, /* of UTF-8 */
    PIECE_UNITS
};

/* A stretch of a text, borrowed. */
struct piece {
    const char *s;
    size_t bytes;
};

struct piece piece_of(const char *text);
struct piece piece_trim(struct piece p);   /* without white space at the ends */
bool piece_equal(struct piece a, struct piece b); /* case does not count */

int piece_count(struct piece text, enum piece_unit unit);
const char *piece_unit_name(enum piece_unit unit, int n); /* "word", "words" */

/* How often a text holds another, in any case. Unless inside is set, letters and digits at its
 * ends must not go on: "cat" is not in "cats". */
int piece_occurs(struct piece text, struct piece what, bool inside);

/* The JSON object or array of a reply: the whole of it, a code block, or what lies between the
 * first bracket and its last partner. */
bool piece_json(struct piece text, struct piece *json);

/* The last stretch of a given shape: letters Y M D H S stand for digits ("YYYY-MM-DD"), the rest
 * for itself; months, days, hours, minutes and seconds must exist. "e-mail" is a shape too. */
bool piece_shape(struct piece text, const char *shape, struct piece *found);

/* A closed code block in this language (aliases count: "py" is "python"; "" = any). */
bool piece_code(struct piece text, const char *language);

#endif
