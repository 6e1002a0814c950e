/* editor.h -- the draft: libedit in a private pty; the only file that includes it is editor.c.
 *
 * libedit asks for keys through a hook. editor_read() hands the caller's pump to it as that hook:
 * the pump runs the program (polls, acts, draws) and returns when it has given the editor a key
 * with editor_feed(), or when the program is leaving. Nested reads (Ctrl+R, quoted insert) keep
 * the program alive that way. The pump must never call editor_read().
 *
 * The user's ~/.editrc (or $EDITRC, or opts.editrc) is obeyed, emacs and vi keys alike. */
#ifndef DUET_UI_EDITOR_H
#define DUET_UI_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/buf.h"
#include "ui/key.h"

struct editor;

struct editor_opts {
    const char *program;  /* the section name in ~/.editrc: "duet" */
    const char *history;  /* file of the history; NULL = kept in memory only. 0600, shared by
                           * several programs: entries are appended under a lock */
    const char *editrc;   /* NULL = libedit's own search */
};

/* NULL and msg on failure (no pty to be had). */
struct editor *editor_new(const struct editor_opts *opts, char *msg, size_t msg_bytes);
void editor_free(struct editor **ed);

/* Edits one draft until it is sent. pump returns true when keys were fed, false to leave.
 * Returns the text (malloc'd UTF-8, may hold newlines), already added to the history; NULL when
 * the pump asked to leave: the draft is then kept, see editor_view(). */
char *editor_read(struct editor *ed, bool (*pump)(void *data), void *data);

/* Gives the editor a key: characters, arrows, paste (inserted in one step). Only from the pump. */
void editor_feed(struct editor *ed, const struct key *k);

/* Whether Esc means something to the editor now (vi keys, a running search): then it is fed like
 * any other key. editor_esc_spare() is true once after an Esc that turned out to mean nothing
 * there (vi command mode): the pump may take it for its own. */
bool editor_takes_esc(struct editor *ed);
bool editor_esc_spare(struct editor *ed);

/* What the program wants of the draft; each takes effect when libedit takes it, before the next
 * key. Only from the pump. */
void editor_send(struct editor *ed);                      /* ends editor_read() with the draft */
void editor_newline(struct editor *ed);
void editor_clear(struct editor *ed, bool into_history);
void editor_set(struct editor *ed, const char *text, size_t bytes);
void editor_insert(struct editor *ed, const char *text, size_t bytes); /* at the caret */

/* A paste of more lines or bytes than these stands in the draft as "[paste: 2500 lines, 200 kB]":
 * one character for the caret, and whole again when it is sent. */
enum { EDITOR_FOLD_LINES = 20, EDITOR_FOLD_BYTES = 8192 };

/* Appends the draft with its pastes unfolded. */
void editor_whole(struct editor *ed, struct buf *out);

/* Calls add for each entry of the history, the newest first. */
void editor_history(struct editor *ed, void (*add)(void *data, const char *text, size_t bytes),
                    void *data);

/* The draft as it is shown, borrowed until the next call on ed. */
struct editor_view {
    const char *text;   /* UTF-8, terminated */
    size_t bytes;
    size_t caret;       /* byte offset of the caret in text */
    size_t whole;       /* bytes with its pastes unfolded */
};
void editor_view(struct editor *ed, struct editor_view *v);

/* The width of the box in cells, so that moving by rows agrees with what is drawn. */
void editor_resize(struct editor *ed, int cols);

#endif
