/* Handshake, system messages, spawning, diagnostics: bytes and what they say. */
/* clang-format off: cmocka needs these first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include "base/prng.h"
#include "hex.h"

/* Watched on the wire. */
static const char connect_request[] = "121912170a05434e4f4445120e3132372e302e302e313a39313030";
static const char connect_response[] = "1a1812165768675669334b7a616b35545a515348564674766575";
static const char disconnect[] = "2200";

struct to {
    uint8_t bytes[512];
    struct tri_writer writer;
};

static struct tri_writer *writer_of(struct to *to)
{
    to->writer = (struct tri_writer){.at = to->bytes, .end = to->bytes + sizeof to->bytes};
    return &to->writer;
}

static size_t size_of(const struct to *to)
{
    assert_false(to->writer.failed);
    return (size_t)(to->writer.at - to->bytes);
}

static struct tri_remote_message member(const uint8_t *data, size_t size)
{
    struct tri_remote_message message;
    assert_int_equal(tri_parse_remote_message(data, size, &message), TR_OK);
    return message;
}

static void a_server_connects(void **state)
{
    (void)state;
    struct to to;
    tri_write_connect_server(writer_of(&to), TRI_NAME("CNODE"), TRI_NAME("127.0.0.1:9100"), NULL,
                             0);
    assert_hex(to.bytes, size_of(&to), connect_request);
    struct tri_remote_message message = member(to.bytes, size_of(&to));
    assert_int_equal(message.kind, TRI_REMOTE_CONNECT_REQUEST);
    struct tri_connect_request request;
    assert_int_equal(tri_parse_connect_request(message.data, message.size, &request), TR_OK);
    assert_int_equal(request.kind, TRI_CONNECT_SERVER);
    assert_name(request.member_id, "CNODE");
    assert_name(request.address, "127.0.0.1:9100");
    struct tri_name blocked;
    assert_false(tri_next_blocked(&request.blocked, &blocked));

    const struct tri_name list[] = {TRI_NAME("one"), TRI_NAME("two")};
    tri_write_connect_server(writer_of(&to), TRI_NAME("C"), TRI_NAME("h:1"), list, 2);
    assert_hex(to.bytes, size_of(&to), "121412120a01431203683a311a036f6e651a0374776f");
    message = member(to.bytes, size_of(&to));
    assert_int_equal(tri_parse_connect_request(message.data, message.size, &request), TR_OK);
    assert_true(tri_next_blocked(&request.blocked, &blocked));
    assert_name(blocked, "one");
    assert_true(tri_next_blocked(&request.blocked, &blocked));
    assert_name(blocked, "two");
    assert_false(tri_next_blocked(&request.blocked, &blocked));
}

static void a_client_connects(void **state)
{
    (void)state;
    struct to to;
    tri_write_connect_client(writer_of(&to), TRI_NAME("C"));
    assert_hex(to.bytes, size_of(&to), "12050a030a0143");
    struct tri_remote_message message = member(to.bytes, size_of(&to));
    struct tri_connect_request request;
    assert_int_equal(tri_parse_connect_request(message.data, message.size, &request), TR_OK);
    assert_int_equal(request.kind, TRI_CONNECT_CLIENT);
    assert_name(request.member_id, "C");
    assert_name(request.address, "");
    struct tri_name blocked;
    assert_false(tri_next_blocked(&request.blocked, &blocked));
    assert_int_equal(tri_parse_connect_request(message.data, 0, &request), TR_OK);
    assert_int_equal(request.kind, TRI_CONNECT_NOTHING);
}

static void a_connection_is_answered_and_ended(void **state)
{
    (void)state;
    struct to to;
    struct tri_connect_response response;
    tri_write_connect_response(writer_of(&to), TRI_NAME("WhgVi3Kzak5TZQSHVFtveu"), false);
    assert_hex(to.bytes, size_of(&to), connect_response);
    struct tri_remote_message message = member(to.bytes, size_of(&to));
    assert_int_equal(message.kind, TRI_REMOTE_CONNECT_RESPONSE);
    assert_int_equal(tri_parse_connect_response(message.data, message.size, &response), TR_OK);
    assert_name(response.member_id, "WhgVi3Kzak5TZQSHVFtveu");
    assert_false(response.blocked);

    tri_write_connect_response(writer_of(&to), TRI_NAME("m"), true);
    assert_hex(to.bytes, size_of(&to), "1a0512016d1801");
    message = member(to.bytes, size_of(&to));
    assert_int_equal(tri_parse_connect_response(message.data, message.size, &response), TR_OK);
    assert_true(response.blocked);

    tri_write_disconnect_request(writer_of(&to));
    assert_hex(to.bytes, size_of(&to), disconnect);
    message = member(to.bytes, size_of(&to));
    assert_int_equal(message.kind, TRI_REMOTE_DISCONNECT_REQUEST);
    assert_int_equal(member(to.bytes, 0).kind, TRI_REMOTE_NOTHING);
    /* A member of a later version. */
    struct bytes later = from_hex("2a0161");
    assert_int_equal(member(later.data, later.size).kind, TRI_REMOTE_NOTHING);
}

