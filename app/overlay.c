/* overlay.c -- lists over the transcript: help and sessions. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/loop.h"

void overlay_close(struct loop *l)
{
    list_free(&l->list);
    free(l->session);
    l->session = NULL;
    l->overlay = OVERLAY_NONE;
    l->dirty = true;
}

void overlay_help(struct loop *l)
{
    overlay_close(l);
    l->overlay = OVERLAY_HELP;
    l->list = list_new("Help", false);
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        char left[120];
        snprintf(left, sizeof left, "%s%s%s%s%s", h->keys_editor,
                 *h->keys_editor && *h->command ? "  " : "", h->command, *h->args ? " " : "",
                 h->args);
        if (!*left)
            snprintf(left, sizeof left, "%s (reader)", h->keys_reader);
        list_add(l->list, left, h->help);
    }
    for (int i = 0; i < MODE_COUNT; i++) {
        char left[80];
        snprintf(left, sizeof left, "/%s [TEXT]", mode_get((enum mode_id)i)->name);
        list_add(l->list, left, mode_describe((enum mode_id)i));
    }
}

void overlay_sessions(struct loop *l)
{
    struct err err;
    int n;
    overlay_close(l);
    if (!store_list(l->talk.paths.sessions, &l->session, &n, &err)) {
        loop_hint(l, true, err.msg);
        return;
    }
    if (n == 0) {
        loop_hint(l, false, "there are no sessions yet");
        return;
    }
    l->overlay = OVERLAY_SESSIONS;
    l->list = list_new("Sessions", true);
    for (int i = 0; i < n; i++) {
        char right[160], when[32];
        time_t t = (time_t)l->session[i].changed;
        struct tm tm;
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", localtime_r(&t, &tm));
        snprintf(right, sizeof right, "%d turns  %s  %s", l->session[i].turns, when,
                 l->session[i].id);
        list_add(l->list, l->session[i].title, right);
    }
}

void overlay_key(struct loop *l, const struct key *k)
{
    char id[80];
    l->dirty = true;
    switch (list_key(l->list, k)) {
    case LIST_MORE:
        return;
    case LIST_CLOSED:
        overlay_close(l);
        return;
    case LIST_CHOSEN:
        if (l->overlay == OVERLAY_SESSIONS && list_chosen(l->list) >= 0) {
            snprintf(id, sizeof id, "%s", l->session[list_chosen(l->list)].id);
            overlay_close(l);
            talk_switch(&l->talk, id);
            return;
        }
        overlay_close(l);
    }
}
