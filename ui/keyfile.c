/* keyfile.c -- see keyfile.h. */
#include "ui/keyfile.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ui/keymap.h"
#include "ui/overmap.h"
#include "ui/text.h"

/* Places of a line: those of keymap.h, both of them, those of overmap.h. */
enum { WORD_BYTES = 64, GIVEN_MAX = 256, BOTH = CONTEXT_COUNT, OVER,
       N_PLACES = OVER + OVER_COUNT };

struct given {
    char keys[WORD_BYTES];
    int place;
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
static int given_before(const struct reading *r, int place, const char *keys)
{
    for (int i = 0; i < r->n; i++)
        if (r->given[i].place == place && strcmp(r->given[i].keys, keys) == 0)
            return r->given[i].line;
    return 0;
}

static const char *place_name(int place)
{
    return place >= OVER ? overmap_context((enum over_context)(place - OVER))
                         : place == BOTH ? "both" : keymap_context((enum key_context)place);
}

static void bind(struct reading *r, int place, const char *name, enum action a, const char *action)
{
    char msg[160], keys[WORD_BYTES];
    if (!keymap_keys(name, keys, sizeof keys)) {
        say(r, "'%s' is no key", name);
        return;
    }
    int before = given_before(r, place, keys);
    if (before) {
        say(r, "%s in the %s has an action from line %d", keys, place_name(place), before);
        return;
    }
    bool good = place >= OVER
                    ? overmap_bind((enum over_context)(place - OVER), keys, action, msg, sizeof msg)
                    : keymap_bind((enum key_context)place, keys, a, msg, sizeof msg);
    if (!good) {
        say(r, "%s", msg);
        return;
    }
    if (r->n < GIVEN_MAX) {
        struct given *g = &r->given[r->n++];
        *g = (struct given){.place = place, .line = r->line};
        snprintf(g->keys, sizeof g->keys, "%s", keys);
    }
}

static int parse_place(const char *word)
{
    int place = 0;
    while (place < N_PLACES && strcmp(word, place_name(place)) != 0)
        place++;
    return place;
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
    int place = parse_place(where);
    enum action a = strcmp(name, "none") == 0 ? ACTION_NONE : keymap_named(name);
    if (place == N_PLACES)
        say(r, "'%s' is neither editor, reader, both, list nor panes", where);
    else if (place < OVER && a == ACTION_COUNT)
        say(r, "there is no action '%s'", name);
    else
        for (int i = 0; i < N_PLACES; i++)
            if (i != BOTH && (place == i || (place == BOTH && i < BOTH)))
                bind(r, i, keys, a, name);
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
    for (int c = 0; c < OVER_COUNT; c++) {
        char name[32];
        overmap_short((enum over_context)c, "close", name, sizeof name);
        if (!*name)
            say(r, "no key closes the %s any more", overmap_context((enum over_context)c));
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
