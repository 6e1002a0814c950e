/* subcommand.c -- the table. */
#include "app/subcommand.h"

#include <string.h>

static const struct subcommand table[] = {
    {"bench", "[MODEL]", "Measure speed: reading, and decoding at depths", bench_run},
    {"kv", "[MODEL]", "Measure what each tier of the cache costs in quality", kv_run},
    {"completion", "bash|zsh|fish", "What that shell needs to complete the line",
     shell_run},
    {"import", "FILE", "Make a session of an exported conversation: JSON or Markdown", import_run},
    {"inspect", "MODEL [--json]", "What a file holds, and whether it can be run", inspect_run},
};

const struct subcommand *subcommand_at(int i)
{
    return i >= 0 && i < (int)(sizeof table / sizeof *table) ? &table[i] : NULL;
}

const struct subcommand *subcommand_find(const char *name)
{
    const struct subcommand *s;
    for (int i = 0; (s = subcommand_at(i)); i++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}
