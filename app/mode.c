/* mode.c -- the table of modes, from mode.def and the config file, and what can be said about a
 * row. */
#include "app/mode.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ui/buf.h"
#include "ui/theme.h"

static struct mode modes[MODE_MAX] = {
#define MODE(id, name, title, style, think, think_tokens, answer_tokens, temperature, top_k, \
             top_p, min_p, repeat_penalty, candidates, choose, vary, far, speculate, remote, help) \
    {MODE_##id, name, title, STYLE_##style, MODE_THINK_##think, think_tokens, answer_tokens, \
     temperature, top_k, top_p, min_p, repeat_penalty, candidates, MODE_CHOOSE_##choose, vary, \
     MODE_FAR_##far, MODE_SPECULATE_##speculate, remote, help},
#include "app/mode.def"
#undef MODE
};
static int n_mode = MODE_COUNT;

int mode_count(void)
{
    return n_mode;
}

const struct mode *mode_get(enum mode_id id)
{
    assert((int)id >= 0 && (int)id < n_mode);
    return &modes[id];
}

const struct mode *mode_find(const char *name, size_t bytes)
{
    for (int i = 0; i < n_mode; i++)
        if (strlen(modes[i].name) == bytes && strncasecmp(modes[i].name, name, bytes) == 0)
            return &modes[i];
    return NULL;
}

bool mode_is_name(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= MODE_NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

bool mode_add(const struct mode *row, struct err *err)
{
    if (!mode_is_name(row->name))
        return err_set(err, ERR_INPUT, "'%.40s' cannot name a mode: small letters, digits, '-' and "
                       "'_', at most %d", row->name, MODE_NAME_BYTES);
    if (mode_find(row->name, strlen(row->name)))
        return err_set(err, ERR_INPUT, "there is a mode '%s' already", row->name);
    if (n_mode == MODE_MAX)
        return err_set(err, ERR_LIMIT, "there are %d modes already", MODE_MAX);
    struct mode *m = &modes[n_mode];
    *m = *row;
    m->id = (enum mode_id)n_mode++;
    m->name = mem_dup(row->name);
    m->title = mem_dup(row->title);
    m->remote = mem_dup(row->remote);
    m->help = mem_dup(row->help);
    return true;
}

void mode_forget(void)
{
    for (; n_mode > MODE_COUNT; n_mode--) {
        struct mode *m = &modes[n_mode - 1];
        const char *const text[] = {m->name, m->title, m->remote, m->help};
        for (size_t i = 0; i < sizeof text / sizeof *text; i++)
            free((void *)text[i]);
        *m = (struct mode){0};
    }
}

enum mode_id mode_toggle(enum mode_id id)
{
    return id == MODE_PRO_MAX ? MODE_FLASH : MODE_PRO_MAX;
}

const char *mode_describe(const struct mode *m)
{
    static char lines[MODE_MAX][128];
    char think[48] = "does not think", sampling[48] = "greedy";
    if (m->think != MODE_THINK_NONE)
        snprintf(think, sizeof think, "thinks up to %d tokens", m->think_tokens);
    if (m->temperature > 0)
        snprintf(sampling, sizeof sampling, "temperature %.2g", (double)m->temperature);
    snprintf(lines[m->id], sizeof lines[m->id], "%s, answers up to %d%s, %s", think,
             m->answer_tokens, m->think == MODE_THINK_NONE ? " tokens" : "", sampling);
    return lines[m->id];
}
