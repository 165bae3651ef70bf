/* What is queued for a peer: remote/link.h. */
#include "base/alloc.h"
#include "core/headers.h"
#include "remote/bridge.h"
#include "remote/far.h"
#include "remote/flow.h"

/* Chunks that are kept for the next message. */
#define CHUNKS_KEPT 64u
/* Larger bodies are encoded into a chunk of their own, before the lock is taken. */
#define LARGE_BODY ((size_t)16 << 10)
/* Below the 4 MiB that protoactor-go takes in one message, with room for what is around it. */
#define MESSAGE_MAX ((size_t)4000000)
/* Room for an envelope and its entries in the tables, beside the payload. */
#define ENVELOPE_ROOM ((size_t)4096)
/* Beside a header's texts: tags and sizes. */
#define HEADER_ROOM 24u
/* Beside the queue's bound, for what must not be refused. */
#define MUST_FACTOR 2u
/* Who asks first stops this part before it, so that who cannot wait finds room. */
#define TRY_PART 8u

/* ---- Chunks ---------------------------------------------------------------- */

static struct tri_chunk *chunk_new(struct tri_link *link, size_t capacity)
{
    struct tr_remote *remote = link->remote;
    struct tri_chunk *chunk = NULL;
    if (capacity <= remote->config.batch_bytes) {
        capacity = remote->config.batch_bytes;
        tri_spin_lock(&remote->chunk_lock);
        chunk = remote->chunks;
        if (chunk) {
            remote->chunks = chunk->next;
            remote->chunk_count--;
        }
        tri_spin_unlock(&remote->chunk_lock);
    }
    if (!chunk) {
        chunk = tri_malloc(sizeof *chunk + capacity);
        if (!chunk)
            return NULL;
        tri_batch_init(&chunk->batch);
        chunk->capacity = capacity;
    }
    chunk->next = NULL;
    chunk->link = link;
    chunk->letters = 0;
    chunk->count = 0;
    chunk->bytes = 0;
    chunk->serial = 0;
    tri_batch_begin(&chunk->batch, link->dialect, chunk->memory, chunk->capacity);
    return chunk;
}

static void chunk_free(struct tri_chunk *chunk)
{
    struct tr_remote *remote = chunk->link->remote;
    bool keep = false;
    if (chunk->capacity == remote->config.batch_bytes) {
        tri_spin_lock(&remote->chunk_lock);
        keep = remote->chunk_count < CHUNKS_KEPT;
        if (keep) {
            chunk->next = remote->chunks;
            remote->chunks = chunk;
            remote->chunk_count++;
        }
        tri_spin_unlock(&remote->chunk_lock);
    }
    if (!keep) {
        tri_batch_fini(&chunk->batch);
        tri_free(chunk);
    }
}

void tri_outbox_free_chunks(struct tr_remote *remote)
{
    while (remote->chunks) {
        struct tri_chunk *chunk = remote->chunks;
        remote->chunks = chunk->next;
        tri_batch_fini(&chunk->batch);
        tri_free(chunk);
    }
    remote->chunk_count = 0;
}

/* Makes one message of the batch. Under the lock, or the chunk is the caller's. */
static void chunk_finish(struct tri_chunk *chunk)
{
    size_t size;
    const uint8_t *at = tri_batch_finish(&chunk->batch, &size);
    chunk->buffer.part[0].at = at;
    chunk->buffer.part[0].size = size;
    chunk->buffer.part[1].at = NULL;
    chunk->buffer.part[1].size = 0;
}

/* Puts a finished chunk at the end of the queue. Under the lock. */
static void append(struct tri_link *link, struct tri_chunk *chunk)
{
    chunk->next = NULL;
    if (link->last)
        link->last->next = chunk;
    else
        link->first = chunk;
    link->last = chunk;
    tri_fetch_add(&link->remote->queued_bytes, chunk->bytes, TRI_RELAXED); /* A figure. */
}

static void seal(struct tri_link *link)
{
    struct tri_chunk *chunk = link->open;
    link->open = NULL;
    chunk_finish(chunk);
    append(link, chunk);
}

struct tri_chunk *tri_outbox_take(struct tri_link *link)
{
    tri_spin_lock(&link->lock);
    if (!link->first && link->open && link->open->count)
        seal(link);
    struct tri_chunk *chunk = link->first;
    if (chunk) {
        link->first = chunk->next;
        if (!link->first)
            link->last = NULL;
        chunk->next = NULL;
    } else {
        link->posted = false; /* Whoever queues something now calls us. */
    }
    tri_spin_unlock(&link->lock);
    return chunk;
}

