/* reader.c -- what the reader does beside scrolling: copying and searching. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/loop.h"
#include "ui/clip.h"
#include "ui/field.h"

/* ---- copying ------------------------------------------------------------------------------ */

/* The file that takes what no clipboard does; false: nothing may be written. */
static bool copy_file(const struct loop *l, char *path, size_t bytes)
{
    struct err err;
    if (l->talk.options->no_save || !paths_make(l->talk.paths.state, &err))
        return false;
    return snprintf(path, bytes, "%s/copied", l->talk.paths.state) < (int)bytes;
}

static void copy(struct loop *l, const struct buf *text, const char *what)
{
    char msg[200], all[256], file[480];
    bool may = copy_file(l, file, sizeof file);
    bool good = clip_copy(buf_text(text), text->bytes, may ? file : NULL, msg, sizeof msg);
    snprintf(all, sizeof all, "%s: %s", what, msg);
    loop_hint(l, !good, all);
}

void reader_copy(struct loop *l, const char *number)
{
    struct buf text = {0};
    char what[48], *end;
    long n = strtol(number, &end, 10);
    if (!*number)
        snprintf(what, sizeof what, "answer");
    else
        snprintf(what, sizeof what, "block %.20s", number);
    bool found = !*number ? transcript_answer(l->transcript, &text)
                          : !*end && n > 0 && n < 1000000 &&
                                transcript_code(l->transcript, (int)n, &text);
    if (found) {
        copy(l, &text, what);
    } else {
        char msg[80];
        snprintf(msg, sizeof msg, "there is no %s to copy", what);
        loop_hint(l, true, msg);
    }
    buf_release(&text);
}

/* ---- searching ---------------------------------------------------------------------------- */

static void look(struct loop *l)
{
    transcript_find(l->transcript, buf_text(&l->search), l->search.bytes);
    l->dirty = true;
}

void reader_find(struct loop *l, const char *text)
{
    buf_clear(&l->search);
    buf_puts(&l->search, text);
    look(l);
}

void reader_find_next(struct loop *l, bool forward)
{
    if (!l->search.bytes)
        loop_hint(l, false, "nothing is looked for: / and a text first");
    transcript_find_next(l->transcript, forward);
    l->dirty = true;
}

void reader_search(struct loop *l)
{
    l->reader = l->searching = true;
    reader_find(l, "");
}

static void search_key(struct loop *l, const struct key *k)
{
    switch (k->code) {
    case KEYCODE_ENTER:
        l->searching = false;
        return;
    case KEYCODE_ESC:
        l->searching = false;
        buf_clear(&l->search);
        break;
    default:
        if (k->mod & KEY_CTRL && k->ch == 'c') {
            l->searching = false;
            buf_clear(&l->search);
        } else if (!field_key(&l->search, k)) {
            return;
        }
    }
    look(l);
}

bool reader_key(struct loop *l, const struct key *k)
{
    if (l->searching) {
        search_key(l, k);
        return true;
    }
    if (!l->copying)
        return false;
    l->copying = false;
    if (k->code != KEYCODE_CHAR || k->mod || k->ch < '1' || k->ch > '9') {
        loop_hint(l, false, "y and the number of a block, 1 to 9; Y copies the answer");
        return k->code == KEYCODE_CHAR;
    }
    reader_copy(l, (char[]){(char)k->ch, 0});
    return true;
}
