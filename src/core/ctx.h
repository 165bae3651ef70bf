/*
 * core/ctx.h - contexts (outside threads and workers) and the system they belong to.
 */
#ifndef TROUPE_CORE_CTX_H
#define TROUPE_CORE_CTX_H

#include "base/prng.h"
#include "core/cell.h"
#include "core/pool.h"
#include "core/sharing.h"
#include "core/wheel.h"
#include "os/fault.h"
#include "os/park.h"
#include "os/spin.h"
#include "os/thread.h"
#include "troupe/event.h"
#include "troupe/request.h"
#include "troupe/system.h"

#define TRI_WORKERS_MAX 256u
/* Workers that wait for one of the others to get stuck (core/rescue.h). */
#define TRI_SPARES 4u
#define TRI_CONTEXTS_MAX (TRI_WORKERS_MAX + TRI_SPARES + TR_OUTSIDE_MAX)

/* What a context counts. Only its own thread writes (plain load, relaxed store); others read
 * relaxed: each figure is whole, their sum is exact only at rest. */
struct tri_counts {
    TRI_ATOMIC(uint64_t) accepted;
    TRI_ATOMIC(uint64_t) processed;
    TRI_ATOMIC(uint64_t) dropped; /* by middleware; the next two by overflow policies */
    TRI_ATOMIC(uint64_t) dropped_newest;
    TRI_ATOMIC(uint64_t) dropped_oldest;
    TRI_ATOMIC(uint64_t) delays;
    TRI_ATOMIC(uint64_t) dead[TR_DEAD_REASON_COUNT];
    TRI_ATOMIC(uint64_t) unknown;
    TRI_ATOMIC(uint64_t) stashed; /* put aside less taken out: all contexts together, >= 0 */
    TRI_ATOMIC(uint64_t) spawned;
    TRI_ATOMIC(uint64_t) ended;
    TRI_ATOMIC(uint64_t) failed;
    TRI_ATOMIC(uint64_t) restarted;
};

static inline void tri_count(TRI_ATOMIC(uint64_t) *counter, uint64_t n)
{
    tri_store(counter, tri_load(counter, TRI_RELAXED) + n, TRI_RELAXED);
}

/* Free slots that a context keeps for itself. */
#ifndef TRI_SLOT_CACHE /* The interleaving tests make it small. */
#define TRI_SLOT_CACHE 256u
#endif

struct tri_worker;

struct tr_ctx {
    /* Line 0, and the first word of the pool: known to the public headers (struct tr_hot_). */
    tr_pid self; /* the actor being run; nobody outside of actors */
    struct tr_system *sys;
    struct tri_slots *table;   /* the PID table; an empty one for outside threads: see slots.h */
    struct tri_worker *worker; /* NULL: an outside thread */
    struct tri_cell *cell;     /* the actor being run; NULL outside of actors */
    struct tri_block *block;   /* the message being handled */
    uint64_t spare;            /* keeps `pool` where the public headers expect it */
    uint32_t tag;              /* of a small block of this context's pool, without flags */
    uint16_t id;
    bool attention;    /* the handler did something that ends the short path */
    uint8_t unhandled; /* … by not handling its message: 1 + enum tr_dead_reason */

    struct tri_pool pool;
    struct tri_counts counts;
    struct tri_block **batch; /* the messages of the batch being handled */
    size_t batch_count;
    TRI_ATOMIC(uint32_t) busy; /* outside threads: calls that may touch a cell */
    uint32_t slots[TRI_SLOT_CACHE];
    uint32_t slot_count;
    struct tri_prng prng;
    bool stashed;        /* the handler has put its message aside */
    bool showing;        /* a middleware's send or spawn runs: what it sends is not shown again */
    bool in_use;         /* outside contexts: taken; under outside_lock */
    tr_err fail_code;    /* what the last tr_fail() returned, */
    char fail_text[256]; /* and what it wrote */
};

_Static_assert(offsetof(struct tr_ctx, self) == offsetof(struct tr_hot_, self) &&
                   offsetof(struct tr_ctx, pool) + offsetof(struct tri_pool, free) ==
                       offsetof(struct tr_hot_, free),
               "a context begins as the public headers say");
_Static_assert(sizeof(struct tr_block_) == 64 &&
                   offsetof(struct tr_block_, from) == offsetof(struct tri_block, from) &&
                   offsetof(struct tr_block_, body) == sizeof(struct tri_block),
               "and so does a small block");

static inline tr_pid tri_ctx_self(const struct tr_ctx *ctx)
{
    return ctx->self;
}

