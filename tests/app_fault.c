/* app_fault.c -- disk and memory that fail at every call, one after the other, under the log, the
 * session's folder, and the whole program's way through a session. What could break: an event that
 * is neither in the file nor kept, a session that does not open any more, a crash instead of the
 * one way out that memory has. */
#include "tests/test.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/json.h"
#include "app/talk.h"
#include "tests/fault.h"

static const enum fault_how hows[] = {FAULT_ONCE, FAULT_ON, FAULT_SHORT};
enum { N_HOWS = sizeof hows / sizeof *hows, N_MAX = 100000 };

/* ---- the log -------------------------------------------------------------------------------- */

/* A conversation that is told to a log; false if one of the calls was. */
static bool story_tell(struct log *l, struct conversation *c, struct err *err)
{
    bool ok = log_session(l, c, "one", err);
    int turn = conversation_ask(c, "What is it?", MODE_PRO);
    ok &= log_ask(l, c, turn, err);
    struct reply *r = conversation_reply(c, turn);
    reply_text(r, PART_ANSWER, MODE_PRO, "A log.", 6);
    ok &= log_reply(l, c, turn, 0, err) && log_sync(l, err);
    conversation_ask(c, "And now?", MODE_FLASH);
    ok &= log_ask(l, c, 1, err);
    return log_sync(l, err) && ok;
}

/* The file holds all of it, once, and nothing damaged. */
static void check_story(const char *path)
{
    struct log *l;
    struct conversation c;
    struct log_report r;
    struct err err;
    conversation_init(&c);
    if (!log_open(&l, path, &c, &r, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(r.skipped, 0);
    assert_false(r.unfinished);
    assert_int_equal(r.lines, 4);
    assert_int_equal(c.n_turn, 2);
    assert_string_equal(c.turn[0].reply[0].part[0].text, "A log.");
    assert_string_equal(c.turn[1].question, "And now?");
    log_close(&l);
    conversation_release(&c);
}

/* What could not be written is kept, and written as soon as that goes. True if a call failed. */
static bool log_try(int n, enum fault_how how)
{
    char path[300];
    struct log *l;
    struct conversation c;
    struct log_report r;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/log.jsonl", test_folder());
    conversation_init(&c);
    fault_set(FAULT_FILE, n, how);
    bool opened = log_open(&l, path, &c, &r, &err);
    bool ok = opened && story_tell(l, &c, &err);
    bool hit = fault_clear();
    assert_true(ok || (hit && err.code == ERR_IO && strstr(err.msg, "log.jsonl")) ||
                strstr(err.msg, "cannot write"));
    if (opened) {
        assert_true(log_sync(l, &err));
        log_close(&l);
        check_story(path);
    }
    conversation_release(&c);
    return hit;
}

void test_fault_log(void **state)
{
    (void)state;
    for (int h = 0; h < N_HOWS; h++)
        for (int n = 0; log_try(n, hows[h]); n++)
            assert_true(n < 60);
}

/* ---- the folder ----------------------------------------------------------------------------- */

static void session_make(const char *dir)
{
    struct store s;
    struct conversation c;
    struct log_report r;
    conversation_init(&c);
    assert_true(store_open(&s, dir, "one", &c, &r, NULL));
    assert_true(story_tell(s.log, &c, NULL));
    assert_true(store_meta(&s, &c, NULL));
    store_close(&s);
    conversation_release(&c);
}

static bool store_try(const char *dir, int n, enum fault_how how)
{
    struct store s;
    struct conversation c;
    struct log_report r;
    struct store_entry *all;
    struct err err = {0};
    int count;
    conversation_init(&c);
    fault_set(FAULT_FILE, n, how);
    bool ok = store_open(&s, dir, "one", &c, &r, &err);
    if (ok) {
        conversation_title(&c, "Renamed");
        ok = store_meta(&s, &c, &err);
    }
    bool hit = fault_clear();
    assert_true(ok || (hit && err.msg[0]));
    store_close(&s);
    conversation_release(&c);
    assert_true(store_list(dir, &all, &count, NULL));
    assert_int_equal(count, 1);
    assert_int_equal(all[0].turns, 2);
    assert_true(!ok || strcmp(all[0].title, "Renamed") == 0);
    free(all);
    return hit;
}

void test_fault_store(void **state)
{
    (void)state;
    char dir[128], log[300];
    snprintf(dir, sizeof dir, "%s/duet/sessions", test_folder());
    session_make(dir);
    snprintf(log, sizeof log, "%s/one/log.jsonl", dir);
    for (int h = 0; h < N_HOWS; h++) {
        for (int n = 0; store_try(dir, n, hows[h]); n++)
            assert_true(n < 60);
        check_story(log);
    }
}

/* ---- the program ---------------------------------------------------------------------------- */

/* What the person was told, seen by parent and child. */
struct told {
    int questions, answers;
    bool refused;       /* "not saved" */
};

enum { EXIT_NO_MEMORY = 77 };

static void die(void)
{
    _exit(EXIT_NO_MEMORY);
}

static void on_question(void *data, const struct talk *t, int turn)
{
    struct told *told = data;
    (void)t, (void)turn;
    told->questions++;
}

static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct told *told = data;
    told->answers += t->replying && e->reason != REASON_ERROR;
}

static void on_note(void *data, bool error, const char *text)
{
    struct told *told = data;
    told->refused |= error && strstr(text, "not saved") != NULL;
}

static void settle(struct talk *t)
{
    struct pollfd fd = {worker_fd(t->worker), POLLIN, 0};
    while (talk_busy(t) || t->state == TALK_LOADING || t->state == TALK_RESUMING) {
        if (t->state == TALK_FAILED || poll(&fd, 1, 60000) <= 0)
            return;
        talk_events(t);
    }
}

/* Comes back to a session, asks, is answered, leaves. */
static void life(const char *model, struct told *told)
{
    struct options o = {.session = "one", .threads = 1, .max_tokens = 6, .ctx = 256};
    struct front f = {.data = told, .question = on_question, .note = on_note, .done = on_done};
    struct talk t;
    struct err err;
    if (talk_open(&t, &o, &f, &err) && talk_start(&t, local_new(model, &o), &err)) {
        settle(&t);
        talk_ask(&t, "And then?", MODE_FLASH);
        settle(&t);
        talk_close(&t);
    }
}

/* One life in a child, with a fault. True if the fault happened. */
static bool child_run(const char *model, enum fault_kind kind, int n, enum fault_how how,
                      struct told *told)
{
    int status;
    *told = (struct told){0};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        buf_set_oom(die);
        json_init();
        fault_set(kind, n, how);
        life(model, told);
        _exit(fault_clear());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status))
        fail_msg("fault %d of kind %d: ended by signal %d", n, (int)kind, WTERMSIG(status));
    assert_true(WEXITSTATUS(status) <= 1 || WEXITSTATUS(status) == EXIT_NO_MEMORY);
    return WEXITSTATUS(status) != 0;
}

