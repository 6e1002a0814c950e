/* look.c -- what a person makes of the screen: themes, keys, and the keys that are named. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/loop.h"
#include "app/signs.h"
#include "ui/keyfile.h"
#include "ui/term.h"

/* As long has a terminal that is asked something; before the first frame, which would come late for
 * one that never answers, only so long: an answer behind it changes the colours then. */
enum { ANSWER_MS = 100, FIRST_MS = 25 };

/* "foreground;background" in the environment, of some terminals. */
static bool environment_light(void)
{
    const char *colors = getenv("COLORFGBG");
    const char *back = colors ? strrchr(colors, ';') : NULL;
    return back && (strcmp(back, ";7") == 0 || strcmp(back, ";15") == 0);
}

static const char *fitting(const struct loop *l)
{
    return l->light ? "light" : "dark";
}

static bool is_auto(const char *name)
{
    return !name || strcmp(name, "auto") == 0;
}

/* ---- keys --------------------------------------------------------------------------------- */

static void keys_wrong(void *data, const char *msg)
{
    struct loop *l = data;
    buf_printf(&l->keys_said, "%s\n", msg);
}

/* A keys file that is not there is none. */
static void keys_read(struct loop *l, const struct paths *p)
{
    char path[480], part[4096];
    struct buf text = {0};
    size_t n;
    snprintf(path, sizeof path, "%s/keys", p->config);
    FILE *f = fopen(path, "re");
    if (!f) {
        if (errno != ENOENT && errno != ENOTDIR)
            buf_printf(&l->keys_said, "%s: %s\n", path, strerror(errno));
        return;
    }
    while (text.bytes <= KEYFILE_BYTES_MAX && (n = fread(part, 1, sizeof part, f)) > 0)
        buf_append(&text, part, n);
    if (ferror(f))
        buf_printf(&l->keys_said, "%s: %s\n", path, strerror(errno));
    fclose(f);
    keyfile_read(buf_text(&text), text.bytes, path, keys_wrong, l);
    buf_release(&text);
}

void look_keys_said(struct loop *l)
{
    for (char *at = l->keys_said.data, *end; at && (end = strchr(at, '\n')); at = end + 1) {
        *end = 0;
        shown_note(l, true, at);
    }
}

/* What the status row names, while there is room: the keys of these actions, and what for. */
struct tip {
    enum action action[4];
    const char *what;
};

static const struct tip idle_tips[] = {
    {{ACTION_HELP}, "help"}, {{ACTION_TOGGLE}, "mode"}, {{ACTION_OPEN}, "sessions"}, {{0}, NULL}};
static const struct tip busy_tips[] = {
    {{ACTION_STOP}, "stop"}, {{ACTION_TOGGLE}, "mode"}, {{ACTION_HELP}, "help"}, {{0}, NULL}};
static const struct tip reader_tips[] = {
    {{ACTION_READER}, "back"},
    {{ACTION_SCROLL_DOWN, ACTION_SCROLL_UP, ACTION_TURN_BACK, ACTION_TURN_ON}, "move"},
    {{ACTION_SEARCH}, "search"}, {{ACTION_COPY_BLOCK, ACTION_COPY}, "copy"},
    {{ACTION_FOLD}, "thinking"}, {{ACTION_HELP}, "help"}, {{0}, NULL}};
static const struct tip found_tips[] = {
    {{ACTION_READER}, "back"}, {{ACTION_FIND_NEXT, ACTION_FIND_BACK}, "next"},
    {{ACTION_SEARCH}, "search"}, {{ACTION_TURN_BACK, ACTION_TURN_ON}, "turns"}, {{0}, NULL}};

/* Whether there is something that ACTION_STOP ends. */
static bool can_stop(const struct loop *l)
{
    const struct talk *t = &l->talk;
    return talk_busy(t) || t->state == TALK_RESUMING || talk_reads(t);
}

