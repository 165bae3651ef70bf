#include "troupe/system.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/critical.h"
#include "base/error.h"
#include "core/delay.h"
#include "core/events.h"
#include "core/kind.h"
#include "core/life.h"
#include "core/middleware.h"
#include "core/monitor.h"
#include "core/names.h"
#include "core/offload.h"
#include "core/ports.h"
#include "core/send.h"
#include "core/spawn.h"
#include "core/stepped.h"
#include "core/timers.h"
#include "core/worker.h"
#include "os/clock.h"
#include "os/memory.h"
#include "os/random.h"
#include "troupe/timer.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#define MEMORY_MAX_DEFAULT ((size_t)1 << 30)
#define MEMORY_MAX_LEAST ((size_t)1 << 20)
/* Beside memory_max, for control messages and answers when that is used up: an eighth of it. */
#define RESERVE_SHARE 8u
#define RESERVE_LEAST ((uint64_t)1 << 20)
#define ACTORS_MAX (1u << TRI_SLOT_BITS)
#define OFFLOAD_DEFAULT 4u
#define OFFLOAD_MAX 128u
#define WATCHDOG_DEFAULT_MS 1000u
#define STEP_CHUNK 1024u
#define REST_LOOK_NS 2000000

/* ---- Clock and chance ---------------------------------------------------- */

uint64_t tri_sys_mono_ns(const struct tr_system *sys)
{
    if (!sys->config.clock.mono_ns)
        return tri_clock_mono_ns();
    tri_critical_enter();
    uint64_t ns = sys->config.clock.mono_ns(sys->config.clock.user);
    tri_critical_leave();
    return ns;
}

int64_t tr_wall_us(tr_ctx *ctx)
{
    const struct tr_clock *clock = &ctx->sys->config.clock;
    return clock->wall_us ? clock->wall_us(clock->user) : tri_clock_wall_us();
}

uint64_t tri_sys_random(const struct tr_system *sys)
{
    const struct tr_random_source *random = &sys->config.random;
    return random->next ? random->next(random->user) : tri_random_u64();
}

uint64_t tr_random(tr_ctx *ctx)
{
    const struct tr_random_source *random = &ctx->sys->config.random;
    return random->next ? random->next(random->user) : tri_prng_next(&ctx->prng);
}

tr_err tr_fail(tr_ctx *ctx, tr_err code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(ctx->fail_text, sizeof ctx->fail_text, fmt, args);
    va_end(args);
    ctx->fail_code = code;
    return code;
}

/* ---- Contexts ------------------------------------------------------------ */

/* Those of workers and outside threads, and the reserve. */
static uint32_t pool_count(const struct tr_system *sys)
{
    return sys->worker_count + TR_OUTSIDE_MAX + 1;
}

static bool reserve_init(struct tr_system *sys)
{
    uint32_t id = pool_count(sys) - 1;
    uint64_t share = sys->limit.bytes_max / RESERVE_SHARE;
    sys->reserve_limit.bytes_max = share < RESERVE_LEAST ? RESERVE_LEAST : share;
    tri_spin_init(&sys->reserve_lock);
    sys->pools[id] = &sys->reserve;
    return tri_pool_init(&sys->reserve, (uint16_t)id, pool_count(sys), sys->pools,
                         &sys->reserve_limit);
}

static bool ctx_init(struct tr_ctx *ctx, struct tr_system *sys, uint16_t id)
{
    ctx->sys = sys;
    ctx->id = id;
    ctx->tag = TRI_TAG_OWNER(id);
    ctx->table = id < sys->worker_count ? &sys->slots : &sys->no_slots;
    uint64_t seed = sys->config.seed ? sys->config.seed + id : tri_random_u64();
    tri_prng_seed(&ctx->prng, seed);
    if (!tri_pool_init(&ctx->pool, id, pool_count(sys), sys->pools, &sys->limit))
        return false;
    sys->pools[id] = &ctx->pool;
    return true;
}

tr_ctx *tr_root(tr_system *sys)
{
    return sys->root;
}

tr_system *tr_system_of(tr_ctx *ctx)
{
    return ctx->sys;
}

