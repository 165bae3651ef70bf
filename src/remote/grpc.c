/* grpc.c - gRPC's framing and texts. */
#include "remote/grpc.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "remote/wire.h"

#include <string.h>

/* The first piece of memory for a message that comes in pieces. */
#define FIRST_CAPACITY (64u << 10)

void tri_spare_fini(struct tri_spare *spare)
{
    tri_free(spare->bytes);
    spare->bytes = NULL;
    spare->capacity = 0;
}

bool tri_spare_lend(struct tri_spare *spare, size_t size)
{
    if (spare->lent_max > 0 && size > spare->lent_max - spare->lent)
        return false;
    spare->lent += size;
    return true;
}

/* The larger of the two stays. */
static void give_back(struct tri_deframer *deframer, struct tri_spare *spare)
{
    spare->lent -= deframer->capacity;
    if (deframer->capacity > spare->capacity && deframer->capacity <= TRI_SPARE_MAX) {
        tri_free(spare->bytes);
        spare->bytes = deframer->bytes;
        spare->capacity = deframer->capacity;
    } else {
        tri_free(deframer->bytes);
    }
    deframer->bytes = NULL;
    deframer->size = deframer->capacity = 0;
}

void tri_deframer_fini(struct tri_deframer *deframer, struct tri_spare *spare)
{
    if (deframer->bytes)
        give_back(deframer, spare);
    *deframer = (struct tri_deframer){0};
}

bool tri_deframer_within(const struct tri_deframer *deframer)
{
    return deframer->prefix_size > 0 && !deframer->told;
}

/* Room for `more` bytes; doubles, so that it never holds over twice of what has come. */
static bool reserve(struct tri_deframer *deframer, size_t more, struct tri_spare *spare)
{
    size_t need = deframer->size + more;
    if (need <= deframer->capacity)
        return true;
    if (!deframer->bytes && spare->bytes && tri_spare_lend(spare, spare->capacity)) {
        deframer->bytes = spare->bytes;
        deframer->capacity = spare->capacity;
        spare->bytes = NULL;
        spare->capacity = 0;
        if (need <= deframer->capacity)
            return true;
    }
    size_t capacity = deframer->capacity ? deframer->capacity * 2 : FIRST_CAPACITY;
    capacity = capacity < need ? need : capacity;
    if (deframer->want < capacity && deframer->want > FIRST_CAPACITY)
        capacity = deframer->want;
    size_t growth = capacity - deframer->capacity;
    if (!tri_spare_lend(spare, growth))
        return false;
    uint8_t *bytes = tri_realloc(deframer->bytes, capacity);
    if (!bytes) {
        spare->lent -= growth;
        return false;
    }
    deframer->bytes = bytes;
    deframer->capacity = capacity;
    return true;
}

static size_t take(uint8_t *to, size_t want, const uint8_t **data, size_t *size)
{
    size_t n = *size < want ? *size : want;
    if (n > 0)
        memcpy(to, *data, n);
    *data += n;
    *size -= n;
    return n;
}

enum tri_deframed tri_deframe(struct tri_deframer *deframer, const uint8_t **data, size_t *size,
                              size_t message_max, struct tri_spare *spare,
                              struct tri_deframed_message *ret_message)
{
    if (deframer->told) {
        deframer->told = false;
        deframer->prefix_size = 0;
        if (deframer->bytes)
            give_back(deframer, spare);
    }
    if (deframer->prefix_size < TRI_GRPC_PREFIX) {
        deframer->prefix_size += (uint8_t)take(deframer->prefix + deframer->prefix_size,
                                               TRI_GRPC_PREFIX - (size_t)deframer->prefix_size,
                                               data, size);
        if (deframer->prefix_size < TRI_GRPC_PREFIX)
            return TRI_DEFRAMED_NOTHING;
        const uint8_t *p = deframer->prefix;
        deframer->want = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        if (p[0] > 1)
            return TRI_DEFRAMED_BAD_FLAG;
        if (deframer->want > message_max)
            return TRI_DEFRAMED_TOO_LARGE;
    }
    ret_message->compressed = deframer->prefix[0] == 1;
    ret_message->size = deframer->want;
    if (deframer->size == 0 && *size >= deframer->want) { /* The usual case: no copy. */
        ret_message->at = *data;
        *data += deframer->want;
        *size -= deframer->want;
        deframer->told = true;
        return TRI_DEFRAMED_MESSAGE;
    }
    size_t more = deframer->want - deframer->size;
    if (*size == 0)
        return TRI_DEFRAMED_NOTHING;
    if (!reserve(deframer, *size < more ? *size : more, spare))
        return TRI_DEFRAMED_NO_MEMORY;
    deframer->size += take(deframer->bytes + deframer->size, more, data, size);
    if (deframer->size < deframer->want)
        return TRI_DEFRAMED_NOTHING;
    ret_message->at = deframer->bytes;
    deframer->told = true;
    return TRI_DEFRAMED_MESSAGE;
}

size_t tri_grpc_escape(const char *text, char *to, size_t to_size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size = 0;
    for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
        bool plain = *p >= 0x20 && *p <= 0x7E && *p != '%';
        if (size + (plain ? 1 : 3) > to_size)
            break;
        if (plain) {
            to[size++] = (char)*p;
        } else {
            to[size++] = '%';
            to[size++] = digits[*p >> 4];
            to[size++] = digits[*p & 15];
        }
    }
    return size;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

void tri_grpc_unescape(const uint8_t *text, size_t size, char *to, size_t to_size)
{
    size_t n = 0;
    for (size_t i = 0; i < size && n + 1 < to_size; i++) {
        uint8_t c = text[i];
        if (c == '%' && i + 2 < size && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
            c = (uint8_t)(digit(text[i + 1]) << 4 | digit(text[i + 2]));
            i += 2;
        }
        bool control = c < 0x20 || c == 0x7F; /* It is for a line of a log. */
        to[n++] = (char)(control ? (uint8_t)'?' : c);
    }
    to[n] = '\0';
}

int tri_grpc_status(const uint8_t *text, size_t size)
{
    if (size == 1 && text[0] >= '0' && text[0] <= '9')
        return text[0] - '0';
    if (size == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '6')
        return 10 + text[1] - '0';
    return -1;
}

int tri_grpc_from_http(int http_status)
{
    switch (http_status) {
    case 400:
        return TRI_WIRE_INTERNAL;
    case 401:
        return TRI_WIRE_UNAUTHENTICATED;
    case 403:
        return TRI_WIRE_PERMISSION_DENIED;
    case 404:
        return TRI_WIRE_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return TRI_WIRE_UNAVAILABLE;
    default:
        return TRI_WIRE_UNKNOWN;
    }
}

int tri_grpc_from_h2(uint32_t code)
{
    switch (code) {
    case 0x7: /* REFUSED_STREAM */
        return TRI_WIRE_UNAVAILABLE;
    case 0x8: /* CANCEL */
        return TRI_WIRE_CANCELLED;
    case 0xB: /* ENHANCE_YOUR_CALM */
        return TRI_WIRE_RESOURCE_EXHAUSTED;
    case 0xC: /* INADEQUATE_SECURITY */
        return TRI_WIRE_PERMISSION_DENIED;
    default:
        return TRI_WIRE_INTERNAL;
    }
}
