/* keyfile.h -- a keys file: other keys for actions. No terminal.
 *
 * A line is "WHERE KEYS ACTION": WHERE is editor, reader or both, or list or panes; KEYS as in
 * action.def; ACTION the name of one (keymap.h, overmap.h), or none to leave the key to the editor.
 * '#' begins a comment. What is right is taken; each mistake, each key that is given twice, and
 * each action that can no longer be reached is one message with the file's name and, where there is
 * one, the line. */
#ifndef DUET_UI_KEYFILE_H
#define DUET_UI_KEYFILE_H

#include <stddef.h>

enum { KEYFILE_BYTES_MAX = 65536 };

void keyfile_read(const char *text, size_t bytes, const char *name,
                  void (*say)(void *data, const char *msg), void *data);

#endif
