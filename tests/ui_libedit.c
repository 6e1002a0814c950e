/* ui_libedit.c -- libedit inside a curses program on a real terminal (a pty): a test for each thing
 * that was found out about it before editor.c was built so. What could break: another libedit, a
 * terminal type, a user's ~/.editrc.
 *
 * A row is keys as the terminal sends them and what the program then reports. F5 has it report the
 * draft with | at the caret, F6 leave the read and begin it again, F7 say that it is alive, F8 end;
 * Enter sends. An ESC that stands alone is reported when it is first a part and then a key. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/ui_rig.h"
#include "ui/editor.h"
#include "ui/term.h"
#include "ui/text.h"

#define F5 "\033[15~"
#define F6 "\033[17~"
#define F7 "\033[18~"
#define F8 "\033[19~"
#define LEFT "\033[D"
#define UP "\033[A"
#define DOWN "\033[B"
#define PASTE(text) "\033[200~" text "\033[201~"

enum { STEPS_MAX = 10 };

struct row {
    const char *editrc;
    struct step {
        const char *keys, *says; /* says: NULL = nothing is waited for */
    } step[STEPS_MAX];
};

/* Of the child, which has them from before the fork. */
static struct {
    bool editor_first;  /* libedit is started before curses */
    const char *type;   /* TERM while it is */
    const char *editrc; /* its path */
} how;

/* ---- the child ---------------------------------------------------------------------------- */

static void report_draft(struct editor *ed)
{
    struct editor_view v;
    struct buf out = {0};
    editor_view(ed, &v);
    for (size_t i = 0; i <= v.bytes; i++) {
        buf_puts(&out, i == v.caret ? "|" : "");
        if (i < v.bytes && v.text[i] == '\n')
            buf_puts(&out, "\\n");
        else if (i < v.bytes)
            buf_append(&out, v.text + i, 1);
    }
    report(buf_text(&out));
    buf_release(&out);
}

static bool ending;

/* What F5 and the like do; false: leave. */
static bool act(struct editor *ed, unsigned fn)
{
    if (fn == 5)
        report_draft(ed);
    else if (fn == 7)
        report("alive");
    ending = fn == 8;
    return fn != 6 && !ending;
}

static bool pump(void *data)
{
    struct editor *ed = data;
    for (;;) {
        struct key k;
        rig_key(&k);
        if (k.code == KEYCODE_EOF)
            _exit(0);
        if (k.code == KEYCODE_FN) {
            if (!act(ed, k.ch))
                return false;
            continue;
        }
        if (k.code == KEYCODE_RESIZE) {
            int rows, cols;
            term_size(&rows, &cols);
            editor_resize(ed, cols);
            report("resized");
            continue;
        }
        if (k.code == KEYCODE_ESC)
            report("Esc");
        if (k.code == KEYCODE_CHAR && k.mod == KEY_CTRL && k.ch == 'j')
            editor_newline(ed);
        else
            editor_feed(ed, &k);
        return true;
    }
}

static struct editor *start_editor(void)
{
    char msg[200] = "", type[40];
    snprintf(type, sizeof type, "%s", getenv("TERM"));
    setenv("TERM", how.type, 1);
    struct editor_opts opts = {"duet", NULL, how.editrc};
    struct editor *ed = editor_new(&opts, msg, sizeof msg);
    setenv("TERM", type, 1);
    if (!ed)
        report(msg);
    return ed;
}

static void child_edits(void)
{
    char msg[200] = "";
    struct editor *ed = NULL;
    ui_locale();
    if (how.editor_first)
        ed = start_editor();
    if (!term_start(&(struct term_opts){.color = false}, msg, sizeof msg)) {
        report(msg);
        _exit(2);
    }
    if (!ed)
        ed = start_editor();
    if (!ed)
        _exit(3);
    report("ready");
    while (!ending) {
        char *sent = editor_read(ed, pump, ed);
        struct buf said = {0};
        buf_puts(&said, sent ? "sent " : ending ? "end" : "left");
        for (const char *p = sent ? sent : ""; *p; p++)
            buf_append(&said, *p == '\n' ? "/" : p, 1);
        report(buf_text(&said));
        buf_release(&said);
        free(sent);
    }
    term_stop();
    editor_free(&ed);
    _exit(0);
}

