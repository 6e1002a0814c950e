/* copy.c -- see copy.h. */
#include "app/copy.h"

#include <stdio.h>
#include <string.h>

#include "app/number.h"
#include "ui/clip.h"

enum { BLOCKS_MAX = 1000000 };

/* The text, and what it is called. */
static bool pick(struct transcript *all, const char *what, struct buf *out, char name[48])
{
    uint64_t n;
    if (!*what) {
        snprintf(name, 48, "answer");
        return transcript_answer(all, out);
    }
    if (strcmp(what, "turn") == 0) {
        snprintf(name, 48, "turn");
        return transcript_turn_text(all, transcript_question(all), out);
    }
    snprintf(name, 48, "block %.20s", what);
    return number_read(what, BLOCKS_MAX, &n) && transcript_code(all, (int)n, out);
}

/* The file that takes what no clipboard does; false: nothing may be written. */
static bool spare_file(const struct talk *t, char *path, size_t bytes)
{
    struct err err;
    if (t->options->no_save || !paths_make(t->paths.state, &err))
        return false;
    return snprintf(path, bytes, "%s/copied", t->paths.state) < (int)bytes;
}

bool copy_text(const struct talk *t, struct transcript *all, const char *what, char *msg,
               size_t msg_bytes)
{
    struct buf text = {0};
    char name[48], file[480], road[200];
    bool good = pick(all, what, &text, name);
    if (good) {
        bool may = spare_file(t, file, sizeof file);
        good = clip_copy(buf_text(&text), text.bytes, may ? file : NULL, road, sizeof road);
        snprintf(msg, msg_bytes, "%s: %s", name, road);
    } else {
        snprintf(msg, msg_bytes, "there is no %s to copy", name);
    }
    buf_release(&text);
    return good;
}
