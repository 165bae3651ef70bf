#include "remote/inbound.h"

#include "base/alloc.h"
#include "core/headers.h"
#include "core/log.h"
#include "core/slots.h"
#include "remote/bridge.h"
#include "remote/far.h"
#include "remote/processes.h"

#include <stdio.h>

/* How often is looked whether there is memory again for what is held, and how often in vain. */
#define PAUSE_NS 2000000u
#define PAUSES_MAX 2000u

/* Messages that gather before they are delivered: so many cost a worker's wake-up little. */
#define TRAINS_MESSAGES 2048u

/* So few are handled, and maybe answered, at once. */
#define FEW_MESSAGES 4u

/* What was found out about an entry of a batch's table. */
#define SEEN_NONE 1u /* there is no such actor */
#define SEEN_PID 2u

static const struct tr_type refused_type = {"refused", 0, NULL, 0};

/* ---- Messages ------------------------------------------------------------------------ */

static bool is_refused(const struct tr_remote *remote, const struct tr_type *type)
{
    for (uint32_t i = 0; i < remote->refused_count; i++) {
        if (remote->refused[i] == type)
            return true;
    }
    return false;
}

/* A tr_type, or the number of a system type (which is no address). */
static const void *see_type(const struct tr_remote *remote, struct tri_batch_type *entry)
{
    if (entry->seen)
        return entry->seen;
    enum tri_system_type system = tri_system_type(entry->name);
    const struct tr_type *type = tri_types_find(&remote->types, entry->name);
    if (system != TRI_TYPE_OTHER)
        entry->seen = (const void *)(uintptr_t)system;
    else
        entry->seen = type && !is_refused(remote, type) ? type : &refused_type;
    return entry->seen;
}

static tr_pid see_target(struct tri_remote_io *io, const char *member_id,
                         struct tri_batch_pid *entry)
{
    if (!entry->seen[1]) {
        uint64_t call = 0;
        tr_pid pid = tri_id_find(io->ctx, entry->pid.id);
        if (tr_pid_is_nobody(pid) && io->remote->route_count)
            pid = tri_bridge_find(io, member_id, entry->pid.id, &call);
        entry->seen[0] = pid.bits;
        entry->seen[1] = call ? call : SEEN_PID;
    }
    return (tr_pid){entry->seen[0]};
}

/* The sender, and in *ret_call the call of a future. */
static tr_pid see_sender(struct tri_remote_io *io, struct tri_link *link, const char *member_id,
                         struct tri_batch_pid *entry, uint64_t *ret_call)
{
    uint64_t number;
    uint64_t call = 0;
    if (!entry->seen[1]) {
        tr_pid pid = TR_NOBODY;
        entry->seen[1] = SEEN_PID;
        if (entry->pid.address.size && tri_remote_is_own(io->remote, entry->pid.address)) {
            pid = tri_id_find(io->ctx, entry->pid.id);
            if (tr_pid_is_nobody(pid) && io->remote->route_count)
                pid = tri_bridge_find(io, member_id, entry->pid.id, &call);
            entry->seen[1] = call ? call : SEEN_PID;
        } else {
            struct tri_link *home = tri_control_link(link, entry->pid.address);
            if (home && tri_future_number(entry->pid.id, &number)) {
                pid = tri_far_future(home, io->ctx);
                entry->seen[1] = TRI_CALL_FUTURE | number;
            } else if (home) {
                pid = tri_far_get(home, io->ctx, entry->pid.id, false);
            }
        }
        entry->seen[0] = tr_pid_is_nobody(pid) ? 0 : pid.bits;
    }
    *ret_call = entry->seen[1] & TRI_CALL_FUTURE ? entry->seen[1] : 0;
    return (tr_pid){entry->seen[0]};
}

/* A future that numbers its requests, which protoactor-go's do not, is an actor like others: a call
 * has room for one of the two numbers. */
