/* tally.c -- see tally.h. */
#include "app/tally.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/program.h"

bool tally_add(const char *path, const char *kept, const char *left, struct err *err)
{
    struct buf line = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    buf_printf(&line, "%s %s\n", kept, left);
    bool good = fd >= 0 && program_write(fd, buf_text(&line), line.bytes);
    if (!good)
        err_errno(err, "cannot write", path);
    if (fd >= 0)
        close(fd);
    buf_release(&line);
    return good;
}

/* How many lines of the text are this one. */
static int lines_like(const char *text, const char *line)
{
    int n = 0;
    size_t bytes = strlen(line);
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        n += strncmp(text, line, bytes) == 0 && (text[bytes] == '\n' || !text[bytes]);
    return n;
}

void tally_count(const char *path, const char *first, const char *second, int n[2])
{
    struct buf text = {0}, line = {0};
    program_read(path, &text);
    buf_printf(&line, "%s %s", first, second);
    n[0] = lines_like(buf_text(&text), buf_text(&line));
    buf_clear(&line);
    buf_printf(&line, "%s %s", second, first);
    n[1] = lines_like(buf_text(&text), buf_text(&line));
    buf_release(&text);
    buf_release(&line);
}
