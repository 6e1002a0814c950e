/* keymap.c -- see keymap.h. */
#include "ui/keymap.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { KEYS_BYTES = 120, NAME_BYTES = 32 };

/* The strings of action.def, in the order of enum action. */
static const struct {
    const char *id, *command, *args, *help, *keys[CONTEXT_COUNT];
} actions[ACTION_COUNT] = {
    {"", "", "", "", {"", ""}},
#define ACTION(id, command, args, editor, reader, help) \
    {#id, sizeof command > 1 ? "/" command : "", args, help, {editor, reader}},
#include "ui/action.def"
#undef ACTION
};

static const char *const contexts[CONTEXT_COUNT] = {"editor", "reader"};

/* What is in force: lists of keys, filled from action.def before the first use. */
static char lists[ACTION_COUNT][CONTEXT_COUNT][KEYS_BYTES];
static struct action_help helps[ACTION_COUNT];
static char names[ACTION_COUNT][NAME_BYTES];
static bool filled;

static void fill_name(int a)
{
    const char *from = *actions[a].command ? actions[a].command + 1 : actions[a].id;
    snprintf(names[a], sizeof names[a], "%s", from);
    for (char *p = names[a]; *p; p++)
        *p = *p == '_' ? '-' : *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
}

void keymap_reset(void)
{
    for (int a = 0; a < ACTION_COUNT; a++) {
        for (int c = 0; c < CONTEXT_COUNT; c++)
            snprintf(lists[a][c], KEYS_BYTES, "%s", actions[a].keys[c]);
        helps[a] = (struct action_help){lists[a][CONTEXT_EDITOR], lists[a][CONTEXT_READER],
                                        actions[a].command, actions[a].args, actions[a].help};
        fill_name(a);
    }
    filled = true;
}

static char *list_of(int a, enum key_context c)
{
    if (!filled)
        keymap_reset();
    return lists[a][c];
}

const char *keymap_context(enum key_context c)
{
    return contexts[c];
}

/* ---- looking up --------------------------------------------------------------------------- */

/* What one name of a list stands for: a key, or two of them. */
struct keys {
    struct key first, second;
    bool two;
};

static bool parse_one(const char *name, size_t bytes, struct key *k)
{
    char one[32];
    if (!bytes || bytes >= sizeof one)
        return false;
    memcpy(one, name, bytes);
    one[bytes] = 0;
    return key_parse(one, k);
}

static bool parse_keys(const char *name, size_t bytes, struct keys *out)
{
    const char *comma = bytes > 1 ? memchr(name + 1, ',', bytes - 1) : NULL;
    size_t n = comma ? (size_t)(comma - name) : bytes;
    *out = (struct keys){.two = comma != NULL};
    return parse_one(name, n, &out->first) &&
           (!comma || parse_one(comma + 1, bytes - n - 1, &out->second));
}

static bool same_keys(const struct keys *a, const struct keys *b)
{
    return a->two == b->two && key_same(&a->first, &b->first) &&
           (!a->two || key_same(&a->second, &b->second));
}

/* The name in a list of keys that stands for these; NULL if there is none. */
static const char *find_keys(const char *list, const struct keys *want)
{
    struct keys have;
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        if (parse_keys(at, n, &have) && same_keys(&have, want))
            return at;
        at += n + (at[n] == ' ');
    }
    return NULL;
}

static enum action owner(enum key_context c, const struct keys *k)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        if (find_keys(list_of(a, c), k))
            return (enum action)a;
    return ACTION_NONE;
}

enum action keymap_action(enum key_context c, const struct key *k)
{
    return owner(c, &(struct keys){.first = *k});
}

enum action keymap_sequence(enum key_context c, const struct key *first, const struct key *second)
{
    return owner(c, &(struct keys){*first, *second, true});
}

/* An action with a sequence that begins with this key. */
static enum action begins(enum key_context c, const struct key *k)
{
    struct keys have;
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        for (const char *at = list_of(a, c); *at;) {
            size_t n = strcspn(at, " ");
            if (parse_keys(at, n, &have) && have.two && key_same(&have.first, k))
                return (enum action)a;
            at += n + (at[n] == ' ');
        }
    return ACTION_NONE;
}

bool keymap_begins(enum key_context c, const struct key *k)
{
    return begins(c, k) != ACTION_NONE;
}

