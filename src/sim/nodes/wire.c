#include "sim/nodes/wire.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_SIZE 5u /* gRPC's, which the queue counts */
#define LOOK_AGAIN_NS UINT64_C(1000000)

/* ---- Packets --------------------------------------------------------------- */

static void append(struct queue *queue, struct packet *packet)
{
    packet->next = NULL;
    if (queue->last)
        queue->last->next = packet;
    else
        queue->first = packet;
    queue->last = packet;
}

static struct packet *take(struct queue *queue)
{
    struct packet *packet = queue->first;
    if (!packet)
        return NULL;
    queue->first = packet->next;
    if (!queue->first)
        queue->last = NULL;
    return packet;
}

static struct packet *make_packet(enum packet_kind kind, size_t size)
{
    struct packet *packet = tri_malloc(sizeof *packet + size);
    TRI_ASSERT(packet != NULL); /* A test's own memory. */
    *packet = (struct packet){.kind = kind, .size = size};
    return packet;
}

static struct tri_stream *peer_of(const struct tri_stream *stream)
{
    return &stream->pipe->end[stream->dialled ? 1 : 0];
}

static size_t size_of(const struct tri_buffer *buffer)
{
    return buffer->part[0].size + buffer->part[1].size + PREFIX_SIZE;
}

static void release(struct packet *packet, enum tri_buffer_fate fate)
{
    struct tri_buffer *buffer = packet->buffer;
    packet->buffer = NULL;
    if (buffer)
        buffer->release(buffer, fate);
}

static void drop_all(struct queue *queue)
{
    struct packet *packet;
    while ((packet = take(queue))) {
        release(packet, TRI_BUFFER_UNSENT);
        tri_free(packet);
    }
}

/* ---- What the remote calls --------------------------------------------------- */

/* An end hears of it at that time, as the last thing. */
static void close_at(struct tri_stream *stream, uint64_t when_ns, int status, const char *text)
{
    if (stream->closing)
        return;
    stream->closing = true;
    stream->close_ns = when_ns;
    stream->status = status;
    stream->text = text;
}

static struct tri_stream *wire_dial(void *self, const char *address, const char *path,
                                    const struct tri_wire_events *events, void *user)
{
    struct net_node *node = self;
    struct tri_net *net = node->net;
    struct pipe *pipe = tri_calloc(1, sizeof *pipe);
    if (!pipe)
        return NULL;
    *pipe = (struct pipe){.net = net, .connecting = true, .path = path};
    pipe->connect_ns = net->now_ns + net_delay_ns(net);
    for (unsigned i = 0; i < 2; i++) {
        pipe->end[i].pipe = pipe;
        pipe->end[i].dialled = i == 0;
    }
    pipe->end[0].node = node->number;
    pipe->end[0].events = events;
    pipe->end[0].user = user;
    pipe->end[1].closed = true; /* Until it is accepted. */
    (void)snprintf(pipe->address, sizeof pipe->address, "%s", address);
    struct pipe **at = &net->pipes;
    while (*at)
        at = &(*at)->next;
    *at = pipe;
    return &pipe->end[0];
}

static void wire_send(struct tri_stream *stream, struct tri_buffer *buffer)
{
    struct packet *packet = make_packet(PACKET_MESSAGE, 0);
    packet->buffer = buffer;
    stream->queued += size_of(buffer);
    if (stream->queued > stream->events->low_mark)
        stream->above = true;
    /* What cannot go any more comes back before closed(), from there. */
    append(&stream->out, packet);
}

static size_t wire_queued(const struct tri_stream *stream)
{
    return stream->queued;
}

static void finish(struct tri_stream *stream, enum packet_kind kind, int status)
{
    if (stream->shut || stream->closing || stream->closed)
        return;
    stream->shut = true;
    struct packet *packet = make_packet(kind, 0);
    packet->status = status;
    append(&stream->out, packet);
}

static void wire_end(struct tri_stream *stream, int status, const char *text);

static void wire_close_send(struct tri_stream *stream)
{
    if (stream->dialled)
        finish(stream, PACKET_FIN, TRI_WIRE_OK);
    else
        wire_end(stream, TRI_WIRE_OK, NULL);
}

