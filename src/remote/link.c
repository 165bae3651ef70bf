/* The way to one peer, the I/O thread's half: remote/link.h. */
#include "remote/link.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "core/log.h"
#include "remote/bridge.h"
#include "remote/far.h"
#include "remote/flow.h"
#include "remote/inbound.h"

/* Bytes that are given to the wire at a time; it asks for more below the low mark. */
#define HIGH_MARK ((size_t)1 << 20)
#define LOW_MARK ((size_t)256 << 10)
/* Written and not known to have arrived: what may wait in windows and buffers on the way, twice
 * (see remember_written()). */
#define RECENT_BYTES ((uint64_t)16 << 20)
#define BLOCKED_TOLD_MAX 256u
#define PROBE_ID "$troupe-probe"

/* ---- Small messages ---------------------------------------------------------- */

struct note {
    struct tri_buffer buffer;
    uint8_t bytes[];
};

static void note_release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    (void)fate; /* A handshake that was lost is lost with its stream. */
    tri_free(TRI_CONTAINER_OF(buffer, struct note, buffer));
}

bool tri_link_say(struct tri_wire *wire, struct tri_stream *stream, const uint8_t *data,
                  size_t size)
{
    struct note *note = tri_malloc(sizeof *note + size);
    if (!note)
        return false;
    memcpy(note->bytes, data, size);
    note->buffer = (struct tri_buffer){.part[0] = {note->bytes, size}, .release = note_release};
    wire->send(stream, &note->buffer);
    return true;
}

static void greet(struct tri_link *link)
{
    struct tr_remote *remote = link->remote;
    static const size_t size_max = 64 << 10;
    uint8_t *bytes = tri_malloc(size_max);
    struct tri_name blocked[BLOCKED_TOLD_MAX];
    size_t count = 0;
    if (!bytes)
        return; /* The handshake runs out of time. */
    struct tri_writer writer = {.at = bytes, .end = bytes + size_max};
    if (remote->config.dial_only) {
        tri_write_connect_client(&writer, tri_name(remote->system_id));
    } else {
        tri_spin_lock(&remote->blocked_lock);
        for (const struct tri_blocked *b = remote->blocked; b && count < BLOCKED_TOLD_MAX;
             b = b->next)
            blocked[count++] = (struct tri_name){b->id, b->size};
        tri_spin_unlock(&remote->blocked_lock); /* Entries stay until the end. */
        tri_write_connect_server(&writer, tri_name(remote->system_id), tri_name(remote->address),
                                 blocked, count);
    }
    if (!writer.failed)
        (void)tri_link_say(link->io->wire, link->stream, bytes, (size_t)(writer.at - bytes));
    tri_free(bytes);
}

/* A Touch for nobody, as dialect A has it, which both take: the answer shows the peer's own. */
static void probe(struct tri_link *link)
{
    uint8_t memory[TRI_BATCH_MEMORY_MIN];
    struct tri_batch *batch = tri_malloc(sizeof *batch);
    if (!batch)
        return;
    tri_batch_init(batch);
    tri_batch_begin(batch, TRI_DIALECT_A, memory, sizeof memory);
    struct tri_envelope_out e = {0};
    struct tri_wire_pid target = {TRI_NAME("nonhost"), TRI_NAME(PROBE_ID), 0};
    struct tri_wire_pid sender = {tri_name(link->remote->address), TRI_NAME(PROBE_ID), 0};
    struct tri_name touch = tri_system_type_name(TRI_TYPE_TOUCH);
    if (!tri_batch_put_type(batch, 1, touch, &e.type) &&
        !tri_batch_put_target(batch, 1, &target, &e.target) &&
        !tri_batch_put_sender(batch, 1, &sender, &e.sender) && !tri_batch_add(batch, &e)) {
        size_t size;
        const uint8_t *data = tri_batch_finish(batch, &size);
        (void)tri_link_say(link->io->wire, link->stream, data, size);
    }
    tri_batch_fini(batch);
    tri_free(batch);
}

/* ---- What was queued ------------------------------------------------------------ */

static bool is_letter(enum tri_system_type type)
{
    return type != TRI_TYPE_WATCH && type != TRI_TYPE_UNWATCH && type != TRI_TYPE_STOP &&
           type != TRI_TYPE_TERMINATED && type != TRI_TYPE_DEAD_LETTER_RESPONSE;
}

