/* fuzz_log.c -- libFuzzer: a session's log. */
#include "tests/fuzz.h"
#include "tests/store_try.h"

FUZZ(log_try)
