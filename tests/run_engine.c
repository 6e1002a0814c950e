/* run_engine.c -- the tests of engine/; see run.h. */
#define TESTS "tests/engine.def"
#include "tests/run.h"
