/* engine_parts.c -- a model in several files. What could break: a tensor taken from the wrong part,
 * parts of two models mixed, a part that is missing and not missed. */
#include "tests/test.h"

#include <unistd.h>

#include "engine/parts.h"
#include "tests/engine_model.h"
#include "tests/engine_vocab.h"

#define MODEL "tiny-llama-q8_0"

/* What a part says of itself, and what it has: tensors [from, to). */
struct part_made {
    uint32_t no, count, n_tensors;
    int from, to;
};

/* The keys of the model as they stand in its file. */
static void copy_keys(struct maker *m, const struct gguf *g)
{
    const char *from = g->keys[0].name.data - 8, *to = g->tensors[0].name.data - 8;
    maker_bytes(m, from, (size_t)(to - from));
    m->n_keys += (uint64_t)g->n_keys;
}

static void pad(struct maker *m)
{
    static const uint8_t zeros[32];
    maker_bytes(m, zeros, (32 - m->n % 32) % 32);
}

static void write_part(const char *path, const struct gguf *g, const struct part_made *p)
{
    struct maker m;
    uint64_t offset = 0;
    maker_start(&m, 3);
    if (p->no == 0)
        copy_keys(&m, g);
    maker_key_u32(&m, "split.no", p->no);
    maker_key_u32(&m, "split.count", p->count);
    maker_key_u32(&m, "split.tensors.count", p->n_tensors);
    for (int i = p->from; i < p->to; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        char name[GGUF_NAME_MAX + 1];
        snprintf(name, sizeof name, "%.*s", (int)t->name.bytes, t->name.data);
        maker_tensor(&m, name, (uint32_t)t->n_dims, t->dims, t->type->id, offset);
        offset += (t->bytes + 31) / 32 * 32;
    }
    pad(&m);
    for (int i = p->from; i < p->to; i++) {
        maker_bytes(&m, g->tensors[i].data, g->tensors[i].bytes);
        pad(&m);
    }
    maker_finish(&m);
    test_write_file(path, m.data, m.n);
    maker_release(&m);
}

/* A folder with the model in parts, as they should be, and the path of the first. */
struct set {
    const char *folder;
    int count, n_tensors;
    char first[160];
};

static const char *path_of(const struct set *s, int no, int count)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/m-%05d-of-%05d.gguf", s->folder, no + 1, count);
    return path;
}

/* The tensors of part i, i = 0 to count - 1: none in the first of three or more. */
static struct part_made good_part(const struct set *s, int i)
{
    int skip = s->count > 2, n = s->count - skip;
    struct part_made p = {(uint32_t)i, (uint32_t)s->count, (uint32_t)s->n_tensors, 0, 0};
    if (i >= skip) {
        p.from = (i - skip) * s->n_tensors / n;
        p.to = (i - skip + 1) * s->n_tensors / n;
    }
    return p;
}

static void open_whole(struct parts *p)
{
    struct err err;
    if (!parts_open(p, test_fixture(MODEL ".gguf"), &err))
        fail_msg("%s", err.msg);
}

static void write_set(struct set *s, int count)
{
    struct parts whole;
    open_whole(&whole);
    *s = (struct set){.folder = test_folder(), .count = count, .n_tensors = whole.gguf.n_tensors};
    snprintf(s->first, sizeof s->first, "%s", path_of(s, 0, count));
    for (int i = 0; i < count; i++) {
        struct part_made p = good_part(s, i);
        write_part(path_of(s, i, count), &whole.gguf, &p);
    }
    parts_close(&whole);
}

static void rewrite(const struct set *s, int i, const struct part_made *p)
{
    struct parts whole;
    open_whole(&whole);
    write_part(path_of(s, i, s->count), &whole.gguf, p);
    parts_close(&whole);
}

static void logits_of(const char *path, float *out, uint64_t *fingerprint)
{
    static const int32_t ids[] = {1, 40, 300, 7, 7, 512 - 1, 90};
    struct engine *e;
    struct engine_opts opts = {.n_threads = 1};
    struct err err;
    if (!engine_open(&e, path, &opts, &err))
        fail_msg("%s", err.msg);
    *fingerprint = engine_info(e)->fingerprint;
    struct session *s = model_session(e, KV_F32, 0);
    model_read(s, ids, 7);
    memcpy(out, session_logits(s), FIXTURE_VOCAB * sizeof *out);
    session_free(&s);
    engine_close(&e);
}

