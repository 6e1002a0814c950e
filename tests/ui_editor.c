/* ui_editor.c -- the draft, through a pump that plays a script. What could break: libedit changes,
 * a user's ~/.editrc takes the program's keys away, a draft is lost or comes back different. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ui.h"
#include "ui/buf.h"
#include "ui/editor.h"
#include "ui/history.h"

/* libtinfo keeps 8 bytes for each libedit that asked it for the terminal (tgetent): not ours. Read
 * by the leak sanitizer, if it is there. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libtinfo.so\n";
}

/* A script is words separated by blanks: names of keys as in help; 'text types it; and
 *   +send +newline +clear +keep    what the program wants
 *   +paste +set                    with the text of the script's field
 *   =text                          the draft is this now, | is the caret, \n a line end, _ a blank
 *   +leave                         the pump asks to leave
 *   +resize                        to 10 columns */
struct script {
    struct editor *ed;
    const char *at;
    const char *text; /* for +paste and +set */
    size_t text_bytes;
    int spare; /* how many Esc were spare */
};

static void expect_draft(struct editor *ed, const char *want)
{
    struct editor_view v;
    struct buf got = {0}, expect = {0};
    editor_view(ed, &v);
    assert_true(v.caret <= v.bytes && strlen(v.text) == v.bytes);
    buf_append(&got, v.text, v.caret);
    buf_puts(&got, "|");
    buf_puts(&got, v.text + v.caret);
    for (const char *p = want; *p; p++) {
        if (p[0] == '\\' && p[1] == 'n')
            p++, buf_puts(&expect, "\n");
        else
            buf_append(&expect, *p == '_' ? " " : p, 1);
    }
    assert_string_equal(buf_text(&got), buf_text(&expect));
    buf_release(&got);
    buf_release(&expect);
}

static void type(struct editor *ed, const char *text)
{
    size_t bytes = strlen(text);
    while (bytes) {
        size_t n = 1;
        while (n < bytes && ((unsigned char)text[n] & 0xC0) == 0x80)
            n++;
        char one[8] = "";
        memcpy(one, text, n);
        struct key k = {.code = KEYCODE_CHAR, .ch = '_'};
        if (*text == '_')
            k.ch = ' ';
        else
            assert_true(key_parse(one, &k));
        editor_feed(ed, &k);
        text += n;
        bytes -= n;
    }
}

static void ask(struct script *s, const char *what)
{
    if (strcmp(what, "send") == 0)
        editor_send(s->ed);
    else if (strcmp(what, "newline") == 0)
        editor_newline(s->ed);
    else if (strcmp(what, "clear") == 0)
        editor_clear(s->ed, false);
    else if (strcmp(what, "keep") == 0)
        editor_clear(s->ed, true);
    else if (strcmp(what, "set") == 0)
        editor_set(s->ed, s->text, s->text_bytes);
    else if (strcmp(what, "paste") == 0)
        editor_feed(s->ed, &(struct key){.code = KEYCODE_PASTE, .text = s->text,
                                         .bytes = s->text_bytes});
    else if (strcmp(what, "resize") == 0)
        editor_resize(s->ed, 10);
    else
        fail_msg("no such word: +%s", what);
}

/* One word a call, so that each key is acted on before the next is looked at. */
static bool play(void *data)
{
    struct script *s = data;
    char word[200];
    s->spare += editor_esc_spare(s->ed);
    size_t n = strcspn(s->at, " ");
    if (!n)
        fail_msg("the script ended without +send or +leave");
    assert_true(n < sizeof word);
    memcpy(word, s->at, n);
    word[n] = 0;
    s->at += n + (s->at[n] == ' ');
    struct key k;
    if (strcmp(word, "+leave") == 0)
        return false;
    if (word[0] == '+' && word[1])
        ask(s, word + 1);
    else if (word[0] == '=')
        expect_draft(s->ed, word + 1);
    else if (word[0] == '\'')
        type(s->ed, word + 1);
    else if (key_parse(word, &k))
        editor_feed(s->ed, &k);
    else
        fail_msg("no such word: %s", word);
    return true;
}

