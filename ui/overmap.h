/* overmap.h -- the keys of what lies over the conversation: lists, and two answers side by side.
 * Each action there has one key of its own, which is what lists and panes know; a keys file gives
 * it others, or takes that one away. No terminal. One for the program, as keymap.h. */
#ifndef DUET_UI_OVERMAP_H
#define DUET_UI_OVERMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/key.h"

enum over_context { OVER_LIST, OVER_PANES, OVER_COUNT };
const char *overmap_context(enum over_context c); /* "list", "panes" */

/* What a key stands for there: *out is the action's own key, or the key itself where it has no
 * action. False: it has none any more. */
bool overmap_key(enum over_context c, const struct key *k, struct key *out);

/* Gives a key to an action ("rename"), or to none. False: nothing has changed, msg says why. */
bool overmap_bind(enum over_context c, const char *key, const char *action, char *msg,
                  size_t msg_bytes);
void overmap_reset(void);

/* The shortest name of a key of the action, "" if it has none. */
void overmap_short(enum over_context c, const char *action, char *out, size_t bytes);

#endif
