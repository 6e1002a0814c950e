/* store_try.c -- see store_try.h. */
#include "tests/store_try.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "app/export.h"
#include "app/import.h"
#include "app/log.h"
#include "app/options.h"
#include "tests/screen_try.h"

const char *config_try(const uint8_t *data, size_t bytes)
{
    struct options o;
    struct err err = {0};
    char none;
    try_locale();
    FILE *f = fmemopen(bytes ? (void *)(uintptr_t)data : &none, bytes, "r");
    if (!f)
        return NULL;
    options_init(&o);
    bool ok = options_read(&o, f, "config", &err);
    bool said = !o.said || try_shown(o.said);
    fclose(f);
    mode_forget();
    options_forget();
    if (!said)
        return "a message of a mode that may not be shown";
    return ok || try_shown(err.msg) ? NULL : "a message that may not be shown";
}

/* ---- conversations ------------------------------------------------------------------------ */

/* Out and back in again: the same text. */
static const char *check_back(const struct conversation *c)
{
    struct conversation again;
    struct buf a = {0}, b = {0};
    struct err err = {0};
    const char *wrong = NULL;
    conversation_init(&again);
    export_json(c, &a);
    if (!import_read(buf_text(&a), a.bytes, &again, NULL, &err))
        wrong = "what was exported cannot be imported";
    else
        export_json(&again, &b);
    if (!wrong && (a.bytes != b.bytes || memcmp(a.data, b.data, a.bytes) != 0))
        wrong = "what was exported comes back as something else";
    conversation_release(&again);
    buf_release(&a);
    buf_release(&b);
    return wrong;
}

const char *log_try(const uint8_t *data, size_t bytes)
{
    struct conversation c;
    struct log_report r;
    struct err err = {0};
    const char *wrong = NULL;
    try_locale();
    conversation_init(&c);
    if (!log_parse((const char *)data, bytes, &c, &r, &err))
        wrong = try_shown(err.msg) ? NULL : "a message that may not be shown";
    else if (r.bytes_kept > bytes || r.skipped > r.lines)
        wrong = "a report that cannot be";
    else if (c.n_turn > 0)
        wrong = check_back(&c);
    conversation_release(&c);
    return wrong;
}

const char *import_try(const uint8_t *data, size_t bytes)
{
    struct conversation c;
    struct err err = {0};
    const char *wrong = NULL;
    try_locale();
    conversation_init(&c);
    if (!import_read((const char *)data, bytes, &c, NULL, &err))
        wrong = try_shown(err.msg) ? NULL : "a message that may not be shown";
    else
        wrong = check_back(&c);
    conversation_release(&c);
    return wrong;
}
