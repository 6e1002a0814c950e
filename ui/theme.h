/* theme.h -- colour roles. The program names roles, never colours; a theme file maps them.
 *
 * A theme is JSON: { "name": "dark", "roles": { "header": {"fg": "bright-white", "bg": "blue",
 * "attr": ["bold"]}, ... } }. Colours: the 16 ANSI names, "default", or 0..255. */
#ifndef DUET_UI_THEME_H
#define DUET_UI_THEME_H

#include <stdbool.h>
#include <stddef.h>

enum style {
#define STYLE(id, name, fallback, help) STYLE_##id,
#include "ui/style.def"
#undef STYLE
    STYLE_COUNT
};

enum { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_UNDERLINE = 4, ATTR_REVERSE = 8, ATTR_ITALIC = 16 };

struct theme_role {
    short fg, bg;   /* -1 = the terminal's own, 0..255 */
    unsigned attr;
};

struct theme {
    char name[32];
    struct theme_role role[STYLE_COUNT];
};

/* Parses a theme. On failure *t is untouched and msg names the place: "line 3: no colour 'blu'".
 * name is used in messages. */
bool theme_parse(struct theme *t, const char *text, size_t bytes, const char *name, char *msg,
                 size_t msg_bytes);

/* One of the themes compiled in from themes/: "dark", "mono"; NULL if there is none. The text of
 * its file. theme_builtin_name(i): their names, NULL after the last. */
const char *theme_builtin(const char *name);
const char *theme_builtin_name(int i);

const char *style_name(enum style s);

#endif
