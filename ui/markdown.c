/* markdown.c -- see markdown.h. The only file that includes md4c.
 *
 * A piece of the text (boundary.h) is read by md4c, whose calls become rows at once: paragraphs
 * are collected as a leaf and wrapped when they end, cells of a table likewise. Blocks of code at
 * the first column need no parser: they are taken line by line, so that the longest costs only
 * its last line. `kept` is the state behind all that cannot change any more; every layout begins
 * there. */
#include "ui/markdown.h"

#include <md4c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/boundary.h"
#include "ui/code.h"
#include "ui/table.h"
#include "ui/text.h"

enum {
    CODE_INDENT = 2,
    NUMBER_COLS = 72, /* the number of a block stands no further right */
    LANG_BYTES = 24,
    CELLS_SPARE = 64, /* cells of tables that need not stand in the text: md4c fills up rows */
};

/* What the next block has above it, which decides about a blank row. */
enum above { ABOVE_NOTHING, ABOVE_BLOCK, ABOVE_HEADING, ABOVE_PARAGRAPH, ABOVE_CODE };

/* A block of code that is open at the first column. */
struct open_code {
    struct fence fence; /* sign 0 = none; info is not kept */
    const struct code_lang *lang;
    unsigned state;
};

struct code_block {
    size_t at, bytes; /* in the text, or in the rows' own */
    bool own;
};

/* Everything that stands for the text before `at`. */
struct mark {
    size_t at, own;
    int n_row, n_run, n_code;
    uint32_t source;
    enum above above;
    struct open_code open;
    size_t defined; /* bytes of the definitions before it */
};

struct list {
    bool ordered, tight;
    unsigned number;
};

struct markdown {
    const char *text;        /* borrowed */
    size_t bytes;
    struct rows rows;
    struct code_block *code; /* [n_code], owned */
    int n_code, cap_code;
    int first_code;          /* number of the first one */
    enum above above;
    struct open_code open;
    struct mark kept;
    struct open_code begin;  /* what is open where the text begins */
    bool whole;
    bool ended;              /* nothing follows the text */
    bool stale;              /* that is news */
    struct buf define;       /* all link definitions of the text, line by line */
    size_t defined;          /* bytes of them met so far */

    /* while md4c reads */
    struct buf piece;        /* what it reads: the definitions that a piece may need stand before
                              * it, and it looks beyond the end sometimes (0.4.8) */
    struct leaf leaf;
    struct leaf *to;         /* where text goes: the leaf, or the table's */
    struct table table;
    struct list list[LEVELS_MAX];
    int n_list;
    bool tight[LEVELS_MAX];  /* of the levels of rows */
    int strong, emphasis, strike, link, in_code, math;
    enum style base;
    size_t link_start;
    struct buf href;
    struct buf line;         /* of a block of code */
    const char *line_source; /* where it stands in the text, NULL if it had to be made */
    struct buf copy;         /* all of the block */
    const struct code_lang *lang; /* of the block that is open; NULL = none is */
    unsigned lex;
    size_t n_cells, cells_max;
};

/* ---- blank rows --------------------------------------------------------------------------- */

static bool in_tight(const struct markdown *m)
{
    int n = m->rows.n_level;
    return n && n <= LEVELS_MAX && m->tight[n - 1];
}

/* A block begins: a blank row above it, or none. */
static void gap(struct markdown *m, bool joins_paragraph)
{
    bool none = m->above == ABOVE_NOTHING || m->above == ABOVE_HEADING || in_tight(m) ||
                (joins_paragraph && m->above == ABOVE_PARAGRAPH);
    if (!none)
        rows_begin(&m->rows);
}

/* ---- code --------------------------------------------------------------------------------- */

static bool is_name(char c, bool inside)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (inside && c && strchr("+-#_.", c));
}

/* The name of the language in what stands behind a fence: "c", "{.python title=x}". */
static size_t lang_name(const char **info, size_t bytes)
{
    size_t n = 0;
    for (; bytes && (**info == '{' || **info == '.'); bytes--)
        ++*info;
    while (n < bytes && n < LANG_BYTES && is_name((*info)[n], n > 0))
        n++;
    return n;
}

