/* cpu.c -- see cpu.h. The compiler's builtins know CPUID and whether the operating system saves
 * the wide registers. */
#include "engine/cpu.h"

#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>

/* F16C has no name in every compiler's list: bit 29 of ECX in leaf 1. */
static int has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}
#endif

unsigned cpu_flags(void)
{
    unsigned flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
        flags |= CPU_AVX2;
#endif
    return flags;
}

void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

int cpu_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}
