/* What an actor of another node does with what it is sent: remote/far.h. */
#include "remote/far.h"

#include "base/alloc.h"
#include "base/critical.h"
#include "core/headers.h"
#include "core/request.h"
#include "remote/activator.h"
#include "remote/bridge.h"
#include "remote/flow.h"

/* Encodings of what this library says by itself: two ids, two addresses. */
#define PAYLOAD_MAX (4u * (TR_NAME_SIZE_MAX + 1) + 64u)

static inline struct tri_far *far_of(struct tri_proxy *proxy)
{
    return TRI_CONTAINER_OF(proxy, struct tri_far, proxy);
}

/* A PID as others see it; its texts are in `text`. */
static struct tri_wire_pid wire_pid(struct tri_link *link, struct tr_ctx *ctx, tr_pid pid,
                                    char text[TRI_ID_SIZE_MAX + 1])
{
    struct tr_remote *remote = link->remote;
    struct tri_name address = tri_name(remote->address);
    struct tri_link *home;
    uint32_t size = 0;
    if (tr_pid_is_nobody(pid))
        return (struct tri_wire_pid){0};
    if (!tri_pid_remote(pid))
        size = tri_id_of(ctx, pid, text);
    else if (tri_far_name(remote, pid, text, &size, &home) &&
             !tri_bridge_rename(link, home, text, &size))
        address = tri_name(home->address);
    return (struct tri_wire_pid){address, {text, size}, 0};
}

static void set_type(struct tri_outgoing *out, enum tri_system_type type)
{
    out->type = tri_system_type_name(type);
    out->type_key = (uint64_t)type + 1; /* No pointer. */
    out->must = true;
}

/* ---- Messages ---------------------------------------------------------------------- */

/* What the runtime itself says, in the words of the protocol. False: it is no such message. */
static bool translate(struct tri_link *link, struct tr_ctx *ctx, const struct tri_outward *from,
                      struct tri_outgoing *out, struct tri_writer *writer)
{
    char text[TRI_ID_SIZE_MAX + 1];
    struct tri_wire_pid pid;
    if (from->flags & TRI_BLOCK_POISON) {
        set_type(out, from->type == &tri_touch_type ? TRI_TYPE_TOUCH : TRI_TYPE_POISON_PILL);
    } else if (from->type == &tr_request_failed_type) {
        set_type(out, TRI_TYPE_DEAD_LETTER_RESPONSE);
        pid = wire_pid(link, ctx, ((const struct tr_request_failed *)from->body)->to, text);
        tri_write_one_pid(writer, &pid);
        out->from = TR_NOBODY;
    } else if (from->type == &tr_touched_type) {
        set_type(out, TRI_TYPE_TOUCHED);
        pid = wire_pid(link, ctx, ((const struct tr_touched *)from->body)->who, text);
        tri_write_one_pid(writer, &pid);
    } else if (from->type == &tri_spawn_request_type) {
        const struct tri_spawn_request *request = from->body;
        set_type(out, TRI_TYPE_ACTOR_PID_REQUEST);
        tri_write_actor_pid_request(writer, tri_name(request->name), tri_name(request->kind));
    } else if (from->type == &tri_spawn_answer_type) {
        const struct tri_spawn_answer *answer = from->body;
        set_type(out, TRI_TYPE_ACTOR_PID_RESPONSE);
        pid = wire_pid(link, ctx, answer->pid, text);
        tri_write_actor_pid_response(writer, tr_pid_is_nobody(answer->pid) ? NULL : &pid,
                                     answer->status);
    } else {
        return false;
    }
    return true;
}

static uint32_t collect_headers(const struct tri_block *holder,
                                struct tri_header headers[TR_HEADERS_MAX])
{
    struct tr_header header;
    uint32_t count = 0;
    for (size_t at = 0; count < TR_HEADERS_MAX && tri_headers_next(holder, &at, &header);)
        headers[count++] = (struct tri_header){tri_name(header.key), tri_name(header.value)};
    return count;
}

