/* app_cost.c -- sums over a conversation, shares and prices. What could break: a candidate counted
 * twice, 99.6 % shown as all of it, a price of another day, a price where none is known. */
#include "tests/test.h"

#include "app/cost.h"

void test_cost_share(void **state)
{
    (void)state;
    static const struct { uint64_t part, all; const char *text; } rows[] = {
        {0, 0, ""}, {0, 500, "0 %"}, {991, 1000, "99 %"}, {9949, 10000, "99 %"},
        {9950, 10000, "99.5 %"}, {9995, 10000, "99.95 %"}, {99995, 100000, "99.995 %"},
        {10000, 10000, "100 %"}, {1, 3, "33 %"}, {2, 3, "67 %"},
    };
    char text[COST_TEXT];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cost_share(rows[i].part, rows[i].all, text);
        assert_string_equal(text, rows[i].text);
    }
}

void test_cost_prices(void **state)
{
    (void)state;
    static const struct {
        const char *model, *day;
        uint64_t hit, miss, out, cost;
        const char *text;
    } rows[] = {
        {"deepseek-v4-pro", "2026-06-01", 82000, 750, 290, 875800000, "$0.000876"},
        {"deepseek-v4-flash", "2026-04-25", 435195236, 784764, 179763, 0, "$12.35"},
        {"deepseek-v4-flash", "2026-04-24", 893000, 107000, 0, 39984000000, "$0.040"},
        {"deepseek-v4-flash", "2026-04-26", 893000, 107000, 0, 17480400000, "$0.017"},
        {"deepseek-v4-pro", "2026-05-31", 893000, 107000, 0, 49782125000, "$0.050"},
    };
    char text[COST_TEXT];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct price *p = price_find(rows[i].model, rows[i].day);
        assert_non_null(p);
        uint64_t cost = price_of(p, rows[i].hit, rows[i].miss, rows[i].out);
        if (rows[i].cost)
            assert_true(cost == rows[i].cost);
        price_text(cost, text);
        assert_string_equal(text, rows[i].text);
    }
    assert_null(price_find("deepseek-v4-flash", "2026-04-23")); /* not known, not free */
    assert_null(price_find("another", NULL));
    assert_string_equal(price_find("deepseek-v4-flash", NULL)->from, "2026-09-10");
}

void test_cost_of_a_conversation(void **state)
{
    (void)state;
    struct conversation c;
    struct cost s;
    struct buf text = {0};
    conversation_init(&c);
    cost_describe(&c, &text);
    assert_string_equal(buf_text(&text), "nothing paid: the model runs on this machine\n");
    for (int i = 0; i < 2; i++) {
        int t = conversation_ask(&c, "?", MODE_FLASH);
        struct reply *r = conversation_reply(&c, t);
        r->mode = i ? MODE_PRO_MAX : MODE_FLASH;
        r->usage = (struct usage){.prompt_tokens = 100, .reused_tokens = 40, .read_tokens = 70,
                                  .answer_tokens = 10, .thinking_tokens = i * 20,
                                  .losing_tokens = i * 50, .seconds = 2,
                                  .kv_bytes = 1000000 * (unsigned)(i + 1)};
        r->fold_tokens = i * 12;
    }
    struct reply *loser = conversation_reply(&c, 1); /* counted with the chosen one */
    loser->mode = MODE_PRO_MAX;
    loser->usage.answer_tokens = 50;
    cost_sum(&c, MODE_MAX, &s);
    assert_int_equal(s.answers, 2);
    assert_int_equal(s.prompt, 200);
    assert_int_equal(s.answer + s.thinking + s.losing, 90);
    cost_sum(&c, MODE_FLASH, &s);
    assert_int_equal(s.answers, 1);
    assert_int_equal(s.losing, 0);
    buf_clear(&text);
    cost_describe(&c, &text);
    assert_non_null(strstr(buf_text(&text), "Pro-Max: 1 answer; 80 tokens written: 10 answered, "
                                            "20 thought, 50 of candidates not chosen; prompts of "
                                            "100: 40 in the cache (40 %), 60 read; 0 re-read"));
    assert_non_null(strstr(buf_text(&text), "all: 2 answers"));
    assert_non_null(strstr(buf_text(&text), "cache 2.0 MB at most; 12 read to fold thoughts"));
    cost_sum(&c, MODE_FLASH, &s);
    assert_int_equal(s.kv_bytes, 1000000);
    assert_int_equal(s.folded, 0);
    assert_non_null(strstr(buf_text(&text), "deepseek-v4-flash at the price of 2026-09-10"));
    /* Of two modes that correspond to one model one price is told. */
    const char *pro = strstr(buf_text(&text), "what if: deepseek-v4-pro at");
    assert_non_null(pro);
    assert_null(strstr(pro + 1, "what if:"));
    buf_release(&text);
    conversation_release(&c);
}

/* The second of two modes at once counts in its own mode; the time that both took, once in all. */
void test_cost_of_both(void **state)
{
    (void)state;
    struct conversation c;
    struct cost s;
    conversation_init(&c);
    int t = conversation_ask(&c, "?", MODE_FLASH);
    struct reply *r = conversation_reply(&c, t);
    r->mode = MODE_PRO_MAX;
    r->usage = (struct usage){.answer_tokens = 8, .thinking_tokens = 52, .seconds = 3};
    r = conversation_reply(&c, t);
    r->mode = MODE_FLASH;
    r->usage = (struct usage){.prompt_tokens = 41, .reused_tokens = 1, .answer_tokens = 10,
                              .seconds = 3.5};
    cost_sum(&c, MODE_FLASH, &s);
    assert_int_equal(s.answer + s.thinking + s.losing, 10);
    cost_sum(&c, MODE_PRO_MAX, &s);
    assert_int_equal(s.answers, 1);
    assert_int_equal(s.answer + s.thinking + s.losing, 60);
    assert_true(s.seconds == 3);
    cost_sum(&c, MODE_MAX, &s);
    assert_int_equal(s.answers, 2);
    assert_int_equal(s.prompt, 41);
    assert_true(s.seconds == 3.5);
    struct buf text = {0};
    cost_describe(&c, &text);
    assert_non_null(strstr(buf_text(&text), "Pro-Max: 1 answer; 60 tokens written: 8 answered, 52 "
                                            "thought, 0 of candidates not chosen; prompts shared "
                                            "with those beside; 0 re-read; 3.0 s, 20.0 tok/s"));
    buf_release(&text);
    conversation_release(&c);
}
