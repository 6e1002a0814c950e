/* json.h -- the cJSON file: writing one line, typed reading with a path in the error. */
#ifndef DUET_APP_JSON_H
#define DUET_APP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"
#include "ui/buf.h"

/* ---- writing: appends to a buf, no tree ---------------------------------------------------- */

/* One object on one line: json_begin, fields, json_end. Names are our own literals. */
struct json_line {
    struct buf *out;
    int depth;
    bool first;
};
void json_begin(struct json_line *j, struct buf *out);           /* { */
void json_end(struct json_line *j);                              /* }\n */
void json_text(struct json_line *j, const char *name, const char *value);
void json_text_n(struct json_line *j, const char *name, const char *value, size_t bytes);
void json_int(struct json_line *j, const char *name, int64_t value); /* |value| < 2^53 */
void json_u64(struct json_line *j, const char *name, uint64_t value); /* as a string */
void json_double(struct json_line *j, const char *name, double value);
void json_bool(struct json_line *j, const char *name, bool value);
void json_ids(struct json_line *j, const char *name, const int32_t *id, int n);
void json_open(struct json_line *j, const char *name, char bracket); /* '{', '['; no name in [] */
void json_close(struct json_line *j, char bracket);                  /* '}' or ']' */

/* ---- reading -------------------------------------------------------------------------------- */

struct json; /* one parsed value */

/* Makes memory that runs out in here end the program as everywhere else (buf.h): a line that cannot
 * be read for want of memory is not a damaged one. To be called once, before any thread. */
void json_init(void);

/* NULL on damage, nesting deeper than 32, or bytes left over. */
struct json *json_parse(const char *text, size_t bytes);
void json_free(struct json **j);

const struct json *json_get(const struct json *j, const char *name); /* NULL: absent */
bool json_is_array(const struct json *j);                            /* false for NULL */
const struct json *json_first(const struct json *j);                 /* inside; NULL: empty */
const struct json *json_next(const struct json *j);                  /* after j; NULL: the last */
const char *json_string(const struct json *j, const char *name);     /* NULL: absent, no string */
bool json_number(const struct json *j, const char *name, double *out);
bool json_integer(const struct json *j, const char *name, int64_t *out); /* whole, |v| < 2^53 */
bool json_unsigned(const struct json *j, const char *name, uint64_t *out); /* from a string */
bool json_boolean(const struct json *j, const char *name, bool *out);
/* An array of whole numbers 0..2^31-1 under name, malloc'd; false: absent or anything else. */
bool json_id_list(const struct json *j, const char *name, int32_t **id, int *n);

/* True if the text is one JSON value by the letter of RFC 8259, where json_parse() is lenient:
 * no raw control characters in strings, no "01" and no "1."; nesting as above. */
bool json_valid(const char *text, size_t bytes);

/* Appends a value so that equal values give equal text: names sorted, numbers by value, no blanks
 * outside of strings. */
void json_canonical(struct buf *out, const struct json *j);

/* True if an object or, inside arrays, the first element has this name. */
bool json_has(const struct json *j, const char *name, size_t bytes);

#endif
