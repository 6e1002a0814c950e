/* key.h -- one key press as data. Pure: no terminal. */
#ifndef DUET_UI_KEY_H
#define DUET_UI_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The prefix keeps clear of the KEY_ macros of curses. */
enum key_code {
    KEYCODE_NONE,
    KEYCODE_CHAR,   /* ch holds the character; Ctrl+letter has mod KEY_CTRL and the small letter */
    KEYCODE_ENTER, KEYCODE_TAB, KEYCODE_BACKTAB, KEYCODE_ESC, KEYCODE_BACKSPACE, KEYCODE_DELETE,
    KEYCODE_INSERT, KEYCODE_UP, KEYCODE_DOWN, KEYCODE_LEFT, KEYCODE_RIGHT, KEYCODE_HOME,
    KEYCODE_END, KEYCODE_PGUP, KEYCODE_PGDN,
    KEYCODE_FN,     /* ch holds the number: 1 for F1 */
    KEYCODE_PASTE,  /* text, bytes: a whole bracketed paste, CR already turned into LF */
    KEYCODE_RESIZE, /* the terminal has another size */
    KEYCODE_WHEEL_UP, KEYCODE_WHEEL_DOWN,
    KEYCODE_CLICK,  /* row, col: the left button went down there */
    KEYCODE_PLACE,  /* row, col: the cursor is there, the terminal says */
    KEYCODE_WIDE,   /* the terminal draws the program's signs wider than they are */
    KEYCODE_SYNC,   /* it knows synchronised output, it says */
    KEYCODE_DARK, KEYCODE_LIGHT, /* the terminal's colours are now dark, or light */
    KEYCODE_EOF,    /* the terminal is gone */
};

enum { KEY_CTRL = 1, KEY_ALT = 2, KEY_SHIFT = 4 };

struct key {
    enum key_code code;
    unsigned mod;
    uint32_t ch;
    const char *text;   /* KEYCODE_PASTE only; borrowed until the next key is read */
    size_t bytes;
    int row, col;       /* KEYCODE_CLICK and KEYCODE_PLACE only, from 0 */
};

/* Names as in help and in a key file: "F2", "Ctrl+T", "Alt+Enter", "PgUp", "a", "?".
 * key_label() writes at most `bytes` bytes (key_name is taken by curses); key_parse() returns
 * false for what is no name. */
void key_label(const struct key *k, char *out, size_t bytes);
bool key_parse(const char *name, struct key *k);
bool key_same(const struct key *a, const struct key *b);

/* False: it is no key of a keyboard, and no action can be bound to it. */
bool key_is_pressed(const struct key *k);

/* "<what> <why><more>" to msg, what is from a file: shown harmlessly. Returns false. */
bool key_refuse(char *msg, size_t bytes, const char *what, const char *why, const char *more);

#endif
