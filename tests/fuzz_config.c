/* fuzz_config.c -- libFuzzer: the config file. */
#include "tests/fuzz.h"
#include "tests/screen_try.h"

FUZZ(config_try)