static tr_pid see_numbered_future(struct tri_remote_io *io, struct tri_link *link,
                                  const struct tri_batch_pid *entry)
{
    struct tri_link *home = tri_control_link(link, entry->pid.address);
    return home ? tri_far_get(home, io->ctx, entry->pid.id, false) : TR_NOBODY;
}

/* An answer that names no sender comes from somebody there. */
static inline tr_pid answerer(const struct tri_arrival *a)
{
    if (tri_pid_remote(a->from))
        return a->from;
    return tri_far_future(a->link, a->io->ctx);
}

static struct tri_block *new_with_headers(struct tr_ctx *ctx, const struct tr_type *type,
                                          size_t size, struct tri_reader reader)
{
    struct tr_header headers[TR_HEADERS_MAX];
    char texts[TR_HEADERS_SIZE_MAX];
    size_t at = 0;
    size_t count = 0;
    struct tri_header in;
    tr_err err;
    while (count < TR_HEADERS_MAX && tri_next_header(&reader, &in, &err)) {
        if (in.key.size + (size_t)in.value.size + 2 > sizeof texts - at ||
            (in.key.size == 0 && in.value.size == 0) ||
            (in.key.size && memchr(in.key.at, 0, in.key.size)) ||
            (in.value.size && memchr(in.value.at, 0, in.value.size)))
            continue;
        headers[count].key = &texts[at];
        if (in.key.size)
            memcpy(&texts[at], in.key.at, in.key.size);
        at += in.key.size;
        texts[at++] = '\0';
        headers[count++].value = &texts[at];
        if (in.value.size)
            memcpy(&texts[at], in.value.at, in.value.size);
        at += in.value.size;
        texts[at++] = '\0';
    }
    void *body = tr_msg_new_headers(ctx, type, size, headers, count);
    return body ? tri_block_of(body) : NULL;
}

struct tri_block *tri_inbound_block(struct tr_ctx *ctx, const struct tr_type *type, size_t size,
                                    struct tri_reader headers)
{
    return headers.at == headers.end ? tri_block_new(ctx, type, size, false)
                                     : new_with_headers(ctx, type, size, headers);
}

uint64_t tri_arrival_answers(const struct tri_arrival *a)
{
    uint64_t seen = a->in->target->seen[1];
    if (a->in->target_request_id)
        return a->in->target_request_id;
    return seen & TRI_CALL_FUTURE ? seen : 0;
}

/* ---- Trains -------------------------------------------------------------------------- */

void tri_inbound_settle(struct tri_remote_io *io)
{
    struct tr_ctx *ctx = io->ctx;
    if (io->trains_count == 0)
        return;
    io->wire->expects = io->trains_count <= FEW_MESSAGES;
    /* Until it is done this thread is one that may touch cells: see core/slots.h. */
    tri_outside_enter(ctx);
    ctx->table = &ctx->sys->slots;
    for (unsigned i = 0; i < TRI_ARRAY_COUNT(io->trains_used); i++) {
        for (uint64_t used = io->trains_used[i]; used; used &= used - 1)
            tri_train_deliver(io->ctx, &io->trains[i * 64 + (unsigned)__builtin_ctzll(used)]);
        io->trains_used[i] = 0;
    }
    io->trains_count = 0;
    ctx->table = &ctx->sys->no_slots;
    tri_outside_leave(ctx);
}

void tri_inbound_on_settle(struct tri_wire_job *job)
{
    struct tri_remote_io *io = TRI_CONTAINER_OF(job, struct tri_remote_io, settle);
    io->settles = false;
    tri_inbound_settle(io);
}

static inline void gather(struct tri_remote_io *io, tr_pid to, struct tri_block *block,
                          uint32_t tag)
{
    uint32_t slot = (uint32_t)to.bits % TRI_TRAINS;
    struct tri_train *train = &io->trains[slot];
    if (TRI_UNLIKELY(train->count && !tr_pid_equal(train->to, to)))
        tri_inbound_settle(io);
    io->trains_used[slot / 64] |= (uint64_t)1 << slot % 64;
    tri_train_add(train, to, block, tag);
    if (TRI_UNLIKELY(++io->trains_count == TRAINS_MESSAGES))
        tri_inbound_settle(io);
}

