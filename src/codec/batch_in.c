/* Batches that come in: codec/envelope.h. */
#include "base/alloc.h"
#include "base/assert.h"
#include "codec/envelope.h"

/* ---- actor.PID ----------------------------------------------------------- */

/* `strict`: fields that a PID does not have are an error. */
static tr_err parse_pid(const uint8_t *data, size_t size, bool strict, struct tri_wire_pid *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_wire_pid pid = {0};
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
        uint32_t tag = TRI_TAG(field.number, field.kind);
        if (tag == TRI_TAG(1, TRI_WIRE_BYTES)) {
            if (!tri_read_text(&field, &pid.address, &err))
                return err;
        } else if (tag == TRI_TAG(2, TRI_WIRE_BYTES)) {
            if (!tri_read_text(&field, &pid.id, &err))
                return err;
        } else if (tag == TRI_TAG(3, TRI_WIRE_VARINT)) {
            pid.request_id = (uint32_t)field.value;
        } else if (strict) {
            return TR_EPROTO;
        }
    }
    if (err == TR_OK)
        *ret = pid;
    return err;
}

tr_err tri_parse_pid(const uint8_t *data, size_t size, struct tri_wire_pid *ret)
{
    return parse_pid(data, size, false, ret);
}

void tri_write_pid(struct tri_writer *writer, uint32_t number, const struct tri_wire_pid *pid)
{
    uint8_t *begun = tri_write_begin(writer, number);
    tri_write_text(writer, 1, pid->address);
    tri_write_text(writer, 2, pid->id);
    tri_write_varint(writer, 3, pid->request_id);
    tri_write_end(writer, begun);
}

/* ---- Tables -------------------------------------------------------------- */

void tri_batch_reader_init(struct tri_batch_reader *reader)
{
    *reader = (struct tri_batch_reader){0};
}

void tri_batch_reader_fini(struct tri_batch_reader *reader)
{
    tri_free(reader->types);
    tri_free(reader->targets);
    tri_free(reader->senders);
    tri_batch_reader_init(reader);
}

/* Room for one entry more in an array of `*capacity`. */
static tr_err grow(void **array, uint32_t *capacity, uint32_t count, size_t entry_size)
{
    if (TRI_LIKELY(count < *capacity))
        return TR_OK;
    if (count >= TRI_BATCH_TABLE_MAX)
        return TR_EFULL;
    uint32_t bigger = *capacity ? *capacity * 2 : 16;
    void *grown = tri_realloc(*array, bigger * entry_size);
    if (!grown)
        return TR_ENOMEM;
    *array = grown;
    *capacity = bigger;
    return TR_OK;
}

static tr_err add_type(struct tri_batch_reader *reader, const uint8_t *data, size_t size)
{
    void *array = reader->types;
    tr_err err = grow(&array, &reader->type_capacity, reader->type_count, sizeof *reader->types);
    reader->types = array;
    if (err != TR_OK)
        return err;
    if (size > UINT32_MAX || !tr_utf8_valid(data, size))
        return TR_EPROTO;
    struct tri_name name = {(const char *)data, (uint32_t)size};
    reader->types[reader->type_count++] = (struct tri_batch_type){.name = name};
    return TR_OK;
}

/* The bytes are kept as the id until the dialect is known. */
static tr_err add_target(struct tri_batch_reader *reader, const uint8_t *data, size_t size)
{
    void *array = reader->targets;
    tr_err err = grow(&array, &reader->target_capacity, reader->target_count,
                      sizeof *reader->targets);
    reader->targets = array;
    if (err != TR_OK)
        return err;
    if (size > UINT32_MAX)
        return TR_EPROTO;
    struct tri_name raw = {(const char *)data, (uint32_t)size};
    reader->targets[reader->target_count++] = (struct tri_batch_pid){.pid.id = raw};
    return TR_OK;
}

static tr_err add_sender(struct tri_batch_reader *reader, const uint8_t *data, size_t size)
{
    void *array = reader->senders;
    tr_err err = grow(&array, &reader->sender_capacity, reader->sender_count,
                      sizeof *reader->senders);
    reader->senders = array;
    if (err != TR_OK)
        return err;
    struct tri_batch_pid sender = {0};
    err = tri_parse_pid(data, size, &sender.pid);
    if (err == TR_OK)
        reader->senders[reader->sender_count++] = sender;
    return err;
}

/* ---- Dialect ------------------------------------------------------------- */

