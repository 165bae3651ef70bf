#include "core/monitor.h"

#include "base/alloc.h"
#include "core/log.h"
#include "core/rescue.h"
#include "core/sched.h"
#include "core/timers.h"
#include "os/clock.h"

#include <limits.h>

#define TICK_NS 10000000
/* Idle ticks before it sleeps. */
#define IDLE_TICKS 100u

/* Ticks in which a stuck worker is to be seen at work before it is reported unseen. */
#define LOOKS_TO_TELL 10u

struct look {
    uint64_t done;
    uint32_t ticks; /* in a row in which nothing got done */
    uint32_t told_after;
    uint64_t cpu_ns; /* the thread's, in the first of them */
    bool told;
    bool replaced;
};

struct tri_monitor {
    struct tr_system *sys;
    struct tri_thread thread;
    struct tri_park park;
    TRI_ATOMIC(uint32_t) asleep;
    TRI_ATOMIC(bool) quit;
    struct look looks[];
};

static void report(struct tr_system *sys, struct tri_worker *w, uint64_t ms)
{
    char text[400];
    if (tri_rescue_sight(w, text, sizeof text)) {
        tri_log(sys, TR_LOG_WARN, "handler has run for %" PRIu64 " ms on worker %u: %s", ms,
                (unsigned)w->ctx.id, text);
        return;
    }
    const struct tr_actor *actor = tri_load(&w->running, TRI_RELAXED);
    tri_log(sys, TR_LOG_WARN,
            "actor %s has been in one turn for %" PRIu64
            " ms on worker %u; the others take over its queue",
            actor && actor->name ? actor->name : "?", ms, (unsigned)w->ctx.id);
}

static uint64_t cpu_ns(const struct tri_worker *w)
{
    return tri_fault_cpu_ns(tri_load(&w->fault, TRI_ACQUIRE));
}

/* A worker that has got nothing done for too long: looked at until that worked, reported once,
 * and replaced unless its handler was ended. */
static void rescue(struct tri_monitor *m, struct tri_worker *w, struct look *look, uint64_t ms)
{
    struct tr_system *sys = m->sys;
    bool seen = tri_load(&w->sighted, TRI_ACQUIRE);
    bool can = true;
    /* A poke that came while the runtime or a lock was at work saw nothing. */
    if (!look->replaced || !seen || (w->sight.actor->flags & TR_ACTOR_CONTAINED))
        can = tri_rescue_poke(w, look->done,
                              cpu_ns(w) - look->cpu_ns >= sys->config.watchdog_ms * 500000ull);
    if (!look->told && (seen || !can || look->ticks > look->told_after)) {
        look->told = true;
        report(sys, w, ms);
    }
    /* Unless it was seen it has not given up its hand-off place, whatever it is counted as. */
    if (look->replaced || !tri_load(&w->sighted, TRI_ACQUIRE) ||
        tri_load(&w->lost, TRI_ACQUIRE) == TRI_LOST_NOT)
        return;
    look->replaced = true;
    if (!tri_rescue_replace(w))
        tri_log(sys, TR_LOG_ERROR,
                "worker %u is stuck and all %u spares are at work: the node runs with one less",
                (unsigned)w->ctx.id, TRI_SPARES);
}

static void look_at(struct tri_monitor *m, uint32_t index)
{
    struct tr_system *sys = m->sys;
    struct tri_worker *w = sys->workers[index];
    struct look *look = &m->looks[index];
    uint64_t done = tri_worker_done(w);
    if (done != look->done || tri_load(&w->parked, TRI_RELAXED) ||
        !tri_load(&w->on_duty, TRI_ACQUIRE)) {
        if (tri_load(&w->sighted, TRI_ACQUIRE)) { /* Its handler was ended, or returned. */
            if (!look->told)
                report(sys, w, (uint64_t)look->ticks * TICK_NS / 1000000);
            tri_rescue_over(w);
        }
        *look = (struct look){.done = done};
        tri_store(&w->stuck, false, TRI_RELAXED);
        return;
    }
    if (look->ticks++ == 0)
        look->cpu_ns = cpu_ns(w);
    tri_store(&w->stuck, true, TRI_RELAXED);
    uint64_t ms = (uint64_t)look->ticks * TICK_NS / 1000000;
    /* Who sleeps knows nothing of a timer that was set here since, and fires it when woken. */
    if (tri_sched_length(w) > 0 || tri_load(&sys->inject_count, TRI_RELAXED) > 0 ||
        tri_timers_next_ns(&w->timers) <= tri_load(&sys->tick_ns, TRI_RELAXED))
        tri_sched_wake_one(sys);
    if (sys->config.watchdog_ms == UINT_MAX || ms < sys->config.watchdog_ms)
        return;
    if (look->told_after == 0)
        look->told_after = look->ticks + LOOKS_TO_TELL;
    rescue(m, w, look, ms);
}

void tri_monitor_rest(struct tri_monitor *m)
{
    const struct tr_system *sys = m->sys;
    /* Sequentially consistent on both sides: who takes a worker out of parked_count then looks at
     * asleep, we do it the other way round. */
    tri_store(&m->asleep, 1u, TRI_SEQ_CST);
    if (tri_load(&sys->parked_count, TRI_SEQ_CST) >= tri_load(&sys->active, TRI_SEQ_CST))
        (void)tri_park_wait(&m->park, -1);
    tri_store(&m->asleep, 0u, TRI_SEQ_CST);
}

static void monitor_main(void *arg)
{
    struct tri_monitor *m = arg;
    struct tr_system *sys = m->sys;
    uint32_t idle = 0;
    while (!tri_load(&m->quit, TRI_ACQUIRE)) {
        tri_store(&sys->tick_ns, tri_sys_mono_ns(sys), TRI_RELAXED);
        for (uint32_t i = 0; i < sys->worker_count; i++)
            look_at(m, i);
        bool busy = tri_load(&sys->parked_count, TRI_RELAXED) < tri_load(&sys->active, TRI_RELAXED);
        idle = busy ? 0 : idle + 1;
        if (idle < IDLE_TICKS) {
            (void)tri_park_wait(&m->park, TICK_NS);
            continue;
        }
        tri_monitor_rest(m);
        idle = 0;
    }
}

void tri_monitor_wake(struct tri_monitor *m)
{
    uint32_t expected = 1;
    if (m && tri_load(&m->asleep, TRI_SEQ_CST) &&
        tri_cas_strong(&m->asleep, &expected, 0u, TRI_SEQ_CST, TRI_RELAXED))
        tri_park_wake(&m->park);
}

struct tri_monitor *tri_monitor_create(struct tr_system *sys)
{
    struct tri_monitor *m = tri_calloc(1, sizeof *m + sys->worker_count * sizeof(struct look));
    if (!m)
        return NULL;
    m->sys = sys;
    tri_park_init(&m->park);
    if (tri_thread_create(&m->thread, "tr-monitor", monitor_main, m))
        return m;
    tri_free(m);
    return NULL;
}

void tri_monitor_end(struct tri_monitor *m)
{
    if (!m)
        return;
    tri_store(&m->quit, true, TRI_RELEASE);
    tri_park_wake(&m->park);
    tri_thread_join(&m->thread);
}

void tri_monitor_destroy(struct tri_monitor *m)
{
    tri_free(m);
}
