/* app_choose_demand.c -- demands read from prompts and replies checked against them. What could
 * break: a demand that nobody made (it costs candidates and picks a worse answer), one that is
 * clearly made and not read, a count that disagrees with a reader's, and hostile bytes. */
#include "tests/test.h"

#include "app/check.h"

/* The demands of a prompt in plain words, joined by "; ". Static storage. */
static const char *read_as(const char *prompt)
{
    static struct buf out;
    struct demands d;
    buf_clear(&out);
    demands_read(&d, prompt, strlen(prompt));
    for (int i = 0; i < d.n; i++) {
        buf_puts(&out, i ? "; " : "");
        demand_describe(&d.demand[i], &out);
        if (d.demand[i].kind == DEMAND_CHOICE)
            for (int k = 0; k < d.n_choice; k++)
                buf_printf(&out, "%s%c%s", k ? "|" : ": ",
                           d.choice[k].letter ? d.choice[k].letter : '-', d.choice[k].text);
    }
    buf_puts(&out, d.asks_number ? (out.bytes ? "; (a number)" : "(a number)") : "");
    demands_release(&d);
    return buf_text(&out);
}

struct reading {
    const char *prompt, *demands;
};

static void expect_readings(const struct reading *row, size_t n)
{
    int wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const char *found = read_as(row[i].prompt);
        if (strcmp(found, row[i].demands) == 0)
            continue;
        print_error("prompt   %s\nread     %s\nexpected %s\n", row[i].prompt, found,
                    row[i].demands);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

#define EXPECT_READINGS(rows) expect_readings(rows, sizeof rows / sizeof *rows)

void test_demand_counts(void **state)
{
    (void)state;
    static const struct reading row[] = {
        {"Describe rain in exactly 5 words.", "exactly 5 words"},
        {"Answer in exactly three words: what is snow?", "exactly 3 words"},
        {"What is the capital of France? Answer in one word.", "exactly 1 word"},
        {"Give a one-word answer. What is ice?", "exactly 1 word"},
        {"Summarize this in two sentences.", "exactly 2 sentences"},
        {"Summarise the plot in at most 3 short sentences.", "at most 3 sentences"},
        {"Explain tides in no more than 50 words.", "at most 50 words"},
        {"Explain tides in 50 words or fewer.", "at most 50 words"},
        {"Explain tides. Keep it under 50 words.", "at most 49 words"},
        {"Do not write more than 4 sentences.", "at most 4 sentences"},
        {"Your answer must not exceed 20 words.", "at most 20 words"},
        {"Limit your answer to 2 lines.", "at most 2 lines"},
        {"Write at least 100 words about owls.", "at least 100 words"},
        {"Write more than 100 words about owls.", "at least 101 words"},
        {"Write between 20 and 30 words about owls.", "20 to 30 words"},
        {"Reply in 2-3 sentences.", "2 to 3 sentences"},
        {"Reply in 2 to 3 sentences.", "2 to 3 sentences"},
        {"List three fruits as exactly 3 bullet points.", "exactly 3 bullet points"},
        {"Give me 4 bullet points about Rust.", "exactly 4 bullet points"},
        {"Use exactly 5 bullets.", "exactly 5 bullet points"},
        {"- Be kind.\n- Use exactly **3** bullets.\n", "exactly 3 bullet points"},
        {"Write a numbered list with 4 items.", "exactly 4 numbered items"},
        {"Make a list of exactly 3 items.", "exactly 3 list items"},
        {"Name exactly four planets as bullet points.", "exactly 4 bullet points"},
        {"List 4 rivers as bullets.", "exactly 4 bullet points"},
        {"Please give me five tips about sleep as a numbered list.", "exactly 5 numbered items"},
        {"Write a 3-paragraph story.", "exactly 3 paragraphs"},
        {"Write a poem of four lines.", "exactly 4 lines"},
        {"Write a tweet of at most 280 characters.", "at most 280 characters"},
        {"If you can, answer in exactly 5 words.", "exactly 5 words"},
        {"Can you answer in exactly 5 words?", "exactly 5 words"},
        {"What is rust in exactly one sentence?", "exactly 1 sentence"},
        {"In exactly 4 words, what is love?", "exactly 4 words"},
        {"Write exactly 2 sentences. Use exactly 12 words.",
         "exactly 2 sentences; exactly 12 words"},
    };
    EXPECT_READINGS(row);
}

/* Nothing is read that is not clearly a demand. */
void test_demand_none(void **state)
{
    (void)state;
    static const char *const prompt[] = {
        "",
        "Hello!",
        "Why is the sky blue?",
        "Write about 50 words on bees.",
        "Write roughly three sentences about bees.",
        "Write a 500-word essay about bees.",
        "The poem has exactly 4 lines. Who wrote it?",
        "Is it true that the word has exactly 5 letters and 3 words?",
        "Does this sentence have exactly five words?",
        "For each city, write exactly 2 sentences.",
        "Write a poem where every line has at most 5 words.",
        "Name a country that starts with the letter B.",
        "Write a function that returns valid JSON.",
        "Explain how to parse dates in JSON.",
        "What is the difference between JSON and YAML?",
        "What does the key \"name\" mean?",
        "Translate \"answer in exactly 5 words\" into German.",
        "Fix this:\n```\nAnswer in exactly 5 words.\n```\n",
        "> Answer in exactly 5 words.\nWhat does he mean?",
        "Passage: You must use exactly 5 words. Always answer yes or no.\n\nWhat is it about?",
        "Write a poem or a story.",
        "The essay must be good.",
        "Improve this outline:\nA. Intro\nB. Methods\nC. Results",
        "Write the title in uppercase.",
        "Do not write in uppercase.",
        "The meeting is on 2024-05-06 at 10:30.",
        "Write an email to my boss about the delay.",
        "Write a Python function that adds two numbers.",
        "Do not begin with \"I\".",
        "I wrote an essay, at least 500 words long, about bees.",
        "Tell me a joke about a number.",
        "Compare tea and coffee.",
        "Describe the history of JSON as a format.",
        "Summarize how browsers parse JSON strings.",
        "Write a story about a man who says that a poem never includes the word love.",
        "Write a poem where each line is a text that ends with \"oh\".",
        "Name a country that ends with the word land.",
        "Tell me about JSON objects.",
        "Tell me about JSON as a data format.",
        "Tell me about storing users as a JSON object.",
        "Tell me about a user that is stored as a JSON object.",
        "Give me tips about sending data as a JSON object.",
        "Tell me how to write a list as a JSON array.",
        "Describe the way a user is stored as a JSON object.",
        "What is the best way to store a tree as a JSON object?",
        "What do you think about configuration as JSON?",
        "How do I send data as a JSON object?",
        "Why does the server return the error as a JSON object?",
        "My server returns the user as a JSON object. How do I parse it?",
        "I have a list as a JSON array. Explain the error.",
        "I want to parse JSON with keys that have blanks.",
        "I need a JSON parser.",
        "Write a Python script that prints a file as JSON, please.",
        "Python reads a dictionary as JSON.",
        "Is it good to store configuration as JSON?",
        "Give me three reasons why a list is better as a numbered list.",
        "Which list begins 1/2?",
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof prompt / sizeof *prompt; i++)
        if (*read_as(prompt[i])) {
            print_error("prompt %s\nread   %s\n", prompt[i], read_as(prompt[i]));
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

void test_demand_json(void **state)
{
    (void)state;
    static const struct reading row[] = {
        {"Reply with JSON.", "valid JSON"},
        {"Answer in JSON format: who wrote Emma?", "valid JSON"},
        {"Return a JSON object with keys \"name\" and \"age\".",
         "valid JSON; JSON key \"name\"; JSON key \"age\""},
        {"Describe a city that you like as a JSON object with the keys \"name\" and \"size\".",
         "valid JSON; JSON key \"name\"; JSON key \"size\""},
        {"Return a JSON object with the keys name, age and city.",
         "valid JSON; JSON key \"name\"; JSON key \"age\"; JSON key \"city\""},
        {"Give the result as JSON with the fields:\n- title\n- year (number)\n",
         "valid JSON; JSON key \"title\"; JSON key \"year\""},
        {"Respond with only valid JSON.", "valid JSON; JSON and nothing else"},
        {"Output JSON only.", "valid JSON; JSON and nothing else"},
        {"Return valid JSON and nothing else.", "JSON and nothing else; valid JSON"},
        {"Extract the person as JSON. No explanation.", "JSON and nothing else; valid JSON"},
        {"Reply in JSON in this format: {\"city\": \"...\", \"pop\": {\"n\": 1}}",
         "valid JSON; JSON key \"city\"; JSON key \"pop\""},
        {"Your answer must be valid JSON.", "valid JSON"},
        {"Tell me about Paris as a JSON object.", "valid JSON"},
        {"Can you tell me about Paris in JSON?", "valid JSON"},
        {"Please tell me about Paris as a JSON object with the keys \"name\" and \"river\".",
         "valid JSON; JSON key \"name\"; JSON key \"river\""},
        {"Give me three facts about bees as a JSON array.", "valid JSON"},
        {"Write about the moon as JSON, please.", "valid JSON"},
        {"Something about cats as a JSON object, please.", "valid JSON"},
        {"I want a JSON object about Paris.", "valid JSON"},
        {"I need JSON with the keys a and b.", "valid JSON; JSON key \"a\"; JSON key \"b\""},
        {"I'd like the answer as JSON.", "valid JSON"},
        {"JSON, please: three colours.", "valid JSON"},
        {"What are the primary colours, as a JSON array?", "valid JSON"},
        {"Put it in a python code block.", "a python code block"},
        {"Answer with a single fenced code block.", "a code block"},
        {"Write the loop in a C++ code block.", "a c++ code block"},
    };
    EXPECT_READINGS(row);
}

void test_demand_words(void **state)
{
    (void)state;
    static const struct reading row[] = {
        {"Write a sentence. Include the word \"lamp\".", "contains \"lamp\""},
        {"Use the words apple, pear and plum.",
         "contains \"apple\"; contains \"pear\"; contains \"plum\""},
        {"Write a line that you like. It must contain the word river.", "contains \"river\""},
        {"Include the following words:\n- apple\n- well-known\n",
         "contains \"apple\"; contains \"well-known\""},
        {"Do not use the word \"very\".", "without \"very\""},
        {"Don\xE2\x80\x99t mention the words \xE2\x80\x9Cred\xE2\x80\x9D or 'blue'.",
         "without \"red\"; without \"blue\""},
        {"Describe fall without using the word leaf.", "without \"leaf\""},
        {"Avoid the words good and bad.", "without \"good\"; without \"bad\""},
        {"Write a line without the letter e.", "without \"e\""},
        {"Do not use the letters a and e.", "without \"a\"; without \"e\""},
        {"Do not use any commas.", "without \",\""},
        {"Use the word \"sun\" at least 3 times.", "contains \"sun\" at least 3 times"},
        {"Use the word \"sun\" exactly twice.", "contains \"sun\" exactly 2 times"},
        {"Use the word \"sun\" exactly once.", "contains \"sun\" exactly 1 time"},
        {"Write your answer in all lower case.", "lower case"},
        {"Answer in lowercase letters only.", "lower case"},
        {"Do not use capital letters.", "lower case"},
        {"Answer in ALL CAPS.", "upper case"},
        {"Your entire response should be in uppercase.", "upper case"},
        {"Begin your answer with \"Dear\".", "begins with \"Dear\""},
        {"Start with the word Hello.", "begins with \"Hello\""},
        {"End your reply with the phrase \"The end.\"", "ends with \"The end.\""},
        {"Write a sentence that includes the words moon and river.",
         "contains \"moon\"; contains \"river\""},
        {"Write a short story about dogs that ends with the word home.", "ends with \"home\""},
        {"Write a poem that starts with \"Oh\".", "begins with \"Oh\""},
        {"Compose a sentence with no letter s.", "without \"s\""},
        {"Finish with a question mark.", "ends with \"?\""},
        {"The last word of your answer must be \"stop\".", "ends with \"stop\""},
    };
    EXPECT_READINGS(row);
}

void test_demand_answers(void **state)
{
    (void)state;
    static const struct reading row[] = {
        {"Is the sky green? Answer yes or no.", "one of the options: -yes|-no"},
        {"Is it true? (yes/no)", "one of the options: -yes|-no"},
        {"not ( True ) and ( True ) is true or false?", "one of the options: -true|-false"},
        {"Which is a fish?\nA) cat\nB) cod\nC) cow\n", "one of the options: Acat|Bcod|Ccow"},
        {"Which is a fish? (A) cat (B) cod, (C) cow",
         "one of the options: Acat|Bcod|Ccow"},
        {"Pick one: red, green or blue.", "one of the options: -red|-green|-blue"},
        {"Which is larger: 3/4 or 2/3?", "one of the options: -3/4|-2/3"},
        {"Pick one.\nA. red wine\nB. water", "one of the options: Ared wine|Bwater"},
        {"Answer with A, B or C.", "one of the options: AA|BB|CC"},
        {"Answer with one of the following: red, green, blue.",
         "one of the options: -red|-green|-blue"},
        {"Classify the review as positive, negative or neutral.",
         "one of the options: -positive|-negative|-neutral"},
        {"Anna is taller than Ben. Who is taller, Anna or Ben?",
         "one of the options: -Anna|-Ben"},
        {"Answer with a single number.", "one number"},
        {"Give only the number.", "one number"},
        {"Reply with the number only.", "one number"},
        {"When was it? Use the format YYYY-MM-DD.", "in the form YYYY-MM-DD"},
        {"When does it begin? Answer as HH:MM.", "in the form HH:MM"},
        {"Extract the e-mail address from the text.", "in the form e-mail"},
        {"Who has the ball? Answer with only the name.", "a few words"},
        {"What day is it in 10 days? Answer with the weekday only.", "a few words"},
        {"Tom has 3 apples and buys 4. How many apples has he?", "(a number)"},
        {"What is 17 + 25 - 3?", "(a number)"},
        {"Calculate 3 * 4.", "(a number)"},
        {"What is the number of days in May?", "(a number)"},
        {"Write a program: how many primes are below 100?", ""},
        {"Is 2-3 weeks long?", ""},
    };
    EXPECT_READINGS(row);
}

/* The words a demand was read from are words of the prompt, and short enough to show. */
void test_demand_carries_its_words(void **state)
{
    (void)state;
    const char *prompt = "Tell me of rain,\nin   exactly\n5 words, and use the word \"wet\".";
    struct demands d;
    demands_read(&d, prompt, strlen(prompt));
    assert_int_equal(d.n, 2);
    assert_string_equal(d.demand[0].words, "exactly 5 words");
    assert_memory_equal(prompt + d.demand[0].at, "exactly\n5 words", 15);
    assert_int_equal(d.demand[0].bytes, 15);
    assert_string_equal(d.demand[1].words, "use the word \"wet\"");
    demands_release(&d);
}

/* Of a long prompt both ends are read, the material between them is not. */
void test_demand_long_prompt(void **state)
{
    (void)state;
    struct buf b = {0};
    struct demands d;
    buf_puts(&b, "Use exactly 3 sentences.\n\n");
    for (int i = 0; i < 60000; i++)
        buf_puts(&b, i == 30000 ? "Do not use the word \"it\". " : "It rained again, said he. ");
    buf_puts(&b, "\n\nInclude the word \"rain\".");
    demands_read(&d, b.data, b.bytes);
    assert_int_equal(d.n, 2);
    assert_int_equal(d.demand[0].kind, DEMAND_COUNT);
    assert_int_equal(d.demand[1].kind, DEMAND_OCCURS);
    assert_string_equal(d.demand[1].text, "rain");
    assert_memory_equal(b.data + d.demand[1].at, d.demand[1].words, d.demand[1].bytes);
    demands_release(&d);
    buf_release(&b);
}

/* A fixed stream of numbers. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Any bytes: no crash, places inside the prompt, and every check of anything comes to an end. */
void test_demand_hostile(void **state)
{
    (void)state;
    static const char *const piece[] = {
        "exactly ", "5 ", "words ", "\"", "'", "`", "```", "\n", "\n\n", "- ", "1. ", "> ", "(",
        ")", "A) ", "B) ", "(A) ", "{", "}", "[", "]", ":", ",", "JSON ", "keys ", "a and b ",
        "must ",
        "include ", "the word ", "letter ", "do not use ", "\xFF", "\xE2\x80", "\xE2\x80\x9C",
        "\x80",
        "yes or no ", "YYYY-MM-DD ", "Y-", "answer ", "in ", "with ", "only ", "?", ".", "each ",
        "99999999999999 ", "1,000 ", "*", "**", "end with ", "begin with ", "code block ", "\\",
        "how many ", "between ", "and ", "or ", "lower case ", "\xF0\x9F\x98\x80",
    };
    uint32_t seed = 4711;
    for (int run = 0; run < 400; run++) {
        struct buf b = {0};
        struct demands d;
        int n = (int)(next_random(&seed) % 120);
        for (int i = 0; i < n; i++)
            buf_puts(&b, piece[next_random(&seed) % (sizeof piece / sizeof *piece)]);
        if (run % 4 == 0)
            buf_append(&b, "\0\x01", 2);
        demands_read(&d, buf_text(&b), b.bytes);
        for (int i = 0; i < d.n; i++) {
            assert_true(d.demand[i].at <= b.bytes);
            assert_true(d.demand[i].bytes <= b.bytes - d.demand[i].at);
            assert_true(d.demand[i].min <= d.demand[i].max);
        }
        struct piece text = {buf_text(&b), b.bytes};
        int kept = demands_check(&d, text, NULL);
        assert_true(kept >= 0 && kept <= d.n);
        demands_release(&d);
        buf_release(&b);
    }
}

/* A megabyte of each of a few bytes, as prompt and as reply. */
void test_demand_megabyte(void **state)
{
    (void)state;
    static const char *const fill[] = {"[", "{\"a\":", "\"", "'", "`", "(", "-", "* ", "a ", "A) ",
                                       "answer:", "\\boxed{", ".", "#", "\xFF", "1", "=", "\n"};
    const char *ask = "\nUse exactly 3 sentences, valid JSON, the word \"x\" and end with \"y\". "
                      "Answer with A, B or C.";
    for (size_t i = 0; i < sizeof fill / sizeof *fill; i++) {
        struct buf b = {0};
        struct demands d;
        while (b.bytes < (1 << 20))
            buf_puts(&b, fill[i]);
        struct piece text = {b.data, b.bytes};
        demands_read(&d, b.data, b.bytes);
        demands_release(&d);
        demands_read(&d, ask, strlen(ask));
        assert_true(d.n >= 4);
        demands_check(&d, text, NULL);
        demands_release(&d);
        buf_release(&b);
    }
}

/* ---- checking -------------------------------------------------------------------------------- */

struct check_row {
    const char *prompt, *reply;
    const char *why; /* NULL = all kept; else a line that says what is not */
};

static void expect_checks(const struct check_row *row, size_t n)
{
    int wrong = 0;
    for (size_t i = 0; i < n; i++) {
        struct demands d;
        struct buf why = {0};
        demands_read(&d, row[i].prompt, strlen(row[i].prompt));
        int kept = demands_check(&d, piece_of(row[i].reply), &why);
        bool right = d.n > 0 && (row[i].why ? kept < d.n && strstr(buf_text(&why), row[i].why)
                                            : kept == d.n && why.bytes == 0);
        if (!right)
            print_error("prompt %s\nreply  %s\nkept   %d of %d\nwhy    %s\n", row[i].prompt,
                        row[i].reply, kept, d.n, buf_text(&why));
        wrong += !right;
        buf_release(&why);
        demands_release(&d);
    }
    assert_int_equal(wrong, 0);
}

#define EXPECT_CHECKS(rows) expect_checks(rows, sizeof rows / sizeof *rows)

void test_check_counts(void **state)
{
    (void)state;
    static const struct check_row row[] = {
        {"Answer in exactly 3 words.", "It rains today.", NULL},
        {"Answer in exactly 3 words.", "It's state-of-the-art \xE2\x80\x94 today!", NULL},
        {"Answer in exactly 3 words.", "It rains", "2 words, not exactly 3 words"},
        {"Answer in exactly 3 words.", "", "empty"},
        {"Answer in exactly 3 words.", " \n ", "empty"},
        {"Answer in exactly 4 words.", "1. red apples\n2. green pears", NULL},
        {"Answer in exactly 2 words.", "\xE4\xBD\xA0\xE5\xA5\xBD", NULL},
        {"Answer in at most 2 sentences.", "One. Two.", NULL},
        {"Answer in at most 2 sentences.", "One. Two. Three.", "3 sentences, not at most 2"},
        {"Answer in exactly 2 sentences.", "Mr. J. Smith paid 3.50 dollars... He left!", NULL},
        {"Answer in exactly 2 sentences.", "Use e.g. apples. Then eat them?!", NULL},
        {"Answer in exactly 2 sentences.", "the cat sat. the dog ran.", NULL},
        {"Use exactly 2 sentences.", "He said \xE2\x80\x9CHi.\xE2\x80\x9D Then he left", NULL},
        {"Use exactly 2 sentences.", "\xE5\xA5\xBD\xE3\x80\x82\xE5\xA5\xBD\xE3\x80\x82", NULL},
        {"Use exactly 3 bullets.", "Here:\n- a\n- b\n  - deeper\n* c\n", NULL},
        {"Use exactly 3 bullets.", "1. a\n2. b\n3. c", "0 bullet points"},
        {"Use exactly 3 bullets.", "- a\n- b\n-c", "2 bullet points"},
        {"Use exactly 1 bullet.", "\xE2\x80\xA2 a", NULL},
        {"Write a numbered list with 2 items.", "1. a\n2) b", NULL},
        {"Make a list of exactly 2 items.", "- a\n2. b", NULL},
        {"Write exactly 2 paragraphs.", "\na\nb\n\n \nc\n", NULL},
        {"Write exactly 3 lines.", "a\n\nb\nc\n", NULL},
        {"Write at most 3 characters.", "\xC3\xA4\xC3\xB6\xC3\xBC\n", NULL},
        {"Write at most 3 characters.", "abcd", "4 characters"},
        {"Write between 2 and 3 words.", "one", "1 word, not 2 to 3 words"},
    };
    EXPECT_CHECKS(row);
}

void test_check_json(void **state)
{
    (void)state;
    static const struct check_row row[] = {
        {"Reply with JSON.", "{\"a\": 1}", NULL},
        {"Reply with JSON.", "Sure:\n```json\n[1, 2]\n```\nDone.", NULL},
        {"Reply with JSON.", "Here it is: {\"a\": [1, {\"b\": \"}\"}]} as you asked.", NULL},
        {"Reply with JSON.", "{\"a\": 1,}", "no valid JSON"},
        {"Reply with JSON.", "{'a': 1}", "no valid JSON"},
        {"Reply with JSON.", "{\"a\": 01}", "no valid JSON"},
        {"Reply with JSON.", "{\"a\": 1.}", "no valid JSON"},
        {"Reply with JSON.", "{\"a\": \"x\ny\"}", "no valid JSON"},
        {"Reply with JSON.", "{\"a\": NaN}", "no valid JSON"},
        {"Reply with JSON.", "{\"a\": \"\xFF\"}", "no valid JSON"},
        {"Reply with JSON.", "hello", "no valid JSON"},
        {"Reply with JSON.", "42", "no valid JSON"},
        {"Reply with JSON only.", "{\"a\": -1.5e+3}\n", NULL},
        {"Reply with JSON only.", "```json\n{\"a\": 1}\n```", "more than JSON"},
        {"Reply with JSON with the keys \"a\" and \"b\".", "{\"b\": null, \"a\": 1}", NULL},
        {"Reply with JSON with the keys \"a\" and \"b\".", "[{\"b\": 2, \"a\": 1}]", NULL},
        {"Reply with JSON with the keys \"a\" and \"b\".", "{\"x\": {\"a\": 1, \"b\": 2}}",
         "lacks key \"a\""},
        {"Put it in a python code block.", "```py\nprint(1)\n```", NULL},
        {"Put it in a python code block.", "```\nprint(1)\n```", "no closed python"},
        {"Put it in a python code block.", "```python\nprint(1)\n", "no closed python"},
    };
    EXPECT_CHECKS(row);
}

void test_check_words(void **state)
{
    (void)state;
    static const struct check_row row[] = {
        {"Include the word \"cat\".", "The Cat, too.", NULL},
        {"Include the word \"cat\".", "Cats and scat.", "\"cat\" is not in it"},
        {"Do not use the word \"cat\".", "Cats.", NULL},
        {"Do not use the word \"cat\".", "A CAT.", "\"cat\" is in it 1 time"},
        {"Include the word \"\xC3\xA4hre\".", "\xC3\x84HRE", NULL},
        {"Write without the letter e.", "A fox.", NULL},
        {"Write without the letter e.", "TREES", "\"e\" is in it 2 times"},
        {"Do not use any commas.", "a, b", "is in it 1 time"},
        {"Use the word \"sun\" at least 2 times.", "sun sun", NULL},
        {"Use the word \"sun\" at least 2 times.", "sun", "is in it 1 time"},
        {"Answer in lowercase.", "all small, 3 of them.", NULL},
        {"Answer in lowercase.", "Not all.", "has capital letters"},
        {"Answer in ALL CAPS.", "YES 3!", NULL},
        {"Answer in ALL CAPS.", "YEs", "has small letters"},
        {"Begin your answer with \"Dear\".", "**dear** friend", NULL},
        {"Begin your answer with \"Dear\".", "Dearest", "does not begin"},
        {"Begin your answer with \"Dear\".", "De", "does not begin"},
        {"End with the word stop.", "And now stop.", NULL},
        {"End with the word stop.", "nonstop", "does not end"},
        {"End with a question mark.", "Well?", NULL},
        {"End with a question mark.", "Well? No.", "does not end"},
        {"End your reply with \"The end.\"", "So it was. The end.\n", NULL},
    };
    EXPECT_CHECKS(row);
}

void test_check_answers(void **state)
{
    (void)state;
    static const struct check_row row[] = {
        {"Is it? Answer yes or no.", "Yes.", NULL},
        {"Is it? Answer yes or no.", "Perhaps.", "none of the options"},
        {"Answer with a single number.", "42", NULL},
        {"Answer with a single number.", "-1,000.5.", NULL},
        {"Answer with a single number.", "42 apples", "not one number"},
        {"Use the format YYYY-MM-DD.", "It is 2024-02-29.", NULL},
        {"Use the format YYYY-MM-DD.", "2024-13-01", "nothing of the form"},
        {"Use the format YYYY-MM-DD.", "12024-12-01", "nothing of the form"},
        {"Answer as HH:MM.", "23:59", NULL},
        {"Answer as HH:MM.", "24:00", "nothing of the form"},
        {"Extract the e-mail address.", "<a.b@c.org>", NULL},
        {"Extract the e-mail address.", "a.b@c", "nothing of the form"},
        {"Answer with only the name.", "Anna", NULL},
        {"Answer with only the name.", "I think that it must be Anna.", "more than a few words"},
    };
    EXPECT_CHECKS(row);
}
