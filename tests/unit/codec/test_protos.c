/*
 * The hand-written codec against the generated one of proto/: recorded bytes decoded by the latter,
 * encoded again, and random messages of both dialects read by the former.
 */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "a/remote.troupe.h"
#include "b/remote.troupe.h"
#include "google/protobuf/any.troupe.h"
#include "google/protobuf/timestamp.troupe.h"
#include "google/protobuf/wrappers.troupe.h"
#include "hex.h"
#include "orders/early/messages.troupe.h"
#include "orders/messages.troupe.h"
#include "random_message.h"
#include "recorded.h"

static void *decoded(const struct tr_type *type, const uint8_t *data, size_t size)
{
    void *body = malloc(type->size);
    assert_non_null(body);
    assert_int_equal(type->codec->decode(data, size, body, type->size), TR_OK);
    return body;
}

static size_t encoded(const struct tr_type *type, const void *body, uint8_t **ret_data)
{
    *ret_data = malloc(type->codec->encoded_size(body, type->size) + 1);
    assert_non_null(*ret_data);
    uint8_t *end = type->codec->encode(body, type->size, *ret_data);
    assert_non_null(end);
    return (size_t)(end - *ret_data);
}

static void recorded_bytes_are_the_same_again(void **state)
{
    (void)state;
    const char *const a[] = {ask, reply, terminated, pill_and_stop};
    for (size_t i = 0; i < 5; i++) {
        const struct tr_type *type = i < 4 ? &remote_a_remote_message_type
                                           : &remote_b_remote_message_type;
        struct bytes bytes = from_hex(i < 4 ? a[i] : ask_b);
        void *body = decoded(type, bytes.data, bytes.size);
        uint8_t *data;
        size_t size = encoded(type, body, &data);
        assert_hex(data, size, i < 4 ? a[i] : ask_b);
        free(data);
        free(body);
    }
    struct bytes bytes = from_hex(ask);
    struct remote_a_remote_message *m = decoded(&remote_a_remote_message_type, bytes.data,
                                                bytes.size);
    assert_int_equal(m->message_type_case, REMOTE_A_REMOTE_MESSAGE_MESSAGE_TYPE_MESSAGE_BATCH);
    assert_string_equal(m->message_batch.targets[0].id, "echo");
    assert_int_equal(m->message_batch.envelopes[0].sender_request_id, 7);
    assert_string_equal(m->message_batch.envelopes[0].message_header.header_data[0].value, "v");
    free(m);
}

static void same(struct tri_name name, const char *text)
{
    assert_int_equal(name.size, strlen(text));
    assert_memory_equal(name.at, text, name.size);
}

static void compare_envelope(const struct remote_a_message_envelope *want,
                             const struct tri_envelope_in *e)
{
    assert_int_equal(e->payload_size, want->message_data_size);
    assert_memory_equal(e->payload, want->message_data, e->payload_size);
    if (want->target_request_id)
        assert_int_equal(e->target_request_id, want->target_request_id);
    struct tri_reader headers = e->headers;
    struct tri_header header;
    tr_err err;
    uint32_t count = 0;
    for (; tri_next_header(&headers, &header, &err); count++) {
        same(header.key, want->message_header.header_data[count].key);
        same(header.value, want->message_header.header_data[count].value);
    }
    assert_int_equal(count, want->has_message_header ? want->message_header.header_data_count : 0);
}

/* Generated code writes a random batch, with its indices in range; the hand-written reads it. */
static void random_batches_are_read_alike(void **state)
{
    (void)state;
    struct tri_prng prng;
    struct tri_batch_reader reader;
    tri_prng_seed(&prng, 9);
    tri_batch_reader_init(&reader);
    int envelopes = 0;
    for (int round = 0; round < 300; round++) {
        size_t size;
        struct remote_a_message_batch *m = random_body(&prng, &remote_a_message_batch_type, &size);
        for (uint32_t i = 0; i < m->envelopes_count; i++) {
            struct remote_a_message_envelope *e = &m->envelopes[i];
            e->type_id = (int32_t)tri_prng_below(&prng, m->type_names_count);
            e->target = (int32_t)tri_prng_below(&prng, m->targets_count);
            e->sender = (int32_t)tri_prng_below(&prng, m->senders_count + 1);
            e->serializer_id &= 1;
        }
        if (m->type_names_count == 0 || m->targets_count == 0)
            m->envelopes_count = 0;
        uint8_t *data;
        size = encoded(&remote_a_message_batch_type, m, &data);
        assert_int_equal(tri_batch_parse(&reader, data, size, TRI_DIALECT_A), TR_OK);
        assert_int_equal(reader.type_count, m->type_names_count);
        for (uint32_t i = 0; i < m->senders_count; i++) {
            same(reader.senders[i].pid.address, m->senders[i].address);
            same(reader.senders[i].pid.id, m->senders[i].id);
            assert_int_equal(reader.senders[i].pid.request_id, m->senders[i].request_id);
        }
        struct tri_envelope_in e;
        tr_err err;
        for (uint32_t i = 0; i < m->envelopes_count; i++, envelopes++) {
            assert_true(tri_batch_next(&reader, &e, &err));
            same(e.type->name, m->type_names[m->envelopes[i].type_id]);
            same(e.target->pid.id, m->targets[m->envelopes[i].target].id);
            assert_int_equal(e.sender != NULL, m->envelopes[i].sender > 0);
            compare_envelope(&m->envelopes[i], &e);
        }
        assert_false(tri_batch_next(&reader, &e, &err));
        assert_int_equal(err, TR_OK);
        free(data);
        free(m);
    }
    assert_true(envelopes > 300);
    tri_batch_reader_fini(&reader);
}

