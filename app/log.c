/* log.c -- log.jsonl: reading any bytes as a conversation, and appending whole lines.
 *
 * Damage costs the line it is in and no other. What a lost line did is guessed from the lines
 * after it: an "ask" whose number is too high shows that questions before it are lost (they
 * become empty turns, so that all numbers keep their meaning), one whose number is too low shows
 * that a "cut" is lost. Both only as far as lines really are lost. A lost line that may have
 * named another model makes the ids after it worthless; the text stays.
 *
 * man/duet-session.5 describes every line: change both. */
#include "app/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/json.h"
#include "app/record.h"
#include "app/tier.h"
#include "ui/buf.h"

enum {
    LOG_VERSION = 1,
    LINE_BYTES_MAX = 32 << 20, /* reading takes about 32 times as much memory */
};
#define LOG_BYTES_MAX ((off_t)1 << 30)

/* ---- reading: one line ---------------------------------------------------------------------- */

struct reading {
    struct conversation *c;
    int lost;        /* lines not understood whose effect is still unaccounted for */
    bool understood; /* at least one line was */
    struct log_report *report;
};

/* Lets the number of the next turn be n by what lost lines may have done. */
static bool turn_reach(struct reading *r, int n)
{
    if (n < r->c->n_turn && r->lost > 0) {
        r->lost--;
        conversation_cut(r->c, n);
    }
    if (n < r->c->n_turn || n - r->c->n_turn > r->lost)
        return false;
    for (; r->c->n_turn < n; r->lost--)
        conversation_ask(r->c, "", MODE_FLASH);
    return true;
}

/* The number of a turn that exists, or whose question is lost. */
static bool get_turn(struct reading *r, const struct json *j, int *turn)
{
    return record_read_int(j, "turn", INT_MAX - 1, turn) &&
           (*turn < r->c->n_turn || turn_reach(r, *turn + 1));
}

/* Replaces ids by the list of this name. Ids without a model that they belong to are worthless. */
static void take_ids(const struct reading *r, const struct json *j, const char *name,
                     struct ids *out)
{
    int32_t *id;
    int n;
    if (r->c->fingerprint == 0 || !json_id_list(j, name, &id, &n))
        return;
    ids_release(out);
    *out = (struct ids){.id = id, .n = n, .cap = n};
}

/* A mode by name. Flash stands for one that there is not any more. False: it is no name. */
static bool get_mode(struct reading *r, const struct json *j, const char *name, enum mode_id *mode)
{
    const char *text = json_string(j, name);
    if (text && record_read_mode(j, name, mode))
        return true;
    if (!text || !mode_is_name(text))
        return false;
    snprintf(r->report->mode_gone, sizeof r->report->mode_gone, "%s", text);
    *mode = MODE_FLASH;
    return true;
}

static bool read_begin(struct reading *r, const struct json *j)
{
    take_ids(r, j, "ids", &r->c->begin);
    ids_release(&r->c->kept); /* they stood behind another */
    return true;
}

static bool read_ask(struct reading *r, const struct json *j)
{
    const char *text = json_string(j, "text");
    enum mode_id mode = MODE_FLASH;
    int turn;
    if (!text || !record_read_int(j, "turn", INT_MAX - 1, &turn) || !turn_reach(r, turn))
        return false;
    get_mode(r, j, "mode", &mode); /* text is not lost for a mode we do not know */
    conversation_ask(r->c, text, mode);
    return true;
}

static bool read_prompt(struct reading *r, const struct json *j)
{
    int turn;
    if (!get_turn(r, j, &turn))
        return false;
    take_ids(r, j, "ids", &r->c->turn[turn].ids);
    return true;
}

static double get_double(const struct json *j, const char *name)
{
    double v;
    return json_number(j, name, &v) && v > 0 ? v : 0;
}

