/* Batches that go out: codec/envelope.h. */
#include "base/alloc.h"
#include "base/assert.h"
#include "codec/envelope.h"

/* gRPC's prefix, and tag and size of the two messages that a batch is in. */
#define FRONT_RESERVED (5 + 2 * (1 + 5))
#define FRONT_ROOM (TRI_BATCH_FRONT - FRONT_RESERVED)
/* All of an envelope's fields but payload and headers, with their longest values. */
#define ENVELOPE_FIXED_MAX (2 * (1 + 5) + 6 * (1 + 10))

void tri_batch_init(struct tri_batch *batch)
{
    *batch = (struct tri_batch){.serial = 1, .envelope_width = 1, .payload_width = 1};
}

void tri_batch_fini(struct tri_batch *batch)
{
    tri_free(batch->types.bytes);
    tri_free(batch->targets.bytes);
    tri_free(batch->senders.bytes);
    tri_batch_init(batch);
}

static void clear_table(struct tri_batch_table *table, bool forget)
{
    table->size = 0;
    table->count = 0;
    table->keyed = 0;
    if (forget)
        memset(table->keys, 0, sizeof table->keys);
}

void tri_batch_begin(struct tri_batch *batch, enum tri_dialect dialect, void *memory, size_t size)
{
    TRI_ASSERT(size >= TRI_BATCH_MEMORY_MIN);
    batch->memory = memory;
    batch->at = batch->memory + TRI_BATCH_FRONT;
    batch->end = batch->limit = batch->memory + size;
    batch->count = 0;
    batch->dialect = dialect;
    bool wrapped = ++batch->serial == 0; /* Serial 0 is that of places never used. */
    if (wrapped)
        batch->serial = 1;
    clear_table(&batch->types, wrapped);
    clear_table(&batch->targets, wrapped);
    clear_table(&batch->senders, wrapped);
}

static size_t tables_size(const struct tri_batch *batch)
{
    return (size_t)batch->types.size + batch->targets.size + batch->senders.size;
}

/*
 * Bytes that are left, with all tables behind the envelopes: short ones will go in front of them,
 * so a batch is closed a kilobyte early at worst.
 */
static size_t room(const struct tri_batch *batch)
{
    TRI_ASSERT(batch->at <= batch->limit);
    return (size_t)(batch->limit - batch->at);
}

static size_t room_when_empty(const struct tri_batch *batch)
{
    return (size_t)(batch->end - batch->memory) - TRI_BATCH_FRONT;
}

static tr_err grow(struct tri_batch_table *table, size_t more)
{
    if (table->capacity - table->size >= more)
        return TR_OK;
    size_t capacity = table->capacity ? table->capacity * (size_t)2 : 256;
    while (capacity < table->size + more)
        capacity *= 2;
    uint8_t *bytes = capacity <= UINT32_MAX ? tri_realloc(table->bytes, capacity) : NULL;
    if (!bytes)
        return TR_ENOMEM;
    table->bytes = bytes;
    table->capacity = (uint32_t)capacity;
    return TR_OK;
}

/* Makes room for an entry whose texts have `text_size` bytes. */
static enum tri_batch_result open_entry(struct tri_batch *batch, struct tri_batch_table *table,
                                        size_t text_size, struct tri_writer *ret)
{
    size_t more = text_size + 4 * (1 + 5); /* Tags and sizes: of the entry, both texts. */
    if (more > room_when_empty(batch))
        return TRI_BATCH_TOO_LARGE;
    if (table->count >= TRI_BATCH_TABLE_MAX || more > room(batch))
        return TRI_BATCH_FULL;
    if (grow(table, more) != TR_OK)
        return TRI_BATCH_NO_MEMORY;
    *ret = (struct tri_writer){.at = table->bytes + table->size,
                               .end = table->bytes + table->capacity};
    return TRI_BATCH_OK;
}

static enum tri_batch_result close_entry(struct tri_batch *batch, struct tri_batch_table *table,
                                         const struct tri_writer *writer, uint64_t key,
                                         int32_t *ret_index)
{
    if (writer->failed)
        return TRI_BATCH_INVALID; /* There was room, so it is a text. */
    batch->limit -= writer->at - (table->bytes + table->size);
    table->size = (uint32_t)(writer->at - table->bytes);
    struct tri_batch_key *found = &table->keys[tri_batch_place(batch, table, key)];
    if (found->serial == batch->serial) {
        found->index = table->count;
    } else if (table->keyed < TRI_BATCH_KEYS) {
        table->keyed++;
        *found = (struct tri_batch_key){key, batch->serial, table->count};
    }
    *ret_index = (int32_t)table->count++;
    return TRI_BATCH_OK;
}

