/* made.c -- see made.h. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "app/made.h"

#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/hash.h"
#include "app/record.h"

struct made *made_new(void)
{
    return mem_new(sizeof(struct made));
}

void made_free(struct made **m)
{
    if (!*m)
        return;
    ids_release(&(*m)->change);
    free((*m)->row);
    free(*m);
    *m = NULL;
}

struct made *made_copy(const struct made *m)
{
    struct made *copy = made_new();
    *copy = *m;
    copy->change = (struct ids){0};
    copy->row = NULL;
    copy->n_row = 0;
    ids_append(&copy->change, m->change.id, m->change.n);
    for (int i = 0; i < m->n_row; i++)
        made_row(copy, &m->row[i]);
    return copy;
}

void made_row(struct made *m, const struct mode *row)
{
    for (int i = 0; i < m->n_row; i++)
        if (m->row[i].id == row->id)
            return;
    m->row = mem_grow(m->row, (size_t)(m->n_row + 1) * sizeof *m->row);
    m->row[m->n_row++] = *row;
}

void made_rows(const struct made *m, struct mode *rows)
{
    for (int i = 0; i < mode_count(); i++)
        rows[i] = *mode_get((enum mode_id)i);
    for (int i = 0; i < m->n_row; i++)
        rows[m->row[i].id] = m->row[i];
}

uint64_t ids_hash(const int32_t *id, int n)
{
    uint64_t h = HASH_BEGIN;
    for (int i = 0; i < n; i++)
        h = hash_number(h, (uint32_t)id[i], 4);
    return h;
}

/* ---- as JSON ------------------------------------------------------------------------------ */

static const char revised[] = "revised";

