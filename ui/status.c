/* status.c -- see status.h. */
#include "ui/status.h"

#include <stdio.h>
#include <string.h>

#include "ui/layout.h"
#include "ui/text.h"
#include "ui/wrap.h"

enum {
    GAUGE_CELLS = 8, BAR_CELLS = 12, TITLE_MIN = 8,
    AROUND_TITLE = 6, /* the dot before it, the blanks behind it and at the end */
    GAUGE_WIDE = 70, GAUGE_WIDEST = 110, /* columns beside the title for a finer gauge */
};

static const char gauge_head[] = "ctx [";

/* A row that is written from the left, piece after piece, up to `end`. */
struct line {
    struct grid *g;
    int row, col, end;
};

static void line_put(struct line *l, enum style s, const char *text)
{
    struct buf shown = {0};
    text_display(&shown, text, strlen(text));
    l->col += grid_put(l->g, l->row, l->col, l->end - l->col, s, buf_text(&shown), shown.bytes);
    buf_release(&shown);
}

/* Text that does not fit ends in an ellipsis. */
static void line_put_cut(struct line *l, enum style s, const char *text, bool ascii)
{
    const char *dots = ascii ? "..." : "…";
    int room = l->end - l->col, n = text_cells(dots, strlen(dots));
    if (text_cells(text, strlen(text)) <= room || room < n) {
        line_put(l, s, text);
        return;
    }
    int end = l->end;
    l->end -= n;
    line_put(l, s, text);
    l->end = end;
    line_put(l, s, dots);
}

void status_count(char *out, size_t bytes, uint64_t n)
{
    static const struct {
        uint64_t unit;
        const char *sign;
    } units[] = {{1000000000, "G"}, {1000000, "M"}, {1000, "k"}};
    for (int i = 0; i < 3; i++) {
        uint64_t u = units[i].unit, tenth = u / 10;
        if (n < u)
            continue;
        uint64_t tenths = n / tenth + (n % tenth >= tenth / 2);
        if (tenths < 100 && tenths % 10)
            snprintf(out, bytes, "%u.%u%s", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
                     units[i].sign);
        else
            snprintf(out, bytes, "%llu%s", (unsigned long long)(n / u + (n % u >= u / 2)),
                     units[i].sign);
        return;
    }
    snprintf(out, bytes, "%u", (unsigned)n);
}

void status_bytes(char *out, size_t bytes, uint64_t n)
{
    static const char *const unit[] = {"kB", "MB", "GB"};
    double x = (double)n / 1e3;
    int i = 0;
    while (x >= 999.5 && i < 2) {
        x /= 1e3;
        i++;
    }
    snprintf(out, bytes, "%.*f %s", x > 0 && x < 9.95, x < 0.1 && x > 0 ? 0.1 : x, unit[i]);
}

/* "[####....]" */
static void gauge(struct buf *out, bool ascii, uint64_t done, uint64_t total, int cells)
{
    if (done > total)
        done = total;
    int full = total ? (int)((double)done * cells / (double)total + 0.5) : 0;
    if (done && !full)
        full = 1; /* something is never shown as nothing */
    buf_puts(out, "[");
    for (int i = 0; i < cells; i++)
        buf_puts(out, i < full ? ascii ? "#" : "▓" : strip_empty(ascii));
    buf_puts(out, "]");
}

static const char *dot(const struct view *v)
{
    return v->ascii ? " - " : " · ";
}

/* The more room, the finer. */
static int gauge_cells(int room)
{
    return room >= GAUGE_WIDEST ? 4 * GAUGE_CELLS : room >= GAUGE_WIDE ? 2 * GAUGE_CELLS
                                                                       : GAUGE_CELLS;
}

