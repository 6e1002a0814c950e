/* ui_key.c -- key names, the bytes of a terminal, and what keys mean. What could break: help names
 * a key that does nothing, two actions fight for one key, or a sequence cut in two becomes text. */
#include "tests/ui.h"
#include "ui/decode.h"
#include "ui/field.h"
#include "ui/keyfile.h"
#include "ui/keymap.h"
#include "ui/overmap.h"

void test_key_names(void **state)
{
    (void)state;
    ui_locale();
    static const char *const names[] = {
        "Enter", "Alt+Enter", "Shift+Enter", "Tab", "Backtab", "Esc", "Backspace", "Del", "Ins",
        "Up", "Ctrl+Up", "Shift+Down", "Left", "Ctrl+Alt+Right", "Home", "Ctrl+End", "PgUp",
        "PgDn", "F1", "F12", "Ctrl+F5", "Ctrl+T", "Ctrl+Space", "Alt+x", "Alt+X", "a", "A", "?",
        "+", "Ctrl++", "漢", "Space", "WheelUp", "Ctrl+\\", "Ctrl+Alt+Shift+F3", "F", "Eof",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct key k;
        char back[40];
        if (!key_parse(names[i], &k))
            fail_msg("no key: %s", names[i]);
        key_label(&k, back, sizeof back);
        assert_string_equal(back, names[i]);
    }
    static const char *const wrong[] = {"", "F0", "F25", "F1x", "Ctrl+", "ab", "enter", "Shift+a",
                                        "\033", "\xFF", "F99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct key k = {.ch = 77};
        assert_false(key_parse(wrong[i], &k));
        assert_int_equal(k.ch, 77);
    }
    struct key small, capital;
    assert_true(key_parse("Ctrl+t", &small) && key_parse("Ctrl+T", &capital));
    assert_true(key_same(&small, &capital));
    assert_int_equal(small.ch, 't');
}

/* Calls back for each name in a list of keys. */
static void each_key(const char *list, void (*call)(const struct key *, const char *, void *),
                     void *data)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", list);
    for (char *name = strtok(copy, " "); name; name = strtok(NULL, " ")) {
        struct key k;
        if (strchr(name + 1, ',')) /* a sequence */
            continue;
        if (!key_parse(name, &k))
            fail_msg("action.def: '%s' is no key", name);
        call(&k, name, data);
    }
}

struct want {
    enum key_context context;
    enum action action;
};

static void means(const struct key *k, const char *name, void *data)
{
    struct want *w = data;
    if (keymap_action(w->context, k) != w->action)
        fail_msg("%s is bound twice", name);
}

void test_keymap_keys(void **state)
{
    (void)state;
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        each_key(h->keys_editor, means, &(struct want){CONTEXT_EDITOR, (enum action)a});
        each_key(h->keys_reader, means, &(struct want){CONTEXT_READER, (enum action)a});
        assert_true(h->help[0] >= 'A' && h->help[0] <= 'Z');
        if (!h->command[0]) {
            assert_string_equal(h->args, "");
            assert_true(h->keys_editor[0] || h->keys_reader[0]);
            continue;
        }
        assert_true(h->command[0] == '/');
        if (keymap_command(h->command + 1, strlen(h->command) - 1) != (enum action)a)
            fail_msg("%s is there twice", h->command);
    }
    struct key x = {.code = KEYCODE_CHAR, .ch = 'x'};
    assert_int_equal(keymap_action(CONTEXT_EDITOR, &x), ACTION_NONE);
    assert_int_equal(keymap_command("", 0), ACTION_NONE);
    assert_int_equal(keymap_command("mod", 3), ACTION_NONE);
    assert_int_equal(keymap_command("modes", 5), ACTION_NONE);
    assert_int_equal(keymap_command("mode x", 4), ACTION_MODE);
}