enum tri_batch_result tri_batch_put_type(struct tri_batch *batch, uint64_t key,
                                         struct tri_name name, int32_t *ret_index)
{
    struct tri_writer writer;
    enum tri_batch_result result = open_entry(batch, &batch->types, name.size, &writer);
    if (result != TRI_BATCH_OK)
        return result;
    tri_write_text_always(&writer, 1, name);
    return close_entry(batch, &batch->types, &writer, key, ret_index);
}

static enum tri_batch_result put_pid(struct tri_batch *batch, struct tri_batch_table *table,
                                     uint32_t number, uint64_t key, const struct tri_wire_pid *pid,
                                     int32_t *ret_index)
{
    struct tri_writer writer;
    size_t text_size = (size_t)pid->address.size + pid->id.size;
    enum tri_batch_result result = open_entry(batch, table, text_size, &writer);
    if (result != TRI_BATCH_OK)
        return result;
    struct tri_wire_pid plain = {pid->address, pid->id, 0};
    tri_write_pid(&writer, number, &plain);
    return close_entry(batch, table, &writer, key, ret_index);
}

enum tri_batch_result tri_batch_put_target(struct tri_batch *batch, uint64_t key,
                                           const struct tri_wire_pid *pid, int32_t *ret_index)
{
    if (batch->dialect != TRI_DIALECT_B)
        return put_pid(batch, &batch->targets, 2, key, pid, ret_index);
    struct tri_writer writer;
    enum tri_batch_result result = open_entry(batch, &batch->targets, pid->id.size, &writer);
    if (result != TRI_BATCH_OK)
        return result;
    tri_write_text_always(&writer, 2, pid->id);
    return close_entry(batch, &batch->targets, &writer, key, ret_index);
}

enum tri_batch_result tri_batch_put_sender(struct tri_batch *batch, uint64_t key,
                                           const struct tri_wire_pid *pid, int32_t *ret_index)
{
    return put_pid(batch, &batch->senders, 4, key, pid, ret_index);
}

static size_t headers_size_max(const struct tri_envelope_out *out)
{
    size_t size = 0;
    for (uint32_t i = 0; i < out->header_count; i++)
        size += (size_t)out->headers[i].key.size + out->headers[i].value.size + 3 * (1 + 5);
    return size;
}

static inline uint8_t *put_number(uint8_t *at, uint8_t tag, uint32_t value)
{
    if (value == 0)
        return at;
    *at++ = tag;
    return tr_put_varint_(at, value);
}

/*
 * Tag, size and payload; nothing for an empty one. The size's width is guessed to be that of the
 * payload before, so that what has the usual size is never moved.
 */
static uint8_t *put_payload(struct tri_batch *batch, uint8_t *at,
                            const struct tri_envelope_out *out)
{
    if (!out->codec) {
        if (out->body_size == 0)
            return at;
        *at++ = TRI_TAG(2, TRI_WIRE_BYTES);
        return tr_put_bytes_(at, out->body, out->body_size);
    }
    uint8_t *begin = at + 1 + batch->payload_width;
    uint8_t *end = out->codec->encode(out->body, out->body_size, begin);
    if (TRI_UNLIKELY(!end))
        return NULL;
    size_t size = (size_t)(end - begin);
    if (size == 0)
        return at;
    size_t width = tr_varint_size_(size);
    if (TRI_UNLIKELY(width != batch->payload_width)) {
        memmove(at + 1 + width, begin, size);
        batch->payload_width = (uint8_t)width;
    }
    *at++ = TRI_TAG(2, TRI_WIRE_BYTES);
    return tr_put_varint_(at, size) + size;
}

static uint8_t *put_headers(struct tri_writer writer, const struct tri_envelope_out *out)
{
    uint8_t *message = tri_write_begin(&writer, 6);
    for (uint32_t i = 0; i < out->header_count; i++) {
        uint8_t *entry = tri_write_begin(&writer, 1);
        tri_write_text_always(&writer, 1, out->headers[i].key);
        tri_write_text_always(&writer, 2, out->headers[i].value);
        tri_write_end(&writer, entry);
    }
    tri_write_end(&writer, message);
    return writer.failed ? NULL : writer.at;
}

