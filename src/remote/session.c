/* session.c - one HTTP/2 connection: what nghttp2 tells and asks. */
#include "remote/session.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>
#include <string.h>

/* The window of the connection; its bytes are given back as they come, so it only has to cover
 * the way there and back. */
#define CONNECTION_WINDOW (8 << 20)

/* Probing finds that windows suffice: it does not have to know that again at once. */
#define PROBE_EVERY_NS 100000000u

/* Tokens for frames that are cheap to send and not to answer: pings, settings, resets, priorities
 * and DATA without data. A frame of DATA, either way, earns one: gRPC pings along with data. */
#define CHEAP_BURST 2000u
#define CHEAP_PER_SECOND 500u

/* ---- nghttp2's memory ---------------------------------------------------- */

static void *h2_malloc(size_t size, void *user)
{
    (void)user;
    return tri_malloc(size);
}

static void h2_free(void *p, void *user)
{
    (void)user;
    tri_free(p);
}

static void *h2_calloc(size_t count, size_t size, void *user)
{
    (void)user;
    return tri_calloc(count, size);
}

static void *h2_realloc(void *p, size_t size, void *user)
{
    (void)user;
    return tri_realloc(p, size);
}

/* ---- Windows ------------------------------------------------------------- */

static const uint8_t probe_mark[8] = "troupe-w";

/* Servers only: the other way there is little data, and Go's servers count their clients' pings. */
static void probe(struct tri_session *session, size_t size)
{
    uint64_t now = session->hub->wire->now_ns(session->hub->wire->self);
    session->probe_bytes += size;
    if (!session->server || session->probing || now < session->probe_ns ||
        (size_t)session->window >= session->hub->limits->window_max)
        return;
    session->probing = nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_NONE, probe_mark) == 0;
    session->probe_bytes = 0;
}

/* The ping is back. Where most of a window came meanwhile, the window is what limits the peer. */
static void probed(struct tri_session *session)
{
    size_t window = (size_t)session->window * 2, most = session->hub->limits->window_max;
    session->probing = false;
    if (session->probe_bytes * 3 < (uint64_t)session->window * 2) {
        session->probe_ns = session->hub->wire->now_ns(session->hub->wire->self) + PROBE_EVERY_NS;
        return;
    }
    session->window = (int32_t)(window < most ? window : most);
    if (session->window > CONNECTION_WINDOW)
        (void)nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, 0,
                                                    session->window);
    for (struct tri_stream *stream = session->streams; stream; stream = stream->next) {
        if (!stream->h2_closed && !stream->ending)
            (void)nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, stream->id,
                                                        session->window);
    }
}

/* ---- What nghttp2 tells -------------------------------------------------- */

static struct tri_stream *stream_of(nghttp2_session *h2, int32_t id)
{
    return id == 0 ? NULL : nghttp2_session_get_stream_user_data(h2, id);
}

/* False: it has used up what it may. */
static bool afford(struct tri_session *session)
{
    uint64_t now = session->hub->wire->now_ns(session->hub->wire->self);
    uint64_t earned = (now - session->cheap_ns) / (1000000000u / CHEAP_PER_SECOND);
    if (earned > 0) {
        uint64_t left = session->cheap_left + earned;
        session->cheap_left = left < CHEAP_BURST ? (uint32_t)left : CHEAP_BURST;
        session->cheap_ns = now;
    }
    if (session->cheap_left == 0)
        return false;
    session->cheap_left--;
    return true;
}

static void earn(struct tri_session *session)
{
    if (session->cheap_left < CHEAP_BURST)
        session->cheap_left++;
}

/* Not in the first settings: who only asks for one thing never needs them, and tests of servers
 * expect that frames of headers, too, are refused above HTTP/2's default. */
static void allow_large_frames(struct tri_session *session)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, TRI_FRAME_SIZE}};
    session->large_frames = true;
    /* Without memory for it, frames stay small. */
    (void)nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, 1);
}

