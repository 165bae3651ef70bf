/* conn.c - a connection: its socket, and how it comes to its end. */
#include "remote/loop.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "remote/gate.h"
#include "remote/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Writes of one connection in a turn, so that a busy one does not hold up the others. It reads once:
 * what is left is told again by the next poll. */
#define WRITES_MAX 2
#define LINGER_NS 1000000000u
/* ---- Life ---------------------------------------------------------------- */

void tri_conn_changed(struct tri_session *session)
{
    struct tri_conn *conn = TRI_CONTAINER_OF(session, struct tri_conn, session);
    struct tri_loop *loop = conn->loop;
    if (conn->dirty)
        return;
    conn->dirty = true;
    conn->next_dirty = NULL;
    if (loop->dirty_last)
        loop->dirty_last->next_dirty = conn;
    else
        loop->dirty_first = conn;
    loop->dirty_last = conn;
}

static void enter(struct tri_conn *conn, enum tri_conn_state state)
{
    conn->state = state;
    conn->began_ns = conn->progress_ns = tri_loop_now_ns(conn->loop);
}

static uint64_t step_ns(const struct tri_io_limits *limits)
{
    uint32_t ms = limits->handshake_ms;
    ms = limits->idle_ms < ms ? limits->idle_ms : ms;
    ms = limits->stalled_ms < ms ? limits->stalled_ms : ms;
    ms = limits->ping_clients_ms < ms ? limits->ping_clients_ms : ms;
    ms = limits->ping_servers_ms < ms ? limits->ping_servers_ms : ms;
    ms = limits->ping_answer_ms < ms ? limits->ping_answer_ms : ms;
    return (uint64_t)(ms < 40 ? 10 : ms / 4) * 1000000u;
}

/* True when `ms` have passed since `since_ns`. */
static bool passed(uint64_t now_ns, uint64_t since_ns, uint32_t ms)
{
    return now_ns - since_ns >= (uint64_t)ms * 1000000u;
}

static void watch_open(struct tri_conn *conn, uint64_t now)
{
    const struct tri_io_limits *limits = conn->loop->hub.limits;
    struct tri_session *session = &conn->session;
    uint32_t every = session->server ? limits->ping_clients_ms : limits->ping_servers_ms;
    if (!session->settled && passed(now, conn->began_ns, limits->handshake_ms))
        tri_conn_lose(conn, session->server ? TRI_WIRE_LOST : TRI_WIRE_UNREACHABLE,
                      "no HTTP/2 settings within %u ms", limits->handshake_ms);
    else if (conn->blocked && passed(now, conn->progress_ns, limits->stalled_ms))
        tri_conn_lose(conn, TRI_WIRE_LOST, "the peer has taken nothing for %u ms",
                      limits->stalled_ms);
    else if (session->pinged && passed(now, session->pinged_ns, limits->ping_answer_ms))
        tri_conn_lose(conn, TRI_WIRE_LOST, "no answer to a ping within %u ms",
                      limits->ping_answer_ms);
    else if (!session->pinged && session->stream_count > 0 && passed(now, session->heard_ns, every))
        tri_session_ping(session);
    else if (session->server && conn->idle_ns != 0 && passed(now, conn->idle_ns, limits->idle_ms))
        tri_session_refuse(session);
}

static void on_timer(struct tri_wire_timer *timer)
{
    struct tri_conn *conn = TRI_CONTAINER_OF(timer, struct tri_conn, timer);
    const struct tri_io_limits *limits = conn->loop->hub.limits;
    uint64_t now = tri_loop_now_ns(conn->loop);
    if (conn->state == TRI_CONN_OPEN)
        watch_open(conn, now);
    else if (conn->state == TRI_CONN_LINGERING && now - conn->began_ns >= LINGER_NS)
        tri_conn_lose(conn, TRI_WIRE_LOST, "all is said");
    else if (conn->state < TRI_CONN_OPEN && passed(now, conn->began_ns, limits->handshake_ms))
        tri_conn_lose(conn, conn->session.server ? TRI_WIRE_LOST : TRI_WIRE_UNREACHABLE,
                      "no connection within %u ms", limits->handshake_ms);
    if (conn->state != TRI_CONN_CLOSED)
        tri_loop_timer(conn->loop, &conn->timer, now + step_ns(limits));
}

