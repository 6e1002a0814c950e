/* bench_toggle.c -- see bench_toggle.h. */
#include "app/bench_toggle.h"

#include <stdio.h>
#include <string.h>

#include "app/clock.h"
#include "app/json.h"
#include "app/out.h"
#include "app/sort.h"
#include "app/strand.h"
#include "app/tier.h"

enum { ROOM = 512, WARM_TOKENS = 4, REPS_MAX = 99 };
static const char question[] = "Tell me a long story about a river.";

struct measuring {
    const struct bench_toggle *how;
    struct engine *engine;
    struct session *base;       /* holds the prompt */
    struct strand prompt;       /* its line is the prompt's ids, nothing else of it is used */
    double before[REPS_MAX], behind[REPS_MAX];
    double told[REPS_MAX];      /* the mode's own first words, where it has some, else as behind */
    int put, re_read;           /* ids that it puts into the reply */
};

static bool base_make(struct measuring *m, struct err *err)
{
    struct tokens *line = &m->prompt.line;
    int n_vocab = engine_info(m->engine)->n_vocab, held = 0;
    struct session_opts so = {.n_ctx = m->how->depth + ROOM,
                              .far = {m->how->tier, tier_folder()}};
    m->prompt.engine = m->engine;
    bool ok = session_new(&m->base, m->engine, &so, err) &&
              engine_chat(m->engine, CHAT_BEGIN, "", 0, line, err);
    for (int32_t i = 0; ok && i < m->how->depth; i++)
        ok = tokens_append(line, &(int32_t){(int32_t)((int64_t)i * 7919 % n_vocab)}, 1, err);
    ok = ok && engine_chat(m->engine, CHAT_USER, question, strlen(question), line, err) &&
         engine_chat(m->engine, CHAT_REPLY, NULL, 0, line, err);
    while (ok && held >= 0 && held < line->n)
        held = session_read(m->base, line->id, line->n, err);
    m->prompt.n_prompt = line->n;
    return ok && held == line->n;
}

/* Reads what is to be read and makes the next token; seconds that it took, negative: *err. */
static double token(struct strand *s, struct err *err)
{
    struct event_list told = {0};
    struct session_token t;
    double start = clock_seconds();
    bool ok = true;
    while (ok && s->unread)
        ok = strand_read(s, &told, err);
    ok = ok && strand_next(&s, 1, NULL, &t, err) == 1 && strand_token(s, &t, &told, err);
    double seconds = clock_seconds() - start;
    event_clear(&told);
    return ok ? seconds : -1;
}

/* *shown: it has put words into the reply that are shown at once. */
static bool change(struct strand *s, enum mode_id to, bool *shown, struct err *err)
{
    struct event_list told = {0};
    bool ok = strand_mode(s, to, &told, err);
    *shown = false;
    for (const struct event *e = told.head; e; e = e->next)
        *shown = *shown || e->text.bytes > 0;
    event_clear(&told);
    return ok;
}

/* One reply, changed once. A mode that was changed has read its tail by then. */
static bool run(struct measuring *m, int rep, enum mode_id from, enum mode_id to, struct err *err)
{
    struct strand s = {0};
    struct event_list told = {0};
    struct session_stats stats;
    struct turn_limits limits = {.room = ROOM - STRAND_TAIL_MAX, .tail_tokens = STRAND_TAIL_MAX};
    if (!strand_spawn(&m->prompt, m->base, &s, err))
        return false;
    strand_begin(&s, from, &limits, 1, false);
    bool ok = strand_open(&s, &told, err);
    for (int i = 0; ok && i < WARM_TOKENS; i++)
        ok = (m->before[rep] = token(&s, err)) >= 0 && !strand_over(&s);
    double start = clock_seconds();
    int held = s.line.n;
    bool shown = false;
    ok = ok && change(&s, to, &shown, err);
    m->put = s.line.n - held;
    m->told[rep] = clock_seconds() - start;
    ok = ok && token(&s, err) >= 0;
    m->behind[rep] = clock_seconds() - start;
    if (!shown)
        m->told[rep] = m->behind[rep];
    session_stats(s.session, &stats);
    m->re_read += (int)stats.n_re_read;
    event_clear(&told);
    strand_release(&s);
    return ok || (*err->msg ? false : err_set(err, ERR_INPUT, "bench: the reply ended at once"));
}

static void tell(struct measuring *m, enum mode_id from, enum mode_id to)
{
    double before = 1000 * sort_median(m->before, m->how->reps);
    double behind = 1000 * sort_median(m->behind, m->how->reps);
    double told = 1000 * sort_median(m->told, m->how->reps);
    if (!m->how->json) {
        out_printf(stdout, "toggle   at %6d  %s to %s: the next token after %.1f ms, an ordinary "
                   "one %.1f; the next one chosen after %.1f, with %d put before it; %d tokens "
                   "re-read\n", m->how->depth, mode_get(from)->title, mode_get(to)->title, told,
                   before, behind, m->put, m->re_read);
        return;
    }
    struct buf out = {0};
    struct json_line j;
    json_begin(&j, &out);
    json_text(&j, "what", "toggle");
    json_int(&j, "at", m->how->depth);
    json_text(&j, "from", mode_get(from)->name);
    json_text(&j, "to", mode_get(to)->name);
    json_text(&j, "tier", tier_name(m->how->tier));
    json_double(&j, "ordinary_ms", before);
    json_double(&j, "next_ms", told);
    json_double(&j, "chosen_ms", behind);
    json_int(&j, "put", m->put);
    json_int(&j, "re_read", m->re_read);
    json_end(&j);
    fputs(buf_text(&out), stdout);
    buf_release(&out);
}

static bool measure(struct measuring *m, enum mode_id from, enum mode_id to, struct err *err)
{
    m->re_read = 0;
    for (int r = 0; r < m->how->reps; r++)
        if (!run(m, r, from, to, err))
            return false;
    tell(m, from, to);
    return true;
}

bool bench_toggle(struct engine *e, const struct bench_toggle *how, struct err *err)
{
    struct measuring m = {.how = how, .engine = e};
    err->msg[0] = 0;
    bool ok = base_make(&m, err) && measure(&m, MODE_FLASH, MODE_PRO_MAX, err) &&
              measure(&m, MODE_PRO_MAX, MODE_FLASH, err);
    tokens_release(&m.prompt.line);
    session_free(&m.base);
    return ok;
}
