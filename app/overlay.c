/* overlay.c -- lists over the transcript: help, earlier drafts, themes, and the keys of all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/loop.h"
#include "ui/overmap.h"
#include "ui/text.h"

void overlay_close(struct loop *l)
{
    list_free(&l->list);
    sessions_close(l);
    doubt_view_close(l);
    while (l->n_draft)
        free(l->draft[--l->n_draft]);
    free(l->draft);
    l->draft = NULL;
    l->cap_draft = 0;
    l->overlay = OVERLAY_NONE;
    l->dirty = true;
}

/* The keys of an action where the person is; "" = none there. */
static const char *keys_here(const struct loop *l, const struct action_help *h)
{
    return l->reader ? h->keys_reader : h->keys_editor;
}

static void help_action(struct loop *l, enum action a)
{
    const struct action_help *h = keymap_help(a);
    const char *keys = keys_here(l, h);
    char left[120];
    snprintf(left, sizeof left, "%s%s%s%s%s", keys, *keys && *h->command ? "  " : "", h->command,
             *h->args ? " " : "", h->args);
    if (!*left)
        snprintf(left, sizeof left, "%s (%s)", l->reader ? h->keys_editor : h->keys_reader,
                 l->reader ? "editor" : "reader");
    l->help_action[list_add(l->list, left, h->help)] = a;
}

/* What has a key here comes first. */
void overlay_help(struct loop *l)
{
    overlay_close(l);
    l->overlay = OVERLAY_HELP;
    l->list = list_new(l->reader ? "Help for the reader" : "Help", false);
    for (int keys = 1; keys >= 0; keys--)
        for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
            if ((*keys_here(l, keymap_help((enum action)a)) != 0) == keys)
                help_action(l, (enum action)a);
        }
    for (int i = 0; i < mode_count(); i++) {
        char left[80];
        snprintf(left, sizeof left, "/%s [TEXT]", mode_get((enum mode_id)i)->name);
        list_add(l->list, left, mode_describe(mode_get((enum mode_id)i)));
    }
}

