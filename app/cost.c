/* cost.c -- see cost.h. */
#include "app/cost.h"

#include <stdio.h>
#include <string.h>

#include "ui/status.h"

/* beside: it took no time of its own. */
static void add(struct cost *sum, const struct usage *u, bool beside)
{
    sum->answers++;
    sum->prompt += (uint64_t)u->prompt_tokens;
    sum->reused += (uint64_t)u->reused_tokens;
    sum->re_read += (uint64_t)u->re_read_tokens;
    sum->answer += (uint64_t)u->answer_tokens;
    sum->thinking += (uint64_t)u->thinking_tokens;
    sum->losing += (uint64_t)u->losing_tokens;
    sum->seconds += beside ? 0 : u->seconds;
    sum->kv_bytes = u->kv_bytes > sum->kv_bytes ? u->kv_bytes : sum->kv_bytes;
}

/* The second of two modes at once is an answer like the first, whose prompt it shares; a candidate
 * that was not chosen counts in the one that was. */
static bool counted(const struct reply *r)
{
    const struct usage *u = &r->usage;
    return u->prompt_tokens > 0 || (r->mark.state == CANDIDATE_NONE && u->seconds > 0);
}

void cost_sum(const struct conversation *c, enum mode_id mode, struct cost *out)
{
    *out = (struct cost){0};
    for (int i = 0; i < c->n_turn; i++)
        for (int k = 0; k < c->turn[i].n_reply; k++) {
            const struct reply *r = &c->turn[i].reply[k];
            bool of_mode = mode == MODE_MAX || r->mode == mode;
            out->folded += of_mode ? (uint64_t)r->fold_tokens : 0;
            out->fold_seconds += of_mode ? r->fold_seconds : 0;
            if (of_mode && counted(r))
                add(out, &r->usage, mode == MODE_MAX && r->usage.prompt_tokens == 0);
        }
}

void cost_share(uint64_t part, uint64_t all, char out[COST_TEXT])
{
    uint64_t scale = 1, percent;
    int decimals = 0;
    out[0] = 0;
    if (all == 0)
        return;
    for (;; scale *= 10, decimals++) {
        percent = (part * 100 * scale * 2 + all) / (all * 2);
        if (part >= all || percent < 100 * scale || decimals == 6)
            break;
    }
    if (decimals == 0)
        snprintf(out, COST_TEXT, "%llu %%", (unsigned long long)percent);
    else
        snprintf(out, COST_TEXT, "%llu.%0*llu %%", (unsigned long long)(percent / scale), decimals,
                 (unsigned long long)(percent % scale));
}

/* ---- prices ------------------------------------------------------------------------------- */

static const struct price prices[] = {
#define PRICE(model, from, hit, miss, out, source, checked) \
    {model, from, hit, miss, out, source, checked},
#include "app/price.def"
#undef PRICE
};

const struct price *price_find(const char *model, const char *day)
{
    const struct price *found = NULL;
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++)
        if (strcmp(prices[i].model, model) == 0 && (!day || strcmp(prices[i].from, day) <= 0))
            found = &prices[i];
    return found;
}

uint64_t price_of(const struct price *p, uint64_t hit, uint64_t miss, uint64_t out)
{
    return hit * p->hit + miss * p->miss + out * p->out;
}

void price_text(uint64_t picodollars, char out[COST_TEXT])
{
    double dollars = (double)picodollars * 1e-12;
    int decimals = dollars >= 1 ? 2 : dollars >= 0.01 ? 3 : 6;
    snprintf(out, COST_TEXT, "$%.*f", decimals, dollars);
}

/* ---- in words ----------------------------------------------------------------------------- */

static void describe_sum(const char *name, const struct cost *s, struct buf *out)
{
    char share[COST_TEXT], kv[16];
    uint64_t written = s->answer + s->thinking + s->losing;
    cost_share(s->reused, s->prompt, share);
    buf_printf(out, "%s: %d answer%s; %llu tokens written: %llu answered, %llu thought, %llu of "
               "candidates not chosen", name, s->answers, s->answers == 1 ? "" : "s",
               (unsigned long long)written, (unsigned long long)s->answer,
               (unsigned long long)s->thinking, (unsigned long long)s->losing);
    if (s->prompt > 0)
        buf_printf(out, "; prompts of %llu: %llu in the cache (%s), %llu read",
                   (unsigned long long)s->prompt, (unsigned long long)s->reused, share,
                   (unsigned long long)(s->prompt - s->reused));
    else
        buf_puts(out, "; prompts shared with those beside");
    buf_printf(out, "; %llu re-read; %.1f s", (unsigned long long)s->re_read, s->seconds);
    if (s->seconds > 0)
        buf_printf(out, ", %.1f tok/s", (double)written / s->seconds);
    status_bytes(kv, sizeof kv, s->kv_bytes);
    if (s->kv_bytes > 0)
        buf_printf(out, ", cache %s at most", kv);
    if (s->folded > 0)
        buf_printf(out, "; %llu read to fold thoughts, %.1f s", (unsigned long long)s->folded,
                   s->fold_seconds);
    buf_puts(out, "\n");
}

static void describe_price(const char *model, const struct cost *s, struct buf *out)
{
    char text[COST_TEXT];
    const struct price *p = price_find(model, NULL);
    if (!p)
        return;
    price_text(price_of(p, s->reused, s->prompt - s->reused, s->answer + s->thinking + s->losing),
               text);
    buf_printf(out, "what if: %s at the price of %s (off-peak; %s, checked %s): %s\n", p->model,
               p->from, p->source, p->checked, text);
}

/* No mode before it corresponds to the same model of a server. */
static bool remote_first(enum mode_id mode)
{
    for (int m = 0; m < (int)mode; m++)
        if (strcmp(mode_get((enum mode_id)m)->remote, mode_get(mode)->remote) == 0)
            return false;
    return true;
}

void cost_describe(const struct conversation *c, struct buf *out)
{
    struct cost s;
    cost_sum(c, MODE_MAX, &s);
    buf_puts(out, "nothing paid: the model runs on this machine\n");
    if (s.answers == 0)
        return;
    for (int m = 0; m < mode_count(); m++) {
        struct cost one;
        cost_sum(c, (enum mode_id)m, &one);
        if (one.answers > 0 && one.answers < s.answers)
            describe_sum(mode_get((enum mode_id)m)->title, &one, out);
    }
    describe_sum("all", &s, out);
    for (int m = 0; m < mode_count(); m++)
        if (remote_first((enum mode_id)m))
            describe_price(mode_get((enum mode_id)m)->remote, &s, out);
}
