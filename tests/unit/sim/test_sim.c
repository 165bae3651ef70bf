/* The simulator: same seed, same run; all orders of events; faults; shrinking; its speed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "sim/run.h"
#include "sim/shrink.h"
#include "troupe/test.h"

struct ping {
    uint32_t hops;
};
struct start {
    tr_pid to;
    uint32_t n;
};
struct question {
    uint32_t n;
};
struct answer {
    uint32_t n;
};
TR_TYPE(ping);
TR_TYPE(start);
TR_TYPE(question);
TR_TYPE(answer);

/* ---- An actor that does a little of everything ---------------------------- */

#define PEERS 5u
struct peer_args {
    tr_pid peers[PEERS];
};
struct peer {
    struct peer_args args;
    uint32_t asked, answered, failed;
};

static struct peer_args town;

static tr_err peer_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)arg;
    tr_every(ctx, 7, question, .n = 1);
    ((struct peer *)state)->asked = 0;
    return TR_OK;
}

static tr_err on_ping(tr_ctx *ctx, struct peer *self, const struct ping *msg)
{
    if (tr_random(ctx) % 50 == 0)
        return tr_fail(ctx, TR_EUSER, "hops %u", msg->hops);
    if (msg->hops > 0) {
        tr_send(ctx, town.peers[tr_random(ctx) % PEERS], ping, .hops = msg->hops - 1);
        tr_request(ctx, town.peers[tr_random(ctx) % PEERS], 50, question, .n = msg->hops);
        self->asked++;
    }
    return TR_OK;
}

static tr_err on_question(tr_ctx *ctx, struct peer *self, const struct question *msg)
{
    (void)self;
    if (!tr_pid_equal(tr_sender(ctx), tr_self(ctx)))
        tr_reply(ctx, answer, .n = msg->n);
    return TR_OK;
}

static tr_err on_answer(tr_ctx *ctx, struct peer *self, const struct answer *msg)
{
    (void)ctx;
    self->answered += msg->n > 0;
    return TR_OK;
}

static tr_err on_no_answer(tr_ctx *ctx, struct peer *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    self->failed += msg->reason != TR_OK;
    return TR_OK;
}

#define PEER_HANDLERS(ON)     \
    ON(ping, on_ping)         \
    ON(question, on_question) \
    ON(answer, on_answer)     \
    ON(tr_request_failed, on_no_answer)
TR_DISPATCH(peer, PEER_HANDLERS);
static const struct tr_actor peer_actor = {.name = "peer",
                                           .state_size = sizeof(struct peer),
                                           .init = peer_init,
                                           .receive = peer_receive,
                                           .accepts = peer_accepts};

static void life_of_a_town(struct tr_test *t)
{
    tr_test_faults(t, &(struct tr_test_faults){.drop_permille = 20,
                                               .delay_permille = 30,
                                               .delay_ms_max = 80,
                                               .duplicate_permille = 20,
                                               .fail_permille = 5});
    for (uint32_t i = 0; i < PEERS; i++)
        town.peers[i] = tr_spawn(tr_test_ctx(t), &peer_actor, .mailbox_max = i == 0 ? 2 : 0,
                                 .overflow = i == 0 ? TR_DELAY : TR_REFUSE);
    for (uint32_t i = 0; i < PEERS; i++)
        tr_send(tr_test_ctx(t), town.peers[i], ping, .hops = 6);
    tr_test_advance(t, 100);
}

static char *trace_of(tr_test_fn fn, uint64_t seed)
{
    struct tri_test_result result;
    struct tri_sim_options options = {.seed = seed};
    assert_true(tri_test_run(fn, &options, &result));
    if (result.failed)
        fail_msg("seed %llu: %s", (unsigned long long)seed, result.why);
    assert_true(result.messages > 20);
    char *trace = strdup(result.trace);
    tri_test_result_fini(&result);
    return trace;
}

/* 1,000 runs: 40 seeds, 25 times each. */
static void same_seed_same_trace(void **state)
{
    (void)state;
    char *first[40];
    unsigned different = 0;
    for (uint64_t seed = 0; seed < 40; seed++)
        first[seed] = trace_of(life_of_a_town, seed + 1);
    for (unsigned run = 1; run < 25; run++) {
        for (uint64_t seed = 0; seed < 40; seed++) {
            char *again = trace_of(life_of_a_town, seed + 1);
            assert_string_equal(again, first[seed]);
            free(again);
        }
    }
    for (uint64_t seed = 1; seed < 40; seed++)
        different += strcmp(first[0], first[seed]) != 0;
    assert_true(different >= 38);
    for (uint64_t seed = 0; seed < 40; seed++)
        free(first[seed]);
}

