/* history.h -- the file of sent drafts, shared by several programs at once.
 *
 * One entry a line, UTF-8, a line end inside an entry written "\n" and a backslash "\\". Entries
 * are appended under a lock. The file belongs to its user alone (0600). */
#ifndef DUET_UI_HISTORY_H
#define DUET_UI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HISTORY_MAX = 10000,         /* entries kept */
    HISTORY_ENTRY_MAX = 1 << 16, /* longer ones are not written */
};

/* Calls add for each entry, oldest first, at most HISTORY_MAX of them. A file that has grown to
 * half as many again is shortened. A missing or unreadable file is an empty history. */
void history_load(const char *path, void (*add)(void *data, const char *text, size_t bytes),
                  void *data);

/* Appends one entry. False if that failed: nothing was written. */
bool history_append(const char *path, const char *text, size_t bytes);

#endif