/* The generation of the actor being run; 0: none is. */
static inline uint32_t tri_ctx_gen(const struct tr_ctx *ctx)
{
    return (uint32_t)(ctx->self.bits >> 32);
}

static inline void tri_ctx_enter(struct tr_ctx *ctx, struct tri_cell *cell)
{
    ctx->cell = cell;
    ctx->self = tri_cell_pid(cell);
}

static inline void tri_ctx_leave(struct tr_ctx *ctx)
{
    ctx->cell = NULL;
    ctx->self = TR_NOBODY;
}

#ifndef TRI_RING_SIZE       /* The interleaving tests make it small. */
#define TRI_RING_SIZE 1024u /* a power of two */
#endif

/* A timer wheel and the lock that lets other workers fire it when its own is stuck. */
struct tri_timers {
    struct tri_spin lock;
    TRI_ATOMIC(uint64_t) next_tick; /* a hint: when to look */
    struct tri_wheel wheel;
};

/* What a stuck worker was doing. */
struct tri_sight {
    tr_pid pid;
    const struct tr_actor *actor;
    const struct tr_type *type; /* of the message; NULL: none */
    uintptr_t frames[TRI_POKE_FRAMES];
    uint32_t count;
    bool ended; /* the handler was ended */
};

struct tri_worker {
    struct tr_ctx ctx;
    struct tri_cell *handoff; /* made runnable by the current actor: next to run */
    uint64_t now_ns;          /* of the last look at the clock */
    uint64_t look_cycles;     /* cycle counter then */
    uint32_t turns_to_look;
    uint32_t turns_per_look;
    uint32_t pops;     /* from the ring since the last look */
    uint32_t handoffs; /* in a row */
    uint64_t look_ops; /* what it had done at the last look at the clock */
    struct tri_thread thread;
    uint64_t steal_seed;
    uint32_t searched_in_vain;       /* in a row */
    struct tri_block **batch_blocks; /* TR_BATCH_MAX each: the batch being handled */
    const void **batch_bodies;

    /* Shared with thieves. */
    _Alignas(64) TRI_ATOMIC(uint32_t) ring_head;
    TRI_ATOMIC(uint32_t) ring_tail;
    TRI_ATOMIC(uint32_t) turn_cycles; /* what one place in the ring costs, on average */
    TRI_ATOMIC(uint32_t) op_cost;     /* see core/sharing.h; 0: it has nothing to do */
    TRI_ATOMIC(bool) stuck;           /* the monitor: nothing got done for a tick */
    TRI_ATOMIC(uint64_t) steals;
    TRI_ATOMIC(uint64_t) parks;
    TRI_ATOMIC(const struct tr_actor *) running; /* what the watchdog would report */
    _Alignas(64) TRI_ATOMIC(struct tri_cell *) ring[TRI_RING_SIZE];
    _Alignas(64) struct tri_spin over_lock; /* what did not fit into the ring */
    struct tri_cell *over_first;
    struct tri_cell *over_last;
    TRI_ATOMIC(uint32_t) over_count;
    _Alignas(64) struct tri_park park;
    TRI_ATOMIC(uint32_t) parked; /* 1: asleep or about to be; whoever makes it 0 wakes it */
    struct tri_timers timers;

    /* The monitor's and the worker's: see core/rescue.h. */
    _Alignas(64) TRI_ATOMIC(struct tri_fault_thread *) fault;
    TRI_ATOMIC(uint64_t) asked; /* what the worker had done when it was poked */
    TRI_ATOMIC(bool) loops;     /* it computed all the while */
    TRI_ATOMIC(bool) sighted;   /* `sight` is there; until the monitor has read it */
    TRI_ATOMIC(bool) on_duty;   /* false: a spare */
    TRI_ATOMIC(uint32_t) lost; /* TRI_LOST_…; the worker looks at it when it looks at the clock */
    bool started;              /* it has a thread */
    struct tri_sight sight;
};

struct tri_names;
struct tri_stepped;
struct tri_kinds;
struct tri_delays;
struct tri_events;
struct tri_offload;
struct tri_monitor;
struct tri_transport;

#ifndef TRI_SLOT_CHUNK_BITS /* The interleaving tests make it small. */
#define TRI_SLOT_CHUNK_BITS 9u
#endif
#define TRI_SLOT_CHUNK (1u << TRI_SLOT_CHUNK_BITS)
#define TRI_SLOT_BITS 24u

struct tri_bound;

/* A chunk of free cells without memory. */
struct tri_lost_chunk {
    uint32_t first; /* slot */
    uint32_t gen;   /* above all that its cells ever had */
};