/* It was passed on for an actor of another node, which is to know. */
static void name_passed(struct tri_link *link, const struct tri_envelope_in *in,
                        struct tri_undeliverable *letter)
{
    uint64_t future;
    letter->from = tri_bridge_find(link->io, "", in->sender->pid.id, &future);
    if (tr_pid_is_nobody(letter->from))
        return;
    letter->request = true;
    if (future)
        letter->call = future;
    else if (letter->call == 0)
        letter->call = TRI_CALL_UNNUMBERED;
}

/* What the accounts know of one message of ours. */
static struct tri_undeliverable letter_of(struct tri_link *link, const struct tri_envelope_in *in)
{
    static const struct tr_type other_type = {"message", 0, NULL, TR_TYPE_CONTROL};
    struct tri_undeliverable letter = {.to = tri_far_find(link, in->target->pid.id),
                                       .type = &other_type};
    const struct tr_type *type = tri_types_find(&link->remote->types, in->type->name);
    if (type)
        letter.type = type;
    if (in->sender && tri_remote_is_own(link->remote, in->sender->pid.address)) {
        letter.from = tri_id_find(link->io->ctx, in->sender->pid.id);
        letter.request = in->sender_request_id != 0;
        letter.call = in->sender_request_id;
        if (tr_pid_is_nobody(letter.from))
            name_passed(link, in, &letter);
    }
    return letter;
}

void tri_link_bury(struct tri_link *link, struct tri_chunk *chunk)
{
    struct tri_batch_reader *reader = &link->io->own;
    struct tri_remote_message message;
    struct tri_envelope_in in;
    tr_err err;
    uint32_t left = chunk->letters;
    tri_store(&link->dead, tri_load(&link->dead, TRI_RELAXED) + left, TRI_RELAXED);
    if (left &&
        !tri_parse_remote_message(chunk->buffer.part[0].at, chunk->buffer.part[0].size, &message) &&
        !tri_batch_parse(reader, message.data, message.size, chunk->batch.dialect)) {
        while (left && tri_batch_next(reader, &in, &err)) {
            if (!is_letter(tri_system_type(in.type->name)))
                continue;
            struct tri_undeliverable letter = letter_of(link, &in);
            tri_proxy_undeliverable(link->io->ctx, &letter, TR_DEAD_LINK);
            left--;
        }
    }
    /* Answers that say that something failed look like ours; or there was no memory to look. */
    for (; left; left--) {
        struct tri_undeliverable letter = {.type = &tr_request_failed_type};
        tri_proxy_undeliverable(link->io->ctx, &letter, TR_DEAD_LINK);
    }
}

static void give_up(struct tri_link *link)
{
    struct tri_chunk *chunk;
    while ((chunk = tri_outbox_take(link))) {
        tri_link_bury(link, chunk);
        tri_outbox_done(chunk);
    }
}

/* Letters of the last RECENT_BYTES at least, and of twice as much at most. */
static void remember_written(struct tri_link *link, const struct tri_chunk *chunk)
{
    link->recent[1] += chunk->letters;
    link->recent_bytes[1] += chunk->buffer.part[0].size;
    if (link->recent_bytes[1] < RECENT_BYTES)
        return;
    link->recent[0] = link->recent[1];
    link->recent_bytes[0] = link->recent_bytes[1];
    link->recent[1] = link->recent_bytes[1] = 0;
}

/* The stream is over. If the peer ended it after us, it has read all there was. */
static void settle_written(struct tri_link *link, bool arrived)
{
    uint64_t count = link->recent[0] + link->recent[1];
    struct tr_ctx *ctx = link->io->ctx;
    memset(link->recent, 0, sizeof link->recent);
    memset(link->recent_bytes, 0, sizeof link->recent_bytes);
    if (arrived || count == 0)
        return;
    tri_count(&ctx->counts.processed, (uint64_t)0 - count);
    tri_count(&ctx->counts.unknown, count);
    tri_store(&link->unknown, tri_load(&link->unknown, TRI_RELAXED) + count, TRI_RELAXED);
}

