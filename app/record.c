/* record.c -- see record.h. */
#include "app/record.h"

#include <limits.h>
#include <string.h>

void record_mode(struct json_line *j, const char *name, enum mode_id mode)
{
    json_text(j, name, mode_get(mode)->name);
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
        json_int(j, "ms", p->ms);
        json_close(j, '}');
    }
    json_close(j, ']');
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
        part->ms = ms;
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
    return true;
}
