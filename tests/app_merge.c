/* app_merge.c -- one answer of several. What could break: that an answer is quoted twice, or the
 * chosen one at all. */
#include "tests/test.h"

#include "app/merge.h"
#include "ui/buf.h"

static void say(struct conversation *c, const char *thought, const char *text)
{
    struct reply *r = conversation_reply(c, 0);
    if (*thought)
        reply_text(r, PART_THINKING, MODE_PRO, thought, strlen(thought));
    reply_text(r, PART_ANSWER, MODE_FLASH, text, strlen(text));
}

void test_merge_question(void **state)
{
    (void)state;
    struct conversation c;
    struct buf q = {0};
    conversation_init(&c);
    conversation_ask(&c, "Which?", MODE_FLASH);
    assert_int_equal(merge_question(&c.turn[0], &q), 0);
    say(&c, "", "A");
    say(&c, "", "A");
    say(&c, "", "");
    c.turn[0].chosen = 0;
    assert_int_equal(merge_question(&c.turn[0], &q), 0);
    assert_int_equal(q.bytes, 0);
    say(&c, "hm", "B");
    say(&c, "", "C");
    say(&c, "", "B");
    c.turn[0].chosen = 0;
    assert_int_equal(merge_question(&c.turn[0], &q), 2);
    assert_non_null(strstr(q.data, "too:\n\nAnswer 2:\nB\n\nAnswer 3:\nC\n\nMake one"));
    buf_clear(&q);
    c.turn[0].chosen = 4;
    assert_int_equal(merge_question(&c.turn[0], &q), 2);
    assert_non_null(strstr(q.data, "too:\n\nAnswer 2:\nA\n\nAnswer 3:\nB\n\nMake one"));
    buf_release(&q);
    conversation_release(&c);
}
