/* clip.h -- copying text out of the program: by a clipboard tool, the terminal, or a file.
 *
 * A tool is used where its display is at hand and it answers within two seconds; else the text is
 * offered to the terminal (see term.h), which may drop it silently; a text too long for that goes
 * into a file. */
#ifndef DUET_UI_CLIP_H
#define DUET_UI_CLIP_H

#include <stdbool.h>
#include <stddef.h>

/* file: where the text goes as a last resort (0600, replaced); NULL = nowhere. msg says by which
 * road how many bytes went, or why none did. */
bool clip_copy(const char *text, size_t bytes, const char *file, char *msg, size_t msg_bytes);

#endif
