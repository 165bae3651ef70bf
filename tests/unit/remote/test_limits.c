/* What nodes refuse, and where their bounds are. */
#include "nodes.h"

static struct node a, b;

static int set_up(void **state)
{
    (void)state;
    forget();
    return 0;
}

static void start_both(struct tr_remote_config config_a, struct tr_remote_config config_b)
{
    a = start_node(config_a);
    b = start_node(config_b);
}

static void stop_both(void)
{
    stop_node(&a);
    stop_node(&b);
}

static void spawn_echo(struct node *node)
{
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(node->sys), &echo_actor, .name = "echo")), TR_OK);
}

/* Whether the node has noted that it took no notice of something. */
static void await_rejected(struct node *node, uint64_t count)
{
    struct tr_link_stats links[4];
    struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 20000; i++) {
        size_t n = tr_remote_links(node->remote, links, 4);
        uint64_t sum = 0;
        for (size_t k = 0; k < n && k < 4; k++)
            sum += links[k].rejected;
        if (sum >= count)
            return;
        (void)nanosleep(&pause, NULL);
    }
    fail();
}

/* An address that nobody listens on: connections are refused at once. */
#define NOWHERE "127.0.0.1:1"

/* ---- Queues ---------------------------------------------------------------------------- */

static void a_full_queue_refuses(void **state)
{
    (void)state;
    a = start_node((struct tr_remote_config){.queue_bytes = 65536, .give_up_ms = 60000});
    tr_ctx *root = tr_root(a.sys);
    struct tr_link_stats link;
    struct tr_accounts accounts;
    struct words w = {"something that takes room"};
    tr_pid pid = tr_remote_pid(root, NOWHERE, "x");
    tr_err err = TR_OK;
    int sent = 0;
    for (; sent < 100000 && !err; sent++)
        err = tr_try_send_(root, pid, &words_type, &w, sizeof w);
    assert_int_equal(err, TR_EFULL);
    assert_true(sent > 500);
    tr_system_run(a.sys);
    assert_int_equal(tr_remote_links(a.remote, &link, 1), 1);
    assert_int_equal(link.queued, sent - 1); /* What was accepted was not refused afterwards. */
    assert_true(link.queued_bytes <= 65536);
    for (int i = 0; i < 10000; i++)
        tr_send_(root, pid, &words_type, &w, sizeof w);
    tr_system_run(a.sys);
    assert_int_equal(tr_remote_links(a.remote, &link, 1), 1);
    assert_true(link.queued_bytes <= 2 * 65536);
    tr_system_accounts(a.sys, &accounts);
    assert_true(tr_accounts_balance(&accounts));
    assert_true(accounts.dead[TR_DEAD_REFUSED] > 5000);
    assert_int_equal(accounts.dead[TR_DEAD_REFUSED], link.refused);
    assert_int_equal(accounts.queued, link.queued);
    stop_node(&a);
}

static void or_drops(void **state)
{
    (void)state;
    a = start_node((struct tr_remote_config){
        .queue_bytes = 65536, .give_up_ms = 60000, .overflow = TR_DROP_NEWEST});
    struct words w = {"something that takes room"};
    struct tr_accounts accounts;
    tr_pid pid = tr_remote_pid(tr_root(a.sys), NOWHERE, "x");
    for (int i = 0; i < 10000; i++)
        tr_send_(tr_root(a.sys), pid, &words_type, &w, sizeof w);
    tr_system_run(a.sys);
    tr_system_accounts(a.sys, &accounts);
    assert_true(tr_accounts_balance(&accounts));
    assert_true(accounts.dropped_newest > 5000);
    assert_int_equal(accounts.dead[TR_DEAD_REFUSED], 0);
    stop_node(&a);
}

