/*
 * raw.c - the wire against raw TCP in one run: bytes a second one way, and the round trip.
 *   bench_wire [ROUNDS [MS [CERTIFICATE KEY CA]]]       with a certificate also over TLS
 *
 * Both ends are threads of this process, one each, over loopback; rounds are interleaved and the
 * median counts. Columns: what, MB/s, millions of messages a second, processor time of both ends
 * per message (ns) and per byte (s/GB), share of raw TCP's bytes.
 */
#include "base/assert.h"
#include "os/clock.h"
#include "os/park.h"
#include "os/thread.h"
#include "remote/io.h"
#include "remote/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE (64u << 10)
#define SMALL 100u
#define PING 64u
#define ROUNDS_MAX 31

enum what {
    RAW,
    WIRE_LARGE,
    WIRE_SMALL,
    TLS_LARGE,
    TLS_SMALL,
    RAW_TRIP,
    WIRE_TRIP,
    TLS_TRIP,
    KINDS
};
static const char *const names[KINDS] = {"raw TCP, 64 KiB writes",   "wire, 64 KiB messages",
                                         "wire, 100-byte messages",  "wire over TLS, 64 KiB",
                                         "wire over TLS, 100 B",     "raw TCP, round trip of 64 B",
                                         "wire, round trip of 64 B", "wire over TLS, trip"};

struct result {
    double bytes_per_s, messages_per_s, cpu_ns; /* a message */
};

static unsigned round_ms = 300;

static void die(const char *what)
{
    fprintf(stderr, "bench_wire: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- Raw TCP ------------------------------------------------------------- */

static int raw_pair[2];
static size_t raw_bytes;

static void connect_pair(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    raw_pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, size) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&at, &size) != 0 ||
        connect(raw_pair[0], (struct sockaddr *)&at, size) != 0 ||
        (raw_pair[1] = accept(listener, NULL, NULL)) < 0)
        die("raw TCP");
    for (int i = 0; i < 2; i++)
        (void)setsockopt(raw_pair[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)close(listener);
}

static void raw_sink(void *arg)
{
    (void)arg;
    static uint8_t buffer[256u << 10];
    for (ssize_t n; (n = read(raw_pair[1], buffer, sizeof buffer)) > 0;)
        raw_bytes += (size_t)n;
}

static void raw_echo(void *arg)
{
    (void)arg;
    uint8_t buffer[PING];
    for (ssize_t n; (n = read(raw_pair[1], buffer, sizeof buffer)) > 0;) {
        if (write(raw_pair[1], buffer, (size_t)n) != n)
            return;
    }
}

static uint64_t raw_run(bool trip, uint64_t end_ns)
{
    static uint8_t buffer[LARGE];
    struct tri_thread thread;
    uint64_t count = 0;
    connect_pair();
    raw_bytes = 0;
    if (!tri_thread_create(&thread, "peer", trip ? raw_echo : raw_sink, NULL))
        die("thread");
    for (; tri_clock_mono_ns() < end_ns; count++) {
        size_t size = trip ? PING : LARGE;
        if (write(raw_pair[0], buffer, size) != (ssize_t)size)
            die("write");
        if (trip && read(raw_pair[0], buffer, PING) != PING)
            die("read");
    }
    (void)shutdown(raw_pair[0], SHUT_WR);
    tri_thread_join(&thread);
    (void)close(raw_pair[0]);
    (void)close(raw_pair[1]);
    return count;
}

/* ---- The wire ------------------------------------------------------------ */

#define POOL 20000u

struct item {
    struct tri_buffer buffer;
    struct item *next;
};

static uint8_t payload[LARGE];
static struct item items[POOL], *spare;
static struct tri_wire *client_wire;
static struct tri_stream *stream;
static struct tri_park done;
static uint64_t until_ns, sent, received, message_size, in_flight_max;
static bool trips;

static void released(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate;
    struct item *item = TRI_CONTAINER_OF(buffer, struct item, buffer);
    item->next = spare;
    spare = item;
}

static void send_one(void)
{
    struct item *item = spare;
    spare = item->next;
    item->buffer.part[0].at = payload;
    item->buffer.part[0].size = message_size;
    item->buffer.release = released;
    client_wire->send(stream, &item->buffer);
    sent++;
}

static void fill(void)
{
    if (tri_clock_mono_ns() >= until_ns) {
        client_wire->close_send(stream);
        return;
    }
    while (spare && client_wire->queued(stream) < in_flight_max)
        send_one();
}

static void on_opened(void *user, struct tri_stream *opened)
{
    (void)user;
    (void)opened;
    if (trips)
        send_one();
    else
        fill();
}

static void on_writable(void *user, struct tri_stream *writable)
{
    (void)user;
    (void)writable;
    fill();
}

static void on_answer(void *user, struct tri_stream *from, const uint8_t *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
    if (client_wire->now_ns(client_wire->self) >= until_ns)
        client_wire->close_send(from);
    else
        send_one();
}