static void read_usage(struct usage *u, const struct json *j)
{
    int64_t kv;
    record_read_int(j, "prompt_tokens", INT_MAX, &u->prompt_tokens);
    record_read_int(j, "read_tokens", INT_MAX, &u->read_tokens);
    record_read_int(j, "re_read_tokens", INT_MAX, &u->re_read_tokens);
    record_read_int(j, "reused_tokens", INT_MAX, &u->reused_tokens);
    record_read_int(j, "drafted_tokens", INT_MAX, &u->drafted_tokens);
    record_read_int(j, "accepted_tokens", INT_MAX, &u->accepted_tokens);
    record_read_int(j, "answer_tokens", INT_MAX, &u->answer_tokens);
    record_read_int(j, "thinking_tokens", INT_MAX, &u->thinking_tokens);
    record_read_int(j, "losing_tokens", INT_MAX, &u->losing_tokens);
    record_read_int(j, "think_capped", 1, &u->think_capped);
    if (json_integer(j, "kv_bytes", &kv) && kv > 0)
        u->kv_bytes = (uint64_t)kv;
    u->seconds = get_double(j, "seconds");
    u->first_seconds = get_double(j, "first_seconds");
    u->tok_s = get_double(j, "tok_s");
}

/* Stretches of the reply's ids, one behind the other, none empty. */
static bool spans_good(const struct reply *r)
{
    const struct ids *s = &r->thought;
    int32_t last = 0;
    bool good = s->n % 2 == 0;
    for (int i = 0; good && i < s->n; i += 2) {
        good = s->id[i] >= last && s->id[i + 1] > s->id[i] && s->id[i + 1] <= r->ids.n;
        last = s->id[i + 1];
    }
    return good;
}

static bool read_reply(struct reading *r, const struct json *j)
{
    int turn;
    if (!json_is_array(json_get(j, "parts")) || !get_turn(r, j, &turn))
        return false;
    struct reply *reply = conversation_reply(r->c, turn);
    record_read_reply(j, reply);
    get_mode(r, j, "mode", &reply->mode);
    take_ids(r, j, "ids", &reply->ids);
    take_ids(r, j, "thought", &reply->thought);
    if (!spans_good(reply))
        ids_release(&reply->thought);
    if (json_get(j, "usage"))
        read_usage(&reply->usage, json_get(j, "usage"));
    return true;
}

static bool read_fold(struct reading *r, const struct json *j)
{
    int turn, i, done, tokens = 0;
    if (!get_turn(r, j, &turn) ||
        !record_read_int(j, "reply", r->c->turn[turn].n_reply - 1, &i) ||
        !record_read_int(j, "done", 1, &done))
        return false;
    struct reply *reply = &r->c->turn[turn].reply[i];
    record_read_int(j, "re_read", INT_MAX - reply->fold_tokens, &tokens);
    if (done && !reply->folded)
        reply->folded_at = r->c->n_turn;
    reply->folded = reply->folded || done;
    reply->fold_tokens += tokens;
    reply->fold_seconds += get_double(j, "seconds");
    return true;
}

static bool read_choose(struct reading *r, const struct json *j)
{
    int turn, reply;
    if (!get_turn(r, j, &turn) ||
        !record_read_int(j, "reply", r->c->turn[turn].n_reply - 1, &reply))
        return false;
    r->c->turn[turn].chosen = reply;
    return true;
}

static bool read_mode(struct reading *r, const struct json *j)
{
    return get_mode(r, j, "mode", &r->c->mode);
}

static bool read_toggle(struct reading *r, const struct json *j)
{
    return get_mode(r, j, "to", &r->c->mode);
}

/* What is not known, or not allowed any more, changes nothing. */
static bool read_set(struct reading *r, const struct json *j)
{
    const char *mode = json_string(j, "mode"), *name = json_string(j, "name");
    const char *value = json_string(j, "value");
    const struct mode *m = mode ? mode_find(mode, strlen(mode)) : NULL;
    const struct setting *s = name ? setting_find(name, strlen(name)) : NULL;
    for (int i = 0; !mode && name && i < SETTINGS_COMMON; i++)
        if (strcmp(name, settings_common[i]) == 0)
            settings_put_common(&r->c->settings, i, value, NULL);
    if (m && !name)
        settings_reset(&r->c->settings, m->id);
    else if (m && s)
        settings_put(&r->c->settings, m->id, s, value, NULL);
    return mode || name;
}

