/* panes.c -- one question in two modes, side by side: the first answer grows in the transcript, the
 * second beside it; then one is kept, or both in branches. What is done is the conversation's
 * (talk.h): here are the pane, its headings and its keys. */
#include <stdio.h>
#include <string.h>

#include "app/loop.h"
#include "app/tally.h"
#include "ui/overmap.h"
#include "ui/status.h"

static const struct tray_row *row(const struct loop *l, int k)
{
    return &l->talk.tray.row[k];
}

static enum mode_id pane_mode(int k)
{
    return k == 0 ? MODE_FLASH : mode_toggle(MODE_FLASH);
}

static int sibling(const struct loop *l, int k)
{
    return row(l, k)->sibling;
}

void panes_close(struct loop *l)
{
    if (!l->panes)
        return;
    l->panes = l->pane_second = false;
    transcript_free(&l->beside);
    l->dirty = true;
}

bool panes_ask(struct loop *l, const char *text)
{
    panes_close(l);
    if (!talk_both(&l->talk, text))
        return false;
    overlay_close(l);
    const char *question = l->talk.c.turn[l->talk.c.n_turn - 1].question;
    if (!*text) { /* both panes begin with it */
        shown_entry(l->transcript, ENTRY_USER, "you", STYLE_USER, question);
        transcript_to(l->transcript, true);
    }
    l->panes = true;
    l->beside = transcript_new();
    l->beside_entry = -1;
    transcript_fold(l->beside, transcript_folded(l->transcript));
    shown_entry(l->beside, ENTRY_USER, "you", STYLE_USER, question);
    l->dirty = true;
    return true;
}

static void part_over(struct loop *l, const struct reply *r)
{
    int i = r->n_part - 1;
    while (i >= 0 && r->part[i].kind != PART_THINKING) /* an answer may have begun by now */
        i--;
    if (l->beside_entry >= 0 && l->beside_part == PART_THINKING && i >= 0)
        shown_thought(l->beside, l->beside_entry, &r->part[i], 0);
    l->beside_entry = -1;
}

static void part_begin(struct loop *l, const struct event *e)
{
    part_over(l, &row(l, 1)->reply);
    l->beside_entry = shown_part(l->beside, e->part, e->mode);
    l->beside_part = e->part;
}

void panes_tokens(struct loop *l, const struct event *e)
{
    const struct reply *r = &row(l, 1)->reply;
    bool same = l->beside_entry >= 0 && l->beside_part == e->part;
    const char *text = buf_text(&e->text);
    text += same ? 0 : strspn(text, " \n");
    if (!same && *text)
        part_begin(l, e);
    if (l->beside_entry < 0)
        return;
    transcript_append(l->beside, l->beside_entry, text, strlen(text));
    if (e->part == PART_THINKING)
        shown_thinking(l, l->beside, l->beside_entry, &r->part[r->n_part - 1]);
}

void panes_done(struct loop *l)
{
    const struct talk *t = &l->talk;
    int at = sibling(l, 1);
    const struct reply *r = at < 0 ? &row(l, 1)->reply : &t->c.turn[t->turn].reply[at];
    part_over(l, r);
    if (at >= 0)
        shown_end(l->beside, r);
}

void panes_heading(const struct loop *l, int k, char *out, size_t bytes)
{
    const struct tray_row *r = row(l, k);
    bool over = r->mark.state == CANDIDATE_FINISHED;
    char kv[16];
    status_bytes(kv, sizeof kv, r->kv_bytes);
    snprintf(out, bytes, "%d %s  %d tok  %.1f s%s  kv %s", k + 1, mode_get(pane_mode(k))->title,
             r->tokens, r->seconds, over ? "  done" : "", kv);
}

const char *panes_hint(struct loop *l)
{
    enum { FIRST, SECOND, BOTH, CLOSE, OTHER, N_ACTIONS };
    static const char *const actions[N_ACTIONS] = {"keep-first", "keep-second", "keep-both",
                                                   "close", "other"};
    char key[N_ACTIONS][32], stop[32];
    for (int i = 0; i < N_ACTIONS; i++)
        overmap_short(OVER_PANES, actions[i], key[i], sizeof key[i]);
    keymap_short(CONTEXT_EDITOR, ACTION_STOP, stop, sizeof stop);
    buf_clear(&l->tips);
    if (talk_busy(&l->talk))
        buf_printf(&l->tips, "%s stop", stop);
    else
        buf_printf(&l->tips, "%s keep 1  %s %s keep  %s both", key[CLOSE], key[FIRST],
                   key[SECOND], key[BOTH]);
    buf_printf(&l->tips, "  %s flip", key[OTHER]);
    return buf_text(&l->tips);
}

/* Counts which one was kept, and says how often it was so. */
static void count(struct loop *l, int k)
{
    const struct mode *kept = mode_get(pane_mode(k)), *left = mode_get(pane_mode(1 - k));
    const struct paths *p = &l->talk.paths;
    struct err err;
    char path[480], text[160];
    int n[2];
    snprintf(path, sizeof path, "%s/kept", p->state);
    if (l->talk.options->no_save || !paths_make(p->state, &err) ||
        !tally_add(path, kept->name, left->name, &err))
        return;
    tally_count(path, kept->name, left->name, n);
    snprintf(text, sizeof text, "%s kept; so far %s %d, %s %d", kept->title, kept->title, n[0],
             left->title, n[1]);
    shown_note(l, false, text);
}

/* What was shown as it grew is shown as it is kept. */
static void keep(struct loop *l, int k)
{
    int which = sibling(l, k);
    panes_close(l);
    if (which >= 0)
        talk_choose(&l->talk, which);
    else if (l->talk.front.reset)
        l->talk.front.reset(l->talk.front.data, &l->talk);
}

/* One of the two, for the answer it is. */
static void decide(struct loop *l, int k)
{
    bool two = sibling(l, 0) >= 0 && sibling(l, 1) >= 0;
    keep(l, k);
    if (two)
        count(l, k);
}

static void keep_both(struct loop *l)
{
    int second = sibling(l, 1);
    keep(l, 0);
    if (second >= 0)
        talk_split(&l->talk, second);
}

void panes_point(struct loop *l, int k)
{
    if (!talk_busy(&l->talk))
        decide(l, k);
}

bool panes_key(struct loop *l, const struct key *pressed)
{
    struct key own;
    const struct key *k = &own;
    if (!l->panes || !overmap_key(OVER_PANES, pressed, &own))
        return false;
    bool over = !talk_busy(&l->talk), plain = k->code == KEYCODE_CHAR && !k->mod;
    if (k->code == KEYCODE_TAB)
        l->pane_second = !l->pane_second;
    else if (over && k->code == KEYCODE_ESC)
        keep(l, 0);
    else if (over && plain && (k->ch == '1' || k->ch == '2'))
        decide(l, k->ch == '2');
    else if (over && plain && k->ch == 'b')
        keep_both(l);
    else
        return false;
    return true;
}
