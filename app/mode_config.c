/* mode_config.c -- see mode_config.h. */
#include "app/mode_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/setting.h"
#include "ui/keymap.h"

struct mode_config {
    struct mode row;             /* the open section; its texts are the buffers below */
    char name[MODE_NAME_BYTES + 1], title[MODE_TEXT_BYTES + 1];
    char remote[MODE_TEXT_BYTES + 1], help[MODE_TEXT_BYTES + 1];
    int at;                      /* the line of its head */
    bool inside;                 /* a section has begun */
    bool bad;                    /* and is to be left out */
    bool set;                    /* something of the row was set: a base comes too late */
    int n_wrong;
    char first[300];             /* what is wrong first */
};

struct mode_config *mode_config_new(void)
{
    return mem_new(sizeof(struct mode_config));
}

static void wrong(struct mode_config *m, int line, const struct err *err)
{
    struct err shown; /* a name may hold anything */
    m->bad = true;
    err_set(&shown, ERR_INPUT, "line %d: %s%s%s%s", line, *m->name ? "mode '" : "", m->name,
            *m->name ? "': " : "", err->msg);
    if (m->n_wrong++ == 0)
        snprintf(m->first, sizeof m->first, "%s", shown.msg);
}

/* ---- a section ---------------------------------------------------------------------------- */

static void section_end(struct mode_config *m)
{
    struct err err;
    if (!m->inside || m->bad)
        return;
    m->row.name = m->name;
    m->row.title = *m->title ? m->title : m->name;
    m->row.remote = m->remote;
    m->row.help = m->help;
    if (!mode_add(&m->row, &err))
        wrong(m, m->at, &err);
}

static void base_take(struct mode_config *m, const struct mode *base)
{
    m->row = *base;
    snprintf(m->remote, sizeof m->remote, "%s", base->remote);
    snprintf(m->help, sizeof m->help, "like %s", base->title);
}

/* "[mode NAME]" */
static void section_begin(struct mode_config *m, char *line, int number)
{
    struct err err;
    char name[MODE_NAME_BYTES + 2] = "";
    size_t n = strlen(line);
    section_end(m);
    m->inside = true;
    m->bad = m->set = false;
    m->at = number;
    m->name[0] = m->title[0] = 0;
    base_take(m, mode_get(MODE_PRO_MAX));
    if (strncmp(line, "[mode ", 6) != 0 || line[n - 1] != ']') {
        err_set(&err, ERR_INPUT, "'%.40s' is not [mode NAME]", line);
        wrong(m, number, &err);
        return;
    }
    line[n - 1] = 0;
    snprintf(name, sizeof name, "%s", line + 6 + strspn(line + 6, " \t"));
    name[strcspn(name, " \t")] = 0;
    if (strlen(name) <= MODE_NAME_BYTES)
        memcpy(m->name, name, strlen(name) + 1);
    if (keymap_command(name, strlen(name)) != ACTION_NONE) {
        err_set(&err, ERR_INPUT, "/%.40s is a command", name);
        wrong(m, number, &err);
    }
}

/* ---- a line of it ------------------------------------------------------------------------- */

static bool text_put(char out[MODE_TEXT_BYTES + 1], const char *name, const char *value,
                     struct err *err)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < 32 || value[i] == 127)
            return err_set(err, ERR_INPUT, "%s: holds a control character", name);
    if (n == 0 || n > MODE_TEXT_BYTES)
        return err_set(err, ERR_INPUT, "%s: 1 to %d bytes, not %zu", name, MODE_TEXT_BYTES, n);
    memcpy(out, value, n + 1);
    return true;
}

/* A whole row: it would take back what stands above it. */
static bool base_put(struct mode_config *m, const char *value, struct err *err)
{
    const struct mode *base = mode_find(value, strlen(value));
    if (!base)
        return err_set(err, ERR_INPUT, "base: there is no mode '%.40s'", value);
    if (m->set)
        return err_set(err, ERR_INPUT, "base: has to stand first");
    base_take(m, base);
    return true;
}

static bool value_put(struct mode_config *m, const char *name, const char *value, struct err *err)
{
    const struct setting *s = setting_find(name, strlen(name));
    if (strcmp(name, "base") == 0)
        return base_put(m, value, err);
    m->set = true;
    if (s)
        return setting_put(s, &m->row, value, err);
    if (strcmp(name, "title") == 0)
        return text_put(m->title, name, value, err);
    if (strcmp(name, "remote") == 0)
        return text_put(m->remote, name, value, err);
    if (strcmp(name, "help") == 0)
        return text_put(m->help, name, value, err);
    return err_set(err, ERR_INPUT, "a mode has no '%.40s' (options stand above the first "
                   "[mode ...])", name);
}

static char *trim_end(char *s)
{
    size_t n = strlen(s);
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
        n--;
    s[n] = 0;
    return s;
}

static void section_line(struct mode_config *m, char *line, int number)
{
    struct err err;
    char *equals = strchr(line, '=');
    if (equals)
        *equals = 0;
    const char *value = equals ? equals + 1 + strspn(equals + 1, " \t") : NULL;
    if (!value ? !err_set(&err, ERR_INPUT, "'%.40s' is not 'name = value'", line)
               : !value_put(m, trim_end(line), value, &err))
        wrong(m, number, &err);
}

/* ---- the door ----------------------------------------------------------------------------- */

bool mode_config_line(struct mode_config *m, char *line, int number)
{
    if (*line == '[')
        section_begin(m, line, number);
    else if (m->inside)
        section_line(m, line, number);
    return m->inside;
}

void mode_config_end(struct mode_config **m, struct buf *said)
{
    section_end(*m);
    if ((*m)->n_wrong)
        buf_puts(said, (*m)->first);
    if ((*m)->n_wrong > 1)
        buf_printf(said, " (and %d more)", (*m)->n_wrong - 1);
    free(*m);
    *m = NULL;
}
