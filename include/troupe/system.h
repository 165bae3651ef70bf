/*
 * troupe/system.h - actor systems: create, run, stop.
 *
 * Everything hangs on a tr_system; several live in one process.
 */
#ifndef TROUPE_SYSTEM_H
#define TROUPE_SYSTEM_H

#include "troupe/actor.h"
#include "troupe/event.h"

TR_BEGIN_DECLS

enum tr_log_level { TR_LOG_DEBUG, TR_LOG_INFO, TR_LOG_WARN, TR_LOG_ERROR };

/* Called from any worker, never under a lock; `line` has no newline. */
typedef void (*tr_log_fn)(void *user, enum tr_log_level level, const char *line);

/* For config.log: say nothing. */
TR_API void tr_log_none(void *user, enum tr_log_level level, const char *line);

/* Where time and chance come from. NULL members mean the operating system's. Each may be
 * called from any worker at once. Simulated systems bring their own. */
struct tr_clock {
    uint64_t (*mono_ns)(void *user);
    int64_t (*wall_us)(void *user);
    void *user;
};
struct tr_random_source {
    uint64_t (*next)(void *user);
    void *user;
};

/* All zero is a fine configuration. */
struct tr_config {
    const char *node;         /* name of this system; copied; default "troupe" */
    unsigned workers;         /* threads that run actors; 0: one per usable core; <= 256 */
    bool manual;              /* no threads at all: the caller runs it with tr_system_step() */
    size_t memory_max;        /* bytes of message memory; 0: 1 GiB; at least 1 MiB */
    uint32_t actors_max;      /* 0: 16,777,216; at most that */
    unsigned offload_threads; /* for tr_offload(); started when first used; 0: 4; <= 128 */
    unsigned watchdog_ms;     /* report handlers that run longer; 0: 1000; UINT_MAX: never */
    tr_log_fn log;            /* NULL: warnings and errors to stderr, at most a few a second */
    void *log_user;
    struct tr_clock clock;
    struct tr_random_source random;
    const struct tr_middleware *const *middleware; /* NULL-terminated; borrowed for its life */
    uint64_t seed; /* for manual systems: of tr_random(); 0: from the random port */
};

/*
 * Creates a system and starts its workers. `config` may be NULL and is copied.
 * TR_EINVAL (a value out of its bounds), TR_ENOMEM; `error` (may be NULL) then says which.
 */
TR_API TR_MUST_USE tr_err tr_system_create_(tr_system **ret_sys, const struct tr_config *config,
                                            struct tr_error *error);
static inline TR_MUST_USE tr_err tr_system_create(tr_system **ret_sys,
                                                  const struct tr_config *config)
{
    return tr_system_create_(ret_sys, config, NULL);
}

/*
 * The context of the outside world: of the thread that created the system. Other threads
 * take one of their own with tr_attach() and give it back with tr_detach(); at most
 * TR_OUTSIDE_MAX at a time, NULL above that.
 */
TR_API tr_ctx *tr_root(tr_system *sys);
TR_API tr_ctx *tr_attach(tr_system *sys) TR_MUST_USE;
TR_API void tr_detach(tr_ctx *ctx);
#define TR_OUTSIDE_MAX 255u

TR_API tr_system *tr_system_of(tr_ctx *ctx);

/*
 * Returns when the system is at rest: no message queued or being handled and no offloaded
 * work under way. Timers that are not due are not waited for. Outside threads only.
 */
TR_API void tr_system_run(tr_system *sys);

/*
 * Manual systems: handles up to max_messages messages and due timers on the caller's
 * thread (the one that owns tr_root()); returns how many messages were handled.
 */
TR_API size_t tr_system_step(tr_system *sys, size_t max_messages);
/* Manual systems: when the next timer is due, in ns of the clock; UINT64_MAX if none. */
TR_API uint64_t tr_system_next_timer_ns(tr_system *sys);

/*
 * Graceful end, within deadline_ms: new outside work is refused (TR_ECLOSING), what is
 * queued is worked off, then actors stop, children before parents. What is left at the
 * deadline becomes dead letters. TR_OK, or TR_ETIMEDOUT if the deadline passed. A second
 * call does nothing. Outside threads only.
 */
TR_API tr_err tr_system_stop(tr_system *sys, unsigned deadline_ms);

/* Why the system ended by itself (a failure escalated to the root); TR_OK otherwise. */
TR_API tr_err tr_system_failure(tr_system *sys, char *ret_text, size_t text_size);

/* Frees everything; stops with a deadline of 0 first if needed. NULL is fine. */
TR_API void tr_system_destroy(tr_system *sys);

/* Figures of the moment, approximately; any thread. */
struct tr_stats {
    uint64_t actors;         /* alive */
    uint64_t actors_spawned; /* ever */
    uint64_t actors_failed;
    uint64_t actors_restarted;
    uint64_t message_bytes; /* of message and state memory held from the operating system */
    uint64_t message_bytes_max;
    uint64_t steals;
    uint64_t parks;
    uint64_t timers;
    uint64_t delays; /* how often an actor was held back by a full mailbox (TR_DELAY) */
    unsigned workers;
    unsigned workers_parked;
};
TR_API void tr_system_stats(tr_system *sys, struct tr_stats *ret_stats);

TR_END_DECLS

#endif