static inline struct tri_block *new_block(struct tri_remote_io *io, const struct tr_type *type,
                                          size_t size, const struct tri_envelope_in *in)
{
    if (TRI_UNLIKELY(in->headers.at != in->headers.end))
        return new_with_headers(io->ctx, type, size, in->headers);
    if (TRI_LIKELY(size == type->size && size <= TRI_BODY_SLAB))
        return tri_block_fill(io->ctx, &io->filler, type);
    return tri_block_new(io->ctx, type, size, false);
}

/* False: there is no memory for it, and it may wait. */
static bool arrive_message(const struct tri_arrival *a, const struct tr_type *type, bool wait)
{
    const struct tri_envelope_in *in = a->in;
    struct tr_ctx *ctx = a->io->ctx;
    size_t size;
    if (type == &refused_type || in->serializer_id != 0 ||
        tr_codec_measure(type, in->payload, in->payload_size, &size)) {
        tri_control_reject(a);
        return true;
    }
    struct tri_block *block = new_block(a->io, type, size, in);
    if (TRI_UNLIKELY(!block)) {
        if (wait)
            return false;
        tri_send_refused(ctx, a->to, type);
        tri_control_dead_letter(a);
        return true;
    }
    if (TRI_UNLIKELY(type->codec->decode(in->payload, in->payload_size, tri_block_body(block),
                                         size) != TR_OK)) {
        tri_block_free(ctx, block);
        tri_control_reject(a);
        return true;
    }
    uint32_t flags = 0;
    block->from = a->from;
    block->call = 0;
    if (in->target_request_id) {
        block->from = answerer(a);
        block->call = in->target_request_id;
        flags = TRI_BLOCK_REPLY;
    } else if (a->call) {
        block->call = a->call;
        flags = TRI_BLOCK_REQUEST;
    }
    if (TRI_UNLIKELY(tr_pid_is_nobody(a->to))) {
        tri_control_dead_letter(a);
        flags &= ~TRI_BLOCK_REQUEST; /* Its sender has just been told. */
    }
    gather(a->io, a->to, block, block->tag | TRI_TAG_FLAGS(flags));
    return true;
}

static bool arrive(struct tri_remote_io *io, struct tri_link *link, const char *member_id,
                   const struct tri_envelope_in *in, bool wait)
{
    struct tri_arrival a = {.io = io, .link = link, .member_id = member_id, .in = in};
    const void *type = see_type(io->remote, in->type);
    a.to = see_target(io, member_id, in->target);
    if (in->sender) {
        a.from = see_sender(io, link, member_id, in->sender, &a.call);
        if (in->sender_request_id) {
            if (TRI_UNLIKELY(a.call & TRI_CALL_FUTURE))
                a.from = see_numbered_future(io, link, in->sender);
            a.call = in->sender_request_id;
        }
    }
    if (TRI_LIKELY((uintptr_t)type >= TRI_TYPE_COUNT))
        return TRI_UNLIKELY(tri_pid_remote(a.to)) ? tri_bridge_pass(&a, wait)
                                                  : arrive_message(&a, type, wait);
    tri_inbound_settle(io); /* What came before it is there before it. */
    tri_control_arrived(&a, (enum tri_system_type)(uintptr_t)type);
    return true;
}

static void teach(void *user, struct tri_link *link)
{
    tri_link_learn(link, *(const enum tr_dialect *)user);
}