/* All keys of the bytes, one piece after the other, by name; at the end time passes. */
static void decode_pieces(const char *const piece[], char *out, size_t bytes)
{
    struct decode d = {0};
    struct key k;
    int64_t now = 1000;
    size_t at = 0;
    out[0] = 0;
    decode_define(&d, "\033[[odd", (struct key){.code = KEYCODE_FN, .ch = 20});
    for (int i = 0; piece[i]; i++, now += 5) {
        decode_feed(&d, piece[i], strlen(piece[i]), now);
        for (int end = 0; end < 2; end++) {
            while (decode_key(&d, now + end * (piece[i + 1] ? 0 : 10000), &k)) {
                char name[40];
                key_label(&k, name, sizeof name);
                at += (size_t)snprintf(out + at, bytes - at, "%s%s", at ? " " : "", name);
            }
        }
    }
    assert_int_equal(decode_wait_ms(&d, now), -1);
    decode_release(&d);
}

#define DECODES(expect, ...) decodes(__LINE__, expect, (const char *const[]){__VA_ARGS__, NULL})

static void decodes(int line, const char *expect, const char *const piece[])
{
    char got[400];
    decode_pieces(piece, got, sizeof got);
    if (strcmp(got, expect) != 0)
        fail_msg("line %d: '%s', not '%s'", line, got, expect);
}

void test_decode_keys(void **state)
{
    (void)state;
    ui_locale();
    DECODES("a é 漢", "aé漢");
    DECODES("漢 x", "\xE6", "\xBC", "\xA2x");
    DECODES("Ctrl+A Tab Enter Ctrl+J Backspace Backspace", "\001\t\r\n\b\177");
    DECODES("Ctrl+\\ Ctrl+_", "\034\037");
    DECODES("Esc", "\033");
    DECODES("Esc Esc", "\033\033");
    DECODES("Alt+x Alt+é Alt+Enter Alt+Backspace", "\033x\033é\033\r\033\177");
    DECODES("Up Up Down", "\033[A\033OA\033[B");
    DECODES("Ctrl+Right Shift+Up Alt+Left", "\033[1;5C\033[1;2A\033[1;3D");
    DECODES("Ctrl+Home Ctrl+End", "\033[1;5H\033[1;5F");
    DECODES("Home End PgUp PgDn Del Ins", "\033[1~\033[4~\033[5~\033[6~\033[3~\033[2~");
    DECODES("Shift+PgUp Ctrl+Del", "\033[5;2~\033[3;5~");
    DECODES("F1 F4 F5 F12 F1 F2", "\033OP\033OS\033[15~\033[24~\033[[A\033[[B");
    DECODES("Backtab", "\033[Z");
    DECODES("Shift+Enter Shift+Enter Ctrl+T", "\033[13;2u\033[27;2;13~\033[116;5u");
    DECODES("Ctrl+S Ctrl+S Alt+S", "\033[115;6u\033[83;5u\033[115;4u"); /* one key for Ctrl+s */
    struct key typed, named;
    struct decode d = {0};
    decode_feed(&d, "\033[115;6u", 8, 0);
    assert_true(decode_key(&d, 0, &typed) && key_parse("Ctrl+S", &named));
    assert_true(key_same(&typed, &named));
    decode_release(&d);
    DECODES("Alt+Up", "\033\033[A");
    DECODES("WheelUp WheelDown", "\033[<64;1;1M\033[<65;10;10M");
    /* Pressed; let go, moved, another button, with a modifier, in no place: nothing. */
    DECODES("Click x", "\033[<0;5;7M\033[<0;5;7m\033[<32;5;7M\033[<2;5;7M\033[<4;5;7M\033[<0;0;7M"
                       "\033[<0;5M\033[<0Mx");
    DECODES("Place Place F3 Shift+F3 x", "\033[24;4R\033[1;1R\033OR\033[1;2R\033[5Rx");
    DECODES("Dark Light x", "\033[?997;1n\033[?997;2n\033[?997;3n\033[?997n\033[?996;1n"
                            "\033[997;1nx");
    DECODES("F20 a", "\033[[odda");
    DECODES("Alt+[", "\033[");
    DECODES("Alt+O", "\033O");
}

