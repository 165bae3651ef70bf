/*
 * A node of this library and one of protoactor-go, each doing to the other what its users do.
 *   test_peers PEER a|b    PEER: the program of peer.go built with that dialect
 */
#include "nodes.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;
static bool dialect_a;

/* ---- The other node ----------------------------------------------------------------------- */

struct peer {
    pid_t pid;
    FILE *in;
    pthread_t reader;
    FILE *out;
    char address[64];
    char prefix;
};

/* Whatever it says is noted. */
static void *read_lines(void *arg)
{
    struct peer *peer = arg;
    char line[400];
    while (fgets(line, sizeof line, peer->out)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "ready ", 6) == 0)
            snprintf(peer->address, sizeof peer->address, "%.60s", line + 6);
        note("go %s", line);
    }
    return NULL;
}

static void start_peer(struct peer *peer, const char *port)
{
    int in[2];
    int out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    peer->address[0] = '\0';
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        for (int fd = 3; fd < 256; fd++)
            (void)close(fd);
        (void)execl(program, program, port, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    peer->in = fdopen(in[1], "w");
    peer->out = fdopen(out[0], "r");
    assert_int_equal(pthread_create(&peer->reader, NULL, read_lines, peer), 0);
    await_begin("go ready ");
}

static void order_peer(struct peer *peer, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void order_peer(struct peer *peer, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(peer->in, fmt, args);
    va_end(args);
    fputc('\n', peer->in);
    fflush(peer->in);
}

static void end_peer(struct peer *peer, int sig)
{
    int status;
    if (sig)
        (void)kill(peer->pid, sig);
    (void)fclose(peer->in);
    (void)waitpid(peer->pid, &status, 0);
    (void)pthread_join(peer->reader, NULL);
    (void)fclose(peer->out);
    peer->pid = 0;
}

/* Still there, as a node that was sent what it cannot bear is not. */
static void check_peer(struct peer *peer)
{
    assert_int_equal(waitpid(peer->pid, NULL, WNOHANG), 0);
}

static struct node c;
static struct peer go;

static int set_up(void **state)
{
    (void)state;
    forget();
    c = start_node((struct tr_remote_config){.backoff_ms_min = 50, .backoff_ms_max = 200});
    start_peer(&go, "0");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    check_peer(&go);
    stop_node(&c);
    end_peer(&go, SIGKILL);
    return 0;
}

static tr_pid there(const char *id)
{
    tr_pid pid = tr_remote_pid(tr_root(c.sys), go.address, id);
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

static const char *here(void)
{
    return tr_remote_address(c.remote);
}

static tr_pid spawn_echo(void)
{
    tr_pid pid = tr_spawn(tr_root(c.sys), &echo_actor, .name = "echo");
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

/* ---- From here to there ---------------------------------------------------------------------- */

static void messages_arrive(void **state)
{
    char line[200];
    struct tr_link_stats link;
    (void)state;
    tell(&c, 's', there("echo"), "hello");
    snprintf(line, sizeof line, "go echo hello from user@%s", here());
    await(line);
    await("user echo:hello");
    /* The dialect was found out, not guessed. */
    assert_int_equal(tr_remote_links(c.remote, &link, 1), 1);
    assert_int_equal(link.dialect, dialect_a ? TR_DIALECT_A : TR_DIALECT_B);
    assert_int_equal(link.state, TR_LINK_UP);
}

static void headers_come_along(void **state)
{
    (void)state;
    tell(&c, 'h', there("echo"), "hello");
    await("go echo header green");
}

static void requests_are_answered(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        char text[32];
        snprintf(text, sizeof text, "quiet %d", i);
        tell(&c, 'r', there("echo"), text);
    }
    for (int i = 0; i < 50; i++) {
        char line[64];
        snprintf(line, sizeof line, "user echo:quiet %d (answer)", i);
        await(line);
    }
    struct words answer;
    tr_err err = tr_ask(tr_root(c.sys), there("echo"), TR_INTO(words, &answer), 10000, words,
                        .text = "from outside");
    assert_int_equal(err, TR_OK);
    assert_string_equal(answer.text, "echo:from outside");
}

static void requests_to_nobody_fail(void **state)
{
    (void)state;
    tell(&c, 'r', there("nobody"), "x");
    await("user failed no such actor");
    struct words answer;
    tr_err err = tr_ask(tr_root(c.sys), there("nobody"), TR_INTO(words, &answer), 10000, words,
                        .text = "x");
    assert_int_equal(err, TR_ENOACTOR);
}

static void their_end_is_told(void **state)
{
    (void)state;
    tell(&c, 'w', there("echo"), "");
    tell(&c, 't', there("echo"), "");
    await("user touched");
    await("go echo touched");
    tr_poison(tr_root(c.sys), there("echo"));
    await("go echo stopped");
    await("user down success");
}

static void they_are_stopped(void **state)
{
    (void)state;
    tell(&c, 'w', there("echo"), "");
    tell(&c, 's', there("echo"), "x");
    await("user echo:x");
    tr_stop(tr_root(c.sys), there("echo"));
    await("go echo stopped");
    await("user down success");
}

static void watching_nobody_there(void **state)
{
    (void)state;
    tell(&c, 'w', there("nobody"), "");
    await("user down no such actor");
}

static void their_kinds_are_spawned(void **state)
{
    struct order order = {.what = 'q', .text = "echo"};
    (void)state;
    snprintf(order.address, sizeof order.address, "%s", go.address);
    tr_send_(tr_root(c.sys), c.user, &order_type, &order, sizeof order);
    await("user spawned success activator/Remote$named@127.0.0");
    tr_send_(tr_root(c.sys), c.user, &order_type, &order, sizeof order);
    await("user spawned name already taken activator/Remote$named@127.0.0");
    order.what = 'p';
    tr_send_(tr_root(c.sys), c.user, &order_type, &order, sizeof order);
    await_begin("user spawned success activator/Remote$$");
    tell(&c, 's', there("activator/Remote$named"), "spawned");
    await("user echo:spawned");
}

/* ---- From there to here ------------------------------------------------------------------------- */

static void they_send(void **state)
{
    char line[200];
    (void)state;
    (void)spawn_echo();
    order_peer(&go, "send %s echo hello", here());
    await("echo hello");
    order_peer(&go, "request %s echo again", here());
    snprintf(line, sizeof line, "go user echo:again from echo@%s", here());
    await(line);
    order_peer(&go, "ask %s echo question", here());
    await("go answer echo:question");
    for (int i = 0; i < 50; i++)
        order_peer(&go, "ask %s echo q%d", here(), i);
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "go answer echo:q%d", i);
        await(line);
    }
}

static void their_requests_to_nobody_fail(void **state)
{
    (void)state;
    order_peer(&go, "ask %s nobody x", here());
    await("go answer failed future: dead letter");
    order_peer(&go, "request %s nobody x", here());
    await("go user dead letter");
}

static void our_end_is_told(void **state)
{
    (void)state;
    tr_pid echo = spawn_echo();
    order_peer(&go, "watch %s echo", here());
    order_peer(&go, "asktouch %s echo", here());
    await("go answer touched echo");
    order_peer(&go, "touch %s echo", here());
    await_begin("go user touched echo@");
    tr_stop(tr_root(c.sys), echo);
    await_begin("go user terminated echo ");
    forget();
    order_peer(&go, "watch %s nobody", here());
    await_begin("go user terminated nobody ");
}

static void they_stop_ours(void **state)
{
    (void)state;
    (void)spawn_echo();
    tell(&c, 'w', tr_lookup(tr_root(c.sys), "echo"), "");
    order_peer(&go, "poison %s echo", here());
    await("user down success");
    forget();
    tell(&c, 'w', spawn_echo(), "");
    order_peer(&go, "stop %s echo", here());
    await("user down success");
}

static void they_spawn_ours(void **state)
{
    char line[200];
    (void)state;
    order_peer(&go, "spawn %s echo named", here());
    snprintf(line, sizeof line, "go spawned 0 activator/Remote$named@%s", here());
    await(line);
    order_peer(&go, "spawn %s echo named", here());
    snprintf(line, sizeof line, "go spawned 3 activator/Remote$named@%s", here());
    await(line);
    order_peer(&go, "spawn %s echo ", here());
    await_begin("go spawned 0 activator/Remote$$");
    order_peer(&go, "spawn %s none x", here());
    await_begin("go spawned 4 ");
    order_peer(&go, "ask %s activator/Remote$named x", here());
    await("go answer echo:x");
}

static void they_ask_what_there_is(void **state)
{
    char line[300];
    (void)state;
    (void)spawn_echo();
    order_peer(&go, "list %s 0 e", here());
    snprintf(line, sizeof line, "go listed echo@%s user@%s", here(), here());
    await(line);
    order_peer(&go, "list %s 1 echo", here());
    snprintf(line, sizeof line, "go listed echo@%s", here());
    await(line);
    order_peer(&go, "list %s 2 .*", here());
    await_begin("go listed failed rpc error: code = Unimplemented");
    order_peer(&go, "diagnose %s echo", here());
    await_begin("go diagnosed echo: alive");
    order_peer(&go, "diagnose %s nobody", here());
    await("go diagnosed nobody: no such actor");
}

/* ---- Links come and go ---------------------------------------------------------------------------- */

static void they_are_killed(void **state)
{
    char port[16];
    (void)state;
    tell(&c, 'w', there("echo"), "");
    tell(&c, 'r', there("echo"), "one");
    await("user echo:one (answer)");
    snprintf(port, sizeof port, "%s", strrchr(go.address, ':') + 1);
    end_peer(&go, SIGKILL);
    await("user down peer cannot be reached");
    forget();
    start_peer(&go, port);
    tell(&c, 'r', there("echo"), "two");
    await("user echo:two (answer)");
}

/* A node that does nothing for a while is slow, not lost. */
static void they_are_frozen(void **state)
{
    (void)state;
    tell(&c, 'r', there("echo"), "one");
    await("user echo:one (answer)");
    assert_int_equal(kill(go.pid, SIGSTOP), 0);
    for (int i = 0; i < 1000; i++)
        tell(&c, 'r', there("echo"), "quiet");
    tr_system_run(c.sys);
    check_accounts(&c, false);
    assert_int_equal(kill(go.pid, SIGCONT), 0);
    tell(&c, 'r', there("echo"), "two");
    await("user echo:two (answer)");
}

static void they_leave(void **state)
{
    char port[16];
    (void)state;
    tell(&c, 'w', there("echo"), "");
    tell(&c, 'r', there("echo"), "one");
    await("user echo:one (answer)");
    snprintf(port, sizeof port, "%s", strrchr(go.address, ':') + 1);
    order_peer(&go, "quit");
    await("user down peer cannot be reached");
    await("go bye"); /* Within its patience: we have half-closed. */
    end_peer(&go, 0);
    start_peer(&go, port);
}

static void we_leave(void **state)
{
    (void)state;
    (void)spawn_echo();
    order_peer(&go, "watch %s echo", here());
    order_peer(&go, "ask %s echo x", here());
    await("go answer echo:x");
    stop_node(&c);
    await("go user terminated echo AddressTerminated");
    c = start_node((struct tr_remote_config){0});
}

static void all_of_a_flood_arrives(void **state)
{
    struct tr_accounts accounts;
    (void)state;
    (void)spawn_echo();
    order_peer(&go, "flood %s echo 20000", here());
    await("echo quiet 19999");
    tr_system_accounts(c.sys, &accounts);
    assert_int_equal(accounts.dead[TR_DEAD_LATE], 0);
}

int main(int argc, char **argv)
{
    if (argc != 3 || (argv[2][0] != 'a' && argv[2][0] != 'b')) {
        fprintf(stderr, "usage: %s PEER a|b\n", argv[0]);
        return 2;
    }
    program = argv[1];
    dialect_a = argv[2][0] == 'a';
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_arrive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers_come_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_to_nobody_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(their_end_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_are_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watching_nobody_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(their_kinds_are_spawned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_send, set_up, tear_down),
        cmocka_unit_test_setup_teardown(their_requests_to_nobody_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(our_end_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_stop_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_spawn_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_ask_what_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_are_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_are_frozen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(we_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_of_a_flood_arrives, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
