#include "sim/text.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* Longer than any line. */
#define LINE_MAX_BYTES 1024u

bool tri_text_open(struct tri_text *text, uint64_t us)
{
    if (text->size + LINE_MAX_BYTES > text->capacity) {
        size_t capacity = text->capacity ? 2 * text->capacity : 4 * LINE_MAX_BYTES;
        char *bytes = capacity <= TRI_TEXT_MAX ? tri_realloc(text->bytes, capacity) : NULL;
        if (!bytes)
            return false;
        text->bytes = bytes;
        text->capacity = capacity;
    }
    if (us != text->us || text->time_size == 0) {
        text->us = us;
        text->time_size = (size_t)snprintf(text->time, sizeof text->time,
                                           "%5" PRIu64 ".%06" PRIu64 " ", us / 1000000,
                                           us % 1000000);
    }
    memcpy(text->bytes + text->size, text->time, text->time_size);
    text->line = text->time_size;
    return true;
}

/* What is too long is cut off; there is always room for the end of the line. */
static void add(struct tri_text *text, const char *bytes, size_t size)
{
    size_t room = LINE_MAX_BYTES - 2 - text->line;
    if (size > room)
        size = room;
    memcpy(text->bytes + text->size + text->line, bytes, size);
    text->line += size;
}

void tri_text_word(struct tri_text *text, const char *word)
{
    add(text, word, strlen(word));
}

void tri_text_number(struct tri_text *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    add(text, digits + at, sizeof digits - at);
}

void tri_text_close(struct tri_text *text)
{
    text->bytes[text->size + text->line] = '\n';
    text->bytes[text->size + text->line + 1] = '\0';
    text->size += text->line + 1;
}

void tri_text_line(struct tri_text *text, uint64_t us, const char *fmt, va_list args)
{
    char line[LINE_MAX_BYTES];
    if (!tri_text_open(text, us))
        return;
    if (vsnprintf(line, sizeof line, fmt, args) > 0)
        tri_text_word(text, line);
    tri_text_close(text);
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
