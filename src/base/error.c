#define _GNU_SOURCE /* strerrordesc_np(): thread-safe, without a buffer */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *tr_strerror(tr_err err)
{
    switch (err) {
#define X(code, text) \
    case code:        \
        return text;
        TR_ERRORS(X)
#undef X
    }
    return "unknown error";
}

static const char *os_text(int os)
{
#if defined(__GLIBC__)
    const char *text = strerrordesc_np(os);
    return text ? text : "unknown error";
#else
    return strerror(os);
#endif
}

tr_err tri_error_set(struct tr_error *error, tr_err code, int os, const char *fmt, ...)
{
    if (!error)
        return code;
    /* Formatted elsewhere first: the old text may be among the arguments. */
    char text[sizeof error->text];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (length < 0)
        text[0] = '\0';
    if (os != 0 && length >= 0 && (size_t)length < sizeof text)
        (void)snprintf(text + length, sizeof text - (size_t)length, ": %s", os_text(os));
    error->code = code;
    error->os = os;
    memcpy(error->text, text, sizeof text);
    return code;
}
