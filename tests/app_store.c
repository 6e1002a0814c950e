/* app_store.c -- session folders: what could break is that two programs write one session, that
 * an id reaches outside of the folder, or that one damaged session hides the others. */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/store.h"
#include "ui/buf.h"

/* dir/id/name; static storage, four in turn. */
static const char *in(const char *dir, const char *id, const char *name)
{
    static char paths[4][256];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s%s%s", dir, id, name[0] ? "/" : "", name);
    return p;
}

static int mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 0777;
}

/* A session with some questions, closed again. */
static void session_make(const char *dir, const char *id, const char *title, int turns)
{
    struct store s;
    struct conversation c;
    struct log_report r;
    struct err err;
    conversation_init(&c);
    if (!store_open(&s, dir, id, &c, &r, &err))
        fail_msg("%s", err.msg);
    conversation_model(&c, "tiny", 7);
    assert_true(log_session(s.log, &c, s.id, NULL));
    for (int t = 0; t < turns; t++)
        assert_true(log_ask(s.log, &c, conversation_ask(&c, title, MODE_PRO), NULL));
    assert_true(log_sync(s.log, NULL));
    assert_true(store_meta(&s, &c, NULL));
    store_close(&s);
    conversation_release(&c);
}

/* Writes a meta.json. */
static void meta_write(const char *dir, const char *id, const char *text)
{
    test_write_file(in(dir, id, "meta.json"), text, strlen(text));
}

void test_store_files(void **state)
{
    (void)state;
    char dir[128];
    snprintf(dir, sizeof dir, "%s/duet/sessions", test_folder());
    session_make(dir, "one", "Grüße", 2);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(in(dir, "one", "")), 0700);
    assert_int_equal(mode_of(in(dir, "one", "log.jsonl")), 0600);
    assert_int_equal(mode_of(in(dir, "one", "meta.json")), 0600);
    assert_int_equal(mode_of(in(dir, "one", "lock")), 0600);
    assert_int_equal(access(in(dir, "one", "meta.json.new"), F_OK), -1);
    char *meta = test_read_file(in(dir, "one", "meta.json"), NULL);
    assert_non_null(strstr(meta, "{\"v\": 1, \"id\": \"one\", \"title\": \"Grüße\", "
                                 "\"mode\": \"flash\", \"model\": \"tiny\", \"turns\": 2, "));
    free(meta);
}

void test_store_open_again(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store s;
    struct conversation c;
    struct log_report r;
    session_make(dir, "one", "Hello", 2);
    conversation_init(&c);
    assert_true(store_open(&s, dir, "one", &c, &r, NULL));
    assert_int_equal(r.lines, 3);
    assert_int_equal(c.n_turn, 2);
    assert_string_equal(c.turn[1].question, "Hello");
    assert_string_equal(s.kv, in(dir, "one", "kv"));
    store_close(&s);
    store_close(&s);
    conversation_release(&c);
}

void test_store_busy(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store first, second;
    struct conversation c;
    struct log_report r;
    struct err err;
    char who[100];
    conversation_init(&c);
    assert_true(store_open(&first, dir, "mine", &c, &r, NULL));
    assert_false(store_open(&second, dir, "mine", &c, &r, &err));
    assert_int_equal(err.code, ERR_BUSY);
    snprintf(who, sizeof who, "session 'mine' is open in another duet (process %d on ",
             (int)getpid());
    assert_memory_equal(err.msg, who, strlen(who));
    assert_non_null(strstr(err.msg, ", since 2"));
    assert_string_equal(second.folder, "");
    store_close(&second);
    assert_true(store_open(&second, dir, "yours", &c, &r, NULL));
    store_close(&second);
    store_close(&first);
    assert_true(store_open(&first, dir, "mine", &c, &r, NULL));
    store_close(&first);
    conversation_release(&c);
}

