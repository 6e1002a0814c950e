/* ui_rig.c -- see ui_rig.h. */
#include "tests/ui_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "ui/decode.h"
#include "ui/term.h"

static int report_fd;

void report(const char *text)
{
    if (dprintf(report_fd, "%s\n", text) < 0)
        _exit(3);
}

void rig_key(struct key *k)
{
    for (bool waiting = false; !term_read(k);) {
        int ms = term_wait_ms();
        bool part = ms <= DECODE_ANSWER_MS; /* else it only looks at the size now and then */
        if (part && !waiting)
            report("part");
        waiting = part;
        struct pollfd p = {term_fd(), POLLIN, 0};
        poll(&p, 1, ms);
    }
}

void rig_start(struct rig *r, void (*child)(void))
{
    int pipes[2];
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    memset(r, 0, sizeof *r);
    assert_int_equal(openpty(&r->master, &r->slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(r->slave, &r->before), 0);
    assert_int_equal(pipe(pipes), 0);
    r->child = fork();
    assert_true(r->child >= 0);
    if (r->child == 0) {
        close(pipes[0]);
        close(r->master);
        report_fd = pipes[1];
        setenv("TERM", "xterm-256color", 1);
        if (login_tty(r->slave) != 0)
            _exit(3);
        child();
        _exit(0);
    }
    close(pipes[1]);
    r->report = pipes[0];
}

bool rig_take(struct rig *r)
{
    static char bytes[65536];
    struct pollfd p[] = {{r->report, POLLIN, 0}, {r->master, POLLIN, 0}};
    if (poll(p, 2, PATIENCE_MS) <= 0)
        return false;
    if (p[1].revents & POLLIN) {
        ssize_t n = read(r->master, bytes, sizeof bytes);
        if (n > 0)
            buf_append(&r->out, bytes, (size_t)n);
        return true;
    }
    ssize_t n = read(r->report, bytes, sizeof bytes);
    if (n > 0)
        buf_append(&r->said, bytes, (size_t)n);
    return n > 0;
}

void rig_expect(struct rig *r, const char *want)
{
    while (!strchr(buf_text(&r->said), '\n'))
        if (!rig_take(r))
            fail_msg("no report; '%s' was expected", want);
    size_t n = (size_t)(strchr(r->said.data, '\n') - r->said.data);
    r->said.data[n] = 0;
    assert_string_equal(r->said.data, want);
    memmove(r->said.data, r->said.data + n + 1, r->said.bytes - n);
    r->said.bytes -= n + 1;
}

void rig_shows(struct rig *r, const char *want)
{
    static char bytes[65536];
    struct pollfd p = {r->master, POLLIN, 0};
    while (!strstr(buf_text(&r->out), want)) {
        if (poll(&p, 1, PATIENCE_MS) <= 0)
            fail_msg("the terminal was never sent '%s'", want + (*want == '\033'));
        ssize_t n = read(r->master, bytes, sizeof bytes);
        assert_true(n > 0);
        buf_append(&r->out, bytes, (size_t)n);
    }
}

void rig_type(struct rig *r, const char *bytes, size_t n)
{
    fcntl(r->master, F_SETFL, O_NONBLOCK);
    while (n) {
        ssize_t done = write(r->master, bytes, n < 1000 ? n : 1000);
        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
            continue;
        }
        struct pollfd p = {r->master, POLLIN | POLLOUT, 0};
        assert_true(poll(&p, 1, PATIENCE_MS) > 0);
        if (p.revents & POLLIN)
            rig_take(r);
    }
}

void rig_keys(struct rig *r, const char *bytes)
{
    rig_type(r, bytes, strlen(bytes));
}

void rig_end(struct rig *r, int want)
{
    int status;
    while (rig_take(r))
        continue;
    assert_int_equal(waitpid(r->child, &status, 0), r->child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want);
    close(r->report);
    close(r->master);
    close(r->slave);
    buf_release(&r->out);
    buf_release(&r->said);
}

void same_settings(const struct rig *r)
{
    struct termios now;
    memset(&now, 0, sizeof now); /* there is padding */
    assert_int_equal(tcgetattr(r->slave, &now), 0);
    assert_memory_equal(&now, &r->before, sizeof now);
}

void was_restored(struct rig *r)
{
    while (rig_take(r))
        continue;
    rig_shows(r, "\033[?2004l");
    rig_shows(r, "\033[?2031l");
    rig_shows(r, "\033[?1049l");
    same_settings(r);
}

