/* tally.h -- which of two answers was kept, over all sessions: a line each in one file. */
#ifndef DUET_APP_TALLY_H
#define DUET_APP_TALLY_H

#include <stdbool.h>

#include "engine/err.h"

/* One more time the first was kept and not the second; names of modes. */
bool tally_add(const char *path, const char *kept, const char *left, struct err *err);

/* How often the first was kept where the two were compared, and how often the second. */
void tally_count(const char *path, const char *first, const char *second, int n[2]);

#endif
