/* setting.c -- see setting.h. */
#include "app/setting.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/number.h"

enum setting_type { TYPE_INT, TYPE_REAL, TYPE_WORD };

struct entry {
    struct setting s;
    enum setting_type type;
    size_t offset;       /* of the field */
    double least, most;  /* of a number */
    const char *words;   /* of a word: the values, in the order of the enum */
};

static const struct entry table[] = {
#define INT(name, field, least, most, help) \
    {{name, help}, TYPE_INT, offsetof(struct mode, field), least, most, ""},
#define REAL(name, field, least, most, help) \
    {{name, help}, TYPE_REAL, offsetof(struct mode, field), least, most, ""},
#define WORD(name, field, words, help) \
    {{name, help}, TYPE_WORD, offsetof(struct mode, field), 0, 0, words},
#include "app/setting.def"
#undef INT
#undef REAL
#undef WORD
};
enum { N_SETTING = sizeof table / sizeof *table };
_Static_assert(N_SETTING <= 32, "a bit for each in struct setting_row");
_Static_assert(sizeof(enum mode_far) == sizeof(int), "an enum is read as a number");

static const struct entry *entry_of(const struct setting *s)
{
    return (const struct entry *)(const void *)s;
}

static int index_of(const struct setting *s)
{
    return (int)(entry_of(s) - table);
}

const struct setting *setting_at(int i)
{
    return i < N_SETTING ? &table[i].s : NULL;
}

const struct setting *setting_find(const char *name, size_t bytes)
{
    for (int i = 0; i < N_SETTING; i++)
        if (strlen(table[i].s.name) == bytes && memcmp(table[i].s.name, name, bytes) == 0)
            return &table[i].s;
    return NULL;
}

/* ---- values ------------------------------------------------------------------------------- */

/* Decimal digits with at most one point, nothing else: what strtod() takes besides is no number
 * that a person types here. */
static bool is_number(const char *text, bool whole)
{
    size_t n = strspn(text, "0123456789"), point = !whole && text[n] == '.';
    size_t behind = point ? strspn(text + n + 1, "0123456789") : 0;
    return n + behind > 0 && n + behind < 20 && text[n + point + behind] == 0;
}

static bool put_number(const struct entry *e, void *field, const char *value, struct err *err)
{
    bool whole = e->type == TYPE_INT;
    double v = is_number(value, whole) ? strtod(value, NULL) : -1;
    if (v < e->least || v > e->most)
        return err_set(err, ERR_INPUT, "%s: '%.40s' is not a number from %g to %g", e->s.name,
                       value, e->least, e->most);
    if (whole)
        *(int *)field = (int)v;
    else
        *(float *)field = (float)v;
    return true;
}

/* Word i of a list, and its length. */
static const char *word_at(const char *words, int i, size_t *bytes)
{
    while (i-- > 0)
        words += strcspn(words, " ") + 1;
    *bytes = strcspn(words, " ");
    return words;
}

static bool put_word(const struct entry *e, int *field, const char *value, struct err *err)
{
    int i = 0;
    for (const char *w = e->words; *w; i++) {
        size_t n = strcspn(w, " ");
        if (strlen(value) == n && memcmp(w, value, n) == 0) {
            *field = i;
            return true;
        }
        w += n + (w[n] == ' ');
    }
    return err_set(err, ERR_INPUT, "%s: '%.40s' is not one of: %s", e->s.name, value, e->words);
}

bool setting_put(const struct setting *s, struct mode *row, const char *value, struct err *err)
{
    const struct entry *e = entry_of(s);
    void *field = (char *)row + e->offset;
    if (e->type == TYPE_WORD ? !put_word(e, field, value, err) : !put_number(e, field, value, err))
        return false;
    row->think = row->think_tokens > 0 ? MODE_THINK_ONE : MODE_THINK_NONE;
    return true;
}

void setting_get(const struct setting *s, const struct mode *row, struct buf *out)
{
    const struct entry *e = entry_of(s);
    const void *field = (const char *)row + e->offset;
    size_t n;
    if (e->type == TYPE_REAL) {
        buf_printf(out, "%.6g", (double)*(const float *)field);
    } else if (e->type == TYPE_INT) {
        buf_printf(out, "%d", *(const int *)field);
    } else {
        const char *word = word_at(e->words, *(const int *)field, &n);
        buf_append(out, word, n);
    }
}

static void copy(const struct entry *e, struct mode *to, const struct mode *from)
{
    size_t bytes = e->type == TYPE_REAL ? sizeof(float) : sizeof(int);
    memcpy((char *)to + e->offset, (const char *)from + e->offset, bytes);
    to->think = to->think_tokens > 0 ? MODE_THINK_ONE : MODE_THINK_NONE;
}

static bool same(const struct entry *e, const struct mode *a, const struct mode *b)
{
    size_t bytes = e->type == TYPE_REAL ? sizeof(float) : sizeof(int);
    return memcmp((const char *)a + e->offset, (const char *)b + e->offset, bytes) == 0;
}

/* ---- the changes of a conversation -------------------------------------------------------- */

const struct mode *settings_row(const struct settings *s, enum mode_id mode)
{
    return s->of[mode].changed ? &s->of[mode].row : mode_get(mode);
}

bool settings_put(struct settings *s, enum mode_id mode, const struct setting *which,
                  const char *value, struct err *err)
{
    struct setting_row *r = &s->of[mode];
    struct mode row = *settings_row(s, mode);
    unsigned bit = 1u << index_of(which);
    if (!value)
        copy(entry_of(which), &row, mode_get(mode));
    else if (!setting_put(which, &row, value, err))
        return false;
    r->row = row;
    if (same(entry_of(which), &row, mode_get(mode)))
        r->changed &= ~bit;
    else
        r->changed |= bit;
    return true;
}

const char *const settings_common[] = {"seed", "max-tokens"};

bool settings_put_common(struct settings *s, int which, const char *value, struct err *err)
{
    uint64_t v = 0, most = which == SETTING_SEED ? UINT64_MAX : SETTINGS_TOKENS_MAX;
    if (value && !number_read(value, most, &v))
        return err_set(err, ERR_INPUT, "%s: '%.40s' is not a number up to %llu",
                       settings_common[which], value, (unsigned long long)most);
    if (which == SETTING_SEED) {
        s->seed_given = value;
        s->seed = v;
    } else {
        s->max_tokens_given = value;
        s->max_tokens = (int)v;
    }
    return true;
}

void settings_reset(struct settings *s, enum mode_id mode)
{
    s->of[mode] = (struct setting_row){0};
}

bool settings_changed(const struct settings *s, enum mode_id mode, const struct setting *which)
{
    return s->of[mode].changed >> index_of(which) & 1;
}

void settings_describe(const struct settings *s, enum mode_id mode, struct buf *out)
{
    const struct setting *one;
    for (int i = 0; (one = setting_at(i)); i++)
        if (settings_changed(s, mode, one)) {
            buf_printf(out, "%s%s ", out->bytes ? ", " : "", one->name);
            setting_get(one, settings_row(s, mode), out);
        }
    if (s->max_tokens_given)
        buf_printf(out, "%smax-tokens %d", out->bytes ? ", " : "", s->max_tokens);
    if (s->seed_given)
        buf_printf(out, "%sseed %llu", out->bytes ? ", " : "", (unsigned long long)s->seed);
}
