/* transcript.h -- the conversation as rows: messages as text, wrapped in a cache, scrolled.
 *
 * Holds its own copy of the display text; the conversation stays the truth. Appending wraps only
 * the tail. Scrolling sticks to the end while the view is at the end. */
#ifndef DUET_UI_TRANSCRIPT_H
#define DUET_UI_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/buf.h"
#include "ui/grid.h"
#include "ui/theme.h"

struct transcript;

enum entry_kind {
    ENTRY_USER,
    ENTRY_ANSWER,
    ENTRY_THINKING, /* foldable: folded it is one line, "thought 812 tok, 9.4 s" */
    ENTRY_NOTE,
    ENTRY_ERROR,
};

struct transcript *transcript_new(void);
void transcript_free(struct transcript **t);
void transcript_clear(struct transcript *t);

/* Adds an entry. label stands at its left ("you", "Flash"; "" = none) in label_style. Returns its
 * number, counted from 0. */
int transcript_add(struct transcript *t, enum entry_kind kind, const char *label,
                   enum style label_style);

/* Nothing will be appended to the last entry: what its text leaves open is taken as it is. */
void transcript_end(struct transcript *t);

/* Appends raw text (whole UTF-8 characters, control characters are made visible) to entry i. */
void transcript_append(struct transcript *t, int i, const char *text, size_t bytes);

/* The line of a folded thinking entry, and whether thinking is folded (for all). */
void transcript_summary(struct transcript *t, int i, const char *text);

/* Takes the first such sign of a note away, and what stands behind it. */
void transcript_trim(struct transcript *t, int i, char sign);

/* Adds a mark to the line of each thought from entry `from` on that does not end in it. */
void transcript_mark_thoughts(struct transcript *t, int from, const char *mark);
void transcript_fold(struct transcript *t, bool folded);

/* A row of what was drawn last was pointed at: folded thinking there is unfolded, for itself, or
 * folded again. False: there is none. */
bool transcript_point(struct transcript *t, int row);
bool transcript_folded(const struct transcript *t);
bool transcript_thoughts(const struct transcript *t); /* whether there is any thinking */

/* ASCII forms of the signs it draws. */
void transcript_ascii(struct transcript *t, bool ascii);

int transcript_count(const struct transcript *t);
void transcript_cut(struct transcript *t, int n); /* keeps the first n entries */

/* rows > 0 scrolls forward. transcript_to(true): to the end, and sticks there. */
void transcript_scroll(struct transcript *t, int rows);
void transcript_to(struct transcript *t, bool end);

/* Rows below the view: 0 = at the end. */
int transcript_below(struct transcript *t);

/* To the beginning of a question: the one before what is shown first (step -1) or behind it (1),
 * else to the beginning or the end. False: the view is there already. */
bool transcript_turn(struct transcript *t, int step);

/* The number of the question that the view is at, counted from 0: at the end the last one, else
 * the one that is shown first or was asked before it; -1 if there is none. */
int transcript_question(struct transcript *t);

/* Looks for a text in any case of letters, "" for none, and shows the first place at or behind
 * what is shown first. Folded thinking is left out. */
void transcript_find(struct transcript *t, const char *text, size_t bytes);
void transcript_find_next(struct transcript *t, bool forward); /* round the ends */

/* How many places there are, and which of them it stands at, counted from 1; 0 = at none. */
int transcript_found(struct transcript *t, int *now);

/* Stretches of entries that are drawn in a style of their own, until others are set (n = 0: none)
 * or their entry goes: by entry and place, without overlaps. Copied. */
struct stretch {
    int entry;
    size_t at, bytes;
    enum style style;
};
void transcript_mark(struct transcript *t, const struct stretch *s, int n);

/* Part k, thinking or answer, of the reply to the last question, as an entry; -1: there is none. */
int transcript_part(const struct transcript *t, int k);

/* Shows the place of this byte of an entry, if the view does not show it already. */
void transcript_show(struct transcript *t, int entry, size_t at);

/* Append what is to be copied. The last answer as it was written, and block of code n of the
 * answer in view: the last one shown that has it, else the nearest before, else behind. False:
 * there is none. */
bool transcript_answer(const struct transcript *t, struct buf *out);

/* Appends question i, from 0, and all that was answered to it. False: there is none. */
bool transcript_turn_text(const struct transcript *t, int i, struct buf *out);
bool transcript_code(struct transcript *t, int n, struct buf *out);

/* Appends all of it with its labels, as it was written but fit to be sent to a terminal. Folded
 * thinking is left out. Notes and errors are wrapped at so many columns (0: they are not); what was
 * said has its own lines, so that it can be copied as it is. */
void transcript_plain(const struct transcript *t, int cols, struct buf *out);

/* Draws into the rectangle and remembers its size for scrolling. */
void transcript_draw(struct transcript *t, struct grid *g, int row, int col, int rows, int cols);

#endif
