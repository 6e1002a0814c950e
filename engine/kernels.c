/* kernels.c -- chooses the kernel set; see kernels.h. */
#include "engine/kernels.h"

#include <string.h>

#include "engine/cpu.h"

/* From plain C upward; each overrides what it does better than those before it, and its flag is
 * set only with those of what it builds upon. */
static const struct {
    const char *name;
    unsigned needs;
    void (*init)(struct kernels *k);
} sets[] = {
    { "c", 0, kernels_init_c },
#if defined(__x86_64__)
    { "avx2", CPU_AVX2, kernels_init_avx2 },
    { "avxvnni", CPU_AVXVNNI, kernels_init_avxvnni },
    { "avx512", CPU_AVX512, kernels_init_avx512 },
    { "amx", CPU_AMX, kernels_init_amx },
#endif
};

#define N_SETS (sizeof sets / sizeof sets[0])

void kernels_init(struct kernels *k, unsigned cpu)
{
    *k = (struct kernels){0};
    for (size_t i = 0; i < N_SETS; i++)
        if ((cpu & sets[i].needs) == sets[i].needs) {
            sets[i].init(k);
            k->name = sets[i].name;
        }
}

int kernels_mask(const char *name, unsigned *mask)
{
    unsigned all = 0;
    if (!name) {
        *mask = ~0u;
        return 1;
    }
    for (size_t i = 0; i < N_SETS; i++) {
        all |= sets[i].needs;
        if (strcmp(sets[i].name, name) == 0) {
            *mask = all;
            return 1;
        }
    }
    return 0;
}

const char *kernels_names(void)
{
#if defined(__x86_64__)
    return "c, avx2, avxvnni, avx512, amx";
#else
    return "c";
#endif
}
