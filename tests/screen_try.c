/* screen_try.c -- see screen_try.h. */
#define _GNU_SOURCE /* memfd_create */
#include "tests/screen_try.h"

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/export.h"
#include "app/import.h"
#include "app/log.h"
#include "app/options.h"
#include "tests/hostile.h"
#include "ui/decode.h"
#include "ui/keyfile.h"
#include "ui/keymap.h"
#include "ui/markdown.h"
#include "ui/text.h"
#include "ui/theme.h"

static void locale_once(void)
{
    static bool done;
    if (!done)
        setlocale(LC_CTYPE, "C.UTF-8");
    done = true;
}

static bool shown_clean(const char *msg)
{
    size_t n = text_whole(msg, strlen(msg));
    return *msg && !hostile_find(msg, n);
}

/* ---- keys --------------------------------------------------------------------------------- */

/* The names of the keys so far into out. False: one is a control character. */
static bool take_keys(struct decode *d, int64_t now, struct buf *out)
{
    char name[64];
    for (struct key k; decode_key(d, now, &k);) {
        if (k.code == KEYCODE_CHAR && (k.ch < 0x20 || (k.ch >= 0x7F && k.ch < 0xA0)))
            return false;
        key_label(&k, name, sizeof name);
        buf_printf(out, "%s %zu\n", name, k.code == KEYCODE_PASTE ? k.bytes : 0);
        if (k.code == KEYCODE_PASTE && strlen(k.text) != k.bytes)
            return false;
    }
    return true;
}

const char *keys_try(const uint8_t *data, size_t bytes)
{
    struct decode whole = {0}, parts = {0};
    struct buf a = {0}, b = {0};
    struct decode_answers answers;
    const char *text = (const char *)data;
    locale_once();
    decode_define(&whole, "\033[[odd", (struct key){.code = KEYCODE_FN, .ch = 20});
    decode_define(&parts, "\033[[odd", (struct key){.code = KEYCODE_FN, .ch = 20});
    decode_feed(&whole, text, bytes, 0);
    bool good = take_keys(&whole, 0, &a) && take_keys(&whole, DECODE_PASTE_MS, &a);
    for (size_t i = 0; i < bytes; i++) {
        decode_feed(&parts, text + i, 1, 0);
        good = take_keys(&parts, 0, &b) && good;
    }
    good = take_keys(&parts, DECODE_PASTE_MS, &b) && good;
    bool same = strcmp(buf_text(&a), buf_text(&b)) == 0;
    decode_answers(text, bytes, &answers);
    decode_release(&whole);
    decode_release(&parts);
    buf_release(&a);
    buf_release(&b);
    return !good ? "a control character is a key" : !same ? "pieces make other keys" : NULL;
}

/* ---- Markdown ----------------------------------------------------------------------------- */

/* All rows with their styles; false: a run lies outside. */
static bool put_rows(struct markdown *m, size_t bytes, struct buf *out)
{
    for (int i = 0; i < markdown_rows(m); i++) {
        const struct row *r = markdown_row(m, i);
        buf_printf(out, "%u %d:", r->source, r->code);
        for (int k = 0; k < (int)r->n_run; k++) {
            const struct run *run = markdown_run(m, r, k);
            if (run->style >= STYLE_COUNT || (!run->own && run->at + run->bytes > bytes))
                return false;
            buf_printf(out, "[%d]", run->style);
            buf_append(out, markdown_text(m, run), run->bytes);
        }
        buf_puts(out, "\n");
    }
    return true;
}

enum { PIECES_MAX = 32 };

