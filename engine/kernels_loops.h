/* kernels_loops.h -- operations on rows of floats in plain C, from which the compiler makes what a
 * set can do: included by each set that is worth compiling them for. Sums run in LANES fixed lanes.
 * The contracts are in kernels.h. */
#ifndef DUET_ENGINE_KERNELS_LOOPS_H
#define DUET_ENGINE_KERNELS_LOOPS_H

#include <math.h>

#include "engine/kernels.h"

#ifndef LANES
#define LANES 16
#endif

static float sum_lanes(float *acc)
{
    for (int n = LANES / 2; n > 0; n /= 2)
        for (int j = 0; j < n; j++)
            acc[j] += acc[j + n];
    return acc[0];
}

static void rms_norm(const float *x, const float *gain, float eps, size_t n, float *y)
{
    float acc[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            acc[j] += x[i + j] * x[i + j];
    for (size_t j = 0; i + j < n; j++)
        acc[j] += x[i + j] * x[i + j];
    float f = 1 / sqrtf(sum_lanes(acc) / (float)n + eps);
    for (i = 0; i < n; i++)
        y[i] = x[i] * f * gain[i];
}

static void add(float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] += b[i];
}

static void scale(float *x, float f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= f;
}

static void rope_pairs(float *x, const float *turn, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i++) {
        float a = x[2 * i], b = x[2 * i + 1], c = turn[2 * i], s = turn[2 * i + 1];
        x[2 * i] = a * c - b * s;
        x[2 * i + 1] = a * s + b * c;
    }
}

static void rope_halves(float *x, const float *turn, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i++) {
        float a = x[i], b = x[n_pairs + i], c = turn[2 * i], s = turn[2 * i + 1];
        x[i] = a * c - b * s;
        x[n_pairs + i] = a * s + b * c;
    }
}

static inline void take_loops(struct kernels *k)
{
    k->rms_norm = rms_norm;
    k->add = add;
    k->scale = scale;
    k->rope_pairs = rope_pairs;
    k->rope_halves = rope_halves;
}

#endif