/* Under outside_lock: a context nobody uses, or a new one. */
static struct tr_ctx *take_outside(struct tr_system *sys)
{
    for (uint32_t i = 0; i < TR_OUTSIDE_MAX; i++) {
        struct tr_ctx *ctx = sys->outside[i];
        if (ctx && !ctx->in_use)
            return ctx;
        if (ctx)
            continue;
        ctx = tri_mem_map(sizeof *ctx, tri_mem_page_size(), false);
        if (!ctx)
            return NULL;
        if (!ctx_init(ctx, sys, (uint16_t)(sys->worker_count + i))) {
            tri_mem_unmap(ctx, sizeof *ctx);
            return NULL;
        }
        sys->outside[i] = ctx;
        return ctx;
    }
    return NULL;
}

tr_ctx *tr_attach(tr_system *sys)
{
    tri_mutex_lock(&sys->outside_lock);
    struct tr_ctx *ctx = take_outside(sys);
    if (ctx)
        ctx->in_use = true;
    tri_mutex_unlock(&sys->outside_lock);
    return ctx;
}

void tr_detach(tr_ctx *ctx)
{
    struct tr_system *sys = ctx->sys;
    tri_pool_flush(&ctx->pool);
    tri_slots_flush(ctx);
    tri_mutex_lock(&sys->outside_lock);
    ctx->in_use = false;
    tri_mutex_unlock(&sys->outside_lock);
}

/* ---- Create -------------------------------------------------------------- */

static tr_err check_config(struct tr_config *c, struct tr_error *error)
{
    if (c->workers > TRI_WORKERS_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "workers is %u, want at most %u", c->workers,
                             TRI_WORKERS_MAX);
    if (c->memory_max && c->memory_max < MEMORY_MAX_LEAST)
        return tri_error_set(error, TR_EINVAL, 0, "memory_max is %zu bytes, want at least %zu",
                             c->memory_max, MEMORY_MAX_LEAST);
    if (c->actors_max > ACTORS_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "actors_max is %u, want at most %u",
                             c->actors_max, ACTORS_MAX);
    if (c->offload_threads > OFFLOAD_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "offload_threads is %u, want at most %u",
                             c->offload_threads, OFFLOAD_MAX);
    if (tri_middleware_count(c->middleware) > TR_MIDDLEWARE_MAX)
        return tri_error_set(error, TR_EINVAL, 0, "more than %u middlewares", TR_MIDDLEWARE_MAX);
    c->workers = c->manual ? 1 : c->workers ? c->workers : tri_cpu_count();
    if (c->workers > TRI_WORKERS_MAX)
        c->workers = TRI_WORKERS_MAX;
    c->memory_max = c->memory_max ? c->memory_max : MEMORY_MAX_DEFAULT;
    c->actors_max = c->actors_max ? c->actors_max : ACTORS_MAX;
    c->offload_threads = c->offload_threads ? c->offload_threads : OFFLOAD_DEFAULT;
    c->watchdog_ms = c->watchdog_ms ? c->watchdog_ms : WATCHDOG_DEFAULT_MS;
    return TR_OK;
}

static struct tri_worker *worker_create(struct tr_system *sys, uint32_t index)
{
    struct tri_worker *w = tri_mem_map(sizeof *w, tri_mem_page_size(), false);
    if (!w)
        return NULL;
    w->batch_blocks = tri_calloc(TR_BATCH_MAX, sizeof *w->batch_blocks);
    w->batch_bodies = tri_calloc(TR_BATCH_MAX, sizeof *w->batch_bodies);
    if (!w->batch_blocks || !w->batch_bodies || !ctx_init(&w->ctx, sys, (uint16_t)index)) {
        tri_free(w->batch_blocks);
        tri_free(w->batch_bodies);
        tri_mem_unmap(w, sizeof *w);
        return NULL;
    }
    w->ctx.worker = w;
    w->now_ns = tri_sys_mono_ns(sys);
    w->steal_seed = index * 2654435761u + 1;
    /* A guess until the first look: a microsecond a place. */
    tri_store(&w->turn_cycles, (uint32_t)tri_cycles_per_us(), TRI_RELAXED);
    tri_park_init(&w->park);
    tri_spin_init(&w->over_lock);
    tri_spin_init(&w->timers.lock);
    tri_wheel_init(&w->timers.wheel, w->now_ns / 1000000u);
    tri_store(&w->timers.next_tick, TRI_WHEEL_NEVER, TRI_RELAXED);
    return w;
}

