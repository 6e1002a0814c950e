/* engine_kv_file.c -- a cache on disk in bytes that somebody changed. What could break: a byte of
 * the header that is believed; a field that is absurd and has a checksum that fits. Nothing but
 * time may be lost: a session either takes the cache it had, or is empty and works. */
#include "tests/engine_model.h"

#include <xxhash.h>

#include "engine/kv_file.h"

#define N_IDS 70

enum { HEADER = 128, ENTRY = 32, CHECKED = 72, N_SECTIONS_AT = 12 };

struct saved {
    struct engine *e;
    struct session *s;      /* empty: takes what is loaded */
    char path[300];
    unsigned char *data;
    size_t bytes;
    int32_t ids[N_IDS];
};

static void saved_open(struct saved *f, const char *fixture)
{
    struct err err = {0};
    f->e = model_open(fixture, 1, NULL);
    f->s = model_session(f->e, KV_F16, 64);
    for (int i = 0; i < N_IDS; i++)
        f->ids[i] = (i * 37 + 11) % 500;
    snprintf(f->path, sizeof f->path, "%s/kv", test_folder());
    model_read(f->s, f->ids, N_IDS);
    assert_true(session_save(f->s, f->path, &err));
    session_cut(f->s, 0);
    f->data = (unsigned char *)test_read_file(f->path, &f->bytes);
}

/* Loads what stands in f->data, of which the n bytes at `at` are new. True: it was taken, and is
 * what was saved. */