/* The longest that this envelope can be, or that much when its codec is asked. */
static size_t envelope_size_max(const struct tri_envelope_out *out, size_t left)
{
    size_t size = ENVELOPE_FIXED_MAX, payload = out->body_size;
    if (out->header_count > 0)
        size += 2 * (1 + 5) + headers_size_max(out);
    if (out->codec) {
        payload = out->codec->encoded_size_max;
        if (payload == 0 || payload > left || size + payload > left)
            payload = out->codec->encoded_size(out->body, out->body_size);
    }
    return payload > SIZE_MAX - size ? SIZE_MAX : size + payload;
}

enum tri_batch_result tri_batch_add(struct tri_batch *batch, const struct tri_envelope_out *out)
{
    TRI_ASSERT(out->type >= 0 && (uint32_t)out->type < batch->types.count);
    TRI_ASSERT(out->target >= 0 && (uint32_t)out->target < batch->targets.count);
    TRI_ASSERT(out->sender >= -1 && out->sender < (int32_t)batch->senders.count);
    size_t left = room(batch), most = SIZE_MAX;
    if (out->codec && out->codec->encoded_size_max > 0 && out->header_count == 0)
        most = out->codec->encoded_size_max + ENVELOPE_FIXED_MAX;
    if (TRI_UNLIKELY(most > left))
        most = envelope_size_max(out, left);
    if (TRI_UNLIKELY(most > left))
        return batch->count == 0 || most > room_when_empty(batch) ? TRI_BATCH_TOO_LARGE
                                                                  : TRI_BATCH_FULL;
    uint8_t *begin = batch->at + 1 + batch->envelope_width;
    uint8_t *at = put_number(begin, TRI_TAG(1, TRI_WIRE_VARINT), (uint32_t)out->type);
    at = put_payload(batch, at, out);
    if (TRI_UNLIKELY(!at))
        return TRI_BATCH_INVALID;
    at = put_number(at, TRI_TAG(3, TRI_WIRE_VARINT), (uint32_t)out->target);
    at = put_number(at, TRI_TAG(4, TRI_WIRE_VARINT), (uint32_t)(out->sender + 1));
    at = put_number(at, TRI_TAG(5, TRI_WIRE_VARINT), out->serializer_id);
    if (TRI_UNLIKELY(out->header_count > 0)) {
        at = put_headers((struct tri_writer){.at = at, .end = batch->limit}, out);
        if (!at)
            return TRI_BATCH_INVALID;
    }
    at = put_number(at, TRI_TAG(7, TRI_WIRE_VARINT), out->target_request_id);
    at = put_number(at, TRI_TAG(8, TRI_WIRE_VARINT), out->sender_request_id);

    size_t size = (size_t)(at - begin), width = tr_varint_size_(size);
    if (TRI_UNLIKELY(width != batch->envelope_width)) {
        memmove(batch->at + 1 + width, begin, size);
        batch->envelope_width = (uint8_t)width;
    }
    *batch->at = TRI_TAG(3, TRI_WIRE_BYTES);
    batch->at = tr_put_varint_(batch->at + 1, size) + size;
    batch->count++;
    return TRI_BATCH_OK;
}

size_t tri_batch_size(const struct tri_batch *batch)
{
    size_t size = (size_t)(batch->at - batch->memory) - TRI_BATCH_FRONT + tables_size(batch);
    return 1 + tr_varint_size_(size) + size;
}

static uint8_t *put_table(uint8_t *at, const struct tri_batch_table *table)
{
    if (table->size > 0)
        memcpy(at, table->bytes, table->size);
    return at + table->size;
}

uint8_t *tri_batch_finish(struct tri_batch *batch, size_t *ret_size)
{
    uint8_t *begin = batch->memory + TRI_BATCH_FRONT, *end = batch->at;
    size_t front = (size_t)batch->types.size + batch->targets.size;
    TRI_ASSERT(tables_size(batch) <= (size_t)(batch->end - end));
    if (front <= FRONT_ROOM) {
        begin -= front;
        put_table(put_table(begin, &batch->types), &batch->targets);
    } else {
        end = put_table(put_table(end, &batch->types), &batch->targets);
    }
    end = put_table(end, &batch->senders);
    size_t size = (size_t)(end - begin);
    begin -= 1 + tr_varint_size_(size);
    begin[0] = TRI_TAG(1, TRI_WIRE_BYTES);
    tr_put_varint_(begin + 1, size);
    TRI_ASSERT(begin - batch->memory >= 5);
    batch->types.count = batch->targets.count = 0; /* Nothing can be added before begin(). */
    *ret_size = (size_t)(end - begin);
    return begin;
}
