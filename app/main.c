/* main.c -- arguments, the choice of a front, and nothing else.
 *
 * Set up and torn down in this order: trace, options (config file, then command line), model file,
 * front. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/fronts.h"
#include "app/json.h"
#include "app/out.h"
#include "app/paths.h"
#include "app/store.h"
#include "app/subcommand.h"
#include "app/trace.h"
#include "ui/buf.h"
#include "ui/term.h"

static void out_of_memory(void)
{
    static const char text[] = "duet: not enough memory\n";
    term_restore();
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(STATUS_TURN);
}

static int fail(int status, const struct err *err)
{
    out_printf(stderr, "duet: %s\n", err->msg);
    return status;
}

static int list(const struct paths *p)
{
    struct store_entry *e;
    struct err err;
    int n;
    if (!store_list(p->sessions, &e, &n, &err))
        return fail(STATUS_SESSION, &err);
    store_tree(e, n);
    for (int i = 0; i < n; i++) {
        char facts[STORE_FACTS_BYTES], label[240];
        store_facts(&e[i], facts, sizeof facts);
        store_label(&e[i], label, sizeof label);
        out_printf(stdout, "%-28s %32s  %s\n", e[i].id, facts, label);
    }
    free(e);
    return STATUS_OK;
}

static bool options_check(const struct options *o, struct err *err)
{
    if (o->mode && !mode_find(o->mode, strlen(o->mode)))
        return err_set(err, ERR_INPUT, "--mode: there is no mode '%s'", o->mode);
    if (o->session && o->resume)
        return err_set(err, ERR_INPUT, "--session and --continue exclude each other");
    if (o->json && !o->prompt)
        return err_set(err, ERR_INPUT, "--json needs -p");
    if (o->prompt && o->command)
        return err_set(err, ERR_INPUT, "-p and --command exclude each other");
    if (o->prompt && !*o->prompt)
        return err_set(err, ERR_INPUT, "-p needs a question");
    return true;
}

/* A screen needs a terminal on both sides that can move its cursor. */
static bool wants_screen(const struct options *o)
{
    const char *term = getenv("TERM");
    const char *accessible = getenv("ACCESSIBLE");
    return !o->plain && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
           strcmp(term, "dumb") != 0 && !(accessible && strcmp(accessible, "1") == 0);
}

static int chat(const struct options *o, const char *model)
{
    bool started = false;
    if (o->prompt)
        return oneshot_run(o, model);
    if (!o->command && wants_screen(o)) {
        int status = screen_run(o, model, &started);
        if (started)
            return status;
    }
    return plain_run(o, model);
}

/* Characters as the environment says, numbers as everybody writes them. A bare system names no
 * character set at all, and its terminals still show UTF-8. */
static void choose_charset(void)
{
    const char *name = setlocale(LC_CTYPE, "");
    if (!name || !strcmp(name, "C") || !strcmp(name, "POSIX"))
        setlocale(LC_CTYPE, "C.UTF-8");
}

int main(int argc, char **argv)
{
    struct options o;
    struct paths paths;
    struct err err;
    char config[480], model[1024];
    trace_open();
    choose_charset();
    buf_set_oom(out_of_memory);
    json_init();
    options_init(&o);
    if (!paths_init(&paths, &err))
        return fail(STATUS_USAGE, &err);
    const struct subcommand *sub = argc > 1 ? subcommand_find(argv[1]) : NULL;
    if (sub)
        return sub->run(&paths, argc - 1, argv + 1);
    snprintf(config, sizeof config, "%s/config", paths.config);
    if (!options_config(&o, config, &err) || !options_parse(&o, argc, argv, &err) ||
        !options_check(&o, &err))
        return fail(STATUS_USAGE, &err);
    if (o.help) {
        char *text = options_help();
        fputs(text, stdout);
        free(text);
        return STATUS_OK;
    }
    if (o.version) {
        printf("duet %s\n", DUET_VERSION);
        return STATUS_OK;
    }
    if (o.list)
        return list(&paths);
    if (!paths_model(&paths, o.model ? o.model : MODEL_DEFAULT, model, sizeof model, &err))
        return fail(STATUS_MODEL, &err);
    int status = chat(&o, model);
    trace_close();
    return status;
}
