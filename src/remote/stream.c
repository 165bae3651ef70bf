/* stream.c - the life of a stream, its sending half, and what its owner is told. */
#include "remote/session.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FRAME_HEAD 9u /* bytes of an HTTP/2 frame's header */

/* ---- Life ---------------------------------------------------------------- */

struct tri_stream *tri_stream_create(struct tri_session *session,
                                     const struct tri_wire_events *events, void *user)
{
    struct tri_stream *stream = tri_calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->session = session;
    stream->events = events;
    stream->user = user;
    stream->status = stream->trailer_status = -1;
    stream->next = session->streams;
    stream->link = &session->streams;
    if (stream->next)
        stream->next->link = &stream->next;
    session->streams = stream;
    session->stream_count++;
    return stream;
}

void tri_stream_tell(struct tri_stream *stream, enum tri_tell what)
{
    struct tri_hub *hub = stream->session->hub;
    if (stream->tell == 0) {
        stream->next_told = NULL;
        if (hub->told_last)
            hub->told_last->next_told = stream;
        else
            hub->told_first = stream;
        hub->told_last = stream;
        hub->changed(stream->session);
    }
    stream->tell |= (uint8_t)what;
}

void tri_stream_close_if_done(struct tri_stream *stream)
{
    bool unread = stream->held_size > stream->held_at && !stream->ending;
    if (stream->h2_closed && stream->inflight == 0 && !unread)
        tri_stream_tell(stream, TRI_TELL_CLOSED);
}

static void release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    buffer->stream = NULL;
    buffer->release(buffer, fate);
}

/* Bytes of a message with its prefix. */
static size_t whole(const struct tri_buffer *buffer)
{
    return TRI_GRPC_PREFIX + buffer->part[0].size + buffer->part[1].size;
}

static void refuse(struct tri_stream *stream, struct tri_buffer *buffer)
{
    buffer->next = NULL;
    struct tri_buffer **last = &stream->refused;
    while (*last)
        last = &(*last)->next;
    *last = buffer;
    tri_stream_tell(stream, TRI_TELL_REFUSED);
}

/* What has not been appended yet will not be. */
static void drop_queue(struct tri_stream *stream)
{
    struct tri_buffer *first = stream->first;
    if (first && stream->first_sent > 0 && tri_out_pending(&stream->session->out) > 0) {
        /* A part of it is about to be written, from its memory. */
        stream->first = first->next;
        stream->first_sent = 0;
        stream->inflight++;
        tri_out_ends(&stream->session->out, first, TRI_BUFFER_UNSENT);
    }
    if (stream->first) {
        /* As a whole: one by one would look for the end of the list each time. */
        struct tri_buffer *rest = stream->first, **last = &stream->refused;
        for (struct tri_buffer *buffer = rest; buffer; buffer = buffer->next)
            stream->queued -= whole(buffer);
        while (*last)
            last = &(*last)->next;
        *last = rest;
        tri_stream_tell(stream, TRI_TELL_REFUSED);
    }
    stream->first = stream->last = NULL;
    stream->first_sent = 0;
}

void tri_stream_released(struct tri_stream *stream, struct tri_buffer *buffer)
{
    TRI_ATOMIC(uint64_t) *count = &stream->session->hub->counters.messages_out;
    TRI_ASSERT(stream->inflight > 0);
    stream->inflight--;
    stream->queued -= whole(buffer);
    if (buffer->fate == TRI_BUFFER_WRITTEN) /* Relaxed: only this thread writes the counter. */
        tri_store(count, tri_load(count, TRI_RELAXED) + 1, TRI_RELAXED);
    release(buffer, buffer->fate);
    if (stream->high && stream->queued <= stream->events->low_mark) {
        stream->high = false;
        tri_stream_tell(stream, TRI_TELL_WRITABLE);
    }
    tri_stream_close_if_done(stream);
}