static void write_changes(struct json_line *j, const struct made *m)
{
    json_open(j, "changes", '[');
    for (int i = 0; i + 1 < m->change.n; i += 2) {
        int to = m->change.id[i + 1];
        json_open(j, NULL, '{');
        json_int(j, "at", m->change.id[i]);
        json_text(j, "to", to == MADE_REVISED ? revised : mode_get((enum mode_id)to)->name);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void write_row(struct json_line *j, const struct mode *row)
{
    const struct setting *s;
    json_open(j, NULL, '{');
    json_text(j, "mode", row->name);
    for (int i = 0; (s = setting_at(i)); i++) {
        struct buf value = {0};
        setting_get(s, row, &value);
        json_text(j, s->name, buf_text(&value));
        buf_release(&value);
    }
    json_close(j, '}');
}

void made_write(struct json_line *j, const struct made *m)
{
    json_open(j, "made", '{');
    json_u64(j, "seed", m->seed);
    record_mode(j, "mode", m->mode);
    if (m->change.n > 0)
        write_changes(j, m);
    if (*m->finding)
        json_text(j, "finding", m->finding);
    json_bool(j, "vary", m->vary);
    json_bool(j, "direct", m->direct);
    json_int(j, "max_tokens", m->max_tokens);
    json_int(j, "room", m->room);
    json_int(j, "prompt", m->prompt);
    json_u64(j, "prompt_hash", m->prompt_hash);
    if (m->end != MADE_END_BY_COUNT)
        json_bool(j, "by_index", m->end == MADE_END_BY_INDEX);
    json_open(j, "rows", '[');
    for (int i = 0; i < m->n_row; i++)
        write_row(j, &m->row[i]);
    json_close(j, ']');
    json_text(j, "build", m->build);
    json_text(j, "kernels", m->kernels);
    json_text(j, "far", m->far);
    json_int(j, "threads", m->threads);
    json_close(j, '}');
}

static bool read_flag(const struct json *j, const char *name)
{
    bool v = false;
    return json_boolean(j, name, &v) && v;
}

static bool read_changes(const struct json *j, struct ids *out)
{
    int last = 0;
    const struct json *list = json_get(j, "changes");
    for (const struct json *c = list ? json_first(list) : NULL; c; c = json_next(c)) {
        int at;
        enum mode_id mode = MODE_FLASH;
        const char *to = json_string(c, "to");
        bool again = to && strcmp(to, revised) == 0;
        if (!record_read_int(c, "at", INT_MAX, &at) || at < last ||
            (!again && !record_read_mode(c, "to", &mode)))
            return false;
        ids_append(out, (int32_t[]){at, again ? MADE_REVISED : (int32_t)mode}, 2);
        last = at;
    }
    return true;
}

static bool read_row(const struct json *j, struct made *m)
{
    enum mode_id id;
    const struct setting *s;
    struct err err;
    if (!record_read_mode(j, "mode", &id))
        return false;
    struct mode row = *mode_get(id);
    for (int i = 0; (s = setting_at(i)); i++) {
        const char *value = json_string(j, s->name);
        if (value && !setting_put(s, &row, value, &err))
            return false;
    }
    made_row(m, &row);
    return true;
}

static void read_text(const struct json *j, const char *name, char *out, size_t bytes)
{
    const char *text = json_string(j, name);
    snprintf(out, bytes, "%s", text ? text : "");
}

static bool read_all(const struct json *j, struct made *m)
{
    const struct json *rows = json_get(j, "rows");
    read_text(j, "finding", m->finding, sizeof m->finding);
    read_text(j, "build", m->build, sizeof m->build);
    read_text(j, "kernels", m->kernels, sizeof m->kernels);
    read_text(j, "far", m->far, sizeof m->far);
    record_read_int(j, "threads", INT_MAX, &m->threads);
    record_read_int(j, "max_tokens", INT_MAX, &m->max_tokens);
    m->vary = read_flag(j, "vary");
    m->direct = read_flag(j, "direct");
    if (json_get(j, "by_index"))
        m->end = read_flag(j, "by_index") ? MADE_END_BY_INDEX : MADE_END_BY_ALL;
    for (const struct json *r = rows ? json_first(rows) : NULL; r; r = json_next(r))
        if (!read_row(r, m))
            return false;
    return json_unsigned(j, "seed", &m->seed) && record_read_mode(j, "mode", &m->mode) &&
           record_read_int(j, "room", INT_MAX, &m->room) &&
           record_read_int(j, "prompt", INT_MAX, &m->prompt) &&
           json_unsigned(j, "prompt_hash", &m->prompt_hash) && read_changes(j, &m->change);
}

struct made *made_read(const struct json *j)
{
    const struct json *object = json_get(j, "made");
    struct made *m = object ? made_new() : NULL;
    if (m && !read_all(object, m))
        made_free(&m);
    return m;
}

/* ---- the program -------------------------------------------------------------------------- */

enum { BUILD_BYTES = 8 };

/* One segment of notes: "GNU" and the build id. */
static bool note_find(const char *at, size_t bytes, char *out)
{
    size_t pos = 0;
    while (pos + sizeof(ElfW(Nhdr)) <= bytes) {
        const ElfW(Nhdr) *n = (const void *)(at + pos);
        size_t name = (n->n_namesz + 3u) & ~(size_t)3, data = (n->n_descsz + 3u) & ~(size_t)3;
        const unsigned char *id = (const unsigned char *)(n + 1) + name;
        pos += sizeof *n + name + data;
        if (n->n_type != NT_GNU_BUILD_ID || n->n_descsz < BUILD_BYTES || pos > bytes)
            continue;
        for (int i = 0; i < BUILD_BYTES; i++)
            snprintf(out + 2 * i, 3, "%02x", id[i]);
        return true;
    }
    return false;
}

/* The program itself comes first. */
static int object_look(struct dl_phdr_info *info, size_t bytes, void *out)
{
    (void)bytes;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_NOTE &&
            note_find((const char *)(info->dlpi_addr + p->p_vaddr), p->p_memsz, out))
            break;
    }
    return 1;
}

const char *made_build(void)
{
    static char id[2 * BUILD_BYTES + 1];
    if (!id[0])
        dl_iterate_phdr(object_look, id);
    return id[0] ? id : "unknown";
}
