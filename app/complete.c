/* complete.c -- see complete.h. */
#include "app/complete.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "app/fit.h"
#include "app/mode.h"
#include "app/set.h"
#include "ui/keymap.h"
#include "ui/text.h"
#include "ui/theme.h"

/* What has been typed of the word, and what the candidates have in common behind it. */
struct word {
    const char *typed;
    size_t bytes;
    struct buf common; /* of all candidates, whole */
    struct buf choices;
    int n;
};

static void candidate(struct word *w, const char *name)
{
    if (strncmp(name, w->typed, w->bytes) != 0)
        return;
    if (w->n++ == 0) {
        buf_puts(&w->common, name);
    } else {
        size_t same = 0;
        while (same < w->common.bytes && name[same] == w->common.data[same])
            same++;
        w->common.bytes = text_whole(w->common.data, same);
        buf_puts(&w->choices, "  ");
    }
    buf_puts(&w->choices, name);
}

static void commands(struct word *w)
{
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const char *command = keymap_help((enum action)a)->command;
        if (*command)
            candidate(w, command + 1);
    }
}

static void modes(struct word *w)
{
    for (int i = 0; i < mode_count(); i++)
        candidate(w, mode_get((enum mode_id)i)->name);
}

static void sessions(struct word *w, const struct store_entry *e, int n)
{
    for (int i = 0; i < n; i++) {
        candidate(w, e[i].title);
        if (strcmp(e[i].title, e[i].id) != 0)
            candidate(w, e[i].id);
    }
}

static void settings(struct word *w)
{
    for (int i = 0; set_name(i); i++)
        candidate(w, set_name(i));
}

static void words(struct word *w, const char *const *word, int n)
{
    for (int i = 0; i < n; i++)
        candidate(w, word[i]);
}

static void fits(struct word *w)
{
    for (int c = FIT_NONE + 1; c < FIT_COUNT; c++)
        candidate(w, fit_name((enum fit_choice)c));
}

static void themes(struct word *w)
{
    for (int i = 0; theme_builtin_name(i); i++)
        candidate(w, theme_builtin_name(i));
}

/* The files of the folder that the word names. */
static void files(struct word *w)
{
    struct buf folder = {0};
    size_t slash = w->bytes;
    while (slash && w->typed[slash - 1] != '/')
        slash--;
    buf_append(&folder, w->typed, slash);
    DIR *d = opendir(slash ? buf_text(&folder) : ".");
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        struct buf path = {0};
        buf_printf(&path, "%s%s%s", buf_text(&folder), e->d_name, e->d_type == DT_DIR ? "/" : "");
        if (e->d_name[0] != '.' || w->typed[slash] == '.')
            candidate(w, buf_text(&path));
        buf_release(&path);
    }
    if (d)
        closedir(d);
    buf_release(&folder);
}

static const char *const answers[] = {"yes", "no", "on", "off"}; /* to a suggestion */

static void formats(struct word *w)
{
    candidate(w, "md ");
    candidate(w, "json ");
}

/* The arguments of a command; typed holds all of them. */
static bool arguments(struct word *w, enum action a, const struct store_entry *e, int n)
{
    size_t first = strcspn(w->typed, " ");
    switch (a) {
    case ACTION_MODE: modes(w); return true;
    case ACTION_DELETE:
    case ACTION_OPEN: sessions(w, e, n); return true;
    case ACTION_FIT: fits(w); return true;
    case ACTION_SET: settings(w); return true;
    case ACTION_SETTINGS: candidate(w, "default"); return true;
    case ACTION_SUGGEST: words(w, answers, 4); return true;
    case ACTION_THEME: themes(w); return true;
    case ACTION_ATTACH:
    case ACTION_IMPORT: files(w); return true;
    case ACTION_EXPORT:
        if (first < w->bytes) {
            w->typed += first + 1;
            w->bytes -= first + 1;
            files(w);
        } else {
            formats(w);
        }
        return true;
    default: return false;
    }
}

bool complete_line(const char *before, size_t bytes, const struct store_entry *session,
                   int n_session, struct buf *insert, struct buf *choices)
{
    struct buf line = {0};
    buf_append(&line, before, bytes);
    const char *text = buf_text(&line);
    size_t name = strcspn(text + (*text == '/'), " \n");
    struct word w = {.typed = text + 1, .bytes = name};
    bool may = *text == '/' && !memchr(text, '\n', line.bytes);
    if (may && text[1 + name] == ' ') {
        w.typed = text + 1 + name + 1;
        w.bytes = line.bytes - (size_t)(w.typed - text);
        may = arguments(&w, keymap_command(text + 1, name), session, n_session);
    } else if (may) {
        commands(&w);
        modes(&w);
    }
    bool found = may && w.n > 0;
    if (found) {
        buf_append(insert, buf_text(&w.common) + w.bytes, w.common.bytes - w.bytes);
        char last = w.common.bytes ? w.common.data[w.common.bytes - 1] : ' ';
        if (w.n == 1 && last != ' ' && last != '/')
            buf_puts(insert, " ");
        if (w.n > 1)
            buf_append(choices, w.choices.data, w.choices.bytes);
    }
    buf_release(&w.common);
    buf_release(&w.choices);
    buf_release(&line);
    return found;
}
