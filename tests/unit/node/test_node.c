/* A node as a whole: its settings, and how it ends. */
#include "nodes.h"

#include "troupe/node.h"

#include <signal.h>
#include <unistd.h>

static void settings_come_from_texts(void **state)
{
    (void)state;
    struct tr_node_config config = {.stop_ms = 0};
    struct tr_error error = {0};
    static const char *const good[][2] = {
        {"listen", "127.0.0.1:7"}, {"advertise", "host:7"},   {"plaintext", "yes"},
        {"queue-bytes", "64k"},    {"batch-bytes", "100000"}, {"memory-max", "2m"},
        {"workers", "3"},          {"io-threads", "2"},       {"overflow", "drop-newest"},
        {"backoff-ms-min", "1"},   {"backoff-ms-max", "2"},   {"give-up-ms", "3"},
        {"idle-ms", "4"},          {"stop-ms", "5"},          {"lost-ms", "6000"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(tr_node_configure(&config, good[i][0], good[i][1], &error), TR_OK);
    assert_string_equal(config.remote.listen, "127.0.0.1:7");
    assert_string_equal(config.remote.advertise, "host:7");
    assert_true(config.remote.plaintext);
    assert_int_equal(config.remote.queue_bytes, 65536);
    assert_int_equal(config.remote.batch_bytes, 100000);
    assert_int_equal(config.system.memory_max, 2 << 20);
    assert_int_equal(config.system.workers, 3);
    assert_int_equal(config.remote.io_threads, 2);
    assert_int_equal(config.remote.overflow, TR_DROP_NEWEST);
    assert_int_equal(config.remote.backoff_ms_min, 1);
    assert_int_equal(config.remote.idle_ms, 4);
    assert_int_equal(config.remote.lost_ms, 6000);
    assert_int_equal(config.stop_ms, 5);
    static const struct {
        const char *name;
        enum tr_overflow policy;
    } policies[] = {{"refuse", TR_REFUSE},
                    {"drop-oldest", TR_DROP_OLDEST},
                    {"delay", TR_DELAY},
                    {"queue", TR_QUEUE}};
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        assert_int_equal(tr_node_configure(&config, "overflow", policies[i].name, &error), TR_OK);
        assert_int_equal(config.remote.overflow, policies[i].policy);
    }
    assert_int_equal(tr_node_configure(&config, "queue-messages", "77", &error), TR_OK);
    assert_int_equal(config.remote.queue_messages, 77);
    static const char *const bad[][3] = {
        {"listne", "x", "there is no setting 'listne'"},
        {"plaintext", "1", "plaintext is '1', want yes or no"},
        {"queue-bytes", "", "queue-bytes is ''"},
        {"queue-bytes", "1x", "queue-bytes is '1x'"},
        {"queue-bytes", "99999999999999999999g", "queue-bytes"},
        {"queue-bytes", "99999999999g", "queue-bytes"},
        {"workers", "-1", "workers is '-1'"},
        {"workers", "1k", "workers is '1k'"},
        {"overflow", "drop", "want refuse, drop-newest, drop-oldest, "}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(tr_node_configure(&config, bad[i][0], bad[i][1], &error), TR_EINVAL);
        assert_non_null(strstr(error.text, bad[i][2]));
    }
    assert_int_equal(tr_node_configure(&config, "listne", "x", NULL), TR_EINVAL);
}

static const struct tr_node_config quiet = {.system = {.workers = 1, .log = tr_log_none}};

static void it_ends_when_told(void **state)
{
    tr_node *node;
    struct tr_node_config config = quiet;
    (void)state;
    for (int i = 0; i < 4; i++) {
        config.no_signals = i % 2;
        config.local = i / 2;
        assert_int_equal(tr_node_start(&node, &config, NULL), TR_OK);
        assert_int_equal(tr_node_remote(node) == NULL, config.local);
        assert_true(tr_system_of(tr_node_ctx(node)) == tr_node_system(node));
        tr_node_quit(node);
        assert_int_equal(tr_node_run(node), TR_OK);
        assert_int_equal(tr_node_stop(node), TR_OK);
        assert_int_equal(tr_node_stop(node), TR_OK);
        tr_node_destroy(node);
    }
    tr_node_destroy(NULL);
}

static void it_ends_by_a_signal(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        tr_node *node;
        assert_int_equal(tr_node_start(&node, &quiet, NULL), TR_OK);
        assert_int_equal(kill(getpid(), signals[i]), 0);
        assert_int_equal(tr_node_run(node), TR_OK);
        tr_node_destroy(node);
    }
}

static tr_err fail_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_fail(ctx, TR_EUSER, "no way to start");
}

static void it_ends_when_the_system_has_failed(void **state)
{
    static const struct tr_actor actor = {
        .name = "fails", .init = fail_init, .receive = echo_receive};
    static const struct tr_supervision escalate = {.on_failure = TR_ESCALATE};
    tr_node *node;
    (void)state;
    assert_int_equal(tr_node_start(&node, &quiet, NULL), TR_OK);
    assert_int_equal(tr_pid_err(tr_spawn(tr_node_ctx(node), &actor, .supervise = &escalate)),
                     TR_OK);
    assert_int_equal(tr_node_run(node), TR_EUSER);
    tr_node_destroy(node);
}

static void it_says_why_it_cannot_start(void **state)
{
    tr_node *node;
    struct tr_node_config config = quiet;
    struct tr_error error = {0};
    (void)state;
    config.remote.listen = "127.0.0.1:70000";
    assert_int_not_equal(tr_node_start(&node, &config, &error), TR_OK);
    assert_non_null(strstr(error.text, "127.0.0.1:70000"));
    config.system.workers = 100000;
    assert_int_equal(tr_node_start(&node, &config, &error), TR_EINVAL);
    assert_non_null(strstr(error.text, "100000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_come_from_texts),
        cmocka_unit_test(it_ends_when_told),
        cmocka_unit_test(it_ends_by_a_signal),
        cmocka_unit_test(it_ends_when_the_system_has_failed),
        cmocka_unit_test(it_says_why_it_cannot_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
