/* Links that are long, servers that go, memory that is short. */
#include "wires.h"

#include "base/alloc.h"
#include "remote/session.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A link that is long: all bytes arrive, later ------------------------- */

enum { DELAY_MS = 20, RELAY_CHUNKS = 4096, RELAY_CHUNK = 16384 };

struct way {
    int from, to;
    struct {
        uint64_t due_ns;
        size_t size, sent;
        uint8_t bytes[RELAY_CHUNK];
    } * chunks;
    size_t head, tail;
};

struct relay {
    int listener, to_port;
    struct tri_thread thread;
};

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)port);
    return at;
}

/* Takes what there is, gives what is due; false at the end. */
static bool carry(struct way *way)
{
    while (way->tail - way->head < RELAY_CHUNKS) {
        size_t at = way->tail % RELAY_CHUNKS;
        ssize_t n = recv(way->from, way->chunks[at].bytes, RELAY_CHUNK, MSG_DONTWAIT);
        if (n == 0)
            return false;
        if (n < 0)
            break;
        way->chunks[at].due_ns = tri_clock_mono_ns() + DELAY_MS * 1000000u;
        way->chunks[at].size = (size_t)n;
        way->chunks[at].sent = 0;
        way->tail++;
    }
    while (way->head < way->tail) {
        size_t at = way->head % RELAY_CHUNKS;
        if (way->chunks[at].due_ns > tri_clock_mono_ns())
            break;
        ssize_t n = send(way->to, way->chunks[at].bytes + way->chunks[at].sent,
                         way->chunks[at].size - way->chunks[at].sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            break;
        way->chunks[at].sent += (size_t)n;
        if (way->chunks[at].sent == way->chunks[at].size)
            way->head++;
    }
    return true;
}

static void relay_main(void *arg)
{
    struct relay *relay = arg;
    struct sockaddr_in to = loopback(relay->to_port);
    int in = accept(relay->listener, NULL, NULL), out = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(out, (struct sockaddr *)&to, sizeof to), 0);
    struct way ways[2] = {{.from = in, .to = out}, {.from = out, .to = in}};
    for (int i = 0; i < 2; i++)
        assert_non_null(ways[i].chunks = calloc(RELAY_CHUNKS, sizeof *ways[i].chunks));
    while (carry(&ways[0]) && carry(&ways[1])) {
        struct pollfd polls[2] = {{.fd = in, .events = POLLIN}, {.fd = out, .events = POLLIN}};
        (void)poll(polls, 2, 1);
    }
    for (int i = 0; i < 2; i++)
        free(ways[i].chunks);
    (void)close(in);
    (void)close(out);
}

static void begin_relay(struct relay *relay, char *ret_address, size_t address_size)
{
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    relay->to_port = atoi(strrchr(address, ':') + 1);
    relay->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(relay->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(relay->listener, 1), 0);
    assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(ret_address, address_size, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_true(tri_thread_create(&relay->thread, "relay", relay_main, relay));
}

static int32_t window;

static void look_at_window(struct tri_wire *wire, void *arg)
{
    (void)wire;
    struct end *end = arg;
    window = nghttp2_session_get_stream_effective_local_window_size(end->stream->session->h2,
                                                                    end->stream->id);
}

static void windows_grow_with_the_link(void **state)
{
    (void)state;
    enum { COUNT = 50, SIZE = 200000 };
    char through[64];
    struct relay relay;
    uint8_t *message = calloc(1, SIZE);
    begin_with((struct tri_io_config){.limits.window_max = 5u << 20}, (struct tri_io_config){0});
    begin_relay(&relay, through, sizeof through);
    struct end *end = dial_until_heard(through, "/test/sink");
    do /* until the client has acknowledged it */
        on_wire(accepted[0].wire, look_at_window, &accepted[0]);
    while (window != TRI_WINDOW_FIRST);
    uint64_t until = tri_clock_mono_ns() + 60000000000u;
    for (size_t sent = 1; window < 5 << 20 && tri_clock_mono_ns() < until;) {
        (void)act((struct sending){.end = end, .bytes = message, .size = SIZE, .count = COUNT});
        sent += COUNT;
        tri_mutex_lock(&lock);
        WAIT_UNTIL(accepted[0].messages == sent);
        tri_mutex_unlock(&lock);
        on_wire(accepted[0].wire, look_at_window, &accepted[0]);
    }
    assert_int_equal(window, 5 << 20);
    finish();
    tri_thread_join(&relay.thread);
    (void)close(relay.listener);
    free(message);
}

/* ---- Servers that go ----------------------------------------------------- */

static void a_server_that_refuses_lets_calls_end(void **state)
{
    (void)state;
    begin();
    accepts_like.echoes = true;
    struct end *end = dial_until_answered(address, "/test/echo");
    tri_io_refuse(server);
    struct end *late = dial(1, address, "/test/echo");
    tri_mutex_lock(&lock);
    WAIT_UNTIL(late->closed);
    /* It came before the listener had closed, or after. */
    assert_true(late->status == TRI_WIRE_UNREACHABLE || late->status == TRI_WIRE_LOST ||
                late->status == TRI_WIRE_UNAVAILABLE);
    tri_mutex_unlock(&lock);
    (void)act((struct sending){.end = end, .bytes = "2", .size = 1, .count = 1, .closes = true});
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    assert_int_equal(end->status, TRI_WIRE_OK);
    assert_int_equal(end->messages, 2);
    tri_mutex_unlock(&lock);
    finish();
}

/* A server that says its settings and nothing more. */
static void say_nothing(void *arg)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    const int *listener = arg;
    uint8_t bytes[256];
    int fd = accept(*listener, NULL, NULL);
    assert_int_equal(send(fd, settings, sizeof settings, MSG_NOSIGNAL), sizeof settings);
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        continue;
    (void)close(fd);
}

