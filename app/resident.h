/* resident.h -- what of this process lies in memory now, as the kernel counts it. */
#ifndef DUET_APP_RESIDENT_H
#define DUET_APP_RESIDENT_H

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

struct resident {
    uint64_t all, own;   /* bytes; own: of no file */
};

static inline struct resident resident_now(void)
{
    long all = 0, resident = 0, shared = 0;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld %ld", &all, &resident, &shared) != 3)
        resident = shared = 0;
    if (f)
        fclose(f);
    return (struct resident){(uint64_t)resident * page, (uint64_t)(resident - shared) * page};
}

#endif