/* Whatever the file of the lock says: at most it is not shown. */
void test_store_busy_hostile(void **state)
{
    (void)state;
    static const char *const locks[] = {
        "", "{", "[1]", "\x1b[31m", "{\"pid\": 1, \"host\": \"a\"}",
        "{\"pid\": -1, \"host\": \"a\", \"since\": 1}",
        "{\"pid\": 1, \"host\": \"a\\u001b[31m\", \"since\": 1}",
        "{\"pid\": 1, \"host\": \"a\", \"since\": 9007199254740991}",
        "{\"pid\": \"1\", \"host\": 5, \"since\": null}",
    };
    const char *dir = test_folder();
    struct store first, second;
    struct conversation c;
    struct log_report r;
    struct err err;
    conversation_init(&c);
    assert_true(store_open(&first, dir, "mine", &c, &r, NULL));
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        test_write_file(in(dir, "mine", "lock"), locks[i], strlen(locks[i]));
        assert_false(store_open(&second, dir, "mine", &c, &r, &err));
        assert_string_equal(err.msg, "session 'mine' is open in another duet");
    }
    store_close(&first);
    conversation_release(&c);
}

/* A program that died holds nothing, whatever it left in the file. */
void test_store_lock_of_the_dead(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store s;
    struct conversation c;
    struct log_report r;
    int status;
    char *lock;
    session_make(dir, "mine", "t", 1);
    conversation_init(&c);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (store_open(&s, dir, "mine", &c, &r, NULL))
            raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    lock = test_read_file(in(dir, "mine", "lock"), NULL);
    assert_int_equal(atoi(lock + strlen("{\"pid\": ")), child);
    free(lock);
    assert_true(store_open(&s, dir, "mine", &c, &r, NULL));
    lock = test_read_file(in(dir, "mine", "lock"), NULL);
    assert_int_equal(atoi(lock + strlen("{\"pid\": ")), getpid());
    free(lock);
    store_close(&s);
    lock = test_read_file(in(dir, "mine", "lock"), NULL);
    assert_string_equal(lock, "");
    free(lock);
    conversation_release(&c);
}

static void check_private(const char *dir, const char *id)
{
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(in(dir, id, "")), 0700);
    assert_int_equal(mode_of(in(dir, id, "log.jsonl")), 0600);
    assert_int_equal(mode_of(in(dir, id, "meta.json")), 0600);
    assert_int_equal(mode_of(in(dir, id, "lock")), 0600);
}

/* Private with every umask, and again where somebody opened them up. */
void test_store_private(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 077, 0277, 0777};
    char dir[128];
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        snprintf(dir, sizeof dir, "%s/duet/sessions", test_folder());
        mode_t old = umask(masks[i]);
        session_make(dir, "one", "t", 1);
        umask(old);
        check_private(dir, "one");
    }
    assert_int_equal(chmod(in(dir, "one", ""), 0755), 0);
    assert_int_equal(chmod(in(dir, "one", "log.jsonl"), 0644), 0);
    assert_int_equal(chmod(in(dir, "one", "lock"), 0666), 0);
    session_make(dir, "one", "t", 1);
    check_private(dir, "one");
}

/* What a crash left of replacements goes when the session is opened, but not under the hands of
 * a program that has it open. */
void test_store_leftovers(void **state)
{
    (void)state;
    static const char *const names[] = {"meta.json.new", "kv.tmp"};
    const char *dir = test_folder();
    struct store first, second;
    struct conversation c;
    struct log_report r;
    conversation_init(&c);
    assert_true(store_open(&first, dir, "mine", &c, &r, NULL));
    for (int i = 0; i < 2; i++)
        test_write_file(in(dir, "mine", names[i]), "half", 4);
    assert_false(store_open(&second, dir, "mine", &c, &r, NULL));
    for (int i = 0; i < 2; i++)
        assert_int_equal(access(in(dir, "mine", names[i]), F_OK), 0);
    store_close(&first);
    assert_true(store_open(&first, dir, "mine", &c, &r, NULL));
    for (int i = 0; i < 2; i++)
        assert_int_equal(access(in(dir, "mine", names[i]), F_OK), -1);
    store_close(&first);
    conversation_release(&c);
}