/* What the core is told of a message that was or was not put. */
static int fate_of(const struct tr_remote *remote, const struct tri_outward *out, enum tri_put put)
{
    switch (put) {
    case TRI_PUT_OK:
        return TRI_OUTWARD_TAKEN;
    case TRI_PUT_FULL:
        if (remote->config.overflow == TR_DROP_NEWEST && !out->trying &&
            !(out->flags & TRI_BLOCK_REQUEST))
            return TRI_OUTWARD_DROPPED;
        return TR_DEAD_REFUSED;
    case TRI_PUT_SHUT:
        return TR_DEAD_LINK;
    case TRI_PUT_INVALID:
        return TR_DEAD_ENCODING;
    default:
        return TR_DEAD_MEMORY;
    }
}

static inline enum tri_room room_for(const struct tri_outward *out)
{
    if (out->trying)
        return TRI_ROOM_BOUND;
    bool must = out->flags & (TRI_BLOCK_PROMISED | TRI_BLOCK_REPLY) ||
                out->type->flags & (TR_TYPE_CONTROL | TR_TYPE_DURABLE);
    return must ? TRI_ROOM_MUST : TRI_ROOM_USUAL;
}

/* A message like the one before: the same type from the same sender, with nothing special. False:
 * it is not. */
static bool repeat(struct tri_known *known, const struct tri_outward *out)
{
    const struct tr_type *type = out->type;
    const struct tri_route *route = &known->route;
    if (route->type_key != (uint64_t)(uintptr_t)type || route->sender_key != out->from.bits ||
        !route->serial || out->flags & TRI_BLOCK_POISON || out->holder ||
        out->size > TRI_REPEAT_MAX)
        return false;
    struct tri_envelope_out e = {.type = route->type,
                                 .target = route->target,
                                 .sender = route->sender,
                                 .codec = type->codec,
                                 .body = out->body,
                                 .body_size = out->size};
    if (out->flags & TRI_BLOCK_REQUEST) {
        if (tri_pid_remote(out->from))
            return false;
        e.sender_request_id = tri_call_number(out->call);
    }
    if (out->flags & TRI_BLOCK_REPLY) {
        if (out->call & TRI_CALL_FUTURE)
            return false;
        e.target_request_id = tri_reply_number(out->call);
    }
    return tri_outbox_repeat(known->link, route->serial, &e, room_for(out));
}

/* Out of line: the rest of tri_far_carry(). */
static __attribute__((noinline)) int carry_odd(struct tr_remote *remote, struct tr_ctx *ctx,
                                               struct tri_known *known,
                                               const struct tri_outward *from)
{
    uint8_t payload[PAYLOAD_MAX];
    char future[TRI_ID_SIZE_MAX + 1];
    struct tri_header headers[TR_HEADERS_MAX];
    struct tri_outgoing out = {.type_key = (uint64_t)(uintptr_t)from->type,
                               .target = {known->id, known->id_size},
                               .target_key = from->to.bits,
                               .from = from->from,
                               .codec = from->type->codec,
                               .body = from->body,
                               .letter = true,
                               .must = from->flags & TRI_BLOCK_PROMISED,
                               .bound = from->trying};
    if (from->flags & TRI_BLOCK_REQUEST)
        out.call = from->call;
    if (from->flags & TRI_BLOCK_REPLY) {
        out.target_request_id = tri_reply_number(from->call);
        out.must = true;
        if (from->call & TRI_CALL_FUTURE && known->id_size == 0) {
            out.target.size = tri_future_id(from->call & ~TRI_CALL_FUTURE, future);
            out.target.at = future;
            out.target_key = from->call;
        }
    }
    if (TRI_LIKELY(out.codec != NULL)) {
        out.type.at = from->type->name; /* Measured when a batch has not got it yet. */
        out.body_size = from->size;
        out.must |= (from->type->flags & (TR_TYPE_CONTROL | TR_TYPE_DURABLE)) != 0;
        out.route = known->id_size ? &known->route : NULL;
    } else if (from->type == &tri_passing_type) {
        tri_bridge_unpack(from->body, from->size, &out);
        tri_fetch_add(&known->link->forwarded, 1u, TRI_RELAXED); /* A figure. */
    } else {
        struct tri_writer writer = {.at = payload, .end = payload + sizeof payload};
        if (!translate(known->link, ctx, from, &out, &writer) || writer.failed)
            return TR_DEAD_ENCODING;
        out.body = payload;
        out.body_size = (size_t)(writer.at - payload);
    }
    if (from->holder) {
        out.headers = headers;
        out.header_count = collect_headers(from->holder, headers);
    }
    if (out.target.size == 0) /* For a future, and not the answer to it. */
        return TR_DEAD_NO_ACTOR;
    return fate_of(remote, from, tri_outbox_put(known->link, ctx, &out));
}

