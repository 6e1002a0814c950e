/* fuzz.h -- a fuzzer that says what it found: FUZZ(name_try) is all of its file. */
#ifndef DUET_TESTS_FUZZ_H
#define DUET_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define FUZZ(try)                                                       \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)       \
    {                                                                   \
        const char *wrong = try(data, bytes);                           \
        if (wrong) {                                                    \
            fprintf(stderr, "%s\n", wrong);                             \
            __builtin_trap();                                           \
        }                                                               \
        return 0;                                                       \
    }

#endif
