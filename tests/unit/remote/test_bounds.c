/* What peers cannot do: a client that writes its own frames, and what becomes of it. */
#include "wires.h"

#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

/* ---- A raw client -------------------------------------------------------- */

struct raw {
    int fd;
    uint8_t in[1 << 20];
    size_t size;
    nghttp2_hd_inflater *inflater;
    bool closed;
    int goaway, reset; /* error codes, or -1 */
    int status;        /* grpc-status, or -1 */
    int http_status;
    char text[256]; /* grpc-message */
    size_t data, headers;
};

static struct raw raw;

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

static bool raw_send(const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = send(raw.fd, (const uint8_t *)bytes + at, size - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static size_t put_frame(uint8_t *to, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                        size_t size)
{
    const uint8_t head[] = {
        (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size,      type,       flags,
        (uint8_t)(id >> 24),   (uint8_t)(id >> 16),  (uint8_t)(id >> 8), (uint8_t)id};
    memcpy(to, head, sizeof head);
    if (size > 0)
        memcpy(to + sizeof head, payload, size);
    return sizeof head + size;
}

static bool raw_frame(uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t size)
{
    static uint8_t frame[70000];
    return raw_send(frame, put_frame(frame, type, flags, id, payload, size));
}

static void raw_connect(bool greets)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (raw.inflater)
        nghttp2_hd_inflate_del(raw.inflater);
    memset(&raw, 0, sizeof raw);
    raw.goaway = raw.reset = raw.status = -1;
    assert_int_equal(nghttp2_hd_inflate_new(&raw.inflater), 0);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    raw.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(raw.fd, (struct sockaddr *)&to, sizeof to), 0);
    if (greets)
        assert_true(raw_send(preface, sizeof preface - 1));
}

static size_t put_header(uint8_t *to, const char *name, const char *value)
{
    size_t name_size = strlen(name), value_size = strlen(value);
    to[0] = 0;
    to[1] = (uint8_t)name_size;
    memcpy(to + 2, name, name_size);
    to[2 + name_size] = (uint8_t)value_size;
    memcpy(to + 3 + name_size, value, value_size);
    return 3 + name_size + value_size;
}

static size_t request(uint8_t *to, const char *path, const char *encoding)
{
    size_t size = 2;
    to[0] = 0x83; /* :method POST */
    to[1] = 0x86; /* :scheme http */
    size += put_header(to + size, ":authority", "server");
    size += put_header(to + size, ":path", path);
    size += put_header(to + size, "content-type", "application/grpc");
    size += put_header(to + size, "te", "trailers");
    if (encoding)
        size += put_header(to + size, "grpc-encoding", encoding);
    return size;
}

static void raw_call(uint32_t id, const char *path, const char *encoding)
{
    uint8_t headers[512];
    assert_true(raw_frame(1, 4, id, headers, request(headers, path, encoding)));
}

static void raw_message(uint32_t id, bool compressed, const void *bytes, size_t size, bool ends)
{
    static uint8_t message[20000];
    message[0] = compressed;
    message[1] = message[2] = 0;
    message[3] = (uint8_t)(size >> 8);
    message[4] = (uint8_t)size;
    memcpy(message + 5, bytes, size);
    assert_true(raw_frame(0, ends, id, message, size + 5));
}

/* The server may send as much as HTTP/2 allows at all. */
static void grant_window(void)
{
    static const uint8_t settings[] = {0, 4, 0x7F, 0xFF, 0xFF, 0xFF}, more[] = {0x7F, 0, 0, 0};
    assert_true(raw_frame(4, 0, 0, settings, sizeof settings));
    assert_true(raw_frame(8, 0, 0, more, sizeof more));
}

static void take_headers(const uint8_t *at, size_t size)
{
    raw.headers++;
    for (;;) {
        nghttp2_nv header;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(raw.inflater, &header, &flags, at, size, 1);
        assert_true(n >= 0);
        at += n;
        size -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            char value[256];
            (void)snprintf(value, sizeof value, "%.*s", (int)header.valuelen, header.value);
            if (header.namelen == 11 && memcmp(header.name, "grpc-status", 11) == 0)
                raw.status = atoi(value);
            if (header.namelen == 7 && memcmp(header.name, ":status", 7) == 0)
                raw.http_status = atoi(value);
            if (header.namelen == 12 && memcmp(header.name, "grpc-message", 12) == 0)
                memcpy(raw.text, value, sizeof value);
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            (void)nghttp2_hd_inflate_end_headers(raw.inflater);
            return;
        }
    }
}

