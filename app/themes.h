/* themes.h -- themes by name: those compiled in, and the person's own in
 * $XDG_CONFIG_HOME/duet/themes/NAME.json. */
#ifndef DUET_APP_THEMES_H
#define DUET_APP_THEMES_H

#include "app/paths.h"
#include "ui/theme.h"

struct names {
    char **name; /* [n], owned */
    int n, cap;
};
void names_release(struct names *l);

/* Adds the names of all themes: first those compiled in, then the person's own, each in order. */
void theme_names(const struct paths *p, struct names *out);

/* A theme by name, or by the path of its file. On failure *t is untouched, and msg says why. */
bool theme_load(struct theme *t, const struct paths *p, const char *name, char *msg,
                size_t msg_bytes);

#endif
