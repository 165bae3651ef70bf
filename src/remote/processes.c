#include "remote/processes.h"

#include "base/alloc.h"
#include "core/names.h"
#include "remote/link.h"

#include <stdio.h>

#define ANSWER_MAX ((size_t)1 << 20)
#define PATTERN_MAX 256u

struct listing {
    struct tr_remote *remote;
    struct tri_writer writer;
    char pattern[PATTERN_MAX];
    bool exact;
    uint32_t count;
};

static void list_one(void *user, const char *name, tr_pid pid)
{
    struct listing *list = user;
    (void)pid;
    bool fits = list->exact ? strcmp(name, list->pattern) == 0
                            : strstr(name, list->pattern) != NULL;
    /* Room for one more, so that the answer is cut between two. */
    size_t room = (size_t)(list->writer.end - list->writer.at);
    if (!fits || list->count >= TRI_LISTED_MAX ||
        room < TR_ADDRESS_SIZE_MAX + TR_NAME_SIZE_MAX + 32)
        return;
    struct tri_wire_pid listed = {tri_name(list->remote->address), tri_name(name), 0};
    tri_write_listed_process(&list->writer, &listed);
    list->count++;
}

static void fail(struct tri_remote_io *io, struct tri_stream *stream, int status, const char *why)
{
    io->wire->end(stream, status, why);
}

static bool may_ask(struct tri_remote_io *io, struct tri_stream *stream)
{
    struct tr_remote *remote = io->remote;
    return (remote->config.allow & TR_REMOTE_LIST) &&
           tri_remote_peer_allowed(remote, io->wire->peer(stream), io->wire->peer_names(stream));
}

static void on_list(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    struct tri_remote_io *io = user;
    struct tri_list_processes_request request;
    struct listing list = {.remote = io->remote};
    if (!may_ask(io, stream)) {
        fail(io, stream, TRI_WIRE_PERMISSION_DENIED, "listing is not allowed");
        return;
    }
    if (tri_parse_list_processes_request(data, size, &request) ||
        request.pattern.size >= PATTERN_MAX) {
        fail(io, stream, TRI_WIRE_INVALID_ARGUMENT, "the request cannot be read");
        return;
    }
    if (request.match != TRI_MATCH_PART && request.match != TRI_MATCH_EXACT) {
        /* A regular expression from anybody may take any time and memory. */
        fail(io, stream, TRI_WIRE_UNIMPLEMENTED, "want MatchPartOfString or MatchExactString");
        return;
    }
    uint8_t *bytes = tri_malloc(ANSWER_MAX);
    if (!bytes) {
        fail(io, stream, TRI_WIRE_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (request.pattern.size)
        memcpy(list.pattern, request.pattern.at, request.pattern.size);
    list.exact = request.match == TRI_MATCH_EXACT;
    list.writer = (struct tri_writer){.at = bytes, .end = bytes + ANSWER_MAX};
    tri_names_each(io->ctx->sys->names, list_one, &list);
    (void)tri_link_say(io->wire, stream, bytes, (size_t)(list.writer.at - bytes));
    tri_free(bytes);
    io->wire->end(stream, TRI_WIRE_OK, NULL);
}

static void on_diagnose(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    struct tri_remote_io *io = user;
    struct tri_wire_pid pid;
    char text[512];
    uint8_t bytes[sizeof text + 16];
    struct tri_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    if (!may_ask(io, stream)) {
        fail(io, stream, TRI_WIRE_PERMISSION_DENIED, "asking is not allowed");
        return;
    }
    if (tri_parse_one_pid(data, size, &pid)) {
        fail(io, stream, TRI_WIRE_INVALID_ARGUMENT, "the request cannot be read");
        return;
    }
    tr_pid found = tri_id_find(io->ctx, pid.id);
    int shown = pid.id.size > TRI_ID_SIZE_MAX ? (int)TRI_ID_SIZE_MAX : (int)pid.id.size;
    if (tr_pid_is_nobody(found))
        snprintf(text, sizeof text, "%.*s: no such actor", shown, pid.id.at ? pid.id.at : "");
    else
        snprintf(text, sizeof text, "%.*s: alive, PID %" PRIx64, shown, pid.id.at, found.bits);
    tri_write_diagnostics_response(&writer, tri_name(text));
    if (!writer.failed)
        (void)tri_link_say(io->wire, stream, bytes, (size_t)(writer.at - bytes));
    io->wire->end(stream, TRI_WIRE_OK, NULL);
}

static void on_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    (void)user;
    (void)stream;
    (void)status;
    (void)text;
}

static const struct tri_wire_events list_events = {.message = on_list, .closed = on_closed};
static const struct tri_wire_events diagnose_events = {.message = on_diagnose, .closed = on_closed};

const struct tri_wire_events *tri_processes_accept(struct tri_remote_io *io,
                                                   struct tri_stream *stream, const char *path,
                                                   void **ret_user)
{
    (void)stream;
    *ret_user = io;
    if (strcmp(path, "/remote.Remoting/ListProcesses") == 0)
        return &list_events;
    if (strcmp(path, "/remote.Remoting/GetProcessDiagnostics") == 0)
        return &diagnose_events;
    return NULL;
}
