/* run_app.c -- the tests of app/; see run.h. */
#define TESTS "tests/app.def"
#include "tests/run.h"
