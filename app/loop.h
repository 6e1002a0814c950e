/* loop.h -- the state of the full screen, shared by the files that make it: loop.c (the pump, keys,
 * drawing), shown.c (what the conversation tells), overlay.c (lists over it), sessions.c
 * (the one of sessions), panes.c (two answers), look.c (themes), tray_view.c (candidates),
 * doubt_view.c (what an answer is unsure of), reader.c (copying, searching), outside.c (other
 * programs on the terminal). Nobody else includes it.
 *
 * All of it belongs to the UI thread. What changes something sets `dirty`; only loop.c draws. */
#ifndef DUET_APP_LOOP_H
#define DUET_APP_LOOP_H

#include "app/command.h"
#include "app/slices.h"
#include "app/talk.h"
#include "app/themes.h"
#include "ui/editor.h"
#include "ui/keymap.h"
#include "ui/screen.h"

enum overlay {
    OVERLAY_NONE, OVERLAY_HELP, OVERLAY_SESSIONS, OVERLAY_HISTORY,
    OVERLAY_THEMES, OVERLAY_SLICES, OVERLAY_EXACT, OVERLAY_CANDIDATES,
    OVERLAY_DOUBT
};

struct loop {
    struct talk talk;
    struct transcript *transcript;
    struct editor *editor;
    struct grid grid;
    struct theme theme;         /* shown now */
    bool theme_fits;            /* none was chosen: it is the one for the terminal's background, */
    bool light;                 /* which is light */
    bool wide;                  /* the terminal draws signs wide: ASCII ones instead */
    struct theme theme_before;  /* while the list of themes is open */
    struct names themes;        /* that list */
    struct list *welcome;       /* what an empty conversation shows */
    struct list *list;          /* the overlay, or NULL */
    enum action help_action[ACTION_COUNT]; /* of the rows of OVERLAY_HELP, modes behind them */
    struct tray_text {          /* what the rows of the candidates say */
        struct buf left, right;
    } tray_text[TRAY_MAX];
    struct view_row tray_row[TRAY_MAX];
    enum overlay overlay;
    struct sessions *sessions;  /* OVERLAY_SESSIONS, or NULL */
    struct transcript *beside;  /* a second pane, or NULL */
    char heading[2][100];       /* of the two panes */
    bool panes;                 /* it shows the second of two answers */
    bool pane_second;           /* where there is room for one pane: that one */
    int beside_entry;           /* of its running part; -1 = none */
    enum part_kind beside_part;
    char **draft;               /* [n_draft] the rows of OVERLAY_HISTORY, owned */
    int n_draft, cap_draft;
    bool reader;                /* keys go to the reader */
    struct key prefix;          /* it may begin a sequence of two; code 0 = none */
    bool copying;               /* the next key is the number of a block */
    bool searching;             /* keys go into `search` */
    struct buf search;          /* what is looked for; empty = nothing */
    struct buf looked_for;      /* what was when the reader was left: n goes on with it */
    bool dirty;                 /* the screen is older than the state */
    bool touched;               /* and a key is why */
    bool leaving;
    bool sending;               /* a typed line is carried out: its answer is to be seen */
    bool leave_asked;           /* Ctrl+C on an empty draft: the next one leaves */
    int status;
    int entry;                  /* transcript entry of the running part; -1 = none */
    int note;                   /* the entry of the last note, */
    struct buf said;            /* and what it says */
    int siblings;               /* the entry that counts the answers to the last question; -1 */
    int part;                   /* of the running reply: the one of that entry */
    struct slices slices;       /* of the context, as of slices_at tokens in slices_turns turns */
    int slices_at, slices_turns, slices_exact;
    enum slice_form slices_form;
    struct reread reread;       /* what OVERLAY_EXACT asks about */
    struct doubts doubts;       /* OVERLAY_DOUBT: the places of the last answer */
    bool doubt_follow;          /* the one the bar is on is to be brought into view */
    int cost;                   /* tokens that the next turn will read again */
    struct spots spots;         /* of the last frame */
    int64_t frame_ms;           /* when the last frame was drawn */
    struct buf settings;        /* what is changed of the mode */
    struct suggestion suggestion; /* of a mode for this draft: */
    struct buf suggested_for;
    enum mode_id suggested_in;
    char chip[140];             /* how it is told; "" = there is none */
    bool suggest_no;            /* dismissed till the draft is sent or cleared */
    struct buf tips;            /* the keys that are named there otherwise */
    struct buf keys_said;       /* what is wrong with the keys file, a line each */
    char hint[256];             /* a notice in the status row, until the next key; "" = none */
    bool hint_error;
};

#define STOPPING "stopping" /* said until it has stopped */

/* A notice in the status row, until the next key. */
void loop_hint(struct loop *l, bool error, const char *text);

void loop_act(struct loop *l, enum action a); /* as if its key were pressed */

/* ---- shown.c ------------------------------------------------------------------------------- */

struct front shown_front(struct loop *l);
void shown_entry(struct transcript *t, enum entry_kind kind, const char *label, enum style style,
                 const char *text);

/* Begins a part of a reply; returns its entry. The line of a folded thought (budget 0: it is
 * over). */
