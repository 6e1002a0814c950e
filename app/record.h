/* record.h -- parts of a reply as JSON, written and read: what the log and exported files share. */
#ifndef DUET_APP_RECORD_H
#define DUET_APP_RECORD_H

#include "app/conversation.h"
#include "app/json.h"

enum { RECORD_CANDIDATES = 6 }; /* of one answer at most, a revision included */

void record_mode(struct json_line *j, const char *name, enum mode_id mode);

/* Mode, seed, reason, parts and candidate's mark of a reply, as fields of the open object. */
void record_reply(struct json_line *j, const struct reply *r);

/* A whole number 0..most; a mode by name. False: absent or anything else, and *out is as before. */
bool record_read_int(const struct json *j, const char *name, int most, int *out);
bool record_read_mode(const struct json *j, const char *name, enum mode_id *out);

/* Fills an empty reply. What is missing or damaged is left out; false: it has no parts at all. */
bool record_read_reply(const struct json *j, struct reply *r);

#endif