static void chunk_release(struct tri_buffer *buffer, enum tri_buffer_fate fate)
{
    struct tri_chunk *chunk = TRI_CONTAINER_OF(buffer, struct tri_chunk, buffer);
    struct tri_link *link = chunk->link;
    if (fate == TRI_BUFFER_WRITTEN) {
        remember_written(link, chunk);
        /* Relaxed: this thread's figures. */
        tri_store(&link->sent, tri_load(&link->sent, TRI_RELAXED) + chunk->letters, TRI_RELAXED);
        tri_store(&link->batches_sent, tri_load(&link->batches_sent, TRI_RELAXED) + 1, TRI_RELAXED);
        tri_store(&link->bytes_sent,
                  tri_load(&link->bytes_sent, TRI_RELAXED) + buffer->part[0].size, TRI_RELAXED);
    } else {
        tri_link_bury(link, chunk);
    }
    tri_outbox_done(chunk);
}

/* ---- Actions ---------------------------------------------------------------------- */

static uint64_t now_of(const struct tri_link *link)
{
    return link->io->wire->now_ns(link->io->wire->self);
}

static void flush(struct tri_link *link, bool all)
{
    struct tri_wire *wire = link->io->wire;
    struct tri_chunk *chunk;
    while (link->stream && (all || wire->queued(link->stream) < HIGH_MARK) &&
           (chunk = tri_outbox_take(link))) {
        chunk->buffer.release = chunk_release;
        wire->send(link->stream, &chunk->buffer);
        link->used_ns = now_of(link);
    }
}

static void shut(struct tri_link *link)
{
    tri_spin_lock(&link->lock);
    link->shut = true;
    tri_spin_unlock(&link->lock);
    tri_flow_release(link);
}

static void on_opened(void *user, struct tri_stream *stream)
{
    struct tri_link *link = user;
    struct tri_wire *wire = link->io->wire;
    /* It may be known only because its certificate has such a name. */
    if (tri_remote_peer_allowed(link->remote, link->address, wire->peer_names(stream)))
        tri_link_event(link, TRI_ASSOC_OPENED);
    else
        wire->end(stream, TRI_WIRE_CANCELLED, "the peer shows no name that is allowed");
}

static void on_writable(void *user, struct tri_stream *stream)
{
    struct tri_link *link = user;
    (void)stream;
    if (link->assoc.state == TRI_ASSOC_UP)
        flush(link, false);
}

static void on_response(struct tri_link *link, const struct tri_remote_message *message)
{
    struct tri_connect_response response;
    if (tri_parse_connect_response(message->data, message->size, &response)) {
        link->io->wire->end(link->stream, TRI_WIRE_INVALID_ARGUMENT, "malformed ConnectResponse");
        return;
    }
    if (response.blocked || tri_remote_is_blocked(link->remote, response.member_id)) {
        tri_log(link->remote->sys, TR_LOG_WARN, "%s %s", link->address,
                response.blocked ? "has this node on its block list" : "is on the block list");
        tri_link_event(link, TRI_ASSOC_REFUSED);
        return;
    }
    size_t size = response.member_id.size < sizeof link->member_id - 1 ? response.member_id.size
                                                                       : sizeof link->member_id - 1;
    if (link->member_id[0] && !link->configured &&
        !tri_name_equal(response.member_id, tri_name(link->member_id))) {
        /* Another node at this address, maybe of a later version: it may speak otherwise. */
        link->known = TR_DIALECT_DETECT;
        tri_store(&link->learned, 0u, TRI_RELAXED); /* Only whether to tell again. */
    }
    tri_mutex_lock(&link->remote->table.lock); /* Others compare it. */
    memcpy(link->member_id, response.member_id.at, size);
    link->member_id[size] = '\0';
    tri_mutex_unlock(&link->remote->table.lock);
    tri_store(&link->connects, tri_load(&link->connects, TRI_RELAXED) + 1, TRI_RELAXED);
    bool troupe = strncmp(link->member_id, TRI_TROUPE_ID, sizeof TRI_TROUPE_ID - 1) == 0;
    tri_store(&link->troupe, troupe, TRI_RELAXED); /* Spares a message where it is seen. */
    if (troupe)
        link->known = TR_DIALECT_B;
    if (link->known != TR_DIALECT_DETECT)
        tri_outbox_set_dialect(link, link->known == TR_DIALECT_A ? TRI_DIALECT_A : TRI_DIALECT_B);
    tri_link_event(link, link->known == TR_DIALECT_DETECT ? TRI_ASSOC_ACCEPTED_BLIND
                                                          : TRI_ASSOC_ACCEPTED);
}

