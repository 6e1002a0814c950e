/* gate.h -- whether what the far context leaves out matters: measured on the conversation itself.
 *
 * The last GATE_TOKENS tokens are read twice in a fork, one by one: as exactly as the cache can be
 * read, which is stored as the most likely tokens of each position, and then in the cheaper way.
 * The mean Kullback-Leibler divergence of the second from the first is compared with a limit.
 *
 *   flash tier        all rows, then by the index. Beyond the limit the index may choose twice as
 *                     many rows as were allowed there, and where GATE_ROWS_MAX are not enough the
 *                     tier is q8, in memory
 *   no file for that  f16, then q4, then q8: the first within the limit, or f16 for good
 *
 * A verdict holds for the model as long as the program runs; by index it is measured again when the
 * context has grown by half. Work comes in slices of one token. */
#ifndef DUET_APP_GATE_H
#define DUET_APP_GATE_H

#include <stdbool.h>

#include "engine/engine.h"
#include "ui/buf.h"

enum { GATE_TOKENS = 64, GATE_TOP = 64, GATE_ROWS_MAX = 2048 };

/* The likeliest tokens of a position, and the probability of all others together. */
struct gate_list {
    int32_t id[GATE_TOP];
    float logprob[GATE_TOP];   /* descending */
    int n;
    double rest;
};

void gate_list_make(struct gate_list *l, const float *logits, int n_vocab);

/* Of the distribution of logits from that of the list, others counted as one: 0 or more, and no
 * more than of the whole distributions. */
double gate_divergence(const struct gate_list *l, const float *logits, int n_vocab);

/* What was measured last. */
struct gate_report {
    int at;                /* tokens of the context then; 0 = nothing was measured yet */
    enum kv_tier tier;     /* held so */
    int rows;              /* by index: keys that a key head read for a token, on average; else 0 */
    int asked;             /* see session_set_rows() */
    double kld, limit;     /* of the last way tried; above the limit: none was good enough */
    double kld_before;     /* of the first way tried, which was not; 0 = it was */
};

enum gate_phase { GATE_REST, GATE_STORE, GATE_TRY };

struct gate {
    int n_vocab;
    double limit;          /* nats; 0: nothing is measured */
    int from;              /* tokens from which on */
    bool file;             /* the flash tier can have its file */
    enum kv_tier tier;     /* what a long context is held in, as far as is known */
    int rows;              /* for session_set_rows() */
    bool decided;          /* no file: the tier is known */
    struct gate_report last;

    enum gate_phase phase;
    struct session *fork;
    struct tokens ids;
    int at;                /* next of ids to read */
    enum kv_tier trial;
    double kld;            /* of the trial so far, as are, by index, the keys that a key head */
    double read, allowed;  /* read for a token and might have chosen */
    struct gate_list list[GATE_TOKENS];
};

void gate_init(struct gate *g, int n_vocab, double limit, int from, bool file);

/* One slice of measuring s, which stays as it is; where it was cut meanwhile, it begins anew. */
enum gate_outcome { GATE_IDLE, GATE_MORE, GATE_DONE } gate_step(struct gate *g,
                                                                const struct session *s);

/* Gives up what is being measured: its memory is wanted, or g ends. */
void gate_leave(struct gate *g);

/* One line, or nothing as long as nothing was measured. */
void gate_describe(const struct gate_report *r, struct buf *out);

#endif
