#include "sim/text.h"

#include "base/alloc.h"

#include <stdio.h>

/* Longer than any line. */
#define LINE_MAX_BYTES 1024u

void tri_text_line(struct tri_text *text, uint64_t us, const char *fmt, va_list args)
{
    if (text->size + LINE_MAX_BYTES > text->capacity) {
        size_t capacity = text->capacity ? 2 * text->capacity : 4 * LINE_MAX_BYTES;
        char *bytes = capacity <= TRI_TEXT_MAX ? tri_realloc(text->bytes, capacity) : NULL;
        if (!bytes)
            return;
        text->bytes = bytes;
        text->capacity = capacity;
    }
    char *line = text->bytes + text->size;
    int head = snprintf(line, LINE_MAX_BYTES, "%5" PRIu64 ".%06" PRIu64 " ", us / 1000000,
                        us % 1000000);
    size_t room = LINE_MAX_BYTES - (size_t)head - 1;
    int length = vsnprintf(line + head, room, fmt, args);
    size_t size = (size_t)head + (length < 0              ? 0
                                  : (size_t)length < room ? (size_t)length
                                                          : room - 1);
    line[size] = '\n';
    line[size + 1] = '\0';
    text->size += size + 1;
}

const char *tri_text(const struct tri_text *text)
{
    return text->bytes ? text->bytes : "";
}

void tri_text_fini(struct tri_text *text)
{
    tri_free(text->bytes);
    *text = (struct tri_text){0};
}
