/* group.c - the I/O threads of one node, and its listening socket. */
#define _GNU_SOURCE
#include "remote/loop.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "remote/gate.h"
#include "remote/services.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64u
#define BACKLOG 1024
/* Accepted in one go, before connections get their turn. */
#define ACCEPTS_MAX 64
/* Without descriptors or memory, new connections wait in the kernel for so long. */
#define ACCEPT_PAUSE_NS 100000000u

struct tri_io_group {
    struct tri_io_config config;
    struct tri_io_limits limits;
    struct tri_gate gate;
    TRI_ATOMIC(bool) serving;
    struct tri_loop *loops;
    unsigned count, started;
    /* The listening socket, of loop 0. */
    int listener;
    bool listening;
    unsigned next; /* loop to get the next connection */
    uv_poll_t poll;
    struct tri_wire_timer pause;
    struct tri_wire_job listen;
};

/* A job for each loop. */
struct notice {
    struct tri_wire_job job;
    struct tri_loop *loop;
};

struct arrival {
    struct tri_wire_job job;
    struct tri_loop *loop;
    int fd;
    struct tri_address from;
};

/* ---- Listening ----------------------------------------------------------- */

static void arrive(struct tri_wire_job *job)
{
    struct arrival *arrival = TRI_CONTAINER_OF(job, struct arrival, job);
    tri_conn_accepted(arrival->loop, arrival->fd, &arrival->from);
    tri_free(arrival);
}

static void deal(struct tri_io_group *group, int fd, const struct tri_address *from)
{
    struct tri_loop *loop = &group->loops[group->next++ % group->count];
    if (loop->number == 0) {
        tri_conn_accepted(loop, fd, from);
        return;
    }
    struct arrival *arrival = tri_malloc(sizeof *arrival);
    if (!arrival) {
        (void)close(fd);
        tri_gate_leave(&group->gate, from);
        return;
    }
    *arrival = (struct arrival){.job.run = arrive, .loop = loop, .fd = fd, .from = *from};
    loop->wire.post(loop->wire.self, &arrival->job);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct tri_io_group *group = poll->data;
    struct tri_loop *loop = &group->loops[0];
    if (status < 0) /* libuv has stopped polling. */
        tri_loop_timer(loop, &group->pause, tri_loop_now_ns(loop) + ACCEPT_PAUSE_NS);
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct tri_address from = {.size = sizeof from.at};
        int fd = accept4(group->listener, (struct sockaddr *)&from.at, &from.size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            (void)uv_poll_stop(&group->poll);
            tri_loop_timer(loop, &group->pause, tri_loop_now_ns(loop) + ACCEPT_PAUSE_NS);
        }
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd < 0)
            return;
        if (!tri_gate_enter(&group->gate, &from)) {
            tri_count(&loop->hub.counters.refused, 1);
            (void)close(fd);
            continue;
        }
        deal(group, fd, &from);
    }
}

static void pause_over(struct tri_wire_timer *timer)
{
    struct tri_io_group *group = TRI_CONTAINER_OF(timer, struct tri_io_group, pause);
    if (group->listening)
        (void)uv_poll_start(&group->poll, UV_READABLE, on_connection);
}

static void begin_listening(struct tri_wire_job *job)
{
    struct tri_io_group *group = TRI_CONTAINER_OF(job, struct tri_io_group, listen);
    struct tri_loop *loop = &group->loops[0];
    if (loop->stopping || uv_poll_init(&loop->uv, &group->poll, group->listener) != 0)
        return;
    group->poll.data = group;
    group->listening = true;
    group->pause.fire = pause_over;
    (void)uv_poll_start(&group->poll, UV_READABLE, on_connection);
}

static void not_listening(uv_handle_t *handle)
{
    (void)handle;
}

/* On loop 0. */
static void end_listening(struct tri_io_group *group)
{
    if (!group->listening)
        return;
    group->listening = false;
    tri_loop_timer(&group->loops[0], &group->pause, 0);
    uv_close((uv_handle_t *)&group->poll, not_listening);
    (void)close(group->listener);
    group->listener = -1;
}

static tr_err bind_to(struct tri_address *address, const char *text, int *ret_fd,
                      struct tr_error *error)
{
    int on = 1, off = 0;
    int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return tri_error_set(error, TR_EIO, errno, "no socket for '%s'", text);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->at.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    address->size = address->at.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                      : sizeof(struct sockaddr_in);
    if (bind(fd, (struct sockaddr *)&address->at, address->size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address->at, &address->size) != 0) {
        int os = errno;
        (void)close(fd);
        return tri_error_set(error, TR_EIO, os, "cannot listen on '%s'", text);
    }
    *ret_fd = fd;
    return TR_OK;
}