static void on_message(void *user, struct tri_stream *stream, const uint8_t *data, size_t size)
{
    struct tri_link *link = user;
    struct tri_remote_message message;
    uint64_t first = 0;
    if (tri_parse_remote_message(data, size, &message)) {
        link->io->wire->end(stream, TRI_WIRE_INVALID_ARGUMENT, "malformed RemoteMessage");
        return;
    }
    if (message.kind == TRI_REMOTE_CONNECT_RESPONSE && link->assoc.state == TRI_ASSOC_SHAKING)
        on_response(link, &message);
    else if (message.kind == TRI_REMOTE_DISCONNECT_REQUEST)
        tri_link_event(link, TRI_ASSOC_PEER_LEAVES);
    else if (message.kind == TRI_REMOTE_BATCH && link->remote->config.dial_only)
        (void)tri_inbound_batch(link->io, link, link->member_id, stream, &message, &first, false);
    /* Anything else is from the future: it changes nothing that we know of. */
}

static void on_closed(void *user, struct tri_stream *stream, int status, const char *text)
{
    struct tri_link *link = user;
    (void)stream;
    bool graceful = status == TRI_WIRE_OK && link->assoc.state == TRI_ASSOC_CLOSING;
    link->stream = NULL;
    settle_written(link, graceful);
    if (!graceful && link->assoc.state != TRI_ASSOC_CLOSING)
        tri_log(link->remote->sys, TR_LOG_INFO, "link to %s: %s (%d, %s)", link->address, text,
                status, tri_assoc_state_name(link->assoc.state));
    /* A peer that could not parse what we sent may have become one of the other dialect. */
    if (!link->configured && (status == TRI_WIRE_INTERNAL || status == TRI_WIRE_UNKNOWN)) {
        link->known = TR_DIALECT_DETECT;
        tri_store(&link->learned, 0u, TRI_RELAXED); /* Only whether to tell again. */
    }
    tri_link_event(link, TRI_ASSOC_LOST);
}

static const struct tri_wire_events link_events = {.low_mark = LOW_MARK,
                                                   .opened = on_opened,
                                                   .message = on_message,
                                                   .writable = on_writable,
                                                   .closed = on_closed};

/* Clients cannot be dialled: they are there or they are not. */
static enum tri_assoc_event dial(struct tri_link *link)
{
    struct tri_wire *wire = link->io->wire;
    if (link->client) {
        link->stream = tri_inbound_stream(link->client);
        return TRI_ASSOC_OPENED;
    }
    if (link->address[0] == '$')
        return TRI_ASSOC_LOST;
    link->stream = wire->dial(wire->self, link->address, TRI_RECEIVE_PATH, &link_events, link);
    return link->stream ? TRI_ASSOC_EVENT_COUNT : TRI_ASSOC_LOST;
}

static void hang_up(struct tri_link *link)
{
    if (!link->stream)
        return;
    if (link->client)
        tri_link_client(link, NULL);
    else
        link->io->wire->close_send(link->stream);
}

/* Carries out what is to be done; the event that comes of it at once, if any. */
static enum tri_assoc_event act(struct tri_link *link, enum tri_assoc_event event, uint32_t actions)
{
    enum tri_assoc_event next = TRI_ASSOC_EVENT_COUNT;
    bool leaving = link->assoc.leaving;
    if (leaving && !(actions & TRI_ASSOC_FLUSH))
        shut(link);
    if (actions & TRI_ASSOC_CANCEL && link->stream)
        link->io->wire->end(link->stream, TRI_WIRE_CANCELLED, "given up");
    if (actions & (TRI_ASSOC_GIVE_UP | TRI_ASSOC_DOWN))
        tri_inbound_settle(link->io); /* What has come is there before its end is known. */
    if (actions & TRI_ASSOC_GIVE_UP)
        give_up(link);
    if (actions & TRI_ASSOC_DOWN) {
        tri_far_down(link, link->io->ctx, TR_EPEER);
        bool forgotten = tri_far_forget_watches(link, link->io->ctx);
        /* Relaxed: a number that the threads of the peer's streams compare once a second. */
        if (forgotten && event != TRI_ASSOC_PEER_LEAVES)
            (void)tri_fetch_add(&link->forgotten, 1u, TRI_RELAXED);
    }
    if (actions & TRI_ASSOC_DIAL)
        next = dial(link);
    if (actions & TRI_ASSOC_GREET) {
        if (link->client)
            next = TRI_ASSOC_ACCEPTED;
        else
            greet(link);
    }
    if (actions & TRI_ASSOC_PROBE)
        probe(link);
    if (actions & TRI_ASSOC_ASSUME) {
        tri_log(link->remote->sys, TR_LOG_INFO,
                "%s has not shown its dialect: taken for the newer one", link->address);
        tri_outbox_set_dialect(link, TRI_DIALECT_B);
    }
    if (actions & TRI_ASSOC_FLUSH)
        flush(link, leaving);
    if (leaving && actions & TRI_ASSOC_FLUSH)
        shut(link);
    if (actions & TRI_ASSOC_HANG_UP)
        hang_up(link);
    return next;
}

