/* cost.h -- what a conversation took: tokens, seconds, and what a server would have asked for it.
 *
 * Here nothing is paid. A price is data with its date (price.def); where there is none for a model
 * and a day, the cost is not known, which is not nothing. Whole numbers: picodollars. */
#ifndef DUET_APP_COST_H
#define DUET_APP_COST_H

#include "app/conversation.h"
#include "ui/buf.h"

/* Sums over answers; those of candidates that were not chosen count in the chosen one's. Of two
 * answers at once each has its seconds, and the first those of both where all are summed. */
struct cost {
    int answers;
    uint64_t prompt, reused;    /* tokens before the replies; of these, those the cache held: the
                                 * others were read */
    uint64_t re_read;           /* in prompts and replies: the cache had held them, and lost them */
    uint64_t kv_bytes;          /* the most that a turn held */
    uint64_t folded;            /* read again to fold thoughts out of the context */
    uint64_t answer, thinking, losing;
    double seconds, fold_seconds;
};

/* Of the answers that ended in this mode; MODE_MAX: of all. */
void cost_sum(const struct conversation *c, enum mode_id mode, struct cost *out);

enum { COST_TEXT = 32 };

/* A share without decimals, and with as many as it takes not to call less than all 100 %. "": of
 * nothing. */
void cost_share(uint64_t part, uint64_t all, char out[COST_TEXT]);

struct price {
    const char *model;
    const char *from;           /* "2026-05-31" */
    uint64_t hit, miss, out;    /* picodollars a token */
    const char *source, *checked;
};

/* The price of a model on a day; NULL: not known. day = NULL: the last one known. */
const struct price *price_find(const char *model, const char *day);
uint64_t price_of(const struct price *p, uint64_t hit, uint64_t miss, uint64_t out);
void price_text(uint64_t picodollars, char out[COST_TEXT]); /* "$0.000876" */

/* All of it as lines of text, each ended. */
void cost_describe(const struct conversation *c, struct buf *out);

#endif
