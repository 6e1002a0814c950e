/* shown.c -- what the conversation tells, as entries of the transcript. */
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/loop.h"

void shown_entry(struct transcript *t, enum entry_kind kind, const char *label, enum style style,
                 const char *text)
{
    transcript_append(t, transcript_add(t, kind, label, style), text, strlen(text));
}

static void show_entry(struct loop *l, enum entry_kind kind, const char *label, enum style style,
                       const char *text)
{
    shown_entry(l->transcript, kind, label, style, text);
    l->dirty = true;
}

int shown_part(struct transcript *t, enum part_kind kind, enum mode_id mode)
{
    const struct mode *m = mode_get(mode);
    enum entry_kind entry = kind == PART_THINKING ? ENTRY_THINKING : ENTRY_ANSWER;
    return transcript_add(t, entry, m->title, (enum style)m->style);
}

void shown_thought(struct transcript *t, int entry, const struct part *p, int budget)
{
    char text[80], most[24] = "";
    if (budget)
        snprintf(most, sizeof most, " of %d", budget);
    snprintf(text, sizeof text, "%s %d%s tok, %.1f s", budget ? "thinking" : "thought", p->tokens,
             most, p->ms / 1000);
    transcript_summary(t, entry, text);
}

/* The chosen reply of the turn that is being answered. */
static const struct reply *running(const struct talk *t)
{
    const struct turn *turn = &t->c.turn[t->turn];
    return &turn->reply[turn->chosen];
}

/* One more answer is coming: the count goes, if nothing was said since. Else, and before another
 * question, it tells what was, and not what can be done. */
static void siblings_old(struct loop *l, bool again)
{
    int i = l->siblings;
    if (i >= 0 && again && i == transcript_count(l->transcript) - 1)
        transcript_cut(l->transcript, i);
    else if (i >= 0)
        transcript_trim(l->transcript, i, ';');
    l->siblings = -1;
}

static void on_question(void *data, const struct talk *t, int turn)
{
    struct loop *l = data;
    if (!t->both)
        panes_close(l);
    siblings_old(l, false);
    show_entry(l, ENTRY_USER, "you", STYLE_USER, t->c.turn[turn].question);
    l->entry = -1;
    transcript_to(l->transcript, true);
}

static void part_over(struct loop *l)
{
    const struct part *p = l->entry >= 0 ? &running(&l->talk)->part[l->part] : NULL;
    if (p && p->kind == PART_THINKING && p->tokens > 0)
        shown_thought(l->transcript, l->entry, p, 0);
    l->entry = -1;
    transcript_end(l->transcript);
}

static void on_part(void *data, enum part_kind kind, enum mode_id mode)
{
    struct loop *l = data;
    part_over(l);
    siblings_old(l, true);
    l->entry = shown_part(l->transcript, kind, mode);
    l->part = running(&l->talk)->n_part - 1;
    l->dirty = true;
}

static void on_text(void *data, enum part_kind kind, const char *text, size_t bytes)
{
    struct loop *l = data;
    (void)kind;
    transcript_append(l->transcript, l->entry, text, bytes);
    l->dirty = true;
}

/* What the next question will cost. */
static void measure(struct loop *l, const struct event *e)
{
    if (e->kind == EVENT_COST)
        l->cost = e->re_read;
    if (e->kind == EVENT_DONE)
        l->cost = 0;
}

static void on_event(void *data, const struct event *e)
{
    struct loop *l = data;
    l->dirty = true;
    measure(l, e);
}

void shown_thinking(const struct loop *l, struct transcript *t, int entry, const struct part *p)
{
    shown_thought(t, entry, p, settings_row(&l->talk.c.settings, p->mode)->think_tokens);
}

/* The meter of a thought tells what the reply holds of it by now. */
static void on_tokens(void *data, const struct talk *t, const struct event *e)
{
    struct loop *l = data;
    if (l->panes && e->candidate == 1)
        panes_tokens(l, e);
    if (e->candidate > 0 || l->entry < 0) /* the others go on at the same time */
        return;
    const struct part *p = &running(t)->part[l->part];
    if (p->kind == PART_THINKING)
        shown_thinking(l, l->transcript, l->entry, p);
}

/* Beside an answer that is not the only one. Returns its entry, -1 = it is the only one. */
static int show_siblings(struct transcript *t, const struct turn *turn, bool last)
{
    char text[120];
    if (turn->n_reply < 2)
        return -1;
    snprintf(text, sizeof text, "answer %d of %d%s", turn->chosen + 1, turn->n_reply,
             last ? "; in the reader < > flip, D compares" : "");
    shown_entry(t, ENTRY_NOTE, "", STYLE_NOTE, text);
    return transcript_count(t) - 1;
}

void shown_end(struct transcript *t, const struct reply *r)
{
    static const char *const text[REASON_COUNT] = {
        [REASON_LENGTH] = "(the answer's budget is used up)",
        [REASON_CONTEXT] = "(the context is full)",
        [REASON_CANCELLED] = "(stopped; what was said is kept)",
        [REASON_LOOP] = "(stopped: it began to repeat itself)",
    };
    if (r->usage.think_capped)
        shown_entry(t, ENTRY_NOTE, "", STYLE_NOTE,
                    "(the thought was cut off: too long, or it repeated itself)");
    if (text[r->reason])
        shown_entry(t, ENTRY_NOTE, "", STYLE_NOTE, text[r->reason]);
}

