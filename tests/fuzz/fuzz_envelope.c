/* fuzz_envelope.c - a RemoteMessage of any bytes; what can be read is written again and read. */
#include "codec/messages.h"
#include "fuzz.h"

static void check_pid(const struct tri_wire_pid *pid)
{
    HOLDS(tr_utf8_valid(pid->address.at, pid->address.size));
    HOLDS(tr_utf8_valid(pid->id.at, pid->id.size));
}

static void check_envelope(const struct tri_batch_reader *reader, const struct tri_envelope_in *e)
{
    HOLDS(e->type >= reader->types && e->type < reader->types + reader->type_count);
    HOLDS(e->target >= reader->targets && e->target < reader->targets + reader->target_count);
    HOLDS(!e->sender ||
          (e->sender >= reader->senders && e->sender < reader->senders + reader->sender_count));
    HOLDS(e->serializer_id <= 1);
    HOLDS(tr_utf8_valid(e->type->name.at, e->type->name.size));
    check_pid(&e->target->pid);
    if (e->sender)
        check_pid(&e->sender->pid);
    unsigned char sum = 0; /* Every byte of the payload can be read. */
    for (size_t i = 0; i < e->payload_size; i++)
        sum ^= e->payload[i];
    HOLDS(sum <= 255);
}

/* What can be read can be sent on, and says the same then. */
static void send_on(struct tri_batch *batch, const struct tri_batch_reader *reader,
                    const struct tri_envelope_in *e)
{
    struct tri_header headers[8];
    struct tri_envelope_out out = {
        .sender = -1,
        .target_request_id = e->target_request_id,
        .sender_request_id = e->sender_request_id,
        .body = e->payload,
        .body_size = e->payload_size,
        .serializer_id = e->serializer_id,
        .headers = headers,
    };
    struct tri_reader rest = e->headers;
    tr_err err;
    while (out.header_count < 8 && tri_next_header(&rest, &headers[out.header_count], &err))
        out.header_count++;
    HOLDS(tri_batch_put_type(batch, 1, e->type->name, &out.type) == TRI_BATCH_OK);
    HOLDS(tri_batch_put_target(batch, 1, &e->target->pid, &out.target) == TRI_BATCH_OK);
    if (e->sender)
        HOLDS(tri_batch_put_sender(batch, 1, &e->sender->pid, &out.sender) == TRI_BATCH_OK);
    HOLDS(tri_batch_add(batch, &out) == TRI_BATCH_OK);

    size_t size;
    const uint8_t *data = tri_batch_finish(batch, &size);
    struct tri_batch_reader again;
    struct tri_remote_message message;
    struct tri_envelope_in in;
    tri_batch_reader_init(&again);
    HOLDS(tri_parse_remote_message(data, size, &message) == TR_OK);
    HOLDS(tri_batch_parse(&again, message.data, message.size, batch->dialect) == TR_OK);
    HOLDS(tri_batch_next(&again, &in, &err));
    HOLDS(tri_name_equal(in.type->name, e->type->name));
    HOLDS(tri_name_equal(in.target->pid.id, e->target->pid.id));
    HOLDS(reader->dialect != TRI_DIALECT_A ||
          tri_name_equal(in.target->pid.address, e->target->pid.address));
    HOLDS(!in.sender == !e->sender);
    HOLDS(in.payload_size == e->payload_size &&
          memcmp(in.payload, e->payload, in.payload_size) == 0);
    HOLDS(in.target_request_id == e->target_request_id);
    HOLDS(in.sender_request_id == e->sender_request_id);
    HOLDS(!tri_batch_next(&again, &in, &err) && err == TR_OK);
    tri_batch_reader_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tri_batch batch;
    static uint8_t memory[1 << 18];
    struct tri_remote_message message;
    struct tri_batch_reader reader;
    if (tri_parse_remote_message(data, size, &message) != TR_OK || message.kind != TRI_REMOTE_BATCH)
        return 0;
    tri_batch_reader_init(&reader);
    for (int dialect = TRI_DIALECT_UNKNOWN; dialect <= TRI_DIALECT_B; dialect++) {
        struct tri_envelope_in e;
        tr_err err = tri_batch_parse(&reader, message.data, message.size,
                                     (enum tri_dialect)dialect);
        uint32_t count = 0;
        while (err == TR_OK && tri_batch_next(&reader, &e, &err)) {
            check_envelope(&reader, &e);
            if (count++ < 4) {
                tri_batch_begin(&batch, reader.dialect, memory, sizeof memory);
                send_on(&batch, &reader, &e);
            }
        }
        HOLDS(err != TR_OK || count == reader.envelope_count);
    }
    tri_batch_reader_fini(&reader);
    tri_batch_fini(&batch);
    return 0;
}