void tri_outbox_done(struct tri_chunk *chunk)
{
    struct tri_link *link = chunk->link;
    tri_fetch_sub(&link->remote->queued_bytes, chunk->bytes, TRI_RELAXED); /* A figure. */
    /* Relaxed: the I/O thread's own; others read figures. */
    tri_store(&link->letters_out, tri_load(&link->letters_out, TRI_RELAXED) + chunk->letters,
              TRI_RELAXED);
    tri_store(&link->bytes_out, tri_load(&link->bytes_out, TRI_RELAXED) + chunk->bytes,
              TRI_RELAXED);
    chunk_free(chunk);
    if (tri_flow_holds(link->remote))
        tri_flow_look(link);
}

/* ---- Putting a message in ---------------------------------------------------- */

/* The sender as the peer is to see it. Looked up before the lock is taken. */
struct sender {
    uint64_t key;
    struct tri_wire_pid pid;
    char id[TRI_ID_SIZE_MAX + 1];
};

/* Of a sender that the batch has not seen yet. */
static void name_sender(struct tri_link *link, struct tr_ctx *ctx, const struct tri_outgoing *out,
                        struct sender *ret)
{
    struct tr_remote *remote = link->remote;
    struct tri_name address = tri_name(remote->address);
    uint32_t size;
    if (out->sender_id.size) {
        size = out->sender_id.size;
        memcpy(ret->id, out->sender_id.at, size);
    } else if (tri_pid_remote(out->from)) {
        struct tri_link *home = NULL;
        if (!tri_far_name(remote, out->from, ret->id, &size, &home))
            size = 0;
        if (out->call & TRI_CALL_FUTURE)
            size = tri_future_id(out->call & ~TRI_CALL_FUTURE, ret->id);
        if (home && !tri_bridge_rename(link, home, ret->id, &size))
            address = tri_name(home->address);
    } else {
        size = tri_id_of(ctx, out->from, ret->id);
    }
    ret->pid = (struct tri_wire_pid){address, {ret->id, size}, 0};
}

static inline uint64_t sender_key(const struct tri_outgoing *out)
{
    if (TRI_UNLIKELY(out->sender_id.size))
        return 1; /* There is one such sender. */
    return TRI_UNLIKELY(out->call & TRI_CALL_FUTURE) ? out->call : out->from.bits;
}

/* The number of a sender's call as the wire has it: 0 says that nobody waits. */
static inline uint32_t call_number(const struct tri_outgoing *out)
{
    if (TRI_UNLIKELY(tri_pid_remote(out->from)))
        return tri_reply_number(out->call); /* Passed on: as it came. */
    return tri_call_number(out->call);
}

/* Adds to a batch. *sender is NULL until it is needed and has been looked up. */
static enum tri_batch_result add(struct tri_chunk *chunk, const struct tri_outgoing *out,
                                 const struct sender *sender, bool *ret_wants_sender)
{
    struct tri_batch *batch = &chunk->batch;
    enum tri_batch_result result = TRI_BATCH_OK;
    struct tri_envelope_out e = {.sender = -1,
                                 .target_request_id = out->target_request_id,
                                 .codec = out->codec,
                                 .body = out->body,
                                 .body_size = out->body_size,
                                 .serializer_id = out->serializer_id,
                                 .headers = out->headers,
                                 .header_count = out->header_count};
    if (!tr_pid_is_nobody(out->from) || out->sender_id.size) {
        e.sender_request_id = call_number(out);
        e.sender = tri_batch_find(batch, &batch->senders, sender_key(out));
        if (e.sender < 0) {
            *ret_wants_sender = !sender;
            if (!sender)
                return TRI_BATCH_OK;
            result = tri_batch_put_sender(batch, sender_key(out), &sender->pid, &e.sender);
        }
    }
    e.type = tri_batch_find(batch, &batch->types, out->type_key);
    if (e.type < 0 && result == TRI_BATCH_OK)
        result = tri_batch_put_type(batch, out->type_key,
                                    out->type.size ? out->type : tri_name(out->type.at), &e.type);
    e.target = tri_batch_find(batch, &batch->targets, out->target_key);
    if (e.target < 0 && result == TRI_BATCH_OK) {
        /* A node of dialect A that reads an address other than its own dials it, for ever. */
        struct tri_wire_pid pid = {TRI_NAME("nonhost"), out->target, 0};
        result = tri_batch_put_target(batch, out->target_key, &pid, &e.target);
    }
    if (result == TRI_BATCH_OK)
        result = tri_batch_add(batch, &e);
    if (result == TRI_BATCH_OK && out->route)
        *out->route = (struct tri_route){.serial = chunk->serial,
                                         .type_key = out->type_key,
                                         .sender_key = sender_key(out),
                                         .type = e.type,
                                         .target = e.target,
                                         .sender = e.sender};
    return result;
}