struct tri_conn *tri_conn_create(struct tri_loop *loop)
{
    struct tri_conn *conn = tri_calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->loop = loop;
    conn->fd = -1;
    conn->session.hub = &loop->hub;
    conn->session.peer = conn->peer;
    conn->session.peer_names = "";
    conn->session.tls = loop->hub.tls != NULL;
    conn->next = loop->conns;
    conn->link = &loop->conns;
    if (conn->next)
        conn->next->link = &conn->next;
    loop->conns = conn;
    conn->timer.fire = on_timer;
    enter(conn, TRI_CONN_RESOLVING);
    tri_loop_timer(loop, &conn->timer, conn->began_ns + step_ns(loop->hub.limits));
    return conn;
}

static void destroy(struct tri_conn *conn)
{
    tri_loop_timer(conn->loop, &conn->timer, 0);
    tri_tls_end(conn->tls);
    tri_conn_dial_fini(conn);
    *conn->link = conn->next;
    if (conn->next)
        conn->next->link = conn->link;
    tri_free(conn);
}

static void poll_closed(uv_handle_t *handle)
{
    struct tri_conn *conn = handle->data;
    conn->polled = false;
    tri_conn_changed(&conn->session);
}

static void close_socket(struct tri_conn *conn)
{
    if (conn->polled)
        uv_close((uv_handle_t *)&conn->poll, poll_closed);
    if (conn->fd >= 0)
        (void)close(conn->fd);
    conn->fd = -1;
    if (conn->counted)
        tri_gate_leave(conn->loop->hub.gate, &conn->at);
    conn->counted = false;
}

void tri_conn_lose(struct tri_conn *conn, int status, const char *fmt, ...)
{
    char text[TRI_TEXT_SIZE];
    va_list list;
    if (conn->state == TRI_CONN_CLOSED)
        return;
    va_start(list, fmt);
    (void)vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    enter(conn, TRI_CONN_CLOSED);
    if (conn->looking_up)
        (void)uv_cancel((uv_req_t *)&conn->lookup);
    close_socket(conn);
    tri_session_lose(&conn->session, status, text);
    tri_conn_changed(&conn->session);
}

/* ---- Polling ------------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct tri_conn *conn = poll->data;
    if (conn->state == TRI_CONN_CLOSED)
        return;
    if (status < 0) {
        /* What error it is shows when the socket is read or written, which may yield data first. libuv
         * has stopped polling: tri_conn_flush() begins again. */
        conn->events = 0;
        events = UV_READABLE | UV_WRITABLE;
        tri_conn_changed(&conn->session);
    }
    tri_conn_ready(conn, events);
}

bool tri_conn_poll(struct tri_conn *conn)
{
    int events = UV_READABLE | (conn->blocked ? UV_WRITABLE : 0);
    if (conn->state == TRI_CONN_CONNECTING)
        events = UV_WRITABLE;
    if (!conn->polled) {
        if (uv_poll_init(&conn->loop->uv, &conn->poll, conn->fd) != 0)
            return false;
        conn->poll.data = conn;
        conn->polled = true;
        conn->events = 0;
    }
    if (events != conn->events && uv_poll_start(&conn->poll, events, on_poll) != 0)
        return false;
    conn->events = events;
    return true;
}

