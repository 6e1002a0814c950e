/* app_choose_answer.c -- the final answer of a reply and its normal form. What could break: equal
 * answers that count as two, different ones that count as one, a number of the way taken for the
 * answer. */
#include "tests/test.h"

#include "app/answer.h"

/* The normal form of a reply's answer to a prompt; "-" = it gives none. Static storage, four of
 * them in turn. */
static const char *read_answer(const char *prompt, const char *reply)
{
    static struct buf turn[4];
    static int next;
    struct buf *out = &turn[next = (next + 1) % 4];
    struct demands d;
    buf_clear(out);
    demands_read(&d, prompt, strlen(prompt));
    if (!answer_read(&d, answer_kind(&d), piece_of(reply), out)) {
        assert_int_equal(out->bytes, 0);
        buf_puts(out, "-");
    }
    demands_release(&d);
    return buf_text(out);
}

struct answer_row {
    const char *prompt, *reply, *answer;
};

static void expect_answers(const struct answer_row *row, size_t n)
{
    int wrong = 0;
    const char *prompt = NULL;
    for (size_t i = 0; i < n; i++) {
        prompt = row[i].prompt ? row[i].prompt : prompt; /* NULL: the one of the row above */
        const char *found = read_answer(prompt, row[i].reply);
        if (strcmp(found, row[i].answer) == 0)
            continue;
        print_error("prompt   %s\nreply    %s\nread     %s\nexpected %s\n", prompt, row[i].reply,
                    found, row[i].answer);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

#define EXPECT_ANSWERS(rows) expect_answers(rows, sizeof rows / sizeof *rows)

/* The known answers of the design: pairs that are equal, and pairs that are not. */
void test_answer_normal_forms(void **state)
{
    (void)state;
    static const struct {
        const char *prompt, *a, *b;
        bool equal;
    } row[] = {
        {"How many?", "1,000.0", "1000", true},
        {"How many dollars?", "$12", "12", true},
        {"How much is it in dollars?", "12 dollars", "$12.00", true},
        {"How many?", "$12", "12", false},
        {"Which?\n(A) x\n(B) y", "(B)", "B", true},
        {"Which?\n(A) x\n(B) y", "B.", "B", true},
        {"Which?\n(A) x\n(B) y", "b", "B", true},
        {"Which?\n(A) x\n(B) y", "A", "B", false},
        {"Answer yes or no.", "Yes.", "yes", true},
        {"Answer yes or no.", "Yes.", "No.", false},
        {"Reply with JSON.", "{\"a\": 1, \"b\": [1.0, 2]}", "{ \"b\":[1,2e0],\"a\":1.00 }", true},
        {"Reply with JSON.", "{\"a\": 1}", "{\"a\": 2}", false},
        {"Reply with JSON.", "[1, 2]", "[2, 1]", false},
        {"Reply with JSON.", "{\"a\": \"1\"}", "{\"a\": 1}", false},
        {"Reply with JSON.", "{\"a\": -0}", "{\"a\": 0}", true},
        {"Reply with JSON.", "{\"a\": \"\\u00e4\"}", "{\"a\": \"\xC3\xA4\"}", true},
        {"How many?", "-0", "0", true},
        {"How many? Answer as a fraction.", "0.50", "1/2", true},
        {"How many? Answer as a fraction.", "-2/4", "-0.5", true},
        {"How many? Answer as a fraction.", "4/2", "2", true},
        {"How many?", "0.50", "1/2", false},
        {"How many?", "0.50", "0.5", true},
        {"How many percent?", "50%", "50", true},
        {"How many?", "50%", "50", false},
        {"Answer with one word.", "The Moon.", "moon", true},
        {"Answer with one word.", "\"Sun\"", "**sun**", true},
        {"Answer with one word.", "Sun", "Moon", false},
        {"Answer with one word.", "1,000", "1000.", true},
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *a = read_answer(row[i].prompt, row[i].a);
        const char *b = read_answer(row[i].prompt, row[i].b);
        bool right = strcmp(a, "-") != 0 && strcmp(b, "-") != 0 &&
                     (strcmp(a, b) == 0) == row[i].equal;
        if (!right)
            print_error("%s: '%s' is %s, '%s' is %s\n", row[i].prompt, row[i].a, a, row[i].b, b);
        wrong += !right;
    }
    assert_int_equal(wrong, 0);
}

void test_answer_numbers(void **state)
{
    (void)state;
    static const struct answer_row row[] = {
        {"How many apples are there?", "42", "42"},
        {NULL, "There are 42.", "42"},
        {NULL, "3 + 4 = 7", "7"},
        {NULL, "First 3, then 4. The answer is 7 apples, from 2 trees.", "7"},
        {NULL, "Answer: 7\nI took 3 and 4.", "7"},
        {NULL, "**Answer:** 7", "7"},
        {NULL, "**Answer**: 3 + 4 = **7**", "7"},
        {NULL, "Final answer:\n\n7", "7"},
        {NULL, "So \\boxed{7} it is, not 8.", "7"},
        {NULL, "\\boxed{3} and then \\boxed{7}", "7"},
        {NULL, "7 - 3 = 4\n#### 4", "4"},
        {NULL, "#### Step 1\nWe have 9.", "9"},
        {NULL, "seven", "7"},
        {NULL, "Seven.", "7"},
        {NULL, "-5", "-5"},
        {NULL, "It is \xE2\x88\x92" "5.", "-5"},
        {NULL, "from 3-5", "5"},
        {NULL, "19*21", "-"},
        {NULL, "19*21=399", "399"},
        {NULL, "399, more than 19*20", "399"},
        {NULL, "1,234,567.890", "1234567.89"},
        {NULL, "12,34", "34"},
        {NULL, "007", "7"},
        {NULL, ".5", "0.5"},
        {NULL, "1e3", "1000"},
        {NULL, "1.5e-3", "0.0015"},
        {NULL, "0e-7", "0"},
        {NULL, "12kg", "12"},
        {NULL, "the 3rd of May", "-"},
        {NULL, "none", "-"},
        {NULL, "", "-"},
        {NULL, "9e999999999", "-"},
        {"What is it as a fraction? How many?", "\\boxed{\\frac{2}{4}}", "1/2"},
        {NULL, "1/0", "1/0"},
        {NULL, "0.125", "1/8"},
        {NULL, "0.1234567890123456789012", "0.1234567890123456789012"},
    };
    EXPECT_ANSWERS(row);
}

void test_answer_choices(void **state)
{
    (void)state;
    static const struct answer_row row[] = {
        {"Which is it?\nA) a cat\nB) Paris\nC) York\n", "B", "B"},
        {NULL, "B) Paris", "B"},
        {NULL, "**B**", "B"},
        {NULL, "Option C", "C"},
        {NULL, "option (C): York", "C"},
        {NULL, "paris", "B"},
        {NULL, "It is Paris.", "B"},
        {NULL, "The answer is C.", "C"},
        {NULL, "The answer is (C) York, not Paris.", "C"},
        {NULL, "A cat is small.", "A"},
        {NULL, "A dog is small.", "-"},
        {NULL, "Either Paris or York.", "-"},
        {NULL, "Paris is nice, York is old.\nAnswer: York", "C"},
        {NULL, "Paris is nice, York is old.\nC", "C"},
        {NULL, "D", "-"},
        {NULL, "", "-"},
        {"Is it so? Answer yes or no.", "Yes, because it is no problem.", "yes"},
        {NULL, "NO", "no"},
        {NULL, "I would say yes.", "yes"},
        {NULL, "I do not know it.", "-"},
        {NULL, "Nothing", "-"},
        {"Who is taller, Anna or Ben?", "Anna is taller.", "anna"},
        {NULL, "Ben.", "ben"},
        {NULL, "Anna is taller than Ben.", "-"},
    };
    EXPECT_ANSWERS(row);
}

void test_answer_others(void **state)
{
    (void)state;
    static const struct answer_row row[] = {
        {"Who? Answer with only the name.", "Anna", "anna"},
        {NULL, "  *Anna   Maria* .", "anna maria"},
        {NULL, "Answer: Anna", "anna"},
        {NULL, "After thinking of it I am sure it is Anna", "-"},
        {NULL, "\xC3\x84NNE", "\xC3\xA4nne"},
        {"When? Use the format YYYY-MM-DD.", "On 2024-05-06, not later.", "2024-05-06"},
        {NULL, "in May", "-"},
        {"Give the e-mail address only. Extract the e-mail address.", "It is A.b@C.org.",
         "a.b@c.org"},
        {"Reply with JSON.", "```json\n{\"b\": [true, null], \"a\": \"x\"}\n```",
         "{\"a\":\"x\",\"b\":[true,null]}"},
        {NULL, "no", "-"},
        {"Tell me of bees.", "Bees are 7.", "-"},
    };
    EXPECT_ANSWERS(row);
}

/* A normal form is its own normal form, for numbers of every shape. */
void test_answer_number_is_stable(void **state)
{
    (void)state;
    uint32_t seed = 99;
    static const char digits[] = "0123456789.,-e/$%";
    int numbers = 0;
    for (int run = 0; run < 20000; run++) {
        char text[12] = {0};
        struct buf a = {0}, b = {0};
        struct demands d = {.fractions = run % 2};
        for (size_t i = 0; i < 1 + (size_t)run % 10; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = digits[(seed >> 16) % (sizeof digits - 1)];
        }
        if (answer_number(&d, piece_of(text), &a)) {
            numbers++;
            if (!answer_number(&d, piece_of(buf_text(&a)), &b) ||
                strcmp(buf_text(&a), buf_text(&b)) != 0)
                fail_msg("%s is %s, which is %s", text, buf_text(&a), buf_text(&b));
        }
        buf_release(&a);
        buf_release(&b);
    }
    assert_true(numbers > 1000);
}

/* Any bytes as a reply of every kind. */
void test_answer_hostile(void **state)
{
    (void)state;
    static const char *const prompt[] = {
        "How many?", "Answer as a fraction. How many?", "Which?\nA) x\nB) y", "Answer yes or no.",
        "Answer with one word.", "Use the format YYYY-MM-DD.", "Reply with JSON.",
        "Extract the e-mail address.",
    };
    static const char *const fill[] = {
        "answer is ", "answer:", "\\boxed{", "}", "\\frac{", "}{", "####", "#### 1", "1/", "9", "-",
        "$", ",", "(B)", "B", "*", "\xE2\x88\x92", "\xE2\x80\x9C", "\xFF", "{", "[", "\"", "\n",
        "=", "@", "a.b", "e", ".", " ", "2024-", "yes ", "no ",
    };
    uint32_t seed = 5;
    for (int run = 0; run < 1600; run++) {
        struct buf b = {0}, out = {0};
        struct demands d;
        for (int i = 0; i < 60; i++) {
            seed = seed * 1664525u + 1013904223u;
            buf_puts(&b, fill[(seed >> 12) % (sizeof fill / sizeof *fill)]);
        }
        const char *p = prompt[run % (int)(sizeof prompt / sizeof *prompt)];
        demands_read(&d, p, strlen(p));
        struct piece text = {b.data, b.bytes};
        bool any = answer_read(&d, answer_kind(&d), text, &out);
        assert_int_equal(any, out.bytes > 0);
        demands_release(&d);
        buf_release(&out);
        buf_release(&b);
    }
}
