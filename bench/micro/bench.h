/*
 * bench.h - what the workloads of bench_troupe share.
 *
 * A workload spawns its actors with bench_spawn(), sends the first message between
 * bench_begin() and bench_await(), and lets an actor call bench_finish() when the last
 * message has been received. bench/README.md defines each of them.
 */
#ifndef BENCH_H
#define BENCH_H

#include "troupe/troupe.h"

/* One workload in one system; rounds share the system but no actors. */
struct run {
    tr_system *sys;
    tr_ctx *root;
    double scale;    /* multiplies the message count */
    uint64_t units;  /* what the time is divided by; set by the workload */
    double bytes;    /* memory workloads: bytes per actor instead of a time */
    tr_pid *spawned; /* stopped after the round */
    size_t spawned_count, spawned_capacity;
};

/* Plays one round. */
typedef void (*workload_fn)(struct run *run);

/* Spawns an actor of this round; ends the program with a message if it cannot. */
tr_pid bench_spawn(struct run *run, const struct tr_actor *actor, const void *arg);

/* `base` × scale, at least `least`. */
uint64_t bench_count(const struct run *run, uint64_t base, uint64_t least);

/* The clock starts. Actors that were set up are at rest by then. */
void bench_begin(struct run *run);
/* The clock stops, from whichever actor sees the last message. Once per round. */
void bench_finish(void);
/* Blocks until bench_finish(). */
void bench_await(void);

/* Says what went wrong and ends the program with 1. */
_Noreturn void bench_die(const char *fmt, ...) TR_PRINTF(1, 2);

/* Bytes of this process in physical memory. */
uint64_t bench_resident(void);

/* ---- Messages shared by several workloads --------------------------------- */

struct go {
    char none;
};
struct ball {
    uint64_t left; /* messages still to come after this one */
};
struct peer {
    tr_pid pid; /* whom to send to from now on */
};
struct done {
    char none;
};
TR_TYPE(go);
TR_TYPE(ball);
TR_TYPE(peer);
TR_TYPE(done);

/* Counts `done` messages and finishes the round at the given number. */
tr_pid bench_spawn_referee(struct run *run, uint64_t expected);

void run_ping_pong(struct run *run);
void run_pairs(struct run *run);
void run_ring_100(struct run *run);
void run_ring_503(struct run *run);
void run_ask(struct run *run);
void run_counting(struct run *run);
void run_counting_windowed(struct run *run);
void run_fork_join_throughput(struct run *run);
void run_fan_in(struct run *run);
void run_fan_in_windowed(struct run *run);
void run_fan_out(struct run *run);
void run_fork_join_create(struct run *run);
void run_churn(struct run *run);
void run_idle_memory(struct run *run);
void run_memory_left(struct run *run);
void run_million(struct run *run);
void run_chameneos(struct run *run);
void run_big(struct run *run);
void run_parallel(struct run *run);

#endif
