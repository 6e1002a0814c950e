/* buf.h -- growable bytes, always terminated by a zero byte that is not counted.
 *
 * Out of memory is not a value here: the function set by buf_set_oom() is called once and must not
 * return (the program restores the terminal and ends). Zero-initialise, then buf_release(). */
#ifndef DUET_UI_BUF_H
#define DUET_UI_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data;  /* [bytes + 1], owned; NULL while nothing was ever added */
    size_t bytes;
    size_t cap;
};

void buf_set_oom(void (*die)(void));

void buf_append(struct buf *b, const char *data, size_t bytes);
void buf_puts(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_clear(struct buf *b);   /* empties, keeps the memory */
void buf_release(struct buf *b); /* frees and zeroes */

/* The text; "" while empty. Borrowed until the next call on b. */
const char *buf_text(const struct buf *b);

/* Moves the text out: malloc'd, terminated, the caller's. b is empty afterwards. */
char *buf_take(struct buf *b);

/* malloc, realloc and strdup that never return NULL: the same way out. */
void *mem_new(size_t bytes); /* zeroed */
void *mem_grow(void *old, size_t bytes);
char *mem_dup(const char *text);

#endif