/* What the context knows of an actor: found out now if need be. TRI_OUTWARD_TAKEN, or what becomes
 * of a message to it instead. */
static inline int know(struct tr_remote *remote, struct tr_ctx *ctx, tr_pid pid,
                       struct tri_known **ret_known)
{
    struct tri_known *known = remote->known[ctx->id];
    if (TRI_UNLIKELY(!known)) { /* Of the context: nobody else looks there. */
        known = remote->known[ctx->id] = tri_calloc(TRI_KNOWN_COUNT, sizeof *known);
        if (!known)
            return TR_DEAD_MEMORY;
    }
    known = &known[(uint32_t)pid.bits % TRI_KNOWN_COUNT];
    *ret_known = known;
    if (TRI_LIKELY(tr_pid_equal(known->pid, pid)))
        return TRI_OUTWARD_TAKEN;
    known->pid = TR_NOBODY;
    known->route.serial = 0;
    if (!tri_far_name(remote, pid, known->id, &known->id_size, &known->link))
        return TR_DEAD_NO_ACTOR;
    known->pid = pid;
    return TRI_OUTWARD_TAKEN;
}

int tri_far_carry(void *self, struct tr_ctx *ctx, const struct tri_outward *out)
{
    struct tr_remote *remote = self;
    struct tri_known *known = NULL;
    /* The user's codec runs under the link's lock: no fault of it is a contained actor's. */
    tri_critical_enter();
    int fate = know(remote, ctx, out->to, &known);
    if (TRI_LIKELY(fate == TRI_OUTWARD_TAKEN) && TRI_UNLIKELY(!repeat(known, out)))
        fate = carry_odd(remote, ctx, known, out);
    tri_critical_leave();
    return fate;
}

tr_err tri_far_room(void *self, struct tr_ctx *ctx, tr_pid pid)
{
    struct tri_known *known = NULL;
    int fate = know(self, ctx, pid, &known);
    if (fate == TR_DEAD_NO_ACTOR)
        return TR_ENOACTOR;
    bool room = fate == TRI_OUTWARD_TAKEN && tri_outbox_has_room(known->link, TRI_ROOM_BOUND);
    return room ? TR_OK : TR_EFULL;
}

/* Only where messages wait in a mailbox for room (remote/flow.h); others go by tri_far_carry(). */
static void deliver(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block)
{
    const struct tri_far *far = far_of(proxy);
    const struct tri_outward out = tri_outward_of(far->pid, block);
    int fate = tri_far_carry(far->link->remote, ctx, &out);
    const struct tri_undeliverable letter = {.to = far->pid,
                                             .from = block->from,
                                             .type = block->type,
                                             .call = block->call,
                                             .request = block->flags & TRI_BLOCK_REQUEST};
    if (fate >= 0)
        tri_proxy_undeliverable(ctx, &letter, (enum tr_dead_reason)fate);
}

/* ---- System messages ------------------------------------------------------------------ */

