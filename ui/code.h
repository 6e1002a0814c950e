/* code.h -- colours of code: one lexer, and one row of a table for each language. Pure.
 *
 * A line is lexed from the state at its start, so that only lines that change are lexed again. A
 * language nobody knows has strings, numbers and comments. Lexing never fails. */
#ifndef DUET_UI_CODE_H
#define DUET_UI_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/theme.h"

struct code_lang;

/* The language of a word behind a fence, "" and unknown words included; never NULL. */
const struct code_lang *code_lang(const char *name, size_t bytes);

/* Its own name: "c", "python"; "" for the unknown one. code_lang_at(i): the i-th of the table,
 * NULL after the last. */
const char *code_lang_name(const struct code_lang *l);
const struct code_lang *code_lang_at(int i);

/* A line being lexed. Fill lang, state (0 at the first line of a block), line and bytes (without
 * the line end), zero the rest; after the last token `state` is what the next line begins with. */
struct code_line {
    const struct code_lang *lang;
    unsigned state;
    const char *line;
    size_t bytes;
    size_t at;
    unsigned unclosed; /* spans that do not end in this line, by number */
};

/* The next piece, at least one byte: pieces follow each other without a gap and make up the line.
 * False after the last one. */
bool code_next(struct code_line *c, size_t *bytes, enum style *s);

#endif
