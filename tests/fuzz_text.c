/* fuzz_text.c -- libFuzzer: any bytes as text, there and back through vocabularies of both kinds.
 * Run it from the top of the tree. */
#include "tests/engine_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct err err = {0};
    if (!text_try(data, bytes, &err))
        __builtin_trap();
    return 0;
}