/* Whether the node there may be one that does not answer a Watch on an actor that it has not. */
static bool link_hides_missing(struct tri_link *link)
{
    return !tri_load(&link->troupe, TRI_RELAXED) &&
           tri_load(&link->known_copy, TRI_RELAXED) != TR_DIALECT_A;
}

/* Watch, Unwatch or Stop to it. */
static void say(struct tri_far *far, struct tr_ctx *ctx, enum tri_system_type type, tr_pid who)
{
    uint8_t payload[PAYLOAD_MAX];
    char text[TRI_ID_SIZE_MAX + 1];
    struct tri_writer writer = {.at = payload, .end = payload + sizeof payload};
    struct tri_outgoing out = {.target = {far->id, far->id_size}, .target_key = far->pid.bits};
    set_type(&out, type);
    if (!tr_pid_is_nobody(who)) {
        struct tri_wire_pid pid = wire_pid(far->link, ctx, who, text);
        tri_write_one_pid(&writer, &pid);
    }
    out.body = payload;
    out.body_size = (size_t)(writer.at - payload);
    enum tri_put put = writer.failed || far->id_size == 0 ? TRI_PUT_INVALID
                                                          : tri_outbox_put(far->link, ctx, &out);
    if (!put && type == TRI_TYPE_WATCH && link_hides_missing(far->link)) {
        set_type(&out, TRI_TYPE_TOUCH);
        out.body_size = 0;
        out.sender_id = TRI_NAME(TRI_WATCH_ID);
        (void)tri_outbox_put(far->link, ctx, &out);
    }
    if (put && type == TRI_TYPE_WATCH) /* Who waits for its end is told that it cannot be known. */
        tri_sys_send(ctx, far->pid, TRI_SYS_GONE, who, TR_EPEER);
}

static void note_interest(struct tri_far *far, const struct tri_cold *cold, uint32_t probed)
{
    bool watched = cold && (cold->watchers.count || cold->links.count);
    /* Relaxed: a hint for who looks through the table. */
    uint32_t before = tri_load(&far->interest, TRI_RELAXED);
    tri_store(&far->interest, (before & TRI_FAR_PROBED) | probed | (watched ? TRI_FAR_WATCHED : 0),
              TRI_RELAXED);
}

/* `who` waited for this one, which is gone for it. */
static void tell_one(struct tr_ctx *ctx, struct tri_cold *cold, tr_pid who, tr_err reason)
{
    tr_pid self = tri_ctx_self(ctx);
    if (tri_pids_remove(&cold->watchers, who))
        tri_sys_send(ctx, who, TRI_SYS_DOWN, self, (uint64_t)reason);
    if (tri_pids_remove(&cold->links, who))
        tri_sys_send(ctx, who, reason ? TRI_SYS_LINK_FAILED : TRI_SYS_UNLINK, self,
                     (uint64_t)reason);
}

static void tell_all(struct tr_ctx *ctx, struct tri_cold *cold, tr_err reason)
{
    tr_pid self = tri_ctx_self(ctx);
    tr_pid who;
    for (uint32_t at = 0; tri_pids_next(&cold->watchers, &at, &who);)
        tri_sys_send(ctx, who, TRI_SYS_DOWN, self, (uint64_t)reason);
    for (uint32_t at = 0; tri_pids_next(&cold->links, &at, &who);)
        tri_sys_send(ctx, who, TRI_SYS_LINK_FAILED, self, (uint64_t)reason);
    for (uint32_t at = 0; tri_pids_next(&cold->probers, &at, &who);)
        tri_sys_send(ctx, who, TRI_SYS_GONE, self, (uint64_t)reason);
    tri_pids_fini(&cold->watchers);
    tri_pids_fini(&cold->links);
    tri_pids_fini(&cold->probers);
}

