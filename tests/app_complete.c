/* app_complete.c -- what Tab adds. What could break: it completes to something that is not there,
 * or in a text that is no command. */
#include <sys/stat.h>

#include "app/complete.h"
#include "tests/test.h"

static const struct store_entry sessions[] = {
    {.id = "20261125-120000-abcd", .title = "rivers of France"},
    {.id = "20261125-130000-efgh", .title = "rivers of Spain"},
    {.id = "one", .title = "one"},
};

static void completes(const char *before, const char *insert, const char *choices)
{
    struct buf in = {0}, ch = {0};
    bool found = complete_line(before, strlen(before), sessions, 3, &in, &ch);
    if (found != (insert != NULL) || strcmp(buf_text(&in), insert ? insert : "") != 0 ||
        strcmp(buf_text(&ch), choices) != 0)
        fail_msg("'%s': %d '%s' '%s'", before, found, buf_text(&in), buf_text(&ch));
    buf_release(&in);
    buf_release(&ch);
}

void test_complete_commands(void **state)
{
    (void)state;
    completes("/tog", "gle ", "");
    completes("/fla", "sh ", "");
    completes("/pro", "", "pro  pro-max");
    completes("/re", "", "rename  retry  repro  reread  refold");
    completes("/q", "uit ", "");
    completes("/nosuch", NULL, "");
    completes("", NULL, "");
    completes("tog", NULL, "");
    completes("//tog", NULL, "");
    completes("/tog\nx", NULL, "");
    completes("/toggle x", NULL, "");
}

void test_complete_arguments(void **state)
{
    (void)state;
    completes("/mode f", "lash ", "");
    completes("/open riv", "ers of ", "rivers of France  rivers of Spain");
    completes("/open rivers of F", "rance ", "");
    completes("/open o", "ne ", "");
    completes("/open 2026", "1125-1", "20261125-120000-abcd  20261125-130000-efgh");
    completes("/set ma", "x-tokens ", "");
    completes("/set top", "-", "top-k  top-p");
    completes("/settings d", "efault ", "");
    completes("/theme d", "ark ", "");
    completes("/theme sol", "arized-", "solarized-dark  solarized-light");
    completes("/export m", "d ", "");
}

void test_complete_files(void **state)
{
    (void)state;
    const char *folder = test_folder();
    char text[300];
    snprintf(text, sizeof text, "%s/alpha.md", folder);
    test_write_file(text, "", 0);
    snprintf(text, sizeof text, "%s/.hidden", folder);
    test_write_file(text, "", 0);
    snprintf(text, sizeof text, "%s/beta", folder);
    assert_int_equal(mkdir(text, 0700), 0);
    snprintf(text, sizeof text, "/export md %s/al", folder);
    completes(text, "pha.md ", "");
    snprintf(text, sizeof text, "/export md %s/be", folder);
    completes(text, "ta/", "");
    snprintf(text, sizeof text, "/export md %s/beta/x", folder);
    completes(text, NULL, "");
    completes("/export md /no/such/folder/x", NULL, "");
}