static enum tri_dialect detect(const struct tri_batch_reader *reader)
{
    enum tri_dialect dialect = TRI_DIALECT_UNKNOWN;
    for (uint32_t i = 0; i < reader->target_count; i++) {
        struct tri_name raw = reader->targets[i].pid.id;
        struct tri_wire_pid pid;
        if (raw.size == 0)
            continue; /* An empty PID, or an empty id. */
        if ((raw.at[0] != 0x0A && raw.at[0] != 0x12) ||
            parse_pid((const uint8_t *)raw.at, raw.size, true, &pid) != TR_OK)
            return TRI_DIALECT_B;
        dialect = TRI_DIALECT_A;
    }
    return dialect;
}

/* What the targets are, once it is known in which dialect they are written. */
static tr_err read_targets(struct tri_batch_reader *reader)
{
    for (uint32_t i = 0; i < reader->target_count; i++) {
        struct tri_wire_pid *pid = &reader->targets[i].pid;
        tr_err err = TR_OK;
        if (reader->dialect == TRI_DIALECT_A)
            err = tri_parse_pid((const uint8_t *)pid->id.at, pid->id.size, pid);
        else if (!tr_utf8_valid(pid->id.at, pid->id.size))
            err = TR_EPROTO;
        if (err != TR_OK)
            return err;
    }
    return TR_OK;
}

static tr_err add_field(struct tri_batch_reader *reader, uint64_t tag, const uint8_t *data,
                        size_t size)
{
    switch (tag) {
    case TRI_TAG(1, TRI_WIRE_BYTES):
        return add_type(reader, data, size);
    case TRI_TAG(2, TRI_WIRE_BYTES):
        return add_target(reader, data, size);
    case TRI_TAG(4, TRI_WIRE_BYTES):
        return add_sender(reader, data, size);
    default:
        return TR_OK;
    }
}

tr_err tri_batch_parse(struct tri_batch_reader *reader, const uint8_t *data, size_t size,
                       enum tri_dialect dialect)
{
    const uint8_t *at = data, *end = data + size;
    reader->type_count = reader->target_count = reader->sender_count = 0;
    reader->envelope_count = 0;
    reader->rest = (struct tri_reader){end, end};
    while (at < end) {
        uint64_t tag;
        size_t field_size;
        at = tr_get_varint_(at, end, &tag);
        if (at && (tag & 7) == TRI_WIRE_BYTES && tag >> 3 != 0 && tag <= UINT32_MAX) {
            at = tr_get_size_(at, end, &field_size);
            if (!at)
                return TR_EPROTO;
            if (TRI_LIKELY(tag == TRI_TAG(3, TRI_WIRE_BYTES))) {
                reader->envelope_count++;
            } else {
                tr_err err = add_field(reader, tag, at, field_size);
                if (err != TR_OK)
                    return err;
            }
            at += field_size;
        } else if (at) {
            at = tr_skip_(at, end, tag);
        }
        if (!at)
            return TR_EPROTO;
    }
    reader->dialect = dialect == TRI_DIALECT_UNKNOWN ? detect(reader) : dialect;
    tr_err err = read_targets(reader);
    if (err == TR_OK)
        reader->rest = (struct tri_reader){data, end};
    return err;
}

/* ---- Envelopes ----------------------------------------------------------- */

/* The fields as they are on the wire. */
struct raw {
    const uint8_t *payload, *headers;
    size_t payload_size, headers_size;
    uint32_t type, target, sender, serializer_id, target_request_id, sender_request_id;
};