static struct editor *open_editor(const char *history, const char *editrc)
{
    char msg[200] = "";
    ui_locale();
    struct editor *ed = editor_new(&(struct editor_opts){"duet", history, editrc}, msg, sizeof msg);
    if (!ed)
        fail_msg("%s", msg);
    return ed;
}

static struct editor *plain_editor(void)
{
    return open_editor(NULL, "/dev/null");
}

/* Plays the script and checks what it sends; NULL = it leaves. */
static void plays(struct editor *ed, const char *script, const char *sent)
{
    struct script s = {.ed = ed, .at = script, .text = "one\ntwo", .text_bytes = 7};
    char *got = editor_read(ed, play, &s);
    if (!got != !sent || (got && strcmp(got, sent) != 0))
        fail_msg("%s: sent '%s', not '%s'", script, got ? got : "(nothing)",
                 sent ? sent : "(nothing)");
    assert_string_equal(s.at, "");
    free(got);
}

void test_editor_types(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "=| 'hello =hello| Left Left 'X =helX|lo Home 'a =a|helXlo End 'b Backspace Del "
              "=ahelXlo| Home Del =|helXlo +send", "helXlo");
    plays(ed, "'a_b_c Ctrl+A =|a_b_c Ctrl+F =a|_b_c Ctrl+E Ctrl+W =a_b_| Ctrl+Y =a_b_c| Ctrl+A "
              "Ctrl+K =| Ctrl+Y =a_b_c| Alt+b =a_b_|c Ctrl+Left =a_|b_c Ctrl+Right =a_b|_c "
              "Alt+Backspace =a_|_c +send", "a  c");
    plays(ed, "+send", "");
    plays(ed, "'x Enter", "x");
    editor_free(&ed);
    assert_null(ed);
    editor_free(&ed);
}

/* The caret moves by clusters, over marks, emoji sequences and wide characters alike. */
void test_editor_clusters(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'漢字é =漢字é| Left Left =漢|字é Del =漢|é Backspace =|é +send", "é");
    struct script s = {.ed = ed, .text = "e\u0301👨\u200D👩x"};
    s.text_bytes = strlen(s.text);
    s.at = "+set =e\u0301👨\u200D👩x| Left =e\u0301👨\u200D👩|x Left =e\u0301|👨\u200D👩x Del "
           "=e\u0301|x Backspace =|x +send";
    char *sent = editor_read(ed, play, &s);
    assert_string_equal(sent, "x");
    free(sent);
    editor_free(&ed);
}

void test_editor_lines(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    editor_resize(ed, 20);
    plays(ed, "'first +newline 'ab +newline 'third =first\\nab\\nthird| Up =first\\nab|\\nthird Up "
              "=first|\\nab\\nthird Home =|first\\nab\\nthird Down =first\\n|ab\\nthird End "
              "=first\\nab|\\nthird Down =first\\nab\\nth|ird +send", "first\nab\nthird");
    /* Rows as drawn: a line longer than the box is several. */
    plays(ed, "+resize '0123456789abcdefghij Up =012345678|9abcdefghij Down =0123456789abcdefghij| "
              "+send", "0123456789abcdefghij");
    editor_free(&ed);
}

/* The goal column lasts while moving by rows. */
void test_editor_goal(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'long_line +newline 'x +newline 'long_line Up =long_line\\nx|\\nlong_line Up "
              "=long_line|\\nx\\nlong_line +send", "long line\nx\nlong line");
    editor_free(&ed);
}

void test_editor_history(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'one +newline 'two +send", "one\ntwo");
    plays(ed, "'three +send", "three");
    plays(ed, "'three +send", "three"); /* not twice in a row */
    plays(ed, "'draft Up =three| Up =one\\ntwo| Up =one|\\ntwo '! Up "
              "=one!|\\ntwo Down =one!\\ntwo| Down =three| "
              "Down =draft| Down =draft| +send", "draft");
    plays(ed, "Ctrl+P =draft| Ctrl+P Ctrl+P =one\\ntwo| +send", "one\ntwo");
    plays(ed, "'gone +keep =| Up =gone| +send", "gone");
    plays(ed, "'gone2 +clear =| Up =gone| +send", "gone");
    editor_free(&ed);
}

