/* keymap.h -- which action a key means, from action.def. Pure. */
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

/* The action of a key, ACTION_NONE if it has none there. */
enum action keymap_action(enum key_context c, const struct key *k);

/* The same for two keys, one after the other ("Ctrl+X,Ctrl+E"); whether a key begins such. */
enum action keymap_sequence(enum key_context c, const struct key *first, const struct key *second);
bool keymap_begins(enum key_context c, const struct key *k);

/* The action a typed command names, without its slash: "mode"; ACTION_NONE if there is none. */
enum action keymap_command(const char *name, size_t bytes);

/* One row of the help: keys "F2 Ctrl+T", command "/mode" or "", its arguments "NAME", text. Static
 * storage. */
struct action_help {
    const char *keys_editor, *keys_reader, *command, *args, *help;
};
const struct action_help *keymap_help(enum action a); /* a > ACTION_NONE */

#endif
