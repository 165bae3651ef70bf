/*
 * fuzz_fields.c - the building blocks of the codec against plain ones: varints, UTF-8, texts, fields
 * and groups one after the other.
 */
#include "codec/wire.h"
#include "fuzz.h"
#include "text.h"

/* By the definition, a byte at a time. */
static const uint8_t *plain_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
    uint64_t value = 0;
    for (int i = 0; i < 10 && at + i < end; i++) {
        if (i == 9 && at[i] > 1)
            return NULL;
        value |= (uint64_t)(at[i] & 127) << (7 * i);
        if (at[i] < 128) {
            *ret = value;
            return at + i + 1;
        }
    }
    return NULL;
}

static void check_varint(const uint8_t *at, const uint8_t *end)
{
    uint64_t value = 0, plain = 0;
    const uint8_t *next = tr_get_varint_(at, end, &value);
    HOLDS(next == plain_varint(at, end, &plain));
    if (!next)
        return;
    HOLDS(value == plain);
    uint8_t exact[10], fast[10 + TR_ENCODE_SLACK_];
    size_t size = (size_t)(tr_put_varint_(exact, value) - exact);
    HOLDS(size == tr_varint_size_(value) && size <= (size_t)(next - at));
    HOLDS((size_t)(tr_put_number_(fast, value) - fast) == size);
    HOLDS(memcmp(exact, fast, size) == 0);
    HOLDS(tr_get_varint_(exact, exact + size, &plain) == exact + size && plain == value);
    HOLDS(tr_unzigzag64_(tr_zigzag64_((int64_t)value)) == (int64_t)value);
    HOLDS(tr_unzigzag32_(tr_zigzag32_((int32_t)value)) == (int32_t)value);
}

static void check_text(const uint8_t *data, size_t size)
{
    bool valid = ord_utf8_valid((const char *)data, size);
    bool nul = size > 0 && memchr(data, 0, size);
    HOLDS(tr_utf8_valid(data, size) == valid);
    char *field = malloc(size + 1);
    HOLDS(field != NULL);
    HOLDS(tr_take_text_(field, data, size) == (valid && !nul));
    if (valid && !nul) {
        HOLDS(memcmp(field, data, size) == 0 && field[size] == '\0');
        bool ascii;
        HOLDS(tr_text_size_(field, size + 1, &ascii) == size);
        HOLDS(tr_text_length_(field, size + 1) == size);
        uint8_t *out = malloc(10 + size + TR_ENCODE_SLACK_);
        HOLDS(out != NULL);
        uint8_t *end = tr_put_text_(out, field, size + 1, size, ascii);
        HOLDS(end == out + tr_varint_size_(size) + size);
        HOLDS(memcmp(end - size, data, size) == 0);
        free(out);
    }
    free(field);
}

/* Reading and skipping agree on where each field ends; groups are skipped by both. */
static void check_fields(const uint8_t *data, size_t size)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    const uint8_t *at = data, *end = data + size;
    tr_err err;
    for (;;) {
        bool more = tri_read_field(&reader, &field, &err);
        bool skipped = false;
        while (at < end && !skipped) { /* Up to the next that is no group. */
            uint64_t tag;
            const uint8_t *next = tr_get_varint_(at, end, &tag);
            next = next ? tr_skip_(next, end, tag) : NULL;
            if (!next) {
                HOLDS(!more && err == TR_EPROTO);
                return;
            }
            skipped = (tag & 7) != 3;
            HOLDS(!skipped || (more && field.number == tag >> 3 && field.kind == (tag & 7)));
            at = next;
        }
        HOLDS(more == skipped);
        if (!more) {
            HOLDS(err == TR_OK);
            return;
        }
        HOLDS(reader.at == at);
        HOLDS(field.kind != TRI_WIRE_BYTES || field.bytes + field.size == at);
    }
}

/* What is read is written again, into a writer that may be too short. */
static void check_writer(const uint8_t *data, size_t size)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    tr_err err;
    size_t room = size > 0 ? data[0] : 0;
    uint8_t *out = malloc(room + 1);
    HOLDS(out != NULL);
    struct tri_writer writer = {.at = out, .end = out + room};
    uint8_t *begun = tri_write_begin(&writer, 3);
    while (tri_read_field(&reader, &field, &err)) {
        if (field.kind == TRI_WIRE_BYTES)
            tri_write_bytes_always(&writer, field.number, field.bytes, field.size);
        else
            tri_write_varint(&writer, field.number, field.value);
    }
    tri_write_end(&writer, begun);
    HOLDS(writer.at <= writer.end);
    if (!writer.failed) {
        struct tri_reader again = {out, writer.at};
        HOLDS(tri_read_field(&again, &field, &err) && field.number == 3);
        HOLDS(field.bytes + field.size == writer.at);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size && i < 256; i++)
        check_varint(data + i, data + size);
    check_text(data, size);
    check_fields(data, size);
    check_writer(data, size);
    return 0;
}
