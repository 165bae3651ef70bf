/* What an actor of another node does with what it is sent: remote/far.h. */
#include "remote/far.h"

#include "base/alloc.h"
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

/* ---- Messages ---------------------------------------------------------------------- */

/* A PID as others see it; its texts are in `text`. */
static struct tri_wire_pid wire_pid(struct tri_far *far, struct tr_ctx *ctx, tr_pid pid,
                                    char text[TRI_ID_SIZE_MAX + 1])
{
    struct tr_remote *remote = far->link->remote;
    struct tri_name address = tri_name(remote->address);
    struct tri_link *home;
    uint32_t size = 0;
    if (tr_pid_is_nobody(pid))
        return (struct tri_wire_pid){0};
    if (!tri_pid_remote(pid))
        size = tri_id_of(ctx, pid, text);
    else if (tri_far_name(remote, pid, text, &size, &home) &&
             !tri_bridge_rename(far->link, home, text, &size))
        address = tri_name(home->address);
    return (struct tri_wire_pid){address, {text, size}, 0};
}

static void set_type(struct tri_outgoing *out, enum tri_system_type type)
{
    out->type = tri_system_type_name(type);
    out->type_key = (uint64_t)type + 1; /* No pointer. */
    out->must = true;
}

/* What the runtime itself says, in the words of the protocol. False: it is no such message. */
static bool translate(struct tri_far *far, struct tr_ctx *ctx, struct tri_block *block,
                      const void *body, struct tri_outgoing *out, struct tri_writer *writer)
{
    char text[TRI_ID_SIZE_MAX + 1];
    struct tri_wire_pid pid;
    if (block->flags & TRI_BLOCK_POISON) {
        set_type(out, block->type == &tri_touch_type ? TRI_TYPE_TOUCH : TRI_TYPE_POISON_PILL);
    } else if (block->type == &tr_request_failed_type) {
        set_type(out, TRI_TYPE_DEAD_LETTER_RESPONSE);
        pid = wire_pid(far, ctx, ((const struct tr_request_failed *)body)->to, text);
        tri_write_one_pid(writer, &pid);
        out->from = TR_NOBODY;
    } else if (block->type == &tr_touched_type) {
        set_type(out, TRI_TYPE_TOUCHED);
        pid = wire_pid(far, ctx, ((const struct tr_touched *)body)->who, text);
        tri_write_one_pid(writer, &pid);
    } else if (block->type == &tri_spawn_request_type) {
        const struct tri_spawn_request *request = body;
        set_type(out, TRI_TYPE_ACTOR_PID_REQUEST);
        tri_write_actor_pid_request(writer, tri_name(request->name), tri_name(request->kind));
    } else if (block->type == &tri_spawn_answer_type) {
        const struct tri_spawn_answer *answer = body;
        set_type(out, TRI_TYPE_ACTOR_PID_RESPONSE);
        pid = wire_pid(far, ctx, answer->pid, text);
        tri_write_actor_pid_response(writer, tr_pid_is_nobody(answer->pid) ? NULL : &pid,
                                     answer->status);
    } else {
        return false;
    }
    return true;
}

static struct tri_undeliverable undeliverable(const struct tri_far *far,
                                              const struct tri_block *block)
{
    return (struct tri_undeliverable){.to = far->pid,
                                      .from = block->from,
                                      .type = block->type,
                                      .call = block->call,
                                      .request = block->flags & TRI_BLOCK_REQUEST};
}

static void bury(struct tri_far *far, struct tr_ctx *ctx, const struct tri_block *block,
                 enum tr_dead_reason reason)
{
    struct tri_undeliverable letter = undeliverable(far, block);
    ctx->cell->refused++;
    ctx->cell->cold->dead[reason]++;
    tri_proxy_undeliverable(ctx, &letter, reason);
}

