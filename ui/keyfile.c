/* keyfile.c -- see keyfile.h. */
#include "ui/keyfile.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ui/keymap.h"
#include "ui/text.h"

enum { WORD_BYTES = 64, GIVEN_MAX = 256, BOTH = CONTEXT_COUNT };

struct given {
    char keys[WORD_BYTES];
    enum key_context context;
    int line;
};

struct reading {
    const char *name;
    int line;
    void (*say)(void *data, const char *msg);
    void *data;
    struct given given[GIVEN_MAX];
    int n;
};

/* A message about the line; line 0 = about the file. */
static void say(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct reading *r, const char *fmt, ...)
{
    char what[200];
    struct buf msg = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    text_display(&msg, r->name, strlen(r->name));
    if (r->line)
        buf_printf(&msg, ": line %d", r->line);
    buf_puts(&msg, ": ");
    text_display(&msg, what, text_whole(what, strlen(what)));
    r->say(r->data, buf_text(&msg));
    buf_release(&msg);
}

/* The next word of the line; false if there is none, or one that is too long for anything. */
static bool next_word(const char **at, const char *end, char out[WORD_BYTES])
{
    const char *p = *at;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    const char *from = p;
    while (p < end && *p != ' ' && *p != '\t' && *p != '\r')
        p++;
    *at = p;
    size_t n = (size_t)(p - from);
    bool good = n > 0 && n < WORD_BYTES;
    memcpy(out, from, good ? n : 0);
    out[good ? n : 0] = 0;
    return good;
}

/* The line that gave these keys before, 0 if none did. */
static int given_before(const struct reading *r, enum key_context c, const char *keys)
{
    for (int i = 0; i < r->n; i++)
        if (r->given[i].context == c && strcmp(r->given[i].keys, keys) == 0)
            return r->given[i].line;
    return 0;
}

static void bind(struct reading *r, enum key_context c, const char *name, enum action a)
{
    char msg[160], keys[WORD_BYTES];
    if (!keymap_keys(name, keys, sizeof keys)) {
        say(r, "'%s' is no key", name);
        return;
    }
    int before = given_before(r, c, keys);
    if (before) {
        say(r, "%s in the %s has an action from line %d", keys, keymap_context(c), before);
        return;
    }
    if (!keymap_bind(c, keys, a, msg, sizeof msg)) {
        say(r, "%s", msg);
        return;
    }
    if (r->n < GIVEN_MAX) {
        struct given *g = &r->given[r->n++];
        *g = (struct given){.context = c, .line = r->line};
        snprintf(g->keys, sizeof g->keys, "%s", keys);
    }
}

static int parse_context(const char *word)
{
    for (int c = 0; c < CONTEXT_COUNT; c++)
        if (strcmp(word, keymap_context((enum key_context)c)) == 0)
            return c;
    return strcmp(word, "both") == 0 ? BOTH : -1;
}

static void read_line(struct reading *r, const char *at, const char *end)
{
    char where[WORD_BYTES], keys[WORD_BYTES], name[WORD_BYTES], more[WORD_BYTES];
    if (!next_word(&at, end, where) && at == end)
        return;
    if (*where == '#')
        return;
    if (!next_word(&at, end, keys) || !next_word(&at, end, name) ||
        (next_word(&at, end, more) && *more != '#')) {
        say(r, "a line is 'WHERE KEYS ACTION'");
        return;
    }
    int c = parse_context(where);
    enum action a = strcmp(name, "none") == 0 ? ACTION_NONE : keymap_named(name);
    if (c < 0)
        say(r, "'%s' is neither editor, reader nor both", where);
    else if (a == ACTION_COUNT)
        say(r, "there is no action '%s'", name);
    else
        for (int i = 0; i < CONTEXT_COUNT; i++)
            if (c == i || c == BOTH)
                bind(r, (enum key_context)i, keys, a);
}

/* Actions that had a key and can be reached in no way now. */
static void tell_lost(struct reading *r)
{
    r->line = 0;
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        if (!*h->keys_editor && !*h->keys_reader && !*h->command)
            say(r, "%s has no key any more", keymap_name((enum action)a));
    }
}

void keyfile_read(const char *text, size_t bytes, const char *name,
                  void (*tell)(void *data, const char *msg), void *data)
{
    struct reading r = {.name = name, .say = tell, .data = data};
    if (bytes > KEYFILE_BYTES_MAX) {
        say(&r, "longer than %d bytes", KEYFILE_BYTES_MAX);
        return;
    }
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - text) - at : bytes - at;
        r.line++;
        if (memchr(text + at, 0, n))
            say(&r, "holds a zero byte");
        else
            read_line(&r, text + at, text + at + n);
        at += n + 1;
    }
    tell_lost(&r);
}
