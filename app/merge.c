/* merge.c -- see merge.h. */
#include "app/merge.h"

#include <stdlib.h>
#include <string.h>

static char *answer(const struct turn *t, int i)
{
    return reply_join(&t->reply[i], PART_ANSWER);
}

/* Whether answer i says what the chosen one, or one before it, says. */
static bool is_said(const struct turn *t, int i, const char *text)
{
    bool said = false;
    for (int k = 0; k < t->n_reply && !said; k++) {
        if (k >= i && k != t->chosen)
            continue;
        char *other = answer(t, k);
        said = k != i && strcmp(other, text) == 0;
        free(other);
    }
    return said;
}

int merge_question(const struct turn *t, struct buf *out)
{
    struct buf quoted = {0};
    int n = 0;
    for (int i = 0; i < t->n_reply; i++) {
        if (i == t->chosen)
            continue;
        char *text = answer(t, i);
        if (*text && !is_said(t, i, text))
            buf_printf(&quoted, "\nAnswer %d:\n%s\n", ++n + 1, text);
        free(text);
    }
    if (n) {
        buf_puts(out, "Your last answer is answer 1. My question was answered otherwise too:\n");
        buf_append(out, buf_text(&quoted), quoted.bytes);
        buf_puts(out, "\nMake one answer of them: take what is right in each, and where they say "
                      "different things, check which is so.");
    }
    buf_release(&quoted);
    return n;
}
