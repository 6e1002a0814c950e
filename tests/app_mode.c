/* app_mode.c -- the table of modes: what could break is a row that other tables do not follow, or
 * a name that is not found as typed. */
#include "tests/test.h"

#include "app/mode.h"

void test_mode_rows(void **state)
{
    (void)state;
    for (int i = 0; i < MODE_COUNT; i++) {
        const struct mode *m = mode_get((enum mode_id)i);
        assert_int_equal(m->id, i);
        assert_ptr_equal(mode_find(m->name, strlen(m->name)), m);
        assert_true(strlen(m->title) > 0 && strlen(m->help) > 0);
        assert_true(m->answer_tokens > 0);
        assert_int_equal(m->think == MODE_THINK_NONE, m->think_tokens == 0);
    }
}

void test_mode_find(void **state)
{
    (void)state;
    assert_int_equal(mode_find("Pro-MAX", 7)->id, MODE_PRO_MAX);
    assert_int_equal(mode_find("pro-max", 3)->id, MODE_PRO);
    assert_null(mode_find("pro-ma", 6));
    assert_null(mode_find("", 0));
}

void test_mode_toggle(void **state)
{
    (void)state;
    assert_int_equal(mode_toggle(MODE_FLASH), MODE_PRO_MAX);
    assert_int_equal(mode_toggle(MODE_PRO_MAX), MODE_FLASH);
    assert_int_equal(mode_toggle(MODE_PRO), MODE_PRO_MAX);
}

void test_mode_describe(void **state)
{
    (void)state;
    assert_string_equal(mode_describe(mode_get(MODE_FLASH)),
                        "does not think, answers up to 1024 tokens, greedy");
    assert_string_equal(mode_describe(mode_get(MODE_PRO)),
                        "thinks up to 256 tokens, answers up to 1024, greedy");
}
