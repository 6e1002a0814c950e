/* command.h -- a typed line: a command, or a question. */
#ifndef DUET_APP_COMMAND_H
#define DUET_APP_COMMAND_H

#include "app/doubt.h"
#include "app/talk.h"
#include "ui/keymap.h"

/* Carries a line out: "/name args" is a command, "/flash text" a question in that mode, "//x" the
 * question "/x", anything else a question. Commands that are the front's own (help, the list of
 * sessions, quit, scrolling, theme) come back as their action, with *args pointing into the line;
 * ACTION_NONE = all done. */
enum action command_line(struct talk *t, const char *line, const char **args);

/* "/branch N": goes back to before question N (without N to question `at`, counted from 0) in a
 * branch. Its text, malloc'd, to be asked otherwise; NULL: why not was said. */
char *command_branch(struct talk *t, const char *args, int at);

/* What "/reread N", "/reread N yes" and "/reread" name: a turn, or all of the context. */
struct reread {
    int from, to;      /* positions */
    int tokens;        /* that will be read; 0: it is held exactly already */
    bool yes;          /* and it was said to do so */
    char what[40];     /* "turn 3" */
    char price[100];   /* see slices_price() */
};

/* False: why not was said. */
bool command_reread(struct talk *t, const char *args, struct reread *out);

/* "/diff": appends the chosen answer compared with the one before it, as lines of diff.h under a
 * heading. False: why not was said. */
bool command_diff(struct talk *t, struct buf *heading, struct buf *lines);

/* The places of the last answer that the model was least sure of (doubt.h) and the reply they are
 * in, borrowed. NULL: why not was said. */
const struct reply *command_doubts(struct talk *t, struct doubts *out);

/* Asks Pro-Max about a place, in a turn of its own. */
void command_doubt(struct talk *t, const struct reply *r, const struct doubt *d);

#endif
