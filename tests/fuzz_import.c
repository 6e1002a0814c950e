/* fuzz_import.c -- libFuzzer: an exported conversation. */
#include "tests/fuzz.h"
#include "tests/screen_try.h"

FUZZ(import_try)
