#include "codec/messages.h"

/* The tags that the messages below are told apart by. */
#define TEXT(number) TRI_TAG(number, TRI_WIRE_BYTES)
#define NUMBER(number) TRI_TAG(number, TRI_WIRE_VARINT)

static uint32_t tag_of(const struct tri_wire_field *field)
{
    return TRI_TAG(field->number, field->kind);
}

/* ---- remote.RemoteMessage ------------------------------------------------ */

tr_err tri_parse_remote_message(const uint8_t *data, size_t size, struct tri_remote_message *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_remote_message found = {TRI_REMOTE_NOTHING, NULL, 0};
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
        if (field.kind != TRI_WIRE_BYTES || field.number > TRI_REMOTE_DISCONNECT_REQUEST)
            continue;
        if (found.kind != TRI_REMOTE_NOTHING)
            return TR_EPROTO;
        found = (struct tri_remote_message){(enum tri_remote_kind)field.number, field.bytes,
                                            field.size};
    }
    if (err == TR_OK)
        *ret = found;
    return err;
}

/* ---- Handshake ----------------------------------------------------------- */

/* ClientConnection and ServerConnection; the former has only the first field. */
static tr_err parse_connection(struct tri_reader reader, struct tri_connect_request *ret)
{
    struct tri_wire_field field;
    struct tri_name blocked;
    tr_err err;
    ret->blocked = reader;
    while (tri_read_field(&reader, &field, &err)) {
        bool valid = true;
        switch (tag_of(&field)) {
        case TEXT(1):
            valid = tri_read_text(&field, &ret->member_id, &err);
            break;
        case TEXT(2):
            valid = tri_read_text(&field, &ret->address, &err);
            break;
        case TEXT(3):
            valid = tri_read_text(&field, &blocked, &err);
            break;
        }
        if (!valid)
            break;
    }
    return err;
}

tr_err tri_parse_connect_request(const uint8_t *data, size_t size, struct tri_connect_request *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_connect_request request = {.kind = TRI_CONNECT_NOTHING};
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
        if (field.kind != TRI_WIRE_BYTES || field.number > TRI_CONNECT_SERVER)
            continue;
        request = (struct tri_connect_request){.kind = (enum tri_connect_kind)field.number};
        struct tri_reader inside = {field.bytes, field.bytes + field.size};
        err = parse_connection(inside, &request);
        if (err != TR_OK)
            return err;
    }
    if (err != TR_OK)
        return err;
    if (request.kind != TRI_CONNECT_SERVER) {
        request.address = TRI_NAME_NONE;
        request.blocked.end = request.blocked.at;
    }
    *ret = request;
    return TR_OK;
}

bool tri_next_blocked(struct tri_reader *blocked, struct tri_name *ret)
{
    struct tri_wire_field field;
    tr_err err;
    while (tri_read_field(blocked, &field, &err))
        if (tag_of(&field) == TEXT(3) && tri_read_text(&field, ret, &err))
            return true;
    return false;
}

tr_err tri_parse_connect_response(const uint8_t *data, size_t size,
                                  struct tri_connect_response *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_connect_response response = {TRI_NAME_NONE, false};
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
        if (tag_of(&field) == TEXT(2)) {
            if (!tri_read_text(&field, &response.member_id, &err))
                break;
        } else if (tag_of(&field) == NUMBER(3)) {
            response.blocked = field.value != 0;
        }
    }
    if (err == TR_OK)
        *ret = response;
    return err;
}

void tri_write_connect_server(struct tri_writer *writer, struct tri_name member_id,
                              struct tri_name address, const struct tri_name *blocked,
                              size_t blocked_count)
{
    uint8_t *request = tri_write_begin(writer, TRI_REMOTE_CONNECT_REQUEST);
    uint8_t *connection = tri_write_begin(writer, TRI_CONNECT_SERVER);
    tri_write_text(writer, 1, member_id);
    tri_write_text(writer, 2, address);
    for (size_t i = 0; i < blocked_count; i++)
        tri_write_text_always(writer, 3, blocked[i]);
    tri_write_end(writer, connection);
    tri_write_end(writer, request);
}