static void worker_destroy(struct tri_worker *w)
{
    tri_pool_fini(&w->ctx.pool);
    tri_free(w->batch_blocks);
    tri_free(w->batch_bodies);
    tri_mem_unmap(w, sizeof *w);
}

/* Everything but threads. */
static bool build(struct tr_system *sys)
{
    sys->node = tri_strdup(sys->config.node ? sys->config.node : "troupe");
    sys->workers = tri_calloc(sys->config.workers + TRI_SPARES, sizeof *sys->workers);
    sys->names = tri_names_create();
    sys->kinds = tri_kinds_create();
    sys->shown = tri_middleware_shown(sys->config.middleware);
    sys->events = tri_events_create();
    sys->delays = tri_delays_create();
    sys->offload = tri_offload_create(sys, sys->config.offload_threads);
    if (!sys->node || !sys->workers || !sys->names || !sys->kinds || !sys->events || !sys->delays ||
        !sys->offload || !tri_slots_init(&sys->slots, sys->config.actors_max))
        return false;
    sys->worker_count = sys->config.workers + (sys->config.manual ? 0 : TRI_SPARES);
    sys->alone = sys->config.workers == 1;
    tri_store(&sys->active, sys->config.workers, TRI_RELAXED);
    if (!reserve_init(sys))
        return false;
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        sys->workers[i] = worker_create(sys, i);
        if (!sys->workers[i])
            return false;
    }
    sys->root = sys->config.manual ? &sys->workers[0]->ctx : tr_attach(sys);
    if (!sys->root)
        return false;
    sys->guardian = tri_spawn_guardian(sys->root);
    return sys->guardian != NULL;
}

/* Starts the threads; how many workers run. */
static uint32_t start(struct tr_system *sys)
{
    uint32_t started = 0;
    sys->monitor = tri_monitor_create(sys);
    if (!sys->monitor)
        return 0;
    while (started < sys->config.workers) {
        char name[24];
        struct tri_worker *w = sys->workers[started];
        snprintf(name, sizeof name, "tr-worker-%u", started);
        tri_store(&w->on_duty, true, TRI_RELAXED);
        w->started = tri_thread_create(&w->thread, name, tri_worker_main, w);
        if (!w->started)
            break;
        started++;
    }
    return started;
}

static void join(struct tr_system *sys)
{
    tri_store(&sys->quit, true, TRI_SEQ_CST);
    /* It starts no more workers; but it stays, for workers that park wake it. */
    tri_monitor_end(sys->monitor);
    tri_sched_wake_all(sys);
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        if (sys->workers[i]->started) /* Spares: written by the monitor, which has ended. */
            tri_thread_join(&sys->workers[i]->thread);
    }
    tri_monitor_destroy(sys->monitor);
    sys->monitor = NULL;
}

tr_err tri_transport_install(struct tr_system *sys, const struct tri_transport *transport)
{
    const struct tri_transport *none = NULL;
    /* Release pairs with the acquire of whoever finds it: it is complete. */
    bool done = tri_cas_strong(&sys->transport, &none, transport, TRI_RELEASE, TRI_RELAXED);
    return done ? TR_OK : TR_EEXIST;
}

static void demolish(struct tr_system *sys)
{
    const struct tri_transport *transport = tri_load(&sys->transport, TRI_ACQUIRE);
    if (transport)
        transport->destroy(transport->self);
    tri_offload_destroy(sys->offload);
    tri_stepped_remove(sys);
    for (uint32_t i = 0; sys->workers && i < sys->worker_count; i++) {
        if (sys->workers[i])
            worker_destroy(sys->workers[i]);
    }
    for (uint32_t i = 0; i < TR_OUTSIDE_MAX; i++) {
        if (sys->outside[i]) {
            tri_pool_fini(&sys->outside[i]->pool);
            tri_mem_unmap(sys->outside[i], sizeof *sys->outside[i]);
        }
    }
    tri_pool_fini(&sys->reserve);
    tri_slots_fini(&sys->slots);
    tri_names_destroy(sys->names);
    tri_kinds_destroy(sys->kinds);
    tri_events_destroy(sys->events);
    tri_delays_destroy(sys->delays);
    tri_mutex_fini(&sys->rest_lock);
    tri_cond_fini(&sys->rest_cond);
    tri_mutex_fini(&sys->failure_lock);
    tri_mutex_fini(&sys->outside_lock);
    tri_free(sys->workers);
    tri_free(sys->node);
    tri_mem_unmap(sys, sizeof *sys);
}

