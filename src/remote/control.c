/* What arrives and is not one of the user's messages: remote/inbound.h. */
#include "core/request.h"
#include "remote/activator.h"
#include "remote/bridge.h"
#include "remote/far.h"
#include "remote/inbound.h"

struct tri_link *tri_control_link(struct tri_link *link, struct tri_name address)
{
    tr_err err;
    /* An empty one is .NET's word for its own. */
    if (address.size == 0 || link->address[0] == '$' ||
        tri_name_equal(address, tri_name(link->address)))
        return link;
    if (tri_remote_is_own(link->remote, address))
        return NULL;
    return tri_table_link(link->remote, address, false, &err);
}

static bool allowed(const struct tri_arrival *a, unsigned what)
{
    return (a->io->remote->config.allow & what) != 0;
}

void tri_control_reject(const struct tri_arrival *a)
{
    tri_fetch_add(&a->link->rejected, 1u, TRI_RELAXED); /* A figure. */
    tri_control_dead_letter(a);
}

void tri_control_dead_letter(const struct tri_arrival *a)
{
    const struct tri_envelope_in *in = a->in;
    struct tr_request_failed failed = {.call = a->call, .reason = TR_ENOACTOR};
    if (!in->sender)
        return;
    if (tri_remote_is_own(a->io->remote, in->sender->pid.address)) {
        /* Sent back to where it came from, or to us and through us. */
        if (tri_pid_remote(a->from) && failed.call == 0)
            failed.call = TRI_CALL_UNNUMBERED;
        if (failed.call && !tr_pid_is_nobody(a->from))
            tri_send_from(a->io->ctx, a->from, TR_NOBODY, &tr_request_failed_type, &failed,
                          failed.call, TRI_BLOCK_REPLY);
        return;
    }
    struct tri_link *home = tri_control_link(a->link, in->sender->pid.address);
    if (home)
        tri_link_dead_letter(home, a->io->ctx, in->sender->pid.id, in->sender_request_id,
                             in->target->pid.id);
}

/* An answer, in the words of this library. */
static void give_answer(const struct tri_arrival *a, const struct tr_type *type, const void *body)
{
    struct tr_ctx *ctx = a->io->ctx;
    tr_pid from = tri_pid_remote(a->from) ? a->from : tri_far_future(a->link, ctx);
    if (tr_pid_is_nobody(a->to))
        return; /* Whoever asked has ended: nobody has lost anything. */
    uint64_t call = tri_arrival_answers(a);
    tri_send_from(ctx, a->to, from, type, body, call, call ? TRI_BLOCK_REPLY : 0);
}

/* The PID that a message is about, if it is known here; nobody otherwise. */
static tr_pid known_pid(const struct tri_arrival *a, const struct tri_wire_pid *pid, bool make)
{
    if (pid->id.size == 0)
        return TR_NOBODY;
    if (pid->address.size && tri_remote_is_own(a->io->remote, pid->address))
        return tri_id_find(a->io->ctx, pid->id);
    struct tri_link *home = tri_control_link(a->link, pid->address);
    if (!home)
        return TR_NOBODY;
    tr_pid found = make ? tri_far_get(home, a->io->ctx, pid->id, true)
                        : tri_far_find(home, pid->id);
    return tr_pid_is_nobody(found) ? TR_NOBODY : found;
}

/* ---- Watching ----------------------------------------------------------------------- */

/* Who is to be told of an end, and in *ret_home its link; nobody if it cannot be. */
static tr_pid watcher_of(const struct tri_arrival *a, const struct tri_wire_pid *watcher, bool make,
                         struct tri_link **ret_home)
{
    struct tr_remote *remote = a->io->remote;
    uint64_t call;
    *ret_home = tri_control_link(a->link, watcher->address);
    if (*ret_home)
        return make ? tri_far_get(*ret_home, a->io->ctx, watcher->id, false)
                    : tri_far_find(*ret_home, watcher->id);
    if (remote->route_count == 0 || !tri_remote_is_own(remote, watcher->address))
        return TR_NOBODY;
    /* An actor of yet another node, that the peer knows by a name of ours. */
    tr_pid far = tri_bridge_find(a->io, a->member_id, watcher->id, &call);
    *ret_home = tr_pid_is_nobody(far) || call ? NULL : tri_far_link(remote, far);
    return *ret_home ? far : TR_NOBODY;
}

