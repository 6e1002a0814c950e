/* mode.c -- the table of modes, from mode.def, and what can be said about a row. */
#include "app/mode.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ui/theme.h"

static const struct mode modes[MODE_COUNT] = {
#define MODE(id, name, title, style, think, think_tokens, answer_tokens, temperature, top_k, \
             top_p, min_p, repeat_penalty, candidates, vary, far, speculate, help) \
    {MODE_##id, name, title, STYLE_##style, MODE_THINK_##think, think_tokens, answer_tokens, \
     temperature, top_k, top_p, min_p, repeat_penalty, candidates, vary, MODE_FAR_##far, \
     MODE_SPECULATE_##speculate, help},
#include "app/mode.def"
#undef MODE
};

const struct mode *mode_get(enum mode_id id)
{
    assert((int)id >= 0 && id < MODE_COUNT);
    return &modes[id];
}

const struct mode *mode_find(const char *name, size_t bytes)
{
    for (int i = 0; i < MODE_COUNT; i++)
        if (strlen(modes[i].name) == bytes && strncasecmp(modes[i].name, name, bytes) == 0)
            return &modes[i];
    return NULL;
}

enum mode_id mode_toggle(enum mode_id id)
{
    return id == MODE_PRO_MAX ? MODE_FLASH : MODE_PRO_MAX;
}

const char *mode_describe(enum mode_id id)
{
    static char lines[MODE_COUNT][128];
    const struct mode *m = mode_get(id);
    char think[48] = "does not think", sampling[48] = "greedy";
    if (m->think != MODE_THINK_NONE)
        snprintf(think, sizeof think, "thinks up to %d tokens", m->think_tokens);
    if (m->temperature > 0)
        snprintf(sampling, sizeof sampling, "temperature %.2g", (double)m->temperature);
    snprintf(lines[id], sizeof lines[id], "%s, answers up to %d%s, %s", think, m->answer_tokens,
             m->think == MODE_THINK_NONE ? " tokens" : "", sampling);
    return lines[id];
}
