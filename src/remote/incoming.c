/* incoming.c - the receiving half of a stream: headers, messages, the end. */
#include "remote/session.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "remote/inflate.h"
#include "remote/services.h"

#include <stdio.h>
#include <string.h>

/* ---- Headers ------------------------------------------------------------- */

static bool is(const uint8_t *at, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(at, text, size) == 0;
}

static bool starts(const uint8_t *at, size_t size, const char *text)
{
    size_t length = strlen(text);
    return size >= length && memcmp(at, text, length) == 0;
}

/* "application/grpc", alone or followed by + or ; and whatever. */
static bool is_grpc(const uint8_t *at, size_t size)
{
    return starts(at, size, "application/grpc") && (size == 16 || at[16] == '+' || at[16] == ';');
}

static void request_header(struct tri_stream *stream, const uint8_t *name, size_t name_size,
                           const uint8_t *value, size_t value_size)
{
    if (is(name, name_size, ":path")) {
        if (value_size >= TRI_PATH_SIZE)
            value_size = TRI_PATH_SIZE - 1; /* No path that is known is so long. */
        memcpy(stream->path, value, value_size);
        stream->path[value_size] = '\0';
    } else if (is(name, name_size, ":method")) {
        stream->head = is(value, value_size, "HEAD");
        if (!is(value, value_size, "POST") && stream->http_status == 0)
            stream->http_status = 405;
    } else if (is(name, name_size, "content-type")) {
        stream->is_grpc = is_grpc(value, value_size);
    }
}

static void response_header(struct tri_stream *stream, const uint8_t *name, size_t name_size,
                            const uint8_t *value, size_t value_size)
{
    if (is(name, name_size, ":status")) {
        stream->http_status = 0; /* nghttp2 has seen to it that these are three digits. */
        for (size_t i = 0; i < value_size && i < 3; i++)
            stream->http_status = (uint16_t)(stream->http_status * 10 + (value[i] - '0'));
    } else if (is(name, name_size, "content-type")) {
        stream->is_grpc = is_grpc(value, value_size);
    } else if (is(name, name_size, "grpc-status")) {
        int status = tri_grpc_status(value, value_size);
        stream->trailer_status = status < 0 ? TRI_WIRE_UNKNOWN : status;
    } else if (is(name, name_size, "grpc-message") && stream->status < 0) {
        tri_grpc_unescape(value, value_size, stream->text, sizeof stream->text);
    }
}

bool tri_stream_header(struct tri_stream *stream, const uint8_t *name, size_t name_size,
                       const uint8_t *value, size_t value_size)
{
    size_t size = stream->headers_size + name_size + value_size + 32; /* as HTTP/2 counts them */
    if (size > stream->session->hub->limits->headers_max)
        return false;
    stream->headers_size = (uint32_t)size;
    if (is(name, name_size, "grpc-encoding")) {
        stream->gzip = is(value, value_size, "gzip");
        stream->encoding_unknown = !stream->gzip && !is(value, value_size, "identity");
    } else if (stream->server) {
        request_header(stream, name, name_size, value, value_size);
    } else {
        response_header(stream, name, name_size, value, value_size);
    }
    return true;
}

static void begin_call(struct tri_stream *stream)
{
    struct tri_hub *hub = stream->session->hub;
    if (stream->http_status != 0 || !stream->is_grpc) {
        stream->plain = true; /* Answered when the request has ended. */
        stream->ending = true;
        stream->status = TRI_WIRE_ENDED;
        if (stream->http_status == 0)
            stream->http_status = 415;
        return;
    }
    if (stream->encoding_unknown) {
        tri_stream_fail(stream, TRI_WIRE_UNIMPLEMENTED,
                        "grpc-encoding is not known here: want identity or gzip");
        return;
    }
    stream->events = tri_services_accept(hub, stream, stream->path, &stream->user);
    if (!stream->events && hub->acceptor->accept)
        stream->events = hub->acceptor->accept(hub->acceptor->self, hub->wire, stream, stream->path,
                                               &stream->user);
    if (!stream->events)
        tri_stream_fail(stream, TRI_WIRE_UNIMPLEMENTED, "no method %s here", stream->path);
}

void tri_stream_headers_end(struct tri_stream *stream, bool first)
{
    if (stream->server) {
        if (first)
            begin_call(stream);
        return;
    }
    if (!first || stream->trailer_status >= 0 || stream->ending)
        return;
    if (stream->http_status != 200)
        tri_stream_fail(stream, tri_grpc_from_http(stream->http_status),
                        "the peer answered with HTTP status %u", stream->http_status);
    else if (!stream->is_grpc)
        tri_stream_fail(stream, TRI_WIRE_UNKNOWN, "the peer's answer is not application/grpc");
    else if (stream->encoding_unknown)
        tri_stream_fail(stream, TRI_WIRE_INTERNAL,
                        "the peer compresses with something else than gzip");
}

/* ---- Messages ------------------------------------------------------------ */

static void count_message(struct tri_hub *hub)
{
    TRI_ATOMIC(uint64_t) *count = &hub->counters.messages_in;
    /* Relaxed: this thread alone writes it, others read it for information. */
    tri_store(count, tri_load(count, TRI_RELAXED) + 1, TRI_RELAXED);
}

