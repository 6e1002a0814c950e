/* loaded.h -- what is behind the engine's door: the struct engine that engine.c opens and session.c
 * uses. Everything here is read-only once open, except that the pool is locked while in use. */
#ifndef DUET_ENGINE_LOADED_H
#define DUET_ENGINE_LOADED_H

#include "engine/chat.h"
#include "engine/engine.h"
#include "engine/kernels.h"
#include "engine/model.h"
#include "engine/parts.h"
#include "engine/pool.h"
#include "engine/tokenizer.h"

struct engine {
    struct parts file;               /* its header is released once all is bound */
    struct model model;              /* weights point into file */
    struct tokenizer *tokenizer;     /* owned */
    struct chat chat;
    struct kernels kernels;
    struct pool *pool;               /* owned */
    int32_t *ends;                   /* [n_ends] ids that end a reply, owned */
    int n_ends;
    struct engine_info info;
    char path[512], name[128];       /* printable, for info */
};

#endif
