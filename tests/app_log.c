/* app_log.c -- the log: what could break is that a crash, damage or a full disk costs more than
 * the line it hits, or that something hostile in a log gets past the reader. */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/log.h"
#include "ui/buf.h"

#define SESSION "{\"type\": \"session\", \"v\": 1, \"id\": \"x\", \"model\": \"m\", " \
                "\"fingerprint\": \"7\", \"system\": \"\"}\n"

/* ---- helpers -------------------------------------------------------------------------------- */

static void dump_ids(struct buf *b, const struct ids *a)
{
    for (int i = 0; i < a->n; i++)
        buf_printf(b, " %d", a->id[i]);
}

static void dump_reply(struct buf *b, const struct reply *r)
{
    const struct usage *u = &r->usage;
    buf_printf(b, "  reply %d %llu %s", r->mode, (unsigned long long)r->seed,
               reason_name(r->reason));
    dump_ids(b, &r->ids);
    buf_printf(b, "\n  usage %d %d %d %d %d %d %d %g %g %g\n", u->prompt_tokens, u->read_tokens,
               u->re_read_tokens, u->reused_tokens, u->answer_tokens, u->thinking_tokens,
               u->think_capped, u->seconds, u->first_seconds, u->tok_s);
    for (int i = 0; i < r->n_part; i++)
        buf_printf(b, "  part %d %d %d %lld [%s]\n", r->part[i].kind, r->part[i].mode,
                   r->part[i].tokens, (long long)r->part[i].ms, r->part[i].text);
}

/* Everything in a conversation as text. */
static char *dump(const struct conversation *c)
{
    struct buf b = {0};
    buf_printf(&b, "[%s] [%s] [%s] %llu %d begin", c->title, c->system, c->model,
               (unsigned long long)c->fingerprint, c->mode);
    dump_ids(&b, &c->begin);
    for (int t = 0; t < c->n_turn; t++) {
        buf_printf(&b, "\nturn %d %d [%s]", c->turn[t].mode, c->turn[t].chosen,
                   c->turn[t].question);
        dump_ids(&b, &c->turn[t].ids);
        buf_puts(&b, "\n");
        for (int r = 0; r < c->turn[t].n_reply; r++)
            dump_reply(&b, &c->turn[t].reply[r]);
    }
    return buf_take(&b);
}

static bool parse(const char *text, struct conversation *c, struct log_report *r, struct err *err)
{
    conversation_init(c);
    return log_parse(text, strlen(text), c, r, err);
}

/* A conversation in memory, its log, and what it was after each event. */
struct story {
    struct conversation c;
    struct log *log;
    char path[128];
    struct {
        size_t bytes;
        char *dump;
    } point[128];
    int n_point;
};

