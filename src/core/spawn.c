#include "core/spawn.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/plant.h"
#include "core/bound.h"
#include "core/cold.h"
#include "core/contain.h"
#include "core/family.h"
#include "core/kind.h"
#include "core/life.h"
#include "core/middleware.h"
#include "core/names.h"
#include "core/ports.h"
#include "core/router.h"
#include "core/send.h"

/* State and argument in one block. False when out of memory. */
static bool make_data(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_actor *actor,
                      const void *arg)
{
    size_t state_size = (actor->state_size + 7) & ~(size_t)7;
    size_t size = state_size + actor->arg_size;
    cell->data = NULL;
    if (size == 0)
        return true;
    if (size > TRI_POOL_BLOCK_MAX) {
        cell->data = tri_pool_map_huge(&ctx->sys->limit, size, false);
        cell->size_class = TRI_POOL_HUGE;
    } else {
        uint32_t size_class = tri_pool_class(size);
        cell->data = tri_pool_get(&ctx->pool, size_class, false);
        cell->size_class = (uint8_t)size_class;
        cell->owner = ctx->id;
    }
    if (!cell->data)
        return false;
    if (size <= 64)
        memset(cell->data, 0, 64); /* The smallest block, without a call. */
    else
        memset(cell->data, 0, state_size);
    if (actor->arg_size && arg)
        memcpy((char *)cell->data + state_size, arg, actor->arg_size);
    else if (actor->arg_size)
        memset((char *)cell->data + state_size, 0, actor->arg_size);
    return true;
}

static tr_err check_actor(struct tr_ctx *ctx, const struct tr_actor *actor)
{
    const char *name = actor && actor->name ? actor->name : "?";
    if (!actor)
        return tr_fail(ctx, TR_EINVAL, "no actor, want one, or a group and its route");
    if (!actor->receive)
        return tr_fail(ctx, TR_EINVAL, "actor '%s' has no receive", name);
    if (actor->state_size > TR_MESSAGE_SIZE_MAX || actor->arg_size > TR_MESSAGE_SIZE_MAX)
        return tr_fail(ctx, TR_EINVAL,
                       "actor '%s' has %zu bytes of state, %zu of argument; "
                       "want at most %zu each",
                       name, actor->state_size, actor->arg_size, TR_MESSAGE_SIZE_MAX);
    if (actor->batch_max > TR_BATCH_MAX)
        return tr_fail(ctx, TR_EINVAL, "actor '%s' takes batches of %u, want at most %u", name,
                       actor->batch_max, TR_BATCH_MAX);
    if (actor->batch_max && (!actor->receive_batch || !actor->batch_type))
        return tr_fail(ctx, TR_EINVAL, "actor '%s' takes batches but has no %s", name,
                       actor->batch_type ? "receive_batch" : "batch_type");
    return TR_OK;
}

/* Whatever is wrong is said with tr_fail(). */
static tr_err check_args(struct tr_ctx *ctx, const struct tr_spawn_args *args)
{
    bool group = tri_router_is_group(args);
    tr_err err = group ? TR_OK : check_actor(ctx, args->actor);
    if (!err)
        err = tri_router_check(ctx, args);
    if (err)
        return err;
    if (tri_middleware_count(args->middleware) > TR_MIDDLEWARE_MAX)
        return tr_fail(ctx, TR_EINVAL, "a chain of more than %u middlewares", TR_MIDDLEWARE_MAX);
    size_t name_size = args->name ? strnlen(args->name, TR_NAME_SIZE_MAX + 1) : 1;
    if (name_size == 0 || name_size > TR_NAME_SIZE_MAX)
        return tr_fail(ctx, TR_EINVAL, "the name '%.32s…' has %s bytes, want 1 to %u", args->name,
                       name_size ? "too many" : "no", TR_NAME_SIZE_MAX);
    const char *wrong = tri_supervision_invalid(args->supervise);
    if (wrong)
        return tr_fail(ctx, TR_EINVAL, "supervise: %s", wrong);
    struct tr_error why = {0};
    if (tri_bound_check(args, group ? &tri_router_actor : args->actor, &why))
        return tr_fail(ctx, why.code, "%s", why.text);
    return TR_OK;
}

/* Makes a tenant of a claimed cell. What a tenant may have had is zero again since its end. */
static inline void clear_cell(struct tr_ctx *ctx, struct tri_cell *cell, uint32_t odd)
{
    TRI_ASSERT(!cell->cold && !cell->children);
    cell->flags = 0; /* These are of messages that were turned away meanwhile, too. */
    cell->taken = 0;
    cell->refused = 0;
    uint32_t gen = tri_load(&cell->gen, TRI_RELAXED) | TRI_GEN_ALIVE | odd;
    /* Release: who got the PID through other memory sees a cell that is ready for mail. */
    tri_store(&cell->pid_bits, (uint64_t)gen << 32 | cell->slot, TRI_RELEASE);
    tri_count(&ctx->counts.spawned, 1);
}