static void servers_that_answer_no_ping_are_lost(void **state)
{
    (void)state;
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    struct tri_thread thread;
    char to[64];
    begin_with((struct tri_io_config){0},
               (struct tri_io_config){.limits = {.ping_servers_ms = 50, .ping_answer_ms = 100}});
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(to, sizeof to, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_true(tri_thread_create(&thread, "server", say_nothing, &listener));
    struct end *end = dial(0, to, "/test/x");
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    assert_true(end->opened);
    assert_int_equal(end->status, TRI_WIRE_LOST);
    assert_string_equal(end->text, "no answer to a ping within 100 ms");
    tri_mutex_unlock(&lock);
    finish();
    tri_thread_join(&thread);
    (void)close(listener);
}

static bool server_ready, server_may, server_did;

/* A server that says something and breaks off, when it is told to. */
static void break_off(void *arg)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    static const uint8_t acknowledged[] = {0, 0, 0, 4, 1, 0, 0, 0, 0};
    static const uint8_t grant[] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1}; /* wants no answer */
    const struct linger at_once = {.l_onoff = 1};
    const int *listener = arg;
    uint8_t said[2000];
    size_t size = 0;
    int fd = accept(*listener, NULL, NULL);
    assert_int_equal(send(fd, settings, sizeof settings, MSG_NOSIGNAL), sizeof settings);
    while (size < 9 || memcmp(said + size - 9, acknowledged, 9) != 0) {
        ssize_t n = recv(fd, said + size, sizeof said - size, 0);
        assert_true(n > 0);
        size += (size_t)n;
    }
    tri_mutex_lock(&lock);
    server_ready = true;
    tri_cond_broadcast(&happened);
    WAIT_UNTIL(server_may);
    tri_mutex_unlock(&lock);
    assert_int_equal(send(fd, grant, sizeof grant, MSG_NOSIGNAL), sizeof grant);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    (void)close(fd);
    tri_mutex_lock(&lock);
    server_did = true;
    tri_cond_broadcast(&happened);
    tri_mutex_unlock(&lock);
}

/* The wire sees nothing of it before all of it has happened. */
static void let_break_off(struct tri_wire *wire, void *arg)
{
    (void)wire;
    (void)arg;
    tri_mutex_lock(&lock);
    server_may = true;
    tri_cond_broadcast(&happened);
    WAIT_UNTIL(server_did);
    tri_mutex_unlock(&lock);
}

static void a_reset_behind_data_is_seen(void **state)
{
    (void)state;
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    struct tri_thread thread;
    char to[64];
    begin();
    server_ready = server_may = server_did = false;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(to, sizeof to, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_true(tri_thread_create(&thread, "server", break_off, &listener));
    struct end *end = dial(0, to, "/test/x");
    tri_mutex_lock(&lock);
    WAIT_UNTIL(server_ready);
    tri_mutex_unlock(&lock);
    on_wire(end->wire, let_break_off, NULL);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    assert_int_equal(end->status, TRI_WIRE_LOST);
    tri_mutex_unlock(&lock);
    finish();
    tri_thread_join(&thread);
    (void)close(listener);
}

/* A server of two frames: its settings, and a last word. */
static void go_away(void *arg)
{
    static const uint8_t frames[] = {0, 0, 0,  4, 0, 0, 0, 0,  0,                   /* SETTINGS */
                                     0, 0, 12, 7, 0, 0, 0, 0,  0,                   /* GOAWAY */
                                     0, 0, 0,  1, 0, 0, 0, 11, 'e', 'n', 'o', 'u'}; /* calm */
    const int *listener = arg;
    uint8_t greeting[24];
    int fd = accept(*listener, NULL, NULL);
    /* What it has not read would turn its end into a reset, and the last word would be lost. */
    assert_int_equal(recv(fd, greeting, sizeof greeting, MSG_WAITALL), sizeof greeting);
    assert_int_equal(send(fd, frames, sizeof frames, MSG_NOSIGNAL), sizeof frames);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, greeting, sizeof greeting, 0) > 0)
        continue;
    (void)close(fd);
}