/* Every way to cut a sequence in two gives the same key, and never text. */
void test_decode_split(void **state)
{
    (void)state;
    ui_locale();
    static const char *const sequences[] = {"\033[A", "\033OA", "\033[1;5C", "\033[24~",
                                            "\033[27;2;13~", "\033[<64;1;1M", "\033\033[A", "漢"};
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        char whole[100], cut[100], first[32];
        decode_pieces((const char *const[]){sequences[i], "z", NULL}, whole, sizeof whole);
        for (size_t n = 1; n < strlen(sequences[i]); n++) {
            memcpy(first, sequences[i], n);
            first[n] = 0;
            decode_pieces((const char *const[]){first, sequences[i] + n, "z", NULL}, cut,
                          sizeof cut);
            /* Two ESC in a row are Esc and something else as soon as that is known. */
            if (strncmp(sequences[i], "\033\033", 2) != 0 || n != 2)
                assert_string_equal(cut, whole);
        }
    }
}

/* What means nothing is dropped whole: unknown sequences, C1 characters, bytes that
 * are no UTF-8. */
void test_decode_drops(void **state)
{
    (void)state;
    ui_locale();
    DECODES("a b", "a\033[?1;2cb");
    DECODES("a b", "a\033[Ib");
    DECODES("a b", "a\033[99~b");
    DECODES("a Place b", "a\033[1;1Rb"); /* which term.c takes */
    DECODES("a b", "a\xC2\x85\xC2\x80\xC2\x9F" "b");
    DECODES("a b", "a\xFF\xC3" "b");
    DECODES("a", "a\xE6\xBC");
    DECODES("a", "a\033[12;");
    DECODES("Up", "\033[999999999999999999999;1A");
    char flood[2000] = "\033[";
    memset(flood + 2, '1', 1900);
    char got[8000];
    decode_pieces((const char *const[]){flood, "~", NULL}, got, sizeof got);
}

void test_decode_paste(void **state)
{
    (void)state;
    ui_locale();
    struct decode d = {0};
    struct key k;
    const char *bytes = "a\033[200~one\r\ntwo\rthr\033[31mee\x07\xC2\x85\t漢\xFF\033[201~b";
    /* One byte at a time: the end marker is cut everywhere. */
    int keys = 0;
    for (size_t i = 0; i < strlen(bytes); i++) {
        decode_feed(&d, bytes + i, 1, 0);
        while (decode_key(&d, 0, &k)) {
            keys++;
            if (keys == 2) {
                assert_int_equal(k.code, KEYCODE_PASTE);
                assert_string_equal(k.text, "one\ntwo\nthr[31mee\t漢");
                assert_int_equal(k.bytes, strlen(k.text));
            }
        }
    }
    assert_int_equal(keys, 3);
    assert_int_equal(k.ch, 'b');

    /* The end never comes: what came is handed over, and keys work again. */
    decode_feed(&d, "\033[200~lost\033[2", 13, 1000);
    assert_false(decode_key(&d, 1000 + DECODE_PASTE_MS - 1, &k));
    assert_int_equal(decode_wait_ms(&d, 1000), DECODE_PASTE_MS);
    assert_true(decode_key(&d, 1000 + DECODE_PASTE_MS, &k));
    assert_int_equal(k.code, KEYCODE_PASTE);
    assert_string_equal(k.text, "lost[2");
    decode_feed(&d, "x", 1, 9000);
    assert_true(decode_key(&d, 9000, &k));
    assert_int_equal(k.ch, 'x');
    decode_release(&d);
}

void test_decode_waits(void **state)
{
    (void)state;
    struct decode d = {0};
    struct key k;
    assert_int_equal(decode_wait_ms(&d, 0), -1);
    decode_feed(&d, "\033", 1, 100);
    assert_false(decode_key(&d, 100, &k));
    assert_int_equal(decode_wait_ms(&d, 110), DECODE_ESC_MS - 10);
    assert_false(decode_key(&d, 100 + DECODE_ESC_MS - 1, &k));
    assert_true(decode_key(&d, 100 + DECODE_ESC_MS, &k));
    assert_int_equal(k.code, KEYCODE_ESC);
    assert_int_equal(decode_wait_ms(&d, 200), -1);
    decode_release(&d);
}

static struct decode_answers answers(const char *bytes)
{
    struct decode_answers a;
    decode_answers(bytes, strlen(bytes), &a);
    return a;
}

