/* Handlers that do not return: reported, their worker replaced, and ended if contained. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "forked.h"
#include "os/fault.h"
#include "troupe/troupe.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct hog {
    tr_pid other;
    int how;
};
struct ping {
    uint32_t n;
};
TR_TYPE(hog);
TR_TYPE(ping);

enum { SPIN, SLEEP, FOR_EVER, FOR_EVER_IN_LIBRARY };

static TRI_ATOMIC(uint32_t) pings;
static TRI_ATOMIC(uint32_t) returned;
static TRI_ATOMIC(uint32_t) failures;
static TRI_ATOMIC(uint32_t) reports;
static TRI_ATOMIC(uint32_t) exhausted;
static uint32_t want;
static char last_report[512];
static volatile int spins;

static void keep_report(void *user, enum tr_log_level level, const char *line)
{
    (void)user;
    (void)level;
    if (strstr(line, "handler has run for")) {
        (void)snprintf(last_report, sizeof last_report, "%s", line);
        tri_fetch_add(&reports, 1u, TRI_RELEASE);
    } else if (strstr(line, "spares are at work")) {
        tri_fetch_add(&exhausted, 1u, TRI_RELAXED);
    }
}

static tr_err ponger_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    const struct ping *p = tr_as(msg, ping);
    if (!p)
        return tr_unhandled(ctx);
    if (p->n == 0)
        (void)tr_after(ctx, 20, ping, .n = 2); /* A timer of this worker, which will be stuck. */
    else
        tri_fetch_add(&pings, 1u, TRI_RELEASE);
    return TR_OK;
}
static const struct tr_actor ponger_actor = {.name = "ponger", .receive = ponger_receive};

/* Keeps its worker until everybody else was served. */
static tr_err on_hog(tr_ctx *ctx, const struct hog *msg)
{
    tr_send(ctx, msg->other, ping, .n = 1); /* It is now in the hand-off place. */
    while (tri_load(&pings, TRI_ACQUIRE) < want || msg->how >= FOR_EVER) {
        struct timespec little = {.tv_nsec = 1000000};
        if (msg->how == SLEEP)
            (void)nanosleep(&little, NULL);
        else if (msg->how == FOR_EVER_IN_LIBRARY)
            free(malloc(100 + (size_t)(spins++ & 1023)));
        else
            spins++;
    }
    tri_fetch_add(&returned, 1u, TRI_RELEASE);
    return TR_OK;
}

static tr_err hog_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    return msg->type == &hog_type ? on_hog(ctx, tr_as(msg, hog)) : tr_unhandled(ctx);
}
static const struct tr_actor hog_actor = {.name = "hog", .receive = hog_receive};
static const struct tr_actor contained_hog_actor = {
    .name = "loop", .receive = hog_receive, .flags = TR_ACTOR_CONTAINED};

static tr_err listener_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_subscribe(ctx, tr_actor_failed);
}
static tr_err listener_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct tr_actor_failed *failed = tr_as(msg, tr_actor_failed);
    (void)ctx;
    (void)state;
    CHECK(failed && failed->code == TR_ELOOP && strstr(failed->text, "endless loop, ended at "));
    tri_fetch_add(&failures, 1u, TRI_RELEASE);
    return TR_OK;
}
static const struct tr_actor listener_actor = {
    .name = "listener", .init = listener_init, .receive = listener_receive};

static const struct tr_supervision always = {.on_failure = TR_RESTART, .restarts_max = 1000};

static tr_system *start(unsigned workers, tr_pid *ret_ponger)
{
    tr_system *sys;
    CHECK(tr_system_create(&sys, &(struct tr_config){.workers = workers,
                                                     .watchdog_ms = 30,
                                                     .log = keep_report}) == TR_OK);
    *ret_ponger = tr_spawn(tr_root(sys), &ponger_actor, .name = "ponger");
    CHECK(!tr_pid_is_nobody(*ret_ponger));
    CHECK(!tr_pid_is_nobody(tr_spawn(tr_root(sys), &listener_actor)));
    tr_system_run(sys);
    return sys;
}

static void finish(tr_system *sys)
{
    struct tr_accounts accounts;
    struct tr_stats stats;
    tr_system_run(sys);
    tr_system_accounts(sys, &accounts);
    CHECK(tr_accounts_balance(&accounts));
    do { /* The monitor may just find that a spare which it was about to send is not needed. */
        tr_system_stats(sys, &stats);
    } while (stats.workers_parked != stats.workers);
    CHECK(tr_system_stop(sys, 30000) == TR_OK);
    tr_system_destroy(sys);
}

static void hog_all(unsigned workers, int how)
{
    tr_pid ponger;
    tr_system *sys = start(workers, &ponger);
    for (unsigned round = 1; round <= 10; round++) { /* More often than there are spares. */
        want += workers + 1;
        tr_send(tr_root(sys), ponger, ping, .n = 0);
        for (unsigned i = 0; i < workers; i++) {
            tr_pid hog = tr_spawn(tr_root(sys), &hog_actor);
            tr_send(tr_root(sys), hog, hog, .other = ponger, .how = how);
        }
        tr_system_run(sys);
        CHECK(tri_load(&pings, TRI_ACQUIRE) >= want);
        CHECK(tri_load(&returned, TRI_ACQUIRE) == round * workers);
    }
    CHECK(tri_load(&reports, TRI_ACQUIRE) >= 1); /* The log drops lines above a few a second. */
    CHECK(strstr(last_report, "actor hog (") && strstr(last_report, "message hog"));
    CHECK(tri_load(&exhausted, TRI_RELAXED) == 0);
    finish(sys);
}

static void one_worker_spins(void)
{
    hog_all(1, SPIN);
}
static void one_worker_sleeps(void)
{
    hog_all(1, SLEEP);
}
static void all_workers_spin(void)
{
    hog_all(3, SPIN);
}

static void loops(int how)
{
    tr_pid ponger;
    tr_system *sys = start(1, &ponger);
    tr_pid hog = tr_spawn(tr_root(sys), &contained_hog_actor, .supervise = &always);
    for (uint32_t round = 1; round <= 5; round++) {
        tr_send(tr_root(sys), hog, hog, .other = ponger, .how = how);
        tr_system_run(sys);
        CHECK(tri_load(&failures, TRI_ACQUIRE) == round);
        CHECK(tr_alive(tr_root(sys), hog));
        CHECK(tri_load(&pings, TRI_ACQUIRE) >= round);
    }
    CHECK(tri_load(&returned, TRI_RELAXED) == 0);
    finish(sys);
    CHECK(strstr(last_report, "actor loop (") && strstr(last_report, "message hog"));
    void *memory = malloc(10); /* The heap's lock was not left behind. */
    CHECK(memory);
    free(memory);
}

static void loop_is_ended(void)
{
    loops(FOR_EVER);
}
static void loop_in_library_is_ended(void)
{
    loops(FOR_EVER_IN_LIBRARY);
}

static void need_traps(void)
{
    if (tri_fault_off()) {
        print_message("skipped: %s\n", tri_fault_off());
        skip();
    }
}

static void test_replaced(void **state)
{
    (void)state;
    need_traps();
    assert_forked_ok(one_worker_spins);
    assert_forked_ok(one_worker_sleeps);
    assert_forked_ok(all_workers_spin);
}

static void test_ended(void **state)
{
    (void)state;
    need_traps();
    assert_forked_ok(loop_is_ended);
    assert_forked_ok(loop_in_library_is_ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
