/* fuzz_gguf.c -- libFuzzer: a GGUF file's bytes through the reader, the tokenizer and the chat
 * template. A corpus: the first 16 KiB of tests/fixtures/tiny-*.gguf, which hold their headers,
 * and the same with the tensor count (8 bytes at 8) set to 0, which get as far as the tokenizer.
 * Run it with -max_len=16384. */
#include "tests/engine_try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct err err = {0};
    if (!vocab_try(data, bytes, &err) && err.msg[0] == 0)
        __builtin_trap();
    return 0;
}