static void on_watch(const struct tri_arrival *a, bool watch)
{
    struct tri_wire_pid watcher;
    struct tr_ctx *ctx = a->io->ctx;
    if (!allowed(a, TR_REMOTE_WATCH) ||
        tri_parse_one_pid(a->in->payload, a->in->payload_size, &watcher) || watcher.id.size == 0) {
        tri_fetch_add(&a->link->rejected, 1u, TRI_RELAXED);
        return;
    }
    if (tr_pid_is_nobody(a->to)) {
        struct tri_link *home = tri_control_link(a->link, watcher.address);
        if (watch && home)
            tri_link_terminated(home, ctx, watcher.id, a->in->target->pid.id,
                                TRI_TERMINATED_NOT_FOUND);
        return;
    }
    struct tri_link *home;
    tr_pid far = watcher_of(a, &watcher, watch, &home);
    if (tr_pid_is_nobody(far) ||
        (tri_pid_remote(a->to) && !tri_bridge_can_tell(a->io->remote, a->to, far))) {
        tri_fetch_add(&a->link->rejected, 1u, TRI_RELAXED);
        return;
    }
    if (!watch)
        tri_far_unwatches(home, ctx, far, a->to);
    else if (tri_far_watches(home, ctx, far, a->to, a->in->target->pid.id))
        tri_fetch_add(&a->link->rejected, 1u, TRI_RELAXED);
}

struct search {
    struct tri_name id;
    tr_pid found[8];
    uint32_t count;
};

static void search_link(void *user, struct tri_link *link)
{
    struct search *search = user;
    tr_pid pid = tri_far_find_locked(link, search->id);
    if (!tr_pid_is_nobody(pid) && search->count < TRI_ARRAY_COUNT(search->found))
        search->found[search->count++] = pid;
}

static void on_terminated(const struct tri_arrival *a)
{
    static const tr_err errs[] = {[TRI_TERMINATED_STOPPED] = TR_OK,
                                  [TRI_TERMINATED_ADDRESS] = TR_EPEER,
                                  [TRI_TERMINATED_NOT_FOUND] = TR_ENOACTOR};
    struct tri_terminated terminated;
    struct search search = {.count = 0};
    if (tri_parse_terminated(a->in->payload, a->in->payload_size, &terminated)) {
        tri_fetch_add(&a->link->rejected, 1u, TRI_RELAXED);
        return;
    }
    if (tr_pid_is_nobody(a->to))
        return; /* Who watched has ended, too. */
    tr_err reason = terminated.why >= 0 && terminated.why < (int32_t)TRI_ARRAY_COUNT(errs)
                        ? errs[terminated.why]
                        : TR_EPEER;
    /* The peer may have been dialled by another of its addresses than the one it gives. */
    search.id = terminated.who.id;
    search.found[0] = known_pid(a, &terminated.who, false);
    search.count = tr_pid_is_nobody(search.found[0]) ? 0 : 1;
    tri_table_member(a->io->remote, a->member_id, search_link, &search);
    for (uint32_t i = 0; i < search.count; i++)
        tri_sys_send(a->io->ctx, search.found[i], TRI_SYS_GONE, a->to, (uint64_t)reason);
}

/* A Touch that followed a Watch has found nobody. */
static void on_missing(const struct tri_arrival *a, const struct tri_wire_pid *target)
{
    struct search search = {.id = target->id};
    if (target->id.size == 0)
        return; /* Dialect A, which says it with a Terminated. */
    search.found[0] = known_pid(a, target, false);
    search.count = tr_pid_is_nobody(search.found[0]) ? 0 : 1;
    tri_table_member(a->io->remote, a->member_id, search_link, &search);
    for (uint32_t i = 0; i < search.count; i++)
        tri_sys_send(a->io->ctx, search.found[i], TRI_SYS_GONE, TR_NOBODY, TR_ENOACTOR);
}

/* ---- Stopping and touching -------------------------------------------------------------- */

