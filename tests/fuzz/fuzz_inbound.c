/*
 * fuzz_inbound.c - a peer's whole connection, given any bytes, at a node: HTTP/2, gRPC, handshake,
 * batches, and the actors that they are for. Whatever comes, the node goes on, holds no more than
 * it may, its accounts balance, and nothing is left behind.
 *
 * The first byte says how; then come gRPC messages, each with two bytes before it: its size, and in
 * the top bit whether time passes first. With RAW the rest are frames of HTTP/2.
 */
#pragma clang diagnostic ignored "-Wunused-function"
#include "../interop/values.h"
#include "fuzz.h"
#include "remote/far.h"
#include "remote/inbound.h"
#include "remote/session.h"
#include "troupe/troupe.h"

#define STEP 3
#define RAW 4
#define STRICT 8
#define DELAYING 16

#define LINKS_MAX 8u
#define PIDS_MAX 64u
#define WATCHES_MAX 8u

/* ---- A node on one thread ------------------------------------------------------------------ */

struct loop {
    struct tri_wire wire;
    struct tri_hub hub;
    struct tri_session session;
    bool open;
    struct tri_wheel wheel;
    struct tri_wire_job *jobs, **jobs_end;
    struct tr_remote *remote;
    tr_system *sys;
};
static uint64_t clock_ns;
static uint64_t dice;

static uint64_t mono_ns(void *user)
{
    (void)user;
    return clock_ns;
}

static int64_t wall_us(void *user)
{
    (void)user;
    return (int64_t)(clock_ns / 1000);
}

static uint64_t roll(void *user)
{
    (void)user;
    return dice += 0x9e3779b97f4a7c15u;
}

/* Nobody can be reached: what is for others waits, and is given up. */
static struct tri_stream *dial(void *self, const char *address, const char *path,
                               const struct tri_wire_events *events, void *user)
{
    (void)self;
    (void)path;
    (void)events;
    (void)user;
    HOLDS(strlen(address) <= TR_ADDRESS_SIZE_MAX);
    return NULL;
}

static void timer(void *self, struct tri_wire_timer *set, uint64_t due_ns)
{
    struct loop *loop = self;
    if (set->node.prev)
        (void)tri_wheel_remove(&loop->wheel, &set->node);
    if (due_ns > 0)
        tri_wheel_add(&loop->wheel, &set->node, (due_ns + 999999u) / 1000000u);
}

static void post(void *self, struct tri_wire_job *job)
{
    struct loop *loop = self;
    job->next = NULL;
    *loop->jobs_end = job;
    loop->jobs_end = &job->next;
}

static void changed(struct tri_session *session)
{
    (void)session;
}

/* Everything that can be written now is. */
static bool drain(struct loop *loop)
{
    struct tri_session *session = &loop->session;
    bool any = false;
    for (int i = 0; loop->open && i < 1000; i++) {
        if (tri_out_pending(&session->out) == 0 && !tri_session_fill(session)) {
            loop->open = false;
            tri_session_lose(session, TRI_WIRE_LOST, "it cannot go on");
            return true;
        }
        uint64_t pending = tri_out_pending(&session->out);
        if (pending == 0)
            break;
        tri_out_wrote(&session->out, (size_t)pending);
        tri_session_wrote(session);
        any = true;
    }
    return any;
}

/* Until nothing goes on by itself. */
static void settle(struct loop *loop)
{
    bool any = true;
    for (int round = 0; any; round++) {
        struct tri_wheel_node *node;
        any = false;
        HOLDS(round < 100000);
        while ((node = tri_wheel_pop(&loop->wheel, clock_ns / 1000000u))) {
            struct tri_wire_timer *due = TRI_CONTAINER_OF(node, struct tri_wire_timer, node);
            due->fire(due);
            any = true;
        }
        while (loop->jobs) {
            struct tri_wire_job *job = loop->jobs;
            loop->jobs = job->next;
            if (!loop->jobs)
                loop->jobs_end = &loop->jobs;
            job->run(job);
            any = true;
        }
        any |= tri_hub_tell(&loop->hub);
        any |= drain(loop);
        any |= tr_system_step(loop->sys, 64) > 0;
    }
}

static struct loop *the_loop;

static void io_wait(struct tr_remote *remote)
{
    (void)remote;
    clock_ns += 1000000;
    settle(the_loop);
}

static void io_stop(struct tr_remote *remote)
{
    if (the_loop->open)
        tri_session_lose(&the_loop->session, TRI_WIRE_ENDED, "this node ends");
    the_loop->open = false;
    while (tri_hub_tell(&the_loop->hub))
        continue;
    tri_remote_io_ends(remote, 0);
}

