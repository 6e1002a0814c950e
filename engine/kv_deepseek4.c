/* kv_deepseek4.c -- see kv_deepseek4.h. */
#include "engine/kv_deepseek4.h"

#include <assert.h>
#include <string.h>

#include "engine/deepseek4.h"
#include "engine/kv_file.h"
#include "engine/mem.h"
#include "engine/model.h"

#define SNAPSHOT_HEAD 64     /* bytes before the rings' rows */

enum section_type { SECTION_STATE = KV_FILE_OWN, SECTION_ROWS, SECTION_SNAPSHOT };

struct kv4 *kv4_of(struct cache *c)
{
    assert(c->ops == &cache_deepseek4);
    return (struct kv4 *)c;
}

/* ---- where things are ---------------------------------------------------------------------- */

void *kv4_ring_row(const struct kv4_ring *r, int pos)
{
    assert(pos >= 0 && r->n > 0);
    return r->rows + (size_t)(pos % r->n) * r->row_bytes;
}

static unsigned char *block_row(const struct kv4 *kv, const struct kv4_layer *l, int i, size_t at,
                                size_t row_bytes)
{
    int per_block = KV4_BLOCK / l->ratio;
    assert(i >= 0 && i / per_block < kv->n_blocks);
    return kv->blocks[i / per_block] + at + (size_t)(i % per_block) * row_bytes;
}

void *kv4_row(const struct kv4 *kv, const struct kv4_layer *l, int i)
{
    return block_row(kv, l, i, l->rows_at, kv->head_bytes);
}

void *kv4_index_row(const struct kv4 *kv, const struct kv4_layer *l, int i)
{
    return block_row(kv, l, i, l->index_at, kv->index_bytes);
}

/* ---- life ---------------------------------------------------------------------------------- */

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static struct kv4_ring ring_of(size_t row_bytes, int reach, int chunk)
{
    int n = (int)round_up((size_t)reach + (size_t)chunk, KV4_RUN);
    return (struct kv4_ring){ NULL, round_up(row_bytes, 64), n, reach };
}

/* The rings of one layer, without memory. */
static void set_rings(struct kv4_layer *l, const struct kv4 *kv, const struct model *m)
{
    const struct deepseek4 *d = m->deepseek4;
    size_t two = 2 * sizeof(float);
    l->window = ring_of(kv->head_bytes, d->window - 1, kv->chunk);
    if (l->ratio == DS4_OVERLAP) {
        int reach = 2 * DS4_OVERLAP - 1;
        l->state = ring_of(two * 2 * (size_t)m->head_dim, reach, kv->chunk);
        l->index_state = ring_of(two * 2 * (size_t)d->d_index, reach, kv->chunk);
    } else if (l->ratio > 0) {
        l->state = ring_of(two * (size_t)m->head_dim, l->ratio - 1, kv->chunk);
    }
}

/* Adds a ring to the sums of all rings and of a snapshot. */
static void add_ring(struct kv4 *kv, const struct kv4_ring *r)
{
    kv->rings_bytes += (size_t)r->n * r->row_bytes;
    kv->state_bytes += (size_t)r->reach * r->row_bytes;
}

/* Takes the memory of a ring from a block of it. */
static void place_ring(struct kv4_ring *r, unsigned char **at)
{
    r->rows = *at;
    *at += (size_t)r->n * r->row_bytes;
}

