/* sessions.c -- the list of sessions over the transcript: a filter over what the rows say and over
 * all that was said, the chosen one beside it, renaming, putting aside.
 *
 * Reading is done in slices between keys (sessions_work): the list itself never waits for a log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/loop.h"
#include "app/search.h"
#include "ui/field.h"
#include "ui/overmap.h"

struct sessions {
    struct store_entry *entry; /* [n] in the order of a tree: branches follow what they are of */
    int n;
    struct search *search;
    int wanted;                /* the bar goes to this entry once it is there; -1 = to none */
    int shown;                 /* the entry in the preview; -1 = none */
    bool found;                /* the preview shows what is looked for */
    char heading[200];         /* of the preview */
    bool naming;               /* keys go into the new name of the chosen one */
    struct buf name;
};

static int chosen(const struct loop *l)
{
    return list_chosen(l->list);
}

static struct store_entry *entry_chosen(const struct loop *l)
{
    return chosen(l) < 0 ? NULL : &l->sessions->entry[chosen(l)];
}

/* ---- filling ------------------------------------------------------------------------------ */

void sessions_close(struct loop *l)
{
    struct sessions *s = l->sessions;
    if (!s)
        return;
    search_free(&s->search);
    buf_release(&s->name);
    free(s->entry);
    free(s);
    l->sessions = NULL;
    transcript_free(&l->beside);
}

static void title_show(struct loop *l)
{
    struct sessions *s = l->sessions;
    struct buf title = {0};
    buf_puts(&title, s->naming ? "New title: " : "Sessions");
    if (s->naming)
        buf_puts(&title, buf_text(&s->name));
    list_title(l->list, buf_text(&title));
    buf_release(&title);
    l->dirty = true;
}

static void rows_add(struct loop *l)
{
    struct sessions *s = l->sessions;
    for (int i = 0; i < s->n; i++) {
        char facts[STORE_FACTS_BYTES], label[240];
        store_facts(&s->entry[i], facts, sizeof facts);
        store_label(&s->entry[i], label, sizeof label);
        list_add(l->list, label, facts);
    }
}

static bool sessions_fill(struct loop *l, const char *filter, const char *id)
{
    struct err err;
    struct sessions *s = mem_new(sizeof *s);
    if (!store_list(l->talk.paths.sessions, &s->entry, &s->n, &err)) {
        loop_hint(l, true, err.msg);
        free(s);
        return false;
    }
    overlay_close(l);
    panes_close(l);
    store_tree(s->entry, s->n);
    s->search = search_new(l->talk.paths.sessions, s->entry, s->n);
    s->shown = s->wanted = -1;
    l->sessions = s;
    l->overlay = OVERLAY_SESSIONS;
    l->list = list_new("Sessions", true);
    l->beside = transcript_new();
    transcript_fold(l->beside, true);
    rows_add(l);
    list_filter_set(l->list, filter);
    search_for(s->search, filter);
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->entry[i].id, id) == 0)
            s->wanted = i;
    list_go(l->list, s->wanted);
    return true;
}

/* The same list anew, with the filter as it is and the bar on a session. */
static void sessions_again(struct loop *l, const char *id)
{
    struct buf filter = {0};
    char row[80];
    snprintf(row, sizeof row, "%s", id);
    buf_puts(&filter, list_filter(l->list));
    sessions_fill(l, buf_text(&filter), row);
    buf_release(&filter);
}

void overlay_sessions(struct loop *l, const char *filter)
{
    if (sessions_fill(l, filter, l->talk.stored ? l->talk.store.id : "") && l->sessions->n == 0) {
        overlay_close(l);
        loop_hint(l, false, "there are no sessions yet");
    }
}

/* ---- the preview -------------------------------------------------------------------------- */

static void preview_fill(struct loop *l, const struct store_entry *e)
{
    struct conversation c;
    struct err err;
    conversation_init(&c);
    transcript_clear(l->beside);
    if (store_read(l->talk.paths.sessions, e->id, &c, &err))
        shown_conversation(l->beside, &c, -1);
    else
        shown_entry(l->beside, ENTRY_ERROR, "", STYLE_ERROR, err.msg);
    conversation_release(&c);
    transcript_to(l->beside, true);
}

/* The place that is looked for is shown; without one, the end. */
static void preview_find(struct loop *l)
{
    const char *filter = list_filter(l->list);
    int now;
    transcript_to(l->beside, false);
    transcript_find(l->beside, filter, strlen(filter));
    if (!transcript_found(l->beside, &now))
        transcript_to(l->beside, true);
}

const char *sessions_heading(const struct loop *l)
{
    return l->sessions->heading;
}

