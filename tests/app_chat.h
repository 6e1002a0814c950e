/* app_chat.h -- a running conversation on a fixture model in a folder of its own, with its worker
 * thread, log and cache, and what its front was told: for app_talk.c, app_fold.c and app_set.c. */
#ifndef DUET_TESTS_APP_CHAT_H
#define DUET_TESTS_APP_CHAT_H

#include "tests/test.h"

#include "app/command.h"
#include "app/talk.h"

struct chat {
    struct talk t;
    struct options o;
    struct buf notes;       /* a line each, errors begin with ! */
    struct buf answer;
    int questions, dones, resets, chosen;
    int back, re_read;      /* of the last EVENT_RESUMED */
    int folds;              /* thoughts that left the context */
    int toggles;            /* EVENT_MODE in a turn */
    int toggle_at;          /* generated tokens after which to toggle; -1 = never */
    int tokens;
    bool paced;             /* set before it is opened: the worker waits for chat_step() */
};

/* Default options, and a home in the folder of the test. */
void chat_new(struct chat *c);

/* Opens the session that the options name and the model; answers of at most 12 tokens. */
void chat_begin(struct chat *c, const char *fixture);
void chat_open(struct chat *c, const char *model); /* a path, which lives as long as c */
void chat_ready(struct chat *c); /* a new one on tiny-llama that waits for a question */
void chat_settle(struct chat *c); /* runs until nothing is under way, toggling where it is due */
void chat_line(struct chat *c, const char *text); /* a line that is typed, and settled by talk.c */

/* One round of events, which are waited for. */
void chat_step(struct chat *c);
void chat_end(struct chat *c);

#endif