static void system_messages_have_their_bytes(void **state)
{
    (void)state;
    const struct tri_wire_pid pid = {TRI_NAME("h:1"), TRI_NAME("w"), 5}, none = {0};
    struct tri_wire_pid read;
    struct tri_terminated end;
    struct to to;
    tri_write_one_pid(writer_of(&to), &pid);
    assert_hex(to.bytes, size_of(&to), "0a0a0a03683a311201771805");
    assert_int_equal(tri_parse_one_pid(to.bytes, size_of(&to), &read), TR_OK);
    assert_name(read.address, "h:1");
    assert_name(read.id, "w");
    assert_int_equal(read.request_id, 5);
    /* Go's dead letters name no target. */
    assert_int_equal(tri_parse_one_pid(to.bytes, 0, &read), TR_OK);
    assert_name(read.id, "");

    tri_write_terminated(writer_of(&to), &none, TRI_TERMINATED_ADDRESS);
    assert_hex(to.bytes, size_of(&to), "0a001001");
    assert_int_equal(tri_parse_terminated(to.bytes, size_of(&to), &end), TR_OK);
    assert_int_equal(end.why, TRI_TERMINATED_ADDRESS);
    tri_write_terminated(writer_of(&to), &pid, -1);
    assert_int_equal(tri_parse_terminated(to.bytes, size_of(&to), &end), TR_OK);
    assert_int_equal(end.why, -1);
    assert_int_equal(tri_parse_empty(to.bytes, size_of(&to)), TR_OK);
    assert_int_equal(tri_parse_empty(to.bytes, size_of(&to) - 1), TR_EPROTO);

    for (int i = TRI_TYPE_OTHER + 1; i < TRI_TYPE_COUNT; i++)
        assert_int_equal(tri_system_type(tri_system_type_name((enum tri_system_type)i)), i);
    assert_int_equal(tri_system_type(TRI_NAME("actor.Watc")), TRI_TYPE_OTHER);
    assert_int_equal(tri_system_type(TRI_NAME_NONE), TRI_TYPE_OTHER);
}

static void spawning_has_its_bytes(void **state)
{
    (void)state;
    struct to to;
    struct tri_actor_pid_request request;
    struct tri_actor_pid_response response;
    const struct tri_wire_pid pid = {TRI_NAME("h:1"), TRI_NAME("w"), 0};
    tri_write_actor_pid_request(writer_of(&to), TRI_NAME("n"), TRI_NAME("k"));
    assert_hex(to.bytes, size_of(&to), "0a016e12016b");
    assert_int_equal(tri_parse_actor_pid_request(to.bytes, size_of(&to), &request), TR_OK);
    assert_name(request.name, "n");
    assert_name(request.kind, "k");
    tri_write_actor_pid_response(writer_of(&to), &pid, TRI_SPAWN_EXISTS);
    assert_hex(to.bytes, size_of(&to), "0a080a03683a311201771003");
    assert_int_equal(tri_parse_actor_pid_response(to.bytes, size_of(&to), &response), TR_OK);
    assert_true(response.has_pid);
    assert_name(response.pid.id, "w");
    assert_int_equal(response.status, TRI_SPAWN_EXISTS);
    tri_write_actor_pid_response(writer_of(&to), NULL, TRI_SPAWN_ERROR);
    assert_hex(to.bytes, size_of(&to), "1004");
    assert_int_equal(tri_parse_actor_pid_response(to.bytes, size_of(&to), &response), TR_OK);
    assert_false(response.has_pid);
}

