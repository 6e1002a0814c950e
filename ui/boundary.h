/* boundary.h -- where a piece of Markdown ends that no later text can change. Pure.
 *
 * Careful rather than exact: an end that is not found costs time, one that is wrong would show
 * other rows than the whole text has. */
#ifndef DUET_UI_BOUNDARY_H
#define DUET_UI_BOUNDARY_H

#include <stdbool.h>
#include <stddef.h>

/* A line that opens a block of code at the first column. */
struct fence {
    char sign;         /* '`' or '~'; 0 = it is no fence */
    unsigned count;    /* of the signs */
    const char *info;  /* what stands behind them, borrowed */
    size_t info_bytes;
    bool whole;        /* its line is finished */
};

struct boundary {
    size_t end;      /* where the piece ends */
    bool safe;       /* whatever is added to the text, it will end there */
    bool definition; /* it may hold a link definition that is not a plain one */
};

/* The length of the first line and its line end; *ended: it has one. */
size_t boundary_line(const char *text, size_t bytes, bool *ended);

/* The line as an opening fence. */
void boundary_fence(const char *text, size_t bytes, struct fence *f);

/* Is the first line the end of the block that began with this fence? */
bool boundary_closes(const char *text, size_t bytes, const struct fence *f);

/* The length of the first line, if a piece that begins with it begins with a plain link definition:
 * label, address and perhaps a title on one line; 0 if not. While it or what follows is not there
 * yet, *decided is false, unless nothing will follow (last). */
size_t boundary_definition(const char *text, size_t bytes, bool last, bool *decided);

/* The piece at the beginning of the text, which is no fence and no plain definition. */
void boundary_find(const char *text, size_t bytes, struct boundary *b);

/* The start of an unfinished last line that may yet become a mark of any kind ("-", "=="): it is
 * not to be read as Markdown. bytes if there is none. */
size_t boundary_unsure(const char *text, size_t bytes);

#endif
