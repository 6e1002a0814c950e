/* aloud.c -- see aloud.h. The conversation is put into a transcript, as the screen does, and asked
 * there: what is copied or printed is the same in both. */
#include "app/aloud.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/copy.h"
#include "app/out.h"
#include "app/program.h"
#include "app/signs.h"
#include "app/signals.h"
#include "ui/find.h"
#include "ui/history.h"
#include "ui/transcript.h"

enum { LOOK_MS = 50, COLS = 80, RECENT = 20 };

static void add(struct transcript *t, enum entry_kind kind, const char *label, const char *text)
{
    int i = transcript_add(t, kind, label, STYLE_LABEL);
    transcript_append(t, i, text, strlen(text));
}

static const struct reply *chosen(const struct turn *turn)
{
    return turn->chosen >= 0 ? &turn->reply[turn->chosen] : NULL;
}

/* From this turn on. */
static struct transcript *transcript_of(const struct talk *t, int from, bool thoughts)
{
    struct transcript *out = transcript_new();
    struct grid g;
    transcript_fold(out, !thoughts);
    for (int i = from; i < t->c.n_turn; i++) {
        const struct reply *r = chosen(&t->c.turn[i]);
        add(out, ENTRY_USER, "you", t->c.turn[i].question);
        for (int k = 0; r && k < r->n_part; k++)
            add(out, r->part[k].kind == PART_THINKING ? ENTRY_THINKING : ENTRY_ANSWER,
                mode_get(r->part[k].mode)->title, r->part[k].text);
    }
    grid_init(&g, 1, COLS);
    transcript_draw(out, &g, 0, 0, 1, COLS); /* it has a width now, and so blocks of code */
    grid_release(&g);
    return out;
}

bool aloud_copy(const struct talk *t, const char *what, char *msg, size_t msg_bytes)
{
    struct transcript *all = transcript_of(t, 0, false);
    bool good = copy_text(t, all, what, msg, msg_bytes);
    transcript_free(&all);
    return good;
}

/* ---- searching ---------------------------------------------------------------------------- */

/* Prints the lines of a text that hold what is looked for; returns how many. */
static int search_text(struct find *f, int turn, const char *who, const char *text)
{
    int lines = 0;
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        find_cut(f, 0);
        find_add(f, 0, at, n, true);
        if (f->n)
            out_printf(stdout, "- turn %d, %s: %.*s\n", turn, who, (int)n, at);
        lines += f->n > 0;
        at += n + (at[n] == '\n');
    }
    return lines;
}

void aloud_search(const struct talk *t, const char *text)
{
    struct find f = {0};
    int lines = 0;
    find_set(&f, text, strlen(text));
    for (int i = 0; i < t->c.n_turn && *text; i++) {
        const struct reply *r = chosen(&t->c.turn[i]);
        lines += search_text(&f, i + 1, "you", t->c.turn[i].question);
        for (int k = 0; r && k < r->n_part; k++)
            if (r->part[k].kind == PART_ANSWER)
                lines += search_text(&f, i + 1, mode_get(r->part[k].mode)->title, r->part[k].text);
    }
    if (*text)
        out_printf(stdout, "- found in %d line%s\n", lines, lines == 1 ? "" : "s");
    else
        out_printf(stdout, "! /search needs a text\n");
    find_release(&f);
}

/* ---- all of it ---------------------------------------------------------------------------- */

static void plain_text(const struct talk *t, bool thoughts, struct buf *out)
{
    struct transcript *all = transcript_of(t, 0, thoughts);
    transcript_plain(all, 0, out);
    transcript_free(&all);
}

void aloud_all(const struct talk *t, bool thoughts)
{
    struct buf text = {0};
    plain_text(t, thoughts, &text);
    out_text(stdout, buf_text(&text), text.bytes);
    buf_release(&text);
}

/* ---- other programs ----------------------------------------------------------------------- */

/* The conversation goes on; its lines come when the program is gone from the terminal. */
static void meanwhile(void *data)
{
    struct talk *t = data;
    struct pollfd p = {worker_fd(t->worker), POLLIN, 0};
    poll(&p, 1, LOOK_MS);
    talk_events(t);
}

bool aloud_pager(struct talk *t, bool thoughts, char *msg, size_t msg_bytes)
{
    struct buf text = {0};
    char path[64];
    plain_text(t, thoughts, &text);
    bool good = program_file(&text, 0400, path, msg, msg_bytes);
    if (good) {
        out_settle();
        int status = program_run(program_pager, path, meanwhile, t);
        good = status == 0;
        snprintf(msg, msg_bytes, "the pager ended with status %d", status);
        unlink(path);
    }
    buf_release(&text);
    return good;
}

char *aloud_edit(struct talk *t, const char *draft, char *msg, size_t msg_bytes)
{
    struct buf text = {0}, edited = {0};
    char path[64];
    buf_puts(&text, draft);
    msg[0] = 0;
    if (program_file(&text, 0600, path, msg, msg_bytes)) {
        out_settle();
        int status = program_run(program_editor, path, meanwhile, t);
        if (status != 0)
            snprintf(msg, msg_bytes, "the editor ended with status %d", status);
        else if (!program_read(path, &edited))
            snprintf(msg, msg_bytes, "%s: %s", path, strerror(errno));
        unlink(path);
    }
    while (edited.bytes && edited.data[edited.bytes - 1] == '\n')
        edited.data[--edited.bytes] = 0;
    if (!*msg && !edited.bytes)
        snprintf(msg, msg_bytes, "the editor left no text: nothing is sent");
    buf_release(&text);
    if (!*msg)
        return buf_take(&edited);
    buf_release(&edited);
    return NULL;
}

/* ---- earlier messages --------------------------------------------------------------------- */

struct recent {
    char *text[RECENT]; /* [n % RECENT]: the last ones, owned */
    int n;
};

static void remember(void *data, const char *text, size_t bytes)
{
    struct recent *r = data;
    (void)bytes;
    free(r->text[r->n % RECENT]);
    r->text[r->n++ % RECENT] = mem_dup(text);
}

void aloud_history(const struct talk *t)
{
    struct recent r = {{0}, 0};
    history_load(t->paths.history, remember, &r);
    for (int i = r.n > RECENT ? r.n - RECENT : 0; i < r.n; i++) {
        out_printf(stdout, "- %s\n", r.text[i % RECENT]);
        free(r.text[i % RECENT]);
    }
    if (r.n == 0)
        out_printf(stdout, "- nothing yet\n");
}

void aloud_signs(const char *text)
{
    struct buf out = {0};
    signs_tell(text, NULL, NULL, &out);
    for (char *at = out.data, *end; at && (end = strchr(at, '\n')); at = end + 1)
        out_printf(stdout, "- %.*s\n", (int)(end - at), at);
    buf_release(&out);
}

void aloud_last(const struct talk *t, struct buf *out)
{
    if (!t->c.n_turn)
        return;
    struct transcript *last = transcript_of(t, t->c.n_turn - 1, false);
    transcript_plain(last, 0, out);
    buf_puts(out, "\n");
    transcript_free(&last);
}
