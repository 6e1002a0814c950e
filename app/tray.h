/* tray.h -- the candidates of the last turn as the UI thread knows them: their replies while they
 * grow, and how each stands. Candidate 0's reply is the one that is shown, and the conversation's;
 * those of the others are kept here until the turn ends, then the finished ones become siblings. */
#ifndef DUET_APP_TRAY_H
#define DUET_APP_TRAY_H

#include "app/event.h"

enum { TRAY_MAX = 6 };  /* candidates, and a revision */

struct tray_row {
    struct candidate_mark mark; /* state CANDIDATE_NONE: there is none */
    struct buf text;            /* owned: its answer in short, or the demands it does not keep */
    struct reply reply;         /* owned until it is a sibling */
    enum part_kind part;        /* that it is in */
    int tokens;
    double seconds;             /* they took */
    uint64_t kv_bytes;          /* of its timeline, with what it shares */
    int sibling;                /* its reply in the turn, once over; -1 = not kept */
};

struct tray {
    struct tray_row row[TRAY_MAX];
    int n;                      /* rows in use; fewer than 2: nothing to compare */
    int turn;                   /* of the conversation */
    bool over;                  /* the turn is */
    bool told;                  /* it is known which is chosen */
    int chosen;
    struct buf why;             /* owned: one line */
};

void tray_begin(struct tray *t, int turn);
void tray_release(struct tray *t);

/* An EVENT_TOKENS: counts it; the reply takes it, but for candidate 0's. */
void tray_tokens(struct tray *t, const struct event *e);

/* An EVENT_CANDIDATE. first: candidate 0's reply. */
void tray_mark(struct tray *t, const struct event *e, const struct reply *first);

/* An EVENT_MADE of another than candidate 0. */
void tray_made(struct tray *t, const struct event *e);

/* An EVENT_CHOSEN. */
void tray_choose(struct tray *t, const struct event *e);

/* The turn is over: the finished ones become siblings of candidate 0's reply, which is the chosen
 * one of the turn; the chosen one comes last. Returns the first that is new or was moved. */
int tray_settle(struct tray *t, struct conversation *c, uint64_t seed);

/* What it was of the last turn of a conversation that is opened: the finished ones. Nothing, if its
 * last answer was not chosen among candidates. */
void tray_restore(struct tray *t, const struct conversation *c);

/* Candidate k in one short row: what it does or says, and how it stands among the others. first:
 * candidate 0's reply, or NULL. */
void tray_line(const struct tray *t, int k, const struct reply *first, struct buf *left,
               struct buf *right);

#endif