static void what_has_no_codec_stays(void **state)
{
    (void)state;
    a = start_node((struct tr_remote_config){0});
    struct tr_accounts accounts;
    tr_pid pid = tr_remote_pid(tr_root(a.sys), NOWHERE, "x");
    tr_send(tr_root(a.sys), pid, order);
    tr_system_run(a.sys);
    tr_system_accounts(a.sys, &accounts);
    assert_int_equal(accounts.dead[TR_DEAD_ENCODING], 1);
    stop_node(&a);
}

/* ---- How many ---------------------------------------------------------------------------- */

static void actors_and_links_are_bounded(void **state)
{
    (void)state;
    a = start_node((struct tr_remote_config){.links_max = 2, .remote_pids_max = 3});
    tr_ctx *root = tr_root(a.sys);
    tr_pid first = tr_remote_pid(root, "127.0.0.1:1", "x");
    assert_int_equal(tr_pid_err(first), TR_OK);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "127.0.0.1:2", "x")), TR_OK);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "127.0.0.1:3", "x")), TR_EFULL);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "127.0.0.1:1", "y")), TR_OK);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "127.0.0.1:1", "z")), TR_EFULL);
    assert_true(tr_pid_equal(tr_remote_pid(root, "127.0.0.1:1", "x"), first));
    static const char *const wrong[] = {"",        ":",     "a:",  "host",      "a:0",
                                        "a:65536", "a b:1", "a:x", "a:1234567", "a@b:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tr_err err = tr_pid_err(tr_remote_pid(root, wrong[i], "x"));
        assert_int_equal(err, wrong[i][0] ? TR_EINVAL : TR_ENOACTOR);
    }
    stop_node(&a);
}

static void configurations_are_checked(void **state)
{
    (void)state;
    static const struct {
        struct tr_remote_config config;
        const char *says;
    } cases[] = {
        {{.batch_bytes = 5}, "batch_bytes is 5"},
        {{.io_threads = 1000}, "io_threads is 1000"},
        {{.lost_ms = 1999}, "lost_ms is 1999, want 2000 to 600000"},
        {{.lost_ms = 600001}, "lost_ms is 600001"},
        {{.overflow = (enum tr_overflow)9}, "overflow is"},
        {{.listen = "nonsense"}, "'nonsense'"},
        {{.listen = "0.0.0.0:0", .plaintext = true}, "0.0.0.0:0"},
        {{.listen = "0.0.0.0:7999", .advertise = "127.0.0.1:7999"}, "0.0.0.0:7999"},
        {{.advertise = "host"}, "advertise is 'host'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tr_system *sys;
        tr_remote *remote;
        struct tr_error error = {0};
        const struct tr_config config = {.workers = 1, .log = tr_log_none};
        assert_int_equal(tr_system_create(&sys, &config), TR_OK);
        assert_int_not_equal(tr_remote_start(sys, &cases[i].config, &remote, &error), TR_OK);
        if (!strstr(error.text, cases[i].says)) {
            fprintf(stderr, "'%s' does not say '%s'\n", error.text, cases[i].says);
            fail();
        }
        tr_system_destroy(sys);
    }
}

/* ---- Who, and what ------------------------------------------------------------------------- */

static void only_allowed_peers_are_dialled(void **state)
{
    (void)state;
    static const char *const allowed[] = {"10.0.0.1:*", "127.0.0.1:7", NULL};
    a = start_node((struct tr_remote_config){.peers_allowed = allowed});
    tr_ctx *root = tr_root(a.sys);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "127.0.0.1:8", "x")), TR_EDENIED);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "127.0.0.1:7", "x")), TR_OK);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "10.0.0.1:99", "x")), TR_OK);
    assert_int_equal(tr_pid_err(tr_remote_pid(root, "10.0.0.11:99", "x")), TR_EDENIED);
    stop_node(&a);
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const allowed[] = {"10.0.0.1:*", NULL};
    start_both((struct tr_remote_config){.give_up_ms = 200},
               (struct tr_remote_config){.peers_allowed = allowed});
    spawn_echo(&b);
    tell(&a, 'r', far(&a, &b, "echo"), "x");
    await("user failed peer cannot be reached");
    stop_both();
}