static void set_options(int fd, const struct tri_io_limits *limits)
{
    /* None of them is needed to work. The kernel asks a host that is silent, which costs programs on
     * either side nothing and counts as no ping of HTTP/2: half of the time in silence, then three
     * questions in the other half. What was sent and is not acknowledged has the same time. */
    const int on = 1, probes = 3;
    const unsigned timeout = limits->stalled_ms;
    const int idle = timeout < 2000 ? 1 : (int)(timeout / 2000);
    const int interval = timeout < 6000 ? 1 : (int)(timeout / 6000);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

static void secure_input(struct tri_conn *conn, const uint8_t *data, size_t size);

static void begin_http(struct tri_conn *conn)
{
    struct tri_session *session = &conn->session;
    enter(conn, TRI_CONN_OPEN);
    tr_err err = tri_session_begin(session, &conn->loop->hub, session->server);
    if (err == TR_OK && session->server && conn->loop->refusing)
        tri_session_refuse(session);
    /* The call may have been given up, and told so, while the socket was being connected. */
    if (err == TR_OK && conn->dialled && session->stream_count > 0 && !conn->dialled->h2_closed)
        err = tri_stream_call(conn->dialled, conn->authority);
    if (err != TR_OK)
        tri_conn_lose(conn, session->server ? TRI_WIRE_LOST : TRI_WIRE_UNREACHABLE,
                      "no memory for a connection");
    tri_conn_changed(session);
}

void tri_conn_connected(struct tri_conn *conn)
{
    set_options(conn->fd, conn->loop->hub.limits);
    if (conn->loop->hub.tls) {
        conn->tls = tri_tls_begin(conn->loop->hub.tls, conn->session.server, conn->host,
                                  &conn->loop->hub.sealed);
        if (!conn->tls) {
            tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "no memory for TLS");
            return;
        }
        enter(conn, TRI_CONN_SECURING);
        secure_input(conn, NULL, 0); /* A client speaks first. */
    } else {
        begin_http(conn);
    }
    if (conn->state != TRI_CONN_CLOSED && !tri_conn_poll(conn))
        tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "the socket cannot be polled");
}

void tri_conn_accepted(struct tri_loop *loop, int fd, const struct tri_address *from)
{
    struct tri_conn *conn = loop->stopping ? NULL : tri_conn_create(loop);
    if (!conn) {
        (void)close(fd);
        tri_gate_leave(loop->hub.gate, from);
        return;
    }
    tri_count(&loop->hub.counters.accepted, 1);
    conn->fd = fd;
    conn->at = *from;
    conn->counted = true;
    conn->session.server = true;
    conn->idle_ns = conn->began_ns;
    tri_address_text(from, conn->peer);
    tri_conn_connected(conn);
}

/* ---- Reading ------------------------------------------------------------- */

static void read_error(struct tri_conn *conn, ssize_t n)
{
    int status = conn->state < TRI_CONN_OPEN && !conn->session.server ? TRI_WIRE_UNREACHABLE
                                                                      : TRI_WIRE_LOST;
    if (n == 0 && conn->session.last_words[0])
        tri_conn_lose(conn, status, "the peer ended the connection: %s", conn->session.last_words);
    else if (n == 0)
        tri_conn_lose(conn, status, "the peer closed the connection");
    else
        tri_conn_lose(conn, status, "reading failed: %s", strerror(errno));
}

/* nghttp2 has no use for the connection any more: says so, if it can, and ends. */
static void broken(struct tri_conn *conn)
{
    (void)nghttp2_session_terminate_session(conn->session.h2, NGHTTP2_PROTOCOL_ERROR);
    conn->broken = true;
    tri_conn_changed(&conn->session);
}

static void plain_input(struct tri_conn *conn, const uint8_t *data, size_t size)
{
    if (conn->state == TRI_CONN_OPEN && !conn->broken &&
        !tri_session_input(&conn->session, data, size))
        broken(conn);
}