void tri_link_event(struct tri_link *link, enum tri_assoc_event event)
{
    struct tri_wire *wire = link->io->wire;
    while (event != TRI_ASSOC_EVENT_COUNT) {
        uint32_t actions = tri_assoc_on(&link->assoc, &link->remote->assoc, event, now_of(link));
        /* Relaxed: copies for figures. */
        tri_store(&link->state, (uint32_t)link->assoc.state, TRI_RELAXED);
        tri_store(&link->attempts, link->assoc.attempts, TRI_RELAXED);
        event = act(link, event, actions);
    }
    tri_store(&link->known_copy, (uint32_t)link->known, TRI_RELAXED);
    wire->timer(wire->self, &link->timer,
                link->assoc.due_ns == UINT64_MAX ? 0 : link->assoc.due_ns);
}

static void on_timer(struct tri_wire_timer *timer)
{
    tri_link_event(TRI_CONTAINER_OF(timer, struct tri_link, timer), TRI_ASSOC_TIMER);
}

static void on_job(struct tri_wire_job *job)
{
    struct tri_link *link = TRI_CONTAINER_OF(job, struct tri_link, job);
    tri_spin_lock(&link->lock);
    link->queued = false; /* From here on it may be posted anew. */
    tri_spin_unlock(&link->lock);
    link->used_ns = now_of(link);
    if (link->assoc.state == TRI_ASSOC_SHUT)
        give_up(link); /* What slipped in. */
    else
        tri_link_event(link, TRI_ASSOC_WANT);
}

/* ---- Dialects ------------------------------------------------------------------------ */

static void on_learn(struct tri_wire_job *job)
{
    struct tri_link *link = TRI_CONTAINER_OF(job, struct tri_link, learn);
    /* Sequentially consistent, as in tri_link_learn(): either it sees this and posts again, or the
     * load below sees what it has learned. */
    tri_store(&link->learn_queued, false, TRI_SEQ_CST);
    enum tr_dialect dialect = (enum tr_dialect)tri_load(&link->learned, TRI_SEQ_CST);
    /* Nodes of ours speak both; which one they answer in says nothing. */
    if (link->configured || link->known == dialect || dialect == TR_DIALECT_DETECT ||
        (tri_load(&link->troupe, TRI_RELAXED) && link->known != TR_DIALECT_DETECT))
        return;
    link->known = dialect;
    tri_outbox_set_dialect(link, dialect == TR_DIALECT_A ? TRI_DIALECT_A : TRI_DIALECT_B);
    tri_link_event(link, TRI_ASSOC_DIALECT);
}

void tri_link_learn(struct tri_link *link, enum tr_dialect dialect)
{
    uint32_t none = 0;
    if (tri_load(&link->learned, TRI_RELAXED) == 0 &&
        tri_cas_strong(&link->learned, &none, (uint32_t)dialect, TRI_SEQ_CST, TRI_RELAXED) &&
        !tri_xchg(&link->learn_queued, true, TRI_SEQ_CST))
        link->io->wire->post(link->io->wire->self, &link->learn);
}

/* ---- Life ------------------------------------------------------------------------------ */

