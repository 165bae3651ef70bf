/*
 * troupe/test.h - testing actors: every order of events, from a seed.
 *
 * A test is a function. It runs in a simulated system on one thread, whose clock, chance and
 * order of events come from a seed, so that the same seed gives the same run, and other seeds
 * give other orders of the same events. tr_test_main() runs it for many seeds; when one fails, it
 * looks for the shortest schedule that still fails and prints how to see it again:
 *
 *     static void adds(struct tr_test *t)
 *     {
 *         tr_pid counter = tr_spawn(tr_test_ctx(t), &counter_actor);
 *         tr_pid probe = tr_test_probe(t, "probe");
 *         tr_test_send(t, probe, counter, counter_add, .amount = 2);
 *         tr_test_send(t, probe, counter, counter_get);
 *         tr_test_settle(t);
 *         tr_expect(t, tr_test_nth(t, probe, 0, counter_value)->value == 2);
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         return tr_test_main(argc, argv, adds);
 *     }
 *
 * Link with libtroupe_test. All calls from the thread of tr_test_main(), within the test.
 */
#ifndef TROUPE_TEST_H
#define TROUPE_TEST_H

#include "troupe/troupe.h"

TR_BEGIN_DECLS

struct tr_test;
typedef void (*tr_test_fn)(struct tr_test *test);

/*
 * Runs `fn` for many seeds: 0 good, 1 it failed, 2 wrong usage. Options on the command line:
 *   --seeds N         seeds 1 … N; default 100, or $TROUPE_SEEDS
 *   --seed S          only this one
 *   --schedule D,D,…  with --seed: the decisions to take, 0 after the last
 *   --events N,N,…    with --seed: the events of the history that happen; '-' for none
 *   --trace           with --seed: print what happened
 *   --repeat N        with --seed: run it so often, and fail unless all traces are the same
 * A failing seed's report goes to stdout.
 */
TR_API int tr_test_main(int argc, char **argv, tr_test_fn fn) TR_MUST_USE;

/* The context to spawn and send with: outside of all actors. */
TR_API tr_ctx *tr_test_ctx(struct tr_test *test);
TR_API uint64_t tr_test_seed(const struct tr_test *test);

/* ---- Time ---------------------------------------------------------------- */

/* Runs until nothing is left to do at this moment. The clock stands still. */
TR_API void tr_test_settle(struct tr_test *test);
/* Moves the clock on, with everything that is due on the way, in order. */
TR_API void tr_test_advance(struct tr_test *test, unsigned ms);
/* One thing happens: a message is handled, or, when nothing is left to do at this moment, the
 * clock moves to the next one at which there is. False: nothing will happen by itself. Unlike
 * all others it also returns, with false, when the test has failed meanwhile: for code under test
 * that waits, whose memory would be lost otherwise. */
TR_API bool tr_test_next(struct tr_test *test) TR_MUST_USE;

/* The process ends and another one starts: all actors, messages and timers are gone, and
 * tr_test_ctx() is a new one. The clock goes on; what probes got can still be asked for. */
TR_API void tr_test_restart(struct tr_test *test);

/* ---- History ------------------------------------------------------------- */

/*
 * What a test does to its actors may come from the seed, too. A history is made up of numbers
 * that do not depend on the schedule:
 *
 *     for (int i = 0; i < 20; i++) {
 *         unsigned amount = tr_test_random(t) % 100;
 *         if (tr_test_event(t))
 *             tr_test_send(t, probe, till, pay, .amount = amount);
 *     }
 *
 * tr_test_event() is true, unless a failing history is being shrunk and this event was left out.
 * Draw numbers before asking, so that the other events stay as they were.
 */
TR_API uint64_t tr_test_random(struct tr_test *test);
TR_API bool tr_test_event(struct tr_test *test) TR_MUST_USE;
/* A decision of the schedule, 0 … bound - 1. 0 has to be the dull one: shrinking leads there. */
TR_API uint32_t tr_test_choose(struct tr_test *test, uint32_t bound);
/* A line in the trace. */
TR_API void tr_test_note(struct tr_test *test, const char *fmt, ...) TR_PRINTF(2, 3);