void tri_write_connect_client(struct tri_writer *writer, struct tri_name member_id)
{
    uint8_t *request = tri_write_begin(writer, TRI_REMOTE_CONNECT_REQUEST);
    uint8_t *connection = tri_write_begin(writer, TRI_CONNECT_CLIENT);
    tri_write_text(writer, 1, member_id);
    tri_write_end(writer, connection);
    tri_write_end(writer, request);
}

void tri_write_connect_response(struct tri_writer *writer, struct tri_name member_id, bool blocked)
{
    uint8_t *response = tri_write_begin(writer, TRI_REMOTE_CONNECT_RESPONSE);
    tri_write_text(writer, 2, member_id);
    tri_write_varint(writer, 3, blocked);
    tri_write_end(writer, response);
}

void tri_write_disconnect_request(struct tri_writer *writer)
{
    tri_write_end(writer, tri_write_begin(writer, TRI_REMOTE_DISCONNECT_REQUEST));
}

/* ---- Messages between actors --------------------------------------------- */

static const struct tri_name system_types[TRI_TYPE_COUNT] = {
    [TRI_TYPE_OTHER] = {"", 0},
#define NAME(type, text) [type] = {text, sizeof(text) - 1}
    NAME(TRI_TYPE_WATCH, "actor.Watch"),
    NAME(TRI_TYPE_UNWATCH, "actor.Unwatch"),
    NAME(TRI_TYPE_TERMINATED, "actor.Terminated"),
    NAME(TRI_TYPE_STOP, "actor.Stop"),
    NAME(TRI_TYPE_POISON_PILL, "actor.PoisonPill"),
    NAME(TRI_TYPE_TOUCH, "actor.Touch"),
    NAME(TRI_TYPE_TOUCHED, "actor.Touched"),
    NAME(TRI_TYPE_DEAD_LETTER_RESPONSE, "actor.DeadLetterResponse"),
    NAME(TRI_TYPE_ACTOR_PID_REQUEST, "remote.ActorPidRequest"),
    NAME(TRI_TYPE_ACTOR_PID_RESPONSE, "remote.ActorPidResponse"),
#undef NAME
};

enum tri_system_type tri_system_type(struct tri_name name)
{
    for (int i = TRI_TYPE_OTHER + 1; i < TRI_TYPE_COUNT; i++)
        if (tri_name_equal(system_types[i], name))
            return (enum tri_system_type)i;
    return TRI_TYPE_OTHER;
}

struct tri_name tri_system_type_name(enum tri_system_type type)
{
    return system_types[type];
}

/* The PID in field 1, and the number in field 2 if `ret_number` is given. */
static tr_err parse_pid_and_number(const uint8_t *data, size_t size, struct tri_wire_pid *ret_pid,
                                   bool *ret_has_pid, int32_t *ret_number)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_wire_pid pid = {0};
    bool has_pid = false;
    int32_t number = 0;
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
        if (tag_of(&field) == TEXT(1)) {
            err = tri_parse_pid(field.bytes, field.size, &pid);
            if (err != TR_OK)
                return err;
            has_pid = true;
        } else if (tag_of(&field) == NUMBER(2)) {
            number = (int32_t)field.value;
        }
    }
    if (err != TR_OK)
        return err;
    *ret_pid = pid;
    *ret_has_pid = has_pid;
    *ret_number = number;
    return TR_OK;
}

tr_err tri_parse_one_pid(const uint8_t *data, size_t size, struct tri_wire_pid *ret)
{
    bool has_pid;
    int32_t number;
    return parse_pid_and_number(data, size, ret, &has_pid, &number);
}

void tri_write_one_pid(struct tri_writer *writer, const struct tri_wire_pid *pid)
{
    tri_write_pid(writer, 1, pid);
}