/* How each of them stood is in its reply. */
static bool read_candidates(struct reading *r, const struct json *j)
{
    int turn, of = 0, chosen = 0;
    const char *why = json_string(j, "why");
    if (!get_turn(r, j, &turn))
        return false;
    if (record_read_int(j, "of", RECORD_CANDIDATES, &of) &&
        record_read_int(j, "chosen", RECORD_CANDIDATES - 1, &chosen))
        conversation_choice(r->c, turn, of, chosen, why ? why : "");
    return true;
}

/* What was measured once is measured anew. */
static bool read_gate(struct reading *r, const struct json *j)
{
    double kld;
    (void)r;
    return json_number(j, "kld", &kld);
}

static bool read_title(struct reading *r, const struct json *j)
{
    const char *title = json_string(j, "title");
    if (title)
        conversation_title(r->c, title);
    return title != NULL;
}

static bool read_cut(struct reading *r, const struct json *j)
{
    int n;
    if (!record_read_int(j, "turns", r->c->n_turn, &n))
        return false;
    conversation_cut(r->c, n);
    return true;
}

static bool read_drop(struct reading *r, const struct json *j)
{
    struct ids kept = {0};
    int n;
    if (!record_read_int(j, "turns", r->c->n_turn, &n))
        return false;
    take_ids(r, j, "ids", &kept);
    conversation_drop(r->c, n, kept.id, kept.n);
    ids_release(&kept);
    return true;
}

static bool read_model(struct reading *r, const struct json *j)
{
    const char *model = json_string(j, "model");
    uint64_t fingerprint;
    if (!model || !json_unsigned(j, "fingerprint", &fingerprint))
        return false;
    conversation_model(r->c, model, fingerprint);
    return true;
}

static const struct {
    const char *type;
    bool (*read)(struct reading *r, const struct json *j);
} events[] = {
    {"begin", read_begin}, {"ask", read_ask},     {"prompt", read_prompt},
    {"reply", read_reply}, {"mode", read_mode},   {"toggle", read_toggle},
    {"title", read_title}, {"cut", read_cut},     {"model", read_model},
    {"drop", read_drop}, {"choose", read_choose}, {"candidates", read_candidates},
    {"gate", read_gate}, {"fold", read_fold}, {"set", read_set},
};

static bool read_event(struct reading *r, const struct json *j)
{
    const char *type = json_string(j, "type");
    for (size_t i = 0; type && i < sizeof events / sizeof *events; i++)
        if (strcmp(events[i].type, type) == 0)
            return events[i].read(r, j);
    return false;
}

static bool line_has(const char *line, size_t bytes, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= bytes; i++)
        if (line[i] == word[0] && memcmp(line + i, word, n) == 0)
            return true;
    return false;
}

/* Every line but the first. */
static void read_line(struct reading *r, const char *line, size_t bytes, struct log_report *report)
{
    struct json *j = bytes > LINE_BYTES_MAX ? NULL : json_parse(line, bytes);
    if (j && read_event(r, j)) {
        r->understood = true;
    } else {
        report->skipped++;
        r->lost++;
        if (line_has(line, bytes, "fingerprint")) /* from which model on is not known */
            conversation_model(r->c, r->c->model, 0);
    }
    json_free(&j);
}

/* The first line. False: *err says why this is not a log for us. A damaged one is left to the
 * lines behind it. */
