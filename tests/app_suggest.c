/* app_suggest.c -- the suggestion of a mode: what could break is one where the mode does it
 * already, or where nothing speaks for another. */
#include "tests/test.h"

#include "app/suggest.h"
#include "ui/buf.h"

static const char *suggested(const struct settings *s, enum mode_id now, const char *text)
{
    static char line[120];
    struct suggestion g;
    suggest_mode(s, now, text, strlen(text), &g);
    snprintf(line, sizeof line, "%s%s%s", g.any ? mode_get(g.mode)->name : "-", g.any ? " " : "",
             g.why);
    return line;
}

void test_suggest_mode(void **state)
{
    (void)state;
    static const char list[] = "Name rivers in exactly 3 bullet points.";
    static const char sum[] = "What is 17 + 25?";
    struct settings s = {0};
    struct buf text = {0};
    assert_string_equal(suggested(&s, MODE_FLASH, list),
                        "pro-max exactly 3 bullet points: can be checked");
    assert_string_equal(suggested(&s, MODE_PRO, sum),
                        "pro-max a number: several tries can vote");
    assert_string_equal(suggested(&s, MODE_FLASH, "Is 7 prime? Answer yes or no."),
                        "pro-max a short answer: several tries can vote");
    assert_string_equal(suggested(&s, MODE_PRO_MAX, list), "-");
    assert_string_equal(suggested(&s, MODE_PRO_MAX, sum), "-");
    assert_string_equal(suggested(&s, MODE_FLASH, "Tell me of the sea."), "-");
    assert_string_equal(suggested(&s, MODE_FLASH, ""), "-");
    assert_true(settings_put(&s, MODE_PRO_MAX, setting_find("choose", 6), "vote", NULL));
    assert_string_equal(suggested(&s, MODE_PRO_MAX, list), "-");
    assert_true(settings_put(&s, MODE_PRO, setting_find("best", 4), "3", NULL));
    assert_true(settings_put(&s, MODE_PRO, setting_find("choose", 6), "vote", NULL));
    assert_string_equal(suggested(&s, MODE_PRO, sum), "-");
    assert_string_equal(suggested(&s, MODE_PRO, list),
                        "pro-max exactly 3 bullet points: can be checked");
    for (int i = 0; i < 200; i++)
        buf_puts(&text, "The sea is blue here. ");
    assert_string_equal(suggested(&s, MODE_PRO, buf_text(&text)),
                        "flash a long text: found without a thought");
    assert_string_equal(suggested(&s, MODE_FLASH, buf_text(&text)), "-");
    buf_release(&text);
}