static uint32_t number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void take_frames(void)
{
    size_t at = 0;
    while (raw.size - at >= 9) {
        const uint8_t *head = raw.in + at, *payload = head + 9;
        size_t size = number(head) >> 8;
        if (raw.size - at < 9 + size)
            break;
        at += 9 + size;
        if (head[3] == 0)
            raw.data += size;
        else if (head[3] == 1)
            take_headers(payload, size);
        else if (head[3] == 3)
            raw.reset = (int)number(payload);
        else if (head[3] == 7)
            raw.goaway = (int)number(payload + 4);
    }
    memmove(raw.in, raw.in + at, raw.size - at);
    raw.size -= at;
}

static bool raw_read(int timeout_ms)
{
    struct pollfd poll_fd = {.fd = raw.fd, .events = POLLIN};
    if (raw.closed || poll(&poll_fd, 1, timeout_ms) <= 0)
        return false;
    ssize_t n = recv(raw.fd, raw.in + raw.size, sizeof raw.in - raw.size, 0);
    raw.closed = n <= 0;
    raw.size += n > 0 ? (size_t)n : 0;
    take_frames();
    return !raw.closed;
}

#define RAW_UNTIL(condition)                                                                    \
    do {                                                                                        \
        while (!(condition)) {                                                                  \
            if (!raw_read(20000) && !(condition))                                               \
                fail_msg("%s:%d: does not come: %s (goaway %d, reset %d, status %d)", __FILE__, \
                         __LINE__, #condition, raw.goaway, raw.reset, raw.status);              \
        }                                                                                       \
    } while (0)

static void raw_close(void)
{
    (void)close(raw.fd);
}

/* Another client of the same server is served. */
static void others_go_on(void)
{
    struct end *end = &dialled[ENDS_MAX - 1];
    memset(end, 0, sizeof *end);
    accepts_like.echoes = true;
    (void)dial(ENDS_MAX - 1, address, "/test/echo");
    (void)act((struct sending){.end = end, .bytes = "x", .size = 1, .count = 1, .closes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    assert_int_equal(end->messages, 1);
    tri_mutex_unlock(&lock);
}

/* ---- Connections --------------------------------------------------------- */

static void connections_are_counted(void **state)
{
    (void)state;
    struct tri_io_counters counters;
    begin_with((struct tri_io_config){.limits.per_address_max = 2}, (struct tri_io_config){0});
    int first, second;
    raw_connect(true);
    first = raw.fd;
    raw_connect(true);
    second = raw.fd;
    raw_connect(true);
    RAW_UNTIL(raw.closed);
    raw_close();
    tri_io_counters(server, &counters);
    assert_int_equal(counters.refused, 1);
    assert_int_equal(counters.connections, 2);
    (void)close(first);
    do
        tri_io_counters(server, &counters);
    while (counters.connections > 1);
    others_go_on();
    (void)close(second);
    finish();
}

static void slow_handshakes_end(void **state)
{
    (void)state;
    begin_with((struct tri_io_config){.limits.handshake_ms = 1000}, (struct tri_io_config){0});
    raw_connect(false);
    RAW_UNTIL(raw.closed);
    raw_close();
    raw_connect(false);
    assert_true(raw_send(preface, 20));
    RAW_UNTIL(raw.closed);
    raw_close();
    others_go_on();
    finish();
}

static void idle_connections_end(void **state)
{
    (void)state;
    begin_with((struct tri_io_config){.limits.idle_ms = 1000}, (struct tri_io_config){0});
    struct end *end = dial(0, address, "/test/sink");
    raw_connect(true);
    RAW_UNTIL(raw.closed);
    assert_int_equal(raw.goaway, 0);
    raw_close();
    tri_mutex_lock(&lock);
    assert_false(end->closed); /* It has a call. */
    tri_mutex_unlock(&lock);
    finish();
}

static void peers_that_read_nothing_are_lost(void **state)
{
    (void)state;
    enum { COUNT = 100, SIZE = 200000 };
    uint8_t *message = calloc(1, SIZE);
    begin_with((struct tri_io_config){.limits.stalled_ms = 200}, (struct tri_io_config){0});
    raw_connect(true);
    grant_window();
    raw_call(1, "/test/sink", NULL);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted_count == 1);
    tri_mutex_unlock(&lock);
    (void)act(
        (struct sending){.end = &accepted[0], .bytes = message, .size = SIZE, .count = COUNT});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted[0].closed);
    assert_int_equal(accepted[0].status, TRI_WIRE_LOST);
    assert_int_equal(written + unsent, COUNT);
    assert_true(unsent > 0);
    tri_mutex_unlock(&lock);
    raw_close();
    free(message);
    finish();
}

static void clients_that_answer_no_ping_are_lost(void **state)
{
    (void)state;
    begin_with((struct tri_io_config){.limits = {.ping_clients_ms = 50, .ping_answer_ms = 1500}},
               (struct tri_io_config){0});
    struct end *end = dial(0, address, "/test/sink"); /* answers, so it stays */
    raw_connect(true);
    raw_call(1, "/test/sink", NULL);
    RAW_UNTIL(raw.closed);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted[0].closed || accepted[1].closed);
    struct end *lost = accepted[0].closed ? &accepted[0] : &accepted[1];
    assert_int_equal(lost->status, TRI_WIRE_LOST);
    assert_string_equal(lost->text, "no answer to a ping within 1500 ms");
    assert_false(end->closed);
    tri_mutex_unlock(&lock);
    raw_close();
    finish();
}

