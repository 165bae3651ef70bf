/* pb.h - as much of the protobuf encoding as the nodes' own messages need. */
#ifndef ORDERS_NODES_PB_H
#define ORDERS_NODES_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of a field's head and of a number at most. */
#define PB_HEAD_MAX 6u
#define PB_NUMBER_MAX (PB_HEAD_MAX + 10u)

static inline uint8_t *pb_put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

/* Fields with the value 0 or no bytes are left out, as proto3 has it. */
static inline uint8_t *pb_put_uint(uint8_t *out, uint32_t field, uint64_t value)
{
    if (value == 0)
        return out;
    return pb_put_varint(pb_put_varint(out, field << 3), value);
}

static inline uint8_t *pb_put_sint(uint8_t *out, uint32_t field, int64_t value)
{
    return pb_put_uint(out, field, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static inline uint8_t *pb_put_fixed64(uint8_t *out, uint32_t field, uint64_t value)
{
    out = pb_put_varint(out, field << 3 | 1);
    for (int i = 0; i < 8; i++)
        *out++ = (uint8_t)(value >> (8 * i));
    return out;
}

static inline uint8_t *pb_put_bytes(uint8_t *out, uint32_t field, const void *data, size_t size)
{
    if (size == 0)
        return out;
    out = pb_put_varint(pb_put_varint(out, field << 3 | 2), size);
    memcpy(out, data, size);
    return out + size;
}

static inline uint8_t *pb_put_text(uint8_t *out, uint32_t field, const char *text)
{
    return pb_put_bytes(out, field, text, strlen(text));
}

/* ---- Reading --------------------------------------------------------------- */

struct pb_reader {
    const uint8_t *at, *end;
    bool bad; /* what was read is no protobuf */
};

struct pb_field {
    uint32_t number;
    uint64_t value;      /* of varint and fixed fields */
    const uint8_t *data; /* of fields with bytes; else NULL */
    size_t size;
};

static inline int64_t pb_sint(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

static inline bool pb_get_varint(struct pb_reader *reader, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    reader->bad = true;
    return false;
}

static inline bool pb_get_fixed(struct pb_reader *reader, unsigned size, uint64_t *ret_value)
{
    if ((size_t)(reader->end - reader->at) < size) {
        reader->bad = true;
        return false;
    }
    *ret_value = 0;
    for (unsigned i = 0; i < size; i++)
        *ret_value |= (uint64_t)*reader->at++ << (8 * i);
    return true;
}

/* The next field; false at the end or where the bytes make no sense (then reader->bad). */
static inline bool pb_next(struct pb_reader *reader, struct pb_field *field)
{
    uint64_t head, size;
    if (reader->at == reader->end || !pb_get_varint(reader, &head))
        return false;
    field->number = (uint32_t)(head >> 3);
    field->data = NULL;
    field->value = field->size = 0;
    switch (head & 7) {
    case 0:
        return pb_get_varint(reader, &field->value);
    case 1:
        return pb_get_fixed(reader, 8, &field->value);
    case 5:
        return pb_get_fixed(reader, 4, &field->value);
    case 2:
        if (pb_get_varint(reader, &size) && size <= (uint64_t)(reader->end - reader->at)) {
            field->data = reader->at;
            field->size = (size_t)size;
            reader->at += size;
            return true;
        }
    }
    reader->bad = true;
    return false;
}

/* Copies a text into a field of `room` bytes; false: too long, or not UTF-8 (text.h). */
bool pb_take_text(char *into, size_t room, const struct pb_field *field);

#endif
