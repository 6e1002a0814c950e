/* made.h -- how a reply was made: all that is needed to make it again, and what of the program and
 * the machine may make it otherwise. It is kept in the log with the reply. */
#ifndef DUET_APP_MADE_H
#define DUET_APP_MADE_H

#include "app/conversation.h"
#include "app/json.h"

enum { MADE_FINDING_BYTES = 120 };

/* How the last id of a prompt was read: it says what follows, and where few ids are read, the index
 * is used whatever the mode. */
enum made_end { MADE_END_BY_COUNT, MADE_END_BY_INDEX, MADE_END_BY_ALL };

struct made {
    uint64_t seed;         /* of its own random stream */
    enum mode_id mode;     /* it began in */
    struct ids change;     /* pairs: ids of the reply when it happened, and the mode that it changed
                            * to, or MADE_REVISED */
    bool vary;             /* sampled where the mode is greedy */
    bool direct;           /* without a thought: see turn.h */
    int max_tokens;        /* of an answer; 0 = the mode's */
    int room;              /* ids that the prompt left */
    int prompt;            /* ids of the prompt, */
    uint64_t prompt_hash;  /* and ids_hash() of them */
    enum made_end end;     /* MADE_END_BY_COUNT: not kept, by a program before */
    struct mode *row;      /* [n_row], owned: the modes as they were, those that it had */
    int n_row;
    char finding[MADE_FINDING_BYTES]; /* what the revision was told; "" = nothing, or none */
    char build[24], kernels[40], far[16]; /* of the program; how the context was held */
    int threads;
};

enum { MADE_REVISED = MODE_MAX }; /* its answer was gone over again: see strand_again() */

struct made *made_new(void);
struct made *made_copy(const struct made *m);
void made_free(struct made **m); /* NULL is allowed */

/* Keeps the row of a mode, once. */
void made_row(struct made *m, const struct mode *row);

/* The rows of all modes: as they are, with those that were kept. rows: [MODE_MAX]. */
void made_rows(const struct made *m, struct mode *rows);

uint64_t ids_hash(const int32_t *id, int n);

/* As an object named "made" of the open one; and back, NULL: there is none, or it is damaged. */
void made_write(struct json_line *j, const struct made *m);
struct made *made_read(const struct json *j);

/* What this program is: 16 hexadecimal digits of the build id that the linker gave it. */
const char *made_build(void);

#endif