static void blocked_peers_are_refused(void **state)
{
    (void)state;
    struct tr_link_stats link;
    start_both((struct tr_remote_config){.give_up_ms = 200, .backoff_ms_max = 100},
               (struct tr_remote_config){0});
    spawn_echo(&b);
    tell(&a, 'r', far(&a, &b, "echo"), "x");
    await("user echo:x (answer)");
    assert_int_equal(tr_remote_links(a.remote, &link, 1), 1);
    assert_string_equal(link.system_id, tr_remote_system_id(b.remote));
    assert_int_equal(tr_remote_block(a.remote, "somebody"), TR_OK);
    tell(&a, 'r', far(&a, &b, "echo"), "y");
    await("user echo:y (answer)");
    assert_int_equal(tr_remote_block(b.remote, tr_remote_system_id(a.remote)), TR_OK);
    assert_int_equal(tr_remote_block(b.remote, tr_remote_system_id(a.remote)), TR_OK);
    tr_err err = TR_OK;
    for (int i = 0; i < 1000 && err != TR_EPEER; i++) { /* The link that is up ends, too. */
        struct words answer;
        struct timespec pause = {.tv_nsec = 20000000};
        err = tr_ask(tr_root(a.sys), far(&a, &b, "echo"), TR_INTO(words, &answer), 1000, words,
                     .text = "z");
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(err, TR_EPEER);
    stop_node(&a);
    forget();
    a = start_node((struct tr_remote_config){.give_up_ms = 200, .backoff_ms_max = 100});
    assert_int_equal(tr_remote_block(a.remote, tr_remote_system_id(b.remote)), TR_OK);
    tell(&a, 'r', far(&a, &b, "echo"), "z");
    await("user failed peer cannot be reached");
    stop_both();
}

static void types_may_be_refused(void **state)
{
    (void)state;
    start_both((struct tr_remote_config){0}, (struct tr_remote_config){.types_refused = types});
    spawn_echo(&b);
    tell(&a, 'r', far(&a, &b, "echo"), "x");
    await("user failed no such actor");
    await_rejected(&b, 1);
    stop_both();
}

static void peers_may_be_allowed_nothing(void **state)
{
    (void)state;
    struct order order = {.what = 'p', .text = "echo"};
    start_both((struct tr_remote_config){0}, (struct tr_remote_config){.allow = TR_REMOTE_NOTHING});
    spawn_echo(&b);
    tr_stop(tr_root(a.sys), far(&a, &b, "echo"));
    tr_poison(tr_root(a.sys), far(&a, &b, "echo"));
    tell(&a, 'w', far(&a, &b, "echo"), "");
    snprintf(order.address, sizeof order.address, "%s", tr_remote_address(b.remote));
    tr_send_(tr_root(a.sys), a.user, &order_type, &order, sizeof order);
    await("user failed no such actor");
    await_rejected(&b, 4);
    tell(&a, 'r', far(&a, &b, "echo"), "still there");
    await("user echo:still there (answer)");
    stop_both();
}

static void watches_are_bounded(void **state)
{
    (void)state;
    start_both((struct tr_remote_config){0}, (struct tr_remote_config){.watches_max = 1});
    spawn_echo(&b);
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(b.sys), &echo_actor, .name = "echo2")), TR_OK);
    tell(&a, 'w', far(&a, &b, "echo"), "");
    tell(&a, 'w', far(&a, &b, "echo2"), "");
    await_rejected(&b, 1);
    tell(&a, 'u', far(&a, &b, "echo"), "");
    tell(&a, 't', far(&a, &b, "echo"), "");
    await("user touched");
    tell(&a, 'u', far(&a, &b, "echo2"), "");
    tell(&a, 'w', far(&a, &b, "echo2"), "");
    tell(&a, 't', far(&a, &b, "echo2"), "");
    await("user touched\nuser touched");
    tr_stop(tr_root(b.sys), tr_lookup(tr_root(b.sys), "echo2"));
    await("user down success");
    stop_both();
}