static size_t file_bytes(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void story_point(struct story *s)
{
    assert_true(s->n_point < 128);
    s->point[s->n_point].bytes = file_bytes(s->path);
    s->point[s->n_point++].dump = dump(&s->c);
}

static void story_logged(struct story *s, bool ok)
{
    assert_true(ok);
    story_point(s);
}

static void story_begin(struct story *s)
{
    struct log_report r;
    struct err err;
    memset(s, 0, sizeof *s);
    snprintf(s->path, sizeof s->path, "%s/log.jsonl", test_folder());
    conversation_init(&s->c);
    if (!log_open(&s->log, s->path, &s->c, &r, &err))
        fail_msg("%s", err.msg);
    story_point(s);
    free(s->c.system);
    s->c.system = mem_dup("Be brief.\n\"Always\" – sehr kurz.");
    conversation_model(&s->c, "tiny", 0xFEDCBA9876543210u);
    story_logged(s, log_session(s->log, &s->c, "the-id", NULL));
    conversation_rendered(&s->c, -1, 0, (int32_t[]){1, 2, 3}, 3);
    story_logged(s, log_begin(s->log, &s->c, NULL));
}

static void story_end(struct story *s)
{
    for (int i = 0; i < s->n_point; i++)
        free(s->point[i].dump);
    log_close(&s->log);
    conversation_release(&s->c);
}

static void story_ask(struct story *s, const char *text, enum mode_id mode)
{
    int t = conversation_ask(&s->c, text, mode);
    story_logged(s, log_ask(s->log, &s->c, t, NULL));
    ids_append(&s->c.turn[t].ids, (int32_t[]){10 + t, INT32_MAX}, 2);
    story_logged(s, log_prompt(s->log, &s->c, t, NULL));
}

static void story_reply(struct story *s, int turn, enum reply_reason reason, const char *thought,
                        const char *answer)
{
    struct reply *r = conversation_reply(&s->c, turn);
    *r = (struct reply){
        .mode = MODE_PRO, .seed = UINT64_MAX - 1, .reason = reason,
        .usage = {10, 9, 8, 7, 6, 5, 1, 1.25, 0.1, 33.3},
    };
    if (thought)
        reply_text(r, PART_THINKING, MODE_PRO_MAX, thought, strlen(thought));
    reply_text(r, PART_ANSWER, MODE_FLASH, answer, strlen(answer));
    r->part[0].tokens = 12;
    r->part[0].ms = 3456;
    ids_append(&r->ids, (int32_t[]){20, 21, 22 + turn}, 3);
    story_logged(s, log_reply(s->log, &s->c, turn, s->c.turn[turn].n_reply - 1, NULL));
}

static void story_mode(struct story *s, enum mode_id mode)
{
    s->c.mode = mode;
    story_logged(s, log_mode(s->log, mode, NULL));
}

/* Every kind of event, as in tests/golden/log-1.jsonl; never to be changed. */
static void story_tell(struct story *s)
{
    story_begin(s);
    story_ask(s, "Wie heißt du? 🙂\n\tZweite Zeile \x01 \"x\\y\"", MODE_FLASH);
    story_reply(s, 0, REASON_STOP, NULL, "你好, ich bin tiny.\n");
    story_mode(s, MODE_PRO);
    story_ask(s, "Second", MODE_PRO);
    s->c.mode = MODE_FLASH;
    story_logged(s, log_toggle(s->log, 1, MODE_PRO, MODE_FLASH, 17, 0, NULL));
    story_reply(s, 1, REASON_CANCELLED, "hm\nhm", "answer");
    story_reply(s, 1, REASON_LENGTH, "again", "a sibling");
    conversation_title(&s->c, "Ein Tïtel");
    story_logged(s, log_title(s->log, "Ein Tïtel", NULL));
    story_ask(s, "to be undone", MODE_FLASH);
    story_reply(s, 2, REASON_CONTEXT, NULL, "undone");
    conversation_cut(&s->c, 2);
    story_logged(s, log_cut(s->log, 2, NULL));
    story_ask(s, "third instead", MODE_PRO_MAX);
    conversation_model(&s->c, "other", 99);
    story_logged(s, log_model(s->log, &s->c, NULL));
    conversation_rendered(&s->c, -1, 0, (int32_t[]){5}, 1);
    story_logged(s, log_begin(s->log, &s->c, NULL));
    story_reply(s, 2, REASON_ERROR, "", "");
    assert_true(log_sync(s->log, NULL));
}

/* ---- reading -------------------------------------------------------------------------------- */

void test_log_round_trip(void **state)
{
    (void)state;
    struct story s;
    struct log_report r;
    struct conversation c;
    story_tell(&s);
    log_close(&s.log);
    conversation_init(&c);
    assert_true(log_open(&s.log, s.path, &c, &r, NULL));
    char *got = dump(&c);
    assert_string_equal(got, s.point[s.n_point - 1].dump);
    assert_int_equal(r.skipped, 0);
    assert_int_equal(r.lines, s.n_point - 1);
    assert_false(r.unfinished);
    assert_int_equal(r.bytes_kept, file_bytes(s.path));
    free(got);
    conversation_release(&c);
    story_end(&s);
}

/* A log of version 1, written once and read for ever. */
void test_log_golden(void **state)
{
    (void)state;
    struct story s;
    struct log_report r;
    struct conversation c;
    size_t bytes;
    story_tell(&s);
    char *data = test_read_file("tests/golden/log-1.jsonl", &bytes);
    conversation_init(&c);
    assert_true(log_parse(data, bytes, &c, &r, NULL));
    char *got = dump(&c);
    assert_string_equal(got, s.point[s.n_point - 1].dump);
    assert_int_equal(r.skipped, 0);
    free(got);
    free(data);
    conversation_release(&c);
    story_end(&s);
}

void test_log_readable(void **state)
{
    (void)state;
    struct story s;
    struct stat st;
    story_begin(&s);
    story_ask(&s, "Grüße", MODE_FLASH);
    char *text = test_read_file(s.path, NULL);
    assert_non_null(strstr(text, "{\"type\": \"session\", \"v\": 1, \"id\": \"the-id\""));
    assert_non_null(strstr(text, "\"fingerprint\": \"18364758544493064720\""));
    assert_non_null(strstr(text, "\n{\"type\": \"begin\", \"ids\": [1,2,3]}\n"));
    assert_non_null(strstr(text, "\"mode\": \"flash\", \"text\": \"Grüße\", \"time\": "));
    free(text);
    assert_int_equal(stat(s.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    story_end(&s);
}

/* Cut at any byte, a log is the conversation as it was after its last whole line. */
void test_log_cut_anywhere(void **state)
{
    (void)state;
    struct story s;
    size_t bytes;
    story_tell(&s);
    char *data = test_read_file(s.path, &bytes);
    for (size_t n = 0, point = 0; n <= bytes; n++) {
        struct conversation c;
        struct log_report r;
        if (point + 1 < (size_t)s.n_point && s.point[point + 1].bytes <= n)
            point++;
        conversation_init(&c);
        char *exact = malloc(n ? n : 1); /* so that reading behind it is seen */
        memcpy(exact, data, n);
        assert_true(log_parse(exact, n, &c, &r, NULL));
        free(exact);
        char *got = dump(&c);
        assert_string_equal(got, s.point[point].dump);
        assert_int_equal(r.bytes_kept, s.point[point].bytes);
        assert_int_equal(r.unfinished, n > s.point[point].bytes);
        assert_int_equal(r.skipped, 0);
        free(got);
        conversation_release(&c);
    }
    free(data);
    story_end(&s);
}

/* Opens the file, adds an event, and reads it all again. */
static void cut_and_go_on(const char *path, const char *before)
{
    struct log *l;
    struct log_report r;
    struct conversation c;
    struct err err;
    conversation_init(&c);
    if (!log_open(&l, path, &c, &r, &err))
        fail_msg("%s", err.msg);
    char *got = dump(&c);
    assert_string_equal(got, before);
    free(got);
    if (r.lines == 0)
        assert_true(log_session(l, &c, "new", NULL));
    conversation_ask(&c, "going on", MODE_PRO);
    assert_true(log_ask(l, &c, c.n_turn - 1, NULL));
    log_close(&l);
    char *want = dump(&c);
    conversation_release(&c);
    conversation_init(&c);
    assert_true(log_open(&l, path, &c, &r, NULL));
    got = dump(&c);
    assert_string_equal(got, want);
    assert_int_equal(r.skipped, 0);
    assert_false(r.unfinished);
    free(got);
    free(want);
    log_close(&l);
    conversation_release(&c);
}

void test_log_cut_and_go_on(void **state)
{
    (void)state;
    struct story s;
    size_t bytes;
    char path[128];
    story_tell(&s);
    snprintf(path, sizeof path, "%s/cut", test_folder());
    char *data = test_read_file(s.path, &bytes);
    for (size_t n = 0, point = 0; n <= bytes; n++) {
        if (point + 1 < (size_t)s.n_point && s.point[point + 1].bytes <= n)
            point++;
        test_write_file(path, data, n);
        cut_and_go_on(path, s.point[point].dump);
    }
    free(data);
    story_end(&s);
}

/* ---- damage --------------------------------------------------------------------------------- */

static uint32_t random_next(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* A log whose question t says "question <t>" and its answer "answer <t>": lines 2 + 3t (ask),
 * 3 + 3t (prompt), 4 + 3t (reply). */
enum { FLIP_TURNS = 6 };
static char *flip_log(size_t *bytes)
{
    struct story s;
    story_begin(&s);
    for (int t = 0; t < FLIP_TURNS; t++) {
        char question[32], reply[32];
        snprintf(question, sizeof question, "question %d", t);
        snprintf(reply, sizeof reply, "answer %d", t);
        story_ask(&s, question, MODE_FLASH);
        story_reply(&s, t, REASON_STOP, "thought", reply);
    }
    char *data = test_read_file(s.path, bytes);
    story_end(&s);
    return data;
}

static bool has_answer(const struct turn *t, const char *text)
{
    for (int r = 0; r < t->n_reply; r++) {
        char *answer = reply_join(&t->reply[r], PART_ANSWER);
        bool same = strcmp(answer, text) == 0;
        free(answer);
        if (same)
            return true;
    }
    return false;
}

/* All that was said in lines other than first..last is there. */
static void check_kept(const struct conversation *c, int first, int last)
{
    for (int t = 0; t < FLIP_TURNS; t++) {
        char question[32], reply[32];
        int ask = 2 + 3 * t, answer = 4 + 3 * t;
        snprintf(question, sizeof question, "question %d", t);
        snprintf(reply, sizeof reply, "answer %d", t);
        if (ask < first || ask > last) {
            assert_true(t < c->n_turn);
            assert_string_equal(c->turn[t].question, question);
        }
        if (answer < first || answer > last) {
            assert_true(t < c->n_turn);
            assert_true(has_answer(&c->turn[t], reply));
        }
    }
}

void test_log_flip_one(void **state)
{
    (void)state;
    size_t bytes;
    uint32_t x = 20240501;
    char *data = flip_log(&bytes);
    for (int i = 0; i < 2000; i++) {
        size_t at = random_next(&x) % bytes;
        char old = data[at];
        struct conversation c;
        struct log_report r;
        struct err err = {0};
        int line = 0;
        for (size_t k = 0; k < at; k++)
            line += data[k] == '\n';
        data[at] = (char)(old ^ (1 << random_next(&x) % 8));
        conversation_init(&c);
        if (log_parse(data, bytes, &c, &r, &err)) {
            check_kept(&c, line, line + (old == '\n'));
        } else { /* the version number itself */
            assert_int_equal(line, 0);
            assert_int_equal(err.code, ERR_UNSUPPORTED);
            assert_int_equal(c.n_turn, 0);
        }
        data[at] = old;
        conversation_release(&c);
    }
    free(data);
}

void test_log_flip_many(void **state)
{
    (void)state;
    size_t bytes;
    uint32_t x = 7;
    char *data = flip_log(&bytes), *copy = malloc(bytes);
    for (int i = 0; i < 2000; i++) {
        struct conversation c;
        struct log_report r;
        memcpy(copy, data, bytes);
        for (int k = 0; k < 1 + i / 40; k++)
            copy[random_next(&x) % bytes] = (char)random_next(&x);
        conversation_init(&c);
        if (log_parse(copy, bytes, &c, &r, NULL))
            assert_true(c.n_turn <= r.lines);
        conversation_release(&c);
    }
    free(copy);
    free(data);
}

/* A lost question leaves its number and its answer where they were. */
void test_log_lost_question(void **state)
{
    (void)state;
    struct conversation c;
    struct log_report r;
    assert_true(parse(SESSION
                      "{\"type\": \"ask\", \"turn\": 0, damaged\n"
                      "{\"type\": \"reply\", \"turn\": 0, \"parts\": [{\"text\": \"A0\"}]}\n"
                      "{\"type\": \"ask\", \"turn\": 1, \"text\": \"Q1\"}\n"
                      "damaged\ndamaged\n"
                      "{\"type\": \"ask\", \"turn\": 3, \"text\": \"Q3\"}\n", &c, &r, NULL));
    assert_int_equal(r.skipped, 3);
    assert_int_equal(c.n_turn, 4);
    assert_string_equal(c.turn[0].question, "");
    assert_true(has_answer(&c.turn[0], "A0"));
    assert_string_equal(c.turn[1].question, "Q1");
    assert_string_equal(c.turn[3].question, "Q3");
    assert_string_equal(c.title, "Q1");
    conversation_release(&c);
}

/* A first line that is lost, and the question it may have swallowed, cost what they said. */
void test_log_lost_first_line(void **state)
{
    (void)state;
    struct conversation c;
    struct log_report r;
    assert_true(parse("{\"type\": \"session\", \"v\": 1}{\"type\": \"ask\", \"turn\": 0}\n"
                      "{\"type\": \"prompt\", \"turn\": 0, \"ids\": [1]}\n"
                      "{\"type\": \"reply\", \"turn\": 0, \"parts\": [{\"text\": \"A0\"}]}\n"
                      "{\"type\": \"ask\", \"turn\": 1, \"text\": \"Q1\"}\n", &c, &r, NULL));
    assert_int_equal(r.skipped, 1);
    assert_int_equal(c.n_turn, 2);
    assert_true(has_answer(&c.turn[0], "A0"));
    assert_int_equal(c.turn[0].ids.n, 0); /* of no known model */
    assert_string_equal(c.turn[1].question, "Q1");
    conversation_release(&c);
}

/* A question with a number that is taken shows that a cut was lost. */
void test_log_lost_cut(void **state)
{
    (void)state;
    struct conversation c;
    struct log_report r;
    assert_true(parse(SESSION
                      "{\"type\": \"ask\", \"turn\": 0, \"text\": \"Q0\"}\n"
                      "{\"type\": \"ask\", \"turn\": 1, \"text\": \"undone\"}\n"
                      "{\"type\": \"cut\", \"turns\": \n"
                      "{\"type\": \"ask\", \"turn\": 1, \"text\": \"Q1\"}\n"
                      "{\"type\": \"ask\", \"turn\": 0, \"text\": \"no line is lost for this\"}\n",
                      &c, &r, NULL));
    assert_int_equal(r.skipped, 2);
    assert_int_equal(c.n_turn, 2);
    assert_string_equal(c.turn[0].question, "Q0");
    assert_string_equal(c.turn[1].question, "Q1");
    conversation_release(&c);
}

/* After a lost line that named a model, ids are of nobody knows which. */
void test_log_lost_model(void **state)
{
    (void)state;
    struct conversation c;
    struct log_report r;
    assert_true(parse(SESSION
                      "{\"type\": \"begin\", \"ids\": [1, 2]}\n"
                      "{\"type\": \"ask\", \"turn\": 0, \"text\": \"Q\"}\n"
                      "{\"type\": \"model\", \"model\": \"b\", \"fingerprint\": \"8}\n"
                      "{\"type\": \"prompt\", \"turn\": 0, \"ids\": [3]}\n", &c, &r, NULL));
    assert_int_equal(c.fingerprint, 0);
    assert_int_equal(c.begin.n + c.turn[0].ids.n, 0);
    assert_string_equal(c.turn[0].question, "Q");
    conversation_release(&c);
}

/* ---- hostile lines -------------------------------------------------------------------------- */

void test_log_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_code code;
    } bad[] = {
        {"{\"type\": \"session\", \"v\": 2}\n", ERR_UNSUPPORTED},
        {"{\"type\": \"session\", \"v\": -1}\n" , ERR_UNSUPPORTED},
        {"\n", ERR_FORMAT},
        {"\x7F" "ELF\x02\n\n\n", ERR_FORMAT},
        {"[1]\n{\"type\": \"unknown\"}\n", ERR_FORMAT},
        {"hello\nworld\n", ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct conversation c;
        struct log_report r;
        struct err err;
        assert_false(parse(bad[i].text, &c, &r, &err));
        assert_int_equal(err.code, bad[i].code);
        assert_int_equal(c.n_turn, 0);
        conversation_release(&c);
    }
}

void test_log_empty(void **state)
{
    (void)state;
    struct conversation c;
    struct log_report r;
    assert_true(parse("", &c, &r, NULL));
    assert_int_equal(r.lines, 0);
    conversation_release(&c);
    assert_true(parse("{\"type\": \"session\", \"v\"", &c, &r, NULL));
    assert_true(r.unfinished);
    assert_int_equal(r.bytes_kept, 0);
    conversation_release(&c);
}

/* Each of these lines changes nothing and is counted. */
void test_log_hostile_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "", "null", "7", "[]", "{}", "{\"type\": 5}", "{\"type\": \"later\", \"x\": 1}",
        "{\"type\": \"session\", \"v\": 1, \"system\": \"other\"}",
        "{\"type\": \"ask\", \"turn\": -1, \"text\": \"x\"}",
        "{\"type\": \"ask\", \"turn\": 1.5, \"text\": \"x\"}",
        "{\"type\": \"ask\", \"turn\": 2147483647, \"text\": \"x\"}",
        "{\"type\": \"ask\", \"turn\": 1e300, \"text\": \"x\"}",
        "{\"type\": \"ask\", \"turn\": \"1\", \"text\": \"x\"}",
        "{\"type\": \"ask\", \"turn\": 1}",
        "{\"type\": \"ask\", \"turn\": 1, \"text\": [\"x\"]}",
        "{\"type\": \"ask\", \"turn\": 1, \"text\": \"\xC0\xAF\"}",
        "{\"type\": \"prompt\", \"turn\": 2000000, \"ids\": [1]}",
        "{\"type\": \"reply\", \"turn\": 2000000, \"parts\": []}",
        "{\"type\": \"reply\", \"turn\": 0}",
        "{\"type\": \"reply\", \"turn\": 0, \"parts\": {\"text\": \"x\"}}",
        "{\"type\": \"mode\", \"mode\": \"T\\u0001\"}", "{\"type\": \"mode\"}",
        "{\"type\": \"set\"}", "{\"type\": \"set\", \"mode\": 5, \"value\": \"1\"}",
        "{\"type\": \"toggle\", \"from\": \"pro\"}",
        "{\"type\": \"title\", \"title\": null}",
        "{\"type\": \"cut\", \"turns\": 2}", "{\"type\": \"cut\", \"turns\": -1}",
        "{\"type\": \"model\", \"model\": \"x\"}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[512];
        struct conversation c;
        struct log_report r;
        snprintf(text, sizeof text, "%s{\"type\": \"ask\", \"turn\": 0, \"text\": \"Q\"}\n%s\n",
                 SESSION, lines[i]);
        assert_true(parse(text, &c, &r, NULL));
        char *got = dump(&c);
        assert_string_equal(got, "[Q] [] [m] 7 0 begin\nturn 0 -1 [Q]\n");
        assert_int_equal(r.skipped, 1);
        free(got);
        conversation_release(&c);
    }
}

/* A mode that a person took out of the config: Flash stands for it, and that is told. */
#define SET(mode, rest) "{\"type\": \"set\", \"mode\": \"" mode "\"" rest "}\n"
#define VALUE(name, value) ", \"name\": \"" name "\", \"value\": \"" value "\""

void test_log_mode_gone(void **state)
{
    (void)state;
    static const char lines[] =
        SESSION "{\"type\": \"ask\", \"turn\": 0, \"mode\": \"own\", \"text\": \"Q\"}\n"
        SET("own", VALUE("think", "5")) "{\"type\": \"mode\", \"mode\": \"own\"}\n";
    struct conversation c;
    struct log_report r;
    assert_true(parse(lines, &c, &r, NULL));
    assert_int_equal(c.mode, MODE_FLASH);
    assert_int_equal(c.turn[0].mode, MODE_FLASH);
    assert_int_equal(r.skipped, 0);
    assert_string_equal(r.mode_gone, "own");
    conversation_release(&c);
}

static void settings_as_text(const struct conversation *c, struct buf *out)
{
    for (int m = 0; m < MODE_COUNT; m++)
        settings_describe(&c->settings, (enum mode_id)m, out);
}

/* What a person changed is there again, line by line and in a log that is written whole. */
void test_log_settings(void **state)
{
    (void)state;
    static const char lines[] =
        SESSION SET("pro-max", VALUE("think", "64")) SET("pro-max", VALUE("temp", "0.3"))
        SET("pro-max", VALUE("best", "9")) SET("pro", VALUE("later", "9"))
        SET("pro", VALUE("think", "9")) SET("flash", VALUE("think", "16"))
        SET("flash", ", \"name\": \"think\"") SET("pro", "")
        "{\"type\": \"set\"" VALUE("seed", "18446744073709551615") "}\n"
        "{\"type\": \"set\"" VALUE("max-tokens", "7") "}\n";
    static const char changed[] = "max-tokens 7, seed 18446744073709551615";
    struct conversation c, again;
    struct log_report r;
    struct buf text = {0}, back = {0};
    struct log *l;
    struct err err;
    assert_true(parse(lines, &c, &r, NULL));
    assert_int_equal(r.skipped, 0);
    settings_describe(&c.settings, MODE_FLASH, &text);
    assert_string_equal(buf_text(&text), changed);
    buf_clear(&text);
    settings_describe(&c.settings, MODE_PRO_MAX, &text);
    assert_string_equal(buf_text(&text), "think 64, temp 0.3, max-tokens 7, seed "
                                         "18446744073709551615");
    buf_clear(&text);
    settings_as_text(&c, &text);
    char path[200];
    snprintf(path, sizeof path, "%s/settings.jsonl", test_folder());
    conversation_init(&again);
    assert_true(log_open(&l, path, &again, &r, &err));
    assert_true(log_write(l, &c, "x", &err));
    log_close(&l);
    conversation_release(&again);
    conversation_init(&again);
    assert_true(log_open(&l, path, &again, &r, &err));
    log_close(&l);
    settings_as_text(&again, &back);
    assert_string_equal(buf_text(&back), buf_text(&text));
    conversation_release(&again);
    conversation_release(&c);
    buf_release(&text);
    buf_release(&back);
}

/* What is said is kept even where the fields around it are worthless. */
void test_log_hostile_fields(void **state)
{
    (void)state;
    struct conversation c;
    struct log_report r;
    assert_true(parse(SESSION
                      "{\"type\": \"ask\", \"turn\": 0, \"mode\": \"turbo\", \"text\": \"Q\"}\n"
                      "{\"type\": \"prompt\", \"turn\": 0, \"ids\": [1, -2]}\n"
                      "{\"type\": \"reply\", \"turn\": 0, \"mode\": 5, \"seed\": 12, "
                      "\"reason\": \"boredom\", \"ids\": [4294967296], \"parts\": [5, null, "
                      "{\"text\": 7}, {\"text\": \"A\", \"kind\": \"?\", \"mode\": \"turbo\", "
                      "\"tokens\": -3, \"ms\": 1e99}], \"usage\": {\"read_tokens\": 1e99, "
                      "\"prompt_tokens\": -1, \"think_capped\": 2, \"seconds\": -1}}\n",
                      &c, &r, NULL));
    char *got = dump(&c);
    assert_string_equal(got, "[Q] [] [m] 7 0 begin\nturn 0 0 [Q]\n  reply 0 0 stop\n"
                             "  usage 0 0 0 0 0 0 0 0 0 0\n  part 0 0 0 0 [A]\n");
    assert_int_equal(r.skipped, 0);
    free(got);
    conversation_release(&c);
}

void test_log_no_newlines(void **state)
{
    (void)state;
    struct conversation c;
    struct log_report r;
    size_t bytes = 1 << 20;
    char *data = malloc(bytes);
    memset(data, '[', bytes);
    data[bytes / 2] = '\n';
    conversation_init(&c);
    assert_false(log_parse(data, bytes, &c, &r, NULL));
    conversation_release(&c);
    free(data);
}

/* ---- the file ------------------------------------------------------------------------------- */

/* A full disk, played by a limit on the size of files. */
static void disk_limit(size_t bytes)
{
    struct rlimit l;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes ? bytes : l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

void test_log_full_disk(void **state)
{
    (void)state;
    struct story s;
    struct err err = {0};
    story_begin(&s);
    size_t before = file_bytes(s.path), room = 20;
    disk_limit(before + room);
    conversation_ask(&s.c, "does not fit", MODE_FLASH);
    bool first = log_ask(s.log, &s.c, 0, &err);
    size_t while_full = file_bytes(s.path);
    bool sync = log_sync(s.log, NULL), second = log_mode(s.log, MODE_PRO, NULL);
    disk_limit(0);
    assert_false(first || sync || second);
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.msg, s.path));
    assert_int_equal(while_full, before);
    assert_int_equal(file_bytes(s.path), before);
    s.c.mode = MODE_PRO;
    assert_true(log_sync(s.log, &err)); /* room again: nothing was lost */
    story_point(&s);
    char *data = test_read_file(s.path, NULL);
    assert_non_null(strstr(data, "does not fit"));
    struct conversation c;
    struct log_report r;
    assert_true(parse(data, &c, &r, NULL));
    char *got = dump(&c);
    assert_string_equal(got, s.point[s.n_point - 1].dump);
    assert_int_equal(r.skipped, 0);
    free(got);
    free(data);
    conversation_release(&c);
    story_end(&s);
}