/* A paste that is not marked goes on behind the end of a line; what a person types does not. */
void test_decode_burst(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool paste;
    } rows[] = {{"int main(void)\rreturn 0; /* and so on */\r", true},
                {"a line of text that is longer\nthan most and its second one", true},
                {"one long line that was typed ahead, and sent\r", false},
                {"yes\rno\r", false},
                {"\033[A\033[B a line of text that is longer\rthan most", false},
                {"all of it without the end of a line, however long it gets", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (decode_burst(rows[i].text, strlen(rows[i].text)) != rows[i].paste)
            fail_msg("'%s'", rows[i].text);
    assert_false(decode_burst("", 0));
}

/* What a terminal says of itself; what it says too late is no text. */
void test_decode_answers(void **state)
{
    (void)state;
    static const char *const light[] = {"\033]11;rgb:ffff/ffff/ffff\a", "x\033]11;rgb:f/f/8\033\\",
                                        "\033]11;rgba:80/ff/00/00\a"};
    static const char *const dark[] = {"\033]11;rgb:0/0/ffff\a", "\033]11;rgb:80/70/00\a"};
    static const char *const none[] = {"", "\033]11;?\a", "\033]11;rgb:g/g/g\a", "\033]11;rgb:",
                                       "\033]11;rgb:ff/ff\a", "\033]10;rgb:ff/ff/ff\a", "\033"};
    for (size_t i = 0; i < sizeof light / sizeof *light; i++)
        assert_true(answers(light[i]).background && answers(light[i]).light);
    for (size_t i = 0; i < sizeof dark / sizeof *dark; i++)
        assert_true(answers(dark[i]).background && !answers(dark[i]).light);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(answers(none[i]).background);
    assert_true(answers("\033[?62;4c").attributes);
    assert_false(answers("\033[62;4c").attributes || answers("\033[?62;4").attributes);
    assert_true(answers("\033[?2026;1$y").sync && answers("\033[?2026;2$y").sync);
    assert_false(answers("\033[?2026;0$y").sync || answers("\033[?2004;1$y").sync);
    for (size_t i = 0; i < sizeof light / sizeof *light; i++) {
        struct decode d = {0};
        struct key k;
        const char *osc = strchr(light[i], '\033');
        for (const char *p = osc; *p; p++) {
            assert_false(decode_key(&d, 0, &k));
            decode_feed(&d, p, 1, 0);
        }
        assert_true(decode_key(&d, 0, &k) && k.code == KEYCODE_LIGHT);
        assert_int_equal(decode_wait_ms(&d, 0), -1);
        decode_release(&d);
    }
    /* However long its rest is on its way. */
    static const char *const slow[] = {"\033]11;rgb:ff", "ff/ffff/ff", "ff\033", "\\", "\033[?62",
                                       ";4c", "\033]11;rgb:ffff/nonsense\a"};
    struct decode s = {0};
    struct key said;
    int lights = 0;
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
        decode_feed(&s, slow[i], strlen(slow[i]), (int64_t)i * 2000);
        while (decode_key(&s, (int64_t)i * 2000 + 1999, &said)) {
            assert_int_equal(said.code, KEYCODE_LIGHT);
            lights++;
        }
    }
    assert_int_equal(lights, 1);
    decode_release(&s);
    struct decode d = {0};
    struct key k;
    decode_feed(&d, "\033]", 2, 0); /* Alt+] is a key still */
    assert_true(decode_key(&d, 1000, &k) && k.mod == KEY_ALT && k.ch == ']');
    decode_feed(&d, "\033]1\rz", 5, 1000);
    assert_true(decode_key(&d, 1000, &k) && k.code == KEYCODE_ENTER);
    decode_release(&d);
}

