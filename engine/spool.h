/* spool.h -- rows of the cache in a file that has no name: written once, then only read, through a
 * mapping. What of them lies in memory is the page cache's, which the kernel may drop; the file's
 * space is given back with the last one who uses it.
 *
 * A spool holds slots of one size. Slots are counted: caches that share a block hold its slot
 * together. Any thread may call. */
#ifndef DUET_ENGINE_SPOOL_H
#define DUET_ENGINE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/err.h"

struct spool;

/* A spool in this folder for slots of so many bytes, with one user. */
bool spool_new(struct spool **out, const char *folder, size_t slot_bytes, struct err *err);

/* One user less; the last one, and every slot must be dropped by then, closes it. NULL is
 * allowed. */
void spool_leave(struct spool *s);

/* Writes a slot, held once. Returns its number; -1: *err, ERR_IO where the disk is full. The bytes
 * then lie at spool_at(). */
int spool_put(struct spool *s, const void *bytes, struct err *err);
const void *spool_at(struct spool *s, int slot);

/* One more who holds the slot and uses the spool; one less. */
void spool_hold(struct spool *s, int slot);
void spool_drop(struct spool *s, int slot);

#endif
