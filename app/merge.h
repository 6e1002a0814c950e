/* merge.h -- one answer of several to the same question: what Pro-Max is asked for that. */
#ifndef DUET_APP_MERGE_H
#define DUET_APP_MERGE_H

#include "app/conversation.h"

/* Appends the question: the chosen answer stands above it in the conversation, the others are
 * quoted, each text once. Returns how many are quoted; 0: there is nothing to merge, and nothing
 * was appended. */
int merge_question(const struct turn *t, struct buf *out);

#endif
