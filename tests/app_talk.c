/* app_talk.c -- the running conversation with its worker thread, log and cache, on a fixture model.
 * What could break: events of one conversation reaching another, a message lost while the model
 * loads, a session that does not come back, a toggle that is not in the log. */
#include "tests/app_chat.h"

#include <sys/stat.h>
#include <unistd.h>

void test_talk_asks_while_loading_and_comes_back(void **state)
{
    (void)state;
    struct chat c;
    char id[80];
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "hello there"); /* typed before the model is loaded */
    chat_line(&c, "/pro and again");
    chat_settle(&c);
    assert_int_equal(c.questions, 2);
    assert_int_equal(c.dones, 2);
    assert_int_equal(c.t.c.n_turn, 2);
    assert_int_equal(c.t.c.turn[1].mode, MODE_PRO);
    assert_int_equal(c.t.c.mode, MODE_FLASH); /* the prefix was for one message */
    assert_true(c.t.stored);
    int used = c.t.ctx_used;
    struct ids first = {0};
    ids_append(&first, c.t.c.turn[1].reply[0].ids.id, c.t.c.turn[1].reply[0].ids.n);
    snprintf(id, sizeof id, "%s", c.t.store.id);
    chat_end(&c);

    options_init(&c.o);
    c.o.resume = true;
    chat_begin(&c, "tiny-llama.gguf");
    assert_string_equal(c.t.store.id, id);
    assert_int_equal(c.t.c.n_turn, 2);
    assert_int_equal(c.resets, 1);
    assert_int_equal(c.t.c.turn[1].reply[0].ids.n, first.n);
    assert_memory_equal(c.t.c.turn[1].reply[0].ids.id, first.id, (size_t)first.n * 4);
    chat_settle(&c);
    assert_int_equal(c.back, used);
    assert_int_equal(c.re_read, 0);
    chat_line(&c, "third");
    chat_settle(&c);
    assert_int_equal(c.t.re_read, 0);
    assert_int_equal(c.t.c.turn[2].reply[0].usage.reused_tokens, used);
    ids_release(&first);
    chat_end(&c);
}

/* The reply may be over before the toggle reaches the worker: then another question is asked. */
void test_talk_toggles_during_a_reply(void **state)
{
    (void)state;
    struct chat c;
    char path[700];
    chat_ready(&c);
    c.t.max_tokens = 60;
    for (int i = 0; i < 100 && c.toggles == 0; i++) {
        char question[40];
        snprintf(question, sizeof question, "what is number %d?", i);
        chat_line(&c, "/mode flash");
        chat_settle(&c);
        c.toggle_at = 1;
        chat_line(&c, question);
        chat_settle(&c);
        if (c.t.ctx_used > 1500)
            chat_line(&c, "/new");
    }
    assert_int_equal(c.toggles, 1);
    assert_int_equal(c.t.re_read, 0);
    assert_int_equal(c.t.c.mode, MODE_PRO_MAX);
    assert_int_equal(c.t.c.turn[c.t.c.n_turn - 1].reply[0].mode, MODE_PRO_MAX);
    snprintf(path, sizeof path, "%s/log.jsonl", c.t.store.folder);
    chat_end(&c);
    char *text = test_read_file(path, NULL);
    assert_non_null(strstr(text, "\"toggle\""));
    assert_non_null(strstr(text, "\"pro-max\""));
    free(text);
}

void test_talk_idle_toggle_tells_its_cost(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    c.o.no_save = true;
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "hi");
    chat_settle(&c);
    c.t.re_read = -1;
    chat_line(&c, "/toggle");
    worker_finish(c.t.worker);
    talk_events(&c.t);
    assert_int_equal(c.t.re_read, 0);
    assert_int_equal(c.t.c.mode, MODE_PRO_MAX);
    assert_false(c.t.stored);
    chat_end(&c);
}

