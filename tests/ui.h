/* ui.h -- what the tests of ui/ share. */
#ifndef DUET_TESTS_UI_H
#define DUET_TESTS_UI_H

#include "tests/test.h"

/* A UTF-8 locale: what may be shown depends on the C library's tables. */
void ui_locale(void);

/* The same numbers in every run: 0 <= the next one < n. */
struct ui_random {
    uint64_t state;
};
unsigned ui_random(struct ui_random *r, unsigned n);

#endif