static const struct code_lang *lang_of(const char *info, size_t bytes)
{
    size_t n = lang_name(&info, bytes);
    return code_lang(info, n);
}

static struct code_block *code_push(struct markdown *m)
{
    if (m->n_code == m->cap_code) {
        m->cap_code = m->cap_code ? m->cap_code * 2 : 8;
        m->code = mem_grow(m->code, (size_t)m->cap_code * sizeof *m->code);
    }
    m->code[m->n_code] = (struct code_block){0};
    return &m->code[m->n_code++];
}

/* The row above a block of code: its language, and its number at the right. */
static void code_head(struct markdown *m, const char *info, size_t bytes)
{
    struct rows *r = &m->rows;
    char number[24];
    int n = m->first_code + m->n_code, width = rows_width(r);
    int name_cells = (int)lang_name(&info, bytes);
    code_push(m);
    gap(m, true);
    rows_begin(r);
    r->row[r->n_row - 1].code = n;
    snprintf(number, sizeof number, r->ascii ? "[%d]" : "⟨%d⟩", n);
    int cells = text_cells(number, strlen(number));
    if (name_cells + cells < width) {
        rows_own(r, STYLE_DIM, info, (size_t)name_cells);
        rows_blanks(r, (width < NUMBER_COLS ? width : NUMBER_COLS) - cells - name_cells);
    }
    rows_own(r, STYLE_DIM, number, strlen(number));
}

/* One line of code. Returns the state of the lexer behind it. */
static unsigned code_rows(struct markdown *m, const struct code_lang *lang, unsigned state,
                          const char *line, size_t bytes)
{
    struct code_line c = {.lang = lang, .state = state, .line = line, .bytes = bytes};
    size_t n, at = 0;
    enum style s;
    int width = rows_width(&m->rows), indent = width > 4 * CODE_INDENT ? CODE_INDENT : 0;
    leaf_clear(&m->leaf);
    while (code_next(&c, &n, &s)) {
        leaf_add(&m->leaf, &m->rows, s, line + at, n);
        at += n;
    }
    bool words = lang && lang == code_lang("diff", 4); /* often of prose */
    leaf_wrap(&m->leaf, &m->rows, indent, width - indent, words ? WRAP_WORDS : WRAP_CELLS);
    leaf_clear(&m->leaf);
    return c.state;
}

/* ---- paragraphs --------------------------------------------------------------------------- */

static enum style text_style(const struct markdown *m)
{
    if (m->in_code || m->math)
        return STYLE_CODE;
    if (m->link)
        return STYLE_LINK;
    if (m->strike)
        return STYLE_STRIKE;
    if (m->base != STYLE_TEXT)
        return m->base;
    return m->strong ? STYLE_STRONG : m->emphasis ? STYLE_EMPHASIS : STYLE_TEXT;
}

static void say(struct markdown *m, enum style s, const char *text)
{
    leaf_add(m->to, &m->rows, s, text, strlen(text));
}

/* Text without tabs: where one stands is not known yet. */
static void say_text(struct markdown *m, const char *text, size_t bytes)
{
    enum style s = text_style(m);
    while (bytes) {
        const char *tab = memchr(text, '\t', bytes);
        size_t n = tab ? (size_t)(tab - text) : bytes;
        leaf_add(m->to, &m->rows, s, text, n);
        if (tab)
            say(m, s, " ");
        text += n + (tab != NULL);
        bytes -= n + (tab != NULL);
    }
}

static void paragraph_end(struct markdown *m, enum above above)
{
    leaf_wrap(&m->leaf, &m->rows, 0, rows_width(&m->rows), WRAP_WORDS);
    leaf_clear(&m->leaf);
    m->above = above;
}

