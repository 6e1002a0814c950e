/* suggest.c -- see suggest.h.
 *
 * Three things speak for a mode. A demand that a rule can check, and a question whose answer is a
 * number, for one that tries several answers: there checking and voting help small models. A long
 * text that is asked about, for one that does not think: finding things in it gets worse with a
 * thought. */
#include "app/suggest.h"

#include <stdio.h>

#include "app/choose.h"

enum { LONG_BYTES = 3000 }; /* of a question that brings its text along */

/* Appends the first demand that decides by itself. */
static void describe_demand(const struct demands *d, struct buf *out)
{
    for (int i = 0; i < d->n; i++)
        if (demand_decides(&d->demand[i])) {
            demand_describe(&d->demand[i], out);
            return;
        }
}

static void put(struct suggestion *out, enum mode_id mode, const char *why)
{
    out->any = true;
    out->mode = mode;
    snprintf(out->why, sizeof out->why, "%s", why);
}

/* For a mode that compares answers, if this one would not. */
static void suggest_more(const struct mode *now, const struct choose *c, struct suggestion *out)
{
    struct buf why = {0};
    bool check = c->method == CHOOSE_CHECK;
    if (now->id == MODE_PRO_MAX)
        return;
    if (now->candidates > 1 && now->choose & (check ? MODE_CHOOSE_CHECK : MODE_CHOOSE_VOTE))
        return;
    if (check)
        describe_demand(&c->demands, &why);
    else
        buf_puts(&why, c->demands.asks_number ? "a number" : "a short answer");
    buf_puts(&why, check ? ": can be checked" : ": several tries can vote");
    put(out, MODE_PRO_MAX, buf_text(&why));
    buf_release(&why);
}

void suggest_mode(const struct settings *s, enum mode_id now, const char *text, size_t bytes,
                  struct suggestion *out)
{
    const struct mode *m = settings_row(s, now);
    struct choose c;
    *out = (struct suggestion){0};
    choose_begin(&c, text, bytes, CHOOSE_MAX);
    if (c.method != CHOOSE_FIRST)
        suggest_more(m, &c, out);
    else if (bytes >= LONG_BYTES && m->think != MODE_THINK_NONE)
        put(out, MODE_FLASH, "a long text: found without a thought");
    choose_release(&c);
}
