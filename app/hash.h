/* hash.h -- FNV-1a over numbers: what it has to do is tell them apart. */
#ifndef DUET_APP_HASH_H
#define DUET_APP_HASH_H

#include <stdint.h>

#define HASH_BEGIN 0xcbf29ce484222325u

/* With the lowest `bytes` bytes of v too. */
static inline uint64_t hash_number(uint64_t h, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        h = (h ^ (v >> 8 * i & 0xff)) * 0x100000001b3u;
    return h;
}

#endif
