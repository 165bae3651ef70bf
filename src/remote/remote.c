/* Putting a remoting node together, without what carries it: remote/node.h. */
#include "base/alloc.h"
#include "base/error.h"
#include "os/clock.h"
#include "remote/activator.h"
#include "remote/bridge.h"
#include "remote/far.h"
#include "remote/inbound.h"
#include "troupe/middleware.h"

#include <stdio.h>
#include <stdlib.h>

#define TICK_NS 1000000000u
#define LEAVE_LOOK_NS 2000000u
/* One frame of DATA with gRPC's prefix: read in one piece, and worked off while it is in the cache. */
#define BATCH_BYTES (((size_t)64 << 10) - 64)

/* ---- The port ------------------------------------------------------------------------ */

static tr_pid resolve(void *self, struct tr_ctx *ctx, const char *address, const char *id)
{
    struct tr_remote *remote = self;
    tr_err err;
    size_t size = strnlen(address, TR_ADDRESS_SIZE_MAX + 1);
    size_t id_size = strnlen(id, TRI_ID_SIZE_MAX + 1);
    struct tri_name name = {address, (uint32_t)size};
    if (size > TR_ADDRESS_SIZE_MAX || id_size == 0 || id_size > TRI_ID_SIZE_MAX)
        return tr_nobody(TR_EINVAL);
    if (tri_remote_is_own(remote, name))
        return tri_id_find(ctx, tri_name(id));
    struct tri_link *link = tri_table_link(remote, name, false, &err);
    return link ? tri_far_get(link, ctx, tri_name(id), true) : tr_nobody(err);
}

static uint64_t pending(void *self)
{
    struct tr_remote *remote = self;
    uint64_t sum = 0;
    tri_mutex_lock(&remote->table.lock);
    for (uint32_t i = 0; i < remote->table.link_count; i++)
        sum += tri_link_letters(remote->table.links[i]);
    tri_mutex_unlock(&remote->table.lock);
    return sum;
}

static void close_port(void *self, unsigned deadline_ms)
{
    (void)tr_remote_stop(self, deadline_ms);
}

static void free_texts(char **texts)
{
    for (char **at = texts; at && *at; at++)
        tri_free(*at);
    tri_free(texts);
}

static void destroy(void *self)
{
    struct tr_remote *remote = self;
    tri_table_fini(remote);
    for (uint32_t i = 0; i < TRI_ARRAY_COUNT(remote->known); i++)
        tri_free(remote->known[i]);
    tri_outbox_free_chunks(remote);
    tri_types_fini(&remote->types);
    while (remote->blocked) {
        struct tri_blocked *b = remote->blocked;
        remote->blocked = b->next;
        tri_free(b);
    }
    for (uint32_t i = 0; i < remote->peer_count; i++)
        tri_free((char *)(uintptr_t)remote->peers[i].address);
    for (uint32_t i = 0; i < remote->kind_count; i++)
        tri_free((char *)(uintptr_t)remote->kinds[i].kind);
    tri_free(remote->peers);
    tri_free(remote->kinds);
    tri_free(remote->refused);
    tri_bridge_fini(remote);
    free_texts(remote->own);
    free_texts(remote->allowed);
    tri_free(remote->address);
    tri_free(remote);
}

/* ---- Configuration ----------------------------------------------------------------------- */

/* A copy of a NULL-terminated array of texts; false when out of memory. */
static bool copy_texts(const char *const *texts, char ***ret)
{
    size_t count = 0;
    while (texts && texts[count])
        count++;
    *ret = texts ? tri_calloc(count + 1, sizeof **ret) : NULL;
    for (size_t i = 0; *ret && i < count; i++) {
        (*ret)[i] = tri_strdup(texts[i]);
        if (!(*ret)[i])
            return false;
    }
    return !texts || *ret;
}

