/* search.h -- a text in all sessions: one session a step, so that a key never waits for more. What
 * was read once is kept, up to a limit. */
#ifndef DUET_APP_SEARCH_H
#define DUET_APP_SEARCH_H

#include "app/store.h"

struct search;

/* dir and the entries, from store_list(), are borrowed. */
struct search *search_new(const char *dir, const struct store_entry *e, int n);
void search_free(struct search **s); /* NULL is allowed */

/* Looks for this text from now on, in any case of letters, beginning at the first session; "" for
 * nothing. What was found so far is forgotten. */
void search_for(struct search *s, const char *text);

/* Looks into the next session. False: there is none left. *hit is its number if the text stands
 * in a question or an answer of it, else -1. */
bool search_step(struct search *s, int *hit);

bool search_done(const struct search *s);
bool search_hit(const struct search *s, int i); /* it was found there */

#endif
