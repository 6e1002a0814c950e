/* open.h -- opens the engine as the command line and the environment ask for. */
#ifndef DUET_APP_OPEN_H
#define DUET_APP_OPEN_H

#include "engine/engine.h"

/* engine_open() with the kernels that $DUET_KERNELS names where `how` names none. An error about
 * these names the variable. */
bool open_engine(struct engine **out, const char *path, const struct engine_opts *how,
                 struct err *err);

#endif