static void wire_end(struct tri_stream *stream, int status, const char *text)
{
    struct tri_net *net = stream->pipe->net;
    (void)text;
    if (!stream->dialled) {
        finish(stream, PACKET_END, status);
        return;
    }
    struct tri_stream *peer = peer_of(stream);
    close_at(stream, net->now_ns, TRI_WIRE_ENDED, "cancelled");
    if (!peer->closed)
        close_at(peer, net->now_ns + net_delay_ns(net), TRI_WIRE_CANCELLED, "the peer cancelled");
}

static void wire_pause(struct tri_stream *stream, bool paused)
{
    stream->paused = paused;
}

static const char *wire_peer(const struct tri_stream *stream)
{
    const struct tri_net *net = stream->pipe->net;
    return net->nodes[peer_of(stream)->node].address;
}

static const char *wire_peer_names(const struct tri_stream *stream)
{
    (void)stream;
    return "";
}

static uint64_t wire_now_ns(void *self)
{
    const struct net_node *node = self;
    return net_node_time(node, node->net->now_ns);
}

static void wire_timer(void *self, struct tri_wire_timer *timer, uint64_t due_ns)
{
    struct net_node *node = self;
    size_t at = 0;
    while (at < node->timer_count && node->timers[at].timer != timer)
        at++;
    if (due_ns == 0) {
        if (at < node->timer_count)
            node->timers[at] = node->timers[--node->timer_count];
        return;
    }
    if (at == node->timer_capacity) {
        node->timer_capacity = node->timer_capacity ? 2 * node->timer_capacity : 32;
        node->timers = tri_realloc(node->timers, node->timer_capacity * sizeof *node->timers);
        TRI_ASSERT(node->timers != NULL);
    }
    if (at == node->timer_count)
        node->timer_count++;
    node->timers[at] = (struct timer_entry){timer, due_ns};
}

static void wire_post(void *self, struct tri_wire_job *job)
{
    struct net_node *node = self;
    job->next = NULL;
    *node->jobs_end = job;
    node->jobs_end = &job->next;
}

void net_wire_init(struct net_node *node)
{
    node->jobs = NULL;
    node->jobs_end = &node->jobs;
    node->timer_count = 0;
    node->wire = (struct tri_wire){.dial = wire_dial,
                                   .send = wire_send,
                                   .queued = wire_queued,
                                   .close_send = wire_close_send,
                                   .end = wire_end,
                                   .pause = wire_pause,
                                   .peer = wire_peer,
                                   .peer_names = wire_peer_names,
                                   .now_ns = wire_now_ns,
                                   .timer = wire_timer,
                                   .post = wire_post,
                                   .self = node};
}

/* ---- Jobs and timers ----------------------------------------------------------- */

bool net_wire_work(struct net_node *node)
{
    struct tri_wire_job *job = node->jobs;
    uint64_t now = wire_now_ns(node);
    if (job) {
        node->jobs = job->next;
        if (!node->jobs)
            node->jobs_end = &node->jobs;
        job->run(job);
        return true;
    }
    size_t first = 0;
    for (size_t i = 1; i < node->timer_count; i++) {
        if (node->timers[i].due_ns < node->timers[first].due_ns)
            first = i;
    }
    if (node->timer_count == 0 || node->timers[first].due_ns > now)
        return false;
    struct tri_wire_timer *timer = node->timers[first].timer;
    node->timers[first] = node->timers[--node->timer_count];
    timer->fire(timer);
    return true;
}

uint64_t net_wire_due(const struct net_node *node)
{
    uint64_t due = UINT64_MAX;
    if (node->jobs)
        return node->net->now_ns;
    for (size_t i = 0; i < node->timer_count; i++) {
        if (node->timers[i].due_ns < due)
            due = node->timers[i].due_ns;
    }
    return due == UINT64_MAX ? due : net_node_until(node, due);
}

/* ---- Connections ----------------------------------------------------------------- */

static bool able(const struct tri_net *net, unsigned node)
{
    return net->nodes[node].stalled_until_ns <= net->now_ns;
}

