/* app_talk.c -- the running conversation with its worker thread, log and cache, on a fixture model.
 * What could break: events of one conversation reaching another, a message lost while the model
 * loads, a session that does not come back, a toggle that is not in the log. */
#include "tests/test.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "app/talk.h"

struct watch {
    struct buf notes;
    struct buf answer;
    int questions, dones, resets, chosen;
    int back, re_read;      /* of the last EVENT_RESUMED */
    int toggles;            /* EVENT_MODE in a turn */
    int toggle_at;          /* generated tokens after which to toggle; -1 = never */
    int tokens;
    struct talk *talk;
};

static void on_question(void *data, const struct talk *t, int turn)
{
    struct watch *w = data;
    (void)t, (void)turn;
    w->questions++;
    w->tokens = 0;
}

static void on_text(void *data, enum part_kind kind, const char *text, size_t bytes)
{
    struct watch *w = data;
    if (kind == PART_ANSWER)
        buf_append(&w->answer, text, bytes);
}

static void on_chosen(void *data, const struct talk *t)
{
    struct watch *w = data;
    (void)t;
    w->chosen++;
}

static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct watch *w = data;
    (void)t, (void)e;
    w->dones++;
}

static void on_note(void *data, bool error, const char *text)
{
    struct watch *w = data;
    buf_printf(&w->notes, "%s%s\n", error ? "!" : "", text);
}

static void on_reset(void *data, const struct talk *t)
{
    struct watch *w = data;
    (void)t;
    w->resets++;
}

static void on_event(void *data, const struct event *e)
{
    struct watch *w = data;
    if (e->kind == EVENT_RESUMED) {
        w->back = e->done;
        w->re_read = e->re_read;
    }
    if (e->kind == EVENT_MODE)
        w->toggles++;
    w->tokens += e->tokens;
}

static const struct front front_of_watch = {
    .question = on_question, .text = on_text, .chosen = on_chosen, .done = on_done,
    .note = on_note, .reset = on_reset, .event = on_event,
};

static void home(void)
{
    const char *dir = test_folder();
    setenv("XDG_DATA_HOME", dir, 1);
    setenv("XDG_CONFIG_HOME", dir, 1);
    setenv("XDG_STATE_HOME", dir, 1);
}

static void begin_with(struct talk *t, struct watch *w, struct options *o, const char *fixture)
{
    struct err err;
    struct front f = front_of_watch;
    memset(w, 0, sizeof *w);
    w->toggle_at = -1;
    w->back = w->re_read = -1;
    w->talk = t;
    f.data = w;
    o->threads = 1;
    o->max_tokens = 12;
    if (!talk_open(t, o, &f, &err) ||
        !talk_start(t, local_new(test_fixture(fixture), o), &err))
        fail_msg("%s", err.msg);
}

static void begin(struct talk *t, struct watch *w, struct options *o)
{
    begin_with(t, w, o, "tiny-llama.gguf");
}

/* Runs until nothing is under way, toggling once where the watch says. */
static void settle(struct talk *t, struct watch *w)
{
    struct pollfd fd = {worker_fd(t->worker), POLLIN, 0};
    while (talk_busy(t) || t->state != TALK_IDLE || t->saves > 0) {
        assert_true(poll(&fd, 1, 60000) > 0);
        talk_events(t);
        if (w->toggle_at >= 0 && t->turn >= 0 && w->tokens >= w->toggle_at) {
            w->toggle_at = -1;
            talk_mode(t, mode_toggle(t->c.mode));
        }
    }
}

static void end(struct talk *t, struct watch *w)
{
    talk_close(t);
    buf_release(&w->notes);
    buf_release(&w->answer);
}

static void line(struct talk *t, const char *text)
{
    const char *args;
    assert_int_equal(command_line(t, text, &args), ACTION_NONE);
}

