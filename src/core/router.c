#include "core/router.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/bound.h"
#include "core/cold.h"
#include "core/log.h"
#include "core/route.h"
#include "core/send.h"
#include "core/supervise.h"
#include "troupe/behaviour.h"
#include "troupe/timer.h"

#include <limits.h>

/* ---- What routers are told ----------------------------------------------- */

struct tri_router_resize {
    uint32_t count;
};
struct tri_router_change {
    tr_pid who;
    bool add;
};
struct tri_router_free {
    char none;
};

static const struct tr_type tri_router_resize_type = {
    "tr_router_resize", sizeof(struct tri_router_resize), NULL, TR_TYPE_CONTROL};
static const struct tr_type tri_router_change_type = {
    "tr_router_change", sizeof(struct tri_router_change), NULL, TR_TYPE_CONTROL};
static const struct tr_type tri_router_free_type = {
    "tr_router_free", sizeof(struct tri_router_free), NULL, TR_TYPE_CONTROL};
static const struct tr_type marker_type = {"tr_router_marker", 0, NULL, TR_TYPE_CONTROL};
const struct tr_type tr_router_get_type = {"tr_router_get", sizeof(struct tr_router_get), NULL,
                                           TR_TYPE_CONTROL};
const struct tr_type tr_router_status_type = {"tr_router_status", sizeof(struct tr_router_status),
                                              NULL, TR_TYPE_CONTROL};

/* ---- State --------------------------------------------------------------- */

struct routee {
    tr_pid pid;
    uint64_t id; /* on the circle: the place in a pool, the PID in a group */
    bool busy;   /* TR_ROUTE_PULL */
};

struct router {
    const struct tri_router_spec *spec;
    struct routee *routees;
    uint64_t *loads; /* or ids, while the circle is built; as many as routees */
    uint32_t count;
    uint32_t capacity;
    uint32_t busy;
    uint64_t turn;
    uint64_t replaced;
    struct tri_route_circle circle;
    struct tri_restarts failures; /* of routees that ended by one */
};

static bool is_pool(const struct router *self)
{
    return self->spec->routee.actor != NULL;
}

static bool reserve(struct router *self, uint32_t count)
{
    if (count <= self->capacity)
        return true;
    uint32_t capacity = self->capacity ? self->capacity : 8;
    while (capacity < count)
        capacity *= 2;
    struct routee *routees = tri_realloc(self->routees, capacity * sizeof *routees);
    if (!routees)
        return false;
    self->routees = routees;
    uint64_t *loads = tri_realloc(self->loads, capacity * sizeof *loads);
    if (!loads)
        return false;
    self->loads = loads;
    self->capacity = capacity;
    return true;
}

static void forget(struct router *self)
{
    tri_free(self->routees);
    tri_free(self->loads);
    tri_route_circle_fini(&self->circle);
}

/* After every change of the list. */
static tr_err listed(tr_ctx *ctx, struct router *self)
{
    if (self->spec->route != TR_ROUTE_HASH)
        return TR_OK;
    for (uint32_t i = 0; i < self->count; i++)
        self->loads[i] = self->routees[i].id;
    if (tri_route_circle_build(&self->circle, self->loads, self->count))
        return TR_OK;
    return tr_fail(ctx, TR_ENOMEM, "no memory for the keys of %u routees", self->count);
}

static uint32_t find(const struct router *self, tr_pid pid)
{
    uint32_t i = 0;
    while (i < self->count && !tr_pid_equal(self->routees[i].pid, pid))
        i++;
    return i;
}

/* ---- Routees ------------------------------------------------------------- */

static tr_err start_routee(tr_ctx *ctx, const struct router *self, tr_pid *ret_pid)
{
    tr_pid pid = tr_spawn_(ctx, &self->spec->routee);
    tr_err err = tr_pid_err(pid);
    if (err)
        return tr_fail(ctx, err, "routee %u of %u could not be started: %s", self->count,
                       self->spec->count, tr_strerror(err));
    tr_watch(ctx, pid);
    *ret_pid = pid;
    return TR_OK;
}

static tr_err grow_pool(tr_ctx *ctx, struct router *self, uint32_t count)
{
    if (!reserve(self, count))
        return tr_fail(ctx, TR_ENOMEM, "no memory for %u routees", count);
    while (self->count < count) {
        struct routee routee = {.id = self->count};
        tr_err err = start_routee(ctx, self, &routee.pid);
        if (err)
            return err;
        self->routees[self->count++] = routee;
    }
    return TR_OK;
}

static void shrink_pool(tr_ctx *ctx, struct router *self, uint32_t count)
{
    while (self->count > count) {
        struct routee *last = &self->routees[--self->count];
        self->busy -= last->busy;
        tr_unwatch(ctx, last->pid);
        tr_poison(ctx, last->pid);
    }
}

