#include "core/log.h"

#include "base/critical.h"
#include "core/ctx.h"

#include <stdarg.h>
#include <stdio.h>

void tr_log_none(void *user, enum tr_log_level level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
}

static void log_to_stderr(const char *node, enum tr_log_level level, const char *line)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    fprintf(stderr, "troupe %s: %s: %s\n", node, names[level], line);
}

void tri_log(struct tr_system *sys, enum tr_log_level level, const char *fmt, ...)
{
    if (sys->config.log == tr_log_none || (!sys->config.log && level < TR_LOG_WARN))
        return; /* Nobody reads it: it must not use up the second's lines either. */
    /* Relaxed: two workers at a second's edge may let a line too many through. */
    uint64_t window = tri_sys_mono_ns(sys) / 1000000000u + 1;
    uint32_t suppressed = 0;
    if (tri_load(&sys->log_window, TRI_RELAXED) != window) {
        tri_store(&sys->log_window, window, TRI_RELAXED);
        uint32_t lines = tri_xchg(&sys->log_lines, 0u, TRI_RELAXED);
        suppressed = lines > TRI_LOG_LINES_MAX ? lines - TRI_LOG_LINES_MAX : 0;
    }
    if (tri_fetch_add(&sys->log_lines, 1u, TRI_RELAXED) >= TRI_LOG_LINES_MAX)
        return;

    char line[512];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (suppressed && length > 0 && (size_t)length < sizeof line)
        snprintf(line + length, sizeof line - (size_t)length, " (and %u lines before)", suppressed);
    tri_critical_enter();
    if (sys->config.log)
        sys->config.log(sys->config.log_user, level, line);
    else
        log_to_stderr(sys->node, level, line);
    tri_critical_leave();
}
