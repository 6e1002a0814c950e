/* import.c -- see import.h.
 *
 * Markdown has no escape for "this heading is text": a heading that names a speaker begins his
 * turn, unless it stands in a fenced block of code. */
#include "app/import.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/fronts.h"
#include "app/out.h"
#include "app/paths.h"
#include "app/record.h"
#include "app/store.h"
#include "app/subcommand.h"

enum {
    FILE_BYTES_MAX = 16 << 20, /* JSON takes 32 times as much while it is read */
    FILE_VERSION = 1,
    NAME_BYTES_MAX = 40,       /* a longer heading names nobody */
};

/* ---- JSON --------------------------------------------------------------------------------- */

/* A mode that there is not, as far as it is a name, here and in what a list holds. */
static void find_gone(const struct json *j, const char *const *lists, struct import_report *report)
{
    enum mode_id known;
    const char *mode = json_string(j, "mode");
    if (mode && mode_is_name(mode) && !record_read_mode(j, "mode", &known))
        snprintf(report->mode_gone, sizeof report->mode_gone, "%s", mode);
    const struct json *list = *lists ? json_get(j, *lists) : NULL;
    for (const struct json *i = json_is_array(list) ? json_first(list) : NULL; i; i = json_next(i))
        find_gone(i, lists + 1, report);
}

static void read_turn(const struct json *j, struct conversation *c)
{
    const char *question = json_string(j, "question");
    enum mode_id mode = MODE_FLASH;
    int chosen;
    record_read_mode(j, "mode", &mode);
    int turn = conversation_ask(c, question ? question : "", mode);
    const struct json *replies = json_get(j, "replies");
    const struct json *r = json_is_array(replies) ? json_first(replies) : NULL;
    for (; r; r = json_next(r))
        record_read_reply(r, conversation_reply(c, turn));
    if (record_read_int(j, "chosen", c->turn[turn].n_reply - 1, &chosen))
        c->turn[turn].chosen = chosen;
}

static void put_text(char **to, const struct json *j, const char *name)
{
    const char *text = json_string(j, name);
    free(*to);
    *to = mem_dup(text ? text : "");
}

static bool read_json(const struct json *j, struct conversation *c, struct import_report *report,
                      struct err *err)
{
    static const char *const lists[] = {"turns", "replies", "parts", NULL};
    const char *type = json_string(j, "type"), *title = json_string(j, "title");
    const struct json *turns = json_get(j, "turns");
    int64_t version = 0;
    if (!type || strcmp(type, "duet-conversation") != 0 || !json_integer(j, "v", &version) ||
        !json_is_array(turns))
        return err_set(err, ERR_FORMAT, "JSON, but no conversation as /export json writes it");
    if (version != FILE_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "a conversation of version %lld; this program knows "
                       "version %d", (long long)version, FILE_VERSION);
    for (const struct json *t = json_first(turns); t; t = json_next(t))
        read_turn(t, c);
    find_gone(j, lists, report);
    put_text(&c->system, j, "system");
    put_text(&c->model, j, "model");
    record_read_mode(j, "mode", &c->mode);
    conversation_title(c, title ? title : c->title);
    return true;
}

/* ---- Markdown ----------------------------------------------------------------------------- */

enum speaker { SPEAKER_NONE, SPEAKER_TITLE, SPEAKER_SYSTEM, SPEAKER_USER, SPEAKER_MODEL };

/* Who a heading names; modes come from their table. */
static const struct {
    const char *name;
    enum speaker speaker;
} names[] = {
    {"system", SPEAKER_SYSTEM},   {"you", SPEAKER_USER},       {"user", SPEAKER_USER},
    {"human", SPEAKER_USER},      {"question", SPEAKER_USER},  {"prompt", SPEAKER_USER},
    {"assistant", SPEAKER_MODEL}, {"model", SPEAKER_MODEL},    {"answer", SPEAKER_MODEL},
    {"ai", SPEAKER_MODEL},        {"response", SPEAKER_MODEL}, {"chatgpt", SPEAKER_MODEL},
};

struct line {
    const char *s;
    size_t bytes;
};