/* The few entities people use; others are shown as they are written. */
static void say_entity(struct markdown *m, const char *text, size_t bytes)
{
    static const struct {
        const char *name;
        uint32_t ch;
    } known[] = {{"&lt;", '<'},      {"&gt;", '>'},     {"&amp;", '&'},    {"&quot;", '"'},
                 {"&apos;", '\''},   {"&nbsp;", 0xA0},  {"&copy;", 0xA9},  {"&hellip;", 0x2026},
                 {"&ndash;", 0x2013}, {"&mdash;", 0x2014}, {"&rarr;", 0x2192}, {"&times;", 0xD7}};
    uint32_t ch = 0;
    char utf8[4], digits[16] = "";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == bytes && memcmp(text, known[i].name, bytes) == 0)
            ch = known[i].ch;
    if (bytes > 3 && bytes < sizeof digits && text[1] == '#') {
        bool hex = text[2] == 'x' || text[2] == 'X';
        memcpy(digits, text + 2 + hex, bytes - 3 - hex);
        ch = (uint32_t)strtoul(digits, NULL, hex ? 16 : 10);
    }
    if (ch)
        leaf_add(m->to, &m->rows, text_style(m), utf8, (size_t)text_encode(ch, utf8));
    else
        say_text(m, text, bytes);
}

/* ---- what md4c says: blocks --------------------------------------------------------------- */

static void push_level(struct markdown *m, const char *first, const char *rest, int cells,
                       enum style s, bool tight)
{
    rows_push_level(&m->rows, first, rest, cells, s);
    if (m->rows.n_level <= LEVELS_MAX)
        m->tight[m->rows.n_level - 1] = tight;
}

static void enter_quote(struct markdown *m)
{
    const char *bar = m->rows.ascii ? "| " : "▌ ";
    gap(m, false);
    push_level(m, bar, bar, 2, STYLE_QUOTE, false);
    m->above = ABOVE_NOTHING;
}

static void enter_list(struct markdown *m, bool ordered, bool tight, unsigned start)
{
    gap(m, true);
    if (m->n_list++ < LEVELS_MAX)
        m->list[m->n_list - 1] = (struct list){ordered, tight, start};
    m->above = ABOVE_NOTHING;
}

static void item_sign(const struct markdown *m, const struct list *l, const MD_BLOCK_LI_DETAIL *d,
                      char *out, size_t bytes)
{
    bool ascii = m->rows.ascii;
    if (d->is_task)
        snprintf(out, bytes, "%s ", d->task_mark == ' ' ? (ascii ? "[ ]" : "☐")
                                                        : (ascii ? "[x]" : "☑"));
    else if (l->ordered)
        snprintf(out, bytes, "%u. ", l->number);
    else
        snprintf(out, bytes, "%s ", ascii ? "-" : m->n_list % 2 ? "•" : "◦");
}

static void enter_item(struct markdown *m, const MD_BLOCK_LI_DETAIL *d)
{
    struct list *l = &m->list[m->n_list <= LEVELS_MAX ? m->n_list - 1 : LEVELS_MAX - 1];
    char sign[24], blanks[24];
    item_sign(m, l, d, sign, sizeof sign);
    int cells = text_cells(sign, strlen(sign));
    snprintf(blanks, sizeof blanks, "%*s", cells, "");
    if (!l->tight)
        gap(m, false);
    push_level(m, sign, blanks, cells, STYLE_LABEL, l->tight);
    l->number++;
    m->above = ABOVE_NOTHING;
}

static void enter_code(struct markdown *m, const MD_BLOCK_CODE_DETAIL *d)
{
    code_head(m, d->info.text, d->info.size);
    m->lang = lang_of(d->info.text, d->info.size);
    m->lex = 0;
    buf_clear(&m->line);
    buf_clear(&m->copy);
    m->line_source = NULL;
}

static void block_code_line(struct markdown *m)
{
    const char *line = m->line_source ? m->line_source : buf_text(&m->line);
    m->lex = code_rows(m, m->lang, m->lex, line, m->line.bytes);
    buf_append(&m->copy, buf_text(&m->line), m->line.bytes);
    buf_puts(&m->copy, "\n");
    buf_clear(&m->line);
    m->line_source = NULL;
}

static bool in_piece(const struct markdown *m, const char *text)
{
    uintptr_t at = (uintptr_t)text, begin = (uintptr_t)m->piece.data;
    return at > begin && at < begin + m->piece.bytes;
}

/* md4c has made blanks of the tabs before this text; behind where the block begins they become tabs
 * again. */
