/* fuzz_config.c -- libFuzzer: the config file. */
#include "tests/fuzz.h"
#include "tests/store_try.h"

FUZZ(config_try)
