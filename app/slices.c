/* slices.c -- see slices.h. */
#include "app/slices.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/mode.h"
#include "app/tier.h"
#include "ui/buf.h"

static void add(struct slices *s, int turn, int tokens, enum style style)
{
    if (tokens <= 0)
        return;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->slice = mem_grow(s->slice, (size_t)s->cap * sizeof *s->slice);
        s->turn = mem_grow(s->turn, (size_t)s->cap * sizeof *s->turn);
    }
    s->slice[s->n] = (struct slice){tokens, style, SLICE_EXACT};
    s->turn[s->n++] = turn;
}

static enum style mode_style(enum mode_id mode)
{
    return (enum style)mode_get(mode)->style;
}

/* Its parts, and what else the reply put into the timeline with the last of them. */
static int add_reply(struct slices *s, int turn, const struct reply *r)
{
    int all = reply_context_tokens(r), left = all;
    for (int i = 0; i < r->n_part; i++) {
        if (r->folded && r->part[i].kind == PART_THINKING)
            continue;
        int n = i == r->n_part - 1 || r->part[i].tokens > left ? left : r->part[i].tokens;
        add(s, turn, n, mode_style(r->part[i].mode));
        left -= n;
    }
    add(s, turn, left, mode_style(r->mode));
    return all;
}

/* True if one of the pairs has all of [from, to). */
static bool within(const struct ids *exact, int from, int to)
{
    for (int i = 0; i + 1 < exact->n; i += 2)
        if (exact->id[i] <= from && to <= exact->id[i + 1])
            return true;
    return false;
}

void slices_build(struct slices *s, const struct conversation *c, int ctx_used, enum mode_id mode,
                  enum slice_form form, const struct ids *exact)
{
    int sum = c->begin.n;
    s->n = 0;
    add(s, -1, c->begin.n, STYLE_NOTE);
    for (int i = 0; i < c->n_turn; i++) {
        const struct turn *t = &c->turn[i];
        add(s, i, t->ids.n, STYLE_USER);
        sum += t->ids.n;
        if (t->chosen >= 0)
            sum += add_reply(s, i, &t->reply[t->chosen]);
    }
    add(s, c->n_turn - 1, ctx_used - sum, mode_style(mode));
    for (int i = 0, at = 0; i < s->n; at += s->slice[i++].tokens)
        s->slice[i].form = within(exact, at, at + s->slice[i].tokens) ? SLICE_EXACT : form;
}

enum slice_form slices_form(const struct far_stats *far)
{
    return far->tier == KV_TIER_EXACT ? SLICE_EXACT : far->by_index ? SLICE_INDEX : SLICE_CODED;
}

void slices_at(const struct slices *s, int i, int *from, int *to)
{
    *from = 0;
    for (int k = 0; k < i; k++)
        *from += s->slice[k].tokens;
    *to = *from + s->slice[i].tokens;
}

bool slices_turn(const struct slices *s, int turn, int *from, int *to)
{
    int at = 0;
    *from = *to = 0;
    for (int i = 0; i < s->n; at += s->slice[i++].tokens) {
        if (s->turn[i] != turn)
            continue;
        *from = *to ? *from : at;
        *to = at + s->slice[i].tokens;
    }
    return *to > 0;
}

int slices_cost(const struct ids *exact, int from, int to, int ctx_used)
{
    int n = 0;
    to = to < ctx_used ? to : ctx_used;
    for (int at = from - from % SESSION_EXACT_TOKENS; at < to; at += SESSION_EXACT_TOKENS) {
        int end = at + SESSION_EXACT_TOKENS < ctx_used ? at + SESSION_EXACT_TOKENS : ctx_used;
        n += within(exact, at, at + 1) ? 0 : end - at;
    }
    return n;
}

void slices_price(int tokens, double read_tok_s, const struct far_stats *far, int ctx_used,
                  char *out, size_t bytes)
{
    int n = snprintf(out, bytes, "at most %d token%s", tokens, tokens == 1 ? "" : "s");
    if (read_tok_s > 0)
        n += snprintf(out + n, bytes - (size_t)n, ", about %.1f s", tokens / read_tok_s);
    if (ctx_used > 0)
        snprintf(out + n, bytes - (size_t)n, ", up to %.1f MB more",
                 (double)far->f16_bytes / ctx_used * tokens / 1e6);
}

void slices_release(struct slices *s)
{
    free(s->slice);
    free(s->turn);
    *s = (struct slices){0};
}

static const char *writer(enum style style)
{
    for (int i = 0; i < MODE_COUNT; i++)
        if (mode_style((enum mode_id)i) == style)
            return mode_get((enum mode_id)i)->title;
    return style == STYLE_USER ? "you" : "the beginning";
}

const char *slices_tier(const struct far_stats *far)
{
    return tier_name(far->tier == KV_TIER_FLASH && !far->by_index ? KV_TIER_Q8 : far->tier);
}

void slices_tell(const struct slices *s, int i, const char *tier, double read_tok_s, char *left,
                 size_t left_bytes, char *right, size_t right_bytes)
{
    const struct slice *one = &s->slice[i];
    int n = s->turn[i] < 0 ? 0 : snprintf(left, left_bytes, "turn %d, ", s->turn[i] + 1);
    snprintf(left + n, left_bytes - (size_t)n, "%s", writer(one->style));
    n = snprintf(right, right_bytes, "%d token%s, %s", one->tokens, one->tokens == 1 ? "" : "s",
                 one->form == SLICE_EXACT ? "exact" : tier);
    if (read_tok_s > 0 && one->form != SLICE_EXACT)
        snprintf(right + n, right_bytes - (size_t)n, ", %.1f s to read again",
                 one->tokens / read_tok_s);
}
