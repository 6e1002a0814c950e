/* theme.c -- see theme.h. The only file of this room that includes cJSON.
 *
 * The files under themes/ are compiled in: the Makefile turns them into build/ui/themes.inc. */
#include "ui/theme.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ui/buf.h"
#include "ui/text.h"

enum { THEME_BYTES_MAX = 65536 };

static const struct {
    const char *name;
    enum style falls_to;
} styles[STYLE_COUNT] = {
#define STYLE(id, name, fallback, help) {name, STYLE_##fallback},
#include "ui/style.def"
#undef STYLE
};

static const struct {
    const char *name, *text;
} builtin[] = {
#include "ui/themes.inc"
};

enum { N_BUILTIN = (int)(sizeof builtin / sizeof builtin[0]) };

static const char *const colors[] = {
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "bright-black",
    "bright-red", "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan",
    "bright-white",
};

static const struct {
    const char *name;
    unsigned attr;
} attrs[] = {
    {"bold", ATTR_BOLD},       {"dim", ATTR_DIM},       {"underline", ATTR_UNDERLINE},
    {"reverse", ATTR_REVERSE}, {"italic", ATTR_ITALIC},
};

/* What parsing needs for its messages. cJSON keeps no places: the line is found by looking for
 * the words again, from the role on. */
struct source {
    const char *name, *text;
    const char *at; /* the role being read, NULL before the first */
    char *msg;
    size_t msg_bytes;
};

static int line_of(const struct source *s, const char *at)
{
    int line = 1;
    for (const char *p = s->text; p < at && *p; p++)
        line += *p == '\n';
    return line;
}

/* The place of "word" in quotes at or behind `from`; NULL if it is written in some other way. */
static const char *find_word(const char *from, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = strchr(from, '"'); p; p = strchr(p + 1, '"'))
        if (strncmp(p + 1, word, n) == 0 && p[n + 1] == '"')
            return p;
    return NULL;
}

/* Always false. word is looked for to name the line. The text of a file may hold anything: the
 * message is made safe to show. */
