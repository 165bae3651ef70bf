/* Parking: the parking place alone, then whole workers that sleep and are woken. */
#include "harness.h"

#include "base/plant.h"
#include "core/monitor.h"
#include "core/sched.h"
#include "os/park.h"
#include "world.h"

/* ---- The parking place ----------------------------------------------------- */

static struct tri_park place;
static TRI_ATOMIC(uint32_t) stops;
static uint32_t told[2];

static void reset(void)
{
    tri_park_init(&place);
    memset(told, 0, sizeof told);
    tri_store(&stops, 0u, TRI_RELAXED);
    tri_model_timeouts(1); /* One sleep may end for no reason. */
}
static void sleeper(void)
{
    TRI_EXPECT(tri_park_wait(&place, -1));
    TRI_EXPECT(told[0] == 1);
}
static void waker0(void)
{
    told[0] = 1;
    tri_park_wake(&place);
}
static void waker1(void)
{
    tri_park_wake(&place);
}
/* Sleeps until both have come: a wake-up counts for what was said before it. */
static void sleeper_of_two(void)
{
    while (tri_load(&stops, TRI_ACQUIRE) != 2)
        (void)tri_park_wait(&place, -1);
    TRI_EXPECT(told[0] == 1 && told[1] == 1);
}
static void teller0(void)
{
    told[0] = 1;
    (void)tri_fetch_add(&stops, 1u, TRI_RELEASE);
    tri_park_wake(&place);
}
static void teller1(void)
{
    told[1] = 1;
    (void)tri_fetch_add(&stops, 1u, TRI_RELEASE);
    tri_park_wake(&place);
}
/* A timed sleep takes the token if it came, else leaves an empty place. */
static void timed_sleeper(void)
{
    bool first = tri_park_wait(&place, 1000);
    if (first)
        TRI_EXPECT(told[0] == 1);
    else
        TRI_EXPECT(tri_park_wait(&place, -1));
    TRI_EXPECT(told[0] == 1);
}
static void no_token_left(void)
{
    TRI_EXPECT(!tri_park_wait(&place, 0));
}

static const struct tri_program one_waker = {.name = "park: a sleeper, a waker",
                                             .set_up = reset,
                                             .threads = {sleeper, waker0},
                                             .check = no_token_left};
static const struct tri_program two_tellers = {.name = "park: a sleeper, two wakers",
                                               .set_up = reset,
                                               .threads = {sleeper_of_two, teller0, teller1}};
static const struct tri_program timed = {.name = "park: a sleeper with a time-out, a waker",
                                         .set_up = reset,
                                         .threads = {timed_sleeper, waker0},
                                         .check = no_token_left};

static void a_wake_up_is_not_lost(void **state)
{
    static const struct tri_program *const programs[] = {&one_waker, &two_tellers, &timed, NULL};
    (void)state;
    (void)waker1;
    for (int i = 0; programs[i]; i++)
        explore_clean(programs[i]);
}

static void a_weaker_parking_place_is_found(void **state)
{
    /* The tellers' own counter. */
    static const char *const spared[] = {"teller0 rmw", "teller1 rmw", "sleeper_of_two load", NULL};
    static const struct tri_program *const programs[] = {&one_waker, &two_tellers, &timed, NULL};
    (void)state;
    explore_weakened(programs, spared);
}

/* ---- Workers ---------------------------------------------------------------- */

struct job {
    bool last;
};
TR_TYPE(job);

static tr_system *sys;
static tr_ctx *outside[2];
static tr_pid actors[2];
static TRI_ATOMIC(uint32_t) jobs_left;

/* The last job ends the workers; so they end only if none of the jobs is forgotten. */
static tr_err on_job(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx;
    (void)state;
    (void)msg;
    if (tri_fetch_sub(&jobs_left, 1u, TRI_ACQ_REL) == 1) {
        tri_store(&sys->quit, true, TRI_SEQ_CST);
        tri_sched_wake_all(sys);
    }
    return TR_OK;
}
static const struct tr_actor job_actor = {.name = "job", .receive = on_job};