/* The handshake and what follows it. */
static enum tri_tls_result secure_step(struct tri_conn *conn, const uint8_t **data, size_t *size,
                                       char *text, size_t text_size)
{
    if (conn->state == TRI_CONN_SECURING) {
        enum tri_tls_result result = tri_tls_shake(conn->tls, data, size, text, text_size);
        if (result == TRI_TLS_DONE) {
            conn->session.peer_names = tri_tls_names(conn->tls);
            begin_http(conn);
        }
        return result;
    }
    size_t got = 0;
    enum tri_tls_result result = tri_tls_input(conn->tls, data, size, conn->loop->plain,
                                               TRI_INPUT_SIZE, &got, text, text_size);
    if (got > 0)
        plain_input(conn, conn->loop->plain, got);
    return result;
}

/* Bytes of TLS. */
static void secure_input(struct tri_conn *conn, const uint8_t *data, size_t size)
{
    char text[TRI_TEXT_SIZE];
    enum tri_tls_result result;
    bool dialling = conn->state == TRI_CONN_SECURING && !conn->session.server;
    do {
        result = secure_step(conn, &data, &size, text, sizeof text);
        tri_conn_changed(&conn->session); /* There may be an answer. */
    } while (result == TRI_TLS_DONE && conn->state != TRI_CONN_CLOSED);
    if (result == TRI_TLS_FAILED && conn->state != TRI_CONN_CLOSED) {
        (void)tri_tls_write(conn->tls, conn->fd); /* The alert, as far as the kernel takes it. */
        tri_conn_lose(conn, dialling ? TRI_WIRE_UNREACHABLE : TRI_WIRE_LOST, "%s", text);
    }
}

static void read_some(struct tri_conn *conn)
{
    struct tri_loop *loop = conn->loop;
    ssize_t n;
    do
        n = recv(conn->fd, loop->input, TRI_INPUT_SIZE, 0);
    while (n < 0 && errno == EINTR);
    tri_count(&loop->hub.counters.reads, 1);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0) {
        read_error(conn, n);
        return;
    }
    tri_count(&loop->hub.counters.bytes_in, (uint64_t)n);
    if (conn->state == TRI_CONN_LINGERING || conn->broken)
        return; /* Nobody wants to know. */
    if (conn->tls)
        secure_input(conn, loop->input, (size_t)n);
    else
        plain_input(conn, loop->input, (size_t)n);
}

void tri_conn_ready(struct tri_conn *conn, int events)
{
    if (conn->state == TRI_CONN_CONNECTING) {
        tri_conn_dial_result(conn);
        return;
    }
    if (events & UV_WRITABLE) {
        conn->blocked = false;
        tri_conn_changed(&conn->session);
    }
    if (events & UV_READABLE)
        read_some(conn);
}

/* ---- Writing ------------------------------------------------------------- */

/* The kernel takes nothing now, or will not any more: then the peer may have said why. */
static void write_error(struct tri_conn *conn)
{
    int error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK) {
        conn->blocked = true;
        return;
    }
    read_some(conn);
    tri_conn_lose(conn, TRI_WIRE_LOST, "writing failed: %s", strerror(error));
}

/* The kernel takes some of `out`. False: not now, or lost. */
static bool write_some(struct tri_conn *conn)
{
    struct tri_out *out = &conn->session.out;
    struct msghdr message = {.msg_iov = out->stage->iov + out->iov_at,
                             .msg_iovlen = out->iov_count - out->iov_at};
    ssize_t n;
    do
        n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    tri_count(&conn->loop->hub.counters.writes, 1);
    if (n < 0) {
        write_error(conn);
        return false;
    }
    tri_count(&conn->loop->hub.counters.bytes_out, (uint64_t)n);
    conn->progress_ns = tri_loop_now_ns(conn->loop);
    tri_out_wrote(out, (size_t)n);
    tri_session_wrote(&conn->session);
    return true;
}

