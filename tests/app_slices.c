/* app_slices.c -- the context as slices. What could break: tokens that belong to nobody, or to the
 * wrong mode. */
#include "app/mode.h"
#include "app/slices.h"
#include "tests/test.h"

static void take_ids(struct ids *ids, int n)
{
    int32_t id = 5;
    while (n-- > 0)
        ids_append(ids, &id, 1);
}

void test_slices(void **state)
{
    (void)state;
    struct conversation c;
    struct slices s = {0};
    const struct ids none = {0};
    char left[60], right[60];
    conversation_init(&c);
    slices_build(&s, &c, 0, MODE_FLASH, SLICE_EXACT, &none);
    assert_int_equal(s.n, 0);
    take_ids(&c.begin, 7);
    int turn = conversation_ask(&c, "Why?", MODE_PRO_MAX);
    take_ids(&c.turn[turn].ids, 11);
    struct reply *r = conversation_reply(&c, turn);
    reply_text(r, PART_THINKING, MODE_PRO_MAX, "Hm", 2)->tokens = 20;
    reply_text(r, PART_ANSWER, MODE_FLASH, "So", 2)->tokens = 5;
    take_ids(&r->ids, 29); /* with the end of the message */
    conversation_ask(&c, "And?", MODE_FLASH);
    slices_build(&s, &c, 60, MODE_PRO, SLICE_EXACT, &none);
    static const int tokens[] = {7, 11, 20, 9, 13}, turns[] = {-1, 0, 0, 0, 1};
    static const enum style styles[] = {STYLE_NOTE, STYLE_USER, STYLE_PRO_MAX, STYLE_FLASH,
                                        STYLE_PRO};
    assert_int_equal(s.n, 5);
    for (int i = 0; i < s.n; i++) {
        assert_int_equal(s.slice[i].tokens, tokens[i]);
        assert_int_equal(s.slice[i].style, styles[i]);
        assert_int_equal(s.turn[i], turns[i]);
    }
    slices_tell(&s, 2, "q8", 0, left, sizeof left, right, sizeof right);
    assert_string_equal(left, "turn 1, Pro-Max");
    assert_string_equal(right, "20 tokens, exact");
    slices_tell(&s, 0, "q8", 70, left, sizeof left, right, sizeof right);
    assert_string_equal(left, "the beginning");
    assert_string_equal(right, "7 tokens, exact");
    slices_build(&s, &c, 3, MODE_PRO, SLICE_CODED, &none); /* the cache holds less than was said */
    assert_int_equal(s.n, 4);
    slices_tell(&s, 0, "q8", 0, left, sizeof left, right, sizeof right);
    assert_string_equal(right, "7 tokens, q8");
    slices_tell(&s, 0, "q8", 70, left, sizeof left, right, sizeof right);
    assert_string_equal(right, "7 tokens, q8, 0.1 s to read again");
    slices_release(&s);
    conversation_release(&c);
}

/* What is read again: whole blocks, without those that are exact; which slices are exact then. */
void test_slices_exact(void **state)
{
    (void)state;
    struct conversation c;
    struct slices s = {0};
    int32_t pairs[] = {64, 192};
    const struct ids none = {0}, exact = {pairs, 2, 2};
    const struct far_stats far = {.tier = KV_TIER_FLASH, .f16_bytes = 3000000};
    char text[80];
    int from, to;
    conversation_init(&c);
    take_ids(&c.begin, 70);
    int turn = conversation_ask(&c, "Why?", MODE_FLASH);
    take_ids(&c.turn[turn].ids, 100);
    slices_build(&s, &c, 300, MODE_FLASH, slices_form(&far), &exact);
    static const enum slice_form forms[] = {SLICE_CODED, SLICE_EXACT, SLICE_CODED};
    assert_int_equal(s.n, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s.slice[i].form, forms[i]);
    slices_at(&s, 2, &from, &to);
    assert_int_equal(from, 170);
    assert_int_equal(to, 300);
    assert_true(slices_turn(&s, 0, &from, &to));
    assert_int_equal(from, 70);
    assert_int_equal(to, 300);
    assert_false(slices_turn(&s, 1, &from, &to));
    assert_int_equal(slices_cost(&none, 70, 300, 300), 300 - 64);
    assert_int_equal(slices_cost(&exact, 70, 300, 300), 300 - 192);
    assert_int_equal(slices_cost(&exact, 70, 190, 300), 0);
    slices_price(108, 0, &far, 300, text, sizeof text);
    assert_string_equal(text, "at most 108 tokens, up to 1.1 MB more");
    slices_price(108, 54, &far, 300, text, sizeof text);
    assert_string_equal(text, "at most 108 tokens, about 2.0 s, up to 1.1 MB more");
    slices_release(&s);
    conversation_release(&c);
}