static void handshakes_are_read_alike(void **state)
{
    (void)state;
    struct tri_prng prng;
    tri_prng_seed(&prng, 10);
    for (int round = 0; round < 500; round++) {
        size_t size;
        uint8_t *data;
        struct remote_b_connect_request *m = random_body(&prng, &remote_b_connect_request_type,
                                                         &size);
        size = encoded(&remote_b_connect_request_type, m, &data);
        struct tri_connect_request request;
        assert_int_equal(tri_parse_connect_request(data, size, &request), TR_OK);
        assert_int_equal(request.kind, m->connection_type_case);
        if (request.kind == TRI_CONNECT_SERVER) {
            same(request.member_id, m->server_connection.member_id);
            same(request.address, m->server_connection.address);
            struct tri_name blocked;
            for (uint32_t i = 0; i < m->server_connection.block_list_count; i++) {
                assert_true(tri_next_blocked(&request.blocked, &blocked));
                same(blocked, m->server_connection.block_list[i]);
            }
            assert_false(tri_next_blocked(&request.blocked, &blocked));
        }
        free(data);
        free(m);

        struct actor_terminated *t = random_body(&prng, &actor_terminated_type, &size);
        size = encoded(&actor_terminated_type, t, &data);
        struct tri_terminated end;
        assert_int_equal(tri_parse_terminated(data, size, &end), TR_OK);
        assert_int_equal(end.why, (int32_t)t->why);
        if (t->has_who)
            same(end.who.id, t->who.id);
        free(data);
        free(t);
    }
}

/* Field 2 tells the two layouts of a payment apart: a number is not taken for a text. */
static void both_payments_can_be_read(void **state)
{
    (void)state;
    const struct messages_early_payment_message early = {.order_id = "o", .amount = 2.5f};
    const struct messages_payment_message late = {"o", "u", 2.5f};
    assert_string_equal(messages_early_payment_message_type.name, "messages.PaymentMessage");
    assert_string_equal(messages_payment_message_type.name, "messages.PaymentMessage");
    uint8_t *data;
    size_t size = encoded(&messages_early_payment_message_type, &early, &data);
    assert_hex(data, size, "0a016f1500002040");
    struct messages_payment_message *m = decoded(&messages_payment_message_type, data, size);
    assert_string_equal(m->user_id, "");
    assert_true(m->amount == 0);
    free(m);
    free(data);
    size = encoded(&messages_payment_message_type, &late, &data);
    assert_hex(data, size, "0a016f1201751d00002040");
    free(data);
}

static void protobufs_own_messages_are_messages(void **state)
{
    (void)state;
    uint8_t *data;
    const struct google_protobuf_string_value text = {"hi"};
    assert_string_equal(google_protobuf_string_value_type.name, "google.protobuf.StringValue");
    assert_int_equal(sizeof text.value, 1001);
    size_t size = encoded(&google_protobuf_string_value_type, &text, &data);
    assert_hex(data, size, "0a026869");
    free(data);
    const struct google_protobuf_any any = {
        .type_url = "x/actor.Stop", .value_size = 2, .value = {1, 2}};
    size = encoded(&google_protobuf_any_type, &any, &data);
    assert_hex(data, size, "0a0c782f6163746f722e53746f7012020102");
    free(data);
    const struct google_protobuf_timestamp time = {.seconds = -1, .nanos = 5};
    size = encoded(&google_protobuf_timestamp_type, &time, &data);
    assert_hex(data, size, "08ffffffffffffffffff011005");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_bytes_are_the_same_again),
        cmocka_unit_test(random_batches_are_read_alike),
        cmocka_unit_test(handshakes_are_read_alike),
        cmocka_unit_test(both_payments_can_be_read),
        cmocka_unit_test(protobufs_own_messages_are_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
