/* overmap.c -- see overmap.h. */
#include "ui/overmap.h"

#include <string.h>

enum { BOUND_MAX = 64 };

static const struct {
    enum over_context context;
    const char *action, *key;
} rows[] = {
    {OVER_LIST, "up", "Up"},           {OVER_LIST, "down", "Down"},
    {OVER_LIST, "page-up", "PgUp"},    {OVER_LIST, "page-down", "PgDn"},
    {OVER_LIST, "first", "Home"},      {OVER_LIST, "last", "End"},
    {OVER_LIST, "choose", "Enter"},    {OVER_LIST, "close", "Esc"},
    {OVER_LIST, "rename", "F2"},       {OVER_LIST, "delete", "Del"},
    {OVER_LIST, "undelete", "Ctrl+U"}, {OVER_PANES, "keep-first", "1"},
    {OVER_PANES, "keep-second", "2"},  {OVER_PANES, "keep-both", "b"},
    {OVER_PANES, "close", "Esc"},      {OVER_PANES, "other", "Tab"},
};

enum { N_ROWS = sizeof rows / sizeof *rows };

static const char *const contexts[OVER_COUNT] = {"list", "panes"};

/* What is in force. */
static struct {
    struct key key;
    int row;
} bound[BOUND_MAX];
static int n_bound = -1; /* not filled yet */

void overmap_reset(void)
{
    n_bound = 0;
    for (int i = 0; i < N_ROWS; i++)
        if (key_parse(rows[i].key, &bound[n_bound].key))
            bound[n_bound++].row = i;
}

const char *overmap_context(enum over_context c)
{
    return contexts[c];
}

static int find_bound(enum over_context c, const struct key *k)
{
    if (n_bound < 0)
        overmap_reset();
    for (int i = 0; i < n_bound; i++)
        if (rows[bound[i].row].context == c && key_same(&bound[i].key, k))
            return i;
    return -1;
}

static int find_row(enum over_context c, const char *action)
{
    int i = 0;
    while (i < N_ROWS && (rows[i].context != c || strcmp(rows[i].action, action) != 0))
        i++;
    return i;
}

bool overmap_key(enum over_context c, const struct key *k, struct key *out)
{
    int at = find_bound(c, k);
    struct key own;
    *out = *k;
    if (at >= 0)
        return key_parse(rows[bound[at].row].key, out);
    for (int i = 0; i < N_ROWS; i++)
        if (rows[i].context == c && key_parse(rows[i].key, &own) && key_same(&own, k))
            return false;
    return true;
}

bool overmap_bind(enum over_context c, const char *key, const char *action, char *msg,
                  size_t msg_bytes)
{
    struct key k;
    int row = find_row(c, action);
    bool none = strcmp(action, "none") == 0;
    if (!key_parse(key, &k) || !key_is_pressed(&k))
        return key_refuse(msg, msg_bytes, key, "is no key for ", contexts[c]);
    if (c == OVER_LIST && k.code == KEYCODE_CHAR && !k.mod)
        return key_refuse(msg, msg_bytes, key, "is text in a list", "");
    if (row == N_ROWS && !none)
        return key_refuse(msg, msg_bytes, action, "is no action of ", contexts[c]);
    int at = find_bound(c, &k);
    if (at < 0 && n_bound == BOUND_MAX)
        return key_refuse(msg, msg_bytes, key, "is one key too many for ", contexts[c]);
    if (at >= 0)
        bound[at] = bound[--n_bound];
    if (!none) {
        bound[n_bound].key = k;
        bound[n_bound++].row = row;
    }
    return true;
}

void overmap_short(enum over_context c, const char *action, char *out, size_t bytes)
{
    int row = find_row(c, action);
    char name[32];
    size_t shortest = bytes;
    if (n_bound < 0)
        overmap_reset();
    *out = 0;
    for (int i = 0; i < n_bound; i++) {
        if (bound[i].row != row)
            continue;
        key_label(&bound[i].key, name, sizeof name);
        if (strlen(name) >= shortest)
            continue;
        shortest = strlen(name);
        memcpy(out, name, shortest + 1);
    }
}
