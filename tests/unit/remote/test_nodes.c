/* Two nodes in one process, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/remote.h"
#include "troupe/troupe.h"
#include "words.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* ---- What happened -------------------------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t log_cond = PTHREAD_COND_INITIALIZER;
static char seen[65536];

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
    va_list args;
    char line[256];
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    pthread_mutex_lock(&log_lock);
    strncat(seen, line, sizeof seen - strlen(seen) - 1);
    strncat(seen, "\n", sizeof seen - strlen(seen) - 1);
    pthread_cond_broadcast(&log_cond);
    pthread_mutex_unlock(&log_lock);
}

/* Waits until `line` has been noted. */
static void await(const char *line)
{
    char whole[300];
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    snprintf(whole, sizeof whole, "%s\n", line);
    pthread_mutex_lock(&log_lock);
    while (!strstr(seen, whole)) {
        if (pthread_cond_timedwait(&log_cond, &log_lock, &end)) {
            fprintf(stderr, "waited in vain for '%s'; seen:\n%s", line, seen);
            pthread_mutex_unlock(&log_lock);
            fail();
        }
    }
    pthread_mutex_unlock(&log_lock);
}

static void forget(void)
{
    pthread_mutex_lock(&log_lock);
    seen[0] = '\0';
    pthread_mutex_unlock(&log_lock);
}

/* ---- Actors ----------------------------------------------------------------------------- */

/* Answers requests, notes everything else. */
static tr_err echo_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    const struct words *w = tr_body(msg, &words_type);
    if (!w)
        return tr_unhandled(ctx);
    struct words answer;
    snprintf(answer.text, sizeof answer.text, "echo:%.100s", w->text);
    tr_reply_to_(ctx, tr_caller_of(ctx), &words_type, &answer, sizeof answer);
    note("echo %s", w->text);
    return TR_OK;
}

static const struct tr_actor echo_actor = {.name = "echo", .receive = echo_receive};

/* What a test tells its actor to do. */
struct order {
    tr_pid to;
    char what; /* s: send, r: request, w: watch, u: unwatch, l: link, t: touch, p: spawn */
    char text[120];
    char address[64];
};
TR_TYPE(order);

static tr_err on_order(tr_ctx *ctx, const struct order *order)
{
    struct words w = {""};
    snprintf(w.text, sizeof w.text, "%.119s", order->text);
    switch (order->what) {
    case 's':
        tr_send_(ctx, order->to, &words_type, &w, sizeof w);
        break;
    case 'r':
        (void)tr_request_(ctx, order->to, 10000, &words_type, &w, sizeof w);
        break;
    case 'w':
        tr_watch(ctx, order->to);
        break;
    case 'u':
        tr_unwatch(ctx, order->to);
        break;
    case 'l':
        return tr_link(ctx, order->to);
    case 't':
        (void)tr_touch(ctx, order->to, 10000);
        break;
    case 'p':
        (void)tr_remote_spawn(ctx, order->address, order->text, "", 10000);
        break;
    case 'q':
        (void)tr_remote_spawn(ctx, order->address, order->text, "named", 10000);
        break;
    default:
        break;
    }
    return TR_OK;
}

static tr_err user_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    char text[600];
    (void)state;
    if (msg->type == &order_type)
        return on_order(ctx, tr_msg_body(msg));
    if (msg->type == &words_type) {
        note("user %s%s", ((const struct words *)tr_msg_body(msg))->text,
             tr_call(ctx) ? " (answer)" : "");
    } else if (msg->type == &tr_down_type) {
        note("user down %s", tr_strerror(((const struct tr_down *)tr_msg_body(msg))->reason));
    } else if (msg->type == &tr_request_failed_type) {
        const struct tr_request_failed *f = tr_msg_body(msg);
        note("user failed %s%s", tr_strerror(f->reason), f->call == tr_call(ctx) ? "" : " (call?)");
    } else if (msg->type == &tr_touched_type) {
        note("user touched");
    } else if (msg->type == &tr_remote_spawned_type) {
        const struct tr_remote_spawned *s = tr_msg_body(msg);
        (void)tr_pid_text(ctx, s->pid, text, sizeof text);
        note("user spawned %s %.30s", tr_strerror(s->err), text);
    } else {
        note("user got %s", msg->type->name);
    }
    return TR_OK;
}

static const struct tr_actor user_actor = {.name = "user", .receive = user_receive};

/* ---- Nodes -------------------------------------------------------------------------------- */

struct node {
    tr_system *sys;
    tr_remote *remote;
    tr_pid user;
};

static const struct tr_type *const types[] = {&words_type, NULL};
static const struct tr_remote_kind kinds[] = {{"echo", {.actor = &echo_actor}}, {NULL, {0}}};

static struct node start_node(struct tr_remote_config config)
{
    struct node node;
    struct tr_error error;
    const struct tr_config sys_config = {.workers = 2, .log = tr_log_none};
    assert_int_equal(tr_system_create(&node.sys, &sys_config), TR_OK);
    config.types = types;
    config.kinds = kinds;
    if (tr_remote_start(node.sys, &config, &node.remote, &error)) {
        fprintf(stderr, "tr_remote_start: %s\n", error.text);
        fail();
    }
    node.user = tr_spawn(tr_root(node.sys), &user_actor, .name = "user");
    assert_false(tr_pid_is_nobody(node.user));
    return node;
}

static void check_accounts(struct node *node, bool stopped)
{
    struct tr_accounts a;
    tr_system_accounts(node->sys, &a);
    if (!tr_accounts_balance(&a) || (stopped && a.queued)) {
        fprintf(stderr, "accepted %" PRIu64 " processed %" PRIu64 " queued %" PRIu64 "\n",
                a.accepted, a.processed, a.queued);
        fail();
    }
}

static void stop_node(struct node *node)
{
    assert_int_equal(tr_remote_stop(node->remote, 5000), TR_OK);
    assert_int_equal(tr_system_stop(node->sys, 5000), TR_OK);
    check_accounts(node, true);
    tr_system_destroy(node->sys);
}

static tr_pid far(struct node *from, struct node *to, const char *id)
{
    tr_pid pid = tr_remote_pid(tr_root(from->sys), tr_remote_address(to->remote), id);
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

static void tell(struct node *node, char what, tr_pid to, const char *text)
{
    struct order order = {.to = to, .what = what};
    snprintf(order.text, sizeof order.text, "%s", text);
    tr_send_(tr_root(node->sys), node->user, &order_type, &order, sizeof order);
}

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
    await("user spawned success activator/Remote$$1@127.0.0.1:");
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