static bool copy_peers(struct tr_remote *remote, const struct tr_remote_peer *peers)
{
    uint32_t count = 0;
    while (peers && peers[count].address)
        count++;
    remote->peers = tri_calloc(count + 1, sizeof *remote->peers);
    for (uint32_t i = 0; remote->peers && i < count; i++) {
        char *address = tri_strdup(peers[i].address);
        if (!address)
            return false;
        remote->peers[remote->peer_count++] = (struct tr_remote_peer){address, peers[i].dialect};
    }
    return remote->peers != NULL;
}

static bool copy_kinds(struct tr_remote *remote, const struct tr_remote_kind *kinds)
{
    uint32_t count = 0;
    while (kinds && kinds[count].kind)
        count++;
    remote->kinds = tri_calloc(count + 1, sizeof *remote->kinds);
    for (uint32_t i = 0; remote->kinds && i < count; i++) {
        char *kind = tri_strdup(kinds[i].kind);
        if (!kind)
            return false;
        remote->kinds[remote->kind_count++] = (struct tr_remote_kind){kind, kinds[i].args};
    }
    return remote->kinds != NULL;
}

static tr_err copy_types(struct tr_remote *remote, const struct tr_remote_config *config,
                         struct tr_error *error)
{
    uint32_t count = 0;
    for (const struct tr_type *const *type = config->types; type && *type; type++) {
        tr_err err = tri_types_add(&remote->types, *type, error);
        if (err)
            return err;
    }
    while (config->types_refused && config->types_refused[count])
        count++;
    remote->refused = tri_calloc(count + 1, sizeof(struct tr_type *));
    if (!remote->refused)
        return TR_ENOMEM;
    for (; remote->refused_count < count; remote->refused_count++)
        remote->refused[remote->refused_count] = config->types_refused[remote->refused_count];
    return TR_OK;
}

#define DEFAULT(field, value)      \
    do {                           \
        if (config->field == 0)    \
            config->field = value; \
    } while (0)

static void fill_in(struct tr_remote_config *config)
{
    DEFAULT(allow, TR_REMOTE_DEFAULT);
    DEFAULT(queue_bytes, (size_t)16 << 20);
    DEFAULT(queue_bytes_total, (size_t)256 << 20);
    DEFAULT(queue_messages, 1024);
    DEFAULT(batch_bytes, BATCH_BYTES);
    DEFAULT(backoff_ms_min, 100);
    DEFAULT(backoff_ms_max, 10000);
    DEFAULT(give_up_ms, 5000);
    DEFAULT(idle_ms, 300000);
    DEFAULT(lost_ms, TRI_LOST_MS);
    DEFAULT(message_bytes, (size_t)64 << 20);
    DEFAULT(links_max, 4096);
    DEFAULT(remote_pids_max, 1048576);
    DEFAULT(watches_max, 65536);
    DEFAULT(remote_spawned_max, 65536);
    DEFAULT(io_threads, 1);
    if (config->backoff_ms_max < config->backoff_ms_min)
        config->backoff_ms_max = config->backoff_ms_min;
}

static tr_err check(const struct tr_remote_config *c, struct tr_error *error)
{
    if (c->batch_bytes < 16384 || c->batch_bytes > 4000000)
        return tri_error_set(error, TR_EINVAL, 0, "batch_bytes is %zu, want 16,384 to 4,000,000",
                             c->batch_bytes);
    if ((unsigned)c->overflow > TR_QUEUE)
        return tri_error_set(error, TR_EINVAL, 0, "overflow is %d, want 0 … %d", (int)c->overflow,
                             (int)TR_QUEUE);
    if (c->io_threads > TRI_IO_THREADS_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "io_threads is %u, want at most %u",
                             c->io_threads, TRI_IO_THREADS_MAX);
    if (c->lost_ms < TRI_LOST_MS_MIN || c->lost_ms > TRI_LOST_MS_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "lost_ms is %u, want %u to %u", c->lost_ms,
                             TRI_LOST_MS_MIN, TRI_LOST_MS_MAX);
    if (c->links_max > 1u << 20)
        return tri_error_set(error, TR_EINVAL, 0, "links_max is %u, want at most 1,048,576",
                             c->links_max);
    for (const struct tr_remote_peer *p = c->peers; p && p->address; p++) {
        if ((unsigned)p->dialect > TR_DIALECT_DOTNET)
            return tri_error_set(error, TR_EINVAL, 0, "the dialect of %s is %d, which is none",
                                 p->address, (int)p->dialect);
    }
    return TR_OK;
}

