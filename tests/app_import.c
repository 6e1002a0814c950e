/* app_import.c -- a conversation from a file. What could break: something exported does not come
 * back, bytes of strangers crash the reader, a heading in code is taken for a speaker. */
#include "tests/test.h"

#include "app/export.h"
#include "app/import.h"
#include "app/store.h"

static uint32_t dice(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

static const char *const texts[] = {
    "", " ", "Why?", "two\nlines\n", "\"quoted\" \\ and \t", "ä€😀 \xE2\x80\xAE",
    "# You\n\n## Flash",
    "> quoted", "```c\n## You\n```", "\n\nlate", "\x01\x1b[31m", "a\xFF" "b",
};

static const char *text_any(uint32_t *r)
{
    return texts[dice(r, sizeof texts / sizeof *texts)];
}

static void reply_any(struct reply *reply, uint32_t *r)
{
    reply->mode = (enum mode_id)dice(r, MODE_COUNT);
    reply->seed = (uint64_t)dice(r, 1000) << 40 | 1;
    reply->reason = (enum reply_reason)dice(r, REASON_COUNT);
    for (uint32_t n = dice(r, 4); n > 0; n--) {
        const char *text = text_any(r);
        reply_text(reply, (enum part_kind)dice(r, 2), (enum mode_id)dice(r, MODE_COUNT), text,
                   strlen(text));
        reply->part[reply->n_part - 1].tokens = (int)dice(r, 100);
        reply->part[reply->n_part - 1].ms = dice(r, 100000);
    }
}

static void conversation_any(struct conversation *c, uint32_t seed)
{
    uint32_t r = seed;
    conversation_init(c);
    c->mode = (enum mode_id)dice(&r, MODE_COUNT);
    free(c->system);
    c->system = mem_dup(text_any(&r));
    conversation_model(c, "some-model", 7);
    for (uint32_t t = dice(&r, 4); t > 0; t--) {
        int turn = conversation_ask(c, text_any(&r), (enum mode_id)dice(&r, MODE_COUNT));
        for (uint32_t n = dice(&r, 4); n > 0; n--)
            reply_any(conversation_reply(c, turn), &r);
        if (c->turn[turn].n_reply)
            c->turn[turn].chosen = (int)dice(&r, (uint32_t)c->turn[turn].n_reply);
    }
    if (dice(&r, 2))
        conversation_title(c, text_any(&r));
}

void test_import_json_round_trip(void **state)
{
    (void)state;
    struct err err;
    for (uint32_t seed = 0; seed < 300; seed++) {
        struct conversation c, back;
        struct buf out = {0}, again = {0};
        conversation_any(&c, seed);
        export_json(&c, &out);
        conversation_init(&back);
        if (!import_read(buf_text(&out), out.bytes, &back, NULL, &err))
            fail_msg("%u: %s", seed, err.msg);
        export_json(&back, &again);
        assert_string_equal(buf_text(&again), buf_text(&out));
        assert_int_equal(back.fingerprint, 0);
        conversation_release(&c);
        conversation_release(&back);
        buf_release(&out);
        buf_release(&again);
    }
}

static void import_text(const char *text, struct conversation *c)
{
    struct err err;
    conversation_init(c);
    if (!import_read(text, strlen(text), c, NULL, &err))
        fail_msg("%s", err.msg);
}

void test_import_markdown(void **state)
{
    (void)state;
    struct conversation c;
    struct buf out = {0};
    const char *text = "# Why so?\n\n## System\n\nBe brief.\n\n## You\n\nWhy?\nReally \"why\"\n\n"
                       "## Pro\n\n> hm\n> so\n\n*Because.*\n\n```sh\n## You\n```\n\n## You\n\n"
                       "And?\n\n## Flash\n\n> said he\n\n## Pro-Max\n\nmore\n\n";
    import_text(text, &c);
    assert_string_equal(c.title, "Why so?");
    assert_string_equal(c.system, "Be brief.");
    assert_int_equal(c.n_turn, 2);
    assert_string_equal(c.turn[0].question, "Why?\nReally \"why\"");
    assert_int_equal(c.turn[0].mode, MODE_PRO);
    assert_int_equal(c.turn[0].reply[0].n_part, 2);
    assert_string_equal(c.turn[0].reply[0].part[0].text, "hm\nso");
    assert_string_equal(c.turn[0].reply[0].part[1].text, "*Because.*\n\n```sh\n## You\n```");
    assert_string_equal(c.turn[1].reply[0].part[0].text, "> said he"); /* Flash does not think */
    assert_int_equal(c.turn[1].n_reply, 1);
    assert_int_equal(c.turn[1].reply[0].mode, MODE_PRO_MAX);
    export_markdown(&c, &out);
    assert_string_equal(buf_text(&out), text);
    buf_release(&out);
    conversation_release(&c);

    import_text("**User:**\r\nhello\r\n\r\n**Assistant:**\r\nHi!\r\n", &c);
    assert_string_equal(c.turn[0].question, "hello");
    assert_string_equal(c.turn[0].reply[0].part[0].text, "Hi!");
    conversation_release(&c);
    import_text("## Assistant\nnobody asked", &c);
    assert_string_equal(c.turn[0].question, "");
    conversation_release(&c);
}

void test_import_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "neither a conversation"},
        {"just text\n", "neither a conversation"},
        {"# a title\n**bold**\n", "neither a conversation"},
        {"{}", "JSON, but no conversation"},
        {"[1]", "JSON, but no conversation"},
        {"{\"type\": \"duet-conversation\", \"v\": 2, \"turns\": []}", "of version 2"},
        {"{\"type\": \"duet-conversation\", \"v\": 1, \"turns\": 5}", "JSON, but no"},
    };
    struct conversation c;
    struct err err;
    conversation_init(&c);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(import_read(rows[i].text, strlen(rows[i].text), &c, NULL, &err));
        assert_non_null(strstr(err.msg, rows[i].message));
        assert_int_equal(c.n_turn, 0);
    }
    assert_false(import_read("## You\n\0", 8, &c, NULL, &err));
    assert_false(import_file(test_folder(), "/nowhere/x", (char[80]){0}, NULL, &err));
    assert_non_null(strstr(err.msg, "/nowhere/x"));
    assert_false(import_file(test_folder(), "/tmp", (char[80]){0}, NULL, &err));
    conversation_release(&c);
}