static void add_tip(struct buf *out, enum key_context c, const struct tip *t)
{
    char name[32];
    bool any = false;
    for (size_t i = 0; i < sizeof t->action / sizeof *t->action && t->action[i]; i++) {
        if (!keymap_short(c, t->action[i], name, sizeof name))
            continue;
        buf_printf(out, "%s%s", any ? " " : out->bytes ? "  " : "", name);
        any = true;
    }
    if (any)
        buf_printf(out, " %s", t->what);
}

const char *look_tips(struct loop *l)
{
    const struct tip *t = l->reader       ? (l->search.bytes ? found_tips : reader_tips)
                          : can_stop(l)   ? busy_tips
                                          : idle_tips;
    buf_clear(&l->tips);
    for (; t->what; t++)
        add_tip(&l->tips, l->reader ? CONTEXT_READER : CONTEXT_EDITOR, t);
    return buf_text(&l->tips);
}

/* ---- themes ------------------------------------------------------------------------------- */

bool look_start(struct loop *l, const struct options *o, char *msg, size_t msg_bytes)
{
    struct paths paths;
    struct err err;
    l->theme_fits = is_auto(o->theme);
    enum term_background b = l->theme_fits ? term_ask(FIRST_MS) : TERM_UNKNOWN;
    l->light = b == TERM_UNKNOWN ? environment_light() : b == TERM_LIGHT;
    if (!paths_init(&paths, &err)) {
        snprintf(msg, msg_bytes, "%s", err.msg);
        return false;
    }
    keys_read(l, &paths);
    const char *name = l->theme_fits ? fitting(l) : o->theme;
    return theme_load(&l->theme, &paths, name, msg, msg_bytes);
}

void look_take(struct loop *l, const struct theme *t)
{
    l->theme = *t;
    term_theme(&l->theme);
    l->dirty = true;
}

static bool take_named(struct loop *l, const char *name, char *msg, size_t msg_bytes)
{
    struct theme t;
    if (!theme_load(&t, &l->talk.paths, name, msg, msg_bytes))
        return false;
    look_take(l, &t);
    return true;
}

void look_show(struct loop *l, const char *name)
{
    char msg[200];
    if (!take_named(l, name, msg, sizeof msg))
        loop_hint(l, true, msg);
}

void look_theme(struct loop *l, const char *name)
{
    char msg[200];
    bool fits = is_auto(name), good = take_named(l, fits ? fitting(l) : name, msg, sizeof msg);
    l->theme_fits = good ? fits : l->theme_fits;
    if (good)
        snprintf(msg, sizeof msg, "theme %s; a line 'theme = %s' in the config file keeps it",
                 l->theme.name, name);
    loop_hint(l, !good, msg);
}

void look_colors(struct loop *l, bool light)
{
    bool same = l->light == light;
    l->light = light;
    if (same || !l->theme_fits || l->overlay == OVERLAY_THEMES)
        return;
    look_show(l, fitting(l));
}

/* ---- signs -------------------------------------------------------------------------------- */

/* A terminal that was silent once is not asked again. */
static int measure(void *data, const char *text, size_t bytes)
{
    bool *silent = data;
    int cells = *silent ? -1 : term_measure(text, bytes, ANSWER_MS);
    *silent = cells < 0;
    return cells;
}

void look_unicode(struct loop *l, const char *text)
{
    struct buf out = {0};
    bool silent = false;
    signs_tell(text, measure, &silent, &out);
    shown_note(l, false, buf_text(&out));
    buf_release(&out);
}

void look_mouse(struct loop *l, const char *args)
{
    bool on = strcmp(args, "on") == 0;
    if (*args && !on && strcmp(args, "off") != 0) {
        loop_hint(l, true, "/mouse on or off");
        return;
    }
    term_mouse(*args ? on : !term_has_mouse());
    loop_hint(l, false, term_has_mouse() ? "mouse on: text is selected with Shift" : "mouse off");
}

void look_wide(struct loop *l)
{
    if (l->wide || l->talk.options->ascii)
        return;
    l->wide = true;
    loop_hint(l, false, "this terminal draws … and ─ wide: ASCII signs instead");
}
