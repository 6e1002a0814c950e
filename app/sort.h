/* sort.h -- numbers in ascending order. */
#ifndef DUET_APP_SORT_H
#define DUET_APP_SORT_H

#include <stdlib.h>

static inline int sort_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void sort_numbers(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, sort_order);
}

/* Of n numbers, n > 0; sorts them. */
static inline double sort_median(double *x, int n)
{
    sort_numbers(x, n);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

#endif