static void restore_tabs(struct markdown *m, const char *text)
{
    enum { TAB = 4 };
    const char *from = text;
    size_t total = 0, shown = m->line.bytes;
    while (from > m->piece.data && (from[-1] == ' ' || from[-1] == '\t'))
        from--;
    bool alone = from == m->piece.data || from[-1] == '\n' || from[-1] == '\r';
    if (!alone || !memchr(from, '\t', (size_t)(text - from)))
        return;
    for (const char *p = from; p < text; p++)
        total = *p == '\t' ? total / TAB * TAB + TAB : total + 1;
    if (total < shown)
        return;
    buf_clear(&m->line);
    for (size_t col = 0, next; from < text; from++, col = next) {
        next = *from == '\t' ? col / TAB * TAB + TAB : col + 1;
        if (col >= total - shown)
            buf_append(&m->line, from, 1);
        else
            for (size_t k = total - shown; k < next; k++)
                buf_puts(&m->line, " ");
    }
}

static void block_code_text(struct markdown *m, const char *text, size_t bytes)
{
    const char *line = buf_text(&m->line);
    if (m->line.bytes && line[strspn(line, " ")] == 0 && in_piece(m, text))
        restore_tabs(m, text);

    if (bytes == 1 && *text == '\n') {
        block_code_line(m);
        return;
    }
    m->line_source = m->line.bytes ? NULL : text;
    buf_append(&m->line, text, bytes);
}

static void leave_code(struct markdown *m)
{
    struct rows *r = &m->rows;
    if (m->line.bytes)
        block_code_line(m);
    struct code_block *c = &m->code[m->n_code - 1];
    *c = (struct code_block){r->own.bytes, m->copy.bytes, true};
    buf_append(&r->own, buf_text(&m->copy), m->copy.bytes);
    m->lang = NULL;
    m->above = ABOVE_CODE;
}

static void rule(struct markdown *m)
{
    gap(m, false);
    rows_begin(&m->rows);
    rows_repeat(&m->rows, STYLE_RULE, m->rows.ascii ? "-" : "─", rows_width(&m->rows));
    m->above = ABOVE_BLOCK;
}

static void enter_text(struct markdown *m, enum style base)
{
    gap(m, false);
    leaf_clear(&m->leaf);
    m->base = base;
}

/* Non-zero ends the parse. */
static int enter_cell(struct markdown *m, const MD_BLOCK_TD_DETAIL *d, bool head)
{
    if (m->n_cells++ > m->cells_max)
        return 1;
    m->base = head ? STYLE_STRONG : STYLE_TEXT;
    table_begin(&m->table, d->align == MD_ALIGN_RIGHT    ? TABLE_RIGHT
                           : d->align == MD_ALIGN_CENTER ? TABLE_CENTER
                                                         : TABLE_LEFT);
    return 0;
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *data)
{
    struct markdown *m = data;
    switch (type) {
    case MD_BLOCK_QUOTE: enter_quote(m); break;
    case MD_BLOCK_UL: enter_list(m, false, ((MD_BLOCK_UL_DETAIL *)detail)->is_tight, 0); break;
    case MD_BLOCK_OL:
        enter_list(m, true, ((MD_BLOCK_OL_DETAIL *)detail)->is_tight,
                   ((MD_BLOCK_OL_DETAIL *)detail)->start);
        break;
    case MD_BLOCK_LI: enter_item(m, detail); break;
    case MD_BLOCK_HR: rule(m); break;
    case MD_BLOCK_H: enter_text(m, STYLE_HEADING); break;
    case MD_BLOCK_CODE: enter_code(m, detail); break;
    case MD_BLOCK_P: enter_text(m, STYLE_TEXT); break;
    case MD_BLOCK_TABLE:
        gap(m, false);
        table_clear(&m->table, (int)((MD_BLOCK_TABLE_DETAIL *)detail)->col_count);
        m->to = &m->table.leaf;
        break;
    case MD_BLOCK_TH: return enter_cell(m, detail, true);
    case MD_BLOCK_TD: return enter_cell(m, detail, false);
    default: break;
    }
    return 0;
}