void test_log_open_refused(void **state)
{
    (void)state;
    struct log *l;
    struct conversation c;
    struct log_report r;
    struct err err;
    char path[128], link[128];
    const char *folder = test_folder();
    conversation_init(&c);
    assert_false(log_open(&l, folder, &c, &r, &err));
    assert_null(l);
    assert_non_null(strstr(err.msg, folder));
    snprintf(path, sizeof path, "%s/file", folder);
    test_write_file(path, "no log\n", 7);
    assert_false(log_open(&l, path, &c, &r, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_non_null(strstr(err.msg, path));
    size_t bytes;
    free(test_read_file(path, &bytes));
    assert_int_equal(bytes, 7); /* it is somebody's */
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(path, link), 0);
    assert_false(log_open(&l, link, &c, &r, &err));
    snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(log_open(&l, path, &c, &r, &err));
    assert_non_null(strstr(err.msg, "not a regular file"));
    snprintf(path, sizeof path, "%s/no/folder", folder);
    assert_false(log_open(&l, path, &c, &r, &err));
    assert_int_equal(err.code, ERR_IO);
    conversation_release(&c);
}

void test_log_too_large(void **state)
{
    (void)state;
    struct story s;
    struct err err = {0};
    story_begin(&s);
    size_t before = file_bytes(s.path), bytes = 33u << 20;
    char *text = malloc(bytes + 1);
    memset(text, 'x', bytes);
    text[bytes] = 0;
    conversation_ask(&s.c, text, MODE_FLASH);
    assert_false(log_ask(s.log, &s.c, 0, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_true(log_mode(s.log, MODE_PRO, NULL));
    assert_true(file_bytes(s.path) < before + 100);
    free(text);
    story_end(&s);
}

/* ---- siblings ------------------------------------------------------------------------------- */

void test_log_choose(void **state)
{
    (void)state;
    static const char text[] =
        "{\"type\": \"session\", \"v\": 1, \"id\": \"x\", \"model\": \"m\", "
        "\"fingerprint\": \"7\", \"system\": \"\", \"parent\": \"p\", \"parent_turns\": 1}\n"
        "{\"type\": \"ask\", \"turn\": 0, \"mode\": \"flash\", \"text\": \"q\"}\n"
        "{\"type\": \"choose\", \"turn\": 0, \"reply\": 0}\n" /* there is none yet */
        "{\"type\": \"reply\", \"turn\": 0, \"mode\": \"pro\", \"parts\": []}\n"
        "{\"type\": \"reply\", \"turn\": 0, \"mode\": \"flash\", \"parts\": []}\n"
        "{\"type\": \"choose\", \"turn\": 0, \"reply\": 0}\n"
        "{\"type\": \"choose\", \"turn\": 0, \"reply\": 2}\n"
        "{\"type\": \"choose\", \"turn\": 0, \"reply\": -1}\n";
    struct conversation c, back;
    struct log_report r;
    struct log *l;
    struct err err;
    char path[128];
    assert_true(parse(text, &c, &r, &err));
    assert_int_equal(r.skipped, 3);
    assert_int_equal(c.turn[0].chosen, 0);
    assert_string_equal(c.parent, "p");
    snprintf(path, sizeof path, "%s/log.jsonl", test_folder());
    conversation_init(&back);
    assert_true(log_open(&l, path, &back, &r, &err));
    assert_true(log_is_empty(l));
    assert_true(log_write(l, &c, "x", &err));
    assert_false(log_is_empty(l));
    log_close(&l);
    assert_true(log_open(&l, path, &back, &r, &err));
    char *first = dump(&c), *second = dump(&back);
    assert_string_equal(first, second);
    assert_string_equal(back.parent, "p");
    assert_int_equal(back.parent_turns, 1);
    free(first);
    free(second);
    log_close(&l);
    conversation_release(&c);
    conversation_release(&back);
}

/* Stretches that no reply can have are worth nothing; a fold of nothing is damage; what several
 * took is summed; a whole log that is written again says the same. */
void test_log_fold(void **state)
{
    (void)state;
    static const char *const bad[] = {"[1]", "[0, 4]", "[2, 1]", "[0, 2, 1, 3]", "[1, 1]"};
    static const char head[] =
        "{\"type\": \"session\", \"v\": 1, \"id\": \"x\", \"model\": \"m\", "
        "\"fingerprint\": \"7\", \"system\": \"\"}\n"
        "{\"type\": \"ask\", \"turn\": 0, \"mode\": \"pro\", \"text\": \"q\"}\n";
    static const char reply[] = "{\"type\": \"reply\", \"turn\": 0, \"mode\": \"pro\", \"parts\": "
                                "[{\"kind\": \"thinking\", \"text\": \"hm\"}], \"ids\": [5, 6, 7], "
                                "\"usage\": {\"kv_bytes\": 1e300}, \"thought\": ";
    static const char folds[] =
        "{\"type\": \"fold\", \"turn\": 0, \"reply\": 1, \"done\": 1}\n"
        "{\"type\": \"fold\", \"turn\": 0, \"reply\": 0, \"done\": 0, \"re_read\": 3}\n"
        "{\"type\": \"fold\", \"turn\": 0, \"reply\": 0, \"done\": 1, \"re_read\": 2, "
        "\"seconds\": 0.5}\n";
    struct conversation c, back;
    struct log_report report;
    struct log *l;
    struct err err;
    struct ids left = {0};
    char text[1200], path[128];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s%s}\n", head, reply, bad[i]);
        assert_true(parse(text, &c, &report, &err));
        assert_int_equal(c.turn[0].reply[0].thought.n, 0);
        assert_false(reply_folds(&c.turn[0].reply[0]));
        conversation_release(&c);
    }
    snprintf(text, sizeof text, "%s%s[0, 1, 2, 3]}\n%s", head, reply, folds);
    assert_true(parse(text, &c, &report, &err));
    assert_int_equal(report.skipped, 1);
    snprintf(path, sizeof path, "%s/log.jsonl", test_folder());
    conversation_init(&back);
    assert_true(log_open(&l, path, &back, &report, &err));
    assert_true(log_write(l, &c, "x", &err));
    log_close(&l);
    assert_true(log_open(&l, path, &back, &report, &err));
    const struct reply *r = &back.turn[0].reply[0];
    assert_true(r->folded);
    assert_int_equal(r->fold_tokens, 5);
    assert_true(r->fold_seconds > 0.4 && r->usage.kv_bytes == 0);
    reply_context(r, r->folded, &left);
    assert_int_equal(left.n, 1);
    assert_int_equal(left.id[0], 6);
    ids_release(&left);
    log_close(&l);
    conversation_release(&c);
    conversation_release(&back);
}
