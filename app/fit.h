/* fit.h -- what happens when a question does not fit into the context any more: nothing is cut
 * silently. The person is asked before the turn, with what each choice costs, or has chosen
 * beforehand (--fit).
 *
 *   drop     the oldest turns leave the context, the beginning stays; a cache that can be cut so
 *            reads nothing again
 *   summary  a new session that begins with what the model says of this one
 *   go       answer in the room that is left
 *   stop     take the question back
 *
 * Belongs to talk.c, which calls it. */
#ifndef DUET_APP_FIT_H
#define DUET_APP_FIT_H

#include <stdbool.h>

#include "app/event.h"

struct talk;

enum fit_choice { FIT_NONE, FIT_DROP, FIT_SUMMARY, FIT_GO, FIT_STOP, FIT_COUNT };

/* "drop" ...; NULL for FIT_NONE. FIT_NONE: no choice has this name. */
const char *fit_name(enum fit_choice c);
enum fit_choice fit_find(const char *name);

/* What does not fit, and what can be done. */
struct fit {
    bool asked;             /* a choice is waited for */
    enum fit_choice doing;  /* it is being carried out: DROP, SUMMARY */
    bool summing;           /* SUMMARY: the model writes it */
    int turn;               /* the question */
    enum mode_id mode;
    unsigned how;           /* SEND_ flags */
    int used, room, ctx;    /* ids of the prompt, what is left, what there is */
    int turns, tokens;      /* that DROP takes out; 0 = nothing can go */
    char *question;         /* owned: for the new session */
};

/* Events, in their order. */
void fit_full(struct talk *t, const struct event *e);
void fit_dropped(struct talk *t, const struct event *e);
void fit_done(struct talk *t, const struct event *e);  /* a turn is over */

/* What the person chose. */
void fit_choose(struct talk *t, enum fit_choice c);

void fit_release(struct fit *f);

#endif
