/* tier.h -- the tiers of the cache (engine.h) by the names that are typed and shown. */
#ifndef DUET_APP_TIER_H
#define DUET_APP_TIER_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"

enum { TIER_COUNT = 4 };

/* "f16", "q8", "q4", "flash", by enum kv_tier. */
const char *tier_name(enum kv_tier tier);

/* False if no tier has the name text[0..bytes). */
bool tier_find(const char *text, size_t bytes, enum kv_tier *out);

/* The folder for the file of the flash tier: $TMPDIR, or /var/tmp, which is on a
 * disk. */
const char *tier_folder(void);

/* "" or why no file can be made there. A disk may get full all the same. */
void tier_folder_check(char *why, size_t bytes);

#endif