/* Everything about the shape; layers is [n_layer]. */
static void set_shape(struct kv4 *kv, struct kv4_layer *layers, const struct model *m,
                      const struct cache_opts *o)
{
    size_t element = o->type == KV_F32 ? sizeof(float) : sizeof(uint16_t);
    *kv = (struct kv4){
        .base = { .ops = &cache_deepseek4 }, .type = o->type, .chunk = o->chunk, .layers = layers,
        .head_bytes = (size_t)m->head_dim * element,
        .index_bytes = (size_t)m->deepseek4->d_index * element,
        .n_layer = m->n_layer, .head_dim = m->head_dim, .n_vocab = m->n_vocab,
    };
    for (int i = 0; i < m->n_layer; i++) {
        struct kv4_layer *l = &layers[i];
        *l = (struct kv4_layer){ .ratio = m->deepseek4->layers[i].ratio };
        set_rings(l, kv, m);
        add_ring(kv, &l->window);
        add_ring(kv, &l->state);
        add_ring(kv, &l->index_state);
        if (l->ratio == 0)
            continue;
        size_t n = (size_t)(KV4_BLOCK / l->ratio);
        l->rows_at = kv->block_bytes;
        kv->block_bytes += n * kv->head_bytes;
        l->index_at = kv->block_bytes;
        kv->block_bytes += l->ratio == DS4_OVERLAP ? n * kv->index_bytes : 0;
    }
    if (kv->block_bytes > 0)
        kv->n_blocks_max = (o->n_ctx + KV4_BLOCK - 1) / KV4_BLOCK;
}

static size_t snapshot_bytes(const struct kv4 *kv)
{
    return SNAPSHOT_HEAD + kv->state_bytes + (size_t)kv->n_vocab * sizeof(float);
}

static uint64_t kv4_bytes(const struct model *m, const struct cache_opts *o)
{
    struct kv4 kv;
    struct kv4_layer *layers = mem_alloc_n((size_t)m->n_layer, sizeof *layers);
    if (!layers)
        return 0;
    set_shape(&kv, layers, m, o);
    mem_free(layers);
    return sizeof kv + (uint64_t)m->n_layer * sizeof *layers + kv.rings_bytes +
           (uint64_t)kv.n_blocks_max * kv.block_bytes + sizeof *kv.blocks +
           (uint64_t)kv.n_blocks_max * sizeof *kv.blocks +
           KV4_SNAPSHOTS * (uint64_t)snapshot_bytes(&kv);
}

static void kv4_destroy(struct cache *c)
{
    if (!c)
        return;
    struct kv4 *kv = kv4_of(c);
    for (int i = 0; i < kv->n_blocks; i++)
        mem_free(kv->blocks[i]);
    for (int i = 0; i < KV4_SNAPSHOTS; i++)
        mem_free(kv->snapshots[i].data);
    mem_free(kv->blocks);
    mem_free(kv->rings);
    mem_free(kv->layers);
    mem_free(kv);
}

static struct cache *kv4_create(const struct model *m, const struct cache_opts *o,
                                struct err *err)
{
    struct kv4 *kv = mem_alloc(sizeof *kv);
    struct kv4_layer *layers = mem_alloc_n((size_t)m->n_layer, sizeof *layers);
    if (kv && layers) {
        set_shape(kv, layers, m, o);
        kv->rings = mem_alloc(kv->rings_bytes);
        kv->blocks = mem_alloc_n((size_t)kv->n_blocks_max + 1, sizeof *kv->blocks);
    }
    if (!kv || !layers || !kv->rings || !kv->blocks) {
        err_set(err, ERR_NOMEM, "not enough memory for a context of %d tokens", o->n_ctx);
        if (kv && layers)
            kv4_destroy(&kv->base);
        else {
            mem_free(kv);
            mem_free(layers);
        }
        return NULL;
    }
    unsigned char *at = kv->rings;
    for (int i = 0; i < m->n_layer; i++) {
        place_ring(&layers[i].window, &at);
        place_ring(&layers[i].state, &at);
        place_ring(&layers[i].index_state, &at);
    }
    return &kv->base;
}

static uint64_t kv4_used(const struct cache *c)
{
    const struct kv4 *kv = (const struct kv4 *)c;
    return kv->rings_bytes + (uint64_t)kv->n_blocks * kv->block_bytes +
           (uint64_t)kv->n_snapshots * snapshot_bytes(kv);
}

/* ---- the rings' rows ----------------------------------------------------------------------- */