/* ---- the test's side ---------------------------------------------------------------------- */

static void set_up(const char *editrc)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/editrc", test_folder());
    test_write_file(path, editrc ? editrc : "", editrc ? strlen(editrc) : 0);
    how.editrc = path;
}

/* What is typed reaches the terminal by curses alone, which draws nothing here; it is left as it
 * was. */
static void end(struct rig *r)
{
    rig_keys(r, F8);
    rig_expect(r, "end");
    was_restored(r);
    assert_null(strstr(r->out.data, "a"));
    assert_null(strstr(r->out.data, "bck:"));
    rig_end(r, 0);
}

static void plays(const struct row *row)
{
    struct rig r;
    set_up(row->editrc);
    rig_start(&r, child_edits);
    rig_expect(&r, "ready");
    for (int i = 0; i < STEPS_MAX && row->step[i].keys; i++) {
        rig_keys(&r, row->step[i].keys);
        if (row->step[i].says)
            rig_expect(&r, row->step[i].says);
    }
    end(&r);
}

/* libedit before curses and behind it; with the type of the terminal, one that is unknown, and the
 * one at whose sight it edits nothing. */
static void plays_everywhere(const struct row *row)
{
    static const char *const types[] = {"xterm-256color", "no-such-type", "emacs"};
    for (size_t i = 0; i < 2 * sizeof types / sizeof *types; i++) {
        how.editor_first = i % 2;
        how.type = types[i / 2];
        plays(row);
    }
    how.editor_first = false;
    how.type = types[0];
}

/* Both orders of the start, each type of terminal: typing, arrows, kill and yank, lines, wide
 * characters, the history. */
void test_libedit_orders(void **state)
{
    (void)state;
    plays_everywhere(&(struct row){
        NULL,
        {{"hello" LEFT LEFT "X" F5, "helX|lo"},
         {"\001\013" F5, "|"},         /* Ctrl+A Ctrl+K */
         {"\031\031" F5, "helXlohelXlo|"}, /* Ctrl+Y */
         {"\nb\r", "sent helXlohelXlo/b"},
         {"漢字é" LEFT LEFT "\177" F5, "|字é"},
         {UP UP F5, "|helXlohelXlo\\nb"},
         {DOWN DOWN F5, "字é|"}}});
}

/* Keys cut in two while a command of libedit reads on its own: no "[D" in the text, no "bck:" in
 * what is sent, and the program is alive in between. */
void test_libedit_nested(void **state)
{
    (void)state;
    how.type = "xterm-256color";
    plays(&(struct row){NULL,
                        {{"alpha one\r", "sent alpha one"},
                         {"ab\033[", "part"},
                         {"D" F5, "a|b"},
                         {"\022alp" F7, "alive"}, /* Ctrl+R */
                         {"h" F7, "alive"},
                         {"\r", "sent alpha one"},
                         {"ab\026" F7, "alive"}, /* Ctrl+V, the quoted insert */
                         {LEFT F5, "a|b"}}});
    plays(&(struct row){NULL,
                        {{"漢字 eins\r", "sent 漢字 eins"},
                         {"two\r", "sent two"},
                         {"\022漢\r", "sent 漢字 eins"},
                         {"x\022alp" F6, "left"}, /* a search is no draft */
                         {F5, "x|"}}});
    plays(&(struct row){"bind -v\n",
                        {{"ab\033", "part"}, {"", "Esc"}, {"r" F7, "alive"}, {"X" F5, "a|X"}}});
}

/* Esc alone enters vi's command mode though keys begin with it; letters from U+0100 on are text
 * there, those of Latin-1 are keys; undo, words, and the arrows in both modes. */