/* When the next thing happens at one end; 0: now. */
static uint64_t end_due(const struct tri_net *net, const struct tri_stream *end)
{
    uint64_t due = UINT64_MAX;
    const struct packet *arriving = end->flight.first;
    if (end->closed || !net->nodes[end->node].remote)
        return UINT64_MAX;
    if (end->closing)
        due = end->close_ns;
    if (end->open && !end->closing && end->out.first)
        due = 0;
    if (arriving && !end->closing && !end->paused && end->told_open &&
        !net->parted[peer_of(end)->node][end->node] && arriving->due_ns < due)
        due = arriving->due_ns;
    if (end->open && !end->told_open)
        due = 0;
    if (due != UINT64_MAX && due < net->nodes[end->node].stalled_until_ns)
        due = net->nodes[end->node].stalled_until_ns;
    return due;
}

bool net_pipe_ready(const struct tri_net *net, const struct pipe *pipe, uint64_t *ret_due_ns)
{
    uint64_t due = pipe->connecting ? pipe->connect_ns : UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t end = end_due(net, &pipe->end[i]);
        due = end < due ? end : due;
    }
    *ret_due_ns = due;
    return due <= net->now_ns;
}

/* How long a dial in vain takes: refused at once, or without an answer. */
static void connect_fails(struct tri_net *net, struct pipe *pipe, uint64_t after_ns)
{
    pipe->connecting = false;
    close_at(&pipe->end[0], net->now_ns + after_ns, TRI_WIRE_UNREACHABLE, "nobody answers");
}

static void connect(struct tri_net *net, struct pipe *pipe)
{
    struct tri_stream *dialler = &pipe->end[0], *acceptor = &pipe->end[1];
    unsigned to = 0;
    while (to < net->node_count && strcmp(net->nodes[to].address, pipe->address) != 0)
        to++;
    if (dialler->closing || dialler->closed) {
        pipe->connecting = false;
        return;
    }
    if (to == net->node_count || !net->nodes[to].remote || net->nodes[to].dying ||
        net->nodes[dialler->node].dying) {
        connect_fails(net, pipe, 0);
        return;
    }
    if (net->parted[dialler->node][to] || net->parted[to][dialler->node] ||
        tri_net_chance(net, 1000) < net->faults.refuse_permille) {
        connect_fails(net, pipe, 1000 * LOOK_AGAIN_NS);
        return;
    }
    if (!able(net, to)) {
        pipe->connect_ns = net->nodes[to].stalled_until_ns;
        return;
    }
    pipe->connecting = false;
    acceptor->node = to;
    acceptor->closed = false;
    acceptor->events = tri_remote_accept(net->nodes[to].remote, &net->nodes[to].wire, acceptor,
                                         pipe->path, &acceptor->user);
    if (!acceptor->events) {
        acceptor->closed = true;
        close_at(dialler, net->now_ns, TRI_WIRE_UNIMPLEMENTED, "no such call");
        return;
    }
    net_note(net, "%s connects to %s", net->nodes[dialler->node].address, pipe->address);
    acceptor->open = acceptor->told_open = dialler->open = true;
}

/* The kernel takes one packet. */
static void write_one(struct tri_net *net, struct tri_stream *end)
{
    struct packet *packet = take(&end->out);
    struct tri_stream *peer = peer_of(end);
    struct packet *last = peer->flight.last;
    uint64_t due = net->now_ns + net_delay_ns(net);
    if (packet->kind == PACKET_MESSAGE) {
        struct tri_buffer *buffer = packet->buffer;
        struct packet *copy = make_packet(PACKET_MESSAGE, size_of(buffer) - PREFIX_SIZE);
        memcpy(copy->bytes, buffer->part[0].at ? (const void *)buffer->part[0].at : "",
               buffer->part[0].size);
        if (buffer->part[1].size)
            memcpy(copy->bytes + buffer->part[0].size, buffer->part[1].at, buffer->part[1].size);
        end->queued -= size_of(buffer);
        release(packet, TRI_BUFFER_WRITTEN);
        tri_free(packet);
        packet = copy;
    } else if (packet->kind == PACKET_END) {
        close_at(end, net->now_ns, TRI_WIRE_ENDED, "ended here");
    }
    packet->due_ns = last && last->due_ns > due ? last->due_ns : due;
    if (peer->closed)
        tri_free(packet);
    else
        append(&peer->flight, packet);
    if (end->above && end->queued <= end->events->low_mark) {
        end->above = false;
        if (end->events->writable)
            end->events->writable(end->user, end);
    }
}