/* ---- Actors ----------------------------------------------------------------------------------- */

static tr_err echo_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    char text[64];
    struct tr_header header;
    size_t at = 0, headers = 0;
    while (tr_header_next(ctx, &at, &header))
        headers += strlen(header.key) + strlen(header.value) > 0;
    HOLDS(headers <= TR_HEADERS_MAX);
    (void)tr_pid_text(ctx, tr_sender(ctx), text, sizeof text);
    if (!tr_msg_body(msg) || tr_msg_size(msg) == 0)
        return tr_unhandled(ctx);
    tr_reply_(ctx, msg->type, tr_msg_body(msg), tr_msg_size(msg));
    return TR_OK;
}

/* Watches and touches whoever writes to it, and passes it on. */
static tr_err curious_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    tr_pid from = tr_sender(ctx);
    if (msg->type == &tr_down_type || msg->type == &tr_request_failed_type ||
        msg->type == &tr_touched_type || tr_pid_is_nobody(from))
        return TR_OK;
    tr_watch(ctx, from);
    (void)tr_touch(ctx, from, 1000);
    tr_forward(ctx, from, msg);
    return TR_OK;
}

static const struct tr_actor echo_actor = {.name = "echo", .receive = echo_receive};
static const struct tr_actor curious_actor = {.name = "curious", .receive = curious_receive};

static void start(struct loop *loop, uint8_t how)
{
    static const struct tr_remote_kind kinds[] = {{"echo", {.actor = &echo_actor}}, {NULL, {0}}};
    static const struct tr_remote_route routes[] = {
        {"far/", "10.9.9.9:9", NULL}, {"client", "x@10.8.8.8:8", NULL}, {NULL, NULL, NULL}};
    static const struct tr_type *const refused[] = {&bool_type, NULL};
    static const char *const allowed[] = {"127.0.0.1:*", "10.9.9.9:9", NULL};
    struct tr_config config = {.manual = true,
                               .workers = 1,
                               .memory_max = how & STRICT ? 1 << 20 : 16 << 20,
                               .actors_max = 4096,
                               .log = tr_log_none,
                               .clock = {mono_ns, wall_us, NULL},
                               .random = {roll, NULL},
                               .seed = 1};
    struct tr_remote_config remote = {.types = value_types,
                                      .kinds = kinds,
                                      .routes = routes,
                                      .links_max = LINKS_MAX,
                                      .remote_pids_max = PIDS_MAX,
                                      .watches_max = WATCHES_MAX,
                                      .remote_spawned_max = 4,
                                      .batch_bytes = 16384,
                                      .give_up_ms = 300};
    if (how & STRICT) {
        remote.types_refused = refused;
        remote.peers_allowed = allowed;
        remote.allow = TR_REMOTE_NOTHING;
    }
    if (how & DELAYING) {
        remote.overflow = how & STRICT ? TR_DROP_OLDEST : TR_DELAY;
        remote.queue_bytes = 500;
        remote.queue_messages = 4;
    }
    HOLDS(tr_system_create_(&loop->sys, &config, NULL) == TR_OK);
    HOLDS(tri_remote_create(loop->sys, &remote, &loop->remote, NULL) == TR_OK);
    loop->remote->io_count = 1;
    loop->remote->io_stop = io_stop;
    loop->remote->io_wait = io_wait;
    HOLDS(tri_remote_set_address(loop->remote, "127.0.0.1:9000") == TR_OK);
    loop->jobs_end = &loop->jobs;
    tri_wheel_init(&loop->wheel, clock_ns / 1000000u);
    loop->wire = (struct tri_wire){.dial = dial,
                                   .send = tri_stream_send,
                                   .queued = tri_stream_queued,
                                   .close_send = tri_stream_close_send,
                                   .end = tri_stream_end,
                                   .pause = tri_stream_pause,
                                   .peer = tri_stream_peer,
                                   .peer_names = tri_stream_peer_names,
                                   .now_ns = mono_ns,
                                   .timer = timer,
                                   .post = post,
                                   .self = loop};
    tri_remote_io_begins(loop->remote, 0, &loop->wire);
    for (int i = 0; i < 2; i++) {
        tr_pid pid = tr_spawn(tr_root(loop->sys), i ? &curious_actor : &echo_actor,
                              .name = i ? "sink" : "echo", .mailbox_max = i ? 16 : 0);
        HOLDS(!tr_pid_is_nobody(pid));
    }
}

