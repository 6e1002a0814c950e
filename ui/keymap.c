/* keymap.c -- see keymap.h. */
#include "ui/keymap.h"

#include <assert.h>
#include <string.h>

/* The strings of action.def, in the order of enum action. */
static const struct {
    const char *command, *keys[CONTEXT_COUNT];
} actions[ACTION_COUNT] = {
    {"", {"", ""}},
#define ACTION(id, command, args, editor, reader, help) {command, {editor, reader}},
#include "ui/action.def"
#undef ACTION
};

static const struct action_help helps[ACTION_COUNT] = {
    {"", "", "", "", ""},
#define ACTION(id, command, args, editor, reader, help) \
    {editor, reader, sizeof command > 1 ? "/" command : "", args, help},
#include "ui/action.def"
#undef ACTION
};

/* Does the list of key names hold this key? */
static bool holds_key(const char *list, const struct key *k)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        char name[32];
        struct key have;
        if (n && n < sizeof name) {
            memcpy(name, at, n);
            name[n] = 0;
            if (key_parse(name, &have) && key_same(&have, k))
                return true;
        }
        at += n + (at[n] == ' ');
    }
    return false;
}

enum action keymap_action(enum key_context c, const struct key *k)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        if (holds_key(actions[a].keys[c], k))
            return (enum action)a;
    return ACTION_NONE;
}

enum action keymap_command(const char *name, size_t bytes)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        if (bytes && strlen(actions[a].command) == bytes &&
            memcmp(actions[a].command, name, bytes) == 0)
            return (enum action)a;
    return ACTION_NONE;
}

const struct action_help *keymap_help(enum action a)
{
    assert(a > ACTION_NONE && a < ACTION_COUNT);
    return &helps[a];
}
