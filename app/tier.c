/* tier.c -- the table. */
#include "app/tier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[TIER_COUNT] = {
    [KV_TIER_EXACT] = "f16", [KV_TIER_Q8] = "q8", [KV_TIER_Q4] = "q4", [KV_TIER_FLASH] = "flash",
};

const char *tier_name(enum kv_tier tier)
{
    return names[tier];
}

bool tier_find(const char *text, size_t bytes, enum kv_tier *out)
{
    for (int i = 0; i < TIER_COUNT; i++)
        if (strlen(names[i]) == bytes && strncmp(names[i], text, bytes) == 0) {
            *out = (enum kv_tier)i;
            return true;
        }
    return false;
}

const char *tier_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/var/tmp";
}

void tier_folder_check(char *why, size_t bytes)
{
    *why = 0;
    if (access(tier_folder(), W_OK | X_OK) != 0)
        snprintf(why, bytes, "nothing can be written to %.100s: %s", tier_folder(),
                 strerror(errno));
}
