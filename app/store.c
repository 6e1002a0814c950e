/* store.c -- session folders: find, list, lock, and meta.json.
 *
 * Everything inside a folder is opened by name below it and never through a symbolic link; an id
 * is checked before it becomes a path. What meta.json says is a hint for lists: nothing but what
 * is shown depends on it. */
#include "app/store.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/json.h"
#include "app/lock.h"
#include "app/paths.h"
#include "app/record.h"
#include "ui/buf.h"
#include "ui/status.h"

enum {
    ID_BYTES = 64,
    META_BYTES_MAX = 1 << 16,
    LOG_LIST_BYTES_MAX = 64 << 20,
    TREE_DEPTH_MAX = 64,
};
#define CHANGED_MAX ((int64_t)253402300799) /* the last second of the year 9999 */

/* ---- ids ------------------------------------------------------------------------------------- */

static bool is_id(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_.";
    size_t n = strlen(name);
    return n > 0 && n <= ID_BYTES && name[0] != '.' && strspn(name, allowed) == n;
}

bool store_name_id(const char *name, char id[80], struct err *err)
{
    if (!is_id(name))
        return err_set(err, ERR_INPUT, "'%.70s' cannot name a session: letters, digits, '-', '_' "
                       "and '.', no '.' at the beginning, 64 at most", name);
    snprintf(id, 80, "%s", name);
    return true;
}

void store_new_id(char id[80])
{
    static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789"; /* none looks like another */
    unsigned char random[4];
    time_t now = time(NULL);
    struct tm tm = {0};
    localtime_r(&now, &tm);
    if (getrandom(random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        uint32_t mixed = ((uint32_t)t.tv_nsec ^ (uint32_t)getpid()) * 2654435761u;
        memcpy(random, &mixed, sizeof random);
    }
    size_t n = strftime(id, 32, "%Y%m%d-%H%M%S-", &tm);
    for (size_t i = 0; i < sizeof random; i++)
        id[n++] = letters[random[i] % (sizeof letters - 1)];
    id[n] = 0;
}

/* ---- reading what is listed ----------------------------------------------------------------- */

/* The file below a folder, if it is a regular file of at most `most` bytes;
 * *changed is its time. */
static bool file_read(int folder, const char *name, size_t most, struct buf *out, int64_t *changed)
{
    struct stat st;
    char block[1 << 14];
    ssize_t n = -1;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        while ((n = read(fd, block, sizeof block)) > 0 && out->bytes + (size_t)n <= most)
            buf_append(out, block, (size_t)n);
        *changed = st.st_mtime;
    }
    close(fd);
    return n == 0;
}

