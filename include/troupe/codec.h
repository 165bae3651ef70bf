/*
 * troupe/codec.h - how a message type leaves its process.
 *
 * protoc-gen-troupe writes for each message of a .proto file a flat struct, a descriptor
 * (struct tr_type) and a codec. A codec may also be written by hand, over
 * troupe/wire.h. Nothing here allocates, and nothing keeps state: any thread.
 */
#ifndef TROUPE_CODEC_H
#define TROUPE_CODEC_H

#include "troupe/message.h"
#include "troupe/wire.h"

TR_BEGIN_DECLS

struct tr_message_info;

/* Around structs with what C has and C++ only tolerates: flexible arrays, members in unions. */
#ifdef __cplusplus
#define TR_BEGIN_STRUCTS_ \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpedantic\"")
#define TR_END_STRUCTS_ _Pragma("GCC diagnostic pop")
#else
#define TR_BEGIN_STRUCTS_
#define TR_END_STRUCTS_
#endif

/* ---- The codec of a type ------------------------------------------------- */

struct tr_codec {
    /* What encoded_size() is at most for any body; 0: a trailing field makes it unbounded. */
    size_t encoded_size_max;

    /*
     * Bytes that encode() must be given. The encoding is no longer, and mostly shorter: generated
     * code writes eight bytes at a time, and so a few beyond its end.
     */
    size_t (*encoded_size)(const void *body, size_t body_size);

    /*
     * Writes the protobuf encoding of `body` (`body_size` bytes as sent) to `out` and returns its
     * end. NULL when the body has no encoding: a count above its bound, a text that is not UTF-8,
     * a body smaller than its struct. Then the bytes at `out` are of no value.
     */
    uint8_t *(*encode)(const void *body, size_t body_size, uint8_t *out);

    /*
     * Bytes of the body that `data` decodes to. NULL: always those of the struct. TR_EPROTO:
     * malformed. TR_EFULL: above TR_MESSAGE_SIZE_MAX. See tr_codec_measure().
     */
    tr_err (*measure)(const uint8_t *data, size_t size, size_t *ret_body_size);

    /*
     * Decodes into `body`, which has the `body_size` bytes that measure() told, aligned to 8, and
     * need not be zeroed. TR_EPROTO: malformed. TR_EFULL: a field is above its bound. After an
     * error the body holds nothing of value. Unknown fields are skipped. What lies beyond the
     * count of an array or the end of a text is left as it was.
     */
    tr_err (*decode)(const uint8_t *data, size_t size, void *body, size_t body_size);

    /* The fields, for programs that print or read messages by name. May be NULL. */
    const struct tr_message_info *info;
};

/* The bytes of the body that `data` decodes to; see tr_codec.measure. */
static inline TR_MUST_USE tr_err tr_codec_measure(const struct tr_type *type, const uint8_t *data,
                                                  size_t size, size_t *ret_body_size)
{
    if (type->codec->measure)
        return type->codec->measure(data, size, ret_body_size);
    *ret_body_size = type->size;
    return TR_OK;
}

/* ---- Filling in messages ------------------------------------------------- */

/* TR_SIZE_WITH(chunk, data, n): bytes of a struct chunk whose trailing array data[] has n. */
#define TR_SIZE_WITH(T, FIELD, COUNT)                                                           \
    (offsetof(struct T, FIELD) + (COUNT) * sizeof(((struct T *)0)->FIELD[0]) < sizeof(struct T) \
         ? sizeof(struct T)                                                                     \
         : offsetof(struct T, FIELD) + (COUNT) * sizeof(((struct T *)0)->FIELD[0]))

/*
 * tr_set_text(order.sku, text): copies a C string into a field that is a char array. TR_EFULL
 * when it does not fit; then the field stays as it was.
 */
#define tr_set_text(FIELD, TEXT) tr_set_text_((FIELD), sizeof(FIELD), (TEXT))
static inline TR_MUST_USE tr_err tr_set_text_(char *field, size_t field_size, const char *text)
{
    size_t size = strlen(text);
    if (size >= field_size)
        return TR_EFULL;
    memcpy(field, text, size + 1);
    return TR_OK;
}

/* ---- The fields of a type, as data --------------------------------------- */

enum tr_field_kind {
    TR_FIELD_BOOL,   /* bool */
    TR_FIELD_INT32,  /* int32_t; int32, sint32 and sfixed32 alike */
    TR_FIELD_UINT32, /* uint32_t */
    TR_FIELD_INT64,  /* int64_t */
    TR_FIELD_UINT64, /* uint64_t */
    TR_FIELD_FLOAT,
    TR_FIELD_DOUBLE,
    TR_FIELD_ENUM,   /* a C enum of 4 bytes */
    TR_FIELD_STRING, /* char[], with a NUL where there is room for it */
    TR_FIELD_BYTES,  /* uint8_t[], and its size before it */
    TR_FIELD_MESSAGE /* a struct */
};

#define TR_FIELD_REPEATED 1u  /* an array; `presence` is where its count (uint32_t) is */
#define TR_FIELD_MAP 2u       /* besides: of structs with the fields key (1) and value (2) */
#define TR_FIELD_OPTIONAL 4u  /* `presence` is where a bool says whether it is there */
#define TR_FIELD_ONEOF 8u     /* `presence` is where the number of the field in use (int32_t) is */
#define TR_FIELD_TRAILING 16u /* the last one, as long as the body is */
#define TR_FIELD_WRAPPED 32u  /* a google.protobuf.…Value on the wire */

#define TR_FIELD_NOWHERE UINT32_MAX

struct tr_enum_value {
    const char *name;
    int32_t number;
};

struct tr_enum_info {
    const char *name; /* the full protobuf name */
    const struct tr_enum_value *values;
    uint32_t value_count;
};

/* The name of a value, as the .proto file has it; NULL if this side does not know it. */
static inline const char *tr_enum_name(const struct tr_enum_info *info, int32_t number)
{
    for (uint32_t i = 0; i < info->value_count; i++)
        if (info->values[i].number == number)
            return info->values[i].name;
    return NULL;
}

struct tr_field {
    const char *name;
    const char *json_name;
    uint32_t number;
    enum tr_field_kind kind;
    uint32_t flags;     /* TR_FIELD_… */
    uint32_t offset;    /* of the value, or of the array's first element */
    uint32_t stride;    /* bytes of one value */
    uint32_t presence;  /* offset of count, bool or case; TR_FIELD_NOWHERE: always there */
    uint32_t size_at;   /* bytes, trailing strings: where its size (uint32_t) is; see below */
    uint32_t data_at;   /* bytes in an array: where in one value they begin; else 0 */
    uint32_t count_max; /* of an array; 0: unbounded */
    uint32_t size_max;  /* of a text or of bytes; 0: unbounded */
    const struct tr_message_info *message;
    const struct tr_enum_info *enumeration;
};
/* size_at counts from the value in an array, else from the struct; TR_FIELD_NOWHERE: no size. */

struct tr_message_info {
    const char *name;              /* the full protobuf name */
    size_t size;                   /* of the struct */
    const struct tr_field *fields; /* in the order of their numbers */
    uint32_t field_count;
};

TR_END_DECLS

#endif
