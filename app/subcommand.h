/* subcommand.h -- `duet NAME ...`: what is not a conversation. Each takes the words after its name
 * and returns the program's exit status. */
#ifndef DUET_APP_SUBCOMMAND_H
#define DUET_APP_SUBCOMMAND_H

#include "app/paths.h"

struct subcommand {
    const char *name;
    const char *args;   /* as help shows them */
    const char *help;
    int (*run)(const struct paths *p, int argc, char **argv); /* argv[0] is its name */
};

/* The one of this name, or NULL. subcommand_at(i): all of them, NULL after the last. */
const struct subcommand *subcommand_find(const char *name);
const struct subcommand *subcommand_at(int i);

int bench_run(const struct paths *p, int argc, char **argv);
int import_run(const struct paths *p, int argc, char **argv);
int shell_run(const struct paths *p, int argc, char **argv);
int kv_run(const struct paths *p, int argc, char **argv);
int inspect_run(const struct paths *p, int argc, char **argv);

#endif