static tr_err join_group(tr_ctx *ctx, struct router *self, tr_pid pid)
{
    if (find(self, pid) < self->count)
        return TR_OK;
    if (self->count == TR_ROUTEES_MAX) {
        tri_log(ctx->sys, TR_LOG_WARN,
                "router %" PRIx64 " has %u routees, its bound: %" PRIx64 " is not added",
                tr_self(ctx).bits, TR_ROUTEES_MAX, pid.bits);
        return TR_OK;
    }
    if (!reserve(self, self->count + 1))
        return tr_fail(ctx, TR_ENOMEM, "no memory for %u routees", self->count + 1);
    self->routees[self->count++] = (struct routee){.pid = pid, .id = pid.bits};
    tr_watch(ctx, pid);
    return TR_OK;
}

static void leave_group(struct router *self, uint32_t index)
{
    self->busy -= self->routees[index].busy;
    memmove(&self->routees[index], &self->routees[index + 1],
            (self->count - index - 1) * sizeof *self->routees);
    self->count--;
}

static tr_err replace(tr_ctx *ctx, struct router *self, struct routee *routee, tr_err reason)
{
    if (reason == TR_ENOMEM) /* It may live, unwatched: another one takes its place. */
        tr_poison(ctx, routee->pid);
    if (reason) {
        struct tr_supervision policy = {0};
        if (self->spec->routee.supervise)
            policy = *self->spec->routee.supervise;
        policy.on_failure = TR_RESTART; /* Only its budget counts here. */
        policy.decide = NULL;
        struct tri_decision d = tri_supervise(&policy, &self->failures, reason, tri_ctx_now_ns(ctx),
                                              0);
        if (d.directive != TR_RESTART)
            return tr_fail(ctx, TR_ERESTARTS, "%u routees have ended by failures, the last by: %s",
                           d.failures, tr_strerror(reason));
    }
    tr_err err = start_routee(ctx, self, &routee->pid);
    self->busy -= routee->busy;
    routee->busy = false;
    self->replaced += !err;
    if (!err && self->spec->route == TR_ROUTE_PULL)
        (void)tr_unstash(ctx, 1);
    return err;
}

/* ---- Routing ------------------------------------------------------------- */

/* What waits in front of a message that comes now. Any thread may ask. */
static uint64_t load_of(const struct tr_ctx *ctx, tr_pid pid)
{
    struct tri_cell *cell = tri_pid_cell(&ctx->sys->slots, pid);
    if (!cell)
        return UINT64_MAX;
    /* Relaxed, all of it: a hint that is old by the time the message arrives. */
    uint64_t busy = tri_load(&cell->head, TRI_RELAXED) != NULL;
    if (pid.bits >> 32 & TRI_GEN_BOUNDED)
        busy += 2 * (uint64_t)tri_bound_count(ctx->sys, cell);
    return busy;
}

static uint32_t choose(tr_ctx *ctx, struct router *self, const tr_msg *msg)
{
    switch (self->spec->route) {
    case TR_ROUTE_RANDOM:
        return tri_route_random(tr_random(ctx), self->count);
    case TR_ROUTE_HASH:
        return tri_route_circle_find(&self->circle, self->spec->key(msg));
    case TR_ROUTE_LEAST_LOADED:
        for (uint32_t i = 0; i < self->count; i++)
            self->loads[i] = load_of(ctx, self->routees[i].pid);
        return tri_route_least(self->loads, self->count, (uint32_t)(self->turn % self->count));
    default:
        return tri_route_round_robin(self->turn, self->count);
    }
}

/* Sends a marker behind the message: when the routee gets there, its handler has returned. */
static void give_work(tr_ctx *ctx, struct router *self, struct routee *routee, const tr_msg *msg)
{
    tr_forward(ctx, routee->pid, msg);
    struct tri_block *marker = tri_block_new(ctx, &marker_type, 0, true);
    TRI_ASSERT(marker != NULL); /* As for system messages. */
    marker->from = tr_self(ctx);
    marker->flags |= TRI_BLOCK_POISON;
    tri_deliver(ctx, routee->pid, marker);
    routee->busy = true;
    self->busy++;
}

static tr_err pull(tr_ctx *ctx, struct router *self, const tr_msg *msg)
{
    for (uint32_t n = 0; n < self->count && self->busy < self->count; n++) {
        struct routee *routee = &self->routees[(self->turn + n) % self->count];
        if (!routee->busy) {
            give_work(ctx, self, routee, msg);
            self->turn++;
            return TR_OK;
        }
    }
    if (tr_stashed(ctx) < self->spec->keep_max)
        return tr_stash(ctx) == TR_OK ? TR_OK : tri_send_refuse(ctx, TR_DEAD_MEMORY);
    return tri_send_refuse(ctx, TR_DEAD_REFUSED);
}

