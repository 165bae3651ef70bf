/* fuzz_handshake.c - every message between nodes of any bytes; what is read is written again. */
#include "codec/messages.h"
#include "fuzz.h"

static uint8_t bytes[1 << 18];

static struct tri_writer fresh(void)
{
    return (struct tri_writer){.at = bytes, .end = bytes + sizeof bytes};
}

static void check_connect(const uint8_t *data, size_t size)
{
    struct tri_connect_request request, again;
    if (tri_parse_connect_request(data, size, &request) != TR_OK ||
        request.kind == TRI_CONNECT_NOTHING)
        return;
    struct tri_name blocked[64], name;
    size_t count = 0;
    struct tri_reader rest = request.blocked;
    while (tri_next_blocked(&rest, &name))
        if (count < 64)
            blocked[count++] = name;
    struct tri_writer writer = fresh();
    if (request.kind == TRI_CONNECT_SERVER)
        tri_write_connect_server(&writer, request.member_id, request.address, blocked, count);
    else
        tri_write_connect_client(&writer, request.member_id);
    struct tri_remote_message message;
    HOLDS(!writer.failed);
    HOLDS(tri_parse_remote_message(bytes, (size_t)(writer.at - bytes), &message) == TR_OK);
    HOLDS(message.kind == TRI_REMOTE_CONNECT_REQUEST);
    HOLDS(tri_parse_connect_request(message.data, message.size, &again) == TR_OK);
    HOLDS(again.kind == request.kind);
    HOLDS(tri_name_equal(again.member_id, request.member_id));
    HOLDS(tri_name_equal(again.address, request.address));
    for (size_t i = 0; i < count; i++)
        HOLDS(tri_next_blocked(&again.blocked, &name) && tri_name_equal(name, blocked[i]));
    HOLDS(!tri_next_blocked(&again.blocked, &name));
}

static void check_response(const uint8_t *data, size_t size)
{
    struct tri_connect_response response, again;
    if (tri_parse_connect_response(data, size, &response) != TR_OK)
        return;
    struct tri_writer writer = fresh();
    tri_write_connect_response(&writer, response.member_id, response.blocked);
    struct tri_remote_message message;
    HOLDS(tri_parse_remote_message(bytes, (size_t)(writer.at - bytes), &message) == TR_OK);
    HOLDS(tri_parse_connect_response(message.data, message.size, &again) == TR_OK);
    HOLDS(again.blocked == response.blocked);
    HOLDS(tri_name_equal(again.member_id, response.member_id));
}

static void check_pids(const uint8_t *data, size_t size)
{
    struct tri_terminated end, end_again;
    struct tri_actor_pid_response spawned, spawned_again;
    struct tri_wire_pid pid;
    struct tri_writer writer = fresh();
    if (tri_parse_terminated(data, size, &end) == TR_OK) {
        tri_write_terminated(&writer, &end.who, end.why);
        HOLDS(!writer.failed);
        HOLDS(tri_parse_terminated(bytes, (size_t)(writer.at - bytes), &end_again) == TR_OK);
        HOLDS(end_again.why == end.why && end_again.who.request_id == end.who.request_id);
        HOLDS(tri_name_equal(end_again.who.id, end.who.id));
        HOLDS(tri_parse_one_pid(data, size, &pid) == TR_OK && tri_name_equal(pid.id, end.who.id));
    }
    writer = fresh();
    if (tri_parse_actor_pid_response(data, size, &spawned) == TR_OK) {
        tri_write_actor_pid_response(&writer, spawned.has_pid ? &spawned.pid : NULL,
                                     spawned.status);
        size_t written = (size_t)(writer.at - bytes);
        HOLDS(tri_parse_actor_pid_response(bytes, written, &spawned_again) == TR_OK);
        HOLDS(spawned_again.status == spawned.status);
        HOLDS(spawned_again.has_pid == spawned.has_pid);
    }
    struct tri_reader list = {data, data + size};
    tr_err err;
    while (tri_next_listed_process(&list, &pid, &err))
        HOLDS(tr_utf8_valid(pid.id.at, pid.id.size));
}

static void check_texts(const uint8_t *data, size_t size)
{
    struct tri_actor_pid_request spawn;
    struct tri_list_processes_request list;
    struct tri_name text;
    if (tri_parse_actor_pid_request(data, size, &spawn) == TR_OK) {
        HOLDS(tr_utf8_valid(spawn.name.at, spawn.name.size));
        HOLDS(tr_utf8_valid(spawn.kind.at, spawn.kind.size));
        HOLDS(tri_parse_empty(data, size) == TR_OK);
    }
    if (tri_parse_list_processes_request(data, size, &list) == TR_OK)
        HOLDS(tr_utf8_valid(list.pattern.at, list.pattern.size));
    if (tri_parse_diagnostics_response(data, size, &text) == TR_OK)
        HOLDS(tr_utf8_valid(text.at, text.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tri_remote_message message;
    if (tri_parse_remote_message(data, size, &message) == TR_OK &&
        message.kind != TRI_REMOTE_NOTHING) {
        HOLDS(message.data >= data && message.data + message.size <= data + size);
        check_connect(message.data, message.size);
        check_response(message.data, message.size);
    }
    check_connect(data, size);
    check_response(data, size);
    check_pids(data, size);
    check_texts(data, size);
    return 0;
}
