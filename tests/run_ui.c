/* run_ui.c -- the tests of ui/; see run.h. */
#define TESTS "tests/ui.def"
#include "tests/run.h"
