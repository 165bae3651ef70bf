/* Two nodes in one process, over loopback. */
#include "nodes.h"

static struct node a, b;

static int set_up(void **state)
{
    (void)state;
    forget();
    a = start_node((struct tr_remote_config){.backoff_ms_min = 20, .backoff_ms_max = 50});
    b = start_node((struct tr_remote_config){.backoff_ms_min = 20, .backoff_ms_max = 50});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_node(&a);
    stop_node(&b);
    return 0;
}

static tr_pid spawn_echo(struct node *node)
{
    tr_pid pid = tr_spawn(tr_root(node->sys), &echo_actor, .name = "echo");
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void messages_arrive(void **state)
{
    (void)state;
    (void)spawn_echo(&b);
    tell(&a, 's', far(&a, &b, "echo"), "hello");
    await("echo hello");
    await("user echo:hello"); /* A plain answer to a plain message, without a look-up. */
}

static void headers_come_along(void **state)
{
    (void)state;
    tr_pid here = spawn_echo(&a);
    (void)spawn_echo(&b);
    tell(&a, 'h', here, "at home");
    await("echo at home\necho header green");
    forget();
    tell(&a, 'h', far(&a, &b, "echo"), "abroad");
    await("echo abroad\necho header green");
}

static void requests_are_answered(void **state)
{
    (void)state;
    (void)spawn_echo(&b);
    for (int i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof text, "ask %d", i);
        tell(&a, 'r', far(&a, &b, "echo"), text);
    }
    await("user echo:ask 99 (answer)");
    struct words answer;
    tr_err err = tr_ask(tr_root(a.sys), far(&a, &b, "echo"), TR_INTO(words, &answer), 10000, words,
                        .text = "from outside");
    assert_int_equal(err, TR_OK);
    assert_string_equal(answer.text, "echo:from outside");
}

static void names_are_looked_up(void **state)
{
    char name[300];
    (void)state;
    tr_ctx *root = tr_root(a.sys);
    tr_pid echo = spawn_echo(&a);
    const char *own = tr_remote_address(a.remote);
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "echo@%s%s", hosts[i], strrchr(own, ':'));
        assert_true(tr_pid_equal(tr_lookup(root, name), echo));
    }
    assert_true(tr_pid_equal(tr_lookup(root, "echo@nonhost"), echo));
    assert_int_equal(tr_pid_err(tr_lookup(root, "nobody@nonhost")), TR_ENOACTOR);
    assert_int_equal(tr_pid_err(tr_lookup(root, "echo@nowhere")), TR_EINVAL);
    snprintf(name, sizeof name, "echo@%s", tr_remote_address(b.remote));
    tr_pid there = tr_lookup(root, name);
    assert_int_equal(tr_pid_err(there), TR_OK);
    assert_true(tr_pid_equal(tr_lookup(root, name), there));
    char text[300];
    assert_true(tr_pid_text(root, there, text, sizeof text));
    assert_string_equal(text, name);
}

static void ends_are_told(void **state)
{
    (void)state;
    tr_pid echo = spawn_echo(&b);
    tell(&a, 'w', far(&a, &b, "echo"), "");
    tell(&a, 't', far(&a, &b, "echo"), "");
    await("user touched");
    tr_stop(tr_root(b.sys), echo);
    await("user down success");
    forget();
    tell(&a, 'w', far(&a, &b, "nobody"), "");
    await("user down no such actor");
}

static void far_actors_are_stopped(void **state)
{
    (void)state;
    tr_ctx *root = tr_root(a.sys);
    (void)spawn_echo(&b);
    tell(&a, 'w', far(&a, &b, "echo"), "");
    tell(&a, 's', far(&a, &b, "echo"), "before");
    await("echo before");
    tr_stop(root, far(&a, &b, "echo"));
    await("user down success");
    forget();
    (void)spawn_echo(&b);
    tell(&a, 'w', far(&a, &b, "echo"), "");
    tell(&a, 't', far(&a, &b, "echo"), "");
    await("user touched");
    tr_poison(root, far(&a, &b, "echo"));
    await("user down success");
}

static void requests_to_nobody_fail(void **state)
{
    (void)state;
    tell(&a, 'r', far(&a, &b, "nobody"), "x");
    await("user failed no such actor");
    forget();
    tell(&a, 't', far(&a, &b, "nobody"), "");
    await("user failed no such actor");
}

static void unreachable_nodes_give_dead_letters(void **state)
{
    (void)state;
    tr_remote_stop(b.remote, 5000);
    struct node c = start_node(
        (struct tr_remote_config){.backoff_ms_min = 10, .backoff_ms_max = 20, .give_up_ms = 50});
    tr_pid pid = tr_remote_pid(tr_root(c.sys), tr_remote_address(b.remote), "echo");
    tell(&c, 'w', pid, "");
    tell(&c, 'r', pid, "x");
    await("user failed peer cannot be reached");
    await("user down peer cannot be reached");
    tr_system_run(c.sys);
    check_accounts(&c, false);
    struct tr_accounts accounts;
    tr_system_accounts(c.sys, &accounts);
    assert_int_equal(accounts.dead[TR_DEAD_LINK], 1);
    stop_node(&c);
}

static void links_are_lost_with_their_node(void **state)
{
    (void)state;
    struct node c = start_node((struct tr_remote_config){0});
    (void)spawn_echo(&c);
    tell(&a, 'w', far(&a, &c, "echo"), "");
    tell(&a, 't', far(&a, &c, "echo"), "");
    await("user touched");
    stop_node(&c);
    await("user down peer cannot be reached");
}

static void kinds_are_spawned(void **state)
{
    struct order order = {.what = 'p', .text = "echo"};
    (void)state;
    snprintf(order.address, sizeof order.address, "%s", tr_remote_address(b.remote));
    tr_send_(tr_root(a.sys), a.user, &order_type, &order, sizeof order);
    await_begin("user spawned success activator/Remote$$1@127.0.0.1:");
    order.what = 'q';
    tr_send_(tr_root(a.sys), a.user, &order_type, &order, sizeof order);
    tr_send_(tr_root(a.sys), a.user, &order_type, &order, sizeof order);
    await("user spawned success activator/Remote$named@127.0.0");
    await("user spawned name already taken activator/Remote$named@127.0.0");
    snprintf(order.text, sizeof order.text, "none");
    tr_send_(tr_root(a.sys), a.user, &order_type, &order, sizeof order);
    await("user spawned peer cannot be reached ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_arrive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers_come_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_looked_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(far_actors_are_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_to_nobody_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unreachable_nodes_give_dead_letters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_are_lost_with_their_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_are_spawned, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
