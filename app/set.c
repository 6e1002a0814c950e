/* set.c -- see set.h. */
#include "app/set.h"

#include <stdio.h>
#include <string.h>

const char *set_name(int i)
{
    const struct setting *s = i < SETTINGS_COMMON ? NULL : setting_at(i - SETTINGS_COMMON);
    return i < SETTINGS_COMMON ? settings_common[i] : s ? s->name : NULL;
}

static bool is_default(const char *value)
{
    return strcmp(value, "default") == 0;
}

/* From when on a change holds. */
static const char *when(const struct talk *t)
{
    return t->turn >= 0 ? ", from the next answer on" : "";
}

/* What was not said yet is written with the first message: store_begin(). */
static void keep(struct talk *t, const char *mode, const char *name, const char *value)
{
    struct err err;
    if (t->stored && t->begun)
        talk_saved(t, log_set(t->store.log, mode, name, value, &err), &err);
}

/* ---- of the mode -------------------------------------------------------------------------- */

/* "think 64 (Pro-Max has 1024)" */
static void describe(const struct talk *t, const struct setting *s, struct buf *out)
{
    const struct settings *all = &t->c.settings;
    buf_printf(out, "%s ", s->name);
    setting_get(s, settings_row(all, t->c.mode), out);
    if (!settings_changed(all, t->c.mode, s))
        return;
    buf_printf(out, " (%s has ", mode_get(t->c.mode)->title);
    setting_get(s, mode_get(t->c.mode), out);
    buf_puts(out, ")");
}

static void set_mode(struct talk *t, const struct setting *s, const char *value)
{
    struct err err;
    struct buf text = {0};
    const char *typed = is_default(value) ? NULL : value;
    if (*value && !settings_put(&t->c.settings, t->c.mode, s, typed, &err)) {
        talk_say(t, true, "%s (%s)", err.msg, s->help);
        return;
    }
    if (*value)
        keep(t, mode_get(t->c.mode)->name, s->name, typed);
    describe(t, s, &text);
    talk_say(t, false, "%s: %s%s", mode_get(t->c.mode)->title, buf_text(&text),
             *value ? when(t) : "");
    buf_release(&text);
}

/* ---- of all ------------------------------------------------------------------------------- */

static void tell_common(struct talk *t, int which, const char *more)
{
    const struct settings *s = &t->c.settings;
    bool own = s->seed_given || t->seed_given;
    if (which == SETTING_MAX_TOKENS) {
        int n = s->max_tokens_given ? s->max_tokens : t->max_tokens;
        if (n)
            talk_say(t, false, "max-tokens %d%s", n, more);
        else
            talk_say(t, false, "max-tokens: as the mode has them%s", more);
    } else if (own) {
        talk_say(t, false, "seed %llu%s",
                 (unsigned long long)(s->seed_given ? s->seed : t->seed), more);
    } else {
        talk_say(t, false, "seed: a new one for each answer%s", more);
    }
}

static void set_common(struct talk *t, int which, const char *value)
{
    struct err err;
    const char *typed = is_default(value) ? NULL : value;
    if (*value && !settings_put_common(&t->c.settings, which, typed, &err)) {
        talk_say(t, true, "%s", err.msg);
        return;
    }
    if (*value)
        keep(t, NULL, settings_common[which], typed);
    tell_common(t, which, *value ? when(t) : "");
}

/* ---- the door ----------------------------------------------------------------------------- */

bool set_one(struct talk *t, const char *name, size_t bytes, const char *value)
{
    const struct setting *s = setting_find(name, bytes);
    for (int i = 0; i < SETTINGS_COMMON; i++)
        if (strlen(settings_common[i]) == bytes && memcmp(settings_common[i], name, bytes) == 0) {
            set_common(t, i, value);
            return true;
        }
    if (s)
        set_mode(t, s, value);
    return s != NULL;
}

static void reset(struct talk *t)
{
    settings_reset(&t->c.settings, t->c.mode);
    keep(t, mode_get(t->c.mode)->name, NULL, NULL);
    for (int i = 0; i < SETTINGS_COMMON; i++)
        keep(t, NULL, settings_common[i], NULL);
    t->c.settings.seed_given = t->c.settings.max_tokens_given = false;
    talk_say(t, false, "%s: all as the mode has it%s", mode_get(t->c.mode)->title, when(t));
}

void set_all(struct talk *t, const char *args)
{
    const struct setting *s;
    struct buf line = {0};
    if (is_default(args)) {
        reset(t);
        return;
    }
    if (*args) {
        talk_say(t, true, "/settings shows them, /settings default takes all changes back");
        return;
    }
    for (int i = 0; (s = setting_at(i)); i++) {
        buf_puts(&line, i ? ", " : "");
        describe(t, s, &line);
    }
    talk_say(t, false, "%s: %s", mode_get(t->c.mode)->title, buf_text(&line));
    for (int i = 0; i < SETTINGS_COMMON; i++)
        tell_common(t, i, "");
    buf_release(&line);
}