tr_err tri_io_listen(struct tri_io_group *group, const char *address, uint16_t *ret_port,
                     struct tr_error *error)
{
    char host[TRI_HOST_SIZE], port[TRI_PORT_SIZE];
    struct tri_address at;
    TRI_ASSERT(group->listener < 0);
    if (!tri_address_split(address, host, port))
        return tri_error_set(error, TR_EINVAL, 0, "'%s' is no address to listen on: want host:port",
                             address);
    if (!tri_address_numeric(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &at))
        return tri_error_set(error, TR_EINVAL, 0,
                             "'%s' is no address to listen on: want digits for the host", address);
    if (!group->config.tls && !group->config.plaintext_anywhere && !tri_address_loopback(&at))
        return tri_error_set(error, TR_EDENIED, 0,
                             "'%s' is not loopback, and there is no TLS: give certificates, or "
                             "allow plaintext",
                             address);
    tr_err err = bind_to(&at, address, &group->listener, error);
    if (err != TR_OK && host[0] == '\0') { /* A machine without IPv6. */
        (void)tri_address_numeric("0.0.0.0", port, &at);
        err = bind_to(&at, address, &group->listener, error);
    }
    if (err != TR_OK)
        return err;
    *ret_port = tri_address_port(&at);
    group->listen.run = begin_listening;
    struct tri_wire *wire = &group->loops[0].wire;
    wire->post(wire->self, &group->listen);
    return TR_OK;
}

/* ---- Notices to all threads ---------------------------------------------- */

static void notify(struct tri_io_group *group, void (*run)(struct tri_wire_job *job))
{
    for (unsigned i = 0; i < group->started; i++) {
        struct tri_loop *loop = &group->loops[i];
        struct notice *notice = tri_malloc(sizeof *notice);
        if (!notice)
            continue; /* Who watches the health is told late; who calls, on time. */
        *notice = (struct notice){.job.run = run, .loop = loop};
        loop->wire.post(loop->wire.self, &notice->job);
    }
}

static struct tri_loop *noticed(struct tri_wire_job *job)
{
    struct notice *notice = TRI_CONTAINER_OF(job, struct notice, job);
    struct tri_loop *loop = notice->loop;
    tri_free(notice);
    return loop;
}

static void health_changed(struct tri_wire_job *job)
{
    tri_services_health_changed(&noticed(job)->hub);
}

void tri_io_set_serving(struct tri_io_group *group, bool serving)
{
    /* Relaxed: the jobs that follow carry it to the threads. */
    tri_store(&group->serving, serving, TRI_RELAXED);
    notify(group, health_changed);
}

static void refuse(struct tri_wire_job *job)
{
    struct tri_loop *loop = noticed(job);
    loop->refusing = true;
    if (loop->number == 0)
        end_listening(loop->group);
    for (struct tri_conn *conn = loop->conns; conn; conn = conn->next) {
        if (conn->session.server && conn->state == TRI_CONN_OPEN)
            tri_session_refuse(&conn->session);
    }
}

void tri_io_refuse(struct tri_io_group *group)
{
    notify(group, refuse);
}

/* ---- Groups -------------------------------------------------------------- */

static void thread_main(void *arg)
{
    struct tri_loop *loop = arg;
    const struct tri_io_config *config = &loop->group->config;
    if (config->thread_begins)
        config->thread_begins(config->self, loop->number, &loop->wire);
    tri_loop_run(loop);
    if (config->thread_ends)
        config->thread_ends(config->self, loop->number);
}

static void stop(struct tri_wire_job *job)
{
    struct tri_loop *loop = TRI_CONTAINER_OF(job, struct tri_loop, stop);
    if (loop->number == 0)
        end_listening(loop->group);
    tri_loop_stop(loop);
}

static void set_defaults(struct tri_io_limits *limits)
{
#define DEFAULT(field, value) limits->field = limits->field ? limits->field : (value)
    DEFAULT(message_max, TRI_IO_MESSAGE_MAX);
    DEFAULT(held_max, TRI_IO_HELD_MAX);
    DEFAULT(headers_max, TRI_IO_HEADERS_MAX);
    DEFAULT(window_max, TRI_IO_WINDOW_MAX);
    DEFAULT(streams_max, TRI_IO_STREAMS_MAX);
    DEFAULT(connections_max, TRI_IO_CONNECTIONS_MAX);
    DEFAULT(per_address_max, TRI_IO_PER_ADDRESS_MAX);
    DEFAULT(handshake_ms, TRI_IO_HANDSHAKE_MS);
    DEFAULT(idle_ms, TRI_IO_IDLE_MS);
    DEFAULT(stalled_ms, TRI_IO_STALLED_MS);
    DEFAULT(ping_clients_ms, TRI_IO_PING_CLIENTS_MS);
    DEFAULT(ping_servers_ms, TRI_IO_PING_SERVERS_MS);
    DEFAULT(ping_answer_ms, TRI_IO_PING_ANSWER_MS);
#undef DEFAULT
    if (limits->held_max < limits->message_max)
        limits->held_max = limits->message_max;
}

