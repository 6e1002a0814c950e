/* app_conversation.c -- messages as text and ids: what could break is that ids and messages go
 * out of step, that thinking gets into the prompt, or that a title is cut inside a character. */
#include "tests/test.h"

#include "app/conversation.h"

static void answer(struct conversation *c, int turn, const char *text)
{
    reply_text(conversation_reply(c, turn), PART_ANSWER, MODE_FLASH, text, strlen(text));
}

void test_conversation_title(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"Short", "Short"},
        {"\n\n  first line \nsecond", "first line"},
        {"a\tb\x1b[31m", "a b [31m"},
        {"", ""},
        {" \n ", ""},
        {"twelve words of text that are together longer than sixty characters are",
         "twelve words of text that are together longer than sixty"},
        {"exactly sixty characters are in this line, not one more: 123",
         "exactly sixty characters are in this line, not one more: 123"},
        {"äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää",
         "ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää"},
        /* What is asked about files, not the name of the first. */
        {"a.c:\n```\nint x;\n```\nWhat is x?", "What is x?"},
        {"a.md:\n````\n```\n````\n\nb.c:\n```\n```\nCompare them", "Compare them"},
        {"a.c:\n```\nint x;\n```\n", "a.c:"},
        {"a.c:\n```\nnever closed", "a.c:"},
        {"Look:\nnot a file", "Look:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conversation c;
        conversation_init(&c);
        conversation_ask(&c, cases[i][0], MODE_FLASH);
        assert_string_equal(c.title, cases[i][1]);
        conversation_release(&c);
    }
}

void test_conversation_rename(void **state)
{
    (void)state;
    struct conversation c;
    conversation_init(&c);
    conversation_title(&c, "My own");
    conversation_ask(&c, "a question", MODE_FLASH);
    assert_string_equal(c.title, "My own");
    conversation_title(&c, c.title);
    assert_string_equal(c.title, "My own");
    conversation_release(&c);
}

void test_conversation_parts(void **state)
{
    (void)state;
    struct reply *r;
    struct conversation c;
    conversation_init(&c);
    conversation_ask(&c, "q", MODE_PRO);
    r = conversation_reply(&c, 0);
    reply_text(r, PART_THINKING, MODE_PRO, "hm", 2);
    reply_text(r, PART_THINKING, MODE_PRO, "m\0m", 3);
    reply_text(r, PART_ANSWER, MODE_PRO, "yes", 3);
    reply_text(r, PART_ANSWER, MODE_FLASH, ", no", 4);
    assert_int_equal(r->n_part, 3);
    assert_string_equal(r->part[0].text, "hmmm");
    char *text = reply_join(r, PART_ANSWER);
    assert_string_equal(text, "yes, no");
    free(text);
    r = conversation_reply(&c, 0);
    text = reply_join(r, PART_THINKING);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(c.turn[0].n_reply, 2);
    assert_int_equal(c.turn[0].chosen, 1);
    conversation_release(&c);
}

void test_conversation_prompt(void **state)
{
    (void)state;
    static const struct {
        enum message_role role;
        const char *text;
    } want[] = {{MESSAGE_SYSTEM, ""},      {MESSAGE_USER, "one"}, {MESSAGE_ASSISTANT, "second"},
                {MESSAGE_USER, "three"}, {MESSAGE_ASSISTANT, "3"}, {MESSAGE_USER, "four"}};
    struct prompt p;
    struct conversation c;
    conversation_init(&c);
    conversation_ask(&c, "one", MODE_FLASH);
    answer(&c, 0, "first");
    struct reply *r = conversation_reply(&c, 0);
    reply_text(r, PART_THINKING, MODE_PRO, "secret", 6);
    reply_text(r, PART_ANSWER, MODE_PRO, "second", 6);
    conversation_ask(&c, "two, never answered", MODE_FLASH);
    conversation_ask(&c, "three", MODE_FLASH);
    answer(&c, 2, "3");
    conversation_ask(&c, "four", MODE_FLASH);
    for (int turn = -1; turn <= 3; turn += 4) {
        conversation_prompt(&c, turn, &p);
        assert_int_equal(p.n, turn < 0 ? 5 : 6);
        for (int i = 0; i < p.n; i++) {
            assert_int_equal(p.message[i].role, want[i].role);
            assert_string_equal(p.message[i].text, want[i].text);
            assert_int_equal(p.message[i].ids.n, 0);
        }
        prompt_release(&p);
    }
    conversation_prompt(&c, 1, &p);
    assert_int_equal(p.n, 4);
    assert_string_equal(p.message[3].text, "two, never answered");
    prompt_release(&p);
    conversation_release(&c);
}

/* Ids kept for message i are those of message i of the next prompt. */
void test_conversation_rendered(void **state)
{
    (void)state;
    struct prompt p;
    struct conversation c;
    conversation_init(&c);
    for (int t = 0; t < 4; t++) {
        conversation_ask(&c, "q", MODE_FLASH);
        if (t != 1)
            answer(&c, t, "a");
    }
    conversation_ask(&c, "last", MODE_FLASH);
    conversation_model(&c, "m", 7);
    for (int32_t i = 0; i < 8; i++) {
        int32_t id[2] = {100 + i, 200 + i};
        conversation_rendered(&c, 4, i, id, 2);
    }
    conversation_prompt(&c, 4, &p);
    assert_int_equal(p.n, 8);
    for (int i = 0; i < p.n; i++) {
        assert_int_equal(p.message[i].ids.n, 2);
        assert_int_equal(p.message[i].ids.id[1], 200 + i);
    }
    prompt_release(&p);
    assert_int_equal(c.turn[1].ids.n, 0);
    assert_int_equal(c.turn[4].ids.id[0], 107);
    conversation_release(&c);
}

void test_conversation_model(void **state)
{
    (void)state;
    int32_t id[] = {1, 2};
    struct conversation c;
    conversation_init(&c);
    conversation_ask(&c, "q", MODE_FLASH);
    answer(&c, 0, "a");
    conversation_model(&c, "one", 1);
    for (int i = 0; i < 3; i++)
        conversation_rendered(&c, -1, i, id, 2);
    conversation_model(&c, "one, moved", 1);
    assert_int_equal(c.begin.n + c.turn[0].ids.n + c.turn[0].reply[0].ids.n, 6);
    conversation_model(&c, c.model, 2);
    assert_string_equal(c.model, "one, moved");
    assert_int_equal(c.begin.n + c.turn[0].ids.n + c.turn[0].reply[0].ids.n, 0);
    conversation_release(&c);
}

void test_conversation_cut(void **state)
{
    (void)state;
    struct conversation c;
    conversation_init(&c);
    for (int n = 1; n <= 40; n++) {
        for (int t = c.n_turn; t < n; t++) {
            assert_int_equal(conversation_ask(&c, "q", MODE_FLASH), t);
            for (int k = 0; k < t % 5; k++)
                answer(&c, t, "a");
        }
        conversation_cut(&c, n / 2);
        assert_int_equal(c.n_turn, n / 2);
    }
    conversation_release(&c);
}

void test_ids_append(void **state)
{
    (void)state;
    struct ids a = {0};
    for (int32_t i = 0; i < 1000; i++)
        ids_append(&a, (int32_t[]){i, i, i}, i % 4 == 3 ? 0 : 3);
    assert_int_equal(a.n, 2250);
    assert_int_equal(a.id[2249], 998);
    ids_release(&a);
    assert_null(a.id);
}