/* Copies the rows that going on at pos needs between a ring and p. Returns the byte behind. */
static unsigned char *copy_ring(const struct kv4_ring *r, int pos, unsigned char *p, bool save)
{
    for (int at = pos - r->reach; at < pos; at++, p += r->row_bytes) {
        if (at < 0 && save)
            memset(p, 0, r->row_bytes);
        else if (at >= 0)
            memcpy(save ? p : kv4_ring_row(r, at), save ? kv4_ring_row(r, at) : p, r->row_bytes);
    }
    return p;
}

/* The same for all rings, [state_bytes]. */
static void copy_rings(const struct kv4 *kv, int pos, unsigned char *p, bool save)
{
    for (int i = 0; i < kv->n_layer; i++) {
        p = copy_ring(&kv->layers[i].window, pos, p, save);
        p = copy_ring(&kv->layers[i].state, pos, p, save);
        p = copy_ring(&kv->layers[i].index_state, pos, p, save);
    }
}

static float *snapshot_logits(const struct kv4 *kv, const struct kv4_snapshot *s)
{
    return (float *)(void *)(s->data + SNAPSHOT_HEAD + kv->state_bytes);
}

/* ---- snapshots ----------------------------------------------------------------------------- */

/* The last snapshot at or before n, or NULL. */
static const struct kv4_snapshot *find_snapshot(const struct kv4 *kv, int n)
{
    for (int i = kv->n_snapshots - 1; i >= 0; i--)
        if (kv->snapshots[i].pos <= n)
            return &kv->snapshots[i];
    return NULL;
}

/* The snapshot that is missed least, of a full list, the end being n. */
static int spare_snapshot(const struct kv4 *kv, int n)
{
    int best = 0;
    double least = 0;
    for (int i = 0; i < KV4_SNAPSHOTS - 2; i++) {
        int before = i > 0 ? kv->snapshots[i - 1].pos : 0;
        double cost = (double)(kv->snapshots[i + 1].pos - before) / (n - before);
        if (i == 0 || cost < least) {
            best = i;
            least = cost;
        }
    }
    return best;
}

/* Moves snapshot i behind the others and takes it off the list; its memory stays for the next. */
static void drop_snapshot(struct kv4 *kv, int i)
{
    struct kv4_snapshot s = kv->snapshots[i];
    kv->n_snapshots--;
    for (; i < kv->n_snapshots; i++)
        kv->snapshots[i] = kv->snapshots[i + 1];
    kv->snapshots[i] = (struct kv4_snapshot){ .data = s.data };
}

/* A new last snapshot with memory; NULL if there is none: a border is then missing, no more. */
static struct kv4_snapshot *add_snapshot(struct kv4 *kv, int pos)
{
    if (kv->n_snapshots == KV4_SNAPSHOTS)
        drop_snapshot(kv, spare_snapshot(kv, pos));
    struct kv4_snapshot *s = &kv->snapshots[kv->n_snapshots];
    if (!s->data)
        s->data = mem_alloc(snapshot_bytes(kv));
    if (!s->data)
        return NULL;
    kv->n_snapshots++;
    s->pos = pos;
    s->has_logits = false;
    return s;
}

static void kv4_mark(struct cache *c, int n, const float *logits)
{
    struct kv4 *kv = kv4_of(c);
    struct kv4_snapshot *s = kv->n_snapshots ? &kv->snapshots[kv->n_snapshots - 1] : NULL;
    assert(n > 0 && (!s || s->pos <= n));
    if (!s || s->pos < n) {
        s = add_snapshot(kv, n);
        if (!s)
            return;
        copy_rings(kv, n, s->data + SNAPSHOT_HEAD, true);
    }
    if (logits) {
        memcpy(snapshot_logits(kv, s), logits, (size_t)kv->n_vocab * sizeof *logits);
        s->has_logits = true;
    }
}

/* ---- growing and cutting ------------------------------------------------------------------- */