tr_err tr_system_create_(tr_system **ret_sys, const struct tr_config *config,
                         struct tr_error *error)
{
    struct tr_config c = config ? *config : (struct tr_config){0};
    tr_err err = check_config(&c, error);
    if (err)
        return err;
    struct tr_system *sys = tri_mem_map(sizeof *sys, tri_mem_page_size(), false);
    if (!sys)
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for the system");
    sys->config = c;
    sys->creator = tri_thread_self();
    sys->limit.bytes_max = c.memory_max;
    sys->wake_cycles = 5 * tri_cycles_per_us();
    tri_sharing_init(&sys->sharing);
    tri_spin_init(&sys->inject_lock);
    tri_mutex_init(&sys->rest_lock);
    tri_cond_init(&sys->rest_cond);
    tri_mutex_init(&sys->failure_lock);
    tri_mutex_init(&sys->outside_lock);
    if (!build(sys)) {
        demolish(sys);
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for %u workers", c.workers);
    }
    uint32_t started = c.manual ? c.workers : start(sys);
    if (started < c.workers) {
        join(sys);
        demolish(sys);
        return tri_error_set(error, TR_ENOMEM, 0, "only %u of %u worker threads could start",
                             started, c.workers);
    }
    *ret_sys = sys;
    return TR_OK;
}

/* ---- Run ----------------------------------------------------------------- */

/* Waits for rest; false if the deadline passed first. */
static bool wait_rest(struct tr_system *sys, uint64_t deadline_ns)
{
    tri_fetch_add(&sys->rest_waiters, 1u, TRI_SEQ_CST);
    tri_mutex_lock(&sys->rest_lock);
    bool rest;
    while (!(rest = tri_system_at_rest(sys)) && tri_clock_mono_ns() < deadline_ns)
        /* Offloaded work ends without a word to us: look again now and then. */
        (void)tri_cond_wait_for(&sys->rest_cond, &sys->rest_lock, REST_LOOK_NS);
    tri_mutex_unlock(&sys->rest_lock);
    tri_fetch_sub(&sys->rest_waiters, 1u, TRI_SEQ_CST);
    return rest;
}

size_t tr_system_step(tr_system *sys, size_t messages_max)
{
    TRI_ASSERT(sys->config.manual);
    struct tri_worker *w = sys->workers[0];
    size_t total = 0;
    tri_worker_look(w);
    while (total < messages_max) {
        uint64_t handled = tri_worker_step(w, messages_max - total);
        if (handled != UINT64_MAX)
            total += handled;
        else if (!tri_offload_step(sys->offload, &w->ctx, 0))
            break;
    }
    return total;
}

uint64_t tr_system_next_timer_ns(tr_system *sys)
{
    return tri_timers_next_ns(&sys->workers[0]->timers);
}

void tr_system_run(tr_system *sys)
{
    if (!sys->config.manual) {
        (void)wait_rest(sys, UINT64_MAX);
        /* Workers give back memory when they have slept for a while; root has no other time. */
        if (tri_thread_same(sys->creator, tri_thread_self())) {
            tri_slots_flush(sys->root);
            if (sys->root->pool.chunk_count > TRI_POOL_SMALL_CHUNKS)
                tri_pool_trim(&sys->root->pool);
        }
        return;
    }
    do {
        (void)tr_system_step(sys, STEP_CHUNK);
    } while (!tri_system_at_rest(sys));
}

/* ---- Stop ---------------------------------------------------------------- */

static bool guardian_gone(struct tr_system *sys, uint32_t gen)
{
    return tri_load(&sys->guardian->gen, TRI_ACQUIRE) != gen;
}

