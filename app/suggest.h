/* suggest.h -- which mode a question suits, and why: read from its text by rules and, where the
 * answer begins with what it says, from the logits behind the prompt, which are there in any case.
 * So it costs no token. It is told and never acts by itself. */
#ifndef DUET_APP_SUGGEST_H
#define DUET_APP_SUGGEST_H

#include "app/setting.h"

struct suggestion {
    bool any;           /* else the mode that answers now does */
    enum mode_id mode;
    char why[80];       /* "exactly 3 bullet points: can be checked" */
    bool by_first;      /* the first token of the answer may say more: suggest_first() */
    bool first_told;    /* and has: it is for that answer, and for nothing that is typed */
};

/* now: the mode that would answer, with what is changed of it. */
void suggest_mode(const struct settings *s, enum mode_id now, const char *text, size_t bytes,
                  struct suggestion *out);

/* The likeliest first token of the answer to the question that *s is for, and its probability. A
 * model that is sure of it would say the same every time: nothing is suggested then. */
void suggest_first(struct suggestion *s, const char *text, size_t bytes, const char *token,
                   double probability);

#endif
