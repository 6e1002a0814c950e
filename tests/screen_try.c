/* screen_try.c -- see screen_try.h. */
#include "tests/screen_try.h"

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile.h"
#include "ui/decode.h"
#include "ui/keyfile.h"
#include "ui/keymap.h"
#include "ui/markdown.h"
#include "ui/overmap.h"
#include "ui/text.h"
#include "ui/theme.h"

void try_locale(void)
{
    static bool done;
    if (!done)
        setlocale(LC_CTYPE, "C.UTF-8");
    done = true;
}

bool try_shown(const char *msg)
{
    size_t n = text_whole(msg, strlen(msg));
    return *msg && !hostile_find(msg, n);
}

/* ---- keys --------------------------------------------------------------------------------- */

/* What is written down of a key. */
struct noted {
    uint32_t code, mod, ch, row, col;
    size_t bytes;
};

/* The keys so far into out. False: one is a control character. */
static bool take_keys(struct decode *d, int64_t now, struct buf *out)
{
    for (struct key k; decode_key(d, now, &k);) {
        struct noted n;
        memset(&n, 0, sizeof n);
        n = (struct noted){k.code, k.mod, k.ch, (uint32_t)k.row, (uint32_t)k.col, 0};
        n.bytes = k.code == KEYCODE_PASTE ? k.bytes : 0;
        if (k.code == KEYCODE_CHAR && (k.ch < 0x20 || (k.ch >= 0x7F && k.ch < 0xA0)))
            return false;
        if (k.code == KEYCODE_PASTE && strlen(k.text) != k.bytes)
            return false;
        buf_append(out, (const char *)&n, sizeof n);
        if (n.bytes)
            buf_append(out, k.text, n.bytes);
    }
    return true;
}

/* Keys of a keyboard are the keys of their names, but for characters that are not shown. */
static bool names_good(const struct buf *keys)
{
    char name[64];
    struct noted n;
    for (size_t at = 0; at < keys->bytes; at += sizeof n + n.bytes) {
        memcpy(&n, keys->data + at, sizeof n);
        struct key again, k = {.code = (enum key_code)n.code, .mod = n.mod, .ch = n.ch};
        if (!key_is_pressed(&k) || (k.code == KEYCODE_CHAR && k.ch >= 0x7F))
            continue;
        key_label(&k, name, sizeof name);
        if (!key_parse(name, &again) || !key_same(&k, &again))
            return false;
    }
    return true;
}

static bool same_bytes(const struct buf *a, const struct buf *b)
{
    return a->bytes == b->bytes && (!a->bytes || memcmp(a->data, b->data, a->bytes) == 0);
}

const char *keys_try(const uint8_t *data, size_t bytes)
{
    static struct buf a, b; /* reused: a fuzzer comes here very often */
    struct decode whole = {0}, parts = {0};
    struct decode_answers answers;
    const char *text = (const char *)data;
    try_locale();
    buf_clear(&a);
    buf_clear(&b);
    decode_define(&whole, "\033[[odd", (struct key){.code = KEYCODE_FN, .ch = 20});
    decode_define(&parts, "\033[[odd", (struct key){.code = KEYCODE_FN, .ch = 20});
    decode_feed(&whole, text, bytes, 0);
    bool good = take_keys(&whole, 0, &a) && take_keys(&whole, DECODE_PASTE_MS, &a);
    for (size_t i = 0; i < bytes; i++) {
        decode_feed(&parts, text + i, 1, 0);
        good = take_keys(&parts, 0, &b) && good;
    }
    good = take_keys(&parts, DECODE_PASTE_MS, &b) && good;
    bool waits = decode_wait_ms(&whole, DECODE_PASTE_MS) >= 0;
    decode_answers(text, bytes, &answers);
    decode_release(&whole);
    decode_release(&parts);
    return !good ? "a control character is a key" : !same_bytes(&a, &b) ? "pieces make other keys"
           : waits ? "waits for more after all times are over"
           : !names_good(&a) ? "a key has no name, or another's" : NULL;
}

