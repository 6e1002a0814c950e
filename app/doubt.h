/* doubt.h -- how sure the model was of what it wrote: the places of an answer that it was least
 * sure of. Read from what the parts of a reply keep (conversation.h); pure. */
#ifndef DUET_APP_DOUBT_H
#define DUET_APP_DOUBT_H

#include <stdbool.h>
#include <stddef.h>

#include "app/conversation.h"
#include "ui/buf.h"

/* The doubt of a token is -ln p, in hundredths: 69 is one half, 161 is one fifth. */
enum { DOUBT_MAX = 9999, DOUBT_HALF = 69, DOUBT_FIFTH = 161 };
int doubt_of(float logprob);

/* Appends what is known of one more token: its doubt, and how many bytes of text came with it. */
void doubt_append(struct ids *pairs, int doubt, const char *text, size_t bytes);

/* Neighbouring tokens below one half, as whole words. */
struct doubt {
    int part;         /* of the reply */
    size_t at, bytes; /* in the part's text */
    int worst;        /* doubt of the least certain token */
};
struct doubts {
    struct doubt *place; /* [n], the least certain first; owned */
    int n, cap;
};

/* Fills *out, which is released or zero. False: nothing is kept of the answer's tokens. */
bool doubts_find(const struct reply *r, struct doubts *out);
void doubts_release(struct doubts *d);

/* Appends the place with what stands around it, on one line: "the capital is [Lyon], a city". */
void doubt_excerpt(const struct reply *r, const struct doubt *d, struct buf *out);

/* Appends the probability of the least certain token: "12 %", "<1 %". */
void doubt_percent(const struct doubt *d, struct buf *out);

/* Appends the answer with the number of each place, as in `out`, in brackets before it. */
void doubts_marked(const struct reply *r, const struct doubts *d, struct buf *out);

/* Appends a question about the place, which stands on its own in any mode. */
void doubt_question(const struct reply *r, const struct doubt *d, struct buf *out);

#endif