static void on_stop(const struct tri_arrival *a, bool poison)
{
    if (!allowed(a, TR_REMOTE_STOP)) {
        tri_control_reject(a);
        return;
    }
    if (tr_pid_is_nobody(a->to))
        return;
    if (poison)
        tr_poison(a->io->ctx, a->to);
    else
        tri_sys_send(a->io->ctx, a->to, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}

static void on_touch(const struct tri_arrival *a)
{
    struct tr_ctx *ctx = a->io->ctx;
    if (tr_pid_is_nobody(a->to)) {
        tri_control_reject(a);
        return;
    }
    if (tr_pid_is_nobody(a->from))
        return; /* Nobody to answer. */
    struct tri_block *block = tri_block_new(ctx, &tri_touch_type, 0, true);
    if (!block)
        return;
    block->from = a->from;
    block->call = a->call ? a->call : TRI_CALL_UNNUMBERED;
    block->flags |= TRI_BLOCK_POISON | TRI_BLOCK_REQUEST;
    tri_deliver(ctx, a->to, block);
}

static void on_touched(const struct tri_arrival *a)
{
    struct tri_wire_pid who;
    struct tr_touched touched = {a->from};
    if (tri_parse_one_pid(a->in->payload, a->in->payload_size, &who))
        return;
    if (tr_pid_is_nobody(touched.who))
        touched.who = known_pid(a, &who, false);
    give_answer(a, &tr_touched_type, &touched);
}

static void on_dead_letter(const struct tri_arrival *a)
{
    struct tri_wire_pid target;
    struct tr_request_failed failed = {.call = tri_arrival_answers(a), .reason = TR_ENOACTOR};
    if (tri_parse_one_pid(a->in->payload, a->in->payload_size, &target))
        return;
    if (tri_name_equal(a->in->target->pid.id, TRI_NAME(TRI_WATCH_ID))) {
        on_missing(a, &target);
        return;
    }
    failed.to = known_pid(a, &target, false);
    /* Without a number it is about a plain message, which the peer has accounted for; other nodes
     * want to know all the same. */
    if (failed.call || tri_pid_remote(a->to))
        give_answer(a, &tr_request_failed_type, &failed);
}

/* ---- Spawning ------------------------------------------------------------------------------ */

static void on_spawn_request(const struct tri_arrival *a)
{
    struct tri_actor_pid_request in;
    struct tri_spawn_request request = {0};
    struct tri_name id = a->in->target->pid.id;
    if (tri_pid_remote(a->to) && allowed(a, TR_REMOTE_SPAWN)) {
        (void)tri_bridge_pass(a, false);
        return;
    }
    request.dotnet = tri_name_equal(id, TRI_NAME("$activator"));
    bool ours = request.dotnet || tri_name_equal(id, TRI_NAME("activator"));
    if (!ours || !allowed(a, TR_REMOTE_SPAWN) || tr_pid_is_nobody(a->from) ||
        tri_parse_actor_pid_request(a->in->payload, a->in->payload_size, &in) ||
        in.kind.size > TR_NAME_SIZE_MAX || in.name.size > TR_NAME_SIZE_MAX ||
        memchr(in.kind.at ? in.kind.at : "", 0, in.kind.size) ||
        memchr(in.name.at ? in.name.at : "", 0, in.name.size)) {
        tri_control_reject(a);
        return;
    }
    if (in.kind.size)
        memcpy(request.kind, in.kind.at, in.kind.size);
    if (in.name.size)
        memcpy(request.name, in.name.at, in.name.size);
    tri_send_from(a->io->ctx, a->io->remote->activator, a->from, &tri_spawn_request_type, &request,
                  a->call ? a->call : TRI_CALL_UNNUMBERED, TRI_BLOCK_REQUEST);
}

static void on_spawn_answer(const struct tri_arrival *a)
{
    struct tri_actor_pid_response in;
    if (tri_parse_actor_pid_response(a->in->payload, a->in->payload_size, &in))
        return;
    /* Whether the codes are .NET's shows the name of who answers. */
    bool dotnet = (a->in->sender && a->in->sender->pid.id.size &&
                   a->in->sender->pid.id.at[0] == '$') ||
                  tri_load(&a->link->known_copy, TRI_RELAXED) == TR_DIALECT_DOTNET;
    struct tr_remote_spawned spawned = {.err = tri_spawn_status_err(in.status, dotnet),
                                        .status = in.status};
    if (in.has_pid)
        spawned.pid = known_pid(a, &in.pid, true);
    if (tri_pid_remote(a->to)) { /* It has asked through us. */
        struct tri_spawn_answer answer = {.pid = spawned.pid, .status = in.status};
        give_answer(a, &tri_spawn_answer_type, &answer);
        return;
    }
    give_answer(a, &tr_remote_spawned_type, &spawned);
}

void tri_control_arrived(const struct tri_arrival *a, enum tri_system_type type)
{
    switch (type) {
    case TRI_TYPE_WATCH:
    case TRI_TYPE_UNWATCH:
        on_watch(a, type == TRI_TYPE_WATCH);
        break;
    case TRI_TYPE_TERMINATED:
        on_terminated(a);
        break;
    case TRI_TYPE_STOP:
    case TRI_TYPE_POISON_PILL:
        on_stop(a, type == TRI_TYPE_POISON_PILL);
        break;
    case TRI_TYPE_TOUCH:
        on_touch(a);
        break;
    case TRI_TYPE_TOUCHED:
        on_touched(a);
        break;
    case TRI_TYPE_DEAD_LETTER_RESPONSE:
        on_dead_letter(a);
        break;
    case TRI_TYPE_ACTOR_PID_REQUEST:
        on_spawn_request(a);
        break;
    case TRI_TYPE_ACTOR_PID_RESPONSE:
        on_spawn_answer(a);
        break;
    default:
        tri_control_reject(a);
        break;
    }
}
