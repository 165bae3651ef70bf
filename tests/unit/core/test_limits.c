/*
 * At the limits: the memory cap, time-outs, the watchdog, the shutdown deadline, the log's
 * throttle; the order of ends; many systems and worker counts; the same steps every time.
 */
#include "stepped.h"

#include <string.h>

#include "base/atomic.h"
#include "os/thread.h"

struct lump {
    char bytes[8000];
};
struct note {
    uint32_t n;
};
struct ask_it {
    tr_pid to;
    unsigned timeout_ms;
};
struct family {
    uint32_t depth;
};
struct hang {
    bool
        in_own_code; /* where the watchdog can look at it; else the runtime's, which it leaves alone */
};
TR_TYPE(lump);
TR_TYPE(note);
TR_TYPE(ask_it);
TR_TYPE(family);
TR_TYPE(hang);

static TRI_ATOMIC(bool) let_go;
static TRI_ATOMIC(uint32_t) hanging;

static struct {
    uint32_t notes, lumps, timeouts, gone, ends[8], end_count;
    char trace[4096];
} seen;

struct one {
    uint32_t depth;
};

static const struct tr_actor one_actor;

static tr_err on_lump(tr_ctx *ctx, struct one *self, const struct lump *msg)
{
    (void)ctx, (void)self, (void)msg;
    seen.lumps++;
    return TR_OK;
}
static tr_err on_note(tr_ctx *ctx, struct one *self, const struct note *msg)
{
    (void)self;
    size_t at = strlen(seen.trace);
    snprintf(seen.trace + at, sizeof seen.trace - at, "%u:%u ", (unsigned)tr_self(ctx).bits,
             msg->n);
    seen.notes++;
    return TR_OK;
}
static tr_err on_ask_it(tr_ctx *ctx, struct one *self, const struct ask_it *msg)
{
    (void)self;
    (void)tr_request(ctx, msg->to, msg->timeout_ms, note, .n = 1);
    return TR_OK;
}
static tr_err on_request_failed(tr_ctx *ctx, struct one *self, const struct tr_request_failed *msg)
{
    (void)ctx, (void)self;
    seen.timeouts += msg->reason == TR_ETIMEDOUT;
    seen.gone += msg->reason == TR_ENOACTOR;
    return TR_OK;
}
static tr_err on_family(tr_ctx *ctx, struct one *self, const struct family *msg)
{
    self->depth = msg->depth;
    if (msg->depth == 0)
        return TR_OK;
    tr_pid child = tr_spawn(ctx, &one_actor);
    tr_send(ctx, child, family, .depth = msg->depth - 1);
    return tr_pid_err(child);
}
static tr_err on_hang(tr_ctx *ctx, struct one *self, const struct hang *msg)
{
    (void)ctx, (void)self;
    tri_fetch_add(&hanging, 1u, TRI_RELEASE);
    while (!tri_load(&let_go, TRI_ACQUIRE)) {
        if (!msg->in_own_code)
            tri_thread_yield();
    }
    return TR_OK;
}
static void on_end(tr_ctx *ctx, void *state)
{
    (void)ctx;
    if (seen.end_count < 8)
        seen.ends[seen.end_count++] = ((struct one *)state)->depth;
}

#define ONE_HANDLERS(ON)                     \
    ON(lump, on_lump)                        \
    ON(note, on_note)                        \
    ON(ask_it, on_ask_it)                    \
    ON(tr_request_failed, on_request_failed) \
    ON(family, on_family)                    \
    ON(hang, on_hang)
TR_DISPATCH(one, ONE_HANDLERS);
static const struct tr_actor one_actor = {
    .name = "one", .state_size = sizeof(struct one), .receive = one_receive, .stop = on_end};

/* ---- Stepped systems ------------------------------------------------------------ */

static void start(size_t memory_max)
{
    memset(&seen, 0, sizeof seen);
    assert_int_equal(stepped_start_with((struct tr_config){.seed = 7, .memory_max = memory_max}),
                     0);
}

static void end(void)
{
    struct tr_accounts a;
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    tr_system_accounts(sys, &a);
    assert_true(tr_accounts_balance(&a) && a.queued == 0);
    tr_system_destroy(sys);
}

static void the_memory_cap_refuses_and_recovers(void **state)
{
    (void)state;
    start((size_t)1 << 20);
    tr_pid a = tr_spawn(root, &one_actor);
    uint32_t sent = 0;
    while (tr_try_send(root, a, lump) == TR_OK) {
        sent++;
        assert_true(sent < 1000);
    }
    assert_true(sent > 10);
    assert_int_equal(tr_try_send(root, a, lump), TR_EFULL);
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    assert_true(stats.message_bytes <= stats.message_bytes_max);
    assert_null(tr_msg_new(root, &lump_type, 900000));
    for (int i = 0; i < 3; i++)
        tr_send(root, a, lump);
    struct tr_accounts acc;
    tr_system_run(sys);
    tr_system_accounts(sys, &acc);
    assert_true(acc.dead[TR_DEAD_MEMORY] == 3);
    assert_true(seen.lumps == sent);
    /* There is room again. */
    for (uint32_t i = 0; i < sent; i++)
        assert_int_equal(tr_try_send(root, a, lump), TR_OK);
    tr_system_run(sys);
    assert_true(seen.lumps == 2 * sent);
    end();
}