/* An actor that it watched, here or through us, has ended. */
static void on_down(struct tri_far *far, struct tr_ctx *ctx, tr_pid who, tr_err reason)
{
    struct tri_watched *gone = NULL;
    tri_mutex_lock(&far->link->remote->table.lock);
    for (struct tri_watched **at = &far->watched; *at; at = &(*at)->next) {
        if (!tr_pid_equal((*at)->pid, who))
            continue;
        gone = *at;
        *at = gone->next;
        far->link->watches--;
        break;
    }
    tri_mutex_unlock(&far->link->remote->table.lock);
    if (!gone)
        return; /* It no longer wants to know, or the link was lost. */
    struct tri_name self = {far->id, far->id_size};
    struct tri_name id = {gone->id, gone->id_size};
    enum tri_terminated_why why = TRI_TERMINATED_STOPPED;
    if (reason == TR_ENOACTOR)
        why = TRI_TERMINATED_NOT_FOUND;
    else if (reason == TR_EPEER && tri_pid_remote(who))
        why = TRI_TERMINATED_ADDRESS; /* It was watched through us. */
    tri_link_terminated(far->link, ctx, self, id, why);
    tri_free(gone);
}

static bool told(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block)
{
    struct tri_far *far = far_of(proxy);
    struct tri_cold *cold = ctx->cell->cold;
    tr_pid from = block->from;
    switch ((enum tri_sys_kind)block->flags) {
    case TRI_SYS_STOP:
        /* Acquire pairs with the release in take_out(). */
        if (tri_load(&far->leaving, TRI_ACQUIRE))
            return false;
        say(far, ctx, TRI_TYPE_STOP, TR_NOBODY);
        return true;
    case TRI_SYS_WATCH:
    case TRI_SYS_LINK: {
        struct tri_pids *set = block->flags == TRI_SYS_WATCH ? &cold->watchers : &cold->links;
        bool first = !tri_pids_has(&cold->watchers, from) && !tri_pids_has(&cold->links, from);
        if (!tri_pids_add(set, from))
            return false; /* The cell says that there is no memory. */
        note_interest(far, cold, 0);
        if (first)
            say(far, ctx, TRI_TYPE_WATCH, from);
        return true;
    }
    case TRI_SYS_UNWATCH:
    case TRI_SYS_UNLINK:
    case TRI_SYS_LINK_FAILED: {
        bool watch = block->flags == TRI_SYS_UNWATCH;
        bool had = tri_pids_remove(watch ? &cold->watchers : &cold->links, from);
        if (had && !tri_pids_has(watch ? &cold->links : &cold->watchers, from))
            say(far, ctx, TRI_TYPE_UNWATCH, from);
        note_interest(far, cold, 0);
        return true;
    }
    case TRI_SYS_PROBE:
        note_interest(far, cold, TRI_FAR_PROBED);
        return false;
    case TRI_SYS_GONE:
        if (tr_pid_is_nobody(from))
            tell_all(ctx, cold, (tr_err)block->call);
        else
            tell_one(ctx, cold, from, (tr_err)block->call);
        tri_store(&far->interest, 0u, TRI_RELAXED);
        note_interest(far, cold, 0);
        return true;
    case TRI_SYS_UNDELAY:
        tri_flow_go_on(far, ctx);
        return true;
    case TRI_SYS_DOWN:
        on_down(far, ctx, from, (tr_err)block->call);
        return true;
    default:
        return true; /* Of no meaning for an actor that is not here. */
    }
}

static void ended(struct tri_proxy *proxy, struct tr_ctx *ctx)
{
    struct tri_far *far = far_of(proxy);
    struct tr_remote *remote = far->link->remote;
    (void)ctx;
    if (tri_flow_holds(remote))
        tri_flow_forget(far);
    while (far->watched) { /* Out of the table: nobody else's. */
        struct tri_watched *w = far->watched;
        far->watched = w->next;
        tri_free(w);
    }
    tri_free(far);
    /* Release pairs with the acquire of whoever waits for the last one. */
    tri_fetch_sub(&remote->fars, 1u, TRI_RELEASE);
}

const struct tri_proxy tri_far_proxy = {.deliver = deliver, .told = told, .ended = ended};
