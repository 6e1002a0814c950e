/* aloud.h -- what the reader does on the screen, as lines: for the front without a screen. */
#ifndef DUET_APP_ALOUD_H
#define DUET_APP_ALOUD_H

#include <stdbool.h>
#include <stddef.h>

#include "app/talk.h"

/* As copy_text(); the last turn is the one in view. */
bool aloud_copy(const struct talk *t, const char *what, char *msg, size_t msg_bytes);

/* Prints the lines in which a text stands, each with its turn, and how many there are. */
void aloud_search(const struct talk *t, const char *text);

void aloud_all(const struct talk *t, bool thoughts);     /* prints the conversation */
bool aloud_pager(struct talk *t, bool thoughts, char *msg, size_t msg_bytes); /* in $PAGER */

/* A message written in the editor, malloc'd; NULL: none, and msg says why. */
char *aloud_edit(struct talk *t, const char *draft, char *msg, size_t msg_bytes);

/* Prints the last messages of all sessions. */

/* Appends the last question and its answer, as aloud_all() prints them; nothing if there is
 * none. */
void aloud_last(const struct talk *t, struct buf *out);
void aloud_history(const struct talk *t);
void aloud_signs(const char *text); /* as signs_tell() */

#endif
