/* app_run.h -- the local backend on a fixture, slice by slice, without a thread: for app_local.c
 * and app_candidates.c. */
#ifndef DUET_TESTS_APP_RUN_H
#define DUET_TESTS_APP_RUN_H

#include "tests/test.h"

#include "app/backend.h"
#include "app/replay.h"
#include "app/tray.h"

struct run {
    struct options o;
    struct backend *b;
    struct conversation c;
    struct event_list list;

    /* how to ask */
    uint64_t seed;
    int max;                /* tokens of an answer */
    int change_at;          /* tokens of all candidates after which the mode changes; -1 = never */
    enum mode_id change_to;
    int cancel_at;          /* likewise, to the end; -1 = never */

    /* what came */
    struct event done;      /* the last EVENT_DONE (text moved out) */
    int modes;              /* EVENT_MODE seen */
    int mode_re_read;       /* and the sum of their counts */
    int generated;          /* tokens told of candidate 0 */
    int thought;            /* of these: thinking */
    int all;                /* tokens told of all */
    int running;            /* candidates when the mode changed or the end was asked for */
    bool revising;          /* and a revision was one of them */
    struct buf notes;
    struct tray tray;
    int resumed_back, resumed_re_read;
    int fold_out, fold_re_read; /* of the last EVENT_FOLDED */
    bool repro_same;        /* the last EVENT_REPRO said so, */
    int wanted;             /* of a reply of so many tokens */
};

void run_open_path(struct run *r, const char *model, const char *template);
void run_open_as(struct run *r, const char *fixture, const char *template);
void run_open(struct run *r, const char *fixture);
void run_close(struct run *r);

/* Takes what was told into the conversation, as talk.c does. */
void run_take(struct run *r, int turn);

/* Asks and runs to the end. Returns the turn. */
int run_ask(struct run *r, const char *text, enum mode_id mode);

int run_begin(struct run *r, const char *text, enum mode_id mode); /* the same without a step */

/* Both conversations give the same prompt. The conversation from a log of its own is the same. */
void run_same_prompt(const struct conversation *a, const struct conversation *b);
void run_logged(const struct run *r);

/* Folds, and leaves that behind so many slices (-1 = to the end). */
void run_fold(struct run *r, int slices);
void run_fold_changed(struct run *r, int slices, enum mode_id to); /* and changes the mode */

/* Makes a reply of a turn again; false: it is another. */
bool run_repro(struct run *r, int turn, const struct reply *reply);

/* The chosen reply of a turn. */
const struct reply *run_reply(const struct run *r, int turn);

void run_nothing_re_read(const struct run *r);

#endif