void tri_stream_h2_closed(struct tri_stream *stream, uint32_t code)
{
    stream->h2_closed = true;
    drop_queue(stream);
    if (stream->status < 0 && !stream->server && stream->trailer_status >= 0) {
        stream->status = stream->trailer_status;
    } else if (stream->status < 0 && code != NGHTTP2_NO_ERROR) {
        stream->status = tri_grpc_from_h2(code);
        (void)snprintf(stream->text, sizeof stream->text, "the peer reset the stream: %s",
                       nghttp2_http2_strerror(code));
    } else if (stream->status < 0) {
        stream->status = TRI_WIRE_UNKNOWN;
        (void)snprintf(stream->text, sizeof stream->text, "the peer ended without grpc-status");
    }
    tri_stream_close_if_done(stream);
}

/* ---- Sending ------------------------------------------------------------- */

static nghttp2_nv header(const char *name, const char *value, size_t value_size)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .value = (uint8_t *)value, /* copied by nghttp2, which does not write */
                        .namelen = strlen(name),
                        .valuelen = value_size,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

#define TEXT(name, literal) header(name, literal, sizeof(literal) - 1)

/* Without the stream a session cannot go on: nghttp2 fails only without memory. */
static void check(struct tri_stream *stream, int rv)
{
    if (rv != 0)
        (void)nghttp2_session_terminate_session(stream->session->h2, NGHTTP2_INTERNAL_ERROR);
    stream->session->hub->changed(stream->session);
}

static bool alive(const struct tri_stream *stream)
{
    return stream->session->h2 && !stream->h2_closed;
}

tr_err tri_stream_call(struct tri_stream *stream, const char *authority)
{
    const bool tls = stream->session->tls;
    const nghttp2_nv headers[] = {
        TEXT(":method", "POST"),
        header(":scheme", tls ? "https" : "http", tls ? 5 : 4),
        header(":path", stream->dial_path, strlen(stream->dial_path)),
        header(":authority", authority, strlen(authority)),
        TEXT("content-type", "application/grpc"),
        TEXT("te", "trailers"),
        TEXT("grpc-accept-encoding", "identity,gzip"),
        TEXT("user-agent", "troupe"),
    };
    nghttp2_data_provider source = {.source.ptr = stream, .read_callback = tri_stream_plan};
    int32_t id = nghttp2_submit_request(stream->session->h2, NULL, headers,
                                        TRI_ARRAY_COUNT(headers), &source, stream);
    if (id < 0)
        return TR_ENOMEM;
    stream->id = id;
    stream->begun = true;
    tri_stream_tell(stream, TRI_TELL_OPENED);
    return TR_OK;
}

/* Response HEADERS of an accepted stream, if they are not out yet. */
static void begin(struct tri_stream *stream)
{
    static const char type[] = "application/grpc";
    const nghttp2_nv headers[] = {TEXT(":status", "200"),
                                  header("content-type", type, sizeof type - 1),
                                  TEXT("grpc-accept-encoding", "identity,gzip")};
    nghttp2_data_provider source = {.source.ptr = stream, .read_callback = tri_stream_plan};
    stream->begun = true;
    check(stream, nghttp2_submit_response(stream->session->h2, stream->id, headers,
                                          TRI_ARRAY_COUNT(headers), &source));
}

static void has_data(struct tri_stream *stream)
{
    if (!alive(stream))
        return;
    if (stream->server && !stream->begun) {
        begin(stream);
    } else if (stream->deferred) {
        stream->deferred = false;
        check(stream, nghttp2_session_resume_data(stream->session->h2, stream->id));
    }
}

/* The trailers; all that there is, if nothing was sent before. */
static int submit_trailers(struct tri_stream *stream)
{
    char status[8], text[3 * TRI_TEXT_SIZE];
    int size = snprintf(status, sizeof status, "%d", stream->trailer_status);
    size_t text_size = tri_grpc_escape(stream->text, text, sizeof text);
    nghttp2_nv headers[5];
    size_t count = 0;
    if (!stream->begun) {
        headers[count++] = TEXT(":status", "200");
        headers[count++] = TEXT("content-type", "application/grpc");
        if (stream->trailer_status == TRI_WIRE_UNIMPLEMENTED)
            headers[count++] = TEXT("grpc-accept-encoding", "identity,gzip");
    }
    headers[count++] = header("grpc-status", status, (size_t)size);
    if (text_size > 0)
        headers[count++] = header("grpc-message", text, text_size);
    nghttp2_session *h2 = stream->session->h2;
    if (stream->begun)
        return nghttp2_submit_trailer(h2, stream->id, headers, count);
    stream->begun = true;
    return nghttp2_submit_response(h2, stream->id, headers, count, NULL);
}