const char *markdown_try(const uint8_t *data, size_t bytes)
{
    locale_once();
    if (bytes < 2)
        return NULL;
    int cols = 1 + data[0] % 80;
    const char *text = (const char *)data + 2;
    bytes -= 2;
    size_t step = 1 + data[1] % 40 + bytes / PIECES_MAX;
    struct markdown *streamed = markdown_new(), *once = markdown_new();
    struct buf a = {0}, b = {0};
    for (size_t at = step; at < bytes; at += step)
        if (text[at - 1] != '\r')
            markdown_layout(streamed, text, at, cols, data[0] >= 160);
    markdown_layout(streamed, text, bytes, cols, data[0] >= 160);
    markdown_layout(once, text, bytes, cols, data[0] >= 160);
    bool inside = put_rows(streamed, bytes, &a) && put_rows(once, bytes, &b);
    bool same = a.bytes == b.bytes && (!a.bytes || memcmp(a.data, b.data, a.bytes) == 0);
    int first, last;
    markdown_codes(once, &first, &last);
    for (int n = first; n <= last; n++)
        markdown_code(once, n, &a);
    markdown_free(&streamed);
    markdown_free(&once);
    buf_release(&a);
    buf_release(&b);
    return !inside ? "a run lies outside of the text" : !same ? "pieces make other rows" : NULL;
}

/* ---- files of the person ------------------------------------------------------------------ */

const char *theme_try(const uint8_t *data, size_t bytes)
{
    struct theme t;
    char msg[200] = "";
    locale_once();
    if (!theme_parse(&t, (const char *)data, bytes, "t.json", msg, sizeof msg))
        return shown_clean(msg) ? NULL : "a message that may not be shown";
    for (int i = 0; i < STYLE_COUNT; i++)
        if (t.role[i].fg < -1 || t.role[i].fg > 255 || t.role[i].bg < -1 || t.role[i].bg > 255)
            return "a colour that is none";
    return NULL;
}

static void take_message(void *data, const char *msg)
{
    if (!shown_clean(msg))
        *(const char **)data = "a message that may not be shown";
}

enum { KEYS_MAX = 1000 };

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Takes the keys of a list, spelled in the one way. Returns how many there are now. */
static int take_list(const char *list, char (*keys)[80], int n)
{
    char name[80];
    for (const char *at = list; *at && n < KEYS_MAX;) {
        size_t bytes = strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", (int)bytes, at);
        n += keymap_keys(name, keys[n], sizeof keys[n]);
        at += bytes + (at[bytes] == ' ');
    }
    return n;
}

/* No key has two actions. */
static const char *check_context(enum key_context c)
{
    static char keys[KEYS_MAX][80];
    int n = 0;
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        n = take_list(c == CONTEXT_EDITOR ? h->keys_editor : h->keys_reader, keys, n);
    }
    qsort(keys, (size_t)n, sizeof *keys, compare_names);
    for (int i = 1; i < n; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            return "a key has two actions";
    return NULL;
}

/* The keys are those of the beginning, before and after. */
const char *keyfile_try(const uint8_t *data, size_t bytes)
{
    const char *wrong = NULL;
    locale_once();
    keyfile_read((const char *)data, bytes, "keys", take_message, &wrong);
    for (int c = 0; c < CONTEXT_COUNT && !wrong; c++)
        wrong = check_context((enum key_context)c);
    keymap_reset();
    return wrong;
}

/* A file of these bytes in memory, made once. */
static const char *memory_file(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    static char path[40];
    if (fd < 0) {
        fd = memfd_create("config", MFD_CLOEXEC); /* for as long as the program runs */
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, bytes, 0) != (ssize_t)bytes)
        return NULL;
    return path;
}

const char *config_try(const uint8_t *data, size_t bytes)
{
    struct options o;
    struct err err = {0};
    locale_once();
    const char *path = memory_file(data, bytes);
    options_init(&o);
    bool ok = !path || options_config(&o, path, &err);
    mode_forget();
    if (o.said && !shown_clean(o.said))
        return "a message of a mode that may not be shown";
    return ok || shown_clean(err.msg) ? NULL : "a message that may not be shown";
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
    if (!import_read(buf_text(&a), a.bytes, &again, &err))
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
    locale_once();
    conversation_init(&c);
    if (!log_parse((const char *)data, bytes, &c, &r, &err))
        wrong = shown_clean(err.msg) ? NULL : "a message that may not be shown";
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
    locale_once();
    conversation_init(&c);
    if (!import_read((const char *)data, bytes, &c, &err))
        wrong = shown_clean(err.msg) ? NULL : "a message that may not be shown";
    else
        wrong = check_back(&c);
    conversation_release(&c);
    return wrong;
}