/* libedit keeps 1,024 characters of a draft that is left for the history; the rest must come back
 * all the same. */
void test_editor_long_draft(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'old +send", "old");
    char text[5001];
    for (int i = 0; i < 5000; i++)
        text[i] = (char)('a' + i % 26);
    text[5000] = 0;
    const char *const ways[] = {"+set Ctrl+P =old| Ctrl+N +send", "+set Up Down +send",
                                "+set Ctrl+P Ctrl+N Ctrl+P =old| Ctrl+N +send"};
    for (int i = 0; i < 3; i++) {
        struct script s = {.ed = ed, .at = ways[i], .text = text, .text_bytes = 5000};
        editor_resize(ed, 10000);
        plays(ed, "'old +send", "old");
        char *sent = editor_read(ed, play, &s);
        assert_string_equal(sent, text);
        free(sent);
    }
    editor_free(&ed);
}

void test_editor_search(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'alpha_one +send", "alpha one");
    plays(ed, "'beta_two +send", "beta two");
    plays(ed, "Ctrl+R 'alp +send", "alpha one");
    plays(ed, "Ctrl+R 'zz +leave", NULL);
    expect_draft(ed, "|"); /* the search line is not the draft */
    plays(ed, "Ctrl+R 'betx Backspace +send", "beta two");
    plays(ed, "'keep_me Ctrl+R 'alp Ctrl+G =keep_me| +send", "keep me");
    editor_free(&ed);
}

void test_editor_takes_esc(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    assert_false(editor_takes_esc(ed));
    plays(ed, "'a Esc 'b =ab| +send", "ab"); /* no half meta key stays behind */
    plays(ed, "'bck: +newline 'bck:x Esc 'y =bck:\\nbck:xy| +send", "bck:\nbck:xy");
    editor_free(&ed);
}

/* A code that a command reads as a character (quoted insert, "r" of vi) still does its work. */
void test_editor_quoted(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'ab Ctrl+V Left =a|b +send", "ab");
    plays(ed, "'ab Ctrl+V +paste =abone\\ntwo| +send", "abone\ntwo");
    plays(ed, "'ab Ctrl+V +send", "ab");
    editor_free(&ed);
}

void test_editor_paste(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'ab Left +paste =aone\\ntwo|b +send", "aone\ntwob");
    struct buf big = {0};
    while (big.bytes < 1 << 20)
        buf_puts(&big, "a line of text with 漢字 in it\n");
    struct script s = {.ed = ed, .at = "+paste 'x +send", .text = big.data,
                       .text_bytes = big.bytes};
    char *sent = editor_read(ed, play, &s);
    buf_puts(&big, "x");
    assert_string_equal(sent, big.data);
    free(sent);
    buf_release(&big);
    /* Controls do not get in, wherever they come from. */
    s = (struct script){.ed = ed, .at = "+paste +send", .text = "a\033\xC2\x85\tb\0c",
                        .text_bytes = 8};
    sent = editor_read(ed, play, &s);
    assert_string_equal(sent, "a\tbc");
    free(sent);
    editor_free(&ed);
}

