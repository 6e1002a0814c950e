/* kernels_avx512_floats.c -- operations on rows of floats for AVX-512. */
#define LANES 16
#include "engine/kernels_exp.h"
#include "engine/kernels_loops.h"

void kernels_init_avx512_floats(struct kernels *k)
{
    take_exp(k);
    take_loops(k);
}