/* Copies text that fits, ending at a whole character, without what a terminal would obey. */
static void text_copy(char *out, size_t bytes, const char *text)
{
    size_t n = strlen(text);
    if (n >= bytes)
        for (n = bytes - 1; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
            ;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < 32 || text[i] == 127 ? ' ' : text[i];
    out[n] = 0;
}

static void entry_parent(struct store_entry *e, const char *parent, const struct json *j)
{
    if (parent && is_id(parent))
        snprintf(e->parent, sizeof e->parent, "%s", parent);
    record_read_int(j, "parent_turns", INT_MAX, &e->parent_turns);
}

static bool entry_from_meta(struct store_entry *e, int folder)
{
    struct buf data = {0};
    int64_t turns, changed;
    struct json *j = NULL;
    if (file_read(folder, "meta.json", META_BYTES_MAX, &data, &changed))
        j = json_parse(buf_text(&data), data.bytes);
    const char *title = j ? json_string(j, "title") : NULL;
    const char *model = j ? json_string(j, "model") : NULL;
    bool ok = title && model && json_integer(j, "turns", &turns) && turns >= 0 &&
              turns <= INT32_MAX && json_integer(j, "changed", &changed) &&
              changed >= 0 && changed <= CHANGED_MAX;
    if (ok) {
        text_copy(e->title, sizeof e->title, title);
        text_copy(e->model, sizeof e->model, model);
        entry_parent(e, json_string(j, "parent"), j);
        e->turns = (int)turns;
        e->changed = changed;
    }
    json_free(&j);
    buf_release(&data);
    return ok;
}

static void entry_from_log(struct store_entry *e, int folder)
{
    struct conversation c;
    struct log_report report;
    struct buf data = {0};
    conversation_init(&c);
    if (file_read(folder, "log.jsonl", LOG_LIST_BYTES_MAX, &data, &e->changed) &&
        log_parse(buf_text(&data), data.bytes, &c, &report, NULL)) {
        text_copy(e->title, sizeof e->title, c.title);
        text_copy(e->model, sizeof e->model, c.model);
        text_copy(e->parent, sizeof e->parent, is_id(c.parent) ? c.parent : "");
        e->parent_turns = c.parent_turns;
        e->turns = c.n_turn;
    }
    buf_release(&data);
    conversation_release(&c);
}

static void entry_sizes(struct store_entry *e, int folder)
{
    struct stat st;
    if (fstatat(folder, "log.jsonl", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        e->log_bytes = st.st_size;
    if (fstatat(folder, "kv", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
        e->kv_bytes = st.st_size;
        e->kv_shared = st.st_nlink > 1;
    }
}

/* False: there is no session of this name. */
static bool entry_read(struct store_entry *e, int dir, const char *id)
{
    if (!is_id(id))
        return false;
    int folder = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return false;
    *e = (struct store_entry){0};
    memcpy(e->id, id, strlen(id) + 1); /* is_id() knows its length */
    if (!entry_from_meta(e, folder))
        entry_from_log(e, folder);
    entry_sizes(e, folder);
    close(folder);
    return true;
}

static int entry_compare(const void *a, const void *b)
{
    const struct store_entry *x = a, *y = b;
    if (x->changed != y->changed)
        return x->changed < y->changed ? 1 : -1;
    return -strcmp(x->id, y->id); /* ids begin with their date */
}

bool store_list(const char *dir, struct store_entry **out, int *n, struct err *err)
{
    struct store_entry *all = NULL, one;
    int count = 0, room = 0;
    *out = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT || err_errno(err, "cannot list", dir);
    for (struct dirent *e; (e = readdir(d));) {
        if (!entry_read(&one, dirfd(d), e->d_name))
            continue;
        if (count == room) {
            room = room ? room * 2 : 64;
            all = mem_grow(all, (size_t)room * sizeof *all);
        }
        all[count++] = one;
    }
    closedir(d);
    if (count)
        qsort(all, (size_t)count, sizeof *all, entry_compare);
    *out = all;
    *n = count;
    return true;
}

void store_facts(const struct store_entry *e, char *out, size_t bytes)
{
    char when[32];
    time_t t = (time_t)e->changed;
    struct tm tm = {0};
    char size[24], turns[24];
    status_bytes(size, sizeof size, (uint64_t)(e->log_bytes + e->kv_bytes));
    localtime_r(&t, &tm);
    time_t now = time(NULL);
    struct tm today = {0};
    localtime_r(&now, &today);
    bool is_today = tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year;
    strftime(when, sizeof when, is_today ? "%H:%M" : "%Y-%m-%d", &tm);
    snprintf(turns, sizeof turns, "%d turn%s", e->turns, e->turns == 1 ? "" : "s");
    snprintf(out, bytes, "%s  %10s  %8s", when, turns, size);
}

void store_details(const struct store_entry *e, char *out, size_t bytes)
{
    char log[24], kv[24], branch[128] = "";
    status_bytes(log, sizeof log, (uint64_t)e->log_bytes);
    status_bytes(kv, sizeof kv, (uint64_t)e->kv_bytes);
    if (e->parent[0])
        snprintf(branch, sizeof branch, "  branch of %s behind turn %d", e->parent,
                 e->parent_turns);
    snprintf(out, bytes, "%s  %s  text %s, cache %s%s%s", e->id, *e->model ? e->model : "no model",
             log, kv, e->kv_shared ? ", shared" : "", branch);
}

void store_label(const struct store_entry *e, char *out, size_t bytes)
{
    int depth = e->depth < 8 ? e->depth : 8;
    char branch[32] = "";
    if (depth)
        snprintf(branch, sizeof branch, "+ from turn %d: ", e->parent_turns + 1);
    snprintf(out, bytes, "%*s%s%s", 2 * depth, "", branch, *e->title ? e->title : e->id);
}

/* Moves entry i and its branches, at this depth, behind what *out holds; 'changed' order stays. */
static void tree_take(const struct store_entry *e, int n, int i, int depth, bool *taken,
                      struct store_entry *out, int *n_out)
{
    taken[i] = true;
    out[*n_out] = e[i];
    out[(*n_out)++].depth = depth;
    for (int k = 0; k < n && depth < TREE_DEPTH_MAX; k++)
        if (!taken[k] && strcmp(e[k].parent, e[i].id) == 0)
            tree_take(e, n, k, depth + 1, taken, out, n_out);
}

static bool has_parent(const struct store_entry *e, int n, int i)
{
    for (int k = 0; k < n && e[i].parent[0]; k++)
        if (k != i && strcmp(e[k].id, e[i].parent) == 0)
            return true;
    return false;
}

void store_tree(struct store_entry *e, int n)
{
    struct store_entry *out = mem_new((size_t)(n > 0 ? n : 1) * sizeof *out);
    bool *taken = mem_new((size_t)(n > 0 ? n : 1) * sizeof *taken);
    int n_out = 0;
    for (int i = 0; i < n; i++)
        if (!taken[i] && !has_parent(e, n, i))
            tree_take(e, n, i, 0, taken, out, &n_out);
    for (int i = 0; i < n; i++) /* damaged: in a circle, or too deep */
        if (!taken[i])
            tree_take(e, n, i, 0, taken, out, &n_out);
    if (n > 0)
        memcpy(e, out, (size_t)n * sizeof *e);
    free(out);
    free(taken);
}

bool store_read(const char *dir, const char *id, struct conversation *c, struct err *err)
{
    char path[560];
    struct buf data = {0};
    struct log_report report;
    int64_t changed;
    int n = snprintf(path, sizeof path, "%s/%s", dir, id);
    int folder = is_id(id) && n > 0 && n < (int)sizeof path
                     ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (folder < 0)
        return err_set(err, ERR_INPUT, "there is no session '%.80s'", id);
    bool ok = file_read(folder, "log.jsonl", LOG_LIST_BYTES_MAX, &data, &changed);
    close(folder);
    if (!ok)
        err_set(err, ERR_IO, "%.400s: its log cannot be read, or is larger than 64 MiB", path);
    ok = ok && log_parse(buf_text(&data), data.bytes, c, &report, err);
    buf_release(&data);
    return ok;
}

/* ---- finding -------------------------------------------------------------------------------- */

static bool entry_matches(const struct store_entry *e, const char *name)
{
    return strncmp(e->id, name, strlen(name)) == 0 || strcasecmp(e->title, name) == 0;
}

bool store_find(const char *dir, const char *name, char id[80], struct err *err)
{
    struct store_entry *all;
    int n, found = 0;
    char names[160] = "";
    id[0] = 0;
    if (!name[0])
        return err_set(err, ERR_INPUT, "a session has no empty name");
    if (!store_list(dir, &all, &n, err))
        return false;
    for (int i = 0; i < n; i++) {
        if (!entry_matches(&all[i], name))
            continue;
        bool exact = strcmp(all[i].id, name) == 0;
        size_t have = strlen(names);
        snprintf(names + have, sizeof names - have, "%s%s", have ? ", " : "", all[i].id);
        if (found++ == 0 || exact)
            snprintf(id, 80, "%s", all[i].id);
        if (exact) {
            found = 1;
            break;
        }
    }
    free(all);
    if (found == 0)
        return err_set(err, ERR_INPUT, "there is no session '%.80s'", name);
    return found == 1 || err_set(err, ERR_INPUT, "'%.40s' means several sessions: %s", name, names);
}

bool store_last(const char *dir, char id[80], struct err *err)
{
    struct store_entry *all;
    int n, last = 0;
    if (!store_list(dir, &all, &n, err))
        return false;
    while (last < n && all[last].turns == 0)
        last++;
    if (last == n) /* nothing was said in any: the newest that is there */
        last = 0;
    if (n > 0)
        snprintf(id, 80, "%s", all[last].id);
    free(all);
    return n > 0 || err_set(err, ERR_INPUT, "there is no session yet");
}

/* ---- one open session ----------------------------------------------------------------------- */

/* The folder of the session, made if it is not there; whatever the umask or a copy made of its
 * mode, it is private from now on. */
static int folder_open(const char *path, struct err *err)
{
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST) {
        err_errno(err, "cannot make the folder", path);
        return -1;
    }
    if (made)
        chmod(path, 0700);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        err_errno(err, "cannot open the folder", path);
    else
        fchmod(fd, 0700);
    return fd;
}

/* What a crash in the middle of a replacement left: half of a file that nobody will read. */
static void leftovers_remove(int folder)
{
    static const char *const names[] = {"meta.json.new", "kv.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(folder, names[i], 0);
}

/* True if meta.json is missing or damaged. */
static bool meta_is_bad(int folder)
{
    struct store_entry e;
    return !entry_from_meta(&e, folder);
}

bool store_open(struct store *s, const char *dir, const char *id, struct conversation *c,
                struct log_report *r, struct err *err)
{
    char path[560];
    *s = (struct store){.lock_fd = -1};
    *r = (struct log_report){0};
    if (!store_name_id(id, s->id, err) || !paths_make(dir, err))
        return false;
    int n = snprintf(s->folder, sizeof s->folder, "%s/%s", dir, id);
    if (n < 0 || (size_t)n >= sizeof s->folder) {
        s->folder[0] = 0;
        return err_set(err, ERR_LIMIT, "too long for a folder: '%.80s...'", dir);
    }
    snprintf(s->kv, sizeof s->kv, "%s/kv", s->folder);
    snprintf(path, sizeof path, "%s/log.jsonl", s->folder);
    int folder = folder_open(s->folder, err);
    bool ok = folder >= 0 && lock_take(&s->lock_fd, folder, s->id, err);
    if (ok)
        leftovers_remove(folder);
    ok = ok && log_open(&s->log, path, c, r, err);
    /* A list that shows less is no reason not to open. */
    if (ok && r->lines > 0 && meta_is_bad(folder))
        store_meta(s, c, NULL);
    if (folder >= 0)
        close(folder);
    if (!ok)
        store_close(s);
    return ok;
}

static bool file_write(int folder, const char *name, const struct buf *data)
{
    size_t done = 0;
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    while (done < data->bytes) {
        ssize_t n = write(fd, data->data + done, data->bytes - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    fchmod(fd, 0600);
    bool ok = done == data->bytes && fsync(fd) == 0;
    return close(fd) == 0 && ok;
}

/* Either the old file or the new one is there, whatever happens. */
static bool file_replace(const char *path, const struct buf *data, struct err *err)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return err_errno(err, "cannot open the folder", path);
    bool ok = file_write(folder, "meta.json.new", data) &&
              renameat(folder, "meta.json.new", folder, "meta.json") == 0 && fsync(folder) == 0;
    if (!ok) {
        err_errno(err, "cannot write meta.json in", path);
        unlinkat(folder, "meta.json.new", 0);
    }
    close(folder);
    return ok;
}

bool store_new(struct store *s, const char *dir, const struct conversation *c, const char *kv,
               struct err *err)
{
    struct conversation none;
    struct log_report report;
    char id[80];
    store_new_id(id);
    conversation_init(&none);
    bool ok = store_open(s, dir, id, &none, &report, err) &&
              (log_is_empty(s->log) || err_set(err, ERR_BUSY, "session '%s' is there", id)) &&
              log_write(s->log, c, s->id, err) && store_meta(s, c, err);
    conversation_release(&none);
    bool linked = ok && kv && link(kv, s->kv) == 0;
    (void)linked; /* without it the cache is read anew */
    if (!ok)
        store_close(s);
    return ok;
}

bool store_rename(const char *dir, const char *id, const char *title, struct err *err)
{
    struct store s = {.lock_fd = -1};
    struct conversation c;
    struct log_report report;
    conversation_init(&c);
    bool ok = store_open(&s, dir, id, &c, &report, err);
    if (ok) {
        conversation_title(&c, title);
        ok = log_title(s.log, c.title, err) && log_sync(s.log, err) && store_meta(&s, &c, err);
    }
    store_close(&s);
    conversation_release(&c);
    return ok;
}

bool store_meta(struct store *s, const struct conversation *c, struct err *err)
{
    struct buf data = {0};
    struct json_line j;
    if (!s->folder[0])
        return true;
    json_begin(&j, &data);
    json_int(&j, "v", 1);
    json_text(&j, "id", s->id);
    json_text(&j, "title", c->title);
    json_text(&j, "mode", mode_get(c->mode)->name);
    json_text(&j, "model", c->model);
    if (*c->parent) {
        json_text(&j, "parent", c->parent);
        json_int(&j, "parent_turns", c->parent_turns);
    }
    json_int(&j, "turns", c->n_turn);
    json_int(&j, "changed", time(NULL));
    json_end(&j);
    bool ok = file_replace(s->folder, &data, err);
    buf_release(&data);
    return ok;
}

/* Files that an empty session may have; rmdir() keeps a folder that holds anything else. */
static void folder_remove(const char *path)
{
    static const char *const names[] = {"log.jsonl", "kv", "kv.tmp", "meta.json", "meta.json.new",
                                       "lock"};
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlinkat(folder, names[i], 0);
    close(folder);
    rmdir(path);
}

static void store_end(struct store *s, bool discard)
{
    log_close(&s->log);
    if (discard)
        folder_remove(s->folder);
    if (s->folder[0]) /* all zero is a closed store too */
        lock_release(&s->lock_fd);
    *s = (struct store){.lock_fd = -1};
}

void store_close(struct store *s)
{
    store_end(s, s->log && log_is_empty(s->log));
}

void store_discard(struct store *s)
{
    store_end(s, s->log != NULL);
}

/* ---- putting aside -------------------------------------------------------------------------- */

/* The folder `deleted` beside the sessions, made if it is not there. */
static bool deleted_folder(const char *dir, char out[560], struct err *err)
{
    const char *slash = strrchr(dir, '/');
    int n = snprintf(out, 560, "%.*sdeleted", slash ? (int)(slash + 1 - dir) : 0, dir);
    if (n < 0 || n >= 560 - 80)
        return err_set(err, ERR_LIMIT, "too long for a folder: '%.80s...'", dir);
    return paths_make(out, err);
}

/* Erases what was put there long ago, and says which came last; "" = none is there. */
static void deleted_look(const char *deleted, char last[80])
{
    time_t newest = 0, now = time(NULL);
    DIR *d = opendir(deleted);
    last[0] = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        char path[660];
        if (!is_id(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(st.st_mode))
            continue;
        snprintf(path, sizeof path, "%s/%s", deleted, e->d_name);
        if (now - st.st_mtime > (time_t)STORE_KEPT_DAYS * 24 * 3600) {
            folder_remove(path);
        } else if (!last[0] || st.st_mtime >= newest) {
            newest = st.st_mtime;
            snprintf(last, 80, "%.64s", e->d_name);
        }
    }
    if (d)
        closedir(d);
}

/* Moves a session from one folder to another, unless a program has it open. */
static bool session_move(const char *from, const char *to, const char *id, struct err *err)
{
    char old[660], new[660];
    struct store s = {.lock_fd = -1};
    snprintf(s.id, sizeof s.id, "%s", id);
    snprintf(s.folder, sizeof s.folder, "%.400s/%s", from, id);
    snprintf(old, sizeof old, "%s/%s", from, id);
    snprintf(new, sizeof new, "%s/%s", to, id);
    int folder = open(old, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return err_errno(err, "cannot open the folder", old);
    bool ok = lock_take(&s.lock_fd, folder, id, err);
    /* Its time is when it came here: what is not known to be old is kept. */
    if (ok && (futimens(folder, NULL) < 0 || rename(old, new) < 0))
        ok = err_errno(err, "cannot move", old);
    close(folder);
    store_close(&s);
    return ok;
}

bool store_delete(const char *dir, const char *id, struct err *err)
{
    char deleted[560], last[80];
    if (!is_id(id))
        return err_set(err, ERR_INPUT, "there is no session '%.80s'", id);
    if (!deleted_folder(dir, deleted, err))
        return false;
    deleted_look(deleted, last);
    return session_move(dir, deleted, id, err);
}

bool store_undelete(const char *dir, char id[80], struct err *err)
{
    char deleted[560];
    if (!deleted_folder(dir, deleted, err))
        return false;
    deleted_look(deleted, id);
    if (!id[0])
        return err_set(err, ERR_INPUT, "nothing was deleted in the last %d days", STORE_KEPT_DAYS);
    return session_move(deleted, dir, id, err);
}