/* ---- Links ------------------------------------------------------------------------------------ */

static void clients_are_answered_on_their_stream(void **state)
{
    (void)state;
    start_both((struct tr_remote_config){.dial_only = true}, (struct tr_remote_config){0});
    spawn_echo(&b);
    tell(&a, 'w', far(&a, &b, "echo"), "");
    tell(&a, 'r', far(&a, &b, "echo"), "one");
    await("user echo:one (answer)");
    tr_stop(tr_root(b.sys), tr_lookup(tr_root(b.sys), "echo"));
    await("user down success");
    stop_both();
}

static void unused_links_are_closed(void **state)
{
    (void)state;
    struct tr_link_stats link;
    struct timespec pause = {.tv_nsec = 5000000};
    start_both((struct tr_remote_config){.idle_ms = 1}, (struct tr_remote_config){.idle_ms = 1});
    spawn_echo(&b);
    tell(&a, 'r', far(&a, &b, "echo"), "one");
    await("user echo:one (answer)");
    do {
        (void)nanosleep(&pause, NULL);
        assert_int_equal(tr_remote_links(a.remote, &link, 1), 1);
    } while (link.state != TR_LINK_IDLE);
    assert_int_equal(link.unknown, 0); /* The other side has said that it has read all. */
    tell(&a, 'r', far(&a, &b, "echo"), "two");
    await("user echo:two (answer)");
    assert_int_equal(tr_remote_links(a.remote, &link, 1), 1);
    assert_int_equal(link.connects, 2);
    stop_both();
}

/* Notes each text that is not the one after that before it, and the last. */
static tr_err count_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    uint64_t *next = state;
    const struct words *w = tr_body(msg, &words_type);
    if (!w)
        return tr_unhandled(ctx);
    uint64_t number = strtoull(w->text, NULL, 10);
    if (number != *next)
        note("count %" PRIu64 " after %" PRIu64, number, *next);
    *next = number + 1;
    if (number % 100000 == 99999)
        note("count %" PRIu64, number);
    return TR_OK;
}

static const struct tr_actor count_actor = {
    .name = "count", .state_size = sizeof(uint64_t), .receive = count_receive};

static void messages_keep_their_order(void **state)
{
    (void)state;
    start_both((struct tr_remote_config){.batch_bytes = 16384, .queue_bytes = 1 << 20},
               (struct tr_remote_config){.io_threads = 2});
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(b.sys), &count_actor, .name = "count")), TR_OK);
    tr_pid pid = far(&a, &b, "count");
    for (uint64_t i = 0; i < 200000;) {
        struct words w = {""};
        snprintf(w.text, sizeof w.text, "%" PRIu64, i);
        tr_err err = tr_try_send_(tr_root(a.sys), pid, &words_type, &w, sizeof w);
        assert_true(err == TR_OK || err == TR_EFULL);
        if (err)
            sched_yield();
        else
            i++;
    }
    await("count 199999");
    assert_null(strstr(seen, " after "));
    stop_both();
}

/* Takes a while for each message. */
static tr_err slow_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    uint64_t *count = state;
    if (!tr_body(msg, &words_type))
        return tr_unhandled(ctx);
    for (uint64_t end = tr_now_ns(ctx) + 2000; tr_now_ns(ctx) < end;) {
    }
    if (++*count == 100000)
        note("slow has all");
    return TR_OK;
}

static const struct tr_actor slow_actor = {
    .name = "slow", .state_size = sizeof(uint64_t), .receive = slow_receive};