/* Whatever bytes come, in whatever pieces: no crash, and no C1 or control character as text. */
void test_decode_noise(void **state)
{
    (void)state;
    ui_locale();
    static const char alphabet[] = "\033\033\033[[O];;0123456789ABCHFRMmu~^<?"
                                   "\r\n\x9B\xC2\x85\xE6\xFF z";
    struct ui_random r = {7};
    for (int round = 0; round < 300; round++) {
        struct decode d = {0};
        struct key k;
        int64_t now = 0;
        for (int i = 0; i < 200; i++) {
            char piece[8];
            size_t n = 1 + ui_random(&r, sizeof piece);
            for (size_t j = 0; j < n; j++)
                piece[j] = alphabet[ui_random(&r, sizeof alphabet - 1)];
            decode_feed(&d, piece, n, now);
            now += ui_random(&r, 3) ? 0 : 6000;
            while (decode_key(&d, now, &k))
                assert_false(k.code == KEYCODE_CHAR &&
                             (k.ch < 0x20 || (k.ch >= 0x7F && k.ch < 0xA0)));
        }
        decode_release(&d);
    }
}

void test_keymap_sequences(void **state)
{
    (void)state;
    struct key x, e, comma;
    assert_true(key_parse("Ctrl+X", &x) && key_parse("Ctrl+E", &e) && key_parse(",", &comma));
    assert_int_equal(keymap_sequence(CONTEXT_EDITOR, &x, &e), ACTION_EDIT);
    assert_int_equal(keymap_sequence(CONTEXT_EDITOR, &x, &x), ACTION_NONE);
    assert_int_equal(keymap_sequence(CONTEXT_EDITOR, &e, &e), ACTION_NONE);
    assert_int_equal(keymap_sequence(CONTEXT_READER, &x, &e), ACTION_NONE);
    assert_int_equal(keymap_action(CONTEXT_EDITOR, &x), ACTION_NONE);
    assert_int_equal(keymap_action(CONTEXT_EDITOR, &e), ACTION_NONE);
    assert_int_equal(keymap_action(CONTEXT_EDITOR, &comma), ACTION_NONE);
    assert_true(keymap_begins(CONTEXT_EDITOR, &x));
    assert_false(keymap_begins(CONTEXT_EDITOR, &e));
    assert_false(keymap_begins(CONTEXT_READER, &x));
}

void test_field_types(void **state)
{
    (void)state;
    struct buf text = {0};
    struct key k = {.code = KEYCODE_BACKSPACE};
    assert_false(field_key(&text, &k)); /* nothing is there */
    k = (struct key){.code = KEYCODE_PASTE, .text = "one\ntwo", .bytes = 7};
    assert_true(field_key(&text, &k));
    k = (struct key){.code = KEYCODE_CHAR, .ch = 0x6F22};
    assert_true(field_key(&text, &k));
    assert_string_equal(buf_text(&text), "one漢");
    k.mod = KEY_CTRL;
    assert_false(field_key(&text, &k));
    k = (struct key){.code = KEYCODE_BACKSPACE};
    assert_true(field_key(&text, &k));
    assert_string_equal(buf_text(&text), "one");
    buf_release(&text);
}

/* ---- other keys ---------------------------------------------------------------------------- */

static void refused(const char *keys, enum key_context c, const char *want)
{
    char msg[200] = "";
    assert_false(keymap_bind(c, keys, ACTION_UNDO, msg, sizeof msg));
    assert_string_equal(msg, want);
}

static enum action meaning(enum key_context c, const char *name)
{
    struct key k;
    assert_true(key_parse(name, &k));
    return keymap_action(c, &k);
}