/* Text of an item of a tight list comes without a paragraph around it. */
static void flush_text(struct markdown *m)
{
    if (m->leaf.n && m->to == &m->leaf)
        paragraph_end(m, ABOVE_PARAGRAPH);
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *data)
{
    struct markdown *m = data;
    (void)detail;
    switch (type) {
    case MD_BLOCK_QUOTE:
        rows_pop_level(&m->rows);
        m->above = ABOVE_BLOCK;
        break;
    case MD_BLOCK_LI:
        flush_text(m);
        rows_pop_level(&m->rows);
        m->above = ABOVE_BLOCK;
        break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        m->n_list--;
        m->above = ABOVE_BLOCK;
        break;
    case MD_BLOCK_H:
        m->base = STYLE_TEXT;
        paragraph_end(m, ABOVE_HEADING);
        break;
    case MD_BLOCK_CODE: leave_code(m); break;
    case MD_BLOCK_P: paragraph_end(m, ABOVE_PARAGRAPH); break;
    case MD_BLOCK_TABLE:
        table_rows(&m->table, &m->rows);
        m->to = &m->leaf;
        m->above = ABOVE_BLOCK;
        break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        table_end(&m->table);
        m->base = STYLE_TEXT;
        break;
    default: break;
    }
    return 0;
}

static int enter_block_flushed(MD_BLOCKTYPE type, void *detail, void *data)
{
    flush_text(data);
    return enter_block(type, detail, data);
}

/* ---- what md4c says: spans and text ------------------------------------------------------- */

static void link_begin(struct markdown *m, const MD_ATTRIBUTE *href)
{
    m->link++;
    m->link_start = m->to->text.bytes;
    buf_clear(&m->href);
    buf_append(&m->href, href->text, href->size);
}

/* The address, unless the text says the same. */
static void link_end(struct markdown *m)
{
    size_t n = m->to->text.bytes - m->link_start;
    const char *text = buf_text(&m->to->text) + m->link_start, *href = buf_text(&m->href);
    m->link--;
    if (m->href.bytes < n || memcmp(href + m->href.bytes - n, text, n) != 0 || !n) {
        say(m, STYLE_DIM, " (");
        say(m, STYLE_DIM, href);
        say(m, STYLE_DIM, ")");
    }
}

static int enter_span(MD_SPANTYPE type, void *detail, void *data)
{
    struct markdown *m = data;
    switch (type) {
    case MD_SPAN_EM: m->emphasis++; break;
    case MD_SPAN_STRONG: m->strong++; break;
    case MD_SPAN_CODE: m->in_code++; break;
    case MD_SPAN_DEL:
        m->strike++;
        say(m, STYLE_STRIKE, "~~");
        break;
    case MD_SPAN_A: link_begin(m, &((MD_SPAN_A_DETAIL *)detail)->href); break;
    case MD_SPAN_IMG:
        link_begin(m, &((MD_SPAN_IMG_DETAIL *)detail)->src);
        say(m, STYLE_LINK, "image: ");
        break;
    case MD_SPAN_LATEXMATH:
    case MD_SPAN_LATEXMATH_DISPLAY:
        m->math++;
        say(m, STYLE_CODE, type == MD_SPAN_LATEXMATH ? "$" : "$$");
        break;
    default: break;
    }
    return 0;
}

static int leave_span(MD_SPANTYPE type, void *detail, void *data)
{
    struct markdown *m = data;
    (void)detail;
    switch (type) {
    case MD_SPAN_EM: m->emphasis--; break;
    case MD_SPAN_STRONG: m->strong--; break;
    case MD_SPAN_CODE: m->in_code--; break;
    case MD_SPAN_DEL:
        say(m, STYLE_STRIKE, "~~");
        m->strike--;
        break;
    case MD_SPAN_A:
    case MD_SPAN_IMG: link_end(m); break;
    case MD_SPAN_LATEXMATH:
    case MD_SPAN_LATEXMATH_DISPLAY:
        say(m, STYLE_CODE, type == MD_SPAN_LATEXMATH ? "$" : "$$");
        m->math--;
        break;
    default: break;
    }
    return 0;
}