void test_talk_commands(void **state)
{
    (void)state;
    struct chat c;
    const char *args;
    chat_ready(&c);
    chat_line(&c, "/nonsense");
    assert_non_null(strstr(buf_text(&c.notes), "!there is no command /nonsense"));
    assert_int_equal(c.questions, 0);
    chat_line(&c, "//literal");
    chat_settle(&c);
    assert_string_equal(c.t.c.turn[0].question, "/literal");
    chat_line(&c, "/retry");
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[0].n_reply, 2);
    assert_int_equal(c.t.c.turn[0].chosen, 1);
    chat_line(&c, "/rename a better title");
    assert_string_equal(c.t.c.title, "a better title");
    chat_line(&c, "/mode pro");
    assert_int_equal(c.t.c.mode, MODE_PRO);
    chat_line(&c, "/system too late");
    assert_non_null(strstr(buf_text(&c.notes), "/new first"));
    chat_line(&c, "/undo");
    assert_int_equal(c.t.c.n_turn, 0);
    chat_line(&c, "/undo");
    assert_non_null(strstr(buf_text(&c.notes), "nothing to take back"));
    assert_int_equal(command_line(&c.t, "/help", &args), ACTION_HELP);
    assert_int_equal(command_line(&c.t, "/quit", &args), ACTION_QUIT);
    assert_int_equal(command_line(&c.t, "/set theme light", &args), ACTION_NONE);
    assert_non_null(strstr(buf_text(&c.notes), "!there is no setting 'theme light'"));
    chat_line(&c, "   ");
    assert_int_equal(c.questions, 1);
    chat_end(&c);
}

void test_talk_imports(void **state)
{
    (void)state;
    struct chat c;
    char file[200], text[300], first[80];
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "keep this");
    chat_settle(&c);
    char *answer = reply_join(&c.t.c.turn[0].reply[0], PART_ANSWER);
    snprintf(first, sizeof first, "%s", c.t.store.id);
    snprintf(file, sizeof file, "%s/x.json", test_folder());
    snprintf(text, sizeof text, "/export json %s", file);
    chat_line(&c, text);
    snprintf(text, sizeof text, "/import %s", file);
    chat_line(&c, text);
    chat_settle(&c);
    assert_string_not_equal(c.t.store.id, first);
    assert_string_equal(c.t.c.turn[0].question, "keep this");
    char *same = reply_join(&c.t.c.turn[0].reply[0], PART_ANSWER);
    assert_string_equal(same, answer);
    chat_line(&c, "and go on");
    chat_settle(&c);
    assert_int_equal(c.t.c.n_turn, 2);
    chat_line(&c, "/import /nowhere/x");
    assert_non_null(strstr(buf_text(&c.notes), "!cannot open '/nowhere/x'"));
    chat_line(&c, "/import");
    assert_non_null(strstr(buf_text(&c.notes), "!/import needs a file"));
    free(answer);
    free(same);
    chat_end(&c);
}

void test_talk_deletes(void **state)
{
    (void)state;
    struct chat c;
    char text[120], first[80];
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "in the first");
    chat_settle(&c);
    snprintf(first, sizeof first, "%s", c.t.store.id);
    snprintf(text, sizeof text, "/delete %s", first);
    chat_line(&c, text);
    assert_non_null(strstr(buf_text(&c.notes), "!this session is the open one"));
    chat_line(&c, "/new");
    chat_settle(&c); /* its cache is written */
    chat_line(&c, text);
    assert_non_null(strstr(buf_text(&c.notes), "is deleted; /undelete brings it back, for 7 days"));
    assert_false(talk_switch(&c.t, first));
    chat_line(&c, "/undelete");
    assert_true(talk_switch(&c.t, first));
    chat_settle(&c);
    assert_string_equal(c.t.c.turn[0].question, "in the first");
    assert_int_equal(c.re_read, 0);
    chat_line(&c, "/delete");
    chat_line(&c, "/undelete");
    assert_non_null(strstr(buf_text(&c.notes), "!/delete needs the name of a session"));
    assert_non_null(strstr(buf_text(&c.notes), "!nothing was deleted"));
    chat_end(&c);
}