static bool try_load(struct saved *f, size_t at, size_t n)
{
    struct err err = {0};
    session_cut(f->s, 0);
    FILE *file = fopen(f->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(f->data + at, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    if (session_load(f->s, f->path, &err)) {
        assert_int_equal(session_len(f->s), N_IDS);
        assert_memory_equal(session_ids(f->s), f->ids, sizeof f->ids);
        return true;
    }
    if ((err.code != ERR_FORMAT && err.code != ERR_LIMIT) || !strstr(err.msg, f->path))
        fail_msg("code %d, '%s'", err.code, err.msg);
    assert_int_equal(session_len(f->s), 0);
    assert_null(session_logits(f->s));
    return false;
}

static void saved_close(struct saved *f)
{
    assert_true(try_load(f, 0, f->bytes));
    free(f->data);
    session_free(&f->s);
    engine_close(&f->e);
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static void put_u64(unsigned char *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static size_t table_bytes(const struct saved *f)
{
    size_t bytes = get_u32(f->data + N_SECTIONS_AT) * (size_t)ENTRY;
    return bytes <= f->bytes - HEADER ? bytes : 0;
}

/* Every byte of header and table, each bit of it: refused, but in the bytes that mean nothing. */
void test_kv_file_every_header_byte(void **state)
{
    (void)state;
    struct saved f;
    saved_open(&f, "tiny-llama-q8_0");
    size_t head = HEADER + table_bytes(&f);
    assert_true(head > HEADER);
    for (size_t at = 0; at < head; at++)
        for (int bit = 0; bit < 8; bit++) {
            f.data[at] ^= (unsigned char)(1 << bit);
            bool unused = at >= CHECKED + 8 && at < HEADER;
            assert_int_equal(try_load(&f, at, 1), unused);
            f.data[at] ^= (unsigned char)(1 << bit);
            assert_true(bit < 7 || try_load(&f, at, 1));
        }
    saved_close(&f);
}

/* One byte of the body in so many, in all sections: refused, or between sections. */
static void check_body(const char *fixture)
{
    struct saved f;
    int taken = 0, n = 0;
    saved_open(&f, fixture);
    for (size_t at = HEADER + table_bytes(&f); at < f.bytes; at += 1 + f.bytes / 400, n++) {
        f.data[at] ^= 0x55;
        taken += try_load(&f, at, 1);
        f.data[at] ^= 0x55;
        assert_true(try_load(&f, at, 1));
    }
    assert_true(n > 300 && taken < n / 50);
    saved_close(&f);
}

void test_kv_file_body_bytes(void **state)
{
    (void)state;
    check_body("tiny-llama-q8_0");
    check_body("tiny-deepseek4-mixed");
}

/* The checksums of table and header made to fit what stands there. */
static void seal(struct saved *f)
{
    put_u64(f->data + 56, XXH3_64bits(f->data + HEADER, table_bytes(f)));
    put_u64(f->data + CHECKED, XXH3_64bits(f->data, CHECKED));
}

/* Every number of header and table made absurd by somebody who knows how to sum: what is taken is
 * a cache that can be read on from. */
static void check_forged(const char *fixture)
{
    struct saved f;
    saved_open(&f, fixture);
    size_t head = HEADER + table_bytes(&f);
    for (size_t at = 8; at < head; at += 4) {
        uint32_t was = get_u32(f.data + at);
        const uint32_t forged[] = {0, 1, 2, was - 1, was + 1, was * 2, was + 64, 0x7fffffff,
                                   0x80000000, 0xffffffc0, 0xffffffff};
        for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
            put_u32(f.data + at, forged[i]);
            seal(&f);
            if (try_load(&f, 0, head))
                model_read(f.s, f.ids, N_IDS);
            session_cut(f.s, 0);
        }
        put_u32(f.data + at, was);
        seal(&f);
    }
    saved_close(&f);
}

void test_kv_file_forged(void **state)
{
    (void)state;
    check_forged("tiny-llama-q8_0");
    check_forged("tiny-deepseek4-mixed");
}

/* Whole files of another version, of another model, and with a section of a number that is not
 * known here, as another way of coding gets one: refused, whatever else is right in them. */
void test_kv_file_of_another_version(void **state)
{
    (void)state;
    static const struct { size_t at; uint32_t n; } other[] = {
        { 8, 1 }, { 8, 0x7fffffff }, { 16, 1 }, { 20, 1 }, { HEADER + ENTRY, 99 },
    };
    struct saved f;
    saved_open(&f, "tiny-llama-q8_0");
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        uint32_t was = get_u32(f.data + other[i].at);
        put_u32(f.data + other[i].at, was ^ other[i].n);
        seal(&f);
        assert_false(try_load(&f, 0, f.bytes));
        put_u32(f.data + other[i].at, was);
        seal(&f);
        assert_true(try_load(&f, 0, f.bytes));
    }
    saved_close(&f);
}

/* A file of one tier, taken by a session of another: it is converted, and can be read on from. */
void test_kv_file_of_another_tier(void **state)
{
    (void)state;
    static const enum kv_tier tiers[] = {KV_TIER_EXACT, KV_TIER_Q8, KV_TIER_Q4, KV_TIER_FLASH};
    struct err err = {0};
    int32_t ids[200];
    char path[310], folder[300];
    struct engine *e = model_open("tiny-llama-q8_0", 1, NULL);
    snprintf(folder, sizeof folder, "%s", test_folder());
    snprintf(path, sizeof path, "%s/kv", folder);
    for (int i = 0; i < 200; i++)
        ids[i] = (i * 37 + 11) % 500;
    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 4; to++) {
            struct session *s = model_session(e, KV_F16, 64), *t = model_session(e, KV_F16, 64);
            if (tiers[from] != KV_TIER_EXACT)
                assert_true(session_set_far(s, &(struct far_opts){tiers[from], folder}, &err));
            if (tiers[to] != KV_TIER_EXACT)
                assert_true(session_set_far(t, &(struct far_opts){tiers[to], folder}, &err));
            model_read(s, ids, 180);
            assert_true(session_save(s, path, &err));
            if (!session_load(t, path, &err))
                fail_msg("%d to %d: %s", from, to, err.msg);
            assert_int_equal(session_len(t), 180);
            model_read(t, ids, 200);
            session_free(&t);
            session_free(&s);
        }
    engine_close(&e);
}