static enum tri_put verdict(enum tri_batch_result result)
{
    return result == TRI_BATCH_NO_MEMORY ? TRI_PUT_MEMORY : TRI_PUT_INVALID;
}

/* Under the lock. */
static inline void count_in(struct tri_link *link, struct tri_chunk *chunk, size_t bytes,
                            uint32_t letters)
{
    chunk->bytes += bytes;
    chunk->count++;
    chunk->letters += letters;
    /* Relaxed: written under the lock only; others read figures. */
    tri_store(&link->bytes_in, tri_load(&link->bytes_in, TRI_RELAXED) + bytes, TRI_RELAXED);
    tri_store(&link->letters_in, tri_load(&link->letters_in, TRI_RELAXED) + letters, TRI_RELAXED);
}

/* A message of usual size goes into the open chunk. Under the lock. */
static enum tri_put put_open(struct tri_link *link, const struct tri_outgoing *out,
                             const struct sender *sender, bool *ret_wants_sender)
{
    for (unsigned tries = 0; tries < 2; tries++) {
        if (!link->open) {
            link->open = chunk_new(link, 0);
            if (!link->open)
                return TRI_PUT_MEMORY;
            link->open->serial = ++link->serials;
        }
        struct tri_chunk *chunk = link->open;
        const uint8_t *before = chunk->batch.at;
        enum tri_batch_result result = add(chunk, out, sender, ret_wants_sender);
        if (*ret_wants_sender)
            return TRI_PUT_OK;
        if (result == TRI_BATCH_OK) {
            count_in(link, chunk, (size_t)(chunk->batch.at - before), out->letter);
            return TRI_PUT_OK;
        }
        if (result != TRI_BATCH_FULL || chunk->count == 0)
            return verdict(result);
        seal(link);
    }
    return TRI_PUT_INVALID;
}

/* A large message gets a chunk of its own, in which it is encoded before the lock is taken. */
static enum tri_put make_large(struct tri_link *link, struct tr_ctx *ctx,
                               const struct tri_outgoing *out, size_t size,
                               struct tri_chunk **ret_chunk)
{
    struct sender sender;
    bool wants_sender = false;
    if (!tr_pid_is_nobody(out->from) || out->sender_id.size)
        name_sender(link, ctx, out, &sender);
    tri_spin_lock(&link->lock); /* The dialect is read in it. */
    struct tri_chunk *chunk = chunk_new(link, size + ENVELOPE_ROOM);
    tri_spin_unlock(&link->lock);
    if (!chunk)
        return TRI_PUT_MEMORY;
    enum tri_batch_result result = add(chunk, out, &sender, &wants_sender);
    if (result != TRI_BATCH_OK) {
        chunk_free(chunk);
        return verdict(result);
    }
    chunk->bytes = size;
    chunk->count = 1;
    chunk->letters = out->letter;
    chunk_finish(chunk);
    *ret_chunk = chunk;
    return TRI_PUT_OK;
}

bool tri_outbox_has_room(const struct tri_link *link, enum tri_room room)
{
    const struct tr_remote_config *config = &link->remote->config;
    uint64_t bytes = tri_link_bytes(link);
    uint64_t total = tri_load(&link->remote->queued_bytes, TRI_RELAXED);
    uint64_t most = config->queue_bytes, most_total = config->queue_bytes_total;
    /* Who found it full the last time waits: this one is the last for now. */
    bool waits = config->overflow == TR_DELAY || config->overflow == TR_DROP_OLDEST;
    if (room == TRI_ROOM_BOUND) {
        most -= most / TRY_PART;
        most_total -= most_total / TRY_PART;
    } else if (room == TRI_ROOM_MUST || waits) {
        most *= MUST_FACTOR;
        most_total *= MUST_FACTOR;
    }
    bool bounded = room == TRI_ROOM_BOUND || !(waits || config->overflow == TR_QUEUE);
    return total < most_total && (bytes < most || !bounded);
}

static inline enum tri_room room_of(const struct tri_outgoing *out)
{
    return out->bound ? TRI_ROOM_BOUND : out->must ? TRI_ROOM_MUST : TRI_ROOM_USUAL;
}