static struct tri_cell *take_cell(struct tr_ctx *ctx, uint32_t odd)
{
    struct tri_cell *cell = tri_slot_take(ctx);
    if (cell)
        clear_cell(ctx, cell, odd | (ctx->sys->shown & TRI_SHOW_SEND ? TRI_GEN_SHOWN : 0));
    return cell;
}

/* The first turn of a cell that is filled. */
static inline void begin(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (cell->actor->init) {
        tri_state_step(&cell->state, TRI_FREE, TRI_STARTING);
    } else {
        cell->flags |= TRI_CELL_INITED;
        tri_state_step(&cell->state, TRI_FREE, TRI_RUNNING);
    }
    tri_schedule(ctx, cell);
}

/* Undoes take_cell() for a tenant that never was: its first turn finds an end. */
static void abandon(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (cell->state == TRI_FREE)
        tri_state_move(&cell->state, TRI_STARTING);
    tri_state_move(&cell->state, TRI_STOPPING);
    tri_schedule(ctx, cell);
}

static tr_err fill_cell(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_spawn_args *args)
{
    cell->actor = args->actor;
    cell->supervise = args->supervise;
    if (args->actor->batch_max)
        cell->flags |= TRI_CELL_BATCHES;
    if (!tri_kind_set(ctx, cell, args->actor, NULL, args->middleware))
        return TR_ENOMEM;
    if (args->actor->flags & TR_ACTOR_CONTAINED) {
        cell->flags |= TRI_CELL_CONTAINED;
        tri_contain_spawned(ctx);
    }
    if (!make_data(ctx, cell, args->actor, args->arg))
        return TR_ENOMEM;
    if (args->mailbox_max && !tri_bound_open(ctx, cell, args))
        return TR_ENOMEM;
    if (args->name) {
        struct tri_cold *cold = tri_cold(cell);
        char *name = tri_strdup(args->name);
        if (!cold || !name) {
            tri_free(name);
            return TR_ENOMEM;
        }
        tr_err err = tri_names_add(ctx->sys->names, name, tri_cell_pid(cell));
        if (err) {
            tri_free(name);
            return err;
        }
        cold->name = name;
    }
    return TR_OK;
}

/* The actor that runs is the parent; the guardian is that of the outside world. */
static tr_err join_parent(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (!ctx->cell || (ctx->cell->flags & TRI_CELL_GUARDIAN))
        return tri_family_join_guardian(ctx, cell);
    tr_err err = tri_family_join(ctx, ctx->cell, cell);
    if (!err)
        ctx->cell->flags |= TRI_CELL_SPAWNED;
    return err;
}

/* Gives a cell to `args->actor`, which frees `owned` at its end, if that is not NULL. */
static tr_pid start(struct tr_ctx *ctx, const struct tr_spawn_args *args, void *owned)
{
    struct tri_cell *cell = take_cell(ctx, args->mailbox_max ? TRI_GEN_BOUNDED : 0);
    if (!cell) {
        tri_free(owned);
        return tr_nobody(TR_EFULL);
    }
    /* Linked first: once its name can be looked up, nothing more may fail. */
    tr_err err = join_parent(ctx, cell);
    if (err || (owned && !tri_cold(cell))) {
        tri_free(owned);
        err = err ? err : TR_ENOMEM;
    } else if (owned) {
        cell->cold->owned = owned;
    }
    if (!err)
        err = fill_cell(ctx, cell, args);
    if (err) {
        abandon(ctx, cell);
        return tr_nobody(err);
    }
    tr_pid pid = tri_cell_pid(cell);
    begin(ctx, cell);
    return pid;
}

/* Only an actor and perhaps its argument are given, nothing that must be looked up or kept. */
static inline bool plain_args(const struct tr_spawn_args *args)
{
    return args->actor &&
           !((uintptr_t)args->name | (uintptr_t)args->supervise | (uintptr_t)args->route_key |
             (uintptr_t)args->group | (uintptr_t)args->middleware |
             (uintptr_t)args->overflow_rules | args->mailbox_max | (unsigned)args->overflow |
             args->pool | (unsigned)args->route | args->group_size);
}

/* The path of most spawns: a plain actor with little state, as a child of another. Nobody when it
 * is not so simple. */
