/* mode.h -- the modes as rows of a table (mode.def). */
#ifndef DUET_APP_MODE_H
#define DUET_APP_MODE_H

#include <stdbool.h>
#include <stddef.h>

enum mode_think { MODE_THINK_NONE, MODE_THINK_ONE };
enum mode_far { MODE_FAR_EXACT, MODE_FAR_INDEX };
enum mode_speculate { MODE_SPECULATE_NONE, MODE_SPECULATE_LOOKUP };

enum mode_id {
#define MODE(id, ...) MODE_##id,
#include "app/mode.def"
#undef MODE
    MODE_COUNT
};

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
    float vary;
    enum mode_far far;
    enum mode_speculate speculate;
    const char *help;
};

const struct mode *mode_get(enum mode_id id);

/* The mode of this name, in any case; NULL if there is none. */
const struct mode *mode_find(const char *name, size_t bytes);

/* What F2 leads to: Flash and Pro-Max change places, any other mode goes to Pro-Max. */
enum mode_id mode_toggle(enum mode_id id);

/* One line of facts: "thinks up to 256 tokens, answers up to 1024, greedy". Static storage. */
const char *mode_describe(enum mode_id id);

#endif