void test_keymap_binds(void **state)
{
    (void)state;
    char msg[200], name[40];
    struct key x, u;
    ui_locale();
    assert_true(keymap_bind(CONTEXT_EDITOR, "F2", ACTION_UNDO, msg, sizeof msg));
    assert_int_equal(meaning(CONTEXT_EDITOR, "F2"), ACTION_UNDO);
    assert_int_equal(meaning(CONTEXT_READER, "F2"), ACTION_TOGGLE);
    assert_string_equal(keymap_help(ACTION_TOGGLE)->keys_editor, "Ctrl+T");
    assert_string_equal(keymap_help(ACTION_UNDO)->keys_editor, "F2");
    assert_true(keymap_bind(CONTEXT_EDITOR, "Ctrl+x,Ctrl+u", ACTION_UNDO, msg, sizeof msg));
    assert_string_equal(keymap_help(ACTION_UNDO)->keys_editor, "F2 Ctrl+X,Ctrl+U");
    assert_true(key_parse("Ctrl+X", &x) && key_parse("Ctrl+U", &u));
    assert_int_equal(keymap_sequence(CONTEXT_EDITOR, &x, &u), ACTION_UNDO);
    assert_true(keymap_bind(CONTEXT_EDITOR, "Ctrl+T", ACTION_NONE, msg, sizeof msg));
    assert_string_equal(keymap_help(ACTION_TOGGLE)->keys_editor, "");
    assert_int_equal(meaning(CONTEXT_EDITOR, "Ctrl+T"), ACTION_NONE);
    assert_false(keymap_short(CONTEXT_EDITOR, ACTION_TOGGLE, name, sizeof name));
    assert_true(keymap_bind(CONTEXT_READER, "x", ACTION_HELP, msg, sizeof msg));
    assert_true(keymap_short(CONTEXT_READER, ACTION_HELP, name, sizeof name));
    assert_string_equal(name, "?");
    refused("x", CONTEXT_EDITOR, "x is text in the editor");
    refused("Ctrl+M", CONTEXT_READER, "Ctrl+M is the same key as Enter");
    refused("Ctrl+X", CONTEXT_EDITOR, "Ctrl+X begins the keys of edit");
    refused("F4,x", CONTEXT_EDITOR, "F4,x begins with a key of open");
    refused("Foo", CONTEXT_EDITOR, "Foo is no key");
    refused("Paste", CONTEXT_EDITOR, "Paste is no key");
    refused("a\033b", CONTEXT_READER, "a^[b is no key");
    bool full = false;
    for (int i = 1; i <= 24 && !full; i++) {
        snprintf(name, sizeof name, "Ctrl+Shift+F%d", i);
        full = !keymap_bind(CONTEXT_READER, name, ACTION_UNDO, msg, sizeof msg);
    }
    assert_true(full && strstr(msg, "is one key too many for undo"));
    keymap_reset();
    assert_int_equal(meaning(CONTEXT_EDITOR, "F2"), ACTION_TOGGLE);
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        assert_int_equal(keymap_named(keymap_name((enum action)a)), a);
    assert_int_equal(keymap_named("scroll-up"), ACTION_SCROLL_UP);
    assert_int_equal(keymap_named("ctx"), ACTION_CONTEXT);
    assert_int_equal(keymap_named(""), ACTION_COUNT);
}

/* What a key stands for in a list or beside two answers. */
static void stands(enum over_context c, const char *name, const char *want)
{
    struct key k, out;
    char label[40] = "nothing";
    assert_true(key_parse(name, &k));
    if (overmap_key(c, &k, &out))
        key_label(&out, label, sizeof label);
    assert_string_equal(label, want);
}

void test_overmap(void **state)
{
    (void)state;
    static const struct {
        enum over_context context;
        const char *key, *action, *want;
    } wrong[] = {{OVER_LIST, "x", "down", "x is text in a list"},
                 {OVER_LIST, "Foo", "down", "Foo is no key for list"},
                 {OVER_PANES, "Ctrl+X,x", "keep-first", "Ctrl+X,x is no key for panes"},
                 {OVER_PANES, "Paste", "keep-first", "Paste is no key for panes"},
                 {OVER_LIST, "F5", "keep-both", "keep-both is no action of list"}};
    char msg[200], name[40];
    overmap_reset();
    stands(OVER_LIST, "Down", "Down");
    stands(OVER_LIST, "x", "x");
    assert_true(overmap_bind(OVER_LIST, "Ctrl+N", "down", msg, sizeof msg));
    assert_true(overmap_bind(OVER_LIST, "Down", "none", msg, sizeof msg));
    assert_true(overmap_bind(OVER_LIST, "Up", "page-up", msg, sizeof msg));
    stands(OVER_LIST, "Ctrl+N", "Down");
    stands(OVER_LIST, "Down", "nothing");
    stands(OVER_LIST, "Up", "PgUp");
    stands(OVER_PANES, "Ctrl+N", "Ctrl+N");
    assert_true(overmap_bind(OVER_PANES, "l", "keep-first", msg, sizeof msg));
    stands(OVER_PANES, "l", "1");
    stands(OVER_PANES, "1", "1");
    overmap_short(OVER_LIST, "page-up", name, sizeof name);
    assert_string_equal(name, "Up");
    overmap_short(OVER_LIST, "up", name, sizeof name);
    assert_string_equal(name, "");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(overmap_bind(wrong[i].context, wrong[i].key, wrong[i].action, msg,
                                  sizeof msg));
        assert_string_equal(msg, wrong[i].want);
    }
    bool full = false;
    for (int i = 1; i <= 96 && !full; i++) {
        static const char *const mods[] = {"Ctrl+", "Alt+", "Ctrl+Alt+", "Alt+Shift+"};
        snprintf(name, sizeof name, "%sF%d", mods[(i - 1) / 24], (i - 1) % 24 + 1);
        full = !overmap_bind(OVER_LIST, name, "down", msg, sizeof msg);
    }
    assert_true(full && strstr(msg, "is one key too many for list"));
    overmap_reset();
    stands(OVER_LIST, "Down", "Down");
}

