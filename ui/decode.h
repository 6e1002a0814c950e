/* decode.h -- the bytes of a terminal -> keys. Pure: bytes and the time come in, keys go out.
 *
 * Escape sequences may arrive in any number of pieces. An ESC that nothing follows within
 * DECODE_ESC_MS is the key Esc; a longer sequence that stays unfinished is dropped, and so is
 * every sequence that means nothing here: it never becomes text. A paste whose end never comes is
 * given up after DECODE_PASTE_MS without a byte, and what came is handed over. Answers of the
 * terminal that come late mean nothing here too.
 *
 * Real U+0080..U+009F are dropped: inside the program these codes are the editor's own keys. */
#ifndef DUET_UI_DECODE_H
#define DUET_UI_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/buf.h"
#include "ui/key.h"

enum {
    DECODE_ESC_MS = 25,
    DECODE_SEQUENCE_MS = 250,
    DECODE_ANSWER_MS = 5000, /* an answer that nobody types: its rest is no text, however late */
    DECODE_PASTE_MS = 5000,
    DECODE_PASTE_MAX = 16 << 20, /* bytes of one paste; more is dropped */
    DECODE_SEQUENCES = 48,       /* own sequences of a terminal type */
};

struct decode {
    struct buf in;    /* bytes from `at` on are not decoded yet */
    size_t at;
    int64_t fed_ms;   /* when the last bytes came */
    bool pasting;
    struct buf paste; /* the paste being collected, then the one handed over */
    struct {
        char bytes[16];
        size_t n;
        struct key key;
    } own[DECODE_SEQUENCES];
    int n_own;
};

void decode_release(struct decode *d);

/* A sequence of this terminal (from terminfo): ESC and at least one more byte. Others and those
 * that no longer fit are ignored. */
void decode_define(struct decode *d, const char *sequence, struct key key);

void decode_feed(struct decode *d, const char *bytes, size_t n, int64_t now_ms);

/* The next key, if one is complete (or given up waiting for) at this time. */
bool decode_key(struct decode *d, int64_t now_ms, struct key *k);

/* Whether bytes that came at once are a paste that the terminal did not mark: text that goes on
 * behind the end of a line, faster than anybody types. */
bool decode_burst(const char *bytes, size_t n);

/* The answers of a terminal to what term.c asks it, among bytes that may hold anything else. */
struct decode_answers {
    bool background; /* OSC 11: the colour behind the text is known */
    bool light;      /* and it is nearer to white than to black */
    bool sync;       /* DECRQM: it knows synchronised output */
    bool attributes; /* DA1, which every terminal answers: nothing follows */
};
void decode_answers(const char *bytes, size_t n, struct decode_answers *a);

/* The column, from 1, of the last answer among the bytes that says the cursor is in this row, from
 * 1; 0 = there is none. */
int decode_column(const char *bytes, size_t n, int row);

/* How long to wait for more bytes before decode_key() may say something new; -1 = for ever. */
int decode_wait_ms(const struct decode *d, int64_t now_ms);

#endif
