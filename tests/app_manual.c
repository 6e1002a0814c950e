/* app_manual.c -- the manual page beside the tables. What could break: a key, a command or an
 * action of the program that the manual does not know, or has under another name. (The names of
 * options, commands and modes are checked by `make lint` too, which needs no compiler.) */
#include "tests/test.h"
#include "ui/keymap.h"

/* The words of a section, each between blanks: roff's own signs removed. */
static char *section(const char *manual, const char *name)
{
    char head[60];
    snprintf(head, sizeof head, "\n.Sh %s\n", name);
    const char *from = strstr(manual, head);
    if (!from)
        fail_msg("the manual has no section %s", name);
    from += strlen(head);
    const char *end = strstr(from, "\n.Sh ");
    size_t n = end ? (size_t)(end - from) : strlen(from);
    char *out = calloc(1, n + 3);
    assert_non_null(out);
    out[0] = ' ';
    size_t to = 1;
    for (size_t i = 0; i < n; i++) {
        if (from[i] == '\\' && from[i + 1] == '&') {
            i++;
            continue;
        }
        bool comma = from[i] == ',' && (from[i + 1] == ' ' || from[i + 1] == '\n');
        out[to++] = comma || from[i] == '\n' ? ' ' : from[i];
    }
    out[to] = ' ';
    return out;
}

static bool has_word(const char *text, const char *word, size_t bytes)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, " %.*s ", (int)bytes, word);
    for (char *comma = strchr(quoted + 2, ','); comma; comma = strchr(comma, ','))
        *comma = ' '; /* two keys, one after the other */
    return strstr(text, quoted) != NULL;
}

static void has_keys(const char *text, const char *list)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        if (!has_word(text, at, n))
            fail_msg("the manual does not know the key %.*s", (int)n, at);
        at += n + (at[n] == ' ');
    }
}

void test_manual_keys(void **state)
{
    (void)state;
    char *manual = test_read_file("man/duet.1", NULL);
    char *keys = section(manual, "KEYS"), *file = section(manual, "THE KEYS FILE");
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        const char *name = keymap_name((enum action)a);
        has_keys(keys, h->keys_editor);
        has_keys(keys, h->keys_reader);
        if (!*h->command && !has_word(file, name, strlen(name)))
            fail_msg("the manual does not know the action %s", name);
    }
    free(keys);
    free(file);
    free(manual);
}

void test_manual_commands(void **state)
{
    (void)state;
    char *manual = test_read_file("man/duet.1", NULL);
    char *commands = section(manual, "COMMANDS");
    for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
        const struct action_help *h = keymap_help((enum action)a);
        if (*h->command && !has_word(commands, h->command, strlen(h->command)))
            fail_msg("the manual does not know the command %s", h->command);
    }
    free(commands);
    free(manual);
}
