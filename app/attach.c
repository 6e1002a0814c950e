/* attach.c -- see attach.h. */
#include "app/attach.h"

#include <errno.h>
#include <string.h>

#include "app/program.h"

/* A fence longer than any run of its sign in the text. */
static void fence(const char *text, struct buf *out)
{
    size_t longest = 2;
    for (const char *p = text; *p; p++) {
        size_t n = strspn(p, "`");
        longest = n > longest ? n : longest;
        p += n > 0 ? n - 1 : 0;
    }
    for (size_t i = 0; i <= longest; i++)
        buf_puts(out, "`");
}

bool attach_file(const char *path, struct buf *out, struct err *err)
{
    struct buf text = {0};
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    errno = 0;
    bool good = *path ? program_read(path, &text) || err_errno(err, "cannot read", path)
                      : err_set(err, ERR_INPUT, "/attach needs a file");
    if (good && memchr(buf_text(&text), 0, text.bytes))
        good = err_set(err, ERR_INPUT, "%.200s holds zero bytes: it is no text", path);
    if (good) {
        buf_printf(out, "%s:\n", name);
        fence(buf_text(&text), out);
        buf_puts(out, "\n");
        buf_append(out, buf_text(&text), text.bytes);
        buf_puts(out, text.bytes && text.data[text.bytes - 1] == '\n' ? "" : "\n");
        fence(buf_text(&text), out);
        buf_puts(out, "\n");
    }
    buf_release(&text);
    return good;
}
