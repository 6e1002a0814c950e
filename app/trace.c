/* trace.c -- see trace.h. */
#include "app/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static FILE *file;
static struct timespec start;

void trace_open(void)
{
    const char *path = getenv("DUET_TRACE");
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (path && *path)
        file = fopen(path, "we");
}

void trace_close(void)
{
    if (file)
        fclose(file);
    file = NULL;
}

void trace_event(const char *name, int number)
{
    if (!file)
        return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double ms = (double)(now.tv_sec - start.tv_sec) * 1e3 +
                (double)(now.tv_nsec - start.tv_nsec) * 1e-6;
    fprintf(file, "%10.3f %s %d\n", ms, name, number);
    fflush(file);
}
