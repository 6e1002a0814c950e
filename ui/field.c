/* field.c -- see field.h. */
#include "ui/field.h"

#include <string.h>

#include "ui/text.h"

bool field_key(struct buf *text, const struct key *k)
{
    char utf8[4];
    size_t before = text->bytes;
    if (k->code == KEYCODE_CHAR && !k->mod)
        buf_append(text, utf8, (size_t)text_encode(k->ch, utf8));
    if (k->code == KEYCODE_PASTE)
        buf_append(text, k->text, strcspn(k->text, "\n"));
    if (k->code == KEYCODE_BACKSPACE && text->bytes) {
        text->bytes = text_cluster_before(text->data, text->bytes);
        text->data[text->bytes] = 0;
    }
    return text->bytes != before;
}