static void collect(void *data, const char *msg)
{
    buf_printf(data, "%s\n", msg);
}

static void reads(const char *text, const char *want)
{
    struct buf said = {0};
    keymap_reset();
    keyfile_read(text, strlen(text), "keys", collect, &said);
    assert_string_equal(buf_text(&said), want);
    buf_release(&said);
}

void test_keyfile(void **state)
{
    (void)state;
    ui_locale();
    reads("", "");
    reads("# nothing\n\n   \t\n#", "");
    reads("editor F5 retry\r\n  reader\tx  scroll-up\nboth F6 undo # word", "");
    assert_int_equal(meaning(CONTEXT_EDITOR, "F5"), ACTION_RETRY);
    assert_int_equal(meaning(CONTEXT_READER, "x"), ACTION_SCROLL_UP);
    assert_int_equal(meaning(CONTEXT_EDITOR, "F6"), ACTION_UNDO);
    assert_int_equal(meaning(CONTEXT_READER, "F6"), ACTION_UNDO);
    reads("editor F5\neditor F5 a b\nnowhere F5 undo\neditor F5 nothing\neditor F99 undo\n"
          "editor F7 undo\n",
          "keys: line 1: a line is 'WHERE KEYS ACTION'\n"
          "keys: line 2: a line is 'WHERE KEYS ACTION'\n"
          "keys: line 3: 'nowhere' is neither editor, reader, both, list nor panes\n"
          "keys: line 4: there is no action 'nothing'\nkeys: line 5: 'F99' is no key\n");
    assert_int_equal(meaning(CONTEXT_EDITOR, "F7"), ACTION_UNDO); /* what is right is taken */
    reads("reader Ctrl+A undo\nreader Ctrl+a retry\n",
          "keys: line 2: Ctrl+A in the reader has an action from line 1\n");
    assert_int_equal(meaning(CONTEXT_READER, "Ctrl+A"), ACTION_UNDO);
    reads("editor Enter newline\n", "keys: send has no key any more\n");
    reads("editor Enter newline\neditor Alt+Enter send\n", "");
    reads("editor Tab none\neditor \033[2J undo\n",
          "keys: line 2: '^[[2J' is no key\nkeys: complete has no key any more\n");
    struct buf said = {0}, big = {0};
    keymap_reset();
    keyfile_read("a\0b", 3, "keys", collect, &said);
    assert_string_equal(buf_text(&said), "keys: line 1: holds a zero byte\n");
    while (big.bytes <= KEYFILE_BYTES_MAX)
        buf_puts(&big, "editor F5 undo ");
    buf_clear(&said);
    keyfile_read(buf_text(&big), big.bytes, "keys", collect, &said);
    assert_string_equal(buf_text(&said), "keys: longer than 65536 bytes\n");
    big.bytes = 60000;
    buf_clear(&said);
    keyfile_read(buf_text(&big), big.bytes, "keys", collect, &said);
    assert_string_equal(buf_text(&said), "keys: line 1: a line is 'WHERE KEYS ACTION'\n");
    buf_release(&said);
    buf_release(&big);
    keymap_reset();
    overmap_reset();
}