/* What can be done here, in a few rows: the keys as they are bound. */
struct list *overlay_welcome(bool first)
{
    static const struct {
        enum action action;
        const char *text;
    } rows[] = {
        {ACTION_SEND, "sends what you type below"},
        {ACTION_TOGGLE, "changes between Flash, which answers at once, and Pro-Max, which thinks "
                        "first: in mid-answer too"},
        {ACTION_BOTH, "asks both, side by side"},
        {ACTION_OPEN, "your conversations: look, search, go on"},
        {ACTION_STOP, "stops an answer and keeps what was said"},
        {ACTION_COMPLETE, "the reader: search, copy, compare, branch off"},
        {ACTION_HELP, "all keys; /help and all commands begin with /"},
    };
    struct list *list = list_new(first ? "Welcome to duet" : "A new conversation", false);
    char key[32];
    if (first)
        list_add(list, "", "A model on your own processor: one conversation, two ways of "
                           "answering.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (keymap_short(CONTEXT_EDITOR, rows[i].action, key, sizeof key))
            list_add(list, key, rows[i].text);
    if (first)
        list_add(list, "", "All is saved on this machine as it is said. This page goes with the "
                           "first message.");
    return list;
}

/* A draft in one row: its beginning, line ends as signs. */
static void add_draft(void *data, const char *text, size_t bytes)
{
    enum { LABEL_BYTES = 1000 };
    struct loop *l = data;
    struct buf label = {0};
    if (!text[strspn(text, " \t\n")] ||
        (l->n_draft && strcmp(l->draft[l->n_draft - 1], text) == 0))
        return;
    if (l->n_draft == l->cap_draft) {
        l->cap_draft = l->cap_draft ? l->cap_draft * 2 : 64;
        l->draft = mem_grow(l->draft, (size_t)l->cap_draft * sizeof *l->draft);
    }
    l->draft[l->n_draft++] = mem_dup(text);
    buf_append(&label, text, text_whole(text, bytes < LABEL_BYTES ? bytes : LABEL_BYTES));
    for (size_t i = 0; i < label.bytes; i++)
        if (label.data[i] == '\n' || label.data[i] == '\t')
            label.data[i] = ' ';
    list_add(l->list, buf_text(&label), "");
    buf_release(&label);
}

void overlay_history(struct loop *l)
{
    overlay_close(l);
    l->overlay = OVERLAY_HISTORY;
    l->list = list_new("Drafts", true);
    editor_history(l->editor, add_draft, l);
}

/* The bar is on the theme that is shown. */
void overlay_themes(struct loop *l)
{
    const struct key down = {.code = KEYCODE_DOWN};
    overlay_close(l);
    l->overlay = OVERLAY_THEMES;
    l->theme_before = l->theme;
    l->list = list_new("Themes", true);
    names_release(&l->themes);
    theme_names(&l->talk.paths, &l->themes);
    for (int i = 0; i < l->themes.n; i++)
        list_add(l->list, l->themes.name[i], theme_builtin(l->themes.name[i]) ? "" : "your own");
    for (int i = 0; i < l->themes.n && strcmp(l->themes.name[i], l->theme.name) != 0; i++)
        list_key(l->list, &down);
}

void overlay_slices(struct loop *l, int i_bar)
{
    char left[80], right[120];
    overlay_close(l);
    l->overlay = OVERLAY_SLICES;
    l->list = list_new("Context", true);
    for (int i = 0; i < l->slices.n; i++) {
        slices_tell(&l->slices, i, slices_tier(&l->talk.far), l->talk.read_tok_s, left,
                    sizeof left, right, sizeof right);
        list_add(l->list, left, right);
    }
    list_go(l->list, i_bar);
}

/* What is to be read again, what it takes, and a row each for yes and no. */
static void ask_exact(struct loop *l)
{
    char title[120];
    overlay_close(l);
    if (!l->reread.tokens) {
        snprintf(title, sizeof title, "%s is held exactly: there is nothing to read again",
                 l->reread.what);
        loop_hint(l, false, title);
        return;
    }
    l->overlay = OVERLAY_EXACT;
    snprintf(title, sizeof title, "Hold %s exactly?", l->reread.what);
    l->list = list_new(title, true);
    list_add(l->list, "Yes, read it again", l->reread.price);
    list_add(l->list, "No", "");
}

void overlay_exact(struct loop *l, const char *args)
{
    if (command_reread(&l->talk, args, &l->reread))
        ask_exact(l);
}

/* The same for one slice. */
static void slice_exact(struct loop *l, int i)
{
    const struct talk *t = &l->talk;
    struct reread *r = &l->reread;
    char right[8];
    slices_at(&l->slices, i, &r->from, &r->to);
    slices_tell(&l->slices, i, "", 0, r->what, sizeof r->what, right, sizeof right);
    r->tokens = t->far.tier == KV_TIER_EXACT
                    ? 0
                    : slices_cost(&t->exact, r->from, r->to, t->ctx_used);
    slices_price(r->tokens, t->read_tok_s, &t->far, t->ctx_used, r->price, sizeof r->price);
    ask_exact(l);
}

/* Each theme, and each place, is shown while the bar is on it. */
static void preview(struct loop *l)
{
    int i = list_chosen(l->list);
    if (l->overlay == OVERLAY_THEMES && i >= 0)
        look_show(l, l->themes.name[i]);
    if (l->overlay == OVERLAY_DOUBT)
        doubt_view_mark(l);
}

/* The chosen row, which is there. */
static void choose(struct loop *l, int i)
{
    if (l->overlay == OVERLAY_SESSIONS) {
        sessions_choose(l, i);
        return;
    }
    if (l->overlay == OVERLAY_SLICES) {
        slice_exact(l, i);
        return;
    }
    if (l->overlay == OVERLAY_EXACT && i == 0)
        talk_exact(&l->talk, l->reread.from, l->reread.to);
    if (l->overlay == OVERLAY_THEMES)
        look_theme(l, l->themes.name[i]);
    if (l->overlay == OVERLAY_CANDIDATES)
        talk_candidate(&l->talk, i);
    if (l->overlay == OVERLAY_DOUBT)
        doubt_view_choose(l, i);
    if (l->overlay == OVERLAY_HISTORY)
        editor_set(l->editor, l->draft[i], strlen(l->draft[i]));
    overlay_close(l);
}

/* What was found first: a command goes into the draft, another action is done. */
static bool take_help(struct loop *l)
{
    int i = list_first(l->list);
    if (!*list_filter(l->list) || i < 0 || i >= ACTION_COUNT - 1)
        return false;
    enum action a = l->help_action[i];
    const struct action_help *h = keymap_help(a);
    overlay_close(l);
    if (!*h->command) {
        loop_act(l, a);
        return true;
    }
    char line[64];
    int n = snprintf(line, sizeof line, "%s%s", h->command, *h->args ? " " : "");
    reader_leave(l);
    editor_set(l->editor, line, (size_t)n);
    return true;
}

const char *overlay_hint(struct loop *l)
{
    static const char *const takes[] = {[OVERLAY_SLICES] = "read it again exactly",
                                        [OVERLAY_CANDIDATES] = "take it",
                                        [OVERLAY_THEMES] = "take it",
                                        [OVERLAY_HISTORY] = "take it",
                                        [OVERLAY_EXACT] = "take it",
                                        [OVERLAY_DOUBT] = "ask Pro-Max about it"};
    char choose_key[32], close_key[32], down[32];
    if (l->overlay == OVERLAY_SESSIONS)
        return sessions_hint(l);
    overmap_short(OVER_LIST, "choose", choose_key, sizeof choose_key);
    overmap_short(OVER_LIST, "close", close_key, sizeof close_key);
    overmap_short(OVER_LIST, "page-down", down, sizeof down);
    buf_clear(&l->tips);
    buf_printf(&l->tips, "%s back  ", close_key);
    if (l->overlay == OVERLAY_HELP && *list_filter(l->list))
        buf_printf(&l->tips, "%s take it", choose_key);
    else if (l->overlay == OVERLAY_HELP)
        buf_printf(&l->tips, "%s more  type to find", down);
    else
        buf_printf(&l->tips, "%s %s", choose_key, takes[l->overlay]);
    return buf_text(&l->tips);
}

void overlay_point(struct loop *l, int row)
{
    int before = list_chosen(l->list);
    bool chosen = !sessions_naming(l) && list_point(l->list, row);
    if (chosen)
        choose(l, list_chosen(l->list));
    else if (list_chosen(l->list) != before)
        preview(l);
}

bool overlay_key(struct loop *l, const struct key *pressed)
{
    struct key own;
    const struct key *k = &own;
    if (!overmap_key(OVER_LIST, pressed, &own))
        return false;
    bool drafts = l->overlay == OVERLAY_HISTORY, sessions = l->overlay == OVERLAY_SESSIONS;
    struct buf filter = {0};
    l->dirty = true;
    if (sessions && sessions_key(l, k))
        return false;
    if (l->overlay == OVERLAY_HELP && k->code == KEYCODE_ENTER && take_help(l))
        return true;
    buf_puts(&filter, list_filter(l->list));
    enum list_result result = list_key(l->list, k);
    bool filtered = strcmp(buf_text(&filter), list_filter(l->list)) != 0;
    buf_release(&filter);
    switch (result) {
    case LIST_MORE:
        if (sessions && filtered)
            sessions_filtered(l);
        preview(l);
        return false;
    case LIST_CLOSED:
        if (l->overlay == OVERLAY_THEMES)
            look_take(l, &l->theme_before);
        overlay_close(l);
        return false;
    case LIST_CHOSEN:
        if (list_chosen(l->list) >= 0)
            choose(l, list_chosen(l->list));
        else
            overlay_close(l);
    }
    return drafts;
}