static bool fail(const struct source *s, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(const struct source *s, const char *word, const char *fmt, ...)
{
    char what[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    const char *from = s->at ? s->at : s->text, *at = word ? find_word(from, word) : NULL;
    struct buf out = {0};
    buf_printf(&out, "%s: line %d: ", s->name, line_of(s, at ? at : from));
    text_display(&out, what, text_whole(what, strlen(what)));
    snprintf(s->msg, s->msg_bytes, "%s", buf_text(&out));
    buf_release(&out);
    return false;
}

static bool parse_color(const struct source *s, const char *role, const cJSON *v, short *out)
{
    if (cJSON_IsNumber(v)) {
        if (v->valuedouble != v->valueint || v->valueint < 0 || v->valueint > 255)
            return fail(s, NULL, "%s: a colour number is 0 to 255", role);
        *out = (short)v->valueint;
        return true;
    }
    if (!cJSON_IsString(v))
        return fail(s, NULL, "%s: a colour is a name or a number", role);
    if (strcmp(v->valuestring, "default") == 0) {
        *out = -1;
        return true;
    }
    for (int i = 0; i < 16; i++)
        if (strcmp(v->valuestring, colors[i]) == 0) {
            *out = (short)i;
            return true;
        }
    return fail(s, v->valuestring, "%s: no colour '%s'", role, v->valuestring);
}

static bool parse_attr(const struct source *s, const char *role, const cJSON *list, unsigned *out)
{
    if (!cJSON_IsArray(list))
        return fail(s, NULL, "%s: attr is a list of names", role);
    const cJSON *v;
    cJSON_ArrayForEach(v, list) {
        const char *name = cJSON_IsString(v) ? v->valuestring : "";
        size_t i = 0, n = sizeof attrs / sizeof attrs[0];
        while (i < n && strcmp(attrs[i].name, name) != 0)
            i++;
        if (i == n)
            return fail(s, name, "%s: no attribute '%s'", role, name);
        *out |= attrs[i].attr;
    }
    return true;
}

static bool parse_role(const struct source *s, const cJSON *v, struct theme_role *out)
{
    *out = (struct theme_role){-1, -1, 0};
    if (!cJSON_IsObject(v))
        return fail(s, NULL, "%s: a role is {\"fg\": .., \"bg\": .., \"attr\": [..]}", v->string);
    const cJSON *field;
    cJSON_ArrayForEach(field, v) {
        bool good;
        if (strcmp(field->string, "fg") == 0)
            good = parse_color(s, v->string, field, &out->fg);
        else if (strcmp(field->string, "bg") == 0)
            good = parse_color(s, v->string, field, &out->bg);
        else if (strcmp(field->string, "attr") == 0)
            good = parse_attr(s, v->string, field, &out->attr);
        else
            good = fail(s, field->string, "%s: no field '%s'", v->string, field->string);
        if (!good)
            return false;
    }
    return true;
}

static bool parse_roles(struct source *s, const cJSON *roles, struct theme *t)
{
    bool given[STYLE_COUNT] = {false};
    const cJSON *v;
    cJSON_ArrayForEach(v, roles) {
        int i = 0;
        while (i < STYLE_COUNT && strcmp(styles[i].name, v->string) != 0)
            i++;
        if (i == STYLE_COUNT)
            return fail(s, v->string, "no role '%s'", v->string);
        const char *place = find_word(s->text, "roles");
        s->at = place ? find_word(place + 1, v->string) : NULL;
        if (!parse_role(s, v, &t->role[i]))
            return false;
        s->at = NULL;
        given[i] = true;
    }
    /* Fallbacks stand before the roles that need them in style.def. */
    for (int i = 0; i < STYLE_COUNT; i++)
        if (!given[i])
            t->role[i] = i == STYLE_TEXT ? (struct theme_role){-1, -1, 0}
                                         : t->role[styles[i].falls_to];
    return true;
}

static bool parse_object(struct source *s, const cJSON *root, struct theme *t)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(root, "name");
    const cJSON *roles = cJSON_GetObjectItemCaseSensitive(root, "roles"), *v;
    cJSON_ArrayForEach(v, root)
        if (v != name && v != roles)
            return fail(s, v->string, "no field '%s'", v->string ? v->string : "");
    if (!cJSON_IsString(name) || !name->valuestring[0])
        return fail(s, "name", "a theme has a \"name\"");
    if (strlen(name->valuestring) >= sizeof t->name)
        return fail(s, "name", "the name is longer than %d bytes", (int)sizeof t->name - 1);
    if (!cJSON_IsObject(roles))
        return fail(s, "roles", "a theme has \"roles\": {..}");
    snprintf(t->name, sizeof t->name, "%s", name->valuestring);
    return parse_roles(s, roles, t);
}

bool theme_parse(struct theme *t, const char *text, size_t bytes, const char *name, char *msg,
                 size_t msg_bytes)
{
    struct buf copy = {0};
    struct source s = {.name = name, .text = "", .msg = msg, .msg_bytes = msg_bytes};
    if (bytes > THEME_BYTES_MAX)
        return fail(&s, NULL, "longer than %d bytes", THEME_BYTES_MAX);
    if (memchr(text, 0, bytes))
        return fail(&s, NULL, "not a text file");
    buf_append(&copy, text, bytes);
    s.text = buf_text(&copy);
    const char *end = NULL;
    struct theme got = {0};
    cJSON *root = cJSON_ParseWithOpts(s.text, &end, true);
    bool good;
    if (!cJSON_IsObject(root)) {
        s.at = root ? NULL : end;
        good = fail(&s, NULL, root ? "not an object" : "not JSON");
    } else {
        good = parse_object(&s, root, &got);
    }
    if (good)
        *t = got;
    cJSON_Delete(root);
    buf_release(&copy);
    return good;
}

const char *theme_builtin(const char *name)
{
    for (int i = 0; i < N_BUILTIN; i++)
        if (strcmp(builtin[i].name, name) == 0)
            return builtin[i].text;
    return NULL;
}

const char *theme_builtin_name(int i)
{
    return i >= 0 && i < N_BUILTIN ? builtin[i].name : NULL;
}

const char *style_name(enum style s)
{
    return styles[s].name;
}
