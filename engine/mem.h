/* mem.h -- every larger allocation of the engine: aligned blocks, counted, and made to fail on
 * demand by tests.
 *
 * Any thread may call. A test that reads tokens and finds mem_count() unchanged has shown that
 * nothing was allocated meanwhile. */
#ifndef DUET_ENGINE_MEM_H
#define DUET_ENGINE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed bytes, aligned to 64. NULL if there is no memory, if bytes is 0, or where a test wants
 * it. Freed by mem_free(). */
void *mem_alloc(size_t bytes);

/* The same for n elements of size bytes; NULL if the product overflows. */
void *mem_alloc_n(size_t n, size_t size);

/* NULL is allowed. */
void mem_free(void *p);

/* Successful allocations since the program started; bytes in use now. */
uint64_t mem_count(void);
uint64_t mem_bytes(void);

/* For tests: let n more allocations succeed and the one after them fail, once. n < 0: never. */
void mem_fail_after(int64_t n);

/* ---- arena: many small pieces with one life ------------------------------------------------ */

struct arena_chunk;

/* Zero-initialise, then release. */
struct arena {
    struct arena_chunk *chunks;  /* owned, newest first */
};

/* Zeroed bytes, aligned to 64, that live until the arena is released. NULL as in mem_alloc(). */
void *arena_alloc(struct arena *a, size_t n, size_t size);
void arena_release(struct arena *a);

#endif
