/* fuzz_markdown.c -- libFuzzer: an answer, as it streams. */
#include "tests/fuzz.h"
#include "tests/screen_try.h"

FUZZ(markdown_try)