/* ---- Floods -------------------------------------------------------------- */

/* The same frame over and over, until the server has had enough. */
static void flood(uint8_t type, uint32_t id, const void *payload, size_t size)
{
    static uint8_t many[1 << 16];
    size_t filled = 0;
    while (filled + 9 + size <= sizeof many)
        filled += put_frame(many + filled, type, 0, id, payload, size);
    for (int i = 0; i < 1000 && raw_send(many, filled); i++) {
        while (raw_read(0))
            continue;
        if (raw.closed || raw.goaway >= 0)
            break;
    }
    RAW_UNTIL(raw.closed);
    raw_close();
    others_go_on();
}

static void floods_end_the_connection(void **state)
{
    (void)state;
    static const uint8_t zeros[8] = {0}, priority[5] = {0, 0, 0, 0, 1};
    begin();
    raw_connect(true);
    flood(6, 0, zeros, 8); /* PING */
    raw_connect(true);
    flood(4, 0, zeros, 0); /* SETTINGS */
    raw_connect(true);
    flood(2, 3, priority, 5); /* PRIORITY */
    raw_connect(true);
    raw_call(1, "/test/sink", NULL);
    flood(0, 1, zeros, 0); /* DATA without data */
    finish();
}

static void rapid_resets_end_the_connection(void **state)
{
    (void)state;
    static const uint8_t cancel[] = {0, 0, 0, 8};
    uint8_t headers[512];
    begin();
    raw_connect(true);
    size_t size = request(headers, "/nobody/Knows", NULL);
    for (uint32_t id = 1; id < 200000 && raw.goaway < 0; id += 2) {
        if (!raw_frame(1, 4, id, headers, size) || !raw_frame(3, 0, id, cancel, sizeof cancel))
            break;
        (void)raw_read(0);
    }
    RAW_UNTIL(raw.closed);
    raw_close();
    others_go_on();
    finish();
}

