/* What real protoactor-go nodes said to each other, as it was recorded. */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "golden.h"
#include "hex.h"

#define COUNT (sizeof golden / sizeof golden[0])

struct text {
    char at[4096];
    size_t size;
};

static void add(struct text *text, const char *what, size_t size)
{
    assert_true(text->size + size < sizeof text->at);
    memcpy(text->at + text->size, what, size);
    text->size += size;
    text->at[text->size] = '\0';
}

static void add_pid(struct text *text, const struct tri_wire_pid *pid, bool whole)
{
    add(text, pid->id.at, pid->id.size);
    if (!whole)
        return;
    add(text, "@", 1);
    add(text, pid->address.at, pid->address.size);
}

/* A line as golden.h has it. */
static void add_envelope(struct text *text, const struct tri_envelope_in *e, bool whole)
{
    char number[64];
    add(text, e->type->name.at, e->type->name.size);
    add(text, " ", 1);
    add_pid(text, &e->target->pid, whole);
    add(text, " ", 1);
    if (e->sender)
        add_pid(text, &e->sender->pid, true);
    else
        add(text, "-", 1);
    add(text, number,
        (size_t)snprintf(number, sizeof number, " %u %u ", e->target_request_id,
                         e->sender_request_id));
    for (size_t i = 0; i < e->payload_size; i++)
        add(text, number, (size_t)snprintf(number, sizeof number, "%02x", e->payload[i]));
    add(text, e->payload_size ? "\n" : "-\n", e->payload_size ? 1 : 2);
}

static void read_batch(const struct golden *g, const struct tri_remote_message *message)
{
    struct tri_batch_reader reader;
    struct tri_envelope_in in;
    struct text text = {.size = 0};
    tr_err err;
    tri_batch_reader_init(&reader);
    assert_int_equal(tri_batch_parse(&reader, message->data, message->size, TRI_DIALECT_UNKNOWN),
                     TR_OK);
    assert_int_equal(reader.dialect, g->dialect == 'a' ? TRI_DIALECT_A : TRI_DIALECT_B);
    while (tri_batch_next(&reader, &in, &err))
        add_envelope(&text, &in, g->dialect == 'a');
    assert_int_equal(err, TR_OK);
    assert_string_equal(text.at, g->lines);
    tri_batch_reader_fini(&reader);
}

static void recorded_messages_are_read_as_another_reads_them(void **state)
{
    size_t batches = 0, handshakes = 0;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct bytes bytes = from_hex(golden[i].hex);
        struct tri_remote_message message;
        assert_int_equal(tri_parse_remote_message(bytes.data, bytes.size, &message), TR_OK);
        if (message.kind == TRI_REMOTE_BATCH) {
            read_batch(&golden[i], &message);
            batches++;
        } else {
            assert_string_equal(golden[i].lines, "");
            handshakes++;
        }
    }
    assert_true(batches >= 40 && handshakes >= 6); /* Of two dialects. */
}

static void handshakes_are_written_as_go_writes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct bytes bytes = from_hex(golden[i].hex);
        struct tri_remote_message message;
        struct tri_connect_request request;
        struct tri_connect_response response;
        uint8_t out[1024];
        struct tri_writer writer = {.at = out, .end = out + sizeof out};
        assert_int_equal(tri_parse_remote_message(bytes.data, bytes.size, &message), TR_OK);
        if (message.kind == TRI_REMOTE_CONNECT_REQUEST) {
            assert_int_equal(tri_parse_connect_request(message.data, message.size, &request),
                             TR_OK);
            assert_int_equal(request.kind, TRI_CONNECT_SERVER);
            tri_write_connect_server(&writer, request.member_id, request.address, NULL, 0);
        } else if (message.kind == TRI_REMOTE_CONNECT_RESPONSE) {
            assert_int_equal(tri_parse_connect_response(message.data, message.size, &response),
                             TR_OK);
            tri_write_connect_response(&writer, response.member_id, response.blocked);
        } else {
            continue;
        }
        assert_hex(out, (size_t)(writer.at - out), golden[i].hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_messages_are_read_as_another_reads_them),
        cmocka_unit_test(handshakes_are_written_as_go_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