struct reading {
    struct conversation *c;
    enum speaker speaker;
    enum mode_id mode;
    struct buf text;    /* of the section so far */
    bool fenced;        /* in a block of code */
};

static struct line trimmed(struct line l, const char *drop)
{
    while (l.bytes && strchr(drop, l.s[0]) && l.s[0])
        l.s++, l.bytes--;
    while (l.bytes && strchr(drop, l.s[l.bytes - 1]) && l.s[l.bytes - 1])
        l.bytes--;
    return l;
}

/* The name in a line that is a heading or stands alone in bold; no bytes: it is neither. */
static struct line heading(struct line l)
{
    const struct line none = {NULL, 0};
    bool sharp = l.bytes > 1 && l.s[0] == '#';
    bool bold = l.bytes > 4 && !memcmp(l.s, "**", 2) &&
                l.s[trimmed(l, " \r").bytes - 1] == '*';
    if (!sharp && !bold)
        return none;
    return trimmed(l, sharp ? "#*: \r" : "*: \r");
}

static enum speaker speaker_find(struct line name, enum mode_id *mode)
{
    if (!name.bytes || name.bytes > NAME_BYTES_MAX)
        return SPEAKER_NONE;
    for (int i = 0; i < mode_count(); i++) {
        const char *title = mode_get((enum mode_id)i)->title;
        if (strlen(title) == name.bytes && !strncasecmp(title, name.s, name.bytes)) {
            *mode = (enum mode_id)i;
            return SPEAKER_MODEL;
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == name.bytes && !strncasecmp(names[i].name, name.s, name.bytes))
            return names[i].speaker;
    return SPEAKER_NONE;
}

/* Bytes of the quotation that a text begins with, and the text of it. */
static size_t quotation(const char *text, struct buf *out)
{
    size_t at = 0;
    while (text[at] == '>') {
        size_t n = strcspn(text + at, "\n"), skip = text[at + 1] == ' ' ? 2 : 1;
        if (out->bytes)
            buf_puts(out, "\n");
        buf_append(out, text + at + skip, n > skip ? n - skip : 0);
        at += n + (text[at + n] == '\n');
    }
    return at;
}

static void put_answer(struct reading *r, const char *text)
{
    if (r->c->n_turn == 0)
        conversation_ask(r->c, "", r->mode);
    struct turn *t = &r->c->turn[r->c->n_turn - 1];
    bool more = t->chosen >= 0; /* the mode changed in the middle of it */
    struct reply *reply = more ? &t->reply[t->chosen] : conversation_reply(r->c, r->c->n_turn - 1);
    struct buf thought = {0};
    size_t quoted = mode_get(r->mode)->think != MODE_THINK_NONE ? quotation(text, &thought) : 0;
    if (!more)
        t->mode = r->mode;
    reply->mode = r->mode;
    if (quoted)
        reply_text(reply, PART_THINKING, r->mode, buf_text(&thought), thought.bytes);
    text += quoted + strspn(text + quoted, "\n");
    if (*text || !quoted)
        reply_text(reply, PART_ANSWER, r->mode, text, strlen(text));
    buf_release(&thought);
}

/* The section ends: its text goes where it belongs, without blank lines around it. */
static void section_end(struct reading *r)
{
    while (r->text.bytes && strchr("\n\r ", r->text.data[r->text.bytes - 1]))
        r->text.data[--r->text.bytes] = 0;
    const char *text = buf_text(&r->text);
    text += strspn(text, "\n\r");
    if (r->speaker == SPEAKER_SYSTEM && r->c->n_turn == 0) {
        free(r->c->system);
        r->c->system = mem_dup(text);
    }
    if (r->speaker == SPEAKER_USER)
        conversation_ask(r->c, text, r->c->mode);
    if (r->speaker == SPEAKER_MODEL)
        put_answer(r, text);
    buf_clear(&r->text);
}

static void read_line(struct reading *r, struct line l)
{
    enum mode_id mode = MODE_FLASH;
    bool fence = l.bytes >= 3 && (!memcmp(l.s, "```", 3) || !memcmp(l.s, "~~~", 3));
    struct line name = r->fenced ? (struct line){NULL, 0} : heading(l);
    enum speaker who = speaker_find(name, &mode);
    if (fence)
        r->fenced = !r->fenced;
    if (who != SPEAKER_NONE) {
        section_end(r);
        r->speaker = who;
        r->mode = mode;
    } else if (r->speaker == SPEAKER_NONE && name.bytes && l.bytes > 2 && l.s[1] == ' ') {
        struct buf title = {0};
        buf_append(&title, name.s, name.bytes);
        conversation_title(r->c, buf_text(&title));
        buf_release(&title);
        r->speaker = SPEAKER_TITLE;
    } else if (l.bytes || r->text.bytes) {
        buf_append(&r->text, l.s, l.bytes);
        buf_puts(&r->text, "\n");
    }
}

static bool read_markdown(const char *data, size_t bytes, struct conversation *c, struct err *err)
{
    struct reading r = {.c = c, .mode = MODE_FLASH};
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(data + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - data) - at : bytes - at;
        read_line(&r, (struct line){data + at, n});
        at += n + 1;
    }
    section_end(&r);
    buf_release(&r.text);
    c->mode = r.mode;
    if (c->n_turn > 0)
        return true;
    return err_set(err, ERR_FORMAT, "neither a conversation in JSON nor Markdown with headings "
                   "that name who speaks (## You, ## Flash)");
}

