/* buf.c -- see buf.h. */
#include "ui/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void (*oom)(void) = abort;

void buf_set_oom(void (*die)(void))
{
    assert(die);
    oom = die;
}

/* The way out that never comes back, whatever the hook does. */
static _Noreturn void out_of_memory(void)
{
    oom();
    abort();
}

static void buf_reserve(struct buf *b, size_t more)
{
    if (more > SIZE_MAX / 2 - b->bytes)
        out_of_memory();
    size_t need = b->bytes + more + 1;
    if (need <= b->cap)
        return;
    size_t cap = b->cap < 32 ? 64 : b->cap * 2;
    while (cap < need)
        cap *= 2;
    b->data = mem_grow(b->data, cap);
    b->cap = cap;
}

void buf_append(struct buf *b, const char *data, size_t bytes)
{
    buf_reserve(b, bytes);
    if (bytes)
        memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
    b->data[b->bytes] = 0;
}

void buf_puts(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    buf_reserve(b, (size_t)n);
    vsnprintf(b->data + b->bytes, (size_t)n + 1, fmt, again);
    va_end(again);
    b->bytes += (size_t)n;
}

void buf_clear(struct buf *b)
{
    b->bytes = 0;
    if (b->data)
        b->data[0] = 0;
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    buf_reserve(b, 0);
    char *text = b->data;
    text[b->bytes] = 0;
    *b = (struct buf){0};
    return text;
}

void *mem_new(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *mem_grow(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *mem_dup(const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(mem_new(n), text, n);
}