static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *head, void *user)
{
    struct tri_session *session = user;
    bool cheap = true;
    switch (head->type) {
    case NGHTTP2_DATA:
        cheap = head->length == 0 && !(head->flags & NGHTTP2_FLAG_END_STREAM);
        if (!cheap)
            earn(session);
        if (!session->large_frames)
            allow_large_frames(session);
        break;
    case NGHTTP2_HEADERS:
        cheap = false;
        /* Only a call's beginning brings them to a server, as gRPC's requests have no trailers; and
         * ids rise. nghttp2 would take them to be late, and ignore them. */
        if (session->server && head->stream_id < session->last_id &&
            !nghttp2_session_find_stream(h2, head->stream_id))
            (void)nghttp2_session_terminate_session(h2, NGHTTP2_PROTOCOL_ERROR);
        break;
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_WINDOW_UPDATE:
        cheap = false;
        break;
    default:
        break;
    }
    if (cheap && !afford(session))
        (void)nghttp2_session_terminate_session(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    struct tri_session *session = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct tri_stream *stream = tri_stream_create(session, NULL, NULL);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    stream->server = true;
    stream->id = session->last_id = frame->hd.stream_id;
    (void)nghttp2_session_set_stream_user_data(h2, stream->id, stream);
    if (session->window > (int32_t)TRI_WINDOW_FIRST)
        (void)nghttp2_session_set_local_window_size(h2, NGHTTP2_FLAG_NONE, stream->id,
                                                    session->window);
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)flags;
    (void)user;
    struct tri_stream *stream = stream_of(h2, frame->hd.stream_id);
    if (!stream || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    return tri_stream_header(stream, name, name_size, value, value_size)
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void keep_last_words(struct tri_session *session, const nghttp2_goaway *goaway)
{
    char text[64];
    size_t size = goaway->opaque_data_len < 63 ? goaway->opaque_data_len : 63;
    tri_grpc_unescape(goaway->opaque_data, size, text, sizeof text);
    (void)snprintf(session->last_words, sizeof session->last_words, "%s%s%s",
                   nghttp2_http2_strerror(goaway->error_code), size > 0 ? ", " : "", text);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    struct tri_session *session = user;
    struct tri_stream *stream = stream_of(h2, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        session->settled = true;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        session->pinged = false;
        if (session->probing && memcmp(frame->ping.opaque_data, probe_mark, 8) == 0)
            probed(session);
    }
    if (frame->hd.type == NGHTTP2_GOAWAY)
        keep_last_words(session, &frame->goaway);
    if (!stream)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        bool first = frame->headers.cat == NGHTTP2_HCAT_REQUEST ||
                     frame->headers.cat == NGHTTP2_HCAT_RESPONSE;
        tri_stream_headers_end(stream, first);
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        tri_stream_peer_ended(stream);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                   void *user)
{
    (void)flags;
    struct tri_stream *stream = stream_of(h2, id);
    probe(user, size);
    /* Fatal errors only, which the next call of nghttp2 reports again. */
    (void)nghttp2_session_consume_connection(h2, size);
    if (stream)
        tri_stream_data(stream, data, size);
    else
        (void)nghttp2_session_consume_stream(h2, id, size);
    return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *user)
{
    (void)user;
    struct tri_stream *stream = stream_of(h2, id);
    if (stream) {
        (void)nghttp2_session_set_stream_user_data(h2, id, NULL);
        tri_stream_h2_closed(stream, code);
    }
    return 0;
}

/* ---- What nghttp2 asks --------------------------------------------------- */

static ssize_t send_frame(nghttp2_session *h2, const uint8_t *data, size_t size, int flags,
                          void *user)
{
    (void)h2;
    (void)flags;
    struct tri_session *session = user;
    if (!tri_out_fits(&session->out, size, 1) || tri_out_pending(&session->out) >= TRI_OUT_MAX)
        return NGHTTP2_ERR_WOULDBLOCK;
    tri_out_copy(&session->out, data, size);
    return (ssize_t)size;
}

static int send_data(nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *head, size_t size,
                     nghttp2_data_source *source, void *user)
{
    (void)h2;
    (void)frame;
    earn(user);
    return tri_stream_append(source->ptr, head, size);
}

static ssize_t frame_size(nghttp2_session *h2, uint8_t type, int32_t id, int32_t session_window,
                          int32_t stream_window, uint32_t peer_max, void *user)
{
    (void)h2;
    (void)type;
    (void)id;
    (void)session_window; /* nghttp2 cuts it down to the windows itself. */
    (void)stream_window;
    (void)user;
    return peer_max < TRI_FRAME_SIZE ? (ssize_t)peer_max : (ssize_t)TRI_FRAME_SIZE;
}

static int on_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    (void)user;
    struct tri_stream *stream = stream_of(h2, frame->hd.stream_id);
    /* A server that has ended its half wants nothing more of the other one. */
    if (stream && stream->server &&
        (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        tri_stream_stop(stream, true);
    return 0;
}

static bool set_callbacks(nghttp2_session_callbacks **ret_callbacks)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_send_callback(callbacks, send_frame);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, frame_size);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    *ret_callbacks = callbacks;
    return true;
}

/* ---- Sessions ------------------------------------------------------------ */

static int first_settings(struct tri_session *session)
{
    const struct tri_io_limits *limits = session->hub->limits;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, TRI_WINDOW_FIRST},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->headers_max},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, session->server ? limits->streams_max : 0},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, /* Only a client may say that. */
    };
    size_t count = TRI_ARRAY_COUNT(settings) - (session->server ? 1 : 0);
    int rv = nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, count);
    if (rv == 0)
        rv = nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, 0,
                                                   CONNECTION_WINDOW);
    return rv;
}