/* ---- Probes -------------------------------------------------------------- */

/* An actor that records all messages that it gets. `name` is registered and shown in traces. */
TR_API tr_pid tr_test_probe(struct tr_test *test, const char *name) TR_MUST_USE;
/* Sends from a probe, which so gets the answers. */
#define tr_test_send(test, probe, to, ...) \
    tr_test_send_((test), (probe), (to), TR_VALUE_(__VA_ARGS__))
#define tr_test_send_value(test, probe, to, T, ptr) \
    tr_test_send_((test), (probe), (to), TR_VALUE_AT_(T, ptr))
TR_API void tr_test_send_(struct tr_test *test, tr_pid probe, tr_pid to, const struct tr_type *type,
                          const void *body, size_t size);

/* How many messages of type T the probe got. */
#define tr_test_count(test, probe, T) tr_test_count_((test), (probe), &T##_type)
TR_API size_t tr_test_count_(struct tr_test *test, tr_pid probe, const struct tr_type *type);
/* The probe's message number `index` of type T (from 0); the test fails if there is none. */
#define tr_test_nth(test, probe, index, T) \
    ((const struct T *)tr_test_nth_((test), (probe), (index), &T##_type))
TR_API const void *tr_test_nth_(struct tr_test *test, tr_pid probe, size_t index,
                                const struct tr_type *type);

/* ---- Faults -------------------------------------------------------------- */

/* What befalls the next `count` messages of type T, whoever sends them. */
#define tr_test_drop(test, T, count) tr_test_fault_((test), &T##_type, 0, (count), 0)
#define tr_test_delay(test, T, count, ms) tr_test_fault_((test), &T##_type, 1, (count), (ms))
#define tr_test_duplicate(test, T, count) tr_test_fault_((test), &T##_type, 2, (count), 0)
#define tr_test_fail(test, T, count) tr_test_fault_((test), &T##_type, 3, (count), 0)
TR_API void tr_test_fault_(struct tr_test *test, const struct tr_type *type, int what,
                           unsigned count, unsigned ms);

/* From now on by chance, per thousand messages of all types that are not TR_TYPE_CONTROL; which
 * ones depends on the seed. Probes are spared. What follows a message that is late by chance, from
 * the same sender to the same receiver, waits behind it. */
struct tr_test_faults {
    unsigned drop_permille;
    unsigned delay_permille;
    unsigned delay_ms_max; /* 0: 1000 */
    unsigned duplicate_permille;
    unsigned fail_permille;  /* the handler fails instead of running */
    unsigned alloc_permille; /* … of turns: their next heap allocation fails */
};
TR_API void tr_test_faults(struct tr_test *test, const struct tr_test_faults *faults);

/* ---- Expectations -------------------------------------------------------- */

/* Ends the run as failed, with the condition's text and place, unless it holds. */
#define tr_expect(test, condition) tr_expect_((test), !!(condition), #condition, __FILE__, __LINE__)
TR_API void tr_expect_(struct tr_test *test, bool holds, const char *text, const char *file,
                       int line);

/* Ends the run as failed for that reason, like tr_expect(). */
TR_API void tr_test_failed(struct tr_test *test, const char *fmt, ...) TR_PRINTF(2, 3);

/*
 * What happened, a line each: the time, the receiver (name#slot), the message, its sender.
 *      0.000000 counter#2 counter_add from probe#3
 * tr_expect_trace(t, "counter_add", "counter_get") wants lines that contain these, in that order.
 */
TR_API const char *tr_test_trace(const struct tr_test *test);
#define tr_expect_trace(test, ...) \
    tr_expect_trace_((test), (const char *const[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)
TR_API void tr_expect_trace_(struct tr_test *test, const char *const *parts, const char *file,
                             int line);

/* At the end of each run, and at a restart, everything is settled and the system stops. If the
 * message accounts do not balance then, or memory of a message was not given back, the run has
 * failed. */

TR_END_DECLS

#endif
