/* softmax.h -- logits as log probabilities: log p(i) = x[i] - softmax_log_sum(x, n). */
#ifndef DUET_APP_SOFTMAX_H
#define DUET_APP_SOFTMAX_H

#include <math.h>

/* log sum exp(x[i]), i < n, n > 0; *best: the first of the largest. */
static inline double softmax_log_sum(const float *x, int n, int *best)
{
    double sum = 0;
    *best = 0;
    for (int i = 1; i < n; i++)
        *best = x[i] > x[*best] ? i : *best;
    for (int i = 0; i < n; i++)
        sum += (double)expf(x[i] - x[*best]);
    return (double)x[*best] + log(sum);
}

#endif
