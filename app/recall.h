/* recall.h -- texts with facts in them, and what is asked for at their end.
 *
 *   needle   a text with a few numbers told in sentences of their own, each at another depth
 *   keys     nothing but lines "key = number"
 *
 * A question is the beginning of one of these, its answer the number: a model that looks it up goes
 * on with the same tokens. The same seed gives the same text. */
#ifndef DUET_APP_RECALL_H
#define DUET_APP_RECALL_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/err.h"

enum recall_kind { RECALL_NEEDLE, RECALL_KEYS };

enum { RECALL_MAX = 20 };

struct recall {
    struct tokens text;
    struct recall_ask {
        struct tokens ids;  /* the question, then the answer */
        int n_question;
    } ask[RECALL_MAX];
    int n;
};

struct recall_opts {
    enum recall_kind kind;
    int n_text;             /* tokens */
    const int32_t *hay;     /* [n_text] at least: what the needles lie in */
    uint64_t seed;
};

/* errors  ERR_INPUT: the text is too short for the facts. ERR_NOMEM. Release it then too. */
bool recall_make(struct recall *r, const struct engine *e, const struct recall_opts *o,
                 struct err *err);
void recall_release(struct recall *r);

#endif
