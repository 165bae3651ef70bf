/* dial.c - from "host:port" to a connected socket. */
#include "remote/loop.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Tries the address at hand and those after it. */
static void try_addresses(struct tri_conn *conn, const char *why)
{
    for (; conn->address; conn->address = conn->address->ai_next) {
        const struct addrinfo *at = conn->address;
        conn->at.size = at->ai_addrlen;
        memcpy(&conn->at.at, at->ai_addr, at->ai_addrlen);
        tri_address_text(&conn->at, conn->peer);
        conn->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (conn->fd < 0) {
            why = strerror(errno);
            continue;
        }
        conn->state = TRI_CONN_CONNECTING;
        int rv = connect(conn->fd, at->ai_addr, at->ai_addrlen);
        if ((rv == 0 || errno == EINPROGRESS) && tri_conn_poll(conn))
            return; /* Also what is connected already is told by the poll. */
        why = strerror(errno);
        (void)close(conn->fd);
        conn->fd = -1;
    }
    tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "cannot connect to '%s': %s", conn->authority, why);
}

/* The handle is free for the next address. */
static void next_address(uv_handle_t *handle)
{
    struct tri_conn *conn = handle->data;
    conn->polled = false;
    if (conn->state == TRI_CONN_CLOSED) {
        tri_conn_changed(&conn->session);
        return;
    }
    conn->address = conn->address->ai_next;
    try_addresses(conn, conn->refusal);
}

void tri_conn_dial_result(struct tri_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0) {
        tri_count(&conn->loop->hub.counters.dialled, 1);
        tri_conn_connected(conn);
        return;
    }
    conn->refusal = strerror(error);
    if (!conn->address || !conn->address->ai_next) {
        tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "cannot connect to '%s': %s", conn->authority,
                      conn->refusal);
        return;
    }
    conn->state = TRI_CONN_RESOLVING; /* Between two addresses. */
    uv_close((uv_handle_t *)&conn->poll, next_address);
    (void)close(conn->fd);
    conn->fd = -1;
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct tri_conn *conn = lookup->data;
    conn->looking_up = false;
    conn->addresses = conn->address = found;
    if (conn->state == TRI_CONN_CLOSED) {
        tri_conn_changed(&conn->session);
        return;
    }
    if (status != 0)
        tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "cannot look up '%s': %s", conn->authority,
                      uv_strerror(status));
    else
        try_addresses(conn, "no address");
}

void tri_conn_dial_fini(struct tri_conn *conn)
{
    if (conn->addresses)
        uv_freeaddrinfo(conn->addresses);
    tri_free(conn->authority);
}

static void look_up(struct tri_conn *conn)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (!tri_address_split(conn->authority, conn->host, conn->port) || conn->host[0] == '\0') {
        tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "address '%s' is not host:port", conn->authority);
        return;
    }
    if (tri_address_numeric(conn->host, conn->port, &conn->at)) {
        conn->numeric = (struct addrinfo){.ai_family = conn->at.at.ss_family,
                                          .ai_addrlen = conn->at.size,
                                          .ai_addr = (struct sockaddr *)&conn->numeric_at};
        conn->numeric_at = conn->at.at;
        conn->address = &conn->numeric;
        try_addresses(conn, "no address");
        return;
    }
    conn->lookup.data = conn;
    int rv = uv_getaddrinfo(&conn->loop->uv, &conn->lookup, on_lookup, conn->host, conn->port,
                            &hints);
    conn->looking_up = rv == 0;
    if (rv != 0)
        tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "cannot look up '%s': %s", conn->authority,
                      uv_strerror(rv));
}

struct tri_stream *tri_conn_dial(struct tri_loop *loop, const char *address, const char *path,
                                 const struct tri_wire_events *events, void *user)
{
    struct tri_conn *conn = loop->stopping ? NULL : tri_conn_create(loop);
    if (!conn)
        return NULL;
    conn->authority = tri_strdup(address);
    struct tri_stream *stream = tri_stream_create(&conn->session, events, user);
    if (!conn->authority || !stream) {
        if (stream) /* Nobody knows it yet. */
            stream->events = NULL;
        tri_conn_lose(conn, TRI_WIRE_UNREACHABLE, "no memory");
        return NULL;
    }
    stream->dial_path = path;
    conn->dialled = stream;
    look_up(conn);
    return stream;
}
