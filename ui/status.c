/* status.c -- see status.h. */
#include "ui/status.h"

#include <stdio.h>
#include <string.h>

#include "ui/layout.h"
#include "ui/text.h"

enum {
    GAUGE_CELLS = 8, BAR_CELLS = 12, TITLE_MIN = 8,
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
    if (v->kv_bytes >= 10000000)
        buf_printf(out, "kv %llu MB", (unsigned long long)(v->kv_bytes / 1000000));
    else if (v->kv_bytes)
        buf_printf(out, "kv %.1f MB", (double)v->kv_bytes / 1e6);
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

void status_draw_header(const struct view *v, struct grid *g, int row, int cols)
{
    struct buf right = {0};
    struct line l = {g, row, 1, cols - 1};
    grid_fill(g, row, 0, cols, STYLE_HEADER, " ");
    line_put(&l, v->mode_style, v->mode);
    if (v->settings && *v->settings) {
        line_put(&l, STYLE_HEADER, " ");
        l.end = l.col + cols / 3;
        line_put_cut(&l, STYLE_HEADER, v->settings, v->ascii);
    }
    int title = text_cells(v->title, strlen(v->title));
    int keep = title < TITLE_MIN ? title : cols < LAYOUT_NARROW_COLS ? TITLE_MIN : 2 * TITLE_MIN;
    int room = cols - l.col - keep - 6;
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

static void search_text(const struct view *v, struct buf *out)
{
    buf_printf(out, "/%s", v->search);
    if (!*v->search)
        return;
    if (v->found && v->found_now)
        buf_printf(out, "  %d of %d", v->found_now, v->found);
    else if (v->found)
        buf_printf(out, "  %d found", v->found);
    else
        buf_puts(out, "  not found");
}

int status_search_col(const struct view *v, int cols)
{
    int at = (cols > 2) + 1 + text_cells(v->search, strlen(v->search));
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

/* Everything on the left, as one text. */
static void status_left(const struct view *v, int room, struct buf *out)
{
    if (v->search) {
        if (!v->search_typed && strcmp(v->state, "idle") != 0)
            buf_printf(out, "%s%s", v->state, dot(v));
        search_text(v, out);
        return;
    }
    buf_puts(out, v->state);
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

/* A message, and the keys in a list and in the reader, are worth more than the figures. */
static void status_brief(const struct view *v, struct buf *out)
{
    bool reader = v->reader && !v->list;
    buf_clear(out);
    buf_printf(out, "%s%s%s", v->state, reader ? dot(v) : "", reader ? "reader" : "");
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

void status_draw(const struct view *v, struct grid *g, int row, int cols)
{
    struct line l = {g, row, cols > 2, cols > 2 ? cols - 1 : cols};
    int room = l.end - l.col, cells = text_cells(v->hint, strlen(v->hint));
    struct buf left = {0}, hint = {0};
    grid_fill(g, row, 0, cols, STYLE_STATUS, " ");
    status_left(v, room, &left);
    int n = text_cells(buf_text(&left), left.bytes);
    bool message = v->hint_is_error || v->hint_is_message;
    bool brief = message || ((v->list || v->reader) && !v->total);
    if (brief && !v->search && n + 2 + cells > room) {
        status_brief(v, &left);
        n = text_cells(buf_text(&left), left.bytes);
    }
    enum style s = v->hint_is_error ? STYLE_ERROR : STYLE_STATUS;
    if (message && n + 2 + cells > room) {
        line_put_cut(&l, s, v->hint, v->ascii);
    } else {
        line_put(&l, STYLE_STATUS, buf_text(&left));
        status_cut(v->hint, room - n - 2, &hint);
        l.col = l.end - text_cells(buf_text(&hint), hint.bytes);
        line_put(&l, s, buf_text(&hint));
    }
    buf_release(&left);
    buf_release(&hint);
}
