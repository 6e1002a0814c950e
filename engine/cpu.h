/* cpu.h -- what this machine can do. */
#ifndef DUET_ENGINE_CPU_H
#define DUET_ENGINE_CPU_H

/* Flags, in the order of the kernel sets. */
enum cpu_flag {
    CPU_AVX2 = 1 << 0,     /* with FMA and F16C */
    CPU_AVXVNNI = 1 << 1,  /* and AVX2 */
    CPU_AVX512 = 1 << 2,   /* F, BW, VL and VNNI; and AVX2 */
    CPU_AMX = 1 << 3,      /* tiles of brain floats; and AVX-512 */
};

/* The flags of this machine, as far as the operating system lets programs use them. Asks it for the
 * tiles of AMX. */
unsigned cpu_flags(void);

/* Tells the processor that a loop waits for another thread. */
void cpu_relax(void);

/* The online processors, 1 at least. */
int cpu_count(void);

#endif
