/* csv.c - the streaming CSV reader. Fields point into its buffer: nothing is copied but fields
 * with doubled quotes. */
#include "csv.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE (512u * 1024u)
#define LONG_KEPT 1024u /* of a line that is too long */

struct csv {
    struct ord_source *source;
    size_t at;  /* first byte not yet given out */
    size_t end; /* bytes in buffer */
    uint64_t line;
    bool started;
    bool ended;
    bool broken;
    struct ord_error broken_why;
    char buffer[BUFFER_SIZE];
    char unquoted[CSV_RECORD_MAX];
};

_Static_assert(BUFFER_SIZE >= 2 * CSV_RECORD_MAX, "a record must fit the buffer");

struct csv *csv_create(struct ord_source *source)
{
    struct csv *csv = malloc(sizeof(*csv));
    if (csv) {
        memset(csv, 0, offsetof(struct csv, buffer));
        csv->source = source;
        csv->line = 1;
    }
    return csv;
}

void csv_destroy(struct csv *csv)
{
    free(csv);
}

/* Makes at least CSV_RECORD_MAX bytes available from `at`, or all there are. */
static void refill(struct csv *csv)
{
    if (csv->end - csv->at >= CSV_RECORD_MAX || csv->ended)
        return;
    memmove(csv->buffer, csv->buffer + csv->at, csv->end - csv->at);
    csv->end -= csv->at;
    csv->at = 0;
    /* No more than that: what comes through a pipe is taken as it comes. */
    while (csv->end < CSV_RECORD_MAX && !csv->ended) {
        long n = csv->source->read(csv->source, csv->buffer + csv->end, BUFFER_SIZE - csv->end,
                                   &csv->broken_why);
        csv->ended = n <= 0;
        csv->broken = n < 0;
        if (n > 0)
            csv->end += (size_t)n;
    }
    if (!csv->started) {
        csv->started = true;
        if (csv->end >= 3 && memcmp(csv->buffer, "\xEF\xBB\xBF", 3) == 0)
            csv->at = 3;
    }
}

/* How long the record at `text` is without its line end when quotes are honoured; the bytes of
 * the line end in *ret_eol; `size` if no line end comes. */
static size_t record_size(const char *text, size_t size, size_t *ret_eol, uint64_t *ret_lines)
{
    bool quoted = false;
    *ret_lines = 1;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            quoted = !quoted; /* A doubled quote toggles twice. */
        else if (text[i] == '\n' && quoted)
            ++*ret_lines;
        else if (text[i] == '\n') {
            bool cr = i > 0 && text[i - 1] == '\r';
            *ret_eol = 1 + cr;
            return i - cr;
        }
    }
    *ret_eol = 0;
    return quoted ? SIZE_MAX : size;
}

static bool split_plain(struct csv_record *record, struct ord_error *error)
{
    const char *text = record->raw, *end = text + record->raw_size;
    for (;;) {
        const char *comma = text;
        while (comma < end && *comma != ',')
            comma++;
        if (record->fields == CSV_FIELDS_MAX)
            return ord_fail(error, "more than %u fields", CSV_FIELDS_MAX);
        record->field[record->fields++] = (struct csv_field){text, (size_t)(comma - text)};
        if (comma - text > (long)CSV_FIELD_MAX)
            return ord_fail(error, "field %u has %zu bytes, want at most %u", record->fields,
                            (size_t)(comma - text), CSV_FIELD_MAX);
        if (comma == end)
            return true;
        text = comma + 1;
    }
}

/* Reads the quoted field at *text into *out; moves both on. */
static bool unquote(const char **text, const char *end, char **out, unsigned field,
                    struct ord_error *error)
{
    const char *in = *text + 1;
    char *to = *out;
    for (;; in++) {
        if (in == end)
            return ord_fail(error, "the quote that opens field %u is never closed", field);
        if (*in == '"') {
            if (in + 1 < end && in[1] == '"')
                in++;
            else
                break;
        }
        *to++ = *in;
    }
    in++;
    if (in < end && *in != ',')
        return ord_fail(error, "field %u has text after its closing quote", field);
    *text = in;
    *out = to;
    return true;
}