/* A session folder and how it was before. */
struct before {
    char dir[128], log[300], kv[300];
    char *log_data, *kv_data;
    size_t log_bytes, kv_bytes;
};

static void before_make(struct before *b, const char *model, struct told *told)
{
    const char *home = test_folder();
    setenv("XDG_DATA_HOME", home, 1);
    setenv("XDG_CONFIG_HOME", home, 1);
    setenv("XDG_STATE_HOME", home, 1);
    snprintf(b->dir, sizeof b->dir, "%s/duet/sessions", home);
    snprintf(b->log, sizeof b->log, "%s/one/log.jsonl", b->dir);
    snprintf(b->kv, sizeof b->kv, "%s/one/kv", b->dir);
    child_run(model, FAULT_FILE, N_MAX, FAULT_ONCE, told);
    assert_int_equal(told->answers, 1);
    b->log_data = test_read_file(b->log, &b->log_bytes);
    b->kv_data = test_read_file(b->kv, &b->kv_bytes);
}

static void before_again(const struct before *b)
{
    test_write_file(b->log, b->log_data, b->log_bytes);
    test_write_file(b->kv, b->kv_data, b->kv_bytes);
}

static void check_nothing_lost(const struct before *b, const struct told *told)
{
    struct store s;
    struct conversation c;
    struct log_report r;
    struct err err;
    int answers = 0;
    conversation_init(&c);
    if (!store_open(&s, b->dir, "one", &c, &r, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(r.skipped, 0);
    for (int i = 0; i < c.n_turn; i++)
        answers += c.turn[i].n_reply;
    assert_true(c.n_turn >= 1 && answers >= 1);
    assert_true(told->refused || c.n_turn >= 1 + told->questions);
    assert_true(told->refused || answers >= 1 + told->answers);
    store_close(&s);
    conversation_release(&c);
}

static void check_life(enum fault_kind kind, enum fault_how how)
{
    struct before b;
    char model[600];
    struct told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(told, MAP_FAILED);
    snprintf(model, sizeof model, "%s", test_fixture("tiny-llama-q8_0.gguf"));
    before_make(&b, model, told);
    bool every = getenv("DUET_FAULT_EVERY") != NULL;
    for (int n = 0; child_run(model, kind, n, how, told); n += every ? 1 : 1 + n / 12) {
        check_nothing_lost(&b, told);
        before_again(&b);
        assert_true(n < N_MAX);
    }
    assert_int_equal(told->answers, 1);
    free(b.log_data);
    free(b.kv_data);
    munmap(told, sizeof *told);
}

/* The first calls all, the many later ones in growing steps; DUET_FAULT_EVERY=1 makes it all. The
 * thread sanitizer does not let a child make threads. */
void test_fault_life(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip();
#endif
    check_life(FAULT_MEMORY, FAULT_ONCE);
    for (int h = 0; h < N_HOWS; h++)
        check_life(FAULT_FILE, hows[h]);
}
