/* key.c -- see key.h. */
#include "ui/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

/* Keys with a name of their own. Space stands for the character. */
static const struct {
    const char *name;
    enum key_code code;
    uint32_t ch;
} named[] = {
    {"Enter", KEYCODE_ENTER, 0},         {"Tab", KEYCODE_TAB, 0},
    {"Backtab", KEYCODE_BACKTAB, 0},     {"Esc", KEYCODE_ESC, 0},
    {"Backspace", KEYCODE_BACKSPACE, 0}, {"Del", KEYCODE_DELETE, 0},
    {"Ins", KEYCODE_INSERT, 0},          {"Up", KEYCODE_UP, 0},
    {"Down", KEYCODE_DOWN, 0},           {"Left", KEYCODE_LEFT, 0},
    {"Right", KEYCODE_RIGHT, 0},         {"Home", KEYCODE_HOME, 0},
    {"End", KEYCODE_END, 0},             {"PgUp", KEYCODE_PGUP, 0},
    {"PgDn", KEYCODE_PGDN, 0},           {"WheelUp", KEYCODE_WHEEL_UP, 0},
    {"WheelDown", KEYCODE_WHEEL_DOWN, 0}, {"Space", KEYCODE_CHAR, ' '},
    {"Paste", KEYCODE_PASTE, 0},         {"Resize", KEYCODE_RESIZE, 0},
    {"Eof", KEYCODE_EOF, 0},             {"Click", KEYCODE_CLICK, 0},
    {"Dark", KEYCODE_DARK, 0},           {"Light", KEYCODE_LIGHT, 0},
    {"Place", KEYCODE_PLACE, 0},         {"Wide", KEYCODE_WIDE, 0},
    {"Sync", KEYCODE_SYNC, 0},
};

enum { N_NAMED = (int)(sizeof named / sizeof named[0]), FN_MAX = 24 };

static const struct {
    const char *prefix;
    unsigned mod;
} mods[] = {{"Ctrl+", KEY_CTRL}, {"Alt+", KEY_ALT}, {"Shift+", KEY_SHIFT}};

enum { N_MODS = (int)(sizeof mods / sizeof mods[0]) };

/* The name without modifiers. */
static void base_name(const struct key *k, char *out, size_t bytes)
{
    for (int i = 0; i < N_NAMED; i++)
        if (named[i].code == k->code && named[i].ch == (k->code == KEYCODE_CHAR ? k->ch : 0)) {
            snprintf(out, bytes, "%s", named[i].name);
            return;
        }
    if (k->code == KEYCODE_FN) {
        snprintf(out, bytes, "F%u", (unsigned)k->ch);
        return;
    }
    char text[5] = "";
    if (k->code == KEYCODE_CHAR) {
        bool small = (k->mod & KEY_CTRL) && k->ch >= 'a' && k->ch <= 'z';
        text[text_encode(small ? k->ch - 32 : k->ch, text)] = 0;
    }
    snprintf(out, bytes, "%s", text);
}

void key_label(const struct key *k, char *out, size_t bytes)
{
    char base[16];
    base_name(k, base, sizeof base);
    snprintf(out, bytes, "%s%s%s%s", k->mod & KEY_CTRL ? "Ctrl+" : "",
             k->mod & KEY_ALT ? "Alt+" : "", k->mod & KEY_SHIFT ? "Shift+" : "", base);
}

static bool parse_fn(const char *name, struct key *k)
{
    char *end;
    if (name[0] != 'F' || name[1] < '1' || name[1] > '9')
        return false;
    unsigned long n = strtoul(name + 1, &end, 10);
    if (*end || n > FN_MAX)
        return false;
    k->code = KEYCODE_FN;
    k->ch = (uint32_t)n;
    return true;
}

static bool parse_char(const char *name, struct key *k)
{
    size_t used, bytes = strlen(name);
    if (!bytes)
        return false;
    k->code = KEYCODE_CHAR;
    k->ch = text_decode(name, bytes, &used);
    if ((k->mod & KEY_CTRL) && k->ch >= 'A' && k->ch <= 'Z')
        k->ch += 32;
    return used == bytes && text_showable(k->ch) && k->ch != 0xFFFD && !(k->mod & KEY_SHIFT);
}

bool key_parse(const char *name, struct key *k)
{
    struct key got = {0};
    for (int i = 0; i < N_MODS; i++) {
        size_t n = strlen(mods[i].prefix);
        if (strncmp(name, mods[i].prefix, n) == 0 && name[n]) {
            got.mod |= mods[i].mod;
            name += n;
        }
    }
    bool found = false;
    for (int i = 0; i < N_NAMED && !found; i++)
        if (strcmp(name, named[i].name) == 0) {
            got.code = named[i].code;
            got.ch = named[i].ch;
            found = true;
        }
    if (!found && !parse_fn(name, &got) && !parse_char(name, &got))
        return false;
    *k = got;
    return true;
}

bool key_same(const struct key *a, const struct key *b)
{
    if (a->code != b->code || a->mod != b->mod)
        return false;
    return (a->code != KEYCODE_CHAR && a->code != KEYCODE_FN) || a->ch == b->ch;
}

bool key_is_pressed(const struct key *k)
{
    return k->code != KEYCODE_PASTE && k->code != KEYCODE_RESIZE && k->code != KEYCODE_EOF &&
           k->code != KEYCODE_CLICK && k->code != KEYCODE_DARK && k->code != KEYCODE_LIGHT &&
           k->code != KEYCODE_PLACE && k->code != KEYCODE_WIDE && k->code != KEYCODE_SYNC;
}

bool key_refuse(char *msg, size_t bytes, const char *what, const char *why, const char *more)
{
    struct buf shown = {0};
    text_display(&shown, what, strlen(what));
    snprintf(msg, bytes, "%.60s %s%s", buf_text(&shown), why, more);
    buf_release(&shown);
    return false;
}