TRI_HOT_INLINE tr_pid spawn_plain(struct tr_ctx *ctx, const struct tr_actor *actor, const void *arg)
{
    struct tri_cell *parent = ctx->cell;
    size_t state_size = (actor->state_size + 7) & ~(size_t)7;
    size_t size = state_size + actor->arg_size;
    struct tri_free_block *data = ctx->pool.free[0];
    if (!parent || size - 1 >= 64 || actor->state_size > 64 || !actor->receive ||
        actor->batch_max || actor->flags || ctx->sys->shown || !data || ctx->slot_count == 0)
        return TR_NOBODY;
    struct tri_cell *cell = &ctx->sys->slots.cells[ctx->slots[ctx->slot_count - 1]];
    if (!tri_mailbox_claim(cell))
        return TR_NOBODY;
    ctx->slot_count--;
    ctx->pool.free[0] = data->next;
    memset(data, 0, 64);
    if (actor->arg_size && arg)
        memcpy((char *)data + state_size, arg, actor->arg_size);
    clear_cell(ctx, cell, 0);
    cell->actor = actor;
    cell->data = data;
    cell->size_class = 0;
    cell->owner = ctx->id;
    tr_pid pid = tri_cell_pid(cell);
    tr_err err = tri_family_join(ctx, parent, cell);
    if (TRI_UNLIKELY(err)) {
        abandon(ctx, cell);
        return tr_nobody(err);
    }
    if (!(parent->flags & TRI_CELL_SPAWNED))
        parent->flags |= TRI_CELL_SPAWNED;
    begin(ctx, cell);
    return pid;
}

static tr_pid spawn_checked(struct tr_ctx *ctx, const struct tr_spawn_args *args)
{
    tr_err err = check_args(ctx, args);
    if (err)
        return tr_nobody(err);
    if (!ctx->cell && tri_load(&ctx->sys->phase, TRI_ACQUIRE) != TRI_OPEN)
        return tr_nobody(TR_ECLOSING);
    if (!args->pool && !tri_router_is_group(args))
        return start(ctx, args, NULL);
    struct tri_router_spec *spec = tri_router_spec(args);
    if (!spec)
        return tr_nobody(TR_ENOMEM);
    const struct tr_spawn_args router = {
        .actor = &tri_router_actor, .name = args->name, .supervise = args->supervise};
    return start(ctx, &router, spec);
}

tr_pid tri_spawn(struct tr_ctx *ctx, const struct tr_spawn_args *args)
{
    /* What the handler itself has said before is not lost if nothing is wrong here. */
    tr_err before = ctx->fail_code;
    ctx->fail_code = TR_OK;
    tr_pid pid = spawn_checked(ctx, args);
    tr_err err = tr_pid_err(pid);
    if (err && args->error)
        (void)tri_error_set(args->error, err, 0, "%s%s%s",
                            ctx->fail_code ? ctx->fail_text : tr_strerror(err),
                            err == TR_EEXIST ? ": " : "", err == TR_EEXIST ? args->name : "");
    if (ctx->fail_code == TR_OK)
        ctx->fail_code = before;
    return pid;
}

/* After the middleware, where there is one. */
static tr_pid spawn_shown(struct tr_ctx *ctx, const struct tr_spawn_args *args)
{
    if ((ctx->sys->shown & TRI_SHOW_SPAWN) && !ctx->showing)
        return tri_middleware_spawn(ctx, args);
    return tri_spawn(ctx, args);
}

tr_pid tr_spawn_(tr_ctx *ctx, const struct tr_spawn_args *args)
{
    if (TRI_LIKELY(plain_args(args))) {
        tr_pid pid = spawn_plain(ctx, args->actor, args->arg);
        if (TRI_LIKELY(pid.bits != 0))
            return pid;
    }
    return spawn_shown(ctx, args);
}

static __attribute__((noinline)) tr_pid spawn_odd(struct tr_ctx *ctx, const struct tr_actor *actor)
{
    const struct tr_spawn_args args = {.actor = actor};
    return spawn_shown(ctx, &args);
}

tr_pid tr_spawn_actor_(tr_ctx *ctx, const struct tr_actor *actor)
{
    tr_pid pid = actor ? spawn_plain(ctx, actor, NULL) : TR_NOBODY;
    return TRI_LIKELY(pid.bits != 0) ? pid : spawn_odd(ctx, actor);
}

/* ---- Cells that are no user's actors -------------------------------------- */

static tr_err guardian_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    (void)msg;
    return tr_unhandled(ctx);
}

static const struct tr_actor guardian_actor = {.name = "root", .receive = guardian_receive};
static const struct tr_actor proxy_actor = {.name = "proxy", .receive = guardian_receive};

