/* trace.h -- the debug log: DUET_TRACE=FILE. Nothing is printed while the screen is up.
 *
 * One line a call: milliseconds since the program started, a name, a number. UI thread only. */
#ifndef DUET_APP_TRACE_H
#define DUET_APP_TRACE_H

/* Opens the file $DUET_TRACE names; without it every call is nothing. First thing in main(). */
void trace_open(void);
void trace_close(void);
void trace_event(const char *name, int number);

#endif