static void streams_are_limited(void **state)
{
    (void)state;
    begin_with((struct tri_io_config){.limits.streams_max = 3}, (struct tri_io_config){0});
    raw_connect(true);
    RAW_UNTIL(raw.size > 0 || raw_read(100) || true);
    assert_true(raw_frame(4, 1, 0, NULL, 0)); /* the settings' acknowledgement */
    for (uint32_t id = 1; id <= 7; id += 2)
        raw_call(id, "/test/sink", NULL);
    RAW_UNTIL(raw.reset >= 0 || raw.goaway >= 0);
    tri_mutex_lock(&lock);
    assert_int_equal(accepted_count, 3);
    tri_mutex_unlock(&lock);
    raw_close();
    others_go_on();
    finish();
}

static void header_lists_are_limited(void **state)
{
    (void)state;
    begin_with((struct tri_io_config){.limits.headers_max = 600}, (struct tri_io_config){0});
    uint8_t headers[2048], more[201];
    raw_connect(true);
    size_t size = request(headers, "/test/sink", NULL);
    memset(more, 'y', 200);
    more[200] = '\0';
    for (int i = 0; i < 3; i++)
        size += put_header(headers + size, "x", (char *)more + 100);
    assert_true(raw_frame(1, 4, 1, headers, size));
    RAW_UNTIL(raw.reset >= 0);
    raw_call(3, "/test/sink", NULL); /* The connection goes on. */
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted_count == 1);
    tri_mutex_unlock(&lock);
    raw_close();
    finish();
}

/* ---- Messages ------------------------------------------------------------ */

static size_t gzip(const void *from, size_t from_size, uint8_t *to, size_t to_size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)from;
    z.avail_in = (uInt)from_size;
    z.next_out = to;
    z.avail_out = (uInt)to_size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&z);
    return to_size - z.avail_out;
}

static void call_ends(const char *encoding, bool compressed, const void *bytes, size_t size,
                      int status, const char *text)
{
    accepts_like.echoes = true;
    raw_connect(true);
    grant_window();
    raw_call(1, "/test/echo", encoding);
    raw_message(1, compressed, bytes, size, true);
    RAW_UNTIL(raw.status >= 0);
    assert_int_equal(raw.status, status);
    assert_string_equal(raw.text, text);
    raw_close();
}

static void compressed_messages_are_unpacked_within_bounds(void **state)
{
    (void)state;
    static uint8_t bomb[10000000], packed[20000];
    begin_with((struct tri_io_config){.limits.message_max = 100000}, (struct tri_io_config){0});
    size_t size = gzip("a message, a message", 20, packed, sizeof packed);
    call_ends("gzip", true, packed, size, TRI_WIRE_OK, "");
    tri_mutex_lock(&lock);
    assert_memory_equal(accepted[0].last, "a message, a message", 20);
    assert_int_equal(accepted[0].bytes, 20);
    tri_mutex_unlock(&lock);
    char text[64];
    (void)snprintf(text, sizeof text, "a message of %zu bytes is no gzip", size - 1);
    call_ends("gzip", true, packed, size - 1, TRI_WIRE_INTERNAL, text);
    call_ends("gzip", true, "nonsense", 8, TRI_WIRE_INTERNAL, "a message of 8 bytes is no gzip");
    call_ends("gzip", false, "plain", 5, TRI_WIRE_OK, "");
    call_ends(NULL, true, packed, size, TRI_WIRE_INTERNAL,
              "a message is compressed, but grpc-encoding does not say how");
    call_ends("br", true, packed, size, TRI_WIRE_UNIMPLEMENTED,
              "grpc-encoding is not known here: want identity or gzip");
    size = gzip(bomb, 100000, packed, sizeof packed);
    call_ends("gzip", true, packed, size, TRI_WIRE_OK, "");
    size = gzip(bomb, 100001, packed, sizeof packed);
    call_ends("gzip", true, packed, size, TRI_WIRE_RESOURCE_EXHAUSTED,
              "a message unpacks to more than 100000 bytes");
    size = gzip(bomb, sizeof bomb, packed, sizeof packed);
    call_ends("gzip", true, packed, size, TRI_WIRE_RESOURCE_EXHAUSTED,
              "a message unpacks to more than 100000 bytes");
    finish();
}