static void context_text(const struct view *v, int gauge_room, struct buf *out)
{
    char used[16], total[16];
    if (v->ctx_total <= 0)
        return;
    uint64_t n = v->ctx_used > 0 ? (uint64_t)v->ctx_used : 0;
    status_count(used, sizeof used, n);
    status_count(total, sizeof total, (uint64_t)v->ctx_total);
    buf_puts(out, "ctx ");
    if (gauge_room) {
        gauge(out, v->ascii, n, (uint64_t)v->ctx_total, gauge_cells(gauge_room));
        buf_puts(out, " ");
    }
    buf_printf(out, "%s/%s", used, total);
}

static void kv_text(const struct view *v, struct buf *out)
{
    int percent = (int)(v->kv_share * 100 + 0.5);
    char bytes[16];
    status_bytes(bytes, sizeof bytes, v->kv_bytes);
    if (v->kv_bytes)
        buf_printf(out, "kv %s", bytes);
    if (v->kv_bytes && percent > 0 && percent < 100)
        buf_printf(out, " (%d %%)", percent);
}

static void add_part(struct buf *out, const char *text)
{
    if (*text && out->bytes)
        buf_puts(out, "  ");
    buf_puts(out, text);
}

/* The right side of the header: as many parts as leave room for the title. */
static void header_right(const struct view *v, int room, struct buf *out)
{
    struct buf ctx = {0}, kv = {0}, try = {0};
    context_text(v, room >= LAYOUT_NARROW_COLS - 24 ? room : 0, &ctx);
    kv_text(v, &kv);
    const char *parts[] = {buf_text(&ctx), buf_text(&kv), v->model};
    for (int i = 0; i < 3; i++) {
        add_part(&try, parts[i]);
        if (text_cells(buf_text(&try), try.bytes) > room)
            break;
        buf_clear(out);
        buf_append(out, buf_text(&try), try.bytes);
    }
    buf_release(&ctx);
    buf_release(&kv);
    buf_release(&try);
}

static void draw_strip(const struct view *v, struct grid *g, int row, int col, int cells)
{
    strip_draw(&v->strip, g, row, col, cells, v->ascii);
    if (v->spots)
        v->spots->strip = (struct rect){row, col, 1, cells};
}

static int context_cells(const struct view *v)
{
    struct buf ctx = {0};
    context_text(v, 0, &ctx);
    int n = text_cells(buf_text(&ctx), ctx.bytes);
    buf_release(&ctx);
    return n;
}

/* What the title is sure of: as much as it may want, in `room` beside the context. */
static int title_keep(const struct view *v, int room)
{
    int title = text_cells(v->title, strlen(v->title));
    int keep = title < 2 * TITLE_MIN ? title : 2 * TITLE_MIN;
    return keep <= room || keep <= TITLE_MIN ? keep : room > TITLE_MIN ? room : TITLE_MIN;
}

void status_draw_header(const struct view *v, struct grid *g, int row, int cols)
{
    struct buf right = {0};
    struct line l = {g, row, 1, cols - 1};
    grid_fill(g, row, 0, cols, STYLE_HEADER, " ");
    line_put(&l, v->mode_style, v->mode);
    int ctx = context_cells(v);
    if (v->settings && *v->settings) { /* in a third of the row, and no room that others need */
        line_put(&l, STYLE_HEADER, " ");
        int most = cols - l.col - AROUND_TITLE - ctx - title_keep(v, 0);
        l.end = l.col + (most < 0 ? 0 : most < cols / 3 ? most : cols / 3);
        line_put_cut(&l, STYLE_HEADER, v->settings, v->ascii);
    }
    int room = cols - l.col - AROUND_TITLE;
    room -= title_keep(v, room - ctx);
    header_right(v, room, &right);
    int width = text_cells(buf_text(&right), right.bytes);
    l.end = cols - 1 - (width ? width + 2 : 0);
    if (*v->title) {
        line_put(&l, STYLE_HEADER, dot(v));
        line_put_cut(&l, STYLE_HEADER, v->title, v->ascii);
    }
    l.col = cols - 1 - width;
    l.end = cols - 1;
    int gauge_col = l.col + (int)strlen(gauge_head);
    line_put(&l, STYLE_GAUGE, buf_text(&right));
    if (v->strip.n && strncmp(buf_text(&right), gauge_head, strlen(gauge_head)) == 0)
        draw_strip(v, g, row, gauge_col, gauge_cells(room));
    buf_release(&right);
}

