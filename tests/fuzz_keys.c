/* fuzz_keys.c -- libFuzzer: what a terminal sends. */
#include "tests/fuzz.h"
#include "tests/screen_try.h"

FUZZ(keys_try)
