/* kernels_exp.h -- exponentials of rows of floats and what is made of them, for sets of x86 with
 * LANES lanes, 8 or 16. The contracts are in kernels.h. */
#ifndef DUET_ENGINE_KERNELS_EXP_H
#define DUET_ENGINE_KERNELS_EXP_H

#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/kernels_lanes.h"

/* As exp_one() in kernels_c.c, all lanes at a time. */
INLINE vecf exp_of(vecf x)
{
    const vecf least = V(set1_ps)(-87);
    vecf c = V(min_ps)(V(max_ps)(x, least), V(set1_ps)(88));
    vec n = V(cvtps_epi32)(V(mul_ps)(c, V(set1_ps)(1.44269504f)));
    vecf k = V(cvtepi32_ps)(n), p = V(set1_ps)(1.98412698e-4f);
    vecf r = V(fnmadd_ps)(k, V(set1_ps)(0.693359375f), c);
    r = V(fmadd_ps)(k, V(set1_ps)(2.12194440e-4f), r);
    p = V(fmadd_ps)(p, r, V(set1_ps)(1.38888889e-3f));
    p = V(fmadd_ps)(p, r, V(set1_ps)(8.33333333e-3f));
    p = V(fmadd_ps)(p, r, V(set1_ps)(4.16666667e-2f));
    p = V(fmadd_ps)(p, r, V(set1_ps)(1.66666667e-1f));
    p = V(fmadd_ps)(p, r, V(set1_ps)(0.5f));
    p = V(fmadd_ps)(V(mul_ps)(p, r), r, V(add_ps)(r, V(set1_ps)(1)));
    vec power = V(add_epi32)((vec)p, V(slli_epi32)(n, 23));
    return (vecf)(power & (vec)(x >= least));
}

INLINE float max_lane(vecf v)
{
    __m256 part[2];
    memcpy(part, &v, sizeof v);
    return LANES == 8 ? max8(part[0]) : max8(_mm256_max_ps(part[0], part[1]));
}

static float exp_sum(float *x, size_t n, float max, float scale)
{
    const vecf m = V(set1_ps)(max), f = V(set1_ps)(scale);
    vecf acc = V(set1_ps)(0);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vecf e = exp_of(V(mul_ps)(V(sub_ps)(V(loadu_ps)(x + i), m), f));
        V(storeu_ps)(x + i, e);
        acc = V(add_ps)(acc, e);
    }
    if (i < n) {
        vecf e = exp_of(V(mul_ps)(V(sub_ps)(load_some(x + i, n - i, -INFINITY), m), f));
        store_some(x + i, n - i, e);
        acc = V(add_ps)(acc, e);
    }
    return sum_of_lanes(acc);
}

static float max_of(const float *x, size_t n)
{
    vecf m = V(set1_ps)(x[0]);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        m = V(max_ps)(V(loadu_ps)(x + i), m);
    if (i < n)
        m = V(max_ps)(load_some(x + i, n - i, x[0]), m);
    return max_lane(m);
}

/* a / (1 + exp(-u)) * b */
INLINE vecf gate_of(vecf a, vecf u, vecf b)
{
    vecf e = exp_of(V(sub_ps)(V(set1_ps)(0), u));
    return V(mul_ps)(V(div_ps)(a, V(add_ps)(V(set1_ps)(1), e)), b);
}

INLINE vecf silu_of(vecf a, vecf b)
{
    return gate_of(a, a, b);
}

INLINE vecf gelu_of(vecf a, vecf b)
{
    vecf cube = V(mul_ps)(V(mul_ps)(V(mul_ps)(a, a), a), V(set1_ps)(0.044715f));
    vecf u = V(mul_ps)(V(set1_ps)(2 * 0.7978845608f), V(add_ps)(a, cube));
    return gate_of(a, u, b);
}

#define GATE(fn)                                                                              \
    static void fn##_mul(float *a, const float *b, size_t n)                                  \
    {                                                                                         \
        size_t i = 0;                                                                         \
        for (; i + LANES <= n; i += LANES)                                                    \
            V(storeu_ps)(a + i, fn##_of(V(loadu_ps)(a + i), V(loadu_ps)(b + i)));             \
        if (i < n)                                                                            \
            store_some(a + i, n - i, fn##_of(load_some(a + i, n - i, 0),                      \
                                             load_some(b + i, n - i, 0)));                    \
    }

GATE(silu)
GATE(gelu)
#undef GATE

static inline void take_exp(struct kernels *k)
{
    k->exp_sum = exp_sum;
    k->max = max_of;
    k->silu_mul = silu_mul;
    k->gelu_mul = gelu_mul;
}

#endif