int shown_part(struct transcript *t, enum part_kind kind, enum mode_id mode);
void shown_thought(struct transcript *t, int entry, const struct part *p, int budget);
void shown_thinking(const struct loop *l, struct transcript *t, int entry, const struct part *p);

/* Why a reply that is over did not come to its end, if it did not. */
void shown_end(struct transcript *t, const struct reply *r);

void shown_diff(struct loop *l); /* the last answer and the one before it, word by word */

/* All of a conversation but what turn `running` misses (-1 = none). Returns the entry that counts
 * the answers to the last question, -1 = there is one or none. */
int shown_conversation(struct transcript *t, const struct conversation *c, int running);
void shown_note(struct loop *l, bool error, const char *text); /* a line in the transcript */

/* ---- overlay.c ----------------------------------------------------------------------------- */

void overlay_help(struct loop *l);
struct list *overlay_welcome(bool first); /* first: on the first start */
void overlay_history(struct loop *l);
bool overlay_key(struct loop *l, const struct key *k); /* true: the editor has something to do */
void overlay_close(struct loop *l);
const char *overlay_hint(struct loop *l);    /* the keys to name in the status row */
void overlay_point(struct loop *l, int row); /* a row of the list was clicked at */

void overlay_themes(struct loop *l);
void overlay_slices(struct loop *l, int i); /* the bar on slice i */
void overlay_exact(struct loop *l, const char *args); /* "/reread" without a yes: asks */

/* ---- sessions.c ---------------------------------------------------------------------------- */

void overlay_sessions(struct loop *l, const char *filter);
void sessions_close(struct loop *l); /* NULL is allowed */

/* A key that means something there; one that changed the filter; a row that was chosen. */
bool sessions_key(struct loop *l, const struct key *k);
void sessions_filtered(struct loop *l);
void sessions_choose(struct loop *l, int i);

bool sessions_work(struct loop *l); /* a slice of reading; true: there is more to do */
const char *sessions_heading(const struct loop *l);
const char *sessions_hint(struct loop *l);
bool sessions_naming(const struct loop *l); /* a title is being typed */

/* ---- panes.c ------------------------------------------------------------------------------- */

/* Asks in two modes at once, "" = the last question; false: said why not. */
bool panes_ask(struct loop *l, const char *text);
void panes_close(struct loop *l); /* not open is allowed; what is chosen stays so */
void panes_tokens(struct loop *l, const struct event *e); /* of the second, taken over */
void panes_done(struct loop *l);
bool panes_key(struct loop *l, const struct key *k); /* false: it means nothing there */
void panes_point(struct loop *l, int k);             /* its heading was clicked at: keep it */
void panes_heading(const struct loop *l, int k, char *out, size_t bytes);
const char *panes_hint(struct loop *l);

/* ---- look.c -------------------------------------------------------------------------------- */

/* The theme that the options name, or the one that fits the terminal's background, and the keys
 * file; before the screen is there. */
bool look_start(struct loop *l, const struct options *o, char *msg, size_t msg_bytes);

void look_keys_said(struct loop *l);   /* says what is wrong with the keys file */
const char *look_tips(struct loop *l); /* the keys to name in the status row */

void look_theme(struct loop *l, const char *name); /* takes it and says so, or why not */
void look_show(struct loop *l, const char *name);  /* takes it silently, if it is one */
void look_take(struct loop *l, const struct theme *t);
void look_unicode(struct loop *l, const char *text); /* tells how wide its signs are */
void look_mouse(struct loop *l, const char *args);   /* on, off, or "" = the other */
void look_wide(struct loop *l);
void look_colors(struct loop *l, bool light);      /* the terminal has other colours now */

/* ---- reader.c ------------------------------------------------------------------------------ */

void reader_copy(struct loop *l, const char *what); /* as copy_text() */

/* Looks for a text from now on; "" for nothing. */
void reader_find(struct loop *l, const char *text);
void reader_find_next(struct loop *l, bool forward);
void reader_search(struct loop *l); /* the text is typed from now on */
void reader_switch(struct loop *l); /* between editor and reader */
void reader_leave(struct loop *l);  /* keys go to the draft, and nothing is looked for any more */

/* A key while the reader waits for a number or a text. False: it was not for that. */
bool reader_key(struct loop *l, const struct key *k);

/* ---- tray_view.c --------------------------------------------------------------------------- */

void tray_view_rows(struct loop *l, struct view *v);
void tray_view_list(struct loop *l);
void tray_view_close(struct loop *l);

/* ---- doubt_view.c -------------------------------------------------------------------------- */

/* The places that the last answer was least sure of: a list, and the answer below it with all of
 * them marked. */
void doubt_view(struct loop *l);
void doubt_view_close(struct loop *l);
void doubt_view_choose(struct loop *l, int i); /* asks about place i */
void doubt_view_mark(struct loop *l);          /* the bar went elsewhere */
int doubt_view_rows(const struct loop *l);     /* of the list */

/* True: what was drawn last did not show the place; it is to be drawn again. */
bool doubt_view_follow(struct loop *l);

/* ---- outside.c ----------------------------------------------------------------------------- */

void outside_edit(struct loop *l);  /* the draft, in the person's editor */
void outside_pager(struct loop *l); /* the conversation, to be read */
void outside_bare(struct loop *l);  /* printed plainly, until a key comes */

#endif