static void make_system_id(const struct tr_system *sys, char text[40])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    size_t at = (size_t)snprintf(text, 40, "troupe-");
    for (uint64_t i = 0, bits = 0; i < 22; i++, bits >>= 5) {
        if (i % 11 == 0)
            bits = tri_sys_random(sys);
        text[at++] = digits[bits & 31];
    }
    text[at] = '\0';
}

tr_err tri_remote_create(tr_system *sys, const struct tr_remote_config *given,
                         struct tr_remote **ret_remote, struct tr_error *error)
{
    struct tr_remote_config config = given ? *given : (struct tr_remote_config){0};
    fill_in(&config);
    tr_err err = check(&config, error);
    if (err)
        return err;
    struct tr_remote *remote = tri_calloc(1, sizeof *remote);
    if (!remote)
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for the remote");
    remote->sys = sys;
    remote->config = config;
    remote->io_count = config.io_threads;
    remote->assoc = (struct tri_assoc_config){.backoff_ms_min = config.backoff_ms_min,
                                              .backoff_ms_max = config.backoff_ms_max,
                                              .give_up_ms = config.give_up_ms,
                                              .dial_ms = 10000,
                                              .shake_ms = 5000,
                                              .probe_ms = 3000,
                                              .close_ms = 5000};
    remote->port = (struct tri_transport){.resolve = resolve,
                                          .carry = tri_far_carry,
                                          .room = tri_far_room,
                                          .pending = pending,
                                          .close = close_port,
                                          .destroy = destroy,
                                          .self = remote};
    make_system_id(sys, remote->system_id);
    tri_types_init(&remote->types);
    tri_spin_init(&remote->blocked_lock);
    tri_spin_init(&remote->chunk_lock);
    err = tri_table_init(remote);
    if (!err && (!copy_texts(config.aliases, &remote->own) ||
                 !copy_texts(config.peers_allowed, &remote->allowed) ||
                 !copy_peers(remote, config.peers) || !copy_kinds(remote, config.kinds)))
        err = TR_ENOMEM;
    if (!err)
        err = copy_types(remote, &config, error);
    if (!err)
        err = tri_bridge_init(remote, config.routes, error);
    if (!err) {
        remote->activator = tri_activator_spawn(remote, tr_root(sys));
        err = tr_pid_err(remote->activator);
        if (err)
            err = tri_error_set(error, err, 0, "no actor 'activator': %s", tr_strerror(err));
    }
    if (!err)
        err = tri_transport_install(sys, &remote->port);
    if (err) {
        if (err == TR_ENOMEM)
            (void)tri_error_set(error, err, 0, "no memory for the remote");
        destroy(remote);
        return err;
    }
    *ret_remote = remote;
    return TR_OK;
}

/* ---- I/O threads ------------------------------------------------------------------------------- */

struct tri_remote_io *tri_remote_io_of(struct tr_remote *remote, const struct tri_wire *wire)
{
    for (unsigned i = 0; i < remote->io_count; i++) {
        if (remote->io[i].wire == wire)
            return &remote->io[i];
    }
    TRI_UNREACHABLE("a wire of one of our threads");
}

