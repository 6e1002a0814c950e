/* app_suggest.c -- the suggestion of a mode: what could break is one where the mode does it
 * already, or where nothing speaks for another. */
#include "tests/test.h"

#include "app/suggest.h"
#include "ui/buf.h"

/* What the first token of the answer makes of it. */
static const char *by_first(const char *text, const char *token, double probability)
{
    static char line[120];
    struct suggestion g;
    suggest_mode(&(struct settings){0}, MODE_FLASH, text, strlen(text), &g);
    suggest_first(&g, text, strlen(text), token, probability);
    snprintf(line, sizeof line, "%s", g.any ? g.why : "-");
    return line;
}

void test_suggest_first(void **state)
{
    (void)state;
    static const char prime[] = "Is 7 prime? Answer yes or no.", name[] = "Who? Only the name.";
    static const char planet[] = "Which is a planet? A) sun B) moon C) mars";
    static const char number[] = "What is 2 + 2? Answer with a number only.";
    static const char unsure[] = "its first word is 61 % sure: can vote";
    static const char rule[] = "a short answer: several tries can vote";
    assert_string_equal(by_first(prime, "Yes", 0.61), unsure);
    assert_string_equal(by_first(prime, " No", 0.61), unsure);
    assert_string_equal(by_first(prime, "Y", 0.95), "-");
    assert_string_equal(by_first(prime, "7", 0.95), rule);
    assert_string_equal(by_first(planet, "C", 0.61), unsure);
    assert_string_equal(by_first(planet, "(", 0.61), rule);
    assert_string_equal(by_first(planet, "mar", 0.99), "-");
    assert_string_equal(by_first(planet, "The", 0.99), rule);
    assert_string_equal(by_first(number, "4", 0.61), unsure);
    assert_string_equal(by_first(number, "To", 0.99), "a number: several tries can vote");
    assert_string_equal(by_first(name, "Tom", 0.61), unsure);
    assert_string_equal(by_first(name, "", 0.61), rule);
    assert_string_equal(by_first("What is 2 + 2?", "2", 0.99),
                        "a number: several tries can vote");
    assert_string_equal(by_first("Name rivers in exactly 3 bullet points.", "-", 0.99),
                        "exactly 3 bullet points: can be checked");
    assert_string_equal(by_first("Hello", "Hi", 0.1), "-");
}

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