/*
 * Goes over what comes next, up to `length` bytes and what fits into an empty stage, and returns how
 * many that are. Without `out` it only finds out what room they need; with it they are appended, and
 * buffers that have come to their end leave the queue.
 */
static size_t walk(struct tri_stream *stream, size_t length, struct tri_out *out)
{
    size_t total = 0, bytes = FRAME_HEAD, skip = stream->first_sent;
    unsigned slots = 1;
    struct tri_buffer *next;
    for (struct tri_buffer *buffer = stream->first; buffer; buffer = next) {
        const struct {
            const uint8_t *at;
            size_t size;
        } pieces[] = {{buffer->prefix, TRI_GRPC_PREFIX},
                      {buffer->part[0].at, buffer->part[0].size},
                      {buffer->part[1].at, buffer->part[1].size}};
        size_t done = skip;
        /* Frames end with messages where those are not larger: who reads has them in one piece. */
        if (!out && total > 0 && whole(buffer) > length - total && whole(buffer) <= length)
            return total;
        next = buffer->next;
        for (unsigned i = 0; i < TRI_ARRAY_COUNT(pieces); i++) {
            size_t past = skip < pieces[i].size ? skip : pieces[i].size;
            size_t take = pieces[i].size - past;
            skip -= past;
            take = take < length - total ? take : length - total;
            if (take == 0)
                continue; /* Or there may be no pointer. */
            bool copied = take <= TRI_COPY_MAX;
            bytes += copied ? take : 0;
            slots += copied ? 0 : 2;
            if (!out && (bytes > TRI_STAGE_SIZE || slots > TRI_STAGE_IOV))
                return total;
            if (out)
                tri_out_part(out, pieces[i].at + past, take);
            stream->plan_bytes = bytes;
            stream->plan_slots = slots;
            total += take;
            done += take;
            if (total == length && done < whole(buffer)) {
                if (out)
                    stream->first_sent = done;
                return total;
            }
        }
        skip = 0;
        if (out) {
            stream->first = next;
            stream->first_sent = 0;
            stream->inflight++;
            tri_out_ends(out, buffer, TRI_BUFFER_WRITTEN);
        }
        if (total == length)
            break;
    }
    if (out && !stream->first)
        stream->last = NULL;
    return total;
}

/* Bytes that are queued and not appended, as far as `length`. */
static bool is_all(const struct tri_stream *stream, size_t length)
{
    size_t left = 0, skip = stream->first_sent;
    for (const struct tri_buffer *buffer = stream->first; buffer && left <= length;
         buffer = buffer->next) {
        left += whole(buffer) - skip;
        skip = 0;
    }
    return left == length;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is nghttp2's. */
ssize_t tri_stream_plan(nghttp2_session *h2, int32_t id, uint8_t *buffer, size_t length,
                        uint32_t *ret_flags, nghttp2_data_source *source, void *user)
{
    (void)h2;
    (void)id;
    (void)buffer;
    (void)user;
    struct tri_stream *stream = source->ptr;
    size_t size = stream->first ? walk(stream, length, NULL) : 0;
    bool last = stream->close_send && is_all(stream, size);
    if (size == 0 && !last) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (size > 0)
        *ret_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (last) {
        *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->server) {
            *ret_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (submit_trailers(stream) != 0)
                return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)size;
}

int tri_stream_append(struct tri_stream *stream, const uint8_t *head, size_t size)
{
    struct tri_out *out = &stream->session->out;
    if (tri_out_pending(out) >= TRI_OUT_MAX ||
        !tri_out_fits(out, stream->plan_bytes, stream->plan_slots))
        return NGHTTP2_ERR_WOULDBLOCK;
    tri_out_copy(out, head, FRAME_HEAD);
    size_t appended = walk(stream, size, out);
    TRI_ASSERT(appended == size);
    return 0;
}

void tri_stream_stop(struct tri_stream *stream, bool remote)
{
    nghttp2_session *h2 = stream->session->h2;
    int closed = remote ? nghttp2_session_get_stream_remote_close(h2, stream->id)
                        : nghttp2_session_get_stream_local_close(h2, stream->id);
    if (closed == 0)
        check(stream,
              nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR));
}