/* True if the stream goes on. */
static bool message(struct tri_stream *stream, const struct tri_deframed_message *from)
{
    struct tri_hub *hub = stream->session->hub;
    const uint8_t *at = from->at;
    size_t size = from->size;
    if (from->compressed) {
        if (!stream->gzip) {
            tri_stream_fail(stream, TRI_WIRE_INTERNAL,
                            "a message is compressed, but grpc-encoding does not say how");
            return false;
        }
        tr_err err = tri_inflate(from->at, from->size, hub->limits->message_max, &hub->inflated,
                                 &size);
        if (err != TR_OK) {
            tri_spare_fini(&hub->inflated);
            tri_stream_fail(stream,
                            err == TR_EFULL ? TRI_WIRE_RESOURCE_EXHAUSTED : TRI_WIRE_INTERNAL,
                            err == TR_EFULL ? "a message unpacks to more than %zu bytes"
                                            : "a message of %zu bytes is no gzip",
                            err == TR_EFULL ? hub->limits->message_max : from->size);
            return false;
        }
        at = hub->inflated.bytes;
    }
    count_message(hub);
    if (stream->events && stream->events->message)
        stream->events->message(stream->user, stream, at, size);
    if (hub->inflated.capacity > TRI_SPARE_MAX)
        tri_spare_fini(&hub->inflated); /* One large message does not keep its memory for good. */
    return !stream->ending;
}

/* Takes messages out of *data until the end, a pause, or the end of the stream. */
static void deframe(struct tri_stream *stream, const uint8_t **data, size_t *size)
{
    struct tri_hub *hub = stream->session->hub;
    while (!stream->paused && !stream->ending) {
        struct tri_deframed_message found;
        switch (tri_deframe(&stream->deframer, data, size, hub->limits->message_max, &hub->spare,
                            &found)) {
        case TRI_DEFRAMED_NOTHING:
            return;
        case TRI_DEFRAMED_MESSAGE:
            (void)message(stream, &found);
            break;
        case TRI_DEFRAMED_BAD_FLAG:
            tri_stream_fail(stream, TRI_WIRE_INTERNAL, "a message begins with byte %u, want 0 or 1",
                            stream->deframer.prefix[0]);
            return;
        case TRI_DEFRAMED_TOO_LARGE:
            tri_stream_fail(stream, TRI_WIRE_RESOURCE_EXHAUSTED,
                            "a message has %zu bytes, more than the %zu that are taken",
                            stream->deframer.want, hub->limits->message_max);
            return;
        case TRI_DEFRAMED_NO_MEMORY:
            tri_stream_fail(stream, TRI_WIRE_RESOURCE_EXHAUSTED,
                            "no room for a message of %zu bytes: too much is under way",
                            stream->deframer.want);
            return;
        }
    }
}

static bool hold(struct tri_stream *stream, const uint8_t *data, size_t size)
{
    if (stream->held_at > 0) {
        stream->held_size -= stream->held_at;
        memmove(stream->held, stream->held + stream->held_at, stream->held_size);
        stream->held_at = 0;
    }
    if (stream->held_size + size > stream->held_capacity) {
        /* Within the window, as nghttp2 has seen to. */
        size_t capacity = (stream->held_size + size) * 2, growth = capacity - stream->held_capacity;
        struct tri_spare *spare = &stream->session->hub->spare;
        if (!tri_spare_lend(spare, growth))
            return false;
        uint8_t *held = tri_realloc(stream->held, capacity);
        if (!held) {
            spare->lent -= growth;
            return false;
        }
        stream->held = held;
        stream->held_capacity = capacity;
    }
    memcpy(stream->held + stream->held_size, data, size);
    stream->held_size += size;
    return true;
}

static void free_held(struct tri_stream *stream)
{
    stream->session->hub->spare.lent -= stream->held_capacity;
    tri_free(stream->held);
    stream->held = NULL;
    stream->held_at = stream->held_size = stream->held_capacity = 0;
}

static void give_window(struct tri_stream *stream, size_t size)
{
    if (stream->session->h2 && !stream->h2_closed && size > 0) {
        (void)nghttp2_session_consume_stream(stream->session->h2, stream->id, size);
        stream->session->hub->changed(stream->session);
    }
}

void tri_stream_data(struct tri_stream *stream, const uint8_t *data, size_t size)
{
    size_t left = size;
    if (stream->held_size == stream->held_at)
        deframe(stream, &data, &left);
    if (stream->ending) {
        left = 0;
    } else if (left > 0 && !hold(stream, data, left)) {
        tri_stream_fail(stream, TRI_WIRE_RESOURCE_EXHAUSTED,
                        "no room for %zu bytes: too much is held back", left);
        left = 0;
    }
    give_window(stream, size - left);
}

static void tell_ended(struct tri_stream *stream)
{
    if (!stream->peer_ended || stream->ended_told || stream->ending || stream->h2_closed ||
        stream->held_size > stream->held_at)
        return;
    stream->ended_told = true;
    if (tri_deframer_within(&stream->deframer)) {
        tri_stream_fail(stream, TRI_WIRE_INTERNAL, "the peer ended within a message");
        return;
    }
    if (stream->events && stream->events->ended)
        stream->events->ended(stream->user, stream);
}

void tri_stream_resume(struct tri_stream *stream)
{
    const uint8_t *data = stream->held ? stream->held + stream->held_at : NULL;
    size_t size = stream->held_size - stream->held_at, left = size;
    if (stream->held)
        deframe(stream, &data, &left);
    if (stream->ending)
        left = 0;
    stream->held_at = stream->held_size - left;
    give_window(stream, size - left);
    if (left == 0) {
        free_held(stream);
        tell_ended(stream);
    }
}

void tri_stream_peer_ended(struct tri_stream *stream)
{
    stream->peer_ended = true;
    if (stream->plain)
        tri_stream_answer_plain(stream);
    else if (stream->server)
        tell_ended(stream);
    else if (!stream->ending && !stream->h2_closed)
        tri_stream_stop(stream, false);
}

void tri_stream_receive_fini(struct tri_stream *stream)
{
    tri_deframer_fini(&stream->deframer, &stream->session->hub->spare);
    free_held(stream);
}
