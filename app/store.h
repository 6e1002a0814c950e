/* store.h -- session folders: $XDG_DATA_HOME/duet/sessions/<id>/{log.jsonl, kv, meta.json, lock}.
 *
 * Folders 0700, files 0600. meta.json (title, mode, model, counts, times) is derived from the log
 * and replaced by temporary file, fsync, rename, fsync of the folder; a missing or damaged one is
 * made anew. One program per session (lock.h): a second gets ERR_BUSY and is told who has it
 * open. */
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
    char parent[80];  /* the session it is a branch of, "" = of none */
    int parent_turns; /* turns that it took from there */
    int turns;
    int64_t changed;  /* seconds since 1970 */
    int depth;        /* branches between it and a session that is none: store_tree() */
    int64_t log_bytes, kv_bytes; /* on disk */
    bool kv_shared;   /* the file of the cache is another session's too */
};

/* All sessions, newest first; *out is malloc'd. Damaged ones are listed by id with what can be
 * read. No folder yet = 0 entries. */
bool store_list(const char *dir, struct store_entry **out, int *n, struct err *err);

/* What stands beside a title in every list: "12 turns  2026-11-25 21:00  1.4 MB". */
enum { STORE_FACTS_BYTES = 80 };
void store_facts(const struct store_entry *e, char *out, size_t bytes);

/* All the rest of it in one line: id, model, sizes, what it is a branch of. */
void store_details(const struct store_entry *e, char *out, size_t bytes);

/* Puts branches behind the session they are of, and counts their depth; else the order stays.
 * store_label() is the title, indented by that; a session without one has its id. */
void store_tree(struct store_entry *e, int n);
void store_label(const struct store_entry *e, char *out, size_t bytes);

/* Gives a session that is not open another title. Errors as of store_open(). */
bool store_rename(const char *dir, const char *id, const char *title, struct err *err);

/* The conversation of a session that is not opened: its log as it is now. *c is initialised. */
bool store_read(const char *dir, const char *id, struct conversation *c, struct err *err);

/* Puts a session aside, below `deleted` beside dir, where it stays for STORE_KEPT_DAYS; what is
 * there for longer is erased. store_undelete() takes the one back that was put there last, and
 * says its id. Errors: ERR_BUSY, it is open; ERR_INPUT, there is none. */
enum { STORE_KEPT_DAYS = 7 };
bool store_delete(const char *dir, const char *id, struct err *err);
bool store_undelete(const char *dir, char id[80], struct err *err);

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

/* A new session that holds this conversation. Its cache may be another session's file until one of
 * the two saves its own: kv is a link to it, NULL for none. */
bool store_new(struct store *s, const char *dir, const struct conversation *c, const char *kv,
               struct err *err);

/* Replaces meta.json. */
bool store_meta(struct store *s, const struct conversation *c, struct err *err);

/* A folder in which nothing was ever said goes with it. */
void store_close(struct store *s);
void store_discard(struct store *s); /* the same, whatever the folder holds */

#endif
