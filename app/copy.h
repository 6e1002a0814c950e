/* copy.h -- what is copied out of a conversation, and where it goes. */
#ifndef DUET_APP_COPY_H
#define DUET_APP_COPY_H

#include "app/talk.h"
#include "ui/transcript.h"

/* Copies "" the last answer, "3" block of code 3, "turn" the question in view and its answers. msg
 * says what went by which road, or why nothing did. */
bool copy_text(const struct talk *t, struct transcript *all, const char *what, char *msg,
               size_t msg_bytes);

#endif