/* It found the queue full. */
static void overflow(struct tri_far *far, struct tr_ctx *ctx, const struct tri_block *block)
{
    if (far->link->remote->config.overflow != TR_DROP_NEWEST || block->flags & TRI_BLOCK_REQUEST) {
        bury(far, ctx, block, TR_DEAD_REFUSED);
        return;
    }
    tri_count(&ctx->counts.processed, (uint64_t)-1); /* It was counted when it was taken. */
    tri_count(&ctx->counts.dropped_newest, 1);
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

/* A message has come out of a mailbox: maybe one that room had been promised to, then there is one
 * less to expect. That others count as well lets promises to what middleware dropped expire. */
static void expect_less(struct tri_link *link)
{
    uint64_t promised = tri_load(&link->promised, TRI_RELAXED);
    /* Relaxed: a figure that orders nothing. */
    while (promised &&
           !tri_cas_weak(&link->promised, &promised, promised - 1, TRI_RELAXED, TRI_RELAXED)) {
    }
}

static void settle(struct tri_far *far, struct tr_ctx *ctx, const struct tri_block *block,
                   enum tri_put put)
{
    switch (put) {
    case TRI_PUT_OK:
        break;
    case TRI_PUT_FULL:
        overflow(far, ctx, block);
        break;
    case TRI_PUT_SHUT:
        bury(far, ctx, block, TR_DEAD_LINK);
        break;
    case TRI_PUT_INVALID:
        bury(far, ctx, block, TR_DEAD_ENCODING);
        break;
    case TRI_PUT_MEMORY:
        bury(far, ctx, block, TR_DEAD_MEMORY);
        break;
    }
}

/* A message like the one before: the same type from the same sender, with nothing special. False:
 * it is not. */
static bool repeat(struct tri_far *far, struct tri_block *block, struct tri_block *holder,
                   bool promised)
{
    const struct tr_type *type = block->type;
    const struct tri_route *route = &far->route;
    if (route->type_key != (uint64_t)(uintptr_t)type || route->sender_key != block->from.bits ||
        !route->serial || !type->codec || holder->flags & TRI_BLOCK_HEADERS)
        return false;
    struct tri_envelope_out e = {.type = route->type,
                                 .target = route->target,
                                 .sender = route->sender,
                                 .codec = type->codec,
                                 .body = tri_block_body(holder),
                                 .body_size = tri_block_size(holder)};
    bool must = promised || (type->flags & (TR_TYPE_CONTROL | TR_TYPE_DURABLE)) != 0;
    if (block->flags & TRI_BLOCK_REQUEST) {
        if (tri_pid_remote(block->from))
            return false;
        e.sender_request_id = tri_call_number(block->call);
    }
    if (block->flags & TRI_BLOCK_REPLY) {
        if (block->call & TRI_CALL_FUTURE)
            return false;
        e.target_request_id = tri_reply_number(block->call);
        must = true;
    }
    return e.body_size <= TRI_REPEAT_MAX && tri_outbox_repeat(far->link, route->serial, &e, must);
}

/* Out of line: the rest of deliver(). */
static __attribute__((noinline)) void deliver_odd(struct tri_far *far, struct tr_ctx *ctx,
                                                  struct tri_block *block, struct tri_block *holder,
                                                  bool promised)
{
    const void *body = tri_block_body(holder);
    uint8_t payload[PAYLOAD_MAX];
    char future[TRI_ID_SIZE_MAX + 1];
    struct tri_header headers[TR_HEADERS_MAX];
    struct tri_outgoing out = {.type_key = (uint64_t)(uintptr_t)block->type,
                               .target = {far->id, far->id_size},
                               .target_key = far->pid.bits,
                               .from = block->from,
                               .codec = block->type->codec,
                               .body = body,
                               .letter = true,
                               .must = promised};
    if (block->flags & TRI_BLOCK_REQUEST)
        out.call = block->call;
    if (block->flags & TRI_BLOCK_REPLY) {
        out.target_request_id = tri_reply_number(block->call);
        out.must = true;
        if (block->call & TRI_CALL_FUTURE && far->id_size == 0) {
            out.target.size = tri_future_id(block->call & ~TRI_CALL_FUTURE, future);
            out.target.at = future;
            out.target_key = block->call;
        }
    }
    if (TRI_LIKELY(out.codec != NULL)) {
        out.type.at = block->type->name; /* Measured when a batch has not got it yet. */
        out.body_size = tri_block_size(holder);
        out.must |= (block->type->flags & (TR_TYPE_CONTROL | TR_TYPE_DURABLE)) != 0;
        out.route = far->id_size ? &far->route : NULL;
    } else if (block->type == &tri_passing_type) {
        tri_bridge_unpack(body, tri_block_size(holder), &out);
        tri_fetch_add(&far->link->forwarded, 1u, TRI_RELAXED); /* A figure. */
    } else {
        struct tri_writer writer = {.at = payload, .end = payload + sizeof payload};
        if (!translate(far, ctx, block, body, &out, &writer) || writer.failed) {
            bury(far, ctx, block, TR_DEAD_ENCODING);
            return;
        }
        out.body = payload;
        out.body_size = (size_t)(writer.at - payload);
    }
    if (holder->flags & TRI_BLOCK_HEADERS) {
        out.headers = headers;
        out.header_count = collect_headers(holder, headers);
    }
    if (out.target.size == 0) /* For a future, and not the answer to it. */
        bury(far, ctx, block, TR_DEAD_NO_ACTOR);
    else
        settle(far, ctx, block, tri_outbox_put(far->link, ctx, &out));
}

static void deliver(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block)
{
    struct tri_far *far = far_of(proxy);
    struct tri_block *holder = tri_block_payload(block);
    bool promised = (block->flags & TRI_BLOCK_PROMISED) != 0;
    expect_less(far->link);
    if (TRI_UNLIKELY(!repeat(far, block, holder, promised)))
        deliver_odd(far, ctx, block, holder, promised);
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
        struct tri_wire_pid pid = wire_pid(far, ctx, who, text);
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