static void world(unsigned workers, uint32_t jobs)
{
    sys = world_system(workers);
    tri_store(&jobs_left, jobs, TRI_RELAXED);
    for (int i = 0; i < 2; i++) {
        outside[i] = tr_attach(sys);
        actors[i] = tr_spawn(tr_root(sys), &job_actor);
    }
    world_drain(sys);
}
static void one_worker_one_job(void)
{
    world(1, 1);
}
static void one_worker_two_jobs(void)
{
    world(1, 2);
}
static void two_workers_one_job(void)
{
    world(2, 1);
}
static void worker0(void)
{
    tri_worker_main(sys->workers[0]);
}
static void worker1(void)
{
    tri_worker_main(sys->workers[1]);
}
static void sender0(void)
{
    tr_send(outside[0], actors[0], job);
}
static void sender1(void)
{
    tr_send(outside[1], actors[1], job);
}
static void all_done(void)
{
    TRI_EXPECT(tri_load(&jobs_left, TRI_RELAXED) == 0);
}

static const struct tri_program worker_and_sender = {.name = "worker: sleeps, one sender",
                                                     .set_up = one_worker_one_job,
                                                     .threads = {worker0, sender0},
                                                     .check = all_done};
static const struct tri_program worker_and_two = {.name = "worker: sleeps, two senders",
                                                  .set_up = one_worker_two_jobs,
                                                  .threads = {worker0, sender0, sender1},
                                                  .check = all_done};
static const struct tri_program two_workers = {.name = "two workers: sleep, one sender",
                                               .set_up = two_workers_one_job,
                                               .threads = {worker0, worker1, sender0},
                                               .check = all_done};

static void a_worker_does_not_sleep_over_its_work(void **state)
{
    static const struct tri_program *const programs[] = {&worker_and_sender, &worker_and_two,
                                                         &two_workers, NULL};
    (void)state;
    for (int i = 0; programs[i]; i++) {
        struct tri_program p = *programs[i];
        p.executions_max = bound(20000);
        explore_clean(&p);
    }
}

static void a_weaker_protocol_is_found(void **state)
{
    /* The two halves of "count yourself, then look; put work in, then count the sleepers". */
    static const char *const only[] = {"park load", "park rmw", "tri_sched_inject rmw",
                                       "tri_sched_inject load", NULL};
    static const struct tri_program *const programs[] = {&worker_and_sender, NULL};
    (void)state;
    explore_weakened_only(programs, only);
}

/* ---- The watchdog's thread ---------------------------------------------------- */

static struct tri_park watched; /* where a handler waits until the watchdog is awake */

static tr_err on_watched(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx;
    (void)state;
    (void)msg;
    (void)tri_park_wait(&watched, -1);
    tri_store(&sys->quit, true, TRI_SEQ_CST);
    tri_store(&jobs_left, 0u, TRI_RELAXED);
    return TR_OK;
}
static const struct tr_actor watched_actor = {.name = "watched", .receive = on_watched};

static void watched_world(void)
{
    sys = world_system(1);
    tri_park_init(&watched);
    tri_model_timeouts(0);
    tri_store(&jobs_left, 1u, TRI_RELAXED);
    outside[0] = tr_attach(sys);
    actors[0] = tr_spawn(tr_root(sys), &watched_actor);
    world_drain(sys);
}
static void watchdog(void)
{
    tri_monitor_rest(sys->monitor);
    tri_park_wake(&watched);
}

/* Whoever is at work is watched: no schedule leaves the watchdog asleep beside a handler. */
static const struct tri_program watchdog_sleeps = {.name = "watchdog: sleeps, a worker, a sender",
                                                   .set_up = watched_world,
                                                   .threads = {sender0, watchdog, worker0},
                                                   .check = all_done};

static void the_watchdog_does_not_sleep_while_one_works(void **state)
{
    (void)state;
    struct tri_program p = watchdog_sleeps;
    p.executions_max = bound(20000);
    explore_clean(&p);
}

static void a_worker_that_does_not_wake_the_watchdog_is_found(void **state)
{
    static const struct tri_program *const programs[] = {&watchdog_sleeps, NULL};
    (void)state;
    tri_raced = TRI_RACE_UNPARKED_SILENT;
    explore_planted("a worker rises beside a watchdog that sleeps", programs);
    tri_raced = TRI_RACE_NONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_up_is_not_lost),
        cmocka_unit_test(a_weaker_parking_place_is_found),
        cmocka_unit_test(a_worker_does_not_sleep_over_its_work),
        cmocka_unit_test(a_weaker_protocol_is_found),
        cmocka_unit_test(the_watchdog_does_not_sleep_while_one_works),
        cmocka_unit_test(a_worker_that_does_not_wake_the_watchdog_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