static void on_done(void *data, const struct talk *t, const struct event *e)
{
    struct loop *l = data;
    (void)e;
    part_over(l);
    if (l->panes)
        panes_done(l);
    if (strcmp(l->hint, STOPPING) == 0)
        l->hint[0] = 0;
    if (!t->replying || t->tray.chosen != 0)
        return; /* all was shown anew */
    shown_end(l->transcript, running(t));
    if (!l->panes) /* which show both, and their own keys */
        l->siblings = show_siblings(l->transcript, &t->c.turn[t->turn], true);
}

#define FOLDED ", out of ctx" /* as the header names it; 40 columns have room for all of it */

/* The thoughts stay where they are shown; their lines, and the status row, say that they are not
 * read any more. */
static void on_folded(void *data, const struct talk *t, const struct event *e)
{
    struct loop *l = data;
    char text[120];
    (void)t;
    snprintf(text, sizeof text, "folded: %d tokens out, %d re-read, %.1f s", e->done, e->re_read,
             e->seconds);
    struct editor_view draft;
    editor_view(l->editor, &draft);
    if (!draft.bytes) /* whose cost is told there otherwise */
        loop_hint(l, false, text);
    transcript_mark_thoughts(l->transcript, 0, FOLDED);
}

/* What was said just before is not said again, but pointed to. */
static void on_note(void *data, bool error, const char *text)
{
    struct loop *l = data;
    if (l->note + 1 == transcript_count(l->transcript) && strcmp(buf_text(&l->said), text) == 0) {
        loop_hint(l, error, text);
        return;
    }
    l->note = transcript_count(l->transcript);
    buf_clear(&l->said);
    buf_puts(&l->said, text);
    show_entry(l, error ? ENTRY_ERROR : ENTRY_NOTE, "", error ? STYLE_ERROR : STYLE_NOTE,
               text);
    if (l->sending)
        transcript_to(l->transcript, true);
    else if (transcript_below(l->transcript)) /* where it is not seen */
        loop_hint(l, error, text);
}

static void show_reply(struct transcript *t, const struct reply *r)
{
    int first = transcript_count(t);
    for (int i = 0; i < r->n_part; i++) {
        const struct part *p = &r->part[i];
        const char *text = p->text + strspn(p->text, " \n");
        int entry = shown_part(t, p->kind, p->mode);
        transcript_append(t, entry, text, strlen(text));
        if (p->kind == PART_THINKING)
            shown_thought(t, entry, p, 0);
    }
    if (r->folded)
        transcript_mark_thoughts(t, first, FOLDED);
    shown_end(t, r);
}

int shown_conversation(struct transcript *t, const struct conversation *c, int running)
{
    int siblings = -1;
    for (int i = 0; i < c->n_turn; i++) {
        const struct turn *turn = &c->turn[i];
        shown_entry(t, ENTRY_USER, "you", STYLE_USER, turn->question);
        if (turn->chosen >= 0) {
            show_reply(t, &turn->reply[turn->chosen]);
            siblings = show_siblings(t, turn, i + 1 == c->n_turn);
        } else if (i != running) {
            shown_entry(t, ENTRY_NOTE, "", STYLE_NOTE, "(not answered)");
        }
    }
    return siblings;
}

static void on_reset(void *data, const struct talk *t)
{
    struct loop *l = data;
    panes_close(l);
    transcript_clear(l->transcript);
    l->note = -1; /* what was said is not there any more */
    l->entry = -1;
    l->siblings = shown_conversation(l->transcript, &t->c, t->turn);
    transcript_end(l->transcript);
    transcript_to(l->transcript, true);
    l->dirty = true;
}

/* Tildes: an answer may hold fences of its own. */
void shown_diff(struct loop *l)
{
    struct buf heading = {0}, lines = {0}, text = {0};
    if (command_diff(&l->talk, &heading, &lines)) {
        buf_printf(&text, "~~~~~~~~ diff\n%s~~~~~~~~\n", buf_text(&lines));
        show_entry(l, ENTRY_NOTE, "", STYLE_NOTE, buf_text(&heading));
        show_entry(l, ENTRY_ANSWER, "", STYLE_LABEL, buf_text(&text));
        transcript_to(l->transcript, true);
    }
    buf_release(&heading);
    buf_release(&lines);
    buf_release(&text);
}

/* The chosen reply takes the place of the one that was shown as it grew. */
static void on_chosen(void *data, const struct talk *t)
{
    struct loop *l = data;
    if (t->tray.chosen > 0)
        on_reset(l, t);
    part_over(l);
    show_entry(l, ENTRY_NOTE, "", STYLE_NOTE, buf_text(&t->tray.why));
}

/* ---- the door ----------------------------------------------------------------------------- */

void shown_note(struct loop *l, bool error, const char *text)
{
    on_note(l, error, text);
}

struct front shown_front(struct loop *l)
{
    return (struct front){.data = l, .keys = true, .question = on_question, .part = on_part,
                          .text = on_text, .tokens = on_tokens, .chosen = on_chosen,
                          .done = on_done, .folded = on_folded, .note = on_note,
                          .reset = on_reset, .flipped = on_reset, .event = on_event};
}
