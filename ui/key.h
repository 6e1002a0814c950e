/* key.h -- one key press as data. Pure: no terminal. */
#ifndef DUET_UI_KEY_H
#define DUET_UI_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_code {
    KEY_NONE,
    KEY_CHAR,       /* ch holds the character; Ctrl+letter has mod KEY_CTRL and the small letter */
    KEY_ENTER, KEY_TAB, KEY_BACKTAB, KEY_ESC, KEY_BACKSPACE_, KEY_DELETE_, KEY_INSERT,
    KEY_UP_, KEY_DOWN_, KEY_LEFT_, KEY_RIGHT_, KEY_HOME_, KEY_END_, KEY_PGUP, KEY_PGDN,
    KEY_FN,         /* ch holds the number: 1 for F1 */
    KEY_PASTE,      /* text, bytes: a whole bracketed paste, CR already turned into LF */
    KEY_RESIZE_,    /* the terminal has another size */
    KEY_WHEEL_UP, KEY_WHEEL_DOWN,
    KEY_EOF,        /* the terminal is gone */
};

enum { KEY_CTRL = 1, KEY_ALT = 2, KEY_SHIFT = 4 };

struct key {
    enum key_code code;
    unsigned mod;
    uint32_t ch;
    const char *text;   /* KEY_PASTE only; borrowed until the next key is read */
    size_t bytes;
};

/* Names as in help and in a key file: "F2", "Ctrl+T", "Alt+Enter", "PgUp", "a", "?".
 * key_name() writes at most `bytes` bytes; key_parse() returns false for what is no name. */
void key_name(const struct key *k, char *out, size_t bytes);
bool key_parse(const char *name, struct key *k);
bool key_same(const struct key *a, const struct key *b);

#endif