static bool read_first(struct reading *r, const char *line, size_t bytes, struct log_report *report,
                       struct err *err)
{
    struct json *j = bytes > LINE_BYTES_MAX ? NULL : json_parse(line, bytes);
    const char *type = j ? json_string(j, "type") : NULL;
    int64_t version = 0;
    bool ok = true;
    if (!type || strcmp(type, "session") != 0 || !json_integer(j, "v", &version)) {
        report->skipped++;
        r->lost++; /* it may have swallowed the line behind it */
    } else if (version != LOG_VERSION) {
        ok = err_set(err, ERR_UNSUPPORTED, "a log of version %lld; this program knows version %d",
                     (long long)version, LOG_VERSION);
    } else {
        const char *system = json_string(j, "system");
        const char *parent = json_string(j, "parent");
        free(r->c->system);
        r->c->system = mem_dup(system ? system : "");
        free(r->c->parent);
        r->c->parent = mem_dup(parent ? parent : "");
        record_read_int(j, "parent_turns", INT_MAX, &r->c->parent_turns);
        read_model(r, j);
        r->understood = true;
    }
    json_free(&j);
    return ok;
}

bool log_parse(const char *data, size_t bytes, struct conversation *c, struct log_report *report,
               struct err *err)
{
    struct reading r = {.c = c, .report = report};
    bool ok = true;
    *report = (struct log_report){0};
    for (size_t at = 0; ok && at < bytes; at = report->bytes_kept) {
        const char *end = memchr(data + at, '\n', bytes - at);
        if (!end)
            break;
        size_t length = (size_t)(end - data) - at;
        if (report->lines++ == 0)
            ok = read_first(&r, data + at, length, report, err);
        else
            read_line(&r, data + at, length, report);
        report->bytes_kept = at + length + 1;
    }
    report->unfinished = ok && report->bytes_kept < bytes;
    if (ok && report->lines > 0 && !r.understood)
        ok = err_set(err, ERR_FORMAT, "not a log of this program: no line of it is understood");
    if (!ok) {
        conversation_release(c);
        conversation_init(c);
    }
    return ok;
}

/* ---- the file ------------------------------------------------------------------------------- */

struct log {
    int fd;
    char *path;
    off_t end;          /* of the last whole line */
    bool torn;          /* there may be bytes behind it: an unfinished line */
    bool created;       /* its folder does not know it durably yet */
    struct buf kept;    /* whole lines that are not in the file */
};

/* Reads the whole file. */
static bool file_read(int fd, const char *path, struct buf *out, struct err *err)
{
    char block[1 << 14];
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n == 0)
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read", path);
        if (out->bytes + (size_t)n > (size_t)LOG_BYTES_MAX)
            return err_set(err, ERR_LIMIT, "%s: larger than 1 GiB", path);
        buf_append(out, block, (size_t)n);
    }
}

static bool file_open(struct log *l, const char *path, struct err *err)
{
    struct stat st;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    l->fd = open(path, flags);
    if (l->fd < 0 && errno == ENOENT) {
        l->created = true;
        l->fd = open(path, flags | O_CREAT | O_EXCL, 0600);
    }
    if (l->fd < 0 || fstat(l->fd, &st) < 0)
        return err_errno(err, "cannot open", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "cannot use '%s': not a regular file", path);
    fchmod(l->fd, 0600); /* private, whatever the umask or a copy made of it */
    return true;
}

bool log_open(struct log **out, const char *path, struct conversation *c, struct log_report *r,
              struct err *err)
{
    struct log *l = mem_new(sizeof *l);
    struct buf data = {0};
    *r = (struct log_report){0};
    *l = (struct log){.fd = -1, .path = mem_dup(path)};
    bool ok = file_open(l, path, err) && file_read(l->fd, path, &data, err);
    if (ok && !log_parse(buf_text(&data), data.bytes, c, r, err))
        ok = err_prefix(err, path);
    l->end = (off_t)r->bytes_kept;
    l->torn = r->unfinished;
    buf_release(&data);
    if (!ok)
        log_close(&l);
    *out = l;
    return ok;
}

void log_close(struct log **l)
{
    if (!*l)
        return;
    if ((*l)->fd >= 0)
        close((*l)->fd);
    buf_release(&(*l)->kept);
    free((*l)->path);
    free(*l);
    *l = NULL;
}

