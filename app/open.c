/* open.c -- see open.h. */
#include "app/open.h"

#include <stdlib.h>

bool open_engine(struct engine **out, const char *path, const struct engine_opts *how,
                 struct err *err)
{
    struct engine_opts opts = *how;
    const char *name = getenv("DUET_KERNELS");
    *out = NULL;
    if (!opts.kernels && name && *name) {
        if (!engine_check_kernels(name, err))
            return err_prefix(err, "DUET_KERNELS");
        opts.kernels = name;
    }
    return engine_open(out, path, &opts, err);
}
