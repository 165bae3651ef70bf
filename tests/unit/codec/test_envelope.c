/* Batches against bytes that protoactor-go nodes sent, in both dialects, out and in. */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "hex.h"
#include "recorded.h"

/* ---- Out ----------------------------------------------------------------- */

struct out {
    struct tri_batch batch;
    uint8_t memory[1 << 16];
};

static struct out *out_of(enum tri_dialect dialect, size_t size)
{
    struct out *out = malloc(sizeof *out);
    assert_non_null(out);
    tri_batch_init(&out->batch);
    tri_batch_begin(&out->batch, dialect, out->memory, size);
    return out;
}

static void out_free(struct out *out)
{
    tri_batch_fini(&out->batch);
    free(out);
}

static int32_t type_of(struct out *out, const char *name)
{
    int32_t index;
    assert_int_equal(tri_batch_put_type(&out->batch, 1 + strlen(name), tri_name(name), &index),
                     TRI_BATCH_OK);
    return index;
}

static int32_t target_of(struct out *out, struct tri_name address, const char *id)
{
    int32_t index;
    struct tri_wire_pid pid = {address, tri_name(id), 0};
    assert_int_equal(tri_batch_put_target(&out->batch, 7, &pid, &index), TRI_BATCH_OK);
    return index;
}

static int32_t sender_of(struct out *out, const char *id)
{
    int32_t index;
    struct tri_wire_pid pid = {US, tri_name(id), 0};
    assert_int_equal(tri_batch_put_sender(&out->batch, 7, &pid, &index), TRI_BATCH_OK);
    return index;
}

static void add(struct out *out, struct tri_envelope_out envelope)
{
    assert_int_equal(tri_batch_add(&out->batch, &envelope), TRI_BATCH_OK);
}

static void ends_as(struct out *out, const char *hex)
{
    size_t said = tri_batch_size(&out->batch), size;
    const uint8_t *data = tri_batch_finish(&out->batch, &size);
    assert_int_equal(size, said);
    assert_true(data - out->memory >= 5);
    assert_hex(data, size, hex);
    out_free(out);
}

static void a_request_is_written_as_go_reads_it(void **state)
{
    (void)state;
    const struct tri_header headers[] = {{TRI_NAME("k"), TRI_NAME("v")}};
    const struct string_value body = {"hi"};
    struct out *out = out_of(TRI_DIALECT_A, 65536);
    add(out, (struct tri_envelope_out){
                 .type = type_of(out, "google.protobuf.StringValue"),
                 .target = target_of(out, GO, "echo"),
                 .sender = sender_of(out, "future$7"),
                 .sender_request_id = 7,
                 .codec = &string_value_codec,
                 .body = &body,
                 .body_size = sizeof body,
                 .header_count = 1,
                 .headers = headers,
             });
    ends_as(out, ask);
}

static void a_reply_is_written_as_go_writes_it(void **state)
{
    (void)state;
    const struct string_value body = {"echo:hi"};
    struct out *out = out_of(TRI_DIALECT_A, 65536);
    add(out, (struct tri_envelope_out){
                 .type = type_of(out, "google.protobuf.StringValue"),
                 .target = target_of(out, US, "future$7"),
                 .sender = -1,
                 .target_request_id = 7,
                 .codec = &string_value_codec,
                 .body = &body,
                 .body_size = sizeof body,
             });
    ends_as(out, reply);
}

static void system_messages_are_written_as_go_writes_them(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct tri_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    const struct tri_wire_pid who = {GO, TRI_NAME("nosuch"), 0};
    tri_write_terminated(&writer, &who, TRI_TERMINATED_NOT_FOUND);
    assert_false(writer.failed);
    struct out *out = out_of(TRI_DIALECT_A, 65536);
    add(out, (struct tri_envelope_out){
                 .type = type_of(out, "actor.Terminated"),
                 .target = target_of(out, US, "w"),
                 .sender = -1,
                 .body = bytes,
                 .body_size = (size_t)(writer.at - bytes),
             });
    ends_as(out, terminated);

    out = out_of(TRI_DIALECT_UNKNOWN, 65536); /* Which is written like A. */
    int32_t pill = type_of(out, "actor.PoisonPill"), stop = type_of(out, "actor.Stop");
    int32_t target = target_of(out, US, "cecho");
    add(out, (struct tri_envelope_out){.type = pill, .target = target, .sender = -1});
    add(out, (struct tri_envelope_out){.type = stop, .target = target, .sender = -1});
    ends_as(out, pill_and_stop);
}

static void dialect_b_is_written_as_its_nodes_take_it(void **state)
{
    (void)state;
    const struct string_value body = {"B"};
    struct out *out = out_of(TRI_DIALECT_B, 65536);
    add(out, (struct tri_envelope_out){
                 .type = type_of(out, "google.protobuf.StringValue"),
                 .target = target_of(out, GO, "echo"),
                 .sender = sender_of(out, "future$7"),
                 .sender_request_id = 7,
                 .codec = &string_value_codec,
                 .body = &body,
                 .body_size = sizeof body,
             });
    ends_as(out, ask_b);
}