/* A second answer in the other mode, taking the first again, comparing: all in the log. */
void test_talk_siblings(void **state)
{
    (void)state;
    struct chat c;
    struct buf heading = {0}, lines = {0};
    char id[80];
    chat_ready(&c);
    c.t.max_tokens = 40; /* few tokens are not worth being kept */
    chat_line(&c, "/flip");
    assert_false(command_diff(&c.t, &heading, &lines));
    chat_line(&c, "what is it?");
    chat_settle(&c);
    chat_line(&c, "/flip");
    assert_non_null(strstr(buf_text(&c.notes), "!there is one answer"));
    chat_line(&c, "/other");
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[0].n_reply, 2);
    assert_int_equal(c.t.c.turn[0].reply[0].mode, MODE_FLASH);
    assert_int_equal(c.t.c.turn[0].reply[1].mode, MODE_PRO_MAX);
    assert_int_equal(c.t.c.mode, MODE_FLASH);
    assert_true(c.t.c.turn[0].reply[1].usage.re_read_tokens <= 1); /* the last, for its logits */
    assert_true(command_diff(&c.t, &heading, &lines));
    assert_string_equal(buf_text(&heading), "answer 1 (Flash, -) and answer 2 (Pro-Max, +)");
    chat_line(&c, "/flip");
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[0].chosen, 0);
    assert_true(c.back > c.t.c.turn[0].reply[0].ids.n); /* its timeline was kept */
    assert_true(c.re_read <= 8);
    snprintf(id, sizeof id, "%s", c.t.store.id);
    chat_end(&c);

    options_init(&c.o);
    c.o.resume = true;
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    assert_string_equal(c.t.store.id, id);
    assert_int_equal(c.t.c.turn[0].n_reply, 2);
    assert_int_equal(c.t.c.turn[0].chosen, 0);
    chat_line(&c, "and on from the first?");
    chat_settle(&c);
    assert_int_equal(c.t.c.n_turn, 2);
    buf_release(&heading);
    buf_release(&lines);
    chat_end(&c);
}

void test_talk_branches(void **state)
{
    (void)state;
    struct chat c;
    char first[600], second[80];
    chat_ready(&c);
    chat_line(&c, "/fork");
    assert_non_null(strstr(buf_text(&c.notes), "!there is nothing to branch off"));
    chat_line(&c, "one");
    chat_line(&c, "two");
    chat_settle(&c);
    snprintf(first, sizeof first, "%s", c.t.store.id);
    assert_null(command_branch(&c.t, "3", 1));
    assert_non_null(strstr(buf_text(&c.notes), "!/branch N: there are 2 questions"));
    char *question = command_branch(&c.t, "", 1);
    assert_string_equal(question, "two");
    free(question);
    assert_int_equal(c.t.c.n_turn, 1);
    assert_string_not_equal(c.t.store.id, first);
    assert_string_equal(c.t.c.parent, first);
    chat_line(&c, "two, otherwise");
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[1].reply[0].usage.re_read_tokens, 0);
    snprintf(second, sizeof second, "%s", c.t.store.id);

    assert_true(talk_switch(&c.t, first)); /* it is as it was */
    chat_settle(&c);
    assert_int_equal(c.t.c.n_turn, 2);
    assert_string_equal(c.t.c.turn[1].question, "two");
    assert_int_equal(c.re_read, 0);
    chat_line(&c, "/fork"); /* nothing was said since: both have one file */
    chat_settle(&c);
    struct stat st;
    assert_int_equal(stat(c.t.store.kv, &st), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(c.t.c.parent_turns, 2);
    assert_true(talk_switch(&c.t, second));
    chat_settle(&c);
    assert_string_equal(c.t.c.turn[1].question, "two, otherwise");
    assert_int_equal(c.re_read, 0);
    free(command_branch(&c.t, "1", 1));
    snprintf(first, sizeof first, "%s", c.t.store.folder);
    assert_int_equal(access(first, F_OK), 0);
    assert_true(talk_switch(&c.t, second)); /* nothing was said: it is gone */
    chat_settle(&c);
    assert_int_equal(access(first, F_OK), -1);
    question = command_branch(&c.t, "1", 1); /* to the beginning: another title */
    assert_string_equal(question, "one");
    free(question);
    chat_line(&c, "zero");
    chat_settle(&c);
    assert_string_equal(c.t.c.title, "zero");
    snprintf(second, sizeof second, "%s", c.t.store.id);
    chat_end(&c);

    options_init(&c.o);
    c.o.session = second;
    chat_begin(&c, "tiny-llama.gguf");
    assert_string_equal(c.t.c.title, "zero");
    assert_int_equal(c.t.c.n_turn, 1);
    chat_settle(&c);
    chat_end(&c);
}

