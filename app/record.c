/* record.c -- see record.h. */
#include "app/record.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/doubt.h"
#include "app/made.h"

void record_mode(struct json_line *j, const char *name, enum mode_id mode)
{
    json_text(j, name, mode_get(mode)->name);
}

static void write_mark(struct json_line *j, const struct reply *r)
{
    const struct candidate_mark *m = &r->mark;
    json_open(j, "candidate", '{');
    json_int(j, "number", r->candidate);
    if (m->from >= 0)
        json_int(j, "revises", m->from);
    json_int(j, "agree", m->agree);
    json_bool(j, "checked", m->checked);
    json_int(j, "kept", m->kept);
    json_int(j, "demands", m->demands);
    json_bool(j, "cut_off", m->capped);
    json_bool(j, "empty", m->empty);
    if (isfinite(m->logprob))
        json_double(j, "logprob", m->logprob);
    json_text(j, "text", r->said ? r->said : "");
    json_close(j, '}');
}

void record_reply(struct json_line *j, const struct reply *r)
{
    record_mode(j, "mode", r->mode);
    json_u64(j, "seed", r->seed);
    json_text(j, "reason", reason_name(r->reason));
    json_open(j, "parts", '[');
    for (int i = 0; i < r->n_part; i++) {
        const struct part *p = &r->part[i];
        json_open(j, NULL, '{');
        json_text(j, "kind", p->kind == PART_THINKING ? "thinking" : "answer");
        record_mode(j, "mode", p->mode);
        json_text(j, "text", p->text);
        json_int(j, "tokens", p->tokens);
        json_int(j, "ms", (int64_t)(p->ms + 0.5));
        if (p->doubt.n > 0)
            json_ids(j, "doubt", p->doubt.id, p->doubt.n);
        json_close(j, '}');
    }
    json_close(j, ']');
    if (r->mark.state != CANDIDATE_NONE)
        write_mark(j, r);
    if (r->made)
        made_write(j, r->made);
}

bool record_read_int(const struct json *j, const char *name, int most, int *out)
{
    int64_t v;
    if (!json_integer(j, name, &v) || v < 0 || v > most)
        return false;
    *out = (int)v;
    return true;
}

bool record_read_mode(const struct json *j, const char *name, enum mode_id *out)
{
    const char *text = json_string(j, name);
    const struct mode *m = text ? mode_find(text, strlen(text)) : NULL;
    if (m)
        *out = m->id;
    return m != NULL;
}

/* Pairs that stand for no more text than there is. Others are none. */
static void read_doubt(const struct json *p, size_t bytes, struct ids *out)
{
    struct ids pairs = {0};
    size_t left = bytes;
    bool good = json_id_list(p, "doubt", &pairs.id, &pairs.n);
    pairs.cap = good ? pairs.n : 0;
    good = good && pairs.n % 2 == 0;
    for (int i = 0; good && i < pairs.n; i += 2) {
        good = pairs.id[i] <= DOUBT_MAX && (size_t)pairs.id[i + 1] <= left;
        left -= good ? (size_t)pairs.id[i + 1] : 0;
    }
    if (good)
        ids_append(out, pairs.id, pairs.n);
    ids_release(&pairs);
}

static void read_part(const struct json *p, struct reply *r)
{
    const char *text = json_string(p, "text"), *kind = json_string(p, "kind");
    bool thinking = kind && strcmp(kind, "thinking") == 0;
    enum mode_id mode = r->mode;
    int64_t ms;
    if (!text)
        return;
    record_read_mode(p, "mode", &mode);
    struct part *part = reply_text(r, thinking ? PART_THINKING : PART_ANSWER, mode, text,
                                   strlen(text));
    record_read_int(p, "tokens", INT_MAX, &part->tokens);
    if (json_integer(p, "ms", &ms) && ms > 0)
        part->ms = (double)ms;
    read_doubt(p, strlen(text), &part->doubt);
}

static bool read_bool(const struct json *j, const char *name)
{
    bool v = false;
    return json_boolean(j, name, &v) && v;
}

static void read_mark(const struct json *j, struct reply *r)
{
    struct candidate_mark *m = &r->mark;
    const char *said = json_string(j, "text");
    if (!record_read_int(j, "number", RECORD_CANDIDATES - 1, &r->candidate))
        return;
    m->state = CANDIDATE_FINISHED;
    m->from = -1;
    record_read_int(j, "revises", RECORD_CANDIDATES - 1, &m->from);
    record_read_int(j, "agree", RECORD_CANDIDATES, &m->agree);
    record_read_int(j, "kept", INT_MAX, &m->kept);
    record_read_int(j, "demands", INT_MAX, &m->demands);
    m->checked = read_bool(j, "checked");
    m->capped = read_bool(j, "cut_off");
    m->empty = read_bool(j, "empty");
    if (!json_number(j, "logprob", &m->logprob))
        m->logprob = -(double)INFINITY;
    free(r->said);
    r->said = mem_dup(said ? said : "");
}

bool record_read_reply(const struct json *j, struct reply *r)
{
    const struct json *parts = json_get(j, "parts");
    const char *reason = json_string(j, "reason");
    if (!json_is_array(parts))
        return false;
    record_read_mode(j, "mode", &r->mode);
    json_unsigned(j, "seed", &r->seed);
    for (int i = 0; reason && i < REASON_COUNT; i++)
        if (strcmp(reason, reason_name((enum reply_reason)i)) == 0)
            r->reason = (enum reply_reason)i;
    for (const struct json *p = json_first(parts); p; p = json_next(p))
        read_part(p, r);
    if (json_get(j, "candidate"))
        read_mark(json_get(j, "candidate"), r);
    made_free(&r->made);
    r->made = made_read(j);
    return true;
}
