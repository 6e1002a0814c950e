/* doubt_view.c -- what the last answer was unsure of: a list of its places, the least certain
 * first, over the answer, where all of them are underlined. The list says all that colours and
 * underlines do. */
#include <stdlib.h>
#include <string.h>

#include "app/loop.h"

enum { ROWS_MAX = 9 };

static const struct reply *reply_of(const struct loop *l)
{
    const struct turn *last = &l->talk.c.turn[l->talk.c.n_turn - 1];
    return &last->reply[last->chosen];
}

int doubt_view_rows(const struct loop *l)
{
    enum { AROUND = 4 }; /* header, rule, draft, status */
    int rows = (l->grid.rows - AROUND) / 2 - 1;
    int most = l->doubts.n + 1 < ROWS_MAX ? l->doubts.n + 1 : ROWS_MAX;
    return rows < most ? rows : most;
}

void doubt_view(struct loop *l)
{
    struct buf row = {0};
    panes_close(l);
    overlay_close(l);
    const struct reply *r = command_doubts(&l->talk, &l->doubts);
    if (!r)
        return;
    l->overlay = OVERLAY_DOUBT;
    l->list = list_new("What the last answer was unsure of", true);
    for (int i = 0; i < l->doubts.n; i++) {
        buf_clear(&row);
        doubt_percent(&l->doubts.place[i], &row);
        buf_puts(&row, "  ");
        doubt_excerpt(r, &l->doubts.place[i], &row);
        list_add(l->list, buf_text(&row), "");
    }
    buf_release(&row);
    doubt_view_mark(l);
}

void doubt_view_close(struct loop *l)
{
    if (l->overlay == OVERLAY_DOUBT)
        transcript_mark(l->transcript, NULL, 0);
    doubts_release(&l->doubts);
}

static int by_place(const void *a, const void *b)
{
    const struct stretch *x = a, *y = b;
    if (x->entry != y->entry)
        return x->entry - y->entry;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* A place in the transcript, which leaves out the blanks that a part begins with. */
static struct stretch stretch_of(const struct loop *l, int i, bool now)
{
    const struct doubt *d = &l->doubts.place[i];
    enum style s = d->worst > DOUBT_FIFTH ? STYLE_DOUBT_MUCH : STYLE_DOUBT;
    size_t blank = strspn(reply_of(l)->part[d->part].text, " \n");
    return (struct stretch){transcript_part(l->transcript, d->part), d->at - blank, d->bytes,
                            now ? STYLE_DOUBT_NOW : s};
}

void doubt_view_mark(struct loop *l)
{
    int n = l->doubts.n, now = list_chosen(l->list);
    struct stretch *all = mem_new((size_t)n * sizeof *all);
    for (int i = 0; i < n; i++)
        all[i] = stretch_of(l, i, i == now);
    qsort(all, (size_t)n, sizeof *all, by_place);
    transcript_mark(l->transcript, all, n);
    free(all);
    l->doubt_follow = now >= 0;
    l->dirty = true;
}

bool doubt_view_follow(struct loop *l)
{
    bool due = l->doubt_follow && l->overlay == OVERLAY_DOUBT;
    l->doubt_follow = false;
    if (due) {
        struct stretch s = stretch_of(l, list_chosen(l->list), true);
        transcript_show(l->transcript, s.entry, s.at);
    }
    return due;
}

void doubt_view_choose(struct loop *l, int i)
{
    command_doubt(&l->talk, reply_of(l), &l->doubts.place[i]);
}