static bool kv4_reserve(struct cache *c, int from, int to, struct err *err)
{
    struct kv4 *kv = kv4_of(c);
    assert(from <= to && to - from <= kv->chunk);
    int need = kv->block_bytes ? (to + KV4_BLOCK - 1) / KV4_BLOCK : 0;
    assert(need <= kv->n_blocks_max);
    for (; kv->n_blocks < need; kv->n_blocks++) {
        kv->blocks[kv->n_blocks] = mem_alloc(kv->block_bytes);
        if (!kv->blocks[kv->n_blocks])
            return err_set(err, ERR_NOMEM, "not enough memory: %zu bytes for %d more tokens",
                           kv->block_bytes, KV4_BLOCK);
    }
    if (kv->free_from < to - kv->chunk)
        kv->free_from = to - kv->chunk;
    return true;
}

static int kv4_border(const struct cache *c, int n, bool *logits)
{
    const struct kv4 *kv = (const struct kv4 *)c;
    const struct kv4_snapshot *s = find_snapshot(kv, n);
    *logits = s && s->pos == n && s->has_logits;
    if (n >= kv->free_from || !s)
        return n >= kv->free_from ? n : 0;
    *logits = s->has_logits;
    return s->pos;
}

static bool kv4_cut(struct cache *c, int n, float *logits)
{
    struct kv4 *kv = kv4_of(c);
    while (kv->n_snapshots > 0 && kv->snapshots[kv->n_snapshots - 1].pos > n)
        drop_snapshot(kv, kv->n_snapshots - 1);
    while (kv->n_blocks > 0 && (kv->n_blocks - 1) * KV4_BLOCK >= n)
        mem_free(kv->blocks[--kv->n_blocks]);
    const struct kv4_snapshot *s = find_snapshot(kv, n);
    if (s && s->pos != n)
        s = NULL;
    if (n < kv->free_from) {
        assert(s || n == 0);
        if (s)
            copy_rings(kv, n, s->data + SNAPSHOT_HEAD, false);
        kv->free_from = n;
    }
    if (!s || !s->has_logits || !logits)
        return false;
    memcpy(logits, snapshot_logits(kv, s), (size_t)kv->n_vocab * sizeof *logits);
    return true;
}

/* ---- files --------------------------------------------------------------------------------- */

static void set_file_shape(const struct kv4 *kv, struct kv_file *f)
{
    f->shape = (struct kv_file_shape){ kv->n_layer, 1, kv->head_dim, kv->type, 0 };
}

/* Zeroes the rows behind position n in the last block: what was cut off must not reach a file. */
static void wipe_rows(const struct kv4 *kv, int n)
{
    for (int i = 0; i < kv->n_layer && n % KV4_BLOCK; i++) {
        const struct kv4_layer *l = &kv->layers[i];
        if (l->ratio == 0)
            continue;
        int used = n % KV4_BLOCK / l->ratio, left = KV4_BLOCK / l->ratio - used;
        unsigned char *block = kv->blocks[n / KV4_BLOCK];
        memset(block + l->rows_at + (size_t)used * kv->head_bytes, 0,
               (size_t)left * kv->head_bytes);
        if (l->ratio == DS4_OVERLAP)
            memset(block + l->index_at + (size_t)used * kv->index_bytes, 0,
                   (size_t)left * kv->index_bytes);
    }
}

/* What a snapshot says of itself, at its head. */
static void write_head(const struct kv4 *kv, const struct kv4_snapshot *s)
{
    uint32_t head[2] = { (uint32_t)s->pos, s->has_logits };
    memset(s->data, 0, SNAPSHOT_HEAD);
    memcpy(s->data, head, sizeof head);
    if (!s->has_logits)
        memset(snapshot_logits(kv, s), 0, (size_t)kv->n_vocab * sizeof(float));
}