struct tri_cell *tri_spawn_guardian(struct tr_ctx *ctx)
{
    struct tri_cell *cell = take_cell(ctx, 0);
    if (!cell)
        return NULL;
    cell->actor = &guardian_actor;
    cell->flags = TRI_CELL_GUARDIAN | TRI_CELL_INITED;
    tri_state_move(&cell->state, TRI_RUNNING);
    tri_schedule(ctx, cell);
    return cell;
}

static tr_pid spawn_proxy(struct tr_ctx *ctx, struct tri_proxy *proxy, uint32_t odd,
                          const struct tr_spawn_args *mailbox)
{
    struct tri_cell *cell = take_cell(ctx, odd);
    if (!cell)
        return tr_nobody(TR_EFULL);
    struct tri_cold *cold = tri_cold(cell);
    cell->actor = &proxy_actor;
    if (!cold || (mailbox && mailbox->mailbox_max && !tri_bound_open(ctx, cell, mailbox))) {
        abandon(ctx, cell);
        return tr_nobody(TR_ENOMEM);
    }
    cold->proxy = proxy;
    cell->flags |= TRI_CELL_PROXY;
    tr_pid pid = tri_cell_pid(cell);
    tri_state_move(&cell->state, TRI_RUNNING);
    tri_schedule(ctx, cell);
    return pid;
}

tr_pid tri_spawn_proxy(struct tr_ctx *ctx, struct tri_proxy *proxy)
{
    return spawn_proxy(ctx, proxy, 0, NULL);
}

tr_pid tri_spawn_remote(struct tr_ctx *ctx, struct tri_proxy *proxy,
                        const struct tr_spawn_args *mailbox)
{
    uint32_t bounded = mailbox->mailbox_max ? TRI_GEN_BOUNDED : 0;
    return spawn_proxy(ctx, proxy, TRI_GEN_REMOTE | bounded, mailbox);
}

/* ---- Names of the current actor ------------------------------------------ */

tr_pid tr_self(const tr_ctx *ctx)
{
    return tri_ctx_self(ctx);
}

tr_pid tr_parent(const tr_ctx *ctx)
{
    if (!ctx->cell || tri_load(&ctx->cell->parent, TRI_RELAXED) == 0)
        return TR_NOBODY;
    return tri_cell_pid(tri_family_parent(ctx, ctx->cell));
}

tr_pid tr_sender(const tr_ctx *ctx)
{
    return ctx->block ? ctx->block->from : TR_NOBODY;
}

bool tr_alive(tr_ctx *ctx, tr_pid pid)
{
    return tri_pid_cell(&ctx->sys->slots, pid) != NULL;
}

/* An actor of the node whose address follows the last '@'. */
static tr_pid lookup_elsewhere(struct tr_ctx *ctx, const struct tri_transport *transport,
                               const char *name, const char *at)
{
    char id[TR_NAME_SIZE_MAX + 1];
    size_t size = (size_t)(at - name);
    if (size == 0 || size >= sizeof id)
        return tr_nobody(TR_EINVAL);
    memcpy(id, name, size);
    id[size] = '\0';
    return transport->resolve(transport->self, ctx, at + 1, id);
}

tr_pid tr_lookup(tr_ctx *ctx, const char *name)
{
    tr_pid pid = tri_names_find(ctx->sys->names, name);
    /* Acquire pairs with the release in tri_transport_install(). */
    const struct tri_transport *transport = tri_load(&ctx->sys->transport, TRI_ACQUIRE);
    if (!transport || !tr_pid_is_nobody(pid))
        return pid;
    const char *at = strrchr(name, '@');
    return at ? lookup_elsewhere(ctx, transport, name, at) : pid;
}

void tr_stop(tr_ctx *ctx, tr_pid pid)
{
    if (ctx->cell && tr_pid_equal(pid, tri_ctx_self(ctx))) {
        if (!TRI_PLANTED(STOP_DROPPED))
            ctx->cell->mode |= TRI_MODE_FLAGS(TRI_CELL_STOP);
        ctx->attention = true;
        return;
    }
    tri_sys_send(ctx, pid, TRI_SYS_STOP, TR_NOBODY, TR_OK);
}

void tr_poison(tr_ctx *ctx, tr_pid pid)
{
    static const struct tr_type poison_type = {"tr_poison", 0, NULL, TR_TYPE_CONTROL};
    struct tri_block *block = tri_block_new(ctx, &poison_type, 0, true);
    TRI_ASSERT(block != NULL); /* As for system messages. */
    block->from = tri_ctx_self(ctx);
    block->flags |= TRI_BLOCK_POISON;
    tri_deliver(ctx, pid, block);
}