/* ---- Markdown ----------------------------------------------------------------------------- */

/* All rows with their styles; false: a run lies outside. */
static bool put_rows(struct markdown *m, size_t bytes, struct buf *out)
{
    for (int i = 0; i < markdown_rows(m); i++) {
        const struct row *r = markdown_row(m, i);
        buf_append(out, (const char *)&r->source, sizeof r->source);
        buf_append(out, (const char *)&r->code, sizeof r->code);
        for (int k = 0; k < (int)r->n_run; k++) {
            const struct run *run = markdown_run(m, r, k);
            if (run->style >= STYLE_COUNT || (!run->own && run->at + run->bytes > bytes))
                return false;
            buf_append(out, (const char *)&run->style, sizeof run->style);
            buf_append(out, markdown_text(m, run), run->bytes);
        }
        buf_append(out, "\n", 1);
    }
    return true;
}

enum { PIECES_MAX = 8 };

const char *markdown_try(const uint8_t *data, size_t bytes)
{
    try_locale();
    if (bytes < 2)
        return NULL;
    int cols = 1 + data[0] % 80;
    const char *text = (const char *)data + 2;
    bytes -= 2;
    size_t step = 1 + data[1] % 40 + bytes / PIECES_MAX;
    struct markdown *streamed = markdown_new(), *once = markdown_new();
    static struct buf a, b;
    buf_clear(&a);
    buf_clear(&b);
    for (size_t at = step; at < bytes; at += step)
        if (text[at - 1] != '\r')
            markdown_layout(streamed, text, at, cols, data[0] >= 160);
    markdown_layout(streamed, text, bytes, cols, data[0] >= 160);
    markdown_layout(once, text, bytes, cols, data[0] >= 160);
    bool inside = put_rows(streamed, bytes, &a) && put_rows(once, bytes, &b);
    bool same = same_bytes(&a, &b);
    int first, last;
    markdown_codes(once, &first, &last);
    for (int n = first; n <= last; n++)
        markdown_code(once, n, &a);
    markdown_free(&streamed);
    markdown_free(&once);
    return !inside ? "a run lies outside of the text" : !same ? "pieces make other rows" : NULL;
}

/* ---- files of the person ------------------------------------------------------------------ */

const char *theme_try(const uint8_t *data, size_t bytes)
{
    struct theme t;
    char msg[200] = "";
    try_locale();
    if (!theme_parse(&t, (const char *)data, bytes, "t.json", msg, sizeof msg))
        return try_shown(msg) ? NULL : "a message that may not be shown";
    for (int i = 0; i < STYLE_COUNT; i++)
        if (t.role[i].fg < -1 || t.role[i].fg > 255 || t.role[i].bg < -1 || t.role[i].bg > 255)
            return "a colour that is none";
    return NULL;
}

static void take_message(void *data, const char *msg)
{
    if (!try_shown(msg))
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

/* The lists of keys as they are now into out. */
static void put_lists(struct buf *out)
{
    buf_clear(out);
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        buf_append(out, h->keys_editor, strlen(h->keys_editor) + 1);
        buf_append(out, h->keys_reader, strlen(h->keys_reader) + 1);
    }
}

/* The keys are those of the beginning, before and after. */
const char *keyfile_try(const uint8_t *data, size_t bytes)
{
    static struct buf before, after;
    const char *wrong = NULL;
    try_locale();
    if (!before.bytes)
        put_lists(&before);
    keyfile_read((const char *)data, bytes, "keys", take_message, &wrong);
    put_lists(&after);
    overmap_reset();
    if (same_bytes(&before, &after))
        return wrong;
    for (int c = 0; c < CONTEXT_COUNT && !wrong; c++)
        wrong = check_context((enum key_context)c);
    keymap_reset();
    return wrong;
}