static void what_was_put_is_found_until_the_next_batch(void **state)
{
    (void)state;
    struct out *out = out_of(TRI_DIALECT_A, 65536);
    struct tri_batch *batch = &out->batch;
    int32_t index;
    for (int round = 0; round < 3; round++) {
        for (uint64_t key = 1; key <= TRI_BATCH_KEYS; key++) {
            const struct tri_wire_pid pid = {GO, TRI_NAME("x"), 9};
            assert_int_equal(tri_batch_find(batch, &batch->targets, key << 32), -1);
            assert_int_equal(tri_batch_put_target(batch, key << 32, &pid, &index), TRI_BATCH_OK);
            assert_int_equal(index, key - 1);
        }
        for (uint64_t key = 1; key <= TRI_BATCH_KEYS; key++)
            assert_int_equal(tri_batch_find(batch, &batch->targets, key << 32), key - 1);
        assert_int_equal(tri_batch_find(batch, &batch->senders, 1ull << 32), -1);
        /* One more is put, but cannot be found again. */
        assert_int_equal(tri_batch_put_target(batch, 5, &(struct tri_wire_pid){.id = GO}, &index),
                         TRI_BATCH_OK);
        assert_int_equal(index, TRI_BATCH_KEYS);
        assert_int_equal(tri_batch_find(batch, &batch->targets, 5), -1);
        tri_batch_begin(batch, TRI_DIALECT_A, out->memory, 65536);
        if (round == 1)
            batch->serial = UINT32_MAX, tri_batch_begin(batch, TRI_DIALECT_A, out->memory, 65536);
    }
    out_free(out);
}

static void what_has_no_encoding_is_refused(void **state)
{
    (void)state;
    struct out *out = out_of(TRI_DIALECT_A, 65536);
    int32_t index;
    const struct tri_wire_pid bad = {GO, TRI_NAME("\xFF"), 0};
    assert_int_equal(tri_batch_put_type(&out->batch, 1, TRI_NAME("a\xC0\x80"), &index),
                     TRI_BATCH_INVALID);
    assert_int_equal(tri_batch_put_target(&out->batch, 1, &bad, &index), TRI_BATCH_INVALID);
    assert_int_equal(tri_batch_put_sender(&out->batch, 1, &bad, &index), TRI_BATCH_INVALID);
    const struct string_value body = {"\xED\xA0\x80"};
    struct tri_envelope_out envelope = {
        .type = type_of(out, "google.protobuf.StringValue"),
        .target = target_of(out, GO, "echo"),
        .sender = -1,
        .codec = &string_value_codec,
        .body = &body,
        .body_size = sizeof body,
    };
    assert_int_equal(tri_batch_add(&out->batch, &envelope), TRI_BATCH_INVALID);
    const struct tri_header headers[] = {{TRI_NAME("k"), TRI_NAME("\xF8")}};
    const struct string_value fine = {"B"};
    envelope.body = &fine;
    envelope.header_count = 1;
    envelope.headers = headers;
    assert_int_equal(tri_batch_add(&out->batch, &envelope), TRI_BATCH_INVALID);
    assert_int_equal(out->batch.count, 0);
    envelope.header_count = 0;
    add(out, envelope);
    ends_as(out, "0a3c0a1b676f6f676c652e70726f746f6275662e537472696e6756616c756512160a0e3132372e30"
                 "2e302e313a3930303012046563686f1a0512030a0142");
}

/* ---- In ------------------------------------------------------------------ */

struct in {
    struct tri_batch_reader reader;
    struct bytes bytes;
    struct tri_envelope_in envelope;
};

static struct in *in_of(const char *hex, enum tri_dialect dialect)
{
    struct in *in = malloc(sizeof *in);
    assert_non_null(in);
    struct tri_remote_message message;
    in->bytes = from_hex(hex);
    tri_batch_reader_init(&in->reader);
    assert_int_equal(tri_parse_remote_message(in->bytes.data, in->bytes.size, &message), TR_OK);
    assert_int_equal(message.kind, TRI_REMOTE_BATCH);
    assert_int_equal(tri_batch_parse(&in->reader, message.data, message.size, dialect), TR_OK);
    return in;
}

static void in_free(struct in *in)
{
    tri_batch_reader_fini(&in->reader);
    free(in);
}

static void next(struct in *in)
{
    tr_err err;
    assert_true(tri_batch_next(&in->reader, &in->envelope, &err));
    assert_int_equal(err, TR_OK);
}

static void no_more(struct in *in)
{
    tr_err err;
    assert_false(tri_batch_next(&in->reader, &in->envelope, &err));
    assert_int_equal(err, TR_OK);
    in_free(in);
}