static void broken_messages_end_their_call_only(void **state)
{
    (void)state;
    begin();
    raw_connect(true);
    raw_call(1, "/test/sink", NULL);
    raw_call(3, "/test/sink", NULL);
    assert_true(raw_frame(0, 0, 1, "\x02\0\0\0\0", 5));
    RAW_UNTIL(raw.status >= 0);
    assert_int_equal(raw.status, TRI_WIRE_INTERNAL);
    assert_string_equal(raw.text, "a message begins with byte 2, want 0 or 1");
    raw.status = -1;
    raw_call(5, "/test/sink", NULL);
    assert_true(raw_frame(0, 1, 5, "\0\0\0\0\x09x", 6));
    RAW_UNTIL(raw.status >= 0);
    assert_string_equal(raw.text, "the peer ended within a message");
    raw_message(3, false, "fine", 4, false);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted_count == 3 && accepted[1].messages == 1);
    tri_mutex_unlock(&lock);
    raw_close();
    finish();
}

/* Many messages that never end: none is too large by itself. */
static void what_is_under_way_is_limited_in_all(void **state)
{
    (void)state;
    static uint8_t begun[16000] = {0, 0, 1, 0x80, 0}; /* the beginning of 98,304 bytes */
    begin_with((struct tri_io_config){.limits = {.message_max = 100000, .held_max = 200000}},
               (struct tri_io_config){0});
    raw_connect(true);
    for (uint32_t id = 1; id <= 9; id += 2) {
        raw_call(id, "/test/sink", NULL);
        assert_true(raw_frame(0, 0, id, begun, sizeof begun));
    }
    RAW_UNTIL(raw.status >= 0);
    assert_int_equal(raw.status, TRI_WIRE_RESOURCE_EXHAUSTED);
    assert_string_equal(raw.text, "no room for a message of 98304 bytes: too much is under way");
    raw_close(); /* All that is given back. */
    others_go_on();
    struct end *end = dial(0, address, "/test/sink");
    uint8_t *message = calloc(1, 100000);
    send_bytes(end, message, 100000);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(accepted[accepted_count - 1].bytes == 100000);
    tri_mutex_unlock(&lock);
    free(message);
    finish();
}

static void what_is_no_grpc_is_answered_in_http(void **state)
{
    (void)state;
    static const uint8_t get[] = {0x82, 0x86, 0x84, 0x41, 1, 'a'};
    begin();
    raw_connect(true);
    assert_true(raw_frame(1, 5, 1, get, sizeof get));
    RAW_UNTIL(raw.data > 0);
    assert_int_equal(raw.http_status, 405);
    raw_close();
    raw_connect(false);
    assert_true(raw_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27));
    RAW_UNTIL(raw.closed);
    raw_close();
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_counted),
        cmocka_unit_test(slow_handshakes_end),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(peers_that_read_nothing_are_lost),
        cmocka_unit_test(clients_that_answer_no_ping_are_lost),
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(rapid_resets_end_the_connection),
        cmocka_unit_test(streams_are_limited),
        cmocka_unit_test(header_lists_are_limited),
        cmocka_unit_test(compressed_messages_are_unpacked_within_bounds),
        cmocka_unit_test(broken_messages_end_their_call_only),
        cmocka_unit_test(what_is_under_way_is_limited_in_all),
        cmocka_unit_test(what_is_no_grpc_is_answered_in_http),
    };
    int rv = cmocka_run_group_tests(tests, wires_set_up, NULL);
    if (raw.inflater)
        nghttp2_hd_inflate_del(raw.inflater);
    return rv;
}
