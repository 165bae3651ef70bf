/* host.c - see host.h. */
#include "host.h"

#include <stdarg.h>
#include <stdio.h>

void host_note(const struct host *host, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    host->note(host->user, line);
}
