/* likely.c -- see likely.h. */
#include "app/likely.h"

#include <math.h>
#include <string.h>

enum { TOKENS_MAX = 8 }; /* options differ at their beginnings */

double likely_id(const float *logits, int n, int id)
{
    float top = logits[0];
    double sum = 0;
    for (int i = 1; i < n; i++)
        top = fmaxf(top, logits[i]);
    for (int i = 0; i < n; i++)
        sum += (double)expf(logits[i] - top);
    return (double)(logits[id] - top) - log(sum);
}

/* Sums up over ids [n..line->n), each by the logits behind the one before it. */
static bool add_up(struct session *s, int n_vocab, const struct tokens *line, int n, double *sum,
                   struct err *err)
{
    *sum = 0;
    for (int i = n; i < line->n; i++) {
        if (i > n && session_read_reply(s, line->id, n, i, err) < i)
            return false;
        const float *logits = session_logits(s);
        if (!logits)
            return err_set(err, ERR_INPUT, "there are no logits to score an option by");
        *sum += likely_id(logits, n_vocab, line->id[i]);
    }
    return true;
}

bool likely_text(struct engine *e, const struct session *at, const struct tokens *line, int n,
                 const char *text, double *mean, uint64_t *n_read, struct err *err)
{
    struct tokens all = {0};
    struct session *s = NULL;
    struct session_stats stats;
    bool ok = tokens_append(&all, line->id, n, err) &&
              engine_tokenize(e, text, strlen(text), &all, err);
    if (ok && all.n == n)
        ok = err_set(err, ERR_INPUT, "an option without tokens");
    all.n = all.n > n + TOKENS_MAX ? n + TOKENS_MAX : all.n;
    ok = ok && session_fork(at, &s, err) &&
         add_up(s, engine_info(e)->n_vocab, &all, n, mean, err);
    if (ok)
        *mean /= all.n - n;
    if (s) {
        session_stats(s, &stats);
        *n_read += stats.n_read;
    }
    session_free(&s);
    tokens_release(&all);
    return ok;
}
