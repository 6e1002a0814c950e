/* ui_rig.h -- a bare pty for the tests of ui/: a child has it for its terminal and reports on a
 * pipe, the test types and looks at what is sent. */
#ifndef DUET_TESTS_UI_RIG_H
#define DUET_TESTS_UI_RIG_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "tests/ui.h"
#include "ui/buf.h"
#include "ui/key.h"

enum { PATIENCE_MS = 20000 }; /* only a failing test waits that long */

struct rig {
    int master, slave, report;
    pid_t child;
    struct termios before;
    struct buf out, said; /* all the terminal was sent; reports not looked at yet */
};

/* Runs child() on a terminal of 24 x 80 whose type is xterm-256color. rig_end() waits until it has
 * exited with this status. */
void rig_start(struct rig *r, void (*child)(void));
void rig_end(struct rig *r, int want);

/* In the child: one line to the test. */
void report(const char *text);

/* In the child: waits for a key. Where one has begun and its rest is waited for, that is reported
 * once, as "part". */
void rig_key(struct key *k);

/* Takes what comes, from the terminal and the pipe; false if nothing more will. */
bool rig_take(struct rig *r);

/* The next report is this one. */
void rig_expect(struct rig *r, const char *want);

/* The terminal has been sent this, or will be: what was written before a report may come after. */
void rig_shows(struct rig *r, const char *want);

/* Types; the child's output is taken meanwhile, or both would wait for each other. */
void rig_type(struct rig *r, const char *bytes, size_t n);
void rig_keys(struct rig *r, const char *bytes);

/* The terminal's own settings are what they were; and it was told to be as it was. */
void same_settings(const struct rig *r);
void was_restored(struct rig *r);

#endif
