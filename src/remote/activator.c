#include "remote/activator.h"

#include "core/log.h"
#include "remote/far.h"

#include <stdio.h>

const struct tr_type tri_spawn_request_type = {
    "remote.ActorPidRequest", sizeof(struct tri_spawn_request), NULL, TR_TYPE_CONTROL};
const struct tr_type tri_spawn_answer_type = {
    "remote.ActorPidResponse", sizeof(struct tri_spawn_answer), NULL, TR_TYPE_CONTROL};
const struct tr_type tr_remote_spawned_type = {
    "tr_remote_spawned", sizeof(struct tr_remote_spawned), NULL, TR_TYPE_CONTROL};

struct activator {
    struct tr_remote *remote;
    uint64_t sequence;
};

enum dotnet_status { DOTNET_OK = 0, DOTNET_EXISTS = 1, DOTNET_ERROR = 2 };

tr_err tri_spawn_status_err(int32_t status, bool dotnet)
{
    if (dotnet)
        return status == DOTNET_OK ? TR_OK : status == DOTNET_EXISTS ? TR_EEXIST : TR_EPEER;
    switch (status) {
    case TRI_SPAWN_OK:
        return TR_OK;
    case TRI_SPAWN_EXISTS:
        return TR_EEXIST;
    case TRI_SPAWN_TIMEOUT:
        return TR_ETIMEDOUT;
    case TRI_SPAWN_DEAD_LETTER:
        return TR_ENOACTOR;
    default:
        return TR_EPEER;
    }
}

static int32_t status_of(tr_err err, bool dotnet)
{
    if (err == TR_OK)
        return TRI_SPAWN_OK;
    if (err == TR_EEXIST)
        return dotnet ? (int32_t)DOTNET_EXISTS : (int32_t)TRI_SPAWN_EXISTS;
    if (dotnet)
        return DOTNET_ERROR;
    return err == TR_ECLOSING ? TRI_SPAWN_UNAVAILABLE : TRI_SPAWN_ERROR;
}

static const struct tr_remote_kind *find_kind(const struct tr_remote *remote, const char *kind)
{
    for (uint32_t i = 0; i < remote->kind_count; i++) {
        if (strcmp(remote->kinds[i].kind, kind) == 0)
            return &remote->kinds[i];
    }
    return NULL;
}

static tr_err spawn(tr_ctx *ctx, struct activator *self, const struct tri_spawn_request *msg,
                    tr_pid *ret_pid)
{
    struct tr_remote *remote = self->remote;
    const struct tr_remote_kind *kind = find_kind(remote, msg->kind);
    char name[TR_NAME_SIZE_MAX + 1];
    int size = msg->name[0]
                   ? snprintf(name, sizeof name, "activator/Remote$%s", msg->name)
                   : snprintf(name, sizeof name, "activator/Remote$$%" PRIu64, ++self->sequence);
    if (!kind) {
        tri_log(remote->sys, TR_LOG_WARN, "a peer wants to spawn the kind '%s', which is none",
                msg->kind);
        return TR_ENOTSUP;
    }
    if (size >= (int)sizeof name)
        return TR_EINVAL;
    /* Relaxed: only this actor counts up; ends are counted by its watch. */
    if (tri_load(&remote->spawned, TRI_RELAXED) >= remote->config.remote_spawned_max)
        return TR_EFULL;
    struct tr_spawn_args args = kind->args;
    args.name = name;
    *ret_pid = tr_spawn_(ctx, &args);
    tr_err err = tr_pid_err(*ret_pid);
    if (!err) {
        tri_fetch_add(&remote->spawned, 1u, TRI_RELAXED);
        tr_watch(ctx, *ret_pid);
    } else if (err == TR_EEXIST) {
        *ret_pid = tr_lookup(ctx, name);
    }
    return err;
}

static tr_err activator_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct activator *self = state;
    if (msg->type == &tr_down_type) {
        tri_fetch_sub(&self->remote->spawned, 1u, TRI_RELAXED);
        return TR_OK;
    }
    if (msg->type != &tri_spawn_request_type)
        return tr_unhandled(ctx);
    const struct tri_spawn_request *request = tr_msg_body(msg);
    struct tri_spawn_answer answer = {0};
    tr_err err = spawn(ctx, self, request, &answer.pid);
    answer.status = status_of(err, request->dotnet);
    tr_reply_to_(ctx, tr_caller_of(ctx), &tri_spawn_answer_type, &answer, sizeof answer);
    return TR_OK;
}

static tr_err activator_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    memcpy(state, arg, sizeof(struct activator));
    return TR_OK;
}

static const struct tr_actor activator_actor = {.name = "activator",
                                                .state_size = sizeof(struct activator),
                                                .arg_size = sizeof(struct activator),
                                                .init = activator_init,
                                                .receive = activator_receive};

tr_pid tri_activator_spawn(struct tr_remote *remote, tr_ctx *ctx)
{
    struct activator arg = {.remote = remote};
    return tr_spawn(ctx, &activator_actor, .name = "activator", .arg = &arg);
}

uint64_t tr_remote_spawn(tr_ctx *ctx, const char *address, const char *kind, const char *name,
                         unsigned timeout_ms)
{
    const struct tri_transport *transport = tri_load(&ctx->sys->transport, TRI_ACQUIRE);
    struct tri_spawn_request request = {0};
    tr_pid pid = TR_NOBODY;
    int sizes[] = {snprintf(request.kind, sizeof request.kind, "%s", kind),
                   snprintf(request.name, sizeof request.name, "%s", name ? name : "")};
    bool fits = sizes[0] < (int)sizeof request.kind && sizes[1] < (int)sizeof request.name;
    if (transport && fits) {
        struct tr_remote *remote = transport->self;
        request.dotnet = tri_remote_known_dialect(remote, address) == TR_DIALECT_DOTNET;
        pid = tr_remote_pid(ctx, address, request.dotnet ? "$activator" : "activator");
    }
    return tr_request_copy_(ctx, pid, timeout_ms, &tri_spawn_request_type, &request,
                            sizeof request);
}
