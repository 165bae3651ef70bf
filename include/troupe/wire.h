/*
 * troupe/wire.h - the encoding of protobuf, piece by piece: what generated codecs are made of.
 *
 * Names with a trailing underscore are for generated code: private, and part of the ABI. Writers
 * trust that there is room; readers take any bytes and return NULL where they end in the middle
 * of something or where the encoding is none.
 */
#ifndef TROUPE_WIRE_H
#define TROUPE_WIRE_H

#include "troupe/message.h"

TR_BEGIN_DECLS

/* Functions that are not to be inlined into every caller. */
#define TR_APART_ static __attribute__((noinline, unused))

static inline uint32_t tr_le32_(uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap32(value);
#else
    return value;
#endif
}

static inline uint64_t tr_le64_(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(value);
#else
    return value;
#endif
}

static inline uint32_t tr_float_bits_(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline uint64_t tr_double_bits_(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float tr_float_of_(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double tr_double_of_(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* sint32 and sint64: 0, -1, 1, -2 … as 0, 1, 2, 3 … */
static inline uint32_t tr_zigzag32_(int32_t value)
{
    return (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0);
}

static inline uint64_t tr_zigzag64_(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int32_t tr_unzigzag32_(uint32_t value)
{
    return (int32_t)(value >> 1 ^ (0 - (value & 1)));
}

static inline int64_t tr_unzigzag64_(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

/* 1…10. Seven bits a byte: (bits × 9 + 64) / 64 without a division. */
static inline size_t tr_varint_size_(uint64_t value)
{
    uint32_t bits = 64 - (uint32_t)__builtin_clzll(value | 1);
    return (bits * 9 + 64) / 64;
}

static inline uint8_t *tr_put_varint_(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* What generated code may write beyond the end of an encoding. */
#define TR_ENCODE_SLACK_ 8

/* As above, for numbers that are often large; writes up to TR_ENCODE_SLACK_ bytes beyond its end. */
static inline uint8_t *tr_put_number_(uint8_t *out, uint64_t value)
{
    if (value < 0x80) {
        *out = (uint8_t)value;
        return out + 1;
    }
    if (TR_UNLIKELY_(value >> 56))
        return tr_put_varint_(out, value);
    /* Halves of 28 bits, quarters of 14, eighths of 7, each half moved out of the other's way. */
    uint64_t spread = (value & 0x0FFFFFFF) | (value & 0x00FFFFFFF0000000) << 4;
    spread = (spread & 0x00003FFF00003FFF) | (spread & 0x0FFFC0000FFFC000) << 2;
    spread = (spread & 0x007F007F007F007F) | (spread & 0x3F803F803F803F80) << 1;
    size_t size = tr_varint_size_(value);
    uint64_t more = 0x8080808080808080u & (((uint64_t)1 << (8 * (size - 1))) - 1);
    spread = tr_le64_(spread | more);
    memcpy(out, &spread, sizeof spread);
    return out + size;
}

static inline uint8_t *tr_put_fixed32_(uint8_t *out, uint32_t value)
{
    value = tr_le32_(value);
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

static inline uint8_t *tr_put_fixed64_(uint8_t *out, uint64_t value)
{
    value = tr_le64_(value);
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

static inline uint8_t *tr_put_bytes_(uint8_t *out, const void *data, size_t size)
{
    out = tr_put_varint_(out, size);
    /* A compiler that knew the size's bound would copy by a loop of its own (rep movs), at three
     * times the price of the library's. */
    __asm__("" : "+r"(size));
    if (size > 0)
        memcpy(out, data, size);
    return out + size;
}

/*
 * What begins at `begin` (one byte after the place that was kept for its size) ends at `end`:
 * writes the size before it, and moves it where the size takes more than one byte.
 */
static inline uint8_t *tr_put_size_before_(uint8_t *begin, uint8_t *end)
{
    size_t size = (size_t)(end - begin);
    if (TR_UNLIKELY_(size >= 0x80)) {
        size_t more = tr_varint_size_(size) - 1;
        memmove(begin + more, begin, size);
        end += more;
    }
    tr_put_varint_(begin - 1, size);
    return end;
}

/* The tenth byte may hold one bit only, as Go has it. */
TR_APART_ const uint8_t *tr_get_slow_varint_(const uint8_t *at, const uint8_t *end,
                                             uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return NULL;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return at;
        }
    }
    return NULL;
}

/* Up to eight bytes at once, where as many are left. */
static inline const uint8_t *tr_get_long_varint_(const uint8_t *at, const uint8_t *end,
                                                 uint64_t *ret_value)
{
    if (TR_UNLIKELY_(end - at < 8))
        return tr_get_slow_varint_(at, end, ret_value);
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    bytes = tr_le64_(bytes);
    uint64_t last = ~bytes & 0x8080808080808080u;
    if (TR_UNLIKELY_(last == 0))
        return tr_get_slow_varint_(at, end, ret_value);
    size_t size = (size_t)__builtin_ctzll(last) / 8 + 1;
    bytes &= (last ^ (last - 1)) & 0x7F7F7F7F7F7F7F7F;
    bytes = (bytes & 0x007F007F007F007F) | (bytes & 0x7F007F007F007F00) >> 1;
    bytes = (bytes & 0x00003FFF00003FFF) | (bytes & 0x3FFF00003FFF0000) >> 2;
    *ret_value = (bytes & 0x0FFFFFFF) | (bytes & 0x0FFFFFFF00000000) >> 4;
    return at + size;
}

static inline const uint8_t *tr_get_varint_(const uint8_t *at, const uint8_t *end,
                                            uint64_t *ret_value)
{
    if (TR_UNLIKELY_(at >= end))
        return NULL;
    if (*at < 0x80) {
        *ret_value = *at;
        return at + 1;
    }
    if (end - at >= 2 && at[1] < 0x80) {
        *ret_value = (uint64_t)(at[0] & 0x7F) | (uint64_t)at[1] << 7;
        return at + 2;
    }
    return tr_get_long_varint_(at, end, ret_value);
}

/* The size of what follows; NULL too when less than that is left. */
static inline const uint8_t *tr_get_size_(const uint8_t *at, const uint8_t *end, size_t *ret_size)
{
    uint64_t size;
    at = tr_get_varint_(at, end, &size);
    if (TR_UNLIKELY_(!at || size > (uint64_t)(end - at)))
        return NULL;
    *ret_size = (size_t)size;
    return at;
}

static inline const uint8_t *tr_get_fixed32_(const uint8_t *at, const uint8_t *end,
                                             uint32_t *ret_value)
{
    uint32_t value;
    if (TR_UNLIKELY_((size_t)(end - at) < sizeof value))
        return NULL;
    memcpy(&value, at, sizeof value);
    *ret_value = tr_le32_(value);
    return at + sizeof value;
}

static inline const uint8_t *tr_get_fixed64_(const uint8_t *at, const uint8_t *end,
                                             uint64_t *ret_value)
{
    uint64_t value;
    if (TR_UNLIKELY_((size_t)(end - at) < sizeof value))
        return NULL;
    memcpy(&value, at, sizeof value);
    *ret_value = tr_le64_(value);
    return at + sizeof value;
}

/* Groups of groups deeper than this are malformed; protobuf's own limit is 100. */
#define TR_GROUP_DEPTH_MAX 64

/* One value of an unknown field that is not a group. `kind` is the wire type. */
static inline const uint8_t *tr_skip_plain_(const uint8_t *at, const uint8_t *end, unsigned kind)
{
    uint64_t value;
    size_t size;
    switch (kind) {
    case 0:
        return tr_get_varint_(at, end, &value);
    case 1:
        return end - at >= 8 ? at + 8 : NULL;
    case 2:
        at = tr_get_size_(at, end, &size);
        return at ? at + size : NULL;
    case 5:
        return end - at >= 4 ? at + 4 : NULL;
    default:
        return NULL;
    }
}

/* Skips the value of the unknown field whose `tag` was just read; a group up to its end. */
TR_APART_ const uint8_t *tr_skip_(const uint8_t *at, const uint8_t *end, uint64_t tag)
{
    uint32_t open[TR_GROUP_DEPTH_MAX];
    unsigned depth = 0;
    for (;;) {
        uint64_t number = tag >> 3;
        if (number == 0 || number > 0x1FFFFFFF)
            return NULL;
        if ((tag & 7) == 3) {
            if (depth == TR_GROUP_DEPTH_MAX)
                return NULL;
            open[depth++] = (uint32_t)number;
        } else if ((tag & 7) == 4) {
            if (depth == 0 || open[--depth] != number)
                return NULL;
        } else {
            at = tr_skip_plain_(at, end, (unsigned)(tag & 7));
        }
        if (!at || depth == 0)
            return at;
        at = tr_get_varint_(at, end, &tag);
        if (!at)
            return NULL;
    }
}

/* The length of the UTF-8 sequence at `at`, 0 if it is none. */
static inline size_t tr_utf8_step_(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0];
    size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (size == 0 || first > 0xF4 || (size_t)(end - at) < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if (at[i] >> 6 != 2)
            return 0;
    bool overlong = (first == 0xE0 && at[1] < 0xA0) || (first == 0xF0 && at[1] < 0x90);
    bool surrogate = first == 0xED && at[1] > 0x9F;
    bool beyond = first == 0xF4 && at[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : size;
}

/* Whether `size` bytes are UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. */
static inline bool tr_utf8_valid(const void *text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text, *end = size > 0 ? at + size : at;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8) {
            memcpy(&eight, at, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                at += 8;
                continue;
            }
        }
        size_t step = tr_utf8_step_(at, end);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

/* Varints in `size` bytes: each ends with a byte below 0x80. */
static inline size_t tr_count_varints_(const uint8_t *at, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += at[i] < 0x80;
    return count;
}

/* The size of a struct whose trailing array has `length` elements of `stride` bytes. */
static inline TR_MUST_USE tr_err tr_trailing_size_(size_t size, size_t offset, size_t stride,
                                                   size_t length, size_t *ret_body_size)
{
    if (length > (TR_MESSAGE_SIZE_MAX - offset) / stride)
        return TR_EFULL;
    size_t end = offset + length * stride;
    *ret_body_size = end > size ? end : size;
    return TR_OK;
}

/* MemorySanitizer cannot follow what looks at eight bytes of which only the first are in use. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define TR_BYTEWISE_ true
#endif
#endif
#ifndef TR_BYTEWISE_
#define TR_BYTEWISE_ false
#endif

static inline uint64_t tr_load8_(const void *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* The size of a text in a field of `room` bytes, `room` if there is no NUL; and is it all ASCII? */
static inline size_t tr_text_size_(const char *field, size_t room, bool *ret_ascii)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080u;
    uint64_t high = 0;
    size_t i = 0;
    for (; !TR_BYTEWISE_ && i + 8 <= room; i += 8) {
        uint64_t word = tr_le64_(tr_load8_(field + i));
        uint64_t nul = (word - ones) & ~word & highs; /* The lowest bit is exact. */
        if (nul) {
            /* Shifted, not masked: so valgrind, too, sees that what follows the NUL is not used. */
            size_t before = (size_t)__builtin_ctzll(nul) / 8;
            high |= before > 0 ? word << (64 - 8 * before) & highs : 0;
            *ret_ascii = high == 0;
            return i + before;
        }
        high |= word & highs;
    }
    for (; i < room && field[i] != '\0'; i++)
        high |= (uint8_t)field[i] & 0x80;
    *ret_ascii = high == 0;
    return i;
}

/* The same without a look at what is in it. */
static inline size_t tr_text_length_(const char *field, size_t room)
{
    const char *nul = (const char *)memchr(field, 0, room);
    return nul ? (size_t)(nul - field) : room;
}

/* Copies eight bytes at a time, the last ones twice; up to TR_ENCODE_SLACK_ beyond their end. */
static inline void tr_copy_out_(uint8_t *out, const char *field, size_t room, size_t size)
{
    if (TR_UNLIKELY_(size > 64 || room < 8)) {
        memcpy(out, field, size);
        return;
    }
    uint64_t word = tr_load8_(field);
    memcpy(out, &word, sizeof word);
    if (size <= 8)
        return;
    for (size_t i = 8; i + 8 < size; i += 8) {
        word = tr_load8_(field + i);
        memcpy(out + i, &word, sizeof word);
    }
    word = tr_load8_(field + size - 8);
    memcpy(out + size - 8, &word, sizeof word);
}

/* Size and text of a field of `room` bytes; NULL if it is not UTF-8. */
static inline uint8_t *tr_put_text_(uint8_t *out, const char *field, size_t room, size_t size,
                                    bool ascii)
{
    if (TR_UNLIKELY_(!ascii && !tr_utf8_valid(field, size)))
        return NULL;
    out = tr_put_varint_(out, size);
    tr_copy_out_(out, field, room, size);
    return out + size;
}

/* Not 0 if one of eight bytes is a NUL or above ASCII. */
static inline uint64_t tr_not_plain_(uint64_t word)
{
    return ((word - 0x0101010101010101) | word) & 0x8080808080808080u;
}

/* Copies a received text that must fit with its NUL; false: not UTF-8, or a NUL inside. */
static inline bool tr_take_text_(char *field, const uint8_t *text, size_t size)
{
    if (size >= 8 && size <= 64) {
        uint64_t word = tr_load8_(text + size - 8), odd = tr_not_plain_(word);
        for (size_t i = 0; i + 8 < size; i += 8) {
            uint64_t part = tr_load8_(text + i);
            odd |= tr_not_plain_(part);
            memcpy(field + i, &part, sizeof part);
        }
        memcpy(field + size - 8, &word, sizeof word);
        field[size] = '\0';
        if (!odd)
            return true;
    } else if (size < 8) {
        uint8_t odd = 0;
        for (size_t i = 0; i < size; i++) {
            odd |= (uint8_t)(text[i] - 1) | text[i];
            field[i] = (char)text[i];
        }
        field[size] = '\0';
        if (odd < 0x80)
            return true;
    }
    if (memchr(text, 0, size) || !tr_utf8_valid(text, size))
        return false;
    memcpy(field, text, size);
    field[size] = '\0';
    return true;
}

TR_END_DECLS

#endif