/* A long paste is one character to the caret, and whole when it is sent, edited or kept. */
void test_editor_folds(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    struct buf big = {0}, want = {0}, whole = {0};
    for (int i = 0; i < 30; i++)
        buf_puts(&big, "a\033b\n");
    for (int i = 0; i < 30; i++)
        buf_puts(&want, "ab\n");
    struct script s = {.ed = ed, .text = big.data, .text_bytes = big.bytes};
    s.at = "'x +paste 'y =x[paste:_30_lines,_90_bytes]y| Left Left =x|[paste:_30_lines,_90_bytes]y "
           "Right Right +leave";
    assert_null(editor_read(ed, play, &s));
    expect_draft(ed, "x[paste:_30_lines,_90_bytes]y|");
    buf_puts(&whole, "x");
    buf_append(&whole, want.data, want.bytes);
    buf_puts(&whole, "y");
    struct buf got = {0};
    editor_whole(ed, &got);
    assert_string_equal(buf_text(&got), whole.data);
    s.at = "=x[paste:_30_lines,_90_bytes]y| +send";
    char *sent = editor_read(ed, play, &s);
    assert_string_equal(sent, whole.data);
    free(sent);
    expect_draft(ed, "|");
    /* Deleted as one, and the rows above and below it are found. */
    editor_resize(ed, 12);
    s.at = "'x +paste 'y Left Backspace =x|y +paste End +paste Up Home Down Down Down End "
           "Backspace Backspace Left =x|[paste:_30_lines,_90_bytes] +send";
    sent = editor_read(ed, play, &s);
    buf_clear(&whole);
    buf_puts(&whole, "x");
    buf_append(&whole, want.data, want.bytes);
    assert_string_equal(sent, whole.data);
    free(sent);
    /* More of them than there is room for are not folded; the character of one is no text. */
    struct buf many = {0};
    for (int i = 0; i < 201; i++)
        buf_puts(&many, "+paste ");
    buf_puts(&many, "+send");
    s.at = buf_text(&many);
    sent = editor_read(ed, play, &s);
    assert_int_equal(strlen(sent), 201 * want.bytes);
    free(sent);
    s = (struct script){.ed = ed, .at = "+set =a| +send", .text = "a\xF4\x8F\x80\x80",
                        .text_bytes = 5};
    sent = editor_read(ed, play, &s);
    assert_string_equal(sent, "a");
    free(sent);
    buf_release(&big);
    buf_release(&want);
    buf_release(&whole);
    buf_release(&got);
    buf_release(&many);
    editor_free(&ed);
}

static void collect_entry(void *data, const char *text, size_t bytes)
{
    buf_append(data, text, bytes);
    buf_puts(data, ";");
}

void test_editor_lists_history(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    struct buf got = {0};
    editor_history(ed, collect_entry, &got);
    assert_int_equal(got.bytes, 0);
    plays(ed, "'one +send", "one");
    plays(ed, "'two +newline 'lines +send", "two\nlines");
    editor_history(ed, collect_entry, &got);
    assert_string_equal(buf_text(&got), "two\nlines;one;");
    plays(ed, "Up =two\nlines| Up =|two\nlines Up =one| Down Down =| +send", "");
    buf_release(&got);
    editor_free(&ed);
}

/* Real C1 characters, should one get this far, are no keys of the program. */
void test_editor_c1(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    struct key c1 = {.code = KEYCODE_CHAR, .ch = 0x80};
    struct script s = {.ed = ed, .at = "'ab =ab| +send"};
    for (; c1.ch < 0xA0; c1.ch++)
        editor_feed(ed, &c1);
    char *sent = editor_read(ed, play, &s);
    assert_string_equal(sent, "ab");
    free(sent);
    editor_free(&ed);
}

void test_editor_leaves(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'half +newline 'done Left Left +leave", NULL);
    expect_draft(ed, "half\\ndo|ne");
    plays(ed, "=half\\ndo|ne '! +leave", NULL);
    expect_draft(ed, "half\\ndo!|ne");
    plays(ed, "+send", "half\ndo!ne");
    expect_draft(ed, "|");
    plays(ed, "=| +leave", NULL);
    editor_free(&ed);
}

/* Ctrl+D on nothing is libedit's end of file: the editor goes on. */
void test_editor_eof(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "Ctrl+D Ctrl+D 'a =a| Home Ctrl+D =| Ctrl+D 'b +send", "b");
    editor_free(&ed);
}

/* Letters above ASCII are text in both maps, those of Latin-1 too, beside the program's own keys;
 * libedit's own search takes them. */