/* A receiver whose mailbox would not fit into memory: its peer's queue fills instead. */
static void memory_holds_streams_back(void **state)
{
    (void)state;
    struct tr_accounts accounts;
    a = start_node((struct tr_remote_config){.batch_bytes = 16384, .queue_bytes = 1 << 20});
    node_memory = (size_t)6 << 20; /* 100,000 messages take 25 MB. */
    b = start_node((struct tr_remote_config){0});
    node_memory = 0;
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(b.sys), &slow_actor, .name = "slow")), TR_OK);
    tr_pid pid = far(&a, &b, "slow");
    struct words w = {"all of them are to come"};
    for (uint64_t i = 0; i < 100000;) {
        if (tr_try_send_(tr_root(a.sys), pid, &words_type, &w, sizeof w) == TR_OK)
            i++;
        else
            sched_yield();
    }
    await("slow has all");
    tr_system_accounts(b.sys, &accounts);
    assert_int_equal(accounts.dead[TR_DEAD_MEMORY], 0);
    stop_both();
}

static tr_err sink_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx;
    (void)state;
    (void)msg;
    return TR_OK;
}

static const struct tr_actor sink_actor = {.name = "sink", .receive = sink_receive};

/* A node that goes while messages flow: all of them are accounted for. */
static void what_a_lost_link_had_is_accounted_for(void **state)
{
    (void)state;
    struct tr_accounts accounts;
    struct tr_link_stats link;
    start_both((struct tr_remote_config){.give_up_ms = 50, .backoff_ms_min = 10},
               (struct tr_remote_config){0});
    assert_int_equal(tr_pid_err(tr_spawn(tr_root(b.sys), &sink_actor, .name = "sink")), TR_OK);
    tr_pid pid = far(&a, &b, "sink");
    struct words w = {"7"};
    for (int i = 0; i < 300000; i++) {
        if (tr_try_send_(tr_root(a.sys), pid, &words_type, &w, sizeof w) == TR_EFULL)
            sched_yield();
        if (i == 100000)
            (void)tr_remote_stop(b.remote, 0);
    }
    struct timespec pause = {.tv_nsec = 5000000};
    do { /* Until all of it is settled. */
        (void)nanosleep(&pause, NULL);
        tr_system_run(a.sys);
        assert_int_equal(tr_remote_links(a.remote, &link, 1), 1);
    } while (link.queued || link.state != TR_LINK_IDLE);
    tr_system_accounts(a.sys, &accounts);
    assert_true(tr_accounts_balance(&accounts));
    assert_int_equal(accounts.queued, 0);
    assert_int_equal(accounts.unknown, link.unknown);
    assert_true(accounts.dead[TR_DEAD_LINK] + accounts.unknown > 0);
    stop_node(&a);
    assert_int_equal(tr_system_stop(b.sys, 30000), TR_OK);
    check_accounts(&b, true);
    tr_system_destroy(b.sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_full_queue_refuses, set_up),
        cmocka_unit_test_setup(or_drops, set_up),
        cmocka_unit_test_setup(what_has_no_codec_stays, set_up),
        cmocka_unit_test_setup(actors_and_links_are_bounded, set_up),
        cmocka_unit_test_setup(configurations_are_checked, set_up),
        cmocka_unit_test_setup(only_allowed_peers_are_dialled, set_up),
        cmocka_unit_test_setup(others_are_refused, set_up),
        cmocka_unit_test_setup(blocked_peers_are_refused, set_up),
        cmocka_unit_test_setup(types_may_be_refused, set_up),
        cmocka_unit_test_setup(peers_may_be_allowed_nothing, set_up),
        cmocka_unit_test_setup(watches_are_bounded, set_up),
        cmocka_unit_test_setup(clients_are_answered_on_their_stream, set_up),
        cmocka_unit_test_setup(unused_links_are_closed, set_up),
        cmocka_unit_test_setup(messages_keep_their_order, set_up),
        cmocka_unit_test_setup(memory_holds_streams_back, set_up),
        cmocka_unit_test_setup(what_a_lost_link_had_is_accounted_for, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
