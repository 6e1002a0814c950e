/* keymap.h -- which action a key means: from action.def, and as a keys file has changed it. No
 * terminal. The map is one for the program, and belongs to the thread that reads keys. */
#ifndef DUET_UI_KEYMAP_H
#define DUET_UI_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/key.h"

enum action {
    ACTION_NONE, /* the key belongs to the editor */
#define ACTION(id, command, args, editor, reader, help) ACTION_##id,
#include "ui/action.def"
#undef ACTION
    ACTION_COUNT
};

enum key_context { CONTEXT_EDITOR, CONTEXT_READER, CONTEXT_COUNT };
const char *keymap_context(enum key_context c); /* "editor", "reader" */

/* The action of a key, ACTION_NONE if it has none there. */
enum action keymap_action(enum key_context c, const struct key *k);

/* The same for two keys, one after the other ("Ctrl+X,Ctrl+E"); whether a key begins such. */
enum action keymap_sequence(enum key_context c, const struct key *first, const struct key *second);
bool keymap_begins(enum key_context c, const struct key *k);

/* The shortest name of a key of the action there; false: it has none. */
bool keymap_short(enum key_context c, enum action a, char *out, size_t bytes);

/* The action a typed command names, without its slash: "mode"; ACTION_NONE if there is none. */
enum action keymap_command(const char *name, size_t bytes);

/* An action by the name it has in a keys file: its command, or else "scroll-up"; ACTION_COUNT if
 * there is none. keymap_name() is the name. */
enum action keymap_named(const char *name);
const char *keymap_name(enum action a); /* a > ACTION_NONE */

/* The one spelling of a key, or of two with a comma between them. False: it is none. */
bool keymap_keys(const char *keys, char *out, size_t bytes);

/* Gives a key, or two with a comma between them, to an action there and takes it from the one that
 * had it; ACTION_NONE: the editor gets it. False: nothing has changed, and msg says why. */
bool keymap_bind(enum key_context c, const char *keys, enum action a, char *msg, size_t msg_bytes);
void keymap_reset(void); /* as action.def says */

/* One row of the help: keys "F2 Ctrl+T", command "/mode" or "", its arguments "NAME", text.
 * Borrowed until a key is bound. */
struct action_help {
    const char *keys_editor, *keys_reader, *command, *args, *help;
};
const struct action_help *keymap_help(enum action a); /* a > ACTION_NONE */

#endif
