/* store.h -- session folders: $XDG_DATA_HOME/duet/sessions/<id>/{log.jsonl, kv, meta.json, lock}.
 *
 * Folders 0700, files 0600. meta.json (title, mode, model, counts, times) is derived from the log
 * and replaced by temporary file, fsync, rename, fsync of the folder; a missing or damaged one is
 * made anew. One program per session: flock on `lock`; a second gets ERR_BUSY with a clear
 * message. */
#ifndef DUET_APP_STORE_H
#define DUET_APP_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "app/conversation.h"
#include "app/log.h"
#include "engine/err.h"

struct store_entry {
    char id[80];
    char title[128];
    char model[64];
    int turns;
    int64_t changed;  /* seconds since 1970 */
};

/* All sessions, newest first; *out is malloc'd. Damaged ones are listed by id with what can be
 * read. No folder yet = 0 entries. */
bool store_list(const char *dir, struct store_entry **out, int *n, struct err *err);

/* The id that a person means: an id, a unique beginning of one, or a title (any case). False with
 * ERR_INPUT: none (id becomes "") or several (id is one of them, the message names them). */
bool store_find(const char *dir, const char *name, char id[80], struct err *err);

/* The newest session in which something was said, else the newest. False with ERR_INPUT: there is
 * none. */
bool store_last(const char *dir, char id[80], struct err *err);

/* A new id: date, time and a few random letters. A person's own name becomes an id if it is made
 * of letters, digits, '-', '_', '.' and does not begin with '.', at most 64 bytes;
 * else ERR_INPUT. */
void store_new_id(char id[80]);
bool store_name_id(const char *name, char id[80], struct err *err);

/* One open session. */
struct store {
    char id[80];
    char folder[512];   /* "" = nothing is saved (--no-save, or it could not be created) */
    char kv[540];
    struct log *log;    /* NULL like folder */
    int lock_fd;
};

/* Opens or creates a session folder, takes its lock, reads its log into *c (initialised by the
 * caller). id must come from the functions above. */
bool store_open(struct store *s, const char *dir, const char *id, struct conversation *c,
                struct log_report *r, struct err *err);

/* Replaces meta.json. */
bool store_meta(struct store *s, const struct conversation *c, struct err *err);
void store_close(struct store *s);

#endif