static void on_closed(void *user, struct tri_stream *closed, int status, const char *text)
{
    (void)user;
    (void)closed;
    if (status != TRI_WIRE_OK) {
        fprintf(stderr, "bench_wire: status %d: %s\n", status, text);
        exit(1);
    }
    tri_park_wake(&done);
}

static const struct tri_wire_events client_events = {.low_mark = 512u << 10,
                                                     .opened = on_opened,
                                                     .message = on_answer,
                                                     .writable = on_writable,
                                                     .closed = on_closed};

struct echo {
    struct tri_buffer buffer;
    uint8_t bytes[PING];
};
static struct tri_wire *server_wire;

static void echo_released(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate;
    free(TRI_CONTAINER_OF(buffer, struct echo, buffer));
}

static void server_message(void *user, struct tri_stream *from, const uint8_t *data, size_t size)
{
    (void)user;
    received++;
    if (!trips)
        return;
    struct echo *echo = malloc(sizeof *echo);
    if (!echo)
        die("malloc");
    memcpy(echo->bytes, data, size);
    echo->buffer = (struct tri_buffer){.release = echo_released};
    echo->buffer.part[0].at = echo->bytes;
    echo->buffer.part[0].size = size;
    server_wire->send(from, &echo->buffer);
}

static void server_ended(void *user, struct tri_stream *from)
{
    (void)user;
    server_wire->end(from, TRI_WIRE_OK, NULL);
}

static void server_closed(void *user, struct tri_stream *closed, int status, const char *text)
{
    (void)user;
    (void)closed;
    (void)status;
    (void)text;
}

static const struct tri_wire_events server_events = {
    .message = server_message, .ended = server_ended, .closed = server_closed};

static const struct tri_wire_events *accept_call(void *self, struct tri_wire *wire,
                                                 struct tri_stream *from, const char *path,
                                                 void **ret_user)
{
    (void)self;
    (void)from;
    (void)path;
    (void)ret_user;
    server_wire = wire;
    return &server_events;
}

struct pair {
    struct tri_io_group *server, *client;
    char address[32];
};

static void open_pair(struct pair *pair, struct tri_tls *tls)
{
    struct tri_io_config config = {.acceptor.accept = accept_call, .tls = tls};
    struct tr_error error;
    uint16_t port;
    if (tri_io_create(&config, &pair->server, &error) != TR_OK ||
        tri_io_create(&config, &pair->client, &error) != TR_OK ||
        tri_io_listen(pair->server, "127.0.0.1:0", &port, &error) != TR_OK) {
        fprintf(stderr, "bench_wire: %s\n", error.text);
        exit(1);
    }
    (void)snprintf(pair->address, sizeof pair->address, "127.0.0.1:%u", port);
}

static void dial_job(struct tri_wire_job *job);
static struct tri_wire_job dialling = {.run = dial_job};
static const char *dial_to;

static void dial_job(struct tri_wire_job *job)
{
    (void)job;
    stream = client_wire->dial(client_wire->self, dial_to, "/bench/Sink", &client_events, NULL);
}

static uint64_t wire_run(struct pair *pair, size_t size, bool trip, uint64_t end_ns)
{
    client_wire = tri_io_wire(pair->client, 0);
    dial_to = pair->address;
    until_ns = end_ns;
    message_size = size;
    in_flight_max = 1u << 20;
    trips = trip;
    sent = received = 0;
    client_wire->post(client_wire->self, &dialling);
    (void)tri_park_wait(&done, -1);
    if (received != sent) {
        fprintf(stderr, "bench_wire: %llu sent, %llu received\n", (unsigned long long)sent,
                (unsigned long long)received);
        exit(1);
    }
    return sent;
}

/* ---- Links that are idle ------------------------------------------------- */

#define IDLE_LINKS 1000u

static uint64_t idle_opened;
static struct tri_stream *idle[IDLE_LINKS];

static size_t resident(void)
{
    unsigned long pages = 0, used = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &pages, &used) != 2) /* NOLINT(cert-err34-c): numbers */
        die("/proc/self/statm");
    (void)fclose(file);
    return used * (size_t)sysconf(_SC_PAGESIZE);
}

/* A link counts when its first message has come back: all that a link ever needs is there. */
static void idle_answer(void *user, struct tri_stream *from, const uint8_t *data, size_t size)
{
    (void)user;
    (void)from;
    (void)data;
    (void)size;
    if (++idle_opened == IDLE_LINKS)
        tri_park_wake(&done);
}

static void idle_open(void *user, struct tri_stream *opened)
{
    (void)user;
    stream = opened;
    send_one();
}

static void idle_closed(void *user, struct tri_stream *closed, int status, const char *text)
{
    (void)user;
    (void)closed;
    (void)status;
    (void)text;
    if (--idle_opened == 0)
        tri_park_wake(&done);
}

