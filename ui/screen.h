/* screen.h -- plain data in, grid out: the only file that knows all widgets. Pure; drawing
 * changes nothing but the grid (and the widgets' remembered sizes). */
#ifndef DUET_UI_SCREEN_H
#define DUET_UI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/editor.h"
#include "ui/grid.h"
#include "ui/layout.h"
#include "ui/list.h"
#include "ui/strip.h"
#include "ui/theme.h"
#include "ui/transcript.h"

enum { VIEW_WAITING = 3 };

/* Everything the screen shows. All strings borrowed, terminated, never NULL except
 * where that means something. */
/* A row above the draft: what is told at its left and at its right end. */
struct view_row {
    const char *left, *right;
    bool strong;
};

/* Where the parts stand that can be pointed at; rows 0 = not there. */
struct spots {
    struct rect strip, list, transcript, beside;
};

struct view {
    bool ascii;             /* ASCII forms of all signs */

    /* header */
    const char *mode;       /* "Flash" */
    enum style mode_style;
    bool thinks;           /* before it answers: the prompt says so */
    const char *settings;   /* what is changed of it; NULL or "" = nothing */
    const char *title;
    const char *model;      /* short name, "" while unknown */
    int ctx_used, ctx_total; /* tokens; total 0 = not known yet */
    uint64_t kv_bytes;
    double kv_share;        /* of what the exact cache would take; 0 = not told */
    struct strip strip;     /* the gauge, slice by slice; n = 0: how full it is, alone */

    /* middle */
    struct transcript *transcript;
    struct list *empty;     /* a text to read, while the transcript has nothing; NULL = none */
    struct list *list;      /* drawn over the transcript; NULL = none */
    int list_rows;          /* it takes this many at most, the transcript the rest; 0 = all */

    struct transcript *beside; /* a second one; NULL = none */
    const char *heading;    /* of that */
    const char *heading_first; /* of the first; NULL = it has none */
    bool second_alone;      /* where there is room for one pane: the second one */

    const struct view_row *row; /* [n_row] below the transcript, where there is room for all */
    int n_row;

    /* editor */
    struct editor_view draft;
    bool reader;            /* keys go to the reader: the cursor leaves the editor */
    int queued;             /* messages waiting their turn */
    const char *waiting[VIEW_WAITING]; /* the first of them; NULL behind the last */

    /* status row */
    const char *search;     /* what is looked for; NULL = nothing */
    bool search_typed;      /* it is being typed: the cursor stands behind it */
    int found, found_now;   /* places, and which of them it stands at (0 = none) */
    const char *state;      /* "idle", "reading", "thinking", "answering", "loading" */
    int done, total;        /* progress of loading or reading; total 0 = none to show */
    int held;               /* of done: what need not be read */
    double read_tok_s;      /* how fast that goes; 0 = not measured yet */
    double tok_s;           /* 0 = not measured yet */
    int drafted, accepted;  /* by the last turn: ids tried ahead, those that followed */
    int re_read;            /* tokens re-read by the last turn or toggle; -1 = nothing to say */
    int draft_tokens;       /* about; instead of the speed: 0 = there is no draft to speak of */
    double first_s;         /* till the first word of its answer; 0 = not measured yet */
    const char *hint;       /* right side: keys, "F2 mode  F1 help", the most important first: in
                             * a list, a search, the reader and two panes the one that leads back */
    const char *message;    /* a notice, behind the state; in more rows where one has no room for
                             * it; NULL, "" = none */
    bool message_is_error;  /* it says what went wrong */

    const char *chip;       /* in the rule over the draft: "F7 Pro-Max  F8 no"; NULL, "" = none */

    struct spots *spots;    /* filled by drawing; NULL = not wanted */
};

/* Draws the whole frame at the grid's size and says where the cursor belongs (row -1 = hidden).
 * Any size from 1x1 up: under 60 columns the header shortens, under 40x10 editor and status row
 * alone remain. */
void screen_draw(struct grid *g, const struct view *v, int *cursor_row, int *cursor_col);

/* The cells of the editor box at this width, for editor_resize(). */
int screen_editor_cols(int cols);

#endif
