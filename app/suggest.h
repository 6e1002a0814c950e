/* suggest.h -- which mode a question suits, and why: read from its text alone by rules, so that it
 * costs no token. It is told and never acts by itself. */
#ifndef DUET_APP_SUGGEST_H
#define DUET_APP_SUGGEST_H

#include "app/setting.h"

struct suggestion {
    bool any;           /* else the mode that answers now does */
    enum mode_id mode;
    char why[80];       /* "exactly 3 bullet points: can be checked" */
};

/* now: the mode that would answer, with what is changed of it. */
void suggest_mode(const struct settings *s, enum mode_id now, const char *text, size_t bytes,
                  struct suggestion *out);

#endif