void test_store_ids(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "../x", ".hidden", "a/b", "a b", "ä", "a\n",
        "/etc", "a\\b", "12345678901234567890123456789012345678901234567890123456789012345"};
    char id[80];
    struct err err;
    struct store s;
    struct conversation c;
    struct log_report r;
    const char *dir = test_folder();
    conversation_init(&c);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(store_name_id(bad[i], id, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_false(store_open(&s, dir, bad[i], &c, &r, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_null(s.log);
    }
    assert_true(store_name_id("Work-2024_v1.x", id, NULL));
    assert_string_equal(id, "Work-2024_v1.x");
    conversation_release(&c);
}

void test_store_new_id(void **state)
{
    (void)state;
    char a[80], b[80], checked[80];
    store_new_id(a);
    store_new_id(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), strlen("20240131-120000-abcd"));
    assert_true(store_name_id(a, checked, NULL));
}

/* A folder or file that is a link to somewhere else is not a session. */
void test_store_links(void **state)
{
    (void)state;
    const char *dir = test_folder(), *other = test_folder();
    struct store s;
    struct conversation c;
    struct log_report r;
    struct store_entry *all;
    int n;
    conversation_init(&c);
    session_make(other, "real", "x", 1);
    assert_int_equal(symlink(in(other, "real", ""), in(dir, "link", "")), 0);
    assert_false(store_open(&s, dir, "link", &c, &r, NULL));
    assert_true(store_list(dir, &all, &n, NULL));
    assert_int_equal(n, 0);
    free(all);
    assert_int_equal(mkdir(in(dir, "inner", ""), 0700), 0);
    assert_int_equal(symlink(in(other, "real", "log.jsonl"), in(dir, "inner", "log.jsonl")), 0);
    assert_false(store_open(&s, dir, "inner", &c, &r, NULL));
    assert_int_equal(unlink(in(dir, "inner", "log.jsonl")), 0);
    assert_int_equal(unlink(in(dir, "inner", "lock")), 0);
    assert_int_equal(symlink(in(other, "real", "new"), in(dir, "inner", "lock")), 0);
    assert_false(store_open(&s, dir, "inner", &c, &r, NULL));
    assert_int_equal(access(in(other, "real", "new"), F_OK), -1);
    conversation_release(&c);
}

void test_store_in_the_way(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store s;
    struct conversation c;
    struct log_report r;
    struct err err;
    conversation_init(&c);
    test_write_file(in(dir, "file", ""), "", 0);
    assert_false(store_open(&s, dir, "file", &c, &r, &err));
    assert_non_null(strstr(err.msg, in(dir, "file", "")));
    assert_false(store_open(&s, in(dir, "file", ""), "x", &c, &r, &err));
    assert_non_null(strstr(err.msg, in(dir, "file", "")));
    session_make(dir, "bad-log", "", 0);
    test_write_file(in(dir, "bad-log", "log.jsonl"), "not a log\n", 10);
    assert_false(store_open(&s, dir, "bad-log", &c, &r, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_non_null(strstr(err.msg, in(dir, "bad-log", "log.jsonl")));
    conversation_release(&c);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void check_list(const char *dir, const char *want)
{
    struct store_entry *all;
    int n;
    char got[1024] = "";
    assert_true(store_list(dir, &all, &n, NULL));
    for (int i = 0; i < n; i++) {
        size_t have = strlen(got);
        snprintf(got + have, sizeof got - have, "%s|%s|%s|%d\n", all[i].id, all[i].title,
                 all[i].model, all[i].turns);
    }
    free(all);
    assert_string_equal(got, want);
}

void test_store_list_order(void **state)
{
    (void)state;
    const char *dir = test_folder();
    char id[80];
    struct err err;
    check_list("/no/such/folder", "");
    assert_false(store_last(dir, id, &err));
    assert_int_equal(err.code, ERR_INPUT);
    static const char *const made[] = {"a", "b", "c", "empty"};
    for (size_t i = 0; i < 4; i++)
        session_make(dir, made[i], "t", 1);
    meta_write(dir, "a", "{\"title\": \"A\", \"model\": \"m\", \"turns\": 3, \"changed\": 200}");
    meta_write(dir, "b", "{\"title\": \"B\", \"model\": \"m\", \"turns\": 1, \"changed\": 300}");
    meta_write(dir, "c", "{\"title\": \"C\", \"model\": \"m\", \"turns\": 2, \"changed\": 200}");
    meta_write(dir, "empty", "{\"title\": \"\", \"model\": \"\", \"turns\": 0, \"changed\": 400}");
    test_write_file(in(dir, "stray", ""), "", 0);
    check_list(dir, "empty|||0\nb|B|m|1\nc|C|m|2\na|A|m|3\n");
    assert_true(store_last(dir, id, NULL));
    assert_string_equal(id, "b");
}

/* A meta.json that is missing, damaged or absurd is made good from the log. */
void test_store_list_hostile(void **state)
{
    (void)state;
    static const char *const metas[] = {
        "", "{", "[]", "null", "{\"title\": 5, \"model\": \"m\", \"turns\": 1, \"changed\": 1}",
        "{\"title\": \"x\", \"model\": \"m\", \"turns\": -1, \"changed\": 1}",
        "{\"title\": \"x\", \"model\": \"m\", \"turns\": 1e12, \"changed\": 1}",
        "{\"title\": \"x\", \"model\": \"m\", \"turns\": 1, \"changed\": 9e15}",
        "{\"title\": \"x\", \"model\": \"m\", \"turns\": 1, \"changed\": -5}",
        "{\"title\": \"\xFF\", \"model\": \"m\", \"turns\": 1, \"changed\": 1}",
    };
    const char *dir = test_folder();
    session_make(dir, "one", "From the log", 2);
    for (size_t i = 0; i < sizeof metas / sizeof *metas; i++) {
        meta_write(dir, "one", metas[i]);
        check_list(dir, "one|From the log|tiny|2\n");
    }
    assert_int_equal(unlink(in(dir, "one", "meta.json")), 0);
    check_list(dir, "one|From the log|tiny|2\n");
    char *large = malloc(100001);
    memset(large, ' ', 100000);
    static const char good[] = "{\"title\":\"x\",\"model\":\"m\",\"turns\":1,\"changed\":1}";
    memcpy(large, good, sizeof good - 1);
    large[100000] = 0;
    meta_write(dir, "one", large);
    free(large);
    check_list(dir, "one|From the log|tiny|2\n");
    assert_int_equal(unlink(in(dir, "one", "meta.json")), 0);
    assert_int_equal(mkdir(in(dir, "one", "meta.json"), 0700), 0);
    test_write_file(in(dir, "one", "log.jsonl"), "???\n", 4);
    check_list(dir, "one|||0\n");
}

void test_store_list_text(void **state)
{
    (void)state;
    const char *dir = test_folder();
    char meta[1000], title[300] = "\\u001b[31m-";
    for (int i = 0; i < 100; i++)
        strcat(title, "ä");
    session_make(dir, "one", "t", 1);
    snprintf(meta, sizeof meta,
             "{\"title\": \"%s\", \"model\": \"%s\", \"turns\": 1, \"changed\": 1}", title, title);
    meta_write(dir, "one", meta);
    struct store_entry *all;
    int n;
    assert_true(store_list(dir, &all, &n, NULL));
    assert_int_equal(n, 1);
    assert_int_equal(strlen(all[0].title), 6 + 60 * 2);
    assert_memory_equal(all[0].title, " [31m-ä", 8);
    assert_int_equal(strlen(all[0].model), 6 + 28 * 2);
    free(all);
}

/* Opening makes a missing meta.json anew. */
void test_store_meta_anew(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store s;
    struct conversation c;
    struct log_report r;
    session_make(dir, "one", "Title", 1);
    meta_write(dir, "one", "{");
    conversation_init(&c);
    assert_true(store_open(&s, dir, "one", &c, &r, NULL));
    store_close(&s);
    char *meta = test_read_file(in(dir, "one", "meta.json"), NULL);
    assert_non_null(strstr(meta, "\"title\": \"Title\""));
    free(meta);
    conversation_release(&c);
}

/* On a full disk the old meta.json stays. */
void test_store_meta_full_disk(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store s;
    struct conversation c;
    struct log_report r;
    struct rlimit l;
    struct err err;
    session_make(dir, "one", "Title", 1);
    conversation_init(&c);
    assert_true(store_open(&s, dir, "one", &c, &r, NULL));
    conversation_title(&c, "New title");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
    bool ok = store_meta(&s, &c, &err);
    l.rlim_cur = l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
    assert_false(ok);
    assert_non_null(strstr(err.msg, in(dir, "one", "")));
    check_list(dir, "one|Title|tiny|1\n");
    assert_int_equal(access(in(dir, "one", "meta.json.new"), F_OK), -1);
    assert_true(store_meta(&s, &c, NULL));
    check_list(dir, "one|New title|tiny|1\n");
    store_close(&s);
    conversation_release(&c);
}

/* With nothing open, nothing is written and nothing is wrong. */
void test_store_none(void **state)
{
    (void)state;
    struct store s = {0};
    struct conversation c;
    conversation_init(&c);
    assert_true(store_meta(&s, &c, NULL));
    store_close(&s);
    assert_true(fcntl(0, F_GETFD) >= 0); /* descriptor 0 is not ours */
    conversation_release(&c);
}

/* ---- finding -------------------------------------------------------------------------------- */

void test_store_find(void **state)
{
    (void)state;
    const char *dir = test_folder();
    char id[80];
    struct err err;
    session_make(dir, "20240101-one", "Soup", 1);
    session_make(dir, "20240102-two", "Salad", 1);
    session_make(dir, "work", "Soup", 1);
    session_make(dir, "work-2", "More work", 1);
    assert_true(store_find(dir, "20240102", id, NULL));
    assert_string_equal(id, "20240102-two");
    assert_true(store_find(dir, "sALAD", id, NULL));
    assert_string_equal(id, "20240102-two");
    assert_true(store_find(dir, "work", id, NULL)); /* an id itself, though others begin so */
    assert_string_equal(id, "work");
    assert_false(store_find(dir, "2024", id, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_not_equal(id, "");
    assert_non_null(strstr(err.msg, "'2024' means several sessions: "));
    assert_non_null(strstr(err.msg, "20240101-one"));
    assert_non_null(strstr(err.msg, "20240102-two"));
    assert_false(store_find(dir, "soup", id, &err));
    assert_false(store_find(dir, "pasta", id, &err));
    assert_string_equal(id, "");
    assert_string_equal(err.msg, "there is no session 'pasta'");
    assert_false(store_find(dir, "", id, &err));
    assert_false(store_find(dir, "../20240101-one", id, &err));
    assert_false(store_find("/no/such/folder", "x", id, &err));
}

/* ---- putting aside, branches ----------------------------------------------------------------- */

void test_store_empty_goes(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store s;
    struct conversation c;
    struct log_report r;
    conversation_init(&c);
    assert_true(store_open(&s, dir, "empty", &c, &r, NULL));
    assert_int_equal(access(in(dir, "empty", "log.jsonl"), F_OK), 0);
    store_close(&s);
    assert_int_equal(access(in(dir, "empty", ""), F_OK), -1);
    assert_true(store_open(&s, dir, "kept", &c, &r, NULL));
    test_write_file(in(dir, "kept", "mine.txt"), "x", 1);
    store_close(&s);
    assert_int_equal(access(in(dir, "kept", "mine.txt"), F_OK), 0);
    conversation_release(&c);
}

void test_store_delete(void **state)
{
    (void)state;
    char dir[128], id[80], old[200];
    struct store s;
    struct conversation c;
    struct log_report r;
    struct err err;
    snprintf(dir, sizeof dir, "%s/sessions", test_folder());
    session_make(dir, "one", "Soup", 1);
    session_make(dir, "two", "Salad", 1);
    assert_false(store_undelete(dir, id, &err));
    assert_non_null(strstr(err.msg, "nothing was deleted"));
    assert_false(store_delete(dir, "../one", &err));
    assert_false(store_delete(dir, "none", &err));
    conversation_init(&c);
    assert_true(store_open(&s, dir, "one", &c, &r, &err));
    assert_false(store_delete(dir, "one", &err));
    assert_int_equal(err.code, ERR_BUSY);
    store_close(&s);
    assert_true(store_delete(dir, "one", &err));
    assert_false(store_find(dir, "one", id, &err));
    session_make(dir, "one", "Another soup", 1); /* its place is taken: neither is lost */
    assert_false(store_undelete(dir, id, &err));
    assert_true(store_delete(dir, "two", &err));
    assert_true(store_undelete(dir, id, &err));
    assert_string_equal(id, "two");
    assert_true(store_find(dir, "Salad", id, &err));
    snprintf(old, sizeof old, "%s/../deleted/one", dir);
    struct timespec times[2] = {{.tv_sec = time(NULL) - 8 * 24 * 3600}, {.tv_sec = 1}};
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, old, times, 0), 0);
    assert_true(store_delete(dir, "one", &err)); /* the old one is erased on the way */
    assert_true(store_undelete(dir, id, &err));
    assert_true(store_find(dir, "Another soup", id, &err));
    conversation_release(&c);
}

void test_store_branch(void **state)
{
    (void)state;
    const char *dir = test_folder();
    struct store s = {0};
    struct conversation c;
    struct store_entry *all;
    struct err err;
    int n;
    char facts[STORE_FACTS_BYTES];
    session_make(dir, "one", "Soup", 2);
    test_write_file(in(dir, "one", "kv"), "12345", 5);
    conversation_init(&c);
    assert_true(store_read(dir, "one", &c, &err));
    free(c.parent);
    c.parent = mem_dup("one");
    c.parent_turns = 2;
    assert_true(store_new(&s, dir, &c, in(dir, "one", "kv"), &err));
    store_close(&s);
    conversation_release(&c);
    assert_true(store_list(dir, &all, &n, &err));
    assert_int_equal(n, 2);
    for (int i = 0; i < n; i++) {
        bool branch = strcmp(all[i].id, "one") != 0;
        assert_string_equal(all[i].parent, branch ? "one" : "");
        assert_int_equal(all[i].parent_turns, branch ? 2 : 0);
        assert_true(all[i].kv_shared);
        assert_int_equal(all[i].kv_bytes, 5);
        all[i].log_bytes = 1395;
        all[i].changed = 0;
        store_facts(&all[i], facts, sizeof facts);
        assert_memory_equal(facts, "19", 2);
        assert_non_null(strstr(facts, "     2 turns    1.4 kB"));
        all[i].changed = time(NULL);
        store_facts(&all[i], facts, sizeof facts);
        assert_true(facts[2] == ':' && facts[5] == ' '); /* today: the time */
    }
    free(all);
    all = NULL;
    test_write_file(in(dir, "one", "meta.json"), "{", 1); /* from the log then */
    unlink(in(dir, "one", "kv"));
    assert_true(store_list(dir, &all, &n, &err));
    for (int i = 0; i < n; i++)
        assert_false(all[i].kv_shared);
    free(all);
}

/* Entries "id<parent" in, "id" indented by depth out. */
static void check_tree(const char *const *rows, int n, const char *want)
{
    struct store_entry e[8];
    struct buf got = {0};
    char label[100];
    memset(e, 0, sizeof e);
    for (int i = 0; i < n; i++) {
        size_t bytes = strcspn(rows[i], "<");
        snprintf(e[i].id, sizeof e[i].id, "%.*s", (int)bytes, rows[i]);
        snprintf(e[i].parent, sizeof e[i].parent, "%s", rows[i][bytes] ? rows[i] + bytes + 1 : "");
    }
    store_tree(e, n);
    for (int i = 0; i < n; i++) {
        store_label(&e[i], label, sizeof label);
        buf_printf(&got, "%s\n", label);
    }
    assert_string_equal(buf_text(&got), want);
    buf_release(&got);
}

void test_store_tree(void **state)
{
    (void)state;
    check_tree((const char *const[]){"c<a", "b", "a", "d<c", "e<a"}, 5,
               "b\na\n  + from turn 1: c\n    + from turn 1: d\n"
               "  + from turn 1: e\n");
    check_tree((const char *const[]){"x<gone", "self<self"}, 2, "x\nself\n");
    check_tree((const char *const[]){"a<b", "b<a"}, 2,
               "a\n  + from turn 1: b\n"); /* damaged: none is lost */
    check_tree(NULL, 0, "");
}

void test_store_rename(void **state)
{
    (void)state;
    const char *dir = test_folder();
    char id[80];
    struct err err;
    session_make(dir, "one", "Soup", 1);
    assert_true(store_rename(dir, "one", "Salad\nand more", &err));
    assert_true(store_find(dir, "Salad", id, &err));
    assert_string_equal(id, "one");
    assert_false(store_rename(dir, "../one", "x", &err));
}
