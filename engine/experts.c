/* experts.c -- see experts.h. */
#include "engine/experts.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/mem.h"

/* Ints and floats: per token choice, weight, visit and token; per expert matrix and first. */
static size_t words(int n_expert, int n_used, int n_max)
{
    return 4 * (size_t)n_max * (size_t)n_used + 2 * (size_t)n_expert + 1;
}

size_t experts_bytes(int n_expert, int n_used, int n_max)
{
    return words(n_expert, n_used, n_max) * sizeof(int);
}

bool experts_init(struct experts *e, int n_expert, int n_used, int n_max, struct err *err)
{
    assert(n_used >= 1 && n_used <= n_expert);
    _Static_assert(sizeof(float) == sizeof(int), "they share one block");
    size_t visits = (size_t)n_max * (size_t)n_used;
    *e = (struct experts){ .n_expert = n_expert, .n_used = n_used };
    e->choice = mem_alloc_n(words(n_expert, n_used, n_max), sizeof(int));
    if (!e->choice)
        return err_set(err, ERR_NOMEM, "not enough memory for the choice of %d experts",
                       n_expert);
    e->visit = e->choice + visits;
    e->token = e->visit + visits;
    e->matrix = e->token + visits;
    e->first = e->matrix + n_expert;
    e->weight = (float *)(e->first + n_expert + 1);
    return true;
}

void experts_release(struct experts *e)
{
    mem_free(e->choice);
    *e = (struct experts){0};
}

void experts_choose(struct experts *e, int t, const float *score)
{
    int *choice = e->choice + (size_t)t * (size_t)e->n_used, n = 0;
    float *weight = e->weight + (size_t)t * (size_t)e->n_used, sum = 0;
    for (int i = 0; i < e->n_expert; i++) {
        int at = n;
        while (at > 0 && score[i] > score[choice[at - 1]])
            at--;
        if (at == e->n_used)
            continue;
        n += n < e->n_used;
        memmove(choice + at + 1, choice + at, (size_t)(n - at - 1) * sizeof *choice);
        choice[at] = i;
    }
    for (int k = 0; k < n; k++) {
        weight[k] = expf(score[choice[k]] - score[choice[0]]);
        sum += weight[k];
    }
    for (int k = 0; k < n; k++)
        weight[k] /= sum;
}

void experts_group(struct experts *e, int n)
{
    int visits = 0, n_groups = 0;
    for (int x = 0; x < e->n_expert; x++) {
        int before = visits;
        for (int i = 0; i < n * e->n_used; i++)
            if (e->choice[i] == x) {
                e->token[visits] = i / e->n_used;
                e->visit[i] = visits++;
            }
        if (visits == before)
            continue;
        e->matrix[n_groups] = x;
        e->first[n_groups++] = before;
    }
    e->first[n_groups] = visits;
    e->in = (struct groups){ n_groups, e->matrix, e->first, e->token };
    e->out = (struct groups){ n_groups, e->matrix, e->first, NULL };
}

void experts_sum(const struct experts *e, int t, const float *rows, size_t cols, float *out)
{
    memset(out, 0, cols * sizeof *out);
    for (int k = 0; k < e->n_used; k++) {
        size_t i = (size_t)t * (size_t)e->n_used + (size_t)k;
        const float *row = rows + (size_t)e->visit[i] * cols;
        for (size_t c = 0; c < cols; c++)
            out[c] += e->weight[i] * row[c];
    }
}