static tr_err start(struct tri_io_group *group, unsigned number, struct tr_error *error)
{
    struct tri_loop *loop = &group->loops[number];
    loop->group = group;
    loop->number = number;
    loop->hub.limits = &group->limits;
    loop->hub.spare.lent_max = group->limits.held_max;
    loop->hub.acceptor = &group->config.acceptor;
    loop->hub.tls = group->config.tls;
    loop->hub.gate = &group->gate;
    loop->hub.serving = &group->serving;
    tr_err err = tri_loop_init(loop, error);
    if (err != TR_OK)
        return err;
    char name[TRI_THREAD_NAME_MAX + 1];
    (void)snprintf(name, sizeof name, "troupe-io-%u", number % THREADS_MAX);
    if (!tri_thread_create(&loop->thread, name, thread_main, loop)) {
        /* Nothing runs it any more: closes the handles by one turn. */
        loop->stopping = true;
        tri_loop_run(loop);
        tri_loop_fini(loop);
        return tri_error_set(error, TR_EIO, 0, "no thread for I/O");
    }
    group->started++;
    return TR_OK;
}

tr_err tri_io_create(const struct tri_io_config *config, struct tri_io_group **ret_group,
                     struct tr_error *error)
{
    unsigned count = config->threads ? config->threads : 1;
    if (count > THREADS_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "%u I/O threads, want at most %u", count,
                             THREADS_MAX);
    struct tri_io_group *group = tri_calloc(1, sizeof *group);
    if (group)
        group->loops = tri_calloc(count, sizeof *group->loops);
    if (!group || !group->loops) {
        tri_free(group);
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for %u I/O threads", count);
    }
    group->config = *config;
    group->limits = config->limits;
    set_defaults(&group->limits);
    group->count = count;
    group->listener = -1;
    tri_gate_init(&group->gate, group->limits.connections_max, group->limits.per_address_max);
    for (unsigned i = 0; i < count; i++) {
        tr_err err = start(group, i, error);
        if (err != TR_OK) {
            tri_io_destroy(group);
            return err;
        }
    }
    *ret_group = group;
    return TR_OK;
}

struct tri_wire *tri_io_wire(struct tri_io_group *group, unsigned number)
{
    TRI_ASSERT(number < group->count);
    return &group->loops[number].wire;
}

void tri_io_destroy(struct tri_io_group *group)
{
    if (!group)
        return;
    for (unsigned i = 0; i < group->started; i++) {
        struct tri_loop *loop = &group->loops[i];
        loop->stop.run = stop;
        loop->wire.post(loop->wire.self, &loop->stop);
    }
    /* Loop 0 first: it deals out connections to the others, whose arrivals run in their threads or,
     * after those have ended, below. */
    for (unsigned i = 0; i < group->started; i++)
        tri_thread_join(&group->loops[i].thread);
    for (unsigned i = 0; i < group->started; i++)
        tri_loop_run(&group->loops[i]);
    for (unsigned i = 0; i < group->started; i++)
        tri_loop_fini(&group->loops[i]);
    if (group->listener >= 0)
        (void)close(group->listener);
    tri_gate_fini(&group->gate);
    tri_free(group->loops);
    tri_free(group);
}

void tri_io_counters(const struct tri_io_group *group, struct tri_io_counters *ret_counters)
{
    struct tri_io_counters sum = {0};
    for (unsigned i = 0; i < group->started; i++) {
        const struct tri_hub_counters *from = &group->loops[i].hub.counters;
        /* Relaxed: for information. */
        sum.bytes_in += tri_load(&from->bytes_in, TRI_RELAXED);
        sum.bytes_out += tri_load(&from->bytes_out, TRI_RELAXED);
        sum.messages_in += tri_load(&from->messages_in, TRI_RELAXED);
        sum.messages_out += tri_load(&from->messages_out, TRI_RELAXED);
        sum.reads += tri_load(&from->reads, TRI_RELAXED);
        sum.writes += tri_load(&from->writes, TRI_RELAXED);
        sum.accepted += tri_load(&from->accepted, TRI_RELAXED);
        sum.dialled += tri_load(&from->dialled, TRI_RELAXED);
        sum.refused += tri_load(&from->refused, TRI_RELAXED);
    }
    sum.connections = tri_gate_connections((struct tri_gate *)&group->gate);
    *ret_counters = sum;
}
