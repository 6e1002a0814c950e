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

/* The key that a name of a list stands for; *next is the name behind a comma, NULL if there is
 * none: a sequence. */
static bool name_key(const char *name, size_t bytes, struct key *k, const char **next)
{
    char one[32];
    const char *comma = bytes > 1 ? memchr(name + 1, ',', bytes - 1) : NULL;
    size_t n = comma ? (size_t)(comma - name) : bytes;
    *next = comma ? comma + 1 : NULL;
    if (!n || n >= sizeof one)
        return false;
    memcpy(one, name, n);
    one[n] = 0;
    return key_parse(one, k);
}

/* Does the list of key names hold this key, or with `second` the sequence of both? With any, the
 * beginning of a sequence is enough. */
static bool holds_key(const char *list, const struct key *k, const struct key *second, bool any)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        const char *rest;
        struct key have;
        bool first = name_key(at, n, &have, &rest) && key_same(&have, k);
        if (first && !rest && !second && !any)
            return true;
        if (first && rest && any)
            return true;
        if (first && rest && second && name_key(rest, n - (size_t)(rest - at), &have, &rest) &&
            key_same(&have, second))
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

enum action keymap_action(enum key_context c, const struct key *k)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        if (holds_key(actions[a].keys[c], k, NULL, false))
            return (enum action)a;
    return ACTION_NONE;
}

enum action keymap_sequence(enum key_context c, const struct key *first, const struct key *second)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        if (holds_key(actions[a].keys[c], first, second, false))
            return (enum action)a;
    return ACTION_NONE;
}

bool keymap_begins(enum key_context c, const struct key *k)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        if (holds_key(actions[a].keys[c], k, NULL, true))
            return true;
    return false;
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