/* ---- What comes in ------------------------------------------------------------------------------ */

static void input(struct loop *loop, const uint8_t *data, size_t size, size_t step)
{
    for (size_t at = 0; at < size && loop->open; at += step) {
        size_t n = size - at < step ? size - at : step;
        if (!tri_session_input(&loop->session, data + at, n)) {
            (void)drain(loop);
            if (loop->open)
                tri_session_lose(&loop->session, TRI_WIRE_LOST, "the peer broke the protocol");
            loop->open = false;
        }
        settle(loop);
    }
}

static size_t put_header(uint8_t *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    *out++ = 0; /* a literal, not indexed, with its name, neither compressed */
    *out++ = (uint8_t)n;
    memcpy(out, name, n);
    out += n;
    *out++ = (uint8_t)v;
    memcpy(out, value, v);
    return n + v + 3;
}

static void put_frame(uint8_t *out, size_t size, uint8_t type, uint8_t flags, uint8_t stream)
{
    const uint8_t head[9] = {
        (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size, type, flags, 0, 0, 0, stream};
    memcpy(out, head, sizeof head);
}

/* As every client begins: settings, and the call. */
static void begin(struct loop *loop)
{
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    uint8_t headers[256];
    size_t size = 9;
    size += put_header(headers + size, ":method", "POST");
    size += put_header(headers + size, ":scheme", "http");
    size += put_header(headers + size, ":path", TRI_RECEIVE_PATH);
    size += put_header(headers + size, ":authority", "127.0.0.1:9000");
    size += put_header(headers + size, "content-type", "application/grpc");
    size += put_header(headers + size, "te", "trailers");
    put_frame(headers, size - 9, 1, 4, 1);
    input(loop, preface, sizeof preface - 1, 1000);
    input(loop, headers, size, 1000);
}

static void give_messages(struct loop *loop, const uint8_t *data, size_t size, size_t step)
{
    static uint8_t frame[14 + 32768];
    size_t at = 0;
    while (at + 2 <= size && loop->open) {
        size_t n = (size_t)data[at] | (size_t)(data[at + 1] & 0x3f) << 8;
        if (data[at + 1] & 0x80) {
            clock_ns += 200000000;
            settle(loop);
        }
        at += 2;
        n = n < size - at ? n : size - at;
        put_frame(frame, n + 5, 0, 0, 1);
        const uint8_t prefix[5] = {0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n};
        memcpy(frame + 9, prefix, sizeof prefix);
        memcpy(frame + 14, data + at, n);
        at += n;
        input(loop, frame, n + 14, step);
        HOLDS(loop->remote->table.link_count <= LINKS_MAX);
        HOLDS(loop->remote->table.count <= PIDS_MAX);
        for (uint32_t i = 0; i < loop->remote->table.link_count; i++)
            HOLDS(loop->remote->table.links[i]->watches <= WATCHES_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1u << 20, 100, 9, 1};
    static const struct tri_io_limits limits = {
        .message_max = 1 << 20, .headers_max = 2048, .streams_max = 5};
    struct loop loop = {.open = true};
    struct tr_accounts accounts;
    if (size == 0)
        return 0;
    clock_ns = 1000000000;
    dice = 7;
    the_loop = &loop;
    start(&loop, data[0]);
    const struct tri_wire_acceptor acceptor = {tri_remote_accept, loop.remote};
    loop.hub = (struct tri_hub){
        .limits = &limits, .acceptor = &acceptor, .wire = &loop.wire, .changed = changed};
    loop.hub.spare.lent_max = 4 << 20;
    loop.session = (struct tri_session){.peer = "127.0.0.1:5", .peer_names = ""};
    HOLDS(tri_session_begin(&loop.session, &loop.hub, true) == TR_OK);
    begin(&loop);
    if (data[0] & RAW)
        input(&loop, data + 1, size - 1, steps[data[0] & STEP]);
    else
        give_messages(&loop, data + 1, size - 1, steps[data[0] & STEP]);
    tr_system_accounts(loop.sys, &accounts);
    HOLDS(tr_accounts_balance(&accounts));
    (void)tr_remote_stop(loop.remote, 100);
    HOLDS(loop.session.stream_count == 0 && loop.hub.spare.lent == 0);
    HOLDS(tr_system_stop(loop.sys, 1000) == TR_OK);
    tr_system_accounts(loop.sys, &accounts);
    HOLDS(tr_accounts_balance(&accounts) && accounts.queued == 0);
    tr_system_destroy(loop.sys);
    tri_hub_fini(&loop.hub);
    return 0;
}