static void progress_text(const struct view *v, struct buf *out)
{
    char done[16], total[16];
    uint64_t n = v->done > 0 ? (uint64_t)v->done : 0;
    status_count(done, sizeof done, n);
    status_count(total, sizeof total, (uint64_t)v->total);
    gauge(out, v->ascii, n, (uint64_t)v->total, BAR_CELLS);
    buf_printf(out, " %s/%s", done, total);
}

/* The first key of the hint, without which a list or the reader could not be left. */
static int first_key_cells(const struct view *v)
{
    const char *end = strstr(v->hint, "  ");
    return text_cells(v->hint, end ? (size_t)(end - v->hint) : strlen(v->hint));
}

/* How many cells a status row has for text. */
static int status_room(int cols)
{
    return cols > 2 ? cols - 2 : cols;
}

/* What became of the search, and how much room that leaves to its text. */
static int search_found(const struct view *v, int room, char *out, size_t bytes)
{
    *out = 0;
    if (*v->search && v->found && v->found_now)
        snprintf(out, bytes, "  %d of %d", v->found_now, v->found);
    else if (*v->search && v->found)
        snprintf(out, bytes, "  %d found", v->found);
    else if (*v->search)
        snprintf(out, bytes, "  not found");
    room -= 1 + 2 + first_key_cells(v);
    if ((int)strlen(out) + 4 > room) /* it says more what is looked for */
        *out = 0;
    return room - (int)strlen(out);
}

/* Of a text that is too long its end, which is being typed, behind an ellipsis. */
static void search_shown(const struct view *v, int room, struct buf *out)
{
    const char *text = v->search, *dots = v->ascii ? "..." : "…";
    int n = text_cells(dots, strlen(dots));
    if (text_cells(text, strlen(text)) > room && room > n) {
        buf_puts(out, dots);
        while (text_cells(text, strlen(text)) > room - n)
            text += text_cluster(text, strlen(text));
    }
    buf_puts(out, text);
}

static void search_text(const struct view *v, int room, struct buf *out)
{
    char found[40];
    room = search_found(v, room, found, sizeof found);
    buf_puts(out, "/");
    search_shown(v, room, out);
    buf_puts(out, found);
}

int status_search_col(const struct view *v, int cols)
{
    char found[40];
    struct buf shown = {0};
    search_shown(v, search_found(v, status_room(cols), found, sizeof found), &shown);
    int at = (cols > 2) + 1 + text_cells(buf_text(&shown), shown.bytes);
    buf_release(&shown);
    return at < cols ? at : cols - 1;
}

/* Adds what may be missing, if there is room for it. */
static void put_if_fits(struct buf *out, int room, const char *text)
{
    if (text_cells(buf_text(out), out->bytes) + text_cells(text, strlen(text)) <= room)
        buf_puts(out, text);
}

/* Whether the context has room for the draft; as long as its size is not known it has. */
static bool fits(const struct view *v)
{
    return v->ctx_total <= 0 || v->ctx_used + v->draft_tokens <= v->ctx_total;
}

/* When an answer would begin. */
static void first_word(const struct view *v, int room, struct buf *out)
{
    char text[60];
    snprintf(text, sizeof text, "%s~%.1f s to the first word", dot(v), v->first_s);
    put_if_fits(out, room, text);
}

/* What of it need not be read, how fast the rest goes, and when it is over. */
static void reading(const struct view *v, int room, struct buf *out)
{
    char text[60], held[16];
    double left = v->read_tok_s > 0 ? (v->total - v->done) / v->read_tok_s : 0;
    if (v->read_tok_s > 0) {
        snprintf(text, sizeof text, "%s%.0f tok/s%s%.0f s left", dot(v), v->read_tok_s, dot(v),
                 left);
        put_if_fits(out, room, text);
    }
    if (v->held > 0) {
        status_count(held, sizeof held, (uint64_t)v->held);
        snprintf(text, sizeof text, "%s%s from the cache", dot(v), held);
        put_if_fits(out, room, text);
    }
}

