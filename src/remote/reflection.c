/*
 * reflection.c - gRPC's server reflection, out of the descriptors that the build has put in.
 *
 * They are gone through anew for each request: they are small, and who asks is a person.
 */
#include "remote/reflection.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "remote/descriptors.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_MAX 1024u /* bytes; symbols are shorter */
/* Files nest messages no deeper than protoc allows; this bounds the recursion by itself. */
#define DEPTH_MAX 32

/* ---- Reading protobuf ---------------------------------------------------- */

struct view {
    const uint8_t *at;
    size_t size;
};

static bool varint(struct view *from, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && from->size > 0; shift += 7) {
        uint8_t byte = *from->at++;
        from->size--;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

struct field {
    uint32_t number;
    struct view bytes; /* of a length-delimited one; else empty */
};

/* False at the end, or (malformed) where it is none. */
static bool next_field(struct view *from, struct field *ret_field, bool *ret_malformed)
{
    uint64_t key, value = 0;
    if (from->size == 0)
        return false;
    *ret_malformed = true;
    if (!varint(from, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
        return false;
    *ret_field = (struct field){.number = (uint32_t)(key >> 3)};
    switch (key & 7) {
    case 0:
        *ret_malformed = !varint(from, &value);
        return !*ret_malformed;
    case 1:
        value = 8;
        break;
    case 2:
        if (!varint(from, &value))
            return false;
        break;
    case 5:
        value = 4;
        break;
    default:
        return false;
    }
    if (value > from->size)
        return false;
    if ((key & 7) == 2)
        ret_field->bytes = (struct view){from->at, (size_t)value};
    from->at += value;
    from->size -= (size_t)value;
    *ret_malformed = false;
    return true;
}

/* The field's bytes, empty where it is not. */
static struct view get(struct view message, uint32_t number)
{
    struct field field;
    bool malformed;
    while (next_field(&message, &field, &malformed)) {
        if (field.number == number)
            return field.bytes;
    }
    return (struct view){NULL, 0};
}

static bool same(struct view a, struct view b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* Takes `name` off `*path`, where it begins so and goes on with a dot or ends. */
static bool descend(struct view *path, struct view name)
{
    if (name.size == 0)
        return true;
    if (path->size < name.size || memcmp(path->at, name.at, name.size) != 0)
        return false;
    if (path->size > name.size && path->at[name.size] != '.')
        return false;
    size_t skip = path->size > name.size ? name.size + 1 : name.size;
    path->at += skip;
    path->size -= skip;
    return true;
}

/* ---- Descriptors --------------------------------------------------------- */

enum { FILE_NAME = 1, FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { NAME = 1, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, SERVICE_METHOD = 2 };

/* True if `path` leads to `thing`, or to one of those of its fields whose numbers are given. */
static bool holds(struct view thing, struct view path, const uint32_t numbers[2], int depth)
{
    struct field field;
    bool malformed;
    if (depth > DEPTH_MAX || !descend(&path, get(thing, NAME)))
        return false;
    if (path.size == 0)
        return true;
    while (next_field(&thing, &field, &malformed)) {
        static const uint32_t none[2] = {0, 0};
        if (field.number == numbers[0] || field.number == numbers[1]) {
            bool nested = field.number == MESSAGE_NESTED;
            if (holds(field.bytes, path, nested ? numbers : none, depth + 1))
                return true;
        }
    }
    return false;
}

static bool file_holds(struct view file, struct view symbol)
{
    static const uint32_t of_message[2] = {MESSAGE_NESTED, MESSAGE_ENUM};
    static const uint32_t of_service[2] = {SERVICE_METHOD, SERVICE_METHOD};
    static const uint32_t none[2] = {0, 0};
    struct field field;
    bool malformed;
    if (!descend(&symbol, get(file, FILE_PACKAGE)) || symbol.size == 0)
        return false;
    while (next_field(&file, &field, &malformed)) {
        const uint32_t *numbers = field.number == FILE_MESSAGE   ? of_message
                                  : field.number == FILE_SERVICE ? of_service
                                  : field.number == FILE_ENUM    ? none
                                                                 : NULL;
        if (numbers && holds(field.bytes, symbol, numbers, 0))
            return true;
    }
    return false;
}

static bool next_file(struct view *set, struct view *ret_file)
{
    struct field field;
    bool malformed;
    if (!next_field(set, &field, &malformed))
        return false;
    *ret_file = field.bytes;
    return true;
}

static struct view all_files(void)
{
    return (struct view){tri_descriptors, tri_descriptors_size};
}

/* By name or by symbol; empty: there is none. */
static struct view find_file(struct view wanted, bool by_name)
{
    struct view set = all_files(), file;
    while (next_file(&set, &file)) {
        if (by_name ? same(get(file, FILE_NAME), wanted) : file_holds(file, wanted))
            return file;
    }
    return (struct view){NULL, 0};
}

/* ---- Writing protobuf ---------------------------------------------------- */

/* Counts only, while `at` is NULL. */
struct writer {
    uint8_t *at;
    size_t size;
};

static void put_byte(struct writer *to, uint8_t byte)
{
    if (to->at)
        *to->at++ = byte;
    to->size++;
}

static void put_varint(struct writer *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(to, (uint8_t)(value | 0x80));
    put_byte(to, (uint8_t)value);
}

/* Key and length of what is then put. */
static void put_head(struct writer *to, uint32_t number, size_t size)
{
    put_varint(to, (uint64_t)number << 3 | 2);
    put_varint(to, size);
}

static void put_raw(struct writer *to, struct view bytes)
{
    if (to->at && bytes.size > 0) {
        memcpy(to->at, bytes.at, bytes.size);
        to->at += bytes.size;
    }
    to->size += bytes.size;
}

static void put_bytes(struct writer *to, uint32_t number, struct view bytes)
{
    put_head(to, number, bytes.size);
    put_raw(to, bytes);
}

/* ---- Answers ------------------------------------------------------------- */

enum { BY_FILENAME = 3, BY_SYMBOL = 4, BY_EXTENSION = 5, EXTENSIONS = 6, LIST = 7 };
enum { ORIGINAL = 2, FILES = 4, SERVICES = 6, ERROR = 7 };

/* The names of all services, each a ServiceResponse. */
static void put_services(struct writer *to)
{
    struct view set = all_files(), file;
    while (next_file(&set, &file)) {
        struct view package = get(file, FILE_PACKAGE), rest = file;
        struct field field;
        bool malformed;
        while (next_field(&rest, &field, &malformed)) {
            if (field.number != FILE_SERVICE)
                continue;
            struct view name = get(field.bytes, NAME), dot = {(const uint8_t *)".", 1};
            dot.size = package.size > 0;
            struct writer size = {NULL, 0};
            put_head(&size, 1, package.size + dot.size + name.size);
            put_head(to, 1, size.size + package.size + dot.size + name.size);
            put_head(to, 1, package.size + dot.size + name.size);
            put_raw(to, package);
            put_raw(to, dot);
            put_raw(to, name);
        }
    }
}

static void put_error(struct writer *to, int code, const char *text)
{
    put_varint(to, 1 << 3);
    put_varint(to, (uint64_t)code);
    put_bytes(to, 2, (struct view){(const uint8_t *)text, strlen(text)});
}

/* What the oneof holds; returns its number. */
static uint32_t put_result(struct writer *to, uint32_t asked, struct view argument)
{
    struct view file = {NULL, 0};
    if (asked == LIST) {
        put_services(to);
        return SERVICES;
    }
    if (asked == BY_FILENAME || asked == BY_SYMBOL)
        file = find_file(argument, asked == BY_FILENAME);
    if (file.size > 0) {
        put_bytes(to, 1, file);
        return FILES;
    }
    if (asked == 0)
        put_error(to, TRI_WIRE_INVALID_ARGUMENT, "the request asks for nothing that is known");
    else if (asked == BY_FILENAME)
        put_error(to, TRI_WIRE_NOT_FOUND, "no such file here");
    else if (asked == BY_SYMBOL)
        put_error(to, TRI_WIRE_NOT_FOUND, "no such symbol here");
    else
        put_error(to, TRI_WIRE_NOT_FOUND, "there are no extensions here");
    return ERROR;
}

uint8_t *tri_reflection_answer(const uint8_t *request, size_t size, size_t *ret_size,
                               bool *ret_malformed)
{
    struct view whole = {request, size}, rest = whole, argument = {NULL, 0};
    struct field field;
    uint32_t asked = 0;
    bool malformed = false;
    while (next_field(&rest, &field, &malformed)) {
        if (field.number >= BY_FILENAME && field.number <= LIST) {
            asked = field.number;
            argument = field.bytes;
        }
    }
    *ret_malformed = malformed || size > REQUEST_MAX;
    if (*ret_malformed)
        return NULL;
    struct writer result = {NULL, 0}, sizes = {NULL, 0};
    uint32_t number = put_result(&result, asked, argument);
    put_bytes(&sizes, ORIGINAL, whole);
    put_head(&sizes, number, result.size);
    uint8_t *answer = tri_malloc(sizes.size + result.size);
    if (!answer)
        return NULL;
    struct writer to = {answer, 0};
    put_bytes(&to, ORIGINAL, whole);
    put_head(&to, number, result.size);
    (void)put_result(&to, asked, argument);
    TRI_ASSERT(to.size == sizes.size + result.size);
    *ret_size = to.size;
    return answer;
}

/* ---- Calls --------------------------------------------------------------- */

struct answer {
    struct tri_buffer buffer;
    uint8_t *bytes;
};

static void release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate;
    struct answer *answer = TRI_CONTAINER_OF(buffer, struct answer, buffer);
    tri_free(answer->bytes);
    tri_free(answer);
}

static void on_message(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    (void)user;
    struct answer *answer = tri_calloc(1, sizeof *answer);
    bool malformed = false;
    if (answer)
        answer->bytes = tri_reflection_answer(data, size, &answer->buffer.part[0].size, &malformed);
    if (!answer || !answer->bytes) {
        tri_free(answer);
        tri_stream_end(stream, malformed ? TRI_WIRE_INVALID_ARGUMENT : TRI_WIRE_RESOURCE_EXHAUSTED,
                       malformed ? "the request is no ServerReflectionRequest" : "no memory");
        return;
    }
    answer->buffer.part[0].at = answer->bytes;
    answer->buffer.release = release;
    tri_stream_send(stream, &answer->buffer);
    /* Who asks without reading the answers waits. */
    if (stream->high)
        tri_stream_pause(stream, true);
}

static void on_writable(void *user, struct tri_stream *stream)
{
    (void)user;
    tri_stream_pause(stream, false);
}

static void on_ended(void *user, struct tri_stream *stream)
{
    (void)user;
    tri_stream_end(stream, TRI_WIRE_OK, NULL);
}

static void on_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    (void)user;
    (void)stream;
    (void)status;
    (void)text;
}

const struct tri_wire_events tri_reflection_events = {.low_mark = 64u << 10,
                                                      .message = on_message,
                                                      .writable = on_writable,
                                                      .ended = on_ended,
                                                      .closed = on_closed};