/* ---- What owners call ---------------------------------------------------- */

void tri_stream_send(struct tri_stream *stream, struct tri_buffer *taken)
{
    TRI_ASSERT(taken->part[0].size <= UINT32_MAX - taken->part[1].size);
    if (stream->close_send || stream->ending || stream->h2_closed || stream->closed_told) {
        refuse(stream, taken);
        return;
    }
    taken->stream = stream;
    taken->next = NULL;
    tri_grpc_prefix(taken->prefix, taken->part[0].size + taken->part[1].size);
    stream->queued += whole(taken);
    stream->high = stream->high || stream->queued > stream->events->low_mark;
    if (stream->first)
        stream->last->next = taken;
    else
        stream->first = taken;
    stream->last = taken;
    has_data(stream);
}

size_t tri_stream_queued(const struct tri_stream *stream)
{
    return stream->queued;
}

void tri_stream_close_send(struct tri_stream *stream)
{
    if (stream->server) {
        tri_stream_end(stream, TRI_WIRE_OK, NULL);
        return;
    }
    if (stream->close_send || stream->ending)
        return;
    stream->close_send = true;
    has_data(stream);
}

/* The stream is over, for this side's reasons. */
static void finish(struct tri_stream *stream, int status, const char *text)
{
    if (stream->ending || stream->h2_closed) {
        stream->ending = true; /* What is held back is not wanted any more. */
        tri_stream_close_if_done(stream);
        return;
    }
    stream->ending = true;
    stream->status = status;
    if (text != stream->text)
        (void)snprintf(stream->text, sizeof stream->text, "%s", text ? text : "");
    if (!stream->server) {
        /* The queue is dropped when that has gone out: a frame of it may be in the making. */
        if (stream->begun)
            check(stream, nghttp2_submit_rst_stream(stream->session->h2, NGHTTP2_FLAG_NONE,
                                                    stream->id, NGHTTP2_CANCEL));
        else
            tri_stream_h2_closed(stream, NGHTTP2_CANCEL);
        return;
    }
    stream->close_send = true;
    if (!stream->begun && !stream->first)
        check(stream, submit_trailers(stream));
    else
        has_data(stream);
}

void tri_stream_end(struct tri_stream *stream, int status, const char *text)
{
    if (stream->trailer_status < 0 && stream->server)
        stream->trailer_status = status;
    finish(stream, TRI_WIRE_ENDED, text);
}

void tri_stream_fail(struct tri_stream *stream, int status, const char *fmt, ...)
{
    if (stream->ending || stream->h2_closed)
        return;
    va_list list;
    va_start(list, fmt);
    (void)vsnprintf(stream->text, sizeof stream->text, fmt, list);
    va_end(list);
    if (stream->server)
        stream->trailer_status = status;
    finish(stream, status, stream->text);
}

void tri_stream_pause(struct tri_stream *stream, bool paused)
{
    bool resumes = stream->paused && !paused;
    stream->paused = paused;
    if (resumes)
        tri_stream_tell(stream, TRI_TELL_RESUME);
}

const char *tri_stream_peer(const struct tri_stream *stream)
{
    return stream->session->peer;
}

const char *tri_stream_peer_names(const struct tri_stream *stream)
{
    return stream->session->peer_names;
}