/* The links to a peer learn how it speaks, whatever address we have dialled it by. */
static void learn(struct tri_remote_io *io, struct tri_link *link, const char *member_id,
                  enum tri_dialect seen)
{
    enum tr_dialect dialect = seen == TRI_DIALECT_A ? TR_DIALECT_A : TR_DIALECT_B;
    /* Relaxed: a copy; what is told twice is ignored. */
    if (seen == TRI_DIALECT_UNKNOWN || link->address[0] == '$' ||
        tri_load(&link->learned, TRI_RELAXED) != TR_DIALECT_DETECT)
        return;
    tri_link_learn(link, dialect);
    tri_table_member(io->remote, member_id, teach, &dialect);
}

bool tri_inbound_batch(struct tri_remote_io *io, struct tri_link *link, const char *member_id,
                       struct tri_stream *stream, const struct tri_remote_message *message,
                       uint64_t *at, bool wait)
{
    struct tri_batch_reader *reader = &io->reader;
    struct tri_envelope_in in;
    uint64_t first = *at;
    uint64_t count = 0;
    bool room = true;
    tr_err err = tri_batch_parse(reader, message->data, message->size, TRI_DIALECT_UNKNOWN);
    if (!err) {
        learn(io, link, member_id, reader->dialect);
        while (room && tri_batch_next(reader, &in, &err)) {
            if (count >= first)
                room = arrive(io, link, member_id, &in, wait);
            count += room;
        }
        if (!room)
            tri_inbound_settle(io); /* Or nothing gives memory back. */
        if (io->trains_count && !io->settles) {
            io->settles = true;
            io->wire->post(io->wire->self, &io->settle);
        }
    }
    *at = count;
    /* Figures; streams of one peer may be those of several threads. */
    tri_fetch_add(&link->received, count > first ? count - first : 0, TRI_RELAXED);
    if (!room)
        return false;
    tri_fetch_add(&link->batches_received, 1u, TRI_RELAXED);
    tri_fetch_add(&link->bytes_received, message->size, TRI_RELAXED);
    if (err) {
        tri_log(io->remote->sys, TR_LOG_WARN, "%s: a batch is %s: the stream ends", link->address,
                err == TR_EPROTO ? "malformed" : "too large");
        if (stream)
            io->wire->end(
                stream, err == TR_EPROTO ? TRI_WIRE_INVALID_ARGUMENT : TRI_WIRE_RESOURCE_EXHAUSTED,
                "the batch cannot be read");
    }
    return true;
}

/* ---- Memory ----------------------------------------------------------------------------- */

/* Goes on with the message that is held; true: it is done with. */
static bool go_on(struct tri_inbound *in, bool wait)
{
    struct tri_remote_message message = {TRI_REMOTE_BATCH, in->held, in->held_size};
    uint64_t before = in->held_at;
    bool done = tri_inbound_batch(in->io, in->link, in->member_id, in->stream, &message,
                                  &in->held_at, wait);
    in->held_looks = in->held_at > before ? 0 : in->held_looks + 1;
    if (!done)
        return false;
    tri_free(in->held);
    in->held = NULL;
    return true;
}

static void on_resume(struct tri_wire_timer *timer)
{
    struct tri_inbound *in = TRI_CONTAINER_OF(timer, struct tri_inbound, resume);
    struct tri_wire *wire = in->io->wire;
    /* If nobody gives memory back for long, the rest becomes dead letters: others wait behind it. */
    if (!go_on(in, in->held_looks < PAUSES_MAX)) {
        wire->timer(wire->self, timer, wire->now_ns(wire->self) + PAUSE_NS);
        return;
    }
    wire->pause(in->stream, false);
    if (in->ended)
        wire->end(in->stream, TRI_WIRE_OK, NULL);
}

/* The system's memory is full: the rest of the message waits, and so does the peer. */
static void hold(struct tri_inbound *in, const struct tri_remote_message *message, uint64_t at)
{
    struct tri_wire *wire = in->io->wire;
    in->held = tri_malloc(message->size);
    if (!in->held) {
        (void)tri_inbound_batch(in->io, in->link, in->member_id, in->stream, message, &at, false);
        return;
    }
    memcpy(in->held, message->data, message->size);
    in->held_size = message->size;
    in->held_at = at;
    in->held_looks = 0;
    in->resume.fire = on_resume;
    wire->pause(in->stream, true);
    wire->timer(wire->self, &in->resume, wire->now_ns(wire->self) + PAUSE_NS);
}

