/* paths.h -- where things lie: the XDG folders. */
#ifndef DUET_APP_PATHS_H
#define DUET_APP_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/err.h"

struct paths {
    char data[400];      /* $XDG_DATA_HOME/duet, ~/.local/share/duet */
    char config[400];    /* $XDG_CONFIG_HOME/duet, ~/.config/duet */
    char state[400];     /* $XDG_STATE_HOME/duet, ~/.local/state/duet */
    char sessions[440];  /* data/sessions */
    char models[440];    /* data/models */
    char history[440];   /* state/history */
};

/* Fills *p from the environment; relative XDG values are ignored as the specification says.
 * False: no home folder at all, or a path is too long. Creates nothing. */
bool paths_init(struct paths *p, struct err *err);

/* mkdir -p with mode 0700 for what is created. */
bool paths_make(const char *folder, struct err *err);

/* The file a --model value means: a path if it holds a slash, ends in .gguf or exists; else
 * models/NAME.gguf. False: there is no such file; the message says how to fetch a known model
 * (the table models.def) and which are there. */
bool paths_model(const struct paths *p, const char *value, char *out, size_t bytes,
                 struct err *err);

#define MODEL_DEFAULT "smollm2-135m"

#endif