static void a_request_is_read(void **state)
{
    (void)state;
    struct in *in = in_of(ask, TRI_DIALECT_UNKNOWN);
    struct tri_envelope_in *e = &in->envelope;
    assert_int_equal(in->reader.dialect, TRI_DIALECT_A);
    assert_int_equal(in->reader.envelope_count, 1);
    next(in);
    assert_name(e->type->name, "google.protobuf.StringValue");
    assert_name(e->target->pid.address, "127.0.0.1:9000");
    assert_name(e->target->pid.id, "echo");
    assert_name(e->sender->pid.address, "127.0.0.1:9100");
    assert_name(e->sender->pid.id, "future$7");
    assert_hex(e->payload, e->payload_size, "0a026869");
    assert_int_equal(e->target_request_id, 0);
    assert_int_equal(e->sender_request_id, 7);
    assert_int_equal(e->serializer_id, 0);
    struct tri_header header;
    tr_err err;
    assert_true(tri_next_header(&e->headers, &header, &err));
    assert_name(header.key, "k");
    assert_name(header.value, "v");
    assert_false(tri_next_header(&e->headers, &header, &err));
    assert_int_equal(err, TR_OK);
    no_more(in);
}

static void other_messages_are_read(void **state)
{
    (void)state;
    struct in *in = in_of(reply, TRI_DIALECT_UNKNOWN);
    next(in);
    assert_name(in->envelope.target->pid.id, "future$7");
    assert_null(in->envelope.sender);
    assert_int_equal(in->envelope.target_request_id, 7);
    no_more(in);

    in = in_of(terminated, TRI_DIALECT_A);
    next(in);
    struct tri_terminated t;
    assert_int_equal(tri_system_type(in->envelope.type->name), TRI_TYPE_TERMINATED);
    assert_int_equal(tri_parse_terminated(in->envelope.payload, in->envelope.payload_size, &t),
                     TR_OK);
    assert_name(t.who.address, "127.0.0.1:9000");
    assert_name(t.who.id, "nosuch");
    assert_int_equal(t.why, TRI_TERMINATED_NOT_FOUND);
    no_more(in);

    in = in_of(pill_and_stop, TRI_DIALECT_UNKNOWN);
    next(in);
    assert_name(in->envelope.type->name, "actor.PoisonPill");
    assert_int_equal(in->envelope.payload_size, 0);
    next(in);
    assert_name(in->envelope.type->name, "actor.Stop");
    assert_name(in->envelope.target->pid.id, "cecho");
    no_more(in);
}

static void dialect_b_is_recognised(void **state)
{
    (void)state;
    struct in *in = in_of(ask_b, TRI_DIALECT_UNKNOWN);
    assert_int_equal(in->reader.dialect, TRI_DIALECT_B);
    next(in);
    assert_name(in->envelope.target->pid.id, "echo");
    assert_name(in->envelope.target->pid.address, "");
    assert_name(in->envelope.sender->pid.id, "future$7");
    no_more(in);
    /* Told that it is B, a PID is an id, as a node of B takes it. */
    in = in_of(reply, TRI_DIALECT_B);
    next(in);
    assert_int_equal(in->envelope.target->pid.id.size, 26);
    no_more(in);
    /* An id that parses as protobuf but is no PID ("activator" does), or that only begins so. */
    in = in_of("0a10"
               "0a0154"
               "1209"
               "616374697661746f72"
               "1a00",
               TRI_DIALECT_UNKNOWN);
    assert_int_equal(in->reader.dialect, TRI_DIALECT_B);
    in_free(in);
    in = in_of("0a09"
               "0a0154"
               "1202"
               "0a41"
               "1a00",
               TRI_DIALECT_UNKNOWN);
    assert_int_equal(in->reader.dialect, TRI_DIALECT_B);
    in_free(in);
    /* Nothing to tell it by. */
    in = in_of("0a07"
               "0a0154"
               "1200"
               "1a00",
               TRI_DIALECT_UNKNOWN);
    assert_int_equal(in->reader.dialect, TRI_DIALECT_UNKNOWN);
    in_free(in);
}

/* Envelopes before the tables, unknown fields and a group between, and fields that come twice. */
static void fields_may_come_in_any_order(void **state)
{
    (void)state;
    struct in *in = in_of("0a2c1a142001120141180012014250014b50004c3805080022051201731803"
                          "7a01002b08012c12031201740a0154",
                          TRI_DIALECT_UNKNOWN);
    next(in);
    assert_name(in->envelope.type->name, "T");
    assert_name(in->envelope.target->pid.id, "t");
    assert_name(in->envelope.sender->pid.id, "s");
    assert_hex(in->envelope.payload, in->envelope.payload_size, "42"); /* The last one counts. */
    assert_int_equal(in->envelope.target_request_id, 5);
    assert_int_equal(in->envelope.sender_request_id, 3); /* The PID's own. */
    no_more(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_as_go_reads_it),
        cmocka_unit_test(a_reply_is_written_as_go_writes_it),
        cmocka_unit_test(system_messages_are_written_as_go_writes_them),
        cmocka_unit_test(dialect_b_is_written_as_its_nodes_take_it),
        cmocka_unit_test(what_was_put_is_found_until_the_next_batch),
        cmocka_unit_test(what_has_no_encoding_is_refused),
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(other_messages_are_read),
        cmocka_unit_test(dialect_b_is_recognised),
        cmocka_unit_test(fields_may_come_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