/* Under the lock; true if the I/O thread is to be called. */
static bool wake(struct tri_link *link)
{
    bool call = !link->posted && !link->queued;
    link->posted = true;
    link->queued |= call;
    return call;
}

bool tri_outbox_repeat(struct tri_link *link, uint64_t serial, const struct tri_envelope_out *e,
                       enum tri_room room)
{
    bool call = false;
    tri_spin_lock(&link->lock);
    struct tri_chunk *chunk = link->open;
    bool done = chunk && chunk->serial == serial && !link->shut && tri_outbox_has_room(link, room);
    if (TRI_LIKELY(done)) {
        const uint8_t *before = chunk->batch.at;
        done = tri_batch_add(&chunk->batch, e) == TRI_BATCH_OK;
        if (TRI_LIKELY(done)) {
            count_in(link, chunk, (size_t)(chunk->batch.at - before), 1);
            call = wake(link);
        }
    }
    tri_spin_unlock(&link->lock);
    if (call)
        link->io->wire->post(link->io->wire->self, &link->job);
    return done;
}

static enum tri_put put_large(struct tri_link *link, struct tr_ctx *ctx,
                              const struct tri_outgoing *out, size_t size, bool *ret_call)
{
    struct tri_chunk *chunk = NULL;
    if (size > MESSAGE_MAX)
        return TRI_PUT_INVALID;
    if (!tri_outbox_has_room(
            link, room_of(out))) /* Before the work is done; the bound is not to the byte. */
        return TRI_PUT_FULL;
    enum tri_put put = make_large(link, ctx, out, size, &chunk);
    if (put)
        return put;
    TRI_ASSERT(chunk != NULL);
    tri_spin_lock(&link->lock);
    if (link->shut || chunk->batch.dialect != link->dialect) {
        /* The peer has told its dialect meanwhile: rare enough to do the work again. */
        bool shut = link->shut;
        tri_spin_unlock(&link->lock);
        chunk_free(chunk);
        return shut ? TRI_PUT_SHUT : put_large(link, ctx, out, size, ret_call);
    }
    if (link->open && link->open->count)
        seal(link);
    append(link, chunk);
    tri_store(&link->bytes_in, tri_load(&link->bytes_in, TRI_RELAXED) + chunk->bytes, TRI_RELAXED);
    tri_store(&link->letters_in, tri_load(&link->letters_in, TRI_RELAXED) + chunk->letters,
              TRI_RELAXED);
    *ret_call = wake(link);
    tri_spin_unlock(&link->lock);
    return TRI_PUT_OK;
}

static enum tri_put put_usual(struct tri_link *link, struct tr_ctx *ctx,
                              const struct tri_outgoing *out, bool *ret_call)
{
    struct sender sender;
    const struct sender *known = NULL;
    for (;;) {
        bool wants_sender = false;
        enum tri_put put = TRI_PUT_SHUT;
        tri_spin_lock(&link->lock);
        if (!link->shut && !tri_outbox_has_room(link, room_of(out)))
            put = TRI_PUT_FULL;
        else if (!link->shut)
            put = put_open(link, out, known, &wants_sender);
        if (put == TRI_PUT_OK && !wants_sender)
            *ret_call = wake(link);
        tri_spin_unlock(&link->lock);
        if (!wants_sender)
            return put;
        name_sender(link, ctx, out, &sender);
        known = &sender;
    }
}

enum tri_put tri_outbox_put(struct tri_link *link, struct tr_ctx *ctx,
                            const struct tri_outgoing *out)
{
    bool call = false;
    size_t size = out->body_size;
    if (out->codec) {
        size = out->codec->encoded_size_max;
        if (size == 0 || size > LARGE_BODY)
            size = out->codec->encoded_size(out->body, out->body_size);
    }
    for (uint32_t i = 0; TRI_UNLIKELY(i < out->header_count); i++)
        size += (size_t)out->headers[i].key.size + out->headers[i].value.size + HEADER_ROOM;
    enum tri_put put = size > LARGE_BODY || size + ENVELOPE_ROOM > link->remote->config.batch_bytes
                           ? put_large(link, ctx, out, size, &call)
                           : put_usual(link, ctx, out, &call);
    if (call)
        link->io->wire->post(link->io->wire->self, &link->job);
    if (put == TRI_PUT_FULL && !out->bound)             /* Else its sender is told, and keeps it. */
        tri_fetch_add(&link->refused, 1u, TRI_RELAXED); /* A figure. */
    return put;
}