const struct tri_wire_events *tri_remote_accept(void *self, struct tri_wire *wire,
                                                struct tri_stream *stream, const char *path,
                                                void **ret_user)
{
    return tri_inbound_accept(tri_remote_io_of(self, wire), stream, path, ret_user);
}

/* The links of this thread, as many as there are now. */
static struct tri_link *link_at(struct tri_remote_io *io, uint32_t index)
{
    struct tri_table *table = &io->remote->table;
    tri_mutex_lock(&table->lock);
    struct tri_link *link = index < table->link_count ? table->links[index] : NULL;
    tri_mutex_unlock(&table->lock);
    return link;
}

static bool all_shut(struct tri_remote_io *io)
{
    struct tri_link *link;
    for (uint32_t i = 0; (link = link_at(io, i)); i++) {
        if (link->io == io && link->assoc.state != TRI_ASSOC_SHUT)
            return false;
    }
    return io->streams == NULL;
}

static void send_to_links(struct tri_remote_io *io, enum tri_assoc_event event)
{
    struct tri_link *link;
    for (uint32_t i = 0; (link = link_at(io, i)); i++) {
        if (link->io == io && link->assoc.state != TRI_ASSOC_SHUT)
            tri_link_event(link, event);
    }
}

/* Ends what there is with peers that have come onto the block list. */
static void look_at_blocked(struct tri_remote_io *io)
{
    struct tr_remote *remote = io->remote;
    struct tri_link *link;
    tri_spin_lock(&remote->blocked_lock);
    uint32_t count = remote->blocked_count;
    tri_spin_unlock(&remote->blocked_lock);
    if (count == io->blocked_seen)
        return;
    io->blocked_seen = count;
    for (struct tri_inbound *in = io->streams; in; in = in->next) {
        if (tri_remote_is_blocked(remote, tri_name(in->member_id)))
            io->wire->end(in->stream, TRI_WIRE_PERMISSION_DENIED, "on the block list");
    }
    for (uint32_t i = 0; (link = link_at(io, i)); i++) {
        if (link->io == io && tri_remote_is_blocked(remote, tri_name(link->member_id)))
            tri_link_event(link, TRI_ASSOC_REFUSED);
    }
}

/* While it leaves, often; else once a second. */
static void on_tick(struct tri_wire_timer *timer)
{
    struct tri_remote_io *io = TRI_CONTAINER_OF(timer, struct tri_remote_io, tick);
    struct tri_wire *wire = io->wire;
    uint64_t now = wire->now_ns(wire->self);
    struct tri_link *link;
    if (io->leaving) {
        if (all_shut(io)) {
            /* Release pairs with the acquire in tr_remote_stop(). */
            tri_fetch_sub(&io->remote->io_running, 1u, TRI_RELEASE);
            return;
        }
        if (now >= io->leave_due_ns) {
            send_to_links(io, TRI_ASSOC_CUT);
            tri_inbound_cut(io);
        }
        wire->timer(wire->self, timer, now + LEAVE_LOOK_NS);
        return;
    }
    for (uint32_t i = 0; (link = link_at(io, i)); i++) {
        if (link->io == io)
            tri_link_tick(link, now);
    }
    look_at_blocked(io);
    tri_inbound_tick(io);
    if (io->number == 0)
        tri_table_sweep(io->remote, io->ctx, (uint32_t)(now / TICK_NS));
    tri_pool_flush(&io->ctx->pool);
    wire->timer(wire->self, timer, now + TICK_NS);
}

static void on_stop(struct tri_wire_job *job)
{
    struct tri_remote_io *io = TRI_CONTAINER_OF(job, struct tri_remote_io, stop);
    struct tri_wire *wire = io->wire;
    io->leaving = true;
    io->leave_due_ns = wire->now_ns(wire->self) + io->leave_ns;
    send_to_links(io, TRI_ASSOC_LEAVE);
    tri_inbound_leave(io);
    wire->timer(wire->self, &io->tick, wire->now_ns(wire->self) + LEAVE_LOOK_NS / 2);
}

