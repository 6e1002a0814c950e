/* setting.h -- what of a mode can be changed, as a table (setting.def), and what a person changed
 * of each mode in one conversation. */
#ifndef DUET_APP_SETTING_H
#define DUET_APP_SETTING_H

#include <stdint.h>

#include "app/mode.h"
#include "ui/buf.h"

struct setting {
    const char *name;
    const char *help;
};

const struct setting *setting_at(int i); /* NULL behind the last */
const struct setting *setting_find(const char *name, size_t bytes);

/* Sets it in a row from a typed value. False: *err says what is allowed, the row is as before. */
bool setting_put(const struct setting *s, struct mode *row, const char *value, struct err *err);

/* Appends its value in that row, as it is typed. */
void setting_get(const struct setting *s, const struct mode *row, struct buf *out);

/* Of an answer, whatever the mode says. */
enum { SETTINGS_TOKENS_MAX = 1048576 };

/* The changes of one conversation. Zero-initialised there are none. */
struct settings {
    struct setting_row {
        unsigned changed;      /* bit i: setting i differs from the mode's row */
        struct mode row;       /* with the changes, where there are some */
    } of[MODE_MAX];
    bool seed_given;           /* the same for every answer, not a fresh one */
    uint64_t seed;
    bool max_tokens_given;
    int max_tokens;            /* of an answer; 0 = the mode's */
};

/* What is of all modes, by name. */
enum { SETTING_SEED, SETTING_MAX_TOKENS, SETTINGS_COMMON };
extern const char *const settings_common[SETTINGS_COMMON];

/* Changes one of those, or, for value NULL, takes the change back. False: *err says what is
 * allowed, and nothing has changed. */
bool settings_put_common(struct settings *s, int which, const char *value, struct err *err);

/* The row of a mode with what was changed of it. */
const struct mode *settings_row(const struct settings *s, enum mode_id mode);

/* Changes one, or, for value NULL, takes the change back. False: *err. */
bool settings_put(struct settings *s, enum mode_id mode, const struct setting *which,
                  const char *value, struct err *err);
void settings_reset(struct settings *s, enum mode_id mode); /* all of a mode */
bool settings_changed(const struct settings *s, enum mode_id mode, const struct setting *which);

/* "think 64, best 3": what is changed of the mode, and the seed; nothing if nothing is. */
void settings_describe(const struct settings *s, enum mode_id mode, struct buf *out);

#endif
