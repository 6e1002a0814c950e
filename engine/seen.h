/* seen.h -- which prefixes a timeline has held and lost, so that re-reading can be counted.
 *
 * A prefix is known by a hash of its ids, chained: the hash of i + 1 ids follows from that of i
 * and the next id. Two different prefixes share a 64-bit hash with a chance that does not
 * matter for a counter. */
#ifndef DUET_ENGINE_SEEN_H
#define DUET_ENGINE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable set. Zero-initialise, then release. */
struct seen {
    uint64_t *slots;   /* [n_slots], 0 = free, owned */
    size_t n_slots;    /* a power of 2, or 0 */
    size_t n;
};

/* The hash of a prefix and one more id; the empty prefix is 0. Never 0. */
uint64_t seen_hash(uint64_t prefix, int32_t id);

/* Adds a hash. Where memory is short, or at 2^22 hashes, it is left out: a counter then stays too
 * low. */
void seen_add(struct seen *s, uint64_t hash);

bool seen_has(const struct seen *s, uint64_t hash);
void seen_release(struct seen *s);

#endif
