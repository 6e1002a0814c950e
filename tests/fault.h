/* fault.h -- calls of the C library that fail on demand. The test programs are linked with --wrap,
 * so that what the engine and the program call lands in fault.c first; the product knows nothing
 * of it. Calls of libraries (cJSON, PCRE2) are not reached. */
#ifndef DUET_TESTS_FAULT_H
#define DUET_TESTS_FAULT_H

#include <stdbool.h>

enum fault_kind {
    FAULT_MEMORY = 1,   /* malloc, calloc, realloc, aligned_alloc, mmap */
    FAULT_FILE = 2,     /* open, write, pwrite, ftruncate, fsync, rename, mkdir, flock */
};

enum fault_how {
    FAULT_ONCE,         /* the one call */
    FAULT_ON,           /* it and all after it, as on a full disk */
    FAULT_SHORT,        /* a write takes half of its bytes, the calls after it fail */
};

/* Lets n calls of this kind succeed and the next one fail: no memory, no space. Any thread's. */
void fault_set(enum fault_kind kind, int n, enum fault_how how);

/* No more faults. True if one happened since fault_set(). */
bool fault_clear(void);

#endif