static int take_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE bytes, void *data)
{
    struct markdown *m = data;
    if (bytes > m->piece.bytes)
        return 1; /* what it found beyond the end */
    switch (type) {
    case MD_TEXT_NULLCHAR: say(m, text_style(m), "\xEF\xBF\xBD"); break;
    case MD_TEXT_BR:
    case MD_TEXT_SOFTBR: say(m, STYLE_TEXT, "\n"); break; /* models break lines on purpose */
    case MD_TEXT_ENTITY: say_entity(m, text, bytes); break;
    case MD_TEXT_CODE:
        if (m->lang)
            block_code_text(m, text, bytes);
        else
            say_text(m, text, bytes);
        break;
    default: say_text(m, text, bytes);
    }
    return 0;
}

/* ---- pieces ------------------------------------------------------------------------------- */

/* A piece that md4c gives up shows its text as it is. */
static void take_literally(struct markdown *m, const char *text, size_t bytes)
{
    while (bytes && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r'))
        bytes--;
    leaf_clear(&m->leaf);
    leaf_add(&m->leaf, &m->rows, STYLE_TEXT, text, bytes);
    paragraph_end(m, ABOVE_PARAGRAPH);
}

static void take_piece(struct markdown *m, const char *text, size_t bytes)
{
    static const MD_PARSER parser = {
        .flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_NOHTML |
                 MD_FLAG_PERMISSIVEURLAUTOLINKS | MD_FLAG_LATEXMATHSPANS,
        .enter_block = enter_block_flushed, .leave_block = leave_block,
        .enter_span = enter_span, .leave_span = leave_span, .text = take_text};
    static const char beyond[16];
    int n_row = m->rows.n_row, n_run = m->rows.n_run, n_code = m->n_code;
    size_t own = m->rows.own.bytes;
    enum above above = m->above;
    m->to = &m->leaf;
    leaf_clear(&m->leaf);
    m->strong = m->emphasis = m->strike = m->link = m->in_code = m->math = m->n_list = 0;
    m->base = STYLE_TEXT;
    m->lang = NULL;
    m->n_cells = 0;
    m->cells_max = bytes + CELLS_SPARE;
    buf_clear(&m->piece);
    if (memchr(text, '[', bytes))
        buf_append(&m->piece, buf_text(&m->define), m->define.bytes);
    size_t before = m->piece.bytes;
    buf_append(&m->piece, text, bytes);
    buf_append(&m->piece, beyond, sizeof beyond);
    m->piece.bytes = before + bytes;
    m->rows.text = m->piece.data + before;
    m->rows.bytes = bytes;
    m->rows.offset = (size_t)(text - m->text);
    int bad = md_parse(m->piece.data, (MD_SIZE)m->piece.bytes, &parser, m);
    m->rows.text = m->text;
    m->rows.bytes = m->bytes;
    m->rows.offset = 0;
    if (bad) {
        rows_cut(&m->rows, n_row, n_run, own);
        m->n_code = n_code;
        m->above = above;
        gap(m, false);
        take_literally(m, text, bytes);
    }
}

/* ---- blocks of code at the first column --------------------------------------------------- */

static void fence_begin(struct markdown *m, const struct fence *f)
{
    code_head(m, f->info, f->info_bytes);
    m->open = (struct open_code){*f, lang_of(f->info, f->info_bytes), 0};
    m->open.fence.info = NULL;
}

static void code_grow(struct code_block *c, size_t at, size_t bytes)
{
    if (!c->bytes)
        c->at = at;
    c->bytes = at + bytes - c->at;
}

static bool only_signs(const char *line, size_t bytes, char sign)
{
    for (size_t i = 0; i < bytes; i++)
        if (line[i] != sign)
            return false;
    return bytes > 0;
}

/* One line inside the block. *ended: it is finished. */
static size_t fence_line(struct markdown *m, const char *text, size_t at, size_t end, bool *ended)
{
    size_t next = boundary_line(text + at, end - at, ended), n = next;
    if (boundary_closes(text + at, next, &m->open.fence)) {
        if (m->n_code && m->code[m->n_code - 1].bytes)
            m->code[m->n_code - 1].bytes = at - m->code[m->n_code - 1].at;
        m->open.fence.sign = 0;
        m->above = ABOVE_CODE;
        return next;
    }
    if (*ended)
        n -= text[at + n - 1] == '\n' && n > 1 && text[at + n - 2] == '\r' ? 2 : 1;
    if (m->n_code) /* else it began in the text before */
        code_grow(&m->code[m->n_code - 1], at, next);
    /* The beginning of the closing fence, in all likelihood. */
    if (*ended || !only_signs(text + at, n, m->open.fence.sign))
        m->open.state = code_rows(m, m->open.lang, m->open.state, text + at, n);
    return next;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void keep(struct markdown *m, size_t at)
{
    m->kept = (struct mark){at, m->rows.own.bytes, m->rows.n_row, m->rows.n_run, m->n_code,
                            m->rows.source, m->above, m->open, m->defined};
}

static void go_back(struct markdown *m)
{
    rows_cut(&m->rows, m->kept.n_row, m->kept.n_run, m->kept.own);
    m->rows.source = m->kept.source;
    m->n_code = m->kept.n_code;
    m->above = m->kept.above;
    m->open = m->kept.open;
    m->defined = m->kept.defined;
}

static void begin_anew(struct markdown *m)
{
    rows_clear(&m->rows);
    m->n_code = 0;
    m->above = ABOVE_NOTHING;
    m->open = m->begin;
    m->defined = 0;
    keep(m, 0);
}

/* A line that defines what a link is: it is not shown. False: it was not known, and what stands
 * before it has to be read again. */
static bool define(struct markdown *m, const char *line, size_t bytes)
{
    bool known = m->defined < m->define.bytes;
    if (!known) {
        buf_append(&m->define, line, bytes);
        buf_puts(&m->define, "\n"); /* a blank line between what is defined and all else */
    }
    m->defined += bytes + 1;
    return known;
}

/* What reading on may come to beside the end of a piece. */
enum { READ_WHOLE = -1, READ_AGAIN = -2 };

/* The piece at `at`; *safe stays true if nothing can change it. Returns its end, READ_WHOLE if the
 * text must be read as one, or READ_AGAIN from its beginning. */
static ptrdiff_t take_next(struct markdown *m, const char *text, size_t at, size_t end, bool *safe)
{
    struct fence f;
    struct boundary b = {.end = end - at};
    bool ended;
    if (m->open.fence.sign) {
        size_t n = fence_line(m, text, at, end, &ended);
        *safe = *safe && ended;
        return (ptrdiff_t)(at + n);
    }
    boundary_fence(text + at, end - at, &f);
    if (f.sign && !m->whole) {
        fence_begin(m, &f);
        *safe = *safe && f.whole;
        at += boundary_line(text + at, end - at, &ended);
        return (ptrdiff_t)at;
    }
    size_t defines = m->whole ? 0 : boundary_definition(text + at, end - at, m->ended, &ended);
    if (defines) {
        *safe = *safe && ended;
        return ended && !define(m, text + at, defines) ? READ_AGAIN : (ptrdiff_t)(at + defines);
    }
    if (!m->whole)
        boundary_find(text + at, end - at, &b);
    if (b.definition)
        return READ_WHOLE;
    take_piece(m, text + at, b.end);
    *safe = *safe && b.safe;
    return (ptrdiff_t)(at + b.end);
}

/* Returns what take_next() said last. */
static ptrdiff_t take_all(struct markdown *m, const char *text, size_t bytes)
{
    size_t at = m->kept.at, sure = at + boundary_unsure(text + at, bytes - at);
    if (m->ended)
        sure = bytes;
    bool safe = true;
    while (at < (m->open.fence.sign ? bytes : sure)) {
        ptrdiff_t next = take_next(m, text, at, m->open.fence.sign ? bytes : sure, &safe);
        if (next < 0)
            return next;
        at = (size_t)next;
        if (safe)
            keep(m, at);
    }
    if (at < bytes)
        take_literally(m, text + at, bytes - at);
    return (ptrdiff_t)bytes;
}

/* A text that is complete gives back all that only reading needs. */
static void settle(struct markdown *m)
{
    leaf_release(&m->leaf);
    table_release(&m->table);
    buf_release(&m->piece);
    buf_release(&m->href);
    buf_release(&m->line);
    buf_release(&m->copy);
    rows_trim(&m->rows);
}

void markdown_layout(struct markdown *m, const char *text, size_t bytes, int cols, bool ascii)
{
    if (bytes > UINT32_MAX / 2)
        bytes = UINT32_MAX / 2;
    m->text = m->rows.text = text;
    if (m->rows.cols == cols && m->rows.ascii == ascii && m->bytes == bytes && !m->stale)
        return;
    size_t before = m->bytes;
    bool anew = m->rows.cols != cols || m->rows.ascii != ascii || bytes < m->bytes || m->whole ||
                (m->stale && !m->ended);
    m->bytes = m->rows.bytes = bytes;
    m->rows.cols = cols;
    m->rows.ascii = ascii;
    if (bytes < before || (m->stale && !m->ended))
        buf_clear(&m->define);
    if (anew)
        begin_anew(m);
    else
        go_back(m);
    for (ptrdiff_t end; (end = take_all(m, text, bytes)) < 0; begin_anew(m))
        m->whole = end == READ_WHOLE;
    m->stale = false;
    if (m->ended)
        settle(m);
}

/* ---- the door ----------------------------------------------------------------------------- */

struct markdown *markdown_new(void)
{
    struct markdown *m = mem_new(sizeof *m);
    m->first_code = 1;
    return m;
}

void markdown_free(struct markdown **md)
{
    struct markdown *m = *md;
    if (!m)
        return;
    settle(m);
    rows_release(&m->rows);
    buf_release(&m->define);
    free(m->code);
    free(m);
    *md = NULL;
}

void markdown_continue(struct markdown *m, const struct markdown *before, bool open)
{
    if (open)
        m->begin = before->open;
    m->first_code = before->first_code + before->n_code;
}

void markdown_end(struct markdown *m, bool ended)
{
    m->stale = m->stale || m->ended != ended;
    m->ended = ended;
}

void markdown_whole(struct markdown *m)
{
    m->whole = true;
}

int markdown_made(const struct markdown *m)
{
    return m->rows.made;
}

int markdown_rows(const struct markdown *m)
{
    return m->rows.n_row;
}

const struct row *markdown_row(const struct markdown *m, int i)
{
    return &m->rows.row[i];
}

const struct run *markdown_run(const struct markdown *m, const struct row *r, int i)
{
    return &m->rows.run[r->run + (uint32_t)i];
}

const char *markdown_text(const struct markdown *m, const struct run *run)
{
    return (run->own ? buf_text(&m->rows.own) : m->rows.text) + run->at;
}

void markdown_codes(const struct markdown *m, int *first, int *last)
{
    *first = m->first_code;
    *last = m->first_code + m->n_code - 1;
}

/* Blanks at the start of every line that is not empty. */
static size_t shared_indent(const char *text, size_t bytes)
{
    size_t least = SIZE_MAX;
    bool ended;
    for (size_t at = 0, n; at < bytes; at += n) {
        n = boundary_line(text + at, bytes - at, &ended);
        size_t indent = 0;
        while (indent < n && text[at + indent] == ' ')
            indent++;
        if (indent < n && text[at + indent] != '\n' && indent < least)
            least = indent;
    }
    return least == SIZE_MAX ? 0 : least;
}

void markdown_code(const struct markdown *m, int number, struct buf *out)
{
    int i = number - m->first_code;
    if (i < 0 || i >= m->n_code)
        return;
    const struct code_block *c = &m->code[i];
    const char *text = (c->own ? buf_text(&m->rows.own) : m->rows.text) + c->at;
    size_t indent = shared_indent(text, c->bytes);
    bool ended;
    for (size_t at = 0, n; at < c->bytes; at += n) {
        n = boundary_line(text + at, c->bytes - at, &ended);
        size_t cut = n - ended < indent ? n - ended : indent;
        buf_append(out, text + at + cut, n - cut);
    }
}
