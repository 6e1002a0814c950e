/* list.c -- see list.h. */
#include "ui/list.h"

#include <stdlib.h>
#include <string.h>

#include "ui/text.h"

struct item {
    char *left, *right;
    char *folded; /* both, case-folded: what the filter looks into */
};

struct list {
    char *title;
    bool choose;
    struct item *item;
    int n, cap;
    int *shown; /* [n_shown] numbers of the rows that pass the filter */
    int n_shown, cap_shown;
    struct buf filter;
    int at;   /* the bar, an index into shown */
    int top;  /* first row drawn */
    int rows; /* drawn last time, for paging */
};

struct list *list_new(const char *title, bool choose)
{
    struct list *l = mem_new(sizeof *l);
    l->title = mem_dup(title);
    l->choose = choose;
    l->rows = 1;
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

static void list_filter(struct list *l)
{
    struct buf folded = {0};
    text_fold(&folded, buf_text(&l->filter), l->filter.bytes);
    l->n_shown = l->at = l->top = 0;
    for (int i = 0; i < l->n; i++)
        if (passes(&l->item[i], buf_text(&folded)))
            show_item(l, i);
    buf_release(&folded);
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
    l->item[l->n] = (struct item){mem_dup(left), mem_dup(right), buf_take(&folded)};
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

/* The bar, or the text itself where there is none to choose. */
static void list_move(struct list *l, int rows)
{
    int *at = l->choose ? &l->at : &l->top;
    int last = l->choose ? l->n_shown - 1 : l->n_shown - l->rows;
    *at = rows > last - *at ? last : *at + rows;
    if (*at < 0)
        *at = 0;
}

static enum list_result list_type(struct list *l, const struct key *k)
{
    if (k->code == KEYCODE_CHAR && !k->mod) {
        char text[4];
        buf_append(&l->filter, text, (size_t)text_encode(k->ch, text));
    } else if (k->code == KEYCODE_BACKSPACE && l->filter.bytes) {
        l->filter.bytes = text_cluster_before(l->filter.data, l->filter.bytes);
        l->filter.data[l->filter.bytes] = 0;
    } else {
        return LIST_MORE;
    }
    list_filter(l);
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

static int put_shown(struct grid *g, int row, int col, int cols, enum style s, const char *text)
{
    struct buf shown = {0};
    text_display(&shown, text, strlen(text));
    int n = grid_put(g, row, col, cols, s, buf_text(&shown), shown.bytes);
    buf_release(&shown);
    return n;
}

static void draw_title(const struct list *l, struct grid *g, int row, int col, int cols)
{
    int n = put_shown(g, row, col, cols, STYLE_LABEL, l->title);
    if (!l->filter.bytes)
        return;
    n += put_shown(g, row, col + n, cols - n, STYLE_DIM, "  / ");
    put_shown(g, row, col + n, cols - n, STYLE_TEXT, buf_text(&l->filter));
}

static void draw_item(const struct list *l, struct grid *g, int i, int row, int col, int cols)
{
    const struct item *it = &l->item[l->shown[i]];
    bool bar = l->choose && i == l->at;
    int right = text_cells(it->right, strlen(it->right)), left = cols - 2;
    grid_fill(g, row, col, cols, bar ? STYLE_SELECTED : STYLE_TEXT, " ");
    if (bar)
        grid_put(g, row, col, 1, STYLE_SELECTED, ">", 1);
    /* The left text matters more: the right one is left out where both do not fit. */
    bool both = right && text_cells(it->left, strlen(it->left)) + right + 4 <= cols;
    if (!both && right && right + 24 <= cols) {
        both = true;
        left = cols - right - 4;
    }
    put_shown(g, row, col + 2, left, bar ? STYLE_SELECTED : STYLE_TEXT, it->left);
    if (both)
        put_shown(g, row, col + cols - right - 1, right, bar ? STYLE_SELECTED : STYLE_DIM,
                  it->right);
}

void list_draw(struct list *l, struct grid *g, int row, int col, int rows, int cols)
{
    if (rows < 1 || cols < 1)
        return;
    for (int i = 0; i < rows; i++)
        grid_fill(g, row + i, col, cols, STYLE_TEXT, " ");
    draw_title(l, g, row, col, cols);
    l->rows = rows > 1 ? rows - 1 : 1;
    if (l->choose) {
        if (l->at < l->top)
            l->top = l->at;
        if (l->at >= l->top + l->rows)
            l->top = l->at - l->rows + 1;
    }
    if (l->top > l->n_shown - l->rows)
        l->top = l->n_shown > l->rows ? l->n_shown - l->rows : 0;
    for (int i = 0; i < rows - 1 && l->top + i < l->n_shown; i++)
        draw_item(l, g, l->top + i, row + 1 + i, col, cols);
    if (!l->n_shown && rows > 1)
        put_shown(g, row + 1, col + 2, cols - 2, STYLE_DIM, l->n ? "no match" : "nothing yet");
}