static tr_err route(tr_ctx *ctx, struct router *self, const tr_msg *msg)
{
    if (self->count == 0) {
        tr_forward(ctx, TR_NOBODY, msg);
        return TR_OK;
    }
    if (self->spec->route == TR_ROUTE_PULL)
        return pull(ctx, self, msg);
    if (self->spec->route == TR_ROUTE_BROADCAST) {
        for (uint32_t i = 0; i < self->count; i++)
            tr_forward(ctx, self->routees[i].pid, msg);
    } else {
        tr_forward(ctx, self->routees[choose(ctx, self, msg)].pid, msg);
    }
    self->turn++;
    return TR_OK;
}

/* ---- The actor ----------------------------------------------------------- */

static tr_err router_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct router *self = state;
    (void)arg;
    self->spec = ctx->cell->cold->owned;
    tr_err err = TR_OK;
    if (is_pool(self))
        err = grow_pool(ctx, self, self->spec->count);
    for (uint32_t i = 0; !is_pool(self) && i < self->spec->count && !err; i++)
        err = join_group(ctx, self, self->spec->pids[i]);
    if (!err)
        err = listed(ctx, self);
    if (err)
        forget(self); /* stop() is owed only after an init that succeeded. */
    return err;
}

static void router_stop(tr_ctx *ctx, void *state)
{
    (void)ctx;
    forget(state);
}

static tr_err on_down(tr_ctx *ctx, struct router *self, const struct tr_down *msg)
{
    uint32_t index = find(self, msg->who);
    if (index == self->count)
        return TR_OK; /* Removed, or of a pool before a restart. */
    if (is_pool(self))
        return replace(ctx, self, &self->routees[index], msg->reason);
    leave_group(self, index);
    return listed(ctx, self);
}

static tr_err on_resize(tr_ctx *ctx, struct router *self, const struct tri_router_resize *msg)
{
    if (!is_pool(self))
        return tr_unhandled(ctx);
    shrink_pool(ctx, self, msg->count);
    uint32_t more = msg->count - self->count;
    tr_err err = grow_pool(ctx, self, msg->count);
    if (!err && self->spec->route == TR_ROUTE_PULL && more)
        (void)tr_unstash(ctx, more);
    return err ? err : listed(ctx, self);
}

static tr_err on_change(tr_ctx *ctx, struct router *self, const struct tri_router_change *msg)
{
    if (is_pool(self))
        return tr_unhandled(ctx);
    tr_err err = TR_OK;
    uint32_t index = find(self, msg->who);
    if (msg->add) {
        err = join_group(ctx, self, msg->who);
        if (!err && self->spec->route == TR_ROUTE_PULL)
            (void)tr_unstash(ctx, 1);
    } else if (index < self->count) {
        tr_unwatch(ctx, msg->who);
        leave_group(self, index);
    }
    return err ? err : listed(ctx, self);
}

static tr_err on_free(tr_ctx *ctx, struct router *self)
{
    uint32_t index = find(self, tr_sender(ctx));
    if (index < self->count && self->routees[index].busy) {
        self->routees[index].busy = false;
        self->busy--;
        (void)tr_unstash(ctx, 1);
    }
    return TR_OK;
}

static tr_err on_get(tr_ctx *ctx, const struct router *self)
{
    tr_reply(ctx, tr_router_status, .routees = self->count, .busy = self->busy,
             .waiting = tr_stashed(ctx), .routed = self->turn, .replaced = self->replaced);
    return TR_OK;
}

static tr_err router_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct router *self = state;
    const void *body = tr_msg_body(msg);
    if (!(msg->type->flags & TR_TYPE_CONTROL))
        return route(ctx, self, msg);
    if (msg->type == &tr_down_type)
        return on_down(ctx, self, body);
    if (msg->type == &tri_router_free_type)
        return on_free(ctx, self);
    if (msg->type == &tri_router_resize_type)
        return on_resize(ctx, self, body);
    if (msg->type == &tri_router_change_type)
        return on_change(ctx, self, body);
    if (msg->type == &tr_router_get_type)
        return on_get(ctx, self);
    return route(ctx, self, msg);
}

const struct tr_actor tri_router_actor = {.name = "router",
                                          .state_size = sizeof(struct router),
                                          .init = router_init,
                                          .receive = router_receive,
                                          .stop = router_stop,
                                          .stash_max = TR_PULL_MAX + 1};

void tri_router_reached(struct tr_ctx *ctx, const struct tri_block *marker)
{
    struct tri_router_free body = {0};
    tri_send_reserved(ctx, marker->from, &tri_router_free_type, &body, 0, 0);
}

bool tri_router_is_marker(const struct tri_block *block)
{
    return block->type == &marker_type;
}

