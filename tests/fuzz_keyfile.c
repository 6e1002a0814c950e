/* fuzz_keyfile.c -- libFuzzer: a keys file. */
#include "tests/fuzz.h"
#include "tests/screen_try.h"

FUZZ(keyfile_try)