/* The answer to a question that is the first of a conversation, by one mode alone. */
static char *answer_alone(const char *question, const char *mode)
{
    struct chat c;
    chat_new(&c);
    c.o.no_save = c.o.seed_given = true;
    c.o.seed = 5;
    c.o.mode = mode;
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, question);
    chat_settle(&c);
    char *answer = reply_join(&c.t.c.turn[0].reply[0], PART_ANSWER);
    chat_end(&c);
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
    struct chat c;
    static const enum mode_id modes[] = {MODE_FLASH, MODE_PRO_MAX};
    chat_new(&c);
    c.o.seed_given = true;
    c.o.seed = 5;
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    assert_false(talk_both(&c.t, "")); /* nothing was asked */
    assert_true(talk_both(&c.t, question));
    assert_false(talk_both(&c.t, "and another"));
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[0].n_reply, 2);
    assert_int_equal(c.t.c.turn[0].reply[c.t.c.turn[0].chosen].mode, MODE_FLASH);
    assert_int_equal(c.t.re_read, 0);
    for (int i = 0; i < 2; i++) {
        char *alone = answer_alone(question, mode_get(modes[i])->name);
        char *answer = reply_join(reply_by(&c.t, modes[i]), PART_ANSWER);
        assert_string_equal(answer, alone);
        free(alone);
        free(answer);
    }
    assert_true(c.t.tray.row[0].kv_bytes > 0 && c.t.tray.row[1].kv_bytes > 0);
    int second = c.t.tray.row[1].sibling;
    talk_choose(&c.t, second);
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[0].chosen, second);
    assert_true(c.back > c.t.c.turn[0].reply[second].ids.n);
    assert_true(c.re_read <= 8); /* the end of the message, read for the first time */
    chat_line(&c, "go on");
    chat_settle(&c);
    assert_int_equal(c.t.re_read, 0);
    assert_int_equal(c.t.c.turn[1].reply[0].usage.prompt_tokens -
                     c.t.c.turn[1].reply[0].usage.reused_tokens, c.t.c.turn[1].ids.n);
    assert_true(talk_both(&c.t, "")); /* the last question again */
    chat_settle(&c);
    assert_int_equal(c.t.c.n_turn, 2);
    assert_int_equal(c.t.c.turn[1].n_reply, 3);
    chat_line(&c, "/choose 9");
    assert_non_null(strstr(buf_text(&c.notes), "!there are 3 answers"));
    chat_end(&c);
}

