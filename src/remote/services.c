/* services.c - grpc.health.v1.Health, and who answers which path. */
#include "remote/services.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "remote/reflection.h"

#include <string.h>

enum health { HEALTH_SERVING = 1, HEALTH_NOT_SERVING = 2, HEALTH_SERVICE_UNKNOWN = 3 };

/* A call of Check or Watch. */
struct tri_health_watch {
    struct tri_health_watch *next, **link; /* of the hub: those that watch */
    struct tri_stream *stream;
    struct tri_hub *hub;
    bool watches, asked, known;
    int told; /* the last answer; 0: none */
};

struct reply {
    struct tri_buffer buffer;
    uint8_t bytes[2];
};

static void reply_release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate;
    tri_free(TRI_CONTAINER_OF(buffer, struct reply, buffer));
}

static bool reply(struct tri_health_watch *call, enum health health)
{
    struct reply *reply = tri_calloc(1, sizeof *reply);
    if (!reply) {
        tri_stream_end(call->stream, TRI_WIRE_RESOURCE_EXHAUSTED, "no memory for an answer");
        return false;
    }
    call->told = (int)health;
    reply->bytes[0] = 0x08; /* HealthCheckResponse.status */
    reply->bytes[1] = (uint8_t)health;
    reply->buffer.part[0].at = reply->bytes;
    reply->buffer.part[0].size = sizeof reply->bytes;
    reply->buffer.release = reply_release;
    tri_stream_send(call->stream, &reply->buffer);
    return true;
}

static enum health health_of(const struct tri_health_watch *call)
{
    const TRI_ATOMIC(bool) *serving = call->hub->serving;
    if (!call->known)
        return HEALTH_SERVICE_UNKNOWN;
    /* Relaxed: who changes it posts a job to this thread afterwards, which looks again. */
    return !serving || tri_load(serving, TRI_RELAXED) ? HEALTH_SERVING : HEALTH_NOT_SERVING;
}

/* HealthCheckRequest.service; false: no such message. */
static bool parse(const uint8_t *data, size_t size, const uint8_t **ret_name, size_t *ret_size)
{
    *ret_name = data;
    *ret_size = 0;
    while (size > 0) {
        /* One field with one byte of key and one or two of length: all that a name needs. */
        if (size < 2 || data[0] != 0x0A)
            return false;
        size_t length = data[1], head = 2;
        if (length >= 0x80) {
            if (size < 3 || data[2] >= 0x80)
                return false;
            length = (length & 0x7F) | (size_t)data[2] << 7;
            head = 3;
        }
        if (length > size - head)
            return false;
        *ret_name = data + head;
        *ret_size = length;
        data += head + length;
        size -= head + length;
    }
    return true;
}

static bool is_known(const uint8_t *name, size_t size)
{
    static const char *const names[] = {"", "remote.Remoting", "grpc.health.v1.Health"};
    for (size_t i = 0; i < TRI_ARRAY_COUNT(names); i++) {
        if (size == strlen(names[i]) && memcmp(name, names[i], size) == 0)
            return true;
    }
    return false;
}

static void health_message(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    struct tri_health_watch *call = user;
    const uint8_t *name;
    size_t name_size;
    if (call->asked) {
        tri_stream_end(stream, TRI_WIRE_INVALID_ARGUMENT, "more than one request in a call");
        return;
    }
    call->asked = true;
    if (!parse(data, size, &name, &name_size)) {
        tri_stream_end(stream, TRI_WIRE_INVALID_ARGUMENT, "the request is no HealthCheckRequest");
        return;
    }
    call->known = is_known(name, name_size);
    if (!call->known && !call->watches)
        tri_stream_end(stream, TRI_WIRE_NOT_FOUND, "no such service here");
    else if (reply(call, health_of(call)) && !call->watches)
        tri_stream_end(stream, TRI_WIRE_OK, NULL);
}

static void health_ended(void *user, struct tri_stream *stream)
{
    struct tri_health_watch *call = user;
    if (!call->asked)
        tri_stream_end(stream, TRI_WIRE_INVALID_ARGUMENT, "no request in the call");
}

static void health_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    (void)stream;
    (void)status;
    (void)text;
    struct tri_health_watch *call = user;
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    tri_free(call);
}

static const struct tri_wire_events health_events = {
    .message = health_message, .ended = health_ended, .closed = health_closed};

static const struct tri_wire_events *health(struct tri_hub *hub, struct tri_stream *stream,
                                            bool watches, void **ret_user)
{
    struct tri_health_watch *call = tri_calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->hub = hub;
    call->stream = stream;
    call->watches = watches;
    call->next = hub->watches;
    call->link = &hub->watches;
    if (call->next)
        call->next->link = &call->next;
    hub->watches = call;
    *ret_user = call;
    return &health_events;
}

void tri_services_health_changed(struct tri_hub *hub)
{
    for (struct tri_health_watch *call = hub->watches; call; call = call->next) {
        if (call->watches && call->asked && call->told != (int)health_of(call))
            (void)reply(call, health_of(call));
    }
}

const struct tri_wire_events *tri_services_accept(struct tri_hub *hub, struct tri_stream *stream,
                                                  const char *path, void **ret_user)
{
    if (strcmp(path, "/grpc.health.v1.Health/Check") == 0)
        return health(hub, stream, false, ret_user);
    if (strcmp(path, "/grpc.health.v1.Health/Watch") == 0)
        return health(hub, stream, true, ret_user);
    /* Two names for the same: older tools know only the second. */
    if (strcmp(path, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") == 0 ||
        strcmp(path, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") == 0)
        return &tri_reflection_events;
    return NULL;
}
