/* demand.h -- what a prompt asks of the form of its answer, as far as a rule can read it.
 *
 * Read from the prompt alone, never from an answer key. Careful: what is not clearly worded is not
 * read, for a demand that was never made costs candidates and picks a worse answer. Wordings are
 * rows of demand.def. Pure; any bytes may come; of a long prompt both ends are read (words.h). */
#ifndef DUET_APP_DEMAND_H
#define DUET_APP_DEMAND_H

#include "app/piece.h"
#include "ui/buf.h"

enum demand_kind {
    DEMAND_JSON,   /* holds a JSON object or array */
    DEMAND_ONLY,   /* and nothing else; only beside JSON */
    DEMAND_KEY,    /* the JSON has a member named text */
    DEMAND_CODE,   /* a closed code block in language text ("" = any) */
    DEMAND_COUNT,  /* min..max of unit */
    DEMAND_OCCURS, /* text occurs min..max times; max 0: it must not */
    DEMAND_LOWER,  /* no capital letters */
    DEMAND_UPPER,  /* no small letters */
    DEMAND_BEGINS, /* with text */
    DEMAND_ENDS,
    DEMAND_CHOICE, /* one of the choices */
    DEMAND_NUMBER, /* one number and nothing else */
    DEMAND_SHAPE,  /* holds a stretch of shape text: "YYYY-MM-DD", "e-mail" */
    DEMAND_SHORT,  /* one line of a few words: "only the name" */
    DEMAND_KINDS
};

enum { DEMAND_MANY = 2147483647 }; /* max: no limit */

struct demand {
    enum demand_kind kind;
    enum piece_unit unit;
    int min, max;
    bool inside;       /* text counts inside of words too: a letter, a mark */
    char *text;        /* owned; "" = none */
    char *words;       /* owned: the words of the prompt it was read from, on one line */
    size_t at, bytes;  /* their place in the prompt */
};

/* An answer to choose: its letter ('A', or 0 in a plain list) and its text. */
struct choice {
    char letter;
    char *text;        /* owned */
};

struct demands {
    struct demand *demand; /* [n], owned */
    int n;
    struct choice *choice; /* [n_choice], owned; of DEMAND_CHOICE */
    int n_choice;
    bool asks_number;      /* the question is how many, how much, a sum: its answer is a number */
    bool fractions;        /* it allows fractions: 0.50 is 1/2 */
    unsigned signs;        /* of the units it asks in, see demand_sign() */
};

/* Reads a prompt. Release with demands_release(), which leaves none. */
void demands_read(struct demands *out, const char *prompt, size_t bytes);
void demands_release(struct demands *d);

/* Takes demand i out. */
void demands_drop(struct demands *d, int i);

/* The first demand of a kind; NULL: there is none. */
const struct demand *demands_find(const struct demands *d, enum demand_kind kind);

/* True if a pass says something of the whole answer: JSON, counts, words. False if it only gives
 * the form of a short answer, which may be wrong in any form: those are for a vote. */
bool demand_decides(const struct demand *d);

/* In plain words: "exactly 3 bullet points", "contains "apple"". */
void demand_describe(const struct demand *d, struct buf *out);

/* The sign of unit i of the bits of signs ("$", "%"); NULL beyond the last. */
const char *demand_sign(int i);

#endif