bool keymap_short(enum key_context c, enum action a, char *out, size_t bytes)
{
    const char *best = NULL;
    size_t least = 0;
    for (const char *at = list_of(a, c); *at;) {
        size_t n = strcspn(at, " ");
        if (!best || n < least) {
            best = at;
            least = n;
        }
        at += n + (at[n] == ' ');
    }
    snprintf(out, bytes, "%.*s", (int)least, best ? best : "");
    return best != NULL;
}

enum action keymap_command(const char *name, size_t bytes)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++)
        if (bytes && strlen(actions[a].command) == bytes + 1 &&
            memcmp(actions[a].command + 1, name, bytes) == 0)
            return (enum action)a;
    return ACTION_NONE;
}

const char *keymap_name(enum action a)
{
    assert(a > ACTION_NONE && a < ACTION_COUNT);
    list_of(a, CONTEXT_EDITOR);
    return names[a];
}

enum action keymap_named(const char *name)
{
    int a = ACTION_NONE + 1;
    while (a < ACTION_COUNT && strcmp(keymap_name((enum action)a), name) != 0)
        a++;
    return (enum action)a;
}

const struct action_help *keymap_help(enum action a)
{
    assert(a > ACTION_NONE && a < ACTION_COUNT);
    list_of(a, CONTEXT_EDITOR);
    return &helps[a];
}

/* ---- binding ------------------------------------------------------------------------------ */

static void spell_keys(const struct keys *k, char *out, size_t bytes)
{
    char first[32], second[32] = "";
    key_label(&k->first, first, sizeof first);
    if (k->two)
        key_label(&k->second, second, sizeof second);
    snprintf(out, bytes, "%s%s%s", first, k->two ? "," : "", second);
}

bool keymap_keys(const char *keys, char *out, size_t bytes)
{
    struct keys k;
    if (!parse_keys(keys, strlen(keys), &k))
        return false;
    spell_keys(&k, out, bytes);
    return true;
}

/* Keys that a terminal cannot tell from others. */
static const char *const twins[][2] = {
    {"Ctrl+M", "Enter"}, {"Ctrl+I", "Tab"}, {"Ctrl+H", "Backspace"}, {"Ctrl+[", "Esc"}};

/* What speaks against a key that begins or is a binding. */
static bool check_key(enum key_context c, const struct keys *k, const char *name, char *msg,
                      size_t bytes)
{
    struct key twin;
    bool typed = k->first.code == KEYCODE_CHAR && !k->first.mod;
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (key_parse(twins[i][0], &twin) && key_same(&twin, &k->first))
            return key_refuse(msg, bytes, name, "is the same key as ", twins[i][1]);
    if (!key_is_pressed(&k->first))
        return key_refuse(msg, bytes, name, "is no key", "");
    if (typed && c == CONTEXT_EDITOR)
        return key_refuse(msg, bytes, name, "is text in the editor", "");
    enum action other = k->two ? keymap_action(c, &k->first) : begins(c, &k->first);
    if (other != ACTION_NONE && k->two)
        return key_refuse(msg, bytes, name, "begins with a key of ", keymap_name(other));
    if (other != ACTION_NONE)
        return key_refuse(msg, bytes, name, "begins the keys of ", keymap_name(other));
    return true;
}

static void take_away(char *list, const struct keys *k)
{
    char *at = (char *)find_keys(list, k);
    if (!at)
        return;
    size_t n = strcspn(at, " ");
    char *rest = at + n + (at[n] == ' ');
    memmove(at, rest, strlen(rest) + 1);
    n = strlen(list);
    if (n && list[n - 1] == ' ')
        list[n - 1] = 0;
}

bool keymap_bind(enum key_context c, const char *keys, enum action a, char *msg, size_t msg_bytes)
{
    struct keys k;
    char name[72];
    if (!parse_keys(keys, strlen(keys), &k))
        return key_refuse(msg, msg_bytes, keys, "is no key", "");
    if (!check_key(c, &k, keys, msg, msg_bytes))
        return false;
    spell_keys(&k, name, sizeof name);
    size_t used = strlen(list_of(a, c));
    if (a != ACTION_NONE && used + strlen(name) + 2 > KEYS_BYTES)
        return key_refuse(msg, msg_bytes, keys, "is one key too many for ", keymap_name(a));
    for (int i = ACTION_NONE + 1; i < ACTION_COUNT; i++)
        take_away(lists[i][c], &k);
    used = strlen(lists[a][c]);
    if (a != ACTION_NONE)
        snprintf(lists[a][c] + used, KEYS_BYTES - used, "%s%s", used ? " " : "", name);
    return true;
}
