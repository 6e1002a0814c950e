/* mode.h -- the modes as rows of a table: those of mode.def, then a person's own. Rows are added
 * before the first thread starts and never change; what a person changes of one for a conversation
 * is in setting.h. */
#ifndef DUET_APP_MODE_H
#define DUET_APP_MODE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/err.h"

enum mode_think { MODE_THINK_NONE, MODE_THINK_ONE };
enum mode_choose { /* bits */
    MODE_CHOOSE_NONE = 0, MODE_CHOOSE_CHECK = 1, MODE_CHOOSE_VOTE = 2, MODE_CHOOSE_AUTO = 3
};
enum mode_far { MODE_FAR_EXACT, MODE_FAR_INDEX };
enum mode_speculate { MODE_SPECULATE_NONE, MODE_SPECULATE_LOOKUP };

enum mode_id {
#define MODE(id, ...) MODE_##id,
#include "app/mode.def"
#undef MODE
    MODE_COUNT,         /* of mode.def; the ids of other rows follow */
    MODE_MAX = 16,      /* rows at most */
};

#define MODE_GONE "there is no mode '%s' any more: Flash stands for it in this session"

enum { MODE_NAME_BYTES = 24, MODE_TEXT_BYTES = 60 };

struct mode {
    enum mode_id id;
    const char *name;   /* as typed and stored: "pro-max" */
    const char *title;  /* as shown: "Pro-Max" */
    int style;          /* enum style of ui/theme.h */
    enum mode_think think;
    int think_tokens;
    int answer_tokens;
    float temperature;
    int top_k;
    float top_p, min_p, repeat_penalty;
    int candidates;
    enum mode_choose choose;
    float vary;
    enum mode_far far;
    enum mode_speculate speculate;
    const char *remote;
    const char *help;
};

int mode_count(void); /* ids 0..count-1 are rows */
const struct mode *mode_get(enum mode_id id);

/* The mode of this name, in any case; NULL if there is none. */
const struct mode *mode_find(const char *name, size_t bytes);

/* True if a mode may be called so. */
bool mode_is_name(const char *name);

/* Adds a row; its texts are copied. False: its name is taken or none, or there are MODE_MAX. */
bool mode_add(const struct mode *row, struct err *err);
void mode_forget(void); /* the rows that were added */

/* What F2 leads to: Flash and Pro-Max change places, any other mode goes to Pro-Max. */
enum mode_id mode_toggle(enum mode_id id);

/* One line of facts: "thinks up to 256 tokens, answers up to 1024, greedy". Static storage, one for
 * each mode. */
const char *mode_describe(const struct mode *m);

#endif
