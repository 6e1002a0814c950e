/* shell.c -- `duet completion bash|zsh|fish`: what a shell needs to complete the command line, made
 * from the tables. */
#include <stdio.h>
#include <string.h>

#include "app/fit.h"
#include "app/fronts.h"
#include "app/mode.h"
#include "app/options.h"
#include "app/out.h"
#include "app/subcommand.h"
#include "app/tier.h"
#include "ui/theme.h"

static const char *const models[] = {
#define MODEL(name, ...) name,
#include "app/models.def"
#undef MODEL
};

/* The sessions are asked for when they are needed. */
#define SESSIONS "$(duet --list 2>/dev/null | cut -d' ' -f1)"

static void word(struct buf *out, const char *text)
{
    buf_printf(out, "%s%s", out->bytes ? " " : "", text);
}

/* The words an option may be, as far as they are known; nothing: a file, or anything. */
static void values(const char *option, struct buf *out)
{
    buf_clear(out);
    if (strcmp(option, "mode") == 0)
        for (int i = 0; i < mode_count(); i++)
            word(out, mode_get((enum mode_id)i)->name);
    if (strcmp(option, "fit") == 0)
        for (int c = FIT_NONE + 1; c < FIT_COUNT; c++)
            word(out, fit_name((enum fit_choice)c));
    if (strcmp(option, "far") == 0 || strcmp(option, "theme") == 0)
        word(out, "auto");
    if (strcmp(option, "far") == 0)
        for (int t = 0; t < TIER_COUNT; t++)
            word(out, tier_name((enum kv_tier)t));
    if (strcmp(option, "theme") == 0)
        for (int i = 0; theme_builtin_name(i); i++)
            word(out, theme_builtin_name(i));
    if (strcmp(option, "kernels") == 0)
        word(out, "c avx2 avxvnni avx512 amx");
    if (strcmp(option, "model") == 0)
        for (size_t i = 0; i < sizeof models / sizeof *models; i++)
            word(out, models[i]);
}

/* Help within quotes: without what would end them or mean something there. */
static void quoted(const char *help, const char *bad, struct buf *out)
{
    buf_clear(out);
    for (; *help; help++)
        buf_append(out, strchr(bad, *help) ? " " : help, 1);
}

/* ---- bash --------------------------------------------------------------------------------- */

static void bash_case(const struct option_row *o, struct buf *words)
{
    values(o->name, words);
    if (strcmp(o->name, "session") == 0)
        word(words, SESSIONS);
    if (!o->arg || !words->bytes)
        return;
    if (o->letter)
        out_printf(stdout, "    -%c|", o->letter);
    else
        out_printf(stdout, "    ");
    out_printf(stdout, "--%s) words=\"%s\" ;;\n", o->name, buf_text(words));
}

static void bash(void)
{
    struct option_row o;
    struct buf words = {0};
    out_printf(stdout, "_duet() {\n    local words= cur=${COMP_WORDS[COMP_CWORD]}\n"
                       "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n");
    for (int i = 0; options_row(i, &o); i++)
        bash_case(&o, &words);
    out_printf(stdout, "    *) words=\"");
    for (int i = 0; options_row(i, &o); i++)
        out_printf(stdout, "--%s ", o.name);
    for (int i = 0; subcommand_at(i); i++)
        out_printf(stdout, "%s ", subcommand_at(i)->name);
    out_printf(stdout, "\" ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                       "complete -o default -F _duet duet\n");
    buf_release(&words);
}

/* ---- zsh ---------------------------------------------------------------------------------- */

static void zsh(void)
{
    struct option_row o;
    struct buf words = {0}, help = {0};
    out_printf(stdout, "#compdef duet\n_duet_sessions() {\n"
                       "    compadd -- ${(f)\"" SESSIONS "\"}\n}\n_arguments");
    for (int i = 0; options_row(i, &o); i++) {
        values(o.name, &words);
        quoted(o.help, "'[]:", &help);
        out_printf(stdout, " \\\n    '--%s[%s]", o.name, buf_text(&help));
        if (o.arg && words.bytes)
            out_printf(stdout, ":%s:(%s)", o.name, buf_text(&words));
        else if (o.arg)
            out_printf(stdout, ":%s:%s", o.name,
                       strcmp(o.name, "session") == 0 ? "_duet_sessions" : "_files");
        out_printf(stdout, "'");
    }
    out_printf(stdout, " \\\n    '1:subcommand:(");
    for (int i = 0; subcommand_at(i); i++)
        out_printf(stdout, "%s%s", i ? " " : "", subcommand_at(i)->name);
    out_printf(stdout, ")' \\\n    '*:file:_files'\n");
    buf_release(&words);
    buf_release(&help);
}

/* ---- fish --------------------------------------------------------------------------------- */

static void fish(void)
{
    struct option_row o;
    struct buf words = {0}, help = {0};
    for (int i = 0; options_row(i, &o); i++) {
        values(o.name, &words);
        if (strcmp(o.name, "session") == 0)
            word(&words, "(duet --list 2>/dev/null | cut -d\" \" -f1)");
        quoted(o.help, "'\\", &help);
        out_printf(stdout, "complete -c duet -l %s", o.name);
        if (o.letter)
            out_printf(stdout, " -s %c", o.letter);
        if (o.arg && words.bytes)
            out_printf(stdout, " -x -a '%s'", buf_text(&words));
        else if (o.arg)
            out_printf(stdout, " -r");
        out_printf(stdout, " -d '%s'\n", buf_text(&help));
    }
    for (int i = 0; subcommand_at(i); i++)
        out_printf(stdout, "complete -c duet -n __fish_use_subcommand -a %s -d '%s'\n",
                   subcommand_at(i)->name, subcommand_at(i)->help);
    buf_release(&words);
    buf_release(&help);
}

int shell_run(const struct paths *p, int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    (void)p;
    if (strcmp(name, "bash") == 0)
        bash();
    else if (strcmp(name, "zsh") == 0)
        zsh();
    else if (strcmp(name, "fish") == 0)
        fish();
    else {
        out_printf(stderr, "duet: completion bash, zsh or fish\n");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}