/* ---- public ------------------------------------------------------------------------------- */

bool import_read(const char *data, size_t bytes, struct conversation *c,
                 struct import_report *report, struct err *err)
{
    struct import_report none;
    struct json *j = json_parse(data, bytes);
    report = report ? report : &none;
    report->mode_gone[0] = 0;
    bool ok = j ? read_json(j, c, report, err)
              : memchr(data, 0, bytes)
                  ? err_set(err, ERR_FORMAT, "no text: it holds bytes of value 0")
                  : read_markdown(data, bytes, c, err);
    json_free(&j);
    if (!ok) {
        conversation_release(c);
        conversation_init(c);
    }
    return ok;
}

static bool file_read(const char *path, struct buf *out, struct err *err)
{
    char part[1 << 14];
    size_t n;
    FILE *f = fopen(path, "re");
    if (!f)
        return err_errno(err, "cannot open", path);
    errno = 0;
    while (out->bytes <= FILE_BYTES_MAX && (n = fread(part, 1, sizeof part, f)) > 0)
        buf_append(out, part, n);
    bool failed = ferror(f);
    int why = errno;
    fclose(f);
    errno = why;
    if (failed)
        return err_errno(err, "cannot read", path);
    return out->bytes <= FILE_BYTES_MAX ||
           err_set(err, ERR_LIMIT, "%.200s: larger than 16 MiB", path);
}

bool import_file(const char *dir, const char *path, char id[80], struct import_report *report,
                 struct err *err)
{
    struct conversation c;
    struct buf data = {0};
    struct store s = {.lock_fd = -1};
    conversation_init(&c);
    bool ok = file_read(path, &data, err) &&
              (import_read(buf_text(&data), data.bytes, &c, report, err) ||
               err_prefix(err, path)) &&
              paths_make(dir, err) && store_new(&s, dir, &c, NULL, err);
    if (ok)
        snprintf(id, 80, "%s", s.id);
    store_close(&s);
    buf_release(&data);
    conversation_release(&c);
    return ok;
}

/* ---- duet import -------------------------------------------------------------------------- */

int import_run(const struct paths *p, int argc, char **argv)
{
    struct err err;
    char id[80];
    struct import_report report;
    if (argc != 2) {
        fputs("duet: import FILE\n", stderr);
        return STATUS_USAGE;
    }
    if (!import_file(p->sessions, argv[1], id, &report, &err)) {
        out_printf(stderr, "duet: %s\n", err.msg);
        return STATUS_SESSION;
    }
    if (*report.mode_gone)
        out_printf(stderr, "duet: " MODE_GONE "\n", report.mode_gone);
    out_printf(stdout, "imported: duet --session %s\n", id);
    return STATUS_OK;
}
