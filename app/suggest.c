/* suggest.c -- see suggest.h.
 *
 * Three things speak for a mode. A demand that a rule can check, and a question whose answer is a
 * number, for one that tries several answers: there checking and voting help small models. A long
 * text that is asked about, for one that does not think: finding things in it gets worse with a
 * thought. And one against: a short answer that the model is sure of at its first token. */
#include "app/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/choose.h"

enum { LONG_BYTES = 3000 }; /* of a question that brings its text along */
#define SURE 0.9            /* of its first token: other tries would say the same */

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

/* True if the answer shall be so short that its first token is a part of what it says. */
static bool begins_at_once(const struct demands *d)
{
    return demands_find(d, DEMAND_CHOICE) || demands_find(d, DEMAND_NUMBER) ||
           demands_find(d, DEMAND_SHORT);
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
    out->by_first = !check && now->think == MODE_THINK_NONE && begins_at_once(&c->demands);
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

/* True if a word may be where one of the choices begins: "Y" of "yes", "B" of "B) Jupiter". */
static bool begins_choice(const struct demands *d, const char *word, size_t n)
{
    for (int i = 0; i < d->n_choice; i++) {
        const struct choice *c = &d->choice[i];
        if (strncasecmp(c->text, word, n) == 0 ||
            (n == 1 && c->letter && toupper((unsigned char)*word) == c->letter))
            return true;
    }
    return false;
}

/* True if the token is where the answer says something, not where a sentence about it begins. */
static bool says(const struct demands *d, const char *token)
{
    const char *word = token + strspn(token, " \n\"'*(`");
    size_t n = strcspn(word, " \n\"'*).`");
    if (n == 0)
        return false;
    if (demands_find(d, DEMAND_CHOICE))
        return begins_choice(d, word, n);
    if (demands_find(d, DEMAND_NUMBER))
        return isdigit((unsigned char)word[*word == '-' || *word == '$']);
    return true;
}

void suggest_first(struct suggestion *s, const char *text, size_t bytes, const char *token,
                   double probability)
{
    struct demands d;
    if (!s->any || !s->by_first)
        return;
    demands_read(&d, text, bytes);
    s->first_told = true;
    if (says(&d, token)) {
        s->any = s->first_told = probability < SURE;
        snprintf(s->why, sizeof s->why, "its first word is %.0f %% sure: can vote",
                 100 * probability);
    }
    demands_release(&d);
}
