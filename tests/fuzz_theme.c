/* fuzz_theme.c -- libFuzzer: a theme file. */
#include "tests/fuzz.h"
#include "tests/screen_try.h"

FUZZ(theme_try)