/* ---- Answers that are not gRPC's ----------------------------------------- */

static const char *plain_text(const struct tri_stream *stream)
{
    return stream->http_status == 405 ? "this is a gRPC server: want POST\n"
                                      : "this is a gRPC server: want content-type "
                                        "application/grpc\n";
}

static ssize_t plain_read(nghttp2_session *h2, int32_t id, uint8_t *buffer, size_t length,
                          uint32_t *ret_flags, nghttp2_data_source *source, void *user)
{
    (void)h2;
    (void)id;
    (void)user;
    struct tri_stream *stream = source->ptr;
    const char *text = plain_text(stream);
    size_t size = strlen(text) - stream->first_sent;
    size_t take = size < length ? size : length;
    memcpy(buffer, text + stream->first_sent, take);
    stream->first_sent += take;
    if (take == size)
        *ret_flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)take;
}

void tri_stream_answer_plain(struct tri_stream *stream)
{
    char status[8];
    int size = snprintf(status, sizeof status, "%u", stream->http_status);
    const nghttp2_nv headers[] = {header(":status", status, (size_t)size),
                                  TEXT("content-type", "text/plain")};
    nghttp2_data_provider source = {.source.ptr = stream, .read_callback = plain_read};
    if (stream->begun || !alive(stream))
        return;
    stream->begun = true;
    check(stream, nghttp2_submit_response(stream->session->h2, stream->id, headers,
                                          TRI_ARRAY_COUNT(headers), stream->head ? NULL : &source));
}

/* ---- Telling ------------------------------------------------------------- */

static void release_refused(struct tri_stream *stream)
{
    for (struct tri_buffer *buffer; (buffer = stream->refused);) {
        stream->refused = buffer->next;
        release(buffer, TRI_BUFFER_UNSENT);
    }
}

static void tell_closed(struct tri_stream *stream)
{
    struct tri_session *session = stream->session;
    struct tri_hub *hub = session->hub;
    stream->closed_told = true;
    if (stream->events)
        stream->events->closed(stream->user, stream, stream->status, stream->text);
    if (stream->tell != 0) { /* closed() has sent something, in vain. */
        struct tri_stream **at = &hub->told_first;
        hub->told_last = NULL;
        while (*at) {
            if (*at == stream) {
                *at = stream->next_told;
                continue;
            }
            hub->told_last = *at;
            at = &(*at)->next_told;
        }
    }
    release_refused(stream);
    tri_stream_receive_fini(stream);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    session->stream_count--;
    hub->changed(session);
    tri_free(stream);
}

static void tell(struct tri_stream *stream, uint8_t what)
{
    const struct tri_wire_events *events = stream->events;
    if ((what & TRI_TELL_OPENED) && !stream->ending && events->opened)
        events->opened(stream->user, stream);
    if (what & TRI_TELL_RESUME)
        tri_stream_resume(stream);
    if (what & TRI_TELL_REFUSED)
        release_refused(stream);
    if ((what & TRI_TELL_WRITABLE) && !stream->ending && !stream->h2_closed && events->writable)
        events->writable(stream->user, stream);
    if (what & TRI_TELL_CLOSED)
        tell_closed(stream);
    else
        tri_stream_close_if_done(stream);
}

bool tri_hub_tell(struct tri_hub *hub)
{
    struct tri_stream *stream, *last = hub->told_last;
    if (!last)
        return false;
    do { /* Those that are there now; what they bring about is for the next call. */
        stream = hub->told_first;
        hub->told_first = stream->next_told;
        if (!hub->told_first)
            hub->told_last = NULL;
        uint8_t what = stream->tell;
        bool was_last = stream == last;
        stream->tell = 0;
        tell(stream, what);
        if (was_last)
            break;
    } while (hub->told_first);
    return true;
}

void tri_hub_fini(struct tri_hub *hub)
{
    tri_stages_fini(&hub->stages);
    tri_spare_fini(&hub->spare);
    tri_spare_fini(&hub->inflated);
    tri_spare_fini(&hub->sealed);
}