/* ---- Faults --------------------------------------------------------------- */

static tr_err echo_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    const struct question *question = tr_as(msg, question);
    if (!question)
        return tr_unhandled(ctx);
    tr_reply(ctx, answer, .n = question->n);
    return TR_OK;
}
static const struct tr_actor echo_actor = {.name = "echo", .receive = echo_receive};

static void ordered_faults(struct tr_test *t)
{
    tr_pid echo = tr_spawn(tr_test_ctx(t), &echo_actor, .name = "echo");
    tr_pid probe = tr_test_probe(t, "probe");
    tr_test_drop(t, question, 1);
    tr_test_send(t, probe, echo, question, .n = 1);
    tr_test_settle(t);
    tr_expect(t, tr_test_count(t, probe, answer) == 0);
    tr_test_delay(t, question, 1, 50);
    tr_test_send(t, probe, echo, question, .n = 2);
    tr_test_send(t, probe, echo, question, .n = 3);
    tr_test_settle(t);
    tr_expect(t, tr_test_nth(t, probe, 0, answer)->n == 3);
    tr_test_advance(t, 49);
    tr_expect(t, tr_test_count(t, probe, answer) == 1);
    tr_test_advance(t, 1);
    tr_expect(t, tr_test_nth(t, probe, 1, answer)->n == 2);
    tr_test_duplicate(t, question, 1);
    tr_test_send(t, probe, echo, question, .n = 4);
    tr_test_settle(t);
    tr_expect(t, tr_test_count(t, probe, answer) == 4);
    tr_test_fail(t, question, 1);
    tr_test_send(t, probe, echo, question, .n = 5);
    tr_test_settle(t);
    tr_expect(t, tr_test_count(t, probe, answer) == 4);
    tr_expect_trace(t, "0.000000 echo#2 question from probe#3: LOST",
                    "0.050000 echo#2 question from probe#3", "FAILS",
                    "simulated failure at question");
}

static void runs_clean(tr_test_fn fn, uint64_t seeds)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct tri_test_result result;
        struct tri_sim_options options = {.seed = seed};
        assert_true(tri_test_run(fn, &options, &result));
        if (result.failed)
            fail_msg("seed %llu: %s\n%s", (unsigned long long)seed, result.why, result.trace);
        tri_test_result_fini(&result);
    }
}

static void faults(void **state)
{
    (void)state;
    runs_clean(ordered_faults, 20);
}

/* With every allocation at risk the accounts still balance and nothing crashes. */
static void hungry_town(struct tr_test *t)
{
    tr_test_faults(t, &(struct tr_test_faults){.alloc_permille = 100, .fail_permille = 20});
    for (uint32_t i = 0; i < PEERS; i++)
        town.peers[i] = tr_spawn(tr_test_ctx(t), &peer_actor);
    for (uint32_t i = 0; i < PEERS; i++)
        tr_send(tr_test_ctx(t), town.peers[i], ping, .hops = 6);
    tr_test_advance(t, 100);
}

static void allocation_failures(void **state)
{
    (void)state;
    runs_clean(hungry_town, 300);
}

/* ---- Finding and shrinking ------------------------------------------------ */

struct meter {
    uint32_t last;
};
/* A planted bug: it takes it that what was sent first comes first, from whomever. */
static tr_err on_reading(tr_ctx *ctx, struct meter *self, const struct question *msg)
{
    (void)ctx;
    self->last = msg->n;
    return TR_OK;
}
static tr_err on_read(tr_ctx *ctx, struct meter *self, const struct start *msg)
{
    (void)msg;
    tr_reply(ctx, answer, .n = self->last);
    return TR_OK;
}
#define METER_HANDLERS(ON) ON(question, on_reading) ON(start, on_read)
TR_DISPATCH(meter, METER_HANDLERS);
static const struct tr_actor meter_actor = {.name = "meter",
                                            .state_size = sizeof(struct meter),
                                            .receive = meter_receive,
                                            .accepts = meter_accepts};

