/* demand.c -- demands as data; demand_read.c reads them from a prompt. See demand.h. */
#include "app/demand.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *demand_sign(int i)
{
    static const char *const sign[] = {"$", "\xE2\x82\xAC", "\xC2\xA3", "%"};
    return i < (int)(sizeof sign / sizeof *sign) ? sign[i] : NULL;
}

void demands_drop(struct demands *d, int i)
{
    assert(i >= 0 && i < d->n);
    free(d->demand[i].text);
    free(d->demand[i].words);
    memmove(&d->demand[i], &d->demand[i + 1], (size_t)(d->n - i - 1) * sizeof *d->demand);
    d->n--;
}

void demands_release(struct demands *d)
{
    while (d->n)
        demands_drop(d, d->n - 1);
    for (int i = 0; i < d->n_choice; i++)
        free(d->choice[i].text);
    free(d->demand);
    free(d->choice);
    *d = (struct demands){0};
}

const struct demand *demands_find(const struct demands *d, enum demand_kind kind)
{
    for (int i = 0; i < d->n; i++)
        if (d->demand[i].kind == kind)
            return &d->demand[i];
    return NULL;
}

bool demand_decides(const struct demand *d)
{
    enum { SHORT_WORDS = 3 };
    switch (d->kind) {
    case DEMAND_CHOICE:
    case DEMAND_NUMBER:
    case DEMAND_SHAPE:
    case DEMAND_SHORT: return false;
    case DEMAND_COUNT: return d->unit != PIECE_WORD || d->max > SHORT_WORDS;
    default: return true;
    }
}

static void describe_range(const struct demand *d, struct buf *out)
{
    if (d->min == d->max)
        buf_printf(out, "exactly %d", d->min);
    else if (d->max == DEMAND_MANY)
        buf_printf(out, "at least %d", d->min);
    else if (d->min == 0)
        buf_printf(out, "at most %d", d->max);
    else
        buf_printf(out, "%d to %d", d->min, d->max);
}

static void describe_occurs(const struct demand *d, struct buf *out)
{
    if (d->max == 0) {
        buf_printf(out, "without \"%s\"", d->text);
        return;
    }
    buf_printf(out, "contains \"%s\"", d->text);
    if (d->min == 1 && d->max == DEMAND_MANY)
        return;
    buf_puts(out, " ");
    describe_range(d, out);
    buf_puts(out, d->min == 1 && d->max == 1 ? " time" : " times");
}

void demand_describe(const struct demand *d, struct buf *out)
{
    int n = d->max == DEMAND_MANY ? d->min : d->max;
    switch (d->kind) {
    case DEMAND_JSON: buf_puts(out, "valid JSON"); break;
    case DEMAND_ONLY: buf_puts(out, "JSON and nothing else"); break;
    case DEMAND_KEY: buf_printf(out, "JSON key \"%s\"", d->text); break;
    case DEMAND_CODE: buf_printf(out, "a %s%scode block", d->text, *d->text ? " " : ""); break;
    case DEMAND_COUNT:
        describe_range(d, out);
        buf_printf(out, " %s", piece_unit_name(d->unit, n));
        break;
    case DEMAND_OCCURS: describe_occurs(d, out); break;
    case DEMAND_LOWER: buf_puts(out, "lower case"); break;
    case DEMAND_UPPER: buf_puts(out, "upper case"); break;
    case DEMAND_BEGINS: buf_printf(out, "begins with \"%s\"", d->text); break;
    case DEMAND_ENDS: buf_printf(out, "ends with \"%s\"", d->text); break;
    case DEMAND_CHOICE: buf_puts(out, "one of the options"); break;
    case DEMAND_NUMBER: buf_puts(out, "one number"); break;
    case DEMAND_SHAPE: buf_printf(out, "in the form %s", d->text); break;
    case DEMAND_SHORT: buf_puts(out, "a few words"); break;
    default: assert(!"a kind"); break;
    }
}
