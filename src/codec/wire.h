/*
 * codec/wire.h - protobuf by hand: a field at a time, out of any bytes and into bounded memory.
 *
 * For what is not in the path of every message; that path (codec/envelope.c, generated code) is
 * made of the same building blocks in troupe/wire.h.
 */
#ifndef TROUPE_CODEC_WIRE_H
#define TROUPE_CODEC_WIRE_H

#include "troupe/codec.h"

enum tri_wire_kind {
    TRI_WIRE_VARINT = 0,
    TRI_WIRE_FIXED64 = 1,
    TRI_WIRE_BYTES = 2,
    TRI_WIRE_FIXED32 = 5,
};

#define TRI_TAG(number, kind) ((uint32_t)(number) << 3 | (uint32_t)(kind))

/* A piece of text or bytes somewhere else; no NUL at its end. */
struct tri_name {
    const char *at;
    uint32_t size;
};

#define TRI_NAME(literal) ((struct tri_name){(literal), sizeof(literal) - 1})
#define TRI_NAME_NONE ((struct tri_name){NULL, 0})

static inline struct tri_name tri_name(const char *text)
{
    return (struct tri_name){text, (uint32_t)strlen(text)};
}

static inline bool tri_name_equal(struct tri_name a, struct tri_name b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* ---- Reading ------------------------------------------------------------- */

/* Where a reader is. Init with {.at = data, .end = data + size}. */
struct tri_reader {
    const uint8_t *at, *end;
};

/* One field as it came. `value` for the fixed kinds, too; `bytes` for TRI_WIRE_BYTES. */
struct tri_wire_field {
    uint32_t number;
    uint32_t kind;
    uint64_t value;
    const uint8_t *bytes;
    size_t size;
};

/*
 * The next field. False at the end, and where it is malformed: then *ret_err is TR_EPROTO.
 * Groups are skipped.
 */
bool tri_read_field(struct tri_reader *reader, struct tri_wire_field *ret, tr_err *ret_err);

/* A field's bytes as text; false (and *ret_err is TR_EPROTO) if it is not UTF-8. */
bool tri_read_text(const struct tri_wire_field *field, struct tri_name *ret, tr_err *ret_err);

/* ---- Writing ------------------------------------------------------------- */

/*
 * Writes from `at` to `end`. What does not fit sets `failed`, and nothing is written from there
 * on; so does text that is not UTF-8, since a protoactor-go peer ends the stream over it.
 */
struct tri_writer {
    uint8_t *at, *end;
    bool failed;
};

/* Fields with their default value are left out, as proto3 has it. */
void tri_write_varint(struct tri_writer *writer, uint32_t number, uint64_t value);
void tri_write_text(struct tri_writer *writer, uint32_t number, struct tri_name text);
/* Written even when it is empty: a member of a repeated field or of a oneof. */
void tri_write_text_always(struct tri_writer *writer, uint32_t number, struct tri_name text);
void tri_write_bytes_always(struct tri_writer *writer, uint32_t number, const void *data,
                            size_t size);

/* A message inside: everything written between the two belongs to it. */
uint8_t *tri_write_begin(struct tri_writer *writer, uint32_t number);
void tri_write_end(struct tri_writer *writer, uint8_t *begun);

#endif