static void diagnostics_have_their_bytes(void **state)
{
    (void)state;
    struct to to;
    struct tri_list_processes_request request;
    const struct tri_wire_pid one = {TRI_NAME("h:1"), TRI_NAME("a"), 0};
    const struct tri_wire_pid two = {TRI_NAME("h:1"), TRI_NAME("b"), 0};
    tri_write_list_processes_request(writer_of(&to), TRI_NAME("p"), TRI_MATCH_REGEX);
    assert_hex(to.bytes, size_of(&to), "0a01701002");
    assert_int_equal(tri_parse_list_processes_request(to.bytes, size_of(&to), &request), TR_OK);
    assert_name(request.pattern, "p");
    assert_int_equal(request.match, TRI_MATCH_REGEX);

    writer_of(&to);
    tri_write_listed_process(&to.writer, &one);
    tri_write_listed_process(&to.writer, &two);
    struct tri_reader list = {to.bytes, to.bytes + size_of(&to)};
    struct tri_wire_pid pid;
    tr_err err;
    assert_true(tri_next_listed_process(&list, &pid, &err));
    assert_name(pid.id, "a");
    assert_true(tri_next_listed_process(&list, &pid, &err));
    assert_name(pid.id, "b");
    assert_false(tri_next_listed_process(&list, &pid, &err));
    assert_int_equal(err, TR_OK);

    struct tri_name text;
    tri_write_diagnostics_response(writer_of(&to), TRI_NAME("fine"));
    assert_hex(to.bytes, size_of(&to), "0a0466696e65");
    assert_int_equal(tri_parse_diagnostics_response(to.bytes, size_of(&to), &text), TR_OK);
    assert_name(text, "fine");
}

/* Every parser on any bytes, in memory that ends where they end. */
static int parse_as_all(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, data, size);
    const uint8_t *at = copy + 1;
    struct tri_remote_message message = {0};
    struct tri_connect_request request;
    struct tri_connect_response response;
    struct tri_wire_pid pid;
    struct tri_terminated end;
    struct tri_actor_pid_request spawn;
    struct tri_actor_pid_response spawned;
    struct tri_list_processes_request list;
    struct tri_name text;
    tr_err errs[9] = {
        tri_parse_remote_message(at, size, &message),
        tri_parse_connect_request(at, size, &request),
        tri_parse_connect_response(at, size, &response),
        tri_parse_one_pid(at, size, &pid),
        tri_parse_terminated(at, size, &end),
        tri_parse_actor_pid_request(at, size, &spawn),
        tri_parse_actor_pid_response(at, size, &spawned),
        tri_parse_list_processes_request(at, size, &list),
        tri_parse_diagnostics_response(at, size, &text),
    };
    if (errs[1] == TR_OK && request.kind == TRI_CONNECT_SERVER)
        while (tri_next_blocked(&request.blocked, &text))
            assert_true(tr_utf8_valid(text.at, text.size));
    struct tri_reader processes = {at, at + size};
    tr_err err;
    while (tri_next_listed_process(&processes, &pid, &err))
        assert_true(tr_utf8_valid(pid.id.at, pid.id.size));
    int refused = err != TR_OK;
    for (size_t i = 0; i < 9; i++) {
        assert_true(errs[i] == TR_OK || errs[i] == TR_EPROTO);
        refused += errs[i] != TR_OK;
    }
    free(copy);
    return refused;
}

static void malformed_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        connect_request,
        connect_response,
        "121412120a01431203683a311a036f6e651a0374776f",
        "0a080a03683a311201771003",
        "0a0a0a03683a311201771805",
        "0a016e12016b",
    };
    struct tri_prng prng;
    tri_prng_seed(&prng, 6);
    int refused = 0;
    for (int round = 0; round < 60000; round++) {
        struct bytes bytes = from_hex(seeds[round % 6]);
        for (uint64_t n = 1 + tri_prng_below(&prng, 3); n > 0; n--)
            bytes.data[tri_prng_below(&prng, bytes.size)] = (uint8_t)tri_prng_next(&prng);
        refused += parse_as_all(bytes.data, bytes.size);
    }
    assert_true(refused > 60000);
    for (size_t i = 0; i < 6; i++) {
        struct bytes bytes = from_hex(seeds[i]);
        struct tri_remote_message message;
        for (size_t size = 1; size < bytes.size; size++)
            (void)parse_as_all(bytes.data, size);
        for (size_t size = 1; i < 3 && size < bytes.size; size++)
            assert_int_equal(tri_parse_remote_message(bytes.data, size, &message), TR_EPROTO);
    }
    /* A second member would have to be merged with the first. */
    struct bytes two = from_hex("22001a00");
    struct tri_remote_message message;
    assert_int_equal(tri_parse_remote_message(two.data, two.size, &message), TR_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_connects),
        cmocka_unit_test(a_client_connects),
        cmocka_unit_test(a_connection_is_answered_and_ended),
        cmocka_unit_test(system_messages_have_their_bytes),
        cmocka_unit_test(spawning_has_its_bytes),
        cmocka_unit_test(diagnostics_have_their_bytes),
        cmocka_unit_test(malformed_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
