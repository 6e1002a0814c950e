/* export.c -- see export.h. */
#include "app/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/json.h"
#include "app/record.h"

/* ---- Markdown ----------------------------------------------------------------------------- */

static void put_block(struct buf *out, const char *text, const char *before_line)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        buf_puts(out, before_line);
        buf_append(out, text, n);
        buf_puts(out, "\n");
        text += n + (text[n] == '\n');
    }
    buf_puts(out, "\n");
}

static void put_reply(struct buf *out, const struct reply *r)
{
    for (int i = 0; i < r->n_part; i++) {
        const struct part *p = &r->part[i];
        if (!i || r->part[i - 1].mode != p->mode)
            buf_printf(out, "## %s\n\n", mode_get(p->mode)->title);
        put_block(out, p->text + strspn(p->text, "\n"), p->kind == PART_THINKING ? "> " : "");
    }
}

void export_markdown(const struct conversation *c, struct buf *out)
{
    buf_printf(out, "# %s\n\n", *c->title ? c->title : "Conversation");
    if (*c->system) {
        buf_puts(out, "## System\n\n");
        put_block(out, c->system, "");
    }
    for (int i = 0; i < c->n_turn; i++) {
        const struct turn *t = &c->turn[i];
        buf_puts(out, "## You\n\n");
        put_block(out, t->question, "");
        if (t->chosen >= 0)
            put_reply(out, &t->reply[t->chosen]);
    }
}

/* ---- JSON --------------------------------------------------------------------------------- */

void export_json(const struct conversation *c, struct buf *out)
{
    struct json_line j;
    json_begin(&j, out);
    json_text(&j, "type", "duet-conversation");
    json_int(&j, "v", 1);
    json_text(&j, "title", c->title);
    json_text(&j, "model", c->model);
    record_mode(&j, "mode", c->mode);
    json_text(&j, "system", c->system);
    json_open(&j, "turns", '[');
    for (int i = 0; i < c->n_turn; i++) {
        const struct turn *t = &c->turn[i];
        json_open(&j, NULL, '{');
        json_text(&j, "question", t->question);
        record_mode(&j, "mode", t->mode);
        json_int(&j, "chosen", t->chosen);
        json_open(&j, "replies", '[');
        for (int k = 0; k < t->n_reply; k++) {
            json_open(&j, NULL, '{');
            record_reply(&j, &t->reply[k]);
            json_close(&j, '}');
        }
        json_close(&j, ']');
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_end(&j);
}

/* ---- the file ----------------------------------------------------------------------------- */

static bool write_new(const char *path, const struct buf *text, struct err *err)
{
    size_t done = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "%.120s: %s", path, strerror(errno));
    while (done < text->bytes) {
        ssize_t n = write(fd, text->data + done, text->bytes - done);
        if (n <= 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    int why = errno;
    if (close(fd) != 0 || done < text->bytes) {
        unlink(path);
        return err_set(err, ERR_IO, "%.120s: %s", path, strerror(why));
    }
    return true;
}

bool export_write(const struct conversation *c, const char *args, char *msg, size_t msg_bytes,
                  struct err *err)
{
    struct buf text = {0};
    size_t n = strcspn(args, " ");
    const char *path = args + n + strspn(args + n, " ");
    bool md = n == 2 && !strncmp(args, "md", n), json = n == 4 && !strncmp(args, "json", n);
    if ((!md && !json) || !*path)
        return err_set(err, ERR_INPUT, "/export md FILE or /export json FILE");
    if (md)
        export_markdown(c, &text);
    else
        export_json(c, &text);
    bool good = write_new(path, &text, err);
    if (good)
        snprintf(msg, msg_bytes, "%zu bytes written to %.200s", text.bytes, path);
    buf_release(&text);
    return good;
}
