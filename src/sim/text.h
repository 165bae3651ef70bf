/* sim/text.h - a text that grows. Without memory it stops growing, at a whole line. */
#ifndef TROUPE_SIM_TEXT_H
#define TROUPE_SIM_TEXT_H

#include "troupe/api.h"

#include <stdarg.h>
#include <stdbool.h>

/* Bytes of a trace at most: a run that goes wrong must not fill the memory. */
#define TRI_TEXT_MAX ((size_t)64 << 20)

struct tri_text {
    char *bytes; /* NULL: empty; else ends with NUL */
    size_t size;
    size_t capacity;
    size_t line; /* bytes of the line that is being added */
    uint64_t us; /* the time of the line before, and how it is written */
    char time[24];
    size_t time_size;
};

/* Adds a line: the time in seconds, and the formatted text. */
void tri_text_line(struct tri_text *text, uint64_t us, const char *fmt, va_list args);
/* The same in parts, for what comes often. False: no memory, and no part may follow. */
bool tri_text_open(struct tri_text *text, uint64_t us);
void tri_text_word(struct tri_text *text, const char *word);
void tri_text_number(struct tri_text *text, uint64_t number);
void tri_text_close(struct tri_text *text);
const char *tri_text(const struct tri_text *text);
void tri_text_fini(struct tri_text *text);

#endif