static void requests_time_out_and_their_receivers_may_end(void **state)
{
    (void)state;
    start(0);
    tr_pid a = tr_spawn(root, &one_actor);
    tr_pid b = tr_spawn(root, &one_actor); /* never answers */
    tr_send(root, a, ask_it, .to = b, .timeout_ms = 30);
    tr_system_run(sys);
    for (int i = 0; i < 29; i++) {
        now_ns += 1000000;
        tr_system_run(sys);
    }
    assert_int_equal(seen.timeouts, 0);
    for (int i = 0; i < 3; i++) {
        now_ns += 1000000;
        tr_system_run(sys);
    }
    assert_int_equal(seen.timeouts, 1);
    /* The receiver ends with the request taken but not answered: told before the time is up. */
    tr_send(root, a, ask_it, .to = b, .timeout_ms = 60000);
    tr_system_run(sys);
    tr_stop(root, b);
    for (int i = 0; i < 2000 && seen.gone == 0; i++) {
        now_ns += 1000000;
        tr_system_run(sys);
    }
    assert_int_equal(seen.gone, 1);
    tr_send(root, a, ask_it, .to = b, .timeout_ms = 60000); /* gone already */
    tr_system_run(sys);
    assert_int_equal(seen.gone, 2);
    end();
}

static void children_end_before_their_parents(void **state)
{
    (void)state;
    start(0);
    tr_pid a = tr_spawn(root, &one_actor);
    tr_send(root, a, family, .depth = 4);
    tr_system_run(sys);
    end();
    assert_int_equal(seen.end_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(seen.ends[i], i); /* the deepest has depth 0 */
}

static void the_same_steps_every_time(void **state)
{
    char first[sizeof seen.trace];
    (void)state;
    for (int round = 0; round < 3; round++) {
        start(0);
        tr_pid pids[5];
        for (int i = 0; i < 5; i++)
            pids[i] = tr_spawn(root, &one_actor);
        for (uint32_t i = 0; i < 100; i++)
            tr_send(root, pids[tr_random(root) % 5], note, .n = i);
        size_t steps = 0;
        for (size_t handled; (handled = tr_system_step(sys, 7)) > 0; steps++)
            assert_true(handled <= 7);
        assert_true(steps >= 100 / 7);
        assert_int_equal(seen.notes, 100);
        if (round == 0)
            memcpy(first, seen.trace, sizeof first);
        else
            assert_string_equal(first, seen.trace);
        end();
    }
}

/* ---- The log --------------------------------------------------------------------- */

static TRI_ATOMIC(uint32_t) lines, stuck_lines, summed_lines;

static void count_lines(void *user, enum tr_log_level level, const char *line)
{
    (void)user;
    tri_fetch_add(&lines, 1u, TRI_RELAXED);
    /* "actor one has been in one turn for …", or with its message and place where a signal found
     * it in code of its own. */
    if (level == TR_LOG_WARN && strstr(line, "actor one "))
        tri_fetch_add(&stuck_lines, 1u, TRI_RELAXED);
    if (strstr(line, "lines before)"))
        tri_fetch_add(&summed_lines, 1u, TRI_RELAXED);
}

static void the_log_is_throttled_and_says_so(void **state)
{
    (void)state;
    assert_int_equal(stepped_start_with((struct tr_config){.log = count_lines}), 0);
    for (int i = 0; i < 1000; i++)
        tr_send(root, TR_NOBODY, note, .n = 1);
    uint32_t in_first = tri_load(&lines, TRI_RELAXED);
    assert_true(in_first > 0 && in_first < 100);
    now_ns += 1000000000;
    tr_send(root, TR_NOBODY, note, .n = 1);
    assert_int_equal(tri_load(&lines, TRI_RELAXED), in_first + 1);
    assert_int_equal(tri_load(&summed_lines, TRI_RELAXED), 1);
    end();
}

/* ---- Threads ---------------------------------------------------------------------- */

static tr_err add_up(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    uint64_t *sum = state;
    if (tr_as(msg, note))
        *sum += tr_as(msg, note)->n;
    else
        tr_reply(ctx, note, .n = (uint32_t)*sum);
    return TR_OK;
}
static const struct tr_actor sum_actor = {.name = "sum", .state_size = 8, .receive = add_up};

static void wait_hanging(void)
{
    while (tri_load(&hanging, TRI_ACQUIRE) == 0)
        tri_thread_yield();
}

static void is_named(bool in_own_code)
{
    const struct tr_config config = {.workers = 2, .watchdog_ms = 20, .log = count_lines};
    tri_store(&let_go, false, TRI_RELAXED);
    tri_store(&hanging, 0u, TRI_RELAXED);
    tri_store(&stuck_lines, 0u, TRI_RELAXED);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    root = tr_root(sys);
    tr_send(root, tr_spawn(root, &one_actor), hang, .in_own_code = in_own_code);
    wait_hanging();
    while (tri_load(&stuck_lines, TRI_RELAXED) == 0)
        tri_thread_yield();
    /* The other worker still takes what comes; an answer proves it. */
    struct note answer = {0};
    assert_int_equal(tr_ask(root, tr_spawn(root, &sum_actor), TR_INTO(note, &answer), 20000, hang),
                     TR_OK);
    tri_store(&let_go, true, TRI_RELEASE);
    end();
}

/* Whether a signal sees the handler is a matter of where it is: there are two reports. */
static void the_watchdog_names_a_stuck_actor(void **state)
{
    (void)state;
    is_named(true);
    is_named(false);
}

static void a_missed_deadline_is_said_and_the_rest_dead_letters(void **state)
{
    (void)state;
    const struct tr_config config = {.workers = 1, .log = tr_log_none};
    tri_store(&let_go, false, TRI_RELAXED);
    tri_store(&hanging, 0u, TRI_RELAXED);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    root = tr_root(sys);
    tr_pid a = tr_spawn(root, &one_actor);
    tr_send(root, a, hang);
    for (uint32_t i = 0; i < 5; i++)
        tr_send(root, a, note, .n = i);
    wait_hanging();
    assert_int_equal(tr_system_stop(sys, 20), TR_ETIMEDOUT);
    assert_int_equal(tr_pid_err(tr_spawn(root, &one_actor)), TR_ECLOSING);
    assert_int_equal(tr_try_send(root, a, note, .n = 9), TR_ECLOSING);
    tri_store(&let_go, true, TRI_RELEASE);
    tr_system_run(sys);
    struct tr_accounts acc;
    tr_system_accounts(sys, &acc);
    assert_true(tr_accounts_balance(&acc) && acc.queued == 0);
    assert_true(acc.dead[TR_DEAD_STOPPED] + acc.dead[TR_DEAD_CLOSING] + seen.notes == 5);
    tr_system_destroy(sys);
}

static void any_number_of_workers_and_systems(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 8};
    tr_system *systems[4];
    tr_pid sums[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        const struct tr_config config = {.workers = counts[i], .log = tr_log_none};
        assert_int_equal(tr_system_create(&systems[i], &config), TR_OK);
        sums[i] = tr_spawn(tr_root(systems[i]), &sum_actor);
    }
    /* All at once, one after the other: they know nothing of each other. */
    for (uint32_t n = 1; n <= 1000; n++) {
        for (int i = 0; i < 4; i++)
            tr_send(tr_root(systems[i]), sums[i], note, .n = n);
    }
    for (int i = 0; i < 4; i++) {
        struct note answer = {0};
        struct tr_accounts acc;
        struct tr_stats stats;
        tr_ctx *ctx = tr_root(systems[i]);
        assert_int_equal(tr_ask(ctx, sums[i], TR_INTO(note, &answer), 20000, hang), TR_OK);
        assert_int_equal(answer.n, 500500);
        tr_system_stats(systems[i], &stats);
        assert_int_equal(stats.workers, counts[i]);
        assert_int_equal(tr_system_stop(systems[i], 20000), TR_OK);
        tr_system_accounts(systems[i], &acc);
        assert_true(tr_accounts_balance(&acc) && acc.queued == 0);
        tr_system_destroy(systems[i]);
    }
}

static void bad_configurations_name_the_value(void **state)
{
    static const struct {
        struct tr_config config;
        const char *says;
    } bad[] = {{{.workers = 257}, "workers is 257"},
               {{.memory_max = 4096}, "memory_max is 4096"},
               {{.actors_max = 1u << 25}, "actors_max is 33554432"},
               {{.offload_threads = 129}, "offload_threads is 129"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tr_error error;
        assert_int_equal(tr_system_create_(&sys, &bad[i].config, &error), TR_EINVAL);
        assert_non_null(strstr(error.text, bad[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_memory_cap_refuses_and_recovers),
        cmocka_unit_test(requests_time_out_and_their_receivers_may_end),
        cmocka_unit_test(children_end_before_their_parents),
        cmocka_unit_test(the_same_steps_every_time),
        cmocka_unit_test(the_log_is_throttled_and_says_so),
        cmocka_unit_test(the_watchdog_names_a_stuck_actor),
        cmocka_unit_test(a_missed_deadline_is_said_and_the_rest_dead_letters),
        cmocka_unit_test(any_number_of_workers_and_systems),
        cmocka_unit_test(bad_configurations_name_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