void test_editor_letters(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'éàüßÿ Left Left =éàü|ßÿ +newline 'ñ +send", "éàü\nñßÿ");
    plays(ed, "'漢字 'ab Left Left =漢字|ab 'λ +send", "漢字λab");
    plays(ed, "Ctrl+R '漢 +send", "漢字λab");
    plays(ed, "'one Ctrl+A 'two_ Ctrl+K =two_| Ctrl+Y =two_one| +send", "two one");
    editor_free(&ed);
}

/* Another width under the draft changes nothing of it, in the middle of a word and of a search. */
void test_editor_resizes(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "'alpha_one +send", "alpha one");
    for (int cols = 1; cols < 120; cols += 17) {
        plays(ed, "'a_longer_text_than_fits +newline 'more Left +leave", NULL);
        editor_resize(ed, cols);
        plays(ed, "=a_longer_text_than_fits\\nmor|e 'x +send", "a longer text than fits\nmorxe");
        plays(ed, "Ctrl+R 'alp +leave", NULL);
        editor_resize(ed, 120 - cols);
        plays(ed, "+send", "alpha one");
    }
    editor_free(&ed);
}

/* A hundred thousand letters: the keys in the middle of them do what they do in few. */
void test_editor_huge_draft(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct editor *ed = plain_editor();
    char *text = mem_new(N + 1), *want = mem_new(N + 2);
    memset(text, 'a', N);
    editor_set(ed, text, N);
    plays(ed, "Left Left 'b +leave", NULL);
    memset(want, 'a', N + 1);
    want[N - 2] = 'b';
    struct editor_view v;
    editor_view(ed, &v);
    assert_int_equal(v.bytes, N + 1);
    assert_int_equal(v.caret, N - 1);
    assert_memory_equal(v.text, want, N + 1);
    free(text);
    free(want);
    editor_free(&ed);
}

static const char *write_editrc(const char *text)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/editrc", test_folder());
    test_write_file(path, text, strlen(text));
    return path;
}

void test_editor_vi(void **state)
{
    (void)state;
    struct editor *ed = open_editor(NULL, write_editrc("bind -v\n"));
    assert_true(editor_takes_esc(ed));
    plays(ed, "'one_two_three Esc 'b 'dw =one_two|_ 'u =one_two_|three 'A '! =one_two_three!| Left "
              "=one_two_three|! 'x Esc '0 'x =|ne_two_threex! +send", "ne two threex!");
    /* The program's keys work in both maps; Esc with nothing to leave is handed back. */
    struct script s = {.ed = ed, .at = "'ab Esc +newline Esc Esc +paste +send", .text = "P",
                       .text_bytes = 1};
    char *sent = editor_read(ed, play, &s);
    assert_non_null(strchr(sent, '\n'));
    assert_non_null(strchr(sent, 'P'));
    assert_int_equal(s.spare, 2);
    free(sent);
    plays(ed, "'ab Esc 'v 'h 'i 'X +send", "Xab");
    plays(ed, "'ab Esc 'h '你 =你|ab 'x +send", "你b"); /* no key of the command map */
    editor_free(&ed);
}

/* What a user may write there does no harm: the program's keys work, in every one of these. */
void test_editor_editrc(void **state)
{
    (void)state;
    static const char *const files[] = {
        "edit off\n", "bind -v\nedit off\n", "bind -e\n", "setty -d\nsetty -x -tabs\n",
        "settc am no\nsettc co 3\n", "bind \"\\\\200\" ed-unassigned\n", "history size 3\n",
        "duet:bind ^T ed-move-to-beg\n", "other:bind a ed-unassigned\n",
        "no such thing\n\xFF\xFE\n",
        "telltc\nbind\nechotc cl\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct editor *ed = open_editor(NULL, write_editrc(files[i]));
        plays(ed, "'ab Left +newline =a\\n|b +paste Backspace 'w Del +send", "a\none\ntww");
        plays(ed, "Up +send", "a\none\ntww");
        editor_free(&ed);
    }
    struct editor *ed = open_editor(NULL, write_editrc("duet:bind ^T ed-move-to-beg\n"));
    plays(ed, "'abc Ctrl+T =|abc +send", "abc"); /* and what is for us is obeyed */
    editor_free(&ed);
}