static void arrive(struct tri_net *net, struct tri_stream *end)
{
    struct packet *packet = take(&end->flight);
    switch (packet->kind) {
    case PACKET_MESSAGE:
        net->carried++;
        net->digest = (net->digest ^ packet->size ^ net->now_ns) * UINT64_C(0x100000001B3);
        net_note(net, "%s gets %zu bytes from %s", net->nodes[end->node].address, packet->size,
                 net->nodes[peer_of(end)->node].address);
        if (end->events->message)
            end->events->message(end->user, end, packet->bytes, packet->size);
        break;
    case PACKET_FIN:
        if (end->events->ended)
            end->events->ended(end->user, end);
        break;
    case PACKET_END:
        close_at(end, net->now_ns, packet->status, "ended by the peer");
        break;
    }
    tri_free(packet);
}

static void close_now(struct tri_net *net, struct tri_stream *end)
{
    end->open = false;
    drop_all(&end->out);
    drop_all(&end->flight);
    end->queued = 0;
    end->closed = true;
    net_note(net, "%s: its connection with %s closes: %d", net->nodes[end->node].address,
             end->dialled ? end->pipe->address : net->nodes[peer_of(end)->node].address,
             end->status);
    end->events->closed(end->user, end, end->status, end->text);
}

static bool work_at(struct tri_net *net, struct tri_stream *end)
{
    if (end_due(net, end) > net->now_ns)
        return false;
    if (end->closing && end->close_ns <= net->now_ns) {
        close_now(net, end);
    } else if (end->open && !end->told_open) {
        end->told_open = true;
        if (end->events->opened)
            end->events->opened(end->user, end);
    } else if (end->open && !end->closing && end->out.first) {
        write_one(net, end);
    } else {
        arrive(net, end);
    }
    return true;
}

void net_pipe_work(struct tri_net *net, struct pipe *pipe)
{
    if (pipe->connecting && pipe->connect_ns <= net->now_ns) {
        connect(net, pipe);
        return;
    }
    unsigned first = tri_net_chance(net, 2);
    if (!work_at(net, &pipe->end[first]))
        (void)work_at(net, &pipe->end[1 - first]);
}

void net_pipe_break(struct tri_net *net, struct pipe *pipe)
{
    for (unsigned i = 0; i < 2; i++) {
        struct tri_stream *end = &pipe->end[i];
        if (end->closed || end->closing || !end->open)
            continue;
        drop_all(&end->flight);
        close_at(end, net->now_ns + net_delay_ns(net), TRI_WIRE_LOST, "the connection broke");
    }
}

void net_pipe_abandon(struct tri_net *net, struct pipe *pipe, unsigned node)
{
    for (unsigned i = 0; i < 2; i++) {
        struct tri_stream *end = &pipe->end[i], *peer = &pipe->end[1 - i];
        if (end->node != node || end->closed)
            continue;
        drop_all(&peer->flight); /* Of it, on its way. */
        pipe->connecting = false;
        end->closing = true;
        end->status = TRI_WIRE_LOST;
        end->text = "this node is gone";
        close_now(net, end);
        if (!peer->closed)
            close_at(peer, net->now_ns + net_delay_ns(net), TRI_WIRE_LOST, "the peer is gone");
    }
}

void net_pipes_sweep(struct tri_net *net, bool all)
{
    for (struct pipe **at = &net->pipes; *at;) {
        struct pipe *pipe = *at;
        bool over = pipe->end[0].closed && pipe->end[1].closed && !pipe->connecting;
        if (!over && !all) {
            at = &pipe->next;
            continue;
        }
        for (unsigned i = 0; i < 2; i++) {
            drop_all(&pipe->end[i].out);
            drop_all(&pipe->end[i].flight);
        }
        *at = pipe->next;
        tri_free(pipe);
    }
}