static bool split_quoted(struct csv *csv, struct csv_record *record, struct ord_error *error)
{
    const char *text = record->raw, *end = text + record->raw_size;
    char *out = csv->unquoted;
    for (;;) {
        unsigned number = record->fields + 1;
        if (number > CSV_FIELDS_MAX)
            return ord_fail(error, "more than %u fields", CSV_FIELDS_MAX);
        struct csv_field field = {text, 0};
        if (text < end && *text == '"') {
            field.text = out;
            if (!unquote(&text, end, &out, number, error))
                return false;
            field.size = (size_t)(out - field.text);
        } else {
            while (text < end && *text != ',')
                if (*text++ == '"')
                    return ord_fail(error, "field %u has a quote inside unquoted text", number);
            field.size = (size_t)(text - field.text);
        }
        if (field.size > CSV_FIELD_MAX)
            return ord_fail(error, "field %u has %zu bytes, want at most %u", number, field.size,
                            CSV_FIELD_MAX);
        record->field[record->fields++] = field;
        if (text == end)
            return true;
        text++;
    }
}

/* Skips a line whose end does not come within CSV_RECORD_MAX bytes. */
static void skip_long_line(struct csv *csv)
{
    for (;;) {
        refill(csv);
        char *end = memchr(csv->buffer + csv->at, '\n', csv->end - csv->at);
        if (end) {
            csv->at = (size_t)(end - csv->buffer) + 1;
            csv->line++;
            return;
        }
        csv->at = csv->end;
        if (csv->ended)
            return;
    }
}

static enum csv_result too_long(struct csv *csv, struct csv_record *record, struct ord_error *error)
{
    ord_fail(error, "the line has more than %u bytes", CSV_RECORD_MAX);
    /* What is kept of it tells whose it is; the buffer moves on. */
    memcpy(csv->unquoted, record->raw, LONG_KEPT);
    skip_long_line(csv);
    record->raw = csv->unquoted;
    record->raw_size = LONG_KEPT;
    const char *comma = memchr(record->raw, ',', LONG_KEPT);
    if (comma)
        record->field[record->fields++] = (struct csv_field){record->raw,
                                                             (size_t)(comma - record->raw)};
    return CSV_BAD;
}

static enum csv_result check_and_split(struct csv *csv, struct csv_record *record, bool quoted,
                                       struct ord_error *error)
{
    /* Split first: a line that is bad for another reason still tells whose it is. */
    bool split = quoted ? split_quoted(csv, record, error) : split_plain(record, error);
    if (!split)
        return CSV_BAD;
    if (memchr(record->raw, '\0', record->raw_size)) {
        ord_fail(error, "the line holds a NUL byte");
        return CSV_BAD;
    }
    if (!ord_utf8_valid(record->raw, record->raw_size)) {
        ord_fail(error, "the line is not valid UTF-8");
        return CSV_BAD;
    }
    return CSV_RECORD;
}

enum csv_result csv_next(struct csv *csv, struct csv_record *record, struct ord_error *error)
{
    for (;;) {
        record->fields = 0;
        refill(csv);
        record->line = csv->line;
        record->raw = csv->buffer + csv->at;
        size_t left = csv->end - csv->at;
        if (left == 0 && !csv->broken)
            return CSV_END;
        size_t limit = left < CSV_RECORD_MAX ? left : CSV_RECORD_MAX;
        char *newline = memchr(record->raw, '\n', limit);
        if (!newline && csv->broken) { /* What the source cut off is no record. */
            ord_fail(error, "%.240s; line %llu and all after it cannot be read",
                     csv->broken_why.text, (unsigned long long)csv->line);
            csv->at = csv->end;
            csv->broken = false;
            return CSV_BROKEN;
        }
        size_t size = newline ? (size_t)(newline - record->raw) : left;
        if (!newline && left > limit)
            return too_long(csv, record, error);
        bool quoted = memchr(record->raw, '"', size) != NULL;
        size_t eol = newline ? 1 : 0;
        uint64_t lines = 1;
        if (quoted) {
            size_t whole = record_size(record->raw, limit, &eol, &lines);
            if (whole == SIZE_MAX || (eol == 0 && left > limit)) {
                /* Never closed: take this one line as bad, and start again on the next. */
                eol = newline ? 1 : 0;
                lines = 1;
            } else {
                size = whole;
            }
        }
        csv->at += size + eol;
        csv->line += lines;
        if (size > 0 && record->raw[size - 1] == '\r' && eol <= 1)
            size--;
        record->raw_size = size;
        if (size == 0)
            continue;
        enum csv_result result = check_and_split(csv, record, quoted, error);
        if (result == CSV_BAD &&
            lines > 1) { /* The lines that a bad quote swallowed may be good. */
            csv->at -= (size_t)(record->raw + size + eol - newline) - 1;
            csv->line -= lines - 1;
            record->raw_size = (size_t)(newline - record->raw);
        }
        return result;
    }
}
