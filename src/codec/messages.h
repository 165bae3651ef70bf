/*
 * codec/messages.h - the messages that nodes say to each other: handshake, system messages,
 * spawning, diagnostics.
 *
 * Parsed messages are views into the bytes they came in. Writers write the message's fields only;
 * texts and sizes are bounded by the writer's memory. Parsers return TR_EPROTO where the bytes
 * are malformed, and take unknown fields.
 */
#ifndef TROUPE_CODEC_MESSAGES_H
#define TROUPE_CODEC_MESSAGES_H

#include "codec/envelope.h"

/* ---- remote.RemoteMessage ------------------------------------------------ */

enum tri_remote_kind {
    TRI_REMOTE_NOTHING, /* no member of the oneof that we know */
    TRI_REMOTE_BATCH,
    TRI_REMOTE_CONNECT_REQUEST,
    TRI_REMOTE_CONNECT_RESPONSE,
    TRI_REMOTE_DISCONNECT_REQUEST,
};

struct tri_remote_message {
    enum tri_remote_kind kind;
    const uint8_t *data; /* of the member */
    size_t size;
};

/* TR_EPROTO too when there are two members: merging them could only lose one. */
tr_err tri_parse_remote_message(const uint8_t *data, size_t size, struct tri_remote_message *ret);

/* ---- Handshake ----------------------------------------------------------- */

enum tri_connect_kind {
    TRI_CONNECT_NOTHING,
    TRI_CONNECT_CLIENT, /* cannot be dialled: everything goes over this stream */
    TRI_CONNECT_SERVER,
};

/* Both dialects: A has no block list. */
struct tri_connect_request {
    enum tri_connect_kind kind;
    struct tri_name member_id, address; /* a client has no address */
    struct tri_reader blocked;          /* for tri_next_blocked() */
};

struct tri_connect_response {
    struct tri_name member_id;
    bool blocked;
};

/* `data` is the member of the RemoteMessage. */
tr_err tri_parse_connect_request(const uint8_t *data, size_t size, struct tri_connect_request *ret);
tr_err tri_parse_connect_response(const uint8_t *data, size_t size,
                                  struct tri_connect_response *ret);
/* The next member id of the block list. False at the end; it was checked by the parser. */
bool tri_next_blocked(struct tri_reader *blocked, struct tri_name *ret);

/* These write whole RemoteMessages. */
void tri_write_connect_server(struct tri_writer *writer, struct tri_name member_id,
                              struct tri_name address, const struct tri_name *blocked,
                              size_t blocked_count);
void tri_write_connect_client(struct tri_writer *writer, struct tri_name member_id);
void tri_write_connect_response(struct tri_writer *writer, struct tri_name member_id, bool blocked);
void tri_write_disconnect_request(struct tri_writer *writer);

/* ---- Messages between actors --------------------------------------------- */

/* What one needs to know by its name. */
enum tri_system_type {
    TRI_TYPE_OTHER,
    TRI_TYPE_WATCH,
    TRI_TYPE_UNWATCH,
    TRI_TYPE_TERMINATED,
    TRI_TYPE_STOP,
    TRI_TYPE_POISON_PILL,
    TRI_TYPE_TOUCH,
    TRI_TYPE_TOUCHED,
    TRI_TYPE_DEAD_LETTER_RESPONSE,
    TRI_TYPE_ACTOR_PID_REQUEST,
    TRI_TYPE_ACTOR_PID_RESPONSE,
    TRI_TYPE_COUNT
};

enum tri_system_type tri_system_type(struct tri_name name);
/* `actor.Watch` …; of TRI_TYPE_OTHER it is empty. */
struct tri_name tri_system_type_name(enum tri_system_type type);

enum tri_terminated_why {
    TRI_TERMINATED_STOPPED = 0,
    TRI_TERMINATED_ADDRESS = 1,
    TRI_TERMINATED_NOT_FOUND = 2,
};

struct tri_terminated {
    struct tri_wire_pid who;
    int32_t why; /* tri_terminated_why, or what a later version knows */
};

/* Watch, Unwatch, Touched and DeadLetterResponse are one PID in field 1; it may be absent. */
tr_err tri_parse_one_pid(const uint8_t *data, size_t size, struct tri_wire_pid *ret);
void tri_write_one_pid(struct tri_writer *writer, const struct tri_wire_pid *pid);
tr_err tri_parse_terminated(const uint8_t *data, size_t size, struct tri_terminated *ret);
void tri_write_terminated(struct tri_writer *writer, const struct tri_wire_pid *who, int32_t why);
/* Stop, PoisonPill and Touch have no fields: any well-formed message will do. */
tr_err tri_parse_empty(const uint8_t *data, size_t size);

/* ---- Spawning ------------------------------------------------------------ */

/* protoactor-go's; .NET has 0, 1 for "exists" and 2 for "error". */
enum tri_spawn_status {
    TRI_SPAWN_OK = 0,
    TRI_SPAWN_UNAVAILABLE = 1,
    TRI_SPAWN_TIMEOUT = 2,
    TRI_SPAWN_EXISTS = 3,
    TRI_SPAWN_ERROR = 4,
    TRI_SPAWN_DEAD_LETTER = 5,
};

struct tri_actor_pid_request {
    struct tri_name name, kind;
};

struct tri_actor_pid_response {
    struct tri_wire_pid pid;
    bool has_pid;
    int32_t status;
};

tr_err tri_parse_actor_pid_request(const uint8_t *data, size_t size,
                                   struct tri_actor_pid_request *ret);
void tri_write_actor_pid_request(struct tri_writer *writer, struct tri_name name,
                                 struct tri_name kind);
tr_err tri_parse_actor_pid_response(const uint8_t *data, size_t size,
                                    struct tri_actor_pid_response *ret);
/* `pid` may be NULL. */
void tri_write_actor_pid_response(struct tri_writer *writer, const struct tri_wire_pid *pid,
                                  int32_t status);

/* ---- Diagnostics --------------------------------------------------------- */

enum tri_match {
    TRI_MATCH_PART = 0,
    TRI_MATCH_EXACT = 1,
    TRI_MATCH_REGEX = 2,
};

struct tri_list_processes_request {
    struct tri_name pattern;
    int32_t match; /* tri_match, or what a later version knows */
};

tr_err tri_parse_list_processes_request(const uint8_t *data, size_t size,
                                        struct tri_list_processes_request *ret);
void tri_write_list_processes_request(struct tri_writer *writer, struct tri_name pattern,
                                      enum tri_match match);
/* ListProcessesResponse: one call per PID. */
void tri_write_listed_process(struct tri_writer *writer, const struct tri_wire_pid *pid);
/* The next PID of a ListProcessesResponse; false at the end and at an error. */
bool tri_next_listed_process(struct tri_reader *response, struct tri_wire_pid *ret,
                             tr_err *ret_err);

/* GetProcessDiagnosticsRequest is one PID in field 1, the response one text. */
tr_err tri_parse_diagnostics_response(const uint8_t *data, size_t size, struct tri_name *ret);
void tri_write_diagnostics_response(struct tri_writer *writer, struct tri_name text);

#endif