struct tri_link *tri_link_create(struct tr_remote *remote, const char *address)
{
    struct tri_link *link = tri_calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->address = tri_strdup(address);
    if (!link->address) {
        tri_free(link);
        return NULL;
    }
    link->remote = remote;
    link->bridged = tri_bridge_leads_to(remote, address);
    link->io = &remote->io[tri_fnv1a32(address, strlen(address)) % remote->io_count];
    tri_spin_init(&link->lock);
    link->job.run = on_job;
    link->learn.run = on_learn;
    link->timer.fire = on_timer;
    tri_assoc_init(&link->assoc, tri_sys_random(remote->sys));
    link->known = tri_remote_known_dialect(remote, address);
    link->configured = link->known != TR_DIALECT_DETECT;
    link->dialect = link->known == TR_DIALECT_DETECT ? TRI_DIALECT_UNKNOWN
                    : link->known == TR_DIALECT_A    ? TRI_DIALECT_A
                                                     : TRI_DIALECT_B;
    tri_store(&link->known_copy, (uint32_t)link->known, TRI_RELAXED);
    return link;
}

void tri_link_destroy(struct tri_link *link)
{
    struct tri_chunk *chunk; /* Left over only if the thread had no time to bury them. */
    while ((chunk = tri_outbox_take(link)))
        tri_outbox_done(chunk);
    tri_outbox_drop_open(link);
    tri_free(link->address);
    tri_free(link);
}

void tri_link_client(struct tri_link *link, struct tri_inbound *client)
{
    bool gone = link->client && !client;
    link->client = client;
    if (gone && link->stream) {
        link->stream = NULL;
        settle_written(link, false);
        tri_link_event(link, TRI_ASSOC_LOST);
    } else if (client &&
               (link->assoc.state == TRI_ASSOC_IDLE || link->assoc.state == TRI_ASSOC_WAITING)) {
        link->assoc.retry_ns = 0; /* It is there: nothing to wait for. */
        tri_link_event(link,
                       link->assoc.state == TRI_ASSOC_IDLE ? TRI_ASSOC_WANT : TRI_ASSOC_TIMER);
    }
}

void tri_link_tick(struct tri_link *link, uint64_t now_ns)
{
    tri_flow_look(link);
    uint64_t idle_ns = (uint64_t)link->remote->config.idle_ms * 1000000u;
    if (link->assoc.state != TRI_ASSOC_UP || link->client || tri_link_bytes(link) != 0 ||
        now_ns - link->used_ns < idle_ns)
        return;
    if (!tri_far_awaited(link))
        tri_link_event(link, TRI_ASSOC_UNUSED);
}

/* ---- What we say to actors there -------------------------------------------------------- */

static void say_to(struct tri_link *link, struct tr_ctx *ctx, enum tri_system_type type,
                   struct tri_name target, uint32_t request_id, const struct tri_writer *writer,
                   const uint8_t *payload)
{
    struct tri_outgoing out = {
        .type = tri_system_type_name(type),
        .type_key = (uint64_t)type + 1,
        .target = target,
        .target_key = tri_siphash(link->remote->table.key, target.at, target.size) | 1,
        .target_request_id = request_id,
        .body = payload,
        .body_size = (size_t)(writer->at - payload),
        .must = true};
    if (!writer->failed)
        (void)tri_outbox_put(link, ctx, &out);
}

void tri_link_terminated(struct tri_link *link, struct tr_ctx *ctx, struct tri_name watcher,
                         struct tri_name who, enum tri_terminated_why why)
{
    uint8_t payload[2 * TR_NAME_SIZE_MAX + 64];
    struct tri_writer writer = {.at = payload, .end = payload + sizeof payload};
    struct tri_wire_pid pid = {tri_name(link->remote->address), who, 0};
    tri_write_terminated(&writer, &pid, (int32_t)why);
    say_to(link, ctx, TRI_TYPE_TERMINATED, watcher, 0, &writer, payload);
}

void tri_link_dead_letter(struct tri_link *link, struct tr_ctx *ctx, struct tri_name sender,
                          uint32_t request_id, struct tri_name target)
{
    uint8_t payload[2 * TR_NAME_SIZE_MAX + 64];
    struct tri_writer writer = {.at = payload, .end = payload + sizeof payload};
    struct tri_wire_pid pid = {tri_name(link->remote->address), target, 0};
    tri_write_one_pid(&writer, &pid);
    say_to(link, ctx, TRI_TYPE_DEAD_LETTER_RESPONSE, sender, request_id, &writer, payload);
}
