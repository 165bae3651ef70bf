#include "codec/wire.h"

static bool malformed(struct tri_reader *reader, tr_err *ret_err)
{
    reader->at = reader->end;
    *ret_err = TR_EPROTO;
    return false;
}

bool tri_read_field(struct tri_reader *reader, struct tri_wire_field *ret, tr_err *ret_err)
{
    *ret_err = TR_OK;
    for (;;) {
        const uint8_t *at = reader->at, *end = reader->end;
        if (at == end)
            return false;
        uint64_t tag;
        at = tr_get_varint_(at, end, &tag);
        if (!at || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
            return malformed(reader, ret_err);
        *ret = (struct tri_wire_field){.number = (uint32_t)(tag >> 3), .kind = (uint32_t)(tag & 7)};
        uint32_t half = 0;
        switch (ret->kind) {
        case TRI_WIRE_VARINT:
            at = tr_get_varint_(at, end, &ret->value);
            break;
        case TRI_WIRE_FIXED64:
            at = tr_get_fixed64_(at, end, &ret->value);
            break;
        case TRI_WIRE_FIXED32:
            at = tr_get_fixed32_(at, end, &half);
            ret->value = half;
            break;
        case TRI_WIRE_BYTES:
            at = tr_get_size_(at, end, &ret->size);
            ret->bytes = at;
            at = at ? at + ret->size : NULL;
            break;
        default:
            at = tr_skip_(at, end, tag);
            break;
        }
        if (!at)
            return malformed(reader, ret_err);
        reader->at = at;
        if (ret->kind != 3)
            return true;
    }
}

bool tri_read_text(const struct tri_wire_field *field, struct tri_name *ret, tr_err *ret_err)
{
    if (field->size > UINT32_MAX || !tr_utf8_valid(field->bytes, field->size)) {
        *ret_err = TR_EPROTO;
        return false;
    }
    *ret = (struct tri_name){(const char *)field->bytes, (uint32_t)field->size};
    return true;
}

/* Whether `size` bytes may be written. */
static bool room(struct tri_writer *writer, size_t size)
{
    if ((size_t)(writer->end - writer->at) < size)
        writer->failed = true;
    return !writer->failed;
}

void tri_write_varint(struct tri_writer *writer, uint32_t number, uint64_t value)
{
    uint32_t tag = TRI_TAG(number, TRI_WIRE_VARINT);
    if (value == 0 || !room(writer, tr_varint_size_(tag) + tr_varint_size_(value)))
        return;
    writer->at = tr_put_varint_(tr_put_varint_(writer->at, tag), value);
}

void tri_write_bytes_always(struct tri_writer *writer, uint32_t number, const void *data,
                            size_t size)
{
    uint32_t tag = TRI_TAG(number, TRI_WIRE_BYTES);
    size_t before = tr_varint_size_(tag) + tr_varint_size_(size);
    if (size > SIZE_MAX - before || !room(writer, before + size))
        return;
    writer->at = tr_put_bytes_(tr_put_varint_(writer->at, tag), data, size);
}

void tri_write_text_always(struct tri_writer *writer, uint32_t number, struct tri_name text)
{
    if (!tr_utf8_valid(text.at, text.size))
        writer->failed = true;
    tri_write_bytes_always(writer, number, text.at, text.size);
}

void tri_write_text(struct tri_writer *writer, uint32_t number, struct tri_name text)
{
    if (text.size > 0)
        tri_write_text_always(writer, number, text);
}

uint8_t *tri_write_begin(struct tri_writer *writer, uint32_t number)
{
    uint32_t tag = TRI_TAG(number, TRI_WIRE_BYTES);
    if (!room(writer, tr_varint_size_(tag) + 1))
        return writer->at;
    writer->at = tr_put_varint_(writer->at, tag) + 1;
    return writer->at;
}

void tri_write_end(struct tri_writer *writer, uint8_t *begun)
{
    if (writer->failed || !room(writer, tr_varint_size_((size_t)(writer->at - begun)) - 1))
        return;
    writer->at = tr_put_size_before_(begun, writer->at);
}