static const struct tri_wire_events idle_events = {
    .opened = idle_open, .message = idle_answer, .closed = idle_closed};

static void idle_job(struct tri_wire_job *job)
{
    (void)job;
    for (unsigned i = 0; i < IDLE_LINKS; i++)
        idle[i] = client_wire->dial(client_wire->self, dial_to, "/bench/Sink", &idle_events, NULL);
}

static void idle_end_job(struct tri_wire_job *job)
{
    (void)job;
    for (unsigned i = 0; i < IDLE_LINKS; i++)
        client_wire->end(idle[i], 0, NULL);
}

static void measure_idle(struct pair *pair)
{
    struct tri_wire_job opens = {.run = idle_job}, ends = {.run = idle_end_job};
    client_wire = tri_io_wire(pair->client, 0);
    dial_to = pair->address;
    message_size = PING;
    trips = true;
    size_t before = resident();
    client_wire->post(client_wire->self, &opens);
    (void)tri_park_wait(&done, -1);
    size_t after = resident();
    printf("%-30s %8.1f KiB a link, both ends of %u links\n", "memory of idle links",
           (double)(after > before ? after - before : 0) / 1024 / IDLE_LINKS, IDLE_LINKS);
    client_wire->post(client_wire->self, &ends);
    (void)tri_park_wait(&done, -1);
}

/* ---- Rounds -------------------------------------------------------------- */

static int by_rate(const void *a, const void *b)
{
    double x = ((const struct result *)a)->messages_per_s;
    double y = ((const struct result *)b)->messages_per_s;
    return (x > y) - (x < y);
}

static struct result measure(enum what what, struct pair *plain, struct pair *secure)
{
    static const size_t sizes[KINDS] = {LARGE, LARGE, SMALL, LARGE, SMALL, PING, PING, PING};
    bool trip = what >= RAW_TRIP;
    uint64_t begin = tri_clock_mono_ns(), end = begin + round_ms * 1000000ull, count;
    double cpu = cpu_s();
    if (what == RAW || what == RAW_TRIP)
        count = raw_run(trip, end);
    else
        count = wire_run(what == TLS_LARGE || what == TLS_SMALL || what == TLS_TRIP ? secure
                                                                                    : plain,
                         sizes[what], trip, end);
    double seconds = (double)(tri_clock_mono_ns() - begin) / 1e9;
    return (struct result){(double)(count * sizes[what]) / seconds, (double)count / seconds,
                           (cpu_s() - cpu) * 1e9 / (double)count};
}

int main(int argc, char **argv)
{
    static struct result results[KINDS][ROUNDS_MAX];
    struct pair plain, secure = {0};
    struct tri_tls *tls = NULL;
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    if (argc > 2)
        round_ms = (unsigned)atoi(argv[2]);
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    for (unsigned i = 0; i < POOL; i++)
        released(&items[i].buffer, TRI_BUFFER_UNSENT);
    open_pair(&plain, NULL);
    if (argc > 5) {
        struct tr_error error;
        struct tri_tls_config config = {
            .certificate_file = argv[3], .key_file = argv[4], .ca_file = argv[5], .mutual = true};
        if (tri_tls_create(&config, &tls, &error) != TR_OK) {
            fprintf(stderr, "bench_wire: %s\n", error.text);
            return 1;
        }
        open_pair(&secure, tls);
    }
    for (int round = 0; round < rounds; round++) {
        for (int what = 0; what < KINDS; what++) {
            if (tls || (what != TLS_LARGE && what != TLS_SMALL && what != TLS_TRIP))
                results[what][round] = measure(what, &plain, &secure);
        }
    }
    for (int what = 0; what < KINDS; what++) {
        struct result *all = results[what], *base = results[what >= RAW_TRIP ? RAW_TRIP : RAW];
        qsort(all, (size_t)rounds, sizeof *all, by_rate);
        struct result r = all[rounds / 2];
        if (r.messages_per_s == 0)
            continue;
        if (what >= RAW_TRIP)
            printf("%-30s %8.1f us %35.2f of raw\n", names[what], 1e6 / r.messages_per_s,
                   base[rounds / 2].messages_per_s / r.messages_per_s);
        else
            printf("%-30s %8.0f MB/s %7.3f M/s %8.0f ns %6.2f s/GB  %5.2f of raw\n", names[what],
                   r.bytes_per_s / 1e6, r.messages_per_s / 1e6, r.cpu_ns,
                   r.cpu_ns * r.messages_per_s / r.bytes_per_s,
                   r.bytes_per_s / base[rounds / 2].bytes_per_s);
    }
    measure_idle(&plain);
    tri_io_destroy(plain.client);
    tri_io_destroy(plain.server);
    tri_io_destroy(secure.client);
    tri_io_destroy(secure.server);
    tri_tls_destroy(tls);
    return 0;
}
