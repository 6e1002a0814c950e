/* mode_config.h -- a person's own modes, from the config file:
 *
 *     [mode careful]
 *     base = pro-max        a mode above it, or a built-in one; pro-max if it is not said
 *     title = Careful       as shown; the name if it is not said
 *     help = slow but sure
 *     remote = deepseek-v4-pro
 *     think = 512           and the other settings of setting.def
 *
 * Whatever stands there, nothing of it keeps the program from starting: a mode with a mistake in it
 * is left out, and one line says where the first mistake is. */
#ifndef DUET_APP_MODE_CONFIG_H
#define DUET_APP_MODE_CONFIG_H

#include <stdbool.h>

#include "ui/buf.h"

/* Takes one line of the file. True: it belongs to a section, being its head or anything behind one;
 * the others are not looked at. line: without blanks around it, terminated, changed. */
struct mode_config;
struct mode_config *mode_config_new(void);
bool mode_config_line(struct mode_config *m, char *line, int number);

/* Adds the last one, and frees it. Appends what is wrong, without a line end: "line 3: mode
 * 'careful': ..." and how many mistakes there are besides; nothing if nothing is. */
void mode_config_end(struct mode_config **m, struct buf *said);

#endif
