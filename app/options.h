/* options.h -- the options as a struct, from options.def: defaults, then the config file, then
 * the command line. */
#ifndef DUET_APP_OPTIONS_H
#define DUET_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/err.h"

#define DUET_VERSION "0.1.0"

struct options {
#define OPTION_TYPE_FLAG bool
#define OPTION_TYPE_TEXT const char *
#define OPTION_TYPE_MODE const char *
#define OPTION_TYPE_FIT const char *
#define OPTION_TYPE_INT int
#define OPTION_TYPE_SEED uint64_t
#define OPTION(field, type, ...) OPTION_TYPE_##type field;
#include "app/options.def"
#undef OPTION
    bool seed_given;
    bool seed_typed, mode_typed; /* on the command line: they hold for an old session too */
    const char *said;            /* one line about modes in the config file; NULL = all is well */
};

void options_init(struct options *o); /* defaults */

/* Reads $XDG_CONFIG_HOME/duet/config: lines "name = value", '#' comments, then modes
 * (mode_config.h), which are added to the table. A missing file is fine. Errors name file and line;
 * one in a mode is no error, but told in o->said. Texts live as long as the program, or until
 * options_forget(), after which no options may be used. */
bool options_config(struct options *o, const char *path, struct err *err);
bool options_read(struct options *o, FILE *f, const char *name, struct err *err); /* once open */
void options_forget(void);

/* --name VALUE, --name=VALUE, -n VALUE. A single argument that is no option is ERR_INPUT. */
bool options_parse(struct options *o, int argc, char **argv, struct err *err);

/* Row i of the table; false behind the last. arg NULL = a flag; letter 0 = none. */
struct option_row {
    const char *name, *arg, *help;
    char letter;
};
bool options_row(int i, struct option_row *out);

/* The help screen as text, malloc'd; generated from the table, the modes and the commands. */
char *options_help(void);
char *options_help_lines(void); /* what can be typed as a line in the program, likewise */

#endif
