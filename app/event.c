/* event.c -- see event.h. */
#include "app/event.h"

#include <stdlib.h>

struct event *event_add(struct event_list *l, enum event_kind kind)
{
    struct event *e = mem_new(sizeof *e);
    e->kind = kind;
    if (l->tail)
        l->tail->next = e;
    else
        l->head = e;
    l->tail = e;
    return e;
}

/* Puts b into a, the event before it, if the two say one thing. */
static bool merge(struct event *a, struct event *b)
{
    if (a->kind != b->kind || a->epoch != b->epoch || a->candidate != b->candidate)
        return false;
    if (a->kind == EVENT_PROGRESS) {
        a->done = b->done;
        a->total = b->total;
        a->index = b->index;
    } else if (a->kind == EVENT_TOKENS && a->part == b->part && a->mode == b->mode &&
               a->folds == b->folds) {
        buf_append(&a->text, buf_text(&b->text), b->text.bytes);
        ids_append(&a->ids, b->ids.id, b->ids.n);
        ids_append(&a->doubt, b->doubt.id, b->doubt.n);
        a->tokens += b->tokens;
        a->seconds += b->seconds;
    } else {
        return false;
    }
    a->ctx_used = b->ctx_used;
    a->kv_bytes = b->kv_bytes;
    a->far = b->far;
    return true;
}

void event_move(struct event_list *to, struct event_list *from)
{
    struct event *e;
    while ((e = event_take(from))) {
        if (to->tail && merge(to->tail, e)) {
            event_free(&e);
            continue;
        }
        if (to->tail)
            to->tail->next = e;
        else
            to->head = e;
        to->tail = e;
    }
}

struct event *event_take(struct event_list *l)
{
    struct event *e = l->head;
    if (!e)
        return NULL;
    l->head = e->next;
    if (!l->head)
        l->tail = NULL;
    e->next = NULL;
    return e;
}

void event_free(struct event **e)
{
    if (!*e)
        return;
    buf_release(&(*e)->text);
    ids_release(&(*e)->ids);
    ids_release(&(*e)->doubt);
    made_free(&(*e)->made);
    free(*e);
    *e = NULL;
}

void event_clear(struct event_list *l)
{
    struct event *e;
    while ((e = event_take(l)))
        event_free(&e);
}

struct part *reply_take(struct reply *r, const struct event *e)
{
    r->mode = e->mode;
    if (e->folds)
        reply_thought(r, r->ids.n, e->ids.n);
    ids_append(&r->ids, e->ids.id, e->ids.n);
    if (e->text.bytes == 0 && e->tokens == 0)
        return NULL;
    struct part *p = reply_text(r, e->part, e->mode, buf_text(&e->text), e->text.bytes);
    ids_append(&p->doubt, e->doubt.id, e->doubt.n);
    p->tokens += e->tokens;
    p->ms += e->seconds * 1000;
    return p;
}