void test_talk_both_stops(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    c.paced = true;
    chat_begin(&c, "tiny-llama.gguf");
    chat_settle(&c);
    c.t.max_tokens = 1000;
    assert_true(talk_both(&c.t, "go on for ever"));
    while (c.t.tray.row[1].tokens < 3)
        chat_step(&c);
    assert_true(talk_stop(&c.t));
    chat_settle(&c);
    assert_int_equal(c.t.c.turn[0].n_reply, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(c.t.c.turn[0].reply[i].reason, REASON_CANCELLED);
    chat_line(&c, "and now?");
    chat_settle(&c);
    assert_int_equal(c.t.re_read, 0);
    chat_end(&c);
}

/* What the header tells of the context is true at once when turns leave it; a question that is
 * asked again and gets the same reply re-reads nothing of that. */
void test_talk_takes_back(void **state)
{
    (void)state;
    struct chat c;
    chat_ready(&c);
    chat_line(&c, "tell me of the sea");
    chat_settle(&c);
    int one = c.t.ctx_used;
    for (int i = 0; i < 2; i++) {
        chat_line(&c, "and the land");
        chat_settle(&c);
        assert_true(c.t.ctx_used > one);
        assert_int_equal(c.t.c.turn[1].reply[0].usage.re_read_tokens, i); /* its question's last */
        chat_line(&c, "/undo");
        assert_int_equal(c.t.ctx_used, one);
    }
    assert_true(talk_branch(&c.t, 0));
    assert_int_equal(c.t.ctx_used, 0);
    chat_settle(&c);
    chat_end(&c);
}

/* No speed of another conversation; what stops a reply is named as it is there. */
void test_talk_says_what_is(void **state)
{
    (void)state;
    struct chat c;
    chat_ready(&c);
    chat_line(&c, "tell me of the sea");
    chat_line(&c, "/retry");
    assert_non_null(strstr(buf_text(&c.notes), "!not while reading: stop it first (/stop)\n"));
    chat_settle(&c);
    assert_true(c.t.tok_s > 0);
    c.t.front.keys = true;
    chat_line(&c, "and the land");
    chat_line(&c, "/retry");
    assert_non_null(strstr(buf_text(&c.notes), "!not while reading: stop it first (Esc)\n"));
    chat_settle(&c);
    chat_line(&c, "/new");
    assert_true(c.t.tok_s == 0 && c.t.drafted == 0);
    chat_settle(&c);
    chat_end(&c);
}

/* A few tokens take longer each: they say nothing about how fast a text is read. */
void test_talk_reading_speed(void **state)
{
    (void)state;
    struct chat c;
    char text[400];
    chat_ready(&c);
    chat_line(&c, "short");
    chat_settle(&c);
    assert_true(c.t.few_tok_s > 0 && c.t.read_tok_s == c.t.few_tok_s);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 4 == 3 ? ' ' : (char)('a' + i % 23);
    text[sizeof text - 1] = 0;
    chat_line(&c, text);
    chat_settle(&c);
    double few = c.t.few_tok_s, many = c.t.read_tok_s;
    assert_true(many > 0 && many != few);
    chat_line(&c, "short again");
    chat_settle(&c);
    assert_true(c.t.read_tok_s == many && c.t.few_tok_s != few);
    assert_true(talk_read_seconds(&c.t, 10) == 10 / c.t.few_tok_s);
    assert_true(talk_read_seconds(&c.t, 1000) == 1000 / many);
    chat_end(&c);
}

void test_talk_splits(void **state)
{
    (void)state;
    struct chat c;
    char here[80];
    chat_ready(&c);
    chat_line(&c, "/split");
    assert_non_null(strstr(buf_text(&c.notes), "!there is one answer"));
    assert_true(talk_both(&c.t, "tell me of the sea"));
    chat_settle(&c);
    snprintf(here, sizeof here, "%s", c.t.store.id);
    chat_line(&c, "/split");
    chat_settle(&c);
    assert_string_equal(c.t.store.id, here);
    assert_int_equal(c.t.c.turn[0].reply[c.t.c.turn[0].chosen].mode, MODE_FLASH);
    const char *said = strstr(buf_text(&c.notes), "goes on in /open ");
    assert_non_null(said);
    char command[100];
    snprintf(command, sizeof command, "%.*s", (int)strcspn(strchr(said, '/'), "\n"),
             strchr(said, '/'));
    chat_line(&c, command);
    chat_settle(&c);
    assert_string_equal(c.t.c.parent, here);
    assert_int_equal(c.t.c.turn[0].n_reply, 2);
    assert_int_equal(c.t.c.turn[0].reply[c.t.c.turn[0].chosen].mode, MODE_PRO_MAX);
    assert_true(c.back > 0); /* the question came with the file of the other */
    chat_end(&c);
}

/* Two sessions in one program: neither sees the other's events, both come back whole. */
void test_talk_switches_sessions(void **state)
{
    (void)state;
    struct chat c;
    char first[80];
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "in the first");
    chat_settle(&c);
    snprintf(first, sizeof first, "%s", c.t.store.id);
    assert_true(talk_switch(&c.t, NULL));
    assert_int_equal(c.t.c.n_turn, 0);
    chat_line(&c, "in the second");
    chat_settle(&c);
    assert_string_not_equal(c.t.store.id, first);
    assert_true(talk_switch(&c.t, first));
    chat_settle(&c);
    assert_string_equal(c.t.c.turn[0].question, "in the first");
    assert_int_equal(c.re_read, 0);
    assert_false(talk_switch(&c.t, "no-such-session"));
    assert_string_equal(c.t.store.id, first);
    chat_end(&c);
}

void test_talk_says_why_a_model_cannot_be_opened(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    chat_open(&c, "/tmp");
    chat_line(&c, "anybody there?");
    while (c.t.state == TALK_LOADING)
        chat_step(&c);
    assert_int_equal(c.t.state, TALK_FAILED);
    assert_non_null(strstr(buf_text(&c.notes), "/tmp"));
    chat_line(&c, "still?");
    assert_non_null(strstr(buf_text(&c.notes), "no model"));
    chat_end(&c);
}