/* Passes a reading on. */
static tr_err relay_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    const struct start *start = tr_as(msg, start);
    if (!start)
        return tr_unhandled(ctx);
    tr_send(ctx, start->to, question, .n = start->n);
    return TR_OK;
}
static const struct tr_actor relay_actor = {.name = "relay", .receive = relay_receive};

static void race(struct tr_test *t)
{
    tr_ctx *ctx = tr_test_ctx(t);
    tr_pid meter = tr_spawn(ctx, &meter_actor);
    tr_pid probe = tr_test_probe(t, "probe");
    for (uint32_t n = 1; n <= 6; n++) {
        tr_pid relay = tr_spawn(ctx, &relay_actor);
        tr_send(ctx, relay, start, .to = meter, .n = n);
    }
    tr_test_settle(t);
    tr_test_send(t, probe, meter, start);
    tr_test_settle(t);
    tr_expect(t, tr_test_nth(t, probe, 0, answer)->n == 6);
}

static bool race_fails(void *user, const uint16_t *decisions, size_t count)
{
    static const uint16_t none = 0;
    struct tri_sim_options options = {
        .seed = *(uint64_t *)user, .script = count ? decisions : &none, .script_count = count};
    struct tri_test_result result;
    assert_true(tri_test_run(race, &options, &result));
    bool failed = result.failed;
    tri_test_result_fini(&result);
    return failed;
}

/* A race is found within a few seeds, and what is left of its schedule is one decision: to let
 * a relay other than the last one run last. */
static void a_race_is_found_and_shrunk(void **state)
{
    (void)state;
    struct tri_test_result result = {0};
    uint64_t seed = 0;
    while (!result.failed && seed < 20) {
        tri_test_result_fini(&result);
        seed++;
        struct tri_sim_options options = {.seed = seed};
        assert_true(tri_test_run(race, &options, &result));
    }
    assert_true(result.failed);
    size_t before = result.decision_count;
    size_t count = tri_shrink(result.decisions, before, race_fails, &seed);
    assert_true(race_fails(&seed, result.decisions, count));
    unsigned odd = 0;
    for (size_t i = 0; i < count; i++)
        odd += result.decisions[i] != 0;
    assert_true(odd == 1);
    assert_true(count < before);
    assert_false(race_fails(&seed, NULL, 0));
    tri_test_result_fini(&result);
}

/* ---- Speed ---------------------------------------------------------------- */

struct relay_state {
    tr_pid next;
};
static tr_err on_hop(tr_ctx *ctx, struct relay_state *self, const struct ping *msg)
{
    if (msg->hops > 0)
        tr_send(ctx, self->next, ping, .hops = msg->hops - 1);
    return TR_OK;
}
static tr_err on_next(tr_ctx *ctx, struct relay_state *self, const struct start *msg)
{
    (void)ctx;
    self->next = msg->to;
    return TR_OK;
}
#define RELAY_HANDLERS(ON) ON(ping, on_hop) ON(start, on_next)
TR_DISPATCH(relay_state, RELAY_HANDLERS);
static const struct tr_actor ring_actor = {
    .name = "ring", .state_size = sizeof(struct relay_state), .receive = relay_state_receive};

/* The bench figure is bench_sim's; here only that it is not off by magnitudes. */
static void speed(void **state)
{
    (void)state;
    struct tri_sim_options options = {.seed = 1};
    struct tri_sim *sim = tri_sim_create(&options);
    assert_non_null(sim);
    tr_ctx *ctx = tr_root(sim->sys);
    tr_pid ring[100];
    for (int i = 0; i < 100; i++)
        ring[i] = tr_spawn(ctx, &ring_actor);
    for (int i = 0; i < 100; i++)
        tr_send(ctx, ring[i], start, .to = ring[(i + 1) % 100]);
    tri_sim_settle(sim);
    uint64_t began = tri_clock_mono_ns(), before = sim->messages;
    for (int i = 0; i < 10; i++)
        tr_send(ctx, ring[i * 10], ping, .hops = 20000);
    tri_sim_settle(sim);
    double seconds = (double)(tri_clock_mono_ns() - began) / 1e9;
    assert_int_equal(sim->messages - before, 10 * 20001);
    print_message("%.1f million simulated messages a second\n",
                  (double)(sim->messages - before) / seconds / 1e6);
    tri_sim_finish(sim, NULL);
    tri_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_trace),
        cmocka_unit_test(faults),
        cmocka_unit_test(allocation_failures),
        cmocka_unit_test(a_race_is_found_and_shrunk),
        cmocka_unit_test(speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
