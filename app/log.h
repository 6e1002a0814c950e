/* log.h -- log.jsonl: the conversation on disk, append-only, one event per line.
 *
 * Two layers. log_parse() is pure: bytes in, conversation out. struct log is the file: lines are
 * appended whole with one write; log_sync() makes them durable. An unfinished last line (a crash
 * in the middle of a write) is dropped on reading, and cut off before the next append.
 *
 * Lines: {"type": "session", "v": 1, "id", "created", "model", "fingerprint", "system",
 *         "parent", "parent_turns"}          the last two: of a branch alone
 *        {"type": "begin", "ids"}            ids of the beginning
 *        {"type": "ask", "turn", "mode", "text", "time"}
 *        {"type": "prompt", "turn", "ids"}   ids of the question
 *        {"type": "reply", "turn", "mode", "seed", "reason", "parts", "ids", "thought", "usage",
 *         "time"}                            thought: from, to, ... in ids; only if there is one
 *        {"type": "fold", "turn", "reply", "done", "re_read", "seconds"}   done 1: these ids are
 *                                            out of the context; 0: an attempt that was left
 *        {"type": "choose", "turn", "reply"}           another answer than the last one
 *        {"type": "drop", "turns", "ids"}    the first turns are out of prompts but for these ids
 *        {"type": "mode", "mode"}  {"type": "title", "title"}  {"type": "cut", "turns"}
 *        {"type": "set", "mode", "name", "value"}  a setting of a mode; without a mode one of all
 *                       answers, without a value it is the mode's again, without a name all are
 *        {"type": "toggle", "turn", "from", "to", "at", "re_read"}   during a reply
 *        {"type": "candidates", "turn", "of", "chosen", "why"}   chosen among so many; the replies
 *                                                      of those that finished stand before it
 *        {"type": "model", "model", "fingerprint"}     earlier ids are void
 * 64-bit numbers (seed, fingerprint) are strings. Unknown types and fields are skipped. */
#ifndef DUET_APP_LOG_H
#define DUET_APP_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "app/conversation.h"
#include "app/gate.h"
#include "engine/err.h"

struct log_report {
    int lines;          /* read */
    int skipped;        /* damaged or unknown lines inside, left out */
    size_t bytes_kept;  /* up to the end of the last whole line */
    bool unfinished;    /* a last line without its end was dropped */
    char mode_gone[MODE_NAME_BYTES + 1]; /* Flash stands for this mode, which there is not; "" */
};

/* Reads a log. Any bytes give a conversation, at worst an empty one, and a report. False only
 * when the first line is not a session of a version this program knows (then *c is empty);
 * an empty file is a session without turns. */
bool log_parse(const char *data, size_t bytes, struct conversation *c, struct log_report *r,
               struct err *err);

struct log;

/* Opens for appending (created 0600 if absent), reading what is there into *c. */
bool log_open(struct log **out, const char *path, struct conversation *c, struct log_report *r,
              struct err *err);
void log_close(struct log **l);

/* Appends one event. On failure (disk full) the file is cut back to its last whole line, the
 * event is kept in memory and is written before the next one that succeeds. */
bool log_session(struct log *l, const struct conversation *c, const char *id, struct err *err);
bool log_begin(struct log *l, const struct conversation *c, struct err *err);
bool log_ask(struct log *l, const struct conversation *c, int turn, struct err *err);
bool log_prompt(struct log *l, const struct conversation *c, int turn, struct err *err);
bool log_reply(struct log *l, const struct conversation *c, int turn, int sibling, struct err *err);
bool log_choose(struct log *l, const struct conversation *c, int turn, struct err *err);
bool log_fold(struct log *l, int turn, int sibling, bool done, int re_read, double seconds,
              struct err *err);
bool log_mode(struct log *l, enum mode_id mode, struct err *err);
bool log_set(struct log *l, const char *mode, const char *name, const char *value,
             struct err *err); /* each may be NULL */
bool log_settings(struct log *l, const struct settings *s, struct err *err); /* what is changed */
bool log_title(struct log *l, const char *title, struct err *err);
bool log_cut(struct log *l, int n_turn, struct err *err);
bool log_drop(struct log *l, const struct conversation *c, struct err *err);
bool log_toggle(struct log *l, int turn, enum mode_id from, enum mode_id to, int at, int re_read,
                struct err *err);
bool log_gate(struct log *l, const struct gate_report *g, struct err *err);
bool log_candidates(struct log *l, const struct conversation *c, int turn, struct err *err);
bool log_model(struct log *l, const struct conversation *c, struct err *err);

/* Writes a whole conversation into an empty log and makes it durable. */
bool log_write(struct log *l, const struct conversation *c, const char *id, struct err *err);

bool log_is_empty(const struct log *l); /* nothing was ever appended */

/* Tries to write what could not be written, then fsync. */
bool log_sync(struct log *l, struct err *err);

#endif