/* Editing switched off, or all bindings wiped, by a command typed to libedit itself. */
void test_editor_command(void **state)
{
    (void)state;
    struct editor *ed = plain_editor();
    plays(ed, "Alt+x 'edit_off Ctrl+M +leave", NULL);
    plays(ed, "+clear 'a Left 'b =b|a +send", "ba");
    editor_free(&ed);
}

/* ---- the history file --------------------------------------------------------------------- */

static void collect(void *data, const char *text, size_t bytes)
{
    struct buf *b = data;
    buf_append(b, text, bytes);
    buf_puts(b, "|");
}

static void holds(const char *path, const char *expect)
{
    struct buf got = {0};
    history_load(path, collect, &got);
    assert_string_equal(buf_text(&got), expect);
    buf_release(&got);
}

void test_history_file(void **state)
{
    (void)state;
    char path[200];
    struct stat st;
    snprintf(path, sizeof path, "%s/history", test_folder());
    holds(path, "");
    assert_true(history_append(path, "one", 3));
    assert_true(history_append(path, "a\nb\\n\\", 6));
    assert_true(history_append(path, "漢\n", 4));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    holds(path, "one|a\nb\\n\\|漢\n|");
    char *big = calloc(1, HISTORY_ENTRY_MAX + 2);
    assert_non_null(big);
    memset(big, 'x', HISTORY_ENTRY_MAX + 1);
    assert_false(history_append(path, big, HISTORY_ENTRY_MAX + 1));
    free(big);
    /* Others' bytes: no line end at the end, an escape cut off, a zero byte. */
    test_write_file(path, "x\\\n\ny\0z\n\\\\n\nend\\", 16);
    struct buf got = {0};
    history_load(path, collect, &got);
    assert_int_equal(got.bytes, 15);
    assert_memory_equal(got.data, "x\\|y\0z|\\n|end\\|", 15);
    buf_release(&got);
    assert_false(history_append("/nonexistent/history", "a", 1));
    assert_false(history_append(test_folder(), "a", 1)); /* a folder */
    holds("/dev/zero", "");
}

void test_history_shortened(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof path, "%s/history", test_folder());
    struct buf text = {0};
    for (int i = 0; i < HISTORY_MAX + HISTORY_MAX / 2 + 1; i++)
        buf_printf(&text, "%d\n", i);
    test_write_file(path, text.data, text.bytes);
    struct buf got = {0};
    history_load(path, collect, &got);
    assert_memory_equal(got.data, "5001|5002|", 10);
    buf_clear(&got);
    size_t bytes;
    char *file = test_read_file(path, &bytes);
    assert_memory_equal(file, "5001\n", 5);
    assert_memory_equal(file + bytes - 6, "15000\n", 6);
    free(file);
    buf_release(&got);
    buf_release(&text);
}

/* Several programs at once: each entry arrives whole. */
void test_history_shared(void **state)
{
    (void)state;
    enum { WRITERS = 4, ENTRIES = 100 };
    char path[200];
    snprintf(path, sizeof path, "%s/history", test_folder());
    for (int w = 0; w < WRITERS; w++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            bool good = true;
            for (int i = 0; i < ENTRIES; i++)
                good &= history_append(path, "some\ntext", 9);
            _exit(!good);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct buf got = {0};
    history_load(path, collect, &got);
    assert_int_equal(got.bytes, WRITERS * ENTRIES * 10);
    buf_release(&got);
}

void test_editor_history_file(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof path, "%s/history", test_folder());
    struct editor *ed = open_editor(path, "/dev/null"), *other = open_editor(path, "/dev/null");
    plays(ed, "'one +newline '漢字 +send", "one\n漢字");
    plays(other, "'two +send", "two");
    plays(ed, "Up =one\\n漢字| +clear +send", "");
    editor_free(&ed);
    editor_free(&other);
    ed = open_editor(path, "/dev/null");
    plays(ed, "Up =two| Up =one\\n漢字| +send", "one\n漢字");
    editor_free(&ed);
}