void test_libedit_vi(void **state)
{
    (void)state;
    how.type = "xterm-256color";
    plays(&(struct row){"bind -v\n",
                        {{"one two\033", "part"},
                         {"", "Esc"},
                         {F5, "one tw|o"},
                         {"bdw" F5, "one| "},
                         {"u" F5, "one |two"},
                         {"A!" LEFT F5, "one two|!"}}});
    plays(&(struct row){"bind -v\nbind \\\\e[Z ed-move-to-beg\n", /* a key that begins with it */
                        {{"ab\033", "part"}, {"", "Esc"}, {"h你" F5, "你|ab"}, {"x" F5, "你|b"}}});
}

/* The program's keys are C1 characters inside: they work in each map, whatever the user's file
 * does; real ones from the terminal are nothing, letters of Latin-1 are text. */
void test_libedit_keys(void **state)
{
    static const char *const files[] = {
        "", "bind -v\n", "bind -e\n", "edit off\n", "bind -v\nedit off\n",
        "bind \"\\\\200\" ed-unassigned\n",
        "setty -d\nsetty -x -tabs\nsettc co 3\n", "telltc\nechotc cl\nbind\n",
    };
    (void)state;
    how.type = "xterm-256color";
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        plays(&(struct row){files[i],
                            {{"\xC2\x80\xC2\x85\xC2\x9F" F5, "|"},
                             {"éàüßÿ" LEFT "\n" F5, "éàüß\\n|ÿ"},
                             {PASTE("p\rq\033x\xC2\x9B") F5, "éàüß\\np\\nqx|ÿ"},
                             {"\033[3~\177\r", "sent éàüß/p/q"}}});
    plays(&(struct row){"bind -v\n",
                        {{"ab\033", "part"},
                         {"", "Esc"},
                         {"\n" F5, "a\\n|b"},
                         {PASTE("漢") F5, "a\\n漢|b"},
                         {"\r", "sent a/漢b"}}});
}

/* A read that is left keeps the draft with its caret; the same libedit goes on with it. */
void test_libedit_leaves(void **state)
{
    (void)state;
    how.type = "xterm-256color";
    plays(&(struct row){NULL,
                        {{"half\ndone" LEFT LEFT F6, "left"},
                         {F5, "half\\ndo|ne"},
                         {"!" F6, "left"},
                         {"\r", "sent half/do!ne"},
                         {F6, "left"},
                         {F5, "|"}}});
}

/* A hundred thousand characters come in as a few keys and are edited in the middle; another size of
 * the terminal, under the draft and under a search, changes nothing. */
void test_libedit_huge(void **state)
{
    enum { PIECES = 20, PIECE = 5000 };
    static const struct winsize sizes[] = {{16, 50, 0, 0}, {20, 80, 0, 0}};
    struct rig r;
    struct buf keys = {0}, want = {0};
    (void)state;
    how.type = "xterm-256color";
    set_up(NULL);
    rig_start(&r, child_edits);
    rig_expect(&r, "ready");
    buf_puts(&want, "sent ");
    for (int i = 0; i < PIECES * PIECE; i++) {
        buf_puts(&keys, i % PIECE ? "" : "\033[200~");
        buf_puts(&keys, "a");
        buf_puts(&want, i == PIECES * PIECE - 2 ? "ba" : "a");
        buf_puts(&keys, i % PIECE == PIECE - 1 ? "\033[201~" : "");
    }
    buf_puts(&keys, LEFT LEFT "b" F7);
    rig_type(&r, keys.data, keys.bytes);
    while (!strstr(buf_text(&r.said), "alive\n"))
        assert_true(rig_take(&r));
    buf_clear(&r.said); /* here and there a part of a paste */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ioctl(r.master, TIOCSWINSZ, &sizes[i]), 0);
        rig_expect(&r, "resized");
        rig_keys(&r, "\r");
        rig_expect(&r, want.data);
        rig_keys(&r, "\022ba" F7);
        rig_expect(&r, "alive");
    }
    rig_keys(&r, "\r");
    rig_expect(&r, want.data);
    end(&r);
    buf_release(&keys);
    buf_release(&want);
}