static void a_peers_last_words_are_told(void **state)
{
    (void)state;
    struct sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    struct tri_thread thread;
    char to[64];
    begin();
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(to, sizeof to, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_true(tri_thread_create(&thread, "server", go_away, &listener));
    struct end *end = dial(0, to, "/test/x");
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->closed);
    assert_int_equal(end->status, TRI_WIRE_LOST);
    assert_string_equal(end->text, "the peer ended the connection: ENHANCE_YOUR_CALM, enou");
    tri_mutex_unlock(&lock);
    finish();
    tri_thread_join(&thread);
    (void)close(listener);
}

/* ---- Giving up ----------------------------------------------------------- */

static void dial_and_end(struct tri_wire *wire, void *arg)
{
    struct end *end = arg;
    end->wire = wire;
    end->stream = wire->dial(wire->self, address, "/test/echo", &end_events, end);
    assert_non_null(end->stream);
    wire->end(end->stream, TRI_WIRE_CANCELLED, "it has changed its mind");
}

/* The call is over, and forgotten, before its socket is connected. */
static void a_call_that_is_given_up_at_once_is_no_trouble(void **state)
{
    (void)state;
    enum { CALLS = 20 };
    begin();
    accepts_like.echoes = true;
    for (size_t i = 0; i < CALLS; i++) {
        on_wire(tri_io_wire(client, 0), dial_and_end, &dialled[i]);
        tri_mutex_lock(&lock);
        WAIT_UNTIL(dialled[i].closed);
        assert_int_equal(dialled[i].status, TRI_WIRE_ENDED);
        tri_mutex_unlock(&lock);
    }
    struct end *end = dial(CALLS, address, "/test/echo");
    send_bytes(end, "1", 1);
    tri_mutex_lock(&lock);
    WAIT_UNTIL(end->messages == 1);
    tri_mutex_unlock(&lock);
    finish();
}

/* ---- Memory -------------------------------------------------------------- */

static void try_dial(struct tri_wire *wire, void *arg)
{
    struct end *end = arg;
    end->wire = wire;
    end->stream = wire->dial(wire->self, address, "/test/echo", &end_events, end);
    end->closed = end->stream == NULL;
}

/* Each allocation fails once, wherever it is: the call ends, well or not, and nothing is lost. */
static void any_allocation_may_fail(void **state)
{
    (void)state;
    static uint8_t message[100000];
    bool pending = false;
    size_t good = 0, bad = 0;
    for (int64_t n = 0; n < 5000 && !pending; n++) {
        struct end *end = &dialled[0];
        begin();
        accepts_like.echoes = true;
        tri_alloc_fail_after(n);
        on_wire(tri_io_wire(client, 0), try_dial, end);
        if (!end->closed) {
            send_bytes(end, message, sizeof message);
            (void)act(
                (struct sending){.end = end, .bytes = "2", .size = 1, .count = 1, .closes = true});
        }
        tri_mutex_lock(&lock);
        WAIT_UNTIL(end->closed);
        good += end->stream == NULL && end->messages == 2 && end->status == TRI_WIRE_OK;
        bad += end->messages < 2;
        tri_mutex_unlock(&lock);
        pending = tri_alloc_fail_pending();
        tri_alloc_fail_after(-1);
        finish();
    }
    assert_true(pending); /* The last round needed fewer. */
    assert_true(good > 0 && bad > 20);
}

/* Groups come up whole or not at all. */
static void groups_come_up_or_say_why(void **state)
{
    (void)state;
    struct tri_io_config config = {.threads = 3};
    struct tri_io_group *group = NULL;
    struct tr_error error;
    size_t failures = 0;
    for (int64_t n = 0;; n++) {
        tri_alloc_fail_after(n);
        tr_err err = tri_io_create(&config, &group, &error);
        bool pending = tri_alloc_fail_pending();
        tri_alloc_fail_after(-1);
        if (err == TR_OK)
            tri_io_destroy(group);
        if (pending)
            break;
        assert_int_equal(err, TR_ENOMEM);
        failures++;
    }
    assert_true(failures >= 5);
    config.threads = 65;
    assert_int_equal(tri_io_create(&config, &group, &error), TR_EINVAL);
    assert_string_equal(error.text, "65 I/O threads, want at most 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_grow_with_the_link),
        cmocka_unit_test(a_server_that_refuses_lets_calls_end),
        cmocka_unit_test(a_peers_last_words_are_told),
        cmocka_unit_test(a_reset_behind_data_is_seen),
        cmocka_unit_test(servers_that_answer_no_ping_are_lost),
        cmocka_unit_test(groups_come_up_or_say_why),
        cmocka_unit_test(a_call_that_is_given_up_at_once_is_no_trouble),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, wires_set_up, NULL);
}
