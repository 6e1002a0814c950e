/* list.c -- see list.h. */
#include "ui/list.h"

#include <stdlib.h>
#include <string.h>

#include "ui/field.h"
#include "ui/text.h"
#include "ui/wrap.h"

struct item {
    char *left, *right;
    char *folded; /* both, case-folded: what the filter looks into */
    bool found;   /* it passes all the same: list_found() */
};

struct list {
    char *title;
    bool choose, ascii;
    struct item *item;
    int n, cap;
    int *shown; /* [n_shown] numbers of the rows that pass the filter */
    int n_shown, cap_shown;
    struct buf filter;
    int at;   /* the bar, an index into shown */
    int top;  /* first row drawn */
    int rows, cols; /* drawn last time, for paging */
};

enum {
    LEFT_MARGIN = 2,
    SIDE_COLS = 50, /* narrower texts to read have their right part below the left one */
    BELOW_INDENT = 4,
    BESIDE = LEFT_MARGIN + 3, /* around two texts in a row: two blanks between, one behind */
};

struct list *list_new(const char *title, bool choose)
{
    struct list *l = mem_new(sizeof *l);
    l->title = mem_dup(title);
    l->choose = choose;
    l->rows = 1;
    l->cols = 80;
    return l;
}

void list_free(struct list **list)
{
    struct list *l = *list;
    if (!l)
        return;
    for (int i = 0; i < l->n; i++) {
        free(l->item[i].left);
        free(l->item[i].right);
        free(l->item[i].folded);
    }
    free(l->item);
    free(l->shown);
    free(l->title);
    buf_release(&l->filter);
    free(l);
    *list = NULL;
}

static void show_item(struct list *l, int i)
{
    if (l->n_shown == l->cap_shown) {
        l->cap_shown = l->cap_shown ? l->cap_shown * 2 : 16;
        l->shown = mem_grow(l->shown, (size_t)l->cap_shown * sizeof *l->shown);
    }
    l->shown[l->n_shown++] = i;
}

static bool passes(const struct item *it, const char *folded)
{
    return strstr(it->folded, folded) != NULL;
}

/* The rows for the filter as it is now. */
static void list_pass(struct list *l)
{
    struct buf folded = {0};
    text_fold(&folded, buf_text(&l->filter), l->filter.bytes);
    l->n_shown = 0;
    for (int i = 0; i < l->n; i++)
        if (l->item[i].found || passes(&l->item[i], buf_text(&folded)))
            show_item(l, i);
    buf_release(&folded);
}

/* The filter is another one. */
static void list_refill(struct list *l)
{
    l->at = l->top = 0;
    for (int i = 0; i < l->n; i++)
        l->item[i].found = false;
    list_pass(l);
}

const char *list_filter(const struct list *l)
{
    return buf_text(&l->filter);
}

void list_filter_set(struct list *l, const char *text)
{
    buf_clear(&l->filter);
    buf_puts(&l->filter, text);
    list_refill(l);
}

void list_title(struct list *l, const char *title)
{
    char *made = mem_dup(title);
    free(l->title);
    l->title = made;
}

void list_ascii(struct list *l, bool ascii)
{
    l->ascii = ascii;
}

void list_go(struct list *l, int i)
{
    for (int k = 0; k < l->n_shown; k++)
        if (l->shown[k] == i)
            l->at = k;
}

void list_found(struct list *l, int i)
{
    int bar = list_chosen(l);
    l->item[i].found = true;
    list_pass(l);
    if (l->at > 0) /* the bar stays where it is, at the top or on its row */
        list_go(l, bar);
}

int list_add(struct list *l, const char *left, const char *right)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->item = mem_grow(l->item, (size_t)l->cap * sizeof *l->item);
    }
    struct buf folded = {0};
    text_fold(&folded, left, strlen(left));
    buf_puts(&folded, "\n");
    text_fold(&folded, right, strlen(right));
    l->item[l->n] = (struct item){mem_dup(left), mem_dup(right), buf_take(&folded), false};
    folded = (struct buf){0};
    text_fold(&folded, buf_text(&l->filter), l->filter.bytes);
    if (passes(&l->item[l->n], buf_text(&folded)))
        show_item(l, l->n);
    buf_release(&folded);
    return l->n++;
}

int list_chosen(const struct list *l)
{
    return l->choose && l->at < l->n_shown ? l->shown[l->at] : -1;
}

int list_first(const struct list *l)
{
    return l->n_shown ? l->shown[0] : -1;
}

/* ---- a text to read: left and right side by side, the right one in as many rows as it takes -- */