void test_talk_unqueues(void **state)
{
    (void)state;
    struct chat c;
    static const char *const want[] = {"/pro three", "//two", NULL};
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    chat_line(&c, "one"); /* the model is not loaded yet: all of them wait */
    chat_line(&c, "//two");
    chat_line(&c, "/pro three");
    assert_string_equal(talk_queued(&c.t, 2), "three");
    assert_null(talk_queued(&c.t, 3));
    for (int i = 0; i < 2; i++) {
        char *text = talk_unqueue(&c.t);
        assert_string_equal(text, want[i]);
        free(text);
    }
    chat_settle(&c);
    assert_null(talk_unqueue(&c.t));
    assert_int_equal(c.t.c.n_turn, 1);
    assert_string_equal(c.t.c.turn[0].question, "one");
    chat_end(&c);
}

/* What waits is not asked. The answer is cut off, if the worker had not ended it before it heard of
 * that. */
void test_talk_stop(void **state)
{
    (void)state;
    struct chat c;
    chat_new(&c);
    chat_begin(&c, "tiny-llama.gguf");
    c.t.max_tokens = 1000;
    chat_settle(&c);
    assert_false(talk_stop(&c.t));
    chat_line(&c, "a long answer, please");
    chat_line(&c, "and one that waits");
    assert_int_equal(c.t.n_queue, 1);
    assert_true(talk_stop(&c.t));
    chat_settle(&c);
    assert_int_equal(c.t.n_queue, 0);
    assert_int_equal(c.dones, 1);
    assert_int_equal(c.t.c.n_turn, 1);
    if (c.t.c.turn[0].chosen >= 0 && c.t.c.turn[0].reply[0].ids.n < 20)
        assert_int_equal(c.t.c.turn[0].reply[0].reason, REASON_CANCELLED);
    chat_end(&c);
}

/* The candidates that finished are siblings, the chosen one the last, here and in the log; the
 * timeline is the chosen one's. */
static void check_candidates(uint64_t seed, int *others)
{
    struct chat c;
    chat_new(&c);
    chat_begin(&c, "dice.gguf");
    c.t.seed = seed;
    c.t.seed_given = true;
    chat_line(&c, "/pro-max What is 3 + 4? Answer with one number.");
    chat_settle(&c);
    assert_int_equal(c.chosen, 1);
    const struct turn *turn = &c.t.c.turn[0];
    assert_true(turn->n_reply >= 3);
    assert_int_equal(turn->chosen, turn->n_reply - 1);
    assert_int_equal(c.t.ctx_used, c.t.c.begin.n + turn->ids.n +
                                       reply_context_tokens(&turn->reply[turn->chosen]));
    *others += c.t.tray.chosen > 0;
    chat_line(&c, "/candidates 1"); /* another is taken, then the chosen one: both are kept */
    if (c.t.tray.row[0].sibling >= 0)
        assert_int_equal(turn->chosen, c.t.tray.row[0].sibling);
    chat_settle(&c);
    assert_true(c.t.re_read <= 8);
    chat_line(&c, "/candidates 99");
    assert_non_null(strstr(buf_text(&c.notes), "is not the number of one"));
    talk_candidate(&c.t, c.t.tray.chosen);
    chat_settle(&c);
    assert_true(c.t.re_read <= 8);
    assert_int_equal(turn->chosen, turn->n_reply - 1);
    chat_line(&c, "and?");
    chat_settle(&c);
    assert_int_equal(c.t.re_read, 0);
    chat_end(&c); /* the conversation is gone, the log is there */
    options_init(&c.o);
    c.o.resume = true;
    chat_begin(&c, "dice.gguf");
    chat_settle(&c);
    assert_int_equal(c.re_read, 0);
    turn = &c.t.c.turn[0];
    assert_true(turn->n_reply >= 3);
    for (int i = 0; i < turn->n_reply; i++) {
        char *answer = reply_join(&turn->reply[i], PART_ANSWER);
        assert_true(turn->reply[i].ids.n > 5);
        assert_true(turn->reply[i].reason != REASON_STOP || strchr(" 123", answer[0]));
        free(answer);
    }
    chat_line(&c, "and now?");
    chat_settle(&c);
    assert_int_equal(c.t.re_read, 0);
    chat_end(&c);
}

void test_talk_candidates(void **state)
{
    (void)state;
    int others = 0;
    for (uint64_t seed = 1; seed < 10; seed++)
        check_candidates(seed, &others);
    assert_true(others > 1);
}
