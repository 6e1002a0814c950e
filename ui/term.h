/* term.h -- the terminal: the only file that includes curses is term.c.
 *
 * One terminal per process, owned by one thread. term_restore() may be called from a signal
 * handler; everything else may not. */
#ifndef DUET_UI_TERM_H
#define DUET_UI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/grid.h"
#include "ui/key.h"
#include "ui/theme.h"

struct term_opts {
    bool color;  /* false: attributes only (NO_COLOR, --no-color) */
    bool mouse;  /* wheel and clicks; off by default: selecting needs Shift then */
};

enum term_background { TERM_UNKNOWN, TERM_DARK, TERM_LIGHT };

/* Asks the terminal, before term_start(), for its background and whether it knows synchronised
 * output; waits as long at most. What is typed meanwhile is kept for term_read(); so is the
 * colour, that is KEYCODE_DARK or KEYCODE_LIGHT there, whenever the answer comes. The terminal
 * echoes nothing from here on: where no term_start() succeeds, term_restore() gives it back. */
enum term_background term_ask(int wait_ms);

/* Takes the terminal: alternate screen, raw keys, bracketed paste. On failure (not a terminal,
 * unknown TERM, no cursor addressing) returns false, fills msg, and the terminal is as before. */
bool term_start(const struct term_opts *opts, char *msg, size_t msg_bytes);

/* Gives it back exactly as it was. Safe to call twice, and before term_start(). */
void term_stop(void);

/* The same by write(2) and tcsetattr(2) alone, for signal handlers and crashes. */
void term_restore(void);

/* Stops the process group as Ctrl+Z does and comes back when it is continued. */
void term_suspend(void);

/* Gives the terminal back for a while, for another program; term_return() takes it again, and also
 * when something else has used it. */
void term_leave(void);
void term_return(void);

/* Offers text to the clipboard of the terminal (OSC 52); whether it takes it cannot be known.
 * False: nothing was sent, because the text is too long for most or the terminal has none. */
bool term_clipboard(const char *text, size_t bytes);

/* Takes wheel and clicks from now on, or leaves them to the terminal. */
void term_mouse(bool on);
bool term_has_mouse(void);

int term_fd(void); /* to poll for input */
void term_size(int *rows, int *cols);
void term_theme(const struct theme *t);

/* The next complete key, if there is one: never blocks. KEYCODE_WIDE comes once, if the terminal
 * draws signs that the program uses in more cells than one. An escape sequence or a paste that has
 * begun is waited for in later calls; term_wait_ms() says how long poll may sleep before the rest
 * is given up: ten seconds at most, so that a change of size heals whose signal came too early. */
bool term_read(struct key *k);
int term_wait_ms(void);

/* The cells that the terminal's cursor goes on by for a text, as text_display() has made it; what
 * is typed meanwhile is kept. -1: it does not say within wait_ms. */
int term_measure(const char *text, size_t bytes, int wait_ms);

/* Shows the grid, sending only what differs, in one write; the cursor ends at (row, col), or is
 * hidden if row < 0. */
void term_flush(const struct grid *g, int row, int col);
void term_redraw(void); /* the next flush sends everything */

#endif