void test_parts_same_logits(void **state)
{
    (void)state;
    float whole[FIXTURE_VOCAB], split[FIXTURE_VOCAB];
    uint64_t of_whole, of_split, last = 0;
    logits_of(test_fixture(MODEL ".gguf"), whole, &of_whole);
    for (int count = 2; count <= 5; count++) {
        struct set s;
        write_set(&s, count);
        logits_of(s.first, split, &of_split);
        assert_memory_equal(whole, split, sizeof whole);
        assert_true(of_split != of_whole && of_split != last);
        last = of_split;
    }
}

/* Nothing is copied: what a tensor points to lies in a mapped part. */
void test_parts_mapped(void **state)
{
    (void)state;
    struct set s;
    struct parts p;
    struct err err;
    write_set(&s, 3);
    assert_true(parts_open(&p, s.first, &err));
    assert_int_equal(p.n, 3);
    assert_int_equal(p.gguf.n_tensors, s.n_tensors);
    for (int i = 0; i < p.gguf.n_tensors; i++) {
        const struct gguf_tensor *t = &p.gguf.tensors[i];
        int in = 0;
        for (int k = 0; k < p.n; k++) {
            const struct mapfile *f = &p.part[k].file;
            in += t->data >= f->data && t->data + t->bytes <= f->data + f->bytes;
        }
        assert_int_equal(in, 1);
    }
    parts_close(&p);
    parts_close(&p);
}

/* The message must name this file and have this text. */
static void check_refused(const char *path, const char *named, const char *text)
{
    struct parts p;
    struct err err = {0};
    if (parts_open(&p, path, &err))
        fail_msg("opened, expected: %s", text);
    if (!strstr(err.msg, named) || !strstr(err.msg, text))
        fail_msg("'%s', expected '%s' of %s", err.msg, text, named);
    assert_true(p.n == 0 && !p.part);
}

void test_parts_missing(void **state)
{
    (void)state;
    struct set s;
    write_set(&s, 3);
    unlink(path_of(&s, 2, 3));
    check_refused(s.first, "m-00003-of-00003.gguf", "No such file");
    check_refused(path_of(&s, 1, 3), "m-00002-of-00003.gguf",
                  "this is part 2 of 3: open the first part, whose name ends in "
                  "-00001-of-00003.gguf");
    test_write_file(path_of(&s, 2, 3), "GGUF", 4);
    check_refused(s.first, "m-00003-of-00003.gguf", "cut short");
}

void test_parts_name(void **state)
{
    (void)state;
    struct set s;
    char other[200];
    write_set(&s, 2);
    snprintf(other, sizeof other, "%s/renamed.gguf", s.folder);
    assert_int_equal(rename(s.first, other), 0);
    check_refused(other, "renamed.gguf", "it is the first of 2 parts, so its name must end in "
                  "'-00001-of-00002.gguf'");
}

void test_parts_disagree(void **state)
{
    (void)state;
    static const struct {
        int part;
        uint32_t no, count, n_tensors;  /* added to what is right */
        int named;                      /* the part that the message is about */
        const char *text;
    } wrong[] = {
        {1, 1, 0, 0, 1, "it says that it is part 3 of 3, expected part 2 of 3"},
        {2, 0, 1, 0, 2, "it says that it is part 3 of 4, expected part 3 of 3"},
        {1, 0, 0, 1, 1, "key 'split.tensors.count' is "},
        {1, 9, 0, 0, 1, "key 'split.no' is 10, but there are 3 parts"},
        {0, 0, 2000, 0, 0, "it is one of 2003 parts, at most 1024 are read"},
        {0, 0, 1, 0, 0, "it is the first of 4 parts, so its name must end in"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct set s;
        write_set(&s, 3);
        struct part_made p = good_part(&s, wrong[i].part);
        p.no += wrong[i].no;
        p.count += wrong[i].count;
        p.n_tensors += wrong[i].n_tensors;
        rewrite(&s, wrong[i].part, &p);
        check_refused(s.first, strrchr(path_of(&s, wrong[i].named, 3), '/') + 1, wrong[i].text);
    }
}

void test_parts_tensors(void **state)
{
    (void)state;
    struct set s;
    write_set(&s, 2);
    struct part_made p = good_part(&s, 1);
    p.to--;
    rewrite(&s, 1, &p);
    check_refused(s.first, "m-00001-of-00002.gguf", "but the 2 parts have ");
    p.from--;
    p.to++;
    rewrite(&s, 1, &p);
    check_refused(s.first, "m-00002-of-00002.gguf", "occurs twice");
}
