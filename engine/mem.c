/* mem.c -- see mem.h.
 *
 * In front of each block stands a header of one cache line, which remembers the size: callers
 * free without repeating it, and the count of bytes stays right. Zeros come from calloc(), which
 * does not touch the pages of a large block: what is never used, as the scratch of a fork that
 * is decoded in a batch, takes no memory. */
#include "engine/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ALIGN       64
#define CHUNK_BYTES (256u * 1024)

struct header {
    _Alignas(ALIGN) size_t bytes;
    void *base;          /* what the C library gave */
};

struct arena_chunk {
    _Alignas(ALIGN) struct arena_chunk *next;
    size_t used, bytes;  /* of what follows this header */
};

static atomic_uint_fast64_t n_allocs, n_bytes;
static atomic_int_fast64_t fail_after = -1;

/* Counts down to the allocation that a test wants to fail. */
static int must_fail(void)
{
    if (atomic_load(&fail_after) < 0)
        return 0;
    return atomic_fetch_sub(&fail_after, 1) == 0;
}

void *mem_alloc(size_t bytes)
{
    if (bytes == 0 || bytes > SIZE_MAX / 2 || must_fail())
        return NULL;
    void *base = calloc(1, sizeof(struct header) + (bytes + ALIGN - 1) / ALIGN * ALIGN + ALIGN);
    if (!base)
        return NULL;
    uintptr_t at = ((uintptr_t)base + ALIGN - 1) / ALIGN * ALIGN;
    struct header *h = (struct header *)at;
    h->bytes = bytes;
    h->base = base;
    atomic_fetch_add(&n_allocs, 1);
    atomic_fetch_add(&n_bytes, bytes);
    return h + 1;
}

void *mem_alloc_n(size_t n, size_t size)
{
    return size && n > SIZE_MAX / size ? NULL : mem_alloc(n * size);
}

void mem_free(void *p)
{
    if (!p)
        return;
    struct header *h = (struct header *)p - 1;
    atomic_fetch_sub(&n_bytes, h->bytes);
    free(h->base);
}

uint64_t mem_count(void)
{
    return atomic_load(&n_allocs);
}

uint64_t mem_bytes(void)
{
    return atomic_load(&n_bytes);
}

void mem_fail_after(int64_t n)
{
    atomic_store(&fail_after, n);
}

/* Adds a chunk that has room for bytes. */
static struct arena_chunk *add_chunk(struct arena *a, size_t bytes)
{
    size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct arena_chunk *c = mem_alloc(sizeof *c + room);
    if (!c)
        return NULL;
    c->bytes = room;
    c->next = a->chunks;
    a->chunks = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    if (n == 0 || size == 0 || n > SIZE_MAX / 4 / size)
        return NULL;
    size_t bytes = (n * size + ALIGN - 1) / ALIGN * ALIGN;
    struct arena_chunk *c = a->chunks;
    if (!c || c->bytes - c->used < bytes)
        c = add_chunk(a, bytes);
    if (!c)
        return NULL;
    void *p = (char *)(c + 1) + c->used;
    c->used += bytes;
    return p;
}

void arena_release(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        mem_free(c);
    }
}
