/* fuzz_import.c -- libFuzzer: an exported conversation. */
#include "tests/fuzz.h"
#include "tests/store_try.h"

FUZZ(import_try)