/* Writes the kept lines, all or none. */
static bool log_flush(struct log *l, struct err *err)
{
    if (l->torn && l->kept.bytes) {
        if (ftruncate(l->fd, l->end) < 0)
            return err_errno(err, "cannot write", l->path);
        l->torn = false;
    }
    for (size_t done = 0; done < l->kept.bytes;) {
        ssize_t n = pwrite(l->fd, l->kept.data + done, l->kept.bytes - done,
                           l->end + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            err_errno(err, "cannot write", l->path);
            l->torn = ftruncate(l->fd, l->end) < 0;
            return false;
        }
        done += (size_t)n;
    }
    l->end += (off_t)l->kept.bytes;
    buf_clear(&l->kept);
    return true;
}

/* ---- appending ------------------------------------------------------------------------------ */

/* One event on its way into the kept lines. */
struct event {
    struct json_line j;
    size_t begin;
};

static struct json_line *event_begin(struct event *e, struct log *l, const char *type)
{
    e->begin = l->kept.bytes;
    json_begin(&e->j, &l->kept);
    json_text(&e->j, "type", type);
    return &e->j;
}

static bool event_end(struct event *e, struct log *l, struct err *err)
{
    json_end(&e->j);
    if (l->kept.bytes - e->begin <= LINE_BYTES_MAX)
        return log_flush(l, err);
    l->kept.bytes = e->begin;
    l->kept.data[e->begin] = 0;
    return err_set(err, ERR_LIMIT, "%s: an event of more than 32 MiB is not saved", l->path);
}

bool log_session(struct log *l, const struct conversation *c, const char *id, struct err *err)
{
    struct event e;
    struct json_line *j = event_begin(&e, l, "session");
    json_int(j, "v", LOG_VERSION);
    json_text(j, "id", id);
    json_int(j, "created", time(NULL));
    json_text(j, "model", c->model);
    json_u64(j, "fingerprint", c->fingerprint);
    json_text(j, "system", c->system);
    if (*c->parent) {
        json_text(j, "parent", c->parent);
        json_int(j, "parent_turns", c->parent_turns);
    }
    return event_end(&e, l, err);
}

bool log_begin(struct log *l, const struct conversation *c, struct err *err)
{
    struct event e;
    json_ids(event_begin(&e, l, "begin"), "ids", c->begin.id, c->begin.n);
    return event_end(&e, l, err);
}

bool log_ask(struct log *l, const struct conversation *c, int turn, struct err *err)
{
    assert(turn >= 0 && turn < c->n_turn);
    const struct turn *t = &c->turn[turn];
    struct event e;
    struct json_line *j = event_begin(&e, l, "ask");
    json_int(j, "turn", turn);
    record_mode(j, "mode", t->mode);
    json_text(j, "text", t->question);
    json_int(j, "time", time(NULL));
    return event_end(&e, l, err);
}

bool log_prompt(struct log *l, const struct conversation *c, int turn, struct err *err)
{
    assert(turn >= 0 && turn < c->n_turn);
    const struct turn *t = &c->turn[turn];
    struct event e;
    struct json_line *j = event_begin(&e, l, "prompt");
    json_int(j, "turn", turn);
    json_ids(j, "ids", t->ids.id, t->ids.n);
    return event_end(&e, l, err);
}

static void write_usage(struct json_line *j, const struct usage *u)
{
    json_open(j, "usage", '{');
    json_int(j, "prompt_tokens", u->prompt_tokens);
    json_int(j, "read_tokens", u->read_tokens);
    json_int(j, "re_read_tokens", u->re_read_tokens);
    json_int(j, "reused_tokens", u->reused_tokens);
    json_int(j, "drafted_tokens", u->drafted_tokens);
    json_int(j, "accepted_tokens", u->accepted_tokens);
    json_int(j, "answer_tokens", u->answer_tokens);
    json_int(j, "thinking_tokens", u->thinking_tokens);
    json_int(j, "losing_tokens", u->losing_tokens);
    json_int(j, "think_capped", u->think_capped);
    json_int(j, "kv_bytes", (int64_t)u->kv_bytes);
    json_double(j, "seconds", u->seconds);
    json_double(j, "first_seconds", u->first_seconds);
    json_double(j, "tok_s", u->tok_s);
    json_close(j, '}');
}