static bool kv4_save(struct cache *c, const char *path, const struct kv_file *file,
                     struct err *err)
{
    struct kv4 *kv = kv4_of(c);
    struct kv_file f = *file;
    struct kv_section *s = mem_alloc_n((size_t)kv->n_blocks + 1 + KV4_SNAPSHOTS, sizeof *s);
    unsigned char *state = mem_alloc(kv->state_bytes + 1);
    bool ok = s && state;
    if (ok) {
        int n = 0;
        set_file_shape(kv, &f);
        copy_rings(kv, f.n_read, state, true);
        wipe_rows(kv, f.n_read);
        s[n++] = (struct kv_section){ SECTION_STATE, state, kv->state_bytes };
        for (int i = 0; i < kv->n_blocks; i++)
            s[n++] = (struct kv_section){ SECTION_ROWS, kv->blocks[i], kv->block_bytes };
        for (int i = 0; i < kv->n_snapshots; i++) {
            write_head(kv, &kv->snapshots[i]);
            s[n++] = (struct kv_section){ SECTION_SNAPSHOT, kv->snapshots[i].data,
                                          snapshot_bytes(kv) };
        }
        ok = kv_file_save(path, &f, s, n, err);
    } else {
        err_set(err, ERR_NOMEM, "not enough memory to write '%s'", path);
    }
    mem_free(s);
    mem_free(state);
    return ok;
}

/* Loading: the cache, whether its rings came, and whether memory ran out. */
struct taking {
    struct kv4 *kv;
    bool state, no_memory;
};

static bool take_rows(struct taking *t, const struct kv_file *f, const struct kv_section *s)
{
    struct kv4 *kv = t->kv;
    int n = kv->n_blocks;
    if (s->bytes != kv->block_bytes || n * KV4_BLOCK >= f->n_read)
        return false;
    kv->blocks[n] = mem_alloc(kv->block_bytes);
    t->no_memory = !kv->blocks[n];
    if (t->no_memory)
        return false;
    memcpy(kv->blocks[n], s->data, kv->block_bytes);
    kv->n_blocks++;
    return true;
}

static bool take_snapshot(struct kv4 *kv, const struct kv_file *f, const struct kv_section *s)
{
    uint32_t head[2];
    int last = kv->n_snapshots ? kv->snapshots[kv->n_snapshots - 1].pos : 0;
    if (s->bytes != snapshot_bytes(kv) || kv->n_snapshots == KV4_SNAPSHOTS)
        return false;
    memcpy(head, s->data, sizeof head);
    if (head[0] <= (uint32_t)last || head[0] > (uint32_t)f->n_read || head[1] > 1)
        return false;
    struct kv4_snapshot *new = add_snapshot(kv, (int)head[0]);
    if (!new)
        return true;
    memcpy(new->data, s->data, s->bytes);
    new->has_logits = head[1];
    return true;
}

static bool take_section(void *data, const struct kv_file *f, const struct kv_section *s)
{
    struct taking *t = data;
    if (s->type == SECTION_ROWS)
        return take_rows(t, f, s);
    if (s->type == SECTION_SNAPSHOT)
        return take_snapshot(t->kv, f, s);
    if (s->type != SECTION_STATE || t->state || s->bytes != t->kv->state_bytes)
        return false;
    copy_rings(t->kv, f->n_read, (unsigned char *)s->data, false);
    return t->state = true;
}

static bool kv4_load(struct cache *c, const char *path, struct kv_file *f, struct err *err)
{
    struct kv4 *kv = kv4_of(c);
    struct taking t = { .kv = kv };
    struct mapfile m = {0};
    set_file_shape(kv, f);
    bool ok = kv_file_load(&m, path, f, take_section, &t, err);
    mapfile_close(&m);
    if (t.no_memory)
        err_set(err, ERR_NOMEM, "not enough memory to read '%s'", path);
    int blocks = kv->block_bytes && ok ? (f->n_read + KV4_BLOCK - 1) / KV4_BLOCK : 0;
    if (ok && (!t.state || kv->n_blocks != blocks))
        ok = err_set(err, ERR_FORMAT, "%s: damaged: parts are missing", path);
    kv->free_from = ok ? f->n_read : 0;
    if (!ok)
        kv4_cut(c, 0, NULL);
    return ok;
}

const struct cache_ops cache_deepseek4 = {
    kv4_bytes, kv4_create, kv4_destroy, kv4_reserve, kv4_border,
    kv4_cut, kv4_mark, NULL, NULL, NULL, kv4_used, kv4_save, kv4_load, false,
    NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL,
};