tr_err tri_session_begin(struct tri_session *session, struct tri_hub *hub, bool server)
{
    static nghttp2_mem memory = {NULL, h2_malloc, h2_free, h2_calloc, h2_realloc};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    if (!set_callbacks(&callbacks))
        return TR_ENOMEM;
    if (nghttp2_option_new(&option) != 0) {
        nghttp2_session_callbacks_del(callbacks);
        return TR_ENOMEM;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, CHEAP_BURST, CHEAP_PER_SECOND);
    session->hub = hub;
    session->server = server;
    session->window = TRI_WINDOW_FIRST;
    session->cheap_left = CHEAP_BURST;
    session->cheap_ns = session->heard_ns = hub->wire->now_ns(hub->wire->self);
    int rv = server
                 ? nghttp2_session_server_new3(&session->h2, callbacks, session, option, &memory)
                 : nghttp2_session_client_new3(&session->h2, callbacks, session, option, &memory);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (rv != 0) {
        session->h2 = NULL;
        return TR_ENOMEM;
    }
    return first_settings(session) == 0 ? TR_OK : TR_ENOMEM;
}

bool tri_session_input(struct tri_session *session, const uint8_t *data, size_t size)
{
    session->heard_ns = session->hub->wire->now_ns(session->hub->wire->self);
    ssize_t taken = nghttp2_session_mem_recv(session->h2, data, size);
    session->hub->changed(session);
    return taken == (ssize_t)size;
}

bool tri_session_fill(struct tri_session *session)
{
    TRI_ASSERT(tri_out_pending(&session->out) == 0);
    if (!nghttp2_session_want_write(session->h2))
        return true;
    if (!tri_out_open(&session->out, &session->hub->stages))
        return false;
    int rv = nghttp2_session_send(session->h2);
    if (tri_out_pending(&session->out) == 0)
        tri_out_close(&session->out, &session->hub->stages);
    return rv == 0;
}

void tri_session_wrote(struct tri_session *session)
{
    for (struct tri_buffer *buffer; (buffer = tri_out_pop(&session->out, false));)
        tri_stream_released(buffer->stream, buffer);
    if (tri_out_pending(&session->out) == 0)
        tri_out_close(&session->out, &session->hub->stages);
}

bool tri_session_over(const struct tri_session *session)
{
    return !nghttp2_session_want_read(session->h2) && !nghttp2_session_want_write(session->h2) &&
           tri_out_pending(&session->out) == 0;
}

void tri_session_refuse(struct tri_session *session)
{
    if (!session->h2 || session->refusing)
        return;
    session->refusing = true;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->h2);
    (void)nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    session->hub->changed(session);
}

void tri_session_ping(struct tri_session *session)
{
    session->pinged = true;
    session->pinged_ns = session->hub->wire->now_ns(session->hub->wire->self);
    (void)nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_NONE, NULL);
    session->hub->changed(session);
}

void tri_session_lose(struct tri_session *session, int status, const char *text)
{
    for (struct tri_stream *stream = session->streams; stream; stream = stream->next) {
        if (status == TRI_WIRE_ENDED)
            stream->ending = true; /* Nobody waits for what is held back. */
        if (stream->h2_closed) {
            tri_stream_close_if_done(stream);
            continue;
        }
        if (stream->status < 0) {
            stream->status = status;
            size_t size = strnlen(text, TRI_TEXT_SIZE - 1);
            memcpy(stream->text, text, size);
            stream->text[size] = '\0';
        }
        tri_stream_h2_closed(stream, NGHTTP2_CANCEL);
    }
    for (struct tri_buffer *buffer; (buffer = tri_out_pop(&session->out, true));)
        tri_stream_released(buffer->stream, buffer);
    if (session->out.stage)
        tri_out_close(&session->out, &session->hub->stages);
    session->out.appended = session->out.written = 0;
    nghttp2_session_del(session->h2);
    session->h2 = NULL;
}