/* ---- Handshake ---------------------------------------------------------------------------- */

static void answer(struct tri_inbound *in, bool blocked)
{
    uint8_t bytes[128];
    struct tri_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    tri_write_connect_response(&writer, tri_name(in->io->remote->system_id), blocked);
    if (!writer.failed)
        (void)tri_link_say(in->io->wire, in->stream, bytes, (size_t)(writer.at - bytes));
}

static void refuse(struct tri_inbound *in, const char *why, bool blocked)
{
    struct tri_wire *wire = in->io->wire;
    tri_log(in->io->remote->sys, TR_LOG_WARN, "a peer from %s is refused: %s",
            wire->peer(in->stream), why);
    if (blocked)
        answer(in, true);
    wire->end(in->stream, TRI_WIRE_PERMISSION_DENIED, why);
}

/* The link of a peer that cannot be dialled; its address is that of Proto.Actor for .NET. */
static struct tri_link *client_link(struct tri_inbound *in, tr_err *ret_err)
{
    char address[sizeof in->member_id + 16];
    snprintf(address, sizeof address, "$client/%s", in->member_id);
    struct tri_link *link = tri_table_link(in->io->remote, tri_name(address), true, ret_err);
    if (link && (link->io != in->io || link->client)) {
        *ret_err = TR_EEXIST;
        return NULL;
    }
    return link;
}

static void on_connect(struct tri_inbound *in, const struct tri_remote_message *message)
{
    struct tr_remote *remote = in->io->remote;
    struct tri_wire *wire = in->io->wire;
    struct tri_connect_request request;
    tr_err err = TR_OK;
    char address[TR_ADDRESS_SIZE_MAX + 1] = "";
    if (tri_parse_connect_request(message->data, message->size, &request) ||
        request.kind == TRI_CONNECT_NOTHING || in->link ||
        request.address.size > TR_ADDRESS_SIZE_MAX || request.member_id.size == 0 ||
        request.member_id.size >= sizeof in->member_id) {
        wire->end(in->stream, TRI_WIRE_INVALID_ARGUMENT, "ConnectRequest not understood");
        return;
    }
    memcpy(in->member_id, request.member_id.at, request.member_id.size);
    in->client = request.kind == TRI_CONNECT_CLIENT;
    if (request.address.size)
        memcpy(address, request.address.at, request.address.size);
    if (tri_remote_is_blocked(remote, request.member_id)) {
        refuse(in, "it is on the block list", true);
        return;
    }
    const char *names = wire->peer_names(in->stream);
    if (!tri_remote_peer_allowed(remote, in->client ? wire->peer(in->stream) : address, names)) {
        refuse(in, "it is no allowed peer", false);
        return;
    }
    if (!in->client && tri_remote_is_own(remote, request.address)) {
        refuse(in, "it says that it is this node", false);
        return;
    }
    struct tri_link *link = in->client ? client_link(in, &err)
                                       : tri_table_link(remote, request.address, true, &err);
    if (!link) {
        refuse(in, tr_strerror(err), false);
        return;
    }
    in->link = link;
    in->forgotten = tri_load(&link->forgotten, TRI_RELAXED);
    answer(in, false);
    if (in->client)
        tri_link_client(link, in);
}

/* ---- The stream ----------------------------------------------------------------------------- */

