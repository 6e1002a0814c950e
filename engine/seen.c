/* seen.c -- see seen.h. Open addressing, at most half full. */
#include "engine/seen.h"

#include "engine/mem.h"

#define SLOTS_MAX ((size_t)1 << 23)

uint64_t seen_hash(uint64_t prefix, int32_t id)
{
    uint64_t z = prefix ^ ((uint64_t)(uint32_t)id + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 32) * 0xd6e8feb86659fd93u;
    z = (z ^ z >> 32) * 0xd6e8feb86659fd93u;
    z ^= z >> 32;
    return z ? z : 1;
}

static uint64_t *slot_of(const struct seen *s, uint64_t hash)
{
    size_t i = (size_t)hash & (s->n_slots - 1);
    while (s->slots[i] && s->slots[i] != hash)
        i = (i + 1) & (s->n_slots - 1);
    return &s->slots[i];
}

static bool grow(struct seen *s)
{
    struct seen bigger = { .n_slots = s->n_slots ? s->n_slots * 2 : 1024, .n = s->n };
    bigger.slots = bigger.n_slots > SLOTS_MAX ? NULL
                                              : mem_alloc_n(bigger.n_slots, sizeof *s->slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->slots[i])
            *slot_of(&bigger, s->slots[i]) = s->slots[i];
    mem_free(s->slots);
    *s = bigger;
    return true;
}

void seen_add(struct seen *s, uint64_t hash)
{
    if (s->n * 2 >= s->n_slots && !grow(s))
        return;
    uint64_t *slot = slot_of(s, hash);
    s->n += *slot == 0;
    *slot = hash;
}

bool seen_has(const struct seen *s, uint64_t hash)
{
    return s->n > 0 && *slot_of(s, hash) == hash;
}

void seen_release(struct seen *s)
{
    mem_free(s->slots);
    *s = (struct seen){0};
}
