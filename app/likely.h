/* likely.h -- how likely the model finds something, by logits that are there. */
#ifndef DUET_APP_LIKELY_H
#define DUET_APP_LIKELY_H

#include "engine/engine.h"
#include "engine/err.h"

/* Natural log of the probability of an id: logits [n], the largest is not infinite. */
double likely_id(const float *logits, int n, int id);

/* The mean of that over the tokens of a text (its first few) as the reply to a prompt, line[0..n),
 * which `at` holds with its logits. It is read on a fork; *n_read grows by the tokens read there.
 *
 * errors  those of session_fork() and session_read_reply(). ERR_INPUT: the text has no tokens, or
 *         the prompt no logits. */
bool likely_text(struct engine *e, const struct session *at, const struct tokens *line, int n,
                 const char *text, double *mean, uint64_t *n_read, struct err *err);

#endif