/* How many ids were tried ahead, and how many of them came. The hint is worth more. */
static void ahead(const struct view *v, int room, struct buf *out)
{
    char text[60];
    room -= text_cells(v->hint, strlen(v->hint)) + 2;
    snprintf(text, sizeof text, "%sahead %d/%d", dot(v), v->accepted, v->drafted);
    put_if_fits(out, room, text);
}

/* What the program is doing, and who has the keys. */
static void status_brief(const struct view *v, struct buf *out)
{
    bool reader = v->reader && !v->list;
    buf_printf(out, "%s%s%s", v->state, reader ? dot(v) : "", reader ? "reader" : "");
}

/* Everything on the left, as one text. */
static void status_left(const struct view *v, int room, struct buf *out)
{
    if (v->search) {
        if (!v->search_typed && strcmp(v->state, "idle") != 0)
            buf_printf(out, "%s%s", v->state, dot(v));
        search_text(v, room - text_cells(buf_text(out), out->bytes), out);
        return;
    }
    status_brief(v, out);
    if (v->total > 0) {
        buf_puts(out, " ");
        progress_text(v, out);
    } else if (v->draft_tokens > 0)
        buf_printf(out, "%sdraft ~%d tok", dot(v), v->draft_tokens);
    else if (v->tok_s > 0)
        buf_printf(out, "%s%.*f tok/s", dot(v), v->tok_s < 99.95, v->tok_s);
    if (v->re_read >= 0 && v->total <= 0)
        buf_printf(out, "%sre-read %d", dot(v), v->re_read);
    if (v->draft_tokens > 0 && !fits(v))
        buf_printf(out, "%sthere is room for %d", dot(v), v->ctx_total - v->ctx_used);
    else if (v->draft_tokens > 0 && v->first_s > 0)
        first_word(v, room, out);
    if (v->queued > 0)
        buf_printf(out, "%squeued %d", dot(v), v->queued);
    if (v->total > 0)
        reading(v, room, out);
    if (v->drafted > 0)
        ahead(v, room, out);
}

void status_cut(const char *hint, int room, struct buf *out)
{
    buf_puts(out, hint);
    while (out->bytes && text_cells(buf_text(out), out->bytes) > room) {
        size_t at = out->bytes;
        while (at && !(hint[at] == ' ' && hint[at - 1] == ' '))
            at--;
        out->bytes = at ? at - 1 : 0;
        out->data[out->bytes] = 0;
    }
}

/* Somewhere that has to be left: its keys are worth more than the figures. */
static bool is_elsewhere(const struct view *v)
{
    return v->list || v->reader || v->search || v->heading_first;
}

/* ---- a notice ----------------------------------------------------------------------------- */

static bool has_message(const struct view *v)
{
    return v->message && *v->message;
}

/* The state and, behind it, the notice. Returns the bytes of the state, 0 where it has no room. */
static size_t message_text(const struct view *v, int room, struct buf *out)
{
    status_brief(v, out);
    buf_puts(out, dot(v));
    if (text_cells(buf_text(out), out->bytes) > room / 2)
        buf_clear(out);
    size_t n = out->bytes;
    text_display(out, v->message, strlen(v->message));
    return n;
}

int status_rows(const struct view *v, int cols)
{
    struct wrap_row w = {.more = true};
    struct buf text = {0};
    int room = status_room(cols), rows = 0;
    if (!has_message(v) || room < 1)
        return 1;
    message_text(v, room, &text);
    for (; w.more; rows++)
        wrap_row(buf_text(&text), text.bytes, w.next, room, WRAP_WORDS, &w);
    int last = text_cells(buf_text(&text) + w.start, w.bytes);
    buf_release(&text);
    return rows + (is_elsewhere(v) && last + 2 + first_key_cells(v) > room);
}