tr_err tri_parse_terminated(const uint8_t *data, size_t size, struct tri_terminated *ret)
{
    bool has_pid;
    return parse_pid_and_number(data, size, &ret->who, &has_pid, &ret->why);
}

void tri_write_terminated(struct tri_writer *writer, const struct tri_wire_pid *who, int32_t why)
{
    tri_write_pid(writer, 1, who);
    tri_write_varint(writer, 2, (uint64_t)(int64_t)why);
}

tr_err tri_parse_empty(const uint8_t *data, size_t size)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
    }
    return err;
}

/* ---- Spawning ------------------------------------------------------------ */

tr_err tri_parse_actor_pid_request(const uint8_t *data, size_t size,
                                   struct tri_actor_pid_request *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_actor_pid_request request = {TRI_NAME_NONE, TRI_NAME_NONE};
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
        uint32_t tag = tag_of(&field);
        if (tag != TEXT(1) && tag != TEXT(2))
            continue;
        if (!tri_read_text(&field, tag == TEXT(1) ? &request.name : &request.kind, &err))
            break;
    }
    if (err == TR_OK)
        *ret = request;
    return err;
}

void tri_write_actor_pid_request(struct tri_writer *writer, struct tri_name name,
                                 struct tri_name kind)
{
    tri_write_text(writer, 1, name);
    tri_write_text(writer, 2, kind);
}

tr_err tri_parse_actor_pid_response(const uint8_t *data, size_t size,
                                    struct tri_actor_pid_response *ret)
{
    return parse_pid_and_number(data, size, &ret->pid, &ret->has_pid, &ret->status);
}

void tri_write_actor_pid_response(struct tri_writer *writer, const struct tri_wire_pid *pid,
                                  int32_t status)
{
    if (pid)
        tri_write_pid(writer, 1, pid);
    tri_write_varint(writer, 2, (uint64_t)(int64_t)status);
}

/* ---- Diagnostics --------------------------------------------------------- */

tr_err tri_parse_list_processes_request(const uint8_t *data, size_t size,
                                        struct tri_list_processes_request *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_list_processes_request request = {TRI_NAME_NONE, TRI_MATCH_PART};
    tr_err err;
    while (tri_read_field(&reader, &field, &err)) {
        if (tag_of(&field) == TEXT(1)) {
            if (!tri_read_text(&field, &request.pattern, &err))
                break;
        } else if (tag_of(&field) == NUMBER(2)) {
            request.match = (int32_t)field.value;
        }
    }
    if (err == TR_OK)
        *ret = request;
    return err;
}

void tri_write_list_processes_request(struct tri_writer *writer, struct tri_name pattern,
                                      enum tri_match match)
{
    tri_write_text(writer, 1, pattern);
    tri_write_varint(writer, 2, (uint64_t)match);
}

void tri_write_listed_process(struct tri_writer *writer, const struct tri_wire_pid *pid)
{
    tri_write_pid(writer, 1, pid);
}

bool tri_next_listed_process(struct tri_reader *response, struct tri_wire_pid *ret, tr_err *ret_err)
{
    struct tri_wire_field field;
    while (tri_read_field(response, &field, ret_err)) {
        if (tag_of(&field) != TEXT(1))
            continue;
        *ret_err = tri_parse_pid(field.bytes, field.size, ret);
        return *ret_err == TR_OK;
    }
    return false;
}

tr_err tri_parse_diagnostics_response(const uint8_t *data, size_t size, struct tri_name *ret)
{
    struct tri_reader reader = {data, data + size};
    struct tri_wire_field field;
    struct tri_name text = TRI_NAME_NONE;
    tr_err err;
    while (tri_read_field(&reader, &field, &err))
        if (tag_of(&field) == TEXT(1) && !tri_read_text(&field, &text, &err))
            break;
    if (err == TR_OK)
        *ret = text;
    return err;
}

void tri_write_diagnostics_response(struct tri_writer *writer, struct tri_name text)
{
    tri_write_text(writer, 1, text);
}
