/* look.c -- how the screen looks: the theme that is taken at the start, and any other later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/loop.h"
#include "ui/term.h"

enum { ANSWER_MS = 100 }; /* a terminal that is asked for its background has this long */

/* "foreground;background" in the environment, of some terminals. */
static bool environment_light(void)
{
    const char *colors = getenv("COLORFGBG");
    const char *back = colors ? strrchr(colors, ';') : NULL;
    return back && (strcmp(back, ";7") == 0 || strcmp(back, ";15") == 0);
}

static const char *fitting(void)
{
    enum term_background b = term_ask(ANSWER_MS);
    bool light = b == TERM_UNKNOWN ? environment_light() : b == TERM_LIGHT;
    return light ? "light" : "dark";
}

bool look_start(struct loop *l, const struct options *o, char *msg, size_t msg_bytes)
{
    struct paths paths;
    struct err err;
    const char *name = o->theme && strcmp(o->theme, "auto") != 0 ? o->theme : fitting();
    if (!paths_init(&paths, &err)) {
        snprintf(msg, msg_bytes, "%s", err.msg);
        return false;
    }
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
    bool good = take_named(l, name, msg, sizeof msg);
    if (good)
        snprintf(msg, sizeof msg, "theme %s; a line 'theme = %s' in the config file keeps it",
                 l->theme.name, name);
    loop_hint(l, !good, msg);
}
