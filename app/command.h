/* command.h -- a typed line: a command, or a question. */
#ifndef DUET_APP_COMMAND_H
#define DUET_APP_COMMAND_H

#include "app/talk.h"
#include "ui/keymap.h"

/* Carries a line out: "/name args" is a command, "/flash text" a question in that mode, "//x" the
 * question "/x", anything else a question. Commands that are the front's own (help, the list of
 * sessions, quit, scrolling, theme) come back as their action, with *args pointing into the line;
 * ACTION_NONE = all done. */
enum action command_line(struct talk *t, const char *line, const char **args);

#endif