void test_talk_asks_while_loading_and_comes_back(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    char id[80];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    line(&t, "hello there"); /* typed before the model is loaded */
    line(&t, "/pro and again");
    settle(&t, &w);
    assert_int_equal(w.questions, 2);
    assert_int_equal(w.dones, 2);
    assert_int_equal(t.c.n_turn, 2);
    assert_int_equal(t.c.turn[1].mode, MODE_PRO);
    assert_int_equal(t.c.mode, MODE_FLASH); /* the prefix was for one message */
    assert_true(t.stored);
    int used = t.ctx_used;
    struct ids first = {0};
    ids_append(&first, t.c.turn[1].reply[0].ids.id, t.c.turn[1].reply[0].ids.n);
    snprintf(id, sizeof id, "%s", t.store.id);
    end(&t, &w);

    options_init(&o);
    o.resume = true;
    begin(&t, &w, &o);
    assert_string_equal(t.store.id, id);
    assert_int_equal(t.c.n_turn, 2);
    assert_int_equal(w.resets, 1);
    assert_int_equal(t.c.turn[1].reply[0].ids.n, first.n);
    assert_memory_equal(t.c.turn[1].reply[0].ids.id, first.id, (size_t)first.n * 4);
    settle(&t, &w);
    assert_int_equal(w.back, used);
    assert_int_equal(w.re_read, 0);
    line(&t, "third");
    settle(&t, &w);
    assert_int_equal(t.re_read, 0);
    assert_int_equal(t.c.turn[2].reply[0].usage.reused_tokens, used);
    ids_release(&first);
    end(&t, &w);
}

/* The reply may be over before the toggle reaches the worker: then another question is asked. */
void test_talk_toggles_during_a_reply(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    char path[700];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    settle(&t, &w);
    t.max_tokens = 60;
    for (int i = 0; i < 100 && w.toggles == 0; i++) {
        char question[40];
        snprintf(question, sizeof question, "what is number %d?", i);
        line(&t, "/mode flash");
        settle(&t, &w);
        w.toggle_at = 1;
        line(&t, question);
        settle(&t, &w);
        if (t.ctx_used > 1500)
            line(&t, "/new");
    }
    assert_int_equal(w.toggles, 1);
    assert_int_equal(t.re_read, 0);
    assert_int_equal(t.c.mode, MODE_PRO_MAX);
    assert_int_equal(t.c.turn[t.c.n_turn - 1].reply[0].mode, MODE_PRO_MAX);
    snprintf(path, sizeof path, "%s/log.jsonl", t.store.folder);
    end(&t, &w);
    char *text = test_read_file(path, NULL);
    assert_non_null(strstr(text, "\"toggle\""));
    assert_non_null(strstr(text, "\"pro-max\""));
    free(text);
}

void test_talk_idle_toggle_tells_its_cost(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    home();
    options_init(&o);
    o.no_save = true;
    begin(&t, &w, &o);
    line(&t, "hi");
    settle(&t, &w);
    t.re_read = -1;
    line(&t, "/toggle");
    worker_finish(t.worker);
    talk_events(&t);
    assert_int_equal(t.re_read, 0);
    assert_int_equal(t.c.mode, MODE_PRO_MAX);
    assert_false(t.stored);
    end(&t, &w);
}

void test_talk_commands(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    const char *args;
    home();
    options_init(&o);
    begin(&t, &w, &o);
    settle(&t, &w);
    line(&t, "/nonsense");
    assert_non_null(strstr(buf_text(&w.notes), "!there is no command /nonsense"));
    assert_int_equal(w.questions, 0);
    line(&t, "//literal");
    settle(&t, &w);
    assert_string_equal(t.c.turn[0].question, "/literal");
    line(&t, "/retry");
    settle(&t, &w);
    assert_int_equal(t.c.turn[0].n_reply, 2);
    assert_int_equal(t.c.turn[0].chosen, 1);
    line(&t, "/rename a better title");
    assert_string_equal(t.c.title, "a better title");
    line(&t, "/mode pro");
    assert_int_equal(t.c.mode, MODE_PRO);
    line(&t, "/system too late");
    assert_non_null(strstr(buf_text(&w.notes), "/new first"));
    line(&t, "/undo");
    assert_int_equal(t.c.n_turn, 0);
    line(&t, "/undo");
    assert_non_null(strstr(buf_text(&w.notes), "nothing to take back"));
    assert_int_equal(command_line(&t, "/help", &args), ACTION_HELP);
    assert_int_equal(command_line(&t, "/quit", &args), ACTION_QUIT);
    assert_int_equal(command_line(&t, "/set theme light", &args), ACTION_SET);
    assert_string_equal(args, "theme light");
    line(&t, "   ");
    assert_int_equal(w.questions, 1);
    end(&t, &w);
}