/* Cut off anywhere, with a byte changed anywhere: a conversation or an error. */
void test_import_hostile(void **state)
{
    (void)state;
    struct conversation c, back;
    struct buf forms[2] = {{0}, {0}};
    struct err err;
    uint32_t r = 1;
    conversation_any(&c, 12);
    export_json(&c, &forms[0]);
    export_markdown(&c, &forms[1]);
    for (int f = 0; f < 2; f++)
        for (size_t i = 0; i < forms[f].bytes; i++) {
            char *bytes = forms[f].data, was = bytes[i];
            conversation_init(&back);
            (void)import_read(bytes, i, &back, NULL, &err);
            bytes[i] = (char)dice(&r, 256);
            conversation_release(&back);
            conversation_init(&back);
            (void)import_read(bytes, forms[f].bytes, &back, NULL, &err);
            bytes[i] = was;
            conversation_release(&back);
        }
    buf_release(&forms[0]);
    buf_release(&forms[1]);
    conversation_release(&c);
}

void test_import_file(void **state)
{
    (void)state;
    struct conversation c, back;
    struct buf out = {0}, again = {0};
    struct err err;
    const char *dir = test_folder();
    char path[200], id[80];
    conversation_any(&c, 3);
    export_json(&c, &out);
    snprintf(path, sizeof path, "%s/c.json", dir);
    test_write_file(path, out.data, out.bytes);
    if (!import_file(dir, path, id, NULL, &err))
        fail_msg("%s", err.msg);
    conversation_init(&back);
    assert_true(store_read(dir, id, &back, &err));
    export_json(&back, &again);
    assert_string_equal(buf_text(&again), buf_text(&out));
    buf_release(&out);
    buf_release(&again);
    conversation_release(&c);
    conversation_release(&back);
}

/* Flash stands for a mode that there is not, and it is told which; Markdown goes on as it ended. */
void test_import_mode_gone(void **state)
{
    (void)state;
    static const struct {
        const char *text, *gone;
        enum mode_id mode;
    } rows[] = {
        {"{\"type\":\"duet-conversation\",\"v\":1,\"mode\":\"careful\",\"turns\":[]}", "careful",
         MODE_FLASH},
        {"{\"type\":\"duet-conversation\",\"v\":1,\"mode\":\"pro\",\"turns\":[{\"question\":\"?\","
         "\"replies\":[{\"mode\":\"flash\",\"parts\":[{\"kind\":\"answer\",\"mode\":\"terse\","
         "\"text\":\"x\"}]}]}]}", "terse", MODE_PRO},
        {"{\"type\":\"duet-conversation\",\"v\":1,\"mode\":\"pro\",\"turns\":[]}", "", MODE_PRO},
        {"## You\n\nWhy?\n\n## Pro-Max\n\nSo.\n", "", MODE_PRO_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conversation c;
        struct import_report report;
        struct err err;
        conversation_init(&c);
        if (!import_read(rows[i].text, strlen(rows[i].text), &c, &report, &err))
            fail_msg("%s", err.msg);
        assert_string_equal(report.mode_gone, rows[i].gone);
        assert_int_equal(c.mode, rows[i].mode);
        conversation_release(&c);
    }
}
