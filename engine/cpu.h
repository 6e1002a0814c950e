/* cpu.h -- what this machine can do. */
#ifndef DUET_ENGINE_CPU_H
#define DUET_ENGINE_CPU_H

/* Flags, ordered: a kernel set needs all flags up to its own. */
enum cpu_flag {
    CPU_AVX2 = 1 << 0,    /* with FMA and F16C */
};

/* The flags of this machine, as far as the operating system lets programs use them. */
unsigned cpu_flags(void);

/* Tells the processor that a loop waits for another thread. */
void cpu_relax(void);

/* The online processors, 1 at least. */
int cpu_count(void);

#endif