void tri_outbox_drop_open(struct tri_link *link)
{
    tri_spin_lock(&link->lock);
    struct tri_chunk *chunk = link->open && link->open->count == 0 ? link->open : NULL;
    if (chunk)
        link->open = NULL;
    tri_spin_unlock(&link->lock);
    if (chunk)
        chunk_free(chunk);
}

/* ---- Another dialect ----------------------------------------------------------- */

/* Puts what is in a chunk into a new one of the other dialect. NULL when out of memory. */
static struct tri_chunk *translate(struct tri_link *link, struct tri_chunk *old)
{
    struct tri_batch_reader *reader = &link->io->own;
    struct tri_remote_message message;
    struct tri_envelope_in in;
    tr_err err = tri_parse_remote_message(old->buffer.part[0].at, old->buffer.part[0].size,
                                          &message);
    TRI_ASSERT(!err && message.kind == TRI_REMOTE_BATCH); /* We made it. */
    struct tri_chunk *chunk = chunk_new(link, old->capacity + ENVELOPE_ROOM);
    if (!chunk)
        return NULL;
    if (tri_batch_parse(reader, message.data, message.size, old->batch.dialect)) {
        chunk_free(chunk);
        return NULL;
    }
    while (tri_batch_next(reader, &in, &err)) {
        struct tri_header headers[TR_HEADERS_MAX];
        struct tri_envelope_out e = {.headers = headers,
                                     .target_request_id = in.target_request_id,
                                     .sender_request_id = in.sender_request_id,
                                     .body = in.payload,
                                     .body_size = in.payload_size,
                                     .serializer_id = in.serializer_id,
                                     .sender = -1};
        while (e.header_count < TR_HEADERS_MAX &&
               tri_next_header(&in.headers, &headers[e.header_count], &err))
            e.header_count++;
        uint64_t type_key = (uint64_t)(in.type - reader->types) + 1;
        uint64_t target_key = (uint64_t)(in.target - reader->targets) + 1;
        uint64_t key = in.sender ? (uint64_t)(in.sender - reader->senders) + 1 : 0;
        struct tri_batch *batch = &chunk->batch;
        enum tri_batch_result result = TRI_BATCH_OK;
        e.type = tri_batch_find(batch, &batch->types, type_key);
        if (e.type < 0)
            result = tri_batch_put_type(batch, type_key, in.type->name, &e.type);
        e.target = tri_batch_find(batch, &batch->targets, target_key);
        if (in.target->pid.address.size == 0)
            in.target->pid.address = TRI_NAME("nonhost"); /* Dialect B has ids alone. */
        if (!result && e.target < 0)
            result = tri_batch_put_target(batch, target_key, &in.target->pid, &e.target);
        if (!result && key) {
            e.sender = tri_batch_find(batch, &batch->senders, key);
            if (e.sender < 0)
                result = tri_batch_put_sender(batch, key, &in.sender->pid, &e.sender);
        }
        if (!result)
            result = tri_batch_add(batch, &e);
        if (result) {
            chunk_free(chunk);
            return NULL;
        }
    }
    chunk->letters = old->letters;
    chunk->count = old->count;
    chunk->bytes = old->bytes;
    chunk_finish(chunk);
    return chunk;
}

void tri_outbox_set_dialect(struct tri_link *link, enum tri_dialect dialect)
{
    tri_spin_lock(&link->lock);
    bool same = (link->dialect == TRI_DIALECT_B) == (dialect == TRI_DIALECT_B);
    if (link->open && link->open->count)
        seal(link);
    if (link->open)
        chunk_free(link->open); /* It has begun in the other dialect. */
    link->open = NULL;
    link->dialect = dialect;
    struct tri_chunk *chunks = same ? NULL : link->first;
    if (!same)
        link->first = link->last = NULL;
    tri_spin_unlock(&link->lock);
    /* Without the lock: what comes meanwhile is put behind it below. */
    struct tri_chunk *first = NULL, *last = NULL;
    while (chunks) {
        struct tri_chunk *old = chunks;
        chunks = old->next;
        struct tri_chunk *made = translate(link, old);
        if (made) {
            chunk_free(old);
        } else {
            tri_link_bury(link, old);
            tri_outbox_done(old);
            continue;
        }
        if (last)
            last->next = made;
        else
            first = made;
        last = made;
    }
    if (!last)
        return;
    tri_spin_lock(&link->lock);
    last->next = link->first;
    if (!link->first)
        link->last = last;
    link->first = first;
    tri_spin_unlock(&link->lock);
}
