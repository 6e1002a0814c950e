/* words.h -- a prompt as words, numbers, quoted pieces, marks and sentences: what patterns are
 * laid over (pattern.h). Pure.
 *
 * Only what a person says is read: the inside of a quoted piece is one word, and code blocks and
 * lines beginning with ">" are left out. Of a text longer than 8 KB the first and the last 4 KB
 * are read: what lies between is material, and the work is bounded. Any bytes may come. */
#ifndef DUET_APP_WORDS_H
#define DUET_APP_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum word_kind {
    WORD_PLAIN,  /* letters, digits, "_"; a hyphen parts words, an apostrophe does not */
    WORD_NUMBER, /* digits */
    WORD_QUOTED, /* between quotes or backticks */
    WORD_MARK,   /* one punctuation mark */
    WORD_BREAK,  /* a new line that is not a sentence going on; value 1: a list item follows,
                    2: a blank line stood before it */
};

struct word {
    enum word_kind kind;
    size_t at, bytes;          /* in the text */
    size_t inner, inner_bytes; /* the same without quotes */
    int value;                 /* of a number or a number word ("three"); -1 = none */
    int sentence;              /* index */
};

struct sentence {
    int first, end;            /* its words */
    bool question;             /* ends in "?" */
};

struct words {
    const char *text;          /* borrowed from the reader's caller */
    size_t bytes;
    struct word *word;         /* [n], owned */
    int n;
    struct sentence *sentence; /* [n_sentence], owned */
    int n_sentence;
};

/* Reads a text, which must live as long as w. Release with words_release(). */
void words_read(struct words *w, const char *text, size_t bytes);
void words_release(struct words *w);

/* The value of a number word such as "three", "single" or "twenty"; -1 if it is none. */
int words_value(const char *s, size_t bytes);

/* True if word i is this lower-case literal, in any case, apostrophes left out ("dont"). A quoted
 * word is compared by its inside. False for an i that is no word. */
bool words_equal(const struct words *w, int i, const char *literal, size_t bytes);

/* True if word i is one of "a|b|c". */
bool words_any(const struct words *w, int i, const char *alternatives);

/* True if word i has the same sentence as the word before it. */
bool words_same(const struct words *w, int i);

#endif