/* The same through TLS, which takes all of `out` at once and holds what the kernel does not take. */
static bool write_secure(struct tri_conn *conn)
{
    struct tri_out *out = &conn->session.out;
    if (tri_out_pending(out) > 0 && !conn->encrypted) {
        conn->encrypted = tri_tls_output(conn->tls, out->stage->iov + out->iov_at,
                                         out->iov_count - out->iov_at);
        if (!conn->encrypted) {
            tri_conn_lose(conn, TRI_WIRE_LOST, "no memory for TLS");
            return false;
        }
    }
    ssize_t n = tri_tls_write(conn->tls, conn->fd);
    tri_count(&conn->loop->hub.counters.writes, 1);
    if (n < 0) {
        write_error(conn);
        return false;
    }
    tri_count(&conn->loop->hub.counters.bytes_out, (uint64_t)n);
    conn->progress_ns = tri_loop_now_ns(conn->loop);
    if (tri_tls_pending(conn->tls))
        return true;
    if (conn->encrypted) {
        conn->encrypted = false;
        tri_out_wrote(out, (size_t)tri_out_pending(out));
        tri_session_wrote(&conn->session);
    }
    return true;
}

/* True: there is something to be written. */
static bool anything(struct tri_conn *conn)
{
    struct tri_session *session = &conn->session;
    if (tri_out_pending(&session->out) > 0 || (conn->tls && tri_tls_pending(conn->tls)))
        return true;
    if (conn->state != TRI_CONN_OPEN)
        return false;
    if (!tri_session_fill(session)) {
        tri_conn_lose(conn, TRI_WIRE_LOST, "no memory for what is to be sent");
        return false;
    }
    return tri_out_pending(&session->out) > 0;
}

/* What is said is said: closes, but not before the peer could have read it. */
static void end_if_over(struct tri_conn *conn)
{
    struct tri_session *session = &conn->session;
    if (conn->state != TRI_CONN_OPEN)
        return;
    if (!session->server && session->stream_count == 0)
        (void)nghttp2_session_terminate_session(session->h2, NGHTTP2_NO_ERROR);
    if (anything(conn) || conn->state != TRI_CONN_OPEN)
        return;
    if (!session->server && session->stream_count == 0) {
        tri_conn_lose(conn, TRI_WIRE_ENDED, "the call is over");
        return;
    }
    if (!conn->broken && !tri_session_over(session))
        return;
    /* Streams that are still there are lost, but the socket stays for a moment. */
    enter(conn, TRI_CONN_LINGERING);
    char text[TRI_TEXT_SIZE];
    (void)snprintf(text, sizeof text, "%s%s",
                   session->last_words[0] ? "the peer ended the connection: "
                                          : "the peer broke the rules of HTTP/2",
                   session->last_words);
    tri_session_lose(session, TRI_WIRE_LOST, text);
    (void)shutdown(conn->fd, SHUT_WR);
}

void tri_conn_flush(struct tri_conn *conn)
{
    if (conn->state == TRI_CONN_CLOSED) {
        if (!conn->polled && !conn->looking_up && conn->session.stream_count == 0)
            destroy(conn);
        return;
    }
    if (conn->state < TRI_CONN_SECURING)
        return;
    if (conn->session.stream_count > 0)
        conn->idle_ns = 0;
    else if (conn->idle_ns == 0)
        conn->idle_ns = tri_loop_now_ns(conn->loop);
    for (int i = 0; !conn->blocked && anything(conn); i++) {
        if (i == WRITES_MAX) {
            conn->waits = conn->loop->again = true;
            tri_conn_changed(&conn->session);
            return;
        }
        if (!(conn->tls ? write_secure(conn) : write_some(conn)))
            break;
    }
    if (conn->state == TRI_CONN_CLOSED)
        return;
    if (!conn->blocked)
        end_if_over(conn);
    if (conn->state != TRI_CONN_CLOSED && !tri_conn_poll(conn))
        tri_conn_lose(conn, TRI_WIRE_LOST, "the socket cannot be polled");
}