bool log_reply(struct log *l, const struct conversation *c, int turn, int sibling, struct err *err)
{
    assert(turn >= 0 && turn < c->n_turn);
    assert(sibling >= 0 && sibling < c->turn[turn].n_reply);
    const struct reply *r = &c->turn[turn].reply[sibling];
    struct event e;
    struct json_line *j = event_begin(&e, l, "reply");
    json_int(j, "turn", turn);
    record_reply(j, r);
    json_ids(j, "ids", r->ids.id, r->ids.n);
    if (r->thought.n > 0)
        json_ids(j, "thought", r->thought.id, r->thought.n);
    write_usage(j, &r->usage);
    json_int(j, "time", time(NULL));
    return event_end(&e, l, err);
}

bool log_choose(struct log *l, const struct conversation *c, int turn, struct err *err)
{
    assert(turn >= 0 && turn < c->n_turn && c->turn[turn].chosen >= 0);
    struct event e;
    struct json_line *j = event_begin(&e, l, "choose");
    json_int(j, "turn", turn);
    json_int(j, "reply", c->turn[turn].chosen);
    return event_end(&e, l, err);
}

bool log_fold(struct log *l, int turn, int sibling, bool done, int re_read, double seconds,
              struct err *err)
{
    struct event e;
    struct json_line *j = event_begin(&e, l, "fold");
    json_int(j, "turn", turn);
    json_int(j, "reply", sibling);
    json_int(j, "done", done);
    json_int(j, "re_read", re_read);
    json_double(j, "seconds", seconds);
    return event_end(&e, l, err);
}

bool log_mode(struct log *l, enum mode_id mode, struct err *err)
{
    struct event e;
    record_mode(event_begin(&e, l, "mode"), "mode", mode);
    return event_end(&e, l, err);
}

bool log_set(struct log *l, const char *mode, const char *name, const char *value, struct err *err)
{
    struct event e;
    struct json_line *j = event_begin(&e, l, "set");
    if (mode)
        json_text(j, "mode", mode);
    if (name)
        json_text(j, "name", name);
    if (value)
        json_text(j, "value", value);
    return event_end(&e, l, err);
}

static bool log_mode_settings(struct log *l, const struct settings *s, enum mode_id mode,
                              struct err *err)
{
    const struct setting *one;
    bool ok = true;
    for (int i = 0; ok && (one = setting_at(i)); i++) {
        struct buf value = {0};
        if (!settings_changed(s, mode, one))
            continue;
        setting_get(one, settings_row(s, mode), &value);
        ok = log_set(l, mode_get(mode)->name, one->name, buf_text(&value), err);
        buf_release(&value);
    }
    return ok;
}

bool log_settings(struct log *l, const struct settings *s, struct err *err)
{
    char number[32];
    for (int m = 0; m < mode_count(); m++)
        if (!log_mode_settings(l, s, (enum mode_id)m, err))
            return false;
    snprintf(number, sizeof number, "%llu", (unsigned long long)s->seed);
    if (s->seed_given && !log_set(l, NULL, "seed", number, err))
        return false;
    snprintf(number, sizeof number, "%d", s->max_tokens);
    return !s->max_tokens_given || log_set(l, NULL, "max-tokens", number, err);
}

bool log_title(struct log *l, const char *title, struct err *err)
{
    struct event e;
    json_text(event_begin(&e, l, "title"), "title", title);
    return event_end(&e, l, err);
}

bool log_cut(struct log *l, int n_turn, struct err *err)
{
    struct event e;
    json_int(event_begin(&e, l, "cut"), "turns", n_turn);
    return event_end(&e, l, err);
}

bool log_drop(struct log *l, const struct conversation *c, struct err *err)
{
    struct event e;
    struct json_line *j = event_begin(&e, l, "drop");
    json_int(j, "turns", c->n_dropped);
    json_ids(j, "ids", c->kept.id, c->kept.n);
    return event_end(&e, l, err);
}

