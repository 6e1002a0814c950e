/* merge.c -- see merge.h. */
#include "engine/merge.h"

#include <stdlib.h>

bool merger_reserve(void **list, size_t *cap, size_t n, size_t element_bytes, struct err *err)
{
    if (n <= *cap)
        return true;
    size_t want = n + n / 2 + 64;
    void *bigger = realloc(*list, want * element_bytes);
    if (!bigger)
        return err_set(err, ERR_NOMEM, "not enough memory to tokenise a text");
    *list = bigger;
    *cap = want;
    return true;
}

bool merger_begin(struct merger *m, size_t max, uint32_t bytes, struct err *err)
{
    void *list = m->symbol;
    if (!merger_reserve(&list, &m->symbol_cap, max, sizeof *m->symbol, err))
        return false;
    m->symbol = list;
    m->n = 0;
    m->bytes = bytes;
    return true;
}

void merger_add(struct merger *m, int32_t id, uint32_t from)
{
    m->symbol[m->n] = (struct symbol){id, m->n - 1, -1, from};
    if (m->n > 0)
        m->symbol[m->n - 1].next = m->n;
    m->n++;
}

uint32_t merger_end(const struct merger *m, int32_t i)
{
    int32_t next = m->symbol[i].next;
    return next < 0 ? m->bytes : m->symbol[next].from;
}

/* ---- the heap ----------------------------------------------------------------------------- */

static bool before(const struct candidate *a, const struct candidate *b)
{
    return a->cost < b->cost || (a->cost <= b->cost && a->at < b->at);
}

static bool heap_push(struct merger *m, struct candidate c, struct err *err)
{
    void *list = m->heap;
    if (!merger_reserve(&list, &m->heap_cap, m->n_heap + 1, sizeof c, err))
        return false;
    m->heap = list;
    size_t i = m->n_heap++;
    while (i > 0 && before(&c, &m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = c;
    return true;
}

static struct candidate heap_pop(struct merger *m)
{
    struct candidate top = m->heap[0], last = m->heap[--m->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= m->n_heap)
            break;
        if (child + 1 < m->n_heap && before(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!before(&m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

/* ---- joining ------------------------------------------------------------------------------ */

/* Adds the pair that begins at symbol i, if it may be joined. */
static bool consider(struct merger *m, merger_find *find, const void *self, int32_t i,
                     struct err *err)
{
    if (i < 0 || m->symbol[i].next < 0)
        return true;
    struct candidate c = {.at = i, .left = m->symbol[i].id,
                          .right = m->symbol[m->symbol[i].next].id};
    return !find(self, m, i, &c.id, &c.cost) || heap_push(m, c, err);
}

/* Joins symbol i with its right neighbour. */
static void join(struct symbol *symbol, int32_t i, int32_t id)
{
    int32_t gone = symbol[i].next, next = symbol[gone].next;
    symbol[gone].id = SYMBOL_GONE;
    symbol[i].id = id;
    symbol[i].next = next;
    if (next >= 0)
        symbol[next].prev = i;
}

bool merger_run(struct merger *m, merger_find *find, const void *self, struct err *err)
{
    m->n_heap = 0;
    for (int32_t i = 0; i < m->n; i++) {
        if (!consider(m, find, self, i, err))
            return false;
    }
    while (m->n_heap > 0) {
        struct candidate c = heap_pop(m);
        const struct symbol *left = &m->symbol[c.at];
        if (left->id != c.left || left->next < 0 || m->symbol[left->next].id != c.right)
            continue;
        join(m->symbol, c.at, c.id);
        if (!consider(m, find, self, m->symbol[c.at].prev, err) ||
            !consider(m, find, self, c.at, err))
            return false;
    }
    return true;
}

void merger_release(struct merger *m)
{
    free(m->symbol);
    free(m->heap);
    *m = (struct merger){0};
}