/* The PID table: one range of addresses, which gets memory a chunk at a time. */
struct tri_slots {
    struct tri_cell *cells;     /* addresses for slots_max of them */
    TRI_ATOMIC(uint32_t) count; /* of them initialised */
    uint32_t slots_max;
    uint32_t committed;                     /* cells that have memory; under lock */
    TRI_ATOMIC(struct tri_bound *) *bounds; /* likewise */
    struct tri_spin lock;
    uint32_t *free; /* slots that the contexts gave back; under lock */
    uint32_t free_count;
    uint32_t free_capacity;
    struct tri_lost_chunk *lost; /* chunks whose memory went back; under lock */
    uint32_t lost_count;
    uint32_t lost_capacity;
};

enum tri_phase { TRI_OPEN, TRI_DRAINING, TRI_CLOSED };

struct tr_system {
    struct tr_config config;
    char *node;
    struct tri_slots slots;
    struct tri_slots no_slots; /* the table that outside threads see */
    struct tri_pool_limit limit;
    struct tri_worker **workers;
    uint32_t worker_count;       /* spares included */
    bool alone;                  /* one worker, and no spare was ever needed: no thieves */
    TRI_ATOMIC(bool) rescued;    /* a spare was needed: all fire all timers */
    TRI_ATOMIC(uint32_t) active; /* workers on duty */
    struct tr_ctx *root;         /* manual systems: the worker's own context */
    tri_thread_id creator;       /* the thread that root belongs to */
    struct tri_pool *pools[TRI_CONTEXTS_MAX + 1]; /* the last one in use: the reserve */
    struct tr_ctx *outside[TR_OUTSIDE_MAX];
    tri_mutex outside_lock;
    struct tri_cell *guardian;
    struct tri_pool reserve; /* for what must arrive at the memory cap; under reserve_lock */
    struct tri_pool_limit reserve_limit;
    struct tri_spin reserve_lock;
    TRI_ATOMIC(uint32_t) phase; /* enum tri_phase */
    TRI_ATOMIC(bool) quit;      /* workers: leave */
    uint64_t wake_cycles;       /* queue length × turn cycles that is worth a wake-up */

    /* What outside threads made runnable. */
    _Alignas(64) struct tri_spin inject_lock;
    struct tri_cell *inject_first;
    struct tri_cell *inject_last;
    TRI_ATOMIC(uint32_t) inject_count;

    _Alignas(64) TRI_ATOMIC(uint32_t) parked_count;
    TRI_ATOMIC(uint32_t) searching; /* workers that look for work */
    struct tri_sharing sharing;
    TRI_ATOMIC(uint32_t) offload_pending;
    tri_mutex rest_lock;
    tri_cond rest_cond;
    TRI_ATOMIC(uint32_t) rest_waiters;

    struct tri_names *names;
    struct tri_kinds *kinds;
    uint32_t shown; /* TRI_SHOW_…: what the system's middleware wants to see */
    struct tri_events *events;
    struct tri_delays *delays;
    struct tri_offload *offload;
    struct tri_stepped *stepped; /* stepped systems with a simulator; else NULL */
    struct tri_monitor *monitor;
    TRI_ATOMIC(const struct tri_transport *) transport; /* NULL: no other nodes */

    tri_mutex failure_lock;
    tr_err failure;
    char failure_text[256];
    TRI_ATOMIC(uint64_t) log_window; /* second in which the last lines were logged */
    TRI_ATOMIC(uint32_t) log_lines;
    TRI_ATOMIC(bool) contain_told; /* that there are no fault traps */
    TRI_ATOMIC(uint64_t) tick_ns;  /* the clock as the monitor last saw it */
};

uint64_t tri_sys_mono_ns(const struct tr_system *sys);
/* From the random port, or the operating system; any thread. */
uint64_t tri_sys_random(const struct tr_system *sys);

/* The clock as a worker's thread last saw it; within 10 ms of the truth. */
static inline uint64_t tri_worker_now_ns(const struct tri_worker *worker)
{
    /* Relaxed: a coarse clock; the monitor moves it on while a handler runs. */
    uint64_t tick = tri_load(&worker->ctx.sys->tick_ns, TRI_RELAXED);
    return tick > worker->now_ns ? tick : worker->now_ns;
}

/* The same of any context. */
static inline uint64_t tri_ctx_now_ns(const struct tr_ctx *ctx)
{
    if (__builtin_expect(!ctx->worker || ctx->sys->config.manual, 0))
        return tri_sys_mono_ns(ctx->sys);
    return tri_worker_now_ns(ctx->worker);
}

#endif