bool log_toggle(struct log *l, int turn, enum mode_id from, enum mode_id to, int at, int re_read,
                struct err *err)
{
    struct event e;
    struct json_line *j = event_begin(&e, l, "toggle");
    json_int(j, "turn", turn);
    record_mode(j, "from", from);
    record_mode(j, "to", to);
    json_int(j, "at", at);
    json_int(j, "re_read", re_read);
    return event_end(&e, l, err);
}

bool log_candidates(struct log *l, const struct conversation *c, int turn, struct err *err)
{
    const struct turn *t = &c->turn[turn];
    struct event e;
    struct json_line *j = event_begin(&e, l, "candidates");
    json_int(j, "turn", turn);
    json_int(j, "of", t->n_candidates);
    json_int(j, "chosen", t->candidate);
    json_text(j, "why", t->why ? t->why : "");
    return event_end(&e, l, err);
}

bool log_gate(struct log *l, const struct gate_report *g, struct err *err)
{
    struct event e;
    struct json_line *j = event_begin(&e, l, "gate");
    json_int(j, "at", g->at);
    json_text(j, "tier", tier_name(g->tier));
    json_int(j, "rows", g->rows);
    json_int(j, "rows_asked", g->asked);
    json_double(j, "kld", g->kld);
    json_double(j, "limit", g->limit);
    json_double(j, "kld_before", g->kld_before);
    return event_end(&e, l, err);
}

bool log_model(struct log *l, const struct conversation *c, struct err *err)
{
    struct event e;
    struct json_line *j = event_begin(&e, l, "model");
    json_text(j, "model", c->model);
    json_u64(j, "fingerprint", c->fingerprint);
    return event_end(&e, l, err);
}

static bool log_turn(struct log *l, const struct conversation *c, int turn, struct err *err)
{
    const struct turn *t = &c->turn[turn];
    if (!log_ask(l, c, turn, err) || (t->ids.n && !log_prompt(l, c, turn, err)))
        return false;
    for (int i = 0; i < t->n_reply; i++) {
        const struct reply *r = &t->reply[i];
        bool fold = r->folded || r->fold_tokens > 0;
        if (!log_reply(l, c, turn, i, err) ||
            (fold && !log_fold(l, turn, i, r->folded, r->fold_tokens, r->fold_seconds, err)))
            return false;
    }
    if (t->n_candidates && !log_candidates(l, c, turn, err))
        return false;
    return t->chosen == t->n_reply - 1 || log_choose(l, c, turn, err);
}

bool log_write(struct log *l, const struct conversation *c, const char *id, struct err *err)
{
    if (!log_session(l, c, id, err) || (c->begin.n && !log_begin(l, c, err)))
        return false;
    for (int i = 0; i < c->n_turn; i++)
        if (!log_turn(l, c, i, err))
            return false;
    return (!c->n_dropped || log_drop(l, c, err)) && log_mode(l, c->mode, err) &&
           log_settings(l, &c->settings, err) && log_title(l, c->title, err) && log_sync(l, err);
}

bool log_is_empty(const struct log *l)
{
    return l->end == 0 && !l->torn && l->kept.bytes == 0;
}

/* ---- durability ----------------------------------------------------------------------------- */

/* Makes the entries of a new file and of the folder it lies in durable. */
static bool folders_sync(const char *path, struct err *err)
{
    char *folder = mem_dup(path);
    bool ok = true;
    for (int up = 0; ok && up < 2; up++) {
        char *slash = strrchr(folder, '/');
        if (!slash || slash == folder)
            break;
        *slash = 0;
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
            ok = err_errno(err, "cannot write", folder);
        if (fd >= 0)
            close(fd);
    }
    free(folder);
    return ok;
}

bool log_sync(struct log *l, struct err *err)
{
    if (!log_flush(l, err))
        return false;
    if (fsync(l->fd) < 0)
        return err_errno(err, "cannot write", l->path);
    if (l->created && !folders_sync(l->path, err))
        return false;
    l->created = false;
    return true;
}