/* ---- Spawning and telling ------------------------------------------------ */

tr_err tri_router_check(struct tr_ctx *ctx, const struct tr_spawn_args *args)
{
    if (args->pool && args->group_size)
        return tr_fail(ctx, TR_EINVAL, "pool is %u and group_size is %u, want one of them",
                       args->pool, args->group_size);
    if (args->pool > TR_ROUTEES_MAX || args->group_size > TR_ROUTEES_MAX)
        return tr_fail(ctx, TR_EINVAL, "%u routees, want at most %u",
                       args->pool ? args->pool : args->group_size, TR_ROUTEES_MAX);
    if ((unsigned)args->route > TR_ROUTE_PULL)
        return tr_fail(ctx, TR_EINVAL, "route is %u, not one of enum tr_route",
                       (unsigned)args->route);
    if (args->route == TR_ROUTE_HASH && !args->route_key)
        return tr_fail(ctx, TR_EINVAL, "TR_ROUTE_HASH without route_key");
    if (args->route == TR_ROUTE_PULL && args->mailbox_max > TR_PULL_MAX)
        return tr_fail(ctx, TR_EINVAL, "TR_ROUTE_PULL with mailbox_max %u, want at most %u",
                       args->mailbox_max, TR_PULL_MAX);
    if (args->route == TR_ROUTE_PULL && (args->overflow != TR_REFUSE || args->overflow_rules))
        return tr_fail(ctx, TR_EINVAL, "TR_ROUTE_PULL refuses what is too much, want TR_REFUSE");
    if (args->group_size && (args->actor || !args->group))
        return tr_fail(ctx, TR_EINVAL, "a group of %u wants its PIDs in `group` and no actor",
                       args->group_size);
    for (uint32_t i = 0; i < args->group_size; i++) {
        if (tr_pid_is_nobody(args->group[i]))
            return tr_fail(ctx, TR_EINVAL, "routee %u of the group is nobody: %s", i,
                           tr_strerror(tr_pid_err(args->group[i])));
    }
    return TR_OK;
}

struct tri_router_spec *tri_router_spec(const struct tr_spawn_args *args)
{
    size_t pids_size = args->group_size * sizeof(tr_pid);
    size_t arg_size = args->actor && args->arg ? args->actor->arg_size : 0;
    struct tri_router_spec *spec = tri_calloc(1, sizeof *spec + pids_size + arg_size);
    if (!spec)
        return NULL;
    spec->routee = *args;
    spec->routee.name = NULL;
    spec->routee.pool = spec->routee.group_size = 0;
    spec->routee.route = TR_ROUTE_NONE;
    spec->routee.route_key = NULL;
    spec->routee.group = NULL;
    spec->routee.error = NULL;          /* Long gone when the routees start. */
    if (args->route == TR_ROUTE_PULL) { /* Routees have one message at a time. */
        spec->keep_max = args->mailbox_max ? args->mailbox_max : TR_PULL_MAX;
        spec->routee.mailbox_max = 0;
    }
    /* A bounded mailbox knows its length. */
    if (args->route == TR_ROUTE_LEAST_LOADED && args->mailbox_max == 0)
        spec->routee.mailbox_max = UINT_MAX;
    spec->route = args->route;
    spec->key = args->route_key;
    spec->count = args->pool ? args->pool : args->group_size;
    if (pids_size)
        memcpy(spec->pids, args->group, pids_size);
    if (arg_size) {
        char *arg = (char *)spec->pids + pids_size;
        memcpy(arg, args->arg, arg_size);
        spec->routee.arg = arg;
    }
    return spec;
}

tr_err tr_pool_resize(tr_ctx *ctx, tr_pid router, unsigned count)
{
    if (count == 0 || count > TR_ROUTEES_MAX)
        return tr_fail(ctx, TR_EINVAL, "a pool of %u, want 1 to %u", count, TR_ROUTEES_MAX);
    struct tri_router_resize body = {.count = count};
    tr_send_(ctx, router, &tri_router_resize_type, &body, sizeof body);
    return TR_OK;
}

static tr_err change(tr_ctx *ctx, tr_pid router, tr_pid routee, bool add)
{
    if (tr_pid_is_nobody(routee))
        return tr_fail(ctx, TR_EINVAL, "the routee is nobody: %s", tr_strerror(tr_pid_err(routee)));
    struct tri_router_change body = {.who = routee, .add = add};
    tr_send_(ctx, router, &tri_router_change_type, &body, sizeof body);
    return TR_OK;
}

tr_err tr_group_add(tr_ctx *ctx, tr_pid router, tr_pid routee)
{
    return change(ctx, router, routee, true);
}

tr_err tr_group_remove(tr_ctx *ctx, tr_pid router, tr_pid routee)
{
    return change(ctx, router, routee, false);
}
