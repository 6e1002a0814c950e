/* app_doubt.c -- what an answer was unsure of. What could break: a place that is not the words the
 * tokens wrote, one that reaches beyond the text, bytes that a token is not told with, a log that
 * brings back something else. */
#include "tests/app_run.h"

#include <math.h>

#include "app/doubt.h"
#include "app/json.h"
#include "app/record.h"

/* A reply of one answer: texts and doubts of its tokens. */
static void write(struct reply *r, const char *const *text, const int *doubt, int n)
{
    for (int i = 0; i < n; i++) {
        struct part *p = reply_text(r, PART_ANSWER, MODE_FLASH, text[i], strlen(text[i]));
        doubt_append(&p->doubt, doubt[i], text[i], strlen(text[i]));
    }
}

static void finds(const struct reply *r, const char *expect)
{
    struct doubts d = {0};
    struct buf out = {0};
    assert_true(doubts_find(r, &d));
    for (int i = 0; i < d.n; i++) {
        doubt_percent(&d.place[i], &out);
        buf_puts(&out, " ");
        doubt_excerpt(r, &d.place[i], &out);
        buf_puts(&out, "\n");
    }
    assert_string_equal(buf_text(&out), expect);
    buf_release(&out);
    doubts_release(&d);
}

void test_doubt_of(void **state)
{
    (void)state;
    assert_int_equal(doubt_of(0), 0);
    assert_int_equal(doubt_of(-0.0f), 0);
    assert_int_equal(doubt_of(logf(0.5f)), DOUBT_HALF);
    assert_int_equal(doubt_of(logf(0.2f)), DOUBT_FIFTH);
    assert_int_equal(doubt_of(-1e30f), DOUBT_MAX);
    assert_int_equal(doubt_of(-INFINITY), DOUBT_MAX);
}

/* Whole words, neighbours together, the least certain first; blanks alone are no place. */
void test_doubt_places(void **state)
{
    (void)state;
    static const char *const text[] = {"The", " capital", " is", " Ly", "on", ",", " a", " ci",
                                       "ty", ".\n", "\n", "More", " to", " come"};
    static const int doubt[] = {0, 5, 10, 250, 3, 0, 70, 80, 0, 0, 400, 69, 0, 600};
    struct reply r = {0};
    write(&r, text, doubt, 14);
    finds(&r, "<1 % Lyon, a city.  More to [come]\n"
              "8 % The capital is [Lyon], a city.  More to come\n"
              "45 % The capital is Lyon, [a city].  More to come\n");
    reply_release(&r);
}

/* Two parts, with a thought between them. */
void test_doubt_parts(void **state)
{
    (void)state;
    static const char *const first[] = {" one", " two"}, *const second[] = {"\xc3\xa9t\xc3\xa9"};
    static const int unsure[] = {300, 0};
    struct reply r = {0};
    struct doubts d = {0};
    struct buf out = {0};
    write(&r, first, unsure, 2);
    reply_text(&r, PART_THINKING, MODE_PRO, "thought", 7);
    write(&r, second, unsure, 1);
    assert_true(doubts_find(&r, &d));
    assert_int_equal(d.n, 2);
    assert_int_equal(d.place[0].part, 0);
    assert_int_equal(d.place[0].at, 1);
    assert_int_equal(d.place[1].part, 2);
    assert_int_equal(d.place[1].bytes, 5);
    doubts_marked(&r, &d, &out);
    assert_string_equal(buf_text(&out), " [1: one] two[2: \xc3\xa9t\xc3\xa9]");
    buf_clear(&out);
    doubt_question(&r, &d.place[0], &out);
    assert_string_equal(buf_text(&out), "In your last answer you wrote: \" one two\"\n"
                                        "Look at this place of it again: \"one\"\n"
                                        "Is it right? Say why, and if it is not, what is.");
    buf_release(&out);
    doubts_release(&d);
    reply_release(&r);
}

void test_doubt_unknown(void **state)
{
    (void)state;
    struct reply r = {0};
    struct doubts d = {0};
    assert_false(doubts_find(&r, &d));
    reply_text(&r, PART_ANSWER, MODE_FLASH, "old", 3);
    assert_false(doubts_find(&r, &d));
    assert_int_equal(d.n, 0);
    doubt_append(&r.part[0].doubt, 300, "longer than the text", 20);
    assert_true(doubts_find(&r, &d));
    assert_int_equal(d.n, 0);
    doubts_release(&d);
    reply_release(&r);
}

/* Written and read as JSON. */
static void same_again(const struct reply *r)
{
    struct buf text = {0};
    struct json_line line;
    struct reply back = {0};
    json_begin(&line, &text);
    record_reply(&line, r);
    json_end(&line);
    struct json *j = json_parse(buf_text(&text), text.bytes);
    assert_non_null(j);
    assert_true(record_read_reply(j, &back));
    assert_int_equal(back.n_part, r->n_part);
    for (int i = 0; i < r->n_part; i++) {
        const struct ids *a = &r->part[i].doubt, *b = &back.part[i].doubt;
        assert_int_equal(a->n, b->n);
        if (a->n)
            assert_memory_equal(a->id, b->id, (size_t)a->n * sizeof *a->id);
    }
    json_free(&j);
    buf_release(&text);
    reply_release(&back);
}

/* Every token of an answer has a pair, all bytes of the text are some token's, and their sum is
 * what the candidates are compared by; thoughts have none. */
void test_doubt_is_told(void **state)
{
    (void)state;
    struct run r;
    int answers = 0;
    run_open(&r, "tiny-llama.gguf");
    r.max = 30;
    for (int i = 0; i < 6; i++) {
        char question[20];
        snprintf(question, sizeof question, "hello %d", i);
        const struct reply *reply = run_reply(&r, run_ask(&r, question, i % 2 ? MODE_PRO
                                                                               : MODE_FLASH));
        for (int k = 0; k < reply->n_part; k++) {
            const struct part *p = &reply->part[k];
            size_t bytes = 0;
            for (int n = 0; n < p->doubt.n; n += 2)
                bytes += (size_t)p->doubt.id[n + 1];
            bool answer = p->kind == PART_ANSWER;
            assert_int_equal(bytes, answer ? strlen(p->text) : 0);
            assert_true(!answer || p->doubt.n / 2 >= p->tokens);
            answers += answer;
        }
        same_again(reply);
    }
    assert_true(answers >= 6);
    run_close(&r);
}

/* What a damaged or hostile file says counts for nothing. */
void test_doubt_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *pairs;
        int n;
    } rows[] = {{"[5,2,300,1]", 4}, {"[5,2,300,2]", 0}, {"[5]", 0}, {"[10000,1]", 0}, {"[]", 0},
                {"[-1,1]", 0}, {"[1,2147483647]", 0}, {"7", 0}, {"[1,1,1,\"x\"]", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf text = {0};
        struct reply r = {0};
        buf_printf(&text, "{\"parts\": [{\"kind\": \"answer\", \"text\": \"abc\", \"doubt\": %s}]}",
                   rows[i].pairs);
        struct json *j = json_parse(buf_text(&text), text.bytes);
        assert_true(record_read_reply(j, &r));
        if (r.part[0].doubt.n != rows[i].n)
            fail_msg("%s", rows[i].pairs);
        json_free(&j);
        buf_release(&text);
        reply_release(&r);
    }
}
