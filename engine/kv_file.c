/* kv_file.c -- see kv_file.h. The one file of the engine that knows xxHash. */
#include "engine/kv_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "engine/mem.h"

#define MAGIC         "duet-kv\n"
#define HEADER_BYTES  128
#define CHECKED_BYTES 72     /* of the header, below its own checksum */
#define ENTRY_BYTES   32
#define ALIGN         64

enum section_type { SECTION_IDS = 1, SECTION_LOGITS = 2 };

struct section {
    uint32_t type;
    const void *data;
    uint64_t offset, bytes, checksum;
};

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static void put_u64(unsigned char *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get_u64(const unsigned char *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

uint64_t kv_file_fingerprint(const void *header, size_t header_bytes, uint64_t file_bytes)
{
    return XXH64(header, header_bytes, file_bytes);
}

static uint64_t round_up(uint64_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* The numbers of the shape, in the order of the header from byte 24 on. */
static void shape_numbers(const struct kv_file *f, uint32_t out[6])
{
    out[0] = (uint32_t)f->shape.n_layer;
    out[1] = (uint32_t)f->shape.n_kv_head;
    out[2] = (uint32_t)f->shape.head_dim;
    out[3] = f->shape.type == KV_F32 ? 1 : 0;
    out[4] = (uint32_t)f->shape.block_tokens;
    out[5] = (uint32_t)f->n_vocab;
}

/* ---- saving -------------------------------------------------------------------------------- */

static int list_sections(const struct kv_file *f, const struct kv_section *own, int n_own,
                         struct section *s)
{
    int n = 0;
    s[n++] = (struct section){ .type = SECTION_IDS, .data = f->ids,
                               .bytes = (uint64_t)f->n_ids * sizeof *f->ids };
    if (f->has_logits)
        s[n++] = (struct section){ .type = SECTION_LOGITS, .data = f->logits,
                                   .bytes = (uint64_t)f->n_vocab * sizeof *f->logits };
    for (int i = 0; i < n_own; i++)
        s[n++] = (struct section){ .type = own[i].type, .data = own[i].data,
                                   .bytes = own[i].bytes };
    uint64_t at = round_up(HEADER_BYTES + (uint64_t)n * ENTRY_BYTES);
    for (int i = 0; i < n; i++) {
        s[i].offset = at;
        s[i].checksum = XXH3_64bits(s[i].data, s[i].bytes);
        at = round_up(at + s[i].bytes);
    }
    return n;
}

/* Header and table, [round_up(HEADER_BYTES + n * ENTRY_BYTES)] zeroed bytes. */
static void encode_head(unsigned char *p, const struct kv_file *f, const struct section *s, int n)
{
    uint32_t shape[6];
    unsigned char *table = p + HEADER_BYTES;
    for (int i = 0; i < n; i++) {
        put_u32(table + i * ENTRY_BYTES, s[i].type);
        put_u64(table + i * ENTRY_BYTES + 8, s[i].offset);
        put_u64(table + i * ENTRY_BYTES + 16, s[i].bytes);
        put_u64(table + i * ENTRY_BYTES + 24, s[i].checksum);
    }
    memcpy(p, MAGIC, 8);
    put_u32(p + 8, KV_FILE_VERSION);
    put_u32(p + 12, (uint32_t)n);
    put_u64(p + 16, f->fingerprint);
    shape_numbers(f, shape);
    for (int i = 0; i < 6; i++)
        put_u32(p + 24 + 4 * i, shape[i]);
    put_u32(p + 48, (uint32_t)f->n_ids);
    put_u32(p + 52, (uint32_t)f->n_read);
    put_u64(p + 56, XXH3_64bits(table, (size_t)n * ENTRY_BYTES));
    put_u32(p + 64, (uint32_t)f->shift);
    put_u64(p + CHECKED_BYTES, XXH3_64bits(p, CHECKED_BYTES));
}

static bool write_all(int fd, const void *data, size_t bytes)
{
    const char *p = data;
    while (bytes > 0) {
        ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool write_sections(int fd, const unsigned char *head, size_t head_bytes,
                           const struct section *s, int n)
{
    static const char zeros[ALIGN];
    bool ok = write_all(fd, head, head_bytes);
    for (int i = 0; i < n && ok; i++)
        ok = write_all(fd, s[i].data, s[i].bytes) &&
             write_all(fd, zeros, (size_t)(round_up(s[i].bytes) - s[i].bytes));
    return ok && fsync(fd) == 0;
}

/* The rename is safe on disk once its folder is. */
static bool sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == path ? 1 : slash ? (int)(slash - path) : 0;
    snprintf(folder, sizeof folder, "%.*s", n ? n : 1, n ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);  /* some have nothing to sync */
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Replaces the file at path. */
static bool replace(const char *path, const unsigned char *head, size_t head_bytes,
                    const struct section *s, int n, struct err *err)
{
    char temp[PATH_MAX];
    if (snprintf(temp, sizeof temp, "%s.tmp", path) >= (int)sizeof temp)
        return err_set(err, ERR_INPUT, "path too long: '%.100s...'", path);
    unlink(temp);  /* what a crash left */
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "cannot create", temp);
    fchmod(fd, 0600);  /* whatever the umask left of it */
    bool ok = write_sections(fd, head, head_bytes, s, n);
    if (!ok)
        err_errno(err, "cannot write", temp);
    if (close(fd) != 0 && ok)
        ok = err_errno(err, "cannot write", temp);
    if (ok && rename(temp, path) != 0)
        ok = err_errno(err, "cannot replace", path);
    if (!ok)
        unlink(temp);
    else if (!sync_folder(path))
        ok = err_errno(err, "cannot sync the folder of", path);
    return ok;
}

bool kv_file_save(const char *path, const struct kv_file *f, const struct kv_section *own,
                  int n_own, struct err *err)
{
    assert(f->n_ids > 0 && f->n_read <= f->n_ids);
    size_t n_max = (size_t)n_own + 2;
    size_t head_max = round_up(HEADER_BYTES + n_max * ENTRY_BYTES);
    struct section *s = mem_alloc_n(n_max, sizeof *s);
    unsigned char *head = mem_alloc(head_max);
    bool ok = s && head;
    if (ok) {
        int n = list_sections(f, own, n_own, s);
        encode_head(head, f, s, n);
        ok = replace(path, head, round_up(HEADER_BYTES + (uint64_t)n * ENTRY_BYTES), s, n, err);
    } else {
        err_set(err, ERR_NOMEM, "not enough memory to write '%s'", path);
    }
    mem_free(s);
    mem_free(head);
    return ok;
}

/* ---- loading ------------------------------------------------------------------------------- */

static bool damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_FORMAT, "damaged: %s", what);
}

static bool check_shape(const unsigned char *p, const struct kv_file *f, struct err *err)
{
    uint32_t shape[6];
    shape_numbers(f, shape);
    if (get_u64(p + 16) != f->fingerprint)
        return err_set(err, ERR_FORMAT, "written for another model");
    for (int i = 0; i < 6; i++)
        if (get_u32(p + 24 + 4 * i) != shape[i])
            return err_set(err, ERR_FORMAT, "written for a cache of another shape");
    return true;
}

/* The header. Fills n_ids, n_read and *n_sections, and knows then that the table is whole. */
static bool read_header(const struct mapfile *m, struct kv_file *f, uint32_t *n_sections,
                        struct err *err)
{
    const unsigned char *p = m->data;
    if (m->bytes < HEADER_BYTES || memcmp(p, MAGIC, 8) != 0)
        return err_set(err, ERR_FORMAT, "not a cache written by this program");
    if (get_u32(p + 8) != KV_FILE_VERSION)
        return err_set(err, ERR_FORMAT, "version %u, expected %d", get_u32(p + 8),
                       KV_FILE_VERSION);
    if (get_u64(p + CHECKED_BYTES) != XXH3_64bits(p, CHECKED_BYTES))
        return damaged(err, "the header does not match its checksum");
    if (!check_shape(p, f, err))
        return false;
    uint32_t n_ids = get_u32(p + 48), n_read = get_u32(p + 52), shift = get_u32(p + 64);
    if (n_ids > (uint32_t)f->n_ctx)
        return err_set(err, ERR_LIMIT, "it holds %u tokens, the context %d", n_ids, f->n_ctx);
    if (n_ids == 0 || n_read > n_ids || shift > INT32_MAX / 2)
        return damaged(err, "impossible numbers of tokens");
    *n_sections = get_u32(p + 12);
    if (*n_sections > (m->bytes - HEADER_BYTES) / ENTRY_BYTES)
        return damaged(err, "cut short");
    if (get_u64(p + 56) != XXH3_64bits(p + HEADER_BYTES, *n_sections * (size_t)ENTRY_BYTES))
        return damaged(err, "the section table does not match its checksum");
    f->n_ids = (int)n_ids;
    f->n_read = (int)n_read;
    f->shift = (int)shift;
    return true;
}

/* One entry of the table, its bytes inside the file and whole. */
static bool read_entry(const struct mapfile *m, uint32_t i, struct section *s, struct err *err)
{
    const unsigned char *p = m->data + HEADER_BYTES + (size_t)i * ENTRY_BYTES;
    *s = (struct section){ .type = get_u32(p), .offset = get_u64(p + 8),
                           .bytes = get_u64(p + 16), .checksum = get_u64(p + 24) };
    if (s->offset % ALIGN || s->offset > m->bytes || s->bytes > m->bytes - s->offset)
        return damaged(err, "cut short");
    s->data = m->data + s->offset;
    if (XXH3_64bits(s->data, s->bytes) != s->checksum)
        return damaged(err, "a section does not match its checksum");
    return true;
}

static bool take_ids(const struct section *s, struct kv_file *f, struct err *err)
{
    if (s->bytes != (uint64_t)f->n_ids * sizeof *f->ids)
        return damaged(err, "the list of tokens has a wrong length");
    memcpy(f->ids, s->data, s->bytes);
    for (int i = 0; i < f->n_ids; i++)
        if (f->ids[i] < 0 || f->ids[i] >= f->n_vocab)
            return damaged(err, "a token outside the vocabulary");
    return true;
}

static bool take_logits(const struct section *s, struct kv_file *f, struct err *err)
{
    if (f->has_logits || f->n_read == 0 || s->bytes != (uint64_t)f->n_vocab * sizeof *f->logits)
        return damaged(err, "logits of a wrong length");
    memcpy(f->logits, s->data, s->bytes);
    f->has_logits = true;
    return true;
}

/* Who takes the sections that are not this file's. */
struct taker {
    bool (*take)(void *cache, const struct kv_file *f, const struct kv_section *s);
    void *cache;
};

static bool take_own(const struct section *s, const struct kv_file *f, const struct taker *t,
                     struct err *err)
{
    struct kv_section own = { s->type, s->data, s->bytes };
    return (s->type >= KV_FILE_OWN && t->take(t->cache, f, &own)) ||
           damaged(err, "a section that has no place here");
}

static bool read_sections(const struct mapfile *m, struct kv_file *f, const struct taker *t,
                          struct err *err)
{
    uint32_t n = 0;
    bool has_ids = false;
    f->has_logits = false;
    if (!read_header(m, f, &n, err))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct section s;
        bool ok = read_entry(m, i, &s, err);
        if (ok && s.type == SECTION_IDS && !has_ids)
            ok = has_ids = take_ids(&s, f, err);
        else if (ok && s.type == SECTION_LOGITS)
            ok = take_logits(&s, f, err);
        else if (ok)
            ok = take_own(&s, f, t, err);
        if (!ok)
            return false;
    }
    return has_ids || damaged(err, "sections are missing");
}

bool kv_file_load(struct mapfile *m, const char *path, struct kv_file *f,
                  bool (*take)(void *cache, const struct kv_file *f, const struct kv_section *s),
                  void *cache, struct err *err)
{
    struct taker t = { take, cache };
    return mapfile_open(m, path, err) &&
           (read_sections(m, f, &t, err) || err_prefix(err, path));
}
