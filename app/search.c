/* search.c -- see search.h. A session's text is kept case-folded: all questions and the chosen
 * answers. */
#include "app/search.h"

#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

enum { KEPT_BYTES_MAX = 64 << 20 }; /* of texts in memory; what is beyond is read each time */

struct page {
    char *text; /* folded, owned; NULL = not read, or not kept */
    bool hit;
};

struct search {
    const char *dir;
    const struct store_entry *entry;
    struct page *page; /* [n] */
    int n, at;         /* at: the next one to look into */
    size_t kept;
    struct buf wanted; /* folded */
};

struct search *search_new(const char *dir, const struct store_entry *e, int n)
{
    struct search *s = mem_new(sizeof *s);
    s->dir = dir;
    s->entry = e;
    s->page = mem_new((size_t)(n > 0 ? n : 1) * sizeof *s->page);
    s->n = s->at = n;
    return s;
}

void search_free(struct search **search)
{
    struct search *s = *search;
    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        free(s->page[i].text);
    free(s->page);
    buf_release(&s->wanted);
    free(s);
    *search = NULL;
}

void search_for(struct search *s, const char *text)
{
    buf_clear(&s->wanted);
    text_fold(&s->wanted, text, strlen(text));
    s->at = s->wanted.bytes ? 0 : s->n;
    for (int i = 0; i < s->n; i++)
        s->page[i].hit = false;
}

static void fold_in(struct buf *out, const char *text)
{
    text_fold(out, text, strlen(text));
    buf_puts(out, "\n");
}

static void fold_conversation(struct buf *out, const struct conversation *c)
{
    for (int i = 0; i < c->n_turn; i++) {
        const struct turn *t = &c->turn[i];
        fold_in(out, t->question);
        if (t->chosen < 0)
            continue;
        char *answer = reply_join(&t->reply[t->chosen], PART_ANSWER);
        fold_in(out, answer);
        free(answer);
    }
}

/* The text of a session that cannot be read is empty. */
static char *page_read(const struct search *s, int i)
{
    struct conversation c;
    struct buf folded = {0};
    struct err err;
    conversation_init(&c);
    if (store_read(s->dir, s->entry[i].id, &c, &err))
        fold_conversation(&folded, &c);
    conversation_release(&c);
    return buf_take(&folded);
}

bool search_step(struct search *s, int *hit)
{
    *hit = -1;
    if (s->at >= s->n)
        return false;
    struct page *p = &s->page[s->at];
    char *text = p->text ? p->text : page_read(s, s->at);
    p->hit = strstr(text, buf_text(&s->wanted)) != NULL;
    if (p->hit)
        *hit = s->at;
    if (!p->text && s->kept + strlen(text) <= KEPT_BYTES_MAX) {
        s->kept += strlen(text);
        p->text = text;
    } else if (!p->text) {
        free(text);
    }
    s->at++;
    return true;
}

bool search_done(const struct search *s)
{
    return s->at >= s->n;
}

bool search_hit(const struct search *s, int i)
{
    return s->page[i].hit;
}
