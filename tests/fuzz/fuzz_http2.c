/* fuzz_http2.c - a connection, given any bytes, as a server or (bit 3 of the first byte) as a client:
 * it ends in an error or goes on, holds no more than it may, forgets no stream and no buffer. */
#include "fuzz.h"
#include "remote/session.h"

static uint64_t clock_ns;
static size_t buffers, streams;

struct echo {
    struct tri_buffer buffer;
    uint8_t bytes[];
};

static void echo_release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate;
    buffers--;
    free(buffer);
}

/* The message's first byte says what its receiver does. */
static void echo_message(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    (void)user;
    HOLDS(size <= 4096);
    struct echo *echo = malloc(sizeof *echo + size);
    HOLDS(echo != NULL);
    memcpy(echo->bytes, data, size);
    echo->buffer = (struct tri_buffer){.release = echo_release};
    echo->buffer.part[0].at = echo->bytes;
    echo->buffer.part[0].size = size;
    buffers++;
    tri_stream_send(stream, &echo->buffer);
    if (size > 0 && data[0] == 'p')
        tri_stream_pause(stream, true);
    if (size > 0 && data[0] == 'e')
        tri_stream_end(stream, size > 1 ? data[1] : 0, "as you wish\n");
}

static void echo_ended(void *user, struct tri_stream *stream)
{
    (void)user;
    tri_stream_end(stream, TRI_WIRE_OK, NULL);
}

static void echo_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    (void)user;
    (void)stream;
    HOLDS(status >= 0 && text != NULL && strlen(text) < TRI_TEXT_SIZE);
    HOLDS(streams > 0);
    streams--;
}

static const struct tri_wire_events echo_events = {
    .message = echo_message, .ended = echo_ended, .closed = echo_closed};

static const struct tri_wire_events *echo_accept(void *self, struct tri_wire *wire,
                                                 struct tri_stream *stream, const char *path,
                                                 void **ret_user)
{
    (void)self;
    (void)wire;
    (void)stream;
    (void)ret_user;
    if (strcmp(path, "/test/Echo") != 0)
        return NULL;
    streams++;
    return &echo_events;
}

static uint64_t now_ns(void *self)
{
    (void)self;
    return clock_ns += 1000;
}

static void changed(struct tri_session *session)
{
    (void)session;
}

/* Writes all there is, `step` bytes at a time. */
static bool drain(struct tri_session *session, size_t step)
{
    for (int i = 0; i < 10000; i++) {
        if (tri_out_pending(&session->out) == 0 && !tri_session_fill(session))
            return false;
        size_t pending = (size_t)tri_out_pending(&session->out);
        if (pending == 0)
            return true;
        tri_out_wrote(&session->out, pending < step ? pending : step);
        tri_session_wrote(session);
    }
    return true;
}

/* Two calls, one of which has said all. */
static void call(struct tri_session *session)
{
    for (int i = 0; i < 2; i++) {
        struct tri_stream *stream = tri_stream_create(session, &echo_events, NULL);
        HOLDS(stream != NULL);
        stream->dial_path = "/test/Echo";
        streams++;
        HOLDS(tri_stream_call(stream, "a:1") == TR_OK);
        echo_message(NULL, stream, (const uint8_t *)"hello", 5);
        if (i == 1)
            tri_stream_close_send(stream);
    }
}

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 9, 333, 1u << 20};
    const struct tri_io_limits limits = {
        .message_max = 4096, .headers_max = 2048, .streams_max = 5};
    const struct tri_wire_acceptor acceptor = {.accept = echo_accept};
    struct tri_wire wire = {.now_ns = now_ns};
    struct tri_hub hub = {
        .limits = &limits, .acceptor = &acceptor, .wire = &wire, .changed = changed};
    struct tri_session session = {.peer = "fuzz", .peer_names = ""};
    if (size == 0)
        return 0;
    size_t step = steps[data[0] & 3];
    clock_ns = 1000000000;
    bool server = !(data[0] & 8);
    hub.spare.lent_max = 10000;
    HOLDS(tri_session_begin(&session, &hub, server) == TR_OK);
    if (!server)
        call(&session);
    bool goes_on = true;
    if (!(data[0] & 4)) /* From the settings on, of a server. */
        goes_on = tri_session_input(&session, preface + (server ? 0 : 24),
                                    sizeof preface - 1 - (server ? 0 : 24));
    for (size_t at = 1; at < size && goes_on; at += step) {
        size_t n = size - at < step ? size - at : step;
        goes_on = tri_session_input(&session, data + at, n) && drain(&session, steps[data[0] >> 6]);
        while (tri_hub_tell(&hub))
            continue;
        HOLDS(session.stream_count <= limits.streams_max);
        HOLDS(streams <= session.stream_count);
    }
    (void)drain(&session, 1u << 20);
    for (struct tri_stream *stream = session.streams; stream; stream = stream->next)
        tri_stream_pause(stream, false);
    while (tri_hub_tell(&hub))
        continue;
    tri_session_lose(&session, TRI_WIRE_LOST, "the input ends");
    while (tri_hub_tell(&hub))
        continue;
    HOLDS(session.stream_count == 0 && streams == 0 && buffers == 0 && hub.spare.lent == 0);
    tri_hub_fini(&hub);
    return 0;
}