/* Whatever order the fields come in. */
static __attribute__((noinline, cold)) bool parse_rest(const uint8_t *at, const uint8_t *end,
                                                       struct raw *raw)
{
    uint64_t tag, value;
    while (at < end) {
        at = tr_get_varint_(at, end, &tag);
        if (!at)
            return false;
        switch (tag) {
#define NUMBER(number, name)                  \
    case TRI_TAG(number, TRI_WIRE_VARINT):    \
        at = tr_get_varint_(at, end, &value); \
        raw->name = at ? (uint32_t)value : 0; \
        break
            NUMBER(1, type);
            NUMBER(3, target);
            NUMBER(4, sender);
            NUMBER(5, serializer_id);
            NUMBER(7, target_request_id);
            NUMBER(8, sender_request_id);
#undef NUMBER
#define BYTES(number, name)                            \
    case TRI_TAG(number, TRI_WIRE_BYTES):              \
        at = tr_get_size_(at, end, &raw->name##_size); \
        raw->name = at;                                \
        at = at ? at + raw->name##_size : NULL;        \
        break
            BYTES(2, payload);
            BYTES(6, headers);
#undef BYTES
        default:
            at = tr_skip_(at, end, tag);
        }
        if (!at)
            return false;
    }
    return true;
}

/* The number of field `tag`, if it is the next one. NULL: malformed. */
TRI_HOT_INLINE const uint8_t *next_number(const uint8_t *at, const uint8_t *end, uint8_t tag,
                                          uint32_t *ret)
{
    uint64_t value;
    if (at == end || *at != tag)
        return at;
    at = tr_get_varint_(at + 1, end, &value);
    if (TRI_LIKELY(at != NULL))
        *ret = (uint32_t)value;
    return at;
}

/* The fields in their usual order; what is left then goes the slower way. */
TRI_HOT_INLINE bool parse_envelope(const uint8_t *at, const uint8_t *end, struct raw *raw)
{
    at = next_number(at, end, TRI_TAG(1, TRI_WIRE_VARINT), &raw->type);
    if (TRI_LIKELY(at && at < end && *at == TRI_TAG(2, TRI_WIRE_BYTES))) {
        at = tr_get_size_(at + 1, end, &raw->payload_size);
        raw->payload = at;
        at = at ? at + raw->payload_size : NULL;
    }
    if (TRI_LIKELY(at))
        at = next_number(at, end, TRI_TAG(3, TRI_WIRE_VARINT), &raw->target);
    if (TRI_LIKELY(at))
        at = next_number(at, end, TRI_TAG(4, TRI_WIRE_VARINT), &raw->sender);
    if (TRI_LIKELY(at))
        at = next_number(at, end, TRI_TAG(7, TRI_WIRE_VARINT), &raw->target_request_id);
    if (TRI_LIKELY(at))
        at = next_number(at, end, TRI_TAG(8, TRI_WIRE_VARINT), &raw->sender_request_id);
    if (TRI_LIKELY(at == end))
        return true;
    struct raw all = *raw; /* So that what has no address can be in registers. */
    if (!at || !parse_rest(at, end, &all))
        return false;
    *raw = all;
    return true;
}

/* Looks the indices up; a sender's is one more than its index. */
TRI_HOT_INLINE bool resolve(const struct tri_batch_reader *reader, const struct raw *raw,
                            struct tri_envelope_in *ret)
{
    if (raw->type >= reader->type_count || raw->target >= reader->target_count ||
        raw->sender > reader->sender_count || raw->serializer_id > 1)
        return false;
    struct tri_batch_pid *target = &reader->targets[raw->target];
    struct tri_batch_pid *sender = raw->sender ? &reader->senders[raw->sender - 1] : NULL;
    ret->type = &reader->types[raw->type];
    ret->target = target;
    ret->sender = sender;
    ret->payload = raw->payload;
    ret->payload_size = raw->payload_size;
    ret->target_request_id = raw->target_request_id ? raw->target_request_id
                                                    : target->pid.request_id;
    ret->sender_request_id = raw->sender_request_id || !sender ? raw->sender_request_id
                                                               : sender->pid.request_id;
    ret->serializer_id = raw->serializer_id;
    ret->headers.at = raw->headers;
    ret->headers.end = raw->headers + raw->headers_size;
    return true;
}

bool tri_batch_next(struct tri_batch_reader *reader, struct tri_envelope_in *ret, tr_err *ret_err)
{
    const uint8_t *at = reader->rest.at, *end = reader->rest.end;
    *ret_err = TR_OK;
    while (at < end) {
        uint64_t tag;
        size_t size;
        at = tr_get_varint_(at, end, &tag);
        TRI_ASSERT(at); /* tri_batch_parse() has been through it. */
        if (tag != TRI_TAG(3, TRI_WIRE_BYTES)) {
            at = tr_skip_(at, end, tag);
            continue;
        }
        at = tr_get_size_(at, end, &size);
        TRI_ASSERT(at);
        struct raw raw = {.payload = at, .headers = at};
        if (!parse_envelope(at, at + size, &raw) || !resolve(reader, &raw, ret)) {
            reader->rest.at = end;
            *ret_err = TR_EPROTO;
            return false;
        }
        reader->rest.at = at + size;
        return true;
    }
    reader->rest.at = end;
    return false;
}

static bool parse_header(const struct tri_wire_field *entry, struct tri_header *ret,
                         tr_err *ret_err)
{
    struct tri_reader reader = {entry->bytes, entry->bytes + entry->size};
    struct tri_wire_field field;
    *ret = (struct tri_header){TRI_NAME_NONE, TRI_NAME_NONE};
    while (tri_read_field(&reader, &field, ret_err)) {
        if (field.kind != TRI_WIRE_BYTES || (field.number != 1 && field.number != 2))
            continue;
        struct tri_name *text = field.number == 1 ? &ret->key : &ret->value;
        if (!tri_read_text(&field, text, ret_err))
            return false;
    }
    return *ret_err == TR_OK;
}

bool tri_next_header(struct tri_reader *headers, struct tri_header *ret, tr_err *ret_err)
{
    struct tri_wire_field field;
    while (tri_read_field(headers, &field, ret_err))
        if (field.kind == TRI_WIRE_BYTES && field.number == 1)
            return parse_header(&field, ret, ret_err);
    return false;
}