static int longest_left(const struct list *l)
{
    int longest = 0;
    for (int i = 0; i < l->n; i++) {
        int n = text_cells(l->item[i].left, strlen(l->item[i].left));
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* In a narrow view, unless all left texts are short, the right ones stand below them. */
static bool stands_below(const struct list *l)
{
    return l->cols < SIDE_COLS && longest_left(l) > l->cols / 6;
}

/* Where the right texts begin: behind the longest left one, if that leaves them room. */
static int right_col(const struct list *l)
{
    if (stands_below(l))
        return BELOW_INDENT;
    int longest = longest_left(l), most = l->cols * 2 / 5;
    return LEFT_MARGIN + (longest < most ? longest : most) + 2;
}

static int right_cols(const struct list *l)
{
    int n = l->cols - right_col(l) - 1;
    return n > 1 ? n : 1;
}

/* The row of an item in which its right text begins. */
static int right_row(const struct list *l, const struct item *it)
{
    int n = text_cells(it->left, strlen(it->left));
    return n && (stands_below(l) || LEFT_MARGIN + n + 2 > right_col(l));
}

static int item_rows(const struct list *l, const struct item *it)
{
    size_t bytes = strlen(it->right);
    if (l->choose || !bytes)
        return 1;
    struct wrap_row w = {.more = true};
    int rows = right_row(l, it);
    for (; w.more; rows++)
        wrap_row(it->right, bytes, w.next, right_cols(l), WRAP_WORDS, &w);
    return rows;
}

/* The first item of the last page. */
static int last_top(const struct list *l)
{
    int rows = l->rows, i = l->n_shown;
    while (i > 0 && (rows -= item_rows(l, &l->item[l->shown[i - 1]])) >= 0)
        i--;
    return i < l->n_shown || !i ? i : i - 1;
}

/* ---- keys --------------------------------------------------------------------------------- */

/* The bar, or the text itself where there is none to choose. */
static void list_move(struct list *l, int rows)
{
    int *at = l->choose ? &l->at : &l->top;
    int last = l->choose ? l->n_shown - 1 : last_top(l);
    *at = rows > last - *at ? last : *at + rows;
    if (*at < 0)
        *at = 0;
}

static enum list_result list_type(struct list *l, const struct key *k)
{
    if (field_key(&l->filter, k))
        list_refill(l);
    return LIST_MORE;
}

enum list_result list_key(struct list *l, const struct key *k)
{
    switch (k->code) {
    case KEYCODE_ESC:
        return LIST_CLOSED;
    case KEYCODE_ENTER:
        if (!l->choose)
            return LIST_CLOSED;
        return list_chosen(l) >= 0 ? LIST_CHOSEN : LIST_MORE;
    case KEYCODE_UP:
        list_move(l, -1);
        break;
    case KEYCODE_DOWN:
        list_move(l, 1);
        break;
    case KEYCODE_WHEEL_UP:
        list_move(l, -3);
        break;
    case KEYCODE_WHEEL_DOWN:
        list_move(l, 3);
        break;
    case KEYCODE_PGUP:
        list_move(l, -l->rows);
        break;
    case KEYCODE_PGDN:
        list_move(l, l->rows);
        break;
    case KEYCODE_HOME:
        list_move(l, -l->n_shown);
        break;
    case KEYCODE_END:
        list_move(l, l->n_shown);
        break;
    default:
        return list_type(l, k);
    }
    return LIST_MORE;
}

bool list_point(struct list *l, int row)
{
    int at = l->top + row - 1;
    if (!l->choose || row < 1 || at >= l->n_shown)
        return false;
    bool there = at == l->at;
    l->at = at;
    return there;
}

static int put_shown(struct grid *g, int row, int col, int cols, enum style s, const char *text)
{
    struct buf shown = {0};
    text_display(&shown, text, strlen(text));
    int n = grid_put(g, row, col, cols, s, buf_text(&shown), shown.bytes);
    buf_release(&shown);
    return n;
}

/* The same, cut with an ellipsis. */
static void put_cut(const struct list *l, struct grid *g, int row, int col, int cols, enum style s,
                    const char *text)
{
    struct buf shown = {0};
    const char *dots = l->ascii ? "..." : "…";
    int n = text_cells(dots, strlen(dots));
    text_display(&shown, text, strlen(text));
    if (text_cells(buf_text(&shown), shown.bytes) <= cols || cols < n) {
        grid_put(g, row, col, cols, s, buf_text(&shown), shown.bytes);
    } else {
        int at = grid_put(g, row, col, cols - n, s, buf_text(&shown), shown.bytes);
        grid_put(g, row, col + at, n, s, dots, strlen(dots));
    }
    buf_release(&shown);
}

static void draw_title(const struct list *l, struct grid *g, int row, int col, int cols)
{
    int n = put_shown(g, row, col, cols, STYLE_LABEL, l->title);
    if (!l->filter.bytes)
        return;
    n += put_shown(g, row, col + n, cols - n, STYLE_DIM, "  / ");
    put_shown(g, row, col + n, cols - n, STYLE_TEXT, buf_text(&l->filter));
}

/* The end of the piece of a right text before byte n, pieces being parted by commas or by two
 * blanks; 0 = there is none. */
static size_t piece_before(const char *text, size_t n)
{
    while (n && text[n - 1] != ',' && !(n > 1 && text[n - 1] == ' ' && text[n - 2] == ' '))
        n--;
    while (n && (text[n - 1] == ',' || text[n - 1] == ' '))
        n--;
    return n;
}

/* How many bytes of the right text, up to the end of one of its pieces, have room. The first has,
 * if it is short: the left text is then cut for it. */
static size_t right_bytes(const struct item *it, int room, int cols)
{
    size_t n = strlen(it->right), first;
    while (n && text_cells(it->right, n) > room) {
        first = n;
        n = piece_before(it->right, n);
        if (!n && text_cells(it->right, first) <= cols / 3)
            return first;
    }
    return n;
}

/* One row to choose: the right text at the right edge. */
static void draw_choice(const struct list *l, struct grid *g, int i, int row, int col, int cols)
{
    const struct item *it = &l->item[l->shown[i]];
    bool bar = i == l->at;
    int all = text_cells(it->right, strlen(it->right)), left = cols - LEFT_MARGIN;
    int own = text_cells(it->left, strlen(it->left));
    grid_fill(g, row, col, cols, bar ? STYLE_SELECTED : STYLE_TEXT, " ");
    if (bar)
        grid_put(g, row, col, 1, STYLE_SELECTED, ">", 1);
    /* The left text matters more: pieces of the right one are left out where both do not fit. */
    size_t bytes = right_bytes(it, all + 24 <= cols ? all : cols - own - BESIDE, cols);
    int right = text_cells(it->right, bytes);
    if (right && own + right + BESIDE > cols)
        left = cols - right - BESIDE;
    put_cut(l, g, row, col + LEFT_MARGIN, left, bar ? STYLE_SELECTED : STYLE_TEXT, it->left);
    if (right)
        put_shown(g, row, col + cols - right - 1, right, bar ? STYLE_SELECTED : STYLE_DIM,
                  it->right);
}

/* A row of the rectangle a text to read is drawn into; those below `end` are left out. */
struct pen {
    int row, end, col;
};

/* The first one that was found stands out: Enter may take it. */
static void draw_text(const struct list *l, struct grid *g, const struct item *it, struct pen *p)
{
    bool first = l->filter.bytes && it == &l->item[list_first(l)];
    struct wrap_row w = {.more = true};
    size_t bytes = strlen(it->right);
    int next = p->row + item_rows(l, it);
    put_cut(l, g, p->row, p->col + LEFT_MARGIN, l->cols - LEFT_MARGIN,
            first ? STYLE_SELECTED : STYLE_LABEL, it->left);
    for (int row = p->row + right_row(l, it); bytes && w.more && row < p->end; row++) {
        wrap_row(it->right, bytes, w.next, right_cols(l), WRAP_WORDS, &w);
        struct buf shown = {0};
        text_display(&shown, it->right + w.start, w.bytes);
        grid_put(g, row, p->col + right_col(l), right_cols(l), STYLE_TEXT, buf_text(&shown),
                 shown.bytes);
        buf_release(&shown);
    }
    p->row = next;
}

static void keep_bar_in_view(struct list *l)
{
    if (!l->choose)
        return;
    if (l->at < l->top)
        l->top = l->at;
    if (l->at >= l->top + l->rows)
        l->top = l->at - l->rows + 1;
}

/* That there is more, above the first row of the list or below its last one. */
static void draw_more(const struct list *l, struct grid *g, int row, int col, bool below)
{
    const char *sign = below ? (l->ascii ? "v" : "↓") : l->ascii ? "^" : "↑";
    if (l->rows > 1 && l->cols > LEFT_MARGIN)
        grid_put(g, below ? row + l->rows : row + 1, col + l->cols - 1, 1, STYLE_NOTE, sign,
                 strlen(sign));
}

void list_draw(struct list *l, struct grid *g, int row, int col, int rows, int cols)
{
    if (rows < 1 || cols < 1)
        return;
    for (int i = 0; i < rows; i++)
        grid_fill(g, row + i, col, cols, STYLE_TEXT, " ");
    draw_title(l, g, row, col, cols);
    l->rows = rows > 1 ? rows - 1 : 1;
    l->cols = cols;
    keep_bar_in_view(l);
    int last = last_top(l);
    if (l->top > last)
        l->top = last;
    struct pen p = {row + 1, row + rows, col};
    int i = l->top;
    for (; i < l->n_shown && p.row < p.end; i++) {
        if (l->choose)
            draw_choice(l, g, i, p.row++, col, cols);
        else
            draw_text(l, g, &l->item[l->shown[i]], &p);
    }
    if (l->top > 0)
        draw_more(l, g, row, col, false);
    if (i < l->n_shown || p.row > p.end)
        draw_more(l, g, row, col, true);
    if (!l->n_shown && rows > 1)
        put_shown(g, row + 1, col + 2, cols - 2, STYLE_DIM, l->n ? "no match" : "nothing yet");
}
