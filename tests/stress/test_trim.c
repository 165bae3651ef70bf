/* Free cells lose their memory while outside threads go on sending to the actors that had them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/ctx.h"
#include "core/slots.h"
#include "troupe/troupe.h"

#define ACTORS 40000u
#define ROUNDS 4u
#define SENDERS 2u

struct ping {
    uint64_t number;
};
TR_TYPE(ping);

struct counter {
    uint64_t pings;
};

static TRI_ATOMIC(uint64_t) received;

static tr_err on_ping(tr_ctx *ctx, struct counter *self, const struct ping *msg)
{
    (void)ctx;
    (void)msg;
    self->pings++;
    tri_fetch_add(&received, 1u, TRI_RELAXED);
    return TR_OK;
}

#define COUNTER_HANDLERS(ON) ON(ping, on_ping)
TR_DISPATCH(counter, COUNTER_HANDLERS);
static const struct tr_actor counter_actor = {.name = "counter",
                                              .state_size = sizeof(struct counter),
                                              .receive = counter_receive,
                                              .accepts = counter_accepts};

static tr_pid pids[ACTORS];

struct sender {
    struct tri_thread thread;
    tr_system *sys;
    TRI_ATOMIC(bool) quit;
    uint64_t sent;
};

/* Sends to PIDs that are stale nearly always. */
static void send_stale(void *arg)
{
    struct sender *sender = arg;
    tr_ctx *ctx = tr_attach(sender->sys);
    while (!tri_load(&sender->quit, TRI_ACQUIRE)) {
        uint64_t random = tr_random(ctx);
        tr_send(ctx, pids[random % ACTORS], ping, .number = random);
        tr_stop(ctx, pids[(random >> 32) % ACTORS]);
        sender->sent++;
    }
    tr_detach(ctx);
}

static bool some_lost(tr_system *sys)
{
    tri_spin_lock(&sys->slots.lock);
    bool lost = sys->slots.lost_count > 0;
    tri_spin_unlock(&sys->slots.lock);
    return lost;
}

static void await_loss(tr_system *sys)
{
    while (!some_lost(sys))
        tr_system_run(sys); /* Root's slots go back, too. */
}

static void cells_come_and_go_under_stale_mail(void **state)
{
    (void)state;
    tr_system *sys;
    assert_int_equal(tr_system_create(&sys, &(struct tr_config){.workers = 2, .log = tr_log_none}),
                     TR_OK);
    tr_ctx *root = tr_root(sys);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < ACTORS; i++) {
            pids[i] = tr_spawn(root, &counter_actor);
            assert_false(tr_pid_is_nobody(pids[i]));
        }
        uint64_t before = tri_load(&received, TRI_RELAXED);
        for (unsigned i = 0; i < ACTORS; i++)
            tr_send(root, pids[i], ping, .number = i);
        tr_system_run(sys);
        assert_int_equal(tri_load(&received, TRI_RELAXED) - before, ACTORS);
        for (unsigned i = 0; i < ACTORS; i++)
            tr_stop(root, pids[i]);
        static struct sender senders[SENDERS];
        for (unsigned i = 0; i < SENDERS; i++) {
            senders[i].sys = sys;
            tri_store(&senders[i].quit, false, TRI_RELAXED);
            assert_true(tri_thread_create(&senders[i].thread, "stale", send_stale, &senders[i]));
        }
        await_loss(sys);
        for (unsigned i = 0; i < SENDERS; i++) {
            tri_store(&senders[i].quit, true, TRI_RELEASE);
            tri_thread_join(&senders[i].thread);
        }
    }
    tr_system_run(sys);
    struct tr_accounts accounts;
    tr_system_accounts(sys, &accounts);
    uint64_t dead = 0;
    for (unsigned i = 0; i < TR_DEAD_REASON_COUNT; i++)
        dead += accounts.dead[i];
    assert_int_equal(accounts.accepted,
                     accounts.processed + accounts.dropped + dead + accounts.queued);
    assert_true(dead > 0);
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    tr_system_destroy(sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells_come_and_go_under_stale_mail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
