/* tray_view.c -- the candidates of a turn on the screen: rows that fill while they run, and the
 * list of which one is taken. */
#include "app/loop.h"

static const struct reply *first_reply(const struct talk *t)
{
    const struct turn *turn = t->turn >= 0 ? &t->c.turn[t->turn] : NULL;
    return turn && t->replying ? &turn->reply[turn->chosen] : NULL;
}

void tray_view_rows(struct loop *l, struct view *v)
{
    const struct tray *t = &l->talk.tray;
    if (l->talk.turn < 0 || t->n < 2 || l->talk.both) /* two answers have panes of their own */
        return;
    for (int k = 0; k < t->n; k++) {
        struct tray_text *x = &l->tray_text[k];
        buf_clear(&x->left);
        buf_clear(&x->right);
        tray_line(t, k, first_reply(&l->talk), &x->left, &x->right);
        bool strong = t->row[k].mark.state == CANDIDATE_FINISHED;
        l->tray_row[k] = (struct view_row){buf_text(&x->left), buf_text(&x->right), strong};
    }
    v->row = l->tray_row;
    v->n_row = t->n;
}

void tray_view_list(struct loop *l)
{
    const struct tray *t = &l->talk.tray;
    struct buf left = {0}, right = {0};
    overlay_close(l);
    l->overlay = OVERLAY_CANDIDATES;
    l->list = list_new("Candidates", true);
    for (int k = 0; k < t->n; k++) {
        buf_clear(&left);
        buf_clear(&right);
        tray_line(t, k, first_reply(&l->talk), &left, &right);
        list_add(l->list, buf_text(&left), buf_text(&right));
    }
    list_go(l->list, t->chosen);
    buf_release(&left);
    buf_release(&right);
}

void tray_view_close(struct loop *l)
{
    for (int k = 0; k < TRAY_MAX; k++) {
        buf_release(&l->tray_text[k].left);
        buf_release(&l->tray_text[k].right);
    }
}
