/* options.c -- one table from options.def; the command line and the config file set its rows. */
#include "app/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/fit.h"
#include "app/mode.h"
#include "app/mode_config.h"
#include "app/number.h"
#include "app/subcommand.h"
#include "ui/buf.h"
#include "ui/keymap.h"

enum option_type { TYPE_FLAG, TYPE_TEXT, TYPE_MODE, TYPE_FIT, TYPE_INT, TYPE_SEED };

struct option {
    enum option_type type;
    const char *name;
    char letter;        /* 0 = none */
    const char *arg;    /* NULL: a flag */
    size_t offset;      /* of the field */
    int most;           /* of an INT */
    bool config;
    const char *help;
};

static const struct option table[] = {
#define OPTION(field, type, name, letter, arg, value, most, config, help) \
    {TYPE_##type, name, letter, arg, offsetof(struct options, field), most, config, help},
#include "app/options.def"
#undef OPTION
};
enum { N_OPTION = sizeof table / sizeof *table, HELP_WIDTH = 80 };

void options_init(struct options *o)
{
    *o = (struct options){
#define OPTION(field, type, name, letter, arg, value, ...) .field = value,
#include "app/options.def"
#undef OPTION
    };
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool set_int(int *field, const struct option *row, const char *value, struct err *err)
{
    uint64_t v;
    bool negative = value[0] == '-' && value[1] && !value[1 + strspn(value + 1, "0123456789")];
    bool number = negative || (value[0] && !value[strspn(value, "0123456789")]);
    if (!number)
        return err_set(err, ERR_INPUT, "'%.80s' is not a number", value);
    if (negative || !number_read(value, (uint64_t)row->most, &v))
        return err_set(err, ERR_INPUT, "%.40s is out of range: 0 to %d", value, row->most);
    *field = (int)v;
    return true;
}

static bool set_seed(struct options *o, uint64_t *field, const char *value, struct err *err)
{
    if (!number_read(value, UINT64_MAX, field))
        return err_set(err, ERR_INPUT, "'%.80s' is not a number from 0 to 18446744073709551615",
                       value);
    o->seed_given = true;
    return true;
}

static bool check_mode(const char *value, struct err *err)
{
    char names[MODE_MAX * (MODE_NAME_BYTES + 2)] = "";
    if (mode_find(value, strlen(value)))
        return true;
    for (int i = 0; i < mode_count(); i++) {
        size_t have = strlen(names);
        snprintf(names + have, sizeof names - have, "%s%s", i ? ", " : "",
                 mode_get((enum mode_id)i)->name);
    }
    return err_set(err, ERR_INPUT, "'%.80s' is not a mode; there are: %s", value, names);
}

/* Sets a row that takes a value. The text is kept, not copied. */
static bool option_set(struct options *o, const struct option *row, const char *value,
                       struct err *err)
{
    void *field = (char *)o + row->offset;
    switch (row->type) {
    case TYPE_INT:
        return set_int(field, row, value, err);
    case TYPE_SEED:
        return set_seed(o, field, value, err);
    case TYPE_MODE:
        if (!check_mode(value, err))
            return false;
        break;
    case TYPE_FIT:
        if (fit_find(value) == FIT_NONE)
            return err_set(err, ERR_INPUT, "'%.80s' is not one of drop, summary, go, stop", value);
        break;
    case TYPE_FLAG:
    case TYPE_TEXT:
        break;
    }
    *(const char **)field = value;
    return true;
}

static void flag_set(struct options *o, const struct option *row, bool on)
{
    *(bool *)((char *)o + row->offset) = on;
}

static const struct option *option_find(const char *name, size_t bytes)
{
    for (int i = 0; i < N_OPTION; i++)
        if (strlen(table[i].name) == bytes && memcmp(table[i].name, name, bytes) == 0)
            return &table[i];
    return NULL;
}

static const struct option *option_letter(char letter)
{
    for (int i = 0; i < N_OPTION; i++)
        if (letter && table[i].letter == letter)
            return &table[i];
    return NULL;
}

/* ---- the command line ------------------------------------------------------------------------ */

struct args {
    int i, n;
    char **text;
};

/* Sets row from its value: what is attached, or else the next argument. */
static bool arg_value(struct options *o, const struct option *row, const char *shown,
                      const char *attached, struct args *a, struct err *err)
{
    if (!attached && a->i + 1 >= a->n)
        return err_set(err, ERR_INPUT, "%s: %s is missing behind it", shown, row->arg);
    if (!option_set(o, row, attached ? attached : a->text[++a->i], err))
        return err_prefix(err, shown);
    o->seed_typed = o->seed_typed || row->type == TYPE_SEED;
    o->mode_typed = o->mode_typed || row->type == TYPE_MODE;
    return true;
}

static bool arg_long(struct options *o, const char *arg, struct args *a, struct err *err)
{
    size_t name = strcspn(arg + 2, "=");
    const char *value = arg[2 + name] ? arg + 2 + name + 1 : NULL;
    const struct option *row = option_find(arg + 2, name);
    char shown[64];
    if (!row)
        return err_set(err, ERR_INPUT, "there is no option '%.80s'; --help lists them", arg);
    snprintf(shown, sizeof shown, "--%s", row->name);
    if (row->arg)
        return arg_value(o, row, shown, value, a, err);
    if (value)
        return err_set(err, ERR_INPUT, "%s: takes no value, but got '%.80s'", shown, value);
    flag_set(o, row, true);
    return true;
}

/* -c, -cj, -p TEXT, -pTEXT */
static bool arg_short(struct options *o, const char *arg, struct args *a, struct err *err)
{
    for (const char *p = arg + 1; *p; p++) {
        const struct option *row = option_letter(*p);
        char shown[] = {'-', *p, 0};
        if (!row)
            return err_set(err, ERR_INPUT, "there is no option '-%.80s'; --help lists them", p);
        if (row->arg)
            return arg_value(o, row, shown, p[1] ? p + 1 : NULL, a, err);
        flag_set(o, row, true);
    }
    return true;
}

bool options_parse(struct options *o, int argc, char **argv, struct err *err)
{
    struct args a = {.i = 1, .n = argc, .text = argv};
    for (; a.i < argc; a.i++) {
        const char *arg = argv[a.i];
        bool ok;
        if (arg[0] == '-' && arg[1] == '-' && arg[2])
            ok = arg_long(o, arg, &a, err);
        else if (arg[0] == '-' && arg[1] && arg[1] != '-')
            ok = arg_short(o, arg, &a, err);
        else
            ok = err_set(err, ERR_INPUT, "'%.80s' is not an option; a question goes behind -p",
                         arg);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- the config file ------------------------------------------------------------------------- */

/* Texts of config files, kept until options_forget(). */
static struct kept {
    struct kept *next;
    char *text;
} *kept;

static const char *text_keep(const char *text)
{
    struct kept *k = mem_new(sizeof *k);
    *k = (struct kept){.next = kept, .text = mem_dup(text)};
    kept = k;
    return k->text;
}

void options_forget(void)
{
    while (kept) {
        struct kept *k = kept;
        kept = k->next;
        free(k->text);
        free(k);
    }
}

/* Without the blanks around it, in place. */
static char *trim(char *s)
{
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r\n", s[n - 1]))
        n--;
    s[n] = 0;
    return s;
}

static bool config_flag(struct options *o, const struct option *row, const char *value,
                        struct err *err)
{
    static const char *const words[][2] = {
        {"yes", "no"}, {"true", "false"}, {"on", "off"}, {"1", "0"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (int off = 0; off < 2; off++)
            if (strcmp(value, words[i][off]) == 0) {
                flag_set(o, row, !off);
                return true;
            }
    return err_set(err, ERR_INPUT, "'%.80s' is neither yes nor no", value);
}

static bool config_line(struct options *o, char *line, struct err *err)
{
    char *text = trim(line);
    if (text[0] == 0 || text[0] == '#')
        return true;
    char *equals = strchr(text, '=');
    if (!equals)
        return err_set(err, ERR_INPUT, "'%.80s' is not 'name = value'", text);
    *equals = 0;
    const char *name = trim(text), *value = trim(equals + 1);
    const struct option *row = option_find(name, strlen(name));
    if (!row)
        return err_set(err, ERR_INPUT, "there is no option '%.80s'", name);
    if (!row->config)
        return err_set(err, ERR_INPUT, "'%s' belongs on the command line", name);
    bool ok = row->type == TYPE_FLAG ? config_flag(o, row, value, err)
                                     : option_set(o, row, text_keep(value), err);
    return ok || err_prefix(err, row->name);
}

/* A path of which the end is enough. */
static void path_tail(const char *path, char *out, size_t bytes)
{
    size_t length = strlen(path);
    const char *tail = length > 100 ? path + length - 100 : path;
    snprintf(out, bytes, "%s%s", tail == path ? "" : "...", tail);
}

/* "<path>, line <n>: " before the message. */
static bool line_failed(struct err *err, const char *path, int n)
{
    char place[160], tail[110];
    path_tail(path, tail, sizeof tail);
    snprintf(place, sizeof place, "%s, line %d", tail, n);
    return err_prefix(err, place);
}

/* What the lines of the file are taken into. */
struct lines {
    struct options *o;
    struct mode_config *modes;
    const char *path;
    struct err *err;
};

/* An option; sections end them. */
static bool take_option(struct lines *l, char *line, size_t bytes, int n)
{
    if (line[strspn(line, " \t")] == '[')
        return false;
    bool ok = strlen(line) == bytes ? config_line(l->o, line, l->err)
                                    : err_set(l->err, ERR_INPUT, "holds a zero byte");
    return ok || line_failed(l->err, l->path, n);
}

/* A line of a mode; a byte 0 in it is as wrong as any control character. */
static bool take_mode(struct lines *l, char *line, size_t bytes, int n)
{
    for (size_t i = 0; i < bytes; i++)
        if (line[i] == 0)
            line[i] = 1;
    char *text = trim(line);
    if (*text && *text != '#')
        mode_config_line(l->modes, text, n);
    return true;
}

static bool lines_read(struct lines *l, FILE *f,
                       bool (*take)(struct lines *l, char *line, size_t bytes, int n))
{
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    *l->err = (struct err){0};
    rewind(f);
    for (int n = 1; (bytes = getline(&line, &room, f)) >= 0; n++)
        if (!take(l, line, (size_t)bytes, n))
            break;
    free(line);
    if (l->err->code == ERR_NONE && ferror(f))
        err_errno(l->err, "cannot read", l->path);
    return l->err->code == ERR_NONE;
}

/* The modes first: an option may name one. */
bool options_read(struct options *o, FILE *f, const char *name, struct err *err)
{
    struct lines l = {o, mode_config_new(), name, err};
    struct buf said = {0}, text = {0};
    bool ok = lines_read(&l, f, take_mode);
    mode_config_end(&l.modes, &said);
    if (said.bytes) {
        char tail[110];
        path_tail(name, tail, sizeof tail);
        buf_printf(&text, "%s, %s", tail, buf_text(&said));
        o->said = text_keep(buf_text(&text));
    }
    buf_release(&said);
    buf_release(&text);
    return ok && lines_read(&l, f, take_option);
}

bool options_config(struct options *o, const char *path, struct err *err)
{
    struct stat st;
    struct err ignored;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR || err_errno(err, "cannot read", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "cannot read '%s': not a regular file", path);
    FILE *f = fopen(path, "r");
    if (!f)
        return err_errno(err, "cannot read", path);
    bool ok = options_read(o, f, path, err ? err : &ignored);
    fclose(f);
    return ok;
}

/* ---- looking at the table -------------------------------------------------------------------- */

bool options_row(int i, struct option_row *out)
{
    if (i >= N_OPTION)
        return false;
    const struct option *o = &table[i];
    *out = (struct option_row){o->name, o->arg, o->help, o->letter};
    return true;
}

/* ---- help ------------------------------------------------------------------------------------ */

/* A row of two columns: the right one starts at `column` and is wrapped at words. */
static void help_row(struct buf *b, const char *left, int column, const char *right)
{
    int x = (int)strlen(left) + 2;
    buf_printf(b, "  %s", left);
    if (x >= column && right[0]) {
        buf_puts(b, "\n");
        x = 0;
    }
    while (right[0]) {
        size_t room = (size_t)(HELP_WIDTH - column), n = strlen(right);
        if (n > room)
            for (n = room; n > 0 && right[n] != ' '; n--)
                ;
        if (n == 0)
            n = strcspn(right, " ");
        buf_printf(b, "%*s%.*s\n", column - x, "", (int)n, right);
        right += n + strspn(right + n, " ");
        x = 0;
        if (!right[0])
            return;
    }
    buf_puts(b, "\n");
}

static void help_options(struct buf *b)
{
    for (int i = 0; i < N_OPTION; i++) {
        const struct option *o = &table[i];
        char left[64], letter[8] = "    ";
        if (o->letter)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        help_row(b, left, 28, o->help);
    }
}

static void help_modes(struct buf *b)
{
    for (int i = 0; i < mode_count(); i++) {
        const struct mode *m = mode_get((enum mode_id)i);
        char right[256];
        snprintf(right, sizeof right, "%s: %s", m->help, mode_describe(m));
        help_row(b, m->name, 14, right);
    }
}

static void help_commands(struct buf *b)
{
    for (int i = ACTION_NONE + 1; i < ACTION_COUNT; i++) {
        const struct action_help *h = keymap_help((enum action)i);
        char left[128];
        snprintf(left, sizeof left, "%s%s%s%s%s", h->command, h->args[0] ? " " : "", h->args,
                 h->command[0] && h->keys_editor[0] ? ", " : "", h->keys_editor);
        if (left[0])
            help_row(b, left, 28, h->help);
    }
}

/* The same for somebody who types lines: what a key does besides, and names of keys, are left
 * out. */
static void help_lines(struct buf *b)
{
    for (int i = ACTION_NONE + 1; i < ACTION_COUNT; i++) {
        const struct action_help *h = keymap_help((enum action)i);
        const char *also = strstr(h->help, " (also "), *then = strstr(h->help, "; then ");
        char left[64], right[200];
        snprintf(left, sizeof left, "%s%s%s", h->command, h->args[0] ? " " : "", h->args);
        size_t n = also ? (size_t)(also - h->help)
                   : then ? (size_t)(then - h->help)
                          : strlen(h->help);
        snprintf(right, sizeof right, "%.*s", (int)n, h->help);
        if (h->command[0] && i != ACTION_THEME && i != ACTION_MOUSE) /* of the screen alone */
            help_row(b, left, 28, right);
    }
}

char *options_help_lines(void)
{
    struct buf b = {0};
    buf_puts(&b, "A line is sent when it ends; one that ends in a backslash goes on. What begins\n"
                 "with / is a command, what begins with // is sent with one /. Ctrl+C stops a\n"
                 "reply and, when nothing runs, leaves.\n\n");
    for (int i = 0; i < mode_count(); i++) {
        const struct mode *m = mode_get((enum mode_id)i);
        char left[64], right[256];
        snprintf(left, sizeof left, "/%s [TEXT]", m->name);
        snprintf(right, sizeof right, "Answer in %s, this one text or all from now on", m->title);
        help_row(&b, left, 28, right);
    }
    help_lines(&b);
    return buf_take(&b);
}

static void help_subcommands(struct buf *b)
{
    const struct subcommand *s;
    for (int i = 0; (s = subcommand_at(i)); i++)
        buf_printf(b, "  %s %s: %s\n", s->name, s->args, s->help);
}

char *options_help(void)
{
    struct buf b = {0};
    buf_puts(&b, "duet " DUET_VERSION ": chat with a language model on this machine, in the "
                 "terminal.\n\nUsage: duet [options]\n       duet SUBCOMMAND ...\n\nOptions:\n");
    help_options(&b);
    buf_puts(&b, "\nSubcommands:\n");
    help_subcommands(&b);
    buf_puts(&b, "\nModes:\n");
    help_modes(&b);
    buf_puts(&b, "\nKeys and commands inside the program:\n");
    help_commands(&b);
    buf_puts(&b, "\nOptions may also stand in $XDG_CONFIG_HOME/duet/config, as lines "
                 "'name = value',\nand modes of one's own: see duet(1).\n");
    return buf_take(&b);
}