void tri_remote_io_begins(void *self, unsigned number, struct tri_wire *wire)
{
    struct tr_remote *remote = self;
    struct tri_remote_io *io = &remote->io[number];
    io->remote = remote;
    io->number = number;
    io->wire = wire;
    io->ctx = tr_attach(remote->sys);
    io->tick.fire = on_tick;
    io->stop.run = on_stop;
    io->settle.run = tri_inbound_on_settle;
    tri_batch_reader_init(&io->reader);
    tri_batch_reader_init(&io->own);
    uint64_t now = wire->now_ns(wire->self);
    if (number == 0) /* Else all that is met before the first tick has not been used since boot. */
        tri_store(&remote->table.now_s, (uint32_t)(now / TICK_NS), TRI_RELAXED);
    wire->timer(wire->self, &io->tick, now + TICK_NS);
    tri_fetch_add(&remote->io_running, 1u, TRI_RELEASE);
}

void tri_remote_io_ends(void *self, unsigned number)
{
    struct tr_remote *remote = self;
    struct tri_remote_io *io = &remote->io[number];
    tri_batch_reader_fini(&io->reader);
    tri_batch_reader_fini(&io->own);
    if (io->ctx) {
        tri_inbound_settle(io);
        tri_pool_fill_end(&io->ctx->pool, &io->filler);
        tr_detach(io->ctx);
    }
    io->ctx = NULL;
    io->wire = NULL;
}

/* ---- The end -------------------------------------------------------------------------------------- */

/* The clock that goes on while one waits. */
static uint64_t wait_clock(const struct tr_remote *remote)
{
    return remote->io_wait ? tri_sys_mono_ns(remote->sys) : tri_clock_mono_ns();
}

/* True when `count` is 0 before the deadline. Manual systems work meanwhile. */
static bool wait_none(struct tr_remote *remote, const TRI_ATOMIC(uint32_t) *count,
                      uint64_t deadline_ns)
{
    while (tri_load(count, TRI_ACQUIRE) != 0) {
        if (wait_clock(remote) >= deadline_ns)
            return false;
        if (remote->io_wait) {
            remote->io_wait(remote);
            continue;
        }
        if (remote->sys->config.manual)
            (void)tr_system_step(remote->sys, 1024);
        tri_thread_yield();
    }
    return true;
}

tr_err tr_remote_stop(tr_remote *remote, unsigned deadline_ms)
{
    if (remote->stopped)
        return TR_OK;
    remote->stopped = true;
    uint64_t now = wait_clock(remote);
    uint64_t deadline = now + (uint64_t)deadline_ms * 1000000u;
    tri_mutex_lock(&remote->table.lock);
    remote->table.leaving = true;
    tri_mutex_unlock(&remote->table.lock);
    for (unsigned i = 0; i < remote->io_count; i++) {
        struct tri_remote_io *io = &remote->io[i];
        if (!io->wire)
            continue; /* It was never started. */
        io->leave_ns = (uint64_t)deadline_ms * 1000000u;
        io->wire->post(io->wire->self, &io->stop);
    }
    /* A little longer: at the deadline they are cut, which takes a moment. */
    bool left = wait_none(remote, &remote->io_running, deadline + 1000000000u);
    bool in_time = left && wait_clock(remote) <= deadline + LEAVE_LOOK_NS;
    if (remote->io_stop)
        remote->io_stop(remote);
    tri_table_close(remote, tr_root(remote->sys));
    bool ended = wait_none(remote, &remote->fars, wait_clock(remote) + 5000000000u);
    return in_time && ended ? TR_OK : TR_ETIMEDOUT;
}

/* ---- Public calls ------------------------------------------------------------------------------------ */

static struct tr_remote *remote_of(tr_ctx *ctx)
{
    /* Acquire pairs with the release in tri_transport_install(). */
    const struct tri_transport *transport = tri_load(&ctx->sys->transport, TRI_ACQUIRE);
    return transport && transport->resolve == resolve ? transport->self : NULL;
}

