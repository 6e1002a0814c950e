/* set.h -- settings of the running conversation as they are typed: changed, taken back, told. A
 * change holds from the next answer on, is logged, and is there when the session is opened
 * again. */
#ifndef DUET_APP_SET_H
#define DUET_APP_SET_H

#include "app/talk.h"

/* "/think 64", "/set temp 0.7", "/seed default": of the mode in force; seed and max-tokens are of
 * all. Without a value it is told. False: there is no such setting. */
bool set_one(struct talk *t, const char *name, size_t bytes, const char *value);

/* "/settings": all of the mode in force, told. "/settings default": all as the mode has them. */
void set_all(struct talk *t, const char *args);

/* Names of all that can be set, one behind the other; NULL behind the last. */
const char *set_name(int i);

#endif