static void on_message(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    struct tri_inbound *in = user;
    struct tri_wire *wire = in->io->wire;
    struct tri_remote_message message;
    uint64_t at = 0;
    TRI_ASSERT(!in->held); /* Paused. */
    if (tri_parse_remote_message(data, size, &message)) {
        wire->end(stream, TRI_WIRE_INVALID_ARGUMENT, "malformed RemoteMessage");
        return;
    }
    switch (message.kind) {
    case TRI_REMOTE_CONNECT_REQUEST:
        on_connect(in, &message);
        break;
    case TRI_REMOTE_BATCH:
        if (!in->link) {
            wire->end(stream, TRI_WIRE_FAILED_PRECONDITION, "no ConnectRequest before the batch");
            break;
        }
        if (!tri_inbound_batch(in->io, in->link, in->member_id, stream, &message, &at, true))
            hold(in, &message, at);
        break;
    default:
        break; /* DisconnectRequest is for who dials; what we do not know changes nothing. */
    }
}

static void on_ended(void *user, struct tri_stream *stream)
{
    struct tri_inbound *in = user;
    /* It has half-closed, and all of it has been read: only that may be said with OK, or a
     * protoactor-go node takes the address for alive for ever. */
    in->ended = true;
    if (!in->held)
        in->io->wire->end(stream, TRI_WIRE_OK, NULL);
}

static void on_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    struct tri_inbound *in = user;
    struct tri_wire *wire = in->io->wire;
    (void)stream;
    (void)status;
    (void)text;
    wire->timer(wire->self, &in->resume, 0);
    in->stream = NULL;
    if (in->held) /* It has arrived all the same. */
        (void)go_on(in, false);
    if (in->prev)
        in->prev->next = in->next;
    else
        in->io->streams = in->next;
    if (in->next)
        in->next->prev = in->prev;
    if (in->link && in->link->client == in)
        tri_link_client(in->link, NULL);
    tri_free(in);
}

static void on_writable(void *user, struct tri_stream *stream)
{
    struct tri_inbound *in = user;
    (void)stream;
    if (in->link && in->link->client == in)
        tri_link_event(in->link, TRI_ASSOC_WANT);
}

static const struct tri_wire_events receive_events = {.low_mark = (size_t)256 << 10,
                                                      .message = on_message,
                                                      .writable = on_writable,
                                                      .ended = on_ended,
                                                      .closed = on_closed};

struct tri_stream *tri_inbound_stream(struct tri_inbound *inbound)
{
    return inbound->stream;
}

const struct tri_wire_events *tri_inbound_accept(struct tri_remote_io *io,
                                                 struct tri_stream *stream, const char *path,
                                                 void **ret_user)
{
    if (strcmp(path, TRI_RECEIVE_PATH) != 0)
        return tri_processes_accept(io, stream, path, ret_user);
    struct tri_inbound *in = io->leaving ? NULL : tri_calloc(1, sizeof *in);
    if (!in)
        return NULL;
    in->io = io;
    in->stream = stream;
    in->next = io->streams;
    if (in->next)
        in->next->prev = in;
    io->streams = in;
    *ret_user = in;
    return &receive_events;
}

void tri_inbound_tick(struct tri_remote_io *io)
{
    for (struct tri_inbound *in = io->streams; in; in = in->next) {
        uint32_t now = in->link ? tri_load(&in->link->forgotten, TRI_RELAXED) : in->forgotten;
        if (now == in->forgotten)
            continue;
        in->forgotten = now;
        if (!in->client)
            io->wire->end(in->stream, TRI_WIRE_UNAVAILABLE,
                          "this node could not reach yours, and has forgotten what it watches");
    }
}

void tri_inbound_leave(struct tri_remote_io *io)
{
    uint8_t bytes[16];
    struct tri_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    tri_write_disconnect_request(&writer);
    for (struct tri_inbound *in = io->streams; in; in = in->next) {
        if (!in->leaving)
            (void)tri_link_say(io->wire, in->stream, bytes, (size_t)(writer.at - bytes));
        in->leaving = true;
    }
}

void tri_inbound_cut(struct tri_remote_io *io)
{
    for (struct tri_inbound *in = io->streams; in; in = in->next)
        io->wire->end(in->stream, TRI_WIRE_UNAVAILABLE, "this node leaves");
}