/* Works, or waits for the workers, until the deadline or `done`. */
static bool drain(struct tr_system *sys, uint64_t deadline_ns)
{
    if (!sys->config.manual)
        return wait_rest(sys, deadline_ns);
    while (!tri_system_at_rest(sys)) {
        if (tri_clock_mono_ns() >= deadline_ns)
            return false;
        (void)tr_system_step(sys, STEP_CHUNK);
    }
    return true;
}

tr_err tr_system_stop(tr_system *sys, unsigned deadline_ms)
{
    uint32_t open = TRI_OPEN;
    if (!tri_cas_strong(&sys->phase, &open, (uint32_t)TRI_DRAINING, TRI_ACQ_REL, TRI_ACQUIRE))
        return TR_OK;
    uint64_t deadline = tri_clock_mono_ns() + (uint64_t)deadline_ms * 1000000u;
    bool drained = drain(sys, deadline);
    uint32_t gen = tri_load(&sys->guardian->gen, TRI_ACQUIRE);
    tr_pid root = {(uint64_t)gen << 32 | sys->guardian->slot};
    tri_sys_send(sys->root, root, TRI_SYS_STOP, TR_NOBODY, 0);
    /* From here on every actor ends as soon as its handler returns. */
    uint64_t last = tri_clock_mono_ns() + 1000000000u;
    if (last < deadline)
        last = deadline;
    while (!(drain(sys, last) && guardian_gone(sys, gen)) && tri_clock_mono_ns() < last)
        tri_thread_yield();
    bool gone = guardian_gone(sys, gen);
    tri_store(&sys->phase, (uint32_t)TRI_CLOSED, TRI_RELEASE);
    return drained && gone ? TR_OK : TR_ETIMEDOUT;
}

tr_err tr_system_failure(tr_system *sys, char *ret_text, size_t text_size)
{
    tri_mutex_lock(&sys->failure_lock);
    tr_err failure = sys->failure;
    if (ret_text && text_size)
        snprintf(ret_text, text_size, "%s", sys->failure_text);
    tri_mutex_unlock(&sys->failure_lock);
    return failure;
}

void tr_system_destroy(tr_system *sys)
{
    if (!sys)
        return;
    const struct tri_transport *transport = tri_load(&sys->transport, TRI_ACQUIRE);
    if (transport)
        transport->close(transport->self, 0);
    (void)tr_system_stop(sys, 0);
    tri_offload_destroy(sys->offload);
    sys->offload = NULL;
    if (!sys->config.manual)
        join(sys);
    demolish(sys);
}

void tr_system_stats(tr_system *sys, struct tr_stats *ret)
{
    *ret = (struct tr_stats){.workers = sys->config.manual ? 0 : sys->config.workers,
                             .workers_parked = tri_load(&sys->parked_count, TRI_RELAXED),
                             .message_bytes = tri_load(&sys->limit.bytes, TRI_RELAXED) +
                                              tri_load(&sys->reserve_limit.bytes, TRI_RELAXED),
                             .message_bytes_max = sys->limit.bytes_max};
    uint64_t ended = 0;
    tri_mutex_lock(&sys->outside_lock);
    for (uint32_t i = 0; i < sys->worker_count + TR_OUTSIDE_MAX; i++) {
        const struct tr_ctx *ctx = i < sys->worker_count ? &sys->workers[i]->ctx
                                                         : sys->outside[i - sys->worker_count];
        if (!ctx)
            continue;
        ret->actors_spawned += tri_load(&ctx->counts.spawned, TRI_RELAXED);
        ret->actors_failed += tri_load(&ctx->counts.failed, TRI_RELAXED);
        ret->actors_restarted += tri_load(&ctx->counts.restarted, TRI_RELAXED);
        ret->delays += tri_load(&ctx->counts.delays, TRI_RELAXED);
        ended += tri_load(&ctx->counts.ended, TRI_RELAXED);
    }
    tri_mutex_unlock(&sys->outside_lock);
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        ret->steals += tri_load(&sys->workers[i]->steals, TRI_RELAXED);
        ret->parks += tri_load(&sys->workers[i]->parks, TRI_RELAXED);
        tri_spin_lock(&sys->workers[i]->timers.lock);
        ret->timers += sys->workers[i]->timers.wheel.count;
        tri_spin_unlock(&sys->workers[i]->timers.lock);
    }
    ret->actors = ret->actors_spawned - ended;
}