/* A slice: the preview if it is another's, else a look into the next session. */
bool sessions_work(struct loop *l)
{
    struct sessions *s = l->sessions;
    int hit, at = chosen(l);
    if (s->shown != at || !s->found) {
        bool other = s->shown != at;
        s->shown = at;
        s->found = true;
        s->heading[0] = 0;
        if (at < 0)
            transcript_clear(l->beside);
        else if (other)
            preview_fill(l, &s->entry[at]);
        if (at >= 0)
            store_details(&s->entry[at], s->heading, sizeof s->heading);
        preview_find(l);
        l->dirty = true;
    } else if (search_step(s->search, &hit) && hit >= 0) {
        list_found(l->list, hit);
        if (hit == s->wanted)
            list_go(l->list, hit);
        l->dirty = true;
    }
    return !search_done(s->search) || s->shown != chosen(l);
}

/* ---- keys --------------------------------------------------------------------------------- */

static bool is_open(const struct loop *l, const struct store_entry *e)
{
    return l->talk.stored && strcmp(l->talk.store.id, e->id) == 0;
}

const char *sessions_hint(struct loop *l)
{
    static const char *const actions[][2] = {{"close", "back"}, {"choose", "open"},
                                             {"rename", "rename"}, {"delete", "delete"},
                                             {"undelete", "undo"}};
    char key[32];
    buf_clear(&l->tips);
    if (l->sessions->naming) {
        buf_puts(&l->tips, "Esc as it was  Enter take it");
        return buf_text(&l->tips);
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        overmap_short(OVER_LIST, actions[i][0], key, sizeof key);
        if (*key)
            buf_printf(&l->tips, "%s%s %s", l->tips.bytes ? "  " : "", key, actions[i][1]);
    }
    return buf_text(&l->tips);
}

bool sessions_naming(const struct loop *l)
{
    return l->sessions && l->sessions->naming;
}

static void rename_chosen(struct loop *l, const struct store_entry *e)
{
    struct err err;
    const char *title = buf_text(&l->sessions->name);
    if (is_open(l, e))
        talk_rename(&l->talk, title);
    else if (!store_rename(l->talk.paths.sessions, e->id, title, &err))
        loop_hint(l, true, err.msg);
    sessions_again(l, e->id);
}

static void name_key(struct loop *l, const struct key *k)
{
    struct sessions *s = l->sessions;
    bool enter = k->code == KEYCODE_ENTER;
    if (enter || k->code == KEYCODE_ESC) {
        s->naming = false;
        if (enter && s->name.bytes && entry_chosen(l)) {
            rename_chosen(l, entry_chosen(l));
            return;
        }
    } else {
        field_key(&s->name, k);
    }
    title_show(l);
}

static void name_begin(struct loop *l)
{
    struct sessions *s = l->sessions;
    if (!entry_chosen(l))
        return;
    buf_clear(&s->name);
    buf_puts(&s->name, entry_chosen(l)->title);
    s->naming = true;
    title_show(l);
}

static void delete_chosen(struct loop *l)
{
    struct err err;
    char msg[120], key[32];
    int at = chosen(l);
    struct store_entry *e = entry_chosen(l);
    if (!e)
        return;
    if (is_open(l, e)) {
        loop_hint(l, true, "this session is the open one: open another first");
        return;
    }
    if (!store_delete(l->talk.paths.sessions, e->id, &err)) {
        loop_hint(l, true, err.msg);
        return;
    }
    overmap_short(OVER_LIST, "undelete", key, sizeof key);
    snprintf(msg, sizeof msg, "deleted; %s brings it back, for %d days", *key ? key : "/undelete",
             STORE_KEPT_DAYS);
    int near = at + 1 < l->sessions->n ? at + 1 : at - 1;
    sessions_again(l, near >= 0 ? l->sessions->entry[near].id : "");
    loop_hint(l, false, msg);
}

static void undelete(struct loop *l)
{
    struct err err;
    char id[80];
    if (!store_undelete(l->talk.paths.sessions, id, &err)) {
        loop_hint(l, true, err.msg);
        return;
    }
    sessions_again(l, id);
    loop_hint(l, false, "it is back");
}

bool sessions_key(struct loop *l, const struct key *k)
{
    struct sessions *s = l->sessions;
    s->wanted = -1;
    if (s->naming)
        name_key(l, k);
    else if (k->code == KEYCODE_FN && k->ch == 2)
        name_begin(l);
    else if (k->code == KEYCODE_DELETE)
        delete_chosen(l);
    else if (k->code == KEYCODE_CHAR && k->mod == KEY_CTRL && k->ch == 'u')
        undelete(l);
    else
        return false;
    return true;
}

void sessions_filtered(struct loop *l)
{
    l->sessions->found = false; /* the preview shows other places */
    search_for(l->sessions->search, list_filter(l->list));
}

/* ---- opening ------------------------------------------------------------------------------ */

void sessions_choose(struct loop *l, int i)
{
    struct buf wanted = {0};
    char id[80];
    snprintf(id, sizeof id, "%s", l->sessions->entry[i].id);
    if (search_hit(l->sessions->search, i))
        buf_puts(&wanted, list_filter(l->list));
    overlay_close(l);
    if (talk_switch(&l->talk, id) && wanted.bytes) {
        l->reader = true;
        transcript_to(l->transcript, false);
        reader_find(l, buf_text(&wanted));
    }
    buf_release(&wanted);
}