void test_talk_imports(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    char file[200], text[300], first[80];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    line(&t, "keep this");
    settle(&t, &w);
    char *answer = reply_join(&t.c.turn[0].reply[0], PART_ANSWER);
    snprintf(first, sizeof first, "%s", t.store.id);
    snprintf(file, sizeof file, "%s/x.json", test_folder());
    snprintf(text, sizeof text, "/export json %s", file);
    line(&t, text);
    snprintf(text, sizeof text, "/import %s", file);
    line(&t, text);
    settle(&t, &w);
    assert_string_not_equal(t.store.id, first);
    assert_string_equal(t.c.turn[0].question, "keep this");
    char *same = reply_join(&t.c.turn[0].reply[0], PART_ANSWER);
    assert_string_equal(same, answer);
    line(&t, "and go on");
    settle(&t, &w);
    assert_int_equal(t.c.n_turn, 2);
    line(&t, "/import /nowhere/x");
    assert_non_null(strstr(buf_text(&w.notes), "!cannot open '/nowhere/x'"));
    line(&t, "/import");
    assert_non_null(strstr(buf_text(&w.notes), "!/import FILE"));
    free(answer);
    free(same);
    end(&t, &w);
}

void test_talk_deletes(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    char text[120], first[80];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    line(&t, "in the first");
    settle(&t, &w);
    snprintf(first, sizeof first, "%s", t.store.id);
    snprintf(text, sizeof text, "/delete %s", first);
    line(&t, text);
    assert_non_null(strstr(buf_text(&w.notes), "!this session is the open one"));
    line(&t, "/new");
    settle(&t, &w); /* its cache is written */
    line(&t, text);
    assert_non_null(strstr(buf_text(&w.notes), "is deleted; /undelete brings it back, for 7 days"));
    assert_false(talk_switch(&t, first));
    line(&t, "/undelete");
    assert_true(talk_switch(&t, first));
    settle(&t, &w);
    assert_string_equal(t.c.turn[0].question, "in the first");
    assert_int_equal(w.re_read, 0);
    line(&t, "/delete");
    line(&t, "/undelete");
    assert_non_null(strstr(buf_text(&w.notes), "!/delete NAME"));
    assert_non_null(strstr(buf_text(&w.notes), "!nothing was deleted"));
    end(&t, &w);
}

/* A second answer in the other mode, taking the first again, comparing: all in the log. */
void test_talk_siblings(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    struct buf heading = {0}, lines = {0};
    char id[80];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    settle(&t, &w);
    t.max_tokens = 40; /* few tokens are not worth being kept */
    line(&t, "/flip");
    assert_false(command_diff(&t, &heading, &lines));
    line(&t, "what is it?");
    settle(&t, &w);
    line(&t, "/flip");
    assert_non_null(strstr(buf_text(&w.notes), "!there is one answer"));
    line(&t, "/other");
    settle(&t, &w);
    assert_int_equal(t.c.turn[0].n_reply, 2);
    assert_int_equal(t.c.turn[0].reply[0].mode, MODE_FLASH);
    assert_int_equal(t.c.turn[0].reply[1].mode, MODE_PRO_MAX);
    assert_int_equal(t.c.mode, MODE_FLASH);
    assert_true(t.c.turn[0].reply[1].usage.re_read_tokens <= 1); /* the last, for its logits */
    assert_true(command_diff(&t, &heading, &lines));
    assert_string_equal(buf_text(&heading), "answer 1 (Flash, -) and answer 2 (Pro-Max, +)");
    line(&t, "/flip");
    settle(&t, &w);
    assert_int_equal(t.c.turn[0].chosen, 0);
    assert_true(w.back > t.c.turn[0].reply[0].ids.n); /* its timeline was kept */
    assert_true(w.re_read <= 8);
    snprintf(id, sizeof id, "%s", t.store.id);
    end(&t, &w);

    options_init(&o);
    o.resume = true;
    begin(&t, &w, &o);
    settle(&t, &w);
    assert_string_equal(t.store.id, id);
    assert_int_equal(t.c.turn[0].n_reply, 2);
    assert_int_equal(t.c.turn[0].chosen, 0);
    line(&t, "and on from the first?");
    settle(&t, &w);
    assert_int_equal(t.c.n_turn, 2);
    buf_release(&heading);
    buf_release(&lines);
    end(&t, &w);
}

