/* parts.h -- a model's file or files, mapped, as one header.
 *
 * A large model is published in parts, "name-00001-of-00003.gguf" and so on. The first is the one
 * that is opened; it has the keys of the model, each part has tensors. Nothing is copied: a
 * tensor's data points into the part it is in. */
#ifndef DUET_ENGINE_PARTS_H
#define DUET_ENGINE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/err.h"
#include "engine/gguf.h"
#include "engine/mapfile.h"

struct part {
    struct mapfile file;
    size_t header_bytes;
};

struct parts {
    struct part *part;    /* [n], owned */
    int n;                /* 1 for a file that is not split */
    uint64_t bytes;       /* of all files together */
    struct gguf gguf;     /* keys of the first part, tensors of all */
};

/* Maps the file and, if it is the first part of several, the others beside it.
 *
 * errors  those of mapfile_open() and gguf_parse(); ERR_FORMAT also for parts that do not belong
 *         together. The message names the part it is about. *out is then zeroed. */
bool parts_open(struct parts *out, const char *path, struct err *err);

/* Releases the header alone; the bytes stay mapped. */
void parts_release_header(struct parts *p);

/* Releases and unmaps everything. A zeroed struct is allowed. */
void parts_close(struct parts *p);

#endif
