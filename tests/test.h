/* test.h -- cmocka, included once and in its required order, and what all tests share. */
#ifndef DUET_TESTS_TEST_H
#define DUET_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prototypes of all tests: one that is in no list does not compile. */
#define TEST(name) void test_##name(void **state);
#include "tests/engine.def"
#include "tests/ui.def"
#include "tests/app.def"
#undef TEST

/* The folder of the model fixtures: $DUET_FIXTURES, else ../shared/fixtures, else
 * tests/fixtures. Tests run from the top of the tree. */
const char *test_fixtures(void);

/* A path inside that folder. Static storage, eight of them in turn. */
const char *test_fixture(const char *name);

/* A fresh empty folder, removed with all it holds when the program ends. Static storage, eight of
 * them in turn. */
const char *test_folder(void);

/* The whole file, terminated by a zero byte; owned by the caller. Fails the test if unreadable. */
char *test_read_file(const char *path, size_t *bytes);

/* Writes a file. Fails the test if that is impossible. */
void test_write_file(const char *path, const void *data, size_t bytes);

#endif
