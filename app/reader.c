/* reader.c -- what the reader does beside scrolling: copying and searching. */
#include "app/copy.h"
#include "app/loop.h"
#include "ui/field.h"

/* ---- copying ------------------------------------------------------------------------------ */

void reader_copy(struct loop *l, const char *what)
{
    char msg[256];
    bool good = copy_text(&l->talk, l->transcript, what, msg, sizeof msg);
    loop_hint(l, !good, msg);
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
    if (!l->search.bytes && l->looked_for.bytes)
        reader_find(l, buf_text(&l->looked_for));
    else if (!l->search.bytes)
        loop_hint(l, false, "nothing is looked for: / and a text first");
    else
        transcript_find_next(l->transcript, forward);
    l->dirty = true;
}

void reader_leave(struct loop *l)
{
    l->reader = false;
    if (l->search.bytes) {
        buf_clear(&l->looked_for);
        buf_append(&l->looked_for, l->search.data, l->search.bytes);
    }
    reader_find(l, "");
}

void reader_switch(struct loop *l)
{
    if (l->reader)
        reader_leave(l);
    else
        l->reader = true;
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
    bool plain = k->code == KEYCODE_CHAR && !k->mod;
    if (plain && k->ch >= '1' && k->ch <= '9')
        reader_copy(l, (char[]){(char)k->ch, 0});
    else if (plain && (k->ch == 'a' || k->ch == 't'))
        reader_copy(l, k->ch == 'a' ? "" : "turn");
    else
        loop_hint(l, false, "y and a block's number, 1 to 9; ya the answer, yt the turn in view");
    return k->code == KEYCODE_CHAR;
}