tr_pid tr_remote_pid(tr_ctx *ctx, const char *address, const char *id)
{
    struct tr_remote *remote = remote_of(ctx);
    return remote ? resolve(remote, ctx, address, id) : tr_nobody(TR_ENOTSUP);
}

bool tr_pid_text(tr_ctx *ctx, tr_pid pid, char *ret_text, size_t text_size)
{
    struct tr_remote *remote = remote_of(ctx);
    char id[TRI_ID_SIZE_MAX + 1];
    uint32_t size;
    struct tri_link *link;
    const char *address = remote ? remote->address : "nonhost";
    if (text_size)
        ret_text[0] = '\0';
    if (tr_pid_is_nobody(pid))
        return false;
    if (!tri_pid_remote(pid))
        (void)tri_id_of(ctx, pid, id);
    else if (remote && tri_far_name(remote, pid, id, &size, &link))
        address = link->address;
    else
        return false;
    snprintf(ret_text, text_size, "%s@%s", id, address);
    return true;
}

const char *tr_remote_address(const tr_remote *remote)
{
    return remote->address;
}

const char *tr_remote_system_id(const tr_remote *remote)
{
    return remote->system_id;
}

static enum tr_link_state public_state(uint32_t state)
{
    switch ((enum tri_assoc_state)state) {
    case TRI_ASSOC_DIALLING:
    case TRI_ASSOC_SHAKING:
    case TRI_ASSOC_PROBING:
        return TR_LINK_CONNECTING;
    case TRI_ASSOC_UP:
        return TR_LINK_UP;
    case TRI_ASSOC_WAITING:
        return TR_LINK_WAITING;
    case TRI_ASSOC_CLOSING:
        return TR_LINK_CLOSING;
    default:
        return TR_LINK_IDLE;
    }
}

static void fill_stats(struct tri_link *link, struct tr_link_stats *ret)
{
    *ret = (struct tr_link_stats){
        .state = public_state(tri_load(&link->state, TRI_RELAXED)),
        .dialect = (enum tr_dialect)tri_load(&link->known_copy, TRI_RELAXED),
        .attempts = tri_load(&link->attempts, TRI_RELAXED),
        .sent = tri_load(&link->sent, TRI_RELAXED),
        .received = tri_load(&link->received, TRI_RELAXED),
        .batches_sent = tri_load(&link->batches_sent, TRI_RELAXED),
        .batches_received = tri_load(&link->batches_received, TRI_RELAXED),
        .bytes_sent = tri_load(&link->bytes_sent, TRI_RELAXED),
        .bytes_received = tri_load(&link->bytes_received, TRI_RELAXED),
        .queued = tri_link_letters(link),
        .queued_bytes = tri_link_bytes(link),
        .refused = tri_load(&link->refused, TRI_RELAXED),
        .dead = tri_load(&link->dead, TRI_RELAXED),
        .unknown = tri_load(&link->unknown, TRI_RELAXED),
        .rejected = tri_load(&link->rejected, TRI_RELAXED),
        .connects = tri_load(&link->connects, TRI_RELAXED),
        .forwarded = tri_load(&link->forwarded, TRI_RELAXED)};
    snprintf(ret->address, sizeof ret->address, "%s", link->address);
    snprintf(ret->system_id, sizeof ret->system_id, "%s", link->member_id);
}

size_t tr_remote_links(tr_remote *remote, struct tr_link_stats *ret_links, size_t count_max)
{
    tri_mutex_lock(&remote->table.lock);
    size_t count = remote->table.link_count;
    for (size_t i = 0; i < count && i < count_max; i++)
        fill_stats(remote->table.links[i], &ret_links[i]);
    tri_mutex_unlock(&remote->table.lock);
    return count;
}
