/* parts.c -- see parts.h. What the parts say of themselves: split.no (from 0), split.count and
 * split.tensors.count (of all parts together), each in every part. */
#include "engine/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 1024
#define PATH_ROOM 4096
#define TAIL_BYTES 20  /* "-00001-of-00003.gguf" */

/* What a part says. count is 1 in a file that is not split. */
struct split {
    uint32_t no, count, n_tensors;
};

static bool read_split(const struct gguf *g, struct split *out, struct err *err)
{
    if (!gguf_u32_or(g, "split.count", 1, &out->count, err) ||
        !gguf_u32_or(g, "split.no", 0, &out->no, err) ||
        !gguf_u32_or(g, "split.tensors.count", 0, &out->n_tensors, err))
        return false;
    if (out->count < 2)
        return true;
    if (out->count > PARTS_MAX)
        return err_set(err, ERR_LIMIT, "it is one of %u parts, at most %d are read", out->count,
                       PARTS_MAX);
    if (out->no >= out->count)
        return err_set(err, ERR_FORMAT, "key 'split.no' is %u, but there are %u parts (from 0 on)",
                       out->no, out->count);
    return true;
}

/* The name of part i of n beside the first one's, whose name must have the common form. */
static bool part_path(char out[PATH_ROOM], const char *first, int i, int n, struct err *err)
{
    char tail[32];
    size_t len = strlen(first);
    snprintf(tail, sizeof tail, "-00001-of-%05d.gguf", n);
    if (len >= PATH_ROOM || len < TAIL_BYTES || strcmp(first + len - TAIL_BYTES, tail) != 0)
        return err_set(err, ERR_FORMAT, "it is the first of %d parts, so its name must end in "
                       "'%s' for the others to be found", n, tail);
    snprintf(out, PATH_ROOM, "%.*s-%05d-of-%05d.gguf", (int)(len - TAIL_BYTES), first, i + 1, n);
    return true;
}

/* Maps and parses one file into the next place of p->part. */
static bool open_part(struct parts *p, const char *path, struct gguf *g, struct err *err)
{
    struct part *part = &p->part[p->n];
    if (!mapfile_open(&part->file, path, err))
        return false;
    p->n++;
    p->bytes += part->file.bytes;
    if (!gguf_parse(part->file.data, part->file.bytes, g, err))
        return err_prefix(err, path);
    part->header_bytes = g->header_bytes;
    return true;
}

/* Checks that a further part belongs to the first and takes its tensors over. */
static bool join_part(struct parts *p, struct gguf *g, const struct split *first, struct err *err)
{
    struct split s;
    uint32_t no = (uint32_t)p->n - 1;
    if (!read_split(g, &s, err))
        return false;
    if (s.no != no || s.count != first->count)
        return err_set(err, ERR_FORMAT, "it says that it is part %u of %u, expected part %u of %u",
                       s.no + 1, s.count, no + 1, first->count);
    if (s.n_tensors != first->n_tensors)
        return err_set(err, ERR_FORMAT, "key 'split.tensors.count' is %u, but %u in the first part",
                       s.n_tensors, first->n_tensors);
    return gguf_join(&p->gguf, g, err);
}

static bool open_others(struct parts *p, const char *first_path, const struct split *first,
                        struct err *err)
{
    int n = (int)first->count;
    char path[PATH_ROOM];
    struct part *more = realloc(p->part, (size_t)n * sizeof *more);
    if (!more)
        return err_set(err, ERR_NOMEM, "not enough memory for %d parts", n);
    p->part = more;
    for (int i = 1; i < n; i++) {
        struct gguf g;
        if (!part_path(path, first_path, i, n, err))
            return err_prefix(err, first_path);
        if (!open_part(p, path, &g, err))
            return false;
        bool ok = join_part(p, &g, first, err) || err_prefix(err, path);
        gguf_release(&g);
        if (!ok)
            return false;
    }
    if ((uint32_t)p->gguf.n_tensors == first->n_tensors)
        return true;
    err_set(err, ERR_FORMAT, "key 'split.tensors.count' is %u, but the %d parts have %d tensors",
            first->n_tensors, n, p->gguf.n_tensors);
    return err_prefix(err, first_path);
}

static bool open_all(struct parts *p, const char *path, struct err *err)
{
    struct split first;
    p->part = malloc(sizeof *p->part);
    if (!p->part)
        return err_set(err, ERR_NOMEM, "not enough memory to open '%s'", path);
    if (!open_part(p, path, &p->gguf, err))
        return false;
    if (!read_split(&p->gguf, &first, err))
        return err_prefix(err, path);
    if (first.count < 2)
        return true;
    if (first.no != 0) {
        err_set(err, ERR_FORMAT, "this is part %u of %u: open the first part, whose name ends in "
                "-00001-of-%05u.gguf", first.no + 1, first.count, first.count);
        return err_prefix(err, path);
    }
    return open_others(p, path, &first, err);
}

bool parts_open(struct parts *out, const char *path, struct err *err)
{
    *out = (struct parts){0};
    if (open_all(out, path, err))
        return true;
    parts_close(out);
    return false;
}

void parts_release_header(struct parts *p)
{
    gguf_release(&p->gguf);
}

void parts_close(struct parts *p)
{
    gguf_release(&p->gguf);
    for (int i = 0; i < p->n; i++)
        mapfile_close(&p->part[i].file);
    free(p->part);
    *p = (struct parts){0};
}
