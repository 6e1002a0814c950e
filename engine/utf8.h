/* utf8.h -- well-formed UTF-8, one character at a time (Unicode, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF). Pure functions on bytes. */
#ifndef DUET_ENGINE_UTF8_H
#define DUET_ENGINE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the character at s, n >= 1.
 *
 * return  its bytes, 1..4, with *cp set. 0: s[0..n) is the beginning of a character and no more
 *         bytes are there. -1: s[0] is an invalid byte. *cp is untouched in both cases. */
int utf8_decode(const char *s, size_t n, uint32_t *cp);

/* How many bytes from s on are well-formed. */
size_t utf8_valid(const char *s, size_t n);

/* Writes cp as UTF-8 and returns the bytes, 1..4. cp is a Unicode scalar value. */
int utf8_encode(uint32_t cp, char out[4]);

/* True for what can be shown in one line without changing its meaning: no control character,
 * line or paragraph separator, direction mark, annotation or tag. */
bool utf8_printable(uint32_t cp);

/* Copies s[0..n) as one printable line: what is not printable becomes '?', what does not fit is cut
 * off at a character's border. room > 0; the copy is terminated. */
void utf8_copy_printable(char *out, size_t room, const char *s, size_t n);

#endif