/* The keys where something is to be left, else the figures, if there is room for all of them. */
static void beside_message(const struct view *v, int room, struct buf *out)
{
    struct buf left = {0}, brief = {0};
    status_brief(v, &brief);
    status_left(v, room, &left);
    size_t skip = brief.bytes + strlen(dot(v));
    if (is_elsewhere(v))
        status_cut(v->hint, room, out);
    else if (left.bytes > skip && text_cells(left.data + skip, left.bytes - skip) <= room)
        buf_puts(out, left.data + skip);
    buf_release(&left);
    buf_release(&brief);
}

static void draw_message(const struct view *v, struct grid *g, const struct rect *box,
                         struct line *l)
{
    enum style s = v->message_is_error ? STYLE_ERROR : STYLE_NOTE;
    int room = l->end - l->col, left = l->col, row = 0;
    int keys = is_elsewhere(v) ? first_key_cells(v) + 2 : 0;
    struct wrap_row w = {.more = true};
    struct buf text = {0}, one = {0};
    size_t state = message_text(v, room, &text);
    for (; w.more && row < box->rows; row++, state = 0) {
        bool last = row == box->rows - 1;
        wrap_row(buf_text(&text), text.bytes, w.next, room, WRAP_WORDS, &w);
        *l = (struct line){g, box->row + row, left, left + room};
        buf_clear(&one);
        buf_append(&one, buf_text(&text), state);
        line_put(l, STYLE_STATUS, buf_text(&one));
        l->end -= last && keys + 2 < room ? keys : 0;
        buf_clear(&one);
        buf_append(&one, buf_text(&text) + w.start + state,
                   (last ? text.bytes - w.start : w.bytes) - state);
        line_put_cut(l, s, buf_text(&one), v->ascii);
    }
    if (row < box->rows)
        *l = (struct line){g, box->row + box->rows - 1, left - 2, 0};
    l->end = left + room;
    buf_clear(&one);
    beside_message(v, l->end - l->col - 2, &one);
    l->col = l->end - text_cells(buf_text(&one), one.bytes);
    line_put(l, STYLE_STATUS, buf_text(&one));
    buf_release(&text);
    buf_release(&one);
}

/* ---- the row ------------------------------------------------------------------------------ */

/* As much of the state as leaves room for the keys; of those a list needs the first. */
static void fit_left(const struct view *v, int room, struct buf *left)
{
    int keys = text_cells(v->hint, strlen(v->hint)) + 2;
    status_left(v, room, left);
    if (!is_elsewhere(v) || v->search)
        return;
    if (!v->total && text_cells(buf_text(left), left->bytes) + keys > room) {
        buf_clear(left);
        status_brief(v, left);
    }
    int n = text_cells(buf_text(left), left->bytes), first = 2 + first_key_cells(v);
    if (v->total && n + first > room) {
        buf_clear(left);
        buf_printf(left, "%s ", v->state);
        progress_text(v, left);
        n = text_cells(buf_text(left), left->bytes);
    }
    bool all = !v->total && keys - 2 <= room && n + keys > room;
    if (all || n + first > room)
        buf_clear(left);
}

void status_draw(const struct view *v, struct grid *g, const struct rect *box)
{
    int cols = box->cols;
    struct line l = {g, box->row, cols > 2, cols > 2 ? cols - 1 : cols};
    struct buf left = {0}, hint = {0};
    for (int i = 0; i < box->rows; i++)
        grid_fill(g, box->row + i, 0, cols, STYLE_STATUS, " ");
    if (has_message(v) && !v->search_typed) {
        draw_message(v, g, box, &l);
        return;
    }
    fit_left(v, l.end - l.col, &left);
    line_put(&l, STYLE_STATUS, buf_text(&left));
    status_cut(v->hint, l.end - l.col - (left.bytes ? 2 : 0), &hint);
    l.col = l.end - text_cells(buf_text(&hint), hint.bytes);
    line_put(&l, STYLE_STATUS, buf_text(&hint));
    buf_release(&left);
    buf_release(&hint);
}