void test_talk_branches(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    char first[600], second[80];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    settle(&t, &w);
    line(&t, "/fork");
    assert_non_null(strstr(buf_text(&w.notes), "!there is nothing to branch off"));
    line(&t, "one");
    line(&t, "two");
    settle(&t, &w);
    snprintf(first, sizeof first, "%s", t.store.id);
    assert_null(command_branch(&t, "3", 1));
    assert_non_null(strstr(buf_text(&w.notes), "!/branch N: there are 2 questions"));
    char *question = command_branch(&t, "", 1);
    assert_string_equal(question, "two");
    free(question);
    assert_int_equal(t.c.n_turn, 1);
    assert_string_not_equal(t.store.id, first);
    assert_string_equal(t.c.parent, first);
    line(&t, "two, otherwise");
    settle(&t, &w);
    assert_int_equal(t.c.turn[1].reply[0].usage.re_read_tokens, 0);
    snprintf(second, sizeof second, "%s", t.store.id);

    assert_true(talk_switch(&t, first)); /* it is as it was */
    settle(&t, &w);
    assert_int_equal(t.c.n_turn, 2);
    assert_string_equal(t.c.turn[1].question, "two");
    assert_int_equal(w.re_read, 0);
    line(&t, "/fork"); /* nothing was said since: both have one file */
    settle(&t, &w);
    struct stat st;
    assert_int_equal(stat(t.store.kv, &st), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(t.c.parent_turns, 2);
    assert_true(talk_switch(&t, second));
    settle(&t, &w);
    assert_string_equal(t.c.turn[1].question, "two, otherwise");
    assert_int_equal(w.re_read, 0);
    free(command_branch(&t, "1", 1));
    snprintf(first, sizeof first, "%s", t.store.folder);
    assert_int_equal(access(first, F_OK), 0);
    assert_true(talk_switch(&t, second)); /* nothing was said: it is gone */
    settle(&t, &w);
    assert_int_equal(access(first, F_OK), -1);
    question = command_branch(&t, "1", 1); /* to the beginning: another title */
    assert_string_equal(question, "one");
    free(question);
    line(&t, "zero");
    settle(&t, &w);
    assert_string_equal(t.c.title, "zero");
    snprintf(second, sizeof second, "%s", t.store.id);
    end(&t, &w);

    options_init(&o);
    o.session = second;
    begin(&t, &w, &o);
    assert_string_equal(t.c.title, "zero");
    assert_int_equal(t.c.n_turn, 1);
    settle(&t, &w);
    end(&t, &w);
}

/* The answer to a question that is the first of a conversation, by one mode alone. */
static char *answer_alone(const char *question, const char *mode)
{
    struct talk t;
    struct watch w;
    struct options o;
    options_init(&o);
    o.no_save = o.seed_given = true;
    o.seed = 5;
    o.mode = mode;
    begin(&t, &w, &o);
    line(&t, question);
    settle(&t, &w);
    char *answer = reply_join(&t.c.turn[0].reply[0], PART_ANSWER);
    end(&t, &w);
    return answer;
}

static const struct reply *reply_by(const struct talk *t, enum mode_id mode)
{
    const struct turn *last = &t->c.turn[t->c.n_turn - 1];
    for (int i = 0; i < last->n_reply; i++)
        if (last->reply[i].mode == mode)
            return &last->reply[i];
    fail_msg("no answer by %s", mode_get(mode)->name);
    return NULL;
}

/* Each says what it would say alone; both are kept, and either can be gone on with for nothing. */
void test_talk_both(void **state)
{
    (void)state;
    static const char question[] = "tell me of the sea";
    struct talk t;
    struct watch w;
    struct options o;
    static const enum mode_id modes[] = {MODE_FLASH, MODE_PRO_MAX};
    home();
    options_init(&o);
    o.seed_given = true;
    o.seed = 5;
    begin(&t, &w, &o);
    settle(&t, &w);
    assert_false(talk_both(&t, "")); /* nothing was asked */
    assert_true(talk_both(&t, question));
    assert_false(talk_both(&t, "and another"));
    settle(&t, &w);
    assert_int_equal(t.c.turn[0].n_reply, 2);
    assert_int_equal(t.c.turn[0].reply[t.c.turn[0].chosen].mode, MODE_FLASH);
    assert_int_equal(t.re_read, 0);
    for (int i = 0; i < 2; i++) {
        char *alone = answer_alone(question, mode_get(modes[i])->name);
        char *answer = reply_join(reply_by(&t, modes[i]), PART_ANSWER);
        assert_string_equal(answer, alone);
        free(alone);
        free(answer);
    }
    assert_true(t.tray.row[0].kv_bytes > 0 && t.tray.row[1].kv_bytes > 0);
    int second = t.tray.row[1].sibling;
    talk_choose(&t, second);
    settle(&t, &w);
    assert_int_equal(t.c.turn[0].chosen, second);
    assert_true(w.back > t.c.turn[0].reply[second].ids.n);
    assert_true(w.re_read <= 8); /* the end of the message, read for the first time */
    line(&t, "go on");
    settle(&t, &w);
    assert_int_equal(t.re_read, 0);
    assert_int_equal(t.c.turn[1].reply[0].usage.prompt_tokens -
                     t.c.turn[1].reply[0].usage.reused_tokens, t.c.turn[1].ids.n);
    assert_true(talk_both(&t, "")); /* the last question again */
    settle(&t, &w);
    assert_int_equal(t.c.n_turn, 2);
    assert_int_equal(t.c.turn[1].n_reply, 3);
    line(&t, "/choose 9");
    assert_non_null(strstr(buf_text(&w.notes), "!there are 3 answers"));
    end(&t, &w);
}

void test_talk_both_stops(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    home();
    options_init(&o);
    begin(&t, &w, &o);
    settle(&t, &w);
    t.max_tokens = 1000;
    assert_true(talk_both(&t, "go on for ever"));
    struct pollfd fd = {worker_fd(t.worker), POLLIN, 0};
    while (t.tray.row[1].tokens < 3) {
        assert_true(poll(&fd, 1, 60000) > 0);
        talk_events(&t);
    }
    assert_true(talk_stop(&t));
    settle(&t, &w);
    assert_int_equal(t.c.turn[0].n_reply, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(t.c.turn[0].reply[i].reason, REASON_CANCELLED);
    line(&t, "and now?");
    settle(&t, &w);
    assert_int_equal(t.re_read, 0);
    end(&t, &w);
}

void test_talk_splits(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    char here[80];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    settle(&t, &w);
    line(&t, "/split");
    assert_non_null(strstr(buf_text(&w.notes), "!there is one answer"));
    assert_true(talk_both(&t, "tell me of the sea"));
    settle(&t, &w);
    snprintf(here, sizeof here, "%s", t.store.id);
    line(&t, "/split");
    settle(&t, &w);
    assert_string_equal(t.store.id, here);
    assert_int_equal(t.c.turn[0].reply[t.c.turn[0].chosen].mode, MODE_FLASH);
    const char *said = strstr(buf_text(&w.notes), "goes on in /open ");
    assert_non_null(said);
    char command[100];
    snprintf(command, sizeof command, "%.*s", (int)strcspn(strchr(said, '/'), "\n"),
             strchr(said, '/'));
    line(&t, command);
    settle(&t, &w);
    assert_string_equal(t.c.parent, here);
    assert_int_equal(t.c.turn[0].n_reply, 2);
    assert_int_equal(t.c.turn[0].reply[t.c.turn[0].chosen].mode, MODE_PRO_MAX);
    assert_true(w.back > 0); /* the question came with the file of the other */
    end(&t, &w);
}

/* Two sessions in one program: neither sees the other's events, both come back whole. */
void test_talk_switches_sessions(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    char first[80];
    home();
    options_init(&o);
    begin(&t, &w, &o);
    line(&t, "in the first");
    settle(&t, &w);
    snprintf(first, sizeof first, "%s", t.store.id);
    assert_true(talk_switch(&t, NULL));
    assert_int_equal(t.c.n_turn, 0);
    line(&t, "in the second");
    settle(&t, &w);
    assert_string_not_equal(t.store.id, first);
    assert_true(talk_switch(&t, first));
    settle(&t, &w);
    assert_string_equal(t.c.turn[0].question, "in the first");
    assert_int_equal(w.re_read, 0);
    assert_false(talk_switch(&t, "no-such-session"));
    assert_string_equal(t.store.id, first);
    end(&t, &w);
}

void test_talk_says_why_a_model_cannot_be_opened(void **state)
{
    (void)state;
    struct talk t;
    struct watch w = {.toggle_at = -1};
    struct options o;
    struct err err;
    struct front f = front_of_watch;
    f.data = &w;
    home();
    options_init(&o);
    assert_true(talk_open(&t, &o, &f, &err));
    assert_true(talk_start(&t, local_new("/tmp", &o), &err));
    line(&t, "anybody there?");
    struct pollfd fd = {worker_fd(t.worker), POLLIN, 0};
    while (t.state == TALK_LOADING) {
        assert_true(poll(&fd, 1, 60000) > 0);
        talk_events(&t);
    }
    assert_int_equal(t.state, TALK_FAILED);
    assert_non_null(strstr(buf_text(&w.notes), "/tmp"));
    line(&t, "still?");
    assert_non_null(strstr(buf_text(&w.notes), "no model"));
    end(&t, &w);
}

void test_talk_unqueues(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    static const char *const want[] = {"/pro three", "//two", NULL};
    home();
    options_init(&o);
    begin(&t, &w, &o);
    line(&t, "one"); /* the model is not loaded yet: all of them wait */
    line(&t, "//two");
    line(&t, "/pro three");
    assert_string_equal(talk_queued(&t, 2), "three");
    assert_null(talk_queued(&t, 3));
    for (int i = 0; i < 2; i++) {
        char *text = talk_unqueue(&t);
        assert_string_equal(text, want[i]);
        free(text);
    }
    settle(&t, &w);
    assert_null(talk_unqueue(&t));
    assert_int_equal(t.c.n_turn, 1);
    assert_string_equal(t.c.turn[0].question, "one");
    end(&t, &w);
}

void test_talk_stop(void **state)
{
    (void)state;
    struct talk t;
    struct watch w;
    struct options o;
    home();
    options_init(&o);
    begin(&t, &w, &o);
    t.max_tokens = 1000;
    settle(&t, &w);
    assert_false(talk_stop(&t));
    line(&t, "a long answer, please");
    line(&t, "and one that waits");
    assert_int_equal(t.n_queue, 1);
    assert_true(talk_stop(&t));
    settle(&t, &w);
    assert_int_equal(t.n_queue, 0);
    assert_int_equal(w.dones, 1);
    if (t.c.turn[0].chosen >= 0)
        assert_int_equal(t.c.turn[0].reply[0].reason, REASON_CANCELLED);
    end(&t, &w);
}

/* The candidates that finished are siblings, the chosen one the last, here and in the log; the
 * timeline is the chosen one's. */
static void check_candidates(uint64_t seed, int *others)
{
    struct talk t, back;
    struct watch w, w_back;
    struct options o;
    options_init(&o);
    begin_with(&t, &w, &o, "dice.gguf");
    t.seed = seed;
    t.seed_given = true;
    line(&t, "/pro-max What is 3 + 4? Answer with one number.");
    settle(&t, &w);
    assert_int_equal(w.chosen, 1);
    const struct turn *turn = &t.c.turn[0];
    assert_true(turn->n_reply >= 3);
    assert_int_equal(turn->chosen, turn->n_reply - 1);
    assert_int_equal(t.ctx_used,
                     t.c.begin.n + turn->ids.n + turn->reply[turn->chosen].ids.n);
    *others += t.tray.chosen > 0;
    line(&t, "/candidates 1"); /* another one is taken, and the chosen one again: both are kept */
    if (t.tray.row[0].sibling >= 0)
        assert_int_equal(turn->chosen, t.tray.row[0].sibling);
    settle(&t, &w);
    assert_true(t.re_read <= 8);
    line(&t, "/candidates 99");
    assert_non_null(strstr(buf_text(&w.notes), "is not the number of one"));
    talk_candidate(&t, t.tray.chosen);
    settle(&t, &w);
    assert_true(t.re_read <= 8);
    assert_int_equal(turn->chosen, turn->n_reply - 1);
    line(&t, "and?");
    settle(&t, &w);
    assert_int_equal(t.re_read, 0);
    talk_close(&t); /* the conversation is gone, the log is there */
    buf_release(&w.notes);
    buf_release(&w.answer);
    options_init(&o);
    o.resume = true;
    begin_with(&back, &w_back, &o, "dice.gguf");
    settle(&back, &w_back);
    assert_int_equal(w_back.re_read, 0);
    turn = &back.c.turn[0];
    assert_true(turn->n_reply >= 3);
    for (int i = 0; i < turn->n_reply; i++) {
        char *answer = reply_join(&turn->reply[i], PART_ANSWER);
        assert_true(turn->reply[i].ids.n > 5);
        assert_true(turn->reply[i].reason != REASON_STOP || strchr(" 123", answer[0]));
        free(answer);
    }
    line(&back, "and now?");
    settle(&back, &w_back);
    assert_int_equal(back.re_read, 0);
    end(&back, &w_back);
}

void test_talk_candidates(void **state)
{
    (void)state;
    int others = 0;
    home();
    for (uint64_t seed = 1; seed < 10; seed++)
        check_candidates(seed, &others);
    assert_true(others > 1);
}
